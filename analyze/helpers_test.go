package analyze_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

const (
	idX = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

	// The first ID that analyze gives to what no policy names.
	idFresh = "00000000-0000-4000-8000-000000000000"
)

// Names for policies that are small enough to ask them everything. Some of them are those that analyze gives
// to what no policy names.
var (
	integrations = []string{"a", "other"}
	ids          = []string{idX, idFresh}
	externalIDs  = []string{"e", "g"}

	declared = permissions.WithPermissions("one", "two")
	actions  = append(permissions.AllPermissions(), "one", "two", "unheard of")
)

// determined are all targets without an unknown identifier, as far as rules can tell them apart. undetermined are
// targets with unknown identifiers.
var determined, undetermined = func() (determined, undetermined []permissions.Target) {
	type identifier = permissions.Identifier
	state := func(known func(string) identifier, absent identifier, names []string) []*identifier {
		list := []*identifier{nil, &absent} // nil is unknown
		for _, name := range names {
			i := known(name)
			list = append(list, &i)
		}
		return list
	}
	var objects [][]permissions.Identifier
	var hasUnknown []bool
	for _, id := range state(permissions.ID, permissions.NoID(), ids) {
		for _, externalID := range state(permissions.ExternalID, permissions.NoExternalID(), externalIDs) {
			var list []permissions.Identifier
			for _, i := range []*permissions.Identifier{id, externalID} {
				if i != nil {
					list = append(list, *i)
				}
			}
			objects = append(objects, list)
			hasUnknown = append(hasUnknown, id == nil || externalID == nil)
		}
	}
	determined = []permissions.Target{permissions.User()}
	for _, name := range append(slices.Clone(integrations), "b") {
		integration := permissions.Integration(name)
		determined = append(determined, integration)
		for i, object := range objects {
			credential := integration.Credential(object...)
			add := func(t permissions.Target, hasUnknown bool) {
				if hasUnknown {
					undetermined = append(undetermined, t)
				} else {
					determined = append(determined, t)
				}
			}
			add(credential, hasUnknown[i])
			for j, object := range objects {
				add(credential.Configuration(object...), hasUnknown[i] || hasUnknown[j])
			}
		}
	}
	return determined, undetermined
}()

// actsOnTarget reports whether an action can act on targets of a level, so that a question about one of them
// needs nothing below it (SPEC 3.3).
var actsOnTarget = func() func(permissions.Permission, permissions.Kind) bool {
	levels := make(map[permissions.Permission]permissions.Kind)
	ofUser := make(map[permissions.Permission]bool)
	all := permissions.Unrestricted(permissions.WithPermissions("one", "two", "unheard of"))
	for _, action := range actions {
		levels[action] = all.Explain(action, permissions.Integration("a")).ActsOn
		ofUser[action] = all.Allowed(action, permissions.User())
	}
	return func(action permissions.Permission, level permissions.Kind) bool {
		if level == permissions.KindUser {
			return ofUser[action]
		}
		return level >= levels[action]
	}
}()

// A generator makes random policies.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 9))} }

func pick[E any](g generator, list ...E) E { return list[g.IntN(len(list))] }

func (g generator) grant() any {
	switch g.IntN(5) {
	case 0:
		return true
	case 1:
		return false
	}
	var list []string
	names := []permissions.Permission{
		permissions.Events, permissions.ProxyAPI, permissions.ActionKit, permissions.Workflows, permissions.ConfigWrite,
		permissions.MetadataRead, permissions.MetadataWrite, permissions.CredentialWrite, "one",
	}
	for range 1 + g.IntN(3) {
		list = append(list, string(pick(g, names[:3+g.IntN(7)]...)))
	}
	return list
}

