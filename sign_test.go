package permissions_test

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

func newTestSigner(t testing.TB, opts ...permissions.SignerOption) *permissions.Signer {
	t.Helper()
	s, err := permissions.NewSigner(testProject, projectKey(), append([]permissions.SignerOption{permissions.WithClock(testClock)}, opts...)...)
	require.NoError(t, err)
	return s
}

// decodeToken returns the header and the payload of a token.
func decodeToken(t testing.TB, token string) (header, payload string) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	h, err := base64.RawURLEncoding.DecodeString(parts[0])
	require.NoError(t, err)
	p, err := base64.RawURLEncoding.DecodeString(parts[1])
	require.NoError(t, err)
	return string(h), string(p)
}

func TestSign(t *testing.T) {
	policy := permissions.MustParse(`{ "integration:slack": {"credential:*": ["settings:read", "settings:write"]}, "integration:*": false }`)
	token, err := newTestSigner(t).Sign(testSubject, policy)
	require.NoError(t, err)
	header, payload := decodeToken(t, token)
	require.Equal(t, `{"alg":"RS256","typ":"JWT"}`, header)
	require.Equal(t, `{"sub":"member@example.com","aud":"useparagon.com/d5f7a1c0-3b1e-4a55-9a41-5c1f0e2b7a10","iat":1760000000,"exp":1760003600,`+
		`"urn:useparagon:connect:permissions":{"integration:*":[],"integration:slack":{"credential:*":["settings:write"]}}}`, payload)

	claims, err := newTestVerifier(t).Verify(token)
	require.NoError(t, err)
	require.Equal(t, testSubject, claims.Subject)
	require.Equal(t, jwt.ClaimStrings{testAudience}, claims.Audience)
	require.Equal(t, testNow, claims.IssuedAt.Time)
	require.Equal(t, testNow.Add(time.Hour), claims.ExpiresAt.Time)
	require.Equal(t, ruleTexts(policy), ruleTexts(claims.Policy))

	// A stranger's verifier refuses it, and golang-jwt takes it.
	strangers, err := permissions.NewVerifier(testProject, &strangersKey().PublicKey, permissions.WithClock(testClock))
	require.NoError(t, err)
	_, err = strangers.Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenSignatureInvalid)
	_, err = jwt.ParseWithClaims(token, new(permissions.Claims), projectKeyfunc, jwt.WithValidMethods([]string{"RS256"}), jwt.WithTimeFunc(testClock))
	require.NoError(t, err)
}

func TestSignUnrestricted(t *testing.T) {
	token, err := newTestSigner(t).SignUnrestricted(testSubject)
	require.NoError(t, err)
	_, payload := decodeToken(t, token)
	require.NotContains(t, payload, permissions.ClaimName)
	claims, err := newTestVerifier(t).Verify(token)
	require.NoError(t, err)
	require.True(t, claims.Policy.IsUnrestricted())
	_, err = newTestVerifier(t, permissions.RequireClaim()).Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenRequiredClaimMissing)
}

func TestSignOptions(t *testing.T) {
	policy := permissions.MustParse(`{}`)
	options := []permissions.TokenOption{permissions.WithAudience("https://paragon.example.com/p"), permissions.WithMaxTokenSize(700)}
	signer := newTestSigner(t, options[0], options[1], permissions.WithLifetime(90*time.Second), permissions.WithKeyID(`key "2"`), nil)
	verifier := newTestVerifier(t, options[0], options[1])
	token, err := signer.Sign(testSubject, policy)
	require.NoError(t, err)
	header, payload := decodeToken(t, token)
	require.Equal(t, `{"alg":"RS256","typ":"JWT","kid":"key \"2\""}`, header)
	require.Contains(t, payload, `"iat":1760000000,"exp":1760000090`)
	claims, err := verifier.Verify(token)
	require.NoError(t, err)
	require.Equal(t, jwt.ClaimStrings{"https://paragon.example.com/p"}, claims.Audience)
	_, err = newTestVerifier(t).Verify(token)
	require.ErrorIs(t, err, jwt.ErrTokenInvalidAudience)

	// Another project's ID is no matter where the audience replaces it.
	_, err = permissions.NewSigner("", projectKey(), permissions.WithAudience("a"))
	require.NoError(t, err)

	// The ID tells the verifier the key.
	keyed, err := permissions.NewVerifier("", nil, permissions.WithClock(testClock), options[0], permissions.WithKeyfunc(func(token *jwt.Token) (any, error) {
		require.Equal(t, `key "2"`, token.Header["kid"])
		return &projectKey().PublicKey, nil
	}))
	require.NoError(t, err)
	_, err = keyed.Verify(token)
	require.NoError(t, err)
}

