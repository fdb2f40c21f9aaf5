package permissions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

const theNineText = "credential:write, config:write, settings:read, settings:write, metadata:read, metadata:write, proxy-api, events, workflows"

// mistakes are claims that are refused, with all that is said about it.
var mistakes = []struct {
	claim   string
	kind    error
	pointer string
	offset  int
	found   string
	message string
}{
	// type: the claim itself
	{`null`, permissions.ErrType, "", 0, "null", `claim (byte 0): null is no claim; a token that may do everything has no claim, and one that may do nothing has {}`},
	{` true`, permissions.ErrType, "", 1, "true", `claim (byte 1): true is no claim; a claim is an object of scopes, such as {"integration:*":true}`},
	{`false`, permissions.ErrType, "", 0, "false", `claim (byte 0): false is no claim; a claim is an object of scopes, such as {"integration:*":true}`},
	{"\n\t[]", permissions.ErrType, "", 2, "an array", `claim (byte 2): an array is no claim; a claim is an object of scopes, such as {"integration:*":true}`},
	{`-7.5e+1`, permissions.ErrType, "", 0, "a number", `claim (byte 0): a number is no claim; a claim is an object of scopes, such as {"integration:*":true}`},
	{`"{\"integration:*\":true}"`, permissions.ErrType, "", 0, "a string", `claim (byte 0): a string is no claim; emit the object itself, not its JSON text in a string, or accept that with AcceptStringClaim`},
	// type: a grant
	{`{"integration:*":null}`, permissions.ErrType, "/integration:*", 17, "null", `claim at "/integration:*" (byte 17): null is no grant; give it true, false, an array of permissions, or a map of more specific scopes`},
	{`{"integration:*": 1}`, permissions.ErrType, "/integration:*", 18, "a number", `claim at "/integration:*" (byte 18): a number is no grant; give it true, false, an array of permissions, or a map of more specific scopes`},
	{`{"integration:*":"true"}`, permissions.ErrType, "/integration:*", 17, `the string "true"`, `claim at "/integration:*" (byte 17): the string "true" is no grant; did you mean true, without quotes?`},
	{`{"integration:*":"false"}`, permissions.ErrType, "/integration:*", 17, `the string "false"`, `claim at "/integration:*" (byte 17): the string "false" is no grant; did you mean false, without quotes?`},
	{`{"integration:*":"proxy-api"}`, permissions.ErrType, "/integration:*", 17, `the string "proxy-api"`, `claim at "/integration:*" (byte 17): the string "proxy-api" is no grant; did you mean ["proxy-api"], an array?`},
	{`{"integration:a/b~c":3}`, permissions.ErrType, "/integration:a~1b~0c", 21, "a number", `claim at "/integration:a~1b~0c" (byte 21): a number is no grant; give it true, false, an array of permissions, or a map of more specific scopes`},
	{`{"integration:a":{"credential:b":{"configuration:ext:c":null}}}`, permissions.ErrType, "/integration:a/credential:b/configuration:ext:c", 56, "null", `claim at "/integration:a/credential:b/configuration:ext:c" (byte 56): null is no grant; give it true, false, an array of permissions, or a map of more specific scopes`},
	// type: in an array
	{`{"integration:*":["events",1]}`, permissions.ErrType, "/integration:*/1", 27, "a number", `claim at "/integration:*/1" (byte 27): a number is no permission; an array holds the names of permissions`},
	{`{"integration:*":[true]}`, permissions.ErrType, "/integration:*/0", 18, "true", `claim at "/integration:*/0" (byte 18): true is no permission; an array holds the names of permissions`},
	{`{"integration:*":[null]}`, permissions.ErrType, "/integration:*/0", 18, "null", `claim at "/integration:*/0" (byte 18): null is no permission; an array holds the names of permissions`},
	{`{"integration:*":[["events"]]}`, permissions.ErrType, "/integration:*/0", 18, "an array", `claim at "/integration:*/0" (byte 18): an array is no permission; an array holds the names of permissions`},
	{`{"integration:*":[{}]}`, permissions.ErrType, "/integration:*/0", 18, "an object", `claim at "/integration:*/0" (byte 18): an object is no permission; an array holds the names of permissions`},
	// permission
	{`{"integration:*":["proxy_api"]}`, permissions.ErrPermission, "/integration:*/0", 18, `"proxy_api"`, `claim at "/integration:*/0" (byte 18): "proxy_api" is no permission; did you mean "proxy-api"?`},
	{`{"integration:*":["events", "Proxy-API"]}`, permissions.ErrPermission, "/integration:*/1", 28, `"Proxy-API"`, `claim at "/integration:*/1" (byte 28): "Proxy-API" is no permission; did you mean "proxy-api"?`},
	{`{"integration:*":["events "]}`, permissions.ErrPermission, "/integration:*/0", 18, `"events "`, `claim at "/integration:*/0" (byte 18): "events " is no permission; did you mean "events"?`},
	{`{"integration:*":["event"]}`, permissions.ErrPermission, "/integration:*/0", 18, `"event"`, `claim at "/integration:*/0" (byte 18): "event" is no permission; did you mean "events"?`},
	{`{"integration:*":["configuration:write"]}`, permissions.ErrPermission, "/integration:*/0", 18, `"configuration:write"`, `claim at "/integration:*/0" (byte 18): "configuration:write" is no permission; did you mean "config:write"?`},
	{`{"integration:*":["credentials:write"]}`, permissions.ErrPermission, "/integration:*/0", 18, `"credentials:write"`, `claim at "/integration:*/0" (byte 18): "credentials:write" is no permission; did you mean "credential:write"?`},
	{`{"integration:*":["settings.write"]}`, permissions.ErrPermission, "/integration:*/0", 18, `"settings.write"`, `claim at "/integration:*/0" (byte 18): "settings.write" is no permission; did you mean "settings:write"?`},
	{`{"integration:*":["*"]}`, permissions.ErrPermission, "/integration:*/0", 18, `"*"`, `claim at "/integration:*/0" (byte 18): "*" is no permission; to grant everything, give the scope true`},
	{`{"integration:*":[""]}`, permissions.ErrPermission, "/integration:*/0", 18, `""`, `claim at "/integration:*/0" (byte 18): "" is no permission; the permissions are ` + theNineText + `; WithPermissions declares others`},
	{`{"integration:*":["actionkit"]}`, permissions.ErrPermission, "/integration:*/0", 18, `"actionkit"`, `claim at "/integration:*/0" (byte 18): "actionkit" is no permission; the permissions are ` + theNineText + `; WithPermissions declares others`},
	// scope
	{`{"config:*":true}`, permissions.ErrScope, "/config:*", 1, `"config:*"`, `scope at "/config:*" (byte 1): "config:*" is no scope: its kind is unknown; did you mean "configuration:*"?`},
	{`{"Integration:*":true}`, permissions.ErrScope, "/Integration:*", 1, `"Integration:*"`, `scope at "/Integration:*" (byte 1): "Integration:*" is no scope: its kind is unknown; did you mean "integration:*"?`},
	{`{"integration:*":true, "credentials:*":true}`, permissions.ErrScope, "/credentials:*", 23, `"credentials:*"`, `scope at "/credentials:*" (byte 23): "credentials:*" is no scope: its kind is unknown; did you mean "credential:*"?`},
	{`{"integration":true}`, permissions.ErrScope, "/integration", 1, `"integration"`, `scope at "/integration" (byte 1): "integration" is no scope: it has no colon; did you mean "integration:*"?`},
	{`{"integration:slack ":true}`, permissions.ErrScope, "/integration:slack ", 1, `"integration:slack "`, `scope at "/integration:slack " (byte 1): "integration:slack " begins or ends with white space; did you mean "integration:slack"?`},
	{`{"integration:a":{"credential:EXT:x":true}}`, permissions.ErrScope, "/integration:a/credential:EXT:x", 18, `"credential:EXT:x"`, `scope at "/integration:a/credential:EXT:x" (byte 18): "credential:EXT:x" begins with ext, which marks an external ID; did you mean "credential:ext:x"?`},
	{`{"":true}`, permissions.ErrScope, "/", 1, `""`, `scope at "/" (byte 1): "" is no scope: it has no colon; scopes look like integration:NAME, credential:ID or configuration:ext:ID`},
	{`{"credential:\ud800":true}`, permissions.ErrScope, "/credential:\ufffd", 1, "\"credential:\ufffd\"", "scope at \"/credential:\ufffd\" (byte 1): \"credential:\ufffd\" holds U+FFFD, the replacement character"},
	{`{"credential:\ud800xudc00":true}`, permissions.ErrScope, "/credential:\ufffdxudc00", 1, "\"credential:\ufffdxudc00\"", "scope at \"/credential:\ufffdxudc00\" (byte 1): \"credential:\ufffdxudc00\" holds U+FFFD, the replacement character"},
	{`{"credential:\ud800\ndc00":true}`, permissions.ErrScope, "/credential:\ufffd\ndc00", 1, "\"credential:\ufffd\\ndc00\"", "scope at \"/credential:\ufffd\\ndc00\" (byte 1): \"credential:\ufffd\\ndc00\" holds U+FFFD, the replacement character"},
	{"{\"credential:\xff\":true}", permissions.ErrScope, "/credential:\ufffd", 1, "\"credential:\ufffd\"", "scope at \"/credential:\ufffd\" (byte 1): \"credential:\ufffd\" holds U+FFFD, the replacement character"},
	// nesting
	{`{"credential:a":{"credential:b":true}}`, permissions.ErrNesting, "/credential:a/credential:b", 17, `"credential:b"`, `claim at "/credential:a/credential:b" (byte 17): "credential:b" cannot stand inside a credential; only what is more specific can: a credential or configuration in an integration, a configuration in a credential`},
	{`{"configuration:a":{}}`, permissions.ErrNesting, "/configuration:a", 1, `"configuration:a"`, `claim at "/configuration:a" (byte 1): "configuration:a" holds a map, and nothing is more specific than a configuration; give it true, false or an array of permissions`},
	// duplicate
	{`{"integration:*":true,"integration:*":true}`, permissions.ErrDuplicate, "/integration:*", 22, `"integration:*"`, `claim at "/integration:*" (byte 22): "integration:*" stands twice in one object; keep one of them`},
	{`{"integration:a":{},"integration:\u0061":{}}`, permissions.ErrDuplicate, "/integration:a", 20, `"integration:a"`, `claim at "/integration:a" (byte 20): "integration:a" stands twice in one object; keep one of them`},
	{`{"integration:a":true,"integration:a":{}}`, permissions.ErrDuplicate, "/integration:a", 22, `"integration:a"`, `claim at "/integration:a" (byte 22): "integration:a" stands twice in one object; keep one of them`},
	{`{"integration:a":{},"integration:a":true}`, permissions.ErrDuplicate, "/integration:a", 20, `"integration:a"`, `claim at "/integration:a" (byte 20): "integration:a" stands twice in one object; keep one of them`},
	{`{"credential:*":true,"integration:*":{"credential:*":[]}}`, permissions.ErrDuplicate, "/integration:*/credential:*", 38, `"credential:*"`, `claim at "/integration:*/credential:*" (byte 38): "credential:*" is the rule that already stands at "/credential:*"; keep one of them`},
	{`{"credential:` + uuid + `":true,"credential:` + upperUUID + `":true}`, permissions.ErrDuplicate, "/credential:" + upperUUID, 56, `"credential:` + upperUUID + `"`,
		`claim at "/credential:` + upperUUID + `" (byte 56): "credential:` + upperUUID + `" is the rule that already stands at "/credential:` + uuid + `"; keep one of them`},
	// syntax
	{``, permissions.ErrSyntax, "", 0, "", `claim (byte 0): is empty`},
	{` ` + "\n", permissions.ErrSyntax, "", 2, "", `claim (byte 2): is empty`},
	{`{`, permissions.ErrSyntax, "", 1, "", `claim (byte 1): ends where a scope must stand`},
	{`{"a`, permissions.ErrSyntax, "", 3, "", `claim (byte 3): ends in a string`},
	{`{"integration:*"`, permissions.ErrSyntax, "", 16, "", `claim (byte 16): ends where ":" must stand`},
	{`{"integration:*" true}`, permissions.ErrSyntax, "", 17, "", `claim (byte 17): has something else where ":" must stand`},
	{`{"integration:*":`, permissions.ErrSyntax, "", 17, "", `claim (byte 17): ends where a value must stand`},
	{`{"integration:*":tru}`, permissions.ErrSyntax, "", 17, "", `claim (byte 17): has something that is no value`},
	{`{"integration:*":falsy}`, permissions.ErrSyntax, "", 17, "", `claim (byte 17): has something that is no value`},
	{`{"integration:*":nil}`, permissions.ErrSyntax, "", 17, "", `claim (byte 17): has something that is no value`},
	{`{"integration:*":True}`, permissions.ErrSyntax, "", 17, "", `claim (byte 17): has something that is no value`},
	{`{"integration:*":-}`, permissions.ErrSyntax, "", 18, "", `claim (byte 18): has something that is no value`},
	{`{"integration:*":1.}`, permissions.ErrSyntax, "", 19, "", `claim (byte 19): has a number without a digit behind its point`},
	{`{"integration:*":1e+}`, permissions.ErrSyntax, "", 20, "", `claim (byte 20): has a number without a digit in its exponent`},
	{`{"integration:*":true`, permissions.ErrSyntax, "", 21, "", `claim (byte 21): ends where a comma or "}" must stand`},
	{`{"integration:*":true "x":1}`, permissions.ErrSyntax, "", 22, "", `claim (byte 22): has something else where a comma or "}" must stand`},
	{`{"integration:*":true,}`, permissions.ErrSyntax, "", 22, "", `claim (byte 22): has something else where a scope must stand`},
	{`{"integration:*":["events"`, permissions.ErrSyntax, "", 26, "", `claim (byte 26): ends where a comma or "]" must stand`},
	{`{"integration:*":["events" 1]}`, permissions.ErrSyntax, "", 27, "", `claim (byte 27): has something else where a comma or "]" must stand`},
	{`{"integration:*":["ev`, permissions.ErrSyntax, "", 21, "", `claim (byte 21): ends in a string`},
	{`{"integration:*":[x]}`, permissions.ErrSyntax, "", 18, "", `claim (byte 18): has something that is no value`},
	{`{'integration:*':true}`, permissions.ErrSyntax, "", 1, "", `claim (byte 1): has something else where a scope must stand`},
	{`{"integration:\x":1}`, permissions.ErrSyntax, "", 14, "", `claim (byte 14): has an escape in a string that there is none of`},
	{`{"integration:\u12g4":1}`, permissions.ErrSyntax, "", 14, "", `claim (byte 14): has an escape in a string that there is none of`},
	{"{\"integration:\n\":1}", permissions.ErrSyntax, "", 14, "", `claim (byte 14): has a control character in a string`},
	{`{"integration:*":true}{}`, permissions.ErrSyntax, "", 22, "", `claim (byte 22): has more behind its end`},
	{`{"integration:*":true} ` + "\x00", permissions.ErrSyntax, "", 23, "", `claim (byte 23): has more behind its end`},
	{"\ufeff{}", permissions.ErrSyntax, "", 0, "", `claim (byte 0): has something that is no value`},
	{`// all` + "\n{}", permissions.ErrSyntax, "", 0, "", `claim (byte 0): has something that is no value`},
	// The first mistake in the text is the one that is reported (SPEC 6.2).
	{`{"integration:*":null,"integration:*":x`, permissions.ErrType, "/integration:*", 17, "null", `claim at "/integration:*" (byte 17): null is no grant; give it true, false, an array of permissions, or a map of more specific scopes`},
	{`{"integration:*":true,"integration:*":null}`, permissions.ErrDuplicate, "/integration:*", 22, `"integration:*"`, `claim at "/integration:*" (byte 22): "integration:*" stands twice in one object; keep one of them`},
}

