package httpauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

var proxySlack = permissions.MustParse(`{"integration:slack": ["proxy-api"], "integration:github": false}`)

// serve has a handler answer a request.
func serve(h http.Handler, r *http.Request) *http.Response {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// requireProblem requires a response to be a problem that tells a status and a code, and
// nothing else.
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
}

// nobody is a handler that no request must reach.
func nobody(t *testing.T) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request was let through") })
}

// somebody is a handler that counts its requests.
type somebody struct{ requests []*http.Request }

func (s *somebody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests = append(s.requests, r)
	w.WriteHeader(http.StatusNoContent)
}

// recorder is an error handler that keeps the errors.
type recorder struct{ errors []*httpauth.Error }

func (rec *recorder) option() httpauth.Option {
	return httpauth.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, e *httpauth.Error) {
		rec.errors = append(rec.errors, e)
		w.WriteHeader(e.Status)
	})
}

func TestAuthorization(t *testing.T) {
	kit := permissionstest.New(t)
	token := kit.Token(t, "ann", proxySlack)
	other := permissionstest.New(t).Token(t, "ann", proxySlack)
	for _, c := range []struct {
		name   string
		header []string
		status int
		code   string
		err    error
	}{
		{"token", []string{"Bearer " + token}, 204, "", nil},
		{"lower case", []string{"bearer " + token}, 204, "", nil},
		{"upper case", []string{"BEARER " + token}, 204, "", nil},
		{"mixed case", []string{"bEaReR " + token}, 204, "", nil},
		{"several spaces", []string{"Bearer   " + token}, 204, "", nil},

		{"none", nil, 401, "", httpauth.ErrNoToken},
		{"empty", []string{""}, 401, "", httpauth.ErrNoToken},
		{"another scheme", []string{"Basic YW5uOnNlY3JldA=="}, 401, "", httpauth.ErrNoToken},
		{"another scheme with the token", []string{"Basic " + token}, 401, "", httpauth.ErrNoToken},
		{"no scheme", []string{token}, 401, "", httpauth.ErrNoToken},
		{"longer scheme", []string{"Bearers " + token}, 401, "", httpauth.ErrNoToken},
		{"tab", []string{"Bearer\t" + token}, 401, "", httpauth.ErrNoToken},
		{"space before", []string{" Bearer " + token}, 401, "", httpauth.ErrNoToken},
		{"scheme that folds to none", []string{"Bea\u0280er " + token}, 401, "", httpauth.ErrNoToken},

		{"twice", []string{"Bearer " + token, "Bearer " + token}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"with another scheme", []string{"Bearer " + token, "Basic YW5uOnNlY3JldA=="}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"with an empty one", []string{"", "Bearer " + token}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"scheme alone", []string{"Bearer"}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"scheme and space", []string{"Bearer "}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"scheme and padding", []string{"Bearer =="}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"list of headers", []string{"Bearer " + token + ", Bearer " + token}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"list of tokens", []string{"Bearer " + token + "," + token}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"parameter", []string{`Bearer token="` + token + `"`}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"space after", []string{"Bearer " + token + " "}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"space within", []string{"Bearer " + token[:20] + " " + token[20:]}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"tab after space", []string{"Bearer \t" + token}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"line break", []string{"Bearer " + token + "\r\nX: y"}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"not ASCII", []string{"Bearer \u00e9" + token}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},
		{"padding within", []string{"Bearer a=b"}, 400, httpauth.CodeInvalidRequest, httpauth.ErrAuthorization},

		{"no JWT", []string{"Bearer opaque"}, 401, httpauth.CodeInvalidToken, jwt.ErrTokenMalformed},
		{"all of token68", []string{"Bearer azAZ09-._~+/=="}, 401, httpauth.CodeInvalidToken, jwt.ErrTokenMalformed},
		{"oversized", []string{"Bearer " + strings.Repeat("a", 64<<10+1)}, 401, httpauth.CodeInvalidToken, jwt.ErrTokenMalformed},
		{"padded", []string{"Bearer " + token + "="}, 401, httpauth.CodeInvalidToken, jwt.ErrTokenMalformed},
		{"another key", []string{"Bearer " + other}, 401, httpauth.CodeInvalidToken, jwt.ErrTokenSignatureInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			request := func() *http.Request {
				r := httptest.NewRequest("GET", "/?access_token="+token, nil)
				if c.header != nil {
					r.Header["Authorization"] = c.header
				}
				return r
			}
			var rec recorder
			if c.err == nil {
				var next somebody
				require.Equal(t, 204, serve(httpauth.New(kit.Verifier(), rec.option()).Wrap(&next), request()).StatusCode)
				require.Len(t, next.requests, 1)
				require.Empty(t, rec.errors)
				return
			}
			requireProblem(t, serve(httpauth.New(kit.Verifier()).Wrap(nobody(t)), request()), c.status, c.code)

			// Another body, the same status and header, and the error that says why.
			resp := serve(httpauth.New(kit.Verifier(), rec.option()).Wrap(nobody(t)), request())
			require.Equal(t, c.status, resp.StatusCode)
			require.True(t, strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer"))
			require.Len(t, rec.errors, 1)
			require.ErrorIs(t, rec.errors[0], c.err)
			require.Equal(t, c.status, rec.errors[0].Status)
			require.Equal(t, c.code, rec.errors[0].Code)
			for _, part := range strings.Split(token, ".") {
				require.NotContains(t, rec.errors[0].Error(), part)
			}
		})
	}
}

