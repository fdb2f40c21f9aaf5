package permissions_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// An acted is what an action acts on, asked of a target (SPEC 3.3, 4.3): its level, and what is unknown
// of it. The zero acted says that the question is invalid.
type acted struct {
	level   permissions.Kind
	unknown permissions.Identifiers
}

// The cells of the table of SPEC 3.3.
var (
	invalid = acted{}

	theUser        = acted{level: permissions.KindUser}
	theIntegration = acted{level: permissions.KindIntegration}
	aCredential    = acted{permissions.KindCredential, credentialID | credentialExternalID}
	aNewCredential = acted{permissions.KindCredential, credentialExternalID}
	theCredential  = acted{level: permissions.KindCredential}

	aConfigurationOfSomeCredential    = acted{permissions.KindConfiguration, everyIdentifier &^ integrationName}
	aNewConfigurationOfSomeCredential = acted{permissions.KindConfiguration,
		everyIdentifier &^ integrationName &^ configurationID}

	aConfiguration    = acted{permissions.KindConfiguration, configurationID | configurationExternalID}
	aNewConfiguration = acted{permissions.KindConfiguration, configurationExternalID}
	theConfiguration  = acted{level: permissions.KindConfiguration}
)

const everyIdentifier = integrationName | credentialID | credentialExternalID |
	configurationID | configurationExternalID

// actedOn is the table of SPEC 3.3. The columns are the user, an integration, a credential, a configuration.
var actedOn = map[permissions.Permission][4]acted{
	"events":           {theUser, theIntegration, theCredential, theConfiguration},
	"metadata:read":    {theUser, theIntegration, theCredential, theConfiguration},
	"metadata:write":   {theUser, theIntegration, theCredential, theConfiguration},
	"actionkit":        {theUser, aCredential, theCredential, theConfiguration},
	"proxy-api":        {invalid, aCredential, theCredential, theConfiguration},
	"credential:write": {invalid, aNewCredential, theCredential, theConfiguration},
	"settings:read":    {invalid, aConfigurationOfSomeCredential, aConfiguration, theConfiguration},
	"settings:write":   {invalid, aConfigurationOfSomeCredential, aConfiguration, theConfiguration},
	"workflows":        {invalid, aConfigurationOfSomeCredential, aConfiguration, theConfiguration},
	"config:write":     {invalid, aNewConfigurationOfSomeCredential, aNewConfiguration, theConfiguration},
	"an extra":         {theUser, theIntegration, theCredential, theConfiguration},
}

// columns are the targets of the columns. Everything is known of them.
var columns = [4]permissions.Target{
	permissions.User(),
	slack,
	slack.Credential(permissions.ID(idA), permissions.ExternalID("acme")),
	slack.Credential(permissions.ID(idA), permissions.ExternalID("acme")).
		Configuration(permissions.ID(idA), permissions.ExternalID("acme")),
}

// A probe is a claim that shows one thing about the question that is asked. In each claim integration:*
// grants all, and one rule denies.
type probe struct {
	scope   string // the scope of the rule that denies
	level   permissions.Kind
	depends permissions.Identifiers // what the rule names
}

var probes = []probe{
	{scope: "credential:*", level: permissions.KindCredential},
	{scope: "configuration:*", level: permissions.KindConfiguration},
	{"credential:" + idB, permissions.KindCredential, credentialID},
	{"credential:ext:other", permissions.KindCredential, credentialExternalID},
	{"configuration:" + idB, permissions.KindConfiguration, configurationID},
	{"configuration:ext:other", permissions.KindConfiguration, configurationExternalID},
}

// The table of SPEC 3.3, cell by cell.
func TestWhatAnActionActsOn(t *testing.T) {
	declared := permissions.WithPermissions("an extra")
	require.Len(t, actedOn, len(theTen)+1)
	for action, cells := range actedOn {
		for i, cell := range cells {
			target := columns[i]
			t.Run(fmt.Sprintf("%s of %v", action, []string{
				"the user", "an integration", "a credential", "a configuration",
			}[i]), func(t *testing.T) {
				for _, probe := range probes {
					p, err := permissions.Parse([]byte(`{"integration:*":true,"`+probe.scope+`":false}`), declared)
					require.NoError(t, err)
					want := permissions.ReasonGranted
					switch {
					case cell == invalid:
						want = permissions.ReasonInvalidQuestion
					case cell.level >= probe.level && probe.depends == 0:
						want = permissions.ReasonNotGranted
					case cell.level >= probe.level && cell.unknown.Has(probe.depends):
						want = permissions.ReasonUndetermined
					}
					d := p.Decide(action, target)
					require.Equal(t, want.String(), d.Reason.String(), "a denial by %s", probe.scope)
					require.Equal(t, want == permissions.ReasonGranted, p.Allowed(action, target))
					if want == permissions.ReasonUndetermined {
						require.Equal(t, probe.depends, d.Unknown)
					}
				}
				d := permissions.Unrestricted(declared).Decide(action, target)
				require.Equal(t, cell != invalid, d.Allowed)
				if cell == invalid {
					require.Equal(t, permissions.ReasonInvalidQuestion, d.Reason)
				}
			})
		}
	}
}

// A question is an action and a target with the answer: the text of the decision.
type question struct {
	action   permissions.Permission
	target   permissions.Target
	decision string
}

// requireDecisions requires that everything that answers a question agrees with the decision.
func requireDecisions(t *testing.T, claim string, questions []question) {
	t.Helper()
	p, err := permissions.Parse([]byte(claim))
	require.NoError(t, err)
	for _, q := range questions {
		d := p.Decide(q.action, q.target)
		require.Equal(t, q.decision, d.String(), "%s on %v by %s", q.action, q.target, claim)
		require.Equal(t, strings.HasPrefix(q.decision, "allowed"), d.Allowed)
		require.Equal(t, d.Allowed, p.Allowed(q.action, q.target), "%s on %v by %s", q.action, q.target, claim)
		require.Equal(t, d.Allowed, p.Check(q.action, q.target) == nil)
		require.Equal(t, d.Allowed, p.Permissions(q.target).Has(q.action))
	}
}

