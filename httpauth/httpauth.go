package httpauth

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// A Middleware verifies the tokens of requests, and answers in place of a handler where it must. It
// does not change, so any number of goroutines can share one. A nil Middleware and the zero Middleware
// let nobody pass: every token is refused with 401.
type Middleware struct {
	verifier *usertoken.Verifier
	options
}

// New returns a middleware for the tokens that a verifier accepts. A nil verifier accepts none.
func New(verifier *usertoken.Verifier, opts ...Option) *Middleware {
	m := &Middleware{verifier: verifier}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&m.options)
		}
	}
	m.reportOnly = m.reportOnly && m.logger != nil
	return m
}

// Wrap returns a handler that verifies the token of a request, and puts the claims into the request's
// context before next gets it: see [Policy], [Claims] and [FromContext]. It asks no question, so next
// must.
//
// A request without a good token is answered with 401, 400 or 503, as the package documentation says.
// A token that a Wrap of the same m has verified for this request is not verified again: see the package
// documentation.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	if m == nil {
		m = new(Middleware)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r, err := m.authenticate(r)
		if m.answerError(w, r, err) {
			return
		}
		next.ServeHTTP(w, r)
	})
}

// A TargetFunc says what a request is about. See [Middleware.Require] for its errors.
type TargetFunc func(*http.Request) (permissions.Target, error)

// Require returns a middleware that lets a request pass if the policy allows the action on the target
// of the request. It verifies the token as [Middleware.Wrap] does, so it needs no Wrap around it.
// Target is usually [Sources.Target]. It is called after the token was accepted, so it can use
// [FromContext].
//
// The action does not depend on the method. So write the method into the pattern of the route, and change it
// (X-HTTP-Method-Override) only outside of the mux.
//
// A denial is answered with 403. An error of target that matches [permissions.ErrQuestion], and a
// target that is invalid, are answered with 400. An [*Error] is answered with its own status, and any
// other error as [WriteError] does. An action that the policy does not know, such as the empty one, and
// a nil target are not the caller's fault. They let nobody pass, with 403.
func (m *Middleware) Require(action permissions.Permission, target TargetFunc) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if m.mustAsk(r) && m.answerError(w, r, m.require(r, action, target)) {
				return
			}
			next.ServeHTTP(w, r)
		}))
	}
}

func (m *Middleware) require(r *http.Request, action permissions.Permission, target TargetFunc) error {
	if target == nil {
		return misused("Require", "target")
	}
	t, err := target(r)
	if err != nil {
		observeInvalid(r, action, t, err)
		return err
	}
	return Policy(r.Context()).Check(action, t)
}

// observeInvalid shows the observers a question that could not be asked, because its target could not
// be made. The question is invalid, so they see an invalid target.
func observeInvalid(r *http.Request, action permissions.Permission, target permissions.Target, err error) {
	if !errors.Is(err, permissions.ErrQuestion) {
		return
	}
	if target.Err() == nil {
		target = permissions.Target{}
	}
	Policy(r.Context()).Allowed(action, target)
}

// misused returns the error for a nil function that should be there to make a decision.
func misused(where, what string) error {
	return &Error{
		Status: http.StatusForbidden, Code: CodeInsufficientScope,
		Err: errors.New(where + ": the function " + what + " is nil, so nobody may pass; give one"),
	}
}

// mustAsk reports whether m must put its question to the policy of a request that authenticate let
// pass. Only a report-only middleware lets a request pass without claims. Then there is no policy
// to ask.
func (m *Middleware) mustAsk(r *http.Request) bool {
	_, ok := FromContext(r.Context())
	return ok || !m.reportOnly
}

// answerError answers a request with an error, and reports whether it did. Nil is not an error, and a
// report-only middleware only logs.
func (m *Middleware) answerError(w http.ResponseWriter, r *http.Request, err error) bool {
	switch {
	case err == nil:
		return false
	case m.reportOnly:
		m.log(r, errorOf(err), "request would be refused")
		return false
	}
	m.answer(w, r, err)
	return true
}

