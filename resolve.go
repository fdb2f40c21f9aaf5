package permissions

import (
	"log/slog"
	"strconv"
	"strings"

	"github.com/connectperms/permissions/internal/text"
)

// A Reason says why a decision is what it is. The zero Reason is [ReasonNoPolicy].
type Reason uint8

const (
	// ReasonNoPolicy denies: the policy is nil or zero (SPEC 7.2).
	ReasonNoPolicy Reason = iota

	// ReasonInvalidQuestion denies: the action is not a permission, the target is invalid, or the
	// action cannot be asked of the user (SPEC 3.4). [Policy.Check] says what is wrong.
	ReasonInvalidQuestion

	// ReasonNoRule denies: no rule applies to the target (SPEC 4.6), or a part of an intersection
	// does not know the action (see [Intersect]).
	ReasonNoRule

	// ReasonNotGranted denies: the deciding rule does not grant the action (SPEC 4.6).
	ReasonNotGranted

	// ReasonUndetermined denies: the deciding rule grants the action, but a rule that denies would
	// apply for some values of unknown identifiers (SPEC 4.7). [Decision.Unknown] has those that
	// one such rule names. Look them up and give them to the target. There may be other such rules.
	ReasonUndetermined

	// ReasonGranted allows: the deciding rule grants the action (SPEC 4.6).
	ReasonGranted

	// ReasonNoClaim allows: the token has no permissions claim (SPEC 1.7).
	ReasonNoClaim
)

// String returns the code of the reason, such as "not_granted". Codes do not change.
func (r Reason) String() string {
	switch r {
	case ReasonNoPolicy:
		return "no_policy"
	case ReasonInvalidQuestion:
		return "invalid_question"
	case ReasonNoRule:
		return "no_rule"
	case ReasonNotGranted:
		return "not_granted"
	case ReasonUndetermined:
		return "undetermined"
	case ReasonGranted:
		return "granted"
	case ReasonNoClaim:
		return "no_claim"
	}
	return "Reason(" + strconv.Itoa(int(r)) + ")"
}

// MarshalText returns [Reason.String].
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// A Decision is the answer to a question, and why. It is a value. The zero Decision denies because
// there is no policy.
type Decision struct {
	Allowed bool
	Reason  Reason

	// Rule is the rule that decides, for [ReasonGranted] and [ReasonNotGranted]. Otherwise it is
	// the zero Rule.
	Rule Rule

	// Unknown has the unknown identifiers that one denying rule names, for [ReasonUndetermined].
	// Otherwise it is empty. An identifier of a level that the target does not have belongs to what
	// the action acts on in the target (SPEC 4.3).
	Unknown Identifiers

	// Part is the part of an intersection that all of this is from, counted from 1 in the order
	// of [Policy.Parts]: the first part that denies, or the first of all if none does. It is 0
	// if the policy is not an intersection, and if the question is invalid.
	Part int
}

// String returns the decision in one line for people, such as
//
//	denied: integration:"slack"/credential:* grants settings:read
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
	case ReasonGranted, ReasonNotGranted:
		return d.Rule.String() + " grants " + d.Rule.Grant().String()
	case ReasonNoRule:
		return "no rule applies"
	case ReasonUndetermined:
		if d.Unknown.areSeveral() {
			return "it depends on the " + d.Unknown.String() + ", which were not given"
		}
		return "it depends on the " + d.Unknown.String() + ", which was not given"
	case ReasonNoClaim:
		return "the token has no permissions claim"
	case ReasonNoPolicy:
		return "there is no policy"
	case ReasonInvalidQuestion:
		return "the question is invalid"
	}
	return d.Reason.String()
}

// MarshalJSON returns an object with the members allowed, reason (a code), rule (see
// [Rule.MarshalJSON]), unknown (see [Identifiers.MarshalJSON]) and part. The last three are left
// out where the decision has none.
func (d Decision) MarshalJSON() ([]byte, error) {
	out := struct {
		Allowed bool        `json:"allowed"`
		Reason  Reason      `json:"reason"`
		Rule    *Rule       `json:"rule,omitempty"`
		Unknown Identifiers `json:"unknown,omitempty"`
		Part    int         `json:"part,omitempty"`
	}{Allowed: d.Allowed, Reason: d.Reason, Unknown: d.Unknown, Part: d.Part}
	if d.Rule != (Rule{}) {
		out.Rule = &d.Rule
	}
	return marshal(out)
}

