package engine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
)

type outline struct {
	Rows        int
	Descendants []int
}

type treeRow struct {
	Row, Depth                int
	Kind, Scope, Label, Title string
	Path                      []string
	Target                    json.RawMessage
	Implied                   bool
	Children, Descendants     int
	Claims                    []struct {
		Own, Inherits *rule
		Map           *struct {
			Place struct{ From, To int }
			KeyTo int
			Empty bool
		}
		Overrides []rule
		Cells     string
		Rules     []int
	}
}

// allRows returns every row of the tree of some claims.
func allRows(t *testing.T, e *engine.Engine, handles ...string) []treeRow {
	t.Helper()
	all := call[outline](t, e, "outline", object{"claims": handles})
	require.Len(t, all.Descendants, all.Rows)
	var rows []int
	for i := range all.Rows {
		rows = append(rows, i)
	}
	tree := call[struct{ Rows []treeRow }](t, e, "tree", object{"claims": handles, "rows": rows}).Rows
	require.Len(t, tree, all.Rows)
	for i, row := range tree {
		require.Equal(t, i, row.Row)
		require.Equal(t, all.Descendants[i], row.Descendants)
	}
	return tree
}

// printed returns rows as lines.
func printed(rows []treeRow) string {
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "%s%s", strings.Repeat("  ", row.Depth), row.Title)
		if row.Implied {
			b.WriteString(" (implied)")
		}
		for i, c := range row.Claims {
			if len(row.Claims) > 1 {
				fmt.Fprintf(&b, " [%d]", i)
			}
			switch {
			case c.Own != nil:
				b.WriteString(" has " + c.Own.Text)
			case c.Inherits != nil:
				b.WriteString(" inherits " + c.Inherits.Text)
			}
			for _, r := range c.Overrides {
				b.WriteString(", overrides " + r.Text)
			}
			if c.Map != nil {
				b.WriteString(", map")
			}
			b.WriteString(" " + c.Cells)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestTree holds the trees of testdata/trees.txt: a line with the name, the claims, and the rows.
func TestTree(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "trees.txt"))
	require.NoError(t, err)
	cases := strings.Split(string(text), "== ")[1:]
	require.NotEmpty(t, cases)
	for _, c := range cases {
		name, rest, _ := strings.Cut(c, "\n")
		t.Run(name, func(t *testing.T) {
			claims, want, found := strings.Cut(rest, "\n--\n")
			require.True(t, found)
			var e engine.Engine
			var handles []string
			for claim := range strings.SplitSeq(claims, "\n") {
				handles = append(handles, parse(t, &e, claim))
			}
			require.Equal(t, strings.TrimSpace(want), strings.TrimSpace(printed(allRows(t, &e, handles...))))
		})
	}
}
