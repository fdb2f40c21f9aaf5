package permissions_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// ErrClaim, ErrQuestion and ErrDenied do not match each other. The kinds of mistake match ErrClaim and themselves.
func TestErrorTree(t *testing.T) {
	roots := []error{permissions.ErrClaim, permissions.ErrQuestion, permissions.ErrDenied}
	all := append([]error{}, roots...)
	for _, kind := range kindsOfMistake {
		all = append(all, kind)
	}
	for i, a := range all {
		for j, b := range all {
			matches := i == j || i >= len(roots) && b == permissions.ErrClaim
			require.Equal(t, matches, errors.Is(a, b), "%v is %v", a, b)
		}
	}
	for err, text := range map[error]string{
		permissions.ErrClaim:             "permissions claim refused",
		permissions.ErrQuestion:          "invalid question",
		permissions.ErrDenied:            "denied",
		permissions.ErrSyntax:            "permissions claim refused: syntax",
		permissions.ErrType:              "permissions claim refused: type",
		permissions.ErrScope:             "permissions claim refused: scope",
		permissions.ErrNesting:           "permissions claim refused: nesting",
		permissions.ErrDuplicate:         "permissions claim refused: duplicate",
		permissions.ErrUnknownPermission: "permissions claim refused: permission",
	} {
		require.EqualError(t, err, text)
	}
}

// Each of these errors matches one root, and its message is one line. An invalid question is denied, so
// its error matches ErrDenied too.
func TestErrorRoots(t *testing.T) {
	_, parse := permissions.Parse(nil)
	_, value := permissions.FromValue(nil)
	_, scope := permissions.ParseScope("")
	_, zeroScope := permissions.Scope{}.MarshalText()
	_, zeroTarget := permissions.Target{}.MarshalJSON()
	var policy permissions.Policy
	var target permissions.Target
	var unmarshalled permissions.Scope
	var builder permissions.Builder
	builder.At().AllowAll()
	_, built := builder.Build()
	for _, test := range []struct {
		name string
		err  error
		root error
	}{
		{"Parse", parse, permissions.ErrClaim},
		{"FromValue", value, permissions.ErrClaim},
		{"ParseScope", scope, permissions.ErrClaim},
		{"Scope.UnmarshalText", unmarshalled.UnmarshalText(nil), permissions.ErrClaim},
		{"Scope.MarshalText", zeroScope, permissions.ErrClaim},
		{"Policy.UnmarshalJSON", policy.UnmarshalJSON(nil), permissions.ErrClaim},
		{"Builder.Build", built, permissions.ErrClaim},
		{"Target.Err", target.Err(), permissions.ErrQuestion},
		{"Target.UnmarshalJSON", target.UnmarshalJSON(nil), permissions.ErrQuestion},
		{"Target.MarshalJSON", zeroTarget, permissions.ErrQuestion},
		{"Check of an invalid target", policy.Check(permissions.Events, target), permissions.ErrQuestion},
		{"Check of an action that is not a permission", policy.Check("", slack), permissions.ErrQuestion},
		{
			"Check of what the user has not", policy.Check(permissions.ProxyAPI, permissions.User()), permissions.ErrQuestion,
		},
		{"Check of a denial", policy.Check(permissions.Events, slack), permissions.ErrDenied},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, root := range []error{permissions.ErrClaim, permissions.ErrQuestion, permissions.ErrDenied} {
				matches := root == test.root || root == permissions.ErrDenied && test.root == permissions.ErrQuestion
				require.Equal(t, matches, errors.Is(test.err, root), "%v", root)
			}
			require.True(t, strings.HasPrefix(test.err.Error(), "permissions: "), "%v", test.err)
			require.NotContains(t, test.err.Error(), "\n")
		})
	}
}

func TestDeniedError(t *testing.T) {
	policy := permissions.MustParse(`{
		"integration:*": ["events"],
		"integration:slack": {"credential:*": false, "credential:` + idA + `": true, "credential:ext:b": ["settings:write"]}
	}`)
	external := permissions.ExternalID("b")
	const onSlack = `"proxy-api" on integration "slack", `
	for _, test := range []struct {
		name    string
		policy  *permissions.Policy
		action  permissions.Permission
		target  permissions.Target
		message string
	}{
		{
			"the user", policy, permissions.ActionKit, permissions.User(),
			`"actionkit" on the user denied: integration:* grants events`,
		},
		{
			"a wildcard", policy, permissions.ProxyAPI, slack.Credential(byB, noExternal),
			onSlack + `credential ID ` + idB + `, no credential external ID denied: ` +
				`integration:"slack"/credential:* grants none`,
		},
		{
			"an external ID", policy, permissions.ProxyAPI, slack.Credential(newID, external),
			onSlack + `no credential ID, credential external ID "b" denied: integration:"slack"/credential:ext:"b" ` +
				`grants settings:read, settings:write`,
		},
		{
			"no rule", permissions.MustParse(`{"credential:ext:b":true}`), permissions.ProxyAPI, slack,
			`"proxy-api" on integration "slack" denied: no rule applies`,
		},
		{
			"undetermined", permissions.MustParse(`{"integration:*":true,"credential:ext:b":false}`), permissions.ProxyAPI,
			slack.Credential(byA),
			onSlack + `credential ID ` + idA + ` denied: it depends on the credential external ID, which was not given`,
		},
		{
			"a part", mustIntersect(permissions.Unrestricted(), policy, policy), permissions.ActionKit, permissions.User(),
			`"actionkit" on the user denied: part 1: integration:* grants events`,
		},
		{"nil", nil, permissions.Events, permissions.User(), `"events" on the user denied: there is no policy`},
		{
			"zero", new(permissions.Policy), permissions.Events, slack,
			`"events" on integration "slack" denied: there is no policy`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.policy.Check(test.action, test.target)
			require.EqualError(t, err, "permissions: "+test.message)
			require.ErrorIs(t, err, permissions.ErrDenied)
			require.NotErrorIs(t, err, permissions.ErrQuestion)
			var denied *permissions.DeniedError
			require.ErrorAs(t, err, &denied)
			require.Equal(t, permissions.DeniedError{
				Action: test.action, Target: test.target, Decision: test.policy.Decide(test.action, test.target),
			}, *denied)
			require.False(t, denied.Decision.Allowed)
		})
	}
}

