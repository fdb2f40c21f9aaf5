package analyze_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// lintedNames has a name for each code about names.
var lintedNames = &scopeNames{
	integrations: []string{"a", "A", "a,b", "other"},
	ids:          []string{strings.ToUpper(idX), idX, idFresh},
	externalIDs:  []string{"e", "e*", "e;g", "ext:e", "ext:ext:g", idX, withoutHyphens(idX), "*,e"},
}

// knownIntegrations lacks "A", which is near to "a", and "other" and "a,b", which are not.
var knownIntegrations = []string{"a", "b"}

// A lintTest is a claim and what Lint finds in it.
type lintTest struct {
	*testing.T
	text     []byte
	policy   *permissions.Policy
	known    []string // the known integrations, or nil
	findings []analyze.Finding
	targets  []permissions.Target // without unknown identifiers
	rules    map[permissions.Rule]ruleFacts
}

// A ruleFacts is what asking every question tells about a rule.
type ruleFacts struct {
	isRedundant bool
	next        permissions.PermissionSet // what the rule grants that decides in its place, for its own names
	hasNext     bool
	decides     []permissions.Permission
}

// TestLintRandom compares what Lint finds with asking every question there is, and applies every fix.
func TestLintRandom(t *testing.T) {
	g := newGenerator(2)
	found := make(map[analyze.Code]int)
	atRoot := 0 // the inherited answers that are denied everywhere
	for i := range 1500 {
		var l *lintTest
		if i%3 == 0 {
			text := g.text(pick(g, 3, 6), lintedNames)
			l = newLintTest(t, text, targetsOf(text), pick(g, nil, knownIntegrations))
		} else {
			l = newLintTest(t, g.text(pick(g, 3, 6, 10), plainNames), determined, nil)
		}
		l.learnRules()
		l.requireExact()
		for _, f := range l.findings {
			require.NotEmpty(t, f.Message)
			require.Zero(t, f.Part)
			found[f.Code]++
			l.requireFixed(f)
			if f.Code == analyze.CodeInheritedAnswer && f.Fix().Edits[0].Path == "/integration:*" {
				atRoot++
			}
		}
	}
	for _, code := range allCodes {
		require.Greater(t, found[code], 10, code)
	}
	require.Len(t, found, len(allCodes))
	require.Greater(t, atRoot, 5)
	require.Greater(t, found[analyze.CodeInheritedAnswer]-atRoot, 10)
}

var allCodes = []analyze.Code{
	analyze.CodeEmptyMap, analyze.CodeInheritedAnswer, analyze.CodeOthersAllowed, analyze.CodeOverriddenDenial,
	analyze.CodeRedundantRule, analyze.CodeDeniesNothing, analyze.CodeNeverDecides, analyze.CodeReplacesGrant,
	analyze.CodeProxyOrActionKit,
	analyze.CodePattern, analyze.CodeList,
	analyze.CodeUUID, analyze.CodeDoubleExt, analyze.CodeCaseVariant, analyze.CodeUnknownIntegration,
}

func newLintTest(t *testing.T, text []byte, targets []permissions.Target, known []string) *lintTest {
	policy := permissions.MustParse(string(text), declared)
	l := &lintTest{T: t, text: text, policy: policy, known: known, targets: targets}
	l.findings = l.lint(observed(t, l.policy))
	return l
}

func (l *lintTest) lint(p *permissions.Policy) []analyze.Finding {
	if l.known == nil {
		return analyze.Lint(p)
	}
	return analyze.Lint(p, analyze.KnownIntegrations(l.known...))
}

func (l *lintTest) require(ok bool, what string, args ...any) {
	l.Helper()
	if !ok {
		require.Failf(l.T, what, "%v\n%s", args, l.text)
	}
}

// has reports whether Lint has found something at a place.
func (l *lintTest) has(pointer string, codes ...analyze.Code) bool {
	return slices.ContainsFunc(l.findings, func(f analyze.Finding) bool {
		return f.Pointer() == pointer && slices.Contains(codes, f.Code)
	})
}

