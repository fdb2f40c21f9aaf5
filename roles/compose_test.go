package roles_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/roles"
)

// requireSame requires that two policies give the same answer to every small question.
func requireSame(t *testing.T, p, q *permissions.Policy) {
	t.Helper()
	for _, target := range targets() {
		for _, action := range permissions.AllPermissions() {
			require.Equal(t, p.Allowed(action, target), q.Allowed(action, target), "%s on %v", action, target)
		}
	}
}

type composeCase struct {
	Name      string
	Templates []json.RawMessage
	Want      json.RawMessage
}

type conflictCase struct {
	Name          string
	First, Second json.RawMessage
	Action        permissions.Permission
	Target        permissions.Target
	Message       string
}

func TestCompose(t *testing.T) {
	for _, c := range cases[composeCase](t, "compose.json") {
		t.Run(c.Name, func(t *testing.T) {
			var list []roles.Assignment
			for _, template := range c.Templates {
				list = append(list, roles.MustNew("r", string(template)).With(nil))
			}
			p, err := roles.Compose(list...)
			require.NoError(t, err)
			require.JSONEq(t, string(c.Want), claimOf(t, p))
			for i := range list { // the order does not matter
				list[0], list[i] = list[i], list[0]
				again, err := roles.Compose(list...)
				require.NoError(t, err)
				require.Equal(t, claimOf(t, p), claimOf(t, again))
			}
		})
	}
}

func TestComposeReportsConflicts(t *testing.T) {
	for _, c := range cases[conflictCase](t, "conflicts.json") {
		t.Run(c.Name, func(t *testing.T) {
			p, err := roles.Compose(
				roles.MustNew("first", string(c.First)).With(nil), roles.MustNew("second", string(c.Second)).With(nil))
			require.Nil(t, p)
			var conflict *roles.ConflictError
			require.ErrorAs(t, err, &conflict)
			require.ErrorIs(t, err, roles.ErrConflict)
			require.Equal(t, c.Action, conflict.Action)
			require.Equal(t, c.Target, conflict.Target)
			require.EqualError(t, err, "roles: conflict: "+c.Message)
		})
	}
}

// A list of all ten names is less than true for a reader that knows more permissions. Here the claim needs a rule
// for the configurations of the credential that has the ID, and it decides about those of external ID x too.
func TestComposeSaysTrueOnlyWhereARoleDoes(t *testing.T) {
	names, err := json.Marshal(permissions.AllPermissions())
	require.NoError(t, err)
	one := roles.MustNew("one", `{"credential:`+idA+`":true,"credential:ext:x":{"configuration:*":`+string(names)+`}}`)
	two := roles.MustNew("two", `{"configuration:*":["events"]}`)
	p, err := roles.Compose(one.With(nil), two.With(nil))
	require.NoError(t, err)
	later, err := permissions.Parse([]byte(claimOf(t, p)), permissions.WithPermissions("later"))
	require.NoError(t, err)
	credential := permissions.Integration("slack").Credential(permissions.ID(idA), permissions.ExternalID("x"))
	require.True(t, later.Allowed("later", credential))
	configuration := credential.Configuration(permissions.NoID(), permissions.NoExternalID())
	require.True(t, later.Allowed(permissions.Workflows, configuration))
	require.False(t, later.Allowed("later", configuration), claimOf(t, p))
}

func TestComposeRefusesTooManyCombinations(t *testing.T) {
	a := roles.MustNew("a", `{"credential:ext:${x}":["proxy-api"]}`)
	b := roles.MustNew("b", `{"configuration:ext:${x}":["workflows","proxy-api"]}`)
	p, err := roles.Compose(a.With(roles.Args{"x": many("a", 100)}), b.With(roles.Args{"x": many("b", 100)}))
	require.Nil(t, p)
	require.ErrorIs(t, err, roles.ErrConflict)
	require.EqualError(t, err, "roles: conflict: the names in the rules have more than 2000 combinations; "+
		"compose fewer roles, or roles that name less")
}

// targets returns every target with few names and nothing unknown.
func targets() (list []permissions.Target) {
	levels := [][]permissions.Identifier{
		{permissions.NoID(), permissions.NoExternalID()},
		{permissions.ID(idA), permissions.NoExternalID()},
		{permissions.NoID(), permissions.ExternalID("x")},
		{permissions.ID(idA), permissions.ExternalID("x")},
		{permissions.ID(idC), permissions.ExternalID("y")},
		{permissions.ID(idC), permissions.ExternalID("x")},
		{permissions.NoID(), permissions.ExternalID("y")},
	}
	list = append(list, permissions.User())
	for _, name := range []string{"slack", "jira", "else"} {
		list = append(list, permissions.Integration(name))
		for _, c := range levels {
			list = append(list, permissions.Integration(name).Credential(c...))
			for _, f := range levels {
				list = append(list, permissions.Integration(name).Credential(c...).Configuration(f...))
			}
		}
	}
	return list
}

