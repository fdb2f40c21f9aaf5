package httpauth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// An Option changes how a [Middleware] works. Checks, ceilings and observers add up. Any other option
// overrides an earlier one that sets the same thing. A nil option changes nothing. The functions that
// options are given must be safe for concurrent use.
type Option interface{ apply(*options) }

type option func(*options)

func (o option) apply(to *options) { o(to) }

type options struct {
	tokenFrom     func(*http.Request) (string, error) // nil for the Authorization header
	checks        []func(context.Context, *usertoken.Claims) error
	ceilings      []func(*http.Request, *usertoken.Claims) (*permissions.Policy, error)
	observers     []func(context.Context, permissions.Observation)
	verifications []func(context.Context, time.Duration, error)
	logger        *slog.Logger
	onError       func(http.ResponseWriter, *http.Request, *Error)
	reportOnly    bool
}

// WithErrorHandler sets the function that writes the response to each refused request. The headers
// WWW-Authenticate, Retry-After and Cache-Control are set before, and the function may change them. The status is
// e.Status unless the function writes another one. Do not write e.Err, which names the rule that denied. Choose the
// answer by e.Status alone, so that both kinds of 404 stay the same (see [Guard]). Where the function has no answer
// of its own, it calls [Error.ServeHTTP], which sets Cache-Control anew, and WWW-Authenticate if the answer needs
// it. With nil, this package writes the response.
//
// A service that answers the platform's SDK in a browser needs one. On a 401 or 403 that is not on a
// path of the proxy, the SDK logs the user out, unless the answer is of the type application/json and
// its member code is the string "7210". So a denial, which does not end the session, should have both:
// see the example. This was read in the code of @useparagon/connect 2.4.0, and not in documentation.
func WithErrorHandler(write func(w http.ResponseWriter, r *http.Request, e *Error)) Option {
	return option(func(o *options) { o.onError = write })
}

// WithLogger logs each refusal in one line: at the level ERROR for a status from 500 on, and at WARN
// otherwise. The message is "request refused", or "request would be refused" where a report-only
// middleware let it pass. Nothing else is logged, and with nil nothing at all. The attributes are
//
//	status       of the answer
//	reason       a code that does not change, see below
//	action       of a denial
//	target       of a denial, as a group
//	allowed      false, for a denial
//	rule         the rule that denied, if one did
//	pointer      its place in the claim
//	unknown      what was unknown, with the reason undetermined
//	part         of an intersection, see [permissions.Decision]
//	denied_by    "token" or "ceiling", if there are ceilings
//	subject      the user, if the token is genuine
//	token_id     its jti, if it has one
//	method
//	route        the pattern of [http.ServeMux] that matched, if the middleware is inside of it
//	path         without the query
//	error        what happened, for people
//	report_only  true, if the middleware only reports
//
// The reasons are those of [permissions.Reason], and denied, not_found, no_token, bad_authorization,
// token_revoked, keys_unavailable, token_refused and error. With token_refused the attribute error
// says what is wrong with the token. Names and paths are quoted where they hold characters that
// cannot be seen, and shortened where they are long. No line has a token, unless a function of the
// service put one into an error.
func WithLogger(logger *slog.Logger) Option {
	return option(func(o *options) { o.logger = logger })
}

// WithObserver sets a function that is called with every question that is asked of the policy of a
// request, and its answer: see [permissions.Policy.Observe]. The context is that of the request. It
// has the claims ([FromContext]), and what was put into it before this middleware. A nil function
// is ignored. The function must not ask the policy of the context, since that would call it again
// without end.
//
// Where [Sources] cannot make a target, the function sees an invalid question with an invalid target.
// What was wrong is in the log. A request whose token is refused asks no question: see
// [WithVerificationObserver].
func WithObserver(observe func(context.Context, permissions.Observation)) Option {
	return option(func(o *options) {
		if observe != nil {
			o.observers = append(o.observers, observe)
		}
	})
}

// WithVerificationObserver sets a function that is called each time that a token was verified or
// refused, such as to keep metrics. It gets how long that took, with the look-up of keys, the
// checks and the ceilings, and the error: nil, or what the answer is made from. [ErrNoToken] is
// among the errors. If there is no error, the context has the claims ([FromContext]). A nil
// function is ignored.
func WithVerificationObserver(observe func(ctx context.Context, took time.Duration, err error)) Option {
	return option(func(o *options) {
		if observe != nil {
			o.verifications = append(o.verifications, observe)
		}
	})
}

