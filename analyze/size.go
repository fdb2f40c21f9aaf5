package analyze

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// A Size says how many bytes a policy takes in a token, and what takes them.
type Size struct {
	// Claim is the length of the claim that [permissions.Policy.MarshalJSON] writes. Token is the length of a token
	// with it: RS256 with a key of 2048 bits, exp, iat, sub and aud, where the subject and the project are UUIDs.
	// Servers limit HTTP headers to between 4 and 16 KiB.
	Claim, Token int

	// Members has the members of the claim at its top level, the longest first.
	Members []SizeOfMember

	// Lists has the grants that the claim writes more than once, true included, those that take most first. What
	// grants nothing is left out.
	Lists []SizeOfList

	// Smaller is a policy that gives the same answer to every question, with a shorter claim, and
	// SmallerToken the length of a token with it. They are nil and 0 if none was found.
	Smaller      *permissions.Policy
	SmallerToken int
}

// SizeOfMember is what a member of a claim takes: its scope, and the grant or the map that the scope has.
type SizeOfMember struct {
	Scope permissions.Scope
	Rules int // how many rules are in it
	Bytes int // in the claim
}

// SizeOfList is what a grant takes that is in a claim several times.
type SizeOfList struct {
	Grant permissions.PermissionSet
	Times int
	Bytes int // of all of them together, in the claim
}

// Measure returns the size of a policy, and looks for a smaller claim that says the same. It drops rules and
// permissions that change no answer. It gives the grant of a wildcard to the scope around it: integration:a with
// {"credential:*": G} becomes integration:a with G. It replaces rules beside each other that have one grant with
// one rule for their wildcard. It keeps a change only if [Equal] proves that no answer changes, also in a later
// version of this module that knows more permissions. It does not find every smaller claim.
//
// An unrestricted policy and a policy that is nil or zero have no claim, which is an error. So is an
// intersection: measure what [permissions.Narrow] makes of it.
//
// The search tries at most 400 claims, and fewer for a policy of many rules. It tries none for a policy that
// declares as many permissions as there can be.
func Measure(p *permissions.Policy) (Size, error) {
	if p.IsUnrestricted() || isNone(p) {
		return Size{}, errors.New("analyze: Measure: the policy has no claim; Parse and Build make some that have one")
	}
	claim, err := p.MarshalJSON()
	if err != nil {
		return Size{}, fmt.Errorf("analyze: Measure: %w", err)
	}
	s := Size{Claim: len(claim), Token: tokenSize(len(claim))}
	if s.Members, s.Lists, err = contributions(claim, p); err != nil {
		return Size{}, err
	}
	if smaller, length := smallest(p, claim); smaller != nil {
		s.Smaller, s.SmallerToken = smaller, tokenSize(length)
	}
	return s, nil
}

// tokenSize returns the length of a token with a claim of some length.
func tokenSize(claim int) int {
	const (
		header  = `{"alg":"RS256","typ":"JWT"}`
		uuid    = "00000000-0000-0000-0000-000000000000"
		payload = `{"sub":"` + uuid + `","aud":"useparagon.com/` + uuid + `","exp":1000000000,"iat":1000000000,"` +
			permissions.ClaimName + `":}`
		signature = 256
	)
	size := base64.RawURLEncoding.EncodedLen
	return size(len(header)) + 1 + size(len(payload)+claim) + 1 + size(signature)
}

