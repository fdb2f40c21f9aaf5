package permissions

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"
)

// A Signer makes Paragon User Tokens (SPEC 7.1). What it makes, a [Verifier] accepts that
// has the same project ID, audience, token size and clock, the key's public half, and the
// options that the policies were read with. It does not change, so any number of
// goroutines can share one. A nil Signer and the zero Signer sign nothing.
//
// Nothing that prints or logs a Signer shows its key.
type Signer struct {
	audience string
	keyID    string
	lifetime time.Duration
	clock    func() time.Time
	maxToken int

	// sign signs a text. The key is in the closure and nowhere else, where no
	// reflection finds it.
	sign func(text string) ([]byte, error)
}

// A SignerOption changes how a [Signer] works.
type SignerOption interface{ applySigner(*signerOptions) }

type signerOptions struct {
	tokenOptions
	lifetime time.Duration
	keyID    string
}

type signerOption func(*signerOptions)

func (o signerOption) applySigner(s *signerOptions) { o(s) }

// The default and the bounds of a token's lifetime.
const (
	defaultLifetime = time.Hour
	minLifetime     = time.Second
	maxLifetime     = 30 * 24 * time.Hour
)

// WithLifetime sets how long tokens are valid: one hour otherwise. It is a whole number of
// seconds between 1 second and 30 days. A token cannot be taken back, so a short life bounds
// the harm that a lost one does, and how long an old policy lives on.
func WithLifetime(lifetime time.Duration) SignerOption {
	return signerOption(func(s *signerOptions) {
		switch {
		case lifetime < minLifetime || lifetime > maxLifetime:
			s.refuse("WithLifetime", "the lifetime is not between 1 second and 30 days")
		case lifetime%time.Second != 0:
			s.refuse("WithLifetime", "the lifetime is not a whole number of seconds")
		}
		s.lifetime = lifetime
	})
}

// WithKeyID puts the ID of the key into the header of each token (kid; RFC 7515, 4.1.4),
// so that who verifies can pick the right key while keys rotate. There is none otherwise.
func WithKeyID(id string) SignerOption {
	return signerOption(func(s *signerOptions) {
		if id == "" || !utf8.ValidString(id) {
			s.refuse("WithKeyID", "the ID is empty or not valid UTF-8")
		}
		s.keyID = id
	})
}

// NewSigner returns a signer of the tokens of a project. The project ID may be empty only
// with [WithAudience], which replaces it.
//
// An error says what is missing, or which option is wrong, and contains nothing of the key.
// The key needs 2048 bits or more. The Signer keeps what it needs of it, so nothing of it
// may be changed.
func NewSigner(projectID string, key *rsa.PrivateKey, opts ...SignerOption) (*Signer, error) {
	s := signerOptions{tokenOptions: newTokenOptions(projectID), lifetime: defaultLifetime}
	for _, opt := range opts {
		if opt != nil {
			opt.applySigner(&s)
		}
	}
	if s.audience == "" {
		s.refuse("NewSigner", "the project ID is empty")
	} else if !utf8.ValidString(s.audience) {
		s.refuse("NewSigner", "the project ID or audience is not valid UTF-8")
	}
	if problem := privateKeyProblem(key); problem != "" {
		s.refuse("NewSigner", problem)
	}
	if err := errors.Join(s.errs...); err != nil {
		return nil, err
	}
	own := bareKey(key)
	own.Precompute()
	return &Signer{
		audience: s.audience,
		keyID:    s.keyID,
		lifetime: s.lifetime,
		clock:    s.clock,
		maxToken: s.maxToken,
		sign: func(text string) ([]byte, error) {
			return jwt.SigningMethodRS256.Sign(text, own)
		},
	}, nil
}

// privateKeyProblem says what is wrong with a private key; "" is nothing.
func privateKeyProblem(key *rsa.PrivateKey) string {
	switch {
	case key == nil || key.D == nil:
		return "the key is no RSA private key"
	case keyProblem(&key.PublicKey) != "":
		return keyProblem(&key.PublicKey)
	case bareKey(key).Validate() != nil: // whose error might say something of the key
		return "the key is inconsistent"
	}
	return ""
}

// bareKey returns a key without what was computed from it before: Validate of some versions
// of Go would take that for the key, and Precompute writes to what is not ours to write.
func bareKey(key *rsa.PrivateKey) *rsa.PrivateKey {
	return &rsa.PrivateKey{PublicKey: key.PublicKey, D: key.D, Primes: key.Primes}
}

