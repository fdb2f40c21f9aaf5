// Package permissions answers one question about a Paragon User Token: may it do that, to this? It
// reads the token's claim urn:useparagon:connect:permissions and decides.
//
//   - A service that gets tokens verifies them with package usertoken, which returns the
//     [Policy] of each token. Package httpauth does that for net/http.
//   - Before it touches anything, it asks [Policy.Check] or [Policy.Allowed] with the [Permission]
//     that is needed and the [Target] that it is needed for.
//   - A page that lists things asks [Policy.Visible] and [Filter], or has the database leave out
//     what is denied with [Policy.SelectCredentials] and its like.
//   - To find out why an answer is what it is, ask [Policy.Explain].
//   - A service that issues tokens writes policies with a [Builder], or as JSON for [Parse].
//     Package usertoken signs them, and package analyze compares and reviews them.
//   - A service that verifies tokens by other means reads the claim with [Parse] or [FromValue],
//     and takes [Unrestricted] for a token without the claim.
//
// Package permissionstest helps to test code that uses this package.
//
// # Meaning
//
// The file SPEC.md of this module says what a claim means, rule by rule, and the documentation here
// cites its numbers. In short: a claim maps scopes to grants, and of the scopes that cover a target the
// most specific one decides alone. A token without the claim allows everything, and a claim allows
// only what it says.
//
// # Questions
//
// A question is an action and a target. Constructors make targets. An empty name makes a target invalid, and
// never means the user:
//
//	credential := permissions.Integration(row.Integration).
//		Credential(permissions.ID(row.ID), permissions.ExternalIDPtr(row.ExternalID))
//	if err := policy.Check(permissions.ProxyAPI, credential); err != nil {
//
// Each identifier of a credential or a configuration is known, absent or unknown. Absent says that it was
// looked up and does not exist. A policy never says yes if what is unknown could make it a no. Some actions act
// on something below the target: proxy-api asked of an integration acts on a credential, whose identifiers are
// then unknown. What an action creates has no ID, so there the ID is absent.
//
// # Failing closed
//
// A nil or zero [Policy] denies everything. So does an invalid question: one about an action that is
// not a permission, or about an invalid target. A claim with any mistake in it is refused whole.
//
// # Concurrency
//
// Any number of goroutines can share a [Policy], and all other values, such as a [Target], a [Rule] or
// a [Decision]. No method changes them, except those that unmarshal into one. Only a [Builder] is for one
// goroutine.
//
// # Errors
//
// Errors match [ErrClaim], [ErrQuestion], [ErrDenied], [ErrNarrow] or [ErrSQL] with [errors.Is],
// and finer ones below ErrClaim, unless they report a misuse of the API. An invalid question is denied,
// so what matches ErrQuestion matches ErrDenied too. Errors name the place and the remedy. They are for
// logs: a caller who was denied should learn no more than that.
//
// # Compatibility
//
// What one version allows or denies, every later version with the same major number does too, except
// for corrections of what contradicts SPEC.md. Codes, such as those of [Reason], do not change. Other
// texts may. CHANGELOG.md has the details.
package permissions