// contributions returns what the members of a claim take, and the grants that are in it more than once.
func contributions(claim []byte, p *permissions.Policy) (members []SizeOfMember, lists []SizeOfList, err error) {
	canonical, err := permissions.Parse(claim, declared(p)...)
	if err != nil {
		return nil, nil, fmt.Errorf("analyze: Measure: %w", err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(claim, &top); err != nil {
		return nil, nil, fmt.Errorf("analyze: Measure: %w", err)
	}
	rules := make(map[string]int) // by the first part of their pointers
	grants := make(map[string]*SizeOfList)
	for r := range canonical.Rules() {
		first, _, _ := strings.Cut(r.Pointer()[1:], "/")
		rules[first]++
		written, err := writtenGrant(r.Grant())
		if err != nil {
			return nil, nil, fmt.Errorf("analyze: Measure: %w", err)
		}
		if grants[written] == nil {
			grants[written] = &SizeOfList{Grant: r.Grant()}
		}
		grants[written].Times++
		grants[written].Bytes += len(written)
	}
	for key, value := range top {
		scope, err := permissions.ParseScope(key)
		if err != nil {
			return nil, nil, fmt.Errorf("analyze: Measure: %w", err)
		}
		members = append(members, SizeOfMember{
			Scope: scope, Rules: rules[strictjson.EscapePointer(key)],
			Bytes: len(strictjson.AppendString(nil, key)) + len(":") + len(value),
		})
	}
	slices.SortFunc(members, func(a, b SizeOfMember) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), a.Scope.Compare(b.Scope))
	})
	for _, written := range sortedKeys(grants) {
		if l := grants[written]; l.Times > 1 && !l.Grant.IsEmpty() {
			lists = append(lists, *l)
		}
	}
	slices.SortStableFunc(lists, func(a, b SizeOfList) int { return cmp.Compare(b.Bytes, a.Bytes) })
	return members, lists, nil
}

