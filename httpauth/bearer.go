package httpauth

import (
	"errors"
	"strings"
)

var (
	// ErrNoToken says that a request has no token. It is answered with 401, and with no code (RFC
	// 6750, section 3.1).
	ErrNoToken = errors.New("no bearer token")

	// ErrAuthorization says that a request has several Authorization headers, or one of the scheme
	// Bearer that does not hold exactly one token. It is answered with 400 and [CodeInvalidRequest].
	ErrAuthorization = errors.New("malformed Authorization header: " +
		"there must be one, with exactly one token after Bearer")
)

// BearerToken returns the token in the Authorization headers of a request (RFC 6750, section 2.1). It
// takes the value of each such header:
//
//	httpauth.BearerToken(r.Header.Values("Authorization")...) // net/http
//	httpauth.BearerToken(md.Get("authorization")...)          // metadata of gRPC
//
// The scheme is Bearer in any letter case, and one or more spaces follow it. A tab there, or anything
// else that makes the first word not Bearer, is another scheme.
//
// The error is [ErrNoToken] (401) if there is no value, or one that is empty or has another scheme. It
// is [ErrAuthorization] (400) if there are several values, or if what follows Bearer is not one token:
// nothing, a list, or something with white space or other characters in it. No error contains any of a
// value.
func BearerToken(authorization ...string) (string, error) {
	switch {
	case len(authorization) == 0:
		return "", ErrNoToken
	case len(authorization) > 1: // another server could take another one of them
		return "", ErrAuthorization
	}
	scheme, token, _ := strings.Cut(authorization[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ErrNoToken
	}
	token = strings.TrimLeft(token, " ")
	if !isToken68(token) {
		return "", ErrAuthorization
	}
	return token, nil
}

// isToken68 reports whether s is a b64token of RFC 6750, section 2.1, which is the token68 of RFC
// 9110, section 11.2.
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
