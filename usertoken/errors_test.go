package usertoken_test

import (
	"errors"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// A TokenError has the parts of its message for programs.
func TestTokenErrorFields(t *testing.T) {
	v := newVerifier(t)
	for name, test := range map[string]struct {
		token        string
		kind         error
		field, found string
	}{
		"too large":    {strings.Repeat("x", 70_000), jwt.ErrTokenMalformed, "token", ""},
		"header":       {"?.e30.AA", jwt.ErrTokenMalformed, "header", ""},
		"payload":      {signPayload(t, "[]"), jwt.ErrTokenMalformed, "payload", ""},
		"signature":    {sign(t, otherKey(), testHeader, "{}"), jwt.ErrTokenSignatureInvalid, "signature", ""},
		"alg":          {sign(t, otherKey(), `{"alg":"x"}`, "{}"), jwt.ErrTokenUnverifiable, "alg", `"x"`},
		"typ":          {sign(t, otherKey(), `{"alg":"RS256","typ":"x"}`, "{}"), jwt.ErrTokenUnverifiable, "typ", `"x"`},
		"crit":         {sign(t, otherKey(), `{"alg":"RS256","crit":1}`, "{}"), jwt.ErrTokenUnverifiable, "crit", ""},
		"exp":          {signPayload(t, payload("exp", "0")), jwt.ErrTokenExpired, "exp", "1970-01-01T00:00:00Z"},
		"nbf":          {signPayload(t, payload("nbf", at(60))), jwt.ErrTokenNotValidYet, "nbf", "2025-10-09T08:54:20Z"},
		"aud":          {signPayload(t, payload("aud", `["a","b"]`)), jwt.ErrTokenInvalidAudience, "aud", `"a" and "b"`},
		"sub":          {signPayload(t, payload("sub", "")), jwt.ErrTokenRequiredClaimMissing, "sub", ""},
		"the claim":    {signPayload(t, payloadWith("[]")), jwt.ErrTokenMalformed, permissions.ClaimName, ""},
		"a date":       {signPayload(t, payload("exp", "1e99")), jwt.ErrTokenMalformed, "exp", "1e99"},
		"own claim":    {signPayload(t, payloadAnd(`"x":1,"x":1`)), jwt.ErrTokenMalformed, "x", ""},
		"hidden name":  {signPayload(t, payloadAnd(`"\u202e":1,"\u202e":1`)), jwt.ErrTokenMalformed, `"\u202e"`, ""},
		"name of zero": {signPayload(t, payloadAnd(`"":1,"":1`)), jwt.ErrTokenMalformed, `""`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(test.token)
			e := requireTokenError(t, err)
			require.Equal(t, test.kind, e.Kind)
			require.Equal(t, test.field, e.Field)
			require.Equal(t, test.found, e.Found)
			var mistake *permissions.ParseError
			require.Equal(t, name == "the claim", errors.As(err, &mistake))
		})
	}
}

// A zero TokenError is still a refusal.
func TestZeroTokenError(t *testing.T) {
	err := error(new(usertoken.TokenError))
	requireReasons(t, err, usertoken.ErrToken)
	require.NotEmpty(t, err.Error())
}

// go doc lists the constructors with their types.
func TestConstructorsAreDocumentedWithTheirTypes(t *testing.T) {
	names, err := filepath.Glob("*.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") && name != "work_on.go" {
			files = append(files, must[*ast.File](t)(parser.ParseFile(set, name, nil, parser.ParseComments)))
		}
	}
	p, err := doc.NewFromFiles(set, files, "github.com/connectperms/permissions/usertoken")
	require.NoError(t, err)
	found := map[string]string{}
	for _, typ := range p.Types {
		for _, f := range typ.Funcs {
			found[f.Name] = typ.Name
		}
	}
	for function, typ := range map[string]string{
		"NewVerifier": "Verifier", "NewSigner": "Signer", "NewClaims": "Claims",
		"WithAudience": "TokenOption", "WithIssuer": "TokenOption", "WithType": "TokenOption", "WithClock": "TokenOption",
		"AllowMissingAudience": "VerifierOption", "RequireClaim": "VerifierOption", "WithKeySource": "VerifierOption",
		"WithKeyfunc": "VerifierOption", "WithLeeway": "VerifierOption", "WithLifetime": "SignerOption",
		"WithClaims": "SignOption",
	} {
		require.Equal(t, typ, found[function], function)
	}
}

// A function can return a typed nil as its error by mistake.
func TestNilTokenError(t *testing.T) {
	var err error = (*usertoken.TokenError)(nil)
	require.EqualError(t, err, "usertoken: a nil *TokenError")
	requireReasons(t, err, usertoken.ErrToken)
}
