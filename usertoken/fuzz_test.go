package usertoken_test

import (
	"encoding/json"
	"errors"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
	"github.com/connectperms/permissions/usertoken"
)

// maxFuzzed is how long a text may be for the reference, which is slow. It is also below the 10,000 levels
// that encoding/json reads.
const maxFuzzed = 9_999

// optionSets are the options that the library and the reference read claims with.
var optionSets = []struct {
	parseOptions []permissions.Option
	reference    reference.Options
}{
	{},
	{[]permissions.Option{permissions.WithPermissions("x", "y")}, reference.Options{Extra: []string{"x", "y"}}},
	{[]permissions.Option{permissions.IgnoreUnknownPermissions()}, reference.Options{IgnoreUnknown: true}},
	{[]permissions.Option{permissions.AcceptStringClaim()}, reference.Options{AcceptString: true}},
}

// FuzzPayload compares Claims with the reference on whole claims sets.
func FuzzPayload(f *testing.F) {
	data, err := os.ReadFile(filepath.Join("..", "testdata", "conformance", "errors.json"))
	require.NoError(f, err)
	var cases []claimCase
	require.NoError(f, json.Unmarshal(data, &cases))
	for i, c := range cases {
		f.Add([]byte(payloadWith(c.Claim)), uint8(i))
	}
	for i, text := range []string{
		`{"Urn:useparagon:connect:permissions":{},"a":[{}],"a":"\ud800"}`,
		`{"paragon-permissions":1}`, `{"x":{` + claimMember + `{}}}`, `{"":{` + claimMember + `{}}}`,
		`{"exp":1.5,"nbf":1.5,"iat":1.5}`, `{"exp":1e400,"nbf":-0.5}`, `{"iat":2534023007990e-1}`,
		`{"aud":[],"sub":"","iss":"x"}`, `{"aud":["a",null]}`, `{"sub":[}`,
	} {
		f.Add([]byte(text), uint8(i))
	}
	f.Fuzz(func(t *testing.T, payload []byte, options uint8) {
		if len(payload) > maxFuzzed {
			return
		}
		requireAsReference(t, payload, int(options)%len(optionSets))
	})
}

// requireAsReference requires that Claims reads a payload as the reference does.
func requireAsReference(t *testing.T, payload []byte, options int) {
	t.Helper()
	set := optionSets[options]
	before := string(payload)
	got := usertoken.NewClaims(set.parseOptions...)
	err := got.UnmarshalJSON(payload)
	require.Equal(t, before, string(payload), "the text is the caller's")
	want, mistake := reference.ParseClaims(payload, set.reference)
	if mistake != nil {
		require.Equal(t, usertoken.NewClaims(set.parseOptions...).RegisteredClaims, got.RegisteredClaims)
		require.Nil(t, got.Policy)
		requireMistake(t, err, mistake)
		return
	}
	require.NoError(t, err)
	require.Equal(t, want.Issuer, got.Issuer)
	require.Equal(t, want.Subject, got.Subject)
	require.Equal(t, want.ID, got.ID)
	require.Equal(t, want.Audience, []string(got.Audience))
	for _, date := range []struct {
		want *big.Int
		got  *jwt.NumericDate
	}{{want.ExpiresAt, got.ExpiresAt}, {want.NotBefore, got.NotBefore}, {want.IssuedAt, got.IssuedAt}} {
		require.Equal(t, date.want == nil, date.got == nil)
		if date.want != nil {
			require.Equal(t, date.want.String(), big.NewInt(date.got.Unix()).String())
			require.Zero(t, date.got.Nanosecond())
		}
	}
	require.Equal(t, !want.HasPolicy, got.Policy.IsUnrestricted())
	require.Equal(t, len(want.Policy.Rules()), len(ruleTexts(got.Policy)))

	// What was read can be written, and says the same then.
	data, err := json.Marshal(got)
	require.NoError(t, err)
	again := usertoken.NewClaims(set.parseOptions...)
	require.NoError(t, again.UnmarshalJSON(data))
	if len(got.Audience) == 0 { // an empty list is left out
		got.Audience = nil
	}
	require.Equal(t, got.RegisteredClaims, again.RegisteredClaims)
	require.Equal(t, want.HasPolicy, !again.Policy.IsUnrestricted())
	require.ElementsMatch(t, ruleTexts(got.Policy), ruleTexts(again.Policy))

	// Decode returns what encoding/json does, or refuses.
	var own, all map[string]json.RawMessage // numbers may be beyond those of Go
	require.NoError(t, json.Unmarshal(payload, &all))
	if err := got.Decode(&own); err != nil {
		requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenMalformed)
		require.ErrorContains(t, err, "in letter case alone")
	} else {
		require.Equal(t, all, own)
	}
}

