package permissions_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// The project, the keys and the time of the tests.
const (
	testProject  = "d5f7a1c0-3b1e-4a55-9a41-5c1f0e2b7a10"
	testAudience = "useparagon.com/" + testProject
	testSubject  = "member@example.com"
)

var (
	testNow      = time.Unix(1_760_000_000, 0)
	projectKey   = sync.OnceValue(func() *rsa.PrivateKey { return newTestKey(2048) })
	nextKey      = sync.OnceValue(func() *rsa.PrivateKey { return newTestKey(2048) })
	strangersKey = sync.OnceValue(func() *rsa.PrivateKey { return newTestKey(2048) })
	smallKey     = sync.OnceValue(func() *rsa.PrivateKey { return newTestKey(1024) })
)

func testClock() time.Time { return testNow }

func newTestKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// projectKeyfunc is what golang-jwt takes.
func projectKeyfunc(*jwt.Token) (any, error) { return &projectKey().PublicKey, nil }

// newTestVerifier returns a verifier of the project's tokens whose clock stands.
func newTestVerifier(t testing.TB, opts ...permissions.VerifierOption) *permissions.Verifier {
	t.Helper()
	v, err := permissions.NewVerifier(testProject, &projectKey().PublicKey,
		append([]permissions.VerifierOption{permissions.WithClock(testClock)}, opts...)...)
	require.NoError(t, err)
	return v
}

const testHeader = `{"alg":"RS256","typ":"JWT"}`

