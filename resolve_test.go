package permissions_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A question with its answer.
type question struct {
	action   permissions.Permission
	target   permissions.Target
	decision string
}

func ask(t *testing.T, claim string, questions []question) {
	t.Helper()
	p := permissions.MustParse(claim)
	for _, q := range questions {
		d := p.Decide(q.action, q.target)
		require.Equal(t, q.decision, d.String(), "%s on %v", q.action, q.target)
		require.Equal(t, d.Allowed, p.Allowed(q.action, q.target))
		require.Equal(t, d.Allowed, p.Check(q.action, q.target) == nil)
		require.Equal(t, d.Allowed, p.Permissions(q.target).Has(q.action))
	}
}

// A UUID in capitals is the same ID, in the claim and in the target, at both levels.
// External IDs and integrations are not: they compare by bytes.
func TestUpperCaseDoesNotSlipPast(t *testing.T) {
	for _, claim := range []string{
		`{"integration:*":true,"credential:` + uuid + `":false,"configuration:` + upperUUID + `":["events"]}`,
		`{"integration:*":true,"credential:` + upperUUID + `":false,"configuration:` + uuid + `":["events"]}`,
	} {
		for _, id := range []string{uuid, upperUUID, "3Fa85f64-5717-4562-b3fc-2c963f66afa6", "3fa85f64-5717-4562-b3fc-2c963f66afA6"} {
			ask(t, claim, []question{
				{permissions.ProxyAPI, target("slack", id, none), "denied: integration:*/credential:" + uuid + " grants none"},
				{permissions.ProxyAPI, target("slack", id), "denied: integration:*/credential:" + uuid + " grants none"},
				{permissions.ProxyAPI, target("slack", none, id), "allowed: integration:* grants all"},
				{permissions.ProxyAPI, target("slack", "x", none, id, none), "denied: integration:*/credential:*/configuration:" + uuid + " grants events"},
				{permissions.ProxyAPI, target("slack", "x", none, none, id), "allowed: integration:* grants all"},
			})
		}
	}
	ask(t, `{"integration:*":true,"integration:`+uuid+`":false,"credential:ext:`+uuid+`":false,"credential:Acme":false}`, []question{
		{permissions.ProxyAPI, target(upperUUID), "allowed: integration:* grants all"},
		{permissions.ProxyAPI, target("slack", none, upperUUID), "allowed: integration:* grants all"},
		{permissions.ProxyAPI, target("slack", "acme", none), "allowed: integration:* grants all"},
		{permissions.ProxyAPI, target("slack", "Acme", none), "denied: integration:*/credential:Acme grants none"},
	})
}

// What looks like another spelling of a name that is denied is no name at all.
func TestOddSpellingsDoNotSlipPast(t *testing.T) {
	const claim = `{"integration:*":true,"integration:slack":false,"credential:` + uuid + `":false,"credential:ext:acme":false}`
	const invalid = "denied: invalid question"
	for _, around := range []string{" ", "\t", "\n", "\u00a0", "\u2003", "\u2028", "\u3000", "\u0085", "\x00", "\x7f", "\ufffd", "\xff"} {
		ask(t, claim, []question{
			{permissions.ProxyAPI, target("slack" + around), invalid},
			{permissions.ProxyAPI, target(around + "slack"), invalid},
			{permissions.ProxyAPI, target("jira", uuid+around, none), invalid},
			{permissions.ProxyAPI, target("jira", around+uuid, none), invalid},
			{permissions.ProxyAPI, target("jira", "x", "acme"+around), invalid},
			{permissions.ProxyAPI, target("jira", "x", around+"acme"), invalid},
		})
	}
	ask(t, claim, []question{
		{permissions.ProxyAPI, target("*"), invalid},
		{permissions.ProxyAPI, target("jira", "*", none), invalid},
		{permissions.ProxyAPI, target("jira", "ext:acme", none), invalid},
		{permissions.ProxyAPI, target("jira", "EXT:acme", none), invalid},
		{permissions.ProxyAPI, target("jira", "x", "*"), invalid},
		{permissions.ProxyAPI, target("jira", "x", none), "allowed: integration:* grants all"},
	})
}

