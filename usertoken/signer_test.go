package usertoken_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

func TestSign(t *testing.T) {
	policy := permissions.MustParse(
		`{ "integration:slack": {"credential:*": ["settings:read", "settings:write"]}, "integration:*": false }`)
	token := must[string](t)(newSigner(t).Sign(testSubject, policy))
	header, payload := decodeToken(t, token)
	require.Equal(t, testHeader, header)
	require.Equal(t, `{"sub":"member@example.com","aud":"`+testAudience+`",`+
		`"exp":1760003600,"iat":1760000000,`+claimMember+
		`{"integration:*":[],"integration:slack":{"credential:*":["settings:write"]}}}`, payload)

	claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(token))
	require.Equal(t, testSubject, claims.Subject)
	require.Equal(t, jwt.ClaimStrings{testAudience}, claims.Audience)
	require.Equal(t, testNow, claims.IssuedAt.Time)
	require.Equal(t, testNow.Add(time.Hour), claims.ExpiresAt.Time)
	require.ElementsMatch(t, ruleTexts(policy), ruleTexts(claims.Policy))

	// A verifier with another key refuses it, and golang-jwt accepts it.
	v, err := usertoken.NewVerifier(testProject, &otherKey().PublicKey, usertoken.WithClock(testClock))
	require.NoError(t, err)
	_, err = v.Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
	_, err = jwt.ParseWithClaims(token, new(usertoken.Claims), projectKeyfunc,
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(testClock), jwt.WithAudience(testAudience))
	require.NoError(t, err)
}

func TestSignUnrestricted(t *testing.T) {
	token := must[string](t)(newSigner(t).SignUnrestricted(testSubject))
	_, payload := decodeToken(t, token)
	require.NotContains(t, payload, permissions.ClaimName)
	claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(token))
	require.True(t, claims.Policy.IsUnrestricted())
	_, err := newVerifier(t, usertoken.RequireClaim()).Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenRequiredClaimMissing)
}

func TestSignerOptions(t *testing.T) {
	policy := permissions.MustParse(`{}`)
	shared := []usertoken.TokenOption{
		usertoken.WithAudience("https://paragon.example.com/p"), usertoken.WithMaxTokenSize(700),
		usertoken.WithIssuer("first", "second"), usertoken.WithType("at+jwt", "JWT"),
	}
	var signing []usertoken.SignerOption
	var verifying []usertoken.VerifierOption
	for _, o := range shared {
		signing, verifying = append(signing, o), append(verifying, o)
	}
	signing = append(signing, usertoken.WithLifetime(90*time.Second), usertoken.WithKeyID(`key "2"`), nil)
	token := must[string](t)(newSigner(t, signing...).Sign(testSubject, policy))
	header, payload := decodeToken(t, token)
	require.Equal(t, `{"alg":"RS256","typ":"at+jwt","kid":"key \"2\""}`, header)
	require.Equal(t, `{"iss":"first","sub":"member@example.com","aud":"https://paragon.example.com/p","exp":1760000090,`+
		`"iat":1760000000,`+claimMember+`{}}`, payload)
	_, err := newVerifier(t, verifying...).Verify(token)
	require.NoError(t, err)
	_, err = newVerifier(t).Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenUnverifiable)

	// The key ID tells a key source which key it is.
	keyed := newSourceVerifier(t, func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != `key "2"` {
			return nil, errors.New("another key")
		}
		return &projectKey().PublicKey, nil
	}, verifying...)
	_, err = keyed.Verify(token)
	require.NoError(t, err)
}

// Several audiences are written as an array, which is what a verifier with any of them accepts.
func TestSignSeveralAudiences(t *testing.T) {
	signer := must[*usertoken.Signer](t)(usertoken.NewSigner("", projectKey(), usertoken.WithClock(testClock),
		usertoken.WithAudience("a", testAudience)))
	token := must[string](t)(signer.SignUnrestricted(testSubject))
	_, payload := decodeToken(t, token)
	require.Contains(t, payload, `"aud":["a","`+testAudience+`"]`)
	_, err := newVerifier(t).Verify(token)
	require.NoError(t, err)
}

