package cli_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/cmd/connectperms/internal/cli"
)

const untidy = `{"integration:*": ["events", "proxy-api"]}`

func TestRewriteKeepsTheMode(t *testing.T) {
	inDirectory(t)
	for _, mode := range []os.FileMode{0o600, 0o644, 0o664, 0o755} {
		require.NoError(t, os.WriteFile("untidy.json", []byte(untidy), mode))
		require.NoError(t, os.Chmod("untidy.json", mode))
		require.Zero(t, (&run{args: []string{"fmt", "-w", "untidy.json"}}).do().code)
		info, err := os.Stat("untidy.json")
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm())
		requireFile(t, "untidy.json", "{\n  \"integration:*\": [\"proxy-api\", \"events\"]\n}\n")
	}
	requireNothingLeft(t, ".")
}

func TestRewriteKeepsALink(t *testing.T) {
	inDirectory(t)
	require.NoError(t, os.Mkdir("elsewhere", 0o755))
	require.NoError(t, os.WriteFile("elsewhere/untidy.json", []byte(untidy), 0o600))
	require.NoError(t, os.Symlink("elsewhere/untidy.json", "link.json"))
	require.Zero(t, (&run{args: []string{"fmt", "-w", "link.json"}}).do().code)
	link, err := os.Readlink("link.json")
	require.NoError(t, err)
	require.Equal(t, "elsewhere/untidy.json", link)
	requireFile(t, "elsewhere/untidy.json", "{\n  \"integration:*\": [\"proxy-api\", \"events\"]\n}\n")
}

// TestRewriteLeavesWhatIsTidy requires that a file which would not change is not written.
func TestRewriteLeavesWhatIsTidy(t *testing.T) {
	inDirectory(t)
	require.Zero(t, (&run{args: []string{"fmt", "-w", "before.json"}}).do().code)
	old := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, os.Chtimes("before.json", old, old))
	require.Zero(t, (&run{args: []string{"fmt", "-w", "before.json"}}).do().code)
	info, err := os.Stat("before.json")
	require.NoError(t, err)
	require.True(t, info.ModTime().Equal(old))
}

// TestRewriteReadsAllFirst requires that nothing is written if one of several files has a mistake.
func TestRewriteReadsAllFirst(t *testing.T) {
	inDirectory(t)
	require.NoError(t, os.WriteFile("untidy.json", []byte(untidy), 0o600))
	r := (&run{args: []string{"fmt", "-w", "untidy.json", "token.txt"}}).do()
	require.Equal(t, 1, r.code)
	requireFile(t, "untidy.json", untidy)
}

// TestRewriteInAReadOnlyDirectory runs as a user who may not write into the directory.
func TestRewriteInAReadOnlyDirectory(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	binary, err := os.ReadFile(program)
	require.NoError(t, err)
	home, err := os.MkdirTemp("", "connectperms") // other users may not enter t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	require.NoError(t, os.Chmod(home, 0o755))
	program = filepath.Join(home, "connectperms")
	require.NoError(t, os.WriteFile(program, binary, 0o755))
	directory := filepath.Join(home, "claims")
	require.NoError(t, os.Mkdir(directory, 0o755))
	file := filepath.Join(directory, "untidy.json")
	require.NoError(t, os.WriteFile(file, []byte(untidy), 0o666))
	require.NoError(t, os.Chmod(file, 0o666), "the file itself may be written")
	require.NoError(t, os.Chmod(directory, 0o555))
	t.Cleanup(func() { _ = os.Chmod(directory, 0o755) })

	c := exec.Command(program, "fmt", "-w", file)
	if os.Geteuid() == 0 {
		const nobody = 65534
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	out, err := c.CombinedOutput()
	require.Error(t, err, "%s", out)
	require.Equal(t, 1, c.ProcessState.ExitCode())
	require.Equal(t, "connectperms: "+file+": permission denied; the file is as it was\n", string(out))
	requireFile(t, file, untidy)
	requireNothingLeft(t, directory)
}

func requireFile(t *testing.T, name, want string) {
	t.Helper()
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, want, string(data))
}

