package permissions

import (
	"cmp"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/connectperms/permissions/internal/text"
)

// A Kind is a level of what a question or a scope is about. The kinds are ordered: a greater one is
// more specific. The zero Kind is not a kind. The zero [Scope] and an invalid [Target] have it.
type Kind uint8

// The kinds, from the least to the most specific (SPEC 2.1, 3.1). No scope has KindUser.
const (
	KindUser Kind = 1 + iota
	KindIntegration
	KindCredential
	KindConfiguration
)

// String returns the name of the kind, such as "integration", and "" for the zero Kind.
func (k Kind) String() string {
	switch k {
	case KindUser:
		return "user"
	case KindIntegration:
		return "integration"
	case KindCredential:
		return "credential"
	case KindConfiguration:
		return "configuration"
	}
	return ""
}

// A pattern is what a scope says of its level: everything, an integration's name, an external ID,
// or an ID. The patterns are ordered from the least to the most specific (SPEC 2.1, 2.2).
type pattern uint8

const (
	anyIntegration pattern = 1 + iota // integration:*
	integrationByName
	anyCredential // credential:*
	credentialByExternalID
	credentialByID
	anyConfiguration // configuration:*
	configurationByExternalID
	configurationByID

	patterns // how many there are, plus one
)

// kind returns the level of the pattern.
func (p pattern) kind() Kind {
	switch {
	case p >= anyConfiguration:
		return KindConfiguration
	case p >= anyCredential:
		return KindCredential
	case p >= anyIntegration:
		return KindIntegration
	}
	return 0
}

func (p pattern) isWildcard() bool {
	return p == anyIntegration || p == anyCredential || p == anyConfiguration
}

func (p pattern) isExternal() bool {
	return p == credentialByExternalID || p == configurationByExternalID
}

func (p pattern) isID() bool { return p == credentialByID || p == configurationByID }

// isText reports whether the pattern has a name or external ID, which is a text that compares by
// bytes (SPEC 2.5).
func (p pattern) isText() bool { return p == integrationByName || p.isExternal() }

// identifiers returns the set of the identifier that the pattern compares, which is empty for a
// wildcard.
func (p pattern) identifiers() Identifiers { return patternIdentifiers[p%patterns] }

// patternIdentifiers is not modified.
var patternIdentifiers = [patterns]Identifiers{
	integrationByName:         IntegrationName,
	credentialByExternalID:    CredentialExternalID,
	credentialByID:            CredentialID,
	configurationByExternalID: ConfigurationExternalID,
	configurationByID:         ConfigurationID,
}

// wildcard returns the pattern that matches everything at a level.
func wildcard(k Kind) pattern {
	return [...]pattern{KindIntegration: anyIntegration, KindCredential: anyCredential, KindConfiguration: anyConfiguration}[k]
}

// prefix returns the text of a scope up to its name or its wildcard.
func (p pattern) prefix() string {
	prefix := p.kind().String() + ":"
	if p.isExternal() {
		prefix += extPrefix
	}
	return prefix
}

const extPrefix = "ext:" // marks an external ID (SPEC 2.1)

// A Scope is one key of a claim, such as integration:*, credential:ID or configuration:ext:ID
// (SPEC 2). Scopes can be compared with ==, because an ID is kept in lower case (SPEC 2.5).
//
// The zero Scope covers nothing, and no text parses to it.
type Scope struct {
	pattern pattern
	name    string // without its prefix; empty for a wildcard
}

// ParseScope parses the text of a scope. It returns a [*ParseError] that matches [ErrScope] for a
// text that SPEC 2.3 to 2.5 forbid.
func ParseScope(s string) (Scope, error) {
	if problem, remedy := scopeProblem(s); problem != "" {
		return Scope{}, &ParseError{Kind: ErrScope, Offset: -1, Found: text.Quote(s), Problem: problem, Remedy: remedy}
	}
	p, name := splitScope(s)
	if p.isID() {
		name = strings.ToLower(name)
	}
	return Scope{p, strings.Clone(name)}, nil
}

// MustParseScope is [ParseScope] for a text that is known to be a scope. It panics otherwise.
func MustParseScope(s string) Scope {
	scope, err := ParseScope(s)
	if err != nil {
		panic(err)
	}
	return scope
}

