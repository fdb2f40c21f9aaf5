// Package routers shows httpauth with net/http's ServeMux, chi, gin and echo, and with Connect. Each
// router has two routes: one requires a permission on what its path names, and the other requires only
// a token.
//
// Routers differ in what they make of escapes in a path. From .../credentials/%38, ServeMux and gin
// make the credential 8, and chi and echo the credential %38, which httpauth.Path refuses. With any
// router, look an object up by the same value that the policy was asked about. A handler that
// unescapes the value in between has asked about something else.
//
// The program in serve runs any of them.
package routers

import (
	"net/http"

	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/labstack/echo/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
)

// disconnect is the target of the route that requires a permission.
var disconnect = httpauth.Sources{
	Integration: httpauth.Path("integration"),
	Credential:  httpauth.Path("credential"),
}

// ServeMux has the routes on net/http's router.
func ServeMux(auth *httpauth.Middleware, deleted func(integration, credential string)) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("DELETE /integrations/{integration}/credentials/{credential}",
		auth.Require(permissions.CredentialWrite, disconnect.Target)(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) {
				deleted(r.PathValue("integration"), r.PathValue("credential"))
				w.WriteHeader(http.StatusNoContent)
			})))
	mux.Handle("GET /me", auth.Wrap(http.HandlerFunc(me)))
	return mux
}

// Chi has the routes on chi, whose middleware is that of net/http. Require is in With, which runs when
// the route has been found. In Use it would run before there are path values, and answer every
// request with 400.
func Chi(auth *httpauth.Middleware, deleted func(integration, credential string)) http.Handler {
	r := chi.NewRouter()
	r.Use(auth.Wrap)
	r.With(auth.Require(permissions.CredentialWrite, disconnect.Target)).
		Delete("/integrations/{integration}/credentials/{credential}", func(w http.ResponseWriter, r *http.Request) {
			deleted(chi.URLParam(r, "integration"), chi.URLParam(r, "credential"))
			w.WriteHeader(http.StatusNoContent)
		})
	r.Get("/me", me)
	return r
}

// Echo has the routes on echo, whose WrapMiddleware sets the path values too.
func Echo(auth *httpauth.Middleware, deleted func(integration, credential string)) http.Handler {
	e := echo.New()
	e.Use(echo.WrapMiddleware(auth.Wrap))
	e.DELETE("/integrations/:integration/credentials/:credential", func(c *echo.Context) error {
		deleted(c.Param("integration"), c.Param("credential"))
		return c.NoContent(http.StatusNoContent)
	}, echo.WrapMiddleware(auth.Require(permissions.CredentialWrite, disconnect.Target)))
	e.GET("/me", echo.WrapHandler(http.HandlerFunc(me)))
	return e
}

// Gin has the routes on gin, with an adapter.
func Gin(auth *httpauth.Middleware, deleted func(integration, credential string)) http.Handler {
	e := gin.New()
	e.Use(GinMiddleware(auth.Wrap))
	e.DELETE("/integrations/:integration/credentials/:credential",
		GinMiddleware(auth.Require(permissions.CredentialWrite, disconnect.Target)), func(c *gin.Context) {
			deleted(c.Param("integration"), c.Param("credential"))
			c.Status(http.StatusNoContent)
		})
	e.GET("/me", gin.WrapF(me))
	return e
}

// GinMiddleware adapts middleware of net/http to gin, and gives it the path values. If the
// middleware does not go on, neither does gin.
func GinMiddleware(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		for _, p := range c.Params {
			c.Request.SetPathValue(p.Key, p.Value)
		}
		passed := false
		middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			passed = true
			c.Request = r
			c.Next()
		})).ServeHTTP(c.Writer, c.Request)
		if !passed {
			c.Abort()
		}
	}
}

// me answers with the subject of the token.
func me(w http.ResponseWriter, r *http.Request) {
	_, _ = w.Write([]byte(httpauth.Claims(r.Context()).Subject))
}