// claim returns a random claim as decoded JSON, with nested maps, empty ones and several spellings of
// IDs. Repeated paths are left to the parser.
func (g generator) claim(most int, names *scopeNames) map[string]any {
	claim := make(map[string]any)
	if g.IntN(8) == 0 { // an integration with credentials that are given by name
		claim["integration:*"] = g.grant()
		inside := map[string]any{"credential:" + pick(g, names.ids...): g.grant()}
		switch g.IntN(4) {
		case 0:
		case 1:
			inside["credential:*"] = map[string]any{"configuration:ext:" + pick(g, names.externalIDs...): g.grant()}
		default:
			inside["credential:*"] = g.grant()
		}
		claim["integration:a"] = inside
		most = min(most, 3)
	}
	for range g.IntN(most + 1) {
		in := claim
		kinds := []string{"integration", "credential", "configuration"}
		for first, last := g.IntN(3), -1; ; {
			key := names.scope(g, kinds[first])
			last = first + 1 + g.IntN(3)
			if last >= len(kinds) {
				if _, ok := in[key]; !ok {
					in[key] = g.grant()
				}
				break
			}
			inner, ok := in[key].(map[string]any)
			if !ok {
				if _, ok := in[key]; ok {
					break
				}
				inner = make(map[string]any)
				in[key] = inner
			}
			if g.IntN(12) == 0 {
				break
			}
			in, first = inner, last
		}
	}
	return claim
}

// A scopeNames has the names that random claims use.
type scopeNames struct{ integrations, ids, externalIDs []string }

var plainNames = &scopeNames{
	integrations: integrations,
	ids:          append([]string{strings.ToUpper(idX)}, ids...),
	externalIDs:  externalIDs,
}

func (n *scopeNames) scope(g generator, kind string) string {
	switch {
	case g.IntN(3) == 0:
		return kind + ":*"
	case kind == "integration":
		return kind + ":" + pick(g, n.integrations...)
	case g.IntN(2) == 0:
		return kind + ":" + pick(g, n.ids...)
	}
	return kind + ":ext:" + pick(g, n.externalIDs...)
}

// text returns a random claim that is valid, as text.
func (g generator) text(most int, names *scopeNames) []byte {
	for {
		text, err := json.Marshal(g.claim(most, names))
		if err != nil {
			panic(err)
		}
		if _, err := permissions.Parse(text, declared); err == nil {
			return text
		}
	}
}

// plain returns the policy of a random claim.
func (g generator) plain(most int) *permissions.Policy {
	text := g.text(most, plainNames)
	option := declared
	if g.IntN(4) == 0 {
		option = permissions.IgnoreUnknownPermissions() // then it knows the ten
	}
	p, err := permissions.Parse(text, option)
	if err != nil {
		panic(err)
	}
	return p
}

// policy returns a policy of any sort.
func (g generator) policy(t *testing.T) *permissions.Policy {
	t.Helper()
	switch g.IntN(20) {
	case 0:
		return nil
	case 1:
		return permissions.Unrestricted()
	case 2:
		return permissions.Unrestricted(declared)
	case 3, 4, 5, 6:
		p, err := permissions.Intersect(g.plain(5), g.policy(t), g.plain(5))
		require.NoError(t, err)
		return p
	}
	return g.plain(pick(g, 4, 8, 16))
}

// narrow returns a policy that is often covered by p: p itself with something less.
func (g generator) narrow(t *testing.T, p *permissions.Policy) *permissions.Policy {
	t.Helper()
	if g.IntN(2) == 0 {
		return g.policy(t)
	}
	narrowed, err := permissions.Intersect(p, g.plain(6))
	require.NoError(t, err)
	return narrowed
}

// observed returns a policy whose hook fails the test.
func observed(t *testing.T, p *permissions.Policy) *permissions.Policy {
	return p.Observe(func(permissions.Observation) { t.Error("a hook was called") })
}

// asks yields all questions about some targets.
func asks(targets []permissions.Target) func(func(analyze.Question) bool) {
	return func(yield func(analyze.Question) bool) {
		for _, target := range targets {
			for _, action := range actions {
				if !yield(analyze.Question{Action: action, Target: target}) {
					return
				}
			}
		}
	}
}

func allowed(p *permissions.Policy, q analyze.Question) bool { return p.Allowed(q.Action, q.Target) }

