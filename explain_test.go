package permissions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// askedAbout returns what a question is about by SPEC 4.3, as a target.
func askedAbout(action permissions.Permission, target permissions.Target) (about permissions.Target, unnamed permissions.Kind) {
	switch depth := depthOf(target); {
	case action == permissions.CredentialWrite && depth == permissions.KindIntegration:
		target.CredentialID = permissions.None
		return target, permissions.KindCredential
	case action == permissions.ConfigWrite && depth == permissions.KindCredential:
		target.ConfigurationID = permissions.None
		return target, permissions.KindConfiguration
	}
	return target, 0
}

func depthOf(t permissions.Target) permissions.Kind {
	switch {
	case t.ConfigurationID != "" || t.ConfigurationExternalID != "":
		return permissions.KindConfiguration
	case t.CredentialID != "" || t.CredentialExternalID != "":
		return permissions.KindCredential
	case t.Integration != "":
		return permissions.KindIntegration
	}
	return 0
}

// identifierOf returns the identifier of a target that a scope is about.
func identifierOf(t *permissions.Target, s permissions.Scope) *string {
	switch {
	case s.Kind() == permissions.KindIntegration:
		return &t.Integration
	case s.Kind() == permissions.KindCredential && s.IsExternal():
		return &t.CredentialExternalID
	case s.Kind() == permissions.KindCredential:
		return &t.CredentialID
	case s.IsExternal():
		return &t.ConfigurationExternalID
	}
	return &t.ConfigurationID
}

// outcomeOf is what SPEC 4.1 and 3.4 say of one rule: at which level it does not match, or
// what must be filled in. Neither means that it applies, if it is not too deep.
func outcomeOf(rule permissions.Rule, about permissions.Target) (level permissions.Kind, open []string, deeper bool) {
	depth := depthOf(about)
	for _, s := range rule.Path() {
		if s.Kind() > depth {
			if depth != 0 || len(rule.Path()) > 1 || !s.IsWildcard() {
				deeper = true
			}
			continue
		}
		if s.IsWildcard() {
			continue
		}
		has := *identifierOf(&about, s)
		if !s.IsExternal() && s.Kind() != permissions.KindIntegration && strings.EqualFold(has, s.Name()) && len(has) == 36 {
			continue // a UUID
		}
		switch {
		case has == s.Name():
		case has == "":
			name := s.Kind().String() + " ID"
			if s.IsExternal() {
				name = s.Kind().String() + " external ID"
			}
			open = append(open, name)
		case level == 0:
			level = s.Kind()
		}
	}
	return level, open, deeper
}

// moreSpecific reports whether a rule is more specific than another by SPEC 4.5.
func moreSpecific(a, b permissions.Rule) bool {
	p, q := a.Path(), b.Path()
	if len(p) != len(q) {
		return len(p) > len(q)
	}
	form := func(s permissions.Scope) int {
		switch {
		case s.IsWildcard():
			return 0
		case s.IsExternal():
			return 1
		}
		return 2
	}
	for i := len(p) - 1; i >= 0; i-- {
		if form(p[i]) != form(q[i]) {
			return form(p[i]) > form(q[i])
		}
	}
	return false
}

