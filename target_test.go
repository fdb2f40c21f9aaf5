package permissions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// An expectedTarget is a valid target with everything that its methods return.
type expectedTarget struct {
	name   string
	target permissions.Target
	level  permissions.Kind
	known  map[permissions.Identifiers]string
	absent permissions.Identifiers
	json   string
	text   string
	log    string // as slog's TextHandler has it
}

type texts = map[permissions.Identifiers]string

// The identifiers, under shorter names.
const (
	integrationName         = permissions.IntegrationName
	credentialID            = permissions.CredentialID
	credentialExternalID    = permissions.CredentialExternalID
	configurationID         = permissions.ConfigurationID
	configurationExternalID = permissions.ConfigurationExternalID
)

// eachIdentifier lists the identifiers, in the order in which the package lists them.
var eachIdentifier = []permissions.Identifiers{
	integrationName, credentialID, credentialExternalID, configurationID, configurationExternalID,
}

var validTargets = []expectedTarget{
	{
		name: "the user", target: permissions.User(), level: permissions.KindUser,
		json: `{}`, text: `the user`, log: `t.level=user`,
	},
	{
		name: "an integration", target: slack, level: permissions.KindIntegration, known: texts{integrationName: "slack"},
		json: `{"integration":"slack"}`, text: `integration "slack"`, log: `t.level=integration t.integration=slack`,
	},
	{
		name: "some credential", target: slack.Credential(), level: permissions.KindCredential,
		known: texts{integrationName: "slack"},
		json:  `{"integration":"slack","credential":{}}`, text: `integration "slack", some credential`,
		log: `t.level=credential t.integration=slack`,
	},
	{
		name: "a credential by its ID", target: slack.Credential(permissions.ID(idA)), level: permissions.KindCredential,
		known: texts{integrationName: "slack", credentialID: idA},
		json:  `{"integration":"slack","credential":{"id":"` + idA + `"}}`,
		text:  `integration "slack", credential ID ` + idA,
		log:   `t.level=credential t.integration=slack t.credential.id=` + idA,
	},
	{
		name: "an ID in capitals", target: slack.Credential(permissions.ID(idUpper)), level: permissions.KindCredential,
		known: texts{integrationName: "slack", credentialID: idA},
		json:  `{"integration":"slack","credential":{"id":"` + idA + `"}}`,
		text:  `integration "slack", credential ID ` + idA,
		log:   `t.level=credential t.integration=slack t.credential.id=` + idA,
	},
	{
		name: "an ID as bytes", target: slack.Credential(permissions.UUID(bytesOfA)), level: permissions.KindCredential,
		known: texts{integrationName: "slack", credentialID: idA},
		json:  `{"integration":"slack","credential":{"id":"` + idA + `"}}`,
		text:  `integration "slack", credential ID ` + idA,
		log:   `t.level=credential t.integration=slack t.credential.id=` + idA,
	},
	{
		name: "the UUID of zeros", target: slack.Credential(permissions.UUID([16]byte{})), level: permissions.KindCredential,
		known: texts{integrationName: "slack", credentialID: "00000000-0000-0000-0000-000000000000"},
		json:  `{"integration":"slack","credential":{"id":"00000000-0000-0000-0000-000000000000"}}`,
		text:  `integration "slack", credential ID 00000000-0000-0000-0000-000000000000`,
		log:   `t.level=credential t.integration=slack t.credential.id=00000000-0000-0000-0000-000000000000`,
	},
	{
		name: "a credential by its external ID", target: slack.Credential(permissions.ExternalID("acme")),
		level: permissions.KindCredential, known: texts{integrationName: "slack", credentialExternalID: "acme"},
		json: `{"integration":"slack","credential":{"externalId":"acme"}}`,
		text: `integration "slack", credential external ID "acme"`,
		log:  `t.level=credential t.integration=slack t.credential.externalId=acme`,
	},
	{
		name:   "a credential without an external ID",
		target: slack.Credential(permissions.NoExternalID(), permissions.ID(idA)), level: permissions.KindCredential,
		known: texts{integrationName: "slack", credentialID: idA}, absent: credentialExternalID,
		json: `{"integration":"slack","credential":{"id":"` + idA + `","externalId":null}}`,
		text: `integration "slack", credential ID ` + idA + `, no credential external ID`,
		log:  `t.level=credential t.integration=slack t.credential.id=` + idA + ` t.credential.externalId=<nil>`,
	},
	{
		name:   "a credential that is yet to be created",
		target: slack.Credential(permissions.NoID(), permissions.NoExternalID()), level: permissions.KindCredential,
		known: texts{integrationName: "slack"}, absent: credentialID | credentialExternalID,
		json: `{"integration":"slack","credential":{"id":null,"externalId":null}}`,
		text: `integration "slack", no credential ID, no credential external ID`,
		log:  `t.level=credential t.integration=slack t.credential.id=<nil> t.credential.externalId=<nil>`,
	},
	{
		name: "some configuration", target: slack.Credential().Configuration(), level: permissions.KindConfiguration,
		known: texts{integrationName: "slack"},
		json:  `{"integration":"slack","credential":{},"configuration":{}}`,
		text:  `integration "slack", some credential, some configuration`,
		log:   `t.level=configuration t.integration=slack`,
	},
	{
		name: "a configuration with all identifiers",
		target: slack.Credential(permissions.ID(idA), permissions.ExternalID("acme")).
			Configuration(permissions.ExternalID("Team A"), permissions.ID(idB)),
		level: permissions.KindConfiguration,
		known: texts{
			integrationName: "slack", credentialID: idA, credentialExternalID: "acme",
			configurationID: idB, configurationExternalID: "Team A",
		},
		json: `{"integration":"slack","credential":{"id":"` + idA + `","externalId":"acme"},` +
			`"configuration":{"id":"` + idB + `","externalId":"Team A"}}`,
		text: `integration "slack", credential ID ` + idA + `, credential external ID "acme", ` +
			`configuration ID ` + idB + `, configuration external ID "Team A"`,
		log: `t.level=configuration t.integration=slack t.credential.id=` + idA + ` t.credential.externalId=acme ` +
			`t.configuration.id=` + idB + ` t.configuration.externalId="Team A"`,
	},
	{
		name:   "a configuration of some credential",
		target: slack.Credential().Configuration(permissions.NoID(), permissions.ExternalID("Team A")),
		level:  permissions.KindConfiguration,
		known:  texts{integrationName: "slack", configurationExternalID: "Team A"}, absent: configurationID,
		json: `{"integration":"slack","credential":{},"configuration":{"id":null,"externalId":"Team A"}}`,
		text: `integration "slack", no configuration ID, configuration external ID "Team A", some credential`,
		log:  `t.level=configuration t.integration=slack t.configuration.id=<nil> t.configuration.externalId="Team A"`,
	},
	{
		name:   "quotation marks and backslashes",
		target: permissions.Integration(`a"b\`).Credential(permissions.ExternalID("été")),
		level:  permissions.KindCredential, known: texts{integrationName: `a"b\`, credentialExternalID: "été"},
		json: `{"integration":"a\"b\\","credential":{"externalId":"été"}}`,
		text: `integration "a\"b\\", credential external ID "été"`,
		log:  `t.level=credential t.integration="\"a\\\"b\\\\\"" t.credential.externalId=été`,
	},
}

func TestTarget(t *testing.T) {
	for _, test := range validTargets {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, test.target.Err())
			require.Equal(t, test.level, test.target.Level())
			require.Equal(t, test.text, test.target.String())
			require.Equal(t, test.log, loggedText(test.target))

			var known permissions.Identifiers
			for _, which := range eachIdentifier {
				text, isKnown := test.known[which]
				state := permissions.Unknown
				switch {
				case isKnown:
					state, known = permissions.Known, known|which
				case test.absent.Has(which):
					state = permissions.Absent
				}
				gotText, gotState := test.target.Lookup(which)
				require.Equal(t, state, gotState, which)
				require.Equal(t, text, gotText, which)
			}
			var levels permissions.Identifiers
			for _, which := range eachIdentifier {
				if levelOf(which) <= test.level {
					levels |= which
				}
			}
			require.Equal(t, levels&^known&^test.absent, test.target.Unknown())

			require.Equal(t, test.json, string(jsonOf(test.target)))
			again := permissions.Integration("before")
			require.NoError(t, again.UnmarshalJSON([]byte(test.json)))
			require.True(t, again == test.target, "JSON gives the target back")
		})
	}
}

