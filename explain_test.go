package permissions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// actingLevels is SPEC 3.3 for the actions that act on more than the target itself: the level, and whether the
// thing is new.
var actingLevels = map[permissions.Permission]struct {
	level permissions.Kind
	isNew bool
}{
	permissions.CredentialWrite: {permissions.KindCredential, true},
	permissions.ConfigWrite:     {permissions.KindConfiguration, true},
	permissions.SettingsRead:    {permissions.KindConfiguration, false},
	permissions.SettingsWrite:   {permissions.KindConfiguration, false},
	permissions.ProxyAPI:        {permissions.KindCredential, false},
	permissions.Workflows:       {permissions.KindConfiguration, false},
	permissions.ActionKit:       {permissions.KindCredential, false},
}

// askedAbout returns what a question is about (SPEC 4.3), and whether that is new.
func askedAbout(action permissions.Permission, target reference.Target) (about reference.Target, isNew bool) {
	acts := actingLevels[action]
	if target.Integration == nil || depthOf(target) >= acts.level {
		return target, false
	}
	about = withLevels(target, acts.level, reference.Level{})
	if acts.isNew {
		level := &about.Credential
		if acts.level == permissions.KindConfiguration {
			level = &about.Configuration
		}
		*level = &reference.Level{ID: reference.Identifier{State: reference.Absent}}
	}
	return about, acts.isNew
}

// depthOf returns the level of a target.
func depthOf(t reference.Target) permissions.Kind {
	switch {
	case t.Configuration != nil:
		return permissions.KindConfiguration
	case t.Credential != nil:
		return permissions.KindCredential
	case t.Integration != nil:
		return permissions.KindIntegration
	}
	return permissions.KindUser
}

// withLevels returns a target with the levels that it lacks.
func withLevels(t reference.Target, to permissions.Kind, missing reference.Level) reference.Target {
	if to >= permissions.KindIntegration && t.Integration == nil {
		name := "an integration that no rule names"
		t.Integration = &name
	}
	if to >= permissions.KindCredential && t.Credential == nil {
		level := missing
		t.Credential = &level
	}
	if to >= permissions.KindConfiguration && t.Configuration == nil {
		level := missing
		t.Configuration = &level
	}
	return t
}

// withAbsent returns a target with absent for what is unknown.
func withAbsent(t reference.Target) reference.Target {
	for _, level := range []**reference.Level{&t.Credential, &t.Configuration} {
		if *level == nil {
			continue
		}
		copied := **level
		for _, identifier := range []*reference.Identifier{&copied.ID, &copied.ExternalID} {
			if identifier.State == reference.Unknown {
				identifier.State = reference.Absent
			}
		}
		*level = &copied
	}
	return t
}

// identifierOf returns the identifier of a target that a scope compares, to read or to change, and its name. The
// scope is not a wildcard, and the target has its level.
func identifierOf(t *reference.Target, s permissions.Scope) (*reference.Identifier, permissions.Identifiers) {
	level, id, externalID := t.Credential, permissions.CredentialID, permissions.CredentialExternalID
	if s.Kind() == permissions.KindConfiguration {
		level, id, externalID = t.Configuration, permissions.ConfigurationID, permissions.ConfigurationExternalID
	}
	if s.IsExternal() {
		return &level.ExternalID, externalID
	}
	return &level.ID, id
}

// withNamesOf returns a target that is as deep as a rule and has what the rule names, where the target
// does not know it.
func withNamesOf(rule permissions.Rule, t reference.Target) reference.Target {
	path := rule.Path()
	if rule.Pointer() != "/integration:*" {
		if scope := path[0]; t.Integration == nil && !scope.IsWildcard() {
			name := scope.Name()
			t.Integration = &name
		}
		t = withLevels(t, path[len(path)-1].Kind(), reference.Level{})
	}
	for _, level := range []**reference.Level{&t.Credential, &t.Configuration} {
		if *level != nil {
			copied := **level
			*level = &copied
		}
	}
	for _, s := range path[1:] {
		if s.IsWildcard() {
			continue
		}
		if identifier, _ := identifierOf(&t, s); identifier.State == reference.Unknown {
			*identifier = reference.Identifier{State: reference.Known, Value: s.Name()}
		}
	}
	return t
}

// matching is what SPEC 4.1 says of one rule: the highest level at which it names something else, the
// unknown identifiers that it names, and whether it is deeper than the target.
func matching(
	rule permissions.Rule, about reference.Target,
) (level permissions.Kind, unknown permissions.Identifiers, deeper bool) {
	path := rule.Path()
	for _, s := range path {
		switch {
		case s.Kind() > depthOf(about):
			deeper = deeper || len(path) > 1 || !s.IsWildcard() // integration:* applies to the user (SPEC 4.2)
		case s.IsWildcard():
		case s.Kind() == permissions.KindIntegration:
			if *about.Integration != s.Name() {
				level = s.Kind()
			}
		default:
			has, which := identifierOf(&about, s)
			switch {
			case has.State == reference.Unknown:
				unknown |= which
			case level == 0 && (has.State != reference.Known || has.Value != s.Name()):
				level = s.Kind()
			}
		}
	}
	return level, unknown, deeper
}

// moreSpecific reports whether a rule is more specific than another (SPEC 4.5).
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

