package forwardauth

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/connectperms/permissions/internal/text"
)

// ErrOverride matches the refusal of a query that could change the method in the service.
var ErrOverride = errors.New("the query overrides the method")

// checkQuery returns an error if a parameter of a query could override the method, such as _method does for many
// frameworks. It looks at the query itself, at what up to maxDecodings decodings make of it, and at what is left when
// no escape is left. The parameter method is one like any other.
func checkQuery(query string) error {
	for range maxDecodings + 1 {
		if err := checkParameters(query); err != nil {
			return err
		}
		decoded := unescapeUnicode(unescape(query))
		if decoded == query {
			return nil
		}
		query = decoded
	}
	// Unlike a path, a query that is escaped too often is not refused: it can hold a URL that holds others.
	return checkParameters(unescapeAll(query))
}

func checkParameters(query string) error {
	for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return strings.ContainsRune("&;?#", r) }) {
		name, _, _ := strings.Cut(pair, "=")
		if isOverride(name) {
			return fmt.Errorf("forwardauth: %w with %s; send the method itself", ErrOverride, text.Quote(name))
		}
	}
	return nil
}

// unescapeUnicode decodes escapes such as %u005f once. Some servers read them, although no standard has them.
func unescapeUnicode(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if r, ok := unhexUnicode(s[i:]); ok {
			b.WriteRune(r)
			i += len("u005f")
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unhexUnicode returns the character whose escape s begins with, such as %u005f.
func unhexUnicode(s string) (rune, bool) {
	if len(s) < len("%u005f") || s[0] != '%' || lower(s[1]) != 'u' {
		return 0, false
	}
	r, err := strconv.ParseUint(s[2:6], 16, 16)
	return rune(r), err == nil
}

// unescapeAll decodes the escapes of a text, and those that result from that, until none is left. One pass gives the
// same as decoding again and again, because no two escapes have a character in common. A client can write escapes for
// which that would take thousands of rounds.
func unescapeAll(s string) string {
	var b []byte
	for i := range len(s) {
		b = append(b, s[i])
		for decoded := true; decoded; {
			b, decoded = unescapeLast(b)
		}
	}
	return string(b)
}

// unescapeLast decodes the escape that b ends with, and reports whether there is one.
func unescapeLast(b []byte) ([]byte, bool) {
	if n := len(b) - len("%5f"); n >= 0 {
		if c, ok := unhex(string(b[n:])); ok {
			return append(b[:n], c), true
		}
	}
	if n := len(b) - len("%u005f"); n >= 0 {
		if r, ok := unhexUnicode(string(b[n:])); ok {
			return utf8.AppendRune(b[:n], r), true
		}
	}
	return b, false
}

// overrides has the names of parameters that override the method, without what is not a letter. It is
// not modified.
var overrides = []string{"method", "httpmethod", "xhttpmethod", "methodoverride", "httpmethodoverride",
	"xhttpmethodoverride", "xmethodoverride", "xtunneledmethod"}

// isOverride reports whether a reader could take the name of a parameter for one of overrides. The name
// method with nothing beside it is not one, in any letter case: METHOD is not, and method[] is.
//
// Only the ASCII letters of the name count, in any case, because readers differ in what else they ignore or take
// for an underscore: spaces, dots, brackets, NUL. Some readers cut a name at a NUL. So what is before the first NUL
// is also judged, as a name of its own: _method\0x is an override, and method\0x is not.
//
// A reader may turn a character that is not ASCII into a letter (NFKC, best fit, overlong UTF-8), or drop it. So
// such a character matches any one letter, or nothing. There is one exception: a name is not taken for an override
// if it has no ASCII letter, and all its characters beyond ASCII are of other Unicode scripts than Latin and
// Common. An example is параметр: each of its letters could otherwise be one of method.
func isOverride(name string) bool {
	if strings.EqualFold(name, "method") {
		return false
	}
	if cut, _, found := strings.Cut(name, "\x00"); found && isOverride(cut) {
		return true
	}
	matched := make([]uint32, len(overrides))
	for i := range matched {
		matched[i] = 1 // bit n: what was read so far matches the first n letters
	}
	likely := false
	for _, r := range name {
		isAny := r >= utf8.RuneSelf
		letter := lower(byte(r))
		if !isAny && (letter < 'a' || 'z' < letter) {
			continue
		}
		// A name in another script, without a Latin letter, is only a name.
		likely = likely || unicode.In(r, unicode.Latin, unicode.Common)
		for i, override := range overrides {
			next := uint32(0)
			if isAny {
				next = matched[i]
			}
			for n := range len(override) {
				if matched[i]&(1<<n) != 0 && (isAny || override[n] == letter) {
					next |= 1 << (n + 1)
				}
			}
			matched[i] = next
		}
	}
	for i, override := range overrides {
		if likely && matched[i]&(1<<len(override)) != 0 {
			return true
		}
	}
	return false
}