func segment(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// sign returns a token of texts that are taken as they are.
func sign(t testing.TB, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	return signSegments(t, key, segment(header), segment(payload))
}

// signSegments returns a token whose first two segments are taken as they are.
func signSegments(t testing.TB, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	signed := header + "." + payload
	signature, err := jwt.SigningMethodRS256.Sign(signed, key)
	require.NoError(t, err)
	return signed + "." + segment(string(signature))
}

func signPayload(t testing.TB, payload string) string {
	t.Helper()
	return sign(t, projectKey(), testHeader, payload)
}

// payload returns a claims set that is valid but for the changes, which replace or, with
// an empty text, remove a claim. They are written as they are.
func payload(changes map[string]string) string {
	claims := []struct{ name, value string }{
		{"sub", encode(testSubject)},
		{"aud", encode(testAudience)},
		{"iat", fmt.Sprint(testNow.Unix() - 60)},
		{"exp", fmt.Sprint(testNow.Unix() + 3600)},
		{"nbf", ""}, {"jti", ""}, {"iss", ""},
		{permissions.ClaimName, ""},
	}
	var members []string
	for _, c := range claims {
		value, ok := changes[c.name]
		if !ok {
			value = c.value
		}
		if value != "" {
			members = append(members, encode(c.name)+":"+value)
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// payloadWith returns a valid claims set that holds the text of a permissions claim, as
// it is.
func payloadWith(claim string) string {
	valid := payload(nil)
	return strings.TrimSuffix(valid, "}") + `,"` + permissions.ClaimName + `":` + claim + "}"
}

func TestVerify(t *testing.T) {
	claims, err := newTestVerifier(t).Verify(signPayload(t, payloadWith(`{"integration:slack":["events"]}`)))
	require.NoError(t, err)
	require.Equal(t, jwt.RegisteredClaims{
		Subject:   testSubject,
		Audience:  jwt.ClaimStrings{testAudience},
		IssuedAt:  jwt.NewNumericDate(testNow.Add(-time.Minute)),
		ExpiresAt: jwt.NewNumericDate(testNow.Add(time.Hour)),
	}, claims.RegisteredClaims)
	require.True(t, claims.Policy.Allowed(permissions.Events, permissions.Target{Integration: "slack"}))
	require.Equal(t, permissions.NoRule, claims.Policy.Decide(permissions.Events, permissions.Target{}).Reason)
}

// Every answer of one Verifier is its own: nothing of one token reaches another.
func TestVerifyGivesFreshClaims(t *testing.T) {
	v := newTestVerifier(t)
	one, err := v.Verify(signPayload(t, payloadWith(`{"integration:*":true}`)))
	require.NoError(t, err)
	two, err := v.Verify(signPayload(t, payloadWith(`{}`)))
	require.NoError(t, err)
	require.True(t, one.Policy.Allowed(permissions.Events, permissions.Target{}))
	require.False(t, two.Policy.Allowed(permissions.Events, permissions.Target{}))
}

// The four states of SPEC 7.2, through a token.
func TestVerifyFourStates(t *testing.T) {
	v := newTestVerifier(t)
	t.Run("absent", func(t *testing.T) {
		claims, err := v.Verify(signPayload(t, payload(nil)))
		require.NoError(t, err)
		require.True(t, claims.Policy.IsUnrestricted())
		require.Equal(t, permissions.NoClaim, claims.Policy.Decide(permissions.Events, permissions.Target{}).Reason)
	})
	t.Run("null", func(t *testing.T) {
		claims, err := v.Verify(signPayload(t, payloadWith("null")))
		require.Nil(t, claims)
		require.ErrorIs(t, err, permissions.ErrType)
		require.ErrorIs(t, err, permissions.ErrToken)
	})
	t.Run("empty", func(t *testing.T) {
		claims, err := v.Verify(signPayload(t, payloadWith("{}")))
		require.NoError(t, err)
		require.False(t, claims.Policy.IsUnrestricted())
		require.Equal(t, permissions.NoRule, claims.Policy.Decide(permissions.Events, permissions.Target{}).Reason)
	})
	t.Run("no policy", func(t *testing.T) {
		claims, err := v.Verify("")
		require.Error(t, err)
		require.Nil(t, claims)
		require.Equal(t, permissions.NoPolicy, new(permissions.Claims).Policy.Decide(permissions.Events, permissions.Target{}).Reason)
	})
}

// A refusal is a token with the errors that it must match, all of them, and the message.
type refusal struct {
	name    string
	token   string
	is      []error
	message string
}

// jwtErrors are the reasons that a refusal can give. Which of them an error matches, and
// which not, is tested.
var jwtErrors = []error{
	jwt.ErrTokenMalformed, jwt.ErrTokenUnverifiable, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenInvalidClaims,
	jwt.ErrTokenExpired, jwt.ErrTokenNotValidYet, jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenInvalidAudience,
	jwt.ErrTokenRequiredClaimMissing, permissions.ErrClaim,
}

func (r refusal) require(t *testing.T, v *permissions.Verifier) {
	t.Helper()
	claims, err := v.Verify(r.token)
	require.Nil(t, claims)
	require.ErrorIs(t, err, permissions.ErrToken)
	for _, reason := range jwtErrors {
		wanted := false
		for _, is := range r.is {
			wanted = wanted || is == reason
		}
		require.Equal(t, wanted, errors.Is(err, reason), "%v: %v", reason, err)
	}
	if r.message != "" {
		require.EqualError(t, err, "permissions: token refused: "+r.message)
	}
	requireNothingOf(t, r.token, err)
}

// requireNothingOf requires that an error repeats nothing of a token: no segment, and no
// part of one that is long enough to be of use.
func requireNothingOf(t testing.TB, token string, err error) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	const piece = 12
	for i := 0; i+piece <= len(token); i++ {
		require.NotContains(t, text, token[i:i+piece])
	}
}

func refusals(t *testing.T) []refusal {
	good := signPayload(t, payload(nil))
	parts := strings.Split(good, ".")
	at := func(seconds int64) string { return fmt.Sprint(testNow.Unix() + seconds) }
	with := func(name, value string) string { return signPayload(t, payload(map[string]string{name: value})) }
	headed := func(header string) string { return sign(t, projectKey(), header, payload(nil)) }
	malformed := []error{jwt.ErrTokenMalformed}
	unverifiable := []error{jwt.ErrTokenUnverifiable}
	signature := []error{jwt.ErrTokenSignatureInvalid}
	invalid := func(errs ...error) []error { return append(errs, jwt.ErrTokenInvalidClaims) }
	malformedClaim := []error{jwt.ErrTokenMalformed, permissions.ErrClaim}

	const (
		bad        = "token is malformed: "
		noBase64   = " is not base64url"
		threeParts = bad + "it is not three parts with dots between them"
		notRS256   = "token is unverifiable: its algorithm is not RS256"
		critical   = "token is unverifiable: its header marks an extension as critical"
		headerJSON = bad + "its header is not well-formed JSON"
		noObject   = bad + "its header is no JSON object"
		noSet      = bad + "the claims set is no JSON object"
		noTime     = " is not a number of whole seconds since 1970, and before the year 10000"
		forged     = "token signature is invalid"
	)
	// The last digit of a signature has bits to spare, which must be 0.
	last := parts[2][len(parts[2])-1]
	spare := parts[2][:len(parts[2])-1] + string(rune(last+1))
	hs256 := func(secret []byte) string {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": testSubject}).SignedString(secret)
		require.NoError(t, err)
		return token
	}
	signedBy := func(method jwt.SigningMethod) string {
		token, err := jwt.NewWithClaims(method, permissions.Claims{Policy: permissions.Unrestricted()}).SignedString(projectKey())
		require.NoError(t, err)
		return token
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": testSubject}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(t, err)

	return []refusal{
		// The shape.
		{"empty", "", malformed, threeParts},
		{"one part", parts[0], malformed, threeParts},
		{"two parts", parts[0] + "." + parts[1], malformed, threeParts},
		{"four parts", good + ".", malformed, threeParts},
		{"five parts", good + "..", malformed, threeParts},
		{"only dots", strings.Repeat(".", 1000), malformed, threeParts},
		{"two dots", "..", malformed, noObject},
		{"too large", strings.Repeat("a", 64<<10+1), malformed, bad + "it has 65537 bytes, and may have 65536"},
		{"space in front", " " + good, malformed, bad + "its header" + noBase64},
		{"line break behind", good + "\n", malformed, bad + "its signature" + noBase64},
		{"scheme in front", "Bearer " + good, malformed, bad + "its header" + noBase64},
		{"line break in the header", parts[0][:4] + "\n" + parts[0][4:] + "." + parts[1] + "." + parts[2], malformed, bad + "its header" + noBase64},
		{"line break in the payload", parts[0] + "." + parts[1][:4] + "\r\n" + parts[1][4:] + "." + parts[2], malformed, bad + "its payload" + noBase64},
		{"carriage return in the payload", signSegments(t, projectKey(), parts[0], parts[1][:4]+"\r"+parts[1][4:]), malformed, bad + "its payload" + noBase64},
		{"line break in the signature", parts[0] + "." + parts[1] + "." + parts[2][:4] + "\n" + parts[2][4:], malformed, bad + "its signature" + noBase64},
		{"signed line break in the payload", signSegments(t, projectKey(), parts[0], parts[1][:4]+"\n"+parts[1][4:]), malformed, bad + "its payload" + noBase64},
		{"padding behind the signature", good + "==", malformed, bad + "its signature" + noBase64},
		{"signed padding behind the payload", signSegments(t, projectKey(), parts[0], segment("{}")+"="), malformed, bad + "its payload" + noBase64},
		{"padding behind the header", parts[0] + "=." + parts[1] + "." + parts[2], malformed, bad + "its header" + noBase64},
		{"spare bits in the signature", parts[0] + "." + parts[1] + "." + spare, malformed, bad + "its signature" + noBase64},
		{"signed spare bits in the payload", signSegments(t, projectKey(), parts[0], "e31"), malformed, bad + "its payload" + noBase64},
		{"standard base64", signSegments(t, projectKey(), parts[0], "++//"), malformed, bad + "its payload" + noBase64},

		// The header.
		{"empty header", "." + parts[1] + "." + parts[2], malformed, noObject},
		{"header {}", headed(`{}`), unverifiable, notRS256},
		{"header null", headed(`null`), malformed, noObject},
		{"header array", headed(`["RS256"]`), malformed, noObject},
		{"header string", headed(`"RS256"`), malformed, noObject},
		{"header cut short", headed(`{"alg":"RS256"`), malformed, headerJSON},
		{"header without a name", headed(`{1:"RS256"}`), malformed, headerJSON},
		{"header with data behind", headed(testHeader + "{}"), malformed, headerJSON},
		{"header with trailing comma", headed(`{"alg":"RS256",}`), malformed, headerJSON},
		{"alg twice", headed(`{"alg":"RS256","alg":"RS256"}`), malformed, bad + "its header has a parameter twice"},
		{"alg twice, none first", headed(`{"alg":"none","alg":"RS256"}`), malformed, bad + "its header has a parameter twice"},
		{"alg twice in another spelling", headed(`{"alg":"RS256","\u0061lg":"none"}`), malformed, bad + "its header has a parameter twice"},
		{"Alg", headed(`{"Alg":"RS256"}`), unverifiable, notRS256},
		{"alg in an array", headed(`{"alg":["RS256"]}`), unverifiable, notRS256},
		{"alg null", headed(`{"alg":null}`), unverifiable, notRS256},
		{"alg rs256", headed(`{"alg":"rs256"}`), unverifiable, notRS256},
		{"alg none, unsigned", none, unverifiable, notRS256},
		{"alg None", headed(`{"alg":"None"}`), unverifiable, notRS256},
		{"alg HS256, signed with the public key", hs256(projectKey().N.Bytes()), unverifiable, notRS256},
		{"alg RS384", signedBy(jwt.SigningMethodRS384), unverifiable, notRS256},
		{"alg RS512", signedBy(jwt.SigningMethodRS512), unverifiable, notRS256},
		{"alg PS256", signedBy(jwt.SigningMethodPS256), unverifiable, notRS256},
		{"crit", headed(`{"alg":"RS256","crit":["exp"],"exp":1}`), unverifiable, critical},
		{"empty crit", headed(`{"crit":[],"alg":"RS256"}`), unverifiable, critical},

		// The signature.
		{"no signature", parts[0] + "." + parts[1] + ".", signature, forged},
		{"a short signature", parts[0] + "." + parts[1] + "." + parts[2][:100], signature, forged},
		{"a stranger's signature", sign(t, strangersKey(), testHeader, payload(nil)), signature, forged},
		{"another payload", parts[0] + "." + segment(payloadWith(`{"integration:*":true}`)) + "." + parts[2], signature, forged},
		{"another header", segment(`{"alg":"RS256"}`) + "." + parts[1] + "." + parts[2], signature, forged},
		{"claims that would be refused, unsigned", parts[0] + "." + segment("null") + "." + parts[2], signature, forged},
		{"signature of RS384 under alg RS256", relabelled(t, jwt.SigningMethodRS384), signature, forged},
		{"signature of PS256 under alg RS256", relabelled(t, jwt.SigningMethodPS256), signature, forged},

		// The claims set.
		{"payload null", signPayload(t, "null"), malformed, noSet},
		{"payload array", signPayload(t, "["+payload(nil)+"]"), malformed, noSet},
		{"payload string", signPayload(t, encode(payload(nil))), malformed, noSet},
		{"payload number", signPayload(t, "1"), malformed, noSet},
		{"payload empty", signPayload(t, ""), malformed, noSet},
		{"payload with a byte order mark", signPayload(t, "\ufeff"+payload(nil)), malformed, noSet},
		{"payload cut short", signPayload(t, `{"sub":"x"`), malformed, bad + `the claims set ends where a comma or "}" must stand (byte 10)`},
		{"payload with data behind", signPayload(t, payload(nil)+"{}"), malformed, bad + fmt.Sprintf("the claims set has more behind its end (byte %d)", len(payload(nil)))},
		{"payload with a name that is none", signPayload(t, `{1:2}`), malformed, bad + "the claims set has something else where a name must stand (byte 1)"},
		{"payload without a colon", signPayload(t, `{"sub" 2}`), malformed, bad + `the claims set has something else where ":" must stand (byte 7)`},
		{"payload with a bad value", signPayload(t, `{"x":nul}`), malformed, bad + "the claims set has something that is no value (byte 5)"},
		{"repeated claim", signPayload(t, strings.TrimSuffix(payload(nil), "}")+`,"sub":"x"}`), malformed, bad + `the claim "sub" stands twice`},
		{"repeated private claim", signPayload(t, strings.TrimSuffix(payload(nil), "}")+`,"x":1,"\u0078":1}`), malformed, bad + `the claim "x" stands twice`},
		{"repeated permissions claim", signPayload(t, strings.TrimSuffix(payloadWith("{}"), "}")+`,"`+permissions.ClaimName+`":{"integration:*":true}}`), malformed, bad + `the claim "` + permissions.ClaimName + `" stands twice`},
		{"permissions claim in capitals", with("iss", `"x","URN:USEPARAGON:CONNECT:PERMISSIONS":{}`), malformed, bad + `the claim "URN:USEPARAGON:CONNECT:PERMISSIONS" is nearly "urn:useparagon:connect:permissions", and a slip there would allow everything; spell it so`},
		{"sub a number", with("sub", "1"), malformed, bad + `the claim "sub" is not a string`},
		{"sub null", with("sub", "null"), malformed, bad + `the claim "sub" is not a string`},
		{"iss an object", with("iss", "{}"), malformed, bad + `the claim "iss" is not a string`},
		{"jti a number", with("jti", "1"), malformed, bad + `the claim "jti" is not a string`},
		{"aud a number", with("aud", "1"), malformed, bad + `the claim "aud" is not a string or an array of strings`},
		{"aud with a number", with("aud", "["+encode(testAudience)+",1]"), malformed, bad + `the claim "aud" is not a string`},
		{"aud cut short", signPayload(t, `{"aud":["x"`), malformed, bad + `the claims set ends where a comma or "]" must stand (byte 11)`},
		{"exp a string", with("exp", `"`+at(60)+`"`), malformed, bad + `the claim "exp"` + noTime},
		{"exp with a fraction", with("exp", at(60)+".5"), malformed, bad + `the claim "exp"` + noTime},
		{"exp with an exponent", with("exp", "1e10"), malformed, bad + `the claim "exp"` + noTime},
		{"exp negative", with("exp", "-1"), malformed, bad + `the claim "exp"` + noTime},
		{"exp beyond the year 9999", with("exp", "253402300800"), malformed, bad + `the claim "exp"` + noTime},
		{"exp beyond 64 bits", with("exp", "9223372036854775808"), malformed, bad + `the claim "exp"` + noTime},
		{"exp null", with("exp", "null"), malformed, bad + `the claim "exp"` + noTime},
		{"nbf a string", with("nbf", `"x"`), malformed, bad + `the claim "nbf"` + noTime},
		{"iat true", with("iat", "true"), malformed, bad + `the claim "iat"` + noTime},
		{"exp with a leading zero", with("exp", "01"), malformed, ""},

		// What it says.
		{"expired", with("exp", at(-5)), invalid(jwt.ErrTokenExpired), "token has invalid claims: token is expired"},
		{"exp missing", with("exp", ""), invalid(jwt.ErrTokenRequiredClaimMissing), "token has invalid claims: token is missing required claim: exp claim is required"},
		{"not valid yet", with("nbf", at(6)), invalid(jwt.ErrTokenNotValidYet), "token has invalid claims: token is not valid yet"},
		{"issued in the future", with("iat", at(6)), invalid(jwt.ErrTokenUsedBeforeIssued), "token has invalid claims: token used before issued"},
		{"another project", with("aud", `"useparagon.com/other"`), invalid(jwt.ErrTokenInvalidAudience), "token has invalid claims: token has invalid audience"},
		{"audience in capitals", with("aud", encode(strings.ToUpper(testAudience))), invalid(jwt.ErrTokenInvalidAudience), ""},
		{"audience with more behind", with("aud", encode(testAudience+"0")), invalid(jwt.ErrTokenInvalidAudience), ""},
		{"audience not in the list", with("aud", `["a","b"]`), invalid(jwt.ErrTokenInvalidAudience), ""},
		{"audience missing", with("aud", ""), invalid(jwt.ErrTokenRequiredClaimMissing), "token has invalid claims: token is missing required claim: aud claim is required"},
		{"audience empty", with("aud", `""`), invalid(jwt.ErrTokenRequiredClaimMissing), ""},
		{"audience an empty list", with("aud", `[]`), invalid(jwt.ErrTokenRequiredClaimMissing), ""},
		{"AUD", with("aud", `"x","AUD":`+encode(testAudience)), invalid(jwt.ErrTokenInvalidAudience), ""},
		{"expired and of another project", signPayload(t, payload(map[string]string{"exp": at(-60), "aud": `"x"`})), invalid(jwt.ErrTokenExpired, jwt.ErrTokenInvalidAudience), "token has invalid claims: token is expired, token has invalid audience"},
		{"sub missing", with("sub", ""), []error{jwt.ErrTokenRequiredClaimMissing}, "token is missing required claim: sub is missing or empty"},
		{"sub empty", with("sub", `""`), []error{jwt.ErrTokenRequiredClaimMissing}, "token is missing required claim: sub is missing or empty"},
		{"Sub", with("sub", `"","Sub":"x"`), []error{jwt.ErrTokenRequiredClaimMissing}, ""},

		// The permissions claim.
		{"claim null", signPayload(t, payloadWith("null")), malformedClaim, bad + "permissions: claim (byte 0): null is no claim; a token that may do everything has no claim, and one that may do nothing has {}"},
		{"claim with a mistake", signPayload(t, payloadWith(`{"integration:*":["proxy_api"]}`)), malformedClaim, bad + `permissions: claim at "/integration:*/0" (byte 18): "proxy_api" is no permission; did you mean "proxy-api"?`},
	}
}

// relabelled returns a token that is signed with a method, and says RS256.
func relabelled(t *testing.T, method jwt.SigningMethod) string {
	t.Helper()
	signed := segment(testHeader) + "." + segment(payload(nil))
	signature, err := method.Sign(signed, projectKey())
	require.NoError(t, err)
	return signed + "." + segment(string(signature))
}

func TestVerifyRefuses(t *testing.T) {
	v := newTestVerifier(t)
	for _, r := range refusals(t) {
		t.Run(r.name, func(t *testing.T) { r.require(t, v) })
	}
}

// A Keyfunc changes nothing in what is refused, but that the claims are read before the
// signature is verified.
func TestVerifyRefusesWithKeyfunc(t *testing.T) {
	v, err := permissions.NewVerifier(testProject, nil, permissions.WithKeyfunc(projectKeyfunc), permissions.WithClock(testClock))
	require.NoError(t, err)
	for _, r := range refusals(t) {
		t.Run(r.name, func(t *testing.T) {
			if r.name == "claims that would be refused, unsigned" {
				r.is, r.message = []error{jwt.ErrTokenMalformed}, "token is malformed: the claims set is no JSON object"
			}
			r.require(t, v)
		})
	}
}

func TestVerifyAccepts(t *testing.T) {
	v := newTestVerifier(t)
	at := func(seconds int64) string { return fmt.Sprint(testNow.Unix() + seconds) }
	with := func(name, value string) string { return signPayload(t, payload(map[string]string{name: value})) }
	for name, token := range map[string]string{
		"a header of alone":       sign(t, projectKey(), `{"alg":"RS256"}`, payload(nil)),
		"an escape in alg's name": sign(t, projectKey(), `{"\u0061lg":"RS256"}`, payload(nil)),
		"white space":             sign(t, projectKey(), " { \"alg\" :\t\"RS256\" }\n", " "+payload(nil)+"\r\n"),
		"another type":            sign(t, projectKey(), `{"typ":"at+jwt","alg":"RS256","kid":"1","x":[{"y":null}]}`, payload(nil)),
		"no iat":                  with("iat", ""),
		"one of two audiences":    with("aud", `["x",`+encode(testAudience)+`]`),
		"audience with escapes":   with("aud", `"useparagon.com\/`+testProject+`"`),
		"exp in the leeway":       with("exp", at(-4)),
		"nbf at the leeway":       with("nbf", at(5)),
		"iat at the leeway":       with("iat", at(5)),
		"the last second":         with("exp", "253402300799"),
		"private claims":          with("iss", `"x","email":"a@b.c","nested":{"a":[1,2,{"b":null}]}`),
		"names in other cases":    with("iss", `"x","SUB":1,"Exp":"never","AUD":[]`),
		"Policy is no name of it": with("iss", `"x","Policy":{"integration:*":false},"policy":null,"RegisteredClaims":1`),
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := v.Verify(token)
			require.NoError(t, err)
			require.Equal(t, testSubject, claims.Subject)
			require.True(t, claims.Policy.IsUnrestricted())
		})
	}
}

// The edges of time, with the leeway and without.
func TestVerifyTimes(t *testing.T) {
	for _, test := range []struct {
		claim  string
		leeway time.Duration
		at     time.Duration // of the clock, from the claim's time
		err    error
	}{
		{"exp", 0, -time.Nanosecond, nil},
		{"exp", 0, 0, jwt.ErrTokenExpired}, // RFC 7519, 4.1.4: on or after
		{"exp", time.Minute, time.Minute - 1, nil},
		{"exp", time.Minute, time.Minute, jwt.ErrTokenExpired},
		{"exp", 5 * time.Minute, 5*time.Minute - 1, nil},
		{"exp", 5 * time.Minute, 5 * time.Minute, jwt.ErrTokenExpired},
		{"nbf", 0, -time.Nanosecond, jwt.ErrTokenNotValidYet},
		{"nbf", 0, 0, nil},
		{"nbf", time.Minute, -time.Minute - 1, jwt.ErrTokenNotValidYet},
		{"nbf", time.Minute, -time.Minute, nil},
		{"iat", 0, -time.Nanosecond, jwt.ErrTokenUsedBeforeIssued},
		{"iat", 0, 0, nil},
		{"iat", time.Minute, -time.Minute - 1, jwt.ErrTokenUsedBeforeIssued},
		{"iat", time.Minute, -time.Minute, nil},
	} {
		t.Run(fmt.Sprint(test.claim, " ", test.leeway, " ", test.at), func(t *testing.T) {
			clock := func() time.Time { return testNow.Add(test.at) }
			v := newTestVerifier(t, permissions.WithLeeway(test.leeway), permissions.WithClock(clock))
			times := map[string]string{"iat": "", test.claim: fmt.Sprint(testNow.Unix())}
			_, err := v.Verify(signPayload(t, payload(times)))
			if test.err == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.err)
			require.ErrorIs(t, err, permissions.ErrToken)
		})
	}
}

// Unless told otherwise the leeway is 5 seconds and the clock is the machine's.
func TestVerifyDefaultTimes(t *testing.T) {
	for at, wanted := range map[time.Duration]error{5*time.Second - 1: nil, 5 * time.Second: jwt.ErrTokenExpired} {
		v := newTestVerifier(t, permissions.WithClock(func() time.Time { return testNow.Add(at) }))
		_, err := v.Verify(signPayload(t, payload(map[string]string{"exp": fmt.Sprint(testNow.Unix())})))
		require.ErrorIs(t, err, wanted)
	}
	v, err := permissions.NewVerifier(testProject, &projectKey().PublicKey)
	require.NoError(t, err)
	now := time.Now().Unix()
	_, err = v.Verify(signPayload(t, payload(map[string]string{"exp": fmt.Sprint(now + 3600), "iat": fmt.Sprint(now)})))
	require.NoError(t, err)
	_, err = v.Verify(signPayload(t, payload(map[string]string{"exp": fmt.Sprint(now - 3600)})))
	require.ErrorIs(t, err, jwt.ErrTokenExpired)
}

// The clock is asked for each token.
func TestVerifyClockMoves(t *testing.T) {
	now := testNow
	v := newTestVerifier(t, permissions.WithClock(func() time.Time { return now }))
	token := signPayload(t, payload(nil))
	_, err := v.Verify(token)
	require.NoError(t, err)
	now = now.Add(2 * time.Hour)
	_, err = v.Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenExpired)
}

