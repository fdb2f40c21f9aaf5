// Package grpcauth has interceptors for gRPC servers. They verify the Paragon User Token of a call, and
// end the call where the permissions claim of the token denies what is asked. It is for gRPC what
// package httpauth is for net/http, and a module of its own.
//
// A service makes one [Interceptor], with a table of its methods:
//
//	auth, err := grpcauth.New(verifier, []grpcauth.Method{
//		grpcauth.Require(pb.Credentials_Disconnect_FullMethodName, permissions.CredentialWrite,
//			func(ctx context.Context, m *pb.DisconnectRequest) (permissions.Target, error) {
//				return store.target(ctx, m.GetId()) // loads the row, and gives every identifier
//			}),
//		grpcauth.Authenticate(pb.Users_Me_FullMethodName),
//		grpcauth.Open(healthpb.Health_Check_FullMethodName, healthpb.Health_Watch_FullMethodName),
//	}, grpcauth.WithLogger(slog.Default()))
//	...
//	server := grpc.NewServer(auth.ServerOptions()...)
//	pb.RegisterCredentialsServer(server, credentials)
//	...
//	err = auth.Check(server) // does the table have every method?
//
// Nobody may call a method that is not in the table. The token is in the metadata, as "authorization:
// Bearer TOKEN". A handler finds the claims where httpauth puts them: [httpauth.Policy],
// [httpauth.Claims] and [httpauth.FromContext]. [Interceptor.AuthFunc] is for those who use
// go-grpc-middleware to authenticate, and ask the policy in every handler.
//
// # Answers
//
// The token is judged first, then the message, then the question.
//
//	what happened                                            code              reason
//	there is no authorization metadata, it is empty, or it   Unauthenticated   NO_TOKEN
//	has another scheme than Bearer
//	there are several values of it, or the scheme is Bearer  Unauthenticated   INVALID_REQUEST
//	and what follows is not one token
//	the token is refused, or revoked (WithCheck), or has     Unauthenticated   INVALID_TOKEN
//	run out in the middle of a stream
//	the keys cannot be looked up, or a check fails           Unavailable       UNAVAILABLE
//	the method is not in the table                           PermissionDenied  INSUFFICIENT_SCOPE
//	the message does not name a valid target                 InvalidArgument   INVALID_TARGET
//	the policy denies                                        PermissionDenied  INSUFFICIENT_SCOPE
//	what is asked about does not exist                       NotFound          NOT_FOUND
//	a panic or another error before the handler              Internal
//
// The reason is in the details of the status, in a google.rpc.ErrorInfo whose domain is [Domain]. With
// Unavailable there is a google.rpc.RetryInfo too. The answer says nothing of the policy or of why a
// token failed. [WithLogger] and [WithErrorHandler] get that.
//
// # What an interceptor does not see
//
// Code in the same process that calls the service's methods directly passes no interceptor. The
// handlers of grpc-gateway do that if they were registered with a function Register...HandlerServer.
// gRPC decodes the message of a unary call before any interceptor, so bound it with
// grpc.MaxRecvMsgSize. Bound the metadata with grpc.MaxHeaderListSize.
package grpcauth
