package permissions_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

const (
	capitalUUID = "3FA85F64-5717-4562-B3FC-2C963F66AFA6"
	smallUUID   = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
)

// denseClaim writes a claim of many rules about few names, so that rules meet at both
// identifiers of a level and at two levels.
func (g generator) denseClaim() string {
	top := make(claimTree)
	integrations := []string{"*", "slack", "slack", "jira"}
	names := []string{"*", "a", "b", capitalUUID, "ext:a", "ext:b", "ext:" + capitalUUID}
	rules, least := 1+g.IntN(16), 1
	if g.chance(40) { // yes, but for much that is deep
		top.put([]string{"integration:*"}, "true")
		integrations, names = []string{"slack", "slack", "*"}, []string{"*", "a", "b", "ext:a", "ext:b", "ext:c"}
		rules, least = 4+g.IntN(30), 3
	}
	for range rules {
		credential, configuration := pick(g, names...), pick(g, names...)
		if least == 3 && credential == "*" && !strings.HasPrefix(configuration, "ext:") {
			continue // would hide what is less specific
		}
		path := []string{"integration:" + pick(g, integrations...), "credential:" + credential, "configuration:" + configuration}
		top.put(path[:least+g.IntN(4-least)], pick(g, "true", "false", `["config:write","credential:write"]`, `["proxy-api"]`))
	}
	return top.write(g)
}

// selectable returns what to try as an identifier: named, not named, none and open.
func selectable(names ...string) []string {
	return append(names, "a", "b", capitalUUID, smallUUID, "unheard of", permissions.None, "")
}

// checkSelection holds a selection against asking for each target.
func checkSelection(t *testing.T, p *permissions.Policy, action permissions.Permission, s permissions.Selection, about string, targets []permissions.Target) {
	t.Helper()
	if len(s.Conditions()) <= 2 {
		requireMinimal(t, s.Conditions(), about)
	}
	for _, target := range targets {
		require.Equal(t, p.Allowed(action, target), s.Allows(target), "%s\n%s on %+v\nconditions %+v", about, action, target, s.Conditions())
		id, externalID := lastLevel(target)
		if id == "" || externalID == "" || target.Validate() != nil {
			continue
		}
		require.Equal(t, s.Allows(target), holds(s.Conditions(), id, externalID), "%s\n%s on %+v\nconditions %+v", about, action, target, s.Conditions())
		sql, value := sqlFor(s, id, externalID)
		require.Equal(t, s.Allows(target), value, "%s\n%s on %+v\n%s", about, action, target, sql)
	}
}

// lastLevel returns the identifiers of the deepest thing that a target names.
func lastLevel(t permissions.Target) (id, externalID string) {
	switch {
	case t.ConfigurationID != "" || t.ConfigurationExternalID != "":
		return t.ConfigurationID, t.ConfigurationExternalID
	case t.CredentialID != "" || t.CredentialExternalID != "":
		return t.CredentialID, t.CredentialExternalID
	}
	return t.Integration, permissions.None
}

// holds is what the documentation says of conditions.
func holds(conditions []permissions.Condition, id, externalID string) bool {
	if id == capitalUUID {
		id = smallUUID
	}
	for _, c := range conditions {
		if slices.Contains(c.IDs, id) == c.NotIDs && slices.Contains(c.ExternalIDs, externalID) == c.NotExternalIDs {
			return false
		}
	}
	return true
}

// sqlFor returns the SQL for a row, and its value.
func sqlFor(s permissions.Selection, id, externalID string) (sql string, value bool) {
	row := func(name string) string {
		if name == permissions.None {
			return "NULL"
		}
		return "'" + name + "'"
	}
	if id == capitalUUID {
		id = smallUUID
	}
	sql = s.SQL(row(id), row(externalID), func(expr string, list []string) string {
		if len(list) == 0 {
			panic("an empty list")
		}
		if expr == "NULL" {
			return "NULL"
		}
		if slices.Contains(list, strings.Trim(expr, "'")) {
			return "TRUE"
		}
		return "FALSE"
	})
	e := sqlEvaluator{sql}
	v := e.or()
	if e.text != "" {
		panic("left of " + sql + ": " + e.text)
	}
	return sql, v == "TRUE"
}

// An sqlEvaluator evaluates the little SQL there is in a condition, with three values.
type sqlEvaluator struct{ text string }

func (e *sqlEvaluator) take(word string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(e.text), word)
	if ok {
		e.text = rest
	}
	return ok
}

