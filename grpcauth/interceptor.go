package grpcauth

import (
	"context"
	"errors"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// An Interceptor verifies the tokens of calls, and ends a call before its handler where it must. It
// does not change, so any number of goroutines can share one. A nil Interceptor and the zero
// Interceptor let nobody pass: every token is refused with Unauthenticated.
type Interceptor struct {
	verifier *usertoken.Verifier
	table    map[string]Method
	options
}

// New returns an interceptor for the tokens that a verifier accepts, and for a table of methods. A nil
// verifier accepts no token. Nobody may call a method that is not in the table.
//
// The error says everything that is wrong with the table: a name that is not of the form
// /package.Service/Method, a name that is there twice, a permission that does not exist (see
// [WithClaimOptions]), and a nil target function. If the program has the descriptor of the service, as
// it has with generated code, it is also an error if the service has no such method, or if the target
// function takes another message than the method has. With an error the Interceptor is nil, which lets
// nobody pass.
func New(verifier *usertoken.Verifier, methods []Method, opts ...Option) (*Interceptor, error) {
	i := &Interceptor{verifier: verifier}
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&i.options)
		}
	}
	i.reportOnly = i.reportOnly && i.logger != nil
	table, err := newTable(methods, permissions.Unrestricted(i.claimOptions...).Vocabulary())
	if err != nil {
		return nil, err
	}
	i.table = table
	return i, nil
}

// ServerOptions returns the options for [grpc.NewServer] that install both interceptors:
//
//	server := grpc.NewServer(auth.ServerOptions()...)
//
// They chain: interceptors of options before these are outside, and those of options after these are
// inside. One inside must not change a message, because the question was asked about what came.
func (i *Interceptor) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.ChainUnaryInterceptor(i.Unary), grpc.ChainStreamInterceptor(i.Stream)}
}

// Unary is a [grpc.UnaryServerInterceptor]. A server needs [Interceptor.Stream] too, or nothing guards
// its streams: see [Interceptor.ServerOptions]. The package documentation says how a call is answered.
//
// The context of the handler has the claims: see [httpauth.Policy], [httpauth.Claims] and
// [httpauth.FromContext]. A handler can return the error of a question that it asks the policy. Every error of a
// handler that is, or matches, one of those that [Error] lists by name, such as [permissions.ErrDenied], is logged and
// answered as that says. Other errors of a handler go to the caller as they are. This is the same for an [Open] method.
func (i *Interceptor) Unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	c := i.newCall(ctx, info.FullMethod)
	if !c.method.open {
		err := c.stop(recovered(func() error {
			if err := c.admit(); err != nil {
				return err
			}
			return c.ask(req)
		}))
		if err != nil {
			return nil, err
		}
		ctx = c.ctx
	}
	resp, err := handler(ctx, req)
	if err != nil {
		return nil, c.answer(err)
	}
	return resp, nil
}

// Stream is a [grpc.StreamServerInterceptor]. A server needs [Interceptor.Unary] too, or nothing guards
// its other methods. The context of the stream has the claims, and errors of the handler are answered
// as with Unary.
//
// The token is judged when the stream begins. [Require] says what happens then. After that, the token is looked at
// whenever the handler receives or sends a message. Once it has run out, by the clock and the leeway of the verifier,
// the handler gets an error with the code Unauthenticated, in place of the next message or of the end of the stream.
// No more messages are sent, but headers and trailers are. The stream then ends with that error, whatever the handler
// returns. So a handler that acts when the client has sent everything does not act for a token that has run out.
// Nothing else is checked again: neither whether the token was revoked, nor the ceilings.
//
// A handler that waits for a message goes on waiting when the token runs out. It learns of that when a
// message comes or the client ends the stream. The same is true of a handler that waits for something
// else. To bound that, set MaxConnectionAge and MaxConnectionAgeGrace
// ([google.golang.org/grpc/keepalive.ServerParameters]), or have the handler ask
// [usertoken.Claims.Valid] from time to time.
func (i *Interceptor) Stream(
	srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler,
) error {
	c := i.newCall(ss.Context(), info.FullMethod)
	if c.method.open {
		if err := handler(srv, ss); err != nil {
			return c.answer(err)
		}
		return nil
	}
	err := c.stop(recovered(func() error {
		if err := c.admit(); err != nil || c.method.question != nil {
			return err
		}
		return c.ask(nil) // it needs no message
	}))
	if err != nil {
		return err
	}
	s := &stream{ServerStream: ss, call: c}
	switch {
	case c.method.question == nil:
	case c.auth.reportOnly:
		s.unasked = c.admitted
	default:
		if err := s.begin(); err != nil {
			return err
		}
	}
	err = handler(srv, s)
	if endErr := s.endError(); endErr != nil {
		return endErr
	}
	if err != nil {
		return c.answer(err)
	}
	return nil
}

