package reference_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/reference"
)

const claimName = "urn:useparagon:connect:permissions"

func parseClaims(payload string) (*reference.Claims, *reference.ClaimsMistake) {
	return reference.ParseClaims([]byte(payload), reference.Options{})
}

func TestParseClaims(t *testing.T) {
	claims, mistake := parseClaims(` {"iss":"i","sub":"s","jti":"j","aud":["a","b"],"exp":3,"nbf":2,"iat":-0,
		"SUB":7,"Exp":null,"other":{"sub":[1e999]},"` + claimName + `":{"integration:*":true}} `)
	require.Nil(t, mistake)
	assert.Equal(t, []string{"i", "s", "j"}, []string{claims.Issuer, claims.Subject, claims.ID})
	assert.Equal(t, []string{"a", "b"}, claims.Audience)
	assert.Equal(t, "3 2 0", fmt.Sprint(claims.ExpiresAt, claims.NotBefore, claims.IssuedAt))
	assert.True(t, claims.HasPolicy)
	assert.False(t, claims.Policy.IsUnrestricted())
	assert.Len(t, claims.Policy.Rules(), 1)

	t.Run("nothing", func(t *testing.T) {
		claims, mistake := parseClaims(`{}`)
		require.Nil(t, mistake)
		assert.Equal(t, &reference.Claims{Policy: reference.Unrestricted()}, claims)
	})
	t.Run("audiences", func(t *testing.T) {
		for value, want := range map[string][]string{
			`"a"`: {"a"}, `""`: {""}, `[]`: {}, `["a","a"]`: {"a", "a"}, `["\u0061"]`: {"a"},
		} {
			claims, mistake := parseClaims(`{"aud":` + value + `}`)
			require.Nil(t, mistake, value)
			assert.Equal(t, want, claims.Audience, value)
		}
	})
	t.Run("options", func(t *testing.T) {
		claim := fmt.Sprintf(`{%q:%q}`, claimName, `{"integration:*":["reports","other"]}`)
		claims, mistake := reference.ParseClaims([]byte(claim),
			reference.Options{Extra: []string{"reports"}, IgnoreUnknown: true, AcceptString: true})
		require.Nil(t, mistake)
		assert.Equal(t, []string{"reports"}, claims.Policy.Permissions(user))
	})
	t.Run("options without the claim", func(t *testing.T) {
		claims, mistake := reference.ParseClaims([]byte(`{}`), reference.Options{Extra: []string{"reports"}})
		require.Nil(t, mistake)
		assert.True(t, claims.Policy.Decide("reports", user).Allowed)
		assert.True(t, claims.Policy.Decide("other", user).Invalid)
	})
	t.Run("deep values in other claims", func(t *testing.T) {
		const depth = 100_000
		_, mistake := parseClaims(`{"a":` + strings.Repeat(`[{"a":`, depth) + `1` + strings.Repeat(`}]`, depth) + `}`)
		assert.Nil(t, mistake)
		_, mistake = parseClaims(`{"a":` + strings.Repeat(`[`, depth))
		assert.Equal(t, &reference.ClaimsMistake{Kind: "syntax"}, mistake)
	})
}

// SPEC 7.2: the three states of a claims set. The fourth is a nil policy, which TestNoPolicy tests.
func TestStatesOfTheClaim(t *testing.T) {
	claims, mistake := parseClaims(`{"sub":"s"}`)
	require.Nil(t, mistake)
	assert.False(t, claims.HasPolicy)
	assert.True(t, claims.Policy.IsUnrestricted())
	assert.True(t, claims.Policy.Decide("events", user).Allowed)

	claims, mistake = parseClaims(`{"` + claimName + `":null}`)
	assert.Nil(t, claims)
	require.NotNil(t, mistake)
	assert.Equal(t, "claim", mistake.Kind)

	claims, mistake = parseClaims(`{"` + claimName + `":{}}`)
	require.Nil(t, mistake)
	assert.True(t, claims.HasPolicy)
	assert.False(t, claims.Policy.IsUnrestricted())
	assert.Equal(t, reference.Decision{}, claims.Policy.Decide("events", user))
}

