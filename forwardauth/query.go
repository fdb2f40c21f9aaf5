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

// checkQuery returns an error if a parameter of a query could override the method, such as _method does
// for many frameworks. The parameter method is one like any other.
func checkQuery(query string) error {
	for range maxDecodings + 1 {
		for pair := range strings.FieldsFuncSeq(query, func(r rune) bool { return strings.ContainsRune("&;?#", r) }) {
			name, _, _ := strings.Cut(pair, "=")
			if isOverride(name) {
				return fmt.Errorf("forwardauth: %w with %s; send the method itself", ErrOverride, text.Quote(name))
			}
		}
		decoded := unescapeUnicode(unescape(query))
		if decoded == query {
			return nil
		}
		query = decoded
	}
	return nil
}

// unescapeUnicode decodes escapes such as %u005f, which some servers read and no standard has.
func unescapeUnicode(s string) string {
	pieces := strings.Split(s, "%")
	for i, piece := range pieces[1:] {
		if len(piece) >= 5 && lower(piece[0]) == 'u' {
			if r, err := strconv.ParseUint(piece[1:5], 16, 16); err == nil {
				pieces[i+1] = string(rune(r)) + piece[5:]
				continue
			}
		}
		pieces[i+1] = "%" + piece
	}
	return strings.Join(pieces, "")
}

// overrides has the names of parameters that override the method, without what is not a letter. It is
// not modified.
var overrides = []string{"method", "httpmethod", "xhttpmethod", "methodoverride", "httpmethodoverride",
	"xhttpmethodoverride", "xmethodoverride", "xtunneledmethod"}

// isOverride reports whether a reader could take the name of a parameter for one of overrides. The name
// method alone is not one.
//
// Only the ASCII letters of the name count, because readers differ in what else they ignore or take for an
// underscore: spaces, dots, brackets, NUL. Some readers cut a name at a NUL. A reader may turn a character
// that is not ASCII into a letter (NFKC, best fit, overlong UTF-8), or drop it. So such a character matches any
// letter, and none. There is one exception: a name without an ASCII letter, and without any other character that
// Unicode counts to the scripts Latin or Common, is only a name in another script.
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
