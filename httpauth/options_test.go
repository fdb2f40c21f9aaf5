package httpauth_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// observations is an option that keeps what is observed.
func observations(to *[]permissions.Observation) httpauth.Option {
	return httpauth.WithObserver(func(_ context.Context, o permissions.Observation) { *to = append(*to, o) })
}

func TestWithCeiling(t *testing.T) {
	readOnly := permissions.MustParse(`{"integration:*": ["settings:read", "proxy-api"]}`)
	noProxy := permissions.MustParse(`{"integration:*": ["settings:read", "events"]}`)
	readOnlyCeiling := []*permissions.Policy{readOnly}
	for _, c := range []struct {
		name     string
		policy   *permissions.Policy
		ceilings []*permissions.Policy
		action   permissions.Permission
		reason   permissions.Reason
		deniedBy string
	}{
		{"both allow", proxySlack, readOnlyCeiling, permissions.ProxyAPI, permissions.ReasonGranted, ""},
		{"the token denies", proxySlack, readOnlyCeiling, permissions.SettingsRead,
			permissions.ReasonNotGranted, "token"},
		{"the ceiling denies", everything, readOnlyCeiling, permissions.Events,
			permissions.ReasonNotGranted, "ceiling"},
		{"both deny", proxySlack, readOnlyCeiling, permissions.Events, permissions.ReasonNotGranted, "token"},
		{"the ceiling denies what an unrestricted token allows", permissions.Unrestricted(), readOnlyCeiling,
			permissions.Events, permissions.ReasonNotGranted, "ceiling"},
		{"the second ceiling denies", everything, []*permissions.Policy{readOnly, noProxy}, permissions.ProxyAPI,
			permissions.ReasonNotGranted, "ceiling"},
		{"the first ceiling denies", everything, []*permissions.Policy{noProxy, readOnly}, permissions.ProxyAPI,
			permissions.ReasonNotGranted, "ceiling"},
		{"an unrestricted ceiling takes nothing away", everything, []*permissions.Policy{permissions.Unrestricted()},
			permissions.Events, permissions.ReasonGranted, ""},
		{"a nil ceiling denies", permissions.Unrestricted(), []*permissions.Policy{nil}, permissions.Events,
			permissions.ReasonNoPolicy, "ceiling"},
		{"a zero ceiling denies", permissions.Unrestricted(), []*permissions.Policy{{}}, permissions.Events,
			permissions.ReasonNoPolicy, "ceiling"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen []permissions.Observation
			var log logBook
			opts := []httpauth.Option{observations(&seen), log.option()}
			for _, ceiling := range c.ceilings {
				opts = append(opts, httpauth.WithCeiling(ceiling))
			}
			h := newAuth(opts...).Require(c.action, fixed(slack, nil))
			allowed := c.deniedBy == ""
			if allowed {
				require.Equal(t, 204, serve(h(&somebody{}), request(t, "ann", c.policy)).StatusCode)
				require.Empty(t, log.lines(t))
			} else {
				resp := serve(h(nobody(t)), request(t, "ann", c.policy))
				requireProblem(t, resp, 403, insufficientScope)
				require.Equal(t, c.deniedBy, log.only(t)["denied_by"])
				require.Equal(t, c.reason.String(), log.only(t)["reason"])
			}
			// The observer sees the question once, with the answer to it.
			require.Len(t, seen, 1)
			require.Equal(t, permissions.AskedAction, seen[0].Asked)
			require.Equal(t, c.action, seen[0].Action)
			require.Equal(t, slack, seen[0].Target)
			require.Equal(t, allowed, seen[0].Decision.Allowed)
			if !allowed {
				require.Equal(t, c.reason, seen[0].Decision.Reason)
			}
		})
	}
}