// An object that is denied by one of its identifiers is not allowed by the other (SPEC 4.7).
func TestOtherIdentifierDoesNotSlipPast(t *testing.T) {
	const (
		byExternal = "denied: it may depend on the credential external ID, which the target leaves open"
		byID       = "denied: it may depend on the credential ID, which the target leaves open"
		confExt    = "denied: it may depend on the configuration external ID, which the target leaves open"
		confID     = "denied: it may depend on the configuration ID, which the target leaves open"
		byBoth     = "denied: it may depend on the credential external ID and configuration ID, which the target leaves open"
		allowed    = "allowed: integration:* grants all"
	)
	ask(t, `{"integration:*":true,"credential:ext:acme":false}`, []question{
		{permissions.ProxyAPI, target("slack", "x"), byExternal},
		{permissions.ProxyAPI, target("slack", "x", none), allowed},
		{permissions.ProxyAPI, target("slack", "x", "other"), allowed},
		{permissions.ProxyAPI, target("slack", "x", "acme"), "denied: integration:*/credential:ext:acme grants none"},
		{permissions.ProxyAPI, target("slack", "x", "", "y", none), byExternal},
		{permissions.ProxyAPI, target("slack"), allowed},
		{permissions.CredentialWrite, target("slack"), byExternal}, // SPEC 4.3
		{permissions.CredentialWrite, target("slack", none, none), allowed},
		{permissions.CredentialWrite, target("slack", none, "other"), allowed},
		{permissions.ProxyAPI, user, allowed},
	})
	ask(t, `{"integration:*":true,"credential:x":["events"]}`, []question{
		{permissions.ProxyAPI, target("slack", "", "acme"), byID},
		{permissions.Events, target("slack", "", "acme"), allowed}, // which it grants too
		{permissions.ProxyAPI, target("slack", none, "acme"), allowed},
		{permissions.CredentialWrite, target("slack"), allowed}, // what is to be created has no ID
	})
	ask(t, `{"integration:*":true,"configuration:ext:Team A":false}`, []question{
		{permissions.ProxyAPI, target("slack", "x", none, "y"), confExt},
		{permissions.ProxyAPI, target("slack", "x", "", "y"), confExt},
		{permissions.ProxyAPI, target("slack", "x", none, "y", none), allowed},
		{permissions.ProxyAPI, target("slack", "x", none, "y", "Team B"), allowed},
		{permissions.ConfigWrite, target("slack", "x"), confExt}, // SPEC 4.3
		{permissions.ConfigWrite, target("slack", "x", none, none, none), allowed},
		{permissions.SettingsRead, target("slack", "x"), allowed},
	})
	ask(t, `{"integration:*":true,"configuration:y":false}`, []question{
		{permissions.ProxyAPI, target("slack", "x", none, "", "Team A"), confID},
		{permissions.ConfigWrite, target("slack", "x"), allowed},
	})
	ask(t, `{"integration:*":true,"credential:ext:acme":{"configuration:y":false}}`, []question{
		{permissions.ProxyAPI, target("slack", "x", "", "", "Team A"), byBoth},
		{permissions.ProxyAPI, target("slack", "x", "", "z", none), allowed},
		{permissions.ProxyAPI, target("slack", "x", none, "", "Team A"), allowed},
	})
	// What is open never makes a yes of a no.
	ask(t, `{"integration:*":false,"credential:ext:acme":true}`, []question{
		{permissions.ProxyAPI, target("slack", "x"), "denied: integration:* grants none"},
		{permissions.ProxyAPI, target("slack", "x", "acme"), "allowed: integration:*/credential:ext:acme grants all"},
	})
	// A rule that a more specific one overrides on the same object denies nothing.
	ask(t, `{"integration:*":true,"credential:x":true,"credential:ext:acme":false}`, []question{
		{permissions.ProxyAPI, target("slack", "x"), "allowed: integration:*/credential:x grants all"},
		{permissions.ProxyAPI, target("slack", "z"), byExternal},
	})
}

// The questions that people trip over: the README answers them so.
func TestWhatPeopleTripOver(t *testing.T) {
	// More specific replaces, it does not add.
	ask(t, `{"integration:*":["events","proxy-api"],"integration:slack":["workflows"]}`, []question{
		{permissions.Workflows, target("slack"), "allowed: integration:slack grants workflows"},
		{permissions.Events, target("slack"), "denied: integration:slack grants workflows"},
		{permissions.Events, target("jira"), "allowed: integration:* grants proxy-api, events"},
	})
	// credential:write asked of an integration is about a credential in it.
	ask(t, `{"integration:slack":["credential:write"],"credential:*":["proxy-api"]}`, []question{
		{permissions.CredentialWrite, target("slack"), "denied: integration:*/credential:* grants proxy-api"},
		{permissions.ProxyAPI, target("slack"), "denied: integration:slack grants credential:write"},
	})
	// config:write asked of a credential is about a configuration of it.
	ask(t, `{"credential:*":["config:write"],"configuration:*":[]}`, []question{
		{permissions.ConfigWrite, target("slack", "x", none), "denied: integration:*/credential:*/configuration:* grants none"},
		{permissions.ConfigWrite, target("slack"), "denied: no rule applies"},
	})
	// A credential of every integration outranks an integration's name.
	ask(t, `{"integration:slack":false,"credential:*":true}`, []question{
		{permissions.ProxyAPI, target("slack", "x"), "allowed: integration:*/credential:* grants all"},
		{permissions.ProxyAPI, target("slack"), "denied: integration:slack grants none"},
	})
	// A nested map grants nothing to the scope that holds it, and closes nothing.
	ask(t, `{"integration:*":true,"integration:slack":{"credential:x":["events"]}}`, []question{
		{permissions.ProxyAPI, target("slack", "x"), "denied: integration:slack/credential:x grants events"},
		{permissions.ProxyAPI, target("slack", "y", none), "allowed: integration:* grants all"},
		{permissions.ProxyAPI, target("slack"), "allowed: integration:* grants all"},
	})
}

