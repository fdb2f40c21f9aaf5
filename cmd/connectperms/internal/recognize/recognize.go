// Package recognize finds the token or the claim in what somebody pasted: a token, an Authorization or
// Cookie header, a curl command, a permissions claim, or a whole claims set.
package recognize

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/connectperms/permissions/cmd/connectperms/internal/claimsset"
)

// A Form is what an input was recognized as.
type Form uint8

// The forms. The zero Form is none.
const (
	Token   Form = 1 + iota // a token, perhaps inside a header line or a command
	Payload                 // a claims set: the decoded payload of a token
	Claim                   // a permissions claim
)

// String returns the form for people, such as "a token".
func (f Form) String() string {
	return [...]string{"nothing", "a token", "a claims set", "a permissions claim"}[f]
}

// An Input is what was found.
type Input struct {
	Form Form

	// Text is the token, the claims set or the claim. A token has no white space, and exactly two dots.
	Text string

	// Offset is where Text begins in the decoded input, in bytes. It is 0 for a token found in a text with percent
	// escapes, because decoding these shifts offsets.
	Offset int
}

// An Error says why nothing was recognized. It holds no part of the input.
type Error struct {
	Offset  int // in the decoded input, in bytes
	Problem string
}

// Error returns the problem.
func (e *Error) Error() string { return e.Problem }

// Decode returns the text of an input as UTF-8 without a byte order mark. Programs on Windows write UTF-16
// into a pipe or a file.
func Decode(data []byte) []byte {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return data[3:]
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return fromUTF16(data[2:], binary.LittleEndian)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return fromUTF16(data[2:], binary.BigEndian)
	}
	return data
}

func fromUTF16(data []byte, order binary.ByteOrder) (text []byte) {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	for _, r := range utf16.Decode(units) {
		text = utf8.AppendRune(text, r)
	}
	return text
}

// Find recognizes a decoded input. The error is an [*Error].
func Find(text []byte) (Input, error) {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) == 0 {
		return Input{}, &Error{0, "there is nothing in it"}
	}
	start := bytes.Index(text, trimmed)
	switch trimmed[0] {
	case '{':
		form := Claim
		if claimsset.Is(string(trimmed)) {
			form = Payload
		}
		return Input{form, string(trimmed), start}, nil
	case '[':
		return Input{Claim, string(trimmed), start}, nil // the parser says what is wrong
	case '"':
		if token, ok := whole(strings.Trim(string(trimmed), `"`)); ok {
			return Input{Token, token, start + 1}, nil
		}
		if !tokenBeginning.Match(trimmed) {
			return Input{Claim, string(trimmed), start}, nil // a claim that is a JSON string (SPEC 6.3)
		}
	}
	if token, ok := whole(string(trimmed)); ok {
		return Input{Token, token, start}, nil
	}
	return inside(string(text))
}

// The header of a token is a JSON object, so its base64 begins as that of `{"`, of `{ "`, or of { and a line break
// or a tab.
var (
	tokenBeginning = regexp.MustCompile(`(?:^|[^A-Za-z0-9_-])((?:eyJ|eyAi|ewo|ew0K|ewk)[A-Za-z0-9_-]{8,})`)
	tokenText      = regexp.MustCompile(`^[A-Za-z0-9_-]+=*(?:\.[A-Za-z0-9_-]*=*)*`)
	onlyToken      = regexp.MustCompile(`^[A-Za-z0-9_+/=-]+\.[A-Za-z0-9_+/=-]*\.[A-Za-z0-9_+/=-]*$`)
	anyToken       = regexp.MustCompile(`eyJ[A-Za-z0-9_-]{8,}[A-Za-z0-9_.=+-]*|` +
		`\b(?:eyAi|ewo|ew0K|ewk)[A-Za-z0-9_-]{8,}[A-Za-z0-9_.=+-]*`)
	anyKey = regexp.MustCompile(`-----BEGIN|\bLS0tLS1CRUdJTi|\bMII[A-Za-z0-9+/_-]{60}`) // or a certificate
	bearer = regexp.MustCompile(`(?i)\bbearer[ \t+]*$`)
)

// IsSecret reports whether a text has something in it that may be a token or a part of one, or a key.
func IsSecret(text string) bool {
	unescaped := unescape(text)
	return tokenBeginning.MatchString(unescaped) || anyToken.MatchString(text) || anyKey.MatchString(text)
}

