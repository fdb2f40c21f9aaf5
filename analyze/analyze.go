// Package analyze answers questions about whole policies. Its answers are exact: they follow from
// the rules, and nothing is tried at random.
//
//   - [Covers] reports whether one policy allows all that another allows. A service that issues
//     tokens asks that before it signs one, so that nobody hands on more than they have.
//   - [Equal] and [Diff] report whether two policies give the same answers, and which answers
//     differ. A review of a changed claim needs that.
//   - [Lint] finds what does nothing in a claim, or does not do what it reads as, and how to fix it.
//   - [Measure] says how many bytes a claim takes in a token, and looks for a shorter claim that says the same.
//
// Policies are what [permissions.Parse], [permissions.Builder] and [permissions.Intersect] return. A
// nil or zero policy denies everything, and an unrestricted one allows everything, as everywhere.
// The analysis calls no hook of [permissions.Policy.Observe]. It changes nothing, so any number of
// goroutines can analyze one policy.
//
// # Which questions there are
//
// A question that is given as an example leaves no identifier unknown (SPEC 3.2): each is known or
// absent. It asks an action of something of the level that the action acts on, or of something
// deeper (SPEC 3.3). That is enough. Every other question is allowed exactly if it is allowed
// whatever the unknown identifiers are (SPEC 4.7), those of levels that SPEC 4.3 adds included. So
// where two policies agree on the questions without unknown identifiers, they agree on all.
//
// Invalid questions are denied. A permission that only one of two policies declares
// ([permissions.WithPermissions]) is an invalid question to the other one, so the other one denies it.
//
// An example about something that no policy names gets a name that none of them uses: the integration
// "other", or "other-2" if a policy names that, and so on, or an ID that begins with 00000000.
//
// # How much time it takes
//
// For n rules, the time is usually in proportion to n log n: 100,000 rules take a second or two. A long name costs
// its length each time that a claim spells it out, and nothing more for the rules nested under it. Four things
// can take more:
//
//   - Rules that name a credential or a configuration by its ID, and rules that name one by its external ID, can
//     apply to one target in any combination. The analysis groups the rules that the same rules override, and
//     skips a whole group at once. In some claims the groups are too small for that to help. Then the time grows
//     with the square of the number of rules.
//   - For intersections, the time can grow with the product of the numbers of rules of the parts.
//   - [Measure] builds and compares up to 400 claims.
//   - [Finding.Fix] writes out the pointer of each thing that it moves, with the names in it.
//
// JSON has whole names and pointers, and so it can be much longer than a claim with long names. Texts for
// people shorten names.
package analyze

import (
	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// A Question is what a policy answers: an action on a target.
type Question struct {
	Action permissions.Permission `json:"action"`
	Target permissions.Target     `json:"target"`
}

// String returns the question in one line, such as
//
//	"events" on integration "slack"
func (q Question) String() string { return text.Quote(string(q.Action)) + " on " + q.Target.String() }
