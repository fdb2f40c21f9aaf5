package permissions

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// An Option changes how a claim is read. A nil Option changes nothing.
type Option interface{ apply(*options) }

type options struct {
	extras        vocabulary
	ignoreUnknown bool
	acceptString  bool
	err           error
}

type option func(*options)

func (o option) apply(to *options) { o(to) }

// WithPermissions declares extra permissions, beside the ten, that a claim may name and that can
// be asked for (SPEC 1.9). The grant true has them too.
//
// A name is refused if it is empty or one of the ten, is not valid UTF-8, or holds a control
// character, a quotation mark, a backslash or U+FFFD. More than 53 names are refused as well. A
// function that takes the option then returns an error, and [Unrestricted] returns a policy that
// denies everything. Declaring a name again changes nothing.
func WithPermissions(names ...Permission) Option {
	names = slices.Clone(names)
	return option(func(o *options) {
		for _, name := range names {
			_, declared := o.extras.number(name)
			switch problem := extraProblem(name); {
			case problem != "":
				o.refuse("WithPermissions: " + text.Quote(string(name)) + " " + problem)
			case declared:
			case len(o.extras) == maxExtras:
				o.refuse("WithPermissions: there are more than " + strconv.Itoa(maxExtras) + " names")
			default:
				o.extras = append(o.extras, Permission(strings.Clone(string(name))))
			}
		}
	})
}

// extraProblem says why a name cannot be declared as an extra permission (SPEC 1.9), and "" if it
// can. It also refuses invalid UTF-8, and U+FFFD, because invalid bytes in a claim decode to it.
func extraProblem(name Permission) string {
	_, isKnown := vocabulary(nil).number(name)
	switch {
	case name == "":
		return "is empty"
	case isKnown:
		return "is one of the ten permissions and needs no declaration"
	case !utf8.ValidString(string(name)):
		return "is not valid UTF-8"
	case strings.ContainsFunc(string(name), func(r rune) bool {
		return unicode.IsControl(r) || r == '"' || r == '\\' || r == utf8.RuneError
	}):
		return "holds a control character, a quotation mark, a backslash or U+FFFD"
	}
	return ""
}

// refuse notes the first mistake in the options.
func (o *options) refuse(problem string) {
	if o.err == nil {
		o.err = errors.New("permissions: " + problem)
	}
}

// IgnoreUnknownPermissions accepts names in a claim that are not permissions, and ignores them: they
// grant nothing (SPEC 1.9). Without it they are an error. [Policy.Ignored] lists them: when the
// platform adds a permission, that is where it shows.
func IgnoreUnknownPermissions() Option {
	return option(func(o *options) { o.ignoreUnknown = true })
}

// AcceptStringClaim accepts a claim that is a JSON string which holds the object, as some JWT
// libraries serialize it (SPEC 6.3). Without it that is an error.
func AcceptStringClaim() Option {
	return option(func(o *options) { o.acceptString = true })
}

func newOptions(opts []Option) (*options, error) {
	if len(opts) == 0 {
		return &noOptions, nil
	}
	o := new(options)
	for _, opt := range opts {
		if opt != nil {
			opt.apply(o)
		}
	}
	return o, o.err
}

var noOptions options // never modified

// Parse reads a claim: the JSON value of [ClaimName], and nothing around it but white space (SPEC
// 1, 2). It takes the whole claim or returns an error, which is a [*ParseError] that says which
// rule was broken and where. The error for a wrong option is not a ParseError. The policy keeps
// nothing of claim.
//
// Parse is not for a token without the claim: see [Unrestricted].
//
// Parse takes time and memory in proportion to the length of the claim, however hostile it is. It
// does not recurse deeper than a claim can nest. It refuses a claim of more than 256 MiB.
func Parse(claim []byte, opts ...Option) (*Policy, error) {
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	if len(claim) > maxClaim {
		return nil, errTooLong(0)
	}
	return parse(string(claim), o, fromText)
}

// MustParse is [Parse] for tests and package variables: it panics where Parse returns an error.
func MustParse(claim string, opts ...Option) *Policy {
	p, err := Parse([]byte(claim), opts...)
	if err != nil {
		panic(err)
	}
	return p
}

// FromValue is [Parse] for a claim that a JSON library has decoded already: a map[string]any whose
// values are such maps, []any or []string with names, or bool. With [AcceptStringClaim] it takes a
// string that holds the JSON, too. It refuses a value of another type with [ErrType]. It also
// refuses nil, a nil map and a nil slice, because that is what a JSON null and a missing key look
// like. The policy keeps nothing of the value.
//
// FromValue cannot refuse what decoding has lost: a repeated key is gone. A map has no order, so
// FromValue takes keys in the order of their bytes, and an error has no offset. Where the JSON is
// at hand, use Parse.
func FromValue(claim any, opts ...Option) (*Policy, error) {
	o, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	return parse(string(appendValue(nil, claim, maxDepth)), o, fromValue)
}