// Times are whole seconds, whatever fractions and zones the clock has, and the token is valid from the
// moment it is made until its end.
func TestSignTime(t *testing.T) {
	policy := permissions.MustParse(`{}`)
	leeway := usertoken.WithLeeway(0)
	clockAt := func(now time.Time) usertoken.TokenOption { return usertoken.WithClock(func() time.Time { return now }) }
	for _, now := range []time.Time{
		time.Unix(0, 0), time.Unix(1_760_000_000, 999_999_999), time.Unix(1_760_000_000, 1).In(time.FixedZone("", 5*3600+7)),
		time.Unix(253402300798, 0),
	} {
		token := must[string](t)(newSigner(t, clockAt(now), usertoken.WithLifetime(time.Second)).Sign(testSubject, policy))
		claims, err := newVerifier(t, clockAt(now), leeway).Verify(token)
		require.NoError(t, err, now)
		require.Equal(t, now.Unix(), claims.IssuedAt.Unix())
		require.Equal(t, now.Unix()+1, claims.ExpiresAt.Unix())
		_, err = newVerifier(t, clockAt(now.Add(time.Second)), leeway).Verify(token)
		require.ErrorIs(t, err, jwt.ErrTokenExpired)
	}
	for now, claim := range map[time.Time]string{
		time.Unix(-1, 999_999_999): "iat", time.Unix(253402300799, 0): "exp", {}: "exp",
	} {
		_, err := newSigner(t, clockAt(now)).Sign(testSubject, policy)
		requireReasons(t, err, usertoken.ErrSign)
		require.EqualError(t, err, "usertoken: token not signed: "+claim+" is not from 1970 to the end of the year 9999")
	}
	for _, lifetime := range []time.Duration{time.Second, 30 * 24 * time.Hour} {
		_, err := usertoken.NewSigner(testProject, projectKey(), usertoken.WithLifetime(lifetime))
		require.NoError(t, err)
	}
}

func TestSignRefuses(t *testing.T) {
	slack := permissions.MustParse(`{"integration:slack":true}`)
	both := must[*permissions.Policy](t)(permissions.Intersect(slack, permissions.MustParse(`{}`)))
	empty := permissions.MustParse(`{}`)
	neither := must[*permissions.Policy](t)(permissions.Intersect(empty, empty))
	signer := newSigner(t)
	large := permissions.MustParse(fill(60<<10, "{", rule(`"integration:%d":true`), "}"))
	tests := []struct {
		name    string
		signer  *usertoken.Signer
		subject string
		policy  *permissions.Policy
		message string
	}{
		{"empty subject", signer, "", slack, "the subject is empty; give the ID of the user"},
		{"bad subject", signer, "x\xff", slack, "the subject is not valid UTF-8"},
		{"subject with U+FFFD", signer, "x\ufffd", slack,
			"the subject holds U+FFFD, the replacement character, which a Verifier refuses; " +
				"give the ID of the user in valid Unicode"},
		{"nil policy", signer, testSubject, nil,
			"the policy is nil or zero; to deny everything, sign the policy of the claim {}"},
		{"zero policy", signer, testSubject, new(permissions.Policy),
			"the policy is nil or zero; to deny everything, sign the policy of the claim {}"},
		{"unrestricted", signer, testSubject, permissions.Unrestricted(),
			"an unrestricted policy has no permissions claim, and a token without one allows everything; " +
				"SignUnrestricted signs such a token"},
		{"intersection", signer, testSubject, both, "permissions: an intersection of policies is not a claim"},
		{
			"intersection without rules", signer, testSubject, neither,
			"permissions: an intersection of policies is not a claim",
		},
		{"nil signer", nil, testSubject, slack, "the signer is nil or zero; NewSigner makes one"},
		{"zero signer", new(usertoken.Signer), testSubject, slack, "the signer is nil or zero; NewSigner makes one"},
		{"too large", signer, testSubject, large, "and may have 65536; a policy with fewer rules makes it smaller"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token, err := test.signer.Sign(test.subject, test.policy)
			require.Empty(t, token)
			requireReasons(t, err, usertoken.ErrSign)
			require.ErrorContains(t, err, "usertoken: token not signed: ")
			require.ErrorContains(t, err, test.message)
		})
	}
	_, err := signer.SignUnrestricted("")
	requireReasons(t, err, usertoken.ErrSign)
	_, err = new(usertoken.Signer).SignUnrestricted(testSubject)
	requireReasons(t, err, usertoken.ErrSign)
}

