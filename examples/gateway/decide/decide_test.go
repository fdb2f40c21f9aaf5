package decide_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/gateway/decide"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

// ask asks as the gateway does.
func ask(h http.Handler, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header = header
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAnswers(t *testing.T) {
	kit := permissionstest.New(t)
	var refused []int
	h := decide.New(kit.Verifier(), func(_ *http.Request, e *httpauth.Error) { refused = append(refused, e.Status) })
	header := func(policy *permissions.Policy, method, uri string, more ...string) http.Header {
		header := http.Header{"X-Original-Method": {method}, "X-Original-Uri": {uri}}
		if policy != nil {
			header.Set("Authorization", "Bearer "+kit.Token(t, "ann", policy))
		}
		for i := 0; i < len(more); i += 2 {
			header.Add(more[i], more[i+1])
		}
		return header
	}
	slack := permissions.MustParse(`{"integration:slack": {"credential:7": ["proxy-api"], "credential:8": ["credential:write"]}}`)
	notTeamA := permissions.MustParse(`{"integration:*": true, "credential:ext:Team A": false}`)
	everything := permissions.Unrestricted()
	for _, c := range []struct {
		name    string
		header  http.Header
		status  int
		refused []int
	}{
		{"proxy", header(slack, "GET", "/integrations/slack/proxy/x", "X-Paragon-Credential", "7"), 204, nil},
		{"proxy with another credential", header(slack, "GET", "/integrations/slack/proxy/x", "X-Paragon-Credential", "8"), 403, []int{403}},
		{"delete", header(slack, "DELETE", "/integrations/slack/credentials/8"), 204, nil},
		{"delete another", header(slack, "DELETE", "/integrations/slack/credentials/7"), 403, []int{403}},
		{"connect", header(slack, "POST", "/integrations/slack/credentials"), 403, []int{403}},
		{"connect with everything", header(everything, "POST", "/integrations/slack/credentials"), 204, nil},
		{"events", header(slack, "POST", "/events"), 403, []int{403}},
		{"events with everything", header(everything, "POST", "/events"), 204, nil},
		{"undetermined", header(notTeamA, "GET", "/integrations/slack/proxy/x", "X-Paragon-Credential", "7"), 403, []int{403}},
		{"no credential", header(everything, "GET", "/integrations/slack/proxy/x"), 403, []int{400}},
		{"no token", header(nil, "POST", "/events"), 401, []int{401}},
		{"two tokens", header(everything, "POST", "/events", "Authorization", "Bearer x"), 401, []int{400}},
		{"no route", header(everything, "POST", "/secrets"), 403, nil},
		{"no method", header(everything, "PUT", "/events"), 403, nil},
		{"method in lower case", header(everything, "post", "/events"), 403, nil},
		{"a redirect", header(everything, "GET", "/integrations/slack/proxy", "X-Paragon-Credential", "7"), 403, nil},
		{"two URIs", header(everything, "POST", "/events", "X-Original-URI", "/events"), 403, nil},
		{"two methods", header(everything, "POST", "/events", "X-Original-Method", "POST"), 403, nil},
		{"no URI", http.Header{"X-Original-Method": {"POST"}, "Authorization": header(everything, "", "")["Authorization"]}, 403, nil},
		{"no method said", http.Header{"X-Original-Uri": {"/events"}, "Authorization": header(everything, "", "")["Authorization"]}, 403, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			refused = nil
			w := ask(h, c.header)
			require.Equal(t, c.status, w.Code)
			require.Empty(t, w.Body.String())
			require.Equal(t, c.refused, refused)
			subject := w.Header().Get("X-Auth-Subject")
			require.Equal(t, c.status == 204, subject == "ann", "%q", subject)
		})
	}
	require.Equal(t, 204, ask(decide.New(kit.Verifier(), nil), header(everything, "POST", "/events")).Code)
	require.Equal(t, 401, ask(decide.New(kit.Verifier(), nil), header(nil, "POST", "/events")).Code)
}