const (
	noRuleApplies = "denied: no rule applies"
	grantedByRoot = "allowed: integration:* grants all"
	dependsOn     = "denied: it depends on the "
	whichIs       = ", which was not given"
)

// Targets for the tests of the rules: jira has credentials by ID A and by external ID acme.
var (
	jira       = permissions.Integration("jira")
	newID      = permissions.NoID()
	noExternal = permissions.NoExternalID()
	byA        = permissions.ID(idA)
	byB        = permissions.ID(idB)
	acme       = permissions.ExternalID("acme")
	teamA      = permissions.ExternalID("Team A")
)

// SPEC 4.1: which rules apply to a target. The claim has one rule, and events act on the target itself.
func TestWhichRuleApplies(t *testing.T) {
	targets := map[string]permissions.Target{
		"user":        permissions.User(),
		"jira":        jira,
		"slack":       slack,
		"A":           jira.Credential(byA, noExternal),
		"A only":      jira.Credential(byA),
		"A of slack":  slack.Credential(byA, noExternal),
		"acme":        jira.Credential(newID, acme),
		"A and acme":  jira.Credential(byA, acme),
		"absent":      jira.Credential(newID, noExternal),
		"unknown":     jira.Credential(),
		"conf B":      jira.Credential(byA, noExternal).Configuration(byB, noExternal),
		"conf Team A": jira.Credential(byA, noExternal).Configuration(newID, teamA),
		"conf both":   jira.Credential(byA, acme).Configuration(byB, teamA),
		"conf absent": jira.Credential(newID, noExternal).Configuration(newID, noExternal),
		"conf none":   jira.Credential().Configuration(),
	}
	// applies has the targets to which the rule applies.
	for _, test := range []struct{ claim, rule, applies string }{
		{
			`{"integration:*":["events"]}`, `integration:*`, "user, jira, slack, A, A only, A of slack, acme, A and acme, " +
				"absent, unknown, conf B, conf Team A, conf both, conf absent, conf none",
		},
		{
			`{"integration:jira":["events"]}`, `integration:"jira"`, "jira, A, A only, acme, A and acme, absent, unknown, " +
				"conf B, conf Team A, conf both, conf absent, conf none",
		},
		{`{"integration:Jira":["events"]}`, `integration:"Jira"`, ""},
		{
			`{"credential:*":["events"]}`, `integration:*/credential:*`, "A, A only, A of slack, acme, A and acme, " +
				"absent, unknown, conf B, conf Team A, conf both, conf absent, conf none",
		},
		{
			`{"integration:slack":{"credential:*":["events"]}}`, `integration:"slack"/credential:*`, "A of slack",
		},
		{
			`{"credential:` + idUpper + `":["events"]}`, `integration:*/credential:` + idA,
			"A, A only, A of slack, A and acme, conf B, conf Team A, conf both",
		},
		{`{"credential:ext:` + idA + `":["events"]}`, `integration:*/credential:ext:"` + idA + `"`, ""},
		{
			`{"credential:ext:acme":["events"]}`, `integration:*/credential:ext:"acme"`, "acme, A and acme, conf both",
		},
		{`{"credential:ext:Acme":["events"]}`, `integration:*/credential:ext:"Acme"`, ""},
		{
			`{"integration:jira":{"credential:` + idA + `":["events"]}}`, `integration:"jira"/credential:` + idA,
			"A, A only, A and acme, conf B, conf Team A, conf both",
		},
		{
			`{"configuration:*":["events"]}`, `integration:*/credential:*/configuration:*`,
			"conf B, conf Team A, conf both, conf absent, conf none",
		},
		{
			`{"configuration:` + idB + `":["events"]}`, `integration:*/credential:*/configuration:` + idB,
			"conf B, conf both",
		},
		{`{"configuration:` + idA + `":["events"]}`, `integration:*/credential:*/configuration:` + idA, ""},
		{
			`{"configuration:ext:Team A":["events"]}`, `integration:*/credential:*/configuration:ext:"Team A"`,
			"conf Team A, conf both",
		},
		{`{"configuration:ext:team A":["events"]}`, `integration:*/credential:*/configuration:ext:"team A"`, ""},
		{
			`{"integration:jira":{"configuration:ext:Team A":["events"]}}`,
			`integration:"jira"/credential:*/configuration:ext:"Team A"`, "conf Team A, conf both",
		},
		{
			`{"credential:ext:acme":{"configuration:*":["events"]}}`,
			`integration:*/credential:ext:"acme"/configuration:*`, "conf both",
		},
		{
			`{"integration:jira":{"credential:` + idA + `":{"configuration:` + idB + `":["events"]}}}`,
			`integration:"jira"/credential:` + idA + `/configuration:` + idB, "conf B, conf both",
		},
	} {
		t.Run(test.claim, func(t *testing.T) {
			applies := make(map[string]bool)
			for _, name := range strings.Split(test.applies, ", ") {
				applies[name] = true
			}
			for name, target := range targets {
				want := noRuleApplies
				if applies[name] {
					want = "allowed: " + test.rule + " grants events"
				}
				t.Run(name, func(t *testing.T) {
					requireDecisions(t, test.claim, []question{{permissions.Events, target, want}})
				})
			}
		})
	}
}

