package usertoken_test

import (
	"encoding/json"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// dates returns what the three dates become of a number, and whether they are accepted.
func dates(t testing.TB, number string) (down int64, downOK bool, up int64, upOK bool) {
	t.Helper()
	decode := func(name string) (*usertoken.Claims, bool) {
		c, err := decodeClaims(`{"` + name + `":` + number + `}`)
		if err != nil {
			requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenMalformed)
			require.Nil(t, c.Policy)
		}
		return c, err == nil
	}
	exp, downOK := decode("exp")
	nbf, upOK := decode("nbf")
	iat, iatOK := decode("iat")
	require.Equal(t, upOK, iatOK)
	if downOK {
		require.Zero(t, exp.ExpiresAt.Nanosecond())
		down = exp.ExpiresAt.Unix()
	}
	if upOK {
		require.Equal(t, nbf.NotBefore, iat.IssuedAt)
		require.Zero(t, nbf.NotBefore.Nanosecond())
		up = nbf.NotBefore.Unix()
	}
	return down, downOK, up, upOK
}

// Dates are read exactly; exp is rounded down, nbf and iat up (SPEC 7.6).
func TestDates(t *testing.T) {
	const out = int64(-1)
	for number, want := range map[string][2]int64{
		"0":                              {0, 0},
		"-0":                             {0, 0},
		"-0.0":                           {0, 0},
		"1":                              {1, 1},
		"1760000000":                     {1760000000, 1760000000},
		"1760000000.0":                   {1760000000, 1760000000},
		"1760000000.000000001":           {1760000000, 1760000001},
		"1760000000.999999999":           {1760000000, 1760000001},
		"1760000000.123456":              {1760000000, 1760000001},
		"1.76e9":                         {1760000000, 1760000000},
		"1.76E+9":                        {1760000000, 1760000000},
		"17600000000e-1":                 {1760000000, 1760000000},
		"17600000001e-1":                 {1760000000, 1760000001},
		"0.000000000176e+19":             {1760000000, 1760000000},
		"0.5":                            {0, 1},
		"1e-5":                           {0, 1},
		"1e-999999999999999999999":       {0, 1},
		"0e999999999999999999999":        {0, 0},
		"0.0e-999999999999999999999":     {0, 0},
		"1e999999999999999999999":        {out, out},
		"1e400":                          {out, out},
		"1e12":                           {out, out},
		"1e11":                           {100000000000, 100000000000},
		"1e0000000000000000000000000003": {1000, 1000},
		"-0.5":                           {out, 0},
		"-1e-400":                        {out, 0},
		"-1":                             {out, out},
		"-1.5":                           {out, out},
		"-1760000000":                    {out, out},
		"-1e400":                         {out, out},
		"253402300799":                   {253402300799, 253402300799},
		"253402300799.0":                 {253402300799, 253402300799},
		"253402300799.5":                 {253402300799, out},
		"253402300798.5":                 {253402300798, 253402300799},
		"253402300800":                   {out, out},
		"2534023007990e-1":               {253402300799, 253402300799},
		"2534023007999e-1":               {253402300799, out},
		"9223372036854775807":            {out, out},
		"9223372036854775808":            {out, out},
		"18446744073709551616":           {out, out},
		"18446744073709551616e-10":       {1844674407, 1844674408},
		strings.Repeat("9", 400):         {out, out},
		strings.Repeat("9", 400) + "e-391": {
			999999999, 1000000000},
		"0." + strings.Repeat("0", 400) + "1e410": {1000000000, 1000000000},
		"0." + strings.Repeat("0", 400) + "1e401": {1, 1},
		"0." + strings.Repeat("0", 400) + "1e400": {0, 1},
		"1" + strings.Repeat("0", 400) + "e-400":  {1, 1},
	} {
		t.Run(number, func(t *testing.T) {
			down, downOK, up, upOK := dates(t, number)
			if !downOK {
				down = out
			}
			if !upOK {
				up = out
			}
			require.Equal(t, want, [2]int64{down, up})
		})
	}
}

