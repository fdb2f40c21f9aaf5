package analyze

import (
	"cmp"
	"slices"

	"github.com/connectperms/permissions"
)

// Take a target, and the most specific of all rules that apply to it: the upper rule. Rules of several lists with
// one path count as one rule here. A list that has the upper rule decides by it. Every other list decides by its
// own most specific rule, its lower rule. These rules also decide on the target that has only their names, since
// fewer rules apply to that target. So it is enough to look at each rule as the upper rule, together with the lower
// rules that can occur with it.
//
// Of a list's rules without names beyond those of the upper rule, only the most specific can be the lower rule. It
// is looked up. Of rules with further names there can be very many. A pairing groups them, so that not all need to
// be tried.

// A pairingKey says which rules a pairing is about: upper rules of one rank, lower rules of a list and a
// rank, and targets of a level.
type pairingKey struct {
	list         *ruleList
	upper, lower rank
	level        permissions.Kind
}

// A pairing has the lower rules of a pairingKey that name something that its upper rules do not name. They
// are grouped by the names that they share with the upper rule.
//
// A third rule can decide in place of one of the pair. It is called a blocker. It is more specific than the
// upper rule, or it is a rule of the lower rule's list and its rank is between the two ranks. There are three kinds:
//
//   - A blocker that names only what the lower rule names. newPairing leaves that lower rule out.
//   - A blocker that names only what the upper rule names. It is found before a pairing is used, when the
//     names of the upper rule are looked up. If it is more specific than the upper rule, the callers skip the
//     upper rule. If it is of the lower rule's list, space.groups leaves out the less specific lower rules.
//   - A blocker that names something of each. Only these are in blockers, and are checked in a search.
//
// Lower rules with the same names in lowerPart have the same blockers, so a search tries only the first few of them.
type pairing struct {
	shared    identifiers // what both rules name, and must name alike
	upperPart identifiers // what a blocker and the upper rule name, and the lower rule does not
	lowerPart identifiers // what a blocker and the lower rule name, and the upper rule does not
	blockers  []blocker
	groups    map[place]*group
}

// A blocker represents the blockers of one rank.
type blocker struct {
	rank  rank
	list  *ruleList   // nil for the rules of all lists
	lower identifiers // what these rules and the lower rule name, and the upper rule does not
}

// A group is the lower rules of a pairing with certain shared names.
type group struct {
	some, every actions // what at least one of them grants, and what all grant
	members     []int32
	matches     map[requirement]*matchList
	found       map[search][]int32

	numberings []numbering // for each blocker
	order      []int       // of the blockers, see sort
	blocked    place       // the upper rule for which numbers are marked as blocked
	mark       uint32
}

// A numbering numbers the members of a group by the names that one blocker.lower selects. Members with one number
// are blocked by the same rules of that rank.
type numbering struct {
	numbers map[place]uint32 // by those names
	of      []uint32         // the number of each member
	marks   []uint32         // for each number, the mark of the upper rule for which it was last blocked
}

// A requirement is that a rule grants an action, or that it does not.
type requirement struct {
	action  int
	granted bool
}

func (r requirement) isMetBy(a actions) bool { return a.has(r.action) == r.granted }

// A search is what is looked for in a group: a requirement, for upper rules that have certain names.
type search struct {
	requirement requirement
	upper       place
}

// maxFound is how many places are found at most for one upper rule: one more than Change.Unchanged and
// Change.Partly list together. So if the search stops there, at least one of the two is cut.
const maxFound = 2*maxListed + 1

// pairing returns the pairing for a key, or nil if the lower rules name nothing that the upper rules do
// not.
func (s *space) pairing(key pairingKey) *pairing {
	if p, ok := s.pairings[key]; ok {
		return p
	}
	p := s.newPairing(key)
	s.pairings[key] = p
	return p
}

