package permissions

import (
	"log/slog"
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

// allowed is Allowed. It takes a pointer so that Allowed can be inlined and copies nothing,
// and does without a Decision, which would take longer to copy than to find.
func (p *Policy) allowed(action Permission, target *Target) bool {
	s := p.ruleset()
	if s == nil || s == &unrestricted || p.hook != nil {
		return p.Decide(action, *target).Allowed
	}
	var q question
	if !q.ask(action, target) {
		return false
	}
	reason, _, _ := s.answer(&q, action)
	return reason == Granted
}

// Decide answers as [Policy.Allowed] does and says why. It allocates nothing.
func (p *Policy) Decide(action Permission, target Target) (d Decision) {
	var q question
	if q.ask(action, &target) {
		d = p.decide(&q, action)
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
	var q question
	if !q.target(&target) {
		return PermissionSet{}
	}
	if p != nil && p.parts != nil {
		return p.parts.permissions(&q)
	}
	return p.ruleset().permissions(&q)
}

// permissions returns all that is allowed on a valid target.
func (s *ruleset) permissions(q *question) PermissionSet {
	switch s {
	case nil:
		return PermissionSet{}
	case &unrestricted:
		return PermissionSet{grant: grantAll}
	}
	_, granted, _ := s.verdict(q, grantAll)
	if bit := q.creation(); bit != 0 {
		created := *q
		created.descend()
		_, stands, _ := s.verdict(&created, bit)
		granted = granted&^bit | stands
	}
	return PermissionSet{granted, s.declared}
}

// decide answers a valid question.
func (p *Policy) decide(q *question, action Permission) Decision {
	if p != nil && p.parts != nil {
		return p.parts.decide(q, action)
	}
	return p.ruleset().decide(q, action)
}

// decide answers a valid question by the rules of one claim.
func (s *ruleset) decide(q *question, action Permission) Decision {
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
func (s *ruleset) answer(q *question, action Permission) (reason Reason, rule uint32, open Identifiers) {
	rule, granted, denier := s.verdict(q, s.vocabulary().grant(action))
	switch {
	case granted != grantNone:
		return Granted, rule, 0
	case rule == noNode:
		return NoRule, rule, 0
	case denier != noNode:
		return Undetermined, noNode, s.names(denier) & q.open
	}
	return NotGranted, rule, 0
}

// verdict returns the rule that decides, or noNode, and which of the permissions that
// are wanted stand as a yes by SPEC 4.7. Where that rule grants some of them but none
// stands, denier is a rule that would deny.
func (s *ruleset) verdict(q *question, want grant) (rule uint32, granted grant, denier uint32) {
	rule = s.decider(q)
	if rule == noNode {
		return noNode, grantNone, noNode
	}
	n := &s.nodes[rule]
	granted = n.grant & want
	// Only a rule that outranks n and names something open could change a yes.
	left := s.ranks & q.possible &^ q.ranks &^ (2<<n.rank - 1)
	for ; left != 0 && granted != grantNone; left = left.butHighest() {
		r := left.highest()
		if granted&^s.holds[r] == 0 {
			continue // no rule of this rank denies
		}
		for _, m := range s.order[s.start[r]:s.start[r+1]] {
			if granted&^s.nodes[m].grant == 0 || !s.fits(m, q, q.open) {
				continue
			}
			filled := *q
			s.fill(&filled, m)
			if s.decider(&filled) != m {
				continue // overridden
			}
			if granted &= s.nodes[m].grant; granted == grantNone {
				return rule, grantNone, m
			}
		}
	}
	return rule, granted, noNode
}

// decider returns the most specific rule that applies (SPEC 4.1, 4.4), or noNode.
func (s *ruleset) decider(q *question) uint32 {
	for left := s.ranks & q.ranks; left != 0; left = left.butHighest() {
		r := left.highest()
		if ranksAllAny.has(r) {
			return s.order[s.start[r]]
		}
		if rule, _, _ := s.find(r, &q.names); rule != noNode {
			return rule
		}
	}
	return noNode
}

// A question is a target as the rules see it.
type question struct {
	names
	depth    Kind        // the deepest level that is named; 0 for the user
	given    Identifiers // what names is set for
	open     Identifiers // what nobody has looked for, at the levels that are named
	ranks    ranks       // of the rules that can apply with what is given
	possible ranks       // of those that might apply, were what is open given too
}

// ask takes a question, and reports whether it is valid (SPEC 3.2).
func (q *question) ask(action Permission, t *Target) bool {
	if action == "" || !q.target(t) {
		return false
	}
	if action == CredentialWrite && q.depth == KindIntegration || action == ConfigWrite && q.depth == KindCredential {
		q.descend()
	}
	return true
}

// target takes a target, and reports whether it is valid. It agrees with
// [Target.Validate].
func (q *question) target(t *Target) bool {
	credential := t.CredentialID != "" || t.CredentialExternalID != ""
	configuration := t.ConfigurationID != "" || t.ConfigurationExternalID != ""
	if t.Integration == "" || t.Integration == None || configuration && !credential {
		q.settle()
		return *t == Target{}
	}
	q.depth = KindIntegration
	seen := q.take(integrationName, t.Integration) &^ hasUpper // which matters in UUIDs alone
	if credential {
		q.depth = KindCredential
		if !q.lacks(credentialID, t.CredentialID) {
			seen |= q.take(credentialID, t.CredentialID)
		}
		if !q.lacks(credentialExternalID, t.CredentialExternalID) {
			seen |= q.take(credentialExternalID, t.CredentialExternalID) &^ hasUpper
		}
	}
	if configuration {
		q.depth = KindConfiguration
		if !q.lacks(configurationID, t.ConfigurationID) {
			seen |= q.take(configurationID, t.ConfigurationID)
		}
		if !q.lacks(configurationExternalID, t.ConfigurationExternalID) {
			seen |= q.take(configurationExternalID, t.ConfigurationExternalID) &^ hasUpper
		}
	}
	q.settle()
	return seen == 0 || q.judge()
}

// lacks reports whether an identifier, at a level that is named, is open or none.
func (q *question) lacks(id identifier, value string) bool {
	if value == "" {
		q.open |= 1 << id
		return true
	}
	return value == None
}

// take takes an identifier, and returns its texture.
func (q *question) take(id identifier, value string) texture {
	q.given |= 1 << id
	return q.put(id, value, 0)
}

// judge reports whether the names that are given are good, and finds the UUIDs that have
// capitals.
func (q *question) judge() bool {
	for id := range identifiers {
		if !q.given.has(id) {
			continue
		}
		name := q.text[id]
		t := q.put(id, name, 0)
		if t&odd != 0 && id.check(name) != "" || t&beginsE != 0 && id.beginsExt(name) {
			return false
		}
		if t&hasUpper != 0 && id.isObjectID() && isUUID(name) {
			q.upper |= 1 << id
			q.put(id, name, bit5)
		}
	}
	return true
}

// identifiersTo has the identifiers of each level and those above it.
var identifiersTo = [...]Identifiers{
	0, 1<<credentialExternalID - 1, 1<<configurationExternalID - 1, 1<<identifiers - 1,
}

// settle finds the ranks, once the rest has been taken.
func (q *question) settle() {
	q.ranks = ranksOf(q.depth, q.given)
	q.possible = q.ranks
	if q.open != 0 {
		q.possible = ranksOf(q.depth, q.given|q.open)
	}
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
	q.settle()
}

// creation returns the permission that SPEC 4.3 asks one level below q.
func (q *question) creation() grant {
	switch q.depth {
	case KindIntegration:
		return grantCredentialWrite
	case KindCredential:
		return grantConfigWrite
	}
	return grantNone
}

// names returns what the path of a node names.
func (s *ruleset) names(number uint32) (named Identifiers) {
	for ; number != noNode; number = s.nodes[number].parent {
		if id := s.nodes[number].id; id < identifiers {
			named |= 1 << id
		}
	}
	return named
}

// fits reports whether a rule applies to q, or would if q had the identifiers that are
// free.
func (s *ruleset) fits(number uint32, q *question, free Identifiers) bool {
	for ; number != noNode; number = s.nodes[number].parent {
		n := &s.nodes[number]
		if n.id < identifiers && !free.has(n.id) && !(q.given.has(n.id) && q.is(n.id, s.name(n))) {
			return false
		}
	}
	return true
}

// fill gives q the identifiers that a rule names and q does not have.
func (s *ruleset) fill(q *question, number uint32) {
	for ; number != noNode; number = s.nodes[number].parent {
		if n := &s.nodes[number]; n.id < identifiers && !q.given.has(n.id) {
			q.put(n.id, s.name(n), 0)
			q.given |= 1 << n.id
		}
	}
	q.settle()
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
	var q question
	if !q.target(&target) {
		return false
	}
	q.open = 0
	q.settle()
	switch {
	case s == &unrestricted:
		return true
	case s == nil:
		return p != nil && p.parts != nil && p.parts.visible(&q)
	}
	if s.shows(&q) {
		return true
	}
	// If something below is allowed by a rule, then so it is on the target that has, of
	// what is below, only what that rule names. A rule that is no deeper than the target
	// would have shown on the target itself.
	below := ^ranksOf(q.depth, 1<<identifiers-1)
	for left := s.granting & below; left != 0; left = left.butHighest() {
		r := left.highest()
		for _, m := range s.order[s.start[r]:s.start[r+1]] {
			if s.nodes[m].grant == grantNone || !s.fits(m, &q, ^identifiersTo[q.depth]) {
				continue
			}
			lower := q
			lower.depth = r.kind()
			s.fill(&lower, m)
			if s.shows(&lower) {
				return true
			}
		}
	}
	return false
}

// shows reports whether something is allowed on q, or on what could be created in it.
// Nothing is open in q.
func (s *ruleset) shows(q *question) bool {
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
	created := *q
	created.descend()
	rule = s.decider(&created)
	return rule != noNode && s.nodes[rule].grant&creation != grantNone
}
