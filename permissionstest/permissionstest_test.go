package permissionstest_test

import (
	"encoding/base64"
	"encoding/json"
	"math/bits"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

var (
	readOnly = permissions.MustParse(`{"integration:*": ["settings:read"], "integration:slack": false}`)
	jira     = permissions.Integration("jira")
	slack    = permissions.Integration("slack")
)

func TestKitTokenHasThePolicy(t *testing.T) {
	kit := permissionstest.Shared()
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
			require.Equal(t, time.Hour, claims.ExpiresAt.Sub(claims.IssuedAt.Time))
			require.Equal(t, policy.IsUnrestricted(), claims.Policy.IsUnrestricted())
			for _, target := range []permissions.Target{permissions.User(), jira, slack} {
				require.True(t, policy.Permissions(target).Equal(claims.Policy.Permissions(target)), target)
			}
		})
	}
}

func TestKitTokenHasOtherClaims(t *testing.T) {
	kit := permissionstest.Shared()
	options := []usertoken.SignOption{
		usertoken.WithTokenID("7"), usertoken.WithClaims(map[string]string{"tenant": "acme"}),
	}
	for name, token := range map[string]string{
		"policy":       kit.Token(t, "ann", readOnly, options...),
		"unrestricted": kit.Token(t, "ann", permissions.Unrestricted(), options...),
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := kit.Verifier().Verify(token)
			require.NoError(t, err)
			require.Equal(t, "7", claims.ID)
			var own struct{ Tenant string }
			require.NoError(t, claims.Decode(&own))
			require.Equal(t, "acme", own.Tenant)
		})
	}
}

func TestKitsRefuseEachOthersTokens(t *testing.T) {
	kit := permissionstest.New(t)
	_, err := kit.Verifier().Verify(permissionstest.Shared().Token(t, "ann", readOnly))
	require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
	_, err = permissionstest.Shared().Verifier().Verify(kit.Token(t, "ann", readOnly))
	require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
}

func TestSharedIsOneKit(t *testing.T) {
	require.Same(t, permissionstest.Shared(), permissionstest.Shared())
	var tb fakeTB
	tb.run(func() { permissionstest.Shared().Token(&tb, "ann", readOnly) })
	require.Empty(t, tb.failures)
	permissionstest.Shared().Token(t, "ann", readOnly) // the end of the fake test has not ended it
}

func TestKitOptionsGoToVerifierAndSigner(t *testing.T) {
	now := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	kit := permissionstest.New(t,
		usertoken.WithClock(func() time.Time { return now }),
		usertoken.WithAudience("paragon.example.com/p"),
		usertoken.WithClaimOptions(permissions.WithPermissions("reports:read")),
		usertoken.RequireClaim())
	reports := permissions.WithPermissions("reports:read")
	token := kit.Token(t, "ann", permissions.MustParse(`{"integration:*": ["reports:read"]}`, reports))
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

func TestKitFailsTheTest(t *testing.T) {
	kit := permissionstest.Shared()
	for _, c := range []struct {
		name string
		test func(tb testing.TB)
		want string
	}{
		{"wrong option", func(tb testing.TB) { permissionstest.New(tb, usertoken.WithClock(nil)) },
			"permissionstest: usertoken: WithClock: the function is nil; give one, or leave the option out"},
		{"no subject", func(tb testing.TB) { kit.Token(tb, "", readOnly) },
			"permissionstest: usertoken: token not signed: the subject is empty; give the ID of the user"},
		{"no subject, unrestricted", func(tb testing.TB) { kit.Token(tb, "", permissions.Unrestricted()) },
			"permissionstest: usertoken: token not signed: the subject is empty; give the ID of the user"},
		{"no policy", func(tb testing.TB) { kit.Token(tb, "ann", nil) },
			"permissionstest: usertoken: token not signed: the policy is nil or zero"},
		{"no subject for a bad token",
			func(tb testing.TB) { kit.BadToken(tb, permissionstest.FlawExpired, "", readOnly) },
			"permissionstest: usertoken: token not signed: the subject is empty; give the ID of the user"},
		{"unknown flaw", func(tb testing.TB) { kit.BadToken(tb, "beauty", "ann", readOnly) },
			`permissionstest: there is no flaw "beauty"`},
		{"zero Kit", func(tb testing.TB) { new(permissionstest.Kit).Token(tb, "ann", readOnly) },
			"permissionstest: this is the zero Kit; New makes one"},
		{"zero Kit, bad token", func(tb testing.TB) {
			new(permissionstest.Kit).BadToken(tb, permissionstest.FlawExpired, "ann", readOnly)
		}, "permissionstest: this is the zero Kit; New makes one"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tb fakeTB
			tb.run(func() { c.test(&tb) })
			require.Len(t, tb.failures, 1)
			require.Contains(t, tb.failures[0], c.want)
		})
	}
	_, err := new(permissionstest.Kit).Verifier().Verify(kit.Token(t, "ann", readOnly))
	require.ErrorIs(t, err, jwt.ErrTokenUnverifiable)
}

