package permissions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A Claims is what golang-jwt takes, by pointer and by value.
var _ = []jwt.Claims{permissions.Claims{}, &permissions.Claims{}}

var user = permissions.Target{}

func decodeClaims(payload string, opts ...permissions.Option) (*permissions.Claims, error) {
	c := permissions.NewClaims(opts...)
	return c, c.UnmarshalJSON([]byte(payload))
}

func TestClaimsUnmarshal(t *testing.T) {
	const text = `{"iss":"i","sub":"s","aud":["a","b"],"exp":3,"nbf":2,"iat":1,"jti":"j","urn:useparagon:connect:permissions":{"integration:*":["events"]}}`
	var c permissions.Claims
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	require.Equal(t, jwt.RegisteredClaims{
		Issuer: "i", Subject: "s", Audience: jwt.ClaimStrings{"a", "b"}, ID: "j",
		ExpiresAt: jwt.NewNumericDate(time.Unix(3, 0)), NotBefore: jwt.NewNumericDate(time.Unix(2, 0)), IssuedAt: jwt.NewNumericDate(time.Unix(1, 0)),
	}, c.RegisteredClaims)
	require.True(t, c.Policy.Allowed(permissions.Events, user))
	require.Equal(t, permissions.NotGranted, c.Policy.Decide(permissions.ProxyAPI, user).Reason)
}

// Absent, null, {} and no policy are four different things (SPEC 7.2).
func TestClaimsFourStates(t *testing.T) {
	absent, err := decodeClaims(`{"sub":"x"}`)
	require.NoError(t, err)
	require.Equal(t, permissions.NoClaim, absent.Policy.Decide(permissions.Events, user).Reason)

	null, err := decodeClaims(`{"sub":"x","urn:useparagon:connect:permissions":null}`)
	require.ErrorIs(t, err, permissions.ErrType)
	require.Equal(t, permissions.NoPolicy, null.Policy.Decide(permissions.Events, user).Reason)

	empty, err := decodeClaims(`{"sub":"x","urn:useparagon:connect:permissions":{}}`)
	require.NoError(t, err)
	require.Equal(t, permissions.NoRule, empty.Policy.Decide(permissions.Events, user).Reason)

	var zero permissions.Claims
	require.Nil(t, zero.Policy)
	require.Equal(t, permissions.NoPolicy, zero.Policy.Decide(permissions.Events, user).Reason)
}

// The claim's name compares exactly, and so no other can stand for it (SPEC 7.3, 7.4).
func TestClaimsName(t *testing.T) {
	for name, refused := range map[string]bool{
		"URN:USEPARAGON:CONNECT:PERMISSIONS":                       true,
		"urn:useParagon:connect:permissions":                       true,
		"Urn:useparagon:connect:permissions":                       true,
		"urn:u\u017feparagon:connect:permi\u017f\u017fions":        true, // long s
		"urn:useparagon:connect:permission":                        true,
		"urn:useparagon:connect:permissio":                         true,
		"urn:useparagon:connect:permissionss":                      true,
		"urn:useparagon:connect:permissions:1":                     true,
		"urn:useparagon:conect:permissions":                        true,
		"urn:useparagon:connect:permisions":                        true,
		"urn:useparagon.connect.permissions":                       true,
		"urn-useparagon-connect:permissions":                       true,
		"urn:useparagon::connect:permissions":                      true,
		" urn:useparagon:connect:permissions":                      true,
		"urn:useparagon:connect:permissions ":                      true,
		"\ufeffurn:useparagon:connect:permissions":                 true,
		"urn:useparagon:connect:permissions\u0000":                 true,
		"rn:useparagon:connect:permissions":                        true,
		"URN:USEPARAGON:CONNECT:PERMISSION":                        true, // both at once
		"urn:useparagon:connect:perm":                              false,
		"urn:useparagon:connect:permissions:v2":                    false,
		"urn-useparagon-connect-permissions":                       false,
		"urn:useparagon:connect":                                   false,
		"urn:useparagon:connect:credentials":                       false,
		"permissions":                                              false,
		"":                                                         false,
		strings.Repeat("urn:useparagon:connect:permissions", 1000): false,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := decodeClaims(`{"sub":"x",` + encode(name) + `:{"integration:*":["events"]}}`)
			if !refused {
				require.NoError(t, err)
				require.True(t, c.Policy.IsUnrestricted())
				return
			}
			require.ErrorIs(t, err, permissions.ErrToken)
			require.ErrorIs(t, err, jwt.ErrTokenMalformed)
			require.ErrorContains(t, err, `is nearly "urn:useparagon:connect:permissions", and a slip there would allow everything; spell it so`)
			require.Nil(t, c.Policy)
		})
	}
	// Beside the right name it is no better; and below the top it is anything at all.
	_, err := decodeClaims(`{"urn:useparagon:connect:permissions":{},"Urn:useparagon:connect:permissions":{"integration:*":true}}`)
	require.ErrorIs(t, err, permissions.ErrToken)
	c, err := decodeClaims(`{"urn:useparagon:connect:permissions":{},"x":{"Urn:useparagon:connect:permissions":1,"urn:useparagon:connect:permissions":1}}`)
	require.NoError(t, err)
	require.False(t, c.Policy.Allowed(permissions.Events, user))
	// An escape in it makes no other name.
	c, err = decodeClaims(`{"urn\u003auseparagon:connect:permissions":{}}`)
	require.NoError(t, err)
	require.False(t, c.Policy.IsUnrestricted())
}

