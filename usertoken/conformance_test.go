package usertoken_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// A claimCase is a claim with the answers to some questions, or with the mistake in it.
type claimCase struct {
	Name, Spec, Claim, Error, Pointer string

	Queries []struct {
		Action                         permissions.Permission
		Target                         json.RawMessage
		Allowed, Invalid, Undetermined bool
		Rule                           []string
	}
	Visible []struct {
		Target  json.RawMessage
		Visible bool
	}
}

// kinds are the kinds of mistake, by the name that the cases give them.
var kinds = map[string]error{
	"syntax": permissions.ErrSyntax, "type": permissions.ErrType, "scope": permissions.ErrScope,
	"nesting": permissions.ErrNesting, "duplicate": permissions.ErrDuplicate,
	"permission": permissions.ErrUnknownPermission,
}

// requireAnswers requires that a policy gives the answers of the case. It returns how many there are.
func (c *claimCase) requireAnswers(t *testing.T, p *permissions.Policy) int {
	t.Helper()
	answers := 0
	for _, q := range c.Queries {
		var target permissions.Target
		if err := json.Unmarshal(q.Target, &target); err != nil {
			require.True(t, q.Invalid, "%s: %v", q.Target, err)
			require.ErrorIs(t, err, permissions.ErrQuestion)
			continue
		}
		answers++
		d := p.Decide(q.Action, target)
		require.Equal(t, q.Allowed, d.Allowed, "%s %s", q.Action, q.Target)
		require.Equal(t, q.Invalid, d.Reason == permissions.ReasonInvalidQuestion, "%s %s", q.Action, q.Target)
		require.Equal(t, q.Undetermined, d.Reason == permissions.ReasonUndetermined, "%s %s", q.Action, q.Target)
		var path []string
		for _, s := range d.Rule.Path() {
			path = append(path, s.String())
		}
		require.Equal(t, strings.Join(q.Rule, "|"), strings.Join(path, "|"), "%s %s", q.Action, q.Target)
	}
	for _, v := range c.Visible {
		var target permissions.Target
		if json.Unmarshal(v.Target, &target) == nil {
			answers++
			require.Equal(t, v.Visible, p.Visible(target), "%s", v.Target)
		}
	}
	return answers
}

// Every claim of the conformance cases means in a token what it means alone, whoever verifies the token.
func TestConformance(t *testing.T) {
	v := newVerifier(t)
	readers := map[string]func(token string) (*usertoken.Claims, error){
		"Verify": v.Verify,
		"golang-jwt": func(token string) (*usertoken.Claims, error) {
			claims := new(usertoken.Claims)
			_, err := jwt.ParseWithClaims(token, claims, projectKeyfunc,
				jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(testClock), jwt.WithAudience(testAudience))
			return claims, err
		},
	}
	for _, file := range []struct {
		name     string
		mistakes bool // the file has claims with mistakes
		answers  int  // the least that there must be
	}{{"decisions.json", false, 300}, {"errors.json", true, 0}, {"random.json", true, 2000}} {
		t.Run(file.name, func(t *testing.T) {
			var cases []claimCase
			data := must[[]byte](t)(os.ReadFile(filepath.Join("..", "testdata", "conformance", file.name)))
			require.NoError(t, json.Unmarshal(data, &cases))
			answers, mistakes := 0, 0
			for _, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					token := signPayload(t, payloadAnd(claimMember+c.Claim))
					for name, read := range readers {
						claims, err := read(token)
						if c.Error == "" {
							require.NoError(t, err, name)
							answers += c.requireAnswers(t, claims.Policy)
							continue
						}
						mistakes++
						require.ErrorIs(t, err, jwt.ErrTokenMalformed, name)
						if claims != nil {
							require.Nil(t, claims.Policy)
						}
						if c.Error == "syntax" { // then it is a mistake of the whole payload
							require.NotErrorIs(t, err, permissions.ErrClaim, name)
							continue
						}
						require.ErrorIs(t, err, usertoken.ErrToken, name)
						require.ErrorIs(t, err, kinds[c.Error], name)
						var mistake *permissions.ParseError
						require.ErrorAs(t, err, &mistake)
						require.Equal(t, c.Pointer, mistake.Pointer, name)
					}
				})
			}
			require.GreaterOrEqual(t, answers, file.answers)
			require.Equal(t, file.mistakes, mistakes > 0)
		})
	}
}