// LogValue returns a group: allowed, reason, and where the decision has them rule, pointer,
// unknown and part.
func (d Decision) LogValue() slog.Value {
	attrs := []slog.Attr{slog.Bool("allowed", d.Allowed), slog.String("reason", d.Reason.String())}
	if d.Rule != (Rule{}) {
		attrs = append(attrs, slog.String("rule", d.Rule.String()), slog.String("pointer", text.Plain(d.Rule.Pointer())))
	}
	if d.Unknown != 0 {
		attrs = append(attrs, slog.Any("unknown", d.Unknown.codes()))
	}
	if d.Part != 0 {
		attrs = append(attrs, slog.Int("part", d.Part))
	}
	return slog.GroupValue(attrs...)
}

// Allowed reports whether the policy allows an action on a target (SPEC 4). It is false for an
// invalid question, and for a nil or zero policy.
//
// It allocates nothing, except what hooks of [Policy.Observe] need. Its time does not grow with the number of
// rules, with one exception: where identifiers are unknown, it can grow with the number of rules that name
// such an identifier. An intersection asks each of its parts until one denies.
func (p *Policy) Allowed(action Permission, target Target) bool {
	return p.allowed(action, &target)
}

// allowed is the body of Allowed. The pointer lets Allowed be inlined without a copy of the target.
// No Decision is made, and names are checked only where they matter. Names need no check when the
// answer is no, or when they equal a name of the deciding rule, which was checked when the claim
// was read.
func (p *Policy) allowed(action Permission, target *Target) bool {
	s := p.ruleset()
	if s == nil || s.unrestricted || p.hooks != nil {
		return p.decide(action, target).Allowed
	}
	n, ok := s.vocabulary().number(action)
	if !ok || !target.accepts(acts(n)) {
		return false
	}
	q := target.ask(acts(n))
	rule := s.decider(q)
	if rule == noNode || s.nodes[rule].grant&(1<<(n%64)) == 0 || q.unknown != 0 && s.overridingDenial(q, rule, n) != noNode {
		return false
	}
	unchecked := target.known & textIdentifiers &^ s.nodes[rule].rank.identifiers()
	return unchecked == 0 || target.hasValidNames(unchecked)
}

// Decide answers as [Policy.Allowed] does and says why. It allocates as little.
func (p *Policy) Decide(action Permission, target Target) Decision {
	return p.decide(action, &target)
}

func (p *Policy) decide(action Permission, target *Target) (d Decision) {
	if p.isInvalid(action, target) {
		d.Reason = ReasonInvalidQuestion
	} else {
		d = p.answer(action, target)
	}
	if p != nil && p.hooks != nil {
		p.observe(AskedAction, action, target, Observation{Decision: d})
	}
	return d
}

// Check answers as [Policy.Allowed] does. It returns nil for a yes, and an error for everything else:
// a [*DeniedError] for a no, or a [*QuestionError] for an invalid question. Both match [ErrDenied], and
// the second one matches [ErrQuestion] too. For a yes it allocates as little as Allowed.
func (p *Policy) Check(action Permission, target Target) error {
	switch d := p.decide(action, &target); {
	case d.Allowed:
		return nil
	case d.Reason == ReasonInvalidQuestion:
		return p.questionError(action, target)
	default:
		return &DeniedError{Action: Permission(strings.Clone(string(action))), Target: target.clone(), Decision: d}
	}
}

// vocabulary returns the permissions that p knows.
func (p *Policy) vocabulary() vocabulary {
	switch {
	case p == nil:
	case p.parts != nil && p.parts.extras != nil:
		return *p.parts.extras
	case p.rules != nil:
		return p.rules.vocabulary()
	}
	return nil
}

// isInvalid reports whether a question is invalid (SPEC 3.4).
func (p *Policy) isInvalid(action Permission, target *Target) bool {
	n, ok := p.vocabulary().number(action)
	return !ok || !target.accepts(acts(n)) || !target.hasValidNames(allIdentifiers)
}

// questionError returns the error for an invalid question. A question that names a permission and a
// valid target is invalid only because the target is the user.
func (p *Policy) questionError(action Permission, target Target) *QuestionError {
	v := p.vocabulary()
	if _, ok := v.number(action); !ok {
		e := &QuestionError{Field: "action", Value: strings.Clone(string(action)), Problem: "is not a permission"}
		if action == "" {
			e.Problem = "is empty"
		}
		e.Remedy = permissionRemedy(v, string(action))
		return e
	}
	if e := target.questionError(); e != nil {
		return e
	}
	return &QuestionError{
		Field: "target", Problem: "is the user, and " + string(action) + " cannot be asked of the user", Remedy: "ask it of an integration, or of something in one",
	}
}

