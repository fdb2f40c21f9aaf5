package usertoken_test

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

func TestVerify(t *testing.T) {
	token := signPayload(t, payloadWith(`{"integration:slack":["events"]}`))
	claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(token))
	require.Equal(t, jwt.RegisteredClaims{
		Subject:   testSubject,
		Audience:  jwt.ClaimStrings{testAudience},
		IssuedAt:  jwt.NewNumericDate(testNow.Add(-time.Minute)),
		ExpiresAt: jwt.NewNumericDate(testNow.Add(time.Hour)),
	}, claims.RegisteredClaims)
	require.True(t, claims.Policy.Allowed(permissions.Events, permissions.Integration("slack")))
	require.Equal(t, permissions.ReasonNoRule, claims.Policy.Decide(permissions.Events, permissions.User()).Reason)
}

// Every answer of one Verifier is its own: nothing of one token reaches another one.
func TestVerifyReturnsFreshClaims(t *testing.T) {
	v := newVerifier(t)
	one := must[*usertoken.Claims](t)(v.Verify(signPayload(t, payloadWith(`{"integration:*":true}`))))
	two := must[*usertoken.Claims](t)(v.Verify(signPayload(t, payloadWith(`{}`))))
	require.True(t, one.Policy.Allowed(permissions.Events, permissions.User()))
	require.False(t, two.Policy.Allowed(permissions.Events, permissions.User()))
}

// The four states of SPEC 7.2, through a token.
func TestVerifyKeepsTheFourStatesApart(t *testing.T) {
	v := newVerifier(t)
	reason := func(p *permissions.Policy) permissions.Reason {
		return p.Decide(permissions.Events, permissions.User()).Reason
	}
	t.Run("absent", func(t *testing.T) {
		claims := must[*usertoken.Claims](t)(v.Verify(signPayload(t, payload())))
		require.True(t, claims.Policy.IsUnrestricted())
		require.Equal(t, permissions.ReasonNoClaim, reason(claims.Policy))
	})
	t.Run("null", func(t *testing.T) {
		claims, err := v.Verify(signPayload(t, payloadWith("null")))
		require.Nil(t, claims)
		require.ErrorIs(t, err, permissions.ErrType)
		require.ErrorIs(t, err, usertoken.ErrToken)
	})
	t.Run("empty", func(t *testing.T) {
		claims := must[*usertoken.Claims](t)(v.Verify(signPayload(t, payloadWith("{}"))))
		require.False(t, claims.Policy.IsUnrestricted())
		require.Equal(t, permissions.ReasonNoRule, reason(claims.Policy))
	})
	t.Run("no policy", func(t *testing.T) {
		require.Equal(t, permissions.ReasonNoPolicy, reason(new(usertoken.Claims).Policy))
	})
}

