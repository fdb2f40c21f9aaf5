package permissions_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

const (
	uuid      = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	upperUUID = "3FA85F64-5717-4562-B3FC-2C963F66AFA6"
	none      = permissions.None
)

// target returns a target from its five identifiers, as far as they are given.
func target(identifiers ...string) permissions.Target {
	var five [5]string
	copy(five[:], identifiers)
	return permissions.Target{
		Integration: five[0], CredentialID: five[1], CredentialExternalID: five[2], ConfigurationID: five[3], ConfigurationExternalID: five[4],
	}
}

var goodTargets = []permissions.Target{
	{},
	target("slack"),
	target("été x:y"),
	target("slack", uuid),
	target("slack", upperUUID),
	target("slack", "", "ext"),
	target("slack", "", "a*"),
	target("slack", "", "EXT:x"),
	target("slack", uuid, "acme"),
	target("slack", none),
	target("slack", "", none),
	target("slack", none, none),
	target("slack", uuid, none, none, "Team A"),
	target("slack", uuid, "", "x"),
	target("slack", "", "acme", "", none),
	target("slack", none, none, none, none),
	target("eat"), target("Extra"), target("ext x"), target("slack", "extra"),
}

// badTargets are invalid, with what is said of them.
var badTargets = []struct {
	target         permissions.Target
	field, message string
}{
	// A level without every level above it.
	{target("", uuid), "Integration", "Integration is empty, and must be named with what it holds"},
	{target("", "", none), "Integration", "Integration is empty, and must be named with what it holds"},
	{target("", "", "", "x"), "Integration", "Integration is empty, and must be named with what it holds"},
	{target("", uuid, "", "x"), "Integration", "Integration is empty, and must be named with what it holds"},
	{target("slack", "", "", "x"), "CredentialID", "CredentialID is empty, and must be named with its configuration, by this or by CredentialExternalID"},
	{target("slack", "", "", "", none), "CredentialID", "CredentialID is empty, and must be named with its configuration, by this or by CredentialExternalID"},
	// A name that is none.
	{target(none), "Integration", `Integration "\x00" holds a control character`},
	{target("*"), "Integration", `Integration "*" holds a *, which only stands alone`},
	{target("sl*"), "Integration", `Integration "sl*" holds a *, which only stands alone`},
	{target(" slack"), "Integration", `Integration " slack" begins or ends with white space`},
	{target("slack\u2029"), "Integration", `Integration "slack\u2029" begins or ends with white space`},
	{target("slack\n"), "Integration", `Integration "slack\n" holds a control character`},
	{target("\xff"), "Integration", `Integration "\xff" is not valid UTF-8`},
	{target("a\ufffd"), "Integration", "Integration \"a\ufffd\" holds U+FFFD, the replacement character"},
	{target("ext"), "Integration", `Integration "ext" begins with ext, which marks an external ID`},
	{target("EXT:x"), "Integration", `Integration "EXT:x" begins with ext, which marks an external ID`},
	{target("slack", uuid+" "), "CredentialID", `CredentialID "` + uuid + ` " begins or ends with white space`},
	{target("slack", "*"), "CredentialID", `CredentialID "*" holds a *, which only stands alone`},
	{target("slack", "ext:x"), "CredentialID", `CredentialID "ext:x" begins with ext, which marks an external ID`},
	{target("slack", none+none), "CredentialID", `CredentialID "\x00\x00" holds a control character`},
	{target("slack", uuid, "*"), "CredentialExternalID", `CredentialExternalID "*" has * for an external ID`},
	{target("slack", uuid, "acme\t"), "CredentialExternalID", `CredentialExternalID "acme\t" holds a control character`},
	{target("slack", uuid, none, "Ext"), "ConfigurationID", `ConfigurationID "Ext" begins with ext, which marks an external ID`},
	{target("slack", uuid, none, "", " "), "ConfigurationExternalID", `ConfigurationExternalID " " begins or ends with white space`},
	{target("slack", strings.Repeat("x", 200)+"*"), "CredentialID", `CredentialID "` + strings.Repeat("x", 100) + `"... holds a *, which only stands alone`},
	// A bad name where the level is missing too.
	{target("", "*"), "CredentialID", `CredentialID "*" holds a *, which only stands alone`},
}

