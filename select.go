package permissions

import (
	"maps"
	"slices"
	"strings"
)

// A Selection says on which of many things a policy allows an action, without asking about
// each: on which integrations, on which credentials of an integration, or on which
// configurations of a credential. It is what a handler needs to have a database leave out
// what is denied: see [Selection.SQL].
//
// It holds the policy's default for what no rule names, and for which IDs and external IDs
// it is otherwise, as conditions that must all hold: see [Selection.Conditions]. It is for
// things that know both of their identifiers, so nothing about them is open (SPEC 3.4).
//
// A Selection is a value that does not change. The zero Selection selects nothing. So does
// that of an invalid question, and that of a nil or zero policy.
type Selection struct {
	kind       Kind   // of what is selected; 0 selects nothing
	above      Target // what that is in, as it compares
	conditions []condition
}

// SelectIntegrations selects among all integrations. With [CredentialWrite] those are
// selected where a credential can be connected, as [Policy.Allowed] has it for a target
// that is an integration (SPEC 4.3).
//
// Its time, and that of the other selections, grows with the rules of the policy, so make
// it once for a query and not for each row. It does not call the hook of [Policy.Observe].
func (p *Policy) SelectIntegrations(action Permission) Selection {
	return p.selects(action, KindIntegration, &Target{})
}

// SelectCredentials selects among all credentials of an integration. With [ConfigWrite]
// those are selected under which a configuration can be created, as [Policy.Allowed] has it
// for a target that is a credential (SPEC 4.3).
func (p *Policy) SelectCredentials(action Permission, integration string) Selection {
	return p.selects(action, KindCredential, &Target{Integration: integration})
}

// SelectConfigurations selects among all configurations of a credential, which the target
// names. Give both of its identifiers: where one is open, the configurations are selected
// that are allowed whatever it is (SPEC 4.7), and then a claim can be written that makes the
// selection, and the time for it, grow with the square of its rules.
func (p *Policy) SelectConfigurations(action Permission, credential Target) Selection {
	return p.selects(action, KindConfiguration, &credential)
}

// selects selects among the things of a kind that are in a target.
func (p *Policy) selects(action Permission, kind Kind, above *Target) Selection {
	q, valid := above.question()
	if action == "" || !valid || q.depth != kind-1 {
		return Selection{}
	}
	q.depth = kind
	if q.creation() == vocabulary(nil).grant(action) {
		q.descend()
	}
	var all []condition
	for _, s := range p.rulesets() {
		switch s {
		case nil:
			return Selection{}
		case &unrestricted:
		default:
			all = append(all, s.conditions(q, kind, s.vocabulary().grant(action))...)
		}
	}
	return Selection{kind, canonicalTarget(*above), simplify(all)}
}

// canonicalTarget returns a target with its IDs as they compare.
func canonicalTarget(t Target) Target {
	t.CredentialID, t.ConfigurationID = canonicalID(t.CredentialID), canonicalID(t.ConfigurationID)
	return t
}

// Allows reports whether a target is selected. It agrees with [Policy.Allowed] for every
// target of the kind that is selected among and that stands in the same integration and
// credential, spelled as they were for the selection but for the case of a UUID. It is
// false for every other target.
//
// For a row of a database, give both identifiers, and [None] for one that it does not have.
// One that is left open is taken by SPEC 4.7, as everywhere.
func (s Selection) Allows(t Target) bool {
	q, valid := t.question()
	if s.kind == 0 || !valid || q.depth != s.kind {
		return false
	}
	t = canonicalTarget(t)
	var id, externalID string
	switch s.kind {
	case KindIntegration:
		id, externalID, t = t.Integration, None, Target{}
	case KindCredential:
		id, externalID = t.CredentialID, t.CredentialExternalID
		t.CredentialID, t.CredentialExternalID = "", ""
	case KindConfiguration:
		id, externalID = t.ConfigurationID, t.ConfigurationExternalID
		t.ConfigurationID, t.ConfigurationExternalID = "", ""
	}
	if t != s.above {
		return false
	}
	for _, c := range s.conditions {
		if !c[byID].has(id) && !c[byExternalID].has(externalID) {
			return false
		}
	}
	return true
}

