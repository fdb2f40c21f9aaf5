package usertoken_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// golang-jwt takes a Claims by pointer and by value.
var _ = []jwt.Claims{usertoken.Claims{}, &usertoken.Claims{}}

const claimMember = `"` + permissions.ClaimName + `":`

func reasonOf(c *usertoken.Claims) permissions.Reason {
	return c.Policy.Decide(permissions.Events, permissions.User()).Reason
}

func TestClaimsUnmarshal(t *testing.T) {
	const text = `{"iss":"i","sub":"s","aud":["a","b"],"exp":3,"nbf":2,"iat":1,"jti":"j",` +
		claimMember + `{"integration:*":["events"]}}`
	var c usertoken.Claims
	require.NoError(t, json.Unmarshal([]byte(text), &c))
	date := func(seconds int64) *jwt.NumericDate { return jwt.NewNumericDate(time.Unix(seconds, 0)) }
	require.Equal(t, jwt.RegisteredClaims{
		Issuer: "i", Subject: "s", Audience: jwt.ClaimStrings{"a", "b"}, ID: "j",
		ExpiresAt: date(3), NotBefore: date(2), IssuedAt: date(1),
	}, c.RegisteredClaims)
	require.True(t, c.Policy.Allowed(permissions.Events, permissions.User()))
	require.Equal(t, permissions.ReasonNotGranted, c.Policy.Decide(permissions.ActionKit, permissions.User()).Reason)
}

// Absent, null, {} and no policy are four different things (SPEC 7.2).
func TestClaimsKeepTheFourStatesApart(t *testing.T) {
	absent, err := decodeClaims(`{"sub":"x"}`)
	require.NoError(t, err)
	require.Equal(t, permissions.ReasonNoClaim, reasonOf(absent))

	null, err := decodeClaims(`{"sub":"x",` + claimMember + `null}`)
	require.ErrorIs(t, err, permissions.ErrType)
	require.Equal(t, permissions.ReasonNoPolicy, reasonOf(null))

	empty, err := decodeClaims(`{"sub":"x",` + claimMember + `{}}`)
	require.NoError(t, err)
	require.Equal(t, permissions.ReasonNoRule, reasonOf(empty))

	var zero usertoken.Claims
	require.Nil(t, zero.Policy)
	require.Equal(t, permissions.ReasonNoPolicy, reasonOf(&zero))
}

// An absent aud is nil, and an empty one is not.
func TestClaimsAudience(t *testing.T) {
	for text, want := range map[string]jwt.ClaimStrings{
		`{}`:               nil,
		`{"aud":[]}`:       {},
		`{"aud":""}`:       {""},
		`{"aud":"a"}`:      {"a"},
		`{"aud":["a"]}`:    {"a"},
		`{"aud":["a",""]}`: {"a", ""},
	} {
		c, err := decodeClaims(text)
		require.NoError(t, err, text)
		require.Equal(t, want, c.Audience, text)
	}
}

// Decoding into a struct takes the last of two names, and merges maps. A Claims refuses.
func TestClaimsRefuseRepeatedNames(t *testing.T) {
	many := strings.TrimPrefix(manyMembers(40), ",") // more than are compared one by one
	for name, text := range map[string]string{
		permissions.ClaimName: `{` + claimMember + `{"integration:*":false},` + claimMember + `{"integration:*":true}}`,
		"sub":                 `{"sub":"a","sub":"a"}`,
		"exp":                 `{"exp":1,"x":{},"exp":2}`,
		"x":                   `{"x":1,"\u0078":1}`,
		"n0":                  "{" + many + `,"n0":0}`,
		"n39":                 "{" + many + `,"n39":0}`,
		"\ufffd":              `{"\ud800":1,"\udfff":1}`, // decoding makes one name of two
	} {
		t.Run(name, func(t *testing.T) {
			c, err := decodeClaims(text)
			requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenMalformed)
			require.EqualError(t, err, "usertoken: token refused: "+name+" is in the claims set twice")
			require.Equal(t, usertoken.NewClaims(), c)
		})
	}
	_, err := decodeClaims("{" + many + "}")
	require.NoError(t, err)
	_, err = decodeClaims(`{"x":{"a":1,"a":1},"y":{"a":1}}`)
	require.NoError(t, err, "only at the top level (SPEC 7.3)")
}

