package permissions

import (
	"errors"
	"iter"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/connectperms/permissions/internal/text"
)

// ErrNarrow matches every error of [Narrow] that is about what the policies say. Such an error is a
// [*NarrowError].
var ErrNarrow = errors.New("no claim says what the policies allow together")

// A NarrowError says why [Narrow] found no claim. It matches [ErrNarrow].
type NarrowError struct {
	// Action and Target are a question that a claim would answer in another way than the policies
	// together do. They are "" and the zero Target if the claim would be too large.
	Action Permission
	Target Target

	// Allowed is the answer of the policies together to that question.
	Allowed bool

	// Problem is why a claim cannot give that answer, and Remedy what to do instead.
	Problem, Remedy string
}

// Error returns all of e in one line.
func (e *NarrowError) Error() string {
	if e == nil {
		return "permissions: a nil *NarrowError"
	}
	var b strings.Builder
	b.WriteString("permissions: " + ErrNarrow.Error() + ": ")
	if e.Action != "" {
		answer := " is denied: "
		if e.Allowed {
			answer = " is allowed: "
		}
		b.WriteString(text.Quote(string(e.Action)) + " on " + e.Target.String() + answer)
	}
	return b.String() + e.Problem + "; " + e.Remedy
}

// Unwrap returns ErrNarrow.
func (e *NarrowError) Unwrap() error { return ErrNarrow }

// Narrow returns the policy of one claim that allows exactly what all the policies allow. It
// answers as the result of [Intersect] does, and it can be signed. Use it to issue a token that may
// do less than the caller's own: pass what the caller has, and what the caller asks for. So that it does
// not live longer either, sign it with WithLatestExpiry of package usertoken.
//
// The rules of the claim are the meets of the policies' rules. The meet of several rules is the
// rule with the names of all of them, if these do not contradict each other. Its grant is what the
// policies together grant there. A rule is left out if what it covers has the same grant without it.
// A grant is true only where each policy says true: true allows more than a list of all ten names in
// a version that knows more permissions.
//
// A nil or zero policy among the policies denies everything, and the result is the policy of {}.
// The result is never unrestricted. If all policies are, and declare the same permissions, it is the
// policy of {"integration:*":true}. The result knows the permissions that any of the policies
// declares, and has the hooks of all the policies, see [Policy.Observe].
//
// A claim cannot say everything that policies say together. For example, one policy denies a
// credential by its external ID, and another allows a credential by its ID: the rule for the ID
// would win (SPEC 4.5). Or the policies allow events on an integration, and something else on a
// credential in it: a scope has a grant or more specific scopes, and not both. Then Narrow searches
// for other rules that say the same. If no claim says the same, it returns a [*NarrowError]. The error
// names a question which a claim that Narrow tried answers in another way than the policies together.
//
// There can be as many meets as the product of the numbers of rules, and the search can take longer
// still. Narrow gives up after about a million steps, or if the names in the claim take more than
// 16 MiB. Then the [*NarrowError] says that the claim would be too large.
//
// No policies at all are an error, and so are policies that declare more permissions together than
// one policy can. Those two errors do not match [ErrNarrow]. All others are a [*NarrowError].
func Narrow(policies ...*Policy) (*Policy, error) {
	if len(policies) == 0 {
		return nil, errors.New("permissions: Narrow: there are no policies; pass one or more")
	}
	together, err := Intersect(policies...)
	if err != nil {
		return nil, err
	}
	n := newNarrowing(together)
	rules, refusal := n.rules()
	if refusal != nil {
		return nil, refusal
	}
	claim, refusal := n.encode(rules)
	if refusal != nil {
		return nil, refusal
	}
	p, err := parse(claim, &options{extras: n.extras}, fromValue)
	if err != nil {
		return nil, errNotAccepted(err)
	}
	narrowed := *p
	narrowed.hooks = together.hooks
	return &narrowed, nil
}

const (
	narrowSteps  = 1 << 20 // the most points that Narrow makes or looks at
	narrowLength = 1 << 24 // the most bytes that the names in a claim may take
)

// A point is a target that has some of the names in the rules. All its other identifiers are
// absent. If it has no integration's name, it is in an integration that no rule names. The path of
// each rule is a point. A point with both an ID and an external ID of one level is not the path of
// a rule, because a rule cannot name both.
type point struct {
	level Kind
	named Identifiers
	names [5]uint32 // numbers, in the order of the bits of Identifiers; 0 for what is not named
}

// root is the path of integration:*. As a target it is the user too, see acting.
var root = point{level: KindIntegration}