// A policy that is observed is signed like any other, and signing is not an answer to observe.
func TestSignObservedPolicy(t *testing.T) {
	asked := func(permissions.Observation) { t.Error("the hook was called") }
	signer := newSigner(t)
	for claim, wanted := range map[string]string{`{}`: `{}`, `{"integration:slack":true}`: `{"integration:slack":true}`} {
		token := must[string](t)(signer.Sign(testSubject, permissions.MustParse(claim).Observe(asked)))
		_, payload := decodeToken(t, token)
		require.Contains(t, payload, claimMember+wanted)
	}
	_, err := signer.Sign(testSubject, new(permissions.Policy).Observe(asked))
	require.ErrorIs(t, err, usertoken.ErrSign)
}

func TestNewSignerRefuses(t *testing.T) {
	key := projectKey()
	inconsistent := *key
	inconsistent.D = new(big.Int).Add(key.D, big.NewInt(2))
	bare := rsa.PrivateKey{PublicKey: key.PublicKey}
	withoutPrimes := rsa.PrivateKey{PublicKey: key.PublicKey, D: key.D}
	nilPrime := rsa.PrivateKey{PublicKey: key.PublicKey, D: key.D, Primes: []*big.Int{nil, key.Primes[1]}}
	messages := map[string]string{}
	for _, test := range []struct {
		name    string
		project string
		key     *rsa.PrivateKey
		badKey  bool
		option  usertoken.SignerOption
	}{
		{"no project", "", key, false, nil},
		{"a project with the host", testAudience, key, false, nil},
		{"bad project", "\xff", key, false, nil},
		{"bad audience", testProject, key, false, usertoken.WithAudience("\xff")},
		{"nil key", testProject, nil, true, nil},
		{"zero key", testProject, new(rsa.PrivateKey), true, nil},
		{"public half alone", testProject, &bare, true, nil},
		{"key without modulus", testProject, &rsa.PrivateKey{D: key.D}, true, nil},
		{"small key", testProject, smallKey(), true, nil},
		{"key without primes", testProject, &withoutPrimes, true, nil},
		{"wrong key", testProject, &inconsistent, true, nil},
		{"key with a nil prime", testProject, &nilPrime, true, nil},
		{"lifetime of 0", testProject, key, false, usertoken.WithLifetime(0)},
		{"lifetime below 0", testProject, key, false, usertoken.WithLifetime(-time.Hour)},
		{"long lifetime", testProject, key, false, usertoken.WithLifetime(30*24*time.Hour + time.Second)},
		{"fraction", testProject, key, false, usertoken.WithLifetime(1500 * time.Millisecond)},
		{"no key ID", testProject, key, false, usertoken.WithKeyID("")},
		{"bad key ID", testProject, key, false, usertoken.WithKeyID("\xff")},
		{"no audience", testProject, key, false, usertoken.WithAudience()},
		{"no issuer", testProject, key, false, usertoken.WithIssuer("")},
		{"no type", testProject, key, false, usertoken.WithType("a\n")},
		{"no clock", testProject, key, false, usertoken.WithClock(nil)},
		{"no token size", testProject, key, false, usertoken.WithMaxTokenSize(0)},
		{"two mistakes", "", nil, true, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			signer, err := usertoken.NewSigner(test.project, test.key, test.option)
			require.Nil(t, signer)
			if test.badKey {
				requireReasons(t, err, jwt.ErrInvalidKey)
			} else {
				requireReasons(t, err)
			}
			requireNoSecret(t, test.name, err.Error())
			messages[test.name] = err.Error()
		})
	}
	requireMessages(t, "newsigner.json", messages)
}

