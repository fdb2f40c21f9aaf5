package permissions_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// The tests of this file are about questions that are easy to ask wrong. Each wrong question once got a
// wrong yes in an API of this kind. Now it is denied, and the error of Check says what is wrong.

// A wrongQuestion is a question with its denial.
type wrongQuestion struct {
	name   string
	action permissions.Permission
	target permissions.Target
	reason permissions.Reason
	check  string // what the error of Check says, after "permissions: "
}

// requireDenied requires that a policy denies each question for its reason.
func requireDenied(t *testing.T, p *permissions.Policy, questions []wrongQuestion) {
	t.Helper()
	for _, q := range questions {
		t.Run(q.name, func(t *testing.T) {
			d := p.Decide(q.action, q.target)
			require.False(t, d.Allowed)
			require.Equal(t, q.reason.String(), d.Reason.String())
			require.False(t, p.Allowed(q.action, q.target))
			require.False(t, p.Permissions(q.target).Has(q.action))
			err := p.Check(q.action, q.target)
			require.EqualError(t, err, "permissions: "+q.check)
			require.ErrorIs(t, err, permissions.ErrDenied)
			require.Equal(t, q.reason == permissions.ReasonInvalidQuestion, errors.Is(err, permissions.ErrQuestion))
		})
	}
}

const invalidQuestion = permissions.ReasonInvalidQuestion

// r.PathValue("integration") is empty where the pattern does not have it. That must not ask about the user.
func TestEmptyPathValueDoesNotAskAboutTheUser(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":["events","metadata:read"],"integration:slack":false}`)
	require.True(t, p.Allowed(permissions.Events, permissions.User()), "the user is allowed what the empty name is not")
	const integrationIsEmpty = "invalid question: integration is empty; the user is User(), never an empty name"
	const idIsEmpty = "invalid question: credential ID is empty; " + notAnIDRemedy
	requireDenied(t, p, []wrongQuestion{
		{"an empty integration", permissions.Events, permissions.Integration(""), invalidQuestion, integrationIsEmpty},
		{
			"an empty integration of a credential", permissions.Events,
			permissions.Integration("").Credential(permissions.ID(idA)), invalidQuestion, integrationIsEmpty,
		},
		{
			"an empty ID does not ask about some credential", permissions.Events, slack.Credential(permissions.ID("")),
			invalidQuestion, idIsEmpty,
		},
		{
			"an empty external ID does not say that it is unknown", permissions.Events,
			slack.Credential(permissions.ID(idA), permissions.ExternalID("")), invalidQuestion,
			"invalid question: credential external ID is empty; " + sayNoExternalID,
		},
		{
			"an empty reference", permissions.Events, slack.Credential(permissions.Reference("")), invalidQuestion,
			"invalid question: credential external ID is empty; " + sayNoExternalID,
		},
		{
			"the zero Target does not ask about the user", permissions.Events, permissions.Target{}, invalidQuestion,
			"invalid question: target is the zero Target; begin with User or Integration",
		},
	})
	t.Run("in JSON", func(t *testing.T) {
		var target permissions.Target
		err := target.UnmarshalJSON([]byte(`{"integration":""}`))
		require.EqualError(t, err, "permissions: "+integrationIsEmpty)
		require.ErrorIs(t, err, permissions.ErrQuestion)
	})
}

// A query can hold %00. That must not say that an identifier is absent, which would leave a rule out.
func TestNULFromAQueryDoesNotMeanAbsent(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":true,"credential:ext:acme":false,"configuration:ext:Team A":false}`)
	byID := permissions.ID(idA)
	require.True(t, p.Allowed(permissions.ProxyAPI, slack.Credential(byID, permissions.NoExternalID())),
		"what is absent is allowed what the NUL is not")
	const control = ` holds a control character; give it as the platform has it`
	requireDenied(t, p, []wrongQuestion{
		{
			"NUL for an external ID", permissions.ProxyAPI, slack.Credential(byID, permissions.ExternalID("\x00")),
			invalidQuestion, `invalid question: credential external ID "\x00"` + control,
		},
		{
			"NUL for an ID", permissions.ProxyAPI, slack.Credential(permissions.ID("\x00"), permissions.NoExternalID()),
			invalidQuestion, `invalid question: credential ID "\x00" is not a UUID; ` + notAnIDRemedy,
		},
		{
			"NUL for a reference", permissions.ProxyAPI, slack.Credential(permissions.Reference("\x00")), invalidQuestion,
			`invalid question: credential external ID "\x00"` + control,
		},
		{
			"NUL for an integration", permissions.Events, permissions.Integration("\x00"), invalidQuestion,
			`invalid question: integration "\x00"` + control,
		},
		{
			"NUL after an external ID", permissions.ProxyAPI, slack.Credential(byID, permissions.ExternalID("acme\x00")),
			invalidQuestion, `invalid question: credential external ID "acme\x00"` + control,
		},
		{
			"NUL for a configuration's external ID", permissions.Events,
			slack.Credential(byID, permissions.NoExternalID()).Configuration(permissions.ExternalID("\x00")), invalidQuestion,
			`invalid question: configuration external ID "\x00"` + control,
		},
		{
			"a valid column that holds NUL", permissions.ProxyAPI,
			slack.Credential(byID, permissions.ExternalIDOrNone("\x00", true)), invalidQuestion,
			`invalid question: credential external ID "\x00"` + control,
		},
	})
	t.Run("in JSON", func(t *testing.T) {
		var target permissions.Target
		err := target.UnmarshalJSON([]byte(`{"integration":"slack","credential":{"externalId":"\u0000"}}`))
		require.EqualError(t, err, `permissions: invalid question: credential external ID "\x00"`+control)
	})
}

