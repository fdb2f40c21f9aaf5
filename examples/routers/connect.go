package routers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// The procedures of Connect. Generated code has such constants.
const (
	SendProcedure       = "/acme.v1.Proxy/Send"
	StreamProcedure     = "/acme.v1.Proxy/Stream"
	DisconnectProcedure = "/acme.v1.Credentials/Disconnect"
)

// proxy is the target of the procedures that name a credential in a header.
var proxy = httpauth.Sources{
	Integration: httpauth.Literal("slack"),
	Credential:  httpauth.Header(httpauth.CredentialHeader),
}

// Connect has handlers of connectrpc.com/connect, which are handlers of net/http. Each speaks three
// protocols: Connect, gRPC and gRPC-Web. Auth should have ConnectErrors as its error handler, so that
// clients read refusals as errors of their protocol.
//
// The middleware sees headers, and no message. Where headers name the target, it asks the policy. Where a
// message does, it verifies the token, and the handler asks.
func Connect(auth *httpauth.Middleware, deleted func(integration, credential string)) http.Handler {
	mux := http.NewServeMux()
	require := auth.Require(permissions.ProxyAPI, proxy.Target)
	mux.Handle(SendProcedure, require(connect.NewUnaryHandlerSimple(SendProcedure, send)))
	mux.Handle(StreamProcedure, require(connect.NewBidiStreamHandler(StreamProcedure, stream)))
	mux.Handle(DisconnectProcedure, auth.Wrap(connect.NewUnaryHandlerSimple(DisconnectProcedure,
		func(ctx context.Context, m *wrapperspb.StringValue) (*emptypb.Empty, error) {
			integration, credential, _ := strings.Cut(m.GetValue(), "/")
			target := permissions.Integration(integration).Credential(permissions.Reference(credential))
			if err := httpauth.Policy(ctx).Check(permissions.CredentialWrite, target); err != nil {
				return nil, ConnectError(err)
			}
			deleted(integration, credential)
			return new(emptypb.Empty), nil
		})))
	return mux
}

// send answers with the subject and the message.
func send(ctx context.Context, m *wrapperspb.StringValue) (*wrapperspb.StringValue, error) {
	return wrapperspb.String(httpauth.Claims(ctx).Subject + ": " + m.GetValue()), nil
}

// stream answers each message as send does, as long as the token is good.
func stream(ctx context.Context, s *connect.BidiStream[wrapperspb.StringValue, wrapperspb.StringValue]) error {
	for {
		m, err := s.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := httpauth.Claims(ctx).Valid(); err != nil {
			return ConnectError(err)
		}
		answer, err := send(ctx, m)
		if err != nil {
			return err
		}
		if err := s.Send(answer); err != nil {
			return err
		}
	}
}

// ConnectErrors returns an error handler for httpauth.WithErrorHandler. It answers requests of the
// protocols of Connect in these, and others as httpauth does. It takes most requests with GET, and
// those with POST whose content type begins with application/, such as JSON, for calls of Connect. So
// give the handlers of Connect a middleware of their own.
func ConnectErrors(opts ...connect.HandlerOption) func(http.ResponseWriter, *http.Request, *httpauth.Error) {
	writer := connect.NewErrorWriter(opts...)
	return func(w http.ResponseWriter, r *http.Request, e *httpauth.Error) {
		if !writer.IsSupported(r) {
			e.ServeHTTP(w, r)
			return
		}
		_ = writer.Write(w, r, connectError(connectCode(e.Status)))
	}
}

// ConnectError returns what a handler of Connect returns for an error of this module. Connect would
// send the text of the error itself, which names the rule that denied.
func ConnectError(err error) error {
	switch {
	case errors.Is(err, httpauth.ErrNotFound):
		return connectError(connect.CodeNotFound)
	case errors.Is(err, usertoken.ErrToken): // such as one that has run out
		return connectError(connect.CodeUnauthenticated)
	case errors.Is(err, permissions.ErrQuestion): // which matches ErrDenied too
		return connectError(connect.CodeInvalidArgument)
	case errors.Is(err, permissions.ErrDenied):
		return connectError(connect.CodePermissionDenied)
	}
	return connectError(connect.CodeInternal)
}

// connectError returns an error that says no more than its code.
func connectError(code connect.Code) error {
	return connect.NewError(code, errors.New(strings.ReplaceAll(code.String(), "_", " ")))
}

// connectCode returns the code for a status of HTTP that httpauth answers with.
func connectCode(status int) connect.Code {
	switch status {
	case http.StatusBadRequest:
		return connect.CodeInvalidArgument
	case http.StatusUnauthorized:
		return connect.CodeUnauthenticated
	case http.StatusForbidden:
		return connect.CodePermissionDenied
	case http.StatusNotFound:
		return connect.CodeNotFound
	case http.StatusServiceUnavailable:
		return connect.CodeUnavailable
	}
	return connect.CodeInternal
}