func refusals(t *testing.T) []refusal {
	good := signPayload(t, payload())
	parts := strings.Split(good, ".")
	join := func(parts ...string) string { return strings.Join(parts, ".") }
	with := func(changes ...string) string { return signPayload(t, payload(changes...)) }
	headed := func(header string) string { return sign(t, projectKey(), header, payload()) }
	signed := func(payload string) string { return signParts(t, projectKey(), parts[0], payload) }
	cut := func(s string, at int, between string) string { return s[:at] + between + s[at:] }

	// The last digit of a signature has bits left over, which must be 0.
	last := len(parts[2]) - 1
	leftOver := parts[2][:last] + string(rune(parts[2][last]+1))
	other := func(method jwt.SigningMethod, key any) string {
		claims := jwt.MapClaims{"sub": testSubject}
		return must[string](t)(jwt.NewWithClaims(method, claims).SignedString(key))
	}
	return []refusal{
		// The shape.
		{"empty", "", malformed},
		{"one part", parts[0], malformed},
		{"two parts", join(parts[0], parts[1]), malformed},
		{"four parts", good + ".", malformed},
		{"five parts", good + "..", malformed},
		{"only dots", strings.Repeat(".", 1000), malformed},
		{"two dots", "..", malformed},
		{"too large", strings.Repeat("a", 64<<10+1), malformed},
		{"a space before it", " " + good, malformed},
		{"a line break after it", good + "\n", malformed},
		{"in quotation marks", `"` + good + `"`, malformed},
		{"a scheme before it", "Bearer " + good, malformed},
		{"a scheme in capitals and spaces before it", " BEARER  " + good, malformed},
		{"a scheme before something else", "Bearer token", malformed},
		{"a line break in the header", join(cut(parts[0], 4, "\n"), parts[1], parts[2]), malformed},
		{"a line break in the payload", join(parts[0], cut(parts[1], 4, "\r\n"), parts[2]), malformed},
		{"a signed carriage return in the payload", signed(cut(parts[1], 4, "\r")), malformed},
		{"a signed line break in the payload", signed(cut(parts[1], 4, "\n")), malformed},
		{"a line break in the signature", join(parts[0], parts[1], cut(parts[2], 4, "\n")), malformed},
		{"padding after the signature", good + "==", malformed},
		{"signed padding after the payload", signed(part("{}") + "="), malformed},
		{"padding after the header", join(parts[0]+"=", parts[1], parts[2]), malformed},
		{"bits left over in the signature", join(parts[0], parts[1], leftOver), malformed},
		{"signed bits left over in the payload", signed("e31"), malformed},
		{"standard base64", signed("++//"), malformed},

		// The header.
		{"an empty header", join("", parts[1], parts[2]), malformed},
		{"header {}", headed(`{}`), unverifiable},
		{"header null", headed(`null`), malformed},
		{"header array", headed(`["RS256"]`), malformed},
		{"header string", headed(`"RS256"`), malformed},
		{"header cut short", headed(`{"alg":"RS256"`), malformed},
		{"header cut short in a string", headed(`{"alg":"RS2`), malformed},
		{"header cut short after a name", headed(`{"alg"`), malformed},
		{"header without a value", headed(`{"alg":}`), malformed},
		{"header without a name", headed(`{1:"RS256"}`), malformed},
		{"header with data after it", headed(testHeader + "{}"), malformed},
		{"header with a trailing comma", headed(`{"alg":"RS256",}`), malformed},
		{"alg twice", headed(`{"alg":"RS256","alg":"RS256"}`), malformed},
		{"alg twice, none first", headed(`{"alg":"none","alg":"RS256"}`), malformed},
		{"alg twice in two spellings", headed(`{"alg":"RS256","\u0061lg":"none"}`), malformed},
		{"another parameter twice", headed(`{"alg":"RS256","x":1,"x":1}`), malformed},
		{"Alg", headed(`{"Alg":"RS256"}`), unverifiable},
		{"alg in an array", headed(`{"alg":["RS256"]}`), unverifiable},
		{"alg null", headed(`{"alg":null}`), unverifiable},
		{"alg rs256", headed(`{"alg":"rs256"}`), unverifiable},
		{"alg none, unsigned", other(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), unverifiable},
		{"alg HS256", other(jwt.SigningMethodHS256, projectKey().N.Bytes()), unverifiable},
		{"alg RS384", other(jwt.SigningMethodRS384, projectKey()), unverifiable},
		{"alg PS256", other(jwt.SigningMethodPS256, projectKey()), unverifiable},
		{"crit", headed(`{"alg":"RS256","crit":["exp"],"exp":1}`), unverifiable},
		{"empty crit", headed(`{"crit":[],"alg":"RS256"}`), unverifiable},
		{"typ at+jwt", headed(`{"typ":"at+jwt","alg":"RS256"}`), unverifiable},
		{"typ application/jwt", headed(`{"alg":"RS256","typ":"application/jwt"}`), unverifiable},
		{"typ JWS", headed(`{"alg":"RS256","typ":"JWS"}`), unverifiable},
		{"typ empty", headed(`{"alg":"RS256","typ":""}`), unverifiable},
		{"typ null", headed(`{"alg":"RS256","typ":null}`), unverifiable},
		{"typ an array", headed(`{"alg":"RS256","typ":["JWT"]}`), unverifiable},

		// The signature.
		{"no signature", join(parts[0], parts[1], ""), forged},
		{"half a signature", join(parts[0], parts[1], parts[2][:100]), forged},
		{"another key's signature", sign(t, otherKey(), testHeader, payload()), forged},
		{"another payload", join(parts[0], part(payloadWith(`{"integration:*":true}`)), parts[2]), forged},
		{"another header", join(part(`{"alg":"RS256"}`), parts[1], parts[2]), forged},
		{"unsigned claims that would be refused", join(parts[0], part("null"), parts[2]), forged},
		{"a signature of RS384 under alg RS256", relabelled(t, jwt.SigningMethodRS384), forged},
		{"a signature of PS256 under alg RS256", relabelled(t, jwt.SigningMethodPS256), forged},

		// The claims set.
		{"payload null", signPayload(t, "null"), malformed},
		{"payload array", signPayload(t, "["+payload()+"]"), malformed},
		{"payload string", signPayload(t, quoted(payload())), malformed},
		{"payload number", signPayload(t, "1"), malformed},
		{"payload empty", signPayload(t, ""), malformed},
		{"payload with a byte order mark", signPayload(t, "\ufeff"+payload()), malformed},
		{"payload cut short", signPayload(t, `{"sub":"x"`), malformed},
		{"payload cut short before a value", signPayload(t, `{"sub":`), malformed},
		{"payload cut short in a date", signPayload(t, `{"exp":1.`), malformed},
		{"payload cut short in a string", signPayload(t, `{"sub":"x`), malformed},
		{"payload cut short in the claim", signPayload(t, `{"`+permissions.ClaimName+`":{"integration:*":tr`), malformed},
		{"payload cut short in an object", signPayload(t, `{"x":{"y":1`), malformed},
		{"payload cut short in a name", signPayload(t, `{"x":{"y`), malformed},
		{"payload with data after it", signPayload(t, payload()+"{}"), malformed},
		{"payload with a name that is a number", signPayload(t, `{1:2}`), malformed},
		{"payload without a colon", signPayload(t, `{"sub" 2}`), malformed},
		{"payload with a bad value", signPayload(t, `{"x":nul}`), malformed},
		{"repeated claim", signPayload(t, payloadAnd(`"sub":"x"`)), malformed},
		{"repeated own claim", signPayload(t, payloadAnd(`"x":1,"\u0078":1`)), malformed},
		{"repeated permissions claim", signPayload(t, payloadAnd(
			`"`+permissions.ClaimName+`":{},"`+permissions.ClaimName+`":{"integration:*":true}`)), malformed},
		{"permissions claim in capitals", with("URN:USEPARAGON:CONNECT:PERMISSIONS", "{}"), malformed},
		{"permissions claim one level down", with("x", `{"`+permissions.ClaimName+`":{}}`), malformed},
		{"permissions claim of another name", with("https://acme.example/paragon-permissions", "{}"), malformed},
		{"a near miss with hidden characters", with("urn:useparagon:connect:\u202epermissions\u200b", "{}"), malformed},
		{"sub a number", with("sub", "1"), malformed},
		{"sub null", with("sub", "null"), malformed},
		{"iss an object", with("iss", "{}"), malformed},
		{"jti a number", with("jti", "1"), malformed},
		{"aud a number", with("aud", "1"), malformed},
		{"aud null", with("aud", "null"), malformed},
		{"aud with a number", with("aud", "["+quoted(testAudience)+",1]"), malformed},
		{"aud cut short", signPayload(t, `{"aud":["x"`), malformed},
		{"aud cut short in a string", signPayload(t, `{"aud":["x`), malformed},
		{"exp a string", with("exp", `"`+at(60)+`"`), malformed},
		{"exp negative", with("exp", "-1"), malformed},
		{"exp after the year 9999", with("exp", "253402300800"), malformed},
		{"exp in milliseconds", with("exp", at(60)+"000"), malformed},
		{"exp of 400 digits", with("exp", strings.Repeat("9", 400)), malformed},
		{"exp null", with("exp", "null"), malformed},
		{"nbf a string", with("nbf", `"x"`), malformed},
		{"iat true", with("iat", "true"), malformed},
		{"exp with a leading zero", with("exp", "01"), malformed},

		// What it says.
		{"expired", with("exp", at(-5)), expired},
		{"expired long ago", with("exp", "0"), expired},
		{"exp with a fraction, expired", with("exp", at(-5)+".999"), expired},
		{"exp missing", with("exp", ""), missing},
		{"not valid yet", with("nbf", at(60)), early},
		{"issued in the future", with("iat", at(6)), unissued},
		{"issued a fraction later than the leeway", with("iat", at(5)+".001"), unissued},
		{"another project", with("aud", `"useparagon.com/other"`), audience},
		{"another host", with("aud", `"dashboard.useparagon.com/`+testProject+`"`), audience},
		{"project ID alone", with("aud", quoted(testProject)), audience},
		{"host twice", with("aud", quoted("useparagon.com/"+testAudience)), audience},
		{"audience with a scheme", with("aud", quoted("https://"+testAudience)), audience},
		{"another host in a list", with("aud", `["x","proxy.useparagon.com/`+testProject+`","y"]`), audience},
		{"audience in capitals", with("aud", quoted(strings.ToUpper(testAudience))), audience},
		{"audience with more after it", with("aud", quoted(testAudience+"0")), audience},
		{"audience not in the list", with("aud", `["a","b"]`), audience},
		{"audience not in the long list", with("aud", `["a","b","c","d","e"]`), audience},
		{"audience that is long", with("aud", quoted(strings.Repeat("x", 2000))), audience},
		{"audience of hidden characters", with("aud", quoted("a\u2028b\u202ec\u200bd\n")), audience},
		{"audience missing", with("aud", ""), missing},
		{"audience empty", with("aud", `""`), audience},
		{"audience an empty list", with("aud", `[]`), audience},
		{"AUD", with("aud", "", "AUD", quoted(testAudience)), missing},
		{"expired and of another project", with("exp", at(-60), "aud", `"x"`), expired},
		{"sub missing", with("sub", ""), missing},
		{"sub empty", with("sub", `""`), missing},
		{"Sub", with("sub", "", "Sub", `"x"`), missing},
		{"sub with a lone surrogate", with("sub", `"ann\ud83d"`), malformed},
		{"sub with another lone surrogate", with("sub", `"ann\ud83e"`), malformed},
		{"sub with invalid UTF-8", with("sub", "\"ann\xff\""), malformed},
		{"sub with U+FFFD", with("sub", `"ann\ufffd"`), malformed},
		{"sub with U+FFFD, expired", with("sub", `"ann\ufffd"`, "exp", at(-60)), expired},

		// The permissions claim.
		{"claim null", signPayload(t, payloadWith("null")), badClaim},
		{"claim a number", signPayload(t, payloadWith("-1.5")), badClaim},
		{"claim with a leading zero", signPayload(t, payloadWith("01")), malformed},
		{"claim a number without an end", signPayload(t, "{"+claimMember+"0"), malformed},
		{"claim with a mistake", signPayload(t, payloadWith(`{"integration:*":["proxy_api"]}`)), badClaim},
	}
}

