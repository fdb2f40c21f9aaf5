package permissions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// UUIDs for tests. idUpper is idA in capital letters, which is the same ID (SPEC 2.5).
const (
	idA     = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	idUpper = "3FA85F64-5717-4562-B3FC-2C963F66AFA6"
	idB     = "de06dea8-8680-483c-95ea-cfcf66582c96"
)

// bytesOfA is idA as 16 bytes.
var bytesOfA = [16]byte{0x3f, 0xa8, 0x5f, 0x64, 0x57, 0x17, 0x45, 0x62, 0xb3, 0xfc, 0x2c, 0x96, 0x3f, 0x66, 0xaf, 0xa6}

var slack = permissions.Integration("slack")

// jsonOf returns a value as JSON. It is for values that have one.
func jsonOf(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return data
}

// pathOf returns the path of a rule as texts.
func pathOf(r permissions.Rule) (path []string) {
	for _, s := range r.Path() {
		path = append(path, s.String())
	}
	return path
}

// grantsOf returns the grant of each rule of a policy, by the exact path of the rule.
func grantsOf(p *permissions.Policy) map[string]string {
	grants := make(map[string]string)
	for r := range p.Rules() {
		grants[strings.Join(pathOf(r), "/")] = r.Grant().String()
	}
	return grants
}

// kindsOfMistake are the kinds of SPEC 6.2, by their names there.
var kindsOfMistake = map[string]error{
	"syntax":     permissions.ErrSyntax,
	"type":       permissions.ErrType,
	"scope":      permissions.ErrScope,
	"nesting":    permissions.ErrNesting,
	"duplicate":  permissions.ErrDuplicate,
	"permission": permissions.ErrUnknownPermission,
}

// kindName returns the name of the kind of a mistake, or "" if the error matches none or several.
func kindName(err error) (name string) {
	for kind, is := range kindsOfMistake {
		if !errors.Is(err, is) {
			continue
		}
		if name != "" {
			return ""
		}
		name = kind
	}
	return name
}

// theTen are the names of SPEC 1.4. They are in the tokens of every customer.
var theTen = []permissions.Permission{
	"credential:write", "config:write", "settings:read", "settings:write", "metadata:read", "metadata:write",
	"proxy-api", "events", "workflows", "actionkit",
}