// maxDepth is how deep maps can nest in a claim: the claim itself, an integration's map and a
// credential's.
const maxDepth = 3

// appendValue appends the JSON text of a decoded value, as far as parse looks at it. It writes a float64 and a
// json.Number as 0, and a []string, which FromValue takes too, in full. room says how many maps may still be one in
// the other. It is negative in an array. For a map without room, and for an []any in an array, appendValue
// appends only the brackets, because parse refuses both. For nil, a nil map or slice, and a value
// of any other Go type, such as an int, it appends null, which parse refuses everywhere.
func appendValue(b []byte, value any, room int) []byte {
	switch v := value.(type) {
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return strictjson.AppendString(b, v)
	case float64, json.Number:
		return append(b, '0')
	case []string:
		if v == nil {
			break
		}
		return strictjson.AppendList(b, '[', v, strictjson.AppendString)
	case []any:
		if v == nil {
			break
		}
		if room < 0 {
			v = []any{}
		}
		return strictjson.AppendList(b, '[', v, func(b []byte, e any) []byte { return appendValue(b, e, -1) })
	case map[string]any:
		if v == nil {
			break
		}
		var keys []string
		if room > 0 {
			keys = slices.Sorted(maps.Keys(v))
		}
		return strictjson.AppendList(b, '{', keys, func(b []byte, key string) []byte {
			return appendValue(append(strictjson.AppendString(b, key), ':'), v[key], room-1)
		})
	}
	return append(b, "null"...)
}

// A source is where the text of a claim comes from.
type source uint8

const (
	fromText  source = iota
	fromValue        // it was written from a Go value
)

const (
	maxClaim  = 1 << 28                  // a longer claim is refused
	minScope  = len(`"credential:*":[]`) // a scope and its value are at least as long
	maxScopes = maxClaim/minScope + 1    // a claim has no more scopes
	nestsDown = "only what is more specific can be inside: a credential or configuration in an integration, a configuration in a credential"
)

// parse reads the text of a claim: an object, or a string that holds one if the options accept that.
func parse(claim string, o *options, from source) (*Policy, error) {
	b := parser{Scanner: strictjson.Scanner{Text: claim}, options: o, from: from}
	if len(claim) > maxClaim {
		return nil, errTooLong(-1) // Parse has checked the length of a text
	}
	if b.Space() == '"' && o.acceptString {
		return b.stringClaim()
	}
	return b.parse()
}

// errTooLong returns the error for a claim that is too long to be read.
func errTooLong(offset int) error {
	return &ParseError{Kind: ErrSyntax, Offset: offset, Problem: "is longer than 256 MiB", Remedy: "give it fewer rules"}
}

// A parser turns the text of a claim into a policy. It adds each scope to the policy's index when
// it has read it, and so it notices repeated ones.
type parser struct {
	strictjson.Scanner
	options *options
	from    source
	rules   *ruleset
}

// stringClaim reads a claim that is a JSON string which holds the object (SPEC 6.3).
func (b *parser) stringClaim() (*Policy, error) {
	inner, ok := b.Str()
	if !ok {
		return nil, b.syntax()
	}
	o := *b.options
	o.acceptString = false
	p, err := parse(inner, &o, b.from)
	if err == nil && !b.End() {
		return nil, b.syntax()
	}
	return p, err
}

// parse reads a claim that is an object, up to the end of the text.
func (b *parser) parse() (*Policy, error) {
	// Each scope has a colon in it and a colon after it. Only the one in it can be written as an escape, and
	// then the text has a backslash.
	room := strings.Count(b.Text, ":")
	if strings.IndexByte(b.Text, '\\') < 0 {
		room /= 2
	}
	s := newRuleset(min(room, len(b.Text)/minScope) + 1)
	if len(b.options.extras) > 0 {
		s.extras = &b.options.extras
	}
	b.Pos, b.rules = 0, s
	if b.Space() != '{' {
		return nil, b.badClaim()
	}
	if err := b.object(&scopeMap{node: noNode}); err != nil {
		return nil, err
	}
	if !b.End() {
		return nil, b.syntax()
	}
	s.finish()
	return &s.policy, nil
}

// A scopeMap is the parser's state for one map of scopes: the claim, or a nested map.
type scopeMap struct {
	node  uint32 // the node of the scope that holds the map; noNode for the claim
	kind  Kind   // the level of that scope; 0 for the claim
	rank  rank   // the rank that a rule for that scope would have
	key   uint64 // the key of that scope's path
	path  Target // what that path names, and leftovers of earlier entries, which find does not compare
	nests bool   // whether an entry has held a nested map so far
}

