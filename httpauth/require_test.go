package httpauth_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

var errDatabase = errors.New("the database is away")

func TestRequire(t *testing.T) {
	byID := slack.Credential(permissions.ID(annsID))
	notTeamA := permissions.MustParse(`{"integration:*": true, "credential:ext:Team A": false}`)
	unrestricted := permissions.Unrestricted()
	odd := &permissions.QuestionError{Field: "integration", Problem: "is odd"}
	own := func(status int) error { return &httpauth.Error{Status: status, Err: errDatabase} }
	for _, c := range []struct {
		name   string
		policy *permissions.Policy
		action permissions.Permission
		target httpauth.TargetFunc
		status int
		err    error              // that the error handler gets; nil if it does not matter
		reason permissions.Reason // of a denial
	}{
		{"allowed", proxySlack, permissions.ProxyAPI, fixed(slack, nil), 204, nil, 0},
		{"unrestricted", unrestricted, permissions.ProxyAPI, fixed(slack, nil), 204, nil, 0},
		{"another action", proxySlack, permissions.Events, fixed(slack, nil), 403,
			permissions.ErrDenied, permissions.ReasonNotGranted},
		{"another integration", proxySlack, permissions.ProxyAPI, fixed(permissions.Integration("github"), nil), 403,
			permissions.ErrDenied, permissions.ReasonNotGranted},
		{"no rule", proxySlack, permissions.ProxyAPI, fixed(permissions.Integration("jira"), nil), 403,
			permissions.ErrDenied, permissions.ReasonNoRule},
		{"empty claim", nothing, permissions.ProxyAPI, fixed(slack, nil), 403,
			permissions.ErrDenied, permissions.ReasonNoRule},
		{"undetermined", notTeamA, permissions.ProxyAPI, fixed(byID, nil), 403,
			permissions.ErrDenied, permissions.ReasonUndetermined},

		{"zero target", unrestricted, permissions.ProxyAPI, fixed(permissions.Target{}, nil), 400,
			permissions.ErrQuestion, 0},
		{"bad name", unrestricted, permissions.ProxyAPI, fixed(permissions.Integration("sl*ck"), nil), 400,
			permissions.ErrQuestion, 0},
		{"target error", unrestricted, permissions.ProxyAPI, fixed(slack, odd), 400, permissions.ErrQuestion, 0},
		{"action that the user has not", unrestricted, permissions.ProxyAPI, fixed(permissions.User(), nil), 400,
			permissions.ErrQuestion, 0},
		{"own status", unrestricted, permissions.ProxyAPI, fixed(slack, own(404)), 404, errDatabase, 0},
		{"no status", unrestricted, permissions.ProxyAPI, fixed(slack, own(0)), 500, errDatabase, 0},
		{"status of a success", unrestricted, permissions.ProxyAPI, fixed(slack, own(200)), 500, errDatabase, 0},
		{"status too high", unrestricted, permissions.ProxyAPI, fixed(slack, own(600)), 500, errDatabase, 0},
		{"another error", unrestricted, permissions.ProxyAPI, fixed(slack, errDatabase), 500, errDatabase, 0},
		{"empty action", unrestricted, "", fixed(slack, nil), 403, permissions.ErrQuestion, 0},
		{"misspelled action", everything, "proxy_api", fixed(slack, nil), 403, permissions.ErrQuestion, 0},
		{"no function", unrestricted, permissions.ProxyAPI, nil, 403, nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rec recorder
			r := request(t, "ann", c.policy)
			if c.status == 204 {
				var next somebody
				require.Equal(t, 204, serve(newAuth().Require(c.action, c.target)(&next), r).StatusCode)
				require.Len(t, next.requests, 1)
				require.Equal(t, "ann", httpauth.Claims(next.requests[0].Context()).Subject)
				return
			}
			code := ""
			if c.status == 403 {
				code = insufficientScope
			}
			requireProblem(t, serve(newAuth().Require(c.action, c.target)(nobody(t)), r), c.status, code)

			serve(newAuth(rec.option()).Require(c.action, c.target)(nobody(t)), r)
			require.Len(t, rec.errors, 1)
			require.Equal(t, c.status, rec.errors[0].Status)
			if c.err != nil {
				require.ErrorIs(t, rec.errors[0], c.err)
			}
			if c.err == permissions.ErrDenied {
				var denied *permissions.DeniedError
				require.ErrorAs(t, rec.errors[0], &denied)
				require.Equal(t, c.reason, denied.Decision.Reason)
			}

			// The token is judged first.
			h := newAuth().Require(c.action, c.target)(nobody(t))
			requireProblem(t, serve(h, httptest.NewRequest("GET", "/", nil)), 401, "")
		})
	}
}

