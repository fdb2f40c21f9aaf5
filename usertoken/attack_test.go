package usertoken_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// hs256 returns a token with an HMAC.
func hs256(t testing.TB, secret []byte, header, payload string) string {
	t.Helper()
	signed := part(header) + "." + part(payload)
	return signed + "." + part(string(must[[]byte](t)(jwt.SigningMethodHS256.Sign(signed, secret))))
}

// attacks returns tokens as an attacker would forge them who knows everything that is public and may have
// a good token. Each says what it is refused for.
func attacks(t *testing.T) []refusal {
	var list []refusal
	list = append(list, attacksOnTheAlgorithm(t)...)
	list = append(list, attacksOnTheSignature(t)...)
	list = append(list, attacksOnTheHeader(t)...)
	list = append(list, attacksOnTheShape(t)...)
	list = append(list, attacksOnClaims(t)...)
	return list
}

func attacksOnTheAlgorithm(t *testing.T) []refusal {
	wide := payload() // it has no permissions claim, so it would allow everything
	signature := strings.Split(signPayload(t, wide), ".")[2]
	headed := func(header string) string { return sign(t, projectKey(), header, wide) }
	hmac := func(secret []byte) string { return hs256(t, secret, `{"alg":"HS256"}`, wide) }
	published := []byte(pemOf("PUBLIC KEY", pkix(t, &projectKey().PublicKey)))
	return []refusal{
		{"alg none", part(`{"alg":"none"}`) + "." + part(wide) + ".", unverifiable},
		{"alg none, with a signature", part(`{"alg":"none"}`) + "." + part(wide) + "." + signature, unverifiable},
		{"alg nOnE", part(`{"alg":"nOnE"}`) + "." + part(wide) + ".", unverifiable},
		{"alg empty", part(`{"alg":""}`) + "." + part(wide) + ".", unverifiable},
		{"alg with a NUL at its end", headed(`{"alg":"RS256\u0000"}`), unverifiable},
		{"alg with a space at its end", headed(`{"alg":"RS256 "}`), unverifiable},
		{"alg with a Kelvin sign", headed(`{"alg":"R` + "\u017f" + `256"}`), unverifiable},
		{"alg in the payload", sign(t, projectKey(), `{"typ":"JWT"}`, `{"alg":"RS256"}`), unverifiable},
		{"HS256 with the public key in PEM", hmac(published), unverifiable},
		{"HS256 with the public key in PEM, without its last line break", hmac(published[:len(published)-1]), unverifiable},
		{"HS256 with the public key in PKCS #1", hmac(x509.MarshalPKCS1PublicKey(&projectKey().PublicKey)), unverifiable},
		{"HS256 with the modulus", hmac(projectKey().N.Bytes()), unverifiable},
		{"HS256 with no secret", hmac(nil), unverifiable},
		{"an HMAC that says RS256", hs256(t, published, `{"alg":"RS256"}`, wide), forged},
		{"a token of another type", headed(`{"alg":"RS256","typ":"secevent+jwt"}`), unverifiable},
		{"a type with a space", headed(`{"alg":"RS256","typ":"JWT "}`), unverifiable},
	}
}

