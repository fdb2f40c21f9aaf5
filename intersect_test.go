package permissions_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

func intersect(t testing.TB, policies ...*permissions.Policy) *permissions.Policy {
	t.Helper()
	p, err := permissions.Intersect(policies...)
	require.NoError(t, err)
	return p
}

// isBelow reports whether a target is t or could be below it, where what t leaves open
// counts as none (SPEC 5.1).
func isBelow(target, t permissions.Target) bool {
	closed := func(level ...*string) {
		for _, identifier := range level {
			if *level[0]+*level[1] != "" && *identifier == "" {
				*identifier = permissions.None
			}
		}
	}
	closed(&t.CredentialID, &t.CredentialExternalID)
	closed(&t.ConfigurationID, &t.ConfigurationExternalID)
	switch {
	case t.Integration == "":
		return true
	case target.Integration != t.Integration:
		return false
	case t.CredentialID == "":
		return true
	case target.CredentialID != t.CredentialID || target.CredentialExternalID != t.CredentialExternalID:
		return false
	case t.ConfigurationID == "":
		return true
	}
	return target == t
}

// isOpen reports whether a level that is named has an open identifier.
func isOpen(t permissions.Target) bool {
	return (t.CredentialID == "") != (t.CredentialExternalID == "") || (t.ConfigurationID == "") != (t.ConfigurationExternalID == "")
}

