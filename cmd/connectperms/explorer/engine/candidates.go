package engine

import (
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// candidates are the rules that can match a target, or something below it, whatever the unknown identifiers are, and
// a policy of only these rules. No other rule decides about the target. In a large claim the candidates are few.
type candidates struct {
	rules   []int // in the order of the text
	policy  *permissions.Policy
	numbers map[permissions.Rule]int // in the claim, of the rules of the policy
}

func (cs *candidates) number(r permissions.Rule) int { return numberOf(r, cs.numbers) }

// candidatesFor returns the candidates for a target. For the user they are the rules that an explanation lists:
// integration:*, and the first of the deeper ones.
func (c *claim) candidatesFor(t permissions.Target) candidates {
	name, state := t.Lookup(permissions.IntegrationName)
	if state != permissions.Known {
		return c.userCandidates()
	}
	w := candidateWalk{view: c.rows(), facts: factsOf(t)}
	if scope, err := permissions.ParseScope("integration:" + name); err == nil {
		w.below(0, scope)
	}
	w.below(0, anyOf[permissions.KindIntegration])
	slices.Sort(w.rules)
	return c.candidatesOf(w.rules)
}

// candidatesOf returns rules with a policy of only these. They must be in the order of the claim, because an
// explanation lists them in that order.
func (c *claim) candidatesOf(rules []int) candidates {
	candidates := candidates{rules, c.policy, c.numbers}
	if len(rules) == len(c.rules) {
		return candidates
	}
	policy, err := permissions.Parse([]byte(c.textOf(rules)))
	if err != nil { // never: some rules of a claim are a claim
		return candidates
	}
	candidates.policy, candidates.numbers = policy, make(map[permissions.Rule]int, len(rules))
	for r := range policy.Rules() {
		candidates.numbers[r] = rules[len(candidates.numbers)]
	}
	return candidates
}

// textOf returns the text of a claim with only the given rules, which are in the order of c, and without empty nested
// maps.
func (c *claim) textOf(rules []int) string {
	var b strings.Builder
	var open []int // the members whose maps are open
	b.WriteByte('{')
	for i, number := range rules {
		at := c.ruleAt[number]
		var around []int
		for parent := c.members[at].parent; parent >= 0; parent = c.members[parent].parent {
			around = append(around, parent)
		}
		slices.Reverse(around)
		same := 0
		for same < min(len(open), len(around)) && open[same] == around[same] {
			same++
		}
		b.WriteString(strings.Repeat("}", len(open)-same))
		if i > 0 {
			b.WriteByte(',')
		}
		for _, parent := range around[same:] {
			b.WriteString(c.text[c.members[parent].from:c.members[parent].keyTo] + ":{")
		}
		open = around
		b.WriteString(c.text[c.members[at].from:c.members[at].valueTo])
	}
	b.WriteString(strings.Repeat("}", len(open)+1))
	return b.String()
}

// policyOf returns a policy of some rules of the claim, in which the rule at path has the given grant. If there is no
// such rule, it is added. An empty path changes nothing.
func (c *claim) policyOf(
	rules []int, path []permissions.Scope, grant []permissions.Permission,
) (*permissions.Policy, error) {
	var b permissions.Builder
	for _, number := range rules {
		if other := c.paths[number]; !slices.Equal(other, path) {
			b.At(other...).Grant(c.rules[number].Grant())
		}
	}
	if len(path) > 0 {
		b.At(path...).Allow(grant...)
	}
	return b.Build()
}

// allowedWith reports whether the question of an explanation is allowed once the rule at path has the given grant. An
// integration can have thousands of candidates, so it first tries fewer rules:
//
//   - The rules that apply and one conditional rule, for each conditional rule that denies and that no rule would
//     override. A no is final, because no other rule overrides the conditional one.
//   - The candidates without the harmless ones. A harmless rule is not known to apply, and it grants the action
//     or, if the rule at path applies, is less deep than that rule. A yes is final, because a harmless rule cannot
//     turn it into a no.
//
// Only then does it try all candidates.
func (c *claim) allowedWith(
	x permissions.Explanation, candidates *candidates, path []permissions.Scope, grant []permissions.Permission,
) bool {
	try := func(rules []int) bool {
		policy, err := c.policyOf(rules, path, grant)
		return err == nil && policy.Allowed(x.Action, x.Target)
	}
	var applying, denying []int
	for _, s := range x.Steps {
		switch number := candidates.number(s.Rule); s.Outcome {
		case permissions.OutcomeNoMatch, permissions.OutcomeDeeper:
		case permissions.OutcomeConditional:
			if s.By == (permissions.Rule{}) && !s.Rule.Grant().Has(x.Action) {
				denying = append(denying, number)
			}
		default:
			applying = append(applying, number)
		}
	}
	for _, number := range denying {
		if !try(append(slices.Clip(applying), number)) {
			return false
		}
	}
	applies := !slices.ContainsFunc(candidates.rules, func(number int) bool { // a new rule does
		return slices.Equal(c.paths[number], path) && !slices.Contains(applying, number)
	})
	few := slices.DeleteFunc(slices.Clone(candidates.rules), func(number int) bool {
		isHarmless := c.rules[number].Grant().Has(x.Action) || applies && len(c.paths[number]) < len(path)
		return isHarmless && !slices.Contains(applying, number)
	})
	return try(few) || len(few) < len(candidates.rules) && try(candidates.rules)
}

// candidateWalk walks the rows that can match what is known of a target.
type candidateWalk struct {
	view  *view
	facts facts
	rules []int
}

// below walks the row of a scope directly below the row at, if there is such a row.
func (w *candidateWalk) below(at int, scope permissions.Scope) {
	if child, ok := w.view.child(at, scope); ok {
		w.row(child)
	}
}

func (w *candidateWalk) row(at int) {
	row := &w.view.rows[at]
	if row.own[0] >= 0 {
		w.rules = append(w.rules, row.own[0])
	}
	for child := at + 1; child <= at+row.descendants; child += 1 + w.view.rows[child].descendants {
		if scope := w.view.rows[child].scope; w.facts.canBe(scope) {
			w.row(child)
		}
	}
}

// facts are what is known of a target. The index is the bit of an identifier; ConfigurationID is the
// greatest.
type facts [permissions.ConfigurationID + 1]fact

type fact struct {
	text  string
	state permissions.State
}

func factsOf(t permissions.Target) (known facts) {
	look := func(which permissions.Identifiers) {
		text, state := t.Lookup(which)
		known[which] = fact{text, state}
	}
	look(permissions.IntegrationName)
	for _, l := range levels {
		look(l.id)
		look(l.externalID)
	}
	return known
}

// canBe reports whether a scope matches for some values of what is unknown.
func (f *facts) canBe(scope permissions.Scope) bool {
	if scope.IsWildcard() {
		return true
	}
	known := &f[identifier(scope)]
	return known.state == permissions.Unknown || known.state == permissions.Known && known.text == scope.Name()
}