func TestParseMistakes(t *testing.T) {
	for _, test := range mistakes {
		t.Run(test.claim, func(t *testing.T) {
			p, err := permissions.Parse([]byte(test.claim))
			require.Nil(t, p)
			require.ErrorIs(t, err, permissions.ErrClaim)
			require.EqualError(t, err, "permissions: "+test.message)
			var parse *permissions.ParseError
			require.ErrorAs(t, err, &parse)
			require.Equal(t, test.kind, parse.Kind)
			require.Equal(t, test.pointer, parse.Pointer)
			require.Equal(t, test.offset, parse.Offset)
			require.Equal(t, test.found, parse.Found)
			for _, kind := range claimKinds {
				require.Equal(t, kind == test.kind, errors.Is(err, kind), "%v", kind)
			}
			require.PanicsWithError(t, err.Error(), func() { permissions.MustParse(test.claim) })

			// What was probably meant is right.
			if meant := didYouMean.FindStringSubmatch(err.Error()); meant != nil {
				text, err := strconv.Unquote(meant[1])
				require.NoError(t, err)
				if test.kind == permissions.ErrPermission {
					require.Contains(t, theNine, permissions.Permission(text))
				} else {
					_, err = permissions.ParseScope(text)
					require.NoError(t, err)
				}
			}
		})
	}
}