var theTenText = func() string {
	var names []string
	for _, p := range theTen {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}()

// maxExtras is how many permissions can be declared: a set has 63 bits for permissions.
var maxExtras = 63 - len(theTen)

func TestNames(t *testing.T) {
	require.Equal(t, "urn:useparagon:connect:permissions", permissions.ClaimName)
	require.Equal(t, theTen, []permissions.Permission{
		permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite,
		permissions.MetadataRead, permissions.MetadataWrite, permissions.ProxyAPI, permissions.Events,
		permissions.Workflows, permissions.ActionKit,
	})
}

func TestAllPermissions(t *testing.T) {
	require.Equal(t, theTen, permissions.AllPermissions())
	permissions.AllPermissions()[0] = "changed"
	require.Equal(t, theTen, permissions.AllPermissions(), "the slice belongs to the caller")
}

// Look-up must find each of the ten, and take nothing else for one of them.
func TestLookupOfPermissions(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":true}`)
	for i, name := range theTen {
		t.Run(string(name), func(t *testing.T) {
			set := permissions.NewPermissionSet(name)
			require.True(t, set.Has(name))
			require.Equal(t, permissions.ReasonGranted, p.Decide(name, slack).Reason)
			for j, other := range theTen {
				includes := name == permissions.SettingsWrite && other == permissions.SettingsRead ||
					name == permissions.MetadataWrite && other == permissions.MetadataRead
				require.Equal(t, i == j || includes, set.Has(other), other)
			}
		})
	}
	for _, name := range notPermissions() {
		t.Run(fmt.Sprintf("%.40q", name), func(t *testing.T) {
			d := p.Decide(name, slack)
			require.Equal(t, permissions.Decision{Reason: permissions.ReasonInvalidQuestion}, d)
			require.False(t, p.Permissions(slack).Has(name))
			require.False(t, permissions.NewPermissionSet(theTen...).Has(name))
			_, err := permissions.FromValue(map[string]any{"integration:*": []any{string(name)}})
			require.ErrorIs(t, err, permissions.ErrUnknownPermission)
		})
	}
}

// notPermissions returns names that are not permissions. Some differ from a permission in one place. Others
// have the first letter and the length of one, or are 32 bytes longer.
func notPermissions() (names []permissions.Permission) {
	names = []permissions.Permission{
		"", " ", "*", "true", "settings", "write", "Events", "EVENTS", "events ", " events", "events\x00",
	}
	for _, name := range theTen {
		for i := range name {
			names = append(names, name[:i]+"?"+name[i+1:], name[:i]+name[i+1:])
		}
		first, length := string(name[0]), len(name)
		names = append(names,
			permissions.Permission(first+strings.Repeat("x", length-1)),
			permissions.Permission(first+strings.Repeat("x", length+31)),
			name+permissions.Permission(strings.Repeat("x", 32)),
			permissions.Permission(strings.ToUpper(string(name))),
			permissions.Permission(strings.ReplaceAll(string(name), ":", "_")+"_"),
		)
	}
	return names
}

// grantOfRule returns what the only rule of a claim grants, given the JSON of its grant.
func grantOfRule(t *testing.T, grant string, opts ...permissions.Option) permissions.PermissionSet {
	t.Helper()
	p, err := permissions.Parse([]byte(`{"integration:*":`+grant+`}`), opts...)
	require.NoError(t, err)
	rules := slices.Collect(p.Rules())
	require.Len(t, rules, 1)
	return rules[0].Grant()
}

func TestGrant(t *testing.T) {
	declared := permissions.WithPermissions("zeta", "alpha", "zeta")
	ignore := permissions.IgnoreUnknownPermissions()
	type list = []permissions.Permission
	for _, test := range []struct {
		name  string
		grant string
		opts  []permissions.Option
		has   list
		text  string
		json  string
	}{
		{name: "false", grant: "false", text: "none", json: "[]"},
		{name: "an empty array", grant: "[]", text: "none", json: "[]"},
		{name: "true", grant: "true", has: theTen, text: "all", json: "true"},
		{name: "one", grant: `["events"]`, has: list{"events"}, text: "events", json: `["events"]`},
		{name: "one twice", grant: `["events","events"]`, has: list{"events"}, text: "events", json: `["events"]`},
		{
			name: "in the order of SPEC 1.4", grant: `["workflows","proxy-api"]`,
			has: list{"proxy-api", "workflows"}, text: "proxy-api, workflows", json: `["proxy-api","workflows"]`,
		},
		{
			name: "settings:write includes settings:read", grant: `["settings:write"]`,
			has: list{"settings:read", "settings:write"}, text: "settings:read, settings:write",
			json: `["settings:read","settings:write"]`,
		},
		{
			name: "metadata:write includes metadata:read", grant: `["metadata:write"]`,
			has: list{"metadata:read", "metadata:write"}, text: "metadata:read, metadata:write",
			json: `["metadata:read","metadata:write"]`,
		},
		{
			name: "reading does not include writing", grant: `["settings:read","metadata:read"]`,
			has: list{"settings:read", "metadata:read"}, text: "settings:read, metadata:read",
			json: `["settings:read","metadata:read"]`,
		},
		{name: "all ten by name", grant: string(jsonOf(theTen)), has: theTen, text: "all", json: string(jsonOf(theTen))},
		{
			name: "declared ones come last", grant: `["alpha","events"]`, opts: []permissions.Option{declared},
			has: list{"events", "alpha"}, text: "events, alpha", json: `["events","alpha"]`,
		},
		{
			name: "true has the declared ones", grant: "true", opts: []permissions.Option{declared},
			has: append(slices.Clone(theTen), "zeta", "alpha"), text: "all", json: "true",
		},
		{
			name:  "the ten are not all if more are declared",
			grant: string(jsonOf(theTen)), opts: []permissions.Option{declared},
			has: theTen, text: theTenText, json: string(jsonOf(theTen)),
		},
		{
			name: "an ignored name grants nothing", grant: `["nope","events"]`, opts: []permissions.Option{ignore},
			has: list{"events"}, text: "events", json: `["events"]`,
		},
		{
			name: "only an ignored name", grant: `["nope"]`, opts: []permissions.Option{ignore}, text: "none",
			json: "[]",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := grantOfRule(t, test.grant, test.opts...)
			require.Equal(t, test.has, slices.Collect(set.All()))
			require.Equal(t, test.text, set.String())
			require.Equal(t, test.text == "all", set.IsAll())
			require.Equal(t, test.has == nil, set.IsEmpty())
			require.Equal(t, test.json, string(jsonOf(set)))
			for _, name := range append(slices.Clone(theTen), "zeta", "alpha") {
				require.Equal(t, slices.Contains(test.has, name), set.Has(name), name)
			}
			for _, name := range []permissions.Permission{"", "nope", "Events", "events ", "*", "settings"} {
				require.False(t, set.Has(name), name)
			}
		})
	}
}

