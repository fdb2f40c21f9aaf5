package permissions

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An Option changes how a claim is read. Every Option is a [VerifierOption] too.
type Option interface {
	VerifierOption
	applyParse(*parseOptions)
}

type parseOptions struct {
	declared      vocabulary
	ignoreUnknown bool
	acceptString  bool
	err           error
}

type parseOption func(*parseOptions)

func (o parseOption) applyParse(p *parseOptions)       { o(p) }
func (o parseOption) applyVerifier(v *verifierOptions) { o(&v.parse) }

// WithPermissions declares further permissions, beside the nine, that a claim may
// name and that can be asked for (SPEC 1.9). A name that is one of the nine, or was
// declared before, changes nothing. An empty name, one that is not valid UTF-8 or
// holds U+FFFD, and more than 54 names, are refused by whatever takes the option.
func WithPermissions(names ...Permission) Option {
	names = slices.Clone(names)
	return parseOption(func(o *parseOptions) {
		for _, name := range names {
			switch {
			case name == "" || !utf8.ValidString(string(name)) || strings.ContainsRune(string(name), utf8.RuneError):
				o.err = errors.New("permissions: WithPermissions: " + quote(string(name)) + " cannot be a permission")
			case o.declared.grant(name) != grantOthers:
			case len(o.declared) == maxDeclared:
				o.err = errors.New("permissions: WithPermissions: more than " + strconv.Itoa(maxDeclared) + " names")
			default:
				o.declared = append(o.declared, name)
			}
		}
	})
}

// IgnoreUnknownPermissions accepts names in a claim that are no permissions, and
// ignores them: they grant nothing (SPEC 1.9). Without it they are an error.
func IgnoreUnknownPermissions() Option {
	return parseOption(func(o *parseOptions) { o.ignoreUnknown = true })
}

// AcceptStringClaim accepts a claim that is a JSON string which holds the object, as
// some JWT libraries serialize it (SPEC 6.3). Without it that is an error.
func AcceptStringClaim() Option {
	return parseOption(func(o *parseOptions) { o.acceptString = true })
}

func newParseOptions(opts []Option) (*parseOptions, error) {
	if len(opts) == 0 {
		return &defaultParseOptions, nil
	}
	o := new(parseOptions)
	for _, opt := range opts {
		if opt != nil {
			opt.applyParse(o)
		}
	}
	return o, o.err
}

var defaultParseOptions parseOptions // never written

// Parse reads a claim: the JSON value that stands under [ClaimName], and nothing
// around it but white space (SPEC 1, 2). It keeps nothing of claim. Its errors are
// a [*ParseError], which says which rule was broken where; an option that is wrong
// in itself is another error. The claim is taken whole or not at all.
//
// An absent claim is not Parse's to see: see [Unrestricted].
//
// Parse takes time and memory in proportion to the claim's length, however hostile
// it is, and does not recurse deeper than a claim can nest. A claim above 256 MiB is
// refused.
func Parse(claim []byte, opts ...Option) (*Policy, error) {
	o, err := newParseOptions(opts)
	if err != nil {
		return nil, err
	}
	return parse(string(claim), o, fromText)
}

// MustParse is [Parse] for tests and package variables: it panics where Parse
// returns an error.
func MustParse(claim string, opts ...Option) *Policy {
	o, err := newParseOptions(opts)
	if err != nil {
		panic(err)
	}
	p, err := parse(claim, o, fromText)
	if err != nil {
		panic(err)
	}
	return p
}

// FromValue is [Parse] for a claim that a JSON library has decoded already: a
// map[string]any of such maps, []any, []string and bool. It keeps nothing of the
// value. Everything else is refused with [ErrType]; so is nil, which stands for a
// JSON null and for a key that a map does not have.
//
// What decoding has lost cannot be refused: a repeated key has gone. A map has no
// order, so FromValue takes keys in the order of their bytes, and an error has no
// offset. Where the JSON is at hand, use Parse.
func FromValue(claim any, opts ...Option) (*Policy, error) {
	o, err := newParseOptions(opts)
	if err != nil {
		return nil, err
	}
	return parse(string(appendValue(nil, claim, maxDepth)), o, fromValue)
}