// AuthFunc verifies the token of a call, and returns the context with its claims. It is the
// auth.AuthFunc of github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth. That package does
// not call it for a service that has a method AuthFuncOverride.
//
// AuthFunc only authenticates. It does not see the message, so it asks no question, and each handler
// must ask [httpauth.Policy]. So every method must be in the table with [Authenticate] or [Open]: AuthFunc refuses one
// that has [Require] or is not in the table, with PermissionDenied. It sees neither the
// messages of a stream nor the errors of a handler. So nobody notices a token that runs out in the
// middle of a stream. And a handler must not return the error of a question as it is, because gRPC
// would send its text, which names the rule that denied: return an [*Error] with the code.
// [Interceptor.Unary] and [Interceptor.Stream] do all of that.
func (i *Interceptor) AuthFunc(ctx context.Context) (context.Context, error) {
	name, _ := grpc.Method(ctx)
	c := i.newCall(ctx, name)
	if c.method.open {
		return ctx, nil
	}
	err := c.stop(recovered(func() error {
		if err := c.admit(); err != nil {
			return err
		}
		if c.method.question != nil {
			return &Error{Code: codes.PermissionDenied, Reason: ReasonInsufficientScope, Err: errCannotAsk}
		}
		return c.ask(nil)
	}))
	if err != nil {
		return nil, err
	}
	return c.ctx, nil
}

// errCannotAsk says that a method needs a permission, and that AuthFunc cannot ask for it.
var errCannotAsk = errors.New("AuthFunc sees no message, so it cannot ask the question of Require, and nobody may pass; " +
	"use ServerOptions, or Authenticate and a handler that asks")

// A call is one call of a method.
type call struct {
	auth   *Interceptor // never nil
	ctx    context.Context
	name   string // the full method name
	method Method
	listed bool                  // method is in the table
	outer  []*permissions.Policy // the ceilings of the interceptors around this one

	claims   *usertoken.Claims // of a genuine token, with the policy of the token alone; nil if there is none
	admitted bool              // the token was accepted, and ctx has its claims
}

// newCall returns a call that is not authenticated yet. Its context has no claims, whatever it had
// before.
func (i *Interceptor) newCall(ctx context.Context, name string) *call {
	if i == nil {
		i = new(Interceptor)
	}
	method, listed := i.table[name]
	outer, _ := ctx.Value(ceilingsKey{}).([]*permissions.Policy)
	ctx = httpauth.NewContext(ctx, nil)
	return &call{auth: i, ctx: ctx, name: name, method: method, listed: listed, outer: outer}
}

// ceilingsKey is the key of the ceilings in a context: those of the interceptor, unless it is report-only,
// and those of the interceptors around it.
type ceilingsKey struct{}

// admit verifies the token and puts its claims into the context.
func (c *call) admit() error {
	start := time.Now()
	token, err := c.token()
	if err == nil {
		err = c.identify(token)
	}
	for _, observe := range c.auth.verifications {
		observe(c.ctx, time.Since(start), err)
	}
	return err
}

// token returns the token of the call. It is not empty if there is no error.
func (c *call) token() (string, error) {
	if c.auth.tokenFrom == nil {
		return httpauth.BearerToken(metadata.ValueFromIncomingContext(c.ctx, "authorization")...)
	}
	token, err := c.auth.tokenFrom(c.ctx)
	if err == nil && token == "" {
		err = httpauth.ErrNoToken
	}
	return token, err
}

