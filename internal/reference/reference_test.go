package reference_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/reference"
)

const (
	uuid      = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	otherUUID = "de06dea8-8680-483c-95ea-cfcf66582c96"
)

var (
	none = reference.Identifier{State: reference.None}
	user = reference.Target{}
)

func given(value string) reference.Identifier {
	return reference.Identifier{State: reference.Given, Value: value}
}

func inSlack(credentialID reference.Identifier) reference.Target {
	return reference.Target{Integration: "slack", CredentialID: credentialID}
}

func parse(t *testing.T, claim string, o reference.Options) *reference.Policy {
	t.Helper()
	policy, mistake := reference.Parse([]byte(claim), o)
	require.Nil(t, mistake, claim)
	require.NotNil(t, policy, claim)
	return policy
}

// The conformance files.

type conformanceCase struct {
	Name    string
	Spec    string
	Claim   string
	Error   string
	Pointer string
	Queries []struct {
		Action       string
		Target       conformanceTarget
		Allowed      bool
		Rule         []string
		Invalid      bool
		Undetermined bool
	}
	Visible []struct {
		Target  conformanceTarget
		Visible bool
	}
}

type conformanceTarget struct{ reference.Target }

// UnmarshalJSON reads a target in which null is none, and what is missing is open.
func (t *conformanceTarget) UnmarshalJSON(text []byte) error {
	var levels struct {
		Integration               string
		Credential, Configuration map[string]*string
	}
	if err := json.Unmarshal(text, &levels); err != nil {
		return err
	}
	identifier := func(level map[string]*string, key string) reference.Identifier {
		value, found := level[key]
		switch {
		case !found:
			return reference.Identifier{}
		case value == nil:
			return none
		default:
			return given(*value)
		}
	}
	t.Target = reference.Target{
		Integration:             levels.Integration,
		CredentialID:            identifier(levels.Credential, "id"),
		CredentialExternalID:    identifier(levels.Credential, "ext"),
		ConfigurationID:         identifier(levels.Configuration, "id"),
		ConfigurationExternalID: identifier(levels.Configuration, "ext"),
	}
	return nil
}

func TestConformance(t *testing.T) {
	for _, file := range []string{"decisions.json", "errors.json", "random.json"} {
		t.Run(file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "conformance", file))
			require.NoError(t, err)
			var cases []conformanceCase
			require.NoError(t, json.Unmarshal(text, &cases))

			mistakes, decisions, visibles := 0, 0, 0
			for _, c := range cases {
				name := fmt.Sprintf("%s (%s): %s", c.Name, c.Spec, c.Claim)
				policy, mistake := reference.Parse([]byte(c.Claim), reference.Options{})
				if c.Error != "" {
					assert.Nil(t, policy, name)
					assert.Equal(t, &reference.Mistake{Kind: c.Error, Pointer: c.Pointer}, mistake, name)
					mistakes++
					continue
				}
				if !assert.Nil(t, mistake, name) {
					continue
				}
				for _, q := range c.Queries {
					about := fmt.Sprintf("%s\n%s of %+v", name, q.Action, q.Target)
					decision := policy.Decide(q.Action, q.Target.Target)
					assert.Equal(t, q.Allowed, decision.Allowed, about)
					assert.Equal(t, q.Invalid, decision.Invalid, about)
					assert.Equal(t, q.Undetermined, decision.Undetermined, about)
					if q.Rule == nil {
						assert.Nil(t, decision.Rule, about)
					} else if assert.NotNil(t, decision.Rule, about) {
						assert.Equal(t, q.Rule, decision.Rule.Path, about)
					}
					if q.Action != "" {
						assert.Equal(t, !q.Invalid, reference.ValidTarget(q.Target.Target), about)
					}
					decisions++
				}
				for _, v := range c.Visible {
					assert.Equal(t, v.Visible, policy.Visible(v.Target.Target), "%s\n%+v", name, v.Target)
					visibles++
				}
			}
			t.Logf("%d mistakes, %d decisions, %d visibilities", mistakes, decisions, visibles)
			if file != "decisions.json" {
				assert.NotZero(t, mistakes)
			}
			if file != "errors.json" {
				assert.NotZero(t, decisions)
				assert.NotZero(t, visibles)
			}
		})
	}
}

