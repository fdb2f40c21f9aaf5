package bundle_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/cmd/connectperms/explorer"
	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
	"github.com/connectperms/permissions/cmd/connectperms/internal/bundle"
)

// module is the folder of the module.
var module = filepath.Join("..", "..")

// static builds the static files once. It takes some time.
var static = sync.OnceValues(func() (bundle.Files, error) { return bundle.Static(module, "v0.0.0-test") })

// The page that the binary has is what the sources make.
func TestThePageIsUpToDate(t *testing.T) {
	files, err := bundle.Loopback(module)
	require.NoError(t, err)
	names, err := files.Differs(filepath.Join(module, "explorer", "dist"))
	require.NoError(t, err)
	require.Empty(t, names, "run go run ./internal/explorerbuild in cmd/connectperms")
	again, err := bundle.Loopback(module)
	require.NoError(t, err)
	require.Equal(t, files, again)
}

// The WebAssembly that every page loads has less than 1 MB in brotli. It has nothing that verifies tokens.
func TestDownload(t *testing.T) {
	files, err := static()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{
		"index.html", "app.js", "app.css", "icon.svg", "LICENSES.txt",
		"worker.js", "wasm_exec.js", "explorer.wasm", "token.wasm",
	}, slices.Collect(maps.Keys(files)))
	const limit = 1_000_000
	size, err := bundle.Brotli(files["explorer.wasm"])
	require.NoError(t, err)
	require.Less(t, size, limit)

	command := exec.CommandContext(t.Context(), "go", "list", "-deps", "./explorer/wasm")
	command.Dir, command.Env = module, append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	imports, err := command.Output()
	require.NoError(t, err)
	for name := range strings.SplitSeq(string(imports), "\n") {
		require.NotContains(t, name, "golang-jwt")
		require.NotEqual(t, "net", name)
		require.NotEqual(t, "crypto/rsa", name)
	}
}

// The two forms of the page differ in their policy and in nothing else that they share.
func TestForms(t *testing.T) {
	files, err := static()
	require.NoError(t, err)
	loopback, err := bundle.Loopback(module)
	require.NoError(t, err)
	for name, content := range loopback {
		if name != "index.html" {
			require.Equal(t, content, files[name], name)
		}
	}
	html := string(files["index.html"])
	require.Contains(t, html, `content="`+explorer.ContentSecurityPolicy(true)+`"`)
	require.Contains(t, html, `content="static"`)
	html = strings.ReplaceAll(html, explorer.ContentSecurityPolicy(true), explorer.ContentSecurityPolicy(false))
	html = strings.ReplaceAll(html, `content="static"`, `content="loopback"`)
	require.Equal(t, string(loopback["index.html"]), html)
	for _, name := range []string{"preact", "@codemirror/view", "MIT"} {
		require.Contains(t, string(files["LICENSES.txt"]), name)
	}
}

// The same sources make the same WebAssembly in another folder, with nothing that was built before.
func TestWebAssemblyIsReproducible(t *testing.T) {
	files, err := static()
	require.NoError(t, err)
	root, copied := filepath.Join(module, "..", ".."), t.TempDir()
	for _, folder := range []string{".", "internal", "analyze", filepath.Join("cmd", "connectperms")} {
		copyGo(t, filepath.Join(root, folder), filepath.Join(copied, folder), folder != ".")
	}
	t.Setenv("GOCACHE", filepath.Join(copied, "cache"))
	again, err := bundle.WebAssembly(filepath.Join(copied, "cmd", "connectperms"), "./explorer/wasm", "v0.0.0-test")
	require.NoError(t, err)
	require.True(t, bytes.Equal(files["explorer.wasm"], again))
}

