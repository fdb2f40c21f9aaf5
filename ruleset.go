package permissions

import (
	"hash/maphash"
	"math/bits"
)

// A ruleset is the rules of one claim, indexed.
type ruleset struct {
	policy    Policy // the Policy of this ruleset, allocated with it
	text      string // of the claim
	respelled []respelling
	declared  *vocabulary // nil if there is none
	nodes     []node      // the scopes of the claim, in the order of the text

	// slots is a hash table of the nodes: rules under the key of their path, and
	// holders of maps under that of their spelling. A slot is 0, or a node's number plus
	// one, marked with eight bits of the key.
	slots []uint32

	crowded bool // whether keys are made of whole names, because samples were too much alike

	// order is the numbers of the rules, sorted by rank and in the order of the text
	// within a rank; those of rank r are order[start[r]:start[r+1]].
	order []uint32
	start [maxRank + 2]uint32

	ranks    ranks              // those of the rules
	granting ranks              // those of the rules that grant something
	holds    [maxRank + 1]grant // for each rank, what all its rules grant
}

// A respelling is of a key with escapes in it, or a UUID with capitals.
type respelling struct {
	name string // as it compares
	key  uint32 // where the key begins in text, behind the quote
}

// A node is a scope of a claim: a rule, or the holder of a nested map.
type node struct {
	grant  grant
	at     uint32     // where its name begins in text
	size   uint32     // of its name, or the name's number in respelled, marked as such
	parent uint32     // the scope that holds it, or noNode
	id     identifier // what it names, or its wildcard
	rank   rank       // or holderRank, if it is no rule
}

const (
	noNode    = 1<<32 - 1
	respelled = 1 << 31 // marks the number of a name in respelled

	maxNodes = 1<<24 - 1 // a node's number plus one has 24 bits
)

const holderRank rank = maxRank + 1

var _ [maxNodes - maxClaim/minScope - 1]struct{} // the longest claim fits

// A rank is how specific a rule is: the forms of its path's levels, from the deepest
// down, two bits each and one for the integration. A level that is not there is 0,
// and the integration's wildcard too. So the numbers stand in the order of SPEC 4.5:
// a deeper rule is greater, and then from the deepest level up an ID is greater than
// an external ID than a wildcard.
type rank uint8

const (
	shiftCredential    = 1
	shiftConfiguration = 3
	maxRank            = 31
)

const rankIntegration rank = 1 // the integration is named

// with returns the rank of a scope that stands below one of rank r.
func (r rank) with(id identifier) rank {
	switch id.kind() {
	case KindCredential:
		return r | rank(id.form())<<shiftCredential
	case KindConfiguration:
		if r.credential() == 0 {
			r |= rank(formAny) << shiftCredential // a level that is skipped (SPEC 2.7)
		}
		return r | rank(id.form())<<shiftConfiguration
	}
	if id == integrationName {
		return r | rankIntegration
	}
	return r
}

func (r rank) credential() form    { return form(r >> shiftCredential & 3) }
func (r rank) configuration() form { return form(r >> shiftConfiguration) }

// names returns what the path of a rule names.
func (r rank) names() Identifiers { return namesOfRank[r&maxRank] }

// namesOfRank is never written.
var namesOfRank = func() (table [maxRank + 1]Identifiers) {
	names := [...]Identifiers{formExternal: 1, formID: 2} // at a level
	for r := range rank(maxRank + 1) {
		table[r] = Identifiers(r&rankIntegration)<<integrationName |
			names[r.credential()]<<credentialExternalID | names[r.configuration()]<<configurationExternalID
	}
	return table
}()

// kind returns the kind of the rule itself.
func (r rank) kind() Kind {
	switch {
	case r.configuration() != 0:
		return KindConfiguration
	case r.credential() != 0:
		return KindCredential
	}
	return KindIntegration
}

// A set of ranks has a bit for each.
type ranks uint32

// ranksAllAny are those without a name: at most one rule each.
const ranksAllAny ranks = 1<<0 | 1<<(rank(formAny)<<shiftCredential) |
	1<<(rank(formAny)<<shiftConfiguration|rank(formAny)<<shiftCredential)

// ranksByKnown are the ranks of the rules that can apply to a target, by how deep it is and
// which of its identifiers are known (SPEC 4.1): those that are no deeper and name nothing
// else. They are never written.
var ranksByKnown = func() (table [KindConfiguration + 1][1 << identifiers]ranks) {
	for depth := range table {
		for known := range table[depth] {
			for r := range rank(maxRank + 1) {
				if (r == 0 || r.kind() <= Kind(depth)) && r.names()&^Identifiers(known) == 0 { // integration:* applies to the user (SPEC 4.2)
					table[depth][known] |= 1 << r
				}
			}
		}
	}
	return table
}()

// ranksOf returns the ranks of the rules that can apply to a target of a depth of which
// these identifiers are known.
func ranksOf(depth Kind, known Identifiers) ranks {
	return ranksByKnown[depth&3][known&(1<<identifiers-1)]
}

func (s ranks) has(r rank) bool { return s>>r&1 != 0 }

// highest returns the most specific rank of a set that is not empty.
func (s ranks) highest() rank { return rank(bits.Len32(uint32(s)) - 1) }

// butHighest returns the set without its most specific rank.
func (s ranks) butHighest() ranks { return s &^ (1 << s.highest()) }

// newRuleset returns a ruleset with room for that many scopes.
func newRuleset(text string, room int, crowded bool) *ruleset {
	s := &ruleset{text: text, nodes: make([]node, 0, room), crowded: crowded}
	index := make([]uint32, 3*room)
	s.slots, s.order = index[:2*room:2*room], index[2*room:2*room]
	s.policy.rules = s
	return s
}

