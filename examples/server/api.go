package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/usertoken"
)

// An api is the handlers. None touches a row before the policy has been asked about it.
//
// Whoever may see nothing of a credential gets the same 404 for a row that is hidden and for one that does
// not exist. Whoever may see it, but not do what was asked, gets a 403. Rows of another owner do not exist.
type api struct {
	store *store
	send  func(ctx context.Context, c credential, r *http.Request) (any, error) // to the Proxy API
}

// Where requests name a credential. Both are references (SPEC 3.5): an ID or an external ID.
var (
	inPath   = httpauth.Sources{Integration: httpauth.Path("integration"), Credential: httpauth.Path("credential")}
	inHeader = httpauth.Sources{Integration: httpauth.Path("integration"),
		Credential: httpauth.Header(httpauth.CredentialHeader)}
)

// newAPI returns the handler of all routes.
func newAPI(verifier *usertoken.Verifier, s *store, log *slog.Logger) http.Handler {
	a := &api{store: s, send: pretend}
	auth := httpauth.New(verifier, httpauth.WithLogger(log),
		httpauth.WithObserver(func(ctx context.Context, o permissions.Observation) {
			attrs := []any{"subject", httpauth.Claims(ctx).Subject, "asked", o.Asked.String(), "action", o.Action,
				"target", o.Target}
			if o.Asked == permissions.AskedAction {
				attrs = append(attrs, "decision", o.Decision)
			}
			log.InfoContext(ctx, "asked", attrs...)
		}))
	mux := http.NewServeMux()
	mux.Handle("GET /credentials", handler(a.listAll))
	mux.Handle("GET /integrations/{integration}/credentials", handler(a.list))
	mux.Handle("POST /integrations/{integration}/credentials", handler(a.connect))
	mux.Handle("GET /integrations/{integration}/credentials/{credential}", handler(a.get))
	mux.Handle("DELETE /integrations/{integration}/credentials/{credential}",
		httpauth.Guard(auth, permissions.CredentialWrite, a.load(inPath), a.disconnect))
	mux.Handle("POST /integrations/{integration}/proxy/{path...}",
		httpauth.Guard(auth, permissions.ProxyAPI, a.load(inHeader), a.proxy))
	return auth.Wrap(mux)
}

// A handler returns an error where the request goes no further.
type handler func(http.ResponseWriter, *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := h(w, r); err != nil {
		httpauth.WriteError(w, r, err)
	}
}

// load returns a function that finds the credential that a request names, with its target.
func (a *api) load(sources httpauth.Sources) func(*http.Request) (permissions.Target, credential, error) {
	return func(r *http.Request) (t permissions.Target, c credential, err error) {
		named, err := sources.Target(r)
		if err != nil {
			return t, c, err
		}
		if named.Unknown().Has(permissions.CredentialID | permissions.CredentialExternalID) {
			return t, c, &httpauth.Error{Status: http.StatusBadRequest,
				Err: errors.New("the request does not name a credential")}
		}
		if c, err = a.store.find(r.Context(), owner(r), named); err != nil {
			return t, c, err
		}
		return c.target(), c, nil
	}
}

// listAll answers with credentials of all integrations.
func (a *api) listAll(w http.ResponseWriter, r *http.Request) error {
	return a.listWithin(w, r, permissions.User())
}

// list answers with the credentials of an integration.
func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	within, err := httpauth.Sources{Integration: httpauth.Path("integration")}.Target(r)
	if err != nil {
		return err
	}
	return a.listWithin(w, r, within)
}

// listWithin answers with a page of what is visible. A query such as ?can=credential:write asks for the
// credentials on which that action is allowed. A query such as ?after=ID asks for the next page.
func (a *api) listWithin(w http.ResponseWriter, r *http.Request, within permissions.Target) error {
	policy := httpauth.Policy(r.Context())
	action, hasAction, err := httpauth.Query("can")(r)
	if err != nil {
		return err
	}
	selection := policy.VisibleCredentials(within)
	if hasAction {
		selection = policy.SelectCredentials(permissions.Permission(action), within)
	}
	after, hasAfter, err := httpauth.Query("after")(r)
	if err != nil {
		return err
	}
	if !hasAfter {
		after = "00000000-0000-0000-0000-000000000000"
	}
	// An ID in its usual spelling: the database compares it with others.
	begin := permissions.Integration("any").Credential(permissions.ID(after))
	if err := begin.Err(); err != nil {
		return err
	}
	after, _ = begin.Lookup(permissions.CredentialID)
	page, err := a.store.list(r.Context(), owner(r), after, selection)
	if errors.Is(err, permissions.ErrQuestion) {
		err = &httpauth.Error{Status: http.StatusBadRequest, Err: err} // the action of the query
	}
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, page)
}

// get answers with a credential that is visible.
func (a *api) get(w http.ResponseWriter, r *http.Request) error {
	target, c, err := a.load(inPath)(r)
	if err != nil {
		return err
	}
	if !httpauth.Policy(r.Context()).Visible(target) {
		return httpauth.ErrNotFound
	}
	return reply(w, http.StatusOK, c)
}

// connect creates a credential. Its ID is yet to be made, so it is absent. The external ID is known: the
// body has it, or there is none.
func (a *api) connect(w http.ResponseWriter, r *http.Request) error {
	integration, err := httpauth.Sources{Integration: httpauth.Path("integration")}.Target(r)
	if err != nil {
		return err
	}
	var body struct {
		ExternalID *string `json:"external_id"`
		Account    string  `json:"account"`
	}
	const maxBody = 4 << 10
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil || body.Account == "" {
		return &httpauth.Error{Status: http.StatusBadRequest, Err: err}
	}
	target := integration.Credential(permissions.NoID(), permissions.ExternalIDPtr(body.ExternalID))
	if err := httpauth.Policy(r.Context()).Check(permissions.CredentialWrite, target); err != nil {
		return err
	}
	name, _ := integration.Lookup(permissions.IntegrationName)
	c, err := a.store.insert(r.Context(), owner(r),
		credential{Integration: name, ExternalID: body.ExternalID, Account: body.Account})
	if errors.Is(err, errTaken) {
		err = &httpauth.Error{Status: http.StatusConflict, Err: err}
	}
	if err != nil {
		return err
	}
	return reply(w, http.StatusCreated, c)
}

// disconnect deletes a credential. Guard has asked about it.
func (a *api) disconnect(w http.ResponseWriter, r *http.Request, c credential) {
	if err := a.store.remove(r.Context(), owner(r), c); err != nil {
		httpauth.WriteError(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// proxy sends a request to the Proxy API with a credential. Guard has asked about it.
func (a *api) proxy(w http.ResponseWriter, r *http.Request, c credential) {
	answer, err := a.send(r.Context(), c, r)
	if err == nil {
		err = reply(w, http.StatusOK, answer)
	}
	if err != nil {
		httpauth.WriteError(w, r, err)
	}
}

// owner returns the Connected User, whose rows these are. Every query has it.
func owner(r *http.Request) string { return httpauth.Claims(r.Context()).Subject }

func reply(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
	return nil
}

// pretend stands where a real service would send the request on.
func pretend(_ context.Context, c credential, r *http.Request) (any, error) {
	return map[string]string{"sent": "/" + r.PathValue("path"), "as": c.Account}, nil
}
