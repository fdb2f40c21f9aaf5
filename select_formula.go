package permissions

import (
	"encoding/binary"
	"slices"
)

// A formula says whether a row is selected. Formulas do not change, and share parts.
//
// A formula is built by anyOf, allOf and literal, which keep it small: they leave out constants, and
// join the literals of one shape.
type formula struct {
	op formulaOp

	// Of a literal. With opIn, a row has all cells of one of the tuples. With opNotIn, there is no such
	// tuple. The tuples have the same shape, which is not empty, and are sorted. There is at least one.
	shape  Identifiers
	tuples []tuple

	of []*formula // of an opAny or opAll: two or more
}

type formulaOp uint8

const (
	opNone formulaOp = iota
	opEvery
	opIn    // a literal
	opNotIn // a literal
	opAny
	opAll
)

// They are not modified.
var none, every = &formula{op: opNone}, &formula{op: opEvery}

func constant(b bool) *formula {
	if b {
		return every
	}
	return none
}

func (f *formula) isLiteral() bool { return f.op == opIn || f.op == opNotIn }

// literal returns the formula that a row has one of the tuples, or that it has none of them. The tuples
// are sorted, and have the same shape.
func literal(op formulaOp, shape Identifiers, tuples []tuple) *formula {
	switch {
	case len(tuples) == 0:
		return constant(op == opNotIn)
	case shape == 0: // a tuple without cells, which every row has
		return constant(op == opIn)
	}
	return &formula{op: op, shape: shape, tuples: tuples}
}

// in returns the formula that a row has one of the tuples, which can have any shapes.
func in(tuples []tuple) *formula {
	byShape := make(map[Identifiers][]tuple)
	for _, t := range tuples {
		byShape[t.shape()] = append(byShape[t.shape()], t)
	}
	var list []*formula
	for shape := range allIdentifiers + 1 {
		own := byShape[shape]
		sortTuples(own)
		list = append(list, literal(opIn, shape, slices.Compact(own)))
	}
	return anyOf(list...)
}

func sortTuples(list []tuple) {
	work(len(list))
	slices.SortFunc(list, compareTuples)
}

func compareTuples(t, u tuple) int { return slices.Compare(t[:], u[:]) }

// not returns the negation.
func (f *formula) not() *formula {
	switch f.op {
	case opNone:
		return every
	case opEvery:
		return none
	case opIn:
		return literal(opNotIn, f.shape, f.tuples)
	case opNotIn:
		return literal(opIn, f.shape, f.tuples)
	}
	list := make([]*formula, len(f.of))
	for i, g := range f.of {
		list[i] = g.not()
	}
	if f.op == opAny {
		return allOf(list...)
	}
	return anyOf(list...)
}

func anyOf(list ...*formula) *formula { return join(opAny, list) }
func allOf(list ...*formula) *formula { return join(opAll, list) }

// join returns the disjunction of the formulas for opAny, and their conjunction for opAll.
func join(op formulaOp, list []*formula) *formula {
	identity, absorbing := none, every
	if op == opAll {
		identity, absorbing = every, none
	}
	var literals [allIdentifiers + 1][]*formula
	var others []*formula
	absorbed := false
	var add func(list []*formula)
	add = func(list []*formula) {
		for _, f := range list {
			switch {
			case f.op == identity.op:
			case f.op == absorbing.op:
				absorbed = true
			case f.op == op:
				add(f.of)
			case f.isLiteral():
				literals[f.shape] = append(literals[f.shape], f)
			default:
				others = append(others, f)
			}
		}
	}
	add(list)
	var all []*formula
	for _, same := range literals {
		if len(same) == 0 {
			continue
		}
		switch f := joinLiterals(op, same); f.op {
		case identity.op:
		case absorbing.op:
			absorbed = true
		default:
			all = append(all, f)
		}
	}
	if absorbed {
		return absorbing
	}
	all = append(all, distinct(others)...)
	switch len(all) {
	case 0:
		return identity
	case 1:
		return all[0]
	}
	return &formula{op: op, of: all}
}

// distinct returns the formulas, each once.
func distinct(list []*formula) []*formula {
	if len(list) < 2 {
		return list
	}
	seen := make(map[string]bool)
	return slices.DeleteFunc(list, func(f *formula) bool {
		key := string(f.appendKey(nil))
		again := seen[key]
		seen[key] = true
		return again
	})
}

