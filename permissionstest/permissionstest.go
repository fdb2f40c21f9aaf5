// Package permissionstest is for the tests of programs that use permissions: tokens that
// verify, without a key file, and assertions that say why.
//
//	kit := permissionstest.New(t)
//	server := newServer(kit.Verifier())
//	readOnly := permissions.MustParse(`{"integration:*": ["settings:read"]}`)
//
//	w := httptest.NewRecorder()
//	server.ServeHTTP(w, kit.Authorize(t, httptest.NewRequest("DELETE", "/credentials/7", nil), "ann", readOnly))
//	if w.Code != http.StatusForbidden {
//		t.Errorf("got %d", w.Code)
//	}
//
// What a policy allows is tested without tokens:
//
//	permissionstest.AssertAllowed(t, readOnly, permissions.SettingsRead, target)
//	permissionstest.AssertDenied(t, readOnly, permissions.SettingsWrite, target)
//	permissionstest.AssertCases(t, readOnly, []permissionstest.Case{
//		{Action: permissions.SettingsRead, Target: target, Allowed: true},
//		{Action: permissions.SettingsWrite, Target: target, Allowed: false},
//	})
package permissionstest

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"sync"
	"testing"

	"github.com/connectperms/permissions"
)

// ProjectID is the project of a Kit's tokens.
const ProjectID = "test-project"

// A Kit is a signer of tokens and a verifier that accepts them, with a key of their own. Any
// number of goroutines can share one: make it in a test and use it in its subtests.
type Kit struct {
	verifier *permissions.Verifier

	mu     sync.Mutex
	signer *permissions.Signer // nil once the test is over
}

// keyBits is the least that NewVerifier takes.
const keyBits = 2048

// New returns a Kit with a new key, which it forgets when the test and its subtests are
// over. Making the key takes some 50 milliseconds. The options go to the verifier, and those
// that are for a signer too to both of them. A wrong option ends the test.
func New(t testing.TB, opts ...permissions.VerifierOption) *Kit {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatalf("permissionstest: %v", err)
	}
	verifier, err := permissions.NewVerifier(ProjectID, &key.PublicKey, opts...)
	if err != nil {
		t.Fatalf("permissionstest: %v", err)
	}
	var signing []permissions.SignerOption
	for _, opt := range opts {
		if both, ok := opt.(permissions.SignerOption); ok {
			signing = append(signing, both)
		}
	}
	signer, err := permissions.NewSigner(ProjectID, key, signing...)
	if err != nil {
		t.Fatalf("permissionstest: %v", err)
	}
	k := &Kit{verifier: verifier, signer: signer}
	t.Cleanup(func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.signer = nil
	})
	return k
}

// Verifier returns the verifier, which accepts the tokens of this Kit and no others.
func (k *Kit) Verifier() *permissions.Verifier { return k.verifier }

// Token returns a token for a subject with a policy, valid for an hour from now on. With
// [permissions.Unrestricted] the token has no permissions claim. What
// [permissions.Signer.Sign] refuses, such as an empty subject or a nil policy, ends the test
// t, and so does a Kit whose own test is over.
func (k *Kit) Token(t testing.TB, subject string, policy *permissions.Policy) string {
	t.Helper()
	k.mu.Lock()
	signer := k.signer
	k.mu.Unlock()
	if signer == nil {
		t.Fatalf("permissionstest: the test of this Kit is over, and its key forgotten")
	}
	sign := signer.Sign
	if policy.IsUnrestricted() {
		sign = func(subject string, _ *permissions.Policy) (string, error) { return signer.SignUnrestricted(subject) }
	}
	token, err := sign(subject, policy)
	if err != nil {
		t.Fatalf("permissionstest: %v", err)
	}
	return token
}

// Authorize gives a request the token that [Kit.Token] returns, in place of any that it had,
// and returns it. The request may be one for a server, of [net/http/httptest.NewRequest], or
// for a client.
func (k *Kit) Authorize(t testing.TB, r *http.Request, subject string, policy *permissions.Policy) *http.Request {
	t.Helper()
	r.Header.Set("Authorization", "Bearer "+k.Token(t, subject, policy))
	return r
}