// A ceiling for each request, such as for the role that the subject has.
func TestWithCeilingFunc(t *testing.T) {
	readOnly := permissions.MustParse(`{"integration:*": ["settings:read"]}`)
	roles := map[string]*permissions.Policy{"admin": permissions.Unrestricted(), "viewer": readOnly}
	teapot := &httpauth.Error{Status: http.StatusTeapot}
	byRole := httpauth.WithCeilingFunc(func(r *http.Request, claims *usertoken.Claims) (*permissions.Policy, error) {
		switch claims.Subject {
		case "down":
			return everything, errDatabase
		case "teapot":
			return everything, teapot
		}
		_, ok := httpauth.FromContext(r.Context())
		require.False(t, ok, "the claims are not in the context yet")
		require.True(t, claims.Policy.Allowed(permissions.Events, slack), "the policy is that of the token")
		return roles[claims.Subject], nil
	})
	for _, c := range []struct {
		subject string
		status  int
		code    string
	}{
		{"admin", 204, ""},
		{"viewer", 403, insufficientScope},
		{"a subject without a role", 403, insufficientScope},
		{"down", 500, ""},
		{"teapot", 418, ""},
	} {
		t.Run(c.subject, func(t *testing.T) {
			var log logBook
			h := newAuth(byRole, log.option()).Require(permissions.Events, fixed(slack, nil))
			if c.status == 204 {
				require.Equal(t, 204, serve(h(&somebody{}), request(t, c.subject, everything)).StatusCode)
				return
			}
			requireProblem(t, serve(h(nobody(t)), request(t, c.subject, everything)), c.status, c.code)
			require.Equal(t, c.subject, log.only(t)["subject"])
		})
	}
	t.Run("nil", func(t *testing.T) {
		auth := newAuth(httpauth.WithCeilingFunc(nil))
		requireProblem(t, serve(auth.Wrap(nobody(t)), request(t, "ann", everything)), 500, "")
	})
	t.Run("policies that declare too much together", func(t *testing.T) {
		var names []permissions.Permission
		for i := range 60 {
			names = append(names, permissions.Permission(fmt.Sprintf("extra:%d", i)))
		}
		ceiling := func(names []permissions.Permission) httpauth.Option {
			return httpauth.WithCeiling(permissions.MustParse(`{}`, permissions.WithPermissions(names...)))
		}
		auth := newAuth(ceiling(names[:30]), ceiling(names[30:]))
		requireProblem(t, serve(auth.Wrap(nobody(t)), request(t, "ann", everything)), 500, "")
	})
}

// The ceiling can depend on the request, so a part of a batch has its own, though the token is the same.
func TestBatchPartsHaveTheirOwnCeiling(t *testing.T) {
	var seen []permissions.Observation
	verified, asked := 0, 0
	auth := newAuth(counter(&verified), observations(&seen), httpauth.WithCeilingFunc(
		func(r *http.Request, claims *usertoken.Claims) (*permissions.Policy, error) {
			asked++
			_, ok := httpauth.FromContext(r.Context())
			require.False(t, ok, "the claims are not in the context yet")
			require.True(t, claims.Policy.Allowed(permissions.Events, slack), "the policy is that of the token")
			switch r.URL.Path {
			case "/narrow":
				return proxySlack, nil
			case "/down":
				return nil, errDatabase
			}
			return permissions.Unrestricted(), nil
		}))
	route := auth.Require(permissions.Events, fixed(slack, nil))(&somebody{})
	for _, c := range []struct {
		batch, part string
		status      int
	}{
		{"/wide", "/wide", 204},
		{"/wide", "/narrow", 403},
		{"/narrow", "/wide", 204},
		{"/narrow", "/narrow", 403},
		{"/wide", "/down", 500},
	} {
		t.Run(c.batch+c.part, func(t *testing.T) {
			seen, verified, asked = nil, 0, 0
			var resp *http.Response
			batch := auth.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				part := httptest.NewRequest("GET", c.part, nil).WithContext(r.Context())
				part.Header = r.Header
				resp = serve(route, part)
			}))
			r := request(t, "ann", everything)
			r.URL.Path = c.batch
			serve(batch, r)
			require.Equal(t, c.status, resp.StatusCode)
			require.Equal(t, 1, verified)
			require.Equal(t, 2, asked)
			if c.status != 500 {
				require.Len(t, seen, 1, "a question is observed once")
			}
		})
	}
}

