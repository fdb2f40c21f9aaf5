package roles_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/roles"
)

const (
	idA = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	idB = "0b1c2d3e-4f50-4000-8000-00000000000a"
	idC = "11111111-2222-4333-8444-555555555555" // has one spelling
)

// cases reads a file of cases in testdata.
func cases[T any](t *testing.T, name string) (list []T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	require.NoError(t, d.Decode(&list))
	require.NotEmpty(t, list)
	return list
}

type parametersCase struct {
	Name     string
	Template json.RawMessage
	Args     roles.Args
	Want     string
}

type argumentsCase struct {
	Name     string
	Template json.RawMessage
	Args     roles.Args
	Message  string
}

type templateCase struct{ Name, Template, Message string }

// claimOf returns the claim of a policy.
func claimOf(t *testing.T, p *permissions.Policy) string {
	t.Helper()
	claim, err := json.Marshal(p)
	require.NoError(t, err)
	return string(claim)
}

func TestParametersBecomeNames(t *testing.T) {
	for _, c := range cases[parametersCase](t, "parameters.json") {
		t.Run(c.Name, func(t *testing.T) {
			r, err := roles.New("r", string(c.Template))
			require.NoError(t, err)
			alone, err := r.With(c.Args).Policy()
			require.NoError(t, err)
			require.Equal(t, c.Want, claimOf(t, alone))
			composed, err := roles.Compose(r.With(c.Args), r.With(c.Args))
			require.NoError(t, err)
			requireSame(t, composed, alone)
		})
	}
}

func TestArgumentsAreRefused(t *testing.T) {
	for _, c := range cases[argumentsCase](t, "arguments.json") {
		t.Run(c.Name, func(t *testing.T) {
			r, err := roles.New("r", string(c.Template))
			require.NoError(t, err)
			for name, f := range map[string]func() (*permissions.Policy, error){
				"Policy":  func() (*permissions.Policy, error) { return r.With(c.Args).Policy() },
				"Compose": func() (*permissions.Policy, error) { return roles.Compose(r.With(c.Args), r.With(c.Args)) },
				"alone":   func() (*permissions.Policy, error) { return roles.Compose(r.With(c.Args)) },
			} {
				p, err := f()
				require.Nil(t, p, name)
				require.ErrorIs(t, err, roles.ErrArguments, name)
				require.EqualError(t, err, `roles: the arguments are wrong: role "r": `+c.Message, name)
			}
		})
	}
}

func TestTooManyArgumentsAreRefused(t *testing.T) {
	r := roles.MustNew("r", `{"integration:${i}":{"credential:ext:${j}":true}}`)
	p, err := r.With(roles.Args{"i": many("i", 200), "j": many("j", 200)}).Policy()
	require.Nil(t, p)
	require.ErrorIs(t, err, roles.ErrArguments)
	require.EqualError(t, err, `roles: the arguments are wrong: role "r": the role has more than 10000 rules with them; `+
		"give fewer values")
}

func TestAsManyRulesAsARoleCanHave(t *testing.T) {
	r := roles.MustNew("r", `{"credential:ext:${a}":true,"configuration:ext:${b}":true}`)
	p, err := r.With(roles.Args{"a": many("a", 5000), "b": many("b", 5000)}).Policy()
	require.NoError(t, err)
	require.True(t, p.Allowed(permissions.ProxyAPI, permissions.Integration("slack").
		Credential(permissions.NoID(), permissions.ExternalID(many("a", 5000)[4999]))))
	p, err = r.With(roles.Args{"a": many("a", 5000), "b": many("b", 5001)}).Policy()
	require.Nil(t, p)
	require.ErrorIs(t, err, roles.ErrArguments)
	require.EqualError(t, err, `roles: the arguments are wrong: role "r": the role has more than 10000 rules with them; `+
		"give fewer values")
}

func TestArgumentThatIsNoScope(t *testing.T) {
	p, err := roles.MustNew("r", `{"credential:${c}":true}`).With(roles.Args{"c": {"acme"}}).Policy()
	require.Nil(t, p)
	require.ErrorIs(t, err, roles.ErrArguments)
	require.ErrorIs(t, err, permissions.ErrScope)
}

func many(prefix string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprint(prefix, i))
	}
	return list
}