var claimKinds = []error{
	permissions.ErrSyntax, permissions.ErrType, permissions.ErrScope, permissions.ErrNesting, permissions.ErrDuplicate, permissions.ErrPermission,
}

// White space is JSON's, and stands where JSON has it.
func TestParseWhiteSpace(t *testing.T) {
	p, err := permissions.Parse([]byte(" \t\r\n{ \"integration:*\" \n:\r [ \"events\" ,\t\"workflows\" ] , \"integration:a\" : { } }\n "))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"integration:*": "events, workflows"}, ruleTexts(p))
	for _, space := range []string{"\v", "\f", "\u00a0", "\u2028", "\x00"} {
		_, err := permissions.Parse([]byte(space + "{}"))
		require.ErrorIs(t, err, permissions.ErrSyntax)
	}
}

// Parse keeps nothing of what it is given.
func TestParseKeepsNothing(t *testing.T) {
	text := []byte(`{"integration:slack":{"credential:` + upperUUID + `":["events"]}}`)
	p, err := permissions.Parse(text)
	require.NoError(t, err)
	for i := range text {
		text[i] = 'x'
	}
	require.True(t, p.Allowed(permissions.Events, target("slack", uuid, none)))
	require.Equal(t, "/integration:slack/credential:"+upperUUID, slices.Collect(p.Rules())[0].Pointer())

	value := map[string]any{"integration:slack": map[string]any{"credential:*": []any{"events"}}}
	p, err = permissions.FromValue(value)
	require.NoError(t, err)
	value["integration:slack"].(map[string]any)["credential:*"].([]any)[0] = "workflows"
	clear(value)
	require.True(t, p.Allowed(permissions.Events, target("slack", uuid, none)))
	require.False(t, p.Allowed(permissions.Workflows, target("slack", uuid, none)))

	names := []permissions.Permission{"a", "b"}
	opt := permissions.WithPermissions(names...)
	names[0] = "c"
	p, err = permissions.Parse([]byte(`{"integration:*":["a"]}`), opt)
	require.NoError(t, err)
	require.True(t, p.Allowed("a", user))
}

