package analyze

import (
	"math/bits"

	"github.com/connectperms/permissions"
)

// An identifiers is a set of the identifiers that a target can have. The number of a bit is the index of its
// identifier in place.names.
type identifiers uint8

const (
	integrationName identifiers = 1 << iota
	credentialExternalID
	credentialID
	configurationExternalID
	configurationID

	identifierCount = iota
	allIdentifiers  = identifiers(1<<identifierCount - 1)
)

// identifierOf returns what a scope compares. It is empty for a wildcard.
func identifierOf(s permissions.Scope) identifiers {
	switch {
	case s.IsWildcard():
		return 0
	case s.Kind() == permissions.KindCredential && s.IsExternal():
		return credentialExternalID
	case s.Kind() == permissions.KindCredential:
		return credentialID
	case s.Kind() == permissions.KindConfiguration && s.IsExternal():
		return configurationExternalID
	case s.Kind() == permissions.KindConfiguration:
		return configurationID
	}
	return integrationName
}

// identifierTexts has how people call the identifiers, and how a scope that names one begins. It is not
// modified.
var identifierTexts = [identifierCount]struct{ people, prefix string }{
	{"integration", "integration:"},
	{"credential external ID", "credential:ext:"},
	{"credential ID", "credential:"},
	{"configuration external ID", "configuration:ext:"},
	{"configuration ID", "configuration:"},
}

// index returns the index of an identifier.
func (s identifiers) index() int { return bits.TrailingZeros8(uint8(s)) }

// identifiersTo returns the identifiers of a level and of those above it.
func identifiersTo(level permissions.Kind) identifiers {
	switch level {
	case permissions.KindIntegration:
		return integrationName
	case permissions.KindCredential:
		return integrationName | credentialExternalID | credentialID
	case permissions.KindConfiguration:
		return allIdentifiers
	}
	return 0
}

// A place is a set of targets: those of a level, or deeper, that have certain names. The path of a
// rule is a place. Two paths together are one too, which can name a credential both by its ID and
// by its external ID.
//
// It has no padding, which makes it a fast key of a map.
type place struct {
	names [identifierCount]uint32 // numbers of names in a space; 0 for what is not named
	depth uint32                  // the level
}

func (p place) level() permissions.Kind { return permissions.Kind(p.depth) }

// at returns the place with the same names at another level, which must be deep enough for them.
func (p place) at(level permissions.Kind) place {
	p.depth = uint32(level)
	return p
}

// named returns what the place names.
func (p place) named() (set identifiers) {
	for i, name := range p.names {
		if name != 0 {
			set |= 1 << i
		}
	}
	return set
}

// only returns the place without the names that are not in the set.
func (p place) only(set identifiers) place {
	for i := range p.names {
		if set>>i&1 == 0 {
			p.names[i] = 0
		}
	}
	return p
}

// and returns the place of the targets that are in both places. It is not ok if there are none.
func (p place) and(q place) (both place, ok bool) {
	for i, name := range q.names {
		switch {
		case name == 0 || name == p.names[i]:
		case p.names[i] == 0:
			p.names[i] = name
		default:
			return place{}, false
		}
	}
	p.depth = max(p.depth, q.depth)
	return p, true
}

// root is the place of integration:*, which is everything.
var root = place{depth: uint32(permissions.KindIntegration)} // never modified

// A rank is how specific a rule is (SPEC 4.5): two bits for the pattern of the configuration, two for
// that of the credential, and one for the integration. A more specific rule has a greater rank.
type rank uint8

const (
	maxRank  rank = 31
	rootRank rank = 0

	credentialShift    = 1
	configurationShift = 3
)

// The two bits of a level. They are 0 if the path does not have the level.
const (
	levelAny rank = 1 + iota
	levelExternalID
	levelID
)

// rankOf returns the rank of a path.
func rankOf(p place) (r rank) {
	level := func(id, externalID identifiers) rank {
		switch {
		case p.names[id.index()] != 0:
			return levelID
		case p.names[externalID.index()] != 0:
			return levelExternalID
		}
		return levelAny
	}
	if p.names[integrationName.index()] != 0 {
		r = 1
	}
	if p.level() >= permissions.KindCredential {
		r |= level(credentialID, credentialExternalID) << credentialShift
	}
	if p.level() >= permissions.KindConfiguration {
		r |= level(configurationID, configurationExternalID) << configurationShift
	}
	return r
}

// level returns the level of the rules of a rank.
func (r rank) level() permissions.Kind {
	switch {
	case r>>configurationShift != 0:
		return permissions.KindConfiguration
	case r>>credentialShift != 0:
		return permissions.KindCredential
	}
	return permissions.KindIntegration
}

// named returns what the rules of a rank name.
func (r rank) named() (set identifiers) {
	if r&1 != 0 {
		set |= integrationName
	}
	switch r >> credentialShift & 3 {
	case levelExternalID:
		set |= credentialExternalID
	case levelID:
		set |= credentialID
	}
	switch r >> configurationShift & 3 {
	case levelExternalID:
		set |= configurationExternalID
	case levelID:
		set |= configurationID
	}
	return set
}

// A ranks is a set of ranks, with a bit for each.
type ranks uint32

func (s ranks) highest() rank { return rank(bits.Len32(uint32(s)) - 1) }
func (s ranks) lowest() rank  { return rank(bits.TrailingZeros32(uint32(s))) }
func above(r rank) ranks      { return ^ranks(2<<r - 1) }
func below(r rank) ranks      { return 1<<r - 1 }

// applicable has the ranks of the rules that can apply to the targets of a level that have certain
// names and no others (SPEC 4.1, 4.2). It is not modified.
var applicable = func() (table [permissions.KindConfiguration + 1][allIdentifiers + 1]ranks) {
	for level := range table {
		for named := range table[level] {
			for r := range maxRank + 1 {
				if r == rootRank || r.level() <= permissions.Kind(level) && r.named()&^identifiers(named) == 0 {
					table[level][named] |= 1 << r
				}
			}
		}
	}
	return table
}()

// An actions is a set of the actions of a space. There are never more than the ten and the 53 that
// can be declared for each of two policies.
type actions [2]uint64

func (a actions) has(i int) bool            { return a[i/64]>>(i%64)&1 != 0 }
func (a *actions) add(i int)                { a[i/64] |= 1 << (i % 64) }
func (a actions) and(b actions) actions     { return actions{a[0] & b[0], a[1] & b[1]} }
func (a actions) or(b actions) actions      { return actions{a[0] | b[0], a[1] | b[1]} }
func (a actions) xor(b actions) actions     { return actions{a[0] ^ b[0], a[1] ^ b[1]} }
func (a actions) without(b actions) actions { return actions{a[0] &^ b[0], a[1] &^ b[1]} }
func (a actions) isEmpty() bool             { return a == actions{} }
func (a actions) areIn(b actions) bool      { return a.without(b).isEmpty() }

// all yields the numbers of the actions.
func (a actions) all(yield func(int) bool) {
	for word, left := range a {
		for ; left != 0; left &= left - 1 {
			if !yield(64*word + bits.TrailingZeros64(left)) {
				return
			}
		}
	}
}
