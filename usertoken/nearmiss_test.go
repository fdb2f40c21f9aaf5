package usertoken_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// What a name is for the rules of SPEC 7.4.
type likeness int

const (
	different likeness = iota
	near               // a near miss, refused in every claims set
	suspect            // refused only in a claims set without the claim
)

// replaced returns the claim's name with changes.
func replaced(pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(permissions.ClaimName)
}

func TestNearMisses(t *testing.T) {
	name := permissions.ClaimName
	for like, names := range map[likeness][]string{
		near: {
			"URN:USEPARAGON:CONNECT:PERMISSIONS",
			"urn:useParagon:connect:permissions",
			name[1:],
			name[:len(name)-1],
			name[:len(name)-2],
			name + "s",
			name + "ab",
			name + ":v2",
			"x" + name + "y",
			name + " ",
			" " + name,
			name + "::",
			name + "\x00",
			name + "/1234567890",
			"\ufeff" + name,
			"urn-useparagon-connect-permissions",
			"urn_useparagon_connect_permissions",
			"urn.useparagon.connect.permissions",
			"urnuseparagonconnectpermissions",
			"urn:use-paragon:connect:permissions",
			"urn:useparagon::connect:permissions",
			"urn:useparagno:connect:permissions", // two letters replaced
			replaced("ss", "s"),
			replaced("nn", "n", "ss", "s"),
			replaced("s", "\u017f"), // the long s equals s
			replaced("useparagon", "us\u0435paragon"),
			replaced("permissions", "p\u0435rmissi\u043ens"),
			strings.ToUpper(name) + "xx",
			"u!r!n!" + name[3:],
			"urn:useparagon:connect:" + "\u200bpermissions", // characters that are not letters do not count
			"urn:useparagon:connect:permissions1234567890123456789012345678901234567890",
			strings.Repeat("-", 1000) + name + strings.Repeat("0", 1000),
		},
		suspect: {
			"paragon.connect.permissions",
			"https://acme.example/paragon-connect-permissions",
			"https://acme.example/Paragon/Permissions",
			"PARAGON_PERMISSIONS",
			"paragonpermissions",
			"paragon:permi\u017f\u017fions",
			"useparagon:connect:permissions",
			"abc-urn:useparagon:connect:permissions",
			"abvrn:useparagon:connect:permissions", // two letters more and one replaced
			"urn:useparagon:connect:perm",
			"urn:useparagon:connect:permits",
			"urn:useparagon:connect:permissions:version",
			"URN USEPARAGON CONNECT PERM 12",
			strings.Repeat("urn:useparagon:connect:permissions", 1000),
			"\u00e9\u00e9" + "paragonpermissions" + "\u0301", // a combining mark is not a letter
		},
		different: {
			"",
			"permissions",
			"connect:permissions",
			"paragonpermission",
			"paragonxpermissions",
			"aragonpermissions",
			"paragonpermissionsx",
			"urn:useparagon:connect",
			"urn:useparagon:connect:per",
			"urn:useparagon:connect:credentials",
			"xurn:useparagon:connect:perm",
			"urn:use:paragon:connect:roles",
			replaced("useparagon", "paragon", "permissions", "scopes"),
			replaced("e", "\u0435"), // three Cyrillic letters
			"\xff\xfe",
			strings.Repeat("x", 10_000),
		},
	} {
		for _, name := range names {
			t.Run(name, func(t *testing.T) { requireLikeness(t, name, like) })
		}
	}
}

func requireLikeness(t *testing.T, name string, like likeness) {
	t.Helper()
	for _, claim := range []string{"", claimMember + "{},"} {
		c, err := decodeClaims("{" + claim + quoted(name) + `:{"integration:*":["events"]}}`)
		if like == different || like == suspect && claim != "" {
			require.NoError(t, err)
			require.Equal(t, claim == "", c.Policy.IsUnrestricted())
			continue
		}
		requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenMalformed)
		require.ErrorContains(t, err, `"urn:useparagon:connect:permissions"`)
		require.ErrorContains(t, err, "a token without that claim allows everything")
		require.Nil(t, c.Policy)
	}
}

