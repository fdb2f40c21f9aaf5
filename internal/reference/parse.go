package reference

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Options say what Parse accepts beyond the ten permissions and a JSON object. The zero Options accept
// nothing beyond them.
type Options struct {
	Extra         []string // declared extra permissions; one that is not a ValidExtra is not declared (SPEC 1.9)
	IgnoreUnknown bool     // an unknown name grants nothing, and is not a mistake (SPEC 1.9)
	AcceptString  bool     // the claim may be a JSON string that holds the object (SPEC 6.3)
}

// A Mistake says what is wrong with a claim, and where (SPEC 6.1, 6.2).
type Mistake struct {
	Kind    string // "syntax", "type", "scope", "nesting", "duplicate" or "permission"
	Pointer string // the JSON Pointer (RFC 6901) to the place, decoded; "" for a syntax mistake
}

// Error returns the kind and the place.
func (m *Mistake) Error() string {
	return fmt.Sprintf("%s mistake at %q", m.Kind, m.Pointer)
}

// Parse reads a claim. It reads from the front and returns the first mistake (SPEC 6.2). With a mistake
// there is no policy, because the whole claim is refused (SPEC 6.1).
func Parse(claim []byte, o Options) (*Policy, *Mistake) {
	p := &parser{options: o, extra: declared(o.Extra)}
	if mistake := p.claim(claim, o.AcceptString); mistake != nil {
		return nil, mistake
	}
	return &Policy{rules: p.rules, extra: p.extra}, nil
}

type parser struct {
	options Options
	extra   []string // the declared extra permissions (SPEC 1.9)
	json    *reader
	rules   []Rule // the rules that were read so far
}

// next reads a token.
func (p *parser) next() (json.Token, *Mistake) {
	token, ok := p.json.next()
	if !ok {
		return nil, &Mistake{"syntax", ""} // a syntax mistake has no pointer (SPEC 6.2)
	}
	return token, nil
}

// claim reads the whole text.
func (p *parser) claim(text []byte, acceptString bool) *Mistake {
	outer := newReader(text)
	p.json = outer
	token, mistake := p.next()
	if mistake != nil {
		return mistake
	}
	switch held, isString := token.(string); {
	case token == json.Delim('{'): // the claim is an object (SPEC 1.1)
		mistake = p.scopes(nil, "")
	case isString && acceptString: // the string holds an object, and not another string (SPEC 6.3)
		mistake = p.claim([]byte(held), false)
	default: // anything else has the wrong type, null included (SPEC 1.1, 1.8, 6.3)
		mistake = &Mistake{"type", ""}
	}
	if mistake != nil {
		return mistake
	}
	if !outer.atEnd() { // trailing data (SPEC 6.2)
		return &Mistake{"syntax", ""}
	}
	return nil
}

// scopes reads an object of scopes after its opening bracket: the claim itself, or a map that is nested
// in the scope with the given path and pointer (SPEC 1.1, 1.3).
func (p *parser) scopes(holder []scope, holderPointer string) *Mistake {
	keys := map[string]bool{}
	for {
		token, mistake := p.next()
		if mistake != nil {
			return mistake
		}
		if token == json.Delim('}') {
			return nil
		}
		key := token.(string) // Token returns a string or a closing bracket here
		pointer := holderPointer + "/" + escape(key)

		// One key is judged in this order: repeated key, scope, nesting, value, same path (SPEC 6.2).
		if keys[key] { // a key is repeated in one object (SPEC 2.8)
			return &Mistake{"duplicate", pointer}
		}
		keys[key] = true
		s, ok := parseScope(key)
		if !ok { // the key is not a scope (SPEC 2.3 to 2.5)
			return &Mistake{"scope", pointer}
		}
		if int(s.kind) <= len(holder) { // nesting only goes down (SPEC 2.6)
			return &Mistake{"nesting", pointer}
		}
		rule := Rule{Pointer: pointer, path: extend(holder, s)}
		rule.Path = spell(rule.path)

		token, mistake = p.next()
		if mistake != nil {
			return mistake
		}
		switch token {
		case true: // allow every permission (SPEC 1.2)
			rule.All = true
		case false: // deny every permission (SPEC 1.2)
		case json.Delim('['): // allow the permissions in the array (SPEC 1.2)
			if rule.Names, mistake = p.names(pointer); mistake != nil {
				return mistake
			}
		case json.Delim('{'): // a nested map (SPEC 1.3)
			if s.kind == configuration { // a configuration holds nothing, not even an empty map (SPEC 2.6)
				return &Mistake{"nesting", pointer}
			}
			if mistake := p.scopes(rule.path, pointer); mistake != nil {
				return mistake
			}
			continue // a scope that only holds a nested map is not a rule (SPEC 2.8)
		default:
			return &Mistake{"type", pointer}
		}
		for _, other := range p.rules { // two rules have the same path, with IDs in lower case (SPEC 2.8, 2.5)
			if slices.Equal(other.path, rule.path) {
				return &Mistake{"duplicate", pointer}
			}
		}
		p.rules = append(p.rules, rule)
	}
}

// names reads an array of permission names after its opening bracket (SPEC 1.2).
func (p *parser) names(arrayPointer string) ([]string, *Mistake) {
	var names []string
	for i := 0; ; i++ {
		token, mistake := p.next()
		if mistake != nil {
			return nil, mistake
		}
		if token == json.Delim(']') {
			return names, nil
		}
		pointer := arrayPointer + "/" + strconv.Itoa(i)
		name, isString := token.(string)
		if !isString { // an array holds names only (SPEC 1.2)
			return nil, &Mistake{"type", pointer}
		}
		switch {
		case slices.Contains(ten, name), slices.Contains(p.extra, name): // names compare by bytes (SPEC 1.6, 1.9)
			names = append(names, name)
		case p.options.IgnoreUnknown: // an ignored name grants nothing (SPEC 1.9)
		default: // the name is unknown (SPEC 1.9)
			return nil, &Mistake{"permission", pointer}
		}
	}
}

// escape returns a key as a part of a JSON Pointer (RFC 6901).
func escape(key string) string {
	key = strings.ReplaceAll(key, "~", "~0") // first, because the next line adds tildes
	return strings.ReplaceAll(key, "/", "~1")
}
