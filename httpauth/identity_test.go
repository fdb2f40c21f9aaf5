package httpauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

// counter is an option that counts verifications.
func counter(n *int) httpauth.Option {
	return httpauth.WithVerificationObserver(func(context.Context, time.Duration, error) { *n++ })
}

// A handler splits a batch into parts, which all have the context of the batch. Each part is answered by
// its own token.
func TestBatchPartsHaveTheirOwnIdentity(t *testing.T) {
	anns := "Bearer " + kit.Token(t, "ann", proxySlack)
	expired := "Bearer " + kit.BadToken(t, permissionstest.FlawExpired, "ann", everything)
	forged := "Bearer " + kit.BadToken(t, permissionstest.FlawSignature, "ann", proxySlack)
	for _, c := range []struct {
		name    string
		header  []string
		status  int
		code    string
		subject string
		checked int // verifications, that of the batch among them
	}{
		{"the same token", []string{anns}, 204, "", "ann", 1},
		{"another token of the same user", []string{"Bearer " + kit.Token(t, "ann", everything)}, 204, "", "ann", 2},
		{"the token of another", []string{"Bearer " + kit.Token(t, "ben", everything)}, 204, "", "ben", 2},
		{"the token of another who may not", []string{"Bearer " + kit.Token(t, "ben", nothing)}, 403,
			insufficientScope, "ben", 2},
		{"garbage", []string{"Bearer garbage"}, 401, invalidToken, "", 2},
		{"no token", nil, 401, "", "", 2},
		{"an empty header", []string{""}, 401, "", "", 2},
		{"two tokens", []string{anns, anns}, 400, invalidRequest, "", 2},
		{"an expired token", []string{expired}, 401, invalidToken, "", 2},
		{"the token with another signature", []string{forged}, 401, invalidToken, "", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rec recorder
			var log logBook
			var part somebody
			checked := 0
			auth := newAuth(rec.option(), log.option(), counter(&checked))
			route := auth.Require(permissions.ProxyAPI, fixed(slack, nil))(&part)
			var resp *http.Response
			batch := auth.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				partRequest := httptest.NewRequest("POST", "/part", nil).WithContext(r.Context())
				if c.header != nil {
					partRequest.Header["Authorization"] = c.header
				}
				resp = serve(route, partRequest)
			}))
			r := httptest.NewRequest("POST", "/batch", nil)
			r.Header.Set("Authorization", anns)
			serve(batch, r)

			require.Equal(t, c.status, resp.StatusCode)
			require.Equal(t, c.checked, checked)
			if c.status == 204 {
				require.Equal(t, c.subject, httpauth.Claims(part.requests[0].Context()).Subject)
				return
			}
			require.Empty(t, part.requests)
			require.Equal(t, c.code, rec.errors[0].Code)
			claims, ok := httpauth.FromContext(rec.requests[0].Context())
			require.Equal(t, c.subject != "", ok)
			require.Equal(t, c.subject, claims.Subject)
			if c.subject == "" {
				require.NotContains(t, log.only(t), "subject")
			} else {
				require.Equal(t, c.subject, log.only(t)["subject"])
			}
		})
	}
}

func TestTokenSwappedBetweenTwoMiddlewares(t *testing.T) {
	auth := newAuth()
	swap := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(w, kit.Authorize(t, r, "ben", nothing))
		})
	}
	h := auth.Wrap(swap(auth.Require(permissions.ProxyAPI, fixed(slack, nil))(nobody(t))))
	requireProblem(t, serve(h, request(t, "ann", everything)), 403, insufficientScope)

	strip := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Authorization")
			next.ServeHTTP(w, r)
		})
	}
	h = auth.Wrap(strip(auth.Require(permissions.ProxyAPI, fixed(slack, nil))(nobody(t))))
	requireProblem(t, serve(h, request(t, "ann", everything)), 401, "")
}

// The claims in a context are verified again when they have run out.
func TestExpiredBetweenTwoMiddlewares(t *testing.T) {
	now := time.Now()
	kit := permissionstest.New(t, usertoken.WithClock(func() time.Time { return now }))
	var rec recorder
	auth := httpauth.New(kit.Verifier(), rec.option())
	later := func(after time.Duration, next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			now = now.Add(after)
			next.ServeHTTP(w, r)
		})
	}
	r := kit.Authorize(t, httptest.NewRequest("GET", "/", nil), "ann", everything)
	require.Equal(t, 204, serve(auth.Wrap(later(time.Minute, auth.Wrap(&somebody{}))), r).StatusCode)
	require.Equal(t, 401, serve(auth.Wrap(later(24*time.Hour, auth.Wrap(nobody(t)))), r).StatusCode)
	require.ErrorIs(t, rec.errors[0], jwt.ErrTokenExpired)
}

