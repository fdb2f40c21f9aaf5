package permissions_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// idDigits is a UUID without letters. So it has one spelling, where idA has several.
const idDigits = "00000000-0000-4000-8000-000000000001"

// A smallRule is a rule of a policy that is small enough to ask it every question.
type smallRule struct {
	path  []permissions.Scope
	grant smallGrant
}

// A smallGrant is true, or the names of an array.
type smallGrant struct {
	all   bool
	names []permissions.Permission
}

var (
	smallScopes = [3][]string{
		{"integration:*", "integration:a", "integration:b"},
		{"credential:*", "credential:ext:e", "credential:" + idA, "credential:" + idDigits},
		{"configuration:*", "configuration:ext:e", "configuration:" + idDigits},
	}
	smallNames = []permissions.Permission{
		permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite,
		permissions.Events, permissions.ActionKit, "one", "two",
	}
)

// smallTargets are all targets that tell the rules of small policies apart.
var smallTargets = func() []permissions.Target {
	states := func(ids ...string) (list [][]permissions.Identifier) {
		for _, external := range []permissions.Identifier{permissions.ExternalID("e"), permissions.NoExternalID(), {}} {
			for _, id := range append(ids, "absent", "") {
				var identifiers []permissions.Identifier
				if external != (permissions.Identifier{}) {
					identifiers = append(identifiers, external)
				}
				switch id {
				case "":
				case "absent":
					identifiers = append(identifiers, permissions.NoID())
				default:
					identifiers = append(identifiers, permissions.ID(id))
				}
				list = append(list, identifiers)
			}
		}
		return list
	}
	targets := []permissions.Target{permissions.User()}
	for _, name := range []string{"a", "b", "c"} {
		integration := permissions.Integration(name)
		targets = append(targets, integration)
		for _, ids := range states(idA, idDigits) {
			credential := integration.Credential(ids...)
			targets = append(targets, credential)
			for _, ids := range states(idDigits) {
				targets = append(targets, credential.Configuration(ids...))
			}
		}
	}
	return targets
}()

// smallRules returns random rules. There may be no claim that can hold them.
func smallRules(g *rand.Rand, most int) []smallRule {
	rules := make([]smallRule, g.IntN(most+1))
	for i := range rules {
		r := &rules[i]
		for level := range 1 + g.IntN(3) {
			scope := smallScopes[level][g.IntN(len(smallScopes[level]))]
			r.path = append(r.path, permissions.MustParseScope(scope))
		}
		switch g.IntN(3) {
		case 0:
			r.grant.all = true
		case 1:
			for range 1 + g.IntN(4) {
				r.grant.names = append(r.grant.names, smallNames[g.IntN(len(smallNames))])
			}
		}
	}
	return rules
}

// buildSmall gives rules to a Builder, in any of the ways in which that can be done.
func buildSmall(g *rand.Rand, rules []smallRule, opts ...permissions.Option) (*permissions.Policy, error) {
	var b permissions.Builder
	for _, r := range rules {
		place := placeOf(&b, r.path, g.IntN(4) > 0)
		switch {
		case r.grant.all && g.IntN(2) > 0:
			place.AllowAll()
		case r.grant.all:
			place.Grant(grantTrue())
		case len(r.grant.names) == 0 && g.IntN(2) > 0:
			place.DenyAll()
		default:
			place.Allow(r.grant.names...)
		}
	}
	return b.Build(opts...)
}

// grantTrue returns the grant true.
func grantTrue() permissions.PermissionSet {
	for r := range permissions.MustParse(`{"integration:*":true}`).Rules() {
		return r.Grant()
	}
	panic("unreachable")
}

// A builderPlace is a place where a Builder can put a rule.
type builderPlace interface {
	Allow(...permissions.Permission)
	AllowAll()
	DenyAll()
	Grant(permissions.PermissionSet)
}