// SPEC 4.2.
func TestOnlyTheRootAppliesToTheUser(t *testing.T) {
	const others = `"integration:jira":true,"credential:*":true,"configuration:*":true,"credential:` + idA + `":true`
	for _, action := range theTen {
		if actedOn[action][0] == invalid {
			continue // cannot be asked of the user
		}
		t.Run(string(action), func(t *testing.T) {
			requireDecisions(t, `{`+others+`}`, []question{{action, permissions.User(), noRuleApplies}})
			requireDecisions(t, `{"integration:*":true,`+others+`}`, []question{{action, permissions.User(), grantedByRoot}})
			requireDecisions(t, `{"integration:*":false,`+others+`}`, []question{
				{action, permissions.User(), "denied: integration:* grants none"},
			})
		})
	}
}

// SPEC 4.3: a caller that knows what the new object will have asks about it directly.
func TestWhatIsNew(t *testing.T) {
	const credentialExternal = dependsOn + "credential external ID" + whichIs
	const configurationExternal = dependsOn + "configuration external ID" + whichIs
	t.Run("a new credential", func(t *testing.T) {
		requireDecisions(t, `{"integration:*":true,"credential:ext:acme":false,"credential:`+idA+`":false}`, []question{
			{permissions.CredentialWrite, jira, credentialExternal},
			{permissions.CredentialWrite, jira.Credential(newID), credentialExternal},
			{permissions.CredentialWrite, jira.Credential(newID, noExternal), grantedByRoot},
			{permissions.CredentialWrite, jira.Credential(newID, permissions.ExternalID("other")), grantedByRoot},
			{
				permissions.CredentialWrite, jira.Credential(newID, acme),
				`denied: integration:*/credential:ext:"acme" grants none`,
			},
		})
		requireDecisions(t, `{"integration:*":true,"credential:`+idA+`":false}`, []question{
			{permissions.CredentialWrite, jira, grantedByRoot},
			{permissions.ProxyAPI, jira, dependsOn + "credential ID" + whichIs},
			{permissions.CredentialWrite, jira.Credential(), dependsOn + "credential ID" + whichIs},
		})
	})
	t.Run("a new configuration", func(t *testing.T) {
		const claim = `{"integration:*":true,"configuration:ext:Team A":false,"configuration:` + idB + `":false}`
		requireDecisions(t, claim, []question{
			{permissions.ConfigWrite, jira, configurationExternal},
			{permissions.ConfigWrite, jira.Credential(byA, acme), configurationExternal},
			{permissions.ConfigWrite, jira.Credential(byA, acme).Configuration(newID), configurationExternal},
			{permissions.ConfigWrite, jira.Credential(byA, acme).Configuration(newID, noExternal), grantedByRoot},
			{
				permissions.ConfigWrite, jira.Credential(byA, acme).Configuration(newID, teamA),
				`denied: integration:*/credential:*/configuration:ext:"Team A" grants none`,
			},
		})
		requireDecisions(t, `{"integration:*":true,"configuration:`+idB+`":false}`, []question{
			{permissions.ConfigWrite, jira, grantedByRoot},
			{permissions.ConfigWrite, jira.Credential(byA, acme), grantedByRoot},
			{permissions.SettingsRead, jira.Credential(byA, acme), dependsOn + "configuration ID" + whichIs},
		})
	})
	t.Run("a new configuration of a credential that is not new", func(t *testing.T) {
		requireDecisions(t, `{"integration:*":true,"credential:`+idA+`":false}`, []question{
			{permissions.ConfigWrite, jira, dependsOn + "credential ID" + whichIs},
			{permissions.CredentialWrite, jira, grantedByRoot},
		})
	})
}

// SPEC 4.4: the most specific rule decides alone.
func TestTheMostSpecificRuleReplacesTheOthers(t *testing.T) {
	requireDecisions(t, `{"integration:*":["events","proxy-api"],"integration:jira":["workflows"]}`, []question{
		{permissions.Workflows, jira, `allowed: integration:"jira" grants workflows`},
		{permissions.Events, jira, `denied: integration:"jira" grants workflows`},
		{permissions.Events, slack, "allowed: integration:* grants proxy-api, events"},
	})
}

// SPEC 4.5: the rules that apply to one target, from the most specific to the least.
func TestOrderOfRules(t *testing.T) {
	target := jira.Credential(byA, acme).Configuration(byB, teamA)
	integrations := []string{"integration:jira", "integration:*"}
	credentials := []string{"credential:" + idA, "credential:ext:acme", "credential:*"}
	configurations := []string{"configuration:" + idB, "configuration:ext:Team A", "configuration:*"}
	var paths [][]permissions.Scope
	add := func(path ...string) {
		var scopes []permissions.Scope
		for _, scope := range path {
			scopes = append(scopes, permissions.MustParseScope(scope))
		}
		paths = append(paths, scopes)
	}
	for _, configuration := range configurations {
		for _, credential := range credentials {
			for _, integration := range integrations {
				add(integration, credential, configuration)
			}
		}
	}
	for _, credential := range credentials {
		for _, integration := range integrations {
			add(integration, credential)
		}
	}
	add("integration:jira")
	add("integration:*")
	require.Len(t, paths, 26)

	// Of two rules, the one that comes first in the list decides, whether it grants or denies.
	for i, first := range paths {
		for _, second := range paths[i+1:] {
			for _, grants := range []bool{true, false} {
				var b permissions.Builder
				b.At(second...).Grant(allIf(!grants))
				b.At(first...).Grant(allIf(grants))
				p, err := b.Build()
				if err != nil {
					// No claim has a rule for a scope and rules in it.
					require.ErrorIs(t, err, permissions.ErrDuplicate)
					continue
				}
				d := p.Decide(permissions.Events, target)
				require.Equal(t, first, d.Rule.Path(), "%v and %v", first, second)
				require.Equal(t, grants, d.Allowed)
				if !grants {
					require.Equal(t, permissions.ReasonNotGranted, d.Reason)
				}
			}
		}
	}
}