func TestOneRequestIsVerifiedOnce(t *testing.T) {
	checked := 0
	auth := newAuth(counter(&checked))
	var next somebody
	h := auth.Wrap(auth.Require(permissions.ProxyAPI, fixed(slack, nil))(auth.Wrap(&next)))
	serve(h, request(t, "ann", proxySlack))
	require.Len(t, next.requests, 1)
	require.Equal(t, 1, checked)
}

// A token that one verifier accepts means nothing to another.
func TestTwoMiddlewares(t *testing.T) {
	other := permissionstest.New(t)
	outer := newAuth()
	r := request(t, "ann", proxySlack)
	requireProblem(t, serve(outer.Wrap(httpauth.New(other.Verifier()).Wrap(nobody(t))), r), 401, invalidToken)

	// The verifier is the same, and the ceiling is not.
	inner := newAuth(httpauth.WithCeiling(nothing))
	h := outer.Wrap(inner.Require(permissions.ProxyAPI, fixed(slack, nil))(nobody(t)))
	requireProblem(t, serve(h, r), 403, insufficientScope)
}

// What one middleware does not allow, another one inside of it does not allow either.
func TestCeilingHoldsInside(t *testing.T) {
	slackOnly := permissions.MustParse(`{"integration:slack": true}`)
	require200 := func(t *testing.T, h func(http.Handler) http.Handler) {
		t.Helper()
		require.Equal(t, 204, serve(h(&somebody{}), request(t, "ann", everything)).StatusCode)
	}
	require403 := func(t *testing.T, h func(http.Handler) http.Handler) {
		t.Helper()
		requireProblem(t, serve(h(nobody(t)), request(t, "ann", everything)), 403, insufficientScope)
	}
	asks := func(m *httpauth.Middleware, integration string) func(http.Handler) http.Handler {
		return m.Require(permissions.Events, fixed(permissions.Integration(integration), nil))
	}
	for _, c := range []struct {
		name    string
		between func(http.Handler) http.Handler
	}{
		{"directly", func(next http.Handler) http.Handler { return next }},
		{"with another middleware between them", newAuth().Wrap},
		{"with a report-only middleware between them", newAuth(reportOnly...).Wrap},
		{"with a report-only middleware that accepts no token between them",
			httpauth.New(nil, reportOnly...).Wrap},
		{"with a report-only middleware between them whose check refuses",
			newAuth(append(reportOnly, httpauth.WithCheck(func(context.Context, *usertoken.Claims) error {
				return httpauth.ErrRevoked
			}))...).Wrap},
		{"with another middleware and other claims between them", func(next http.Handler) http.Handler {
			return newAuth().Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				admin := &usertoken.Claims{Policy: everything}
				next.ServeHTTP(w, r.WithContext(httpauth.NewContext(r.Context(), admin)))
			}))
		}},
		{"with other claims between them", func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				admin := &usertoken.Claims{Policy: everything}
				next.ServeHTTP(w, r.WithContext(httpauth.NewContext(r.Context(), admin)))
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, inner := range []*httpauth.Middleware{
				newAuth(), newAuth(httpauth.WithCeiling(everything)),
			} {
				outer := newAuth(httpauth.WithCeiling(slackOnly))
				inside := func(integration string) func(http.Handler) http.Handler {
					return func(next http.Handler) http.Handler {
						return outer.Wrap(c.between(inner.Wrap(asks(inner, integration)(next))))
					}
				}
				require200(t, inside("slack"))
				require403(t, inside("jira"))
			}
		})
	}
	t.Run("and the log says so", func(t *testing.T) {
		for _, opts := range [][]httpauth.Option{nil, {httpauth.WithCeiling(everything)}} {
			var log logBook
			outer, inner := newAuth(httpauth.WithCeiling(slackOnly)), newAuth(append(opts, log.option())...)
			require403(t, func(next http.Handler) http.Handler { return outer.Wrap(asks(inner, "jira")(next)) })
			lines := log.lines(t)
			require.Len(t, lines, 1)
			require.Equal(t, "ceiling", lines[0]["denied_by"])
		}
	})
	t.Run("not of a report-only middleware", func(t *testing.T) {
		outer, inner := newAuth(append(reportOnly, httpauth.WithCeiling(nothing))...), newAuth()
		require200(t, func(next http.Handler) http.Handler { return outer.Wrap(asks(inner, "jira")(next)) })
	})
	t.Run("and once only for the same middleware", func(t *testing.T) {
		m := newAuth(httpauth.WithCeiling(slackOnly))
		var next somebody
		serve(m.Wrap(m.Wrap(&next)), request(t, "ann", everything))
		require.Len(t, httpauth.Policy(next.requests[0].Context()).Parts(), 2)
	})
}

