package permissions_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// These texts stand in the tokens of every customer.
func TestNames(t *testing.T) {
	require.Equal(t, "urn:useparagon:connect:permissions", permissions.ClaimName)
	require.Equal(t, []permissions.Permission{
		"credential:write", "config:write", "settings:read", "settings:write", "metadata:read", "metadata:write", "proxy-api", "events", "workflows",
	}, theNine)
}

var theNine = []permissions.Permission{
	permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite,
	permissions.MetadataRead, permissions.MetadataWrite, permissions.ProxyAPI, permissions.Events, permissions.Workflows,
}

// grantOf returns what the only rule of a claim grants.
func grantOf(t *testing.T, grant string, opts ...permissions.Option) permissions.PermissionSet {
	t.Helper()
	p, err := permissions.Parse([]byte(`{"integration:*":`+grant+`}`), opts...)
	require.NoError(t, err)
	rules := slices.Collect(p.Rules())
	require.Len(t, rules, 1)
	return rules[0].Grant()
}

func TestPermissionSet(t *testing.T) {
	declared := permissions.WithPermissions("zeta", "alpha", "events", "zeta")
	for _, test := range []struct {
		grant string
		opts  []permissions.Option
		holds []permissions.Permission
		shown string
	}{
		{"false", nil, nil, "none"},
		{"[]", nil, nil, "none"},
		{"true", nil, theNine, "all"},
		{`["events"]`, nil, []permissions.Permission{"events"}, "events"},
		{`["events","events"]`, nil, []permissions.Permission{"events"}, "events"},
		{`["workflows","proxy-api"]`, nil, []permissions.Permission{"proxy-api", "workflows"}, "proxy-api, workflows"},
		// SPEC 1.5
		{`["settings:write"]`, nil, []permissions.Permission{"settings:read", "settings:write"}, "settings:read, settings:write"},
		{`["metadata:write"]`, nil, []permissions.Permission{"metadata:read", "metadata:write"}, "metadata:read, metadata:write"},
		{`["settings:read","metadata:read"]`, nil, []permissions.Permission{"settings:read", "metadata:read"}, "settings:read, metadata:read"},
		// All nine by name are not everything (SPEC 1.6).
		{encode(theNine), nil, theNine, "credential:write, config:write, settings:read, settings:write, metadata:read, metadata:write, proxy-api, events, workflows"},
		// SPEC 1.9
		{`["alpha","events"]`, []permissions.Option{declared}, []permissions.Permission{"events", "alpha"}, "events, alpha"},
		{"true", []permissions.Option{declared}, append(slices.Clone(theNine), "zeta", "alpha"), "all"},
		{`["nope","events"]`, []permissions.Option{permissions.IgnoreUnknownPermissions()}, []permissions.Permission{"events"}, "events"},
		{`["nope"]`, []permissions.Option{permissions.IgnoreUnknownPermissions()}, nil, "none"},
	} {
		t.Run(test.grant, func(t *testing.T) {
			set := grantOf(t, test.grant, test.opts...)
			require.Equal(t, test.holds, slices.Collect(set.All()))
			require.Equal(t, test.shown, set.String())
			require.Equal(t, test.grant == "true", set.IsAll())
			require.Equal(t, test.holds == nil, set.IsEmpty())
			for _, name := range append(slices.Clone(theNine), "zeta", "alpha") {
				require.Equal(t, test.grant == "true" || slices.Contains(test.holds, name), set.Has(name), name)
			}
			for _, unknown := range []permissions.Permission{"nope", "Events", "events ", "*", "settings", "EVENTS"} {
				require.Equal(t, test.grant == "true", set.Has(unknown), unknown)
			}
			require.False(t, set.Has(""))
		})
	}
}

// The rule's grant is what the policy answers by.
func TestPermissionSetAgrees(t *testing.T) {
	for _, name := range theNine {
		p := permissions.MustParse(`{"integration:*":["` + string(name) + `"]}`)
		for _, asked := range append(slices.Clone(theNine), "other") {
			want := asked == name ||
				name == permissions.SettingsWrite && asked == permissions.SettingsRead ||
				name == permissions.MetadataWrite && asked == permissions.MetadataRead
			require.Equal(t, want, p.Allowed(asked, user), "%s has %s", name, asked)
			require.Equal(t, want, p.Permissions(user).Has(asked), "%s has %s", name, asked)
			if !want {
				require.Equal(t, permissions.NotGranted, p.Decide(asked, user).Reason)
			}
		}
	}
}

func TestZeroPermissionSet(t *testing.T) {
	var set permissions.PermissionSet
	require.True(t, set.IsEmpty())
	require.False(t, set.IsAll())
	require.False(t, set.Has(permissions.Events))
	require.Empty(t, slices.Collect(set.All()))
	require.Equal(t, "none", set.String())
}

// A loop over the permissions may end early.
func TestPermissionSetAllStops(t *testing.T) {
	set := grantOf(t, "true", permissions.WithPermissions("a", "b"))
	for n := 1; n <= 11; n++ {
		var seen []permissions.Permission
		for name := range set.All() {
			if seen = append(seen, name); len(seen) == n {
				break
			}
		}
		require.Len(t, seen, n)
	}
}

// A set that has what nobody can list, but not all that is known.
func TestPermissionSetAllBut(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":true,"credential:*":false}`)
	set := p.Permissions(target("slack"))
	require.Equal(t, "all but credential:write", set.String())
	require.False(t, set.IsAll())
	require.True(t, set.Has("other"))
	require.False(t, set.Has(permissions.CredentialWrite))
	require.Equal(t, permissions.NotGranted, p.Decide(permissions.CredentialWrite, target("slack")).Reason)
	require.True(t, p.Allowed("other", target("slack")))
}

// 54 permissions can be declared beside the nine, and each is its own.
func TestWithPermissionsMany(t *testing.T) {
	var names []permissions.Permission
	for i := range 54 {
		names = append(names, permissions.Permission(fmt.Sprint("custom:", i)))
	}
	opt := permissions.WithPermissions(names...)
	for i, name := range names {
		set := grantOf(t, `["`+string(name)+`"]`, opt)
		require.Equal(t, []permissions.Permission{name}, slices.Collect(set.All()))
		require.False(t, set.Has(names[(i+1)%len(names)]))
		require.False(t, set.Has("other"))
	}
	all := grantOf(t, encode(append(slices.Clone(names), theNine...)), opt)
	require.Len(t, slices.Collect(all.All()), 63)
	require.False(t, all.IsAll())
	require.False(t, all.Has("other"))

	// Those that are declared already count once.
	_, err := permissions.Parse([]byte(`{}`), opt, opt, permissions.WithPermissions(theNine...))
	require.NoError(t, err)
	_, err = permissions.Parse([]byte(`{}`), opt, permissions.WithPermissions("custom:54"))
	require.EqualError(t, err, "permissions: WithPermissions: more than 54 names")
}