// with returns the point that has the names of both, and the greater level. It is not ok if they
// contradict each other.
func (p point) with(q point) (both point, ok bool) {
	for left := p.named & q.named; left != 0; left &= left - 1 {
		if i := bits.TrailingZeros8(uint8(left)); p.names[i] != q.names[i] {
			return point{}, false
		}
	}
	for i, name := range q.names {
		p.names[i] |= name
	}
	p.named |= q.named
	p.level = max(p.level, q.level)
	return p, true
}

// only returns the point of a level with some of p's names.
func (p point) only(level Kind, names Identifiers) point {
	q := point{level: level, named: p.named & names}
	for left := q.named; left != 0; left &= left - 1 {
		i := bits.TrailingZeros8(uint8(left))
		q.names[i] = p.names[i]
	}
	return q
}

// pathsOf returns points that can be paths of rules: p with only one of the two identifiers of each
// level that has both, in each combination, with and without the integration's name.
func (p point) pathsOf() []point {
	for _, both := range [...]Identifiers{credentialIdentifiers, configurationIdentifiers} {
		if p.named.Has(both) {
			id := both & (CredentialID | ConfigurationID)
			return append(p.only(p.level, p.named&^id).pathsOf(), p.only(p.level, p.named&^(both&^id)).pathsOf()...)
		}
	}
	return []point{p, p.only(p.level, p.named&^IntegrationName)}
}

// subpoints returns a point for each subset of p's names and each level that can have these names. The
// level can be deeper than p's.
func (p point) subpoints() (list []point) {
	for names := p.named; ; names = (names - 1) & p.named {
		for level := KindIntegration; level <= KindConfiguration; level++ {
			if names&^identifiersTo(level) == 0 {
				list = append(list, p.only(level, names))
			}
		}
		if names == 0 {
			return list
		}
	}
}

// near returns p, and p with some of its names replaced, in each combination. A name is replaced by the
// first other name that a point of among has for the same identifier, if there is one.
func (p point) near(among []point) (list []point) {
	list = []point{p}
	for left := p.named; left != 0; left &= left - 1 {
		i := bits.TrailingZeros8(uint8(left))
		other := slices.IndexFunc(among, func(q point) bool { return q.names[i] != 0 && q.names[i] != p.names[i] })
		if other < 0 {
			continue
		}
		for _, q := range list {
			q.names[i] = among[other].names[i]
			list = append(list, q)
		}
	}
	return list
}

// isPath reports whether p is a path that a rule can have.
func (p point) isPath() bool {
	return !p.named.Has(credentialIdentifiers) && !p.named.Has(configurationIdentifiers)
}

// rank returns how specific a rule with this path is.
func (p point) rank() (r rank) {
	if p.named.Has(IntegrationName) {
		r = rankIntegration
	}
	if p.level >= KindCredential {
		r |= levelOf(p.named, CredentialExternalID, CredentialID) << credentialShift
	}
	if p.level == KindConfiguration {
		r |= levelOf(p.named, ConfigurationExternalID, ConfigurationID) << configurationShift
	}
	return r
}

func levelOf(named, externalID, id Identifiers) rank {
	switch {
	case named.Has(id):
		return levelID
	case named.Has(externalID):
		return levelExternalID
	}
	return levelAny
}

// A ruleTable is a set of rules, indexed by their paths.
type ruleTable struct {
	grants map[point]grant
	order  []point // the paths in the order in which they were added; removed rules stay in it
	ranks  ranks
	index  map[indexKey]map[point][]point // see compatible
}

// An indexKey is a rank and some of the identifiers that rules of that rank name.
type indexKey struct {
	rank  rank
	names Identifiers
}

func newRuleTable() *ruleTable {
	return &ruleTable{grants: make(map[point]grant), index: make(map[indexKey]map[point][]point)}
}

func (l *ruleTable) add(path point, g grant) {
	if _, ok := l.grants[path]; !ok {
		l.order = append(l.order, path)
	}
	l.grants[path] = g
	l.ranks |= 1 << path.rank()
}

// clone returns a copy without the removed rules.
func (l *ruleTable) clone() *ruleTable {
	cloned := newRuleTable()
	for path := range l.paths {
		cloned.add(path, l.grants[path])
	}
	return cloned
}

// paths yields the paths of the rules that have not been removed.
func (l *ruleTable) paths(yield func(point) bool) {
	for _, path := range l.order {
		if _, ok := l.grants[path]; ok && !yield(path) {
			return
		}
	}
}