// Kind returns the level of what the scope covers, and 0 for the zero Scope.
func (s Scope) Kind() Kind { return s.pattern.kind() }

// IsWildcard reports whether the scope covers everything of its kind: *.
func (s Scope) IsWildcard() bool { return s.pattern.isWildcard() }

// IsExternal reports whether the scope names what it covers by an external ID.
func (s Scope) IsExternal() bool { return s.pattern.isExternal() }

// Name returns the integration's name, the ID in lower case, or the external ID without its
// prefix ext:. It is empty for a wildcard.
func (s Scope) Name() string { return s.name }

// String returns the exact text of the scope, as [ParseScope] takes it, and "" for the zero Scope.
// Names are part of it as they are, invisible characters included. [Rule.String] is for people.
func (s Scope) String() string {
	switch {
	case s.pattern == 0:
		return ""
	case s.pattern.isWildcard():
		return s.pattern.prefix() + "*"
	}
	return s.pattern.prefix() + s.name
}

// quoted returns the scope for people. Whatever is not a wildcard or an ID is in quotation marks.
func (s Scope) quoted() string {
	if s.pattern.isText() {
		work(len(s.name))
		return s.pattern.prefix() + text.Quote(s.name)
	}
	return s.String()
}

// LogValue returns the scope as [Rule.String] has it.
func (s Scope) LogValue() slog.Value { return slog.StringValue(s.quoted()) }

// MarshalText returns [Scope.String]. The zero Scope has no text, which is an error that matches
// [ErrScope].
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

// Compare orders scopes from the least to the most specific: by kind, then * before external IDs
// before IDs (SPEC 2.1, 2.2), then names by bytes. It returns a number below, at or above 0. It
// returns 0 only if s == t.
func (s Scope) Compare(t Scope) int {
	if s.pattern == t.pattern {
		workToCompare(s.name, t.name)
	}
	return cmp.Or(cmp.Compare(s.pattern, t.pattern), cmp.Compare(s.name, t.name))
}

// splitScope splits the text of a scope (SPEC 2.3). The name is empty for a wildcard, and is not
// checked. The pattern is 0 if the kind is unknown.
func splitScope(s string) (p pattern, name string) {
	var any, named pattern
	switch {
	case strings.HasPrefix(s, "credential:"):
		any, named, name = anyCredential, credentialByID, s[len("credential:"):]
	case strings.HasPrefix(s, "configuration:"):
		any, named, name = anyConfiguration, configurationByID, s[len("configuration:"):]
	case strings.HasPrefix(s, "integration:"):
		any, named, name = anyIntegration, integrationByName, s[len("integration:"):]
	default:
		return 0, ""
	}
	if name == "*" {
		return any, ""
	}
	if named != integrationByName && strings.HasPrefix(name, extPrefix) {
		return named - 1, name[len(extPrefix):] // the external ID of the same kind
	}
	return named, name
}

// scopeProblem says what is wrong with the text of a scope, and what was probably meant. It
// returns "" if nothing is.
func scopeProblem(s string) (problem, remedy string) {
	p, name := splitScope(s)
	switch {
	case p == 0:
		return unknownKind(s)
	case p.isWildcard():
		return "", ""
	}
	if problem = nameProblem(p, name); problem != "" {
		return "is not a scope: its " + p.identifiers().String() + " " + problem, scopeRemedy(p, name)
	}
	return "", ""
}

func isScope(s string) bool {
	p, name := splitScope(s)
	return p != 0 && (p.isWildcard() || nameProblem(p, name) == "")
}

func didYouMean(s string) string { return "did you mean " + text.Quote(s) + "?" }

// unknownKind explains a text that begins with none of the kinds of a scope.
func unknownKind(s string) (problem, remedy string) {
	kind, rest, colon := strings.Cut(s, ":")
	meant := nearestKind(kind)
	switch {
	case strings.TrimLeft(s, negations) != s:
		return "is not a scope: its kind is unknown", "a scope never excludes; to deny something, give its own scope false"
	case !colon && meant != "":
		return "is not a scope: it has no colon", didYouMean(meant + ":*")
	case !colon:
		return "is not a scope: it has no colon", "scopes look like integration:NAME, credential:ID or configuration:ext:ID"
	case meant != "" && isScope(meant+":"+rest):
		return "is not a scope: its kind is unknown", didYouMean(meant + ":" + rest)
	}
	return "is not a scope: its kind is unknown", "the kinds are integration, credential and configuration"
}