func TestSignerTokenSize(t *testing.T) {
	size := len(must[string](t)(newSigner(t).SignUnrestricted(testSubject)))
	_, err := newSigner(t, usertoken.WithMaxTokenSize(size)).SignUnrestricted(testSubject)
	require.NoError(t, err)
	_, err = newSigner(t, usertoken.WithMaxTokenSize(size-1)).SignUnrestricted(testSubject)
	require.ErrorIs(t, err, usertoken.ErrSign)
}

func TestWithTokenID(t *testing.T) {
	token := must[string](t)(newSigner(t).SignUnrestricted(testSubject, usertoken.WithTokenID("a\"1"), nil))
	claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(token))
	require.Equal(t, `a"1`, claims.ID)
	for _, id := range []string{"", "\xff", "a\n"} {
		_, err := newSigner(t).SignUnrestricted(testSubject, usertoken.WithTokenID(id))
		requireReasons(t, err, usertoken.ErrSign)
		require.ErrorContains(t, err, "WithTokenID: the ID ")
	}
}

// A token that is derived from another one does not outlive it.
func TestWithLatestExpiry(t *testing.T) {
	now, lifetime := testClock(), 10*time.Minute
	signer := newSigner(t, usertoken.WithLifetime(lifetime))
	for _, c := range []struct {
		name   string
		latest time.Time
		want   time.Time // zero if it is refused
	}{
		{"before the end of the lifetime", now.Add(time.Minute), now.Add(time.Minute)},
		{"a second from now", now.Add(time.Second), now.Add(time.Second)},
		{"cut to the second", now.Add(2*time.Second - 1), now.Add(time.Second)},
		{"another time zone", now.Add(time.Minute).In(time.FixedZone("", 7200)), now.Add(time.Minute)},
		{"the end of the lifetime", now.Add(lifetime), now.Add(lifetime)},
		{"after the lifetime", now.Add(time.Hour), now.Add(lifetime)},
		{"less than a second from now", now.Add(time.Second - 1), time.Time{}},
		{"now", now, time.Time{}},
		{"passed", now.Add(-time.Second), time.Time{}},
		{"zero", time.Time{}, time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := signer.SignUnrestricted(testSubject, usertoken.WithLatestExpiry(c.latest))
			if c.want.IsZero() {
				requireReasons(t, err, usertoken.ErrSign)
				require.ErrorContains(t, err, "WithLatestExpiry: the time has passed")
				require.Empty(t, token)
				return
			}
			require.NoError(t, err)
			claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(token))
			require.True(t, c.want.Equal(claims.ExpiresAt.Time), claims.ExpiresAt)
			require.True(t, now.Equal(claims.IssuedAt.Time), claims.IssuedAt)
		})
	}
}

// A token that is derived from two others does not outlive either of them.
func TestWithSeveralLatestExpiries(t *testing.T) {
	now := testClock()
	soon, later := usertoken.WithLatestExpiry(now.Add(time.Minute)), usertoken.WithLatestExpiry(now.Add(2*time.Minute))
	for _, options := range [][]usertoken.SignOption{{soon, later}, {later, soon}, {later, soon, later}} {
		token := must[string](t)(newSigner(t).SignUnrestricted(testSubject, options...))
		claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(token))
		require.True(t, now.Add(time.Minute).Equal(claims.ExpiresAt.Time), claims.ExpiresAt)
	}
}

