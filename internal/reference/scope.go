package reference

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A kind is a level, counted from the top. It is also the depth of a rule or a target that ends there.
type kind int

const (
	user          kind = 0 // the user is above all levels
	integration   kind = 1
	credential    kind = 2
	configuration kind = 3
)

// kindNames is not modified.
var kindNames = map[kind]string{
	integration:   "integration",
	credential:    "credential",
	configuration: "configuration",
}

// A pattern is how a scope names things, from the least to the most specific (SPEC 2.2, 4.5).
type pattern int

const (
	anything   pattern = 0 // *
	externalID pattern = 1 // ext: and an external ID
	exact      pattern = 2 // an ID, or the name of an integration
)

// A scope is one key of the claim (SPEC 2.1, 2.2).
type scope struct {
	kind    kind
	pattern pattern
	name    string // empty for *; an ID in lower case (SPEC 2.5)
}

// parseScope reads KIND:REST (SPEC 2.3).
func parseScope(key string) (scope, bool) {
	prefix, rest, found := strings.Cut(key, ":") // everything after the first colon is REST (SPEC 2.3)
	if !found {
		return scope{}, false
	}
	var k kind
	switch prefix { // KIND is exactly one of three (SPEC 2.3)
	case "integration":
		k = integration
	case "credential":
		k = credential
	case "configuration":
		k = configuration
	default:
		return scope{}, false
	}
	if rest == "*" { // only as the whole of REST (SPEC 2.3)
		return scope{k, anything, ""}, true
	}
	if k == integration { // REST is a name (SPEC 2.3)
		return scope{k, exact, rest}, validName(rest)
	}
	if name, isExternal := strings.CutPrefix(rest, "ext:"); isExternal { // ext: and an external ID (SPEC 2.3)
		return scope{k, externalID, name}, validExternalID(name)
	}
	return scope{k, exact, canonicalID(rest)}, validID(rest) // an ID (SPEC 2.3)
}

// String returns the scope as text.
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

// validText checks what names and external IDs have in common (SPEC 2.4).
func validText(text string) bool {
	if text == "" { // it is not empty (SPEC 2.4)
		return false
	}
	if !utf8.ValidString(text) { // it holds no invalid UTF-8 (SPEC 2.4)
		return false
	}
	runes := []rune(text)
	first, last := runes[0], runes[len(runes)-1]
	// It does not begin or end with white space (SPEC 2.4).
	if unicode.Is(unicode.White_Space, first) || unicode.Is(unicode.White_Space, last) {
		return false
	}
	for _, r := range runes {
		if unicode.Is(unicode.Cc, r) || r == '\uFFFD' { // it holds no control character and no U+FFFD (SPEC 2.4)
			return false
		}
	}
	return true
}

// validName reports whether a text can be the name of an integration (SPEC 2.4).
func validName(name string) bool {
	lower := strings.ToLower(name) // the next rules hold in any letter case (SPEC 2.4)
	return validText(name) &&
		!strings.Contains(name, "*") &&
		lower != "ext" &&
		!strings.HasPrefix(lower, "ext:")
}

// validExternalID reports whether a text can be an external ID (SPEC 2.4).
func validExternalID(text string) bool {
	return validText(text) && text != "*"
}

// validID reports whether a text is an ID: a UUID as 8-4-4-4-12 hexadecimal digits (SPEC 2.5).
func validID(text string) bool {
	groups := strings.Split(text, "-")
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

// isHex reports whether a text holds only hexadecimal digits, in any letter case.
func isHex(text string) bool {
	for _, r := range text {
		if !strings.ContainsRune("0123456789abcdefABCDEF", r) {
			return false
		}
	}
	return true
}

// canonicalID returns an ID as it is compared and shown: in lower case (SPEC 2.5).
func canonicalID(id string) string {
	return strings.ToLower(id)
}

// extend returns the path of a scope that is held by the scope with the given path, which is empty for a
// scope at the top level. A level that is skipped or missing is * (SPEC 2.7).
func extend(path []scope, s scope) []scope {
	path = slices.Clone(path)
	for len(path) < int(s.kind)-1 {
		path = append(path, scope{kind(len(path) + 1), anything, ""})
	}
	return append(path, s)
}

// spell returns the scopes of a path as texts.
func spell(path []scope) []string {
	var texts []string
	for _, s := range path {
		texts = append(texts, s.String())
	}
	return texts
}
