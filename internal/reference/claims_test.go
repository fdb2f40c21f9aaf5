package reference_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/reference"
)

const claimName = "urn:useparagon:connect:permissions"

func TestParseClaims(t *testing.T) {
	claims, mistake := reference.ParseClaims([]byte(`{"iss":"i","sub":"s","jti":"j","aud":["a","b"],"exp":3,"nbf":2,"iat":-0,
		"SUB":7,"other":{"sub":[1e999]},"`+claimName+`":{"integration:*":true}}`), reference.Options{})
	require.Nil(t, mistake)
	assert.Equal(t, []string{"i", "s", "j"}, []string{claims.Issuer, claims.Subject, claims.ID})
	assert.Equal(t, []string{"a", "b"}, claims.Audience)
	assert.Equal(t, []int64{3, 2, 0}, []int64{claims.ExpiresAt.Int64(), claims.NotBefore.Int64(), claims.IssuedAt.Int64()})
	assert.True(t, claims.HasPolicy)
	assert.Len(t, claims.Policy.Rules(), 1)

	claims, mistake = reference.ParseClaims([]byte(`{"aud":"a"}`), reference.Options{})
	require.Nil(t, mistake)
	assert.Equal(t, &reference.Claims{Audience: []string{"a"}}, claims)
}

func TestParseClaimsMistakes(t *testing.T) {
	atClaim := func(kind, pointer string) *reference.ClaimsMistake {
		return &reference.ClaimsMistake{Kind: "claim", Name: claimName, Claim: &reference.Mistake{Kind: kind, Pointer: pointer}}
	}
	for payload, want := range map[string]*reference.ClaimsMistake{
		``:                                   {Kind: "syntax"},
		`{`:                                  {Kind: "syntax"},
		`{"a":1,}`:                           {Kind: "syntax"},
		`{"a":1}x`:                           {Kind: "syntax"},
		`{"a":1} {}`:                         {Kind: "syntax"},
		`{"a" 1}`:                            {Kind: "syntax"},
		`{"a":[1,]}`:                         {Kind: "syntax"},
		`{"` + claimName + `":{]}`:           {Kind: "syntax"},
		`[]`:                                 {Kind: "type"},
		`null`:                               {Kind: "type"},
		`{"sub":1}`:                          {Kind: "type", Name: "sub"},
		`{"sub":null}`:                       {Kind: "type", Name: "sub"},
		`{"aud":[1]}`:                        {Kind: "type", Name: "aud"},
		`{"aud":{}}`:                         {Kind: "type", Name: "aud"},
		`{"exp":"1"}`:                        {Kind: "type", Name: "exp"},
		`{"exp":1.0}`:                        {Kind: "type", Name: "exp"},
		`{"exp":1e3}`:                        {Kind: "type", Name: "exp"},
		`{"exp":-1}`:                         {Kind: "type", Name: "exp"},
		`{"exp":253402300800}`:               {Kind: "type", Name: "exp"},
		`{"nbf":99999999999999999999}`:       {Kind: "type", Name: "nbf"},
		`{"a":1,"\u0061":2}`:                 {Kind: "repeated", Name: "a"},
		`{"` + claimName + `":null}`:         atClaim("type", ""),
		`{"` + claimName + `":{"x":true}}`:   atClaim("scope", "/x"),
		`{"` + claimName + `":{"\u0000":1}}`: atClaim("scope", "/\x00"),
	} {
		claims, mistake := reference.ParseClaims([]byte(payload), reference.Options{})
		assert.Nil(t, claims, payload)
		assert.Equal(t, want, mistake, payload)
	}
}

func TestParseClaimsNear(t *testing.T) {
	for name, near := range map[string]bool{
		claimName:                                 false,
		strings.ToUpper(claimName):                true,
		"Urn:useparagon:connect:permissions":      true,
		"urn:useparagon:connect:permission":       true,
		"urn:useparagon:connect:permissio":        true,
		"urn:useparagon:connect:permissi":         false,
		"urn:useparagon:connect:permissionsxx":    true,
		"urn:useparagon:connect:permissionsxxx":   false,
		"urn:useparagon:connnect:permissionss":    true,
		"urn:useparagon:connect:permis\u017fions": true,
		"xyz:useparagon:connect:permissions":      false,
		"permissions":                             false,
		"":                                        false,
	} {
		_, mistake := reference.ParseClaims([]byte(`{"`+name+`":{}}`), reference.Options{})
		if near {
			assert.Equal(t, &reference.ClaimsMistake{Kind: "near", Name: name}, mistake)
		} else {
			assert.Nil(t, mistake, name)
		}
	}
	_, mistake := reference.ParseClaims([]byte(`{"a":253402300799,"exp":253402300799}`), reference.Options{})
	assert.Nil(t, mistake)
}