// A token elsewhere than in the header is none.
func TestTokenElsewhere(t *testing.T) {
	kit := permissionstest.New(t)
	token := kit.Token(t, "ann", permissions.Unrestricted())
	r := httptest.NewRequest("POST", "/?access_token="+token, strings.NewReader("access_token="+token))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: "access_token", Value: token})
	r.Header.Set("Proxy-Authorization", "Bearer "+token)
	requireProblem(t, serve(httpauth.New(kit.Verifier()).Wrap(nobody(t)), r), 401, "")
}

// Through a real server, which trims white space around a header's value.
func TestAuthorizationOverNetwork(t *testing.T) {
	kit := permissionstest.New(t)
	server := httptest.NewServer(httpauth.New(kit.Verifier()).Wrap(&somebody{}))
	defer server.Close()
	r, err := http.NewRequest("GET", server.URL, nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "  Bearer "+kit.Token(t, "ann", proxySlack)+" \t")
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 204, resp.StatusCode)
}

func TestExpired(t *testing.T) {
	now := time.Now()
	kit := permissionstest.New(t, permissions.WithClock(func() time.Time { return now }))
	r := kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "ann", proxySlack)
	var rec recorder
	auth := httpauth.New(kit.Verifier(), rec.option())
	require.Equal(t, 204, serve(auth.Wrap(&somebody{}), r).StatusCode)
	now = now.Add(1000 * time.Hour)
	requireProblem(t, serve(httpauth.New(kit.Verifier()).Wrap(nobody(t)), r), 401, httpauth.CodeInvalidToken)
	serve(auth.Wrap(nobody(t)), r)
	require.ErrorIs(t, rec.errors[0], jwt.ErrTokenExpired)
}

func TestZeroMiddleware(t *testing.T) {
	kit := permissionstest.New(t)
	for name, auth := range map[string]*httpauth.Middleware{
		"nil":          nil,
		"zero":         new(httpauth.Middleware),
		"nil verifier": httpauth.New(nil, nil),
	} {
		t.Run(name, func(t *testing.T) {
			r := kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "ann", permissions.Unrestricted())
			requireProblem(t, serve(auth.Wrap(nobody(t)), r), 401, httpauth.CodeInvalidToken)
			requireProblem(t, serve(auth.Require(permissions.Events, httpauth.Sources{}.Target)(nobody(t)), r), 401, httpauth.CodeInvalidToken)
			requireProblem(t, serve(auth.Wrap(nobody(t)), httptest.NewRequest("GET", "/", nil)), 401, "")
		})
	}
}

