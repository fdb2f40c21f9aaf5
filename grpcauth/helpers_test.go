package grpcauth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/grpcauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

// A bidiStream is a stream of a handler.
type bidiStream = grpc.BidiStreamingServer[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]

// The methods of the service for tests.
const (
	unary        = pb.TestService_UnaryCall_FullMethodName
	cacheable    = pb.TestService_CacheableUnaryCall_FullMethodName
	authOnly     = pb.TestService_EmptyCall_FullMethodName
	notListed    = pb.TestService_UnimplementedCall_FullMethodName
	serverStream = pb.TestService_StreamingOutputCall_FullMethodName
	clientStream = pb.TestService_StreamingInputCall_FullMethodName
	bidi         = pb.TestService_FullDuplexCall_FullMethodName
	authOnlyBidi = pb.TestService_HalfDuplexCall_FullMethodName
)

var (
	kit   = permissionstest.Shared()
	slack = permissions.Integration("slack")
	sales = slack.Credential(permissions.NoID(), permissions.ExternalID("sales"))

	// salesOnly allows the Slack credential sales and denies finance.
	salesOnly = permissions.MustParse(`{
		"integration:slack": {"credential:ext:sales": ["proxy-api"], "credential:ext:finance": false}
	}`)
)

// credentialOf returns the target that a payload names by an external ID. Four payloads have other results: see the
// cases.
func credentialOf(p *pb.Payload) (permissions.Target, error) {
	switch name := string(p.GetBody()); name {
	case "panic":
		panic("a bug in the target function")
	case "missing":
		return permissions.Target{}, httpauth.ErrNotFound
	case "status":
		return permissions.Target{}, fmt.Errorf("row 7: %w", status.Error(codes.FailedPrecondition, "locked"))
	case "wrong":
		return slack, &permissions.QuestionError{Field: "integration", Problem: "is wrong"}
	default:
		return slack.Credential(permissions.NoID(), permissions.ExternalID(name)), nil
	}
}

func payload(name string) *pb.Payload { return &pb.Payload{Body: []byte(name)} }

func unaryTarget(_ context.Context, m *pb.SimpleRequest) (permissions.Target, error) {
	return credentialOf(m.GetPayload())
}

func outputTarget(_ context.Context, m *pb.StreamingOutputCallRequest) (permissions.Target, error) {
	return credentialOf(m.GetPayload())
}

func inputTarget(_ context.Context, m *pb.StreamingInputCallRequest) (permissions.Target, error) {
	return credentialOf(m.GetPayload())
}

// table returns the table of the service for tests.
func table() []grpcauth.Method {
	return []grpcauth.Method{
		grpcauth.Require(unary, permissions.ProxyAPI, unaryTarget),
		grpcauth.Require(cacheable, permissions.ProxyAPI, unaryTarget),
		grpcauth.Require(serverStream, permissions.ProxyAPI, outputTarget),
		grpcauth.Require(clientStream, permissions.ProxyAPI, inputTarget),
		grpcauth.Require(bidi, permissions.ProxyAPI, outputTarget),
		grpcauth.Authenticate(authOnly, authOnlyBidi),
		grpcauth.Open(
			healthpb.Health_Check_FullMethodName,
			healthpb.Health_List_FullMethodName,
			healthpb.Health_Watch_FullMethodName,
			reflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName,
			"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		),
	}
}

func newAuth(t testing.TB, opts ...grpcauth.Option) *grpcauth.Interceptor {
	t.Helper()
	auth, err := grpcauth.New(kit.Verifier(), table(), opts...)
	require.NoError(t, err)
	return auth
}

// reportOnly has an interceptor report to a log that nobody reads.
var reportOnly = []grpcauth.Option{grpcauth.ReportOnly(), grpcauth.WithLogger(slog.New(slog.DiscardHandler))}

// A service answers every call with the subject of the token. It keeps what it was called with.
type service struct {
	pb.UnimplementedTestServiceServer

	// on is called by each handler, unless it is nil.
	on func(ctx context.Context) error

	// stream is the handler of both methods with streams in both directions, unless it is nil.
	stream func(bidiStream) error

	// desc is another service of the server, unless it is nil.
	desc *grpc.ServiceDesc

	mu      sync.Mutex
	handled []string
}

func (s *service) handle(ctx context.Context, name string) (*pb.Payload, error) {
	s.mu.Lock()
	s.handled = append(s.handled, name)
	s.mu.Unlock()
	if s.on != nil {
		if err := s.on(ctx); err != nil {
			return nil, err
		}
	}
	return payload(httpauth.Claims(ctx).Subject), nil
}

// calls returns what the handlers were called with so far.
func (s *service) calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.handled...)
}

func (s *service) UnaryCall(ctx context.Context, m *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	p, err := s.handle(ctx, string(m.GetPayload().GetBody()))
	return &pb.SimpleResponse{Payload: p}, err
}

func (s *service) EmptyCall(ctx context.Context, _ *pb.Empty) (*pb.Empty, error) {
	_, err := s.handle(ctx, "empty")
	return new(pb.Empty), err
}

func (s *service) UnimplementedCall(ctx context.Context, _ *pb.Empty) (*pb.Empty, error) {
	_, err := s.handle(ctx, "not listed")
	return new(pb.Empty), err
}

func (s *service) StreamingOutputCall(
	m *pb.StreamingOutputCallRequest, stream grpc.ServerStreamingServer[pb.StreamingOutputCallResponse],
) error {
	p, err := s.handle(stream.Context(), string(m.GetPayload().GetBody()))
	if err != nil {
		return err
	}
	return stream.Send(&pb.StreamingOutputCallResponse{Payload: p})
}