// Beside the claim a near miss is refused too, whichever comes first.
func TestNearMissesBesideTheClaim(t *testing.T) {
	for _, text := range []string{
		`{` + claimMember + `{},"Urn:useparagon:connect:permissions":{"integration:*":true}}`,
		`{"Urn:useparagon:connect:permissions":{"integration:*":true},` + claimMember + `{}}`,
	} {
		_, err := decodeClaims(text)
		requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenMalformed)
	}
	// What is suspect may come before the claim.
	c, err := decodeClaims(`{"paragon-permissions":true,"x":{` + claimMember + `1},` + claimMember + `{}}`)
	require.NoError(t, err)
	require.False(t, c.Policy.IsUnrestricted())
	// Escapes do not make another name.
	c, err = decodeClaims(`{"urn\u003auseparagon:connect:permissions":{}}`)
	require.NoError(t, err)
	require.False(t, c.Policy.IsUnrestricted())
}

// The claim one level down is refused unless the claim is there too (SPEC 7.4).
func TestClaimOneLevelDown(t *testing.T) {
	for text, refused := range map[string]bool{
		`{"x":{` + claimMember + `{}}}`:                                               true,
		`{"x":{"y":1,` + claimMember + `null}}`:                                       true,
		`{"x":{"urn\u003auseparagon:connect:permissions":{}}}`:                        true,
		`{"x":{},"y":{` + claimMember + `true,"z":{}}}`:                               true,
		`{"":{ ` + claimMember + `"x"} , "y":[]}`:                                     true,
		`{"x":{` + claimMember + `{}},` + claimMember + `{}}`:                         false,
		`{` + claimMember + `{},"x":{` + claimMember + `{}}}`:                         false,
		`{"x":{"y":{` + claimMember + `{}}}}`:                                         false,
		`{"x":[{` + claimMember + `{}}]}`:                                             false,
		`{"x":{"Urn:useparagon:connect:permissions":{}}}`:                             false,
		`{"x":"` + permissions.ClaimName + `","y":["` + permissions.ClaimName + `"]}`: false,
		`{"x":{"y":"` + permissions.ClaimName + `"}}`:                                 false,
	} {
		t.Run(text, func(t *testing.T) {
			c, err := decodeClaims(text)
			if !refused {
				require.NoError(t, err)
				return
			}
			requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenMalformed)
			require.ErrorContains(t, err, `holds "urn:useparagon:connect:permissions"; move it up`)
			require.Nil(t, c.Policy)
		})
	}
	// A mistake in the JSON is the mistake that counts.
	_, err := decodeClaims(`{"x":{` + claimMember + `{}},"y":nul}`)
	require.ErrorContains(t, err, "payload has something that is not a value")
}

// Every name within two edits is a near miss, and random ones with more are not.
func TestNearMissesByRandomEdits(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 4))
	const letters = "urnuseparagonconnectpermissions"
	edit := func(s []rune) []rune {
		i := r.IntN(len(s))
		x := []rune("abcxyz\u00e9\u4e00")[r.IntN(8)]
		switch r.IntN(3) {
		case 0:
			return append(s[:i:i], s[i+1:]...)
		case 1:
			return append(s[:i:i], append([]rune{x}, s[i:]...)...)
		}
		return append(s[:i:i], append([]rune{x}, s[i+1:]...)...)
	}
	decorate := func(s []rune) string {
		var b strings.Builder
		for _, c := range s {
			switch r.IntN(8) {
			case 0:
				b.WriteString([]string{":", "-", "1", "\u0301", " ", "_"}[r.IntN(6)])
			case 1:
				b.WriteString(strings.ToUpper(string(c)))
				continue
			}
			b.WriteRune(c)
		}
		return b.String()
	}
	for range 3000 {
		s := []rune(letters)
		for range r.IntN(3) {
			s = edit(s)
		}
		_, err := decodeClaims("{" + claimMember + "{}," + quoted(decorate(s)) + ":1}")
		require.ErrorIs(t, err, usertoken.ErrToken, string(s))
	}
	for range 3000 {
		s := []rune(letters)
		for range 12 {
			s[r.IntN(len(s))] = 'q'
		}
		if strings.Count(string(s), "q") < 3 {
			continue
		}
		_, err := decodeClaims("{" + claimMember + "{}," + quoted(decorate(s)) + ":1}")
		require.NoError(t, err, string(s))
	}
}