func TestVerifyTokenSize(t *testing.T) {
	token := signPayload(t, payload(nil))
	for size, fits := range map[int]bool{len(token) - 1: false, len(token): true, len(token) + 1: true, 1: false} {
		_, err := newTestVerifier(t, permissions.WithMaxTokenSize(size)).Verify(token)
		if fits {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, jwt.ErrTokenMalformed)
		require.EqualError(t, err, fmt.Sprintf("permissions: token refused: token is malformed: it has %d bytes, and may have %d", len(token), size))
	}

	// 64 KiB unless told otherwise.
	_, err := newTestVerifier(t).Verify(tokenOfSize(t, 64<<10))
	require.NoError(t, err)
	_, err = newTestVerifier(t).Verify(tokenOfSize(t, 64<<10+1))
	require.ErrorIs(t, err, jwt.ErrTokenMalformed)
}

// tokenOfSize returns a valid token of that many bytes, by white space in it.
func tokenOfSize(t *testing.T, size int) string {
	t.Helper()
	header := testHeader
	for {
		rest := size - len(sign(t, projectKey(), header, ""))
		if rest%4 == 1 { // which no text has in base64
			header += " "
			continue
		}
		token := sign(t, projectKey(), header, payload(nil)+strings.Repeat(" ", rest*3/4-len(payload(nil))))
		require.Equal(t, size, len(token))
		return token
	}
}

