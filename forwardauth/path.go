package forwardauth

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/connectperms/permissions/internal/text"
)

// ErrPath matches the refusal of a path that could mean two things. Such an error is a [*PathError].
var ErrPath = errors.New("ambiguous path")

// A PathError says why a path is refused.
type PathError struct {
	// Segment is the segment of the path as the gateway sent it.
	Segment string

	// Problem is what is wrong with it.
	Problem string
}

// Error returns all of e in one line. A nil PathError has a text too.
func (e *PathError) Error() string {
	message := "forwardauth: a nil *PathError"
	if e != nil {
		message = fmt.Sprintf("forwardauth: %v: segment %s %s", ErrPath, text.Quote(e.Segment), e.Problem)
	}
	return message
}

// Unwrap returns [ErrPath].
func (e *PathError) Unwrap() error { return ErrPath }

// Tail is a set of what the tail of a [Route] may hold although a path may not. The zero Tail allows
// nothing. Declare what the other system needs:
//
//	group%2Fproject       TailEscapedSlash
//	100%25                TailEscapedPercent
//	report;version=2      TailDelimiters
//	mailto%3Ann//x        TailEmptySegments
//	draft.                TailTrailingDots
//
// No set allows segments of dots, in any spelling that a reader could decode to dots; bytes that are
// not valid UTF-8; control characters; or an escape of a character that needs none.
type Tail uint8

const (
	TailEscapedSlash   Tail = 1 << iota // %2F
	TailEscapedPercent                  // %25, and with it text that a reader could decode twice
	TailBackslash                       // \ and %5C
	TailDelimiters                      // ; and the escapes of ; ? and #
	TailEmptySegments                   // //
	TailTrailingDots                    // segments that end in dots, white space or +
	TailUnicode                         // what NFKC changes, looks like / or \, is invisible, or is not assigned

	// TailOpaque is all of these: data for another system, which the service passes on as it is.
	TailOpaque Tail = 1<<iota - 1
)

func (t Tail) has(which Tail) bool { return t&which == which }

// maxDecodings is how often a text with escaped percent signs may be decoded until it stays as it is.
const maxDecodings = 4

// splitPath returns the segments of a path as it was sent, or an error if it does not begin with a
// slash. The path "/" has one segment, which is empty.
func splitPath(path string) ([]string, error) {
	if path == "" || path[0] != '/' {
		return nil, &PathError{Segment: path, Problem: "does not begin with a slash"}
	}
	return strings.Split(path[1:], "/"), nil
}

// checkSegments returns an error if servers could read segments in different ways. They differ in dot segments, empty
// segments, escapes (decoded before or after the path is split, once or twice), overlong UTF-8, normalization, white
// space at the end, backslashes, and parameters after a semicolon. The last segment of a path may be empty.
func checkSegments(segments []string, allowed Tail) error {
	for i, s := range segments {
		if s == "" && i < len(segments)-1 && !allowed.has(TailEmptySegments) {
			return &PathError{Problem: "is empty"}
		}
		if problem := segmentProblem(s, allowed); problem != "" {
			return &PathError{Segment: s, Problem: problem}
		}
	}
	return nil
}

// segmentProblem says what is wrong with a segment. It is empty if nothing is.
func segmentProblem(raw string, allowed Tail) string {
	problem := spellingProblem(raw, allowed)
	for decoded, n := raw, 0; problem == ""; n++ {
		before := decoded
		if decoded = unescape(before); decoded == before && n > 0 {
			return ""
		}
		if problem = textProblem(decoded, allowed); problem == "" && n >= maxDecodings {
			problem = "is escaped too often"
		}
	}
	return problem
}

// spellingProblem says what is wrong with how a segment is written, before it is decoded.
func spellingProblem(raw string, allowed Tail) string {
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '%':
			b, ok := unhex(raw[i:])
			if !ok {
				return "has a % that is not an escape"
			}
			if isUnreserved(b) {
				return "escapes a character that needs no escape"
			}
			i += 2
		case isUnreserved(c), strings.IndexByte(":@$&'()*+,=!", c) >= 0:
		case c == ';' && allowed.has(TailDelimiters):
		case c == '\\' && allowed.has(TailBackslash):
		default:
			return "has a character that must be escaped"
		}
	}
	return ""
}

// textProblem says what is wrong with a decoded segment.
func textProblem(s string, allowed Tail) string {
	if !utf8.ValidString(s) {
		return "is not valid UTF-8"
	}
	for _, r := range s {
		var need Tail
		problem := ""
		switch {
		case r == '/':
			need, problem = TailEscapedSlash, "has an escaped slash"
		case r == '%':
			need, problem = TailEscapedPercent, "has an escaped %"
		case r == '\\':
			need, problem = TailBackslash, "has a backslash"
		case r == ';', r == '?', r == '#':
			need, problem = TailDelimiters, "has a delimiter"
		case unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp):
			return "has a control character"
		case r < utf8.RuneSelf:
		case unicode.Is(nfkcDelimiter, r):
			return "has a character that is a delimiter after NFKC"
		case asDelimiter(r) == '/', asDelimiter(r) == '\\':
			need, problem = TailUnicode, "has a character that some readers take for a slash or a backslash"
		case isInvisible(r):
			need, problem = TailUnicode, "has an invisible character"
		case unicode.Is(unassigned, r):
			need, problem = TailUnicode, "has a character that is not assigned"
		}
		if problem != "" && !allowed.has(need) {
			return problem
		}
	}
	if !allowed.has(TailUnicode) && changesUnderNFKC(s) {
		return "changes under NFKC"
	}
	return dotProblem(s, allowed)
}

// dotProblem says what is wrong with the dots and the white space of a decoded segment. Some readers take a plus sign
// for a space, drop invisible characters, or take a look-alike for what it looks like.
func dotProblem(s string, allowed Tail) string {
	isBlank := func(r rune) bool { return asDelimiter(r) == '.' || r == '+' || unicode.IsSpace(r) }
	isDelimiter := func(r rune) bool { return strings.ContainsRune(`/\;?#%`, asDelimiter(r)) }
	visible := strings.Map(func(r rune) rune {
		if isInvisible(r) {
			return -1
		}
		return r
	}, s)
	if visible == "" && s != "" {
		return "has nothing but invisible characters"
	}
	for piece := range strings.FieldsFuncSeq(visible, isDelimiter) {
		if strings.TrimFunc(piece, isBlank) == "" {
			return "has nothing but dots and white space between delimiters"
		}
		if strings.TrimRightFunc(piece, isBlank) != piece && !allowed.has(TailTrailingDots) {
			return "ends in a dot or white space"
		}
	}
	return ""
}

// unescape decodes the escapes of a text once. It leaves what is not an escape.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, ok := unhex(s[i:]); ok {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// unhex returns the byte whose escape s begins with.
func unhex(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	hi, lo := strings.IndexByte(hexDigits, lower(s[1])), strings.IndexByte(hexDigits, lower(s[2]))
	return byte(hi<<4 | lo), hi >= 0 && lo >= 0
}

const hexDigits = "0123456789abcdef"

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// isUnreserved reports whether RFC 3986, section 2.3, says never to escape a byte.
func isUnreserved(c byte) bool {
	return 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