func TestClaims(t *testing.T) {
	kit := permissionstest.New(t)
	var next somebody
	h := httpauth.New(kit.Verifier(), nil).Wrap(&next)
	serve(h, kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "ann", proxySlack))
	require.Len(t, next.requests, 1)
	ctx := next.requests[0].Context()
	require.Equal(t, "ann", httpauth.Claims(ctx).Subject)
	require.Same(t, httpauth.Claims(ctx).Policy, httpauth.Policy(ctx))
	require.True(t, httpauth.Policy(ctx).Allowed(permissions.ProxyAPI, permissions.Target{Integration: "slack"}))
	require.False(t, httpauth.Policy(ctx).Allowed(permissions.Events, permissions.Target{Integration: "slack"}))

	serve(h, kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "bob", permissions.Unrestricted()))
	require.True(t, httpauth.Policy(next.requests[1].Context()).IsUnrestricted())
}

func TestNoClaims(t *testing.T) {
	require.Nil(t, httpauth.Claims(context.Background()))
	p := httpauth.Policy(context.Background())
	require.NotNil(t, p)
	require.Equal(t, permissions.Decision{Reason: permissions.NoPolicy}, p.Decide(permissions.Events, permissions.Target{}))
	require.False(t, p.IsUnrestricted())
	p.Observe(nil) // of one's own, so that nobody changes another's
	require.NotSame(t, p, httpauth.Policy(context.Background()))
}

// Who has verified counts: a token that one verifier accepts is nothing to another.
func TestNested(t *testing.T) {
	kit, other := permissionstest.New(t), permissionstest.New(t)
	auth := httpauth.New(kit.Verifier())
	r := kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "ann", proxySlack)
	requireProblem(t, serve(auth.Wrap(httpauth.New(other.Verifier()).Wrap(nobody(t))), r), 401, httpauth.CodeInvalidToken)

	// The same middleware verifies once, even if a handler between has taken the token away.
	strip := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Authorization")
			next.ServeHTTP(w, r)
		})
	}
	var next somebody
	slack := httpauth.Sources{Integration: httpauth.Literal("slack")}
	serve(auth.Wrap(strip(auth.Require(permissions.ProxyAPI, slack.Target)(&next))), r)
	require.Len(t, next.requests, 1)
}

