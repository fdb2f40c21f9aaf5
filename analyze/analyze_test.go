package analyze_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

const (
	anID      = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	anotherID = "0b1c2d3e-0000-4000-8000-00000000000a"
)

func TestCovers(t *testing.T) {
	tests := []struct {
		name, outer, inner string
		counterexample     string // "" if it covers
	}{
		{"the same", `{"integration:*":["events"]}`, `{"integration:*":["events"]}`, ""},
		{"nothing", `{}`, `{"integration:slack":[]}`, ""},
		{"everything", `{"integration:*":true}`, `{"credential:x":["events"],"integration:*":true}`, ""},
		{"another permission", `{"integration:*":["events"]}`, `{"integration:*":["events","workflows"]}`, `"workflows" on the user`},
		{"a permission that another includes", `{"integration:*":["settings:write"]}`, `{"integration:*":["settings:read"]}`, ""},
		{
			"permissions that nobody knows",
			`{"integration:*":["credential:write","config:write","settings:write","metadata:write","proxy-api","events","workflows"]}`, `{"integration:*":true}`,
			`"other" on the user`,
		},
		{"an integration that neither names", `{"integration:slack":true}`, `{"credential:*":["events"]}`, `"events" on integration "other", credential external ID none, credential ID "other"`},
		{"a name that is taken", `{"integration:other":true}`, `{"credential:*":["events"]}`, `"events" on integration "other-2", credential external ID none, credential ID "other"`},
		{
			"a more specific rule that denies", `{"integration:*":true,"integration:slack":{"credential:ext:acme":false}}`, `{"credential:` + anID + `":["proxy-api"]}`,
			`"proxy-api" on integration "slack", credential external ID "acme", credential ID "` + anID + `"`,
		},
		{
			// ID over external ID: who names both is allowed by both.
			"a rule that overrides", `{"credential:ext:acme":false,"credential:` + anID + `":true}`, `{"credential:` + anID + `":["proxy-api"]}`, "",
		},
		{"the external ID is not the ID", `{"credential:ext:acme":["events"]}`, `{"credential:acme":["events"]}`, `"events" on integration "other", credential external ID none, credential ID "acme"`},
		{"a UUID in capitals", `{"credential:3FA85F64-5717-4562-B3FC-2C963F66AFA6":["events"]}`, `{"credential:` + anID + `":["events"]}`, ""},
		{
			// Connecting is asked of the integration, and is about a credential in it (SPEC 4.3).
			"connecting", `{"integration:slack":["credential:write"]}`, `{"integration:slack":{"credential:*":["credential:write"]}}`, "",
		},
		{
			"connecting with an external ID", `{"integration:slack":{"credential:*":["credential:write"],"credential:ext:acme":false}}`, `{"integration:slack":["credential:write"]}`,
			`"credential:write" on integration "slack", credential external ID "acme", credential ID "other"`,
		},
		{
			"what asks one level below", `{"integration:slack":["events"]}`, `{"integration:slack":["credential:write"]}`,
			`"credential:write" on integration "slack", credential external ID none, credential ID none`,
		},
		{
			"creating a configuration", `{"credential:*":["config:write"],"configuration:*":[]}`, `{"credential:*":["config:write"]}`,
			`"config:write" on integration "other", credential external ID none, credential ID "other", configuration external ID none, configuration ID "other"`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			outer, inner := permissions.MustParse(test.outer), permissions.MustParse(test.inner)
			ok, q := analyze.Covers(outer, inner)
			require.Equal(t, test.counterexample == "", ok, "%v", q)
			if ok {
				require.Zero(t, q)
				return
			}
			require.Equal(t, test.counterexample, q.String())
			require.NoError(t, inner.Check(q.Action, q.Target))
			require.ErrorIs(t, outer.Check(q.Action, q.Target), permissions.ErrDenied)
		})
	}
}