// The bound is said, and what is above it is not read: the bytes here are never touched.
func TestParseRefusesWhatIsTooLong(t *testing.T) {
	bytes := make([]byte, 256<<20+1)
	claim := unsafe.String(&bytes[0], len(bytes))
	require.PanicsWithError(t, "permissions: claim (byte 0): is longer than 256 MiB", func() { permissions.MustParse(claim) })
}

func TestParseOptions(t *testing.T) {
	const claim = `{"integration:*":["events","actionkit"]}`
	declare, ignore := permissions.WithPermissions("actionkit"), permissions.IgnoreUnknownPermissions()
	for _, test := range []struct {
		name            string
		opts            []permissions.Option
		refused         bool
		allowsActionkit bool
	}{
		{"none", nil, true, false},
		{"nil", []permissions.Option{nil}, true, false},
		{"declared", []permissions.Option{declare}, false, true},
		{"ignored", []permissions.Option{ignore}, false, false},
		{"both", []permissions.Option{ignore, declare}, false, true},
		{"both, turned round", []permissions.Option{declare, ignore}, false, true},
		{"another declared", []permissions.Option{permissions.WithPermissions("other")}, true, false},
		{"another case", []permissions.Option{permissions.WithPermissions("Actionkit")}, true, false},
		{"one by one", []permissions.Option{permissions.WithPermissions("other"), declare}, false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var value any
			require.NoError(t, json.Unmarshal([]byte(claim), &value))
			p, err := permissions.Parse([]byte(claim), test.opts...)
			q, fromValue := permissions.FromValue(value, test.opts...)
			if test.refused {
				require.ErrorIs(t, err, permissions.ErrPermission)
				require.ErrorIs(t, fromValue, permissions.ErrPermission)
				require.Nil(t, p)
				require.Nil(t, q)
				return
			}
			require.NoError(t, err)
			require.NoError(t, fromValue)
			for _, p := range []*permissions.Policy{p, q, permissions.MustParse(claim, test.opts...)} {
				require.True(t, p.Allowed(permissions.Events, user))
				require.Equal(t, test.allowsActionkit, p.Allowed("actionkit", user))
				require.False(t, p.Allowed("another", user))
			}
		})
	}
}

