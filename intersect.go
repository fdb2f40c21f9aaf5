package permissions

import (
	"errors"
	"slices"
	"strconv"
)

// Intersect returns a policy that allows exactly what all the policies allow, such as what a token
// says and a service's own ceiling for a role. Ask it as any other policy. Where it denies,
// [Decision.Part] names the first part that does.
//
// A nil or zero policy among the policies makes the result deny everything. An unrestricted one takes
// nothing away but the permissions that it does not know. So give all the same [WithPermissions].
// The parts of an intersection among the policies become parts of the result. If only one part is
// left without the unrestricted policies that take nothing away, the result is not an intersection,
// but a policy with the rules of that part: [Policy.Parts] returns nil, and [Decision.Part] is 0. If
// all policies are unrestricted and declare the same permissions, the result is unrestricted. The
// result has the hooks of all the policies, see [Policy.Observe].
//
// A question takes as long as it takes to ask the parts. A part that does not know a permission
// that another part declares denies it, with [ReasonNoRule], even if it is unrestricted.
//
// No policies at all are an error, and so are policies that declare more permissions together than
// one policy can. An intersection of two parts or more is not a claim, so [Policy.MarshalJSON]
// returns an error and it cannot be signed. [Narrow] finds a claim that allows the same, where there
// is one.
//
// [Policy.Visible] of an intersection tries combinations of one granting rule of each part. It
// skips those that contradict each other, but where the parts name different identifiers, its time
// grows with the product of the numbers of rules.
func Intersect(policies ...*Policy) (*Policy, error) {
	if len(policies) == 0 {
		return nil, errors.New("permissions: Intersect: there are no policies; pass one or more")
	}
	var rules []*ruleset
	var hooks []func(Observation)
	for _, p := range policies {
		if p != nil {
			hooks = append(hooks, p.hooks...)
		}
		rules = append(rules, p.rulesets()...)
	}
	union := unionOf(rules)
	if len(union) > maxExtras {
		return nil, errors.New("permissions: Intersect: the policies declare more than " + strconv.Itoa(maxExtras) +
			" permissions together; declare the same ones with WithPermissions for all")
	}
	// An unrestricted policy takes nothing away, unless it does not know a permission. It must stay
	// if only it knows one.
	restricting := slices.DeleteFunc(slices.Clone(rules), func(s *ruleset) bool {
		return s != nil && s.unrestricted && len(s.vocabulary()) == len(union)
	})
	if len(restricting) == 0 {
		restricting = rules[:1]
	}
	if len(unionOf(restricting)) < len(union) {
		restricting = rules
	}
	if len(restricting) == 1 {
		return &Policy{rules: restricting[0], hooks: hooks}, nil
	}
	all := &parts{rules: restricting}
	if union != nil {
		all.extras = &union
	}
	return &Policy{parts: all, hooks: hooks}, nil
}

// unionOf returns the permissions that any of the rulesets declares.
func unionOf(rules []*ruleset) (union vocabulary) {
	for _, s := range rules {
		for _, name := range s.vocabulary() {
			if _, known := union.number(name); !known {
				union = append(union, name)
			}
		}
	}
	return union
}

// Parts returns the policies that an intersection asks, in the order of [Intersect]'s arguments and
// without their hooks. It leaves out unrestricted policies that take nothing away, unless only
// they declare some permission. So the index of a part can differ from that of the argument.
// [Decision.Part] is the index in this list plus one. Parts returns nil if p is not an intersection,
// which the result of Intersect need not be.
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

// rulesets returns the rulesets of p. The ruleset of a nil or zero Policy is nil.
func (p *Policy) rulesets() []*ruleset {
	if p != nil && p.parts != nil {
		return p.parts.rules
	}
	return []*ruleset{p.ruleset()}
}

// errIntersection says that an intersection is not a claim.
var errIntersection = errors.New("permissions: an intersection of policies is not a claim; use Narrow, or encode its parts")

// The parts of an intersection. A Policy that has parts has no rules of its own, so that code that
// does not know of parts denies.
type parts struct {
	rules  []*ruleset  // two or more; nil for a nil or zero Policy
	extras *vocabulary // what any policy declares; nil if there is nothing
}

// answer answers a valid question.
func (p *parts) answer(action Permission, target *Target) (first Decision) {
	for i, s := range p.rules {
		d := s.answer(action, target)
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

// translate returns a grant of a part with the numbers that permissions have in the intersection.
func (p *parts) translate(s *ruleset, g grant) (translated grant) {
	if p.extras == nil {
		return g
	}
	for n, name := range p.extras.all {
		if own, known := s.vocabulary().number(name); known {
			translated |= g >> own & 1 << n
		}
	}
	return translated
}

// visible reports whether some permission is allowed on a valid target, or on anything below it
// (SPEC 5.1).
//
// Take something below the target where all parts allow a permission. Fill in only the identifiers
// that the deciding rules name. The same rules still decide, because fewer rules apply. So it is
// enough to try the combinations of one granting rule of each part.
func (p *parts) visible(target *Target) bool {
	if slices.Contains(p.rules, nil) {
		return false
	}
	v := visibility{parts: p, free: allIdentifiers &^ identifiersTo(target.level)}
	for v.level = target.level; v.level <= KindConfiguration; v.level++ {
		if v.search(*target, p.rules, actingOn(v.level)) {
			return true
		}
	}
	return false
}

// A visibility is a search for something of a level that all parts allow.
type visibility struct {
	*parts
	level Kind
	free  Identifiers // what may be filled in
}

// search reports whether all parts grant one of the wanted permissions on t, or would if some of
// the free identifiers were filled in. To fill them in, it tries what each granting rule of left[0]
// names, and goes on with left[1:].
func (v *visibility) search(t Target, left []*ruleset, wanted grant) bool {
	granted := wanted
	for _, s := range v.rules {
		switch rule := s.decider(question{&t, v.level, t.known, 0}); {
		case s.unrestricted:
			granted &= v.translate(s, grantAll)
		case rule == noNode:
			granted = grantNone
		default:
			granted &= v.translate(s, s.nodes[rule].grant)
		}
	}
	if granted != grantNone {
		return true
	}
	if len(left) == 0 {
		return false
	}
	s := left[0]
	if s.unrestricted {
		return v.search(t, left[1:], wanted&v.translate(s, grantAll))
	}
	var interned, copy Target
	q := s.intern(question{&t, v.level, t.known, 0}, &interned)
	free := v.free &^ t.known
	for ranks := s.granting & applicable(q.level, q.known|free); ranks != 0; ranks = ranks.without(ranks.highest()) {
		for _, m := range s.ofRank(ranks.highest()) {
			grants := v.translate(s, s.nodes[m].grant) & wanted
			if grants == grantNone || !s.matches(m, q.Target, free) || s.decider(s.filled(q, &copy, m)) != m {
				continue // a rule that overrides m now would still override it if more were filled in
			}
			if v.search(s.fill(t, m), left[1:], grants) {
				return true
			}
		}
	}
	return false
}

// fill returns t with each identifier on the path of a rule set to what the rule names, as filled
// does for a question.
func (s *ruleset) fill(t Target, rule uint32) Target {
	for rule != noNode {
		n := &s.nodes[rule]
		t.known |= s.set(&t, n)
		rule = n.parent
	}
	return t
}