// The key is gone with the test that made it, and the tokens can still be verified.
func TestKitForgetsItsKey(t *testing.T) {
	var over fakeTB
	var kit *permissionstest.Kit
	var token string
	over.run(func() {
		kit = permissionstest.New(&over)
		token = kit.Token(&over, "ann", readOnly)
	})
	require.Empty(t, over.failures)
	for name, test := range map[string]func(testing.TB){
		"token":     func(tb testing.TB) { kit.Token(tb, "ann", readOnly) },
		"bad token": func(tb testing.TB) { kit.BadToken(tb, permissionstest.FlawExpired, "ann", readOnly) },
	} {
		t.Run(name, func(t *testing.T) {
			var tb fakeTB
			tb.run(func() { test(&tb) })
			const want = "permissionstest: the test of this Kit is over, and its key is forgotten"
			require.Equal(t, []string{want}, tb.failures)
		})
	}
	_, err := kit.Verifier().Verify(token)
	require.NoError(t, err)
}

func TestAuthorize(t *testing.T) {
	kit := permissionstest.Shared()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Add("Authorization", "Basic YW5uOnNlY3JldA==")
	r.Header.Add("Authorization", "Bearer other")
	require.Same(t, r, kit.Authorize(t, r, "ann", readOnly, usertoken.WithTokenID("7")))
	values := r.Header.Values("Authorization")
	require.Len(t, values, 1)
	claims, err := kit.Verifier().Verify(values[0][len("Bearer "):])
	require.NoError(t, err)
	require.Equal(t, "ann", claims.Subject)
	require.Equal(t, "7", claims.ID)

	t.Run("request of a client", func(t *testing.T) {
		r, err := http.NewRequest("GET", "http://localhost/", nil)
		require.NoError(t, err)
		require.Len(t, kit.Authorize(t, r, "ann", readOnly).Header.Values("Authorization"), 1)
	})
	t.Run("request without headers", func(t *testing.T) {
		require.Len(t, kit.Authorize(t, new(http.Request), "ann", readOnly).Header.Values("Authorization"), 1)
	})
	t.Run("header in another spelling", func(t *testing.T) {
		r := &http.Request{Header: http.Header{"authorization": {"Bearer other"}, "Accept": {"*/*"}}}
		header := kit.Authorize(t, r, "ann", readOnly).Header
		require.Len(t, header, 2)
		require.Len(t, header.Values("Authorization"), 1)
	})
}