func (s *space) newPairing(key pairingKey) *pairing {
	upper, lower := key.upper.named(), key.lower.named()
	if lower&^upper == 0 {
		return nil
	}
	p := &pairing{shared: upper & lower, groups: make(map[place]*group)}
	within := above(key.lower) & below(key.upper)
	possible := (s.ranks&above(key.upper) | key.list.ranks&within) & applicable[key.level][upper|lower]
	for ; possible != 0; possible &^= 1 << possible.lowest() {
		b := blocker{rank: possible.lowest()}
		if b.rank < key.upper {
			b.list = key.list
		}
		names := b.rank.named()
		if b.lower = names &^ upper; b.lower == 0 || names&^lower == 0 {
			continue
		}
		p.upperPart |= names &^ lower
		p.lowerPart |= b.lower
		p.blockers = append(p.blockers, b)
	}
	for _, i := range s.ofRank[key.lower] {
		own := s.places[i].at(key.level)
		if key.list.has[i] && s.decider(own, above(key.upper), nil) == none && s.decider(own, within, key.list) == none {
			p.add(s, i, key.list.grants[i], own.only(p.shared))
		}
	}
	return p
}

// add adds a lower rule.
func (p *pairing) add(s *space, i int32, grants actions, shared place) {
	g := p.groups[shared]
	if g == nil {
		g = &group{every: grants, numberings: make([]numbering, len(p.blockers))}
		g.matches, g.found = make(map[requirement]*matchList), make(map[search][]int32)
		p.groups[shared] = g
	}
	g.some, g.every = g.some.or(grants), g.every.and(grants)
	g.members = append(g.members, i)
	for b := range g.numberings {
		g.numberings[b].add(s.places[i].only(p.blockers[b].lower).at(0))
	}
}

// add adds the next member, which has these names.
func (n *numbering) add(names place) {
	if n.numbers == nil {
		n.numbers = make(map[place]uint32)
	}
	number, ok := n.numbers[names]
	if !ok {
		number = uint32(len(n.numbers))
		n.numbers[names] = number
		n.marks = append(n.marks, 0)
	}
	n.of = append(n.of, number)
}

// groups yields each pairing of a list with an upper rule, and in it the group whose shared names are those
// of the upper rule. It begins with the most specific lower rules, and stops when yield returns false. own
// is the rule of the list that decides on the target with only the upper rule's names, or none. Only rules more
// specific than own are yielded.
func (s *space) groups(l *ruleList, upper int32, level permissions.Kind, own int32, yield func(*pairing, *group) bool) {
	r := rankOf(s.places[upper])
	left := l.ranks & below(r)
	if own != none {
		left &= above(rankOf(s.places[own]))
	}
	for ; left != 0; left &^= 1 << left.highest() {
		p := s.pairing(pairingKey{l, r, left.highest(), level})
		if p == nil {
			continue
		}
		if g := p.groups[s.places[upper].only(p.shared).at(level)]; g != nil && !yield(p, g) {
			return
		}
	}
}

// varying returns the actions about which some lower rule may answer otherwise than own does.
func (s *space) varying(l *ruleList, upper int32, level permissions.Kind, own int32) (a actions) {
	granted := l.grantOf(own)
	s.groups(l, upper, level, own, func(_ *pairing, g *group) bool {
		a = a.or(g.some.without(granted)).or(granted.without(g.every))
		return true
	})
	return a
}

// lower returns lower rules of a list that meet a requirement and decide together with an upper rule, up to
// maxFound of them. They have names beyond those of the upper rule.
func (s *space) lower(l *ruleList, upper int32, level permissions.Kind, own int32, r requirement) (found []int32) {
	s.groups(l, upper, level, own, func(p *pairing, g *group) bool {
		key := search{r, s.places[upper].only(p.upperPart)}
		rules, ok := g.found[key]
		if !ok {
			rules = s.unblocked(p, g, s.places[upper].at(level), l, r)
			g.found[key] = rules
		}
		found = append(found, rules[:min(len(rules), maxFound-len(found))]...)
		return len(found) < maxFound
	})
	return found
}

