package grpcauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	middleware "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/auth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/grpcauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

func TestCallsOfEveryKind(t *testing.T) {
	for _, tt := range []struct {
		name   string
		target string
		code   codes.Code
		reason string
		logged string
	}{
		{"an allowed credential", "sales", codes.OK, "", ""},
		{"a denied credential", "finance", codes.PermissionDenied, grpcauth.ReasonInsufficientScope, "not_granted"},
		{"a credential that no rule names", "other", codes.PermissionDenied, grpcauth.ReasonInsufficientScope, "no_rule"},
		{"an external ID that cannot be", " ", codes.InvalidArgument, grpcauth.ReasonInvalidTarget, "invalid_question"},
		{"no external ID", "", codes.InvalidArgument, grpcauth.ReasonInvalidTarget, "invalid_question"},
		{
			"a question that the function calls wrong", "wrong",
			codes.InvalidArgument, grpcauth.ReasonInvalidTarget, "invalid_question",
		},
		{"a credential that does not exist", "missing", codes.NotFound, grpcauth.ReasonNotFound, "not_found"},
		{"a panic in the function", "panic", codes.Internal, "", "panic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for kind, call := range kinds {
				t.Run(kind, func(t *testing.T) {
					var book logBook
					s := new(service)
					conn := start(t, s, newAuth(t, book.option()).ServerOptions()...)
					subject, err := call(ann(t, salesOnly), conn, tt.target)
					if tt.code == codes.OK {
						require.NoError(t, err)
						require.Equal(t, "ann", subject)
						require.Contains(t, s.calls(), tt.target)
						require.Empty(t, book.lines(t))
						return
					}
					requireStatus(t, err, tt.code, tt.reason)
					require.Empty(t, s.calls(), "the handler was called")
					line := book.only(t)
					require.Equal(t, tt.logged, line["reason"])
					require.Equal(t, tt.code.String(), line["code"])
					require.Equal(t, "ann", line["subject"])
				})
			}
		})
	}
}

// The caller gets the status that the service chose, and nothing of the error around it.
func TestStatusOfATargetFunction(t *testing.T) {
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			var book logBook
			conn := start(t, new(service), newAuth(t, book.option()).ServerOptions()...)
			_, err := call(ann(t, salesOnly), conn, "status")
			require.Equal(t, codes.FailedPrecondition, status.Code(err))
			require.Equal(t, "locked", status.Convert(err).Message())
			require.Equal(t, "error", book.only(t)["reason"])
		})
	}
}

func TestTokens(t *testing.T) {
	good := kit.Token(t, "ann", salesOnly)
	bearer := "Bearer " + good
	for _, tt := range []struct {
		name   string
		md     metadata.MD
		code   codes.Code
		reason string
		logged string
	}{
		{"a good token", metadata.Pairs("authorization", bearer), codes.OK, "", ""},
		{"a name and a scheme in other letter case", metadata.Pairs("Authorization", "bEARER   "+good), codes.OK, "", ""},
		{"no metadata", nil, codes.Unauthenticated, grpcauth.ReasonNoToken, "no_token"},
		{"an empty value", metadata.Pairs("authorization", ""), codes.Unauthenticated, grpcauth.ReasonNoToken, "no_token"},
		{
			"another scheme", metadata.Pairs("authorization", "Basic YTpi"),
			codes.Unauthenticated, grpcauth.ReasonNoToken, "no_token",
		},
		{
			"the token without a scheme", metadata.Pairs("authorization", good),
			codes.Unauthenticated, grpcauth.ReasonNoToken, "no_token",
		},
		{
			"binary metadata", metadata.Pairs("authorization-bin", bearer),
			codes.Unauthenticated, grpcauth.ReasonNoToken, "no_token",
		},
		{
			"the scheme alone", metadata.Pairs("authorization", "Bearer "),
			codes.Unauthenticated, grpcauth.ReasonInvalidRequest, "bad_authorization",
		},
		{
			"two values", metadata.Pairs("authorization", bearer, "authorization", bearer),
			codes.Unauthenticated, grpcauth.ReasonInvalidRequest, "bad_authorization",
		},
		{
			"two values in one", metadata.Pairs("authorization", bearer+", "+bearer),
			codes.Unauthenticated, grpcauth.ReasonInvalidRequest, "bad_authorization",
		},
		{
			"two tokens", metadata.Pairs("authorization", bearer+" "+good),
			codes.Unauthenticated, grpcauth.ReasonInvalidRequest, "bad_authorization",
		},
		{
			"a token that is no token", metadata.Pairs("authorization", "Bearer x"),
			codes.Unauthenticated, grpcauth.ReasonInvalidToken, "token_refused",
		},
		{
			"a huge token", metadata.Pairs("authorization", "Bearer "+strings.Repeat("a", 100_000)),
			codes.Unauthenticated, grpcauth.ReasonInvalidToken, "token_refused",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var book logBook
			s := new(service)
			conn := start(t, s, newAuth(t, book.option()).ServerOptions()...)
			for _, kind := range []string{"unary", "both streams"} {
				_, err := kinds[kind](metadata.NewOutgoingContext(t.Context(), tt.md), conn, "sales")
				if tt.code == codes.OK {
					require.NoError(t, err)
					continue
				}
				requireStatus(t, err, tt.code, tt.reason)
			}
			if tt.code == codes.OK {
				return
			}
			require.Empty(t, s.calls())
			lines := book.lines(t)
			require.Len(t, lines, 2)
			for _, line := range lines {
				require.Equal(t, tt.logged, line["reason"])
				require.Equal(t, "Unauthenticated", line["code"])
				require.NotContains(t, line, "subject")
				require.NotContains(t, fmt.Sprint(line), good)
			}
		})
	}
	for _, flaw := range permissionstest.Flaws() {
		t.Run("a flaw: "+string(flaw), func(t *testing.T) {
			s := new(service)
			conn := start(t, s, newAuth(t).ServerOptions()...)
			for kind, call := range kinds {
				_, err := call(with(t, kit.BadToken(t, flaw, "ann", salesOnly)), conn, "sales")
				requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
				require.Empty(t, s.calls(), kind)
			}
		})
	}
}

func TestMethodThatIsNotInTheTable(t *testing.T) {
	var book logBook
	s := new(service)
	conn := start(t, s, newAuth(t, book.option()).ServerOptions()...)
	client := pb.NewTestServiceClient(conn)

	_, err := client.UnimplementedCall(ann(t, permissions.Unrestricted()), new(pb.Empty))
	requireStatus(t, err, codes.PermissionDenied, grpcauth.ReasonInsufficientScope)
	require.Equal(t, map[string]any{
		"level": "WARN", "msg": "request refused", "code": "PermissionDenied", "reason": "method_not_listed",
		"subject": "ann", "method": notListed, "error": "the method is not in the table, so nobody may call it",
	}, book.only(t))
	_, err = client.UnimplementedCall(t.Context(), new(pb.Empty))
	requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonNoToken)
	require.Empty(t, s.calls())
}

