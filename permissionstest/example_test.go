package permissionstest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

const annsCredential = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

// newServer is the server that the examples test. Its first route forgets the credential's external ID,
// and its second one has all identifiers.
func newServer(verifier *usertoken.Verifier) http.Handler {
	auth := httpauth.New(verifier)
	done := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux := http.NewServeMux()
	mux.Handle("DELETE /forgetful/{credential}", auth.Require(permissions.CredentialWrite, httpauth.Sources{
		Integration: httpauth.Literal("slack"),
		Credential:  httpauth.Path("credential"),
	}.Target)(done))
	mux.Handle("DELETE /complete/{credential}", auth.Require(permissions.CredentialWrite,
		func(r *http.Request) (permissions.Target, error) {
			return permissions.Integration("slack").
				Credential(permissions.ID(r.PathValue("credential")), permissions.NoExternalID()), nil
		})(done))
	return mux
}

// The t of these examples is the *testing.T of a test.
func Example() {
	t := printingTB{}

	kit := permissionstest.Shared()
	server := newServer(kit.Verifier())
	readOnly := permissions.MustParse(`{"integration:*": ["settings:read"]}`)

	request := httptest.NewRequest("DELETE", "/complete/"+annsCredential, nil)
	w := httptest.NewRecorder()
	server.ServeHTTP(w, kit.Authorize(t, request, "ann", readOnly))
	fmt.Println(w.Code)
	// Output: 403
}

// The server must refuse every bad token.
func ExampleKit_BadToken() {
	t := printingTB{}

	kit := permissionstest.Shared()
	server := newServer(kit.Verifier())
	for _, flaw := range permissionstest.Flaws() {
		request := httptest.NewRequest("DELETE", "/complete/"+annsCredential, nil)
		request.Header.Set("Authorization", "Bearer "+kit.BadToken(t, flaw, "ann", permissions.Unrestricted()))
		w := httptest.NewRecorder()
		server.ServeHTTP(w, request)
		fmt.Printf("%s: %d\n", flaw, w.Code)
	}
	// Output:
	// malformed: 401
	// signature: 401
	// algorithm: 401
	// expired: 401
	// not yet valid: 401
	// audience: 401
	// subject: 401
	// near miss: 401
	// null claim: 401
}

// Claims of the service's own, and an ID by which the token can be revoked.
func ExampleKit_Token() {
	t := printingTB{}

	kit := permissionstest.Shared()
	token := kit.Token(t, "ann", permissions.Unrestricted(),
		usertoken.WithTokenID("token-1"), usertoken.WithClaims(map[string]any{"tenant": "acme"}))

	claims, err := kit.Verifier().Verify(token)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var own struct {
		Tenant string `json:"tenant"`
	}
	if err := claims.Decode(&own); err != nil {
		t.Fatalf("%v", err)
	}
	fmt.Println(claims.Subject, claims.ID, own.Tenant)
	// Output: ann token-1 acme
}

// The probe policy finds the route that leaves out the external ID.
func ExampleProbe() {
	t := printingTB{}

	kit := permissionstest.Shared()
	server := newServer(kit.Verifier())
	for _, route := range []string{"/complete/", "/forgetful/"} {
		request := httptest.NewRequest("DELETE", route+annsCredential, nil)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, kit.Authorize(t, request, "ann", permissionstest.Probe()))
		fmt.Println(route, w.Code)
	}
	// Output:
	// /complete/ 204
	// /forgetful/ 403
}

func ExampleAssertCases() {
	t := printingTB{}

	readOnly := permissions.MustParse(`{"integration:*": ["settings:read"]}`)
	slack := permissions.Integration("slack")
	ok := permissionstest.AssertCases(t, readOnly, []permissionstest.Case{
		{Action: permissions.SettingsRead, Target: slack, Allowed: true},
		{Action: permissions.SettingsWrite, Target: slack, Allowed: false},
	})
	fmt.Println(ok)
	// Output: true
}

func ExampleAssertAllowed() {
	t := printingTB{}

	readOnly := permissions.MustParse(`{"integration:*": ["settings:read"]}`)
	fmt.Println(permissionstest.AssertAllowed(t, readOnly, permissions.SettingsRead, permissions.Integration("slack")))
	// Output: true
}

func ExampleAssertDenied() {
	t := printingTB{}

	readOnly := permissions.MustParse(`{"integration:*": ["settings:read"]}`)
	fmt.Println(permissionstest.AssertDenied(t, readOnly, permissions.SettingsWrite, permissions.Integration("slack")))
	// Output: true
}

// The credential has an external ID, and the route of this server says that it has none.
func ExampleDenials() {
	t := printingTB{}

	kit := permissionstest.Shared()
	server := newServer(kit.Verifier())
	target := permissions.Integration("slack").
		Credential(permissions.ID(annsCredential), permissions.ExternalID("finance"))
	for denied, policy := range permissionstest.Denials(t, target, permissions.CredentialWrite) {
		request := httptest.NewRequest("DELETE", "/complete/"+annsCredential, nil)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, kit.Authorize(t, request, "ann", policy))
		if w.Code != http.StatusForbidden && w.Code != http.StatusNotFound {
			fmt.Printf("got %d with a token that denies %s\n", w.Code, denied)
		}
	}
	// Output: got 204 with a token that denies credential:write at credential:ext:finance
}