// requireExplanation compares the explanation of a policy, which is not an intersection, with the decision
// and the rules.
func requireExplanation(
	t *testing.T, p *permissions.Policy, action permissions.Permission, target permissions.Target,
) permissions.Explanation {
	t.Helper()
	e, d := p.Explain(action, target), p.Decide(action, target)
	require.Equal(t, d, e.Decision)
	require.Equal(t, action, e.Action)
	require.Equal(t, target, e.Target)
	require.Empty(t, e.Parts)
	require.Equal(t, d.Allowed, e.Hint == "", "hint %q", e.Hint)
	if d.Reason == permissions.ReasonInvalidQuestion {
		require.Zero(t, e.ActsOn)
		require.False(t, e.New)
		require.Empty(t, e.Steps)
		require.Zero(t, e.Omitted)
		return e
	}
	about, isNew := askedAbout(action, toReference(target))
	require.Equal(t, depthOf(about), e.ActsOn)
	require.Equal(t, isNew, e.New)

	rules := slices.Collect(p.Rules())
	require.Len(t, rules, len(e.Steps)+e.Omitted)
	for i, step := range e.Steps[min(1, len(e.Steps)):] {
		before := e.Steps[i]
		require.False(t, moreSpecific(step.Rule, before.Rule), "%v comes after %v", step, before)
		if !moreSpecific(before.Rule, step.Rule) {
			require.Less(t, slices.Index(rules, before.Rule), slices.Index(rules, step.Rule), "the order of the claim")
		}
	}
	for _, step := range e.Steps {
		requireStep(t, p, &e, step, about)
	}
	requireSteps(t, &e, about, rules)
	requireHint(t, p, &e, about)

	lines := 2 + len(e.Steps)
	for _, has := range []bool{e.ActsOn > target.Level(), e.Omitted > 0, e.Hint != ""} {
		if has {
			lines++
		}
	}
	require.Equal(t, lines, strings.Count(e.String(), "\n")+1, e.String())
	return e
}

// requireStep compares a step with what SPEC 4.1 says of its rule.
func requireStep(
	t *testing.T, p *permissions.Policy, e *permissions.Explanation, step permissions.Step, about reference.Target,
) {
	t.Helper()
	level, unknown, deeper := matching(step.Rule, about)
	require.Equal(t, level, step.Level, "%v", step)
	applies := level == 0 && unknown == 0 && !deeper
	switch step.Outcome {
	case permissions.OutcomeDecides, permissions.OutcomeUndetermined:
		require.True(t, applies, "%v", step)
	case permissions.OutcomeOverridden:
		require.True(t, applies, "%v", step)
		require.True(t, moreSpecific(step.By, step.Rule), "%v", step)
	case permissions.OutcomeConditional:
		require.True(t, level == 0 && unknown != 0 && !deeper, "%v", step)
		require.Equal(t, unknown, step.Unknown, "%v", step)
		// App Events act on the target itself, and what is absent matches nothing. So this is the rule that
		// decides when the target has what the rule names.
		decides := p.Decide(permissions.Events, toLibrary(withAbsent(withNamesOf(step.Rule, about)))).Rule
		if step.By == (permissions.Rule{}) {
			require.Equal(t, step.Rule, decides, "%v", step)
		} else {
			require.Equal(t, step.By, decides, "%v", step)
			require.True(t, moreSpecific(step.By, step.Rule), "%v", step)
		}
	case permissions.OutcomeNoMatch:
		require.NotZero(t, level, "%v", step)
	case permissions.OutcomeDeeper:
		require.True(t, level == 0 && deeper, "%v", step)
	default:
		require.Fail(t, "unknown outcome", "%v", step)
	}
	if step.Outcome != permissions.OutcomeConditional {
		require.Zero(t, step.Unknown)
	}
	switch step.Outcome {
	case permissions.OutcomeDecides, permissions.OutcomeNoMatch, permissions.OutcomeDeeper:
		require.Zero(t, step.By, "%v", step)
	case permissions.OutcomeOverridden:
		top := slices.IndexFunc(e.Steps, func(s permissions.Step) bool {
			return s.Outcome == permissions.OutcomeDecides || s.Outcome == permissions.OutcomeUndetermined
		})
		require.Equal(t, e.Steps[top].Rule, step.By)
	}
}

// requireSteps compares all steps together with the decision.
func requireSteps(t *testing.T, e *permissions.Explanation, about reference.Target, rules []permissions.Rule) {
	t.Helper()
	byOutcome, groups := make(map[permissions.Outcome][]permissions.Step), make(tally)
	for _, step := range e.Steps {
		byOutcome[step.Outcome] = append(byOutcome[step.Outcome], step)
		groups[fmt.Sprint(step.Outcome, step.Level)]++
	}
	decides, undetermined := byOutcome[permissions.OutcomeDecides], byOutcome[permissions.OutcomeUndetermined]
	applying := len(decides) + len(undetermined) + len(byOutcome[permissions.OutcomeOverridden])
	for _, rule := range rules {
		if level, unknown, deeper := matching(rule, about); level == 0 && unknown == 0 && !deeper {
			applying--
		}
	}
	require.Zero(t, applying, "all rules that apply are there, and no others are said to apply")
	for group, n := range groups {
		if !strings.HasPrefix(group, "overridden") {
			require.LessOrEqual(t, n, 6, group) // five, and the rule that may deny
		}
	}
	switch d := e.Decision; {
	case d.Rule != permissions.Rule{}:
		require.Len(t, decides, 1)
		require.Empty(t, undetermined)
		require.Equal(t, d.Rule, decides[0].Rule)
	case d.Reason == permissions.ReasonUndetermined:
		require.Empty(t, decides)
		require.Len(t, undetermined, 1)
		require.True(t, undetermined[0].Rule.Grant().Has(e.Action))
		i := slices.IndexFunc(e.Steps, func(s permissions.Step) bool { return s.Rule == undetermined[0].By })
		require.GreaterOrEqual(t, i, 0, "the rule that may deny is there")
		denial := e.Steps[i]
		require.Equal(t, permissions.OutcomeConditional, denial.Outcome)
		require.Equal(t, d.Unknown, denial.Unknown)
		require.Zero(t, denial.By)
		require.False(t, denial.Rule.Grant().Has(e.Action))
	default:
		require.Empty(t, decides)
		require.Empty(t, undetermined)
	}
}