// accepts reports whether an action can be asked of t (SPEC 3.3). It does not look at names.
func (t *Target) accepts(a actsOn) bool { return t.level > KindUser || t.level == KindUser && a.user }

// Permissions returns everything that is allowed on exactly this target: it has a permission
// if, and only if, [Policy.Allowed] allows it. It is empty for an invalid target.
func (p *Policy) Permissions(target Target) (set PermissionSet) {
	if v := p.vocabulary(); v != nil {
		set.extras = &v
	}
	for n, name := range p.vocabulary().all {
		if !p.isInvalid(name, &target) && p.answer(name, &target).Allowed {
			set.grant |= 1 << n
		}
	}
	if p != nil && p.hooks != nil {
		p.observe(AskedPermissions, "", &target, Observation{Permissions: set})
	}
	return set
}

// answer answers a valid question.
func (p *Policy) answer(action Permission, target *Target) Decision {
	if p != nil && p.parts != nil {
		return p.parts.answer(action, target)
	}
	return p.ruleset().answer(action, target)
}

// answer answers a valid question by the rules of one claim. A nil ruleset is no policy.
func (s *ruleset) answer(action Permission, target *Target) Decision {
	if s == nil {
		return Decision{Reason: ReasonNoPolicy}
	}
	n, known := s.vocabulary().number(action)
	switch {
	case !known: // a part of an intersection, see [Intersect]
		return Decision{Reason: ReasonNoRule}
	case s.unrestricted:
		return Decision{Allowed: true, Reason: ReasonNoClaim}
	}
	q := target.ask(acts(n))
	rule := s.decider(q)
	switch {
	case rule == noNode:
		return Decision{Reason: ReasonNoRule}
	case s.nodes[rule].grant>>n&1 == 0:
		return Decision{Reason: ReasonNotGranted, Rule: Rule{s, rule}}
	}
	if denial := s.overridingDenial(q, rule, n); denial != noNode {
		return Decision{Reason: ReasonUndetermined, Unknown: s.nodes[denial].rank.identifiers() & q.unknown}
	}
	return Decision{Allowed: true, Reason: ReasonGranted, Rule: Rule{s, rule}}
}

// A question is a target together with the level and the identifiers that count for one action. Its level and
// known hide those of the Target, which can differ. It is small, and passed by value.
type question struct {
	*Target
	level   Kind
	known   Identifiers // the identifiers that rules are compared with
	unknown Identifiers // at the levels that the question is about
}

// ask returns the question that an action asks of t (SPEC 3.3, 4.3). Where t is less deep than what
// the action acts on, the question has the missing levels with unknown identifiers. What is new has
// no ID.
func (t *Target) ask(a actsOn) question {
	q := question{t, t.level, t.known, 0}
	if q.level > KindUser && q.level < a.level {
		q.level = a.level
	}
	q.unknown = identifiersTo(q.level) &^ (t.known | t.absent)
	if a.creates && t.level < a.level {
		q.unknown &^= idOf(a.level)
	}
	return q
}

// has reports whether q has the very identifier that n names. n is not a wildcard.
func (s *ruleset) has(q question, n *node) bool {
	copy := *q.Target
	return q.known&s.set(&copy, n) != 0 && copy == *q.Target
}

// key returns the key of the path of a rule of rank r that names what t has.
func (t *Target) key(r rank) (key uint64) {
	if r&rankIntegration != 0 {
		key = nameKey(key, &t.integration)
	}
	switch r.credential() {
	case levelExternalID:
		key = nameKey(key, &t.credential.externalID)
	case levelID:
		key = idKey(key, &t.credential.id)
	}
	switch r.configuration() {
	case levelExternalID:
		key = nameKey(key, &t.configuration.externalID)
	case levelID:
		key = idKey(key, &t.configuration.id)
	}
	return key
}

// intern replaces the name of the integration and the external IDs of q with the claim's copies of them, in
// a Target that the caller provides so that none is allocated. A text that is not in the claim is taken
// out of q.known, and not put into q.unknown: like an absent identifier, it matches no name of a rule.
// Comparing then takes no time, however long the texts are: equal ones share memory, see name.equal.
func (s *ruleset) intern(q question, copy *Target) question {
	*copy = *q.Target
	q.Target = copy
	for _, which := range [...]Identifiers{IntegrationName, CredentialExternalID, ConfigurationExternalID} {
		if q.known&which == 0 {
			continue
		}
		if number := s.names.find(copy.name(which)); number != noName {
			*copy.name(which) = s.names.list[number]
		} else {
			q.known &^= which
		}
	}
	return q
}