// placeOf returns the place at a path: step by step, or with At.
func placeOf(b *permissions.Builder, path []permissions.Scope, stepwise bool) builderPlace {
	if !stepwise {
		return b.At(path...)
	}
	integration := b.AnyIntegration()
	if !path[0].IsWildcard() {
		integration = b.Integration(path[0].Name())
	}
	if len(path) == 1 {
		return integration
	}
	var credential permissions.CredentialBuilder
	switch s := path[1]; {
	case s.IsWildcard():
		credential = integration.AnyCredential()
	case s.IsExternal():
		credential = integration.ExternalCredential(s.Name())
	default:
		credential = integration.Credential(strings.ToUpper(s.Name()))
	}
	if len(path) == 2 {
		return credential
	}
	switch s := path[2]; {
	case s.IsWildcard():
		return credential.AnyConfiguration()
	case s.IsExternal():
		return credential.ExternalConfiguration(s.Name())
	default:
		return credential.Configuration(s.Name())
	}
}

// wantGrants returns what grantsOf says of a policy with these rules.
func wantGrants(rules []smallRule) map[string]string {
	m := make(map[string]string)
	for _, r := range rules {
		var path []string
		for _, s := range r.path {
			path = append(path, s.String())
		}
		m[strings.Join(path, "/")] = r.grant.text()
	}
	return m
}

func (g smallGrant) text() string {
	if g.all {
		return "all"
	}
	var list []string
	for _, name := range smallNames {
		if slices.Contains(g.names, name) || g.includes(name) {
			list = append(list, string(name))
		}
	}
	if list == nil {
		return "none"
	}
	return strings.Join(list, ", ")
}

// includes reports whether a permission in the grant includes another one (SPEC 1.5).
func (g smallGrant) includes(name permissions.Permission) bool {
	return name == permissions.SettingsRead && slices.Contains(g.names, permissions.SettingsWrite)
}

// size returns how many bytes the grant takes at the least.
func (g smallGrant) size() int {
	if g.all {
		return len("true")
	}
	var list []string
	for _, name := range smallNames {
		if slices.Contains(g.names, name) && !g.includes(name) {
			list = append(list, strconv.Quote(string(name)))
		}
	}
	return len("[]") + len(strings.Join(list, ","))
}

// keys returns all the ways to lead to a rule with keys in each other.
func (r smallRule) keys() [][]string {
	ways := [][]string{{r.path[0].String()}}
	if r.path[0].IsWildcard() && len(r.path) > 1 {
		ways = append(ways, nil)
	}
	for _, s := range r.path[1:] {
		var longer [][]string
		for _, way := range ways {
			longer = append(longer, append(slices.Clone(way), s.String()))
			if s.Name() == idA {
				longer = append(longer, append(slices.Clone(way), strings.Replace(s.String(), idA, idUpper, 1)))
			}
			if s.IsWildcard() && s.Kind() == permissions.KindCredential && len(r.path) > 2 {
				longer = append(longer, way)
			}
		}
		ways = longer
	}
	return ways
}

// shortest tries every claim with these rules and returns the length of the shortest, or 0 if there is none.
func shortest(rules []smallRule) int {
	best := 0
	var try func(i, size int, scopes map[string]bool, children map[string]int)
	try = func(i, size int, scopes map[string]bool, children map[string]int) {
		if i == len(rules) {
			size += len("{}")
			for _, n := range children {
				size += max(n-1, 0) // commas
			}
			if best == 0 || size < best {
				best = size
			}
			return
		}
	ways:
		for _, way := range rules[i].keys() {
			scopes, children, size := maps.Clone(scopes), maps.Clone(children), size
			at := ""
			for depth, key := range way {
				parent := at
				at += "/" + key
				isRule := depth == len(way)-1
				if before, ok := scopes[at]; ok {
					if before || isRule {
						continue ways // a key would be there twice, or have a grant and a map
					}
					continue
				}
				scopes[at] = isRule
				children[parent]++
				size += len(key) + len(`"":`)
				if isRule {
					size += rules[i].grant.size()
				} else {
					size += len("{}")
				}
			}
			try(i+1, size, scopes, children)
		}
	}
	try(0, 0, map[string]bool{}, map[string]int{})
	return best
}