// Redact replaces everything that may be a token or a part of one.
func Redact(text string) string {
	if !strings.Contains(text, "ey") && !strings.Contains(text, "ew") {
		return text // most texts
	}
	return anyToken.ReplaceAllString(text, "(a token)")
}

// whole takes a text that is a token and nothing else. A line break may be in it, because mail programs
// and terminals make them.
func whole(text string) (token string, ok bool) {
	token = strings.Join(strings.Fields(text), "")
	m := tokenBeginning.FindStringIndex(token)
	return token, m != nil && m[0] == 0 && onlyToken.MatchString(token)
}

// A candidate is a token inside a text.
type candidate struct {
	token  string
	offset int
	bearer bool
}

// inside looks for one token in a text such as a header line or a curl command. If there are several, it takes the
// one after "Bearer". Several different ones are an error. In a text with percent escapes it finds no offset.
func inside(text string) (Input, error) {
	plain := unescape(text)
	if len(plain) != len(text) {
		return insideUnescaped(plain, func(int) int { return 0 })
	}
	return insideUnescaped(plain, func(i int) int { return i })
}

func insideUnescaped(text string, place func(int) int) (Input, error) {
	var found []candidate
	broken, brokenParts, end := -1, 0, 0
	for _, m := range tokenBeginning.FindAllStringSubmatchIndex(text, -1) {
		start := m[2]
		if start < end {
			continue // inside the last one: the payload of a token begins as its header does
		}
		token := tokenText.FindString(text[start:])
		end = start + len(token)
		if strings.Count(token, ".") == 3 {
			token = strings.TrimSuffix(token, ".") // the end of a sentence
		}
		if parts := strings.Count(token, ".") + 1; parts != 3 {
			if broken < 0 {
				broken, brokenParts = start, parts
			}
			continue
		}
		before := strings.TrimRight(text[max(0, start-20):start], `"'`)
		found = append(found, candidate{token, start, bearer.MatchString(before)})
	}
	if i := slices.IndexFunc(found, func(c candidate) bool { return c.bearer }); i >= 0 {
		found = slices.DeleteFunc(found, func(c candidate) bool { return !c.bearer })
	}
	if len(found) == 0 {
		return Input{}, noToken(text, place, broken, brokenParts)
	}
	for _, c := range found[1:] {
		if c.token != found[0].token {
			return Input{}, &Error{place(c.offset), "there are several different tokens in it; give the one that is meant alone"}
		}
	}
	return Input{Token, found[0].token, place(found[0].offset)}, nil
}

func noToken(text string, place func(int) int, broken, parts int) error {
	switch {
	case broken >= 0 && parts == 5:
		return &Error{place(broken), "there is an encrypted token in it, which has five parts; " +
			"a Paragon User Token is signed and not encrypted"}
	case broken >= 0:
		return &Error{place(broken), fmt.Sprintf("there is a token in it that is not whole: "+
			"it has %d parts, and a token has three, with dots between them", parts)}
	case strings.Contains(text, "-----BEGIN"):
		return &Error{0, "there is a key in it, and neither a token nor a claim"}
	case utf8.ValidString(text):
		return &Error{0, "there is neither a token nor a claim in it"}
	}
	return &Error{0, "it is not text"}
}

// unescape replaces percent escapes such as %3A, which are in cookies and in URLs.
func unescape(text string) string {
	if !strings.Contains(text, "%") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if high, low := hex(text, i+1), hex(text, i+2); text[i] == '%' && high >= 0 && low >= 0 {
			b.WriteByte(byte(high<<4 | low))
			i += 2
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func hex(text string, i int) int {
	if i >= len(text) {
		return -1
	}
	return strings.IndexByte("0123456789abcdef", strings.ToLower(text[i : i+1])[0])
}

// Split takes a token apart without verifying anything: the header and the payload, decoded. It accepts padding, +
// and /, which every verifier refuses.
func Split(token string) (header, payload []byte, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, nil, fmt.Errorf("the token has %d parts and not three", len(parts))
	}
	if header, err = decode(parts[0]); err != nil {
		return nil, nil, fmt.Errorf("the header of the token is not base64url")
	}
	if payload, err = decode(parts[1]); err != nil {
		return header, nil, fmt.Errorf("the payload of the token is not base64url")
	}
	return header, payload, nil
}

func decode(part string) ([]byte, error) {
	part = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(part, "="))
	return base64.RawURLEncoding.DecodeString(part)
}