func TestClaimsMistakes(t *testing.T) {
	syntax := &reference.ClaimsMistake{Kind: "syntax"}
	wrongType := func(name string) *reference.ClaimsMistake { return &reference.ClaimsMistake{Kind: "type", Name: name} }
	repeated := func(name string) *reference.ClaimsMistake {
		return &reference.ClaimsMistake{Kind: "repeated", Name: name}
	}
	near := func(name string) *reference.ClaimsMistake { return &reference.ClaimsMistake{Kind: "near", Name: name} }
	inClaim := func(kind, pointer string) *reference.ClaimsMistake {
		claim := &reference.Mistake{Kind: kind, Pointer: pointer}
		return &reference.ClaimsMistake{Kind: "claim", Name: claimName, Claim: claim}
	}
	for payload, want := range map[string]*reference.ClaimsMistake{
		``:                                      syntax,
		`{`:                                     syntax,
		`{"a":1,}`:                              syntax,
		`{"a":1}x`:                              syntax,
		`{"a":1} {}`:                            syntax,
		`{"a" 1}`:                               syntax,
		`{"a"}`:                                 syntax,
		`{"a":[1,]}`:                            syntax,
		`{"a":[1}}`:                             syntax,
		`{"a":01}`:                              syntax,
		`{"sub":01}`:                            syntax,
		`{"sub":1x}`:                            syntax,
		`{"exp":1.}`:                            syntax,
		`{"a":1`:                                syntax,
		"{\"a\":1\xff}":                         syntax,
		"\uFEFF{}":                              syntax,
		`{"` + claimName + `":{]}`:              syntax,
		`{"` + claimName + `":{"x":true}`:       inClaim("scope", "/x"),
		`[]`:                                    wrongType(""),
		`null`:                                  wrongType(""),
		`"{}"`:                                  wrongType(""),
		`7`:                                     wrongType(""),
		`[`:                                     wrongType(""),
		`{"iss":null}`:                          wrongType("iss"),
		`{"iss":["a"]}`:                         wrongType("iss"),
		`{"sub":1}`:                             wrongType("sub"),
		`{"sub":null}`:                          wrongType("sub"),
		`{"jti":true}`:                          wrongType("jti"),
		`{"sub":1 x`:                            wrongType("sub"),
		`{"sub":null,`:                          wrongType("sub"),
		`{"aud":null}`:                          wrongType("aud"),
		`{"aud":7}`:                             wrongType("aud"),
		`{"aud":{}}`:                            wrongType("aud"),
		`{"aud":[1]}`:                           wrongType("aud"),
		`{"aud":["a",null]}`:                    wrongType("aud"),
		`{"aud":["a",["b"]]}`:                   wrongType("aud"),
		`{"a":1,"\u0061":2}`:                    repeated("a"),
		`{"a":1,"a"`:                            repeated("a"),
		`{"a\ud800":1,"a\udfff":2}`:             repeated("a\uFFFD"),
		`{"sub":"s","exp":1,"sub":7}`:           repeated("sub"),
		`{"a":1,"a":tru`:                        repeated("a"),
		`{"` + claimName + `":null}`:            inClaim("type", ""),
		`{"` + claimName + `":"{}"}`:            inClaim("type", ""),
		`{"` + claimName + `":7}`:               inClaim("type", ""),
		`{"` + claimName + `":{"x":true}}`:      inClaim("scope", "/x"),
		`{"` + claimName + `":{"\u0000":1}}`:    inClaim("scope", "/\x00"),
		`{"\u0075` + claimName[1:] + `":[]}`:    inClaim("type", ""),
		`{"URN:useparagon:connect:permissions`:  syntax,
		`{"URN:useparagon:connect:permissions"`: near("URN:useparagon:connect:permissions"),
	} {
		t.Run(payload, func(t *testing.T) {
			claims, mistake := parseClaims(payload)
			assert.Nil(t, claims)
			assert.Equal(t, want, mistake)
		})
	}
	t.Run("the claim is repeated", func(t *testing.T) {
		_, mistake := parseClaims(`{"` + claimName + `":{},"` + claimName + `":{"integration:*":true}}`)
		assert.Equal(t, repeated(claimName), mistake)
	})
	t.Run("a name that is repeated is not judged again", func(t *testing.T) {
		_, mistake := parseClaims(`{"paragon permissions":1,"paragon permissions":1}`)
		assert.Equal(t, repeated("paragon permissions"), mistake)
	})
}