// A policy answers by what the set of its rule has.
func TestGrantAgreesWithDecisions(t *testing.T) {
	for _, name := range theTen {
		t.Run(string(name), func(t *testing.T) {
			p := permissions.MustParse(`{"integration:*":["` + string(name) + `"]}`)
			set := slices.Collect(p.Rules())[0].Grant()
			for _, asked := range theTen {
				d := p.Decide(asked, slack)
				require.Equal(t, set.Has(asked), d.Allowed, asked)
				require.Equal(t, set.Has(asked), p.Permissions(slack).Has(asked), asked)
				if !d.Allowed {
					require.Equal(t, permissions.ReasonNotGranted, d.Reason, asked)
				}
			}
		})
	}
}

func TestZeroPermissionSet(t *testing.T) {
	var set permissions.PermissionSet
	require.True(t, set.IsEmpty())
	require.False(t, set.IsAll())
	require.False(t, set.Has(permissions.Events))
	require.False(t, set.Has(""))
	require.Empty(t, slices.Collect(set.All()))
	require.Equal(t, "none", set.String())
	require.Equal(t, "[]", string(jsonOf(set)))
	require.True(t, set.Equal(permissions.NewPermissionSet()))
}

func TestNewPermissionSet(t *testing.T) {
	type list = []permissions.Permission
	for _, test := range []struct {
		name  string
		given list
		want  list
	}{
		{"nothing", nil, nil},
		{"the empty name", list{""}, nil},
		{"one", list{"events"}, list{"events"}},
		{"the empty name beside one", list{"", "events"}, list{"events"}},
		{"what it includes", list{"settings:write"}, list{"settings:read", "settings:write"}},
		{"any order", list{"workflows", "credential:write"}, list{"credential:write", "workflows"}},
		{"a repeated one", list{"x", "events", "x", "events"}, list{"events", "x"}},
		{"extras in their order", list{"b", "a", "actionkit"}, list{"actionkit", "b", "a"}},
		{"letter case counts", list{"Events"}, list{"Events"}},
		{"the ten", theTen, theTen},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := permissions.NewPermissionSet(test.given...)
			require.Equal(t, test.want, slices.Collect(set.All()))
			require.Equal(t, test.want == nil, set.IsEmpty())
			for _, name := range test.want {
				require.True(t, set.Has(name), name)
			}
		})
	}
	t.Run("all are all", func(t *testing.T) {
		require.True(t, permissions.NewPermissionSet(permissions.AllPermissions()...).IsAll())
		require.False(t, permissions.NewPermissionSet(permissions.AllPermissions()[1:]...).IsAll())
	})
	t.Run("extras that are too many are left out", func(t *testing.T) {
		names := manyNames(60)
		set := permissions.NewPermissionSet(names...)
		require.Equal(t, names[:maxExtras], slices.Collect(set.All()))
		require.False(t, set.Has(names[maxExtras]))
	})
	t.Run("the slice that was given is not kept", func(t *testing.T) {
		names := list{"a", "b"}
		set := permissions.NewPermissionSet(names...)
		names[0] = "c"
		require.Equal(t, list{"a", "b"}, slices.Collect(set.All()))
	})
}

// manyNames returns names that are not among the ten.
func manyNames(n int) (names []permissions.Permission) {
	for i := range n {
		names = append(names, permissions.Permission(fmt.Sprint("custom:", i)))
	}
	return names
}

