package permissions

import (
	"log/slog"
	"math/bits"
	"strconv"
)

// A Reason says why a decision is what it is. The zero Reason is [NoPolicy].
type Reason uint8

const (
	// NoPolicy denies: the policy is nil or zero (SPEC 7.2).
	NoPolicy Reason = iota

	// InvalidQuestion denies: the target or the action is none (SPEC 3.2).
	// [Policy.Check] returns what is wrong with it.
	InvalidQuestion

	// NoRule denies: no rule applies to the target (SPEC 4.6).
	NoRule

	// NotGranted denies: the deciding rule does not hold the action (SPEC 4.6).
	NotGranted

	// Undetermined denies: identifiers are open that might make the answer a no
	// (SPEC 4.7). Give them, or [None] if there are none.
	Undetermined

	// Granted allows: the deciding rule holds the action (SPEC 4.6).
	Granted

	// NoClaim allows: the token had no claim (SPEC 1.7).
	NoClaim
)

// String returns the reason in a word or two.
func (r Reason) String() string {
	switch r {
	case NoPolicy:
		return "no policy"
	case InvalidQuestion:
		return "invalid question"
	case NoRule:
		return "no rule"
	case NotGranted:
		return "not granted"
	case Undetermined:
		return "undetermined"
	case Granted:
		return "granted"
	case NoClaim:
		return "no claim"
	}
	return "Reason(" + strconv.Itoa(int(r)) + ")"
}

// A Decision is the answer to a question, and why. It is a value. The zero Decision
// is a denial for want of a policy.
type Decision struct {
	Allowed bool
	Reason  Reason

	// Rule is the rule that decided, with [Granted] and [NotGranted]; otherwise the
	// zero Rule.
	Rule Rule

	// Open is the open identifiers of the target that one rule names which would
	// deny, with [Undetermined]; otherwise empty.
	Open Identifiers

	// Part is which part of an intersection all of this is from, counted from 1 in
	// the order of [Policy.Parts]: the first that denies, and the first of all if none
	// does. It is 0 if the policy is no intersection or the question is invalid.
	Part int
}

// String returns the decision in one line, such as
//
//	denied: integration:slack/credential:* grants settings:read
func (d Decision) String() string {
	if d.Allowed {
		return "allowed: " + d.explain()
	}
	return "denied: " + d.explain()
}

func (d Decision) explain() string {
	if part := d.Part; part != 0 {
		d.Part = 0
		return "part " + strconv.Itoa(part) + ": " + d.explain()
	}
	switch d.Reason {
	case Granted, NotGranted:
		return d.Rule.String() + " grants " + d.Rule.Grant().String()
	case NoRule:
		return "no rule applies"
	case Undetermined:
		return "it may depend on the " + d.Open.String() + ", which the target leaves open"
	case NoClaim:
		return "the token has no permissions claim"
	case NoPolicy:
		return "there is no policy"
	}
	return d.Reason.String()
}

// LogValue returns the decision as a group: allowed, reason, and the part, the deciding
// rule's path or the open identifiers, where there are any.
func (d Decision) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Bool("allowed", d.Allowed), slog.String("reason", d.Reason.String())}
	if d.Part != 0 {
		attrs = append(attrs, slog.Int("part", d.Part))
	}
	if d.Rule != (Rule{}) {
		attrs = append(attrs, slog.String("rule", d.Rule.String()))
	}
	if d.Open != 0 {
		attrs = append(attrs, slog.String("open", d.Open.String()))
	}
	return slog.GroupValue(attrs...)
}

// Allowed reports whether the policy allows an action on a target (SPEC 4). It is
// false for an invalid question, and for a nil or zero policy. It allocates nothing.
// Its time does not grow with the policy, unless the target leaves an identifier open
// by which the policy has rules that deny the action; then it grows with those.
func (p *Policy) Allowed(action Permission, target Target) bool {
	return p.allowed(action, &target)
}

