package permissions_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A nil and a zero policy deny everything, and nothing makes them say otherwise.
func TestNoPolicy(t *testing.T) {
	for name, p := range map[string]*permissions.Policy{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			for _, target := range goodTargets {
				require.False(t, p.Allowed(permissions.Events, target))
				require.Equal(t, permissions.Decision{}, p.Decide(permissions.Events, target))
				require.ErrorIs(t, p.Check(permissions.Events, target), permissions.ErrDenied)
				require.False(t, p.Visible(target))
				require.True(t, p.Permissions(target).IsEmpty())
			}
			require.Empty(t, slices.Collect(p.Rules()))
			require.False(t, p.IsUnrestricted())
			data, err := p.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, "{}", string(data))
			require.Equal(t, permissions.NoPolicy, p.Observe(nil).Decide(permissions.Events, user).Reason)
		})
	}
}

// A token without the claim may do everything, whatever it is called.
func TestUnrestricted(t *testing.T) {
	p := permissions.Unrestricted()
	require.True(t, p.IsUnrestricted())
	require.Empty(t, slices.Collect(p.Rules()))
	for _, target := range goodTargets {
		for _, action := range append(slices.Clone(theNine), "other") {
			require.True(t, p.Allowed(action, target))
			require.Equal(t, permissions.Decision{Allowed: true, Reason: permissions.NoClaim}, p.Decide(action, target))
			require.NoError(t, p.Check(action, target))
		}
		require.True(t, p.Visible(target))
		require.True(t, p.Permissions(target).IsAll())
	}
	// To grant everything is not the same as to say nothing.
	all := permissions.MustParse(`{"integration:*":true}`)
	require.False(t, all.IsUnrestricted())
	require.Equal(t, permissions.Granted, all.Decide(permissions.Events, user).Reason)
	data, err := p.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `{"integration:*":true}`, string(data))
}

func TestRules(t *testing.T) {
	p := permissions.MustParse(`{
		"configuration:ext:Team A": false,
		"integration:a/b~c": {"credential:` + upperUUID + `": {"configuration:*": true, "configuration:x": []}, "configuration:ext:y": ["events"]},
		"integration:*": true,
		"credential:ext:z": {}
	}`)
	type rule struct {
		path    []string
		scope   string
		grant   string
		pointer string
		text    string
	}
	var got []rule
	for r := range p.Rules() {
		got = append(got, rule{scopeTexts(r), r.Scope().String(), r.Grant().String(), r.Pointer(), r.String()})
	}
	const credential = "credential:" + uuid
	require.Equal(t, []rule{
		{[]string{"integration:*", "credential:*", "configuration:ext:Team A"}, "configuration:ext:Team A", "none", "/configuration:ext:Team A", "integration:*/credential:*/configuration:ext:Team A"},
		{[]string{"integration:a/b~c", credential, "configuration:*"}, "configuration:*", "all", "/integration:a~1b~0c/credential:" + upperUUID + "/configuration:*", "integration:a/b~c/" + credential + "/configuration:*"},
		{[]string{"integration:a/b~c", credential, "configuration:x"}, "configuration:x", "none", "/integration:a~1b~0c/credential:" + upperUUID + "/configuration:x", "integration:a/b~c/" + credential + "/configuration:x"},
		{[]string{"integration:a/b~c", "credential:*", "configuration:ext:y"}, "configuration:ext:y", "events", "/integration:a~1b~0c/configuration:ext:y", "integration:a/b~c/credential:*/configuration:ext:y"},
		{[]string{"integration:*"}, "integration:*", "all", "/integration:*", "integration:*"},
	}, got)

	// Rules are values: those of a decision are those of the list, and keys of maps.
	rules := slices.Collect(p.Rules())
	require.True(t, p.Decide(permissions.Events, user).Rule == rules[4])
	require.Len(t, map[permissions.Rule]bool{rules[0]: true, rules[1]: true, rules[4]: true, p.Decide(permissions.Events, user).Rule: true}, 3)

	// What is returned is the caller's: changing it changes nothing.
	rules[0].Path()[0] = permissions.MustParseScope("integration:other")
	require.Equal(t, got[0].path, scopeTexts(rules[0]))
	// A loop may end early.
	for r := range p.Rules() {
		require.Equal(t, rules[0], r)
		break
	}
}