func attacksOnTheSignature(t *testing.T) []refusal {
	good := signPayload(t, payload())
	parts := strings.Split(good, ".")
	signature := must[[]byte](t)(base64.RawURLEncoding.DecodeString(parts[2]))
	last := len(signature) - 1
	signed := parts[0] + "." + parts[1]
	with := func(s []byte) string { return signed + "." + part(string(s)) }
	byOther := func(header string) string { return sign(t, otherKey(), header, payload()) }
	modulus := base64.RawURLEncoding.EncodeToString(otherKey().N.Bytes())
	jwk := fmt.Sprintf(`{"kty":"RSA","n":%q,"e":"AQAB"}`, modulus)
	return []refusal{
		// The header brings a key, or says where one is.
		{"its own jwk", byOther(`{"alg":"RS256","jwk":` + jwk + `}`), forged},
		{"its own jku", byOther(`{"alg":"RS256","jku":"https://attacker.example/jwks.json"}`), forged},
		{"its own x5c", byOther(`{"alg":"RS256","x5c":["MIIB"],"x5u":"https://attacker.example/x.pem"}`), forged},
		{"a kid that is a path", byOther(`{"alg":"RS256","kid":"../../../../dev/null"}`), forged},
		{"a kid that is SQL", byOther(`{"alg":"RS256","kid":"x' UNION SELECT 'key"}`), forged},

		{"stripped", signed + ".", forged},
		{"stripped with its dot", signed, malformed},
		{"wrong key", byOther(testHeader), forged},
		{"all zero", with(make([]byte, len(signature))), forged},
		{"one", with(append(make([]byte, last), 1)), forged},
		{"the modulus", with(projectKey().N.Bytes()), forged},
		{"modulus added", with(new(big.Int).Add(new(big.Int).SetBytes(signature), projectKey().N).Bytes()), forged},
		{"zero before it", with(append([]byte{0}, signature...)), forged},
		{"zero after it", with(append(signature[:last+1:last+1], 0)), forged},
		{"last byte missing", with(signature[:last]), forged},
		{"a bit flipped", with(append(signature[:last:last], signature[last]^1)), forged},
		{"of another token", parts[0] + "." + part(payloadWith("{}")) + "." + parts[2], forged},
		{"header changed", part(testHeader+" ") + "." + parts[1] + "." + parts[2], forged},
		{"line break first in the header", signParts(t, projectKey(), "\n"+parts[0], parts[1]), malformed},
		{"carriage return first in the payload", signParts(t, projectKey(), parts[0], "\r"+parts[1]), malformed},
		{"line break first in the signature", signed + ".\n" + parts[2], malformed},
		{"carriage return first in the signature", signed + ".\r" + parts[2], malformed},
		{"payload with padding", parts[0] + "." + parts[1] + "=." + parts[2], malformed},
	}
}

func attacksOnTheHeader(t *testing.T) []refusal {
	headed := func(header string) string { return sign(t, projectKey(), header, payload()) }
	deep := strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)
	return []refusal{
		{"crit b64", headed(`{"alg":"RS256","b64":false,"crit":["b64"]}`), unverifiable},
		{"crit of what is not there", headed(`{"alg":"RS256","crit":["x"]}`), unverifiable},
		{"crit null", headed(`{"alg":"RS256","crit":null}`), unverifiable},
		{"crit spelled with an escape", headed(`{"alg":"RS256","\u0063rit":["x"]}`), unverifiable},
		{"payload not encoded", signParts(t, projectKey(), part(`{"alg":"RS256","b64":false}`), payload()), malformed},
		{"huge header", headed(`{"alg":"RS256","x":"` + strings.Repeat("x", 64<<10) + `"}`), malformed},
		{"huge header of brackets", part(strings.Repeat("[", 40_000)) + "..", malformed},
		{"header that is nested deep", headed(`{"alg":"HS256","x":` + deep + `}`), unverifiable},
		{"header of many names, the first one twice",
			headed(`{"alg":"RS256"` + manyMembers(3000) + `,"alg":"RS256"}`), malformed},
	}
}

