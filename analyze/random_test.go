package analyze_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// TestComparisonsRandom compares Covers, Equal and Diff with asking every question there is.
func TestComparisonsRandom(t *testing.T) {
	g := newGenerator(1)
	covered, equal, changed, only, partly := 0, 0, 0, 0, 0
	for range 1000 {
		a := g.policy(t)
		b := g.narrow(t, a)
		c := comparison{T: t, a: a, b: b}
		aCoversB, bCoversA := c.askEverything()
		observedA, observedB := observed(t, a), observed(t, b)

		ok, q := analyze.Covers(observedA, observedB)
		c.require(ok == aCoversB, "Covers", q)
		if ok {
			require.Zero(t, q)
			covered++
		} else {
			c.require(allowed(b, q) && !allowed(a, q) && isDetermined(q), "counterexample", q)
		}

		ok, q = analyze.Equal(observedA, observedB)
		c.require(ok == (aCoversB && bCoversA), "Equal", q)
		if ok {
			require.Zero(t, q)
			equal++
		} else {
			c.require(allowed(a, q) != allowed(b, q) && isDetermined(q), "counterexample", q)
		}

		d := analyze.Diff(observedA, observedB)
		c.require(d.Relation == relation(aCoversB, bCoversA), "relation", d)
		c.require(ok == (len(d.Changes) == 0), "number of changes", d)
		c.requireDiff(d)
		for _, change := range d.Changes {
			changed++
			if !change.Only.IsZero() {
				only++
			}
			if !change.Partly.IsZero() {
				partly++
			}
		}
	}
	require.Greater(t, covered, 200)
	require.Greater(t, equal, 50)
	require.Greater(t, changed, 4000)
	require.Greater(t, only, 200)
	require.Greater(t, partly, 100)
}

// A comparison is a test of two policies.
type comparison struct {
	*testing.T
	a, b *permissions.Policy
}

func (c *comparison) require(ok bool, what string, args ...any) {
	c.Helper()
	if !ok {
		require.Failf(c.T, what, "%v\n%s", args, describe(c.a, c.b))
	}
}

// askEverything reports whether a allows all that b allows, and the reverse.
func (c *comparison) askEverything() (aCoversB, bCoversA bool) {
	aCoversB, bCoversA = true, true
	for _, targets := range [][]permissions.Target{determined, undetermined} {
		for q := range asks(targets) {
			before, after := allowed(c.a, q), allowed(c.b, q)
			aCoversB = aCoversB && (before || !after)
			bCoversA = bCoversA && (after || !before)
		}
	}
	return aCoversB, bCoversA
}

func relation(aCoversB, bCoversA bool) analyze.Relation {
	switch {
	case aCoversB && bCoversA:
		return analyze.RelationEqual
	case aCoversB:
		return analyze.RelationNarrower
	case bCoversA:
		return analyze.RelationWider
	}
	return analyze.RelationBoth
}

// A changeKey identifies a change: there is at most one for each key.
type changeKey struct {
	region string
	action permissions.Permission
	gained bool
}

// requireDiff requires that answers change wherever a change says so, and that each question whose answer changes is
// in a change.
func (c *comparison) requireDiff(d analyze.Difference) {
	c.Helper()
	changes := make(map[changeKey]analyze.Change)
	for _, change := range d.Changes {
		q := change.Example
		c.require(isDetermined(q) && q.Action == change.Permissions[0] && mayHold(change, q.Target), "example", change)
		c.require(change.Before == c.a.Decide(q.Action, q.Target), "before", change)
		c.require(change.After == c.b.Decide(q.Action, q.Target), "after", change)
		c.require(change.Before.Allowed != change.After.Allowed, "not a change", change)
		for _, action := range change.Permissions {
			k := changeKey{change.Region.String(), action, change.After.Allowed}
			_, isThere := changes[k]
			c.require(!isThere, "two changes for one region and action", change)
			changes[k] = change
		}
	}
	for _, target := range determined {
		path := top(target, c.a, c.b)
		region := ""
		for _, change := range d.Changes {
			if slices.Equal(change.Region.Scopes(), path) {
				region = change.Region.String()
			}
		}
		for _, action := range actions {
			q := analyze.Question{Action: action, Target: target}
			if !isDetermined(q) {
				continue
			}
			before, after := allowed(c.a, q), allowed(c.b, q)
			for _, gained := range []bool{true, false} {
				change, isListed := changes[changeKey{region, action, gained}]
				if before != after && after == gained {
					c.require(isListed && mayHold(change, target), "a change is missing", q, d)
				} else {
					c.require(!isListed || !mustHold(change, target), "not a change here", q, change)
				}
			}
		}
	}
}

func isIn(list analyze.Regions, target permissions.Target) bool {
	return slices.ContainsFunc(list.List, func(r analyze.Region) bool { return matches(r.Scopes(), target) })
}

// mayHold reports whether a change may hold for a target in its region that no more specific rule matches.
func mayHold(c analyze.Change, target permissions.Target) bool {
	return matches(c.Region.Scopes(), target) && !isIn(c.Unchanged, target) && !isJustIn(c.Partly, target) &&
		(c.Only.IsZero() || c.Only.IsMore || c.Only.More > 0 || isIn(c.Only, target))
}

// mustHold reports whether a change must hold for such a target.
func mustHold(c analyze.Change, target permissions.Target) bool {
	for _, list := range []analyze.Regions{c.Unchanged, c.Partly} {
		if list.IsMore || list.More > 0 {
			return false
		}
	}
	return mayHold(c, target) && !isIn(c.Partly, target) && (c.Only.IsZero() || isJustIn(c.Only, target))
}

// isJustIn reports whether a target has the names of one of some regions and no others.
func isJustIn(list analyze.Regions, target permissions.Target) bool {
	return slices.ContainsFunc(list.List, func(r analyze.Region) bool { return isJust(r, target) })
}

// isJust reports whether a target has the names of a region and no others.
func isJust(r analyze.Region, target permissions.Target) bool {
	names := 0
	for _, s := range r.Scopes() {
		if !s.IsWildcard() && s.Kind() != permissions.KindIntegration {
			names++
		}
	}
	for _, which := range []permissions.Identifiers{
		permissions.CredentialID, permissions.CredentialExternalID,
		permissions.ConfigurationID, permissions.ConfigurationExternalID,
	} {
		if _, state := target.Lookup(which); state == permissions.Known {
			names--
		}
	}
	return matches(r.Scopes(), target) && names == 0 && (!r.Scopes()[0].IsWildcard() || isOther(target))
}

// isOther reports whether a target is in the integration that no policy names.
func isOther(target permissions.Target) bool {
	name, _ := target.Lookup(permissions.IntegrationName)
	return name == "b"
}