func TestRequire(t *testing.T) {
	kit := permissionstest.New(t)
	boom := errors.New("the database is away")
	fixed := func(target permissions.Target, err error) httpauth.TargetFunc {
		return func(*http.Request) (permissions.Target, error) { return target, err }
	}
	slack := permissions.Target{Integration: "slack"}
	byID := permissions.Target{Integration: "slack", CredentialID: "7"}
	notTeamA := permissions.MustParse(`{"integration:*": true, "credential:ext:Team A": false}`)
	for _, c := range []struct {
		name   string
		policy *permissions.Policy
		action permissions.Permission
		target httpauth.TargetFunc
		status int
		code   string
		err    error
		reason permissions.Reason
	}{
		{"allowed", proxySlack, permissions.ProxyAPI, fixed(slack, nil), 204, "", nil, 0},
		{"unrestricted", permissions.Unrestricted(), permissions.ProxyAPI, fixed(slack, nil), 204, "", nil, 0},
		{"another action", proxySlack, permissions.Events, fixed(slack, nil), 403, httpauth.CodeInsufficientScope, permissions.ErrDenied, permissions.NotGranted},
		{"another integration", proxySlack, permissions.ProxyAPI, fixed(permissions.Target{Integration: "github"}, nil), 403, httpauth.CodeInsufficientScope, permissions.ErrDenied, permissions.NotGranted},
		{"no rule", proxySlack, permissions.ProxyAPI, fixed(permissions.Target{Integration: "jira"}, nil), 403, httpauth.CodeInsufficientScope, permissions.ErrDenied, permissions.NoRule},
		{"empty claim", permissions.MustParse(`{}`), permissions.ProxyAPI, fixed(slack, nil), 403, httpauth.CodeInsufficientScope, permissions.ErrDenied, permissions.NoRule},
		{"undetermined", notTeamA, permissions.ProxyAPI, fixed(byID, nil), 403, httpauth.CodeInsufficientScope, permissions.ErrDenied, permissions.Undetermined},

		{"invalid target", permissions.Unrestricted(), permissions.ProxyAPI, fixed(permissions.Target{CredentialID: "7"}, nil), 400, "", permissions.ErrTarget, 0},
		{"bad name", permissions.Unrestricted(), permissions.ProxyAPI, fixed(permissions.Target{Integration: "sl*ck"}, nil), 400, "", permissions.ErrTarget, 0},
		{"target error", permissions.Unrestricted(), permissions.ProxyAPI, fixed(slack, &permissions.TargetError{Field: "Integration", Problem: "is odd"}), 400, "", permissions.ErrTarget, 0},
		{"own status", permissions.Unrestricted(), permissions.ProxyAPI, fixed(slack, &httpauth.Error{Status: 404, Err: boom}), 404, "", boom, 0},
		{"no status", permissions.Unrestricted(), permissions.ProxyAPI, fixed(slack, &httpauth.Error{Err: boom}), 500, "", boom, 0},
		{"status of a success", permissions.Unrestricted(), permissions.ProxyAPI, fixed(slack, &httpauth.Error{Status: 200, Err: boom}), 500, "", boom, 0},
		{"status beyond", permissions.Unrestricted(), permissions.ProxyAPI, fixed(slack, &httpauth.Error{Status: 600, Err: boom}), 500, "", boom, 0},
		{"another error", permissions.Unrestricted(), permissions.ProxyAPI, fixed(slack, boom), 500, "", boom, 0},
		{"empty action", permissions.Unrestricted(), "", fixed(slack, nil), 403, httpauth.CodeInsufficientScope, permissions.ErrTarget, 0},
		{"no function", permissions.Unrestricted(), permissions.ProxyAPI, nil, 403, httpauth.CodeInsufficientScope, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rec recorder
			request := kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "ann", c.policy)
			if c.status == 204 {
				var next somebody
				require.Equal(t, 204, serve(httpauth.New(kit.Verifier()).Require(c.action, c.target)(&next), request).StatusCode)
				require.Len(t, next.requests, 1)
				require.Equal(t, "ann", httpauth.Claims(next.requests[0].Context()).Subject)
				return
			}
			requireProblem(t, serve(httpauth.New(kit.Verifier()).Require(c.action, c.target)(nobody(t)), request), c.status, c.code)

			serve(httpauth.New(kit.Verifier(), rec.option()).Require(c.action, c.target)(nobody(t)), request)
			require.Len(t, rec.errors, 1)
			require.Equal(t, c.status, rec.errors[0].Status)
			if c.err != nil {
				require.ErrorIs(t, rec.errors[0], c.err)
			}
			if c.err == permissions.ErrDenied {
				var denied *permissions.DeniedError
				require.ErrorAs(t, rec.errors[0], &denied)
				require.Equal(t, c.reason, denied.Decision.Reason)
			}

			// The token comes first.
			requireProblem(t, serve(httpauth.New(kit.Verifier()).Require(c.action, c.target)(nobody(t)), httptest.NewRequest("GET", "/", nil)), 401, "")
		})
	}
}

