package analyze

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/connectperms/permissions"
)

// A Relation says how much the second of two policies allows, compared with the first one. The zero
// Relation is RelationEqual.
//
// To refuse a change that allows more, refuse RelationBoth too, or take [Covers].
type Relation uint8

const (
	RelationEqual    Relation = iota // both give the same answer to every question
	RelationWider                    // the second one allows more, and nothing less
	RelationNarrower                 // the second one allows less, and nothing more
	RelationBoth                     // the second one allows some things more, and some things less
)

// String returns the code of the relation: equal, wider, narrower or both. Codes do not change.
func (r Relation) String() string {
	switch r {
	case RelationEqual:
		return "equal"
	case RelationWider:
		return "wider"
	case RelationNarrower:
		return "narrower"
	case RelationBoth:
		return "both"
	}
	return "Relation(" + strconv.Itoa(int(r)) + ")"
}

// MarshalText returns [Relation.String].
func (r Relation) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// A Difference is what changes from one policy to another. [Diff] returns it. Its String is for a
// terminal, its Markdown for a pull request, and its JSON for programs.
//
// The zero Difference is that of equal policies.
type Difference struct {
	// Relation is the summary. It is RelationEqual exactly if the policies are [Equal].
	Relation Relation

	// Changes are what changes: the least deep regions first, then by name, and what is gained before
	// what is lost. There are none if the policies are equal.
	Changes []Change
}

// A Change is permissions that one policy allows and the other one denies, and where.
type Change struct {
	// Region is where the change holds: for every target in it to which no more specific rule of either
	// policy applies, except as Only, Unchanged and Partly say. The more specific rules are in Unchanged or in Separate.
	// A question counts as a question about the target that its action acts on (SPEC 3.3, 4.3).
	Region Region

	// Only is for a change that does not hold for Region in general. If it is not empty, the change holds in
	// these parts of Region and nowhere else. In each part a less specific rule applies too, and makes the
	// difference. The change holds for the target that has only the names of the part. Where a further rule
	// applies, it may not hold.
	Only Regions

	// Unchanged has regions in which the change does not hold, of two kinds. The first are parts of Region to which a
	// less specific rule applies too, which makes the answers the same. The others are the regions of more specific
	// rules without a change. They overlap Region and can reach beyond it.
	Unchanged Regions

	// Partly has parts of Region in which the change does not hold for the target that has only the names of the
	// part, but may hold for others: further less specific rules can apply there too, and make the answers differ.
	//
	// If IsMore is true here or in Unchanged, there are parts that are in neither list. They can be of both kinds.
	Partly Regions

	// Separate has what more specific rules match that have changes of their own.
	Separate Regions

	// Permissions are all those that the change gains or loses, in the order of SPEC 1.4.
	Permissions []permissions.Permission

	// Example is one of the questions whose answer changes.
	Example Question

	// Before and After are the answers of the first policy and of the second one to Example. One of
	// them allows: if After does, the permissions are gained, and otherwise they are lost.
	Before, After permissions.Decision

	example, before, after string
}

// Regions is a list of regions, which may be cut.
type Regions struct {
	List []Region `json:"list"` // up to five

	// More is how many there are that List does not have. If IsMore is true, there are even more than
	// that, and they were not counted.
	More   int  `json:"more"`
	IsMore bool `json:"isMore"`
}

// IsZero reports whether there are no regions. The JSON of a [Change] leaves such a list out.
func (r Regions) IsZero() bool { return len(r.List) == 0 && r.More == 0 && !r.IsMore }

// String returns the regions in one line, separated by commas.
func (r Regions) String() string { return r.join(Region.String) }

func (r Regions) join(print func(Region) string) string {
	var list []string
	for _, region := range r.List {
		list = append(list, print(region))
	}
	switch {
	case r.IsMore:
		list = append(list, "and others")
	case r.More > 0:
		list = append(list, "and "+strconv.Itoa(r.More)+" more")
	}
	return strings.Join(list, ", ")
}

// maxListed is how many regions are listed at most.
const maxListed = 5

// Diff returns all that changes from one policy to another, as [Covers] counts: of the permissions that one of them
// declares.
//
// The changes tell whether the answer to a question changes, if the question leaves no identifier unknown. A question
// whose action acts below its target leaves some unknown (SPEC 4.3): settings:read of an integration is about some
// configuration. For any other question, take the paths of the rules of both policies and the regions of the
// changes. Of those that match the target, find the most specific one (SPEC 4.5). If it is not the region of a
// change, the answer does not change. If it is, the changes with that region say where the answer changes. They do
// not say it for parts that a list leaves out. For a part in Only or in Partly they say it about the target that has
// only the names of the part.
//
// There is at most one change for each rule, each direction (gained or lost), and each set of permissions that change
// in the same parts.
func Diff(before, after *permissions.Policy) Difference {
	s, lists := newSpace(before, after)
	d := differ{
		space: s, before: lists[0], after: lists[1],
		changed: &ruleList{has: make([]bool, len(s.places))}, unchanged: &ruleList{has: make([]bool, len(s.places))},
	}
	for upper := range s.order {
		first := len(d.changes)
		d.compare(upper)
		d.changed.has[upper] = len(d.changes) > first
		d.unchanged.has[upper] = len(d.changes) == first
	}
	return d.difference()
}

