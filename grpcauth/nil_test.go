package grpcauth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/grpcauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// A statusError is an error with a status of its own, and perhaps a cause.
type statusError struct{ cause error }

func (e *statusError) Error() string { return e.cause.Error() }
func (e *statusError) Unwrap() error { return e.cause }
func (e *statusError) GRPCStatus() *status.Status {
	return status.New(codes.Unknown, e.cause.Error())
}

// nilErrors are errors that are nil pointers. The methods of some of them panic.
var nilErrors = map[string]error{
	"a denial":               (*permissions.DeniedError)(nil),
	"a question":             (*permissions.QuestionError)(nil),
	"a claim":                (*permissions.ParseError)(nil),
	"a refusal to narrow":    (*permissions.NarrowError)(nil),
	"a token":                (*usertoken.TokenError)(nil),
	"an error of grpcauth":   (*grpcauth.Error)(nil),
	"an error of httpauth":   (*httpauth.Error)(nil),
	"an error with a status": (*statusError)(nil),
	"one of several":         errors.Join((*permissions.DeniedError)(nil), io.EOF),
}

func callWith(t *testing.T, auth *grpcauth.Interceptor, method string, request any, handler grpc.UnaryHandler) error {
	t.Helper()
	token := metadata.Pairs("authorization", "Bearer "+kit.Token(t, "ann", salesOnly))
	ctx := metadata.NewIncomingContext(t.Context(), token)
	_, err := auth.Unary(ctx, request, &grpc.UnaryServerInfo{FullMethod: method}, handler)
	return err
}

func TestNilErrorsOfATarget(t *testing.T) {
	for name, nilError := range nilErrors {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			auth, err := grpcauth.New(kit.Verifier(), []grpcauth.Method{grpcauth.Require(unary, permissions.ProxyAPI,
				func(context.Context, *pb.SimpleRequest) (permissions.Target, error) { return slack, nilError })},
				grpcauth.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
			require.NoError(t, err)
			err = callWith(t, auth, unary, new(pb.SimpleRequest), func(context.Context, any) (any, error) {
				t.Error("the handler was called")
				return nil, nil
			})
			require.Error(t, err)
			require.NotEqual(t, codes.OK, status.Code(err))
			require.Contains(t, log.String(), "request refused")
		})
	}
}

func TestNilErrorsOfAHandler(t *testing.T) {
	for name, nilError := range nilErrors {
		t.Run(name, func(t *testing.T) {
			auth, err := grpcauth.New(kit.Verifier(), table(), grpcauth.WithLogger(slog.New(slog.DiscardHandler)))
			require.NoError(t, err)
			err = callWith(t, auth, authOnly, new(pb.Empty), func(context.Context, any) (any, error) { return nil, nilError })
			require.Error(t, err)
		})
	}
}

// A denial in an error with a status of its own is answered as a denial, which names no rule.
func TestHandlerWrapsADenialInAStatus(t *testing.T) {
	err := callWith(t, newAuth(t), authOnly, new(pb.Empty), func(ctx context.Context, _ any) (any, error) {
		finance := permissions.ExternalID("finance")
		denied := httpauth.Policy(ctx).Check(permissions.ProxyAPI, slack.Credential(permissions.NoID(), finance))
		require.ErrorIs(t, denied, permissions.ErrDenied)
		return nil, &statusError{denied}
	})
	require.Equal(t, codes.PermissionDenied, status.Code(err))
	require.NotContains(t, status.Convert(err).String(), "finance")
}

func TestErrorHandlerPanics(t *testing.T) {
	var log bytes.Buffer
	auth, err := grpcauth.New(kit.Verifier(), table(), grpcauth.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
		grpcauth.WithErrorHandler(func(context.Context, *grpcauth.Error) error { panic("broken") }))
	require.NoError(t, err)
	err = callWith(t, auth, authOnly, new(pb.Empty), func(context.Context, any) (any, error) {
		return nil, httpauth.ErrNotFound
	})
	require.Equal(t, codes.NotFound, status.Code(err))
	require.Contains(t, log.String(), "error handler panicked")
}
