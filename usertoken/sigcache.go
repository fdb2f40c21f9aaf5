package usertoken

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
)

// A signatureCache remembers which tokens were signed with which key, see WithSignatureCache. It
// keeps one digest for a token and its key together.
//
// It is a set-associative cache: a digest can be in one set only, and each set has setSize entries.
// A new entry replaces the least recently used one of its set. So nothing is allocated after the
// start, and goroutines with different tokens seldom wait for each other.
type signatureCache struct {
	secret [sha256.Size]byte // so that nobody can search for tokens whose entries are in the same set
	sets   []signatureSet
}

const setSize = 8

type signatureSet struct {
	mu      sync.Mutex
	used    int                      // how many entries there are
	digests [setSize]signatureDigest // the most recently used one first
}

type signatureDigest [sha256.Size]byte

// newSignatureCache returns a cache of at least a number of entries.
func newSignatureCache(entries int) *signatureCache {
	c := &signatureCache{sets: make([]signatureSet, (entries+setSize-1)/setSize)}
	rand.Read(c.secret[:]) // never fails
	return c
}

// tokenDigest returns the digest of a token. Every byte of it counts, those of the signature too.
func (c *signatureCache) tokenDigest(raw string) (digest signatureDigest) {
	h := sha256.New()
	h.Write(c.secret[:])
	var buffer [1024]byte // takes the place of a copy of the token
	for len(raw) > 0 {
		n := copy(buffer[:], raw)
		h.Write(buffer[:n])
		raw = raw[n:]
	}
	h.Sum(digest[:0])
	return digest
}

// entryDigest returns the digest under which a token that key signed is remembered.
func (c *signatureCache) entryDigest(token signatureDigest, key *rsa.PublicKey) signatureDigest {
	text := append(make([]byte, 0, 1024), token[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(key.E))
	return sha256.Sum256(append(text, key.N.Bytes()...))
}

func (c *signatureCache) setOf(digest signatureDigest) *signatureSet {
	return &c.sets[binary.NativeEndian.Uint64(digest[:])%uint64(len(c.sets))]
}

// has reports whether a digest is remembered. It does not count as a use, because the token may still be refused.
func (c *signatureCache) has(digest signatureDigest) bool {
	s := c.setOf(digest)
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.digests[:s.used], digest)
}

// use remembers the digest of a token that was accepted, as the most recently used one of its set.
func (c *signatureCache) use(digest signatureDigest) {
	s := c.setOf(digest)
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.digests[:s.used], digest)
	if i < 0 {
		s.used = min(s.used+1, setSize)
		i = s.used - 1
	}
	s.putFirst(i, digest)
}

// putFirst replaces entry i and moves the new digest to the front. The entries before i move one
// place back.
func (s *signatureSet) putFirst(i int, digest signatureDigest) {
	copy(s.digests[1:i+1], s.digests[:i])
	s.digests[0] = digest
}