// A Claims that is decoded into again holds nothing of what it held, even after an error.
func TestClaimsReuse(t *testing.T) {
	const first = `{"iss":"i","sub":"first","aud":"a","exp":3,"nbf":2,"iat":1,"jti":"j","x":1,` +
		claimMember + `{"integration:*":true}}`
	for second, refused := range map[string]bool{
		`{}`: false,
		`{"sub":"second",` + claimMember + `{"integration:slack":["events"]}}`: false,
		`{"aud":["b"]}`:                                    false,
		`{` + claimMember + `null}`:                        true,
		`{"sub":"second",` + claimMember + `{"integr":1}}`: true,
		`{"sub":"second","exp":"x"}`:                       true,
		`{"sub":"second","sub":"second"}`:                  true,
		`[]`:                                               true,
		`null`:                                             true,
		`{"sub":"second"`:                                  true,
		``:                                                 true,
	} {
		t.Run(second, func(t *testing.T) {
			c := new(usertoken.Claims)
			require.NoError(t, c.UnmarshalJSON([]byte(first)))
			err := c.UnmarshalJSON([]byte(second))
			if refused {
				require.ErrorIs(t, err, usertoken.ErrToken)
				require.Equal(t, usertoken.Claims{}, *c)
				return
			}
			require.NoError(t, err)
			fresh, err := decodeClaims(second)
			require.NoError(t, err)
			require.Equal(t, fresh.RegisteredClaims, c.RegisteredClaims)
			require.Equal(t, ruleTexts(fresh.Policy), ruleTexts(c.Policy))
			require.Equal(t, fresh.Policy.IsUnrestricted(), c.Policy.IsUnrestricted())
			var own map[string]any
			require.NoError(t, c.Decode(&own))
			require.NotContains(t, own, "x")
		})
	}
}

// Claims that a Verifier has accepted, and that are decoded into again, are no longer accepted.
func TestClaimsReuseAfterVerify(t *testing.T) {
	c := must[*usertoken.Claims](t)(newVerifier(t).Verify(signPayload(t, payload())))
	require.NoError(t, c.Valid())
	require.NoError(t, c.UnmarshalJSON([]byte(payload())))
	require.ErrorIs(t, c.Valid(), jwt.ErrTokenUnverifiable)
}

// golang-jwt decodes into a Claims.
func TestClaimsWithGolangJWT(t *testing.T) {
	c := new(usertoken.Claims)
	parse := func(payload string) error {
		_, err := jwt.ParseWithClaims(signPayload(t, payload), c, projectKeyfunc,
			jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(testClock), jwt.WithExpirationRequired())
		return err
	}
	require.NoError(t, parse(payloadWith(`{"integration:*":true}`)))
	require.True(t, c.Policy.Allowed(permissions.Events, permissions.User()))
	require.NoError(t, parse(payloadWith(`{"integration:slack":true}`)))
	require.Equal(t, permissions.ReasonNoRule, reasonOf(c))
	require.NoError(t, parse(payload()))
	require.True(t, c.Policy.IsUnrestricted())
	require.ErrorIs(t, parse(payloadWith(`{"integration:*":[1]}`)), permissions.ErrType)
	require.Equal(t, permissions.ReasonNoPolicy, reasonOf(c))
	require.ErrorIs(t, parse(payload("exp", at(-60)+".5")), jwt.ErrTokenExpired)
	require.ErrorIs(t, parse(payload("x", `{`+claimMember+`{}}`)), usertoken.ErrToken)
	require.Nil(t, c.Policy)

	// golang-jwt does not hand a payload of null to the Claims. A new Claims, as its documentation
	// asks for, has no policy then.
	c = new(usertoken.Claims)
	require.ErrorIs(t, parse("null"), jwt.ErrTokenRequiredClaimMissing)
	require.Nil(t, c.Policy)
}

