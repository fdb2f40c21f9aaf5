package permissions

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/connectperms/permissions/internal/strictjson"
)

// A ruleset is the rules of one claim, indexed by what they name.
//
// A rule is found by its rank, which says how specific it is, and by the names on its path. Two
// rules of one rank that apply to one target would have the same path, which a claim refuses
// (SPEC 2.8). So a decision tries the ranks from the most specific down, each with one look-up in
// a hash table, and the first rule found decides.
type ruleset struct {
	policy Policy      // the Policy of this ruleset, allocated with it
	extras *vocabulary // declared permissions; nil if there are none

	unrestricted bool // for a token without the claim: it allows everything, and has no rules

	// nodes has the scopes of the claim, in the order of its text. names has their names and
	// external IDs, each once.
	nodes []node
	names nameTable

	// slots is a hash table of the nodes, by the key of their path. A slot is 0, or a node's
	// number plus one with eight bits of its key above it.
	slots []uint32

	// order has the numbers of the rules, sorted by rank and in the order of the text within a
	// rank. Those of a rank r in ranks are order[start[r]:start[r+1]]. For other ranks that means nothing.
	order []uint32
	start [maxRank + 2]uint32

	ranks    ranks               // those of the rules
	granting ranks               // those of the rules that grant something
	denying  []ranks             // for each permission, those of the rules that do not grant it
	ignored  []IgnoredPermission // in the order of the text

	// few has room for the names and for denying of a short claim, so that they need no allocations.
	few struct {
		names   [4]name
		slots   [8]uint32
		denying [10]ranks
	}
}

// A node is a scope of a claim: a rule, or a scope whose value is a nested map.
type node struct {
	id       uuid   // if the pattern is an ID
	grant    grant  // of a rule
	name     uint32 // the number in ruleset.names of the name or external ID, if the pattern has one
	parent   uint32 // the node of the scope that holds it, or noNode
	capitals uint32 // the digits of the ID that are capital letters in the claim
	pattern  pattern
	rank     rank // nestedMapRank if it is not a rule
}

const (
	noNode   = 1<<32 - 1
	maxNodes = 1<<24 - 1 // a node's number plus one has 24 bits
)

var _ [maxNodes - maxScopes]struct{} // the longest claim fits

// A rank is how specific a rule is (SPEC 4.5): two bits for the pattern of the configuration, two
// for that of the credential, and one for the integration. They are 0 for a level that the path
// does not have, and for the integration's wildcard. A more specific rule has a greater rank.
type rank uint8

const (
	rankIntegration rank = 1 // the integration is named

	credentialShift    = 1
	configurationShift = 3

	maxRank            = 31
	nestedMapRank rank = maxRank + 1
)

// The values of the two bits of a level, from the least to the most specific.
const (
	levelMissing rank = iota
	levelAny
	levelExternalID
	levelID
)

// with returns the rank of a rule with pattern p in a scope of rank r.
func (r rank) with(p pattern) rank {
	switch p.kind() {
	case KindCredential:
		return r | rank(p-anyCredential+1)<<credentialShift
	case KindConfiguration:
		if r.credential() == levelMissing {
			r |= levelAny << credentialShift // a level that is skipped is a wildcard (SPEC 2.7)
		}
		return r | rank(p-anyConfiguration+1)<<configurationShift
	}
	if p == integrationByName {
		return r | rankIntegration
	}
	return r
}

func (r rank) credential() rank    { return r >> credentialShift & 3 }
func (r rank) configuration() rank { return r >> configurationShift & 3 }

// kind returns the level of the rule.
func (r rank) kind() Kind {
	switch {
	case r.configuration() != levelMissing:
		return KindConfiguration
	case r.credential() != levelMissing:
		return KindCredential
	}
	return KindIntegration
}

// identifiers returns what the path of a rule names.
func (r rank) identifiers() Identifiers { return rankIdentifiers[r&maxRank] }

// rankIdentifiers is not modified.
var rankIdentifiers = func() (table [maxRank + 1]Identifiers) {
	of := [...]Identifiers{levelExternalID: 1, levelID: 2} // an ID's bit is twice that of the external ID
	for r := range rank(maxRank + 1) {
		table[r] = Identifiers(r&rankIntegration)*IntegrationName |
			of[r.credential()]*CredentialExternalID | of[r.configuration()]*ConfigurationExternalID
	}
	return table
}()

