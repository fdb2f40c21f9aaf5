package permissions_test

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// A ticket asks why a member cannot use a credential.
func ExamplePolicy_Explain() {
	policy := permissions.MustParse(`{
		"integration:*": ["proxy-api"],
		"integration:slack": {"credential:*": ["events"], "credential:ext:Team A": true}
	}`)
	credential := permissions.Integration("slack").Credential(permissions.NoID(), permissions.ExternalID("Team B"))
	fmt.Println(policy.Explain(permissions.ProxyAPI, credential))
	// Output:
	// denied: "proxy-api" on integration "slack", no credential ID, credential external ID "Team B"
	// reason: integration:"slack"/credential:* grants events
	//   integration:"slack"/credential:ext:"Team A"  grants all        does not match the credential
	//   integration:"slack"/credential:*             grants events     decides
	//   integration:*                                grants proxy-api  overridden by integration:"slack"/credential:*
	// hint: integration:"slack"/credential:* overrides integration:*, which grants it
}

// A page lists the credentials that a request may use.
func ExampleFilter() {
	type credential struct {
		ID, Name   string
		ExternalID sql.NullString
	}
	credentials := []credential{
		{"11111111-0000-4000-8000-000000000000", "Acme", sql.NullString{String: "acme", Valid: true}},
		{"22222222-0000-4000-8000-000000000000", "Beta", sql.NullString{}},
		{"33333333-0000-4000-8000-000000000000", "Gamma", sql.NullString{String: "gamma", Valid: true}},
	}
	target := func(c credential) permissions.Target {
		return permissions.Integration("slack").Credential(
			permissions.ID(c.ID), permissions.ExternalIDOrNone(c.ExternalID.String, c.ExternalID.Valid),
		)
	}
	policy := permissions.MustParse(`{"integration:*": true, "credential:ext:acme": false}`)
	for c := range permissions.Filter(policy, permissions.ProxyAPI, slices.Values(credentials), target) {
		fmt.Println(c.Name)
	}
	// Output:
	// Beta
	// Gamma
}

// A database leaves out what is denied. For PostgreSQL, id is a column of type uuid, and a CHECK keeps
// integration and external_id valid.
func ExamplePolicy_SelectCredentials() {
	policy := permissions.MustParse(`{
		"integration:*": true,
		"integration:slack": {
			"credential:ext:acme": false,
			"credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": true
		}
	}`)
	columns := permissions.Columns{
		Integration:          permissions.CheckedColumn("integration"),
		CredentialID:         permissions.UUIDColumn("id"),
		CredentialExternalID: permissions.CheckedColumn("external_id"),
	}
	where, args, err := policy.SelectCredentials(permissions.ProxyAPI, permissions.Integration("slack")).
		Where(permissions.PostgreSQL, columns, "the owner")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("SELECT name FROM credentials WHERE owner = $1 AND")
	fmt.Println(strings.ReplaceAll(where, " AND (", "\nAND ("))
	for i, arg := range args {
		fmt.Printf("$%d: %v\n", i+1, arg)
	}
	// Output:
	// SELECT name FROM credentials WHERE owner = $1 AND
	// (("integration" IS NOT NULL AND "integration" = ANY($2::text[])
	// AND ("integration" COLLATE "C")::text COLLATE "C" = ANY($2::text[]))
	// AND ((NOT ("external_id" IS NOT NULL
	// AND ("external_id" COLLATE "C")::text COLLATE "C" = ANY($3::text[]))) OR ("id" IS NOT NULL AND "id" = ANY($4::uuid[]))))
	// $1: the owner
	// $2: {"slack"}
	// $3: {"acme"}
	// $4: {"3fa85f64-5717-4562-b3fc-2c963f66afa6"}
}
