package grpcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/grpcauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

func TestError(t *testing.T) {
	cause := errors.New("the rule integration:secret")
	for _, tt := range []struct {
		name string
		err  *grpcauth.Error
		code codes.Code
		text string
	}{
		{"nil", nil, codes.Internal, "rpc error: code = Internal desc = internal error"},
		{"zero", new(grpcauth.Error), codes.Internal, "rpc error: code = Internal desc = internal error"},
		{"not a code", &grpcauth.Error{Code: 17}, codes.Internal, "rpc error: code = Internal desc = internal error"},
		{
			"a code", &grpcauth.Error{Code: codes.PermissionDenied, Err: cause}, codes.PermissionDenied,
			"rpc error: code = PermissionDenied desc = permission denied",
		},
		{
			"another code", &grpcauth.Error{Code: codes.Aborted, Err: cause}, codes.Aborted,
			"rpc error: code = Aborted desc = Aborted",
		},
		{
			"a reason that is not valid UTF-8", &grpcauth.Error{Code: codes.Aborted, Reason: "\xff"}, codes.Aborted,
			"rpc error: code = Aborted desc = Aborted",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.code, status.Code(tt.err))
			require.Equal(t, tt.text, tt.err.Error())
			if tt.err != nil && tt.err.Err != nil {
				require.ErrorIs(t, tt.err, cause)
			} else {
				require.NoError(t, tt.err.Unwrap())
			}
			wrapped := fmt.Errorf("outer: %w", tt.err)
			require.NotContains(t, status.Convert(wrapped).Message(), "secret", "gRPC sends the text of what wraps an error")
		})
	}
}

// A function that services use with both packages can return an error of httpauth.
func TestErrorsOfHTTPAuth(t *testing.T) {
	for _, tt := range []struct {
		status int
		code   codes.Code
	}{
		{http.StatusBadRequest, codes.InvalidArgument},
		{http.StatusUnauthorized, codes.Unauthenticated},
		{http.StatusForbidden, codes.PermissionDenied},
		{http.StatusNotFound, codes.NotFound},
		{http.StatusTooManyRequests, codes.ResourceExhausted},
		{http.StatusServiceUnavailable, codes.Unavailable},
		{http.StatusTeapot, codes.Internal},
		{http.StatusOK, codes.Internal},
	} {
		t.Run(http.StatusText(tt.status), func(t *testing.T) {
			auth := newAuth(t, grpcauth.WithTokenFrom(func(ctx context.Context) (string, error) {
				return "", &httpauth.Error{Status: tt.status, Err: errors.New("secret")}
			}))
			_, err := auth.AuthFunc(t.Context())
			requireStatus(t, err, tt.code, "")
		})
	}
	t.Run("with a code", func(t *testing.T) {
		auth := newAuth(t, grpcauth.WithTokenFrom(func(ctx context.Context) (string, error) {
			return "", fmt.Errorf("x: %w", &httpauth.Error{Status: http.StatusUnauthorized, Code: httpauth.CodeInvalidToken})
		}))
		_, err := auth.AuthFunc(t.Context())
		requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
	})
}

// The error that an interceptor outside gets has the cause.
func TestErrorHasItsCause(t *testing.T) {
	auth := newAuth(t)
	_, err := auth.AuthFunc(t.Context())
	require.ErrorIs(t, err, httpauth.ErrNoToken)
	var e *grpcauth.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, grpcauth.ReasonNoToken, e.Reason)
	require.NotErrorIs(t, err, usertoken.ErrToken)
	require.NotErrorIs(t, err, permissions.ErrDenied)
}
