package permissionstest

import (
	"iter"
	"slices"
	"testing"

	"github.com/connectperms/permissions"
)

// probeClaim allows everything, except on what has an ID or an external ID that nothing has.
const probeClaim = `{
	"integration:*": true,
	"credential:5eed0000-0000-4000-8000-00000000c4ed": false,
	"credential:ext:permissionstest-probe": false,
	"configuration:5eed0000-0000-4000-8000-0000000c0f19": false,
	"configuration:ext:permissionstest-probe": false
}`

// Probe returns a policy that finds handlers which forget an identifier. It allows everything, except on
// a credential or a configuration with an ID or an external ID that nothing has. So it allows every
// question whose identifiers are all known or absent, and denies every question in which one is unknown,
// with [permissions.ReasonUndetermined] (SPEC 4.7):
//
//	w := httptest.NewRecorder()
//	server.ServeHTTP(w, kit.Authorize(t, request, "ann", permissionstest.Probe()))
//	if w.Code != http.StatusOK {
//		t.Errorf("got %d: the handler leaves an identifier out", w.Code)
//	}
//
// A handler that asks about less than the action acts on (SPEC 3.3), such as proxy-api about an
// integration, is denied too: it should ask about the credential that will be used. For something that it
// has looked for and that does not exist, it says permissions.NoID(), and the external ID that it will have or
// permissions.NoExternalID().
//
// A handler that forgets an identifier passes tests with a simple policy, and fails for the first customer whose
// token has a rule for that identifier. The probe cannot know which identifiers are right: see [Denials].
func Probe() *permissions.Policy { return permissions.MustParse(probeClaim) }

// Denials yields policies with which a request must be refused if its handler does these actions with a target, each
// with what it denies. For each action, there is one policy for each known identifier of the target: the name of the
// integration, and the IDs and external IDs of the credential and the configuration. It denies that one action, and
// the permissions that include it, at the scope of that one identifier. It allows all other permissions of the ten
// everywhere. Below the target it allows the denied permission too, at each level on which the action does not act:
// proxy-api is denied for a credential and allowed for its configurations. Permissions that are not among the ten are
// denied at the scope:
//
//	for denied, policy := range permissionstest.Denials(t, target, permissions.ProxyAPI) {
//		w := httptest.NewRecorder()
//		server.ServeHTTP(w, kit.Authorize(t, request(), "ann", policy))
//		if w.Code != http.StatusForbidden && w.Code != http.StatusNotFound {
//			t.Errorf("got %d with a token that denies %s", w.Code, denied)
//		}
//	}
//
// A handler that lets a request through with one of these policies asks about something else than it does. These
// are the usual causes:
//
//   - Its query does not select the external ID, so the handler says that there is none.
//   - It takes the integration from the URL and not from the row, if the request names another one than the row has.
//   - It takes one identifier for another one.
//   - It says that an object is new, and uses one that exists.
//   - It asks about the user, or about the integration alone, or about something below the target.
//   - It asks about another action, or only whether the target is visible.
//
// A test with [Probe] does not find this, because all that the handler asks about is known. So test a handler with
// Probe first, which must succeed, and with Denials. Look also at what the handler has changed: nothing, after a
// refusal.
//
// Write the target out in the test: each identifier is known, or known to be absent. A function of the handler would
// make the handler's mistake again. Give the target an external ID, so that there is a policy for it. If a request does
// one thing with a credential and another with a configuration, call Denials for each.
//
// For a handler that only shows what is visible, give no action. Then each policy denies everything at its scope.
// For the user there is one policy for each action, which denies it at integration:*. A target that is invalid, or
// that has an unknown identifier, ends the test t, and so does the user without an action.
//
// No policy says whose a credential is. That the handler refuses what belongs to another user needs a test of its own.
func Denials(
	t testing.TB, target permissions.Target, actions ...permissions.Permission,
) iter.Seq2[string, *permissions.Policy] {
	t.Helper()
	if err := target.Err(); err != nil {
		t.Fatalf("permissionstest: %v", err)
	}
	if unknown := target.Unknown(); unknown != 0 {
		t.Fatalf("permissionstest: the %v of the target is unknown; "+
			"give every identifier of what the handler uses, or say that it is absent", unknown)
	}
	if target.Level() == permissions.KindUser && len(actions) == 0 {
		t.Fatalf("permissionstest: the target is the user, which no scope names; give an action, or what the handler uses")
	}
	return func(yield func(string, *permissions.Policy) bool) {
		for _, d := range denialsOf(actions) {
			for _, scope := range scopesOf(target) {
				if !yield(d.text+scope.String(), denying(scope, d, target)) {
					return
				}
			}
		}
	}
}

// A denial is what a policy denies at a scope.
type denial struct {
	text   string                   // before the scope
	action permissions.Permission   // "" for everything
	others []permissions.Permission // that the policy allows there
}

// denialsOf returns a denial for each action, and the denial of everything if there are none.
func denialsOf(actions []permissions.Permission) []denial {
	if len(actions) == 0 {
		return []denial{{}}
	}
	var denials []denial
	for _, action := range actions {
		others := slices.DeleteFunc(permissions.AllPermissions(), func(p permissions.Permission) bool {
			return permissions.NewPermissionSet(p).Has(action)
		})
		denials = append(denials, denial{string(action) + " at ", action, others})
	}
	return denials
}

// scopesOf returns a scope for each known identifier of a target. For the user, which has none, it returns the scope
// that covers everything.
func scopesOf(target permissions.Target) []permissions.Scope {
	if target.Level() == permissions.KindUser {
		return []permissions.Scope{permissions.MustParseScope("integration:*")}
	}
	var scopes []permissions.Scope
	for _, i := range []struct {
		which permissions.Identifiers
		scope string
	}{
		{permissions.IntegrationName, "integration:"},
		{permissions.CredentialID, "credential:"},
		{permissions.CredentialExternalID, "credential:ext:"},
		{permissions.ConfigurationID, "configuration:"},
		{permissions.ConfigurationExternalID, "configuration:ext:"},
	} {
		if name, state := target.Lookup(i.which); state == permissions.Known {
			scopes = append(scopes, permissions.MustParseScope(i.scope+name)) // a name of a valid target makes a scope
		}
	}
	return scopes
}

// denying returns the policy that has a denial at a scope of a target, and allows everything else. It also allows
// everything at each level below the target, credential:* and configuration:*, if the target stays denied with that. So
// a handler that asks about something below gets a yes. A denial of everything opens nothing below, because that would
// make the target visible.
func denying(scope permissions.Scope, d denial, target permissions.Target) *permissions.Policy {
	var below []permissions.Scope
	policy := allExcept(scope, d.others, below)
	for _, s := range []string{"credential:*", "configuration:*"} {
		wildcard := permissions.MustParseScope(s)
		if d.action == "" || wildcard.Kind() <= target.Level() {
			continue
		}
		if wider := allExcept(scope, d.others, append(below, wildcard)); !wider.Allowed(d.action, target) {
			below, policy = append(below, wildcard), wider
		}
	}
	return policy
}

// allExcept returns the policy that allows everything, and at one scope only these permissions. Where something below
// is given, it allows everything there.
func allExcept(scope permissions.Scope, allowed []permissions.Permission, below []permissions.Scope) *permissions.Policy {
	var b permissions.Builder
	if !scope.IsWildcard() {
		b.AnyIntegration().AllowAll()
	}
	b.At(scope).Allow(allowed...)
	for _, s := range below {
		b.At(s).AllowAll()
	}
	policy, err := b.Build()
	if err != nil {
		panic(err) // these rules are a policy in any case
	}
	return policy
}