// checkExplanation holds an explanation of a policy that is no intersection against the
// decision and the rules.
func checkExplanation(t *testing.T, p *permissions.Policy, e permissions.Explanation, action permissions.Permission, target permissions.Target, outcomes map[permissions.Outcome]int) {
	t.Helper()
	d := p.Decide(action, target)
	require.Equal(t, d, e.Decision)
	require.Equal(t, action, e.Action)
	require.Equal(t, target, e.Target)
	require.Empty(t, e.Parts)
	require.Equal(t, d.Allowed, e.Hint == "", "hint %q", e.Hint)
	if d.Reason == permissions.InvalidQuestion {
		require.Zero(t, e.Unnamed)
		require.Empty(t, e.Steps)
		require.Zero(t, e.Omitted)
		return
	}
	about, unnamed := askedAbout(action, target)
	require.Equal(t, unnamed, e.Unnamed)

	rules := slices.Collect(p.Rules())
	require.Len(t, rules, len(e.Steps)+e.Omitted)
	for i, step := range e.Steps[min(1, len(e.Steps)):] {
		before := e.Steps[i]
		require.False(t, moreSpecific(step.Rule, before.Rule), "%v stands below %v", step, before)
		if !moreSpecific(before.Rule, step.Rule) {
			require.Less(t, slices.Index(rules, before.Rule), slices.Index(rules, step.Rule), "the order of the claim")
		}
	}
	var decides, unsettled []permissions.Step
	groups := make(map[string]int)
	applying := 0
	for _, step := range e.Steps {
		outcomes[step.Outcome]++
		level, open, deeper := outcomeOf(step.Rule, about)
		require.Equal(t, level, step.Level, "%v", step)
		switch step.Outcome {
		case permissions.Decides:
			decides = append(decides, step)
			applying++
		case permissions.Unsettled:
			unsettled = append(unsettled, step)
			applying++
		case permissions.Overridden:
			applying++
			require.True(t, moreSpecific(step.By, step.Rule), "%v", step)
		}
		switch step.Outcome {
		case permissions.Decides, permissions.Unsettled, permissions.Overridden:
			require.True(t, level == 0 && open == nil && !deeper, "%v", step)
		case permissions.Conditional:
			require.True(t, level == 0 && open != nil && !deeper, "%v", step)
			require.Equal(t, strings.Join(open, " and "), strings.Join(sortedOpen(step.Open), " and "), "%v", step)
			filled := withRule(about, step.Rule)
			// What decides then is known: what it leaves open, matches nothing.
			w := p.Decide("other", closedTarget(filled))
			if step.By == (permissions.Rule{}) {
				require.Equal(t, step.Rule, w.Rule, "%v", step)
			} else {
				require.Equal(t, step.By, w.Rule, "%v", step)
				require.True(t, moreSpecific(step.By, step.Rule), "%v", step)
			}
		case permissions.NoMatch:
			require.NotZero(t, level, "%v", step)
		case permissions.Deeper:
			require.True(t, level == 0 && deeper, "%v", step)
		default:
			require.Fail(t, "an outcome of no kind", "%v", step)
		}
		if step.Outcome != permissions.Conditional {
			require.Zero(t, step.Open)
		}
		if step.Outcome >= permissions.Conditional {
			groups[fmt.Sprint(step.Outcome, step.Level)]++
		}
	}
	for group, n := range groups {
		require.LessOrEqual(t, n, 6, group) // five, and the rule that may deny
	}
	for _, rule := range rules {
		if level, open, deeper := outcomeOf(rule, about); level == 0 && open == nil && !deeper {
			applying--
		}
	}
	require.Zero(t, applying, "all that apply are there")

	switch {
	case d.Rule != permissions.Rule{}:
		require.Len(t, decides, 1)
		require.Empty(t, unsettled)
		require.Equal(t, d.Rule, decides[0].Rule)
	case d.Reason == permissions.Undetermined:
		require.Empty(t, decides)
		require.Len(t, unsettled, 1)
		require.True(t, unsettled[0].Rule.Grant().Has(action))
		i := slices.IndexFunc(e.Steps, func(s permissions.Step) bool { return s.Rule == unsettled[0].By })
		require.GreaterOrEqual(t, i, 0, "the rule that may deny is there")
		denier := e.Steps[i]
		require.Equal(t, permissions.Conditional, denier.Outcome)
		require.Equal(t, d.Open, denier.Open)
		require.Zero(t, denier.By)
		require.False(t, denier.Rule.Grant().Has(action))
	default:
		require.Empty(t, decides)
		require.Empty(t, unsettled)
	}
	for _, step := range e.Steps {
		if step.Outcome == permissions.Overridden {
			top := append(decides, unsettled...)
			require.Equal(t, top[0].Rule, step.By)
		}
	}

	text := e.String()
	lines := 2 + len(e.Steps)
	for _, has := range []bool{e.Unnamed != 0, e.Omitted > 0, e.Hint != ""} {
		if has {
			lines++
		}
	}
	require.Equal(t, lines, strings.Count(text, "\n")+1, text)
	checkHint(t, p, e, about)
}

// sortedOpen returns the names of identifiers from the highest level down.
func sortedOpen(open permissions.Identifiers) []string {
	if open == 0 {
		return nil
	}
	return strings.Split(open.String(), " and ")
}

// withRule gives a target what a rule names, of what it does not have; all of the rule's depth.
func withRule(t permissions.Target, rule permissions.Rule) permissions.Target {
	for _, s := range rule.Path() {
		if at := identifierOf(&t, s); !s.IsWildcard() && (*at == "" || *at == permissions.None) {
			*at = s.Name()
		}
	}
	depth := rule.Path()[len(rule.Path())-1].Kind()
	if t.Integration == "" && rule.Pointer() != "/integration:*" {
		t.Integration = "an integration that no rule names"
	}
	if depth >= permissions.KindCredential && depthOf(t) < permissions.KindCredential || depthOf(t) == permissions.KindConfiguration && t.CredentialID == "" && t.CredentialExternalID == "" {
		t.CredentialID, t.CredentialExternalID = permissions.None, permissions.None
	}
	if depth == permissions.KindConfiguration && depthOf(t) < permissions.KindConfiguration {
		t.ConfigurationID, t.ConfigurationExternalID = permissions.None, permissions.None
	}
	return t
}

// closedTarget says none of what is open at the levels that a target names.
func closedTarget(t permissions.Target) permissions.Target {
	none := func(ids ...*string) {
		for _, id := range ids {
			if *id == "" {
				*id = permissions.None
			}
		}
	}
	if depthOf(t) >= permissions.KindCredential {
		none(&t.CredentialID, &t.CredentialExternalID)
	}
	if depthOf(t) == permissions.KindConfiguration {
		none(&t.ConfigurationID, &t.ConfigurationExternalID)
	}
	return t
}

