// Package httpauth asks before a handler runs: middleware for net/http that verifies a
// request's Paragon User Token and answers by its permissions claim.
//
//	auth := httpauth.New(verifier)
//	mux.Handle("POST /integrations/{integration}/proxy", auth.Require(permissions.ProxyAPI, httpauth.Sources{
//		Integration:  httpauth.Path("integration"),
//		CredentialID: httpauth.Header(httpauth.CredentialHeader),
//	}.Target)(handler))
//
// [Middleware.Require] is for a route whose request says what it touches.
// [Middleware.Wrap] only verifies, for handlers that must look first: they ask
// [Policy] once the object is known, and hand an error to [WriteError]. A request alone
// rarely gives every identifier, and what it leaves open can turn a yes into a no (SPEC
// 4.7); the object in the database has them all.
//
// # Tokens
//
// A token is taken from the Authorization header alone (RFC 6750, section 2.1): never from
// a form, a query or a cookie.
//
//	header                                    answer
//	none, or an empty one                     401
//	another scheme than Bearer                401
//	more than one Authorization header        400 invalid_request
//	Bearer, and not one token: nothing, a     400 invalid_request
//	list, white space or other bytes in it
//	Bearer and a token that is refused, an    401 invalid_token
//	oversized one too
//
// The scheme may have any letter case. One or more spaces stand between it and the token. A
// tab there, or anything else that makes the first word not Bearer, is another scheme.
//
// # Answers
//
// Besides these, a denial is 403 insufficient_scope, a question that the request got wrong
// is 400, and an error that is none of ours 500. 400, 401 and 403 for the sake of the token
// carry WWW-Authenticate. The body is a problem of RFC 9457, which says no more than the
// status and the code: nothing about the policy, or why the token failed. What happened
// stands in the [*Error] that a handler given by [WithErrorHandler] gets.
//
// A CORS preflight request carries no token. Handle CORS outside of this middleware.
package httpauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/connectperms/permissions"
)

// A Middleware verifies tokens and answers in the place of a handler where it must. It does
// not change, so any number of goroutines can share one. A nil Middleware and the zero
// Middleware let nobody pass.
type Middleware struct {
	verifier *permissions.Verifier
	observer func(context.Context, permissions.Permission, permissions.Target, permissions.Decision)
	onError  func(http.ResponseWriter, *http.Request, *Error)
}

// An Option changes how a [Middleware] works.
type Option func(*Middleware)

// WithErrorHandler has a function write the response to a request that goes no further, in
// the place of this package. WWW-Authenticate has been set by then; the function may change
// it. It writes e.Status, and whatever else it wants the caller to know, which had better not
// be e.Err: that names the rule that denied. It is the place to log e; one that only logs goes
// on with [Error.ServeHTTP]. A nil function is none.
func WithErrorHandler(write func(w http.ResponseWriter, r *http.Request, e *Error)) Option {
	return func(m *Middleware) { m.onError = write }
}

// WithObserver has a function called with every question asked of the policy of a request,
// and its decision, as [permissions.Policy.Observe] does. The context is the request's: it
// has [Claims], and what was put into it before this middleware. The function must be safe for
// concurrent use. A nil function is none, and costs nothing.
func WithObserver(observe func(context.Context, permissions.Permission, permissions.Target, permissions.Decision)) Option {
	return func(m *Middleware) { m.observer = observe }
}

// New returns a middleware for the tokens that a verifier accepts. A nil verifier accepts
// none. A later option replaces an earlier one of its kind; a nil option changes nothing.
func New(verifier *permissions.Verifier, opts ...Option) *Middleware {
	m := &Middleware{verifier: verifier}
	for _, opt := range opts {
		if opt != nil {
			opt(m)
		}
	}
	return m
}

// Wrap returns a handler that verifies the token of a request and puts the claims into its
// context, for [Claims] and [Policy], before next gets it. It asks nothing: next must. A
// request that a Wrap of the same m has verified already is not verified again.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, err := m.authenticate(r)
		if err != nil {
			m.write(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Require returns a middleware that lets a request pass if the policy allows the action on
// its target. It verifies the token as [Middleware.Wrap] does, unless that is done, so it can
// stand alone. The token is judged before the target.
//
// A target of [Sources] is the usual one. An error of the function that matches
// [permissions.ErrTarget] is answered with 400, an [*Error] with its own status, and every
// other error with 500. A nil function and an empty action let nobody pass.
func (m *Middleware) Require(action permissions.Permission, target TargetFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if target == nil {
				m.write(w, r, &Error{Status: http.StatusForbidden, Code: CodeInsufficientScope, Err: errNoTargetFunc})
				return
			}
			t, err := target(r)
			if err == nil {
				err = Policy(r.Context()).Check(action, t)
			}
			if err != nil {
				m.write(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		}))
	}
}

var errNoTargetFunc = errors.New("Require was given no function for the target")

// authenticate returns the request with the claims of its token. On an error it returns the
// request as it was.
func (m *Middleware) authenticate(r *http.Request) (*http.Request, error) {
	if m == nil {
		m = new(Middleware)
	}
	if v := verifiedOf(r.Context()); v != nil && v.by == m {
		return r, nil
	}
	token, err := bearer(r.Header)
	if err != nil {
		return r, err
	}
	claims, err := m.verifier.Verify(token)
	if err != nil {
		return r, err
	}
	ctx := context.WithValue(r.Context(), contextKey{}, &verified{by: m, claims: claims})
	if m.observer != nil {
		claims.Policy = claims.Policy.Observe(func(action permissions.Permission, target permissions.Target, d permissions.Decision) {
			m.observer(ctx, action, target, d)
		})
	}
	return r.WithContext(ctx), nil
}

// verified is what a context holds under a contextKey.
type verified struct {
	by     *Middleware
	claims *permissions.Claims
}

type contextKey struct{}

func verifiedOf(ctx context.Context) *verified {
	v, _ := ctx.Value(contextKey{}).(*verified)
	return v
}

// Claims returns the claims of the token that a [Middleware] has verified for the request of
// this context, and nil if none has. They are shared by all who hold the context: do not
// change them.
func Claims(ctx context.Context) *permissions.Claims {
	if v := verifiedOf(ctx); v != nil {
		return v.claims
	}
	return nil
}

// Policy returns the policy of [Claims]. Where there are none, it is a policy that denies
// everything. It is never nil.
func Policy(ctx context.Context) *permissions.Policy {
	if c := Claims(ctx); c != nil && c.Policy != nil {
		return c.Policy
	}
	return new(permissions.Policy)
}
