package permissions_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

func TestParseScope(t *testing.T) {
	const (
		integration   = permissions.KindIntegration
		credential    = permissions.KindCredential
		configuration = permissions.KindConfiguration
	)
	for _, test := range []struct {
		text     string
		kind     permissions.Kind
		wildcard bool
		external bool
		name     string
		canon    string // text, unless given
	}{
		{text: "integration:*", kind: integration, wildcard: true},
		{text: "integration:salesforce", kind: integration, name: "salesforce"},
		{text: "integration:Sales Force", kind: integration, name: "Sales Force"},
		{text: "integration:a:b", kind: integration, name: "a:b"},
		{text: "integration::", kind: integration, name: ":"},
		{text: "integration:external", kind: integration, name: "external"},
		{text: "integration:EXTRA", kind: integration, name: "EXTRA"},
		{text: "integration:extern:x", kind: integration, name: "extern:x"},
		{text: "integration:été", kind: integration, name: "été"},
		{text: "integration:extété", kind: integration, name: "extété"},
		{text: "integration:e", kind: integration, name: "e"},
		{text: "integration:a\u200bb", kind: integration, name: "a\u200bb"},
		{text: "integration:" + idUpper, kind: integration, name: idUpper},
		{text: "credential:*", kind: credential, wildcard: true},
		{text: "credential:" + idA, kind: credential, name: idA},
		{text: "credential:" + idUpper, kind: credential, name: idA, canon: "credential:" + idA},
		{text: "credential:ext:x", kind: credential, external: true, name: "x"},
		{text: "credential:ext:ext:x", kind: credential, external: true, name: "ext:x"},
		{text: "credential:ext:EXT", kind: credential, external: true, name: "EXT"},
		{text: "credential:ext:" + idUpper, kind: credential, external: true, name: idUpper},
		{text: "configuration:*", kind: configuration, wildcard: true},
		{text: "configuration:ext:Team A", kind: configuration, external: true, name: "Team A"},
		{text: "configuration:ext:a*", kind: configuration, external: true, name: "a*"},
		{text: "configuration:ext:**", kind: configuration, external: true, name: "**"},
		{text: "configuration:" + idUpper, kind: configuration, name: idA, canon: "configuration:" + idA},
		{text: "integration:" + strings.Repeat("x", 10_000), kind: integration, name: strings.Repeat("x", 10_000)},
	} {
		t.Run(fmt.Sprintf("%.60s", test.text), func(t *testing.T) {
			if test.canon == "" {
				test.canon = test.text
			}
			s, err := permissions.ParseScope(test.text)
			require.NoError(t, err)
			require.Equal(t, test.kind, s.Kind())
			require.Equal(t, test.wildcard, s.IsWildcard())
			require.Equal(t, test.external, s.IsExternal())
			require.Equal(t, test.name, s.Name())
			require.Equal(t, test.canon, s.String())
			require.True(t, s == permissions.MustParseScope(test.text))

			again, err := permissions.ParseScope(s.String())
			require.NoError(t, err)
			require.True(t, s == again)
			text, err := s.MarshalText()
			require.NoError(t, err)
			require.Equal(t, test.canon, string(text))
			var unmarshalled permissions.Scope
			require.NoError(t, unmarshalled.UnmarshalText(text))
			require.True(t, s == unmarshalled)
		})
	}
}

const (
	anyScope  = "scopes look like integration:NAME, credential:ID or configuration:ext:ID"
	kindsAre  = "the kinds are integration, credential and configuration"
	noColon   = "is not a scope: it has no colon"
	wrongKind = "is not a scope: its kind is unknown"
	usualForm = "an ID has the form 8-4-4-4-12; "

	neverExcludes = "a scope never excludes; to deny something, give its own scope false"
)

func meant(scope string) string { return "did you mean " + strconv.Quote(scope) + "?" }

// its is the problem of a scope whose name, ID or external ID is wrong.
func its(identifier, problem string) string {
	return "is not a scope: its " + identifier + " " + problem
}

func noPatterns(kind string) string { return "there are no patterns but " + kind + ":*" }

