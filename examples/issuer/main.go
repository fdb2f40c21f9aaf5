// Issuer signs tokens for the members of a team. A member gets no more than what the admin
// who asks for the token has: the policy is narrowed to the member's credentials, and what
// would be wider is refused, with an example of what the admin may not do.
//
//	go run ./examples/issuer
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

const project = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

// A credential is a row of the issuer's database.
type credential struct{ integration, id string }

var (
	annas = []credential{
		{"salesforce", "3fa85f64-5717-4562-b3fc-2c963f66afa6"},
		{"slack", "9b2f3c10-77aa-4e0e-9a58-0f5b7c1d2e3f"},
	}
	bosses = credential{"salesforce", "0b1c2d3e-4f50-4000-8000-00000000000a"}
)

// What the admin's own token says: everything in Salesforce but the boss's credential, and
// in other integrations only the Proxy API.
const adminClaim = `{
  "integration:*": ["proxy-api"],
  "integration:salesforce": {
    "credential:*": ["proxy-api", "settings:write", "workflows"],
    "credential:0b1c2d3e-4f50-4000-8000-00000000000a": false
  }
}`

func main() {
	log.SetFlags(0)
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // a service loads its own: see permissions.ParsePrivateKey
	if err != nil {
		return err
	}
	signer, err := permissions.NewSigner(project, key, permissions.WithLifetime(15*time.Minute))
	if err != nil {
		return err
	}
	admin, err := permissions.Parse([]byte(adminClaim))
	if err != nil {
		return err
	}

	// Anna gets what the admin has on her credentials, and nothing else.
	policy, err := narrow(admin, annas)
	if err != nil {
		return err
	}
	claim, err := policy.MarshalJSON()
	if err != nil {
		return err
	}
	token, err := issue(signer, admin, "anna@example.com", policy)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "signed a token of %d bytes for anna@example.com, with the claim\n\n%s\n\n", len(token), claim)

	verifier, err := permissions.NewVerifier(project, &key.PublicKey)
	if err != nil {
		return err
	}
	claims, err := verifier.Verify(token)
	if err != nil {
		return err
	}
	for _, c := range append(annas, bosses) {
		fmt.Fprintf(out, "workflows on %s %s: %v\n", c.integration, c.id, claims.Policy.Decide(permissions.Workflows, c.target()))
	}

	// Requests for more are refused.
	wide := map[string]func(*permissions.Builder){
		"all of Slack": func(b *permissions.Builder) { b.Integration("slack").AllowAll() },
		"all credentials of Salesforce": func(b *permissions.Builder) {
			b.Integration("salesforce").AnyCredential().Allow(permissions.ProxyAPI)
		},
	}
	for _, what := range []string{"all of Slack", "all credentials of Salesforce"} {
		var b permissions.Builder
		wide[what](&b)
		policy, err := b.Policy()
		if err != nil {
			return err
		}
		_, err = issue(signer, admin, "ben@example.com", policy)
		fmt.Fprintf(out, "\n%s for ben@example.com: %v\n", what, err)
	}
	return nil
}

// target returns the credential as what an action touches. The database knows that it has no
// external ID.
func (c credential) target() permissions.Target {
	return permissions.Target{Integration: c.integration, CredentialID: c.id, CredentialExternalID: permissions.None}
}

// narrow returns a policy that allows what another one allows on some credentials.
func narrow(policy *permissions.Policy, credentials []credential) (*permissions.Policy, error) {
	var b permissions.Builder
	for _, c := range credentials {
		b.Integration(c.integration).Credential(c.id).Grant(policy.Permissions(c.target()))
	}
	return b.Policy()
}

// issue signs a token, unless it would allow what the issuing user is denied.
func issue(signer *permissions.Signer, by *permissions.Policy, subject string, policy *permissions.Policy) (string, error) {
	if ok, q := analyze.Covers(by, policy); !ok {
		return "", fmt.Errorf("refused: it allows %v, and you are %v", q, by.Decide(q.Action, q.Target))
	}
	return signer.Sign(subject, policy)
}
