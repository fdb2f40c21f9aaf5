package permissions_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// isBelow reports whether a target is t or could be below it. What t does not know counts as absent
// (SPEC 5.1).
func isBelow(target, t permissions.Target) bool {
	if target.Level() < t.Level() {
		return false
	}
	for _, which := range eachIdentifier {
		if levelOf(which) > t.Level() {
			continue
		}
		text, state := t.Lookup(which)
		if state == permissions.Unknown {
			state = permissions.Absent
		}
		if otherText, otherState := target.Lookup(which); otherState != state || otherText != text {
			return false
		}
	}
	return true
}

// An intersection answers every question as its parts together do.
func TestIntersectRandom(t *testing.T) {
	g := rand.New(rand.NewPCG(7, 7))
	ignore := permissions.IgnoreUnknownPermissions()
	vocabularies := [][]permissions.Option{
		{permissions.WithPermissions("one", "two")}, {permissions.WithPermissions("two", "one")},
		{ignore}, {ignore, permissions.WithPermissions("three", "one")},
	}
	actions := append(slices.Clone(smallNames), permissions.MetadataWrite, "three", "four")
	shown, hidden := 0, 0
	for range 40 {
		parts := randomParts(g, vocabularies)
		if len(parts) == 0 {
			continue
		}
		both := mustIntersect(parts...)
		if len(parts) > 2 && g.IntN(2) == 0 {
			both = mustIntersect(parts[0], mustIntersect(parts[1:]...))
		}
		each := both.Parts()
		some := make(map[permissions.Target]bool) // something is allowed there, and nothing is unknown
		for _, target := range smallTargets {
			set := both.Permissions(target)
			for _, action := range actions {
				want := true
				for _, p := range parts {
					want = want && p.Allowed(action, target)
				}
				d := both.Decide(action, target)
				if want != d.Allowed || want != both.Allowed(action, target) || want != (both.Check(action, target) == nil) ||
					want != set.Has(action) {
					require.Failf(t, "disagreement", "want %v of %q on %v\ngot %v, %v", want, action, target, d, set)
				}
				if want && target.Unknown() == 0 && !actsBelow(action, target) {
					some[target] = true
				}
				requireFirstDenial(t, each, d, action, target)
			}
			for name := range set.All() {
				if !both.Allowed(name, target) {
					require.Failf(t, "not allowed", "%q on %v", name, target)
				}
			}
		}
		for _, target := range smallTargets {
			want := false
			for other := range some {
				want = want || isBelow(other, target)
			}
			if want != both.Visible(target) {
				require.Failf(t, "disagreement", "want visible %v of %v", want, target)
			}
			if want {
				shown++
			} else {
				hidden++
			}
		}
	}
	require.Greater(t, shown, 1000)
	require.Greater(t, hidden, 1000)
}

// actsBelow reports whether an action acts on something below a target, with unknown identifiers.
func actsBelow(action permissions.Permission, target permissions.Target) bool {
	cells, ok := actedOn[action]
	return ok && target.Level() > 0 && cells[target.Level()-permissions.KindUser].unknown != 0
}

// randomParts returns up to five policies for an intersection.
func randomParts(g *rand.Rand, vocabularies [][]permissions.Option) (parts []*permissions.Policy) {
	for range 2 + g.IntN(3) {
		switch g.IntN(30) {
		case 0:
			parts = append(parts, nil)
		case 1:
			parts = append(parts, permissions.Unrestricted())
		default:
			opts := vocabularies[g.IntN(len(vocabularies))]
			if part, err := buildSmall(g, smallRules(g, 6), opts...); err == nil {
				parts = append(parts, part)
			}
		}
	}
	return parts
}

