package permissions_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A mistake is a claim that is refused, with everything that the error says.
type mistake struct {
	name    string
	claim   string
	kind    string // its name in SPEC 6.2
	pointer string
	offset  int
	found   string
	problem string
	remedy  string
}

// error returns the error that Parse must return.
func (m *mistake) error() *permissions.ParseError {
	return &permissions.ParseError{
		Kind: kindsOfMistake[m.kind], Pointer: m.pointer, Offset: m.offset,
		Found: m.found, Problem: m.problem, Remedy: m.remedy,
	}
}

// message returns the text of the error.
func (m *mistake) message() string {
	text := "permissions: claim"
	if m.kind == "scope" {
		text = "permissions: scope"
	}
	if m.pointer != "" {
		text += " at " + strconv.Quote(m.pointer)
	}
	if m.offset >= 0 {
		text += fmt.Sprintf(" (byte %d)", m.offset)
	}
	text += ": "
	if m.found != "" {
		text += m.found + " "
	}
	text += m.problem
	if m.remedy != "" {
		text += "; " + m.remedy
	}
	return text
}

// readMistakes reads testdata/mistakes.txt.
func readMistakes(t testing.TB) (mistakes []mistake) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "mistakes.txt"))
	require.NoError(t, err)
	const column = len("claim    ")
	var heading string
	for i, line := range strings.Split(string(data), "\n") {
		key, value := strings.TrimSpace(line[:min(column, len(line))]), line[min(column, len(line)):]
		switch {
		case line == "" || line[0] == '#':
			continue
		case strings.HasPrefix(line, "-- "):
			heading = line[len("-- "):]
			continue
		case strings.HasPrefix(line, "== "):
			mistakes = append(mistakes, mistake{name: heading + "/" + line[len("== "):]})
			continue
		}
		m := &mistakes[len(mistakes)-1]
		switch key {
		case "claim":
			m.claim = value
		case "":
			require.Equal(t, "^", strings.TrimSpace(value), "line %d", i+1)
			m.offset = len(value) - 1
		case "kind":
			m.kind = value
		case "pointer":
			m.pointer = value
		case "found":
			m.found = value
		case "problem":
			m.problem = value
		case "remedy":
			m.remedy = value
		default:
			require.Fail(t, "unknown key", "line %d: %s", i+1, line)
		}
	}
	require.NotEmpty(t, mistakes)
	return mistakes
}

// unshowable are mistakes with bytes that a text file does not show.
var unshowable = []mistake{
	{
		name: "only white space", claim: " \t\r\n", kind: "syntax", offset: 4,
		problem: "is empty",
	},
	{
		name: "a number before white space", claim: "0\n", kind: "type", found: "a number",
		problem: "is not a claim", remedy: `a claim is an object of scopes, such as {"integration:*":true}`,
	},
	{
		name: "a byte order mark", claim: "\ufeff{}", kind: "syntax",
		problem: "has something that is not a value",
	},
	{
		name: "white space that JSON does not have", claim: "\u00a0{}", kind: "syntax",
		problem: "has something that is not a value",
	},
	{
		name: "NUL after the claim", claim: "{}\x00", kind: "syntax", offset: 2,
		problem: "has more after its end",
	},
	{
		name: "NUL before the claim", claim: "\x00{}", kind: "syntax",
		problem: "has something that is not a value",
	},
	{
		name: "NUL for a key", claim: "{\x00}", kind: "syntax", offset: 1,
		problem: "has something else where a scope must be",
	},
	{
		name: "NUL for a comma", claim: "{\"integration:*\":true\x00}", kind: "syntax", offset: 21,
		problem: "has something else where a comma or '}' must be",
	},
	{
		name: "NUL after a number", claim: "{\"integration:*\":1\x00", kind: "syntax", offset: 18,
		problem: "has something else where the end of a number must be",
	},
	{
		name: "a vertical tab after a number", claim: "{\"integration:*\":1\v}", kind: "syntax", offset: 18,
		problem: "has something else where the end of a number must be",
	},
	{
		name: "not UTF-8 between values", claim: "{\"integration:*\":true\xff}", kind: "syntax", offset: 21,
		problem: "has something else where a comma or '}' must be",
	},
	{
		name: "a line break in a string", claim: "{\"integration:\n\":1}", kind: "syntax", offset: 14,
		problem: "has a control character in a string",
	},
	{
		name: "a tab in a name of an array", claim: "{\"integration:*\":[\"events\t\"]}", kind: "syntax", offset: 25,
		problem: "has a control character in a string",
	},
	{
		name: "NUL in a string", claim: "{\"integration:a\x00b\":true}", kind: "syntax", offset: 15,
		problem: "has a control character in a string",
	},
	{
		name: "not UTF-8 in a name", claim: "{\"integration:\xff\":true}", kind: "scope", pointer: "/integration:\ufffd",
		offset: 1, found: "\"integration:\ufffd\"", problem: its("integration", "holds U+FFFD, the replacement character"),
	},
	{
		name: "not UTF-8 in a permission", claim: "{\"integration:*\":[\"events\xff\"]}", kind: "permission",
		pointer: "/integration:*/0", offset: 18, found: "\"events\ufffd\"", problem: "is not a permission",
		remedy: meant("events"),
	},
	{
		name: "an escaped control character in a name", claim: `{"integration:a\u0000b":true}`, kind: "scope",
		pointer: "/integration:a\x00b", offset: 1, found: `"integration:a\x00b"`,
		problem: its("integration", controlInside),
	},
	{
		name: "a line break after a lone surrogate", claim: `{"integration:\ud800\ndc00":true}`, kind: "scope",
		pointer: "/integration:\ufffd\ndc00", offset: 1, found: "\"integration:\ufffd\\ndc00\"",
		problem: its("integration", "holds U+FFFD, the replacement character"),
	},
	{
		name: "a name that is shortened", claim: `{"integration:*":["` + strings.Repeat("x", 101) + `"]}`,
		kind: "permission", pointer: "/integration:*/0", offset: 18,
		found:   `"` + strings.Repeat("x", 40) + `"...(101 bytes, sha256 ` + digestOfX101 + `)`,
		problem: "is not a permission", remedy: "the permissions are " + theTenText + "; WithPermissions declares others",
	},
}