// A handler can ask for less than the token allows, and the observer still sees it.
func TestIntersectKeepsTheObserver(t *testing.T) {
	var seen []permissions.Observation
	auth := newAuth(observations(&seen))
	h := auth.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		policy, err := permissions.Intersect(httpauth.Policy(r.Context()), proxySlack)
		require.NoError(t, err)
		require.False(t, policy.Allowed(permissions.Events, slack))
	}))
	serve(h, request(t, "ann", everything))
	require.Len(t, seen, 1)
	require.Equal(t, permissions.ReasonNotGranted, seen[0].Decision.Reason)
}

func TestWithCheck(t *testing.T) {
	wrapped := fmt.Errorf("%w: logged out", httpauth.ErrRevoked)
	for _, c := range []struct {
		name   string
		check  func(context.Context, *usertoken.Claims) error
		status int
		code   string
		reason string
	}{
		{"passes", func(context.Context, *usertoken.Claims) error { return nil }, 204, "", ""},
		{"revoked", func(context.Context, *usertoken.Claims) error { return httpauth.ErrRevoked }, 401,
			invalidToken, "token_revoked"},
		{"revoked, with a reason", func(context.Context, *usertoken.Claims) error { return wrapped }, 401,
			invalidToken, "token_revoked"},
		{"refused", func(context.Context, *usertoken.Claims) error { return usertoken.ErrToken }, 401,
			invalidToken, "token_refused"},
		{"fails", func(context.Context, *usertoken.Claims) error { return errDatabase }, 503, "", "error"},
		{"fails with a denial", func(context.Context, *usertoken.Claims) error { return permissions.ErrDenied }, 503,
			"", "denied"},
		{"own answer", func(context.Context, *usertoken.Claims) error { return &httpauth.Error{Status: 429} }, 429,
			"", "error"},
		{"nil", nil, 503, "", "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log logBook
			auth := newAuth(httpauth.WithCheck(c.check), log.option())
			r := request(t, "ann", everything)
			kit.Authorize(t, r, "ann", everything, usertoken.WithTokenID("token-7"))
			if c.status == 204 {
				require.Equal(t, 204, serve(auth.Wrap(&somebody{}), r).StatusCode)
				return
			}
			requireProblem(t, serve(auth.Wrap(nobody(t)), r), c.status, c.code)
			line := log.only(t)
			require.Equal(t, c.reason, line["reason"])
			require.Equal(t, "ann", line["subject"])
			require.Equal(t, "token-7", line["token_id"])
		})
	}
}

func TestWithCheckGetsTheClaims(t *testing.T) {
	type traceKey struct{}
	revoked := map[string]bool{"token-7": true}
	checked := 0
	auth := newAuth(httpauth.WithCheck(func(ctx context.Context, claims *usertoken.Claims) error {
		checked++
		require.Equal(t, "trace", ctx.Value(traceKey{}), "the context is that of the request")
		_, ok := httpauth.FromContext(ctx)
		require.False(t, ok, "the claims are not in the context yet")
		if revoked[claims.ID] || claims.Subject == "leaver" {
			return httpauth.ErrRevoked
		}
		return nil
	}))
	h := auth.Wrap(auth.Wrap(&somebody{})) // the check is not repeated
	for _, c := range []struct {
		subject, id string
		status      int
	}{
		{"ann", "token-6", 204},
		{"ann", "token-7", 401},
		{"leaver", "token-8", 401},
	} {
		checked = 0
		r := kit.Authorize(t, httptest.NewRequest("GET", "/", nil), c.subject, everything, usertoken.WithTokenID(c.id))
		r = r.WithContext(context.WithValue(r.Context(), traceKey{}, "trace"))
		require.Equal(t, c.status, serve(h, r).StatusCode)
		require.Equal(t, 1, checked)
	}

	// A token that does not verify is not checked, and every check must pass.
	checked = 0
	require.Equal(t, 401, serve(h, httptest.NewRequest("GET", "/", nil)).StatusCode)
	require.Zero(t, checked)
	refuse := httpauth.WithCheck(func(context.Context, *usertoken.Claims) error { return httpauth.ErrRevoked })
	pass := httpauth.WithCheck(func(context.Context, *usertoken.Claims) error { return nil })
	for _, opts := range [][]httpauth.Option{{refuse, pass}, {pass, refuse}} {
		auth := newAuth(opts...)
		require.Equal(t, 401, serve(auth.Wrap(nobody(t)), request(t, "ann", everything)).StatusCode)
	}
}

