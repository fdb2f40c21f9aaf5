// Command server is a small credentials API, as a real service would have it: list, get, connect,
// disconnect and proxy, with an SQL database. Every handler asks the caller's policy before it touches a
// row.
//
//	go run . -demo                     send a few requests to itself, show the answers, and end
//	go run .                           serve on 127.0.0.1:8080, and show how to ask with curl
//	go run . -database postgres://...  the same with PostgreSQL in place of SQLite in memory
//
// With PARAGON_PROJECT_ID and PARAGON_PUBLIC_KEY (PEM) in the environment it accepts the
// tokens of that project. Without them it makes a key of its own, and tokens to try.
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
	"strings"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "the address to serve on")
	demo := flag.Bool("demo", false, "send a few requests to itself, show the answers, and end")
	database := flag.String("database", "", "a PostgreSQL database, postgres://...; without it, SQLite in memory")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *database, *demo, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, database string, demo bool, env func(string) string, out io.Writer) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	verifier, tokens, err := trust(demo, env)
	if err != nil {
		return err
	}
	if demo {
		listen, log = "127.0.0.1:0", slog.New(slog.DiscardHandler)
	}
	s, err := openStore(ctx, database, demo)
	if err != nil {
		return err
	}
	defer s.close()
	ids, err := seed(ctx, s)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           newAPI(verifier, s, log),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		MaxHeaderBytes:    128 << 10, // a token may have 64 KiB
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	base := "http://" + listener.Addr().String()
	switch {
	case demo:
		err = show(ctx, out, base, tokens, ids)
	case tokens != nil:
		tell(out, base, tokens, ids)
		fallthrough
	default:
		select {
		case <-ctx.Done():
		case err = <-served:
			return err
		}
	}
	return errors.Join(err, server.Close())
}

// trust returns the verifier, and tokens to try if the key is one of its own.
func trust(demo bool, env func(string) string) (*usertoken.Verifier, map[string]string, error) {
	project, pem := env("PARAGON_PROJECT_ID"), env("PARAGON_PUBLIC_KEY")
	if (project != "" || pem != "") && !demo {
		key, err := usertoken.ParsePublicKey(pem)
		if err != nil {
			return nil, nil, fmt.Errorf("PARAGON_PUBLIC_KEY: %w", err)
		}
		verifier, err := usertoken.NewVerifier(project, key, usertoken.RequireClaim())
		return verifier, nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, nil, err
	}
	verifier, err := usertoken.NewVerifier("demo", &key.PublicKey, usertoken.RequireClaim())
	if err != nil {
		return nil, nil, err
	}
	signer, err := usertoken.NewSigner("demo", key)
	if err != nil {
		return nil, nil, err
	}
	tokens := make(map[string]string)
	for name, policy := range roles {
		if tokens[name], err = signer.Sign(tenant, policy); err != nil {
			return nil, nil, err
		}
	}
	return verifier, tokens, nil
}

// A Connected User, and what the people who work for it may do.
const tenant = "acme"

var roles = map[string]*permissions.Policy{
	"admin": permissions.MustParse(`{"integration:*": true}`),
	"member": permissions.MustParse(`{
		"integration:slack": {
			"credential:*":           ["proxy-api", "credential:write"],
			"credential:ext:finance": false
		}
	}`),
	"reader": permissions.MustParse(`{"integration:*": ["settings:read"]}`),
}

// seed fills a store that has no rows of the tenant, and returns the IDs by account.
func seed(ctx context.Context, s *store) (map[string]string, error) {
	ids := make(map[string]string)
	there, err := s.list(ctx, tenant, "00000000-0000-0000-0000-000000000000",
		permissions.Unrestricted().VisibleCredentials(permissions.User()))
	if err != nil {
		return nil, err
	}
	for _, c := range there.Credentials {
		ids[c.Account] = c.ID
	}
	if len(ids) > 0 {
		return ids, nil
	}
	sales, finance := "sales", "finance"
	for _, row := range []struct {
		owner string
		credential
	}{
		{tenant, credential{Integration: "slack", Account: "slack/everyone"}},
		{tenant, credential{Integration: "slack", ExternalID: &sales, Account: "slack/sales"}},
		{tenant, credential{Integration: "slack", ExternalID: &finance, Account: "slack/finance"}},
		{tenant, credential{Integration: "jira", Account: "jira/tracker"}},
		{"globex", credential{Integration: "slack", Account: "slack/globex"}},
	} {
		c, err := s.insert(ctx, row.owner, row.credential)
		if err != nil {
			return nil, err
		}
		ids[row.Account] = c.ID
	}
	return ids, nil
}