// digestOfX101 is the beginning of the SHA-256 of 101 times the letter x.
const digestOfX101 = "c675a2e604b0cd12"

func TestMistakes(t *testing.T) {
	for _, test := range slices.Concat(readMistakes(t), unshowable) {
		t.Run(test.name, func(t *testing.T) {
			p, err := permissions.Parse([]byte(test.claim))
			require.Nil(t, p)
			require.Equal(t, test.error(), err)
			require.EqualError(t, err, test.message())
			require.ErrorIs(t, err, permissions.ErrClaim)
			require.Equal(t, test.kind, kindName(err))
			require.PanicsWithError(t, test.message(), func() { permissions.MustParse(test.claim) })
			if test.kind == "syntax" {
				require.Empty(t, test.pointer, "a syntax mistake has an offset and no pointer")
			}

			var before permissions.Policy
			require.NoError(t, before.UnmarshalJSON([]byte(`{"integration:slack":true}`)))
			require.Equal(t, err, before.UnmarshalJSON([]byte(test.claim)))
			require.Equal(t, map[string]string{"integration:slack": "all"}, grantsOf(&before))

			// What the error proposes is right.
			switch proposed := didYouMean.FindStringSubmatch(test.remedy); {
			case proposed == nil:
			case test.kind == "permission":
				name, err := strconv.Unquote(proposed[1])
				require.NoError(t, err)
				require.Contains(t, theTen, permissions.Permission(name))
			default:
				requireRemedyIsAScope(t, test.remedy)
			}
		})
	}
}

// Every kind of mistake has cases, and no two cases have the same name.
func TestMistakesHaveEveryKind(t *testing.T) {
	kinds, names := make(map[string]int), make(map[string]bool)
	for _, m := range slices.Concat(readMistakes(t), unshowable) {
		kinds[m.kind]++
		require.False(t, names[m.name], "%s is there twice", m.name)
		names[m.name] = true
	}
	for kind := range kindsOfMistake {
		require.GreaterOrEqual(t, kinds[kind], 5, kind)
	}
	require.Len(t, kinds, len(kindsOfMistake))
}

// With AcceptStringClaim, a mistake in the text inside the string has the place that it has in that text
// (SPEC 6.3).
func TestMistakesInStringClaims(t *testing.T) {
	for _, test := range slices.Concat(readMistakes(t), unshowable) {
		if !utf8.ValidString(test.claim) {
			continue // encoding/json would write U+FFFD
		}
		t.Run(test.name, func(t *testing.T) {
			p, err := permissions.Parse(jsonOf(test.claim), permissions.AcceptStringClaim())
			require.Nil(t, p)
			require.Equal(t, test.error(), err)
		})
	}
}

// A claim may have white space between all its parts, and only that of JSON.
func TestWhiteSpaceInClaims(t *testing.T) {
	const claim = " \t\r\n{ \"integration:*\" \n:\r [ \"events\" ,\t\"workflows\" ] , \"integration:a\" : { } }\n "
	p, err := permissions.Parse([]byte(claim))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"integration:*": "events, workflows"}, grantsOf(p))
	for _, space := range []string{"\v", "\f", "\u00a0", "\u2028", "\u0085", "\x00"} {
		for i := range claim {
			if strings.IndexByte(" \t\r\n", claim[i]) < 0 {
				continue
			}
			_, err := permissions.Parse([]byte(claim[:i] + space + claim[i+1:]))
			require.ErrorIs(t, err, permissions.ErrSyntax, "%q at %d", space, i)
		}
	}
}