func TestClaimsOfOtherTransportsAreNotTrusted(t *testing.T) {
	admin, err := kit.Verifier().Verify(kit.Token(t, "admin", everything))
	require.NoError(t, err)
	auth := newAuth()
	protected := auth.Require(permissions.Events, fixed(slack, nil))(nobody(t))

	t.Run("no token", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/", nil)
		r = r.WithContext(httpauth.NewContext(r.Context(), admin))
		requireProblem(t, serve(protected, r), 401, "")
	})
	t.Run("the token of another", func(t *testing.T) {
		r := request(t, "ann", proxySlack)
		r = r.WithContext(httpauth.NewContext(r.Context(), admin))
		requireProblem(t, serve(protected, r), 403, insufficientScope)
	})
	t.Run("inside of the middleware", func(t *testing.T) {
		raise := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			protected.ServeHTTP(w, r.WithContext(httpauth.NewContext(r.Context(), admin)))
		})
		requireProblem(t, serve(auth.Wrap(raise), request(t, "ann", proxySlack)), 403, insufficientScope)
	})
}

func TestClaimsInContext(t *testing.T) {
	var next somebody
	h := newAuth(nil).Wrap(&next)
	serve(h, request(t, "ann", proxySlack))
	require.Len(t, next.requests, 1)
	ctx := next.requests[0].Context()
	claims, ok := httpauth.FromContext(ctx)
	require.True(t, ok)
	require.Equal(t, "ann", claims.Subject)
	require.Same(t, claims, httpauth.Claims(ctx))
	require.Same(t, claims.Policy, httpauth.Policy(ctx))
	require.NoError(t, claims.Valid())
	require.True(t, httpauth.Policy(ctx).Allowed(permissions.ProxyAPI, slack))
	require.False(t, httpauth.Policy(ctx).Allowed(permissions.Events, slack))

	serve(h, request(t, "ben", permissions.Unrestricted()))
	require.True(t, httpauth.Policy(next.requests[1].Context()).IsUnrestricted())
}

func TestNoClaimsInContext(t *testing.T) {
	for name, ctx := range map[string]context.Context{
		"no middleware": context.Background(),
		"nil claims":    httpauth.NewContext(context.Background(), nil),
		"nil claims over others": httpauth.NewContext(
			httpauth.NewContext(context.Background(), &usertoken.Claims{Policy: everything}), nil),
		"claims without a policy": httpauth.NewContext(context.Background(), new(usertoken.Claims)),
	} {
		t.Run(name, func(t *testing.T) {
			claims, ok := httpauth.FromContext(ctx)
			require.Equal(t, name == "claims without a policy", ok)
			require.NotNil(t, claims)
			require.NotNil(t, httpauth.Claims(ctx))
			require.Empty(t, httpauth.Claims(ctx).Subject)
			require.False(t, httpauth.Claims(ctx).Policy.Allowed(permissions.Events, permissions.User()))

			p := httpauth.Policy(ctx)
			require.NotNil(t, p)
			d := p.Decide(permissions.Events, permissions.User())
			require.Equal(t, permissions.Decision{Reason: permissions.ReasonNoPolicy}, d)
			require.False(t, p.IsUnrestricted())
		})
	}
}

func TestNewContext(t *testing.T) {
	claims, err := kit.Verifier().Verify(kit.Token(t, "ann", proxySlack))
	require.NoError(t, err)
	ctx := httpauth.NewContext(context.Background(), claims)
	got, ok := httpauth.FromContext(ctx)
	require.True(t, ok)
	require.Same(t, claims, got)
	require.True(t, httpauth.Policy(ctx).Allowed(permissions.ProxyAPI, slack))

	// The middleware of the request still answers errors.
	var rec recorder
	h := newAuth(rec.option()).Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		httpauth.WriteError(w, r.WithContext(httpauth.NewContext(r.Context(), claims)), httpauth.ErrNotFound)
	}))
	serve(h, request(t, "ben", proxySlack))
	require.Len(t, rec.errors, 1)
}

