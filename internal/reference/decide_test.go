package reference_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/reference"
)

// SPEC 7.2: a nil and a zero policy deny everything.
func TestNoPolicy(t *testing.T) {
	for name, policy := range map[string]*reference.Policy{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			for _, target := range []reference.Target{
				user, in("slack"), in("slack", level(unknown, unknown)), in("slack", level(absent, absent)),
			} {
				assert.Equal(t, reference.Decision{}, policy.Decide("events", target))
				assert.Empty(t, policy.Permissions(target))
				assert.False(t, policy.Visible(target))
				assert.Empty(t, policy.DenyingUnknowns("events", target))
			}
			assert.Equal(t, reference.Decision{}, policy.Decide("config:write", in("slack")))
			assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("", user))
			assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("other", user))
			assert.Empty(t, policy.Rules())
			assert.False(t, policy.IsUnrestricted())
		})
	}
}

// SPEC 1.7.
func TestUnrestricted(t *testing.T) {
	policy := reference.Unrestricted("reports", "events", "reports", `a\`)
	assert.True(t, policy.IsUnrestricted())
	assert.False(t, parse(t, `{"integration:*": true}`, reference.Options{}).IsUnrestricted())
	assert.Empty(t, policy.Rules())
	for _, target := range []reference.Target{
		user, in("slack"), in("slack", level(unknown, unknown), level(unknown, unknown)),
	} {
		assert.Equal(t, reference.Decision{Allowed: true}, policy.Decide("events", target))
		assert.Equal(t, reference.Decision{Allowed: true}, policy.Decide("reports", target))
		assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("other", target))
		assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide(`a\`, target))
		assert.True(t, policy.Visible(target))
		assert.Nil(t, policy.DenyingUnknowns("events", target))
	}
	assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("proxy-api", user), "SPEC 3.3 holds")
	assert.Equal(t, []string{"metadata:read", "metadata:write", "events", "actionkit", "reports"},
		policy.Permissions(user))
	assert.Len(t, policy.Permissions(in("slack")), 11)
}

// SPEC 1.4, 1.5, 1.9, 3.3.
func TestPermissions(t *testing.T) {
	policy := parse(t, `{"integration:*": true, "integration:slack": ["metadata:write", "settings:read"]}`,
		reference.Options{Extra: []string{"b", "a"}})
	assert.Equal(t, []string{"metadata:read", "metadata:write", "events", "actionkit", "b", "a"},
		policy.Permissions(user))
	assert.Equal(t, []string{
		"credential:write", "config:write", "settings:read", "settings:write", "metadata:read", "metadata:write",
		"proxy-api", "events", "workflows", "actionkit", "b", "a",
	}, policy.Permissions(in("jira")))
	assert.Equal(t, []string{"settings:read", "metadata:read", "metadata:write"}, policy.Permissions(in("slack")))
	assert.Empty(t, policy.Permissions(in("*")), "an invalid target")

	policy = parse(t, `{"integration:*": true, "credential:ext:x": false}`, reference.Options{})
	assert.Equal(t, []string{"metadata:read", "metadata:write", "events"}, policy.Permissions(in("slack")),
		"what acts on a credential is undetermined")
}

// SPEC 2.5, 1.6: IDs compare without regard to letter case, and everything else by bytes.
func TestLetterCase(t *testing.T) {
	policy := parse(t, `{"credential:<CAPITAL A>": true, "credential:ext:<A>": ["events"], "integration:<A>": true}`,
		reference.Options{})
	for name, c := range map[string]struct {
		target  reference.Target
		allowed bool
	}{
		"an ID as it is shown":               {in("slack", level(known(idA), unknown)), true},
		"an ID in capitals":                  {in("slack", level(known(capitalA), unknown)), true},
		"an external ID as the rule has it":  {in("slack", level(absent, known(idA))), true},
		"an external ID in capitals":         {in("slack", level(absent, known(capitalA))), false},
		"an integration as the rule has it":  {in(idA), true},
		"an integration in capitals":         {in(capitalA), false},
		"an external ID that is a rule's ID": {in("slack", level(known(idB), known(idA))), true},
		"an ID that is a rule's external ID": {in("slack", level(known(idA), known(idB))), true},
		"an external ID that no rule has":    {in("slack", level(absent, known(idB))), false},
		"a credential with nothing at all":   {in(idA, level(absent, absent)), true},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.allowed, policy.Decide("events", c.target).Allowed)
		})
	}
	assert.False(t, policy.Decide("proxy-api", in("slack", level(known(idB), known(idA)))).Allowed,
		"the external ID's rule decides")
}

// SPEC 4.4, 4.5: which rule decides does not depend on the order of the text.
func TestOrderOfRules(t *testing.T) {
	a := parse(t, `{"integration:*": true, "integration:slack": false, "credential:*": true}`, reference.Options{})
	b := parse(t, `{"credential:*": true, "integration:slack": false, "integration:*": true}`, reference.Options{})
	for name, c := range map[string]struct {
		target reference.Target
		rule   string
	}{
		"the user":            {user, "integration:*"},
		"slack":               {in("slack"), "integration:slack"},
		"another integration": {in("jira"), "integration:*"},
		"a credential":        {in("slack", level(absent, absent)), "integration:* credential:*"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, policy := range []*reference.Policy{a, b} {
				decision := policy.Decide("events", c.target)
				require.NotNil(t, decision.Rule)
				assert.Equal(t, c.rule, strings.Join(decision.Rule.Path, " "))
			}
		})
	}
}

// SPEC 4.5: of any two rules that apply to one configuration, the one that comes first here decides.
func TestSpecificity(t *testing.T) {
	integrations := []string{"integration:slack", "integration:*"}
	credentials := []string{"credential:<A>", "credential:ext:c", "credential:*"}
	configurations := []string{"configuration:<B>", "configuration:ext:d", "configuration:*"}
	var paths [][]string
	for _, configuration := range configurations {
		for _, credential := range credentials {
			for _, integration := range integrations {
				paths = append(paths, []string{integration, credential, configuration})
			}
		}
	}
	for _, credential := range credentials {
		for _, integration := range integrations {
			paths = append(paths, []string{integration, credential})
		}
	}
	for _, integration := range integrations {
		paths = append(paths, []string{integration})
	}

	target := in("slack", level(known(idA), known("c")), level(known(idB), known("d")))
	pairs := 0
	for i, more := range paths {
		for _, less := range paths[i+1:] {
			for _, allowed := range []bool{true, false} {
				claim, ok := claimOfTwo(more, allowed, less, !allowed)
				if !ok {
					continue
				}
				decision := parse(t, claim, reference.Options{}).Decide("events", target)
				require.NotNil(t, decision.Rule, claim)
				require.Equal(t, ids(strings.Join(more, " ")), strings.Join(decision.Rule.Path, " "), claim)
				require.Equal(t, allowed, decision.Allowed, claim)
				pairs++
			}
		}
	}
	// There are 26 paths. No claim can have two rules if the key with the grant of one must hold a map for
	// the other: integration:slack beside the 12 paths below it, and slack's credential:<A> or
	// credential:ext:c beside the 3 paths below. Every other pair can be written, because wildcards can be
	// left out.
	const all, impossible = 26 * 25 / 2, 12 + 2*3
	assert.Equal(t, 2*(all-impossible), pairs)
}

// claimOfTwo writes a claim with two rules, if there is one.
func claimOfTwo(a []string, grantA bool, b []string, grantB bool) (string, bool) {
	for _, spellingA := range spellings(a) {
		for _, spellingB := range spellings(b) {
			claim := map[string]any{}
			if insert(claim, spellingA, grantA) && insert(claim, spellingB, grantB) {
				text, err := json.Marshal(claim)
				return string(text), err == nil
			}
		}
	}
	return "", false
}

// spellings returns a path as it is, and without its wildcards above the last level (SPEC 2.7).
func spellings(path []string) [][]string {
	last := len(path) - 1
	var short []string
	for _, scope := range path[:last] {
		if !strings.HasSuffix(scope, ":*") {
			short = append(short, scope)
		}
	}
	return [][]string{path, append(short, path[last])}
}

// insert adds a rule to a claim. It returns false if the claim has something else at a key of the path.
func insert(scopes map[string]any, path []string, grant bool) bool {
	key := ids(path[0])
	value, found := scopes[key]
	if len(path) == 1 {
		scopes[key] = grant
		return !found
	}
	if !found {
		value = map[string]any{}
		scopes[key] = value
	}
	inner, isMap := value.(map[string]any)
	return isMap && insert(inner, path[1:], grant)
}

// SPEC 3.3, 4.3: what each action is about when it is asked of less. The claim grants everything, except
// on the scope of each case; so a rule about something below denies or makes the question undetermined.
func TestMissingLevels(t *testing.T) {
	slack, aCredential := in("slack"), in("slack", level(known(idA), absent))
	const (
		yes          = "yes"
		no           = "no"
		undetermined = "undetermined"
	)
	actions := []string{"events", "metadata:read", "metadata:write", "actionkit", "proxy-api", "credential:write",
		"settings:read", "settings:write", "workflows", "config:write", "reports"}
	for _, c := range []struct {
		name   string
		denied string
		target reference.Target
		want   map[string]string // what is not here is a yes
	}{
		{"every credential, of the user", "credential:*", user, map[string]string{
			"proxy-api": "invalid", "credential:write": "invalid", "settings:read": "invalid", "settings:write": "invalid",
			"workflows": "invalid", "config:write": "invalid"}},
		{"every credential, of an integration", "credential:*", slack, map[string]string{
			"actionkit": no, "proxy-api": no, "credential:write": no, "settings:read": no, "settings:write": no,
			"workflows": no, "config:write": no}},
		{"a credential ID, of an integration", "credential:<B>", slack, map[string]string{
			"actionkit": undetermined, "proxy-api": undetermined, "settings:read": undetermined, "settings:write": undetermined,
			"workflows": undetermined, "config:write": undetermined}},
		{"a credential external ID, of an integration", "credential:ext:x", slack, map[string]string{
			"actionkit": undetermined, "proxy-api": undetermined, "credential:write": undetermined,
			"settings:read": undetermined, "settings:write": undetermined, "workflows": undetermined,
			"config:write": undetermined}},
		{"every configuration, of an integration", "configuration:*", slack, map[string]string{
			"settings:read": no, "settings:write": no, "workflows": no, "config:write": no}},
		{"a configuration ID, of an integration", "configuration:<B>", slack, map[string]string{
			"settings:read": undetermined, "settings:write": undetermined, "workflows": undetermined}},
		{"a configuration external ID, of an integration", "configuration:ext:x", slack, map[string]string{
			"settings:read": undetermined, "settings:write": undetermined, "workflows": undetermined,
			"config:write": undetermined}},
		{"every configuration, of a credential", "configuration:*", aCredential, map[string]string{
			"settings:read": no, "settings:write": no, "workflows": no, "config:write": no}},
		{"a configuration ID, of a credential", "configuration:<B>", aCredential, map[string]string{
			"settings:read": undetermined, "settings:write": undetermined, "workflows": undetermined}},
		{"a configuration external ID, of a credential", "configuration:ext:x", aCredential, map[string]string{
			"settings:read": undetermined, "settings:write": undetermined, "workflows": undetermined,
			"config:write": undetermined}},
		{"every credential, of a credential", "credential:*", aCredential, map[string]string{
			"events": no, "metadata:read": no, "metadata:write": no, "actionkit": no, "proxy-api": no, "credential:write": no,
			"settings:read": no, "settings:write": no, "workflows": no, "config:write": no, "reports": no}},
		{"a configuration ID, of another configuration", "configuration:<B>",
			in("slack", level(absent, absent), level(known(idC), unknown)), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := parse(t, `{"integration:*": true, "`+c.denied+`": false}`, reference.Options{Extra: []string{"reports"}})
			for _, action := range actions {
				got := yes
				switch decision := policy.Decide(action, c.target); {
				case decision.Invalid:
					got = "invalid"
				case decision.Undetermined:
					got = undetermined
				case !decision.Allowed:
					got = no
				}
				want := c.want[action]
				if want == "" {
					want = yes
				}
				assert.Equal(t, want, got, action)
			}
		})
	}
}

// SPEC 4.7: both levels are unknown, and only a pair of identifiers denies.
func TestUndeterminedByAPair(t *testing.T) {
	policy := parse(t, `{
		"integration:*": true,
		"credential:<A>": {"configuration:ext:x": false},
		"configuration:<B>": true
	}`, reference.Options{})
	decide := func(credential, configuration *reference.Level) reference.Decision {
		return policy.Decide("events", in("slack", credential, configuration))
	}
	acme := level(unknown, known("acme"))

	pair := []string{"credential ID", "configuration external ID"}
	assert.Equal(t, reference.Decision{Undetermined: true, Unknown: pair}, decide(acme, level(known(idC), unknown)))
	assert.Equal(t, reference.Decision{Undetermined: true, Unknown: []string{"configuration external ID"}},
		decide(level(known(idA), unknown), level(known(idC), unknown)), "the credential's ID is known")

	decision := decide(acme, level(known(idB), unknown))
	assert.True(t, decision.Allowed, "an ID is more specific than an external ID")
	require.NotNil(t, decision.Rule)
	assert.Equal(t, "/configuration:"+idB, decision.Rule.Pointer)

	assert.True(t, decide(level(absent, known("acme")), level(known(idC), unknown)).Allowed, "one of the pair is absent")
	assert.True(t, decide(level(known(idC), known("acme")), level(known(idC), unknown)).Allowed,
		"one of the pair is another")
	assert.True(t, decide(acme, level(known(idC), absent)).Allowed, "the other of the pair is absent")
	assert.False(t, decide(level(known(idA), absent), level(absent, known("x"))).Allowed, "both are known")
	assert.True(t, policy.Visible(in("slack", acme, level(known(idC), unknown))), "unknown counts as absent (SPEC 5.1)")
}

// SPEC 4.7: a no by 4.6 is a no with its rule, even where learning more would make it a yes.
func TestDenialsAreDetermined(t *testing.T) {
	policy := parse(t, `{"integration:*": false, "credential:<A>": true, "integration:jira": {"credential:ext:x": true}}`,
		reference.Options{})
	for name, target := range map[string]reference.Target{
		"an unknown ID could be allowed":          in("slack", level(unknown, known("acme"))),
		"an unknown external ID could be allowed": in("jira", level(known(idB), unknown)),
		"everything is unknown":                   in("jira", level(unknown, unknown)),
		"the level is missing":                    in("jira"),
	} {
		t.Run(name, func(t *testing.T) {
			decision := policy.Decide("proxy-api", target)
			require.NotNil(t, decision.Rule)
			assert.Equal(t, reference.Decision{Rule: decision.Rule}, decision)
			assert.Equal(t, "/integration:*", decision.Rule.Pointer)
			assert.Nil(t, policy.DenyingUnknowns("proxy-api", target))
		})
	}
	policy = parse(t, `{"credential:<A>": true}`, reference.Options{})
	assert.Equal(t, reference.Decision{}, policy.Decide("proxy-api", in("slack")), "no rule applies")
}

// SPEC 4.7: the answer names the unknown identifiers of one denying rule, and the order is that of the text.
func TestDenyingUnknowns(t *testing.T) {
	policy := parse(t, `{
		"integration:*": true,
		"credential:<A>": false,
		"integration:jira": {"credential:ext:jira": false},
		"integration:slack": {
			"credential:ext:x": {"configuration:<B>": false, "configuration:ext:y": ["workflows"]},
			"configuration:ext:z": false
		},
		"configuration:<C>": true
	}`, reference.Options{})
	const credentialID, credentialExternalID = "credential ID", "credential external ID"
	const configurationID, configurationExternalID = "configuration ID", "configuration external ID"
	for _, c := range []struct {
		name, action string
		target       reference.Target
		want         [][]string
	}{
		{"everything unknown", "events", in("slack", level(unknown, unknown), level(unknown, unknown)),
			[][]string{{credentialID}, {credentialExternalID, configurationID}, {credentialExternalID, configurationExternalID},
				{configurationExternalID}}},
		{"a rule grants the action", "workflows", in("slack", level(unknown, unknown), level(unknown, unknown)),
			[][]string{{credentialID}, {credentialExternalID, configurationID}, {configurationExternalID}}},
		{"levels that 4.3 adds", "workflows", in("slack"),
			[][]string{{credentialID}, {credentialExternalID, configurationID}, {configurationExternalID}}},
		{"a new configuration has no ID", "config:write", in("slack"),
			[][]string{{credentialID}, {credentialExternalID, configurationExternalID}, {configurationExternalID}}},
		{"a new credential has no ID", "credential:write", in("jira"), [][]string{{credentialExternalID}}},
		{"a credential", "proxy-api", in("jira"), [][]string{{credentialID}, {credentialExternalID}}},
		{"what is known does not count", "events", in("slack", level(absent, known("x")), level(unknown, absent)),
			[][]string{{configurationID}}},
		{"a more specific rule decides", "events", in("slack", level(unknown, absent), level(known(idC), absent)), nil},
		{"denied", "events", in("slack", level(known(idA), absent)), nil},
		{"invalid", "proxy-api", user, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, policy.DenyingUnknowns(c.action, c.target))
			decision := policy.Decide(c.action, c.target)
			assert.Equal(t, c.want != nil, decision.Undetermined)
			if c.want != nil {
				assert.Equal(t, reference.Decision{Undetermined: true, Unknown: c.want[0]}, decision)
			}
		})
	}
}

// A question with four unknown identifiers is answered although there are 25 million combinations of the
// names that the rules use.
func TestManyNames(t *testing.T) {
	var members []string
	for i := range 70 {
		id := fmt.Sprintf("%08x-0000-4000-8000-000000000000", i)
		members = append(members, fmt.Sprintf(`"credential:%s": {"configuration:%s": true}`, id, id),
			fmt.Sprintf(`"credential:ext:%d": {"configuration:ext:%d": true}`, i, i))
	}
	claim := `"integration:*": true, ` + strings.Join(members, ",")
	target := in("slack", level(unknown, unknown), level(unknown, unknown))

	policy := parse(t, `{`+claim+`}`, reference.Options{})
	assert.True(t, policy.Decide("events", target).Allowed)

	policy = parse(t, `{`+claim+`, "integration:slack": {"credential:<A>": {"configuration:ext:69": false}}}`,
		reference.Options{})
	pair := []string{"credential ID", "configuration external ID"}
	assert.Equal(t, reference.Decision{Undetermined: true, Unknown: pair}, policy.Decide("events", target))
}