func TestWithPermissionsRefuses(t *testing.T) {
	for name, message := range map[permissions.Permission]string{
		"":         `permissions: WithPermissions: "" cannot be a permission`,
		"\xff":     `permissions: WithPermissions: "\xff" cannot be a permission`,
		"a\ufffdb": "permissions: WithPermissions: \"a\ufffdb\" cannot be a permission",
	} {
		opt := permissions.WithPermissions("good", name, "better")
		p, err := permissions.Parse([]byte(`{}`), opt)
		require.Nil(t, p)
		require.EqualError(t, err, message)
		require.NotErrorIs(t, err, permissions.ErrClaim)
		p, err = permissions.FromValue(map[string]any{}, opt)
		require.Nil(t, p)
		require.EqualError(t, err, message)
		require.PanicsWithError(t, message, func() { permissions.MustParse(`{}`, opt) })
	}
}

// A name that is declared is suggested too.
func TestDeclaredPermissionIsSuggested(t *testing.T) {
	_, err := permissions.Parse([]byte(`{"integration:*":["action_kit"]}`), permissions.WithPermissions("actionkit"))
	require.ErrorContains(t, err, `"action_kit" is no permission; did you mean "actionkit"?`)
	_, err = permissions.Parse([]byte(`{"integration:*":["nothing"]}`), permissions.WithPermissions("actionkit"))
	require.ErrorContains(t, err, `the permissions are `+theNineText+`, actionkit; WithPermissions declares others`)
}