// requireHint follows a hint, and requires that the action is allowed then. Where the hint is only a
// reason, no rule must be there whose names would help.
func requireHint(t *testing.T, p *permissions.Policy, e *permissions.Explanation, about reference.Target) {
	t.Helper()
	allowedOn := func(t reference.Target) bool {
		t, _ = askedAbout(e.Action, t)
		return p.Allowed(e.Action, toLibrary(withAbsent(t)))
	}
	rules := make(map[string]permissions.Rule)
	for r := range p.Rules() {
		rules[r.String()] = r
	}
	asked := toReference(e.Target)
	switch rule, grantsIt := strings.CutSuffix(e.Hint, " grants it"); {
	case e.Decision.Allowed, e.Decision.Reason == permissions.ReasonNoPolicy:
	case e.Decision.Reason == permissions.ReasonUndetermined:
		require.True(t, allowedOn(about), "%v", e)
	case grantsIt && (strings.HasPrefix(rule, "give the ") || strings.HasPrefix(rule, "ask about ")):
		_, rule, _ = strings.Cut(rule, ": ")
		if e.Action == permissions.CredentialWrite {
			require.NotContains(t, e.Hint, "ask about a configuration")
			require.NotContains(t, e.Hint, "ask about the configuration")
		}
		require.Contains(t, rules, rule)
		require.True(t, rules[rule].Grant().Has(e.Action), "%v", e)
		require.True(t, allowedOn(withNamesOf(rules[rule], asked)), "%v\nfollowed: %v", e,
			toLibrary(withNamesOf(rules[rule], asked)))
	case strings.HasPrefix(e.Hint, "did you mean "):
		rule, _, _ := strings.Cut(strings.TrimPrefix(e.Hint, "did you mean "), ", which grants it?")
		require.Contains(t, rules, rule)
		require.True(t, rules[rule].Grant().Has(e.Action), "%v", e)
		require.True(t, allowedOn(asMeant(rules[rule], about)), "%v\nfollowed: %v", e, toLibrary(asMeant(rules[rule],
			about)))
	default:
		if decides, overridden, found := strings.Cut(e.Hint, " overrides "); found {
			overridden = strings.TrimSuffix(overridden, ", which grants it")
			require.Equal(t, e.Decision.Rule, rules[decides], "%v", e)
			require.True(t, rules[overridden].Grant().Has(e.Action), "%v", e)
		}
		for _, r := range rules {
			// To connect a credential is never asked of a configuration in it.
			isNoAdvice := e.Action == permissions.CredentialWrite && len(r.Path()) == 3 &&
				e.Target.Level() < permissions.KindConfiguration
			if level, _, _ := matching(r, about); level == 0 && len(rules) < 100 && !isNoAdvice {
				require.False(t, allowedOn(withNamesOf(r, asked)), "%v\nbut %v helps", e, r)
			}
		}
	}
}

// asMeant returns a target with all identifiers that a rule names. If the other identifier of a level holds the
// same text in any letter case, it becomes absent.
func asMeant(rule permissions.Rule, t reference.Target) reference.Target {
	for _, level := range []**reference.Level{&t.Credential, &t.Configuration} {
		if *level != nil {
			copied := **level
			*level = &copied
		}
	}
	for _, s := range rule.Path() {
		switch {
		case s.IsWildcard():
		case s.Kind() == permissions.KindIntegration:
			name := s.Name()
			t.Integration = &name
		default:
			level := t.Credential
			if s.Kind() == permissions.KindConfiguration {
				level = t.Configuration
			}
			for _, identifier := range []*reference.Identifier{&level.ID, &level.ExternalID} {
				if strings.EqualFold(identifier.Value, s.Name()) {
					*identifier = reference.Identifier{State: reference.Absent}
				}
			}
			identifier, _ := identifierOf(&t, s)
			*identifier = reference.Identifier{State: reference.Known, Value: s.Name()}
		}
	}
	return t
}

// requireExplanationJSON requires that the JSON of an explanation says what its fields do.
func requireExplanationJSON(t *testing.T, e permissions.Explanation) {
	t.Helper()
	type rule struct {
		Path    []string
		Pointer string
		Grants  any
	}
	ruleOf := func(r permissions.Rule) *rule {
		if r == (permissions.Rule{}) {
			return nil
		}
		if r.Grant().IsAll() {
			return &rule{pathOf(r), r.Pointer(), true}
		}
		grants := []any{}
		for p := range r.Grant().All() {
			grants = append(grants, string(p))
		}
		return &rule{pathOf(r), r.Pointer(), grants}
	}
	codes := map[string]permissions.Identifiers{
		"credential.id": permissions.CredentialID, "credential.externalId": permissions.CredentialExternalID,
		"configuration.id": permissions.ConfigurationID, "configuration.externalId": permissions.ConfigurationExternalID,
	}
	identifiers := func(list []string) (set permissions.Identifiers) {
		for _, code := range list {
			require.Contains(t, codes, code)
			set |= codes[code]
		}
		return set
	}
	var got struct {
		Action   string
		Target   json.RawMessage
		Decision struct {
			Allowed bool
			Reason  string
			Rule    *rule
			Unknown []string
			Part    int
		}
		ActsOn  string
		New     bool
		Omitted int
		Hint    string
		Parts   []json.RawMessage
		Steps   []struct {
			Rule    *rule
			Outcome string
			By      *rule
			Level   string
			Unknown []string
		}
	}
	data, err := json.Marshal(e)
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&got))
	require.Equal(t, string(e.Action), got.Action)
	require.Equal(t, e.Decision.Allowed, got.Decision.Allowed)
	require.Equal(t, e.Decision.Reason.String(), got.Decision.Reason)
	require.Equal(t, ruleOf(e.Decision.Rule), got.Decision.Rule)
	require.Equal(t, e.Decision.Unknown, identifiers(got.Decision.Unknown))
	require.Equal(t, e.Decision.Part, got.Decision.Part)
	require.Equal(t, e.ActsOn.String(), got.ActsOn)
	require.Equal(t, e.New, got.New)
	require.Equal(t, e.Omitted, got.Omitted)
	require.Equal(t, e.Hint, got.Hint)
	require.Len(t, got.Parts, len(e.Parts))
	require.Len(t, got.Steps, len(e.Steps))
	for i, step := range e.Steps {
		require.Equal(t, ruleOf(step.Rule), got.Steps[i].Rule)
		require.Equal(t, step.Outcome.String(), got.Steps[i].Outcome)
		require.Equal(t, ruleOf(step.By), got.Steps[i].By)
		require.Equal(t, step.Level.String(), got.Steps[i].Level)
		require.Equal(t, step.Unknown, identifiers(got.Steps[i].Unknown))
	}
	if e.Target.Err() != nil {
		require.Equal(t, "null", string(got.Target))
		return
	}
	var target permissions.Target
	require.NoError(t, target.UnmarshalJSON(got.Target))
	require.True(t, e.Target == target)
}