// A Condition is one of the conditions of a [Selection]. It holds for what passes by its ID
// or by its external ID. An ID passes that is in IDs or, with NotIDs, that is not: then that
// there is none passes too. External IDs do likewise. So the zero Condition holds for
// nothing.
type Condition struct {
	IDs            []string // names, for integrations; a UUID in lower case
	NotIDs         bool
	ExternalIDs    []string
	NotExternalIDs bool
}

// Conditions returns the conditions that all hold for just what is selected. There are none
// if that is everything, and there is the zero [Condition] if it is nothing. The lists are
// sorted, and the caller's to keep.
//
// Nearly always there are one or two: one that denies IDs, and one with the default, which
// is NotExternalIDs, and the IDs and external IDs for which it is otherwise. Then every name
// in the lists matters. Rules that matter by both identifiers at once make more, up to one
// for each of them: for [ConfigWrite] on credentials, where the target leaves open which
// credential it is, and in intersections.
func (s Selection) Conditions() []Condition {
	if s.kind == 0 {
		return []Condition{{}}
	}
	var list []Condition
	for _, c := range s.conditions {
		list = append(list, Condition{
			slices.Clone(c[byID].list), c[byID].not, slices.Clone(c[byExternalID].list), c[byExternalID].not,
		})
	}
	return list
}

// SQL returns the selection as an SQL condition, to be put in a WHERE clause. It takes the
// expressions of a row's ID and external ID, and a function that returns the text of a test
// whether an expression is in a list. That function brings the list into the query in the
// way of the database at hand, as an argument: never in the text. It is called in the order
// in which the tests stand in the condition, and never with an empty list. For PostgreSQL:
//
//	args := []any{"slack"}
//	where := selection.SQL("id::text", "external_id", func(expr string, list []string) string {
//		args = append(args, list) // with lib/pq: pq.Array(list)
//		return fmt.Sprintf("%s = ANY($%d)", expr, len(args))
//	})
//	rows, err := db.Query("SELECT * FROM credentials WHERE integration = $1 AND "+where, args...)
//
// What is where then depends on the policy. A default of no, a default of yes, all and
// nothing look so:
//
//	((id::text = ANY($2)) OR (external_id = ANY($3)))
//	((id::text IS NULL OR NOT (id::text = ANY($2))) AND ((id::text = ANY($3)) OR (external_id IS NULL OR NOT (external_id = ANY($4)))))
//	(1 = 1)
//	(1 = 0)
//
// The condition does not restrict rows to the integration or the credential that the
// selection is for; the query must. NULL is an identifier that is not there. An empty string
// must not stand for that: NULLIF makes it NULL. For integrations the ID is the name,
// and there is no external ID.
//
// Rows are selected just as [Selection.Allows] says if the database compares as SPEC 2.5
// does: by bytes, not with a collation that ignores case, accents or trailing spaces, and
// a UUID in lower case. PostgreSQL writes the type uuid so: cast the column and not the
// list, which may hold IDs that are no UUIDs. Of a text column that holds UUIDs in capitals,
// and nothing but UUIDs, take lower(id). Identifiers that SPEC 2.4 forbids, no row may have:
// no rule can name them, so a default of yes takes them in where Allows does not.
func (s Selection) SQL(id, externalID string, in func(expr string, list []string) string) string {
	if s.kind == 0 {
		return sqlNone
	}
	test := func(expr string, n idSet) string {
		n.list = slices.Clone(n.list)
		switch {
		case n.not:
			return "(" + expr + " IS NULL OR NOT (" + in(expr, n.list) + "))"
		case len(n.list) > 0:
			return "(" + in(expr, n.list) + ")"
		}
		return ""
	}
	var all []string
	for _, c := range s.conditions {
		first, second := test(id, c[byID]), test(externalID, c[byExternalID])
		switch {
		case first == "" && second == "":
			return sqlNone
		case first == "" || second == "":
			all = append(all, first+second)
		default:
			all = append(all, "("+first+" OR "+second+")")
		}
	}
	switch len(all) {
	case 0:
		return sqlAll
	case 1:
		return all[0]
	}
	return "(" + strings.Join(all, " AND ") + ")"
}

