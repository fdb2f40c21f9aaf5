package usertoken

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/strictjson"
	"github.com/connectperms/permissions/internal/text"
)

// Claims is the claims set of a Paragon User Token (SPEC 7): the registered claims, and the policy
// that the permissions claim states. [Verifier.Verify] returns one. golang-jwt can decode into one
// too:
//
//	claims := new(usertoken.Claims)
//	_, err := jwt.ParseWithClaims(token, claims, keyfunc, jwt.WithValidMethods([]string{"RS256"}),
//		jwt.WithAudience("useparagon.com/PROJECT_ID"), jwt.WithExpirationRequired(), jwt.WithIssuedAt())
//
// Then golang-jwt checks only what its options say. Without the audience it accepts a token of any
// other project whose signature the keys verify. It does not require sub. A [Verifier] checks all
// that SPEC 7.5 asks for.
//
// In a job queue, queue the token and let the worker verify it. Do not queue decoded claims:
// whoever can write to the queue could change them.
//
// Take a new Claims for each token. golang-jwt skips UnmarshalJSON for a payload that is not JSON
// (it returns an error) and for null (it returns none), so a reused Claims would keep its old
// values.
//
// The zero Claims has no policy, and so denies everything. Any number of goroutines may read a Claims. It holds a
// copy of the JSON of the claims set, for [Claims.Decode], and nothing else of the token. The exported fields share
// no memory with that copy.
//
// Beware of a struct that embeds Claims: it gets UnmarshalJSON and MarshalJSON with it, which leave
// its other fields alone. Use [Claims.Decode] for claims of your own.
type Claims struct {
	// RegisteredClaims has the registered claims (RFC 7519, section 4.1), dates in whole seconds
	// (SPEC 7.6). Audience is nil if the token has no aud.
	jwt.RegisteredClaims

	// Policy is what the permissions claim says. It is [permissions.Unrestricted] if the token has
	// no such claim. Nil denies everything.
	Policy *permissions.Policy

	options  []permissions.Option // how to read the permissions claim
	text     string               // the JSON, empty if the claims were not read from any
	accepted *acceptance          // nil if no Verifier has accepted the claims
}

// NewClaims returns an empty Claims whose UnmarshalJSON reads the permissions claim with opts. Without options, the
// zero Claims does the same. UnmarshalJSON returns an error for an invalid option.
func NewClaims(opts ...permissions.Option) *Claims {
	return &Claims{options: slices.Clone(opts)}
}

// UnmarshalJSON decodes a claims set: one JSON object. Names compare exactly (SPEC 7.3). Fractions
// of a second are rounded so that the token is valid for less time: exp down, nbf and iat up (SPEC
// 7.6). An error matches [ErrToken] and [jwt.ErrTokenMalformed], unless an option is invalid. It
// refuses:
//
//   - text that is not one JSON object, and a repeated name (SPEC 7.3)
//   - a name that is nearly the permissions claim's (SPEC 7.4)
//   - without the permissions claim, a name that seems to be meant for it, and an object that holds it (SPEC 7.4)
//   - a registered claim of another type than RFC 7519 gives it, null among them
//   - a date that is not from 1970 to the end of the year 9999
//   - a permissions claim that [permissions.Parse] refuses; the error matches
//     [permissions.ErrClaim] too
//
// It replaces everything in c, and on an error leaves c empty: without claims and without a policy.
// It takes time and memory in proportion to the text, however hostile that is.
func (c *Claims) UnmarshalJSON(data []byte) error {
	*c = Claims{options: c.options}
	set, err := readClaimsSet(data, c.options)
	if err != nil {
		return err
	}
	c.take(&set)
	return nil
}

// take makes c hold a claims set.
func (c *Claims) take(set *claimsSet) {
	c.RegisteredClaims, c.Policy, c.text = set.registered, set.policy, set.text
	if c.Policy == nil {
		c.Policy = permissions.Unrestricted(c.options...)
	}
}

// MarshalJSON encodes the registered claims and the permissions claim, to be signed. It leaves the
// permissions claim out if the policy is unrestricted, and only then: a nil or zero policy becomes
// {}, which denies everything. Dates are cut to whole seconds. It does not encode other claims,
// such as those that [Claims.Decode] reads. So no claim of one token gets into another one by
// accident.
//
// An error matches [ErrSign]: a text that is not valid UTF-8, a date that is not from 1970 to the
// end of the year 9999, or a policy that is an intersection.
func (c Claims) MarshalJSON() ([]byte, error) {
	if c.Policy.IsUnrestricted() {
		return encodeClaimsSet(&c.RegisteredClaims, nil, nil)
	}
	claim, err := c.Policy.MarshalJSON() // {} for a nil policy
	if err != nil {
		return nil, signError("%w", err)
	}
	return encodeClaimsSet(&c.RegisteredClaims, claim, nil)
}

