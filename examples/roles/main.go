// Roles composes policies from three roles: admin, member of a team, and read-only. It prints the claim of
// each, a table of answers, and what Compose says of roles that do not go together.
//
//	go run ./examples/roles
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"text/tabwriter"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/roles"
)

var (
	// An admin may do everything.
	admin = roles.MustNew("admin", `{"integration:*": true}`)

	// A member may use and change the configurations of a team, in some integrations.
	member = roles.MustNew("member", `{
	  "integration:${integrations}": {
	    "configuration:ext:${team}": ["config:write", "settings:write", "metadata:read", "proxy-api", "workflows"]
	  }
	}`)

	// A reader sees settings and metadata everywhere.
	readOnly = roles.MustNew("read-only", `{"integration:*": ["settings:read", "metadata:read"]}`)
)

const credentialID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

// Two configurations of a Slack credential, and one of a Jira credential.
var (
	slack = permissions.Integration("slack").Credential(permissions.ID(credentialID), permissions.NoExternalID())
	jira  = permissions.Integration("jira").Credential(permissions.NoID(), permissions.NoExternalID())

	ofTeamA = slack.Configuration(permissions.NoID(), permissions.ExternalID("Team A"))
	ofTeamB = slack.Configuration(permissions.NoID(), permissions.ExternalID("Team B"))
	ofJira  = jira.Configuration(permissions.NoID(), permissions.ExternalID("Team A"))
)

func main() {
	log.SetFlags(0)
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(out io.Writer) error {
	teamA := member.With(roles.Args{"integrations": {"slack", "salesforce"}, "team": {"Team A"}})
	people := []struct {
		name  string
		roles []roles.Assignment
	}{
		{"admin", []roles.Assignment{admin.With(nil)}},
		{"member", []roles.Assignment{teamA}},
		{"read-only", []roles.Assignment{readOnly.With(nil)}},
		{"member, read-only", []roles.Assignment{teamA, readOnly.With(nil)}},
	}
	var policies []*permissions.Policy
	for _, p := range people {
		policy, err := roles.Compose(p.roles...)
		if err != nil {
			return err
		}
		claim, err := policy.MarshalJSON()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s\n  %s\n", p.name, claim)
		policies = append(policies, policy)
	}

	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "action\ton\tadmin\tmember\tread-only\tmember, read-only\n")
	for _, q := range []struct {
		action permissions.Permission
		on     string
		target permissions.Target
	}{
		{permissions.SettingsRead, "Slack, Team A", ofTeamA},
		{permissions.SettingsWrite, "Slack, Team A", ofTeamA},
		{permissions.SettingsRead, "Slack, Team B", ofTeamB},
		{permissions.SettingsWrite, "Slack, Team B", ofTeamB},
		{permissions.Workflows, "Slack, Team A", ofTeamA},
		{permissions.Workflows, "Jira, Team A", ofJira},
		{permissions.ProxyAPI, "Slack, Team A", ofTeamA},
		{permissions.ProxyAPI, "the Slack credential", slack},
		{permissions.CredentialWrite, "the Slack credential", slack},
		{permissions.MetadataRead, "the user", permissions.User()},
		{permissions.MetadataWrite, "the user", permissions.User()},
	} {
		fmt.Fprintf(w, "%s\t%s", q.action, q.on)
		for _, policy := range policies {
			answer := "no"
			if policy.Allowed(q.action, q.target) {
				answer = "yes"
			}
			fmt.Fprintf(w, "\t%s", answer)
		}
		fmt.Fprintln(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}

	// A role that withholds what another one grants.
	noSlack := roles.MustNew("no-slack", `{"integration:slack": false}`)
	_, err := roles.Compose(readOnly.With(nil), noSlack.With(nil))
	fmt.Fprintf(out, "\nread-only with no-slack:\n  %v\n", err)

	// A grant at an integration beside more specific ones in it, which no claim can say.
	notifier := roles.MustNew("notifier", `{"integration:slack": ["events"]}`)
	_, err = roles.Compose(teamA, notifier.With(nil))
	fmt.Fprintf(out, "\nmember with notifier:\n  %v\n", err)

	// What to write instead: the grant for every integration, because events act on what they are asked of.
	everywhere := roles.MustNew("notifier", `{"integration:*": ["events"]}`)
	policy, err := roles.Compose(teamA, everywhere.With(nil))
	if err != nil {
		return err
	}
	claim, err := policy.MarshalJSON()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nmember with a notifier of every integration:\n  %s\n", claim)
	return nil
}