func (e *sqlEvaluator) or() string {
	v := e.and()
	for e.take("OR") {
		w := e.and()
		switch {
		case v == "TRUE" || w == "TRUE":
			v = "TRUE"
		case v == "NULL" || w == "NULL":
			v = "NULL"
		}
	}
	return v
}

func (e *sqlEvaluator) and() string {
	v := e.not()
	for e.take("AND") {
		w := e.not()
		switch {
		case v == "FALSE" || w == "FALSE":
			v = "FALSE"
		case v == "NULL" || w == "NULL":
			v = "NULL"
		}
	}
	return v
}

func (e *sqlEvaluator) not() string {
	switch {
	case e.take("NOT"):
		return map[string]string{"TRUE": "FALSE", "FALSE": "TRUE", "NULL": "NULL"}[e.not()]
	case e.take("("):
		v := e.or()
		if !e.take(")") {
			panic("no parenthesis: " + e.text)
		}
		return v
	case e.take("1 = 1"), e.take("NULL IS NULL"):
		return "TRUE"
	case e.take("1 = 0"):
		return "FALSE"
	case e.take("'"):
		_, rest, _ := strings.Cut(e.text, "'")
		if e.text = rest; !e.take("IS NULL") {
			panic("no IS NULL: " + e.text)
		}
		return "FALSE"
	}
	for _, v := range []string{"TRUE", "FALSE", "NULL"} {
		if e.take(v) {
			return v
		}
	}
	panic("no SQL: " + e.text)
}

// TestSelectAgreesWithAllowed holds all selections of random policies, and of their
// intersections, against asking about every combination of named and unnamed identifiers.
func TestSelectAgreesWithAllowed(t *testing.T) {
	t.Parallel()
	asked := []permissions.Permission{permissions.CredentialWrite, permissions.ConfigWrite, permissions.ProxyAPI, "other"}
	conditions := make(map[int]int)
	for seed := range uint64(2000) {
		g := newGenerator(seed)
		var policies []*permissions.Policy
		var claims []string
		for range pick(g, 1, 1, 2, 3) {
			claim := pick(g, g.denseClaim, g.denseClaim, g.denseClaim, g.paths)()
			p, err := permissions.Parse([]byte(claim))
			if err != nil {
				continue
			}
			policies, claims = append(policies, p), append(claims, claim)
		}
		if g.chance(5) {
			policies, claims = append(policies, permissions.Unrestricted()), append(claims, "none")
		}
		if len(policies) == 0 {
			continue
		}
		p, err := permissions.Intersect(policies...)
		require.NoError(t, err)
		about := strings.Join(claims, "\n")
		action := pick(g, append(asked, permissions.ConfigWrite)...)

		s := p.SelectIntegrations(action)
		var targets []permissions.Target
		for _, name := range selectable(append(integrationNames, "jira", "a*", "ext:x", "*")...) {
			targets = append(targets, permissions.Target{Integration: name})
		}
		checkSelection(t, p, action, s, about, targets[:len(targets)-1]) // without the user
		require.LessOrEqual(t, len(s.Conditions()), 1, about)

		integration := pick(g, "slack", "slack", "jira", "Slack", "x:y")
		s = p.SelectCredentials(action, integration)
		conditions[len(s.Conditions())]++
		targets = nil
		for _, id := range selectable(append(slices.Clone(objectIDs), "a*", "ext:a")...) {
			for _, externalID := range selectable(append(slices.Clone(externalIDs), "*", "ext:a")...) {
				if id != "" || externalID != "" {
					targets = append(targets, permissions.Target{Integration: integration, CredentialID: id, CredentialExternalID: externalID})
				}
			}
		}
		checkSelection(t, p, action, s, about, targets)

		credential := permissions.Target{
			Integration: integration, CredentialID: pick(g, selectable()...), CredentialExternalID: pick(g, selectable()...),
		}
		s = p.SelectConfigurations(action, credential)
		if credential.CredentialID == "" && credential.CredentialExternalID == "" {
			require.Equal(t, permissions.Selection{}, s, "an integration has no configurations")
			continue
		}
		conditions[len(s.Conditions())]++
		targets = nil
		for _, id := range selectable(objectIDs...) {
			for _, externalID := range selectable(externalIDs...) {
				if id != "" || externalID != "" {
					target := credential
					target.ConfigurationID, target.ConfigurationExternalID = id, externalID
					targets = append(targets, target)
				}
			}
		}
		checkSelection(t, p, action, s, fmt.Sprintf("%s\nof %+v", about, credential), targets)
	}
	for n := range 4 {
		assert.GreaterOrEqual(t, conditions[n], 5, "selections with %d conditions: %v", n, conditions)
	}
}

