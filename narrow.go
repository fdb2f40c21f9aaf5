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

// ErrNarrow matches every refusal of [Narrow] that is about what the policies say. Such an error is a
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

// Narrow returns the policy of one claim that allows exactly what all the policies allow. It is what
// [Intersect] answers, in a form that can be signed: what a caller has and what the caller asks for
// become the claim of the caller's next token.
//
// The rules of the claim are the meets of the policies' rules. The meet of several rules is the
// rule with the names of all of them, if these do not contradict each other. Its grant is what the
// policies together grant there. Rules that change no answer are left out. A grant is true only
// where each policy says true: true allows more than a list of all ten names to a reader that knows
// more permissions.
//
// A nil or zero policy among the policies denies everything, and the result is the policy of {}. The
// result is never unrestricted: where all policies are, it is the policy of {"integration:*":true}.
// It knows the permissions that any of the policies declares, and has the hooks of all the policies,
// see [Policy.Observe].
//
// A claim cannot say everything that policies say together. An example is that one policy denies a
// credential by its external ID, and another allows a credential by its ID: the rule for the ID
// would win (SPEC 4.5). Another one is that the policies allow events on an integration, and
// something else on a credential in it: a scope has a grant or more specific scopes, and not both.
// Then Narrow searches for other rules that say the same, and if it finds none it returns a
// [*NarrowError] that names a question. It does not find every claim: for some policies it gives up
// although there is one.
//
// The meets can be as many as the product of the numbers of rules. Narrow gives up after about a
// million steps, and where the names in the claim have more than 16 MiB. Then the error says that
// the claim would be too large.
//
// No policies at all are an error, and so are policies that declare more permissions together than
// one policy can.
func Narrow(policies ...*Policy) (*Policy, error) {
	if len(policies) == 0 {
		return nil, errors.New("permissions: Narrow: there are no policies; pass one or more")
	}
	together, err := Intersect(policies...)
	if err != nil {
		return nil, err
	}
	n := newNarrowing(together)
	rules, err := n.rules()
	if err != nil {
		return nil, err
	}
	claim, err := n.encode(rules)
	if err != nil {
		return nil, err
	}
	p, err := parse(string(claim), &options{extras: n.extras}, fromValue)
	if err != nil {
		return nil, err
	}
	narrowed := *p
	narrowed.hooks = together.hooks
	return &narrowed, nil
}

const (
	narrowSteps  = 1 << 20 // what Narrow does at most, in points that it makes or looks at
	narrowLength = 1 << 24 // the bytes of names in the longest claim that it returns
)

// A point is a target that has nothing but some names that rules name, and all else absent. With no
// integration's name it is something in an integration that no rule names. The path of each rule
// is a point, but not each point is the path of a rule: a rule cannot name both an ID and an external
// ID of one level.
type point struct {
	level Kind
	named Identifiers
	names [5]uint32 // numbers, in the order of the bits of Identifiers; 0 for what is not named
}

var anywhere = point{level: KindIntegration} // the path of integration:*

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

// isInside reports whether p is below q: deeper, and with all names of q.
func (p point) isInside(q point) bool { return p.level > q.level && p.only(q.level, q.named) == q }

// pathsOf returns the paths of rules that could cover p: one identifier at each level, with and
// without the integration.
func (p point) pathsOf() []point {
	for _, both := range [...]Identifiers{credentialIdentifiers, configurationIdentifiers} {
		if p.named.Has(both) {
			id := both & (CredentialID | ConfigurationID)
			return append(p.only(p.level, p.named&^id).pathsOf(), p.only(p.level, p.named&^(both&^id)).pathsOf()...)
		}
	}
	return []point{p, p.only(p.level, p.named&^IntegrationName)}
}

// isPath reports whether p is a path that a rule can have.
func (p point) isPath() bool {
	return !p.named.Has(credentialIdentifiers) && !p.named.Has(configurationIdentifiers)
}