// Parsing the claim of a policy that was built gives the policy back. No shorter claim has its rules. Rules
// that no claim can hold are refused.
func TestBuilderRandom(t *testing.T) {
	declared := permissions.WithPermissions("one", "two")
	g := rand.New(rand.NewPCG(5, 5))
	built, duplicate, impossible := 0, 0, 0
	for built < 2000 {
		rules := smallRules(g, 5)
		policy, err := buildSmall(g, rules, declared)
		if len(wantGrants(rules)) < len(rules) {
			require.Nil(t, policy)
			require.ErrorIs(t, err, permissions.ErrDuplicate, "%v", rules)
			require.ErrorContains(t, err, "is granted twice")
			duplicate++
			continue
		}
		least := shortest(rules)
		if least == 0 {
			require.Nil(t, policy, "%v", rules)
			require.ErrorIs(t, err, permissions.ErrDuplicate, "%v", rules)
			require.ErrorContains(t, err, "has a grant and more specific scopes in it")
			impossible++
			continue
		}
		require.NoError(t, err, "%v", rules)
		require.Equal(t, wantGrants(rules), grantsOf(policy))
		claim, err := policy.MarshalJSON()
		require.NoError(t, err)
		require.True(t, json.Valid(claim), "%s", claim)
		require.Len(t, claim, least, "%s", claim)

		again, err := permissions.Parse(claim, declared)
		require.NoError(t, err, "%s", claim)
		require.Equal(t, wantGrants(rules), grantsOf(again), "%s", claim)

		// The order of the calls does not matter.
		g.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
		other, err := buildSmall(g, rules, declared)
		require.NoError(t, err)
		same, err := other.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(claim), string(same))
		built++
	}
	require.Greater(t, duplicate, 100)
	require.Greater(t, impossible, 100)
}

func TestZeroBuilder(t *testing.T) {
	t.Run("it builds the policy of the claim {}", func(t *testing.T) {
		var b permissions.Builder
		for range 2 { // a Builder can be used further
			policy, err := b.Build()
			require.NoError(t, err)
			require.Equal(t, "{}", string(jsonOf(policy)))
			require.Equal(t, permissions.ReasonNoRule, policy.Decide(permissions.Events, slack).Reason)
		}
		b.AnyIntegration().AllowAll()
		policy, err := b.Build()
		require.NoError(t, err)
		require.True(t, policy.Allowed(permissions.Events, slack))
	})
	t.Run("a policy does not change with its Builder", func(t *testing.T) {
		var b permissions.Builder
		first, err := b.Build()
		require.NoError(t, err)
		b.AnyIntegration().AllowAll()
		require.Equal(t, permissions.ReasonNoRule, first.Decide(permissions.Events, slack).Reason)
	})
	t.Run("what a zero place is told is lost", func(t *testing.T) {
		permissions.RuleBuilder{}.AllowAll()
		permissions.CredentialBuilder{}.AnyConfiguration().DenyAll()
		permissions.IntegrationBuilder{}.Credential("*").ExternalConfiguration("x").Allow(permissions.Events)
	})
	t.Run("a nil Builder", func(t *testing.T) {
		var none *permissions.Builder
		none.Integration("*").DenyAll()
		none.At().DenyAll()
		none.At(permissions.MustParseScope("integration:*")).AllowAll()
		policy, err := none.Build()
		require.Nil(t, policy)
		require.EqualError(t, err, "permissions: the Builder is nil")
	})
}

func TestBuilderKeepsNothing(t *testing.T) {
	names := []permissions.Permission{permissions.Events}
	path := []permissions.Scope{permissions.MustParseScope("integration:slack")}
	var b permissions.Builder
	b.At(path...).Allow(names...)
	names[0], path[0] = permissions.Workflows, permissions.MustParseScope("integration:*")
	policy, err := b.Build()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"integration:slack": "events"}, grantsOf(policy))
}