func TestAcceptStringClaim(t *testing.T) {
	accept := permissions.AcceptStringClaim()
	for claim, want := range map[string]map[string]string{
		`"{\"integration:*\":true}"`:             {"integration:*": "all"},
		` "{\"integration:\\u0061\":[]}" `:       {"integration:a": "none"},
		`"\u007b\u007d"`:                         {},
		`" {} "`:                                 {},
		`{"integration:*":true}`:                 {"integration:*": "all"}, // the object itself still
		`"{\"credential:\u00e9\":[\"events\"]}"`: {"integration:*/credential:é": "events"},
	} {
		p, err := permissions.Parse([]byte(claim), accept)
		require.NoError(t, err, claim)
		require.Equal(t, want, ruleTexts(p), claim)
	}
	for claim, message := range map[string]string{
		`"{}`:                  `permissions: claim (byte 3): ends in a string`,
		`"{}" x`:               `permissions: claim (byte 5): has more behind its end`,
		`"{}x"`:                `permissions: claim: has more behind its end`,
		`""`:                   `permissions: claim: is empty`,
		`"null"`:               `permissions: claim: null is no claim; a token that may do everything has no claim, and one that may do nothing has {}`,
		`"\"{}\""`:             `permissions: claim: a string is no claim; emit the object itself, not its JSON text in a string, or accept that with AcceptStringClaim`,
		`"{\"config:*\":1}"`:   `permissions: scope at "/config:*": "config:*" is no scope: its kind is unknown; did you mean "configuration:*"?`,
		`"{\"integration:*\":`: `permissions: claim (byte 20): ends in a string`,
		`null`:                 `permissions: claim (byte 0): null is no claim; a token that may do everything has no claim, and one that may do nothing has {}`,
	} {
		p, err := permissions.Parse([]byte(claim), accept)
		require.Nil(t, p, claim)
		require.ErrorIs(t, err, permissions.ErrClaim, claim)
		require.EqualError(t, err, message, claim)
	}
	// As a Go value it is the same.
	p, err := permissions.FromValue(`{"integration:*":["events"]}`, accept)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"integration:*": "events"}, ruleTexts(p))
	_, err = permissions.FromValue(`{"integration:*":["events"]}`)
	require.ErrorIs(t, err, permissions.ErrType)
}

