package permissionstest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

// newServer is what is tested.
func newServer(verifier *permissions.Verifier) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("DELETE /credentials/{id}", httpauth.New(verifier).Require(permissions.CredentialWrite, httpauth.Sources{
		Integration:  httpauth.Literal("slack"),
		CredentialID: httpauth.Path("id"),
	}.Target)(http.NotFoundHandler()))
	return mux
}

// What the package's documentation shows.
func TestDocumentation(t *testing.T) {
	target := permissions.Target{Integration: "slack"}

	kit := permissionstest.New(t)
	server := newServer(kit.Verifier())
	readOnly := permissions.MustParse(`{"integration:*": ["settings:read"]}`)

	w := httptest.NewRecorder()
	server.ServeHTTP(w, kit.Authorize(t, httptest.NewRequest("DELETE", "/credentials/7", nil), "ann", readOnly))
	if w.Code != http.StatusForbidden {
		t.Errorf("got %d", w.Code)
	}

	permissionstest.AssertAllowed(t, readOnly, permissions.SettingsRead, target)
	permissionstest.AssertDenied(t, readOnly, permissions.SettingsWrite, target)
	permissionstest.AssertCases(t, readOnly, []permissionstest.Case{
		{Action: permissions.SettingsRead, Target: target, Allowed: true},
		{Action: permissions.SettingsWrite, Target: target, Allowed: false},
	})
}
