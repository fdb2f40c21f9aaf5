package usertoken

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// A Verifier verifies Paragon User Tokens (SPEC 7). It does not change, so any number of goroutines can
// share one. A nil Verifier and the zero Verifier refuse every token.
//
// Nothing that prints or logs a Verifier shows its keys.
type Verifier struct {
	projectID       string
	audiences       []string
	issuers         []string
	types           []string
	missingAudience bool
	requireClaim    bool
	maxToken        int
	clock           func() time.Time
	leeway          time.Duration
	claimOptions    []permissions.Option
	signatures      *signatureCache // nil without WithSignatureCache
	observe         func(context.Context, Verification)

	// keys returns the keys for a token. They are in the closure, where no reflection finds them.
	keys func(context.Context, *token) ([]*rsa.PublicKey, error)
}

// NewVerifier returns a verifier of the tokens of a project that are signed with a key. The key may be
// nil if there are others from [WithKeys], and must be nil with [WithKeySource] or [WithKeyfunc]. The
// project ID is the ID alone, without a host. It may be empty only with [WithAudience].
//
// An error says everything that is missing or wrong: of each argument and each option the first thing. It matches
// [jwt.ErrInvalidKey] if a key cannot be used: a modulus that is even, not positive or shorter than 2048 bits (RFC
// 7518, section 3.3), or a public exponent that is even, less than 3 or above 2^31-1. The Verifier keeps copies of
// the keys.
func NewVerifier(projectID string, key *rsa.PublicKey, opts ...VerifierOption) (*Verifier, error) {
	const where = "NewVerifier"
	o := verifierOptions{tokenOptions: newTokenOptions(where, projectID), leeway: defaultLeeway}
	if key != nil {
		o.keys = append(o.keys, key)
	}
	for _, opt := range opts {
		if opt != nil {
			opt.applyVerifier(&o)
		}
	}
	if len(o.audiences) == 0 {
		o.refuse(where, emptyProject)
	}
	switch {
	case len(o.keys) == 0 && o.source == nil:
		o.refuse(where, "there is no key; give one, or use WithKeys or WithKeySource")
	case len(o.keys) > 0 && o.source != nil:
		o.refuse(where, "there are both keys and a key source; "+
			"with WithKeySource or WithKeyfunc, the key must be nil and there must be no WithKeys")
	}
	var keys []*rsa.PublicKey
	for _, key := range o.keys {
		if problem := keyProblem(key); problem != "" {
			o.errs = append(o.errs, badKey(where, "the key "+problem))
			continue
		}
		keys = append(keys, copyPublicKey(key))
	}
	if _, err := permissions.Parse([]byte("{}"), o.claimOptions...); err != nil {
		o.errs = append(o.errs, err)
	}
	if err := errors.Join(o.errs...); err != nil {
		return nil, err
	}
	v := &Verifier{
		projectID:       projectID,
		audiences:       o.audiences,
		issuers:         o.issuers,
		types:           o.types,
		missingAudience: o.missingAudience,
		requireClaim:    o.requireClaim,
		maxToken:        o.maxToken,
		clock:           o.clock,
		leeway:          o.leeway,
		claimOptions:    o.claimOptions,
		observe:         o.observe,
		keys:            func(context.Context, *token) ([]*rsa.PublicKey, error) { return keys, nil },
	}
	if o.cacheEntries > 0 {
		v.signatures = newSignatureCache(o.cacheEntries)
	}
	if source := o.source; source != nil {
		v.keys = func(ctx context.Context, t *token) ([]*rsa.PublicKey, error) {
			return source.keysFor(ctx, t, o.claimOptions)
		}
	}
	return v, nil
}

// Verify is [Verifier.VerifyContext] with [context.Background].
func (v *Verifier) Verify(token string) (*Claims, error) {
	return v.VerifyContext(context.Background(), token)
}

