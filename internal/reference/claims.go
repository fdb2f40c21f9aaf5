package reference

import (
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode"
)

// claimName is the name of the claim.
const claimName = "urn:useparagon:connect:permissions"

// Claims is a claims set without mistakes (SPEC 7.1).
type Claims struct {
	Issuer, Subject, ID string   // "" where the claims set does not have the claim
	Audience            []string // nil where it does not have the claim, and empty for []

	// Seconds since 1970, rounded to the stricter second (SPEC 7.6); nil where the claims set does not
	// have the claim.
	ExpiresAt, NotBefore, IssuedAt *big.Int

	// HasPolicy says that the claims set has the permissions claim, and Policy is what the claim means.
	// Without the claim, Policy is unrestricted (SPEC 1.7, 7.2).
	HasPolicy bool
	Policy    *Policy
}

// A ClaimsMistake says what is wrong with a claims set.
type ClaimsMistake struct {
	// Kind is one of
	//
	//   - "syntax": the text is not well-formed JSON;
	//   - "type": the claims set is not an object, or a registered claim has a wrong value;
	//   - "repeated": a top-level name is repeated (SPEC 7.3);
	//   - "near": a slip in the claim's name is likely (SPEC 7.4);
	//   - "claim": the permissions claim has a mistake (SPEC 1.8).
	Kind  string
	Name  string   // the top-level name; "" if the mistake is not about one
	Claim *Mistake // for "claim", the mistake in the permissions claim
}

// Error returns the kind and the name.
func (m *ClaimsMistake) Error() string {
	if m.Claim != nil {
		return fmt.Sprintf("%s mistake at %q: %v", m.Kind, m.Name, m.Claim)
	}
	return fmt.Sprintf("%s mistake at %q", m.Kind, m.Name)
}

// ParseClaims reads a claims set: one JSON object (SPEC 7.3, 7.4, 7.6). It reads from the front and
// returns the first mistake. SPEC.md gives no order for claims sets, so this follows 6.2: a name is
// judged at its closing quotation mark (repeated, then near miss), and a value when it is complete. The
// mistakes that depend on the absence of the claim come last, after the end of the text.
func ParseClaims(payload []byte, o Options) (*Claims, *ClaimsMistake) {
	syntax := &ClaimsMistake{Kind: "syntax"}
	r := newReader(payload)
	token, ok := r.next()
	if !ok {
		return nil, syntax
	}
	if token != json.Delim('{') { // a claims set is an object (RFC 7519, section 4)
		return nil, &ClaimsMistake{Kind: "type"}
	}
	claims := new(Claims)
	names := map[string]bool{}
	var slips []string // the names that are mistakes if the claim is not there, in the order of the text
	for {
		token, ok := r.next()
		if !ok {
			return nil, syntax
		}
		if token == json.Delim('}') {
			break
		}
		name := token.(string) // Token returns a string or a closing bracket here
		if names[name] {       // a top-level name is repeated, after decoding (SPEC 7.3)
			return nil, &ClaimsMistake{Kind: "repeated", Name: name}
		}
		names[name] = true
		if isNearMiss(name) { // refused whether or not the claim is there (SPEC 7.4)
			return nil, &ClaimsMistake{Kind: "near", Name: name}
		}
		value, ok := r.value()
		if !ok {
			return nil, syntax
		}
		if mistake := claims.set(name, value, o); mistake != nil {
			return nil, mistake
		}
		if looksLikeClaim(name) || holdsClaim(value) {
			slips = append(slips, name)
		}
	}
	if !r.atEnd() {
		return nil, syntax
	}
	if !claims.HasPolicy {
		if len(slips) > 0 { // refused only without the claim (SPEC 7.4)
			return nil, &ClaimsMistake{Kind: "near", Name: slips[0]}
		}
		claims.Policy = Unrestricted(o.Extra...) // a token without the claim (SPEC 1.7)
	}
	return claims, nil
}

// set takes a member of the claims set. Names compare exactly (SPEC 7.3).
func (c *Claims) set(name string, value []byte, o Options) *ClaimsMistake {
	ok := true
	switch name {
	case claimName:
		policy, mistake := Parse(value, o)
		if mistake != nil { // a malformed claim is an error, never absent (SPEC 1.8)
			return &ClaimsMistake{Kind: "claim", Name: name, Claim: mistake}
		}
		c.HasPolicy, c.Policy = true, policy
	case "iss": // RFC 7519, section 4.1.1: a string
		c.Issuer, ok = text(value)
	case "sub": // RFC 7519, section 4.1.2: a string
		c.Subject, ok = text(value)
	case "aud": // RFC 7519, section 4.1.3: a string, or an array of strings
		c.Audience, ok = texts(value)
	case "jti": // RFC 7519, section 4.1.7: a string
		c.ID, ok = text(value)
	case "exp": // down is stricter (SPEC 7.6)
		c.ExpiresAt, ok = seconds(value, roundDown)
	case "nbf": // up is stricter (SPEC 7.6)
		c.NotBefore, ok = seconds(value, roundUp)
	case "iat": // up is stricter (SPEC 7.6)
		c.IssuedAt, ok = seconds(value, roundUp)
	default: // other claims may hold anything (SPEC 7.3)
	}
	if !ok {
		return &ClaimsMistake{Kind: "type", Name: name}
	}
	return nil
}

