package grpcauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/connectperms/permissions"
)

// A Method is a line of the table that [New] takes: which methods it is for, and what they need.
// [Require], [Authenticate] and [Open] make one. It does not change. The zero Method is for no method,
// and New refuses it.
type Method struct {
	names []string // full names
	open  bool     // needs no token

	// For Require. Otherwise question is nil.
	question *question
}

// A question is what is asked before a call of a method goes on. It is not modified.
type question struct {
	action     permissions.Permission
	newMessage func() any

	// target is nil if the service gave none.
	target func(ctx context.Context, message any) (permissions.Target, error)

	// move copies a message that was received into that of the handler.
	move func(to, from any) error
}

// Require returns the line for a method that goes on only if the policy of the token allows the action
// on the target of the request message. The type of the message follows from the function:
//
//	grpcauth.Require(pb.Credentials_Disconnect_FullMethodName, permissions.CredentialWrite,
//		func(ctx context.Context, m *pb.DisconnectRequest) (permissions.Target, error) {
//			row, err := store.credential(ctx, httpauth.Claims(ctx).Subject, m.GetId())
//			if errors.Is(err, sql.ErrNoRows) {
//				err = httpauth.ErrNotFound
//			}
//			if err != nil {
//				return permissions.Target{}, err
//			}
//			return permissions.Integration(row.Integration).Credential(permissions.ID(row.ID),
//				permissions.ExternalIDOrNone(row.ExternalID.String, row.ExternalID.Valid)), nil
//		})
//
// The function is called after the token was accepted, so it can use [httpauth.FromContext]. It must be
// safe for concurrent use, and must not keep the message. A message rarely names every identifier, and
// an unknown one can turn a yes into a no (SPEC 4.7). So load the object, and give the target every
// identifier that it has.
//
// If there is no such object, return [httpauth.ErrNotFound]. To hide from the caller which objects exist,
// load only what belongs to the subject, and return ErrNotFound for what [permissions.Policy.Visible]
// denies. The handler loads the object again. Where its identifiers can change in between, take
// [Authenticate], and have the handler ask about the object that it works on.
//
// A name can be in the metadata several times. A function that takes one from there refuses that, because
// the handler could take another one.
//
// A denial is answered with PermissionDenied. An error that matches [permissions.ErrQuestion], and a
// target that is invalid, are answered with InvalidArgument, and any other error as [Error] says. A
// panic is answered with Internal.
//
// The function gets the first message that the client sends. On a stream, the handler begins only after
// that message was received and the policy has allowed the call, so nothing is handled or sent before.
// A handler that wants to send first, without a message of the client, needs [Authenticate]. A client
// that sends no message at all is answered with InvalidArgument. The later messages of a stream are not
// looked at: a handler for which they name other targets asks [httpauth.Policy] about each.
func Require[T any](
	fullMethod string,
	action permissions.Permission,
	target func(ctx context.Context, message *T) (permissions.Target, error),
) Method {
	q := &question{action: action, newMessage: func() any { return new(T) }}
	if target != nil {
		q.target = func(ctx context.Context, message any) (permissions.Target, error) {
			m, ok := message.(*T)
			if !ok {
				return permissions.Target{}, fmt.Errorf("the message is a %T, and the table has a %T", message, m)
			}
			return target(ctx, m)
		}
	}
	q.move = func(to, from any) error {
		dst, ok := to.(*T)
		if !ok {
			return fmt.Errorf("the handler takes a %T, and the table has a %T", to, dst)
		}
		if m, ok := to.(proto.Message); ok {
			proto.Reset(m)
			proto.Merge(m, from.(proto.Message))
			return nil
		}
		*dst = *from.(*T)
		return nil
	}
	return Method{names: []string{fullMethod}, question: q}
}

// Authenticate returns the line for methods that need a token, and no permission. The handler asks
// [httpauth.Policy], and returns the error of that: see [Interceptor.Unary].
func Authenticate(fullMethods ...string) Method { return Method{names: slices.Clone(fullMethods)} }