// requireMistake requires that an error is about the mistake that the reference found. The library may
// notice a wrong value before a syntax mistake in it.
func requireMistake(t *testing.T, err error, mistake *reference.ClaimsMistake) {
	t.Helper()
	e := requireTokenError(t, err)
	require.ErrorIs(t, err, jwt.ErrTokenMalformed)
	near := strings.Contains(e.Remedy, "a token without that claim allows everything")
	twice := e.Problem == "is in the claims set twice"
	claim := errors.Is(err, permissions.ErrClaim)
	switch mistake.Kind {
	case "syntax":
		require.False(t, near || twice || claim, "%v: %v", mistake, err)
	case "repeated":
		require.True(t, twice, "%v: %v", mistake, err)
	case "near":
		require.True(t, near, "%v: %v", mistake, err)
	case "claim":
		require.True(t, claim, "%v: %v", mistake, err)
		require.ErrorIs(t, err, kinds[mistake.Claim.Kind])
	case "type":
		require.False(t, near || twice || claim, "%v: %v", mistake, err)
		if mistake.Name != "" {
			require.Equal(t, mistake.Name, e.Field)
		}
	default:
		require.Fail(t, "an unknown kind of mistake", mistake.Kind)
	}
}

// Random claims sets, made of parts that are likely to go wrong, are read as the reference reads them.
func TestPayloadsAgainstReference(t *testing.T) {
	names := []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", permissions.ClaimName, permissions.ClaimName,
		"x", `\u0078`, "Exp", "",
		"urn:useparagon:connect:permission", "URN-USEPARAGON-CONNECT-PERMISSIONS", "paragon.permissions", "\xff",
		"urn:useparagon:connect:perm", `urn\u003auseparagon:connect:permissions`, "paragonpermission",
	}
	values := []string{
		`"a"`, `""`, `["a","b"]`, `[]`, `["a",1]`, "1", "0", "1.5", "-0.5", "1e3", "253402300799.5", "1e400", "01",
		"null", "true", "{}",
		`{"integration:*":true}`, `{"integration:*":["events","x"]}`, `{"integr":1}`, `{"x":1}`, `{` + claimMember + `{}}`,
		`{"integration:slack":[],"integration:slack":[]}`, `"{\"integration:*\":true}"`,
		"[", "nul", `"a`, "", `"\ud800"`, " 7 ",
	}
	r := rand.New(rand.NewPCG(7, 3))
	reached := map[string]int{}
	for range 15_000 {
		var b strings.Builder
		b.WriteByte('{')
		for i := range r.IntN(4) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`"` + names[r.IntN(len(names))] + `":` + values[r.IntN(len(values))])
		}
		b.WriteString([]string{"}", "}", "}", "}", "}", "}", "", "}}", "} "}[r.IntN(9)])
		options := r.IntN(len(optionSets))
		requireAsReference(t, []byte(b.String()), options)
		if _, mistake := reference.ParseClaims([]byte(b.String()), optionSets[options].reference); mistake != nil {
			reached[mistake.Kind]++
		} else {
			reached["accepted"]++
		}
	}
	for _, kind := range []string{"accepted", "syntax", "type", "repeated", "near", "claim"} {
		require.Greater(t, reached[kind], 250, "%s: %v", kind, reached)
	}
}

// FuzzToken requires that a Verifier accepts nothing but what is signed, and never panics.
func FuzzToken(f *testing.F) {
	good := signPayload(f, payload())
	f.Add(good)
	f.Add("Bearer " + good)
	f.Add(strings.Replace(good, ".", "..", 1))
	f.Add(part(`{"alg":"none"}`) + "." + part(payload()) + ".")
	f.Add(part(`{"alg":"RS256","typ":"x","crit":[]}`) + ".e30.AA")
	v := newVerifier(f)
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := v.Verify(token)
		if token == good {
			require.NoError(t, err)
			return
		}
		require.Nil(t, claims)
		require.ErrorIs(t, err, usertoken.ErrToken)
		require.NotErrorIs(t, err, usertoken.ErrKeys)
		requireTokenError(t, err)
	})
}

// FuzzKey requires that no text makes the parsers of keys panic, and that errors are short.
func FuzzKey(f *testing.F) {
	for _, text := range spellings(pemOf("PUBLIC KEY", pkix(f, &projectKey().PublicKey))) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := usertoken.ParsePublicKey(text); err != nil {
			require.Nil(t, key)
			require.ErrorIs(t, err, jwt.ErrInvalidKey)
			require.Less(t, len(err.Error()), 400)
		}
		if key, err := usertoken.ParsePrivateKey(text); err != nil {
			require.Nil(t, key)
			require.ErrorIs(t, err, jwt.ErrInvalidKey)
			require.Less(t, len(err.Error()), 400)
		}
	})
}