// requireMinimal requires that every name in every condition matters for something.
func requireMinimal(t *testing.T, conditions []permissions.Condition, about string) {
	t.Helper()
	ids, externalIDs := []string{permissions.None}, []string{permissions.None}
	for _, c := range conditions {
		ids, externalIDs = append(ids, c.IDs...), append(externalIDs, c.ExternalIDs...)
	}
	differs := func(less []permissions.Condition) bool {
		for _, id := range ids {
			for _, externalID := range externalIDs {
				if holds(conditions, id, externalID) != holds(less, id, externalID) {
					return true
				}
			}
		}
		return false
	}
	for i, c := range conditions {
		for j := range c.IDs {
			less := slices.Clone(conditions)
			less[i].IDs = slices.Delete(slices.Clone(c.IDs), j, j+1)
			require.True(t, differs(less), "%s\n%+v: ID %q", about, conditions, c.IDs[j])
		}
		for j := range c.ExternalIDs {
			less := slices.Clone(conditions)
			less[i].ExternalIDs = slices.Delete(slices.Clone(c.ExternalIDs), j, j+1)
			require.True(t, differs(less), "%s\n%+v: external ID %q", about, conditions, c.ExternalIDs[j])
		}
		require.True(t, differs(slices.Delete(slices.Clone(conditions), i, i+1)), "%s\n%+v: condition %d", about, conditions, i)
	}
}