// The target is made after the token was accepted, so it can depend on the claims.
func TestTargetFuncHasClaims(t *testing.T) {
	auth := newAuth()
	var subject string
	target := func(r *http.Request) (permissions.Target, error) {
		subject = httpauth.Claims(r.Context()).Subject
		return slack, nil
	}
	serve(auth.Require(permissions.ProxyAPI, target)(&somebody{}), request(t, "ann", proxySlack))
	require.Equal(t, "ann", subject)
}

func TestWriteError(t *testing.T) {
	denial := proxySlack.Check(permissions.Events, permissions.User())
	require.ErrorIs(t, denial, permissions.ErrDenied)
	_, refusal := kit.Verifier().Verify("opaque")
	_, down := downVerifier(t, errDatabase).Verify(kit.Token(t, "ann", proxySlack))
	for _, c := range []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"denied", denial, 403, insufficientScope},
		{"denied, joined", errors.Join(errors.New("asked"), denial), 403, insufficientScope},
		{"question", permissions.Integration("").Err(), 400, ""},
		{"action", proxySlack.Check("", permissions.User()), 403, insufficientScope},
		{"token", refusal, 401, invalidToken},
		{"keys", down, 503, ""},
		{"revoked", httpauth.ErrRevoked, 401, invalidToken},
		{"no token", httpauth.ErrNoToken, 401, ""},
		{"authorization", httpauth.ErrAuthorization, 400, invalidRequest},
		{"not found", httpauth.ErrNotFound, 404, ""},
		{"not found, because denied", errors.Join(denial, httpauth.ErrNotFound), 404, ""},
		{"another error", errDatabase, 500, ""},
		{"nil", nil, 500, ""},
		{"own", &httpauth.Error{Status: 404}, 404, ""},
		{"own before others", errors.Join(denial, &httpauth.Error{Status: 404}), 404, ""},
		{"own 503", &httpauth.Error{Status: 503}, 503, ""},
		{"nil own", (*httpauth.Error)(nil), 500, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "12345")
				httpauth.WriteError(w, r, c.err)
			})
			t.Run("without a middleware", func(t *testing.T) {
				requireProblem(t, serve(h, httptest.NewRequest("GET", "/", nil)), c.status, c.code)
			})
			t.Run("inside of one", func(t *testing.T) {
				resp := serve(newAuth().Wrap(h), request(t, "ann", proxySlack))
				require.Empty(t, resp.Header.Get("Content-Length"))
				requireProblem(t, resp, c.status, c.code)
			})
			t.Run("with its error handler", func(t *testing.T) {
				var rec recorder
				var log logBook
				resp := serve(newAuth(rec.option(), log.option()).Wrap(h), request(t, "ann", proxySlack))
				require.Equal(t, c.status, resp.StatusCode)
				require.Len(t, rec.errors, 1)
				require.EqualValues(t, c.status, log.only(t)["status"])
				require.Equal(t, "ann", log.only(t)["subject"])
				if own := (*httpauth.Error)(nil); c.err != nil && !errors.As(c.err, &own) {
					require.ErrorIs(t, rec.errors[0], c.err)
				}
			})
		})
	}
}

func TestUnusualStatusHasATitle(t *testing.T) {
	w := httptest.NewRecorder()
	httpauth.WriteError(w, httptest.NewRequest("GET", "/", nil), &httpauth.Error{Status: 499})
	require.Equal(t, 499, w.Code)
	require.JSONEq(t, `{"type": "about:blank", "title": "499", "status": 499}`, w.Body.String())
}

// A status that is not that of an error counts as 500, and is logged as one.
func TestStatusOfAnError(t *testing.T) {
	for status, want := range map[int]int{
		0: 500, 200: 500, 399: 500, 400: 400, 499: 499, 500: 500, 599: 599, 600: 500, -1: 500,
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			e := &httpauth.Error{Status: status}
			require.Equal(t, want, serve(e, httptest.NewRequest("GET", "/", nil)).StatusCode)

			var log logBook
			auth := newAuth(log.option())
			resp := serve(auth.Require(permissions.Events, fixed(slack, e))(nobody(t)), request(t, "ann", everything))
			require.Equal(t, want, resp.StatusCode)
			require.EqualValues(t, want, log.only(t)["status"])
			level := "WARN"
			if want >= 500 {
				level = "ERROR"
			}
			require.Equal(t, level, log.only(t)["level"])
		})
	}
}

