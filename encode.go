package permissions

import (
	"cmp"
	"errors"
	"iter"
	"slices"
	"strings"
)

// MarshalJSON returns the claim that has the same rules, in its canonical form: scopes
// from the least to the most specific and then by name, nested only where they must be,
// and nothing in a grant that another permission in it includes (SPEC 1.5). It is as
// short as a claim with these rules can be, but for the choice of names.
//
// It never widens: a nil or zero policy is {}, which allows nothing. An unrestricted
// policy is {"integration:*":true}, which allows as much. A claim that names permissions
// from [WithPermissions] takes the same to be read.
func (p *Policy) MarshalJSON() ([]byte, error) {
	s := p.ruleset()
	switch s {
	case nil:
		return []byte("{}"), nil
	case &unrestricted:
		return []byte(`{"integration:*":true}`), nil
	}
	var rules []pathGrant
	for r := range p.Rules() {
		path := append(r.Path(), Scope{}, Scope{})
		rules = append(rules, pathGrant{path[0], path[1], path[2], r.Grant()})
	}
	return encode(rules)
}

// UnmarshalJSON is [Parse] without options. It replaces what p was, and leaves it on an
// error. Beware: encoding/json matches the names of struct fields without regard to case,
// and calls UnmarshalJSON again for a repeated one. [Claims] does neither.
func (p *Policy) UnmarshalJSON(data []byte) error {
	parsed, err := Parse(data)
	if err == nil {
		*p = *parsed
	}
	return err
}

// A pathGrant is a rule taken apart: its path, with the zero Scope behind its end.
type pathGrant struct {
	integration, credential, configuration Scope
	grant                                  PermissionSet
}

// errInexpressible says that a claim has no place for some rules: a scope has one value,
// which cannot be both a grant and a map.
var errInexpressible = errors.New("permissions: no claim can hold these rules: a scope cannot have both a grant and a map of more specific scopes")

// encode returns the claim with these rules, no two of which have the same path.
func encode(rules []pathGrant) ([]byte, error) {
	slices.SortFunc(rules, func(a, b pathGrant) int {
		return cmp.Or(a.integration.Compare(b.integration), a.credential.Compare(b.credential), a.configuration.Compare(b.configuration))
	})
	e := encoder{claim: []byte{'{'}}
	var anywhere []pathGrant // what is not in a named integration: it stands at the top, last
	for group := range groups(rules, func(r *pathGrant) Scope { return r.integration }) {
		scope := group[0].integration
		switch {
		case scope.IsWildcard():
			anywhere = e.anyIntegration(group)
		case group[0].credential != Scope{}:
			e.open(scope.String())
			e.credentials(group)
			e.close()
		case len(group) == 1:
			e.rule(scope.String(), group[0].grant)
		default:
			return nil, errInexpressible
		}
	}
	e.credentials(anywhere)
	e.close()
	if e.failed {
		return nil, errInexpressible
	}
	return e.claim, nil
}

// groups yields the runs of rules with the same scope at a level.
func groups(rules []pathGrant, level func(*pathGrant) Scope) iter.Seq[[]pathGrant] {
	return func(yield func([]pathGrant) bool) {
		for len(rules) > 0 {
			n := 1
			for n < len(rules) && level(&rules[n]) == level(&rules[0]) {
				n++
			}
			if !yield(rules[:n]) {
				return
			}
			rules = rules[n:]
		}
	}
}

// An encoder writes a claim.
type encoder struct {
	claim  []byte
	failed bool
}

// anyIntegration writes the scope integration:*, if there must be one, and returns the
// rules that remain to be written at the top.
func (e *encoder) anyIntegration(group []pathGrant) (rest []pathGrant) {
	any := group[0].integration.String()
	if group[0].credential == (Scope{}) {
		e.rule(any, group[0].grant)
		return group[1:]
	}
	// A credential with a grant, and with configurations too, takes two scopes. This is
	// a place for the second.
	var held []pathGrant
	for credential := range groups(group, credentialOf) {
		if hasBoth(credential) {
			held = append(held, credential[1:]...)
			credential = credential[:1]
		}
		rest = append(rest, credential...)
	}
	if held != nil {
		e.open(any)
		e.credentials(held)
		e.close()
	}
	return rest
}

func credentialOf(r *pathGrant) Scope { return r.credential }

// hasBoth reports whether a named credential has a grant and holds configurations.
func hasBoth(credential []pathGrant) bool {
	return !credential[0].credential.IsWildcard() && credential[0].configuration == (Scope{}) && len(credential) > 1
}

// credentials writes rules about credentials and configurations into the open map.
func (e *encoder) credentials(rules []pathGrant) {
	for group := range groups(rules, credentialOf) {
		scope := group[0].credential
		both := hasBoth(group)
		if group[0].configuration == (Scope{}) {
			e.rule(scope.String(), group[0].grant)
			group = group[1:]
		}
		if len(group) == 0 {
			continue
		}
		if scope.IsWildcard() { // which needs not be said (SPEC 2.7)
			e.configurations(group)
			continue
		}
		if both {
			scope = e.respell(scope)
		}
		e.open(scope.String())
		e.configurations(group)
		e.close()
	}
}

// respell returns a second spelling of a scope: a UUID in capitals (SPEC 2.5).
func (e *encoder) respell(s Scope) Scope {
	upper := strings.ToUpper(s.name)
	if s.form != formID || !isUUID(s.name) || upper == s.name {
		e.failed = true
	}
	s.name = upper
	return s
}

func (e *encoder) configurations(rules []pathGrant) {
	for _, r := range rules {
		e.rule(r.configuration.String(), r.grant)
	}
}

// key writes a key and its colon.
func (e *encoder) key(scope string) {
	if e.claim[len(e.claim)-1] != '{' {
		e.claim = append(e.claim, ',')
	}
	e.claim = append(appendString(e.claim, scope), ':')
}

func (e *encoder) open(scope string) {
	e.key(scope)
	e.claim = append(e.claim, '{')
}

func (e *encoder) close() { e.claim = append(e.claim, '}') }

// rule writes a rule.
func (e *encoder) rule(scope string, set PermissionSet) {
	e.key(scope)
	if set.IsAll() {
		e.claim = append(e.claim, "true"...)
		return
	}
	var list []string
	for p := range set.All() {
		if !(p == SettingsRead && set.Has(SettingsWrite) || p == MetadataRead && set.Has(MetadataWrite)) {
			list = append(list, string(p))
		}
	}
	e.claim = appendList(e.claim, '[', list, appendString)
}
