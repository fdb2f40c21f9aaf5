package analyze

import (
	"cmp"
	"slices"

	"github.com/connectperms/permissions"
)

// Take a target, and the most specific of all rules that apply to it: the upper rule. A list that has
// this rule decides by it. Every other list decides by its own most specific rule, the lower rule. On the
// target that has only the names of these rules, they decide too, since fewer rules apply to it. So it is
// enough to look at each rule as the upper rule, together with the lower rules that can come with it.
//
// Where the lower rule has no names beyond those of the upper rule, there is one for each list, and it is
// looked up. Where it has, there can be very many. A pairing groups them, so that not all need to be tried.

// A pairingKey says which rules a pairing is about: upper rules of one rank, lower rules of a list and a
// rank, and targets of a level.
type pairingKey struct {
	list         *list
	upper, lower rank
	level        permissions.Kind
}

// A pairing has the lower rules of a pairingKey that name something that its upper rules do not name. They
// are grouped by the names that they share with the upper rule.
//
// A third rule can decide in place of one of the pair. It is called a blocker. It is more specific than the
// upper rule, or it is a rule of the same list and its rank is between the two ranks. There are three kinds:
//
//   - A blocker that names only what the lower rule names. newPairing leaves that lower rule out.
//   - A blocker that names only what the upper rule names. It is found before a pairing is used, when the
//     names of the upper rule are looked up. If it is more specific than the upper rule, the callers skip the
//     upper rule. If it is of the same list, it is own in groups, which yields no less specific rule.
//   - A blocker that names something of each. Only these are in blockers, and are checked in a search.
//
// Lower rules with the same names in lowerPart have the same blockers, so it is enough to try some of them.
type pairing struct {
	shared    identifiers // what both rules name, and must name alike
	upperPart identifiers // what blockers have of the upper rule, besides
	lowerPart identifiers // what blockers have of the lower rule, besides
	blockers  []blocker
	groups    map[place]*group
}

// A blocker is the rules of a rank that can block pairs.
type blocker struct {
	rank  rank
	list  *list       // nil for the rules of all lists
	lower identifiers // what they have of the lower rule, besides the shared names
}

// A group is the lower rules of a pairing with certain shared names.
type group struct {
	some, every actions // what at least one of them grants, and what all grant
	members     []int32
	matches     map[requirement]*matchList
	found       map[search][]int32

	parts   []parts // for each blocker
	order   []int   // of the blockers, see sort
	blocked place   // the upper rule for which parts are marked as blocked
	mark    uint32
}

// A parts tells the members of a group apart as far as one blocker does.
type parts struct {
	numbers map[place]uint32 // of what blockers have of the lower rules
	of      []uint32         // the numbers of the members
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

// maxFound is how many lower rules are found at most for one upper rule: as many as are listed, and one
// more, which says that there are more.
const maxFound = maxListed + 1

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
		g = &group{every: grants, parts: make([]parts, len(p.blockers))}
		g.matches, g.found = make(map[requirement]*matchList), make(map[search][]int32)
		p.groups[shared] = g
	}
	g.some, g.every = g.some.or(grants), g.every.and(grants)
	g.members = append(g.members, i)
	for b := range g.parts {
		g.parts[b].add(s.places[i].only(p.blockers[b].lower).at(0))
	}
}

func (p *parts) add(part place) {
	if p.numbers == nil {
		p.numbers = make(map[place]uint32)
	}
	n, ok := p.numbers[part]
	if !ok {
		n = uint32(len(p.numbers))
		p.numbers[part] = n
		p.marks = append(p.marks, 0)
	}
	p.of = append(p.of, n)
}

