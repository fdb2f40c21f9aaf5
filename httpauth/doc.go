// Package httpauth is middleware for net/http. It verifies the Paragon User Token of a request, and
// answers in place of a handler where the permissions claim of the token denies what is asked.
//
//   - [Middleware.Require] is for a route whose request says all that the question needs.
//   - [Guard] is for a route that works on an object: it loads the object, asks about it with every
//     identifier that it has, and hands it to the handler. A request alone rarely has every
//     identifier, and an unknown one can turn a yes into a no (SPEC 4.7). So prefer Guard.
//   - [Middleware.Wrap] only verifies the token. The handler asks [Policy], and hands an error to
//     [WriteError].
//   - [Policy], [Claims] and [FromContext] give a handler what the middleware has verified.
//   - [NewContext] and [BearerToken] are for other transports.
//
// A service makes one [Middleware]:
//
//	auth := httpauth.New(verifier, httpauth.WithLogger(slog.Default()))
//	mux.Handle("DELETE /credentials/{id}", httpauth.Guard(auth, permissions.CredentialWrite, load, disconnect))
//	mux.Handle("POST /events", auth.Require(permissions.Events, httpauth.Sources{}.Target)(sendEvent)) // of the user
//
// The function load finds the row of the credential among those of the user ([Claims]), and gives its target both
// identifiers:
//
//	return permissions.Integration(row.Integration).Credential(permissions.ID(row.ID),
//		permissions.ExternalIDPtr(row.ExternalID)), row, nil
//
// # Answers
//
// The token is checked first, then the target, then the question.
//
//	what happened                                             answer
//	there is no Authorization header, it is empty, or it      401
//	has another scheme than Bearer
//	there are several Authorization headers, or the scheme    400 invalid_request
//	is Bearer and what follows is not one token
//	the token is refused, or revoked (WithCheck)              401 invalid_token
//	the keys cannot be looked up, or a check fails            503, Retry-After
//	the request does not name a valid target                  400
//	the policy denies                                         403 insufficient_scope
//	what is asked about does not exist, or may not be seen    404
//	any other error                                           500
//
// Every 401, and every answer with a code of RFC 6750, has a WWW-Authenticate header. The body is a
// problem of RFC 9457. It has the status and the code, and says nothing of the policy or of why a
// token failed. [WithLogger] and [WithErrorHandler] get that.
//
// # Whose request it is
//
// Claims belong to a token, and not to a context. A middleware that finds claims in the context of a
// request uses them only if it made them itself, for the very token that the request has now, and
// if they still hold. Otherwise it verifies the token of the request. So each part of a batch that goes
// through the middleware again is answered by its own token, even if all parts have the context of the batch.
//
// # CORS
//
// A CORS preflight request has no token. Answer it before this middleware sees it.
package httpauth
