package usertoken

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// A VerifierOption changes how a [Verifier] works. The keys of several [WithKeys] add up, and so do the
// options of several [WithClaimOptions]. Any other option overrides an earlier one that sets the same
// thing. A nil option changes nothing. [NewVerifier] returns an error for an invalid option.
type VerifierOption interface{ applyVerifier(*verifierOptions) }

// A SignerOption changes how a [Signer] works. A later option overrides an earlier one that sets the same
// thing. A nil option changes nothing. [NewSigner] returns an error for an invalid option.
type SignerOption interface{ applySigner(*signerOptions) }

// A TokenOption changes how a [Verifier] or a [Signer] works. Give both of them the same ones.
type TokenOption interface {
	VerifierOption
	SignerOption
}

// A SignOption changes one token that a [Signer] makes. A later option overrides an earlier one that sets
// the same thing. A nil option changes nothing. [Signer.Sign] returns an error for an invalid option.
type SignOption interface{ applySign(*signOptions) }

// The defaults of the options and their bounds.
const (
	defaultLeeway       = 5 * time.Second
	maxLeeway           = 5 * time.Minute
	defaultMaxTokenSize = 64 << 10
	defaultLifetime     = time.Hour
	minLifetime         = time.Second
	maxLifetime         = 30 * 24 * time.Hour
)

// tokenOptions is what a Verifier and a Signer have in common.
type tokenOptions struct {
	audiences []string
	issuers   []string // nil if iss is not looked at
	types     []string // nil for the type JWT
	clock     func() time.Time
	maxToken  int
	errs      []error
}

func newTokenOptions(caller, projectID string) tokenOptions {
	o := tokenOptions{clock: time.Now, maxToken: defaultMaxTokenSize}
	if projectID == "" {
		return o
	}
	problem := nameProblem(projectID)
	switch {
	case strings.Contains(projectID, "/"):
		problem = "holds a host or a path"
	case strings.ContainsFunc(projectID, unicode.IsSpace):
		problem = "holds white space"
	}
	if problem != "" {
		o.refuse(caller, "the project ID "+text.Quote(projectID)+" "+problem+
			"; give the ID alone, or the whole audience to WithAudience")
	}
	o.audiences = []string{audienceOf(projectID)}
	return o
}

const nilFunction = "the function is nil; give one, or leave the option out"

const emptyProject = "the project ID is empty; give it, or use WithAudience"

// audienceOf returns the audience of a project's tokens in the cloud (SPEC 7.1).
func audienceOf(projectID string) string { return "useparagon.com/" + projectID }

// nameProblem says why an audience, an issuer, a type or an ID is not one that a token can have. It
// returns "" if nothing is wrong. A name with U+FFFD is refused because different malformed strings decode to that
// character, so the name could equal a wrong one.
func nameProblem(s string) string {
	switch {
	case s == "":
		return "is empty"
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case strings.ContainsRune(s, utf8.RuneError):
		return "holds U+FFFD, the replacement character"
	case strings.ContainsFunc(s, unicode.IsControl):
		return "holds a control character"
	}
	return ""
}

func (o *tokenOptions) refuse(where, problem string) {
	o.errs = append(o.errs, errors.New("usertoken: "+where+": "+problem))
}

// names checks the names that an option was given, and returns them.
func (o *tokenOptions) names(option, what string, names []string) []string {
	if len(names) == 0 {
		o.refuse(option, "there is no "+what+"; give one, or leave the option out")
	}
	for _, name := range names {
		if problem := nameProblem(name); problem != "" {
			o.refuse(option, "the "+what+" "+text.Quote(name)+" "+problem)
		}
	}
	return names
}

type tokenOption func(*tokenOptions)

func (o tokenOption) applyVerifier(v *verifierOptions) { o(&v.tokenOptions) }
func (o tokenOption) applySigner(s *signerOptions)     { o(&s.tokenOptions) }

type verifierOptions struct {
	tokenOptions
	keys            []*rsa.PublicKey
	source          keySource
	leeway          time.Duration
	missingAudience bool
	requireClaim    bool
	claimOptions    []permissions.Option
	cacheEntries    int
	observe         func(context.Context, Verification)
}

type verifierOption func(*verifierOptions)

func (o verifierOption) applyVerifier(v *verifierOptions) { o(v) }

type signerOptions struct {
	tokenOptions
	lifetime time.Duration
	keyID    string
}

