package permissionstest

import "github.com/connectperms/permissions"

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
//	if w.Code == http.StatusForbidden {
//		t.Errorf("the handler leaves an identifier out")
//	}
//
// A handler that asks about less than the action acts on (SPEC 3.3), such as proxy-api about an
// integration, is denied too: it should ask about the credential that will be used. For something new,
// it says permissions.NoID(), and the external ID that it will have or permissions.NoExternalID().
//
// Such a handler passes tests with a simple policy, and fails for the first customer whose token has a
// rule for one identifier.
func Probe() *permissions.Policy { return permissions.MustParse(probeClaim) }