// An action that touches a credential, asked of an integration, is asked of a credential in it.
func TestQuestionAboutAnIntegrationAsksTheRulesAboutItsCredentials(t *testing.T) {
	t.Run("all credentials are denied", func(t *testing.T) {
		p := permissions.MustParse(`{"integration:slack":true,"credential:*":false}`)
		var questions []wrongQuestion
		for _, action := range credentialActions {
			questions = append(questions, wrongQuestion{
				string(action), action, slack, permissions.ReasonNotGranted,
				`"` + string(action) + `" on integration "slack" denied: integration:*/credential:* grants none`,
			})
		}
		requireDenied(t, p, questions)
		require.True(t, p.Allowed(permissions.Events, slack), "events are those of the integration itself")
	})
	t.Run("one credential is denied by its external ID", func(t *testing.T) {
		p := permissions.MustParse(`{"integration:slack":true,"credential:ext:acme":false}`)
		var questions []wrongQuestion
		for _, action := range credentialActions {
			questions = append(questions, wrongQuestion{
				string(action), action, slack, permissions.ReasonUndetermined,
				`"` + string(action) + `" on integration "slack" denied: ` +
					`it depends on the credential external ID, which was not given`,
			})
		}
		requireDenied(t, p, questions)
	})
	t.Run("one configuration is denied by its external ID", func(t *testing.T) {
		p := permissions.MustParse(`{"integration:slack":true,"configuration:ext:Team A":false}`)
		credential := slack.Credential(permissions.ID(idA), permissions.NoExternalID())
		var questions []wrongQuestion
		for _, action := range configurationActions {
			for _, target := range []permissions.Target{slack, credential} {
				questions = append(questions, wrongQuestion{
					string(action) + " on " + target.String(), action, target, permissions.ReasonUndetermined,
					`"` + string(action) + `" on ` + target.String() + ` denied: ` +
						`it depends on the configuration external ID, which was not given`,
				})
			}
		}
		requireDenied(t, p, questions)
	})
}

// The actions that act on a credential or on a configuration where they are asked of an integration.
var (
	configurationActions = []permissions.Permission{
		permissions.SettingsRead, permissions.SettingsWrite, permissions.Workflows, permissions.ConfigWrite,
	}
	credentialActions = append([]permissions.Permission{
		permissions.ProxyAPI, permissions.ActionKit, permissions.CredentialWrite,
	}, configurationActions...)
)