type signerOption func(*signerOptions)

func (o signerOption) applySigner(s *signerOptions) { o(s) }

type signOptions struct {
	tokenID string
	latest  *time.Time // when the token must have expired; nil for the Signer's lifetime alone
	own     []byte     // members of the claims set, without brackets
	err     error
}

type signOption func(*signOptions)

func (o signOption) applySign(s *signOptions) { o(s) }

// WithAudience names the audiences. A [Verifier] accepts a token whose aud holds one of them, and a
// [Signer] writes all of them into aud. They replace the audience of the project in the cloud,
// useparagon.com/PROJECT_ID. It is for a self-hosted Paragon, for a project with several hosts, and
// for tokens of other issuers. For several issuers make a Verifier each: see [WithKeys].
func WithAudience(audiences ...string) TokenOption {
	audiences = slices.Clone(audiences)
	return tokenOption(func(o *tokenOptions) { o.audiences = o.names("WithAudience", "audience", audiences) })
}

// WithIssuer names issuers. A [Verifier] requires that iss is one of them, compared by bytes. A
// [Signer] writes the first one into iss. Without it a Verifier does not look at iss, since the key
// tells who signed, and a Signer writes no iss.
func WithIssuer(issuers ...string) TokenOption {
	issuers = slices.Clone(issuers)
	return tokenOption(func(o *tokenOptions) { o.issuers = o.names("WithIssuer", "issuer", issuers) })
}

// WithType names types of token, such as at+jwt. A [Verifier] requires that the header has a typ, and
// that it is one of them in any letter case (SPEC 7.5; RFC 8725, section 3.11). A [Signer] writes the
// first one. Without it a Verifier accepts the type JWT and a header without a type, and a Signer
// writes JWT.
func WithType(types ...string) TokenOption {
	types = slices.Clone(types)
	return tokenOption(func(o *tokenOptions) { o.types = o.names("WithType", "type", types) })
}

// WithClock sets the clock for checking and dating tokens. The default is [time.Now]. The function
// must be safe for concurrent use.
func WithClock(now func() time.Time) TokenOption {
	return tokenOption(func(o *tokenOptions) {
		if now == nil {
			o.refuse("WithClock", nilFunction)
		}
		o.clock = now
	})
}

// WithMaxTokenSize sets how many bytes a token may have. The default is 64 KiB. A [Verifier]
// refuses a longer token before decoding it. A [Signer] returns an error. What carries the token is
// often a tighter bound: headers overflow somewhere between 4 and 16 KiB.
func WithMaxTokenSize(bytes int) TokenOption {
	return tokenOption(func(o *tokenOptions) {
		if bytes <= 0 {
			o.refuse("WithMaxTokenSize", "the size is not above 0")
		}
		o.maxToken = bytes
	})
}

// AllowMissingAudience accepts a token that has no aud at all. Many issuers leave it out, and the
// platform requires it for one of its APIs only. A wrong aud, an empty one and null are refused all the
// same (SPEC 7.5).
//
// Beware: such a token is good for every verifier that has this option and the same key.
func AllowMissingAudience() VerifierOption {
	return verifierOption(func(v *verifierOptions) { v.missingAudience = true })
}

// RequireClaim refuses a token without the permissions claim, which would otherwise allow everything
// (SPEC 1.7).
func RequireClaim() VerifierOption {
	return verifierOption(func(v *verifierOptions) { v.requireClaim = true })
}

// WithLeeway sets how far the clocks of issuer and verifier may be apart, up to 5 minutes. The
// default is 5 seconds.
func WithLeeway(leeway time.Duration) VerifierOption {
	return verifierOption(func(v *verifierOptions) {
		if leeway < 0 || leeway > maxLeeway {
			v.refuse("WithLeeway", "the leeway is not from 0 to 5 minutes")
		}
		v.leeway = leeway
	})
}

// WithClaimOptions sets how the permissions claim is read, such as with
// [permissions.WithPermissions]. Options of several WithClaimOptions add up.
func WithClaimOptions(opts ...permissions.Option) VerifierOption {
	opts = slices.Clone(opts)
	return verifierOption(func(v *verifierOptions) { v.claimOptions = append(v.claimOptions, opts...) })
}