// A set of ranks has a bit for each.
type ranks uint32

// wildcardRanks are the ranks of rules that name nothing. A claim has at most one rule of each.
const wildcardRanks ranks = 1<<0 | 1<<(levelAny<<credentialShift) | 1<<(levelAny<<configurationShift|levelAny<<credentialShift)

// ranksThatApply has the ranks of the rules that can apply to a target (SPEC 4.1), by its level and
// the identifiers that are known. Such a rule is not deeper than the target, and names only
// identifiers that are known. The table is not modified.
var ranksThatApply = func() (table [8][allIdentifiers + 1]ranks) {
	for level := range table {
		for known := range table[level] {
			for r := range rank(maxRank + 1) {
				// integration:* applies to the user too (SPEC 4.2).
				if (r == 0 || r.kind() <= Kind(level)) && r.identifiers()&^Identifiers(known) == 0 {
					table[level][known] |= 1 << r
				}
			}
		}
	}
	return table
}()

// applicable returns the ranks of the rules that can apply to a target of a level if these
// identifiers are known.
func applicable(level Kind, known Identifiers) ranks {
	return ranksThatApply[level%8][known&allIdentifiers]
}

// highest returns the most specific rank of a set that is not empty.
func (s ranks) highest() rank { return rank(bits.Len32(uint32(s)) - 1) }

// without returns the set without one of its ranks.
func (s ranks) without(r rank) ranks { return s &^ (1 << r) }

// moreSpecific returns the ranks that are more specific than r.
func moreSpecific(r rank) ranks { return ^ranks(2<<r - 1) }

// seeds make the keys of paths unpredictable, so that nobody can choose names whose keys collide. The last one
// is odd, so that multiplying with it keeps different keys different. They are not modified.
var seeds = [3]uint64{rand.Uint64(), rand.Uint64(), rand.Uint64() | 1}

// idKey returns the key of a path that ends in an ID, given the key of what is above it.
func idKey(above uint64, id *uuid) uint64 {
	return above*seeds[2] + fold(id.first^seeds[0], id.second^seeds[1])
}

// nameKey returns the key of a path that ends in a name or an external ID, given the key of what is
// above it.
func nameKey(above uint64, n *name) uint64 { return above*seeds[2] + n.hash }

// key returns the key of the path that ends in n, given the key of what is above it. A wildcard
// adds nothing: the rank tells such paths apart.
func (s *ruleset) key(above uint64, n *node) uint64 {
	switch {
	case n.pattern.isID():
		return idKey(above, &n.id)
	case n.pattern.isText():
		return nameKey(above, &s.names.list[n.name])
	}
	return above
}

// nestedMapKey returns the key of a nested map, given the key of its path. It depends on the parent and the
// spelling too: unlike rules, many nested maps can have the same path, and they must not all collide.
func (n *node) nestedMapKey(path uint64) uint64 {
	return fold(path^seeds[1], (uint64(n.parent)<<32|uint64(n.capitals))^seeds[0])
}

// fold returns the high half of the product of a and b, XORed with the low half.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// slot returns where the search for a key begins, and what its slot is marked with. The table is
// at most half full.
func slot(slots []uint32, key uint64) (i uint32, mark uint32) {
	hi, _ := bits.Mul64(key, uint64(len(slots)))
	return uint32(hi), uint32(key) << 24
}

// next returns the slot after another.
func next(slots []uint32, i uint32) uint32 {
	if i++; i < uint32(len(slots)) {
		return i
	}
	return 0
}

// newRuleset returns a ruleset with room for that many scopes.
func newRuleset(room int) *ruleset {
	s := &ruleset{nodes: make([]node, 0, room)}
	s.names = nameTable{s.few.names[:0], s.few.slots[:]}
	index := make([]uint32, 3*room)
	s.slots, s.order = index[:2*room:2*room], index[2*room:2*room]
	s.policy.rules = s
	return s
}

