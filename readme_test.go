package permissions_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A block is a piece of code in README.md.
type block struct {
	language string
	text     string
}

func (b block) isProgram() bool {
	return b.language == "go" && strings.HasPrefix(b.text, "package main\n")
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

func readme(t *testing.T) (text string, blocks []block) {
	t.Helper()
	data, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, m := range fence.FindAllStringSubmatch(string(data), -1) {
		blocks = append(blocks, block{m[1], m[2]})
	}
	return string(data), blocks
}

// goCommand runs the go command here.
func goCommand(t *testing.T, args ...string) {
	t.Helper()
	out, err := exec.Command("go", args...).CombinedOutput()
	require.NoError(t, err, "go %s\n%s", strings.Join(args, " "), out)
}

// The programs in the README compile, and print what stands below them as text. A block of
// Go that is no program is compiled as the body of a function, or as declarations where
// one begins its line.
func TestReadmePrograms(t *testing.T) {
	_, blocks := readme(t)
	directory := t.TempDir()
	replace := make(map[string]string) // files that are there for the compiler alone
	var packages []string
	prints := make(map[string]string)
	for i, b := range blocks {
		if b.language != "go" {
			continue
		}
		name := fmt.Sprint("readme", i)
		file := filepath.Join(directory, name+".go")
		text := b.text
		if !b.isProgram() {
			text = wrapped(text)
		}
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		root, err := filepath.Abs(name)
		require.NoError(t, err)
		replace[filepath.Join(root, "main.go")] = file
		packages = append(packages, "./"+name)
		if i+1 < len(blocks) && b.isProgram() && blocks[i+1].language == "text" {
			prints["./"+name] = blocks[i+1].text
		}
	}
	require.NotEmpty(t, packages)
	require.NotEmpty(t, prints)
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(overlay, []byte(encode(map[string]any{"Replace": replace})), 0o600))
	goCommand(t, append([]string{"build", "-overlay", overlay, "-o", directory}, packages...)...)
	for name, want := range prints {
		out, err := exec.Command(filepath.Join(directory, filepath.Base(name))).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, want, string(out))
	}
}

// wrapped makes a file of a piece of Go, with the imports that it needs.
func wrapped(text string) string {
	var imports strings.Builder
	for name, path := range map[string]string{
		"permissions": "", "httpauth": "/httpauth", "permissionstest": "/permissionstest", "analyze": "/analyze",
	} {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(text) {
			fmt.Fprintf(&imports, "import %q\n", "github.com/connectperms/permissions"+path)
		}
	}
	for _, path := range []string{"context", "errors", "fmt", "log", "log/slog", "net/http", "os", "slices", "testing", "time"} {
		if regexp.MustCompile(`\b` + filepath.Base(path) + `\.`).MatchString(text) {
			fmt.Fprintf(&imports, "import %q\n", path)
		}
	}
	if regexp.MustCompile(`(?m)^(func|type|var|const) `).MatchString(text) {
		return "package main\n" + imports.String() + text + "\nfunc main() {}\n"
	}
	return "package main\n" + imports.String() + `
import (
	. "net/http"
	. "testing"
	p "github.com/connectperms/permissions"
)

func _(w ResponseWriter, r *Request, t *T, verifier *p.Verifier, policy *p.Policy, target p.Target, token string) {
` + text + "}\n\nfunc main() {}\n"
}

// The claims in the README are claims.
func TestReadmeClaims(t *testing.T) {
	_, blocks := readme(t)
	count := 0
	for _, b := range blocks {
		if b.language == "json" {
			_, err := permissions.Parse([]byte(b.text))
			require.NoError(t, err, b.text)
			count++
		}
	}
	require.NotZero(t, count)
}

// The README holds what it must, and says what is so.
func TestReadmeSays(t *testing.T) {
	text, blocks := readme(t)

	require.Contains(t, blocks, block{"sh", "go run ./examples/quickstart\ngo test ./...\n"})
	output, err := os.ReadFile(filepath.Join("examples", "quickstart", "output.txt"))
	require.NoError(t, err)
	claim, table, found := strings.Cut(string(output), "\nACTION")
	require.True(t, found)
	require.Contains(t, text, "```text\nACTION"+table+"```")
	_, claim, _ = strings.Cut(claim, "\n\n")
	require.Contains(t, text, "```json\n"+strings.TrimSpace(claim)+"\n```")

	for i, b := range blocks {
		if b.isProgram() {
			require.Less(t, strings.Count(b.text, "\n"), 40, "block %d: a program that nobody reads", i)
		}
	}
	_, handler, found := strings.Cut(text, "\nfunc connect(")
	require.True(t, found)
	handler, _, _ = strings.Cut(handler, "\n```")
	require.Less(t, strings.Count(handler, "\n"), 30, "a handler, and what it needs, in under 30 lines")

	for _, name := range theNine {
		require.Contains(t, text, "| `"+string(name)+"` |")
	}
	_, err = permissions.Parse([]byte(`{"integration:*":["proxy_api"]}`))
	require.Contains(t, text, "\n"+err.Error()+"\n")
}

var link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

// What the documents link to in the repository is there.
func TestLinks(t *testing.T) {
	files, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.Contains(t, files, "README.md")
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			_, err := os.Stat(filepath.FromSlash(m[1]))
			require.NoError(t, err, "%s links to %s", file, m[1])
		}
	}
}