// Nothing compares the raw text of a claim: escapes are decoded first, in names and in keys.
func TestEscapesAreDecoded(t *testing.T) {
	for _, test := range []struct {
		name  string
		claim string
		want  map[string]string
	}{
		{"a name", `{"integration:*":["\u0065vents"]}`, map[string]string{"integration:*": "events"}},
		{
			"a name that is all escapes", `{"integration:*":["` + escapeAll("events") + `"]}`,
			map[string]string{"integration:*": "events"},
		},
		{"a key", `{"integr\u0061tion:*":true}`, map[string]string{"integration:*": "all"}},
		{"a colon in a key", `{"integration\u003a*":true}`, map[string]string{"integration:*": "all"}},
		{"a wildcard in a key", `{"integration:\u002a":true}`, map[string]string{"integration:*": "all"}},
		{
			"a marker in a key", `{"credential:\u0065xt:a":true}`, map[string]string{"integration:*/credential:ext:a": "all"},
		},
		{
			"an ID in a key", `{"credential:\u0033` + idA[1:] + `":true}`,
			map[string]string{"integration:*/credential:" + idA: "all"},
		},
		{"a solidus", `{"integration:a\/b":true}`, map[string]string{"integration:a/b": "all"}},
		{"a quotation mark", `{"integration:a\"b":true}`, map[string]string{`integration:a"b`: "all"}},
		{"a backslash", `{"integration:a\\b":true}`, map[string]string{`integration:a\b`: "all"}},
		{"a backslash before a quotation mark", `{"integration:a\\\"":true}`, map[string]string{`integration:a\"`: "all"}},
		{"a backslash last", `{"integration:a\\":true}`, map[string]string{`integration:a\`: "all"}},
		{"text that looks like an escape", `{"integration:\\u0061":true}`, map[string]string{`integration:\u0061`: "all"}},
		{"a surrogate pair", `{"integration:\ud83d\ude00":true}`, map[string]string{"integration:\U0001f600": "all"}},
		{"hexadecimal digits in capitals", `{"integration:\u00E9":true}`, map[string]string{"integration:é": "all"}},
		{"a control character is refused where a name has it", `{"integration:a\tb":true}`, nil},
		{"NUL is refused where a name has it", `{"integration:a\u0000":true}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := permissions.Parse([]byte(test.claim))
			if test.want == nil {
				require.ErrorIs(t, err, permissions.ErrScope)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, grantsOf(p))
		})
	}
}

// escapeAll returns the text of a JSON string in which every character is an escape.
func escapeAll(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return b.String()
}

// A declared name is compared after escapes have been decoded too. So a claim that is not JSON, or that
// means another name, does not get its grant.
func TestEscapesInDeclaredNames(t *testing.T) {
	declared := permissions.WithPermissions("x", "xA", "é", "a/b", "<b>", "a:b c")
	for _, test := range []struct {
		name  string
		claim string
		want  string // "" if the claim is refused
		kind  error
	}{
		{"as it is", `["x"]`, "x", nil},
		{"another letter", `["x\u0041"]`, "xA", nil},
		{"all escapes", `["` + escapeAll("xA") + `"]`, "xA", nil},
		{"beyond ASCII", `["\u00e9"]`, "é", nil},
		{"a solidus", `["a\/b"]`, "a/b", nil},
		{"characters of HTML", `["\u003cb>"]`, "<b>", nil},
		{"a space and a colon", `["a:b c"]`, "a:b c", nil},
		{"an escape that is not there", `["\\u0078"]`, "", permissions.ErrUnknownPermission},
		{"an escape after it", `["x\u0042"]`, "", permissions.ErrUnknownPermission},
		{"a backslash before the quotation mark", `["x\"]`, "", permissions.ErrSyntax},
		{"a quotation mark inside", `["x\""]`, "", permissions.ErrUnknownPermission},
		{"a backslash inside", `["x\\"]`, "", permissions.ErrUnknownPermission},
		{"an unknown escape", `["\x78"]`, "", permissions.ErrSyntax},
		{"NUL after it", `["x\u0000"]`, "", permissions.ErrUnknownPermission},
		{"not UTF-8 after it", "[\"x\xff\"]", "", permissions.ErrUnknownPermission},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := permissions.Parse([]byte(`{"integration:*":`+test.claim+`}`), declared)
			if test.want == "" {
				require.Nil(t, p)
				require.Equal(t, test.kind, err.(*permissions.ParseError).Kind)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, p.Permissions(slack).String())
		})
	}
}

