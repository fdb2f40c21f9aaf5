package engine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
)

// object is a JSON object.
type object = map[string]any

// call calls the engine and decodes the answer into a T.
func call[T any](t *testing.T, e *engine.Engine, name string, request any) (answer T) {
	t.Helper()
	text, err := json.Marshal(request)
	require.NoError(t, err)
	raw := e.Call(name, string(text))
	require.NotContains(t, string(raw), `{"error":`, "%s %s", name, text)
	require.NoError(t, json.Unmarshal(raw, &answer))
	return answer
}

// failed calls the engine and returns the error of the answer.
func failed(t *testing.T, e *engine.Engine, name string, request any) failure {
	t.Helper()
	text, err := json.Marshal(request)
	require.NoError(t, err)
	var answer failure
	require.NoError(t, json.Unmarshal(e.Call(name, string(text)), &answer))
	require.NotEmpty(t, answer.Error.Code, "there is no error")
	return answer
}

type failure struct {
	Error     mistake
	LooksLike string
	Further   []mistake
}

type mistake struct {
	Code, Message, Field, Found, Problem, Remedy, Pointer string
	From, To, Offset, Line, Column                        int
	Fix                                                   *struct {
		Summary string
		Edit    edit
	}
}

type edit struct {
	From, To int
	Insert   string
}

// apply applies an edit to a text as a browser does.
func (e edit) apply(text string) string {
	units := utf16.Encode([]rune(text))
	return string(utf16.Decode(units[:e.From])) + e.Insert + string(utf16.Decode(units[e.To:]))
}

// units returns a part of a text as a browser does.
func units(text string, from, to int) string {
	return string(utf16.Decode(utf16.Encode([]rune(text))[from:to]))
}

func parse(t *testing.T, e *engine.Engine, text string) (handle string) {
	t.Helper()
	return call[struct{ Handle string }](t, e, "parse", object{"text": text}).Handle
}

type rule struct {
	Rule   int
	Text   string
	Path   []string
	Grants any
	Place  struct {
		Pointer                        string
		From, To, Offset, Line, Column int
	}
	KeyTo, Row int
}

const teams = `{
  "integration:*": ["events"],
  "integration:slack": {
    "credential:*": false,
    "credential:3FA85F64-5717-4562-b3fc-2c963f66afa6": ["proxy-api", "workflows"],
    "credential:ext:Zürich 😀": ["workflows"]
  },
  "configuration:ext:Team A": ["settings:write"]
}`

const credentialID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

func TestRequests(t *testing.T) {
	const notWhole = " is not a number, or not a whole one of 0 or more"
	for _, test := range []struct{ name, call, request, want string }{
		{"not JSON", "parse", `{`, "the request is not JSON"},
		{"not an object", "parse", `[]`, "a request is a JSON object"},
		{"something after it", "parse", `{} {}`, "the request is not JSON"},
		{"a repeated member", "parse", `{"text": "{}", "text": "{}"}`, `a member is repeated: "text"`},
		{"another member", "parse", `{"text": "{}", "Text": "{}"}`, `"Text" is not part of this call`},
		{"the first of several", "parse", `{"e": 1, "c": 1, "b": 1, "d": 1, "f": 1}`, `"b" is not part of this call`},
		{"a number for a text", "parse", `{"text": 1}`, `"text" is not a string`},
		{"a text for a flag", "parse", `{"unrestricted": "true"}`, `"unrestricted" is not true or false`},
		{"no array", "outline", `{"claims": "x"}`, `"claims" is not an array`},
		{"not an array of strings", "outline", `{"claims": [1]}`, `"claims" is not an array of strings`},
		{"a negative number", "lint", `{"claim": "x", "from": -1}`, `"from"` + notWhole},
		{"a fraction", "tree", `{"claims": ["x"], "rows": [1.5]}`, `"rows"` + notWhole},
		{"no claims", "outline", `{"claims": []}`, "give one claim, or two to compare"},
		{"three claims", "outline", `{"claims": ["a", "b", "c"]}`, "give one claim, or two to compare"},
		{"no claims to narrow", "narrow", `{}`, "give the claims to narrow"},
		{"an unknown call", "nothing", `{}`, "there is no such call"},
		{"a text without a claim", "parse", `{"text": "{}", "unrestricted": true}`, "a token without the claim has no text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e engine.Engine
			var answer failure
			require.NoError(t, json.Unmarshal(e.Call(test.call, test.request), &answer))
			require.Equal(t, "request", answer.Error.Code)
			require.Contains(t, answer.Error.Message, test.want)
		})
	}
	t.Run("rows that are not there", func(t *testing.T) {
		var e engine.Engine
		handle := parse(t, &e, `{}`)
		for _, name := range []string{"tree", "matrix"} {
			missing := object{"claims": []string{handle}, "rows": []int{2}}
			require.Equal(t, "there is no row 2", failed(t, &e, name, missing).Error.Message)
			tooMany := object{"claims": []string{handle}, "rows": make([]int, 1001)}
			require.Equal(t, "ask for at most 1000 rows", failed(t, &e, name, tooMany).Error.Message)
		}
		tooMany := object{"claims": []string{handle}, "targets": make([]object, 1001)}
		require.Equal(t, "ask for at most 1000 targets", failed(t, &e, "matrix", tooMany).Error.Message)
		require.Equal(t, "there is no finding 0", failed(t, &e, "fix", object{"claim": handle, "finding": 0}).Error.Message)
	})
	t.Run("another member in each call", func(t *testing.T) {
		for _, name := range []string{
			"vocabulary", "parse", "outline", "find", "tree", "matrix", "explain", "effects", "question", "lint", "fix",
			"diff", "narrow", "format", "canonical",
		} {
			var e engine.Engine
			require.Equal(t, `"other" is not part of this call`, failed(t, &e, name, object{"other": 1}).Error.Message)
		}
	})
	t.Run("each name has a call", func(t *testing.T) {
		require.True(t, engine.Has("parse"))
		require.False(t, engine.Has("start"))
	})
}