// levelOf returns the level of an identifier.
func levelOf(which permissions.Identifiers) permissions.Kind {
	switch which {
	case integrationName:
		return permissions.KindIntegration
	case credentialID, credentialExternalID:
		return permissions.KindCredential
	}
	return permissions.KindConfiguration
}

// loggedText returns a value as slog's TextHandler writes it, under the key t.
func loggedText(value any) string {
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{ReplaceAttr: withoutTime})).Info("", "t", value)
	return strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(b.String()), `level=INFO msg=""`))
}

// loggedJSON returns a value as slog's JSONHandler writes it.
func loggedJSON(value any) string {
	var b bytes.Buffer
	slog.New(slog.NewJSONHandler(&b, &slog.HandlerOptions{ReplaceAttr: withoutTime})).Info("", "t", value)
	var line struct{ T json.RawMessage }
	if err := json.Unmarshal(b.Bytes(), &line); err != nil {
		panic(err)
	}
	return string(line.T)
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func TestTargetLogValueInJSON(t *testing.T) {
	target := slack.Credential(permissions.ID(idA), permissions.NoExternalID()).
		Configuration(permissions.ExternalID("Team A"))
	require.JSONEq(t, `{"level":"configuration","integration":"slack","credential":{"id":"`+idA+`","externalId":null},
		"configuration":{"externalId":"Team A"}}`, loggedJSON(target))
	require.JSONEq(t, `{"level":"user"}`, loggedJSON(permissions.User()))
	require.JSONEq(t, `{"error":"target is the zero Target; begin with User or Integration"}`,
		loggedJSON(permissions.Target{}))
}

// == compares what targets say, whichever constructor said it.
func TestTargetsCompare(t *testing.T) {
	text := "acme"
	almostA := idA[:len(idA)-1] + "x"
	same := [][]permissions.Target{
		{
			slack.Credential(permissions.ID(idA)), slack.Credential(permissions.ID(idUpper)),
			slack.Credential(permissions.UUID(bytesOfA)), slack.Credential(permissions.Reference(idUpper)),
		},
		{
			slack.Credential(permissions.ExternalID(text)), slack.Credential(permissions.ExternalIDPtr(&text)),
			slack.Credential(permissions.ExternalIDOrNone(text, true)), slack.Credential(permissions.Reference("ext:acme")),
			slack.Credential(permissions.Reference(text)), slack.Credential(permissions.ExternalID(strings.Clone(text))),
		},
		{
			slack.Credential(permissions.NoExternalID()), slack.Credential(permissions.ExternalIDPtr(nil)),
			slack.Credential(permissions.ExternalIDOrNone(text, false)),
		},
		{
			slack.Credential(permissions.ID(idA), permissions.NoExternalID()),
			slack.Credential(permissions.NoExternalID(), permissions.ID(idA)),
		},
		{
			slack.Credential(permissions.Reference(almostA)), slack.Credential(permissions.ExternalID(almostA)),
			slack.Credential(permissions.Reference("ext:" + almostA)),
		},
		{permissions.User(), permissions.User()},
		{slack.Credential(permissions.NoID())},
		{permissions.Integration("Slack")},
		{slack.Credential(permissions.ExternalID("Acme"))},
		{slack.Credential(permissions.ExternalID(idA))},
		{slack.Credential(permissions.ID(idB))},
		{slack.Credential().Configuration(permissions.ID(idA))},
		{slack.Credential(permissions.ID(idA)).Configuration()},
		{slack.Credential(permissions.ID(idA)).Configuration(permissions.ID(idA))},
	}
	for _, test := range validTargets {
		if test.level < permissions.KindCredential && test.level != permissions.KindUser || test.name == "some credential" {
			same = append(same, []permissions.Target{test.target})
		}
	}
	for i, group := range same {
		for j, other := range same {
			for _, a := range group {
				for _, b := range other {
					require.Equal(t, i == j, a == b, "%v and %v", a, b)
				}
			}
		}
	}
}

// What a constructor is called on stays as it was: a Target is a value.
func TestTargetIsAValue(t *testing.T) {
	integration := permissions.Integration("slack")
	credential := integration.Credential(permissions.ID(idA))
	credential.Configuration(permissions.ID(idB))
	integration.Credential(permissions.ID(idB))
	require.True(t, integration == permissions.Integration("slack"))
	require.True(t, credential == slack.Credential(permissions.ID(idA)))

	ids := []permissions.Identifier{permissions.ID(idA)}
	credential = integration.Credential(ids...)
	ids[0] = permissions.ID(idB)
	require.True(t, credential == slack.Credential(permissions.ID(idA)))
}

// SPEC 3.5.
func TestReference(t *testing.T) {
	hyphenless := strings.ReplaceAll(idA, "-", "")
	for _, test := range []struct {
		name      string
		reference string
		known     permissions.Identifiers
		text      string
	}{
		{"a UUID", idA, credentialID, idA},
		{"a UUID in capitals", idUpper, credentialID, idA},
		{"a UUID after ext:", "ext:" + idA, credentialExternalID, idA},
		{"a UUID in capitals after ext:", "ext:" + idUpper, credentialExternalID, idUpper},
		{"a UUID without hyphens", hyphenless, credentialExternalID, hyphenless},
		{"a UUID in braces", "{" + idA + "}", credentialExternalID, "{" + idA + "}"},
		{"a UUID as a URN", "urn:uuid:" + idA, credentialExternalID, "urn:uuid:" + idA},
		{"a UUID that is cut short", idA[:35], credentialExternalID, idA[:35]},
		{"an external ID", "acme", credentialExternalID, "acme"},
		{"an external ID after ext:", "ext:acme", credentialExternalID, "acme"},
		{"only one ext: is removed", "ext:ext:acme", credentialExternalID, "ext:acme"},
		{"ext: in capitals stays", "EXT:acme", credentialExternalID, "EXT:acme"},
		{"ext without a colon stays", "ext", credentialExternalID, "ext"},
		{"a star inside", "ext:a*", credentialExternalID, "a*"},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := slack.Credential(permissions.Reference(test.reference))
			require.NoError(t, target.Err())
			require.Equal(t, credentialID|credentialExternalID, target.Unknown()|test.known)
			require.False(t, target.Unknown().Has(test.known), "the other identifier is unknown")
			text, state := target.Lookup(test.known)
			require.Equal(t, permissions.Known, state)
			require.Equal(t, test.text, text)

			below := slack.Credential().Configuration(permissions.Reference(test.reference))
			known := configurationID
			if test.known == credentialExternalID {
				known = configurationExternalID
			}
			text, state = below.Lookup(known)
			require.Equal(t, permissions.Known, state)
			require.Equal(t, test.text, text)
		})
	}
}