// Each flaw is refused for itself, whatever the options of the verifier and whatever the policy.
func TestBadToken(t *testing.T) {
	wants := map[permissionstest.Flaw]struct {
		kind  error
		field string
	}{
		permissionstest.FlawMalformed:   {jwt.ErrTokenMalformed, "token"},
		permissionstest.FlawSignature:   {jwt.ErrTokenSignatureInvalid, "signature"},
		permissionstest.FlawAlgorithm:   {jwt.ErrTokenUnverifiable, "alg"},
		permissionstest.FlawExpired:     {jwt.ErrTokenExpired, "exp"},
		permissionstest.FlawNotYetValid: {jwt.ErrTokenNotValidYet, "nbf"},
		permissionstest.FlawAudience:    {jwt.ErrTokenInvalidAudience, "aud"},
		permissionstest.FlawSubject:     {jwt.ErrTokenRequiredClaimMissing, "sub"},
		permissionstest.FlawNearMiss:    {jwt.ErrTokenMalformed, "urn:useparagon:connect:permission"},
		permissionstest.FlawNullClaim:   {jwt.ErrTokenMalformed, permissions.ClaimName},
	}
	require.Len(t, permissionstest.Flaws(), len(wants))
	kits := map[string]*permissionstest.Kit{
		"shared": permissionstest.Shared(),
		"lenient": permissionstest.New(t, usertoken.AllowMissingAudience(), usertoken.WithLeeway(5*time.Minute),
			usertoken.WithIssuer("https://issuer.example.com"), usertoken.WithType("at+jwt"),
			usertoken.WithClaimOptions(permissions.AcceptStringClaim(), permissions.IgnoreUnknownPermissions())),
		"another time": permissionstest.New(t, usertoken.WithClock(func() time.Time {
			return time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
		})),
	}
	policies := map[string]*permissions.Policy{"policy": readOnly, "unrestricted": permissions.Unrestricted()}
	for kitName, kit := range kits {
		for policyName, policy := range policies {
			_, err := kit.Verifier().Verify(kit.Token(t, "ann", policy))
			require.NoError(t, err)
			for _, flaw := range permissionstest.Flaws() {
				t.Run(kitName+"/"+policyName+"/"+string(flaw), func(t *testing.T) {
					_, err := kit.Verifier().Verify(kit.BadToken(t, flaw, "ann", policy))
					require.ErrorIs(t, err, usertoken.ErrToken)
					require.ErrorIs(t, err, wants[flaw].kind)
					var refused *usertoken.TokenError
					require.ErrorAs(t, err, &refused)
					require.Equal(t, wants[flaw].field, refused.Field)
				})
			}
		}
	}
}

const (
	someID    = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	anotherID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
)

// The probe policy allows an action exactly if every identifier of what it acts on is known or absent.
func TestProbe(t *testing.T) {
	known := []permissions.Identifier{permissions.ID(someID), permissions.ExternalID("acme")}
	absent := []permissions.Identifier{permissions.NoID(), permissions.NoExternalID()}
	credential := slack.Credential(known...)
	for _, c := range []struct {
		name    string
		action  permissions.Permission
		target  permissions.Target
		unknown permissions.Identifiers
	}{
		{"user", permissions.Events, permissions.User(), 0},
		{"integration that is acted on itself", permissions.Events, slack, 0},
		{"credential", permissions.ProxyAPI, credential, 0},
		{"credential without an external ID", permissions.ProxyAPI,
			slack.Credential(permissions.ID(someID), permissions.NoExternalID()), 0},
		{"new credential", permissions.CredentialWrite, slack.Credential(absent...), 0},
		{"configuration", permissions.SettingsRead, credential.Configuration(known...), 0},
		{"new configuration", permissions.ConfigWrite, credential.Configuration(absent...), 0},

		{"no credential external ID", permissions.ProxyAPI, slack.Credential(known[0]),
			permissions.CredentialExternalID},
		{"no credential ID", permissions.ProxyAPI, slack.Credential(known[1]), permissions.CredentialID},
		{"no configuration external ID", permissions.SettingsRead, credential.Configuration(permissions.ID(anotherID)),
			permissions.ConfigurationExternalID},
		{"no configuration ID", permissions.SettingsRead, credential.Configuration(permissions.ExternalID("beta")),
			permissions.ConfigurationID},
		{"no external ID above a configuration", permissions.SettingsRead,
			slack.Credential(known[0]).Configuration(known...), permissions.CredentialExternalID},
		{"no ID above a configuration", permissions.SettingsRead,
			slack.Credential(known[1]).Configuration(known...), permissions.CredentialID},
		{"new credential that the handler does not describe", permissions.CredentialWrite, slack,
			permissions.CredentialExternalID},
		{"new configuration that the handler does not describe", permissions.ConfigWrite, credential,
			permissions.ConfigurationExternalID},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := permissionstest.Probe().Decide(c.action, c.target)
			if c.unknown == 0 {
				require.True(t, d.Allowed, d)
				return
			}
			require.Equal(t, permissions.ReasonUndetermined, d.Reason)
			require.Equal(t, c.unknown, d.Unknown)
		})
	}
	t.Run("credential that the handler does not name", func(t *testing.T) {
		d := permissionstest.Probe().Decide(permissions.ProxyAPI, slack)
		require.Equal(t, permissions.ReasonUndetermined, d.Reason)
	})
}