// The options of NewClaims hold for every decoding.
func TestNewClaims(t *testing.T) {
	const text = `{` + claimMember + `{"integration:*":["x"]}}`
	opts := []permissions.Option{permissions.WithPermissions("x")}
	c := usertoken.NewClaims(opts...)
	opts[0] = permissions.WithPermissions("changed")
	for range 2 {
		require.NoError(t, json.Unmarshal([]byte(text), c))
		require.True(t, c.Policy.Allowed("x", permissions.User()))
		err := c.UnmarshalJSON([]byte(`{` + claimMember + `{"integration:*":["y"]}}`))
		require.ErrorIs(t, err, permissions.ErrUnknownPermission)
		require.NoError(t, c.UnmarshalJSON([]byte(`{}`)))
		require.True(t, c.Policy.Allowed("x", permissions.User()), "the option holds without the claim too")
	}
	_, err := decodeClaims(text)
	require.ErrorIs(t, err, permissions.ErrUnknownPermission)

	c = usertoken.NewClaims(permissions.WithPermissions(""))
	for range 2 {
		err := c.UnmarshalJSON([]byte(text))
		requireReasons(t, err)
		require.ErrorContains(t, err, "WithPermissions")
		require.Nil(t, c.Policy)
	}
	t.Run("without the claim", func(t *testing.T) {
		require.ErrorContains(t, c.UnmarshalJSON([]byte(`{}`)), "WithPermissions")
		require.Nil(t, c.Policy)
	})
}

func TestClaimsKeepNothingOfTheText(t *testing.T) {
	text := []byte(payloadWith(`{"integration:slack":["events"]}`))
	var c usertoken.Claims
	require.NoError(t, c.UnmarshalJSON(text))
	for i := range text {
		text[i] = 'x'
	}
	require.Equal(t, testSubject, c.Subject)
	require.True(t, c.Policy.Allowed(permissions.Events, permissions.Integration("slack")))
	var own map[string]any
	require.NoError(t, c.Decode(&own))
	require.Equal(t, testSubject, own["sub"])
}

// What outlives a call keeps no token alive: not a subject of three bytes, and not an error.
func TestNothingPinsAToken(t *testing.T) {
	const size = 40 << 10
	v := newVerifier(t)
	source := newSourceVerifier(t, func(token *jwt.Token) (any, error) {
		_, err := token.Claims.GetIssuer()
		return &projectKey().PublicKey, err
	})
	filler := strings.Repeat("x", size)
	short := []string{"sub", `"ann"`, "iss", `"iss"`, "jti", `"jti"`, "aud", `["a",` + quoted(testAudience) + `]`}
	inClaim := func() string {
		return signPayload(t, payload(append(short, permissions.ClaimName, `{"integration:`+filler+`":true}`)...))
	}
	inOthers := func() string { return signPayload(t, payload(append(short, "x", quoted(filler))...)) }
	inHeader := func() string { return sign(t, projectKey(), `{"x":"`+filler+`","alg":"RS256","kid":"k"}`, payload()) }
	inAudience := func() string { return signPayload(t, payload("aud", `"`+filler+`"`)) }
	verify := func(token string) *usertoken.Claims { return must[*usertoken.Claims](t)(v.Verify(token)) }
	for name, make := range map[string]func() any{
		"Subject":    func() any { return verify(inClaim()).Subject },
		"Issuer":     func() any { return verify(inClaim()).Issuer },
		"ID":         func() any { return verify(inClaim()).ID },
		"Audience":   func() any { return verify(inClaim()).Audience },
		"ExpiresAt":  func() any { return verify(inClaim()).ExpiresAt },
		"Policy":     func() any { return verify(inOthers()).Policy },
		"all claims": func() any { return verify(inHeader()) },
		"own claim": func() any {
			var own struct{ Jti string }
			require.NoError(t, verify(inClaim()).Decode(&own))
			return own
		},
		"with a key source": func() any { return must[*usertoken.Claims](t)(source.Verify(inHeader())) },
		"of golang-jwt": func() any {
			c := new(usertoken.Claims)
			_, err := jwt.ParseWithClaims(inClaim(), c, projectKeyfunc, jwt.WithTimeFunc(testClock))
			require.NoError(t, err)
			return c.Subject
		},
		"error": func() any {
			_, err := v.Verify(inAudience())
			require.ErrorIs(t, err, jwt.ErrTokenInvalidAudience)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Less(t, retained(make), size/4, "bytes kept for each token")
		})
	}
	// A whole Claims does keep the text, and the measure shows it.
	require.Greater(t, retained(func() any { return verify(inOthers()) }), size/2)
}

