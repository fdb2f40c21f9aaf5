package grpcauth_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	pb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/grpcauth"
)

func TestTableIsChecked(t *testing.T) {
	proxy := func(name string) grpcauth.Method { return grpcauth.Require(name, permissions.ProxyAPI, unaryTarget) }
	const form = "a full method name has the form /package.Service/Method"
	for _, tt := range []struct {
		name    string
		methods []grpcauth.Method
		opts    []grpcauth.Option
		want    []string // nothing for a table that is right
	}{
		{"no methods", nil, nil, nil},
		{"the methods of the tests", table(), nil, nil},
		{"a service that the program has no descriptor of", []grpcauth.Method{proxy("/a.b.C/D")}, nil, nil},
		{"a service without a package", []grpcauth.Method{proxy("/C/D")}, nil, nil},
		{"a message that is not a service", []grpcauth.Method{proxy("/grpc.testing.SimpleRequest/D")}, nil, nil},
		{"the zero Method", []grpcauth.Method{{}}, nil, []string{"line 0 of the table names no method"}},
		{"no name", []grpcauth.Method{grpcauth.Open()}, nil, []string{"line 0 of the table names no method"}},
		{"an empty name", []grpcauth.Method{grpcauth.Open("")}, nil, []string{`method "": ` + form}},
		{"no slash at the beginning", []grpcauth.Method{proxy("a.B/C")}, nil, []string{`method "a.B/C": ` + form}},
		{"no method", []grpcauth.Method{proxy("/a.B/")}, nil, []string{`method "/a.B/": ` + form}},
		{"no service", []grpcauth.Method{proxy("//C")}, nil, []string{`method "//C": ` + form}},
		{"a service alone", []grpcauth.Method{grpcauth.Open("/a.B")}, nil, []string{form}},
		{"three parts", []grpcauth.Method{grpcauth.Open("/a.B/C/D")}, nil, []string{form}},
		{"a space", []grpcauth.Method{grpcauth.Open("/a.B/C ")}, nil, []string{form}},
		{"a line break", []grpcauth.Method{grpcauth.Open("/a.B/C\n")}, nil, []string{`method "/a.B/C\n": ` + form}},
		{
			"a method twice", []grpcauth.Method{proxy(unary), grpcauth.Open(unary)}, nil,
			[]string{`method "` + unary + `": it is in the table twice`},
		},
		{
			"a method twice in a line", []grpcauth.Method{grpcauth.Open(unary, unary)}, nil,
			[]string{"it is in the table twice"},
		},
		{
			"an unknown permission", []grpcauth.Method{grpcauth.Require(unary, "proxy", unaryTarget)}, nil,
			[]string{`method "` + unary + `": the permission "proxy" is unknown; WithClaimOptions adds permissions`},
		},
		{
			"no permission", []grpcauth.Method{grpcauth.Require(unary, "", unaryTarget)}, nil,
			[]string{`the permission "" is unknown`},
		},
		{
			"a permission of the service's own", []grpcauth.Method{grpcauth.Require(unary, "proxy", unaryTarget)},
			[]grpcauth.Option{grpcauth.WithClaimOptions(permissions.WithPermissions("proxy"))}, nil,
		},
		{
			"a nil function", []grpcauth.Method{grpcauth.Require[pb.SimpleRequest](unary, permissions.ProxyAPI, nil)}, nil,
			[]string{"the function target is nil"},
		},
		{
			"a method that the service does not have", []grpcauth.Method{proxy("/grpc.testing.TestService/UnaryCal")}, nil,
			[]string{"the service grpc.testing.TestService has no such method"},
		},
		{
			"an open method that the service does not have",
			[]grpcauth.Method{grpcauth.Open("/grpc.health.v1.Health/Chek")}, nil,
			[]string{"the service grpc.health.v1.Health has no such method"},
		},
		{
			"another message", []grpcauth.Method{proxy(bidi)}, nil,
			[]string{"its message is grpc.testing.StreamingOutputCallRequest, " +
				"and the function target takes a *grpc_testing.SimpleRequest"},
		},
		{
			"a message without a descriptor",
			[]grpcauth.Method{grpcauth.Require(unary, permissions.ProxyAPI,
				func(context.Context, *dynamicpb.Message) (permissions.Target, error) { return slack, nil })}, nil,
			[]string{"its message is grpc.testing.SimpleRequest, and the function target takes a *dynamicpb.Message"},
		},
		{
			"a message of another codec",
			[]grpcauth.Method{grpcauth.Require(unary, permissions.ProxyAPI,
				func(context.Context, *[]byte) (permissions.Target, error) { return slack, nil })}, nil, nil,
		},
		{
			"two mistakes", []grpcauth.Method{grpcauth.Open("a"), {}}, nil,
			[]string{`method "a": ` + form, "line 1 of the table names no method"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			auth, err := grpcauth.New(kit.Verifier(), tt.methods, tt.opts...)
			if tt.want == nil {
				require.NoError(t, err)
				return
			}
			require.Nil(t, auth)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// The table keeps nothing of the slices that it was made from.
func TestTableDoesNotChange(t *testing.T) {
	open, token := []string{"/a.B/Open"}, []string{"/a.B/Token"}
	methods := []grpcauth.Method{grpcauth.Open(open...), grpcauth.Authenticate(token...)}
	open[0], token[0] = unary, authOnly
	auth, err := grpcauth.New(kit.Verifier(), methods)
	require.NoError(t, err)
	require.ErrorContains(t, auth.Check(grpc.NewServer()), `"/a.B/Open" is in the table`)
	require.ErrorContains(t, auth.Check(grpc.NewServer()), `"/a.B/Token" is in the table`)
}

func TestCheckComparesTheTableWithTheServer(t *testing.T) {
	server := newServer(new(service))
	t.Run("methods that are not in the table", func(t *testing.T) {
		err := newAuth(t).Check(server)
		require.EqualError(t, err, `grpcauth: method "`+notListed+`" is served and not in the table, so nobody may call it`)
	})
	t.Run("nothing is missing", func(t *testing.T) {
		auth, err := grpcauth.New(kit.Verifier(), append(table(), grpcauth.Authenticate(notListed)))
		require.NoError(t, err)
		require.NoError(t, auth.Check(server))
	})
	t.Run("methods that are not served", func(t *testing.T) {
		methods := []grpcauth.Method{grpcauth.Open(healthpb.Health_Check_FullMethodName, "/a.B/C")}
		auth, err := grpcauth.New(kit.Verifier(), methods)
		require.NoError(t, err)
		require.EqualError(t, auth.Check(grpc.NewServer()), `grpcauth: method "/a.B/C" is in the table and not served`+"\n"+
			`grpcauth: method "/grpc.health.v1.Health/Check" is in the table and not served`)
	})
	t.Run("a nil interceptor", func(t *testing.T) {
		require.NoError(t, (*grpcauth.Interceptor)(nil).Check(grpc.NewServer()))
		require.ErrorContains(t, (*grpcauth.Interceptor)(nil).Check(server), "is served and not in the table")
	})
}
