package routers_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/routers"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

// protocols are what a client of Connect speaks.
var protocols = map[string][]connect.ClientOption{
	"Connect":           nil,
	"Connect with JSON": {connect.WithProtoJSON()},
	"gRPC":              {connect.WithGRPC()},
	"gRPC-Web":          {connect.WithGRPCWeb()},
}

// connectPolicy allows requests for one credential and denies them for another.
var connectPolicy = permissions.MustParse(`{
	"integration:slack": {
		"credential:ext:sales":   ["proxy-api", "credential:write"],
		"credential:ext:finance": false
	}
}`)

// A connectServer is a server with the handlers of Connect, on loopback.
type connectServer struct {
	*httptest.Server
	mu      sync.Mutex
	deleted []string
}

func startConnect(t *testing.T, verifier *usertoken.Verifier, opts ...httpauth.Option) *connectServer {
	t.Helper()
	s := new(connectServer)
	opts = append(opts, httpauth.WithErrorHandler(routers.ConnectErrors()))
	handler := routers.Connect(httpauth.New(verifier, opts...), func(integration, credential string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.deleted = append(s.deleted, integration+"/"+credential)
	})
	s.Server = httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = true // gRPC needs it
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

type message = wrapperspb.StringValue

// A call is one call of a client.
type call struct {
	token      string
	credential string // for the header; empty for none
	options    []connect.ClientOption
}

func (c call) headers(h http.Header) {
	if c.token != "" {
		h.Set("Authorization", "Bearer "+c.token)
	}
	if c.credential != "" {
		h.Set(httpauth.CredentialHeader, c.credential)
	}
}

func (s *connectServer) send(ctx context.Context, c call) (string, error) {
	client := connect.NewClient[message, message](s.Client(), s.URL+routers.SendProcedure, c.options...)
	req := connect.NewRequest(wrapperspb.String("hello"))
	c.headers(req.Header())
	resp, err := client.CallUnary(ctx, req)
	if err != nil {
		return "", err
	}
	return resp.Msg.GetValue(), nil
}

func (s *connectServer) open(ctx context.Context, c call) *connect.BidiStreamForClient[message, message] {
	client := connect.NewClient[message, message](s.Client(), s.URL+routers.StreamProcedure, c.options...)
	stream := client.CallBidiStream(ctx)
	c.headers(stream.RequestHeader())
	return stream
}

func (s *connectServer) stream(ctx context.Context, c call) (string, error) {
	stream := s.open(ctx, c)
	defer func() {
		_ = stream.CloseRequest()
		_ = stream.CloseResponse()
	}()
	// An error of Send is io.EOF. Receive returns what the server answered.
	_ = stream.Send(wrapperspb.String("hello"))
	m, err := stream.Receive()
	return m.GetValue(), err
}

func (s *connectServer) disconnect(ctx context.Context, c call, name string) error {
	client := connect.NewClient[message, emptypb.Empty](s.Client(), s.URL+routers.DisconnectProcedure, c.options...)
	req := connect.NewRequest(wrapperspb.String(name))
	c.headers(req.Header())
	_, err := client.CallUnary(ctx, req)
	return err
}

// requireCode requires an error that a client read from the server, with a code, and nothing of the
// policy.
func requireCode(t *testing.T, code connect.Code, err error) {
	t.Helper()
	var e *connect.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code(), "%v", err)
	require.True(t, connect.IsWireError(err), "the client made the error itself: %v", err)
	require.Equal(t, strings.ReplaceAll(code.String(), "_", " "), e.Message())
}

func TestConnect(t *testing.T) {
	kit := permissionstest.New(t)
	good := kit.Token(t, "ann", connectPolicy)
	bad := kit.BadToken(t, permissionstest.FlawSignature, "ann", connectPolicy)
	for protocol, options := range protocols {
		t.Run(protocol, func(t *testing.T) {
			s := startConnect(t, kit.Verifier())
			for _, tt := range []struct {
				name       string
				token      string
				credential string
				code       connect.Code // 0 for none
			}{
				{"allowed", good, "sales", 0},
				{"denied", good, "finance", connect.CodePermissionDenied},
				{"no credential, so it may be any", good, "", connect.CodePermissionDenied},
				{"an invalid credential", good, "a,b", connect.CodeInvalidArgument},
				{"no token", "", "sales", connect.CodeUnauthenticated},
				{"several tokens", good + ", Bearer " + good, "sales", connect.CodeInvalidArgument},
				{"a bad token", bad, "sales", connect.CodeUnauthenticated},
			} {
				t.Run(tt.name, func(t *testing.T) {
					c := call{tt.token, tt.credential, options}
					for _, do := range []func(context.Context, call) (string, error){s.send, s.stream} {
						answer, err := do(t.Context(), c)
						if tt.code == 0 {
							require.NoError(t, err)
							require.Equal(t, "ann: hello", answer)
							continue
						}
						requireCode(t, tt.code, err)
					}
				})
			}
		})
	}
}