func TestDenials(t *testing.T) {
	credential := slack.Credential(permissions.ID(someID), permissions.ExternalID("acme"))
	configuration := credential.Configuration(permissions.ID(anotherID), permissions.ExternalID("nightly"))
	const (
		ofSlack           = "integration:slack"
		ofID              = "credential:" + someID
		ofExternalID      = "credential:ext:acme"
		ofConfigurationID = "configuration:" + anotherID
		ofNightly         = "configuration:ext:nightly"
	)
	other := jira.Credential(permissions.ID("7d444840-9dc0-41a1-8bb4-5e5f0a4ad5a4"), permissions.NoExternalID()).
		Configuration(permissions.NoID(), permissions.NoExternalID())
	for _, c := range []struct {
		name        string
		action      permissions.Permission
		used, asked permissions.Target
		denials     []string // the scopes of all that Denials yields for what is used
		passed      []string // those that allow what is asked
	}{
		{"right", permissions.ProxyAPI, credential, credential, []string{ofSlack, ofID, ofExternalID}, nil},
		{"right, a configuration", permissions.SettingsRead, configuration, configuration,
			[]string{ofSlack, ofID, ofExternalID, ofConfigurationID, ofNightly}, nil},
		{"right, an integration", permissions.Events, slack, slack, []string{ofSlack}, nil},
		{"right, a new credential", permissions.CredentialWrite,
			slack.Credential(permissions.NoID(), permissions.ExternalID("acme")),
			slack.Credential(permissions.NoID(), permissions.ExternalID("acme")), []string{ofSlack, ofExternalID}, nil},

		{"the query does not select the external ID", permissions.ProxyAPI, credential,
			slack.Credential(permissions.ID(someID), permissions.ExternalIDPtr(nil)),
			[]string{ofSlack, ofID, ofExternalID}, []string{ofExternalID}},
		{"the integration of the URL", permissions.ProxyAPI, credential,
			jira.Credential(permissions.ID(someID), permissions.ExternalID("acme")),
			[]string{ofSlack, ofID, ofExternalID}, []string{ofSlack}},
		{"the ID as the external ID too", permissions.ProxyAPI, credential,
			slack.Credential(permissions.ID(someID), permissions.ExternalID(someID)),
			[]string{ofSlack, ofID, ofExternalID}, []string{ofExternalID}},
		{"the ID of the configuration", permissions.ProxyAPI, credential,
			slack.Credential(permissions.ID(anotherID), permissions.ExternalID("acme")),
			[]string{ofSlack, ofID, ofExternalID}, []string{ofID}},
		{"the object as a new one", permissions.CredentialWrite, credential,
			slack.Credential(permissions.NoID(), permissions.ExternalID("acme")),
			[]string{ofSlack, ofID, ofExternalID}, []string{ofID}},
		{"the integration alone", permissions.Events, credential, slack,
			[]string{ofSlack, ofID, ofExternalID}, []string{ofID, ofExternalID}},
		{"something below the credential", permissions.ProxyAPI, credential, configuration,
			[]string{ofSlack, ofID, ofExternalID}, []string{ofSlack, ofID, ofExternalID}},
		{"something below the integration", permissions.Events, slack, credential, []string{ofSlack}, []string{ofSlack}},
		{"a configuration for a new credential", permissions.CredentialWrite, slack.Credential(permissions.NoID(),
			permissions.ExternalID("acme")), slack.Credential(permissions.NoID(), permissions.ExternalID("acme")),
			[]string{ofSlack, ofExternalID}, nil},
		{"a credential for the user", permissions.Events, permissions.User(), credential,
			[]string{"integration:*"}, []string{"integration:*"}},
		{"the user", permissions.ActionKit, credential, permissions.User(),
			[]string{ofSlack, ofID, ofExternalID}, []string{ofSlack, ofID, ofExternalID}},
		{"the credential alone", permissions.Events, configuration, credential,
			[]string{ofSlack, ofID, ofExternalID, ofConfigurationID, ofNightly}, []string{ofConfigurationID, ofNightly}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var denials, passed []string
			for denied, policy := range permissionstest.Denials(t, c.used, c.action) {
				scope, ok := strings.CutPrefix(denied, string(c.action)+" at ")
				require.True(t, ok, denied)
				denials = append(denials, scope)
				require.False(t, policy.Allowed(c.action, c.used), denied)
				require.True(t, policy.Allowed(c.action, other), denied)
				if policy.Allowed(c.action, c.asked) {
					passed = append(passed, scope)
				}
			}
			require.Equal(t, c.denials, denials)
			require.Equal(t, c.passed, passed)
			if c.passed != nil {
				require.True(t, permissionstest.Probe().Allowed(c.action, c.asked), "the probe does not find it")
			}
			for range permissionstest.Denials(t, c.used, c.action) {
				break
			}
		})
	}
}

