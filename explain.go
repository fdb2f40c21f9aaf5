package permissions

import (
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// An Explanation is a [Decision] with every step that led to it. [Policy.Explain] returns
// it. It is for people who may see the policy: it names rules, and with them what else the
// token may do, so it must not be sent to the caller who was denied.
//
// Its String is for a terminal or a ticket, its JSON for tools, and it is a
// [slog.LogValuer].
type Explanation struct {
	Action   Permission
	Target   Target
	Decision Decision

	// Unnamed is the kind of what has no name yet, where the question is about one by SPEC
	// 4.3: KindCredential for credential:write asked of an integration, KindConfiguration
	// for config:write asked of a credential. Otherwise it is 0. The Steps are those of the
	// question about it.
	Unnamed Kind

	// Steps are the rules, the most specific first and equals in the order of the claim, and
	// what became of each. All that apply to the target are there. Of those that do not,
	// there are up to five for each outcome and level, so that it stays readable; how many
	// are left out, Omitted says. There are none for an invalid question, for a policy
	// without rules, and for an intersection, which has Parts.
	Steps   []Step
	Omitted int

	// Hint is for a denial: the nearest change of the question that would have been allowed,
	// as far as that has no other identifiers than the rule in the hint names; or if there
	// is none, what stood in the way. It is looked for with a hundred rules that might help,
	// the least specific first. Of an intersection it is that of the part that denies, and
	// another part may deny what it proposes.
	Hint string

	// Parts are the explanations of the parts of an intersection, in the order of
	// [Policy.Parts]; otherwise none. Decision.Part says which one decided.
	Parts []Explanation
}

// A Step is a rule, and what became of it for a question.
type Step struct {
	Rule    Rule
	Outcome Outcome

	// By is the rule that overrides this one, with [Overridden]; the one that may deny, with
	// [Unsettled]; and with [Conditional] the one that would override it, if there is one.
	By Rule

	// Level is where the target has another name than the rule, or none, with [NoMatch].
	// It is the highest such level.
	Level Kind

	// Open is what the target leaves open and the rule names, with [Conditional].
	Open Identifiers
}

// An Outcome is what became of a rule. The zero Outcome is none.
type Outcome uint8

const (
	// Decides: it is the most specific rule that applies (SPEC 4.4).
	Decides Outcome = 1 + iota

	// Overridden: it applies, but a more specific rule does too.
	Overridden

	// Unsettled: it is the most specific rule that applies and grants the action, but a
	// [Conditional] one may deny it (SPEC 4.7).
	Unsettled

	// Conditional: it applies if an open identifier is the one that it names.
	Conditional

	// NoMatch: it names something else than the target does.
	NoMatch

	// Deeper: it is about something below the target.
	Deeper
)

// String returns the outcome in a word or two.
func (o Outcome) String() string {
	switch o {
	case Decides:
		return "decides"
	case Overridden:
		return "overridden"
	case Unsettled:
		return "unsettled"
	case Conditional:
		return "conditional"
	case NoMatch:
		return "no match"
	case Deeper:
		return "deeper"
	}
	return "Outcome(" + strconv.Itoa(int(o)) + ")"
}

// maxListed is how many steps there are of an outcome and level that does not apply.
const maxListed = 5

// maxTried is how many rules hint tries in vain, for each sort of change.
const maxTried = 100

// Explain answers as [Policy.Decide] does, with every step. Its decision is that of Decide.
// It does not call the hook of [Policy.Observe], because it gives no access.
//
// It looks at every rule of the policy, so do not explain on every request.
func (p *Policy) Explain(action Permission, target Target) Explanation {
	e := Explanation{Action: action, Target: target}
	named, valid := target.question()
	if action == "" || !valid {
		e.Decision.Reason = InvalidQuestion
		if err := (*Policy)(nil).Check(action, target); err != nil {
			e.Hint = strings.TrimPrefix(err.Error(), "permissions: invalid question: ")
		}
		return e
	}
	q := named
	q.ask(action)
	e.Decision = p.decide(q, action)
	if named.depth != q.depth {
		e.Unnamed = q.depth
	}
	if parts := p.Parts(); parts != nil {
		for _, part := range parts {
			e.Parts = append(e.Parts, part.Explain(action, target))
		}
		if !e.Decision.Allowed {
			e.Hint = e.Parts[e.Decision.Part-1].Hint
		}
		return e
	}
	s := p.ruleset()
	if s != nil {
		e.Steps, e.Omitted = s.steps(q, s.vocabulary().grant(action))
	}
	if !e.Decision.Allowed {
		e.Hint = e.hint(s, named)
	}
	return e
}

// steps returns the steps to the verdict on q.
func (s *ruleset) steps(q question, want grant) (steps []Step, omitted int) {
	rule, _, denier := s.verdict(q, want)
	listed := make(map[Step]int) // by outcome and level
	for i := len(s.order) - 1; i >= 0; {
		// Ranks run downwards, and the rules of each upwards.
		r := s.nodes[s.order[i]].rank
		for _, m := range s.order[s.start[r]:s.start[r+1]] {
			step := s.step(m, q)
			switch {
			case m == denier:
			case m == rule && denier != noNode:
				step.Outcome, step.By = Unsettled, Rule{s, denier}
			case m == rule:
				step.Outcome = Decides
			case step.Outcome == Overridden:
				step.By = Rule{s, rule}
			default:
				group := Step{Outcome: step.Outcome, Level: step.Level}
				if listed[group]++; listed[group] > maxListed {
					omitted++
					continue
				}
			}
			if step.Outcome == Conditional {
				var target Target
				filled := s.filled(q, &target, m)
				if by := s.decider(filled); by != m {
					step.By = Rule{s, by}
				}
			}
			steps = append(steps, step)
		}
		i = int(s.start[r]) - 1
	}
	return steps, omitted
}

// step returns what a rule is to q, taken alone. One that applies is Overridden.
func (s *ruleset) step(rule uint32, q question) Step {
	step := Step{Rule: Rule{s, rule}, Outcome: Overridden}
	for number := rule; number != noNode; number = s.nodes[number].parent {
		n := &s.nodes[number]
		switch {
		case n.id >= identifiers || n.id.kind() > q.depth || q.has(n):
		case q.open.has(n.id):
			step.Open |= 1 << n.id
		default:
			step.Level = n.id.kind()
		}
	}
	switch r := s.nodes[rule].rank; {
	case step.Level != 0:
		step.Outcome, step.Open = NoMatch, 0
	case r != 0 && r.kind() > q.depth: // integration:* applies to the user (SPEC 4.2)
		step.Outcome, step.Open = Deeper, 0
	case step.Open != 0:
		step.Outcome = Conditional
	}
	return step
}

// hint returns the hint for a denial, given what the target names.
func (e *Explanation) hint(s *ruleset, named question) string {
	switch {
	case e.Decision.Reason == NoPolicy:
		return "there is no policy: a nil or zero Policy denies everything"
	case e.Decision.Reason == Undetermined:
		var created Identifiers
		if e.Unnamed != 0 {
			created = e.Decision.Open & identifiersOf(e.Unnamed)
		}
		var advice []string
		if given := e.Decision.Open &^ created; given != 0 {
			advice = append(advice, "give the "+given.String()+", or None where there is none")
		}
		if created != 0 {
			advice = append(advice, "name the "+e.Unnamed.String()+" that is to be created: its ID is None, and its external ID too if it will have none")
		}
		return strings.Join(advice, "; ")
	}
	want := s.vocabulary().grant(e.Action)
	if want == grantOthers {
		var known []string
		for p := range s.vocabulary().names {
			known = append(known, string(p))
		}
		if meant := nearest(string(e.Action), known); meant != "" {
			return "did you mean " + quote(meant) + "?"
		}
	}
	closed := named
	closed.open = 0
	if hint := s.moreNamed(closed, named.open, want); hint != "" {
		return hint
	}
	if hint := s.otherwiseNamed(closed, want); hint != "" {
		return hint
	}
	if e.Decision.Reason == NoRule {
		if len(s.order) == 0 {
			return "the claim is empty, which allows nothing"
		}
		return "what no rule covers is denied"
	}
	rule := ruleText(e.Decision.Rule)
	for _, step := range e.Steps {
		if step.Outcome == Overridden && s.nodes[step.Rule.number].grant&want != grantNone {
			return rule + " stands above " + ruleText(step.Rule) + ", which grants it"
		}
	}
	return rule + " does not grant it"
}

// grants yields the rules that grant what is wanted, the least specific first.
func (s *ruleset) grants(want grant) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for _, m := range s.order {
			if s.nodes[m].grant&want != grantNone && !yield(m) {
				return
			}
		}
	}
}

