package permissions_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

func TestParseScope(t *testing.T) {
	const integration, credential, configuration = permissions.KindIntegration, permissions.KindCredential, permissions.KindConfiguration
	for _, test := range []struct {
		text     string
		kind     permissions.Kind
		wildcard bool
		external bool
		name     string
		shown    string // text, unless given
	}{
		{"integration:*", integration, true, false, "", ""},
		{"integration:salesforce", integration, false, false, "salesforce", ""},
		{"integration:Sales Force", integration, false, false, "Sales Force", ""},
		{"integration:a:b", integration, false, false, "a:b", ""},
		{"integration:external", integration, false, false, "external", ""},
		{"integration:EXTRA", integration, false, false, "EXTRA", ""},
		{"integration:été", integration, false, false, "été", ""},
		{"integration:e", integration, false, false, "e", ""},
		{"integration:3FA85F64-5717-4562-B3FC-2C963F66AFA6", integration, false, false, "3FA85F64-5717-4562-B3FC-2C963F66AFA6", ""},
		{"credential:*", credential, true, false, "", ""},
		{"credential:x", credential, false, false, "x", ""},
		{"credential:3fa85f64-5717-4562-b3fc-2c963f66afa6", credential, false, false, "3fa85f64-5717-4562-b3fc-2c963f66afa6", ""},
		{"credential:3FA85F64-5717-4562-b3fc-2C963F66AFA6", credential, false, false, "3fa85f64-5717-4562-b3fc-2c963f66afa6", "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6"},
		{"credential:3FA85F64-5717-4562-B3FC-2C963F66AFA", credential, false, false, "3FA85F64-5717-4562-B3FC-2C963F66AFA", ""},     // a digit short
		{"credential:3FA85F64-5717-4562-B3FC-2C963F66AFA6A", credential, false, false, "3FA85F64-5717-4562-B3FC-2C963F66AFA6A", ""}, // one too many
		{"credential:3FA85F64-5717-4562-B3FC-2C963F66AFG6", credential, false, false, "3FA85F64-5717-4562-B3FC-2C963F66AFG6", ""},   // no digit
		{"credential:3FA85F645-717-4562-B3FC-2C963F66AFA6", credential, false, false, "3FA85F645-717-4562-B3FC-2C963F66AFA6", ""},   // a hyphen elsewhere
		{"credential:ext:x", credential, false, true, "x", ""},
		{"credential:ext:ext:x", credential, false, true, "ext:x", ""},
		{"credential:ext:EXT", credential, false, true, "EXT", ""},
		{"credential:ext:3FA85F64-5717-4562-B3FC-2C963F66AFA6", credential, false, true, "3FA85F64-5717-4562-B3FC-2C963F66AFA6", ""},
		{"configuration:*", configuration, true, false, "", ""},
		{"configuration:ext:Team A", configuration, false, true, "Team A", ""},
		{"configuration:ext:a*", configuration, false, true, "a*", ""},
		{"configuration:ext:**", configuration, false, true, "**", ""},
		{"configuration:3FA85F64-5717-4562-B3FC-2C963F66AFA6", configuration, false, false, "3fa85f64-5717-4562-b3fc-2c963f66afa6", "configuration:3fa85f64-5717-4562-b3fc-2c963f66afa6"},
		{"configuration:" + strings.Repeat("x", 10_000), configuration, false, false, strings.Repeat("x", 10_000), ""},
	} {
		t.Run(test.text[:min(len(test.text), 60)], func(t *testing.T) {
			if test.shown == "" {
				test.shown = test.text
			}
			s, err := permissions.ParseScope(test.text)
			require.NoError(t, err)
			require.Equal(t, test.kind, s.Kind())
			require.Equal(t, test.wildcard, s.IsWildcard())
			require.Equal(t, test.external, s.IsExternal())
			require.Equal(t, test.name, s.Name())
			require.Equal(t, test.shown, s.String())

			// The text parses to the scope, be it marshalled or not.
			again, err := permissions.ParseScope(s.String())
			require.NoError(t, err)
			require.True(t, s == again)
			text, err := s.MarshalText()
			require.NoError(t, err)
			require.Equal(t, test.shown, string(text))
			var unmarshalled permissions.Scope
			require.NoError(t, unmarshalled.UnmarshalText(text))
			require.True(t, s == unmarshalled)
			require.True(t, s == permissions.MustParseScope(test.text))
		})
	}
}

