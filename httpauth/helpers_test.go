package httpauth_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

// What the tests ask about.
const (
	annsID   = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	bensID   = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	configID = "16fd2706-8baf-433b-82eb-8c7fada847da"
)

var (
	slack = permissions.Integration("slack")

	proxySlack = permissions.MustParse(`{"integration:slack": ["proxy-api"], "integration:github": false}`)
	everything = permissions.MustParse(`{"integration:*": true}`)
	nothing    = permissions.MustParse(`{}`)

	kit = permissionstest.Shared()
)

// The codes of RFC 6750.
const (
	invalidRequest    = httpauth.CodeInvalidRequest
	invalidToken      = httpauth.CodeInvalidToken
	insufficientScope = httpauth.CodeInsufficientScope
)

// newAuth returns a middleware for the tokens of the kit.
func newAuth(opts ...httpauth.Option) *httpauth.Middleware {
	return httpauth.New(kit.Verifier(), opts...)
}

// reportOnly has a middleware report to a log that nobody reads.
var reportOnly = []httpauth.Option{httpauth.ReportOnly(), httpauth.WithLogger(slog.New(slog.DiscardHandler))}

// request returns a request with a token.
func request(t testing.TB, subject string, policy *permissions.Policy) *http.Request {
	t.Helper()
	return kit.Authorize(t, httptest.NewRequest("GET", "/path?query=1", nil), subject, policy)
}

// serve has a handler answer a request.
func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// fixed is a TargetFunc that does not depend on the request.
func fixed(target permissions.Target, err error) httpauth.TargetFunc {
	return func(*http.Request) (permissions.Target, error) { return target, err }
}

// requireProblem requires a response to be a problem that has a status and a code, and nothing else.
func requireProblem(t *testing.T, resp *http.Response, status int, code string) {
	t.Helper()
	require.Equal(t, status, resp.StatusCode)
	require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	want := map[string]any{"type": "about:blank", "title": http.StatusText(status), "status": float64(status)}
	if code != "" {
		want["error"] = code
	}
	var body map[string]any
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&body))
	require.Equal(t, want, body)

	var challenge []string
	switch {
	case code != "":
		challenge = []string{`Bearer error="` + code + `"`}
	case status == http.StatusUnauthorized:
		challenge = []string{"Bearer"}
	}
	require.Equal(t, challenge, resp.Header.Values("WWW-Authenticate"))

	var retry []string
	if status == http.StatusServiceUnavailable {
		retry = []string{"5"}
	}
	require.Equal(t, retry, resp.Header.Values("Retry-After"))
	require.Equal(t, []string{"no-store"}, resp.Header.Values("Cache-Control"))
}

// nobody is a handler that no request must reach.
func nobody(t *testing.T) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request was let through") })
}

// somebody is a handler that keeps its requests, and answers them with 204.
type somebody struct{ requests []*http.Request }

func (s *somebody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, r)
	w.WriteHeader(http.StatusNoContent)
}

// recorder is an error handler that keeps the errors.
type recorder struct {
	errors   []*httpauth.Error
	requests []*http.Request
}

func (rec *recorder) option() httpauth.Option {
	return httpauth.WithErrorHandler(func(w http.ResponseWriter, r *http.Request, e *httpauth.Error) {
		rec.errors = append(rec.errors, e)
		rec.requests = append(rec.requests, r)
		w.WriteHeader(e.Status)
	})
}

// A logBook is a logger whose lines are looked at.
type logBook struct{ bytes.Buffer }

func (l *logBook) option() httpauth.Option { return httpauth.WithLogger(l.logger()) }

func (l *logBook) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(&l.Buffer, nil)) }

// lines returns what was logged, without the times.
func (l *logBook) lines(t testing.TB) (lines []map[string]any) {
	t.Helper()
	for line := range strings.Lines(l.String()) {
		var attrs map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &attrs))
		delete(attrs, "time")
		lines = append(lines, attrs)
	}
	return lines
}

// only returns the only line that was logged.
func (l *logBook) only(t testing.TB) map[string]any {
	t.Helper()
	lines := l.lines(t)
	require.Len(t, lines, 1)
	return lines[0]
}

// downVerifier is a verifier whose key source fails with an error.
func downVerifier(t testing.TB, err error) *usertoken.Verifier {
	t.Helper()
	source := usertoken.WithKeySource(failingKeys(err))
	verifier, failed := usertoken.NewVerifier(permissionstest.ProjectID, nil, source)
	require.NoError(t, failed)
	return verifier
}