// A handler can ask about the right target, and about another action than it does. And it can do two things, and ask
// rightly about one of them.
func TestDenialsOfActions(t *testing.T) {
	credential := slack.Credential(permissions.NoID(), permissions.ExternalID("acme"))
	scopes := []string{"integration:slack", "credential:ext:acme"}
	everything := permissions.AllPermissions()
	for _, c := range []struct {
		name    string
		target  permissions.Target
		actions []permissions.Permission
		denied  map[string][]permissions.Permission // what the policies deny at their scopes
		scopes  []string
	}{
		{"one", credential, []permissions.Permission{permissions.ActionKit},
			map[string][]permissions.Permission{"actionkit at ": {permissions.ActionKit}}, scopes},
		{"several", credential, []permissions.Permission{permissions.CredentialWrite, permissions.Events},
			map[string][]permissions.Permission{
				"credential:write at ": {permissions.CredentialWrite}, "events at ": {permissions.Events},
			}, scopes},
		{"one that another includes", credential, []permissions.Permission{permissions.MetadataRead},
			map[string][]permissions.Permission{
				"metadata:read at ": {permissions.MetadataRead, permissions.MetadataWrite},
			}, scopes},
		{"one that includes another", credential, []permissions.Permission{permissions.MetadataWrite},
			map[string][]permissions.Permission{"metadata:write at ": {permissions.MetadataWrite}}, scopes},
		{"a declared one", credential, []permissions.Permission{"export"},
			map[string][]permissions.Permission{"export at ": nil}, scopes},
		{"none", credential, nil, map[string][]permissions.Permission{"": everything}, scopes},
		{"the user", permissions.User(), []permissions.Permission{permissions.Events},
			map[string][]permissions.Permission{"events at ": {permissions.Events}}, []string{"integration:*"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := map[string]bool{}
			for denied, policy := range permissionstest.Denials(t, c.target, c.actions...) {
				require.False(t, seen[denied], denied)
				seen[denied] = true
				action, scope, ok := strings.Cut(denied, " at ")
				if ok {
					action += " at "
				} else {
					action, scope = "", denied
				}
				require.Contains(t, c.denied, action)
				require.Contains(t, c.scopes, scope)
				require.ElementsMatch(t, c.denied[action], missing(policy, c.target), denied)
				if action == "export at " {
					claim, err := policy.MarshalJSON()
					require.NoError(t, err)
					policy, err := permissions.Parse(claim, permissions.WithPermissions("export"))
					require.NoError(t, err)
					require.False(t, policy.Allowed("export", c.target))
				}
				elsewhere := jira.Credential(permissions.NoID(), permissions.NoExternalID())
				if scope != "integration:*" {
					require.Empty(t, missing(policy, elsewhere), denied)
				}
			}
			require.Len(t, seen, len(c.denied)*len(c.scopes))
		})
	}
}

