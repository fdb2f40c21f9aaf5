package permissionstest_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/permissionstest"
)

// fakeTB is a test whose failures are looked at. What it does not have panics.
type fakeTB struct {
	testing.TB
	failures []string
	cleanups []func()
}

var errFatal = errors.New("the fake test ended")

func (f *fakeTB) Helper()                {}
func (f *fakeTB) Cleanup(cleanup func()) { f.cleanups = append(f.cleanups, cleanup) }
func (f *fakeTB) Errorf(format string, args ...any) {
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Fatalf(format string, args ...any) { f.Errorf(format, args...); panic(errFatal) }

// run runs a fake test to its end.
func (f *fakeTB) run(test func()) {
	defer func() {
		if r := recover(); r != nil && r != any(errFatal) {
			panic(r)
		}
		for _, cleanup := range slices.Backward(f.cleanups) {
			cleanup()
		}
	}()
	test()
}

var (
	readOnly = permissions.MustParse(`{"integration:*": ["settings:read"], "integration:slack": false}`)
	jira     = permissions.Target{Integration: "jira"}
	slack    = permissions.Target{Integration: "slack"}
)

func TestKit(t *testing.T) {
	kit := permissionstest.New(t)
	for name, policy := range map[string]*permissions.Policy{
		"some":         readOnly,
		"everything":   permissions.MustParse(`{"integration:*": true}`),
		"unrestricted": permissions.Unrestricted(),
		"nothing":      permissions.MustParse(`{}`),
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := kit.Verifier().Verify(kit.Token(t, "ann", policy))
			require.NoError(t, err)
			require.Equal(t, "ann", claims.Subject)
			require.Equal(t, policy.IsUnrestricted(), claims.Policy.IsUnrestricted())
			for _, target := range []permissions.Target{{}, jira, slack} {
				require.Equal(t, policy.Permissions(target).String(), claims.Policy.Permissions(target).String())
			}
		})
	}
}

// A token is worth nothing to another Kit.
func TestKitsDiffer(t *testing.T) {
	_, err := permissionstest.New(t).Verifier().Verify(permissionstest.New(t).Token(t, "ann", readOnly))
	require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
}

func TestKitOptions(t *testing.T) {
	now := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	kit := permissionstest.New(t,
		permissions.WithClock(func() time.Time { return now }),
		permissions.WithAudience("paragon.example.com/p"),
		permissions.WithPermissions("reports:read"),
		permissions.RequireClaim())
	token := kit.Token(t, "ann", permissions.MustParse(`{"integration:*": ["reports:read"]}`, permissions.WithPermissions("reports:read")))
	claims, err := kit.Verifier().Verify(token)
	require.NoError(t, err)
	require.Equal(t, jwt.ClaimStrings{"paragon.example.com/p"}, claims.Audience)
	require.True(t, now.Equal(claims.IssuedAt.Time))
	require.True(t, claims.Policy.Allowed("reports:read", jira))
	_, err = kit.Verifier().Verify(kit.Token(t, "ann", permissions.Unrestricted()))
	require.ErrorIs(t, err, jwt.ErrTokenRequiredClaimMissing)

	now = now.Add(1000 * time.Hour)
	_, err = kit.Verifier().Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenExpired)
}

func TestKitFailures(t *testing.T) {
	var tb fakeTB
	tb.run(func() { permissionstest.New(&tb, permissions.WithClock(nil)) })
	require.Equal(t, []string{"permissionstest: permissions: WithClock: the function is nil"}, tb.failures)

	kit := permissionstest.New(t)
	for name, sign := range map[string]func(tb testing.TB) string{
		"subject": func(tb testing.TB) string { return kit.Token(tb, "", readOnly) },
		"policy":  func(tb testing.TB) string { return kit.Token(tb, "ann", nil) },
		"neither": func(tb testing.TB) string { return kit.Token(tb, "", permissions.Unrestricted()) },
	} {
		tb = fakeTB{}
		tb.run(func() { sign(&tb) })
		require.Len(t, tb.failures, 1, name)
		require.Contains(t, tb.failures[0], "permissionstest: permissions: token refused: ", name)
	}
}

// The key is gone with the test that made it, and the tokens can still be verified.
func TestKitForgets(t *testing.T) {
	var over fakeTB
	var kit *permissionstest.Kit
	var token string
	over.run(func() {
		kit = permissionstest.New(&over)
		token = kit.Token(&over, "ann", readOnly)
	})
	require.Empty(t, over.failures)
	for name, policy := range map[string]*permissions.Policy{"policy": readOnly, "unrestricted": permissions.Unrestricted()} {
		var tb fakeTB
		tb.run(func() { kit.Token(&tb, "ann", policy) })
		require.Equal(t, []string{"permissionstest: the test of this Kit is over, and its key forgotten"}, tb.failures, name)
	}
	_, err := kit.Verifier().Verify(token)
	require.NoError(t, err)
}

