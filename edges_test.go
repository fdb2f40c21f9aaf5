package permissions_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// TestEdges has questions that code which is nearly right would answer wrongly. Random questions seldom
// find them.
func TestEdges(t *testing.T) {
	t.Parallel()
	const (
		a = "credential:" + idA
		b = "credential:" + idB
	)
	byID := slack.Credential(permissions.ID(idA))
	byExternalID := slack.Credential(permissions.ExternalID("x"))
	onlyID := slack.Credential(permissions.ID(idA), permissions.NoExternalID())
	for _, test := range []struct {
		name    string
		claim   string
		target  permissions.Target
		reason  permissions.Reason
		unknown permissions.Identifiers
	}{
		{
			"the next rank denies", `{"integration:slack":{"credential:*":true},"credential:ext:x":false}`,
			byID, permissions.ReasonUndetermined, permissions.CredentialExternalID,
		},
		{
			"the next rank denies, one level down", `{"integration:slack":{"` + a +
				`":{"configuration:*":true}},"configuration:ext:x":false}`,
			onlyID.Configuration(permissions.ID(idB)), permissions.ReasonUndetermined, permissions.ConfigurationExternalID,
		},
		{
			"the first of a rank is overridden, the second denies",
			`{"integration:*":true,"` + a + `":false,"` + b + `":false,"integration:slack":{"` + a + `":true}}`,
			byExternalID, permissions.ReasonUndetermined, permissions.CredentialID,
		},
		{
			"the first of a rank grants, the second denies", `{"integration:*":true,"` + a + `":["events"],"` + b +
				`":["workflows"]}`,
			byExternalID, permissions.ReasonUndetermined, permissions.CredentialID,
		},
		{
			"the first of a rank is of another integration, the second denies",
			`{"integration:*":true,"integration:jira":{"` + a + `":false},"integration:slack":{"` + b + `":false}}`,
			byExternalID, permissions.ReasonUndetermined, permissions.CredentialID,
		},
		{
			"all of a rank are overridden",
			`{"integration:*":true,"` + a + `":false,"` + b + `":false,"integration:slack":{"` + a + `":true,"` + b +
				`":true}}`,
			byExternalID, permissions.ReasonGranted, 0,
		},
		{
			"both identifiers are unknown, and a rule of each denies but for a deeper one",
			`{"integration:*":true,"` + a + `":{"configuration:ext:y":false},"integration:slack":{"` + a +
				`":{"configuration:ext:y":true}}}`,
			slack.Credential().Configuration(), permissions.ReasonGranted, 0,
		},
		{
			"two unknown identifiers of one rule",
			`{"integration:*":true,"` + a + `":{"configuration:ext:y":false}}`,
			slack.Credential().Configuration(), permissions.ReasonUndetermined,
			permissions.CredentialID | permissions.ConfigurationExternalID,
		},
		{
			"a known identifier is not named as unknown",
			`{"integration:*":true,"` + a + `":{"configuration:ext:y":false}}`,
			byID.Configuration(), permissions.ReasonUndetermined, permissions.ConfigurationExternalID,
		},
		{
			"an external ID compares by bytes", `{"credential:ext:acme":true}`,
			slack.Credential(permissions.NoID(), permissions.ExternalID("Acme")), permissions.ReasonNoRule, 0,
		},
		{
			"an external ID beside an ID in capitals compares by bytes", `{"credential:ext:acme":true,"credential:ext:` +
				idA + `":true}`,
			slack.Credential(permissions.ID(idUpper), permissions.ExternalID("ACME")), permissions.ReasonNoRule, 0,
		},
		{
			"an external ID that is written as a UUID compares by bytes", `{"credential:ext:` + idA + `":true}`,
			slack.Credential(permissions.NoID(), permissions.ExternalID(idUpper)), permissions.ReasonNoRule, 0,
		},
		{
			"an integration that is written as a UUID compares by bytes", `{"integration:` + idA + `":true}`,
			permissions.Integration(idUpper), permissions.ReasonNoRule, 0,
		},
		{
			"both IDs are in other letter case", `{"` + a + `":{"configuration:` + idA + `":true}}`,
			slack.Credential(permissions.ID(idUpper)).Configuration(permissions.ID("3fA85f64-5717-4562-b3fc-2c963f66afA6")),
			permissions.ReasonGranted, 0,
		},
		{
			"an ID does not match at the other level", `{"` + a + `":true,"configuration:` + idB + `":true}`,
			slack.Credential(permissions.ID(idB), permissions.NoExternalID()).Configuration(permissions.ID(idA),
				permissions.NoExternalID()),
			permissions.ReasonNoRule, 0,
		},
		{
			"an absent identifier matches only *", `{"credential:*":{"configuration:*":true},"configuration:ext:x":false}`,
			slack.Credential().Configuration(permissions.NoID(), permissions.NoExternalID()), permissions.ReasonGranted, 0,
		},
		{
			"the UUID of zeros is an ID like any other", `{"credential:00000000-0000-0000-0000-000000000000":true}`,
			slack.Credential(permissions.UUID([16]byte{})), permissions.ReasonGranted, 0,
		},
		{
			"what is not given is not the UUID of zeros", `{"credential:00000000-0000-0000-0000-000000000000":true}`,
			byExternalID, permissions.ReasonNoRule, 0,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := parseBoth(t, test.claim, &optionSets[0])
			d := b.ask(t, "events", toReference(test.target), test.target, true)
			require.Equal(t, test.reason, d.Reason)
			require.Equal(t, test.unknown, d.Unknown)
		})
	}
}