func TestErrorIsAHandler(t *testing.T) {
	logged := 0
	count := func(w http.ResponseWriter, r *http.Request, e *httpauth.Error) {
		logged++
		e.ServeHTTP(w, r)
	}
	auth := newAuth(httpauth.WithErrorHandler(count))
	r := httptest.NewRequest("GET", "/", nil)
	requireProblem(t, serve(auth.Wrap(nobody(t)), r), 401, "")
	require.Equal(t, 1, logged)

	denied := &httpauth.Error{Status: 403, Code: insufficientScope}
	requireProblem(t, serve(denied, r), 403, insufficientScope)
	requireProblem(t, serve(&httpauth.Error{}, r), 500, "")
	requireProblem(t, serve(&httpauth.Error{Status: 503}, r), 503, "")
	requireProblem(t, serve((*httpauth.Error)(nil), r), 500, "")
}

func TestErrorText(t *testing.T) {
	require.EqualError(t, &httpauth.Error{Status: 401, Err: httpauth.ErrNoToken}, "httpauth: 401: no bearer token")
	require.EqualError(t, httpauth.ErrAuthorization,
		"malformed Authorization header: there must be one, with exactly one token after Bearer")
	require.EqualError(t, &httpauth.Error{Status: 403, Code: insufficientScope}, "httpauth: 403 insufficient_scope")
	require.ErrorIs(t, &httpauth.Error{Err: httpauth.ErrNoToken}, httpauth.ErrNoToken)
}

// A nil option changes nothing, and of two that set the same the later one counts.
func TestOptions(t *testing.T) {
	var rec recorder
	var log logBook
	auth := newAuth(rec.option(), nil, log.option(), httpauth.WithErrorHandler(nil), httpauth.WithLogger(nil),
		httpauth.WithObserver(nil), httpauth.WithVerificationObserver(nil))
	requireProblem(t, serve(auth.Wrap(nobody(t)), httptest.NewRequest("GET", "/", nil)), 401, "")
	require.Empty(t, rec.errors)
	require.Empty(t, log.lines(t))
	var next somebody
	serve(auth.Require(permissions.ProxyAPI, fixed(slack, nil))(&next), request(t, "ann", proxySlack))
	require.Len(t, next.requests, 1)
}

// Both kinds of errors of usertoken are told apart, whatever else they match.
func TestErrorsOfTheVerifier(t *testing.T) {
	_, down := downVerifier(t, errDatabase).Verify(kit.Token(t, "ann", proxySlack))
	require.ErrorIs(t, down, usertoken.ErrKeys)
	require.NotErrorIs(t, down, usertoken.ErrToken)
}

// A function that returns a nil *Error as its error has failed, in a way that nobody can read.
func TestNilErrorOfAFunctionIs500(t *testing.T) {
	target := func(*http.Request) (permissions.Target, error) { return permissions.User(), (*httpauth.Error)(nil) }
	load := func(*http.Request) (permissions.Target, int, error) {
		return permissions.User(), 0, (*httpauth.Error)(nil)
	}
	handlers := map[string]func(auth *httpauth.Middleware) http.Handler{
		"Require": func(auth *httpauth.Middleware) http.Handler {
			return auth.Require(permissions.Events, target)(nobody(t))
		},
		"Guard": func(auth *httpauth.Middleware) http.Handler {
			return httpauth.Guard(auth, permissions.Events, load, func(http.ResponseWriter, *http.Request, int) {
				t.Error("the request went on")
			})
		},
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			resp := serve(handler(newAuth()), request(t, "ann", everything))
			require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
		})
	}
}

// A 503 says when to try again, whether it has a code of RFC 6750 or not.
func TestUnavailableHasRetryAfter(t *testing.T) {
	for _, code := range []string{"", "temporarily_unavailable"} {
		t.Run("code "+strconv.Quote(code), func(t *testing.T) {
			e := &httpauth.Error{Status: http.StatusServiceUnavailable, Code: code}
			require.NotEmpty(t, serve(e, httptest.NewRequest("GET", "/", nil)).Header.Get("Retry-After"))
		})
	}
}

// A response to a refused request says nothing of the body that the handler wanted to write, and nobody stores it.
func TestRefusalReplacesTheHeadersOfTheHandler(t *testing.T) {
	h := newAuth().Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Cache-Control": "public", "Content-Encoding": "gzip", "Content-Length": "1000", "Etag": `"1"`,
			"Last-Modified": "Thu, 26 Nov 2026 00:00:00 GMT", "X-Request-Id": "7",
		} {
			w.Header().Set(name, value)
		}
		httpauth.WriteError(w, r, httpauth.ErrNotFound)
	}))
	resp := serve(h, request(t, "ann", everything))
	requireProblem(t, resp, 404, "")
	for _, name := range []string{"Content-Encoding", "Content-Length", "Etag", "Last-Modified"} {
		require.Empty(t, resp.Header.Values(name), name)
	}
	require.Equal(t, "7", resp.Header.Get("X-Request-Id"))
}