func TestWithObserver(t *testing.T) {
	type traceKey struct{}
	type seen struct {
		subject string
		trace   any
		permissions.Observation
	}
	var all, second []seen
	keep := func(to *[]seen) httpauth.Option {
		return httpauth.WithObserver(func(ctx context.Context, o permissions.Observation) {
			*to = append(*to, seen{httpauth.Claims(ctx).Subject, ctx.Value(traceKey{}), o})
		})
	}
	auth := newAuth(keep(&all), keep(&second))
	h := auth.Require(permissions.ProxyAPI, httpauth.Sources{Integration: httpauth.Path("integration")}.Target)(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			policy := httpauth.Policy(r.Context())
			policy.Allowed(permissions.Events, permissions.User())
			httpauth.Claims(r.Context()).Policy.Allowed(permissions.Workflows, slack)
			policy.Permissions(slack)
			policy.Visible(slack)
			policy.SelectCredentials(permissions.ProxyAPI, permissions.Integration("slack"))
		}))
	get := func(subject, integration string) *http.Request {
		r := request(t, subject, proxySlack)
		r.SetPathValue("integration", integration)
		return r.WithContext(context.WithValue(r.Context(), traceKey{}, "trace-"+subject))
	}
	serve(h, get("ann", "slack"))
	serve(h, get("ben", "jira"))
	serve(h, get("cy", "sl*ck"))
	serve(h, get("dee", "%38"))
	serve(h, httptest.NewRequest("GET", "/", nil)) // nothing is asked

	type line struct {
		subject string
		asked   permissions.Asked
		action  permissions.Permission
		target  permissions.Target
		reason  permissions.Reason
	}
	var got []line
	for _, s := range all {
		require.Equal(t, "trace-"+s.subject, s.trace)
		got = append(got, line{s.subject, s.Asked, s.Action, s.Target, s.Decision.Reason})
	}
	invalid := permissions.ReasonInvalidQuestion
	require.Equal(t, []line{
		{"ann", permissions.AskedAction, permissions.ProxyAPI, slack, permissions.ReasonGranted},
		{"ann", permissions.AskedAction, permissions.Events, permissions.User(), permissions.ReasonNoRule},
		{"ann", permissions.AskedAction, permissions.Workflows, slack, permissions.ReasonNotGranted},
		{"ann", permissions.AskedPermissions, "", slack, 0},
		{"ann", permissions.AskedVisible, "", slack, 0},
		{"ann", permissions.AskedSelection, permissions.ProxyAPI, slack, 0},
		{"ben", permissions.AskedAction, permissions.ProxyAPI, permissions.Integration("jira"),
			permissions.ReasonNoRule},
		{"cy", permissions.AskedAction, permissions.ProxyAPI, permissions.Integration("sl*ck"), invalid},
		{"dee", permissions.AskedAction, permissions.ProxyAPI, permissions.Target{}, invalid},
	}, got)
	require.Equal(t, all, second)

	t.Run("an error that is not about the question is not observed", func(t *testing.T) {
		all = nil
		serve(auth.Require(permissions.ProxyAPI, fixed(slack, errDatabase))(nobody(t)), get("ann", "slack"))
		require.Empty(t, all)
	})
	t.Run("a target that is good beside an error is not observed as asked", func(t *testing.T) {
		all = nil
		err := &permissions.QuestionError{Problem: "is odd"}
		serve(auth.Require(permissions.ProxyAPI, fixed(slack, err))(nobody(t)), get("ann", "slack"))
		require.Len(t, all, 1)
		require.Equal(t, invalid, all[0].Decision.Reason)
	})
}