// Decode decodes the whole claims set into what a pointer points to, as [json.Unmarshal] does. It is for
// claims of your own:
//
//	var own struct {
//		Tenant string   `json:"tenant"`
//		Roles  []string `json:"roles"`
//	}
//	err := claims.Decode(&own)
//
// json.Unmarshal matches the fields of a struct without regard to letter case. So Decode refuses a
// claims set in which two names of the top level differ only in letter case, or one differs so from
// a registered name. It does not look at names inside a claim, and a claim TENANT still fills a field tenant.
//
// An error about such names, or about a value that does not fit, matches [ErrToken]. If a method such as
// UnmarshalJSON fails, the error has at most the beginning of that method's text, which may repeat the whole value,
// and does not wrap that method's error. Two errors do not match ErrToken: that the claims were not read from JSON,
// and that the argument is nil or not a pointer.
func (c *Claims) Decode(into any) error {
	if c == nil || c.text == "" {
		return errors.New("usertoken: Decode: the claims were not read from a token; take them from Verifier.Verify")
	}
	if err := checkNames(c.text, false); err != nil {
		return err
	}
	err := json.Unmarshal([]byte(c.text), into)
	if err == nil {
		return nil
	}
	if v := reflect.ValueOf(into); v.Kind() != reflect.Pointer || v.IsNil() {
		return fmt.Errorf("usertoken: Decode: %w", err)
	}
	// The text of err may hold the whole value of a claim, so it is shortened, and err is not wrapped.
	refused := &TokenError{Kind: jwt.ErrTokenInvalidClaims, Field: "payload"}
	var misfit *json.UnmarshalTypeError
	if errors.As(err, &misfit) && misfit != nil {
		refused.Field, refused.Problem = text.Plain(cmp.Or(misfit.Field, refused.Field)), misfitProblem(misfit)
	} else {
		refused.Problem = "cannot be decoded: " + text.Plain(fmt.Sprint(err)) // err may be a nil pointer
	}
	return refused
}

// misfitProblem says what is wrong with a value that does not fit. It repeats nothing of the value, although a misfit
// that another package made can hold it.
func misfitProblem(misfit *json.UnmarshalTypeError) string {
	problem := "does not fit"
	if misfit.Type != nil {
		problem += " into " + misfit.Type.String()
	}
	switch kind, _, _ := strings.Cut(misfit.Value, " "); kind { // "number" can have the digits after it
	case "null", "bool", "number", "string", "array", "object":
		return "is of the type " + kind + ", which " + problem
	}
	return problem
}

// reservedNames are the names of the registered claims (RFC 7519, section 4.1) and of the permissions
// claim. They are not modified.
var reservedNames = [...]string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", permissions.ClaimName}

// checkNames returns an error if two names of a well-formed claims set differ only in letter case,
// or if one differs from a reserved name only in letter case. With refuseReserved it also refuses
// the reserved names themselves, and a repeated name.
func checkNames(set string, refuseReserved bool) error {
	s := strictjson.Scanner{Text: set}
	s.Space()
	seen := make(map[string]string) // by folded name
	for _, name := range reservedNames {
		seen[name] = name
	}
	for more := s.Begin('}'); more; more, _ = s.More('}') {
		name, _, _ := s.Member()
		folded := strings.Map(fold, name)
		switch other, found := seen[folded]; {
		case found && other != name:
			return malformed(field(name), "differs from "+text.Quote(other)+" in letter case alone", "rename one of them")
		case found && refuseReserved && slices.Contains(reservedNames[:], name):
			return malformed(field(name), "may be written by the signer only", "leave it out")
		case found && refuseReserved:
			return malformed(field(name), "is there twice", "remove one")
		}
		seen[folded] = name
	}
	return nil
}

// Valid returns nil if the claims still hold now, by the clock and the leeway of the [Verifier] that
// accepted them: exp is after now, and nbf and iat are not. It is for what outlives a request, such as
// a worker or a stream that keeps the policy:
//
//	if err := claims.Valid(); err != nil {
//		return err // ask for a new token
//	}
//
// It goes by the dates of the token, whatever was done to the fields of c since. An error is what
// [Verifier.Verify] would return now, such as one that matches [jwt.ErrTokenExpired]. Claims that no
// Verifier has accepted are refused with [jwt.ErrTokenUnverifiable].
func (c *Claims) Valid() error {
	if c == nil || c.accepted == nil {
		return &TokenError{
			Kind: jwt.ErrTokenUnverifiable, Field: "token", Problem: "was accepted by no Verifier",
			Remedy: "take the claims from Verifier.Verify",
		}
	}
	a := c.accepted
	return a.check(a.clock(), a.leeway)
}

// An acceptance is what Valid needs to know. It is not modified.
type acceptance struct {
	validity
	clock  func() time.Time
	leeway time.Duration
}
