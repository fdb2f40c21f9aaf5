package permissions

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A Verifier verifies Paragon User Tokens (SPEC 7). It does not change, so any number
// of goroutines can share one. A nil Verifier and the zero Verifier refuse every token.
type Verifier struct {
	keys      []*rsa.PublicKey
	keyfunc   jwt.Keyfunc
	audience  string
	maxToken  int
	required  bool
	claims    *parseOptions
	validator *jwt.Validator
}

// A VerifierOption changes how a [Verifier] works. Every [Option] is one: it changes how
// the verifier reads the permissions claim.
type VerifierOption interface{ applyVerifier(*verifierOptions) }

// A TokenOption changes how a [Verifier] or a [Signer] works, so that both can be told the
// same.
type TokenOption interface {
	VerifierOption
	SignerOption
}

// tokenOptions are those that a Verifier and a Signer have in common.
type tokenOptions struct {
	audience string
	clock    func() time.Time
	maxToken int
	errs     []error
}

func newTokenOptions(projectID string) tokenOptions {
	o := tokenOptions{clock: time.Now, maxToken: defaultMaxTokenSize}
	if projectID != "" {
		o.audience = audienceOf(projectID)
	}
	return o
}

type tokenOption func(*tokenOptions)

func (o tokenOption) applyVerifier(v *verifierOptions) { o(&v.tokenOptions) }
func (o tokenOption) applySigner(s *signerOptions)     { o(&s.tokenOptions) }

func (o *tokenOptions) refuse(option, problem string) {
	o.errs = append(o.errs, errors.New("permissions: "+option+": "+problem))
}

type verifierOptions struct {
	tokenOptions
	keys     []*rsa.PublicKey
	keyfunc  jwt.Keyfunc
	leeway   time.Duration
	required bool
	parse    parseOptions
}

type verifierOption func(*verifierOptions)

func (o verifierOption) applyVerifier(v *verifierOptions) { o(v) }

// The defaults of a Verifier, and the bounds of its options.
const (
	defaultLeeway       = 5 * time.Second
	maxLeeway           = 5 * time.Minute
	defaultMaxTokenSize = 64 << 10
	minKeyBits          = 2048 // RFC 7518, section 3.3
)

// WithKeys adds keys, so that tokens signed with an old and with a new one are accepted
// while keys rotate. A token must be signed with one of them.
func WithKeys(keys ...*rsa.PublicKey) VerifierOption {
	keys = slices.Clone(keys)
	return verifierOption(func(v *verifierOptions) { v.keys = append(v.keys, keys...) })
}

// WithKeyfunc has the key for each token looked up, by the token's key ID say. The key
// given to [NewVerifier] must be nil then. The function gets the token's header and its
// claims, of which nothing has been verified, and returns an [*rsa.PublicKey] or a
// [jwt.VerificationKeySet] of them. The algorithm is RS256, whatever the header says.
func WithKeyfunc(keyfunc jwt.Keyfunc) VerifierOption {
	return verifierOption(func(v *verifierOptions) {
		if keyfunc == nil {
			v.refuse("WithKeyfunc", "the function is nil")
		}
		v.keyfunc = keyfunc
	})
}

// WithAudience replaces the audience that a token must have, or is signed with, for a
// self-hosted Paragon. It is useparagon.com/PROJECT_ID otherwise.
func WithAudience(audience string) TokenOption {
	return tokenOption(func(o *tokenOptions) {
		if audience == "" {
			o.refuse("WithAudience", "the audience is empty")
		}
		o.audience = audience
	})
}

// WithLeeway sets how far the clocks of issuer and verifier may be apart. It is 5 seconds
// otherwise, and at most 5 minutes.
func WithLeeway(leeway time.Duration) VerifierOption {
	return verifierOption(func(v *verifierOptions) {
		if leeway < 0 || leeway > maxLeeway {
			v.refuse("WithLeeway", "the leeway is not between 0 and 5 minutes")
		}
		v.leeway = leeway
	})
}

// WithClock sets the clock that tokens are checked against or dated by: [time.Now]
// otherwise. Any number of goroutines call it, if they share the [Verifier] or [Signer].
func WithClock(now func() time.Time) TokenOption {
	return tokenOption(func(o *tokenOptions) {
		if now == nil {
			o.refuse("WithClock", "the function is nil")
		}
		o.clock = now
	})
}

// WithMaxTokenSize sets how many bytes a token may have: 64 KiB otherwise. A [Verifier]
// refuses a longer one before it is decoded, and a [Signer] returns an error instead of it.
// What carries the token often bounds it too: headers overflow somewhere between 4 and
// 16 KiB.
func WithMaxTokenSize(bytes int) TokenOption {
	return tokenOption(func(o *tokenOptions) {
		if bytes <= 0 {
			o.refuse("WithMaxTokenSize", "the size is not above 0")
		}
		o.maxToken = bytes
	})
}