// WithKeys adds keys, so that tokens signed with an old and with a new key are accepted while keys
// rotate. A token must be signed with one of them. Keys of several WithKeys add up.
//
// Each key is good for each issuer and audience that the Verifier accepts. So keys of different issuers, or of
// projects that must not speak for each other, need a Verifier each.
func WithKeys(keys ...*rsa.PublicKey) VerifierOption {
	keys = slices.Clone(keys)
	return verifierOption(func(v *verifierOptions) { v.keys = append(v.keys, keys...) })
}

// WithKeyfunc is [WithKeySource] for a function that needs no context, such as one written for
// golang-jwt. For a kid without a key, the function returns an error that matches [ErrToken] or
// [jwt.ErrTokenUnverifiable]. With any other error a server answers 503, although the token is at
// fault. The function must not take token.Claims for a [jwt.MapClaims]: a type assertion that is not
// checked would panic. The methods of token.Claims return the registered claims.
func WithKeyfunc(keyfunc jwt.Keyfunc) VerifierOption {
	return verifierOption(func(v *verifierOptions) {
		if keyfunc == nil {
			v.refuse("WithKeyfunc", nilFunction)
		}
		v.source = func(_ context.Context, token *jwt.Token) (any, error) { return keyfunc(token) }
	})
}

// WithKeySource sets a function that looks up the keys for each token, such as in a JSON Web Key Set.
// The key given to [NewVerifier] must be nil then, and there must be no [WithKeys]. The function must
// be safe for concurrent use.
//
// The function gets the context of [Verifier.VerifyContext], and the token: its header, with the kid, and its claims.
// Nothing of them is verified. A parameter of the header that encoding/json cannot decode, such as the number 1e999,
// is a [json.RawMessage] in token.Header. The payload is not read unless the function calls a method of token.Claims.
// The token is a credential: keep nothing of it, and do not log it.
//
// The function returns an [*rsa.PublicKey] or a [jwt.VerificationKeySet] of them. The algorithm is
// RS256, whatever the header says. Its answers mean:
//
//   - usable keys, perhaps among others: the token must be signed with one of them. Keys of other types
//     and keys that cannot work are skipped.
//   - no keys, such as nil or a nil [*rsa.PublicKey]: the token is refused with
//     [jwt.ErrTokenUnverifiable], because its kid names none
//   - an error that matches [ErrToken] or [jwt.ErrTokenUnverifiable]: the token is refused the same way
//   - any other error, and keys that are all unusable: verification fails with [ErrKeys]. An error that matches
//     ErrKeys is such an error, whatever else it matches
func WithKeySource(source func(ctx context.Context, token *jwt.Token) (any, error)) VerifierOption {
	return verifierOption(func(v *verifierOptions) {
		if source == nil {
			v.refuse("WithKeySource", nilFunction)
		}
		v.source = source
	})
}

// WithSignatureCache remembers which tokens had a valid signature, in a number of entries from 1 to 1,048,576. For a
// token that comes again, a hash replaces the RSA verification. For a short token that saves two thirds of the work.
// Without this option nothing is remembered.
//
// An entry says that these exact bytes were signed with this exact key, and nothing else. Each call asks the key
// source, checks the dates and the audience, and reads the claim anew. If the keys for a token no longer include the
// one that signed it, the token is refused as if it had never come. An entry is one SHA-256 hash, of the token, the
// key and a secret of this Verifier.
//
// Each entry takes 34 bytes. All are allocated at the start, in sets of 8. A full set forgets its least recently used
// token, whose signature is verified again when it comes again. Only an accepted token is remembered or counts as
// used, so nobody without such a token can push others out. Some sets are full before others. With twice as many
// entries as different tokens come within the lifetime of a token, 98 % of these tokens are remembered.
// [Verification.Remembered] says whether a token was.
func WithSignatureCache(entries int) VerifierOption {
	const most = 1 << 20
	return verifierOption(func(v *verifierOptions) {
		if entries < 1 || entries > most {
			v.refuse("WithSignatureCache", "the number of entries is not from 1 to 1048576")
		}
		v.cacheEntries = entries
	})
}

// A Verification is what happened to one token, for metrics and traces. It holds nothing of the
// token but what the error says of it.
type Verification struct {
	// Duration is the time from the call of the Verifier to its answer, by its clock. It includes the key
	// source.
	Duration time.Duration

	// Remembered says that the signature was not verified again, see [WithSignatureCache].
	Remembered bool

	// Err is what the Verifier returns: nil if it accepts the token.
	Err error
}