// maxDepth is how many maps stand in each other in the deepest claim: the claim
// itself, an integration's and a credential's.
const maxDepth = 3

// appendValue appends the JSON text of a decoded value, as far as parse will look at
// it: of a map or array that is too deep, and so a mistake itself, only the brackets.
// What no JSON value decodes to becomes null, which no claim may hold.
func appendValue(b []byte, value any, room int) []byte {
	switch v := value.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendString(b, v)
	case float64, json.Number:
		return append(b, '0')
	case []string:
		return appendList(b, '[', v, appendString)
	case []any:
		if room < 0 {
			v = nil
		}
		return appendList(b, '[', v, func(b []byte, e any) []byte { return appendValue(b, e, -1) })
	case map[string]any:
		var keys []string
		if room > 0 {
			keys = slices.Sorted(maps.Keys(v))
		}
		return appendList(b, '{', keys, func(b []byte, key string) []byte {
			return appendValue(append(appendString(b, key), ':'), v[key], room-1)
		})
	}
	return append(b, "null"...)
}

// appendList appends the elements between brackets, the first of which is opening.
func appendList[E any](b []byte, opening byte, list []E, appendElement func([]byte, E) []byte) []byte {
	b = append(b, opening)
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendElement(b, e)
	}
	return append(b, opening+bracketWidth)
}

// appendString appends a JSON string. A byte that is not UTF-8 stays what it is, for
// parse to refuse.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', '0'+c>>4, "0123456789abcdef"[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// A source is where a claim's text comes from. It decides what an error can say.
type source uint8

const (
	fromText   source = iota // the caller's own text
	fromString               // inside a JSON string
	fromValue                // written from a Go value
)

// maxClaim is the length above which a claim is refused. It bounds a node's number.
const maxClaim = 1 << 28

// minScope is how many bytes a scope and its value take at the least.
const minScope = len(`"credential:x":[]`)

// parse reads a claim.
func parse(text string, o *parseOptions, from source) (*Policy, error) {
	b := parser{scanner: scanner{text: text}, options: o, from: from}
	if len(text) > maxClaim {
		b.fail("is longer than 256 MiB")
		return nil, b.syntax()
	}
	if b.space() == '"' && o.acceptString {
		return b.stringClaim()
	}
	// Behind each scope stand a quote and a colon, so counting them tells how much room
	// to make. Only a claim with white space between them needs another try.
	most := len(text)/minScope + 1
	room, crowded := min(countKeys(text)+1, most), false
	for {
		p, err := b.parse(room, crowded)
		switch err {
		case errFull:
			room = most
		case errCrowded:
			crowded = true
		default:
			return p, err
		}
	}
}

var (
	errFull    = errors.New("full")    // there are more scopes than room was made for
	errCrowded = errors.New("crowded") // names must be told apart by all of their bytes
)

// A parser turns the text of a claim into a policy. It puts every scope into the
// policy's index when it has read it, and so sees what stands twice.
type parser struct {
	scanner
	options *parseOptions
	from    source
	rules   *ruleset
}

// stringClaim reads a claim that is a JSON string which holds the object.
func (b *parser) stringClaim() (*Policy, error) {
	inner, ok := b.str()
	if !ok {
		return nil, b.syntax()
	}
	o := *b.options
	o.acceptString = false
	p, err := parse(inner, &o, fromString)
	if err == nil && !b.end() {
		return nil, b.syntax()
	}
	return p, err
}

// parse reads the claim, with room for that many scopes.
func (b *parser) parse(room int, crowded bool) (*Policy, error) {
	s := newRuleset(b.text, room, crowded)
	if len(b.options.declared) > 0 {
		s.declared = &b.options.declared
	}
	b.i, b.rules = 0, s
	if b.space() != '{' {
		return nil, b.badClaim()
	}
	if err := b.object(&holder{node: noNode}); err != nil {
		return nil, err
	}
	if !b.end() {
		return nil, b.syntax()
	}
	s.arrange()
	return &s.policy, nil
}

// A holder is a map of scopes while it is read.
type holder struct {
	node  uint32 // the scope that holds it, or noNode for the claim
	kind  Kind   // that scope's kind, 0 for the claim
	rank  rank   // its rank, were it a rule
	names Target // what it and the scopes above it name
	holds bool   // whether the map has held another so far
}