// Decoding into a struct takes the last of two names, and merges maps. A Claims refuses.
func TestClaimsRefusesRepeatedNames(t *testing.T) {
	const wide, narrow = `{"integration:*":true}`, `{"integration:*":false}`
	many := `"n0":0`
	for i := 1; i < 40; i++ { // more than are looked for one by one
		many += fmt.Sprintf(`,"n%d":0`, i)
	}
	for name, text := range map[string]string{
		permissions.ClaimName: `{"urn:useparagon:connect:permissions":` + narrow + `,"urn:useparagon:connect:permissions":` + wide + `}`,
		"sub":                 `{"sub":"a","sub":"a"}`,
		"exp":                 `{"exp":1,"x":{},"exp":2}`,
		"x":                   `{"x":1,"\u0078":1}`,
		"n0":                  "{" + many + `,"n0":0}`,
		"n39":                 "{" + many + `,"n39":0}`,
		"\ufffd":              `{"\ud800":1,"\udfff":1}`, // two names that decoding makes one
	} {
		t.Run(name, func(t *testing.T) {
			c, err := decodeClaims(text)
			require.ErrorIs(t, err, permissions.ErrToken)
			require.ErrorIs(t, err, jwt.ErrTokenMalformed)
			require.NotErrorIs(t, err, permissions.ErrClaim)
			require.EqualError(t, err, "permissions: token refused: token is malformed: the claim "+encode(name)+" stands twice")
			require.Nil(t, c.Policy)
		})
	}
	c, err := decodeClaims("{" + many + "}")
	require.NoError(t, err)
	require.True(t, c.Policy.IsUnrestricted())
	_, err = decodeClaims(`{"x":{"a":1,"a":1},"y":{"a":1}}`)
	require.NoError(t, err, "only at the top (SPEC 7.3)")
}

// A Claims that is decoded into a second time holds nothing of the first, even on an error.
func TestClaimsReuse(t *testing.T) {
	const first = `{"iss":"i","sub":"first","aud":"a","exp":3,"nbf":2,"iat":1,"jti":"j","urn:useparagon:connect:permissions":{"integration:*":true}}`
	for second, refused := range map[string]bool{
		`{}`: false,
		`{"sub":"second","urn:useparagon:connect:permissions":{"integration:slack":["events"]}}`: false,
		`{"aud":["b"]}`: false,
		`{"urn:useparagon:connect:permissions":null}`:                        true,
		`{"sub":"second","urn:useparagon:connect:permissions":{"integr":1}}`: true,
		`{"sub":"second","exp":"x"}`:                                         true,
		`{"sub":"second","sub":"second"}`:                                    true,
		`[]`:                                                                 true,
		`null`:                                                               true,
		`{"sub":"second"`:                                                    true,
		``:                                                                   true,
	} {
		t.Run(second, func(t *testing.T) {
			c := new(permissions.Claims)
			require.NoError(t, c.UnmarshalJSON([]byte(first)))
			err := c.UnmarshalJSON([]byte(second))
			if refused {
				require.Error(t, err)
				require.Equal(t, permissions.Claims{}, *c)
				return
			}
			require.NoError(t, err)
			fresh, err := decodeClaims(second)
			require.NoError(t, err)
			require.Equal(t, fresh.RegisteredClaims, c.RegisteredClaims)
			require.Equal(t, fresh.Policy.IsUnrestricted(), c.Policy.IsUnrestricted())
			require.Equal(t, ruleTexts(fresh.Policy), ruleTexts(c.Policy))
		})
	}
}