// allowed is Allowed. It takes a pointer so that Allowed can be inlined and copies nothing.
// It does without a Decision, which would take longer to copy than to find, and judges no
// names that do not matter: a no is right whatever they are, and one that is also a rule's is
// good.
func (p *Policy) allowed(action Permission, target *Target) bool {
	s := p.ruleset()
	if s == nil || s == &unrestricted || p.hook != nil {
		return p.Decide(action, *target).Allowed
	}
	q, ok := target.levels()
	if !ok || action == "" {
		return false
	}
	q.ask(action)
	want := s.vocabulary().grant(action)
	rule := s.decider(q)
	if rule == noNode || s.nodes[rule].grant&want == grantNone {
		return false
	}
	if left := s.rivals(q, rule); left != 0 {
		if granted, _ := s.stands(q, left, want); granted == grantNone {
			return false
		}
	}
	strange := q.given &^ s.nodes[rule].rank.names()
	return strange == 0 || q.judge(strange)
}

// Decide answers as [Policy.Allowed] does and says why. It allocates nothing.
func (p *Policy) Decide(action Permission, target Target) (d Decision) {
	if q, valid := target.question(); valid && action != "" {
		q.ask(action)
		d = p.decide(q, action)
	} else {
		d.Reason = InvalidQuestion
	}
	if p != nil && p.hook != nil {
		p.hook(action, target, d)
	}
	return d
}

// Check answers as [Policy.Allowed] does, with an error for a no: a [*DeniedError],
// which matches [ErrDenied], or for an invalid question a [*TargetError], which
// matches [ErrTarget]. For a yes it returns nil and allocates nothing.
func (p *Policy) Check(action Permission, target Target) error {
	d := p.Decide(action, target)
	switch {
	case d.Allowed:
		return nil
	case d.Reason != InvalidQuestion:
		return &DeniedError{Action: action, Target: target, Decision: d}
	case action == "":
		return &TargetError{Field: "action", Problem: "is empty"}
	}
	return target.Validate()
}

// Permissions returns all that is allowed on exactly this target: it has a permission
// just where [Policy.Allowed] allows it. It is empty for an invalid target.
func (p *Policy) Permissions(target Target) PermissionSet {
	q, valid := target.question()
	if !valid {
		return PermissionSet{}
	}
	if p != nil && p.parts != nil {
		return p.parts.permissions(q)
	}
	return p.ruleset().permissions(q)
}

// permissions returns all that is allowed on a valid target.
func (s *ruleset) permissions(q question) PermissionSet {
	switch s {
	case nil:
		return PermissionSet{}
	case &unrestricted:
		return PermissionSet{grant: grantAll}
	}
	_, granted, _ := s.verdict(q, grantAll)
	if bit := q.creation(); bit != 0 {
		created := q
		created.descend()
		_, stands, _ := s.verdict(created, bit)
		granted = granted&^bit | stands
	}
	return PermissionSet{granted, s.declared}
}

// decide answers a valid question.
func (p *Policy) decide(q question, action Permission) Decision {
	if p != nil && p.parts != nil {
		return p.parts.decide(q, action)
	}
	return p.ruleset().decide(q, action)
}

// decide answers a valid question by the rules of one claim.
func (s *ruleset) decide(q question, action Permission) Decision {
	switch s {
	case nil:
		return Decision{Reason: NoPolicy}
	case &unrestricted:
		return Decision{Allowed: true, Reason: NoClaim}
	}
	reason, rule, open := s.answer(q, action)
	d := Decision{Allowed: reason == Granted, Reason: reason, Open: open}
	if reason == Granted || reason == NotGranted {
		d.Rule = Rule{s, rule}
	}
	return d
}

// answer returns the reason of a decision, and what goes with it: the number of the rule that
// decides, or the identifiers that are open.
func (s *ruleset) answer(q question, action Permission) (reason Reason, rule uint32, open Identifiers) {
	rule, granted, denier := s.verdict(q, s.vocabulary().grant(action))
	switch {
	case granted != grantNone:
		return Granted, rule, 0
	case rule == noNode:
		return NoRule, rule, 0
	case denier != noNode:
		return Undetermined, noNode, s.nodes[denier].rank.names() & q.open
	}
	return NotGranted, rule, 0
}