// A differ collects changes.
type differ struct {
	*space
	before, after []*ruleList
	changes       []change
	changed       *ruleList // the rules whose places have changes
	unchanged     *ruleList // the other rules
}

// A change is a Change as places and numbers.
type change struct {
	gained    bool
	region    place
	only      []place
	unchanged []place
	isMore    bool // the search stopped at maxFound, so there may be more places than only or unchanged has
	actions   actions
	first     int   // the first of them
	example   place // for that one
}

// compare adds the changes on the targets for which a rule is the upper rule.
func (d *differ) compare(upper int32) {
	first := len(d.changes)
	for _, v := range d.views(d.places[upper]) {
		own := d.places[upper].at(v.level)
		if d.decider(own, ^ranks(0), nil) != upper {
			continue
		}
		before, varyingBefore := d.ownAnswers(d.before, upper, v.level)
		after, varyingAfter := d.ownAnswers(d.after, upper, v.level)
		varying := varyingBefore.or(varyingAfter).and(v.actions)
		for action := range before.xor(after).or(varying).and(v.actions).all {
			for _, gained := range []bool{true, false} {
				c := change{gained: gained, region: d.places[upper], first: action, example: own}
				c.actions.add(action)
				switch changes := before.has(action) == !gained && after.has(action) == gained; {
				case changes && varying.has(action):
					c.unchanged, c.isMore = d.whereUnchanged(upper, v.level, action, gained)
				case changes:
				case varying.has(action):
					if c.only, c.isMore = d.whereChanged(upper, v.level, action, gained); c.only == nil {
						continue
					}
					c.example = c.only[0]
				default:
					continue
				}
				d.add(first, c)
			}
		}
	}
}

// ownAnswers returns the actions that lists grant together on the target that only has the names of a
// rule, and those about which other targets may differ from that.
func (d *differ) ownAnswers(lists []*ruleList, upper int32, level permissions.Kind) (granted, varying actions) {
	granted = actions{^uint64(0), ^uint64(0)}
	for _, l := range lists {
		own := upper
		if !l.has[upper] {
			own = d.decider(d.places[upper].at(level), ^ranks(0), l)
			varying = varying.or(d.varying(l, upper, level, own))
		}
		granted = granted.and(l.grantOf(own))
	}
	return granted, varying
}

// sides returns the policy that allows an action that is gained or lost, and the one that denies it.
func (d *differ) sides(gained bool) (allows, denies []*ruleList) {
	if gained {
		return d.after, d.before
	}
	return d.before, d.after
}

// whereChanged returns places where an action is gained or lost, and whether the search stopped at maxFound.
func (d *differ) whereChanged(
	upper int32, level permissions.Kind, action int, gained bool,
) (found []place, isMore bool) {
	allows, denies := d.sides(gained)
	for _, l := range denies {
		conditions := append(requireAll(allows, action), condition{l, requirement{action, false}})
		places := d.where(upper, level, conditions...)
		found, isMore = appendNew(found, places), isMore || len(places) == maxFound
	}
	return found, isMore
}

// whereUnchanged returns places where an action is not gained or not lost, and whether the search stopped at
// maxFound.
func (d *differ) whereUnchanged(
	upper int32, level permissions.Kind, action int, gained bool,
) (found []place, isMore bool) {
	allows, denies := d.sides(gained)
	found = d.where(upper, level, requireAll(denies, action)...)
	isMore = len(found) == maxFound
	for _, l := range allows {
		places := d.where(upper, level, condition{l, requirement{action, false}})
		found, isMore = appendNew(found, places), isMore || len(places) == maxFound
	}
	return found, isMore
}

