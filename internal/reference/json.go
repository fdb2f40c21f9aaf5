package reference

import (
	"bytes"
	"encoding/json"
	"io"
)

// A reader reads one JSON text, token by token. It stops at the first syntax mistake.
type reader struct {
	text   []byte
	tokens *json.Decoder
	open   []json.Delim // the opening brackets that are not closed yet, the outermost first
}

func newReader(text []byte) *reader {
	tokens := json.NewDecoder(bytes.NewReader(text))
	tokens.UseNumber() // without it, a number that float64 cannot hold would be an error
	return &reader{text: text, tokens: tokens}
}

// next returns the next token, or false for a syntax mistake. It reads up to the end of the token and
// no further, so that a mistake in the token comes before a syntax mistake that follows (SPEC 6.2).
//
// Token requires commas and colons where they must be and nowhere else. Inside brackets the end of the
// text is an error. Inside a string, a byte that is not UTF-8 and a lone surrogate become U+FFFD;
// elsewhere, they are errors, and so is a byte order mark (SPEC 6.2).
func (r *reader) next() (json.Token, bool) {
	token, err := r.tokens.Token()
	if err != nil {
		return nil, false
	}
	switch token := token.(type) {
	case json.Delim:
		if token == '{' || token == '[' {
			r.open = append(r.open, token)
		} else {
			r.open = r.open[:len(r.open)-1]
		}
	case json.Number:
		if !r.numberMayEnd() {
			return nil, false
		}
	}
	return token, true
}

// numberMayEnd reports whether a number may end where the reader is. A number is judged at the first
// character that cannot continue it. If that character cannot follow a value, it is a syntax mistake: 01 is a
// syntax mistake, and not the number 0 in a wrong place (SPEC 6.2). A number that is followed by the end of the
// text inside a bracket is a syntax mistake too.
func (r *reader) numberMayEnd() bool {
	rest := r.text[r.tokens.InputOffset():]
	if len(rest) == 0 {
		return len(r.open) == 0
	}
	switch rest[0] {
	case ' ', '\t', '\r', '\n':
		return true
	case ',':
		return len(r.open) > 0
	case '}':
		return r.inside('{')
	case ']':
		return r.inside('[')
	default:
		return false
	}
}

// inside reports whether the innermost open bracket is the given one.
func (r *reader) inside(bracket json.Delim) bool {
	return len(r.open) > 0 && r.open[len(r.open)-1] == bracket
}

// value reads the whole value of a member, and returns its text. It allows any depth.
func (r *reader) value() ([]byte, bool) {
	start, depth := r.tokens.InputOffset(), len(r.open)
	for {
		if _, ok := r.next(); !ok {
			return nil, false
		}
		if len(r.open) == depth {
			text := r.text[start:r.tokens.InputOffset()]
			return bytes.TrimLeft(text, " \t\r\n:"), true // the colon before the value is read with it
		}
	}
}

// atEnd reports whether only white space is left.
func (r *reader) atEnd() bool {
	_, err := r.tokens.Token()
	return err == io.EOF
}