// targetsOf returns all targets without an unknown identifier, as far as the rules of a claim with such names,
// and of those that fixes make of it, can tell them apart.
func targetsOf(text []byte) []permissions.Target {
	objects := func(kind string) (list [][]permissions.Identifier) {
		for _, id := range []string{"", idX, idFresh} {
			identifier := permissions.NoID()
			if id != "" {
				identifier = permissions.ID(id)
			}
			for _, externalID := range append([]string{"", "e", "g"}, lintedNames.externalIDs[1:]...) {
				if len(externalID) <= 1 || strings.Contains(string(text), kind+":ext:"+externalID) {
					external := permissions.ExternalIDOrNone(externalID, externalID != "")
					list = append(list, []permissions.Identifier{identifier, external})
				}
			}
		}
		return list
	}
	list := []permissions.Target{permissions.User()}
	for _, name := range append(lintedNames.integrations, "b", "c") {
		integration := permissions.Integration(name)
		list = append(list, integration)
		for _, object := range objects("credential") {
			credential := integration.Credential(object...)
			list = append(list, credential)
			for _, object := range objects("configuration") {
				list = append(list, credential.Configuration(object...))
			}
		}
	}
	return list
}

// parse returns the policy of a decoded claim.
func (l *lintTest) parse(claim any) *permissions.Policy {
	l.Helper()
	p, err := permissions.FromValue(claim, declared)
	require.NoError(l.T, err)
	return p
}

// decoded returns the claim decoded anew.
func (l *lintTest) decoded() (claim map[string]any) {
	require.NoError(l.T, json.Unmarshal(l.text, &claim))
	return claim
}

// at returns the map that has the member at a pointer, and the name of the member.
func at(claim map[string]any, pointer string) (in map[string]any, name string) {
	keys := strings.Split(pointer, "/")[1:]
	for i, key := range keys {
		key = strings.NewReplacer("~1", "/", "~0", "~").Replace(key)
		if i == len(keys)-1 {
			return claim, key
		}
		claim = claim[key].(map[string]any)
	}
	return nil, ""
}

// own returns the target that has the names of a path and no others.
func own(path []permissions.Scope) permissions.Target {
	name := "c"
	if !path[0].IsWildcard() {
		name = path[0].Name()
	}
	target := permissions.Integration(name)
	for _, s := range path[1:] {
		object := []permissions.Identifier{permissions.NoID(), permissions.NoExternalID()}
		switch {
		case s.IsWildcard():
		case s.IsExternal():
			object[1] = permissions.ExternalID(s.Name())
		default:
			object[0] = permissions.ID(s.Name())
		}
		if s.Kind() == permissions.KindCredential {
			target = target.Credential(object...)
		} else {
			target = target.Configuration(object...)
		}
	}
	return target
}

// learnRules removes each rule and asks every question.
func (l *lintTest) learnRules() {
	l.rules = make(map[permissions.Rule]ruleFacts)
	for r := range l.policy.Rules() {
		facts := ruleFacts{isRedundant: true}
		claim := l.decoded()
		in, name := at(claim, r.Pointer())
		delete(in, name)
		without := l.parse(claim)
		for _, target := range l.targets {
			if !matches(r.Path(), target) {
				continue
			}
			for _, action := range actions {
				if !isDetermined(analyze.Question{Action: action, Target: target}) {
					continue
				}
				if l.policy.Decide(action, target).Rule == r && !slices.Contains(facts.decides, action) {
					facts.decides = append(facts.decides, action)
				}
				facts.isRedundant = facts.isRedundant && l.policy.Allowed(action, target) == without.Allowed(action, target)
			}
		}
		if next := without.Decide(permissions.Events, own(r.Path())).Rule; next != (permissions.Rule{}) {
			facts.hasNext, facts.next = true, next.Grant()
		}
		l.rules[r] = facts
	}
}

// only returns the permissions in a set about which a rule decides.
func (f *ruleFacts) only(set permissions.PermissionSet) permissions.PermissionSet {
	var list []permissions.Permission
	for name := range set.All() {
		if slices.Contains(f.decides, name) {
			list = append(list, name)
		}
	}
	return permissions.NewPermissionSet(list...)
}

func contains(a, b permissions.PermissionSet) bool {
	for name := range b.All() {
		if !a.Has(name) {
			return false
		}
	}
	return true
}