// allIf returns the set of all permissions, or an empty one.
func allIf(all bool) permissions.PermissionSet {
	if all {
		return permissions.NewPermissionSet(theTen...)
	}
	return permissions.PermissionSet{}
}

// SPEC 4.5: a generic rule that is deeper is more specific than a rule for an integration.
func TestWhatPeopleTripOver(t *testing.T) {
	for _, test := range []struct {
		name      string
		claim     string
		questions []question
	}{
		{
			"a credential of any integration is more specific than an integration",
			`{"integration:jira":false,"credential:*":true}`, []question{
				{permissions.ProxyAPI, jira.Credential(byA), "allowed: integration:*/credential:* grants all"},
				{permissions.ProxyAPI, jira, "allowed: integration:*/credential:* grants all"},
				{permissions.Events, jira, `denied: integration:"jira" grants none`},
			},
		},
		{
			"connecting is asked of the credential", `{"integration:jira":["credential:write"],"credential:*":["proxy-api"]}`,
			[]question{
				{permissions.CredentialWrite, jira, "denied: integration:*/credential:* grants proxy-api"},
				{permissions.ProxyAPI, jira, "allowed: integration:*/credential:* grants proxy-api"},
			},
		},
		{"creating a configuration is asked of it", `{"credential:*":["config:write"],"configuration:*":[]}`, []question{
			{permissions.ConfigWrite, jira.Credential(byA), "denied: integration:*/credential:*/configuration:* grants none"},
			{permissions.ConfigWrite, jira, "denied: integration:*/credential:*/configuration:* grants none"},
		}},
		{
			"a nested map grants nothing to the scope that holds it",
			`{"integration:*":["events"],"integration:jira":{"credential:` + idA + `":["proxy-api"]}}`, []question{
				{
					permissions.ProxyAPI,
					jira.Credential(byA),
					`allowed: integration:"jira"/credential:` + idA + ` grants proxy-api`,
				},
				{permissions.Events, jira.Credential(byA), `denied: integration:"jira"/credential:` + idA + ` grants proxy-api`},
				{permissions.Events, jira.Credential(byB), "allowed: integration:* grants events"},
				{permissions.Events, jira, "allowed: integration:* grants events"},
			},
		},
		{"an empty nested map denies nothing", `{"integration:*":true,"integration:jira":{}}`, []question{
			{permissions.Events, jira, grantedByRoot},
		}},
	} {
		t.Run(test.name, func(t *testing.T) { requireDecisions(t, test.claim, test.questions) })
	}
}

// SPEC 4.6.
func TestNoRuleDenies(t *testing.T) {
	for _, target := range columns {
		t.Run(target.String(), func(t *testing.T) {
			for _, action := range []permissions.Permission{permissions.Events, permissions.ActionKit} {
				requireDecisions(t, `{}`, []question{{action, target, noRuleApplies}})
				requireDecisions(t, `{"integration:slack":{},"integration:jira":{"credential:*":{}}}`, []question{
					{action, target, noRuleApplies},
				})
			}
		})
	}
}