// unblocked returns the rules of a group that meet a requirement and decide together with the upper rule of a
// place, up to maxFound of them.
func (s *space) unblocked(p *pairing, g *group, upper place, l *ruleList, r requirement) (found []int32) {
	matching := g.matching(s, p, l, r)
	if len(matching.members) > 0 {
		s.block(p, g, upper)
	}
	for at := 0; at < len(matching.members) && len(found) < maxFound; {
		b := g.blockerOf(matching.members[at])
		if b < 0 {
			found = append(found, matching.members[at])
			at++
			continue
		}
		at = int(matching.ends[b][at])
	}
	slices.Sort(found)
	for i, m := range found {
		found[i] = g.members[m]
	}
	return found
}

// A matchList has the members of a group that meet a requirement, sorted so that those with the same numbers come
// one after the other.
type matchList struct {
	members []int32 // indexes of group.members

	// ends has, for each blocker and each index in members, the next index at which the member has another number
	// for this blocker or for one before it in order.
	ends [][]int32
}

// matching returns the members that meet a requirement. Of members with the same names in lowerPart it returns up to
// maxFound.
func (g *group) matching(s *space, p *pairing, l *ruleList, r requirement) *matchList {
	matching, ok := g.matches[r]
	if ok {
		return matching
	}
	matching = &matchList{}
	g.matches[r] = matching
	if r.granted && !g.some.has(r.action) || !r.granted && g.every.has(r.action) {
		return matching
	}
	alike := make(map[place]int)
	for m, i := range g.members {
		if names := s.places[i].only(p.lowerPart); r.isMetBy(l.grants[i]) && alike[names] < maxFound {
			alike[names]++
			matching.members = append(matching.members, int32(m))
		}
	}
	g.sort(matching)
	return matching
}

// sort sorts the members of a matchList by their numbers, and sets order and ends. The blocker with the fewest
// different numbers comes first: when it blocks one of them, unblocked skips the most members.
func (g *group) sort(list *matchList) {
	order := make([]int, len(g.numberings))
	for b := range order {
		order[b] = b
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(g.numberings[a].numbers) - len(g.numberings[b].numbers) })
	g.order = order
	slices.SortStableFunc(list.members, func(m, n int32) int {
		for _, b := range order {
			if c := cmp.Compare(g.numberings[b].of[m], g.numberings[b].of[n]); c != 0 {
				return c
			}
		}
		return 0
	})
	list.ends = make([][]int32, len(g.numberings))
	last := len(list.members) - 1
	for at := last; at >= 0; at-- {
		same := at < last // whether this member and the next one have the same numbers so far
		for _, b := range order {
			if list.ends[b] == nil {
				list.ends[b] = make([]int32, len(list.members))
			}
			of := g.numberings[b].of
			same = same && of[list.members[at]] == of[list.members[at+1]]
			list.ends[b][at] = int32(at + 1)
			if same {
				list.ends[b][at] = list.ends[b][at+1]
			}
		}
	}
}

// block marks what is blocked in a group for the upper rule of a place.
func (s *space) block(p *pairing, g *group, upper place) {
	if g.mark != 0 && g.blocked == upper {
		return
	}
	g.blocked = upper
	g.mark++
	for b, blocker := range p.blockers {
		numbering := &g.numberings[b]
		names := upper.only(blocker.rank.named())
		if rules := s.sharing(names, blocker.rank, blocker.list); len(rules) <= len(numbering.numbers) {
			for _, i := range rules {
				if n, ok := numbering.numbers[s.places[i].only(blocker.lower).at(0)]; ok {
					numbering.marks[n] = g.mark
				}
			}
			continue
		}
		for lower, n := range numbering.numbers {
			both, _ := upper.and(lower)
			if s.decider(both, 1<<blocker.rank, blocker.list) != none {
				numbering.marks[n] = g.mark
			}
		}
	}
}