// TestSelectConditions pins what selections of common policies look like.
func TestSelectConditions(t *testing.T) {
	t.Parallel()
	both := func(p *permissions.Policy, claim string) *permissions.Policy {
		p, err := permissions.Intersect(p, permissions.MustParse(claim))
		require.NoError(t, err)
		return p
	}
	all, none := []permissions.Condition(nil), []permissions.Condition{{}}
	inSlack := permissions.Target{Integration: "slack", CredentialID: "c1", CredentialExternalID: permissions.None}
	for _, c := range []struct {
		name   string
		claim  string
		ask    func(*permissions.Policy) permissions.Selection
		want   []permissions.Condition
		sql    string
		tested [][]string // the lists of the tests, in their order
	}{
		{
			name: "all", claim: `{"integration:*": true}`, want: all, sql: "(1 = 1)",
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectCredentials(permissions.ProxyAPI, "slack")
			},
		},
		{
			name: "nothing", claim: `{"integration:*": true, "credential:*": false}`, want: none, sql: "(1 = 0)",
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectCredentials(permissions.ProxyAPI, "slack")
			},
		},
		{
			name:  "no, except these",
			claim: `{"integration:slack": {"credential:b": true, "credential:a": true, "credential:ext:x": ["proxy-api"], "credential:c": ["events"]}}`,
			want: []permissions.Condition{
				{IDs: []string{"c"}, NotIDs: true}, {IDs: []string{"a", "b"}, ExternalIDs: []string{"x"}},
			},
			sql:    "((i IS NULL OR NOT (i in 1)) AND ((i in 2) OR (e in 3)))",
			tested: [][]string{{"c"}, {"a", "b"}, {"x"}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectCredentials(permissions.ProxyAPI, "slack")
			},
		},
		{
			name:  "yes, except these",
			claim: `{"integration:*": true, "integration:slack": {"credential:b": true, "credential:a": false, "credential:ext:x": []}}`,
			want: []permissions.Condition{
				{IDs: []string{"a"}, NotIDs: true}, {IDs: []string{"b"}, ExternalIDs: []string{"x"}, NotExternalIDs: true},
			},
			sql:    "((i IS NULL OR NOT (i in 1)) AND ((i in 2) OR (e IS NULL OR NOT (e in 3))))",
			tested: [][]string{{"a"}, {"b"}, {"x"}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectCredentials(permissions.ProxyAPI, "slack")
			},
		},
		{
			name:  "names that change nothing are left out",
			claim: `{"integration:*": false, "credential:a": false, "credential:ext:x": ["events"], "integration:jira": {"credential:b": true}, "credential:c": true}`,
			want:  []permissions.Condition{{IDs: []string{"c"}}}, sql: "(i in 1)", tested: [][]string{{"c"}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectCredentials(permissions.ProxyAPI, "slack")
			},
		},
		{
			name:  "a UUID in lower case",
			claim: `{"credential:` + capitalUUID + `": true, "credential:ext:` + capitalUUID + `": true}`,
			want:  []permissions.Condition{{IDs: []string{smallUUID}, ExternalIDs: []string{capitalUUID}}},
			sql:   "((i in 1) OR (e in 2))", tested: [][]string{{smallUUID}, {capitalUUID}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectCredentials(permissions.ProxyAPI, "slack")
			},
		},
		{
			name:  "integrations",
			claim: `{"integration:*": true, "integration:slack": false, "integration:jira": ["events"], "integration:x": ["proxy-api"]}`,
			want:  []permissions.Condition{{IDs: []string{"jira", "slack"}, NotIDs: true}},
			sql:   "(i IS NULL OR NOT (i in 1))", tested: [][]string{{"jira", "slack"}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectIntegrations(permissions.ProxyAPI)
			},
		},
		{
			name:  "integrations to connect to, of which one has a credential that may be the denied one",
			claim: `{"integration:*": true, "integration:slack": {"credential:ext:x": false}, "integration:jira": {"credential:*": false}, "integration:x": {"credential:a": false}}`,
			want:  []permissions.Condition{{IDs: []string{"jira", "slack"}, NotIDs: true}},
			sql:   "(i IS NULL OR NOT (i in 1))", tested: [][]string{{"jira", "slack"}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectIntegrations(permissions.CredentialWrite)
			},
		},
		{
			name:  "configurations, whatever the credential's external ID is",
			claim: `{"integration:*": true, "credential:ext:t": {"configuration:f": false, "configuration:ext:y": true}, "configuration:ext:x": false}`,
			want:  []permissions.Condition{{IDs: []string{"f"}, NotIDs: true}, {ExternalIDs: []string{"x"}, NotExternalIDs: true}},
			sql:   "((i IS NULL OR NOT (i in 1)) AND (e IS NULL OR NOT (e in 2)))", tested: [][]string{{"f"}, {"x"}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectConfigurations(permissions.Workflows, permissions.Target{Integration: "slack", CredentialID: "c1"})
			},
		},
		{
			name:  "configurations of a credential without an external ID",
			claim: `{"integration:*": true, "credential:ext:t": {"configuration:f": false, "configuration:ext:y": true}, "configuration:ext:x": false}`,
			want:  []permissions.Condition{{ExternalIDs: []string{"x"}, NotExternalIDs: true}},
			sql:   "(e IS NULL OR NOT (e in 1))", tested: [][]string{{"x"}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectConfigurations(permissions.Workflows, inSlack)
			},
		},
		{
			name:  "credentials to create under: a deeper rule by external ID stands above one by ID",
			claim: `{"credential:a": true, "credential:ext:x": {"configuration:*": false}}`,
			want:  []permissions.Condition{{IDs: []string{"a"}}, {ExternalIDs: []string{"x"}, NotExternalIDs: true}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectCredentials(permissions.ConfigWrite, "slack")
			},
			sql: "((e IS NULL OR NOT (e in 1)) AND (i in 2))", tested: [][]string{{"x"}, {"a"}},
		},
		{
			name:  "whatever is open, a rule of the integration stands above one of any",
			claim: `{"integration:*": true, "credential:ext:t": {"configuration:f": false, "configuration:g": false}, "integration:slack": {"credential:ext:t": {"configuration:f": true}}}`,
			want:  []permissions.Condition{{IDs: []string{"g"}, NotIDs: true}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return p.SelectConfigurations(permissions.Workflows, permissions.Target{Integration: "slack", CredentialID: "c1"})
			},
			sql: "(i IS NULL OR NOT (i in 1))", tested: [][]string{{"g"}},
		},
		{
			name:  "an intersection: what one part excludes, the other need not",
			claim: `{"credential:b": true}`,
			want:  []permissions.Condition{{IDs: []string{"b"}}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return both(p, `{"integration:*": true, "credential:ext:x": {"configuration:*": true}, "credential:a": false}`).
					SelectCredentials(permissions.ConfigWrite, "slack")
			},
			sql: "(i in 1)", tested: [][]string{{"b"}},
		},
		{
			name:  "an intersection: what one part demands, the other need not mention",
			claim: `{"credential:a": true}`,
			want:  []permissions.Condition{{IDs: []string{"a"}}, {ExternalIDs: []string{"x"}}},
			ask: func(p *permissions.Policy) permissions.Selection {
				return both(p, `{"integration:*": true, "credential:ext:x": {"configuration:*": true}, "credential:a": false}`).
					SelectCredentials(permissions.ConfigWrite, "slack")
			},
			sql: "((e in 1) AND (i in 2))", tested: [][]string{{"x"}, {"a"}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := c.ask(permissions.MustParse(c.claim))
			assert.ElementsMatch(t, c.want, s.Conditions())
			var tested [][]string
			sql := s.SQL("i", "e", func(expr string, list []string) string {
				tested = append(tested, list)
				return fmt.Sprintf("%s in %d", expr, len(tested))
			})
			assert.Equal(t, c.sql, sql)
			assert.Equal(t, c.tested, tested)
		})
	}
}

