package permissions_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// An observation is what a hook is called with.
type observation struct {
	action   permissions.Permission
	target   permissions.Target
	decision permissions.Decision
}

// TestObserve has every sort of question and of policy observed: once, with the decision,
// and before the answer.
func TestObserve(t *testing.T) {
	t.Parallel()
	both, err := permissions.Intersect(permissions.MustParse(`{"integration:*": true}`), permissions.MustParse(`{"integration:slack": ["events"]}`))
	require.NoError(t, err)
	policies := map[string]*permissions.Policy{
		"a claim":         permissions.MustParse(`{"integration:slack": ["events"], "credential:ext:x": false}`),
		"an intersection": both,
		"no claim":        permissions.Unrestricted(),
		"nil":             nil,
		"zero":            new(permissions.Policy),
	}
	questions := []observation{
		{action: permissions.Events, target: permissions.Target{Integration: "slack"}},
		{action: permissions.ProxyAPI, target: permissions.Target{Integration: "slack"}},
		{action: permissions.Events, target: permissions.Target{Integration: "slack", CredentialID: "c"}},
		{action: permissions.Events, target: permissions.Target{}},
		{action: "", target: permissions.Target{Integration: "slack"}},
		{action: permissions.Events, target: permissions.Target{CredentialID: "c"}},
		{action: permissions.Events, target: permissions.Target{Integration: "*"}},
	}
	for name, p := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, q := range questions {
				var seen []observation
				answered := false
				observed := p.Observe(func(action permissions.Permission, target permissions.Target, d permissions.Decision) {
					assert.False(t, answered, "the answer comes after the hook")
					seen = append(seen, observation{action, target, d})
				})
				q.decision = p.Decide(q.action, q.target)
				require.Empty(t, seen, "the policy itself is not observed")

				d := observed.Decide(q.action, q.target)
				answered = true
				require.Equal(t, q.decision, d)
				require.Equal(t, []observation{q}, seen)

				answered = false
				allowed := observed.Allowed(q.action, q.target)
				answered = true
				require.Equal(t, q.decision.Allowed, allowed)
				require.Equal(t, []observation{q, q}, seen)

				answered = false
				err := observed.Check(q.action, q.target)
				answered = true
				require.Equal(t, p.Check(q.action, q.target), err)
				require.Equal(t, []observation{q, q, q}, seen)
			}
		})
	}
}

// TestObserveAgain has a hook replaced, and taken away.
func TestObserveAgain(t *testing.T) {
	t.Parallel()
	p := permissions.MustParse(`{"integration:*": true}`)
	var first, second int
	one := p.Observe(func(permissions.Permission, permissions.Target, permissions.Decision) { first++ })
	two := one.Observe(func(permissions.Permission, permissions.Target, permissions.Decision) { second++ })
	none := two.Observe(nil)

	assert.True(t, two.Allowed(permissions.Events, permissions.Target{}))
	assert.Equal(t, []int{0, 1}, []int{first, second}, "replaced, not added")
	assert.True(t, one.Allowed(permissions.Events, permissions.Target{}))
	assert.Equal(t, []int{1, 1}, []int{first, second}, "the policy that was observed first still is")
	assert.True(t, none.Allowed(permissions.Events, permissions.Target{}))
	assert.True(t, p.Allowed(permissions.Events, permissions.Target{}))
	assert.Equal(t, []int{1, 1}, []int{first, second})

	assert.False(t, (*permissions.Policy)(nil).Observe(nil).Allowed(permissions.Events, permissions.Target{}))
}

// TestObserveIsThePolicy has an observed policy be what the policy is.
func TestObserveIsThePolicy(t *testing.T) {
	t.Parallel()
	hook := func(permissions.Permission, permissions.Target, permissions.Decision) {}
	p := permissions.MustParse(`{"integration:slack": ["events"], "credential:*": false}`)
	observed := p.Observe(hook)
	assert.Equal(t, ruleTexts(p), ruleTexts(observed))
	for r := range observed.Rules() {
		for same := range p.Rules() {
			if same.String() == r.String() {
				assert.Equal(t, same, r, "rules are the same, and compare so")
			}
		}
	}
	assert.True(t, permissions.Unrestricted().Observe(hook).IsUnrestricted())
	assert.False(t, observed.IsUnrestricted())
	assert.Len(t, intersection(t, `{"integration:*": true}`, "{}").Observe(hook).Parts(), 2)
}

// TestObserveConcurrently has many goroutines ask one observed policy.
func TestObserveConcurrently(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	p := permissions.MustParse(`{"integration:*": true}`).Observe(func(permissions.Permission, permissions.Target, permissions.Decision) {
		calls.Add(1)
	})
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 1000 {
				p.Allowed(permissions.Events, permissions.Target{Integration: "slack"})
			}
		})
	}
	wait.Wait()
	assert.EqualValues(t, 8000, calls.Load())
}

// TestObserveAllocations pins that deciding allocates nothing, with a hook or without.
func TestObserveAllocations(t *testing.T) {
	p := permissions.MustParse(`{"integration:slack": {"credential:` + smallUUID + `": ["events"]}}`)
	target := permissions.Target{Integration: "slack", CredentialID: smallUUID, CredentialExternalID: permissions.None}
	calls := 0
	for name, p := range map[string]*permissions.Policy{
		"never observed": p,
		"a nil hook":     p.Observe(nil),
		"a hook":         p.Observe(func(permissions.Permission, permissions.Target, permissions.Decision) { calls++ }),
	} {
		allowed := true
		assert.Zero(t, testing.AllocsPerRun(100, func() { allowed = allowed && p.Allowed(permissions.Events, target) }), name)
		assert.Zero(t, testing.AllocsPerRun(100, func() { allowed = allowed && p.Decide(permissions.Events, target).Allowed }), name)
		assert.Zero(t, testing.AllocsPerRun(100, func() { allowed = allowed && p.Check(permissions.Events, target) == nil }), name)
		assert.True(t, allowed, name)
	}
	assert.Positive(t, calls)
}