// A server can handle methods that it does not know, such as one that forwards them.
func TestStreamOfAnUnknownMethod(t *testing.T) {
	unknown := grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
		return errors.New("the handler was called")
	})
	conn := start(t, new(service), append(newAuth(t).ServerOptions(), unknown)...)
	for _, name := range []string{"/a.B/C", "/" + strings.Repeat("a", 200) + "/C"} {
		err := conn.Invoke(ann(t, permissions.Unrestricted()), name, new(pb.Empty), new(pb.Empty))
		requireStatus(t, err, codes.PermissionDenied, grpcauth.ReasonInsufficientScope)
	}
}

func TestMethodThatNeedsOnlyAToken(t *testing.T) {
	s := new(service)
	conn := start(t, s, newAuth(t).ServerOptions()...)
	client := pb.NewTestServiceClient(conn)
	none := permissions.MustParse(`{}`)

	_, err := client.EmptyCall(t.Context(), new(pb.Empty))
	requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonNoToken)
	stream, err := client.HalfDuplexCall(t.Context())
	require.NoError(t, err)
	_, err = stream.Recv()
	requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonNoToken)
	require.Empty(t, s.calls())

	_, err = client.EmptyCall(ann(t, none), new(pb.Empty))
	require.NoError(t, err)
	require.Equal(t, []string{"empty"}, s.calls())
	stream, err = client.HalfDuplexCall(ann(t, none))
	require.NoError(t, err)
	require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload("a")}))
	m, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, "ann", string(m.GetPayload().GetBody()))
}

// Health checkers and tools that use reflection have no token.
func TestOpenMethods(t *testing.T) {
	conn := start(t, new(service), newAuth(t).ServerOptions()...)
	answer, err := healthpb.NewHealthClient(conn).Check(t.Context(), new(healthpb.HealthCheckRequest))
	require.NoError(t, err)
	require.Equal(t, healthpb.HealthCheckResponse_SERVING, answer.GetStatus())
	watch, err := healthpb.NewHealthClient(conn).Watch(t.Context(), new(healthpb.HealthCheckRequest))
	require.NoError(t, err)
	answer, err = watch.Recv()
	require.NoError(t, err)
	require.Equal(t, healthpb.HealthCheckResponse_SERVING, answer.GetStatus())

	stream, err := reflectionpb.NewServerReflectionClient(conn).ServerReflectionInfo(t.Context())
	require.NoError(t, err)
	require.NoError(t, stream.Send(&reflectionpb.ServerReflectionRequest{
		MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{},
	}))
	list, err := stream.Recv()
	require.NoError(t, err)
	require.Len(t, list.GetListServicesResponse().GetService(), 4)
}

// A method that needs no token must be in the table too.
func TestOpenMethodsMustBeListed(t *testing.T) {
	auth, err := grpcauth.New(kit.Verifier(), nil)
	require.NoError(t, err)
	conn := start(t, new(service), auth.ServerOptions()...)
	_, err = healthpb.NewHealthClient(conn).Check(t.Context(), new(healthpb.HealthCheckRequest))
	requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonNoToken)
	_, err = healthpb.NewHealthClient(conn).Check(ann(t, permissions.Unrestricted()), new(healthpb.HealthCheckRequest))
	requireStatus(t, err, codes.PermissionDenied, grpcauth.ReasonInsufficientScope)
}

func TestNilAndZeroInterceptorLetNobodyPass(t *testing.T) {
	for name, auth := range map[string]*grpcauth.Interceptor{"nil": nil, "zero": new(grpcauth.Interceptor)} {
		t.Run(name, func(t *testing.T) {
			s := new(service)
			conn := start(t, s, auth.ServerOptions()...)
			for kind, call := range kinds {
				_, err := call(ann(t, permissions.Unrestricted()), conn, "sales")
				requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
				require.Empty(t, s.calls(), kind)
			}
			_, err := auth.AuthFunc(t.Context())
			requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonNoToken)
		})
	}
	t.Run("nil verifier", func(t *testing.T) {
		auth, err := grpcauth.New(nil, table())
		require.NoError(t, err)
		_, err = callUnary(ann(t, permissions.Unrestricted()), start(t, new(service), auth.ServerOptions()...), "sales")
		requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
	})
}

// downVerifier is a verifier whose key source returns what a function returns.
func downVerifier(t testing.TB, source func(context.Context) error) *usertoken.Verifier {
	t.Helper()
	verifier, err := usertoken.NewVerifier(permissionstest.ProjectID, nil,
		usertoken.WithKeySource(func(ctx context.Context, _ *jwt.Token) (any, error) { return nil, source(ctx) }))
	require.NoError(t, err)
	return verifier
}

func TestKeysThatCannotBeLookedUp(t *testing.T) {
	var book logBook
	// The key server may be a gRPC service, whose status is not the caller's.
	down := downVerifier(t, func(context.Context) error { return status.Error(codes.PermissionDenied, "who are you?") })
	auth, err := grpcauth.New(down, table(), book.option())
	require.NoError(t, err)
	conn := start(t, new(service), auth.ServerOptions()...)
	for kind, call := range kinds {
		_, err := call(ann(t, salesOnly), conn, "sales")
		requireStatus(t, err, codes.Unavailable, grpcauth.ReasonUnavailable)
		require.Len(t, status.Convert(err).Details(), 2, kind)
	}
	lines := book.lines(t)
	require.Len(t, lines, len(kinds))
	require.Equal(t, "keys_unavailable", lines[0]["reason"])
	require.Equal(t, "ERROR", lines[0]["level"])
}

// A client that goes away while the keys are looked up is not an outage of the keys.
func TestClientThatGoesAwayWhileTheTokenIsVerified(t *testing.T) {
	for name, tt := range map[string]struct {
		timeout time.Duration
		code    codes.Code
	}{"canceled": {time.Hour, codes.Canceled}, "timed out": {50 * time.Millisecond, codes.DeadlineExceeded}} {
		t.Run(name, func(t *testing.T) {
			var book logBook
			waiting, done := make(chan bool, 1), make(chan error, 1)
			auth, err := grpcauth.New(downVerifier(t, func(ctx context.Context) error {
				waiting <- true
				<-ctx.Done()
				return ctx.Err()
			}), table(), book.option(), grpcauth.WithVerificationObserver(func(_ context.Context, _ time.Duration, err error) {
				done <- err
			}))
			require.NoError(t, err)
			s := new(service)
			conn := start(t, s, auth.ServerOptions()...)
			ctx, cancel := context.WithTimeout(ann(t, salesOnly), tt.timeout)
			defer cancel()
			go func() {
				<-waiting
				if tt.code == codes.Canceled {
					cancel()
				}
			}()
			_, err = callUnary(ctx, conn, "sales")
			require.Equal(t, tt.code, status.Code(err))
			require.ErrorIs(t, <-done, usertoken.ErrKeys)
			require.Eventually(t, func() bool { return len(book.lines(t)) == 1 }, 10*time.Second, time.Millisecond)
			require.Equal(t, "canceled", book.only(t)["reason"])
			require.Equal(t, "WARN", book.only(t)["level"])
			require.Empty(t, s.calls())
		})
	}
}