// verdict returns the rule that decides, or noNode, and which of the permissions that
// are wanted stand as a yes by SPEC 4.7. Where that rule grants some of them but none
// stands, denier is a rule that would deny.
func (s *ruleset) verdict(q question, want grant) (rule uint32, granted grant, denier uint32) {
	rule = s.decider(q)
	if rule == noNode {
		return noNode, grantNone, noNode
	}
	granted, denier = s.nodes[rule].grant&want, noNode
	if granted != grantNone {
		if left := s.rivals(q, rule); left != 0 {
			granted, denier = s.stands(q, left, granted)
		}
	}
	return rule, granted, denier
}

// rivals returns the ranks of the rules that could decide instead of the rule that does, if q
// had what is open: those that outrank it and name something open.
func (s *ruleset) rivals(q question, rule uint32) ranks {
	if q.open == 0 {
		return 0
	}
	return s.ranks & ranksOf(q.depth, q.given|q.open) &^ ranksOf(q.depth, q.given) &^ (2<<s.nodes[rule].rank - 1)
}

// stands returns which of the permissions that are granted on q stand whatever is open, given
// the ranks of the rules that could deny them. Where none stands, denier is one that does.
func (s *ruleset) stands(q question, left ranks, granted grant) (_ grant, denier uint32) {
	var target Target
	for ; left != 0; left = left.butHighest() {
		r := left.highest()
		if granted&s.denies[r] == 0 {
			continue
		}
		for _, m := range s.order[s.start[r]:s.start[r+1]] {
			if granted&^s.nodes[m].grant == 0 || !s.fits(m, q, q.open) {
				continue
			}
			filled := s.filled(q, &target, m)
			if s.decider(filled) != m {
				continue // overridden
			}
			if granted &= s.nodes[m].grant; granted == grantNone {
				return grantNone, m
			}
		}
	}
	return granted, noNode
}

// decider returns the most specific rule that applies (SPEC 4.1, 4.4), or noNode.
func (s *ruleset) decider(q question) uint32 {
	left := s.ranks & ranksOf(q.depth, q.given)
	// Of an integration that no rule names, only the rules for all integrations are left.
	if left&ranksNamed != 0 && !s.integrations.mayHave(q.Integration) {
		left &^= ranksNamed
	}
	for ; left != 0; left = left.butHighest() {
		r := left.highest()
		if ranksAllAny.has(r) {
			return s.order[s.start[r]]
		}
		if rule, _ := s.find(r, q.Target); rule != noNode {
			return rule
		}
	}
	return noNode
}

// A question is a target as the rules see it. It is small, and passed by value.
type question struct {
	*Target
	depth Kind        // the deepest level that is named; 0 for the user
	given Identifiers // what the target has a name for
	open  Identifiers // what nobody has looked for, at the levels that are named
}

// question returns a question about a target, and whether it is valid. It agrees with
// [Target.Validate].
func (t *Target) question() (q question, valid bool) {
	q, valid = t.levels()
	return q, valid && q.judge(q.given)
}

// levels returns a question about a target, and whether every level above one that is named
// is named (SPEC 3.2). Its names are not judged.
func (t *Target) levels() (q question, ok bool) {
	q.Target = t
	if t.Integration == "" || t.Integration == None {
		return q, *t == Target{}
	}
	q.depth, q.given = KindIntegration, 1<<integrationName
	q.take(credentialExternalID, t.CredentialExternalID)
	q.take(credentialID, t.CredentialID)
	q.take(configurationExternalID, t.ConfigurationExternalID)
	q.take(configurationID, t.ConfigurationID)
	credential := q.open&allCredential != allCredential
	switch {
	case q.open&allConfiguration != allConfiguration:
		q.depth = KindConfiguration
		return q, credential
	case credential:
		q.depth = KindCredential
	}
	q.open &= identifiersTo[q.depth]
	return q, true
}

// take notes what is known of an identifier.
func (q *question) take(id identifier, value string) {
	switch value {
	case "":
		q.open |= 1 << id
	case None:
	default:
		q.given |= 1 << id
	}
}

const (
	allCredential    Identifiers = 1<<credentialExternalID | 1<<credentialID
	allConfiguration Identifiers = 1<<configurationExternalID | 1<<configurationID
)

// ask makes q the question that an action asks (SPEC 4.3).
func (q *question) ask(action Permission) {
	if q.depth == KindIntegration && action == CredentialWrite || q.depth == KindCredential && action == ConfigWrite {
		q.descend()
	}
}

