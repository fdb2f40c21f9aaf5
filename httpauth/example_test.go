package httpauth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
)

// exampleProject returns what verifies the tokens of a project, and a token of a user who
// may use the Slack credentials, but not that of the finance team.
func exampleProject() (*permissions.Verifier, string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := permissions.NewVerifier("my-project", &key.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := permissions.NewSigner("my-project", key)
	if err != nil {
		log.Fatal(err)
	}
	token, err := signer.Sign("ann", permissions.MustParse(`{
		"integration:slack": {
			"credential:*":           ["proxy-api"],
			"credential:ext:finance": false
		}
	}`))
	if err != nil {
		log.Fatal(err)
	}
	return verifier, token
}

// send sends a request to a handler and prints the answer.
func send(h http.Handler, path, token string) {
	r := httptest.NewRequest("POST", path, nil)
	r.Header.Set("X-Paragon-Credential", "7")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"), w.Body)
}

// A route whose request says what to ask about. The request does not say the credential's
// external ID, so a token with a rule that denies one external ID is denied: see WriteError
// for how to do better.
func Example() {
	verifier, token := exampleProject()
	auth := httpauth.New(verifier)

	mux := http.NewServeMux()
	mux.Handle("POST /integrations/{integration}/proxy", auth.Require(permissions.ProxyAPI, httpauth.Sources{
		Integration:  httpauth.Path("integration"),
		CredentialID: httpauth.Header(httpauth.CredentialHeader),
	}.Target)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "sent for ", httpauth.Claims(r.Context()).Subject)
	})))

	send(mux, "/integrations/slack/proxy", "")
	send(mux, "/integrations/slack/proxy", "not-a-token")
	send(mux, "/integrations/slack/proxy", token)
	// Output:
	// 401 Bearer {"type":"about:blank","title":"Unauthorized","status":401}
	//
	// 401 Bearer error="invalid_token" {"type":"about:blank","title":"Unauthorized","status":401,"error":"invalid_token"}
	//
	// 403 Bearer error="insufficient_scope" {"type":"about:blank","title":"Forbidden","status":403,"error":"insufficient_scope"}
}

// A handler that asks once it knows the object. The request has only one of the identifiers,
// and what is left open can turn a yes into a no.
func ExampleWriteError() {
	verifier, token := exampleProject()
	externalIDs := map[string]string{"7": "sales", "8": "finance"}

	mux := http.NewServeMux()
	mux.HandleFunc("POST /credentials/{id}/proxy", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		externalID, ok := externalIDs[id]
		if !ok {
			httpauth.WriteError(w, r, &httpauth.Error{Status: http.StatusNotFound})
			return
		}
		target := permissions.Target{Integration: "slack", CredentialID: id, CredentialExternalID: externalID}
		if err := httpauth.Policy(r.Context()).Check(permissions.ProxyAPI, target); err != nil {
			httpauth.WriteError(w, r, err)
			return
		}
		fmt.Fprint(w, "sent for ", httpauth.Claims(r.Context()).Subject)
	})
	h := httpauth.New(verifier).Wrap(mux)

	send(h, "/credentials/7/proxy", token)
	send(h, "/credentials/8/proxy", token)
	// Output:
	// 200  sent for ann
	// 403 Bearer error="insufficient_scope" {"type":"about:blank","title":"Forbidden","status":403,"error":"insufficient_scope"}
}