// SPEC 4.7: what is unknown does not turn a no into a yes, and a no stays a no.
func TestUnknownIdentifiers(t *testing.T) {
	const (
		byCredentialID    = dependsOn + "credential ID" + whichIs
		byCredentialExt   = dependsOn + "credential external ID" + whichIs
		byConfigurationID = dependsOn + "configuration ID" + whichIs
		byConfiguration   = dependsOn + "configuration external ID" + whichIs
		proxy             = permissions.ProxyAPI
	)
	other := permissions.ExternalID("other")
	for _, test := range []struct {
		name      string
		claim     string
		questions []question
	}{
		{"a denial by a credential's external ID", `{"integration:*":true,"credential:ext:acme":false}`, []question{
			{proxy, jira.Credential(byA), byCredentialExt},
			{proxy, jira.Credential(newID), byCredentialExt},
			{proxy, jira.Credential(), byCredentialExt},
			{proxy, jira.Credential(byA, noExternal), grantedByRoot},
			{proxy, jira.Credential(byA, other), grantedByRoot},
			{proxy, jira.Credential(other), grantedByRoot},
			{proxy, jira.Credential(byA, acme), `denied: integration:*/credential:ext:"acme" grants none`},
			{proxy, jira.Credential(acme), `denied: integration:*/credential:ext:"acme" grants none`},
			{proxy, jira.Credential(byA).Configuration(byB, noExternal), byCredentialExt},
		}},
		{"a denial by a credential's ID", `{"integration:*":true,"credential:` + idA + `":["events"]}`, []question{
			{proxy, jira.Credential(acme), byCredentialID},
			{proxy, jira.Credential(noExternal), byCredentialID},
			{proxy, jira.Credential(newID, acme), grantedByRoot},
			{proxy, jira.Credential(byB), grantedByRoot},
			{permissions.Events, jira.Credential(acme), grantedByRoot},
		}},
		{
			"a denial by a configuration's external ID", `{"integration:*":true,"configuration:ext:Team A":false}`,
			[]question{
				{proxy, jira.Credential(byA, noExternal).Configuration(byB), byConfiguration},
				{proxy, jira.Credential().Configuration(byB), byConfiguration},
				{proxy, jira.Credential().Configuration(byB, noExternal), grantedByRoot},
				{proxy, jira.Credential().Configuration(byB, other), grantedByRoot},
				{proxy, jira.Credential(), grantedByRoot},
				{permissions.SettingsRead, jira.Credential(), byConfiguration},
			},
		},
		{"a denial by a configuration's ID", `{"integration:*":true,"configuration:` + idB + `":false}`, []question{
			{proxy, jira.Credential(byA, noExternal).Configuration(teamA), byConfigurationID},
			{proxy, jira.Credential(byA, noExternal).Configuration(newID, teamA), grantedByRoot},
		}},
		{
			"a denial by two identifiers",
			`{"integration:*":true,"credential:ext:acme":{"configuration:` + idB + `":false}}`, []question{
				{
					proxy, jira.Credential(byA).Configuration(teamA),
					dependsOn + "credential external ID and configuration ID, which were not given",
				},
				{proxy, jira.Credential(acme).Configuration(teamA), byConfigurationID},
				{proxy, jira.Credential(byA).Configuration(byB), byCredentialExt},
				{proxy, jira.Credential(byA).Configuration(byA), grantedByRoot},
				{proxy, jira.Credential(byA, noExternal).Configuration(teamA), grantedByRoot},
			},
		},
		{"a no stays a no", `{"integration:*":false,"credential:ext:acme":true}`, []question{
			{proxy, jira.Credential(byA), "denied: integration:* grants none"},
			{proxy, jira, "denied: integration:* grants none"},
			{proxy, jira.Credential(byA, acme), `allowed: integration:*/credential:ext:"acme" grants all`},
		}},
		{"a no without a rule stays a no", `{"credential:ext:acme":true}`, []question{
			{proxy, jira.Credential(byA), noRuleApplies},
		}},
		{
			"a denial in another integration", `{"integration:*":true,"integration:slack":{"credential:ext:acme":false}}`,
			[]question{{proxy, jira.Credential(byA), grantedByRoot}, {proxy, slack.Credential(byA), byCredentialExt}},
		},
		{
			"a denial that another rule overrides",
			`{"integration:*":true,"credential:` + idA + `":true,"credential:ext:acme":false}`, []question{
				{proxy, jira.Credential(byA), "allowed: integration:*/credential:" + idA + " grants all"},
				{proxy, jira.Credential(byB), byCredentialExt},
			},
		},
		{
			"the next rank denies", `{"integration:slack":{"credential:*":true},"credential:ext:acme":false}`, []question{
				{proxy, slack.Credential(byA), byCredentialExt},
			},
		},
		{
			"the next rank denies, one level down",
			`{"integration:slack":{"credential:` + idA + `":{"configuration:*":true}},"configuration:ext:Team A":false}`,
			[]question{{proxy, slack.Credential(byA, noExternal).Configuration(byB), byConfiguration}},
		},
		{
			"the first of a rank is overridden, and the second denies",
			`{"integration:*":true,"credential:` + idA + `":false,"credential:` + idB + `":false,` +
				`"integration:slack":{"credential:` + idA + `":true}}`,
			[]question{{proxy, slack.Credential(acme), byCredentialID}},
		},
		{
			"the first of a rank grants, and the second denies",
			`{"integration:*":true,"credential:` + idA + `":["proxy-api"],"credential:` + idB + `":["workflows"]}`,
			[]question{{proxy, slack.Credential(acme), byCredentialID}},
		},
		{
			"the first of a rank does not match, and the second denies",
			`{"integration:*":true,"integration:jira":{"credential:` + idA + `":false},` +
				`"integration:slack":{"credential:` + idB + `":false}}`,
			[]question{
				{proxy, slack.Credential(acme), byCredentialID},
			},
		},
		{
			"all of a rank are overridden",
			`{"integration:*":true,"credential:` + idA + `":false,"credential:` + idB + `":false,` +
				`"integration:slack":{"credential:` + idA + `":true,"credential:` + idB + `":true}}`,
			[]question{{proxy, slack.Credential(acme), grantedByRoot}},
		},
		{
			"a rule that grants by what is unknown does not hide one that denies",
			`{"integration:*":true,"credential:ext:acme":true,"configuration:ext:Team A":false}`,
			[]question{{proxy, jira.Credential(byA).Configuration(byB), byConfiguration}},
		},
	} {
		t.Run(test.name, func(t *testing.T) { requireDecisions(t, test.claim, test.questions) })
	}
}

// SPEC 4.7: a yes by the root depends on nothing if no rule below it denies.
func TestUnknownIdentifiersThatNoRuleNames(t *testing.T) {
	for _, claim := range []string{
		`{"integration:*":true}`,
		`{"integration:*":true,"credential:*":["proxy-api"],"integration:slack":false}`,
		`{"integration:*":true,"credential:ext:acme":true,"credential:` + idA + `":["proxy-api"]}`,
	} {
		t.Run(claim, func(t *testing.T) {
			p := permissions.MustParse(claim)
			for _, target := range []permissions.Target{jira, jira.Credential(), jira.Credential(byA), jira.Credential(acme)} {
				require.NoError(t, p.Check(permissions.ProxyAPI, target))
			}
		})
	}
}

// The UUID of zeros is an ID like any other. It is not what a target has whose ID is absent or unknown.
func TestUUIDOfZeros(t *testing.T) {
	const zeros = "00000000-0000-0000-0000-000000000000"
	byZeros := permissions.UUID([16]byte{})
	const (
		credentialDenied    = "denied: integration:*/credential:" + zeros + " grants none"
		configurationDenied = "denied: integration:*/credential:*/configuration:" + zeros + " grants none"
	)
	requireDecisions(t, `{"integration:*":true,"credential:`+zeros+`":false}`, []question{
		{permissions.Events, jira.Credential(byZeros), credentialDenied},
		{permissions.Events, jira.Credential(permissions.ID(zeros), acme), credentialDenied},
		{permissions.Events, jira.Credential(newID, acme), grantedByRoot},
		{permissions.Events, jira.Credential(acme), dependsOn + "credential ID" + whichIs},
		{permissions.Events, jira.Credential(byA), grantedByRoot},
		{permissions.CredentialWrite, jira, grantedByRoot},
	})
	requireDecisions(t, `{"integration:*":true,"configuration:`+zeros+`":false}`, []question{
		{permissions.Events, jira.Credential(byA).Configuration(byZeros), configurationDenied},
		{permissions.Events, jira.Credential(byA).Configuration(newID, teamA), grantedByRoot},
		{permissions.Events, jira.Credential(byA).Configuration(teamA), dependsOn + "configuration ID" + whichIs},
		{permissions.ConfigWrite, jira.Credential(byA), grantedByRoot},
	})
	requireDecisions(t, `{"credential:`+zeros+`":true}`, []question{
		{permissions.Events, jira.Credential(byZeros), "allowed: integration:*/credential:" + zeros + " grants all"},
		{permissions.Events, jira.Credential(newID, acme), noRuleApplies},
		{permissions.Events, jira.Credential(), noRuleApplies},
	})
}

