package permissions

import (
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/connectperms/permissions/internal/text"
)

// An Explanation is a [Decision] with the rules that led to it. [Policy.Explain] returns it. It is
// for people who may see the policy. It names rules, and with them what else the token may do, so
// do not send it to a caller who was denied.
//
// Its String is for a terminal or a ticket, its JSON for programs, and it is a [slog.LogValuer].
type Explanation struct {
	Action   Permission
	Target   Target
	Decision Decision

	// ActsOn is the level of what the action acts on (SPEC 3.3). It is deeper than the target
	// where the action acts on something in the target: a credential for proxy-api asked of an
	// integration. New says that it is yet to be created. ActsOn is 0 for an invalid question.
	ActsOn Kind
	New    bool

	// Steps are the rules and what became of each, the most specific first. Rules of the same rank
	// are in the order of the claim. Every rule that applies to the target is there, and the rule
	// that may deny. Of all others there are up to five for each outcome and level. Omitted counts
	// the rest. There are no steps for an invalid question, for a policy without rules, and for an
	// intersection, which has Parts.
	Steps   []Step
	Omitted int

	// Hint is what to try after a denial: what to look up, or a change of the question for which a
	// rule would grant the action. If none is found, it says why the answer is no. For an invalid
	// question it says what is wrong with it.
	//
	// The changed question may still be denied for what it leaves unknown. The search gives up
	// after a hundred rules that do not help, for each sort of change, and begins with the least
	// specific. For an intersection, Hint is that of the part that denies. Another part may deny
	// what it proposes.
	Hint string

	// Parts are the explanations of the parts of an intersection, in the order of
	// [Policy.Parts]. Otherwise there are none.
	Parts []Explanation
}

// A Step is a rule, and what became of it for a question.
type Step struct {
	Rule    Rule
	Outcome Outcome

	// By is the rule that overrides this one, with OutcomeOverridden; the rule that may deny,
	// with OutcomeUndetermined; and with OutcomeConditional the rule that would override this
	// one, if there is such a rule. Otherwise it is the zero Rule.
	By Rule

	// Level is the level at which the rule names something else, with OutcomeNoMatch. Otherwise
	// it is 0.
	Level Kind

	// Unknown has the unknown identifiers that the rule names, with OutcomeConditional.
	// Otherwise it is empty.
	Unknown Identifiers
}

// An Outcome is what became of a rule for a question.
type Outcome uint8

const (
	// OutcomeDecides: the rule is the most specific one that applies.
	OutcomeDecides Outcome = 1 + iota

	// OutcomeOverridden: the rule applies, and a more specific one does too.
	OutcomeOverridden

	// OutcomeUndetermined: the rule is the most specific one that applies, but what is unknown
	// could make another one apply, which denies (SPEC 4.7).
	OutcomeUndetermined

	// OutcomeConditional: the rule would apply if what is unknown were what it names.
	OutcomeConditional

	// OutcomeNoMatch: the rule names something else than the target has.
	OutcomeNoMatch

	// OutcomeDeeper: the rule is about something below what the question is about.
	OutcomeDeeper
)

// String returns the code of the outcome, such as "no_match". Codes do not change.
func (o Outcome) String() string {
	switch o {
	case OutcomeDecides:
		return "decides"
	case OutcomeOverridden:
		return "overridden"
	case OutcomeUndetermined:
		return "undetermined"
	case OutcomeConditional:
		return "conditional"
	case OutcomeNoMatch:
		return "no_match"
	case OutcomeDeeper:
		return "deeper"
	}
	return "Outcome(" + strconv.Itoa(int(o)) + ")"
}

// MarshalText returns [Outcome.String].
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

const (
	maxListed = 5   // the most steps listed for one outcome and level, of rules that do not apply
	maxTried  = 100 // how many rules a hint tries in vain, for each sort of change
)