// decider returns the path of the rule that decides on p. It ignores the rule with the path except; the
// zero point is the path of none. If no rule applies, it returns the zero point and false.
func (l *ruleTable) decider(p, except point) (path point, ok bool) {
	for left := l.ranks & applicable(p.level, p.named); left != 0; left = left.without(left.highest()) {
		r := left.highest()
		path = p.only(r.kind(), r.identifiers())
		if _, ok := l.grants[path]; ok && path != except {
			return path, true
		}
	}
	return point{}, false
}

// grant returns what the deciding rule grants on a point.
func (l *ruleTable) grant(p point) grant {
	path, _ := l.decider(p, point{})
	return l.grants[path]
}

// compatible yields the paths of rules that do not contradict a point. It finds them by the names that
// both have, in an index that it builds as needed. So no rule may be added or removed after the first
// call.
func (l *ruleTable) compatible(p point) iter.Seq[point] {
	return func(yield func(point) bool) {
		for left := l.ranks; left != 0; left = left.without(left.highest()) {
			r := left.highest()
			shared := r.identifiers() & p.named
			for _, path := range l.ofRank(r, shared)[p.only(0, shared)] {
				if !yield(path) {
					return
				}
			}
		}
	}
}

// ofRank returns the paths of the rules of a rank, grouped by the names that they have for the given
// identifiers. A key of the map is a point of level 0 with these names.
func (l *ruleTable) ofRank(r rank, names Identifiers) map[point][]point {
	key := indexKey{r, names}
	list, ok := l.index[key]
	if !ok {
		list = make(map[point][]point)
		for path := range l.paths {
			if path.rank() == r {
				shared := path.only(0, names)
				list[shared] = append(list[shared], path)
			}
		}
		l.index[key] = list
	}
	return list
}

// A narrowing is a search for the claim of an intersection.
type narrowing struct {
	extras   vocabulary
	parts    []*ruleTable
	texts    nameTable // names and external IDs; the number in a point is one more
	ids      []uuid    // IDs; the number in a point is one more
	idNumber map[uuid]uint32
	steps    int // that are left
	pruning  int // the steps that are left for prune
}

func newNarrowing(together *Policy) *narrowing {
	n := &narrowing{extras: together.vocabulary(), idNumber: make(map[uuid]uint32), steps: narrowSteps, pruning: narrowSteps}
	for _, s := range together.rulesets() {
		n.parts = append(n.parts, n.tableOf(s))
	}
	return n
}

// tableOf returns the rules of a part. A nil ruleset has none. An unrestricted ruleset becomes the
// rule integration:* that grants everything.
func (n *narrowing) tableOf(s *ruleset) *ruleTable {
	l := newRuleTable()
	switch {
	case s == nil:
		return l
	case s.unrestricted:
		l.add(root, n.translate(s, grantAll))
		return l
	}
	numbers := make([]uint32, len(s.names.list))
	for i := range s.names.list {
		numbers[i] = n.texts.add(s.names.list[i].text) + 1
	}
	paths := make([]point, len(s.nodes))
	for i := range s.nodes {
		node, path := &s.nodes[i], point{}
		if node.parent != noNode {
			path = paths[node.parent]
		}
		path.level = node.pattern.kind()
		if which := node.pattern.identifiers(); which != 0 {
			var number uint32
			if node.pattern.isID() {
				number = n.numberOf(node.id)
			} else {
				number = numbers[node.name]
			}
			path.named |= which
			path.names[bits.TrailingZeros8(uint8(which))] = number
		}
		paths[i] = path
		if node.rank != nestedMapRank {
			l.add(path, n.translate(s, node.grant))
		}
	}
	return l
}

func (n *narrowing) numberOf(id uuid) uint32 {
	number, ok := n.idNumber[id]
	if !ok {
		n.ids = append(n.ids, id)
		number = uint32(len(n.ids))
		n.idNumber[id] = number
	}
	return number
}

// translate returns a grant of a part with the numbers that permissions have in the intersection. The
// grant true stays true if the part knows all permissions of the intersection.
func (n *narrowing) translate(s *ruleset, g grant) (translated grant) {
	own := s.vocabulary()
	for number, name := range n.extras.all {
		if bit, known := own.number(name); known {
			translated |= g >> bit & 1 << number
		}
	}
	if len(own) == len(n.extras) {
		translated |= g & grantTrue
	}
	return translated
}

// grant returns what the parts together grant on a point.
func (n *narrowing) grant(p point) grant {
	g := grantAll
	for _, l := range n.parts {
		g &= l.grant(p)
	}
	return g
}

// spend takes steps, and reports whether there were enough.
func (n *narrowing) spend(steps int) bool {
	n.steps -= steps
	return n.steps >= 0
}