// missing returns which of the ten permissions a policy denies at a target itself.
func missing(policy *permissions.Policy, target permissions.Target) []permissions.Permission {
	return slices.DeleteFunc(permissions.AllPermissions(), func(p permissions.Permission) bool {
		return policy.Decide(permissions.Events, target).Rule.Grant().Has(p)
	})
}

func TestDenialsRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		target permissions.Target
		want   string
	}{
		{"invalid", permissions.Integration(""), "permissionstest: permissions: invalid question: integration is empty"},
		{"zero", permissions.Target{}, "permissionstest: permissions: invalid question: target is the zero Target"},
		{"user, without an action", permissions.User(), "permissionstest: the target is the user, which no scope names"},
		{"unknown", slack.Credential(permissions.ID(someID)),
			"permissionstest: the credential external ID of the target is unknown"},
		{"all unknown", slack.Credential(), "permissionstest: the credential ID and credential external ID of the target"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tb fakeTB
			tb.run(func() { permissionstest.Denials(&tb, c.target) })
			require.Len(t, tb.failures, 1)
			require.Contains(t, tb.failures[0], c.want)
		})
	}
}

func TestAssert(t *testing.T) {
	explained := func(target permissions.Target) string {
		return "\n" + readOnly.Explain(permissions.SettingsRead, target).String()
	}
	invalid := slack.Configuration()
	for _, c := range []struct {
		name   string
		assert func(testing.TB) bool
		want   []string // in the only failure; nil if there is none
	}{
		{"allowed", func(tb testing.TB) bool {
			return permissionstest.AssertAllowed(tb, readOnly, permissions.SettingsRead, jira)
		}, nil},
		{"denied", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, readOnly, permissions.SettingsRead, slack)
		}, nil},
		{"denied because there is no policy", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, nil, permissions.SettingsRead, slack)
		}, nil},
		{"not allowed", func(tb testing.TB) bool {
			return permissionstest.AssertAllowed(tb, readOnly, permissions.SettingsRead, slack)
		}, []string{`"settings:read" on integration "slack" should be allowed`, explained(slack)}},
		{"not denied", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, readOnly, permissions.SettingsRead, jira)
		}, []string{`"settings:read" on integration "jira" should be denied`, explained(jira)}},
		{"no policy", func(tb testing.TB) bool {
			return permissionstest.AssertAllowed(tb, nil, permissions.SettingsRead, jira)
		}, []string{"should be allowed\n", "no policy"}},
		{"invalid target, allowed", func(tb testing.TB) bool {
			return permissionstest.AssertAllowed(tb, permissions.Unrestricted(), permissions.SettingsRead, invalid)
		}, []string{"the question is invalid, whatever the policy is: ", invalid.Err().Error()}},
		{"invalid target, denied", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, readOnly, permissions.SettingsRead, invalid)
		}, []string{"the question is invalid, whatever the policy is: ", invalid.Err().Error()}},
		{"invalid action", func(tb testing.TB) bool {
			return permissionstest.AssertDenied(tb, nil, "", jira)
		}, []string{`"" on integration "jira": the question is invalid`, "action is empty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var tb fakeTB
			require.Equal(t, c.want == nil, c.assert(&tb))
			if c.want == nil {
				require.Empty(t, tb.failures)
				return
			}
			require.Len(t, tb.failures, 1)
			for _, want := range c.want {
				require.Contains(t, tb.failures[0], want)
			}
		})
	}
}