// The same through golang-jwt, whose second token is refused or has another claim.
func TestClaimsReuseWithGolangJWT(t *testing.T) {
	c := new(permissions.Claims)
	parse := func(payload string) error {
		_, err := jwt.ParseWithClaims(signPayload(t, payload), c, projectKeyfunc,
			jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(testClock), jwt.WithExpirationRequired())
		return err
	}
	require.NoError(t, parse(payloadWith(`{"integration:*":true}`)))
	require.True(t, c.Policy.Allowed(permissions.Events, user))
	require.NoError(t, parse(payloadWith(`{"integration:slack":true}`)))
	require.Equal(t, permissions.NoRule, c.Policy.Decide(permissions.Events, user).Reason)
	require.NoError(t, parse(payload(nil)))
	require.True(t, c.Policy.IsUnrestricted())
	require.ErrorIs(t, parse(payloadWith(`{"integration:*":[1]}`)), permissions.ErrType)
	require.Equal(t, permissions.NoPolicy, c.Policy.Decide(permissions.Events, user).Reason)

	// A payload of null golang-jwt does not hand to the Claims. A new one, as the
	// documentation asks for, has no policy then.
	c = new(permissions.Claims)
	require.Error(t, parse("null"))
	require.Nil(t, c.Policy)
}

// The options of NewClaims hold for every decoding.
func TestNewClaims(t *testing.T) {
	const text = `{"urn:useparagon:connect:permissions":{"integration:*":["actionkit"]}}`
	c := permissions.NewClaims(permissions.WithPermissions("actionkit"))
	for range 2 {
		require.NoError(t, json.Unmarshal([]byte(text), c))
		require.True(t, c.Policy.Allowed("actionkit", user))
		require.ErrorIs(t, c.UnmarshalJSON([]byte(`{"urn:useparagon:connect:permissions":{"integration:*":["x"]}}`)), permissions.ErrPermission)
	}
	_, err := decodeClaims(text)
	require.ErrorIs(t, err, permissions.ErrPermission)

	c = permissions.NewClaims(permissions.WithPermissions(""))
	for range 2 {
		require.EqualError(t, c.UnmarshalJSON([]byte(text)), `permissions: WithPermissions: "" cannot be a permission`)
		require.Nil(t, c.Policy)
	}
}

func TestClaimsKeepNothingOfTheText(t *testing.T) {
	text := []byte(payloadWith(`{"integration:slack":["events"]}`))
	var c permissions.Claims
	require.NoError(t, c.UnmarshalJSON(text))
	for i := range text {
		text[i] = 'x'
	}
	require.Equal(t, testSubject, c.Subject)
	require.True(t, c.Policy.Allowed(permissions.Events, permissions.Target{Integration: "slack"}))
}

// What is signed says what the policy says, and never more.
func TestClaimsMarshal(t *testing.T) {
	registered := jwt.RegisteredClaims{Subject: "s"}
	for name, test := range map[string]struct {
		policy *permissions.Policy
		want   string
	}{
		"unrestricted": {permissions.Unrestricted(), `{"sub":"s"}`},
		"nil":          {nil, `{"sub":"s","urn:useparagon:connect:permissions":{}}`},
		"zero":         {new(permissions.Policy), `{"sub":"s","urn:useparagon:connect:permissions":{}}`},
		"empty":        {permissions.MustParse(`{}`), `{"sub":"s","urn:useparagon:connect:permissions":{}}`},
		"all":          {permissions.MustParse(`{"integration:*":true}`), `{"sub":"s","urn:useparagon:connect:permissions":{"integration:*":true}}`},
		"some":         {permissions.MustParse(`{"integration:*":["events"]}`), `{"sub":"s","urn:useparagon:connect:permissions":{"integration:*":["events"]}}`},
	} {
		t.Run(name, func(t *testing.T) {
			claims := permissions.Claims{RegisteredClaims: registered, Policy: test.policy}
			data, err := json.Marshal(claims)
			require.NoError(t, err)
			require.Equal(t, test.want, string(data))
			byPointer, err := json.Marshal(&claims)
			require.NoError(t, err)
			require.Equal(t, test.want, string(byPointer))

			again, err := decodeClaims(test.want)
			require.NoError(t, err)
			require.Equal(t, "s", again.Subject)
			require.Equal(t, test.policy.Allowed(permissions.Events, user), again.Policy.Allowed(permissions.Events, user))
			require.Equal(t, test.policy.IsUnrestricted(), again.Policy.IsUnrestricted())
		})
	}
}