// Two places below one place do not share memory.
func TestBuilderPlacesAreIndependent(t *testing.T) {
	var b permissions.Builder
	credential := b.Integration("slack").AnyCredential()
	first, second := credential.ExternalConfiguration("a"), credential.ExternalConfiguration("b")
	second.DenyAll()
	first.AllowAll()
	policy, err := b.Build()
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"integration:slack/credential:*/configuration:ext:a": "all",
		"integration:slack/credential:*/configuration:ext:b": "none",
	}, grantsOf(policy))
}

func TestBuilderSkipsLevels(t *testing.T) {
	for _, test := range []struct {
		name string
		path []string
		want string
	}{
		{
			"nothing is skipped", []string{"integration:a", "credential:*", "configuration:*"},
			"integration:a/credential:*/configuration:*",
		},
		{"the integration", []string{"credential:ext:x"}, "integration:*/credential:ext:x"},
		{"the integration and the credential", []string{"configuration:*"}, "integration:*/credential:*/configuration:*"},
		{"the credential", []string{"integration:a", "configuration:*"}, "integration:a/credential:*/configuration:*"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var path []permissions.Scope
			for _, scope := range test.path {
				path = append(path, permissions.MustParseScope(scope))
			}
			var b permissions.Builder
			b.At(path...).AllowAll()
			policy, err := b.Build()
			require.NoError(t, err)
			require.Equal(t, map[string]string{test.want: "all"}, grantsOf(policy))
		})
	}
}

