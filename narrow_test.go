package permissions_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// A narrowCase is a case of testdata/narrow.json: claims, and the claim that says what they say together. A
// claim that is null is no claim: the policy is unrestricted.
type narrowCase struct {
	Name     string
	Claims   []json.RawMessage
	Narrowed json.RawMessage
	Refused  *struct {
		Action  permissions.Permission
		Target  permissions.Target
		Allowed bool
		Message string
	}
}

func (c *narrowCase) policies(t *testing.T) (list []*permissions.Policy) {
	t.Helper()
	for _, claim := range c.Claims {
		if string(claim) == "null" {
			list = append(list, permissions.Unrestricted())
			continue
		}
		p, err := permissions.Parse(claim)
		require.NoError(t, err)
		list = append(list, p)
	}
	return list
}

func TestNarrow(t *testing.T) {
	data, err := os.ReadFile("testdata/narrow.json")
	require.NoError(t, err)
	var cases []narrowCase
	require.NoError(t, json.Unmarshal(data, &cases))
	require.NotEmpty(t, cases)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			policies := c.policies(t)
			narrowed, err := permissions.Narrow(policies...)
			together := narrowIntersection(t, policies...)
			if c.Refused != nil {
				require.Nil(t, narrowed)
				var refused *permissions.NarrowError
				require.ErrorAs(t, err, &refused)
				require.ErrorIs(t, err, permissions.ErrNarrow)
				require.Equal(t, c.Refused.Action, refused.Action)
				require.Equal(t, c.Refused.Target, refused.Target)
				require.Equal(t, c.Refused.Allowed, refused.Allowed)
				require.Equal(t, c.Refused.Allowed, together.Allowed(refused.Action, refused.Target))
				require.Equal(t, c.Refused.Message, err.Error())
				return
			}
			require.NoError(t, err)
			require.JSONEq(t, string(c.Narrowed), string(jsonOf(narrowed)))
			require.False(t, narrowed.IsUnrestricted())
			requireSame(t, together, narrowed)

			slices.Reverse(policies)
			reversed, err := permissions.Narrow(policies...)
			require.NoError(t, err)
			require.JSONEq(t, string(c.Narrowed), string(jsonOf(reversed)), "the order makes no difference")
		})
	}
}

func narrowIntersection(t *testing.T, policies ...*permissions.Policy) *permissions.Policy {
	t.Helper()
	together, err := permissions.Intersect(policies...)
	require.NoError(t, err)
	return together
}

// requireSame requires that two policies allow the same, by proof.
func requireSame(t *testing.T, want, got *permissions.Policy) {
	t.Helper()
	ok, q := analyze.Covers(want, got)
	require.True(t, ok, "%v is wider: %v", got, q)
	ok, q = analyze.Covers(got, want)
	require.True(t, ok, "%v denies more: %v", got, q)
}

func TestNarrowOfNoPolicies(t *testing.T) {
	p, err := permissions.Narrow()
	require.Nil(t, p)
	require.EqualError(t, err, "permissions: Narrow: there are no policies; pass one or more")
	require.NotErrorIs(t, err, permissions.ErrNarrow)
}

func TestNarrowWithNoPolicyAmongThem(t *testing.T) {
	all := permissions.MustParse(`{"integration:*":true}`)
	for name, none := range map[string]*permissions.Policy{"nil": nil, "zero": {}} {
		for place, policies := range map[string][]*permissions.Policy{
			"alone": {none}, "first": {none, all}, "last": {all, none},
			"beside an unrestricted one": {permissions.Unrestricted(), none},
		} {
			t.Run(name+" "+place, func(t *testing.T) {
				p, err := permissions.Narrow(policies...)
				require.NoError(t, err)
				require.Equal(t, "{}", string(jsonOf(p)))
				require.Equal(t, permissions.ReasonNoRule, p.Decide(permissions.Events, permissions.User()).Reason)
			})
		}
	}
}

