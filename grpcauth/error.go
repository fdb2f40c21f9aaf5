package grpcauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// Domain is the domain of every [errdetails.ErrorInfo] of this package.
const Domain = "github.com/connectperms/permissions"

// The reasons in [errdetails.ErrorInfo]. They do not change.
const (
	ReasonNoToken           = "NO_TOKEN"           // with Unauthenticated
	ReasonInvalidRequest    = "INVALID_REQUEST"    // with Unauthenticated: the authorization metadata is malformed
	ReasonInvalidToken      = "INVALID_TOKEN"      // with Unauthenticated
	ReasonInsufficientScope = "INSUFFICIENT_SCOPE" // with PermissionDenied
	ReasonInvalidTarget     = "INVALID_TARGET"     // with InvalidArgument: the message names no valid target
	ReasonNotFound          = "NOT_FOUND"          // with NotFound
	ReasonUnavailable       = "UNAVAILABLE"        // with Unavailable: the token cannot be judged now
)

// An Error says why a call is refused, and with which status. It is what the interceptors return
// for a call that they refuse. A target function, a check or a handler can return one to choose the
// answer.
//
// An error of a check is answered as [WithCheck] says, and most of the list below does not apply to it:
// ErrNotFound of a check is Unavailable. An error of a handler that this list does not name goes to the caller as
// it is, with its text: see [Interceptor.Unary]. For every other error the first match counts:
//
//   - an [*httpauth.Error]: the code for its status
//   - [httpauth.ErrNotFound]: NotFound
//   - [httpauth.ErrNoToken], [httpauth.ErrAuthorization], [httpauth.ErrRevoked]: Unauthenticated
//   - [usertoken.ErrKeys]: Unavailable
//   - [usertoken.ErrToken]: Unauthenticated
//   - [permissions.ErrQuestion]: PermissionDenied if it is for an action that the policy does not know,
//     because the service chose that, and otherwise InvalidArgument
//   - [permissions.ErrDenied]: PermissionDenied
//   - [permissions.ErrClaim], [permissions.ErrNarrow], [permissions.ErrSQL]: Internal
//   - an error with a status of its own, such as one that [status.Error] made: that status, as it is
//   - any other error: Internal
//
// If the call has ended by then, Unavailable becomes Canceled or DeadlineExceeded. An error with a status of its
// own keeps its status.
type Error struct {
	// Code is the code of the status. OK, and a number that is not a code, count as Internal.
	Code codes.Code

	// Reason is the reason in the details of the status ([errdetails.ErrorInfo]). If it is empty, the
	// status does not have that detail.
	Reason string

	// Err is what happened, for logs. It never contains a token, unless a function of the service put one
	// into an error. Of a panic it has the type of the value only. It may be nil.
	Err error

	status *status.Status // of the service; nil for none
}

// Error returns what the caller gets, as the error of a gRPC client does. It has nothing of e.Err, except where
// that is an error with a status of its own. So nothing leaks where another interceptor wraps e, which has gRPC
// send the whole text. A nil Error has a text too.
func (e *Error) Error() string { return e.GRPCStatus().Err().Error() }

// Unwrap returns e.Err, and nil for a nil Error.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// messages are the texts of statuses. For another code it is the name of the code. It is not modified.
var messages = map[codes.Code]string{
	codes.Unauthenticated:  "unauthenticated",
	codes.PermissionDenied: "permission denied",
	codes.InvalidArgument:  "invalid argument",
	codes.NotFound:         "not found",
	codes.Unavailable:      "unavailable",
	codes.Internal:         "internal error",
}

// retryDelay is how long a caller waits before it tries again after Unavailable.
const retryDelay = 5 * time.Second

// GRPCStatus returns the status that the caller gets: the code, a text that only depends on the code,
// and in the details the reason ([errdetails.ErrorInfo]) and, for Unavailable, how long to wait
// ([errdetails.RetryInfo]). It has nothing of e.Err, except where that is an error with a status of its
// own. For a nil Error it is Internal.
func (e *Error) GRPCStatus() *status.Status {
	switch {
	case e == nil:
		return new(Error).GRPCStatus()
	case e.status != nil:
		return e.status
	}
	code := e.code()
	message, ok := messages[code]
	if !ok {
		message = code.String()
	}
	var details []protoadapt.MessageV1
	if e.Reason != "" {
		details = append(details, &errdetails.ErrorInfo{Reason: e.Reason, Domain: Domain})
	}
	if code == codes.Unavailable {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(retryDelay)})
	}
	st, err := status.New(code, message).WithDetails(details...)
	if err != nil { // the reason is not valid UTF-8
		return status.New(code, message)
	}
	return st
}

