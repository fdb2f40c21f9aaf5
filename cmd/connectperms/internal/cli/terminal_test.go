package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/require"
)

// A terminal is a run of the tool in a pseudo-terminal.
type terminal struct {
	width int
	env   []string
	stdin string // what is typed, if standard input is the terminal; otherwise a file
	args  []string
}

// run runs the tool and returns what the terminal got, with \n at the end of lines and ␛ for ESC.
func (tm terminal) run(t *testing.T) string {
	t.Helper()
	c := exec.Command("connectperms", tm.args...)
	c.Env = append(os.Environ(), "TERM=xterm", "NO_COLOR=", "CONNECTPERMS_TOKEN=", "PARAGON_PUBLIC_KEY=")
	c.Env = append(c.Env, tm.env...)
	screen, err := pty.StartWithSize(c, &pty.Winsize{Rows: 50, Cols: uint16(tm.width)})
	require.NoError(t, err)
	defer screen.Close()
	var got bytes.Buffer
	if tm.stdin != "" {
		// The tool makes the terminal raw before it reads. What was typed before that would be shown.
		buffer := make([]byte, 4096)
		for !strings.Contains(got.String(), "Ctrl-D.") {
			n, err := screen.Read(buffer)
			require.NoError(t, err)
			got.Write(buffer[:n])
		}
		waitUntilRaw(t, screen)
		_, err := io.WriteString(screen, tm.stdin)
		require.NoError(t, err)
	}
	if _, err := io.Copy(&got, screen); !errors.Is(err, syscall.EIO) { // Linux says so when the other side is closed
		require.NoError(t, err)
	}
	code := 0
	if err := c.Wait(); err != nil {
		require.IsType(t, &exec.ExitError{}, err)
		code = c.ProcessState.ExitCode()
	}
	text := strings.NewReplacer("\r\n", "\n", "\x1b", "␛").Replace(got.String())
	return fmt.Sprintf("%s[exit %d]\n", text, code)
}

// terminalRuns has command lines by the names of their golden files.
var terminalRuns = []struct{ name, line string }{
	{"inspect", "inspect --token token.txt"},
	{"inspect-verified", "inspect --token token.txt --public-key key.pub --project PROJECT"},
	{"inspect-refused", "inspect --token expired.txt --public-key key.pub --project PROJECT"},
	{"inspect-none", "inspect --token none.txt"},
	{"verify", "verify --token token.txt --public-key key.pub --project PROJECT"},
	{"check-yes", "check events --claim claim.json"},
	{"check-no", "check actionkit --integration slack --claim claim.json"},
	{"check-undetermined", "check proxy-api --integration slack --claim claim.json"},
	{"explain", "explain proxy-api --integration slack --credential ext:finance --claim claim.json"},
	{"permissions", "permissions --integration slack --claim claim.json"},
	{"matrix", "matrix --claim claim.json"},
	{"matrix-targets", "matrix --claim claim.json --targets targets.yaml"},
	{"lint", "lint slips.json"},
	{"fmt", "fmt claim.json"},
	{"diff", "diff before.json after.json"},
	{"covers", "covers member.json admin.json"},
	{"narrow", "narrow admin.json before.json"},
	{"size", "size claim.json"},
	{"test-right", "test tests.yaml"},
	{"test-wrong", "test wrong.yaml"},
	{"keygen", "keygen new"},
	{"keygen-terminal", "keygen -"},
	{"sign-error", "sign --key key.pub --subject ann --project PROJECT"},
	{"schema-error", "schema nothing"},
	{"version-error", "version more"},
	{"man", "man pages"},
	{"completion", "completion"},
	{"explore-error", "explore --addr example.com:80 claim.json"},
	{"help", "--help"},
	{"help-explain", "explain --help"},
	{"error", "check events --claim missing.json"},
}

// TestTerminal compares what each command shows in terminals of three widths with golden files.
func TestTerminal(t *testing.T) {
	golden, err := filepath.Abs("testdata/terminal")
	require.NoError(t, err)
	for _, r := range terminalRuns {
		t.Run(r.name, func(t *testing.T) {
			inDirectory(t)
			args := strings.Fields(strings.ReplaceAll(r.line, "PROJECT", project))
			var got strings.Builder
			for _, width := range []int{40, 80, 200} {
				fmt.Fprintf(&got, "=== %d columns\n%s", width, terminal{width: width, args: args}.run(t))
				if r.name == "keygen" || r.name == "man" {
					fixturesAgain(t)
				}
			}
			compare(t, filepath.Join(golden, r.name+".txt"), got.String())
		})
	}
}