// 6.2: which mistake is reported, and where.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ name, claim, kind, pointer string }{
		// Not well-formed
		{"no comma in an object", `{"integration:a": true "integration:b": true}`, "syntax", ""},
		{"no comma in an array", `{"integration:a": ["events" "workflows"]}`, "syntax", ""},
		{"no colon", `{"integration:a" true}`, "syntax", ""},
		{"two colons", `{"integration:a":: true}`, "syntax", ""},
		{"a comma for a colon", `{"integration:a", true}`, "syntax", ""},
		{"a colon for a comma in an array", `{"integration:a": ["events": "workflows"]}`, "syntax", ""},
		{"a comma at the beginning of an object", `{,"integration:a": true}`, "syntax", ""},
		{"a comma at the beginning of an array", `{"integration:a": [,"events"]}`, "syntax", ""},
		{"a comma at the end of an array", `{"integration:a": ["events",]}`, "syntax", ""},
		{"two commas", `{"integration:a": true,,"integration:b": true}`, "syntax", ""},
		{"only a comma", `{,}`, "syntax", ""},
		{"no value", `{"integration:a":}`, "syntax", ""},
		{"no value and a comma", `{"integration:a":,"integration:b": true}`, "syntax", ""},
		{"a key that is a number", `{1: true}`, "syntax", ""},
		{"a key that is true", `{true: true}`, "syntax", ""},
		{"a key that is an object", `{{}: true}`, "syntax", ""},
		{"an object closed as an array", `{"integration:a": true]`, "syntax", ""},
		{"an array closed as an object", `{"integration:a": ["events"}}`, "syntax", ""},
		{"an object that is not closed", `{"integration:a": true`, "syntax", ""},
		{"an object that is not closed after a comma", `{"integration:a": true,`, "syntax", ""},
		{"an array that is not closed", `{"integration:a": ["events"`, "syntax", ""},
		{"only an opening bracket", `{`, "syntax", ""},
		{"only a closing bracket", `}`, "syntax", ""},
		{"a byte order mark", "\uFEFF{}", "syntax", ""},
		{"a no-break space", "\u00a0{}", "syntax", ""},
		{"a form feed", "\f{}", "syntax", ""},
		{"a NUL", "{}\x00", "syntax", ""},
		{"a line break in a key", "{\"integration:a\n\": true}", "syntax", ""},
		{"an unknown escape in a key", `{"integration:\a": true}`, "syntax", ""},
		{"a half escape in a key", `{"integration:\u00": true}`, "syntax", ""},
		{"a literal in the wrong case", `{"integration:a": True}`, "syntax", ""},
		{"not a number", `{"integration:a": NaN}`, "syntax", ""},
		{"a comment in front", `// all` + "\n" + `{}`, "syntax", ""},

		// A scalar is complete before its type is judged
		{"half a literal", `{"integration:a": nul`, "syntax", ""},
		{"half a string", `{"integration:a": "events`, "syntax", ""},
		{"half a number", `{"integration:a": 1.`, "syntax", ""},
		{"half an exponent", `{"integration:a": 1e}`, "syntax", ""},
		{"only a minus", `{"integration:a": -}`, "syntax", ""},
		{"half a name", `{"integration:a": ["event`, "syntax", ""},
		{"a bad escape in a name", `{"integration:a": ["\x"]}`, "syntax", ""},
		{"half a literal in an array", `{"integration:a": [fals]}`, "syntax", ""},
		{"half a literal at the top", `nul`, "syntax", ""},
		{"half a string at the top", `"{}`, "syntax", ""},
		{"a whole literal and nothing more", `{"integration:a": null`, "type", "/integration:a"},
		{"a whole string and nothing more", `{"integration:a": "events"`, "type", "/integration:a"},
		{"a whole number and nothing more", `{"integration:a": 12`, "type", "/integration:a"},
		{"a large number", `{"integration:a": -1e999}`, "type", "/integration:a"},
		{"a number that ends early", `{"integration:a": 01}`, "type", "/integration:a"},
		{"a literal with something behind it", `{"integration:a": nullx}`, "type", "/integration:a"},
		{"true with something behind it", `{"integration:a": truex}`, "syntax", ""},
		{"a whole literal in an array", `{"integration:a": [true x`, "type", "/integration:a/0"},
		{"a whole literal at the top", `null x`, "type", ""},

		// An object or an array is judged at its bracket
		{"an array at the top", `[`, "type", ""},
		{"an array at the top, with garbage", `[}`, "type", ""},
		{"an array in an array", `{"integration:a": [[`, "type", "/integration:a/0"},
		{"an object in an array", `{"integration:a": ["events", {`, "type", "/integration:a/1"},
		{"a map in a configuration", `{"configuration:a": {`, "nesting", "/configuration:a"},
		{"a map in a configuration, with garbage", `{"configuration:a": {]`, "nesting", "/configuration:a"},
		{"a closing bracket for a value", `{"integration:a": ]`, "syntax", ""},

		// A key is judged when its string is complete
		{"a bad key and nothing more", `{"a"`, "scope", "/a"},
		{"a bad key and no colon", `{"a" true}`, "scope", "/a"},
		{"half a bad key", `{"a`, "syntax", ""},
		{"a misplaced key and no colon", `{"credential:a": {"integration:b"]`, "nesting", "/credential:a/integration:b"},
		{"a repeated key and no colon", `{"integration:a": true, "integration:a" x`, "duplicate", "/integration:a"},
		{"a good key and no colon", `{"integration:a" x`, "syntax", ""},

		// A path is judged when its value is complete, before the comma
		{"the same path and no comma", `{"credential:*": true, "integration:*": {"credential:*": false x`, "duplicate", "/integration:*/credential:*"},
		{"the same path and half a value", `{"credential:*": true, "integration:*": {"credential:*": fals`, "syntax", ""},
		{"the same path and half an array", `{"credential:*": true, "integration:*": {"credential:*": ["events"`, "syntax", ""},
		{"the same path and a whole array", `{"credential:*": true, "integration:*": {"credential:*": ["events"]`, "duplicate", "/integration:*/credential:*"},
		{"a bad key after good ones", `{"integration:a": {"credential:ext:b": {"configuration:*": true}}, "integration:b": true, "integration:a ": 1}`, "scope", "/integration:a "},

		// One key: repeated key, scope, nesting, value, same path
		{"a repeated key before its value", `{"integration:a": true, "integration:a": 7}`, "duplicate", "/integration:a"},
		{"a scope before nesting", `{"integration:a": {"integration:": true}}`, "scope", "/integration:a/integration:"},
		{"a scope before its value", `{"a": 7}`, "scope", "/a"},
		{"nesting before the value", `{"credential:a": {"credential:b": 7}}`, "nesting", "/credential:a/credential:b"},
		{"nesting of a map before the map", `{"configuration:a": {"a": 7}}`, "nesting", "/configuration:a"},
		{"the value before the same path", `{"credential:*": true, "integration:*": {"credential:*": 7}}`, "type", "/integration:*/credential:*"},
		{"a name before the same path", `{"credential:*": true, "integration:*": {"credential:*": ["a"]}}`, "permission", "/integration:*/credential:*/0"},

		// The order of the text
		{"a mistake before a syntax mistake", `{"a": true,,}`, "scope", "/a"},
		{"a syntax mistake before a mistake", `{"integration:*": true,, "a": true}`, "syntax", ""},
		{"a mistake before trailing data", `{"integration:*": 7} {}`, "type", "/integration:*"},
		{"a name before a type", `{"integration:*": ["a", 7]}`, "permission", "/integration:*/0"},
		{"a type before a name", `{"integration:*": [7, "a"]}`, "type", "/integration:*/0"},
		{"inside before after", `{"integration:a": {"credential:b": 7}, "b": true}`, "type", "/integration:a/credential:b"},

		// After the top-level value
		{"a second object", `{}{}`, "syntax", ""},
		{"a comma behind", `{},`, "syntax", ""},
		{"a bracket behind", `{}}`, "syntax", ""},
		{"a word behind", `{} x`, "syntax", ""},
		{"a colon behind", `{}:`, "syntax", ""},
		{"deep garbage behind", `{}` + strings.Repeat("[", 1_000_000), "syntax", ""},

		// Nothing is deep
		{"deep arrays at the top", strings.Repeat("[", 1_000_000), "type", ""},
		{"deep objects at the top", strings.Repeat(`{"":`, 1_000_000), "scope", "/"},
		{"deep arrays for a grant", `{"integration:*":` + strings.Repeat("[", 1_000_000), "type", "/integration:*/0"},
		{"deep maps", strings.Repeat(`{"integration:*":`, 1_000_000), "nesting", "/integration:*/integration:*"},
		{"deep maps in a configuration", `{"configuration:*":` + strings.Repeat(`{"configuration:*":`, 1_000_000), "nesting", "/configuration:*"},

		// Duplicates
		{"a repeated holder and rule", `{"credential:a": {"configuration:b": true}, "credential:a": true}`, "duplicate", "/credential:a"},
		{"a repeated key below", `{"credential:a": {"configuration:b": true, "configuration:b": true}}`, "duplicate", "/credential:a/configuration:b"},
		{"one path by two holders of one UUID", `{"credential:` + uuid + `": {"configuration:a": true}, "credential:` + strings.ToUpper(uuid) + `": {"configuration:a": true}}`,
			"duplicate", "/credential:" + strings.ToUpper(uuid) + "/configuration:a"},
		{"the root is not repeated by its own spelling", `{"integration:*": true, "integration:\u002a": true}`, "duplicate", "/integration:*"},

		// Pointers
		{"an escape in a pointer is decoded", `{"integration:\u0061\/\u007e": 7}`, "type", "/integration:a~1~0"},
		{"a tilde and a one", `{"integration:~1": {"credential:/": 7}}`, "type", "/integration:~01/credential:~1"},
		{"the tenth name", `{"integration:*": ["events","events","events","events","events","events","events","events","events","events","x"]}`, "permission", "/integration:*/10"},

		// Strings that are no Unicode
		{"a lone high surrogate in a name", `{"integration:a\ud800": true}`, "scope", "/integration:a\uFFFD"},
		{"a lone low surrogate in a name", `{"integration:a\udc00b": true}`, "scope", "/integration:a\uFFFDb"},
		{"a lone surrogate in an external ID", `{"credential:ext:\ud800": true}`, "scope", "/credential:ext:\uFFFD"},
		{"invalid UTF-8 in a name", "{\"integration:a\xff\": true}", "scope", "/integration:a\uFFFD"},
		{"invalid UTF-8 in an external ID", "{\"configuration:ext:\xc3\": true}", "scope", "/configuration:ext:\uFFFD"},
		{"a lone surrogate in a permission", `{"integration:*": ["events\ud800"]}`, "permission", "/integration:*/0"},

		// 2.3 and 2.4
		{"a kind with a space", `{" integration:*": true}`, "scope", "/ integration:*"},
		{"two stars", `{"integration:**": true}`, "scope", "/integration:**"},
		{"a star behind a colon", `{"integration::*": true}`, "scope", "/integration::*"},
		{"ext in mixed case for an integration", `{"integration:eXt:a": true}`, "scope", "/integration:eXt:a"},
		{"ext for an integration", `{"integration:ext": true}`, "scope", "/integration:ext"},
		{"ext without a second colon and with a star", `{"credential:ext*": true}`, "scope", "/credential:ext*"},
		{"an ID that ends with an ideographic space", `{"credential:a\u3000": true}`, "scope", "/credential:a\u3000"},
		{"an external ID that begins with a next line", `{"credential:ext:\u0085a": true}`, "scope", "/credential:ext:\u0085a"},
		{"a C1 control inside", `{"credential:a\u009fb": true}`, "scope", "/credential:a\u009fb"},
		{"a delete inside", `{"credential:a\u007fb": true}`, "scope", "/credential:a\u007fb"},
		{"a replacement character in an external ID", `{"credential:ext:\ufffd": true}`, "scope", "/credential:ext:\uFFFD"},

		// 6.3 without AcceptString
		{"a string at the top", `"{}"`, "type", ""},
	} {
		policy, mistake := reference.Parse([]byte(c.claim), reference.Options{})
		assert.Nil(t, policy, c.name)
		assert.Equal(t, &reference.Mistake{Kind: c.kind, Pointer: c.pointer}, mistake, c.name)
	}
}