// WithClaims signs claims that Decode reads.
func TestWithClaims(t *testing.T) {
	type owned struct {
		Tenant string            `json:"tenant"`
		Roles  []string          `json:"roles,omitempty"`
		Extra  map[string]string `json:"https://acme.example/extra,omitempty"`
	}
	want := owned{"acme <&> \u2028", []string{"a", "b"}, map[string]string{"sub": "x"}}
	policy := permissions.MustParse(`{"integration:slack":true}`)
	for name, token := range map[string]string{
		"struct":       must[string](t)(newSigner(t).Sign(testSubject, policy, usertoken.WithClaims(want))),
		"pointer":      must[string](t)(newSigner(t).Sign(testSubject, policy, usertoken.WithClaims(&want))),
		"unrestricted": must[string](t)(newSigner(t).SignUnrestricted(testSubject, usertoken.WithClaims(want))),
		"map": must[string](t)(newSigner(t).Sign(testSubject, policy, usertoken.WithClaims(map[string]any{
			"tenant": want.Tenant, "roles": want.Roles, "https://acme.example/extra": want.Extra}))),
	} {
		t.Run(name, func(t *testing.T) {
			claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(token))
			var got owned
			require.NoError(t, claims.Decode(&got))
			require.Equal(t, want, got)
			require.Equal(t, testSubject, claims.Subject)
			require.Equal(t, name == "unrestricted", claims.Policy.IsUnrestricted())
		})
	}
	t.Run("none", func(t *testing.T) {
		token := must[string](t)(newSigner(t).SignUnrestricted(testSubject, usertoken.WithClaims(map[string]any{})))
		_, payload := decodeToken(t, token)
		require.Equal(t, `{"sub":"member@example.com","aud":"`+testAudience+`","exp":1760003600,"iat":1760000000}`, payload)
	})
	t.Run("a snapshot", func(t *testing.T) {
		own := map[string]any{"tenant": "acme"}
		option := usertoken.WithClaims(own)
		own["tenant"] = "changed"
		token := must[string](t)(newSigner(t).SignUnrestricted("x", option))
		claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(token))
		var got owned
		require.NoError(t, claims.Decode(&got))
		require.Equal(t, "acme", got.Tenant)
	})
	t.Run("a later option overrides", func(t *testing.T) {
		token := must[string](t)(newSigner(t).SignUnrestricted(testSubject,
			usertoken.WithClaims(map[string]int{"a": 1}), usertoken.WithTokenID("first"),
			usertoken.WithClaims(map[string]int{"b": 2}), usertoken.WithTokenID("second")))
		_, payload := decodeToken(t, token)
		require.NotContains(t, payload, `"a":1`)
		require.Contains(t, payload, `"b":2`)
		require.Contains(t, payload, `"jti":"second"`)
	})
	t.Run("of two mistakes the first", func(t *testing.T) {
		_, err := newSigner(t).SignUnrestricted("x", usertoken.WithClaims(5), usertoken.WithClaims(map[string]int{"sub": 5}))
		require.ErrorContains(t, err, "WithClaims: the value is not a JSON object")
	})
}

// An invalid option is refused, even if a later one sets the same thing.
func TestSignRefusesAnInvalidOptionBeforeAValidOne(t *testing.T) {
	for name, opts := range map[string][]usertoken.SignOption{
		"claims":   {usertoken.WithClaims(5), usertoken.WithClaims(map[string]int{"a": 1})},
		"token ID": {usertoken.WithTokenID("\xff"), usertoken.WithTokenID("a")},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := newSigner(t).SignUnrestricted(testSubject, opts...)
			require.Empty(t, token)
			require.ErrorIs(t, err, usertoken.ErrSign)
		})
	}
}

// chattyMarshaler fails with a text of several lines that repeats a secret.
type chattyMarshaler struct{}

func (chattyMarshaler) MarshalJSON() ([]byte, error) {
	return nil, errors.New("the value\nis " + strings.Repeat("secret ", 1000))
}