// Explain answers as [Policy.Decide] does, and says what became of the rules. It calls no hook of
// [Policy.Observe], because it gives no access.
//
// It looks at every rule of the policy, so do not explain on every request.
func (p *Policy) Explain(action Permission, target Target) Explanation {
	e := Explanation{Action: Permission(strings.Clone(string(action))), Target: target.clone()}
	if p.isInvalid(action, &target) {
		e.Decision.Reason = ReasonInvalidQuestion
		e.Hint = p.questionError(action, target).explain()
		return e
	}
	n, _ := p.vocabulary().number(action)
	e.Decision = p.answer(action, &target)
	e.setActsOn(acts(n))
	if parts := p.Parts(); parts != nil {
		for _, part := range parts {
			if _, known := part.vocabulary().number(action); known {
				e.Parts = append(e.Parts, part.Explain(action, target))
				continue
			}
			hint := "this part does not know the permission; declare it with WithPermissions"
			if part.isNone() {
				hint = noPolicyHint
			}
			e.Parts = append(e.Parts, Explanation{
				Action: e.Action, Target: e.Target, Decision: part.answer(action, &target), ActsOn: e.ActsOn, Hint: hint,
			})
		}
		if !e.Decision.Allowed {
			e.Hint = e.Parts[e.Decision.Part-1].Hint
		}
		return e
	}
	s := p.ruleset()
	if s == nil {
		e.Hint = noPolicyHint
		return e
	}
	if s.unrestricted {
		return e
	}
	var copy Target
	q := s.intern(target.ask(acts(n)), &copy)
	e.Steps, e.Omitted = s.steps(q, n)
	if !e.Decision.Allowed {
		e.Hint = e.hint(s, q, n)
	}
	return e
}

const noPolicyHint = "there is no policy: a nil or zero Policy denies everything"

// setActsOn sets the level of what the action acts on.
func (e *Explanation) setActsOn(a actsOn) {
	e.ActsOn = e.Target.level
	if e.ActsOn > KindUser && e.ActsOn < a.level {
		e.ActsOn, e.New = a.level, a.creates
	}
}

// steps returns the steps to the answer about the action with number n.
func (s *ruleset) steps(q question, n int) (steps []Step, omitted int) {
	decider, denial := s.decider(q), uint32(noNode)
	if decider != noNode && s.nodes[decider].grant>>n&1 != 0 {
		denial = s.overridingDenial(q, decider, n)
	}
	var listed [OutcomeDeeper + 1][KindConfiguration + 1]int
	for left := s.ranks; left != 0; left = left.without(left.highest()) {
		for _, m := range s.ofRank(left.highest()) {
			step := s.step(m, q)
			switch {
			case m == denial:
			case m == decider && denial != noNode:
				step.Outcome, step.By = OutcomeUndetermined, Rule{s, denial}
			case m == decider:
				step.Outcome = OutcomeDecides
			case step.Outcome == OutcomeOverridden:
				step.By = Rule{s, decider}
			default:
				count := &listed[step.Outcome][step.Level]
				if *count++; *count > maxListed {
					omitted++
					continue
				}
			}
			if step.Outcome == OutcomeConditional {
				var copy Target
				if by := s.decider(s.filled(q, &copy, m)); by != m {
					step.By = Rule{s, by}
				}
			}
			steps = append(steps, step)
		}
	}
	return steps, omitted
}

// step returns the outcome of one rule for q, without a look at the other rules. A rule that
// applies gets OutcomeOverridden, and steps corrects that for the rule that decides.
func (s *ruleset) step(rule uint32, q question) Step {
	step := Step{Rule: Rule{s, rule}, Outcome: OutcomeOverridden}
	for number := rule; number != noNode; number = s.nodes[number].parent {
		n := &s.nodes[number]
		switch which := n.pattern.identifiers(); {
		case which == 0 || n.pattern.kind() > q.level || s.has(q, n):
		case q.unknown.Has(which):
			step.Unknown |= which
		default:
			step.Level = n.pattern.kind()
		}
	}
	switch r := s.nodes[rule].rank; {
	case step.Level != 0:
		step.Outcome, step.Unknown = OutcomeNoMatch, 0
	case r != 0 && r.kind() > q.level: // integration:* applies to the user too (SPEC 4.2)
		step.Outcome, step.Unknown = OutcomeDeeper, 0
	case step.Unknown != 0:
		step.Outcome = OutcomeConditional
	}
	return step
}

