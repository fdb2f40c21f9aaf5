// Package explorer serves a page on which people see what a claim allows, and why: a tree of scopes, a matrix
// of targets by permissions, an explanation of each answer, and a comparison of two claims.
//
// [Serve] serves it on loopback, for one person. The same page can be built as static files for any host, with the
// library as WebAssembly. What people paste stays in the page or, with Serve, on their machine.
package explorer

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"time"
)

//go:embed dist
var dist embed.FS

// Options says how [Serve] serves the page.
type Options struct {
	// Addr is where to listen: an IP address of the loopback interface, and a port. Empty means
	// 127.0.0.1:0. Port 0 takes one that is free.
	Addr string

	// Inputs is what the page starts with: up to two claims, payloads or tokens. The server gives the page
	// nothing else from this machine.
	Inputs []Input

	// Version is what the page shows as its version.
	Version string

	// Ready, unless it is nil, is called with the address of the page once it can be opened.
	Ready func(url string)
}

// An Input is a text that the page starts with, and a name for it, such as that of its file.
type Input struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// maxInputs is how many texts the page shows at a time.
const maxInputs = 2

// shutdownTime is how long answers that are under way may take after the context is done.
const shutdownTime = time.Second

// Serve serves the page until ctx is done, and then returns nil. It writes one line with the address to w.
// A part of the address is random, so only those who know it can open the page.
//
// The error says what is wrong with the options, or why it could not listen, write to w or serve.
func Serve(ctx context.Context, w io.Writer, o Options) error {
	if len(o.Inputs) > maxInputs {
		return fmt.Errorf("explorer: %d inputs; the page shows up to %d", len(o.Inputs), maxInputs)
	}
	addr, err := loopback(o.Addr)
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("explorer: %w", err)
	}
	defer listener.Close() // for when it is not served
	pages, err := fs.Sub(dist, "dist")
	if err != nil {
		return err
	}
	handler, err := newHandler(listener.Addr().String(), rand.Text(), pages, o)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "The explorer is at "+handler.url()); err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
		defer cancel()
		err := server.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = server.Close()
		}
		stopped <- err
	})
	if o.Ready != nil {
		o.Ready(handler.url())
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("explorer: %w", err)
	}
	return <-stopped
}

// loopback returns the address to listen at.
func loopback(addr string) (string, error) {
	if addr == "" {
		return "127.0.0.1:0", nil
	}
	parsed, err := netip.ParseAddrPort(addr)
	if err != nil {
		return "", fmt.Errorf("explorer: the address is not an IP address and a port, such as 127.0.0.1:8080: %w", err)
	}
	if !parsed.Addr().IsLoopback() {
		return "", fmt.Errorf("explorer: %s is not an address of the loopback interface; use 127.0.0.1 or [::1]",
			parsed.Addr())
	}
	return parsed.String(), nil
}