// appendNew appends the places that are not in a list. Both are short.
func appendNew(list, places []place) []place {
	for _, p := range places {
		if !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

// requireAll returns the conditions that all lists grant an action.
func requireAll(lists []*ruleList, action int) (conditions []condition) {
	for _, l := range lists {
		conditions = append(conditions, condition{l, requirement{action, true}})
	}
	return conditions
}

// add adds a change, or its action to one of the changes from first on that holds in the same parts.
func (d *differ) add(first int, c change) {
	for i := first; i < len(d.changes); i++ {
		if o := &d.changes[i]; o.holdsLike(c) {
			if c.first < o.first {
				o.first, o.example = c.first, c.example
			}
			o.actions = o.actions.or(c.actions)
			return
		}
	}
	d.changes = append(d.changes, c)
}

// holdsLike reports whether a change of the same rule holds in the same parts, as far as they are known.
func (c *change) holdsLike(o change) bool {
	return c.gained == o.gained && c.isMore == o.isMore && samePlaces(c.only, o.only) && samePlaces(c.unchanged, o.unchanged)
}

func samePlaces(a, b []place) bool {
	return slices.EqualFunc(a, b, func(p, q place) bool { return p.names == q.names })
}

// difference returns the changes in their order.
func (d *differ) difference() (all Difference) {
	order := d.nameOrder()
	slices.SortStableFunc(d.changes, func(a, b change) int {
		byPlace := cmp.Compare(a.region.depth, b.region.depth)
		for i := 0; i < identifierCount && byPlace == 0; i++ {
			byPlace = cmp.Compare(order[i][a.region.names[i]], order[i][b.region.names[i]])
		}
		if byPlace == 0 && a.gained != b.gained {
			byPlace = 1
			if a.gained {
				byPlace = -1
			}
		}
		return byPlace
	})
	for i := range d.changes {
		c := &d.changes[i]
		if c.gained {
			all.Relation |= RelationWider
		} else {
			all.Relation |= RelationNarrower
		}
		all.Changes = append(all.Changes, d.change(c))
	}
	return all
}

// nameOrder returns the position of each name in the order of all names of its identifier.
func (s *space) nameOrder() (order [identifierCount][]int) {
	for i := range s.names {
		scopes := s.names[i].scopes
		numbers := make([]int, len(scopes))
		for n := range numbers {
			numbers[n] = n
		}
		slices.SortFunc(numbers[1:], func(a, b int) int { return cmp.Compare(scopes[a].Name(), scopes[b].Name()) })
		order[i] = make([]int, len(scopes))
		for position, n := range numbers {
			order[i][n] = position
		}
	}
	return order
}

// change returns a change for those who called Diff.
func (d *differ) change(c *change) Change {
	before, after := d.decision(d.before, c.example, c.first), d.decision(d.after, c.example, c.first)
	action := d.actions[c.first]
	var uniform, mixed []place
	for _, p := range c.unchanged {
		if d.isUniform(d.index[c.region], p) {
			uniform = append(uniform, p)
		} else {
			mixed = append(mixed, p)
		}
	}
	return Change{
		Region:      d.region(c.region),
		Only:        d.list(c.region, c.only, c.isMore),
		Unchanged:   d.moreSpecific(c.region, d.unchanged, d.list(c.region, uniform, c.isMore)),
		Partly:      d.list(c.region, mixed, c.isMore),
		Separate:    d.moreSpecific(c.region, d.changed, d.list(c.region, nil, false)),
		Permissions: d.permissions(c.actions),
		Example:     Question{action, d.target(c.example)},
		Before:      before,
		After:       after,
		example:     d.questionText(action, c.example),
		before:      d.explain(before, d.before, c.example),
		after:       d.explain(after, d.after, c.example),
	}
}

// list returns places as regions of the level of a region. If isMore is true, a list that is cut is not counted.
func (s *space) list(region place, places []place, isMore bool) Regions {
	listed := min(len(places), maxListed)
	r := Regions{List: []Region{}}
	for _, p := range places[:listed] {
		r.List = append(r.List, s.region(p.at(region.level())))
	}
	if more := len(places) - listed; isMore {
		r.IsMore = more > 0
	} else {
		r.More = more
	}
	return r
}

// moreSpecific adds to r the regions of the rules in l that are more specific than a region and can apply to some
// target in it.
func (d *differ) moreSpecific(region place, l *ruleList, r Regions) Regions {
	for left := d.ranks & above(rankOf(region)); left != 0; left &^= 1 << left.lowest() {
		rules := d.sharing(region, left.lowest(), l)
		listed := min(len(rules), maxListed-len(r.List))
		for _, i := range rules[:listed] {
			r.List = append(r.List, d.region(d.places[i]))
		}
		r.More += len(rules) - listed
	}
	return r
}

// isUniform reports whether the same rules decide for all targets of a place for which a rule is the upper
// rule: no list has a rule that could come in between.
func (d *differ) isUniform(upper int32, p place) bool {
	for _, l := range d.lists {
		if l.has[upper] {
			continue
		}
		between := l.ranks & below(rankOf(d.places[upper]))
		if own := d.decider(p, between, l); own != none {
			between &= above(rankOf(d.places[own]))
		}
		for ; between != 0; between &^= 1 << between.lowest() {
			if d.sharing(p, between.lowest(), l) != nil {
				return false
			}
		}
	}
	return true
}
