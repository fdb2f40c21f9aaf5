package roles

import "github.com/connectperms/permissions"

// A point is a target that has nothing but some names that rules have, and all else absent.
type point struct {
	level permissions.Kind
	names [5]permissions.Scope // the zero Scope for what it does not have
}

// The places of names in a point.
const (
	integration = iota
	credentialExternalID
	credentialID
	configurationExternalID
	configurationID
)

// placeOf returns where a point has the name of a scope that is not a wildcard.
func placeOf(s permissions.Scope) int {
	switch {
	case s.Kind() == permissions.KindIntegration:
		return integration
	case s.Kind() == permissions.KindCredential && s.IsExternal():
		return credentialExternalID
	case s.Kind() == permissions.KindCredential:
		return credentialID
	case s.IsExternal():
		return configurationExternalID
	}
	return configurationID
}

func pointOf(of path) (p point) {
	for _, s := range of {
		p.level = s.Kind()
		if !s.IsWildcard() {
			p.names[placeOf(s)] = s
		}
	}
	return p
}

// with returns the point that has what both have. It is not ok if they contradict each other.
func (p point) with(q point) (both point, ok bool) {
	for i, s := range q.names {
		if s == (permissions.Scope{}) {
			continue
		}
		if p.names[i] != (permissions.Scope{}) && p.names[i] != s {
			return point{}, false
		}
		p.names[i] = s
	}
	p.level = max(p.level, q.level)
	return p, true
}

// byID returns the point without the external ID of what has an ID.
func (p point) byID() point {
	if p.names[credentialID] != (permissions.Scope{}) {
		p.names[credentialExternalID] = permissions.Scope{}
	}
	if p.names[configurationID] != (permissions.Scope{}) {
		p.names[configurationExternalID] = permissions.Scope{}
	}
	return p
}

// anywhere is the point of integration:*, which applies to the user too (SPEC 4.2).
var anywhere = point{level: permissions.KindIntegration}

// ruleFor returns the path of the rule that covers the point and all below it. It is not ok if no rule
// does, because the point has an ID and an external ID.
func (p point) ruleFor() (list path, ok bool) {
	for level := permissions.KindIntegration; level <= p.level; level++ {
		scope := permissions.MustParseScope(level.String() + ":*")
		found := 0
		for _, s := range p.names {
			if s.Kind() == level {
				scope = s
				found++
			}
		}
		if found > 1 {
			return nil, false
		}
		list = append(list, scope)
	}
	return list, true
}

// covers reports whether a rule with the names and the level of p applies to q (SPEC 4.1).
func (p point) covers(q point) bool {
	both, ok := p.with(q)
	return ok && both == q
}

// specificity is greater for a more specific path (SPEC 4.5).
func (p path) specificity() (n int) {
	n = len(p)
	for level := 2; level >= 0; level-- {
		n *= 3
		if level >= len(p) {
			continue
		}
		switch s := p[level]; {
		case s.IsWildcard():
		case s.IsExternal():
			n++
		default:
			n += 2
		}
	}
	return n
}

// target returns the point as a target. Its integration is other if the point names none.
func (p point) target(other string) permissions.Target {
	name := other
	if s := p.names[integration]; s != (permissions.Scope{}) {
		name = s.Name()
	}
	t := permissions.Integration(name)
	ids := func(id, externalID permissions.Scope) []permissions.Identifier {
		list := []permissions.Identifier{permissions.NoID(), permissions.NoExternalID()}
		if id != (permissions.Scope{}) {
			list[0] = permissions.ID(id.Name())
		}
		if externalID != (permissions.Scope{}) {
			list[1] = permissions.ExternalID(externalID.Name())
		}
		return list
	}
	if p.level >= permissions.KindCredential {
		t = t.Credential(ids(p.names[credentialID], p.names[credentialExternalID])...)
	}
	if p.level >= permissions.KindConfiguration {
		t = t.Configuration(ids(p.names[configurationID], p.names[configurationExternalID])...)
	}
	return t
}