func TestChecks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		code   codes.Code
		reason string
		logged string
	}{
		{"no error", nil, codes.OK, "", ""},
		{"revoked", httpauth.ErrRevoked, codes.Unauthenticated, grpcauth.ReasonInvalidToken, "token_revoked"},
		{
			"refused", fmt.Errorf("%w: stale", usertoken.ErrToken),
			codes.Unauthenticated, grpcauth.ReasonInvalidToken, "token_refused",
		},
		{"an error", errors.New("no database"), codes.Unavailable, grpcauth.ReasonUnavailable, "error"},
		{
			"the status of a call that the check made", status.Error(codes.NotFound, "no such list"),
			codes.Unavailable, grpcauth.ReasonUnavailable, "error",
		},
		{
			"an error with a code", &grpcauth.Error{Code: codes.ResourceExhausted, Reason: "TOO_MANY"},
			codes.ResourceExhausted, "TOO_MANY", "error",
		},
		{
			"an error of httpauth", &httpauth.Error{Status: http.StatusForbidden, Code: httpauth.CodeInsufficientScope},
			codes.PermissionDenied, grpcauth.ReasonInsufficientScope, "error",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var book logBook
			s := new(service)
			var checked []string
			auth := newAuth(t, book.option(), grpcauth.WithCheck(func(ctx context.Context, claims *usertoken.Claims) error {
				_, ok := httpauth.FromContext(ctx)
				assert.False(t, ok)
				checked = append(checked, claims.Subject)
				return tt.err
			}))
			_, err := callUnary(ann(t, salesOnly), start(t, s, auth.ServerOptions()...), "sales")
			require.Equal(t, []string{"ann"}, checked)
			if tt.code == codes.OK {
				require.NoError(t, err)
				return
			}
			requireStatus(t, err, tt.code, tt.reason)
			require.Empty(t, s.calls())
			require.Equal(t, tt.logged, book.only(t)["reason"])
			require.Equal(t, "ann", book.only(t)["subject"])
		})
	}
	t.Run("nil", func(t *testing.T) {
		conn := start(t, new(service), newAuth(t, grpcauth.WithCheck(nil)).ServerOptions()...)
		_, err := callUnary(ann(t, salesOnly), conn, "sales")
		requireStatus(t, err, codes.Unavailable, grpcauth.ReasonUnavailable)
	})
	t.Run("panic", func(t *testing.T) {
		auth := newAuth(t, grpcauth.WithCheck(func(context.Context, *usertoken.Claims) error { panic("a bug") }))
		conn := start(t, new(service), auth.ServerOptions()...)
		for _, call := range kinds {
			_, err := call(ann(t, salesOnly), conn, "sales")
			requireStatus(t, err, codes.Internal, "")
		}
	})
}

func TestCeilings(t *testing.T) {
	everything, nothing := permissions.Unrestricted(), permissions.MustParse(`{}`)
	for _, tt := range []struct {
		name    string
		ceiling grpcauth.Option
		policy  *permissions.Policy
		code    codes.Code
		by      any
	}{
		{"a ceiling that allows", grpcauth.WithCeiling(everything), salesOnly, codes.OK, nil},
		{"a ceiling that denies", grpcauth.WithCeiling(nothing), everything, codes.PermissionDenied, "ceiling"},
		{"a token that denies", grpcauth.WithCeiling(everything), nothing, codes.PermissionDenied, "token"},
		{"a nil ceiling", grpcauth.WithCeiling(nil), everything, codes.PermissionDenied, "ceiling"},
		{"a nil function", grpcauth.WithCeilingFunc(nil), everything, codes.Internal, nil},
		{
			"an error", grpcauth.WithCeilingFunc(func(context.Context, *usertoken.Claims) (*permissions.Policy, error) {
				return everything, errors.New("no database")
			}), everything, codes.Internal, nil,
		},
		{
			"a function of the claims and the method",
			grpcauth.WithCeilingFunc(func(ctx context.Context, claims *usertoken.Claims) (*permissions.Policy, error) {
				if name, _ := grpc.Method(ctx); claims.Subject == "ann" && name == unary {
					return permissions.MustParse(`{"integration:*": ["events"]}`), nil
				}
				return everything, nil
			}), everything, codes.PermissionDenied, "ceiling",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var book logBook
			s := new(service)
			conn := start(t, s, newAuth(t, tt.ceiling, book.option()).ServerOptions()...)
			_, err := callUnary(ann(t, tt.policy), conn, "sales")
			require.Equal(t, tt.code, status.Code(err))
			if tt.code != codes.OK {
				require.Empty(t, s.calls())
				require.Equal(t, tt.by, book.only(t)["denied_by"])
			}
		})
	}
	t.Run("the handler's policy is below the ceiling", func(t *testing.T) {
		s := &service{on: func(ctx context.Context) error {
			return httpauth.Policy(ctx).Check(permissions.Events, permissions.Integration("jira"))
		}}
		auth := newAuth(t, grpcauth.WithCeiling(permissions.MustParse(`{"integration:slack": true}`)))
		_, err := callUnary(ann(t, everything), start(t, s, auth.ServerOptions()...), "sales")
		requireStatus(t, err, codes.PermissionDenied, grpcauth.ReasonInsufficientScope)
	})
}