// fixturesAgain removes what a command made.
func fixturesAgain(t *testing.T) {
	require.NoError(t, os.RemoveAll("new"))
	require.NoError(t, os.RemoveAll("new.pub"))
	require.NoError(t, os.RemoveAll("pages"))
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// TestEveryCommandIsTriedInATerminal finds commands that TestTerminal leaves out.
func TestEveryCommandIsTriedInATerminal(t *testing.T) {
	tried := map[string]bool{"help": true}
	for _, r := range terminalRuns {
		tried[strings.Fields(r.line)[0]] = true
	}
	for _, name := range commands(t) {
		require.True(t, tried[name], name)
	}
}

// TestLinesFit requires that what can be broken is broken. A word, such as a UUID, can be wider than a line.
func TestLinesFit(t *testing.T) {
	inDirectory(t)
	for _, width := range []int{40, 80, 200} {
		for _, line := range []string{
			"inspect --token token.txt", "matrix --claim claim.json", "diff before.json after.json",
			"explain proxy-api --integration slack --credential ext:finance --claim claim.json",
			"permissions --integration slack --claim claim.json", "lint slips.json", "test wrong.yaml",
		} {
			args := strings.Fields(line)
			for line := range strings.SplitSeq(terminal{width: width, env: []string{"NO_COLOR=1"}, args: args}.run(t), "\n") {
				words := strings.Fields(line)
				widest := 0
				for _, word := range words {
					widest = max(widest, runewidth.StringWidth(word))
				}
				if runewidth.StringWidth(line) > width {
					require.Greater(t, widest+20, width, "%d columns, %s: %s", width, args[0], line)
				}
			}
		}
	}
}

func TestColours(t *testing.T) {
	inDirectory(t)
	args := []string{"check", "events", "--claim", "claim.json"}
	const colour = "␛["
	require.Contains(t, terminal{width: 80, args: args}.run(t), colour)
	require.NotContains(t, terminal{width: 80, args: args, env: []string{"NO_COLOR=1"}}.run(t), colour)
	require.NotContains(t, terminal{width: 80, args: args, env: []string{"TERM=dumb"}}.run(t), colour)
	require.NotContains(t, (&run{args: args}).do().all(), "\x1b", "it is not a terminal")
	require.Contains(t, (&run{args: args, terminal: true}).do().all(), "\x1b")
	args = append(args, "-o", "json")
	require.NotContains(t, terminal{width: 80, args: args}.run(t), colour)
}

// TestPrompt pastes into the terminal. Nothing of that may be shown, and no line is too long.
func TestPrompt(t *testing.T) {
	inDirectory(t)
	const ctrlC, ctrlD = "\x03", "\x04"
	good, err := os.ReadFile("token.txt")
	require.NoError(t, err)
	pasted := strings.TrimSpace(string(good))

	got := terminal{width: 80, args: []string{"inspect"}, stdin: pasted + "\r" + ctrlD}.run(t)
	require.Contains(t, got, "Paste a token")
	require.Contains(t, got, `subject    ␛[0m"ann"`)
	require.Contains(t, got, "[exit 0]")
	requireNoPart(t, pasted, got)

	curl, err := os.ReadFile("request.curl")
	require.NoError(t, err)
	lines := strings.ReplaceAll(string(curl), "\n", "\r")
	got = terminal{width: 80, args: []string{"check", "events"}, stdin: lines + ctrlD}.run(t)
	require.Contains(t, got, "allowed: integration:* grants")
	requireNoPart(t, pasted, got)

	long := token(t, `{"integration:`+strings.Repeat("x", 20_000)+`": true, "integration:*": ["events"]}`, time.Minute)
	got = terminal{width: 80, args: []string{"check", "events"}, stdin: long + ctrlD}.run(t)
	require.Contains(t, got, "allowed: integration:* grants events", "a terminal in its usual mode cuts long lines")

	got = terminal{width: 80, args: []string{"check", "events"}, stdin: pasted[:100] + ctrlC}.run(t)
	require.Contains(t, got, "interrupted")
	require.Contains(t, got, "[exit 1]")
	requireNoPart(t, pasted, got)
}

// requireNoPart requires that no part of a secret is in a text.
func requireNoPart(t *testing.T, secret, text string) {
	t.Helper()
	const part = 16
	for i := 0; i+part <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+part]) {
			require.Fail(t, "a part of a secret is shown", "at byte %d of it", i)
		}
	}
}

// TestTerminalIsLeftAsItWas ends the program while it waits for something to be pasted.
func TestTerminalIsLeftAsItWas(t *testing.T) {
	c := exec.Command("connectperms", "inspect")
	screen, err := pty.StartWithSize(c, &pty.Winsize{Rows: 50, Cols: 80})
	require.NoError(t, err)
	defer screen.Close()
	waitUntilRaw(t, screen)
	require.NoError(t, c.Process.Signal(syscall.SIGTERM))
	_, err = io.Copy(io.Discard, screen)
	require.ErrorIs(t, err, syscall.EIO)
	require.Error(t, c.Wait())
	require.Equal(t, 1, c.ProcessState.ExitCode())
	require.False(t, isRaw(t, screen))
}
