package permissions

// The rules for names (SPEC 2.4) are about Unicode, and nearly every name is plain
// ASCII. The functions here see that eight bytes at a time.

// A texture is what scan found among the bytes of a text: each field has the top
// bit of some byte set if there was such a byte.
type texture struct {
	odd   uint64 // not printable ASCII, or a backslash
	star  uint64 // *
	upper uint64 // A to Z, or one of @ [ \ ] ^ _
}

const (
	each = 0x0101010101010101 // times a byte: that byte in all eight places
	tops = 0x80 * each
)

func (t *texture) add(w uint64) {
	// For a byte b below 0x80 the top bit of b-0x20 is set for control characters,
	// that of b+1 for DEL, and that of (b^c)-1 for c. What a borrow or a carry
	// adds, it adds beside a byte that is odd itself, or in the next byte up of
	// one that was found.
	t.odd |= w | (w - 0x20*each) | (w + each) | ((w ^ '\\'*each) - each)
	t.star |= (w ^ '*'*each) - each
	t.upper |= (w << 1) &^ (w << 2)
}

// scan looks at all of s.
func scan(s string) (t texture) {
	switch n := len(s); {
	case n >= 8:
		for i := 0; i < n-8; i += 8 {
			t.add(load64(s[i:]))
		}
		t.add(load64(s[n-8:]))
	case n >= 4:
		t.add(load32(s) | load32(s[n-4:])<<32)
	case n > 0:
		t.add(uint64(s[0]) | uint64(s[n/2])<<8 | uint64(s[n-1])<<16 | 0x6161616161000000)
	}
	return t
}

// isPlain reports whether s is printable ASCII without a backslash.
func (t *texture) isPlain() bool { return t.odd&tops == 0 }

// hasStar and hasUpper are exact where the text is plain, but that hasUpper also
// sees the six characters beside the capitals.
func (t *texture) hasStar() bool  { return t.star&tops != 0 }
func (t *texture) hasUpper() bool { return t.upper&tops != 0 }

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}

// isGood reports whether a name is one that SPEC 2.4 allows, given its texture. It
// agrees with check and only takes less time.
func (id identifier) isGood(name string, t *texture) bool {
	if len(name) == 0 || !t.isPlain() || name[0] == ' ' || name[len(name)-1] == ' ' {
		return id.check(name) == ""
	}
	if id == credentialExternalID || id == configurationExternalID {
		return name != "*"
	}
	if t.hasStar() || name[0]|0x20 == 'e' {
		return id.check(name) == ""
	}
	return true
}
