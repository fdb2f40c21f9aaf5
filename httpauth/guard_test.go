package httpauth_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
)

// A row is what the guarded handlers work on.
type row struct{ id, externalID string }

func (r *row) target() permissions.Target {
	return slack.Credential(permissions.ID(r.id), permissions.ExternalIDOrNone(r.externalID, r.externalID != ""))
}

// The rows that exist. The last one cannot be a target.
var rows = map[string]*row{
	annsID:   {annsID, "sales"},
	bensID:   {bensID, "finance"},
	configID: {configID, " broken"},
}

// load loads the row that the path names.
func load(r *http.Request) (permissions.Target, *row, error) {
	switch found, ok := rows[r.PathValue("id")]; {
	case r.PathValue("id") == "broken":
		return permissions.Target{}, nil, errDatabase
	case !ok:
		return permissions.Target{}, nil, fmt.Errorf("%w: %s", httpauth.ErrNotFound, r.PathValue("id"))
	default:
		return found.target(), found, nil
	}
}

// hidden hides the row of the finance team.
var hidden = permissions.MustParse(`{"integration:slack": {
	"credential:*": ["proxy-api"],
	"credential:ext:finance": false
}}`)

// get returns a request for a row.
func get(t testing.TB, policy *permissions.Policy, id string) *http.Request {
	r := request(t, "ann", policy)
	r.SetPathValue("id", id)
	return r
}

func TestGuard(t *testing.T) {
	policy := permissions.MustParse(`{"integration:slack": {
		"credential:*": ["proxy-api"],
		"credential:ext:finance": ["settings:read"]
	}}`)
	for _, c := range []struct {
		name   string
		policy *permissions.Policy
		action permissions.Permission
		id     string
		status int
		reason string // in the log
	}{
		{"allowed", policy, permissions.ProxyAPI, annsID, 204, ""},
		{"denied, but visible", policy, permissions.ProxyAPI, bensID, 403, "not_granted"},
		{"not visible", hidden, permissions.ProxyAPI, bensID, 404, "not_granted"},
		{"does not exist", hidden, permissions.ProxyAPI, "another", 404, "not_found"},
		{"exists, and nothing is allowed", nothing, permissions.ProxyAPI, annsID, 404, "no_rule"},
		{"does not exist, and nothing is allowed", nothing, permissions.ProxyAPI, "another", 404, "not_found"},
		{"cannot be a target", everything, permissions.ProxyAPI, configID, 404, "not_found"},
		{"error of load", everything, permissions.ProxyAPI, "broken", 500, "error"},
		{"unknown action", everything, "proxy_api", annsID, 403, "invalid_question"},
		{"unknown action on what is not visible", nothing, "proxy_api", annsID, 404, "not_found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log logBook
			var used *row
			h := httpauth.Guard(newAuth(log.option()), c.action, load,
				func(w http.ResponseWriter, r *http.Request, object *row) {
					require.Equal(t, "ann", httpauth.Claims(r.Context()).Subject)
					used = object
					w.WriteHeader(204)
				})
			resp := serve(h, get(t, c.policy, c.id))
			if c.status == 204 {
				require.Equal(t, 204, resp.StatusCode)
				require.Same(t, rows[annsID], used)
				require.Empty(t, log.lines(t))
				return
			}
			code := ""
			if c.status == 403 {
				code = insufficientScope
			}
			requireProblem(t, resp, c.status, code)
			require.Nil(t, used)
			require.Equal(t, c.reason, log.only(t)["reason"])
			requireProblem(t, serve(h, httptest.NewRequest("GET", "/", nil)), 401, "")
		})
	}
}

// What does not exist, and what may not be seen, is answered alike to the last byte.
func TestGuardAnswersAlike(t *testing.T) {
	h := httpauth.Guard(newAuth(), permissions.ProxyAPI, load, func(http.ResponseWriter, *http.Request, *row) {
		t.Error("the request was let through")
	})
	type answer struct {
		status int
		header http.Header
		body   string
	}
	var answers []answer
	for _, id := range []string{bensID, "another", configID} {
		resp := serve(h, get(t, hidden, id))
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		answers = append(answers, answer{resp.StatusCode, resp.Header, string(body)})
	}
	require.Equal(t, 404, answers[0].status)
	require.Equal(t, answers[0], answers[1])
	require.Equal(t, answers[0], answers[2])
}

