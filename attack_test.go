package permissions_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// publicPEM returns a public key as its owner publishes it.
func publicPEM(t testing.TB, key *rsa.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// hs256 returns a token with an HMAC.
func hs256(t testing.TB, secret []byte, header, payload string) string {
	t.Helper()
	signed := segment(header) + "." + segment(payload)
	mac, err := jwt.SigningMethodHS256.Sign(signed, secret)
	require.NoError(t, err)
	return signed + "." + segment(string(mac))
}

// attacks are tokens as an attacker would forge them, one of whom knows everything that is
// public and may hold a good token. Each says what it is refused for.
func attacks(t *testing.T) []refusal {
	good := signPayload(t, payload(nil))
	parts := strings.Split(good, ".")
	wide := payload(nil) // has no permissions claim, so it would allow everything
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	require.NoError(t, err)
	withSignature := func(s []byte) string { return parts[0] + "." + parts[1] + "." + segment(string(s)) }
	at := func(seconds int64) string { return fmt.Sprint(testNow.Unix() + seconds) }
	with := func(name, value string) string { return signPayload(t, payload(map[string]string{name: value})) }
	headed := func(header string) string { return sign(t, projectKey(), header, wide) }
	bySomebody := func(header string) string { return sign(t, strangersKey(), header, wide) }
	published := publicPEM(t, &projectKey().PublicKey)
	pkcs1 := x509.MarshalPKCS1PublicKey(&projectKey().PublicKey)
	strangersJWK := fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, base64.RawURLEncoding.EncodeToString(strangersKey().N.Bytes()))

	malformed := []error{jwt.ErrTokenMalformed}
	unverifiable := []error{jwt.ErrTokenUnverifiable}
	forged := []error{jwt.ErrTokenSignatureInvalid}
	missing := []error{jwt.ErrTokenRequiredClaimMissing}
	invalid := func(errs ...error) []error { return append(errs, jwt.ErrTokenInvalidClaims) }

	list := []refusal{
		// The algorithm is the token's choice.
		{name: "alg none", token: segment(`{"alg":"none"}`) + "." + segment(wide) + ".", is: unverifiable},
		{name: "alg none, with a signature", token: segment(`{"alg":"none"}`) + "." + segment(wide) + "." + parts[2], is: unverifiable},
		{name: "alg nOnE", token: segment(`{"alg":"nOnE"}`) + "." + segment(wide) + ".", is: unverifiable},
		{name: "alg empty", token: segment(`{"alg":""}`) + "." + segment(wide) + ".", is: unverifiable},
		{name: "alg with NUL behind", token: headed(`{"alg":"RS256\u0000"}`), is: unverifiable},
		{name: "alg with space behind", token: headed(`{"alg":"RS256 "}`), is: unverifiable},
		{name: "alg in the payload", token: sign(t, projectKey(), `{"typ":"JWT"}`, `{"alg":"RS256"}`), is: unverifiable},
		{name: "HS256 with the public key in PEM", token: hs256(t, published, `{"alg":"HS256"}`, wide), is: unverifiable},
		{name: "HS256 with the public key in PEM, without its last line break", token: hs256(t, published[:len(published)-1], `{"alg":"HS256"}`, wide), is: unverifiable},
		{name: "HS256 with the public key in PKCS 1", token: hs256(t, pkcs1, `{"alg":"HS256"}`, wide), is: unverifiable},
		{name: "HS256 with the modulus", token: hs256(t, projectKey().N.Bytes(), `{"alg":"HS256"}`, wide), is: unverifiable},
		{name: "HS256 with no secret", token: hs256(t, nil, `{"alg":"HS256"}`, wide), is: unverifiable},
		{name: "an HMAC that says RS256", token: hs256(t, published, `{"alg":"RS256"}`, wide), is: forged},

		// The header brings a key, or says where one is.
		{name: "its own jwk", token: bySomebody(`{"alg":"RS256","jwk":` + strangersJWK + `}`), is: forged},
		{name: "its own jku", token: bySomebody(`{"alg":"RS256","jku":"https://attacker.example/jwks.json"}`), is: forged},
		{name: "its own x5c", token: bySomebody(`{"alg":"RS256","x5c":["MIIB"],"x5u":"https://attacker.example/x.pem"}`), is: forged},
		{name: "a kid that is a path", token: bySomebody(`{"alg":"RS256","kid":"../../../../dev/null"}`), is: forged},
		{name: "a kid that is SQL", token: bySomebody(`{"alg":"RS256","kid":"x' UNION SELECT 'key"}`), is: forged},

		// The signature.
		{name: "stripped", token: parts[0] + "." + parts[1] + ".", is: forged},
		{name: "stripped with its dot", token: parts[0] + "." + parts[1], is: malformed},
		{name: "wrong key", token: bySomebody(testHeader), is: forged},
		{name: "all zero", token: withSignature(make([]byte, len(signature))), is: forged},
		{name: "one", token: withSignature(append(make([]byte, len(signature)-1), 1)), is: forged},
		{name: "the modulus", token: withSignature(projectKey().N.Bytes()), is: forged},
		{name: "modulus added", token: withSignature(new(big.Int).Add(new(big.Int).SetBytes(signature), projectKey().N).Bytes()), is: forged},
		{name: "zero in front", token: withSignature(append([]byte{0}, signature...)), is: forged},
		{name: "zero behind", token: withSignature(append(signature[:len(signature):len(signature)], 0)), is: forged},
		{name: "last byte gone", token: withSignature(signature[:len(signature)-1]), is: forged},
		{name: "a bit flipped", token: withSignature(append(signature[:len(signature)-1:len(signature)-1], signature[len(signature)-1]^1)), is: forged},
		{name: "of another token", token: parts[0] + "." + segment(payloadWith("{}")) + "." + parts[2], is: forged},
		{name: "header and payload moved", token: segment(testHeader+" ") + "." + parts[1] + "." + parts[2], is: forged},
		{name: "line break first in the header", token: signSegments(t, projectKey(), "\n"+parts[0], parts[1]), is: malformed},
		{name: "carriage return first in the payload", token: signSegments(t, projectKey(), parts[0], "\r"+parts[1]), is: malformed},
		{name: "line break first in the signature", token: parts[0] + "." + parts[1] + ".\n" + parts[2], is: malformed},
		{name: "carriage return first in the signature", token: parts[0] + "." + parts[1] + ".\r" + parts[2], is: malformed},
		{name: "payload in other base64", token: parts[0] + "." + parts[1] + "=." + parts[2], is: malformed},

		// Critical extensions.
		{name: "crit b64", token: headed(`{"alg":"RS256","b64":false,"crit":["b64"]}`), is: unverifiable},
		{name: "crit of what is not there", token: headed(`{"alg":"RS256","crit":["x"]}`), is: unverifiable},
		{name: "crit null", token: headed(`{"alg":"RS256","crit":null}`), is: unverifiable},
		{name: "crit spelled with an escape", token: headed(`{"alg":"RS256","\u0063rit":["x"]}`), is: unverifiable},
		{name: "payload not encoded", token: signSegments(t, projectKey(), segment(`{"alg":"RS256","b64":false}`), wide), is: malformed},

		// Shapes.
		{name: "many dots", token: strings.Repeat(".", 64<<10), is: malformed},
		{name: "many dots behind", token: good + strings.Repeat(".", 1000), is: malformed},
		{name: "many parts", token: strings.Repeat("e30.", 10_000), is: malformed},
		{name: "two tokens", token: good + "." + good, is: malformed},
		{name: "two tokens with a comma", token: good + "," + good, is: malformed},
		{name: "a JWE of five parts", token: segment(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".e30.e30.e30.e30", is: malformed},
		{name: "JSON serialization", token: `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`, is: malformed},
		{name: "a token as the payload", token: signSegments(t, projectKey(), segment(`{"alg":"RS256","cty":"JWT"}`), segment(good)), is: malformed},
		{name: "huge header", token: headed(`{"alg":"RS256","x":"` + strings.Repeat("x", 64<<10) + `"}`), is: malformed},
		{name: "huge header that is all brackets", token: segment(strings.Repeat("[", 40_000)) + ".." + parts[2], is: malformed},
		{name: "header that nests deep", token: headed(`{"alg":"HS256","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`), is: unverifiable},
		{name: "header of many names, the first twice", token: headed(`{"alg":"RS256"` + manyMembers(3000) + `,"alg":"RS256"}`), is: malformed},
		{name: "huge payload", token: signPayload(t, `{"x":"`+strings.Repeat("x", 64<<10)+`"}`), is: malformed},
		{name: "bytes that are no text", token: "\xff\xfe." + parts[1] + "." + parts[2], is: malformed},
		{name: "a NUL", token: good + "\x00", is: malformed},

		// Whose it is, and for how long.
		{name: "wrong audience", token: with("aud", `"useparagon.com/other"`), is: invalid(jwt.ErrTokenInvalidAudience)},
		{name: "wrong audience in a list", token: with("aud", `["useparagon.com/other","useparagon.com"]`), is: invalid(jwt.ErrTokenInvalidAudience)},
		{name: "audience in a list of lists", token: with("aud", "[["+encode(testAudience)+"]]"), is: malformed},
		{name: "audience as a key", token: with("aud", "{"+encode(testAudience)+":true}"), is: malformed},
		{name: "audience with null", token: with("aud", "["+encode(testAudience)+",null]"), is: malformed},
		{name: "audience with a slash behind", token: with("aud", encode(testAudience+"/")), is: invalid(jwt.ErrTokenInvalidAudience)},
		{name: "audience with a NUL behind", token: with("aud", encode(testAudience+"\x00")), is: invalid(jwt.ErrTokenInvalidAudience)},
		{name: "audience joined", token: with("aud", encode("x,"+testAudience)), is: invalid(jwt.ErrTokenInvalidAudience)},
		{name: "project alone", token: with("aud", encode(testProject)), is: invalid(jwt.ErrTokenInvalidAudience)},
		{name: "audience missing", token: with("aud", ""), is: invalid(jwt.ErrTokenRequiredClaimMissing)},
		{name: "expired", token: with("exp", at(-5)), is: invalid(jwt.ErrTokenExpired)},
		{name: "expired in 1970", token: with("exp", "0"), is: invalid(jwt.ErrTokenExpired)},
		{name: "exp missing", token: with("exp", ""), is: invalid(jwt.ErrTokenRequiredClaimMissing)},
		{name: "not valid yet", token: with("nbf", at(60)), is: invalid(jwt.ErrTokenNotValidYet)},
		{name: "issued tomorrow", token: with("iat", at(24*3600)), is: invalid(jwt.ErrTokenUsedBeforeIssued)},
		{name: "sub empty", token: with("sub", `""`), is: missing},
		{name: "sub missing", token: with("sub", ""), is: missing},
		{name: "sub an array", token: with("sub", `["user"]`), is: malformed},
	}

	// Times that are no whole numbers of seconds in the range of dates.
	for _, name := range []string{"exp", "nbf", "iat"} {
		for _, value := range []string{
			`"1900000000"`, `"never"`, `""`, "1900000000.0", "1.9e9", "19e8", "1900000000.5", "-1", "-1900000000", "253402300800", "9223372036854775807",
			"9223372036854775808", "18446744073709551616", "1e400", "null", "true", "[1900000000]", "{}", "01900000000", "0x7fffffff", "NaN", "Infinity", "1_900_000_000",
		} {
			list = append(list, refusal{name: name + " " + value, token: with(name, value), is: malformed})
		}
	}
	// Names that stand twice, and with that a choice of who reads which.
	for _, name := range []string{"sub", "aud", "exp", "nbf", "iat", "jti", "iss", permissions.ClaimName} {
		value := map[string]string{"sub": encode(testSubject), "aud": encode(testAudience), "exp": at(60), "nbf": at(-60), "iat": at(-60), "jti": `"x"`, "iss": `"x"`, permissions.ClaimName: "{}"}[name]
		member := `,"` + name + `":` + value
		escaped := fmt.Sprintf(`,"\u%04x%s":%s`, name[0], name[1:], value)
		rest := strings.TrimSuffix(payload(map[string]string{name: value}), "}")
		list = append(list,
			refusal{name: name + " twice", token: signPayload(t, rest+member+"}"), is: malformed},
			refusal{name: name + " twice in two spellings", token: signPayload(t, rest+escaped+"}"), is: malformed},
			refusal{name: name + " twice, far apart", token: signPayload(t, rest+manyMembers(40)+member+"}"), is: malformed},
		)
	}
	// Names in the wrong case are other names.
	upper := func(name, value string) string {
		return signPayload(t, strings.TrimSuffix(payload(map[string]string{name: ""}), "}")+`,"`+strings.ToUpper(name)+`":`+value+"}")
	}
	list = append(list,
		refusal{name: "SUB", token: upper("sub", encode(testSubject)), is: missing},
		refusal{name: "AUD", token: upper("aud", encode(testAudience)), is: invalid(jwt.ErrTokenRequiredClaimMissing)},
		refusal{name: "EXP", token: upper("exp", at(60)), is: invalid(jwt.ErrTokenRequiredClaimMissing)},
	)
	// A slip in the claim's name must not turn its {} into everything (SPEC 7.4).
	name := permissions.ClaimName
	for _, slip := range []string{
		strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:], name[1:], name[:len(name)-1], name[:len(name)-2], name + " ", " " + name, name + "s", name + "::",
		strings.Replace(name, ":connect:", ".connect.", 1), strings.Replace(name, "useparagon", "useparagno", 1), strings.Replace(name, "ss", "s", 1),
		strings.Replace(name, "s", "\u017f", 4), strings.Replace(name, "e", "\u0435", 1), name + "\x00", strings.Replace(name, "urn:", "urn::", 1), strings.ToUpper(name) + "xx",
	} {
		list = append(list, refusal{
			name: fmt.Sprintf("claim named %q", slip), token: signPayload(t, strings.TrimSuffix(payload(nil), "}")+","+encode(slip)+":{}}"), is: malformed,
		})
	}
	return list
}

