package permissions

import (
	"errors"
	"slices"
	"strconv"
)

// Intersect returns a policy that allows exactly what all the policies allow, such as
// what a token says and a service's own ceiling for a role. It answers every question
// that a policy answers; where it denies, [Decision.Part] names the first part that does.
//
// A nil or zero policy among the policies denies everything. An unrestricted one takes
// nothing away and is left out: if all are, so is the result. What is an intersection
// itself counts as its parts. The intersection of one policy is that policy. Hooks of the
// policies are not called; see [Policy.Observe] for one on the result.
//
// A question takes as long as it takes to ask the parts. What the parts know as
// permissions may differ, see [WithPermissions], and each is asked by its own.
//
// No policies at all are an error, and so are parts that declare more permissions together
// than one policy can. No claim says what an intersection says: [Policy.MarshalJSON]
// returns an error, and it cannot be signed.
func Intersect(policies ...*Policy) (*Policy, error) {
	if len(policies) == 0 {
		return nil, errors.New("permissions: Intersect: no policies, of which nobody knows what they allow; pass one or more")
	}
	var all parts
	for _, p := range policies {
		for _, s := range p.rulesets() {
			if s != &unrestricted {
				all.rules = append(all.rules, s)
			}
		}
	}
	switch len(all.rules) {
	case 0:
		return Unrestricted(), nil
	case 1:
		return &Policy{rules: all.rules[0]}, nil
	}
	var union vocabulary
	for _, s := range all.rules {
		if s == nil {
			continue
		}
		for _, name := range s.vocabulary() {
			if union.grant(name) == grantOthers {
				union = append(union, name)
			}
		}
	}
	if len(union) > maxDeclared {
		return nil, errors.New("permissions: Intersect: the policies declare more than " + strconv.Itoa(maxDeclared) +
			" permissions together; declare the same ones with WithPermissions for all")
	}
	if union != nil {
		all.declared = &union
	}
	return &Policy{parts: &all}, nil
}

// Parts returns the policies that an intersection consists of, in the order in which
// [Intersect] took them; nil if p is no intersection. An index into it is one less than
// [Decision.Part].
func (p *Policy) Parts() []*Policy {
	if p == nil || p.parts == nil {
		return nil
	}
	var list []*Policy
	for _, s := range p.parts.rules {
		list = append(list, &Policy{rules: s})
	}
	return list
}

// rulesets returns what p consists of: nil for no policy, as each part may be.
func (p *Policy) rulesets() []*ruleset {
	if p != nil && p.parts != nil {
		return p.parts.rules
	}
	return []*ruleset{p.ruleset()}
}

// errIntersection says that no claim says what an intersection says.
var errIntersection = errors.New("permissions: an intersection of policies has no claim; encode its parts, or build one policy")

// The parts of an intersection. A Policy that has parts has no rules of its own, so that
// whatever does not know of parts denies.
type parts struct {
	rules    []*ruleset  // two or more; nil is no policy, and none is unrestricted
	declared *vocabulary // what any part declares; nil if there is none
}

// decide answers a valid question.
func (p *parts) decide(q question, action Permission) (first Decision) {
	for i, s := range p.rules {
		d := s.decide(q, action)
		d.Part = i + 1
		if !d.Allowed {
			return d
		}
		if i == 0 {
			first = d
		}
	}
	return first
}

// permissions returns all that is allowed on a valid target.
func (p *parts) permissions(q question) PermissionSet {
	granted := grantAll
	for _, s := range p.rules {
		granted &= p.translate(s.permissions(q))
	}
	return PermissionSet{granted, p.declared}
}

// translate returns a part's set with the bits that the intersection gives to names.
func (p *parts) translate(set PermissionSet) grant {
	if p.declared == nil || set.IsAll() || set.IsEmpty() {
		return set.grant
	}
	var has, known grant
	for name, bit := range p.declared.names {
		known |= bit
		if set.Has(name) {
			has |= bit
		}
	}
	if set.grant&grantOthers != 0 {
		has |= ^known
	}
	return has
}

// visible reports whether some permission is allowed on q, or on anything below it, of
// which nothing is open in q (SPEC 5.1).
//
// A question that 4.3 asks one level below is one about a target there, so each depth is
// looked at without the questions that it passes down. Given a target where all parts
// allow something, the target of the same depth that names only what their deciding rules
// name has the same deciding rules: whatever else applied to it would have applied there.
// So it is enough to try what one granting rule of each part names.
func (p *parts) visible(q question) bool {
	if slices.Contains(p.rules, nil) {
		return false
	}
	free := ^identifiersTo[q.depth]
	for depth := q.depth; depth <= KindConfiguration; depth++ {
		target := *q.Target // escapes, and q.Target must not
		deeper := question{Target: &target, depth: depth, given: q.given, open: q.open}
		if p.grantSome(deeper, p.rules, free) {
			return true
		}
	}
	return false
}

// grantSome reports whether all parts grant some permission on q, or would if q had some
// of the identifiers that are free and named by rules of the parts that are left.
func (p *parts) grantSome(q question, left []*ruleset, free Identifiers) bool {
	granted := grantAll &^ q.creation()
	for _, s := range p.rules {
		rule := s.decider(q)
		if rule == noNode {
			granted = grantNone
			break
		}
		granted &= p.translate(PermissionSet{s.nodes[rule].grant, s.declared})
	}
	if granted != grantNone {
		return true
	}
	if len(left) == 0 {
		return false
	}
	s := left[0]
	for ranks := s.granting & ranksOf(q.depth, 1<<identifiers-1); ranks != 0; ranks = ranks.butHighest() {
		r := ranks.highest()
		for _, m := range s.order[s.start[r]:s.start[r+1]] {
			if s.nodes[m].grant == grantNone || !s.fits(m, q, free&^q.given) {
				continue
			}
			var target Target
			filled := s.filled(q, &target, m)
			// What overrides m now does so with more identifiers too.
			if s.decider(filled) == m && p.grantSome(filled, left[1:], free) {
				return true
			}
		}
	}
	return false
}