func TestWriteError(t *testing.T) {
	kit := permissionstest.New(t)
	denial := proxySlack.Check(permissions.Events, permissions.Target{})
	require.ErrorIs(t, denial, permissions.ErrDenied)
	_, refusal := kit.Verifier().Verify("opaque")
	for _, c := range []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"denied", denial, 403, httpauth.CodeInsufficientScope},
		{"wrapped", errors.Join(errors.New("asked"), denial), 403, httpauth.CodeInsufficientScope},
		{"target", permissions.Target{CredentialID: "7"}.Validate(), 400, ""},
		{"action", proxySlack.Check("", permissions.Target{}), 403, httpauth.CodeInsufficientScope},
		{"token", refusal, 401, httpauth.CodeInvalidToken},
		{"no token", httpauth.ErrNoToken, 401, ""},
		{"authorization", httpauth.ErrAuthorization, 400, httpauth.CodeInvalidRequest},
		{"other", errors.New("the database is away"), 500, ""},
		{"nil", nil, 500, ""},
		{"own", &httpauth.Error{Status: 404}, 404, ""},
		{"nil own", (*httpauth.Error)(nil), 500, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Without a middleware, and behind one.
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "12345")
				httpauth.WriteError(w, r, c.err)
			})
			requireProblem(t, serve(h, httptest.NewRequest("GET", "/", nil)), c.status, c.code)
			r := kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "ann", proxySlack)
			resp := serve(httpauth.New(kit.Verifier()).Wrap(h), r)
			require.Empty(t, resp.Header.Get("Content-Length"))
			requireProblem(t, resp, c.status, c.code)

			// The middleware's own handler writes instead.
			var rec recorder
			resp = serve(httpauth.New(kit.Verifier(), rec.option()).Wrap(h), r)
			require.Equal(t, c.status, resp.StatusCode)
			require.Len(t, rec.errors, 1)
			if own := (*httpauth.Error)(nil); c.err != nil && !errors.As(c.err, &own) {
				require.ErrorIs(t, rec.errors[0], c.err)
			}
		})
	}
}

// An unusual status has a title all the same.
func TestUnusualStatus(t *testing.T) {
	w := httptest.NewRecorder()
	httpauth.WriteError(w, httptest.NewRequest("GET", "/", nil), &httpauth.Error{Status: 499})
	require.Equal(t, 499, w.Code)
	require.JSONEq(t, `{"type": "about:blank", "title": "499", "status": 499}`, w.Body.String())
}

// An error handler that only logs changes nothing.
func TestErrorHandlerGoesOn(t *testing.T) {
	kit := permissionstest.New(t)
	logged := 0
	auth := httpauth.New(kit.Verifier(), httpauth.WithErrorHandler(func(w http.ResponseWriter, r *http.Request, e *httpauth.Error) {
		logged++
		e.ServeHTTP(w, r)
	}))
	requireProblem(t, serve(auth.Wrap(nobody(t)), httptest.NewRequest("GET", "/", nil)), 401, "")
	require.Equal(t, 1, logged)

	// An Error is a handler of its own, whatever its status.
	requireProblem(t, serve(&httpauth.Error{Status: 403, Code: httpauth.CodeInsufficientScope}, httptest.NewRequest("GET", "/", nil)), 403, httpauth.CodeInsufficientScope)
	requireProblem(t, serve(&httpauth.Error{}, httptest.NewRequest("GET", "/", nil)), 500, "")
}

func TestErrorText(t *testing.T) {
	require.EqualError(t, &httpauth.Error{Status: 401, Err: httpauth.ErrNoToken}, "httpauth: 401: no bearer token")
	require.EqualError(t, &httpauth.Error{Status: 403, Code: httpauth.CodeInsufficientScope}, "httpauth: 403 insufficient_scope")
	require.ErrorIs(t, &httpauth.Error{Err: httpauth.ErrNoToken}, httpauth.ErrNoToken)
}