// A credential that is denied by its UUID must not pass by another of its names.
func TestAnotherNameDoesNotEvadeADeniedUUID(t *testing.T) {
	hyphenless := strings.ReplaceAll(idA, "-", "")
	p := permissions.MustParse(`{"integration:*":true,"credential:` + idA + `":false}`)
	const dependsOnID = " denied: it depends on the credential ID, which was not given"
	const onSlack = `"proxy-api" on integration "slack", `
	requireDenied(t, p, []wrongQuestion{
		{
			"its external ID", permissions.ProxyAPI, slack.Credential(permissions.ExternalID("acme")),
			permissions.ReasonUndetermined, onSlack + `credential external ID "acme"` + dependsOnID,
		},
		{
			"its external ID as a reference", permissions.ProxyAPI, slack.Credential(permissions.Reference("acme")),
			permissions.ReasonUndetermined, onSlack + `credential external ID "acme"` + dependsOnID,
		},
		{
			"no name at all", permissions.ProxyAPI, slack.Credential(), permissions.ReasonUndetermined,
			onSlack + `some credential` + dependsOnID,
		},
		{
			"its UUID without hyphens", permissions.ProxyAPI, slack.Credential(permissions.ID(hyphenless)), invalidQuestion,
			`invalid question: credential ID "` + hyphenless + `" is not a UUID; ` + usualForm + meant(idA),
		},
		{
			"its UUID without hyphens as an external ID", permissions.ProxyAPI,
			slack.Credential(permissions.ExternalID(hyphenless)), permissions.ReasonUndetermined,
			onSlack + `credential external ID "` + hyphenless + `"` + dependsOnID,
		},
		{
			"its UUID without hyphens as a reference", permissions.ProxyAPI,
			slack.Credential(permissions.Reference(hyphenless)), permissions.ReasonUndetermined,
			onSlack + `credential external ID "` + hyphenless + `"` + dependsOnID,
		},
		{
			"its UUID in braces", permissions.ProxyAPI, slack.Credential(permissions.ID("{" + idA + "}")), invalidQuestion,
			`invalid question: credential ID "{` + idA + `}" is not a UUID; ` + usualForm + meant(idA),
		},
		{
			"its UUID with a space", permissions.ProxyAPI, slack.Credential(permissions.ID(idA + " ")), invalidQuestion,
			`invalid question: credential ID "` + idA + ` " is not a UUID; ` + notAnIDRemedy,
		},
		{
			"its UUID in capitals", permissions.ProxyAPI, slack.Credential(permissions.ID(idUpper)),
			permissions.ReasonNotGranted,
			onSlack + `credential ID ` + idA + ` denied: integration:*/credential:` + idA + ` grants none`,
		},
		{
			"its UUID as bytes", permissions.ProxyAPI, slack.Credential(permissions.UUID(bytesOfA)),
			permissions.ReasonNotGranted,
			onSlack + `credential ID ` + idA + ` denied: integration:*/credential:` + idA + ` grants none`,
		},
	})
	t.Run("the claim cannot use another spelling either", func(t *testing.T) {
		for _, spelling := range []string{hyphenless, "{" + idA + "}", "urn:uuid:" + idA} {
			_, err := permissions.Parse([]byte(`{"integration:*":true,"credential:` + spelling + `":false}`))
			require.ErrorIs(t, err, permissions.ErrScope)
			require.ErrorContains(t, err, "did you mean "+strconv.Quote("credential:"+idA)+"?")
		}
	})
}

// A level that gets lost in JSON would make the target another question, with another answer.
func TestTargetLosesNoLevelInJSON(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":true,"credential:*":["proxy-api"]}`)
	require.True(t, p.Allowed(permissions.Events, slack), "the integration is allowed what the credential is not")
	requireDenied(t, p, []wrongQuestion{{
		"the credential itself", permissions.Events, slack.Credential(permissions.ID(idA)), permissions.ReasonNotGranted,
		`"events" on integration "slack", credential ID ` + idA + ` denied: integration:*/credential:* grants proxy-api`,
	}})
	for _, test := range []struct{ name, json, says string }{
		{"null for the level", `{"integration":"slack","credential":null}`, "credential is not a JSON object"},
		{"a misspelled level", `{"integration":"slack","credentials":{}}`, `target has the unknown member "credentials"`},
		{
			"a level in another letter case", `{"integration":"slack","Credential":{}}`,
			`target has the unknown member "Credential"`,
		},
		{
			"a level twice", `{"integration":"slack","credential":{},"credential":{}}`,
			`target has the member "credential" twice`,
		},
		{"a reference for the level", `{"integration":"slack","credential":"acme"}`, "credential is not a JSON object"},
		{
			"a misspelled identifier", `{"integration":"slack","credential":{"ID":"` + idA + `"}}`,
			`credential has the unknown member "ID"`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			target := slack.Credential(permissions.ID(idA))
			err := target.UnmarshalJSON([]byte(test.json))
			require.EqualError(t, err, "permissions: invalid question: "+test.says+"; "+targetInJSON)
			require.True(t, target == slack.Credential(permissions.ID(idA)), "an error leaves the target as it was")
		})
	}
	for _, test := range validTargets {
		t.Run("round trip of "+test.name, func(t *testing.T) {
			var again permissions.Target
			require.NoError(t, again.UnmarshalJSON(jsonOf(test.target)))
			require.True(t, again == test.target)
			for _, action := range theTen {
				require.Equal(t, p.Decide(action, test.target), p.Decide(action, again), action)
			}
		})
	}
}