// RequireClaim refuses a token without the permissions claim, which would otherwise allow
// everything (SPEC 1.7).
func RequireClaim() VerifierOption {
	return verifierOption(func(v *verifierOptions) { v.required = true })
}

// NewVerifier returns a verifier of the tokens of a project, signed with a key. The key
// may be nil if there are others from [WithKeys], and must be with [WithKeyfunc]. The
// project ID may be empty only with [WithAudience], which replaces it.
//
// An error says what is missing, or which option is wrong. Keys need 2048 bits or more.
func NewVerifier(projectID string, key *rsa.PublicKey, opts ...VerifierOption) (*Verifier, error) {
	v := verifierOptions{tokenOptions: newTokenOptions(projectID), leeway: defaultLeeway}
	if key != nil {
		v.keys = append(v.keys, key)
	}
	for _, opt := range opts {
		if opt != nil {
			opt.applyVerifier(&v)
		}
	}
	if v.audience == "" {
		v.refuse("NewVerifier", "the project ID is empty")
	}
	if (len(v.keys) == 0) == (v.keyfunc == nil) {
		v.refuse("NewVerifier", "it takes either keys or a Keyfunc")
	}
	for _, key := range v.keys {
		if problem := keyProblem(key); problem != "" {
			v.refuse("NewVerifier", problem)
		}
	}
	if err := errors.Join(append(v.errs, v.parse.err)...); err != nil {
		return nil, err
	}
	return &Verifier{
		keys:     v.keys,
		keyfunc:  v.keyfunc,
		audience: v.audience,
		maxToken: v.maxToken,
		required: v.required,
		claims:   &v.parse,
		validator: jwt.NewValidator(jwt.WithAudience(v.audience), jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
			jwt.WithLeeway(v.leeway), jwt.WithTimeFunc(v.clock)),
	}, nil
}

// audienceOf returns the audience of a project's tokens (SPEC 7.1).
func audienceOf(projectID string) string { return "useparagon.com/" + projectID }

// refuse returns an error that matches ErrToken, kind, and err.
func refuse(kind, err error) error {
	if err == nil {
		return fmt.Errorf("permissions: %w: %w", ErrToken, kind)
	}
	return fmt.Errorf("permissions: %w: %w: %w", ErrToken, kind, err)
}

// Verify returns the claims of a token that is signed and valid (SPEC 7.5). The algorithm
// is RS256, and nothing in the token is looked at, but for its header, before the
// signature has been verified, unless a Keyfunc must see it. A header that marks an
// extension as critical is refused, because none is understood (RFC 7515, 4.1.11).
//
// Every error matches [ErrToken] and the error of golang-jwt for its reason:
//
//   - [jwt.ErrTokenMalformed]: too large, or not the compact form of a JWT, or a claims
//     set that [Claims.UnmarshalJSON] refuses; then [ErrClaim] too, if it is for the
//     permissions claim
//   - [jwt.ErrTokenUnverifiable]: another algorithm, a critical extension, or no key
//   - [jwt.ErrTokenSignatureInvalid]
//   - [jwt.ErrTokenExpired], [jwt.ErrTokenNotValidYet], [jwt.ErrTokenUsedBeforeIssued],
//     [jwt.ErrTokenInvalidAudience]
//   - [jwt.ErrTokenRequiredClaimMissing]: exp, aud, sub, or with [RequireClaim] the
//     permissions claim
//
// No error contains any of the token but a name of a claim, or what a [ParseError]
// quotes of the permissions claim.
func (v *Verifier) Verify(token string) (*Claims, error) {
	if v == nil || v.validator == nil {
		return nil, refuse(jwt.ErrTokenUnverifiable, errors.New("the verifier is zero; NewVerifier makes one"))
	}
	if len(token) > v.maxToken {
		return nil, refuse(jwt.ErrTokenMalformed, fmt.Errorf("it has %d bytes, and may have %d", len(token), v.maxToken))
	}
	parts, ok := split(token)
	if !ok {
		return nil, refuse(jwt.ErrTokenMalformed, errors.New("it is not three parts with dots between them"))
	}
	header, err := decodeSegment(parts.header)
	if err != nil {
		return nil, refuse(jwt.ErrTokenMalformed, errors.New("its header is not base64url"))
	}
	if err := checkHeader(string(header)); err != nil {
		return nil, err
	}
	payload, err := decodeSegment(parts.payload)
	if err != nil {
		return nil, refuse(jwt.ErrTokenMalformed, errors.New("its payload is not base64url"))
	}
	signature, err := decodeSegment(parts.signature)
	if err != nil {
		return nil, refuse(jwt.ErrTokenMalformed, errors.New("its signature is not base64url"))
	}
	claims := &Claims{options: v.claims}
	if v.keyfunc == nil {
		if err := verifySignature(parts.signed, signature, v.keys); err != nil {
			return nil, err
		}
		if err := claims.decode(string(payload)); err != nil {
			return nil, err
		}
	} else {
		if err := claims.decode(string(payload)); err != nil {
			return nil, err
		}
		keys, err := v.lookUp(&jwt.Token{Raw: token, Method: jwt.SigningMethodRS256, Claims: claims, Signature: signature}, header)
		if err != nil {
			return nil, err
		}
		if err := verifySignature(parts.signed, signature, keys); err != nil {
			return nil, err
		}
	}
	if err := v.validate(claims); err != nil {
		return nil, err
	}
	return claims, nil
}

