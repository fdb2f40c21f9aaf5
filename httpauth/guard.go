package httpauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/connectperms/permissions"
)

// ErrNotFound says that what a request is about does not exist, or may not be seen. It is answered with
// 404. Let the load function of [Guard] return it.
var ErrNotFound = errors.New("not found")

// Guard returns a handler for requests that work on an object, such as a row of a database. It verifies
// the token as [Middleware.Wrap] does. Then load finds the object that the request names, and returns it
// with its target. If the policy allows the action on that target, next gets the object that load
// returned. So nothing is loaded twice, and the object is what was checked.
//
// Whatever else the request names was not checked. The handler takes the integration from the object and not from
// the URL, and it asks [Check] about every other object that it works on.
//
// Load gives the target every identifier that the object has, and marks each that it does not have as absent. It can
// use [FromContext], such as to find only what belongs to the subject.
//
//	httpauth.Guard(auth, permissions.CredentialWrite,
//		func(r *http.Request) (permissions.Target, credential, error) {
//			row, err := store.credential(r.Context(), httpauth.Claims(r.Context()).Subject, r.PathValue("id"))
//			if errors.Is(err, sql.ErrNoRows) {
//				err = httpauth.ErrNotFound
//			}
//			if err != nil {
//				return permissions.Target{}, row, err
//			}
//			return permissions.Integration(row.Integration).Credential(permissions.ID(row.ID),
//				permissions.ExternalIDOrNone(row.ExternalID.String, row.ExternalID.Valid)), row, nil
//		}, disconnect)
//
// A denial is answered with 403 if the caller may see the object ([permissions.Policy.Visible]), and
// with 404 otherwise. If load returns [ErrNotFound], the answer is 404 too. Both kinds of 404 have the
// same headers and body, so a caller cannot learn that an object exists that the caller may not see.
// Only the log tells them apart.
//
// An invalid target cannot be seen, so the answer is 404. Any other error of load is answered as
// [WriteError] does. An action that the policy does not know is always denied, with 403 or 404 as
// above. So is every request if load or next is nil, with 403.
//
// A report-only middleware lets a denied request pass. But it answers an error of load, because next needs an
// object. It also answers if load or next is nil.
func Guard[T any](
	m *Middleware,
	action permissions.Permission,
	load func(*http.Request) (permissions.Target, T, error),
	next func(http.ResponseWriter, *http.Request, T),
) http.Handler {
	return m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if load == nil || next == nil {
			m.answer(w, r, misused("Guard", "load or next"))
			return
		}
		target, object, err := load(r)
		if err != nil {
			observeInvalid(r, action, target, err)
			m.answer(w, r, err)
			return
		}
		if m.mustAsk(r) && m.answerError(w, r, Check(r.Context(), action, target)) {
			return
		}
		next(w, r, object)
	}))
}

// Check asks the policy of a context ([Policy]) as [Guard] does, for a handler that works on another object
// too. It returns nil for a yes. It returns an error that matches [ErrNotFound] if the caller may not see the
// target, and otherwise that of [permissions.Policy.Check]. [WriteError] answers with it:
//
//	if err := httpauth.Check(r.Context(), permissions.ConfigWrite, other.target()); err != nil {
//		httpauth.WriteError(w, r, err)
//		return
//	}
//
// Ask before anything is changed.
func Check(ctx context.Context, action permissions.Permission, target permissions.Target) error {
	policy := Policy(ctx)
	err := policy.Check(action, target)
	switch {
	case err == nil || policy.Visible(target):
		return err
	case target.Err() != nil:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return fmt.Errorf("%w: the caller may not see it: %w", ErrNotFound, err)
}
