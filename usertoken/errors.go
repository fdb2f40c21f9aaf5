package usertoken

import (
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions/internal/text"
)

// The roots of the error tree. Every error about a token matches one of them with [errors.Is]. The errors of
// [NewVerifier] and [NewSigner] do not, nor do errors about a wrong [permissions.Option] or a wrong use of
// [Claims.Decode]. An error of [NewVerifier], [NewSigner], [ParsePublicKey] or [ParsePrivateKey] about a key that
// cannot be used matches [jwt.ErrInvalidKey].
var (
	// ErrToken matches every refusal of a token. Such an error is, or wraps, a [*TokenError]. It
	// also matches the error of golang-jwt for the reason, such as [jwt.ErrTokenExpired], and
	// [permissions.ErrClaim] if the token is refused for its permissions claim.
	ErrToken = errors.New("token refused")

	// ErrKeys matches every failure to look up keys. Such an error does not match ErrToken,
	// because the token may be good. A server answers it with 503, never with 401.
	ErrKeys = errors.New("keys not available")

	// ErrSign matches every refusal of a [Signer] to make a token, and of a [Claims] to be
	// written as JSON.
	ErrSign = errors.New("token not signed")
)

// A TokenError says why a token was refused. It matches [ErrToken] and all that Kind and Err match.
//
// No field holds any of the token but what was wrong in it: the name of a claim, an audience, a
// date. Each such text is quoted on one line and shortened if it is long, so it can be logged. Do
// not send it to the caller.
type TokenError struct {
	// Kind is the error of golang-jwt for the reason: jwt.ErrTokenMalformed,
	// ErrTokenUnverifiable, ErrTokenSignatureInvalid, ErrTokenExpired, ErrTokenNotValidYet,
	// ErrTokenUsedBeforeIssued, ErrTokenInvalidAudience, ErrTokenInvalidIssuer,
	// ErrTokenRequiredClaimMissing or ErrTokenInvalidClaims. A Kind that is about the value of
	// a claim makes the error match jwt.ErrTokenInvalidClaims too.
	Kind error

	// Field is what is wrong: "token", "header", "payload", "signature", or the name of a
	// header parameter or a claim.
	Field string

	// Found is what the token has there, in quotation marks if it is a text. It may be empty.
	Found string

	// Problem is what is wrong with it, and what was wanted. Remedy is what to do about it, or empty.
	Problem, Remedy string

	// Err is the cause, or nil. It is a [*permissions.ParseError] if the permissions claim is
	// refused, and what a key source returned if that refused the token.
	Err error
}

// Error returns all of e in one line.
func (e *TokenError) Error() string {
	if e == nil {
		return "usertoken: a nil *TokenError"
	}
	message := "usertoken: token refused: " + e.explain()
	if e.Err != nil {
		message += ": " + e.Err.Error()
	}
	return message
}

// explain returns what is wrong and what to do about it, without the cause.
func (e *TokenError) explain() string {
	var b strings.Builder
	b.WriteString(e.Field)
	if e.Found != "" {
		b.WriteString(" " + e.Found)
	}
	b.WriteString(" " + e.Problem)
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns what e matches.
func (e *TokenError) Unwrap() []error {
	errs := []error{ErrToken}
	if e == nil {
		return errs
	}
	switch e.Kind {
	case jwt.ErrTokenExpired, jwt.ErrTokenNotValidYet, jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenInvalidAudience,
		jwt.ErrTokenInvalidIssuer, jwt.ErrTokenRequiredClaimMissing:
		errs = append(errs, jwt.ErrTokenInvalidClaims)
	}
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// malformed returns the error for a malformed token.
func malformed(field, problem, remedy string) *TokenError {
	return &TokenError{Kind: jwt.ErrTokenMalformed, Field: field, Problem: problem, Remedy: remedy}
}

// field returns the name of a claim or a header parameter for [TokenError.Field].
func field(name string) string {
	if name == "" {
		return `""`
	}
	return text.Plain(name)
}

// signError returns an error that matches ErrSign.
func signError(format string, args ...any) error {
	return fmt.Errorf("usertoken: %w: "+format, append([]any{ErrSign}, args...)...)
}

// badKey returns the error for a key that cannot be used.
func badKey(where, problem string) error {
	return &keyError{"usertoken: " + where + ": " + problem}
}

// A keyError matches jwt.ErrInvalidKey, whose text would add nothing to the message.
type keyError struct{ message string }

func (e *keyError) Error() string { return e.message }
func (e *keyError) Unwrap() error { return jwt.ErrInvalidKey }