func TestClaimsMistakeError(t *testing.T) {
	_, mistake := parseClaims(`{"sub":1}`)
	assert.EqualError(t, mistake, `type mistake at "sub"`)
	_, mistake = parseClaims(`{"` + claimName + `":{"x":1}}`)
	assert.EqualError(t, mistake, `claim mistake at "urn:useparagon:connect:permissions": scope mistake at "/x"`)
}

// SPEC 7.4: near misses are refused, whether or not the claim is there too.
func TestNearMisses(t *testing.T) {
	for name, near := range map[string]bool{
		strings.ToUpper(claimName):                               true,
		"Urn:useparagon:connect:permissions":                     true,
		"urn:useparagon:connect:permission":                      true,
		"urn:useparagon:connect:permissio":                       true,
		"urn:useparagon:connect:permissi":                        false, // three edits; refused without the claim
		"urn:useparagon:connect:permissionsxx":                   true,
		"urn:useparagon:connect:permissionsxxx":                  false,
		"urn:useparagon:connnect:permissionss":                   true,
		"urn:useparagon:conect:premissions":                      false,
		"urn:useparagon:connect:premissions":                     true,
		"rn:useparagon:connect:permission":                       true,
		"n:useparagon:connect:permission":                        false,
		"urn:useparagon:connect:permis\u017fions":                true, // the long s is an s
		"urn:u\u017feparagon:connect:permi\u017f\u017fion\u017f": true,
		"urn:useparagon:connect:perm\u0131ssions":                true, // one letter is replaced
		"xrn:uxeparagon:connect:permissions":                     true,
		"xrn:uxeparagon:cxnnect:permissions":                     false,
		"xyz:useparagon:connect:permissions":                     false,
		"urn-useparagon/connect.permissions":                     true, // only letters count
		"urnuseparagonconnectpermissions":                        true,
		" urn:useparagon:connect:permissions":                    true,
		"urn:useparagon:connect:permissions\n":                   true,
		"urn:useparagon:connect:permissions:v2":                  true,
		"urn:useparagon:connect:permissions:1.0":                 true,
		"urn:useparagon:connect:permissions\u200b":               true,
		"u\u0301rn:useparagon:connect:permissions":               true, // a combining mark is not a letter
		"\u00farn:useparagon:connect:permissions":                true,
		"urn:useparagon:connect:permissions\ufffd":               true,
		"urn:useparagon:connect:settings":                        false,
		"permissions":                                            false,
		"":                                                       false,
	} {
		t.Run(name, func(t *testing.T) {
			const claim = `"` + claimName + `":{}`
			member := quote(name) + `:1`
			for _, payload := range []string{`{` + member + `,` + claim + `}`, `{` + claim + `,` + member + `}`} {
				claims, mistake := parseClaims(payload)
				if near {
					assert.Nil(t, claims)
					assert.Equal(t, &reference.ClaimsMistake{Kind: "near", Name: name}, mistake)
				} else {
					assert.Nil(t, mistake)
					assert.True(t, claims != nil && claims.HasPolicy)
				}
			}
			if near {
				_, mistake := parseClaims(`{` + member + `}`)
				assert.Equal(t, &reference.ClaimsMistake{Kind: "near", Name: name}, mistake, "without the claim")
			}
		})
	}
}

