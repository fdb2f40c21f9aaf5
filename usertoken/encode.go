package usertoken

import (
	"strconv"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// JSON is written here, and not by golang-jwt, because golang-jwt's output depends on global variables
// (jwt.TimePrecision and jwt.MarshalSingleStringAsArray).

// encodeHeader returns the header of a token.
func encodeHeader(typ, keyID string) []byte {
	b := strictjson.AppendString([]byte(`{"alg":"RS256","typ":`), typ)
	if keyID != "" {
		b = strictjson.AppendString(append(b, `,"kid":`...), keyID)
	}
	return append(b, '}')
}

// encodeClaimsSet returns the claims set with these registered claims, with a permissions claim unless
// that is nil, and with other members.
func encodeClaimsSet(r *jwt.RegisteredClaims, claim, members []byte) ([]byte, error) {
	e := encoder{json: []byte{'{'}}
	e.text("iss", r.Issuer)
	e.text("sub", r.Subject)
	e.audience(r.Audience)
	e.date("exp", r.ExpiresAt)
	e.date("nbf", r.NotBefore)
	e.date("iat", r.IssuedAt)
	e.text("jti", r.ID)
	if claim != nil {
		e.name(permissions.ClaimName)
		e.json = append(e.json, claim...)
	}
	if len(members) > 0 {
		e.comma()
		e.json = append(e.json, members...)
	}
	return append(e.json, '}'), e.err
}

// An encoder writes a claims set. It notes the first thing that cannot be written.
type encoder struct {
	json []byte
	err  error
}

func (e *encoder) fail(problem string) {
	if e.err == nil {
		e.err = signError("%s", problem)
	}
}

func (e *encoder) comma() {
	if len(e.json) > len("{") {
		e.json = append(e.json, ',')
	}
}

func (e *encoder) name(name string) {
	e.comma()
	e.json = append(strictjson.AppendString(e.json, name), ':')
}

func (e *encoder) str(s string) {
	if !utf8.ValidString(s) {
		e.fail(text.Quote(s) + " is not valid UTF-8")
	}
	e.json = strictjson.AppendString(e.json, s)
}

// text writes a claim unless it is empty.
func (e *encoder) text(name, value string) {
	if value != "" {
		e.name(name)
		e.str(value)
	}
}

// audience writes one audience as a string, and several as an array.
func (e *encoder) audience(audiences []string) {
	if len(audiences) == 0 {
		return
	}
	e.name("aud")
	if len(audiences) == 1 {
		e.str(audiences[0])
		return
	}
	for i, audience := range audiences {
		e.json = append(e.json, "[,"[min(i, 1)])
		e.str(audience)
	}
	e.json = append(e.json, ']')
}

// date writes a date, cut to whole seconds, unless it is nil.
func (e *encoder) date(name string, d *jwt.NumericDate) {
	if d == nil {
		return
	}
	seconds := d.Unix()
	if seconds < 0 || seconds > lastSecond {
		e.fail(name + " is not from 1970 to the end of the year 9999")
	}
	e.name(name)
	e.json = strconv.AppendInt(e.json, seconds, 10)
}