// object reads a map of scopes, and the maps in it. A configuration holds none, so
// the recursion ends at maxDepth.
func (b *parser) object(h *holder) error {
	more, ok := b.begin('}'), true
	for ; more && ok; more, ok = b.more('}') {
		if err := b.entry(h); err != nil {
			return err
		}
	}
	if !ok {
		return b.syntax()
	}
	return nil
}

// entry reads a scope and its value. The order of its checks is that of SPEC 6.2; a
// repeated key may be looked for late, because it was right the first time.
func (b *parser) entry(h *holder) error {
	if b.space() != '"' {
		b.unexpected("a scope")
		return b.syntax()
	}
	s, at := b.rules, b.i
	if len(s.nodes) == cap(s.nodes) {
		return errFull
	}
	// A key that is plain, as nearly all are, is looked at once.
	text, t := b.candidate(), texture(0)
	id, name, ok := splitScope(text)
	if ok && id < identifiers {
		t = id.texture(name)
		ok = t&odd == 0 && (t&hasUpper == 0 || strings.IndexByte(name, '\\') < 0)
	}
	if ok {
		b.i += len(text) + 2
	} else {
		if text, ok = b.str(); !ok {
			return b.syntax()
		}
		if id, name, ok = splitScope(text); !ok || id < identifiers && id.check(name) != "" {
			return b.badScope(at, h, text)
		}
		t = hasUpper // perhaps
	}
	if id.kind() <= h.kind {
		inside := "cannot stand inside a credential"
		if h.kind == KindIntegration {
			inside = "cannot stand inside an integration"
		}
		return b.keyMistake(ErrNesting, at, h, text, inside,
			"only what is more specific can: a credential or configuration in an integration, a configuration in a credential")
	}
	if id.isObjectID() && t&hasUpper != 0 {
		name = canonicalID(name)
	}
	n := node{name: name, at: uint32(at), parent: h.node, id: id, rank: h.rank.with(id)}
	if id < identifiers {
		*h.names.field(id) = name
	}
	same, key := s.find(n.rank, &h.names)
	if same != noNode && s.nodes[same].parent == h.node && s.keyText(&s.nodes[same]) == text ||
		h.holds && s.isHolder(h.node, text) {
		return b.keyMistake(ErrDuplicate, at, h, text, "stands twice in one object", "keep one of them")
	}
	if !b.punctuation(':') {
		return b.syntax()
	}
	if b.space() == '{' {
		if id.kind() == KindConfiguration {
			return b.keyMistake(ErrNesting, at, h, text, "holds a map, and nothing is more specific than a configuration",
				"give it true, false or an array of permissions")
		}
		h.holds = true
		inner := &holder{node: uint32(len(s.nodes)), kind: id.kind(), rank: n.rank, names: h.names}
		_, key := s.findHolder(h.node, text)
		n.rank = holderRank
		s.add(n, key)
		return b.object(inner)
	}
	granted, err := b.grant(h, text)
	if err != nil {
		return err
	}
	if same != noNode {
		return b.keyMistake(ErrDuplicate, at, h, text, "is the rule that already stands at "+quote(s.pointer(same)), "keep one of them")
	}
	n.grant = granted
	if s.add(n, key) >= maxAlike && !s.crowded {
		return errCrowded
	}
	return nil
}

// grant reads the value of a rule.
func (b *parser) grant(h *holder, key string) (grant, error) {
	at := b.i
	switch b.space() {
	case 't':
		if b.literal("true") {
			return grantAll, nil
		}
		return 0, b.syntax()
	case 'f':
		if b.literal("false") {
			return grantNone, nil
		}
		return 0, b.syntax()
	case '[':
		return b.list(h, key)
	}
	found, ok := b.scalar()
	if !ok {
		return 0, b.syntax()
	}
	remedy := "give it true, false, an array of permissions, or a map of more specific scopes"
	if inner := strings.TrimPrefix(found, "the string "); inner != found {
		switch inner {
		case `"true"`, `"false"`:
			remedy = "did you mean " + strings.Trim(inner, `"`) + ", without quotes?"
		default:
			remedy = "did you mean [" + inner + "], an array?"
		}
	}
	return 0, b.mistake(ErrType, at, b.pointer(h, key), found, "is no grant", remedy)
}

