package permissions

import (
	"cmp"
	"iter"
	"slices"
	"strings"
)

// MarshalJSON returns the claim that has the same rules, in its canonical form: scopes
// from the least to the most specific and then by name, nested only where they must be,
// and nothing in a grant that another permission in it includes (SPEC 1.5). Policies with
// the same rules, read with the same options, have the same canonical form. No claim with
// these rules is shorter, and parsing it gives them back. Beware: [json.Marshal] makes it
// longer, because it escapes <, > and & in names.
//
// It never widens: a nil or zero policy is {}, which allows nothing. An unrestricted
// policy is {"integration:*":true}, which allows as much. An intersection has no claim,
// which is an error. A claim that names permissions from [WithPermissions] takes the same
// to be read.
func (p *Policy) MarshalJSON() ([]byte, error) {
	if p != nil && p.parts != nil {
		return nil, errIntersection
	}
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

// inexpressible returns the error for the rule of a scope that must hold a map too, and
// cannot stand twice: a scope has one value, which is either a grant or a map.
func inexpressible(rule *pathGrant) error {
	path := [...]Scope{rule.integration, rule.credential, rule.configuration}
	scope, inner := rule.integration, "credential:*"
	if rule.credential != (Scope{}) {
		scope, inner = rule.credential, "configuration:*"
	}
	remedy := "grant its " + quote(inner) + " instead"
	if !rule.integration.IsWildcard() {
		remedy += ", or give the more specific scopes to integration:*"
	}
	return &ParseError{
		Kind: ErrDuplicate, Pointer: pathPointer(path), Offset: -1, Found: quote(scope.String()),
		Problem: "has a grant and more specific scopes in it, and a claim cannot give a scope both", Remedy: remedy,
	}
}

// encode returns the claim with these rules, no two of which have the same path. The error
// is that of inexpressible.
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
			return nil, inexpressible(&group[0])
		}
	}
	e.credentials(anywhere)
	e.close()
	if e.err != nil {
		return nil, e.err
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
	claim []byte
	err   error
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
	// a place for the second, if it has but one spelling.
	var held []pathGrant
	for credential := range groups(group, credentialOf) {
		if _, ok := respell(credential[0].credential); !ok && hasBoth(credential) {
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
		first, scope, both := &group[0], group[0].credential, hasBoth(group)
		if first.configuration == (Scope{}) {
			e.rule(scope.String(), first.grant)
			group = group[1:]
		}
		switch {
		case len(group) == 0:
			continue
		case scope.IsWildcard(): // which needs not be said (SPEC 2.7)
			e.configurations(group)
			continue
		case both:
			var ok bool
			if scope, ok = respell(scope); !ok && e.err == nil {
				e.err = inexpressible(first)
			}
		}
		e.open(scope.String())
		e.configurations(group)
		e.close()
	}
}

// respell returns a second spelling of a scope: a UUID in capitals (SPEC 2.5). It is not
// ok if there is none.
func respell(s Scope) (upper Scope, ok bool) {
	upper = s
	upper.name = strings.ToUpper(s.name)
	return upper, s.form == formID && isUUID(s.name) && upper.name != s.name
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