// WithObserver sets a function that is called after each verification, with the context of
// [Verifier.VerifyContext]. The function must be safe for concurrent use, and the caller waits for it. A later
// WithObserver replaces an earlier one. A nil function is an error of [NewVerifier].
func WithObserver(observe func(context.Context, Verification)) VerifierOption {
	return verifierOption(func(v *verifierOptions) {
		if observe == nil {
			v.refuse("WithObserver", nilFunction)
		}
		v.observe = observe
	})
}

// WithLifetime sets how long tokens are valid: a whole number of seconds, from 1 second to 30 days.
// The default is one hour. A token stays valid until it expires. So a short lifetime limits the
// harm of a lost token, and the time for which an old policy is in force.
func WithLifetime(lifetime time.Duration) SignerOption {
	return signerOption(func(s *signerOptions) {
		switch {
		case lifetime < minLifetime || lifetime > maxLifetime:
			s.refuse("WithLifetime", "the lifetime is not from 1 second to 30 days")
		case lifetime%time.Second != 0:
			s.refuse("WithLifetime", "the lifetime is not a whole number of seconds")
		}
		s.lifetime = lifetime
	})
}

// WithKeyID puts the ID of the key into the header of each token (kid; RFC 7515, section 4.1.4), so that
// a verifier can pick the right key while keys rotate. By default there is none.
func WithKeyID(id string) SignerOption {
	return signerOption(func(s *signerOptions) {
		if problem := nameProblem(id); problem != "" {
			s.refuse("WithKeyID", "the ID "+text.Quote(id)+" "+problem)
		}
		s.keyID = id
	})
}

// WithLatestExpiry makes a token expire at the given time, cut to the second, if that is before the end of the
// Signer's lifetime. Give the expiry of the token that a new one is derived from ([permissions.Narrow]), so
// that the new one does not outlive it:
//
//	signer.Sign(claims.Subject, narrowed, usertoken.WithLatestExpiry(claims.ExpiresAt.Time))
//
// Of several times the earliest counts, so give the expiry of each token that the new one is derived from. A time
// that has passed, the zero Time among them, is refused when the token is signed.
func WithLatestExpiry(latest time.Time) SignOption {
	return signOption(func(s *signOptions) {
		if s.latest == nil || latest.Before(*s.latest) {
			s.latest = &latest
		}
	})
}

// WithTokenID gives a token an ID (jti; RFC 7519, section 4.1.7), such as for a list of revoked tokens.
func WithTokenID(id string) SignOption {
	return signOption(func(s *signOptions) {
		if problem := nameProblem(id); problem != "" && s.err == nil {
			s.err = signError("WithTokenID: the ID %s %s", text.Quote(id), problem)
		}
		s.tokenID = id
	})
}

// WithClaims adds claims of your own to a token: a struct or a map that [json.Marshal] encodes as an
// object. It encodes them at once, and keeps nothing of the value. [Claims.Decode] reads them back.
//
// It refuses names that a reader could take for others: a registered claim or the permissions claim, in
// any letter case; what is nearly the permissions claim, or holds it (SPEC 7.4); and two names that
// differ in letter case alone.
func WithClaims(own any) SignOption {
	members, err := encodeOwn(own)
	return signOption(func(s *signOptions) {
		if s.own = members; err != nil && s.err == nil {
			s.err = err
		}
	})
}

// encodeOwn returns the members of an object that may be added to a claims set.
func encodeOwn(own any) ([]byte, error) {
	data, err := json.Marshal(own)
	switch {
	case err != nil:
		return nil, signError("WithClaims: %s", text.Plain(fmt.Sprint(err))) // its MarshalJSON may repeat the value, or return a nil pointer
	case data[0] != '{':
		return nil, signError("WithClaims: the value is not a JSON object; give a struct or a map")
	}
	var refused *TokenError
	if err = checkNames(string(data), true); err == nil {
		// readClaimsSet refuses what is nearly the permissions claim, or holds it. Its remedy is for
		// the issuer of a received token, so it is replaced.
		if _, err = readClaimsSet(data, nil); errors.As(err, &refused) {
			refused.Remedy = "rename it or leave it out, because the signer writes that claim"
		}
	}
	if errors.As(err, &refused) {
		return nil, signError("WithClaims: %s", refused.explain())
	}
	return data[1 : len(data)-1], nil
}