// TestSignTime signs with clocks that have fractions and zones. Times are whole seconds,
// and the token is valid from the moment it is made until its end.
func TestSignTime(t *testing.T) {
	policy := permissions.MustParse(`{}`)
	for _, now := range []time.Time{
		time.Unix(0, 0), time.Unix(1_760_000_000, 999_999_999), time.Unix(1_760_000_000, 1).In(time.FixedZone("", 5*3600)), time.Unix(253402300798, 0),
	} {
		clock := permissions.WithClock(func() time.Time { return now })
		token, err := newTestSigner(t, clock, permissions.WithLifetime(time.Second)).Sign(testSubject, policy)
		require.NoError(t, err)
		claims, err := newTestVerifier(t, clock, permissions.WithLeeway(0)).Verify(token)
		require.NoError(t, err, now)
		require.Equal(t, now.Unix(), claims.IssuedAt.Unix())
		require.Equal(t, now.Unix()+1, claims.ExpiresAt.Unix())
		_, err = newTestVerifier(t, permissions.WithClock(func() time.Time { return now.Add(time.Second) }), permissions.WithLeeway(0)).Verify(token)
		require.ErrorIs(t, err, jwt.ErrTokenExpired)
	}
	for _, now := range []time.Time{time.Unix(-1, 0), time.Unix(253402300799, 0), {}} {
		_, err := newTestSigner(t, permissions.WithClock(func() time.Time { return now })).Sign(testSubject, policy)
		require.EqualError(t, err, "permissions: token refused: token has invalid claims: not signed: the clock is not between 1970 and the year 10000")
	}
	for _, lifetime := range []time.Duration{time.Second, 30 * 24 * time.Hour} {
		_, err := permissions.NewSigner(testProject, projectKey(), permissions.WithLifetime(lifetime))
		require.NoError(t, err)
	}
}

func TestSignRefuses(t *testing.T) {
	slack := permissions.MustParse(`{"integration:slack":true}`)
	both, err := permissions.Intersect(slack, permissions.MustParse(`{}`))
	require.NoError(t, err)
	signer := newTestSigner(t)
	var large permissions.Builder
	for i := range 1000 {
		large.AnyIntegration().Credential(fmt.Sprintf("%s-%d", strings.Repeat("x", 60), i)).AllowAll()
	}
	tooLarge, err := large.Policy()
	require.NoError(t, err)
	tests := []struct {
		name    string
		signer  *permissions.Signer
		subject string
		policy  *permissions.Policy
		kind    error
		text    string
	}{
		{"empty subject", signer, "", slack, jwt.ErrTokenRequiredClaimMissing, "not signed: the subject is empty"},
		{"bad subject", signer, "x\xff", slack, jwt.ErrTokenRequiredClaimMissing, "not signed: the subject is not valid UTF-8"},
		{"nil policy", signer, testSubject, nil, jwt.ErrTokenRequiredClaimMissing, "not signed: the policy is nil or zero; to deny everything, sign the policy of the claim {}"},
		{"zero policy", signer, testSubject, new(permissions.Policy).Observe(nil), jwt.ErrTokenRequiredClaimMissing, "not signed: the policy is nil or zero; to deny everything, sign the policy of the claim {}"},
		{"unrestricted", signer, testSubject, permissions.Unrestricted(), jwt.ErrTokenRequiredClaimMissing,
			"not signed: an unrestricted policy has no permissions claim, and a token without one allows everything; SignUnrestricted signs such a token"},
		{"intersection", signer, testSubject, both, jwt.ErrTokenInvalidClaims, "permissions: an intersection of policies has no claim; encode its parts, or build one policy"},
		{"nil signer", nil, testSubject, slack, jwt.ErrInvalidKey, "not signed: the signer is zero; NewSigner makes one"},
		{"zero signer", new(permissions.Signer), testSubject, slack, jwt.ErrInvalidKey, "not signed: the signer is zero; NewSigner makes one"},
		{"too large", signer, testSubject, tooLarge, jwt.ErrTokenMalformed, "and may have 65536; a policy with fewer rules makes it smaller"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token, err := test.signer.Sign(test.subject, test.policy)
			require.Empty(t, token)
			require.ErrorIs(t, err, permissions.ErrToken)
			require.ErrorIs(t, err, test.kind)
			require.ErrorContains(t, err, test.text)
		})
	}
	_, err = signer.SignUnrestricted("")
	require.ErrorIs(t, err, jwt.ErrTokenRequiredClaimMissing)
	_, err = new(permissions.Signer).SignUnrestricted(testSubject)
	require.ErrorIs(t, err, jwt.ErrInvalidKey)

	// A policy with a hook is signed like one without.
	_, err = signer.Sign(testSubject, slack.Observe(func(permissions.Permission, permissions.Target, permissions.Decision) { t.Error("called") }))
	require.NoError(t, err)
}