// What one interceptor does not allow, another one inside of it does not allow either.
func TestCeilingHoldsInside(t *testing.T) {
	everything, nothing := permissions.Unrestricted(), permissions.MustParse(`{}`)
	slackOnly := grpcauth.WithCeiling(permissions.MustParse(`{"integration:slack": true}`))
	other := &usertoken.Claims{Policy: everything}
	for _, tt := range []struct {
		name   string
		around func(t *testing.T) []grpc.ServerOption
		jira   codes.Code
	}{
		{"directly", func(t *testing.T) []grpc.ServerOption {
			return newAuth(t, slackOnly).ServerOptions()
		}, codes.PermissionDenied},
		{"with another interceptor between them", func(t *testing.T) []grpc.ServerOption {
			return append(newAuth(t, slackOnly).ServerOptions(), newAuth(t).ServerOptions()...)
		}, codes.PermissionDenied},
		{"with a report-only interceptor between them", func(t *testing.T) []grpc.ServerOption {
			return append(newAuth(t, slackOnly).ServerOptions(),
				newAuth(t, append(reportOnly, grpcauth.WithCeiling(nothing))...).ServerOptions()...)
		}, codes.PermissionDenied},
		{"with a report-only interceptor that accepts no token between them", func(t *testing.T) []grpc.ServerOption {
			between, err := grpcauth.New(nil, table(), reportOnly...)
			require.NoError(t, err)
			return append(newAuth(t, slackOnly).ServerOptions(), between.ServerOptions()...)
		}, codes.PermissionDenied},
		{"with other claims between them", func(t *testing.T) []grpc.ServerOption {
			return append(newAuth(t, slackOnly).ServerOptions(), outerUnary(func(ctx context.Context) context.Context {
				return httpauth.NewContext(ctx, other)
			}))
		}, codes.PermissionDenied},
		{"not of a report-only interceptor", func(t *testing.T) []grpc.ServerOption {
			return newAuth(t, append(reportOnly, grpcauth.WithCeiling(nothing))...).ServerOptions()
		}, codes.OK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, opts := range [][]grpcauth.Option{nil, {grpcauth.WithCeiling(everything)}} {
				var book logBook
				s := &service{on: func(ctx context.Context) error {
					assert.True(t, httpauth.Policy(ctx).Allowed(permissions.Events, permissions.Integration("slack")))
					return httpauth.Policy(ctx).Check(permissions.Events, permissions.Integration("jira"))
				}}
				inner := newAuth(t, append(opts, book.option())...)
				conn := start(t, s, append(tt.around(t), inner.ServerOptions()...)...)
				_, err := callUnary(ann(t, everything), conn, "sales")
				require.Equal(t, tt.jira, status.Code(err))
				if tt.jira != codes.OK {
					require.Equal(t, "ceiling", book.only(t)["denied_by"])
				}
			}
		})
	}
	t.Run("in streams", func(t *testing.T) {
		s := &service{on: func(ctx context.Context) error {
			return httpauth.Policy(ctx).Check(permissions.Events, permissions.Integration("jira"))
		}}
		outer := newAuth(t, slackOnly)
		conn := start(t, s, append(outer.ServerOptions(), newAuth(t).ServerOptions()...)...)
		for kind, call := range kinds {
			_, err := call(ann(t, everything), conn, "sales")
			require.Equal(t, codes.PermissionDenied, status.Code(err), kind)
		}
	})
	t.Run("after AuthFunc", func(t *testing.T) {
		auth, err := grpcauth.New(kit.Verifier(), []grpcauth.Method{grpcauth.Authenticate(unary)}, slackOnly)
		require.NoError(t, err)
		outer := middleware.UnaryServerInterceptor(auth.AuthFunc)
		s := &service{on: func(ctx context.Context) error {
			return httpauth.Policy(ctx).Check(permissions.Events, permissions.Integration("jira"))
		}}
		options := append([]grpc.ServerOption{grpc.ChainUnaryInterceptor(outer)}, newAuth(t).ServerOptions()...)
		_, err = callUnary(ann(t, everything), start(t, s, options...), "sales")
		requireStatus(t, err, codes.PermissionDenied, grpcauth.ReasonInsufficientScope)
	})
}

func TestObservers(t *testing.T) {
	type key struct{}
	var observed []permissions.Observation
	var subjects []string
	var verified []error
	auth := newAuth(t,
		grpcauth.WithObserver(nil), grpcauth.WithVerificationObserver(nil), nil,
		grpcauth.WithObserver(func(ctx context.Context, o permissions.Observation) {
			assert.Equal(t, "outer", ctx.Value(key{}))
			observed, subjects = append(observed, o), append(subjects, httpauth.Claims(ctx).Subject)
		}),
		grpcauth.WithVerificationObserver(func(ctx context.Context, took time.Duration, err error) {
			_, ok := httpauth.FromContext(ctx)
			assert.Equal(t, err == nil, ok)
			assert.GreaterOrEqual(t, took, time.Duration(0))
			verified = append(verified, err)
		}))
	outer := outerUnary(func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, "outer") })
	s := &service{on: func(ctx context.Context) error {
		httpauth.Policy(ctx).Allowed(permissions.Events, slack)
		return nil
	}}
	conn := start(t, s, append([]grpc.ServerOption{outer}, auth.ServerOptions()...)...)

	_, err := callUnary(ann(t, salesOnly), conn, "sales")
	require.NoError(t, err)
	require.Len(t, observed, 2)
	require.Equal(t, permissions.ProxyAPI, observed[0].Action)
	require.True(t, observed[0].Decision.Allowed)
	require.Equal(t, sales, observed[0].Target)
	require.Equal(t, permissions.Events, observed[1].Action)
	require.Equal(t, []string{"ann", "ann"}, subjects)
	require.Equal(t, []error{nil}, verified)

	observed = nil
	_, err = callUnary(ann(t, salesOnly), conn, "wrong")
	requireStatus(t, err, codes.InvalidArgument, grpcauth.ReasonInvalidTarget)
	require.Len(t, observed, 1)
	require.Equal(t, permissions.ReasonInvalidQuestion, observed[0].Decision.Reason)
	require.Equal(t, permissions.Target{}, observed[0].Target)

	observed, verified = nil, nil
	_, err = callUnary(ann(t, salesOnly), conn, "missing") // not a question
	requireStatus(t, err, codes.NotFound, grpcauth.ReasonNotFound)
	_, err = callUnary(t.Context(), conn, "sales")
	requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonNoToken)
	require.Empty(t, observed)
	require.Len(t, verified, 2)
	require.ErrorIs(t, verified[1], httpauth.ErrNoToken)
}

func TestTokenFromAnotherPlace(t *testing.T) {
	for _, tt := range []struct {
		name   string
		from   func(context.Context) (string, error)
		code   codes.Code
		reason string
	}{
		{"other metadata", func(ctx context.Context) (string, error) {
			return strings.Join(metadata.ValueFromIncomingContext(ctx, "token"), ""), nil
		}, codes.OK, ""},
		{"an empty token", func(context.Context) (string, error) {
			return "", nil
		}, codes.Unauthenticated, grpcauth.ReasonNoToken},
		{"several", func(context.Context) (string, error) {
			return "", httpauth.ErrAuthorization
		}, codes.Unauthenticated, grpcauth.ReasonInvalidRequest},
		{"another error", func(context.Context) (string, error) { return "", errors.New("broken") }, codes.Internal, ""},
		{"nil", nil, codes.Unauthenticated, grpcauth.ReasonNoToken},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn := start(t, new(service), newAuth(t, grpcauth.WithTokenFrom(tt.from)).ServerOptions()...)
			ctx := metadata.AppendToOutgoingContext(t.Context(), "token", kit.Token(t, "ann", salesOnly))
			_, err := callUnary(ctx, conn, "sales")
			if tt.code == codes.OK {
				require.NoError(t, err)
				return
			}
			requireStatus(t, err, tt.code, tt.reason)
		})
	}
}