// notScopes are texts that are not scopes, with the problem and the remedy of the error.
var notScopes = []struct{ text, problem, remedy string }{
	{"", noColon, anyScope},
	{"*", noColon, anyScope},
	{"slack", noColon, anyScope},
	{"integration", noColon, meant("integration:*")},
	{"cred", noColon, meant("credential:*")},
	{"Integration:*", wrongKind, meant("integration:*")},
	{"integrations:*", wrongKind, meant("integration:*")},
	{"integration :x", wrongKind, meant("integration:x")},
	{" integration:x", wrongKind, meant("integration:x")},
	{"intgration:x", wrongKind, meant("integration:x")},
	{"credentials:*", wrongKind, meant("credential:*")},
	{"creds:*", wrongKind, meant("credential:*")},
	{"config:*", wrongKind, meant("configuration:*")},
	{"Config:ext:Team A", wrongKind, meant("configuration:ext:Team A")},
	{"int:x", wrongKind, meant("integration:x")},
	{"cre:ext:x", wrongKind, meant("credential:ext:x")},
	{"!integration:x", wrongKind, neverExcludes},
	{"-credential:*", wrongKind, neverExcludes},
	{"^configuration:ext:x", wrongKind, neverExcludes},
	{"~x:y", wrongKind, neverExcludes},
	{"in:x", wrongKind, kindsAre},
	{"co:x", wrongKind, kindsAre},
	{"config:", wrongKind, kindsAre},
	{"workspace:*", wrongKind, kindsAre},
	{"user:*", wrongKind, kindsAre},
	{"*:*", wrongKind, kindsAre},
	{":x", wrongKind, kindsAre},
	{"integration:", its("integration", "is empty"), meant("integration:*")},
	{"credential:", its("credential ID", "is empty"), meant("credential:*")},
	{"configuration:", its("configuration ID", "is empty"), meant("configuration:*")},
	{"credential:ext:", its("credential external ID", "is empty"), "the external ID itself follows credential:ext:"},
	{
		"configuration:ext:", its("configuration external ID", "is empty"),
		"the external ID itself follows configuration:ext:",
	},
	{"integration:ext", its("integration", extMarks), "an integration has a name, and no external ID"},
	{"integration:ext:slack", its("integration", extMarks), "an integration has a name, and no external ID"},
	{"integration:EXT:slack", its("integration", extMarks), "an integration has a name, and no external ID"},
	{"integration:slack ", its("integration", spaceAtEnd), meant("integration:slack")},
	{"integration:\u00a0slack", its("integration", spaceAtEnd), meant("integration:slack")},
	{"credential:ext:x\u3000", its("credential external ID", spaceAtEnd), meant("credential:ext:x")},
	{"configuration:ext: Team A", its("configuration external ID", spaceAtEnd), meant("configuration:ext:Team A")},
	{"credential:ext: *", its("credential external ID", spaceAtEnd), noPatterns("credential")},
	{"integration: ", its("integration", spaceAtEnd), ""},
	{"integration:sl\x00ack", its("integration", controlInside), ""},
	{"integration:slack\n", its("integration", controlInside), meant("integration:slack")},
	{"credential:ext:\u0085x", its("credential external ID", controlInside), meant("credential:ext:x")},
	{"integration:x\x7f", its("integration", controlInside), ""},
	{"configuration:ext:a\tb", its("configuration external ID", controlInside), ""},
	{"integration:\xff", its("integration", "is not valid UTF-8"), ""},
	{"credential:ext:\xed\xa0\x80", its("credential external ID", "is not valid UTF-8"), ""},
	{"integration:a\ufffd", its("integration", "holds U+FFFD, the replacement character"), ""},
	{"configuration:ext:a\ufffd", its("configuration external ID", "holds U+FFFD, the replacement character"), ""},
	{"integration:sla*", its("integration", "holds a *"), noPatterns("integration")},
	{"integration:**", its("integration", "holds a *"), noPatterns("integration")},
	{"integration:été*", its("integration", "holds a *"), noPatterns("integration")},
	{"credential:ext:*", its("credential external ID", isStar), noPatterns("credential")},
	{"configuration:ext:*", its("configuration external ID", isStar), noPatterns("configuration")},
	{"credential:acme", its("credential ID", notUUID), meant("credential:ext:acme")},
	{"credential: acme", its("credential ID", notUUID), meant("credential:ext:acme")},
	{"configuration:default", its("configuration ID", notUUID), meant("configuration:ext:default")},
	{"credential:3fa*", its("credential ID", notUUID), noPatterns("credential")},
	{"credential: *", its("credential ID", notUUID), noPatterns("credential")},
	{"credential:EXT:*", its("credential ID", notUUID), noPatterns("credential")},
	{"credential:ext", its("credential ID", notUUID), "the external ID itself follows credential:ext:"},
	{"credential:Ext:x", its("credential ID", notUUID), meant("credential:ext:x")},
	{"credential:eXt: x", its("credential ID", notUUID), meant("credential:ext:x")},
	{"configuration:EXT:Team A", its("configuration ID", notUUID), meant("configuration:ext:Team A")},
	{"configuration:EXT:", its("configuration ID", notUUID), "the external ID itself follows configuration:ext:"},
	{"credential:\xff", its("credential ID", notUUID), ""},
	{"credential: " + idA, its("credential ID", notUUID), usualForm + meant("credential:"+idA)},
	{
		"credential:" + strings.ReplaceAll(idA, "-", ""), its("credential ID", notUUID),
		usualForm + meant("credential:"+idA),
	},
	{"credential:{" + idUpper + "}", its("credential ID", notUUID), usualForm + meant("credential:"+idA)},
	{"credential:urn:uuid:" + idA, its("credential ID", notUUID), usualForm + meant("credential:"+idA)},
	{
		"configuration:3fa85f645717-4562-b3fc-2c963f66afa6", its("configuration ID", notUUID),
		usualForm + meant("configuration:"+idA),
	},
	{"credential:" + idA[:35], its("credential ID", notUUID), meant("credential:ext:" + idA[:35])},
	{"credential:" + idA + "a", its("credential ID", notUUID), meant("credential:ext:" + idA + "a")},
	{
		"credential:" + strings.Replace(idA, "a8", "g8", 1), its("credential ID", notUUID),
		meant("credential:ext:" + strings.Replace(idA, "a8", "g8", 1)),
	},
}