// What looks like another spelling of a name that is denied is not a valid name.
func TestSpellingsDoNotEvadeADenial(t *testing.T) {
	p := permissions.MustParse(`{
		"integration:*": true, "integration:slack": false, "credential:` + idA + `": false, "credential:ext:acme": false
	}`)
	for _, around := range []string{
		" ", "\t", "\n", "\u00a0", "\u2003", "\u2028", "\u3000", "\u0085", "\x00", "\x7f", "\ufffd", "\xff",
	} {
		t.Run(fmt.Sprintf("%q", around), func(t *testing.T) {
			for _, target := range []permissions.Target{
				permissions.Integration("slack" + around), permissions.Integration(around + "slack"),
				jira.Credential(permissions.ID(idA+around), noExternal), jira.Credential(permissions.ID(around+idA), noExternal),
				jira.Credential(byB, permissions.ExternalID("acme"+around)),
				jira.Credential(byB, permissions.ExternalID(around+"acme")),
			} {
				for _, action := range []permissions.Permission{permissions.Events, permissions.ProxyAPI} {
					require.False(t, p.Allowed(action, target))
					require.Equal(t, permissions.ReasonInvalidQuestion, p.Decide(action, target).Reason)
				}
			}
		})
	}
}

func TestReasons(t *testing.T) {
	for _, test := range []struct {
		reason permissions.Reason
		code   string
	}{
		{permissions.ReasonNoPolicy, "no_policy"},
		{permissions.ReasonInvalidQuestion, "invalid_question"},
		{permissions.ReasonNoRule, "no_rule"},
		{permissions.ReasonNotGranted, "not_granted"},
		{permissions.ReasonUndetermined, "undetermined"},
		{permissions.ReasonGranted, "granted"},
		{permissions.ReasonNoClaim, "no_claim"},
		{200, "Reason(200)"},
	} {
		t.Run(test.code, func(t *testing.T) {
			require.Equal(t, test.code, test.reason.String())
			text, err := test.reason.MarshalText()
			require.NoError(t, err)
			require.Equal(t, test.code, string(text))
			require.Equal(t, `"`+test.code+`"`, string(jsonOf(test.reason)))
		})
	}
	require.Equal(t, permissions.ReasonNoPolicy, permissions.Decision{}.Reason, "the zero Decision denies")
	require.False(t, permissions.Decision{}.Allowed)
}

// A decision with each reason, in every form that it has.
func TestDecision(t *testing.T) {
	p := permissions.MustParse(`{"integration:slack":["events"],"credential:ext:a/b":false,"integration:jira":true}`)
	unknown := credentialExternalID
	for _, test := range []struct {
		policy  *permissions.Policy
		target  permissions.Target
		reason  permissions.Reason
		rule    string
		unknown permissions.Identifiers
		part    int
		text    string
		json    string
		log     string
	}{
		{
			policy: p, target: slack, reason: permissions.ReasonGranted, rule: `integration:"slack"`,
			text: `allowed: integration:"slack" grants events`,
			json: `{"allowed":true,"reason":"granted","rule":{"path":["integration:slack"],"pointer":"/integration:slack",` +
				`"grants":["events"]}}`,
			log: `t.allowed=true t.reason=granted t.rule="integration:\"slack\"" t.pointer=/integration:slack`,
		},
		{
			policy: p, target: slack.Credential(byA, permissions.ExternalID("a/b")), reason: permissions.ReasonNotGranted,
			rule: `integration:*/credential:ext:"a/b"`, text: `denied: integration:*/credential:ext:"a/b" grants none`,
			json: `{"allowed":false,"reason":"not_granted","rule":{"path":["integration:*","credential:ext:a/b"],` +
				`"pointer":"/credential:ext:a~1b","grants":[]}}`,
			log: `t.allowed=false t.reason=not_granted t.rule="integration:*/credential:ext:\"a/b\"" ` +
				`t.pointer=/credential:ext:a~1b`,
		},
		{
			policy: p, target: permissions.User(), reason: permissions.ReasonNoRule, text: noRuleApplies,
			json: `{"allowed":false,"reason":"no_rule"}`, log: `t.allowed=false t.reason=no_rule`,
		},
		{
			policy: p, target: jira.Credential(byA), reason: permissions.ReasonUndetermined, unknown: unknown,
			text: "denied: it depends on the credential external ID, which was not given",
			json: `{"allowed":false,"reason":"undetermined","unknown":["credential.externalId"]}`,
			log:  `t.allowed=false t.reason=undetermined t.unknown=[credential.externalId]`,
		},
		{
			policy: p, target: permissions.Integration("*"), reason: permissions.ReasonInvalidQuestion,
			text: "denied: the question is invalid",
			json: `{"allowed":false,"reason":"invalid_question"}`, log: `t.allowed=false t.reason=invalid_question`,
		},
		{
			policy: nil, target: slack, reason: permissions.ReasonNoPolicy, text: "denied: there is no policy",
			json: `{"allowed":false,"reason":"no_policy"}`, log: `t.allowed=false t.reason=no_policy`,
		},
		{
			policy: permissions.Unrestricted(), target: slack, reason: permissions.ReasonNoClaim,
			text: "allowed: the token has no permissions claim",
			json: `{"allowed":true,"reason":"no_claim"}`, log: `t.allowed=true t.reason=no_claim`,
		},
		{
			policy: mustIntersect(permissions.MustParse(`{"integration:*":true}`), p), target: jira.Credential(byA),
			reason: permissions.ReasonUndetermined, unknown: unknown, part: 2,
			text: "denied: part 2: it depends on the credential external ID, which was not given",
			json: `{"allowed":false,"reason":"undetermined","unknown":["credential.externalId"],"part":2}`,
			log:  `t.allowed=false t.reason=undetermined t.unknown=[credential.externalId] t.part=2`,
		},
	} {
		t.Run(test.text, func(t *testing.T) {
			d := test.policy.Decide(permissions.Events, test.target)
			require.Equal(t, strings.HasPrefix(test.text, "allowed"), d.Allowed)
			require.Equal(t, test.reason, d.Reason)
			require.Equal(t, test.part, d.Part)
			require.Equal(t, test.unknown, d.Unknown)
			if test.rule == "" {
				require.Equal(t, permissions.Rule{}, d.Rule)
			} else {
				require.Equal(t, test.rule, d.Rule.String())
			}
			require.Equal(t, test.text, d.String())
			require.Equal(t, test.json, string(jsonOf(d)))
			require.Equal(t, test.log, loggedText(d))
			require.Equal(t, d.Allowed, test.policy.Allowed(permissions.Events, test.target))
		})
	}
}