// What is signed says what the policy says, and never more.
func TestClaimsMarshal(t *testing.T) {
	const prefix = `{"sub":"s"`
	for name, test := range map[string]struct {
		policy *permissions.Policy
		want   string
	}{
		"unrestricted": {permissions.Unrestricted(), ``},
		"nil":          {nil, `{}`},
		"zero":         {new(permissions.Policy), `{}`},
		"empty":        {permissions.MustParse(`{}`), `{}`},
		"all":          {permissions.MustParse(`{"integration:*":true}`), `{"integration:*":true}`},
		"some":         {permissions.MustParse(`{"integration:*":["events"]}`), `{"integration:*":["events"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			want := prefix + "}"
			if test.want != "" {
				want = prefix + "," + claimMember + test.want + "}"
			}
			claims := usertoken.Claims{RegisteredClaims: jwt.RegisteredClaims{Subject: "s"}, Policy: test.policy}
			for _, value := range []any{claims, &claims} {
				require.Equal(t, want, string(must[[]byte](t)(json.Marshal(value))))
			}
			again, err := decodeClaims(want)
			require.NoError(t, err)
			require.Equal(t, "s", again.Subject)
			require.Equal(t, test.policy.Allowed(permissions.Events, permissions.User()),
				again.Policy.Allowed(permissions.Events, permissions.User()))
			require.Equal(t, test.policy.IsUnrestricted(), again.Policy.IsUnrestricted())
		})
	}
}

// Registered claims are written as golang-jwt writes them, whatever its variables are set to.
func TestClaimsMarshalRegistered(t *testing.T) {
	date := func(seconds, nanoseconds int64) *jwt.NumericDate {
		return &jwt.NumericDate{Time: time.Unix(seconds, nanoseconds)}
	}
	all := jwt.RegisteredClaims{
		Issuer: "i\"", Subject: "s\n", Audience: jwt.ClaimStrings{"a", "b"}, ID: "j",
		ExpiresAt: date(3, 999_999_999), NotBefore: date(0, 0), IssuedAt: date(253402300799, 1),
	}
	got := must[[]byte](t)(usertoken.Claims{RegisteredClaims: all, Policy: permissions.Unrestricted()}.MarshalJSON())
	const want = `{"iss":"i\"","sub":"s\u000a","aud":["a","b"],"exp":3,"nbf":0,"iat":253402300799,"jti":"j"}`
	require.Equal(t, want, string(got))
	require.JSONEq(t, string(must[[]byte](t)(json.Marshal(all))), string(got))

	for text, r := range map[string]jwt.RegisteredClaims{
		`{}`:            {},
		`{"aud":"a"}`:   {Audience: jwt.ClaimStrings{"a"}},
		`{"aud":[]}`:    {Audience: jwt.ClaimStrings{}}, // left out, as golang-jwt does
		`{"jti":"é"}`:   {ID: "é"},
		`{"exp":1}`:     {ExpiresAt: date(1, 0)},
		`{"iss":"\\<"}`: {Issuer: `\<`},
	} {
		if text == `{"aud":[]}` {
			text = `{}`
		}
		got := must[[]byte](t)(usertoken.Claims{RegisteredClaims: r, Policy: permissions.Unrestricted()}.MarshalJSON())
		require.Equal(t, text, string(got))
	}
	both := must[*permissions.Policy](t)(permissions.Intersect(permissions.MustParse(`{}`), permissions.MustParse(`{}`)))
	for name, c := range map[string]usertoken.Claims{
		"a date before 1970":     {RegisteredClaims: jwt.RegisteredClaims{NotBefore: date(-1, 999_999_999)}},
		"a date after 9999":      {RegisteredClaims: jwt.RegisteredClaims{IssuedAt: date(253402300800, 0)}},
		"the zero time":          {RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: new(jwt.NumericDate)}},
		"a bad subject":          {RegisteredClaims: jwt.RegisteredClaims{Subject: "\xff"}},
		"a bad audience":         {RegisteredClaims: jwt.RegisteredClaims{Audience: jwt.ClaimStrings{"\xff"}}},
		"a bad audience of two":  {RegisteredClaims: jwt.RegisteredClaims{Audience: jwt.ClaimStrings{"a", "\xff"}}},
		"a bad issuer and ID":    {RegisteredClaims: jwt.RegisteredClaims{Issuer: "\xff", ID: "\xff"}},
		"a policy without claim": {Policy: both},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := json.Marshal(c)
			require.Nil(t, data)
			requireReasons(t, err, usertoken.ErrSign)
		})
	}
}

// What golang-jwt signs with a Claims, a Verifier accepts. Own claims of another token are not in it.
func TestClaimsSignWithGolangJWT(t *testing.T) {
	claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(signPayload(t, payload("role", `"admin"`))))
	claims.Subject = "ann"
	claims.Policy = permissions.MustParse(`{"integration:slack":["events"]}`)
	token := must[string](t)(jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(projectKey()))
	again := must[*usertoken.Claims](t)(newVerifier(t).Verify(token))
	require.Equal(t, "ann", again.Subject)
	require.True(t, again.Policy.Allowed(permissions.Events, permissions.Integration("slack")))
	require.Equal(t, permissions.ReasonNoRule, reasonOf(again))
	var own map[string]any
	require.NoError(t, again.Decode(&own))
	require.NotContains(t, own, "role")
}

// A struct that embeds Claims gets its methods. It must not lose the policy.
func TestClaimsEmbedded(t *testing.T) {
	type embedding struct {
		usertoken.Claims
		Tenant string `json:"tenant"`
	}
	var c embedding
	require.NoError(t, json.Unmarshal([]byte(`{"sub":"s","tenant":"t",`+claimMember+`{"integration:slack":true}}`), &c))
	require.Equal(t, permissions.ReasonNoRule, reasonOf(&c.Claims))
	require.Equal(t, "s", c.Subject)
	require.Empty(t, c.Tenant)
	claims, err := decodeClaims(`{"tenant":"t",` + claimMember + `{"integration:slack":true}}`)
	require.NoError(t, err)
	require.NoError(t, claims.Decode(&c), "Decode calls UnmarshalJSON of the embedded Claims")
	require.Equal(t, permissions.ReasonNoRule, reasonOf(&c.Claims), "which must not be unrestricted")
	require.ErrorIs(t, json.Unmarshal([]byte(`{`+claimMember+`{},`+claimMember+`{}}`), &c), usertoken.ErrToken)
	require.Nil(t, c.Policy)

	data, err := json.Marshal(embedding{Claims: usertoken.Claims{Policy: permissions.MustParse(`{}`)}, Tenant: "t"})
	require.NoError(t, err)
	require.Equal(t, `{`+claimMember+`{}}`, string(data))
}

// encoding/json can also decode a Policy in a struct. By pointer, it cannot tell an absent claim from null, but never
// grants more.
func TestPolicyInAStruct(t *testing.T) {
	type byPointer struct {
		Policy *permissions.Policy `json:"urn:useparagon:connect:permissions"`
	}
	type byValue struct {
		Policy permissions.Policy `json:"urn:useparagon:connect:permissions"`
	}
	none, noRule, granted := permissions.ReasonNoPolicy, permissions.ReasonNoRule, permissions.ReasonGranted
	for text, test := range map[string]struct {
		reason  permissions.Reason
		refused bool // by value
	}{
		`{}`:                        {none, false},
		`{` + claimMember + `null}`: {none, true},
		`{` + claimMember + `{}}`:   {noRule, false},
		`{` + claimMember + `{"integration:*":["events"]}}`: {granted, false},
	} {
		t.Run(text, func(t *testing.T) {
			var p byPointer
			require.NoError(t, json.Unmarshal([]byte(text), &p))
			require.Equal(t, test.reason, p.Policy.Decide(permissions.Events, permissions.User()).Reason)
			var v byValue
			err := json.Unmarshal([]byte(text), &v)
			if test.refused {
				require.ErrorIs(t, err, permissions.ErrType)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, test.reason, v.Policy.Decide(permissions.Events, permissions.User()).Reason)
		})
	}
	t.Run("a repeated name", func(t *testing.T) {
		text := []byte(`{` + claimMember + `{"integration:slack":true},` + claimMember + `{"integration:*":true}}`)
		require.Error(t, json.Unmarshal(text, new(byPointer)))
		require.Error(t, json.Unmarshal(text, new(byValue)))
	})
}

func TestDecode(t *testing.T) {
	type owned struct {
		Tenant string   `json:"tenant"`
		Roles  []string `json:"roles"`
		Issuer string   `json:"iss"`
	}
	want := owned{"acme", []string{"a", "b"}, "i"}
	const own = `"iss":"i","tenant":"acme","roles":["a","b"]`
	claim := claimMember + `{"integration:*":["events"]}`
	for name, text := range map[string]string{
		"no claim":          `{` + own + `}`,
		"the claim first":   `{` + claim + `,` + own + `}`,
		"the claim last":    `{` + own + `,` + claim + `}`,
		"the claim between": `{"x":1,` + claim + `,` + own + `}`,
		"white space":       "\n{\t" + own + " ,\r\n " + claim + "\t\n }\n",
		"white space, last": "{ " + claim + " , " + own + " } ",
		"an escaped name":   `{` + own + `,"urn\u003auseparagon:connect:permissions":{}}`,
		"other claims":      `{` + own + `,"y":{"tenant":1},"z":[null]}`,
	} {
		t.Run(name, func(t *testing.T) {
			c, err := decodeClaims(text)
			require.NoError(t, err)
			var got owned
			require.NoError(t, c.Decode(&got))
			require.Equal(t, want, got)

			var all map[string]any
			require.NoError(t, c.Decode(&all))
			require.Equal(t, "acme", all["tenant"])
		})
	}
}

// encoding/json would take one name for another one that differs in letter case.
func TestDecodeRefusesNamesThatDifferInLetterCaseAlone(t *testing.T) {
	for text, problem := range map[string]string{
		`{"tenant":"acme","Tenant":"x"}`:      `Tenant differs from "tenant" in letter case alone; rename one of them`,
		`{"TENANT":"x","tenant":"acme"}`:      `tenant differs from "TENANT" in letter case alone; rename one of them`,
		`{"Sub":"x"}`:                         `Sub differs from "sub" in letter case alone; rename one of them`,
		`{"i\u017fs":"x"}`:                    `iſs differs from "iss" in letter case alone; rename one of them`,
		`{"k":1,"\u212a":1}`:                  "\u212a differs from \"k\" in letter case alone; rename one of them",
		`{"a` + "\u00e9" + `":1,"A\u00c9":1}`: `AÉ differs from "aé" in letter case alone; rename one of them`,
	} {
		c, err := decodeClaims(text)
		require.NoError(t, err, text)
		var own struct{ Tenant string }
		err = c.Decode(&own)
		requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenMalformed)
		require.EqualError(t, err, "usertoken: token refused: "+problem)
		require.Empty(t, own.Tenant)
	}
}

func TestDecodeErrors(t *testing.T) {
	c, err := decodeClaims(`{"tenant":{"n":` + strings.Repeat("9", 300) + `},"deep":` +
		strings.Repeat("[", 11_000) + strings.Repeat("]", 11_000) + `}`)
	require.NoError(t, err)
	shallow, err := decodeClaims(`{"tenant":{"n":` + strings.Repeat("9", 300) + `}}`)
	require.NoError(t, err)

	var misfit struct{ Tenant struct{ N int8 } }
	err = shallow.Decode(&misfit)
	requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenInvalidClaims)
	require.EqualError(t, err, "usertoken: token refused: Tenant.N is of the type number, which does not fit into int8")

	var own struct{ Tenant refuser }
	err = shallow.Decode(&own)
	requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenInvalidClaims)
	require.EqualError(t, err, "usertoken: token refused: payload cannot be decoded: never")

	var all map[string]any
	err = c.Decode(&all)
	requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenInvalidClaims)
	require.ErrorContains(t, err, "exceeded max depth")

	// What is wrong with the program is not the token's fault.
	for _, into := range []any{nil, all, misfit} {
		err = shallow.Decode(into)
		requireReasons(t, err)
		require.ErrorContains(t, err, "usertoken: Decode: json: Unmarshal(")
	}
	for _, c := range []*usertoken.Claims{nil, {}, {Policy: permissions.Unrestricted()}} {
		err = c.Decode(&all)
		requireReasons(t, err)
		require.EqualError(t, err,
			"usertoken: Decode: the claims were not read from a token; take them from Verifier.Verify")
	}
}

// An UnmarshalJSON of another package may put the whole value of a claim into its error. The error of Decode has the
// beginning of it at most.
func TestDecodeErrorsAreShort(t *testing.T) {
	secret := strings.Repeat("secret ", 2000)
	c, err := decodeClaims(`{"v":` + quoted(secret) + `,"n":` + strings.Repeat("9", 14_000) + `}`)
	require.NoError(t, err)
	for name, into := range map[string]any{
		"a time":         new(struct{ V time.Time }),
		"a number":       new(struct{ V json.Number }),
		"an address":     new(struct{ V netip.Addr }),
		"a large number": new(struct{ V big.Int }),
		"an int":         new(struct{ V int }),
		"a small int":    new(struct{ N int8 }),
		"a float":        new(struct{ N float64 }),
	} {
		t.Run(name, func(t *testing.T) {
			err := c.Decode(into)
			requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenInvalidClaims)
			for _, printed := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
				require.Less(t, strings.Count(printed, "secret"), 10)
				require.Less(t, strings.Count(printed, "9"), 50)
			}
			require.Less(t, len(err.Error()), 250)
			require.NoError(t, requireTokenError(t, err).Err, "some loggers print all that an error wraps")
		})
	}
}

// The UnmarshalJSON of another package may return an error of encoding/json that it made itself.
func TestDecodeErrorsOfOtherPackagesAreShort(t *testing.T) {
	c, err := decodeClaims(`{"v":` + quoted("secret\u2028"+strings.Repeat("secret", 2000)) + `}`)
	require.NoError(t, err)
	const start = "usertoken: token refused: "
	text := reflect.TypeFor[string]()
	for name, test := range map[string]struct {
		make func(value string) error
		want string
	}{
		"the value as the type": {
			func(v string) error { return &json.UnmarshalTypeError{Value: v, Type: text} }, "V does not fit into string",
		},
		"a type and the value": {
			func(v string) error { return &json.UnmarshalTypeError{Value: "number " + v, Type: text} },
			"V is of the type number, which does not fit into string",
		},
		"no type": {func(v string) error { return &json.UnmarshalTypeError{Value: v} }, "V does not fit"},
		"a nil error": {
			func(v string) error { return fmt.Errorf("%s: %w", v, (*json.UnmarshalTypeError)(nil)) },
			"payload cannot be decoded: ",
		},
		"wrapped with the value": {
			func(v string) error { return fmt.Errorf("%s: %w", v, &json.InvalidUnmarshalError{Type: text}) },
			"payload cannot be decoded: ",
		},
		"the value as the field": {
			func(v string) error { return fmt.Errorf("x: %w", &json.UnmarshalTypeError{Type: text, Field: v}) }, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.Decode(&struct{ V failing }{test.make})
			requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenInvalidClaims)
			require.True(t, strings.HasPrefix(err.Error(), start+test.want), err.Error())
			require.Less(t, len(err.Error()), 250)
			require.Less(t, strings.Count(err.Error(), "secret"), 10)
			require.NotContains(t, err.Error(), "\u2028")
			require.NoError(t, requireTokenError(t, err).Err, "some loggers print all that an error wraps")
		})
	}
}

// badUnmarshaler fails with an error that json.Unmarshal has for a wrong argument.
type badUnmarshaler struct{}

func (*badUnmarshaler) UnmarshalJSON([]byte) error { return new(json.InvalidUnmarshalError) }

func TestDecodeTellsAMethodFromTheArgument(t *testing.T) {
	claims := must[*usertoken.Claims](t)(newVerifier(t).Verify(signPayload(t, payloadAnd(`"x":1`))))
	var own struct{ X badUnmarshaler }
	require.ErrorIs(t, claims.Decode(&own), usertoken.ErrToken)
	require.NotErrorIs(t, claims.Decode(own), usertoken.ErrToken)
}

// An UnmarshalJSON can return a nil pointer as its error by mistake.
func TestDecodeNilError(t *testing.T) {
	c, err := decodeClaims(`{"v":1}`)
	require.NoError(t, err)
	err = c.Decode(new(nilError))
	requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenInvalidClaims)
	require.EqualError(t, err, "usertoken: token refused: payload cannot be decoded: <nil>")
}

type nilError struct{}

func (*nilError) UnmarshalJSON([]byte) error { return (*json.UnmarshalTypeError)(nil) }

// A failing cannot be decoded into. Its function makes the error from the value.
type failing func(value string) error

func (f *failing) UnmarshalJSON(data []byte) error {
	var value string
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	return (*f)(value)
}

// A refuser cannot be decoded into.
type refuser struct{}

var errRefuser = fmt.Errorf("never")

func (*refuser) UnmarshalJSON([]byte) error { return errRefuser }

// Valid goes by the clock and the leeway of the Verifier that accepted the claims.
func TestValid(t *testing.T) {
	now := testNow
	clock := usertoken.WithClock(func() time.Time { return now })
	v := newVerifier(t, clock, usertoken.WithLeeway(time.Minute))
	c := must[*usertoken.Claims](t)(v.Verify(signPayload(t, payload("nbf", at(0), "iat", at(0), "exp", at(3600)))))
	for _, test := range []struct {
		at  time.Duration
		err error
	}{
		{0, nil},
		{time.Hour + time.Minute - 1, nil},
		{time.Hour + time.Minute, jwt.ErrTokenExpired},
		{-time.Minute, nil},
		{-time.Minute - 1, jwt.ErrTokenNotValidYet},
	} {
		now = testNow.Add(test.at)
		if test.err == nil {
			require.NoError(t, c.Valid(), test.at)
			continue
		}
		requireReasons(t, c.Valid(), usertoken.ErrToken, test.err, jwt.ErrTokenInvalidClaims)
		_, err := v.Verify(signPayload(t, payload("nbf", at(0), "iat", at(0), "exp", at(3600))))
		require.Equal(t, err, c.Valid(), "the error of Verify")
	}
	// What was done to the fields changes nothing.
	now = testNow.Add(2 * time.Hour)
	c.ExpiresAt.Time = now.Add(time.Hour)
	require.ErrorIs(t, c.Valid(), jwt.ErrTokenExpired)
	c.ExpiresAt = nil
	require.ErrorIs(t, c.Valid(), jwt.ErrTokenExpired)
	// A copy is as valid.
	now = testNow
	copied := *c
	require.NoError(t, copied.Valid())
}

func TestValidRefusesClaimsThatNoVerifierAccepted(t *testing.T) {
	decoded, err := decodeClaims(payload())
	require.NoError(t, err)
	parsed := new(usertoken.Claims)
	_, err = jwt.ParseWithClaims(signPayload(t, payload()), parsed, projectKeyfunc, jwt.WithTimeFunc(testClock))
	require.NoError(t, err)
	made := &usertoken.Claims{RegisteredClaims: decoded.RegisteredClaims, Policy: permissions.Unrestricted()}
	for _, c := range []*usertoken.Claims{nil, {}, decoded, parsed, made} {
		err := c.Valid()
		requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenUnverifiable)
		require.EqualError(t, err, "usertoken: token refused: token was accepted by no Verifier; "+
			"take the claims from Verifier.Verify")
	}
}