func TestSameValueTwiceIsRefused(t *testing.T) {
	r := roles.MustNew("r", `{"credential:${c}":true}`)
	for name, values := range map[string][]string{
		"the same": {idA, idA}, "in capitals": {idA, "3FA85F64-5717-4562-B3FC-2C963F66AFA6"},
	} {
		t.Run(name, func(t *testing.T) {
			twice := r.With(roles.Args{"c": values})
			composed, errCompose := roles.Compose(twice, twice)
			alone, errAlone := twice.Policy()
			require.Nil(t, composed)
			require.Nil(t, alone)
			for _, err := range []error{errCompose, errAlone} {
				require.ErrorIs(t, err, roles.ErrArguments)
				require.ErrorIs(t, err, permissions.ErrDuplicate)
				require.ErrorContains(t, err, `roles: the arguments are wrong: role "r": permissions: claim at `)
			}
		})
	}
}

func TestTemplatesAreRefused(t *testing.T) {
	for _, c := range cases[templateCase](t, "templates.json") {
		t.Run(c.Name, func(t *testing.T) {
			r, err := roles.New("r", c.Template)
			require.Nil(t, r)
			require.ErrorIs(t, err, roles.ErrTemplate)
			require.EqualError(t, err, `roles: the template is wrong: role "r": `+c.Message)
			require.Panics(t, func() { roles.MustNew("r", c.Template) })
		})
	}
}

func TestTemplateThatHasThePlaceholder(t *testing.T) {
	const placeholder = "70617261-6d65-4000-8000-000000000000"
	r := roles.MustNew("r", `{"credential:`+placeholder+`":false,"credential:${c}":["events"]}`)
	p, err := r.With(roles.Args{"c": {idA}}).Policy()
	require.NoError(t, err)
	require.Equal(t, `{"credential:`+idA+`":["events"],"credential:`+placeholder+`":[]}`, claimOf(t, p))

	r = roles.MustNew("r", `{"credential:`+strings.ToUpper(placeholder)+`":false,"credential:${c}":["events"],
		"credential:ext:${d}":["workflows"]}`)
	p, err = r.With(roles.Args{"c": {idA}, "d": {"x"}}).Policy()
	require.NoError(t, err)
	require.Equal(t, `{"credential:ext:x":["workflows"],"credential:`+idA+`":["events"],"credential:`+placeholder+`":[]}`,
		claimOf(t, p))

	backslash := `"configuration:ext:\\u00` + placeholder + `":false`
	r = roles.MustNew("r", `{"integration:${p}":true,`+backslash+`}`)
	p, err = r.With(roles.Args{"p": {"x"}}).Policy()
	require.NoError(t, err)
	require.Equal(t, `{"integration:x":true,"configuration:ext:\\u00`+placeholder+`":[]}`, claimOf(t, p))

	escaped := strings.Replace(placeholder, "61-6d", `\u0036\u0031\u002d6d`, 1)
	r = roles.MustNew("r", `{"integration:`+escaped+`":{"credential:ext:${c}":false}}`)
	p, err = r.With(roles.Args{"c": {"x"}}).Policy()
	require.NoError(t, err)
	require.Equal(t, `{"integration:`+placeholder+`":{"credential:ext:x":[]}}`, claimOf(t, p))
}

func TestRole(t *testing.T) {
	r := roles.MustNew("member", `{"integration:${integrations}":{"configuration:ext:${team}":[]}}`)
	require.Equal(t, "member", r.Name())
	require.Equal(t, []string{"integrations", "team"}, r.Parameters())
	require.Empty(t, roles.MustNew("r", "{}").Parameters())
}

// A caller may reuse the slice of options.
func TestRoleKeepsItsOptions(t *testing.T) {
	opts := []permissions.Option{permissions.WithPermissions("one")}
	r, err := roles.New("r", `{"integration:*":["one"]}`, opts...)
	require.NoError(t, err)
	opts[0] = permissions.WithPermissions("two")
	p, err := r.With(nil).Policy()
	require.NoError(t, err)
	require.True(t, p.Allowed("one", permissions.User()))
}

func TestRoleWithTooManyPermissions(t *testing.T) {
	declare := func(n int) permissions.Option {
		var names []permissions.Permission
		for i := range n {
			names = append(names, permissions.Permission(fmt.Sprint("p", i)))
		}
		return permissions.WithPermissions(names...)
	}
	r, err := roles.New("r", `{"integration:*":true}`, declare(53))
	require.NoError(t, err)
	p, err := r.With(nil).Policy()
	require.NoError(t, err)
	require.Equal(t, `{"integration:*":true}`, claimOf(t, p))
	last, err := roles.New("r", `{"integration:*":["p52"]}`, declare(53))
	require.NoError(t, err)
	p, err = roles.Compose(last.With(nil), r.With(nil))
	require.NoError(t, err)
	require.Equal(t, `{"integration:*":true}`, claimOf(t, p))
	r, err = roles.New("r", `{"integration:*":true}`, declare(54))
	require.Nil(t, r)
	require.ErrorIs(t, err, roles.ErrTemplate)
	require.ErrorContains(t, err, `role "r": `)
}