func TestVerifyKeyRotation(t *testing.T) {
	project, next := &projectKey().PublicKey, &nextKey().PublicKey
	signed := map[string]string{
		"old":      sign(t, projectKey(), testHeader, payload(nil)),
		"new":      sign(t, nextKey(), testHeader, payload(nil)),
		"stranger": sign(t, strangersKey(), testHeader, payload(nil)),
	}
	for _, test := range []struct {
		name    string
		key     *rsa.PublicKey
		opts    []permissions.VerifierOption
		accepts []string
	}{
		{"one key", project, nil, []string{"old"}},
		{"both", project, []permissions.VerifierOption{permissions.WithKeys(next)}, []string{"old", "new"}},
		{"only in the option", nil, []permissions.VerifierOption{permissions.WithKeys(next, project)}, []string{"old", "new"}},
		{"in two options", nil, []permissions.VerifierOption{permissions.WithKeys(next), permissions.WithKeys(project)}, []string{"old", "new"}},
		{"the old one is gone", next, []permissions.VerifierOption{permissions.WithKeys()}, []string{"new"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := permissions.NewVerifier(testProject, test.key, append(test.opts, permissions.WithClock(testClock))...)
			require.NoError(t, err)
			for name, token := range signed {
				_, err := v.Verify(token)
				if slices.Contains(test.accepts, name) {
					require.NoError(t, err, name)
				} else {
					require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid, name)
				}
			}
		})
	}
}

