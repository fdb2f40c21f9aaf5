// Grpc is a gRPC server that package grpcauth protects, and a client that calls it with several tokens.
//
//	go run .
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"os"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/grpc/pb"
	"github.com/connectperms/permissions/usertoken"
)

const (
	project = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

	sales   = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	finance = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	payroll = "16fd2706-8baf-433b-82eb-8c7fada847da"
)

// claim lets a user see two credentials of three, use both, and disconnect one.
const claim = `{
	"integration:slack": {
		"credential:*":           ["credential:write", "proxy-api"],
		"credential:ext:finance": ["proxy-api"],
		"credential:ext:payroll": false
	}
}`

func main() {
	log.SetFlags(0)
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	verifier, err := usertoken.NewVerifier(project, &key.PublicKey)
	if err != nil {
		return err
	}
	signer, err := usertoken.NewSigner(project, key)
	if err != nil {
		return err
	}
	token, err := signer.Sign("ann", permissions.MustParse(claim))
	if err != nil {
		return err
	}
	server, err := newServer(verifier, newService(), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		server.Stop()
		<-served
	}()
	// Over TLS, a client would give its token with grpc.WithPerRPCCredentials, which refuses to send it over an
	// insecure connection.
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	call(ctx, out, conn, token)
	return nil
}

func newService() *service {
	s := &service{rows: make(map[string]row)}
	for id, externalID := range map[string]string{sales: "sales", finance: "finance", payroll: "payroll"} {
		s.rows[id] = row{"ann", &pb.Credential{Id: id, Integration: "slack", ExternalId: externalID}}
	}
	return s
}

// call calls every method, and prints the answers.
func call(ctx context.Context, out io.Writer, conn *grpc.ClientConn, token string) {
	client := pb.NewCredentialsClient(conn)
	ann := metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)

	_, err := healthpb.NewHealthClient(conn).Check(ctx, new(healthpb.HealthCheckRequest))
	report(out, "health, without a token", err)
	_, err = client.List(ctx, new(pb.ListRequest))
	report(out, "List, without a token", err)
	list, err := client.List(ann, new(pb.ListRequest))
	report(out, "List", err)
	for _, c := range list.GetCredentials() {
		fmt.Fprintln(out, " ", c.GetIntegration(), c.GetExternalId())
	}
	for _, id := range []string{finance, payroll, "no such ID", sales, sales} {
		_, err = client.Disconnect(ann, &pb.DisconnectRequest{Id: id})
		report(out, "Disconnect "+id, err)
	}
	for _, id := range []string{finance, payroll} {
		answer, err := send(ann, client, id, "hello")
		report(out, "Proxy "+id, err)
		if err == nil {
			fmt.Fprintln(out, " ", answer)
		}
	}
}

// send opens a stream for a credential, and sends one request on it.
func send(ctx context.Context, client pb.CredentialsClient, id, body string) (string, error) {
	stream, err := client.Proxy(ctx)
	if err != nil {
		return "", err
	}
	// An error of Send is io.EOF. Recv returns the status.
	_ = stream.Send(&pb.ProxyRequest{Kind: &pb.ProxyRequest_Id{Id: id}})
	_ = stream.Send(&pb.ProxyRequest{Kind: &pb.ProxyRequest_Body{Body: []byte(body)}})
	m, err := stream.Recv()
	if err != nil {
		return "", err
	}
	return string(m.GetBody()), stream.CloseSend()
}

// report prints the code of an answer, and the reason in its details.
func report(out io.Writer, what string, err error) {
	st := status.Convert(err)
	fmt.Fprint(out, what, ": ", st.Code())
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			fmt.Fprint(out, " ", info.GetReason())
		}
	}
	fmt.Fprintln(out)
}