// requireFirstDenial requires that a decision is that of the part that it names, and that all parts before it
// allow.
func requireFirstDenial(
	t *testing.T, parts []*permissions.Policy, d permissions.Decision,
	action permissions.Permission, target permissions.Target,
) {
	t.Helper()
	if parts == nil || d.Reason == permissions.ReasonInvalidQuestion {
		if d.Part != 0 {
			require.Failf(t, "there is no part", "%v", d)
		}
		return
	}
	if d.Part < 1 || d.Part > len(parts) || d.Allowed && d.Part != 1 {
		require.Failf(t, "the wrong part", "%v", d)
	}
	for _, part := range parts[:d.Part-1] {
		if !part.Allowed(action, target) {
			require.Failf(t, "an earlier part denies", "%v", d)
		}
	}
	part := parts[d.Part-1]
	want := part.Decide(action, target)
	if want.Reason == permissions.ReasonInvalidQuestion { // the part does not know the permission
		want.Reason = permissions.ReasonNoRule
		if part.Decide(permissions.Events, slack).Reason == permissions.ReasonNoPolicy {
			want.Reason = permissions.ReasonNoPolicy
		}
	}
	want.Part = d.Part
	if d != want {
		require.Failf(t, "another decision", "want %v\ngot %v", want, d)
	}
}

func TestIntersectNothing(t *testing.T) {
	p, err := permissions.Intersect()
	require.Nil(t, p)
	require.EqualError(t, err, "permissions: Intersect: there are no policies; pass one or more")
}

// What does not restrict is left out.
func TestIntersectFew(t *testing.T) {
	policy := permissions.MustParse(`{"integration:*":["events"]}`)
	unrestricted := permissions.Unrestricted()
	for name, one := range map[string]*permissions.Policy{
		"one policy":                    mustIntersect(policy),
		"with an unrestricted policy":   mustIntersect(policy, unrestricted),
		"between unrestricted policies": mustIntersect(unrestricted, policy, unrestricted),
		"an intersection of one":        mustIntersect(mustIntersect(policy)),
	} {
		t.Run(name, func(t *testing.T) {
			require.Nil(t, one.Parts())
			require.Equal(t, `{"integration:*":["events"]}`, string(jsonOf(one)))
			require.Equal(t, policy.Decide(permissions.Events, slack), one.Decide(permissions.Events, slack))
			require.False(t, one.IsUnrestricted())
		})
	}
	t.Run("only unrestricted policies", func(t *testing.T) {
		require.True(t, mustIntersect(unrestricted).IsUnrestricted())
		require.True(t, mustIntersect(unrestricted, unrestricted).IsUnrestricted())
		require.False(t, mustIntersect(policy, policy).IsUnrestricted())
	})
}

// A nil or zero policy denies everything, wherever it is.
func TestIntersectNoPolicy(t *testing.T) {
	policy, unrestricted := permissions.MustParse(`{"integration:*":true}`), permissions.Unrestricted()
	for _, test := range []struct {
		name  string
		parts []*permissions.Policy
		part  int
	}{
		{"nil alone", []*permissions.Policy{nil}, 0},
		{"zero alone", []*permissions.Policy{{}}, 0},
		{"nil after an unrestricted policy", []*permissions.Policy{unrestricted, nil}, 0},
		{"zero between unrestricted policies", []*permissions.Policy{unrestricted, {}, unrestricted}, 0},
		{"nil first", []*permissions.Policy{nil, policy}, 1},
		{"nil last", []*permissions.Policy{policy, nil}, 2},
		{"zero last", []*permissions.Policy{policy, policy, {}}, 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := mustIntersect(test.parts...)
			want := permissions.Decision{Reason: permissions.ReasonNoPolicy, Part: test.part}
			require.Equal(t, want, p.Decide(permissions.Events, slack))
			require.False(t, p.Allowed(permissions.Events, slack))
			require.ErrorIs(t, p.Check(permissions.Events, slack), permissions.ErrDenied)
			require.False(t, p.Visible(slack))
			require.False(t, p.Visible(permissions.User()))
			require.True(t, p.Permissions(slack).IsEmpty())
			require.False(t, p.IsUnrestricted())
		})
	}
}