func TestBuilderRefuses(t *testing.T) {
	scope := permissions.MustParseScope
	const (
		bothProblem = "has a grant and more specific scopes in it, and a claim cannot give a scope both"
		elsewhere   = ", or give the more specific scopes to integration:*"
	)
	for _, test := range []struct {
		name                                  string
		build                                 func(*permissions.Builder)
		kind, pointer, found, problem, remedy string
	}{
		{
			"a wildcard for a name", func(b *permissions.Builder) { b.Integration("*").AllowAll() },
			"scope", "/integration:*", `"*"`, "holds a *", noPatterns("integration"),
		},
		{
			"an empty name", func(b *permissions.Builder) { b.Integration("").AllowAll() },
			"scope", "/integration:", `""`, "is empty", meant("integration:*"),
		},
		{
			"an empty ID", func(b *permissions.Builder) { b.Integration("slack").Credential("").AllowAll() },
			"scope", "/integration:slack/credential:", `""`, "is empty", meant("credential:*"),
		},
		{
			"an ID that is not a UUID", func(b *permissions.Builder) { b.AnyIntegration().Credential("ext:acme").DenyAll() },
			"scope", "/integration:*/credential:ext:acme", `"ext:acme"`, notUUID, meant("credential:ext:acme"),
		},
		{
			"an ID in another spelling",
			func(b *permissions.Builder) { b.AnyIntegration().AnyCredential().Configuration("{" + idUpper + "}") },
			"scope", "/integration:*/credential:*/configuration:{" + idUpper + "}", `"{` + idUpper + `}"`, notUUID,
			usualForm + meant("configuration:"+idA),
		},
		{
			"white space", func(b *permissions.Builder) { b.Integration("a/b").ExternalCredential(" x").AllowAll() },
			"scope", "/integration:a~1b/credential:ext: x", `" x"`, spaceAtEnd, meant("credential:ext:x"),
		},
		{
			"a wildcard for an external ID",
			func(b *permissions.Builder) { b.AnyIntegration().ExternalCredential("*").AllowAll() },
			"scope", "/integration:*/credential:ext:*", `"*"`, isStar, noPatterns("credential"),
		},
		{
			"not UTF-8",
			func(b *permissions.Builder) {
				b.AnyIntegration().AnyCredential().ExternalConfiguration("\xff").AllowAll()
			},
			"scope", "/integration:*/credential:*/configuration:ext:\xff", `"\xff"`, "is not valid UTF-8", "",
		},
		{
			"no path", func(b *permissions.Builder) { b.At().AllowAll() },
			"scope", "", "", "the path has no scope", "the scope of everything is integration:*",
		},
		{
			"the zero Scope",
			func(b *permissions.Builder) { b.At(scope("integration:slack"), permissions.Scope{}).AllowAll() },
			"scope", "/integration:slack", "", "the zero Scope covers nothing", "",
		},
		{
			"nesting",
			func(b *permissions.Builder) { b.At(scope("credential:ext:x"), scope("integration:slack")).AllowAll() },
			"nesting", "/integration:*/credential:ext:x/integration:slack", `"integration:slack"`,
			"cannot be inside a scope of kind credential", nestsDown,
		},
		{
			"the same kind twice",
			func(b *permissions.Builder) { b.At(scope("integration:a"), scope("integration:b")).AllowAll() }, "nesting",
			"/integration:a/integration:b", `"integration:b"`, "cannot be inside a scope of kind integration", nestsDown,
		},
		{
			"an unknown permission",
			func(b *permissions.Builder) { b.Integration("slack").Allow(permissions.Events, "proxy_api") },
			"permission", "/integration:slack/1", `"proxy_api"`, "is not a permission", meant("proxy-api"),
		},
		{
			"an unknown permission in a set",
			func(b *permissions.Builder) {
				b.Integration("slack").Grant(permissions.NewPermissionSet("reports", permissions.Events))
			},
			"permission", "/integration:slack/1", `"reports"`, "is not a permission",
			"the permissions are " + theTenText + "; WithPermissions declares others",
		},
		{
			"an empty permission", func(b *permissions.Builder) { b.Integration("slack").Allow("") },
			"permission", "/integration:slack/0", `""`, "is not a permission",
			"the permissions are " + theTenText + "; WithPermissions declares others",
		},
		{
			"one path twice",
			func(b *permissions.Builder) {
				b.AnyIntegration().Credential(idUpper).AllowAll()
				b.AnyIntegration().Credential(idA).DenyAll()
			},
			"duplicate", "/integration:*/credential:" + idA, `"credential:` + idA + `"`, "is granted twice",
			"grant it once, with all that it shall allow",
		},
		{
			"one path twice, and an unknown permission after it",
			func(b *permissions.Builder) {
				b.Integration("a").AllowAll()
				b.Integration("a").DenyAll()
				b.Integration("b").Allow("nothing")
			},
			"duplicate", "/integration:a", `"integration:a"`, "is granted twice", "grant it once, with all that it shall allow",
		},
		{
			"two paths twice",
			func(b *permissions.Builder) {
				b.Integration("a").AllowAll()
				b.Integration("b").AllowAll()
				b.Integration("b").DenyAll()
				b.Integration("a").DenyAll()
			},
			"duplicate", "/integration:b", `"integration:b"`, "is granted twice", "grant it once, with all that it shall allow",
		},
		{
			"an integration with a grant and a credential",
			func(b *permissions.Builder) {
				b.Integration("slack").DenyAll()
				b.Integration("slack").Credential(idDigits).AllowAll()
			},
			"duplicate", "/integration:slack", `integration:"slack"`, bothProblem,
			"grant its credential:* instead" + elsewhere,
		},
		{
			"a credential with a grant and a configuration",
			func(b *permissions.Builder) {
				b.Integration("slack").ExternalCredential("x").DenyAll()
				b.Integration("slack").ExternalCredential("x").AnyConfiguration().AllowAll()
			},
			"duplicate", "/integration:slack/credential:ext:x", `credential:ext:"x"`, bothProblem,
			"grant its configuration:* instead" + elsewhere,
		},
		{
			"a credential of any integration with both",
			func(b *permissions.Builder) {
				b.AnyIntegration().AllowAll()
				b.AnyIntegration().Credential(idDigits).DenyAll()
				b.AnyIntegration().Credential(idDigits).AnyConfiguration().AllowAll()
			},
			"duplicate", "/integration:*/credential:" + idDigits, "credential:" + idDigits, bothProblem,
			"grant its configuration:* instead",
		},
		{
			"the first mistake stays",
			func(b *permissions.Builder) {
				b.Integration("a*").AllowAll()
				b.Integration("").AllowAll()
				b.Integration("slack").Allow("nope")
			},
			"scope", "/integration:a*", `"a*"`, "holds a *", noPatterns("integration"),
		},
		{
			"a mistake in a path comes before a bad permission",
			func(b *permissions.Builder) {
				b.Integration("slack").Allow("nope")
				b.Integration("a*").AllowAll()
			},
			"scope", "/integration:a*", `"a*"`, "holds a *", noPatterns("integration"),
		},
		{
			"a mistake where nothing is granted", func(b *permissions.Builder) { b.Integration(" ") },
			"scope", "/integration: ", `" "`, spaceAtEnd, "",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := mistake{
				kind: test.kind, pointer: test.pointer, offset: -1,
				found: test.found, problem: test.problem, remedy: test.remedy,
			}
			var b permissions.Builder
			test.build(&b)
			for range 2 {
				policy, err := b.Build()
				require.Nil(t, policy)
				require.Equal(t, want.error(), err)
				require.EqualError(t, err, want.message())
			}
		})
	}
}