func TestPermissionSetEqual(t *testing.T) {
	newSet := permissions.NewPermissionSet
	declaredAB := permissions.WithPermissions("a", "b")
	declaredBA := permissions.WithPermissions("b", "a")
	for _, test := range []struct {
		name string
		a, b permissions.PermissionSet
		want bool
	}{
		{"both empty", newSet(), newSet(), true},
		{"empty and not", newSet(), newSet("events"), false},
		{"one and the same", newSet("events"), newSet("events"), true},
		{"one and another", newSet("events"), newSet("workflows"), false},
		{"one and more", newSet("events"), newSet("events", "workflows"), false},
		{"what is included counts", newSet("settings:write"), newSet("settings:read", "settings:write"), true},
		{"extras in another order", newSet("a", "b"), newSet("b", "a"), true},
		{"one extra and another", newSet("a"), newSet("b"), false},
		{"an extra and one of the ten", newSet("a"), newSet("events"), false},
		{"declared in another order", grantOfRule(t, `["a"]`, declaredAB), grantOfRule(t, `["a"]`, declaredBA), true},
		{
			"the same bit of another declaration", grantOfRule(t, `["a"]`, declaredAB),
			grantOfRule(t, `["b"]`, declaredBA), false,
		},
		{"true and the names", grantOfRule(t, "true"), newSet(theTen...), true},
		{"true with extras and without", grantOfRule(t, "true", declaredAB), grantOfRule(t, "true"), false},
		{"false and an empty array", grantOfRule(t, "false"), grantOfRule(t, "[]"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, test.a.Equal(test.b))
			require.Equal(t, test.want, test.b.Equal(test.a))
			require.True(t, test.a.Equal(test.a))
		})
	}
}

func TestPermissionSetAllStopsWithTheLoop(t *testing.T) {
	set := grantOfRule(t, "true", permissions.WithPermissions("a", "b"))
	for n := 1; n <= 12; n++ {
		var seen []permissions.Permission
		for name := range set.All() {
			if seen = append(seen, name); len(seen) == n {
				break
			}
		}
		require.Len(t, seen, n)
	}
}

// A set of a policy is about the permissions that the policy knows.
func TestPermissionsOfATargetAreASubset(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":true,"credential:*":["events","proxy-api"]}`)
	set := p.Permissions(slack)
	require.Equal(t, "metadata:read, metadata:write, proxy-api, events", set.String())
	require.False(t, set.IsAll())
	require.Equal(t, permissions.ReasonNotGranted, p.Decide(permissions.CredentialWrite, slack).Reason)
	require.Equal(t, "metadata:read, metadata:write, events, actionkit", p.Permissions(permissions.User()).String())
	require.Equal(t, permissions.ReasonInvalidQuestion, p.Decide(permissions.ProxyAPI, permissions.User()).Reason)
}

func TestWithPermissions(t *testing.T) {
	names := manyNames(maxExtras)
	opt := permissions.WithPermissions(names...)
	t.Run("as many names as there may be, each of them another", func(t *testing.T) {
		for i, name := range names {
			set := grantOfRule(t, `["`+string(name)+`"]`, opt)
			require.Equal(t, []permissions.Permission{name}, slices.Collect(set.All()))
			require.False(t, set.Has(names[(i+1)%len(names)]))
			require.False(t, set.Has("other"))
		}
	})
	t.Run("all of them", func(t *testing.T) {
		all := grantOfRule(t, string(jsonOf(slices.Concat(names, theTen))), opt)
		require.Len(t, slices.Collect(all.All()), 63)
		require.True(t, all.IsAll())
		require.False(t, all.Has("other"))
		some := grantOfRule(t, string(jsonOf(slices.Concat(names[1:], theTen))), opt)
		require.False(t, some.IsAll())
	})
	t.Run("a name that is declared again does not count", func(t *testing.T) {
		_, err := permissions.Parse([]byte(`{}`), opt, opt)
		require.NoError(t, err)
		twice := permissions.WithPermissions("first", "first", "second")
		_, err = permissions.Parse([]byte(`{"integration:*":["second"]}`), twice)
		require.NoError(t, err)
	})
	t.Run("one name more is refused", func(t *testing.T) {
		_, err := permissions.Parse([]byte(`{}`), opt, permissions.WithPermissions("one more"))
		require.EqualError(t, err, fmt.Sprintf("permissions: WithPermissions: there are more than %d names", maxExtras))
		require.NotErrorIs(t, err, permissions.ErrClaim)
	})
}
