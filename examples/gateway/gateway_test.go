package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/gateway/decide"
	"github.com/connectperms/permissions/permissionstest"
)

// A recorder is a service that keeps its requests.
type recorder struct {
	mu       sync.Mutex
	requests []*http.Request
}

func (s *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r)
	io.WriteString(w, "served")
}

// take returns the requests since it was last called.
func (s *recorder) take() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.requests
	s.requests = nil
	return taken
}

// start starts nginx with a decision server before a service. It fails, and does not skip,
// where there is no nginx.
func start(t *testing.T, decision http.Handler) (*stack, *recorder) {
	service := new(recorder)
	s, err := startStack(t.TempDir(), decision, service)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.stop(context.Background()), "%s", s.log.String()) })
	return s, service
}

// send sends lines to nginx, as they are, as the head of a request. It returns the response
// with its body read.
func (s *stack) send(t *testing.T, lines ...string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, strings.Join(append(lines, "Host: gateway", "Connection: close", "", ""), "\r\n"))
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp
}

const (
	proxyLine  = "POST /integrations/slack/proxy/chat.postMessage HTTP/1.1"
	credential = "X-Paragon-Credential: 3fa85f64-5717-4562-b3fc-2c963f66afa6"
	length     = "Content-Length: 0"
)

var onlySlack = permissions.MustParse(`{"integration:slack": ["proxy-api"]}`)

func TestGateway(t *testing.T) {
	kit := permissionstest.New(t)
	s, service := start(t, decide.New(kit.Verifier(), nil))
	bearer := "Authorization: Bearer " + kit.Token(t, "ann", onlySlack)
	for _, c := range []struct {
		name      string
		lines     []string
		status    int
		challenge string
	}{
		{"allowed", []string{proxyLine, bearer, credential, length}, 200, ""},
		{"allowed, in another case", []string{proxyLine, strings.Replace(bearer, "Bearer", "bearer", 1), strings.ToLower(credential), length}, 200, ""},
		{"another integration", []string{"POST /integrations/jira/proxy/issue HTTP/1.1", bearer, credential, length}, 403, ""},
		{"another action", []string{"POST /integrations/slack/credentials HTTP/1.1", bearer, length}, 403, ""},
		{"no credential", []string{proxyLine, bearer, length}, 403, ""},
		{"two credentials", []string{proxyLine, bearer, credential, "X-Paragon-Credential: 7", length}, 403, ""},
		{"list of credentials", []string{proxyLine, bearer, credential + ", 7", length}, 403, ""},
		{"no route", []string{"GET /secrets HTTP/1.1", bearer, credential}, 403, ""},
		{"no route, but for a slash", []string{"POST /integrations/slack/proxy HTTP/1.1", bearer, credential, length}, 403, ""},
		{"no method", []string{"PUT /events HTTP/1.1", bearer, length}, 403, ""},
		{"root", []string{"GET / HTTP/1.1", bearer}, 403, ""},
		{"no token", []string{proxyLine, credential, length}, 401, "Bearer"},
		{"another scheme", []string{proxyLine, "Authorization: Basic YW5uOnNlY3JldA==", credential, length}, 401, "Bearer"},
		{"bad token", []string{proxyLine, bearer + "x", credential, length}, 401, `Bearer error="invalid_token"`},
		{"another key", []string{proxyLine, "Authorization: Bearer " + permissionstest.New(t).Token(t, "ann", onlySlack), credential, length}, 401, `Bearer error="invalid_token"`},
		{"list of tokens", []string{proxyLine, bearer + ", Bearer x", credential, length}, 401, `Bearer error="invalid_request"`},
		{"the question itself", []string{"GET /_decision HTTP/1.1", bearer, credential}, 404, ""},
		{"the question itself, escaped", []string{"GET /%5fdecision HTTP/1.1", bearer, credential}, 404, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			resp := s.send(t, c.lines...)
			require.Equal(t, c.status, resp.StatusCode)
			require.Equal(t, c.challenge, resp.Header.Get("WWW-Authenticate"))
			reached := service.take()
			if c.status != 200 {
				require.Empty(t, reached)
				return
			}
			require.Len(t, reached, 1)
			require.Equal(t, []string{"ann"}, reached[0].Header.Values("X-Auth-Subject"))
		})
	}

	// nginx may refuse two of these headers itself.
	resp := s.send(t, proxyLine, bearer, bearer, credential, length)
	require.Contains(t, []int{400, 401}, resp.StatusCode)
	require.Empty(t, service.take())
}