// blockerOf returns the first blocker, in the order of sort, that blocks a member for the upper rule of the
// last call of block. It returns -1 if there is none.
func (g *group) blockerOf(member int32) int {
	for _, b := range g.order {
		if n := &g.numberings[b]; n.marks[n.of[member]] == g.mark {
			return b
		}
	}
	return -1
}

// A condition is a requirement about the answer of a list.
type condition struct {
	list        *ruleList
	requirement requirement
}

// where returns places of a level where a rule is the upper rule and all conditions are met, up to maxFound of them.
// If the place that has only the rule's names is one of these, it returns that place alone.
func (s *space) where(upper int32, level permissions.Kind, conditions ...condition) []place {
	own := s.places[upper].at(level)
	var left []condition // those on lists without the upper rule
	for _, c := range conditions {
		switch {
		case !c.list.has[upper]:
			left = append(left, c)
		case !c.requirement.isMetBy(c.list.grants[upper]):
			return nil
		}
	}
	f := finder{space: s, upper: upper, level: level, conditions: left}
	if f.isMet(own) {
		return []place{own}
	}
	if len(left) == 1 {
		c := left[0]
		for _, i := range s.lower(c.list, upper, level, f.own(c.list), c.requirement) {
			both, _ := own.and(s.places[i])
			f.found = append(f.found, both)
		}
		return f.found
	}
	f.search(own, left)
	return f.found
}

// A finder finds places where several lists decide by lower rules. Only intersections need it. It tries
// all combinations.
type finder struct {
	*space
	upper      int32
	level      permissions.Kind
	conditions []condition
	found      []place
}

// own returns the rule of a list that decides on the target with only the upper rule's names, or none.
func (f *finder) own(l *ruleList) int32 {
	return f.decider(f.places[f.upper].at(f.level), below(rankOf(f.places[f.upper])), l)
}

// isMet reports whether all conditions are met on the targets of a place.
func (f *finder) isMet(p place) bool {
	for _, c := range f.conditions {
		if !c.requirement.isMetBy(c.list.grantOf(f.decider(p, ^ranks(0), c.list))) {
			return false
		}
	}
	return true
}

// search adds to a place the names of lower rules, at most one for each condition that is left. It finds the places
// where the upper rule is still the upper rule and all conditions are met.
func (f *finder) search(p place, left []condition) {
	if len(f.found) == maxFound || f.decider(p, above(rankOf(f.places[f.upper])), nil) != none {
		return
	}
	if f.isMet(p) {
		if !slices.Contains(f.found, p) {
			f.found = append(f.found, p)
		}
		return
	}
	if len(left) == 0 {
		return
	}
	c := left[0]
	f.search(p, left[1:])
	f.groups(c.list, f.upper, f.level, f.own(c.list), func(_ *pairing, g *group) bool {
		for _, i := range g.members {
			if !c.requirement.isMetBy(c.list.grants[i]) {
				continue
			}
			if both, ok := p.and(f.places[i]); ok && both != p {
				f.search(both, left[1:])
			}
		}
		return len(f.found) < maxFound
	})
}

// A sharingKey says which rules are looked up by the names that they share with a place: those of a rank
// and of a list, or of all lists if the list is nil.
type sharingKey struct {
	rank   rank
	list   *ruleList
	shared identifiers
}

// sharing returns the rules of a rank, and of a list if it is not nil, that can apply to some target of a
// place: those that agree with it where both name something.
func (s *space) sharing(p place, r rank, l *ruleList) []int32 {
	key := sharingKey{r, l, r.named() & p.named()}
	rules, ok := s.shared[key]
	if !ok {
		rules = make(map[place][]int32)
		for _, i := range s.ofRank[r] {
			if l == nil || l.has[i] {
				names := s.places[i].only(key.shared).at(0)
				rules[names] = append(rules[names], i)
			}
		}
		s.shared[key] = rules
	}
	return rules[p.only(key.shared).at(0)]
}