func (s *service) StreamingInputCall(
	stream grpc.ClientStreamingServer[pb.StreamingInputCallRequest, pb.StreamingInputCallResponse],
) error {
	var size int32
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.StreamingInputCallResponse{AggregatedPayloadSize: size})
		}
		if err != nil {
			return err
		}
		if _, err := s.handle(stream.Context(), string(m.GetPayload().GetBody())); err != nil {
			return err
		}
		size += int32(len(m.GetPayload().GetBody()))
	}
}

func (s *service) FullDuplexCall(stream bidiStream) error {
	if s.stream != nil {
		return s.stream(stream)
	}
	if _, err := s.handle(stream.Context(), "begun"); err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		p, err := s.handle(stream.Context(), string(m.GetPayload().GetBody()))
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.StreamingOutputCallResponse{Payload: p}); err != nil {
			return err
		}
	}
}

func (s *service) HalfDuplexCall(stream bidiStream) error { return s.FullDuplexCall(stream) }

// outerUnary is an interceptor outside of others, which changes the context.
func outerUnary(change func(context.Context) context.Context) grpc.ServerOption {
	return grpc.ChainUnaryInterceptor(
		func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			return next(change(ctx), req)
		})
}

// outerStream is an interceptor outside of others, which does something around the rest.
func outerStream(around func(ss grpc.ServerStream, next func(grpc.ServerStream) error) error) grpc.ServerOption {
	return grpc.ChainStreamInterceptor(
		func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
			return around(ss, func(ss grpc.ServerStream) error { return next(srv, ss) })
		})
}

// start starts a server on loopback, with the health and reflection services, and returns a connection
// to it.
func start(t testing.TB, s *service, opts ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := newServer(s, opts...)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, conn.Close())
		server.Stop()
		require.NoError(t, <-served)
	})
	return conn
}

func newServer(s *service, opts ...grpc.ServerOption) *grpc.Server {
	server := grpc.NewServer(opts...)
	pb.RegisterTestServiceServer(server, s)
	healthpb.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	if s.desc != nil {
		server.RegisterService(s.desc, s)
	}
	return server
}

// with returns a context for calls with a token.
func with(t testing.TB, token string) context.Context {
	return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+token)
}

// ann returns a context for calls with a token of the user ann.
func ann(t testing.TB, policy *permissions.Policy) context.Context {
	t.Helper()
	return with(t, kit.Token(t, "ann", policy))
}

func callUnary(ctx context.Context, conn *grpc.ClientConn, name string) (string, error) {
	m, err := pb.NewTestServiceClient(conn).UnaryCall(ctx, &pb.SimpleRequest{Payload: payload(name)})
	return string(m.GetPayload().GetBody()), err
}

func callServerStream(ctx context.Context, conn *grpc.ClientConn, name string) (string, error) {
	request := &pb.StreamingOutputCallRequest{Payload: payload(name)}
	stream, err := pb.NewTestServiceClient(conn).StreamingOutputCall(ctx, request)
	if err != nil {
		return "", err
	}
	m, err := stream.Recv()
	return string(m.GetPayload().GetBody()), err
}

func callClientStream(ctx context.Context, conn *grpc.ClientConn, name string) (string, error) {
	stream, err := pb.NewTestServiceClient(conn).StreamingInputCall(ctx)
	if err != nil {
		return "", err
	}
	// An error of Send is io.EOF: the status is with the answer.
	_ = stream.Send(&pb.StreamingInputCallRequest{Payload: payload(name)})
	_, err = stream.CloseAndRecv()
	return "ann", err
}

func callBidi(ctx context.Context, conn *grpc.ClientConn, name string) (string, error) {
	stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(ctx)
	if err != nil {
		return "", err
	}
	_ = stream.Send(&pb.StreamingOutputCallRequest{Payload: payload(name)})
	m, err := stream.Recv()
	return string(m.GetPayload().GetBody()), err
}

// kinds are the four kinds of method.
var kinds = map[string]func(ctx context.Context, conn *grpc.ClientConn, name string) (string, error){
	"unary": callUnary, "server stream": callServerStream, "client stream": callClientStream, "both streams": callBidi,
}

// requireStatus requires an error that a client got to have a code and a reason, and to say nothing else.
func requireStatus(t testing.TB, err error, code codes.Code, reason string) {
	t.Helper()
	st, ok := status.FromError(err)
	require.True(t, ok, "%v", err)
	require.Equal(t, code, st.Code(), "%v", err)
	require.Contains(t, []string{
		"unauthenticated", "permission denied", "invalid argument", "not found", "unavailable", "internal error",
		code.String(),
	}, st.Message())
	var got []string
	for _, detail := range st.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			require.Equal(t, grpcauth.Domain, d.GetDomain())
			require.Empty(t, d.GetMetadata())
			got = append(got, d.GetReason())
		case *errdetails.RetryInfo:
			require.Equal(t, codes.Unavailable, code)
			require.Equal(t, 5.0, d.GetRetryDelay().AsDuration().Seconds())
		default:
			t.Errorf("a detail of the type %T", detail)
		}
	}
	if reason == "" {
		require.Empty(t, got)
		return
	}
	require.Equal(t, []string{reason}, got)
}

// A logBook is a logger whose lines are looked at. Servers write to it at the same time.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBook) option() grpcauth.Option {
	return grpcauth.WithLogger(slog.New(slog.NewJSONHandler(l, nil)))
}

// lines returns what was logged, without the times.
func (l *logBook) lines(t testing.TB) (lines []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		var attrs map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &attrs))
		delete(attrs, "time")
		lines = append(lines, attrs)
	}
	return lines
}

// only returns the only line that was logged.
func (l *logBook) only(t testing.TB) map[string]any {
	t.Helper()
	lines := l.lines(t)
	require.Len(t, lines, 1)
	return lines[0]
}