// object reads a map of scopes, and the maps in it. The recursion ends at a configuration, which
// cannot hold a map.
func (b *parser) object(h *scopeMap) error {
	more, ok := b.Begin('}'), true
	for ; more && ok; more, ok = b.More('}') {
		if err := b.entry(h); err != nil {
			return err
		}
	}
	if !ok {
		return b.syntax()
	}
	return nil
}

// entry reads a scope and its value. It checks in the order of SPEC 6.2, except that it looks for a
// repeated key after checking the scope and the nesting. The result is the same, because the first of two
// equal keys passed both checks.
func (b *parser) entry(h *scopeMap) error {
	if b.Space() != '"' {
		b.Unexpected("a scope")
		return b.syntax()
	}
	s, at := b.rules, b.Pos
	key, ok := b.Str()
	if !ok {
		return b.syntax()
	}
	n := node{parent: h.node}
	var name string
	n.pattern, name = splitScope(key)
	switch {
	case n.pattern.isID():
		if ok = n.id.parse(name); ok {
			n.capitals = capitals(name)
		}
	case n.pattern.isText():
		ok = nameProblem(n.pattern, name) == ""
	}
	if !ok || n.pattern == 0 {
		problem, remedy := scopeProblem(key)
		return b.keyMistake(ErrScope, at, h, key, problem, remedy)
	}
	if n.pattern.kind() <= h.kind {
		return b.keyMistake(ErrNesting, at, h, key, "cannot be inside a scope of kind "+h.kind.String(), nestsDown)
	}
	if n.pattern.isText() {
		n.name = s.names.add(name)
	}
	n.rank = h.rank.with(n.pattern)
	path := s.key(h.key, &n)
	s.set(&h.path, &n)
	same := s.find(n.rank, &h.path, path)
	if same != noNode && s.nodes[same].sameScope(&n) || h.nests && s.findNestedMap(&n, n.nestedMapKey(path)) {
		return b.keyMistake(ErrDuplicate, at, h, key, "is in one object twice", "keep one of them")
	}
	if !b.Punctuation(':') {
		return b.syntax()
	}
	if b.Space() == '{' {
		if n.pattern.kind() == KindConfiguration {
			return b.keyMistake(ErrNesting, at, h, key, "holds a map, and nothing is more specific than a configuration",
				"give it true, false or an array of permissions")
		}
		inner := &scopeMap{node: uint32(len(s.nodes)), kind: n.pattern.kind(), rank: n.rank, key: path, path: h.path}
		h.nests, n.rank = true, nestedMapRank
		s.add(n, n.nestedMapKey(path))
		return b.object(inner)
	}
	granted, err := b.grant(h, key)
	if err != nil {
		return err
	}
	if same != noNode {
		return b.keyMistake(ErrDuplicate, at, h, key, "has the same path as the rule at "+text.Quote(s.pointer(same)), "keep one of them")
	}
	n.grant = granted
	s.add(n, path)
	return nil
}

// grant reads the value of a rule.
func (b *parser) grant(h *scopeMap, key string) (grant, error) {
	at := b.Pos
	if b.Space() == '[' {
		return b.list(h, key)
	}
	t, value, ok := b.scalar('}')
	if !ok {
		return 0, b.syntax()
	}
	remedy := "give it true, false, an array of permissions, or a map of more specific scopes"
	switch t {
	case strictjson.True:
		return grantAll, nil
	case strictjson.False:
		return grantNone, nil
	case strictjson.String:
		if value == "true" || value == "false" {
			remedy = "did you mean " + value + ", without quotation marks?"
		} else {
			remedy = "did you mean [" + text.Quote(value) + "], an array?"
		}
	}
	return 0, b.mistake(ErrType, at, b.pointer(h, key), b.found(t, value), "is not a grant", remedy)
}

// scalar reads a scalar. closing is the bracket that may follow it, or 0 if nothing may. A number
// ends at the first character that cannot continue it, so the next character must be one that can
// follow a value (SPEC 6.2): 01 and 1x are syntax mistakes.
func (b *parser) scalar(closing byte) (t strictjson.Type, value string, ok bool) {
	t, value, ok = b.Scalar()
	if !ok || t != strictjson.Number {
		return t, value, ok
	}
	if b.Pos == len(b.Text) {
		return t, value, closing == 0 || b.Unexpected("a comma or '"+string(rune(closing))+"'")
	}
	switch c := b.Text[b.Pos]; {
	case c == ' ', c == '\t', c == '\n', c == '\r', closing != 0 && (c == ',' || c == closing):
		return t, value, true
	}
	return t, value, b.Unexpected("the end of a number")
}