// TestWithoutRules is about policies that have none.
func TestWithoutRules(t *testing.T) {
	zero, empty, all, unrestricted := new(permissions.Policy), permissions.MustParse(`{}`), permissions.MustParse(`{"integration:*":true}`), permissions.Unrestricted()
	for _, none := range []*permissions.Policy{nil, zero, empty} {
		for _, other := range []*permissions.Policy{nil, zero, empty} {
			ok, _ := analyze.Equal(none, other)
			require.True(t, ok)
			require.Empty(t, analyze.Diff(none, other))
		}
		for _, every := range []*permissions.Policy{all, unrestricted} {
			ok, _ := analyze.Covers(every, none)
			require.True(t, ok)
			ok, q := analyze.Covers(none, every)
			require.False(t, ok)
			require.Equal(t, `"credential:write" on the user`, q.String())
			require.Len(t, analyze.Diff(none, every), 1)
		}
		require.Empty(t, analyze.Lint(none))
	}
	ok, _ := analyze.Equal(all, unrestricted)
	require.True(t, ok)
	require.Empty(t, analyze.Diff(all, unrestricted))
	require.Empty(t, analyze.Lint(unrestricted))
	ok, q := analyze.Covers(permissions.MustParse(`{"integration:*":true,"integration:slack":[]}`), unrestricted)
	require.False(t, ok)
	require.Equal(t, "slack", q.Target.Integration)
}

func TestDiff(t *testing.T) {
	tests := []struct {
		name, before, after string
		changes             []string
	}{
		{"none", `{"integration:*":["events"],"integration:slack":["events"]}`, `{"integration:*":["events"]}`, nil},
		{
			"a grant", `{"integration:*":["events","proxy-api"],"credential:` + anID + `":["workflows"]}`, `{"integration:*":["events","metadata:read"],"credential:` + anID + `":["workflows"]}`,
			[]string{
				"lost: proxy-api on the user; was allowed: integration:* grants proxy-api, events; is denied: integration:* grants metadata:read, events",
				"gained: metadata:read on the user; was denied: integration:* grants proxy-api, events; is allowed: integration:* grants metadata:read, events",
			},
		},
		{
			"a rule", `{"integration:slack":["events"]}`, `{"integration:slack":["events"],"integration:jira":["workflows"]}`,
			[]string{`gained: workflows on integration "jira"; was denied: no rule applies; is allowed: integration:jira grants workflows`},
		},
		{
			"connecting", `{"integration:slack":["events","credential:write"]}`, `{"integration:slack":{"credential:*":["credential:write"]}}`,
			[]string{
				`lost: events on integration "slack"; was allowed: integration:slack grants credential:write, events; is denied: no rule applies`,
				`lost: events on integration "slack", credential external ID none, credential ID "other"; was allowed: integration:slack grants credential:write, events; ` +
					`is denied: integration:slack/credential:* grants credential:write`,
			},
		},
		{
			"no claim", ``, `{"integration:*":["credential:write","config:write","settings:write","metadata:write","proxy-api","events","workflows"]}`,
			[]string{`lost: other on the user; was allowed: the token has no permissions claim; is denied: integration:* grants ` +
				`credential:write, config:write, settings:read, settings:write, metadata:read, metadata:write, proxy-api, events, workflows`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := permissions.Unrestricted()
			if test.before != "" {
				before = permissions.MustParse(test.before)
			}
			var texts []string
			for _, c := range analyze.Diff(before, permissions.MustParse(test.after)) {
				texts = append(texts, c.String())
			}
			require.Equal(t, test.changes, texts)
		})
	}
}

