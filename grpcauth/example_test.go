package grpcauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/grpcauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// A greeter answers with the subject of the token.
type greeter struct {
	pb.UnimplementedTestServiceServer
}

func (greeter) UnaryCall(ctx context.Context, _ *pb.SimpleRequest) (*pb.SimpleResponse, error) {
	return &pb.SimpleResponse{Username: httpauth.Claims(ctx).Subject}, nil
}

// exampleProject returns what verifies the tokens of a project, and a token of a user who may use the
// Slack credentials, but not that of the finance team.
func exampleProject() (*usertoken.Verifier, string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := usertoken.NewVerifier("my-project", &key.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := usertoken.NewSigner("my-project", key)
	if err != nil {
		log.Fatal(err)
	}
	token, err := signer.Sign("ann", permissions.MustParse(`{
		"integration:slack": {
			"credential:*":           ["proxy-api"],
			"credential:ext:finance": false
		}
	}`))
	if err != nil {
		log.Fatal(err)
	}
	return verifier, token
}

// The service of the example is one for tests, and the payload of its message names a credential.
func Example() {
	verifier, token := exampleProject()
	auth, err := grpcauth.New(verifier, []grpcauth.Method{
		grpcauth.Require(pb.TestService_UnaryCall_FullMethodName, permissions.ProxyAPI,
			func(_ context.Context, m *pb.SimpleRequest) (permissions.Target, error) {
				return permissions.Integration("slack").Credential(
					permissions.NoID(), permissions.ExternalID(string(m.GetPayload().GetBody()))), nil
			}),
		grpcauth.Open(healthpb.Health_Check_FullMethodName),
	})
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(auth.ServerOptions()...)
	pb.RegisterTestServiceServer(server, greeter{})
	healthpb.RegisterHealthServer(server, health.NewServer())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }() // until Stop
	defer server.Stop()

	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	client := pb.NewTestServiceClient(conn)
	call := func(ctx context.Context, credential string) {
		answer, err := client.UnaryCall(ctx, &pb.SimpleRequest{Payload: &pb.Payload{Body: []byte(credential)}})
		fmt.Printf("%s: %v %q\n", credential, status.Code(err), answer.GetUsername())
	}
	ann := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
	call(ann, "sales")
	call(ann, "finance")
	call(context.Background(), "sales")
	// Output:
	// sales: OK "ann"
	// finance: PermissionDenied ""
	// sales: Unauthenticated ""
}

// Check finds the methods that the table does not have. The health service has three.
func ExampleInterceptor_Check() {
	auth, err := grpcauth.New(nil, []grpcauth.Method{grpcauth.Open(
		healthpb.Health_Check_FullMethodName,
		healthpb.Health_Watch_FullMethodName,
	)})
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(auth.ServerOptions()...)
	healthpb.RegisterHealthServer(server, health.NewServer())
	fmt.Println(auth.Check(server))
	// Output:
	// grpcauth: method "/grpc.health.v1.Health/List" is served and not in the table, so nobody may call it
}

// A handler that asks for itself returns the error, and the interceptor answers it. Whoever may not see
// a thing learns nothing of it.
func ExampleAuthenticate() {
	disconnect := func(ctx context.Context, target permissions.Target) error {
		policy := httpauth.Policy(ctx)
		err := policy.Check(permissions.CredentialWrite, target)
		if err != nil && !policy.Visible(target) {
			err = fmt.Errorf("%w: %w", httpauth.ErrNotFound, err)
		}
		return err
	}
	_, err := disconnectService(disconnect)
	fmt.Println(status.Code(err))
	// Output:
	// NotFound
}

// disconnectService calls the interceptor as gRPC does, with a handler that asks about a credential.
func disconnectService(disconnect func(context.Context, permissions.Target) error) (any, error) {
	verifier, token := exampleProject()
	auth, err := grpcauth.New(verifier, []grpcauth.Method{grpcauth.Authenticate("/acme.v1.Credentials/Disconnect")})
	if err != nil {
		log.Fatal(err)
	}
	ctx := metadata.NewIncomingContext(context.Background(), metadata.Pairs("authorization", "Bearer "+token))
	return auth.Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/acme.v1.Credentials/Disconnect"},
		func(ctx context.Context, _ any) (any, error) {
			return nil, disconnect(ctx, permissions.Integration("slack").Credential(
				permissions.NoID(), permissions.ExternalID("finance")))
		})
}