// meets returns the given points and their meets with rules of the parts. It is not ok if there are no
// steps left.
//
// The first step meets each given point with rules of different parts, at most one of each part. The
// second step meets points with all rules of all parts, until there is no new point. Without sub, it takes
// only the points that are not the path of a rule in any part. With sub, it takes every point, because a
// search can leave rules out. For each given point and each new meet, meets also adds the points that sub
// returns, without calling sub for what sub has returned.
//
// The second step is needed because the claim has a rule at a point where no part has one. That rule can
// override a rule that decides in a part. Example: one part has credential:A and
// integration:slack/configuration:ext:F, and the other has configuration:ext:F. The claim gets a rule for
// the meet credential:A/configuration:ext:F. In Slack, that rule overrides the rule
// integration:slack/configuration:ext:F, which decides in the first part. So the claim also needs a rule for
// the meet of these two. A point that is the path of a rule in a part needs no second step: if another rule
// of that part decides on some target there, it is more specific, and overrides in the claim too.
func (n *narrowing) meets(begin []point, sub func(point) []point) (list []point, ok bool) {
	seen := make(map[point]bool)
	add := func(p point) {
		if seen[p] {
			return
		}
		seen[p] = true
		list = append(list, p)
		if sub == nil {
			return
		}
		for _, q := range sub(p) {
			if !seen[q] {
				seen[q] = true
				list = append(list, q)
			}
		}
	}
	for _, p := range begin {
		add(p)
	}
	for _, l := range n.parts { // the first step
		for _, p := range list {
			for path := range l.compatible(p) {
				if !n.spend(1) {
					return nil, false
				}
				if both, ok := p.with(path); ok {
					add(both)
				}
			}
		}
	}
	for i := 0; i < len(list); i++ { // the second step
		if sub == nil && !n.isMixed(list[i]) {
			continue
		}
		for _, l := range n.parts {
			for path := range l.compatible(list[i]) {
				if !n.spend(1) {
					return nil, false
				}
				if both, ok := list[i].with(path); ok {
					add(both)
				}
			}
		}
	}
	return list, n.spend(len(list) * (1 + len(n.parts)))
}

// isMixed reports whether a point is not the path of a rule of any part.
func (n *narrowing) isMixed(p point) bool {
	for _, l := range n.parts {
		if _, ok := l.grants[p]; ok {
			return false
		}
	}
	return true
}

// rules returns the rules of the claim, or a refusal. It tries the meets alone first. If these are wrong
// on some point, or in conflict, it searches among more paths: those of pathsOf, and if they are not
// enough, those of subpoints. A search can be long. So before each search, proveImpossible tries to prove of
// a few points that no claim is right about them.
//
// A search has each meet at its own level and, with wildcards, at each deeper level. Then
// integration:NAME needs no grant where integration:NAME/credential:* has one. And an external ID can
// win over an ID, if only the external ID has a rule at the level of configurations.
func (n *narrowing) rules() (*ruleTable, *NarrowError) {
	meets, ok := n.meets([]point{root}, nil)
	if !ok {
		return nil, errTooLarge()
	}
	rules := newRuleTable()
	for _, p := range meets {
		if p.isPath() {
			rules.add(p, n.grant(p))
		}
	}
	wrong, refusal := n.check(rules, meets)
	if refusal != nil && n.proveImpossible(wrong) != nil {
		return nil, refusal
	}
	if refusal == nil {
		n.prune(rules)
		conflicts := n.conflicts(rules)
		if len(conflicts) == 0 {
			return rules, nil
		}
		const most = 10 // each proof is a search of its own
		for _, c := range conflicts[:min(len(conflicts), most)] {
			if refusal = n.proveImpossible(c.inside.near(meets)...); refusal != nil {
				return nil, refusal
			}
		}
	}
	begin := []point{root, {level: KindCredential}, {level: KindConfiguration}}
	for _, sub := range []func(point) []point{point.pathsOf, point.subpoints} {
		points, ok := n.meets(begin, sub)
		if !ok {
			return nil, errTooLarge()
		}
		s := n.newSearch(points)
		rules, refusal = s.solve()
		switch {
		case rules != nil:
			return rules, nil
		case n.steps < 0:
			return nil, errTooLarge()
		case n.proveImpossible(s.reasons()...) != nil:
			return nil, refusal
		}
	}
	return nil, refusal
}