func TestLint(t *testing.T) {
	tests := []struct {
		name, claim string
		findings    []string
	}{
		{"nothing", `{"integration:*":["events"],"integration:slack":false,"credential:` + anID + `":["events","proxy-api"]}`, nil},
		{"narrowing", `{"integration:*":["events","proxy-api"],"integration:slack":["events"]}`, nil},
		{"adding in full", `{"integration:*":["events"],"integration:slack":["events","proxy-api"]}`, nil},
		{"a denial", `{"integration:*":true,"integration:slack":{"credential:` + anID + `":false},"integration:slack2":false}`, []string{
			`"/integration:slack": what is asked of integration:slack itself is answered by integration:*, which grants all; if that is not meant, give "integration:slack" false and the scopes in it to integration:*, which is for all integrations (inherited-answer)`,
		}},
		{"nothing to inherit", `{"integration:slack":{"credential:` + anID + `":["events"]}}`, nil},
		{"nothing granted to inherit", `{"integration:*":[],"integration:slack":{"credential:` + anID + `":["events"]}}`, []string{
			`"/integration:*": removing the rule changes no answer: nothing else applies here, and what no rule allows is denied (redundant-rule)`,
		}},
		{"empty map", `{"integration:*":["events"],"integration:a/b~":{},"credential:` + anID + `":{}}`, []string{
			`"/integration:a~1b~0": the map is empty, which says nothing: less specific rules answer; to deny everything here, write false, and otherwise remove it (empty-map)`,
			`"/credential:` + anID + `": the map is empty, which says nothing: less specific rules answer; to deny everything here, write false, and otherwise remove it (empty-map)`,
		}},
		{"empty map in a map", `{"integration:*":["events"],"integration:a/b~":{"credential:*":{}}}`, []string{
			`"/integration:a~1b~0": what is asked of integration:a/b~ itself is answered by integration:*, which grants events; if that is not meant, give "integration:a/b~" false and the scopes in it to integration:*, which is for all integrations (inherited-answer)`,
			`"/integration:a~1b~0/credential:*": the map is empty, which says nothing: less specific rules answer; to deny everything here, write false, and otherwise remove it (empty-map)`,
		}},
		{"the trap of SPEC 1.3", `{"integration:*":true,"integration:slack":{"credential:` + anID + `":["events"]}}`, []string{
			`"/integration:slack": what is asked of integration:slack itself is answered by integration:*, which grants all; if that is not meant, give "integration:slack" false and the scopes in it to integration:*, which is for all integrations (inherited-answer)`,
			`"/integration:slack/credential:` + anID + `": the rule restricts this credential and no other: integration:* grants all on every other credential; to close those, put "credential:*": false beside it (others-allowed)`,
		}},
		{"its first remedy", `{"integration:*":true,"integration:slack":{"credential:*":false,"credential:` + anID + `":["events"]}}`, []string{
			`"/integration:slack": what is asked of integration:slack itself is answered by integration:*, which grants all; if that is not meant, give "integration:slack" false and the scopes in it to integration:*, which is for all integrations (inherited-answer)`,
		}},
		{"the credential as the wildcard", `{"integration:slack":{"credential:*":["events"],"credential:` + anID + `":["events"],"credential:ext:acme":false}}`, nil},
		{"the wildcard stands there", `{"integration:slack":{"credential:*":["events","proxy-api"],"credential:` + anID + `":["events"]}}`, nil},
		{"the credential overrides another", `{"integration:*":["events"],"credential:ext:acme":[],"credential:` + anID + `":["events"]}`, nil},
		{"a credential adds nothing to itself", `{"credential:` + anID + `":["events"],"integration:slack":{"credential:` + anID + `":["events"]}}`, []string{
			`"/integration:slack/credential:` + anID + `": removing the rule changes no answer: integration:*/credential:` + anID + ` grants the same; remove it, or grant what shall be different here (redundant-rule)`,
		}},
		{"the credential adds nothing", `{"integration:slack":{"credential:*":["events"],"credential:` + anID + `":["events"]}}`, []string{
			`"/integration:slack/credential:` + anID + `": the credential adds nothing to integration:slack/credential:*, which grants the same; remove it, or grant what it shall have beside (redundant-credential)`,
		}},
		{"redundant", `{"integration:*":["events"],"integration:slack":["events"]}`, []string{
			`"/integration:slack": removing the rule changes no answer: integration:* grants the same; remove it, or grant what shall be different here (redundant-rule)`,
		}},
		{"credential ID", `{"credential:acme":["events"],"credential:ext:acme":["workflows"],"credential:` + anotherID + `":["proxy-api"],"configuration:acme":true}`, []string{
			`"/credential:acme": "acme" is no UUID, as credentials have for an ID; if it is an external ID, write "credential:ext:acme" (credential-id)`,
		}},
		{"reads as if it added", `{"integration:*":["events","proxy-api"],"integration:slack":["proxy-api","workflows"]}`, []string{
			`"/integration:slack": the grant replaces that of integration:*, and adds nothing to it: what it drops is events; list that here too, if it shall be allowed (replaces-grant)`,
		}},
		{"never decides", `{"integration:slack":["credential:write","events"],"credential:*":["workflows","credential:write"]}`, []string{
			`"/integration:slack": credential:write never decides here: asked of the integration, it is about a credential in it that has no name yet, and integration:*/credential:* decides that; grant it there (never-decides)`,
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var texts []string
			for _, f := range analyze.Lint(permissions.MustParse(test.claim)) {
				texts = append(texts, f.String())
			}
			require.Equal(t, test.findings, texts)
		})
	}
}

