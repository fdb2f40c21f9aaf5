package main

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionalphapb "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/grpc/pb"
	"github.com/connectperms/permissions/grpcauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// newServer returns a server with the credentials service, health and reflection. The table says what
// each method needs, and Check that it has every method.
func newServer(verifier *usertoken.Verifier, s *service, log *slog.Logger) (*grpc.Server, error) {
	auth, err := grpcauth.New(verifier, []grpcauth.Method{
		grpcauth.Authenticate(pb.Credentials_List_FullMethodName), // it leaves out what the caller may not see
		grpcauth.Require(pb.Credentials_Disconnect_FullMethodName, permissions.CredentialWrite,
			func(ctx context.Context, m *pb.DisconnectRequest) (permissions.Target, error) {
				return s.find(ctx, m.GetId())
			}),
		grpcauth.Require(pb.Credentials_Proxy_FullMethodName, permissions.ProxyAPI,
			func(ctx context.Context, m *pb.ProxyRequest) (permissions.Target, error) {
				return s.find(ctx, m.GetId()) // of the first message
			}),
		grpcauth.Open(
			healthpb.Health_Check_FullMethodName,
			healthpb.Health_List_FullMethodName,
			healthpb.Health_Watch_FullMethodName,
			reflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName,
			reflectionalphapb.ServerReflection_ServerReflectionInfo_FullMethodName,
		),
	}, grpcauth.WithLogger(log))
	if err != nil {
		return nil, err
	}
	server := grpc.NewServer(auth.ServerOptions()...)
	pb.RegisterCredentialsServer(server, s)
	healthpb.RegisterHealthServer(server, health.NewServer())
	reflection.Register(server)
	return server, auth.Check(server)
}

// A row is a credential of an owner.
type row struct {
	owner string
	*pb.Credential
}

// target returns the target of a row, with every identifier that the row has.
func (r row) target() permissions.Target {
	return permissions.Integration(r.GetIntegration()).Credential(
		permissions.ID(r.GetId()), permissions.ExternalIDOrNone(r.GetExternalId(), r.GetExternalId() != ""))
}

// A service has rows in memory, by ID.
type service struct {
	pb.UnimplementedCredentialsServer

	mu   sync.Mutex
	rows map[string]row
}

// find returns the target of a row. A row of another owner, and one that the caller may not see, are as
// one that does not exist.
func (s *service) find(ctx context.Context, id string) (permissions.Target, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.rows[id]
	if !ok || r.owner != httpauth.Claims(ctx).Subject || !httpauth.Policy(ctx).Visible(r.target()) {
		return permissions.Target{}, httpauth.ErrNotFound
	}
	return r.target(), nil
}

func (s *service) List(ctx context.Context, _ *pb.ListRequest) (*pb.ListResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, policy := new(pb.ListResponse), httpauth.Policy(ctx)
	for _, r := range s.rows {
		if r.owner == httpauth.Claims(ctx).Subject && policy.Visible(r.target()) {
			answer.Credentials = append(answer.Credentials, r.Credential)
		}
	}
	slices.SortFunc(answer.Credentials, func(a, b *pb.Credential) int { return cmp.Compare(a.GetId(), b.GetId()) })
	return answer, nil
}

func (s *service) Disconnect(_ context.Context, m *pb.DisconnectRequest) (*pb.DisconnectResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rows, m.GetId())
	return new(pb.DisconnectResponse), nil
}

// Proxy answers each body with the ID and the body. The ID is in the first message, which the interceptor has checked
// and Recv still returns.
func (s *service) Proxy(stream grpc.BidiStreamingServer[pb.ProxyRequest, pb.ProxyResponse]) error {
	first, err := stream.Recv()
	if err != nil {
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
		body := first.GetId() + ": " + string(m.GetBody())
		if err := stream.Send(&pb.ProxyResponse{Body: []byte(body)}); err != nil {
			return err
		}
	}
}