// groups yields each pairing of a list with an upper rule, and in it the group whose shared names are those
// of the upper rule. It begins with the most specific lower rules, and stops when yield returns false. own
// is the lower rule that the look-up of the upper rule's names finds, or none. Only rules more specific than
// own are yielded.
func (s *space) groups(l *list, upper int32, level permissions.Kind, own int32, yield func(*pairing, *group) bool) {
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
func (s *space) varying(l *list, upper int32, level permissions.Kind, own int32) (a actions) {
	granted := l.grantOf(own)
	s.groups(l, upper, level, own, func(_ *pairing, g *group) bool {
		a = a.or(g.some.without(granted)).or(granted.without(g.every))
		return true
	})
	return a
}

// lower returns lower rules of a list that meet a requirement and decide together with an upper rule, up to
// maxFound of them. They have names beyond those of the upper rule.
func (s *space) lower(l *list, upper int32, level permissions.Kind, own int32, r requirement) (found []int32) {
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
func (s *space) unblocked(p *pairing, g *group, upper place, l *list, r requirement) (found []int32) {
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

// A matchList has the members of a group that meet a requirement, sorted so that those with the same parts come
// one after the other.
type matchList struct {
	members []int32   // indexes of members
	ends    [][]int32 // for each blocker and member, where the next one is that differs in its or an earlier part
}

// matching returns the members that meet a requirement. Of those that are alike it returns up to maxFound.
func (g *group) matching(s *space, p *pairing, l *list, r requirement) *matchList {
	list, ok := g.matches[r]
	if ok {
		return list
	}
	list = &matchList{}
	g.matches[r] = list
	if r.granted && !g.some.has(r.action) || !r.granted && g.every.has(r.action) {
		return list
	}
	alike := make(map[place]int)
	for m, i := range g.members {
		if names := s.places[i].only(p.lowerPart); r.isMetBy(l.grants[i]) && alike[names] < maxFound {
			alike[names]++
			list.members = append(list.members, int32(m))
		}
	}
	g.sort(list)
	return list
}

// sort sorts members by their parts. Parts with fewer numbers come first, because a blocked one then
// skips more members.
func (g *group) sort(list *matchList) {
	order := make([]int, len(g.parts))
	for b := range order {
		order[b] = b
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(g.parts[a].numbers) - len(g.parts[b].numbers) })
	g.order = order
	slices.SortStableFunc(list.members, func(m, n int32) int {
		for _, b := range order {
			if c := cmp.Compare(g.parts[b].of[m], g.parts[b].of[n]); c != 0 {
				return c
			}
		}
		return 0
	})
	list.ends = make([][]int32, len(g.parts))
	last := len(list.members) - 1
	for at := last; at >= 0; at-- {
		same := at < last // as far as the parts before tell
		for _, b := range order {
			if list.ends[b] == nil {
				list.ends[b] = make([]int32, len(list.members))
			}
			of := g.parts[b].of
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
		parts := &g.parts[b]
		names := upper.only(blocker.rank.named())
		if rules := s.sharing(names, blocker.rank, blocker.list); len(rules) <= len(parts.numbers) {
			for _, i := range rules {
				if n, ok := parts.numbers[s.places[i].only(blocker.lower).at(0)]; ok {
					parts.marks[n] = g.mark
				}
			}
			continue
		}
		for part, n := range parts.numbers {
			both, _ := upper.and(part)
			if s.decider(both, 1<<blocker.rank, blocker.list) != none {
				parts.marks[n] = g.mark
			}
		}
	}
}

// blockerOf returns the first blocker, in the order of sort, that blocks a member for the upper rule of the
// last call of block. It returns -1 if there is none.
func (g *group) blockerOf(member int32) int {
	for _, b := range g.order {
		if g.parts[b].marks[g.parts[b].of[member]] == g.mark {
			return b
		}
	}
	return -1
}

// A condition is a requirement about the answer of a list.
type condition struct {
	list        *list
	requirement requirement
}

// where returns places where a rule is the upper rule and all conditions are met, up to maxFound of
// them. They are targets of a level. If the rule's own names are enough, it returns that place alone.
func (s *space) where(upper int32, level permissions.Kind, conditions ...condition) []place {
	own := s.places[upper].at(level)
	var open []condition
	for _, c := range conditions {
		switch {
		case !c.list.has[upper]:
			open = append(open, c)
		case !c.requirement.isMetBy(c.list.grants[upper]):
			return nil
		}
	}
	f := finder{space: s, upper: upper, level: level, conditions: open}
	if f.isMet(own) {
		return []place{own}
	}
	if len(open) == 1 {
		c := open[0]
		for _, i := range s.lower(c.list, upper, level, f.own(c.list), c.requirement) {
			both, _ := own.and(s.places[i])
			f.found = append(f.found, both)
		}
		return f.found
	}
	f.search(own, open)
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

// own returns the lower rule that the upper rule's names find.
func (f *finder) own(l *list) int32 {
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

// search adds the names of lower rules, one of each list whose condition is left, and finds the places
// where the upper rule remains and all conditions are met.
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
	list   *list
	shared identifiers
}

// sharing returns the rules of a rank, and of a list if it is not nil, that can apply to some target of a
// place: those that agree with it where both name something.
func (s *space) sharing(p place, r rank, l *list) []int32 {
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