// moreNamed returns the hint to name more than the target does, if a rule then grants what
// is wanted. What of q is open, the caller tells apart.
func (s *ruleset) moreNamed(q question, open Identifiers, want grant) string {
	tried := 0
	for m := range s.grants(want) {
		deeper := s.nodes[m].rank.kind() > q.depth && s.nodes[m].rank != 0
		missing := s.nodes[m].rank.names() & open
		if !deeper && missing == 0 || !s.fits(m, q, open|^identifiersTo[q.depth]) {
			continue
		}
		var target Target
		more := s.filled(q, &target, m)
		more.depth = max(q.depth, s.nodes[m].rank.kind())
		if s.allows(more, want) {
			var advice, below []string
			if missing != 0 {
				advice = append(advice, "give the "+missing.String())
			}
			for kind := q.depth + 1; kind <= more.depth; kind++ {
				below = append(below, "the "+kind.String())
			}
			if below != nil {
				advice = append(advice, "name "+strings.Join(below, " and "))
			}
			return strings.Join(advice, " and ") + ": " + ruleText(Rule{s, m}) + " grants it"
		}
		if tried++; tried == maxTried {
			break
		}
	}
	return ""
}

// otherwiseNamed returns the hint that something is probably named wrong, if a rule grants
// what is wanted when it is named so: in other letter case, or as an ID instead of an
// external ID.
func (s *ruleset) otherwiseNamed(q question, want grant) string {
	tried := 0
	for m := range s.grants(want) {
		if rank := s.nodes[m].rank; rank != 0 && rank.kind() > q.depth {
			break
		}
		other, near := q, true
		for number := m; number != noNode && near; number = s.nodes[number].parent {
			n := &s.nodes[number]
			if n.id >= identifiers || q.has(n) {
				continue
			}
			near = q.given.has(n.id) && strings.EqualFold(q.name(n.id), n.name)
			other.given &^= 1 << n.id
			for id := range identifiers {
				if id != n.id && id.kind() == n.id.kind() && q.given.has(id) && id.same(n.name, q.name(id)) {
					near = true
					other.given &^= 1 << id
				}
			}
		}
		if !near {
			continue
		}
		var target Target
		other = s.filled(other, &target, m)
		if s.allows(other, want) {
			return "did you mean " + ruleText(Rule{s, m}) + ", which grants it? Letter case counts, and an ID is no external ID"
		}
		if tried++; tried == maxTried {
			break
		}
	}
	return ""
}