func TestNewSignerRefuses(t *testing.T) {
	key := projectKey()
	inconsistent := *key
	inconsistent.D = new(big.Int).Add(key.D, big.NewInt(2))
	bare := rsa.PrivateKey{PublicKey: key.PublicKey}
	tests := []struct {
		name    string
		project string
		key     *rsa.PrivateKey
		option  permissions.SignerOption
		text    string
	}{
		{"no project", "", key, nil, "permissions: NewSigner: the project ID is empty"},
		{"bad project", "\xff", key, nil, "permissions: NewSigner: the project ID or audience is not valid UTF-8"},
		{"bad audience", testProject, key, permissions.WithAudience("\xff"), "permissions: NewSigner: the project ID or audience is not valid UTF-8"},
		{"nil key", testProject, nil, nil, "permissions: NewSigner: the key is no RSA private key"},
		{"zero key", testProject, new(rsa.PrivateKey), nil, "permissions: NewSigner: the key is no RSA private key"},
		{"half a key", testProject, &bare, nil, "permissions: NewSigner: the key is no RSA private key"},
		{"key without modulus", testProject, &rsa.PrivateKey{D: key.D}, nil, "permissions: NewSigner: the key is no RSA public key"},
		{"small key", testProject, smallKey(), nil, "permissions: NewSigner: the key has fewer than 2048 bits"},
		{"key without primes", testProject, &rsa.PrivateKey{PublicKey: key.PublicKey, D: key.D}, nil, "permissions: NewSigner: the key is inconsistent"},
		{"wrong key", testProject, &inconsistent, nil, "permissions: NewSigner: the key is inconsistent"},
		{"key with a nil prime", testProject, &rsa.PrivateKey{PublicKey: key.PublicKey, D: key.D, Primes: []*big.Int{nil, key.Primes[1]}}, nil, "permissions: NewSigner: the key is inconsistent"},
		{"lifetime of 0", testProject, key, permissions.WithLifetime(0), "permissions: WithLifetime: the lifetime is not between 1 second and 30 days"},
		{"lifetime below 0", testProject, key, permissions.WithLifetime(-time.Hour), "permissions: WithLifetime: the lifetime is not between 1 second and 30 days"},
		{"long lifetime", testProject, key, permissions.WithLifetime(30*24*time.Hour + time.Second), "permissions: WithLifetime: the lifetime is not between 1 second and 30 days"},
		{"fraction", testProject, key, permissions.WithLifetime(1500 * time.Millisecond), "permissions: WithLifetime: the lifetime is not a whole number of seconds"},
		{"no key ID", testProject, key, permissions.WithKeyID(""), "permissions: WithKeyID: the ID is empty or not valid UTF-8"},
		{"bad key ID", testProject, key, permissions.WithKeyID("\xff"), "permissions: WithKeyID: the ID is empty or not valid UTF-8"},
		{"no audience", testProject, key, permissions.WithAudience(""), "permissions: WithAudience: the audience is empty\npermissions: NewSigner: the project ID is empty"},
		{"no clock", testProject, key, permissions.WithClock(nil), "permissions: WithClock: the function is nil"},
		{"no room", testProject, key, permissions.WithMaxTokenSize(0), "permissions: WithMaxTokenSize: the size is not above 0"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			signer, err := permissions.NewSigner(test.project, test.key, test.option)
			require.Nil(t, signer)
			require.EqualError(t, err, test.text)
			requireNoSecret(t, test.name, err.Error())
		})
	}
}