// SPEC 5.1. The conformance cases have more of it.
func TestVisible(t *testing.T) {
	p := permissions.MustParse(`{
		"integration:*": false,
		"integration:slack": {"credential:` + idA + `": {"configuration:ext:Team A": ["events"]}},
		"integration:jira": ["events"],
		"integration:hub": {"credential:*": ["credential:write"]}
	}`)
	other := permissions.Integration("other")
	for _, test := range []struct {
		name    string
		target  permissions.Target
		visible bool
	}{
		{"the user, for what is below", permissions.User(), true},
		{"an integration, for a configuration in it", slack, true},
		{"the credential of that configuration", slack.Credential(byA), true},
		{"that configuration", slack.Credential(byA).Configuration(byB, teamA), true},
		{"that configuration by its external ID alone", slack.Credential(byA).Configuration(teamA), true},
		{"another credential", slack.Credential(byB), false},
		{"another configuration", slack.Credential(byA).Configuration(byB, permissions.ExternalID("Team B")), false},
		{"what is unknown counts as absent", slack.Credential(byA).Configuration(byB), false},
		{"some credential", slack.Credential(), false},
		{"an integration that is granted something", jira, true},
		{"any credential of it", jira.Credential(byB, acme), true},
		{"an integration in which a credential may be connected", permissions.Integration("hub"), true},
		{"an integration that is denied", other, false},
		{"its credential", other.Credential(byA), false},
		{"an invalid target", slack.Credential(byA).Configuration(permissions.ExternalID(" ")), false},
		{"the zero Target", permissions.Target{}, false},
	} {
		t.Run(test.name, func(t *testing.T) { require.Equal(t, test.visible, p.Visible(test.target)) })
	}
}

// SPEC 5.1: a permission counts only at a level on which it acts.
func TestVisibleByWhatIsActedOn(t *testing.T) {
	for _, test := range []struct {
		name    string
		claim   string
		target  permissions.Target
		visible bool
	}{
		{"nothing is granted", `{"integration:*":false,"credential:*":false}`, permissions.User(), false},
		{"an empty claim", `{}`, permissions.User(), false},
		{"what is denied below", `{"integration:jira":["credential:write"],"credential:*":false}`, jira, false},
		{
			"what is denied by a name counts as absent",
			`{"integration:jira":["credential:write"],"credential:ext:acme":false}`, jira, true,
		},
		{
			"what is denied at the deepest level", `{"credential:*":["config:write"],"configuration:*":[]}`,
			jira.Credential(byA), false,
		},
		{"a permission of integrations", `{"integration:jira":["events"],"credential:*":false}`, jira, true},
		{
			"a permission of the user alone", `{"integration:*":["events"],"integration:jira":false,"credential:*":false}`,
			jira, false,
		},
		{
			"for the user", `{"integration:*":["events"],"integration:jira":false,"credential:*":false}`, permissions.User(),
			true,
		},
		{
			"one that the user cannot be asked", `{"integration:*":["proxy-api"],"credential:*":false}`, permissions.User(),
			false,
		},
		{
			"a grant that another rule overrides",
			`{"credential:ext:acme":["events"],"integration:jira":{"credential:ext:acme":[]}}`, jira, false,
		},
		{"a grant of another integration", `{"integration:slack":{"credential:ext:acme":["events"]}}`, jira, false},
		{
			"a configuration that any credential could have",
			`{"integration:*":false,"credential:ext:acme":false,"configuration:ext:Team A":["settings:read"]}`,
			jira.Credential(byA, permissions.ExternalID("acme")), true,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.visible, permissions.MustParse(test.claim).Visible(test.target))
		})
	}
	t.Run("an extra permission counts", func(t *testing.T) {
		declared := permissions.WithPermissions("reports")
		p := permissions.MustParse(`{"integration:jira":["reports"],"credential:*":[]}`, declared)
		require.True(t, p.Visible(jira))
		require.False(t, p.Visible(slack))
		require.False(t, p.Visible(jira.Credential(byA)))
	})
	t.Run("a name that is ignored does not", func(t *testing.T) {
		p := permissions.MustParse(`{"integration:*":["nope"]}`, permissions.IgnoreUnknownPermissions())
		require.False(t, p.Visible(jira))
	})
}

