package grpcauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/grpcauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

// A clock that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// expiring starts a server whose clock the caller sets. The tokens of its kit run out after an hour.
func expiring(t *testing.T, s *service, opts ...grpcauth.Option) (*clock, *permissionstest.Kit, *grpc.ClientConn) {
	t.Helper()
	c := &clock{now: time.Now()}
	kit := permissionstest.New(t, usertoken.WithClock(c.time))
	auth, err := grpcauth.New(kit.Verifier(), table(), opts...)
	require.NoError(t, err)
	return c, kit, start(t, s, auth.ServerOptions()...)
}

// What happens to a stream whose token runs out. Each handler has received one message by then.
func TestTokenThatRunsOutInTheMiddleOfAStream(t *testing.T) {
	send := func(t *testing.T, stream grpc.ClientStream) {
		t.Helper()
		require.NoError(t, stream.SendMsg(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
	}
	for _, tt := range []struct {
		name    string
		client  func(*testing.T, grpc.ClientStream) // when the token has run out
		handler func(bidiStream) error              // when the token has run out
	}{
		{"the handler receives a message", send, func(s bidiStream) error {
			m, err := s.Recv()
			return unlessNil(m == nil, err)
		}},
		{"the handler waits for a message of an empty stream", func(t *testing.T, stream grpc.ClientStream) {
			require.NoError(t, stream.CloseSend())
		}, func(s bidiStream) error {
			_, err := s.Recv()
			return unlessNil(err != io.EOF, err)
		}},
		{"the handler sends", nil, func(s bidiStream) error {
			return s.Send(&pb.StreamingOutputCallResponse{Payload: payload("secret")})
		}},
		{"the handler ignores the error", send, func(s bidiStream) error {
			_, _ = s.Recv()
			_ = s.Send(&pb.StreamingOutputCallResponse{Payload: payload("secret")})
			return nil
		}},
		{"the handler returns another error", send, func(s bidiStream) error {
			_, _ = s.Recv()
			return errors.New("the connection is lost")
		}},
		{"the handler sends and receives at once", send, func(s bidiStream) error {
			var wait sync.WaitGroup
			for range 10 {
				wait.Go(func() { _ = s.Send(&pb.StreamingOutputCallResponse{Payload: payload("secret")}) })
			}
			_, err := s.Recv()
			wait.Wait()
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, method := range []string{"Require", "Authenticate"} {
				t.Run(method, func(t *testing.T) {
					var book logBook
					ranOut := make(chan bool)
					s := &service{stream: func(s bidiStream) error {
						if _, err := s.Recv(); err != nil {
							return err
						}
						if err := s.Send(new(pb.StreamingOutputCallResponse)); err != nil {
							return err
						}
						<-ranOut
						return tt.handler(s)
					}}
					clock, kit, conn := expiring(t, s, book.option())
					ctx := with(t, kit.Token(t, "ann", salesOnly))
					client := pb.NewTestServiceClient(conn)
					begin := client.FullDuplexCall
					if method == "Authenticate" {
						begin = client.HalfDuplexCall
					}
					stream, err := begin(ctx)
					require.NoError(t, err)
					send(t, stream)
					_, err = stream.Recv()
					require.NoError(t, err)
					require.Empty(t, book.lines(t))

					clock.add(2 * time.Hour)
					if tt.client != nil {
						tt.client(t, stream)
					}
					close(ranOut)
					m, err := stream.Recv()
					require.Nil(t, m)
					requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
					line := book.only(t)
					require.Equal(t, "token_refused", line["reason"])
					require.Contains(t, line["error"], "exp")
					require.Equal(t, "ann", line["subject"])
				})
			}
		})
	}
}

// unlessNil returns err, or an error if it is nil or the condition fails.
func unlessNil(condition bool, err error) error {
	if !condition || err == nil {
		return status.Error(codes.DataLoss, "the handler got what it must not get")
	}
	return err
}

// The token is good by the verifier's clock and its leeway.
func TestTokenThatHasNotQuiteRunOut(t *testing.T) {
	clock, kit, conn := expiring(t, new(service))
	stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(with(t, kit.Token(t, "ann", salesOnly)))
	require.NoError(t, err)
	for _, wait := range []time.Duration{0, 59 * time.Minute, 63 * time.Second} {
		clock.add(wait)
		require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
		_, err = stream.Recv()
		require.NoError(t, err)
	}
	clock.add(3 * time.Second) // the leeway is 5 seconds
	require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
	_, err = stream.Recv()
	requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
}

// The handler of a stream waits for the end of the messages, and then acts. It must not act any more.
func TestUploadWhoseTokenRunsOut(t *testing.T) {
	s := new(service)
	clock, kit, conn := expiring(t, s)
	stream, err := pb.NewTestServiceClient(conn).StreamingInputCall(with(t, kit.Token(t, "ann", salesOnly)))
	require.NoError(t, err)
	require.NoError(t, stream.Send(&pb.StreamingInputCallRequest{Payload: payload("sales")}))
	require.Eventually(t, func() bool { return len(s.calls()) == 1 }, 10*time.Second, time.Millisecond)
	clock.add(2 * time.Hour)
	_, err = stream.CloseAndRecv()
	requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
}

// The token runs out while the interceptor waits for the first message.
func TestFirstMessageAfterTheTokenRanOut(t *testing.T) {
	var book logBook
	verified := make(chan bool, 1)
	s := new(service)
	clock, kit, conn := expiring(t, s, book.option(), grpcauth.WithVerificationObserver(
		func(context.Context, time.Duration, error) { verified <- true }))
	stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(with(t, kit.Token(t, "ann", salesOnly)))
	require.NoError(t, err)
	<-verified
	clock.add(2 * time.Hour)
	require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
	_, err = stream.Recv()
	requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
	require.Empty(t, s.calls())
	require.Equal(t, "token_refused", book.only(t)["reason"])
}

func TestReportOnlyStreamWhoseTokenRunsOut(t *testing.T) {
	var book logBook
	clock, kit, conn := expiring(t, new(service), book.option(), grpcauth.ReportOnly())
	stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(with(t, kit.Token(t, "ann", salesOnly)))
	require.NoError(t, err)
	for range 3 {
		require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
		_, err = stream.Recv()
		require.NoError(t, err)
		clock.add(2 * time.Hour)
	}
	require.Equal(t, "token_refused", book.only(t)["reason"])
	require.Equal(t, "request would be refused", book.only(t)["msg"])
}

// A handler of a stream that is allowed gets every message, the first one included, and nothing twice.
func TestStreamDeliversEveryMessage(t *testing.T) {
	s := new(service)
	conn := start(t, s, newAuth(t).ServerOptions()...)
	stream, err := pb.NewTestServiceClient(conn).StreamingInputCall(ann(t, salesOnly))
	require.NoError(t, err)
	for _, name := range []string{"sales", "second", "third"} {
		require.NoError(t, stream.Send(&pb.StreamingInputCallRequest{Payload: payload(name)}))
	}
	m, err := stream.CloseAndRecv()
	require.NoError(t, err)
	require.Equal(t, []string{"sales", "second", "third"}, s.calls())
	require.EqualValues(t, len("salessecondthird"), m.GetAggregatedPayloadSize())
}

// The first message reaches the handler whole, with fields that the server does not know, and replaces
// what the handler's message had.
func TestFirstMessageIsWhole(t *testing.T) {
	got := make(chan *pb.StreamingOutputCallRequest, 1)
	s := &service{stream: func(s bidiStream) error {
		m := &pb.StreamingOutputCallRequest{ResponseStatus: &pb.EchoStatus{Message: "of another message"}}
		err := s.RecvMsg(m)
		got <- m
		return err
	}}
	conn := start(t, s, newAuth(t).ServerOptions()...)
	stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(ann(t, salesOnly))
	require.NoError(t, err)
	sent := &pb.StreamingOutputCallRequest{
		Payload:            payload("sales"),
		ResponseParameters: []*pb.ResponseParameters{{Size: 7}, {IntervalUs: 8}},
	}
	sent.ProtoReflect().SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 1000, protowire.VarintType), 5))
	require.NoError(t, stream.Send(sent))
	_, err = stream.Recv()
	require.ErrorIs(t, err, io.EOF)
	require.True(t, proto.Equal(sent, <-got))
}