func TestQuestionErrorMessage(t *testing.T) {
	for _, test := range []struct {
		err     permissions.QuestionError
		message string
	}{
		{permissions.QuestionError{Field: "action", Problem: "is empty"}, "action is empty"},
		{permissions.QuestionError{Field: "action", Value: "a\nb", Problem: "is bad"}, `action "a\nb" is bad`},
		{
			permissions.QuestionError{Field: "target", Problem: "is bad", Remedy: "make another"},
			"target is bad; make another",
		},
	} {
		t.Run(test.message, func(t *testing.T) {
			require.EqualError(t, &test.err, "permissions: invalid question: "+test.message)
			require.ErrorIs(t, &test.err, permissions.ErrQuestion)
		})
	}
}

func TestParseErrorMessage(t *testing.T) {
	for _, test := range []struct {
		err     permissions.ParseError
		message string
	}{
		{
			permissions.ParseError{Kind: permissions.ErrSyntax, Offset: 7, Problem: "is bad"},
			"permissions: claim (byte 7): is bad",
		},
		{
			permissions.ParseError{Kind: permissions.ErrSyntax, Offset: 0, Problem: "is bad"},
			"permissions: claim (byte 0): is bad",
		},
		{
			permissions.ParseError{
				Kind: permissions.ErrScope, Pointer: "/a\nb", Offset: -1, Found: `"x"`, Problem: "is bad", Remedy: "do so",
			},
			`permissions: scope at "/a\nb": "x" is bad; do so`,
		},
		{
			permissions.ParseError{Kind: permissions.ErrDuplicate, Pointer: "/a", Offset: 3, Problem: "is bad"},
			`permissions: claim at "/a" (byte 3): is bad`,
		},
	} {
		t.Run(test.message, func(t *testing.T) {
			require.EqualError(t, &test.err, test.message)
			require.ErrorIs(t, &test.err, test.err.Kind)
			require.ErrorIs(t, &test.err, permissions.ErrClaim)
		})
	}
}

// A message repeats little of a long text, and what it repeats ends where a character ends.
func TestErrorsShortenLongTexts(t *testing.T) {
	long := strings.Repeat("é", 20_000)
	_, scope := permissions.ParseScope(long)
	_, odd := permissions.ParseScope("a" + long)
	_, name := permissions.ParseScope("integration:a" + long + "*")
	_, key := permissions.Parse([]byte(`{"` + long + `":true}`))
	_, permission := permissions.Parse([]byte(`{"integration:*":["` + long + `"]}`))
	_, grant := permissions.Parse([]byte(`{"integration:*":"` + long + `"}`))
	_, twice := permissions.Parse([]byte(`{"credential:ext:` + long + `":true,` +
		`"integration:*":{"credential:ext:` + long + `":true}}`))
	_, option := permissions.Parse([]byte(`{}`), permissions.WithPermissions(permissions.Permission(long+`"`)))
	var b permissions.Builder
	b.Integration(long + "*").AllowAll()
	_, built := b.Build()
	var target permissions.Target
	denying := permissions.MustParse(`{"integration:` + long + `":{"credential:ext:` + long + `":` +
		`{"configuration:ext:` + long + `":[]}}}`)
	deepest := permissions.Integration(long).
		Credential(permissions.ExternalID(long)).Configuration(permissions.ExternalID(long))
	for _, test := range []struct {
		name string
		err  error
		most int
	}{
		{"scope", scope, 300},
		{"scope whose cut is inside a character", odd, 300},
		{"name", name, 300},
		{"key", key, 400},
		{"permission", permission, 500},
		{"grant", grant, 500},
		{"path twice", twice, 600},
		{"option", option, 300},
		{"Builder", built, 400},
		{"action", denying.Check(permissions.Permission(long), slack), 500},
		{"target", permissions.Integration(long + "*").Err(), 300},
		{"ID", slack.Credential(permissions.ID(long)).Err(), 300},
		{"JSON", target.UnmarshalJSON([]byte(`{"` + long + `":{}}`)), 400},
		{"denial", denying.Check(permissions.Events, deepest), 900},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Error(t, test.err)
			require.Less(t, len(test.err.Error()), test.most)
			require.Contains(t, test.err.Error(), strings.Repeat("é", 10), "the beginning is shown")
			require.NotContains(t, test.err.Error(), "\ufffd")
			require.NotContains(t, test.err.Error(), `\x`)
		})
	}
	t.Run("the whole action is in the error's field", func(t *testing.T) {
		var question *permissions.QuestionError
		require.ErrorAs(t, denying.Check(permissions.Permission(long), slack), &question)
		require.Equal(t, long, question.Value)
	})
}

