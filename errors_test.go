package permissions_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// The roots are four, and none is another. The kinds of mistake are under ErrClaim.
func TestErrorTree(t *testing.T) {
	roots := []error{permissions.ErrClaim, permissions.ErrToken, permissions.ErrTarget, permissions.ErrDenied}
	all := append(append([]error{}, roots...), claimKinds...)
	for i, a := range all {
		for j, b := range all {
			under := i == j || i >= len(roots) && b == permissions.ErrClaim
			require.Equal(t, under, errors.Is(a, b), "%v is %v", a, b)
		}
	}
	for err, text := range map[error]string{
		permissions.ErrClaim:      "permissions claim refused",
		permissions.ErrToken:      "token refused",
		permissions.ErrTarget:     "invalid question",
		permissions.ErrDenied:     "denied",
		permissions.ErrSyntax:     "permissions claim refused: syntax",
		permissions.ErrType:       "permissions claim refused: type",
		permissions.ErrScope:      "permissions claim refused: scope",
		permissions.ErrNesting:    "permissions claim refused: nesting",
		permissions.ErrDuplicate:  "permissions claim refused: duplicate",
		permissions.ErrPermission: "permissions claim refused: permission",
	} {
		require.EqualError(t, err, text)
	}
}

// Each error that is returned matches its root and no other; that of a token for its claim
// matches two.
func TestErrorRoots(t *testing.T) {
	roots := map[string]error{
		"claim": permissions.ErrClaim, "token": permissions.ErrToken, "target": permissions.ErrTarget, "denied": permissions.ErrDenied,
	}
	_, claim := permissions.Parse(nil)
	_, value := permissions.FromValue(nil)
	_, scope := permissions.ParseScope("")
	_, token := newTestVerifier(t).Verify("")
	_, tokensClaim := newTestVerifier(t).Verify(signPayload(t, payloadWith("null")))
	_, claimsClaim := decodeClaims(`{"urn:useparagon:connect:permissions":null}`)
	var nobody *permissions.Policy
	for name, test := range map[string]struct {
		err   error
		roots []string
	}{
		"Parse":                    {claim, []string{"claim"}},
		"FromValue":                {value, []string{"claim"}},
		"ParseScope":               {scope, []string{"claim"}},
		"Verify":                   {token, []string{"token"}},
		"Verify, for the claim":    {tokensClaim, []string{"token", "claim"}},
		"Claims, for the claim":    {claimsClaim, []string{"token", "claim"}},
		"Validate":                 {target("*").Validate(), []string{"target"}},
		"Check, an invalid target": {nobody.Check(permissions.Events, target("*")), []string{"target"}},
		"Check, an empty action":   {nobody.Check("", user), []string{"target"}},
		"Check, a denial":          {nobody.Check(permissions.Events, user), []string{"denied"}},
	} {
		t.Run(name, func(t *testing.T) {
			for root, err := range roots {
				wanted := false
				for _, r := range test.roots {
					wanted = wanted || r == root
				}
				require.Equal(t, wanted, errors.Is(test.err, err), root)
			}
			require.True(t, strings.HasPrefix(test.err.Error(), "permissions: "), "%v", test.err)
			require.NotContains(t, test.err.Error(), "\n")
		})
	}
}

func TestDeniedErrorMessages(t *testing.T) {
	policy := permissions.MustParse(`{"integration:*":["events"],"integration:slack":{"credential:*":false,"credential:a":true,"credential:ext:b":["settings:write"]}}`)
	for _, test := range []struct {
		policy  *permissions.Policy
		action  permissions.Permission
		target  permissions.Target
		message string
	}{
		{policy, "proxy-api", user, `"proxy-api" on the user denied: integration:* grants events`},
		{policy, "proxy-api", target("slack", "x", none), `"proxy-api" on integration "slack", credential external ID none, credential ID "x" denied: integration:slack/credential:* grants none`},
		{policy, "proxy-api", target("slack", none, "b"), `"proxy-api" on integration "slack", credential external ID "b", credential ID none denied: integration:slack/credential:ext:b grants settings:read, settings:write`},
		{policy, "proxy-api", target("slack", "a"), ""},
		{permissions.MustParse(`{"credential:a":true,"credential:ext:b":true}`), "proxy-api", target("slack"), `"proxy-api" on integration "slack" denied: no rule applies`},
		{permissions.MustParse(`{"integration:*":true,"credential:ext:b":false}`), "proxy-api", target("slack", "x"), `"proxy-api" on integration "slack", credential ID "x" denied: it may depend on the credential external ID, which the target leaves open`},
		{nil, "proxy-api", user, `"proxy-api" on the user denied: there is no policy`},
		{new(permissions.Policy), "proxy-api", user, `"proxy-api" on the user denied: there is no policy`},
	} {
		t.Run(test.message, func(t *testing.T) {
			err := test.policy.Check(test.action, test.target)
			if test.message == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, permissions.ErrDenied)
			require.EqualError(t, err, "permissions: "+test.message)
			var denied *permissions.DeniedError
			require.ErrorAs(t, err, &denied)
			require.Equal(t, permissions.DeniedError{
				Action: test.action, Target: test.target, Decision: test.policy.Decide(test.action, test.target),
			}, *denied)
		})
	}
}