// list reads an array of permissions.
func (b *parser) list(h *holder, key string) (granted grant, err error) {
	more, ok := b.begin(']'), true
	for i := 0; more && ok; i++ {
		c, at := b.space(), b.i
		pointer := func() string { return b.pointer(h, key) + "/" + strconv.Itoa(i) }
		const problem, remedy = "is no permission", "an array holds the names of permissions"
		switch c {
		case '"':
			name := b.candidate()
			g := b.options.declared.grant(Permission(name))
			if g != grantOthers {
				b.i += len(name) + 2
			} else {
				if name, ok = b.str(); !ok {
					return 0, b.syntax()
				}
				g = b.options.declared.grant(Permission(name))
			}
			if g == grantOthers {
				if !b.options.ignoreUnknown {
					return 0, b.mistake(ErrPermission, at, pointer(), quote(name), problem, b.permissionRemedy(name))
				}
				g = grantNone
			}
			granted |= g
		case '[':
			return 0, b.mistake(ErrType, at, pointer(), "an array", problem, remedy)
		case '{':
			return 0, b.mistake(ErrType, at, pointer(), "an object", problem, remedy)
		default:
			found, ok := b.scalar()
			if !ok {
				return 0, b.syntax()
			}
			return 0, b.mistake(ErrType, at, pointer(), found, problem, remedy)
		}
		more, ok = b.more(']')
	}
	if !ok {
		return 0, b.syntax()
	}
	return granted.include(), nil
}

// permissionRemedy says what a name that is no permission was probably meant to be.
func (b *parser) permissionRemedy(name string) string {
	var known []string
	for p := range b.options.declared.names {
		known = append(known, string(p))
	}
	if name == "*" {
		return "to grant everything, give the scope true"
	}
	if rest, ok := strings.CutPrefix(name, "configuration:"); ok {
		name = "config:" + rest
	}
	if meant := nearest(name, known); meant != "" {
		return "did you mean " + quote(meant) + "?"
	}
	return "the permissions are " + strings.Join(known, ", ") + "; WithPermissions declares others"
}

// mistake returns the error for a mistake.
func (b *parser) mistake(kind error, at int, pointer, found, problem, remedy string) error {
	if b.from != fromText {
		at = -1
	}
	if b.from == fromValue && found == "null" {
		found = "nil, or a Go value that is not JSON's,"
	}
	return &ParseError{Kind: kind, Pointer: pointer, Offset: at, Found: found, Problem: problem, Remedy: remedy}
}

// syntax returns the error for what the scanner noted.
func (b *parser) syntax() error {
	return b.mistake(ErrSyntax, b.i, "", "", b.problem, "")
}

// keyMistake returns the error for a mistake in a key of h.
func (b *parser) keyMistake(kind error, at int, h *holder, key, problem, remedy string) error {
	return b.mistake(kind, at, b.pointer(h, key), quote(key), problem, remedy)
}

// badScope returns the error for a key that is no scope.
func (b *parser) badScope(at int, h *holder, key string) error {
	problem, remedy := scopeProblem(key)
	return b.keyMistake(ErrScope, at, h, key, problem, remedy)
}

// badClaim returns the error for a claim that is no object.
func (b *parser) badClaim() error {
	at, c := b.i, b.space()
	found, remedy := "an array", "a claim is an object of scopes, such as {\"integration:*\":true}"
	switch {
	case b.i == len(b.text):
		b.fail("is empty")
		return b.syntax()
	case c != '[':
		at = b.i
		var ok bool
		if found, ok = b.scalar(); !ok {
			return b.syntax()
		}
	}
	switch c {
	case '"':
		found = "a string"
		remedy = "emit the object itself, not its JSON text in a string, or accept that with AcceptStringClaim"
	case 'n':
		remedy = "a token that may do everything has no claim, and one that may do nothing has {}"
	}
	return b.mistake(ErrType, at, "", found, "is no claim", remedy)
}

// pointer returns the JSON Pointer to a key of h.
func (b *parser) pointer(h *holder, key string) string {
	return b.rules.pointer(h.node) + "/" + escapePointer(key)
}

// escapePointer returns a key as a JSON Pointer spells it (RFC 6901).
func escapePointer(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
