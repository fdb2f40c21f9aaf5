package httpauth

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/connectperms/permissions"
)

// The codes of RFC 6750, section 3.1.
const (
	CodeInvalidRequest    = "invalid_request"
	CodeInvalidToken      = "invalid_token"
	CodeInsufficientScope = "insufficient_scope"
)

// An Error is why a request goes no further, and how it is answered. It is a handler that
// answers every request with itself: see [Error.ServeHTTP].
type Error struct {
	// Status is the status of the response. What is none from 400 to 599 counts as 500.
	Status int

	// Code is the code of RFC 6750 for the status, if it has one. It goes into
	// WWW-Authenticate and into the body.
	Code string

	// Err is what happened: [ErrNoToken], [ErrAuthorization], an error of
	// [permissions.Verifier.Verify] or [permissions.Policy.Check], or of a [TargetFunc]. It
	// is for logs. It never contains a token.
	Err error
}

// Error returns all of e in one line.
func (e *Error) Error() string {
	text := "httpauth: " + strconv.Itoa(e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// WriteError answers a request that must go no further, the way [Middleware.Require] does,
// with the error that says why: one of [permissions.Policy.Check], usually. The error handler
// of the middleware that verified the request writes the response, if it has one.
//
//	if err := httpauth.Policy(r.Context()).Check(permissions.CredentialWrite, target); err != nil {
//		httpauth.WriteError(w, r, err)
//		return
//	}
//
// An error that matches [permissions.ErrDenied] is 403, [permissions.ErrTarget] 400 (403 for
// an empty action, which is not the caller's mistake), [permissions.ErrToken] 401, an [*Error]
// what it says, and any other, nil among them, 500.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	var m *Middleware
	if v := verifiedOf(r.Context()); v != nil {
		m = v.by
	}
	m.write(w, r, err)
}

// write answers with an error.
func (m *Middleware) write(w http.ResponseWriter, r *http.Request, err error) {
	e := errorOf(err)
	e.setChallenge(w.Header())
	if m != nil && m.onError != nil {
		m.onError(w, r, e)
		return
	}
	e.ServeHTTP(w, r)
}

// errorOf returns the answer to an error.
func errorOf(err error) *Error {
	var e *Error
	var target *permissions.TargetError
	switch {
	case errors.As(err, &e) && e == nil:
		return &Error{Status: http.StatusInternalServerError} // without err, which has no text
	case e != nil && e.status() != e.Status:
		return &Error{Status: http.StatusInternalServerError, Err: e.Err}
	case e != nil:
		return e
	case errors.Is(err, ErrNoToken):
		return &Error{Status: http.StatusUnauthorized, Err: err}
	case errors.Is(err, ErrAuthorization):
		return &Error{Status: http.StatusBadRequest, Code: CodeInvalidRequest, Err: err}
	case errors.Is(err, permissions.ErrToken):
		return &Error{Status: http.StatusUnauthorized, Code: CodeInvalidToken, Err: err}
	case errors.Is(err, permissions.ErrDenied), errors.As(err, &target) && target.Field == "action":
		return &Error{Status: http.StatusForbidden, Code: CodeInsufficientScope, Err: err}
	case errors.Is(err, permissions.ErrTarget):
		return &Error{Status: http.StatusBadRequest, Err: err}
	}
	return &Error{Status: http.StatusInternalServerError, Err: err}
}

// setChallenge sets WWW-Authenticate: for every 401 (RFC 9110, section 15.5.2), and for what
// else has a code of RFC 6750.
func (e *Error) setChallenge(header http.Header) {
	switch {
	case e.Code != "":
		header.Set("WWW-Authenticate", `Bearer error="`+e.Code+`"`)
	case e.Status == http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	}
}

// ServeHTTP writes the response to a request that e stops, as it is without an error handler:
// a problem of RFC 9457 that tells the status and the code, and nothing of e.Err. An error
// handler that only logs goes on with it.
func (e *Error) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	status := e.status()
	body, _ := json.Marshal(struct { // of strings and a number: it cannot fail
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Error  string `json:"error,omitempty"`
	}{"about:blank", cmp.Or(http.StatusText(status), strconv.Itoa(status)), status, e.Code})
	e.setChallenge(w.Header())
	w.Header().Del("Content-Length") // it would be of the body that the handler had in mind
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// status returns e.Status if it is one of an error.
func (e *Error) status() int {
	if e.Status < 400 || e.Status > 599 {
		return http.StatusInternalServerError
	}
	return e.Status
}
