package permissions_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// selectWords have look-alikes: an external ID that is written like an ID, in both letter cases.
var selectWords = &wordlist{
	integrations: []string{"slack", "slack", "jira", "Slack", "x:y"},
	ids:          []string{idA, idUpper, idB},
	externalIDs:  []string{"a", "b", "c", idA, idUpper},
}

// unnamedID is an ID that no rule of these tests names.
const unnamedID = "ffffffff-ffff-ffff-ffff-ffffffffffff"

// rowLevel returns a level of a row of a list. Each identifier is named, unnamed, or absent, and once in
// a while not valid.
func rowLevel(g *generator) *reference.Level {
	identifier := func(known ...string) reference.Identifier {
		if g.chance(25) {
			return reference.Identifier{State: reference.Absent}
		}
		return reference.Identifier{State: reference.Known, Value: pick(g, known...)}
	}
	ids, externalIDs := append(slices.Clone(selectWords.ids), unnamedID), append(slices.Clone(selectWords.externalIDs),
		"unnamed")
	if g.chance(5) {
		ids, externalIDs = append(ids, "acme"), append(externalIDs, "*", " a")
	}
	return &reference.Level{ID: identifier(ids...), ExternalID: identifier(externalIDs...)}
}

// withinLevel returns a level of what a list is within. Its identifiers can be unknown.
func withinLevel(g *generator) *reference.Level {
	level := rowLevel(g)
	for _, i := range []*reference.Identifier{&level.ID, &level.ExternalID} {
		if g.chance(40) {
			*i = reference.Identifier{}
		}
	}
	return level
}

// TestDifferentialSelect compares all selections of random policies and intersections with asking for
// each row.
func TestDifferentialSelect(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	answers := make(tally)
	defer nameSeed(t, &seed)
	for range pairs / 10 {
		g := newGenerator(seed)
		g.words = pick(g, selectWords, fewWords)
		var policies []*permissions.Policy
		var claims []string
		for range pick(g, 1, 1, 1, 2, 3) {
			b := g.part(t)
			policies, claims = append(policies, b.got), append(claims, b.claim)
		}
		p, err := permissions.Intersect(policies...)
		require.NoError(t, err)
		about := strings.Join(claims, "\n")
		action := permissions.Permission(pick(g, "config:write", "workflows", g.action()))

		// What the list is of, and what it is within.
		kind := pick(g, permissions.KindIntegration, permissions.KindCredential, permissions.KindCredential,
			permissions.KindConfiguration, permissions.KindConfiguration)
		integrations := append(slices.Clone(selectWords.integrations), "unnamed", "*")
		var within reference.Target
		if kind > permissions.KindIntegration && g.chance(60) {
			name := pick(g, selectWords.integrations...)
			within.Integration = &name
			if kind == permissions.KindConfiguration && g.chance(60) {
				within.Credential = withinLevel(g)
			}
		}
		target := toLibrary(within)
		var allowed, visible permissions.Selection
		switch kind {
		case permissions.KindIntegration:
			allowed, visible = p.SelectIntegrations(action), p.VisibleIntegrations()
		case permissions.KindCredential:
			allowed, visible = p.SelectCredentials(action, target), p.VisibleCredentials(target)
		default:
			allowed, visible = p.SelectConfigurations(action, target), p.VisibleConfigurations(target)
		}
		for range 40 {
			row := within
			if row.Integration == nil {
				name := pick(g, integrations...)
				row.Integration = &name
			}
			if row.Credential == nil && kind >= permissions.KindCredential {
				row.Credential = rowLevel(g)
			}
			if kind == permissions.KindConfiguration {
				row.Configuration = rowLevel(g)
			}
			of := toLibrary(row)
			want := p.Allowed(action, of)
			require.Equal(t, want, allowed.Has(of), "%s\n%s on %v in %v", about, action, of, target)
			wantVisible := p.Visible(of)
			require.Equal(t, wantVisible, visible.Has(of), "%s\nvisible: %v in %v", about, of, target)
			answers[fmt.Sprintf("%v allowed %t", kind, want)]++
			answers[fmt.Sprintf("%v visible %t", kind, wantVisible)]++
		}
		seed++
	}
	for _, kind := range []string{"integration", "credential", "configuration"} {
		for _, answer := range []string{"allowed true", "allowed false", "visible true", "visible false"} {
			answers.requireEach(t, pairs/30, kind+" "+answer)
		}
	}
	t.Logf("answers %v; next seed %d", answers, seed)
}

