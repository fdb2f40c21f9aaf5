package forwardauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/connectperms/permissions/internal/text"
)

// A Dialect says how a gateway describes the request that it asks about. It is configured, and never
// guessed from a request. The zero Dialect is invalid.
//
// A [Handler] reads the method and the URI where its Dialect has them, and nowhere else. It refuses a
// request that has one of these headers twice or not at all. It also refuses a request with a header by
// which another dialect names the method or the URI: the gateway passed on what a client wrote.
type Dialect uint8

const (
	// DialectNginx is nginx with auth_request. The configuration must set X-Original-Method to
	// $request_method and X-Original-URI to $request_uri.
	DialectNginx Dialect = 1 + iota

	// DialectCaddy is Caddy's forward_auth, which sets X-Forwarded-Method and X-Forwarded-Uri.
	DialectCaddy

	// DialectHAProxy is HAProxy with a script that sets X-Original-Method and X-Original-URI. Such a
	// script is in examples/gateway.
	DialectHAProxy

	// DialectTraefik is Traefik's ForwardAuth, which sets X-Forwarded-Method and X-Forwarded-Uri.
	// Leave its trustForwardHeader false: with true it takes both from the client.
	DialectTraefik

	// DialectEnvoy is Envoy's ext_authz with an HTTP service, which asks with the method and the path
	// of the request itself. Set no path_prefix, and leave failure_mode_allow false.
	DialectEnvoy
)

// dialects has what the dialects differ in. It is not modified.
var dialects = [...]struct {
	name        string
	method, uri string // headers; empty for the request line
	yes         int    // the status that lets a request pass
}{
	DialectNginx:   {"nginx", "X-Original-Method", "X-Original-Uri", http.StatusNoContent},
	DialectCaddy:   {"Caddy", "X-Forwarded-Method", "X-Forwarded-Uri", http.StatusNoContent},
	DialectHAProxy: {"HAProxy", "X-Original-Method", "X-Original-Uri", http.StatusNoContent},
	DialectTraefik: {"Traefik", "X-Forwarded-Method", "X-Forwarded-Uri", http.StatusNoContent},
	DialectEnvoy:   {"Envoy", "", "", http.StatusOK}, // Envoy takes 200 alone for a yes
}

// requestHeaders has the headers by which some gateway names the method or the URI of a request, spelled as
// [spelling] does. It is not modified.
var requestHeaders = map[string]bool{
	"x-original-method": true, "x-original-uri": true, "x-original-url": true, "x-original-path": true,
	"x-forwarded-method": true, "x-forwarded-uri": true, "x-forwarded-url": true, "x-forwarded-path": true,
	"x-forwarded-request-uri": true, "x-rewrite-url": true, "x-replaced-path": true, "x-auth-request-redirect": true,
	"x-envoy-original-path": true, "x-envoy-original-method": true,
}

// String returns the name of the gateway.
func (d Dialect) String() string {
	if !d.isValid() {
		return "invalid dialect"
	}
	return dialects[d].name
}

func (d Dialect) isValid() bool { return d > 0 && int(d) < len(dialects) }

// ErrDialect matches the refusal of a request that does not speak the dialect of the handler.
var ErrDialect = errors.New("not the dialect of the gateway")

// A request is what a gateway asks about.
type request struct {
	method, path, query string
}

// read returns the request that r asks about.
func (d Dialect) read(r *http.Request) (request, error) {
	own := dialects[d]
	for name := range r.Header {
		if name != own.method && name != own.uri && requestHeaders[spelling(name)] {
			return request{}, fmt.Errorf("forwardauth: %w: there is a header %s; the gateway must remove it", ErrDialect,
				text.Quote(name))
		}
	}
	method, uri := r.Method, r.RequestURI
	if own.method != "" {
		methods, uris := r.Header[own.method], r.Header[own.uri]
		if len(methods) != 1 || len(uris) != 1 {
			return request{}, fmt.Errorf(
				"forwardauth: %w: %s is there %d times and %s %d times; configure %v to set each once",
				ErrDialect, own.method, len(methods), own.uri, len(uris), d)
		}
		method, uri = methods[0], uris[0]
	}
	path, query, _ := strings.Cut(uri, "?")
	return request{method, path, query}, nil
}

// spelling returns a header's name in the spelling in which names are compared. CGI and WSGI write -
// and _ alike, so a service could take one header for the other.
func spelling(name string) string { return strings.ReplaceAll(strings.ToLower(name), "_", "-") }
