package permissions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// aUUID has another spelling, and digitsUUID has none (SPEC 2.5).
const (
	aUUID      = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	digitsUUID = "00000000-0000-4000-8000-000000000001"
)

// A smallRule is a rule of a policy that is small enough to ask it everything.
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
		{"credential:*", "credential:ext:e", "credential:x", "credential:" + aUUID, "credential:" + digitsUUID},
		{"configuration:*", "configuration:ext:e", "configuration:x"},
	}
	smallNames = []permissions.Permission{
		permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite, permissions.Events, "one", "two",
	}
)

// smallTargets are all targets that tell the rules of small policies apart.
var smallTargets = func() []permissions.Target {
	targets := []permissions.Target{{}}
	for _, integration := range []string{"a", "b", "c"} {
		t := permissions.Target{Integration: integration}
		targets = append(targets, t)
		for _, t.CredentialID = range []string{"", permissions.None, "x", aUUID, digitsUUID} {
			for _, t.CredentialExternalID = range []string{"", permissions.None, "e"} {
				if t.CredentialID+t.CredentialExternalID == "" {
					continue
				}
				targets = append(targets, t)
				for _, id := range []string{"", permissions.None, "x"} {
					for _, externalID := range []string{"", permissions.None, "e"} {
						if id+externalID != "" {
							deeper := t
							deeper.ConfigurationID, deeper.ConfigurationExternalID = id, externalID
							targets = append(targets, deeper)
						}
					}
				}
			}
		}
	}
	return targets
}()