func TestMistakeError(t *testing.T) {
	_, mistake := reference.Parse([]byte(`{"a/b": true}`), reference.Options{})
	require.NotNil(t, mistake)
	assert.EqualError(t, mistake, `scope mistake at "/a~1b"`)
}

// 2.1 to 2.8: what is no mistake, and the rules that come of it.
func TestRules(t *testing.T) {
	upper := strings.ToUpper(uuid)
	for _, c := range []struct {
		name, claim string
		paths       [][]string
		pointers    []string
	}{
		{"nothing", `{}`, nil, nil},
		{"white space", " \t\r\n{ \t\r\n} \t\r\n", nil, nil},
		{"an empty holder", `{"integration:a": {}, "credential:b": {}}`, nil, nil},
		{"all that is skipped is filled in", `{"configuration:a": true, "credential:b": {"configuration:ext:c": true}, "integration:d": {"configuration:*": true}}`,
			[][]string{
				{"integration:*", "credential:*", "configuration:a"},
				{"integration:*", "credential:b", "configuration:ext:c"},
				{"integration:d", "credential:*", "configuration:*"},
			},
			[]string{"/configuration:a", "/credential:b/configuration:ext:c", "/integration:d/configuration:*"}},
		{"the order of the text", `{"credential:b": [], "integration:a": {"credential:c": false}, "credential:a": true}`,
			[][]string{{"integration:*", "credential:b"}, {"integration:a", "credential:c"}, {"integration:*", "credential:a"}},
			[]string{"/credential:b", "/integration:a/credential:c", "/credential:a"}},
		{"a UUID is shown in lower case and pointed at as it is written", `{"credential:` + upper + `": {"configuration:` + upper + `": true}}`,
			[][]string{{"integration:*", "credential:" + uuid, "configuration:" + uuid}},
			[]string{"/credential:" + upper + "/configuration:" + upper}},
		{"two holders of one UUID", `{"credential:` + uuid + `": {"configuration:a": true}, "credential:` + upper + `": {"configuration:b": true}}`,
			[][]string{{"integration:*", "credential:" + uuid, "configuration:a"}, {"integration:*", "credential:" + uuid, "configuration:b"}},
			[]string{"/credential:" + uuid + "/configuration:a", "/credential:" + upper + "/configuration:b"}},
		{"what looks like a UUID elsewhere", `{"integration:` + upper + `": true, "credential:ext:` + upper + `": true, "credential:` + upper + `0": true, "credential:G` + upper[1:] + `": true}`,
			[][]string{{"integration:" + upper}, {"integration:*", "credential:ext:" + upper}, {"integration:*", "credential:" + upper + "0"}, {"integration:*", "credential:G" + upper[1:]}},
			[]string{"/integration:" + upper, "/credential:ext:" + upper, "/credential:" + upper + "0", "/credential:G" + upper[1:]}},
		{"an ID and an external ID", `{"credential:a": true, "credential:ext:a": true}`,
			[][]string{{"integration:*", "credential:a"}, {"integration:*", "credential:ext:a"}},
			[]string{"/credential:a", "/credential:ext:a"}},
		{"external IDs are free", `{"credential:ext:ext:a": true, "credential:ext:ext": true, "credential:ext:EXT:*": true, "credential:ext:**": true, "credential:ext::": true}`,
			[][]string{{"integration:*", "credential:ext:ext:a"}, {"integration:*", "credential:ext:ext"}, {"integration:*", "credential:ext:EXT:*"}, {"integration:*", "credential:ext:**"}, {"integration:*", "credential:ext::"}},
			[]string{"/credential:ext:ext:a", "/credential:ext:ext", "/credential:ext:EXT:*", "/credential:ext:**", "/credential:ext::"}},
		{"IDs hold colons and more", `{"integration:a:b c": true, "credential::": true, "configuration:extra": true, "configuration:next:a": true}`,
			[][]string{{"integration:a:b c"}, {"integration:*", "credential::"}, {"integration:*", "credential:*", "configuration:extra"}, {"integration:*", "credential:*", "configuration:next:a"}},
			[]string{"/integration:a:b c", "/credential::", "/configuration:extra", "/configuration:next:a"}},
		{"a surrogate pair", `{"integration:\ud83d\ude00": true}`, [][]string{{"integration:😀"}}, []string{"/integration:😀"}},
		{"escapes", `{"\u0069ntegration\u003a\/\"": true}`, [][]string{{`integration:/"`}}, []string{`/integration:~1"`}},
		{"what is not white space and not Cc", `{"integration:\u200ba\u2060": true}`, [][]string{{"integration:\u200ba\u2060"}}, []string{"/integration:\u200ba\u2060"}},
		{"Unicode is not normalized", `{"integration:\u00e9": true, "integration:e\u0301": true}`, [][]string{{"integration:\u00e9"}, {"integration:e\u0301"}}, []string{"/integration:\u00e9", "/integration:e\u0301"}},
	} {
		var paths [][]string
		var pointers []string
		for _, rule := range parse(t, c.claim, reference.Options{}).Rules() {
			paths = append(paths, rule.Path)
			pointers = append(pointers, rule.Pointer)
		}
		assert.Equal(t, c.paths, paths, c.name)
		assert.Equal(t, c.pointers, pointers, c.name)
	}
}