// badScopes are texts that are no scopes, with what is said of them.
var badScopes = map[string]string{
	"":                            `is no scope: it has no colon; scopes look like integration:NAME, credential:ID or configuration:ext:ID`,
	"*":                           `is no scope: it has no colon; scopes look like integration:NAME, credential:ID or configuration:ext:ID`,
	"slack":                       `is no scope: it has no colon; scopes look like integration:NAME, credential:ID or configuration:ext:ID`,
	"integration":                 `is no scope: it has no colon; did you mean "integration:*"?`,
	"cred":                        `is no scope: it has no colon; did you mean "credential:*"?`,
	"Integration:*":               `is no scope: its kind is unknown; did you mean "integration:*"?`,
	"integrations:*":              `is no scope: its kind is unknown; did you mean "integration:*"?`,
	"integration :x":              `is no scope: its kind is unknown; did you mean "integration:x"?`,
	" integration:x":              `is no scope: its kind is unknown; did you mean "integration:x"?`,
	"intgration:x":                `is no scope: its kind is unknown; did you mean "integration:x"?`,
	"credentials:*":               `is no scope: its kind is unknown; did you mean "credential:*"?`,
	"creds:*":                     `is no scope: its kind is unknown; did you mean "credential:*"?`,
	"config:*":                    `is no scope: its kind is unknown; did you mean "configuration:*"?`,
	"Config:ext:Team A":           `is no scope: its kind is unknown; did you mean "configuration:ext:Team A"?`,
	"config:":                     `is no scope: its kind is unknown; the kinds are integration, credential and configuration`,
	"workspace:*":                 `is no scope: its kind is unknown; the kinds are integration, credential and configuration`,
	"*:*":                         `is no scope: its kind is unknown; the kinds are integration, credential and configuration`,
	":x":                          `is no scope: its kind is unknown; the kinds are integration, credential and configuration`,
	"co:x":                        `is no scope: its kind is unknown; the kinds are integration, credential and configuration`,
	"integration:":                `is empty; did you mean "integration:*"?`,
	"credential:":                 `is empty; did you mean "credential:*"?`,
	"credential:ext:":             `is empty; the external ID itself stands behind credential:ext:`,
	"configuration:ext:":          `is empty; the external ID itself stands behind configuration:ext:`,
	"credential:ext":              `begins with ext, which marks an external ID; the external ID itself stands behind credential:ext:`,
	"credential:EXT":              `begins with ext, which marks an external ID; the external ID itself stands behind credential:ext:`,
	"configuration:EXT:":          `begins with ext, which marks an external ID; the external ID itself stands behind configuration:ext:`,
	"configuration:EXT:Team A":    `begins with ext, which marks an external ID; did you mean "configuration:ext:Team A"?`,
	"credential:Ext:x":            `begins with ext, which marks an external ID; did you mean "credential:ext:x"?`,
	"credential:eXt: x":           `begins with ext, which marks an external ID; did you mean "credential:ext:x"?`,
	"integration:ext":             `begins with ext, which marks an external ID; an integration has a name, and no external ID`,
	"integration:ext:slack":       `begins with ext, which marks an external ID; an integration has a name, and no external ID`,
	"integration:EXT:slack":       `begins with ext, which marks an external ID; an integration has a name, and no external ID`,
	"integration:slack ":          `begins or ends with white space; did you mean "integration:slack"?`,
	"integration:\u00a0slack":     `begins or ends with white space; did you mean "integration:slack"?`,
	"credential:x\u3000":          `begins or ends with white space; did you mean "credential:x"?`,
	"configuration:ext: Team A":   `begins or ends with white space; did you mean "configuration:ext:Team A"?`,
	"credential: *":               `begins or ends with white space; did you mean "credential:*"?`,
	"credential:ext: *":           `begins or ends with white space; there are no patterns but credential:*`,
	"integration: ":               `begins or ends with white space`,
	"integration:sl\x00ack":       `holds a control character`,
	"integration:slack\n":         `holds a control character; did you mean "integration:slack"?`,
	"credential:\u0085x":          `holds a control character; did you mean "credential:x"?`,
	"credential:x\x7f":            `holds a control character`,
	"configuration:ext:a\tb":      `holds a control character`,
	"integration:\xff":            `is not valid UTF-8`,
	"credential:ext:\xed\xa0\x80": `is not valid UTF-8`,
	"integration:a\ufffd":         `holds U+FFFD, the replacement character`,
	"configuration:ext:a\ufffd":   `holds U+FFFD, the replacement character`,
	"integration:sla*":            `holds a *, which only stands alone; there are no patterns but integration:*`,
	"credential:3fa*":             `holds a *, which only stands alone; there are no patterns but credential:*`,
	"credential:**":               `holds a *, which only stands alone; there are no patterns but credential:*`,
	"credential:EXT:*":            `holds a *, which only stands alone; there are no patterns but credential:*`,
	"configuration:ext:*":         `has * for an external ID; there are no patterns but configuration:*`,
}