// A tokenCase is one of testdata/tokens: a token that another library signed for a project, with what it
// says and the answers to some questions. Its error is the kind of the mistake in its claim.
type tokenCase struct {
	MadeBy string
	Now    int64
	Token  string
	Claims json.RawMessage
	claimCase
}

const tokenProject = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

func tokenCases(t *testing.T) []tokenCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "tokens", "*.json"))
	require.NoError(t, err)
	require.Greater(t, len(files), 10)
	var cases []tokenCase
	for _, file := range files {
		d := json.NewDecoder(strings.NewReader(string(must[[]byte](t)(os.ReadFile(file)))))
		d.DisallowUnknownFields()
		var c tokenCase
		require.NoError(t, d.Decode(&c), file)
		require.True(t, c.Error != "" || len(c.Queries) > 0, file)
		cases = append(cases, c)
	}
	return cases
}

// Tokens that other libraries signed mean here what they say.
func TestTokensOfOtherLibraries(t *testing.T) {
	pem := must[[]byte](t)(os.ReadFile(filepath.Join("testdata", "tokens", "public.pem")))
	key, err := usertoken.ParsePublicKey(string(pem))
	require.NoError(t, err)
	for _, c := range tokenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			verifier := func(project string, now int64) *usertoken.Verifier {
				clock := usertoken.WithClock(func() time.Time { return time.Unix(now, 0) })
				return must[*usertoken.Verifier](t)(usertoken.NewVerifier(project, key, clock))
			}
			claims, err := verifier(tokenProject, c.Now).Verify(c.Token)
			if c.Error != "" {
				require.Nil(t, claims)
				requireReasons(t, err, usertoken.ErrToken, jwt.ErrTokenMalformed, permissions.ErrClaim)
				require.ErrorIs(t, err, kinds[c.Error])
				requireNothingOf(t, c.Token, err)
				return
			}
			require.NoError(t, err)
			c.requireAnswers(t, claims.Policy)

			// The file shows the claims that the token has.
			_, inside := decodeToken(t, c.Token)
			require.JSONEq(t, inside, string(c.Claims))
			shown, err := decodeClaims(string(c.Claims))
			require.NoError(t, err)
			require.Equal(t, shown.RegisteredClaims, claims.RegisteredClaims)
			require.Equal(t, ruleTexts(shown.Policy), ruleTexts(claims.Policy))
			require.Equal(t, shown.Policy.IsUnrestricted(), claims.Policy.IsUnrestricted())

			// Nobody else accepts it, and nobody does tomorrow.
			_, err = verifier(tokenProject, c.Now+24*3600).Verify(c.Token)
			require.ErrorIs(t, err, jwt.ErrTokenExpired)
			_, err = verifier(testProject, c.Now).Verify(c.Token)
			require.ErrorIs(t, err, jwt.ErrTokenInvalidAudience)
			_, err = newVerifier(t).Verify(c.Token)
			require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
		})
	}
}

// A claim in a string is refused, with what to do about it. An option accepts it.
func TestTokenWithStringClaim(t *testing.T) {
	var c tokenCase
	data := must[[]byte](t)(os.ReadFile(filepath.Join("testdata", "tokens", "claim-as-a-string.json")))
	require.NoError(t, json.Unmarshal(data, &c))
	_, err := decodeClaims(string(c.Claims))
	require.ErrorIs(t, err, permissions.ErrType)
	require.ErrorContains(t, err, "AcceptStringClaim")
	claims, err := decodeClaims(string(c.Claims), permissions.AcceptStringClaim())
	require.NoError(t, err)
	require.True(t, claims.Policy.Allowed(permissions.Events, permissions.User()))
	require.False(t, claims.Policy.Allowed(permissions.ActionKit, permissions.User()))
}
