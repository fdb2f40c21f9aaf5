package engine

import (
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// nearby are the rules that match a target, or something in it, for some values of what is unknown, and a policy
// of them alone. The others have no say in any answer about the target, and do not apply in an explanation. In a
// large claim these are few.
type nearby struct {
	rules   []int // in the order of the text
	policy  *permissions.Policy
	numbers map[permissions.Rule]int // in the claim, of the rules of the policy
}

func (n *nearby) number(r permissions.Rule) int { return numberOf(r, n.numbers) }

// near returns the rules near a target. For the user they are those that an explanation lists: integration:*, and
// the first of those that are deeper.
func (c *claim) near(t permissions.Target) nearby {
	name, state := t.Lookup(permissions.IntegrationName)
	if state != permissions.Known {
		return c.nearUser()
	}
	w := nearWalk{view: c.rows(), facts: factsOf(t)}
	if scope, err := permissions.ParseScope("integration:" + name); err == nil {
		w.below(0, scope)
	}
	w.below(0, anyOf[permissions.KindIntegration])
	slices.Sort(w.rules)
	return c.nearby(w.rules)
}

// nearby returns some rules with their policy. It has them in the order of the claim, in which an explanation
// lists them.
func (c *claim) nearby(rules []int) nearby {
	near := nearby{rules, c.policy, c.numbers}
	if len(rules) == len(c.rules) {
		return near
	}
	policy, err := permissions.Parse([]byte(c.textOf(rules)))
	if err != nil { // a part of a claim is a claim
		return near
	}
	near.policy, near.numbers = policy, make(map[permissions.Rule]int, len(rules))
	for r := range policy.Rules() {
		near.numbers[r] = rules[len(near.numbers)]
	}
	return near
}

// textOf returns the claim with some of its rules alone, and no nested map that is empty.
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

// policyOf returns a policy of some rules of the claim. A rule for a path has a grant in place of its own.
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

// allowedWith reports whether the question of an explanation is allowed if the rule with a path has a grant. It
// tries that with few rules, because there may be thousands near an integration:
//
//   - All rules that apply, with one that denies if something unknown is what it names. If that is not allowed, then
//     with more rules it is not either, because none of them overrides that one.
//   - All rules but those that may not apply and grant the action, or are less deep than the rule with the path, if
//     that applies. If that is allowed, then with those it is too, because none of them can decide against it.
func (c *claim) allowedWith(
	x permissions.Explanation, near *nearby, path []permissions.Scope, grant []permissions.Permission,
) bool {
	try := func(rules []int) bool {
		policy, err := c.policyOf(rules, path, grant)
		return err == nil && policy.Allowed(x.Action, x.Target)
	}
	var applying, denying []int
	for _, s := range x.Steps {
		switch number := near.number(s.Rule); s.Outcome {
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
	applies := !slices.ContainsFunc(near.rules, func(number int) bool { // a new rule does
		return slices.Equal(c.paths[number], path) && !slices.Contains(applying, number)
	})
	few := slices.DeleteFunc(slices.Clone(near.rules), func(number int) bool {
		isHarmless := c.rules[number].Grant().Has(x.Action) || applies && len(c.paths[number]) < len(path)
		return isHarmless && !slices.Contains(applying, number)
	})
	return try(few) || len(few) < len(near.rules) && try(near.rules)
}

// nearWalk walks the rows that can match what is known of a target.
type nearWalk struct {
	view  *view
	facts facts
	rules []int
}

// below walks the row of a scope in that of a row, if there is one.
func (w *nearWalk) below(at int, scope permissions.Scope) {
	if child, ok := w.view.child(at, scope); ok {
		w.row(child)
	}
}

func (w *nearWalk) row(at int) {
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

// facts are what is known of a target, by identifier.
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