// An interceptor outside may have put claims into the context, and so may a middleware around a server
// that is a handler of net/http.
func TestClaimsThatTheContextHadDoNotCount(t *testing.T) {
	claims := &usertoken.Claims{Policy: permissions.Unrestricted()}
	outer := outerUnary(func(ctx context.Context) context.Context { return httpauth.NewContext(ctx, claims) })
	for name, opts := range map[string][]grpcauth.Option{"enforcing": nil, "report only": reportOnly} {
		t.Run(name, func(t *testing.T) {
			s := &service{on: func(ctx context.Context) error {
				return httpauth.Policy(ctx).Check(permissions.Events, slack)
			}}
			conn := start(t, s, append([]grpc.ServerOption{outer}, newAuth(t, opts...).ServerOptions()...)...)
			_, err := callUnary(t.Context(), conn, "sales")
			require.Contains(t, []codes.Code{codes.Unauthenticated, codes.PermissionDenied}, status.Code(err))
		})
	}
}

func TestReportOnly(t *testing.T) {
	expired := kit.BadToken(t, permissionstest.FlawExpired, "ann", salesOnly)
	for _, tt := range []struct {
		name   string
		token  string
		target string
		reason any
		has    bool // the handler has claims
	}{
		{"allowed", kit.Token(t, "ann", salesOnly), "sales", nil, true},
		{"denied", kit.Token(t, "ann", salesOnly), "finance", "not_granted", true},
		{"panic", kit.Token(t, "ann", salesOnly), "panic", "panic", true},
		{"refused", expired, "sales", "token_refused", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for kind, call := range kinds {
				t.Run(kind, func(t *testing.T) {
					var book logBook
					s := &service{on: func(ctx context.Context) error {
						_, ok := httpauth.FromContext(ctx)
						assert.Equal(t, tt.has, ok)
						return nil
					}}
					conn := start(t, s, newAuth(t, grpcauth.ReportOnly(), book.option()).ServerOptions()...)
					_, err := call(with(t, tt.token), conn, tt.target)
					require.NoError(t, err)
					require.Contains(t, s.calls(), tt.target)
					if tt.reason == nil {
						require.Empty(t, book.lines(t))
						return
					}
					line := book.only(t)
					require.Equal(t, tt.reason, line["reason"])
					require.Equal(t, "request would be refused", line["msg"])
					require.Equal(t, true, line["report_only"])
				})
			}
		})
	}
	t.Run("a method that is not in the table", func(t *testing.T) {
		var book logBook
		auth, err := grpcauth.New(kit.Verifier(), nil, grpcauth.ReportOnly(), book.option())
		require.NoError(t, err)
		conn := start(t, new(service), auth.ServerOptions()...)
		for _, call := range kinds {
			_, err := call(ann(t, salesOnly), conn, "finance")
			require.NoError(t, err)
		}
		require.Len(t, book.lines(t), len(kinds))
		for _, line := range book.lines(t) {
			require.Equal(t, "method_not_listed", line["reason"])
		}
	})
	t.Run("a stream whose server speaks first", func(t *testing.T) {
		s := &service{stream: func(stream bidiStream) error {
			return stream.Send(&pb.StreamingOutputCallResponse{Payload: payload("welcome")})
		}}
		conn := start(t, s, newAuth(t, reportOnly...).ServerOptions()...)
		stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(ann(t, salesOnly))
		require.NoError(t, err)
		m, err := stream.Recv()
		require.NoError(t, err)
		require.Equal(t, "welcome", string(m.GetPayload().GetBody()))
	})
	t.Run("a handler that asks for itself decides", func(t *testing.T) {
		s := &service{on: func(ctx context.Context) error { return httpauth.Policy(ctx).Check(permissions.Events, slack) }}
		conn := start(t, s, newAuth(t, reportOnly...).ServerOptions()...)
		_, err := callUnary(ann(t, salesOnly), conn, "sales")
		requireStatus(t, err, codes.PermissionDenied, grpcauth.ReasonInsufficientScope)
	})
}

func TestReportOnlyWithoutALoggerRefuses(t *testing.T) {
	for name, opts := range map[string][]grpcauth.Option{
		"no logger": {grpcauth.ReportOnly()}, "a nil one": {grpcauth.ReportOnly(), grpcauth.WithLogger(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			conn := start(t, new(service), newAuth(t, opts...).ServerOptions()...)
			for _, call := range kinds {
				_, err := call(ann(t, salesOnly), conn, "finance")
				require.Equal(t, codes.PermissionDenied, status.Code(err))
			}
		})
	}
}

func TestErrorsOfHandlers(t *testing.T) {
	_, wrongClaim := permissions.Parse([]byte(`{"integration:secret": ["nope"]}`))
	policy := permissions.MustParse(`{"integration:secret": false}`)
	denial := policy.Check(permissions.Events, permissions.Integration("secret"))
	for _, tt := range []struct {
		name    string
		err     error
		code    codes.Code
		reason  string
		message string // of a status that this package does not make
	}{
		{"a denial", denial, codes.PermissionDenied, grpcauth.ReasonInsufficientScope, ""},
		{
			"a wrapped denial", fmt.Errorf("disconnect: %w", denial),
			codes.PermissionDenied, grpcauth.ReasonInsufficientScope, "",
		},
		{
			"a denial of what may not be seen", fmt.Errorf("%w: %w", httpauth.ErrNotFound, denial),
			codes.NotFound, grpcauth.ReasonNotFound, "",
		},
		{"an invalid target", permissions.Target{}.Err(), codes.InvalidArgument, grpcauth.ReasonInvalidTarget, ""},
		{
			"an action that does not exist", permissions.Unrestricted().Check("no-such", slack),
			codes.PermissionDenied, grpcauth.ReasonInsufficientScope, "",
		},
		{
			"a wrapped error of this package", fmt.Errorf("secret: %w", &grpcauth.Error{Code: codes.Aborted, Err: denial}),
			codes.Aborted, "", "",
		},
		{
			"an error of this package", &grpcauth.Error{Code: codes.Aborted, Reason: "BUSY", Err: denial},
			codes.Aborted, "BUSY", "",
		},
		{"a claim that is wrong", wrongClaim, codes.Internal, "", ""},
		{"a claim that cannot be made", new(permissions.NarrowError), codes.Internal, "", ""},
		{"a condition that cannot be made", fmt.Errorf("secret: %w", permissions.ErrSQL), codes.Internal, "", ""},
		{"a nil error of this package", (*grpcauth.Error)(nil), codes.Internal, "", ""},
		{"a nil error of httpauth", (*httpauth.Error)(nil), codes.Internal, "", ""},
		{"a status", status.Error(codes.AlreadyExists, "there is one"), codes.AlreadyExists, "", "there is one"},
		{"another error", errors.New("a bug"), codes.Unknown, "", "a bug"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for kind, call := range kinds {
				t.Run(kind, func(t *testing.T) {
					var book logBook
					s := &service{on: func(context.Context) error { return tt.err }}
					conn := start(t, s, newAuth(t, book.option()).ServerOptions()...)
					_, err := call(ann(t, salesOnly), conn, "sales")
					if tt.message != "" {
						require.Equal(t, tt.code, status.Code(err))
						require.Equal(t, tt.message, status.Convert(err).Message())
						require.Empty(t, book.lines(t))
						return
					}
					requireStatus(t, err, tt.code, tt.reason)
					require.NotContains(t, err.Error(), "secret")
					require.Equal(t, "request refused", book.only(t)["msg"])
				})
			}
		})
	}
}