func sortedKeys(m map[string]*SizeOfList) (keys []string) {
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// writtenGrant returns a grant as a claim has it.
func writtenGrant(grant permissions.PermissionSet) (string, error) {
	var b permissions.Builder
	b.AnyIntegration().Grant(grant)
	var extras []permissions.Permission
	for name := range grant.All() {
		if !slices.Contains(permissions.AllPermissions(), name) {
			extras = append(extras, name)
		}
	}
	p, err := b.Build(permissions.WithPermissions(extras...))
	if err != nil {
		return "", err
	}
	claim, err := p.MarshalJSON()
	return strings.TrimSuffix(strings.TrimPrefix(string(claim), `{"integration:*":`), "}"), err
}

// declared returns the option that declares what a policy knows beside the ten.
func declared(p *permissions.Policy) []permissions.Option {
	extras := p.Vocabulary()[len(permissions.AllPermissions()):]
	return []permissions.Option{permissions.WithPermissions(extras...)}
}

// A shrinking is a search for a smaller claim.
type shrinking struct {
	options []permissions.Option
	later   []permissions.Option // options, and a permission that stands for those of later versions
	want    *permissions.Policy  // the policy to match, parsed with later
	rules   []sizedRule
	alike   map[string]int // by siblingKey: how many siblings have that grant
	length  int            // of the claim of the rules
	left    int            // how many claims may be tried
}

type sizedRule struct {
	path  []permissions.Scope
	grant permissions.PermissionSet
}

// smallest returns the policy with the smallest claim that it found, and its length. It returns nil if none
// is smaller than the claim of p.
func smallest(p *permissions.Policy, claim []byte) (*permissions.Policy, int) {
	s := &shrinking{options: declared(p), length: len(claim)}
	later := permissions.Permission("a later permission")
	for slices.Contains(p.Vocabulary(), later) {
		later += "+"
	}
	s.later = append(slices.Clone(s.options), permissions.WithPermissions(later))
	var err error
	if s.want, err = permissions.Parse(claim, s.later...); err != nil {
		return nil, 0
	}
	s.setRules(rulesOf(s.want))
	s.left = min(400, 100_000/(1+len(s.rules)))
	if narrowed, err := permissions.Narrow(s.want); err == nil { // without redundant rules
		s.try(rulesOf(narrowed))
	}
	for improved := true; improved; {
		improved = false
		for _, change := range []func(i int) bool{s.hoist, s.lift, s.drop} {
			for i := 0; i < len(s.rules) && s.left > 0; i++ {
				for i < len(s.rules) && change(i) {
					improved = true
				}
			}
		}
	}
	if s.length >= len(claim) {
		return nil, 0
	}
	smaller, err := build(s.rules, s.options)
	if err != nil {
		return nil, 0
	}
	return smaller, s.length
}

func rulesOf(p *permissions.Policy) (list []sizedRule) {
	for r := range p.Rules() {
		list = append(list, sizedRule{r.Path(), r.Grant()})
	}
	return list
}

func build(rules []sizedRule, opts []permissions.Option) (*permissions.Policy, error) {
	var b permissions.Builder
	for _, r := range rules {
		b.At(r.path...).Grant(r.grant)
	}
	return b.Build(opts...)
}

// try replaces the rules with others, if their claim is shorter and says the same. It reports whether it did.
func (s *shrinking) try(rules []sizedRule) bool {
	if s.left == 0 {
		return false
	}
	s.left--
	p, err := build(rules, s.later)
	if err != nil {
		return false // no claim can have all of them, or two have one path
	}
	claim, err := p.MarshalJSON()
	if err != nil || len(claim) >= s.length {
		return false
	}
	if ok, _ := Equal(s.want, p); !ok {
		return false
	}
	s.setRules(rules)
	s.length = len(claim)
	return true
}

func (s *shrinking) setRules(rules []sizedRule) {
	s.rules, s.alike = rules, make(map[string]int)
	for _, r := range rules {
		s.alike[r.siblingKey()]++
	}
}

// siblingKey returns a text that is the same for siblings with one grant. Siblings are rules of one kind in one
// scope.
func (r sizedRule) siblingKey() string {
	return fmt.Sprintln(r.path[:len(r.path)-1], r.path[len(r.path)-1].Kind(), r.grant.IsAll(), r.grant)
}

// hoist moves the grant of a rule, and of those beside it that grant the same, to the wildcard beside them.
func (s *shrinking) hoist(i int) bool {
	r := s.rules[i]
	last := r.path[len(r.path)-1]
	if last.IsWildcard() || s.alike[r.siblingKey()] < 2 {
		return false
	}
	above := r.path[:len(r.path)-1]
	wildcard := append(slices.Clone(above), permissions.MustParseScope(last.Kind().String()+":*"))
	rest := slices.DeleteFunc(slices.Clone(s.rules), func(other sizedRule) bool {
		beside := len(other.path) == len(r.path) && slices.Equal(other.path[:len(above)], above)
		// An old rule of the wildcard goes too, because the wildcard gets this grant.
		return beside && (other.grant.Equal(r.grant) || slices.Equal(other.path, wildcard))
	})
	return s.try(append(rest, sizedRule{wildcard, r.grant}))
}

// lift moves the grant of a wildcard to the scope that holds it.
func (s *shrinking) lift(i int) bool {
	r := s.rules[i]
	if len(r.path) == 1 || !r.path[len(r.path)-1].IsWildcard() {
		return false
	}
	above := r.path[:len(r.path)-1]
	rest := slices.DeleteFunc(slices.Clone(s.rules), func(other sizedRule) bool {
		return slices.Equal(other.path, r.path) || slices.Equal(other.path, above)
	})
	return s.try(append(rest, sizedRule{above, r.grant}))
}

// drop leaves a permission out of a grant.
func (s *shrinking) drop(i int) bool {
	r := s.rules[i]
	if r.grant.IsAll() {
		return false // true is shorter than any list
	}
	for name := range r.grant.All() {
		var names []permissions.Permission
		for other := range r.grant.All() {
			if other != name {
				names = append(names, other)
			}
		}
		rules := slices.Clone(s.rules)
		rules[i].grant = permissions.NewPermissionSet(names...)
		if s.try(rules) {
			return true
		}
	}
	return false
}

// String returns the size for people, in a few lines.
func (s Size) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "a claim of %d bytes, and a token of %d", s.Claim, s.Token)
	const most = 3
	for _, m := range s.Members[:min(most, len(s.Members))] {
		rules := "rules"
		if m.Rules == 1 {
			rules = "rule"
		}
		fmt.Fprintf(&b, "\n%s takes %d bytes, with %d %s", text.Quote(m.Scope.String()), m.Bytes, m.Rules, rules)
	}
	for _, l := range s.Lists[:min(most, len(s.Lists))] {
		fmt.Fprintf(&b, "\nthe grant of %s is there %d times and takes %d bytes", l.Grant, l.Times, l.Bytes)
	}
	if s.Smaller != nil {
		fmt.Fprintf(&b, "\nan equivalent claim makes a token of %d bytes", s.SmallerToken)
	}
	return b.String()
}