// nearestKind returns the kind that a word was probably meant to be, or "". People shorten the
// kinds, config most of all.
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

// scopeRemedy says what a name that is forbidden in a scope was probably meant to be. It returns ""
// if that is not known.
func scopeRemedy(p pattern, name string) string {
	kind := p.kind().String()
	trimmed := strings.TrimFunc(name, isWhiteSpace)
	meant := p.prefix() + trimmed
	if p.isID() {
		if respelled := usualUUID(trimmed); respelled != "" {
			return "an ID has the form 8-4-4-4-12; " + didYouMean(p.prefix()+respelled)
		}
		if strings.EqualFold(trimmed, "ext") {
			trimmed = ""
		} else if hasExtPrefix(trimmed) {
			trimmed = strings.TrimFunc(trimmed[len(extPrefix):], isWhiteSpace)
		}
		if !isScope(meant) {
			meant = p.prefix() + extPrefix + trimmed
		}
	}
	marked := strings.EqualFold(name, "ext") || hasExtPrefix(name)
	switch {
	case name == "" && !p.isExternal():
		return didYouMean(kind + ":*")
	case strings.Contains(name, "*"):
		return "there are no patterns but " + kind + ":*"
	case isScope(meant):
		return didYouMean(meant)
	case marked && p == integrationByName:
		return "an integration has a name, and no external ID"
	case marked || name == "":
		return "the external ID itself follows " + kind + ":ext:"
	}
	return ""
}

// usualUUID returns the usual spelling of a UUID that is written in another one (SPEC 2.5), or "".
func usualUUID(s string) string {
	s = strings.ToLower(s)
	s = strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(s, "urn:uuid:"), "{"), "}")
	digits := strings.ReplaceAll(s, "-", "")
	if len(digits) != 32 {
		return ""
	}
	s = digits[:8] + "-" + digits[8:12] + "-" + digits[12:16] + "-" + digits[16:20] + "-" + digits[20:]
	if _, ok := parseUUID(s); !ok {
		return ""
	}
	return s
}

// nameProblem says what SPEC 2.4 or 2.5 find wrong with a name, an external ID or an ID. It
// returns "" if nothing is.
func nameProblem(p pattern, name string) string {
	if p.isID() {
		if _, ok := parseUUID(name); ok {
			return ""
		}
		if name == "" {
			return "is empty"
		}
		return "is not a UUID"
	}
	if isPlainName(name) && (p.isExternal() || !looksExternal(name)) {
		return ""
	}
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
	case p.isExternal():
		if name == "*" {
			return "is *, which no external ID can be"
		}
	case strings.IndexByte(name, '*') >= 0:
		return "holds a *"
	case looksExternal(name):
		return "begins with ext, which marks an external ID"
	}
	return ""
}

// isPlainName reports whether a name is printable ASCII without a star and with no space at its
// ends, as nearly all are. An external ID of that form is valid, and so is a name, unless it is ext or
// begins with ext:.
func isPlainName(name string) bool {
	work(len(name))
	for i := range len(name) {
		if c := name[i]; c-' ' > '~'-' ' || c == '*' {
			return false
		}
	}
	return name != "" && name[0] != ' ' && name[len(name)-1] != ' '
}

// looksExternal reports whether a name is ext or begins with ext:, in any letter case.
func looksExternal(name string) bool {
	return len(name) >= len("ext") && name[0]|0x20 == 'e' && (strings.EqualFold(name, "ext") || hasExtPrefix(name))
}

func hasExtPrefix(name string) bool {
	return len(name) >= len(extPrefix) && strings.EqualFold(name[:len(extPrefix)], extPrefix)
}

func beginsOrEndsWithSpace(name string) bool {
	first, _ := utf8.DecodeRuneInString(name)
	last, _ := utf8.DecodeLastRuneInString(name)
	return isWhiteSpace(first) || isWhiteSpace(last)
}

func isWhiteSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

