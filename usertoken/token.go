package usertoken

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// A token is a JWT in its compact form, split into its parts and decoded. Only its header has been
// read.
type token struct {
	raw        string
	headerJSON []byte
	header     header
	signed     string // the text that the signature is for
	payload    []byte
	signature  []byte
}

// A header has the parameters of a token's header that this package reads.
type header struct {
	alg, typ, kid    string // empty if it is not a string
	hasAlg, hasTyp   bool
	hasKid, critical bool
}

// parseToken splits a token in compact form, and decodes its parts and its header (SPEC 7.5). It
// does not read the payload.
func parseToken(raw string, maxToken int) (*token, error) {
	if len(raw) > maxToken {
		return nil, malformed("token", "has "+strconv.Itoa(len(raw))+" bytes, and may have "+strconv.Itoa(maxToken),
			"WithMaxTokenSize sets the limit")
	}
	if raw == "" {
		return nil, malformed("token", "is empty", "")
	}
	first := strings.IndexByte(raw, '.')
	last := strings.LastIndexByte(raw, '.')
	if first < 0 || first == last || strings.IndexByte(raw[first+1:last], '.') >= 0 {
		return nil, malformed("token", "is not three parts with dots between them", shapeRemedy(raw))
	}
	t := &token{raw: raw, signed: raw[:last]}
	buffer := make([]byte, base64url.DecodedLen(len(raw)))
	for _, part := range [...]struct {
		name, text string
		to         *[]byte
	}{
		{"header", raw[:first], &t.headerJSON},
		{"payload", raw[first+1 : last], &t.payload},
		{"signature", raw[last+1:], &t.signature},
	} {
		n, ok := decodePart(buffer, part.text)
		if !ok {
			return nil, malformed(part.name, "is not base64url without padding", shapeRemedy(raw))
		}
		*part.to, buffer = buffer[:n:n], buffer[n:]
	}
	return t, t.header.read(string(t.headerJSON))
}

// shapeRemedy says what a text that is not a token may be, as far as its shape tells.
func shapeRemedy(raw string) string {
	const scheme = "bearer "
	trimmed := strings.TrimSpace(raw)
	switch {
	case len(trimmed) >= len(scheme) && strings.EqualFold(trimmed[:len(scheme)], scheme):
		return `it begins with the scheme "Bearer", which must be removed`
	case trimmed != raw:
		return "it begins or ends with white space, which must be removed"
	case strings.Trim(raw, `"'`) != raw:
		return "it is in quotation marks, which must be removed"
	case strings.Count(raw, ".") == 4:
		return "it has five parts, as an encrypted token (JWE) has"
	}
	return ""
}

// base64url is the encoding of RFC 7515: no padding, and no bits left over. It is not modified.
var base64url = base64.RawURLEncoding.Strict()

// decodePart decodes base64url. It returns how many bytes it has put into buffer. It refuses line breaks, which
// encoding/base64 would skip.
func decodePart(buffer []byte, s string) (n int, ok bool) {
	if strings.IndexByte(s, '\r') >= 0 || strings.IndexByte(s, '\n') >= 0 {
		return 0, false
	}
	n, err := base64url.Decode(buffer, []byte(s))
	return n, err == nil
}

// read reads a header.
func (h *header) read(json string) error {
	s := strictjson.Scanner{Text: json}
	if s.Space() != '{' {
		return malformed("header", "is not a JSON object", "")
	}
	var seen strictjson.Names
	more, ok := s.Begin('}'), true
	for more && ok {
		var name string
		if name, ok = s.Name(); !ok {
			break
		}
		if !seen.Add(name) {
			return malformed(field(name), "is in the header twice", "")
		}
		if ok = s.Punctuation(':'); !ok {
			break
		}
		var value string
		if s.Space() == '"' {
			value, ok = s.Str()
		} else {
			_, ok = s.Value()
		}
		switch name {
		case "alg":
			h.alg, h.hasAlg = value, true
		case "typ":
			h.typ, h.hasTyp = value, true
		case "kid":
			h.kid, h.hasKid = value, true
		case "crit":
			h.critical = true
		}
		if ok {
			more, ok = s.More('}')
		}
	}
	if !ok || !s.End() {
		return malformed("header", s.Problem+" (byte "+strconv.Itoa(s.Pos)+")", "")
	}
	return nil
}

// check checks the header (SPEC 7.5). With nil types the type must be JWT, or missing.
func (h *header) check(types []string) error {
	refuse := func(field, value string, present bool, wanted, remedy string) error {
		e := &TokenError{Kind: jwt.ErrTokenUnverifiable, Field: field, Problem: "is not " + wanted, Remedy: remedy}
		switch {
		case !present:
			e.Problem = "is missing, and must be " + wanted
		case value == "":
			e.Problem = "is empty or not a string, and must be " + wanted
		default:
			e.Found = text.Quote(value)
		}
		return e
	}
	switch {
	case h.alg != "RS256":
		return refuse("alg", h.alg, h.hasAlg, `"RS256"`, "")
	case h.critical:
		return &TokenError{
			Kind: jwt.ErrTokenUnverifiable, Field: "crit", Problem: "marks an extension as critical, and none is known",
		}
	case types == nil && h.hasTyp && !equalFoldASCII(h.typ, defaultType):
		return refuse("typ", h.typ, true, `"JWT"`, "WithType accepts other types")
	case types != nil && !h.hasOneOf(types):
		return refuse("typ", h.typ, h.hasTyp, anyOf(types), "")
	}
	return nil
}

const defaultType = "JWT"

func (h *header) hasOneOf(types []string) bool {
	for _, t := range types {
		if equalFoldASCII(h.typ, t) {
			return true
		}
	}
	return false
}

// equalFoldASCII compares without regard to letter case in ASCII. strings.EqualFold would take the
// Kelvin sign for a k.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// anyOf lists names that are wanted, for a message.
func anyOf(names []string) string { return list(names, " or ") }

// list lists names for a message, up to a few of them.
func list(names []string, separator string) string {
	const most = 3
	var quoted []string
	for _, name := range names[:min(len(names), most)] {
		quoted = append(quoted, text.Quote(name))
	}
	if len(names) > most {
		quoted = append(quoted, strconv.Itoa(len(names)-most)+" more")
	}
	return strings.Join(quoted, separator)
}