// copyGo copies what a build needs of a folder and, if it is deep, of the folders in it.
func copyGo(t *testing.T, from, to string, deep bool) {
	t.Helper()
	require.NoError(t, os.MkdirAll(to, 0o700))
	entries, err := os.ReadDir(from)
	require.NoError(t, err)
	for _, entry := range entries {
		name := entry.Name()
		switch {
		case entry.IsDir() && deep && name != "node_modules" && name != "testdata":
			copyGo(t, filepath.Join(from, name), filepath.Join(to, name), true)
		case strings.HasSuffix(name, ".go"), strings.HasPrefix(name, "go."):
			content, err := os.ReadFile(filepath.Join(from, name))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(to, name), content, 0o600))
		}
	}
}

// A request is a call of the page.
type request struct{ name, text string }

// requests are the conformance cases, as calls: every question of every case, in each way to ask, and reviews of
// each claim.
func requests(t *testing.T) (all []request) {
	t.Helper()
	add := func(name string, members map[string]any) {
		text, err := json.Marshal(members)
		require.NoError(t, err)
		all = append(all, request{name, string(text)})
	}
	previous := "unrestricted"
	add("vocabulary", nil)
	add("parse", map[string]any{"unrestricted": true})
	for _, file := range []string{"decisions.json", "errors.json", "random.json"} {
		text, err := os.ReadFile(filepath.Join(module, "..", "..", "testdata", "conformance", file))
		require.NoError(t, err)
		var cases []struct {
			Claim   string
			Queries []struct {
				Action string
				Target json.RawMessage
			}
		}
		require.NoError(t, json.Unmarshal(text, &cases))
		require.NotEmpty(t, cases)
		for _, c := range cases {
			add("parse", map[string]any{"text": c.Claim})
			add("format", map[string]any{"text": c.Claim})
			add("token", map[string]any{"text": c.Claim})
			handle := handleOf(c.Claim)
			claims := []string{handle}
			add("outline", map[string]any{"claims": claims})
			add("tree", map[string]any{"claims": claims, "rows": []int{0, 1}})
			add("matrix", map[string]any{"claims": claims, "rows": []int{1, 0}})
			add("find", map[string]any{"claims": claims, "text": "a", "limit": 3})
			add("lint", map[string]any{"claim": handle})
			add("fix", map[string]any{"claim": handle, "finding": 0})
			add("canonical", map[string]any{"claim": handle})
			add("diff", map[string]any{"before": previous, "after": handle})
			add("narrow", map[string]any{"claims": []string{previous, handle}})
			for _, q := range c.Queries {
				add("explain", map[string]any{"claim": handle, "action": q.Action, "target": q.Target})
				add("explain", map[string]any{"claim": handle, "action": q.Action, "target": q.Target, "brief": true})
				add("effects", map[string]any{"claim": handle, "action": q.Action, "target": q.Target, "change": 0})
				add("question", map[string]any{"claim": handle, "action": q.Action, "target": q.Target})
			}
			previous = handle
		}
	}
	return all
}

// handleOf returns the handle of a claim, and a text that is not one for a claim with a mistake.
func handleOf(claim string) string {
	var e engine.Engine
	text, err := json.Marshal(map[string]string{"text": claim})
	if err != nil {
		return ""
	}
	var answer struct{ Handle string }
	if err := json.Unmarshal(e.Call("parse", string(text)), &answer); err != nil {
		return ""
	}
	return answer.Handle
}

// Both forms of the page answer every call with the same bytes.
func TestBothFormsGiveTheSameAnswers(t *testing.T) {
	files, err := static()
	require.NoError(t, err)
	all := requests(t)
	require.Greater(t, len(all), 5000)
	loopback, webAssembly := answersOfLoopback(t, all), answersOfWebAssembly(t, files, all)
	require.Equal(t, len(all), len(loopback))
	require.Equal(t, len(all), len(webAssembly))
	failures := 0
	for i, r := range all {
		require.Equal(t, loopback[i], webAssembly[i], "%s %s", r.name, r.text)
		if strings.HasPrefix(loopback[i], `{"error":`) {
			failures++
		}
	}
	require.Greater(t, failures, 100)
	require.Greater(t, len(all)-failures, 4000)
}

