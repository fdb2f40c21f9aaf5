package permissions

import (
	"hash/maphash"
	"math/bits"
)

// A ruleset is the rules of one claim, indexed.
type ruleset struct {
	policy   Policy      // the Policy of this ruleset, allocated with it
	text     string      // of the claim
	declared *vocabulary // nil if there is none
	nodes    []node      // the scopes of the claim, in the order of the text

	// slots is a hash table of the nodes: rules under the key of their path, and
	// holders of maps under that of their spelling. A slot is 0, or a node's number plus
	// one, marked with eight bits of the key.
	slots []uint32

	integrations sieve // the names that rules have for them

	crowded bool // whether keys are made of whole names, because samples were too much alike

	// order is the numbers of the rules, sorted by rank and in the order of the text
	// within a rank; those of rank r are order[start[r]:start[r+1]].
	order []uint32
	start [maxRank + 2]uint32

	ranks    ranks              // those of the rules
	granting ranks              // those of the rules that grant something
	denies   [maxRank + 1]grant // for each rank, what some rule of it does not grant
}

// A node is a scope of a claim: a rule, or the holder of a nested map.
type node struct {
	name   string // as it compares; "" for a wildcard
	grant  grant
	at     uint32     // where its key begins in text, with its quote
	parent uint32     // the scope that holds it, or noNode
	id     identifier // what it names, or its wildcard
	rank   rank       // or holderRank, if it is no rule
}

const (
	noNode   = 1<<32 - 1
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

// path returns what a rule of rank r names if it covers t, from the most specific name up.
// Where it names less than three levels, the rest is "".
func (r rank) path(t *Target) (last, second, third string) {
	if r&rankIntegration != 0 {
		last = t.Integration
	}
	switch r.credential() {
	case formID:
		last, second = t.CredentialID, last
	case formExternal:
		last, second = t.CredentialExternalID, last
	}
	switch r.configuration() {
	case formID:
		last, second, third = t.ConfigurationID, last, second
	case formExternal:
		last, second, third = t.ConfigurationExternalID, last, second
	}
	return last, second, third
}

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

// ranksNamed are those of the rules that name an integration, which are odd.
const ranksNamed ranks = 0xaaaaaaaa

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

// slot returns where the search for a key begins, and what its slot is marked with.
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

// find returns the rule of rank r that covers t, or noNode; and its key, for add.
func (s *ruleset) find(r rank, t *Target) (number uint32, key uint64) {
	last, second, third := r.path(t)
	if s.crowded {
		key = fullKey(r, t)
	} else {
		key = sampledKey(r, last, second, third)
	}
	i, mark := s.slot(key)
	for {
		v := s.slots[i]
		if v == 0 {
			return noNode, key
		}
		if v&^maxNodes == mark {
			number = v&maxNodes - 1
			if n := &s.nodes[number]; n.rank == r && s.covers(n, last, second, third) {
				return number, key
			}
		}
		i = s.behind(i)
	}
}

// covers reports whether these are the names on the path of n, from the most specific up.
func (s *ruleset) covers(n *node, last, second, third string) bool {
	for {
		if n.id < identifiers {
			// What has the length of a UUID is nearly always one, and is compared here: a call
			// would take as long again.
			if own := n.name; len(own) == uuidLen && len(last) == uuidLen {
				differ := (load64(own) ^ load64(last)) |
					(load64(own[8:]) ^ load64(last[8:])) |
					(load64(own[16:]) ^ load64(last[16:])) |
					(load64(own[24:]) ^ load64(last[24:])) |
					(load32(own[32:]) ^ load32(last[32:]))
				if differ != 0 && !n.id.same(own, last) {
					return false
				}
			} else if own != last {
				return false
			}
			last, second = second, third
		}
		if n.parent == noNode {
			return true
		}
		n = &s.nodes[n.parent]
	}
}

// keyText returns the key of n as the claim spells it.
func (s *ruleset) keyText(n *node) string {
	at := scanner{text: s.text, i: int(n.at)}
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

// add adds a node under the key that find or findHolder gave. It returns how many others
// have that key, as far as marks tell.
func (s *ruleset) add(n node, key uint64) (alike int) {
	s.nodes = append(s.nodes, n)
	if n.id == integrationName {
		s.integrations.add(n.name)
	}
	i, mark := s.slot(key)
	for ; s.slots[i] != 0; i = s.behind(i) {
		if s.slots[i]&^maxNodes == mark {
			alike++
		}
	}
	s.slots[i] = mark | uint32(len(s.nodes))
	return alike
}

// maxAlike bounds how many rules a question is compared with in vain. When more seem to have
// one key, the claim is parsed again and whole names are hashed.
const maxAlike = 4

// findHolder returns the holder inside parent that has this key, or noNode; and the key to
// add it under.
func (s *ruleset) findHolder(parent uint32, text string) (number uint32, key uint64) {
	key = fold(maphash.String(seed, text), uint64(parent)^seeds[0])
	i, mark := s.slot(key)
	for ; s.slots[i] != 0; i = s.behind(i) {
		if v := s.slots[i]; v&^maxNodes == mark {
			number = v&maxNodes - 1
			if n := &s.nodes[number]; n.rank == holderRank && n.parent == parent && s.keyText(n) == text {
				return number, key
			}
		}
	}
	return noNode, key
}

// isHolder reports whether findHolder finds one.
func (s *ruleset) isHolder(parent uint32, text string) bool {
	number, _ := s.findHolder(parent, text)
	return number != noNode
}

// arrange sorts the rules by rank, when all have been added.
func (s *ruleset) arrange() {
	var next [maxRank + 2]uint32
	for i := range s.nodes {
		if n := &s.nodes[i]; n.rank != holderRank {
			next[n.rank]++
			s.ranks |= 1 << n.rank
			s.denies[n.rank] |= ^n.grant
			if n.grant != grantNone {
				s.granting |= 1 << n.rank
			}
		}
	}
	total := uint32(0)
	for r, count := range next {
		next[r], s.start[r] = total, total
		total += count
	}
	s.order = s.order[:total]
	for i := range s.nodes {
		if n := &s.nodes[i]; n.rank != holderRank {
			s.order[next[n.rank]] = uint32(i)
			next[n.rank]++
		}
	}
}