// TestSelectVisibleInIntersection has parts that each allow an action on things that the others do not name.
// There must be one thing that all of them allow.
func TestSelectVisibleInIntersection(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []string
		want  bool
	}{
		{"one configuration can have both identifiers", []string{
			`{"credential:ext:x": {"configuration:` + idA + `": ["events"]}}`,
			`{"credential:ext:x": {"configuration:ext:y": ["events"]}}`,
		}, true},
		{"a rule for another configuration comes first", []string{
			`{"configuration:ext:x": ["workflows"], "configuration:ext:y": ["events"]}`,
			`{"configuration:` + idA + `": ["events"]}`,
		}, true},
		{"one credential cannot have both external IDs", []string{
			`{"credential:ext:x": {"configuration:` + idA + `": ["events"]}}`,
			`{"credential:ext:z": {"configuration:ext:y": ["events"]}}`,
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var parts []*permissions.Policy
			for _, claim := range c.parts {
				parts = append(parts, permissions.MustParse(claim))
			}
			p := mustIntersect(parts...)
			require.Equal(t, c.want, p.Visible(slack))
			require.Equal(t, c.want, p.VisibleIntegrations().Has(slack))
		})
	}
}

// TestSelectNothing has what selects nothing because there is no policy or the question is invalid.
func TestSelectNothing(t *testing.T) {
	all, nobody := permissions.MustParse(`{"integration:*": true}`), (*permissions.Policy)(nil)
	credential := slack.Credential(permissions.ID(idA), permissions.NoExternalID())
	configuration := credential.Configuration(permissions.NoID(), permissions.NoExternalID())
	withNone := mustIntersect(all, nil)
	withExtra := mustIntersect(all, permissions.MustParse(`{"integration:*": true}`, permissions.WithPermissions("x")))
	unrestricted := permissions.Unrestricted()
	everywhere := permissions.User()
	for name, s := range map[string]permissions.Selection{
		"the zero Selection":                 {},
		"nil policy, integrations":           nobody.SelectIntegrations(permissions.ProxyAPI),
		"nil policy, credentials":            nobody.SelectCredentials(permissions.ProxyAPI, slack),
		"nil policy, configurations":         nobody.SelectConfigurations(permissions.ProxyAPI, credential),
		"nil policy, visible integrations":   nobody.VisibleIntegrations(),
		"nil policy, visible credentials":    nobody.VisibleCredentials(slack),
		"nil policy, visible configurations": nobody.VisibleConfigurations(credential),
		"zero policy": new(permissions.Policy).SelectCredentials(permissions.ProxyAPI,
			slack),
		"nil policy in an intersection":       withNone.SelectCredentials(permissions.ProxyAPI, slack),
		"nil policy in an intersection, seen": withNone.VisibleCredentials(slack),
		"no action":                           all.SelectCredentials("", slack),
		"no action, unrestricted":             unrestricted.SelectIntegrations(""),
		"an unknown action":                   all.SelectCredentials("proxy_api", slack),
		"an unknown action, unrestricted":     unrestricted.SelectCredentials("proxy_api", slack),
		"an action that one part knows":       withExtra.SelectCredentials("x", slack),
		"no integration": all.SelectCredentials(permissions.ProxyAPI,
			permissions.Integration("")),
		"the integration *": all.SelectCredentials(permissions.ProxyAPI,
			permissions.Integration("*")),
		"the integration *, unrestricted":     unrestricted.VisibleCredentials(permissions.Integration("*")),
		"credentials in the zero Target":      unrestricted.VisibleCredentials(permissions.Target{}),
		"credentials in a credential":         all.SelectCredentials(permissions.ProxyAPI, credential),
		"configurations in a configuration":   all.SelectConfigurations(permissions.ProxyAPI, configuration),
		"configurations of an invalid ID":     all.VisibleConfigurations(slack.Credential(permissions.ID("acme"))),
		"configurations of a bad external ID": all.VisibleConfigurations(slack.Credential(permissions.ExternalID("*"))),
		"configurations of a user's credential": all.SelectConfigurations(permissions.ProxyAPI,
			everywhere.Credential()),
	} {
		t.Run(name, func(t *testing.T) {
			where, args, _ := s.Where(permissions.PostgreSQL, checkedTexts, "owner")
			require.Equal(t, "(1 = 0)", where)
			require.Equal(t, []any{"owner"}, args)
			for _, target := range []permissions.Target{
				{}, everywhere, slack, credential, slack.Credential(permissions.NoID(), permissions.NoExternalID()),
				configuration,
			} {
				require.False(t, s.Has(target), "%v", target)
			}
		})
	}
}