// partialTargets returns targets in which identifiers are unknown.
func partialTargets() (list []permissions.Target) {
	levels := [][]permissions.Identifier{
		nil, {permissions.ID(idA)}, {permissions.ExternalID("x")}, {permissions.NoID()}, {permissions.NoExternalID()},
		{permissions.ID(idC), permissions.NoExternalID()},
	}
	for _, name := range []string{"slack", "else"} {
		for _, c := range levels {
			list = append(list, permissions.Integration(name).Credential(c...))
			for _, f := range levels {
				list = append(list, permissions.Integration(name).Credential(c...).Configuration(f...))
			}
		}
	}
	return list
}

// actsOnItself reports whether an action acts on a target and not on something below it (SPEC 3.3).
func actsOnItself(action permissions.Permission, target permissions.Target) bool {
	switch action {
	case permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite, permissions.Workflows:
		return target.Level() == permissions.KindConfiguration
	case permissions.CredentialWrite, permissions.ProxyAPI:
		return target.Level() >= permissions.KindCredential
	case permissions.ActionKit:
		return target.Level() != permissions.KindIntegration
	}
	return true
}

// randomTemplate returns a claim with a few rules.
func randomTemplate(g *rand.Rand) string {
	pick := func(list ...string) string { return list[g.IntN(len(list))] }
	for {
		var b permissions.Builder
		for range 1 + g.IntN(4) {
			path := []permissions.Scope{permissions.MustParseScope("integration:" + pick("*", "*", "slack", "jira"))}
			if g.IntN(3) > 0 {
				path = append(path, permissions.MustParseScope("credential:"+pick("*", idA, idC, "ext:x")))
			}
			if g.IntN(2) > 0 {
				path = append(path, permissions.MustParseScope("configuration:"+pick("*", idA, idC, "ext:x")))
			}
			at := b.At(path...)
			switch g.IntN(7) {
			case 0:
				at.AllowAll()
			case 1:
				at.DenyAll()
			case 2:
				at.Allow(permissions.Events, permissions.ProxyAPI)
			case 3:
				if g.IntN(2) == 0 {
					at.Allow(permissions.AllPermissions()...)
					continue
				}
				at.Allow(permissions.Workflows)
			default:
				name := pick("events", "proxy-api", "settings:write", "actionkit", "config:write")
				at.Allow(permissions.Permission(name))
			}
		}
		if p, err := b.Build(); err == nil {
			claim, err := json.Marshal(p)
			if err == nil {
				return string(claim)
			}
		}
	}
}

// saysAll reports whether a policy allows what some role allows, and nothing else.
func saysAll(p *permissions.Policy, some func(permissions.Permission, permissions.Target) bool) bool {
	for _, target := range targets() {
		for _, action := range permissions.AllPermissions() {
			if actsOnItself(action, target) && p.Allowed(action, target) != some(action, target) {
				return false
			}
		}
	}
	return true
}

// meet returns the path of the targets that two paths both match. Where one names an ID and the other one an external
// ID, it takes the ID.
func meet(a, b []permissions.Scope) (path []permissions.Scope, ok bool) {
	if len(a) < len(b) {
		a, b = b, a
	}
	path = slices.Clone(a)
	for i, s := range b {
		switch t := path[i]; {
		case s == t || s.IsWildcard():
		case t.IsWildcard() || t.IsExternal() && !s.IsExternal():
			path[i] = s
		case s.IsExternal() && !t.IsExternal():
		default:
			return nil, false
		}
	}
	return path, true
}

// targetOf returns the target that has the names of a path and nothing else.
func targetOf(path []permissions.Scope) permissions.Target {
	name := "else"
	if !path[0].IsWildcard() {
		name = path[0].Name()
	}
	t := permissions.Integration(name)
	for _, s := range path[1:] {
		ids := []permissions.Identifier{permissions.NoID(), permissions.NoExternalID()}
		switch {
		case s.IsWildcard():
		case s.IsExternal():
			ids[1] = permissions.ExternalID(s.Name())
		default:
			ids[0] = permissions.ID(s.Name())
		}
		if s.Kind() == permissions.KindCredential {
			t = t.Credential(ids...)
		} else {
			t = t.Configuration(ids...)
		}
	}
	return t
}

// findClaim looks for a claim that says what the roles say together. It tries all claims with rules at the
// meets of the roles' rules, if these are few.
func findClaim(
	policies map[string]*permissions.Policy, some func(permissions.Permission, permissions.Target) bool,
) *permissions.Policy {
	var paths [][]permissions.Scope
	add := func(path []permissions.Scope) {
		same := func(other []permissions.Scope) bool { return slices.Equal(path, other) }
		if !slices.ContainsFunc(paths, same) {
			paths = append(paths, path)
		}
	}
	for _, p := range policies {
		for rule := range p.Rules() {
			add(rule.Path())
		}
	}
	for i := 0; i < len(paths) && len(paths) <= 8; i++ {
		for j := range i {
			if path, ok := meet(paths[i], paths[j]); ok {
				add(path)
			}
		}
	}
	if len(paths) > 8 {
		return nil
	}
	for chosen := range 1 << len(paths) {
		var b permissions.Builder
		for i, path := range paths {
			var granted []permissions.Permission
			for _, action := range permissions.AllPermissions() {
				if some(action, targetOf(path)) {
					granted = append(granted, action)
				}
			}
			if chosen>>i&1 != 0 {
				b.At(path...).Allow(granted...)
			}
		}
		if p, err := b.Build(); err == nil && saysAll(p, some) {
			return p
		}
	}
	return nil
}