// What golang-jwt signs with a Claims, a Verifier accepts.
func TestClaimsSign(t *testing.T) {
	token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, permissions.Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Subject: testSubject, Audience: jwt.ClaimStrings{testAudience}, ExpiresAt: jwt.NewNumericDate(testNow.Add(time.Hour)),
		},
		Policy: permissions.MustParse(`{"integration:slack":["events"]}`),
	}).SignedString(projectKey())
	require.NoError(t, err)
	claims, err := newTestVerifier(t).Verify(token)
	require.NoError(t, err)
	require.True(t, claims.Policy.Allowed(permissions.Events, permissions.Target{Integration: "slack"}))
	require.Equal(t, permissions.NoRule, claims.Policy.Decide(permissions.Events, user).Reason)
}

// A struct that embeds Claims gets its methods with it, and so nothing of its own. It must
// not lose the policy, nor find it elsewhere.
func TestClaimsEmbedded(t *testing.T) {
	type embedding struct {
		permissions.Claims
		Tenant string `json:"tenant"`
	}
	var c embedding
	require.NoError(t, json.Unmarshal([]byte(`{"sub":"s","tenant":"t","urn:useparagon:connect:permissions":{"integration:slack":true}}`), &c))
	require.Equal(t, permissions.NoRule, c.Policy.Decide(permissions.Events, user).Reason)
	require.Equal(t, "s", c.Subject)
	require.Empty(t, c.Tenant)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"urn:useparagon:connect:permissions":{},"urn:useparagon:connect:permissions":{}}`), &c), permissions.ErrToken)
	require.Nil(t, c.Policy)

	data, err := json.Marshal(embedding{Claims: permissions.Claims{Policy: permissions.MustParse(`{}`)}, Tenant: "t"})
	require.NoError(t, err)
	require.Equal(t, `{"urn:useparagon:connect:permissions":{}}`, string(data))
}

// A struct may also hold a Policy, and have encoding/json decode it. That can tell less
// apart, but takes nothing for a yes.
func TestPolicyInAStruct(t *testing.T) {
	type byPointer struct {
		Policy *permissions.Policy `json:"urn:useparagon:connect:permissions"`
	}
	type byValue struct {
		Policy permissions.Policy `json:"urn:useparagon:connect:permissions"`
	}
	const name = `"urn:useparagon:connect:permissions":`
	for text, test := range map[string]struct {
		pointer, value permissions.Reason
		refused        bool // by value
	}{
		`{}`:                 {permissions.NoPolicy, permissions.NoPolicy, false},
		`{` + name + `null}`: {permissions.NoPolicy, permissions.NoPolicy, true},
		`{` + name + `{}}`:   {permissions.NoRule, permissions.NoRule, false},
		`{` + name + `{"integration:*":["events"]}}`: {permissions.Granted, permissions.Granted, false},
		// A repeated name replaces and does not merge.
		`{` + name + `{"integration:*":true},` + name + `{"integration:slack":true}}`: {permissions.NoRule, permissions.NoRule, false},
	} {
		t.Run(text, func(t *testing.T) {
			var p byPointer
			require.NoError(t, json.Unmarshal([]byte(text), &p))
			require.Equal(t, test.pointer, p.Policy.Decide(permissions.Events, user).Reason)
			var v byValue
			err := json.Unmarshal([]byte(text), &v)
			if test.refused {
				require.ErrorIs(t, err, permissions.ErrType)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, test.value, v.Policy.Decide(permissions.Events, user).Reason)
		})
	}
}

// Times are whole seconds, and nothing is rounded or wraps.
func TestClaimsTimes(t *testing.T) {
	for text, seconds := range map[string]int64{"0": 0, "1": 1, "-0": 0, "1760000000": 1760000000, "253402300799": 253402300799} {
		c, err := decodeClaims(`{"exp":` + text + `}`)
		require.NoError(t, err, text)
		require.Equal(t, seconds, c.ExpiresAt.Unix(), text)
	}
	for _, text := range []string{
		"253402300800", "-1", "1.0", "1e0", "1E3", "9223372036854775807", "9223372036854775808", "18446744073709551616", strings.Repeat("9", 400),
		`"1"`, "true", "null", "[1]", "{}", "1.", "00", "+1", ".1", "0x1", "NaN", "Infinity", "1_000", "-",
	} {
		for _, name := range []string{"exp", "nbf", "iat"} {
			c, err := decodeClaims(`{"` + name + `":` + text + `}`)
			require.ErrorIs(t, err, permissions.ErrToken, text)
			require.ErrorIs(t, err, jwt.ErrTokenMalformed, text)
			require.NotErrorIs(t, err, permissions.ErrClaim, text)
			require.Nil(t, c.Policy)
		}
	}
}

// A tokenCase is one of testdata/tokens: a token that another library signed for a project,
// with what it says and the answers to some questions. Its error is the kind of the mistake
// in its claim.
type tokenCase struct {
	MadeBy string
	Now    int64
	Token  string
	Claims json.RawMessage
	conformanceCase
}

const tokenProject = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

func tokenCases(t *testing.T) []tokenCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "tokens", "*.json"))
	require.NoError(t, err)
	require.Greater(t, len(files), 10)
	var cases []tokenCase
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		d := json.NewDecoder(bytes.NewReader(data))
		d.DisallowUnknownFields()
		var c tokenCase
		require.NoError(t, d.Decode(&c), file)
		require.True(t, c.Error != "" || len(c.Queries) > 0, file)
		cases = append(cases, c)
	}
	return cases
}

// Tokens that other libraries signed mean here what they say.
func TestTokens(t *testing.T) {
	pem, err := os.ReadFile(filepath.Join("testdata", "tokens", "public.pem"))
	require.NoError(t, err)
	key, err := permissions.ParsePublicKey(string(pem))
	require.NoError(t, err)
	for _, c := range tokenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			now := func() time.Time { return time.Unix(c.Now, 0) }
			v, err := permissions.NewVerifier(tokenProject, key, permissions.WithClock(now))
			require.NoError(t, err)
			claims, err := v.Verify(c.Token)
			if c.Error != "" {
				require.Nil(t, claims)
				require.ErrorIs(t, err, permissions.ErrToken)
				require.Equal(t, c.Error, kindOf(t, err))
				requireNothingOf(t, c.Token, err)
				return
			}
			require.NoError(t, err)
			c.answer(t, claims.Policy)

			// The file shows the claims that the token has.
			inside, err := jwt.NewParser().DecodeSegment(strings.Split(c.Token, ".")[1])
			require.NoError(t, err)
			require.JSONEq(t, string(inside), string(c.Claims))
			shown, err := decodeClaims(string(c.Claims))
			require.NoError(t, err)
			require.Equal(t, shown.RegisteredClaims, claims.RegisteredClaims)
			require.Equal(t, ruleTexts(shown.Policy), ruleTexts(claims.Policy))
			require.Equal(t, shown.Policy.IsUnrestricted(), claims.Policy.IsUnrestricted())

			// Nobody else takes it, nor does anybody tomorrow.
			later, err := permissions.NewVerifier(tokenProject, key, permissions.WithClock(func() time.Time { return now().Add(24 * time.Hour) }))
			require.NoError(t, err)
			_, err = later.Verify(c.Token)
			require.ErrorIs(t, err, jwt.ErrTokenExpired)
			_, err = newTestVerifier(t).Verify(c.Token)
			require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
			other, err := permissions.NewVerifier(testProject, key, permissions.WithClock(now))
			require.NoError(t, err)
			_, err = other.Verify(c.Token)
			require.ErrorIs(t, err, jwt.ErrTokenInvalidAudience)
		})
	}
}

// A claim in a string is refused, with what to do about it; whoever must, accepts it.
func TestTokenWithStringClaim(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "tokens", "claim-as-a-string.json"))
	require.NoError(t, err)
	var c tokenCase
	require.NoError(t, json.Unmarshal(data, &c))
	_, err = decodeClaims(string(c.Claims))
	require.ErrorContains(t, err, "emit the object itself, not its JSON text in a string, or accept that with AcceptStringClaim")
	claims, err := decodeClaims(string(c.Claims), permissions.AcceptStringClaim())
	require.NoError(t, err)
	require.True(t, claims.Policy.Allowed(permissions.Events, user))
	require.False(t, claims.Policy.Allowed(permissions.ProxyAPI, user))
}