// Names that JSON would have to escape cannot be declared.
func TestWithPermissionsRefuses(t *testing.T) {
	const forbidden = "holds a control character, a quotation mark, a backslash or U+FFFD"
	for _, test := range []struct {
		declared permissions.Permission
		problem  string
	}{
		{"", "is empty"},
		{"events", "is one of the ten permissions and needs no declaration"},
		{"actionkit", "is one of the ten permissions and needs no declaration"},
		{`a\`, forbidden},
		{`x\u0041`, forbidden},
		{`\`, forbidden},
		{`a"b`, forbidden},
		{"a\x00", forbidden},
		{"a\nb", forbidden},
		{"\x7f", forbidden},
		{"a\u0085", forbidden},
		{"a\ufffdb", forbidden},
		{"a\xff", "is not valid UTF-8"},
		{"\xed\xa0\x80", "is not valid UTF-8"},
	} {
		t.Run(fmt.Sprintf("%q", test.declared), func(t *testing.T) {
			opt := permissions.WithPermissions("good", test.declared, "better", "")
			message := "permissions: WithPermissions: " + strconv.Quote(string(test.declared)) + " " + test.problem
			for name, read := range map[string]func() (*permissions.Policy, error){
				"Parse":     func() (*permissions.Policy, error) { return permissions.Parse([]byte(`{}`), opt) },
				"FromValue": func() (*permissions.Policy, error) { return permissions.FromValue(map[string]any{}, opt) },
				"Build":     func() (*permissions.Policy, error) { return new(permissions.Builder).Build(opt) },
			} {
				p, err := read()
				require.Nil(t, p, name)
				require.EqualError(t, err, message, name)
				require.NotErrorIs(t, err, permissions.ErrClaim, name)
			}
			require.PanicsWithError(t, message, func() { permissions.MustParse(`{}`, opt) })
			require.Equal(t, permissions.ReasonNoPolicy, permissions.Unrestricted(opt).Decide(permissions.Events, slack).Reason)
		})
	}
	for _, good := range []permissions.Permission{"a b", " a", "é", "a\u2028b", "*", "Events", "events ", "true"} {
		t.Run(fmt.Sprintf("%q can be declared", good), func(t *testing.T) {
			p, err := permissions.Parse(jsonOf(map[string]any{"integration:*": []any{good}}), permissions.WithPermissions(good))
			require.NoError(t, err)
			require.True(t, p.Allowed(good, slack))
			require.Equal(t, []permissions.Permission{good}, slices.Collect(p.Permissions(slack).All()))
		})
	}
}

func TestOptions(t *testing.T) {
	const claim = `{"integration:*":["events","reports"]}`
	declare, ignore := permissions.WithPermissions("reports"), permissions.IgnoreUnknownPermissions()
	for _, test := range []struct {
		name    string
		opts    []permissions.Option
		refused bool
		reports permissions.Reason // of a question about reports
	}{
		{name: "none", refused: true},
		{name: "nil", opts: []permissions.Option{nil}, refused: true},
		{name: "another name declared", opts: []permissions.Option{permissions.WithPermissions("other")}, refused: true},
		{name: "letter case counts", opts: []permissions.Option{permissions.WithPermissions("Reports")}, refused: true},
		{name: "nothing declared", opts: []permissions.Option{permissions.WithPermissions()}, refused: true},
		{name: "accepting strings", opts: []permissions.Option{permissions.AcceptStringClaim()}, refused: true},
		{name: "declared", opts: []permissions.Option{declare}, reports: permissions.ReasonGranted},
		{name: "ignored", opts: []permissions.Option{ignore}, reports: permissions.ReasonInvalidQuestion},
		{name: "ignored and declared", opts: []permissions.Option{ignore, declare}, reports: permissions.ReasonGranted},
		{name: "declared and ignored", opts: []permissions.Option{declare, ignore}, reports: permissions.ReasonGranted},
		{
			name:    "two declarations",
			opts:    []permissions.Option{permissions.WithPermissions("other"), nil, declare},
			reports: permissions.ReasonGranted,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var value any
			require.NoError(t, json.Unmarshal([]byte(claim), &value))
			p, err := permissions.Parse([]byte(claim), test.opts...)
			q, fromValue := permissions.FromValue(value, test.opts...)
			if test.refused {
				require.Nil(t, p)
				require.Nil(t, q)
				require.ErrorIs(t, err, permissions.ErrUnknownPermission)
				require.ErrorIs(t, fromValue, permissions.ErrUnknownPermission)
				return
			}
			require.NoError(t, err)
			require.NoError(t, fromValue)
			for _, p := range []*permissions.Policy{p, q, permissions.MustParse(claim, test.opts...)} {
				require.True(t, p.Allowed(permissions.Events, slack))
				require.Equal(t, test.reports, p.Decide("reports", slack).Reason)
				require.Equal(t, permissions.ReasonInvalidQuestion, p.Decide("another", slack).Reason)
			}
		})
	}
}

// What is declared is proposed too.
func TestDeclaredNamesAreProposed(t *testing.T) {
	declared := permissions.WithPermissions("send-reports")
	for name, remedy := range map[string]string{
		"send_reports": meant("send-reports"),
		"nothing":      "the permissions are " + theTenText + ", send-reports; WithPermissions declares others",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := permissions.Parse(jsonOf(map[string]any{"integration:*": []any{name}}), declared)
			var parse *permissions.ParseError
			require.ErrorAs(t, err, &parse)
			require.Equal(t, remedy, parse.Remedy)
			var question *permissions.QuestionError
			err = permissions.MustParse(`{}`, declared).Check(permissions.Permission(name), slack)
			require.ErrorAs(t, err, &question)
			require.Equal(t, remedy, question.Remedy)
		})
	}
}

// An option is a value: it does not keep the slice that it was given, and it can be used again.
func TestOptionsAreValues(t *testing.T) {
	names := []permissions.Permission{"a", "b"}
	opt := permissions.WithPermissions(names...)
	names[0] = "c"
	for range 2 {
		p, err := permissions.Parse([]byte(`{"integration:*":["a"]}`), opt)
		require.NoError(t, err)
		require.Equal(t, "a", p.Permissions(slack).String())
	}
}

// SPEC 6.3.
func TestAcceptStringClaim(t *testing.T) {
	for _, test := range []struct {
		name  string
		claim string
		want  map[string]string
	}{
		{"a string", `"{\"integration:*\":true}"`, map[string]string{"integration:*": "all"}},
		{"white space around it", ` "{\"integration:a\":[]}" `, map[string]string{"integration:a": "none"}},
		{"white space inside", `" {} \n"`, map[string]string{}},
		{"escapes of escapes", `"{\"integration:\\u0061\":[]}"`, map[string]string{"integration:a": "none"}},
		{
			"all escapes", `"` + escapeAll(`{"integration:*":["events"]}`) + `"`,
			map[string]string{"integration:*": "events"},
		},
		{"the object itself", `{"integration:*":true}`, map[string]string{"integration:*": "all"}},
		{"beyond ASCII", `"{\"integration:é\":[\"events\"]}"`, map[string]string{"integration:é": "events"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := permissions.Parse([]byte(test.claim), permissions.AcceptStringClaim())
			require.NoError(t, err)
			require.Equal(t, test.want, grantsOf(p))
		})
	}
}

const stringRemedy = "emit the object itself, not its JSON text in a string, or accept that with AcceptStringClaim"

