// Command gateway is a decision server: it tells a gateway whether a request may pass to a service, which
// can be written in any language. nginx.conf, Caddyfile and haproxy.cfg ask it.
//
//	go run .                      serve on 127.0.0.1:9001, for nginx.conf
//	go run . -gateway caddy       the same for Caddyfile; haproxy for haproxy.cfg
//	go run . -demo                start nginx and Caddy, each if it is installed, send a few requests, and end
//	go run . -load -o LOAD.md     measure it, and write what was measured
//
// With PARAGON_PROJECT_ID and PARAGON_PUBLIC_KEY in the environment it accepts the tokens of that project.
// The demonstration has a key of its own.
//
// The tests run nginx, Caddy and HAProxy with these files. Traefik and Envoy were not run: package
// forwardauth follows their documentation.
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
	"net/http"
	"os"
	"os/exec"
	"os/signal"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// routes says what each request to the service needs. No other request passes.
var routes = []forwardauth.Route{
	{
		Pattern:    "POST /events",
		Permission: permissions.Events,
	},
	{
		Pattern:     "POST /integrations/{integration}/credentials",
		Permission:  permissions.CredentialWrite,
		Integration: forwardauth.Path("integration"),
	},
	{
		Pattern:     "DELETE /integrations/{integration}/credentials/{credential}",
		Permission:  permissions.CredentialWrite,
		Integration: forwardauth.Path("integration"),
		Credential:  forwardauth.Path("credential"),
	},
	{
		Pattern:     "/integrations/{integration}/proxy/{rest...}",
		Permission:  permissions.ProxyAPI,
		Integration: forwardauth.Path("integration"),
		Credential:  forwardauth.Header(httpauth.CredentialHeader),
	},
	{
		// The service hands the rest to another system as it is.
		Pattern:     "/integrations/{integration}/raw/{rest...}",
		Permission:  permissions.ProxyAPI,
		Integration: forwardauth.Path("integration"),
		Credential:  forwardauth.Header(httpauth.CredentialHeader),
		Tail:        forwardauth.TailEscapedSlash | forwardauth.TailUnicode,
	},
}

func main() {
	listen := flag.String("listen", "127.0.0.1:9001", "the address to serve on")
	program := flag.String("gateway", "nginx", "the gateway that asks: nginx, caddy or haproxy")
	demo := flag.Bool("demo", false, "start gateways and a service, send a few requests, and end")
	load := flag.Bool("load", false, "measure the server after nginx, and end")
	file := flag.String("o", "", "with -load, the file to write into")
	replica := flag.String("replica", "", "be a server that is measured; for the program's own use")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case *replica != "":
		err = serveReplica(*replica, os.Stdin, os.Stdout)
	case *demo:
		err = show(ctx, os.Stdout)
	case *load:
		err = measureInto(*file, defaultBounds)
	default:
		err = run(ctx, *listen, *program, os.Getenv)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

// run serves decisions until ctx is done.
func run(ctx context.Context, listen, program string, env func(string) string) error {
	var dialect forwardauth.Dialect
	for _, g := range gateways {
		if g.program == program {
			dialect = g.dialect
		}
	}
	key, err := usertoken.ParsePublicKey(env("PARAGON_PUBLIC_KEY"))
	if err != nil {
		return fmt.Errorf("PARAGON_PUBLIC_KEY: %w", err)
	}
	verifier, err := usertoken.NewVerifier(env("PARAGON_PROJECT_ID"), key, usertoken.RequireClaim())
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	decision, err := forwardauth.New(dialect, verifier, routes, forwardauth.WithLogger(log))
	if err != nil {
		return fmt.Errorf("-gateway %s: %w", program, err)
	}
	return serveUntil(ctx, listen, decision)
}

// show sends requests through nginx and Caddy, each if it is installed. It is an error if neither is, or if an answer
// is wrong.
func show(ctx context.Context, out io.Writer) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	verifier, err := usertoken.NewVerifier("demo", &key.PublicKey)
	if err != nil {
		return err
	}
	signer, err := usertoken.NewSigner("demo", key)
	if err != nil {
		return err
	}
	const claim = `{"integration:slack": ["proxy-api"]}`
	token, err := signer.Sign("ann", permissions.MustParse(claim))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "A gateway asks before it passes a request on. Ann's token says %s\n", claim)
	shown := 0
	for _, g := range gateways[:2] {
		if _, err := exec.LookPath(g.program); err != nil {
			fmt.Fprintf(out, "\n%v: not installed\n", g.dialect)
			continue
		}
		shown++
		fmt.Fprintf(out, "\n%v:\n\n", g.dialect)
		if err := showGateway(ctx, out, g, verifier, token); err != nil {
			return fmt.Errorf("%v: %w", g.dialect, err)
		}
	}
	if shown == 0 {
		return errors.New("neither nginx nor caddy is installed")
	}
	return nil
}

func showGateway(ctx context.Context, out io.Writer, g gateway, verifier *usertoken.Verifier,
	token string) (err error) {
	decision, err := forwardauth.New(g.dialect, verifier, routes)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := startStack(dir, g, decision, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "the service did %s %s for %s", r.Method, r.URL.Path, r.Header.Get(forwardauth.SubjectHeader))
	}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()

	request := func(method, path, token string, header http.Header, want ...int) error {
		r, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, nil)
		if err != nil {
			return err
		}
		who, trick := "nobody", ""
		if token != "" {
			who = "Ann"
			r.Header.Set("Authorization", "Bearer "+token)
		}
		for name, values := range header {
			r.Header[name] = values
			trick = "\n        and " + name + ": " + values[0]
		}
		r.Header.Set(httpauth.CredentialHeader, "3fa85f64-5717-4562-b3fc-2c963f66afa6")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err := errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			body = []byte("the service saw nothing") // in place of the gateway's error page
		}
		fmt.Fprintf(out, "%-7s %s %s%s\n        %s: %s\n", who+":", method, path, trick, resp.Status, body)
		for _, status := range want {
			if resp.StatusCode == status {
				return nil
			}
		}
		return fmt.Errorf("%s %s: got %d, want %d", method, path, resp.StatusCode, want)
	}
	chat, issue := "/integrations/slack/proxy/chat.postMessage", "/integrations/jira/proxy/issue"
	err = errors.Join(
		request("POST", chat, token, nil, 200),
		request("POST", issue, token, nil, 403),
		request("POST", issue, token, http.Header{"X-Original-Uri": {chat}}, 403),
		request("POST", issue, token, http.Header{"X-Forwarded-Uri": {chat}}, 403),
		request("POST", "/integrations/slack/proxy/%EF%BC%8E%EF%BC%8E/x", token, nil, 403),
		request("POST", chat, "", nil, 401))
	if err != nil {
		return err
	}
	fmt.Fprint(out, "\nThe decision server stops.\n")
	if err := s.servers[0].Close(); err != nil {
		return err
	}
	return request("POST", chat, token, nil, 500, 502)
}
