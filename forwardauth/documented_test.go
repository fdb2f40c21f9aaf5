package forwardauth_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/forwardauth"
)

// The requests of gateways that were not run, written from their documentation.
//
// Traefik 3.3, reference of ForwardAuth: the method, the protocol, the host, the request URI and the source
// IP address are in X-Forwarded headers, beside the headers of the client. 2XX is yes.
//
// Envoy, ext_authz.proto and its HttpService: the method and the path are those of the client's request, Host
// and Authorization are passed on with the headers of allowed_headers, and Content-Length is 0. 200 is yes.
func TestDocumentedRequests(t *testing.T) {
	authorization := "Authorization: " + with(t, onlySlack).Get("Authorization")
	const credential = "X-Paragon-Credential: " + uuidA
	traefik := func(method, uri string, more ...string) []string {
		return append([]string{"GET /auth HTTP/1.1", "Host: decision:9001", authorization, credential,
			"Accept-Encoding: gzip", "X-Forwarded-For: 203.0.113.7",
			"X-Forwarded-Host: api.example.com", "X-Forwarded-Method: " + method, "X-Forwarded-Proto: https",
			"X-Forwarded-Uri: " + uri}, more...)
	}
	envoy := func(method, uri string, more ...string) []string {
		return append([]string{method + " " + uri + " HTTP/1.1", "host: api.example.com", "content-length: 0",
			strings.ToLower(authorization[:13]) + authorization[13:],
			"x-paragon-credential: " + uuidA, "x-envoy-internal: true", "x-forwarded-for: 203.0.113.7",
			"x-envoy-expected-rq-timeout-ms: 200"}, more...)
	}
	for _, c := range []struct {
		name    string
		dialect forwardauth.Dialect
		lines   []string
		status  int
		code    string
	}{
		{"Traefik, allowed", forwardauth.DialectTraefik, traefik("POST", allowedURI), 204, "granted"},
		{"Traefik, denied", forwardauth.DialectTraefik, traefik("POST", deniedURI), 403, "no_rule"},
		{"Traefik, the method counts", forwardauth.DialectTraefik,
			traefik("POST", "/integrations/slack/credentials/"+uuidA), 403, "no_route"},
		{"Traefik, a path that is ambiguous", forwardauth.DialectTraefik,
			traefik("POST", "/integrations/slack/proxy/%c0%ae%c0%ae/x"), 403, "path"},
		{"Traefik, the client speaks nginx", forwardauth.DialectTraefik,
			traefik("POST", deniedURI, "X-Original-Uri: "+allowedURI, "X-Original-Method: POST"), 403, "dialect"},
		{"Traefik, the client speaks Envoy", forwardauth.DialectTraefik,
			traefik("POST", deniedURI, "X-Envoy-Original-Path: "+allowedURI), 403, "dialect"},
		{"Traefik, the client's own is passed on too", forwardauth.DialectTraefik,
			traefik("POST", deniedURI, "X-Forwarded-Uri: "+allowedURI), 403, "dialect"},
		{"Traefik, after its ReplacePath", forwardauth.DialectTraefik,
			traefik("POST", allowedURI, "X-Replaced-Path: "+deniedURI), 403, "dialect"},
		{"Envoy, allowed", forwardauth.DialectEnvoy, envoy("POST", allowedURI), 200, "granted"},
		{"Envoy, allowed by DELETE", forwardauth.DialectEnvoy,
			envoy("DELETE", "/integrations/slack/credentials/"+uuidA), 200, "granted"},
		{"Envoy, denied", forwardauth.DialectEnvoy, envoy("POST", deniedURI), 403, "no_rule"},
		{"Envoy, a path that is ambiguous", forwardauth.DialectEnvoy,
			envoy("POST", "/integrations/slack/proxy/..%20/x"), 403, "path"},
		{"Envoy, the client speaks nginx", forwardauth.DialectEnvoy,
			envoy("POST", deniedURI, "x-original-uri: "+allowedURI), 403, "dialect"},
		{"Envoy, the client speaks Caddy", forwardauth.DialectEnvoy,
			envoy("POST", deniedURI, "x-forwarded-uri: "+allowedURI), 403, "dialect"},
		{"Envoy, the client speaks Envoy", forwardauth.DialectEnvoy,
			envoy("POST", deniedURI, "x-envoy-original-path: "+allowedURI), 403, "dialect"},
		{"Envoy with a path_prefix", forwardauth.DialectEnvoy, envoy("POST", "/check"+allowedURI), 403, "no_route"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, c.dialect)
			server := httptest.NewServer(f)
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, strings.Join(append(c.lines, "Connection: close", "", ""), "\r\n"))
			require.NoError(t, err)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			require.Equal(t, c.status, resp.StatusCode)
			server.Close() // the log is written
			require.Equal(t, c.code, f.code(t))
			require.Equal(t, c.code == "granted", len(resp.Header["X-Auth-Subject"]) == 1)
		})
	}
}