// secrets are the texts in which a part of the project's private key could show, in lower
// case.
var secrets = sync.OnceValue(func() []string {
	key := projectKey()
	list := []string{string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))[40:80]}
	for _, n := range []*big.Int{key.D, key.Primes[0], key.Primes[1], key.Precomputed.Dp, key.Precomputed.Dq, key.Precomputed.Qinv} {
		for _, base := range []int{2, 8, 10, 16, 36} {
			list = append(list, n.Text(base)[:20])
		}
		list = append(list, string(n.Bytes()[:8]), fmt.Sprint(n.Bits()[0]), fmt.Sprintf("%x", uint(n.Bits()[0])),
			base64.StdEncoding.EncodeToString(n.Bytes())[:20], base64.RawURLEncoding.EncodeToString(n.Bytes())[:20],
			strings.Trim(fmt.Sprint(n.Bytes()[:8]), "[]"))
	}
	for i, secret := range list {
		list[i] = strings.ToLower(secret)
	}
	return list
})

func shows(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(secrets(), func(secret string) bool { return strings.Contains(text, secret) })
}

func requireNoSecret(t *testing.T, where, text string) {
	t.Helper()
	if shows(text) {
		require.Fail(t, "the key shows", where)
	}
}

// TestSignerShowsNoKey prints and logs a Signer in every way there is, and also by those
// who follow pointers.
func TestSignerShowsNoKey(t *testing.T) {
	require.True(t, shows(fmt.Sprintf("%+v", projectKey())), "the secrets are not what would show")

	signer := newTestSigner(t, permissions.WithKeyID("2"))
	type holder struct {
		Signer  *permissions.Signer
		ByValue permissions.Signer
		Options []permissions.SignerOption
	}
	held := holder{signer, *signer, []permissions.SignerOption{permissions.WithLifetime(time.Hour)}}
	for _, value := range []any{signer, *signer, held, &held, []any{signer, *signer}, map[string]any{"signer": *signer}} {
		for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "# x", "20.10"} {
			for verb := '!'; verb <= '~'; verb++ {
				format := "%" + flags + string(verb)
				requireNoSecret(t, format, fmt.Sprintf(format, value))
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("text", "signer", value)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "signer", value)
		requireNoSecret(t, "log", log.String())
		data, _ := json.Marshal(value)
		requireNoSecret(t, "json", string(data))
	}

	// What a failed comparison prints follows pointers, and sees fields without asking.
	dump := func(a, b any) string {
		var failure recorder
		require.Equal(&failure, a, b)
		require.NotEmpty(t, failure.text)
		return failure.text
	}
	type keeper struct{ key *rsa.PrivateKey }
	require.True(t, shows(dump(keeper{projectKey()}, keeper{nil})))
	requireNoSecret(t, "dump", dump(*signer, permissions.Signer{}))
	requireNoSecret(t, "dump", dump(held, holder{}))
}

// A recorder keeps the message of a test that fails.
type recorder struct{ text string }

func (r *recorder) Errorf(format string, args ...any) { r.text += fmt.Sprintf(format, args...) }
func (r *recorder) FailNow()                          {}