// proveImpossible returns a refusal if no claim is right about the given points and about all
// points that have some of their names. It is enough to look at rules with these names, because no
// other rule applies to these points. It returns nil if there is such a claim, or if there are no
// steps left.
func (n *narrowing) proveImpossible(points ...point) *NarrowError {
	seen := make(map[point]bool)
	var all []point
	for _, p := range points {
		for _, sub := range p.subpoints() {
			if !seen[sub] {
				seen[sub] = true
				all = append(all, sub)
			}
		}
	}
	_, refusal := n.newSearch(all).solve()
	if n.steps < 0 {
		return nil
	}
	return refusal
}

// check tests the rules on each meet that is not the path of a rule. (On its own path a rule is
// right.) It returns the first meet on which some answer would be wrong, with the refusal for it.
// There is no refusal if it finds none. Where a rule grants true and the parts together do not, but
// grant the same names, check makes the rule a list of names.
func (n *narrowing) check(rules *ruleTable, meets []point) (wrong point, refusal *NarrowError) {
	for _, p := range meets {
		if p.isPath() {
			continue
		}
		path, _ := rules.decider(p, point{})
		got, want := rules.grants[path], n.grant(p)
		if (got^want)&^grantTrue != 0 {
			if refusal := n.refuse(rules, p, got^want); refusal != nil {
				return p, refusal
			}
		}
		if got&^want&grantTrue != 0 {
			rules.grants[path] &^= grantTrue
		}
	}
	return point{}, nil
}

// A search is for the rules of a claim.
type search struct {
	*narrowing
	points  []point
	want    []grant           // what the parts together grant on each point
	rules   *ruleTable        // those that are left
	decider []point           // the path of the rule that decides each point, or the zero point
	decided map[point][]int   // the reverse of it
	inside  map[point][]point // the paths inside a scope
	removed []removal         // in the order of removal
	reason  map[point]point   // for the path of a rule, where it was wrong
	failed  []point           // each point that no rule was right about at some time
}

// A removal is a rule that was removed, and the points that it decided.
type removal struct {
	path    point
	grant   grant
	decided []int
}

// newSearch begins a search for rules that are right about the points. It adds the rules in the
// order of the points.
func (n *narrowing) newSearch(points []point) *search {
	s := &search{
		narrowing: n, points: points, want: make([]grant, len(points)), rules: newRuleTable(),
		decider: make([]point, len(points)), decided: make(map[point][]int), inside: make(map[point][]point),
		reason: make(map[point]point),
	}
	for i, p := range points {
		s.want[i] = n.grant(p)
		if !p.isPath() {
			continue
		}
		s.rules.add(p, n.grantFrom(p))
		for level := KindIntegration; level < p.level; level++ {
			scope := p.only(level, identifiersTo(level))
			s.inside[scope] = append(s.inside[scope], p)
		}
	}
	return s
}

// solve returns rules that are right about all points of the search and that a claim has a place
// for. If it finds none, it returns a refusal.
//
// A rule always decides on its own path. So its grant must be what the parts together grant there,
// and only the choice of rules is open. solve begins with a rule for every path. If a rule decides
// a point and is wrong there, it is wrong with fewer rules too. So it is in no claim, and solve
// removes it. If no rule is right about some point, there is no claim.
//
// A claim has no place for some pairs of rules. Such a conflict can be ended in two or three ways.
// Each way removes rules, and then those that are wrong without them. solve tries all combinations
// of ways until the steps are used up.
func (s *search) solve() (rules *ruleTable, refusal *NarrowError) {
	var wrong []point
	for i := range s.points {
		if s.decide(i) != grantNone {
			wrong = append(wrong, s.decider[i])
		}
	}
	if !s.remove(wrong) {
		return nil, s.refusal()
	}
	return s.choose(nil)
}

// decide finds the rule that decides point i, and records it. It returns the permissions that act on the
// point and for which the rule differs from the parts together. A difference in grantTrue does not count:
// result corrects it.
func (s *search) decide(i int) (wrong grant) {
	p := s.points[i]
	path, ok := s.rules.decider(p, point{})
	s.decider[i] = path
	s.decided[path] = append(s.decided[path], i)
	wrong = (s.rules.grants[path] ^ s.want[i]) & s.acting(p) &^ grantTrue
	switch {
	case wrong == grantNone:
	case ok:
		s.reason[path] = p
	default:
		s.failed = append(s.failed, p)
	}
	return wrong
}