// add adds a node under its key.
func (s *ruleset) add(n node, key uint64) {
	s.nodes = append(s.nodes, n)
	i, mark := slot(s.slots, key)
	for s.slots[i] != 0 {
		i = next(s.slots, i)
	}
	s.slots[i] = mark | uint32(len(s.nodes))
}

// find returns the rule of rank r whose path names what t has, or noNode. The key is that of the
// path.
func (s *ruleset) find(r rank, t *Target, key uint64) uint32 {
	for i, mark := slot(s.slots, key); ; i = next(s.slots, i) {
		v := s.slots[i]
		if v == 0 {
			return noNode
		}
		if v&^maxNodes == mark {
			if number := v&maxNodes - 1; s.nodes[number].rank == r && s.matches(number, t, 0) {
				return number
			}
		}
	}
}

// matches reports whether each name on the path of a rule is the one that t has. It does not
// compare the identifiers in free, which may have any value. The caller makes sure that t has all
// others that the path names.
func (s *ruleset) matches(number uint32, t *Target, free Identifiers) bool {
	for number != noNode {
		work(1)
		n := &s.nodes[number]
		same := true // a wildcard matches everything
		switch n.pattern {
		case credentialByID:
			same = t.credential.id == n.id
		case configurationByID:
			same = t.configuration.id == n.id
		case integrationByName:
			same = t.integration.equal(&s.names.list[n.name])
		case credentialByExternalID:
			same = t.credential.externalID.equal(&s.names.list[n.name])
		case configurationByExternalID:
			same = t.configuration.externalID.equal(&s.names.list[n.name])
		}
		if !same && n.pattern.identifiers()&^free != 0 {
			return false
		}
		number = n.parent
	}
	return true
}

// findNestedMap reports whether there is a nested map with the parent, pattern, name and spelling
// of n.
func (s *ruleset) findNestedMap(n *node, key uint64) bool {
	for i, mark := slot(s.slots, key); s.slots[i] != 0; i = next(s.slots, i) {
		if v := s.slots[i]; v&^maxNodes == mark {
			other := s.nodes[v&maxNodes-1]
			if other.rank == nestedMapRank && other.sameScope(n) {
				return true
			}
		}
	}
	return false
}

// sameScope reports whether two nodes are the same key in the same object of a claim.
func (n *node) sameScope(m *node) bool {
	return n.parent == m.parent && n.pattern == m.pattern && n.id == m.id && n.name == m.name && n.capitals == m.capitals
}

// finish sorts the rules by rank, when all have been added, and makes the ruleset independent of the
// claim's text.
func (s *ruleset) finish() {
	s.names.detach()
	if len(s.names.list) > len(s.few.names) {
		clear(s.few.names[:]) // they would keep the text of the claim in memory
	}
	if cap(s.nodes) > 2*len(s.nodes) {
		s.nodes = slices.Clone(s.nodes)
	}
	var counts [maxRank + 1]uint32
	full := s.vocabulary().full()
	var denied [maxRank + 1]grant
	for i := range s.nodes {
		n := &s.nodes[i]
		if n.rank == nestedMapRank {
			continue
		}
		counts[n.rank]++
		s.ranks |= 1 << n.rank
		denied[n.rank] |= full &^ n.grant
		if n.grant != grantNone {
			s.granting |= 1 << n.rank
		}
	}
	s.denying = append(s.few.denying[:0], make([]ranks, bits.Len64(uint64(full)))...)
	total := uint32(0)
	for left := s.ranks; left != 0; left &= left - 1 {
		r := rank(bits.TrailingZeros32(uint32(left)))
		counts[r], total = total, total+counts[r]
		s.start[r], s.start[r+1] = counts[r], total
		for d := denied[r]; d != 0; d &= d - 1 {
			s.denying[bits.TrailingZeros64(uint64(d))] |= 1 << r
		}
	}
	s.order = s.order[:total]
	for i := range s.nodes {
		if n := &s.nodes[i]; n.rank != nestedMapRank {
			s.order[counts[n.rank]] = uint32(i)
			counts[n.rank]++
		}
	}
}

// size returns how many nodes there are. A nil ruleset has none.
func (s *ruleset) size() int {
	if s == nil {
		return 0
	}
	return len(s.nodes)
}

