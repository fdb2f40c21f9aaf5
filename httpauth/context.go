package httpauth

import (
	"context"
	"slices"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// An identity is what a request's context says about the caller. It is not modified.
type identity struct {
	middleware *Middleware       // the last one that the request came to; it answers errors; nil if none
	token      string            // the token that the middleware has verified; "" if none
	claims     *usertoken.Claims // nil if there are none

	granted  *permissions.Policy   // the policy of the token, without ceilings and observers
	ceilings []*permissions.Policy // those of the middleware for this request, unless it is report-only
	outer    []*permissions.Policy // those of the middlewares around it
	refused  *usertoken.Claims     // for the log: the claims of a verified token that a check or a ceiling refused
}

// around returns the ceilings of the middlewares around m, where id is what m finds in the context of a request.
func (id *identity) around(m *Middleware) []*permissions.Policy {
	if id.middleware == m {
		return id.outer
	}
	return slices.Concat(id.outer, id.ceilings)
}

// isFor reports whether id has the claims of a token that m verified, and the claims still hold.
func (id *identity) isFor(m *Middleware, token string) bool {
	return id.middleware == m && id.claims != nil && id.token == token && id.claims.Valid() == nil
}

type identityKey struct{}

func withIdentity(ctx context.Context, id *identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// identityOf returns the identity in a context. It is never nil.
func identityOf(ctx context.Context) *identity {
	if id, ok := ctx.Value(identityKey{}).(*identity); ok {
		return id
	}
	return new(identity)
}

// NewContext returns a context with claims, for [FromContext], [Claims] and [Policy]. It is for
// transports other than net/http, whose own code has verified the token. The claims replace those
// that ctx has. With nil there are none. [Policy] returns the policy of these claims as it is: the ceilings
// and the observers of a [Middleware] that ctx came through do not apply to it. If they should, use
// [permissions.Intersect] and [permissions.Policy.Observe] before the call.
//
// A [Middleware] inside does not trust such claims. It verifies the token of its request, and applies the ceilings of
// the Middlewares around it, which the context keeps. [WriteError] still answers as the last Middleware does.
func NewContext(ctx context.Context, claims *usertoken.Claims) context.Context {
	id := identityOf(ctx)
	return withIdentity(ctx, &identity{
		middleware: id.middleware, claims: claims, ceilings: id.ceilings, outer: id.outer,
	})
}

// FromContext returns the claims in a context, and whether there are any. Without any, the claims are
// the zero Claims: never nil, without a subject, and without a policy, so that they deny everything.
//
// All who have the context share the claims, so do not change them. Code that keeps them longer than a
// request lasts, such as a stream, asks [usertoken.Claims.Valid] whether they still hold.
func FromContext(ctx context.Context) (claims *usertoken.Claims, ok bool) {
	if claims := identityOf(ctx).claims; claims != nil {
		return claims, true
	}
	return new(usertoken.Claims), false
}

// Claims is [FromContext] for a handler that a [Middleware] protects, where there are claims unless the Middleware is
// [ReportOnly]. Their policy is what [Policy] returns, with the ceilings. Without claims it returns the zero Claims,
// which deny everything and have no subject. It never returns nil.
func Claims(ctx context.Context) *usertoken.Claims {
	claims, _ := FromContext(ctx)
	return claims
}

// Policy returns the policy of the claims in a context. If a [Middleware] put the claims there, the policy has
// the ceilings and the observers of the Middleware. Without claims, Policy returns a policy that denies
// everything. It never returns nil.
//
// To restrict one question further, intersect the policy with another one. The observers stay:
//
//	policy, err := permissions.Intersect(httpauth.Policy(ctx), readOnly)
func Policy(ctx context.Context) *permissions.Policy {
	if policy := Claims(ctx).Policy; policy != nil {
		return policy
	}
	return new(permissions.Policy)
}