// checkHint follows a hint, and requires that the action is allowed then. Where a hint has
// nothing to try, there must be nothing.
func checkHint(t *testing.T, p *permissions.Policy, e permissions.Explanation, about permissions.Target) {
	t.Helper()
	if e.Decision.Allowed {
		return
	}
	if e.Decision.Reason == permissions.Undetermined {
		require.True(t, p.Allowed(e.Action, closedTarget(about)), "%v", e)
		return
	}
	rules := make(map[string]permissions.Rule)
	for r := range p.Rules() {
		rules[r.String()] = r
	}
	switch rule, found := strings.CutSuffix(e.Hint, " grants it"); {
	case found && (strings.HasPrefix(rule, "give the ") || strings.HasPrefix(rule, "name the ")):
		_, rule, _ = strings.Cut(rule, ": ")
		require.Contains(t, rules, rule)
		require.True(t, rules[rule].Grant().Has(e.Action), "%v", e)
		require.True(t, p.Allowed(e.Action, closedTarget(withRule(e.Target, rules[rule]))), "%v\n%+v", e, closedTarget(withRule(e.Target, rules[rule])))
	case strings.HasPrefix(e.Hint, "did you mean \""):
	case strings.HasPrefix(e.Hint, "did you mean "):
		rule, _, _ := strings.Cut(strings.TrimPrefix(e.Hint, "did you mean "), ", which grants it?")
		require.Contains(t, rules, rule)
		require.True(t, rules[rule].Grant().Has(e.Action), "%v", e)
		meant := e.Target
		for _, s := range rules[rule].Path() {
			if s.IsWildcard() {
				continue
			}
			for _, at := range []*string{&meant.CredentialID, &meant.CredentialExternalID, &meant.ConfigurationID, &meant.ConfigurationExternalID} {
				if at == identifierOf(&meant, s) || !strings.EqualFold(*at, s.Name()) {
					continue
				}
				if same := []*string{&meant.CredentialID, &meant.CredentialExternalID}; slices.Contains(same, at) == (s.Kind() == permissions.KindCredential) {
					*at = permissions.None
				}
			}
			*identifierOf(&meant, s) = s.Name()
		}
		require.True(t, p.Allowed(e.Action, closedTarget(meant)), "%v\n%+v", e, closedTarget(meant))
	case e.Decision.Reason != permissions.NoPolicy:
		if decides, overridden, found := strings.Cut(e.Hint, " stands above "); found {
			overridden = strings.TrimSuffix(overridden, ", which grants it")
			require.Equal(t, e.Decision.Rule, rules[decides], "%v", e)
			require.True(t, rules[overridden].Grant().Has(e.Action), "%v", e)
		}
		for _, r := range rules {
			level, _, _ := outcomeOf(r, e.Target)
			if level == 0 {
				require.False(t, p.Allowed(e.Action, closedTarget(withRule(e.Target, r))), "%v\nbut for %v", e, r)
			}
		}
	}
}

// TestExplainAgreesWithDecide holds explanations of random policies, and of their
// intersections, against the decisions and the rules.
func TestExplainAgreesWithDecide(t *testing.T) {
	t.Parallel()
	pairs, _ := differentialRange(t)
	outcomes := make(map[permissions.Outcome]int)
	reasons := make(map[permissions.Reason]int)
	hints := make(map[string]int)
	intersections := 0
	var last *permissions.Policy
	for seed := range uint64(pairs / 25) {
		g := newGenerator(seed)
		claim := pick(g, g.claim, g.paths, g.denseClaim)()
		p, err := permissions.Parse([]byte(claim))
		if err != nil {
			continue
		}
		for range 8 {
			action, target := pick(g, actions...), g.target()
			e := p.Explain(action, target)
			checkExplanation(t, p, e, action, target, outcomes)
			reasons[e.Decision.Reason]++
			words := strings.Fields(e.Hint)
			hints[strings.Join(words[:min(2, len(words))], " ")]++
			checkJSON(t, e)

			both, err := permissions.Intersect(p, last)
			require.NoError(t, err)
			parts := both.Parts()
			e = both.Explain(action, target)
			require.Equal(t, both.Decide(action, target), e.Decision)
			if e.Decision.Reason == permissions.InvalidQuestion {
				require.Empty(t, e.Parts)
				continue
			}
			require.Empty(t, e.Steps)
			require.Len(t, e.Parts, len(parts))
			for i, part := range parts {
				require.Equal(t, part.Explain(action, target), e.Parts[i])
			}
			if !e.Decision.Allowed {
				require.False(t, e.Parts[e.Decision.Part-1].Decision.Allowed)
				require.Equal(t, e.Parts[e.Decision.Part-1].Hint, e.Hint)
			}
			intersections++
		}
		last = p
	}
	for o := permissions.Decides; o <= permissions.Deeper; o++ {
		assert.Greater(t, outcomes[o], 50, "%v: %v", o, outcomes)
	}
	for _, r := range []permissions.Reason{
		permissions.InvalidQuestion, permissions.NoRule, permissions.NotGranted, permissions.Undetermined, permissions.Granted,
	} {
		assert.Greater(t, reasons[r], 50, "%v: %v", r, reasons)
	}
	assert.Greater(t, intersections, 1000)
	for _, hint := range []string{"give the", "name the", "did you", "what no"} {
		assert.Greater(t, hints[hint], 50, "%v", hints)
	}
}