func TestAcceptStringClaimRefuses(t *testing.T) {
	for _, test := range []mistake{
		{name: "a string that does not end", claim: `"{}`, kind: "syntax", offset: 3, problem: "ends in a string"},
		{
			name: "a string that does not end in the object", claim: `"{\"integration:*\":`, kind: "syntax", offset: 20,
			problem: "ends in a string",
		},
		{name: "data after the string", claim: `"{}" x`, kind: "syntax", offset: 5, problem: "has more after its end"},
		{name: "data in the string", claim: `"{}x"`, kind: "syntax", offset: 2, problem: "has more after its end"},
		{name: "an empty string", claim: `""`, kind: "syntax", problem: "is empty"},
		{
			name: "null in the string", claim: `"null"`, kind: "type", found: "null", problem: "is not a claim",
			remedy: "a token that may do everything has no claim, and one that may do nothing has {}",
		},
		{
			name: "a string in the string", claim: `" \"{}\""`, kind: "type", offset: 1, found: "a string",
			problem: "is not a claim", remedy: stringRemedy,
		},
		{
			name: "a mistake in the string", claim: ` "{\"integration:\\u0061\":{ \"config:*\":1}}"`, kind: "scope",
			pointer: "/integration:a/config:*", offset: 24, found: `"config:*"`,
			problem: wrongKind, remedy: meant("configuration:*"),
		},
		{
			name: "a mistake in the string before data after it", claim: `"{}}" x`, kind: "syntax", offset: 2,
			problem: "has more after its end",
		},
		{
			name: "a number", claim: `1`, kind: "type", found: "a number", problem: "is not a claim",
			remedy: `a claim is an object of scopes, such as {"integration:*":true}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := permissions.Parse([]byte(test.claim), permissions.AcceptStringClaim())
			require.Nil(t, p)
			require.Equal(t, test.error(), err)
			require.EqualError(t, err, test.message())
		})
	}
	t.Run("other options hold in the string", func(t *testing.T) {
		claim := []byte(`"{\"integration:*\":[\"x\"]}"`)
		accept := permissions.AcceptStringClaim()
		_, err := permissions.Parse(claim, accept)
		require.ErrorIs(t, err, permissions.ErrUnknownPermission)
		p, err := permissions.Parse(claim, permissions.WithPermissions("x"), accept)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"integration:*": "x"}, grantsOf(p))
		p, err = permissions.Parse(claim, accept, permissions.IgnoreUnknownPermissions())
		require.NoError(t, err)
		require.Equal(t, map[string]string{"integration:*": "none"}, grantsOf(p))
	})
	t.Run("as a Go value", func(t *testing.T) {
		p, err := permissions.FromValue(`{"integration:*":["events"]}`, permissions.AcceptStringClaim())
		require.NoError(t, err)
		require.Equal(t, map[string]string{"integration:*": "events"}, grantsOf(p))
		_, err = permissions.FromValue(`{"integration:*":["events"]}`)
		require.ErrorIs(t, err, permissions.ErrType)
		_, err = permissions.FromValue(`{"integration:*":["nope"]}`, permissions.AcceptStringClaim())
		var parse *permissions.ParseError
		require.ErrorAs(t, err, &parse)
		require.Equal(t, "/integration:*/0", parse.Pointer)
		require.Equal(t, -1, parse.Offset)
	})
}

func TestFromValue(t *testing.T) {
	type m = map[string]any
	for _, test := range []struct {
		name  string
		value any
		want  map[string]string
	}{
		{"an empty map", m{}, map[string]string{}},
		{
			"true and false", m{"integration:*": true, "integration:a": false},
			map[string]string{"integration:*": "all", "integration:a": "none"},
		},
		{
			"[]any", m{"integration:*": []any{"events", "workflows"}},
			map[string]string{"integration:*": "events, workflows"},
		},
		{"[]string", m{"integration:*": []string{"events"}}, map[string]string{"integration:*": "events"}},
		{
			"empty lists", m{"integration:*": []any{}, "integration:a": []string{}},
			map[string]string{"integration:*": "none", "integration:a": "none"},
		},
		{
			"a grant at each level", m{
				"integration:a":  []any{"events"},
				"credential:*":   []any{"events"},
				"integration:b":  m{"credential:ext:x": []any{"events"}, "configuration:*": []any{"events"}},
				"integration:cd": m{"credential:ext:x": m{"configuration:ext:y": []any{"events"}}},
			},
			map[string]string{
				"integration:a": "events", "integration:*/credential:*": "events", "integration:b/credential:ext:x": "events",
				"integration:b/credential:*/configuration:*":          "events",
				"integration:cd/credential:ext:x/configuration:ext:y": "events",
			},
		},
		{
			"names that JSON escapes", m{"integration:a": m{"credential:" + idUpper: m{`configuration:ext:Team "A"\`: true}}},
			map[string]string{"integration:a/credential:" + idA + `/configuration:ext:Team "A"\`: "all"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := permissions.FromValue(test.value)
			require.NoError(t, err)
			require.Equal(t, test.want, grantsOf(p))
		})
	}
}

func TestFromValueRefuses(t *testing.T) {
	type m = map[string]any
	endless := m{}
	endless["integration:*"] = endless
	endlessBelow := m{}
	endlessBelow["credential:*"] = m{"configuration:*": endlessBelow}
	endlessList := []any{nil}
	endlessList[0] = endlessList
	const (
		notJSON   = "nil, or a Go value of a type that encoding/json does not decode to,"
		notAClaim = "is not a claim"
		anObject  = `a claim is an object of scopes, such as {"integration:*":true}`
		giveMap   = "give a map[string]any; where the token has no such key, take Unrestricted"
		anyGrant  = "give it true, false, an array of permissions, or a map of more specific scopes"
		notAPerm  = "is not a permission"
		names     = "an array holds the names of permissions"
		holdsMap  = "holds a map, and nothing is more specific than a configuration"
		noMap     = "give it true, false or an array of permissions"
		hasFFFD   = "holds U+FFFD, the replacement character"
	)
	for _, test := range []struct {
		name                                  string
		value                                 any
		kind, pointer, found, problem, remedy string
	}{
		{"nil", nil, "type", "", notJSON, notAClaim, giveMap},
		{"a nil map", m(nil), "type", "", notJSON, notAClaim, giveMap},
		{
			"a nil map in a scope", m{"integration:*": true, "integration:slack": m(nil)},
			"type", "/integration:slack", notJSON, "is not a grant", anyGrant,
		},
		{
			"a nil list of any", m{"integration:*": []any(nil)},
			"type", "/integration:*", notJSON, "is not a grant", anyGrant,
		},
		{
			"a nil list of strings", m{"integration:*": []string(nil)},
			"type", "/integration:*", notJSON, "is not a grant", anyGrant,
		},
		{"a key that a map does not have", m{}[permissions.ClaimName], "type", "", notJSON, notAClaim, giveMap},
		{"true", true, "type", "", "true", notAClaim, anObject},
		{"a list", []any{"events"}, "type", "", "an array", notAClaim, anObject},
		{"a number", 1.5, "type", "", "a number", notAClaim, anObject},
		{"a json.Number", json.Number("1e9"), "type", "", "a number", notAClaim, anObject},
		{"a bad json.Number", json.Number("}"), "type", "", "a number", notAClaim, anObject},
		{"an int", 1, "type", "", notJSON, notAClaim, giveMap},
		{"a struct", struct{}{}, "type", "", notJSON, notAClaim, giveMap},
		{"bytes", []byte("{}"), "type", "", notJSON, notAClaim, giveMap},
		{"raw JSON", json.RawMessage("{}"), "type", "", notJSON, notAClaim, giveMap},
		{"another type of map", map[string]bool{"integration:*": true}, "type", "", notJSON, notAClaim, giveMap},
		{"a pointer", &m{}, "type", "", notJSON, notAClaim, giveMap},
		{"a function", func() {}, "type", "", notJSON, notAClaim, giveMap},
		{"a string", "{}", "type", "", "a string", notAClaim, stringRemedy},
		{
			"a grant of nil", m{"integration:*": nil},
			"type", "/integration:*", notJSON, "is not a grant", anyGrant,
		},
		{
			"a grant of a string", m{"integration:*": "true"},
			"type", "/integration:*", `the string "true"`, "is not a grant", "did you mean true, without quotation marks?",
		},
		{
			"a grant of permissions", m{"integration:*": []permissions.Permission{"events"}},
			"type", "/integration:*", notJSON, "is not a grant", anyGrant,
		},
		{
			"nil in a list", m{"integration:*": []any{"events", nil}},
			"type", "/integration:*/1", notJSON, notAPerm, names,
		},
		{
			"a map in a list", m{"integration:*": []any{m{}}},
			"type", "/integration:*/0", "an object", notAPerm, names,
		},
		{
			"a list in a list", m{"integration:*": []any{[]string{"events"}}},
			"type", "/integration:*/0", "an array", notAPerm, names,
		},
		{
			"a list that holds itself", m{"integration:*": endlessList},
			"type", "/integration:*/0", "an array", notAPerm, names,
		},
		{
			"an unknown permission", m{"integration:*": []string{"proxy_api"}},
			"permission", "/integration:*/0", `"proxy_api"`, notAPerm, meant("proxy-api"),
		},
		{
			"a permission that is not UTF-8", m{"integration:*": []string{"events\xff"}},
			"permission", "/integration:*/0", "\"events\ufffd\"", notAPerm, meant("events"),
		},
		{
			"not a scope", m{"config:*": true},
			"scope", "/config:*", `"config:*"`, wrongKind, meant("configuration:*"),
		},
		{
			"a scope that is not UTF-8", m{"integration:\xff": true},
			"scope", "/integration:\ufffd", "\"integration:\ufffd\"", its("integration", hasFFFD), "",
		},
		{
			"two keys that decode to one", m{"integration:*": true, "integration:\xfe": true, "integration:\xff": true},
			"scope", "/integration:\ufffd", "\"integration:\ufffd\"", its("integration", hasFFFD), "",
		},
		{
			"nesting", m{"credential:*": m{"integration:*": true}},
			"nesting", "/credential:*/integration:*", `"integration:*"`,
			"cannot be inside a scope of kind credential", nestsDown,
		},
		{
			"a map in a configuration", m{"integration:*": m{"credential:*": m{"configuration:*": m{}}}},
			"nesting", "/integration:*/credential:*/configuration:*", `"configuration:*"`, holdsMap, noMap,
		},
		{
			"a map that holds itself", endless,
			"nesting", "/integration:*/integration:*", `"integration:*"`,
			"cannot be inside a scope of kind integration", nestsDown,
		},
		{
			"a map that holds itself further down", endlessBelow,
			"nesting", "/credential:*/configuration:*", `"configuration:*"`, holdsMap, noMap,
		},
		{
			"one path twice", m{"credential:*": true, "integration:*": m{"credential:*": true}},
			"duplicate", "/integration:*/credential:*", `"credential:*"`,
			`has the same path as the rule at "/credential:*"`, "keep one of them",
		},
		{
			"the first in the order of bytes", m{"b": true, "a": true, "integration:*": nil},
			"scope", "/a", `"a"`, noColon, anyScope,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := permissions.FromValue(test.value)
			require.Nil(t, p)
			want := mistake{
				kind: test.kind, pointer: test.pointer, offset: -1,
				found: test.found, problem: test.problem, remedy: test.remedy,
			}
			require.Equal(t, want.error(), err)
			require.EqualError(t, err, want.message())
		})
	}
}

const nestsDown = "only what is more specific can be inside: a credential or configuration in an integration, " +
	"a configuration in a credential"

// FromValue finds every control character in a key.
func TestFromValueControlCharacters(t *testing.T) {
	for c := range byte(0x20) {
		t.Run(fmt.Sprintf("%#x", c), func(t *testing.T) {
			key := "integration:a" + string(rune(c)) + "b"
			_, err := permissions.FromValue(map[string]any{key: true})
			var parse *permissions.ParseError
			require.ErrorAs(t, err, &parse)
			require.Equal(t, permissions.ErrScope, parse.Kind)
			require.Equal(t, "/"+key, parse.Pointer)
			require.Equal(t, its("integration", controlInside), parse.Problem)
		})
	}
}

// A map has no order. FromValue takes its keys in the order of their bytes.
func TestFromValueOrder(t *testing.T) {
	p, err := permissions.FromValue(map[string]any{
		"integration:b": true, "integration:a": map[string]any{"credential:ext:b": true, "credential:ext:a": true},
		"credential:ext:z": true,
	})
	require.NoError(t, err)
	var order []string
	for r := range p.Rules() {
		order = append(order, r.Pointer())
	}
	require.Equal(t, []string{
		"/credential:ext:z", "/integration:a/credential:ext:a", "/integration:a/credential:ext:b", "/integration:b",
	}, order)
}

// A policy keeps nothing of what it was read from.
func TestParseKeepsNothing(t *testing.T) {
	t.Run("the text may change", func(t *testing.T) {
		text := []byte(`{"integration:slack":{"credential:` + idUpper + `":["events"],"credential:ext:acme":["nope"]}}`)
		p, err := permissions.Parse(text, permissions.IgnoreUnknownPermissions())
		require.NoError(t, err)
		clear(text)
		require.Equal(t, map[string]string{
			"integration:slack/credential:" + idA: "events", "integration:slack/credential:ext:acme": "none",
		}, grantsOf(p))
		require.Equal(t, "/integration:slack/credential:"+idUpper, slices.Collect(p.Rules())[0].Pointer())
		ignored := slices.Collect(p.Ignored())
		require.Len(t, ignored, 1)
		require.EqualValues(t, "nope", ignored[0].Name)
		require.Equal(t, "/integration:slack/credential:ext:acme/0", ignored[0].Pointer())
	})
	t.Run("the value may change", func(t *testing.T) {
		value := map[string]any{"integration:slack": map[string]any{"credential:*": []any{"events"}}}
		p, err := permissions.FromValue(value)
		require.NoError(t, err)
		value["integration:slack"].(map[string]any)["credential:*"].([]any)[0] = "workflows"
		clear(value)
		require.Equal(t, map[string]string{"integration:slack/credential:*": "events"}, grantsOf(p))
	})
	t.Run("a policy with more names does not either", func(t *testing.T) {
		before := heapAfterGC()
		p, err := permissions.Parse(longClaim(`{"integration:a":true,"integration:b":true,"integration:c":true,`,
			`"integration:d":true,"integration:e":true,"integration:f":true}`))
		require.NoError(t, err)
		require.Less(t, heapAfterGC(), before+1<<20)
		require.Len(t, grantsOf(p), 6)
	})
	t.Run("a small policy does not keep a long claim alive", func(t *testing.T) {
		before := heapAfterGC()
		p, err := permissions.Parse(longClaim(`{"integration:slack":["nope"],`, `"credential:ext:acme":true}`),
			permissions.IgnoreUnknownPermissions())
		require.NoError(t, err)
		require.Less(t, heapAfterGC(), before+1<<20)
		require.Equal(t, map[string]string{
			"integration:slack": "none", "integration:*/credential:ext:acme": "all",
		}, grantsOf(p))
	})
	t.Run("an error does not keep a long claim alive", func(t *testing.T) {
		before := heapAfterGC()
		_, err := permissions.Parse(longClaim(`{"integration:slack":`, `["nope"]}`))
		require.Less(t, heapAfterGC(), before+1<<20)
		require.ErrorIs(t, err, permissions.ErrUnknownPermission)
	})
}

// longClaim returns a text with 16 MiB of white space in the middle.
func longClaim(before, after string) []byte {
	return []byte(before + strings.Repeat(" ", 16<<20) + after)
}

// heapAfterGC returns how many bytes are in use.
func heapAfterGC() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func TestParseRefusesALongerClaim(t *testing.T) {
	_, err := permissions.Parse(make([]byte, 256<<20+1))
	require.EqualError(t, err, "permissions: claim (byte 0): is longer than 256 MiB; give it fewer rules")
	require.ErrorIs(t, err, permissions.ErrSyntax)

	_, err = permissions.FromValue(strings.Repeat(" ", 256<<20))
	require.EqualError(t, err, "permissions: claim: is longer than 256 MiB; give it fewer rules")
}

// A claim with many scopes is read as one with few, with white space around its colons and without.
func TestParseManyScopes(t *testing.T) {
	for _, colon := range []string{":", " : ", "\n:"} {
		t.Run(fmt.Sprintf("colon %q", colon), func(t *testing.T) {
			var b strings.Builder
			b.WriteString(`{"integration:*"` + colon + `true`)
			for i := range 3000 {
				fmt.Fprintf(&b, `,"credential:ext:c%d"%s{"configuration:ext:%d"%sfalse}`, i, colon, i, colon)
			}
			p, err := permissions.Parse([]byte(b.String() + "}"))
			require.NoError(t, err)
			require.Len(t, slices.Collect(p.Rules()), 3001)
			for _, i := range []int{0, 1, 1500, 2999} {
				credential := slack.Credential(permissions.NoID(), permissions.ExternalID(fmt.Sprint("c", i)))
				denied := credential.Configuration(permissions.NoID(), permissions.ExternalID(fmt.Sprint(i)))
				require.Equal(t, permissions.ReasonNotGranted, p.Decide(permissions.Events, denied).Reason)
				other := credential.Configuration(permissions.NoID(), permissions.ExternalID(fmt.Sprint(i+1)))
				require.True(t, p.Allowed(permissions.Events, other))
			}
		})
	}
}

// A key is repeated however it is spelled, whether it has a grant or a map.
func TestRepeatedKeys(t *testing.T) {
	for _, scope := range []string{
		"integration:*", "credential:*", "configuration:*", "integration:x", "credential:ext:x", "credential:" + idUpper,
		"configuration:ext:x", "configuration:" + idA,
	} {
		escaped := strings.ReplaceAll(escapeAll(scope), `\u003a`, ":")
		for _, values := range [][2]string{{"[]", "[]"}, {"{}", "{}"}, {"{}", "[]"}, {"[]", "{}"}} {
			if strings.HasPrefix(scope, "configuration") && values != [2]string{"[]", "[]"} {
				continue // it cannot hold a map
			}
			for _, keys := range [][2]string{{scope, scope}, {scope, escaped}, {escaped, scope}, {escaped, escaped}} {
				claim := fmt.Sprintf(`{"%s":%s,"%s":%s}`, keys[0], values[0], keys[1], values[1])
				t.Run(claim, func(t *testing.T) {
					_, err := permissions.Parse([]byte(claim))
					var parse *permissions.ParseError
					require.ErrorAs(t, err, &parse)
					require.Equal(t, permissions.ErrDuplicate, parse.Kind)
					require.Equal(t, "is in one object twice", parse.Problem)
					require.Equal(t, "/"+scope, parse.Pointer)
				})
			}
		}
	}
}

// What is not repeated in one object is not a repeated key, and what has another path is not the same rule.
func TestNotRepeated(t *testing.T) {
	for _, test := range []struct{ name, claim string }{
		{
			"one key in two objects", `{"integration:a":{"credential:ext:x":true},"integration:b":{"credential:ext:x":true}}`,
		},
		{
			"a credential anywhere and in an integration",
			`{"credential:ext:x":true,"integration:a":{"credential:ext:x":true}}`,
		},
		{"an ID and an external ID", `{"credential:` + idA + `":true,"credential:ext:` + idA + `":true}`},
		{"a credential and a configuration", `{"credential:` + idA + `":true,"configuration:` + idA + `":true}`},
		{"external IDs in two letter cases", `{"credential:ext:` + idA + `":true,"credential:ext:` + idUpper + `":true}`},
		{
			"a grant, and a map in another spelling",
			`{"credential:` + idA + `":true,"credential:` + idUpper + `":{"configuration:*":true}}`,
		},
		{"maps in two spellings", `{"credential:` + idA + `":{},"credential:` + idUpper + `":{"configuration:*":true}}`},
		{
			"a grant and a map of one path",
			`{"credential:*":true,"integration:*":{"credential:*":{"configuration:*":true}}}`,
		},
		{"the wildcards of three levels", `{"integration:*":true,"credential:*":true,"configuration:*":true}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := permissions.Parse([]byte(test.claim))
			require.NoError(t, err)
		})
	}
}

// Of two integrations that hold maps, and of two credentials, none is taken for the other.
func TestHoldersOfManyMaps(t *testing.T) {
	var b strings.Builder
	want := make(map[string]string)
	for i := range 2000 {
		name := fmt.Sprintf("integration:%d", i)
		id := fmt.Sprintf("credential:%08x-5717-4562-b3fc-2c963f66afa6", i)
		fmt.Fprintf(&b, `,"%s":{"credential:ext:%d":{"configuration:ext:x":["events"]},`, name, i)
		b.WriteString(`"credential:*":{"configuration:*":[]}},"` + id + `":{"configuration:*":true}`)
		want["integration:*/"+id+"/configuration:*"] = "all"
		want[fmt.Sprintf("%s/credential:ext:%d/configuration:ext:x", name, i)] = "events"
		want[name+"/credential:*/configuration:*"] = "none"
	}
	p, err := permissions.Parse([]byte("{" + b.String()[1:] + "}"))
	require.NoError(t, err)
	require.Equal(t, want, grantsOf(p))
}