func (c *call) identify(token string) error {
	claims, err := c.auth.verifier.VerifyContext(c.ctx, token)
	if err != nil {
		return err
	}
	c.claims = claims
	if err := c.check(); err != nil {
		return err
	}
	ceilings, err := c.ceilings()
	if err != nil {
		return err
	}
	policy, err := permissions.Intersect(append([]*permissions.Policy{claims.Policy}, ceilings...)...)
	if err != nil {
		return err
	}
	admitted := *claims
	ctx := httpauth.NewContext(c.ctx, &admitted)
	if !c.auth.reportOnly {
		ctx = context.WithValue(ctx, ceilingsKey{}, ceilings)
	}
	for _, observe := range c.auth.observers {
		policy = policy.Observe(func(o permissions.Observation) { observe(ctx, o) })
	}
	admitted.Policy = policy
	c.ctx, c.admitted = ctx, true
	return nil
}

// check calls the service's checks.
func (c *call) check() error {
	for _, check := range c.auth.checks {
		err := check(c.ctx, c.claims)
		var own *Error
		var http *httpauth.Error
		switch {
		case err == nil:
		case errors.Is(err, httpauth.ErrRevoked), errors.Is(err, usertoken.ErrToken):
			return err
		case errors.As(err, &own), errors.As(err, &http):
			return err
		default:
			return &Error{Code: codes.Unavailable, Reason: ReasonUnavailable, Err: err}
		}
	}
	return nil
}

// ceilings returns the ceilings of the call, those of the interceptors around this one included.
func (c *call) ceilings() ([]*permissions.Policy, error) {
	ceilings := slices.Clone(c.outer)
	for _, ceiling := range c.auth.ceilings {
		policy, err := ceiling(c.ctx, c.claims)
		if err != nil {
			return nil, err
		}
		ceilings = append(ceilings, policy)
	}
	return ceilings, nil
}

// ask asks the policy about a message, if the method needs a permission. A nil message says that the
// stream ended before one came.
func (c *call) ask(message any) error {
	q := c.method.question
	switch {
	case !c.listed:
		return errNotListed
	case q == nil:
		return nil
	}
	policy := httpauth.Policy(c.ctx)
	target, err := c.target(q, message)
	if err != nil {
		if errors.Is(err, permissions.ErrQuestion) {
			if target.Err() == nil { // the observers see an invalid question
				target = permissions.Target{}
			}
			policy.Allowed(q.action, target)
		}
		return err
	}
	return policy.Check(q.action, target)
}

func (c *call) target(q *question, message any) (permissions.Target, error) {
	if message == nil {
		return permissions.Target{}, &permissions.QuestionError{
			Field: "target", Problem: "is missing: the stream ended before a message came",
		}
	}
	return q.target(c.ctx, message)
}

// stop returns the error that ends the call, if err says that it is refused. In a report-only
// interceptor it only logs.
func (c *call) stop(err error) error {
	if err == nil {
		return nil
	}
	e := c.errorOf(err)
	if c.auth.reportOnly {
		c.log(e, "request would be refused")
		return nil
	}
	return c.refuse(e)
}

// errorOf returns the answer to an error. An error may be a nil pointer whose methods panic, which is
// answered with Internal.
func (c *call) errorOf(err error) (e *Error) {
	panicked := recovered(func() error {
		e = errorOf(c.ctx, err)
		return nil
	})
	if panicked != nil {
		return &Error{Code: codes.Internal, Err: panicked}
	}
	return e
}

// answer returns the error that the caller gets for an error of a handler. An error that matches none of
// this module is not changed.
func (c *call) answer(err error) error {
	var known *Error
	panicked := recovered(func() error {
		known = answerTo(err)
		return nil
	})
	if known == nil && panicked == nil {
		return err
	}
	return c.refuse(c.errorOf(err))
}

// refuse logs an error and returns what the caller gets.
func (c *call) refuse(e *Error) error {
	c.log(e, "request refused")
	if c.auth.onError == nil {
		return e
	}
	var answer error
	panicked := recovered(func() error {
		if err := c.auth.onError(c.ctx, e); status.Code(err) != codes.OK {
			answer = err
		}
		return nil
	})
	switch {
	case panicked != nil:
		c.log(&Error{Code: codes.Internal, Err: panicked}, "error handler panicked")
	case answer != nil:
		return answer
	}
	return e
}
