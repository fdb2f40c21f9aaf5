package analyze

import (
	"slices"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/strictjson"
)

// rule looks at a rule.
func (l *linter) rule(i int32) {
	r, p := l.list.rules[i], l.places[i]
	next := l.decider(p, below(rankOf(p)), l.list)
	decides, isRedundant := l.decides(i, next)
	switch {
	case l.overriddenDenial(i):
	case isRedundant:
		code := CodeRedundantRule
		if l.list.grants[i].isEmpty() {
			code = CodeDeniesNothing
		}
		fix := draft{summary: "Remove the rule.", edits: []draftEdit{{op: "remove", to: spot{of: r}}}}
		if next == none {
			l.report(code, r, fix, "removing %s changes no answer: no rule would apply instead, and what no rule allows is denied",
				l.text(p))
		} else {
			l.report(code, r, fix, "removing %s changes no answer: %s would decide instead, and answer the same",
				l.text(p), l.text(l.places[next]))
		}
	case !r.Grant().IsAll():
		l.neverDecides(i, decides)
		if next != none {
			l.replacesGrant(i, next, decides)
			l.proxyOrActionKit(i, next, decides)
		}
	}
	l.scope(r, p)
}

// overriddenDenial looks for CodeOverriddenDenial, and reports whether the rule has it.
func (l *linter) overriddenDenial(i int32) bool {
	p := l.places[i]
	if p.level() != permissions.KindIntegration || p == root || !l.list.grants[i].isEmpty() {
		return false
	}
	var wildcards []int32
	var allowed []actions // by each of them, in the integration
	asked := l.acting[permissions.KindIntegration]
	for level := permissions.KindCredential; level <= permissions.KindConfiguration; level++ {
		asked = asked.or(l.acting[level])
		d := l.decider(p.at(level), ^ranks(0), l.list)
		granted := l.list.grantOf(d).and(asked)
		switch last := len(wildcards) - 1; {
		case granted.isEmpty():
		case last >= 0 && wildcards[last] == d:
			allowed[last] = granted
		default:
			wildcards, allowed = append(wildcards, d), append(allowed, granted)
		}
	}
	if wildcards == nil {
		return false
	}
	l.report(CodeOverriddenDenial, l.list.rules[i], l.closeInside(i, wildcards, allowed),
		"%s does not close the integration: %s is more specific, and allows %s in it",
		l.text(p), l.text(l.places[wildcards[0]]), l.namesOf(allowed[0]))
	return true
}

// closeInside returns the fix for CodeOverriddenDenial.
func (l *linter) closeInside(i int32, wildcards []int32, allowed []actions) (fix draft) {
	r, p := l.list.rules[i], l.places[i]
	if top, ok := l.ruleAt(root); !ok || l.list.grants[top].and(l.acting[permissions.KindIntegration]).isEmpty() {
		value := `{"credential:*":false}`
		if l.places[wildcards[len(wildcards)-1]].level() == permissions.KindConfiguration {
			value = `{"credential:*":false,"configuration:*":false}`
		}
		return draft{
			summary: "Deny the credentials of the integration.",
			edits:   []draftEdit{{op: "replace", to: spot{of: r}, value: value}},
			changes: []Region{l.region(p.at(permissions.KindCredential))},
		}
	}
	fix.summary = "No claim can deny this for the integration alone. Take it out of the wildcard, which denies " +
		"it wherever that decides, and grant it again where it shall be allowed."
	for n, wildcard := range wildcards {
		grants := l.array(l.list.grants[wildcard].without(allowed[n]))
		fix.edits = append(fix.edits, draftEdit{op: "replace", to: spot{of: l.list.rules[wildcard]}, value: grants})
		fix.changes = append(fix.changes, l.region(l.places[wildcard]))
	}
	return fix
}