// hint returns the hint for a denial by the rules of one claim.
func (e *Explanation) hint(s *ruleset, q question, n int) string {
	if e.Decision.Reason == ReasonUndetermined {
		return e.lookUpHint(e.Decision.Unknown)
	}
	if hint := e.moreNamed(s, q, n); hint != "" {
		return hint
	}
	if hint := e.otherwiseNamed(s, q, n); hint != "" {
		return hint
	}
	if e.Decision.Reason == ReasonNoRule {
		if len(s.order) == 0 {
			return "the claim is empty, which allows nothing"
		}
		return "what no rule covers is denied"
	}
	for _, step := range e.Steps {
		if step.Outcome == OutcomeOverridden && s.nodes[step.Rule.number].grant>>n&1 != 0 {
			return e.Decision.Rule.String() + " overrides " + step.Rule.String() + ", which grants it"
		}
	}
	return e.Decision.Rule.String() + " does not grant it"
}

// lookUpHint returns the hint to give identifiers that are unknown.
func (e *Explanation) lookUpHint(unknown Identifiers) string {
	var advice []string
	if missing := unknown & identifiersTo(e.Target.level); missing != 0 {
		give := " and give it to the target, or say that it is absent"
		if missing.areSeveral() {
			give = " and give them to the target, or say which are absent"
		}
		advice = append(advice, "look up the "+missing.String()+give)
	}
	for k := max(e.Target.level, KindIntegration) + 1; k <= e.ActsOn; k++ {
		switch {
		case unknown&identifiersOf(k) == 0:
		case e.New && k == e.ActsOn:
			advice = append(advice, "say what is known of the new "+k.String()+": NoID(), and ExternalID or NoExternalID()")
		default:
			advice = append(advice, "ask about the "+k.String()+" that will be used, with its ID and external ID")
		}
	}
	return strings.Join(advice, "; ")
}

// grants yields the rules that grant the action with number n, the least specific first.
func (s *ruleset) grants(n int) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, m := range s.order {
			if s.nodes[m].grant>>n&1 != 0 && !yield(m) {
				return
			}
		}
	}
}

// moreNamed returns a hint: to give more identifiers, or to ask about something deeper than the target. A rule then
// grants the action. If no rule would, the hint is "". For an action that can create what it acts on,
// it names nothing below that: about a credential to be connected it does not say to ask about a configuration,
// which would be another question.
func (e *Explanation) moreNamed(s *ruleset, q question, n int) string {
	tried := 0
	for m := range s.grants(n) {
		r := s.nodes[m].rank
		deeper := r.kind() > q.level && r != 0
		missing := r.identifiers() & q.unknown
		free := q.unknown | allIdentifiers&^identifiersTo(q.level)
		if deeper && acts(n).creates || !deeper && missing == 0 || r.identifiers()&^(q.known|free) != 0 || !s.matches(m, q.Target, free) {
			continue
		}
		var copy Target
		more := s.filled(q, &copy, m)
		more.level = max(q.level, r.kind(), acts(n).level)
		if s.decider(more) == m {
			var advice []string
			if atTarget := missing & identifiersTo(e.Target.level); atTarget != 0 {
				advice = append(advice, "give the "+atTarget.String())
			}
			switch below := r.identifiers() &^ identifiersTo(e.Target.level); {
			case below != 0 && e.New && below&^identifiersOf(e.ActsOn) == 0: // what is new has no ID
				advice = append(advice, "ask about a new "+r.kind().String()+" with this external ID, if it will have that")
			case below != 0:
				advice = append(advice, "ask about the "+r.kind().String()+" itself, if it will be used")
			case deeper:
				advice = append(advice, "ask about a "+r.kind().String()+", if one will be used")
			}
			return strings.Join(advice, " and ") + ": " + (Rule{s, m}).String() + " grants it"
		}
		if tried++; tried == maxTried {
			break
		}
	}
	return ""
}