// authenticate returns the request with the claims of its token in its context. On an error the
// context has no claims, whatever it had before.
func (m *Middleware) authenticate(r *http.Request) (*http.Request, error) {
	token, err := m.tokenOf(r)
	id := identityOf(r.Context())
	known := err == nil && id.isFor(m, token)
	if known && len(m.ceilings) == 0 && len(m.observers) == 0 {
		return r, nil
	}
	r = r.WithContext(withIdentity(r.Context(), &identity{middleware: m, outer: id.around(m)}))
	if known { // another request with the same token can have another ceiling, and another context for observers
		claims := *id.claims
		claims.Policy = id.granted
		return m.admit(r, token, &claims)
	}
	start := time.Now()
	if err == nil {
		r, err = m.identify(r, token)
	}
	for _, observe := range m.verifications {
		observe(r.Context(), time.Since(start), err)
	}
	return r, err
}

// tokenOf returns the token of a request. It is not empty if there is no error.
func (m *Middleware) tokenOf(r *http.Request) (string, error) {
	if m.tokenFrom == nil {
		return BearerToken(r.Header.Values("Authorization")...)
	}
	token, err := m.tokenFrom(r)
	if err == nil && token == "" {
		err = ErrNoToken
	}
	return token, err
}

// identify verifies a token and admits the request.
func (m *Middleware) identify(r *http.Request, token string) (*http.Request, error) {
	claims, err := m.verifier.VerifyContext(r.Context(), token)
	if err != nil {
		return r, err
	}
	if err := m.check(r.Context(), claims); err != nil {
		return m.refuse(r, claims), err
	}
	return m.admit(r, token, claims)
}

// admit returns the request with an identity. Before the call, claims has the policy of the token alone. admit
// replaces that with its intersection with all ceilings, those of the middlewares around m included, observed by the
// observers of m.
func (m *Middleware) admit(r *http.Request, token string, claims *usertoken.Claims) (*http.Request, error) {
	id := &identity{
		middleware: m, token: token, claims: claims, granted: claims.Policy, outer: identityOf(r.Context()).outer,
	}
	ceilings, err := m.ceilingsOf(r, claims)
	if err != nil {
		return m.refuse(r, claims), err
	}
	if !m.reportOnly {
		id.ceilings = ceilings
	}
	policy, err := permissions.Intersect(slices.Concat([]*permissions.Policy{claims.Policy}, id.outer, ceilings)...)
	if err != nil {
		return m.refuse(r, claims), err
	}
	ctx := withIdentity(r.Context(), id)
	for _, observe := range m.observers {
		policy = policy.Observe(func(o permissions.Observation) { observe(ctx, o) })
	}
	claims.Policy = policy
	return r.WithContext(ctx), nil
}

// refuse returns the request without claims. It keeps the claims of a genuine token for the log alone.
func (m *Middleware) refuse(r *http.Request, claims *usertoken.Claims) *http.Request {
	outer := identityOf(r.Context()).outer
	return r.WithContext(withIdentity(r.Context(), &identity{middleware: m, outer: outer, refused: claims}))
}

// check calls the service's checks.
func (m *Middleware) check(ctx context.Context, claims *usertoken.Claims) error {
	for _, check := range m.checks {
		err := check(ctx, claims)
		var own *Error
		switch {
		case err == nil:
		case errors.Is(err, ErrRevoked), errors.Is(err, usertoken.ErrToken), errors.As(err, &own):
			return err
		default:
			return &Error{Status: http.StatusServiceUnavailable, Err: err}
		}
	}
	return nil
}

// ceilingsOf returns the ceilings of a request.
func (m *Middleware) ceilingsOf(r *http.Request, claims *usertoken.Claims) ([]*permissions.Policy, error) {
	var ceilings []*permissions.Policy
	for _, ceiling := range m.ceilings {
		policy, err := ceiling(r, claims)
		if err != nil {
			return nil, err
		}
		ceilings = append(ceilings, policy)
	}
	return ceilings, nil
}