// Only the log says that the object exists.
func TestGuardLogsWhyAnObjectIsNotFound(t *testing.T) {
	var log logBook
	h := httpauth.Guard(newAuth(log.option()), permissions.ProxyAPI, load,
		func(http.ResponseWriter, *http.Request, *row) { t.Error("the request was let through") })
	requireProblem(t, serve(h, get(t, hidden, bensID)), 404, "")
	line := log.only(t)
	require.Contains(t, line["error"], "not found: the caller may not see it: permissions: \"proxy-api\" on ")
	require.Equal(t, "not_granted", line["reason"])

	log.Reset()
	requireProblem(t, serve(h, get(t, everything, configID)), 404, "")
	require.Contains(t, log.only(t)["error"], "not found: permissions: invalid question: ")
}

// A handler that asks about another object answers as Guard does.
func TestCheck(t *testing.T) {
	auth := newAuth()
	for _, c := range []struct {
		name   string
		policy *permissions.Policy
		id     string
		status int
	}{
		{"allowed", everything, annsID, 204},
		{"denied, but visible", permissions.MustParse(`{"integration:*":["events"]}`), bensID, 403},
		{"not visible", hidden, bensID, 404},
		{"cannot be a target", everything, configID, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := auth.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := httpauth.Check(r.Context(), permissions.ProxyAPI, rows[c.id].target()); err != nil {
					httpauth.WriteError(w, r, err)
					return
				}
				w.WriteHeader(204)
			}))
			require.Equal(t, c.status, serve(h, request(t, "ann", c.policy)).StatusCode)
		})
	}
	t.Run("without claims", func(t *testing.T) {
		err := httpauth.Check(t.Context(), permissions.ProxyAPI, rows[annsID].target())
		require.ErrorIs(t, err, httpauth.ErrNotFound)
		require.ErrorIs(t, err, permissions.ErrDenied)
	})
}

// A handler that asks for itself gets the same with ErrNotFound.
func TestErrNotFoundInAHandler(t *testing.T) {
	auth := newAuth()
	h := auth.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !httpauth.Policy(r.Context()).Visible(rows[bensID].target()) {
			httpauth.WriteError(w, r, httpauth.ErrNotFound)
		}
	}))
	requireProblem(t, serve(h, request(t, "ann", nothing)), 404, "")
}

func TestGuardLoadsOnce(t *testing.T) {
	loads := 0
	h := httpauth.Guard(newAuth(), permissions.ProxyAPI,
		func(r *http.Request) (permissions.Target, *row, error) {
			loads++
			require.Equal(t, "ann", httpauth.Claims(r.Context()).Subject)
			return load(r)
		},
		func(w http.ResponseWriter, _ *http.Request, _ *row) { w.WriteHeader(204) })
	require.Equal(t, 204, serve(h, get(t, everything, annsID)).StatusCode)
	require.Equal(t, 1, loads)
}

func TestGuardWithoutFunctionsLetsNobodyPass(t *testing.T) {
	next := func(http.ResponseWriter, *http.Request, *row) { t.Error("the request was let through") }
	for name, h := range map[string]http.Handler{
		"no load":              httpauth.Guard(newAuth(), permissions.ProxyAPI, nil, next),
		"no next":              httpauth.Guard[*row](newAuth(), permissions.ProxyAPI, load, nil),
		"no next, report only": httpauth.Guard[*row](newAuth(reportOnly...), permissions.ProxyAPI, load, nil),
		"no load, report only": httpauth.Guard(newAuth(reportOnly...), permissions.ProxyAPI, nil, next),
	} {
		t.Run(name, func(t *testing.T) {
			requireProblem(t, serve(h, get(t, everything, annsID)), 403, insufficientScope)
		})
	}
}

// A load that makes its target with Sources answers a bad request with 400, and the observer sees it.
func TestGuardOfABadRequest(t *testing.T) {
	var seen []permissions.Observation
	auth := newAuth(httpauth.WithObserver(func(_ context.Context, o permissions.Observation) {
		seen = append(seen, o)
	}))
	h := httpauth.Guard(auth, permissions.ProxyAPI,
		func(r *http.Request) (permissions.Target, *row, error) {
			target, err := httpauth.Sources{
				Integration: httpauth.Literal("slack"), Credential: httpauth.Header(httpauth.CredentialHeader),
			}.Target(r)
			return target, nil, err
		},
		func(http.ResponseWriter, *http.Request, *row) { t.Error("the request was let through") })
	r := request(t, "ann", everything)
	r.Header.Set(httpauth.CredentialHeader, annsID+","+bensID)
	requireProblem(t, serve(h, r), 400, "")
	require.Len(t, seen, 1)
	require.Equal(t, permissions.ReasonInvalidQuestion, seen[0].Decision.Reason)
}
