package analyze

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// A space is the policies that are analyzed together: the actions that they know, the names that they
// use, and their rules by place. Every name is hashed once for each time that a claim spells it out,
// and quoted once.
type space struct {
	actions []permissions.Permission
	numbers map[permissions.Permission]int
	ofUser  actions                                    // those that can be asked of the user (SPEC 3.3)
	acting  [permissions.KindConfiguration + 1]actions // by the level of what they act on, asked of an integration

	names  [identifierCount]nameTable
	places []place // of the rules of all lists, and the root
	index  map[place]int32
	ofRank [maxRank + 1][]int32 // the places of a rank, in the order in which the claims have them
	ranks  ranks
	lists  []*ruleList

	pairings map[pairingKey]*pairing
	shared   map[sharingKey]map[place][]int32
	targets  map[place]permissions.Target
	fresh    [identifierCount]string
}

// A nameTable gives numbers, from 1, to the names of one identifier.
type nameTable struct {
	scopes  []permissions.Scope // scopes[0] is not used
	numbers map[string]uint32
	last    uint32 // what number returned last, for lastOf
	lastOf  permissions.Scope
	quoted  []string // the names for people, as far as they were asked for
}

// number returns the number of the name in a scope.
func (t *nameTable) number(s permissions.Scope) uint32 {
	// Two strings in the same memory compare fast, and the rules inside a scope share the memory of its name. Another
	// policy has the same name in other memory. So lastOf is set although it is equal: the next comparison is fast.
	if t.last != 0 && t.lastOf == s {
		t.lastOf = s
		return t.last
	}
	n, ok := t.numbers[s.Name()]
	if !ok {
		n = uint32(len(t.scopes))
		t.scopes = append(t.scopes, s)
		t.numbers[s.Name()] = n
	}
	t.last, t.lastOf = n, s
	return n
}

// find returns the number of a name, and 0 if no policy uses it.
func (t *nameTable) find(name string) uint32 { return t.numbers[name] }

// quote returns the name with a number for people. A name that is not an ID is in quotation marks.
func (t *nameTable) quote(n uint32) string {
	if len(t.quoted) < len(t.scopes) {
		t.quoted = append(t.quoted, make([]string, len(t.scopes)-len(t.quoted))...)
	}
	if t.quoted[n] == "" {
		t.quoted[n] = t.scopes[n].Name()
		if which := identifierOf(t.scopes[n]); which != credentialID && which != configurationID {
			t.quoted[n] = text.Quote(t.quoted[n])
		}
	}
	return t.quoted[n]
}

// quoteScope returns a scope for people, as [permissions.Rule.String] has it.
func quoteScope(s permissions.Scope) string {
	which := identifierOf(s)
	if which == 0 || which == credentialID || which == configurationID {
		return s.String()
	}
	return identifierTexts[which.index()].prefix + text.Quote(s.Name())
}

// A ruleList is the rules of a policy that is not an intersection, by the number of their place.
type ruleList struct {
	policy *permissions.Policy
	isNone bool // the policy is nil or zero
	has    []bool
	rules  []permissions.Rule // the zero Rule for an unrestricted policy
	grants []actions
	ranks  ranks
	known  actions  // those that can be asked
	read   []listed // the rules, until finish has arranged them by place
}

// A listed is a rule of a ruleList, with the number of its place.
type listed struct {
	place  int32
	rule   permissions.Rule
	grants actions
}

// none is the number for no rule, in place of the number of a rule's place.
const none int32 = -1

// grantOf returns what the rule at a place grants. For none it returns no actions.
func (l *ruleList) grantOf(i int32) actions {
	if i == none {
		return actions{}
	}
	return l.grants[i]
}

// newSpace returns a space, and for each policy the lists that must all allow what it allows.
func newSpace(policies ...*permissions.Policy) (*space, [][]*ruleList) {
	s := &space{
		numbers:  make(map[permissions.Permission]int),
		index:    make(map[place]int32),
		pairings: make(map[pairingKey]*pairing),
		shared:   make(map[sharingKey]map[place][]int32),
		targets:  make(map[place]permissions.Target),
	}
	for i := range s.names {
		s.names[i] = nameTable{scopes: make([]permissions.Scope, 1), numbers: make(map[string]uint32)}
	}
	for _, name := range permissions.AllPermissions() {
		s.action(name)
	}
	s.place(root)
	lists := make([][]*ruleList, len(policies))
	for i, p := range policies {
		parts := p.Parts()
		if parts == nil {
			parts = []*permissions.Policy{p}
		}
		for _, part := range parts {
			lists[i] = append(lists[i], s.read(part))
		}
	}
	for _, l := range s.lists {
		s.finish(l)
	}
	return s, lists
}