func answersOfLoopback(t *testing.T, all []request) (answers []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- explorer.Serve(ctx, io.Discard, explorer.Options{Ready: func(url string) { ready <- url }})
	}()
	address := <-ready
	for _, r := range all {
		response, err := http.Post(address+"api/"+r.name, "application/json", strings.NewReader(r.text))
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, http.StatusOK, response.StatusCode)
		answers = append(answers, string(body))
	}
	cancel()
	require.NoError(t, <-done)
	return answers
}

// answersOfWebAssembly runs the worker of the static files in Node.
func answersOfWebAssembly(t *testing.T, files bundle.Files, all []request) (answers []string) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, files.Write(folder))
	var in bytes.Buffer
	for _, r := range all {
		line, err := json.Marshal([]string{r.name, r.text})
		require.NoError(t, err)
		in.Write(append(line, '\n'))
	}
	var problems bytes.Buffer
	command := exec.CommandContext(t.Context(), "node", filepath.Join("testdata", "worker.cjs"), folder)
	command.Stdin, command.Stderr = &in, &problems
	output, err := command.Output()
	require.NoError(t, err, problems.String())
	for line := range bytes.Lines(output) {
		var answer string
		require.NoError(t, json.Unmarshal(line, &answer))
		answers = append(answers, answer)
	}
	return answers
}

// The worker answers start, and says what does not load.
func TestWorker(t *testing.T) {
	files, err := static()
	require.NoError(t, err)
	start := []request{{"start", "{}"}}
	require.Equal(t, []string{`{"form":"static","version":"v0.0.0-test","inputs":[]}`},
		answersOfWebAssembly(t, files, start))

	less := maps.Clone(files)
	delete(less, "token.wasm")
	answers := answersOfWebAssembly(t, less, []request{{"token", "{}"}, {"start", "{}"}, {"token", "{}"}})
	require.Equal(t, `{"failure":"token.wasm: the server answered 404"}`, answers[0])
	require.Contains(t, answers[1], `"static"`)
	require.Equal(t, answers[0], answers[2])

	less["explorer.wasm"] = []byte("not WebAssembly")
	require.Contains(t, answersOfWebAssembly(t, less, start)[0], `{"failure":"WebAssembly.instantiate()`)
}

func TestWrite(t *testing.T) {
	files := bundle.Files{"a.txt": []byte("a"), "b.txt": []byte("b")}
	folder := filepath.Join(t.TempDir(), "new", "folder")
	require.NoError(t, files.Write(folder))
	differs, err := files.Differs(folder)
	require.NoError(t, err)
	require.Empty(t, differs)

	require.NoError(t, os.WriteFile(filepath.Join(folder, "a.txt"), []byte("other"), 0o600))
	require.NoError(t, os.Remove(filepath.Join(folder, "b.txt")))
	differs, err = files.Differs(folder)
	require.NoError(t, err)
	require.Equal(t, []string{"a.txt", "b.txt"}, differs)
	require.NoError(t, files.Write(folder), "it writes over files of its own")

	require.NoError(t, os.WriteFile(filepath.Join(folder, "thesis.txt"), nil, 0o600))
	differs, err = files.Differs(folder)
	require.NoError(t, err)
	require.Equal(t, []string{"thesis.txt"}, differs)
	require.ErrorContains(t, files.Write(folder), "thesis.txt")

	_, err = files.Differs(filepath.Join(folder, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestWithoutThePackages(t *testing.T) {
	_, err := bundle.Loopback(t.TempDir())
	require.ErrorContains(t, err, "npm ci --ignore-scripts")
	_, err = bundle.Static(t.TempDir(), "")
	require.ErrorContains(t, err, "npm ci --ignore-scripts")
	_, err = bundle.WebAssembly(t.TempDir(), "./nothing", "")
	require.ErrorContains(t, err, "go build")
}
