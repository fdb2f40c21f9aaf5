package reference

import "slices"

// Visible reports whether a target is visible (SPEC 5.1).
func (p *Policy) Visible(t Target) bool {
	if !ValidTarget(t) { // an invalid target is not visible (SPEC 5.1)
		return false
	}
	if p.IsUnrestricted() { // every valid target is visible (SPEC 1.7)
		return true
	}
	return p.visible(newObject(t))
}

// visible reports whether something is allowed on an object or on anything that could be below it
// (SPEC 5.1). It tries everything below in turn. The recursion ends, because nothing is below a
// configuration.
func (p *Policy) visible(o object) bool {
	if p.allowsSome(o) {
		return true
	}
	for _, below := range p.oneLevelBelow(o) {
		if p.visible(below) {
			return true
		}
	}
	return false
}

// allowsSome reports whether some permission, extras included, is allowed on the object itself
// (SPEC 5.1). Unknown identifiers, those of 4.3 included, count as absent here. Both match no ID and no
// external ID (SPEC 4.1), so the rule that decides is the same, and 4.7 has nothing left to ask.
func (p *Policy) allowsSome(o object) bool {
	for _, name := range p.permissions() {
		if cell(name, o.depth) == invalid { // the question is invalid, so it is denied (SPEC 3.3, 3.4)
			continue
		}
		if grants(p.deciding(actedOn(name, o)), name) {
			return true
		}
	}
	return false
}

// oneLevelBelow returns what could be directly below an object, as far as the rules tell it apart: all
// that the rules name, and something that they do not name (SPEC 5.1). Everything is below the user.
func (p *Policy) oneLevelBelow(o object) []object {
	var below []object
	switch o.depth {
	case user:
		names := p.named(o, integration, exact)
		o.depth = integration
		for _, name := range append(names, unusedName(names)) {
			o.integration = name
			below = append(below, o)
		}
	case integration, credential:
		k := o.depth + 1
		itsIDs, itsExternalIDs := p.absentOrNamed(o, k, exact), p.absentOrNamed(o, k, externalID)
		o.depth = k
		for _, id := range itsIDs {
			for _, external := range itsExternalIDs {
				*o.level(k) = Level{id, external}
				below = append(below, o)
			}
		}
	}
	return below
}

// absentOrNamed returns an absent identifier, and one for each name that the rules use in one kind of
// pattern at the level below an object. The absent one also represents all names that no rule uses:
// only * matches either (SPEC 4.1).
func (p *Policy) absentOrNamed(o object, k kind, with pattern) []Identifier {
	identifiers := []Identifier{{State: Absent}}
	for _, name := range p.named(o, k, with) {
		identifiers = append(identifiers, Identifier{Known, name})
	}
	return identifiers
}

// named returns the names that the rules use in one kind of pattern at the level below an object, each
// once. It leaves out the rules that do not match the object itself: they apply to nothing below it
// (SPEC 4.1).
func (p *Policy) named(o object, k kind, with pattern) []string {
	if p == nil { // no policy (SPEC 7.2)
		return nil
	}
	var names []string
	for _, rule := range p.rules {
		if len(rule.path) < int(k) || !matchesAll(rule.path[:k-1], o) {
			continue
		}
		if s := rule.path[k-1]; s.pattern == with && !slices.Contains(names, s.name) {
			names = append(names, s.name)
		}
	}
	return names
}

// unusedName returns a name that is not among the names.
func unusedName(names []string) string {
	name := "unused"
	for slices.Contains(names, name) {
		name += "-"
	}
	return name
}