func TestWithVerificationObserver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type seen struct {
			subject string
			took    time.Duration
			err     error
		}
		var all, second []seen
		keep := func(to *[]seen) httpauth.Option {
			return httpauth.WithVerificationObserver(func(ctx context.Context, took time.Duration, err error) {
				*to = append(*to, seen{httpauth.Claims(ctx).Subject, took, err})
			})
		}
		slow := httpauth.WithCheck(func(_ context.Context, claims *usertoken.Claims) error {
			time.Sleep(3 * time.Second)
			if claims.Subject == "leaver" {
				return httpauth.ErrRevoked
			}
			return nil
		})
		auth := newAuth(keep(&all), keep(&second), slow)
		garbage := httptest.NewRequest("GET", "/", nil)
		garbage.Header.Set("Authorization", "Bearer garbage")
		twice := request(t, "ann", proxySlack)
		twice.Header.Add("Authorization", "Bearer garbage")
		for _, c := range []struct {
			name string
			r    *http.Request
			want seen
		}{
			{"accepted", request(t, "ann", proxySlack), seen{"ann", 3 * time.Second, nil}},
			{"revoked", request(t, "leaver", proxySlack), seen{"", 3 * time.Second, httpauth.ErrRevoked}},
			{"refused", garbage, seen{"", 0, jwt.ErrTokenMalformed}},
			{"no token", httptest.NewRequest("GET", "/", nil), seen{"", 0, httpauth.ErrNoToken}},
			{"two tokens", twice, seen{"", 0, httpauth.ErrAuthorization}},
		} {
			all, second = nil, nil
			serve(auth.Wrap(&somebody{}), c.r)
			require.Len(t, all, 1, c.name)
			require.Equal(t, all, second, c.name)
			require.Equal(t, c.want.subject, all[0].subject, c.name)
			require.Equal(t, c.want.took, all[0].took, c.name)
			if c.want.err == nil {
				require.NoError(t, all[0].err, c.name)
			} else {
				require.ErrorIs(t, all[0].err, c.want.err, c.name)
			}
		}
	})
	t.Run("key source down", func(t *testing.T) {
		var got error
		auth := httpauth.New(downVerifier(t, errDatabase), httpauth.WithVerificationObserver(
			func(_ context.Context, _ time.Duration, err error) { got = err }))
		serve(auth.Wrap(nobody(t)), request(t, "ann", proxySlack))
		require.ErrorIs(t, got, usertoken.ErrKeys)
	})
}

// A middleware that only reports lets every request pass, and logs what it would refuse.
func TestReportOnly(t *testing.T) {
	for _, c := range []struct {
		name   string
		r      *http.Request
		target httpauth.TargetFunc
		claims bool
		want   map[string]any // of the line
	}{
		{"allowed", request(t, "ann", everything), fixed(slack, nil), true, nil},
		{"denied", request(t, "ann", nothing), fixed(slack, nil), true,
			map[string]any{"status": 403., "reason": "no_rule", "subject": "ann", "action": "events"}},
		{"invalid question", request(t, "ann", everything), fixed(permissions.Integration(""), nil), true,
			map[string]any{"status": 400., "reason": "invalid_question", "subject": "ann"}},
		{"error of the target", request(t, "ann", everything), fixed(slack, errDatabase), true,
			map[string]any{"status": 500., "reason": "error", "subject": "ann"}},
		{"no target", request(t, "ann", everything), nil, true, map[string]any{"status": 403., "reason": "error"}},
		{"no token", httptest.NewRequest("GET", "/", nil), fixed(slack, nil), false,
			map[string]any{"status": 401., "reason": "no_token"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log logBook
			var next somebody
			var rec recorder
			auth := newAuth(httpauth.ReportOnly(), log.option(), rec.option())
			resp := serve(auth.Require(permissions.Events, c.target)(&next), c.r)
			require.Equal(t, 204, resp.StatusCode)
			require.Empty(t, resp.Header)
			require.Len(t, next.requests, 1)
			require.Empty(t, rec.errors)
			_, ok := httpauth.FromContext(next.requests[0].Context())
			require.Equal(t, c.claims, ok)
			if c.want == nil {
				require.Empty(t, log.lines(t))
				return
			}
			line := log.only(t)
			require.Equal(t, true, line["report_only"])
			require.Equal(t, "request would be refused", line["msg"])
			for key, value := range c.want {
				require.Equal(t, value, line[key], key)
			}
		})
	}
}