func TestLintIntersection(t *testing.T) {
	p, err := permissions.Intersect(permissions.MustParse(`{"integration:*":true}`), permissions.MustParse(`{"integration:slack":{}}`), nil)
	require.NoError(t, err)
	findings := analyze.Lint(p)
	require.Len(t, findings, 1)
	require.Equal(t, 2, findings[0].Part)
	require.Equal(t, analyze.EmptyMap, findings[0].Code)
	require.Equal(t, `part 2, "/integration:slack": the map is empty, which says nothing: less specific rules answer; `+
		`to deny everything here, write false, and otherwise remove it (empty-map)`, findings[0].String())
}

// TestManyRules is about claims that fill a token.
func TestManyRules(t *testing.T) {
	build := func(n int, grants func(i int) permissions.Permission) *permissions.Policy {
		var b permissions.Builder
		b.AnyIntegration().Allow(permissions.Events)
		for i := range n {
			b.Integration("slack").Credential(fmt.Sprintf("00000000-0000-4000-8000-%012d", i)).Allow(grants(i))
		}
		p, err := b.Policy()
		require.NoError(t, err)
		return p
	}
	same := func(int) permissions.Permission { return permissions.ProxyAPI }
	a := build(400, same)
	b := build(401, same)
	ok, _ := analyze.Covers(b, a)
	require.False(t, ok, "the last allows events in a")
	ok, q := analyze.Covers(a, b)
	require.False(t, ok)
	require.Equal(t, "00000000-0000-4000-8000-000000000400", q.Target.CredentialID)
	require.Len(t, analyze.Diff(a, b), 2)
	ok, _ = analyze.Equal(a, build(400, same))
	require.True(t, ok)
	redundant := build(50, func(int) permissions.Permission { return permissions.Events })
	require.Len(t, analyze.Lint(redundant), 51, "each, and that the integration inherits")
}

// A service that issues tokens refuses to hand on more than its caller has.
func ExampleCovers() {
	caller := permissions.MustParse(`{"integration:*": ["proxy-api"], "integration:slack": {"credential:ext:ceo": false}}`)
	wanted := permissions.MustParse(`{"integration:slack": ["proxy-api"]}`)
	if ok, q := analyze.Covers(caller, wanted); !ok {
		fmt.Println("refused:", q)
		fmt.Println("because the caller is", caller.Decide(q.Action, q.Target))
	}
	// Output:
	// refused: "proxy-api" on integration "slack", credential external ID "ceo", credential ID "other"
	// because the caller is denied: integration:slack/credential:ext:ceo grants none
}

func ExampleDiff() {
	before := permissions.MustParse(`{"integration:*": ["events"], "integration:slack": ["events", "proxy-api"]}`)
	after := permissions.MustParse(`{"integration:*": ["events"], "integration:slack": {"credential:*": ["proxy-api"]}}`)
	for _, c := range analyze.Diff(before, after) {
		fmt.Println(c)
	}
	// Output:
	// lost: proxy-api on integration "slack"; was allowed: integration:slack grants proxy-api, events; is denied: integration:* grants events
	// lost: events on integration "slack", credential external ID none, credential ID "other"; was allowed: integration:slack grants proxy-api, events; is denied: integration:slack/credential:* grants proxy-api
}

func ExampleLint() {
	for _, f := range analyze.Lint(permissions.MustParse(`{"integration:*": ["events"], "integration:slack": ["proxy-api"], "credential:acme": []}`)) {
		fmt.Println(f.Code, f.Pointer)
		fmt.Println("  ", f.Message)
	}
	// Output:
	// replaces-grant /integration:slack
	//    the grant replaces that of integration:*, and adds nothing to it: what it drops is events; list that here too, if it shall be allowed
	// credential-id /credential:acme
	//    "acme" is no UUID, as credentials have for an ID; if it is an external ID, write "credential:ext:acme"
}
