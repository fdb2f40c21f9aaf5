package permissions

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// Claims is the claims set of a Paragon User Token (SPEC 7): the registered claims, and
// the policy that the permissions claim is. [Verifier.Verify] returns one. It can also
// be decoded by golang-jwt:
//
//	claims := new(permissions.Claims)
//	_, err := jwt.ParseWithClaims(token, claims, keyfunc, jwt.WithValidMethods([]string{"RS256"}))
//
// The zero Claims has no policy, and so denies everything. A Claims that is decoded into
// anew holds nothing of what it held, even if decoding fails. Take a new one for every
// token all the same: golang-jwt does not hand it a payload that is no JSON, which is an
// error, or that is null, which is none.
//
// A struct that embeds Claims also gets its UnmarshalJSON and MarshalJSON, which know
// nothing but the Claims; the example shows how such a struct decodes claims of its own.
type Claims struct {
	jwt.RegisteredClaims

	// Policy is what the permissions claim says: [Unrestricted] if there was none.
	// Nil denies everything. UnmarshalJSON leaves it nil only with an error.
	Policy *Policy

	options *parseOptions // nil for the default
}

// NewClaims returns a Claims to be decoded with options. To decode with none, any Claims
// will do. An option that is wrong in itself is reported when decoding.
func NewClaims(opts ...Option) *Claims {
	o, _ := newParseOptions(opts)
	return &Claims{options: o}
}

// UnmarshalJSON decodes a claims set: one JSON object. Names compare exactly (SPEC 7.3),
// values have the types that RFC 7519 gives them, and a time is a whole number of
// seconds up to the end of the year 9999. The following are refused with an error that
// matches [ErrToken]: a name that stands twice at the top (SPEC 7.3), a name that is
// nearly [ClaimName] (SPEC 7.4), and a permissions claim that [Parse] refuses, whose
// [*ParseError] it wraps.
//
// An error leaves c without claims and without a policy.
func (c *Claims) UnmarshalJSON(data []byte) error {
	return c.decode(string(data))
}

func (c *Claims) decode(text string) error {
	*c = Claims{options: c.options}
	d := claimsDecoder{scanner: scanner{text: text}, options: c.options}
	if d.options == nil {
		d.options = &defaultParseOptions
	}
	if d.options.err != nil {
		return d.options.err
	}
	if err := d.decode(); err != nil {
		return refuse(jwt.ErrTokenMalformed, err)
	}
	c.RegisteredClaims, c.Policy = d.registered, d.policy
	if c.Policy == nil {
		c.Policy = Unrestricted()
	}
	return nil
}

// MarshalJSON encodes the claims set, for signing. The permissions claim is left out if
// the policy is [Unrestricted], and only then; a nil or zero policy is {}, which denies
// everything.
func (c Claims) MarshalJSON() ([]byte, error) {
	if c.Policy.IsUnrestricted() {
		return json.Marshal(c.RegisteredClaims)
	}
	policy := c.Policy
	if policy == nil {
		policy = new(Policy)
	}
	return json.Marshal(struct {
		jwt.RegisteredClaims
		Policy *Policy `json:"urn:useparagon:connect:permissions"`
	}{c.RegisteredClaims, policy})
}

// A claimsDecoder reads a claims set.
type claimsDecoder struct {
	scanner
	options    *parseOptions
	registered jwt.RegisteredClaims
	policy     *Policy // nil until the claim was seen
	seen       nameSet
}

func (d *claimsDecoder) decode() error {
	if d.space() != '{' {
		return errors.New("the claims set is no JSON object")
	}
	more, ok := d.begin('}'), true
	for ; more && ok; more, ok = d.more('}') {
		if err := d.claim(); err != nil {
			return err
		}
	}
	if !ok || !d.end() {
		return d.syntax()
	}
	return nil
}