// Not every database has a word for true.
const sqlAll, sqlNone = "(1 = 1)", "(1 = 0)"

// A condition holds for what is in one of two sets, or in both: by its ID, and by its
// external ID.
type condition [2]idSet

const (
	byID = iota
	byExternalID
	byNothing // where a rule names neither
)

// An idSet is a set of identifiers: those of a sorted list, or all others and none at all.
type idSet struct {
	list []string
	not  bool
}

// has reports whether the set holds an identifier, as it compares. It holds an open one if
// it holds all (SPEC 4.7).
func (n idSet) has(name string) bool {
	if name == "" {
		return n.isAll()
	}
	_, found := slices.BinarySearch(n.list, name)
	return found != n.not
}

func (n idSet) isAll() bool  { return n.not && len(n.list) == 0 }
func (n idSet) isNone() bool { return !n.not && len(n.list) == 0 }

// and returns the set of what is in both.
func (n idSet) and(m idSet) idSet {
	both := idSet{not: n.not && m.not}
	for a, b := n.list, m.list; len(a) > 0 || len(b) > 0; {
		order := -1
		switch {
		case len(a) == 0:
			order = 1
		case len(b) > 0:
			order = strings.Compare(a[0], b[0])
		}
		var name string
		if order <= 0 {
			name, a = a[0], a[1:]
		}
		if order >= 0 {
			name, b = b[0], b[1:]
		}
		if ((order <= 0) != n.not && (order >= 0) != m.not) != both.not {
			both.list = append(both.list, name)
		}
	}
	return both
}

// within returns a set that has the same members as n among those of m, and a list as
// short as can be.
func (n idSet) within(m idSet) idSet {
	if n.and(m).isNone() {
		return idSet{}
	}
	return idSet{idSet{list: n.list}.and(m).list, n.not}
}

// compare orders sets, in any order.
func (n idSet) compare(m idSet) int {
	if n.not != m.not {
		if n.not {
			return -1
		}
		return 1
	}
	return slices.Compare(n.list, m.list)
}

// conditions returns the conditions under which want is granted by q for something of a
// kind whose own identifiers are not in q. At most one other identifier is open in q.
//
// The rules that may apply, from the most specific rank down, are a list in which the first
// that matches decides. The answer is yes if each rule that denies comes too late, because
// something above it in the list matches, or does not match itself. That is a condition for
// each rank. By SPEC 4.7 this has to hold for every name of what is open, each of which makes
// a list of the rules with that name and those with none, and where it has none of these
// names. The last is the list of the rules without a name of it. So of the others it is
// enough to look at the rules with one.
func (s *ruleset) conditions(q question, kind Kind, want grant) []condition {
	row := identifiersOf(kind)
	var list []condition
	above := map[string]*matched{"": {}} // what has matched so far, by the name of what is open
	common := above[""]
	for left := s.ranks & ranksOf(q.depth, q.given|q.open|row); left != 0 && !common.all; left = left.butHighest() {
		r := left.highest()
		side := byNothing
		denied := map[string][]string{}
		for _, m := range s.order[s.start[r]:s.start[r+1]] {
			if !s.fits(m, q, q.open|row) {
				continue
			}
			side = byNothing
			var name, open string
			for number := m; number != noNode; number = s.nodes[number].parent {
				switch n := &s.nodes[number]; {
				case n.id >= identifiers:
				case row.has(n.id):
					side, name = byID, n.name
					if n.id.form() == formExternal {
						side = byExternalID
					}
				case q.open.has(n.id):
					open = n.name
				}
			}
			own := above[open]
			if own == nil {
				own = new(matched)
				above[open] = own
			}
			if common.has(side, name) || own.has(side, name) {
				continue
			}
			own.add(side, name)
			if s.nodes[m].grant&want == grantNone {
				denied[open] = append(denied[open], name)
			}
		}
		// Where a name of what is open has matched nothing of its own, the conditions are
		// the same but for what is denied, and make one.
		var shared []string
		for open, names := range denied {
			if own := above[open]; open == "" || own.isEmptyBut(side) {
				shared = append(shared, names...)
			} else {
				list = append(list, tooLate(side, names, common, own))
			}
		}
		if shared != nil {
			list = append(list, tooLate(side, shared, common, new(matched)))
		}
	}
	if !common.all {
		list = append(list, tooLate(byNothing, nil, common, new(matched))) // no rule applies
	}
	return list
}