// remove removes rules, and then all that are wrong without them. It is not ok if none is right about
// some point, or if there are no steps left.
func (s *search) remove(paths []point) (ok bool) {
	for paths = slices.Clone(paths); len(paths) > 0; {
		path := paths[len(paths)-1]
		paths = paths[:len(paths)-1]
		r := removal{path, s.rules.grants[path], s.decided[path]}
		if path == (point{}) || !s.spend(1+len(r.decided)) {
			return false
		}
		if _, ok := s.rules.grants[path]; !ok {
			continue
		}
		delete(s.rules.grants, path)
		s.removed = append(s.removed, r)
		for _, i := range r.decided {
			if s.decide(i) != grantNone {
				paths = append(paths, s.decider[i])
			}
		}
	}
	return true
}

// undo takes back all removals except the first n.
func (s *search) undo(n int) {
	for ; len(s.removed) > n; s.removed = s.removed[:len(s.removed)-1] {
		r := s.removed[len(s.removed)-1]
		s.rules.grants[r.path] = r.grant
		for _, i := range slices.Backward(r.decided) {
			list := s.decided[s.decider[i]]
			s.decided[s.decider[i]] = list[:len(list)-1]
			s.decider[i] = r.path
		}
	}
}

// choose resolves the given conflicts, one after the other, and returns the rules of a claim. If no
// conflicts are given, it looks for conflicts among the rules that are left. If there are none either,
// it returns these rules. If no combination of ways leads to a claim, it returns a refusal.
func (s *search) choose(conflicts []conflict) (rules *ruleTable, refusal *NarrowError) {
	if len(conflicts) == 0 {
		found := s.result()
		if conflicts = s.conflicts(found); len(conflicts) == 0 {
			return found, nil
		}
		s.sort(conflicts)
	}
	scope := conflicts[0].scope
	for _, way := range s.ways(scope) {
		before := len(s.removed)
		var refused *NarrowError
		if s.remove(way) {
			rules, refused = s.choose(conflicts[1:])
		} else {
			refused = s.refusalIn(scope)
		}
		if rules != nil {
			return rules, nil
		}
		s.undo(before)
		refusal = refused
	}
	return nil, refusal
}

// sort orders conflicts by the number of ways that are still possible, the fewest first, so that choose
// fails early.
func (s *search) sort(conflicts []conflict) {
	count := make(map[point]int)
	for _, c := range conflicts {
		for _, way := range s.ways(c.scope) {
			before := len(s.removed)
			if s.remove(way) {
				count[c.scope]++
			}
			s.undo(before)
		}
	}
	slices.SortStableFunc(conflicts, func(c, d conflict) int { return count[c.scope] - count[d.scope] })
}

// result returns a copy of the rules that are left, without redundant ones. A grant true becomes a
// list of names if the rule decides a point on which the parts together do not grant true.
func (s *search) result() *ruleTable {
	rules := s.rules.clone()
	for i, path := range s.decider {
		if _, ok := rules.grants[path]; ok && s.want[i]&grantTrue == 0 {
			rules.grants[path] &^= grantTrue
		}
	}
	s.prune(rules)
	return rules
}

// ways returns the sets of rules whose removal ends the conflict in a scope: it is enough to remove all
// rules of one set. The sets come in this order: the rules inside the scope; the rule of integration:*, if
// the scope names no integration (see conflicts); the rule of the scope itself. choose tries them in this
// order, and its refusal is that of the last one. If the rule of the scope has been removed already, or that
// of integration:* where it is one of the sets, ways returns one empty set.
func (s *search) ways(scope point) (ways [][]point) {
	_, hasRoot := s.rules.grants[root]
	inAnyIntegration := !scope.named.Has(IntegrationName)
	if _, ok := s.rules.grants[scope]; !ok || inAnyIntegration && !hasRoot {
		return [][]point{nil} // another way has ended it
	}
	ways = [][]point{s.inside[scope]}
	if inAnyIntegration {
		ways = append(ways, []point{root})
	}
	return append(ways, []point{scope})
}

// reasons returns the points that no rule was right about. For each of them it adds, for each rule with some
// of its names, the point where that rule was wrong. It does the same for the added points.
// Often these points are enough to prove that there is no claim. A rule that was removed to end a conflict
// was wrong at no point.
func (s *search) reasons() (points []point) {
	seen := make(map[point]bool)
	add := func(p point) {
		if !seen[p] {
			seen[p] = true
			points = append(points, p)
		}
	}
	for _, p := range s.failed {
		add(p)
	}
	for i := 0; i < len(points) && s.spend(1); i++ {
		for _, path := range points[i].subpoints() {
			if p, ok := s.reason[path]; ok {
				add(p)
			}
		}
	}
	return points
}