// SPEC 7.4: slips that are refused only if the claim is not there.
func TestSlips(t *testing.T) {
	nested := `{"a":1,"` + claimName + `":{}}`
	for _, c := range []struct {
		name, member, value string
		slip                bool
	}{
		{"letters between paragon and connect", "https://useparagon.com/connect/permissions", `{}`, false},
		{"letters end with paragonconnectpermissions", "https://paragon/connect/permissions", `{}`, true},
		{"letters are paragonconnectpermissions", "Paragon-Connect-Permissions", `{}`, true},
		{"letters end with paragonpermissions", "use.paragon:permissions", `1`, true},
		{"letters are paragonpermissions", "paragon_permissions2", `1`, true},
		{"paragonpermissions with a long s", "paragonpermi\u017fsions", `1`, true},
		{"more letters after paragonpermissions", "paragonpermissionset", `1`, false},
		{"other letters before permissions", "paragonpermission", `1`, false},
		{"letters begin with urnuseparagonconnectperm", "urn:useparagon:connect:permits", `1`, true},
		{"letters are urnuseparagonconnectperm", "URN:useparagon:connect:perm", `1`, true},
		{"more letters after urnuseparagonconnectperm", "urn:useparagon:connect:permissionsxxx", `1`, true},
		{"one letter less than urnuseparagonconnectperm", "urn:useparagon:connect:per", `1`, false},
		{"letters before urnuseparagonconnectperm", "xurn:useparagon:connect:permits", `1`, false},
		{"the claim is one level down", "claims", nested, true},
		{"the claim is one level down, in escapes", "claims", `{"\u0075` + claimName[1:] + `":1}`, true},
		{"the claim is one level down, after an object", "claims", `{"a":{"b":[1,{}]},"` + claimName + `":1}`, true},
		{"the claim is one level down, below an empty name", "", nested, true},
		{"the claim is one level down, in a registered claim of another case", "Sub", nested, true},
		{"the claim is two levels down", "claims", `{"a":` + nested + `}`, false},
		{"the claim is in an array", "claims", `[` + nested + `]`, false},
		{"the claim's name is a value", "claims", `{"a":"` + claimName + `"}`, false},
		{"the claim's name is a string", "claims", `"` + claimName + `"`, false},
		{"a near miss is one level down", "claims", `{"` + claimName + `s":1}`, false},
		{"something else", "name", `"paragonpermissions"`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			member := quote(c.member) + `:` + c.value
			_, mistake := parseClaims(`{"sub":"s",` + member + `,"z":1}`)
			if c.slip {
				assert.Equal(t, &reference.ClaimsMistake{Kind: "near", Name: c.member}, mistake)
			} else {
				assert.Nil(t, mistake)
			}
			for _, payload := range []string{
				`{` + member + `,"` + claimName + `":{}}`,
				`{"` + claimName + `":{},` + member + `}`,
			} {
				claims, mistake := parseClaims(payload)
				require.Nil(t, mistake, "with the claim")
				assert.True(t, claims.HasPolicy)
			}
		})
	}
	t.Run("the first slip is named", func(t *testing.T) {
		_, mistake := parseClaims(`{"a":` + nested + `,"paragonpermissions":1}`)
		assert.Equal(t, &reference.ClaimsMistake{Kind: "near", Name: "a"}, mistake)
		_, mistake = parseClaims(`{"paragonpermissions":1,"a":` + nested + `}`)
		assert.Equal(t, &reference.ClaimsMistake{Kind: "near", Name: "paragonpermissions"}, mistake)
	})
	t.Run("every other mistake comes first", func(t *testing.T) {
		for rest, kind := range map[string]string{
			`,"sub":1}`:     "type",
			`,"a":1,"a":1}`: "repeated",
			``:              "syntax",
			`} x`:           "syntax",
		} {
			_, mistake := parseClaims(`{"paragonpermissions":1` + rest)
			require.NotNil(t, mistake, rest)
			assert.Equal(t, kind, mistake.Kind, rest)
		}
	})
}