// A claim that is not kept any more is asked for again. The one that was used last is kept longest.
func TestKeepsTheLatestClaims(t *testing.T) {
	var e engine.Engine
	first := parse(t, &e, `{"integration:*": true}`)
	second := parse(t, &e, `{"integration:*": false}`)
	for i := range 7 {
		parse(t, &e, fmt.Sprintf(`{"integration:app-%d": true}`, i))
		call[object](t, &e, "canonical", object{"claim": first})
	}
	require.Equal(t, first, parse(t, &e, `{"integration:*": true}`), "a handle is made from the text")
	canonical := call[struct{ Text string }](t, &e, "canonical", object{"claim": first}).Text
	require.Equal(t, `{"integration:*":true}`, canonical)
	for _, test := range []struct {
		name    string
		request object
	}{
		{"canonical", object{"claim": second}},
		{"lint", object{"claim": second}},
		{"fix", object{"claim": second, "finding": 0}},
		{"explain", object{"claim": second, "action": "events", "target": object{}}},
		{"effects", object{"claim": second, "action": "events", "target": object{}}},
		{"question", object{"claim": second, "action": "events", "target": object{}}},
		{"explain", object{"claim": first, "outline": []string{second}, "action": "events", "target": object{}}},
		{"tree", object{"claims": []string{second}, "rows": []int{0}}},
		{"matrix", object{"claims": []string{first, second}}},
		{"outline", object{"claims": []string{second, first}}},
		{"find", object{"claims": []string{second}, "text": "x", "limit": 1}},
		{"diff", object{"before": first, "after": second}},
		{"narrow", object{"claims": []string{first, second}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, "gone", failed(t, &e, test.name, test.request).Error.Code)
		})
	}
}

// A conformanceCase is a case of testdata/conformance.
type conformanceCase struct {
	Name, Claim string
	Error       string
	Pointer     string
	Queries     []struct {
		Action  string
		Target  json.RawMessage
		Allowed bool
		Rule    []string
		Invalid bool
	}
}

func conformance(t *testing.T, file string) (cases []conformanceCase) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "testdata", "conformance", file))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	return cases
}