// text returns what a JSON string means. Null is not a string.
func text(value []byte) (string, bool) {
	token, _ := newReader(value).next()
	s, isString := token.(string)
	return s, isString
}

// texts returns what a JSON string, or an array of JSON strings, means.
func texts(value []byte) ([]string, bool) {
	if one, isString := text(value); isString {
		return []string{one}, true
	}
	r := newReader(value)
	if token, _ := r.next(); token != json.Delim('[') {
		return nil, false
	}
	list := []string{}
	for {
		token, _ := r.next()
		if token == json.Delim(']') {
			return list, true
		}
		one, isString := token.(string)
		if !isString {
			return nil, false
		}
		list = append(list, one)
	}
}

// lastSecond is the last second of the year 9999 (SPEC 7.6).
const lastSecond = 253402300799

// seconds returns a time: a JSON number of seconds, read exactly and then rounded, from 1970 to the end
// of the year 9999 (SPEC 7.6).
func seconds(value []byte, round func(*big.Rat) *big.Int) (*big.Int, bool) {
	token, _ := newReader(value).next()
	number, isNumber := token.(json.Number)
	if !isNumber { // null is an error (SPEC 7.6)
		return nil, false
	}
	n := round(rational(number.String()))
	return n, n.Sign() >= 0 && n.Cmp(big.NewInt(lastSecond)) <= 0
}

// rational returns the value of a JSON number, or another value that seconds treats alike: 1e999999999
// would take a gigabyte to write out.
//
// A number is some digits, without the point, times a power of ten. Let the text have n bytes. Digits that
// are not zero are a number from 1 up to 10^n. With a power above 20 the value is beyond 10^20, which is
// too late by far, or too early if it is negative. With a power below -n it is between 0 and 1, or between
// 0 and -1, and how near to 0 does not matter. So powers from -n to 20 are enough.
func rational(number string) *big.Rat {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(number), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits, _ := new(big.Int).SetString(whole+fraction, 10)
	power := new(big.Int)
	if hasExponent {
		power.SetString(exponent, 10)
	}
	power.Sub(power, big.NewInt(int64(len(fraction))))

	base, most, least := big.NewInt(10), big.NewInt(20), big.NewInt(int64(-len(number)))
	switch {
	case power.Cmp(most) > 0:
		power = most
	case power.Cmp(least) < 0:
		power = least
	}
	if power.Sign() >= 0 {
		return new(big.Rat).SetInt(digits.Mul(digits, base.Exp(base, power, nil)))
	}
	return new(big.Rat).SetFrac(digits, base.Exp(base, power.Neg(power), nil))
}

// roundDown returns the greatest whole number that is not above x.
func roundDown(x *big.Rat) *big.Int {
	// Div rounds down, because the denominator of a Rat is above zero.
	return new(big.Int).Div(x.Num(), x.Denom())
}

// roundUp returns the least whole number that is not below x.
func roundUp(x *big.Rat) *big.Int {
	below := roundDown(new(big.Rat).Neg(x))
	return below.Neg(below)
}

// isNearMiss reports whether a name is not the claim's, but its letters are at most two edits away from
// the letters of the claim's name (SPEC 7.4).
func isNearMiss(name string) bool {
	a, b := []rune(letters(name)), []rune(letters(claimName))
	if len(a) < len(b)-2 || len(a) > len(b)+2 { // more than two letters must be inserted or deleted
		return false
	}
	return name != claimName && editDistance(a, b) <= 2
}

// looksLikeClaim reports whether the letters of a name end or begin in a way that makes a slip in the
// claim's name likely (SPEC 7.4).
func looksLikeClaim(name string) bool {
	l := letters(name)
	return strings.HasSuffix(l, letters("paragonconnectpermissions")) ||
		strings.HasSuffix(l, letters("paragonpermissions")) ||
		strings.HasPrefix(l, letters("urnuseparagonconnectperm"))
}

// holdsClaim reports whether a value is an object in which a name is exactly the claim's (SPEC 7.4).
func holdsClaim(value []byte) bool {
	r := newReader(value)
	if token, _ := r.next(); token != json.Delim('{') {
		return false
	}
	for {
		token, _ := r.next()
		if token == json.Delim('}') {
			return false
		}
		if token == claimName {
			return true
		}
		r.value()
	}
}

// letters returns the letters of a name, without everything else, and with letter case folded
// (SPEC 7.4). It folds as Unicode does: the long s is an s, and the Kelvin sign a k.
func letters(name string) string {
	var folded []rune
	for _, r := range name {
		if unicode.IsLetter(r) {
			folded = append(folded, fold(r))
		}
	}
	return string(folded)
}

// fold returns the first of the letters that differ from a letter only in case.
func fold(letter rune) rune {
	all := []rune{letter}
	for r := unicode.SimpleFold(letter); r != letter; r = unicode.SimpleFold(r) {
		all = append(all, r)
	}
	return slices.Min(all)
}

// editDistance returns the least number of letters to insert, delete or replace that makes b of a. It
// fills in the whole table of the textbook.
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
			case a[i-1] == b[j-1]:
				table[i][j] = table[i-1][j-1]
			default:
				table[i][j] = 1 + min(table[i-1][j-1], table[i-1][j], table[i][j-1])
			}
		}
	}
	return table[len(a)][len(b)]
}