// checkJSON requires that the JSON of an explanation says what its fields do.
func checkJSON(t *testing.T, e permissions.Explanation) {
	t.Helper()
	data, err := json.Marshal(e)
	require.NoError(t, err)
	var got struct {
		Action  string
		Allowed bool
		Reason  string
		Rule    string
		Hint    string
		Omitted int
		Steps   []struct {
			Rule, Pointer, Outcome, By, Level string
			Open                              []string
			Grants                            any
		}
	}
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, string(e.Action), got.Action)
	require.Equal(t, e.Decision.Allowed, got.Allowed)
	require.Equal(t, e.Decision.Reason.String(), got.Reason)
	require.Equal(t, e.Decision.Rule.String(), got.Rule)
	require.Equal(t, e.Hint, got.Hint)
	require.Equal(t, e.Omitted, got.Omitted)
	require.Len(t, got.Steps, len(e.Steps))
	for i, step := range e.Steps {
		j := got.Steps[i]
		require.Equal(t, []string{step.Rule.String(), step.Rule.Pointer(), step.Outcome.String(), step.By.String(), step.Level.String()},
			[]string{j.Rule, j.Pointer, j.Outcome, j.By, j.Level})
		require.Equal(t, sortedOpen(step.Open), j.Open)
		if step.Rule.Grant().IsAll() {
			require.Equal(t, true, j.Grants)
			continue
		}
		require.IsType(t, []any{}, j.Grants)
		for p := range step.Rule.Grant().All() {
			require.Contains(t, j.Grants, string(p))
		}
	}
}

