package permissions

import (
	"hash/maphash"
	"math/bits"
	"strings"
)

// A ruleset is the rules of one claim, indexed.
type ruleset struct {
	policy    Policy      // the Policy of this ruleset, allocated with it
	text      string      // of the claim
	respelled []string    // names that do not stand in text as they compare
	declared  *vocabulary // nil if there is none
	nodes     []node      // the scopes of the claim, in the order of the text

	// slots is a hash table of the nodes: rules under the key of their path, and
	// those that hold a map under one of their own. A slot is 0, or a node's number
	// plus one with the lowest eight bits of the key above it.
	slots []uint32

	// order is the numbers of the rules, sorted by rank and in the order of the text
	// within a rank; those of rank r are order[start[r]:start[r+1]].
	order []uint32
	start [maxRank + 2]uint32

	ranks    ranks              // those of the rules
	granting ranks              // those of the rules that grant something
	holds    [maxRank + 1]grant // for each rank, what all its rules grant
}

// A node is a scope of a claim: a rule, or the holder of a nested map.
type node struct {
	grant  grant
	key    uint32     // where its key begins in text, behind the quote
	name   uint32     // the length of its name in text, or its number in respelled
	parent uint32     // the scope that holds it, or noNode
	id     identifier // what it names, or its wildcard
	rank   rank
	rule   bool // not a holder
}

const (
	noNode    = 1<<32 - 1
	respelled = 1 << 31 // marks a name that is in respelled

	maxNodes = 1<<24 - 1 // a node's number plus one has 24 bits
)

var _ [maxNodes - maxClaim/minScope - 1]struct{} // the longest claim fits

// A rank is how specific a rule is: the forms of its path's levels, from the deepest
// down, two bits each and one for the integration. A level that is not there is 0,
// and the integration's wildcard too. So the numbers stand in the order of SPEC 4.5:
// a deeper rule is greater, and then from the deepest level up an ID is greater than
// an external ID than a wildcard.
type rank uint8

const (
	rankIntegration    rank = 1 // the integration is named
	shiftCredential         = 1
	shiftConfiguration      = 3
	maxRank                 = 31
)

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

// The ranks by what they have at a level.
const (
	ranksAnyIntegration   ranks = 0x55555555
	ranksNamedIntegration ranks = 0xaaaaaaaa
	ranksCredential       ranks = 0x03030303 // shifted by twice the form
	ranksConfiguration    ranks = 0x000000ff // shifted by eight times the form

	// ranksAllAny are those without a name: at most one rule each.
	ranksAllAny ranks = 1<<0 | 1<<(rank(formAny)<<shiftCredential) |
		1<<(rank(formAny)<<shiftConfiguration|rank(formAny)<<shiftCredential)
)

func (s ranks) has(r rank) bool { return s>>r&1 != 0 }

// highest returns the most specific rank of a set that is not empty.
func (s ranks) highest() rank { return rank(bits.Len32(uint32(s)) - 1) }

// butHighest returns the set without its most specific rank.
func (s ranks) butHighest() ranks { return s &^ (1 << s.highest()) }

// names is what a path or a target names: a value for each identifier that matters,
// as it compares. Which ones matter, a rank says.
type names struct {
	text  [identifiers]string
	hash  [identifiers]uint64 // 0 where it was not needed so far
	upper Identifiers         // those that are UUIDs and may have capitals in them
}

func (n *names) set(id identifier, name string) {
	n.text[id], n.hash[id] = name, 0
}

// is reports whether identifier id is name, which is as it compares.
func (n *names) is(id identifier, name string) bool {
	return n.text[id] == name || n.upper.has(id) && strings.EqualFold(n.text[id], name)
}

// seed makes it impossible to write names that collide.
var seed = maphash.MakeSeed()

func (n *names) hashOf(id identifier) uint64 {
	if n.hash[id] == 0 {
		if n.upper.has(id) {
			var lower [36]byte
			for i := range lower {
				lower[i] = n.text[id][i] | 0x20 // a hyphen has that bit, and so do digits
			}
			n.hash[id] = maphash.Bytes(seed, lower[:])
		} else {
			n.hash[id] = maphash.String(seed, n.text[id])
		}
	}
	return n.hash[id]
}