// A Builder takes the names that scopes take, and refuses the others in the same words.
func TestBuilderRefusesWhatScopesRefuse(t *testing.T) {
	names := []string{
		"", "*", "a*", "ext", "EXT", "ext:", "Ext:x", "ext:x", " x", "x ", "\u00a0", "x\n", "x\x00", "\x7f", "\u0085",
		"\xff", "a\ufffd", "x", "x:y", "été", "a b", "exit", "ext-1", `"`, `\`, "a/b~c", "<&>", "\u2028x", idA, idUpper,
	}
	ways := map[string]func(*permissions.Builder, string){
		"integration:": func(b *permissions.Builder, s string) { b.Integration(s).AllowAll() },
		"credential:":  func(b *permissions.Builder, s string) { b.AnyIntegration().Credential(s).AllowAll() },
		"credential:ext:": func(b *permissions.Builder, s string) {
			b.AnyIntegration().ExternalCredential(s).AllowAll()
		},
		"configuration:": func(b *permissions.Builder, s string) {
			b.AnyIntegration().AnyCredential().Configuration(s).AllowAll()
		},
		"configuration:ext:": func(b *permissions.Builder, s string) {
			b.AnyIntegration().AnyCredential().ExternalConfiguration(s).AllowAll()
		},
	}
	identifiers := map[string]string{
		"integration:": "integration", "credential:": "credential ID", "credential:ext:": "credential external ID",
		"configuration:": "configuration ID", "configuration:ext:": "configuration external ID",
	}
	for prefix, add := range ways {
		for _, name := range names {
			t.Run(prefix+strconv.Quote(name), func(t *testing.T) {
				var b permissions.Builder
				add(&b, name)
				policy, err := b.Build()
				want, wrong := permissions.ParseScope(prefix + name)
				// The text of a scope means something else where the name is a wildcard or begins with ext:.
				isOther := !strings.HasSuffix(prefix, "ext:") &&
					(name == "*" || strings.HasPrefix(prefix, "c") && strings.HasPrefix(name, "ext:"))
				switch {
				case isOther:
					require.ErrorIs(t, err, permissions.ErrScope)
				case wrong != nil:
					var got, parse *permissions.ParseError
					require.ErrorAs(t, err, &got)
					require.ErrorAs(t, wrong, &parse)
					require.Equal(t, parse.Problem, its(identifiers[prefix], got.Problem))
					require.Equal(t, parse.Remedy, got.Remedy)
				default:
					require.NoError(t, err)
					rules := slices.Collect(policy.Rules())
					require.Len(t, rules, 1)
					require.Equal(t, want, rules[0].Scope())
				}
			})
		}
	}
}

func TestBuilderOptions(t *testing.T) {
	var b permissions.Builder
	b.Integration("slack").Allow(permissions.SettingsWrite, "reports", permissions.SettingsRead)
	for _, test := range []struct {
		name string
		opts []permissions.Option
		want string // "" if it is refused
	}{
		{"none", nil, ""},
		{"nil", []permissions.Option{nil}, ""},
		{
			"declared", []permissions.Option{permissions.WithPermissions("reports")},
			`{"integration:slack":["settings:write","reports"]}`,
		},
		{
			"ignored", []permissions.Option{permissions.IgnoreUnknownPermissions()},
			`{"integration:slack":["settings:write"]}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			policy, err := b.Build(test.opts...)
			if test.want == "" {
				require.Nil(t, policy)
				require.ErrorIs(t, err, permissions.ErrUnknownPermission)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, string(jsonOf(policy)))
		})
	}
	t.Run("an option that is wrong in itself", func(t *testing.T) {
		policy, err := b.Build(permissions.WithPermissions(""))
		require.Nil(t, policy)
		require.EqualError(t, err, `permissions: WithPermissions: "" is empty`)
		require.NotErrorIs(t, err, permissions.ErrClaim)
	})
}