// rank returns how specific a rule with this path is.
func (p point) rank() (r rank) {
	if p.named.Has(IntegrationName) {
		r |= rankIntegration
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

// A layer is rules by their paths.
type layer struct {
	grants map[point]grant
	order  []point // the paths, in the order in which they were added, and those of removed rules
	ranks  ranks
	near   map[layerKey]map[point][]point // see compatible
}

// A layerKey is a rank and some of the identifiers that rules of that rank name.
type layerKey struct {
	rank  rank
	names Identifiers
}

func newLayer() *layer {
	return &layer{grants: make(map[point]grant), near: make(map[layerKey]map[point][]point)}
}

func (l *layer) add(path point, g grant) {
	if _, ok := l.grants[path]; !ok {
		l.order = append(l.order, path)
	}
	l.grants[path] = g
	l.ranks |= 1 << path.rank()
}

// filtered returns the rules whose paths are wanted.
func (l *layer) filtered(want func(path point) bool) *layer {
	some := newLayer()
	for path := range l.paths {
		if want(path) {
			some.add(path, l.grants[path])
		}
	}
	return some
}

// paths yields the paths of the rules that have not been removed.
func (l *layer) paths(yield func(point) bool) {
	for _, path := range l.order {
		if _, ok := l.grants[path]; ok && !yield(path) {
			return
		}
	}
}

// decider returns the path of the rule that decides on a point, other than one rule that is left
// out. It is not ok if no rule applies.
func (l *layer) decider(p, except point) (path point, ok bool) {
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
func (l *layer) grant(p point) grant {
	path, _ := l.decider(p, point{})
	return l.grants[path]
}

// compatible yields the paths of rules that do not contradict a point. It finds them by the names that
// both have. Rules that were added or removed after the first call are not noticed.
func (l *layer) compatible(p point) iter.Seq[point] {
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

// ofRank returns the rules of a rank by what they have of some names.
func (l *layer) ofRank(r rank, names Identifiers) map[point][]point {
	key := layerKey{r, names}
	list, ok := l.near[key]
	if !ok {
		list = make(map[point][]point)
		for path := range l.paths {
			if path.rank() == r {
				shared := path.only(0, names)
				list[shared] = append(list[shared], path)
			}
		}
		l.near[key] = list
	}
	return list
}

// A narrowing is a search for the claim of an intersection.
type narrowing struct {
	extras   vocabulary
	parts    []*layer
	texts    nameTable // names and external IDs; the number in a point is one more
	ids      []uuid    // IDs; the number in a point is one more
	idNumber map[uuid]uint32
	steps    int // that are left
}

func newNarrowing(together *Policy) *narrowing {
	n := &narrowing{extras: together.vocabulary(), idNumber: make(map[uuid]uint32), steps: narrowSteps}
	for _, s := range together.rulesets() {
		n.parts = append(n.parts, n.layer(s))
	}
	return n
}

// layer returns the rules of a part. Only a rule of integration:* can be unrestricted.
func (n *narrowing) layer(s *ruleset) *layer {
	l := newLayer()
	switch {
	case s == nil:
		return l
	case s.unrestricted:
		l.add(anywhere, n.translate(s, grantAll))
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
			number := uint32(0)
			if node.pattern.isID() {
				number = n.numberOf(node.id)
			} else {
				number = numbers[node.name]
			}
			path.named |= which
			path.names[bits.TrailingZeros8(uint8(which))] = number
		}
		paths[i] = path
		if node.rank != holderRank {
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

// translate returns a grant of a part in the permissions of all. The grant true stays true if the
// part knows all of them.
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

// spend takes steps, and reports whether there are any left.
func (n *narrowing) spend(steps int) bool {
	n.steps -= steps
	return n.steps >= 0
}

// meets returns every point that has the names of at most one rule of each part, beginning with the
// points given.
//
// A point that is not the path of a rule in any part is met with all rules once more. There the
// claim's rule can be more specific than the meet of the rules that decide in the parts. Example:
// one part has credential:A and integration:slack/configuration:ext:F, and the other has
// configuration:ext:F. The meet credential:A/configuration:ext:F wins over the rule for slack,
// which decides in the first part for slack. So it must also be met with that rule. A point that is
// the path of a rule in a part needs no more: where another rule of that part decides, that rule is
// more specific.
//
// With paths it also returns the paths of rules that could cover each point, and their meets (see
// pathsOf).
func (n *narrowing) meets(begin []point, paths bool) (list []point, ok bool) {
	seen := make(map[point]bool)
	add := func(p point) {
		if seen[p] {
			return
		}
		seen[p] = true
		list = append(list, p)
		if !paths {
			return
		}
		for _, path := range p.pathsOf() {
			if !seen[path] {
				seen[path] = true
				list = append(list, path)
			}
		}
	}
	for _, p := range begin {
		add(p)
	}
	for _, l := range n.parts {
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
	for i := 0; i < len(list); i++ {
		if !paths && !n.isMixed(list[i]) {
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

// rules returns the rules of the claim.
func (n *narrowing) rules() (*layer, error) {
	meets, ok := n.meets([]point{anywhere}, false)
	if !ok {
		return nil, errTooLarge()
	}
	rules := newLayer()
	for _, p := range meets {
		if p.isPath() {
			rules.add(p, n.grant(p))
		}
	}
	refusal := n.check(rules, meets)
	if refusal == nil {
		n.prune(rules, moreSpecificFirst)
		if _, conflicts := n.conflict(rules); !conflicts {
			return rules, nil
		}
	}
	rules, conflict := n.spread()
	switch {
	case rules != nil:
		return rules, nil
	case conflict != nil:
		return nil, conflict
	case refusal != nil:
		return nil, refusal
	}
	return nil, errTooLarge()
}

// check returns the first question to which the rules, of which each meet that can be a rule has one, give
// another answer than the parts together. It returns nil if there is none. A true that would be wrong
// for one of the meets becomes a list of names.
func (n *narrowing) check(rules *layer, meets []point) *NarrowError {
	for _, p := range meets {
		if p.isPath() {
			continue
		}
		path, _ := rules.decider(p, point{})
		got, want := rules.grants[path], n.grant(p)
		if (got^want)&^grantTrue != 0 {
			if refusal := n.refuse(rules, p, got^want); refusal != nil {
				return refusal
			}
		}
		if got&^want&grantTrue != 0 {
			rules.grants[path] &^= grantTrue
		}
	}
	return nil
}

// spread searches for a claim with more rules than the meets, where these do not make one.
//
// Each meet is a rule at its own level and, with wildcards, at each deeper one. Then integration:NAME
// need not have a grant where integration:NAME/credential:* has one. And at the level of
// configurations an external ID can win over an ID, if only it has a rule of that level.
//
// On its own path a rule always decides, so its grant must be what the parts together grant there.
// So what remains is which of the rules to take. Begin with all of them. Where the rule that
// decides a point is wrong there, it would be wrong with any fewer rules as well: so it is in no
// claim, and is removed. What remains in the end is right, unless a point is left that no rule is
// right about. Then there is no claim.
func (n *narrowing) spread() (rules *layer, conflict *NarrowError) {
	begin := []point{anywhere, {level: KindCredential}, {level: KindConfiguration}}
	points, ok := n.meets(begin, true)
	if !ok {
		return nil, nil
	}
	most := newLayer()
	for _, p := range points {
		// Without a grant for integration:*, that scope is a place for other things: see encode.
		if p.isPath() && (p != anywhere || n.grant(p)&n.acting(p) != grantNone) {
			most.add(p, n.grantFrom(p))
		}
	}
	for done := false; !done; {
		done = true
		for _, p := range points {
			for {
				path, ok := most.decider(p, point{})
				if n.wrong(most, p, path) == grantNone {
					break
				}
				if !ok || !n.spend(1) {
					return nil, nil
				}
				delete(most.grants, path)
				done = false
			}
		}
		if !n.spend(len(points)) {
			return nil, nil
		}
	}
	// Which rules are left out first makes a difference where rules conflict.
	for _, order := range []compare{moreSpecificFirst, lessSpecificFirst} {
		rules, refusal := n.settle(most, points, order)
		if rules != nil {
			return rules, nil
		}
		if conflict == nil {
			conflict = refusal
		}
	}
	return nil, conflict
}

// settle returns those of the rules that a claim needs and has a place for.
func (n *narrowing) settle(most *layer, points []point, order compare) (rules *layer, conflict *NarrowError) {
	rules = most.filtered(func(point) bool { return true })
	for {
		n.prune(rules, order)
		scope, found := n.conflict(rules)
		if !found {
			return rules, nil
		}
		if !n.spend(4 * len(points)) {
			return nil, nil
		}
		if rules, most, conflict = n.resolve(rules, most, scope, points); conflict != nil {
			return nil, conflict
		}
	}
}

// A compare is an order of paths.
type compare func(p, q point) int

func moreSpecificFirst(p, q point) int { return int(q.rank()) - int(p.rank()) }
func lessSpecificFirst(p, q point) int { return int(p.rank()) - int(q.rank()) }

// grantFrom returns what a rule with a path has to grant: for each permission what the parts
// together grant on the first point, from the path's level down, that the permission acts on.
func (n *narrowing) grantFrom(path point) (g grant) {
	left := grantAll
	for p := path; p.level <= KindConfiguration; p.level++ {
		g |= n.grant(p) & left & n.acting(p)
		left &^= n.acting(p)
	}
	if full := n.extras.full(); g&full != full {
		g &^= grantTrue
	}
	return g
}

// acting returns the permissions that act on a point. Nobody knows what a permission acts on that is
// still unknown, so grantTrue is among them.
func (n *narrowing) acting(p point) grant {
	g := actable(p.level)
	if p == anywhere {
		g |= actable(KindUser) // integration:* applies to the user too (SPEC 4.2)
	}
	return g&n.extras.full() | grantTrue
}

// wrong returns the permissions that act on p and for which the deciding rule, that of path,
// differs from the parts together. If nothing is wrong but that the rule grants true, it becomes a
// list of names.
func (n *narrowing) wrong(rules *layer, p, path point) grant {
	got, want := rules.grants[path], n.grant(p)
	wrong := (got ^ want) & n.acting(p) &^ grantTrue
	if wrong == grantNone && got&^want&grantTrue != 0 {
		rules.grants[path] &^= grantTrue
	}
	return wrong
}

// conflict returns a path that has a rule of its own and rules inside it, where a claim has no place
// for both. See encode, which has a second place for some.
func (n *narrowing) conflict(rules *layer) (scope point, found bool) {
	_, hasRoot := rules.grants[anywhere]
	for path := range rules.paths {
		if path.level > KindIntegration && path.named.Has(IntegrationName) {
			scope = path.only(KindIntegration, IntegrationName)
			if _, found = rules.grants[scope]; found {
				return scope, true
			}
		}
		hasPlace := !hasRoot && !path.named.Has(IntegrationName)
		if path.level > KindCredential && path.named&credentialIdentifiers != 0 && !hasPlace {
			scope = path.only(KindCredential, IntegrationName|credentialIdentifiers)
			if _, found = rules.grants[scope]; found && !n.hasTwoSpellings(scope) {
				return scope, true
			}
		}
	}
	return point{}, false
}

// hasTwoSpellings reports whether a credential is named by an ID that can be spelled in two ways.
func (n *narrowing) hasTwoSpellings(credential point) bool {
	if !credential.named.Has(CredentialID) {
		return false
	}
	_, ok := respell(n.scope(credential, KindCredential))
	return ok
}

// resolve drops either the rule of scope or all rules inside it, whichever keeps every answer
// right, from rules and if need be from most. If neither does, it returns a question whose answer
// is wrong.
func (n *narrowing) resolve(rules, most *layer, scope point, points []point) (r, m *layer, refusal *NarrowError) {
	without := rules.filtered(func(path point) bool { return !path.isInside(scope) })
	if _, _, wrong := n.firstWrong(without, scope, points); !wrong {
		return without, most, nil
	}
	open := most.filtered(func(path point) bool { return path != scope })
	some := open.filtered(func(path point) bool {
		_, ok := rules.grants[path]
		return ok || path.isInside(scope)
	})
	if _, _, wrong := n.firstWrong(some, scope, points); !wrong {
		return some, open, nil
	}
	p, permissions, wrong := n.firstWrong(open, anywhere, points)
	if !wrong {
		return open, open, nil
	}
	closed := most.filtered(func(path point) bool { return !path.isInside(scope) })
	if _, _, wrong := n.firstWrong(closed, anywhere, points); !wrong {
		return closed, closed, nil
	}
	refusal = n.refuse(open, p, permissions)
	if refusal == nil {
		return nil, nil, errTooLarge()
	}
	kind, inner := scope.level.String(), "credential:*"
	if scope.level == KindCredential {
		inner = "configuration:*"
	}
	refusal.Problem = "a claim cannot give " + n.text(scope) + " a grant and more specific scopes in it too"
	refusal.Remedy = "let the policies agree on the " + kind + " and on " + inner + " in it, or name nothing in it"
	return nil, nil, refusal
}

// firstWrong returns the first point that has the names of a scope and about which the rules are wrong.
func (n *narrowing) firstWrong(rules *layer, scope point, points []point) (p point, permissions grant, found bool) {
	for _, p := range points {
		if scope == anywhere || p.only(scope.level, scope.named) == scope {
			path, _ := rules.decider(p, point{})
			if wrong := n.wrong(rules, p, path); wrong != grantNone {
				return p, wrong, true
			}
		}
	}
	return point{}, grantNone, false
}

// prune removes rules that change no answer: those for which, wherever one of them decides, the
// next rule grants the same. It is enough to test a rule against each less specific rule, on the
// point with the names of both.
func (n *narrowing) prune(rules *layer, order compare) {
	paths := slices.Collect(rules.paths)
	slices.SortStableFunc(paths, order)
	all := newLayer()
	for _, path := range paths {
		all.add(path, grantNone)
	}
	steps := narrowSteps
	for again := true; again; {
		again = false
		for _, path := range paths {
			if _, ok := rules.grants[path]; !ok {
				continue
			}
			redundant := rules.isRedundantAt(path, path)
			for other := range all.compatible(path) {
				if steps--; !redundant || steps < 0 {
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
func (l *layer) isRedundantAt(path, p point) bool {
	if decider, _ := l.decider(p, point{}); decider != path {
		return true
	}
	next, _ := l.decider(p, path)
	return l.grants[next] == l.grants[path]
}

// refuse returns the refusal for a point on which rules are wrong about some permissions. It returns nil
// if no question can be asked whose answer would be wrong, because these permissions act on something
// below the point.
func (n *narrowing) refuse(rules *layer, p point, permissions grant) *NarrowError {
	for number, name := range n.extras.all {
		a, asked := acts(number), p
		ofUser := p == anywhere && a.user
		if !ofUser {
			asked.level = max(p.level, a.level)
		}
		path, _ := rules.decider(asked, point{})
		if permissions>>number&1 == 0 || (n.grant(asked)^rules.grants[path])>>number&1 == 0 {
			continue
		}
		target := User()
		if !ofUser {
			target = n.target(asked)
		}
		return &NarrowError{
			Action: name, Target: target, Allowed: n.grant(asked)>>number&1 != 0,
			Problem: "the rule for " + n.text(path) + " says otherwise, " +
				"and no rule can name an ID and an external ID of one thing",
			Remedy: "use IDs in all of the policies, or external IDs in all of them",
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
	if path.level == 0 {
		return "everything else"
	}
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

// encode returns the claim with these rules.
func (n *narrowing) encode(rules *layer) ([]byte, error) {
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
			return nil, errTooLarge()
		}
		list = append(list, r)
	}
	return encode(sorted(list, integrationLevel))
}