// An invalidTarget is a target with what its error says.
type invalidTarget struct {
	name    string
	target  permissions.Target
	field   string
	value   string
	problem string
	remedy  string
}

const (
	asThePlatform   = "give it as the platform has it"
	zeroGiven       = "was given the zero Identifier"
	useIdentifiers  = "use ID, ExternalID, NoID or NoExternalID, and leave out what is unknown"
	sayNoExternalID = "say NoExternalID() if it was looked up and does not exist, and leave it out if nobody has looked"
	notAnIDRemedy   = "external IDs go to ExternalID, and references to Reference"
	onAnIntegration = "call Credential on an Integration, once"
	onACredential   = "call Configuration on a Credential, once; Credential() is some credential"
	giveOnce        = "give each identifier once; a Reference is one of them"
)

var invalidTargets = []invalidTarget{
	{"the zero Target", permissions.Target{}, "target", "", "is the zero Target", "begin with User or Integration"},
	{
		"a credential in the zero Target", permissions.Target{}.Credential(), "target", "", "is the zero Target",
		"begin with User or Integration",
	},
	{
		"a configuration in the zero Target", permissions.Target{}.Configuration(permissions.ID(idA)), "target", "",
		"is the zero Target", "begin with User or Integration",
	},

	// A level without the level above it, and a level twice.
	{
		"a credential of the user", permissions.User().Credential(permissions.ID(idA)), "target", "",
		"has a credential in something that is not an integration", onAnIntegration,
	},
	{
		"a credential in a credential", slack.Credential().Credential(), "target", "",
		"has a credential in something that is not an integration", onAnIntegration,
	},
	{
		"a credential in a configuration", slack.Credential().Configuration().Credential(), "target", "",
		"has a credential in something that is not an integration", onAnIntegration,
	},
	{
		"a configuration of the user", permissions.User().Configuration(), "target", "",
		"has a configuration in something that is not a credential", onACredential,
	},
	{
		"a configuration in an integration", slack.Configuration(permissions.ID(idA)), "target", "",
		"has a configuration in something that is not a credential", onACredential,
	},
	{
		"a configuration in a configuration", slack.Credential().Configuration().Configuration(), "target", "",
		"has a configuration in something that is not a credential", onACredential,
	},

	// The name of an integration.
	{
		"an empty name", permissions.Integration(""), "integration", "", "is empty",
		"the user is User(), never an empty name",
	},
	{"a star for a name", permissions.Integration("*"), "integration", "*", "holds a *", asThePlatform},
	{"a name with a star", permissions.Integration("sl*"), "integration", "sl*", "holds a *", asThePlatform},
	{
		"a name with a space first", permissions.Integration(" slack"), "integration", " slack", spaceAtEnd,
		asThePlatform,
	},
	{
		"a name with a space last", permissions.Integration("slack\u2029"), "integration", "slack\u2029", spaceAtEnd,
		asThePlatform,
	},
	{
		"a name with a line break", permissions.Integration("slack\n"), "integration", "slack\n", controlInside,
		asThePlatform,
	},
	{"a name with a NUL", permissions.Integration("\x00"), "integration", "\x00", controlInside, asThePlatform},
	{
		"a name that is not UTF-8", permissions.Integration("\xff"), "integration", "\xff", "is not valid UTF-8",
		asThePlatform,
	},
	{
		"a name with U+FFFD", permissions.Integration("a\ufffd"), "integration", "a\ufffd",
		"holds U+FFFD, the replacement character", asThePlatform,
	},
	{
		"ext for a name", permissions.Integration("ext"), "integration", "ext", extMarks,
		"an integration has a name, and no external ID",
	},
	{
		"ext: in capitals in a name", permissions.Integration("EXT:x"), "integration", "EXT:x", extMarks,
		"an integration has a name, and no external ID",
	},
	{
		"a bad name above a credential", permissions.Integration("*").Credential(permissions.ID(idA)), "integration",
		"*", "holds a *", asThePlatform,
	},
	{
		"a bad name above a configuration", permissions.Integration("").Credential().Configuration(), "integration",
		"", "is empty", "the user is User(), never an empty name",
	},

	// IDs.
	{"an empty ID", slack.Credential(permissions.ID("")), "credential ID", "", "is empty", notAnIDRemedy},
	{
		"an ID that is not a UUID", slack.Credential(permissions.ID("acme")), "credential ID", "acme", notUUID,
		notAnIDRemedy,
	},
	{
		"an ID with ext:", slack.Credential(permissions.ID("ext:" + idA)), "credential ID", "ext:" + idA, notUUID,
		notAnIDRemedy,
	},
	{
		"an ID with a space last", slack.Credential(permissions.ID(idA + " ")), "credential ID", idA + " ", notUUID,
		notAnIDRemedy,
	},
	{"a NUL for an ID", slack.Credential(permissions.ID("\x00")), "credential ID", "\x00", notUUID, notAnIDRemedy},
	{"a star for an ID", slack.Credential(permissions.ID("*")), "credential ID", "*", notUUID, notAnIDRemedy},
	{
		"a UUID without hyphens", slack.Credential(permissions.ID(strings.ReplaceAll(idA, "-", ""))), "credential ID",
		strings.ReplaceAll(idA, "-", ""), notUUID, usualForm + meant(idA),
	},
	{
		"a UUID in braces", slack.Credential(permissions.ID("{" + idUpper + "}")), "credential ID",
		"{" + idUpper + "}", notUUID, usualForm + meant(idA),
	},
	{
		"a UUID as a URN", slack.Credential(permissions.ID("urn:uuid:" + idA)), "credential ID", "urn:uuid:" + idA,
		notUUID, usualForm + meant(idA),
	},
	{
		"a configuration ID that is not a UUID", slack.Credential().Configuration(permissions.ID("default")),
		"configuration ID", "default", notUUID, notAnIDRemedy,
	},
	{
		"an empty configuration ID", slack.Credential().Configuration(permissions.ID("")), "configuration ID", "",
		"is empty", notAnIDRemedy,
	},

	// External IDs.
	{
		"an empty external ID", slack.Credential(permissions.ExternalID("")), "credential external ID", "",
		"is empty", sayNoExternalID,
	},
	{
		"an empty valid external ID", slack.Credential(permissions.ExternalIDOrNone("", true)),
		"credential external ID", "", "is empty", sayNoExternalID,
	},
	{
		"a pointer to an empty external ID", slack.Credential(permissions.ExternalIDPtr(new(string))),
		"credential external ID", "", "is empty", sayNoExternalID,
	},
	{
		"an empty reference", slack.Credential(permissions.Reference("")), "credential external ID", "", "is empty",
		sayNoExternalID,
	},
	{
		"a reference that is ext:", slack.Credential(permissions.Reference("ext:")), "credential external ID", "",
		"is empty", sayNoExternalID,
	},
	{
		"a reference with a space", slack.Credential(permissions.Reference(idA + " ")), "credential external ID",
		idA + " ", spaceAtEnd, asThePlatform,
	},
	{
		"a star for an external ID", slack.Credential(permissions.ExternalID("*")), "credential external ID", "*",
		isStar, asThePlatform,
	},
	{
		"a NUL for an external ID", slack.Credential(permissions.ExternalID("\x00")), "credential external ID",
		"\x00", controlInside, asThePlatform,
	},
	{
		"an external ID with a tab last", slack.Credential(permissions.ExternalID("acme\t")),
		"credential external ID", "acme\t", controlInside, asThePlatform,
	},
	{
		"an external ID that is not UTF-8", slack.Credential(permissions.ExternalID("a\xc3")),
		"credential external ID", "a\xc3", "is not valid UTF-8", asThePlatform,
	},
	{
		"a bad external ID above a configuration", slack.Credential(permissions.ExternalID(" ")).Configuration(),
		"credential external ID", " ", spaceAtEnd, asThePlatform,
	},
	{
		"a space for a configuration's external ID", slack.Credential().Configuration(permissions.ExternalID(" ")),
		"configuration external ID", " ", spaceAtEnd, asThePlatform,
	},
	{
		"an empty configuration's external ID", slack.Credential().Configuration(permissions.ExternalID("")),
		"configuration external ID", "", "is empty", sayNoExternalID,
	},

	// The zero Identifier, and an identifier that is given twice.
	{
		"the zero Identifier", slack.Credential(permissions.Identifier{}), "credential", "",
		zeroGiven, useIdentifiers,
	},
	{
		"the zero Identifier for a configuration",
		slack.Credential().Configuration(permissions.NoID(), permissions.Identifier{}), "configuration", "",
		zeroGiven, useIdentifiers,
	},
	{
		"an ID twice", slack.Credential(permissions.ID(idA), permissions.ID(idA)), "credential ID", idA,
		"is given twice", giveOnce,
	},
	{
		"two IDs", slack.Credential(permissions.ID(idB), permissions.UUID(bytesOfA)), "credential ID", "",
		"is given twice", giveOnce,
	},
	{
		"an ID and none", slack.Credential(permissions.ID(idA), permissions.NoID()), "credential ID", "",
		"is given twice", giveOnce,
	},
	{
		"no ID and one", slack.Credential(permissions.NoID(), permissions.ID(idA)), "credential ID", idA,
		"is given twice", giveOnce,
	},
	{
		"no ID twice", slack.Credential(permissions.NoID(), permissions.NoID()), "credential ID", "",
		"is given twice", giveOnce,
	},
	{
		"an ID and a reference to one", slack.Credential(permissions.ID(idA), permissions.Reference(idB)),
		"credential ID", idB, "is given twice", giveOnce,
	},
	{
		"an external ID twice", slack.Credential(permissions.ExternalID("a"), permissions.ExternalID("b")),
		"credential external ID", "b", "is given twice", giveOnce,
	},
	{
		"an external ID and none", slack.Credential(permissions.ExternalID("a"), permissions.NoExternalID()),
		"credential external ID", "", "is given twice", giveOnce,
	},
	{
		"no external ID and a reference", slack.Credential(permissions.NoExternalID(), permissions.Reference("ext:a")),
		"credential external ID", "ext:a", "is given twice", giveOnce,
	},
	{
		"a configuration ID twice", slack.Credential().Configuration(permissions.ID(idA), permissions.NoID()),
		"configuration ID", "", "is given twice", giveOnce,
	},
	{
		"a configuration's external ID twice",
		slack.Credential().Configuration(permissions.NoExternalID(), permissions.ExternalID("a")),
		"configuration external ID", "a", "is given twice", giveOnce,
	},

	// The first mistake stays.
	{
		"a level below a bad ID", slack.Credential(permissions.ID("acme")).Configuration(permissions.ID("")),
		"credential ID", "acme", notUUID, notAnIDRemedy,
	},
	{
		"a level below a level that is missing", permissions.User().Credential().Configuration(), "target", "",
		"has a credential in something that is not an integration", onAnIntegration,
	},
}