// 6.3
func TestAcceptString(t *testing.T) {
	accept := reference.Options{AcceptString: true}
	quote := func(s string) string {
		text, err := json.Marshal(s)
		require.NoError(t, err)
		return string(text)
	}

	for _, claim := range []string{`{"integration:a/b": true}`, quote(`{"integration:a/b": true}`), ` "{\"integration:\u0061\\\/b\":true}" `} {
		rules := parse(t, claim, accept).Rules()
		require.Len(t, rules, 1, claim)
		assert.Equal(t, "/integration:a~1b", rules[0].Pointer, claim)
	}

	for _, c := range []struct{ name, claim, kind, pointer string }{
		{"a string in the string", quote(quote(`{}`)), "type", ""},
		{"null in the string", quote(`null`), "type", ""},
		{"an array in the string", quote(`[]`), "type", ""},
		{"null", `null`, "type", ""},
		{"an empty string", `""`, "syntax", ""},
		{"half an object in the string", quote(`{`), "syntax", ""},
		{"trailing data in the string", quote(`{} x`), "syntax", ""},
		{"trailing data behind the string", quote(`{}`) + " x", "syntax", ""},
		{"a second string", quote(`{}`) + quote(`{}`), "syntax", ""},
		{"a mistake before trailing data", quote(`{"a": true}`) + " x", "scope", "/a"},
		{"half a string", `"{}`, "syntax", ""},
		{"a mistake in the string", quote(`{"integration:a": {"credential:b": 7}}`), "type", "/integration:a/credential:b"},
		{"a lone surrogate in the string in the string", `"{\"integration:\\ud800\": true}"`, "scope", "/integration:\uFFFD"},
		{"a lone surrogate in the string", `"{\"integration:\ud800\": true}"`, "scope", "/integration:\uFFFD"},
		{"a grant that is a string", `{"integration:a": "[]"}`, "type", "/integration:a"},
		{"a map that is a string", `{"integration:a": "{}"}`, "type", "/integration:a"},
		{"deep arrays in the string", quote(strings.Repeat("[", 1_000_000)), "type", ""},
	} {
		policy, mistake := reference.Parse([]byte(c.claim), accept)
		assert.Nil(t, policy, c.name)
		assert.Equal(t, &reference.Mistake{Kind: c.kind, Pointer: c.pointer}, mistake, c.name)
	}
}

