package httpauth

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// The codes of RFC 6750, section 3.1.
const (
	CodeInvalidRequest    = "invalid_request"
	CodeInvalidToken      = "invalid_token"
	CodeInsufficientScope = "insufficient_scope"
)

// ErrRevoked is what a check returns for a token that is revoked. It is answered with 401 and
// [CodeInvalidToken]. See [WithCheck].
var ErrRevoked = errors.New("token revoked")

// An Error says why a request is refused, and with which response. It is an [http.Handler] too: see
// [Error.ServeHTTP].
type Error struct {
	// Status is the status of the response. A status that is not from 400 to 599 counts as 500.
	Status int

	// Code is the code of RFC 6750 for the status, or empty if there is none. It goes into
	// WWW-Authenticate and into the body.
	Code string

	// Err is what happened, for logs. It never contains a token, unless a function of the service put
	// one there. It may be nil.
	Err error
}

// Error returns all of e, in one line if the text of e.Err is one. A nil Error, which a function can
// return by mistake, has a text too.
func (e *Error) Error() string {
	if e == nil {
		return "httpauth: a nil *Error"
	}
	text := "httpauth: " + strconv.Itoa(e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns e.Err, and nil for a nil Error.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.Err
}

// answers are the answers to errors, and the codes that a log has for them. The first error that matches
// counts. It is not modified.
var answers = [...]struct {
	err    error
	status int
	code   string
	reason string
}{
	{ErrNotFound, http.StatusNotFound, "", "not_found"},
	{ErrNoToken, http.StatusUnauthorized, "", "no_token"},
	{ErrAuthorization, http.StatusBadRequest, CodeInvalidRequest, "bad_authorization"},
	{ErrRevoked, http.StatusUnauthorized, CodeInvalidToken, "token_revoked"},
	{usertoken.ErrKeys, http.StatusServiceUnavailable, "", "keys_unavailable"},
	{usertoken.ErrToken, http.StatusUnauthorized, CodeInvalidToken, "token_refused"},
	{permissions.ErrQuestion, http.StatusBadRequest, "", permissions.ReasonInvalidQuestion.String()}, // matches ErrDenied too
	{permissions.ErrDenied, http.StatusForbidden, CodeInsufficientScope, "denied"},
}

// errorOf returns the answer to an error.
func errorOf(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		switch {
		case own == nil:
			return &Error{Status: http.StatusInternalServerError} // a nil *Error has no cause to report
		case own.status() != own.Status:
			return &Error{Status: http.StatusInternalServerError, Err: own.Err}
		}
		return own
	}
	for _, a := range answers {
		if errors.Is(err, a.err) {
			e := &Error{Status: a.status, Code: a.code, Err: err}
			var question *permissions.QuestionError
			if a.err == permissions.ErrQuestion && errors.As(err, &question) && question != nil && question.Field == "action" {
				e.Status, e.Code = http.StatusForbidden, CodeInsufficientScope
			}
			return e
		}
	}
	return &Error{Status: http.StatusInternalServerError, Err: err}
}

// WriteError refuses a request with the response for an error, as [Middleware.Require] does:
//
//	if err := httpauth.Policy(r.Context()).Check(permissions.CredentialWrite, target); err != nil {
//		httpauth.WriteError(w, r, err)
//		return
//	}
//
// The middleware that verified the token of the request logs it ([WithLogger]), and its error handler
// writes the response ([WithErrorHandler]). The status is that of the first match:
//
//   - an [*Error]: its own
//   - [ErrNotFound]: 404
//   - [ErrNoToken]: 401
//   - [ErrAuthorization]: 400
//   - [ErrRevoked]: 401
//   - [usertoken.ErrKeys]: 503
//   - [usertoken.ErrToken]: 401
//   - [permissions.ErrQuestion]: 403 if it is for an action that the policy does not know, because the
//     service chose that, and otherwise 400
//   - [permissions.ErrDenied]: 403
//   - any other error, nil among them: 500
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	m := identityOf(r.Context()).middleware
	if m == nil {
		m = new(Middleware)
	}
	m.answer(w, r, err)
}

// answer logs an error and answers with it.
func (m *Middleware) answer(w http.ResponseWriter, r *http.Request, err error) {
	e := errorOf(err)
	m.log(r, e, "request refused")
	e.setHeader(w.Header())
	if m.onError == nil {
		e.ServeHTTP(w, r)
		return
	}
	refusal := &refusalWriter{ResponseWriter: w, status: e.status()}
	m.onError(refusal, r, e)
	refusal.begin()
}

// A refusalWriter gives a response the status of an error, unless the error handler writes another one.
type refusalWriter struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (w *refusalWriter) begin() {
	if !w.begun {
		w.WriteHeader(w.status)
	}
}

func (w *refusalWriter) WriteHeader(status int) {
	w.begun = w.begun || status >= 200
	w.ResponseWriter.WriteHeader(status)
}

func (w *refusalWriter) Write(b []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(b)
}

// FlushError and Unwrap are for [http.ResponseController].
func (w *refusalWriter) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

func (w *refusalWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// retryAfter is how many seconds a caller waits before it tries again after a 503.
const retryAfter = "5"

// setHeader prepares the header of a refusal. It deletes what is about a body that is not sent, and sets
// Cache-Control to no-store. It sets WWW-Authenticate for a 401 (RFC 9110, section 15.5.2) and for every
// code of RFC 6750. It sets Retry-After for a 503 that has none.
func (e *Error) setHeader(header http.Header) {
	for _, name := range []string{"Content-Encoding", "Content-Length", "ETag", "Last-Modified"} {
		header.Del(name)
	}
	header.Set("Cache-Control", "no-store")
	switch {
	case e.Code != "":
		header.Set("WWW-Authenticate", `Bearer error="`+e.Code+`"`)
	case e.status() == http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	}
	if e.status() == http.StatusServiceUnavailable && header.Get("Retry-After") == "" {
		header.Set("Retry-After", retryAfter)
	}
}

// ServeHTTP writes the default response: a problem of RFC 9457 with the status and the code, and nothing of e.Err.
// It sets WWW-Authenticate for a 401 and for a code, Retry-After for a 503, and Cache-Control: no-store. An error
// handler can call it. A nil Error is a 500.
func (e *Error) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if e == nil {
		e = new(Error)
	}
	status := e.status()
	body, _ := json.Marshal(struct { // strings and a number never fail
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Error  string `json:"error,omitempty"`
	}{"about:blank", cmp.Or(http.StatusText(status), strconv.Itoa(status)), status, e.Code})
	e.setHeader(w.Header())
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// status returns e.Status if that is the status of an error, and otherwise 500.
func (e *Error) status() int {
	if e.Status < 400 || e.Status > 599 {
		return http.StatusInternalServerError
	}
	return e.Status
}