// What is allowed is visible.
func TestWhatIsAllowedIsVisible(t *testing.T) {
	allowed := 0
	for _, claim := range []string{
		`{"integration:*":true,"credential:ext:acme":false}`,
		`{"credential:` + idA + `":["settings:read"],"configuration:ext:Team A":[]}`,
		`{"integration:slack":{"configuration:*":["config:write"]}}`,
		`{"integration:slack":["credential:write"]}`,
	} {
		p := permissions.MustParse(claim)
		for _, test := range validTargets {
			for _, action := range theTen {
				if p.Allowed(action, test.target) {
					allowed++
					require.True(t, p.Visible(test.target), "%s on %v by %s", action, test.target, claim)
				}
			}
		}
	}
	require.Greater(t, allowed, 20)
}

// A nil and a zero policy deny everything, and a token without the claim is allowed every valid question.
func TestNoPolicy(t *testing.T) {
	for name, p := range map[string]*permissions.Policy{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			for _, test := range validTargets {
				require.False(t, p.Allowed(permissions.Events, test.target))
				require.Equal(t, permissions.ReasonNoPolicy, p.Decide(permissions.Events, test.target).Reason)
				require.ErrorIs(t, p.Check(permissions.Events, test.target), permissions.ErrDenied)
				require.False(t, p.Visible(test.target))
				require.True(t, p.Permissions(test.target).IsEmpty())
			}
			require.Equal(t, permissions.ReasonInvalidQuestion, p.Decide("nope", slack).Reason)
			require.Equal(t, permissions.ReasonInvalidQuestion, p.Decide(permissions.ProxyAPI, permissions.User()).Reason)
		})
	}
}

// TestLargeClaim asks for every rule of a claim that is large enough for its index to have collisions of every
// kind, and for as many rules that it does not have. A Go map of the paths says what must be found.
func TestLargeClaim(t *testing.T) {
	const n = 1000
	id := func(i int) string { return fmt.Sprintf("%08x-abcd-4ef0-8abc-abcdefabcdef", i) }
	byName := func(kind string, i int) []string {
		return []string{kind + ":" + id(i), fmt.Sprintf("%s:ext:%d", kind, i)}
	}
	rules := make(map[string]bool)
	claim := make(map[string]any)
	for i := range n {
		integration := fmt.Sprintf("integration:%d", i)
		inIntegration := map[string]any{"credential:*": true}
		rules[integration+"/credential:*"] = true
		for _, credential := range byName("credential", i) {
			claim[credential], inIntegration[credential] = true, true
			rules["integration:*/"+credential], rules[integration+"/"+credential] = true, true
		}
		for _, configuration := range append(byName("configuration", i), "configuration:*") {
			inIntegration[configuration] = true
			rules[integration+"/credential:*/"+configuration] = true
			if configuration != "configuration:*" {
				claim[configuration] = true
				rules["integration:*/credential:*/"+configuration] = true
			}
		}
		holder := fmt.Sprintf("credential:ext:held %d", i)
		held := make(map[string]any)
		for _, configuration := range append(byName("configuration", i), "configuration:*") {
			held[configuration] = true
			rules[integration+"/"+holder+"/"+configuration] = true
		}
		inIntegration[holder] = held
		claim[integration] = inIntegration
	}
	p, err := permissions.Parse(jsonOf(claim))
	require.NoError(t, err)
	require.Len(t, grantsOf(p), len(rules))

	// most returns the most specific path that applies and is there (SPEC 4.5).
	most := func(integration string, credential, configuration []string) string {
		for _, c := range append(configuration, "configuration:*") {
			for _, b := range append(credential, "credential:*") {
				for _, a := range []string{"integration:" + integration, "integration:*"} {
					if path := a + "/" + b + "/" + c; rules[path] {
						return path
					}
				}
			}
		}
		for _, b := range append(credential, "credential:*") {
			for _, a := range []string{"integration:" + integration, "integration:*"} {
				if path := a + "/" + b; rules[path] {
					return path
				}
			}
		}
		return ""
	}
	g := rand.New(rand.NewPCG(3, 3))
	number := func() int { return g.IntN(n + n/4) }
	found := make(map[string]bool)
	for range 20 * n {
		i, j, k := number(), number(), number()
		if g.IntN(2) == 0 {
			j, k = i, i // more of what belongs together
		}
		credentialName := fmt.Sprint(j)
		if g.IntN(3) == 0 {
			credentialName = fmt.Sprint("held ", j)
		}
		configurationName := fmt.Sprint(k)
		credentialNumber, configurationNumber := number(), number()
		target := permissions.Integration(fmt.Sprint(i)).
			Credential(permissions.ID(strings.ToUpper(id(credentialNumber))), permissions.ExternalID(credentialName)).
			Configuration(permissions.ID(id(configurationNumber)), permissions.ExternalID(configurationName))
		want := most(fmt.Sprint(i), []string{"credential:" + id(credentialNumber), "credential:ext:" + credentialName},
			[]string{"configuration:" + id(configurationNumber), "configuration:ext:" + configurationName})
		d := p.Decide(permissions.Events, target)
		require.Equal(t, want, strings.Join(pathOf(d.Rule), "/"), "%v", target)
		require.Equal(t, want != "", d.Allowed)
		if want == "" {
			require.Equal(t, permissions.ReasonNoRule, d.Reason)
		}
		found[want] = true
	}
	require.Greater(t, len(found), n)
}