func TestZeroMiddlewareLetsNobodyPass(t *testing.T) {
	for name, auth := range map[string]*httpauth.Middleware{
		"nil":          nil,
		"zero":         new(httpauth.Middleware),
		"nil verifier": httpauth.New(nil, nil),
	} {
		t.Run(name, func(t *testing.T) {
			load := func(*http.Request) (permissions.Target, int, error) { return permissions.User(), 0, nil }
			guarded := httpauth.Guard(auth, permissions.Events, load, func(http.ResponseWriter, *http.Request, int) {
				t.Error("the request was let through")
			})
			for _, h := range []http.Handler{
				auth.Wrap(nobody(t)),
				auth.Require(permissions.Events, httpauth.Sources{}.Target)(nobody(t)),
				guarded,
			} {
				requireProblem(t, serve(h, request(t, "ann", permissions.Unrestricted())), 401, invalidToken)
				requireProblem(t, serve(h, httptest.NewRequest("GET", "/", nil)), 401, "")
			}
		})
	}
}

// Nobody can tell whether a token is good while the key source is down.
func TestKeySourceDown(t *testing.T) {
	down := errors.New("connection refused")
	var rec recorder
	var log logBook
	r := request(t, "ann", everything)
	requireProblem(t, serve(httpauth.New(downVerifier(t, down)).Wrap(nobody(t)), r), 503, "")

	serve(httpauth.New(downVerifier(t, down), rec.option(), log.option()).Wrap(nobody(t)), r)
	require.ErrorIs(t, rec.errors[0], usertoken.ErrKeys)
	require.ErrorIs(t, rec.errors[0], down)
	require.Equal(t, "keys_unavailable", log.only(t)["reason"])
	require.Equal(t, "ERROR", log.only(t)["level"])

	t.Run("the key source gets the context of the request", func(t *testing.T) {
		type key struct{}
		var seen any
		verifier, err := usertoken.NewVerifier(permissionstest.ProjectID, nil, usertoken.WithKeySource(
			func(ctx context.Context, _ *jwt.Token) (any, error) { seen = ctx.Value(key{}); return nil, down }))
		require.NoError(t, err)
		serve(httpauth.New(verifier).Wrap(nobody(t)), r.WithContext(context.WithValue(r.Context(), key{}, "trace")))
		require.Equal(t, "trace", seen)
	})
	t.Run("an earlier Retry-After is kept", func(t *testing.T) {
		w := httptest.NewRecorder()
		w.Header().Set("Retry-After", "60")
		httpauth.New(downVerifier(t, down)).Wrap(nobody(t)).ServeHTTP(w, r)
		require.Equal(t, []string{"60"}, w.Result().Header.Values("Retry-After"))
	})
}

// Many requests share one middleware, each with its own claims.
func TestConcurrentRequests(t *testing.T) {
	auth := newAuth(httpauth.WithObserver(func(context.Context, permissions.Observation) {}))
	h := auth.Require(permissions.ProxyAPI, httpauth.Sources{Integration: httpauth.Query("integration")}.Target)(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Subject", httpauth.Claims(r.Context()).Subject)
		}))
	var wg sync.WaitGroup
	for _, subject := range []string{"ann", "ben", "cy", "dee"} {
		token := kit.Token(t, subject, proxySlack)
		for range 25 {
			wg.Go(func() {
				for integration, status := range map[string]int{"slack": 200, "github": 403, "": 400} {
					r := httptest.NewRequest("GET", "/?integration="+integration, nil)
					r.Header.Set("Authorization", "Bearer "+token)
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if w.Code != status || status == 200 && w.Header().Get("Subject") != subject {
						t.Errorf("%s of %s: %d for %q", integration, subject, w.Code, w.Header().Get("Subject"))
					}
				}
			})
		}
	}
	wg.Wait()
}

// The observer of a second middleware gets the context that came to that one.
func TestObserverHasTheContextOfThePart(t *testing.T) {
	type key struct{}
	var seen []any
	auth := newAuth(httpauth.WithObserver(func(ctx context.Context, _ permissions.Observation) {
		seen = append(seen, ctx.Value(key{}))
	}))
	ask := auth.Require(permissions.Events, fixed(slack, nil))(&somebody{})
	serve(auth.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ask.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, "part")))
	})), request(t, "ann", everything))
	require.Equal(t, []any{"part"}, seen)
}
