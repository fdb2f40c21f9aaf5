// Package permissions answers whether a Paragon User Token may do something: it verifies the
// token, reads its claim urn:useparagon:connect:permissions, and decides.
//
//   - A service that gets tokens makes one [Verifier] with [NewVerifier], and for each
//     request takes the [Claims] that [Verifier.Verify] returns. Package httpauth does that
//     for net/http.
//   - Before it touches anything it asks [Policy.Check], or [Policy.Allowed], with the
//     [Permission] that is needed and the [Target] that it is needed for.
//   - A page that lists things asks [Filter] and [FilterVisible], or has the database ask with
//     [Policy.SelectCredentials] and its like.
//   - Whoever wonders about a decision asks [Policy.Explain].
//   - A service that issues tokens writes policies with a [Builder] or as JSON for [Parse],
//     and signs them with a [Signer]. Package analyze tells what a policy is worth.
//   - A token verified by other means has its claim read by [Parse] or [FromValue], and one
//     parsed with golang-jwt itself is decoded into [Claims].
//
// Package permissionstest is for the tests of those who do.
//
// # Meaning
//
// What a claim means is laid down in the file SPEC.md of this module, rule by rule, and the
// documentation here refers to its numbers. In short: a claim maps scopes to grants, and of
// the scopes that cover a target the most specific decides alone. A token without the claim
// allows everything, and a claim allows only what it says.
//
// # Failing closed
//
// A nil or zero [Policy] denies everything. So does an invalid question, such as one about a
// credential of no integration, and a question whose answer depends on something that
// nobody has looked up: see [Target]. A claim with any mistake in it is refused whole.
//
// # Concurrency
//
// A [Policy], a [Verifier] and a [Signer] do not change once made, and any number of
// goroutines can share one. The values that they return, such as [Rule] and [Decision], do
// not change either.
//
// # Errors
//
// Errors match [ErrClaim], [ErrToken], [ErrTarget] or [ErrDenied] with [errors.Is], and finer
// ones below these. They name the place and the remedy, and contain no token and no key.
// They are for logs: a caller who was denied should learn no more than that.
//
// # Compatibility
//
// What one version allows or denies, every later one with the same major number does too,
// but for corrections of what contradicts SPEC.md. Texts may change. CHANGELOG.md has the
// details.
package permissions
