package permissions

import (
	"iter"
	"slices"
)

// Filter yields the items on which the policy allows an action, in their order: those for which
// [Policy.Allowed] says yes of the target that the function target returns. It leaves out an item
// whose target is invalid. A nil or zero policy lets nothing through. For what a list may show, ask
// [Policy.Visible] in the same way.
//
// It asks while it is ranged over, one question for each item. To have a database leave out what is
// denied, see [Policy.SelectCredentials].
func Filter[T any](p *Policy, action Permission, items iter.Seq[T], target func(T) Target) iter.Seq[T] {
	return func(yield func(T) bool) {
		if items == nil {
			return
		}
		for item := range items {
			if p.Allowed(action, target(item)) && !yield(item) {
				return
			}
		}
	}
}

// A Selection says which of many things a list may have, without asking about each: which
// integrations, credentials or configurations. A handler uses it to have a database leave out the
// others, see [Selection.Where]. These methods of [Policy] make a Selection:
//
//	what is listed     where an action is allowed      what is visible (SPEC 5.1)
//	integrations       [Policy.SelectIntegrations]     [Policy.VisibleIntegrations]
//	credentials        [Policy.SelectCredentials]      [Policy.VisibleCredentials]
//	configurations     [Policy.SelectConfigurations]   [Policy.VisibleConfigurations]
//
// It is for things whose own identifiers are each known or absent (SPEC 3.2).
//
// A Selection is a value that does not change. The zero Selection selects nothing. So does the
// selection of an invalid question, and that of a nil or zero policy. Making one takes time that is
// near linear in the rules of the policy, so make one for a query and not for each row.
type Selection struct {
	kind      Kind   // of what is selected; 0 selects nothing
	within    Target // what that is in
	named     *namedTexts
	condition *formula // which rows are selected
	err       error    // why nothing is selected, if Where must say that
}

// SelectIntegrations selects among all integrations those for which [Policy.Allowed] allows the
// action on the integration. An action that acts on something in the integration (SPEC 3.3) must be
// allowed whatever that is (SPEC 4.3, 4.7). So for proxy-api, a rule in integration:NAME that denies
// one credential leaves that integration out. A rule that denies one credential of any integration
// leaves out every integration in which no more specific rule grants the action on that credential.
// To list the integrations in which something is allowed, take [Policy.VisibleIntegrations].
func (p *Policy) SelectIntegrations(action Permission) Selection {
	return p.selects(action, KindIntegration, User())
}

// SelectCredentials selects among all credentials in a target those for which [Policy.Allowed] allows
// the action on the credential. Within an [Integration] these are its credentials. Within the [User]
// they are those of all integrations.
func (p *Policy) SelectCredentials(action Permission, within Target) Selection {
	return p.selects(action, KindCredential, within)
}

// SelectConfigurations selects among all configurations in a target those for which [Policy.Allowed]
// allows the action on the configuration. Within a credential these are its configurations, within an
// [Integration] those of all its credentials, and within the [User] those of all integrations.
//
// Give both identifiers of a credential. If one is unknown, the selection has the configurations that
// are allowed for every value of it (SPEC 4.7).
func (p *Policy) SelectConfigurations(action Permission, within Target) Selection {
	return p.selects(action, KindConfiguration, within)
}

// VisibleIntegrations selects among all integrations those that are [Policy.Visible].
//
// For an intersection, making this selection, or another one of what is visible, can take time and
// space that grow with the product of the numbers of rules. If it would be too much, nothing is
// selected, and [Selection.Where] returns an error.
func (p *Policy) VisibleIntegrations() Selection { return p.shows(KindIntegration, User()) }

// VisibleCredentials selects among all credentials in a target, as [Policy.SelectCredentials] does,
// those that are [Policy.Visible].
func (p *Policy) VisibleCredentials(within Target) Selection { return p.shows(KindCredential, within) }

// VisibleConfigurations selects among all configurations in a target, as
// [Policy.SelectConfigurations] does, those that are [Policy.Visible]. What is unknown of a credential
// counts as absent.
func (p *Policy) VisibleConfigurations(within Target) Selection {
	return p.shows(KindConfiguration, within)
}

// selects selects among the things of a kind that are in a target those where an action is allowed.
func (p *Policy) selects(action Permission, kind Kind, within Target) Selection {
	if p != nil && p.hooks != nil {
		defer p.observe(AskedSelection, action, &within, Observation{})
	}
	n, known := p.vocabulary().number(action)
	if !known {
		return Selection{err: p.questionError(action, User())}
	}
	c, err := p.compiler(kind, within)
	if err != nil {
		return Selection{err: err}
	}
	return c.selection(c.allowed(action, n))
}

// shows selects among the things of a kind that are in a target those that are visible.
func (p *Policy) shows(kind Kind, within Target) Selection {
	if p != nil && p.hooks != nil {
		defer p.observe(AskedSelection, "", &within, Observation{})
	}
	c, err := p.compiler(kind, within)
	if err != nil {
		return Selection{err: err}
	}
	f, err := c.visible()
	if err != nil {
		return Selection{err: err}
	}
	return c.selection(f)
}

