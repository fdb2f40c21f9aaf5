package usertoken_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

func TestKeyfunc(t *testing.T) {
	project, other := &projectKey().PublicKey, &otherKey().PublicKey
	curve := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	edwards, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	set := func(keys ...jwt.VerificationKey) jwt.VerificationKeySet { return jwt.VerificationKeySet{Keys: keys} }
	even := &rsa.PublicKey{N: project.N, E: 2}
	errDown := errors.New("connection refused")

	const (
		accepted = iota
		wrongKey // the token is refused because no key signed it
		noKey    // the token is refused because there is no key for it
		down     // the source failed
	)
	for _, test := range []struct {
		name    string
		found   any
		err     error
		want    int
		message string
	}{
		{"the key", project, nil, accepted, ""},
		{"a set", set(other, project), nil, accepted, ""},
		{"a set with unusable keys",
			set(nil, &curve.PublicKey, (*rsa.PublicKey)(nil), edwards, []byte("secret"), even, project), nil, accepted, ""},
		{"another key", other, nil, wrongKey, "signature was made with another key or for another text"},
		{"a set without it", set(other), nil, wrongKey, "signature was made with another key or for another text"},
		{"unusable keys and another one", set(&smallKey().PublicKey, other), nil, wrongKey,
			"signature was made with another"},

		{"nothing", nil, nil, noKey, `kid "2026" names no known key; if the issuer has a new key, load its keys again`},
		{"an empty set", set(), nil, noKey,
			`kid "2026" names no known key; if the issuer has a new key, load its keys again`},
		{"a refusal", nil, fmt.Errorf("%w: no such key", usertoken.ErrToken), noKey,
			`kid "2026" names no known key; if the issuer has a new key, load its keys again: token refused: no such key`},
		{"a refusal of a function for golang-jwt", nil, fmt.Errorf("%w: no such key", jwt.ErrTokenUnverifiable), noKey,
			`kid "2026" names no known key; if the issuer has a new key, load its keys again: ` +
				`token is unverifiable: no such key`},
		{"a nil key", (*rsa.PublicKey)(nil), nil, noKey,
			`kid "2026" names no known key; if the issuer has a new key, load its keys again`},
		{"a refusal beside the key", project, usertoken.ErrToken, noKey,
			`kid "2026" names no known key; if the issuer has a new key, load its keys again: token refused`},

		{"an error", nil, errDown, down, "connection refused"},
		{"an error beside the key", project, errDown, down, "connection refused"},
		{"another error of golang-jwt", nil, jwt.ErrHashUnavailable, down, "the requested hash function is unavailable"},
		{"a zero key", new(rsa.PublicKey), nil, down, "none can verify RS256: the key has a modulus that is not positive"},
		{"a set of nil", set(nil), nil, down, "none can verify RS256: the key is a key of an unknown kind"},
		{"a set of a nil key", set((*rsa.PublicKey)(nil)), nil, down, "of 1 found none can verify RS256: the key is nil"},
		{"a key by value", *project, nil, down, "the key is a value of the type rsa.PublicKey"},
		{"a private key", projectKey(), nil, down, "the key is an RSA private key"},
		{"a secret", []byte("secret"), nil, down, "the key is a secret"},
		{"a key of a curve", &curve.PublicKey, nil, down, "the key is an EC public key"},
		{"a key of Ed25519", edwards, nil, down, "the key is an Ed25519 public key"},
		{"a small key", &smallKey().PublicKey, nil, down,
			"the key has 1024 bits, and needs 2048 or more; give an RSA public key of 2048 bits or more"},
		{"exponent 2", even, nil, down, "the key has the public exponent 2, and needs an odd one"},
		{"a set of unusable keys", set(&curve.PublicKey, edwards, &curve.PublicKey), nil, down,
			"of 3 found none can verify RS256: the key is an EC public key; the key is an Ed25519 public key"},
		{"the type that switches signatures off", jwt.UnsafeAllowNoneSignatureType, nil, down,
			"the key is a value of the type jwt.unsafeNoneMagicConstant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newSourceVerifier(t, func(*jwt.Token) (any, error) { return test.found, test.err })
			token := sign(t, projectKey(), `{"alg":"RS256","kid":"2026"}`, payload())
			claims, err := v.Verify(token)
			switch test.want {
			case accepted:
				require.NoError(t, err)
				require.NoError(t, claims.Valid())
				return
			case wrongKey:
				requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenSignatureInvalid)
			case noKey:
				requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenUnverifiable)
				require.Equal(t, "kid", requireTokenError(t, err).Field)
			case down:
				requireReasons(t, err, usertoken.ErrKeys)
			}
			require.Nil(t, claims)
			require.ErrorContains(t, err, test.message)
			requireNothingOf(t, token, err)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
			}
		})
	}
}