func TestWithClaimsWithANilError(t *testing.T) {
	_, err := newSigner(t).SignUnrestricted(testSubject, usertoken.WithClaims(map[string]any{"x": nilMarshaler{}}))
	require.ErrorIs(t, err, usertoken.ErrSign)
}

// nilMarshaler returns a nil pointer as its error by mistake, whose method Error panics.
type nilMarshaler struct{}

func (nilMarshaler) MarshalJSON() ([]byte, error) { return nil, (*fieldError)(nil) }

type fieldError struct{ text string }

func (e *fieldError) Error() string { return e.text }

func TestWithClaimsShortensTheErrorOfAMethod(t *testing.T) {
	_, err := newSigner(t).SignUnrestricted(testSubject, usertoken.WithClaims(chattyMarshaler{}))
	require.ErrorIs(t, err, usertoken.ErrSign)
	require.NotContains(t, err.Error(), "\n")
	require.Less(t, len(err.Error()), 400)
}

func TestWithClaimsRefuses(t *testing.T) {
	const rename = "; rename it or leave it out, because the signer writes that claim"
	one := func(name string) any { return map[string]any{name: "x"} }
	for name, test := range map[string]struct {
		own     any
		message string
	}{
		"nil":       {nil, "the value is not a JSON object; give a struct or a map"},
		"a nil map": {map[string]any(nil), "the value is not a JSON object"},
		"an array":  {[]string{"a"}, "the value is not a JSON object"},
		"a channel": {make(chan int), "json: unsupported type: chan int"},
		"iss":       {one("iss"), "iss may be written by the signer only; leave it out"},
		"sub":       {one("sub"), "sub may be written by the signer only; leave it out"},
		"aud":       {one("aud"), "aud may be written by the signer only; leave it out"},
		"exp":       {one("exp"), "exp may be written by the signer only; leave it out"},
		"nbf":       {one("nbf"), "nbf may be written by the signer only; leave it out"},
		"iat":       {one("iat"), "iat may be written by the signer only; leave it out"},
		"jti":       {one("jti"), "jti may be written by the signer only; leave it out"},
		"the permissions claim": {
			one(permissions.ClaimName), permissions.ClaimName + " may be written by the signer only; leave it out",
		},
		"another case of sub": {one("SUB"), `SUB differs from "sub" in letter case alone; rename one of them`},
		"another case of it":  {one(strings.ToUpper(permissions.ClaimName)), "in letter case alone"},
		"a near miss": {
			one("urn:useparagon:connect:permission"), `is nearly "` + permissions.ClaimName + `"` + rename,
		},
		"a suspect": {
			one("paragon-permissions"),
			`seems to be meant for "` + permissions.ClaimName + `", which is missing` + rename,
		},
		"one level down": {
			map[string]any{"x": one(permissions.ClaimName)}, `x holds "` + permissions.ClaimName + `"` + rename,
		},
		"letter case": {map[string]any{"a": 1, "A": 2}, `a differs from "A" in letter case alone`},
		"twice": {
			json.RawMessage(`{"a":1,"a":2}`), "a is there twice; remove one",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, sign := range []func(usertoken.SignOption) (string, error){
				func(o usertoken.SignOption) (string, error) { return newSigner(t).SignUnrestricted(testSubject, o) },
				func(o usertoken.SignOption) (string, error) {
					return newSigner(t).Sign(testSubject, permissions.MustParse(`{}`), o, usertoken.WithTokenID(""))
				},
			} {
				token, err := sign(usertoken.WithClaims(test.own))
				require.Empty(t, token)
				requireReasons(t, err, usertoken.ErrSign)
				require.ErrorContains(t, err, "usertoken: token not signed: WithClaims: ")
				require.ErrorContains(t, err, test.message)
			}
		})
	}
}

