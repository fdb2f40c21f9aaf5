package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Options say what Parse accepts beyond the nine permissions and a JSON object. The zero value is SPEC.md
// without any of it.
type Options struct {
	Extra         []string // 1.9: names that count as permissions, too
	IgnoreUnknown bool     // 1.9: a name that is no permission grants nothing, instead of being a mistake
	AcceptString  bool     // 6.3: the claim may be a JSON string that holds the object
}

// A Mistake is what is wrong with a claim, and where. // 6.1, 6.2
type Mistake struct {
	Kind    string // "syntax", "type", "scope", "nesting", "duplicate" or "permission"
	Pointer string // JSON Pointer (RFC 6901) of the place; "" for a syntax mistake
}

// Error returns the kind and the place.
func (m *Mistake) Error() string {
	return fmt.Sprintf("%s mistake at %q", m.Kind, m.Pointer)
}

// Parse reads a claim. It reads from the front and stops at the first mistake. // 6.2
//
// A string, a number, true, false and null are looked at when they have been read to the end, where the end of
// a number is where it cannot go on: 01 is the number 0 with something behind it. An object or an array is
// looked at when its opening bracket has been read.
func Parse(claim []byte, o Options) (*Policy, *Mistake) {
	p := &parser{options: o}
	if mistake := p.claim(claim, o.AcceptString); mistake != nil {
		return nil, mistake // 6.1: no part of it is used
	}
	return &Policy{rules: p.rules, extra: slices.Clone(o.Extra)}, nil
}

type parser struct {
	options Options
	tokens  *json.Decoder
	rules   []Rule // so far
}

// next reads a token; nothing but the next token, and the comma or colon before it. Token does not allow a comma
// or a colon to be missing, superfluous or in the wrong place. Within an object or an array the end of the text
// is an error, too.
//
// What is no Unicode (invalid UTF-8, lone surrogates) becomes U+FFFD, which 2.4 refuses as well.
func (p *parser) next() (json.Token, *Mistake) {
	token, err := p.tokens.Token()
	if err != nil {
		return nil, &Mistake{"syntax", ""} // 6.2
	}
	return token, nil
}

// claim reads the whole text.
func (p *parser) claim(text []byte, acceptString bool) *Mistake {
	p.tokens = json.NewDecoder(bytes.NewReader(text))
	p.tokens.UseNumber() // or else a large number would be an error
	token, mistake := p.next()
	if mistake != nil {
		return mistake
	}
	tokens := p.tokens
	switch held, isString := token.(string); {
	case token == json.Delim('{'): // 1.1
		mistake = p.scopes(nil, "")
	case isString && acceptString: // 6.3: a string that holds an object, not a string that holds a string
		mistake = p.claim([]byte(held), false)
	default: // 1.1, 1.8, 6.3
		mistake = &Mistake{"type", ""}
	}
	if mistake != nil {
		return mistake
	}
	if _, err := tokens.Token(); err != io.EOF { // 6.2: trailing data
		return &Mistake{"syntax", ""}
	}
	return nil
}

// scopes reads an object behind its opening bracket: the scopes at the top of the claim, or those that
// are nested in the scope with the given path and pointer. // 1.1, 1.3
func (p *parser) scopes(holder []scope, holderPointer string) *Mistake {
	var keys []string
	for {
		token, mistake := p.next()
		if mistake != nil {
			return mistake
		}
		if token == json.Delim('}') {
			return nil
		}
		key := token.(string) // Token allows nothing else here
		pointer := holderPointer + "/" + escape(key)

		// 6.2: in the order repeated key, scope, nesting, value, same path
		if slices.Contains(keys, key) { // 2.8
			return &Mistake{"duplicate", pointer}
		}
		keys = append(keys, key)
		s, ok := parseScope(key) // 2.3, 2.4
		if !ok {
			return &Mistake{"scope", pointer}
		}
		if int(s.kind) <= len(holder) { // 2.6: nesting only goes down
			return &Mistake{"nesting", pointer}
		}
		rule := Rule{Pointer: pointer, path: extend(holder, s)} // 2.7
		rule.Path = spell(rule.path)

		token, mistake = p.next()
		if mistake != nil {
			return mistake
		}
		switch token {
		case true: // 1.2
			rule.All = true
		case false: // 1.2
		case json.Delim('['): // 1.2
			if rule.Names, mistake = p.names(pointer); mistake != nil {
				return mistake
			}
		case json.Delim('{'): // 1.3
			if s.kind == configuration { // 2.6: not even an empty map
				return &Mistake{"nesting", pointer}
			}
			if mistake := p.scopes(rule.path, pointer); mistake != nil {
				return mistake
			}
			continue // 2.8: a scope that only holds a nested map is no rule
		default:
			return &Mistake{"type", pointer}
		}
		for _, other := range p.rules { // 2.8, after 2.5
			if slices.Equal(other.path, rule.path) {
				return &Mistake{"duplicate", pointer}
			}
		}
		p.rules = append(p.rules, rule)
	}
}

// names reads an array of permission names behind its opening bracket. // 1.2
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
		if !isString { // 1.2
			return nil, &Mistake{"type", pointer}
		}
		switch {
		case slices.Contains(nine, name), slices.Contains(p.options.Extra, name): // 1.6, 1.9
			names = append(names, name)
		case p.options.IgnoreUnknown: // 1.9: an ignored name grants nothing
		default: // 1.9
			return nil, &Mistake{"permission", pointer}
		}
	}
}

// escape returns a key as it stands in a JSON Pointer (RFC 6901). // 6.1
func escape(key string) string {
	key = strings.ReplaceAll(key, "~", "~0") // first, or else it would find the tildes of ~1
	return strings.ReplaceAll(key, "/", "~1")
}