// relabelled returns a token that is signed with a method, and says RS256.
func relabelled(t *testing.T, method jwt.SigningMethod) string {
	t.Helper()
	signed := part(testHeader) + "." + part(payload())
	return signed + "." + part(string(must[[]byte](t)(method.Sign(signed, projectKey()))))
}

func TestVerifyRefuses(t *testing.T) {
	v := newVerifier(t)
	messages := map[string]string{}
	for _, r := range refusals(t) {
		t.Run(r.name, func(t *testing.T) { messages[r.name] = r.require(t, v) })
	}
	requireMessages(t, "refusals.json", messages)
}

// A key source changes nothing in what is refused and why. Nothing of the payload is read before the
// signature if the source does not ask for it.
func TestVerifyRefusesTheSameWithAKeySource(t *testing.T) {
	v := newSourceVerifier(t, projectKeyfunc)
	for _, r := range refusals(t) {
		t.Run(r.name, func(t *testing.T) { r.require(t, v) })
	}
}

func TestVerifyAccepts(t *testing.T) {
	v := newVerifier(t)
	with := func(changes ...string) string { return signPayload(t, payload(changes...)) }
	headed := func(header string) string { return sign(t, projectKey(), header, payload()) }
	for name, token := range map[string]string{
		"a header of alg alone":   headed(`{"alg":"RS256"}`),
		"escapes in alg":          headed(`{"\u0061lg":"\u0052S256"}`),
		"typ jwt":                 headed(`{"typ":"jwt","alg":"RS256"}`),
		"typ JwT":                 headed(`{"typ":"JwT","alg":"RS256"}`),
		"more parameters":         headed(`{"alg":"RS256","kid":"1","x":[{"y":null}]}`),
		"Typ is not typ":          headed(`{"alg":"RS256","Typ":"x"}`),
		"white space":             sign(t, projectKey(), " { \"alg\" :\t\"RS256\" }\n", " "+payload()+"\r\n"),
		"no iat":                  with("iat", ""),
		"one of two audiences":    with("aud", `["x",`+quoted(testAudience)+`]`),
		"beside an empty one":     with("aud", `["",`+quoted(testAudience)+`]`),
		"audience with escapes":   with("aud", `"useparagon.com\/`+testProject+`"`),
		"exp within the leeway":   with("exp", at(-4)),
		"exp of Python":           with("exp", at(60)+".123456", "iat", at(-1)+".9999"),
		"exp with an exponent":    with("exp", "1.8e9"),
		"nbf at the leeway":       with("nbf", at(5)),
		"iat at the leeway":       with("iat", at(5)),
		"the last second":         with("exp", "253402300799"),
		"own claims":              with("iss", `"x"`, "email", `"a@b.c"`, "nested", `{"a":[1,2,{"b":null}]}`),
		"names in other cases":    with("SUB", "1", "Exp", `"never"`, "AUD", "[]"),
		"Policy is another claim": with("Policy", `{"integration:*":false}`, "policy", "null", "RegisteredClaims", "1"),
	} {
		t.Run(name, func(t *testing.T) {
			claims := must[*usertoken.Claims](t)(v.Verify(token))
			require.Equal(t, testSubject, claims.Subject)
			require.True(t, claims.Policy.IsUnrestricted())
		})
	}
}