func TestNarrowKnowsThePermissionsOfAllPolicies(t *testing.T) {
	one, two := permissions.WithPermissions("one"), permissions.WithPermissions("two")
	all := `{"integration:*":true}`
	ten := `{"integration:*":["credential:write","config:write","settings:write","metadata:write","proxy-api",` +
		`"events","workflows","actionkit"]}`
	for _, c := range []struct {
		name     string
		policies []*permissions.Policy
		want     string
	}{
		{
			"all say true and know it", []*permissions.Policy{
				permissions.MustParse(all, one), permissions.MustParse(all, one),
			}, all,
		},
		{
			"one says true and does not know it", []*permissions.Policy{
				permissions.MustParse(all, one), permissions.MustParse(all),
			}, ten,
		},
		{
			"each knows another one", []*permissions.Policy{
				permissions.MustParse(`{"integration:*":["one","events"]}`, one),
				permissions.MustParse(`{"integration:*":["two","events"]}`, two),
			}, `{"integration:*":["events"]}`,
		},
		{
			"all name it", []*permissions.Policy{
				permissions.MustParse(`{"integration:*":["one"]}`, one), permissions.MustParse(all, two, one),
			}, `{"integration:*":["one"]}`,
		},
		{
			"an unrestricted one knows it", []*permissions.Policy{
				permissions.Unrestricted(one), permissions.MustParse(`{"integration:*":["one","events"]}`, one),
			}, `{"integration:*":["events","one"]}`,
		},
		{
			"an unrestricted one does not know it", []*permissions.Policy{
				permissions.Unrestricted(), permissions.MustParse(`{"integration:*":["one","events"]}`, one),
			}, `{"integration:*":["events"]}`,
		},
		{
			"only an unrestricted one knows it", []*permissions.Policy{
				permissions.Unrestricted(one), permissions.MustParse(all),
			}, ten,
		},
		{
			"unrestricted ones know it", []*permissions.Policy{
				permissions.Unrestricted(one), permissions.Unrestricted(one),
			}, all,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			narrowed, err := permissions.Narrow(c.policies...)
			require.NoError(t, err)
			require.JSONEq(t, c.want, string(jsonOf(narrowed)))
			together := narrowIntersection(t, c.policies...)
			for _, action := range append(permissions.AllPermissions(), "one", "two", "three") {
				want, got := together.Decide(action, permissions.User()), narrowed.Decide(action, permissions.User())
				require.Equal(t, want.Allowed, got.Allowed, action)
				const invalid = permissions.ReasonInvalidQuestion
				require.Equal(t, want.Reason == invalid, got.Reason == invalid, action)
			}
		})
	}
}

func TestNarrowOfPoliciesThatDeclareTooManyPermissions(t *testing.T) {
	declare := func(prefix string) *permissions.Policy {
		var names []permissions.Permission
		for i := range 30 {
			names = append(names, permissions.Permission(fmt.Sprint(prefix, i)))
		}
		return permissions.MustParse("{}", permissions.WithPermissions(names...))
	}
	p, err := permissions.Narrow(declare("a"), declare("b"))
	require.Nil(t, p)
	require.ErrorContains(t, err, "declare more than 53 permissions together")
}