func TestExplainString(t *testing.T) {
	t.Parallel()
	slack := permissions.Target{Integration: "slack"}
	c1 := permissions.Target{Integration: "slack", CredentialID: "c1"}
	c1None := permissions.Target{Integration: "slack", CredentialID: "c1", CredentialExternalID: permissions.None}
	for _, c := range []struct {
		name   string
		policy *permissions.Policy
		action permissions.Permission
		target permissions.Target
		want   string
	}{
		{
			name:   "allowed",
			policy: permissions.MustParse(`{"integration:*": false, "integration:slack": {"credential:*": ["proxy-api", "events"]}}`),
			action: permissions.ProxyAPI, target: c1None,
			want: `
allowed: "proxy-api" on integration "slack", credential external ID none, credential ID "c1"
reason: integration:slack/credential:* grants proxy-api, events
  integration:slack/credential:*  grants proxy-api, events  decides
  integration:*                   grants none               overridden by integration:slack/credential:*`,
		},
		{
			name:   "the action is not in the deciding grant, and a rule below grants it",
			policy: permissions.MustParse(`{"integration:*": true, "integration:jira": true, "integration:slack": {"credential:c1": ["settings:read"], "credential:c2": true}}`),
			action: permissions.SettingsWrite, target: c1None,
			want: `
denied: "settings:write" on integration "slack", credential external ID none, credential ID "c1"
reason: integration:slack/credential:c1 grants settings:read
  integration:slack/credential:c1  grants settings:read  decides
  integration:slack/credential:c2  grants all            does not match the credential
  integration:jira                 grants all            does not match the integration
  integration:*                    grants all            overridden by integration:slack/credential:c1
hint: integration:slack/credential:c1 stands above integration:*, which grants it`,
		},
		{
			name:   "the action is not in the only grant",
			policy: permissions.MustParse(`{"credential:*": ["settings:read"]}`),
			action: permissions.SettingsWrite, target: c1None,
			want: `
denied: "settings:write" on integration "slack", credential external ID none, credential ID "c1"
reason: integration:*/credential:* grants settings:read
  integration:*/credential:*  grants settings:read  decides
hint: integration:*/credential:* does not grant it`,
		},
		{
			name:   "name the credential",
			policy: permissions.MustParse(`{"integration:slack": {"credential:c1": ["proxy-api"]}}`),
			action: permissions.ProxyAPI, target: slack,
			want: `
denied: "proxy-api" on integration "slack"
reason: no rule applies
  integration:slack/credential:c1  grants proxy-api  deeper than the question
hint: name the credential: integration:slack/credential:c1 grants it`,
		},
		{
			name:   "name everything, of any integration",
			policy: permissions.MustParse(`{"configuration:*": ["workflows"]}`),
			action: permissions.Workflows, target: permissions.Target{},
			want: `
denied: "workflows" on the user
reason: no rule applies
  integration:*/credential:*/configuration:*  grants workflows  deeper than the question
hint: name the integration and the credential and the configuration: integration:*/credential:*/configuration:* grants it`,
		},
		{
			name:   "give the open identifier",
			policy: permissions.MustParse(`{"credential:ext:acme": ["proxy-api"]}`),
			action: permissions.ProxyAPI, target: c1,
			want: `
denied: "proxy-api" on integration "slack", credential ID "c1"
reason: no rule applies
  integration:*/credential:ext:acme  grants proxy-api  would decide with that credential external ID
hint: give the credential external ID: integration:*/credential:ext:acme grants it`,
		},
		{
			name:   "undetermined",
			policy: permissions.MustParse(`{"integration:*": true, "integration:slack": {"credential:c1": {"configuration:ext:a": true}}, "configuration:ext:a": [], "configuration:ext:b": []}`),
			action: permissions.Workflows,
			target: permissions.Target{Integration: "slack", CredentialID: "c1", CredentialExternalID: permissions.None, ConfigurationID: "f1"},
			want: `
denied: "workflows" on integration "slack", credential external ID none, credential ID "c1", configuration ID "f1"
reason: it may depend on the configuration external ID, which the target leaves open
  integration:slack/credential:c1/configuration:ext:a  grants all   would decide with that configuration external ID
  integration:*/credential:*/configuration:ext:a       grants none  would be overridden by integration:slack/credential:c1/configuration:ext:a with that configuration external ID
  integration:*/credential:*/configuration:ext:b       grants none  would decide with that configuration external ID
  integration:*                                        grants all   may be overridden by integration:*/credential:*/configuration:ext:b
hint: give the configuration external ID, or None where there is none`,
		},
		{
			name:   "of what is to be created (SPEC 4.3)",
			policy: permissions.MustParse(`{"integration:slack": true, "credential:*": false}`),
			action: permissions.CredentialWrite, target: slack,
			want: `
denied: "credential:write" on integration "slack"
asked about a credential that is to be created and has no name yet
reason: integration:*/credential:* grants none
  integration:*/credential:*  grants none  decides
  integration:slack           grants all   overridden by integration:*/credential:*
hint: integration:*/credential:* stands above integration:slack, which grants it`,
		},
		{
			name:   "of what is to be created, undetermined",
			policy: permissions.MustParse(`{"integration:*": true, "configuration:ext:Team A": false}`),
			action: permissions.ConfigWrite, target: c1None,
			want: `
denied: "config:write" on integration "slack", credential external ID none, credential ID "c1"
asked about a configuration that is to be created and has no name yet
reason: it may depend on the configuration external ID, which the target leaves open
  integration:*/credential:*/configuration:ext:Team A  grants none  would decide with that configuration external ID
  integration:*                                        grants all   may be overridden by integration:*/credential:*/configuration:ext:Team A
hint: name the configuration that is to be created: its ID is None, and its external ID too if it will have none`,
		},
		{
			name:   "of what is to be created, undetermined by what it is created in",
			policy: permissions.MustParse(`{"integration:*": true, "credential:ext:acme": false}`),
			action: permissions.ConfigWrite, target: c1,
			want: `
denied: "config:write" on integration "slack", credential ID "c1"
asked about a configuration that is to be created and has no name yet
reason: it may depend on the credential external ID, which the target leaves open
  integration:*/credential:ext:acme  grants none  would decide with that credential external ID
  integration:*                      grants all   may be overridden by integration:*/credential:ext:acme
hint: give the credential external ID, or None where there is none`,
		},
		{
			name:   "of what is to be created, undetermined by both",
			policy: permissions.MustParse(`{"integration:*": true, "credential:ext:acme": {"configuration:ext:a": false}}`),
			action: permissions.ConfigWrite, target: c1,
			want: `
denied: "config:write" on integration "slack", credential ID "c1"
asked about a configuration that is to be created and has no name yet
reason: it may depend on the credential external ID and configuration external ID, which the target leaves open
  integration:*/credential:ext:acme/configuration:ext:a  grants none  would decide with that credential external ID and configuration external ID
  integration:*                                          grants all   may be overridden by integration:*/credential:ext:acme/configuration:ext:a
hint: give the credential external ID, or None where there is none; name the configuration that is to be created: its ID is None, and its external ID too if it will have none`,
		},
		{
			name:   "an ID that is an external ID",
			policy: permissions.MustParse(`{"integration:slack": {"credential:ext:acme": true}}`),
			action: permissions.ProxyAPI,
			target: permissions.Target{Integration: "slack", CredentialID: "acme", CredentialExternalID: permissions.None},
			want: `
denied: "proxy-api" on integration "slack", credential external ID none, credential ID "acme"
reason: no rule applies
  integration:slack/credential:ext:acme  grants all  does not match the credential
hint: did you mean integration:slack/credential:ext:acme, which grants it? Letter case counts, and an ID is no external ID`,
		},
		{
			name:   "an ID that is denied and an external ID that is not",
			policy: permissions.MustParse(`{"integration:slack": {"credential:acme": false, "credential:ext:acme": true}}`),
			action: permissions.ProxyAPI,
			target: permissions.Target{Integration: "slack", CredentialID: "acme", CredentialExternalID: permissions.None},
			want: `
denied: "proxy-api" on integration "slack", credential external ID none, credential ID "acme"
reason: integration:slack/credential:acme grants none
  integration:slack/credential:acme      grants none  decides
  integration:slack/credential:ext:acme  grants all   does not match the credential
hint: did you mean integration:slack/credential:ext:acme, which grants it? Letter case counts, and an ID is no external ID`,
		},
		{
			name:   "letter case",
			policy: permissions.MustParse(`{"integration:Slack": true}`),
			action: permissions.ProxyAPI, target: c1None,
			want: `
denied: "proxy-api" on integration "slack", credential external ID none, credential ID "c1"
reason: no rule applies
  integration:Slack  grants all  does not match the integration
hint: did you mean integration:Slack, which grants it? Letter case counts, and an ID is no external ID`,
		},
		{
			name:   "an action that is nearly one",
			policy: permissions.MustParse(`{"integration:*": ["proxy-api"]}`),
			action: "proxyapi", target: slack,
			want: `
denied: "proxyapi" on integration "slack"
reason: integration:* grants proxy-api
  integration:*  grants proxy-api  decides
hint: did you mean "proxy-api"?`,
		},
		{
			name:   "no rule",
			policy: permissions.MustParse(`{"integration:jira": true}`),
			action: permissions.ProxyAPI, target: slack,
			want: `
denied: "proxy-api" on integration "slack"
reason: no rule applies
  integration:jira  grants all  does not match the integration
hint: what no rule covers is denied`,
		},
		{
			name:   "empty claim",
			policy: permissions.MustParse(`{}`),
			action: permissions.ProxyAPI, target: slack,
			want: `
denied: "proxy-api" on integration "slack"
reason: no rule applies
hint: the claim is empty, which allows nothing`,
		},
		{
			name:   "no policy",
			policy: nil,
			action: permissions.ProxyAPI, target: slack,
			want: `
denied: "proxy-api" on integration "slack"
reason: there is no policy
hint: there is no policy: a nil or zero Policy denies everything`,
		},
		{
			name:   "no claim",
			policy: permissions.Unrestricted(),
			action: permissions.ProxyAPI, target: slack,
			want: `
allowed: "proxy-api" on integration "slack"
reason: the token has no permissions claim`,
		},
		{
			name:   "invalid target",
			policy: permissions.Unrestricted(),
			action: permissions.ProxyAPI, target: permissions.Target{CredentialID: "c1"},
			want: `
denied: "proxy-api" on credential ID "c1"
reason: invalid question
hint: Integration is empty, and must be named with what it holds`,
		},
		{
			name:   "no action",
			policy: permissions.MustParse(`{"integration:*": true}`),
			action: "", target: slack,
			want: `
denied: "" on integration "slack"
reason: invalid question
hint: action is empty`,
		},
		{
			name:   "an intersection",
			policy: intersection(t, `{"integration:*": true}`, `{"integration:slack": ["events"]}`, `{}`),
			action: permissions.ProxyAPI, target: slack,
			want: `
denied: "proxy-api" on integration "slack"
reason: part 2 denies it
part 1: allowed
  reason: integration:* grants all
    integration:*  grants all  decides
part 2: denied
  reason: integration:slack grants events
    integration:slack  grants events  decides
  hint: integration:slack does not grant it
part 3: denied
  reason: no rule applies
  hint: the claim is empty, which allows nothing
hint: integration:slack does not grant it`,
		},
		{
			name:   "an intersection that allows",
			policy: intersection(t, `{"integration:*": true}`, `{"integration:slack": ["proxy-api"]}`),
			action: permissions.ProxyAPI, target: slack,
			want: `
allowed: "proxy-api" on integration "slack"
reason: all parts allow it
part 1: allowed
  reason: integration:* grants all
    integration:*  grants all  decides
part 2: allowed
  reason: integration:slack grants proxy-api
    integration:slack  grants proxy-api  decides`,
		},
		{
			name:   "what is long, or does not show",
			policy: permissions.MustParse(`{"credential:ext:` + strings.Repeat("long ", 40) + `x": false, "credential:ext:a\u202eb": true}`),
			action: permissions.ProxyAPI, target: slack,
			want: `
denied: "proxy-api" on integration "slack"
reason: no rule applies
  integration:*/"credential:ext:` + strings.Repeat("long ", 17) + `"...  grants none  deeper than the question
  integration:*/"credential:ext:a\u202eb"` + strings.Repeat(" ", 80) + `  grants all   deeper than the question
hint: name the credential: integration:*/"credential:ext:a\u202eb" grants it`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := c.policy.Explain(c.action, c.target)
			assert.Equal(t, strings.TrimPrefix(c.want, "\n"), e.String())
			assert.Equal(t, c.policy.Decide(c.action, c.target), e.Decision)
			for _, step := range e.Steps {
				assert.Contains(t, step.String(), ": ")
			}
		})
	}
}