func TestInvalidTargets(t *testing.T) {
	policies := map[string]*permissions.Policy{
		"nil":              nil,
		"zero":             new(permissions.Policy),
		"unrestricted":     permissions.Unrestricted(),
		"grants all":       permissions.MustParse(`{"integration:*":true}`),
		"an intersection":  mustIntersect(permissions.Unrestricted(), permissions.MustParse(`{"integration:*":true}`)),
		"observed":         permissions.Unrestricted().Observe(func(permissions.Observation) {}),
		"grants by any ID": permissions.MustParse(`{"credential:*":true,"configuration:*":true}`),
	}
	for _, test := range invalidTargets {
		t.Run(test.name, func(t *testing.T) {
			err := test.target.Err()
			require.ErrorIs(t, err, permissions.ErrQuestion)
			var question *permissions.QuestionError
			require.ErrorAs(t, err, &question)
			require.Equal(t, permissions.QuestionError{
				Field: test.field, Value: test.value, Problem: test.problem, Remedy: test.remedy,
			}, *question)
			text := test.field
			if test.value != "" {
				text += " " + strconv.Quote(test.value)
			}
			text += " " + test.problem + "; " + test.remedy
			require.EqualError(t, err, "permissions: invalid question: "+text)

			require.Zero(t, test.target.Level())
			require.Zero(t, test.target.Unknown())
			for _, which := range eachIdentifier {
				text, state := test.target.Lookup(which)
				require.Empty(t, text, which)
				require.Equal(t, permissions.Unknown, state, which)
			}
			require.Equal(t, "an invalid target ("+text+")", test.target.String())
			require.Equal(t, "t.error="+strconv.Quote(text), loggedText(test.target))
			data, err := test.target.MarshalJSON()
			require.Nil(t, data)
			require.Equal(t, question, err)
			_, err = json.Marshal(test.target)
			require.ErrorIs(t, err, permissions.ErrQuestion)

			invalidQuestion := permissions.Decision{Reason: permissions.ReasonInvalidQuestion}
			for name, p := range policies {
				for _, action := range theTen {
					require.False(t, p.Allowed(action, test.target), "%s %s", name, action)
					require.Equal(t, invalidQuestion, p.Decide(action, test.target), name)
					require.Equal(t, question, p.Check(action, test.target), name)
				}
				require.False(t, p.Visible(test.target), name)
				require.True(t, p.Permissions(test.target).IsEmpty(), name)
			}
		})
	}
}

