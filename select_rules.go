package permissions

import (
	"iter"
	"slices"
)

// A compiler turns the rules of a policy into a formula about rows: things of a kind in a target.
type compiler struct {
	rules  []*ruleset
	extras vocabulary
	kind   Kind
	within Target
	row    Identifiers // those that a row has
	named  *namedTexts
}

// compiler returns nil, and no error, for no policy.
func (p *Policy) compiler(kind Kind, within Target) (*compiler, error) {
	if e := within.questionError(); e != nil {
		return nil, e
	}
	if within.level >= kind {
		return nil, &QuestionError{
			Field: "target", Value: within.String(),
			Problem: "has no " + kind.String() + " in it",
			Remedy:  "list what is in a target that is less deep",
		}
	}
	rules := p.rulesets()
	if slices.Contains(rules, nil) {
		return nil, nil // no policy, or a part of an intersection that is none
	}
	c := &compiler{
		rules: rules, extras: p.vocabulary(), kind: kind, within: within.clone(),
		row: identifiersTo(kind) &^ identifiersTo(within.level),
	}
	c.named = newNamedTexts(rules, allIdentifiers&^identifiersTo(within.level)|within.unknown())
	return c, nil
}

// selection returns the selection of the rows for which a formula holds.
func (c *compiler) selection(f *formula) Selection {
	if c == nil {
		return Selection{}
	}
	return Selection{kind: c.kind, within: c.within, named: c.named, is: f.under(nil)}
}

// target returns a target that stands for all rows: the identifiers of a row are absent in it.
func (c *compiler) target() Target {
	t := c.within
	t.level, t.absent = c.kind, t.absent|c.row
	return t
}

// allowed returns the formula for the rows on which the action with number n is allowed.
//
// An action is denied if a rule that denies it decides, for the row as it is or with some of the
// unknown identifiers filled in (SPEC 4.7), or if no rule decides.
func (c *compiler) allowed(action Permission, n int) *formula {
	if c == nil {
		return none
	}
	var list []*formula
	for _, s := range c.rules {
		own, known := s.vocabulary().number(action)
		switch {
		case !known:
			return none // see Intersect
		case s.unrestricted:
			continue
		}
		t := c.target()
		d := c.decisions(s, t.ask(acts(n)))
		d.marks = func(g grant) bool { return g>>own&1 == 0 }
		d.otherwise = true
		list = append(list, d.formula().not())
	}
	return allOf(list...)
}

// visible returns the formula for the rows that are visible.
func (c *compiler) visible() (*formula, error) {
	switch {
	case c == nil:
		return none, nil
	case len(c.rules) > 1:
		return c.visibleInAll()
	case c.rules[0].unrestricted:
		return every, nil
	}
	var list []*formula
	for level := c.kind; level <= KindConfiguration; level++ {
		at := actable(level)
		d := c.below(c.rules[0], level)
		d.marks = func(g grant) bool { return g&at != 0 }
		list = append(list, d.formula())
	}
	return anyOf(list...), nil
}

// below returns the decisions about things of a level that are in a row, or are the row.
func (c *compiler) below(s *ruleset, level Kind) *decisions {
	t := c.target()
	return c.decisions(s, question{&t, level, t.known, identifiersTo(level) &^ identifiersTo(c.kind)})
}

// maxFillings bounds what visibleInAll tries.
const maxFillings = 4096

// visibleInAll returns the formula for the rows that are visible in an intersection: all parts allow
// the same permission, on the row or on the same thing below it.
//
// If at most one part names what is below the row, the parts can be taken one by one. Otherwise the
// parts must agree on the thing, and it is enough to try combinations of what single rules of each part
// name.
func (c *compiler) visibleInAll() (*formula, error) {
	var list []*formula
	for level := c.kind; level <= KindConfiguration; level++ {
		for _, permission := range c.extras.all {
			global, _ := c.extras.number(permission)
			if actable(level)>>global&1 == 0 {
				continue
			}
			f, err := c.visibleFor(permission, level)
			if err != nil {
				return nil, err
			}
			list = append(list, f)
		}
	}
	return anyOf(list...), nil
}

