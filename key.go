package permissions

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
)

// Rules are found by hashing what they name. A few bytes of names nearly always tell them
// apart, and reading no more is most of what makes a decision fast. A claim where they do not
// is crowded, and its names are hashed whole: see [maxAlike].

// spread is an odd number with its bits spread, to multiply with.
const spread = 0x9e3779b97f4a7c15

// seeds make it impossible to write names that stand in each other's way. They are never
// written.
var (
	seeds = [2]uint64{rand.Uint64(), rand.Uint64() | 1}
	seed  = maphash.MakeSeed()
)

// sampledKey returns the key of a rule of rank r that has these names on its path, from the
// most specific up. It is made of some bytes of them: up to 24 of the first, and the ends of
// the others. Letter case makes no difference to it, for the sake of UUIDs.
func sampledKey(r rank, name, second, third string) uint64 {
	key := uint64(r) * spread
	if second != "" {
		key = (key + ends(second)) * seeds[1]
	}
	if third != "" {
		key = (key + ends(third)) * seeds[1]
	}
	size := len(name)
	a, b := seeds[0], seeds[1]^uint64(size)
	switch {
	case size >= 16:
		b ^= (load64(name[8:]) | bit5) * spread
		fallthrough
	case size >= 8:
		return key + fold(a^(load64(name)|bit5), b^(load64(name[size-8:])|bit5))
	case size >= 4:
		return key + fold(a^(load32(name)|bit5), b^(load32(name[size-4:])|bit5)<<24)
	case size == 0:
		return key
	}
	return key + fold(a^uint64(name[0]|0x20), b^uint64(name[size/2]|0x20)<<40^uint64(name[size-1]|0x20)<<32)
}

// ends returns the length of a name and the bytes at its ends.
func ends(name string) uint64 {
	return uint64(len(name))<<16 | uint64(name[0])<<8 | uint64(name[len(name)-1]) | 0x2020
}

// A sieve knows of most names that they were not added to it, and takes no look-up to tell.
type sieve [8]uint64

// place returns the bit that stands for a name, and maybe for others.
func (s *sieve) place(name string) (word *uint64, bit uint64) {
	hash := ends(name) * spread
	return &s[hash>>61], 1 << (hash >> 55 & 63)
}

func (s *sieve) add(name string) {
	word, bit := s.place(name)
	*word |= bit
}

// mayHave reports whether a name could be one that was added.
func (s *sieve) mayHave(name string) bool {
	word, bit := s.place(name)
	return *word&bit != 0
}

// fullKey returns a key of all bytes of the names, as they compare.
func fullKey(r rank, t *Target) uint64 {
	key := uint64(r)
	for id := range identifiers {
		if !r.names().has(id) {
			continue
		}
		name := t.name(id)
		hash := maphash.String(seed, name)
		if id.isObjectID() && isUUID(name) {
			var lower [uuidLen]byte
			for i := range lower {
				lower[i] = name[i] | 0x20
			}
			hash = maphash.Bytes(seed, lower[:])
		}
		key = key*seeds[1] + hash
	}
	return key
}

// fold multiplies and folds the product.
func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}