// VerifyContext returns the claims of a token that is signed and valid (SPEC 7.5). The context goes to the functions
// of [WithKeySource] and [WithObserver]. Without them it changes nothing.
//
// The algorithm is RS256. Nothing of the payload is read before the signature has been verified, unless
// a key source asks for it. Keys in the header are not looked at. A header that marks an extension as
// critical is refused, because no extension is known (RFC 7515, section 4.1.11).
//
// An error matches [ErrKeys] if the keys could not be looked up, which is not the token's fault. Every
// other error matches [ErrToken], is or wraps a [*TokenError], and matches the error of golang-jwt for
// the first thing that is wrong:
//
//   - [jwt.ErrTokenMalformed]: the token is too large; it is not the compact form of a JWT; its header is not JSON,
//     or repeats a name; [Claims.UnmarshalJSON] refuses its claims set (for the permissions claim, the error
//     matches [permissions.ErrClaim] too); or its sub holds U+FFFD, to which different malformed texts decode, so
//     that two users could have one Subject
//   - [jwt.ErrTokenUnverifiable]: another algorithm or type, a critical extension, or no key
//   - [jwt.ErrTokenSignatureInvalid]
//   - [jwt.ErrTokenExpired], [jwt.ErrTokenNotValidYet], [jwt.ErrTokenUsedBeforeIssued],
//     [jwt.ErrTokenInvalidAudience], [jwt.ErrTokenInvalidIssuer]
//   - [jwt.ErrTokenRequiredClaimMissing]: exp, aud, sub, with [WithIssuer] iss, or with [RequireClaim]
//     the permissions claim
//
// The errors of the last two bullets match [jwt.ErrTokenInvalidClaims] too.
func (v *Verifier) VerifyContext(ctx context.Context, token string) (*Claims, error) {
	if v == nil || v.keys == nil {
		return nil, &TokenError{
			Kind: jwt.ErrTokenUnverifiable, Field: "token", Problem: "cannot be verified by a nil or zero Verifier",
			Remedy: "NewVerifier makes one",
		}
	}
	if v.observe == nil {
		claims, _, err := v.verify(ctx, token)
		return claims, err
	}
	began := v.clock()
	claims, remembered, err := v.verify(ctx, token)
	v.observe(ctx, Verification{Duration: v.clock().Sub(began), Remembered: remembered, Err: err})
	return claims, err
}

// verify verifies a token. It also reports whether the signature was remembered.
func (v *Verifier) verify(ctx context.Context, token string) (claims *Claims, remembered bool, err error) {
	t, err := parseToken(token, v.maxToken)
	if err != nil {
		return nil, false, err
	}
	if err := t.header.check(v.types); err != nil {
		return nil, false, err
	}
	keys, err := v.keys(ctx, t)
	if err != nil {
		return nil, false, err
	}
	var digest, entry signatureDigest // of the token, and of the token with the key that signed it
	if v.signatures != nil {
		digest = v.signatures.tokenDigest(token)
		remembered = slices.ContainsFunc(keys, func(key *rsa.PublicKey) bool {
			entry = v.signatures.entryDigest(digest, key)
			return v.signatures.has(entry)
		})
	}
	if !remembered {
		signer, err := t.verifySignature(keys)
		if err != nil {
			return nil, false, err
		}
		if v.signatures != nil {
			entry = v.signatures.entryDigest(digest, signer)
		}
	}
	set, err := readClaimsSet(t.payload, v.claimOptions)
	if err != nil {
		return nil, remembered, err
	}
	if err := v.check(&set); err != nil {
		return nil, remembered, err
	}
	if v.signatures != nil {
		v.signatures.use(entry)
	}
	claims = NewClaims(v.claimOptions...)
	claims.take(&set)
	claims.accepted = &acceptance{set.validity, v.clock, v.leeway}
	return claims, remembered, nil
}