// refusal returns the refusal for the last point that no rule was right about.
func (s *search) refusal() *NarrowError {
	if s.steps < 0 {
		return errTooLarge()
	}
	p := s.failed[len(s.failed)-1]
	return s.refuse(s.rules, p, s.grant(p)&s.acting(p))
}

// refusalIn returns the refusal for a conflict in a scope.
func (s *search) refusalIn(scope point) *NarrowError {
	refusal := s.refusal()
	kind, inner := scope.level.String(), "credential:*"
	if scope.level == KindCredential {
		inner = "configuration:*"
	}
	refusal.Problem = "a claim cannot give " + s.text(scope) + " a grant and more specific scopes in it too"
	refusal.Remedy = "let the policies agree on the " + kind + " and on " + inner + " in it, or name nothing in it"
	return refusal
}

// grantFrom returns the grant that a rule with a path must have. For each permission it is what the parts
// together grant at the first level, from the path's own down, on which the permission acts. Where a
// more specific rule decides at that level, this bit has no effect.
func (n *narrowing) grantFrom(path point) (g grant) {
	left := grantAll
	for p := path; p.level <= KindConfiguration; p.level++ {
		g |= n.grant(p) & left & n.acting(p)
		left &^= n.acting(p)
	}
	return g
}

// acting returns the permissions that act on a point. It includes grantTrue, which stands for the
// permissions of the future: they may act on any point.
func (n *narrowing) acting(p point) grant {
	g := actingOn(p.level)
	if p == root {
		g = actingOn(KindUser) // integration:* applies to the user too (SPEC 4.2)
	}
	return g&n.extras.full() | grantTrue
}

// A conflict is a rule with rules inside it, where a claim has no place for both.
type conflict struct {
	scope  point // the path of the rule
	inside point // the path of one of the others
}

// conflicts returns a conflict for each scope that has a grant and needs a map too, if a claim cannot have
// both. A wildcard needs no map, because its level can be skipped (SPEC 2.7). A credential can have its grant in
// one place of the claim and its map in another one: under the ID in another spelling, or in the map of
// integration:*, if the inner rule names no integration and integration:* has no grant. See
// encoder.anyIntegration and encoder.credentials.
func (n *narrowing) conflicts(rules *ruleTable) (list []conflict) {
	seen := make(map[point]bool)
	_, hasRoot := rules.grants[root]
	for path := range rules.paths {
		for level := KindIntegration; level < path.level; level++ {
			scope := path.only(level, identifiersTo(level))
			if _, ok := rules.grants[scope]; !ok || seen[scope] || scope.named&identifiersOf(level) == 0 {
				continue
			}
			if level == KindCredential && (!hasRoot && !path.named.Has(IntegrationName) || n.hasTwoSpellings(scope)) {
				continue
			}
			seen[scope] = true
			list = append(list, conflict{scope, path})
		}
	}
	return list
}

// hasTwoSpellings reports whether a credential is named by an ID that can be spelled in two ways.
func (n *narrowing) hasTwoSpellings(credential point) bool {
	if !credential.named.Has(CredentialID) {
		return false
	}
	_, ok := respell(n.scope(credential, KindCredential))
	return ok
}

// prune removes rules that change no answer: those for which, wherever one of them decides, the
// next rule grants the same. It is enough to test a rule against each less specific rule, on the
// point with the names of both.
func (n *narrowing) prune(rules *ruleTable) {
	paths := slices.Collect(rules.paths)
	slices.SortStableFunc(paths, func(p, q point) int { return int(q.rank()) - int(p.rank()) })
	all := newRuleTable()
	for _, path := range paths {
		all.add(path, grantNone)
	}
	for again := true; again; {
		again = false
		for _, path := range paths {
			if _, ok := rules.grants[path]; !ok {
				continue
			}
			redundant := rules.isRedundantAt(path, path)
			for other := range all.compatible(path) {
				if n.pruning--; !redundant || n.pruning < 0 {
					redundant = false
					break
				}
				if _, ok := rules.grants[other]; ok && other.rank() < path.rank() {
					both, _ := path.with(other)
					redundant = rules.isRedundantAt(path, both)
				}
			}
			if redundant {
				delete(rules.grants, path)
				again = true
			}
		}
	}
}

// isRedundantAt reports whether a rule does not decide on a point, or the next one grants the same.
func (l *ruleTable) isRedundantAt(path, p point) bool {
	if decider, _ := l.decider(p, point{}); decider != path {
		return true
	}
	next, _ := l.decider(p, path)
	return l.grants[next] == l.grants[path]
}