// Sign returns a token for a subject, the Connected User, with a policy as its permissions
// claim, in canonical form ([Policy.MarshalJSON]). The token is valid from now on, by the
// clock cut to whole seconds, for the Signer's lifetime.
//
// Errors match [ErrToken], and for those of the first two kinds
// [jwt.ErrTokenRequiredClaimMissing]. They contain nothing of the key or of a token. They
// refuse:
//
//   - an empty subject, or one that is not valid UTF-8
//   - a nil or zero policy. The policy of the claim {} denies everything too, and is one
//   - an unrestricted policy, whose token would have no claim: see [Signer.SignUnrestricted]
//   - an intersection, which no claim can say
//   - a token that is larger than [WithMaxTokenSize] allows
//   - a time before 1970, or an end of life after the year 9999
func (s *Signer) Sign(subject string, policy *Policy) (string, error) {
	switch {
	case policy.IsUnrestricted():
		return "", unsigned(jwt.ErrTokenRequiredClaimMissing,
			"an unrestricted policy has no permissions claim, and a token without one allows everything; SignUnrestricted signs such a token")
	case policy.isNone():
		return "", unsigned(jwt.ErrTokenRequiredClaimMissing,
			"the policy is nil or zero; to deny everything, sign the policy of the claim {}")
	}
	claim, err := policy.MarshalJSON()
	if err != nil {
		return "", refuse(jwt.ErrTokenInvalidClaims, err)
	}
	return s.token(subject, claim)
}

// SignUnrestricted returns a token for a subject that allows everything: it has no
// permissions claim (SPEC 1.7). Otherwise it is as [Signer.Sign].
func (s *Signer) SignUnrestricted(subject string) (string, error) {
	return s.token(subject, nil)
}

// isNone reports whether p is no policy.
func (p *Policy) isNone() bool { return p.ruleset() == nil && (p == nil || p.parts == nil) }

// unsigned returns the error for a token that is not made.
func unsigned(kind error, problem string) error {
	return refuse(kind, errors.New("not signed: "+problem))
}

// token returns a token with a permissions claim, or without one if claim is nil.
func (s *Signer) token(subject string, claim []byte) (string, error) {
	switch {
	case s == nil || s.sign == nil:
		return "", unsigned(jwt.ErrInvalidKey, "the signer is zero; NewSigner makes one")
	case subject == "":
		return "", unsigned(jwt.ErrTokenRequiredClaimMissing, "the subject is empty")
	case !utf8.ValidString(subject):
		return "", unsigned(jwt.ErrTokenRequiredClaimMissing, "the subject is not valid UTF-8")
	}
	issued := s.clock().Unix()
	expires := issued + int64(s.lifetime/time.Second)
	if issued < 0 || expires > lastSecond {
		return "", unsigned(jwt.ErrTokenInvalidClaims, "the clock is not between 1970 and the year 10000")
	}
	text := segment(tokenHeader(s.keyID)) + "." + segment(tokenPayload(subject, s.audience, issued, expires, claim))
	signature, err := s.sign(text)
	if err != nil { // which is no error of ours to repeat
		return "", unsigned(jwt.ErrInvalidKey, "the key does not sign")
	}
	token := text + "." + segment(signature)
	if len(token) > s.maxToken {
		return "", refuse(jwt.ErrTokenMalformed, fmt.Errorf("not signed: it has %d bytes, and may have %d; a policy with fewer rules makes it smaller", len(token), s.maxToken))
	}
	return token, nil
}

// segment returns data as a part of a token (RFC 7515, 2).
func segment(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// tokenHeader returns the header of a token. JSON is written here, and not by golang-jwt,
// because what that writes depends on variables that all of a program shares.
func tokenHeader(keyID string) []byte {
	b := []byte(`{"alg":"RS256","typ":"JWT"`)
	if keyID != "" {
		b = appendString(append(b, `,"kid":`...), keyID)
	}
	return append(b, '}')
}

// tokenPayload returns the claims set of a token.
func tokenPayload(subject, audience string, issued, expires int64, claim []byte) []byte {
	b := appendString([]byte(`{"sub":`), subject)
	b = appendString(append(b, `,"aud":`...), audience)
	b = strconv.AppendInt(append(b, `,"iat":`...), issued, 10)
	b = strconv.AppendInt(append(b, `,"exp":`...), expires, 10)
	if claim != nil {
		b = append(append(b, `,"`+ClaimName+`":`...), claim...)
	}
	return append(b, '}')
}

// TokenSize estimates how many bytes a token with this policy takes: exactly as many as one
// that [Signer.Sign] makes with a key of 2048 bits and no key ID, for a subject and a
// project whose IDs are UUIDs. Another subject or project changes it by four thirds of the
// difference, and a key of 4096 bits adds 341. For an unrestricted policy it is the size of
// a token without the claim, and for a nil or zero one that with {}.
//
// Headers overflow between 4 and 16 KiB, depending on the servers and proxies that they
// pass, and other headers take their share. An intersection has no token, which is an error.
func (p *Policy) TokenSize() (int, error) {
	var claim []byte
	if !p.IsUnrestricted() {
		var err error
		if claim, err = p.MarshalJSON(); err != nil {
			return 0, err
		}
	}
	const signature = minKeyBits / 8
	uuid := strings.Repeat("0", 36)
	set := tokenPayload(uuid, audienceOf(uuid), 1e9, 1e9, claim)
	return base64.RawURLEncoding.EncodedLen(len(tokenHeader(""))) + 1 + base64.RawURLEncoding.EncodedLen(len(set)) + 1 +
		base64.RawURLEncoding.EncodedLen(signature), nil
}