// TestSelectNothing has all that selects nothing, because it is no question or no policy.
func TestSelectNothing(t *testing.T) {
	t.Parallel()
	all := permissions.MustParse(`{"integration:*": true}`)
	credential := permissions.Target{Integration: "slack", CredentialID: "c1"}
	with := func(change func(*permissions.Target)) permissions.Target {
		target := credential
		change(&target)
		return target
	}
	ceiling, err := permissions.Intersect(all, nil)
	require.NoError(t, err)
	for name, s := range map[string]permissions.Selection{
		"zero":                         {},
		"no policy":                    (*permissions.Policy)(nil).SelectCredentials(permissions.ProxyAPI, "slack"),
		"zero policy":                  new(permissions.Policy).SelectCredentials(permissions.ProxyAPI, "slack"),
		"no policy, integrations":      (*permissions.Policy)(nil).SelectIntegrations(permissions.ProxyAPI),
		"no policy, configurations":    (*permissions.Policy)(nil).SelectConfigurations(permissions.ProxyAPI, credential),
		"no policy in an intersection": ceiling.SelectCredentials(permissions.ProxyAPI, "slack"),
		"no action":                    all.SelectCredentials("", "slack"),
		"no action, integrations":      all.SelectIntegrations(""),
		"no action, unrestricted":      permissions.Unrestricted().SelectIntegrations(""),
		"no integration":               all.SelectCredentials(permissions.ProxyAPI, ""),
		"integration none":             all.SelectCredentials(permissions.ProxyAPI, permissions.None),
		"integration *":                all.SelectCredentials(permissions.ProxyAPI, "*"),
		"unrestricted, integration *":  permissions.Unrestricted().SelectCredentials(permissions.ProxyAPI, "*"),
		"of the user":                  all.SelectConfigurations(permissions.ProxyAPI, permissions.Target{}),
		"of an integration":            all.SelectConfigurations(permissions.ProxyAPI, permissions.Target{Integration: "slack"}),
		"of a configuration":           all.SelectConfigurations(permissions.ProxyAPI, with(func(t *permissions.Target) { t.ConfigurationID = "f" })),
		"of an invalid credential":     all.SelectConfigurations(permissions.ProxyAPI, with(func(t *permissions.Target) { t.CredentialID = "a*" })),
		"of a credential nowhere":      all.SelectConfigurations(permissions.ProxyAPI, with(func(t *permissions.Target) { t.Integration = "" })),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, permissions.Selection{}, s)
			assert.Equal(t, []permissions.Condition{{}}, s.Conditions())
			assert.Equal(t, "(1 = 0)", s.SQL("i", "e", nil), "there is nothing to test")
			for _, target := range []permissions.Target{{}, {Integration: "slack"}, credential, with(func(t *permissions.Target) { t.ConfigurationID = "f" })} {
				assert.False(t, s.Allows(target), "%v", target)
			}
		})
	}
}