// What a client sends in the names of the gateway's own headers counts for nothing.
func TestSpoofedHeaders(t *testing.T) {
	kit := permissionstest.New(t)
	s, service := start(t, decide.New(kit.Verifier(), nil))
	bearer := "Authorization: Bearer " + kit.Token(t, "ann/b\u00e9", onlySlack)

	spoofs := []string{
		"X-Original-URI: /integrations/slack/proxy/chat",
		"X-Original-Method: POST",
		"X_Original_URI: /integrations/slack/proxy/chat",
	}
	resp := s.send(t, append(spoofs[:0:0], append([]string{"DELETE /integrations/jira/proxy/issue HTTP/1.1", bearer, credential}, spoofs...)...)...)
	require.Equal(t, 403, resp.StatusCode)
	require.Empty(t, service.take())

	// The other way round: they do not close what is open either.
	resp = s.send(t, proxyLine, bearer, credential, length, "X-Original-URI: /secrets", "X-Original-URI: /secrets", "X-Original-Method: DELETE")
	require.Equal(t, 200, resp.StatusCode)
	require.Len(t, service.take(), 1)

	// Who asks is who the token says, however often the client says otherwise.
	resp = s.send(t, proxyLine, bearer, credential, length, "X-Auth-Subject: root", "x-auth-subject: root", "X_Auth_Subject: root",
		"X-HTTP-Method-Override: DELETE", "X-Rewrite-URL: /secrets", "Connection: X-Auth-Subject, X-Paragon-Credential")
	require.Equal(t, 200, resp.StatusCode)
	reached := service.take()
	require.Len(t, reached, 1)
	require.Equal(t, []string{"ann%2Fb%C3%A9"}, reached[0].Header.Values("X-Auth-Subject"))
	require.Len(t, reached[0].Header.Values("X-Paragon-Credential"), 1)
	for _, gone := range []string{"X-Http-Method-Override", "X-Rewrite-Url", "X_auth_subject"} {
		require.NotContains(t, reached[0].Header, gone)
	}
}

// Whatever a path is made to look like, the service gets it only if it is the one that was
// decided about, as the client sent it.
func TestPaths(t *testing.T) {
	kit := permissionstest.New(t)
	s, service := start(t, decide.New(kit.Verifier(), nil))
	bearer := "Authorization: Bearer " + kit.Token(t, "ann", permissions.MustParse(`{"integration:*": true, "integration:slack": {"credential:*": false}}`))
	for path, want := range map[string]int{
		"/integrations/jira/proxy/issue":                   200,
		"/integrations/jira/proxy/issue?next=/../slack/":   200,
		"/integrations/jira/proxy/a%20b/%C3%A9":            200,
		"/integrations/jira/proxy/":                        200,
		"/integrations/j%3Ara/proxy/x":                     200,
		"http://other/integrations/jira/proxy/issue":       200,
		"/integrations/slack/proxy/x":                      403,
		"http://other/integrations/slack/proxy/x":          403,
		"/integrations/jira/../slack/proxy/x":              403,
		"/integrations/jira/proxy/../../slack/proxy/x":     403,
		"/integrations/jira/%2e%2e/slack/proxy/x":          403,
		"/integrations/jira/%2E./slack/proxy/x":            403,
		"/integrations/jira/..%2fslack/proxy/x":            403,
		"/integrations/jira/..%5cslack/proxy/x":            403,
		"/integrations/jira/..\\slack/proxy/x":             403,
		"/integrations/jira/proxy/..%2f..%2fslack/proxy/x": 403,
		"/integrations/jira/proxy/%252e%252e/x":            403,
		"/integrations/./slack/proxy/x":                    403,
		"//integrations/slack/proxy/x":                     403,
		"/integrations//slack/proxy/x":                     403,
		"/integrations/slack//proxy/x":                     403,
		"/integrations/jira/proxy//x":                      403,
		"/integrations/jira%2F..%2Fslack/proxy/x":          403,
		"/integrations/%73lack/proxy/x":                    403,
		"/integrations/sl%61ck/proxy/x":                    403,
		"/integrations/slack%3bx/proxy/x":                  403,
		"/integrations/slack;x=1/proxy/x":                  403,
		"/integrations/;x/slack/proxy/x":                   403,
		"/integrations/slack%23/proxy/x":                   403,
		"/integrations/slack%3f/proxy/x":                   403,
		"/integrations/slack%20/proxy/x":                   403,
		"/integrations/slack%0d%0a/proxy/x":                403,
		"/integrations/slack%ff/proxy/x":                   403,
		"/INTEGRATIONS/jira/proxy/x":                       403,
		"/integrations/*/proxy/x":                          403,
		"/_decision/../integrations/jira/proxy/x":          403,
		"/integrations/jira%00/proxy/x":                    400, // of nginx
		"/integrations/jira/proxy/%zz":                     400,
		"/../integrations/jira/proxy/x":                    400,
		"integrations/jira/proxy/x":                        400,
	} {
		t.Run(path, func(t *testing.T) {
			resp := s.send(t, "POST "+path+" HTTP/1.1", bearer, credential, length)
			require.Equal(t, want, resp.StatusCode)
			reached := service.take()
			if want != 200 {
				require.Empty(t, reached)
				return
			}
			require.Len(t, reached, 1)
			require.Equal(t, strings.TrimPrefix(path, "http://other"), reached[0].RequestURI)
		})
	}
}