// segments is a token taken apart.
type segments struct{ header, payload, signature, signed string }

// split takes a token apart at its two dots.
func split(token string) (s segments, ok bool) {
	var rest string
	if s.header, rest, ok = strings.Cut(token, "."); !ok {
		return s, false
	}
	if s.payload, s.signature, ok = strings.Cut(rest, "."); !ok {
		return s, false
	}
	s.signed = token[:len(s.header)+1+len(s.payload)]
	return s, strings.IndexByte(s.signature, '.') < 0
}

var errNewline = errors.New("line break")

// decodeSegment decodes base64url as RFC 7515 has it: no padding, no bits left over, and
// no line breaks, which encoding/base64 would skip.
func decodeSegment(s string) ([]byte, error) {
	if strings.IndexByte(s, '\n') >= 0 || strings.IndexByte(s, '\r') >= 0 {
		return nil, errNewline
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

// checkHeader checks that the algorithm is RS256 and that nothing is critical.
func checkHeader(text string) error {
	s := scanner{text: text}
	malformed := func(problem string) error {
		return refuse(jwt.ErrTokenMalformed, errors.New("its header "+problem))
	}
	if s.space() != '{' {
		return malformed("is no JSON object")
	}
	var seen nameSet
	algorithm := ""
	more, ok := s.begin('}'), true
	for ; more && ok; more, ok = s.more('}') {
		name, value, ok := s.member()
		switch {
		case !ok:
			return malformed("is not well-formed JSON")
		case !seen.add(name):
			return malformed("has a parameter twice")
		case name == "alg":
			algorithm = value
		case name == "crit":
			return refuse(jwt.ErrTokenUnverifiable, errors.New("its header marks an extension as critical"))
		}
	}
	if !ok || !s.end() {
		return malformed("is not well-formed JSON")
	}
	if algorithm != `"RS256"` {
		return refuse(jwt.ErrTokenUnverifiable, errors.New("its algorithm is not RS256"))
	}
	return nil
}

// lookUp asks the Keyfunc for the keys of a token.
func (v *Verifier) lookUp(token *jwt.Token, header []byte) ([]*rsa.PublicKey, error) {
	if err := json.Unmarshal(header, &token.Header); err != nil {
		return nil, refuse(jwt.ErrTokenMalformed, errors.New("its header is not well-formed JSON"))
	}
	found, err := v.keyfunc(token)
	if err != nil {
		return nil, refuse(jwt.ErrTokenUnverifiable, err)
	}
	list := []jwt.VerificationKey{found}
	if set, ok := found.(jwt.VerificationKeySet); ok {
		list = set.Keys
	}
	var keys []*rsa.PublicKey
	for _, k := range list {
		key, _ := k.(*rsa.PublicKey)
		if problem := keyProblem(key); problem != "" {
			return nil, refuse(jwt.ErrTokenUnverifiable, errors.New(problem))
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, refuse(jwt.ErrTokenUnverifiable, errors.New("the Keyfunc returned no key"))
	}
	return keys, nil
}

// verifySignature verifies that one of the keys has signed.
func verifySignature(signed string, signature []byte, keys []*rsa.PublicKey) error {
	for _, key := range keys {
		if jwt.SigningMethodRS256.Verify(signed, signature, key) == nil {
			return nil
		}
	}
	return refuse(jwt.ErrTokenSignatureInvalid, nil)
}

// validate checks the claims of a token whose signature is valid.
func (v *Verifier) validate(claims *Claims) error {
	if err := v.validator.Validate(claims); err != nil {
		return refuse(jwt.ErrTokenInvalidClaims, err)
	}
	if claims.Subject == "" {
		return refuse(jwt.ErrTokenRequiredClaimMissing, errors.New("sub is missing or empty"))
	}
	if v.required && claims.Policy.IsUnrestricted() {
		return refuse(jwt.ErrTokenRequiredClaimMissing, fmt.Errorf("%s is missing", ClaimName))
	}
	return nil
}
