package permissions_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// A block is a piece of code in a page of documentation.
type block struct {
	language string
	text     string
}

func (b block) isProgram() bool {
	return b.language == "go" && strings.HasPrefix(b.text, "package main\n")
}

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// pages returns the names of README.md and of the pages in docs that need only the root module.
func pages(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return append(slices.DeleteFunc(files, func(file string) bool {
		return file == filepath.FromSlash("docs/lists.md") // examples/lists runs it, with databases
	}), "README.md")
}

func blocks(t *testing.T, page string) (list []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		list = append(list, block{m[1], m[2]})
	}
	return list
}

// compile compiles a program as a package of this module and returns the binary.
func compile(t *testing.T, program string) string {
	t.Helper()
	directory := t.TempDir()
	file := filepath.Join(directory, "program.go")
	require.NoError(t, os.WriteFile(file, []byte(program), 0o600))
	virtual, err := filepath.Abs("virtual")
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(virtual, "main.go"): file}})
	require.NoError(t, err)
	overlayFile, binary := filepath.Join(directory, "overlay.json"), filepath.Join(directory, "program.exe")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))
	out, err := exec.Command("go", "build", "-overlay", overlayFile, "-o", binary, "./virtual").CombinedOutput()
	require.NoError(t, err, "%s\n%s", out, program)
	return binary
}

func TestProgramsInThePagesPrintWhatThePagesShow(t *testing.T) {
	programs := 0
	for _, page := range pages(t) {
		list := blocks(t, page)
		for i, b := range list {
			if !b.isProgram() || i+1 == len(list) || list[i+1].language != "text" {
				continue
			}
			programs++
			t.Run(fmt.Sprintf("%s, block %d", page, i), func(t *testing.T) {
				out, err := exec.Command(compile(t, b.text)).CombinedOutput()
				require.NoError(t, err, "%s", out)
				require.Equal(t, list[i+1].text, string(out))
			})
		}
	}
	require.NotZero(t, programs)
}

func TestClaimsInThePagesAreClaims(t *testing.T) {
	claims := 0
	for _, page := range pages(t) {
		for i, b := range blocks(t, page) {
			if b.language != "json" {
				continue
			}
			claims++
			t.Run(fmt.Sprintf("%s, block %d", page, i), func(t *testing.T) {
				_, err := permissions.Parse([]byte(b.text))
				require.NoError(t, err)
			})
		}
	}
	require.NotZero(t, claims)
}

func TestREADMEShowsTheQuickstart(t *testing.T) {
	output, err := os.ReadFile("examples/quickstart/output.txt")
	require.NoError(t, err)
	head, table, found := strings.Cut(string(output), "\nACTION")
	require.True(t, found)
	_, claim, _ := strings.Cut(head, "\n\n")
	var narrow strings.Builder // without the column of rules, to be read on a phone
	for line := range strings.Lines("ACTION" + table) {
		narrow.WriteString(strings.TrimRight(line[:strings.Index("ACTION"+table, "RULE")], " ") + "\n")
	}
	list := blocks(t, "README.md")
	require.Contains(t, list, block{"json", strings.TrimSpace(claim) + "\n"})
	require.Contains(t, list, block{"text", narrow.String()})
}

func TestREADMEIsShort(t *testing.T) {
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	require.LessOrEqual(t, len(strings.Fields(string(text))), 800)
}

func TestPagesNameEveryPermission(t *testing.T) {
	for page, tables := range map[string]int{"docs/concepts.md": 1, "SPEC.md": 2} {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, p := range permissions.AllPermissions() {
			rows := regexp.MustCompile("(?m)^\\|[^|]*`" + regexp.QuoteMeta(string(p)) + "`")
			require.Len(t, rows.FindAll(text, -1), tables, "%s: %s", page, p)
		}
	}
}

// TESTING.md has the figures that are counted here. After new cases, run
// CONNECTPERMS_UPDATE=1 go test -run TestTESTINGHasTheFigures .
func TestTESTINGHasTheFigures(t *testing.T) {
	var claims, refused, questions, visible int
	for _, file := range []string{"decisions.json", "errors.json", "random.json"} {
		for _, c := range conformanceFile[conformanceCase](t, file) {
			claims, questions, visible = claims+1, questions+len(c.Queries), visible+len(c.Visible)
			if c.Error != "" {
				refused++
			}
		}
	}
	line := fmt.Sprintf("%d claims, %d of them refused, %s questions, %d about visibility, %d targets in JSON",
		claims, refused, thousands(questions), visible, len(conformanceFile[any](t, "targets.json")))
	page, err := os.ReadFile("TESTING.md")
	require.NoError(t, err)
	if os.Getenv("CONNECTPERMS_UPDATE") != "" {
		shown := regexp.MustCompile(`[0-9]+ claims, .* targets in JSON`)
		page = shown.ReplaceAllLiteral(page, []byte(line))
		require.NoError(t, os.WriteFile("TESTING.md", page, 0o666))
	}
	require.Contains(t, string(page), line)
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

var link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

func TestLinksInThePagesLead(t *testing.T) {
	files, err := filepath.Glob("*.md")
	require.NoError(t, err)
	more, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	for _, file := range append(files, more...) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			_, err := os.Stat(filepath.Join(filepath.Dir(file), filepath.FromSlash(m[1])))
			require.NoError(t, err, "%s links to %s", file, m[1])
		}
	}
}