const (
	extMarks      = "begins with ext, which marks an external ID"
	spaceAtEnd    = "begins or ends with white space"
	controlInside = "holds a control character"
	notUUID       = "is not a UUID"
	isStar        = "is *, which no external ID can be"
)

var didYouMean = regexp.MustCompile(`did you mean ("(?:[^"\\]|\\.)*")\?`)

// requireRemedyIsAScope requires that what an error proposes is a scope. It reports whether there is a
// proposal.
func requireRemedyIsAScope(t *testing.T, remedy string) bool {
	t.Helper()
	found := didYouMean.FindStringSubmatch(remedy)
	if found == nil {
		return false
	}
	text, err := strconv.Unquote(found[1])
	require.NoError(t, err)
	_, err = permissions.ParseScope(text)
	require.NoError(t, err)
	return true
}

func TestParseScopeRefuses(t *testing.T) {
	for _, test := range notScopes {
		t.Run(test.text, func(t *testing.T) {
			s, err := permissions.ParseScope(test.text)
			require.Equal(t, permissions.Scope{}, s)
			require.ErrorIs(t, err, permissions.ErrScope)
			require.ErrorIs(t, err, permissions.ErrClaim)
			var parse *permissions.ParseError
			require.ErrorAs(t, err, &parse)
			require.Equal(t, permissions.ParseError{
				Kind: permissions.ErrScope, Offset: -1, Found: strconv.Quote(test.text),
				Problem: test.problem, Remedy: test.remedy,
			}, *parse)
			message := "permissions: scope: " + strconv.Quote(test.text) + " " + test.problem
			if test.remedy != "" {
				message += "; " + test.remedy
			}
			require.EqualError(t, err, message)
			require.PanicsWithError(t, message, func() { permissions.MustParseScope(test.text) })
			requireRemedyIsAScope(t, test.remedy)

			kept := permissions.MustParseScope("integration:kept")
			require.Equal(t, err, kept.UnmarshalText([]byte(test.text)))
			require.Equal(t, "integration:kept", kept.String())
		})
	}
}

// Whatever is wrong in a scope, an error proposes only what is a scope.
func TestScopeRemediesAreScopes(t *testing.T) {
	kinds := []string{"", "integration", "Credential", "credential", "configs", "configuration"}
	markers := []string{"", "ext:", "EXT:", "ext", ":"}
	names := []string{
		"", "*", " *", "x", " x", "x*", "\x00", "\ufffd", "\xff", " ", "ext", "ext:x", "\u00a0EXT: x", "a b", "*:x",
		idA, " " + idA, strings.ReplaceAll(idA, "-", ""), "{" + idA + "}",
	}
	proposed := 0
	for _, kind := range kinds {
		for _, marker := range markers {
			for _, name := range names {
				if _, err := permissions.ParseScope(kind + ":" + marker + name); err != nil {
					if requireRemedyIsAScope(t, err.Error()) {
						proposed++
					}
				}
			}
		}
	}
	require.Greater(t, proposed, 100)
}