// However a service reads a path, if the path is let through then its target is the one that
// was decided about. The service must decode escapes, once at least.
func TestPathMeansOneThing(t *testing.T) {
	readers := map[string]func(string) string{
		"unescaped":      unescape,
		"twice":          func(p string) string { return unescape(unescape(p)) },
		"twice, cleaned": func(p string) string { return path.Clean(unescape(unescape(p))) },
		"cleaned":        func(p string) string { return path.Clean(unescape(p)) },
		"cleaned before": func(p string) string { return unescape(path.Clean(p)) },
		"backslashes":    func(p string) string { return path.Clean(strings.ReplaceAll(unescape(p), `\`, "/")) },
		"parameters": func(p string) string {
			segments := strings.Split(unescape(p), "/")
			for i := range segments {
				segments[i], _, _ = strings.Cut(segments[i], ";")
			}
			return path.Clean(strings.Join(segments, "/"))
		},
		"until NUL": func(p string) string { p, _, _ = strings.Cut(unescape(p), "\x00"); return p },
		"once more": func(p string) string {
			p, _, _ = strings.Cut(unescape(p), "?")
			p, _, _ = strings.Cut(p, "#")
			return p
		},
	}
	pieces := []string{
		"/", "/", "/", "/", "slack", "jira", "integrations", "proxy", "/integrations/jira/proxy/", "/integrations/slack/proxy/",
		"/integrations/", "/proxy/", "jira/proxy/", "/integrations/jira",
		".", "..", "%2e", "%2E%2e", "%2f", "%2F", "%5c", `\`, ";", "%3b", "%", "%25", "%252f", "%00", "%23", "%3f", "%20", "%C3%A9", "+", ":", "@", "a", "%61", "%73lack",
	}
	var asked string
	guard := func(_ permissions.Permission, target httpauth.TargetFunc) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				t, err := target(r)
				if err != nil {
					w.WriteHeader(http.StatusForbidden)
					return
				}
				asked = t.Integration
				next.ServeHTTP(w, r)
			})
		}
	}
	h := decide.Routes(guard)
	random := rand.New(rand.NewPCG(6, 6))
	passed, held := 0, 0
	for range 200_000 {
		uri := ""
		if random.IntN(2) == 0 {
			uri = "/integrations/jira/proxy/"
		}
		for range 1 + random.IntN(6) {
			uri += pieces[random.IntN(len(pieces))]
		}
		asked = ""
		method := []string{"POST", "CONNECT"}[random.IntN(2)] // with which ServeMux cleans no path
		w := ask(h, http.Header{"X-Original-Method": {method}, "X-Original-Uri": {uri}, "X-Paragon-Credential": {"7"}})
		if w.Code != http.StatusNoContent {
			held++
			continue
		}
		passed++
		for name, read := range readers {
			segments := strings.Split(read(uri), "/")
			require.Greater(t, len(segments), 3, "%s: %s", name, uri)
			require.Equal(t, []string{"", "integrations", asked, "proxy"}, segments[:4], "%s: %s", name, uri)
		}
	}
	require.Greater(t, passed, 2000)
	require.Greater(t, held, 10_000)
}

// unescape unescapes what can be, as a careless server does.
func unescape(p string) string {
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if i+2 < len(p) && p[i] == '%' {
			if s, err := url.PathUnescape(p[i : i+3]); err == nil {
				b.WriteString(s)
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

// A counter keeps every status that it is told.
type counter struct {
	http.ResponseWriter
	said []int
}

func (c *counter) WriteHeader(status int) { c.said = append(c.said, status) }

// A guard that says nothing, or something else than the gateway knows, has not said yes.
func TestGuardThatSaysSomethingElse(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"a body":  func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("yes")) },
		"200":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) },
		"202":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(202) },
		"301":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(301) },
		"no, then yes": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			w.WriteHeader(204)
		},
	} {
		guard := func(permissions.Permission, httpauth.TargetFunc) func(http.Handler) http.Handler {
			return func(http.Handler) http.Handler { return h }
		}
		w := ask(decide.Routes(guard), http.Header{"X-Original-Method": {"POST"}, "X-Original-Uri": {"/events"}})
		require.Equal(t, 403, w.Code, name)
		require.Empty(t, w.Body.String(), name)

		counted := &counter{ResponseWriter: httptest.NewRecorder()}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = http.Header{"X-Original-Method": {"POST"}, "X-Original-Uri": {"/events"}}
		decide.Routes(guard).ServeHTTP(counted, r)
		require.Equal(t, []int{403}, counted.said, name)
	}
}

// The observer that httpauth takes is taken here too.
func TestOptions(t *testing.T) {
	kit := permissionstest.New(t)
	questions := 0
	h := decide.New(kit.Verifier(), nil, httpauth.WithObserver(
		func(context.Context, permissions.Permission, permissions.Target, permissions.Decision) { questions++ }))
	require.Equal(t, 204, ask(h, http.Header{"X-Original-Method": {"POST"}, "X-Original-Uri": {"/events"},
		"Authorization": {"Bearer " + kit.Token(t, "ann", permissions.Unrestricted())}}).Code)
	require.Equal(t, 1, questions)
}