// code returns e.Code if that is the code of an error, and otherwise Internal.
func (e *Error) code() codes.Code {
	if e.Code == codes.OK || e.Code > codes.Unauthenticated {
		return codes.Internal
	}
	return e.Code
}

// errNotListed says that a method is not in the table.
var errNotListed = errors.New("the method is not in the table, so nobody may call it")

// answers are the answers to errors, and the codes that a log has for them. The first error that matches
// counts. It is not modified.
var answers = [...]struct {
	err    error
	code   codes.Code
	reason string
	logged string
}{
	{httpauth.ErrNotFound, codes.NotFound, ReasonNotFound, "not_found"},
	{httpauth.ErrNoToken, codes.Unauthenticated, ReasonNoToken, "no_token"},
	{httpauth.ErrAuthorization, codes.Unauthenticated, ReasonInvalidRequest, "bad_authorization"},
	{httpauth.ErrRevoked, codes.Unauthenticated, ReasonInvalidToken, "token_revoked"},
	{usertoken.ErrKeys, codes.Unavailable, ReasonUnavailable, "keys_unavailable"},
	{usertoken.ErrToken, codes.Unauthenticated, ReasonInvalidToken, "token_refused"},
	{errNotListed, codes.PermissionDenied, ReasonInsufficientScope, "method_not_listed"},
	{permissions.ErrQuestion, codes.InvalidArgument, ReasonInvalidTarget, permissions.ReasonInvalidQuestion.String()},
	{permissions.ErrDenied, codes.PermissionDenied, ReasonInsufficientScope, "denied"},
	{permissions.ErrClaim, codes.Internal, "", "error"},
	{permissions.ErrNarrow, codes.Internal, "", "error"},
	{permissions.ErrSQL, codes.Internal, "", "error"},
}

// answerTo returns the answer to an error of this module, and nil if err is another one.
func answerTo(err error) *Error {
	var own *Error
	var http *httpauth.Error
	switch {
	case errors.As(err, &own):
		if own == nil {
			return new(Error)
		}
		return own
	case errors.As(err, &http):
		if http == nil {
			return new(Error)
		}
		return &Error{Code: codeOf(http.Status), Reason: strings.ToUpper(http.Code), Err: err}
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			e := &Error{Code: a.code, Reason: a.reason, Err: err}
			var question *permissions.QuestionError
			if a.err == permissions.ErrQuestion && errors.As(err, &question) && question != nil && question.Field == "action" {
				e.Code, e.Reason = codes.PermissionDenied, ReasonInsufficientScope
			}
			return e
		}
	}
	return nil
}

// errorOf returns the answer to an error that ends a call with a context.
func errorOf(ctx context.Context, err error) *Error {
	e := answerTo(err)
	var service interface{ GRPCStatus() *status.Status }
	switch {
	case e != nil:
	case errors.As(err, &service) && service.GRPCStatus().Code() != codes.OK:
		st := service.GRPCStatus() // status.FromError would add the texts that err wraps it in
		return &Error{Code: st.Code(), Err: err, status: st}
	default:
		e = &Error{Code: codes.Internal, Err: err}
	}
	if ended := ctx.Err(); ended != nil && e.code() == codes.Unavailable {
		return &Error{Code: status.FromContextError(ended).Code(), Err: err}
	}
	return e
}

// codeOf returns the code for a status of HTTP.
func codeOf(httpStatus int) codes.Code {
	switch httpStatus {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusTooManyRequests:
		return codes.ResourceExhausted
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	}
	return codes.Internal
}

// A panicError is a panic in a function of the service. It has the type of the value only, because the
// value may hold a token.
type panicError struct {
	kind  string
	stack []byte
}

func (e *panicError) Error() string { return "panic of type " + e.kind }

// recovered calls a function, and returns a panic in it as an error. gRPC recovers no panic, so one
// message could end the process.
func recovered(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicError{fmt.Sprintf("%T", value), debug.Stack()}
		}
	}()
	return f()
}
