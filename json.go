package permissions

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner reads JSON (RFC 8259) from a text, strictly and in one pass. It does
// not recurse, and allocates only for a string with escapes in it. Each method
// begins at i and leaves i behind what it read; on a mistake it leaves i there,
// notes the problem, and reports false.
type scanner struct {
	text    string
	i       int
	problem string
}

// bracketWidth is how far the closing bracket of a pair stands from the opening one,
// in ASCII: ] from [ and } from {.
const bracketWidth = 2

// fail notes a mistake at i.
func (s *scanner) fail(problem string) bool {
	s.problem = problem
	return false
}

// space skips white space and returns the byte behind it, 0 at the end.
func (s *scanner) space() byte {
	for s.i < len(s.text) {
		switch c := s.text[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// unexpected notes that what stands at i is not what must stand there.
func (s *scanner) unexpected(want string) bool {
	if s.i >= len(s.text) {
		return s.fail("ends where " + want + " must stand")
	}
	return s.fail("has something else where " + want + " must stand")
}

// punctuation skips white space and then c.
func (s *scanner) punctuation(c byte) bool {
	if s.space() != c || s.i >= len(s.text) {
		return s.unexpected(quote(string(rune(c))))
	}
	s.i++
	return true
}

// begin reads the opening bracket at i, and the closing one if nothing stands between
// them. It reports whether something does.
func (s *scanner) begin(closing byte) (more bool) {
	s.i++
	if s.space() != closing {
		return true
	}
	s.i++
	return false
}

// more stands behind an element of an object or array. It reports whether a comma
// follows, and skips it or the closing bracket.
func (s *scanner) more(closing byte) (more, ok bool) {
	switch c := s.space(); {
	case s.i >= len(s.text):
	case c == ',':
		s.i++
		return true, true
	case c == closing:
		s.i++
		return false, true
	}
	return false, s.unexpected("a comma or " + quote(string(rune(closing))))
}

// end skips white space, behind which nothing may stand.
func (s *scanner) end() bool {
	s.space()
	return s.i == len(s.text) || s.fail("has more behind its end")
}

// raw reads a string, whose opening quote is at i, and returns what stands between its
// quotes, and whether that is what the string means, as it is where it is plain.
func (s *scanner) raw() (raw string, plain, ok bool) {
	s.i++
	rest := s.text[s.i:]
	if n := strings.IndexByte(rest, '"'); n >= 0 && isPlain(rest[:n]) {
		s.i += n + 1
		return rest[:n], true, true
	}
	for n := 0; n < len(rest); n++ {
		switch c := rest[n]; {
		case c == '"':
			s.i += n + 1
			return rest[:n], false, true
		case c < ' ':
			s.i += n
			return "", false, s.fail("has a control character in a string")
		case c == '\\':
			width := escape(rest[n:])
			if width == 0 {
				s.i += n
				return "", false, s.fail("has an escape in a string that there is none of")
			}
			n += width - 1
		}
	}
	s.i = len(s.text)
	return "", false, s.fail("ends in a string")
}

// isPlain reports whether a text without quotes is what a string means that has it between
// its quotes: there are only printable ASCII characters, and no escapes.
func isPlain(raw string) bool {
	for i := range len(raw) {
		if c := raw[i]; c < ' ' || c > '~' || c == '\\' {
			return false
		}
	}
	return true
}

// candidate returns what stands between the quote at i and the next one, without reading
// it: the string that begins at i, if it turns out to be plain.
func (s *scanner) candidate() string {
	rest := s.text[s.i+1:]
	return rest[:max(0, strings.IndexByte(rest, '"'))]
}

// escape returns the width of the escape that s begins with, or 0 if it is none.
func escape(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(s); ok {
			return 6
		}
	}
	return 0
}

// hex4 returns the number in an escape such as \u00e9.
func hex4(s string) (r rune, ok bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	for _, c := range []byte(s[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// str reads a string and returns what it means.
func (s *scanner) str() (value string, ok bool) {
	raw, plain, ok := s.raw()
	if ok && !plain {
		raw = unescape(raw)
	}
	return raw, ok
}

// unescape returns what a well-formed string means, given what stands between its
// quotes. A lone surrogate, or a byte that is not UTF-8, means U+FFFD.
func unescape(raw string) string {
	if strings.IndexByte(raw, '\\') < 0 && utf8.ValidString(raw) {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			r, width := utf8.DecodeRuneInString(raw[i:])
			b = utf8.AppendRune(b, r)
			i += width
			continue
		}
		switch c := raw[i+1]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			r, _ := hex4(raw[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				low, _ := hex4(raw[i+2:])
				if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
					i += 6
				}
			}
			b = utf8.AppendRune(b, r)
		default: // " \ /
			b = append(b, c)
		}
		i += 2
	}
	return string(b)
}

// literal reads true, false or null.
func (s *scanner) literal(word string) bool {
	if !strings.HasPrefix(s.text[s.i:], word) {
		return s.fail("has something that is no value")
	}
	s.i += len(word)
	return true
}

// number reads a number and returns its text.
func (s *scanner) number() (number string, ok bool) {
	start := s.i
	at := func(chars string) bool {
		if s.i < len(s.text) && strings.IndexByte(chars, s.text[s.i]) >= 0 {
			s.i++
			return true
		}
		return false
	}
	digits := func() bool {
		first := s.i
		for s.i < len(s.text) && '0' <= s.text[s.i] && s.text[s.i] <= '9' {
			s.i++
		}
		return s.i > first
	}
	at("-")
	if !at("0") && !digits() {
		return "", s.fail("has something that is no value")
	}
	if at(".") && !digits() {
		return "", s.fail("has a number without a digit behind its point")
	}
	if at("eE") {
		at("+-")
		if !digits() {
			return "", s.fail("has a number without a digit in its exponent")
		}
	}
	return s.text[start:s.i], true
}

// scalar reads a string, a number, true, false or null, and describes it.
func (s *scanner) scalar() (found string, ok bool) {
	switch c := s.space(); {
	case s.i >= len(s.text):
		return "", s.unexpected("a value")
	case c == '"':
		value, ok := s.str()
		return "the string " + quote(value), ok
	case c == 't':
		return "true", s.literal("true")
	case c == 'f':
		return "false", s.literal("false")
	case c == 'n':
		return "null", s.literal("null")
	default:
		_, ok = s.number()
		return "a number", ok
	}
}

// skip reads any value and returns its text. How deep it nests costs a bit a level.
func (s *scanner) skip() (value string, ok bool) {
	s.space()
	start := s.i
	var open nesting
	for {
		switch c := s.space(); c {
		case '{', '[':
			if !s.begin(c + bracketWidth) {
				break
			}
			object := c == '{'
			open.push(object)
			if object && !s.skipKey() {
				return "", false
			}
			continue
		case '"':
			if _, _, ok := s.raw(); !ok {
				return "", false
			}
		default:
			if _, ok := s.scalar(); !ok {
				return "", false
			}
		}
		// A value is complete, and with it perhaps what holds it.
		for open.depth > 0 {
			object := open.top()
			closing := byte(']')
			if object {
				closing = '}'
			}
			more, ok := s.more(closing)
			if !ok {
				return "", false
			}
			if more {
				if object && !s.skipKey() {
					return "", false
				}
				break
			}
			open.depth--
		}
		if open.depth == 0 {
			return s.text[start:s.i], true
		}
	}
}

// skipKey reads a name and its colon.
func (s *scanner) skipKey() bool {
	if s.space() != '"' {
		return s.unexpected("a name")
	}
	_, _, ok := s.raw()
	return ok && s.punctuation(':')
}

// name reads the name of a member of an object.
func (s *scanner) name() (name string, ok bool) {
	if s.space() != '"' {
		return "", s.unexpected("a name")
	}
	return s.str()
}

// member reads a member of an object: its name, and the text of its value.
func (s *scanner) member() (name, value string, ok bool) {
	if name, ok = s.name(); ok && s.punctuation(':') {
		value, ok = s.skip()
		return name, value, ok
	}
	return "", "", false
}

// A nesting is a stack of bits.
type nesting struct {
	depth int
	bits  []uint64
}

func (n *nesting) push(bit bool) {
	word, mask := n.depth/64, uint64(1)<<(n.depth%64)
	if word == len(n.bits) {
		n.bits = append(n.bits, 0)
	}
	n.bits[word] &^= mask
	if bit {
		n.bits[word] |= mask
	}
	n.depth++
}

func (n *nesting) top() bool {
	return n.bits[(n.depth-1)/64]>>((n.depth-1)%64)&1 != 0
}