// The edges of time, with the leeway and without it.
func TestVerifyTimes(t *testing.T) {
	for _, test := range []struct {
		claim  string
		leeway time.Duration
		at     time.Duration // of the clock, from the claim's date
		err    error
	}{
		{"exp", 0, -time.Nanosecond, nil},
		{"exp", 0, 0, jwt.ErrTokenExpired}, // RFC 7519, section 4.1.4: on or after
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
			clock := usertoken.WithClock(func() time.Time { return testNow.Add(test.at) })
			v := newVerifier(t, usertoken.WithLeeway(test.leeway), clock)
			_, err := v.Verify(signPayload(t, payload("iat", "", test.claim, at(0))))
			if test.err == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.err)
			require.ErrorIs(t, err, usertoken.ErrToken)
		})
	}
}

// A fraction is rounded to the second that is stricter for the bearer (SPEC 7.6).
func TestVerifyRoundsDatesStrictly(t *testing.T) {
	for _, test := range []struct {
		claim, date string
		clock       time.Duration
		err         error
	}{
		{"exp", at(0) + ".999", -time.Nanosecond, nil},
		{"exp", at(0) + ".999", 0, jwt.ErrTokenExpired},
		{"nbf", at(0) + ".001", time.Second - 1, jwt.ErrTokenNotValidYet},
		{"nbf", at(0) + ".001", time.Second, nil},
		{"iat", at(0) + ".001", time.Second - 1, jwt.ErrTokenUsedBeforeIssued},
		{"iat", at(0) + ".001", time.Second, nil},
		{"iat", at(0) + ".000", 0, nil},
	} {
		t.Run(fmt.Sprint(test.claim, " ", test.date, " ", test.clock), func(t *testing.T) {
			clock := usertoken.WithClock(func() time.Time { return testNow.Add(test.clock) })
			v := newVerifier(t, usertoken.WithLeeway(0), clock)
			_, err := v.Verify(signPayload(t, payload("iat", "", test.claim, test.date)))
			if test.err == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, test.err)
		})
	}
}

// Without options the leeway is 5 seconds and the clock is the machine's.
func TestVerifyDefaultTimes(t *testing.T) {
	token := signPayload(t, payload("exp", at(0)))
	clock := func(after time.Duration) usertoken.VerifierOption {
		return usertoken.WithClock(func() time.Time { return testNow.Add(after) })
	}
	_, err := newVerifier(t, clock(5*time.Second-1)).Verify(token)
	require.NoError(t, err)
	_, err = newVerifier(t, clock(5*time.Second)).Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenExpired)

	v := must[*usertoken.Verifier](t)(usertoken.NewVerifier(testProject, &projectKey().PublicKey))
	now := time.Now().Unix()
	_, err = v.Verify(signPayload(t, payload("exp", fmt.Sprint(now+3600), "iat", fmt.Sprint(now))))
	require.NoError(t, err)
	_, err = v.Verify(signPayload(t, payload("exp", fmt.Sprint(now-3600))))
	require.ErrorIs(t, err, jwt.ErrTokenExpired)
}

// The clock is asked for each token.
func TestVerifyAsksTheClockEachTime(t *testing.T) {
	now := testNow
	v := newVerifier(t, usertoken.WithClock(func() time.Time { return now }))
	token := signPayload(t, payload())
	_, err := v.Verify(token)
	require.NoError(t, err)
	now = now.Add(2 * time.Hour)
	_, err = v.Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenExpired)
}

func TestVerifyTokenSize(t *testing.T) {
	token := signPayload(t, payload())
	for size, fits := range map[int]bool{len(token) - 1: false, len(token): true, len(token) + 1: true, 1: false} {
		_, err := newVerifier(t, usertoken.WithMaxTokenSize(size)).Verify(token)
		if fits {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, jwt.ErrTokenMalformed)
		const message = "usertoken: token refused: token has %d bytes, and may have %d; WithMaxTokenSize sets the limit"
		require.EqualError(t, err, fmt.Sprintf(message, len(token), size))
	}

	// It is 64 KiB without the option.
	_, err := newVerifier(t).Verify(tokenOfSize(t, 64<<10))
	require.NoError(t, err)
	_, err = newVerifier(t).Verify(tokenOfSize(t, 64<<10+1))
	require.ErrorIs(t, err, jwt.ErrTokenMalformed)
}