func TestConnectHandlerThatAsks(t *testing.T) {
	kit := permissionstest.New(t)
	good := kit.Token(t, "ann", connectPolicy)
	for protocol, options := range protocols {
		t.Run(protocol, func(t *testing.T) {
			s := startConnect(t, kit.Verifier())
			for _, tt := range []struct {
				name   string
				token  string
				target string
				code   connect.Code
			}{
				{"denied", good, "slack/ext:finance", connect.CodePermissionDenied},
				{"another integration", good, "jira/ext:sales", connect.CodePermissionDenied},
				{"an invalid target", good, "slack/", connect.CodeInvalidArgument},
				{"no token", "", "slack/ext:sales", connect.CodeUnauthenticated},
			} {
				t.Run(tt.name, func(t *testing.T) {
					requireCode(t, tt.code, s.disconnect(t.Context(), call{token: tt.token, options: options}, tt.target))
					require.Empty(t, s.deleted)
				})
			}
			require.NoError(t, s.disconnect(t.Context(), call{token: good, options: options}, "slack/ext:sales"))
			require.Equal(t, []string{"slack/ext:sales"}, s.deleted)
		})
	}
}

// Keys that cannot be looked up are not the caller's fault, and a client that retries reads that.
func TestConnectWithoutKeys(t *testing.T) {
	verifier, err := usertoken.NewVerifier(permissionstest.ProjectID, nil,
		usertoken.WithKeySource(func(context.Context, *jwt.Token) (any, error) { return nil, errors.New("no network") }))
	require.NoError(t, err)
	token := permissionstest.Shared().Token(t, "ann", connectPolicy)
	for protocol, options := range protocols {
		t.Run(protocol, func(t *testing.T) {
			s := startConnect(t, verifier)
			_, err := s.send(t.Context(), call{token, "sales", options})
			requireCode(t, connect.CodeUnavailable, err)
			_, err = s.stream(t.Context(), call{token, "sales", options})
			requireCode(t, connect.CodeUnavailable, err)
		})
	}
}

// The token runs out in the middle of a stream.
func TestConnectStreamWhoseTokenRunsOut(t *testing.T) {
	var mu sync.Mutex
	now := time.Now()
	kit := permissionstest.New(t, usertoken.WithClock(func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	}))
	for protocol, options := range protocols {
		t.Run(protocol, func(t *testing.T) {
			s := startConnect(t, kit.Verifier())
			stream := s.open(t.Context(), call{kit.Token(t, "ann", connectPolicy), "sales", options})
			require.NoError(t, stream.Send(wrapperspb.String("one")))
			m, err := stream.Receive()
			require.NoError(t, err)
			require.Equal(t, "ann: one", m.GetValue())
			mu.Lock()
			now = now.Add(2 * time.Hour)
			mu.Unlock()
			_ = stream.Send(wrapperspb.String("two"))
			_, err = stream.Receive()
			requireCode(t, connect.CodeUnauthenticated, err)
			require.NoError(t, stream.CloseRequest())
		})
	}
}

// Whoever does not speak a protocol of Connect gets what httpauth answers.
func TestConnectWithAnotherClient(t *testing.T) {
	s := startConnect(t, permissionstest.Shared().Verifier())
	resp, err := s.Client().Post(s.URL+routers.SendProcedure, "text/plain", strings.NewReader("hello"))
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
	require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
}

// The codes of errors that a handler returns, and of answers that httpauth gives.
func TestConnectCodes(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		code connect.Code
	}{
		"not found":     {httpauth.ErrNotFound, connect.CodeNotFound},
		"another error": {errors.New("a bug"), connect.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, tt.code, connect.CodeOf(routers.ConnectError(tt.err))) })
	}
	for status, want := range map[int]int{404: 404, 418: 500} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", "application/proto")
		routers.ConnectErrors()(w, r, &httpauth.Error{Status: status})
		require.Equal(t, want, w.Code)
	}
}