// A uuid is an ID. Its words have the 16 bytes of a UUID in the order in which parse gets them:
// from the lowest byte up, first has those with the numbers 0, 4, 1, 5, 2, 6, 3 and 7, and second
// has the others in the same way.
type uuid struct{ first, second uint64 }

const uuidLen = 36

// uuidDigits has, for each byte of a UUID, the index of its first digit in the text.
var uuidDigits = [16]uint8{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34}

// parse sets id to a UUID in the spelling of SPEC 2.5: 8-4-4-4-12 hexadecimal digits, in any letter
// case. If the text is not one, it leaves id as it is.
//
// It reads eight digits at a time, which takes a third of the time that a table of digits takes.
func (id *uuid) parse(s string) (ok bool) {
	if len(s) != uuidLen || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	a, badA := hexDigits(load32(s) | load32(s[4:])<<32)
	b, badB := hexDigits(load32(s[9:]) | load32(s[14:])<<32)
	c, badC := hexDigits(load32(s[19:]) | load32(s[24:])<<32)
	d, badD := hexDigits(load32(s[28:]) | load32(s[32:])<<32)
	if badA|badB|badC|badD != 0 {
		return false
	}
	id.first, id.second = a|b<<8, c|d<<8
	return true
}

func parseUUID(s string) (id uuid, ok bool) {
	ok = id.parse(s)
	return id, ok
}

func load32(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// hexDigits returns the four bytes that eight hexadecimal digits spell, each as a number of 16
// bits. The first digit is in the lowest byte of text, and the first byte in the lowest number. If
// bad is not 0, some byte of text is not a digit.
func hexDigits(text uint64) (numbers, bad uint64) {
	const each = 0x0101010101010101
	letters := text >> 6 & each                      // 1 for the bytes from @ to DEL, and for those above 0xbf
	values := text&(0x0f*each) + 9*letters           // 0 to 15 for digits
	above9 := (values + 0x76*each) >> 7 & each       // 1 for 10 and more
	digits := values + '0'*each + ('a'-'9'-1)*above9 // the digits of these values, in lower case
	bad = (text | letters<<5) ^ digits               // the letters of text are in lower case, too
	bad |= values & (0x10 * each)                    // 16 and more
	return (values<<4 | values>>8) & 0x00ff00ff00ff00ff, bad
}

// uuidOf returns the UUID with these bytes.
func uuidOf(b *[16]byte) uuid {
	numbers := func(b []byte) uint64 {
		return uint64(b[0]) | uint64(b[1])<<16 | uint64(b[2])<<32 | uint64(b[3])<<48
	}
	return uuid{numbers(b[:4]) | numbers(b[4:8])<<8, numbers(b[8:12]) | numbers(b[12:])<<8}
}

// bytes returns the bytes of a UUID.
func (id uuid) bytes() (b [16]byte) {
	for i := range 4 {
		x, y := id.first>>(16*i), id.second>>(16*i)
		b[i], b[i+4], b[i+8], b[i+12] = byte(x), byte(x>>8), byte(y), byte(y>>8)
	}
	return b
}

// capitals returns which hexadecimal digits of a UUID's text are capital letters, a bit for each.
func capitals(s string) (mask uint32) {
	const lower = 0x20202020 // set in digits, hyphens and small letters
	all := uint64(lower)
	for i := 0; i < uuidLen; i += 4 {
		all &= load32(s[i:])
	}
	if all == lower {
		return 0
	}
	for i, at := range uuidDigits {
		for j := range uint8(2) {
			if c := s[at+j]; 'A' <= c && c <= 'F' {
				mask |= 1 << (2*uint8(i) + j)
			}
		}
	}
	return mask
}

// text returns the UUID in lower case, but for the digits of the mask.
func (id uuid) text(capitals uint32) string {
	var b [uuidLen]byte
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	bytes := id.bytes()
	for i, at := range uuidDigits {
		for j, digit := range [2]uint8{bytes[i] >> 4, bytes[i] & 15} {
			c := "0123456789abcdef"[digit]
			if capitals>>(2*i+j)&1 != 0 {
				c -= 'a' - 'A'
			}
			b[int(at)+j] = c
		}
	}
	return string(b[:])
}

// String returns the UUID in lower case.
func (id uuid) String() string { return id.text(0) }