// smallRules returns random rules, which no claim may be able to hold.
func smallRules(g *rand.Rand, most int) []smallRule {
	rules := make([]smallRule, g.IntN(most+1))
	for i := range rules {
		r := &rules[i]
		for level := range 1 + g.IntN(3) {
			r.path = append(r.path, permissions.MustParseScope(smallScopes[level][g.IntN(len(smallScopes[level]))]))
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

// build gives rules to a Builder, in any of the ways in which that can be done.
func build(g *rand.Rand, rules []smallRule, opts ...permissions.Option) (*permissions.Policy, error) {
	var b permissions.Builder
	for _, r := range rules {
		var place interface {
			Allow(...permissions.Permission)
			AllowAll()
			DenyAll()
			Grant(permissions.PermissionSet)
		} = b.At(r.path...)
		if g.IntN(4) > 0 {
			integration := b.AnyIntegration()
			if !r.path[0].IsWildcard() {
				integration = b.Integration(r.path[0].Name())
			}
			place = integration
			if len(r.path) > 1 {
				var credential permissions.CredentialBuilder
				switch s := r.path[1]; {
				case s.IsWildcard():
					credential = integration.AnyCredential()
				case s.IsExternal():
					credential = integration.ExternalCredential(s.Name())
				default:
					credential = integration.Credential(strings.ToUpper(s.Name()))
					if !strings.Contains(s.Name(), "-") {
						credential = integration.Credential(s.Name())
					}
				}
				place = credential
				if len(r.path) > 2 {
					switch s := r.path[2]; {
					case s.IsWildcard():
						place = credential.AnyConfiguration()
					case s.IsExternal():
						place = credential.ExternalConfiguration(s.Name())
					default:
						place = credential.Configuration(s.Name())
					}
				}
			}
		}
		switch {
		case r.grant.all && g.IntN(2) > 0:
			place.AllowAll()
		case r.grant.all:
			place.Grant(permissions.Unrestricted().Permissions(permissions.Target{}))
		case len(r.grant.names) == 0 && g.IntN(2) > 0:
			place.DenyAll()
		default:
			place.Allow(r.grant.names...)
		}
	}
	return b.Policy(opts...)
}

// wantTexts returns what ruleTexts says of a policy with these rules.
func wantTexts(rules []smallRule) map[string]string {
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
		if slices.Contains(g.names, name) || name == permissions.SettingsRead && slices.Contains(g.names, permissions.SettingsWrite) {
			list = append(list, string(name))
		}
	}
	if list == nil {
		return "none"
	}
	return strings.Join(list, ", ")
}

// size returns how many bytes the grant takes at the least.
func (g smallGrant) size() int {
	if g.all {
		return len("true")
	}
	n := len("[]")
	commas := -1
	for _, name := range smallNames {
		if slices.Contains(g.names, name) && !(name == permissions.SettingsRead && slices.Contains(g.names, permissions.SettingsWrite)) {
			n += len(`""`) + len(name)
			commas++
		}
	}
	return n + max(commas, 0)
}

// keys returns all the ways to lead to a rule with keys in each other.
func (r smallRule) keys() [][]string {
	if len(r.path) == 1 {
		return [][]string{{r.path[0].String()}}
	}
	ways := [][]string{{r.path[0].String()}}
	if r.path[0].IsWildcard() {
		ways = append(ways, nil)
	}
	for _, s := range r.path[1:] {
		var longer [][]string
		for _, way := range ways {
			longer = append(longer, append(slices.Clone(way), s.String()))
			if s.Name() == aUUID {
				longer = append(longer, append(slices.Clone(way), strings.Replace(s.String(), aUUID, strings.ToUpper(aUUID), 1)))
			}
			if s.IsWildcard() && s.Kind() == permissions.KindCredential && len(r.path) > 2 {
				longer = append(longer, way)
			}
		}
		ways = longer
	}
	return ways
}

// shortest returns the length of the shortest claim with these rules, having tried them
// all, or 0 if there is none.
func shortest(rules []smallRule) int {
	best := 0
	var try func(i, size int, scopes map[string]bool, children map[string]int)
	try = func(i, size int, scopes map[string]bool, children map[string]int) {
		if i == len(rules) {
			size += 2
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
						continue ways // it stands twice, or has a grant and a map
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

func samePath(rules []smallRule) bool { return len(wantTexts(rules)) < len(rules) }

// TestBuilderRandom builds random policies. Parsing the claim of one gives it back, no
// shorter claim has its rules, and one that no claim can hold is refused.
func TestBuilderRandom(t *testing.T) {
	declared := permissions.WithPermissions("one", "two")
	g := rand.New(rand.NewPCG(5, 5))
	built, duplicate, impossible := 0, 0, 0
	for built < 3000 {
		rules := smallRules(g, 5)
		policy, err := build(g, rules, declared)
		if samePath(rules) {
			require.ErrorIs(t, err, permissions.ErrDuplicate, "%v", rules)
			require.ErrorContains(t, err, "is granted for the second time")
			duplicate++
			continue
		}
		least := shortest(rules)
		if len(rules) == 0 {
			least = len("{}")
		}
		if least == 0 {
			require.Nil(t, policy, "%v", rules)
			require.ErrorIs(t, err, permissions.ErrDuplicate, "%v", rules)
			require.ErrorContains(t, err, "has a grant and more specific scopes in it")
			impossible++
			continue
		}
		require.NoError(t, err, "%v", rules)
		require.Equal(t, wantTexts(rules), ruleTexts(policy))
		claim, err := policy.MarshalJSON()
		require.NoError(t, err)
		require.True(t, json.Valid(claim), "%s", claim)
		require.Len(t, claim, least, "%s", claim)

		again, err := permissions.Parse(claim, declared)
		require.NoError(t, err, "%s", claim)
		require.Equal(t, wantTexts(rules), ruleTexts(again), "%s", claim)

		// The order of the calls does not matter.
		g.Shuffle(len(rules), func(i, j int) { rules[i], rules[j] = rules[j], rules[i] })
		other, err := build(g, rules, declared)
		require.NoError(t, err)
		same, err := other.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(claim), string(same))
		built++
	}
	require.Greater(t, duplicate, 100)
	require.Greater(t, impossible, 100)
}

func TestBuilderZero(t *testing.T) {
	var b permissions.Builder
	for range 2 { // a Builder can be used further
		policy, err := b.Policy()
		require.NoError(t, err)
		claim, err := policy.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, "{}", string(claim))
		d := policy.Decide(permissions.Events, permissions.Target{})
		require.False(t, d.Allowed)
		require.Equal(t, permissions.NoRule, d.Reason)
	}
	b.AnyIntegration().AllowAll()
	policy, err := b.Policy()
	require.NoError(t, err)
	require.True(t, policy.Allowed(permissions.Events, permissions.Target{}))

	// What belongs to no Builder is lost, and does not panic.
	permissions.RuleBuilder{}.AllowAll()
	permissions.IntegrationBuilder{}.Credential("*").ExternalConfiguration("x").Allow(permissions.Events)
	var none *permissions.Builder
	none.Integration("*").DenyAll()
	none.At().DenyAll()
	_, err = none.Policy()
	require.EqualError(t, err, "permissions: the Builder is nil")
}

func TestBuilderKeepsNothing(t *testing.T) {
	names := []permissions.Permission{permissions.Events}
	var b permissions.Builder
	b.AnyIntegration().Allow(names...)
	names[0] = permissions.Workflows
	policy, err := b.Policy()
	require.NoError(t, err)
	require.True(t, policy.Allowed(permissions.Events, permissions.Target{}))
	require.False(t, policy.Allowed(permissions.Workflows, permissions.Target{}))
}

func TestBuilderRefuses(t *testing.T) {
	scope := permissions.MustParseScope
	tests := []struct {
		name    string
		build   func(*permissions.Builder)
		kind    error
		pointer string
		text    string
	}{
		{
			"wildcard for a name", func(b *permissions.Builder) { b.Integration("*").AllowAll() },
			permissions.ErrScope, "/integration:*",
			`permissions: scope at "/integration:*": "*" holds a *, which only stands alone; did you mean "integration:*"?`,
		},
		{
			"empty", func(b *permissions.Builder) { b.Integration("slack").Credential("").AllowAll() },
			permissions.ErrScope, "/integration:slack/credential:",
			`permissions: scope at "/integration:slack/credential:": "" is empty; did you mean "credential:*"?`,
		},
		{
			"external ID as an ID", func(b *permissions.Builder) { b.AnyIntegration().Credential("ext:acme").DenyAll() },
			permissions.ErrScope, "/integration:*/credential:ext:acme",
			`permissions: scope at "/integration:*/credential:ext:acme": "ext:acme" begins with ext, which marks an external ID; did you mean "credential:ext:acme"?`,
		},
		{
			"white space", func(b *permissions.Builder) { b.Integration("a/b").AnyCredential().Configuration(" x").AllowAll() },
			permissions.ErrScope, "/integration:a~1b/credential:*/configuration: x",
			`permissions: scope at "/integration:a~1b/credential:*/configuration: x": " x" begins or ends with white space; did you mean "configuration:x"?`,
		},
		{
			"wildcard for an external ID", func(b *permissions.Builder) { b.AnyIntegration().ExternalCredential("*").AllowAll() },
			permissions.ErrScope, "/integration:*/credential:ext:*",
			`permissions: scope at "/integration:*/credential:ext:*": "*" has * for an external ID; there are no patterns but credential:*`,
		},
		{
			"not UTF-8", func(b *permissions.Builder) {
				b.AnyIntegration().AnyCredential().ExternalConfiguration("\xff").AllowAll()
			},
			permissions.ErrScope, "/integration:*/credential:*/configuration:ext:\xff",
			`permissions: scope at "/integration:*/credential:*/configuration:ext:\xff": "\xff" is not valid UTF-8`,
		},
		{
			"no path", func(b *permissions.Builder) { b.At().AllowAll() }, permissions.ErrScope, "",
			`permissions: scope: the path has no scope; for everything, there is integration:*`,
		},
		{
			"zero scope", func(b *permissions.Builder) { b.At(scope("integration:slack"), permissions.Scope{}).AllowAll() },
			permissions.ErrScope, "/integration:slack", `permissions: scope at "/integration:slack": the zero Scope names nothing`,
		},
		{
			"nesting", func(b *permissions.Builder) { b.At(scope("credential:x"), scope("integration:slack")).AllowAll() },
			permissions.ErrNesting, "/integration:*/credential:x/integration:slack",
			`permissions: claim at "/integration:*/credential:x/integration:slack": "integration:slack" cannot stand inside a credential; ` +
				`only what is more specific can: a credential or configuration in an integration, a configuration in a credential`,
		},
		{
			"the same kind", func(b *permissions.Builder) { b.At(scope("integration:a"), scope("integration:b")).AllowAll() },
			permissions.ErrNesting, "/integration:a/integration:b",
			`permissions: claim at "/integration:a/integration:b": "integration:b" cannot stand inside an integration; ` +
				`only what is more specific can: a credential or configuration in an integration, a configuration in a credential`,
		},
		{
			"unknown permission", func(b *permissions.Builder) {
				b.Integration("slack").Allow(permissions.Events, "proxy_api")
			},
			permissions.ErrPermission, "/integration:slack/1",
			`permissions: claim at "/integration:slack/1": "proxy_api" is no permission; did you mean "proxy-api"?`,
		},
		{
			"empty permission", func(b *permissions.Builder) { b.Integration("slack").Allow("") },
			permissions.ErrPermission, "/integration:slack/0",
			`permissions: claim at "/integration:slack/0": "" is no permission; the permissions are credential:write, config:write, settings:read, ` +
				`settings:write, metadata:read, metadata:write, proxy-api, events, workflows; WithPermissions declares others`,
		},
		{
			"the same path", func(b *permissions.Builder) {
				b.AnyIntegration().Credential(strings.ToUpper(aUUID)).AllowAll()
				b.AnyIntegration().Credential(aUUID).DenyAll()
			},
			permissions.ErrDuplicate, "/integration:*/credential:" + aUUID,
			`permissions: claim at "/integration:*/credential:` + aUUID + `": "credential:` + aUUID +
				`" is granted for the second time; grant it once, with all that it shall allow`,
		},
		{
			"an integration with both", func(b *permissions.Builder) {
				b.Integration("slack").DenyAll()
				b.Integration("slack").Credential("x").AllowAll()
			},
			permissions.ErrDuplicate, "/integration:slack",
			`permissions: claim at "/integration:slack": "integration:slack" has a grant and more specific scopes in it, and a claim cannot give a scope both; ` +
				`grant its "credential:*" instead, or give the more specific scopes to integration:*`,
		},
		{
			"a credential with both", func(b *permissions.Builder) {
				b.Integration("slack").Credential("x").DenyAll()
				b.Integration("slack").Credential("x").AnyConfiguration().AllowAll()
			},
			permissions.ErrDuplicate, "/integration:slack/credential:x",
			`permissions: claim at "/integration:slack/credential:x": "credential:x" has a grant and more specific scopes in it, and a claim cannot give a scope both; ` +
				`grant its "configuration:*" instead, or give the more specific scopes to integration:*`,
		},
		{
			"a credential anywhere with both", func(b *permissions.Builder) {
				b.AnyIntegration().AllowAll()
				b.AnyIntegration().Credential("x").DenyAll()
				b.AnyIntegration().Credential("x").AnyConfiguration().AllowAll()
			},
			permissions.ErrDuplicate, "/integration:*/credential:x",
			`permissions: claim at "/integration:*/credential:x": "credential:x" has a grant and more specific scopes in it, and a claim cannot give a scope both; ` +
				`grant its "configuration:*" instead`,
		},
		{
			"the first mistake stays", func(b *permissions.Builder) {
				b.Integration("a*").AllowAll()
				b.Integration("").AllowAll()
				b.Integration("slack").Allow("nope")
			},
			permissions.ErrScope, "/integration:a*",
			`permissions: scope at "/integration:a*": "a*" holds a *, which only stands alone; there are no patterns but integration:*`,
		},
		{
			"a mistake where nothing is granted", func(b *permissions.Builder) { b.Integration(" ") },
			permissions.ErrScope, "/integration: ",
			`permissions: scope at "/integration: ": " " begins or ends with white space`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var b permissions.Builder
			test.build(&b)
			for range 2 {
				policy, err := b.Policy()
				require.Nil(t, policy)
				require.ErrorIs(t, err, test.kind)
				require.ErrorIs(t, err, permissions.ErrClaim)
				var parse *permissions.ParseError
				require.ErrorAs(t, err, &parse)
				require.Equal(t, test.kind, parse.Kind)
				require.Equal(t, test.pointer, parse.Pointer)
				require.Equal(t, -1, parse.Offset)
				require.EqualError(t, err, test.text)
			}
		})
	}
}

// TestBuilderRefusesWhatParseRefuses holds the names that a Builder takes against those
// that scopes take.
func TestBuilderRefusesWhatParseRefuses(t *testing.T) {
	names := []string{
		"", "*", "a*", "ext", "EXT", "ext:", "Ext:x", "ext:x", " x", "x ", "\u00a0", "x\n", "x\x00", "\x7f", "\u0085", "\xff", "a\ufffd",
		permissions.None, "x", "x:y", "été", "a b", "exit", "ext-1", `"`, `\`, "a/b~c", "<&>", "\u2028x", aUUID, strings.ToUpper(aUUID),
	}
	for _, name := range names {
		for prefix, add := range map[string]func(*permissions.Builder){
			"integration:":    func(b *permissions.Builder) { b.Integration(name).AllowAll() },
			"credential:":     func(b *permissions.Builder) { b.AnyIntegration().Credential(name).AllowAll() },
			"credential:ext:": func(b *permissions.Builder) { b.AnyIntegration().ExternalCredential(name).AllowAll() },
			"configuration:":  func(b *permissions.Builder) { b.AnyIntegration().AnyCredential().Configuration(name).AllowAll() },
			"configuration:ext:": func(b *permissions.Builder) {
				b.AnyIntegration().AnyCredential().ExternalConfiguration(name).AllowAll()
			},
		} {
			var b permissions.Builder
			add(&b)
			policy, err := b.Policy()
			want, wrong := permissions.ParseScope(prefix + name)
			// These texts are not of a scope with this name.
			if name == "*" && !strings.HasSuffix(prefix, "ext:") || strings.HasPrefix(name, "ext:") && strings.HasPrefix(prefix, "c") && !strings.HasSuffix(prefix, "ext:") {
				require.ErrorIs(t, err, permissions.ErrScope, "%s %q", prefix, name)
				continue
			}
			if wrong != nil {
				var got, parse *permissions.ParseError
				require.ErrorAs(t, err, &got, "%s %q", prefix, name)
				require.ErrorAs(t, wrong, &parse)
				require.Equal(t, parse.Kind, got.Kind)
				require.Equal(t, parse.Problem, got.Problem, "%s %q", prefix, name)
				require.Equal(t, parse.Remedy, got.Remedy, "%s %q", prefix, name)
				continue
			}
			require.NoError(t, err, "%s %q", prefix, name)
			rules := slices.Collect(policy.Rules())
			require.Len(t, rules, 1)
			require.Equal(t, want, rules[0].Scope())
		}
	}
}

func TestBuilderOptions(t *testing.T) {
	var b permissions.Builder
	b.Integration("slack").Allow(permissions.SettingsWrite, "reports", permissions.SettingsRead)
	_, err := b.Policy()
	require.ErrorIs(t, err, permissions.ErrPermission)

	policy, err := b.Policy(permissions.WithPermissions("reports"))
	require.NoError(t, err)
	claim, err := policy.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `{"integration:slack":["settings:write","reports"]}`, string(claim))

	policy, err = b.Policy(permissions.IgnoreUnknownPermissions())
	require.NoError(t, err)
	claim, err = policy.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, `{"integration:slack":["settings:write"]}`, string(claim))

	_, err = b.Policy(permissions.WithPermissions(""))
	require.ErrorContains(t, err, "WithPermissions")
	require.False(t, errors.Is(err, permissions.ErrClaim))
}

// TestBuilderGrant copies the rules of a policy, and what a policy allows.
func TestBuilderGrant(t *testing.T) {
	declared := permissions.WithPermissions("reports")
	from := permissions.MustParse(`{"integration:*":true,"integration:slack":["settings:write","reports"],"credential:x":false}`, declared)
	var b permissions.Builder
	for r := range from.Rules() {
		b.At(r.Path()...).Grant(r.Grant())
	}
	policy, err := b.Policy(declared)
	require.NoError(t, err)
	require.Equal(t, ruleTexts(from), ruleTexts(policy))

	_, err = b.Policy()
	require.ErrorIs(t, err, permissions.ErrPermission, "reports is not declared")

	// Connecting a credential is denied, and all other names, known or not, are allowed.
	most := permissions.MustParse(`{"integration:*":true,"credential:*":false}`).Permissions(permissions.Target{Integration: "slack"})
	require.Equal(t, "all but credential:write", most.String())
	b = permissions.Builder{}
	b.Integration("slack").Grant(most)
	_, err = b.Policy()
	require.EqualError(t, err, `permissions: claim at "/integration:slack": "all but credential:write" cannot be granted, because no array names it; list what shall be allowed`)
	require.ErrorIs(t, err, permissions.ErrPermission)
}

func ExampleBuilder() {
	var b permissions.Builder
	b.AnyIntegration().Allow(permissions.Events)
	b.Integration("slack").AnyCredential().DenyAll()
	b.Integration("slack").Credential("3fa85f64-5717-4562-b3fc-2c963f66afa6").Allow(permissions.ProxyAPI, permissions.SettingsWrite)
	b.Integration("slack").ExternalCredential("acme").AllowAll()

	policy, err := b.Policy()
	if err != nil {
		fmt.Println(err)
		return
	}
	claim, _ := json.MarshalIndent(policy, "", "  ")
	fmt.Println(string(claim))
	// Output:
	// {
	//   "integration:*": [
	//     "events"
	//   ],
	//   "integration:slack": {
	//     "credential:*": [],
	//     "credential:ext:acme": true,
	//     "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": [
	//       "settings:write",
	//       "proxy-api"
	//     ]
	//   }
	// }
}

// A Builder refuses what no claim can say.
func ExampleBuilder_Policy() {
	var b permissions.Builder
	b.Integration("slack").DenyAll()
	b.Integration("slack").Credential("3fa85f64-5717-4562-b3fc-2c963f66afa6").Allow(permissions.Events)
	_, err := b.Policy()
	fmt.Println(err)

	// This one says what was meant: the credential stands at the top.
	b = permissions.Builder{}
	b.Integration("slack").DenyAll()
	b.AnyIntegration().Credential("3fa85f64-5717-4562-b3fc-2c963f66afa6").Allow(permissions.Events)
	policy, _ := b.Policy()
	claim, _ := policy.MarshalJSON()
	fmt.Println(string(claim))
	// Output:
	// permissions: claim at "/integration:slack": "integration:slack" has a grant and more specific scopes in it, and a claim cannot give a scope both; grant its "credential:*" instead, or give the more specific scopes to integration:*
	// {"integration:slack":[],"credential:3fa85f64-5717-4562-b3fc-2c963f66afa6":["events"]}
}