func (c *compiler) visibleFor(permission Permission, level Kind) (*formula, error) {
	var all []*decisions
	naming := 0
	for _, s := range c.rules {
		own, known := s.vocabulary().number(permission)
		switch {
		case !known:
			return none, nil
		case s.unrestricted:
			continue
		}
		d := c.below(s, level)
		d.marks = func(g grant) bool { return g>>own&1 != 0 }
		all = append(all, d)
		if d.namesUnknown() {
			naming++
		}
	}
	fillings := []filling{{}}
	if naming > 1 {
		for _, d := range all {
			if fillings = combine(fillings, d.values()); len(fillings) > maxFillings {
				return nil, errTooManyCombinations
			}
		}
	}
	var list []*formula
	for _, v := range fillings {
		var parts []*formula
		for _, d := range all {
			d.filled = nil
			if naming > 1 {
				d.filled = &v
			}
			parts = append(parts, d.formula())
		}
		list = append(list, allOf(parts...))
	}
	return anyOf(list...), nil
}

// A filling has cells for the identifiers below a row, see row.
type filling row

// has reports whether a filling has all cells of u.
func (v *filling) has(u *tuple) bool { return (*row)(v).has(u) }

// combine returns the fillings, and each of them with each of the values that does not contradict it.
func combine(fillings []filling, values []tuple) []filling {
	seen := make(map[filling]bool)
	for _, v := range fillings {
		seen[v] = true
	}
	for _, v := range fillings {
		for _, u := range values {
			w, consistent := v, true
			for level, c := range u {
				if c != 0 {
					own := &w[level][c&1]
					consistent = consistent && (*own == 0 || *own == c)
					*own = c
				}
			}
			if consistent && !seen[w] {
				seen[w] = true
				if fillings = append(fillings, w); len(fillings) > maxFillings {
					return fillings
				}
			}
		}
	}
	return fillings
}

// Decisions are what the rules of one claim decide about a question that stands for all rows.
type decisions struct {
	*compiler
	rules    *ruleset
	q        question
	interned Target // of the question

	marks     func(grant) bool // which rules are looked for, by what they grant
	otherwise bool             // whether no rule at all is looked for too
	filled    *filling         // what the unknown identifiers are; nil if they can be anything
}

func (c *compiler) decisions(s *ruleset, q question) *decisions {
	d := &decisions{compiler: c, rules: s}
	d.q = s.intern(q, &d.interned)
	return d
}

// A stage is what rules of one rank, or of several in a row, say about rows.
type stage struct {
	// Of rules that name nothing unknown: whether they are marked, by what they name of a row. They all
	// have the same shape.
	shape  Identifiers
	marked map[tuple]bool

	// Of rules that name what is unknown: the rows for which one that is marked decides with it filled
	// in, unless a rule of an earlier stage that names nothing unknown does.
	filledIn *formula
}

// formula returns the rows for which one of the marked rules decides, for some value of the unknown
// identifiers. It is enough to look at those values that single rules name (SPEC 4.7). Then the rule
// decides unless a row matches a more specific one that names the same values or fewer of them.
//
// The rules that name nothing unknown make a list, from the most specific rank down. A row is looked up
// in it, and the first that matches decides. The formula is as long as the rules are, times a number
// that does not depend on them.
func (d *decisions) formula() *formula {
	s, free := d.rules, d.q.unknown
	var stages []stage
	matched := make(map[tuple]*tupleSet) // by the values that are filled in
	decided := false
	for ranks := d.ranks(); ranks != 0 && !decided; ranks = ranks.without(ranks.highest()) {
		r := ranks.highest()
		if r.identifiers()&free == 0 || d.filled != nil {
			shape := r.identifiers() & d.row
			for m, names := range d.ofRank(r) {
				if d.filled != nil && !d.filled.has(&names.unknown) {
					continue
				}
				if len(stages) == 0 || stages[len(stages)-1].marked == nil || stages[len(stages)-1].shape != shape {
					stages = append(stages, stage{shape: shape, marked: make(map[tuple]bool)})
				}
				last := &stages[len(stages)-1]
				if _, overridden := last.marked[names.row]; !overridden {
					last.marked[names.row] = d.marks(s.nodes[m].grant)
				}
				decided = decided || shape == 0
			}
		} else if f := d.filledIn(r, matched); f != none {
			stages = append(stages, stage{filledIn: f})
		}
	}
	f := constant(d.otherwise)
	for _, stage := range slices.Backward(stages) {
		if stage.marked == nil {
			f = anyOf(stage.filledIn, f)
			continue
		}
		var marked, others []tuple
		for t, isMarked := range stage.marked {
			if isMarked {
				marked = append(marked, t)
			} else {
				others = append(others, t)
			}
		}
		f = anyOf(in(marked), allOf(in(others).not(), f))
	}
	return f
}