// requireExact requires that each code is found exactly when its documentation says so.
func (l *lintTest) requireExact() {
	l.Helper()
	for r, facts := range l.rules {
		p, grant := r.Pointer(), r.Grant()
		isSpecial := facts.isRedundant || grant.IsAll()
		l.require(l.has(p, analyze.CodeRedundantRule) == (facts.isRedundant && !grant.IsEmpty()), "redundant rule", r)
		overridden := l.isOverriddenDenial(r)
		l.require(l.has(p, analyze.CodeOverriddenDenial) == overridden, "overridden denial", r)
		deniesNothing := facts.isRedundant && grant.IsEmpty() && !overridden
		l.require(l.has(p, analyze.CodeDeniesNothing) == deniesNothing, "denies nothing", r)
		decided, next := facts.only(grant), facts.only(facts.next)
		l.require(l.has(p, analyze.CodeNeverDecides) == (!isSpecial && !contains(decided, grant)), "never decides", r)
		replaces := !decided.IsEmpty() && !next.IsEmpty() && !contains(decided, next) && !contains(next, decided)
		l.require(l.has(p, analyze.CodeReplacesGrant) == (!isSpecial && replaces), "replaces grant", r)
		oneOfTwo := next.Has(permissions.ProxyAPI) && next.Has(permissions.ActionKit) &&
			decided.Has(permissions.ProxyAPI) != decided.Has(permissions.ActionKit)
		l.require(l.has(p, analyze.CodeProxyOrActionKit) == (!isSpecial && oneOfTwo), "proxy or ActionKit", r)
		l.requireExactName(r)
	}
	for m := range l.policy.NestedMaps() {
		in, name := at(l.decoded(), m.Pointer())
		inner := in[name].(map[string]any)
		l.require(l.has(m.Pointer(), analyze.CodeEmptyMap) == (len(inner) == 0), "empty map", m.Pointer())
		l.requireExactMap(m, inner)
		l.requireExactName(m)
	}
}

// isOverriddenDenial asks about things in an integration that no rule names.
func (l *lintTest) isOverriddenDenial(r permissions.Rule) bool {
	path := r.Path()
	if len(path) != 1 || path[0].IsWildcard() || !r.Grant().IsEmpty() {
		return false
	}
	credential := own(append(path, wildcardCredential))
	for _, target := range []permissions.Target{
		credential, credential.Configuration(permissions.NoID(), permissions.NoExternalID()),
	} {
		for _, action := range actions {
			if isDetermined(analyze.Question{Action: action, Target: target}) && l.policy.Allowed(action, target) {
				return true
			}
		}
	}
	return false
}

// requireExactMap is requireExact for the codes about the map of an integration.
func (l *lintTest) requireExactMap(m permissions.NestedMap, inner map[string]any) {
	l.Helper()
	path := m.Path()
	integration := len(path) == 1 && !path[0].IsWildcard()
	var top permissions.PermissionSet
	for r := range l.policy.Rules() {
		if len(r.Path()) == 1 && r.Path()[0].IsWildcard() {
			top = r.Grant()
		}
	}
	inherits, wide := false, false
	if integration {
		itself := permissions.Integration(path[0].Name())
		others := l.policy.Decide(permissions.Events, own(append(path, wildcardCredential)))
		_, isMap := inner["credential:*"].(map[string]any)
		if inner["credential:*"] != nil && !isMap {
			for _, action := range actions {
				isOfItself := isDetermined(analyze.Question{Action: action, Target: itself})
				inherits = inherits || isOfItself && top.Has(action) && !others.Rule.Grant().Has(action)
			}
		}
		credential := own(append(path, wildcardCredential))
		decided := ruleFacts{} // by integration:*, on a credential that no rule names, or in one
		for _, target := range []permissions.Target{
			credential, credential.Configuration(permissions.NoID(), permissions.NoExternalID()),
		} {
			for _, action := range actions {
				onCredential := isDetermined(analyze.Question{Action: action, Target: credential})
				if onCredential == (target == credential) && len(l.policy.Decide(action, target).Rule.Path()) == 1 {
					decided.decides = append(decided.decides, action)
				}
			}
		}
		top := decided.only(top)
		for r := range l.policy.Rules() {
			grant := decided.only(r.Grant())
			wide = wide || len(r.Path()) == 2 && r.Path()[0] == path[0] && !r.Path()[1].IsWildcard() &&
				!r.Grant().IsEmpty() && contains(top, grant) && !contains(grant, top)
		}
		wide = wide && len(others.Rule.Path()) == 1
	}
	l.require(l.has(m.Pointer(), analyze.CodeInheritedAnswer) == inherits, "inherited answer", m.Pointer())
	l.require(l.has(m.Pointer(), analyze.CodeOthersAllowed) == wide, "others allowed", m.Pointer())
}