// A name that the deciding rule does not have is checked wherever it is in the target.
func TestInvalidNamesBesideAMatch(t *testing.T) {
	p := permissions.MustParse(`{
		"integration:slack": true,
		"integration:*": {"credential:` + idA + `": true},
		"credential:ext:acme": {"configuration:` + idB + `": true},
		"configuration:ext:Team A": true
	}`)
	byID, noID, team := permissions.ID(idA), permissions.NoID(), permissions.ExternalID("Team A")
	for _, test := range []struct {
		name   string
		good   permissions.Target
		bad    permissions.Target
		wanted string
	}{
		{
			"the integration beside a credential's ID",
			permissions.Integration("jira").Credential(byID, permissions.NoExternalID()),
			permissions.Integration("ji*ra").Credential(byID, permissions.NoExternalID()), "integration",
		},
		{
			"the external ID beside a credential's ID", slack.Credential(byID, permissions.ExternalID("x")),
			slack.Credential(byID, permissions.ExternalID("x\n")), "credential external ID",
		},
		{
			"the external ID beside a configuration's ID",
			slack.Credential(permissions.ExternalID("acme")).Configuration(permissions.ID(idB), permissions.ExternalID("x")),
			slack.Credential(permissions.ExternalID("acme")).Configuration(permissions.ID(idB), permissions.ExternalID("*")),
			"configuration external ID",
		},
		{
			"the credential's external ID above a configuration's external ID",
			slack.Credential(noID, permissions.ExternalID("x")).Configuration(noID, team),
			slack.Credential(noID, permissions.ExternalID(" x")).Configuration(noID, team),
			"credential external ID",
		},
		{
			"the integration above a configuration's external ID",
			permissions.Integration("jira").Credential(byID).Configuration(noID, team),
			permissions.Integration("").Credential(byID).Configuration(noID, team),
			"integration",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.NoError(t, p.Check(permissions.Events, test.good))
			require.False(t, p.Allowed(permissions.Events, test.bad))
			require.Equal(t, permissions.ReasonInvalidQuestion, p.Decide(permissions.Events, test.bad).Reason)
			var question *permissions.QuestionError
			require.ErrorAs(t, p.Check(permissions.Events, test.bad), &question)
			require.Equal(t, test.wanted, question.Field)
		})
	}
}

