package permissions

import (
	"iter"
	"slices"
)

// A compiler turns the rules of a policy into a formula about rows: the things of a kind that are
// in a target.
type compiler struct {
	rules          []*ruleset
	extras         vocabulary
	kind           Kind
	within         Target
	rowIdentifiers Identifiers // those that a row has
	named          *namedTexts
}

// compiler returns the compiler for the things of a kind that are in a target. For a nil or zero policy, and for an
// intersection that has one as a part, it has no rules, and makes selections of nothing.
func (p *Policy) compiler(kind Kind, within Target) (*compiler, error) {
	if e := within.questionError(); e != nil {
		return nil, e
	}
	if within.level >= kind {
		remedy := "list the credentials of the user or of an integration"
		if kind == KindConfiguration {
			remedy = "list the configurations of the user, of an integration or of a credential"
		}
		return nil, &QuestionError{
			Field: "target", Remedy: remedy,
			Problem: "is a " + within.level.String() + ", and no " + kind.String() + " is inside that",
		}
	}
	rules := p.rulesets()
	if slices.Contains(rules, nil) {
		rules = nil
	}
	c := &compiler{
		rules: rules, extras: p.vocabulary(), kind: kind, within: within.clone(),
		rowIdentifiers: identifiersTo(kind) &^ identifiersTo(within.level),
	}
	c.named = newNamedTexts(rules, allIdentifiers&^identifiersTo(within.level)|within.unknown())
	return c, nil
}

// selection returns the selection of the rows for which a formula holds.
func (c *compiler) selection(f *formula) Selection {
	return Selection{kind: c.kind, within: c.within, named: c.named, condition: f.simplify(nil)}
}

// target returns a target that stands for all rows: the identifiers of a row are absent in it.
func (c *compiler) target() Target {
	t := c.within
	t.level, t.absent = c.kind, t.absent|c.rowIdentifiers
	return t
}

// allowed returns the formula for the rows on which the action with number n is allowed.
//
// An action is denied if a rule that denies it decides, for the row as it is or with some of the
// unknown identifiers filled in (SPEC 4.7), or if no rule decides.
func (c *compiler) allowed(action Permission, n int) *formula {
	if len(c.rules) == 0 {
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
	case len(c.rules) == 0:
		return none, nil
	case len(c.rules) > 1:
		return c.visibleInAll()
	case c.rules[0].unrestricted:
		return every, nil
	}
	var list []*formula
	for level := c.kind; level <= KindConfiguration; level++ {
		at := actingOn(level)
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

// maxFillings bounds the combinations of values that are tried for one permission at one level.
const maxFillings = 4096

// visibleInAll returns the formula for the rows that are visible in an intersection: all parts
// allow the same permission, on the row or on the same thing below it.
//
// If at most one part names what is below the row, each part gets its own formula. Otherwise the
// parts must agree on the thing. Then it is enough to try the combinations of what single rules of
// each part name.
func (c *compiler) visibleInAll() (*formula, error) {
	var list []*formula
	for level := c.kind; level <= KindConfiguration; level++ {
		for _, permission := range c.extras.all {
			global, _ := c.extras.number(permission)
			if actingOn(level)>>global&1 == 0 {
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

// visibleFor returns the formula for the rows on which, or on something of the given level inside,
// all parts allow the permission.
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

// A filling gives values to unknown identifiers. It has the form of a row.
type filling row

// has reports whether a filling has all cells of u.
func (v *filling) has(u *tuple) bool { return (*row)(v).has(u) }

// combine returns the fillings, and each of them joined with each value that does not contradict
// it. If there are more than maxFillings, it stops and returns that many and one more.
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

// decisions is what the rules of one claim decide about a question that stands for all rows.
type decisions struct {
	*compiler
	rules    *ruleset
	q        question
	interned Target // what q points to

	// marks chooses the rules that the formula is about, by their grant: those that deny an action
	// (in allowed), or those that grant something (in visible and visibleFor). Such a rule is called
	// marked.
	marks func(grant) bool

	otherwise bool     // whether the formula also holds for rows to which no rule applies
	filled    *filling // the values of the unknown identifiers; nil to try those that rules name
}

func (c *compiler) decisions(s *ruleset, q question) *decisions {
	d := &decisions{compiler: c, rules: s}
	d.q = s.intern(q, &d.interned)
	return d
}

// A stage holds the rules of one rank, or of consecutive ranks whose rules have the same shape.
// Either marked or filledIn is set.
type stage struct {
	// For rules that name no unknown identifier, or only values of decisions.filled: whether a rule is
	// marked, by the tuple that it names of a row. All these tuples have this shape.
	shape  Identifiers
	marked map[tuple]bool

	// For rules that name unknown identifiers: the rows for which a marked one decides when these
	// identifiers are filled in, unless a rule of an earlier stage that names none of them decides.
	filledIn *formula
}

// formula returns the formula for the rows that a marked rule decides. If d.filled is set, the unknown
// identifiers have its values. Otherwise one combination of values for which a marked rule decides is
// enough. If d.otherwise is set, the formula also holds for rows to which no rule applies.
//
// Without d.filled, it is enough to try the values that single rules name (SPEC 4.7). With the values of one rule
// filled in, this rule decides a row unless the row matches a more specific rule that names the same
// values or no unknown identifier. A rule that names only some of these values is less specific. The
// reason is that two values are named only if the rows are integrations. Then all of a credential is
// unknown, so a rule that names one of the two has a wildcard, or no level, in place of the other.
//
// The rules that name no unknown identifier form a list, the most specific rank first. With d.filled,
// all rules that agree with it are in the list. The first rule that a row matches decides. A rank of rules
// that name unknown identifiers has a formula of its own (decidedByRank), which has its place in the
// list. If that formula holds for a row, the whole formula does. Any other row goes on down the list.
// The length of the whole formula is linear in the number of rules.
func (d *decisions) formula() *formula {
	s, free := d.rules, d.q.unknown
	var stages []stage
	matched := make(map[tuple]*tupleSet) // by the values that are filled in
	decided := false
	for ranks := d.ranks(); ranks != 0 && !decided; ranks = ranks.without(ranks.highest()) {
		r := ranks.highest()
		if r.identifiers()&free == 0 || d.filled != nil {
			shape := r.identifiers() & d.rowIdentifiers
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
		} else if f := d.decidedByRank(r, matched); f != none {
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

// decidedByRank returns the formula for the rows that a marked rule of rank r decides when the
// unknown identifiers that it names are filled in. It excludes rows that a rule of a higher rank
// matches with the same values. It adds what the rules of this rank match to matched.
func (d *decisions) decidedByRank(r rank, matched map[tuple]*tupleSet) *formula {
	var list []ruleTuples
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

// A ruleTuples is what a rule names: of a row, and of the unknown identifiers.
type ruleTuples struct{ row, unknown tuple }

// ofRank yields the rules of a rank that may match a row, and what they name.
func (d *decisions) ofRank(r rank) iter.Seq2[uint32, ruleTuples] {
	s, cells := d.rules, d.named.cells[d.rules]
	return func(yield func(uint32, ruleTuples) bool) {
		for _, m := range s.ofRank(r) {
			if !s.matches(m, d.q.Target, d.q.unknown|d.rowIdentifiers) {
				continue
			}
			var names ruleTuples
			for i := m; i != noNode; i = s.nodes[i].parent {
				n := &s.nodes[i]
				switch which := n.pattern.identifiers(); {
				case which&d.rowIdentifiers != 0:
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
	return d.rules.ranks & applicable(d.q.level, d.q.known|d.q.unknown|d.rowIdentifiers)
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