// claim reads a name and its value.
func (d *claimsDecoder) claim() error {
	name, ok := d.name()
	if !ok {
		return d.syntax()
	}
	if !d.seen.add(name) {
		return fmt.Errorf("the claim %s stands twice", quote(name))
	}
	if !d.punctuation(':') {
		return d.syntax()
	}
	r := &d.registered
	switch name {
	case ClaimName:
		return d.permissions()
	case "iss":
		return d.text(name, &r.Issuer)
	case "sub":
		return d.text(name, &r.Subject)
	case "jti":
		return d.text(name, &r.ID)
	case "aud":
		return d.audience()
	case "exp":
		return d.time(name, &r.ExpiresAt)
	case "nbf":
		return d.time(name, &r.NotBefore)
	case "iat":
		return d.time(name, &r.IssuedAt)
	}
	if isNearClaimName(name) {
		return fmt.Errorf("the claim %s is nearly %q, and a slip there would allow everything; spell it so", quote(name), ClaimName)
	}
	if _, ok := d.skip(); !ok {
		return d.syntax()
	}
	return nil
}

// permissions reads the permissions claim.
func (d *claimsDecoder) permissions() error {
	value, ok := d.skip()
	if !ok {
		return d.syntax()
	}
	policy, err := parse(value, d.options, fromText)
	d.policy = policy
	return err
}

func (d *claimsDecoder) text(name string, to *string) error {
	if d.space() != '"' {
		return d.wrong(name, "a string")
	}
	value, ok := d.str()
	if !ok {
		return d.syntax()
	}
	*to = value
	return nil
}

// audience reads aud, which is a string or an array of them (RFC 7519, 4.1.3).
func (d *claimsDecoder) audience() error {
	var one string
	if d.space() != '[' {
		if d.space() != '"' {
			return d.wrong("aud", "a string or an array of strings")
		}
		if err := d.text("aud", &one); err != nil {
			return err
		}
		d.registered.Audience = jwt.ClaimStrings{one}
		return nil
	}
	more, ok := d.begin(']'), true
	for ; more && ok; more, ok = d.more(']') {
		if err := d.text("aud", &one); err != nil {
			return err
		}
		d.registered.Audience = append(d.registered.Audience, one)
	}
	if !ok {
		return d.syntax()
	}
	return nil
}

// lastSecond is the end of the year 9999.
const lastSecond = 253402300799

// time reads a NumericDate (RFC 7519, 2), which here has no fraction, so that nothing is
// rounded.
func (d *claimsDecoder) time(name string, to **jwt.NumericDate) error {
	const want = "a number of whole seconds since 1970, and before the year 10000"
	if c := d.space(); c != '-' && (c < '0' || c > '9') {
		return d.wrong(name, want)
	}
	number, ok := d.number()
	if !ok {
		return d.syntax()
	}
	seconds, err := strconv.ParseInt(number, 10, 64)
	if err != nil || seconds < 0 || seconds > lastSecond {
		return d.wrong(name, want)
	}
	*to = &jwt.NumericDate{Time: time.Unix(seconds, 0)}
	return nil
}

func (d *claimsDecoder) wrong(name, want string) error {
	return fmt.Errorf("the claim %q is not %s", name, want)
}

func (d *claimsDecoder) syntax() error {
	return fmt.Errorf("the claims set %s (byte %d)", d.problem, d.i)
}

// A nameSet notices a name that comes for the second time. The zero nameSet is empty.
type nameSet struct {
	few  [16]string
	n    int
	many map[string]struct{}
}

// add adds a name, and reports whether it was new.
func (s *nameSet) add(name string) bool {
	for _, other := range s.few[:s.n] {
		if other == name {
			return false
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = name
		s.n++
		return true
	}
	if _, ok := s.many[name]; ok {
		return false
	}
	if s.many == nil {
		s.many = make(map[string]struct{})
	}
	s.many[name] = struct{}{}
	return true
}

// isNearClaimName reports whether a name is, letter case aside, the claim's or one or
// two characters away from it (SPEC 7.4). It is not the claim's name itself.
func isNearClaimName(name string) bool {
	const off = 2
	if len(name) < len(ClaimName)-off || len(name) > utf8.UTFMax*(len(ClaimName)+off) {
		return false
	}
	folded := strings.ToLower(strings.ToUpper(name)) // \u017f is an s too, and only in capitals
	return distance(folded, ClaimName, off+1) <= off
}