// action returns the number of an action, which is added if it is new.
func (s *space) action(name permissions.Permission) int {
	n, ok := s.numbers[name]
	if ok {
		return n
	}
	n = len(s.actions)
	s.actions = append(s.actions, name)
	s.numbers[name] = n
	// The library says what an action acts on (SPEC 3.3).
	var opts []permissions.Option
	if n >= len(permissions.AllPermissions()) {
		opts = append(opts, permissions.WithPermissions(name))
	}
	all := permissions.Unrestricted(opts...)
	s.acting[all.Explain(name, permissions.Integration("any")).ActsOn].add(n)
	if all.Allowed(name, permissions.User()) {
		s.ofUser.add(n)
	}
	return n
}

// actionsIn returns a set of permissions as actions.
func (s *space) actionsIn(set permissions.PermissionSet) (a actions) {
	for name := range set.All() {
		a.add(s.action(name))
	}
	return a
}

// permissions returns the names of actions.
func (s *space) permissions(a actions) (list []permissions.Permission) {
	for i := range a.all {
		list = append(list, s.actions[i])
	}
	return list
}

// place returns the number of a place, which is added if it is new.
func (s *space) place(p place) int32 {
	i, ok := s.index[p]
	if !ok {
		i = int32(len(s.places))
		s.places = append(s.places, p)
		s.index[p] = i
		r := rankOf(p)
		s.ofRank[r] = append(s.ofRank[r], i)
		s.ranks |= 1 << r
	}
	return i
}

// placeOf returns the place of a path. It numbers names that are new.
func (s *space) placeOf(path []permissions.Scope) (p place) {
	p.depth = uint32(path[len(path)-1].Kind())
	for _, scope := range path {
		if which := identifierOf(scope); which != 0 {
			p.names[which.index()] = s.names[which.index()].number(scope)
		}
	}
	return p
}

// read reads the rules of a policy that is not an intersection.
func (s *space) read(p *permissions.Policy) *ruleList {
	l := &ruleList{policy: p}
	s.lists = append(s.lists, l)
	for _, name := range p.Vocabulary() {
		l.known.add(s.action(name))
	}
	if p.IsUnrestricted() {
		l.read = append(l.read, listed{s.place(root), permissions.Rule{}, l.known})
	}
	for r := range p.Rules() {
		l.read = append(l.read, listed{s.place(s.placeOf(r.Path())), r, s.actionsIn(r.Grant())})
	}
	l.isNone = len(l.read) == 0 && isNone(p)
	return l
}

// isNone reports whether a policy is nil or zero. Explain calls no hook.
func isNone(p *permissions.Policy) bool {
	return p.Explain(permissions.Events, permissions.User()).Decision.Reason == permissions.ReasonNoPolicy
}

// finish arranges the rules of a list when all places are known.
func (s *space) finish(l *ruleList) {
	l.has = make([]bool, len(s.places))
	l.rules = make([]permissions.Rule, len(s.places))
	l.grants = make([]actions, len(s.places))
	for _, r := range l.read {
		l.has[r.place], l.rules[r.place], l.grants[r.place] = true, r.rule, r.grants
		l.ranks |= 1 << rankOf(s.places[r.place])
	}
	l.read = nil
}

// decider returns the rule that decides on the targets that have the names of a place and no others (SPEC 4.4). Only
// the rules of a list and of the ranks in among count. If the list is nil, those of all lists and the root count.
// The result is the number of the rule's place, or none if no rule applies.
func (s *space) decider(p place, among ranks, l *ruleList) int32 {
	left := among & applicable[p.level()][p.named()]
	if l != nil {
		left &= l.ranks
	} else {
		left &= s.ranks
	}
	for left != 0 {
		r := left.highest()
		if i, ok := s.index[p.only(r.named()).at(r.level())]; ok && (l == nil || l.has[i]) {
			return i
		}
		left &^= 1 << r
	}
	return none
}

