package cli_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"

	"github.com/connectperms/permissions/cmd/connectperms/schema"
)

const root = "../../../../"

func newServer(t *testing.T, handler http.HandlerFunc) (url string) {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// TestConformance tries the vectors of the repository. They are decision tables.
func TestConformance(t *testing.T) {
	for _, file := range []string{"decisions.json", "errors.json", "random.json"} {
		t.Run(file, func(t *testing.T) {
			name := root + "testdata/conformance/" + file
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			var cases []struct {
				Error            string
				Queries, Visible []any
			}
			require.NoError(t, json.Unmarshal(data, &cases))
			want := 0
			for _, c := range cases {
				want += len(c.Queries) + len(c.Visible)
				if c.Error != "" {
					want++
				}
			}
			r := (&run{args: []string{"test", "-o", "json", name}}).do()
			require.Zero(t, r.code, r.err.String())
			var report struct{ Total, Wrong int }
			require.NoError(t, json.Unmarshal(r.out.Bytes(), &report))
			require.Positive(t, want)
			require.Equal(t, want, report.Total)
			require.Zero(t, report.Wrong)
		})
	}
}

// TestConformanceNoticesMistakes changes each answer of the vectors. The command must notice each.
func TestConformanceNoticesMistakes(t *testing.T) {
	data, err := os.ReadFile(root + "testdata/conformance/decisions.json")
	require.NoError(t, err)
	var cases []map[string]any
	require.NoError(t, json.Unmarshal(data, &cases))
	want := 0
	for _, c := range cases {
		for _, q := range items(c["queries"]) {
			allowed := q["allowed"].(bool)
			q["allowed"] = !allowed
			delete(q, "invalid")
			delete(q, "undetermined")
			want++
		}
		for _, v := range items(c["visible"]) {
			v["visible"] = !v["visible"].(bool)
			want++
		}
	}
	changed, err := json.Marshal(cases)
	require.NoError(t, err)
	r := (&run{args: []string{"test", "-o", "json", "-"}, stdin: bytes.NewReader(changed)}).do()
	require.Equal(t, 2, r.code, r.err.String())
	var report struct{ Total, Wrong int }
	require.NoError(t, json.Unmarshal(r.out.Bytes(), &report))
	require.Equal(t, want, report.Wrong)
}

func items(list any) (members []map[string]any) {
	array, _ := list.([]any)
	for _, item := range array {
		members = append(members, item.(map[string]any))
	}
	return members
}

func TestClaimSchemaIsTheOneOfTheRepository(t *testing.T) {
	data, err := os.ReadFile(root + "schema.json")
	require.NoError(t, err)
	require.Equal(t, string(data), string(schema.Claim))
}

// testsSchema compiles the schema of decision tables.
func testsSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	for _, text := range [][]byte{schema.Claim, schema.Tests} {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		require.NoError(t, c.AddResource(value.(map[string]any)["$id"].(string), value))
	}
	const home = "https://raw.githubusercontent.com/connectperms/permissions/main/"
	compiled, err := c.Compile(home + "cmd/connectperms/schema/tests.schema.json")
	require.NoError(t, err)
	return compiled
}

// asJSON returns what a YAML or JSON text says as values of JSON.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var value any
	require.NoError(t, yaml.Unmarshal([]byte(text), &value))
	data, err := json.Marshal(value)
	require.NoError(t, err)
	value, err = jsonschema.UnmarshalJSON(bytes.NewReader(data))
	require.NoError(t, err)
	return value
}

func TestSchemaOfTablesAccepts(t *testing.T) {
	s := testsSchema(t)
	for _, file := range []string{"decisions.json", "errors.json", "random.json"} {
		data, err := os.ReadFile(root + "testdata/conformance/" + file)
		require.NoError(t, err)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		require.NoError(t, err)
		require.NoError(t, s.Validate(value), file)
	}
	for _, file := range []string{"testdata/files/tests.yaml", "testdata/files/wrong.yaml"} {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, s.Validate(asJSON(t, string(data))), file)
	}
}