// An error does not keep the text alive that its value was cut from.
func TestTargetErrorKeepsNothing(t *testing.T) {
	request := strings.Repeat(" *", 50)
	for name, target := range map[string]permissions.Target{
		"a name":         permissions.Integration(request[:10]),
		"an ID":          slack.Credential(permissions.ID(request[:10])),
		"an external ID": slack.Credential().Configuration(permissions.ExternalID(request[:10])),
	} {
		t.Run(name, func(t *testing.T) {
			var question *permissions.QuestionError
			require.ErrorAs(t, target.Err(), &question)
			require.Equal(t, request[:10], question.Value)
			require.False(t, pins(question.Value, request))
		})
	}
}

func TestLookupOfNotOneIdentifier(t *testing.T) {
	target := slack.Credential(permissions.ID(idA), permissions.NoExternalID())
	for _, which := range []permissions.Identifiers{
		0, credentialID | credentialExternalID, integrationName | credentialID, 1 << 5, 1 << 7, 255,
	} {
		text, state := target.Lookup(which)
		require.Empty(t, text, "%d", which)
		require.Equal(t, permissions.Unknown, state, "%d", which)
	}
}

func TestIdentifiers(t *testing.T) {
	for _, test := range []struct {
		set        permissions.Identifiers
		text, json string
	}{
		{0, "", `[]`},
		{integrationName, "integration", `["integration"]`},
		{credentialID, "credential ID", `["credential.id"]`},
		{credentialExternalID, "credential external ID", `["credential.externalId"]`},
		{configurationID, "configuration ID", `["configuration.id"]`},
		{configurationExternalID, "configuration external ID", `["configuration.externalId"]`},
		{
			configurationID | credentialExternalID, "credential external ID and configuration ID",
			`["credential.externalId","configuration.id"]`,
		},
		{
			credentialExternalID | credentialID | integrationName, "integration and credential ID and credential external ID",
			`["integration","credential.id","credential.externalId"]`,
		},
	} {
		t.Run(fmt.Sprint(test.set), func(t *testing.T) {
			require.Equal(t, test.text, test.set.String())
			require.Equal(t, test.json, string(jsonOf(test.set)))
			listed := strings.Split(test.text, " and ")
			for _, which := range eachIdentifier {
				require.Equal(t, slices.Contains(listed, which.String()), test.set.Has(which), which)
			}
			require.True(t, test.set.Has(0))
			require.True(t, test.set.Has(test.set))
		})
	}
	require.False(t, credentialID.Has(credentialID|credentialExternalID), "Has asks for all of them")
}