// Open returns the line for methods that need no token, such as those of the health and reflection
// services. Nothing is checked, and nothing is put into the context. Errors of the handlers are answered as
// [Interceptor.Unary] says. Name each method:
//
//	grpcauth.Open(
//		healthpb.Health_Check_FullMethodName,
//		healthpb.Health_Watch_FullMethodName,
//		reflectionpb.ServerReflection_ServerReflectionInfo_FullMethodName,
//	)
//
// Reflection tells everybody which methods and messages there are.
func Open(fullMethods ...string) Method { return Method{names: slices.Clone(fullMethods), open: true} }

// fullName is the form of a full method name. Names of other systems than protobuf may hold more than
// letters.
var fullName = regexp.MustCompile(`^/[^/\s]+/[^/\s]+$`)

// newTable returns the lines by full method name, or an error with everything that is wrong.
func newTable(methods []Method, vocabulary []permissions.Permission) (map[string]Method, error) {
	table := make(map[string]Method)
	var problems []error
	for i, m := range methods {
		if len(m.names) == 0 {
			problems = append(problems, fmt.Errorf("grpcauth: line %d of the table names no method", i))
		}
		for _, name := range m.names {
			problem := m.problem(name, vocabulary)
			if _, ok := table[name]; ok && problem == "" {
				problem = "it is in the table twice"
			}
			if problem != "" {
				problems = append(problems, fmt.Errorf("grpcauth: method %q: %s", name, problem))
			}
			table[name] = m
		}
	}
	return table, errors.Join(problems...)
}

// problem returns what is wrong with a line for a method, or nothing.
func (m Method) problem(name string, vocabulary []permissions.Permission) string {
	switch {
	case !fullName.MatchString(name):
		return "a full method name has the form /package.Service/Method"
	case m.question == nil:
		return m.misfit(name)
	case m.question.target == nil:
		return "the function target is nil"
	case !slices.Contains(vocabulary, m.question.action):
		return fmt.Sprintf("the permission %q is unknown; WithClaimOptions adds permissions", m.question.action)
	}
	return m.misfit(name)
}

// misfit compares a line with the descriptor of its service, if the program has it. A message of
// another type would decode, and its fields would mean something else.
func (m Method) misfit(name string) string {
	service, method, _ := strings.Cut(name[1:], "/")
	found, _ := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
	descriptor, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return ""
	}
	d := descriptor.Methods().ByName(protoreflect.Name(method))
	if d == nil {
		return fmt.Sprintf("the service %s has no such method", service)
	}
	if m.question == nil {
		return ""
	}
	message, ok := m.question.newMessage().(proto.Message)
	if !ok { // of another codec
		return ""
	}
	got := message.ProtoReflect().Descriptor()
	if got == nil || got.FullName() != d.Input().FullName() {
		return fmt.Sprintf("its message is %s, and the function target takes a %T", d.Input().FullName(), message)
	}
	return ""
}

// Check compares the table with the methods that a server serves: call it with the [*grpc.Server] when
// all services are registered, before Serve. The error names every method that is served and not in the
// table, which nobody may call, and every method in the table that is not served, which is often a
// misspelled one.
func (i *Interceptor) Check(server interface {
	GetServiceInfo() map[string]grpc.ServiceInfo
}) error {
	served := make(map[string]bool)
	for service, info := range server.GetServiceInfo() {
		for _, m := range info.Methods {
			served["/"+service+"/"+m.Name] = true
		}
	}
	var table map[string]Method
	if i != nil {
		table = i.table
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(served)) {
		if _, ok := table[name]; !ok {
			problems = append(problems,
				fmt.Errorf("grpcauth: method %q is served and not in the table, so nobody may call it", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		if !served[name] {
			problems = append(problems, fmt.Errorf("grpcauth: method %q is in the table and not served", name))
		}
	}
	return errors.Join(problems...)
}