// list reads an array of permission names. It returns them and what they include.
func (b *parser) list(h *scopeMap, key string) (granted grant, err error) {
	more, ok := b.Begin(']'), true
	for i := 0; more && ok; i++ {
		c, at := b.Space(), b.Pos
		if c != '"' {
			return 0, b.notPermission(c, at, h, key, i)
		}
		name, isString := b.Str()
		if !isString {
			return 0, b.syntax()
		}
		switch number, isPermission := b.options.extras.number(Permission(name)); {
		case isPermission:
			granted |= grantOf[number]
		case b.options.ignoreUnknown:
			// The rule is the next node.
			rule := Rule{b.rules, uint32(len(b.rules.nodes))}
			b.rules.ignored = append(b.rules.ignored, IgnoredPermission{Permission(strings.Clone(name)), rule, i})
		default:
			return 0, b.mistake(ErrUnknownPermission, at, b.elementPointer(h, key, i), text.Quote(name), "is not a permission",
				permissionRemedy(b.options.extras, name))
		}
		more, ok = b.More(']')
	}
	if !ok {
		return 0, b.syntax()
	}
	return granted, nil
}

// notPermission returns the error for an element of an array that begins with c and is not a
// string.
func (b *parser) notPermission(c byte, at int, h *scopeMap, key string, i int) error {
	var found string
	switch c {
	case '[':
		found = strictjson.Array.String()
	case '{':
		found = strictjson.Object.String()
	default:
		t, value, ok := b.scalar(']')
		if !ok {
			return b.syntax()
		}
		found = b.found(t, value)
	}
	return b.mistake(ErrType, at, b.elementPointer(h, key, i), found, "is not a permission", "an array holds the names of permissions")
}

// permissionRemedy says what a name that is not a permission was probably meant to be.
func permissionRemedy(v vocabulary, name string) string {
	if name == "*" {
		return "to grant everything, give the scope true"
	}
	if excluded := v.negated(name); excluded != "" {
		return "a name grants, and never excludes; to withhold " + text.Quote(excluded) + ", list the other permissions"
	}
	if meant := v.meant(name); meant != "" {
		return didYouMean(meant)
	}
	return "the permissions are " + strings.Join(v.list(), ", ") + "; WithPermissions declares others"
}

// mistake returns a ParseError, without the offset if the claim was a Go value.
func (b *parser) mistake(kind error, at int, pointer, found, problem, remedy string) error {
	if b.from == fromValue {
		at = -1
	}
	return &ParseError{Kind: kind, Pointer: pointer, Offset: at, Found: found, Problem: problem, Remedy: remedy}
}

// found describes a value.
func (b *parser) found(t strictjson.Type, value string) string {
	switch {
	case t == strictjson.String:
		return "the string " + text.Quote(value)
	case t == strictjson.Null && b.from == fromValue:
		return "nil, or a Go value of a type that encoding/json does not decode to,"
	}
	return t.String()
}

// syntax returns the error for the mistake that the scanner has found.
func (b *parser) syntax() error {
	return b.mistake(ErrSyntax, b.Pos, "", "", b.Problem, "")
}

// keyMistake returns the error for a mistake in a key of h.
func (b *parser) keyMistake(kind error, at int, h *scopeMap, key, problem, remedy string) error {
	return b.mistake(kind, at, b.pointer(h, key), text.Quote(key), problem, remedy)
}

// badClaim returns the error for a claim that is not an object.
func (b *parser) badClaim() error {
	at, c := b.Pos, b.Space()
	found, remedy := strictjson.Array.String(), `a claim is an object of scopes, such as {"integration:*":true}`
	switch {
	case b.Pos == len(b.Text):
		b.Problem = "is empty"
		return b.syntax()
	case c != '[':
		at = b.Pos
		t, value, ok := b.scalar(0)
		if !ok {
			return b.syntax()
		}
		found = b.found(t, value)
	}
	switch c {
	case '"':
		found = strictjson.String.String()
		remedy = "emit the object itself, not its JSON text in a string, or accept that with AcceptStringClaim"
	case 'n':
		remedy = "a token that may do everything has no claim, and one that may do nothing has {}"
		if b.from == fromValue {
			remedy = "give a map[string]any; where the token has no such key, take Unrestricted"
		}
	}
	return b.mistake(ErrType, at, "", found, "is not a claim", remedy)
}

// pointer returns the JSON Pointer to a key of h.
func (b *parser) pointer(h *scopeMap, key string) string {
	return b.rules.pointer(h.node) + "/" + strictjson.EscapePointer(key)
}

// elementPointer returns the JSON Pointer to an element of the array at a key of h.
func (b *parser) elementPointer(h *scopeMap, key string, i int) string {
	return b.pointer(h, key) + "/" + strconv.Itoa(i)
}
