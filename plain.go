package permissions

import (
	"math/bits"
	"strings"
)

// Nearly all names are printable ASCII, which can be judged by the rules of SPEC 2.4 eight
// bytes at a time.

// A texture is what a name looks like. A name whose texture is 0 is good, and has no capitals.
type texture uint8

const (
	odd      texture = 1 << iota // the name needs a closer look, and may be bad
	hasUpper                     // some byte is from @ to _, or odd: A to Z are among them
)

const (
	each = 0x0101010101010101 // times a byte: that byte in all eight places
	tops = 0x80 * each
	bit5 = 0x20 * each // the bytes from @ to _ lack it, and no other from + to ~ does
)

// lowest is, for each identifier, the lowest character that needs no closer look: a space
// must not stand at the ends, and a star not in a name or an ID.
var lowest = [identifiers]uint64{'+' * each, ' ' * each, '+' * each, ' ' * each, '+' * each}

// texture returns the texture of a name.
func (id identifier) texture(name string) (t texture) {
	size := len(name)
	if size == 0 {
		return odd
	}
	// Of w-low and high-w, the top bit of some byte is set just if some byte of w is not from
	// low to high: a borrow comes only from such a byte.
	const high = '~' * each
	low := lowest[id]
	var odds, a, b uint64
	all := ^uint64(0)
	rest := name
	for len(rest) > 16 {
		a, b = load64(rest), load64(rest[8:])
		odds |= (a - low) | (high - a) | (b - low) | (high - b)
		all &= a & b
		rest = rest[16:]
	}
	switch {
	case len(rest) > 8:
		a, b = load64(rest), load64(name[size-8:])
	case size >= 8:
		a = load64(name[size-8:])
		b = a
	case size >= 4:
		a = load32(name) | load32(name[size-4:])<<32
		b = a
	default:
		a = uint64(name[0]) * each
		b = uint64(name[size/2])<<8 | uint64(name[size-1])*(each&^0xff00)
	}
	odds |= (a - low) | (high - a) | (b - low) | (high - b)
	all &= a & b
	first := name[0]
	if odds&tops != 0 || first <= '*' || name[size-1] == ' ' || first|0x20 == 'e' && id.beginsExt(name) {
		t = odd
	}
	if all&bit5 != bit5 {
		t |= hasUpper
	}
	return t
}

// countKeys returns how often a quote and a colon stand side by side in a text, as they do
// behind each key of JSON without white space. It may be somewhat off.
func countKeys(text string) (n int) {
	for ; len(text) > 8; text = text[8:] {
		quote, colon := load64(text)^'"'*each, load64(text[1:])^':'*each // zero bytes where they are
		n += bits.OnesCount64((quote - each) &^ quote & (colon - each) &^ colon & tops)
	}
	return n + strings.Count(text, `":`)
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load32(s string) uint64 {
	_ = s[3]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24
}