// A decision server that is down, that fails, or that says what it should not, denies.
func TestNoDecision(t *testing.T) {
	kit := permissionstest.New(t)
	request := []string{proxyLine, "Authorization: Bearer " + kit.Token(t, "ann", permissions.Unrestricted()), credential, length}

	s, service := start(t, decide.New(kit.Verifier(), nil))
	require.Equal(t, 200, s.send(t, request...).StatusCode)
	require.Len(t, service.take(), 1)
	require.NoError(t, s.decision.Close())
	for range 3 {
		require.Equal(t, 500, s.send(t, request...).StatusCode)
	}
	require.Empty(t, service.take())

	for _, status := range []int{302, 400, 404, 500, 503} {
		s, service := start(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		require.Equal(t, 500, s.send(t, request...).StatusCode, status)
		require.Empty(t, service.take())
	}

	done := make(chan struct{})
	hung, service := start(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	require.Equal(t, 500, hung.send(t, request...).StatusCode)
	require.Empty(t, service.take())
	close(done)
}

// A token larger than nginx takes is refused there.
func TestLargeToken(t *testing.T) {
	kit := permissionstest.New(t)
	s, service := start(t, decide.New(kit.Verifier(), nil))
	claim := `{"integration:slack": {"credential:*": ["proxy-api"]`
	token := func(n int) string {
		var b strings.Builder
		b.WriteString(claim)
		for i := range n {
			fmt.Fprintf(&b, `, "credential:%08d-5717-4562-b3fc-2c963f66afa6": false`, i)
		}
		return "Authorization: Bearer " + kit.Token(t, "ann", permissions.MustParse(b.String()+"}}"))
	}
	large := token(150)
	require.Greater(t, len(large), 8<<10)
	require.Equal(t, 200, s.send(t, proxyLine, large, credential, length).StatusCode)
	require.Len(t, service.take(), 1)
	require.Equal(t, 400, s.send(t, proxyLine, token(400), credential, length).StatusCode)
	require.Empty(t, service.take())
}

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, show(t.Context(), &out), "%s", out.String())
	for _, want := range []string{"200 OK: the service did POST", "401 Unauthorized", "403 Forbidden", "500 Internal Server Error"} {
		require.Contains(t, out.String(), want)
	}
}

func TestRun(t *testing.T) {
	none := func(string) string { return "" }
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", none), "PARAGON_PUBLIC_KEY")

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	env := map[string]string{"PARAGON_PUBLIC_KEY": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
	get := func(name string) string { return env[name] }
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", get), "the project ID is empty")
	env["PARAGON_PROJECT_ID"] = "p"
	require.Error(t, run(t.Context(), "nowhere", get))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	require.NoError(t, run(ctx, "127.0.0.1:0", get))
}
