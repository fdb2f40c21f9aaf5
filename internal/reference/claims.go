package reference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"slices"
	"unicode"
)

// claimName is the name of the claim.
const claimName = "urn:useparagon:connect:permissions"

// Claims is a claims set that was found to be free of mistakes. // 7.1
type Claims struct {
	Issuer, Subject, ID string
	Audience            []string

	// Seconds since 1970; nil where the claim is absent.
	ExpiresAt, NotBefore, IssuedAt *big.Int

	// HasPolicy says that the permissions claim is present, and Policy is what it says. Without it the token is
	// unrestricted. // 1.7, 7.2
	HasPolicy bool
	Policy    *Policy
}

// A ClaimsMistake is what is wrong with a claims set.
type ClaimsMistake struct {
	Kind  string   // "syntax", "type", "repeated", "near" or "claim"
	Name  string   // of the member; "" for a syntax mistake
	Claim *Mistake // for "claim", the mistake in the permissions claim
}

// Error returns the kind and the name.
func (m *ClaimsMistake) Error() string {
	if m.Claim != nil {
		return fmt.Sprintf("%s mistake at %q: %v", m.Kind, m.Name, m.Claim)
	}
	return fmt.Sprintf("%s mistake at %q", m.Kind, m.Name)
}

// ParseClaims reads a claims set: one JSON object. It reads from the front and stops at the first mistake, where
// the value of a member is looked at when it has been read to its end. // 7.3
func ParseClaims(payload []byte, o Options) (*Claims, *ClaimsMistake) {
	syntax := &ClaimsMistake{Kind: "syntax"}
	tokens := json.NewDecoder(bytes.NewReader(payload))
	tokens.UseNumber() // or else a large number would be an error
	token, err := tokens.Token()
	if err != nil {
		return nil, syntax
	}
	if token != json.Delim('{') { // 7.3: a claims set is an object
		return nil, &ClaimsMistake{Kind: "type"}
	}
	claims := new(Claims)
	var names []string
	for tokens.More() {
		token, err := tokens.Token()
		if err != nil {
			return nil, syntax
		}
		name := token.(string)            // Token allows nothing else here
		if slices.Contains(names, name) { // 7.3: no name stands twice
			return nil, &ClaimsMistake{Kind: "repeated", Name: name}
		}
		names = append(names, name)
		behind := bytes.TrimLeft(payload[tokens.InputOffset():], " \t\r\n")
		if !bytes.HasPrefix(behind, []byte(":")) {
			return nil, syntax
		}
		if isNear(name) { // 7.4, whatever its value
			return nil, &ClaimsMistake{Kind: "near", Name: name}
		}
		var value json.RawMessage
		if err := tokens.Decode(&value); err != nil {
			return nil, syntax
		}
		if mistake := claims.set(name, value, o); mistake != nil {
			return nil, mistake
		}
	}
	if token, err := tokens.Token(); err != nil || token != json.Delim('}') {
		return nil, syntax
	}
	if _, err := tokens.Token(); err != io.EOF {
		return nil, syntax
	}
	return claims, nil
}

// set takes one member, whose name compares exactly. // 7.3
func (c *Claims) set(name string, value json.RawMessage, o Options) *ClaimsMistake {
	wrong := &ClaimsMistake{Kind: "type", Name: name}
	decoded := decode(value)
	ok := true
	switch name {
	case claimName:
		policy, mistake := Parse(value, o)
		if mistake != nil { // 1.8
			return &ClaimsMistake{Kind: "claim", Name: name, Claim: mistake}
		}
		c.HasPolicy, c.Policy = true, policy
	case "iss":
		c.Issuer, ok = decoded.(string)
	case "sub":
		c.Subject, ok = decoded.(string)
	case "jti":
		c.ID, ok = decoded.(string)
	case "aud": // RFC 7519, 4.1.3: a string, or an array of them
		var list []any
		if one, isString := decoded.(string); isString {
			c.Audience = []string{one}
		} else if list, ok = decoded.([]any); ok {
			for _, element := range list {
				one, isString := element.(string)
				if !isString {
					return wrong
				}
				c.Audience = append(c.Audience, one)
			}
		}
	case "exp":
		c.ExpiresAt, ok = seconds(decoded)
	case "nbf":
		c.NotBefore, ok = seconds(decoded)
	case "iat":
		c.IssuedAt, ok = seconds(decoded)
	}
	if !ok {
		return wrong
	}
	return nil
}

// decode returns what a well-formed JSON value means, with numbers as they are spelled.
func decode(value json.RawMessage) any {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var decoded any
	if err := decoder.Decode(&decoded); err != nil {
		panic(err) // it was read before
	}
	return decoded
}

// seconds returns a time: a whole number of seconds, spelled without a point or an exponent, from 1970 to the end
// of the year 9999.
func seconds(value any) (*big.Int, bool) {
	number, isNumber := value.(json.Number)
	if !isNumber {
		return nil, false
	}
	n, ok := new(big.Int).SetString(number.String(), 10)
	if !ok || n.Sign() < 0 || n.Cmp(big.NewInt(253402300799)) > 0 {
		return nil, false
	}
	return n, true
}

// isNear reports whether a name is nearly the claim's: one or two characters away from it, or none when letter
// case is left aside. // 7.4
func isNear(name string) bool {
	a, b := []rune(name), []rune(claimName)
	if len(a) < len(b)-2 || len(a) > len(b)+2 { // then more than two must be added or removed
		return false
	}
	return name != claimName && editDistance(a, b) <= 2
}

// editDistance is the least number of characters to add, remove or replace to make b of a, where two characters
// that differ in nothing but letter case are the same. It is the textbook's table, in full.
func editDistance(a, b []rune) int {
	table := make([][]int, len(a)+1)
	for i := range table {
		table[i] = make([]int, len(b)+1)
		for j := range table[i] {
			switch {
			case i == 0:
				table[i][j] = j
			case j == 0:
				table[i][j] = i
			case sameLetter(a[i-1], b[j-1]):
				table[i][j] = table[i-1][j-1]
			default:
				table[i][j] = 1 + min(table[i-1][j-1], table[i-1][j], table[i][j-1])
			}
		}
	}
	return table[len(a)][len(b)]
}

// sameLetter reports whether two characters are the same but for letter case.
func sameLetter(a, b rune) bool {
	return unicode.ToLower(unicode.ToUpper(a)) == unicode.ToLower(unicode.ToUpper(b))
}