// secrets are the texts in which a part of the project's key could show, in lower case. The public half
// is among them.
var secrets = sync.OnceValue(func() []string {
	key := projectKey()
	block := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	list := []string{string(block)[40:80]}
	for _, n := range []*big.Int{
		key.N, key.D, key.Primes[0], key.Primes[1], key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv,
	} {
		for _, base := range []int{2, 8, 10, 16, 36} {
			list = append(list, n.Text(base)[:20])
		}
		list = append(list, string(n.Bytes()[:8]), fmt.Sprint(n.Bits()[0]), fmt.Sprintf("%x", uint(n.Bits()[0])),
			base64.StdEncoding.EncodeToString(n.Bytes())[:20], base64.RawURLEncoding.EncodeToString(n.Bytes())[:20],
			strings.Trim(fmt.Sprint(n.Bytes()[:8]), "[]"))
	}
	for i, secret := range list {
		list[i] = strings.ToLower(secret)
	}
	return list
})

func shows(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(secrets(), func(secret string) bool { return strings.Contains(text, secret) })
}

func requireNoSecret(t *testing.T, where, text string) {
	t.Helper()
	if shows(text) {
		require.Fail(t, "the key shows", where)
	}
}

// Whatever prints or logs a Signer, a Verifier, their options or Claims shows no key. Neither does what
// follows pointers.
func TestNothingShowsAKey(t *testing.T) {
	require.True(t, shows(fmt.Sprintf("%+v", projectKey())), "the secrets are what would show")
	require.True(t, shows(fmt.Sprintf("%+v", projectKey().PublicKey)), "and so is the public half")

	signer, verifier := newSigner(t, usertoken.WithKeyID("2")), newVerifier(t)
	claims := must[*usertoken.Claims](t)(verifier.Verify(signPayload(t, payload())))
	keys := usertoken.WithKeys(&projectKey().PublicKey)
	type holder struct {
		Signer   *usertoken.Signer
		Verifier *usertoken.Verifier
		Claims   *usertoken.Claims
		ByValue  usertoken.Signer
		Options  []any
	}
	held := holder{signer, verifier, claims, *signer, []any{keys, usertoken.WithLifetime(time.Hour)}}
	values := []any{signer, *signer, verifier, *verifier, claims, held, &held, []any{signer, verifier}, keys}
	for _, value := range values {
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "# x", "20.10"} {
			for verb := '!'; verb <= '~'; verb++ {
				format := "%" + flags + string(verb)
				requireNoSecret(t, format, fmt.Sprintf(format, value))
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "value", value)
		requireNoSecret(t, "log", log.String())
		data, _ := json.Marshal(value)
		requireNoSecret(t, "json", string(data))
	}

	// What a failed comparison prints follows pointers, and sees fields that are not exported.
	dump := func(a, b any) string {
		var failure recorder
		require.Equal(&failure, a, b)
		require.NotEmpty(t, failure.text)
		return failure.text
	}
	type keeper struct{ key *rsa.PrivateKey }
	require.True(t, shows(dump(keeper{projectKey()}, keeper{nil})))
	requireNoSecret(t, "dump", dump(*signer, usertoken.Signer{}))
	requireNoSecret(t, "dump", dump(*verifier, usertoken.Verifier{}))
	requireNoSecret(t, "dump", dump(*claims, usertoken.Claims{}))
	requireNoSecret(t, "dump", dump(held, holder{}))
}

// A recorder keeps the message of a test that fails.
type recorder struct{ text string }

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }
func (r *recorder) FailNow()                          {}