// TestFromValueKeepsGrants has the grant of a rule at each level.
func TestFromValueKeepsGrants(t *testing.T) {
	list := []any{"events"}
	for path, value := range map[string]any{
		"integration:slack":                      list,
		"integration:slack/credential:*":         map[string]any{"credential:*": list},
		"integration:slack/credential:" + idA:    map[string]any{"credential:" + idUpper: list},
		"integration:slack/credential:ext:x":     map[string]any{"credential:ext:x": []string{"events"}},
		"integration:slack/credential:*/" + conf: map[string]any{conf: list},
	} {
		t.Run(path, func(t *testing.T) {
			p, err := permissions.FromValue(map[string]any{"integration:slack": value})
			require.NoError(t, err)
			require.Equal(t, map[string]string{path: "events"}, grantsOf(p))
		})
	}
}

const conf = "configuration:ext:y"

// TestShortClaims has every text of up to six of the characters that give a claim its structure.
func TestShortClaims(t *testing.T) {
	t.Parallel()
	texts := []string{""}
	for begin := 0; len(texts[begin]) < 6; begin++ {
		for _, c := range `{}":,` {
			texts = append(texts, texts[begin]+string(c))
		}
	}
	for _, text := range append(texts, `":":":":`) {
		parseBoth(t, text, &optionSets[0])
		parseBoth(t, text, &optionSets[4]) // which accepts a string
	}
}

// TestDeclaredNamesInEscapes has arrays whose raw text looks like a declared name, and is not one. A
// comparison of raw bytes would take one for the other.
func TestDeclaredNamesInEscapes(t *testing.T) {
	declare := permissions.WithPermissions("xA", "x", "u0041", "a/b", `u005c`)
	for _, c := range []struct {
		array   string
		granted permissions.Permission
		err     error
	}{
		{`["x\u0041"]`, "xA", nil},
		{`["\u0078\u0041"]`, "xA", nil},
		{`["a\/b"]`, "a/b", nil},
		{`["x\\u0041"]`, "", permissions.ErrUnknownPermission},
		{`["x\"]`, "", permissions.ErrSyntax},
		{`["x\"]"]`, "", permissions.ErrUnknownPermission},
		{`["\\u005c"]`, "", permissions.ErrUnknownPermission},
		{`["\u005c"]`, "", permissions.ErrUnknownPermission},
		{`["x\u0000"]`, "", permissions.ErrUnknownPermission},
		{`["\x"]`, "", permissions.ErrSyntax},
	} {
		t.Run(c.array, func(t *testing.T) {
			p, err := permissions.Parse([]byte(`{"integration:*":`+c.array+`}`), declare)
			if c.err != nil {
				require.ErrorIs(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{string(c.granted)}, permissionNames(p.Permissions(permissions.User())))
		})
	}
}