// WithCheck adds a check of your own that every token must pass after it was verified, such as whether
// its jti or its sub is in a list of revoked ones:
//
//	httpauth.WithCheck(func(ctx context.Context, claims *usertoken.Claims) error {
//		revoked, err := store.revoked(ctx, claims.ID)
//		if revoked || claims.ID == "" { // nobody could revoke a token without a jti
//			return httpauth.ErrRevoked
//		}
//		return err
//	})
//
// An error that matches [ErrRevoked] or [usertoken.ErrToken] refuses the token with 401. An [*Error] refuses it
// with its own status. Of several, the first in the list of [WriteError] counts. Any other error, even a denial of
// [permissions.Policy.Check], says that the check failed, which is not the token's fault, and is answered with 503.
// A nil check fails.
//
// The context is that of the request. It does not have the claims yet.
func WithCheck(check func(ctx context.Context, claims *usertoken.Claims) error) Option {
	if check == nil {
		check = func(context.Context, *usertoken.Claims) error {
			return errors.New("WithCheck: the function is nil; give one, or leave the option out")
		}
	}
	return option(func(o *options) { o.checks = append(o.checks, check) })
}

// WithCeiling adds a policy of the service's own. No request is allowed more than that, whatever its token says: the
// policy of a request is the intersection of the token's policy and all ceilings ([permissions.Intersect]). A nil or
// zero ceiling denies everything. What a ceiling denies is answered as any denial, with 403. A second
// Middleware inside of this one is below the ceiling too, unless this one is [ReportOnly].
//
// Read the ceiling with the same options as the claims ([usertoken.WithClaimOptions]). It denies
// permissions that it does not know.
func WithCeiling(ceiling *permissions.Policy) Option {
	return WithCeilingFunc(func(*http.Request, *usertoken.Claims) (*permissions.Policy, error) { return ceiling, nil })
}

// WithCeilingFunc is [WithCeiling] with a policy for each request, such as for the role that the subject
// has in the service. The function is called by each [Middleware.Wrap], [Middleware.Require] and [Guard]
// that a request goes through, even where the token is not verified again. For no ceiling it returns
// [permissions.Unrestricted] with the options of the claims. An error refuses the request as [WriteError] does, with
// 500 unless it says something else. A nil function is such an error.
//
// The claims are those of the token. The function must not change them. The context of the request does not have
// them yet.
func WithCeilingFunc(ceiling func(r *http.Request, claims *usertoken.Claims) (*permissions.Policy, error)) Option {
	if ceiling == nil {
		ceiling = func(*http.Request, *usertoken.Claims) (*permissions.Policy, error) {
			return nil, errors.New("WithCeilingFunc: the function is nil; give one, or leave the option out")
		}
	}
	return option(func(o *options) { o.ceilings = append(o.ceilings, ceiling) })
}

// WithTokenFrom sets a function that takes the token from a request, in place of the Authorization
// header. It is for a cookie, or for the subprotocol of a websocket. To accept the header too, the
// function calls [BearerToken].
//
// It returns [ErrNoToken] if there is no token. No token, and an empty one, are answered with 401. It
// returns [ErrAuthorization] if there are several, which is answered with 400. Any other error is
// answered as [WriteError] does. Do not put a token into an error. With nil, the token comes from the
// Authorization header.
//
// Beware of cookies. A browser sends them with requests that another site causes (cross-site request
// forgery, CSRF). So a service that takes a token from a cookie must refuse such requests: with
// [http.CrossOriginProtection], and a cookie that is Secure, HttpOnly and SameSite. A websocket is
// opened with a GET request, which CrossOriginProtection lets pass. Check its Origin. Do not take a
// token from a URL, which ends up in logs.
func WithTokenFrom(token func(*http.Request) (string, error)) Option {
	return option(func(o *options) { o.tokenFrom = token })
}

// ReportOnly makes a middleware report its decisions and let every request pass. It is for the time
// in which this package replaces a check written by hand: the old check still decides, and the log
// tells where the two differ. It has no effect without [WithLogger]: a middleware that reports to nobody would only
// leave the door open. The logger must let the level WARN through.
//
// A request that would be refused is logged with the attribute report_only, and the observers see the
// question. Then the request passes. If the token was refused, the request has no claims: [Policy] denies
// everything, and the subject of [Claims] is empty. So a load function that looks for what belongs to the
// subject must not find what belongs to nobody. A handler that asks for itself decides for itself, and
// [WriteError] answers. [Guard] answers if it cannot load the object, and if a function that it needs is nil.
//
// The functions that options are given still run, and can delay or panic. If another middleware of this
// package protects the same route, put the other one inside this one. Then handlers see its claims.
func ReportOnly() Option {
	return option(func(o *options) { o.reportOnly = true })
}