// TestComposeAllowsWhatSomeRoleAllows asks every small question about random roles.
func TestComposeAllowsWhatSomeRoleAllows(t *testing.T) {
	count := map[string]int{}
	all, partial := targets(), partialTargets()
	for seed := range uint64(3000) {
		g := rand.New(rand.NewPCG(seed, 2))
		names := []string{"a", "b", "c"}[:1+g.IntN(3)]
		var list []roles.Assignment
		var templates []string
		policies := map[string]*permissions.Policy{}
		for _, name := range names {
			template := randomTemplate(g)
			if len(templates) > 0 && g.IntN(8) == 0 {
				template = templates[0]
			}
			templates = append(templates, template)
			list = append(list, roles.MustNew(name, template).With(nil))
			policies[name] = permissions.MustParse(template)
		}
		p, err := roles.Compose(list...)
		some := func(action permissions.Permission, target permissions.Target) bool {
			for _, p := range policies {
				if p.Allowed(action, target) {
					return true
				}
			}
			return false
		}
		if err != nil {
			var conflict *roles.ConflictError
			require.ErrorAs(t, err, &conflict, "seed %d: %s", seed, templates)
			require.NotEmpty(t, conflict.Action)
			require.Equal(t, conflict.Grants != "", len(conflict.GrantsAt) > 0, "seed %d: %v", seed, err)
			require.Equal(t, conflict.Withholds != "", len(conflict.WithholdsAt) > 0, "seed %d: %v", seed, err)
			require.Equal(t, conflict.Withholds == "", conflict.Problem != "", "seed %d: %v", seed, err)
			require.NotEmpty(t, conflict.Remedy)
			require.Equal(t, conflict.Grants != "", some(conflict.Action, conflict.Target), "seed %d: %v", seed, err)
			if conflict.Grants != "" {
				grants := policies[conflict.Grants].Allowed(conflict.Action, conflict.Target)
				require.True(t, grants, "seed %d: %v", seed, err)
			}
			if conflict.Withholds != "" {
				grants := policies[conflict.Withholds].Allowed(conflict.Action, conflict.Target)
				require.False(t, grants, "seed %d: %v", seed, err)
				count["withheld"]++
			} else {
				count["inexpressible"]++
				for name, p := range policies {
					require.False(t, saysAll(p, some), "seed %d: role %s of %s: %v", seed, name, templates, err)
				}
				require.Nil(t, findClaim(policies, some), "seed %d: %s: %v", seed, templates, err)
			}
			continue
		}
		count["composed"]++
		for _, target := range all {
			for _, action := range permissions.AllPermissions() {
				if actsOnItself(action, target) {
					require.Equal(t, some(action, target), p.Allowed(action, target), "seed %d: %s on %v of %s: %v",
						seed, action, target, strings.Join(templates, " and "), p)
				}
			}
		}
		for _, target := range slices.Concat(all, partial) {
			for _, action := range permissions.AllPermissions() {
				if p.Allowed(action, target) {
					require.True(t, some(action, target), "seed %d: %s on %v of %s: %v",
						seed, action, target, strings.Join(templates, " and "), p)
				}
			}
		}
	}
	for _, sort := range []string{"withheld", "inexpressible", "composed"} {
		require.Greater(t, count[sort], 50, "%v", count)
	}
}

// A Role does not change, whatever a caller does with an error.
func TestConflictErrorHasPathsOfItsOwn(t *testing.T) {
	first := roles.MustNew("first", `{"integration:*":true,"integration:slack":false}`)
	second := roles.MustNew("second", `{"integration:slack":["events"]}`)
	for range 2 {
		_, err := roles.Compose(first.With(nil), second.With(nil))
		var conflict *roles.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.Equal(t, "integration:slack", conflict.WithholdsAt[0].String())
		require.Equal(t, "integration:slack", conflict.GrantsAt[0].String())
		conflict.WithholdsAt[0] = permissions.MustParseScope("integration:jira")
		conflict.GrantsAt[0] = permissions.MustParseScope("integration:jira")
	}
}

func TestAsManyCombinationsAsThereCanBe(t *testing.T) {
	a := roles.MustNew("a", `{"credential:ext:${x}":["proxy-api"]}`)
	b := roles.MustNew("b", `{"configuration:ext:${x}":["workflows","proxy-api"]}`)
	for _, c := range []struct {
		a, b int
		ok   bool
	}{{36, 52, true}, {39, 48, false}} {
		_, err := roles.Compose(a.With(roles.Args{"x": many("a", c.a)}), b.With(roles.Args{"x": many("b", c.b)}))
		if c.ok {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "more than 2000 combinations")
		}
	}
}
