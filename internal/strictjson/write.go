package strictjson

import "strings"

// AppendString appends a JSON string. It copies invalid UTF-8, and then the result is not JSON.
// Give it valid text, or check the result with a [Scanner].
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"', c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', '0'+c>>4, "0123456789abcdef"[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// AppendList appends the elements of a list, with commas between them and a pair of brackets around
// them. The opening bracket is [ or {.
func AppendList[E any](b []byte, opening byte, list []E, appendElement func([]byte, E) []byte) []byte {
	b = append(b, opening)
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendElement(b, e)
	}
	return append(b, opening+toClosing)
}

// EscapePointer returns a name as one part of a JSON Pointer (RFC 6901, section 3).
func EscapePointer(name string) string {
	if strings.IndexByte(name, '~') < 0 && strings.IndexByte(name, '/') < 0 {
		return name
	}
	return pointerEscapes.Replace(name)
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")