// TestSelectionHasNothingElse has targets that are not among those which a selection is about, although it
// selects everything.
func TestSelectionHasNothingElse(t *testing.T) {
	credential := slack.Credential(permissions.ID(idUpper), permissions.ExternalID("x"))
	configuration := credential.Configuration(permissions.ID(idB), permissions.NoExternalID())
	known, noExternalID := permissions.ID(idB), permissions.NoExternalID()
	jira, everywhere := permissions.Integration("jira"), permissions.User()
	for name, p := range map[string]*permissions.Policy{
		"a claim": permissions.MustParse(`{"integration:*": true}`), "no claim": permissions.Unrestricted(),
	} {
		for _, c := range []struct {
			name string
			s    permissions.Selection
			has  []permissions.Target
			not  []permissions.Target
		}{
			{
				"integrations", p.SelectIntegrations(permissions.Workflows),
				[]permissions.Target{slack, jira},
				[]permissions.Target{
					{}, everywhere, credential, configuration, permissions.Integration("*"),
					permissions.Integration(""),
				},
			},
			{
				"credentials of one integration", p.VisibleCredentials(slack),
				[]permissions.Target{credential, slack.Credential(known, noExternalID)},
				[]permissions.Target{
					{}, everywhere, slack, configuration, jira.Credential(known, noExternalID),
					everywhere.Credential(known),
					slack.Credential(permissions.ID("x"), noExternalID),
					slack.Credential(known, permissions.ExternalID("*")),
					permissions.Integration("Slack").Credential(known, noExternalID),
					slack.Credential(), slack.Credential(known), slack.Credential(noExternalID), // unknown
				},
			},
			{
				"credentials of all integrations", p.SelectCredentials(permissions.Workflows, everywhere),
				[]permissions.Target{credential, jira.Credential(known, noExternalID)},
				[]permissions.Target{everywhere, slack, configuration, slack.Credential(known)},
			},
			{
				"configurations of a credential", p.SelectConfigurations(permissions.Workflows, credential),
				[]permissions.Target{
					configuration,
					slack.Credential(permissions.ExternalID("x"), permissions.ID(idA)).Configuration(known,
						noExternalID),
				},
				[]permissions.Target{
					{}, everywhere, slack, credential, credential.Configuration(), credential.Configuration(known),
					jira.Credential(permissions.ID(idA), permissions.ExternalID("x")).Configuration(known,
						noExternalID),
					slack.Credential(permissions.ID(idB), permissions.ExternalID("x")).Configuration(known,
						noExternalID),
					slack.Credential(permissions.ID(idA), permissions.ExternalID("X")).Configuration(known,
						noExternalID),
					slack.Credential(permissions.ID(idA), noExternalID).Configuration(known, noExternalID),
					slack.Credential(permissions.ID(idA)).Configuration(known, noExternalID),
					slack.Credential(permissions.NoID(), permissions.ExternalID("x")).Configuration(known,
						noExternalID),
					slack.Credential().Configuration(known, noExternalID),
					credential.Configuration(permissions.ID("f"), noExternalID),
				},
			},
		} {
			t.Run(name+", "+c.name, func(t *testing.T) {
				for _, target := range c.has {
					require.True(t, c.s.Has(target), "%v", target)
				}
				for _, target := range c.not {
					require.False(t, c.s.Has(target), "%v", target)
				}
			})
		}
	}
}