// A view is a level at which the targets of a place are asked about some actions.
type view struct {
	level   permissions.Kind
	actions actions
}

// views returns the levels at which to analyze a place, each with its actions. An action belongs to the least
// deep level, from that of the place on, on which it acts (SPEC 3.3). Deeper levels need no analysis. On a
// deeper target all rules apply that apply on this level, and perhaps more specific ones. If one of the former
// decides there, it decides here too. The root also has the level of the user, which comes first: for the root,
// an action that can be asked of the user belongs to that level.
func (s *space) views(p place) (list []view) {
	done := actions{}
	add := func(level permissions.Kind, a actions) {
		if a = a.without(done); !a.isEmpty() {
			list = append(list, view{level, a})
			done = done.or(a)
		}
	}
	if p == root {
		add(permissions.KindUser, s.ofUser)
	}
	var actable actions
	for level := permissions.KindIntegration; level <= permissions.KindConfiguration; level++ {
		actable = actable.or(s.acting[level])
		if level >= p.level() {
			add(level, actable)
		}
	}
	return list
}

// order returns the places from the least to the most specific, equals in the order of the claims.
func (s *space) order(yield func(int32) bool) {
	for left := s.ranks; left != 0; left &^= 1 << left.lowest() {
		for _, i := range s.ofRank[left.lowest()] {
			if !yield(i) {
				return
			}
		}
	}
}

// target returns the target of a place that has its names and otherwise a name that no policy uses and
// no external ID.
func (s *space) target(p place) permissions.Target {
	if p.level() == permissions.KindUser {
		return permissions.User()
	}
	if t, ok := s.targets[p]; ok {
		return t
	}
	name := func(which identifiers) string {
		if n := p.names[which.index()]; n != 0 {
			return s.names[which.index()].scopes[n].Name()
		}
		return s.freshName(which)
	}
	object := func(id, externalID identifiers) []permissions.Identifier {
		if p.names[externalID.index()] == 0 {
			return []permissions.Identifier{permissions.ID(name(id)), permissions.NoExternalID()}
		}
		return []permissions.Identifier{permissions.ID(name(id)), permissions.ExternalID(name(externalID))}
	}
	var t permissions.Target
	switch level := p.level(); level {
	case permissions.KindIntegration:
		t = permissions.Integration(name(integrationName))
	case permissions.KindCredential:
		// What is above is made once for all that is in it, because that hashes its names.
		t = s.target(p.only(integrationName).at(level - 1)).Credential(object(credentialID, credentialExternalID)...)
	default:
		above := s.target(p.only(identifiersTo(permissions.KindCredential)).at(level - 1))
		return above.Configuration(object(configurationID, configurationExternalID)...)
	}
	s.targets[p] = t
	return t
}

// freshName returns a name that no policy uses.
func (s *space) freshName(which identifiers) string {
	fresh := &s.fresh[which.index()]
	for i := 0; *fresh == ""; i++ {
		name := fmt.Sprintf("00000000-0000-4000-8000-%012x", i)
		if which == integrationName {
			if name = "other"; i > 0 {
				name = fmt.Sprintf("other-%d", i+1)
			}
		}
		if s.names[which.index()].find(name) == 0 {
			*fresh = name
		}
	}
	return *fresh
}

// text returns a place for people, as [permissions.Rule.String] returns a path.
func (s *space) text(p place) string {
	var levels []string
	for level := permissions.KindIntegration; level <= p.level(); level++ {
		var scopes []string
		for i, n := range p.only(identifiersTo(level) &^ identifiersTo(level-1)).names {
			if n != 0 {
				scopes = append(scopes, identifierTexts[i].prefix+s.names[i].quote(n))
			}
		}
		switch len(scopes) {
		case 0:
			levels = append(levels, level.String()+":*")
		case 1:
			levels = append(levels, scopes[0])
		default:
			levels = append(levels, "("+scopes[1]+" and "+scopes[0]+")")
		}
	}
	return strings.Join(levels, "/")
}

