package permissions_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// TestEdges has questions that are answered alike by code that is nearly right, and that
// random ones seldom are.
func TestEdges(t *testing.T) {
	const uuid = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	for _, test := range []struct {
		name   string
		claim  string
		target permissions.Target
		reason permissions.Reason
		open   string
	}{
		{
			"the next rank denies", `{"integration:slack":{"credential:*":true},"credential:ext:x":false}`,
			permissions.Target{Integration: "slack", CredentialID: "y"}, permissions.Undetermined, "credential external ID",
		},
		{
			"the next rank denies, one level down", `{"integration:slack":{"credential:y":{"configuration:*":true}},"configuration:ext:x":false}`,
			permissions.Target{Integration: "slack", CredentialID: "y", CredentialExternalID: permissions.None, ConfigurationID: "z"},
			permissions.Undetermined, "configuration external ID",
		},
		{
			"the first of a rank is overridden, the second denies",
			`{"integration:*":true,"credential:a":false,"credential:b":false,"integration:slack":{"credential:a":true}}`,
			permissions.Target{Integration: "slack", CredentialExternalID: "x"}, permissions.Undetermined, "credential ID",
		},
		{
			"the first of a rank grants, the second denies", `{"integration:*":true,"credential:a":["events"],"credential:b":["workflows"]}`,
			permissions.Target{Integration: "slack", CredentialExternalID: "x"}, permissions.Undetermined, "credential ID",
		},
		{
			"the first of a rank cannot be it, the second denies",
			`{"integration:*":true,"integration:jira":{"credential:a":false},"integration:slack":{"credential:b":false}}`,
			permissions.Target{Integration: "slack", CredentialExternalID: "x"}, permissions.Undetermined, "credential ID",
		},
		{
			"all of a rank are overridden",
			`{"integration:*":true,"credential:a":false,"credential:b":false,"integration:slack":{"credential:a":true,"credential:b":true}}`,
			permissions.Target{Integration: "slack", CredentialExternalID: "x"}, permissions.Granted, "",
		},
		{
			"an ID that is no UUID compares by bytes", `{"credential:acme":true}`,
			permissions.Target{Integration: "slack", CredentialID: "Acme", CredentialExternalID: permissions.None}, permissions.NoRule, "",
		},
		{
			"an external ID beside a UUID in capitals compares by bytes", `{"credential:ext:acme":true,"credential:ext:` + uuid + `":true}`,
			permissions.Target{Integration: "slack", CredentialID: "3FA85F64-5717-4562-B3FC-2C963F66AFA6", CredentialExternalID: "ACME"}, permissions.NoRule, "",
		},
		{
			"an external ID that is written as a UUID compares by bytes", `{"credential:ext:` + uuid + `":true}`,
			permissions.Target{Integration: "slack", CredentialID: permissions.None, CredentialExternalID: "3FA85F64-5717-4562-B3FC-2C963F66AFA6"}, permissions.NoRule, "",
		},
		{
			"an integration that is written as a UUID compares by bytes", `{"integration:` + uuid + `":true}`,
			permissions.Target{Integration: "3FA85F64-5717-4562-B3FC-2C963F66AFA6"}, permissions.NoRule, "",
		},
		{
			"both IDs are UUIDs in capitals", `{"credential:` + uuid + `":{"configuration:` + uuid + `":true}}`,
			permissions.Target{
				Integration: "Slack", CredentialID: "3FA85F64-5717-4562-B3FC-2C963F66AFA6", CredentialExternalID: permissions.None,
				ConfigurationID: "3fA85f64-5717-4562-b3fc-2c963f66afA6", ConfigurationExternalID: permissions.None,
			}, permissions.Granted, "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, want := parseBoth(t, test.claim)
			d := askBoth(t, test.claim, p, want, permissions.Events, test.target)
			require.Equal(t, test.reason, d.Reason)
			require.Equal(t, test.open, d.Open.String())
		})
	}
}