func (s *ruleset) vocabulary() vocabulary {
	if s.declared == nil {
		return nil
	}
	return *s.declared
}

// slot returns where the search for a key begins, and what its slots are marked with.
// The table is at most half full.
func (s *ruleset) slot(key uint64) (i int, mark uint32) {
	hi, _ := bits.Mul64(key, uint64(len(s.slots)))
	return int(hi), uint32(key>>32) << 24
}

// behind returns the slot behind another.
func (s *ruleset) behind(slot int) int {
	if slot++; slot < len(s.slots) {
		return slot
	}
	return 0
}

// find returns the rule of rank r that names what t does, or noNode; and its key, and the
// slot that it has or would have.
func (s *ruleset) find(r rank, t *Target) (number uint32, key uint64, slot int) {
	key = s.key(r, t)
	slot, mark := s.slot(key)
	for ; s.slots[slot] != 0; slot = s.behind(slot) {
		if v := s.slots[slot]; v&^maxNodes == mark {
			number = v&maxNodes - 1
			if n := &s.nodes[number]; n.rank == r && s.covers(n, t) {
				return number, key, slot
			}
		}
	}
	return noNode, key, slot
}

// covers reports whether t is named by the whole path of a rule.
func (s *ruleset) covers(n *node, t *Target) bool {
	for {
		if n.id < identifiers && !s.isSpelled(n, t.name(n.id)) && !s.isNamed(n, t) {
			return false
		}
		if n.parent == noNode {
			return true
		}
		n = &s.nodes[n.parent]
	}
}

// isNamed reports whether t has the name of n (SPEC 2.5).
func (s *ruleset) isNamed(n *node, t *Target) bool { return t.is(n.id, s.name(n)) }

// isSpelled reports the same, of a name that stands in the text just so.
func (s *ruleset) isSpelled(n *node, name string) bool {
	return len(name) == int(n.size) && s.text[n.at:][:len(name)] == name
}

// name returns the name of n as it compares; "" for a wildcard.
func (s *ruleset) name(n *node) string {
	if n.size&respelled != 0 {
		return s.respelled[n.size&^respelled].name
	}
	return s.text[n.at : n.at+n.size]
}

// spelling returns the name of a node as the claim spells it.
func (s *ruleset) spelling(number uint32) string {
	n := &s.nodes[number]
	if n.size&respelled == 0 || n.id >= identifiers {
		return s.name(n)
	}
	return s.keyText(n)[len(scopePrefix[n.id]):]
}

// keyText returns the key of n as the claim spells it.
func (s *ruleset) keyText(n *node) string {
	key := n.at - uint32(len(scopePrefix[n.id]))
	if n.size&respelled != 0 {
		key = s.respelled[n.size&^respelled].key
	}
	at := scanner{text: s.text, i: int(key) - 1}
	text, _ := at.str()
	return text
}

// pointer returns the JSON Pointer to a node, "" for noNode.
func (s *ruleset) pointer(number uint32) string {
	if number == noNode {
		return ""
	}
	n := &s.nodes[number]
	return s.pointer(n.parent) + "/" + escapePointer(s.keyText(n))
}

// add adds a node under a key, in the slot that find or findHolder gave.
func (s *ruleset) add(n node, key uint64, slot int) {
	s.nodes = append(s.nodes, n)
	_, mark := s.slot(key)
	s.slots[slot] = mark | uint32(len(s.nodes))
}

// crowds reports whether too many have the key of a rule that is to be added, as far as marks
// tell. Whoever finds that, parses the claim again and has whole names hashed.
func (s *ruleset) crowds(key uint64, slot int) bool {
	alike := 0
	i, mark := s.slot(key)
	for ; i != slot; i = s.behind(i) {
		if s.slots[i]&^maxNodes == mark {
			alike++
		}
	}
	return alike >= maxAlike
}

// maxAlike bounds how many names a question is compared with in vain.
const maxAlike = 4

// findHolder returns the holder inside parent that is spelled so, or noNode; and its key,
// and the slot that it has or would have.
func (s *ruleset) findHolder(parent uint32, id identifier, spelling string) (number uint32, key uint64, slot int) {
	key = fold(maphash.String(seed, spelling)+uint64(id), uint64(parent)^seeds[0])
	slot, mark := s.slot(key)
	for ; s.slots[slot] != 0; slot = s.behind(slot) {
		if v := s.slots[slot]; v&^maxNodes == mark {
			number = v&maxNodes - 1
			m := &s.nodes[number]
			if m.rank == holderRank && m.id == id && m.parent == parent && s.spelling(number) == spelling {
				return number, key, slot
			}
		}
	}
	return noNode, key, slot
}

// isHolder reports whether findHolder finds one.
func (s *ruleset) isHolder(parent uint32, id identifier, spelling string) bool {
	number, _, _ := s.findHolder(parent, id, spelling)
	return number != noNode
}

// arrange sorts the rules by rank, when all have been added.
func (s *ruleset) arrange() {
	var count [maxRank + 2]uint32
	for i := range s.holds {
		s.holds[i] = grantAll
	}
	for i := range s.nodes {
		if n := &s.nodes[i]; n.rank != holderRank {
			count[n.rank+1]++
			s.ranks |= 1 << n.rank
			s.holds[n.rank] &= n.grant
			if n.grant != grantNone {
				s.granting |= 1 << n.rank
			}
		}
	}
	for r := range maxRank + 1 {
		count[r+1] += count[r]
	}
	s.start = count
	s.order = s.order[:count[maxRank+1]]
	for i := range s.nodes {
		if n := &s.nodes[i]; n.rank != holderRank {
			s.order[count[n.rank]] = uint32(i)
			count[n.rank]++
		}
	}
}