// tokenOfSize returns a valid token of a size in bytes, by white space in it.
func tokenOfSize(t *testing.T, size int) string {
	t.Helper()
	header := testHeader
	for {
		rest := size - len(sign(t, projectKey(), header, ""))
		if rest%4 == 1 { // no text has such a length in base64
			header += " "
			continue
		}
		token := sign(t, projectKey(), header, payload()+strings.Repeat(" ", rest*3/4-len(payload())))
		require.Len(t, token, size)
		return token
	}
}

// AllowMissingAudience accepts an absent aud, and nothing else (SPEC 7.5).
func TestAllowMissingAudience(t *testing.T) {
	v := newVerifier(t, usertoken.AllowMissingAudience())
	for name, test := range map[string]struct {
		aud string
		is  []error // nil if the token is accepted
	}{
		"absent":              {"", nil},
		"right":               {quoted(testAudience), nil},
		"right in a list":     {`["x",` + quoted(testAudience) + `]`, nil},
		"null":                {"null", malformed},
		"empty":               {`""`, audience},
		"an empty list":       {"[]", audience},
		"empty in a list":     {`[""]`, audience},
		"null in a list":      {"[null]", malformed},
		"wrong":               {`"useparagon.com/other"`, audience},
		"wrong in a list":     {`["useparagon.com/other"]`, audience},
		"an object":           {"{}", malformed},
		"the project ID":      {quoted(testProject), audience},
		"false":               {"false", malformed},
		"the project in caps": {quoted(strings.ToUpper(testAudience)), audience},
	} {
		t.Run(name, func(t *testing.T) {
			token := signPayload(t, payload("aud", test.aud))
			if test.is != nil {
				refusal{token: token, is: test.is}.require(t, v)
				return
			}
			claims := must[*usertoken.Claims](t)(v.Verify(token))
			require.Equal(t, test.aud == "", claims.Audience == nil)
		})
	}
}

func TestWithAudience(t *testing.T) {
	const cloud, own = testAudience, "paragon.example.com/" + testProject
	token := func(aud string) string { return signPayload(t, payload("aud", aud)) }
	for _, test := range []struct {
		name     string
		project  string
		opts     []usertoken.VerifierOption
		accepted []string
	}{
		{"the project alone", testProject, nil, []string{cloud}},
		{"it replaces the project's", testProject, []usertoken.VerifierOption{usertoken.WithAudience(own)}, []string{own}},
		{"without a project", "", []usertoken.VerifierOption{usertoken.WithAudience(own)}, []string{own}},
		{"several", "", []usertoken.VerifierOption{usertoken.WithAudience("x", own, cloud)}, []string{own, cloud}},
		{"the later one counts", "", []usertoken.VerifierOption{
			usertoken.WithAudience(cloud), usertoken.WithAudience(own)}, []string{own}},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := append(test.opts, usertoken.WithClock(testClock))
			v := must[*usertoken.Verifier](t)(usertoken.NewVerifier(test.project, &projectKey().PublicKey, opts...))
			for _, aud := range []string{cloud, own} {
				for _, token := range []string{token(quoted(aud)), token(`["y",` + quoted(aud) + `]`)} {
					_, err := v.Verify(token)
					if slices.Contains(test.accepted, aud) {
						require.NoError(t, err, aud)
					} else {
						requireReasons(t, err, append(audience, usertoken.ErrToken)...)
					}
				}
			}
		})
	}
	_, err := newVerifier(t, usertoken.WithAudience("a", "b", "c", "d", "e")).Verify(token(`"x"`))
	require.EqualError(t, err, `usertoken: token refused: aud "x" is not "a" or "b" or "c" or 2 more`)
}

func TestWithIssuer(t *testing.T) {
	v := newVerifier(t, usertoken.WithIssuer("https://one.example/", "https://two.example"))
	const wanted = `"https://one.example/" or "https://two.example"`
	for name, test := range map[string]struct {
		iss     string
		is      []error // nil if the token is accepted
		message string
	}{
		"the first":      {`"https://one.example/"`, nil, ""},
		"the second":     {`"https://two.example"`, nil, ""},
		"with escapes":   {`"https:\/\/two.example"`, nil, ""},
		"without /":      {`"https://one.example"`, issuer, `iss "https://one.example" is not ` + wanted},
		"in capitals":    {`"HTTPS://TWO.EXAMPLE"`, issuer, `iss "HTTPS://TWO.EXAMPLE" is not ` + wanted},
		"missing":        {"", missing, "iss is missing or empty, and must be " + wanted},
		"empty":          {`""`, missing, "iss is missing or empty, and must be " + wanted},
		"an array of it": {`["https://two.example"]`, malformed, "iss is not a string"},
	} {
		t.Run(name, func(t *testing.T) {
			token := signPayload(t, payload("iss", test.iss))
			if test.is == nil {
				_, err := v.Verify(token)
				require.NoError(t, err)
				return
			}
			require.Equal(t, "usertoken: token refused: "+test.message, refusal{token: token, is: test.is}.require(t, v))
		})
	}
	// Without the option any issuer is accepted, and none too.
	for _, iss := range []string{"", `""`, `"x"`} {
		_, err := newVerifier(t).Verify(signPayload(t, payload("iss", iss)))
		require.NoError(t, err)
	}
}