func TestStreamWithoutAMessage(t *testing.T) {
	var book logBook
	var observed []permissions.Observation
	s := new(service)
	auth := newAuth(t, book.option(), grpcauth.WithObserver(func(_ context.Context, o permissions.Observation) {
		observed = append(observed, o)
	}))
	conn := start(t, s, auth.ServerOptions()...)
	stream, err := pb.NewTestServiceClient(conn).StreamingInputCall(ann(t, salesOnly))
	require.NoError(t, err)
	_, err = stream.CloseAndRecv()
	requireStatus(t, err, codes.InvalidArgument, grpcauth.ReasonInvalidTarget)
	require.Empty(t, s.calls())
	require.Contains(t, book.only(t)["error"], "ended before a message came")
	require.Len(t, observed, 1)
	require.Equal(t, permissions.ReasonInvalidQuestion, observed[0].Decision.Reason)
}

// No handler begins, and no header is sent, before the first message has come.
func TestNothingIsSentBeforeTheFirstMessage(t *testing.T) {
	s := &service{stream: func(s bidiStream) error {
		if err := s.SendHeader(metadata.Pairs("begun", "yes")); err != nil {
			return err
		}
		_, err := s.Recv()
		return err
	}}
	conn := start(t, s, newAuth(t).ServerOptions()...)
	for name, want := range map[string][]string{"finance": nil, "sales": {"yes"}} {
		t.Run(name, func(t *testing.T) {
			stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(ann(t, salesOnly))
			require.NoError(t, err)
			require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload(name)}))
			header, err := stream.Header()
			require.NoError(t, err)
			require.Equal(t, want, header.Get("begun"))
			_, err = stream.Recv()
			require.Error(t, err)
		})
	}
}

