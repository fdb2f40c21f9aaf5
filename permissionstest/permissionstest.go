// Package permissionstest helps to test code that uses permissions. It makes tokens that verify, without
// a key file, and tokens that must be refused. [Probe] finds handlers that forget an identifier, and [Denials]
// finds those that ask about something else than they do. Assertions say why a policy allows or denies.
//
//	kit := permissionstest.Shared()
//	server := newServer(kit.Verifier())
//	readOnly := permissions.MustParse(`{"integration:*": ["settings:read"]}`)
//
//	w := httptest.NewRecorder()
//	server.ServeHTTP(w, kit.Authorize(t, httptest.NewRequest("DELETE", "/credentials/"+id, nil), "ann", readOnly))
//	if w.Code != http.StatusForbidden {
//		t.Errorf("got %d", w.Code)
//	}
//
// A policy is tested without tokens:
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
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// ProjectID is the project of a Kit's tokens.
const ProjectID = "test-project"

// A Kit has its own key. It signs tokens, and its verifier accepts them. Any number of goroutines can share
// one. The zero Kit fails every test that asks it for a token.
type Kit struct {
	verifier *usertoken.Verifier

	mu      sync.Mutex
	keys    *keys // nil after forget
	problem error // why there are no keys
}

// keys is what a Kit signs with.
type keys struct {
	private *rsa.PrivateKey
	signer  *usertoken.Signer
}

// keyBits is the least that NewVerifier accepts.
const keyBits = 2048

// New returns a Kit with a new key. Making the key takes some tenths of a second: where many tests need a
// Kit, take [Shared]. The options go to the verifier, and those that are for a signer too go to both. An option
// with another source of keys is wrong here, since the Kit has its own. The Kit forgets its key when the test and its
// subtests are over. A wrong option ends the test t.
func New(t testing.TB, opts ...usertoken.VerifierOption) *Kit {
	t.Helper()
	k, err := newKit(opts)
	if err != nil {
		t.Fatalf("permissionstest: %v", err)
	}
	t.Cleanup(k.forget)
	return k
}

// Shared returns the Kit that all tests of a test binary share, so that its key is made once. It never forgets its key.
// Its verifier has no options, so it accepts a token without the permissions claim. A service whose own verifier has
// options, such as [usertoken.RequireClaim], should give the same ones to [New].
func Shared() *Kit { return shared() }

// shared makes the Kit on its first call.
var shared = sync.OnceValue(func() *Kit {
	k, err := newKit(nil)
	if err != nil {
		return &Kit{problem: err}
	}
	return k
})

func newKit(opts []usertoken.VerifierOption) (*Kit, error) {
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, err
	}
	verifier, err := usertoken.NewVerifier(ProjectID, &private.PublicKey, opts...)
	if err != nil {
		return nil, err
	}
	var signing []usertoken.SignerOption
	for _, opt := range opts {
		if both, ok := opt.(usertoken.SignerOption); ok {
			signing = append(signing, both)
		}
	}
	signer, err := usertoken.NewSigner(ProjectID, private, signing...)
	if err != nil {
		return nil, err
	}
	return &Kit{verifier: verifier, keys: &keys{private, signer}}, nil
}

func (k *Kit) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.problem = nil, errors.New("the test of this Kit is over, and its key is forgotten")
}

// take returns the keys. A Kit without keys ends the test t.
func (k *Kit) take(t testing.TB) *keys {
	t.Helper()
	k.mu.Lock()
	keys, problem := k.keys, k.problem
	k.mu.Unlock()
	if keys == nil && problem == nil {
		problem = errors.New("this is the zero Kit; New makes one")
	}
	if problem != nil {
		t.Fatalf("permissionstest: %v", problem)
	}
	return keys
}

// Verifier returns the verifier. It accepts the tokens of this Kit and those of keys that options add,
// and no others. The zero Kit returns nil, which accepts no token.
func (k *Kit) Verifier() *usertoken.Verifier { return k.verifier }

// Token returns a token for a subject with a policy, valid for an hour from now on. With
// [permissions.Unrestricted] the token has no permissions claim, so it allows everything. Options add
// what else a token may have: [usertoken.WithClaims] other claims, [usertoken.WithTokenID] a jti.
//
// What [usertoken.Signer.Sign] refuses, such as an empty subject or a nil policy, ends the test t.
func (k *Kit) Token(t testing.TB, subject string, policy *permissions.Policy, opts ...usertoken.SignOption) string {
	t.Helper()
	return k.take(t).token(t, subject, policy, opts)
}

func (k *keys) token(
	t testing.TB, subject string, policy *permissions.Policy, opts []usertoken.SignOption,
) (token string) {
	t.Helper()
	var err error
	if policy.IsUnrestricted() {
		token, err = k.signer.SignUnrestricted(subject, opts...)
	} else {
		token, err = k.signer.Sign(subject, policy, opts...)
	}
	if err != nil {
		t.Fatalf("permissionstest: %v", err)
	}
	return token
}

// Authorize gives a request the token that [Kit.Token] returns, in place of any that it had, and returns
// the request. It may be a request for a server, of [net/http/httptest.NewRequest], or one for a client.
func (k *Kit) Authorize(
	t testing.TB, r *http.Request, subject string, policy *permissions.Policy, opts ...usertoken.SignOption,
) *http.Request {
	t.Helper()
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	maps.DeleteFunc(r.Header, func(name string, _ []string) bool { return strings.EqualFold(name, "Authorization") })
	r.Header.Set("Authorization", "Bearer "+k.Token(t, subject, policy, opts...))
	return r
}
