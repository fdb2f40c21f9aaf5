package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"
)

// system returns the surroundings of the process.
func system(now func() time.Time) Env {
	return Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, Now: now,
		Terminal: terminal, Secret: secret, Browser: browser,
		ProgressAfter: time.Second,
	}
}

// terminal returns the width of the terminal that a stream is.
func terminal(stream any) (width int, ok bool) {
	file, ok := stream.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	const usual = 80
	if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
		return width, true
	}
	return usual, true
}

var errInterrupted = errors.New("interrupted")

// secret reads standard input, a terminal, up to Ctrl-D. It puts the terminal into raw mode: otherwise the
// terminal would show a token, and would cut lines of more than 4096 bytes.
func secret() (data []byte, err error) {
	const ctrlC, ctrlD = 3, 4
	file := int(os.Stdin.Fd())
	state, err := term.GetState(file)
	if err != nil {
		return nil, err
	}
	// No signal leaves the terminal raw. The handler is registered before the terminal becomes raw, and it keeps the
	// mutex, so that MakeRaw cannot run after Restore.
	var raw sync.Mutex
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	defer context.AfterFunc(ctx, func() {
		raw.Lock()
		_ = term.Restore(file, state)
		os.Exit(codeError)
	})()
	raw.Lock()
	_, err = term.MakeRaw(file)
	raw.Unlock()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, term.Restore(file, state)) }()
	buffer := make([]byte, 4096)
	for {
		n, err := os.Stdin.Read(buffer)
		read := buffer[:n]
		if bytes.IndexByte(read, ctrlC) >= 0 {
			return nil, errInterrupted
		}
		if end := bytes.IndexByte(read, ctrlD); end >= 0 {
			data = append(data, read[:end]...)
			return bytes.ReplaceAll(data, []byte("\r"), []byte("\n")), nil
		}
		data = append(data, read...)
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// browser opens a page in the user's browser.
func browser(url string) error {
	switch runtime.GOOS {
	case "darwin":
		return exec.Command("open", url).Start()
	case "windows":
		return exec.Command("rundll32", "url.dll,FileProtocolHandler", url).Start()
	}
	return exec.Command("xdg-open", url).Start()
}