// Every way to ask gives the answer of the conformance cases.
func TestAnswersTheConformanceCases(t *testing.T) {
	cellOf := make(map[string]int)
	for i, p := range permissions.AllPermissions() {
		cellOf[string(p)] = i
	}
	for _, c := range slices.Concat(conformance(t, "decisions.json"), conformance(t, "random.json")) {
		t.Run(c.Name, func(t *testing.T) {
			var e engine.Engine
			if c.Error != "" {
				require.Equal(t, c.Error, failed(t, &e, "parse", object{"text": c.Claim}).Error.Code)
				return
			}
			handle := parse(t, &e, c.Claim)
			for _, q := range c.Queries {
				request := object{"claim": handle, "action": q.Action, "target": q.Target}
				row := call[struct{ Rows []matrixRow }](t, &e, "matrix",
					object{"claims": []string{handle}, "targets": []json.RawMessage{q.Target}}).Rows[0]
				cell, known := cellOf[q.Action]
				if q.Invalid {
					require.Equal(t, "question", failed(t, &e, "explain", request).Error.Code)
					require.Equal(t, "question", failed(t, &e, "question", request).Error.Code)
					require.True(t, !known || row.Error != "" || row.Claims[0].Cells[cell] == '-')
					continue
				}
				explained := call[answer](t, &e, "explain", request)
				require.Equal(t, q.Allowed, explained.Allowed, "%s on %s", q.Action, q.Target)
				require.Equal(t, q.Allowed, explained.Answer == "yes")
				asked := call[answer](t, &e, "question", request)
				require.Equal(t, explained.Answer, asked.Answer)
				require.Equal(t, explained.Rule, asked.Rule)
				require.Equal(t, explained.Answer[0], row.Claims[0].Cells[cell])
				if q.Rule == nil {
					require.Nil(t, explained.Rule)
					require.Equal(t, -1, row.Claims[0].Rules[cell])
					continue
				}
				require.Equal(t, q.Rule, explained.Rule.Path)
				require.Equal(t, explained.Rule.Rule, row.Claims[0].Rules[cell])
			}
		})
	}
}

type answer struct {
	Allowed bool
	Answer  string
	Rule    *rule
}

type matrixRow struct {
	Row    int
	Target json.RawMessage
	Title  string
	Error  string
	Claims []struct {
		Cells string
		Rules []int
	}
}

// Every mistake of the conformance cases has its kind, its place, and a fix that makes it go away.
func TestRefusesTheConformanceCases(t *testing.T) {
	for _, c := range conformance(t, "errors.json") {
		t.Run(c.Name, func(t *testing.T) {
			var e engine.Engine
			got := failed(t, &e, "parse", object{"text": c.Claim})
			require.Equal(t, c.Error, got.Error.Code)
			require.Equal(t, c.Pointer, got.Error.Pointer)
			require.GreaterOrEqual(t, got.Error.Line, 1)
			require.GreaterOrEqual(t, got.Error.To, got.Error.From)
			if got.Error.Fix == nil {
				return
			}
			fixed := got.Error.Fix.Edit.apply(asJSON(t, c.Claim))
			var next failure
			require.NoError(t, json.Unmarshal(e.Call("parse", string(must(json.Marshal(object{"text": fixed})))), &next))
			if len(got.Further) == 0 {
				require.Empty(t, next.Error.Code, "%s is fixed to %s", c.Claim, fixed)
			}
		})
	}
}

