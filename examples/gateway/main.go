// Command gateway is a forward-auth server: it tells a gateway in front of services, which
// need not be written in Go, whether a request may go on. nginx.conf asks it with
// auth_request.
//
//	go run . -demo    start nginx, this and a service, send a few requests, and end
//	go run .          serve on 127.0.0.1:9001, for nginx.conf
//
// With PARAGON_PROJECT_ID and PARAGON_PUBLIC_KEY (PEM) in the environment it accepts the
// tokens of that project. The demonstration has a key of its own.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/gateway/decide"
	"github.com/connectperms/permissions/httpauth"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "the address to serve on")
	demo := flag.Bool("demo", false, "start nginx and a service too, send a few requests, and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if *demo {
		err = show(ctx, os.Stdout)
	} else {
		err = run(ctx, *listen, os.Getenv)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// run serves decisions until ctx is done.
func run(ctx context.Context, listen string, env func(string) string) error {
	key, err := permissions.ParsePublicKey(env("PARAGON_PUBLIC_KEY"))
	if err != nil {
		return fmt.Errorf("PARAGON_PUBLIC_KEY: %w", err)
	}
	verifier, err := permissions.NewVerifier(env("PARAGON_PROJECT_ID"), key)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	server := newServer(decide.New(verifier, func(r *http.Request, e *httpauth.Error) {
		log.WarnContext(r.Context(), "refused", "method", r.Method, "path", r.URL.Path, "err", e.Err)
	}))
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

// show starts everything, sends a few requests through nginx, and prints the answers. An
// answer that should be another is an error.
func show(ctx context.Context, out io.Writer) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	verifier, err := permissions.NewVerifier("demo", &key.PublicKey)
	if err != nil {
		return err
	}
	signer, err := permissions.NewSigner("demo", key)
	if err != nil {
		return err
	}
	const claim = `{"integration:slack": ["proxy-api"]}`
	policy, err := permissions.Parse([]byte(claim))
	if err != nil {
		return err
	}
	token, err := signer.Sign("ann", policy)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := startStack(dir, decide.New(verifier, nil), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "the service did %s %s for %s", r.Method, r.URL.Path, r.Header.Get("X-Auth-Subject"))
	}))
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = s.stop(ctx)
	}()
	fmt.Fprintf(out, "nginx asks before it passes a request on. Ann's token says %s\n\n", claim)
	request := func(method, path, token string, want int) error {
		r, err := http.NewRequestWithContext(ctx, method, s.url+path, nil)
		if err != nil {
			return err
		}
		who := "nobody"
		if token != "" {
			who = "Ann"
			r.Header.Set("Authorization", "Bearer "+token)
		}
		r.Header.Set("X-Paragon-Credential", "3fa85f64-5717-4562-b3fc-2c963f66afa6")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			body = []byte("the service saw nothing") // and this is nginx's page
		}
		fmt.Fprintf(out, "%-7s %s %s\n        %s: %s\n", who+":", method, path, resp.Status, body)
		if resp.StatusCode != want {
			return fmt.Errorf("%s %s: got %d, want %d", method, path, resp.StatusCode, want)
		}
		return nil
	}
	err = errors.Join(
		request("POST", "/integrations/slack/proxy/chat.postMessage", token, http.StatusOK),
		request("POST", "/integrations/jira/proxy/issue", token, http.StatusForbidden),
		request("POST", "/integrations/jira/../slack/proxy/issue", token, http.StatusForbidden),
		request("POST", "/integrations/slack/proxy/chat.postMessage", "", http.StatusUnauthorized))
	if err != nil {
		return err
	}
	fmt.Fprint(out, "\nThe decision server stops.\n")
	if err := s.decision.Close(); err != nil {
		return err
	}
	return request("POST", "/integrations/slack/proxy/chat.postMessage", token, http.StatusInternalServerError)
}