// 1.9
func TestUnknownPermissions(t *testing.T) {
	const claim = `{"integration:*": ["reports", "events"], "integration:slack": ["Reports"]}`

	_, mistake := reference.Parse([]byte(claim), reference.Options{})
	assert.Equal(t, &reference.Mistake{Kind: "permission", Pointer: "/integration:*/0"}, mistake)

	extra := reference.Options{Extra: []string{"reports", "events", "reports"}}
	_, mistake = reference.Parse([]byte(claim), extra)
	assert.Equal(t, &reference.Mistake{Kind: "permission", Pointer: "/integration:slack/0"}, mistake)

	extra.IgnoreUnknown = true
	policy := parse(t, claim, extra)
	assert.True(t, policy.Decide("reports", user).Allowed)
	assert.Equal(t, []string{"events", "reports"}, policy.Permissions(user), "each once")
	assert.Empty(t, policy.Permissions(reference.Target{Integration: "slack"}))
	assert.False(t, policy.Decide("Reports", reference.Target{Integration: "slack"}).Allowed, "an ignored name grants nothing")
	assert.False(t, policy.Visible(reference.Target{Integration: "slack"}))

	policy = parse(t, claim, reference.Options{IgnoreUnknown: true})
	assert.False(t, policy.Decide("reports", user).Allowed, "an ignored name grants nothing")
	assert.True(t, policy.Decide("events", user).Allowed)

	_, mistake = reference.Parse([]byte(`{"integration:*": ["reports", null]}`), reference.Options{IgnoreUnknown: true})
	assert.Equal(t, &reference.Mistake{Kind: "type", Pointer: "/integration:*/1"}, mistake)
}

