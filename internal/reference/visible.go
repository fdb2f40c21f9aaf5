package reference

import "slices"

// Visible reports whether the target is visible. // 5.1
func (p *Policy) Visible(t Target) bool {
	if !ValidTarget(t) { // 5.1: an invalid target is not visible
		return false
	}
	return p.visible(t.canonical().closed()) // 2.5, 5.1
}

// visible reports whether something is allowed on the target or on anything that could be below it. It looks
// at everything in turn; that ends, because nothing is below a configuration. // 5.1
func (p *Policy) visible(t Target) bool {
	if p.allowsSome(t) {
		return true
	}
	for _, below := range p.oneLevelBelow(t) {
		if p.visible(below) {
			return true
		}
	}
	return false
}

// allowsSome reports whether some permission is allowed on the target itself. // 5.1
func (p *Policy) allowsSome(t Target) bool {
	names := p.permissions()
	names = append(names, unusedName(names)) // 1.6: true also allows a permission of no table
	for _, name := range names {
		asked := t.unnamed(name).closed() // 4.3, and 5.1: what 4.3 opens counts as none, too
		if grants(p.deciding(asked), name) {
			return true
		}
	}
	return false
}

// oneLevelBelow returns what could be directly below the target, as far as the rules can tell it apart: all
// that they name, and something that they do not name. Everything is below the user. // 5.1
func (p *Policy) oneLevelBelow(t Target) []Target {
	var below []Target
	switch t.depth() {
	case 0:
		names := p.named(integration, id)
		for _, name := range append(names, unusedName(names)) {
			t.Integration = name
			below = append(below, t)
		}
	case 1, 2:
		k := kind(t.depth() + 1)
		for _, itsID := range p.orNone(k, id) {
			for _, itsExternalID := range p.orNone(k, externalID) {
				identifierID, external := t.level(k)
				*identifierID, *external = itsID, itsExternalID
				below = append(below, t)
			}
		}
	}
	return below
}

// orNone returns none, and the names that the rules use at one level in one kind of pattern. None also stands
// for every name that no rule uses, because only * matches either. // 3.4
func (p *Policy) orNone(k kind, with pattern) []Identifier {
	identifiers := []Identifier{{State: None}}
	for _, name := range p.named(k, with) {
		identifiers = append(identifiers, Identifier{Given, name})
	}
	return identifiers
}

// closed returns the target with none for what is open at a level that it names. // 5.1
func (t Target) closed() Target {
	for _, k := range []kind{credential, configuration} {
		if !t.names(k) { // 3.4: this level is no part of the target
			continue
		}
		identifierID, external := t.level(k)
		if identifierID.State == Open {
			identifierID.State = None
		}
		if external.State == Open {
			external.State = None
		}
	}
	return t
}

// unusedName returns a name that is not among the names.
func unusedName(names []string) string {
	name := "unused"
	for slices.Contains(names, name) {
		name += "-"
	}
	return name
}