// A handler of a method that needs no token can ask a policy too. Its caller learns nothing of the policy either.
func TestErrorsOfHandlersOfOpenMethods(t *testing.T) {
	policy := permissions.MustParse(`{"integration:secret": false}`)
	denial := policy.Check(permissions.Events, permissions.Integration("secret"))
	for _, tt := range []struct {
		name    string
		err     error
		code    codes.Code
		message string
		lines   int
	}{
		{"a denial", denial, codes.PermissionDenied, "permission denied", 1},
		{"a wrapped denial", fmt.Errorf("secret: %w", denial), codes.PermissionDenied, "permission denied", 1},
		{"a status", status.Error(codes.AlreadyExists, "there is one"), codes.AlreadyExists, "there is one", 0},
		{"another error", errors.New("a bug"), codes.Unknown, "a bug", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for kind, call := range kinds {
				t.Run(kind, func(t *testing.T) {
					var book logBook
					open := grpcauth.Open(unary, serverStream, clientStream, bidi)
					auth, err := grpcauth.New(kit.Verifier(), []grpcauth.Method{open}, book.option())
					require.NoError(t, err)
					s := &service{on: func(context.Context) error { return tt.err }}
					_, err = call(t.Context(), start(t, s, auth.ServerOptions()...), "sales")
					require.Equal(t, tt.code, status.Code(err))
					require.Equal(t, tt.message, status.Convert(err).Message())
					require.Len(t, book.lines(t), tt.lines)
				})
			}
		})
	}
}

func TestErrorHandler(t *testing.T) {
	for _, tt := range []struct {
		name   string
		handle func(context.Context, *grpcauth.Error) error
		code   codes.Code
		text   string
	}{
		{"nil", nil, codes.PermissionDenied, "permission denied"},
		{"the same", func(_ context.Context, e *grpcauth.Error) error {
			return e
		}, codes.PermissionDenied, "permission denied"},
		{"no error", func(context.Context, *grpcauth.Error) error {
			return nil
		}, codes.PermissionDenied, "permission denied"},
		{"a status that is OK", func(context.Context, *grpcauth.Error) error {
			return &okError{}
		}, codes.PermissionDenied, "permission denied"},
		{"another status", func(ctx context.Context, e *grpcauth.Error) error {
			return status.Error(e.Code, "ask "+httpauth.Claims(ctx).Subject+"'s administrator")
		}, codes.PermissionDenied, "ask ann's administrator"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := new(service)
			conn := start(t, s, newAuth(t, grpcauth.WithErrorHandler(tt.handle)).ServerOptions()...)
			for _, call := range kinds {
				_, err := call(ann(t, salesOnly), conn, "finance")
				require.Equal(t, tt.code, status.Code(err))
				require.Equal(t, tt.text, status.Convert(err).Message())
			}
			require.Empty(t, s.calls())
		})
	}
}

// An okError is an error whose status says that there is none.
type okError struct{}

func (*okError) Error() string              { return "ok" }
func (*okError) GRPCStatus() *status.Status { return status.New(codes.OK, "") }

// AuthFunc as go-grpc-middleware calls it.
func TestAuthFunc(t *testing.T) {
	var book logBook
	auth, err := grpcauth.New(kit.Verifier(), []grpcauth.Method{
		grpcauth.Authenticate(unary, serverStream, clientStream, bidi),
		grpcauth.Open(healthpb.Health_Check_FullMethodName),
	}, book.option())
	require.NoError(t, err)
	s := &service{on: func(ctx context.Context) error {
		if httpauth.Policy(ctx).Allowed(permissions.ProxyAPI, sales) {
			return nil
		}
		return errors.New("there is no policy in the context")
	}}
	conn := start(t, s, grpc.ChainUnaryInterceptor(middleware.UnaryServerInterceptor(auth.AuthFunc)),
		grpc.ChainStreamInterceptor(middleware.StreamServerInterceptor(auth.AuthFunc)))
	for kind, call := range kinds {
		t.Run(kind, func(t *testing.T) {
			subject, err := call(ann(t, salesOnly), conn, "sales")
			require.NoError(t, err)
			require.Equal(t, "ann", subject)
			_, err = call(ann(t, salesOnly), conn, "finance") // it only authenticates
			require.NoError(t, err)
			_, err = call(t.Context(), conn, "sales")
			requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonNoToken)
			_, err = call(with(t, kit.BadToken(t, permissionstest.FlawSignature, "ann", salesOnly)), conn, "sales")
			requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
		})
	}
	require.Equal(t, "no_token", book.lines(t)[0]["reason"])
	require.NotEmpty(t, book.lines(t)[0]["method"])
	_, err = healthpb.NewHealthClient(conn).Check(t.Context(), new(healthpb.HealthCheckRequest))
	require.NoError(t, err)
}

// AuthFunc cannot ask, so it lets nobody call a method that needs a permission, or that the table does not have.
func TestAuthFuncRefusesWhatItCannotAsk(t *testing.T) {
	everything := ann(t, permissions.Unrestricted())
	for name, methods := range map[string][]grpcauth.Method{"a question": table(), "not in the table": nil} {
		t.Run(name, func(t *testing.T) {
			auth, err := grpcauth.New(kit.Verifier(), methods)
			require.NoError(t, err)
			s := new(service)
			conn := start(t, s, grpc.ChainUnaryInterceptor(middleware.UnaryServerInterceptor(auth.AuthFunc)),
				grpc.ChainStreamInterceptor(middleware.StreamServerInterceptor(auth.AuthFunc)))
			for kind, call := range kinds {
				_, err := call(everything, conn, "sales")
				requireStatus(t, err, codes.PermissionDenied, grpcauth.ReasonInsufficientScope)
				require.Empty(t, s.calls(), kind)
			}
		})
	}
}

func TestAuthFuncThatOnlyReports(t *testing.T) {
	var book logBook
	ctx, err := newAuth(t, book.option(), grpcauth.ReportOnly()).AuthFunc(t.Context())
	require.NoError(t, err)
	_, ok := httpauth.FromContext(ctx)
	require.False(t, ok)
	require.Equal(t, "no_token", book.only(t)["reason"])
}