func TestDatesRefused(t *testing.T) {
	for _, text := range []string{
		`"1"`, "true", "false", "null", "[1]", "{}", "1.", "00", "+1", ".1", "0x1", "NaN", "Infinity", "1_000", "-",
		"1e", "1e+",
		"1760000000.e1", "--1", "1 2", `"1760000000"`,
	} {
		_, downOK, _, upOK := dates(t, text)
		require.False(t, downOK || upOK, text)
	}
}

// randomNumber returns a JSON number that is often close to a bound.
func randomNumber(r *rand.Rand) string {
	digits := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("0001259"[r.IntN(7)])
		}
		return b.String()
	}
	number := []string{"0", "1", "253402300799", "253402300800", "1760000000", "9" + digits(r.IntN(20))}[r.IntN(6)]
	if r.IntN(4) == 0 {
		number = "-" + number
	}
	if r.IntN(2) == 0 {
		number += "." + digits(1+r.IntN(14))
	}
	if r.IntN(2) == 0 {
		number += []string{"e", "E"}[r.IntN(2)] + []string{"", "+", "-"}[r.IntN(3)] + fmt.Sprint(r.IntN(25))
	}
	return number
}

// Random numbers are read as exact arithmetic reads them.
func TestDatesAgainstExactArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 6))
	last := big.NewInt(253402300799)
	accepted := 0
	for range 10_000 {
		number := randomNumber(r)
		require.True(t, json.Valid([]byte(number)), number)
		exact, ok := new(big.Rat).SetString(number)
		require.True(t, ok, number)
		floor := new(big.Int).Div(exact.Num(), exact.Denom())
		ceiling := new(big.Int).Set(floor)
		if !exact.IsInt() {
			ceiling.Add(ceiling, big.NewInt(1))
		}
		down, downOK, up, upOK := dates(t, number)
		require.Equal(t, floor.Sign() >= 0 && floor.Cmp(last) <= 0, downOK, number)
		require.Equal(t, ceiling.Sign() >= 0 && ceiling.Cmp(last) <= 0, upOK, number)
		if downOK {
			accepted++
			require.Equal(t, floor.Int64(), down, number)
		}
		if upOK {
			require.Equal(t, ceiling.Int64(), up, number)
		}
	}
	require.Greater(t, accepted, 2_500)
}

// A huge exponent costs nothing, and a long number no more than its length.
func TestDatesTakeNoMemory(t *testing.T) {
	for _, number := range []string{
		"1e999999999", "-1e999999999", "1e-999999999", "0e999999999", "1e" + strings.Repeat("9", 1000),
		"0." + strings.Repeat("0", 100_000) + "1", strings.Repeat("1", 100_000), strings.Repeat("1", 100_000) + "e-99990",
	} {
		text := []byte(`{"exp":` + number + `}`)
		c := new(usertoken.Claims)
		bytes := allocated(func() { _ = c.UnmarshalJSON(text) })
		require.Less(t, bytes, uint64(3*len(text)+4096), number[:10])
	}
}

// A date may begin with any digit.
func TestDatesOfEveryDigit(t *testing.T) {
	for digit := 1; digit < 10; digit++ {
		number := strings.Repeat(fmt.Sprint(digit), 10)
		down, ok, _, _ := dates(t, number)
		require.True(t, ok)
		require.Equal(t, number, fmt.Sprint(down))
	}
}

// Parsing by golang-jwt rounds the same way, since Claims decodes itself.
func TestDatesWithGolangJWT(t *testing.T) {
	c := new(usertoken.Claims)
	token := signPayload(t, payload("exp", at(60)+".9", "iat", at(-1)+".1", permissions.ClaimName, "{}"))
	_, err := jwt.ParseWithClaims(token, c, projectKeyfunc, jwt.WithTimeFunc(testClock))
	require.NoError(t, err)
	require.Equal(t, testNow.Unix()+60, c.ExpiresAt.Unix())
	require.Equal(t, testNow.Unix(), c.IssuedAt.Unix())
}