// A client that goes away is not refused.
func TestClientThatGoesAwayFromAStream(t *testing.T) {
	t.Run("before the first message", func(t *testing.T) {
		var book logBook
		ended, verified := make(chan error, 1), make(chan bool, 1)
		outer := outerStream(func(ss grpc.ServerStream, next func(grpc.ServerStream) error) error {
			err := next(ss)
			ended <- err
			return err
		})
		s := new(service)
		auth := newAuth(t, book.option(), grpcauth.WithVerificationObserver(
			func(context.Context, time.Duration, error) { verified <- true }))
		conn := start(t, s, append([]grpc.ServerOption{outer}, auth.ServerOptions()...)...)
		ctx, cancel := context.WithCancel(ann(t, salesOnly))
		_, err := pb.NewTestServiceClient(conn).FullDuplexCall(ctx)
		require.NoError(t, err)
		<-verified
		cancel()
		require.Equal(t, codes.Canceled, status.Code(<-ended))
		require.Empty(t, s.calls())
		require.Empty(t, book.lines(t))
	})
	t.Run("later", func(t *testing.T) {
		var book logBook
		received := make(chan error, 1)
		s := &service{stream: func(s bidiStream) error {
			if _, err := s.Recv(); err != nil {
				return err
			}
			if err := s.Send(new(pb.StreamingOutputCallResponse)); err != nil {
				return err
			}
			_, err := s.Recv()
			received <- err
			return err
		}}
		conn := start(t, s, newAuth(t, book.option()).ServerOptions()...)
		ctx, cancel := context.WithCancel(ann(t, salesOnly))
		stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(ctx)
		require.NoError(t, err)
		require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
		_, err = stream.Recv()
		require.NoError(t, err)
		cancel()
		require.Equal(t, codes.Canceled, status.Code(<-received))
		require.Empty(t, book.lines(t))
	})
}