// judge reports whether some of the names are good (SPEC 2.4).
func (q question) judge(some Identifiers) bool {
	for ; some != 0; some &= some - 1 {
		id := identifier(bits.TrailingZeros8(uint8(some)))
		if name := q.name(id); id.texture(name)&odd != 0 && id.check(name) != "" {
			return false
		}
	}
	return true
}

// identifiersTo has the identifiers of each level and those above it.
var identifiersTo = [...]Identifiers{
	0, 1<<credentialExternalID - 1, 1<<configurationExternalID - 1, 1<<identifiers - 1,
}

// descend turns a question about an integration or a credential into one about what is
// to be created in it: it has no ID, and its external ID is open (SPEC 4.3).
func (q *question) descend() {
	q.depth++
	if q.depth == KindCredential {
		q.open |= 1 << credentialExternalID
	} else {
		q.open |= 1 << configurationExternalID
	}
}

// creation returns the permission that SPEC 4.3 asks one level below q.
func (q question) creation() grant {
	switch q.depth {
	case KindIntegration:
		return grantCredentialWrite
	case KindCredential:
		return grantConfigWrite
	}
	return grantNone
}

// has reports whether q names what n does.
func (q question) has(n *node) bool {
	return q.given.has(n.id) && n.id.same(n.name, q.name(n.id))
}

// fits reports whether a rule applies to q, or would if q had the identifiers that are
// free.
func (s *ruleset) fits(number uint32, q question, free Identifiers) bool {
	for ; number != noNode; number = s.nodes[number].parent {
		n := &s.nodes[number]
		if n.id < identifiers && !free.has(n.id) && !q.has(n) {
			return false
		}
	}
	return true
}

// filled returns q with the identifiers that a rule names and q does not have. Its target is
// t, which the caller provides so that it need not be allocated.
func (s *ruleset) filled(q question, t *Target, number uint32) question {
	*t = *q.Target
	filled := q
	filled.Target = t
	for ; number != noNode; number = s.nodes[number].parent {
		if n := &s.nodes[number]; n.id < identifiers && !q.given.has(n.id) {
			*t.field(n.id) = n.name
			filled.given |= 1 << n.id
		}
	}
	return filled
}

// Visible reports whether some permission is allowed on the target or on anything that
// could be below it (SPEC 5.1), so that a list may show it. What the target leaves open
// counts as none. Being visible allows nothing. It is false for an invalid target, and
// for a nil or zero policy.
//
// Its time grows with the rules of the policy that are deeper than the target and grant
// something, where the target itself has nothing allowed. For an intersection it can
// grow with the product of those of the parts.
func (p *Policy) Visible(target Target) bool {
	s := p.ruleset()
	q, valid := target.question()
	if !valid {
		return false
	}
	q.open = 0
	switch {
	case s == &unrestricted:
		return true
	case s == nil:
		return p != nil && p.parts != nil && p.parts.visible(q)
	}
	if s.shows(q) {
		return true
	}
	// If something below is allowed by a rule, then so it is on the target that has, of
	// what is below, only what that rule names. A rule that is no deeper than the target
	// would have shown on the target itself.
	below := ^ranksOf(q.depth, 1<<identifiers-1)
	var lowerTarget Target
	for left := s.granting & below; left != 0; left = left.butHighest() {
		r := left.highest()
		for _, m := range s.order[s.start[r]:s.start[r+1]] {
			if s.nodes[m].grant == grantNone || !s.fits(m, q, ^identifiersTo[q.depth]) {
				continue
			}
			lower := s.filled(q, &lowerTarget, m)
			lower.depth = r.kind()
			if s.shows(lower) {
				return true
			}
		}
	}
	return false
}

// shows reports whether something is allowed on q, or on what could be created in it.
// Nothing is open in q.
func (s *ruleset) shows(q question) bool {
	rule := s.decider(q)
	if rule == noNode {
		return false
	}
	granted := s.nodes[rule].grant
	creation := q.creation()
	if granted&^creation != grantNone {
		return true
	}
	if granted&creation == grantNone {
		return false
	}
	created := q
	created.descend()
	rule = s.decider(created)
	return rule != noNode && s.nodes[rule].grant&creation != grantNone
}
