package tokens_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/explorer/tokens"
	"github.com/connectperms/permissions/usertoken"
)

const project = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

// issued is when the tokens of the tests are issued. They are valid for an hour.
var issued = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

type answer struct {
	Kind, Header, Payload                       string
	Claim                                       *string
	Subject, Issuer, Issued, NotBefore, Expires string
	Audience                                    []string
	Verification                                struct{ State, Message, Field, Found, Problem, Remedy string }
	Error                                       struct{ Code, Message, Field, Problem, Remedy string }
}

// ask decodes a token, and fails if the answer holds it or its signature.
func ask(t *testing.T, request map[string]string, now time.Time) (a answer) {
	t.Helper()
	text, err := json.Marshal(request)
	require.NoError(t, err)
	raw := tokens.Call(string(text), func() time.Time { return now })
	if parts := strings.Split(strings.TrimSpace(request["text"]), "."); len(parts) == 3 && len(parts[2]) > 8 {
		require.NotContains(t, string(raw), parts[2])
		require.NotContains(t, string(raw), parts[1])
	}
	require.NoError(t, json.Unmarshal(raw, &a))
	return a
}

func newKey(t *testing.T) (key *rsa.PrivateKey, public string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestToken(t *testing.T) {
	key, public := newKey(t)
	_, otherPublic := newKey(t)
	signer, err := usertoken.NewSigner(project, key, usertoken.WithClock(func() time.Time { return issued }),
		usertoken.WithLifetime(time.Hour))
	require.NoError(t, err)
	token, err := signer.Sign("anna", permissions.MustParse(`{"integration:*":["events"]}`))
	require.NoError(t, err)
	everything, err := signer.SignUnrestricted("anna")
	require.NoError(t, err)

	for _, test := range []struct {
		name            string
		text            string
		key, project    string
		at              string
		state, says     string
		field, audience string
	}{
		{name: "verified", text: token, key: public, project: project, state: "verified", says: "are right"},
		{
			name: "in a header", text: " bearer " + token + "\n", key: public, project: project,
			state: "verified", says: "are right",
		},
		{
			name: "an audience of another host", text: token, key: public, project: "useparagon.com/" + project,
			state: "verified", says: "are right",
		},
		{name: "without the claim", text: everything, key: public, project: project, state: "verified", says: "are right"},
		{
			name: "at another time", text: token, key: public, project: project, at: "2026-03-04T07:00:00Z",
			state: "refused", says: "exp", field: "exp",
		},
		{
			name: "before it was issued", text: token, key: public, project: project, at: "2026-03-04T05:00:00Z",
			state: "refused", says: "iat", field: "iat",
		},
		{
			name: "another project", text: token, key: public, project: "x", state: "refused", says: "aud", field: "aud",
		},
		{
			name: "another key", text: token, key: otherPublic, project: project,
			state: "refused", says: "signature", field: "signature",
		},
		{
			name: "a key that is not one", text: token, key: "x", project: project,
			state: "refused", says: "the key: ", field: "key",
		},
		{
			name: "an audience that is not the token's", text: token, key: public, project: "a/b", state: "refused",
			says: "aud", field: "aud",
		},
		{name: "without both", text: token, state: "not verified", says: "no public key and no project ID were given"},
		{name: "without a key", text: token, project: project, state: "not verified", says: "no public key was given"},
		{name: "without a project", text: token, key: public, state: "not verified", says: "no project ID was given"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, map[string]string{"text": test.text, "key": test.key, "project": test.project, "at": test.at},
				issued.Add(time.Minute))
			require.Equal(t, test.state, got.Verification.State)
			require.Contains(t, got.Verification.Message, test.says)
			require.Equal(t, test.field, got.Verification.Field)
			require.Equal(t, "token", got.Kind)
			require.Contains(t, got.Header, `"alg": "RS256"`)
			require.Contains(t, got.Payload, `"sub": "anna"`)
			require.Equal(t, "anna", got.Subject)
			require.Equal(t, []string{"useparagon.com/" + project}, got.Audience)
			require.Equal(t, "2026-03-04T05:06:07Z", got.Issued)
			require.Equal(t, "2026-03-04T06:06:07Z", got.Expires)
			if test.text == everything {
				require.Nil(t, got.Claim)
			} else {
				require.Equal(t, `{"integration:*":["events"]}`, *got.Claim)
			}
		})
	}
}