// The caller's slice of keys is the caller's.
func TestWithKeysKeepsNoSlice(t *testing.T) {
	keys := []*rsa.PublicKey{&projectKey().PublicKey}
	opt := permissions.WithKeys(keys...)
	keys[0] = &strangersKey().PublicKey
	v, err := permissions.NewVerifier(testProject, nil, opt, permissions.WithClock(testClock))
	require.NoError(t, err)
	_, err = v.Verify(signPayload(t, payload(nil)))
	require.NoError(t, err)
	_, err = v.Verify(sign(t, strangersKey(), testHeader, payload(nil)))
	require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
}

func TestVerifyKeyfunc(t *testing.T) {
	project, next := &projectKey().PublicKey, &nextKey().PublicKey
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	set := func(keys ...jwt.VerificationKey) jwt.VerificationKeySet { return jwt.VerificationKeySet{Keys: keys} }
	noKey := errors.New("no such key")
	for _, test := range []struct {
		name    string
		found   any
		err     error
		is      error
		message string
	}{
		{"the key", project, nil, nil, ""},
		{"a set", set(next, project), nil, nil, ""},
		{"another key", next, nil, jwt.ErrTokenSignatureInvalid, "token signature is invalid"},
		{"a set without it", set(next), nil, jwt.ErrTokenSignatureInvalid, "token signature is invalid"},
		{"an error", nil, noKey, jwt.ErrTokenUnverifiable, "token is unverifiable: no such key"},
		{"an error beside the key", project, noKey, jwt.ErrTokenUnverifiable, "token is unverifiable: no such key"},
		{"nothing", nil, nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key is no RSA public key"},
		{"a nil key", (*rsa.PublicKey)(nil), nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key is no RSA public key"},
		{"a zero key", new(rsa.PublicKey), nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key is no RSA public key"},
		{"an empty set", set(), nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the Keyfunc returned no key"},
		{"a key by value", *project, nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key is no RSA public key"},
		{"a private key", projectKey(), nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key is no RSA public key"},
		{"a secret", []byte("secret"), nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key is no RSA public key"},
		{"an elliptic curve's key", &elliptic.PublicKey, nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key is no RSA public key"},
		{"one in a set", set(project, &elliptic.PublicKey), nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key is no RSA public key"},
		{"a small key", &smallKey().PublicKey, nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key has fewer than 2048 bits"},
		{"the type that switches signatures off", jwt.UnsafeAllowNoneSignatureType, nil, jwt.ErrTokenUnverifiable, "token is unverifiable: the key is no RSA public key"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := permissions.NewVerifier(testProject, nil, permissions.WithClock(testClock),
				permissions.WithKeyfunc(func(*jwt.Token) (any, error) { return test.found, test.err }))
			require.NoError(t, err)
			claims, err := v.Verify(signPayload(t, payload(nil)))
			if test.is == nil {
				require.NoError(t, err)
				return
			}
			require.Nil(t, claims)
			require.ErrorIs(t, err, permissions.ErrToken)
			require.ErrorIs(t, err, test.is)
			require.EqualError(t, err, "permissions: token refused: "+test.message)
			if test.err != nil {
				require.ErrorIs(t, err, test.err)
			}
		})
	}
}

// The function sees the header and the claims. What it does to them changes no answer
// about the signature or the algorithm.
func TestVerifyKeyfuncSeesTheToken(t *testing.T) {
	token := sign(t, projectKey(), `{"alg":"RS256","kid":"2026"}`, payloadWith("{}"))
	calls := 0
	v, err := permissions.NewVerifier(testProject, nil, permissions.WithClock(testClock), permissions.WithKeyfunc(func(got *jwt.Token) (any, error) {
		calls++
		assert.Equal(t, map[string]any{"alg": "RS256", "kid": "2026"}, got.Header)
		assert.Equal(t, "RS256", got.Method.Alg())
		assert.Equal(t, token, got.Raw)
		assert.NotEmpty(t, got.Signature)
		assert.False(t, got.Valid)
		subject, err := got.Claims.GetSubject()
		assert.NoError(t, err)
		assert.Equal(t, testSubject, subject)
		got.Method = jwt.SigningMethodNone
		got.Header["alg"] = "none"
		return &projectKey().PublicKey, nil
	}))
	require.NoError(t, err)
	_, err = v.Verify(token)
	require.NoError(t, err)
	require.Equal(t, 1, calls)
	_, err = v.Verify(sign(t, strangersKey(), `{"alg":"RS256","kid":"2026"}`, "null"))
	require.ErrorIs(t, err, jwt.ErrTokenMalformed)
	require.Equal(t, 1, calls)
}

func TestVerifySelfHosted(t *testing.T) {
	const audience = "paragon.example.com/" + testProject
	hosted := signPayload(t, payload(map[string]string{"aud": encode(audience)}))
	cloud := signPayload(t, payload(nil))
	for _, project := range []string{testProject, ""} {
		v, err := permissions.NewVerifier(project, &projectKey().PublicKey, permissions.WithAudience(audience), permissions.WithClock(testClock))
		require.NoError(t, err)
		_, err = v.Verify(hosted)
		require.NoError(t, err)
		_, err = v.Verify(cloud)
		require.ErrorIs(t, err, jwt.ErrTokenInvalidAudience)
	}
	_, err := newTestVerifier(t).Verify(hosted)
	require.ErrorIs(t, err, jwt.ErrTokenInvalidAudience)
}

func TestVerifyRequireClaim(t *testing.T) {
	v := newTestVerifier(t, permissions.RequireClaim())
	claims, err := v.Verify(signPayload(t, payload(nil)))
	require.Nil(t, claims)
	require.ErrorIs(t, err, jwt.ErrTokenRequiredClaimMissing)
	require.ErrorIs(t, err, permissions.ErrToken)
	require.NotErrorIs(t, err, permissions.ErrClaim)
	require.EqualError(t, err, "permissions: token refused: token is missing required claim: urn:useparagon:connect:permissions is missing")
	for _, claim := range []string{"{}", `{"integration:*":true}`} {
		_, err := v.Verify(signPayload(t, payloadWith(claim)))
		require.NoError(t, err, claim)
	}
}

// Every option of Parse is one of a Verifier.
func TestVerifyParseOptions(t *testing.T) {
	for _, test := range []struct {
		name  string
		claim string
		opt   permissions.Option
		err   error // without the option
	}{
		{"WithPermissions", `{"integration:*":["actionkit"]}`, permissions.WithPermissions("actionkit"), permissions.ErrPermission},
		{"IgnoreUnknownPermissions", `{"integration:*":["actionkit"]}`, permissions.IgnoreUnknownPermissions(), permissions.ErrPermission},
		{"AcceptStringClaim", `"{\"integration:*\":[]}"`, permissions.AcceptStringClaim(), permissions.ErrType},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := signPayload(t, payloadWith(test.claim))
			_, err := newTestVerifier(t).Verify(token)
			require.ErrorIs(t, err, test.err)
			claims, err := newTestVerifier(t, test.opt).Verify(token)
			require.NoError(t, err)
			require.Equal(t, test.name == "WithPermissions", claims.Policy.Allowed("actionkit", permissions.Target{}))
			require.False(t, claims.Policy.Allowed("other", permissions.Target{}))
		})
	}
}

func TestNewVerifierRefuses(t *testing.T) {
	key := &projectKey().PublicKey
	for _, test := range []struct {
		name    string
		project string
		key     *rsa.PublicKey
		opts    []permissions.VerifierOption
		message string
	}{
		{"no project", "", key, nil, "permissions: NewVerifier: the project ID is empty"},
		{"no key", testProject, nil, nil, "permissions: NewVerifier: it takes either keys or a Keyfunc"},
		{"no key in the option", testProject, nil, []permissions.VerifierOption{permissions.WithKeys()}, "permissions: NewVerifier: it takes either keys or a Keyfunc"},
		{"a key and a Keyfunc", testProject, key, []permissions.VerifierOption{permissions.WithKeyfunc(projectKeyfunc)}, "permissions: NewVerifier: it takes either keys or a Keyfunc"},
		{"a zero key", testProject, new(rsa.PublicKey), nil, "permissions: NewVerifier: the key is no RSA public key"},
		{"a nil key in the option", testProject, key, []permissions.VerifierOption{permissions.WithKeys(nil)}, "permissions: NewVerifier: the key is no RSA public key"},
		{"a small key", testProject, &smallKey().PublicKey, nil, "permissions: NewVerifier: the key has fewer than 2048 bits"},
		{"a small key in the option", testProject, key, []permissions.VerifierOption{permissions.WithKeys(&smallKey().PublicKey)}, "permissions: NewVerifier: the key has fewer than 2048 bits"},
		{"no Keyfunc", testProject, key, []permissions.VerifierOption{permissions.WithKeyfunc(nil)}, "permissions: WithKeyfunc: the function is nil"},
		{"no audience", testProject, key, []permissions.VerifierOption{permissions.WithAudience("")}, "permissions: WithAudience: the audience is empty\npermissions: NewVerifier: the project ID is empty"},
		{"a negative leeway", testProject, key, []permissions.VerifierOption{permissions.WithLeeway(-1)}, "permissions: WithLeeway: the leeway is not between 0 and 5 minutes"},
		{"too much leeway", testProject, key, []permissions.VerifierOption{permissions.WithLeeway(5*time.Minute + 1)}, "permissions: WithLeeway: the leeway is not between 0 and 5 minutes"},
		{"no clock", testProject, key, []permissions.VerifierOption{permissions.WithClock(nil)}, "permissions: WithClock: the function is nil"},
		{"no token size", testProject, key, []permissions.VerifierOption{permissions.WithMaxTokenSize(0)}, "permissions: WithMaxTokenSize: the size is not above 0"},
		{"a negative token size", testProject, key, []permissions.VerifierOption{permissions.WithMaxTokenSize(-1)}, "permissions: WithMaxTokenSize: the size is not above 0"},
		{"an empty permission", testProject, key, []permissions.VerifierOption{permissions.WithPermissions("")}, `permissions: WithPermissions: "" cannot be a permission`},
		{"two mistakes", "", nil, nil, "permissions: NewVerifier: the project ID is empty\npermissions: NewVerifier: it takes either keys or a Keyfunc"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := permissions.NewVerifier(test.project, test.key, test.opts...)
			require.Nil(t, v)
			require.EqualError(t, err, test.message)
		})
	}
}

// The bounds of the options themselves are good.
func TestNewVerifierBounds(t *testing.T) {
	for _, opt := range []permissions.VerifierOption{
		permissions.WithLeeway(0), permissions.WithLeeway(5 * time.Minute), permissions.WithMaxTokenSize(1),
	} {
		_, err := permissions.NewVerifier(testProject, &projectKey().PublicKey, opt)
		require.NoError(t, err)
	}
}

func TestZeroVerifierRefuses(t *testing.T) {
	for name, v := range map[string]*permissions.Verifier{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			claims, err := v.Verify(signPayload(t, payload(nil)))
			require.Nil(t, claims)
			require.ErrorIs(t, err, permissions.ErrToken)
			require.ErrorIs(t, err, jwt.ErrTokenUnverifiable)
			require.EqualError(t, err, "permissions: token refused: token is unverifiable: the verifier is zero; NewVerifier makes one")
		})
	}
}

// A Verifier and a Policy are shared by goroutines. The race detector watches.
func TestShared(t *testing.T) {
	v := newTestVerifier(t, permissions.WithPermissions("actionkit"), permissions.WithKeys(&nextKey().PublicKey))
	good := sign(t, nextKey(), testHeader, payloadWith(`{"integration:*":["actionkit"],"credential:3FA85F64-5717-4562-B3FC-2C963F66AFA6":false}`))
	bad := signPayload(t, payloadWith(`{"integration:*":["nope"]}`))
	shared, err := v.Verify(good)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 8 {
				claims, err := v.Verify(good)
				if !assert.NoError(t, err) {
					return
				}
				_, err = v.Verify(bad)
				assert.ErrorIs(t, err, permissions.ErrPermission)
				for _, p := range []*permissions.Policy{claims.Policy, shared.Policy} {
					assert.True(t, p.Allowed("actionkit", permissions.Target{}))
					d := p.Decide("actionkit", permissions.Target{
						Integration: "slack", CredentialID: "3fa85f64-5717-4562-b3fc-2c963f66afa6", CredentialExternalID: permissions.None,
					})
					assert.Equal(t, permissions.NotGranted, d.Reason)
					assert.True(t, p.Visible(permissions.Target{}))
					_, err = p.MarshalJSON()
					assert.NoError(t, err)
				}
			}
		})
	}
	wg.Wait()
}
