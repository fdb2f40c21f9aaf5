package routers_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/routers"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	os.Exit(m.Run())
}

var all = map[string]func(*httpauth.Middleware, func(integration, credential string)) http.Handler{
	"ServeMux": routers.ServeMux, "chi": routers.Chi, "gin": routers.Gin, "echo": routers.Echo,
}

var policy = permissions.MustParse(`{
	"integration:slack": {
		"credential:*":       ["credential:write"],
		"credential:ext:8":   false,
		"credential:ext:a/b": false,
		"credential:ext:a b": false
	}
}`)

// target is what a request for a credential is about.
func target(integration, credential string) permissions.Target {
	return permissions.Integration(integration).Credential(permissions.Reference(credential))
}

func TestRouters(t *testing.T) {
	kit := permissionstest.New(t)
	for name, router := range all {
		t.Run(name, func(t *testing.T) {
			var deleted [][2]string
			var asked []permissions.Target
			auth := httpauth.New(kit.Verifier(), httpauth.WithObserver(func(_ context.Context, o permissions.Observation) {
				if o.Decision.Allowed {
					asked = append(asked, o.Target)
				}
			}))
			h := router(auth, func(integration, credential string) {
				deleted = append(deleted, [2]string{integration, credential})
			})
			send := func(method, path string, authorized bool) *http.Response {
				deleted, asked = nil, nil
				r := httptest.NewRequest(method, path, nil)
				if authorized {
					kit.Authorize(t, r, "ann", policy)
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				return w.Result()
			}
			refused := func(resp *http.Response, status int) {
				t.Helper()
				require.Equal(t, status, resp.StatusCode)
				require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
				require.Empty(t, deleted)
			}

			require.Equal(t, 204, send("DELETE", "/integrations/slack/credentials/7", true).StatusCode)
			require.Equal(t, [][2]string{{"slack", "7"}}, deleted)
			require.Equal(t, []permissions.Target{target("slack", "7")}, asked)

			refused(send("DELETE", "/integrations/slack/credentials/8", true), 403)
			refused(send("DELETE", "/integrations/jira/credentials/7", true), 403)
			refused(send("DELETE", "/integrations/slack/credentials/a%20b", true), 403)
			refused(send("DELETE", "/integrations/slack/credentials/%00", true), 400)
			refused(send("DELETE", "/integrations/slack/credentials/7", false), 401)
			refused(send("GET", "/me", false), 401)

			resp := send("GET", "/me", true)
			require.Equal(t, 200, resp.StatusCode)
			body := make([]byte, 10)
			n, _ := resp.Body.Read(body)
			require.Equal(t, "ann", string(body[:n]))

			// A router may read an unusual path in its own way. It acts on what the policy was asked about.
			for _, path := range []string{
				"/integrations/slack/credentials/%38",
				"/integrations/slack/credentials/a%2Fb",
				"/integrations/slack/credentials/a%252Fb",
				"/integrations/slack/credentials/a+b",
				"/integrations/slack/credentials/a;b",
				"/integrations/slack/credentials/%2e%2e",
				"/integrations/%73lack/credentials/7",
				"/integrations/jira/../slack/credentials/7",
				"/integrations//credentials/7",
				"/integrations/slack/credentials/a%2fb/..",
				"//integrations/slack/credentials/7",
				"/integrations/slack/credentials/7/",
			} {
				resp := send("DELETE", path, true)
				require.Len(t, deleted, len(asked), path)
				for i, d := range deleted {
					require.Equal(t, target(d[0], d[1]), asked[i], path)
					require.NotContains(t, []string{"8", "a/b", "a b"}, d[1], path)
					require.NotRegexp(t, "%[0-9A-Fa-f]{2}", d[1], path)
				}
				if resp.StatusCode == 204 {
					require.Len(t, deleted, 1, path)
				}
			}
		})
	}
}

// A middleware that does not call the next handler stops gin.
func TestGinStops(t *testing.T) {
	e := gin.New()
	e.GET("/", routers.GinMiddleware(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	}), func(*gin.Context) { t.Error("the request went on") })
	w := httptest.NewRecorder()
	e.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	require.Equal(t, http.StatusTeapot, w.Code)
}