// TestExplainAgreesWithDecide compares explanations of random policies, and of their intersections, with
// the decisions and the rules.
func TestExplainAgreesWithDecide(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	outcomes, reasons, hints := make(tally), make(tally), make(tally)
	intersections := 0
	var last *permissions.Policy
	defer nameSeed(t, &seed)
	for range pairs / 25 {
		g := newGenerator(seed)
		seed++
		claim := pick(g, g.claim, g.paths, g.denseClaim, g.deepClaim)()
		p, err := permissions.Parse([]byte(claim))
		if err != nil {
			continue
		}
		for range 8 {
			action, target := permissions.Permission(g.action()), g.construct(g.target())
			e := requireExplanation(t, p, action, target)
			requireExplanationJSON(t, e)
			for _, step := range e.Steps {
				outcomes[step.Outcome.String()]++
				requireOneLine(t, step.String())
			}
			reasons[e.Decision.Reason.String()]++
			words := strings.Fields(e.Hint)
			hints[strings.Join(words[:min(2, len(words))], " ")]++

			both, err := permissions.Intersect(p, last)
			require.NoError(t, err)
			e = both.Explain(action, target)
			require.Equal(t, both.Decide(action, target), e.Decision)
			requireExplanationJSON(t, e)
			if e.Decision.Reason == permissions.ReasonInvalidQuestion {
				require.Empty(t, e.Parts)
				continue
			}
			require.Empty(t, e.Steps)
			require.Len(t, e.Parts, 2)
			for i, part := range both.Parts() {
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
	outcomes.requireEach(t, pairs/1000, "decides", "overridden", "undetermined", "conditional", "no_match", "deeper")
	reasons.requireEach(t, pairs/1000, append(rulingReasons, "invalid_question")...)
	hints.requireEach(t, pairs/5000, "give the", "ask about", "look up", "say what", "did you", "what no")
	require.Greater(t, intersections, pairs/30)
}

// explanationsFile has the texts that TestExplainText expects. After a change, write it anew with
// CONNECTPERMS_UPDATE=1 go test -run TestExplainText . and read the difference.
const explanationsFile = "testdata/explanations.txt"

// TestExplainText has an explanation for every reason, outcome and hint.
func TestExplainText(t *testing.T) {
	update, written, want := os.Getenv("CONNECTPERMS_UPDATE") != "", []string(nil), make(map[string]string)
	if !update {
		data, err := os.ReadFile(explanationsFile)
		require.NoError(t, err)
		for section := range strings.SplitSeq(string(data), "\n\n") {
			name, text, _ := strings.Cut(strings.TrimPrefix(section, "== "), "\n")
			want[name] = strings.TrimSuffix(text, "\n")
		}
	}
	noExternalID := slack.Credential(permissions.ID(idA), permissions.NoExternalID())
	someExternalID := slack.Credential(permissions.ID(idA))
	acmes := slack.Credential(permissions.NoID(), permissions.ExternalID("acme"))
	const c1 = "credential:" + idA
	for _, c := range []struct {
		name   string
		policy *permissions.Policy
		action permissions.Permission
		target permissions.Target
	}{
		{
			name: "allowed",
			policy: permissions.MustParse(`{
				"integration:*": false, "integration:slack": {"credential:*": ["proxy-api", "events"]}
			}`),
			action: permissions.ProxyAPI, target: noExternalID,
		},
		{
			name: "the deciding rule does not grant the action, and another one does",
			policy: permissions.MustParse(`{
				"integration:*": true, "integration:jira": true,
				"integration:slack": {"` + c1 + `": ["settings:read"], "credential:` + idB + `": true}
			}`),
			action: permissions.SettingsWrite, target: noExternalID.Configuration(permissions.NoID(),
				permissions.NoExternalID()),
		},
		{
			name:   "no rule grants the action",
			policy: permissions.MustParse(`{"credential:*": ["settings:read"]}`),
			action: permissions.ProxyAPI, target: noExternalID,
		},
		{
			name:   "ask about the credential",
			policy: permissions.MustParse(`{"integration:slack": {"` + c1 + `": ["events"]}}`),
			action: permissions.Events, target: slack,
		},
		{
			name:   "ask about a new credential",
			policy: permissions.MustParse(`{"credential:ext:acme": ["credential:write"]}`),
			action: permissions.CredentialWrite, target: slack,
		},
		{
			name:   "ask about a new configuration",
			policy: permissions.MustParse(`{"configuration:ext:nightly": ["config:write"]}`),
			action: permissions.ConfigWrite, target: noExternalID,
		},
		{
			name:   "ask about a configuration of any integration",
			policy: permissions.MustParse(`{"configuration:*": ["events"]}`),
			action: permissions.Events, target: permissions.User(),
		},
		{
			name:   "to connect a credential is not asked of a configuration",
			policy: permissions.MustParse(`{"integration:*": true, "credential:*": false, "configuration:*": true}`),
			action: permissions.CredentialWrite, target: slack,
		},
		{
			name:   "the Proxy API with the credential of a configuration",
			policy: permissions.MustParse(`{"integration:*": true, "credential:*": false, "configuration:*": true}`),
			action: permissions.ProxyAPI, target: noExternalID,
		},
		{
			name:   "asking about the integration would not help",
			policy: permissions.MustParse(`{"integration:slack": ["actionkit"], "credential:*": false}`),
			action: permissions.ActionKit, target: permissions.User(),
		},
		{
			name:   "give the unknown identifier",
			policy: permissions.MustParse(`{"credential:ext:acme": ["proxy-api"]}`),
			action: permissions.ProxyAPI, target: someExternalID,
		},
		{
			name:   "give the unknown identifier and ask about the configuration",
			policy: permissions.MustParse(`{"credential:ext:acme": {"configuration:ext:a": ["proxy-api"]}}`),
			action: permissions.ProxyAPI, target: someExternalID,
		},
		{
			name: "undetermined",
			policy: permissions.MustParse(`{
				"integration:*": true, "integration:slack": {"` + c1 + `": {"configuration:ext:a": true}},
				"configuration:ext:a": [], "configuration:ext:b": []
			}`),
			action: permissions.Workflows, target: noExternalID.Configuration(permissions.ID(idB)),
		},
		{
			name:   "undetermined, of some credential in the integration",
			policy: permissions.MustParse(`{"integration:*": true, "` + c1 + `": false}`),
			action: permissions.ProxyAPI, target: slack,
		},
		{
			name:   "a new credential (SPEC 4.3)",
			policy: permissions.MustParse(`{"integration:slack": true, "credential:*": false}`),
			action: permissions.CredentialWrite, target: slack,
		},
		{
			name:   "undetermined, of a new configuration",
			policy: permissions.MustParse(`{"integration:*": true, "configuration:ext:Team A": false}`),
			action: permissions.ConfigWrite, target: noExternalID,
		},
		{
			name:   "undetermined, by the credential of a new configuration",
			policy: permissions.MustParse(`{"integration:*": true, "credential:ext:acme": false}`),
			action: permissions.ConfigWrite, target: someExternalID,
		},
		{
			name:   "undetermined, by a credential and its new configuration",
			policy: permissions.MustParse(`{"integration:*": true, "credential:ext:acme": {"configuration:ext:a": false}}`),
			action: permissions.ConfigWrite, target: someExternalID,
		},
		{
			name:   "undetermined, by some credential and its new configuration",
			policy: permissions.MustParse(`{"integration:*": true, "credential:ext:acme": {"configuration:ext:a": false}}`),
			action: permissions.ConfigWrite, target: slack,
		},
		{
			name:   "undetermined, by two identifiers of the target",
			policy: permissions.MustParse(`{"integration:*": true, "credential:ext:acme": {"configuration:ext:a": false}}`),
			action: permissions.Workflows, target: someExternalID.Configuration(permissions.ID(idB)),
		},
		{
			name:   "an ID that is an external ID in the claim",
			policy: permissions.MustParse(`{"integration:slack": {"credential:ext:` + idA + `": true}}`),
			action: permissions.ProxyAPI, target: noExternalID,
		},
		{
			name:   "letter case",
			policy: permissions.MustParse(`{"integration:Slack": true}`),
			action: permissions.ProxyAPI, target: noExternalID,
		},
		{
			name:   "letter case, in the second rule",
			policy: permissions.MustParse(`{"credential:ext:other": true, "credential:ext:Acme": true}`),
			action: permissions.ProxyAPI, target: acmes,
		},
		{
			name: "letter case, where another rule overrides the first that is near",
			policy: permissions.MustParse(`{
				"integration:Slack": {"credential:*": true, "credential:ext:other": true, "credential:ext:acme": ["proxy-api"]}
			}`),
			action: permissions.ProxyAPI, target: acmes,
		},
		{
			name: "an external ID that is the second ID in the claim",
			policy: permissions.MustParse(`{
				"credential:` + idB + `": true, "` + c1 + `": true
			}`),
			action: permissions.ProxyAPI, target: slack.Credential(permissions.NoID(), permissions.ExternalID(idA)),
		},
		{
			name:   "the same credential of another integration",
			policy: permissions.MustParse(`{"integration:jira": {"` + c1 + `": true}}`),
			action: permissions.ProxyAPI, target: noExternalID,
		},
		{
			name:   "the UUID of zeros is not what an absent ID is",
			policy: permissions.MustParse(`{"credential:00000000-0000-0000-0000-000000000000": true}`),
			action: permissions.ProxyAPI, target: acmes,
		},
		{
			name:   "the UUID of zeros, and something deeper",
			policy: permissions.MustParse(`{"credential:00000000-0000-0000-0000-000000000000": {"configuration:*": true}}`),
			action: permissions.ProxyAPI, target: acmes,
		},
		{
			name:   "no rule applies",
			policy: permissions.MustParse(`{"integration:jira": true}`),
			action: permissions.ProxyAPI, target: noExternalID,
		},
		{
			name: "an empty claim", policy: permissions.MustParse(`{}`), action: permissions.Events, target: slack,
		},
		{
			name: "no policy", policy: nil, action: permissions.ProxyAPI, target: slack,
		},
		{
			name: "no claim", policy: permissions.Unrestricted(), action: permissions.ConfigWrite, target: slack,
		},
		{
			name: "an invalid target", policy: permissions.Unrestricted(), action: permissions.ProxyAPI,
			target: permissions.User().Credential(permissions.ID(idA)),
		},
		{
			name: "an action that is nearly one", policy: permissions.MustParse(`{"integration:*": true}`),
			action: "proxy_api", target: slack,
		},
		{
			name: "no action", policy: permissions.MustParse(`{"integration:*": true}`), action: "", target: slack,
		},
		{
			name: "an action that cannot be asked of the user", policy: permissions.MustParse(`{"integration:*": true}`),
			action: permissions.Workflows, target: permissions.User(),
		},
		{
			name:   "an intersection that denies",
			policy: intersectionOf(t, `{"integration:*": true}`, `{"integration:slack": ["events"]}`, `{}`),
			action: permissions.ProxyAPI, target: slack,
		},
		{
			name:   "an intersection that allows",
			policy: intersectionOf(t, `{"integration:*": true}`, `{"integration:slack": ["proxy-api"]}`),
			action: permissions.ProxyAPI, target: slack,
		},
		{
			name: "long and invisible names",
			policy: permissions.MustParse(
				`{"credential:ext:` + strings.Repeat("long ", 40) +
					`x": false, "credential:ext:a\u202eb": true, "credential:ext:x\u2028y": true}`),
			action: permissions.Events, target: slack,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := c.policy.Explain(c.action, c.target)
			require.Equal(t, c.policy.Decide(c.action, c.target), e.Decision)
			if update {
				written = append(written, "== "+c.name+"\n"+e.String()+"\n")
				return
			}
			require.Equal(t, want[c.name], e.String())
			delete(want, c.name)
		})
	}
	if update {
		require.NoError(t, os.WriteFile(explanationsFile, []byte(strings.Join(written, "\n")), 0o644))
	}
	require.Empty(t, want, "texts of %s that no case has", explanationsFile)
}

// intersectionOf returns the intersection of claims.
func intersectionOf(t *testing.T, claims ...string) *permissions.Policy {
	t.Helper()
	var policies []*permissions.Policy
	for _, claim := range claims {
		policies = append(policies, permissions.MustParse(claim))
	}
	p, err := permissions.Intersect(policies...)
	require.NoError(t, err)
	return p
}

// TestExplainIsShort explains by a claim of many rules.
func TestExplainIsShort(t *testing.T) {
	var scopes []string
	for i := range 1000 {
		scopes = append(scopes,
			fmt.Sprintf(`"integration:i%d": true`, i),
			fmt.Sprintf(`"credential:%08x-0000-4000-8000-000000000000": true`, i),
			fmt.Sprintf(`"credential:ext:e%d": %t`, i, i != 700),
			fmt.Sprintf(`"configuration:ext:f%d": false`, i))
	}
	p := permissions.MustParse(`{"integration:*": true, ` + strings.Join(scopes, ", ") + "}")
	e := p.Explain(permissions.Events, slack.Credential(permissions.ID(idA)))
	require.Equal(t, permissions.ReasonUndetermined, e.Decision.Reason)
	count := make(map[string]int)
	for _, step := range e.Steps {
		count[strings.TrimSpace(fmt.Sprint(step.Outcome, " ", step.Level))]++
	}
	require.Equal(t, map[string]int{
		"undetermined": 1, "conditional": 6, "deeper": 5, "no_match credential": 5, "no_match integration": 5,
	}, count, "five of each, and the rule that may deny")
	require.Equal(t, 4001-len(e.Steps), e.Omitted)
	require.Contains(t, e.String(), fmt.Sprintf("\n  and %d more that do not apply\n", e.Omitted))
	require.Contains(t, e.String(), `integration:*/credential:ext:"e700"`)
	require.LessOrEqual(t, strings.Count(e.String(), "\n"), 30)

	// The first of each rank in the order of the claim.
	require.Equal(t, `integration:*/credential:*/configuration:ext:"f0"`, e.Steps[0].Rule.String())
	require.Equal(t, `integration:*/credential:*/configuration:ext:"f4"`, e.Steps[4].Rule.String())
	require.Equal(t, "integration:*/credential:00000000-0000-4000-8000-000000000000", e.Steps[5].Rule.String())
}

// TestExplainHintGivesUp has more rules than a hint tries. The documentation of Explanation says how many
// these are.
func TestExplainHintGivesUp(t *testing.T) {
	hint := func(useless int) string {
		scopes := []string{`"credential:` + idA + `": false`, `"configuration:` + idB + `": true`}
		for i := range useless {
			scopes = append(scopes, fmt.Sprintf(`"credential:ext:e%d": true`, i)) // the rule for the ID overrides it
		}
		p := permissions.MustParse("{" + strings.Join(scopes, ", ") + "}")
		return p.Explain(permissions.Events, slack.Credential(permissions.ID(idA))).Hint
	}
	helps := "integration:*/credential:*/configuration:" + idB + " grants it"
	require.Contains(t, hint(0), helps)
	require.Contains(t, hint(99), helps)
	require.NotContains(t, hint(100), helps)
}

func TestExplainHintOfNearNamesGivesUp(t *testing.T) {
	hint := func(useless int) string {
		scopes := []string{`"credential:` + idA + `": false`, `"credential:` + idB + `": true`}
		for i := range useless { // the rule for the ID overrides it, too
			spelled := []byte(idB)
			for letter, capitals := 0, i+1; capitals != 0; letter++ {
				if spelled[letter] >= 'a' {
					spelled[letter] -= byte(capitals&1) * ('a' - 'A')
					capitals >>= 1
				}
			}
			scopes = append(scopes, `"credential:ext:`+string(spelled)+`": true`)
		}
		p := permissions.MustParse("{" + strings.Join(scopes, ", ") + "}")
		return p.Explain(permissions.Events, slack.Credential(permissions.ID(idA), permissions.ExternalID(idB))).Hint
	}
	helps := "did you mean integration:*/credential:" + idB
	require.Contains(t, hint(0), helps)
	require.Contains(t, hint(99), helps)
	require.NotContains(t, hint(100), helps)
}

func TestExplainJSON(t *testing.T) {
	p := permissions.MustParse(`{
		"integration:*": true, "integration:jira": false,
		"integration:slack": {"credential:ext:a/b": ["settings:write"], "configuration:ext:x\u2028y": []}
	}`)
	for _, c := range []struct {
		name   string
		policy *permissions.Policy
		action permissions.Permission
		target permissions.Target
		want   string
	}{
		{
			name: "undetermined", policy: p, action: permissions.ConfigWrite,
			target: slack.Credential(permissions.ID(idUpper), permissions.NoExternalID()),
			want: `{
				"action": "config:write",
				"target": {
					"integration": "slack", "credential": {"id": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "externalId": null}
				},
				"decision": {"allowed": false, "reason": "undetermined", "unknown": ["configuration.externalId"]},
				"actsOn": "configuration", "new": true,
				"steps": [
					{"rule": {
						"path": ["integration:slack", "credential:*", "configuration:ext:x\u2028y"],
						"pointer": "/integration:slack/configuration:ext:x\u2028y", "grants": []
					}, "outcome": "conditional", "unknown": ["configuration.externalId"]},
					{"rule": {
						"path": ["integration:slack", "credential:ext:a/b"],
						"pointer": "/integration:slack/credential:ext:a~1b", "grants": ["settings:read", "settings:write"]
					}, "outcome": "no_match", "level": "credential"},
					{"rule": {"path": ["integration:jira"], "pointer": "/integration:jira", "grants": []},
					 "outcome": "no_match", "level": "integration"},
					{"rule": {"path": ["integration:*"], "pointer": "/integration:*", "grants": true},
					 "outcome": "undetermined", "by": {
						"path": ["integration:slack", "credential:*", "configuration:ext:x\u2028y"],
						"pointer": "/integration:slack/configuration:ext:x\u2028y", "grants": []
					}}
				],
				"hint": HINT
			}`,
		},
		{
			name: "granted", policy: permissions.MustParse(`{"integration:*": ["events"]}`), action: permissions.Events,
			target: permissions.User(),
			want: `{
				"action": "events", "target": {}, "actsOn": "user",
				"decision": {
					"allowed": true, "reason": "granted",
					"rule": {"path": ["integration:*"], "pointer": "/integration:*", "grants": ["events"]}
				},
				"steps": [{
					"rule": {"path": ["integration:*"], "pointer": "/integration:*", "grants": ["events"]}, "outcome": "decides"
				}]
			}`,
		},
		{
			name: "an invalid target", policy: p, action: permissions.Events, target: permissions.Integration(""),
			want: `{
				"action": "events", "target": null, "decision": {"allowed": false, "reason": "invalid_question"}, "hint": HINT
			}`,
		},
		{
			name: "an invalid action", policy: p, action: "Events", target: permissions.User(),
			want: `{
				"action": "Events", "target": {}, "decision": {"allowed": false, "reason": "invalid_question"}, "hint": HINT
			}`,
		},
		{
			name: "no claim", policy: permissions.Unrestricted(), action: permissions.ProxyAPI, target: slack,
			want: `{
				"action": "proxy-api", "target": {"integration": "slack"}, "actsOn": "credential",
				"decision": {"allowed": true, "reason": "no_claim"}
			}`,
		},
		{
			name: "an intersection", policy: intersectionOf(t, `{"integration:*": true}`, `{}`), action: permissions.Events,
			target: slack,
			want: `{
				"action": "events", "target": {"integration": "slack"}, "actsOn": "integration",
				"decision": {"allowed": false, "reason": "no_rule", "part": 2}, "hint": HINT,
				"parts": [
					{"action": "events", "target": {"integration": "slack"}, "actsOn": "integration",
					 "decision": {
						"allowed": true, "reason": "granted",
						"rule": {"path": ["integration:*"], "pointer": "/integration:*", "grants": true}
					 },
					 "steps": [{
						"rule": {"path": ["integration:*"], "pointer": "/integration:*", "grants": true}, "outcome": "decides"
					 }]},
					{"action": "events", "target": {"integration": "slack"}, "actsOn": "integration",
					 "decision": {"allowed": false, "reason": "no_rule"}, "hint": HINT}
				]
			}`,
		},
		{
			name: "the zero Explanation", target: permissions.Target{},
			want: `{"action": "", "target": null, "decision": {"allowed": false, "reason": "no_policy"}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e permissions.Explanation
			if c.policy != nil {
				e = c.policy.Explain(c.action, c.target)
			}
			require.JSONEq(t, strings.ReplaceAll(c.want, "HINT", string(jsonOf(e.Hint))), string(jsonOf(e)))
		})
	}
}

// logged returns the JSON of a log line, without the time.
func logged(message string, args ...any) string {
	var line bytes.Buffer
	options := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	slog.New(slog.NewJSONHandler(&line, options)).Info(message, args...)
	return line.String()
}

func TestExplainLogValue(t *testing.T) {
	p := intersectionOf(t, `{"integration:*": true}`, `{"integration:slack": true, "credential:*": ["events"]}`)
	e := p.Explain(permissions.CredentialWrite, slack)
	hint := string(jsonOf(e.Hint))
	require.NotEmpty(t, e.Hint)
	require.JSONEq(t, `{
		"level": "INFO", "msg": "denied",
		"why": {
			"action": "credential:write", "target": {"level": "integration", "integration": "slack"},
			"decision": {
				"allowed": false, "reason": "not_granted", "part": 2,
				"rule": "integration:*/credential:*", "pointer": "/credential:*"
			},
			"acts_on": "credential", "new": true, "hint": `+hint+`,
			"part_1": {
				"action": "credential:write", "target": {"level": "integration", "integration": "slack"},
				"acts_on": "credential", "new": true,
				"decision": {"allowed": true, "reason": "granted", "rule": "integration:*", "pointer": "/integration:*"},
				"steps": ["integration:* grants all: decides"]
			},
			"part_2": {
				"action": "credential:write", "target": {"level": "integration", "integration": "slack"},
				"acts_on": "credential", "new": true,
				"decision": {
					"allowed": false, "reason": "not_granted", "rule": "integration:*/credential:*", "pointer": "/credential:*"
				},
				"steps": [
					"integration:*/credential:* grants events: decides",
					"integration:\"slack\" grants all: overridden by integration:*/credential:*"
				],
				"hint": `+hint+`
			}
		}
	}`, logged("denied", "why", e))

	t.Run("what has nothing to say is left out", func(t *testing.T) {
		e := permissions.MustParse(`{"integration:*": true}`).Explain(permissions.Events, permissions.User())
		require.JSONEq(t, `{
			"level": "INFO", "msg": "allowed",
			"why": {
				"action": "events", "target": {"level": "user"}, "decision": {
					"allowed": true, "reason": "granted", "rule": "integration:*", "pointer": "/integration:*"
				}, "steps": ["integration:* grants all: decides"]
			}
		}`, logged("allowed", "why", e))
	})
	t.Run("omitted steps are counted", func(t *testing.T) {
		var scopes []string
		for i := range 7 {
			scopes = append(scopes, fmt.Sprintf(`"integration:i%d": true`, i))
		}
		p := permissions.MustParse("{" + strings.Join(scopes, ",") + "}")
		require.Contains(t, logged("denied", "why", p.Explain(permissions.Events, permissions.User())), `"omitted":2`)
	})
	t.Run("an action is quoted if it is hostile", func(t *testing.T) {
		e := permissions.MustParse("{}").Explain("a\u2028b", permissions.User())
		require.NotContains(t, logged("denied", "why", e), "\u2028")
	})
}

func TestOutcome(t *testing.T) {
	for outcome, code := range map[permissions.Outcome]string{
		permissions.OutcomeDecides: "decides", permissions.OutcomeOverridden: "overridden",
		permissions.OutcomeUndetermined: "undetermined",
		permissions.OutcomeConditional:  "conditional", permissions.OutcomeNoMatch: "no_match",
		permissions.OutcomeDeeper: "deeper",
		0:                         "Outcome(0)", 7: "Outcome(7)",
	} {
		require.Equal(t, code, outcome.String())
		text, err := outcome.MarshalText()
		require.NoError(t, err)
		require.Equal(t, code, string(text))
	}
	require.Equal(t, "no rule grants none: Outcome(0)", permissions.Step{}.String())
	require.JSONEq(t, `{"rule": null, "outcome": "Outcome(0)"}`, string(jsonOf(permissions.Step{})))
}

// TestExplainCallsNoHook requires that explaining is not observed, because it gives no access.
func TestExplainCallsNoHook(t *testing.T) {
	called := 0
	hook := func(permissions.Observation) { called++ }
	p := permissions.MustParse(`{"integration:*": true}`).Observe(hook)
	both, err := permissions.Intersect(p, permissions.MustParse("{}"))
	require.NoError(t, err)
	for _, p := range []*permissions.Policy{p, both, both.Observe(hook)} {
		p.Explain(permissions.Events, slack)
		p.Explain("", slack)
		p.Explain(permissions.Events, permissions.Target{})
	}
	require.Zero(t, called)
	p.Decide(permissions.Events, slack)
	require.Equal(t, 1, called)
}

// TestExplainPartThatDoesNotKnowThePermission has intersections of a policy that declares a
// permission and one that does not.
func TestExplainPartThatDoesNotKnowThePermission(t *testing.T) {
	knows := permissions.MustParse(`{"integration:*": ["x"]}`, permissions.WithPermissions("x"))
	for _, c := range []struct {
		name   string
		part   *permissions.Policy
		reason permissions.Reason
		hint   string
	}{
		{"a claim", permissions.MustParse(`{"integration:*": true}`), permissions.ReasonNoRule, "WithPermissions"},
		{"unrestricted", permissions.Unrestricted(), permissions.ReasonNoRule, "WithPermissions"},
		{"nil", nil, permissions.ReasonNoPolicy, "there is no policy"},
		{"zero", new(permissions.Policy), permissions.ReasonNoPolicy, "there is no policy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			both, err := permissions.Intersect(knows, c.part)
			require.NoError(t, err)
			e := both.Explain("x", slack)
			require.Equal(t, permissions.Decision{Reason: c.reason, Part: 2}, e.Decision)
			require.Equal(t, both.Decide("x", slack), e.Decision)
			require.Len(t, e.Parts, 2)
			require.True(t, e.Parts[0].Decision.Allowed)
			require.Equal(t, permissions.Decision{Reason: c.reason}, e.Parts[1].Decision)
			require.Contains(t, e.Parts[1].Hint, c.hint)
			require.Equal(t, e.Parts[1].Hint, e.Hint)
			requireExplanationJSON(t, e)
		})
	}
}