func TestAssertCases(t *testing.T) {
	t.Run("all right", func(t *testing.T) {
		var tb fakeTB
		require.True(t, permissionstest.AssertCases(&tb, readOnly, []permissionstest.Case{
			{"read", permissions.SettingsRead, jira, true},
			{"write", permissions.SettingsWrite, jira, false},
		}))
		require.Empty(t, tb.failures)
	})
	t.Run("each case is asked", func(t *testing.T) {
		var tb fakeTB
		require.False(t, permissionstest.AssertCases(&tb, readOnly, []permissionstest.Case{
			{"write", permissions.SettingsWrite, jira, true},
			{"", permissions.SettingsRead, jira, false},
			{"read", permissions.SettingsRead, jira, true},
			{"invalid", "", jira, false},
			{"read again", permissions.SettingsRead, jira, true},
		}))
		require.Len(t, tb.failures, 3)
		require.Contains(t, tb.failures[0], `case 0, write: "settings:write" on integration "jira" should be allowed`)
		require.Contains(t, tb.failures[1], `case 1: "settings:read" on integration "jira" should be denied`)
		require.Contains(t, tb.failures[2], `case 3, invalid: `)
	})
	t.Run("no cases", func(t *testing.T) {
		var tb fakeTB
		require.False(t, permissionstest.AssertCases(&tb, readOnly, nil))
		require.False(t, permissionstest.AssertCases(&tb, readOnly, []permissionstest.Case{}))
		require.Equal(t, slices.Repeat([]string{"permissionstest: there are no cases"}, 2), tb.failures)
	})
}

// A bad token is as Kit.Token makes it, but for its flaw.
func TestBadTokenHasOneFlaw(t *testing.T) {
	now := time.Date(2040, 1, 2, 3, 4, 5, 0, time.UTC)
	kit := permissionstest.New(t, usertoken.WithClock(func() time.Time { return now }))
	part := func(token string, i int) (o map[string]any) {
		data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(data, &o))
		return o
	}
	const nearMiss = "urn:useparagon:connect:permission"
	second := func(d time.Duration) any { return float64(now.Add(d).Unix()) }
	for _, policy := range []*permissions.Policy{readOnly, permissions.Unrestricted()} {
		good := kit.Token(t, "ann", policy)
		claim, hasClaim := part(good, 1)[permissions.ClaimName]
		if !hasClaim {
			claim = map[string]any{}
		}
		for flaw, changed := range map[permissionstest.Flaw]map[string]any{ // nil: the member is not there
			permissionstest.FlawMalformed:   {},
			permissionstest.FlawSignature:   {},
			permissionstest.FlawAlgorithm:   {},
			permissionstest.FlawExpired:     {"iat": second(-2 * time.Hour), "exp": second(-time.Hour)},
			permissionstest.FlawNotYetValid: {"nbf": second(time.Hour)},
			permissionstest.FlawAudience:    {"aud": "useparagon.com/another-project"},
			permissionstest.FlawSubject:     {"sub": nil},
			permissionstest.FlawNearMiss:    {permissions.ClaimName: nil, nearMiss: claim},
			permissionstest.FlawNullClaim:   {},
		} {
			want := part(good, 1)
			for name, value := range changed {
				want[name] = value
				if value == nil {
					delete(want, name)
				}
			}
			if flaw == permissionstest.FlawNullClaim {
				want[permissions.ClaimName] = nil
			}
			bad := kit.BadToken(t, flaw, "ann", policy)
			require.Equal(t, want, part(bad, 1), flaw)
			header := part(good, 0)
			if flaw == permissionstest.FlawAlgorithm {
				header["alg"] = "none"
				require.True(t, strings.HasSuffix(bad, "."))
			}
			require.Equal(t, header, part(bad, 0), flaw)
			if flaw == permissionstest.FlawSignature {
				a, err := base64.RawURLEncoding.DecodeString(strings.Split(good, ".")[2])
				require.NoError(t, err)
				b, err := base64.RawURLEncoding.DecodeString(strings.Split(bad, ".")[2])
				require.NoError(t, err)
				bits1 := 0
				for i := range a {
					bits1 += bits.OnesCount8(a[i] ^ b[i])
				}
				require.Equal(t, 1, bits1)
			}
		}
	}
}

func TestFlawsIsTheCallersToKeep(t *testing.T) {
	permissionstest.Flaws()[0] = "beauty"
	require.Equal(t, permissionstest.FlawMalformed, permissionstest.Flaws()[0])
}
