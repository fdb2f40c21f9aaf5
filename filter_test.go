package permissions_test

import (
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// An item is what an application has, of which a target is only a part.
type item struct {
	n      int
	target permissions.Target
}

func itemTarget(i item) permissions.Target { return i.target }

// TestFilterEqualsLoop holds filters against the loops that they stand for, on random
// policies and targets; and what is all of a target, or below it, against asking for each.
func TestFilterEqualsLoop(t *testing.T) {
	t.Parallel()
	kept, shown, dropped := 0, 0, 0
	for seed := range uint64(2000) {
		g := newGenerator(seed)
		claim := pick(g, g.claim, g.paths, g.denseClaim)()
		p, err := permissions.Parse([]byte(claim))
		if err != nil {
			continue
		}
		var items []item
		for n := range 12 {
			items = append(items, item{n, g.target()})
		}
		action := pick(g, actions...)
		var allowed, visible []item
		for _, i := range items {
			if p.Allowed(action, i.target) {
				allowed = append(allowed, i)
			}
			if p.Visible(i.target) {
				visible = append(visible, i)
			}
			set := p.Permissions(i.target)
			for _, a := range actions {
				require.Equal(t, p.Allowed(a, i.target), set.Has(a), "claim %s\n%s on %+v", claim, a, i.target)
			}
			if !set.IsEmpty() {
				require.True(t, p.Visible(i.target), "claim %s\n%+v", claim, i.target)
			}
		}
		original := slices.Clone(items)
		require.Equal(t, allowed, slices.Collect(permissions.Filter(p, action, slices.Values(items), itemTarget)))
		require.ElementsMatch(t, allowed, permissions.FilterSlice(p, action, items, itemTarget))
		require.Equal(t, visible, slices.Collect(permissions.FilterVisible(p, slices.Values(items), itemTarget)))
		require.ElementsMatch(t, visible, permissions.FilterVisibleSlice(p, items, itemTarget))
		require.Equal(t, original, items)
		kept, shown, dropped = kept+len(allowed), shown+len(visible), dropped+len(items)-len(allowed)
	}
	for _, n := range []int{kept, shown, dropped, shown - kept} {
		assert.Greater(t, n, 1000)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	p := permissions.MustParse(`{"integration:*": true, "integration:slack": {"credential:b": false}, "integration:jira": {"credential:*": false, "credential:x": {"configuration:f": ["events"]}}, "integration:closed": false}`)
	items := []item{
		{0, permissions.Target{Integration: "slack", CredentialID: "c", CredentialExternalID: permissions.None}},
		{1, permissions.Target{Integration: "slack", CredentialID: "b", CredentialExternalID: permissions.None}},
		{2, permissions.Target{Integration: "slack", CredentialID: "*"}},
		{3, permissions.Target{CredentialID: "c"}},
		{4, permissions.Target{Integration: "jira", CredentialID: "x", CredentialExternalID: permissions.None}},
		{5, permissions.Target{Integration: "closed"}},
		{6, permissions.Target{Integration: "slack", CredentialID: "a", CredentialExternalID: permissions.None}},
		{7, permissions.Target{}},
	}
	numbers := func(items []item) []int {
		list := []int{}
		for _, i := range items {
			list = append(list, i.n)
		}
		return list
	}
	t.Run("invalid targets are left out, and the order stays", func(t *testing.T) {
		t.Parallel()
		assert.Equal(t, []int{0, 6, 7}, numbers(permissions.FilterSlice(p, permissions.ProxyAPI, items, itemTarget)))
		assert.Equal(t, []int{0, 6, 7}, numbers(slices.Collect(permissions.Filter(p, permissions.ProxyAPI, slices.Values(items), itemTarget))))
		assert.Equal(t, []int{0, 4, 6, 7}, numbers(permissions.FilterVisibleSlice(p, items, itemTarget)))
		assert.Equal(t, []int{0, 4, 6, 7}, numbers(slices.Collect(permissions.FilterVisible(p, slices.Values(items), itemTarget))))
	})
	t.Run("unrestricted", func(t *testing.T) {
		t.Parallel()
		all := permissions.Unrestricted()
		assert.Equal(t, []int{0, 1, 4, 5, 6, 7}, numbers(permissions.FilterSlice(all, "other", items, itemTarget)))
		assert.Equal(t, []int{0, 1, 4, 5, 6, 7}, numbers(permissions.FilterVisibleSlice(all, items, itemTarget)))
	})
	t.Run("nothing passes, and a slice is never nil", func(t *testing.T) {
		t.Parallel()
		for _, none := range []*permissions.Policy{nil, new(permissions.Policy), permissions.MustParse("{}")} {
			assert.Equal(t, []item{}, permissions.FilterSlice(none, permissions.ProxyAPI, items, itemTarget))
			assert.Equal(t, []item{}, permissions.FilterVisibleSlice(none, items, itemTarget))
			assert.Empty(t, slices.Collect(permissions.Filter(none, permissions.ProxyAPI, slices.Values(items), itemTarget)))
			assert.Empty(t, slices.Collect(permissions.FilterVisible(none, slices.Values(items), itemTarget)))
		}
		assert.Equal(t, []item{}, permissions.FilterSlice(p, "", items, itemTarget), "no action")
		assert.Equal(t, []item{}, permissions.FilterSlice(p, permissions.ProxyAPI, nil, itemTarget))
		assert.Equal(t, []item{}, permissions.FilterVisibleSlice(p, nil, itemTarget))
		var nothing iter.Seq[item]
		assert.Empty(t, slices.Collect(permissions.Filter(p, permissions.ProxyAPI, nothing, itemTarget)))
		assert.Empty(t, slices.Collect(permissions.FilterVisible(p, nothing, itemTarget)))
	})
	t.Run("as far as it is ranged over", func(t *testing.T) {
		t.Parallel()
		var questions []permissions.Target
		observed := p.Observe(func(_ permissions.Permission, target permissions.Target, _ permissions.Decision) {
			questions = append(questions, target)
		})
		pulled := 0
		source := func(yield func(item) bool) {
			for _, i := range items {
				pulled++
				if !yield(i) {
					return
				}
			}
		}
		filtered := permissions.Filter(observed, permissions.ProxyAPI, source, itemTarget)
		assert.Zero(t, pulled, "not before")
		for i := range filtered {
			if i.n == 6 {
				break
			}
		}
		assert.Equal(t, 7, pulled)
		assert.Len(t, questions, 7, "all questions are observed, invalid ones too")
		assert.Equal(t, []int{0, 6, 7}, numbers(slices.Collect(filtered)), "again, from the start")
	})
}