// ofRank returns the numbers of the rules of a rank, in the order of the text. The rank must be in s.ranks.
func (s *ruleset) ofRank(r rank) []uint32 { return s.order[s.start[r]:s.start[r+1]] }

// vocabulary returns the permissions that the claim may name. A nil ruleset knows the ten.
func (s *ruleset) vocabulary() vocabulary {
	if s == nil || s.extras == nil {
		return nil
	}
	return *s.extras
}

// scope returns the scope of a node.
func (s *ruleset) scope(number uint32) Scope {
	n := &s.nodes[number]
	switch {
	case n.pattern.isID():
		return Scope{n.pattern, n.id.String()}
	case n.pattern.isText():
		return Scope{n.pattern, s.names.list[n.name].text}
	}
	return Scope{pattern: n.pattern}
}

// path returns the scopes that lead to a node, with a wildcard at a level that is skipped.
func (s *ruleset) path(number uint32) (path []Scope) {
	for k := KindIntegration; k <= s.nodes[number].pattern.kind(); k++ {
		path = append(path, Scope{pattern: wildcard(k)})
	}
	for ; number != noNode; number = s.nodes[number].parent {
		scope := s.scope(number)
		path[scope.Kind()-KindIntegration] = scope
	}
	return path
}

// pointer returns the JSON Pointer to a node, and "" for noNode.
func (s *ruleset) pointer(number uint32) string {
	if number == noNode {
		return ""
	}
	n := &s.nodes[number]
	key := s.scope(number).String()
	if n.capitals != 0 {
		key = n.pattern.prefix() + n.id.text(n.capitals)
	}
	return s.pointer(n.parent) + "/" + strictjson.EscapePointer(key)
}

// A nameTable interns names: equal names have the same number. Its zero value is empty.
type nameTable struct {
	list  []name
	slots []uint32 // a hash table: 0, or a name's number plus one with eight bits of its hash above
}

// noName is the number of a name that the table does not have.
const noName = 1<<32 - 1

// find returns the number of a name, or noName.
func (t *nameTable) find(n *name) uint32 {
	if len(t.slots) == 0 {
		return noName
	}
	for i, mark := slot(t.slots, n.hash); ; i = next(t.slots, i) {
		v := t.slots[i]
		if v == 0 {
			return noName
		}
		if v&^maxNodes == mark && t.list[v&maxNodes-1].equal(n) {
			return v&maxNodes - 1
		}
	}
}

// add returns the number of a name, which it adds if it is new.
func (t *nameTable) add(s string) uint32 {
	n := newName(s)
	if number := t.find(&n); number != noName {
		return number
	}
	if 2*(len(t.list)+1) > len(t.slots) {
		t.slots = make([]uint32, max(8, 2*len(t.slots)))
		for i := range t.list {
			t.place(uint32(i))
		}
	}
	t.list = append(t.list, n)
	t.place(uint32(len(t.list) - 1))
	return uint32(len(t.list) - 1)
}

// place puts the number of a name into a slot.
func (t *nameTable) place(number uint32) {
	i, mark := slot(t.slots, t.list[number].hash)
	for t.slots[i] != 0 {
		i = next(t.slots, i)
	}
	t.slots[i] = mark | (number + 1)
}

// maxShared bounds the total length of the names that share an allocation.
const maxShared = 256

// detach copies the names, so that they do not keep the text of the claim in memory. Short names
// share an allocation. So a caller who keeps one name keeps less than maxShared bytes of other
// names.
func (t *nameTable) detach() {
	for begin := 0; begin < len(t.list); {
		size, end := len(t.list[begin].text), begin+1
		for end < len(t.list) && size+len(t.list[end].text) <= maxShared {
			size += len(t.list[end].text)
			end++
		}
		var b strings.Builder
		b.Grow(size)
		for _, n := range t.list[begin:end] {
			b.WriteString(n.text)
		}
		all := b.String()
		for ; begin < end; begin++ {
			n := &t.list[begin].text
			*n, all = all[:len(*n)], all[len(*n):]
		}
	}
	t.list = slices.Clip(t.list)
}