// filled returns q with each identifier on the path of a rule set to what the rule names, even if q
// has another value. The changed target is in copy, so that nothing is allocated.
func (s *ruleset) filled(q question, copy *Target, rule uint32) question {
	*copy = *q.Target
	q.Target = copy
	for rule != noNode {
		n := &s.nodes[rule]
		q.known |= s.set(copy, n)
		rule = n.parent
	}
	return q
}

// set gives t what n names, and returns which identifier that is. A wildcard changes nothing.
func (s *ruleset) set(t *Target, n *node) Identifiers {
	switch n.pattern {
	case credentialByID:
		t.credential.id = n.id
	case configurationByID:
		t.configuration.id = n.id
	case integrationByName, credentialByExternalID, configurationByExternalID:
		*t.name(n.pattern.identifiers()) = s.names.list[n.name]
	}
	return n.pattern.identifiers()
}

// decider returns the most specific rule that applies (SPEC 4.1, 4.4), or noNode. It does what find does
// without a call, which makes a decision 10 to 15 % faster.
func (s *ruleset) decider(q question) uint32 {
	for left := s.ranks & applicable(q.level, q.known); left != 0; {
		r := left.highest()
		if wildcardRanks>>r&1 != 0 {
			return s.order[s.start[r]]
		}
		i, mark := slot(s.slots, q.key(r))
		for v := s.slots[i]; v != 0; v = s.slots[i] {
			if v&^maxNodes == mark {
				if number := v&maxNodes - 1; s.nodes[number].rank == r && s.matches(number, q.Target, 0) {
					return number
				}
			}
			i = next(s.slots, i)
		}
		left = left.without(r)
	}
	return noNode
}

// overridingDenial looks for a rule that can turn a yes into a no (SPEC 4.7). The rule with the number decider
// decides q, and grants the action with the number n. overridingDenial returns a rule that does not grant the
// action and that would decide if the unknown identifiers of q were those that the rule names. If it returns
// noNode, there is no such rule, and the answer is yes for every value of the unknown identifiers.
//
// It is enough to fill in the identifiers of one rule at a time. Suppose that rule R denies for some
// combination of values. Fill in only the identifiers that R names. R still applies. Every rule that
// applies now also applied with the full combination, so none overrides R.
func (s *ruleset) overridingDenial(q question, decider uint32, n int) uint32 {
	candidates := s.denying[n] & moreSpecific(s.nodes[decider].rank) &
		applicable(q.level, q.known|q.unknown) &^ applicable(q.level, q.known)
	if candidates == 0 {
		return noNode
	}
	var interned, copy Target
	q = s.intern(q, &interned)
	for ; candidates != 0; candidates = candidates.without(candidates.highest()) {
		// Rules in one map follow each other. Whether the path to the map matches is found once for all of them.
		parent, parentMatches := uint32(noNode), true
		for _, m := range s.ofRank(candidates.highest()) {
			rule := &s.nodes[m]
			if rule.parent != parent {
				parent = rule.parent
				parentMatches = s.matches(parent, q.Target, q.unknown)
			}
			if parentMatches && rule.grant>>n&1 == 0 && s.matches(m, q.Target, q.unknown) && s.decider(s.filled(q, &copy, m)) == m {
				return m
			}
		}
	}
	return noNode
}

// Visible reports whether some permission is allowed on the target or on anything that could be
// below it, so that a list may show it (SPEC 5.1). Everything is below the user. What is unknown
// counts as absent, so a query that does not select a column can hide rows, or show rows that a rule
// denies by it. A rule for configurations such as configuration:ext:NAME can make every credential
// visible, since each could have one. Being visible allows nothing. It is false for an invalid
// target, and for a nil or zero policy.
//
// Its time grows with the rules of the policy. For an intersection it can grow with the product of
// the numbers of rules that the parts have, see [Intersect].
func (p *Policy) Visible(target Target) bool {
	visible := target.questionError() == nil && p.visible(&target)
	if p != nil && p.hooks != nil {
		p.observe(AskedVisible, "", &target, Observation{Visible: visible})
	}
	return visible
}