func TestLog(t *testing.T) {
	var book logBook
	conn := start(t, new(service), newAuth(t, book.option()).ServerOptions()...)
	hidden := "a\u202eb\n\u2800"
	token := kit.Token(t, hidden, salesOnly, usertoken.WithTokenID("7"))
	_, err := callUnary(with(t, token), conn, "finance")
	requireStatus(t, err, codes.PermissionDenied, grpcauth.ReasonInsufficientScope)
	line := book.only(t)
	delete(line, "error")
	require.Equal(t, map[string]any{
		"level": "WARN", "msg": "request refused", "code": "PermissionDenied", "allowed": false, "reason": "not_granted",
		"rule": `integration:"slack"/credential:ext:"finance"`, "pointer": "/integration:slack/credential:ext:finance",
		"action": "proxy-api", "subject": `"a\u202eb\n\u2800"`, "token_id": "7", "method": unary,
		"target": map[string]any{
			"level": "credential", "integration": "slack", "credential": map[string]any{"externalId": "finance", "id": nil},
		},
	}, line)

	long := strings.Repeat("a", 39) + strings.Repeat("é", 40)
	_, err = callUnary(with(t, kit.Token(t, long, salesOnly)), conn, "panic")
	requireStatus(t, err, codes.Internal, "")
	line = book.lines(t)[1]
	require.Equal(t, "ERROR", line["level"])
	require.Equal(t, "panic of type string", line["error"])
	require.Contains(t, line["stack"], "credentialOf")
	require.Regexp(t, `^"a{39}"\.\.\.\(119 bytes, sha256 [0-9a-f]{16}\)$`, line["subject"])
}

// What a function panics with may hold the token. Neither the log nor the error has it.
func TestPanicsDoNotShowTheToken(t *testing.T) {
	for name, value := range map[string]func(string) any{
		"a text":   func(token string) any { return "cannot handle " + token },
		"an error": func(token string) any { return errors.New(token) },
		"a token":  func(token string) any { return &jwt.Token{Raw: token} },
	} {
		t.Run(name, func(t *testing.T) {
			verifier, err := usertoken.NewVerifier(permissionstest.ProjectID, nil, usertoken.WithKeySource(
				func(_ context.Context, token *jwt.Token) (any, error) { panic(value(token.Raw)) }))
			require.NoError(t, err)
			var book logBook
			auth, err := grpcauth.New(verifier, table(), book.option())
			require.NoError(t, err)
			token := kit.Token(t, "ann", salesOnly)
			ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer "+token))
			_, err = auth.Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: authOnly}, nil)
			requireStatus(t, err, codes.Internal, "")
			var refused *grpcauth.Error
			require.ErrorAs(t, err, &refused)
			require.EqualError(t, refused.Err, fmt.Sprintf("panic of type %T", value("")))
			line := book.only(t)
			require.Equal(t, "panic", line["reason"])
			for _, printed := range []string{fmt.Sprint(line), fmt.Sprintf("%+v %#v", refused.Err, refused.Err)} {
				require.NotContains(t, printed, token)
			}
		})
	}
}

func TestManyCallsAtOnce(t *testing.T) {
	s := new(service)
	var book logBook
	conn := start(t, s, newAuth(t, book.option(), grpcauth.WithCeiling(permissions.Unrestricted())).ServerOptions()...)
	tokens := map[string]string{}
	for _, subject := range []string{"ann", "ben"} {
		policy := permissions.MustParse(`{"integration:slack": {"credential:ext:` + subject + `": ["proxy-api"]}}`)
		tokens[subject] = kit.Token(t, subject, policy)
	}
	var wait sync.WaitGroup
	for range 25 {
		for subject, token := range tokens {
			for kind, call := range kinds {
				wait.Go(func() {
					got, err := call(with(t, token), conn, subject)
					if err != nil || got != subject && kind != "client stream" {
						t.Errorf("%s: got %s, %v", kind, got, err)
					}
					_, err = call(with(t, token), conn, map[string]string{"ann": "ben", "ben": "ann"}[subject])
					if status.Code(err) != codes.PermissionDenied {
						t.Errorf("%s: %v", kind, err)
					}
				})
			}
		}
	}
	wait.Wait()
	require.Len(t, book.lines(t), 25*2*len(kinds))
}

func TestOptionsAddUpOrOverride(t *testing.T) {
	var first, second logBook
	from := func(token string) grpcauth.Option {
		return grpcauth.WithTokenFrom(func(context.Context) (string, error) { return token, nil })
	}
	answer := func(code codes.Code) grpcauth.Option {
		return grpcauth.WithErrorHandler(func(context.Context, *grpcauth.Error) error { return status.Error(code, "") })
	}
	auth := newAuth(t, from("garbage"), from(kit.Token(t, "ann", salesOnly)), first.option(), second.option(),
		answer(codes.Aborted), answer(codes.DataLoss))
	err := callWith(t, auth, unary, &pb.SimpleRequest{Payload: payload("finance")}, nil)
	require.Equal(t, codes.DataLoss, status.Code(err))
	require.Empty(t, first.lines(t))
	require.Equal(t, "not_granted", second.only(t)["reason"])

	pass := func(context.Context, *usertoken.Claims) error { return nil }
	revoke := func(context.Context, *usertoken.Claims) error { return httpauth.ErrRevoked }
	everything, nothing := permissions.Unrestricted(), permissions.MustParse(`{}`)
	for _, opts := range [][]grpcauth.Option{
		{grpcauth.WithCheck(revoke), grpcauth.WithCheck(pass)}, {grpcauth.WithCheck(pass), grpcauth.WithCheck(revoke)},
		{grpcauth.WithCeiling(nothing), grpcauth.WithCeiling(everything)},
		{grpcauth.WithCeiling(everything), grpcauth.WithCeiling(nothing)},
	} {
		require.Error(t, callWith(t, newAuth(t, opts...), unary, &pb.SimpleRequest{Payload: payload("sales")}, nil))
	}
	var seen []string
	observe := func(name string) []grpcauth.Option {
		return []grpcauth.Option{
			grpcauth.WithObserver(func(context.Context, permissions.Observation) { seen = append(seen, name+" asked") }),
			grpcauth.WithVerificationObserver(func(context.Context, time.Duration, error) {
				seen = append(seen, name+" verified")
			}),
		}
	}
	auth = newAuth(t, append(observe("a"), observe("b")...)...)
	require.Error(t, callWith(t, auth, unary, &pb.SimpleRequest{Payload: payload("finance")}, nil))
	require.ElementsMatch(t, []string{"a asked", "b asked", "a verified", "b verified"}, seen)

	own := func(name permissions.Permission) grpcauth.Option {
		return grpcauth.WithClaimOptions(permissions.WithPermissions(name))
	}
	methods := []grpcauth.Method{grpcauth.Require(unary, "a:b", unaryTarget)}
	_, err = grpcauth.New(kit.Verifier(), methods, own("a:b"), own("c:d"))
	require.NoError(t, err)
}