// intersection returns the intersection of claims.
func intersection(t *testing.T, claims ...string) *permissions.Policy {
	t.Helper()
	var policies []*permissions.Policy
	for _, claim := range claims {
		policies = append(policies, permissions.MustParse(claim))
	}
	p, err := permissions.Intersect(policies...)
	require.NoError(t, err)
	return p
}

// TestExplainIsShort has policies of which only a part can be shown.
func TestExplainIsShort(t *testing.T) {
	t.Parallel()
	var scopes []string
	for i := range 1000 {
		scopes = append(scopes,
			fmt.Sprintf(`"integration:i%d": true`, i),
			fmt.Sprintf(`"credential:c%d": true`, i),
			fmt.Sprintf(`"credential:ext:e%d": %t`, i, i != 700),
			fmt.Sprintf(`"configuration:f%d": false`, i))
	}
	p := permissions.MustParse(`{"integration:*": true, ` + strings.Join(scopes, ", ") + "}")
	e := p.Explain(permissions.ProxyAPI, permissions.Target{Integration: "slack", CredentialID: "c"})
	assert.Equal(t, permissions.Undetermined, e.Decision.Reason)
	count := make(map[string]int)
	for _, step := range e.Steps {
		count[fmt.Sprint(step.Outcome, " ", step.Level)]++
	}
	assert.Equal(t, map[string]int{
		"unsettled ": 1, "conditional ": 6, "deeper ": 5, "no match credential": 5, "no match integration": 5,
	}, count, "five of each, and the one that may deny")
	assert.Equal(t, 4001-len(e.Steps), e.Omitted)
	assert.Contains(t, e.String(), "\n  and 3979 more that do not apply\n")
	assert.Contains(t, e.String(), "\n  integration:*/credential:ext:e700  ")
	assert.LessOrEqual(t, strings.Count(e.String(), "\n"), 30)

	// The first of each rank in the order of the claim.
	assert.Equal(t, "integration:*/credential:*/configuration:f0", e.Steps[0].Rule.String())
	assert.Equal(t, "integration:*/credential:*/configuration:f4", e.Steps[4].Rule.String())
	assert.Equal(t, "integration:*/credential:c0", e.Steps[5].Rule.String())
}

