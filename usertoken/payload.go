package usertoken

import (
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

const claimQuoted = `"` + permissions.ClaimName + `"`

// A claimsSet is a claims set that was read. What is read of it shares no memory with the text.
type claimsSet struct {
	registered jwt.RegisteredClaims // Audience is nil if there is no aud, and otherwise not
	validity
	policy *permissions.Policy // nil if there is no permissions claim
	text   string              // the JSON
}

// A claimsDecoder reads a claims set.
type claimsDecoder struct {
	strictjson.Scanner
	data    []byte // the bytes of Text, so that Parse gets a part of them without a copy
	options []permissions.Option
	set     claimsSet
	seen    strictjson.Names

	// suspect is the error to return if the permissions claim turns out to be missing (SPEC 7.4). It is about the first
	// claim whose name isSuspect, or whose value holds the permissions claim.
	suspect *TokenError
}

// readClaimsSet reads a claims set (SPEC 7.3, 7.4, 7.6). An error that does not match ErrToken is about
// an option.
func readClaimsSet(data []byte, options []permissions.Option) (claimsSet, error) {
	d := claimsDecoder{Scanner: strictjson.Scanner{Text: string(data)}, data: data, options: options}
	if err := d.read(); err != nil {
		return claimsSet{}, err
	}
	return d.set, nil
}

func (d *claimsDecoder) read() error {
	if d.Space() != '{' {
		return malformed("payload", "is not a JSON object", "")
	}
	more, ok := d.Begin('}'), true
	for more && ok {
		if err := d.member(); err != nil {
			return err
		}
		more, ok = d.More('}')
	}
	if !ok || !d.End() {
		return d.syntax()
	}
	if d.set.policy == nil && len(d.options) > 0 {
		// Parse reports an invalid option. Without the claim, nothing else does.
		if _, err := permissions.Parse([]byte("{}"), d.options...); err != nil {
			return err
		}
	}
	if d.set.policy == nil && d.suspect != nil {
		return d.suspect
	}
	d.set.text = d.Text
	return nil
}

// member reads a name and its value.
func (d *claimsDecoder) member() error {
	name, ok := d.Name()
	if !ok {
		return d.syntax()
	}
	if !d.seen.Add(name) {
		return malformed(field(name), "is in the claims set twice", "")
	}
	if name != permissions.ClaimName && isNearMiss(name) {
		return malformed(field(name), "is nearly "+claimQuoted,
			"spell it so, because a token without that claim allows everything")
	}
	if !d.Punctuation(':') {
		return d.syntax()
	}
	r, v := &d.set.registered, &d.set.validity
	switch name {
	case permissions.ClaimName:
		return d.permissions()
	case "iss":
		return d.text(name, &r.Issuer)
	case "sub":
		return d.text(name, &r.Subject)
	case "jti":
		return d.text(name, &r.ID)
	case "aud":
		return d.audience(&r.Audience)
	case "exp":
		return d.date(name, false, &v.expires, &r.ExpiresAt)
	case "nbf":
		return d.date(name, true, &v.notBefore, &r.NotBefore)
	case "iat":
		return d.date(name, true, &v.issued, &r.IssuedAt)
	}
	return d.other(name)
}

// permissions reads the permissions claim.
func (d *claimsDecoder) permissions() error {
	d.Space()
	start := d.Pos
	value, ok := d.Value()
	if !ok || startsNumber(value[0]) && !d.endsNumber() {
		return d.syntax()
	}
	policy, err := permissions.Parse(d.data[start:d.Pos], d.options...)
	if errors.Is(err, permissions.ErrClaim) {
		refused := malformed(permissions.ClaimName, "is refused", "")
		refused.Err = err
		return refused
	}
	d.set.policy = policy
	return err
}

// other reads the value of a claim that may hold anything.
func (d *claimsDecoder) other(name string) error {
	if d.suspect == nil && isSuspect(name) {
		d.suspect = malformed(field(name), "seems to be meant for "+claimQuoted+", which is missing",
			"rename one of them, because a token without that claim allows everything")
	}
	if d.Space() != '{' {
		if _, ok := d.Value(); !ok {
			return d.syntax()
		}
		return nil
	}
	more, ok := d.Begin('}'), true
	for more && ok {
		var inner string
		if inner, _, ok = d.Member(); !ok {
			break
		}
		if inner == permissions.ClaimName && d.suspect == nil {
			d.suspect = malformed(field(name), "holds "+claimQuoted,
				"move it up to the claims set, because a token without that claim allows everything")
		}
		more, ok = d.More('}')
	}
	if !ok {
		return d.syntax()
	}
	return nil
}

func (d *claimsDecoder) text(name string, to *string) error {
	if d.Space() != '"' {
		return d.wrong(name, "is not a string")
	}
	value, ok := d.Str()
	if !ok {
		return d.syntax()
	}
	*to = strings.Clone(value)
	return nil
}

// audience reads aud, which is a string or an array of strings (RFC 7519, section 4.1.3).
func (d *claimsDecoder) audience(to *jwt.ClaimStrings) error {
	*to = jwt.ClaimStrings{}
	if d.Space() != '[' {
		return d.oneAudience(to)
	}
	more, ok := d.Begin(']'), true
	for more && ok {
		if err := d.oneAudience(to); err != nil {
			return err
		}
		more, ok = d.More(']')
	}
	if !ok {
		return d.syntax()
	}
	return nil
}

func (d *claimsDecoder) oneAudience(to *jwt.ClaimStrings) error {
	var audience string
	if d.Space() != '"' {
		return d.wrong("aud", "is not a string or an array of strings")
	}
	err := d.text("aud", &audience)
	*to = append(*to, audience)
	return err
}

func (d *claimsDecoder) date(name string, up bool, to *date, registered **jwt.NumericDate) error {
	if !startsNumber(d.Space()) {
		return d.wrong(name, "is not a number of seconds")
	}
	number, ok := d.Number()
	if !ok || !d.endsNumber() {
		return d.syntax()
	}
	if *to, ok = parseDate(number, up); !ok {
		refused := malformed(name, "is not a date from 1970 to 9999, in seconds since 1970", "")
		refused.Found = text.Plain(number)
		if len(number) == len("1760000000000") {
			refused.Remedy = "it may be in milliseconds"
		}
		return refused
	}
	*registered = &jwt.NumericDate{Time: to.time()}
	return nil
}

// startsNumber reports whether a number can begin with c.
func startsNumber(c byte) bool { return c == '-' || '0' <= c && c <= '9' }

// endsNumber checks the character after a number. A number ends at the first character that cannot
// continue it, so the next character must be one that can follow a value (SPEC 6.2): 01 and 1x are
// syntax mistakes.
func (d *claimsDecoder) endsNumber() bool {
	if d.Pos < len(d.Text) && strings.IndexByte(" \t\r\n,}", d.Text[d.Pos]) >= 0 {
		return true
	}
	return d.Unexpected("a comma or '}'")
}

// wrong returns the error for a value at Pos that is not what the claim must have. If the text ends at Pos, it
// returns a syntax mistake.
func (d *claimsDecoder) wrong(name, problem string) error {
	if d.Pos >= len(d.Text) {
		d.Unexpected("a value")
		return d.syntax()
	}
	return malformed(name, problem, "")
}

func (d *claimsDecoder) syntax() error {
	return malformed("payload", fmt.Sprintf("%s (byte %d)", d.Problem, d.Pos), "")
}