// requireNothingLeft requires that no file is left beside the rewritten ones.
func requireNothingLeft(t *testing.T, directory string) {
	t.Helper()
	left, err := filepath.Glob(filepath.Join(directory, ".*"))
	require.NoError(t, err)
	require.Empty(t, left)
}

// TestKeysAreNotLeftHalf requires that a private key is not left without its public key.
func TestKeysAreNotLeftHalf(t *testing.T) {
	inDirectory(t)
	require.NoError(t, os.Symlink("/nonexistent/key", "new.pub"))
	r := (&run{args: []string{"keygen", "new"}}).do()
	require.Equal(t, 1, r.code)
	require.NoFileExists(t, "new")
}

// TestClosedPipe closes the pipe that commands write to. They end without a word.
func TestClosedPipe(t *testing.T) {
	inDirectory(t)
	for _, line := range []string{
		"inspect --token token.txt", "check events --claim claim.json", "check actionkit --claim claim.json -o json",
		"explain events --claim claim.json", "matrix --claim claim.json -o json", "fmt claim.json",
		"lint slips.json -o sarif", "diff before.json after.json", "test wrong.yaml", "test wrong.yaml -o junit",
		"--help", "completion bash", "schema claim", "keygen -", "explore claim.json",
	} {
		t.Run(line, func(t *testing.T) {
			r := (&run{args: strings.Fields(line), stdout: brokenPipe(t)}).do()
			require.Equal(t, 1, r.code)
			if strings.Contains(r.err.String(), "NOT VERIFIED") {
				r.err.Reset()
			}
			require.Empty(t, r.err.String())
		})
	}
}

// TestClosedPipeOfAProgram does the same with a process, whose signal SIGPIPE is as usual.
func TestClosedPipeOfAProgram(t *testing.T) {
	inDirectory(t)
	require.NoError(t, os.WriteFile("huge.json", hugeClaim(20_000, ""), 0o600))
	require.Equal(t, "{\n", shell(t, "connectperms fmt huge.json | head -n 1"))
}

func TestFullDisk(t *testing.T) {
	inDirectory(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	r := (&run{args: []string{"check", "events", "--claim", "claim.json"}, stdout: full}).do()
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err.String(), "no space left")
}

// hugeClaim returns a claim with a permission on each line. The last one is followed by a text.
func hugeClaim(rules int, last string) []byte {
	var b bytes.Buffer
	b.WriteString("{\n")
	for i := range rules {
		comma := ","
		if i == rules-1 {
			comma = last
		}
		fmt.Fprintf(&b, "  \"credential:%08x-5717-4562-b3fc-2c963f66afa6\": [\n", i)
		for _, name := range []string{
			"settings:read", "settings:write", "metadata:read", "metadata:write", "proxy-api", "events", "workflows",
		} {
			fmt.Fprintf(&b, "    %q,\n", name)
		}
		fmt.Fprintf(&b, "    \"actionkit\"\n  ]%s\n", comma)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

func TestMillionLines(t *testing.T) {
	inDirectory(t)
	claim := hugeClaim(100_000, "")
	require.GreaterOrEqual(t, bytes.Count(claim, []byte("\n")), 1_000_000)

	const last = "0001869f-5717-4562-b3fc-2c963f66afa6"
	piped := exec.Command("connectperms", "check", "proxy-api", "--integration", "slack", "--credential", last)
	piped.Stdin = bytes.NewReader(claim) // a pipe, because it is not a file
	out, err := piped.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "allowed: integration:*/credential:"+last+" grants")

	r := (&run{args: []string{"check", "events"}, stdin: bytes.NewReader(hugeClaim(100_000, ","))}).do()
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err.String(), "connectperms: standard input:1000002:1: ")

	r = (&run{args: []string{"fmt"}, stdin: bytes.NewReader(claim)}).do()
	require.Zero(t, r.code, r.err.String())
	require.Equal(t, 100_002, strings.Count(r.out.String(), "\n"))
}

