package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docs is the page about the tool.
const docs = "../../../../docs/cli.md"

var console = regexp.MustCompile("(?ms)^```console\n(.*?)^```$")

// TestDocs runs the commands of the page in order, in one directory, and compares what they print.
func TestDocs(t *testing.T) {
	file, err := filepath.Abs(docs)
	require.NoError(t, err)
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	inDirectory(t)
	blocks := console.FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, blocks)
	got := console.ReplaceAllStringFunc(string(page), func(block string) string {
		var b strings.Builder
		b.WriteString("```console\n")
		for _, line := range strings.Split(block, "\n") {
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				b.WriteString(line + "\n" + shell(t, command))
			}
		}
		return b.String() + "```"
	})
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	require.Equal(t, string(page), got)
}

// shell runs a command and returns what it prints.
func shell(t *testing.T, command string) string {
	t.Helper()
	c := exec.Command("sh", "-c", command)
	c.Env = append(os.Environ(), "CONNECTPERMS_TOKEN=", "PARAGON_PUBLIC_KEY=", "PARAGON_PROJECT_ID=")
	out, err := c.CombinedOutput()
	if err != nil {
		require.IsType(t, &exec.ExitError{}, err, "%s", command)
	}
	require.NotEqual(t, 1, c.ProcessState.ExitCode(), "%s\n%s", command, out)
	return string(out)
}

// TestDecisionTableInThePageIsTheFixture keeps the table in the page and the file that its commands try equal.
func TestDecisionTableInThePageIsTheFixture(t *testing.T) {
	page, err := os.ReadFile(docs)
	require.NoError(t, err)
	_, table, found := strings.Cut(string(page), "# tests.yaml\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "```")
	fixture, err := os.ReadFile("testdata/files/tests.yaml")
	require.NoError(t, err)
	require.Contains(t, string(fixture), table)
}

// TestEveryCommandIsInThePage finds commands that the page does not name.
func TestEveryCommandIsInThePage(t *testing.T) {
	page, err := os.ReadFile(docs)
	require.NoError(t, err)
	for _, name := range commands(t) {
		if name != "help" {
			require.Regexp(t, "(?m)^\\| .*`"+name+"[` ]", string(page), name)
		}
	}
}

// commands returns the names of the commands that the help has.
func commands(t *testing.T) (names []string) {
	t.Helper()
	help := (&run{args: []string{"--help"}}).do().out.String()
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+) +[A-Z]`).FindAllStringSubmatch(help, -1) {
		names = append(names, m[1])
	}
	require.Greater(t, len(names), 15)
	return names
}

// TestMembersOfJSONAreInThePage finds members that the page does not describe.
func TestMembersOfJSONAreInThePage(t *testing.T) {
	file, err := filepath.Abs(docs)
	require.NoError(t, err)
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	inDirectory(t)
	const verified = " --public-key key.pub --project " + project
	for _, line := range []string{
		"check events --claim claim.json", "check proxy-api --integration slack --claim claim.json",
		"explain proxy-api --integration slack --claim claim.json",
		"explain proxy-api --integration slack --credential finance --claim claim.json",
		"permissions --claim claim.json", "matrix --claim claim.json",
		"verify --token token.txt" + verified, "verify --token expired.txt" + verified,
		"inspect --token token.txt" + verified, "inspect --token expired.txt" + verified,
		"inspect --claim slips.json", "lint slips.json", "diff before.json after.json", "covers member.json admin.json",
		"narrow member.json admin.json", "size claim.json", "test tests.yaml wrong.yaml",
		"sign --key key --project my-project --subject ann --claim claim.json", "keygen new", "version",
	} {
		args := strings.Fields(line)
		r := (&run{args: append(args, "-o", "json")}).do()
		require.NotEqual(t, 1, r.code, r.all())
		row := regexp.MustCompile("(?m)^\\| `" + args[0] + "` \\| .*`.*$").FindString(string(page))
		require.NotEmpty(t, row, args[0])
		var object map[string]any
		require.NoError(t, json.Unmarshal(r.out.Bytes(), &object))
		for name, value := range object {
			require.Contains(t, row, "`"+name+"`", args[0])
			if list, ok := value.([]any); ok && len(list) > 0 {
				value = list[0]
			}
			inner, _ := value.(map[string]any)
			switch {
			case name == "target", name == "claim", name == "rules", name == "decision",
				name == "findings" && args[0] != "lint", name == "payload" && args[0] != "inspect":
				continue // described in another row, or below the table
			}
			for name := range inner {
				require.Contains(t, row, "`"+name+"`", args[0])
			}
		}
	}
}

var example = regexp.MustCompile(`(?m)^  connectperms .*$`)

// TestExamples runs the examples in the help of every command. An example needs the files that the tests have.
func TestExamples(t *testing.T) {
	inDirectory(t)
	for _, name := range commands(t) {
		t.Run(name, func(t *testing.T) {
			help := (&run{args: []string{name, "--help"}}).do().out.String()
			_, examples, found := strings.Cut(help, "\nExamples:\n")
			require.True(t, found, "the help of %s has no example", name)
			examples, _, _ = strings.Cut(examples, "\n\n")
			lines := example.FindAllString(examples, -1)
			require.NotEmpty(t, lines)
			for _, line := range lines {
				line = strings.TrimSpace(line)
				switch {
				case name == "explore":
					line = "timeout --preserve-status --signal INT 1 " + line // it serves until it is interrupted
				case name == "completion":
					line = strings.Replace(line, "/etc/bash_completion.d/", "./", 1)
				}
				shell(t, line) // which requires that there is an answer
			}
		})
	}
}
