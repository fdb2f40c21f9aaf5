package analyze_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// Policies that are small enough to ask them everything. Some of the names are those that
// analyze gives to what nobody names.
var (
	scopes = [3][]string{
		{"integration:*", "integration:*", "integration:a", "integration:other"},
		{"credential:*", "credential:ext:e", "credential:x", "credential:other"},
		{"configuration:*", "configuration:ext:e", "configuration:x"},
	}
	names = []permissions.Permission{
		permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite, permissions.Events, "one", "other",
	}
	declared = permissions.WithPermissions("one", "other", "undeclared by some")
	actions  = append(slices.Clone(names), permissions.MetadataWrite, "undeclared by some", "unheard of")
	targets  = func() []permissions.Target {
		list := []permissions.Target{{}}
		for _, integration := range []string{"a", "other", "b"} {
			t := permissions.Target{Integration: integration}
			list = append(list, t)
			for _, t.CredentialID = range []string{"", permissions.None, "x", "other"} {
				for _, t.CredentialExternalID = range []string{"", permissions.None, "e"} {
					if t.CredentialID+t.CredentialExternalID == "" {
						continue
					}
					list = append(list, t)
					for _, id := range []string{"", permissions.None, "x"} {
						for _, externalID := range []string{"", permissions.None, "e"} {
							if id+externalID != "" {
								deeper := t
								deeper.ConfigurationID, deeper.ConfigurationExternalID = id, externalID
								list = append(list, deeper)
							}
						}
					}
				}
			}
		}
		return list
	}()
)

// A generator makes random policies.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 9))} }

func (g generator) builder(most int) *permissions.Builder {
	b := new(permissions.Builder)
	for range g.IntN(most + 1) {
		var path []permissions.Scope
		for level := range 1 + g.IntN(3) {
			path = append(path, permissions.MustParseScope(scopes[level][g.IntN(len(scopes[level]))]))
		}
		switch place := b.At(path...); g.IntN(3) {
		case 0:
			place.AllowAll()
		case 1:
			place.DenyAll()
		default:
			var list []permissions.Permission
			for range 1 + g.IntN(3) {
				list = append(list, names[g.IntN(len(names))])
			}
			place.Allow(list...)
		}
	}
	return b
}

// claim returns the policy of a claim.
func (g generator) claim() *permissions.Policy {
	for {
		option := declared
		if g.IntN(4) == 0 {
			option = permissions.IgnoreUnknownPermissions()
		}
		if p, err := g.builder(5).Policy(option); err == nil {
			return p
		}
	}
}

// policy returns a policy of any sort.
func (g generator) policy(t *testing.T) *permissions.Policy {
	t.Helper()
	switch g.IntN(20) {
	case 0:
		return nil
	case 1:
		return permissions.Unrestricted()
	case 2, 3, 4:
		p, err := permissions.Intersect(g.claim(), g.policy(t), g.claim())
		require.NoError(t, err)
		return p
	}
	return g.claim().Observe(func(permissions.Permission, permissions.Target, permissions.Decision) { t.Error("a hook was called") })
}

// narrow returns a policy that is often covered by p: p itself with something less.
func (g generator) narrow(t *testing.T, p *permissions.Policy) *permissions.Policy {
	t.Helper()
	if g.IntN(2) == 0 {
		return g.policy(t)
	}
	narrowed, err := permissions.Intersect(p, g.claim())
	require.NoError(t, err)
	return narrowed
}

// ask asks about every target and action until the function says stop.
func ask(yield func(analyze.Question) bool) {
	for _, target := range targets {
		for _, action := range actions {
			if !yield(analyze.Question{Action: action, Target: target}) {
				return
			}
		}
	}
}

func allowed(p *permissions.Policy, q analyze.Question) bool {
	return p.Observe(nil).Allowed(q.Action, q.Target)
}

func isOpen(t permissions.Target) bool {
	return (t.CredentialID == "") != (t.CredentialExternalID == "") || (t.ConfigurationID == "") != (t.ConfigurationExternalID == "")
}

// TestCoversRandom holds Covers, Equal and Diff against every question there is.
func TestCoversRandom(t *testing.T) {
	g := newGenerator(1)
	covered, equal, changed := 0, 0, 0
	for range 500 {
		a := g.policy(t)
		b := g.narrow(t, a)
		aCoversB, bCoversA := true, true
		silentA, silentB := a.Observe(nil), b.Observe(nil)
		for q := range ask {
			before, after := silentA.Allowed(q.Action, q.Target), silentB.Allowed(q.Action, q.Target)
			aCoversB = aCoversB && (before || !after)
			bCoversA = bCoversA && (after || !before)
		}

		ok, q := analyze.Covers(a, b)
		require.Equal(t, aCoversB, ok)
		if ok {
			require.Zero(t, q)
			covered++
		} else {
			require.True(t, allowed(b, q), "%v", q)
			require.False(t, allowed(a, q), "%v", q)
			require.False(t, isOpen(q.Target), "%v", q)
		}

		ok, q = analyze.Equal(a, b)
		require.Equal(t, aCoversB && bCoversA, ok)
		if ok {
			require.Zero(t, q)
			equal++
		} else {
			require.NotEqual(t, allowed(a, q), allowed(b, q), "%v", q)
		}

		changes := analyze.Diff(a, b)
		require.Equal(t, ok, len(changes) == 0)
		requireDiff(t, a.Observe(nil), b.Observe(nil), changes)
		changed += len(changes)
	}
	require.Greater(t, covered, 100)
	require.Greater(t, equal, 30)
	require.Greater(t, changed, 500)
}