// Exactly the digits of a UUID in either letter case are the same ID (SPEC 2.5), in a claim and in a target.
func TestIDsAtEveryPosition(t *testing.T) {
	for _, spelling := range []string{idA, idUpper} {
		claim := `{"credential:` + idA + `":{"configuration:` + spelling + `":true}}`
		p := permissions.MustParse(claim)
		for position := range idA {
			for b := range 256 {
				text := spelling[:position] + string([]byte{byte(b)}) + spelling[position+1:]
				same := strings.EqualFold(text, idA)
				target := slack.Credential(permissions.ID(text), permissions.NoExternalID()).
					Configuration(permissions.ID(text), permissions.NoExternalID())
				require.Equal(t, same, p.Allowed(permissions.Events, target), "%q", text)

				s, err := permissions.ParseScope("credential:" + text)
				require.Equal(t, err == nil, target.Err() == nil, "%q", text)
				require.Equal(t, same, err == nil && s == permissions.MustParseScope("credential:"+idA), "%q", text)
			}
		}
	}
}

func TestZeroScope(t *testing.T) {
	var s permissions.Scope
	require.Zero(t, s.Kind())
	require.False(t, s.IsWildcard())
	require.False(t, s.IsExternal())
	require.Empty(t, s.Name())
	require.Empty(t, s.String())
	text, err := s.MarshalText()
	require.Nil(t, text)
	require.ErrorIs(t, err, permissions.ErrScope)
	require.EqualError(t, err, "permissions: scope: the zero Scope has no text")
}

// Scopes are values: they can be keys of maps, in Go and in JSON.
func TestScopeAsKey(t *testing.T) {
	const text = `{"credential:` + idA + `":1,"integration:*":2}`
	var m map[permissions.Scope]int
	require.NoError(t, json.Unmarshal([]byte(text), &m))
	require.Equal(t, 1, m[permissions.MustParseScope("credential:"+idUpper)])
	require.JSONEq(t, text, string(jsonOf(m)))
	require.ErrorIs(t, json.Unmarshal([]byte(`{"integr:*x":1}`), &m), permissions.ErrScope)
}

// The order is that of SPEC 2.1 and 2.2, then that of the names.
func TestScopeCompare(t *testing.T) {
	inOrder := []permissions.Scope{{}}
	for _, text := range []string{
		"integration:*", "integration:a", "integration:b",
		"credential:*", "credential:ext:a", "credential:ext:b", "credential:" + idA, "credential:" + idB,
		"configuration:*", "configuration:ext:z", "configuration:" + idA,
	} {
		inOrder = append(inOrder, permissions.MustParseScope(text))
	}
	for i, a := range inOrder {
		for j, b := range inOrder {
			switch c := a.Compare(b); {
			case i < j:
				require.Negative(t, c, "%v %v", a, b)
			case i > j:
				require.Positive(t, c, "%v %v", a, b)
			default:
				require.Zero(t, c)
			}
		}
	}
	require.True(t, slices.IsSortedFunc(inOrder, permissions.Scope.Compare))
}

func TestKind(t *testing.T) {
	inOrder := []struct {
		kind permissions.Kind
		text string
	}{
		{0, ""},
		{permissions.KindUser, "user"},
		{permissions.KindIntegration, "integration"},
		{permissions.KindCredential, "credential"},
		{permissions.KindConfiguration, "configuration"},
		{permissions.KindConfiguration + 1, ""},
	}
	for i, k := range inOrder {
		require.Equal(t, k.text, k.kind.String())
		require.EqualValues(t, i, k.kind, "the kinds are ordered")
	}
}

// A scope does not keep the text alive that its name was cut from.
func TestParseScopeKeepsNothing(t *testing.T) {
	for _, text := range []string{
		"integration:slack", "credential:" + idA, "credential:ext:acme", "configuration:ext:acme",
	} {
		t.Run(text, func(t *testing.T) {
			long := strings.Repeat(text, 2)
			s, err := permissions.ParseScope(long[:len(text)])
			require.NoError(t, err)
			require.False(t, pins(s.Name(), long))
			require.False(t, pins(s.String(), long))
		})
	}
}

// pins reports whether a text is a part of the memory of another one, which it then keeps alive.
func pins(text, whole string) bool {
	first, begin := uintptr(unsafe.Pointer(unsafe.StringData(text))), uintptr(unsafe.Pointer(unsafe.StringData(whole)))
	return text != "" && first >= begin && first < begin+uintptr(len(whole))
}

func TestPins(t *testing.T) {
	whole := strings.Repeat("ab", 3)
	require.True(t, pins(whole[2:4], whole))
	require.False(t, pins(strings.Clone(whole[2:4]), whole))
	require.False(t, pins("", whole))
}
