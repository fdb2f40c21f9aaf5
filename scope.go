package permissions

import (
	"cmp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Kind is the kind of thing that a scope covers. The zero Kind is none.
type Kind uint8

// The kinds, from the least to the most specific (SPEC 2.1).
const (
	KindIntegration Kind = 1 + iota
	KindCredential
	KindConfiguration
)

// String returns the kind as scopes spell it, or "" for none.
func (k Kind) String() string {
	switch k {
	case KindIntegration:
		return "integration"
	case KindCredential:
		return "credential"
	case KindConfiguration:
		return "configuration"
	}
	return ""
}

// A form is how a scope names what it covers, from the least to the most
// specific (SPEC 2.2).
type form uint8

const (
	formAny      form = 1 + iota // *
	formExternal                 // ext:ID
	formID                       // an ID, or an integration's name
)

// A Scope is one key of a claim, such as integration:*, credential:ID or
// configuration:ext:ID (SPEC 2). Scopes are comparable with ==: an ID that is
// written as a UUID is kept in lower case (SPEC 2.5).
//
// The zero Scope is none: it covers nothing, and no text parses to it.
type Scope struct {
	kind Kind
	form form
	name string
}

// ParseScope parses the text of a scope. It returns a [*ParseError] that matches
// [ErrScope] for a text that SPEC 2.3 or 2.4 forbids.
func ParseScope(text string) (Scope, error) {
	if problem, remedy := scopeProblem(text); problem != "" {
		return Scope{}, &ParseError{
			Kind: ErrScope, Offset: -1, Found: quote(text), Problem: problem, Remedy: remedy,
		}
	}
	id, name, _ := splitScope(text)
	s := Scope{kind: id.kind(), form: id.form(), name: name}
	if id.isObjectID() {
		s.name = canonicalID(name)
	}
	return s, nil
}

// MustParseScope is [ParseScope] for a text that is known to be right. It panics
// otherwise.
func MustParseScope(text string) Scope {
	s, err := ParseScope(text)
	if err != nil {
		panic(err)
	}
	return s
}

// Kind returns the kind of thing that the scope covers; 0 for the zero Scope.
func (s Scope) Kind() Kind { return s.kind }

// IsWildcard reports whether the scope covers everything of its kind: *.
func (s Scope) IsWildcard() bool { return s.form == formAny }

// IsExternal reports whether the scope names what it covers by its external ID.
func (s Scope) IsExternal() bool { return s.form == formExternal }

// Name returns the integration's name, the ID or the external ID, without the
// prefix ext:. It is empty for a wildcard.
func (s Scope) Name() string { return s.name }

// String returns the text of the scope, as [ParseScope] takes it. It is empty for
// the zero Scope.
func (s Scope) String() string {
	switch s.form {
	case formAny:
		return s.kind.String() + ":*"
	case formExternal:
		return s.kind.String() + ":ext:" + s.name
	case formID:
		return s.kind.String() + ":" + s.name
	}
	return ""
}

// MarshalText returns [Scope.String]. The zero Scope has no text, which is an
// error that matches [ErrScope].
func (s Scope) MarshalText() ([]byte, error) {
	if s == (Scope{}) {
		return nil, &ParseError{Kind: ErrScope, Offset: -1, Problem: "the zero Scope has no text"}
	}
	return []byte(s.String()), nil
}

// UnmarshalText is [ParseScope]. On an error it leaves s as it was.
func (s *Scope) UnmarshalText(text []byte) error {
	parsed, err := ParseScope(string(text))
	if err == nil {
		*s = parsed
	}
	return err
}

// Compare orders scopes from the least to the most specific: by kind, then * before
// external IDs before IDs (SPEC 2.1, 2.2), then names by bytes. It returns a number
// below, at or above 0, and 0 just when s == t.
func (s Scope) Compare(t Scope) int {
	return cmp.Or(cmp.Compare(s.kind, t.kind), cmp.Compare(s.form, t.form), cmp.Compare(s.name, t.name))
}

// An identifier is one of the five ways to name something, or a level's wildcard.
// The five are the indexes of what a [Target] holds.
type identifier uint8

const (
	integrationName identifier = iota
	credentialExternalID
	credentialID
	configurationExternalID
	configurationID

	anyIntegration
	anyCredential
	anyConfiguration

	identifiers = anyIntegration // how many there are
)

// scopePrefix is what stands in a scope before the name or the wildcard.
var scopePrefix = [...]string{
	"integration:", "credential:ext:", "credential:", "configuration:ext:", "configuration:",
	"integration:", "credential:", "configuration:",
}

func (id identifier) kind() Kind {
	switch id {
	case integrationName, anyIntegration:
		return KindIntegration
	case credentialExternalID, credentialID, anyCredential:
		return KindCredential
	}
	return KindConfiguration
}

func (id identifier) form() form {
	switch id {
	case integrationName, credentialID, configurationID:
		return formID
	case credentialExternalID, configurationExternalID:
		return formExternal
	}
	return formAny
}

// isObjectID reports whether names of this sort compare as UUIDs do where they are
// written as one (SPEC 2.5).
func (id identifier) isObjectID() bool { return id == credentialID || id == configurationID }

// same reports whether two names of this sort are the same (SPEC 2.5).
func (id identifier) same(a, b string) bool {
	return a == b || id.isObjectID() && strings.EqualFold(a, b) && isUUID(a)
}

// splitScope takes the text of a scope apart (SPEC 2.3). The name is empty for a
// wildcard. It is not ok if the kind is unknown; the name is for check to judge.
func splitScope(text string) (id identifier, name string, ok bool) {
	wildcard := anyIntegration
	switch {
	case strings.HasPrefix(text, "credential:"):
		id, wildcard = credentialID, anyCredential
	case strings.HasPrefix(text, "configuration:"):
		id, wildcard = configurationID, anyConfiguration
	case strings.HasPrefix(text, "integration:"):
	default:
		return 0, "", false
	}
	name = text[len(scopePrefix[id]):]
	if name == "*" {
		return wildcard, "", true
	}
	if id != integrationName && strings.HasPrefix(name, "ext:") {
		return id - 1, name[len("ext:"):], true // as the external ID of the same kind
	}
	return id, name, true
}

// scopeProblem says what is wrong with the text of a scope, and what was probably
// meant; "" is nothing.
func scopeProblem(text string) (problem, remedy string) {
	id, name, ok := splitScope(text)
	if !ok {
		return unknownKind(text)
	}
	if id >= identifiers {
		return "", ""
	}
	if problem = id.check(name); problem != "" {
		remedy = scopeRemedy(id, name)
	}
	return problem, remedy
}

// isScope reports whether a text is a scope.
func isScope(text string) bool {
	id, name, ok := splitScope(text)
	return ok && (id >= identifiers || id.check(name) == "")
}

func didYouMean(text string) string { return "did you mean " + quote(text) + "?" }

// unknownKind explains a text that begins with no kind of scope.
func unknownKind(text string) (problem, remedy string) {
	kind, rest, colon := strings.Cut(text, ":")
	meant := nearestKind(kind)
	switch {
	case !colon && meant != "":
		return "is no scope: it has no colon", didYouMean(meant + ":*")
	case !colon:
		return "is no scope: it has no colon", "scopes look like integration:NAME, credential:ID or configuration:ext:ID"
	case meant != "" && isScope(meant+":"+rest):
		return "is no scope: its kind is unknown", didYouMean(meant + ":" + rest)
	}
	return "is no scope: its kind is unknown", "the kinds are integration, credential and configuration"
}

// nearestKind returns the kind that a word was probably meant to be, or "". People
// shorten the kinds, config most of all.
func nearestKind(word string) string {
	kinds := []string{"integration", "credential", "configuration"}
	if meant := nearest(word, kinds); meant != "" {
		return meant
	}
	short := strings.TrimSuffix(strings.ToLower(word), "s")
	for _, kind := range kinds {
		if len(short) >= 3 && strings.HasPrefix(kind, short) {
			return kind
		}
	}
	return ""
}

// scopeRemedy says what a name that is forbidden in a scope was probably meant to be.
func scopeRemedy(id identifier, name string) string {
	kind := id.kind().String()
	marked := strings.EqualFold(name, "ext") || hasExtPrefix(name)
	meant := scopePrefix[id] + strings.TrimFunc(name, isWhiteSpace)
	if id.isObjectID() && hasExtPrefix(name) {
		meant = kind + ":ext:" + strings.TrimFunc(name[len("ext:"):], isWhiteSpace)
	}
	switch {
	case name == "" && id.form() == formID:
		return didYouMean(kind + ":*")
	case isScope(meant):
		return didYouMean(meant)
	case strings.Contains(name, "*"):
		return "there are no patterns but " + kind + ":*"
	case marked && id == integrationName:
		return "an integration has a name, and no external ID"
	case marked || name == "":
		return "the external ID itself stands behind " + kind + ":ext:"
	}
	return ""
}

// check says what SPEC 2.4 finds wrong with a name, ID or external ID; "" is nothing.
func (id identifier) check(name string) string {
	switch {
	case name == "":
		return "is empty"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	case strings.ContainsRune(name, utf8.RuneError):
		return "holds U+FFFD, the replacement character"
	case strings.ContainsFunc(name, unicode.IsControl):
		return "holds a control character"
	case beginsOrEndsWithSpace(name):
		return "begins or ends with white space"
	case id.form() == formExternal:
		if name == "*" {
			return "has * for an external ID"
		}
	case strings.IndexByte(name, '*') >= 0:
		return "holds a *, which only stands alone"
	case id.beginsExt(name):
		return "begins with ext, which marks an external ID"
	}
	return ""
}

// beginsExt reports whether a name or an ID is ext or begins with ext:, in any case.
func (id identifier) beginsExt(name string) bool {
	return id.form() == formID && (strings.EqualFold(name, "ext") || hasExtPrefix(name))
}

func beginsOrEndsWithSpace(name string) bool {
	first, _ := utf8.DecodeRuneInString(name)
	last, _ := utf8.DecodeLastRuneInString(name)
	return isWhiteSpace(first) || isWhiteSpace(last)
}

func isWhiteSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

func hasExtPrefix(name string) bool {
	return len(name) >= len("ext:") && strings.EqualFold(name[:len("ext:")], "ext:")
}

const uuidLen = 36

// isUUID reports whether s is 8-4-4-4-12 hexadecimal digits, in any case.
func isUUID(s string) bool {
	if len(s) != uuidLen {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case i == 8, i == 13, i == 18, i == 23:
			if c != '-' {
				return false
			}
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f', 'A' <= c && c <= 'F':
		default:
			return false
		}
	}
	return true
}

// canonicalID returns an ID as it compares (SPEC 2.5).
func canonicalID(id string) string {
	if isUUID(id) {
		return strings.ToLower(id)
	}
	return id
}
