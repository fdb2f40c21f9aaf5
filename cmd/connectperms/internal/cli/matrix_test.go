package cli_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
)

// TestMatrixIsTheOneOfTheExplorer compares the rows of the command with those of the page. A row for the same scopes
// has the same answers, and asks about the same target, apart from the names that replace a wildcard.
func TestMatrixIsTheOneOfTheExplorer(t *testing.T) {
	const id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	example, err := os.ReadFile("testdata/files/claim.json")
	require.NoError(t, err)
	claims := []string{
		string(example), `{}`, `{"integration:*":true}`,
		`{"integration:slack":{"credential:ext:a":["proxy-api"],"credential:` + id + `":["events"],"credential:*":false}}`,
		`{"credential:` + id + `":false,"integration:*":["proxy-api"],"credential:ext:a":{"configuration:ext:b":true}}`,
		`{"credential:ext:a":{"configuration:` + id + `":["workflows"]},"configuration:ext:c":["settings:read"]}`,
		`{"integration:other":true,"integration:other-1":false,"credential:00000000-0000-4000-8000-000000000001":true}`,
	}
	data, err := os.ReadFile(root + "testdata/conformance/random.json")
	require.NoError(t, err)
	var cases []struct{ Claim, Error string }
	require.NoError(t, json.Unmarshal(data, &cases))
	for _, c := range cases {
		if c.Error == "" {
			claims = append(claims, c.Claim)
		}
	}
	compared := 0
	for _, claim := range claims {
		page := pageRows(t, claim)
		args := []string{"matrix", "-o", "json"}
		r := (&run{args: args, stdin: strings.NewReader(claim)}).do()
		require.Zero(t, r.code, r.all())
		var answer struct{ Targets []commandRow }
		require.NoError(t, json.Unmarshal(r.out.Bytes(), &answer))
		require.NotEmpty(t, answer.Targets)
		for _, row := range answer.Targets {
			want, ok := page[row.Label]
			require.True(t, ok, "%s: the page has no row %s", claim, row.Label)
			require.Equal(t, want.Cells, row.cells(t), "%s: %s", claim, row.Label)
			require.Equal(t, shapeOf(want.Target), shapeOf(row.Target), "%s: %s", claim, row.Label)
			compared++
		}
	}
	require.Greater(t, compared, 500)
}

// A commandRow is a row of the matrix of the command.
type commandRow struct {
	Label     string
	Target    permissions.Target
	Decisions []struct {
		Action   permissions.Permission
		Decision struct {
			Allowed bool
			Reason  string
		}
	}
}

// cells returns the answers in the letters of the page.
func (r *commandRow) cells(t *testing.T) (cells string) {
	t.Helper()
	require.Len(t, r.Decisions, len(permissions.AllPermissions()))
	for i, p := range permissions.AllPermissions() {
		d := r.Decisions[i]
		require.Equal(t, p, d.Action)
		switch {
		case d.Decision.Allowed:
			cells += "y"
		case d.Decision.Reason == permissions.ReasonUndetermined.String():
			cells += "u"
		case d.Decision.Reason == permissions.ReasonInvalidQuestion.String():
			cells += "-"
		default:
			cells += "n"
		}
	}
	return cells
}

// A pageRow is a row of the matrix of the page.
type pageRow struct {
	Target permissions.Target
	Cells  string
}

// pageRows returns the rows of the page by the labels that the command gives them.
func pageRows(t *testing.T, claim string) map[string]pageRow {
	t.Helper()
	var e engine.Engine
	ask := func(name string, request, answer any) {
		text, err := json.Marshal(request)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(e.Call(name, string(text)), answer))
	}
	var parsed struct{ Handle string }
	ask("parse", map[string]any{"text": claim}, &parsed)
	require.NotEmpty(t, parsed.Handle)
	var outline struct{ Descendants []int }
	ask("outline", map[string]any{"claims": []string{parsed.Handle}}, &outline)
	var numbers []int
	for i := range outline.Descendants {
		numbers = append(numbers, i)
	}
	var tree struct {
		Rows []struct {
			Path   []string
			Target permissions.Target
			Claims []struct{ Cells string }
		}
	}
	ask("tree", map[string]any{"claims": []string{parsed.Handle}, "rows": numbers}, &tree)
	rows := make(map[string]pageRow)
	for _, row := range tree.Rows {
		var labels []string
		for _, scope := range row.Path {
			labels = append(labels, permissions.MustParseScope(scope).LogValue().String())
		}
		label := strings.Join(labels, "/")
		if label == "" {
			label = "the user"
		}
		rows[label] = pageRow{row.Target, row.Claims[0].Cells}
	}
	return rows
}

// shapeOf returns what is known and unknown of a target, and its names unless they replace a wildcard.
func shapeOf(target permissions.Target) (shape []string) {
	for _, which := range []permissions.Identifiers{
		permissions.IntegrationName, permissions.CredentialID, permissions.CredentialExternalID,
		permissions.ConfigurationID, permissions.ConfigurationExternalID,
	} {
		name, state := target.Lookup(which)
		if strings.HasPrefix(name, "other") || strings.HasPrefix(name, "00000000-0000-4000-8000-") {
			name = "unused"
		}
		shape = append(shape, state.String()+" "+name)
	}
	return append(shape, target.Level().String())
}
