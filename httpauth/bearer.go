package httpauth

import (
	"errors"
	"net/http"
	"strings"
)

var (
	// ErrNoToken says that a request has no bearer token: no Authorization header, or one
	// of another scheme. It is answered with 401 and no code (RFC 6750, section 3.1).
	ErrNoToken = errors.New("no bearer token")

	// ErrAuthorization says that a request has more than one Authorization header, or one
	// of the scheme Bearer that does not hold one token. It is answered with 400 and
	// [CodeInvalidRequest].
	ErrAuthorization = errors.New("malformed Authorization header")
)

// bearer returns the token of a request. No error contains any of it.
func bearer(header http.Header) (string, error) {
	values := header.Values("Authorization")
	switch {
	case len(values) == 0:
		return "", ErrNoToken
	case len(values) > 1:
		// Which of them the next server would take is anybody's guess.
		return "", ErrAuthorization
	}
	// RFC 9110, section 11.4: the scheme in any letter case, spaces, and the token. An empty
	// header has no scheme.
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ErrNoToken
	}
	token = strings.TrimLeft(token, " ")
	if !isToken68(token) {
		return "", ErrAuthorization
	}
	return token, nil
}

// isToken68 reports whether s is a b64token of RFC 6750, section 2.1, which is the token68 of
// RFC 9110.
func isToken68(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '-', c == '.', c == '_', c == '~', c == '+', c == '/':
		default:
			return false
		}
	}
	return s != ""
}