func TestInputIsLimited(t *testing.T) {
	r := (&run{args: []string{"check", "events"}, stdin: io.LimitReader(endless{}, 1<<40)}).do()
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err.String(), "more than 300 MiB")
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// TestProgress requires that a terminal shows what takes long, and that it is gone afterwards.
func TestProgress(t *testing.T) {
	inDirectory(t)
	require.NoError(t, os.WriteFile("huge.json", hugeClaim(20_000, ""), 0o600))
	run := func(terminal bool) string {
		var out, err bytes.Buffer
		code := cli.Run(context.Background(), []string{"lint", "huge.json"}, cli.Env{
			Stdin: strings.NewReader(""), Stdout: &out, Stderr: &err, Now: clock, Getenv: func(string) string { return "" },
			Terminal:      func(stream any) (int, bool) { return 40, terminal && stream == &err },
			ProgressAfter: time.Millisecond,
		})
		require.Zero(t, code, out.String())
		return err.String()
	}
	got := run(true)
	const shown = "linting huge.json, 0 s ..."
	require.Contains(t, got, "\r"+shown)
	require.True(t, strings.HasSuffix(got, "\r"+strings.Repeat(" ", len(shown))+"\r"), "%q", got)
	require.Empty(t, run(false), "nobody reads it")
}

// TestExplore starts the page, opens it, and interrupts the program.
func TestExplore(t *testing.T) {
	inDirectory(t)
	c := exec.Command("connectperms", "explore", "claim.json")
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	t.Cleanup(func() { _ = c.Process.Kill() })
	buffer := make([]byte, 200)
	n, err := out.Read(buffer)
	require.NoError(t, err)
	_, url, found := strings.Cut(strings.TrimSpace(string(buffer[:n])), "http://127.0.0.1:")
	require.True(t, found, "%s", buffer[:n])
	response, err := http.Get("http://127.0.0.1:" + url)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, c.Process.Signal(os.Interrupt))
	require.NoError(t, c.Wait(), "an interrupt is how it ends")
}

func TestExploreOpensTheBrowser(t *testing.T) {
	inDirectory(t)
	for name, failure := range map[string]error{"it opens": nil, "there is none": os.ErrNotExist} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			var out, errs bytes.Buffer
			opened := ""
			code := cli.Run(ctx, []string{"explore", "--open", "--token", "token.txt"}, cli.Env{
				Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Now: clock, Getenv: func(string) string { return "" },
				Terminal: func(any) (int, bool) { return 0, false },
				Browser: func(url string) error {
					opened = url
					cancel()
					return failure
				},
			})
			require.Contains(t, out.String(), opened)
			require.NotEmpty(t, opened)
			require.Zero(t, code, "the page is there all the same")
			if failure == nil {
				require.Empty(t, errs.String())
				return
			}
			require.Contains(t, errs.String(), failure.Error())
		})
	}
}

// TestKeySetOfAServer verifies with keys from a server, and without when it is down.
func TestKeySetOfAServer(t *testing.T) {
	inDirectory(t)
	keys, err := os.ReadFile("keys.json")
	require.NoError(t, err)
	answers := map[string]func(w http.ResponseWriter){
		"/keys":  func(w http.ResponseWriter) { _, _ = w.Write(keys) },
		"/down":  func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) },
		"/empty": func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"keys":[]}`)) },
		"/gone": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write(keys)
		},
	}
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path](w) })
	verify := func(url string) *run {
		return (&run{args: []string{"verify", "--token", "token.txt", "--project", project, "--jwks", url}}).do()
	}
	require.Contains(t, verify(server+"/keys").out.String(), "verified")
	for path, want := range map[string]string{"/down": "502", "/empty": "no keys", "/gone": "404"} {
		r := verify(server + path)
		require.Equal(t, 1, r.code, "nobody knows whether the token is good")
		require.Contains(t, r.err.String(), want)
	}
	r := verify("http://127.0.0.1:1/keys")
	require.Equal(t, 1, r.code)
	require.Contains(t, r.err.String(), "loading the keys")
}