// TestSignRandom signs random policies for random subjects. The matching verifier accepts
// them and says the same.
func TestSignRandom(t *testing.T) {
	declared := permissions.WithPermissions("one", "two")
	g := mathrand.New(mathrand.NewPCG(6, 6))
	text := func() string {
		var b strings.Builder
		for range 1 + g.IntN(8) {
			b.WriteRune([]rune{'a', '"', '\\', 0, '\n', 0x7f, '<', '&', 'é', '\u2028', '\ufffd', 0x1f600, '/', '\t'}[g.IntN(14)])
		}
		return b.String()
	}
	for signed := 0; signed < 100; {
		policy, err := build(g, smallRules(g, 4), declared)
		if err != nil {
			continue
		}
		signed++
		project, subject := text(), text()
		signer, err := permissions.NewSigner(project, projectKey(), permissions.WithKeyID(text()))
		require.NoError(t, err)
		verifier, err := permissions.NewVerifier(project, &projectKey().PublicKey, declared)
		require.NoError(t, err)
		token, err := signer.Sign(subject, policy)
		require.NoError(t, err)
		claims, err := verifier.Verify(token)
		require.NoError(t, err, "%q %q", project, subject)
		require.Equal(t, subject, claims.Subject)
		require.Equal(t, ruleTexts(policy), ruleTexts(claims.Policy))
		require.False(t, claims.Policy.IsUnrestricted())
	}
}

// TestSignLeavesTheKey holds the key of a Signer apart from the caller's.
func TestSignLeavesTheKey(t *testing.T) {
	key := &rsa.PrivateKey{PublicKey: projectKey().PublicKey, D: projectKey().D, Primes: projectKey().Primes}
	signer, err := permissions.NewSigner(testProject, key, permissions.WithClock(testClock))
	require.NoError(t, err)
	require.Zero(t, key.Precomputed)
	*key = rsa.PrivateKey{}
	token, err := signer.Sign(testSubject, permissions.MustParse(`{}`))
	require.NoError(t, err)
	_, err = newTestVerifier(t).Verify(token)
	require.NoError(t, err)
}

func TestTokenSize(t *testing.T) {
	subject := "0b1c2d3e-0000-4000-8000-00000000000a"
	signer := newTestSigner(t)
	size := func(p *permissions.Policy) int {
		n, err := p.TokenSize()
		require.NoError(t, err)
		return n
	}
	for _, claim := range []string{`{}`, `{"integration:*":true}`, `{"integration:slack":{"credential:x":["events"]}}`, `{"credential:ext:<&>":[]}`} {
		policy := permissions.MustParse(claim)
		token, err := signer.Sign(subject, policy)
		require.NoError(t, err)
		require.Equal(t, len(token), size(policy), claim)
	}
	token, err := signer.SignUnrestricted(subject)
	require.NoError(t, err)
	require.Equal(t, len(token), size(permissions.Unrestricted()))
	require.Equal(t, size(permissions.MustParse(`{}`)), size(nil))
	require.Equal(t, size(permissions.MustParse(`{}`)), size(new(permissions.Policy)))

	both, err := permissions.Intersect(permissions.MustParse(`{}`), permissions.MustParse(`{}`))
	require.NoError(t, err)
	_, err = both.TokenSize()
	require.EqualError(t, err, "permissions: an intersection of policies has no claim; encode its parts, or build one policy")

	// What a larger key adds, as the doc says.
	require.Equal(t, 341, base64.RawURLEncoding.EncodedLen(4096/8)-base64.RawURLEncoding.EncodedLen(2048/8))
}

func ExampleSigner() {
	signer, err := permissions.NewSigner("d5f7a1c0-3b1e-4a55-9a41-5c1f0e2b7a10", projectKey(), permissions.WithLifetime(10*time.Minute))
	if err != nil {
		fmt.Println(err)
		return
	}
	var b permissions.Builder
	b.Integration("slack").Allow(permissions.ProxyAPI)
	policy, _ := b.Policy()
	token, err := signer.Sign("member@example.com", policy)
	if err != nil {
		fmt.Println(err)
		return
	}

	verifier, _ := permissions.NewVerifier("d5f7a1c0-3b1e-4a55-9a41-5c1f0e2b7a10", &projectKey().PublicKey)
	claims, _ := verifier.Verify(token)
	fmt.Println(claims.Subject, claims.ExpiresAt.Sub(claims.IssuedAt.Time))

	_, err = signer.Sign("member@example.com", permissions.Unrestricted())
	fmt.Println(err)
	// Output:
	// member@example.com 10m0s
	// permissions: token refused: token is missing required claim: not signed: an unrestricted policy has no permissions claim, and a token without one allows everything; SignUnrestricted signs such a token
}
