package usertoken_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// The project, the keys and the time of the tests.
const (
	testProject  = "d5f7a1c0-3b1e-4a55-9a41-5c1f0e2b7a10"
	testAudience = "useparagon.com/" + testProject
	testSubject  = "member@example.com"
	testHeader   = `{"alg":"RS256","typ":"JWT"}`
)

var (
	testNow    = time.Unix(1_760_000_000, 0)
	projectKey = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	otherKey   = sync.OnceValue(func() *rsa.PrivateKey { return newKey(2048) })
	smallKey   = sync.OnceValue(func() *rsa.PrivateKey { return newKey(1024) })
)

func testClock() time.Time { return testNow }

func newKey(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// projectKeyfunc is for golang-jwt.
func projectKeyfunc(*jwt.Token) (any, error) { return &projectKey().PublicKey, nil }

// must returns a value, or ends the test with its error.
func must[T any](t testing.TB) func(value T, err error) T {
	return func(value T, err error) T {
		t.Helper()
		require.NoError(t, err)
		return value
	}
}

// newVerifier returns a verifier of the project's tokens whose clock stands still.
func newVerifier(t testing.TB, opts ...usertoken.VerifierOption) *usertoken.Verifier {
	t.Helper()
	opts = append([]usertoken.VerifierOption{usertoken.WithClock(testClock)}, opts...)
	return must[*usertoken.Verifier](t)(usertoken.NewVerifier(testProject, &projectKey().PublicKey, opts...))
}

// newSourceVerifier returns one with a key source.
func newSourceVerifier(t testing.TB, source jwt.Keyfunc, opts ...usertoken.VerifierOption) *usertoken.Verifier {
	t.Helper()
	opts = append([]usertoken.VerifierOption{usertoken.WithClock(testClock), usertoken.WithKeyfunc(source)}, opts...)
	return must[*usertoken.Verifier](t)(usertoken.NewVerifier(testProject, nil, opts...))
}

func newSigner(t testing.TB, opts ...usertoken.SignerOption) *usertoken.Signer {
	t.Helper()
	opts = append([]usertoken.SignerOption{usertoken.WithClock(testClock)}, opts...)
	return must[*usertoken.Signer](t)(usertoken.NewSigner(testProject, projectKey(), opts...))
}

// part returns a text as a part of a token.
func part(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// signParts returns a token whose first two parts are taken as they are.
func signParts(t testing.TB, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	signed := header + "." + payload
	return signed + "." + part(string(must[[]byte](t)(jwt.SigningMethodRS256.Sign(signed, key))))
}

// sign returns a token with this header and payload.
func sign(t testing.TB, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	return signParts(t, key, part(header), part(payload))
}

func signPayload(t testing.TB, payload string) string {
	t.Helper()
	return sign(t, projectKey(), testHeader, payload)
}

// quoted returns a text as JSON.
func quoted(s string) string {
	data, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(data)
}

// at returns a date, in seconds from now.
func at(seconds int64) string { return fmt.Sprint(testNow.Unix() + seconds) }

// payload returns a valid claims set with changes: pairs of a name and the JSON of its value. A value
// replaces one that is there, and an empty one removes it.
func payload(changes ...string) string {
	names := []string{"sub", "aud", "iat", "exp"}
	values := map[string]string{
		"sub": quoted(testSubject), "aud": quoted(testAudience), "iat": at(-60), "exp": at(3600),
	}
	for i := 0; i < len(changes); i += 2 {
		if _, found := values[changes[i]]; !found {
			names = append(names, changes[i])
		}
		values[changes[i]] = changes[i+1]
	}
	var members []string
	for _, name := range names {
		if values[name] != "" {
			members = append(members, quoted(name)+":"+values[name])
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// payloadAnd returns a valid claims set with more text at the end of the object.
func payloadAnd(members string) string {
	return strings.TrimSuffix(payload(), "}") + "," + members + "}"
}

// payloadWith returns a valid claims set with a permissions claim.
func payloadWith(claim string) string { return payload(permissions.ClaimName, claim) }

// manyMembers returns members to be added to an object.
func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"n%d":0`, i)
	}
	return b.String()
}

// decodeToken returns the header and the payload of a token.
func decodeToken(t testing.TB, token string) (header, payload string) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	decode := base64.RawURLEncoding.DecodeString
	return string(must[[]byte](t)(decode(parts[0]))), string(must[[]byte](t)(decode(parts[1])))
}

func decodeClaims(payload string, opts ...permissions.Option) (*usertoken.Claims, error) {
	c := usertoken.NewClaims(opts...)
	return c, c.UnmarshalJSON([]byte(payload))
}

// ruleTexts returns the rules of a policy with what they grant.
func ruleTexts(p *permissions.Policy) []string {
	var list []string
	for r := range p.Rules() {
		list = append(list, r.String()+" "+r.Grant().String())
	}
	return list
}

// The reasons that a refusal can have. An error must match the right ones of them and no others.
var reasons = []error{
	jwt.ErrTokenMalformed, jwt.ErrTokenUnverifiable, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenInvalidClaims,
	jwt.ErrTokenExpired, jwt.ErrTokenNotValidYet, jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenInvalidAudience,
	jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidSubject, jwt.ErrTokenInvalidId, jwt.ErrTokenRequiredClaimMissing,
	jwt.ErrInvalidKey, permissions.ErrClaim, usertoken.ErrToken, usertoken.ErrKeys, usertoken.ErrSign,
}

// requireReasons requires that an error matches these reasons and no others.
func requireReasons(t testing.TB, err error, want ...error) {
	t.Helper()
	require.Error(t, err)
	var got []error
	for _, reason := range reasons {
		if errors.Is(err, reason) {
			got = append(got, reason)
		}
	}
	require.ElementsMatch(t, want, got, "%v", err)
}

// A refusal is a token with the reasons that it is refused for, beside ErrToken.
type refusal struct {
	name  string
	token string
	is    []error
}

// What a refusal is refused for.
var (
	malformed    = []error{jwt.ErrTokenMalformed}
	badClaim     = []error{jwt.ErrTokenMalformed, permissions.ErrClaim}
	unverifiable = []error{jwt.ErrTokenUnverifiable}
	forged       = []error{jwt.ErrTokenSignatureInvalid}
	expired      = []error{jwt.ErrTokenExpired, jwt.ErrTokenInvalidClaims}
	early        = []error{jwt.ErrTokenNotValidYet, jwt.ErrTokenInvalidClaims}
	unissued     = []error{jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenInvalidClaims}
	audience     = []error{jwt.ErrTokenInvalidAudience, jwt.ErrTokenInvalidClaims}
	issuer       = []error{jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidClaims}
	missing      = []error{jwt.ErrTokenRequiredClaimMissing, jwt.ErrTokenInvalidClaims}
)

// require requires that a verifier refuses the token for its reasons. It returns the message.
func (r refusal) require(t testing.TB, v *usertoken.Verifier) string {
	t.Helper()
	claims, err := v.Verify(r.token)
	require.Nil(t, claims)
	requireReasons(t, err, append([]error{usertoken.ErrToken}, r.is...)...)
	requireTokenError(t, err)
	requireNothingOf(t, r.token, err)
	return err.Error()
}

// requireTokenError requires that an error is a TokenError with all that it must have.
func requireTokenError(t testing.TB, err error) *usertoken.TokenError {
	t.Helper()
	var e *usertoken.TokenError
	require.ErrorAs(t, err, &e)
	require.NotNil(t, e.Kind)
	require.NotEmpty(t, e.Field)
	require.NotEmpty(t, e.Problem)
	require.NotContains(t, e.Error(), "\n")
	require.Less(t, len(e.Error()), 1200, "what it quotes is short")
	return e
}

// requireNothingOf requires that an error repeats no part of a token that is long enough to be of use.
func requireNothingOf(t testing.TB, token string, err error) {
	t.Helper()
	text := fmt.Sprintf("%v %+v %#v", err, err, err)
	const piece = 12
	for i := 0; i+piece <= len(token); i++ {
		if strings.Contains(text, token[i:i+piece]) {
			require.Fail(t, "the error repeats the token", "%q in %s", token[i:i+piece], text)
		}
	}
}

var update = flag.Bool("update", false, "write the files of expected messages in testdata")

// requireMessages compares messages by name with those of a file in testdata.
func requireMessages(t *testing.T, file string, messages map[string]string) {
	t.Helper()
	file = filepath.Join("testdata", file)
	if *update {
		data, err := json.MarshalIndent(messages, "", " ")
		require.NoError(t, err)
		data = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(data)))
		require.NoError(t, os.WriteFile(file, append(data, '\n'), 0o666))
	}
	var want map[string]string
	require.NoError(t, json.Unmarshal(must[[]byte](t)(os.ReadFile(file)), &want))
	for name, message := range messages {
		require.Equal(t, want[name], message, name)
	}
	require.Len(t, messages, len(want), "the file has messages of cases that are gone")
}

// allocated returns how many bytes a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// retained returns how many bytes remain in use for each value that a function makes.
func retained(make func() any) int {
	const n = 50
	var kept [n]any
	inUse := func() int {
		var stats runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&stats)
		return int(stats.HeapAlloc)
	}
	make() // so that what is made once is there
	before := inUse()
	for i := range kept {
		kept[i] = make()
	}
	after := inUse()
	runtime.KeepAlive(kept)
	return (after - before) / n
}
