package usertoken

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A validity is the dates of a token.
type validity struct{ expires, notBefore, issued date }

// check checks the dates (SPEC 7.5).
func (v *validity) check(now time.Time, leeway time.Duration) error {
	refuse := func(kind error, field string, d date, problem, remedy string) error {
		return &TokenError{
			Kind: kind, Field: field, Found: d.time().UTC().Format(time.RFC3339),
			Problem: fmt.Sprintf(problem, now.Sub(d.time()).Abs().Round(time.Second), leeway), Remedy: remedy,
		}
	}
	const (
		expired  = "was %v ago: the token has expired (leeway %v)"
		early    = "is %v from now: the token is not valid yet (leeway %v)"
		unissued = "is %v from now: the token was issued in the future (leeway %v)"
		clocks   = "compare the clocks of the issuer and of this machine"
	)
	switch {
	case !v.expires.present:
		return &TokenError{
			Kind: jwt.ErrTokenRequiredClaimMissing, Field: "exp", Problem: "is missing",
			Remedy: "the issuer must write when the token expires",
		}
	case !now.Before(v.expires.time().Add(leeway)):
		return refuse(jwt.ErrTokenExpired, "exp", v.expires, expired, "")
	case v.notBefore.present && now.Before(v.notBefore.time().Add(-leeway)):
		return refuse(jwt.ErrTokenNotValidYet, "nbf", v.notBefore, early, clocks)
	case v.issued.present && now.Before(v.issued.time().Add(-leeway)):
		return refuse(jwt.ErrTokenUsedBeforeIssued, "iat", v.issued, unissued, clocks)
	}
	return nil
}