// decision returns the answer of the policy that consists of some lists, about an action on the target
// of a place. It is the answer of [permissions.Policy.Decide], which would call hooks.
func (s *space) decision(lists []*ruleList, p place, action int) permissions.Decision {
	if !slices.ContainsFunc(lists, func(l *ruleList) bool { return l.known.has(action) }) {
		return permissions.Decision{Reason: permissions.ReasonInvalidQuestion}
	}
	var first permissions.Decision
	for i, l := range lists {
		d := s.answer(l, p, action)
		if len(lists) > 1 {
			d.Part = i + 1
		}
		if !d.Allowed {
			return d
		}
		if i == 0 {
			first = d
		}
	}
	return first
}

// answer is decision for one list.
func (s *space) answer(l *ruleList, p place, action int) (d permissions.Decision) {
	i := s.decider(p, ^ranks(0), l)
	switch {
	case l.policy.IsUnrestricted() && l.known.has(action):
		return permissions.Decision{Allowed: true, Reason: permissions.ReasonNoClaim}
	case l.isNone:
		return permissions.Decision{Reason: permissions.ReasonNoPolicy}
	case i == none || !l.known.has(action):
		return permissions.Decision{Reason: permissions.ReasonNoRule}
	case l.grants[i].has(action):
		return permissions.Decision{Allowed: true, Reason: permissions.ReasonGranted, Rule: l.rules[i]}
	}
	return permissions.Decision{Reason: permissions.ReasonNotGranted, Rule: l.rules[i]}
}

// explain returns a decision in one line, as its String does, without quoting a long name again.
func (s *space) explain(d permissions.Decision, lists []*ruleList, p place) string {
	if d.Rule == (permissions.Rule{}) {
		return d.String()
	}
	l := lists[max(d.Part, 1)-1]
	verb, part := "denied: ", ""
	if d.Allowed {
		verb = "allowed: "
	}
	if d.Part != 0 {
		part = fmt.Sprintf("part %d: ", d.Part)
	}
	return verb + part + s.text(s.places[s.decider(p, ^ranks(0), l)]) + " grants " + d.Rule.Grant().String()
}

// A Region is where a change holds: the targets of a level, or deeper, that have certain names. Most
// regions are the path of a rule, and match what the rule matches (SPEC 4.1): the region integration:*
// is everything, the user included. The zero Region is empty.
type Region struct {
	scopes []permissions.Scope
	text   string
}

func (s *space) region(p place) Region {
	r := Region{text: s.text(p)}
	for level := permissions.KindIntegration; level <= p.level(); level++ {
		of := p.only(identifiersTo(level) &^ identifiersTo(level-1))
		if of.named() == 0 {
			r.scopes = append(r.scopes, wildcards[level])
		}
		for i := len(of.names) - 1; i >= 0; i-- {
			if n := of.names[i]; n != 0 {
				r.scopes = append(r.scopes, s.names[i].scopes[n])
			}
		}
	}
	return r
}

// wildcards are the scopes that match everything of a level. They are not modified.
var wildcards = map[permissions.Kind]permissions.Scope{
	permissions.KindIntegration:   permissions.MustParseScope("integration:*"),
	permissions.KindCredential:    permissions.MustParseScope("credential:*"),
	permissions.KindConfiguration: permissions.MustParseScope("configuration:*"),
}

// Scopes returns the scopes that match all targets in the region: one for each level down to that of the
// region, or two where both the ID and the external ID must match. The slice is the caller's to keep.
func (r Region) Scopes() []permissions.Scope { return slices.Clone(r.scopes) }

// String returns the region for people, as [permissions.Rule.String] returns a path. Where both the ID and
// the external ID must match, it has both:
//
//	integration:*/(credential:3fa85f64-5717-4562-b3fc-2c963f66afa6 and credential:ext:"acme")
func (r Region) String() string { return r.text }

// MarshalJSON returns an object with the members text (see [Region.String]) and scopes (see
// [Region.Scopes]).
func (r Region) MarshalJSON() ([]byte, error) {
	scopes := r.scopes
	if scopes == nil {
		scopes = []permissions.Scope{}
	}
	return json.Marshal(struct {
		Text   string              `json:"text"`
		Scopes []permissions.Scope `json:"scopes"`
	}{r.text, scopes})
}