// decides returns the actions about which a rule decides some question, and whether the rule is redundant:
// wherever it decides, the rule that would decide in its place answers the same. next is that rule on the
// target that has only the rule's own names.
func (l *linter) decides(i, next int32) (decides actions, isRedundant bool) {
	p, grants := l.places[i], l.list.grants[i]
	isRedundant = true
	for _, v := range l.views(p) {
		if l.decider(p.at(v.level), ^ranks(0), nil) != i {
			continue
		}
		decides = decides.or(v.actions)
		isRedundant = isRedundant && grants.xor(l.list.grantOf(next)).and(v.actions).isEmpty()
		if !isRedundant {
			continue
		}
		for action := range l.varying(l.list, i, v.level, next).and(v.actions).all {
			otherwise := requirement{action, !grants.has(action)}
			if l.lower(l.list, i, v.level, next, otherwise) != nil {
				isRedundant = false
				break
			}
		}
	}
	return decides, isRedundant
}

// neverDecides looks for CodeNeverDecides.
func (l *linter) neverDecides(i int32, decides actions) {
	r, grants := l.list.rules[i], l.list.grants[i]
	never := grants.without(decides)
	if never.isEmpty() {
		return
	}
	l.report(CodeNeverDecides, r, l.replace(r, "Remove what never decides.", grants.and(decides), nil),
		"%s does nothing with %s: more specific rules decide about that everywhere", l.text(l.places[i]), l.namesOf(never))
}

// replacesGrant looks for CodeReplacesGrant.
func (l *linter) replacesGrant(i, next int32, decides actions) {
	r := l.list.rules[i]
	own, other := l.list.grants[i].and(decides), l.list.grants[next].and(decides)
	if own.isEmpty() || other.isEmpty() || own.areIn(other) || other.areIn(own) {
		return
	}
	dropped := other.without(own)
	summary, changes := "Allow "+l.namesOf(dropped)+" here too.", []Region{l.region(l.places[i])}
	fix := l.replace(r, summary, l.list.grants[i].or(dropped), changes)
	l.report(CodeReplacesGrant, r, fix, "%s replaces the grant of %s, and is not added to it: it drops %s",
		l.text(l.places[i]), l.text(l.places[next]), l.namesOf(dropped))
}

// proxyOrActionKit looks for CodeProxyOrActionKit.
func (l *linter) proxyOrActionKit(i, next int32, decides actions) {
	r, grants := l.list.rules[i], l.list.grants[i]
	var both actions
	both.add(l.action(permissions.ProxyAPI))
	both.add(l.action(permissions.ActionKit))
	left := grants.and(both)
	if !both.areIn(decides) || !both.areIn(l.list.grants[next]) || left.isEmpty() || left == both {
		return
	}
	fix := l.replace(r, "Deny "+l.namesOf(left)+" here too.", grants.without(both), []Region{l.region(l.places[i])})
	l.report(CodeProxyOrActionKit, r, fix, "%s takes away %s, which %s grants, and leaves %s, which reaches the same API",
		l.text(l.places[i]), l.namesOf(both.without(left)), l.text(l.places[next]), l.namesOf(left))
}

// replace returns the fix that gives a rule another array.
func (l *linter) replace(r permissions.Rule, summary string, grants actions, changes []Region) draft {
	edit := draftEdit{op: "replace", to: spot{of: r}, value: l.array(grants)}
	return draft{summary: summary, edits: []draftEdit{edit}, changes: changes}
}

// array returns the JSON array of actions, without those that others include (SPEC 1.5).
func (l *linter) array(a actions) string {
	list := l.permissions(a)
	var least []string
	for _, name := range list {
		isIncluded := slices.ContainsFunc(list, func(other permissions.Permission) bool {
			return other != name && permissions.NewPermissionSet(other).Has(name)
		})
		if !isIncluded {
			least = append(least, string(name))
		}
	}
	return string(strictjson.AppendList(nil, '[', least, strictjson.AppendString))
}

// grantText returns for people which of some actions a rule grants.
func (l *linter) grantText(i int32, of actions) string {
	if l.list.grants[i].areIn(of) {
		return l.list.rules[i].Grant().String()
	}
	return l.namesOf(l.list.grants[i].and(of))
}