// allows reports whether what is wanted is granted by q, in which nothing is open.
func (s *ruleset) allows(q question, want grant) bool {
	asked := q
	if want == asked.creation() {
		asked.descend()
	}
	_, granted, _ := s.verdict(asked, want)
	return granted != grantNone
}

// String returns the decision, a line for each step, and the hint. It shortens what is
// long, and what could not be told from the text around it stands in quotes.
func (e Explanation) String() string {
	var b strings.Builder
	e.write(&b, "")
	return strings.TrimSuffix(b.String(), "\n")
}

// write writes lines, all of them indented.
func (e *Explanation) write(b *strings.Builder, indent string) {
	if indent == "" {
		fmt.Fprintf(b, "%s: %s on %s\n", e.verb(), quote(string(e.Action)), e.Target)
		if e.Unnamed != 0 {
			fmt.Fprintf(b, "asked about a %s that is to be created and has no name yet\n", e.Unnamed)
		}
	}
	fmt.Fprintf(b, "%sreason: %s\n", indent, e.reason())
	for i, part := range e.Parts {
		fmt.Fprintf(b, "part %d: %s\n", i+1, part.verb())
		part.write(b, "  ")
	}
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, step := range e.Steps {
		fmt.Fprintf(table, "%s  %s\tgrants %s\t%s\n", indent, ruleText(step.Rule), step.Rule.Grant(), step.text())
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
	case d.Rule != Rule{}:
		return ruleText(d.Rule) + " grants " + d.Rule.Grant().String()
	}
	return d.explain()
}

// text says what became of the rule.
func (s *Step) text() string {
	switch s.Outcome {
	case Overridden:
		return "overridden by " + ruleText(s.By)
	case Unsettled:
		return "may be overridden by " + ruleText(s.By)
	case Conditional:
		if s.By != (Rule{}) {
			return "would be overridden by " + ruleText(s.By) + " with that " + s.Open.String()
		}
		return "would decide with that " + s.Open.String()
	case NoMatch:
		return "does not match the " + s.Level.String()
	case Deeper:
		return "deeper than the question"
	}
	return s.Outcome.String()
}

