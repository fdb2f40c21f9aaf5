package permissions

import (
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// A Policy is what a claim allows: its rules, and the answers that follow from them. It can also be
// what several policies allow together, see [Intersect]. It does not change, so any number of
// goroutines can share one. Only [Policy.UnmarshalJSON] writes to a Policy, to a zero one.
//
// A nil Policy and the zero Policy deny everything (SPEC 7.2).
type Policy struct {
	rules *ruleset            // nil for the zero Policy, and for an intersection
	parts *parts              // of an intersection
	hooks []func(Observation) // never modified
}

// Unrestricted returns the policy of a token without the claim: it allows every valid question
// (SPEC 1.7), and has no rules. Its permissions are the ten and those that [WithPermissions]
// declares; other options change nothing. If an option is wrong ([Parse] returns an error for it),
// it returns a policy that denies everything.
func Unrestricted(opts ...Option) *Policy {
	o, err := newOptions(opts)
	switch {
	case err != nil:
		return new(Policy)
	case len(o.extras) == 0:
		return &Policy{rules: &unrestricted}
	}
	return &Policy{rules: &ruleset{unrestricted: true, extras: &o.extras}}
}

// IsUnrestricted reports whether p is the policy of a token without the claim. A claim that
// grants everything is not the same.
func (p *Policy) IsUnrestricted() bool { s := p.ruleset(); return s != nil && s.unrestricted }

var unrestricted = ruleset{unrestricted: true} // never modified

// ruleset returns the rules of p. They are nil for a nil or zero Policy, and for an intersection.
func (p *Policy) ruleset() *ruleset {
	if p == nil {
		return nil
	}
	return p.rules
}

// isNone reports whether p is nil or zero.
func (p *Policy) isNone() bool { return p == nil || p.rules == nil && p.parts == nil }

// Vocabulary returns the permissions that p knows: the ten, and then those that [WithPermissions]
// declared. An intersection knows those that any of its parts knows. The slice is the caller's to
// keep. Vocabulary calls no hook of [Policy.Observe].
func (p *Policy) Vocabulary() []Permission { return append(AllPermissions(), p.vocabulary()...) }

// Rules yields the rules of the claim, in the order of its text. A policy that is nil, zero or
// unrestricted has none. An intersection has those of its parts, one part after the other.
func (p *Policy) Rules() iter.Seq[Rule] {
	return func(yield func(Rule) bool) {
		for s, i := range p.nodes {
			if s.nodes[i].rank != nestedMapRank && !yield(Rule{s, i}) {
				return
			}
		}
	}
}

// NestedMaps yields every nested map (SPEC 1.3) in the claim, in the order of the text. An
// intersection has those of its parts, one part after the other.
func (p *Policy) NestedMaps() iter.Seq[NestedMap] {
	return func(yield func(NestedMap) bool) {
		for s, i := range p.nodes {
			if s.nodes[i].rank == nestedMapRank && !yield(NestedMap{s, i}) {
				return
			}
		}
	}
}

// A NestedMap is a scope whose value is a map of more specific scopes (SPEC 1.3). It is a value. As with a [Rule],
// == is false for nested maps that were read separately. [Policy.NestedMaps] yields it.
type NestedMap struct {
	rules  *ruleset
	number uint32
}

// Path returns the scopes that lead to the map, as [Rule.Path] does. It is nil for the zero NestedMap.
func (m NestedMap) Path() []Scope { return Rule(m).Path() }

// Pointer returns the place of the scope that holds the map, as a JSON Pointer (RFC 6901). It is
// empty for the zero NestedMap.
func (m NestedMap) Pointer() string { return Rule(m).Pointer() }

// IsEmpty reports whether the map is {}. Such a map sets nothing, but is easily taken for a denial.
func (m NestedMap) IsEmpty() bool {
	if m.rules == nil {
		return true
	}
	inner := int(m.number) + 1
	return inner == len(m.rules.nodes) || m.rules.nodes[inner].parent != m.number
}

// Ignored yields the names in the claim that are not permissions, in the order of the text. There are
// none unless the claim was read with [IgnoreUnknownPermissions]. An intersection has those of its
// parts, one part after the other.
func (p *Policy) Ignored() iter.Seq[IgnoredPermission] {
	return func(yield func(IgnoredPermission) bool) {
		for _, s := range p.rulesets() {
			if s == nil {
				continue
			}
			for _, i := range s.ignored {
				if !yield(i) {
					return
				}
			}
		}
	}
}

// An IgnoredPermission is a name that is not a permission, in a claim that was read with
// [IgnoreUnknownPermissions].
type IgnoredPermission struct {
	Name  Permission
	Rule  Rule // whose array has the name
	Index int  // in that array
}

// Pointer returns the place of the name in the claim, as a JSON Pointer (RFC 6901).
func (i IgnoredPermission) Pointer() string { return i.Rule.Pointer() + "/" + strconv.Itoa(i.Index) }

// String returns the name and its place for people, in one line.
func (i IgnoredPermission) String() string {
	return text.Quote(string(i.Name)) + " in " + i.Rule.String()
}

// LogValue returns [IgnoredPermission.String].
func (i IgnoredPermission) LogValue() slog.Value { return slog.StringValue(i.String()) }

// nodes yields every node of every ruleset of p.
func (p *Policy) nodes(yield func(*ruleset, uint32) bool) {
	for _, s := range p.rulesets() {
		if s == nil {
			continue
		}
		for i := range s.nodes {
			if !yield(s, uint32(i)) {
				return
			}
		}
	}
}

// String returns the rules for people, one after the other, shortened after a few, such as
//
//	integration:* grants events; integration:"slack"/credential:* grants none
func (p *Policy) String() string {
	switch {
	case p.isNone():
		return "no policy, which denies everything"
	case p.IsUnrestricted():
		return "unrestricted, which allows everything"
	case p.parts != nil:
		return fmt.Sprintf("an intersection of %d policies", len(p.parts.rules))
	}
	const most = 8
	var list []string
	count := 0
	for r := range p.Rules() {
		if count++; count <= most {
			list = append(list, r.String()+" grants "+r.Grant().String())
		}
	}
	switch {
	case count == 0:
		return "an empty claim, which denies everything"
	case count == most+1:
		list = append(list, "and 1 more rule")
	case count > most:
		list = append(list, fmt.Sprintf("and %d more rules", count-most))
	}
	return strings.Join(list, "; ")
}

// LogValue returns [Policy.String].
func (p *Policy) LogValue() slog.Value { return slog.StringValue(p.String()) }

// A Rule is what a claim says of one path of scopes (SPEC 2.7). It is a value. == is true for the same rule of one
// claim that was read once. Rules that were read separately are never equal: compare [Rule.Path] and
// [Rule.Grant]. The zero Rule has no path and grants nothing.
type Rule struct {
	rules  *ruleset
	number uint32
}

// Path returns the scopes that lead to what the rule covers: the integration's, then the
// credential's and the configuration's as far as the rule goes. A level that the claim skips is a
// wildcard. It is nil for the zero Rule.
func (r Rule) Path() []Scope {
	if r.rules == nil {
		return nil
	}
	return r.rules.path(r.number)
}

// Scope returns the last scope of the path: what the rule covers. It is the zero Scope for the
// zero Rule.
func (r Rule) Scope() Scope {
	if r.rules == nil {
		return Scope{}
	}
	return r.rules.scope(r.number)
}

// Grant returns what the rule grants. It replaces what any less specific rule grants.
func (r Rule) Grant() PermissionSet {
	if r.rules == nil {
		return PermissionSet{}
	}
	return PermissionSet{r.rules.nodes[r.number].grant, r.rules.extras}
}

// Pointer returns the place of the rule in the claim, as a JSON Pointer (RFC 6901). It is empty
// for the zero Rule.
func (r Rule) Pointer() string {
	if r.rules == nil {
		return ""
	}
	return r.rules.pointer(r.number)
}

// String returns the path for people, separated by slashes, such as
//
//	integration:"slack"/credential:*
//
// Names and external IDs are in quotation marks. A long one is shortened, and its digest follows. So two rules of
// a claim do not look the same. It is "no rule" for the zero Rule.
func (r Rule) String() string {
	if r.rules == nil {
		return "no rule"
	}
	var list []string
	for _, s := range r.Path() {
		list = append(list, s.quoted())
	}
	return strings.Join(list, "/")
}

// LogValue returns [Rule.String].
func (r Rule) LogValue() slog.Value { return slog.StringValue(r.String()) }

// MarshalJSON returns an object with the members path, an array of the exact scopes; pointer, see
// [Rule.Pointer]; and grants, see [PermissionSet.MarshalJSON]. For the zero Rule it returns null.
func (r Rule) MarshalJSON() ([]byte, error) {
	if r.rules == nil {
		return []byte("null"), nil
	}
	return marshal(struct {
		Path    []Scope       `json:"path"`
		Pointer string        `json:"pointer"`
		Grants  PermissionSet `json:"grants"`
	}{r.Path(), r.Pointer(), r.Grant()})
}

// MarshalJSON returns the claim that has the same rules, in its canonical form. Rules are in the order of their
// integration, then of their credential, then of their configuration: at each level from the least to the most
// specific scope, and then by name. A level that is skipped counts as its wildcard. Scopes are nested only where
// they must be. A grant has nothing that another permission in it includes (SPEC 1.5). Policies with the same
// rules, read with the same options, have the same canonical form. Parsing it gives the rules back, and no claim
// with these rules is shorter. [json.Marshal] may make it longer, because it escapes <, >, &, U+2028 and U+2029 in
// names.
//
// The claim never allows more than p. It has no ignored names. A nil or zero policy is {}, which allows nothing.
// But [json.Marshal] writes null for a nil pointer, which [Parse] refuses. An
// unrestricted policy is {"integration:*":true}, which allows as much. An intersection has no
// claim, which is an error. Read a claim that has declared permissions with the same
// [WithPermissions].
func (p *Policy) MarshalJSON() ([]byte, error) {
	switch {
	case p.isNone():
		return []byte("{}"), nil
	case p.parts != nil:
		return nil, errIntersection
	case p.IsUnrestricted():
		return []byte(`{"integration:*":true}`), nil
	}
	var rules []pathGrant
	for r := range p.Rules() {
		rule := pathGrant{grant: r.Grant()}
		copy(rule.path[:], r.Path())
		rules = append(rules, rule)
	}
	return encode(sorted(rules, integrationLevel))
}

// UnmarshalJSON is [Parse] without options, into a zero Policy. A Policy does not change, and others may have the
// pointer. So it is an error if p is not zero, as in a struct that is decoded into for the second time: decode each
// value into a new one. On an error it leaves p as it was.
//
// Beware: encoding/json matches the names of struct fields without regard to letter case. Claims of package
// usertoken does not.
func (p *Policy) UnmarshalJSON(data []byte) error {
	parsed, err := Parse(data)
	if err != nil {
		return err
	}
	if p == nil || !p.isNone() {
		return errors.New("permissions: UnmarshalJSON: the Policy is not a zero one; decode into a new one")
	}
	*p = *parsed
	return nil
}

// A pathGrant is a rule as values: its path, with the zero Scope after its end, and its grant.
type pathGrant struct {
	path  [3]Scope // of an integration, a credential and a configuration
	grant PermissionSet
	call  int // the index of the Builder's call that made the rule; only Build uses it
}

// The levels of a path.
const (
	integrationLevel = iota
	credentialLevel
	configurationLevel
)

// inexpressible returns the error for a rule whose scope would also need a nested map. A scope has
// one value, which is either a grant or a map.
func inexpressible(rule *pathGrant) error {
	scope, inner := rule.path[integrationLevel], "credential:*"
	if rule.path[credentialLevel] != (Scope{}) {
		scope, inner = rule.path[credentialLevel], "configuration:*"
	}
	remedy := "grant its " + inner + " instead"
	if !rule.path[integrationLevel].IsWildcard() {
		remedy += ", or give the more specific scopes to integration:*"
	}
	return &ParseError{
		Kind: ErrDuplicate, Pointer: pathPointer(rule.path[:]), Offset: -1, Found: scope.quoted(),
		Problem: "has a grant and more specific scopes in it, and a claim cannot give a scope both", Remedy: remedy,
	}
}

// pathPointer returns a path as a JSON Pointer.
func pathPointer(path []Scope) string {
	var b strings.Builder
	for _, s := range path {
		if s != (Scope{}) {
			b.WriteString("/" + strictjson.EscapePointer(s.String()))
		}
	}
	return b.String()
}

// sorted returns rules in the order of their paths. It compares the scope of a level once for each
// run of rules that have it, and not for each rule, because a scope may be long.
func sorted(rules []pathGrant, level int) []pathGrant {
	if level > configurationLevel || len(rules) < 2 {
		return rules
	}
	runs := slices.Collect(groups(rules, level))
	slices.SortStableFunc(runs, func(a, b []pathGrant) int { return a[0].path[level].Compare(b[0].path[level]) })
	rules = slices.Concat(runs...)
	for group := range groups(rules, level) {
		copy(group, sorted(group, level+1))
	}
	return rules
}

// groups yields the runs of rules with the same scope at a level.
func groups(rules []pathGrant, level int) iter.Seq[[]pathGrant] {
	return func(yield func([]pathGrant) bool) {
		for len(rules) > 0 {
			n := 1
			for n < len(rules) && rules[n].path[level] == rules[0].path[level] {
				workToCompare(rules[n].path[level].name, rules[0].path[level].name)
				n++
			}
			if !yield(rules[:n]) {
				return
			}
			rules = rules[n:]
		}
	}
}

// encode returns the claim with these rules, which are sorted. No two of them have the same path. The
// error is that of inexpressible.
func encode(rules []pathGrant) ([]byte, error) {
	e := encoder{claim: []byte{'{'}}
	var topLevel []pathGrant // what is not in a named integration: it is written last, at the top level
	for group := range groups(rules, integrationLevel) {
		first := &group[0]
		scope := first.path[integrationLevel]
		switch {
		case scope.IsWildcard():
			topLevel = e.anyIntegration(group)
		case first.path[credentialLevel] != Scope{}:
			e.open(scope.String())
			e.credentials(group)
			e.close()
		case len(group) == 1:
			e.rule(scope.String(), first.grant)
		default:
			return nil, inexpressible(first)
		}
	}
	e.credentials(topLevel)
	e.close()
	if e.err != nil {
		return nil, e.err
	}
	return e.claim, nil
}

// An encoder writes a claim.
type encoder struct {
	claim []byte
	err   error
}

// anyIntegration writes the scope integration:*, if there must be one, and returns the rules that
// remain to be written at the top level.
func (e *encoder) anyIntegration(group []pathGrant) (rest []pathGrant) {
	any := group[0].path[integrationLevel].String()
	if group[0].path[credentialLevel] == (Scope{}) {
		e.rule(any, group[0].grant)
		return group[1:]
	}
	// A credential with a grant and with configurations needs two keys. An ID has another spelling for the
	// second key. Otherwise the configurations go into the map of integration:*.
	var held []pathGrant
	for credential := range groups(group, credentialLevel) {
		if _, ok := respell(credential[0].path[credentialLevel]); !ok && hasBoth(credential) {
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

// hasBoth reports whether a named credential has a grant and holds configurations.
func hasBoth(credential []pathGrant) bool {
	path := &credential[0].path
	return !path[credentialLevel].IsWildcard() && path[configurationLevel] == (Scope{}) && len(credential) > 1
}

// credentials writes rules about credentials and configurations into the open map.
func (e *encoder) credentials(rules []pathGrant) {
	for group := range groups(rules, credentialLevel) {
		first, scope, both := &group[0], group[0].path[credentialLevel], hasBoth(group)
		if first.path[configurationLevel] == (Scope{}) {
			e.rule(scope.String(), first.grant)
			group = group[1:]
		}
		key := scope.String()
		switch {
		case len(group) == 0:
			continue
		case scope.IsWildcard(): // a skipped level is a wildcard (SPEC 2.7)
			e.configurations(group)
			continue
		case both:
			var ok bool
			if key, ok = respell(scope); !ok && e.err == nil {
				e.err = inexpressible(first)
			}
		}
		e.open(key)
		e.configurations(group)
		e.close()
	}
}

// respell returns a second spelling of a scope: an ID in capital letters (SPEC 2.5). It is not ok
// if there is none.
func respell(s Scope) (text string, ok bool) {
	upper := strings.ToUpper(s.name)
	return s.pattern.prefix() + upper, s.pattern.isID() && upper != s.name
}

func (e *encoder) configurations(rules []pathGrant) {
	for _, r := range rules {
		e.rule(r.path[configurationLevel].String(), r.grant)
	}
}

// key writes a key and its colon.
func (e *encoder) key(scope string) {
	if e.claim[len(e.claim)-1] != '{' {
		e.claim = append(e.claim, ',')
	}
	e.claim = append(strictjson.AppendString(e.claim, scope), ':')
}

func (e *encoder) open(scope string) {
	e.key(scope)
	e.claim = append(e.claim, '{')
}

func (e *encoder) close() { e.claim = append(e.claim, '}') }

// rule writes a rule. It writes true for the grant true only, see grantTrue.
func (e *encoder) rule(scope string, set PermissionSet) {
	e.key(scope)
	if set.grant&grantTrue != 0 {
		e.claim = append(e.claim, "true"...)
		return
	}
	set.grant &^= set.grant.implied()
	var list []string
	for p := range set.All() {
		list = append(list, string(p))
	}
	e.claim = strictjson.AppendList(e.claim, '[', list, strictjson.AppendString)
}