// Rules can be copied from one policy into another.
func TestBuilderGrant(t *testing.T) {
	declared := permissions.WithPermissions("reports")
	from := permissions.MustParse(`{
		"integration:*": true,
		"integration:slack": ["settings:write", "reports"],
		"credential:*": false
	}`, declared)
	var b permissions.Builder
	for r := range from.Rules() {
		b.At(r.Path()...).Grant(r.Grant())
	}
	t.Run("with the same options", func(t *testing.T) {
		policy, err := b.Build(declared)
		require.NoError(t, err)
		require.Equal(t, grantsOf(from), grantsOf(policy))
		require.Equal(t, string(jsonOf(from)), string(jsonOf(policy)))
	})
	t.Run("without the declaration", func(t *testing.T) {
		_, err := b.Build()
		require.ErrorIs(t, err, permissions.ErrUnknownPermission)
		require.ErrorContains(t, err, `"reports" is not a permission`)
	})
	t.Run("with extras in another order", func(t *testing.T) {
		policy, err := b.Build(permissions.WithPermissions("other", "reports"))
		require.NoError(t, err)
		require.Equal(t, permissions.ReasonNotGranted, policy.Decide("other", slack).Reason)
		require.True(t, policy.Allowed("reports", slack))
		require.True(t, policy.Allowed("other", jira), "true is everything that the new policy knows")
	})
	t.Run("a set of all ten is not true", func(t *testing.T) {
		var b permissions.Builder
		b.AnyIntegration().Grant(permissions.NewPermissionSet(theTen...))
		policy, err := b.Build(declared)
		require.NoError(t, err)
		require.Equal(t, permissions.ReasonNotGranted, policy.Decide("reports", slack).Reason)
	})
	t.Run("what a policy allows on a target", func(t *testing.T) {
		var b permissions.Builder
		b.Integration("slack").Grant(permissions.MustParse(`{"integration:*":true,"credential:*":false}`).Permissions(slack))
		policy, err := b.Build()
		require.NoError(t, err)
		require.Equal(t, map[string]string{"integration:slack": "metadata:read, metadata:write, events"}, grantsOf(policy))
	})
	t.Run("the zero set", func(t *testing.T) {
		var b permissions.Builder
		b.AnyIntegration().Grant(permissions.PermissionSet{})
		policy, err := b.Build()
		require.NoError(t, err)
		require.Equal(t, `{"integration:*":[]}`, string(jsonOf(policy)))
	})
}