var didYouMean = regexp.MustCompile(`did you mean ("(?:[^"\\]|\\.)*")\?`)

func TestParseScopeRefuses(t *testing.T) {
	for text, message := range badScopes {
		t.Run(text, func(t *testing.T) {
			s, err := permissions.ParseScope(text)
			require.Equal(t, permissions.Scope{}, s)
			require.ErrorIs(t, err, permissions.ErrScope)
			require.ErrorIs(t, err, permissions.ErrClaim)
			require.EqualError(t, err, "permissions: scope: "+strconv.Quote(text)+" "+message)
			var parse *permissions.ParseError
			require.ErrorAs(t, err, &parse)
			require.Equal(t, -1, parse.Offset)
			require.Empty(t, parse.Pointer)
			require.Equal(t, strconv.Quote(text), parse.Found)
			require.PanicsWithError(t, err.Error(), func() { permissions.MustParseScope(text) })

			kept := permissions.MustParseScope("credential:kept")
			require.Equal(t, err, kept.UnmarshalText([]byte(text)))
			require.Equal(t, "credential:kept", kept.String())

			// What was probably meant is a scope.
			if meant := didYouMean.FindStringSubmatch(message); meant != nil {
				text, err := strconv.Unquote(meant[1])
				require.NoError(t, err)
				_, err = permissions.ParseScope(text)
				require.NoError(t, err)
			}
		})
	}
}

// Of whatever is wrong in a scope, what was probably meant is one.
func TestScopeRemedies(t *testing.T) {
	suggested := 0
	for _, kind := range []string{"", "integration", "Credential", "credential", "configs", "configuration"} {
		for _, marker := range []string{"", "ext:", "EXT:", "ext", ":"} {
			for _, name := range []string{"", "*", " *", "x", " x", "x*", "\x00", "\ufffd", "\xff", " ", "ext", "ext:x", "\u00a0EXT: x", "a b", "*:x"} {
				_, err := permissions.ParseScope(kind + ":" + marker + name)
				if err == nil {
					continue
				}
				meant := didYouMean.FindStringSubmatch(err.Error())
				if meant == nil {
					continue
				}
				suggested++
				text, unquoted := strconv.Unquote(meant[1])
				require.NoError(t, unquoted)
				_, wrong := permissions.ParseScope(text)
				require.NoError(t, wrong, "%v", err)
			}
		}
	}
	require.Greater(t, suggested, 50)
}

// The zero Scope is none, and has no text.
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

// Scopes are values: the keys of maps, in Go and in JSON.
func TestScopeAsKey(t *testing.T) {
	const text = `{"credential:3fa85f64-5717-4562-b3fc-2c963f66afa6":1,"integration:*":2}`
	var m map[permissions.Scope]int
	require.NoError(t, json.Unmarshal([]byte(text), &m))
	require.Equal(t, 1, m[permissions.MustParseScope("credential:3FA85F64-5717-4562-B3FC-2C963F66AFA6")])
	data, err := json.Marshal(m)
	require.NoError(t, err)
	require.JSONEq(t, text, string(data))
	require.ErrorIs(t, json.Unmarshal([]byte(`{"integr:*x":1}`), &m), permissions.ErrScope)
}

// The order is that of SPEC 2.1 and 2.2, then of the names.
func TestScopeCompare(t *testing.T) {
	inOrder := []permissions.Scope{{}}
	for _, text := range []string{
		"integration:*", "integration:a", "integration:b",
		"credential:*", "credential:ext:a", "credential:ext:b", "credential:Z", "credential:a",
		"configuration:*", "configuration:ext:z", "configuration:a",
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

func TestKindString(t *testing.T) {
	for kind, text := range map[permissions.Kind]string{
		0: "", permissions.KindIntegration: "integration", permissions.KindCredential: "credential", permissions.KindConfiguration: "configuration", 4: "",
	} {
		require.Equal(t, text, kind.String())
	}
	require.Less(t, permissions.KindIntegration, permissions.KindCredential)
	require.Less(t, permissions.KindCredential, permissions.KindConfiguration)
}