// A token that a check or a ceiling refuses leaves no claims, although it is genuine.
func TestReportOnlyOfATokenThatTheServiceRefuses(t *testing.T) {
	for name, opt := range map[string]grpcauth.Option{
		"a check": grpcauth.WithCheck(func(context.Context, *usertoken.Claims) error { return httpauth.ErrRevoked }),
		"a ceiling": grpcauth.WithCeilingFunc(func(context.Context, *usertoken.Claims) (*permissions.Policy, error) {
			return permissions.Unrestricted(), errors.New("no database")
		}),
	} {
		t.Run(name, func(t *testing.T) {
			auth := newAuth(t, append(reportOnly, opt)...)
			ask := func(ctx context.Context, _ any) (any, error) {
				_, ok := httpauth.FromContext(ctx)
				require.False(t, ok)
				require.False(t, httpauth.Policy(ctx).Allowed(permissions.ProxyAPI, sales))
				return nil, nil
			}
			require.NoError(t, callWith(t, auth, authOnly, new(pb.Empty), ask))
		})
	}
}

func TestCeilingIsAskedAfterTheChecks(t *testing.T) {
	auth := newAuth(t, grpcauth.WithCeilingFunc(func(context.Context, *usertoken.Claims) (*permissions.Policy, error) {
		t.Error("the ceiling of a revoked token was asked for")
		return nil, nil
	}), grpcauth.WithCheck(func(context.Context, *usertoken.Claims) error { return httpauth.ErrRevoked }))
	require.Equal(t, codes.Unauthenticated, status.Code(callWith(t, auth, authOnly, new(pb.Empty), nil)))
}

// What an observer gets as the time of a verification has the checks and the ceilings in it.
func TestVerificationObserverCountsChecksAndCeilings(t *testing.T) {
	var took time.Duration
	auth := newAuth(t, grpcauth.WithVerificationObserver(func(_ context.Context, d time.Duration, _ error) { took = d }),
		grpcauth.WithCheck(func(context.Context, *usertoken.Claims) error {
			time.Sleep(20 * time.Millisecond)
			return nil
		}),
		grpcauth.WithCeilingFunc(func(context.Context, *usertoken.Claims) (*permissions.Policy, error) {
			time.Sleep(20 * time.Millisecond)
			return permissions.Unrestricted(), nil
		}))
	next := func(context.Context, any) (any, error) { return nil, nil }
	require.NoError(t, callWith(t, auth, authOnly, new(pb.Empty), next))
	require.GreaterOrEqual(t, took, 40*time.Millisecond)
}

func TestVerificationObserverIsNotCalledAfterAPanic(t *testing.T) {
	auth := newAuth(t, grpcauth.WithVerificationObserver(func(context.Context, time.Duration, error) {
		t.Error("the observer was called")
	}), grpcauth.WithCheck(func(context.Context, *usertoken.Claims) error { panic("x") }))
	require.Equal(t, codes.Internal, status.Code(callWith(t, auth, authOnly, new(pb.Empty), nil)))
}

// Of the errors that an error matches, the first one in the documentation counts.
func TestFirstMatchCounts(t *testing.T) {
	for _, c := range []struct {
		err  error
		code codes.Code
	}{
		{errors.Join(&httpauth.Error{Status: 404}, &grpcauth.Error{Code: codes.Aborted}), codes.Aborted},
		{errors.Join(httpauth.ErrRevoked, httpauth.ErrNotFound), codes.NotFound},
		{errors.Join(usertoken.ErrKeys, httpauth.ErrNoToken), codes.Unauthenticated},
		{errors.Join(usertoken.ErrToken, usertoken.ErrKeys), codes.Unavailable},
		{errors.Join(permissions.ErrDenied, usertoken.ErrToken), codes.Unauthenticated},
		{errors.Join(status.Error(codes.Aborted, ""), permissions.ErrDenied), codes.PermissionDenied},
	} {
		next := func(context.Context, any) (any, error) { return nil, c.err }
		err := callWith(t, newAuth(t), authOnly, new(pb.Empty), next)
		require.Equal(t, c.code, status.Code(err), c.err)
	}
}

func TestReportOnlyReportsItsCeiling(t *testing.T) {
	var book logBook
	auth := newAuth(t, grpcauth.ReportOnly(), grpcauth.WithCeiling(nil), book.option())
	require.NoError(t, callWith(t, auth, unary, &pb.SimpleRequest{Payload: payload("sales")},
		func(context.Context, any) (any, error) { return nil, nil }))
	require.Equal(t, "ceiling", book.only(t)["denied_by"])
}

func TestLevelsOfTheLog(t *testing.T) {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		var book logBook
		_ = callWith(t, newAuth(t, book.option()), authOnly, new(pb.Empty), func(context.Context, any) (any, error) {
			return nil, &grpcauth.Error{Code: code}
		})
		want := "WARN"
		switch code {
		case codes.Unknown, codes.Internal, codes.Unavailable, codes.DataLoss:
			want = "ERROR"
		}
		require.Equal(t, want, book.only(t)["level"], code)
	}
}

func TestLogOfAHostileMethod(t *testing.T) {
	var book logBook
	auth := newAuth(t, book.option())
	_ = callWith(t, auth, "/a\u202e."+strings.Repeat("x", 10_000)+"/C", new(pb.Empty), nil)
	require.NotContains(t, book.only(t)["method"], "\u202e")
	require.Less(t, len(book.only(t)["method"].(string)), 200)
	require.NotContains(t, book.only(t), "token_id")
}

func TestUnavailableSaysWhenToTryAgain(t *testing.T) {
	require.Len(t, (&grpcauth.Error{Code: codes.Unavailable}).GRPCStatus().Details(), 1)
}

// The context of an open method is that of the caller.
func TestOpenMethodKeepsTheContext(t *testing.T) {
	auth, err := grpcauth.New(kit.Verifier(), []grpcauth.Method{grpcauth.Open(unary, bidi)})
	require.NoError(t, err)
	claims := &usertoken.Claims{Policy: salesOnly}
	ctx := httpauth.NewContext(t.Context(), claims)
	next := func(got context.Context, _ any) (any, error) {
		require.Equal(t, ctx, got)
		return nil, nil
	}
	_, err = auth.Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: unary}, next)
	require.NoError(t, err)
	ss := &contextStream{ctx: ctx}
	err = auth.Stream(nil, ss, &grpc.StreamServerInfo{FullMethod: bidi}, func(_ any, got grpc.ServerStream) error {
		require.Same(t, ss, got)
		return nil
	})
	require.NoError(t, err)
	ctx = grpc.NewContextWithServerTransportStream(ctx, transportStream(unary))
	got, err := auth.AuthFunc(ctx)
	require.NoError(t, err)
	require.Equal(t, ctx, got)
}

type contextStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *contextStream) Context() context.Context { return s.ctx }

type transportStream string

func (s transportStream) Method() string               { return string(s) }
func (s transportStream) SetHeader(metadata.MD) error  { return nil }
func (s transportStream) SendHeader(metadata.MD) error { return nil }
func (s transportStream) SetTrailer(metadata.MD) error { return nil }
