package grpcauth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// An Option changes how an [Interceptor] works. Checks, ceilings, observers and options of claims add up.
// Any other option overrides an earlier one that sets the same thing. A nil option changes nothing. The
// functions that options are given must be safe for concurrent use.
type Option interface{ apply(*options) }

type option func(*options)

func (o option) apply(to *options) { o(to) }

type options struct {
	tokenFrom     func(context.Context) (string, error) // nil for the metadata
	checks        []func(context.Context, *usertoken.Claims) error
	ceilings      []func(context.Context, *usertoken.Claims) (*permissions.Policy, error)
	observers     []func(context.Context, permissions.Observation)
	verifications []func(context.Context, time.Duration, error)
	claimOptions  []permissions.Option
	logger        *slog.Logger
	onError       func(context.Context, *Error) error
	reportOnly    bool
}

// WithErrorHandler sets the function that returns the error with which each refused call ends, such as to
// add details. Do not send e.Err, which names the rule that denied. For an error that it does not want to
// change, the function returns e. Nil, and an error with the code OK, count as e, so a call that was
// refused never succeeds. With a nil function this package's errors are sent.
func WithErrorHandler(handle func(ctx context.Context, e *Error) error) Option {
	return option(func(o *options) { o.onError = handle })
}

// WithLogger logs each refusal in one line: at the level ERROR for the codes Unknown, Internal,
// Unavailable and DataLoss, and at WARN otherwise. The message is "request refused", or "request would be refused"
// where a report-only interceptor let the call pass. A panic in the function of [WithErrorHandler] has a line of its
// own, "error handler panicked". Nothing else is logged, and with nil nothing at all. The attributes are those of
// package httpauth, except for what only HTTP has:
//
//	code         of the answer, such as PermissionDenied
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
//	method       the full name of the method, such as /acme.v1.Credentials/Disconnect
//	error        what happened, for people; of a panic the type of its value only
//	stack        where a function of the service panicked
//	report_only  true, if the interceptor only reports
//
// The reasons are those of [permissions.Reason], and denied, method_not_listed, not_found, no_token,
// bad_authorization, token_revoked, keys_unavailable, token_refused, canceled, panic and error. With
// token_refused the attribute error says what is wrong with the token, such as that it has run out in
// the middle of a stream. Names are quoted where they hold characters that cannot be seen, and
// shortened where they are long. No line has a token, unless a function of the service put one into an
// error.
func WithLogger(logger *slog.Logger) Option {
	return option(func(o *options) { o.logger = logger })
}

// WithObserver sets a function that is called with every question that is asked of the policy of a call, and its
// answer: see [permissions.Policy.Observe]. The context is that of the call. It has the claims
// ([httpauth.FromContext]), and what was put into it before this interceptor. A nil function is ignored.
// The function must not ask the policy of the context, since that would call it again without end.
//
// Where a target function makes no target and says that the question is invalid, the function sees an
// invalid question with an invalid target. What was wrong is in the log. A call whose token is refused
// asks no question: see [WithVerificationObserver].
func WithObserver(observe func(context.Context, permissions.Observation)) Option {
	return option(func(o *options) {
		if observe != nil {
			o.observers = append(o.observers, observe)
		}
	})
}

// WithVerificationObserver sets a function that is called each time that a token was verified or refused at the
// beginning of a call, such as to keep metrics. It gets how long that took, with the look-up of keys, the
// checks and the ceilings, and the error: nil, or what the answer is made from. [httpauth.ErrNoToken] is
// among the errors. If there is no error, the context has the claims ([httpauth.FromContext]). After a panic in
// a function of the service, the observer is not called. A nil function is ignored.
func WithVerificationObserver(observe func(ctx context.Context, took time.Duration, err error)) Option {
	return option(func(o *options) {
		if observe != nil {
			o.verifications = append(o.verifications, observe)
		}
	})
}