func TestExtrasInVisibility(t *testing.T) {
	const claim = `{"integration:slack": {"credential:*": ["reports"]}}`
	policy := parse(t, claim, reference.Options{Extra: []string{"reports"}})
	assert.True(t, policy.Visible(reference.Target{Integration: "slack"}))
	assert.True(t, policy.Visible(user))
	assert.False(t, policy.Visible(reference.Target{Integration: "jira"}))
	assert.False(t, parse(t, claim, reference.Options{IgnoreUnknown: true}).Visible(user))

	// Nobody can ask about the empty name. // 3.2
	policy = parse(t, `{"integration:*": [""]}`, reference.Options{Extra: []string{""}})
	assert.False(t, policy.Visible(user))
	assert.Empty(t, policy.Permissions(user))
	assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("", user))
}

func TestPermissions(t *testing.T) {
	policy := parse(t, `{"integration:*": true, "integration:slack": ["metadata:write", "settings:read"]}`, reference.Options{Extra: []string{"b", "a"}})
	assert.Equal(t, []string{
		"credential:write", "config:write", "settings:read", "settings:write", "metadata:read", "metadata:write",
		"proxy-api", "events", "workflows", "b", "a",
	}, policy.Permissions(user))
	assert.Equal(t, []string{"settings:read", "metadata:read", "metadata:write"}, policy.Permissions(reference.Target{Integration: "slack"}))
	assert.Empty(t, policy.Permissions(reference.Target{Integration: "*"}), "invalid")
	assert.True(t, policy.Decide("anything at all", user).Allowed, "1.6")
}

// 7.2
func TestNoPolicy(t *testing.T) {
	for name, policy := range map[string]*reference.Policy{"nil": nil, "zero": {}} {
		for _, target := range []reference.Target{user, {Integration: "slack"}, inSlack(given("a")), inSlack(none)} {
			assert.Equal(t, reference.Decision{}, policy.Decide("events", target), name)
			assert.Empty(t, policy.Permissions(target), name)
			assert.False(t, policy.Visible(target), name)
		}
		assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("", user), name)
		assert.Empty(t, policy.Rules(), name)
	}
}

// 3.2 and 2.4
func TestValidTarget(t *testing.T) {
	full := reference.Target{
		Integration: "slack", CredentialID: given(uuid), CredentialExternalID: none,
		ConfigurationID: none, ConfigurationExternalID: given("ext:*"),
	}
	for _, target := range []reference.Target{user, {Integration: "a:b"}, inSlack(none), inSlack(given("a:b c")), full} {
		assert.True(t, reference.ValidTarget(target), "%+v", target)
	}

	invalid := []reference.Target{
		{CredentialID: none},
		{CredentialExternalID: given("a")},
		{ConfigurationID: none},
		{Integration: "slack", ConfigurationID: none},
		{Integration: "slack", CredentialID: reference.Identifier{State: 7}},
	}
	for _, name := range []string{"", "*", "a*", "ext", "Ext", "eXT:a", " a", "a\u2003", "a\x00b", "a\xff", "a\uFFFD"} {
		invalid = append(invalid, inSlack(given(name)))
		inCredential := inSlack(given("a"))
		inCredential.ConfigurationID = given(name)
		invalid = append(invalid, inCredential)
		if name != "" {
			invalid = append(invalid, reference.Target{Integration: name})
		}
	}
	for _, name := range []string{"", "*", " a", "a\t", "a\u0085b", "a\xff", "\uFFFD"} {
		invalid = append(invalid, reference.Target{Integration: "slack", CredentialExternalID: given(name)})
		inCredential := inSlack(given("a"))
		inCredential.ConfigurationExternalID = given(name)
		invalid = append(invalid, inCredential)
	}
	policy := parse(t, `{"integration:*": true}`, reference.Options{})
	for _, target := range invalid {
		assert.False(t, reference.ValidTarget(target), "%+v", target)
		assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("events", target), "%+v", target)
		assert.False(t, policy.Visible(target), "%+v", target)
		assert.Empty(t, policy.Permissions(target), "%+v", target)
	}
}