func TestZeroRule(t *testing.T) {
	var r permissions.Rule
	require.Nil(t, r.Path())
	require.Equal(t, permissions.Scope{}, r.Scope())
	require.True(t, r.Grant().IsEmpty())
	require.Empty(t, r.Pointer())
	require.Empty(t, r.String())
}

func TestMarshalJSON(t *testing.T) {
	for claim, want := range map[string]string{
		`{}`:                           `{}`,
		` { "integration:*" : true } `: `{"integration:*":true}`,
		`{"integration:*":false}`:      `{"integration:*":[]}`,
		`{"integration:*":["workflows","events","events"]}`:                                                      `{"integration:*":["events","workflows"]}`,
		`{"integration:*":["settings:read","settings:write"]}`:                                                   `{"integration:*":["settings:write"]}`,
		`{"integration:*":["metadata:write","metadata:read"]}`:                                                   `{"integration:*":["metadata:write"]}`,
		`{"integration:*":` + encode(theNine) + `}`:                                                              `{"integration:*":["credential:write","config:write","settings:write","metadata:write","proxy-api","events","workflows"]}`,
		`{"integration:b":true,"integration:a":true,"integration:*":true}`:                                       `{"integration:*":true,"integration:a":true,"integration:b":true}`,
		`{"integration:*":{"credential:*":true}}`:                                                                `{"credential:*":true}`,
		`{"integration:a":{"credential:*":{"configuration:x":true}}}`:                                            `{"integration:a":{"configuration:x":true}}`,
		`{"integration:a":{}}`:                                                                                   `{}`,
		`{"integration:\u00e9\"\\":true}`:                                                                        `{"integration:é\"\\":true}`,
		`{"credential:` + upperUUID + `":true}`:                                                                  `{"credential:` + uuid + `":true}`,
		`{"credential:x":true,"credential:ext:x":true,"credential:*":true,"integration:z":true}`:                 `{"integration:z":true,"credential:*":true,"credential:ext:x":true,"credential:x":true}`,
		`{"integration:a":{"configuration:x":true},"credential:c":{"configuration:x":true},"credential:d":true}`: `{"integration:a":{"configuration:x":true},"credential:c":{"configuration:x":true},"credential:d":true}`,
		// One credential with a grant and with configurations takes a second place.
		`{"integration:*":{"credential:c":{"configuration:x":true}},"credential:c":true}`: `{"integration:*":{"credential:c":{"configuration:x":true}},"credential:c":true}`,
	} {
		t.Run(claim, func(t *testing.T) {
			p := permissions.MustParse(claim)
			data, err := p.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, want, string(data))
			again := permissions.MustParse(want)
			require.Equal(t, ruleTexts(p), ruleTexts(again))
			data, err = again.MarshalJSON()
			require.NoError(t, err)
			require.Equal(t, want, string(data))
		})
	}
	declared := permissions.WithPermissions("actionkit")
	data, err := permissions.MustParse(`{"integration:*":["actionkit","events"]}`, declared).MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `{"integration:*":["events","actionkit"]}`, string(data))
	require.True(t, permissions.MustParse(string(data), declared).Allowed("actionkit", user))
	data, err = permissions.MustParse(`{"integration:*":["nope"]}`, permissions.IgnoreUnknownPermissions()).MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `{"integration:*":[]}`, string(data))
}