func TestWithType(t *testing.T) {
	v := newVerifier(t, usertoken.WithType("at+jwt", "kbaz"))
	const wanted = `"at+jwt" or "kbaz"`
	for name, test := range map[string]struct{ typ, message string }{
		"the first":       {`,"typ":"at+jwt"`, ""},
		"in capitals":     {`,"typ":"AT+JWT"`, ""},
		"the second":      {`,"typ":"KBAZ"`, ""},
		"the Kelvin sign": {`,"typ":"` + "\u212a" + `baz"`, `typ "` + "\u212a" + `baz" is not ` + wanted},
		"JWT":             {`,"typ":"JWT"`, `typ "JWT" is not ` + wanted},
		"missing":         {``, `typ is missing, and must be ` + wanted},
		"null":            {`,"typ":null`, `typ is empty or not a string, and must be ` + wanted},
		"empty":           {`,"typ":""`, `typ is empty or not a string, and must be ` + wanted},
		"a media type":    {`,"typ":"application/at+jwt"`, `typ "application/at+jwt" is not ` + wanted},
	} {
		t.Run(name, func(t *testing.T) {
			token := sign(t, projectKey(), `{"alg":"RS256"`+test.typ+`}`, payload())
			if test.message == "" {
				_, err := v.Verify(token)
				require.NoError(t, err)
				return
			}
			require.Equal(t, "usertoken: token refused: "+test.message, refusal{token: token, is: unverifiable}.require(t, v))
		})
	}
	// With JWT named, a header must have it.
	_, err := newVerifier(t, usertoken.WithType("JWT")).Verify(sign(t, projectKey(), `{"alg":"RS256"}`, payload()))
	require.ErrorIs(t, err, jwt.ErrTokenUnverifiable)
}

func TestRequireClaim(t *testing.T) {
	v := newVerifier(t, usertoken.RequireClaim())
	message := refusal{token: signPayload(t, payload()), is: missing}.require(t, v)
	require.Equal(t, "usertoken: token refused: urn:useparagon:connect:permissions is missing; "+
		"the issuer must write it; without RequireClaim such a token would allow everything", message)
	for _, claim := range []string{"{}", `{"integration:*":true}`} {
		_, err := v.Verify(signPayload(t, payloadWith(claim)))
		require.NoError(t, err, claim)
	}
}

func TestWithClaimOptions(t *testing.T) {
	for _, test := range []struct {
		name  string
		claim string
		opt   permissions.Option
		err   error // without the option
	}{
		{"WithPermissions", `{"integration:*":["x"]}`, permissions.WithPermissions("x"), permissions.ErrUnknownPermission},
		{"IgnoreUnknownPermissions", `{"integration:*":["x"]}`, permissions.IgnoreUnknownPermissions(),
			permissions.ErrUnknownPermission},
		{"AcceptStringClaim", `"{\"integration:*\":[]}"`, permissions.AcceptStringClaim(), permissions.ErrType},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := signPayload(t, payloadWith(test.claim))
			_, err := newVerifier(t).Verify(token)
			require.ErrorIs(t, err, test.err)
			require.ErrorIs(t, err, usertoken.ErrToken)
			claims := must[*usertoken.Claims](t)(newVerifier(t, usertoken.WithClaimOptions(test.opt)).Verify(token))
			require.Equal(t, test.name == "WithPermissions", claims.Policy.Allowed("x", permissions.User()))
			require.False(t, claims.Policy.Allowed("other", permissions.User()))
		})
	}
	t.Run("they add up", func(t *testing.T) {
		v := newVerifier(t, usertoken.WithClaimOptions(permissions.WithPermissions("x")),
			usertoken.WithClaimOptions(permissions.WithPermissions("y"), nil))
		claims := must[*usertoken.Claims](t)(v.Verify(signPayload(t, payloadWith(`{"integration:*":["x","y"]}`))))
		require.True(t, claims.Policy.Allowed("x", permissions.User()))
		require.True(t, claims.Policy.Allowed("y", permissions.User()))
	})
	t.Run("a token without the claim has them too", func(t *testing.T) {
		v := newVerifier(t, usertoken.WithClaimOptions(permissions.WithPermissions("x")))
		claims := must[*usertoken.Claims](t)(v.Verify(signPayload(t, payload())))
		require.True(t, claims.Policy.Allowed("x", permissions.User()))
		require.False(t, claims.Policy.Allowed("y", permissions.User()))
	})
}

// Of two options that set the same thing, the later one counts.
func TestLaterOptionsOverride(t *testing.T) {
	var signing []usertoken.SignerOption
	var verifying []usertoken.VerifierOption
	for _, o := range []usertoken.TokenOption{
		usertoken.WithAudience("a"), usertoken.WithAudience("b"), usertoken.WithIssuer("a"), usertoken.WithIssuer("b"),
		usertoken.WithType("a"), usertoken.WithType("b"), usertoken.WithMaxTokenSize(1), usertoken.WithMaxTokenSize(1000),
	} {
		signing, verifying = append(signing, o), append(verifying, o)
	}
	signing = append(signing, usertoken.WithLifetime(time.Second), usertoken.WithLifetime(time.Minute),
		usertoken.WithKeyID("a"), usertoken.WithKeyID("b"))
	token := must[string](t)(newSigner(t, signing...).Sign(testSubject, permissions.MustParse(`{}`)))
	header, written := decodeToken(t, token)
	require.Equal(t, `{"alg":"RS256","typ":"b","kid":"b"}`, header)
	require.Equal(t, `{"iss":"b","sub":"member@example.com","aud":"b","exp":1760000060,"iat":1760000000,`+
		claimMember+`{}}`, written)
	_, err := newVerifier(t, verifying...).Verify(token)
	require.NoError(t, err)
	for _, change := range []struct {
		header, payload string
		is              error
	}{
		{`{"alg":"RS256","typ":"a"}`, payload("iss", `"b"`, "aud", `"b"`), jwt.ErrTokenUnverifiable},
		{`{"alg":"RS256","typ":"b"}`, payload("iss", `"a"`, "aud", `"b"`), jwt.ErrTokenInvalidIssuer},
		{`{"alg":"RS256","typ":"b"}`, payload("iss", `"b"`, "aud", `"a"`), jwt.ErrTokenInvalidAudience},
	} {
		_, err := newVerifier(t, verifying...).Verify(sign(t, projectKey(), change.header, change.payload))
		require.ErrorIs(t, err, change.is)
	}

	strict := newVerifier(t, usertoken.WithLeeway(time.Minute), usertoken.WithLeeway(0))
	_, err = strict.Verify(signPayload(t, payload("exp", at(0))))
	require.ErrorIs(t, err, jwt.ErrTokenExpired)

	source := func(keys jwt.Keyfunc) usertoken.VerifierOption {
		return usertoken.WithKeySource(func(_ context.Context, t *jwt.Token) (any, error) { return keys(t) })
	}
	none := func(*jwt.Token) (any, error) { return nil, errors.New("the later one replaces this") }
	for _, opts := range [][]usertoken.VerifierOption{
		{usertoken.WithKeyfunc(none), usertoken.WithKeyfunc(projectKeyfunc)},
		{usertoken.WithKeyfunc(none), source(projectKeyfunc)},
		{source(none), usertoken.WithKeyfunc(projectKeyfunc)},
	} {
		opts = append(opts, usertoken.WithClock(testClock))
		v := must[*usertoken.Verifier](t)(usertoken.NewVerifier(testProject, nil, opts...))
		_, err := v.Verify(signPayload(t, payload()))
		require.NoError(t, err)
	}
}