// joinLiterals is join for literals of one shape. It returns a literal or a constant.
func joinLiterals(op formulaOp, list []*formula) *formula {
	if len(list) == 1 {
		return list[0]
	}
	listed := opIn // the literals whose tuples are united; the tuples of the others are intersected
	if op == opAll {
		listed = opNotIn
	}
	var tuples []tuple
	var others [][]tuple
	for _, f := range list {
		if f.op == listed {
			tuples = append(tuples, f.tuples...)
		} else {
			others = append(others, f.tuples)
		}
	}
	sortTuples(tuples)
	tuples = slices.Compact(tuples)
	if others == nil {
		return literal(listed, list[0].shape, tuples)
	}
	common := slices.MinFunc(others, func(a, b []tuple) int { return len(a) - len(b) })
	for _, other := range others {
		common = keep(common, other, true)
	}
	return literal(opIn+opNotIn-listed, list[0].shape, keep(common, tuples, false))
}

// keep returns the tuples of list that are in other if present is true, and otherwise those that are
// not. Both lists are sorted. It makes a binary search in other for each tuple of list.
func keep(list, other []tuple, present bool) (kept []tuple) {
	work(len(list))
	for _, t := range list {
		if _, found := slices.BinarySearchFunc(other, t, compareTuples); found == present {
			kept = append(kept, t)
		}
	}
	return kept
}

// A premise is a literal that holds wherever a part of a formula matters.
type premise struct {
	*formula
	more *premise
}

// simplify simplifies f for rows that satisfy the premises: for each such row the result holds if,
// and only if, f holds. For other rows it may differ. The result is no larger than f.
//
// In a conjunction, each literal becomes a premise of the literals after it and of all other parts.
// In a disjunction, its negation does: where the literal holds, the other parts do not matter.
func (f *formula) simplify(given *premise) *formula {
	if f.isLiteral() {
		for p := given; p != nil && f.isLiteral(); p = p.more {
			if p.shape == f.shape {
				f = f.simplifyLiteral(p.formula)
			}
		}
		return f
	}
	if f.op != opAny && f.op != opAll {
		return f
	}
	var list []*formula
	for _, g := range f.of {
		if !g.isLiteral() {
			continue
		}
		if g = g.simplify(given); g.isLiteral() {
			held := g
			if f.op == opAny {
				held = g.not()
			}
			given = &premise{held, given}
		}
		list = append(list, g)
	}
	for _, g := range f.of {
		if !g.isLiteral() {
			list = append(list, g.simplify(given))
		}
	}
	return join(f.op, list)
}

// simplifyLiteral is simplify for a literal and a premise of the same shape.
func (f *formula) simplifyLiteral(given *formula) *formula {
	if given.op == opNotIn {
		return literal(f.op, f.shape, keep(f.tuples, given.tuples, false))
	}
	common := keep(f.tuples, given.tuples, true)
	if len(common) == len(given.tuples) {
		return constant(f.op == opIn)
	}
	return literal(f.op, f.shape, common)
}

// without simplifies f for rows in which the given identifiers are absent.
func (f *formula) without(absent Identifiers) *formula {
	switch {
	case f.isLiteral() && f.shape&absent != 0:
		return constant(f.op == opNotIn)
	case f.op != opAny && f.op != opAll:
		return f
	}
	list := make([]*formula, len(f.of))
	for i, g := range f.of {
		list[i] = g.without(absent)
	}
	return join(f.op, list)
}

// holds reports whether a row is selected.
func (f *formula) holds(r row) bool {
	switch f.op {
	case opIn, opNotIn:
		return f.has(r) == (f.op == opIn)
	case opAny:
		return slices.ContainsFunc(f.of, func(g *formula) bool { return g.holds(r) })
	case opAll:
		return !slices.ContainsFunc(f.of, func(g *formula) bool { return !g.holds(r) })
	}
	return f.op == opEvery
}

// has reports whether a row has one of the tuples of a literal.
func (f *formula) has(r row) bool {
	var own tuple
	for level := range own {
		if c := f.tuples[0][level]; c != 0 {
			if own[level] = r[level][c&1]; own[level] == 0 {
				return false
			}
		}
	}
	_, found := slices.BinarySearchFunc(f.tuples, own, compareTuples)
	return found
}

// appendKey appends bytes that are the same for equal formulas, and different for others.
func (f *formula) appendKey(b []byte) []byte {
	b = append(b, byte(f.op), byte(f.shape))
	b = binary.AppendUvarint(b, uint64(len(f.tuples)+len(f.of)))
	b = appendTuples(b, f.tuples)
	for _, g := range f.of {
		b = g.appendKey(b)
	}
	return b
}

func appendTuples(b []byte, list []tuple) []byte {
	work(len(list))
	for _, t := range list {
		for _, c := range t {
			b = binary.LittleEndian.AppendUint32(b, uint32(c))
		}
	}
	return b
}
