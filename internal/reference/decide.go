package reference

import "slices"

// A Decision is the answer to a question, and why.
type Decision struct {
	Allowed      bool
	Invalid      bool  // 3.2: the question is invalid; denied, and no rule decided
	Undetermined bool  // 4.7: denied, and no rule decided
	Rule         *Rule // the rule that decided, nil when none did
}

// Decide answers whether the action is allowed on the target.
func (p *Policy) Decide(action string, t Target) Decision {
	if action == "" || !ValidTarget(t) { // 3.2
		return Decision{Invalid: true}
	}
	t = t.canonical()     // 2.5
	t = t.unnamed(action) // 4.3

	rule := p.deciding(t)
	if !grants(rule, action) { // 4.6
		return Decision{Rule: rule}
	}
	for _, filled := range p.fillings(t) { // 4.7: whatever the open identifiers turn out to be
		if !grants(p.deciding(filled), action) {
			return Decision{Undetermined: true}
		}
	}
	return Decision{Allowed: true, Rule: rule}
}

// Permissions returns those of the nine (1.4) and of the extras (1.9) that Decide allows on the target, the
// nine first and in the order of their table.
func (p *Policy) Permissions(t Target) []string {
	var allowed []string
	for _, name := range p.permissions() {
		if p.Decide(name, t).Allowed {
			allowed = append(allowed, name)
		}
	}
	return allowed
}

// deciding returns the most specific of the rules that apply, or nil if none does. // 4.4
func (p *Policy) deciding(t Target) *Rule {
	if p == nil { // 7.2
		return nil
	}
	var most *Rule
	for i := range p.rules {
		rule := &p.rules[i]
		if applies(rule, t) && (most == nil || moreSpecific(rule, most)) {
			most = rule
		}
	}
	return most
}

// applies reports whether the rule applies to the target. // 4.1
func applies(rule *Rule, t Target) bool {
	if len(rule.path) == 1 && rule.path[0].pattern == anything { // 4.2: integration:* applies to every target
		return true
	}
	if t.depth() < len(rule.path) { // 4.1: the target is at least as deep as the rule
		return false
	}
	for _, s := range rule.path { // 4.1: each pattern matches the target at its level
		if !matches(s, t) {
			return false
		}
	}
	return true
}

// matches reports whether the scope matches what the target names at the scope's level. // 4.1
func matches(s scope, t Target) bool {
	if s.pattern == anything { // 4.1: * matches whatever is named there
		return t.names(s.kind)
	}
	if s.kind == integration {
		return s.name == t.Integration
	}
	identifierID, external := t.level(s.kind)
	if s.pattern == id { // 4.1: an ID matches the ID
		return *identifierID == Identifier{Given, s.name} // 4.6: and no open one
	}
	return *external == Identifier{Given, s.name} // 4.1: an external ID matches the external ID
}

// moreSpecific reports whether a is more specific than b. // 4.5
func moreSpecific(a, b *Rule) bool {
	if len(a.path) != len(b.path) { // 4.5: the deeper rule
		return len(a.path) > len(b.path)
	}
	for level := len(a.path) - 1; level >= 0; level-- { // 4.5: from the deepest level up
		if a.path[level].pattern != b.path[level].pattern {
			return a.path[level].pattern > b.path[level].pattern // 4.5: ID over external ID over *
		}
	}
	return false // 4.5: two rules that apply to one target never tie
}

// grants reports whether the rule's grant holds the action. // 4.6
func grants(rule *Rule, action string) bool {
	if rule == nil { // 4.6: no rule applies
		return false
	}
	if rule.All { // 1.2, 1.6
		return true
	}
	if slices.Contains(rule.Names, action) { // 1.2, 1.6
		return true
	}
	switch action { // 1.5
	case "settings:read":
		return slices.Contains(rule.Names, "settings:write")
	case "metadata:read":
		return slices.Contains(rule.Names, "metadata:write")
	default:
		return false
	}
}

// fillings returns every target that t could turn out to be, as far as the rules can tell: every combination
// in which each open identifier is one that the rules name at that level, or is left as it is. Left open it
// matches what none would match, and what any identifier would that no rule names. // 4.7
func (p *Policy) fillings(t Target) []Target {
	targets := []Target{t}
	for _, k := range []kind{credential, configuration} {
		if !t.names(k) { // 3.4: this level is no part of the target, so nothing is open there
			continue
		}
		identifierID, external := t.level(k)
		if identifierID.State == Open {
			for _, filled := range slices.Clone(targets) {
				for _, name := range p.named(k, id) {
					slot, _ := filled.level(k)
					*slot = Identifier{Given, name}
					targets = append(targets, filled)
				}
			}
		}
		if external.State == Open {
			for _, filled := range slices.Clone(targets) {
				for _, name := range p.named(k, externalID) {
					_, slot := filled.level(k)
					*slot = Identifier{Given, name}
					targets = append(targets, filled)
				}
			}
		}
	}
	return targets
}

// named returns the names that the rules use at one level in one kind of pattern, each once.
func (p *Policy) named(k kind, with pattern) []string {
	if p == nil { // 7.2
		return nil
	}
	var names []string
	for _, rule := range p.rules {
		for _, s := range rule.path {
			if s.kind == k && s.pattern == with && !slices.Contains(names, s.name) {
				names = append(names, s.name)
			}
		}
	}
	return names
}
