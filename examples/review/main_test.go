package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

func TestOutput(t *testing.T) {
	want, err := os.ReadFile("output.txt")
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, run(&out, "text"))
	require.Equal(t, string(want), out.String())
}

// TestSummaryComesFirst is about the line that everybody reads, in each format.
func TestSummaryComesFirst(t *testing.T) {
	var text, markdown, programs strings.Builder
	require.NoError(t, run(&text, "text"))
	require.True(t, strings.HasPrefix(text.String(), "Wider and narrower: "), text.String())
	require.NoError(t, run(&markdown, "markdown"))
	require.True(t, strings.HasPrefix(markdown.String(), "**Wider and narrower.** "), markdown.String())
	require.Contains(t, markdown.String(), "\n```text\n\"/integration:slack\": ")

	require.NoError(t, run(&programs, "json"))
	var result struct {
		Difference struct{ Summary string }
		Findings   []struct{ Code string }
	}
	require.NoError(t, json.Unmarshal([]byte(programs.String()), &result))
	require.Equal(t, "both", result.Difference.Summary)
	var codes []string
	for _, f := range result.Findings {
		codes = append(codes, f.Code)
	}
	require.Equal(t, []string{"inherited-answer", "proxy-or-actionkit", "redundant-rule", "pattern"}, codes)
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, claim string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(claim), 0o600))
		return path
	}
	more, less := write("more.json", `{"integration:*":["events"]}`), write("less.json", `{}`)
	const wider = "Wider: The new policy allows more than the old one, and nothing less.\n\nnow allowed: events\n"
	const narrower = "Narrower: The new policy allows less than the old one, and nothing more.\n\n" +
		"no longer allowed: events\n"
	for _, test := range []struct{ name, before, after, want string }{
		{"narrower", more, less, narrower},
		{"wider", less, more, wider},
		{"equal", more, more, "Equal: Both policies give the same answer to every question.\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			require.NoError(t, run(&out, "text", test.before, test.after))
			require.True(t, strings.HasPrefix(out.String(), test.want), out.String())
		})
	}

	var out strings.Builder
	require.EqualError(t, run(&out, "text", more), "give two files, the claim before and after, or none for the example")
	require.EqualError(t, run(&out, "pdf", more, less), `unknown format "pdf": give text, markdown or json`)
	require.ErrorIs(t, run(&out, "text", more, filepath.Join(dir, "none")), os.ErrNotExist)
	require.ErrorIs(t, run(&out, "text", write("bad.json", `{"integration:*":null}`), more), permissions.ErrType)
	require.Empty(t, out.String())
}