// The nearest name is proposed, and only one that is near.
func TestProposals(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":true}`, permissions.WithPermissions("abcd"))
	for action, proposed := range map[permissions.Permission]string{
		"proxyapi":            "proxy-api",
		"PROXY API":           "proxy-api",
		"prox-api":            "proxy-api",
		"proxxy-api":          "proxy-api",
		"proxy-pai":           "proxy-api",
		"workflow":            "workflows",
		"event":               "events",
		"evens":               "events",
		"evants":              "events",
		"xevents":             "events",
		"xxevents":            "events",
		"xxxevents":           "",
		"abcx":                "abcd",
		"abxy":                "",
		"actionKit":           "actionkit",
		"configuration:write": "config:write",
		"config.write":        "config:write",
		"credentials:write":   "credential:write",
		"settings:reed":       "settings:read",
		"setting:write":       "settings:write",
		"metadata:writes":     "metadata:write",
		"ghijkl":              "",
		"proxy":               "",
		"read":                "",
		"ev":                  "",
		"configuration:":      "",

		permissions.Permission(strings.Repeat("x", 65)):                   "",
		permissions.Permission("events" + strings.Repeat("-", 58)):        "events",
		permissions.Permission("events" + strings.Repeat("-", 59)):        "",
		permissions.Permission("events" + strings.Repeat("x", 2)):         "events",
		permissions.Permission("events" + strings.Repeat("\u00e9", 3)):    "",
		permissions.Permission("\u00e9v\u00e9nts"):                        "events",
		permissions.Permission("configuration:" + strings.Repeat("x", 2)): "",
	} {
		t.Run(fmt.Sprintf("%.20q", action), func(t *testing.T) {
			var question *permissions.QuestionError
			require.ErrorAs(t, p.Check(action, slack), &question)
			if proposed == "" {
				require.NotContains(t, question.Remedy, "did you mean")
				return
			}
			require.Equal(t, meant(proposed), question.Remedy)
		})
	}
}

// A name that was meant to exclude a permission must not be corrected to one that grants it.
func TestProposalsDoNotInvert(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":true}`, permissions.WithPermissions("abcd"))
	for action, withheld := range map[permissions.Permission]string{
		"!proxy-api":        "proxy-api",
		" ! proxy-api":      "proxy-api",
		"-events":           "events",
		"^events":           "events",
		"~settings:write":   "settings:write",
		"!proxyapi":         "proxy-api",
		"!abcd":             "abcd",
		"no:events":         "events",
		"no-events":         "events",
		"noevents":          "events",
		"NOT events":        "events",
		"deny-proxy-api":    "proxy-api",
		"except proxy-api":  "proxy-api",
		"without_workflows": "workflows",
		" events":           "",
		"no":                "",
		"nothing":           "",
		"no-events-at-all":  "",
		"!":                 "",
		"!unknown":          "",
	} {
		t.Run(string(action), func(t *testing.T) {
			var question *permissions.QuestionError
			require.ErrorAs(t, p.Check(action, slack), &question)
			want := "a name grants, and never excludes; to withhold " + strconv.Quote(withheld) + ", list the other permissions"
			if withheld != "" {
				require.Equal(t, want, question.Remedy)
			} else {
				require.NotContains(t, question.Remedy, "withhold")
			}
			claim := `{"integration:*":[` + strconv.Quote(string(action)) + `]}`
			_, err := permissions.Parse([]byte(claim), permissions.WithPermissions("abcd"))
			var parse *permissions.ParseError
			require.ErrorAs(t, err, &parse)
			require.Equal(t, question.Remedy, parse.Remedy)
		})
	}
}

// A function can return a typed nil as its error by mistake. Printing and matching it must not panic.
func TestNilErrorsHaveATextAndAKind(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		kind error
	}{
		{"ParseError", (*permissions.ParseError)(nil), permissions.ErrClaim},
		{"QuestionError", (*permissions.QuestionError)(nil), permissions.ErrQuestion},
		{"QuestionError", (*permissions.QuestionError)(nil), permissions.ErrDenied},
		{"DeniedError", (*permissions.DeniedError)(nil), permissions.ErrDenied},
		{"NarrowError", (*permissions.NarrowError)(nil), permissions.ErrNarrow},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, "permissions: a nil *"+test.name, test.err.Error())
			require.ErrorIs(t, test.err, test.kind)
		})
	}
}
