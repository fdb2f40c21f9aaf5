package httpauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

const (
	salesID   = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	financeID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
)

// exampleProject returns what verifies the tokens of a project, and a token of a user who may use the
// Slack credentials, but not that of the finance team.
func exampleProject() (*usertoken.Verifier, string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := usertoken.NewVerifier("my-project", &key.PublicKey)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := usertoken.NewSigner("my-project", key)
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
func send(h http.Handler, path, token, credential string) {
	r := httptest.NewRequest("POST", path, nil)
	if credential != "" {
		r.Header.Set(httpauth.CredentialHeader, credential)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Header().Get("WWW-Authenticate"))))
	fmt.Println(strings.TrimSpace(w.Body.String()))
}

// The request names the credential by a reference, so one of its identifiers is unknown. If the token has a rule that
// denies one external ID, every request that names a credential by its ID is denied. Guard does better.
func Example() {
	verifier, token := exampleProject()
	auth := httpauth.New(verifier)

	mux := http.NewServeMux()
	mux.Handle("POST /integrations/{integration}/proxy", auth.Require(permissions.ProxyAPI, httpauth.Sources{
		Integration: httpauth.Path("integration"),
		Credential:  httpauth.Header(httpauth.CredentialHeader),
	}.Target)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "sent for ", httpauth.Claims(r.Context()).Subject)
	})))

	send(mux, "/integrations/slack/proxy", "", "ext:sales")
	send(mux, "/integrations/slack/proxy", "garbage", "ext:sales")
	send(mux, "/integrations/slack/proxy", token, salesID)
	// Output:
	// 401 Bearer
	// {"type":"about:blank","title":"Unauthorized","status":401}
	// 401 Bearer error="invalid_token"
	// {"type":"about:blank","title":"Unauthorized","status":401,"error":"invalid_token"}
	// 403 Bearer error="insufficient_scope"
	// {"type":"about:blank","title":"Forbidden","status":403,"error":"insufficient_scope"}
}

// Guard loads the credential, asks about it with all its identifiers, and hands it to the handler.
func ExampleGuard() {
	verifier, token := exampleProject()
	type credential struct{ id, externalID, account string }
	rows := map[string]credential{
		salesID:   {salesID, "sales", "sales@example.com"},
		financeID: {financeID, "finance", "finance@example.com"},
	}

	load := func(r *http.Request) (permissions.Target, credential, error) {
		row, ok := rows[r.PathValue("id")]
		if !ok {
			return permissions.Target{}, row, httpauth.ErrNotFound
		}
		target := permissions.Integration("slack").
			Credential(permissions.ID(row.id), permissions.ExternalID(row.externalID))
		return target, row, nil
	}
	use := func(w http.ResponseWriter, r *http.Request, row credential) {
		fmt.Fprint(w, "sent for ", httpauth.Claims(r.Context()).Subject, " as ", row.account)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /credentials/{id}/proxy", httpauth.Guard(httpauth.New(verifier), permissions.ProxyAPI, load, use))

	send(mux, "/credentials/"+salesID+"/proxy", token, "")
	send(mux, "/credentials/"+financeID+"/proxy", token, "") // there, but not to be seen
	send(mux, "/credentials/another/proxy", token, "")       // not there
	// Output:
	// 200
	// sent for ann as sales@example.com
	// 404
	// {"type":"about:blank","title":"Not Found","status":404}
	// 404
	// {"type":"about:blank","title":"Not Found","status":404}
}

// A handler that asks for itself.
func ExampleWriteError() {
	verifier, token := exampleProject()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /integrations/{integration}/credentials", func(w http.ResponseWriter, r *http.Request) {
		target := permissions.Integration(r.PathValue("integration")).
			Credential(permissions.NoID(), permissions.NoExternalID())
		if err := httpauth.Policy(r.Context()).Check(permissions.CredentialWrite, target); err != nil {
			httpauth.WriteError(w, r, err)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	send(httpauth.New(verifier).Wrap(mux), "/integrations/slack/credentials", token, "")
	// Output:
	// 403 Bearer error="insufficient_scope"
	// {"type":"about:blank","title":"Forbidden","status":403,"error":"insufficient_scope"}
}

// The SDK (2.4.0) in a browser logs the user out on a 401 or 403, unless the answer is of the type
// application/json and its member code is "7210". So a denial says that, and a refused token does not.
func ExampleWithErrorHandler() {
	verifier, token := exampleProject()
	forSDK := func(w http.ResponseWriter, r *http.Request, e *httpauth.Error) {
		if e.Status != http.StatusForbidden {
			e.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(e.Status)
		fmt.Fprint(w, `{"code":"7210","message":"You may not do this."}`)
	}
	auth := httpauth.New(verifier, httpauth.WithErrorHandler(forSDK))
	h := auth.Require(permissions.ProxyAPI, httpauth.Sources{
		Integration: httpauth.Literal("slack"),
		Credential:  httpauth.Header(httpauth.CredentialHeader),
	}.Target)(http.NotFoundHandler())

	send(h, "/", token, "ext:finance")
	send(h, "/", "garbage", "ext:finance")
	// Output:
	// 403 Bearer error="insufficient_scope"
	// {"code":"7210","message":"You may not do this."}
	// 401 Bearer error="invalid_token"
	// {"type":"about:blank","title":"Unauthorized","status":401,"error":"invalid_token"}
}

// A refusal is one line.
func ExampleWithLogger() {
	verifier, token := exampleProject()
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey || a.Key == "error" { // so that the line is short
				return slog.Attr{}
			}
			return a
		},
	}))
	auth := httpauth.New(verifier, httpauth.WithLogger(logger))
	h := auth.Require(permissions.Events, httpauth.Sources{}.Target)(http.NotFoundHandler())

	r := httptest.NewRequest("POST", "/events", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	h.ServeHTTP(httptest.NewRecorder(), r)
	// Output:
	// level=WARN msg="request refused" status=403 allowed=false reason=no_rule action=events target.level=user subject=ann method=POST path=/events
}