// Only the grant true is true: no name of a permission is, and neither is a list of all names.
func TestNoListIsTrue(t *testing.T) {
	all, err := json.Marshal(append(permissions.AllPermissions(), "roles: true"))
	require.NoError(t, err)
	declared := permissions.WithPermissions("roles: true")
	for _, c := range []struct {
		name, template, want string
		opts                 []permissions.Option
	}{
		{"a declared name", `{"integration:*":["roles: true"]}`, `{"integration:*":["roles: true"]}`,
			[]permissions.Option{declared}},
		{"an unknown name", `{"integration:*":["events","roles: true"]}`, `{"integration:*":["events"]}`,
			[]permissions.Option{permissions.IgnoreUnknownPermissions()}},
		{"all names", `{"integration:*":` + string(all) + `}`, "", []permissions.Option{declared}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := roles.MustNew("r", c.template, c.opts...)
			alone, err := r.With(nil).Policy()
			require.NoError(t, err)
			composed, err := roles.Compose(r.With(nil), r.With(nil))
			require.NoError(t, err)
			for _, p := range []*permissions.Policy{alone, composed} {
				if c.want != "" {
					require.Equal(t, c.want, claimOf(t, p))
					require.Equal(t, strings.Contains(c.want, "events"), p.Allowed(permissions.Events, permissions.User()))
				}
				require.NotContains(t, claimOf(t, p), `:true`)
			}
		})
	}
}

func TestNilAndZeroRoles(t *testing.T) {
	for name, r := range map[string]*roles.Role{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, r.Name())
			require.Empty(t, r.Parameters())
			p, err := roles.Compose(r.With(nil))
			require.Nil(t, p)
			require.ErrorIs(t, err, roles.ErrArguments)
			p, err = roles.Assignment{Role: r}.Policy()
			require.Nil(t, p)
			require.ErrorIs(t, err, roles.ErrArguments)
		})
	}
}

func TestRolesWithExtraPermissions(t *testing.T) {
	extra := permissions.WithPermissions("custom:read")
	all := roles.MustNew("all", `{"integration:*":true}`, extra)
	some := roles.MustNew("some", `{"integration:*":["custom:read"]}`, extra)
	p, err := roles.Compose(some.With(nil))
	require.NoError(t, err)
	require.True(t, p.Allowed("custom:read", permissions.User()))
	p, err = roles.Compose(some.With(nil), all.With(nil))
	require.NoError(t, err)
	require.Equal(t, `{"integration:*":true}`, claimOf(t, p))
	require.True(t, p.Allowed("custom:read", permissions.User()))

	p, err = roles.Compose(some.With(nil), roles.MustNew("ten", `{"integration:*":true}`).With(nil))
	require.Nil(t, p)
	require.ErrorIs(t, err, roles.ErrArguments)
	require.NotErrorIs(t, err, roles.ErrTemplate)
	require.EqualError(t, err, `roles: the arguments are wrong: roles "some" and "ten" declare different permissions; `+
		`create them with the same options`)
}

// In the rules of a template, a UUID is in the place of each parameter. A value that is this UUID stays a value.
func TestValueThatIsAPlaceholder(t *testing.T) {
	r := roles.MustNew("r", `{"integration:*":true,"credential:ext:${a}":{"configuration:ext:${b}":false}}`)
	for n := range 3 {
		value := fmt.Sprintf("70617261-6d65-4000-8000-%012d", n)
		for _, args := range []roles.Args{{"a": {value}, "b": {"x"}}, {"a": {"x"}, "b": {value}}} {
			p, err := r.With(args).Policy()
			require.NoError(t, err)
			require.Equal(t, `{"integration:*":true,"credential:ext:`+args["a"][0]+`":{"configuration:ext:`+args["b"][0]+
				`":[]}}`, claimOf(t, p))
		}
	}
}

// The error of Parse is in the template's words.
func TestTemplateErrorIsThatOfParse(t *testing.T) {
	r, err := roles.New("r", `{"integration:${i}":["event"]}`)
	require.Nil(t, r)
	require.ErrorIs(t, err, roles.ErrTemplate)
	require.ErrorIs(t, err, permissions.ErrUnknownPermission)
	var parse *permissions.ParseError
	require.ErrorAs(t, err, &parse)
	require.Equal(t, "/integration:${i}/0", parse.Pointer)
	require.Equal(t, -1, parse.Offset)
}