// otherwiseNamed returns a hint for a name in another letter case, or for an ID given as an
// external ID, if a rule would then grant the action.
func (e *Explanation) otherwiseNamed(s *ruleset, q question, n int) string {
	near := nearNames{rules: s, latest: make(map[pattern]nearName)}
	for p := range near.own {
		if which := pattern(p).identifiers(); which != 0 {
			near.own[p], _ = e.Target.Lookup(which)
		}
	}
	tried := 0
	for m := range s.grants(n) {
		if s.nodes[m].rank.kind() > q.level {
			return "" // the rules that follow are as deep
		}
		other, isNear := q, true
		for number := m; number != noNode && isNear; number = s.nodes[number].parent {
			node := &s.nodes[number]
			if node.pattern.isWildcard() || s.has(q, node) {
				continue
			}
			var wrong Identifiers
			wrong, isNear = near.find(number)
			other.known &^= wrong
		}
		if !isNear {
			continue
		}
		var copy Target
		if s.decider(s.filled(other, &copy, m)) == m {
			return "did you mean " + (Rule{s, m}).String() + ", which grants it? Letter case counts, and an ID is not an external ID"
		}
		if tried++; tried == maxTried {
			break
		}
	}
	return ""
}

// nearNames finds identifiers of a target that equal what rules name, except for letter case or for
// being given as an ID in place of an external ID, or the other way round.
type nearNames struct {
	rules  *ruleset
	own    [patterns]string     // what the target has for each pattern, if that is known
	latest map[pattern]nearName // so that the name of a scope is not compared again for each scope in it
}

type nearName struct {
	node  *node
	wrong Identifiers
}

// find returns the identifiers of the target that nearly equal what a node names. It is not ok if
// there are none.
func (f *nearNames) find(number uint32) (wrong Identifiers, ok bool) {
	n := &f.rules.nodes[number]
	if latest := f.latest[n.pattern]; latest.node != nil && latest.node.name == n.name && latest.node.id == n.id {
		return latest.wrong, latest.wrong != 0
	}
	name := f.rules.scope(number).name
	for p, own := range f.own {
		if pattern(p).kind() == n.pattern.kind() && len(own) == len(name) {
			work(len(name))
			if strings.EqualFold(own, name) {
				wrong |= pattern(p).identifiers()
			}
		}
	}
	f.latest[n.pattern] = nearName{n, wrong}
	return wrong, wrong != 0
}

// String returns the decision, a line for each step, and the hint.
func (e Explanation) String() string {
	var b strings.Builder
	e.write(&b, "")
	return strings.TrimSuffix(b.String(), "\n")
}

// write writes lines, all of them indented.
func (e *Explanation) write(b *strings.Builder, indent string) {
	if indent == "" {
		fmt.Fprintf(b, "%s: %s on %s\n", e.verb(), text.Quote(string(e.Action)), e.Target)
		if e.ActsOn > e.Target.level {
			newness := ""
			if e.New {
				newness = "new "
			}
			fmt.Fprintf(b, "acts on: some %s%s in it\n", newness, e.ActsOn)
		}
	}
	fmt.Fprintf(b, "%sreason: %s\n", indent, e.reason())
	for i, part := range e.Parts {
		fmt.Fprintf(b, "part %d: %s\n", i+1, part.verb())
		part.write(b, "  ")
	}
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, step := range e.Steps {
		fmt.Fprintf(table, "%s  %s\tgrants %s\t%s\n", indent, step.Rule, step.Rule.Grant(), step.text())
	}
	table.Flush()
	if e.Omitted > 0 {
		fmt.Fprintf(b, "%s  and %d more that do not apply\n", indent, e.Omitted)
	}
	if e.Hint != "" {
		fmt.Fprintf(b, "%shint: %s\n", indent, e.Hint)
	}
}

func (e *Explanation) verb() string {
	if e.Decision.Allowed {
		return "allowed"
	}
	return "denied"
}

func (e *Explanation) reason() string {
	d := e.Decision
	switch {
	case d.Part != 0 && d.Allowed:
		return "all parts allow it"
	case d.Part != 0:
		return "part " + strconv.Itoa(d.Part) + " denies it"
	}
	return d.explain()
}