// A message repeats at most a hundred bytes of one text, cut where a character ends, and
// what it repeats cannot pass for the rest of it.
func TestErrorsShortenWhatIsLong(t *testing.T) {
	long := strings.Repeat("é", 5000)
	shown := `"` + strings.Repeat("é", 50) + `"...`
	_, badScope := permissions.ParseScope(long)
	_, oddScope := permissions.ParseScope("a" + long) // whose hundredth byte is half a character
	_, badName := permissions.ParseScope("credential:a" + long + "*")
	_, badKey := permissions.Parse([]byte(`{"` + long + `":true}`))
	_, badPermission := permissions.Parse([]byte(`{"integration:*":["` + long + `"]}`))
	_, badGrant := permissions.Parse([]byte(`{"integration:*":"` + long + `"}`))
	_, twice := permissions.Parse([]byte(`{"credential:` + long + `":true,"integration:*":{"credential:` + long + `":true}}`))
	_, badOption := permissions.Parse([]byte(`{}`), permissions.WithPermissions(permissions.Permission(long+"\xff")))
	_, repeated := decodeClaims(`{"` + long + `":1,"` + long + `":1}`)
	denied := new(permissions.Policy).Check(permissions.Permission(long), target(long, long))
	for name, test := range map[string]struct {
		err   error
		shows string
	}{
		"scope":              {badScope, shown},
		"half a character":   {oddScope, `"a` + strings.Repeat("é", 49) + `"...`},
		"name":               {badName, `"credential:a` + strings.Repeat("é", 44) + `"...`},
		"key":                {badKey, shown},
		"permission":         {badPermission, shown},
		"grant":              {badGrant, shown},
		"path":               {twice, `"/credential:` + strings.Repeat("é", 44) + `"...`},
		"option":             {badOption, shown},
		"repeated claim":     {repeated, shown},
		"denial":             {denied, shown},
		"target":             {target(long + "*").Validate(), shown},
		"claim that is long": {errorOf(permissions.Parse([]byte(strings.Repeat(" ", 1000) + long))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.Error(t, test.err)
			require.Less(t, len(test.err.Error()), 700)
			require.Contains(t, test.err.Error(), test.shows)
		})
	}
	// The fields of an error hold no more of it, but for the pointer.
	var parse *permissions.ParseError
	require.ErrorAs(t, badPermission, &parse)
	require.Equal(t, shown, parse.Found)
}

func errorOf[T any](_ T, err error) error { return err }

func TestErrorsQuote(t *testing.T) {
	for _, hostile := range []string{"a\nb", "a\x1b[31m", "a\" denied: \"b", "a\u202eb", "\u0085"} {
		_, err := permissions.ParseScope(hostile)
		require.NotContains(t, err.Error(), hostile)
		_, err = permissions.Parse([]byte(`{"integration:*":[` + encode(hostile) + `]}`))
		require.NotContains(t, err.Error(), hostile)
		err = new(permissions.Policy).Check(permissions.Permission(hostile), user)
		require.NotContains(t, err.Error(), hostile)
		err = target(hostile + "*").Validate()
		require.NotContains(t, err.Error(), hostile)
	}
}

// No error of a token or a key repeats any of it, wherever it is written.
func TestErrorsHoldNoSecrets(t *testing.T) {
	v := newTestVerifier(t)
	secret := "c2VjcmV0LXNlZ21lbnQtdGhhdC1ub2JvZHktbWF5LXNlZQ"
	for _, token := range []string{
		secret, secret + "." + secret, secret + "." + secret + "." + secret, secret + "=.." + secret, "Bearer " + secret,
		segment(testHeader) + "." + secret + "." + secret,
		segment(testHeader) + "." + segment(payload(nil)) + "." + secret,
		segment(`{"alg":"`+secret+`"}`) + ".." + secret,
		segment(`{"`+secret+`":1,"`+secret+`":1}`) + ".." + secret,
		segment(`{"alg":"RS256","crit":["`+secret+`"]}`) + ".." + secret,
		signPayload(t, payload(map[string]string{"aud": `"` + secret + `"`})),
		signPayload(t, payload(map[string]string{"aud": `["` + secret + `"]`})),
		signPayload(t, payload(map[string]string{"exp": `"` + secret + `"`})),
		signPayload(t, payload(map[string]string{"sub": `["` + secret + `"]`})),
		signPayload(t, payload(map[string]string{"sub": `""`, "jti": `"` + secret + `"`})),
		signPayload(t, `{"x":"`+secret),
		signPayload(t, `"`+secret+`"`),
	} {
		_, err := v.Verify(token)
		require.ErrorIs(t, err, permissions.ErrToken)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret)
		requireNothingOf(t, token, err)
	}
	for _, text := range []string{secret, "-----BEGIN PRIVATE KEY-----\n" + secret + "\n-----END PRIVATE KEY-----\n", "-----BEGIN " + secret + "-----\n"} {
		_, err := permissions.ParsePrivateKey(text)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret[:12])
		_, err = permissions.ParsePublicKey(text)
		require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret[:12])
	}
}

// The errors of golang-jwt can be taken out of those of a token.
func TestTokenErrorWraps(t *testing.T) {
	_, err := newTestVerifier(t).Verify(signPayload(t, payloadWith(`{"integration:*":["proxy_api"]}`)))
	var parse *permissions.ParseError
	require.ErrorAs(t, err, &parse)
	require.Equal(t, permissions.ErrPermission, parse.Kind)
	require.Equal(t, "/integration:*/0", parse.Pointer)
	require.Equal(t, `"proxy_api"`, parse.Found)
	require.Equal(t, "is no permission", parse.Problem)
	require.Equal(t, `did you mean "proxy-api"?`, parse.Remedy)
	require.ErrorIs(t, err, jwt.ErrTokenMalformed)
}