// An error handler that forgets the status must not let the caller take the answer for a yes.
func TestErrorHandlerThatWritesNoStatus(t *testing.T) {
	for _, c := range []struct {
		name  string
		write func(w http.ResponseWriter)
		want  int
		body  string
	}{
		{"nothing", func(http.ResponseWriter) {}, 401, ""},
		{"a body", func(w http.ResponseWriter) { _, _ = io.WriteString(w, "no") }, 401, "no"},
		{"a flush", func(w http.ResponseWriter) {
			require.NoError(t, http.NewResponseController(w).Flush())
			_, _ = io.WriteString(w, "no")
		}, 401, "no"},
		{"a hint before it", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "no")
		}, 401, "no"},
		{"its own status", func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusTeapot)
			_, _ = io.WriteString(w, "no")
		}, 418, "no"},
		{"a deadline of the connection", func(w http.ResponseWriter) {
			require.NoError(t, http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)))
		}, 401, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			auth := newAuth(httpauth.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, _ *httpauth.Error) {
				c.write(w)
			}))
			server := httptest.NewServer(auth.Wrap(nobody(t)))
			defer server.Close()
			resp, err := server.Client().Get(server.URL)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, c.want, resp.StatusCode)
			require.Equal(t, c.body, string(body))
		})
	}
}

// A statusBook notes each status that is written.
type statusBook struct {
	*httptest.ResponseRecorder
	statuses []int
}

func (b *statusBook) WriteHeader(status int) {
	b.statuses = append(b.statuses, status)
	b.ResponseRecorder.WriteHeader(status)
}

// The status is written once, whatever the error handler writes first.
func TestErrorHandlerWritesOneStatus(t *testing.T) {
	for _, statuses := range [][]int{{200}, {204}, {404}, {103, 200}, {100, 102, 418}} {
		t.Run(fmt.Sprint(statuses), func(t *testing.T) {
			auth := newAuth(httpauth.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, _ *httpauth.Error) {
				for _, status := range statuses {
					w.WriteHeader(status)
				}
				_, _ = io.WriteString(w, "no")
				_, _ = io.WriteString(w, ", never")
			}))
			book := &statusBook{ResponseRecorder: httptest.NewRecorder()}
			auth.Wrap(nobody(t)).ServeHTTP(book, httptest.NewRequest("GET", "/", nil))
			require.Equal(t, statuses, book.statuses)
			require.Equal(t, "no, never", book.Body.String())
		})
	}
}

// Of the errors that an error matches, the first one in the documentation counts.
func TestFirstMatchCounts(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		code   string
	}{
		{errors.Join(httpauth.ErrNoToken, httpauth.ErrNotFound), 404, ""},
		{errors.Join(httpauth.ErrAuthorization, httpauth.ErrNoToken), 401, ""},
		{errors.Join(usertoken.ErrKeys, httpauth.ErrAuthorization), 400, invalidRequest},
		{errors.Join(usertoken.ErrToken, usertoken.ErrKeys), 503, ""},
		{errors.Join(usertoken.ErrKeys, httpauth.ErrRevoked), 401, invalidToken},
		{errors.Join(permissions.ErrDenied, usertoken.ErrToken), 401, invalidToken},
	} {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { httpauth.WriteError(w, r, c.err) })
		requireProblem(t, serve(h, httptest.NewRequest("GET", "/", nil)), c.status, c.code)
	}
}

func TestNilErrorHasAText(t *testing.T) {
	require.EqualError(t, (*httpauth.Error)(nil), "httpauth: a nil *Error")
	require.NoError(t, (*httpauth.Error)(nil).Unwrap())
}

// The function sees the headers, and what it sets is sent.
func TestErrorHandlerMayChangeTheHeaders(t *testing.T) {
	auth := httpauth.New(downVerifier(t, errDatabase), httpauth.WithErrorHandler(
		func(w http.ResponseWriter, _ *http.Request, _ *httpauth.Error) {
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Equal(t, "5", w.Header().Get("Retry-After"))
			w.Header().Set("Retry-After", "60")
			w.Header().Set("Cache-Control", "private")
		}))
	resp := serve(auth.Wrap(nobody(t)), request(t, "ann", everything))
	require.Equal(t, "60", resp.Header.Get("Retry-After"))
	require.Equal(t, "private", resp.Header.Get("Cache-Control"))
}