func TestIntersectNamesThePart(t *testing.T) {
	token := permissions.MustParse(`{"integration:*":true}`)
	role := permissions.MustParse(`{"integration:slack":{"credential:ext:acme":["events"]},"credential:*":["proxy-api"]}`)
	both := mustIntersect(token, role)
	credential := slack.Credential(byA, acme)
	for _, test := range []struct {
		name   string
		action permissions.Permission
		target permissions.Target
		text   string
		reason permissions.Reason
		part   int
	}{
		{
			"the second part denies", permissions.ProxyAPI, credential,
			`denied: part 2: integration:"slack"/credential:ext:"acme" grants events`, permissions.ReasonNotGranted, 2,
		},
		{
			"all allow", permissions.Events, credential, "allowed: part 1: integration:* grants all",
			permissions.ReasonGranted, 1,
		},
		{
			"the second part cannot say", permissions.ProxyAPI, slack.Credential(byA),
			"denied: part 2: it depends on the credential external ID, which was not given", permissions.ReasonUndetermined, 2,
		},
		{
			"the second part has no rule", permissions.Events, slack, "denied: part 2: no rule applies",
			permissions.ReasonNoRule, 2,
		},
		{
			"an action that is not a permission", "nope", credential, "denied: the question is invalid",
			permissions.ReasonInvalidQuestion, 0,
		},
		{
			"an invalid target", permissions.Events, permissions.Integration(""), "denied: the question is invalid",
			permissions.ReasonInvalidQuestion, 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := both.Decide(test.action, test.target)
			require.Equal(t, test.text, d.String())
			require.Equal(t, test.reason, d.Reason)
			require.Equal(t, test.part, d.Part)
			require.Equal(t, d, both.Explain(test.action, test.target).Decision)
			require.Equal(t, d.Allowed, both.Allowed(test.action, test.target))
			require.Equal(t, d.Allowed, both.Check(test.action, test.target) == nil)
		})
	}
	t.Run("an invalid target is not visible", func(t *testing.T) {
		require.False(t, both.Visible(permissions.Integration("")))
		require.True(t, both.Permissions(permissions.Integration("")).IsEmpty())
	})
}

// A target is visible if all parts allow one permission on the same thing, at the target or below it.
func TestIntersectVisible(t *testing.T) {
	all := permissions.MustParse(`{"integration:*":true}`)
	for _, test := range []struct {
		name    string
		parts   []string
		target  permissions.Target
		visible bool
	}{
		{"connecting is denied", []string{`{"integration:slack":["credential:write"],"credential:*":[]}`}, slack, false},
		{
			"creating is denied", []string{`{"credential:*":["config:write"],"configuration:*":[]}`}, slack.Credential(byA),
			false,
		},
		{"all is allowed", []string{`{"integration:*":true}`}, slack, true},
		{
			"two credentials that are not the same",
			[]string{`{"credential:` + idA + `":["events"]}`, `{"credential:` + idB + `":["events"]}`}, slack, false,
		},
		{
			"one credential by two identifiers",
			[]string{`{"credential:` + idA + `":["events"]}`, `{"credential:ext:acme":["events"]}`}, slack, true,
		},
		{
			"one credential and what it is denied for",
			[]string{`{"credential:` + idA + `":["events"]}`, `{"credential:ext:acme":["workflows"]}`}, slack, false,
		},
		{
			"an unrestricted part with a permission of its own",
			[]string{`{"integration:slack":["events"]}`, "unrestricted"}, slack, true,
		},
		{
			"connecting is denied, beside an unrestricted part",
			[]string{`{"integration:slack":["credential:write"],"credential:*":[]}`, "unrestricted"}, slack, false,
		},
		{
			"a rule between two that deny",
			[]string{
				`{"credential:ext:a":false,"credential:ext:b":["events"],"credential:ext:c":false}`,
				`{"credential:` + idA + `":["events"]}`,
			}, slack, true,
		},
		{
			"a configuration of one part in a credential of another",
			[]string{`{"configuration:ext:x":["events"]}`, `{"credential:ext:acme":["events"]}`}, slack, true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			parts := []*permissions.Policy{all}
			for _, claim := range test.parts {
				if claim == "unrestricted" {
					parts = append(parts, permissions.Unrestricted(permissions.WithPermissions("x")))
				} else {
					parts = append(parts, permissions.MustParse(claim))
				}
			}
			require.Equal(t, test.visible, mustIntersect(parts...).Visible(test.target))
			slices.Reverse(parts)
			require.Equal(t, test.visible, mustIntersect(parts...).Visible(test.target))
			require.Equal(t, test.visible, mustIntersect(parts...).Visible(permissions.User()))
		})
	}
}

