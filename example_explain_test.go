package permissions_test

import (
	"fmt"
	"slices"

	"github.com/connectperms/permissions"
)

// A ticket asks why a member cannot change the settings of a configuration.
func ExamplePolicy_Explain() {
	policy := permissions.MustParse(`{
		"integration:*": ["settings:write", "proxy-api"],
		"integration:slack": {
			"credential:*": ["proxy-api"],
			"configuration:ext:Team A": true
		}
	}`)
	fmt.Println(policy.Explain(permissions.SettingsWrite, permissions.Target{
		Integration:             "slack",
		CredentialID:            "3fa85f64-5717-4562-b3fc-2c963f66afa6",
		CredentialExternalID:    permissions.None,
		ConfigurationExternalID: "Team B",
		ConfigurationID:         "0b1c2d3e-0000-4000-8000-00000000000a",
	}))
	// Output:
	// denied: "settings:write" on integration "slack", credential external ID none, credential ID "3fa85f64-5717-4562-b3fc-2c963f66afa6", configuration external ID "Team B", configuration ID "0b1c2d3e-0000-4000-8000-00000000000a"
	// reason: integration:slack/credential:* grants proxy-api
	//   integration:slack/credential:*/configuration:ext:Team A  grants all                                       does not match the configuration
	//   integration:slack/credential:*                           grants proxy-api                                 decides
	//   integration:*                                            grants settings:read, settings:write, proxy-api  overridden by integration:slack/credential:*
	// hint: integration:slack/credential:* stands above integration:*, which grants it
}

// Connecting a credential is about one that has no name yet (SPEC 4.3), and nobody has said
// whether it will have an external ID.
func ExamplePolicy_Explain_undetermined() {
	policy := permissions.MustParse(`{"integration:*": true, "credential:ext:acme": false}`)
	fmt.Println(policy.Explain(permissions.CredentialWrite, permissions.Target{Integration: "slack"}))
	// Output:
	// denied: "credential:write" on integration "slack"
	// asked about a credential that is to be created and has no name yet
	// reason: it may depend on the credential external ID, which the target leaves open
	//   integration:*/credential:ext:acme  grants none  would decide with that credential external ID
	//   integration:*                      grants all   may be overridden by integration:*/credential:ext:acme
	// hint: name the credential that is to be created: its ID is None, and its external ID too if it will have none
}

// A page lists the credentials that a request may use.
func ExampleFilter() {
	type credential struct{ ID, ExternalID, Name string }
	credentials := []credential{
		{"c1", "acme", "Acme"}, {"c2", "", "Beta"}, {"c3", "gamma", "Gamma"},
	}
	target := func(c credential) permissions.Target {
		t := permissions.Target{Integration: "slack", CredentialID: c.ID, CredentialExternalID: c.ExternalID}
		if c.ExternalID == "" {
			t.CredentialExternalID = permissions.None // looked up, and not there
		}
		return t
	}

	policy := permissions.MustParse(`{"integration:*": true, "credential:ext:acme": false}`)
	for c := range permissions.Filter(policy, permissions.ProxyAPI, slices.Values(credentials), target) {
		fmt.Println(c.Name)
	}
	// Output:
	// Beta
	// Gamma
}

// The same, with a database that leaves out what is denied.
func ExamplePolicy_SelectCredentials() {
	policy := permissions.MustParse(`{
		"integration:*": true,
		"integration:slack": {
			"credential:ext:acme": false,
			"credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": true,
			"credential:0b1c2d3e-0000-4000-8000-00000000000a": ["events"]
		}
	}`)
	selection := policy.SelectCredentials(permissions.ProxyAPI, "slack")

	// For PostgreSQL, with a column id of type uuid and a column external_id of type text.
	args := []any{"slack"}
	where := selection.SQL("id::text", "external_id", func(expr string, list []string) string {
		args = append(args, list)
		return fmt.Sprintf("%s = ANY($%d)", expr, len(args))
	})
	fmt.Println("SELECT name FROM credentials WHERE integration = $1 AND " + where)
	for i, arg := range args {
		fmt.Printf("$%d: %v\n", i+1, arg)
	}
	// Output:
	// SELECT name FROM credentials WHERE integration = $1 AND ((id::text IS NULL OR NOT (id::text = ANY($2))) AND ((id::text = ANY($3)) OR (external_id IS NULL OR NOT (external_id = ANY($4)))))
	// $1: slack
	// $2: [0b1c2d3e-0000-4000-8000-00000000000a]
	// $3: [3fa85f64-5717-4562-b3fc-2c963f66afa6]
	// $4: [acme]
}

// A store that is no SQL database takes the conditions as they are.
func ExampleSelection_Conditions() {
	policy := permissions.MustParse(`{"integration:slack": {"credential:a": true, "credential:b": true, "credential:ext:acme": true}}`)
	for _, c := range policy.SelectCredentials(permissions.ProxyAPI, "slack").Conditions() {
		fmt.Printf("%+v\n", c)
	}
	// Output:
	// {IDs:[a b] NotIDs:false ExternalIDs:[acme] NotExternalIDs:false}
}