func TestPayload(t *testing.T) {
	const name = permissions.ClaimName
	for _, test := range []struct {
		name, payload string
		claim         string // "none" if there is none
		says          string
		check         func(t *testing.T, a answer)
	}{
		{name: "with a claim", payload: `{"` + name + `": {"integration:*": true}}`, claim: `{"integration:*": true}`},
		{
			name: "with a claim that has a mistake", payload: `{"` + name + `": {"x": true}}`, claim: `{"x": true}`,
			says: `"x" is not a scope`,
		},
		{name: "with null for the claim", payload: `{"` + name + `": null}`, claim: `null`, says: "null"},
		{name: "without the claim", payload: `{"sub": "a"}`, claim: "none"},
		{
			name: "with a name that is nearly that of the claim", claim: "none",
			payload: `{"urn:useparagon:connect:permission": {}}`,
			says:    name,
		},
		{name: "with a repeated name", payload: `{"sub": "a", "sub": "b"}`, claim: "none", says: "sub"},
		{
			name: "with times and audiences", claim: "none",
			payload: `{"iss": "https://a.example/", "nbf": 1, "iat": 1.9, "exp": 253402300799, "aud": ["a", "b"]}`,
			check: func(t *testing.T, a answer) {
				require.Equal(t, "https://a.example/", a.Issuer)
				require.Equal(t, "1970-01-01T00:00:01Z", a.NotBefore)
				require.Equal(t, "1970-01-01T00:00:01Z", a.Issued)
				require.Equal(t, "9999-12-31T23:59:59Z", a.Expires)
				require.Equal(t, []string{"a", "b"}, a.Audience)
			},
		},
		{
			name: "with values of other types", claim: "none", says: "a verifier would refuse it",
			payload: `{"iss": 1, "nbf": null, "iat": "1", "exp": 253402300800, "aud": 5, "sub": {}}`,
			check: func(t *testing.T, a answer) {
				require.Empty(t, a.Issuer+a.NotBefore+a.Issued+a.Expires+a.Subject)
				require.Empty(t, a.Audience)
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, map[string]string{"text": test.payload, "key": "x", "project": "y"}, issued)
			require.Equal(t, "payload", got.Kind)
			require.Equal(t, "not verified", got.Verification.State)
			require.Contains(t, got.Verification.Message, "a payload has no signature")
			require.Contains(t, got.Verification.Message, test.says)
			require.Equal(t, test.says != "", strings.Contains(got.Verification.Message, "a verifier would refuse it"))
			require.JSONEq(t, test.payload, got.Payload)
			if test.claim == "none" {
				require.Nil(t, got.Claim)
			} else {
				require.Equal(t, test.claim, *got.Claim)
			}
			if test.check != nil {
				test.check(t, got)
			}
		})
	}
}

func TestWhatIsNotAToken(t *testing.T) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, test := range []struct{ name, text, field, problem string }{
		{"nothing", "", "token", "it does not have three parts separated by dots"},
		{"two parts", "a.b", "token", "it does not have three parts separated by dots"},
		{"a header that is not base64url", "a+b.b.c", "header", "it is not base64url"},
		{"a header that is not JSON", encode([]byte("x")) + ".b.c", "header", "it is not JSON"},
		{"a payload that is not base64url", encode([]byte("{}")) + ".=.c", "payload", "it is not base64url"},
		{
			"a payload that is not an object", encode([]byte("{}")) + "." + encode([]byte("[]")) + ".c",
			"payload", "it is not a JSON object",
		},
		{"null", encode([]byte("{}")) + "." + encode([]byte("null")) + ".c", "payload", "it is not a JSON object"},
		{"half an object", `{"sub": `, "payload", "it is not a JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := ask(t, map[string]string{"text": test.text}, issued)
			require.Equal(t, "token", got.Error.Code)
			require.Equal(t, test.field, got.Error.Field)
			require.Equal(t, test.problem, got.Error.Problem)
			require.NotEmpty(t, got.Error.Remedy)
		})
	}
	t.Run("a time that is not one", func(t *testing.T) {
		got := ask(t, map[string]string{"text": "{}", "at": "yesterday"}, issued)
		require.Equal(t, "at", got.Error.Field)
	})
	t.Run("another member", func(t *testing.T) {
		got := ask(t, map[string]string{"text": "{}", "secret": "x"}, issued)
		require.Equal(t, "request", got.Error.Code)
	})
}
