// Issuer signs tokens for the members of a team. Nobody gets more than the admin who asks for the token has:
// what is asked for is narrowed to what the admin may do, and the narrowed claim is signed. A request that no
// claim can answer exactly is refused, with the question that shows why.
//
//	go run ./examples/issuer
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
	"github.com/connectperms/permissions/usertoken"
)

const project = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"

// A credential is a row of the issuer's database.
type credential struct{ owner, integration, id string }

var (
	annas  = credential{"Anna's", "salesforce", "3fa85f64-5717-4562-b3fc-2c963f66afa6"}
	bosses = credential{"the boss's", "salesforce", "0b1c2d3e-4f50-4000-8000-00000000000a"}
	shared = credential{"the shared", "slack", "9b2f3c10-77aa-4e0e-9a58-0f5b7c1d2e3f"}
)

// What the admin's own token says: everything in Salesforce that the team needs, except with the boss's
// credential, and in other integrations only the Proxy API.
const adminClaim = `{
  "integration:*": ["proxy-api"],
  "integration:salesforce": {
    "credential:*": ["proxy-api", "settings:write", "workflows"],
    "credential:0b1c2d3e-4f50-4000-8000-00000000000a": false
  }
}`

// What the admin asks for in Anna's name: all that can be done with two credentials, and to read the settings of the
// other credentials in Salesforce.
const annasRequest = `{
  "integration:salesforce": {
    "credential:*": ["settings:read"],
    "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": true
  },
  "integration:slack": {"credential:9b2f3c10-77aa-4e0e-9a58-0f5b7c1d2e3f": true}
}`

// Another admin's token has the exception by external ID, and the request for Ben names a credential by ID.
// Which ID belongs to which external ID is not known here, and no rule can name both.
const (
	otherAdminClaim = `{"integration:*": ["proxy-api"], "credential:ext:boss": false}`
	bensRequest     = `{"credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": ["proxy-api"]}`
)

func main() {
	log.SetFlags(0)
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // a service loads its own: see usertoken.ParsePrivateKey
	if err != nil {
		return err
	}
	signer, err := usertoken.NewSigner(project, key, usertoken.WithLifetime(15*time.Minute))
	if err != nil {
		return err
	}
	verifier, err := usertoken.NewVerifier(project, &key.PublicKey, usertoken.RequireClaim())
	if err != nil {
		return err
	}
	admin, err := received(signer, verifier, adminClaim)
	if err != nil {
		return err
	}
	requested, err := permissions.Parse([]byte(annasRequest))
	if err != nil {
		return err
	}

	// Anna gets what the admin asks for, as far as the admin has it.
	token, err := issue(signer, admin, "anna@example.com", requested)
	if err != nil {
		return err
	}
	claims, err := verifier.Verify(token)
	if err != nil {
		return err
	}
	signed, err := claims.Policy.MarshalJSON()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The token for %s has %d bytes and this claim:\n\n%s\n\n", claims.Subject, len(token), signed)
	fmt.Fprint(out, "It allows what the admin has and asked for, and nothing else:\n\n")
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "question\tadmin has\tasked for\tsigned\n")
	for _, q := range []struct {
		action permissions.Permission
		with   credential
	}{
		{permissions.Workflows, annas}, {permissions.CredentialWrite, annas},
		{permissions.SettingsRead, bosses}, {permissions.Workflows, bosses},
		{permissions.ProxyAPI, shared}, {permissions.Workflows, shared},
	} {
		fmt.Fprintf(w, "%s with %s %s credential", q.action, q.with.owner, q.with.integration)
		for _, policy := range []*permissions.Policy{admin.Policy, requested, claims.Policy} {
			fmt.Fprintf(w, "\t%s", answer(policy, q.action, q.with))
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	both, err := permissions.Intersect(admin.Policy, requested)
	if err != nil {
		return err
	}
	if equal, q := analyze.Equal(both, claims.Policy); !equal {
		return fmt.Errorf("the token says something else on %v", q)
	}
	fmt.Fprintln(out, "\nanalyze.Equal proves that the same is true of every other question.")

	// No claim says what the other admin has and asks for together, so nothing is signed.
	if admin, err = received(signer, verifier, otherAdminClaim); err != nil {
		return err
	}
	if requested, err = permissions.Parse([]byte(bensRequest)); err != nil {
		return err
	}
	_, err = issue(signer, admin, "ben@example.com", requested)
	var refused *permissions.NarrowError
	if !errors.As(err, &refused) {
		return fmt.Errorf("the request was not refused as it must be: %w", err)
	}
	fmt.Fprintf(out, "\nNo token was signed for ben@example.com:\n\n%v\n", err)
	return nil
}

// received returns the claims of the token that an admin sends with a request.
func received(signer *usertoken.Signer, verifier *usertoken.Verifier, claim string) (*usertoken.Claims, error) {
	policy, err := permissions.Parse([]byte(claim))
	if err != nil {
		return nil, err
	}
	token, err := signer.Sign("admin@example.com", policy)
	if err != nil {
		return nil, err
	}
	return verifier.Verify(token)
}

// teams is in place of your database: for whom an admin may sign. A policy says what, and not whose.
var teams = map[string][]string{"admin@example.com": {"anna@example.com", "ben@example.com"}}

// issue signs a token with what is requested, as far as the admin has it, for somebody whom the admin may sign for. It
// does not outlive the admin's token.
func issue(signer *usertoken.Signer, admin *usertoken.Claims, subject string, requested *permissions.Policy) (
	string, error,
) {
	if !slices.Contains(teams[admin.Subject], subject) {
		return "", fmt.Errorf("%s may not sign for this subject", admin.Subject)
	}
	narrowed, err := permissions.Narrow(admin.Policy, requested)
	if err != nil {
		return "", err
	}
	return signer.Sign(subject, narrowed, usertoken.WithLatestExpiry(admin.ExpiresAt.Time))
}

func answer(p *permissions.Policy, action permissions.Permission, c credential) string {
	// The database says that none of the credentials has an external ID.
	target := permissions.Integration(c.integration).Credential(permissions.ID(c.id), permissions.NoExternalID())
	if action == permissions.Workflows || action == permissions.SettingsRead {
		target = target.Configuration(permissions.NoID(), permissions.NoExternalID())
	}
	if p.Allowed(action, target) {
		return "yes"
	}
	return "no"
}
