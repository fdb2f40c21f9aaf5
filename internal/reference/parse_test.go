package reference_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/reference"
)

// A mistakeCase is a claim and the first mistake in it.
type mistakeCase struct{ name, claim, kind, pointer string }

func checkMistakes(t *testing.T, o reference.Options, cases []mistakeCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			policy, mistake := reference.Parse([]byte(ids(c.claim)), o)
			assert.Nil(t, policy)
			assert.Equal(t, &reference.Mistake{Kind: c.kind, Pointer: ids(c.pointer)}, mistake)
		})
	}
}

// SPEC 6.2: not well-formed JSON.
func TestSyntaxMistakes(t *testing.T) {
	checkMistakes(t, reference.Options{}, []mistakeCase{
		{"no comma in an object", `{"integration:a": true "integration:b": true}`, "syntax", ""},
		{"no comma in an array", `{"integration:a": ["events" "workflows"]}`, "syntax", ""},
		{"no colon", `{"integration:a" true}`, "syntax", ""},
		{"two colons", `{"integration:a":: true}`, "syntax", ""},
		{"a comma instead of a colon", `{"integration:a", true}`, "syntax", ""},
		{"a colon instead of a comma in an array", `{"integration:a": ["events": "workflows"]}`, "syntax", ""},
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
		{"a byte order mark at the end", "{}\uFEFF", "syntax", ""},
		{"invalid UTF-8 outside a string", "{\"integration:a\": true\xff}", "syntax", ""},
		{"a no-break space", "\u00a0{}", "syntax", ""},
		{"a form feed", "\f{}", "syntax", ""},
		{"a NUL", "{}\x00", "syntax", ""},
		{"a line break in a key", "{\"integration:a\n\": true}", "syntax", ""},
		{"an unknown escape in a key", `{"integration:\a": true}`, "syntax", ""},
		{"half an escape in a key", `{"integration:\u00": true}`, "syntax", ""},
		{"a literal in the wrong case", `{"integration:a": True}`, "syntax", ""},
		{"not a number", `{"integration:a": NaN}`, "syntax", ""},
		{"a comment at the beginning", `// all` + "\n" + `{}`, "syntax", ""},

		{"a second object", `{}{}`, "syntax", ""},
		{"a comma after the object", `{},`, "syntax", ""},
		{"a bracket after the object", `{}}`, "syntax", ""},
		{"a word after the object", `{} x`, "syntax", ""},
		{"a colon after the object", `{}:`, "syntax", ""},
		{"deep arrays after the object", `{}` + strings.Repeat("[", 1_000_000), "syntax", ""},
	})
}

