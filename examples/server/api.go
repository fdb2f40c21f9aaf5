package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
)

// An api is the handlers. Each asks the policy before it touches a row.
//
// Who may see nothing of a credential is told that there is none: the answer is the same 404
// for a row that is hidden and for one that does not exist. Who may see it, but not do what
// was asked, gets a 403. Rows of another owner do not exist at all.
type api struct {
	store *store
	send  func(ctx context.Context, c credential, r *http.Request) (any, error) // to the Proxy API
}

// newAPI returns the handler of all routes.
func newAPI(verifier *permissions.Verifier, s *store, log *slog.Logger) http.Handler {
	a := &api{store: s, send: pretend}
	auth := httpauth.New(verifier,
		httpauth.WithErrorHandler(func(w http.ResponseWriter, r *http.Request, e *httpauth.Error) {
			log.WarnContext(r.Context(), "refused", "method", r.Method, "path", r.URL.Path, "status", e.Status, "err", e.Err)
			e.ServeHTTP(w, r)
		}),
		httpauth.WithObserver(func(ctx context.Context, action permissions.Permission, target permissions.Target, d permissions.Decision) {
			log.InfoContext(ctx, "asked", "subject", httpauth.Claims(ctx).Subject, "action", action, "target", target, "decision", d)
		}))
	mux := http.NewServeMux()
	mux.Handle("GET /integrations/{integration}/credentials", handler(a.list))
	mux.Handle("POST /integrations/{integration}/credentials", handler(a.connect))
	mux.Handle("GET /integrations/{integration}/credentials/{credential}", handler(a.get))
	mux.Handle("DELETE /integrations/{integration}/credentials/{credential}", handler(a.disconnect))
	mux.Handle("POST /integrations/{integration}/proxy/{path...}", handler(a.proxy))
	return auth.Wrap(mux)
}

// A handler returns an error where the request goes no further.
type handler func(http.ResponseWriter, *http.Request) error

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	err := h(w, r)
	if errors.Is(err, errNotFound) {
		err = &httpauth.Error{Status: http.StatusNotFound, Err: err}
	}
	if err != nil {
		httpauth.WriteError(w, r, err)
	}
}

// list answers with the credentials on which an action is allowed: proxy-api, or what the
// query says, as in ?can=credential:write.
func (a *api) list(w http.ResponseWriter, r *http.Request) error {
	action := permissions.ProxyAPI
	if r.URL.RawQuery != "" {
		can, err := httpauth.Query("can")(r)
		if err != nil {
			return err
		}
		action = permissions.Permission(can)
	}
	target, err := httpauth.Sources{Integration: httpauth.Path("integration")}.Target(r)
	if err == nil {
		err = target.Validate()
	}
	if err != nil {
		return err
	}
	// The selection asks about all rows at once.
	selection := httpauth.Policy(r.Context()).SelectCredentials(action, target.Integration)
	list, err := a.store.list(r.Context(), owner(r), target.Integration, selection)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, list)
}

// get answers with a credential that is visible.
func (a *api) get(w http.ResponseWriter, r *http.Request) error {
	target, err := a.find(r, httpauth.Path("credential"))
	if err != nil {
		return err
	}
	c, err := a.store.read(r.Context(), owner(r), target)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, c)
}

// connect creates a credential. Its ID is yet to be made, so there is none to ask about. The
// external ID is known: the caller gives it, or there is none.
func (a *api) connect(w http.ResponseWriter, r *http.Request) error {
	target, err := httpauth.Sources{Integration: httpauth.Path("integration")}.Target(r)
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
	target.CredentialID, target.CredentialExternalID = permissions.None, permissions.None
	if body.ExternalID != nil {
		// What the caller says must not be taken for None, or for nothing said.
		if target.CredentialExternalID = *body.ExternalID; target.CredentialExternalID == permissions.None || target.CredentialExternalID == "" {
			return &httpauth.Error{Status: http.StatusBadRequest}
		}
	}
	if err := httpauth.Policy(r.Context()).Check(permissions.CredentialWrite, target); err != nil {
		return err
	}
	c, err := a.store.insert(r.Context(), owner(r), target, body.Account)
	if err != nil {
		return err
	}
	return reply(w, http.StatusCreated, c)
}

// disconnect deletes a credential.
func (a *api) disconnect(w http.ResponseWriter, r *http.Request) error {
	target, err := a.find(r, httpauth.Path("credential"))
	if err == nil {
		err = httpauth.Policy(r.Context()).Check(permissions.CredentialWrite, target)
	}
	if err == nil {
		err = a.store.remove(r.Context(), owner(r), target)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// proxy sends a request to the Proxy API, with the credential that a header names.
func (a *api) proxy(w http.ResponseWriter, r *http.Request) error {
	target, err := a.find(r, httpauth.Header(httpauth.CredentialHeader))
	if err == nil {
		err = httpauth.Policy(r.Context()).Check(permissions.ProxyAPI, target)
	}
	if err != nil {
		return err
	}
	c, err := a.store.read(r.Context(), owner(r), target)
	if err != nil {
		return err
	}
	answer, err := a.send(r.Context(), c, r)
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, answer)
}

// find returns the target of a request for a credential that is there and visible.
func (a *api) find(r *http.Request, id httpauth.Source) (permissions.Target, error) {
	named, err := httpauth.Sources{Integration: httpauth.Path("integration"), CredentialID: id}.Target(r)
	if err == nil {
		err = named.Validate()
	}
	if err != nil {
		return permissions.Target{}, err
	}
	target, err := a.store.identify(r.Context(), owner(r), named.Integration, named.CredentialID)
	if err == nil && !httpauth.Policy(r.Context()).Visible(target) {
		err = fmt.Errorf("%w that is visible", errNotFound)
	}
	return target, err
}

// owner returns the Connected User, whose rows these are. No query goes without.
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
