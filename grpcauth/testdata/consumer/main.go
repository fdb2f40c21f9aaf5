package main

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
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/grpcauth"
	"github.com/connectperms/permissions/usertoken"
)

func main() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := usertoken.NewVerifier("project", &key.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := usertoken.NewSigner("project", key)
	if err != nil {
		log.Fatal(err)
	}
	token, err := signer.Sign("ann", permissions.MustParse(`{"integration:slack": ["events"]}`))
	if err != nil {
		log.Fatal(err)
	}
	auth, err := grpcauth.New(verifier, []grpcauth.Method{
		grpcauth.Open(healthpb.Health_List_FullMethodName, healthpb.Health_Watch_FullMethodName),
		grpcauth.Require(healthpb.Health_Check_FullMethodName, permissions.Events,
			func(_ context.Context, m *healthpb.HealthCheckRequest) (permissions.Target, error) {
				return permissions.Integration(m.GetService()), nil
			}),
	})
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(auth.ServerOptions()...)
	checker := health.NewServer()
	checker.SetServingStatus("slack", healthpb.HealthCheckResponse_SERVING)
	healthpb.RegisterHealthServer(server, checker)
	if err := auth.Check(server); err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	client := healthpb.NewHealthClient(conn)
	ann := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)
	for _, ctx := range []context.Context{context.Background(), ann} {
		for _, name := range []string{"slack", "jira"} {
			_, err := client.Check(ctx, &healthpb.HealthCheckRequest{Service: name})
			fmt.Println(name, status.Code(err))
		}
	}
}