// asJSON returns the text that JSON makes of a text: what is not UTF-8 is replaced.
func asJSON(t *testing.T, s string) (text string) {
	t.Helper()
	encoded, err := json.Marshal(s)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(encoded, &text))
	return text
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestMistakes(t *testing.T) {
	for _, test := range []struct {
		name, text string
		code       string
		marked     string // the text that is marked
		line       int
		column     int
		fix        string // its summary
		fixed      string // the text with the fix
	}{
		{
			"a permission that is misspelled", `{"integration:*": ["proxy_api"]}`,
			"permission", `"proxy_api"`, 1, 20, `replace it with "proxy-api"`, `{"integration:*": ["proxy-api"]}`,
		},
		{
			"a permission that does not exist", "{\n \"integration:*\": [\"events\", \"fly\"]}",
			"permission", `"fly"`, 2, 30, "remove it", "{\n \"integration:*\": [\"events\"]}",
		},
		{
			"the first of several permissions", `{"integration:*": ["fly", "events"]}`,
			"permission", `"fly"`, 1, 20, "remove it", `{"integration:*": [ "events"]}`,
		},
		{
			"a star for all permissions", `{"integration:*": ["*"]}`,
			"permission", `"*"`, 1, 20, "grant everything: true", `{"integration:*": true}`,
		},
		{
			"a kind that is misspelled", `{"integrations:slack": true}`,
			"scope", `"integrations:slack"`, 1, 2, `replace it with "integration:slack"`, `{"integration:slack": true}`,
		},
		{
			"an external ID without its mark", `{"é😀": true, "credential:acme": true}`,
			"scope", `"é😀"`, 1, 2, "remove it", `{ "credential:acme": true}`,
		},
		{
			"after characters of two code units", `{"integration:😀": true, "credential:acme": true}`,
			"scope", `"credential:acme"`, 1, 26, `replace it with "credential:ext:acme"`,
			`{"integration:😀": true, "credential:ext:acme": true}`,
		},
		{
			"a repeated scope", `{"integration:a": true, "integration:a": false}`,
			"duplicate", `"integration:a"`, 1, 25, "remove it", `{"integration:a": true}`,
		},
		{
			"a fix that would repeat a scope", `{"integration:a": true, "integrations:a": false}`,
			"scope", `"integrations:a"`, 1, 25, "remove it", `{"integration:a": true}`,
		},
		{
			"a map in a configuration", `{"configuration:*": {"credential:*": true}, "integration:a": true}`,
			"nesting", `"configuration:*"`, 1, 2, "remove it", `{ "integration:a": true}`,
		},
		{
			"true in quotation marks", `{"integration:*": "true"}`,
			"type", `"true"`, 1, 19, "replace it with true", `{"integration:*": true}`,
		},
		{
			"a permission without an array", `{"integration:*": "events"}`,
			"type", `"events"`, 1, 19, `replace it with ["events"]`, `{"integration:*": ["events"]}`,
		},
		{
			"null", "{\r\n\"integration:*\":\r\n null}",
			"type", "null", 3, 2, "remove it", "{}",
		},
		{
			"an array in an array", `{"integration:*": ["events", ["a", "b"]]}`,
			"type", "[", 1, 30, "remove it", `{"integration:*": ["events"]}`,
		},
		{
			"an only member", "{ \"x\": true }", "scope", `"x"`, 1, 3, "remove it", "{}",
		},
		{"not an object", `[]`, "type", "[", 1, 1, "", ""},
		{"a comma too many", `{"integration:*": true,}`, "syntax", "}", 1, 24, "", ""},
		{"cut short", `{"integration:*": tr`, "syntax", "tr", 1, 19, "", ""},
		{"nothing", ``, "syntax", "", 1, 1, "", ""},
		{"a word in another place", "{\n\n  hello}", "syntax", "hello", 3, 3, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e engine.Engine
			got := failed(t, &e, "parse", object{"text": test.text}).Error
			require.Equal(t, test.code, got.Code)
			require.Equal(t, test.marked, units(test.text, got.From, got.To))
			require.Equal(t, test.line, got.Line)
			require.Equal(t, test.column, got.Column)
			require.Equal(t, got.From, len(utf16.Encode([]rune(test.text[:got.Offset]))))
			require.NotEmpty(t, got.Problem)
			if test.fix == "" {
				require.Nil(t, got.Fix)
				return
			}
			require.NotNil(t, got.Fix)
			require.Equal(t, test.fix, got.Fix.Summary)
			require.Equal(t, test.fixed, got.Fix.Edit.apply(test.text))
		})
	}
}

