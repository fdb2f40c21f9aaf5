// Serve serves the routes of package routers on one router, and prints commands that call them. It
// makes a key of its own, so the token in the commands is good for this process only.
//
//	go run ./serve [-addr 127.0.0.1:8080] servemux|chi|gin|echo|connect
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/routers"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// A router is a function of package routers.
type router func(auth *httpauth.Middleware, deleted func(integration, credential string)) http.Handler

var all = map[string]router{
	"servemux": routers.ServeMux, "chi": routers.Chi, "gin": routers.Gin, "echo": routers.Echo,
	"connect": routers.Connect,
}

// claim lets a user disconnect every Slack credential except one, and send requests with it.
const claim = `{
	"integration:slack": {"credential:*": ["credential:write", "proxy-api"], "credential:ext:finance": false}
}`

func main() {
	log.SetFlags(0)
	addr := flag.String("addr", "127.0.0.1:8080", "the address to listen on")
	flag.Parse()
	if all[flag.Arg(0)] == nil {
		log.Fatalf("name a router: %s", strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	}
	gin.SetMode(gin.ReleaseMode)
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := serve(ctx, listener, flag.Arg(0), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// serve serves until the context is done.
func serve(ctx context.Context, listener net.Listener, name string, out io.Writer) error {
	auth, token, err := newAuth(name, out)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler: all[name](auth, func(integration, credential string) {
			fmt.Fprintf(out, "disconnected %q of %q\n", credential, integration)
		}),
		ReadHeaderTimeout: 10 * time.Second,
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // gRPC needs HTTP/2. A service has TLS, and so HTTP/2 without this.
	fmt.Fprintln(out, commands(name, "http://"+listener.Addr().String(), token))

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	if err := server.Close(); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// newAuth returns a middleware, and a token that it accepts.
func newAuth(name string, out io.Writer) (*httpauth.Middleware, string, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, "", err
	}
	verifier, err := usertoken.NewVerifier("example", &key.PublicKey)
	if err != nil {
		return nil, "", err
	}
	signer, err := usertoken.NewSigner("example", key)
	if err != nil {
		return nil, "", err
	}
	token, err := signer.Sign("ann", permissions.MustParse(claim))
	if err != nil {
		return nil, "", err
	}
	opts := []httpauth.Option{httpauth.WithLogger(slog.New(slog.NewTextHandler(out, nil)))}
	if name == "connect" {
		opts = append(opts, httpauth.WithErrorHandler(routers.ConnectErrors()))
	}
	return httpauth.New(verifier, opts...), token, nil
}

// commands returns commands that call the routes: the first is allowed, the second is denied, and the
// third has no token.
func commands(name, base, token string) string {
	const credentials = "/integrations/slack/credentials/"
	remove := "-X DELETE " + base + credentials
	calls := []string{remove + "sales", remove + "finance", base + "/me"}
	if name == "connect" {
		call := "-H 'Content-Type: application/json' " + base + routers.DisconnectProcedure
		calls = []string{call + ` -d '"slack/sales"'`, call + ` -d '"slack/finance"'`, call + ` -d '"slack/sales"'`}
	}
	return fmt.Sprintf("TOKEN=%s\n"+
		"curl -i -H \"Authorization: Bearer $TOKEN\" %s\n"+
		"curl -i -H \"Authorization: Bearer $TOKEN\" %s\n"+
		"curl -i %s", token, calls[0], calls[1], calls[2])
}