// An error that is both is a failure: the token may be good.
func TestKeyfuncThatRefusesAndFails(t *testing.T) {
	for _, refusal := range []error{usertoken.ErrToken, jwt.ErrTokenUnverifiable} {
		v := newSourceVerifier(t, func(*jwt.Token) (any, error) { return nil, errors.Join(refusal, usertoken.ErrKeys) })
		_, err := v.Verify(signPayload(t, payload()))
		requireReasons(t, err, usertoken.ErrKeys)
	}
}

// The usual function for golang-jwt looks the key up in a map. It returns a nil key for an unknown kid.
func TestKeyfuncOfAMap(t *testing.T) {
	keys := map[any]*rsa.PublicKey{"2026": &projectKey().PublicKey}
	v := must[*usertoken.Verifier](t)(usertoken.NewVerifier(testProject, nil, usertoken.WithClock(testClock),
		usertoken.WithKeyfunc(func(token *jwt.Token) (any, error) { return keys[token.Header["kid"]], nil })))
	_, err := v.Verify(sign(t, projectKey(), `{"alg":"RS256","kid":"2026"}`, payload()))
	require.NoError(t, err)
	_, err = v.Verify(sign(t, projectKey(), `{"alg":"RS256","kid":"2025"}`, payload()))
	requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenUnverifiable)
}

// Of a token without a usable kid, the error says so.
func TestKeyfuncWithoutKeyID(t *testing.T) {
	const write = "; the issuer must write the ID of the key there"
	const load = "; if the issuer has a new key, load its keys again"
	v := newSourceVerifier(t, func(*jwt.Token) (any, error) { return nil, nil })
	for header, message := range map[string]string{
		`{"alg":"RS256"}`:                 `kid is missing, and the key source has no key for a token without one` + write,
		`{"alg":"RS256","kid":""}`:        `kid is empty or not a string, and names no known key` + write,
		`{"alg":"RS256","kid":1}`:         `kid is empty or not a string, and names no known key` + write,
		`{"alg":"RS256","kid":"a\u202e"}`: `kid "a\u202e" names no known key` + load,
	} {
		_, err := v.Verify(sign(t, projectKey(), header, payload()))
		require.EqualError(t, err, "usertoken: token refused: "+message)
	}
}

// The function sees the token. What it does to the token changes no answer.
func TestKeyfuncSeesTheToken(t *testing.T) {
	token := sign(t, projectKey(), `{"alg":"RS256","kid":"2026"}`, payload("iss", `"i"`, "nbf", at(-60)))
	calls := 0
	v := newSourceVerifier(t, func(got *jwt.Token) (any, error) {
		calls++
		assert.Equal(t, map[string]any{"alg": "RS256", "kid": "2026"}, got.Header)
		assert.Equal(t, "RS256", got.Method.Alg())
		assert.Equal(t, token, got.Raw)
		assert.Len(t, got.Signature, 256)
		assert.False(t, got.Valid)
		subject, err := got.Claims.GetSubject()
		assert.NoError(t, err)
		assert.Equal(t, testSubject, subject)
		iss, err := got.Claims.GetIssuer()
		assert.NoError(t, err)
		assert.Equal(t, "i", iss)
		aud, err := got.Claims.GetAudience()
		assert.NoError(t, err)
		assert.Equal(t, jwt.ClaimStrings{testAudience}, aud)
		for want, get := range map[int64]func() (*jwt.NumericDate, error){
			3600: got.Claims.GetExpirationTime, -60: got.Claims.GetIssuedAt,
		} {
			date, err := get()
			assert.NoError(t, err)
			assert.Equal(t, testNow.Unix()+want, date.Unix())
			date.Time = testNow.Add(-100)
		}
		nbf, err := got.Claims.GetNotBefore()
		assert.NoError(t, err)
		assert.Equal(t, testNow.Unix()-60, nbf.Unix())

		aud[0] = "changed"
		got.Method = jwt.SigningMethodNone
		got.Header["alg"] = "none"
		clear(got.Signature)
		got.Raw, got.Valid = "", true
		return &projectKey().PublicKey, nil
	})
	claims := must[*usertoken.Claims](t)(v.Verify(token))
	require.Equal(t, jwt.ClaimStrings{testAudience}, claims.Audience)
	require.Equal(t, testNow.Unix()+3600, claims.ExpiresAt.Unix())
	require.Equal(t, 1, calls)
}

// The claims that a key source sees are read with the options of the verifier.
func TestKeyfuncSeesClaimsWithDeclaredPermissions(t *testing.T) {
	v := newSourceVerifier(t, func(token *jwt.Token) (any, error) {
		subject, err := token.Claims.GetSubject()
		assert.NoError(t, err)
		assert.Equal(t, testSubject, subject)
		return &projectKey().PublicKey, nil
	}, usertoken.WithClaimOptions(permissions.WithPermissions("x")))
	_, err := v.Verify(signPayload(t, payloadWith(`{"integration:*":["x"]}`)))
	require.NoError(t, err)
}