// verifySignature returns the key that has signed.
func (t *token) verifySignature(keys []*rsa.PublicKey) (*rsa.PublicKey, error) {
	digest := sha256.Sum256([]byte(t.signed))
	for _, key := range keys {
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, digest[:], t.signature) == nil {
			return key, nil
		}
	}
	return nil, &TokenError{
		Kind: jwt.ErrTokenSignatureInvalid, Field: "signature", Problem: "was made with another key or for another text",
		Remedy: "the token may be forged, damaged, or of another project",
	}
}

// check checks the claims set of a token whose signature is valid (SPEC 7.5).
func (v *Verifier) check(set *claimsSet) error {
	if err := set.validity.check(v.clock(), v.leeway); err != nil {
		return err
	}
	if err := v.checkAudience(set.registered.Audience); err != nil {
		return err
	}
	missing := func(field, wanted, remedy string) error {
		return &TokenError{
			Kind: jwt.ErrTokenRequiredClaimMissing, Field: field, Problem: "is missing" + wanted, Remedy: remedy,
		}
	}
	switch issuer := set.registered.Issuer; {
	case v.issuers == nil || slices.Contains(v.issuers, issuer):
	case issuer == "":
		return missing("iss", " or empty, and must be "+anyOf(v.issuers), "")
	default:
		return &TokenError{
			Kind: jwt.ErrTokenInvalidIssuer, Field: "iss", Found: text.Quote(issuer), Problem: "is not " + anyOf(v.issuers),
		}
	}
	switch {
	case set.registered.Subject == "":
		return missing("sub", " or empty", "the issuer must write the ID of the user there")
	case strings.ContainsRune(set.registered.Subject, utf8.RuneError): // different malformed texts decode to it
		e := malformed("sub", "holds U+FFFD, the replacement character, or is malformed",
			"the issuer must write the ID of the user in valid Unicode")
		e.Found = text.Quote(set.registered.Subject)
		return e
	case v.requireClaim && set.policy == nil:
		return missing(permissions.ClaimName, "",
			"the issuer must write it; without RequireClaim such a token would allow everything")
	}
	return nil
}

func (v *Verifier) checkAudience(found jwt.ClaimStrings) error {
	isWanted := func(audience string) bool { return slices.Contains(v.audiences, audience) }
	if found == nil && v.missingAudience || slices.ContainsFunc(found, isWanted) {
		return nil
	}
	wanted := anyOf(v.audiences)
	switch {
	case found == nil:
		return &TokenError{
			Kind: jwt.ErrTokenRequiredClaimMissing, Field: "aud", Problem: "is missing, and must be " + wanted,
			Remedy: "AllowMissingAudience accepts a token without it",
		}
	case len(found) == 0:
		return &TokenError{
			Kind: jwt.ErrTokenInvalidAudience, Field: "aud", Problem: "is an empty array, and must hold " + wanted,
		}
	}
	e := &TokenError{
		Kind: jwt.ErrTokenInvalidAudience, Field: "aud", Found: list(found, " and "), Problem: "is not " + wanted,
	}
	if len(found) > 1 {
		e.Problem = "do not include " + wanted
	}
	for _, audience := range found {
		e.Remedy = cmp.Or(e.Remedy, v.audienceRemedy(audience))
	}
	return e
}

// audienceRemedy says what to do about a wrong audience that is similar to a right one.
func (v *Verifier) audienceRemedy(found string) string {
	for _, wanted := range v.audiences {
		if before, ok := strings.CutSuffix(found, wanted); ok && strings.HasSuffix(before, "/") {
			return "the issuer must leave out " + text.Quote(before)
		}
	}
	host, ok := strings.CutSuffix(found, "/"+v.projectID)
	switch {
	case v.projectID == "":
	case found == v.projectID:
		return "the issuer must write the host before the project ID"
	case ok:
		return "it names the project on the host " + text.Quote(host) + ", which WithAudience can accept"
	}
	return ""
}