// TestSchemaOfTablesRefuses compares the schema with the command: both refuse the same tables.
func TestSchemaOfTablesRefuses(t *testing.T) {
	s := testsSchema(t)
	const query = `queries: [{action: events, target: {}, allowed: true}]`
	for _, test := range []struct{ name, table string }{
		{"not a list", `{claim: {}}`},
		{"not a case", `[5]`},
		{"another member", `[{claim: {}, nme: x, ` + query + `}]`},
		{"no claim", `[{` + query + `}]`},
		{"two claims", `[{claim: {}, file: x, ` + query + `}]`},
		{"two claims, one of them none", `[{claim: {}, unrestricted: true, ` + query + `}]`},
		{"a claim that is a list", `[{claim: [], ` + query + `}]`},
		{"unrestricted is false", `[{unrestricted: false, ` + query + `}]`},
		{"nothing to try", `[{claim: {}}]`},
		{"no queries", `[{claim: {}, queries: []}]`},
		{"queries are an object", `[{claim: {}, queries: {}}]`},
		{"a query without an action", `[{claim: {}, queries: [{target: {}, allowed: true}]}]`},
		{"a query without a target", `[{claim: {}, queries: [{action: events, allowed: true}]}]`},
		{"a query without an answer", `[{claim: {}, queries: [{action: events, target: {}}]}]`},
		{"another member of a query", `[{claim: {}, queries: [{action: events, target: {}, allowed: true, x: 1}]}]`},
		{"an answer that is a string", `[{claim: {}, queries: [{action: events, target: {}, allowed: "true"}]}]`},
		{"a rule that is a string", `[{claim: {}, queries: [{action: events, target: {}, allowed: true, rule: "x"}]}]`},
		{"a scope that is a number", `[{claim: {}, queries: [{action: events, target: {}, allowed: true, rule: [5]}]}]`},
		{"invalid is a string", `[{claim: {}, queries: [{action: events, target: {}, allowed: false, invalid: "x"}]}]`},
		{"visible without an answer", `[{claim: {}, visible: [{target: {}}]}]`},
		{"another member of visible", `[{claim: {}, visible: [{target: {}, visible: true, x: 1}]}]`},
		{"another kind of mistake", `[{claim: "{", error: wrong}]`},
		{"a mistake and questions", `[{claim: "{", error: syntax, ` + query + `}]`},
		{"a mistake in no claim", `[{unrestricted: true, error: syntax}]`},
		{"a place without a mistake", `[{claim: {}, pointer: "", ` + query + `}]`},
		{"a name that is a number", `[{name: 5, claim: {}, ` + query + `}]`},
		{"permissions that are a string", `[{claim: {}, extraPermissions: x, ` + query + `}]`},
		{"a permission that is a number", `[{claim: {}, extraPermissions: [5], ` + query + `}]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := (&run{args: []string{"test", "-"}, stdin: strings.NewReader(test.table)}).do()
			require.Equal(t, 1, r.code, r.all())
			require.Regexp(t, `^connectperms: standard input:1:\d+: `, r.err.String())
			require.Error(t, s.Validate(asJSON(t, test.table)))
		})
	}
}

// TestYAMLIsLimited refuses aliases that make a small document huge, and documents that nest deep.
func TestYAMLIsLimited(t *testing.T) {
	var b strings.Builder
	b.WriteString("- &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 9; i++ {
		b.WriteString("- &a" + string(rune('0'+i)) + " [" + strings.Repeat("*a"+string(rune('0'+i-1))+", ", 10) + "]\n")
	}
	const many = 100_000
	for name, table := range map[string]string{
		"aliases": b.String(), "an alias of itself": "- &a [*a]\n", "deep YAML": strings.Repeat("- ", 5000) + "x",
		"deep JSON": strings.Repeat("[", many) + strings.Repeat("]", many),
	} {
		t.Run(name, func(t *testing.T) {
			r := (&run{args: []string{"test", "-"}, stdin: strings.NewReader(table)}).do()
			require.Equal(t, 1, r.code)
			require.Regexp(t, `^connectperms: standard input:\d+:\d+: `, r.err.String())
			require.Regexp(t, "nests? too deep|max depth|its aliases make it too large", r.err.String())
		})
	}
}
