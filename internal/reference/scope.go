package reference

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A kind is a level, counted from the top; so it is also the depth of a rule that ends there.
type kind int

const (
	integration   kind = 1
	credential    kind = 2
	configuration kind = 3
)

var kindNames = map[kind]string{
	integration:   "integration",
	credential:    "credential",
	configuration: "configuration",
}

// A pattern is the way in which a scope names things, from the least to the most specific. // 2.2, 4.5
type pattern int

const (
	anything   pattern = 0 // *
	externalID pattern = 1 // ext: and an external ID
	id         pattern = 2 // an ID, or an integration's name
)

// A scope is one key of the claim. // 2.1, 2.2
type scope struct {
	kind    kind
	pattern pattern
	name    string // empty for *; a UUID in lower case (2.5)
}

// parseScope reads KIND:REST. // 2.3
func parseScope(key string) (scope, bool) {
	prefix, rest, found := strings.Cut(key, ":") // 2.3: everything after the first colon is REST
	if !found {
		return scope{}, false
	}
	var k kind
	switch prefix { // 2.3: KIND is exactly one of three
	case "integration":
		k = integration
	case "credential":
		k = credential
	case "configuration":
		k = configuration
	default:
		return scope{}, false
	}
	if rest == "*" { // 2.3
		return scope{k, anything, ""}, true
	}
	if name, isExternal := strings.CutPrefix(rest, "ext:"); isExternal && k != integration { // 2.3
		return scope{k, externalID, name}, validExternalID(name)
	}
	return scope{k, id, canonicalID(k, rest)}, validID(rest)
}

// String returns the scope in its canonical spelling.
func (s scope) String() string {
	switch s.pattern {
	case anything:
		return kindNames[s.kind] + ":*"
	case externalID:
		return kindNames[s.kind] + ":ext:" + s.name
	default:
		return kindNames[s.kind] + ":" + s.name
	}
}

// validName is what 2.4 demands of a name, an ID and an external ID alike.
func validName(name string) bool {
	if name == "" { // 2.4: not empty
		return false
	}
	if !utf8.ValidString(name) { // 2.4: no invalid UTF-8
		return false
	}
	runes := []rune(name)
	first, last := runes[0], runes[len(runes)-1]
	if unicode.Is(unicode.White_Space, first) || unicode.Is(unicode.White_Space, last) { // 2.4
		return false
	}
	for _, r := range runes {
		if unicode.Is(unicode.Cc, r) || r == '\uFFFD' { // 2.4: no control character, no U+FFFD
			return false
		}
	}
	return true
}

// validID reports whether 2.4 allows name as an ID or as an integration's name.
func validID(name string) bool {
	lower := strings.ToLower(name) // 2.4: in any letter case
	return validName(name) &&
		!strings.Contains(name, "*") &&
		lower != "ext" &&
		!strings.HasPrefix(lower, "ext:")
}

// validExternalID reports whether 2.4 allows name as an external ID.
func validExternalID(name string) bool {
	return validName(name) && name != "*"
}

// canonicalID returns an ID of the given kind in the spelling that is compared: a UUID in lower case, and
// everything else as it is. The name of an integration is no ID. // 2.5
func canonicalID(k kind, name string) string {
	if k != integration && isUUID(name) {
		return strings.ToLower(name)
	}
	return name
}

// isUUID reports whether s is 8-4-4-4-12 hexadecimal digits. // 2.5
func isUUID(s string) bool {
	groups := strings.Split(s, "-")
	lengths := []int{8, 4, 4, 4, 12}
	if len(groups) != len(lengths) {
		return false
	}
	for i, group := range groups {
		if len(group) != lengths[i] || !isHex(group) {
			return false
		}
	}
	return true
}

// extend returns the path of a scope that stands inside the given path (at the top, inside an empty one): the
// levels that are skipped or missing are *. // 2.7
func extend(path []scope, s scope) []scope {
	path = slices.Clone(path)
	for len(path) < int(s.kind)-1 {
		path = append(path, scope{kind(len(path) + 1), anything, ""})
	}
	return append(path, s)
}

// spell returns a path's scopes in their canonical spelling.
func spell(path []scope) []string {
	var spelled []string
	for _, s := range path {
		spelled = append(spelled, s.String())
	}
	return spelled
}

// isHex reports whether s holds hexadecimal digits only.
func isHex(s string) bool {
	for _, r := range s {
		if !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return true
}
