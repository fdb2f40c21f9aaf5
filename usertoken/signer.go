package usertoken

import (
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
)

// A Signer makes Paragon User Tokens (SPEC 7.1). A [Verifier] accepts them if it has the same project ID, the same
// [TokenOption]s, the public half of the key, and, by [WithClaimOptions], the options with which the policies were
// parsed. One with [RequireClaim] refuses what [Signer.SignUnrestricted] makes. A Signer does not change, so any
// number of goroutines can share one. A nil Signer and the zero Signer sign nothing.
//
// Nothing that prints or logs a Signer shows its key.
type Signer struct {
	audiences []string
	issuer    string
	header    []byte
	lifetime  time.Duration
	clock     func() time.Time
	maxToken  int

	// sign signs a text. The key is in the closure, where no reflection finds it.
	sign func(text string) ([]byte, error)
}

// NewSigner returns a signer of the tokens of a project. The project ID is the ID alone, without a host.
// It may be empty only with [WithAudience].
//
// An error says everything that is missing or wrong, of each argument and each option the first thing, and contains
// nothing of the key. It matches
// [jwt.ErrInvalidKey] if the key cannot be used, see [NewVerifier], or its numbers do not belong
// together. The Signer keeps a copy of the key.
func NewSigner(projectID string, key *rsa.PrivateKey, opts ...SignerOption) (*Signer, error) {
	const where = "NewSigner"
	o := signerOptions{tokenOptions: newTokenOptions(where, projectID), lifetime: defaultLifetime}
	for _, opt := range opts {
		if opt != nil {
			opt.applySigner(&o)
		}
	}
	if len(o.audiences) == 0 {
		o.refuse(where, emptyProject)
	}
	if problem := privateKeyProblem(key); problem != "" {
		o.errs = append(o.errs, badKey(where, "the key "+problem))
	}
	if err := errors.Join(o.errs...); err != nil {
		return nil, err
	}
	own := copyPrivateKey(key)
	own.Precompute()
	typ, issuer := defaultType, ""
	if o.types != nil {
		typ = o.types[0]
	}
	if o.issuers != nil {
		issuer = o.issuers[0]
	}
	return &Signer{
		audiences: o.audiences,
		issuer:    issuer,
		header:    encodeHeader(typ, o.keyID),
		lifetime:  o.lifetime,
		clock:     o.clock,
		maxToken:  o.maxToken,
		sign:      func(text string) ([]byte, error) { return jwt.SigningMethodRS256.Sign(text, own) },
	}, nil
}

// privateKeyProblem says what is wrong with a private key. It is empty if nothing is.
func privateKeyProblem(key *rsa.PrivateKey) string {
	switch {
	case key == nil:
		return "is nil; ParsePrivateKey reads one"
	case keyProblem(&key.PublicKey) != "":
		return keyProblem(&key.PublicKey)
	case key.D == nil || slices.Contains(key.Primes, nil) || copyPrivateKey(key).Validate() != nil:
		return "is incomplete or inconsistent" // the error of Validate might hold part of the key
	}
	return ""
}

// copyPrivateKey returns a copy of a complete key without its Precomputed field. Some versions of Go would validate
// that field instead of the key.
func copyPrivateKey(key *rsa.PrivateKey) *rsa.PrivateKey {
	number := func(n *big.Int) *big.Int { return new(big.Int).Set(n) }
	own := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: number(key.N), E: key.E}, D: number(key.D)}
	for _, prime := range key.Primes {
		own.Primes = append(own.Primes, number(prime))
	}
	return own
}

// Sign returns a token for a subject, the Connected User, with a policy as its permissions claim, in
// canonical form ([permissions.Policy.MarshalJSON]). The token is valid from now on, by the clock cut to
// whole seconds, for the Signer's lifetime, or less with [WithLatestExpiry].
//
// Errors match [ErrSign]. They contain nothing of the key or of a token. Sign refuses:
//
//   - an empty subject, or one that is not valid UTF-8 or holds U+FFFD, the replacement character
//   - a nil or zero policy. The policy of the claim {} denies everything too, and can be signed
//   - an unrestricted policy, whose token would have no claim: see [Signer.SignUnrestricted]
//   - an intersection, because it is not a claim; [permissions.Narrow] may find one
//   - an invalid option
//   - a token that is larger than [WithMaxTokenSize] allows
//   - a time before 1970, or a token that expires after the year 9999
func (s *Signer) Sign(subject string, policy *permissions.Policy, opts ...SignOption) (string, error) {
	switch {
	case policy.IsUnrestricted():
		return "", signError("an unrestricted policy has no permissions claim, " +
			"and a token without one allows everything; SignUnrestricted signs such a token")
	case isNone(policy):
		return "", signError("the policy is nil or zero; to deny everything, sign the policy of the claim {}")
	}
	claim, err := policy.MarshalJSON()
	if err != nil {
		return "", signError("%w", err)
	}
	return s.token(subject, claim, opts)
}