// A step is a request of the demonstration.
type step struct {
	comment, role, method, path, credential, body string
	status                                        int
}

func steps(ids map[string]string) []step {
	at := func(account string) string {
		integration, _, _ := strings.Cut(account, "/")
		return "/integrations/" + integration + "/credentials/" + ids[account]
	}
	return []step{
		{"a member lists the credentials of all integrations that may be seen", "member", "GET", "/credentials", "",
			"", 200},
		{"and those with which requests may be sent", "member", "GET", "/integrations/slack/credentials?can=proxy-api",
			"", "", 200},
		{"and sends one with that of sales, which its external ID names", "member", "POST",
			"/integrations/slack/proxy/chat.postMessage", "sales", "", 200},
		{"that of finance does not exist for members", "member", "POST", "/integrations/slack/proxy/chat.postMessage",
			ids["slack/finance"], "", 404},
		{"a reader sees it", "reader", "GET", at("slack/finance"), "", "", 200},
		{"but may not delete it", "reader", "DELETE", at("slack/finance"), "", "", 403},
		{"an admin may", "admin", "DELETE", at("slack/finance"), "", "", 204},
		{"a member connects a credential", "member", "POST", "/integrations/slack/credentials", "",
			`{"external_id": "support", "account": "slack/support"}`, 201},
		{"but not as finance", "member", "POST", "/integrations/slack/credentials", "",
			`{"external_id": "finance", "account": "slack/finance"}`, 403},
		{"nobody gets anywhere without a token", "", "GET", "/integrations/slack/credentials", "", "", 401},
	}
}

// show sends the requests and prints the answers. An answer that should be another is an error.
func show(ctx context.Context, out io.Writer, base string, tokens, ids map[string]string) error {
	for _, s := range steps(ids) {
		r, err := http.NewRequestWithContext(ctx, s.method, base+s.path, strings.NewReader(s.body))
		if err != nil {
			return err
		}
		if s.role != "" {
			r.Header.Set("Authorization", "Bearer "+tokens[s.role])
		}
		fmt.Fprintf(out, "# %s\n%s %s", s.comment, s.method, s.path)
		if s.credential != "" {
			r.Header.Set("X-Paragon-Credential", s.credential)
			fmt.Fprintf(out, "  X-Paragon-Credential: %s", s.credential)
		}
		if s.body != "" {
			fmt.Fprintf(out, "  %s", s.body)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		fmt.Fprintf(out, "\n%s\n", strings.TrimRight(resp.Status+"  "+string(body), " \n"))
		fmt.Fprintln(out)
		if resp.StatusCode != s.status {
			return fmt.Errorf("%s %s: got %d, want %d", s.method, s.path, resp.StatusCode, s.status)
		}
	}
	return nil
}

// tell prints commands that send the same requests.
func tell(out io.Writer, base string, tokens, ids map[string]string) {
	fmt.Fprintln(out, "# Paste these first: tokens that are good for an hour, and for this server only.")
	for _, role := range []string{"admin", "member", "reader"} {
		fmt.Fprintf(out, "%s='Authorization: Bearer %s'\n", role, tokens[role])
	}
	for _, s := range steps(ids) {
		fmt.Fprintf(out, "\n# %s: %d\ncurl -i -X %s", s.comment, s.status, s.method)
		if s.role != "" {
			fmt.Fprintf(out, ` -H "$%s"`, s.role)
		}
		if s.credential != "" {
			fmt.Fprintf(out, " -H 'X-Paragon-Credential: %s'", s.credential)
		}
		if s.body != "" {
			fmt.Fprintf(out, " -d '%s'", s.body)
		}
		fmt.Fprintf(out, " '%s%s'\n", base, s.path)
	}
	fmt.Fprintln(out)
}