// isDetermined reports whether no identifier that a question depends on is unknown.
func isDetermined(q analyze.Question) bool {
	return q.Target.Unknown() == 0 && actsOnTarget(q.Action, q.Target.Level())
}

// matches reports whether a path of scopes matches a target (SPEC 4.1). A level can have two scopes.
func matches(scopes []permissions.Scope, target permissions.Target) bool {
	if len(scopes) == 0 {
		return false
	}
	if len(scopes) == 1 && scopes[0].Kind() == permissions.KindIntegration && scopes[0].IsWildcard() {
		return true // SPEC 4.2
	}
	for _, s := range scopes {
		if s.Kind() > target.Level() {
			return false
		}
		if s.IsWildcard() {
			continue
		}
		which := permissions.IntegrationName
		switch {
		case s.Kind() == permissions.KindCredential && s.IsExternal():
			which = permissions.CredentialExternalID
		case s.Kind() == permissions.KindCredential:
			which = permissions.CredentialID
		case s.Kind() == permissions.KindConfiguration && s.IsExternal():
			which = permissions.ConfigurationExternalID
		case s.Kind() == permissions.KindConfiguration:
			which = permissions.ConfigurationID
		}
		if name, state := target.Lookup(which); state != permissions.Known || name != s.Name() {
			return false
		}
	}
	return true
}

// moreSpecific compares the paths of rules (SPEC 4.5).
func moreSpecific(a, b []permissions.Scope) bool {
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	pattern := func(s permissions.Scope) int {
		switch {
		case s.IsWildcard():
			return 0
		case s.IsExternal():
			return 1
		}
		return 2
	}
	for i := len(a) - 1; i >= 0; i-- {
		if pattern(a[i]) != pattern(b[i]) {
			return pattern(a[i]) > pattern(b[i])
		}
	}
	return false
}

// top returns the most specific of the paths of the policies' rules that match a target, or that of
// integration:*.
func top(target permissions.Target, policies ...*permissions.Policy) []permissions.Scope {
	best := []permissions.Scope{permissions.MustParseScope("integration:*")}
	for _, p := range policies {
		for r := range p.Rules() {
			if path := r.Path(); matches(path, target) && moreSpecific(path, best) {
				best = path
			}
		}
	}
	return best
}

// describe prints policies for the message of a failed test.
func describe(policies ...*permissions.Policy) string {
	var list []string
	for _, p := range policies {
		parts := p.Parts()
		if parts == nil {
			parts = []*permissions.Policy{p}
		}
		var texts []string
		for _, part := range parts {
			text, err := json.Marshal(part)
			texts = append(texts, fmt.Sprintf("%s (unrestricted %v, %v)", text, part.IsUnrestricted(), err))
		}
		list = append(list, strings.Join(texts, " AND "))
	}
	return strings.Join(list, "\n")
}

// A section is a test case in a file of testdata: its name, its text, and a function that takes what the text
// should be.
type section struct {
	name, text string
	write      func(text string)
}

// require requires that a text is the one in the file, unless the file is written anew.
func (section) require(t *testing.T, want, got string) {
	t.Helper()
	if !isUpdate() {
		require.Equal(t, want, got)
	}
}

func isUpdate() bool { return os.Getenv("CONNECTPERMS_UPDATE") != "" }

// sections yields the sections of a file. If CONNECTPERMS_UPDATE is set, it writes the file anew.
func sections(t *testing.T, file string) func(func(section) bool) {
	return func(yield func(section) bool) {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var written []string
		for text := range strings.SplitSeq(strings.TrimPrefix(string(data), "== "), "\n== ") {
			name, text, _ := strings.Cut(text, "\n")
			write := func(text string) { written = append(written, "== "+name+"\n"+text) }
			if !yield(section{name, text, write}) {
				return
			}
		}
		if isUpdate() {
			require.NoError(t, os.WriteFile(file, []byte(strings.Join(written, "\n")), 0o600))
		}
	}
}