// SPEC 7.6.
func TestDates(t *testing.T) {
	end := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC).Unix()
	const refused = -1
	for _, c := range []struct {
		number   string
		down, up int64 // what exp and what nbf and iat are rounded to
	}{
		{"0", 0, 0},
		{"-0", 0, 0},
		{"-0.0e5", 0, 0},
		{"0e999999999999999999999", 0, 0},
		{"1", 1, 1},
		{"1.0", 1, 1},
		{"1.5", 1, 2},
		{"1.000000000000000000000000000001", 1, 2},
		{"1.999999999999999999999999999999", 1, 2},
		{"0.1", 0, 1},
		{"-0.1", refused, 0},
		{"-1", refused, refused},
		{"-1.5", refused, refused},
		{"-0.999999999999999999999999", refused, 0},
		{"1e3", 1000, 1000},
		{"1E+3", 1000, 1000},
		{"1.5e0", 1, 2},
		{"1.5e1", 15, 15},
		{"15e-1", 1, 2},
		{"1500e-3", 1, 2},
		{"1000e-3", 1, 1},
		{"1.7e9", 1700000000, 1700000000},
		{"1700000000.25", 1700000000, 1700000001},
		{"9007199254740993e-7", 900719925, 900719926},
		{fmt.Sprint(end), end, end},
		{fmt.Sprint(end) + ".0", end, end},
		{fmt.Sprint(end) + ".000000000000000000001", end, refused},
		{fmt.Sprint(end) + ".999999999999999999999", end, refused},
		{fmt.Sprint(end + 1), refused, refused},
		{"2.53402300799e11", end, end},
		{"99999999999999999999", refused, refused},
		{"1e12", refused, refused},
		{"-1e12", refused, refused},
		{"1e999999999", refused, refused},
		{"-1e999999999", refused, refused},
		{"1e99999999999999999999999", refused, refused},
		{"1e-999999999", 0, 1},
		{"-1e-999999999", refused, 0},
		{"1e-99999999999999999999999", 0, 1},
		{"1" + strings.Repeat("0", 3000) + "e-3000", 1, 1},
		{"1" + strings.Repeat("0", 2999) + "1e-3000", 1, 2},
		{"0." + strings.Repeat("0", 3000) + "1e3001", 1, 1},
		{"0." + strings.Repeat("0", 3000) + "11e3001", 1, 2},
		{"0." + strings.Repeat("0", 3000) + "1e999999999", refused, refused},
		{strings.Repeat("9", 3000) + "e-999999999", 0, 1},
	} {
		t.Run(c.number[:min(len(c.number), 40)], func(t *testing.T) {
			checkDate(t, c.number, c.down, c.up)
		})
	}

	for _, value := range []string{`null`, `"1"`, `true`, `[1]`, `{}`, `""`} {
		for _, name := range []string{"exp", "nbf", "iat"} {
			t.Run(name+" "+value, func(t *testing.T) {
				_, mistake := parseClaims(`{"` + name + `":` + value + `}`)
				assert.Equal(t, &reference.ClaimsMistake{Kind: "type", Name: name}, mistake)
			})
		}
	}
	t.Run("other claims may hold any number", func(t *testing.T) {
		_, mistake := parseClaims(`{"EXP":-1,"auth_time":1e999999999}`)
		assert.Nil(t, mistake)
	})
}

// checkDate reads a number as each of the three dates. A negative want says that the date is refused.
func checkDate(t *testing.T, number string, down, up int64) {
	t.Helper()
	for name, want := range map[string]int64{"exp": down, "nbf": up, "iat": up} {
		claims, mistake := parseClaims(`{"` + name + `":` + number + `}`)
		if want < 0 {
			require.Equal(t, &reference.ClaimsMistake{Kind: "type", Name: name}, mistake, number)
			continue
		}
		require.Nil(t, mistake, "%s of %s", name, number)
		got := map[string]*big.Int{"exp": claims.ExpiresAt, "nbf": claims.NotBefore, "iat": claims.IssuedAt}
		require.NotNil(t, got[name], number)
		require.Equal(t, want, got[name].Int64(), "%s of %s", name, number)
		delete(got, name)
		for other, date := range got {
			require.Nil(t, date, other)
		}
	}
}

// The dates that the package reads are those that big.Rat reads from the whole number.
func TestDatesAreExact(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 6))
	digits := func(most int) string {
		var b strings.Builder
		for range 1 + random.IntN(most) {
			b.WriteByte("000123456789"[random.IntN(12)])
		}
		return b.String()
	}
	accepted, refused, fractions := 0, 0, 0
	for range 20_000 {
		number := pick(random, "", "", "", "-") + strings.TrimLeft(digits(14), "0")
		if number == "" || number == "-" {
			number += "0"
		}
		if random.IntN(2) == 0 {
			number += "." + digits(30)
		}
		if random.IntN(2) == 0 {
			number += pick(random, "e", "E") + pick(random, "", "+", "-") + fmt.Sprint(random.IntN(40))
		}
		exact, ok := new(big.Rat).SetString(number)
		require.True(t, ok, number)
		down := new(big.Int).Div(exact.Num(), exact.Denom()) // Div rounds down if the denominator is above zero
		up := new(big.Int).Set(down)
		if !exact.IsInt() {
			up.Add(up, big.NewInt(1))
			fractions++
		}
		want := func(n *big.Int) int64 {
			if n.Sign() < 0 || n.Cmp(big.NewInt(253402300799)) > 0 {
				refused++
				return -1
			}
			accepted++
			return n.Int64()
		}
		checkDate(t, number, want(down), want(up))
	}
	for what, count := range map[string]int{"accepted": accepted, "refused": refused, "fractions": fractions} {
		assert.Greater(t, count, 3000, what)
	}
}
