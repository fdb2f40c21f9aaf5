package reference

import "slices"

// A Decision is the answer to a question, and why.
type Decision struct {
	Allowed      bool
	Invalid      bool  // the question is invalid, so it is denied, and no rule decided (SPEC 3.4)
	Undetermined bool  // the question is denied, and no rule decided (SPEC 4.7)
	Rule         *Rule // the rule that decided, or nil
	// Unknown names the unknown identifiers that one denying rule depends on, if the question is
	// undetermined (SPEC 4.7). Another denying rule may depend on others: see DenyingUnknowns, which
	// also lists the names.
	Unknown []string
}

// Decide answers whether an action is allowed on a target.
func (p *Policy) Decide(action string, t Target) Decision {
	if !p.ValidQuestion(action, t) { // an invalid question is denied (SPEC 3.4)
		return Decision{Invalid: true}
	}
	if p.IsUnrestricted() { // every valid question is allowed (SPEC 1.7)
		return Decision{Allowed: true}
	}
	o := actedOn(action, newObject(t)) // with the levels that the target lacks (SPEC 4.3)

	rule := p.deciding(o)
	if !grants(rule, action) { // a no by 4.6 is a no with its rule (SPEC 4.7)
		return Decision{Rule: rule}
	}
	if unknowns := p.denyingUnknowns(action, o); len(unknowns) > 0 { // the yes could become a no (SPEC 4.7)
		return Decision{Undetermined: true, Unknown: unknowns[0]}
	}
	return Decision{Allowed: true, Rule: rule}
}

// DenyingUnknowns returns, for each denying rule of an undetermined question, the unknown identifiers
// that the rule depends on (SPEC 4.7): some of "credential ID", "credential external ID",
// "configuration ID" and "configuration external ID", in this order. The rules are in the order of the
// text. For any other question it returns nil.
func (p *Policy) DenyingUnknowns(action string, t Target) [][]string {
	if !p.Decide(action, t).Undetermined {
		return nil
	}
	return p.denyingUnknowns(action, actedOn(action, newObject(t)))
}

// Permissions returns the permissions that Decide allows on the target: those of the ten in the order of
// their table, then those of the extras in the order in which they were declared.
func (p *Policy) Permissions(t Target) []string {
	var allowed []string
	for _, name := range p.permissions() {
		if p.Decide(name, t).Allowed {
			allowed = append(allowed, name)
		}
	}
	return allowed
}

// deciding returns the most specific of the rules that apply, or nil if none applies (SPEC 4.4).
func (p *Policy) deciding(o object) *Rule {
	if p == nil { // no policy (SPEC 7.2)
		return nil
	}
	var most *Rule
	for i := range p.rules {
		rule := &p.rules[i]
		if applies(rule, o) && (most == nil || moreSpecific(rule, most)) {
			most = rule
		}
	}
	return most
}

// applies reports whether a rule applies to an object (SPEC 4.1).
func applies(rule *Rule, o object) bool {
	if len(rule.path) == 1 && rule.path[0].pattern == anything { // integration:* applies to everything (SPEC 4.2)
		return true
	}
	if int(o.depth) < len(rule.path) { // the target is at least as deep as the rule (SPEC 4.1)
		return false
	}
	return matchesAll(rule.path, o) // each pattern matches the target at its level (SPEC 4.1)
}

// matchesAll reports whether each scope of a path matches an object at its level. The object must have these levels.
func matchesAll(path []scope, o object) bool {
	for _, s := range path {
		if !matches(s, o) {
			return false
		}
	}
	return true
}

// matches reports whether a scope matches an object at the scope's level (SPEC 4.1). The object must have that level.
func matches(s scope, o object) bool {
	if s.pattern == anything { // * matches whatever is there
		return true
	}
	if s.kind == integration {
		return s.name == o.integration
	}
	// An identifier matches if it is known and the same. Unknown and absent ones match nothing.
	return *identifier(&o, s) == Identifier{Known, s.name}
}

// identifier returns the identifier of an object that a scope compares with, to read or to change. The
// scope names a credential or a configuration.
func identifier(o *object, s scope) *Identifier {
	if s.pattern == externalID { // an external ID matches the external ID (SPEC 4.1)
		return &o.level(s.kind).ExternalID
	}
	return &o.level(s.kind).ID // an ID matches the ID (SPEC 4.1)
}

// moreSpecific reports whether a is more specific than b (SPEC 4.5).
func moreSpecific(a, b *Rule) bool {
	if len(a.path) != len(b.path) { // the deeper rule
		return len(a.path) > len(b.path)
	}
	for level := len(a.path) - 1; level >= 0; level-- { // then, from the deepest level up,
		if a.path[level].pattern != b.path[level].pattern { // an ID before an external ID before *
			return a.path[level].pattern > b.path[level].pattern
		}
	}
	return false // two rules that apply to one target never tie
}

// grants reports whether a rule's grant holds an action (SPEC 4.6). The action is one of the ten or
// declared.
func grants(rule *Rule, action string) bool {
	if rule == nil { // no rule applies, so the action is denied (SPEC 4.6)
		return false
	}
	if rule.All { // true grants the ten and the extras (SPEC 1.2, 1.9)
		return true
	}
	if slices.Contains(rule.Names, action) { // names compare exactly (SPEC 1.2, 1.6)
		return true
	}
	switch action { // write includes read (SPEC 1.5)
	case "settings:read":
		return slices.Contains(rule.Names, "settings:write")
	case "metadata:read":
		return slices.Contains(rule.Names, "metadata:write")
	default:
		return false
	}
}

// denyingUnknowns returns, for each rule that can turn a yes about the object into a no, the unknown
// identifiers that the rule depends on (SPEC 4.7).
//
// It tries out the rules instead of all combinations of identifiers, which 4.7 says is enough. Suppose
// that with some combination a rule decides and denies. Take the combination in which only the unknown
// identifiers that this rule names have their values. The rule still applies. Every other rule that
// applies to this combination also applied to the first one, because an unknown identifier matches nothing. So
// the rule still decides.
func (p *Policy) denyingUnknowns(action string, o object) [][]string {
	var denying [][]string
	for i := range p.rules {
		rule := &p.rules[i]
		if grants(rule, action) {
			continue
		}
		filled, names := fillIn(o, rule)
		if p.deciding(filled) == rule {
			denying = append(denying, names)
		}
	}
	return denying
}

// fillIn returns an object with the value of a rule in each unknown identifier that the rule names, and the names of
// these identifiers.
func fillIn(o object, rule *Rule) (object, []string) {
	var names []string
	for _, s := range rule.path {
		if s.kind == integration || s.kind > o.depth || s.pattern == anything {
			continue // the name of an integration is never unknown, and * matches whatever is there
		}
		if i := identifier(&o, s); i.State == Unknown {
			*i = Identifier{Known, s.name}
			names = append(names, identifierName(s))
		}
	}
	return o, names
}

// identifierName returns the name of the identifier that a scope compares with.
func identifierName(s scope) string {
	if s.pattern == externalID {
		return kindNames[s.kind] + " external ID"
	}
	return kindNames[s.kind] + " ID"
}