func TestState(t *testing.T) {
	var zero permissions.State
	require.Equal(t, permissions.Unknown, zero)
	for state, text := range map[permissions.State]string{
		permissions.Unknown: "unknown", permissions.Known: "known", permissions.Absent: "absent", 3: "unknown",
	} {
		require.Equal(t, text, state.String())
	}
}

// notTargetsInJSON are texts that UnmarshalJSON refuses, beside those of testdata/conformance/targets.json.
var notTargetsInJSON = []struct {
	name, json string
	field      string
	problem    string
}{
	{"nothing", ``, "target", "is not a JSON object"},
	{"an array", `[]`, "target", "is not a JSON object"},
	{"null", `null`, "target", "is not a JSON object"},
	{"true", `true`, "target", "is not a JSON object"},
	{"a string", `"slack"`, "target", "is not a JSON object"},
	{"an object that does not end", `{`, "target", "is not well-formed JSON: the text ends where a name must be"},
	{
		"a member without a value", `{"integration":`, "target",
		"is not well-formed JSON: the text ends where a value must be",
	},
	{
		"a member without a colon", `{"integration" "slack"}`, "target",
		"is not well-formed JSON: the text has something else where ':' must be",
	},
	{
		"a comma too many", `{"integration":"slack",}`, "target",
		"is not well-formed JSON: the text has something else where a name must be",
	},
	{
		"a comma too few", `{"integration":"slack" "credential":{}}`, "target",
		"is not well-formed JSON: the text has something else where a comma or '}' must be",
	},
	{
		"a name without quotation marks", `{integration:"slack"}`, "target",
		"is not well-formed JSON: the text has something else where a name must be",
	},
	{
		"a bad escape", `{"integration":"sl\x61ck"}`, "target",
		"is not well-formed JSON: the text has an unknown escape in a string",
	},
	{
		"a bad literal", `{"integration":"slack","credential":{"id":nul}}`, "target",
		"is not well-formed JSON: the text has something that is not a value",
	},
	{"trailing data", `{} x`, "target", "is not well-formed JSON: the text has more after its end"},
	{
		"an unknown member", `{"integration":"slack","credentials":{}}`, "target",
		`has the unknown member "credentials"`,
	},
	{"an empty member", `{"":"slack"}`, "target", `has the unknown member ""`},
	{"another letter case", `{"Integration":"slack"}`, "target", `has the unknown member "Integration"`},
	{
		"a member twice", `{"integration":"slack","integr\u0061tion":"slack"}`, "target",
		`has the member "integration" twice`,
	},
	{
		"a level twice", `{"integration":"slack","credential":{},"credential":{}}`, "target",
		`has the member "credential" twice`,
	},
	{
		"an identifier twice", `{"integration":"slack","credential":{"id":null,"id":null}}`, "credential",
		`has the member "id" twice`,
	},
	{
		"an unknown identifier", `{"integration":"slack","credential":{"ext":"acme"}}`, "credential",
		`has the unknown member "ext"`,
	},
	{
		"an identifier in another letter case", `{"integration":"slack","configuration":{"externalID":"a"}}`,
		"configuration", `has the unknown member "externalID"`,
	},
	{"null for the integration", `{"integration":null}`, "integration", "is not a string"},
	{"a number for the integration", `{"integration":7}`, "integration", "is not a string"},
	{"an object for the integration", `{"integration":{}}`, "integration", "is not a string"},
	{"null for a level", `{"integration":"slack","credential":null}`, "credential", "is not a JSON object"},
	{
		"a string for a level", `{"integration":"slack","configuration":"` + idA + `"}`, "configuration",
		"is not a JSON object",
	},
	{
		"true for an identifier", `{"integration":"slack","credential":{"externalId":true}}`, "credential.externalId",
		"is not a string",
	},
	{
		"a number for an ID", `{"integration":"slack","credential":{},"configuration":{"id":7}}`, "configuration.id",
		"is not a string",
	},
}

const targetInJSON = `a target in JSON looks like {"integration":"slack","credential":{"id":"..."}}`

func TestTargetUnmarshalJSONRefuses(t *testing.T) {
	for _, test := range notTargetsInJSON {
		t.Run(test.name, func(t *testing.T) {
			for _, before := range []permissions.Target{{}, permissions.User(), slack.Credential(permissions.ID(idA))} {
				target := before
				err := target.UnmarshalJSON([]byte(test.json))
				require.ErrorIs(t, err, permissions.ErrQuestion)
				require.Equal(t, &permissions.QuestionError{Field: test.field, Problem: test.problem, Remedy: targetInJSON}, err)
				require.True(t, target == before, "an error leaves the target as it was")
			}
		})
	}
}

