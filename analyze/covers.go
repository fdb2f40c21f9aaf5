package analyze

import "github.com/connectperms/permissions"

// Covers reports whether outer allows all that inner allows. If it does not, Covers returns a question that
// inner allows and outer denies.
//
// Beware: policies do not say which ID and which external ID belong to one object. An inner policy that
// allows an ID is not covered by an outer one that denies an external ID in the same place, because one object may
// have both. Name an object by the same identifier in both policies.
//
// It counts the permissions that one of the policies declares. A grant of true also grants what a service declares that
// the policies do not know (SPEC 1.9), and an array of all ten does not: parse both with the options of the services.
//
// The order matters: with the policies exchanged, a request for more than the caller has is covered. And Covers
// does not know whose the objects are.
//
// Nil and zero policies are covered by every policy. An unrestricted policy covers every policy that
// declares no more permissions than it does. An intersection is covered as exactly as any other policy.
func Covers(outer, inner *permissions.Policy) (ok bool, counterexample Question) {
	s, lists := newSpace(outer, inner)
	return s.covers(lists[0], lists[1])
}

// Equal reports whether two policies give the same answer to every question. If they do not, Equal returns
// a question that one of them allows and the other one denies. By which rule they answer does not matter.
func Equal(a, b *permissions.Policy) (ok bool, counterexample Question) {
	s, lists := newSpace(a, b)
	if ok, counterexample = s.covers(lists[0], lists[1]); !ok {
		return false, counterexample
	}
	return s.covers(lists[1], lists[0])
}

func (s *space) covers(outer, inner []*ruleList) (ok bool, counterexample Question) {
	for upper := range s.order {
		for _, v := range s.views(s.places[upper]) {
			if s.decider(s.places[upper].at(v.level), ^ranks(0), nil) != upper {
				continue
			}
			if q, found := s.violation(outer, inner, upper, v); found {
				return false, q
			}
		}
	}
	return true, Question{}
}

// violation returns a question that all lists of inner grant and one of outer does not, among the questions of a view
// for which upper is the upper rule (see search.go).
func (s *space) violation(outer, inner []*ruleList, upper int32, v view) (Question, bool) {
	granted := v.actions
	for _, l := range inner {
		can, _ := s.answers(l, upper, v.level)
		granted = granted.and(can)
	}
	for _, o := range outer {
		_, must := s.answers(o, upper, v.level)
		for action := range granted.without(must).all {
			conditions := []condition{{o, requirement{action, false}}}
			for _, l := range inner {
				conditions = append(conditions, condition{l, requirement{action, true}})
			}
			if places := s.where(upper, v.level, conditions...); len(places) > 0 {
				return Question{s.actions[action], s.target(places[0])}, true
			}
		}
	}
	return Question{}, false
}

// answers returns the actions that a list may grant where a rule is the upper rule, and those that it
// certainly grants there.
func (s *space) answers(l *ruleList, upper int32, level permissions.Kind) (can, must actions) {
	if l.has[upper] {
		return l.grants[upper], l.grants[upper]
	}
	own := s.decider(s.places[upper].at(level), ^ranks(0), l)
	varying := s.varying(l, upper, level, own)
	return l.grantOf(own).or(varying), l.grantOf(own).without(varying)
}