func attacksOnTheShape(t *testing.T) []refusal {
	good := signPayload(t, payload())
	parts := strings.Split(good, ".")
	inJSON := `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
	return []refusal{
		{"many dots", strings.Repeat(".", 64<<10), malformed},
		{"many dots after it", good + strings.Repeat(".", 1000), malformed},
		{"many parts", strings.Repeat("e30.", 10_000), malformed},
		{"two tokens", good + "." + good, malformed},
		{"two tokens with a comma", good + "," + good, malformed},
		{"a JWE of five parts", part(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".e30.e30.e30.e30", malformed},
		{"JSON serialization", inJSON, malformed},
		{"a token as the payload", signParts(t, projectKey(), part(`{"alg":"RS256","cty":"JWT"}`), part(good)), malformed},
		{"huge payload", signPayload(t, `{"x":"`+strings.Repeat("x", 64<<10)+`"}`), malformed},
		{"bytes that are not text", "\xff\xfe." + parts[1] + "." + parts[2], malformed},
		{"a NUL", good + "\x00", malformed},
	}
}

func attacksOnClaims(t *testing.T) []refusal {
	with := func(name, value string) string { return signPayload(t, payload(name, value)) }
	list := []refusal{
		{"wrong audience", with("aud", `"useparagon.com/other"`), audience},
		{"wrong audience in a list", with("aud", `["useparagon.com/other","useparagon.com"]`), audience},
		{"audience in a list of lists", with("aud", "[["+quoted(testAudience)+"]]"), malformed},
		{"audience as a key", with("aud", "{"+quoted(testAudience)+":true}"), malformed},
		{"audience with null", with("aud", "["+quoted(testAudience)+",null]"), malformed},
		{"audience with a slash at its end", with("aud", quoted(testAudience+"/")), audience},
		{"audience with a NUL at its end", with("aud", quoted(testAudience+"\x00")), audience},
		{"audience joined", with("aud", quoted("x,"+testAudience)), audience},
		{"audience of another host", with("aud", quoted("attacker.example/"+testProject)), audience},
		{"project alone", with("aud", quoted(testProject)), audience},
		{"audience missing", with("aud", ""), missing},
		{"expired", with("exp", at(-5)), expired},
		{"expired by a fraction", with("exp", at(-5)+".9999999999"), expired},
		{"expired in 1970", with("exp", "0"), expired},
		{"expired, with an exponent", with("exp", "1e9"), expired},
		{"exp missing", with("exp", ""), missing},
		{"not valid yet", with("nbf", at(60)), early},
		{"not valid yet by a fraction", with("nbf", at(5)+".0000000001"), early},
		{"issued tomorrow", with("iat", at(24*3600)), unissued},
		{"sub empty", with("sub", `""`), missing},
		{"sub missing", with("sub", ""), missing},
		{"sub an array", with("sub", `["user"]`), malformed},
	}
	// Dates that are not numbers, or not in the range of dates.
	for _, name := range []string{"exp", "nbf", "iat"} {
		for _, value := range []string{
			`"1900000000"`, `"never"`, `""`, "-1", "-1.5", "-1900000000", "253402300800", "9223372036854775807",
			"9223372036854775808", "18446744073709551616", "1e400", "1e999999999999999999", "null", "true",
			"[1900000000]", "{}", "01900000000", "0x7fffffff",
			"NaN", "Infinity", "1_900_000_000", "1900000000.", ".5", "1.9e", "+1900000000",
		} {
			list = append(list, refusal{name + " " + value, with(name, value), malformed})
		}
	}
	// Names that are there twice, so that readers may differ.
	for name, value := range map[string]string{
		"sub": quoted(testSubject), "aud": quoted(testAudience), "exp": at(60), "nbf": at(-60), "iat": at(-60),
		"jti": `"x"`, "iss": `"x"`, permissions.ClaimName: "{}",
	} {
		member := quoted(name) + ":" + value
		escaped := fmt.Sprintf(`"\u%04x%s":%s`, name[0], name[1:], value)
		twice := func(between, second string) string {
			return signPayload(t, strings.TrimSuffix(payload(name, value), "}")+between+","+second+"}")
		}
		list = append(list,
			refusal{name + " twice", twice("", member), malformed},
			refusal{name + " twice in two spellings", twice("", escaped), malformed},
			refusal{name + " twice, far apart", twice(manyMembers(40), member), malformed},
		)
	}
	// Names in another letter case are other names.
	for name, value := range map[string]string{"sub": quoted(testSubject), "aud": quoted(testAudience), "exp": at(60)} {
		list = append(list, refusal{
			strings.ToUpper(name), signPayload(t, payload(name, "", strings.ToUpper(name), value)), missing,
		})
	}
	// A slip in the claim's name must not turn its {} into everything (SPEC 7.4).
	name := permissions.ClaimName
	for _, slip := range []string{
		strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:], name[1:], name[:len(name)-1], name[:len(name)-2],
		name + " ", " " + name, name + "s", name + "::", name + "\x00", strings.ToUpper(name) + "xx",
		replaced(":connect:", ".connect."), replaced("useparagon", "useparagno"), replaced("ss", "s"), replaced(":", "-"),
		replaced("s", "\u017f"), replaced("useparagon", "us\u0435paragon"), replaced("urn:", "urn::"), replaced(":", ""),
		"paragon-permissions", "https://acme.example/paragon/connect/permissions", "urn:useparagon:connect:permits",
		name + ":" + name,
	} {
		list = append(list, refusal{fmt.Sprintf("claim named %q", slip), signPayload(t, payload(slip, "{}")), malformed})
	}
	return append(list, refusal{
		"claim one level down", signPayload(t, payload("https://acme.example/claims", `{"`+name+`":{}}`)), malformed,
	})
}

// Every attack is refused for its reason and no other, with one key, with two, with a key source, and
// whatever else the verifier was told.
func TestAttacks(t *testing.T) {
	// Nobody has the private half of this key.
	unused := &rsa.PublicKey{N: new(big.Int).Add(projectKey().N, big.NewInt(2)), E: projectKey().E}
	source := func(*jwt.Token) (any, error) {
		return jwt.VerificationKeySet{Keys: []jwt.VerificationKey{nil, unused, &projectKey().PublicKey}}, nil
	}
	claimOptions := usertoken.WithClaimOptions(permissions.AcceptStringClaim(), permissions.IgnoreUnknownPermissions(),
		permissions.WithPermissions("x"))
	list := attacks(t)
	require.Greater(t, len(list), 200)
	for name, v := range map[string]*usertoken.Verifier{
		"one key":    newVerifier(t),
		"two keys":   newVerifier(t, usertoken.WithKeys(unused)),
		"key source": newSourceVerifier(t, source),
		"options":    newVerifier(t, claimOptions, usertoken.WithLeeway(0), usertoken.WithAudience("a", testAudience)),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(signPayload(t, payload()))
			require.NoError(t, err, "it accepts what is good")
			for _, attack := range list {
				t.Run(attack.name, func(t *testing.T) { attack.require(t, v) })
			}
		})
	}
}

// A decoder other than the Verifier refuses the claims sets that the Verifier refuses for their text, since
// Claims itself does.
func TestAttacksOnClaimsWithGolangJWT(t *testing.T) {
	texts := 0
	for _, attack := range attacks(t) {
		parts := strings.Split(attack.token, ".")
		if len(parts) != 3 || attack.is[0] != jwt.ErrTokenMalformed || len(attack.token) > 64<<10 {
			continue
		}
		payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
		if err != nil || len(payload) == 0 || parts[0] != part(testHeader) || parts[2] == "" ||
			strings.ContainsAny(attack.token, "\r\n\x00") {
			continue
		}
		texts++
		t.Run(attack.name, func(t *testing.T) {
			claims := new(usertoken.Claims)
			_, err := jwt.ParseWithClaims(attack.token, claims, projectKeyfunc,
				jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(testClock))
			require.ErrorIs(t, err, jwt.ErrTokenMalformed)
			require.False(t, claims.Policy.Allowed(permissions.Events, permissions.User()))
			require.Equal(t, json.Valid(payload), errors.Is(err, usertoken.ErrToken), "%v: encoding/json is asked first", err)

			// Nothing is left of what was there before.
			claims.Subject, claims.Policy = testSubject, permissions.Unrestricted()
			require.ErrorIs(t, claims.UnmarshalJSON(payload), usertoken.ErrToken)
			require.Empty(t, claims.Subject)
			require.False(t, claims.Policy.Allowed(permissions.Events, permissions.User()))
		})
	}
	require.Greater(t, texts, 90)
}