// refuse returns the refusal for a point on which rules are wrong about some permissions. It returns nil
// if no question can be asked whose answer would be wrong, because these permissions act on something
// below the point.
func (n *narrowing) refuse(rules *ruleTable, p point, permissions grant) *NarrowError {
	for number, name := range n.extras.all {
		a, asked := acts(number), p
		ofUser := p == root && a.user
		if !ofUser {
			asked.level = max(p.level, a.level)
		}
		path, hasRule := rules.decider(asked, point{})
		if permissions>>number&1 == 0 || (n.grant(asked)^rules.grants[path])>>number&1 == 0 {
			continue
		}
		target := User()
		if !ofUser {
			target = n.target(asked)
		}
		says := "a claim would have no rule for it"
		if hasRule {
			says = "the rule for " + n.text(path) + " decides otherwise"
		}
		return &NarrowError{
			Action: name, Target: target, Allowed: n.grant(asked)>>number&1 != 0,
			Problem: says + ", and no rule can name both an ID and an external ID of one thing",
			Remedy:  "use IDs in all of the policies, or external IDs in all of them",
		}
	}
	return nil
}

func errTooLarge() *NarrowError {
	return &NarrowError{
		Problem: "the claim would be too large, because each rule of one policy meets many of another one",
		Remedy:  "narrow by fewer rules, or ask a policy of Intersect instead of signing a claim",
	}
}

// errNotAccepted returns the error for rules that are refused when they are written as a claim, or
// read from it. No such rules are known.
func errNotAccepted(err error) *NarrowError {
	return &NarrowError{
		Problem: "a claim was found, but Parse refuses it: " + strings.TrimPrefix(err.Error(), "permissions: "),
		Remedy:  "ask a policy of Intersect instead of signing a claim",
	}
}

// scope returns what a point has at a level.
func (n *narrowing) scope(p point, level Kind) Scope {
	for with := wildcard(level) + 1; with < patterns && with.kind() == level; with++ {
		switch which := with.identifiers(); {
		case !p.named.Has(which):
		case with.isID():
			return Scope{with, n.ids[p.names[bits.TrailingZeros8(uint8(which))]-1].String()}
		default:
			return Scope{with, n.texts.list[p.names[bits.TrailingZeros8(uint8(which))]-1].text}
		}
	}
	return Scope{pattern: wildcard(level)}
}

// text returns a path for people, as [Rule.String] does.
func (n *narrowing) text(path point) string {
	var list []string
	for level := KindIntegration; level <= path.level; level++ {
		list = append(list, n.scope(path, level).quoted())
	}
	return strings.Join(list, "/")
}

// target returns a point as a target.
func (n *narrowing) target(p point) Target {
	t := Target{level: p.level, known: p.named | IntegrationName}
	t.absent = identifiersTo(p.level) &^ t.known
	t.integration = newName(n.otherIntegration())
	for left := p.named; left != 0; left &= left - 1 {
		i := bits.TrailingZeros8(uint8(left))
		switch which := Identifiers(1 << i); which {
		case CredentialID:
			t.credential.id = n.ids[p.names[i]-1]
		case ConfigurationID:
			t.configuration.id = n.ids[p.names[i]-1]
		default:
			*t.name(which) = n.texts.list[p.names[i]-1]
		}
	}
	return t.clone()
}

// otherIntegration returns the name of an integration that no rule names.
func (n *narrowing) otherIntegration() string {
	name := "other"
	for i := 2; ; i++ {
		if other := newName(name); n.texts.find(&other) == noName {
			return name
		}
		name = "other-" + strconv.Itoa(i)
	}
}

// encode returns the claim with these rules, which have no conflicts.
func (n *narrowing) encode(rules *ruleTable) (claim string, refusal *NarrowError) {
	var list []pathGrant
	var extras *vocabulary
	if n.extras != nil {
		extras = &n.extras
	}
	written := make(map[point]bool)
	length := 0
	for path := range rules.paths {
		r := pathGrant{grant: PermissionSet{rules.grants[path], extras}}
		for level := KindIntegration; level <= path.level; level++ {
			scope := n.scope(path, level)
			r.path[level-KindIntegration] = scope
			// What holds more specific scopes is written once for all of them.
			if to := path.only(level, identifiersTo(level)); !written[to] {
				written[to] = true
				length += len(scope.name)
			}
		}
		if r.grant.grant&grantTrue == 0 {
			for name := range r.grant.All() {
				length += len(name)
			}
		}
		if length > narrowLength {
			return "", errTooLarge()
		}
		list = append(list, r)
	}
	text, err := encode(sorted(list, integrationLevel))
	if err != nil {
		return "", errNotAccepted(err)
	}
	return string(text), nil
}