// TestSelectAllowsElsewhere has targets that a selection which has everything does not
// have, because it is about others.
func TestSelectAllowsElsewhere(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]*permissions.Policy{
		"a claim": permissions.MustParse(`{"integration:*": true}`), "no claim": permissions.Unrestricted(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, slack := permissions.Target{}, permissions.Target{Integration: "slack"}
			credential := permissions.Target{Integration: "slack", CredentialID: capitalUUID, CredentialExternalID: "x"}
			configuration := permissions.Target{Integration: "slack", CredentialID: smallUUID, CredentialExternalID: "x", ConfigurationID: "f"}

			s := p.SelectIntegrations(permissions.Workflows)
			assert.True(t, s.Allows(slack))
			for _, target := range []permissions.Target{user, credential, configuration, {Integration: "*"}, {Integration: permissions.None}} {
				assert.False(t, s.Allows(target), "%v", target)
			}

			s = p.SelectCredentials(permissions.Workflows, "slack")
			assert.True(t, s.Allows(credential))
			for _, target := range []permissions.Target{
				user, slack, configuration, {Integration: "jira", CredentialID: smallUUID}, {CredentialID: smallUUID},
				{Integration: "slack", CredentialID: " "}, {Integration: "slack", CredentialExternalID: "*"},
			} {
				assert.False(t, s.Allows(target), "%v", target)
			}

			s = p.SelectConfigurations(permissions.Workflows, credential)
			assert.True(t, s.Allows(configuration))
			other := func(change func(*permissions.Target)) permissions.Target {
				target := configuration
				change(&target)
				return target
			}
			for _, target := range []permissions.Target{
				user, slack, credential,
				other(func(t *permissions.Target) { t.Integration = "jira" }),
				other(func(t *permissions.Target) { t.CredentialID = "b" }),
				other(func(t *permissions.Target) { t.CredentialID = "" }),
				other(func(t *permissions.Target) { t.CredentialExternalID = "X" }),
				other(func(t *permissions.Target) { t.CredentialExternalID = "" }),
				other(func(t *permissions.Target) { t.CredentialExternalID = permissions.None }),
				other(func(t *permissions.Target) { t.ConfigurationID = "ext:y" }),
			} {
				assert.False(t, s.Allows(target), "%v", target)
			}
		})
	}
}

// TestSelectIsImmutable has what Conditions and SQL hand out be changed by the caller.
func TestSelectIsImmutable(t *testing.T) {
	t.Parallel()
	p := permissions.MustParse(`{"integration:slack": {"credential:a": true, "credential:b": true, "credential:ext:x": true}}`)
	s := p.SelectCredentials(permissions.ProxyAPI, "slack")
	target := permissions.Target{Integration: "slack", CredentialID: "evil", CredentialExternalID: permissions.None}
	require.False(t, s.Allows(target))
	for _, c := range s.Conditions() {
		for i := range c.IDs {
			c.IDs[i] = "evil"
		}
	}
	s.SQL("i", "e", func(_ string, list []string) string {
		for i := range list {
			list[i] = "evil"
		}
		return ""
	})
	assert.False(t, s.Allows(target))
	assert.Equal(t, []permissions.Condition{{IDs: []string{"a", "b"}, ExternalIDs: []string{"x"}}}, s.Conditions())
}

// TestSelectDeclared has parts of an intersection know different permissions.
func TestSelectDeclared(t *testing.T) {
	t.Parallel()
	knows := permissions.MustParse(`{"credential:a": ["custom"], "credential:b": true, "credential:c": ["custom"]}`, permissions.WithPermissions("custom"))
	p, err := permissions.Intersect(knows, permissions.MustParse(`{"integration:*": true, "credential:c": ["events"]}`))
	require.NoError(t, err)
	assert.Equal(t, []permissions.Condition{{IDs: []string{"a", "b"}}}, p.SelectCredentials("custom", "slack").Conditions())
}

// TestSelectHostile has claims that would make a selection explode, were it made of pairs.
func TestSelectHostile(t *testing.T) {
	t.Parallel()
	const n = 300
	var scopes []string
	for i := range n {
		scopes = append(scopes, fmt.Sprintf(`"credential:ext:e%d": {"configuration:ext:x%d": false}, "credential:i%d": {"configuration:ext:x%d": true}`, i, i, i, i))
	}
	p := permissions.MustParse(`{"integration:*": true, ` + strings.Join(scopes, ", ") + "}")
	s := p.SelectCredentials(permissions.ConfigWrite, "slack")
	require.Len(t, s.Conditions(), n)
	names := 0
	for _, c := range s.Conditions() {
		names += len(c.IDs) + len(c.ExternalIDs)
	}
	assert.Equal(t, 2*n, names)
	for i := range n {
		target := permissions.Target{Integration: "slack", CredentialID: fmt.Sprintf("i%d", i), CredentialExternalID: fmt.Sprintf("e%d", i)}
		assert.True(t, s.Allows(target))
		target.CredentialExternalID = fmt.Sprintf("e%d", (i+1)%n)
		assert.False(t, s.Allows(target))
	}
}