// manyMembers returns members to be added to an object.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"n%d":0`, i)
	}
	return b.String()
}

// TestAttacks has every attack refused for its reason and no other, with one key, with two,
// with a Keyfunc, and whatever else the verifier has been told.
func TestAttacks(t *testing.T) {
	keyfunc := permissions.WithKeyfunc(func(token *jwt.Token) (any, error) {
		return jwt.VerificationKeySet{Keys: []jwt.VerificationKey{&nextKey().PublicKey, &projectKey().PublicKey}}, nil
	})
	looked, err := permissions.NewVerifier(testProject, nil, keyfunc, permissions.WithClock(testClock))
	require.NoError(t, err)
	verifiers := map[string]*permissions.Verifier{
		"one key":  newTestVerifier(t),
		"two keys": newTestVerifier(t, permissions.WithKeys(&nextKey().PublicKey)),
		"Keyfunc":  looked,
		"options": newTestVerifier(t, permissions.AcceptStringClaim(), permissions.IgnoreUnknownPermissions(),
			permissions.WithPermissions("x"), permissions.WithLeeway(0)),
	}
	list := attacks(t)
	for name, v := range verifiers {
		t.Run(name, func(t *testing.T) {
			good, err := v.Verify(signPayload(t, payload(nil)))
			require.NoError(t, err, "it accepts what is good")
			require.True(t, good.Policy.IsUnrestricted())
			for _, attack := range list {
				t.Run(attack.name, func(t *testing.T) { attack.require(t, v) })
			}
		})
	}
}