// requireDiff requires that every change is one, and that every question whose answer
// changes is decided as those of one of the changes.
func requireDiff(t *testing.T, a, b *permissions.Policy, changes []analyze.Change) {
	t.Helper()
	type key struct {
		action        permissions.Permission
		before, after permissions.Decision
	}
	found := make(map[key]bool)
	for _, c := range changes {
		require.NotEmpty(t, c.Actions)
		for _, action := range c.Actions {
			k := key{action, c.Before, c.After}
			if found[k] {
				require.Failf(t, "stands twice", "%v", c)
			}
			found[k] = true
			if isOpen(c.Target) || c.Before.Allowed == c.After.Allowed || c.Before != a.Decide(action, c.Target) || c.After != b.Decide(action, c.Target) {
				require.Failf(t, "no change", "%v", c)
			}
		}
	}
	for q := range ask {
		if isOpen(q.Target) || q.Action == permissions.CredentialWrite && q.Target.CredentialID == "" && q.Target.Integration != "" ||
			q.Action == permissions.ConfigWrite && q.Target.ConfigurationID == "" && q.Target.CredentialID != "" {
			continue // nothing may be open, also by SPEC 4.3
		}
		before, after := a.Decide(q.Action, q.Target), b.Decide(q.Action, q.Target)
		if before.Allowed == after.Allowed {
			continue
		}
		action := q.Action
		if !found[key{action, before, after}] {
			for _, other := range []permissions.Permission{"other", "other-2", "other-3"} { // which stands for it, if nobody knows it
				if found[key{other, before, after}] {
					action = other
				}
			}
		}
		if !found[key{action, before, after}] {
			require.Failf(t, "missing", "%v was %v, is %v", q, before, after)
		}
	}
}

// TestLintRandom removes what Lint calls redundant, and no answer changes. What it does not
// call so is not.
func TestLintRandom(t *testing.T) {
	g := newGenerator(2)
	removed, kept := 0, 0
	for range 500 {
		p, err := g.builder(6).Policy(declared)
		if err != nil {
			continue
		}
		redundant := make(map[string]bool)
		findings := analyze.Lint(p)
		for _, f := range findings {
			require.NotEmpty(t, f.Message)
			require.Zero(t, f.Part)
			if f.Code == analyze.RedundantRule || f.Code == analyze.RedundantCredential {
				require.False(t, redundant[f.Pointer])
				redundant[f.Pointer] = true
			}
		}
		without := func(drop func(permissions.Rule) bool) *permissions.Policy {
			var b permissions.Builder
			for r := range p.Rules() {
				if !drop(r) {
					b.At(r.Path()...).Grant(r.Grant())
				}
			}
			rest, err := b.Policy(declared)
			require.NoError(t, err)
			return rest
		}
		equal := func(rest *permissions.Policy) bool {
			for q := range ask {
				if p.Allowed(q.Action, q.Target) != rest.Allowed(q.Action, q.Target) {
					return false
				}
			}
			return true
		}
		rest := without(func(r permissions.Rule) bool { return redundant[r.Pointer()] })
		require.True(t, equal(rest), "%v", redundant)
		for r := range p.Rules() {
			alone := func(o permissions.Rule) bool { return o == r }
			if redundant[r.Pointer()] {
				require.True(t, equal(without(alone)), "%v", r)
				removed++
				continue
			}
			// It does something once the redundant ones are gone.
			gone := without(func(o permissions.Rule) bool { return o == r || redundant[o.Pointer()] })
			require.False(t, equal(gone), "%v is redundant", r)
			kept++
		}

		// NeverDecides is found just where no question is decided so.
		for r := range p.Rules() {
			for action := range r.Grant().All() {
				decides := false
				for _, target := range targets {
					decides = decides || !isOpen(target) && p.Decide(action, target).Rule == r
				}
				found := slices.ContainsFunc(findings, func(f analyze.Finding) bool {
					return f.Pointer == r.Pointer() && f.Code == analyze.NeverDecides && f.Message[:len(action)] == string(action)
				})
				if r.Grant().IsAll() || redundant[r.Pointer()] {
					require.False(t, found)
					continue
				}
				require.Equal(t, !decides, found, "%v %s", r, action)
			}
		}
	}
	require.Greater(t, removed, 100)
	require.Greater(t, kept, 300)
}