// A misspelled action is not a permission, even if the token grants everything.
func TestMisspelledActionIsDenied(t *testing.T) {
	const isNotAPermission = " is not a permission; "
	questions := []wrongQuestion{
		{
			"an underscore", "proxy_api", slack, invalidQuestion,
			`action "proxy_api"` + isNotAPermission + meant("proxy-api"),
		},
		{"capitals", "Events", slack, invalidQuestion, `action "Events"` + isNotAPermission + meant("events")},
		{"a space", "events ", slack, invalidQuestion, `action "events "` + isNotAPermission + meant("events")},
		{
			"another word", "configuration:write", slack, invalidQuestion,
			`action "configuration:write"` + isNotAPermission + meant("config:write"),
		},
		{
			"something else", "delete", slack, invalidQuestion,
			`action "delete"` + isNotAPermission + "the permissions are " + theTenText + "; WithPermissions declares others",
		},
		{
			"a star", "*", slack, invalidQuestion,
			`action "*"` + isNotAPermission + "to grant everything, give the scope true",
		},
		{
			"nothing", "", slack, invalidQuestion,
			"action is empty; the permissions are " + theTenText + "; WithPermissions declares others",
		},
		{
			"of the user", "event", permissions.User(), invalidQuestion,
			`action "event"` + isNotAPermission + meant("events"),
		},
	}
	for i := range questions {
		questions[i].check = "invalid question: " + questions[i].check
	}
	all := permissions.MustParse(`{"integration:*":true}`)
	for name, p := range map[string]*permissions.Policy{
		"everything granted": all,
		"no claim":           permissions.Unrestricted(),
		"an intersection":    mustIntersect(all, all),
	} {
		t.Run(name, func(t *testing.T) { requireDenied(t, p, questions) })
	}
	t.Run("an action that the user does not have", func(t *testing.T) {
		for _, action := range []permissions.Permission{
			permissions.ProxyAPI, permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead,
			permissions.SettingsWrite, permissions.Workflows,
		} {
			requireDenied(t, all, []wrongQuestion{{
				string(action), action, permissions.User(), invalidQuestion,
				"invalid question: target is the user, and " + string(action) +
					" cannot be asked of the user; ask it of an integration, or of something in one",
			}})
		}
	})
}

// An answer does not keep the request alive that the names of its question were cut from.
func TestAnswersKeepNothingOfTheQuestion(t *testing.T) {
	request := "events" + "slack" + "acme" + "nightly" + "unknown"
	action := permissions.Permission(request[:6])
	target := permissions.Integration(request[6:11]).
		Credential(permissions.NoID(), permissions.ExternalID(request[11:15])).
		Configuration(permissions.NoID(), permissions.ExternalID(request[15:22]))
	var observed permissions.Observation
	hook := func(o permissions.Observation) { observed = o }
	denies := permissions.MustParse(`{"integration:slack": ["workflows"]}`).Observe(hook)
	knows := permissions.MustParse(`{"integration:slack": true}`, permissions.WithPermissions("unknown"))
	both, err := permissions.Intersect(knows, denies)
	require.NoError(t, err)
	unknown := permissions.Permission(request[22:])
	var denied *permissions.DeniedError
	require.ErrorAs(t, denies.Check(action, target), &denied)
	var question *permissions.QuestionError
	require.ErrorAs(t, denies.Check(unknown, target), &question)
	require.Equal(t, "unknown", question.Value)
	explained, parts := denies.Explain(action, target), both.Explain(unknown, target).Parts
	require.Len(t, parts, 2)
	require.Equal(t, unknown, observed.Action)
	for _, text := range []struct {
		of     string
		action permissions.Permission
		target permissions.Target
	}{
		{"DeniedError", denied.Action, denied.Target},
		{"QuestionError", permissions.Permission(question.Value), permissions.User()},
		{"Explanation", explained.Action, explained.Target},
		{"a part that knows the action", parts[0].Action, parts[0].Target},
		{"a part that does not know it", parts[1].Action, parts[1].Target},
		{"Observation", observed.Action, observed.Target},
	} {
		t.Run(text.of, func(t *testing.T) {
			require.False(t, pins(string(text.action), request))
			for _, which := range []permissions.Identifiers{integrationName, credentialExternalID, configurationExternalID} {
				name, _ := text.target.Lookup(which)
				require.False(t, pins(name, request), which.String())
			}
		})
	}
}
