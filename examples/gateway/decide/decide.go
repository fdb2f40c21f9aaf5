// Package decide answers for a gateway, such as nginx with auth_request, whether a request
// may go on to the service behind it.
//
// The gateway sends the headers of the request and, in X-Original-Method and X-Original-URI,
// its first line. The answer is 204 for yes, with X-Auth-Subject; 401, with WWW-Authenticate,
// if the token is to blame; and 403 for everything else. nginx knows no other answers, and
// takes any other status for a failure, which is no yes either.
//
// The gateway knows only what stands in the head of a request. A credential's external ID does
// not, so a token that may use all credentials but those with some external ID is denied here:
// it needs a service that looks the credential up, and asks. The service must decode the
// escapes of a path and compare names by bytes, as is done here.
package decide

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
)

// New returns the handler that answers for the tokens that a verifier accepts. An error
// handler among the options is replaced.
func New(verifier *permissions.Verifier, onRefusal func(*http.Request, *httpauth.Error), opts ...httpauth.Option) http.Handler {
	auth := httpauth.New(verifier, append(opts, httpauth.WithErrorHandler(
		func(w http.ResponseWriter, r *http.Request, e *httpauth.Error) {
			if onRefusal != nil {
				onRefusal(r, e)
			}
			status := e.Status
			if e.Code == httpauth.CodeInvalidRequest {
				status = http.StatusUnauthorized // of which nginx passes WWW-Authenticate on
			}
			w.WriteHeader(status)
		}))...)
	return Routes(auth.Require)
}

// A Guard makes the middleware of a route, as [httpauth.Middleware.Require] does.
type Guard func(permissions.Permission, httpauth.TargetFunc) func(http.Handler) http.Handler

// Routes returns the handler with a guard at each route of the service behind the gateway. A
// route that is not here is denied.
func Routes(guard Guard) http.Handler {
	user := httpauth.Sources{}
	integration := httpauth.Sources{Integration: httpauth.Path("integration")}
	named := httpauth.Sources{Integration: httpauth.Path("integration"), CredentialID: httpauth.Path("credential")}
	used := httpauth.Sources{Integration: httpauth.Path("integration"), CredentialID: httpauth.Header(httpauth.CredentialHeader)}

	mux := http.NewServeMux()
	mux.Handle("POST /events", guard(permissions.Events, user.Target)(yes))
	mux.Handle("POST /integrations/{integration}/credentials", guard(permissions.CredentialWrite, integration.Target)(yes))
	mux.Handle("DELETE /integrations/{integration}/credentials/{credential}", guard(permissions.CredentialWrite, named.Target)(yes))
	mux.Handle("/integrations/{integration}/proxy/{path...}", guard(permissions.ProxyAPI, used.Target)(yes))

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &answer{ResponseWriter: w}
		if asked, err := original(r); err == nil {
			mux.ServeHTTP(a, asked)
		}
		a.WriteHeader(http.StatusForbidden) // unless there is an answer: silence would be 200
	})
}

// yes lets a request go on, and says for whom, in a form that fits into a header.
var yes = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if claims := httpauth.Claims(r.Context()); claims != nil {
		w.Header().Set("X-Auth-Subject", url.PathEscape(claims.Subject))
	}
	w.WriteHeader(http.StatusNoContent)
})

// An answer says yes, 401 or no. What else a handler would say, such as that there is no
// route, or that it has moved, is no.
type answer struct {
	http.ResponseWriter
	given bool
}

func (a *answer) WriteHeader(status int) {
	if a.given {
		return
	}
	a.given = true
	switch status {
	case http.StatusNoContent, http.StatusUnauthorized:
	default:
		status = http.StatusForbidden
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write writes nothing: the gateway does not look at a body. It must not stand for a yes.
func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusForbidden)
	return len(p), nil
}

var errOriginal = errors.New("no original request that can be decided")

// original returns the request that the gateway is asked to pass on.
func original(r *http.Request) (*http.Request, error) {
	method, uri := r.Header.Values("X-Original-Method"), r.Header.Values("X-Original-URI")
	if len(method) != 1 || len(uri) != 1 {
		return nil, errOriginal
	}
	raw, query, _ := strings.Cut(uri[0], "?")
	if !isUnambiguous(raw) {
		return nil, errOriginal
	}
	path, err := url.PathUnescape(raw)
	if err != nil {
		return nil, err
	}
	asked := r.WithContext(r.Context())
	asked.Method = method[0]
	asked.URL = &url.URL{Path: path, RawPath: raw, RawQuery: query}
	asked.RequestURI = uri[0]
	return asked, nil
}

// isUnambiguous reports whether a path means the same to whoever reads it. Servers differ in
// what they make of //, of dot segments, of escapes (once, twice, before or after they split
// the path), of backslashes and of parameters after a semicolon. A path with any of these
// might be one target here and another in the service, so it is denied.
func isUnambiguous(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
		if segment == "." || segment == ".." || segment == "" && path != "/" || !isPlain(segment) {
			return false
		}
	}
	return true
}

// isPlain reports whether a segment of a path holds only characters that mean themselves, and
// escapes of those that cannot stand for themselves there and mean nothing else.
func isPlain(segment string) bool {
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		if c != '%' {
			if !isUnreserved(c) && strings.IndexByte(":@$&'()+,=!", c) < 0 {
				return false
			}
			continue
		}
		if i+2 >= len(segment) {
			return false
		}
		hi, lo := unhex(segment[i+1]), unhex(segment[i+2])
		if hi < 0 || lo < 0 {
			return false
		}
		// An escaped letter or dot is a second spelling; a slash and the like a trick.
		if c = byte(hi<<4 | lo); c < ' ' || c == 0x7f || isUnreserved(c) || strings.IndexByte(`/\;%?#*`, c) >= 0 {
			return false
		}
		i += 2
	}
	return true
}

// isUnreserved is what RFC 3986, section 2.3, says never to escape.
func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

func unhex(c byte) int {
	if c >= 'A' && c <= 'F' {
		c += 'a' - 'A'
	}
	return strings.IndexByte("0123456789abcdef", c)
}
