package analyze

import "github.com/connectperms/permissions"

// Covers reports whether outer allows all that inner allows. If it does not, it returns a
// question that inner allows and outer denies, as its policies answer it.
//
// Beware: nothing is known of which ID and which external ID belong to one object. An inner
// policy that allows an ID is not covered by an outer one that denies an external ID there,
// because the object may have both. Name it as the other policy does.
//
// Nil and zero policies are covered by every policy, and an unrestricted one covers every
// policy. An intersection is covered as exactly as any other.
func Covers(outer, inner *permissions.Policy) (ok bool, counterexample Question) {
	u, claims := newUniverse(outer, inner)
	s := search{universe: u, outer: outer.Observe(nil), inner: inner.Observe(nil), all: claims[1]}
	every := actions{^uint64(0), ^uint64(0)}
	for _, c := range claims[0] {
		if q, found := s.violation(c, claims[1], cell{}, every); found {
			return false, q
		}
	}
	return true, Question{}
}

// Equal reports whether two policies give the same answer to every question. If they do
// not, it returns a question that one of them allows and the other denies. Why they answer
// so, by which rule, does not matter.
func Equal(a, b *permissions.Policy) (ok bool, counterexample Question) {
	if ok, counterexample = Covers(a, b); !ok {
		return false, counterexample
	}
	return Covers(b, a)
}

// A search looks for a violation.
type search struct {
	*universe
	outer, inner *permissions.Policy
	all          []*claim
}

// violation returns a question that the inner policy allows and a claim of the outer one
// denies. The rules that decide in the inner claims but those that are left make the cell,
// and all grant the actions.
func (s *search) violation(outer *claim, left []*claim, c cell, granted actions) (Question, bool) {
	if len(left) > 0 {
		for r, with := range left[0].deciders(c) {
			if both := granted.and(grantOf(r)); !both.isEmpty() {
				if q, found := s.violation(outer, left[1:], with, both); found {
					return q, true
				}
			}
		}
		return Question{}, false
	}
	for r, with := range outer.deciders(c) {
		denied := granted.without(grantOf(r))
		if denied.isEmpty() {
			continue
		}
		for q := range s.questions(with, denied) {
			if s.inner.Allowed(q.Action, q.Target) && !s.outer.Allowed(q.Action, q.Target) {
				return q, true
			}
		}
	}
	return Question{}, false
}
