package analyze

import "github.com/connectperms/permissions"

// nestedMap looks at a nested map.
func (l *linter) nestedMap(m permissions.NestedMap) {
	p := l.placeOf(m.Path())
	if m.IsEmpty() {
		l.report(CodeEmptyMap, m, draft{summary: "Remove the map.", edits: []draftEdit{{op: "remove", to: spot{of: m}}}},
			"the map of %s is empty, which says nothing: less specific rules answer; to deny everything there, write false",
			l.text(p))
	}
	if p.level() == permissions.KindIntegration && p != root {
		l.inheritedAnswer(m, p)
		l.othersAllowed(m, p)
	}
	l.scope(m, p)
}

// ruleAt returns the rule at a place.
func (l *linter) ruleAt(p place) (i int32, ok bool) {
	i, ok = l.index[p]
	return i, ok && l.list.has[i]
}

// inheritedAnswer looks for CodeInheritedAnswer.
func (l *linter) inheritedAnswer(m permissions.NestedMap, integration place) {
	top, hasTop := l.ruleAt(root)
	star, hasStar := l.ruleAt(integration.at(permissions.KindCredential))
	if !hasTop || !hasStar {
		return
	}
	ofItself := l.acting[permissions.KindIntegration]
	inherited := l.list.grants[top].and(ofItself).without(l.list.grants[star])
	if inherited.isEmpty() {
		return
	}
	fix, ok := l.closeIntegration(m, integration, star)
	if !ok || !l.list.grants[star].and(ofItself).areIn(l.list.grants[top]) {
		summary := "No claim can deny this for the integration alone. Take it out of integration:*, which denies " +
			"it wherever that decides, and grant it again where it shall be allowed."
		fix = l.replace(l.list.rules[top], summary, l.list.grants[top].without(inherited), []Region{l.region(root)})
	}
	l.report(CodeInheritedAnswer, m, fix,
		"%s grants %s, and decides about the integration itself: %s is only about its credentials",
		l.text(root), l.namesOf(inherited), l.text(l.places[star]))
}

// closeIntegration returns the fix that gives an integration the grant of its credential:*, and moves its
// other credentials to the top level. That is possible only for those that are named by ID.
func (l *linter) closeIntegration(m permissions.NestedMap, integration place, star int32) (fix draft, ok bool) {
	if _, ok := l.ruleAt(root.at(permissions.KindCredential)); ok {
		return draft{}, false // it would be more specific than the integration's grant
	}
	fix = draft{
		summary: "Give the integration the grant of its credential:*, in place of the map, " +
			"and move its other credentials to the top level. There, their IDs mean the same credentials.",
		changes: []Region{l.region(integration)},
	}
	moved := make(map[place]bool)
	for _, i := range l.rulesIn[integration] {
		credential := l.places[i].only(credentialID).at(permissions.KindCredential)
		switch {
		case i == star:
			continue
		case credential.named() == 0:
			return draft{}, false
		case l.places[i].level() == permissions.KindCredential:
			fix.edits = append(fix.edits, moveToTop(l.list.rules[i]))
		}
		if !moved[credential] {
			if l.isTaken(credential) {
				return draft{}, false
			}
			moved[credential] = true
			fix.changes = append(fix.changes, l.region(credential))
		}
	}
	for _, inner := range l.mapsIn[integration] {
		if !inner.IsEmpty() { // an empty one says nothing and goes with the map
			fix.edits = append(fix.edits, moveToTop(inner))
		}
	}
	fix.edits = append(fix.edits, draftEdit{op: "move", from: spot{of: l.list.rules[star]}, to: spot{of: m}})
	return fix, true
}

func moveToTop(of spotted) draftEdit {
	return draftEdit{op: "move", from: spot{of: of}, to: spot{of: of, way: atTop}}
}

// isTaken reports whether the claim has a rule or a nested map at a place.
func (l *linter) isTaken(p place) bool {
	_, ok := l.ruleAt(p)
	return ok || l.maps[p] != nil
}

// othersAllowed looks for CodeOthersAllowed.
func (l *linter) othersAllowed(m permissions.NestedMap, integration place) {
	others := integration.at(permissions.KindCredential)
	top := l.decider(others, ^ranks(0), l.list)
	if top == none || l.places[top] != root {
		return
	}
	decided := l.acting[permissions.KindIntegration].or(l.acting[permissions.KindCredential]) // by top, on the others
	if l.decider(others.at(permissions.KindConfiguration), ^ranks(0), l.list) == top {
		decided = decided.or(l.acting[permissions.KindConfiguration])
	}
	wide := l.list.grants[top].and(decided)
	for _, i := range l.rulesIn[integration] {
		own := l.list.grants[i]
		grants := own.and(decided)
		if l.places[i].level() != permissions.KindCredential || own.isEmpty() || grants == wide || !grants.areIn(wide) {
			continue
		}
		l.report(CodeOthersAllowed, m, l.closeOthers(m, others),
			"the map restricts only what it names, such as %s: on every other credential of the integration, %s grants %s",
			l.text(l.places[i]), l.text(root), l.grantText(top, decided))
		return
	}
}

// closeOthers returns the fix that adds credential:* false to the map of an integration. If credential:* has
// a map, the configurations in it go to the integration's map, where they mean the same (SPEC 2.7).
func (l *linter) closeOthers(m permissions.NestedMap, others place) draft {
	fix := draft{summary: "Deny the other credentials of the integration.", changes: []Region{l.region(others)}}
	if l.maps[others] != nil {
		for _, i := range l.rulesIn[others] {
			r := l.list.rules[i]
			to := spot{of: m, way: inside, scope: r.Scope().String()}
			fix.edits = append(fix.edits, draftEdit{op: "move", from: spot{of: r}, to: to})
		}
	}
	to := spot{of: m, way: inside, scope: "credential:*"}
	fix.edits = append(fix.edits, draftEdit{op: "add", to: to, value: "false"})
	return fix
}