// TestSelectObserves requires that each selection calls the hooks once, with what it is about. A Selection
// calls none.
func TestSelectObserves(t *testing.T) {
	credential := slack.Credential(permissions.ID(idA))
	var seen []permissions.Observation
	p := permissions.MustParse(`{"integration:*": true}`).
		Observe(func(o permissions.Observation) { seen = append(seen, o) })
	p.SelectIntegrations(permissions.Events)
	p.SelectCredentials(permissions.ProxyAPI, slack)
	p.SelectConfigurations(permissions.Workflows, credential)
	p.VisibleIntegrations()
	p.VisibleCredentials(permissions.User())
	p.VisibleConfigurations(credential)
	s := p.SelectCredentials("unknown", permissions.Integration("*"))
	selection := permissions.AskedSelection
	require.Equal(t, []permissions.Observation{
		{Asked: selection, Action: permissions.Events, Target: permissions.User()},
		{Asked: selection, Action: permissions.ProxyAPI, Target: slack},
		{Asked: selection, Action: permissions.Workflows, Target: credential},
		{Asked: selection, Target: permissions.User()},
		{Asked: selection, Target: permissions.User()},
		{Asked: selection, Target: credential},
		{Asked: selection, Action: "unknown", Target: permissions.Integration("*")},
	}, seen)
	s.Has(slack)
	_, _, err := s.Where(permissions.SQLite, checkedTexts)
	require.ErrorIs(t, err, permissions.ErrQuestion)
	require.Len(t, seen, 7)
}

// TestFilter compares Filter with a loop.
func TestFilter(t *testing.T) {
	p := permissions.MustParse(`{"integration:*": true, "integration:slack": false, "integration:x": ["events"]}`)
	names := []string{"jira", "slack", "*", "x", "jira", "", "y"}
	for _, c := range []struct {
		name   string
		policy *permissions.Policy
		action permissions.Permission
		want   []string
	}{
		{"some, in their order", p, permissions.ProxyAPI, []string{"jira", "jira", "y"}},
		{"another action", p, permissions.Events, []string{"jira", "x", "jira", "y"}},
		{"an unknown action", p, "proxy_api", nil},
		{"unrestricted, but invalid targets", permissions.Unrestricted(), permissions.Events,
			[]string{"jira", "slack", "x", "jira", "y"}},
		{"nil policy", nil, permissions.Events, nil},
		{"zero policy", new(permissions.Policy), permissions.Events, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := permissions.Filter(c.policy, c.action, slices.Values(names), permissions.Integration)
			require.Equal(t, c.want, slices.Collect(got))
			require.Equal(t, c.want, slices.Collect(got), "it can be ranged over again")
			for _, name := range c.want {
				require.True(t, c.policy.Allowed(c.action, permissions.Integration(name)))
			}
		})
	}
	t.Run("nothing to filter", func(t *testing.T) {
		require.Empty(t, slices.Collect(permissions.Filter(p, permissions.Events, nil, permissions.Integration)))
	})
	t.Run("it asks one question for each item, and none after the loop ends", func(t *testing.T) {
		asked := 0
		observed := p.Observe(func(permissions.Observation) { asked++ })
		for range permissions.Filter(observed, permissions.Events, slices.Values(names), permissions.Integration) {
			if asked == 4 { // jira, slack and * come before x
				break
			}
		}
		require.Equal(t, 4, asked)
	})
}
