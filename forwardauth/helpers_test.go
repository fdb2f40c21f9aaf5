package forwardauth_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

const (
	uuidA = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	uuidB = "11111111-2222-3333-4444-555555555555"
	uuidC = "22222222-2222-3333-4444-555555555555"
)

// The routes of the tests.
var routes = []forwardauth.Route{
	{Pattern: "POST /events", Permission: permissions.Events},
	{
		Pattern: "POST /integrations/{integration}/credentials", Permission: permissions.CredentialWrite,
		Integration: forwardauth.Path("integration"),
	},
	{
		Pattern:     "DELETE /integrations/{integration}/credentials/{credential}",
		Permission:  permissions.CredentialWrite,
		Integration: forwardauth.Path("integration"), Credential: forwardauth.Path("credential"),
	},
	{
		Pattern:     "PATCH /integrations/{integration}/configurations/{configuration}",
		Permission:  permissions.ConfigWrite,
		Integration: forwardauth.Path("integration"), Credential: forwardauth.Header(httpauth.CredentialHeader),
		Configuration: forwardauth.Path("configuration"),
	},
	{
		Pattern: "/integrations/{integration}/proxy/{rest...}", Permission: permissions.ProxyAPI,
		Integration: forwardauth.Path("integration"), Credential: forwardauth.Header(httpauth.CredentialHeader),
	},
	{
		Pattern: "/integrations/{integration}/opaque/{rest...}", Permission: permissions.ProxyAPI,
		Tail:        forwardauth.TailOpaque,
		Integration: forwardauth.Path("integration"), Credential: forwardauth.Header(httpauth.CredentialHeader),
	},
}

// A question is what a gateway asks: the headers as they arrive, and the request line of a gateway that
// has the method and the URI there.
type question struct {
	method, uri string
	header      http.Header
}

// describe returns the question that a gateway asks about a request, as it does when nobody attacks.
func describe(d forwardauth.Dialect, method, uri string, header http.Header) question {
	q := question{"GET", "/", header.Clone()}
	if q.header == nil {
		q.header = http.Header{}
	}
	switch d {
	case forwardauth.DialectNginx, forwardauth.DialectHAProxy:
		q.header["X-Original-Method"], q.header["X-Original-Uri"] = []string{method}, []string{uri}
	case forwardauth.DialectCaddy, forwardauth.DialectTraefik:
		q.header["X-Forwarded-Method"], q.header["X-Forwarded-Uri"] = []string{method}, []string{uri}
	case forwardauth.DialectEnvoy:
		q.method, q.uri = method, uri
	}
	return q
}

// ask returns the answer to a question.
func ask(h http.Handler, q question) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.Method, r.RequestURI, r.Header = q.method, q.uri, q.header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A fixture is a handler with its log.
type fixture struct {
	*forwardauth.Handler
	log bytes.Buffer
}

func newFixture(t testing.TB, d forwardauth.Dialect, opts ...forwardauth.Option) *fixture {
	t.Helper()
	f := new(fixture)
	opts = append([]forwardauth.Option{forwardauth.WithLogger(slog.New(slog.NewJSONHandler(&f.log, nil)))}, opts...)
	var err error
	f.Handler, err = forwardauth.New(d, permissionstest.Shared().Verifier(), routes, opts...)
	require.NoError(t, err)
	return f
}

// lines returns the lines of the log since it was last called.
func (f *fixture) lines(t testing.TB) (lines []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(f.log.Bytes()) {
		var m map[string]any
		require.NoError(t, json.Unmarshal(line, &m))
		lines = append(lines, m)
	}
	f.log.Reset()
	return lines
}

// code returns the code of the only line of the log, or "granted" if there is none.
func (f *fixture) code(t testing.TB) string {
	t.Helper()
	lines := f.lines(t)
	if len(lines) == 0 {
		return "granted"
	}
	require.Len(t, lines, 1)
	return lines[0]["code"].(string)
}

// with returns headers with a token, and more headers by pairs.
func with(t testing.TB, policy *permissions.Policy, pairs ...string) http.Header {
	t.Helper()
	header := http.Header{}
	if policy != nil {
		header.Set("Authorization", "Bearer "+permissionstest.Shared().Token(t, "ann", policy))
	}
	for i := 0; i < len(pairs); i += 2 {
		header[http.CanonicalHeaderKey(pairs[i])] = append(header[http.CanonicalHeaderKey(pairs[i])], pairs[i+1])
	}
	return header
}

var dialects = []forwardauth.Dialect{
	forwardauth.DialectNginx, forwardauth.DialectCaddy, forwardauth.DialectHAProxy, forwardauth.DialectTraefik,
	forwardauth.DialectEnvoy,
}

var (
	onlySlack  = permissions.MustParse(`{"integration:slack": true}`)
	anything   = permissions.Unrestricted()
	notTeamA   = permissions.MustParse(`{"integration:*": true, "credential:ext:Team A": false}`)
	slackParts = permissions.MustParse(`{"integration:slack": {"credential:` + uuidA + `": ["proxy-api"],
		"credential:` + uuidB + `": ["credential:write", "config:write"], "credential:ext:Team B": ["proxy-api"]}}`)
)

func logTo(w io.Writer) forwardauth.Option {
	return forwardauth.WithLogger(slog.New(slog.NewJSONHandler(w, nil)))
}

func verifier() *usertoken.Verifier { return permissionstest.Shared().Verifier() }
