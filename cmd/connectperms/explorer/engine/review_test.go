package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
)

type findings struct {
	Total    int
	Findings []struct {
		Index         int
		Code, Message string
		Place         struct {
			Pointer        string
			From, To, Line int
		}
		KeyTo int
		Fix   struct {
			Summary        string
			HasEdit        bool
			ChangesAnswers []string
		}
	}
}

func TestLint(t *testing.T) {
	for _, test := range []struct {
		name, claim, code, key string
		fixed                  string
	}{
		{
			"an empty map among others", "{\n  \"integration:a\": {},\n  \"integration:b\": true\n}",
			"empty-map", `"integration:a"`, "{\n  \"integration:b\": true\n}",
		},
		{
			"the last one", "{\n  \"integration:b\": true,\n  \"integration:a\": {}\n}",
			"empty-map", `"integration:a"`, "{\n  \"integration:b\": true\n}",
		},
		{
			"an ID that is marked as an external ID",
			"{\n\t\"integration:é\" : {\n\t\t\"credential:ext:" + credentialID +
				"\" : [ \"events\",\n\t\t\t\"workflows\" ]\n\t}\n}",
			"uuid", `"credential:ext:` + credentialID + `"`,
			"{\n\t\"integration:é\" : {\n\t\t\"credential:" + credentialID +
				"\" : [ \"events\",\n\t\t\t\"workflows\" ]\n\t}\n}",
		},
		{
			"a permission that is missing", `{"integration:*": ["events"], "integration:a": ["workflows"]}`,
			"replaces-grant", `"integration:a"`, `{"integration:*": ["events"], "integration:a": ["events", "workflows"]}`,
		},
		{
			"what others are allowed", `{"integration:*": true, "integration:a": {"credential:ext:b": ["events"]}}`,
			"others-allowed", `"integration:a"`,
			`{"integration:*": true, "integration:a": {"credential:ext:b": ["events"], "credential:*": false}}`,
		},
		{
			"credentials that move to the top",
			"{\n  \"integration:*\": [\"events\"],\n  \"integration:a\": {\n    \"credential:" + credentialID +
				"\": [\"proxy-api\"],\n    \"credential:*\": false\n  }\n}",
			"inherited-answer", `"integration:a"`,
			"{\n  \"integration:*\": [\"events\"],\n  \"integration:a\": false,\n  \"credential:" + credentialID +
				"\": [\"proxy-api\"]\n}",
		},
		{
			"a list", `{"integration:a,b": true, "integration:é": ["events"]}`, "list", `"integration:a,b"`,
			`{ "integration:é": ["events"], "integration:a": true, "integration:b": true}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e engine.Engine
			handle := parse(t, &e, test.claim)
			got := call[findings](t, &e, "lint", object{"claim": handle})
			require.Equal(t, got.Total, len(got.Findings))
			for i, f := range got.Findings {
				require.Equal(t, i, f.Index)
				if f.Code != test.code {
					continue
				}
				require.Equal(t, test.key, units(test.claim, f.Place.From, f.KeyTo))
				require.NotEmpty(t, f.Message)
				require.NotEmpty(t, f.Fix.Summary)
				require.True(t, f.Fix.HasEdit)
				fix := call[struct{ Edit edit }](t, &e, "fix", object{"claim": handle, "finding": i})
				require.Equal(t, test.fixed, fix.Edit.apply(test.claim))
				return
			}
			require.Fail(t, "there is no such finding", "%v", got)
		})
	}
}

// A fix makes the claim that package analyze makes, and keeps the layout: the text is not what analyze returns.
func TestFixesAreThoseOfAnalyze(t *testing.T) {
	fixes, kept := 0, 0
	for _, c := range slices.Concat(conformance(t, "decisions.json"), conformance(t, "random.json")) {
		if c.Error != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			var e engine.Engine
			handle := parse(t, &e, c.Claim)
			all := analyze.Lint(must(permissions.Parse([]byte(c.Claim))))
			got := call[findings](t, &e, "lint", object{"claim": handle})
			require.Equal(t, len(all), got.Total)
			for i, f := range all {
				require.Equal(t, string(f.Code), got.Findings[i].Code)
				require.Equal(t, f.Pointer(), got.Findings[i].Place.Pointer)
				if len(f.Fix().Edits) == 0 {
					continue
				}
				edited := call[struct{ Edit edit }](t, &e, "fix", object{"claim": handle, "finding": i}).Edit.apply(c.Claim)
				want := must(f.Fix().Apply([]byte(c.Claim)))
				require.JSONEq(t, string(want), edited)
				fixes++
				if !strings.Contains(edited, "\n") { // the cases have no line breaks, and an indented text has
					kept++
				}
			}
		})
	}
	require.Greater(t, fixes, 100)
	require.Equal(t, fixes, kept)
}

func TestLintInParts(t *testing.T) {
	var claim strings.Builder
	claim.WriteString(`{"integration:*": true`)
	for i := range 700 {
		fmt.Fprintf(&claim, `, "integration:app-%d": {}`, i)
	}
	claim.WriteString("}")
	var e engine.Engine
	handle := parse(t, &e, claim.String())
	for _, test := range []struct{ from, count, first, n int }{
		{0, 0, 0, 500}, {500, 0, 500, 200}, {10, 3, 10, 3}, {700, 0, 0, 0}, {9000, 5, 0, 0}, {0, 5000, 0, 700},
	} {
		got := call[findings](t, &e, "lint", object{"claim": handle, "from": test.from, "count": test.count})
		require.Equal(t, 700, got.Total)
		require.Len(t, got.Findings, test.n)
		if test.n > 0 {
			require.Equal(t, test.first, got.Findings[0].Index)
			require.Equal(t, fmt.Sprintf("/integration:app-%d", test.first), got.Findings[0].Place.Pointer)
		}
	}
}

type difference struct {
	Summary string
	Total   int
	Changes []struct {
		Index                             int
		Change                            string
		Permissions                       []string
		Region                            string
		Scopes                            []string
		Row                               int
		Only, Unchanged, Partly, Separate string
		Example                           struct{ Action, Text string }
		Before, After                     struct {
			Answer, Summary string
			Rule            *rule
		}
	}
	Text string
}

func TestDiff(t *testing.T) {
	var e engine.Engine
	before := parse(t, &e, teams)
	after := parse(t, &e, `{"integration:*": ["events", "workflows"], "integration:slack": false}`)
	rows := allRows(t, &e, before, after)
	got := call[difference](t, &e, "diff", object{"before": before, "after": after})
	require.Equal(t, "both", got.Summary)
	require.Equal(t, got.Total, len(got.Changes))
	require.NotEmpty(t, got.Changes)
	for _, c := range got.Changes {
		require.Contains(t, got.Text, c.Region)
		require.NotEqual(t, c.Before.Answer == "yes", c.After.Answer == "yes")
		require.Equal(t, c.After.Answer == "yes", c.Change == "gained")
		if c.Row >= 0 {
			require.Equal(t, c.Scopes, rows[c.Row].Path)
		}
	}
	require.Equal(t, 1, slices.IndexFunc(rows, func(r treeRow) bool { return r.Scope == "integration:slack" }))
	same := call[difference](t, &e, "diff", object{"before": before, "after": before})
	require.Equal(t, "equal", same.Summary)
	require.Empty(t, same.Changes)
}

func TestDiffOfManyChanges(t *testing.T) {
	var claim strings.Builder
	claim.WriteString(`{"integration:*": false`)
	for i := range 300 {
		fmt.Fprintf(&claim, `, "integration:app-%d": true`, i)
	}
	claim.WriteString("}")
	var e engine.Engine
	before, after := parse(t, &e, claim.String()), parse(t, &e, `{}`)
	got := call[difference](t, &e, "diff", object{"before": before, "after": after})
	require.Equal(t, "narrower", got.Summary)
	require.Equal(t, 300, got.Total)
	require.Len(t, got.Changes, 200)
	require.True(t, strings.HasSuffix(got.Text, "\n\nand 280 more changes"))
	rest := call[difference](t, &e, "diff", object{"before": before, "after": after, "from": 200})
	require.Len(t, rest.Changes, 100)
	require.Equal(t, 200, rest.Changes[0].Index)
}

// Every region has a row in the outline of both claims.
func TestRegionsHaveRows(t *testing.T) {
	changes, previous := 0, "{}"
	for _, c := range conformance(t, "random.json") {
		if c.Error != "" {
			continue
		}
		var e engine.Engine
		before, after := parse(t, &e, previous), parse(t, &e, c.Claim)
		rows := allRows(t, &e, before, after)
		for _, change := range call[difference](t, &e, "diff", object{"before": before, "after": after}).Changes {
			changes++
			require.GreaterOrEqual(t, change.Row, 0, "%s", change.Region)
			require.Equal(t, change.Scopes, rows[change.Row].Path)
		}
		previous = c.Claim
	}
	require.Greater(t, changes, 500)
}

func TestNarrow(t *testing.T) {
	var e engine.Engine
	a := parse(t, &e, `{"integration:*": ["events", "workflows"]}`)
	b := parse(t, &e, `{"integration:slack": ["events", "proxy-api"]}`)
	got := call[struct{ Text string }](t, &e, "narrow", object{"claims": []string{a, b}})
	require.Equal(t, `{"integration:slack":["events"]}`, got.Text)

	id := parse(t, &e, `{"credential:`+credentialID+`": true}`)
	external := parse(t, &e, `{"integration:*": true, "credential:ext:a": false}`)
	refused := failed(t, &e, "narrow", object{"claims": []string{id, external}}).Error
	require.Equal(t, "narrow", refused.Code)
	require.NotEmpty(t, refused.Problem)
	require.NotEmpty(t, refused.Remedy)
}

func TestFormat(t *testing.T) {
	long := `["credential:write","config:write","settings:read","settings:write","metadata:read",` +
		`"metadata:write","proxy-api"]`
	for _, test := range []struct{ name, text, want string }{
		{"a claim", `{"integration:*":["events","proxy-api"],"integration:a":{"credential:*":false}}`,
			"{\n  \"integration:*\": [\"events\", \"proxy-api\"],\n" +
				"  \"integration:a\": {\n    \"credential:*\": false\n  }\n}"},
		{"an empty claim", " {} \n", "{}"},
		{"an empty array", `{"integration:*":[ ]}`, "{\n  \"integration:*\": []\n}"},
		{"brackets in names", `{"integration:[ {":["events"]}`, "{\n  \"integration:[ {\": [\"events\"]\n}"},
		{"an array of arrays", `[[1, 2], {"a": []}]`, "[\n  [1, 2],\n  {\n    \"a\": []\n  }\n]"},
		{"a long array", long, strings.NewReplacer("[", "[\n  ", ",", ",\n  ", "]", "\n]").Replace(long)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var e engine.Engine
			require.Equal(t, test.want, call[struct{ Text string }](t, &e, "format", object{"text": test.text}).Text)
		})
	}
	t.Run("not JSON", func(t *testing.T) {
		var e engine.Engine
		const text = "{\"é\": 1,\n x}"
		got := failed(t, &e, "format", object{"text": text}).Error
		require.Equal(t, "syntax", got.Code)
		require.Equal(t, "x", units(text, got.From, got.To))
		require.Equal(t, 2, got.Line)
	})
}

func TestFind(t *testing.T) {
	var e engine.Engine
	handle := parse(t, &e,
		`{"integration:Slack": true, "integration:b": {"credential:ext:slack": true}, "integration:slack-2": true}`)
	for _, test := range []struct {
		text  string
		limit int
		rows  []int
		more  bool
	}{
		{"SLACK", 10, []int{1, 3, 5}, false},
		{"slack", 2, []int{1, 3}, true},
		{"slack", 3, []int{1, 3, 5}, false},
		{"nothing", 3, []int{}, false},
	} {
		got := call[struct {
			Rows []int
			More bool
		}](t, &e, "find", object{"claims": []string{handle}, "text": test.text, "limit": test.limit})
		require.Equal(t, test.rows, got.Rows)
		require.Equal(t, test.more, got.More)
	}
}

// What the person adds to the matrix may be invalid. Then its row says so.
func TestMatrixOfTargets(t *testing.T) {
	var e engine.Engine
	handle := parse(t, &e, `{"integration:*": ["events"]}`)
	targets := []json.RawMessage{
		[]byte(`{}`), []byte(`{"integration": "a"}`), []byte(`{"integration": ""}`), []byte(`["x"]`),
		[]byte(`{"integration": "b", "c": 1}`),
	}
	rows := call[struct{ Rows []matrixRow }](t, &e, "matrix",
		object{"claims": []string{handle}, "rows": []int{1}, "targets": targets}).Rows
	require.Equal(t, 1, rows[0].Row)
	require.Equal(t, "any integration", rows[0].Title)
	require.JSONEq(t, `{"integration": "other"}`, string(rows[0].Target))
	require.Equal(t, "the user", rows[1].Title)
	require.Equal(t, "----nn-y-n", rows[1].Claims[0].Cells)
	require.Equal(t, `integration "a"`, rows[2].Title)
	require.Equal(t, []int{0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, rows[2].Claims[0].Rules)
	for i, row := range rows[1:] {
		require.Equal(t, -1, row.Row)
		require.JSONEq(t, string(targets[i]), string(row.Target))
	}
	for _, row := range rows[3:] {
		require.Equal(t, "an invalid target", row.Title)
		require.Empty(t, row.Claims)
		require.Contains(t, row.Error, "invalid question")
	}
}
