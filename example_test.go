package permissions_test

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/connectperms/permissions"
)

// exampleID is the ID of a credential, which is a UUID.
const exampleID = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

// A handler reads the claim of a token, and asks before it sends a request to the Proxy API.
func Example() {
	policy, err := permissions.Parse([]byte(`{
		"integration:*": ["events"],
		"integration:slack": {"credential:*": ["proxy-api"]}
	}`))
	if err != nil {
		log.Fatal(err)
	}
	for _, integration := range []string{"slack", "salesforce"} {
		credential := permissions.Integration(integration).Credential(permissions.ID(exampleID), permissions.NoExternalID())
		fmt.Println(integration, policy.Allowed(permissions.ProxyAPI, credential))
	}
	// Output:
	// slack true
	// salesforce false
}

func ExampleParse() {
	policy, err := permissions.Parse([]byte(`{
		"integration:*": ["events"],
		"integration:slack": {"credential:*": ["proxy-api", "settings:read"]}
	}`))
	if err != nil {
		log.Fatal(err)
	}
	for rule := range policy.Rules() {
		fmt.Printf("%s grants %s (%s)\n", rule, rule.Grant(), rule.Pointer())
	}
	// Output:
	// integration:* grants events (/integration:*)
	// integration:"slack"/credential:* grants settings:read, proxy-api (/integration:slack/credential:*)
}

// An error says where the mistake is, and what was probably meant.
func ExampleParseError() {
	_, err := permissions.Parse([]byte(`{"integration:slack": ["events", "proxy_api"]}`))
	fmt.Println(err)

	var mistake *permissions.ParseError
	if errors.As(err, &mistake) {
		fmt.Println(mistake.Pointer, mistake.Offset, mistake.Found)
		fmt.Println(mistake.Remedy)
	}
	fmt.Println(errors.Is(err, permissions.ErrUnknownPermission), errors.Is(err, permissions.ErrClaim))
	// Output:
	// permissions: claim at "/integration:slack/1" (byte 33): "proxy_api" is not a permission; did you mean "proxy-api"?
	// /integration:slack/1 33 "proxy_api"
	// did you mean "proxy-api"?
	// true true
}

// A token without the claim may do everything. FromValue reads a claim that a JSON library has decoded.
func ExampleUnrestricted() {
	for _, token := range []string{
		`{"sub": "anna@example.com"}`,
		`{"sub": "anna@example.com", "urn:useparagon:connect:permissions": {"integration:slack": true}}`,
	} {
		var claims map[string]any
		if err := json.Unmarshal([]byte(token), &claims); err != nil {
			log.Fatal(err)
		}
		policy := permissions.Unrestricted()
		if claim, ok := claims[permissions.ClaimName]; ok {
			var err error
			if policy, err = permissions.FromValue(claim); err != nil {
				log.Fatal(err)
			}
		}
		fmt.Println(policy.IsUnrestricted(), policy.Allowed(permissions.Events, permissions.Integration("jira")))
	}
	// Output:
	// true true
	// false false
}

func ExamplePolicy_Check() {
	policy := permissions.MustParse(`{"integration:*": true, "integration:slack": ["proxy-api"]}`)

	err := policy.Check(permissions.Events, permissions.Integration("slack"))
	fmt.Println(err)
	fmt.Println("denied:", errors.Is(err, permissions.ErrDenied))

	err = policy.Check(permissions.Events, permissions.Integration("")) // from an empty form field
	fmt.Println(err)
	fmt.Println("denied:", errors.Is(err, permissions.ErrDenied), "invalid:", errors.Is(err, permissions.ErrQuestion))
	// Output:
	// permissions: "events" on integration "slack" denied: integration:"slack" grants proxy-api
	// denied: true
	// permissions: invalid question: integration is empty; the user is User(), never an empty name
	// denied: true invalid: true
}

// What is not given is unknown. A policy does not say yes if what is unknown could make it a no.
func ExampleTarget_Credential() {
	policy := permissions.MustParse(`{"integration:*": true, "credential:ext:acme": false}`)
	slack := permissions.Integration("slack")

	fmt.Println(policy.Decide(permissions.ProxyAPI, slack.Credential(permissions.ID(exampleID))))
	fmt.Println(policy.Decide(permissions.ProxyAPI, slack.Credential(permissions.ID(exampleID),
		permissions.ExternalID("acme"))))
	// The database says that this credential has no external ID.
	fmt.Println(policy.Decide(permissions.ProxyAPI, slack.Credential(permissions.ID(exampleID),
		permissions.NoExternalID())))
	// Output:
	// denied: it depends on the credential external ID, which was not given
	// denied: integration:*/credential:ext:"acme" grants none
	// allowed: integration:* grants all
}

// A new configuration has no ID yet.
func ExampleTarget_Configuration() {
	policy := permissions.MustParse(`{"integration:*": true, "configuration:ext:Team A": false}`)
	credential := permissions.Integration("slack").Credential(permissions.ID(exampleID), permissions.NoExternalID())

	for _, team := range []string{"Team A", "Team B"} {
		configuration := credential.Configuration(permissions.NoID(), permissions.ExternalID(team))
		fmt.Println(team, policy.Allowed(permissions.ConfigWrite, configuration))
	}
	// Output:
	// Team A false
	// Team B true
}