func TestReportOnlyObserves(t *testing.T) {
	var seen []permissions.Observation
	auth := newAuth(append(reportOnly, observations(&seen))...)
	serve(auth.Require(permissions.Events, fixed(slack, nil))(&somebody{}), request(t, "ann", nothing))
	require.Len(t, seen, 1)
	require.False(t, seen[0].Decision.Allowed)
}

func TestReportOnlyGuard(t *testing.T) {
	var log logBook
	auth := newAuth(httpauth.ReportOnly(), log.option())
	var used *row
	h := httpauth.Guard(auth, permissions.ProxyAPI, load, func(w http.ResponseWriter, _ *http.Request, object *row) {
		used = object
		w.WriteHeader(204)
	})
	require.Equal(t, 204, serve(h, get(t, nothing, annsID)).StatusCode)
	require.Same(t, rows[annsID], used)
	require.Equal(t, 404., log.only(t)["status"])
	require.Equal(t, true, log.only(t)["report_only"])

	t.Run("no token", func(t *testing.T) {
		log.Reset()
		used = nil
		r := httptest.NewRequest("GET", "/", nil)
		r.SetPathValue("id", annsID)
		require.Equal(t, 204, serve(h, r).StatusCode)
		require.Same(t, rows[annsID], used)
		require.Equal(t, "no_token", log.only(t)["reason"])
	})
	t.Run("there is no object", func(t *testing.T) {
		log.Reset()
		used = nil
		requireProblem(t, serve(h, get(t, everything, "another")), 404, "")
		require.Nil(t, used)
		require.Equal(t, true, log.only(t)["report_only"])
	})
}

// A handler that asks for itself decides for itself.
func TestReportOnlyHandlerDecides(t *testing.T) {
	var log logBook
	auth := newAuth(httpauth.ReportOnly(), log.option())
	h := auth.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpauth.WriteError(w, r, httpauth.Policy(r.Context()).Check(permissions.Events, slack))
	}))
	requireProblem(t, serve(h, httptest.NewRequest("GET", "/", nil)), 403, insufficientScope)
	lines := log.lines(t)
	require.Len(t, lines, 2)
	require.Equal(t, "request would be refused", lines[0]["msg"])
	require.Equal(t, "request refused", lines[1]["msg"])
	for _, line := range lines {
		require.Equal(t, true, line["report_only"])
	}
}

// A refused token leaves nothing of the claims that an outer middleware put into the context.
func TestReportOnlyKeepsNoOtherIdentity(t *testing.T) {
	outer := newAuth()
	inner := newAuth(reportOnly...)
	var next somebody
	h := outer.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		part := httptest.NewRequest("GET", "/", nil).WithContext(r.Context())
		part.Header.Set("Authorization", "Bearer garbage")
		inner.Wrap(&next).ServeHTTP(w, part)
	}))
	serve(h, request(t, "ann", everything))
	_, ok := httpauth.FromContext(next.requests[0].Context())
	require.False(t, ok)
}

