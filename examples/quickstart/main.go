// Quickstart makes a key and a signed token, verifies the token, and asks what it allows.
//
//	go run ./examples/quickstart
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"io"
	"log"
	"os"
	"text/tabwriter"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

const (
	project = "1f0b7c3e-5c2d-4a57-8d7b-90e2a9c6d311"
	annas   = "3fa85f64-5717-4562-b3fc-2c963f66afa6" // a credential
	bens    = "9b2f3c10-77aa-4e0e-9a58-0f5b7c1d2e3f" // another one
	theirs  = "2f1e4d3c-5b6a-4798-8a9b-0c1d2e3f4a5b" // a configuration
)

// The claim of the token. Events may be sent. In Salesforce, Anna's credential may be used
// and no other. The settings of Team A's configurations may be changed.
const claim = `{
  "integration:*": ["events"],
  "integration:salesforce": {
    "credential:*": false,
    "credential:` + annas + `": ["proxy-api", "workflows"]
  },
  "configuration:ext:Team A": ["settings:write"]
}`

func main() {
	log.SetFlags(0)
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	// A service that issues tokens has a private key and signs. A service that gets tokens has
	// the public key and verifies.
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	signer, err := usertoken.NewSigner(project, key)
	if err != nil {
		return err
	}
	verifier, err := usertoken.NewVerifier(project, &key.PublicKey)
	if err != nil {
		return err
	}

	policy, err := permissions.Parse([]byte(claim))
	if err != nil {
		return err
	}
	token, err := signer.Sign("anna@example.com", policy)
	if err != nil {
		return err
	}
	claims, err := verifier.Verify(token)
	if err != nil {
		return err
	}

	fmt.Fprintf(out, "%s has a token with the claim\n\n%s\n\n", claims.Subject, claim)
	return answer(out, claims.Policy)
}

// answer prints a table of questions with their answers.
func answer(out io.Writer, policy *permissions.Policy) error {
	// A target has everything that is known of an object. These credentials have no external ID.
	salesforce := permissions.Integration("salesforce")
	anna := salesforce.Credential(permissions.ID(annas), permissions.NoExternalID())
	ben := salesforce.Credential(permissions.ID(bens), permissions.NoExternalID())
	id := permissions.ID(theirs)

	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ACTION\tTARGET\tANSWER\tWHY\tRULE")
	for _, question := range []struct {
		action permissions.Permission
		name   string
		target permissions.Target
	}{
		{permissions.Events, "the user", permissions.User()},
		{permissions.ProxyAPI, "Anna's credential", anna},
		{permissions.ProxyAPI, "Ben's credential", ben},
		{permissions.CredentialWrite, "Salesforce, to connect a credential", salesforce},
		{permissions.SettingsRead, "Team A's configuration", ben.Configuration(id, permissions.ExternalID("Team A"))},
		{permissions.Workflows, "a configuration without external ID", anna.Configuration(id, permissions.NoExternalID())},
		{permissions.Workflows, "a configuration that nobody looked up", anna.Configuration(id)},
	} {
		decision := policy.Decide(question.action, question.target)
		answer, rule := "no", "-"
		if decision.Allowed {
			answer = "yes"
		}
		if decision.Rule != (permissions.Rule{}) {
			rule = decision.Rule.String()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", question.action, question.name, answer, decision.Reason, rule)
	}
	return table.Flush()
}