// Tokens that a service has revoked, by their jti.
func ExampleWithCheck() {
	verifier, token := exampleProject()
	revoked := map[string]bool{"": true} // this service gives every token a jti
	auth := httpauth.New(verifier, httpauth.WithCheck(func(_ context.Context, claims *usertoken.Claims) error {
		if revoked[claims.ID] {
			return httpauth.ErrRevoked
		}
		return nil
	}))
	send(auth.Wrap(http.NotFoundHandler()), "/", token, "")
	// Output:
	// 401 Bearer error="invalid_token"
	// {"type":"about:blank","title":"Unauthorized","status":401,"error":"invalid_token"}
}

// A token from a cookie. Requests that another site causes are refused before the token is looked at.
func ExampleWithTokenFrom() {
	verifier, token := exampleProject()
	auth := httpauth.New(verifier, httpauth.WithTokenFrom(func(r *http.Request) (string, error) {
		switch cookies := r.CookiesNamed("user_token"); len(cookies) {
		case 0:
			return "", httpauth.ErrNoToken
		case 1:
			return cookies[0].Value, nil
		}
		return "", httpauth.ErrAuthorization
	}))
	done := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "done for ", httpauth.Claims(r.Context()).Subject)
	})
	h := http.NewCrossOriginProtection().Handler(auth.Wrap(done))

	for _, site := range []string{"same-origin", "cross-site"} {
		r := httptest.NewRequest("POST", "/", nil)
		r.AddCookie(&http.Cookie{Name: "user_token", Value: token})
		r.Header.Set("Sec-Fetch-Site", site)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		fmt.Println(site, w.Code)
	}
	// Output:
	// same-origin 200
	// cross-site 403
}

// Another transport verifies for itself, and uses the same context as handlers.
func ExampleNewContext() {
	verifier, token := exampleProject()
	metadata := map[string][]string{"authorization": {"Bearer " + token}} // of the other transport

	call := func(ctx context.Context) (context.Context, error) {
		token, err := httpauth.BearerToken(metadata["authorization"]...)
		if err != nil {
			return nil, err
		}
		claims, err := verifier.VerifyContext(ctx, token)
		if err != nil {
			return nil, err
		}
		return httpauth.NewContext(ctx, claims), nil
	}
	ctx, err := call(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	claims, ok := httpauth.FromContext(ctx)
	fmt.Println(claims.Subject, ok, httpauth.Policy(ctx).Allowed(permissions.Events, permissions.User()))
	// Output: ann true false
}