// WithCheck adds a check of your own that every token must pass after it was verified, such as whether
// its jti or its sub is in a list of revoked ones. It can be the function that httpauth.WithCheck has.
//
// An error that matches [httpauth.ErrRevoked] or [usertoken.ErrToken] refuses the token with the code
// Unauthenticated. An [*Error] refuses it with its own code, and an [*httpauth.Error] with the code for
// its status. Any other error says that the check failed, which is not the token's fault, and is answered
// with Unavailable. That includes the error of a gRPC call that the check made. A nil check fails. Of several
// that an error matches, the first in the list of [Error] counts.
//
// The context is that of the call. It does not have the claims yet. A stream is checked when it begins,
// and not again.
func WithCheck(check func(ctx context.Context, claims *usertoken.Claims) error) Option {
	if check == nil {
		check = func(context.Context, *usertoken.Claims) error {
			return errors.New("WithCheck: the function is nil; give one, or leave the option out")
		}
	}
	return option(func(o *options) { o.checks = append(o.checks, check) })
}

// WithCeiling adds a policy of the service's own. No call is allowed more than that, whatever its token says: the
// policy of a call is the intersection of the token's policy and all ceilings ([permissions.Intersect]). A nil or
// zero ceiling denies everything. What a ceiling denies is answered as any denial, with PermissionDenied. A second
// Interceptor inside of this one is below the ceiling too, unless this one is [ReportOnly].
//
// Read the ceiling with the same options as the claims ([usertoken.WithClaimOptions]). It denies
// permissions that it does not know.
func WithCeiling(ceiling *permissions.Policy) Option {
	return WithCeilingFunc(func(context.Context, *usertoken.Claims) (*permissions.Policy, error) { return ceiling, nil })
}

// WithCeilingFunc is [WithCeiling] with a policy for each call, such as for the role that the subject has
// in the service. The function is called once for each call, after the checks. For no ceiling it returns
// [permissions.Unrestricted] with the options of the claims. With an error the call is refused, and answered as
// [Error] says, with Internal unless it says something else. A nil function is such an error.
//
// The claims are those of the token. The function must not change them. The context of the call does not
// have them yet.
func WithCeilingFunc(
	ceiling func(ctx context.Context, claims *usertoken.Claims) (*permissions.Policy, error),
) Option {
	if ceiling == nil {
		ceiling = func(context.Context, *usertoken.Claims) (*permissions.Policy, error) {
			return nil, errors.New("WithCeilingFunc: the function is nil; give one, or leave the option out")
		}
	}
	return option(func(o *options) { o.ceilings = append(o.ceilings, ceiling) })
}

// WithTokenFrom sets a function that takes the token of a call from another place than the authorization
// metadata. It returns [httpauth.ErrNoToken] if there is no token. No token, and an empty one, are
// answered with Unauthenticated. So is [httpauth.ErrAuthorization], which says that there are several.
// Any other error is answered as [Error] says. Do not put a token into an error. With nil, the token
// comes from the metadata.
func WithTokenFrom(token func(ctx context.Context) (string, error)) Option {
	return option(func(o *options) { o.tokenFrom = token })
}

// WithClaimOptions tells [New] which permissions there are, so that it accepts them in the table. Give
// it the options that the verifier has ([usertoken.WithClaimOptions]). Without it, the table can name
// only the permissions of [permissions.AllPermissions].
func WithClaimOptions(opts ...permissions.Option) Option {
	return option(func(o *options) { o.claimOptions = append(o.claimOptions, opts...) })
}

// ReportOnly has an interceptor decide and report, and let every call pass. It is for the time in which this
// package replaces a check written by hand: the old check still decides, and the log tells where the two differ. It
// has no effect without [WithLogger]: an interceptor that reports to nobody would only leave the door open. The
// logger must let the level WARN through.
//
// A call that would be refused is logged with the attribute report_only, and the observers see the
// question. Then the call passes. If the token was refused, the call has no claims: [httpauth.Policy]
// denies everything, and the subject of [httpauth.Claims] is empty. A handler that asks for itself decides
// for itself, and its errors are answered.
//
// The handler of a stream begins at once, and does not wait for the first message. The question is asked
// when the handler has received that message.
func ReportOnly() Option {
	return option(func(o *options) { o.reportOnly = true })
}