// A header's parameters that nobody asked for may be anything, unless a Keyfunc is to see
// them, which encoding/json decodes: no deeper than 10,000.
func TestHeaderThatNestsDeep(t *testing.T) {
	looked, err := permissions.NewVerifier(testProject, nil, permissions.WithKeyfunc(projectKeyfunc), permissions.WithClock(testClock))
	require.NoError(t, err)
	headed := func(depth int) string {
		return sign(t, projectKey(), `{"alg":"RS256","x":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`, payload(nil))
	}
	for depth, message := range map[int]string{
		9_999: "", 10_000: "permissions: token refused: token is malformed: its header is not well-formed JSON",
	} {
		_, err = newTestVerifier(t).Verify(headed(depth))
		require.NoError(t, err)
		_, err = looked.Verify(headed(depth))
		if message == "" {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, jwt.ErrTokenMalformed)
			require.EqualError(t, err, message)
		}
	}
}

// A time may begin with any digit, and has no more than it needs.
func TestTimesOfEveryDigit(t *testing.T) {
	for digit := range 10 {
		text := strings.TrimLeft(strings.Repeat(fmt.Sprint(digit), 10), "0")
		if text == "" {
			text = "0"
		}
		claims := new(permissions.Claims)
		require.NoError(t, claims.UnmarshalJSON([]byte(`{"exp":`+text+`}`)))
		require.Equal(t, text, fmt.Sprint(claims.ExpiresAt.Unix()))
	}
}