// Whatever texts a Signer takes, the matching Verifier accepts the token and reads them back.
func TestSignRandomTexts(t *testing.T) {
	g := rand.New(rand.NewPCG(6, 6))
	text := func(alphabet string) string {
		runes := []rune(alphabet)
		s := ""
		for range 1 + g.IntN(8) {
			s += string(runes[g.IntN(len(runes))])
		}
		return s
	}
	const names, subjects = "a\"\\<&é\u2028\u202e😀/\u007e ", "a\"\\<&é\u2028\x00\n\x7f\x1f😀/\t "
	for range 100 {
		project, subject := text("a-\"\\<&é😀0"), text(subjects)
		policy := permissions.MustParse(fmt.Sprintf(`{"integration:%d":["events"]}`, g.IntN(100)))
		shared := usertoken.WithIssuer(text(names))
		signer, err := usertoken.NewSigner(project, projectKey(), shared, usertoken.WithKeyID(text(names)))
		require.NoError(t, err)
		verifier, err := usertoken.NewVerifier(project, &projectKey().PublicKey, shared)
		require.NoError(t, err)
		id, own := text(names), text(subjects+"\ufffd")
		token, err := signer.Sign(subject, policy,
			usertoken.WithTokenID(id), usertoken.WithClaims(map[string]string{"x": own}))
		require.NoError(t, err)
		claims, err := verifier.Verify(token)
		require.NoError(t, err, "%q %q", project, subject)
		require.Equal(t, subject, claims.Subject)
		require.Equal(t, id, claims.ID)
		require.Equal(t, ruleTexts(policy), ruleTexts(claims.Policy))
		var got struct{ X string }
		require.NoError(t, claims.Decode(&got))
		require.Equal(t, own, got.X)
	}
}

// The key of a Signer is a copy, and the caller's is left as it is.
func TestSignerCopiesTheKey(t *testing.T) {
	number := func(n *big.Int) *big.Int { return new(big.Int).Set(n) }
	public := rsa.PublicKey{N: number(projectKey().N), E: projectKey().E}
	key := &rsa.PrivateKey{PublicKey: public, D: number(projectKey().D)}
	for _, prime := range projectKey().Primes {
		key.Primes = append(key.Primes, number(prime))
	}
	signer := must[*usertoken.Signer](t)(usertoken.NewSigner(testProject, key, usertoken.WithClock(testClock)))
	require.Zero(t, key.Precomputed)
	for _, n := range append(key.Primes, key.N, key.D) {
		n.SetInt64(1)
	}
	*key = rsa.PrivateKey{}
	token := must[string](t)(signer.Sign(testSubject, permissions.MustParse(`{}`)))
	_, err := newVerifier(t).Verify(token)
	require.NoError(t, err)
}

func TestTokenSize(t *testing.T) {
	const subject = "0b1c2d3e-0000-4000-8000-00000000000a"
	signer := newSigner(t)
	size := func(p *permissions.Policy) int { return must[int](t)(usertoken.TokenSize(p)) }
	for _, claim := range []string{
		`{}`, `{"integration:*":true}`, `{"integration:slack":{"credential:*":["events"]}}`, `{"credential:ext:<&>":[]}`,
	} {
		policy := permissions.MustParse(claim)
		require.Len(t, must[string](t)(signer.Sign(subject, policy)), size(policy), claim)
	}
	require.Len(t, must[string](t)(signer.SignUnrestricted(subject)), size(permissions.Unrestricted()))
	require.Equal(t, size(permissions.MustParse(`{}`)), size(nil))
	require.Equal(t, size(permissions.MustParse(`{}`)), size(new(permissions.Policy)))

	both := must[*permissions.Policy](t)(permissions.Intersect(permissions.MustParse(`{}`), permissions.MustParse(`{}`)))
	_, err := usertoken.TokenSize(both)
	requireReasons(t, err, usertoken.ErrSign)

	// What a larger key adds, as the documentation says.
	require.Equal(t, 341, base64.RawURLEncoding.EncodedLen(4096/8)-base64.RawURLEncoding.EncodedLen(2048/8))
}

// Goroutines share a Signer. The race detector watches.
func TestGoroutinesShareASigner(t *testing.T) {
	signer, verifier := newSigner(t), newVerifier(t)
	own := usertoken.WithClaims(map[string]any{"x": 1})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			token, err := signer.Sign(testSubject, permissions.MustParse(`{}`), own)
			if err == nil {
				_, err = verifier.Verify(token)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