// SignUnrestricted returns a token for a subject that allows everything: it has no permissions claim
// (SPEC 1.7). In all else it is like [Signer.Sign].
func (s *Signer) SignUnrestricted(subject string, opts ...SignOption) (string, error) {
	return s.token(subject, nil, opts)
}

// isNone reports whether a policy is nil or zero. A policy without rules is asked with Explain, which calls no hook.
func isNone(policy *permissions.Policy) bool {
	for range policy.Rules() {
		return false
	}
	return policy.Explain(permissions.Events, permissions.User()).Decision.Reason == permissions.ReasonNoPolicy
}

// token returns a token with a permissions claim, or without one if that is nil.
func (s *Signer) token(subject string, claim []byte, opts []SignOption) (string, error) {
	var o signOptions
	for _, opt := range opts {
		if opt != nil {
			opt.applySign(&o)
		}
	}
	switch {
	case s == nil || s.sign == nil:
		return "", signError("the signer is nil or zero; NewSigner makes one")
	case o.err != nil:
		return "", o.err
	case subject == "":
		return "", signError("the subject is empty; give the ID of the user")
	case !utf8.ValidString(subject):
		return "", signError("the subject is not valid UTF-8")
	case strings.ContainsRune(subject, utf8.RuneError):
		return "", signError("the subject holds U+FFFD, the replacement character, which a Verifier refuses; " +
			"give the ID of the user in valid Unicode")
	}
	now := s.clock()
	expires := now.Add(s.lifetime)
	if o.latest != nil && o.latest.Before(expires) {
		if expires = *o.latest; expires.Unix() <= now.Unix() {
			return "", signError("WithLatestExpiry: the time has passed; ask for a new token of the user")
		}
	}
	payload, err := encodeClaimsSet(&jwt.RegisteredClaims{
		Issuer: s.issuer, Subject: subject, Audience: s.audiences, ID: o.tokenID,
		IssuedAt: &jwt.NumericDate{Time: now}, ExpiresAt: &jwt.NumericDate{Time: expires},
	}, claim, o.own)
	if err != nil {
		return "", err
	}
	text := encodePart(s.header) + "." + encodePart(payload)
	signature, err := s.sign(text)
	if err != nil { // it might hold part of the key
		return "", signError("signing with the key failed")
	}
	token := text + "." + encodePart(signature)
	if len(token) > s.maxToken {
		return "", signError("the token has %d bytes, and may have %d; a policy with fewer rules makes it smaller",
			len(token), s.maxToken)
	}
	return token, nil
}

// encodePart returns data as a part of a token (RFC 7515, section 2).
func encodePart(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// TokenSize returns how many bytes a token with a policy takes: exactly as many as one that [Signer.Sign] makes
// with a key of 2048 bits, for a subject and a project that are UUIDs, if neither it nor the Signer has options.
// Another subject or project changes it by four thirds of the difference, and so does what options add, such as
// [WithKeyID]. A key of 4096 bits adds 341. For an unrestricted policy it is the size of a token without the claim,
// and for a nil or zero one of a token with {}. An intersection has no token, which is an error that matches
// [ErrSign].
//
// Headers overflow between 4 and 16 KiB, depending on the servers and proxies that they pass, and other
// headers take their share.
func TokenSize(policy *permissions.Policy) (int, error) {
	uuid := strings.Repeat("0", 36)
	date := &jwt.NumericDate{Time: time.Unix(1e9, 0)}
	claims := Claims{Policy: policy, RegisteredClaims: jwt.RegisteredClaims{
		Subject: uuid, Audience: jwt.ClaimStrings{audienceOf(uuid)}, IssuedAt: date, ExpiresAt: date,
	}}
	payload, err := claims.MarshalJSON()
	if err != nil {
		return 0, err
	}
	size := base64.RawURLEncoding.EncodedLen
	return size(len(encodeHeader(defaultType, ""))) + 1 + size(len(payload)) + 1 + size(minKeyBits/8), nil
}