var wildcardCredential = permissions.MustParseScope("credential:*")

// requireExactName is requireExact for the codes about names.
func (l *lintTest) requireExactName(place interface {
	Pointer() string
	Path() []permissions.Scope
}) {
	l.Helper()
	path := place.Path()
	s := path[len(path)-1]
	isName, isExternal := s.Kind() == permissions.KindIntegration && !s.IsWildcard(), s.IsExternal()
	hasVariant := false
	for key := range l.decoded() {
		name, ok := strings.CutPrefix(key, "integration:")
		hasVariant = hasVariant || ok && isName && name != s.Name() && strings.EqualFold(name, s.Name())
	}
	isList := strings.Contains(s.Name(), ",") || strings.Contains(s.Name(), ";") // no name of these tests has white space
	for code, want := range map[analyze.Code]bool{
		analyze.CodePattern:            isExternal && strings.Contains(s.Name(), "*"),
		analyze.CodeList:               (isExternal || isName) && isList,
		analyze.CodeUUID:               isExternal && withoutHyphens(s.Name()) == withoutHyphens(idX),
		analyze.CodeDoubleExt:          isExternal && strings.HasPrefix(s.Name(), "ext:"),
		analyze.CodeCaseVariant:        hasVariant && !slices.Contains(l.known, s.Name()),
		analyze.CodeUnknownIntegration: l.known != nil && isName && !slices.Contains(l.known, s.Name()),
	} {
		l.require(l.has(place.Pointer(), code) == want, string(code), place.Pointer())
	}
}

func withoutHyphens(s string) string { return strings.ReplaceAll(s, "-", "") }

// requireFixed requires that a fix makes its finding go away and changes no answer but those that it says.
func (l *lintTest) requireFixed(f analyze.Finding) {
	l.Helper()
	fix := f.Fix()
	require.NotEmpty(l.T, fix.Summary)
	require.NotEmpty(l.T, fix.Edits)
	text, err := fix.Apply(l.text)
	l.require(err == nil, "not applied", f, err)
	fixed, err := permissions.Parse(text, declared)
	l.require(err == nil, "not a claim any more", f, string(text), err)
	after := &lintTest{T: l.T, text: text, findings: l.lint(fixed)}
	l.require(!after.has(f.Pointer(), f.Code), "the finding is still there", f, string(text))

	for _, target := range l.targets {
		isIntended := slices.ContainsFunc(fix.Changes, func(r analyze.Region) bool { return matches(r.Scopes(), target) })
		for _, action := range actions {
			q := analyze.Question{Action: action, Target: target}
			before, after := l.policy.Allowed(action, target), fixed.Allowed(action, target)
			if before == after || !isDetermined(q) {
				continue
			}
			l.require(isIntended, "an answer changes", f, q, string(text))
			switch f.Code {
			case analyze.CodeReplacesGrant:
				l.require(after && strings.Contains(f.Message, string(action)), "narrower", f, q)
			case analyze.CodeProxyOrActionKit:
				l.require(before && strings.Contains(fix.Summary, string(action)), "wider", f, q)
			case analyze.CodeOthersAllowed:
				l.require(before, "wider", f, q)
			case analyze.CodeOverriddenDenial:
				l.require(before, "wider", f, q)
				rule := l.policy.Decide(action, target).Rule
				l.require(rule.Path()[0].IsWildcard() && len(rule.Path()) > 1, "not what the wildcard allows", f, q)
			case analyze.CodeInheritedAnswer:
				if fix.Edits[0].Path == "/integration:*" {
					rule := l.policy.Decide(action, target).Rule
					l.require(before && rule.Pointer() == "/integration:*", "more is denied", f, q)
					l.require(strings.Contains(f.Message, string(action)), "something else is denied", f, q)
					break
				}
				inIntegration := strings.HasPrefix(f.Pointer(), "/integration:"+integrationOf(target))
				ofItself := target.Level() == permissions.KindIntegration
				l.require(!inIntegration || before && ofItself, "not only the integration itself", f, q)
			}
		}
	}
	if len(fix.Changes) == 0 {
		ok, q := analyze.Equal(l.policy, fixed)
		l.require(ok, "an answer changes", f, q)
	}
}

func integrationOf(target permissions.Target) string {
	name, _ := target.Lookup(permissions.IntegrationName)
	return name
}