func TestObserver(t *testing.T) {
	kit := permissionstest.New(t)
	type asked struct {
		subject string
		trace   any
		action  permissions.Permission
		target  permissions.Target
		reason  permissions.Reason
	}
	var mu sync.Mutex
	var all []asked
	type traceKey struct{}
	auth := httpauth.New(kit.Verifier(), httpauth.WithObserver(
		func(ctx context.Context, action permissions.Permission, target permissions.Target, d permissions.Decision) {
			mu.Lock()
			defer mu.Unlock()
			all = append(all, asked{httpauth.Claims(ctx).Subject, ctx.Value(traceKey{}), action, target, d.Reason})
		}))
	slack := permissions.Target{Integration: "slack"}
	h := auth.Require(permissions.ProxyAPI, httpauth.Sources{Integration: httpauth.Path("integration")}.Target)(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			httpauth.Policy(r.Context()).Allowed(permissions.Events, permissions.Target{})
			httpauth.Claims(r.Context()).Policy.Allowed(permissions.Workflows, slack)
		}))
	get := func(subject, integration string) *http.Request {
		r := kit.Authorize(t, httptest.NewRequest("GET", "/", nil), subject, proxySlack)
		r.SetPathValue("integration", integration)
		return r.WithContext(context.WithValue(r.Context(), traceKey{}, "trace-"+subject))
	}
	serve(h, get("ann", "slack"))
	serve(h, get("bob", "jira"))
	serve(h, get("cy", "sl*ck"))
	serve(h, httptest.NewRequest("GET", "/", nil)) // nothing is asked
	require.Equal(t, []asked{
		{"ann", "trace-ann", permissions.ProxyAPI, slack, permissions.Granted},
		{"ann", "trace-ann", permissions.Events, permissions.Target{}, permissions.NoRule},
		{"ann", "trace-ann", permissions.Workflows, slack, permissions.NotGranted},
		{"bob", "trace-bob", permissions.ProxyAPI, permissions.Target{Integration: "jira"}, permissions.NoRule},
		{"cy", "trace-cy", permissions.ProxyAPI, permissions.Target{Integration: "sl*ck"}, permissions.InvalidQuestion},
	}, all)
}

// Options of nil are none, and the last one of a kind counts.
func TestOptions(t *testing.T) {
	kit := permissionstest.New(t)
	var rec recorder
	auth := httpauth.New(kit.Verifier(), rec.option(), nil, httpauth.WithErrorHandler(nil), httpauth.WithObserver(nil))
	requireProblem(t, serve(auth.Wrap(nobody(t)), httptest.NewRequest("GET", "/", nil)), 401, "")
	require.Empty(t, rec.errors)
	var next somebody
	serve(auth.Require(permissions.ProxyAPI, httpauth.Sources{Integration: httpauth.Literal("slack")}.Target)(&next),
		kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "ann", proxySlack))
	require.Len(t, next.requests, 1)
}

// Many requests share one middleware, each with its own claims.
func TestConcurrent(t *testing.T) {
	kit := permissionstest.New(t)
	auth := httpauth.New(kit.Verifier())
	h := auth.Require(permissions.ProxyAPI, httpauth.Sources{Integration: httpauth.Query("integration")}.Target)(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Subject", httpauth.Claims(r.Context()).Subject)
		}))
	var wg sync.WaitGroup
	for _, subject := range []string{"ann", "bob", "cy", "dee"} {
		token := kit.Token(t, subject, proxySlack)
		for range 25 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for integration, status := range map[string]int{"slack": 200, "github": 403, "": 400} {
					r := httptest.NewRequest("GET", "/?integration="+integration, nil)
					r.Header.Set("Authorization", "Bearer "+token)
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != status || status == 200 && w.Header().Get("Subject") != subject {
						t.Errorf("%s of %s: %d for %q", integration, subject, w.Code, w.Header().Get("Subject"))
					}
				}
			}()
		}
	}
	wg.Wait()
}