func (p *Policy) visible(target *Target) bool {
	s := p.ruleset()
	switch {
	case p.isNone():
		return false
	case p.parts != nil:
		return p.parts.visible(target)
	case s.unrestricted:
		return true
	}
	// Suppose that a rule allows something at some depth. Take the target of that depth that has
	// only what is known and what the rule names. Fewer rules apply to it, so the same rule
	// decides. So it is enough to try each rule that grants something, at each depth.
	var interned, copy Target
	q := s.intern(question{target, target.level, target.known, 0}, &interned)
	free := allIdentifiers &^ identifiersTo(target.level)
	for ; q.level <= KindConfiguration; q.level++ {
		at := actingOn(q.level)
		if rule := s.decider(q); rule != noNode && s.nodes[rule].grant&at != 0 {
			return true
		}
		for left := s.granting & applicable(q.level, q.known|free); left != 0; left = left.without(left.highest()) {
			for _, m := range s.ofRank(left.highest()) {
				if s.nodes[m].grant&at != 0 && s.matches(m, q.Target, free) && s.decider(s.filled(q, &copy, m)) == m {
					return true
				}
			}
		}
	}
	return false
}

// actingOn returns the permissions that act on the target itself if they are asked of a target of
// this level, and not on something below it (SPEC 3.3). Extras are included.
func actingOn(level Kind) (g grant) { return actingOnLevel[level] }

// actingOnLevel is not modified.
var actingOnLevel = func() (table [KindConfiguration + 1]grant) {
	for level := KindUser; level <= KindConfiguration; level++ {
		for n := range grantOf {
			if a := acts(n); level == KindUser && a.user || level > KindUser && level >= a.level {
				table[level] |= 1 << n
			}
		}
		table[level] &^= grantTrue
	}
	return table
}()

// An Observation is a question that a policy was asked, and its answer. [Policy.Observe] hands it
// to hooks.
type Observation struct {
	Asked  Asked
	Action Permission // for AskedAction, and for AskedSelection unless it selects what is visible
	Target Target     // for AskedSelection, what the selected things are in

	Decision    Decision      // for AskedAction
	Permissions PermissionSet // for AskedPermissions
	Visible     bool          // for AskedVisible
}

// LogValue returns a group: asked, and then what goes with it: action, target, decision, permissions or
// visible.
func (o Observation) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("asked", o.Asked.String())}
	if o.Action != "" {
		attrs = append(attrs, slog.String("action", text.Plain(string(o.Action))))
	}
	attrs = append(attrs, slog.Any("target", o.Target))
	switch o.Asked {
	case AskedAction:
		attrs = append(attrs, slog.Any("decision", o.Decision))
	case AskedPermissions:
		attrs = append(attrs, slog.Any("permissions", o.Permissions))
	case AskedVisible:
		attrs = append(attrs, slog.Bool("visible", o.Visible))
	}
	return slog.GroupValue(attrs...)
}

// Asked says what a policy was asked.
type Asked uint8

const (
	AskedAction      Asked = 1 + iota // Allowed, Check or Decide
	AskedPermissions                  // Permissions
	AskedVisible                      // Visible
	AskedSelection                    // one of the selections
)

// String returns "action", "permissions", "visible" or "selection".
func (a Asked) String() string {
	switch a {
	case AskedAction:
		return "action"
	case AskedPermissions:
		return "permissions"
	case AskedVisible:
		return "visible"
	case AskedSelection:
		return "selection"
	}
	return "Asked(" + strconv.Itoa(int(a)) + ")"
}

// Observe returns a policy that answers as p does, and calls a hook with each question and its
// answer before it returns the answer. Invalid questions are among them. It is for those who must
// record access. The hook captures what else belongs in the record, such as the subject.
//
// The hooks that p has already are kept and called first. A nil hook adds nothing. A hook must be
// safe for use by as many goroutines as the policy is.
//
// A selection is one question: the hook sees that it was made, and not what it selects.
// [Policy.Explain] calls no hook, because it gives no access. Methods that list what the policy holds,
// such as [Policy.Rules], call none either.
func (p *Policy) Observe(hook func(Observation)) *Policy {
	if p == nil {
		p = new(Policy)
	}
	observed := *p
	if hook != nil {
		observed.hooks = append(observed.hooks[:len(observed.hooks):len(observed.hooks)], hook)
	}
	return &observed
}

// observe calls the hooks with an answer. It clones the texts, so that a hook may keep them.
func (p *Policy) observe(asked Asked, action Permission, target *Target, answer Observation) {
	answer.Asked, answer.Action, answer.Target = asked, Permission(strings.Clone(string(action))), target.clone()
	for _, hook := range p.hooks {
		hook(answer)
	}
}