// A target in JSON is as strict as the constructors are.
func TestTargetUnmarshalJSONRefusesInvalidTargets(t *testing.T) {
	for _, test := range []struct{ name, json, field, problem string }{
		{"an empty name", `{"integration":""}`, "integration", "is empty"},
		{"a star", `{"integration":"*"}`, "integration", "holds a *"},
		{"a NUL", `{"integration":"\u0000"}`, "integration", controlInside},
		{"a lone surrogate", `{"integration":"a\ud800"}`, "integration", "holds U+FFFD, the replacement character"},
		{"not UTF-8", "{\"integration\":\"\xff\"}", "integration", "holds U+FFFD, the replacement character"},
		{
			"a credential without its integration", `{"credential":{"id":"` + idA + `"}}`, "target",
			"has a credential in something that is not an integration",
		},
		{
			"a configuration without its credential", `{"integration":"slack","configuration":{}}`, "target",
			"has a configuration in something that is not a credential",
		},
		{
			"a configuration alone", `{"configuration":{}}`, "target",
			"has a configuration in something that is not a credential",
		},
		{"an ID that is not a UUID", `{"integration":"slack","credential":{"id":"acme"}}`, "credential ID", notUUID},
		{"an empty ID", `{"integration":"slack","credential":{"id":""}}`, "credential ID", "is empty"},
		{
			"an empty external ID", `{"integration":"slack","credential":{"externalId":""}}`,
			"credential external ID", "is empty",
		},
		{
			"a star for an external ID", `{"integration":"slack","credential":{},"configuration":{"externalId":"*"}}`,
			"configuration external ID", isStar,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := permissions.User()
			err := target.UnmarshalJSON([]byte(test.json))
			var question *permissions.QuestionError
			require.ErrorAs(t, err, &question)
			require.Equal(t, test.field, question.Field)
			require.Equal(t, test.problem, question.Problem)
			require.NotEmpty(t, question.Remedy)
			require.True(t, target == permissions.User(), "an error leaves the target as it was")
		})
	}
}

// Members may come in any order, with white space and escapes.
func TestTargetUnmarshalJSONAccepts(t *testing.T) {
	var target permissions.Target
	text := []byte(" {\n\"configuration\" : {\"externalId\":\"Team \\u0041\",\"id\":null},\t\"credenti\\u0061l\":" +
		`{"externalId":null,"id":"` + idUpper + `"}, "integration":"sl\u0061ck\u2028x"} `)
	require.NoError(t, target.UnmarshalJSON(text))
	clear(text)
	require.True(t, target == permissions.Integration("slack\u2028x").
		Credential(permissions.ID(idA), permissions.NoExternalID()).
		Configuration(permissions.NoID(), permissions.ExternalID("Team A")))

	// encoding/json takes the target where it is a part of something else.
	var request struct{ Targets []permissions.Target }
	require.NoError(t, json.Unmarshal([]byte(`{"targets":[{},{"integration":"slack"}]}`), &request))
	require.Equal(t, []permissions.Target{permissions.User(), slack}, request.Targets)
	require.ErrorIs(t, json.Unmarshal([]byte(`{"targets":[{},{"integration":""}]}`), &request), permissions.ErrQuestion)
}

// JSON gives every target back, whatever its names hold.
func TestTargetRoundTrip(t *testing.T) {
	names := []string{
		"slack", "été x:y", `q"b\`, "a\u2028b", "a\u200bb", "<&>", "eat", "Extra", "ext x", strings.Repeat("é", 1000),
	}
	states := [][]permissions.Identifier{
		nil, {permissions.NoID()}, {permissions.NoExternalID()}, {permissions.NoID(), permissions.NoExternalID()},
	}
	for _, name := range slices.Concat(names, []string{"EXT:x", "*a", "ext"}) {
		for _, id := range []permissions.Identifier{permissions.ID(idA), permissions.NoID()} {
			states = append(states, []permissions.Identifier{permissions.ExternalID(name), id})
		}
		states = append(states, []permissions.Identifier{permissions.ExternalID(name)})
	}
	for _, name := range names {
		for _, credential := range states {
			for _, configuration := range states {
				target := permissions.Integration(name).Credential(credential...).Configuration(configuration...)
				require.NoError(t, target.Err())
				var again permissions.Target
				require.NoError(t, json.Unmarshal(jsonOf(target), &again))
				require.True(t, target == again, "%v is not %v", target, again)
			}
		}
	}
}

// UUID and ID say the same for each value of each byte.
func TestUUIDAtEveryByte(t *testing.T) {
	for place := range bytesOfA {
		for b := range 256 {
			bytes := bytesOfA
			bytes[place] = byte(b)
			text := fmt.Sprintf("%x-%x-%x-%x-%x", bytes[:4], bytes[4:6], bytes[6:8], bytes[8:10], bytes[10:])
			target := slack.Credential(permissions.UUID(bytes))
			require.Equal(t, slack.Credential(permissions.ID(text)), target, text)
			got, state := target.Lookup(permissions.CredentialID)
			require.Equal(t, permissions.Known, state)
			require.Equal(t, text, got)
		}
	}
}

// Every name that printable ASCII without a star can make is judged as the rules of SPEC 2.4 say.
func TestShortNames(t *testing.T) {
	for c := range 0x100 {
		for _, around := range []string{"%s", "a%s", "%sa", "a%sb"} {
			name := fmt.Sprintf(around, string([]byte{byte(c)}))
			edge := around != "a%sb"
			bad := c < ' ' || c >= 0x7f || c == ' ' && edge
			require.Equal(t, !bad && c != '*', permissions.Integration(name).Err() == nil, "%q", name)
			bad = bad || c == '*' && around == "%s"
			require.Equal(t, !bad, slack.Credential(permissions.ExternalID(name)).Err() == nil, "%q", name)
			require.Error(t, slack.Credential(permissions.ID(name)).Err(), "%q", name)
		}
	}
}

func mustIntersect(policies ...*permissions.Policy) *permissions.Policy {
	p, err := permissions.Intersect(policies...)
	if err != nil {
		panic(err)
	}
	return p
}