// TestExplainHintGivesUp pins that a hint is not looked for without end, as the
// documentation of Explanation says.
func TestExplainHintGivesUp(t *testing.T) {
	t.Parallel()
	hint := func(useless int) string {
		scopes := []string{`"credential:c1": false`, `"configuration:f": true`}
		for i := range useless {
			scopes = append(scopes, fmt.Sprintf(`"credential:ext:e%d": true`, i)) // which c1 overrides
		}
		p := permissions.MustParse("{" + strings.Join(scopes, ", ") + "}")
		return p.Explain(permissions.Workflows, permissions.Target{Integration: "slack", CredentialID: "c1"}).Hint
	}
	assert.Equal(t, "name the configuration: integration:*/credential:*/configuration:f grants it", hint(0))
	assert.Equal(t, hint(0), hint(99))
	assert.Equal(t, "integration:*/credential:c1 does not grant it", hint(100))
}

func TestExplainJSON(t *testing.T) {
	t.Parallel()
	p := permissions.MustParse(`{"integration:*": true, "integration:slack": {"credential:a/b": ["settings:write"], "configuration:ext:x": []}, "integration:jira": false}`)
	for _, c := range []struct {
		name   string
		policy *permissions.Policy
		action permissions.Permission
		target permissions.Target
		want   string
	}{
		{
			name: "undetermined", policy: p, action: permissions.ConfigWrite,
			target: permissions.Target{Integration: "slack", CredentialID: "c", CredentialExternalID: permissions.None},
			want: `{
				"action": "config:write", "allowed": false, "reason": "undetermined", "open": ["configuration external ID"],
				"target": {"integration": "slack", "credential": {"id": "c", "ext": null}},
				"unnamed": "configuration",
				"steps": [
					{"rule": "integration:slack/credential:*/configuration:ext:x", "pointer": "/integration:slack/configuration:ext:x",
					 "grants": [], "outcome": "conditional", "open": ["configuration external ID"]},
					{"rule": "integration:slack/credential:a/b", "pointer": "/integration:slack/credential:a~1b",
					 "grants": ["settings:read", "settings:write"], "outcome": "no match", "level": "credential"},
					{"rule": "integration:jira", "pointer": "/integration:jira", "grants": [], "outcome": "no match", "level": "integration"},
					{"rule": "integration:*", "pointer": "/integration:*", "grants": true, "outcome": "unsettled",
					 "by": "integration:slack/credential:*/configuration:ext:x"}
				],
				"hint": "name the configuration that is to be created: its ID is None, and its external ID too if it will have none"
			}`,
		},
		{
			name: "invalid", policy: p, action: "", target: permissions.Target{ConfigurationExternalID: "x"},
			want: `{"action": "", "allowed": false, "reason": "invalid question", "target": {"configuration": {"ext": "x"}}, "hint": "action is empty"}`,
		},
		{
			name: "the user", policy: permissions.Unrestricted(), action: "events", target: permissions.Target{},
			want: `{"action": "events", "allowed": true, "reason": "no claim", "target": {}}`,
		},
		{
			name: "an intersection", policy: intersection(t, `{"integration:*": true}`, `{}`), action: "events", target: permissions.Target{},
			want: `{
				"action": "events", "allowed": false, "reason": "no rule", "part": 2, "target": {}, "hint": "the claim is empty, which allows nothing",
				"parts": [
					{"action": "events", "allowed": true, "reason": "granted", "rule": "integration:*", "target": {},
					 "steps": [{"rule": "integration:*", "pointer": "/integration:*", "grants": true, "outcome": "decides"}]},
					{"action": "events", "allowed": false, "reason": "no rule", "target": {}, "hint": "the claim is empty, which allows nothing"}
				]
			}`,
		},
		{
			name: "the zero Explanation", want: `{"action": "", "allowed": false, "reason": "no policy", "target": {}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var e permissions.Explanation
			if c.policy != nil {
				e = c.policy.Explain(c.action, c.target)
			}
			data, err := json.Marshal(e)
			require.NoError(t, err)
			assert.JSONEq(t, c.want, string(data))
		})
	}
}

func TestExplainLogValue(t *testing.T) {
	t.Parallel()
	var buffer bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&buffer, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	p := intersection(t, `{"integration:*": true}`, `{"integration:slack": true, "credential:*": ["events"]}`)
	log.Info("denied", "why", p.Explain(permissions.CredentialWrite, permissions.Target{Integration: "slack"}))
	assert.JSONEq(t, `{
		"level": "INFO", "msg": "denied",
		"why": {
			"action": "credential:write", "target": {"integration": "slack"},
			"decision": {"allowed": false, "reason": "not granted", "part": 2, "rule": "integration:*/credential:*"},
			"unnamed": "credential",
			"hint": "integration:*/credential:* stands above integration:slack, which grants it",
			"part 1": {
				"action": "credential:write", "target": {"integration": "slack"}, "unnamed": "credential",
				"decision": {"allowed": true, "reason": "granted", "rule": "integration:*"},
				"steps": ["integration:* grants all: decides"]
			},
			"part 2": {
				"action": "credential:write", "target": {"integration": "slack"}, "unnamed": "credential",
				"decision": {"allowed": false, "reason": "not granted", "rule": "integration:*/credential:*"},
				"steps": [
					"integration:*/credential:* grants events: decides",
					"integration:slack grants all: overridden by integration:*/credential:*"
				],
				"hint": "integration:*/credential:* stands above integration:slack, which grants it"
			}
		}
	}`, buffer.String())

	buffer.Reset()
	var scopes []string
	for i := range 7 {
		scopes = append(scopes, fmt.Sprintf(`"integration:i%d": true`, i))
	}
	p = permissions.MustParse("{" + strings.Join(scopes, ",") + "}")
	log.Info("denied", "why", p.Explain(permissions.Events, permissions.Target{}))
	assert.Contains(t, buffer.String(), `"omitted":2`)
}

func TestOutcomeString(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "Outcome(0)", permissions.Outcome(0).String())
	assert.Equal(t, "Outcome(7)", permissions.Outcome(7).String())
	assert.Equal(t, " grants none: Outcome(0)", permissions.Step{}.String())
}

// TestExplainDoesNotObserve pins that explaining is no decision.
func TestExplainDoesNotObserve(t *testing.T) {
	t.Parallel()
	p := permissions.MustParse(`{"credential:a": true}`).Observe(func(permissions.Permission, permissions.Target, permissions.Decision) {
		t.Error("called")
	})
	both, err := permissions.Intersect(p, permissions.MustParse("{}"))
	require.NoError(t, err)
	p.Explain(permissions.Events, permissions.Target{Integration: "slack"})
	p.Explain("", permissions.Target{})
	both.Observe(func(permissions.Permission, permissions.Target, permissions.Decision) {
		t.Error("called")
	}).Explain(permissions.Events, permissions.Target{})
	p.Visible(permissions.Target{})
	p.Permissions(permissions.Target{})
	p.SelectCredentials(permissions.Events, "slack")
}