// 2.5: in targets, too.
func TestUUIDsInTargets(t *testing.T) {
	policy := parse(t, `{"credential:`+uuid+`": true, "credential:ext:`+uuid+`": ["events"], "credential:abc": true, "integration:`+uuid+`": true}`, reference.Options{})
	upper := strings.ToUpper(uuid)
	assert.True(t, policy.Decide("proxy-api", inSlack(given(upper))).Allowed)
	assert.True(t, policy.Visible(inSlack(given(upper))))
	assert.False(t, policy.Decide("proxy-api", inSlack(given("ABC"))).Allowed)
	assert.False(t, policy.Decide("events", reference.Target{Integration: "slack", CredentialID: none, CredentialExternalID: given(upper)}).Allowed)
	assert.False(t, policy.Decide("events", reference.Target{Integration: upper}).Allowed)
}

// 4.7 with both levels open, and only by a pair of identifiers.
func TestUndetermined(t *testing.T) {
	policy := parse(t, `{"integration:*": true, "credential:`+uuid+`": {"configuration:ext:x": false}, "configuration:`+otherUUID+`": true}`, reference.Options{})
	target := reference.Target{Integration: "slack", CredentialExternalID: given("acme"), ConfigurationID: given("c")}
	assert.Equal(t, reference.Decision{Undetermined: true}, policy.Decide("events", target), "it takes both identifiers")

	target.ConfigurationID = given(otherUUID)
	decision := policy.Decide("events", target)
	assert.True(t, decision.Allowed, "an ID is above an external ID")
	assert.Equal(t, "/configuration:"+otherUUID, decision.Rule.Pointer)

	target.ConfigurationID = given("c")
	target.CredentialID = none
	assert.True(t, policy.Decide("events", target).Allowed, "one of the two is known")

	assert.True(t, policy.Visible(reference.Target{Integration: "slack", CredentialExternalID: given("acme"), ConfigurationID: given("c")}),
		"open counts as none in 5.1")
}

// 5.1
func TestVisible(t *testing.T) {
	configurationOf := func(credential, configuration reference.Identifier) reference.Target {
		return reference.Target{Integration: "slack", CredentialID: credential, ConfigurationExternalID: configuration}
	}
	for _, c := range []struct {
		name, claim string
		target      reference.Target
		visible     bool
	}{
		{"an integration that no rule names", `{"integration:a": false, "credential:*": true}`, user, true},
		{"only an integration that no rule names", `{"credential:*": true, "integration:unused": {"credential:*": false}}`, user, true},
		{"every other integration below the user", `{"integration:*": false, "integration:a": true}`, user, true},
		{"a pair of identifiers", `{"credential:a": {"configuration:ext:b": true}, "configuration:b": false}`, reference.Target{Integration: "slack"}, true},
		{"a pair of identifiers that a target excludes", `{"credential:a": {"configuration:ext:b": true}}`, inSlack(given("b")), false},
		{"below a denied credential", `{"credential:a": false, "configuration:ext:b": true}`, inSlack(given("a")), true},
		{"below a credential, overridden everywhere", `{"credential:a": true, "configuration:*": false}`, configurationOf(given("a"), given("x")), false},
		{"the credential itself all the same", `{"credential:a": true, "configuration:*": false}`, inSlack(given("a")), true},
		{"an external ID that is open", `{"credential:ext:a": true}`, inSlack(given("b")), false},
		{"an external ID that is open and would deny", `{"credential:*": true, "credential:ext:a": false}`, inSlack(given("b")), true},
		{"connecting, with an external ID that 4.3 opens", `{"integration:a": {"credential:*": ["credential:write"], "credential:ext:b": false}}`, reference.Target{Integration: "a"}, true},
		{"only connecting counts as below", `{"integration:slack": ["credential:write"], "credential:*": false}`, reference.Target{Integration: "slack"}, false},
		{"a permission of no table", `{"integration:slack": true, "credential:*": false}`, reference.Target{Integration: "slack"}, true},
	} {
		assert.Equal(t, c.visible, parse(t, c.claim, reference.Options{}).Visible(c.target), c.name)
	}
}

// 4.4 and 4.5 do not depend on the order of the text.
func TestOrderOfRules(t *testing.T) {
	a := parse(t, `{"integration:*": true, "integration:slack": false, "credential:*": true}`, reference.Options{})
	b := parse(t, `{"credential:*": true, "integration:slack": false, "integration:*": true}`, reference.Options{})
	for _, target := range []reference.Target{user, {Integration: "slack"}, {Integration: "jira"}, inSlack(none)} {
		decision := a.Decide("events", target)
		require.NotNil(t, decision.Rule)
		assert.Equal(t, decision.Rule.Path, b.Decide("events", target).Rule.Path)
	}
}

func TestRulesAreACopy(t *testing.T) {
	policy := parse(t, `{"integration:*": true}`, reference.Options{})
	policy.Rules()[0] = reference.Rule{}
	assert.True(t, policy.Decide("events", user).Allowed)
}

