// Package claimsset tells a claims set, the payload of a token, from a permissions claim. The command and the
// explorer's page both ask it.
package claimsset

import (
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/strictjson"
)

// Is reports whether a JSON object is a claims set and not a permissions claim. A claims set has the permissions
// claim, a name that is nearly its name, or a registered name (RFC 7519, section 4.1), and no scopes. A claim that is
// taken for a claims set would allow everything, so a misspelled scope such as integraton:paragon is not enough. Of a
// text that is not well-formed, Is reads the members before the mistake.
func Is(object string) (is bool) {
	s := strictjson.Scanner{Text: object}
	if s.Space() != '{' {
		return false
	}
	for more := s.Begin('}'); more; {
		if s.Space() != '"' {
			break
		}
		name, ok := s.Name()
		if !ok || !s.Punctuation(':') {
			break
		}
		if isScope(name) {
			return false
		}
		is = is || isOfClaimsSet(name)
		if _, ok = s.Value(); !ok {
			break
		}
		if more, ok = s.More('}'); !ok {
			break
		}
	}
	return is
}

func isScope(name string) bool {
	return strings.HasPrefix(name, "integration:") || strings.HasPrefix(name, "credential:") ||
		strings.HasPrefix(name, "configuration:")
}

func isOfClaimsSet(name string) bool {
	switch name {
	case "iss", "sub", "aud", "exp", "nbf", "iat", "jti":
		return true
	}
	lower := strings.ToLower(name)
	return name == permissions.ClaimName || strings.Contains(lower, "paragon") && strings.Contains(lower, "perm")
}