// A decoder that is not the Verifier refuses the claims sets that the Verifier refuses for
// their text, since Claims itself does.
func TestAttacksOnClaims(t *testing.T) {
	texts := 0
	for _, attack := range attacks(t) {
		parts := strings.Split(attack.token, ".")
		if len(parts) != 3 || attack.is[0] != jwt.ErrTokenMalformed || len(attack.token) > 64<<10 {
			continue
		}
		payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
		if err != nil || len(payload) == 0 || parts[0] != segment(testHeader) || parts[2] == "" || strings.ContainsAny(attack.token, "\r\n\x00") {
			continue
		}
		texts++
		t.Run(attack.name, func(t *testing.T) {
			claims := new(permissions.Claims)
			_, err := jwt.ParseWithClaims(attack.token, claims, projectKeyfunc, jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(testClock))
			require.ErrorIs(t, err, jwt.ErrTokenMalformed)
			require.False(t, claims.Policy.Allowed(permissions.Events, permissions.Target{}))
			require.Equal(t, json.Valid(payload), errors.Is(err, permissions.ErrToken), "%v: encoding/json is asked first", err)

			// Nothing is left of what was there before.
			claims.Subject, claims.Policy = testSubject, permissions.Unrestricted()
			err = claims.UnmarshalJSON(payload)
			require.ErrorIs(t, err, permissions.ErrToken)
			require.Empty(t, claims.Subject)
			require.False(t, claims.Policy.Allowed(permissions.Events, permissions.Target{}))
		})
	}
	require.Greater(t, texts, 80)
}