// text says what became of the rule.
func (s *Step) text() string {
	switch s.Outcome {
	case OutcomeDecides:
		return "decides"
	case OutcomeOverridden:
		return "overridden by " + s.By.String()
	case OutcomeUndetermined:
		return "may be overridden by " + s.By.String()
	case OutcomeConditional:
		if s.By != (Rule{}) {
			return "would match with its " + s.Unknown.String() + ", but " + s.By.String() + " would override it"
		}
		return "would decide with its " + s.Unknown.String()
	case OutcomeNoMatch:
		return "does not match the " + s.Level.String()
	case OutcomeDeeper:
		return "is about something deeper"
	}
	return s.Outcome.String()
}

// String returns the step in one line.
func (s Step) String() string {
	return s.Rule.String() + " grants " + s.Rule.Grant().String() + ": " + s.text()
}

// LogValue returns [Step.String].
func (s Step) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON returns an object with the members rule (see [Rule.MarshalJSON]), outcome (a code), by
// (another rule), level (the name of a kind) and unknown (see [Identifiers.MarshalJSON]). The last
// three are left out where the step has none.
func (s Step) MarshalJSON() ([]byte, error) {
	out := struct {
		Rule    Rule        `json:"rule"`
		Outcome Outcome     `json:"outcome"`
		By      *Rule       `json:"by,omitempty"`
		Level   string      `json:"level,omitempty"`
		Unknown Identifiers `json:"unknown,omitempty"`
	}{Rule: s.Rule, Outcome: s.Outcome, Level: s.Level.String(), Unknown: s.Unknown}
	if s.By != (Rule{}) {
		out.By = &s.By
	}
	return marshal(out)
}

// LogValue returns the explanation as a group: action, target, decision, acts_on and new, the steps
// as lines, omitted and hint. For an intersection it has a group for each part: part_1 and so on.
// What is empty is left out. acts_on and new are there only if ActsOn is deeper than the target.
func (e Explanation) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("action", text.Plain(string(e.Action))), slog.Any("target", e.Target), slog.Any("decision", e.Decision),
	}
	if e.ActsOn > e.Target.level {
		attrs = append(attrs, slog.String("acts_on", e.ActsOn.String()), slog.Bool("new", e.New))
	}
	if len(e.Steps) > 0 {
		var lines []string
		for _, step := range e.Steps {
			lines = append(lines, step.String())
		}
		attrs = append(attrs, slog.Any("steps", lines))
	}
	if e.Omitted > 0 {
		attrs = append(attrs, slog.Int("omitted", e.Omitted))
	}
	if e.Hint != "" {
		attrs = append(attrs, slog.String("hint", e.Hint))
	}
	for i, part := range e.Parts {
		attrs = append(attrs, slog.Any("part_"+strconv.Itoa(i+1), part))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON returns an object with the members
//
//	action
//	target    see [Target.MarshalJSON]; null for an invalid target
//	decision  see [Decision.MarshalJSON]
//	actsOn    the name of a kind
//	new       true, for what is yet to be created
//	steps     see [Step.MarshalJSON]
//	omitted   how many steps are left out
//	hint
//	parts     explanations
//
// All but the first three are left out where there is nothing to say.
func (e Explanation) MarshalJSON() ([]byte, error) {
	out := struct {
		Action   Permission    `json:"action"`
		Target   *Target       `json:"target"`
		Decision Decision      `json:"decision"`
		ActsOn   string        `json:"actsOn,omitempty"`
		New      bool          `json:"new,omitempty"`
		Steps    []Step        `json:"steps,omitempty"`
		Omitted  int           `json:"omitted,omitempty"`
		Hint     string        `json:"hint,omitempty"`
		Parts    []Explanation `json:"parts,omitempty"`
	}{
		Action: e.Action, Decision: e.Decision, ActsOn: e.ActsOn.String(), New: e.New, Steps: e.Steps, Omitted: e.Omitted,
		Hint: e.Hint, Parts: e.Parts,
	}
	if e.Target.questionError() == nil {
		out.Target = &e.Target
	}
	return marshal(out)
}