func TestWithKeys(t *testing.T) {
	one, two := &projectKey().PublicKey, &otherKey().PublicKey
	tokens := map[string]string{
		"one": sign(t, projectKey(), testHeader, payload()),
		"two": sign(t, otherKey(), testHeader, payload()),
	}
	for _, test := range []struct {
		name    string
		key     *rsa.PublicKey
		opts    []usertoken.VerifierOption
		accepts []string
	}{
		{"one key", one, nil, []string{"one"}},
		{"both", one, []usertoken.VerifierOption{usertoken.WithKeys(two)}, []string{"one", "two"}},
		{"only in the option", nil, []usertoken.VerifierOption{usertoken.WithKeys(two, one)}, []string{"one", "two"}},
		{"in two options", nil, []usertoken.VerifierOption{usertoken.WithKeys(two), usertoken.WithKeys(one)},
			[]string{"one", "two"}},
		{"the old one is gone", two, []usertoken.VerifierOption{usertoken.WithKeys()}, []string{"two"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := append(test.opts, usertoken.WithClock(testClock))
			v := must[*usertoken.Verifier](t)(usertoken.NewVerifier(testProject, test.key, opts...))
			for name, token := range tokens {
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

// The caller's slices and keys are the caller's.
func TestVerifierKeepsNothingOfTheCaller(t *testing.T) {
	key := &rsa.PublicKey{N: new(big.Int).Set(projectKey().N), E: projectKey().E}
	keys := []*rsa.PublicKey{&otherKey().PublicKey}
	audiences, issuers, types := []string{testAudience}, []string{"i"}, []string{"JWT"}
	options := []permissions.Option{permissions.WithPermissions("x")}
	opts := []usertoken.VerifierOption{
		usertoken.WithKeys(keys...), usertoken.WithAudience(audiences...), usertoken.WithIssuer(issuers...),
		usertoken.WithType(types...), usertoken.WithClaimOptions(options...),
	}
	keys[0], audiences[0], issuers[0], types[0], options[0] = key, "changed", "changed", "changed", nil
	v := must[*usertoken.Verifier](t)(usertoken.NewVerifier("", key, append(opts, usertoken.WithClock(testClock))...))
	key.N.SetInt64(1)
	key.E = 1
	for _, signer := range []*rsa.PrivateKey{projectKey(), otherKey()} {
		text := payload("iss", `"i"`, permissions.ClaimName, `{"integration:*":["x"]}`)
		_, err := v.Verify(sign(t, signer, testHeader, text))
		require.NoError(t, err)
	}
}

func TestNewVerifierRefuses(t *testing.T) {
	key := &projectKey().PublicKey
	modulus := func(n *big.Int) *rsa.PublicKey { return &rsa.PublicKey{N: n, E: key.E} }
	number := func() *big.Int { return new(big.Int) }
	exponent := func(e int64) *rsa.PublicKey { return &rsa.PublicKey{N: key.N, E: int(e)} } // an int may have 32 bits
	source := usertoken.WithKeyfunc(projectKeyfunc)
	messages := map[string]string{}
	for _, test := range []struct {
		name    string
		project string
		key     *rsa.PublicKey
		badKey  bool
		opts    []usertoken.VerifierOption
	}{
		{"no project", "", key, false, nil},
		{"a project with the host", testAudience, key, false, nil},
		{"a project with a scheme", "https://" + testAudience, key, false, nil},
		{"a project with a line break", testProject + "\n", key, false, nil},
		{"a project with a space", " " + testProject, key, false, nil},
		{"a project of bad bytes", "\xff", key, false, nil},
		{"no key", testProject, nil, false, nil},
		{"no key in the option", testProject, nil, false, []usertoken.VerifierOption{usertoken.WithKeys()}},
		{"a key and a source", testProject, key, false, []usertoken.VerifierOption{source}},
		{"keys and a source", testProject, nil, false, []usertoken.VerifierOption{source, usertoken.WithKeys(key)}},
		{"a nil key in the option", testProject, key, true, []usertoken.VerifierOption{usertoken.WithKeys(nil)}},
		{"a zero key", testProject, new(rsa.PublicKey), true, nil},
		{"a small key", testProject, &smallKey().PublicKey, true, nil},
		{"a small key in the option", testProject, key, true,
			[]usertoken.VerifierOption{usertoken.WithKeys(&smallKey().PublicKey)}},
		{"a modulus of 2047 bits", testProject, modulus(number().SetBit(number().Rsh(key.N, 1), 0, 1)), true, nil},
		{"an even modulus", testProject, modulus(number().SetBit(key.N, 0, 0)), true, nil},
		{"a negative modulus", testProject, modulus(number().Neg(key.N)), true, nil},
		{"a modulus of 0", testProject, modulus(number()), true, nil},
		{"exponent 0", testProject, exponent(0), true, nil},
		{"exponent 1", testProject, exponent(1), true, nil},
		{"exponent 2", testProject, exponent(2), true, nil},
		{"two bad keys", testProject, exponent(1), true, []usertoken.VerifierOption{usertoken.WithKeys(exponent(2))}},
		{"an even exponent", testProject, exponent(65536), true, nil},
		{"a negative exponent", testProject, exponent(-65537), true, nil},
		{"an exponent beyond 31 bits", testProject, exponent(1<<31 + 1), true, nil},
		{"no Keyfunc", testProject, nil, false, []usertoken.VerifierOption{usertoken.WithKeyfunc(nil)}},
		{"no source", testProject, nil, false, []usertoken.VerifierOption{usertoken.WithKeySource(nil)}},
		{"no audience", testProject, key, false, []usertoken.VerifierOption{usertoken.WithAudience()}},
		{"an empty audience", testProject, key, false, []usertoken.VerifierOption{usertoken.WithAudience("")}},
		{"an audience of U+FFFD", testProject, key, false,
			[]usertoken.VerifierOption{usertoken.WithAudience("a", "\ufffd")}},
		{"no issuer", testProject, key, false, []usertoken.VerifierOption{usertoken.WithIssuer()}},
		{"an empty issuer", testProject, key, false, []usertoken.VerifierOption{usertoken.WithIssuer("a", "")}},
		{"no type", testProject, key, false, []usertoken.VerifierOption{usertoken.WithType()}},
		{"an empty type", testProject, key, false, []usertoken.VerifierOption{usertoken.WithType("")}},
		{"a negative leeway", testProject, key, false, []usertoken.VerifierOption{usertoken.WithLeeway(-1)}},
		{"too much leeway", testProject, key, false, []usertoken.VerifierOption{usertoken.WithLeeway(5*time.Minute + 1)}},
		{"no clock", testProject, key, false, []usertoken.VerifierOption{usertoken.WithClock(nil)}},
		{"a token size of 0", testProject, key, false, []usertoken.VerifierOption{usertoken.WithMaxTokenSize(0)}},
		{"a negative token size", testProject, key, false, []usertoken.VerifierOption{usertoken.WithMaxTokenSize(-1)}},
		{"a wrong claim option", testProject, key, false,
			[]usertoken.VerifierOption{usertoken.WithClaimOptions(permissions.WithPermissions(""))}},
		{"two mistakes", "", nil, false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			v, err := usertoken.NewVerifier(test.project, test.key, test.opts...)
			require.Nil(t, v)
			if test.badKey {
				requireReasons(t, err, jwt.ErrInvalidKey)
			} else {
				requireReasons(t, err)
			}
			messages[test.name] = err.Error()
		})
	}
	requireMessages(t, "newverifier.json", messages)
}

// The bounds of the options themselves are good, and so is the smallest exponent.
func TestNewVerifierBounds(t *testing.T) {
	for _, opt := range []usertoken.VerifierOption{
		usertoken.WithLeeway(0), usertoken.WithLeeway(5 * time.Minute), usertoken.WithMaxTokenSize(1), nil,
	} {
		_, err := usertoken.NewVerifier(testProject, &projectKey().PublicKey, opt)
		require.NoError(t, err)
	}
	for _, e := range []int{3, 1<<31 - 1} {
		_, err := usertoken.NewVerifier(testProject, &rsa.PublicKey{N: projectKey().N, E: e})
		require.NoError(t, err)
	}
}

func TestZeroVerifierRefuses(t *testing.T) {
	for name, v := range map[string]*usertoken.Verifier{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			message := refusal{token: signPayload(t, payload()), is: unverifiable}.require(t, v)
			const want = "usertoken: token refused: token cannot be verified by a nil or zero Verifier; NewVerifier makes one"
			require.Equal(t, want, message)
			_, err := v.VerifyContext(context.Background(), "")
			require.ErrorIs(t, err, jwt.ErrTokenUnverifiable)
		})
	}
}

// Goroutines share a Verifier and Claims. The race detector watches.
func TestGoroutinesShareAVerifier(t *testing.T) {
	v := newVerifier(t, usertoken.WithClaimOptions(permissions.WithPermissions("x")),
		usertoken.WithKeys(&otherKey().PublicKey))
	good := sign(t, otherKey(), testHeader, payload("tenant", `"acme"`, permissions.ClaimName, `{"integration:*":["x"]}`))
	bad := signPayload(t, payloadWith(`{"integration:*":["nope"]}`))
	shared := must[*usertoken.Claims](t)(v.Verify(good))
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 8 {
				claims, err := v.Verify(good)
				if !assert.NoError(t, err) {
					return
				}
				_, err = v.Verify(bad)
				assert.ErrorIs(t, err, permissions.ErrUnknownPermission)
				for _, c := range []*usertoken.Claims{claims, shared} {
					var own struct{ Tenant string }
					assert.True(t, c.Policy.Allowed("x", permissions.User()))
					assert.NoError(t, c.Valid())
					assert.NoError(t, c.Decode(&own))
					assert.Equal(t, "acme", own.Tenant)
					_, err = c.MarshalJSON()
					assert.NoError(t, err)
				}
			}
		})
	}
	wg.Wait()
}