// A request header names a credential by its ID or by its external ID.
func ExampleReference() {
	for _, header := range []string{exampleID, "acme", "ext:acme"} {
		fmt.Println(permissions.Integration("slack").Credential(permissions.Reference(header)))
	}
	// Output:
	// integration "slack", credential ID 3fa85f64-5717-4562-b3fc-2c963f66afa6
	// integration "slack", credential external ID "acme"
	// integration "slack", credential external ID "acme"
}

// A nullable column of a database is an external ID or none.
func ExampleExternalIDOrNone() {
	for _, column := range []sql.NullString{{String: "acme", Valid: true}, {}} {
		fmt.Println(permissions.Integration("slack").Credential(
			permissions.ID(exampleID),
			permissions.ExternalIDOrNone(column.String, column.Valid),
		))
	}
	// Output:
	// integration "slack", credential ID 3fa85f64-5717-4562-b3fc-2c963f66afa6, credential external ID "acme"
	// integration "slack", credential ID 3fa85f64-5717-4562-b3fc-2c963f66afa6, no credential external ID
}

// A service has a permission of its own.
func ExampleWithPermissions() {
	policy := permissions.MustParse(`{"integration:*": ["events", "reports:read"]}`,
		permissions.WithPermissions("reports:read"))
	fmt.Println(policy.Allowed("reports:read", permissions.User()))
	// Output: true
}

// The platform has added a permission that this version does not know. A service that ignores such names
// should log them.
func ExamplePolicy_Ignored() {
	policy := permissions.MustParse(`{"integration:slack": ["events", "files:read"]}`,
		permissions.IgnoreUnknownPermissions())
	for ignored := range policy.Ignored() {
		fmt.Println(ignored.Name, "at", ignored.Pointer())
	}
	// Output: files:read at /integration:slack/1
}

func ExamplePolicy_Permissions() {
	policy := permissions.MustParse(`{"integration:*": ["events", "metadata:write"], "integration:slack": ["actionkit"]}`)
	fmt.Println(policy.Permissions(permissions.Integration("slack")))
	fmt.Println(policy.Permissions(permissions.Integration("jira")))
	// Output:
	// actionkit
	// metadata:read, metadata:write, events
}

// A page lists the integrations in which something is allowed.
func ExamplePolicy_Visible() {
	policy := permissions.MustParse(`{"integration:slack": {"credential:*": ["proxy-api"]}}`)
	for _, integration := range []string{"jira", "slack"} {
		fmt.Println(integration, policy.Visible(permissions.Integration(integration)))
	}
	// Output:
	// jira false
	// slack true
}

// A service restricts what a token allows by a ceiling of its own.
func ExampleIntersect() {
	token := permissions.MustParse(`{"integration:*": true}`)
	ceiling := permissions.MustParse(`{"integration:*": ["events", "proxy-api"]}`)
	policy, err := permissions.Intersect(token, ceiling)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(policy.Decide(permissions.Events, permissions.Integration("slack")))
	fmt.Println(policy.Decide(permissions.Workflows, permissions.Integration("slack")))
	// Output:
	// allowed: part 1: integration:* grants all
	// denied: part 2: integration:* grants proxy-api, events
}

func ExampleBuilder() {
	var b permissions.Builder
	b.AnyIntegration().Allow(permissions.Events)
	b.Integration("slack").AnyCredential().DenyAll()
	b.Integration("slack").Credential(exampleID).Allow(permissions.ProxyAPI, permissions.SettingsWrite)
	policy, err := b.Build()
	if err != nil {
		log.Fatal(err)
	}
	claim, err := json.MarshalIndent(policy, "", "  ")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(claim))
	// Output:
	// {
	//   "integration:*": [
	//     "events"
	//   ],
	//   "integration:slack": {
	//     "credential:*": [],
	//     "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": [
	//       "settings:write",
	//       "proxy-api"
	//     ]
	//   }
	// }
}

// A service records every access with the subject of the token.
func ExamplePolicy_Observe() {
	subject := "anna@example.com"
	policy := permissions.MustParse(`{"integration:slack": ["events"]}`).Observe(func(o permissions.Observation) {
		fmt.Printf("%s: %s on %v %v\n", subject, o.Action, o.Target, o.Decision)
	})
	policy.Allowed(permissions.Events, permissions.Integration("slack"))
	policy.Allowed(permissions.Events, permissions.User())
	// Output:
	// anna@example.com: events on integration "slack" allowed: integration:"slack" grants events
	// anna@example.com: events on the user denied: no rule applies
}

func ExampleScope_Compare() {
	scopes := []permissions.Scope{
		permissions.MustParseScope("configuration:ext:Team A"),
		permissions.MustParseScope("integration:slack"),
		permissions.MustParseScope("credential:*"),
		permissions.MustParseScope("integration:*"),
	}
	slices.SortFunc(scopes, permissions.Scope.Compare)
	fmt.Println(scopes)
	// Output: [integration:* integration:slack credential:* configuration:ext:Team A]
}