// TestIntersectRandom asks intersections of random policies everything, and each part too.
func TestIntersectRandom(t *testing.T) {
	g := rand.New(rand.NewPCG(7, 7))
	vocabularies := [][]permissions.Option{
		{permissions.WithPermissions("one", "two")}, {permissions.WithPermissions("two", "one")},
		{permissions.IgnoreUnknownPermissions()}, {permissions.IgnoreUnknownPermissions(), permissions.WithPermissions("three", "one")},
	}
	actions := append(slices.Clone(smallNames), permissions.MetadataWrite, "three", "four")
	shown, hidden := 0, 0
	for range 150 {
		var parts []*permissions.Policy
		for range 2 + g.IntN(3) {
			switch g.IntN(30) {
			case 0:
				parts = append(parts, nil)
			case 1:
				parts = append(parts, permissions.Unrestricted())
			default:
				part, err := build(g, smallRules(g, 6), vocabularies[g.IntN(len(vocabularies))]...)
				if err == nil {
					parts = append(parts, part)
				}
			}
		}
		if len(parts) == 0 {
			continue
		}
		both := intersect(t, parts...)
		if len(parts) > 2 && g.IntN(2) == 0 {
			both = intersect(t, parts[0], intersect(t, parts[1:]...))
		}
		each := both.Parts()
		some := make(map[permissions.Target]bool)
		for _, target := range smallTargets {
			set := both.Permissions(target)
			for _, action := range actions {
				want := true
				for _, p := range parts {
					want = want && p.Allowed(action, target)
				}
				d := both.Decide(action, target)
				if want != d.Allowed || want != both.Allowed(action, target) || want != (both.Check(action, target) == nil) || want != set.Has(action) {
					require.Failf(t, "disagreement", "want %v of %q on %v\ngot %v, %v", want, action, target, d, set)
				}
				if want && !isOpen(target) {
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
				require.Failf(t, "disagreement", "want %v of %v", want, target)
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

// requireFirstDenial requires that a decision is that of the part that it names, and that
// the parts before allow.
func requireFirstDenial(t *testing.T, parts []*permissions.Policy, d permissions.Decision, action permissions.Permission, target permissions.Target) {
	t.Helper()
	if parts == nil {
		if d.Part != 0 {
			require.Failf(t, "no part", "%v", d)
		}
		return
	}
	if d.Part < 1 || d.Part > len(parts) {
		require.Failf(t, "no such part", "%v", d)
	}
	for i, part := range parts[:d.Part] {
		want := part.Decide(action, target)
		allowed := want.Allowed
		want.Part = d.Part
		if i < d.Part-1 && !allowed || i == d.Part-1 && d != want {
			require.Failf(t, "another part decides", "part %d: %v\ngot %v", i+1, want, d)
		}
	}
	if d.Allowed && d.Part != 1 {
		require.Failf(t, "not the first part", "%v", d)
	}
}

func TestIntersectFew(t *testing.T) {
	_, err := permissions.Intersect()
	require.EqualError(t, err, "permissions: Intersect: no policies, of which nobody knows what they allow; pass one or more")

	policy := permissions.MustParse(`{"integration:*":["events"]}`)
	unrestricted := permissions.Unrestricted()
	for _, one := range []*permissions.Policy{
		intersect(t, policy), intersect(t, policy, unrestricted), intersect(t, unrestricted, policy, unrestricted), intersect(t, intersect(t, policy)),
	} {
		require.Nil(t, one.Parts())
		data, err := one.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, `{"integration:*":["events"]}`, string(data))
		require.Equal(t, policy.Decide(permissions.Events, permissions.Target{}), one.Decide(permissions.Events, permissions.Target{}))
	}
	require.True(t, intersect(t, unrestricted).IsUnrestricted())
	require.True(t, intersect(t, unrestricted, unrestricted).IsUnrestricted())
	require.False(t, intersect(t, policy, policy).IsUnrestricted())

	for _, none := range []*permissions.Policy{
		intersect(t, nil), intersect(t, new(permissions.Policy)), intersect(t, unrestricted, nil), intersect(t, unrestricted, new(permissions.Policy), unrestricted),
	} {
		require.NotNil(t, none)
		require.Equal(t, permissions.Decision{Reason: permissions.NoPolicy}, none.Decide(permissions.Events, permissions.Target{}))
		require.False(t, none.Visible(permissions.Target{}))
	}
	for i, none := range []*permissions.Policy{intersect(t, nil, policy), intersect(t, policy, nil), intersect(t, policy, policy, new(permissions.Policy))} {
		require.Equal(t, permissions.Decision{Reason: permissions.NoPolicy, Part: i + 1}, none.Decide(permissions.Events, permissions.Target{}))
		require.False(t, none.Visible(permissions.Target{}))
		require.True(t, none.Permissions(permissions.Target{}).IsEmpty())
	}
}

func TestIntersectNamesThePart(t *testing.T) {
	token := permissions.MustParse(`{"integration:*":true}`)
	role := permissions.MustParse(`{"integration:slack":{"credential:ext:acme":["events"]},"credential:*":["proxy-api"]}`)
	both := intersect(t, token, role)
	target := permissions.Target{Integration: "slack", CredentialID: "x", CredentialExternalID: "acme"}

	d := both.Decide(permissions.ProxyAPI, target)
	require.Equal(t, "denied: part 2: integration:slack/credential:ext:acme grants events", d.String())
	require.Equal(t, "/integration:slack/credential:ext:acme", d.Rule.Pointer())
	require.Equal(t, "[allowed=false reason=not granted part=2 rule=integration:slack/credential:ext:acme]", d.LogValue().String())
	err := both.Check(permissions.ProxyAPI, target)
	require.ErrorIs(t, err, permissions.ErrDenied)
	require.EqualError(t, err, `permissions: "proxy-api" on integration "slack", credential external ID "acme", credential ID "x" denied: part 2: integration:slack/credential:ext:acme grants events`)

	d = both.Decide(permissions.Events, target)
	require.Equal(t, "allowed: part 1: integration:* grants all", d.String())

	target.CredentialExternalID = ""
	d = both.Decide(permissions.ProxyAPI, target)
	require.Equal(t, permissions.Decision{Reason: permissions.Undetermined, Part: 2, Open: d.Open}, d)
	require.Equal(t, "denied: part 2: it may depend on the credential external ID, which the target leaves open", d.String())

	d = both.Decide("", target)
	require.Equal(t, permissions.Decision{Reason: permissions.InvalidQuestion}, d)
	require.ErrorIs(t, both.Check(permissions.Events, permissions.Target{CredentialID: "x"}), permissions.ErrTarget)
	require.False(t, both.Visible(permissions.Target{CredentialID: "x"}))
	require.True(t, both.Permissions(permissions.Target{CredentialID: "x"}).IsEmpty())

	// Explain says the same, and has a section for each part.
	e := both.Explain(permissions.ProxyAPI, target)
	require.Equal(t, both.Decide(permissions.ProxyAPI, target), e.Decision)
}

// TestIntersectVisibleCreation is about what SPEC 4.3 asks one level below: what an
// integration grants of it is not allowed anywhere.
func TestIntersectVisibleCreation(t *testing.T) {
	all := permissions.MustParse(`{"integration:*":true}`)
	for _, test := range []struct {
		claim  string
		target permissions.Target
	}{
		{`{"integration:slack":["credential:write"],"credential:*":[]}`, permissions.Target{Integration: "slack"}},
		{`{"credential:x":["config:write"],"configuration:*":[]}`, permissions.Target{Integration: "slack", CredentialID: "x"}},
	} {
		one := permissions.MustParse(test.claim)
		require.False(t, one.Visible(test.target))
		require.False(t, intersect(t, all, one).Visible(test.target))
		require.False(t, intersect(t, one, all).Visible(permissions.Target{}))
		require.True(t, intersect(t, all, all).Visible(test.target))
	}
}

func TestIntersectRules(t *testing.T) {
	both := intersect(t, permissions.MustParse(`{"integration:a":true,"integration:b":{}}`), permissions.MustParse(`{"integration:c":{"credential:x":true}}`), nil)
	var rules, maps []string
	for r := range both.Rules() {
		rules = append(rules, r.String())
	}
	require.Equal(t, []string{"integration:a", "integration:c/credential:x"}, rules)
	for pointer := range both.NestedMaps() {
		maps = append(maps, pointer)
	}
	require.Equal(t, []string{"/integration:b", "/integration:c"}, maps)
	for range both.Rules() {
		break
	}
	for range both.NestedMaps() {
		break
	}
	for range (*permissions.Policy)(nil).NestedMaps() {
		t.Error("nil has a map")
	}
	require.Len(t, both.Parts(), 3)
	require.False(t, both.Parts()[2].Allowed(permissions.Events, permissions.Target{}))

	_, err := both.MarshalJSON()
	require.EqualError(t, err, "permissions: an intersection of policies has no claim; encode its parts, or build one policy")
	_, err = json.Marshal(permissions.Claims{Policy: both})
	require.ErrorContains(t, err, "an intersection of policies has no claim")

	// Decoding into an intersection replaces it.
	p := *both
	require.NoError(t, json.Unmarshal([]byte(`{"integration:*":true}`), &p))
	require.Nil(t, p.Parts())
	require.True(t, p.Allowed(permissions.Events, permissions.Target{}))
}

func TestIntersectHooks(t *testing.T) {
	forbidden := func(permissions.Permission, permissions.Target, permissions.Decision) {
		t.Error("the hook of a part was called")
	}
	part := permissions.MustParse(`{"integration:*":true}`).Observe(forbidden)
	intersect(t, part).Allowed(permissions.Events, permissions.Target{})
	both := intersect(t, part, permissions.MustParse(`{}`).Observe(forbidden))
	both.Allowed(permissions.Events, permissions.Target{})
	for _, p := range both.Parts() {
		p.Allowed(permissions.Events, permissions.Target{})
	}

	var seen []permissions.Decision
	observed := both.Observe(func(_ permissions.Permission, _ permissions.Target, d permissions.Decision) { seen = append(seen, d) })
	d := observed.Decide(permissions.Events, permissions.Target{})
	require.Equal(t, permissions.Decision{Reason: permissions.NoRule, Part: 2}, d)
	require.Equal(t, []permissions.Decision{d}, seen)
	// An observed intersection is one like any other.
	require.Len(t, intersect(t, observed, part).Parts(), 3)
}

func TestIntersectDeclared(t *testing.T) {
	declare := func(prefix string, n int) permissions.Option {
		var names []permissions.Permission
		for i := range n {
			names = append(names, permissions.Permission(fmt.Sprint(prefix, i)))
		}
		return permissions.WithPermissions(names...)
	}
	a := permissions.MustParse(`{"integration:*":["x0","x26"]}`, declare("x", 27))
	b := permissions.MustParse(`{"integration:*":true,"integration:slack":["y26"]}`, declare("y", 27))
	both := intersect(t, a, b)
	require.Equal(t, "x0, x26", both.Permissions(permissions.Target{}).String())
	require.Equal(t, "none", both.Permissions(permissions.Target{Integration: "slack"}).String())
	require.Equal(t, "y26", intersect(t, permissions.MustParse(`{"integration:*":true}`), b).Permissions(permissions.Target{Integration: "slack"}).String())

	// All of what nobody declared is allowed by both, but not what one declared.
	c := permissions.MustParse(`{"integration:*":true,"credential:*":[]}`, declare("z", 1))
	require.Equal(t, "all but credential:write", intersect(t, b, c).Permissions(permissions.Target{Integration: "jira"}).String())

	_, err := permissions.Intersect(a, permissions.MustParse(`{}`, declare("y", 28)))
	require.EqualError(t, err, "permissions: Intersect: the policies declare more than 54 permissions together; declare the same ones with WithPermissions for all")
	_, err = permissions.Intersect(a, permissions.MustParse(`{}`, declare("x", 54)))
	require.NoError(t, err)
}

func TestIntersectAllocatesNothing(t *testing.T) {
	both := intersect(t, permissions.MustParse(`{"integration:*":true}`), permissions.MustParse(`{"credential:*":["events"]}`))
	target := permissions.Target{Integration: "slack", CredentialID: aUUID, CredentialExternalID: permissions.None}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if !both.Allowed(permissions.Events, target) || both.Decide(permissions.ProxyAPI, target).Allowed {
			t.Error("wrong")
		}
	}))
}

// A service has a ceiling of its own for a role, above whatever the token says.
func ExampleIntersect() {
	token := permissions.MustParse(`{"integration:*": true}`)
	ceiling := permissions.MustParse(`{"integration:*": ["events"], "integration:slack": ["events", "proxy-api"]}`)
	policy, err := permissions.Intersect(token, ceiling)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(policy.Decide(permissions.Events, permissions.Target{}))
	fmt.Println(policy.Decide(permissions.Workflows, permissions.Target{Integration: "slack"}))
	// Output:
	// allowed: part 1: integration:* grants all
	// denied: part 2: integration:slack grants proxy-api, events
}