// The table has another message than the handler, which New cannot see without a descriptor of the
// service.
func TestTableThatDoesNotFitTheHandler(t *testing.T) {
	const name = "/example.Unknown/Method"
	for _, tt := range []struct {
		kind    string
		streams bool
	}{{"unary", false}, {"stream", true}} {
		t.Run(tt.kind, func(t *testing.T) {
			var book logBook
			handled := false
			auth, err := grpcauth.New(kit.Verifier(), []grpcauth.Method{
				grpcauth.Require(name, permissions.ProxyAPI,
					func(context.Context, *pb.StreamingInputCallRequest) (permissions.Target, error) { return sales, nil }),
			}, book.option())
			require.NoError(t, err)
			s := &service{desc: simpleDesc(tt.streams, &handled)}
			conn := start(t, s, auth.ServerOptions()...)
			err = conn.Invoke(ann(t, salesOnly), name, &pb.SimpleRequest{Payload: payload("sales")}, new(pb.SimpleResponse))
			requireStatus(t, err, codes.Internal, "")
			require.False(t, handled, "the handler got a message")
			require.Contains(t, book.only(t)["error"], "the table has a *grpc_testing.StreamingInputCallRequest")
		})
	}
}

// simpleDesc is a service whose handlers take a SimpleRequest. It is not in the registry of protobuf.
func simpleDesc(streams bool, handled *bool) *grpc.ServiceDesc {
	desc := &grpc.ServiceDesc{ServiceName: "example.Unknown", HandlerType: (*any)(nil)}
	handler := func(context.Context, any) (any, error) {
		*handled = true
		return new(pb.SimpleResponse), nil
	}
	if streams {
		careless := func(_ any, s grpc.ServerStream) error {
			if err := s.RecvMsg(new(pb.SimpleRequest)); err != nil {
				return nil
			}
			_, err := handler(s.Context(), nil)
			return err
		}
		desc.Streams = []grpc.StreamDesc{{StreamName: "Method", ServerStreams: true, Handler: careless}}
		return desc
	}
	desc.Methods = []grpc.MethodDesc{{MethodName: "Method", Handler: func(
		srv any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor,
	) (any, error) {
		m := new(pb.SimpleRequest)
		if err := decode(m); err != nil {
			return nil, err
		}
		return interceptor(ctx, m, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/example.Unknown/Method"}, handler)
	}}}
	return desc
}

// A jsonCodec encodes messages that are not of protobuf.
type jsonCodec struct{}

func (jsonCodec) Name() string                       { return "json" }
func (jsonCodec) Marshal(v any) ([]byte, error)      { return json.Marshal(v) }
func (jsonCodec) Unmarshal(data []byte, v any) error { return json.Unmarshal(data, v) }

func TestMessagesOfAnotherCodec(t *testing.T) {
	type message struct{ Name string }
	const name = "/example.JSON/Method"
	s := new(service)
	s.desc = &grpc.ServiceDesc{ServiceName: "example.JSON", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{{
		StreamName: "Method", ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error {
			for {
				m := message{Name: "of another message"}
				err := stream.RecvMsg(&m)
				if err == io.EOF {
					return nil
				}
				if err != nil {
					return err
				}
				if err := stream.SendMsg(m); err != nil {
					return err
				}
			}
		},
	}}}
	auth, err := grpcauth.New(kit.Verifier(), []grpcauth.Method{
		grpcauth.Require(name, permissions.ProxyAPI, func(_ context.Context, m *message) (permissions.Target, error) {
			return slack.Credential(permissions.NoID(), permissions.ExternalID(m.Name)), nil
		}),
	})
	require.NoError(t, err)
	conn := start(t, s, append(auth.ServerOptions(), grpc.ForceServerCodec(jsonCodec{}))...)
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

	stream, err := conn.NewStream(ann(t, salesOnly), desc, name, grpc.ForceCodec(jsonCodec{}))
	require.NoError(t, err)
	for _, name := range []string{"sales", "second"} {
		var got message
		require.NoError(t, stream.SendMsg(message{name}))
		require.NoError(t, stream.RecvMsg(&got))
		require.Equal(t, name, got.Name)
	}
	stream, err = conn.NewStream(ann(t, salesOnly), desc, name, grpc.ForceCodec(jsonCodec{}))
	require.NoError(t, err)
	require.NoError(t, stream.SendMsg(message{"finance"}))
	requireStatus(t, stream.RecvMsg(new(message)), codes.PermissionDenied, grpcauth.ReasonInsufficientScope)
}

// A signaling stream says when it begins to receive.
type signaling struct {
	grpc.ServerStream
	receives chan bool
}

func (s *signaling) RecvMsg(m any) error {
	s.receives <- true
	return s.ServerStream.RecvMsg(m)
}

// A handler that waits for a message goes on waiting when the token runs out.
func TestHandlerThatWaitsWhenTheTokenRunsOut(t *testing.T) {
	for name, client := range map[string]func(*testing.T, grpc.ClientStream){
		"until a message comes": func(t *testing.T, stream grpc.ClientStream) {
			require.NoError(t, stream.SendMsg(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
		},
		"until the client ends the stream": func(t *testing.T, stream grpc.ClientStream) {
			require.NoError(t, stream.CloseSend())
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, receives := make(chan error, 1), make(chan bool, 10)
			s := &service{stream: func(s bidiStream) error {
				if _, err := s.Recv(); err != nil {
					return err
				}
				_, err := s.Recv()
				got <- err
				return err
			}}
			c := &clock{now: time.Now()}
			kit := permissionstest.New(t, usertoken.WithClock(c.time))
			auth, err := grpcauth.New(kit.Verifier(), table())
			require.NoError(t, err)
			outer := outerStream(func(ss grpc.ServerStream, next func(grpc.ServerStream) error) error {
				return next(&signaling{ss, receives})
			})
			conn := start(t, s, append([]grpc.ServerOption{outer}, auth.ServerOptions()...)...)
			stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(with(t, kit.Token(t, "ann", salesOnly)))
			require.NoError(t, err)
			require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
			<-receives
			<-receives // the handler waits for the second message
			c.add(2 * time.Hour)
			require.Empty(t, got)
			client(t, stream)
			requireStatus(t, <-got, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
			_, err = stream.Recv()
			requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
		})
	}
}

// When the token has run out, a receive fails at once. It does not wait, and does not deliver a message that has come
// already.
func TestHandlerThatReceivesAfterTheTokenRanOut(t *testing.T) {
	for _, taken := range []int{0, 1} {
		t.Run(fmt.Sprint(taken, " messages received before"), func(t *testing.T) {
			got, ready, ranOut := make(chan error, 1), make(chan bool), make(chan bool)
			s := &service{stream: func(s bidiStream) error {
				for range taken {
					if _, err := s.Recv(); err != nil {
						return err
					}
				}
				close(ready)
				<-ranOut
				_, err := s.Recv()
				got <- err
				return err
			}}
			clock, kit, conn := expiring(t, s)
			stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(with(t, kit.Token(t, "ann", salesOnly)))
			require.NoError(t, err)
			require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
			<-ready
			clock.add(2 * time.Hour)
			close(ranOut)
			requireStatus(t, <-got, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
		})
	}
}

// After the token has expired no message is sent, but headers and trailers are.
func TestStreamAfterItsTokenRanOut(t *testing.T) {
	received, ranOut := make(chan bool), make(chan bool)
	checks := 0
	s := &service{stream: func(s bidiStream) error {
		if _, err := s.Recv(); err != nil {
			return err
		}
		close(received)
		<-ranOut
		_ = s.Send(new(pb.StreamingOutputCallResponse)) // not sent
		s.SetTrailer(metadata.Pairs("mine", "trailer"))
		return s.SendHeader(metadata.Pairs("mine", "header"))
	}}
	clock, kit, conn := expiring(t, s, grpcauth.WithCheck(func(context.Context, *usertoken.Claims) error {
		checks++
		return nil
	}))
	stream, err := pb.NewTestServiceClient(conn).FullDuplexCall(with(t, kit.Token(t, "ann", salesOnly)))
	require.NoError(t, err)
	require.NoError(t, stream.Send(&pb.StreamingOutputCallRequest{Payload: payload("sales")}))
	<-received
	clock.add(2 * time.Hour)
	close(ranOut)
	header, err := stream.Header()
	require.NoError(t, err)
	require.Equal(t, []string{"header"}, header.Get("mine"))
	_, err = stream.Recv()
	requireStatus(t, err, codes.Unauthenticated, grpcauth.ReasonInvalidToken)
	require.Equal(t, []string{"trailer"}, stream.Trailer().Get("mine"))
	require.Equal(t, 1, checks)
}
