package forwardauth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

// nginx asks about two requests. The token allows the Proxy API of slack.
func ExampleNew() {
	decision, err := forwardauth.New(forwardauth.DialectNginx, permissionstest.Shared().Verifier(),
		[]forwardauth.Route{{
			Pattern:     "/integrations/{integration}/proxy/{rest...}",
			Permission:  permissions.ProxyAPI,
			Integration: forwardauth.Path("integration"),
			Credential:  forwardauth.Header(httpauth.CredentialHeader),
		}})
	if err != nil {
		panic(err)
	}
	t := new(testing.T) // that of your test
	token := permissionstest.Shared().Token(t, "ann", permissions.MustParse(`{"integration:slack": ["proxy-api"]}`))
	for _, uri := range []string{"/integrations/slack/proxy/chat", "/integrations/jira/proxy/issue"} {
		question := httptest.NewRequest(http.MethodGet, "/", nil)
		question.Header.Set("X-Original-Method", "POST")
		question.Header.Set("X-Original-URI", uri)
		question.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		decision.ServeHTTP(answer, question)
		fmt.Println(uri, answer.Code, answer.Header().Get(forwardauth.SubjectHeader))
	}
	// Output:
	// /integrations/slack/proxy/chat 204 ann
	// /integrations/jira/proxy/issue 403
}