// String returns the step in one line.
func (s Step) String() string {
	return ruleText(s.Rule) + " grants " + s.Rule.Grant().String() + ": " + s.text()
}

// ruleText returns the path of a rule for a line of text: a scope that is long or that
// holds what a terminal does not show stands in quotes.
func ruleText(r Rule) string {
	var b strings.Builder
	for i, scope := range r.Path() {
		if i > 0 {
			b.WriteByte('/')
		}
		text := scope.String()
		if len(text) > maxQuoted || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			text = quote(text)
		}
		b.WriteString(text)
	}
	return b.String()
}

// LogValue returns the explanation as a group: action, target, the decision's own group,
// the steps as lines, and the hint; of an intersection a group for each part.
func (e Explanation) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("action", string(e.Action)), slog.Any("target", e.Target), slog.Any("decision", e.Decision),
	}
	if e.Unnamed != 0 {
		attrs = append(attrs, slog.String("unnamed", e.Unnamed.String()))
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
		attrs = append(attrs, slog.Any("part "+strconv.Itoa(i+1), part))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON returns an object with the members
//
//	action, allowed, reason, rule, open, part   of the question and the decision
//	target      integration, and credential and configuration with id and ext; null is None
//	unnamed     the kind of what has no name yet
//	steps       rule, pointer, grants (true or an array), outcome, by, level, open
//	omitted     how many steps are left out
//	hint
//	parts       explanations
//
// Rules are paths as [Rule.String] has them, open is an array of identifiers' names, and
// reason and outcome are their String. What is empty is left out, but for action, allowed,
// reason, target, and a step's rule, pointer, grants and outcome.
func (e Explanation) MarshalJSON() ([]byte, error) {
	out := explanationJSON{
		Action: e.Action, Allowed: e.Decision.Allowed, Reason: e.Decision.Reason.String(), Rule: e.Decision.Rule.String(),
		Open: e.Decision.Open.names(), Part: e.Decision.Part, Target: targetJSON(e.Target), Unnamed: e.Unnamed.String(),
		Omitted: e.Omitted, Hint: e.Hint, Parts: e.Parts,
	}
	for _, step := range e.Steps {
		var grants any = true
		if set := step.Rule.Grant(); !set.IsAll() {
			grants = slices.AppendSeq([]Permission{}, set.All())
		}
		out.Steps = append(out.Steps, stepJSON{
			Rule: step.Rule.String(), Pointer: step.Rule.Pointer(), Grants: grants, Outcome: step.Outcome.String(),
			By: step.By.String(), Level: step.Level.String(), Open: step.Open.names(),
		})
	}
	return json.Marshal(out)
}

type explanationJSON struct {
	Action  Permission     `json:"action"`
	Target  map[string]any `json:"target"`
	Allowed bool           `json:"allowed"`
	Reason  string         `json:"reason"`
	Rule    string         `json:"rule,omitempty"`
	Open    []string       `json:"open,omitempty"`
	Part    int            `json:"part,omitempty"`
	Unnamed string         `json:"unnamed,omitempty"`
	Steps   []stepJSON     `json:"steps,omitempty"`
	Omitted int            `json:"omitted,omitempty"`
	Hint    string         `json:"hint,omitempty"`
	Parts   []Explanation  `json:"parts,omitempty"`
}

type stepJSON struct {
	Rule    string   `json:"rule"`
	Pointer string   `json:"pointer"`
	Grants  any      `json:"grants"`
	Outcome string   `json:"outcome"`
	By      string   `json:"by,omitempty"`
	Level   string   `json:"level,omitempty"`
	Open    []string `json:"open,omitempty"`
}

// targetJSON returns a target as nested maps.
func targetJSON(t Target) map[string]any {
	all := make(map[string]any)
	for _, f := range t.fields() {
		if f.value == "" {
			continue
		}
		var value any
		if f.value != None {
			value = f.value
		}
		if f.id == integrationName {
			all["integration"] = value
			continue
		}
		kind, key := f.id.kind().String(), "id"
		if f.id.form() == formExternal {
			key = "ext"
		}
		if all[kind] == nil {
			all[kind] = make(map[string]any)
		}
		all[kind].(map[string]any)[key] = value
	}
	return all
}

// names returns the names of the identifiers.
func (s Identifiers) names() []string {
	var list []string
	for id := range identifiers {
		if s.has(id) {
			list = append(list, id.String())
		}
	}
	return list
}