func TestIntersectRules(t *testing.T) {
	both := mustIntersect(
		permissions.MustParse(`{"integration:a":true,"integration:b":{}}`),
		nil, permissions.MustParse(`{"integration:c":{"credential:ext:x":true}}`),
	)
	t.Run("rules", func(t *testing.T) {
		var rules []string
		for r := range both.Rules() {
			rules = append(rules, r.String())
		}
		require.Equal(t, []string{`integration:"a"`, `integration:"c"/credential:ext:"x"`}, rules)
		for range both.Rules() {
			break
		}
	})
	t.Run("nested maps", func(t *testing.T) {
		var pointers []string
		for m := range both.NestedMaps() {
			pointers = append(pointers, m.Pointer())
		}
		require.Equal(t, []string{"/integration:b", "/integration:c"}, pointers)
		for range both.NestedMaps() {
			break
		}
	})
	t.Run("parts", func(t *testing.T) {
		require.Len(t, both.Parts(), 3)
		require.Equal(t, map[string]string{"integration:a": "all"}, grantsOf(both.Parts()[0]))
		require.Equal(t, permissions.ReasonNoPolicy, both.Parts()[1].Decide(permissions.Events, slack).Reason)
		require.Nil(t, (*permissions.Policy)(nil).Parts())
		require.Nil(t, new(permissions.Policy).Parts())
	})
	t.Run("an intersection of intersections has all the parts", func(t *testing.T) {
		require.Len(t, mustIntersect(both, permissions.MustParse(`{}`), both).Parts(), 7)
	})
}

// The hooks of the parts are those of the intersection. Each is called once.
func TestIntersectHooks(t *testing.T) {
	var seen []string
	hook := func(name string) func(permissions.Observation) {
		return func(o permissions.Observation) { seen = append(seen, name+" "+o.Decision.String()) }
	}
	first := permissions.MustParse(`{"integration:*":true}`).Observe(hook("first"))
	second := permissions.MustParse(`{}`).Observe(hook("second"))
	both := mustIntersect(first, nil, second).Observe(hook("both"))
	require.False(t, both.Allowed(permissions.Events, slack))
	const denied = " denied: part 2: there is no policy"
	require.Equal(t, []string{"first" + denied, "second" + denied, "both" + denied}, seen)

	t.Run("a part has none", func(t *testing.T) {
		seen = nil
		for _, part := range both.Parts() {
			part.Allowed(permissions.Events, slack)
		}
		require.Empty(t, seen)
	})
	t.Run("what does not restrict keeps its hooks", func(t *testing.T) {
		seen = nil
		observed := permissions.Unrestricted().Observe(hook("unrestricted"))
		all := permissions.MustParse(`{"integration:*":true}`)
		require.True(t, mustIntersect(observed, all).Allowed(permissions.Events, slack))
		require.True(t, mustIntersect(observed, observed).Allowed(permissions.Events, slack))
		const noClaim = "unrestricted allowed: the token has no permissions claim"
		require.Equal(t, []string{"unrestricted allowed: integration:* grants all", noClaim, noClaim}, seen)
	})
	t.Run("one policy keeps its hooks", func(t *testing.T) {
		seen = nil
		require.True(t, mustIntersect(first).Allowed(permissions.Events, slack))
		require.Equal(t, []string{"first allowed: integration:* grants all"}, seen)
	})
}