// identifiersOf returns those of a level.
func identifiersOf(kind Kind) Identifiers {
	switch kind {
	case KindIntegration:
		return 1 << integrationName
	case KindCredential:
		return 1<<credentialID | 1<<credentialExternalID
	}
	return 1<<configurationID | 1<<configurationExternalID
}

// A matched is what rules have matched by the identifiers of a level.
type matched struct {
	names [2]map[string]bool
	all   bool // by a wildcard
}

func (m *matched) has(side int, name string) bool {
	return m.all || side != byNothing && m.names[side][name]
}

func (m *matched) add(side int, name string) {
	if side == byNothing {
		m.all = true
		return
	}
	if m.names[side] == nil {
		m.names[side] = make(map[string]bool)
	}
	m.names[side][name] = true
}

// isEmptyBut reports whether m has no names but on one side.
func (m *matched) isEmptyBut(side int) bool {
	return (side == byID || len(m.names[byID]) == 0) && (side == byExternalID || len(m.names[byExternalID]) == 0)
}

// tooLate returns the condition that a denial of some names does not match, or that one of
// what stands above it does.
func tooLate(side int, denied []string, common, own *matched) condition {
	var c condition
	for i := range c {
		if i == side {
			slices.Sort(denied)
			c[i] = idSet{slices.Compact(denied), true}
			continue
		}
		all := slices.AppendSeq(slices.Collect(maps.Keys(common.names[i])), maps.Keys(own.names[i]))
		slices.Sort(all)
		c[i] = idSet{list: slices.Compact(all)}
	}
	return c
}

// simplify returns conditions that all hold for just what the given ones do, fewer and with
// fewer names: those with one side in common are joined, and a condition that has only one
// side spares the others what it excludes.
func simplify(list []condition) []condition {
	for changed := true; changed; {
		changed = false
		list = slices.DeleteFunc(list, func(c condition) bool { return c[byID].isAll() || c[byExternalID].isAll() })
		for _, side := range []int{byExternalID, byID} {
			slices.SortFunc(list, func(c, d condition) int { return c[side].compare(d[side]) })
			joined := list[:0]
			for _, c := range list {
				if last := len(joined) - 1; last >= 0 && joined[last][side].compare(c[side]) == 0 {
					joined[last][1-side] = joined[last][1-side].and(c[1-side])
					changed = true
				} else {
					joined = append(joined, c)
				}
			}
			list = joined
		}
		for i, only := range list {
			for side := range only {
				if !only[1-side].isNone() {
					continue
				}
				for j := range list {
					if c := &list[j]; j != i {
						spared := c[side].within(only[side])
						changed = changed || spared.compare(c[side]) != 0
						c[side] = spared
					}
				}
			}
		}
	}
	return list
}