// A list of all ten names is less than true for a reader that knows more permissions.
func TestNarrowSaysTrueOnlyWhereAllPoliciesDo(t *testing.T) {
	var names []string
	for _, name := range permissions.AllPermissions() {
		names = append(names, string(name))
	}
	ten := string(jsonOf(map[string]any{"integration:*": names}))
	exception := `{"integration:*":true,"credential:ext:x":` + string(jsonOf(names)) + "}"
	for name, claims := range map[string][2]string{
		"true first":              {`{"integration:*":true}`, ten},
		"true last":               {ten, `{"integration:*":true}`},
		"true by an ID":           {`{"credential:` + idA + `":true}`, ten},
		"a list by external IDs":  {`{"credential:` + idA + `":true}`, exception},
		"unrestricted and a list": {"", ten},
		// What is denied in slack has no place there, and moves to the top level.
		"beside rules in conflict": {
			`{"credential:` + idA + `":true,"integration:slack":["events","config:write"]}`,
			`{"integration:*":true,"credential:ext:x":` + string(jsonOf(names)) +
				`,"integration:slack":{"credential:` + idB + `":["proxy-api"]}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			first := permissions.Unrestricted()
			if claims[0] != "" {
				first = permissions.MustParse(claims[0])
			}
			p, err := permissions.Narrow(first, permissions.MustParse(claims[1]))
			require.NoError(t, err)
			require.NotContains(t, string(jsonOf(p)), "true")
			requireSame(t, narrowIntersection(t, first, permissions.MustParse(claims[1])), p)
		})
	}
}

func TestNarrowKeepsHooks(t *testing.T) {
	seen := ""
	hook := func(name string) func(permissions.Observation) { return func(permissions.Observation) { seen += name } }
	all := permissions.MustParse(`{"integration:*":true}`)
	p, err := permissions.Narrow(all.Observe(hook("a")), all, all.Observe(hook("b")))
	require.NoError(t, err)
	require.Empty(t, seen, "narrowing asks no question")
	require.True(t, p.Allowed(permissions.Events, permissions.User()))
	require.Equal(t, "ab", seen)
}

// narrowWords are few, so that the rules of two claims meet.
var narrowWords = &wordlist{
	integrations: []string{"slack", "jira"}, ids: []string{idA, idB}, externalIDs: []string{"x", "y"},
}

// narrowClaim writes a claim without mistakes.
func (g *generator) narrowClaim(grants ...string) string {
	for {
		top := make(claimTree)
		for range 1 + g.IntN(6) {
			path := []string{g.pattern("integration"), g.pattern("credential"), g.pattern("configuration")}
			if g.chance(50) {
				path[0] = "integration:*"
			}
			path = path[:1+g.IntN(3)]
			for len(path) > 1 && strings.HasSuffix(path[0], ":*") {
				path = path[1:]
			}
			top.put(path, pick(g, grants...))
		}
		claim := string(jsonOf(top.value()))
		if _, err := permissions.Parse([]byte(claim)); err == nil {
			return claim
		}
	}
}

// value returns the tree with grants in place of their text.
func (m claimTree) value() map[string]any {
	value := make(map[string]any)
	for key, below := range m {
		if tree, ok := below.(claimTree); ok {
			value[key] = tree.value()
		} else {
			value[key] = json.RawMessage(below.(string))
		}
	}
	return value
}

var narrowGrants = []string{
	"true", "true", "false", `["proxy-api"]`, `["events","config:write"]`, `["settings:read"]`,
	`["actionkit","settings:write","custom"]`,
	`["credential:write","config:write","settings:write","metadata:write","proxy-api","events",` +
		`"workflows","actionkit"]`,
}

// narrowQuestions has every target that tells rules with few names apart. What is unknown is among them.
func narrowQuestions(integrations, ids, externalIDs []string) (list []permissions.Target) {
	var levels [][]permissions.Identifier
	for _, id := range append([]string{"absent", "unknown", "ffffffff-ffff-ffff-ffff-ffffffffffff"}, ids...) {
		for _, externalID := range append([]string{"absent", "unknown", "other"}, externalIDs...) {
			var level []permissions.Identifier
			switch id {
			case "unknown":
			case "absent":
				level = append(level, permissions.NoID())
			default:
				level = append(level, permissions.ID(id))
			}
			switch externalID {
			case "unknown":
			case "absent":
				level = append(level, permissions.NoExternalID())
			default:
				level = append(level, permissions.ExternalID(externalID))
			}
			levels = append(levels, level)
		}
	}
	list = append(list, permissions.User())
	for _, name := range append([]string{"other"}, integrations...) {
		integration := permissions.Integration(name)
		list = append(list, integration)
		for _, credential := range levels {
			list = append(list, integration.Credential(credential...))
			for _, configuration := range levels {
				list = append(list, integration.Credential(credential...).Configuration(configuration...))
			}
		}
	}
	return list
}

// TestNarrowAnswersAsTheIntersection asks every small question about random policies, and has analyze prove
// that there is no other one with another answer. A permission that only later readers know is
// never allowed where a policy does not say true.
func TestNarrowAnswersAsTheIntersection(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	defer nameSeed(t, &seed)
	custom, later := permissions.WithPermissions("custom"), permissions.WithPermissions("custom", "later")
	targets := narrowQuestions([]string{"slack", "jira"}, []string{idA}, []string{"x"})
	count := make(tally)
	for range pairs / 10 {
		g := newGenerator(seed)
		seed++
		g.words = narrowWords
		var policies, laterOnes []*permissions.Policy
		var claims []string
		for range pick(g, 1, 2, 2, 2, 3) {
			if g.chance(5) {
				policies = append(policies, permissions.Unrestricted(custom))
				laterOnes = append(laterOnes, permissions.Unrestricted(later))
				continue
			}
			claim := g.narrowClaim(narrowGrants...)
			claims = append(claims, claim)
			policies = append(policies, permissions.MustParse(claim, custom))
			laterOnes = append(laterOnes, permissions.MustParse(claim, later))
		}
		narrowed, err := permissions.Narrow(policies...)
		together := narrowIntersection(t, policies...)
		if err != nil {
			var refused *permissions.NarrowError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, refused.Allowed, together.Allowed(refused.Action, refused.Target), "%v", err)
			require.NoError(t, refused.Target.Err())
			require.Zero(t, refused.Target.Unknown())
			count["refused"]++
			continue
		}
		count["narrowed"]++
		requireSame(t, together, narrowed)
		for range 200 {
			target := targets[g.IntN(len(targets))]
			for _, action := range append(permissions.AllPermissions(), "custom") {
				want, got := together.Allowed(action, target), narrowed.Allowed(action, target)
				require.Equal(t, want, got, "%v on %v: %s", action, target, claims)
			}
			require.Equal(t, together.Visible(target), narrowed.Visible(target), "%v visible: %s", target, claims)
		}
		forLater, err := permissions.Parse(jsonOf(narrowed), later)
		require.NoError(t, err)
		ok, q := analyze.Covers(narrowIntersection(t, laterOnes...), forLater)
		require.True(t, ok, "%v is wider for later readers: %s", q, claims)
	}
	count.requireEach(t, pairs/10/20, "narrowed", "refused")
	t.Logf("%v; next seed %d", count, seed)
}

// TestNarrowFindsAClaimWhereThereIsOne tries every set of rules with few names where Narrow finds no claim.
func TestNarrowFindsAClaimWhereThereIsOne(t *testing.T) {
	t.Parallel()
	refused := 0
	for _, universe := range []narrowUniverse{
		{[]string{"*"}, []string{"*", idA, "ext:x"}, []string{"*", idA, "ext:x"}},
		{[]string{"*"}, []string{"*", idOfDigits, "ext:x"}, []string{"*", "ext:x"}},
		{[]string{"*"}, []string{"*", "ext:x", "ext:y"}, []string{"*", "ext:x"}},
		{[]string{"*", "slack"}, []string{"*", idA}, []string{"*", idA}},
		{[]string{"*", "slack"}, []string{"*", "ext:x"}, []string{"*", "ext:x"}},
		{[]string{"*", "slack"}, []string{"*", idA, "ext:x"}, []string{"*"}},
		{[]string{"*", "slack", "jira"}, []string{"*", "ext:x"}, []string{"ext:x"}},
	} {
		t.Run(fmt.Sprint(universe), func(t *testing.T) {
			rules := universe.rules()
			for seed := range uint64(300) {
				g := newGenerator(seed)
				p, q := universe.policy(g, rules), universe.policy(g, rules)
				together := narrowIntersection(t, p, q)
				narrowed, err := permissions.Narrow(p, q)
				if err == nil {
					requireSame(t, together, narrowed)
					continue
				}
				refused++
				require.False(t, universe.hasClaim(rules, together), "there is a claim for %v and %v: %v", p, q, err)
			}
		})
	}
	require.Greater(t, refused, 100)
}

// An idOfDigits is an ID that letter case cannot spell in a second way.
const idOfDigits = "11111111-2222-4333-8444-555555555555"

// A narrowUniverse is what scopes of each kind may name.
type narrowUniverse struct{ integrations, credentials, configurations []string }

// A narrowRule is a path. What it does not have is empty.
type narrowRule [3]string

func (u *narrowUniverse) rules() (list []narrowRule) {
	for _, i := range u.integrations {
		list = append(list, narrowRule{i})
		for _, c := range u.credentials {
			list = append(list, narrowRule{i, c})
			for _, f := range u.configurations {
				list = append(list, narrowRule{i, c, f})
			}
		}
	}
	return list
}

func (r narrowRule) scopes() (path []permissions.Scope) {
	for i, kind := range []string{"integration:", "credential:", "configuration:"} {
		if r[i] != "" {
			path = append(path, permissions.MustParseScope(kind+r[i]))
		}
	}
	return path
}

// policy returns a random policy of some of the rules.
func (u *narrowUniverse) policy(g *generator, rules []narrowRule) *permissions.Policy {
	grants := [][]permissions.Permission{
		permissions.AllPermissions(), {}, {permissions.ProxyAPI}, {permissions.Events, permissions.ConfigWrite},
		{permissions.SettingsRead}, {permissions.ActionKit},
	}
	for {
		var b permissions.Builder
		for _, i := range g.Perm(len(rules))[:1+g.IntN(5)] {
			b.At(rules[i].scopes()...).Allow(pick(g, grants...)...)
		}
		if p, err := b.Build(); err == nil {
			return p
		}
	}
}

// hasClaim reports whether some set of the rules, with some grants, says what a policy says.
func (u *narrowUniverse) hasClaim(rules []narrowRule, together *permissions.Policy) bool {
	actions := permissions.AllPermissions()
	var want, mask []uint16 // what is granted on each target, and what acts on it
	var order [][]int       // the rules that apply to each target, the most specific first
	all := permissions.MustParse(`{"integration:*":true}`)
	for _, target := range u.targets() {
		var granted, acting uint16
		for i, action := range actions {
			// An action that acts on something below the target is asked there.
			if all.Allowed(action, target) && actsOnItself(action, target.Level()) {
				acting |= 1 << i
				if together.Allowed(action, target) {
					granted |= 1 << i
				}
			}
		}
		want, mask, order = append(want, granted), append(mask, acting), append(order, applying(rules, target))
	}
	for set := range uint32(1) << len(rules) {
		if saysAll(set, want, mask, order) && hasPlaces(rules, set) {
			return true
		}
	}
	return false
}

func saysAll(set uint32, want, mask []uint16, order [][]int) bool {
	var yes, no [32]uint16
	for i := range want {
		decider := slices.IndexFunc(order[i], func(rule int) bool { return set>>rule&1 != 0 })
		if decider < 0 {
			if want[i] != 0 {
				return false
			}
			continue
		}
		rule := order[i][decider]
		yes[rule] |= want[i]
		no[rule] |= mask[i] &^ want[i]
		if yes[rule]&no[rule] != 0 {
			return false
		}
	}
	return true
}

// hasPlaces reports whether a claim has a place for a set of rules.
func hasPlaces(rules []narrowRule, set uint32) bool {
	var b permissions.Builder
	for i, r := range rules {
		if set>>i&1 != 0 {
			b.At(r.scopes()...).DenyAll()
		}
	}
	_, err := b.Build()
	return err == nil
}

func actsOnItself(action permissions.Permission, level permissions.Kind) bool {
	switch action {
	case permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite, permissions.Workflows:
		return level == permissions.KindConfiguration
	case permissions.CredentialWrite, permissions.ProxyAPI:
		return level >= permissions.KindCredential
	case permissions.ActionKit:
		return level != permissions.KindIntegration
	}
	return true
}

// targets returns the targets that tell the rules apart, with nothing unknown.
func (u *narrowUniverse) targets() (list []permissions.Target) {
	levels := func(names []string) (levels [][]permissions.Identifier) {
		ids := []permissions.Identifier{permissions.NoID()}
		externalIDs := []permissions.Identifier{permissions.NoExternalID()}
		for _, name := range names {
			if externalID, ok := strings.CutPrefix(name, "ext:"); ok {
				externalIDs = append(externalIDs, permissions.ExternalID(externalID))
			} else if name != "*" {
				ids = append(ids, permissions.ID(name))
			}
		}
		for _, id := range ids {
			for _, externalID := range externalIDs {
				levels = append(levels, []permissions.Identifier{id, externalID})
			}
		}
		return levels
	}
	list = append(list, permissions.User())
	for _, name := range append([]string{"other"}, u.integrations[1:]...) {
		list = append(list, permissions.Integration(name))
		for _, ids := range levels(u.credentials) {
			credential := permissions.Integration(name).Credential(ids...)
			list = append(list, credential)
			for _, ids := range levels(u.configurations) {
				list = append(list, credential.Configuration(ids...))
			}
		}
	}
	return list
}

// applying returns the numbers of the rules that apply to a target, the most specific first (SPEC 4.1, 4.5).
func applying(rules []narrowRule, target permissions.Target) (list []int) {
	set := permissions.NewPermissionSet(permissions.AllPermissions()...)
	const asked = permissions.Events // acts on every target itself
	for i, r := range rules {
		var b permissions.Builder
		b.At(r.scopes()...).Grant(set)
		if p, err := b.Build(); err == nil && p.Allowed(asked, target) {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(i, j int) int {
		var b permissions.Builder
		b.At(rules[i].scopes()...).DenyAll()
		b.At(rules[j].scopes()...).Grant(set)
		p, err := b.Build()
		if err != nil { // one is inside the other, which the claim has no place for
			return len(rules[j].scopes()) - len(rules[i].scopes())
		}
		if p.Allowed(asked, target) {
			return 1
		}
		return -1
	})
	return list
}

func TestNarrowIsBounded(t *testing.T) {
	claim := func(n int, member func(int) string) *permissions.Policy {
		var members []string
		for i := range n {
			members = append(members, member(i))
		}
		return permissions.MustParse("{" + strings.Join(members, ",") + "}")
	}
	id := func(i int) string { return fmt.Sprintf("%08x-aaaa-4000-8000-000000000000", i) }
	ids := func(n int, grant string) *permissions.Policy {
		return claim(n, func(i int) string { return `"credential:` + id(i) + `":` + grant })
	}
	teams := func(n int) *permissions.Policy {
		return claim(n, func(i int) string {
			return fmt.Sprintf(`"configuration:ext:team %d":["workflows","config:write"]`, i)
		})
	}
	long := func(scope, inner string) *permissions.Policy {
		return permissions.MustParse(`{"` + scope + strings.Repeat("x", 1<<19) + `":{` + inner + "}}")
	}
	many := func(kind string, n int) string {
		var list []string
		for i := range n {
			list = append(list, `"`+kind+":"+id(i)+`":["workflows"]`)
		}
		return strings.Join(list, ",")
	}
	ceiling := permissions.MustParse(`{"integration:*":["workflows","proxy-api"]}`)
	var longNames []permissions.Permission
	for i := range 50 {
		longNames = append(longNames, permissions.Permission(strings.Repeat("x", 1000)+strconv.Itoa(i)))
	}
	longGrants := func(n int) *permissions.Policy {
		var b permissions.Builder
		for i := range n {
			b.At(permissions.MustParseScope("credential:" + id(i))).Allow(longNames...)
		}
		p, err := b.Build(permissions.WithPermissions(longNames...))
		require.NoError(t, err)
		return p
	}
	integrations := claim(100, func(i int) string { return fmt.Sprintf(`"integration:i%d":["workflows"]`, i) })

	// Each integration has a grant in the first policy, and more specific rules in the second one.
	conflicts := func(n int, first, second, everywhere string) []*permissions.Policy {
		var one, two []string
		for i := range n {
			one = append(one, fmt.Sprintf(`"integration:i%d":%s`, i, first))
			two = append(two, fmt.Sprintf(`"integration:i%d":{"credential:%s":%s}`, i, id(0), second))
		}
		return []*permissions.Policy{
			permissions.MustParse(`{"integration:*":["events"],` + strings.Join(one, ",") + "}"),
			permissions.MustParse(`{"integration:*":` + everywhere + "," + strings.Join(two, ",") + "}"),
		}
	}

	for _, c := range []struct {
		name     string
		policies []*permissions.Policy
		tooLarge bool
	}{
		{"conflicts that have a solution", conflicts(1000, `["events","proxy-api"]`, "false", "true"), false},
		{"conflicts that take too many steps", conflicts(1400, `["events","proxy-api"]`, "false", "true"), true},
		{"too many conflicts", conflicts(5000, `["events","proxy-api"]`, "false", "true"), true},
		{"many rules and one", []*permissions.Policy{ids(10_000, "true"), ceiling}, false},
		{"the same rules", []*permissions.Policy{ids(10_000, "true"), ids(10_000, `["events"]`)}, false},
		{"rules that all meet", []*permissions.Policy{ids(100, "true"), teams(100)}, false},
		{"rules that all meet, in too many points to look at", []*permissions.Policy{ids(500, "true"), teams(500)}, true},
		{"too many rules that all meet", []*permissions.Policy{ids(3000, "true"), teams(3000)}, true},
		{"a long name above many", []*permissions.Policy{
			long("integration:", many("credential", 5000)), ceiling,
		}, false},
		{"a long external ID above many", []*permissions.Policy{
			long("credential:ext:", many("configuration", 5000)), ceiling,
		}, false},
		{"a long name that meets many", []*permissions.Policy{
			long("credential:ext:", many("configuration", 1)), integrations,
		}, true},
		{"long names of permissions", []*permissions.Policy{longGrants(300), longGrants(300)}, false},
		{"long names of permissions, too often", []*permissions.Policy{longGrants(340), longGrants(340)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			begun := time.Now()
			p, err := permissions.Narrow(c.policies...)
			require.Less(t, time.Since(begun), time.Minute)
			if !c.tooLarge {
				require.NoError(t, err)
				requireSame(t, narrowIntersection(t, c.policies...), p)
				return
			}
			require.Nil(t, p)
			var refused *permissions.NarrowError
			require.ErrorAs(t, err, &refused)
			require.ErrorIs(t, err, permissions.ErrNarrow)
			require.Empty(t, refused.Action)
			require.Zero(t, refused.Target)
			require.EqualError(t, err, "permissions: no claim says what the policies allow together: "+
				"the claim would be too large, because each rule of one policy meets many of another one; "+
				"narrow by fewer rules, or ask a policy of Intersect instead of signing a claim")
		})
	}
}

// Many conflicts do not keep Narrow from naming a question about one that has no solution.
func TestNarrowNamesAQuestionOfManyRules(t *testing.T) {
	var one, two []string
	for i := range 5000 {
		one = append(one, fmt.Sprintf(`"integration:i%d":["events"]`, i))
		two = append(two, fmt.Sprintf(`"integration:i%d":{"credential:ext:%d":false}`, i, i))
	}
	p, q := permissions.MustParse("{"+strings.Join(one, ",")+"}"),
		permissions.MustParse(`{"integration:*":["events"],`+strings.Join(two, ",")+"}")
	_, err := permissions.Narrow(p, q)
	var refused *permissions.NarrowError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, permissions.Events, refused.Action)
	require.Equal(t, refused.Allowed, narrowIntersection(t, p, q).Allowed(refused.Action, refused.Target))
	require.ErrorContains(t, err, "a claim cannot give integration:\"i")
}

// The first credential in slack can be denied outside of it, and the next ones cannot. Narrow looks at the next
// one too, although no rule names another integration.
func TestNarrowNamesAQuestionOfManyCredentials(t *testing.T) {
	inside := []string{`"credential:` + idA + `":["events","metadata:read","proxy-api"]`}
	for i := range 20_000 {
		inside = append(inside, fmt.Sprintf(`"credential:%08d-0000-4000-8000-000000000000":false`, i))
	}
	_, err := permissions.Narrow(
		permissions.MustParse(`{"integration:*":["events"],`+
			`"integration:slack":["events","metadata:read","proxy-api","settings:read"]}`),
		permissions.MustParse(`{"integration:*":true,"credential:`+idA+`":{"configuration:*":["events"]},`+
			`"integration:slack":{`+strings.Join(inside, ",")+"}}"))
	var refused *permissions.NarrowError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, permissions.MetadataRead, refused.Action)
	require.Equal(t, permissions.Integration("slack"), refused.Target)
	require.True(t, refused.Allowed)
}

// Each of many conflicts can be ended in two ways, and one more cannot be ended. Narrow looks at that one
// first, and does not try all combinations of ways for the others.
func TestNarrowNamesAQuestionOfTheConflictThatHasNoWay(t *testing.T) {
	var one, two []string
	for i := range 30 {
		name, id := fmt.Sprintf("integration:i%d", i), fmt.Sprintf("credential:%08d-0000-4000-8000-000000000000", i)
		one = append(one, `"`+name+`":["events","proxy-api","settings:read"]`)
		two = append(two, `"`+name+`":{"`+id+`":["events","proxy-api"]}`, `"`+id+`":{"configuration:*":["events"]}`)
	}
	claims := func(first, second string) []*permissions.Policy {
		return []*permissions.Policy{
			permissions.MustParse(`{"integration:*":["events"],` + strings.Join(one, ",") + first + "}"),
			permissions.MustParse(`{"integration:*":true,` + strings.Join(two, ",") + second + "}"),
		}
	}
	policies := claims("", "")
	p, err := permissions.Narrow(policies...)
	require.NoError(t, err)
	requireSame(t, narrowIntersection(t, policies...), p)

	_, err = permissions.Narrow(claims(
		`,"integration:last":["events","metadata:read"]`, `,"integration:last":{"credential:`+idA+`":false}`)...)
	var refused *permissions.NarrowError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, permissions.MetadataRead, refused.Action)
	require.Equal(t, permissions.Integration("last"), refused.Target)
	require.True(t, refused.Allowed)
}

// Where there are too many rules to try more paths for each, Narrow still names a question that no claim can
// answer.
func TestNarrowNamesAQuestionWhereMorePathsAreTooMany(t *testing.T) {
	for _, n := range []int{0, 300} {
		t.Run(fmt.Sprint(n, " more rules"), func(t *testing.T) {
			more := ""
			for i := range n {
				more += fmt.Sprintf(`,"integration:i%d":{"credential:ext:c%d":{"configuration:ext:f%d":["events"]}}`, i, i, i)
			}
			_, err := permissions.Narrow(
				permissions.MustParse(`{"integration:*":["events"],"credential:ext:y":true,`+
					`"credential:ext:x":{"configuration:`+idB+`":true},"integration:slack":{`+
					`"credential:`+idB+`":{"configuration:*":true},"credential:ext:y":{"configuration:ext:x":["events"]}}`+more+`}`),
				permissions.MustParse(`{"integration:*":true,"integration:slack":{"credential:*":true},`+
					`"credential:ext:y":{"configuration:ext:y":["events"]}}`))
			var refused *permissions.NarrowError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, permissions.CredentialWrite, refused.Action)
			require.True(t, refused.Allowed)
			y := permissions.ExternalID("y")
			require.Equal(t, permissions.Integration("other").Credential(permissions.NoID(), y), refused.Target)
			require.ErrorContains(t, err, `a claim cannot give integration:*/credential:ext:"y" a grant and more specific`)
		})
	}
}

// A question about an integration that no rule names gets a name that no rule has.
func TestNarrowNamesAnotherIntegration(t *testing.T) {
	_, err := permissions.Narrow(
		permissions.MustParse(`{"credential:`+idA+`":["proxy-api"],"integration:other":["proxy-api"]}`),
		permissions.MustParse(`{"integration:*":true,"credential:ext:x":false}`))
	var refused *permissions.NarrowError
	require.ErrorAs(t, err, &refused)
	name, _ := refused.Target.Lookup(permissions.IntegrationName)
	require.Equal(t, "other-2", name)
}