// key returns the key of the path of rank r with these names.
func (n *names) key(r rank) uint64 {
	key := uint64(r)
	if r&rankIntegration != 0 {
		key += n.hashOf(integrationName)
	}
	if form := r.credential(); form > formAny {
		key = mix(key) + n.hashOf(identifier(form)-1)
	}
	if form := r.configuration(); form > formAny {
		key = mix(key) + n.hashOf(identifier(form)+1)
	}
	return mix(key)
}

// mix spreads the bits of x. It is a bijection.
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	return x ^ x>>32
}

// newRuleset returns a ruleset with room for that many scopes.
func newRuleset(text string, room int) *ruleset {
	s := &ruleset{text: text, nodes: make([]node, 0, room)}
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
	return int(hi), uint32(key) << 24
}

// find returns the rule of rank r whose path has these names, or noNode and the slot
// that it would have.
func (s *ruleset) find(key uint64, r rank, names *names) (number uint32, slot int) {
	i, mark := s.slot(key)
	for ; s.slots[i] != 0; i++ {
		if v := s.slots[i]; v&^maxNodes == mark {
			if n := &s.nodes[v&maxNodes-1]; n.rank == r && n.rule && s.matches(n, names) {
				return v&maxNodes - 1, i
			}
		}
		if i == len(s.slots)-1 {
			i = -1
		}
	}
	return noNode, i
}

// matches reports whether n and the scopes that hold it name just what names does.
func (s *ruleset) matches(n *node, names *names) bool {
	for {
		if n.id < identifiers && !names.is(n.id, s.name(n)) {
			return false
		}
		if n.parent == noNode {
			return true
		}
		n = &s.nodes[n.parent]
	}
}

// name returns the name of n as it compares; "" for a wildcard.
func (s *ruleset) name(n *node) string {
	if n.name&respelled != 0 {
		return s.respelled[n.name&^respelled]
	}
	if n.id >= identifiers {
		return ""
	}
	at := n.key + uint32(len(scopePrefix[n.id]))
	return s.text[at : at+n.name]
}

// spelling returns the name of a node as the claim spells it.
func (s *ruleset) spelling(number uint32) string {
	n := &s.nodes[number]
	if n.name&respelled == 0 {
		return s.name(n)
	}
	return s.keyText(n)[len(scopePrefix[n.id]):]
}

// keyText returns the key of n as the claim spells it.
func (s *ruleset) keyText(n *node) string {
	at := scanner{text: s.text, i: int(n.key) - 1}
	key, _ := at.str()
	return key
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
func (s *ruleset) add(n *node, key uint64, slot int) {
	s.nodes = append(s.nodes, *n)
	_, mark := s.slot(key)
	s.slots[slot] = mark | uint32(len(s.nodes))
}

// findHolder returns the node that holds a map and stands where n does, spelled so, or
// noNode and the slot it would have.
func (s *ruleset) findHolder(n *node, spelling string) (number uint32, key uint64, slot int) {
	key = mix(mix(maphash.String(seed, spelling)+uint64(n.id)) + uint64(n.parent))
	i, mark := s.slot(key)
	for ; s.slots[i] != 0; i++ {
		if v := s.slots[i]; v&^maxNodes == mark {
			number = v&maxNodes - 1
			m := &s.nodes[number]
			if !m.rule && m.id == n.id && m.parent == n.parent && s.spelling(number) == spelling {
				return number, key, i
			}
		}
		if i == len(s.slots)-1 {
			i = -1
		}
	}
	return noNode, key, i
}

func (s *ruleset) isHolder(n *node, spelling string) bool {
	number, _, _ := s.findHolder(n, spelling)
	return number != noNode
}

// arrange sorts the rules by rank, when all have been added.
func (s *ruleset) arrange() {
	var count [maxRank + 2]uint32
	for i := range s.holds {
		s.holds[i] = grantAll
	}
	for i := range s.nodes {
		if n := &s.nodes[i]; n.rule {
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
		if n := &s.nodes[i]; n.rule {
			s.order[count[n.rank]] = uint32(i)
			count[n.rank]++
		}
	}
}