func TestFromValue(t *testing.T) {
	type m = map[string]any
	for name, test := range map[string]struct {
		value any
		want  map[string]string
	}{
		"empty":       {m{}, map[string]string{}},
		"a nil map":   {m(nil), map[string]string{}},
		"booleans":    {m{"integration:*": true, "integration:a": false}, map[string]string{"integration:*": "all", "integration:a": "none"}},
		"[]any":       {m{"integration:*": []any{"events", "workflows"}}, map[string]string{"integration:*": "events, workflows"}},
		"[]string":    {m{"integration:*": []string{"events", "workflows"}}, map[string]string{"integration:*": "events, workflows"}},
		"empty lists": {m{"integration:*": []any{}, "integration:a": []string(nil), "integration:b": []any(nil)}, map[string]string{"integration:*": "none", "integration:a": "none", "integration:b": "none"}},
		"nested": {m{"integration:a": m{"credential:" + upperUUID: m{"configuration:ext:Team \"A\"\\": true}}},
			map[string]string{"integration:a/credential:" + uuid + `/configuration:ext:Team "A"\`: "all"}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := permissions.FromValue(test.value)
			require.NoError(t, err)
			require.Equal(t, test.want, ruleTexts(p))
		})
	}
}

func TestFromValueRefuses(t *testing.T) {
	type m = map[string]any
	endless := m{}
	endless["integration:*"] = endless
	deepest := m{}
	deepest["credential:*"] = m{"configuration:*": deepest}
	endlessList := []any{nil}
	endlessList[0] = endlessList
	const nilOrGo = "nil, or a Go value that is not JSON's,"
	for _, test := range []struct {
		name    string
		value   any
		kind    error
		pointer string
		message string
	}{
		{"nil", nil, permissions.ErrType, "", "claim: " + nilOrGo + " is no claim; a token that may do everything has no claim, and one that may do nothing has {}"},
		{"a key that a map does not have", m{}[permissions.ClaimName], permissions.ErrType, "", ""},
		{"true", true, permissions.ErrType, "", ""},
		{"a list", []any{"events"}, permissions.ErrType, "", ""},
		{"a number", 1.5, permissions.ErrType, "", ""},
		{"a json.Number", json.Number("1e9"), permissions.ErrType, "", "claim: a number is no claim; a claim is an object of scopes, such as {\"integration:*\":true}"},
		{"an int", 1, permissions.ErrType, "", ""},
		{"a struct", struct{}{}, permissions.ErrType, "", ""},
		{"bytes", []byte("{}"), permissions.ErrType, "", ""},
		{"raw JSON", json.RawMessage("{}"), permissions.ErrType, "", ""},
		{"another sort of map", map[string]bool{"integration:*": true}, permissions.ErrType, "", ""},
		{"a pointer", &m{}, permissions.ErrType, "", ""},
		{"a function", func() {}, permissions.ErrType, "", ""},
		{"a string", "{}", permissions.ErrType, "", "claim: a string is no claim; emit the object itself, not its JSON text in a string, or accept that with AcceptStringClaim"},
		{"a grant of nil", m{"integration:*": nil}, permissions.ErrType, "/integration:*", `claim at "/integration:*": ` + nilOrGo + ` is no grant; give it true, false, an array of permissions, or a map of more specific scopes`},
		{"a grant of a string", m{"integration:*": "true"}, permissions.ErrType, "/integration:*", `claim at "/integration:*": the string "true" is no grant; did you mean true, without quotes?`},
		{"a grant of permissions", m{"integration:*": []permissions.Permission{"events"}}, permissions.ErrType, "/integration:*", ""},
		{"nil in a list", m{"integration:*": []any{"events", nil}}, permissions.ErrType, "/integration:*/1", ""},
		{"a map in a list", m{"integration:*": []any{m{}}}, permissions.ErrType, "/integration:*/0", `claim at "/integration:*/0": an object is no permission; an array holds the names of permissions`},
		{"a list in a list", m{"integration:*": []any{[]string{"events"}}}, permissions.ErrType, "/integration:*/0", `claim at "/integration:*/0": an array is no permission; an array holds the names of permissions`},
		{"an unknown permission", m{"integration:*": []string{"proxy_api"}}, permissions.ErrPermission, "/integration:*/0", `claim at "/integration:*/0": "proxy_api" is no permission; did you mean "proxy-api"?`},
		{"no scope", m{"config:*": true}, permissions.ErrScope, "/config:*", ""},
		{"no UTF-8", m{"integration:\xff": true}, permissions.ErrScope, "/integration:\ufffd", ""},
		{"a permission that is no UTF-8", m{"integration:*": []string{"events\xff"}}, permissions.ErrPermission, "/integration:*/0", ""},
		{"a control character", m{"integration:a\x01": true}, permissions.ErrScope, "/integration:a\x01", ""},
		{"nesting", m{"credential:*": m{"integration:*": true}}, permissions.ErrNesting, "/credential:*/integration:*", ""},
		{"a map in a configuration", m{"integration:*": m{"credential:*": m{"configuration:*": m{}}}}, permissions.ErrNesting, "/integration:*/credential:*/configuration:*", ""},
		{"a map that holds itself", endless, permissions.ErrNesting, "/integration:*/integration:*", ""},
		{"a map that holds itself further down", deepest, permissions.ErrNesting, "/credential:*/configuration:*", ""},
		{"a list that holds itself", m{"integration:*": endlessList}, permissions.ErrType, "/integration:*/0", ""},
		{"one path twice", m{"credential:*": true, "integration:*": m{"credential:*": true}}, permissions.ErrDuplicate, "/integration:*/credential:*", ""},
		{"the first in the order of bytes", m{"b": true, "a": true, "integration:*": nil}, permissions.ErrScope, "/a", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := permissions.FromValue(test.value)
			require.Nil(t, p)
			require.ErrorIs(t, err, permissions.ErrClaim)
			require.ErrorIs(t, err, test.kind)
			var parse *permissions.ParseError
			require.ErrorAs(t, err, &parse)
			require.Equal(t, test.pointer, parse.Pointer)
			require.Equal(t, -1, parse.Offset)
			if test.message != "" {
				require.EqualError(t, err, "permissions: "+test.message)
			}
		})
	}
}

// The rules of a claim are those of its Go value, in the order of the keys.
func TestFromValueOrder(t *testing.T) {
	p, err := permissions.FromValue(map[string]any{"integration:b": true, "integration:a": true, "credential:z": true})
	require.NoError(t, err)
	var order []string
	for r := range p.Rules() {
		order = append(order, r.Pointer())
	}
	require.Equal(t, []string{"/credential:z", "/integration:a", "/integration:b"}, order)
}

// A claim of many scopes, with white space around its colons, is read as one without.
func TestParseManyScopes(t *testing.T) {
	for _, colon := range []string{":", " : ", "\n:"} {
		var b strings.Builder
		b.WriteString(`{"integration:*"` + colon + `true`)
		for i := range 3000 {
			fmt.Fprintf(&b, `,"credential:c%d"%s{"configuration:ext:%d"%sfalse}`, i, colon, i, colon)
		}
		p, err := permissions.Parse([]byte(b.String() + "}"))
		require.NoError(t, err)
		require.Len(t, slices.Collect(p.Rules()), 3001)
		for _, i := range []string{"0", "1", "1500", "2999"} {
			require.Equal(t, permissions.NotGranted, p.Decide(permissions.Events, target("slack", "c"+i, none, none, i)).Reason)
			require.True(t, p.Allowed(permissions.Events, target("slack", "c"+i, none, none, "x")))
		}
	}
}