// On random texts, a syntax mistake is reported only if encoding/json finds the text malformed too, and a
// text that it finds malformed is always refused.
func TestSyntaxAgreesWithJSON(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 2))
	pieces := []string{
		"{", "{", "}", "}", "[", "]", ",", ":", " ", "\n", `"integration:a":`, `"integration:b":`, `"credential:*":`,
		`"sub":`, `"a"`, `"events"`, `"\u0061"`, `"\ud800"`, `"`, `\`, "true", "false", "null", "nul", "0", "1", "-", ".5",
		"e1", "x", "\xff", "\uFEFF", "{}", "[]", `{"integration:*":true}`, `["events"]`,
	}
	var read, syntax, other, targets int
	for range 200_000 {
		var b strings.Builder
		b.WriteString(pick(random, "", "{", `{"integration:a":`))
		for range random.IntN(6) {
			b.WriteString(pick(random, pieces...))
		}
		b.WriteString(pick(random, "", "}"))
		text := []byte(b.String())
		valid := json.Valid(text)

		policy, mistake := reference.Parse(text, reference.Options{IgnoreUnknown: true})
		claims, claimsMistake := reference.ParseClaims(text, reference.Options{})
		_, isTarget := reference.ParseTarget(text)
		require.Equal(t, mistake == nil, policy != nil, "%q", text)
		require.Equal(t, claimsMistake == nil, claims != nil, "%q", text)
		switch {
		case mistake == nil:
			read++
			require.True(t, valid, "%q", text)
		case mistake.Kind == "syntax":
			syntax++
			require.False(t, valid, "%q", text)
		default:
			other++
		}
		if claimsMistake == nil {
			require.True(t, valid, "%q", text)
		} else if claimsMistake.Kind == "syntax" {
			require.False(t, valid, "%q", text)
		}
		if isTarget {
			targets++
			require.True(t, valid, "%q", text)
		}
	}
	t.Log(read, syntax, other, targets)
	for what, count := range map[string]int{"read": read, "syntax": syntax, "other": other, "targets": targets} {
		assert.Greater(t, count, 1000, what)
	}
}

// SPEC 6.2: a literal or a string is judged at its last character.
func TestScalarsAreJudgedWhenComplete(t *testing.T) {
	checkMistakes(t, reference.Options{}, []mistakeCase{
		{"half a literal", `{"integration:a": nul`, "syntax", ""},
		{"half a string", `{"integration:a": "events`, "syntax", ""},
		{"half a name", `{"integration:a": ["event`, "syntax", ""},
		{"a bad escape in a name", `{"integration:a": ["\x"]}`, "syntax", ""},
		{"half a literal in an array", `{"integration:a": [fals]}`, "syntax", ""},
		{"half a literal at the top level", `nul`, "syntax", ""},
		{"half a string at the top level", `"{}`, "syntax", ""},
		{"a literal and no more", `{"integration:a": null`, "type", "/integration:a"},
		{"a string and no more", `{"integration:a": "events"`, "type", "/integration:a"},
		{"a literal and a letter", `{"integration:a": nullx}`, "type", "/integration:a"},
		{"a string and a letter", `{"integration:a": "events"x}`, "type", "/integration:a"},
		{"true and a letter", `{"integration:a": truex}`, "syntax", ""},
		{"a literal and a letter in an array", `{"integration:a": [true x`, "type", "/integration:a/0"},
		{"a literal and a letter at the top level", `null x`, "type", ""},
	})
}

// SPEC 6.2: a number is judged at the first character that cannot continue it.
func TestNumbersAreJudgedAfterTheirEnd(t *testing.T) {
	checkMistakes(t, reference.Options{}, []mistakeCase{
		{"a comma", `{"integration:a": 1,`, "type", "/integration:a"},
		{"a space", `{"integration:a": 1 x`, "type", "/integration:a"},
		{"a tab", "{\"integration:a\": 1\tx", "type", "/integration:a"},
		{"a carriage return", "{\"integration:a\": 1\rx", "type", "/integration:a"},
		{"a line feed", "{\"integration:a\": 1\nx", "type", "/integration:a"},
		{"the bracket of the object", `{"integration:a": 1}`, "type", "/integration:a"},
		{"the bracket of the array", `{"integration:a": [1]`, "type", "/integration:a/0"},
		{"a comma in an array", `{"integration:a": [1,`, "type", "/integration:a/0"},
		{"all parts of a number", `{"integration:a": -10.50e+07}`, "type", "/integration:a"},
		{"a number beyond float64", `{"integration:a": -1e999}`, "type", "/integration:a"},
		{"the end of the text at the top level", `7`, "type", ""},
		{"a space at the top level", `7 x`, "type", ""},

		{"a leading zero", `{"integration:a": 01}`, "syntax", ""},
		{"a leading zero after a minus", `{"integration:a": -01}`, "syntax", ""},
		{"a leading zero at the top level", `01`, "syntax", ""},
		{"a leading zero in an array", `{"integration:a": [00]}`, "syntax", ""},
		{"no digit after the point", `{"integration:a": 1.}`, "syntax", ""},
		{"the text ends after the point", `{"integration:a": 1.`, "syntax", ""},
		{"no digit in the exponent", `{"integration:a": 1e}`, "syntax", ""},
		{"no digit after the sign of the exponent", `{"integration:a": 1e+}`, "syntax", ""},
		{"only a minus", `{"integration:a": -}`, "syntax", ""},
		{"a plus", `{"integration:a": +1}`, "syntax", ""},
		{"a second point", `{"integration:a": 1.5.2}`, "syntax", ""},
		{"a letter", `{"integration:a": 1x}`, "syntax", ""},
		{"a hexadecimal number", `{"integration:a": 0x1}`, "syntax", ""},
		{"a string", `{"integration:a": 1"x"}`, "syntax", ""},
		{"a colon", `{"integration:a": 1:`, "syntax", ""},
		{"an opening bracket", `{"integration:a": 1{`, "syntax", ""},
		{"the bracket of an array in an object", `{"integration:a": 1]`, "syntax", ""},
		{"the bracket of an object in an array", `{"integration:a": [1}`, "syntax", ""},
		{"the end of the text in an object", `{"integration:a": 12`, "syntax", ""},
		{"the end of the text in an array", `{"integration:a": [12`, "syntax", ""},
		{"a comma at the top level", `7,`, "syntax", ""},
		{"a bracket at the top level", `7}`, "syntax", ""},
	})
}

// SPEC 6.2: a container is judged at its opening bracket.
func TestContainersAreJudgedAtTheirBracket(t *testing.T) {
	checkMistakes(t, reference.Options{}, []mistakeCase{
		{"an array at the top level", `[`, "type", ""},
		{"an array at the top level that closes wrong", `[}`, "type", ""},
		{"an array in an array", `{"integration:a": [[`, "type", "/integration:a/0"},
		{"an object in an array", `{"integration:a": ["events", {`, "type", "/integration:a/1"},
		{"a map in a configuration", `{"configuration:*": {`, "nesting", "/configuration:*"},
		{"a map in a configuration that closes wrong", `{"configuration:*": {]`, "nesting", "/configuration:*"},
		{"a closing bracket instead of a value", `{"integration:a": ]`, "syntax", ""},

		{"deep arrays at the top level", strings.Repeat("[", 1_000_000), "type", ""},
		{"deep objects at the top level", strings.Repeat(`{"":`, 1_000_000), "scope", "/"},
		{"deep arrays for a grant", `{"integration:*":` + strings.Repeat("[", 1_000_000), "type", "/integration:*/0"},
		{"deep maps", strings.Repeat(`{"integration:*":`, 1_000_000), "nesting", "/integration:*/integration:*"},
		{"deep maps in a configuration", strings.Repeat(`{"configuration:*":`, 1_000_000), "nesting", "/configuration:*"},
	})
}

// SPEC 6.2: a key is judged at its closing quotation mark, and its path when the value is complete.
func TestKeysAreJudgedInOrder(t *testing.T) {
	const samePath = `{"credential:*": true, "integration:*": {"credential:*": `
	checkMistakes(t, reference.Options{}, []mistakeCase{
		{"a bad key and no more", `{"a"`, "scope", "/a"},
		{"a bad key and no colon", `{"a" true}`, "scope", "/a"},
		{"half a bad key", `{"a`, "syntax", ""},
		{"a misplaced key and no colon", `{"credential:*": {"integration:b"]`, "nesting", "/credential:*/integration:b"},
		{"a repeated key and no colon", `{"integration:a": true, "integration:a" x`, "duplicate", "/integration:a"},
		{"a good key and no colon", `{"integration:a" x`, "syntax", ""},

		{"the same path and no comma", samePath + `false x`, "duplicate", "/integration:*/credential:*"},
		{"the same path and half a value", samePath + `fals`, "syntax", ""},
		{"the same path and half an array", samePath + `["events"`, "syntax", ""},
		{"the same path and an array", samePath + `["events"]`, "duplicate", "/integration:*/credential:*"},

		{"a repeated key before its value", `{"integration:a": true, "integration:a": 7}`, "duplicate", "/integration:a"},
		{"a scope before nesting", `{"integration:a": {"integration:": true}}`, "scope", "/integration:a/integration:"},
		{"a scope before its value", `{"a": 7}`, "scope", "/a"},
		{"nesting before the value",
			`{"credential:*": {"credential:ext:b": 7}}`, "nesting", "/credential:*/credential:ext:b"},
		{"nesting of a map before the map", `{"configuration:*": {"a": 7}}`, "nesting", "/configuration:*"},
		{"the value before the same path", samePath + `7}}`, "type", "/integration:*/credential:*"},
		{"a name before the same path", samePath + `["a"]}}`, "permission", "/integration:*/credential:*/0"},

		{"a mistake before a syntax mistake", `{"a": true,,}`, "scope", "/a"},
		{"a syntax mistake before a mistake", `{"integration:*": true,, "a": true}`, "syntax", ""},
		{"a mistake before trailing data", `{"integration:*": 7} {}`, "type", "/integration:*"},
		{"a name before a type", `{"integration:*": ["a", 7]}`, "permission", "/integration:*/0"},
		{"a type before a name", `{"integration:*": [7, "a"]}`, "type", "/integration:*/0"},
		{"inside before after", `{"integration:a": {"credential:*": 7}, "b": true}`, "type", "/integration:a/credential:*"},
		{"a bad key after good ones",
			`{"integration:a": {"credential:ext:b": {"configuration:*": true}}, "integration:a ": 1}`,
			"scope", "/integration:a "},
	})
}

// SPEC 2.3 to 2.5: what is not a scope.
func TestScopeMistakes(t *testing.T) {
	var cases []mistakeCase
	for name, key := range map[string]string{
		"a kind with a space":                        " integration:*",
		"two stars":                                  "integration:**",
		"a star after a colon":                       "integration::*",
		"a star in a name":                           "integration:a*b",
		"ext: for an integration":                    "integration:ext:a",
		"ext: in mixed case for an integration":      "integration:eXt:a",
		"the name ext":                               "integration:ext",
		"the name EXT":                               "integration:EXT",
		"ext and a star":                             "credential:ext*",
		"ext in capitals":                            "credential:EXT:a",
		"ext without a colon":                        "credential:ext",
		"a star as an external ID":                   "credential:ext:*",
		"an ID that is not a UUID":                   "credential:acme",
		"an empty ID":                                "configuration:",
		"a UUID and a space":                         "credential:<A> ",
		"a UUID and one digit more":                  "credential:<A>0",
		"a UUID with a letter that is not a digit":   "credential:g" + idA[1:],
		"a UUID with hyphens in other places":        "credential:3fa85f6-45717-4562-b3fc-2c963f66afa6",
		"a UUID with one group more":                 "credential:<A>-a",
		"a UUID with fullwidth digits":               "configuration:３fa85f6-5717-4562-b3fc-2c963f66afa6",
		"a UUID with an Arabic digit of two bytes":   "configuration:٣fa85f-5717-4562-b3fc-2c963f66afa6",
		"a UUID with underscores":                    "configuration:" + strings.ReplaceAll(idA, "-", "_"),
		"an external ID that begins with next line":  "credential:ext:\u0085a",
		"a name that ends with an ideographic space": "integration:a\u3000",
		"a C1 control character inside":              "credential:ext:a\u009fb",
		"a delete character inside":                  "integration:a\u007fb",
		"a replacement character in an external ID":  "credential:ext:a\uFFFD",
		"an external ID that is only a space":        "credential:ext: ",
	} {
		cases = append(cases, mistakeCase{name, `{"` + key + `": true}`, "scope", "/" + key})
	}
	checkMistakes(t, reference.Options{}, cases)

	checkMistakes(t, reference.Options{}, []mistakeCase{
		{"a lone high surrogate in a name", `{"integration:a\ud800": true}`, "scope", "/integration:a\uFFFD"},
		{"a lone low surrogate in a name", `{"integration:a\udc00b": true}`, "scope", "/integration:a\uFFFDb"},
		{"a lone surrogate in an external ID", `{"credential:ext:\ud800": true}`, "scope", "/credential:ext:\uFFFD"},
		{"invalid UTF-8 in a name", "{\"integration:a\xff\": true}", "scope", "/integration:a\uFFFD"},
		{"invalid UTF-8 in an external ID", "{\"configuration:ext:\xc3\": true}", "scope", "/configuration:ext:\uFFFD"},
		{"a lone surrogate in a permission", `{"integration:*": ["events\ud800"]}`, "permission", "/integration:*/0"},
	})
}

// SPEC 2.8.
func TestDuplicates(t *testing.T) {
	checkMistakes(t, reference.Options{}, []mistakeCase{
		{"a holder and a rule", `{"credential:ext:a": {"configuration:*": true}, "credential:ext:a": true}`,
			"duplicate", "/credential:ext:a"},
		{"a key that is repeated inside", `{"credential:ext:a": {"configuration:*": true, "configuration:*": true}}`,
			"duplicate", "/credential:ext:a/configuration:*"},
		{"two holders of one ID",
			`{"credential:<A>": {"configuration:*": true}, "credential:<CAPITAL A>": {"configuration:*": true}}`,
			"duplicate", "/credential:<CAPITAL A>/configuration:*"},
		{"the root in two spellings", `{"integration:*": true, "integration:\u002a": true}`, "duplicate", "/integration:*"},
		{"one path in three depths of nesting",
			`{"configuration:*": true, "integration:*": {"credential:*": {"configuration:*": true}}}`,
			"duplicate", "/integration:*/credential:*/configuration:*"},
	})
}

// SPEC 6.2: a pointer is decoded, and escaped as RFC 6901 says.
func TestPointers(t *testing.T) {
	tenNames := strings.TrimSuffix(strings.Repeat(`"events",`, 10), ",")
	checkMistakes(t, reference.Options{}, []mistakeCase{
		{"escapes", `{"integration:\u0061\/\u007e": 7}`, "type", "/integration:a~1~0"},
		{"a tilde and a one", `{"integration:~1": {"credential:ext:/": 7}}`, "type", "/integration:~01/credential:ext:~1"},
		{"the eleventh name", `{"integration:*": [` + tenNames + `,"x"]}`, "permission", "/integration:*/10"},
	})
}

func TestMistakeError(t *testing.T) {
	_, mistake := reference.Parse([]byte(`{"a/b": true}`), reference.Options{})
	require.NotNil(t, mistake)
	assert.EqualError(t, mistake, `scope mistake at "/a~1b"`)
}

// SPEC 2.1 to 2.8: claims without mistakes, and their rules.
func TestRules(t *testing.T) {
	type rule struct {
		pointer string
		path    string // with " > " between the scopes
	}
	for _, c := range []struct {
		name, claim string
		rules       []rule
	}{
		{"nothing", `{}`, nil},
		{"white space", " \t\r\n{ \t\r\n} \t\r\n", nil},
		{"empty holders", `{"integration:a": {}, "credential:*": {}}`, nil},
		{"a configuration at the top level", `{"configuration:<A>": true}`,
			[]rule{{"/configuration:<A>", "integration:* > credential:* > configuration:<A>"}}},
		{"a configuration in a credential", `{"credential:<A>": {"configuration:ext:c": true}}`,
			[]rule{{"/credential:<A>/configuration:ext:c", "integration:* > credential:<A> > configuration:ext:c"}}},
		{"a skipped level", `{"integration:d": {"configuration:*": true}}`,
			[]rule{{"/integration:d/configuration:*", "integration:d > credential:* > configuration:*"}}},
		{"the order of the text",
			`{"credential:ext:b": [], "integration:a": {"credential:*": false}, "credential:<A>": true}`,
			[]rule{
				{"/credential:ext:b", "integration:* > credential:ext:b"},
				{"/integration:a/credential:*", "integration:a > credential:*"},
				{"/credential:<A>", "integration:* > credential:<A>"},
			}},
		{"an ID in capitals", `{"credential:<CAPITAL A>": {"configuration:<CAPITAL A>": true}}`,
			[]rule{{"/credential:<CAPITAL A>/configuration:<CAPITAL A>",
				"integration:* > credential:<A> > configuration:<A>"}}},
		{"two holders of one ID",
			`{"credential:<A>": {"configuration:<B>": true}, "credential:<CAPITAL A>": {"configuration:<C>": true}}`,
			[]rule{
				{"/credential:<A>/configuration:<B>", "integration:* > credential:<A> > configuration:<B>"},
				{"/credential:<CAPITAL A>/configuration:<C>", "integration:* > credential:<A> > configuration:<C>"},
			}},
		{"a UUID that is not an ID", `{"integration:<CAPITAL A>": true, "credential:ext:<CAPITAL A>": true}`,
			[]rule{
				{"/integration:<CAPITAL A>", "integration:<CAPITAL A>"},
				{"/credential:ext:<CAPITAL A>", "integration:* > credential:ext:<CAPITAL A>"},
			}},
		{"an ID and an equal external ID", `{"credential:<A>": true, "credential:ext:<A>": true}`,
			[]rule{
				{"/credential:<A>", "integration:* > credential:<A>"},
				{"/credential:ext:<A>", "integration:* > credential:ext:<A>"},
			}},
		{"external IDs that look special",
			`{"credential:ext:ext:a": 1, "credential:ext:ext": 1, "credential:ext:**": 1, "credential:ext::": 1}`,
			[]rule{
				{"/credential:ext:ext:a", "integration:* > credential:ext:ext:a"},
				{"/credential:ext:ext", "integration:* > credential:ext:ext"},
				{"/credential:ext:**", "integration:* > credential:ext:**"},
				{"/credential:ext::", "integration:* > credential:ext::"},
			}},
		{"names with colons, and names that begin with ext",
			`{"integration:a:b c": 1, "integration::": 1, "integration:extra": 1}`,
			[]rule{
				{"/integration:a:b c", "integration:a:b c"},
				{"/integration::", "integration::"},
				{"/integration:extra", "integration:extra"},
			}},
		{"a surrogate pair", `{"integration:\ud83d\ude00": true}`, []rule{{"/integration:😀", "integration:😀"}}},
		{"escapes", `{"\u0069ntegration\u003a\/\"": true}`, []rule{{`/integration:~1"`, `integration:/"`}}},
		{"characters that are not White_Space and not Cc", `{"integration:\u200ba\u2060": true}`,
			[]rule{{"/integration:\u200ba\u2060", "integration:\u200ba\u2060"}}},
		{"one letter in two normal forms", `{"integration:\u00e9": true, "integration:e\u0301": true}`,
			[]rule{{"/integration:\u00e9", "integration:\u00e9"}, {"/integration:e\u0301", "integration:e\u0301"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got, want []rule
			claim := strings.ReplaceAll(c.claim, `": 1`, `": true`)
			for _, r := range parse(t, claim, reference.Options{}).Rules() {
				got = append(got, rule{r.Pointer, strings.Join(r.Path, " > ")})
			}
			for _, r := range c.rules {
				want = append(want, rule{ids(r.pointer), ids(r.path)})
			}
			assert.Equal(t, want, got)
		})
	}
}

// SPEC 1.2, 1.4.
func TestGrants(t *testing.T) {
	rules := parse(t, `{
		"integration:all": true,
		"integration:none": false,
		"integration:empty": [],
		"integration:ten": ["credential:write", "config:write", "settings:read", "settings:write", "metadata:read",
			"metadata:write", "proxy-api", "events", "workflows", "actionkit"],
		"integration:twice": ["events", "actionkit", "events"]
	}`, reference.Options{}).Rules()
	require.Len(t, rules, 5)
	assert.True(t, rules[0].All)
	assert.Empty(t, rules[0].Names)
	for _, rule := range rules[1:3] {
		assert.False(t, rule.All, rule.Pointer)
		assert.Empty(t, rule.Names, rule.Pointer)
	}
	assert.False(t, rules[3].All)
	assert.Len(t, rules[3].Names, 10)
	assert.Equal(t, []string{"events", "actionkit", "events"}, rules[4].Names)
}

func TestRulesAreACopy(t *testing.T) {
	policy := parse(t, `{"integration:*": true}`, reference.Options{})
	policy.Rules()[0] = reference.Rule{}
	assert.True(t, policy.Decide("events", user).Allowed)
}

// SPEC 6.3.
func TestAcceptString(t *testing.T) {
	accept := reference.Options{AcceptString: true}
	quote := func(s string) string {
		text, err := json.Marshal(s)
		require.NoError(t, err)
		return string(text)
	}

	for name, claim := range map[string]string{
		"an object":              `{"integration:a/b": true}`,
		"a string":               quote(`{"integration:a/b": true}`),
		"a string with escapes":  ` "{\"integration:\u0061\\\/b\":true}" `,
		"white space inside too": quote(" \n{\"integration:a/b\": true}\t"),
	} {
		t.Run(name, func(t *testing.T) {
			rules := parse(t, claim, accept).Rules()
			require.Len(t, rules, 1)
			assert.Equal(t, "/integration:a~1b", rules[0].Pointer)
		})
	}

	checkMistakes(t, accept, []mistakeCase{
		{"a string in the string", quote(quote(`{}`)), "type", ""},
		{"null in the string", quote(`null`), "type", ""},
		{"an array in the string", quote(`[]`), "type", ""},
		{"null", `null`, "type", ""},
		{"an empty string", `""`, "syntax", ""},
		{"half an object in the string", quote(`{`), "syntax", ""},
		{"trailing data in the string", quote(`{} x`), "syntax", ""},
		{"trailing data after the string", quote(`{}`) + " x", "syntax", ""},
		{"a second string", quote(`{}`) + quote(`{}`), "syntax", ""},
		{"a mistake before trailing data", quote(`{"a": true}`) + " x", "scope", "/a"},
		{"half a string", `"{}`, "syntax", ""},
		{"a mistake in the string", quote(`{"integration:a": {"credential:*": 7}}`), "type", "/integration:a/credential:*"},
		{"a number that the string cuts off", quote(`{"integration:a": 7`), "syntax", ""},
		{"a lone surrogate in a string in the string", `"{\"integration:\\ud800\": true}"`, "scope", "/integration:\uFFFD"},
		{"a lone surrogate in the string", `"{\"integration:\ud800\": true}"`, "scope", "/integration:\uFFFD"},
		{"a byte order mark in the string", quote("\uFEFF{}"), "syntax", ""},
		{"a grant that is a string", `{"integration:a": "[]"}`, "type", "/integration:a"},
		{"a map that is a string", `{"integration:a": "{}"}`, "type", "/integration:a"},
		{"deep arrays in the string", quote(strings.Repeat("[", 1_000_000)), "type", ""},
	})

	t.Run("not accepted", func(t *testing.T) {
		checkMistakes(t, reference.Options{}, []mistakeCase{
			{"an object in a string", `"{}"`, "type", ""},
			{"an object in a string, and trailing data", `"{}" x`, "type", ""},
		})
	})
}

// SPEC 1.9.
func TestExtras(t *testing.T) {
	for name, valid := range map[string]bool{
		"reports": true, "Events": true, "a b": true, "été": true, "*": true, "ext:a": true, " ": true,
		"": false, "events": false, "actionkit": false, `a"b`: false, `a\`: false, "a\nb": false, "a\u007f": false,
		"\u0085": false,
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, valid, reference.ValidExtra(name))
			policy := parse(t, `{"integration:*": true}`, reference.Options{Extra: []string{name}})
			isPermission := valid || name == "events" || name == "actionkit"
			assert.Equal(t, isPermission, policy.Decide(name, user).Allowed, "true grants the extras, and nothing else")
			assert.Equal(t, !isPermission, policy.Decide(name, user).Invalid)
		})
	}

	const claim = `{"integration:*": ["reports", "events"], "integration:slack": ["Reports"]}`
	reports := reference.Options{Extra: []string{"reports", "events", "reports"}}
	ignoring := reports
	ignoring.IgnoreUnknown = true

	t.Run("not declared", func(t *testing.T) {
		checkMistakes(t, reference.Options{}, []mistakeCase{{"in an array", claim, "permission", "/integration:*/0"}})
	})
	t.Run("declared", func(t *testing.T) {
		checkMistakes(t, reports, []mistakeCase{{"in another letter case", claim, "permission", "/integration:slack/0"}})
	})
	t.Run("not a valid extra", func(t *testing.T) {
		checkMistakes(t, reference.Options{Extra: []string{`a\`}}, []mistakeCase{
			{"in an array", `{"integration:*": ["a\\"]}`, "permission", "/integration:*/0"},
		})
	})
	t.Run("an escape does not end a string", func(t *testing.T) {
		checkMistakes(t, reference.Options{Extra: []string{`a\`}}, []mistakeCase{
			{"in an array", `{"integration:*": ["a\"]}`, "syntax", ""},
		})
	})
	t.Run("declared, and unknown names are ignored", func(t *testing.T) {
		policy := parse(t, claim, ignoring)
		assert.True(t, policy.Decide("reports", user).Allowed)
		assert.Equal(t, []string{"events", "reports"}, policy.Permissions(user), "each once")
		assert.Empty(t, policy.Permissions(in("slack")), "an ignored name grants nothing")
		assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("Reports", in("slack")),
			"and cannot be asked about")
		assert.False(t, policy.Visible(in("slack")))
		assert.Empty(t, policy.Rules()[1].Names)
	})
	t.Run("unknown names are ignored", func(t *testing.T) {
		policy := parse(t, claim, reference.Options{IgnoreUnknown: true})
		assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("reports", user))
		assert.True(t, policy.Decide("events", user).Allowed)
		checkMistakes(t, reference.Options{IgnoreUnknown: true}, []mistakeCase{
			{"null is not a name", `{"integration:*": ["reports", null]}`, "type", "/integration:*/1"},
		})
	})
}