// Has reports whether t is selected. It returns false unless all of this is true: t is of the
// selected kind, what t is in equals the target that the selection is within, and every identifier
// of t below that target is known or absent. For such a t, Has agrees with [Policy.Allowed], or
// with [Policy.Visible] for a selection of what is visible. The exception is a selection that would
// take too long to make (see [Policy.VisibleIntegrations]): it selects nothing.
//
// The time that Has takes hardly grows with the policy. That of Visible does.
func (s Selection) Has(t Target) bool {
	if s.kind == 0 || t.level != s.kind || t.questionError() != nil {
		return false
	}
	own := identifiersTo(s.kind) &^ identifiersTo(s.within.level)
	if (t.known | t.absent).Has(own) && t.container(s.within.level) == s.within {
		return s.condition.holds(s.named.rowOf(&t, own))
	}
	return false
}

// container returns the target of the given level that t is in.
func (t *Target) container(level Kind) Target {
	of := identifiersTo(level)
	a := Target{level: level, known: t.known & of, absent: t.absent & of}
	if level >= KindIntegration {
		a.integration = t.integration
	}
	if level >= KindCredential {
		a.credential = t.credential
	}
	return a
}

// A namedTexts has the texts of the identifiers that rules name. The number of a text is its index
// in the list of its pattern.
type namedTexts struct {
	texts [patterns][]string  // for each pattern, sorted
	cells map[*ruleset][]cell // what each node names
}

// A cell stands for an identifier that rules name, at a level that is known from its place. Bit 0
// says whether it is an external ID. The other bits are its number in namedTexts plus one. 0 means
// none.
type cell uint32

func newCell(number int, p pattern) cell {
	c := cell(number+1) << 1
	if p.isExternal() {
		c |= 1
	}
	return c
}

// A tuple has a cell for each level below the user: integration, credential and configuration.
type tuple [3]cell

// pattern returns the pattern of t[level]. That cell must not be 0.
func (t *tuple) pattern(level int) pattern {
	switch {
	case level == 0:
		return integrationByName
	case t[level]&1 != 0:
		return wildcard(KindIntegration+Kind(level)) + 1
	}
	return wildcard(KindIntegration+Kind(level)) + 2
}

// shape returns which identifiers a tuple has.
func (t *tuple) shape() (shape Identifiers) {
	for level := range t {
		if t[level] != 0 {
			shape |= t.pattern(level).identifiers()
		}
	}
	return shape
}

// newNamedTexts returns the texts of those of the wanted identifiers that the rules name.
func newNamedTexts(rules []*ruleset, wanted Identifiers) *namedTexts {
	type entry struct {
		key  nodeName
		text string
	}
	named := &namedTexts{cells: make(map[*ruleset][]cell)}
	entries := make([][]entry, len(rules))
	for i, s := range rules {
		seen := make(map[nodeName]bool)
		for number := range uint32(s.size()) {
			n := &s.nodes[number]
			key := nodeName{n.pattern, n.id, n.name}
			if n.pattern.identifiers()&wanted == 0 || seen[key] {
				continue
			}
			seen[key] = true
			e := entry{key, s.scope(number).name}
			work(len(e.text))
			entries[i] = append(entries[i], e)
			named.texts[n.pattern] = append(named.texts[n.pattern], e.text)
		}
	}
	for p, list := range named.texts {
		slices.Sort(list)
		named.texts[p] = slices.Compact(list)
	}
	for i, s := range rules {
		cells := make(map[nodeName]cell)
		for _, e := range entries[i] {
			number, _ := slices.BinarySearch(named.texts[e.key.pattern], e.text)
			cells[e.key] = newCell(number, e.key.pattern)
		}
		own := make([]cell, s.size())
		for number := range own {
			n := &s.nodes[number]
			own[number] = cells[nodeName{n.pattern, n.id, n.name}]
		}
		named.cells[s] = own
	}
	return named
}

// A nodeName is what a node names.
type nodeName struct {
	pattern pattern
	id      uuid
	name    uint32
}

// text returns the text of the cell at a level of a tuple.
func (n *namedTexts) text(t *tuple, level int) string {
	return n.texts[t.pattern(level)][t[level]>>1-1]
}

// A row has the two cells of each level, that of the ID or the name and that of the external ID.
type row [3][2]cell

// has reports whether a row has all cells of a tuple.
func (r *row) has(t *tuple) bool {
	for level, c := range t {
		if c != 0 && r[level][c&1] != c {
			return false
		}
	}
	return true
}

// rowOf returns the row of t, with cells for those of the identifiers in own that are known. An
// identifier that no rule names has no cell.
func (n *namedTexts) rowOf(t *Target, own Identifiers) (r row) {
	for p := anyIntegration; p < patterns; p++ {
		which := p.identifiers()
		if which&own == 0 {
			continue
		}
		if s, state := t.Lookup(which); state == Known {
			if number, named := slices.BinarySearch(n.texts[p], s); named {
				c := newCell(number, p)
				r[p.kind()-KindIntegration][c&1] = c
			}
		}
	}
	return r
}