// A middleware reports only if it was told to, and to whom.
func TestNothingReportsOnlyByDefault(t *testing.T) {
	for name, auth := range map[string]*httpauth.Middleware{
		"New":              newAuth(),
		"without a logger": newAuth(httpauth.ReportOnly()),
		"with a nil one":   newAuth(httpauth.ReportOnly(), httpauth.WithLogger(nil)),
		"zero":             new(httpauth.Middleware),
	} {
		t.Run(name, func(t *testing.T) {
			resp := serve(auth.Require(permissions.Events, fixed(slack, nil))(nobody(t)), request(t, "ann", nothing))
			require.GreaterOrEqual(t, resp.StatusCode, 400)
		})
	}
}

// A part of a batch has a ceiling of its own. That of the batch stays.
func TestCeilingOfAPartIsItsOwn(t *testing.T) {
	auth := newAuth(httpauth.WithCeilingFunc(func(r *http.Request, _ *usertoken.Claims) (*permissions.Policy, error) {
		if r.URL.Path == "/narrow" {
			return proxySlack, nil
		}
		return permissions.Unrestricted(), nil
	}))
	r := request(t, "ann", everything)
	r.URL.Path = "/narrow"
	serve(auth.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		part := httptest.NewRequest("GET", "/wide", nil).WithContext(r.Context())
		part.Header = r.Header
		var next somebody
		require.Equal(t, 204, serve(auth.Wrap(&next), part).StatusCode)
		require.True(t, httpauth.Policy(next.requests[0].Context()).Allowed(permissions.Events, slack))
		require.False(t, httpauth.Policy(r.Context()).Allowed(permissions.Events, slack))
	})), r)
}

func TestReportOnlyReportsItsCeiling(t *testing.T) {
	var log logBook
	auth := newAuth(log.option(), httpauth.ReportOnly(), httpauth.WithCeiling(nothing))
	h := auth.Require(permissions.Events, fixed(slack, nil))(&somebody{})
	require.Equal(t, 204, serve(h, request(t, "ann", everything)).StatusCode)
	require.Equal(t, "ceiling", log.only(t)["denied_by"])
}

// A token that a check or a ceiling refuses leaves no claims, although it is genuine.
func TestReportOnlyOfATokenThatTheServiceRefuses(t *testing.T) {
	for name, opt := range map[string]httpauth.Option{
		"a check": httpauth.WithCheck(func(context.Context, *usertoken.Claims) error { return httpauth.ErrRevoked }),
		"a ceiling": httpauth.WithCeilingFunc(func(*http.Request, *usertoken.Claims) (*permissions.Policy, error) {
			return everything, errDatabase
		}),
	} {
		t.Run(name, func(t *testing.T) {
			var next somebody
			serve(newAuth(append(reportOnly, opt)...).Wrap(&next), request(t, "ann", everything))
			_, ok := httpauth.FromContext(next.requests[0].Context())
			require.False(t, ok)
			require.False(t, httpauth.Policy(next.requests[0].Context()).Allowed(permissions.Events, slack))
		})
	}
}

func TestLaterTokenFromOverrides(t *testing.T) {
	from := func(token string) httpauth.Option {
		return httpauth.WithTokenFrom(func(*http.Request) (string, error) { return token, nil })
	}
	auth := newAuth(from("garbage"), from(kit.Token(t, "ann", everything)))
	require.Equal(t, 204, serve(auth.Wrap(&somebody{}), httptest.NewRequest("GET", "/", nil)).StatusCode)
}

// What an observer gets as the time of a verification has the ceilings in it.
func TestVerificationObserverCountsTheCeilings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var took time.Duration
		observe := httpauth.WithVerificationObserver(func(_ context.Context, d time.Duration, _ error) { took = d })
		slow := httpauth.WithCeilingFunc(func(*http.Request, *usertoken.Claims) (*permissions.Policy, error) {
			time.Sleep(5 * time.Second)
			return everything, nil
		})
		serve(newAuth(observe, slow).Wrap(&somebody{}), request(t, "ann", everything))
		require.Equal(t, 5*time.Second, took)
	})
}