// UnmarshalJSON replaces, never merges, and leaves a policy as it was on an error.
func TestUnmarshalJSON(t *testing.T) {
	var p permissions.Policy
	require.NoError(t, p.UnmarshalJSON([]byte(`{"integration:*":true}`)))
	require.True(t, p.Allowed(permissions.Events, user))
	require.NoError(t, p.UnmarshalJSON([]byte(`{"integration:slack":true}`)))
	require.Equal(t, permissions.NoRule, p.Decide(permissions.Events, user).Reason)
	require.True(t, p.Allowed(permissions.Events, target("slack")))
	for _, bad := range []string{"null", "", "[]", `{"integration:*":null}`} {
		require.ErrorIs(t, p.UnmarshalJSON([]byte(bad)), permissions.ErrClaim)
		require.Equal(t, map[string]string{"integration:slack": "all"}, ruleTexts(&p))
	}

	// Nor does it write to what others hold.
	before := p
	unrestricted := permissions.Unrestricted()
	require.NoError(t, p.UnmarshalJSON([]byte(`{}`)))
	require.NoError(t, unrestricted.UnmarshalJSON([]byte(`{}`)))
	require.True(t, before.Allowed(permissions.Events, target("slack")))
	require.True(t, permissions.Unrestricted().Allowed(permissions.Events, user))
	require.Equal(t, permissions.NoRule, unrestricted.Decide(permissions.Events, user).Reason)

	// A null in JSON leaves a policy alone only where there is none: a nil pointer.
	var pointer *permissions.Policy
	require.NoError(t, json.Unmarshal([]byte("null"), &pointer))
	require.Nil(t, pointer)
	require.ErrorIs(t, json.Unmarshal([]byte("null"), &before), permissions.ErrType)
}

func TestPolicyObserve(t *testing.T) {
	type seen struct {
		action   permissions.Permission
		target   permissions.Target
		decision permissions.Decision
	}
	var log []seen
	hook := func(a permissions.Permission, t permissions.Target, d permissions.Decision) {
		log = append(log, seen{a, t, d})
	}
	plain := permissions.MustParse(`{"integration:slack":["events"]}`)
	p := plain.Observe(hook)

	questions := []seen{
		{permissions.Events, target("slack"), plain.Decide(permissions.Events, target("slack"))},
		{permissions.ProxyAPI, target("slack"), plain.Decide(permissions.ProxyAPI, target("slack"))},
		{permissions.Events, user, plain.Decide(permissions.Events, user)},
		{permissions.Events, target("*"), permissions.Decision{Reason: permissions.InvalidQuestion}},
		{"", user, permissions.Decision{Reason: permissions.InvalidQuestion}},
	}
	for _, q := range questions {
		for name, ask := range map[string]func() bool{
			"Allowed": func() bool { return p.Allowed(q.action, q.target) },
			"Check":   func() bool { return p.Check(q.action, q.target) == nil },
			"Decide":  func() bool { return p.Decide(q.action, q.target).Allowed },
		} {
			log = nil
			require.Equal(t, q.decision.Allowed, ask(), name)
			require.Equal(t, []seen{q}, log, name)
		}
	}
	log = nil
	// The one it was made of is not observed, nor is one with another hook by the first.
	plain.Allowed(permissions.Events, user)
	p.Observe(nil).Allowed(permissions.Events, user)
	p.Observe(func(permissions.Permission, permissions.Target, permissions.Decision) {}).Allowed(permissions.Events, user)
	require.Empty(t, log)

	// No policy can be observed too, and still denies.
	var nobody *permissions.Policy
	require.False(t, nobody.Observe(hook).Allowed(permissions.Events, user))
	require.True(t, permissions.Unrestricted().Observe(hook).Allowed(permissions.Events, user))
	require.Equal(t, []seen{
		{permissions.Events, user, permissions.Decision{Reason: permissions.NoPolicy}},
		{permissions.Events, user, permissions.Decision{Allowed: true, Reason: permissions.NoClaim}},
	}, log)
}