func TestReasons(t *testing.T) {
	for reason, text := range map[permissions.Reason]string{
		permissions.NoPolicy: "no policy", permissions.InvalidQuestion: "invalid question", permissions.NoRule: "no rule",
		permissions.NotGranted: "not granted", permissions.Undetermined: "undetermined", permissions.Granted: "granted", permissions.NoClaim: "no claim",
		200: "Reason(200)",
	} {
		require.Equal(t, text, reason.String())
	}
	require.Equal(t, permissions.NoPolicy, permissions.Decision{}.Reason)
	require.False(t, permissions.Decision{}.Allowed)
}

// What a decision says with each reason, and what it holds.
func TestDecision(t *testing.T) {
	p := permissions.MustParse(`{"integration:slack":["events"],"credential:ext:acme":false,"integration:jira":true}`)
	for _, test := range []struct {
		policy  *permissions.Policy
		target  permissions.Target
		reason  permissions.Reason
		allowed bool
		rule    string
		open    string
		text    string
		logged  string
	}{
		{p, target("slack"), permissions.Granted, true, "integration:slack", "", "allowed: integration:slack grants events", `v.allowed=true v.reason=granted v.rule=integration:slack`},
		{p, target("slack", "x", "acme"), permissions.NotGranted, false, "integration:*/credential:ext:acme", "", "denied: integration:*/credential:ext:acme grants none", `v.allowed=false v.reason="not granted" v.rule=integration:*/credential:ext:acme`},
		{p, user, permissions.NoRule, false, "", "", "denied: no rule applies", `v.allowed=false v.reason="no rule"`},
		{p, target("jira", "x"), permissions.Undetermined, false, "", "credential external ID", "denied: it may depend on the credential external ID, which the target leaves open", `v.allowed=false v.reason=undetermined v.open="credential external ID"`},
		{p, target("*"), permissions.InvalidQuestion, false, "", "", "denied: invalid question", `v.allowed=false v.reason="invalid question"`},
		{nil, user, permissions.NoPolicy, false, "", "", "denied: there is no policy", `v.allowed=false v.reason="no policy"`},
		{permissions.Unrestricted(), user, permissions.NoClaim, true, "", "", "allowed: the token has no permissions claim", `v.allowed=true v.reason="no claim"`},
	} {
		t.Run(test.text, func(t *testing.T) {
			d := test.policy.Decide(permissions.Events, test.target)
			require.Equal(t, test.allowed, d.Allowed)
			require.Equal(t, test.reason, d.Reason)
			require.Equal(t, test.rule, d.Rule.String())
			require.Equal(t, test.open, d.Open.String())
			require.Equal(t, test.text, d.String())
			require.Equal(t, test.logged, logged(d))
		})
	}
}

// Visible: SPEC 5.1. The conformance cases and the reference have more of it.
func TestVisible(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":false,"integration:slack":{"credential:x":{"configuration:ext:Team A":["events"]}},"integration:jira":["events"],"integration:hub":{"credential:*":["credential:write"]}}`)
	for _, test := range []struct {
		target  permissions.Target
		visible bool
	}{
		{user, true},
		{target("slack"), true},
		{target("slack", "x"), true},
		{target("slack", "y"), false},
		{target("slack", "", "x"), false}, // what is open counts as none
		{target("slack", "x", none, "c"), false},
		{target("slack", "x", none, "c", "Team A"), true},
		{target("slack", "x", none, "c", "Team B"), false},
		{target("jira"), true},
		{target("jira", "any"), true},
		{target("hub"), true}, // a credential may be connected
		{target("other"), false},
		{target("slack", "x", none, "", " "), false},
	} {
		require.Equal(t, test.visible, p.Visible(test.target), "%v", test.target)
	}
	// It counts what is to be created in it as none, too: no rule is in the way (SPEC 4.3).
	require.True(t, permissions.MustParse(`{"integration:slack":["credential:write"],"credential:ext:acme":false}`).Visible(target("slack")))
	require.False(t, permissions.MustParse(`{"integration:slack":["credential:write"],"credential:*":false}`).Visible(target("slack")))
	require.False(t, permissions.MustParse(`{"integration:*":false,"credential:*":false}`).Visible(user))
}