// declare returns an option that declares n names with a prefix.
func declare(prefix string, n int) permissions.Option {
	var names []permissions.Permission
	for i := range n {
		names = append(names, permissions.Permission(fmt.Sprint(prefix, i)))
	}
	return permissions.WithPermissions(names...)
}

func TestIntersectDeclaredPermissions(t *testing.T) {
	const ofA = 26
	ofB := maxExtras - ofA // as many as there may be
	a := permissions.MustParse(`{"integration:*":["x0","x25"]}`, declare("x", ofA))
	b := permissions.MustParse(`{"integration:*":true,"integration:slack":["y20"]}`, declare("y", ofB))
	user := permissions.User()
	t.Run("a part that does not know a permission denies it", func(t *testing.T) {
		both := mustIntersect(a, b)
		require.Equal(t, permissions.Decision{Reason: permissions.ReasonNoRule, Part: 2}, both.Decide("x25", user))
		require.Equal(t, permissions.Decision{Reason: permissions.ReasonNoRule, Part: 1}, both.Decide("y0", user))
		require.ErrorIs(t, both.Check("x25", user), permissions.ErrDenied)
		require.True(t, both.Permissions(user).IsEmpty())
	})
	t.Run("a permission that no part knows is an invalid question", func(t *testing.T) {
		require.Equal(t, permissions.ReasonInvalidQuestion, mustIntersect(a, b).Decide("z", user).Reason)
	})
	t.Run("an unrestricted part that does not know a permission denies it", func(t *testing.T) {
		both := mustIntersect(permissions.Unrestricted(), a)
		require.Equal(t, permissions.Decision{Reason: permissions.ReasonNoRule, Part: 1}, both.Decide("x0", user))
		both = mustIntersect(permissions.Unrestricted(declare("x", 1)), permissions.MustParse(`{"integration:*":true}`))
		require.Equal(t, permissions.Decision{Reason: permissions.ReasonNoRule, Part: 2}, both.Decide("x0", user))
		require.ErrorIs(t, both.Check("x0", user), permissions.ErrDenied)
		both = mustIntersect(permissions.Unrestricted(declare("x", 1)), nil)
		require.Equal(t, permissions.ReasonNoPolicy, both.Decide("x0", user).Reason)
		require.ErrorIs(t, both.Check("x0", user), permissions.ErrDenied)
	})
	t.Run("parts that declare the same names in another order", func(t *testing.T) {
		c := permissions.MustParse(`{"integration:*":["p"]}`, permissions.WithPermissions("q", "p"))
		d := permissions.MustParse(`{"integration:*":["p","q"]}`, permissions.WithPermissions("p", "q"))
		both := mustIntersect(c, d)
		require.Equal(t, "p", both.Permissions(user).String())
		require.Equal(t, permissions.ReasonNotGranted, both.Decide("q", user).Reason)
		require.True(t, both.Visible(user))
	})
	t.Run("as many together as there may be", func(t *testing.T) {
		_, err := permissions.Intersect(a, b)
		require.NoError(t, err)
		_, err = permissions.Intersect(a, permissions.MustParse(`{}`, declare("x", maxExtras)))
		require.NoError(t, err)
	})
	t.Run("one more is refused", func(t *testing.T) {
		p, err := permissions.Intersect(a, permissions.MustParse(`{}`, declare("y", ofB+1)))
		require.Nil(t, p)
		require.EqualError(t, err, fmt.Sprintf("permissions: Intersect: the policies declare more than %d permissions "+
			"together; declare the same ones with WithPermissions for all", maxExtras))
	})
}