func TestFurtherMistakes(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       []string // the marked texts
	}{
		{
			"in one array", `{"integration:*": ["events", "fly", "swim", "proxy_api"]}`,
			[]string{`"fly"`, `"swim"`, `"proxy_api"`},
		},
		{
			"all of an array", `{"integration:*": ["fly", "swim"]}`,
			[]string{`"fly"`, `"swim"`},
		},
		{
			"all of a map", `{"integration:a": {"integration:b": true, "x": true}, "credential:c": true}`,
			[]string{`"integration:b"`, `"x"`, `"credential:c"`},
		},
		{
			"in several maps",
			`{"integration:a": {"credential:b": true, "credential:*": ["fly"]}, "integration:é": 1, "integration:a": 2}`,
			[]string{`"credential:b"`, `"fly"`, `1`, `"integration:a"`},
		},
		{"with a syntax mistake, only the first", `{"integration:*": ["fly", "swim"], }`, []string{`"fly"`}},
		{"inside what is removed, only the first", `{"x": ["fly", {"y": 1}]}`, []string{`"x"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e engine.Engine
			got := failed(t, &e, "parse", object{"text": test.text})
			var marked []string
			for _, m := range append([]mistake{got.Error}, got.Further...) {
				marked = append(marked, units(test.text, m.From, m.To))
			}
			require.Equal(t, test.want, marked)
		})
	}
	t.Run("at most 20", func(t *testing.T) {
		var e engine.Engine
		got := failed(t, &e, "parse", object{"text": `{"integration:*": [` + strings.Repeat(`"fly", `, 40) + `"events"]}`})
		require.Len(t, got.Further, 20)
	})
	t.Run("of a long text, none", func(t *testing.T) {
		var e engine.Engine
		long := strings.Repeat("a", 5<<20)
		got := failed(t, &e, "parse", object{"text": `{"integration:*": ["fly", "swim"], "integration:` + long + `": true}`})
		require.Empty(t, got.Further)
		require.NotNil(t, got.Error.Fix)
	})
}

func TestLooksLike(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a token", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", "token"},
		{"a token in a header", " bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln\n", "token"},
		{"a payload", `{"sub": "anna", "aud": "useparagon.com/x"}`, "payload"},
		{"a payload with nothing but the claim", `{"urn:useparagon:connect:permissions": {}}`, "payload"},
		{"a payload with another registered name", `{"jti": "1", "x": 2}`, "payload"},
		{"a payload with a misspelled claim", `{"urn-useparagon-permissions": {}}`, "payload"},
		{"a claim with a registered name", `{"integration:*": true, "sub": true}`, ""},
		{"a host name", "example.com.org", ""},
		{"a claim with a mistake", `{"integration:a": 1}`, ""},
		{"a payload that is cut", `{"sub": "anna",`, ""},
		{"a sentence", "hello there", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e engine.Engine
			require.Equal(t, test.want, failed(t, &e, "parse", object{"text": test.text}).LooksLike)
		})
	}
}

// Rules have the places of their keys and values in the text, in code units.
func TestPlaces(t *testing.T) {
	var e engine.Engine
	handle := parse(t, &e, teams)
	for _, test := range []struct {
		name         string
		target       object
		key, member  string
		line, column int
	}{
		{"at the top", object{}, `"integration:*"`, `"integration:*": ["events"]`, 2, 3},
		{
			"in a map", object{"integration": "slack", "credential": object{"id": nil, "externalId": nil}},
			`"credential:*"`, `"credential:*": false`, 4, 5,
		},
		{
			"an ID in capital letters",
			object{"integration": "slack", "credential": object{"id": credentialID, "externalId": nil}},
			`"credential:3FA85F64-5717-4562-b3fc-2c963f66afa6"`,
			`"credential:3FA85F64-5717-4562-b3fc-2c963f66afa6": ["proxy-api", "workflows"]`, 5, 5,
		},
		{
			"beyond ASCII", object{"integration": "slack", "credential": object{"id": nil, "externalId": "Zürich 😀"}},
			`"credential:ext:Zürich 😀"`, `"credential:ext:Zürich 😀": ["workflows"]`, 6, 5,
		},
		{
			"after that", object{
				"integration": "jira", "credential": object{"id": nil, "externalId": nil},
				"configuration": object{"id": nil, "externalId": "Team A"},
			},
			`"configuration:ext:Team A"`, `"configuration:ext:Team A": ["settings:write"]`, 8, 3,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			question := object{"claim": handle, "action": "events", "target": test.target}
			got := call[struct{ Rule rule }](t, &e, "question", question).Rule
			require.Equal(t, test.key, units(teams, got.Place.From, got.KeyTo))
			require.Equal(t, test.member, units(teams, got.Place.From, got.Place.To))
			require.Equal(t, test.line, got.Place.Line)
			require.Equal(t, test.column, got.Place.Column)
			require.True(t, strings.HasPrefix(teams[got.Place.Offset:], test.key))
		})
	}
}

// Any number of goroutines may use an engine. CI runs this with the race detector.
func TestConcurrentCalls(t *testing.T) {
	var e engine.Engine
	var group sync.WaitGroup
	for i := range 8 {
		claim := fmt.Sprintf(`{"integration:*": ["events"], "integration:app-%d": {}}`, i%3)
		text := string(must(json.Marshal(object{"text": claim})))
		group.Go(func() {
			for range 20 {
				var parsed struct{ Handle string }
				if json.Unmarshal(e.Call("parse", text), &parsed) != nil {
					t.Error("the claim is not parsed")
					return
				}
				claims := string(must(json.Marshal(object{"claims": []string{parsed.Handle, parsed.Handle}})))
				e.Call("outline", claims)
				e.Call("lint", `{"claim": "`+parsed.Handle+`"}`)
				e.Call("diff", `{"before": "`+parsed.Handle+`", "after": "`+parsed.Handle+`"}`)
				answer := e.Call("question", `{"claim": "`+parsed.Handle+`", "action": "events", "target": {}}`)
				if !strings.Contains(string(answer), `"answer":"yes"`) {
					t.Error(string(answer))
					return
				}
			}
		})
	}
	group.Wait()
}