// The payload is read before the signature only if the function asks. A bad payload is the token's fault.
func TestKeyfuncReadsThePayloadOnlyWhenAsked(t *testing.T) {
	unsigned := sign(t, otherKey(), testHeader, "null")
	_, err := newSourceVerifier(t, projectKeyfunc).Verify(unsigned)
	requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenSignatureInvalid)

	v := newSourceVerifier(t, func(token *jwt.Token) (any, error) {
		for range 2 {
			if _, err := token.Claims.GetIssuer(); err != nil {
				return nil, err
			}
		}
		return &projectKey().PublicKey, nil
	})
	_, err = v.Verify(unsigned)
	requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenUnverifiable, jwt.ErrTokenMalformed)
	require.ErrorContains(t, err, "payload is not a JSON object")
	_, err = v.Verify(signPayload(t, payload()))
	require.NoError(t, err)
}

type contextKey struct{}

// A source gets the context of VerifyContext, and its end is not the token's fault.
func TestKeySourceGetsTheContext(t *testing.T) {
	source := func(ctx context.Context, token *jwt.Token) (any, error) {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("keys of %v: %w", ctx.Value(contextKey{}), err)
		}
		return &projectKey().PublicKey, nil
	}
	v := must[*usertoken.Verifier](t)(usertoken.NewVerifier(testProject, nil,
		usertoken.WithClock(testClock), usertoken.WithKeySource(source)))
	token := signPayload(t, payload())
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), contextKey{}, "acme"))
	_, err := v.VerifyContext(ctx, token)
	require.NoError(t, err)
	cancel()
	_, err = v.VerifyContext(ctx, token)
	requireReasons(t, err, usertoken.ErrKeys)
	require.ErrorIs(t, err, context.Canceled)
	require.EqualError(t, err, "usertoken: keys not available: keys of acme: context canceled")
	_, err = v.Verify(token)
	require.NoError(t, err, "Verify has a context of its own")

	// A verifier with keys of its own does not need the context.
	_, err = newVerifier(t).VerifyContext(ctx, token)
	require.NoError(t, err)
}

// A token that is refused for its header or its shape does not reach the source.
func TestKeySourceIsAskedForGoodHeadersOnly(t *testing.T) {
	v := newSourceVerifier(t, func(*jwt.Token) (any, error) {
		t.Error("the source was asked")
		return nil, errors.New("asked")
	})
	for _, token := range []string{
		"", "a.b", sign(t, projectKey(), `{"alg":"none"}`, payload()),
		sign(t, projectKey(), `{"alg":"RS256","typ":"x"}`, payload()),
		sign(t, projectKey(), `{"alg":"RS256","crit":["x"]}`, payload()), signPayload(t, payload()) + "=",
	} {
		_, err := v.Verify(token)
		require.ErrorIs(t, err, usertoken.ErrToken)
	}
}

// A header's other parameters may be anything, and are only checked to be JSON. So a source changes nothing in what
// is refused. It sees a parameter that encoding/json cannot decode as JSON text.
func TestHeaderThatCannotBeDecoded(t *testing.T) {
	deep := strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)
	for name, test := range map[string]struct{ member, name, want string }{
		"a number that is too large":           {`"x":1e999`, "x", `1e999`},
		"a negative one, in an array":          {`"x": [ -1e999 ] `, "x", `[ -1e999 ]`},
		"a kid":                                {`"kid":1e999`, "kid", `1e999`},
		"nested too deep":                      {`"x":` + deep, "x", deep},
		"with a name that has escapes":         {`"\u0078\ud800":1e999`, "x\ufffd", `1e999`},
		"beside a parameter that is not there": {`"x":1e999,"y":null`, "x", `1e999`},
	} {
		t.Run(name, func(t *testing.T) {
			token := sign(t, projectKey(), `{"alg":"RS256","n":1.5,`+test.member+`}`, payload())
			_, err := newVerifier(t).Verify(token)
			require.NoError(t, err)
			v := newSourceVerifier(t, func(got *jwt.Token) (any, error) {
				require.Equal(t, json.RawMessage(test.want), got.Header[test.name])
				require.Equal(t, "RS256", got.Header["alg"])
				require.Equal(t, 1.5, got.Header["n"])
				return &projectKey().PublicKey, nil
			})
			_, err = v.Verify(token)
			require.NoError(t, err)
		})
	}
	// One level less can be decoded.
	v := newSourceVerifier(t, func(got *jwt.Token) (any, error) {
		require.IsType(t, []any{}, got.Header["x"])
		return &projectKey().PublicKey, nil
	})
	_, err := v.Verify(sign(t, projectKey(), `{"alg":"RS256","x":`+deep[1:len(deep)-1]+`}`, payload()))
	require.NoError(t, err)
}