func TestAuthorize(t *testing.T) {
	kit := permissionstest.New(t)
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Add("Authorization", "Basic YW5uOnNlY3JldA==")
	r.Header.Add("Authorization", "Bearer other")
	require.Same(t, r, kit.Authorize(t, r, "ann", readOnly))
	values := r.Header.Values("Authorization")
	require.Len(t, values, 1)
	claims, err := kit.Verifier().Verify(values[0][len("Bearer "):])
	require.NoError(t, err)
	require.Equal(t, "ann", claims.Subject)

	// A request for a client does too.
	r, err = http.NewRequest("GET", "http://localhost/", nil)
	require.NoError(t, err)
	require.Len(t, kit.Authorize(t, r, "ann", readOnly).Header.Values("Authorization"), 1)
}

func TestAssert(t *testing.T) {
	for _, c := range []struct {
		name   string
		assert func(testing.TB) bool
		want   []string // of the only failure; nil if there is none

		explained func() permissions.Explanation // that the failure has
	}{
		{"allowed", func(tb testing.TB) bool {
			return permissionstest.AssertAllowed(tb, readOnly, permissions.SettingsRead, jira)
		}, nil, nil},
		{"denied", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, readOnly, permissions.SettingsRead, slack)
		}, nil, nil},
		{"denied for want of a policy", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, nil, permissions.SettingsRead, slack)
		}, nil, nil},
		{"not allowed", func(tb testing.TB) bool {
			return permissionstest.AssertAllowed(tb, readOnly, permissions.SettingsRead, slack)
		}, []string{`settings:read on integration "slack" should be allowed` + "\n", "integration:slack", "none"}, func() permissions.Explanation {
			return readOnly.Explain(permissions.SettingsRead, slack)
		}},
		{"not denied", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, readOnly, permissions.SettingsRead, jira)
		}, []string{`settings:read on integration "jira" should be denied` + "\n", "integration:*", "settings:read"}, func() permissions.Explanation {
			return readOnly.Explain(permissions.SettingsRead, jira)
		}},
		{"no policy", func(tb testing.TB) bool {
			return permissionstest.AssertAllowed(tb, nil, permissions.SettingsRead, jira)
		}, []string{"should be allowed\n", "no policy"}, nil},
		{"invalid, allowed", func(tb testing.TB) bool {
			return permissionstest.AssertAllowed(tb, permissions.Unrestricted(), permissions.SettingsRead, permissions.Target{CredentialID: "7"})
		}, []string{`settings:read on credential ID "7": the question is invalid, whatever the policy: permissions: invalid question: Integration is empty`}, nil},
		{"invalid, denied", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, readOnly, permissions.SettingsRead, permissions.Target{CredentialID: "7"})
		}, []string{`settings:read on credential ID "7": the question is invalid, whatever the policy: permissions: invalid question: Integration is empty`}, nil},
		{"invalid action", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, nil, "", jira)
		}, []string{"the question is invalid", "action is empty"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tb fakeTB
			require.Equal(t, c.want == nil, c.assert(&tb))
			if c.want == nil {
				require.Empty(t, tb.failures)
				return
			}
			require.Len(t, tb.failures, 1)
			if c.explained != nil {
				require.Contains(t, tb.failures[0], "\n"+c.explained().String())
			}
			for _, want := range c.want {
				require.Contains(t, tb.failures[0], want)
			}
		})
	}
}

func TestAssertCases(t *testing.T) {
	var tb fakeTB
	require.True(t, permissionstest.AssertCases(&tb, readOnly, []permissionstest.Case{
		{"read", permissions.SettingsRead, jira, true},
		{"write", permissions.SettingsWrite, jira, false},
	}))
	require.Empty(t, tb.failures)

	// Every case is asked, whatever became of those before it.
	require.False(t, permissionstest.AssertCases(&tb, readOnly, []permissionstest.Case{
		{"write", permissions.SettingsWrite, jira, true},
		{"", permissions.SettingsRead, jira, false},
		{"read", permissions.SettingsRead, jira, true},
		{"invalid", "", jira, false},
		{"read again", permissions.SettingsRead, jira, true},
	}))
	require.Len(t, tb.failures, 3)
	require.Contains(t, tb.failures[0], `case 0, write: settings:write on integration "jira" should be allowed`)
	require.Contains(t, tb.failures[1], `case 1: settings:read on integration "jira" should be denied`)
	require.Contains(t, tb.failures[2], `case 3, invalid: `)

	tb = fakeTB{}
	require.False(t, permissionstest.AssertCases(&tb, readOnly, nil))
	require.Equal(t, []string{"permissionstest: there are no cases"}, tb.failures)
}