// What SPEC.md says follows from its definitions, on random claims.
func TestConsequences(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 7))
	const claims, targets = 3_000, 10
	counts := map[string]int{}
	for range claims {
		policy, mistake := reference.Parse([]byte(randomClaim(random)), reference.Options{})
		if mistake != nil {
			require.Equal(t, "duplicate", mistake.Kind)
			continue
		}
		for range targets {
			target := randomTarget(random)
			action := pick(random, "credential:write", "config:write", "settings:read", "events")
			decision := policy.Decide(action, target)
			require.False(t, decision.Invalid)
			about := fmt.Sprintf("%v\n%s of %+v", policy.Rules(), action, target)

			// 4.7: single rules are enough
			if decision.Allowed || decision.Undetermined {
				denied := false
				for _, rule := range policy.Rules() {
					denied = denied || !policy.Decide(action, fillIn(created(action, target), rule)).Allowed
				}
				require.Equal(t, decision.Undetermined, denied, about)
			}
			if decision.Undetermined {
				counts["undetermined"]++
				require.False(t, decision.Allowed, about)
				require.Nil(t, decision.Rule, about)
			}
			// 5.1: what is allowed is visible, and so is what it is in
			if decision.Allowed {
				counts["allowed"]++
				require.True(t, policy.Visible(target), about)
			}
			if policy.Visible(target) {
				counts["visible"]++
				require.True(t, policy.Visible(closed(above(target))), about)
			}
		}
	}
	for _, count := range []string{"allowed", "undetermined", "visible"} {
		assert.Greater(t, counts[count], 100, count)
	}
}

func pick[T any](random *rand.Rand, from ...T) T {
	return from[random.IntN(len(from))]
}

func randomClaim(random *rand.Rand) string {
	grant := func() string {
		return pick(random, `true`, `false`, `["credential:write","config:write"]`, `["events"]`)
	}
	var members []string
	for range random.IntN(5) {
		key := pick(random, "*", "a", "b")
		credential := pick(random, "*", "a", "b", "ext:a", "ext:b")
		configuration := pick(random, "*", "a", "b", "ext:a", "ext:b")
		members = append(members, pick(random,
			fmt.Sprintf(`"integration:%s": %s`, key, grant()),
			fmt.Sprintf(`"credential:%s": %s`, credential, grant()),
			fmt.Sprintf(`"configuration:%s": %s`, configuration, grant()),
			fmt.Sprintf(`"integration:%s": {"credential:%s": %s}`, key, credential, grant()),
			fmt.Sprintf(`"credential:%s": {"configuration:%s": %s}`, credential, configuration, grant()),
			fmt.Sprintf(`"integration:%s": {"credential:%s": {"configuration:%s": %s}}`, key, credential, configuration, grant()),
		))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func randomTarget(random *rand.Rand) reference.Target {
	identifier := func() reference.Identifier {
		return pick(random, none, given("a"), given("b"), given("c"), reference.Identifier{}, reference.Identifier{})
	}
	target := reference.Target{Integration: pick(random, "", "a", "b", "c")}
	if target.Integration != "" {
		target.CredentialID, target.CredentialExternalID = identifier(), identifier()
	}
	if target.CredentialID != (reference.Identifier{}) || target.CredentialExternalID != (reference.Identifier{}) {
		target.ConfigurationID, target.ConfigurationExternalID = identifier(), identifier()
	}
	return target
}

// created is 4.3, said in the target instead of the action.
func created(action string, target reference.Target) reference.Target {
	open := reference.Identifier{}
	noCredential := target.CredentialID == open && target.CredentialExternalID == open
	noConfiguration := target.ConfigurationID == open && target.ConfigurationExternalID == open
	switch {
	case action == "credential:write" && target.Integration != "" && noCredential:
		target.CredentialID = none
	case action == "config:write" && !noCredential && noConfiguration:
		target.ConfigurationID = none
	}
	return target
}

// fillIn fills in those open identifiers that the rule names, where the target names the level.
func fillIn(target reference.Target, rule reference.Rule) reference.Target {
	fill := func(kind string, id, external *reference.Identifier) {
		if id.State == reference.Open && external.State == reference.Open {
			return
		}
		for _, scope := range rule.Path {
			name, found := strings.CutPrefix(scope, kind+":")
			if !found || name == "*" {
				continue
			}
			slot := id
			if suffix, isExternal := strings.CutPrefix(name, "ext:"); isExternal {
				name, slot = suffix, external
			}
			if slot.State == reference.Open {
				*slot = given(name)
			}
		}
	}
	fill("credential", &target.CredentialID, &target.CredentialExternalID)
	fill("configuration", &target.ConfigurationID, &target.ConfigurationExternalID)
	return target
}

// above returns what the target is in.
func above(target reference.Target) reference.Target {
	open := reference.Identifier{}
	switch {
	case target.ConfigurationID != open || target.ConfigurationExternalID != open:
		target.ConfigurationID, target.ConfigurationExternalID = open, open
	case target.CredentialID != open || target.CredentialExternalID != open:
		target.CredentialID, target.CredentialExternalID = open, open
	default:
		return user
	}
	return target
}

// closed says none of what is open at a level that the target names.
func closed(target reference.Target) reference.Target {
	if target.CredentialID.State == reference.Open && target.CredentialExternalID.State != reference.Open {
		target.CredentialID = none
	} else if target.CredentialExternalID.State == reference.Open && target.CredentialID.State != reference.Open {
		target.CredentialExternalID = none
	}
	return target
}