// An invalid target is denied whatever the policy, and Check says what is wrong with it.
func TestTargetValidate(t *testing.T) {
	policies := []*permissions.Policy{nil, new(permissions.Policy), permissions.Unrestricted(), permissions.MustParse(`{"integration:*":true}`)}
	for _, good := range goodTargets {
		require.NoError(t, good.Validate(), "%v", good)
		require.True(t, permissions.Unrestricted().Allowed(permissions.Events, good), "%v", good)
		require.True(t, permissions.MustParse(`{"integration:*":true}`).Allowed(permissions.Events, good), "%v", good)
	}
	for _, bad := range badTargets {
		t.Run(bad.message, func(t *testing.T) {
			err := bad.target.Validate()
			require.ErrorIs(t, err, permissions.ErrTarget)
			require.EqualError(t, err, "permissions: invalid question: "+bad.message)
			var wrong *permissions.TargetError
			require.ErrorAs(t, err, &wrong)
			require.Equal(t, bad.field, wrong.Field)
			for _, p := range policies {
				require.False(t, p.Allowed(permissions.Events, bad.target))
				require.Equal(t, permissions.Decision{Reason: permissions.InvalidQuestion}, p.Decide(permissions.Events, bad.target))
				require.Equal(t, err, p.Check(permissions.Events, bad.target))
				require.False(t, p.Visible(bad.target))
				require.True(t, p.Permissions(bad.target).IsEmpty())
			}
		})
	}
}

// An action that is empty is invalid too, on every target and policy.
func TestEmptyAction(t *testing.T) {
	for _, p := range []*permissions.Policy{nil, new(permissions.Policy), permissions.Unrestricted(), permissions.MustParse(`{"integration:*":true}`)} {
		require.False(t, p.Allowed("", user))
		require.Equal(t, permissions.Decision{Reason: permissions.InvalidQuestion}, p.Decide("", user))
		err := p.Check("", user)
		require.Equal(t, &permissions.TargetError{Field: "action", Problem: "is empty"}, err)
		require.ErrorIs(t, err, permissions.ErrTarget)
		require.EqualError(t, err, "permissions: invalid question: action is empty")
	}
}

// None can be no ID, nor any name.
func TestNone(t *testing.T) {
	for _, prefix := range []string{"integration:", "credential:", "credential:ext:", "configuration:", "configuration:ext:"} {
		_, err := permissions.ParseScope(prefix + permissions.None)
		require.ErrorIs(t, err, permissions.ErrScope)
	}
}

func TestTargetString(t *testing.T) {
	for want, target := range map[string]permissions.Target{
		`the user`:            {},
		`integration "slack"`: target("slack"),
		`integration "slack", credential ID "` + uuid + `"`:                                                    target("slack", uuid),
		`integration "slack", credential external ID none, credential ID "x"`:                                  target("slack", "x", none),
		`integration "a\"b", credential external ID "y", configuration external ID none, configuration ID "z"`: target(`a"b`, "", "y", "z", none),
		`integration "` + strings.Repeat("x", 100) + `"...`:                                                    target(strings.Repeat("x", 1000)),
	} {
		require.Equal(t, want, target.String())
	}
}

// logged returns a value as slog writes it.
func logged(v slog.LogValuer) string {
	var b strings.Builder
	h := slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key != "v" {
			return slog.Attr{}
		}
		return a
	}})
	slog.New(h).Info("", "v", v)
	return strings.TrimSpace(b.String())
}

func TestTargetLogValue(t *testing.T) {
	require.Empty(t, logged(permissions.Target{}))
	require.Equal(t, `v.integration=slack "v.credential external ID"=<nil> "v.credential ID"=x "v.configuration external ID"="Team A"`,
		logged(target("slack", "x", none, "", "Team A")))
}

func TestIdentifiersString(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":true,"credential:a":{"configuration:ext:Team A":false}}`)
	for want, target := range map[string]permissions.Target{
		"":                          target("slack", "b", none, "x"),
		"configuration external ID": target("slack", "a", none, "x"),
		"credential ID":             target("slack", "", "y", none, "Team A"),
		"credential ID and configuration external ID": target("slack", "", "y", "x"),
	} {
		require.Equal(t, want, p.Decide(permissions.Events, target).Open.String())
	}
	require.Empty(t, permissions.Identifiers(0).String())
}