// startServer starts a program that serves at an address, and returns what it logs, which is complete when the
// server was stopped.
func startServer(t *testing.T, binary, address string, env ...string) (server *exec.Cmd, log *bytes.Buffer) {
	t.Helper()
	log = new(bytes.Buffer)
	server = exec.Command(binary)
	server.Env, server.Stderr = append(os.Environ(), env...), log
	require.NoError(t, server.Start())
	t.Cleanup(func() { _ = server.Process.Kill() })
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
	return server, log
}

// freeAddress returns an address at which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// The module of the page on getting started is made in an empty folder, as the page says. Its tests pass, and its
// two programs do what the page shows.
func TestGettingStarted(t *testing.T) {
	folder, address := t.TempDir(), freeAddress(t)
	for _, b := range blocks(t, "docs/getting-started.md") {
		name, isFile := strings.CutPrefix(strings.SplitN(b.text, "\n", 2)[0], "// ")
		if b.language != "go" || !isFile {
			continue
		}
		file := filepath.Join(folder, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o777))
		text := strings.ReplaceAll(b.text, "localhost:8080", address)
		require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
	}
	root, err := os.Getwd()
	require.NoError(t, err)
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = folder
		out, err := c.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return strings.TrimSpace(string(out))
	}
	run("go", "mod", "init", "example.com/messages")
	run("go", "mod", "edit", "-require=github.com/connectperms/permissions@v0.0.0",
		"-replace=github.com/connectperms/permissions="+root)
	run("go", "mod", "tidy")
	run("go", "vet", "./...")
	run("go", "test", "./...")
	run("go", "build", "-o", "server.exe", ".")
	run("go", "build", "-o", "sign.exe", "./token")

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der := x509.MarshalPKCS1PrivateKey(key)
	t.Setenv("PARAGON_SIGNING_KEY", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der})))
	t.Setenv("PARAGON_PROJECT_ID", "p")
	server, log := startServer(t, filepath.Join(folder, "server.exe"), address)
	ask := func(token string) int {
		url := "http://" + address + "/credentials/3fa85f64-5717-4562-b3fc-2c963f66afa6/messages"
		r, err := http.NewRequest("POST", url, nil)
		require.NoError(t, err)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	sign := filepath.Join(folder, "sign.exe")
	require.Equal(t, http.StatusOK, ask(run(sign, `{"integration:slack": ["proxy-api"]}`)))
	require.Equal(t, http.StatusForbidden, ask(run(sign, `{"integration:slack": ["workflows"]}`)))
	require.Equal(t, http.StatusUnauthorized, ask(""))
	require.NoError(t, server.Process.Kill())
	_ = server.Wait()
	page, err := os.ReadFile("docs/getting-started.md")
	require.NoError(t, err)
	const shown = `reason=not_granted rule="integration:\"slack\""`
	require.Contains(t, string(page), shown)
	require.Contains(t, log.String(), shown)
}

// The README's server runs as it is printed, on another port.
func TestREADMEServer(t *testing.T) {
	var program string
	for _, b := range blocks(t, "README.md") {
		if b.isProgram() && strings.Contains(b.text, "ListenAndServe") {
			program = b.text
		}
	}
	require.Contains(t, program, `":8080"`)
	address := freeAddress(t)
	const salesID, financeID = "3fa85f64-5717-4562-b3fc-2c963f66afa6", "6b2f3a52-6c0e-4f0e-8a39-0c4f3f1f6f11"
	const fillRows = `
		func init() {
			sales, finance := "sales", "finance"
			rows["` + salesID + `"] = row{"ann", "slack", "` + salesID + `", &sales}
			rows["` + financeID + `"] = row{"ann", "slack", "` + financeID + `", &finance}
		}`
	binary := compile(t, strings.ReplaceAll(program, `":8080"`, `"`+address+`"`)+fillRows)

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	server, log := startServer(t, binary, address, "PARAGON_PROJECT_ID=p",
		"PARAGON_PUBLIC_KEY="+string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))

	policy := permissions.MustParse(`{"integration:slack": {
		"credential:*": ["proxy-api"], "credential:ext:finance": ["workflows"]}}`)
	sign := func(project string) string {
		signer, err := usertoken.NewSigner(project, key)
		require.NoError(t, err)
		token, err := signer.Sign("ann", policy)
		require.NoError(t, err)
		return token
	}
	send := func(method, path, token string) int {
		r, err := http.NewRequest(method, "http://"+address+"/credentials/"+path, nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		return resp.StatusCode
	}
	good, messages := sign("p"), salesID+"/messages"
	require.Equal(t, http.StatusAccepted, send("POST", messages, good))
	require.Equal(t, http.StatusUnauthorized, send("POST", messages, good[:len(good)-4]+"AAAA"))
	require.Equal(t, http.StatusUnauthorized, send("POST", messages, sign("another")))
	require.Equal(t, http.StatusForbidden, send("POST", financeID+"/messages", good))
	require.Equal(t, http.StatusForbidden, send("DELETE", salesID, good))
	require.Equal(t, http.StatusNotFound, send("DELETE", "0b1c2d3e-4f50-4000-8000-00000000000a", good))
	require.NoError(t, server.Process.Kill())
	_ = server.Wait()

	var lines []string
	for scanner := bufio.NewScanner(log); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	require.Len(t, lines, 5, "one line for each refusal: %s", lines)
	for i, want := range []string{"signature", "useparagon.com/another", "finance", "not_granted", "not found"} {
		require.Contains(t, lines[i], want)
	}
	require.NotContains(t, strings.Join(lines, "\n"), good)
}