// A tupleSet has tuples in the order in which they were added.
type tupleSet struct {
	has  map[tuple]bool
	list []tuple
}

// filledIn returns the stage of a rank whose rules name what is unknown. It notes what they match.
func (d *decisions) filledIn(r rank, matched map[tuple]*tupleSet) *formula {
	var list []named
	wanted := make(map[tuple][]tuple) // rows of marked rules, by the values that are filled in
	var order []tuple
	for m, names := range d.ofRank(r) {
		list = append(list, names)
		t, u := names.row, names.unknown
		if !d.marks(d.rules.nodes[m].grant) || matched[u] != nil && (matched[u].has[t] || matched[u].has[tuple{}]) {
			continue
		}
		if wanted[u] == nil {
			order = append(order, u)
		}
		wanted[u] = append(wanted[u], t)
	}
	// Values for which the same rows are excluded make one part.
	rows := make(map[string][]tuple)
	excluded := make(map[string]*formula)
	var keys []string
	for _, u := range order {
		// A rule that names some of these values, and not all, has a lower rank.
		var earlier []tuple
		if m := matched[u]; m != nil {
			earlier = slices.Clone(m.list)
		}
		sortTuples(earlier)
		key := string(appendTuples(nil, earlier))
		if _, seen := rows[key]; !seen {
			keys = append(keys, key)
			excluded[key] = in(earlier).not()
		}
		rows[key] = append(rows[key], wanted[u]...)
	}
	for _, names := range list {
		m := matched[names.unknown]
		if m == nil {
			m = &tupleSet{has: make(map[tuple]bool)}
			matched[names.unknown] = m
		}
		if !m.has[names.row] {
			m.has[names.row] = true
			m.list = append(m.list, names.row)
		}
	}
	var parts []*formula
	for _, key := range keys {
		parts = append(parts, allOf(in(rows[key]), excluded[key]))
	}
	return anyOf(parts...)
}

// A named is what a rule names of a row, and what of the unknown identifiers.
type named struct{ row, unknown tuple }

// ofRank yields the rules of a rank that may match.
func (d *decisions) ofRank(r rank) iter.Seq2[uint32, named] {
	s, cells := d.rules, d.named.cells[d.rules]
	return func(yield func(uint32, named) bool) {
		for _, m := range s.ofRank(r) {
			if !s.matches(m, d.q.Target, d.q.unknown|d.row) {
				continue
			}
			var names named
			for i := m; i != noNode; i = s.nodes[i].parent {
				n := &s.nodes[i]
				switch which := n.pattern.identifiers(); {
				case which&d.row != 0:
					names.row[n.pattern.kind()-KindIntegration] = cells[i]
				case which&d.q.unknown != 0:
					names.unknown[n.pattern.kind()-KindIntegration] = cells[i]
				}
			}
			if !yield(m, names) {
				return
			}
		}
	}
}

// ranks returns the ranks of the rules that may match.
func (d *decisions) ranks() ranks {
	return d.rules.ranks & applicable(d.q.level, d.q.known|d.q.unknown|d.row)
}

// namesUnknown reports whether a rule that may match names an unknown identifier.
func (d *decisions) namesUnknown() bool {
	for ranks := d.ranks(); ranks != 0; ranks = ranks.without(ranks.highest()) {
		if r := ranks.highest(); r.identifiers()&d.q.unknown != 0 {
			for range d.ofRank(r) {
				return true
			}
		}
	}
	return false
}

// values returns what the marked rules name of the unknown identifiers, each once.
func (d *decisions) values() (list []tuple) {
	seen := map[tuple]bool{{}: true}
	for ranks := d.ranks(); ranks != 0; ranks = ranks.without(ranks.highest()) {
		for m, names := range d.ofRank(ranks.highest()) {
			if u := names.unknown; !seen[u] && d.marks(d.rules.nodes[m].grant) {
				seen[u] = true
				list = append(list, u)
			}
		}
	}
	return list
}
