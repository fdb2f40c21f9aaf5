package permissions_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// Columns of tables that are checked, so that conditions are short.
var (
	checkedCredentials = permissions.Columns{
		Integration: permissions.CheckedColumn("integration"), CredentialID: permissions.UUIDColumn("id"),
		CredentialExternalID: permissions.CheckedColumn("ext"),
	}
	checkedTexts = permissions.Columns{
		Integration: permissions.CheckedColumn("integration"), CredentialID: permissions.CheckedColumn("id"),
		CredentialExternalID:    permissions.CheckedColumn("ext"),
		ConfigurationID:         permissions.CheckedColumn("f.id"),
		ConfigurationExternalID: permissions.CheckedColumn("f.ext"),
	}
	uncheckedCredentials = permissions.Columns{
		Integration: permissions.TextColumn("integration"), CredentialID: permissions.TextColumn("id"),
		CredentialExternalID: permissions.TextColumn("ext"),
	}
)

// conditionsFile has the texts that TestSelectionWhere expects. After a change, write it anew with
// CONNECTPERMS_UPDATE=1 go test -run 'TestSelectionWhere$' . and read the difference.
const conditionsFile = "testdata/conditions.txt"

// TestSelectionWhere pins the conditions of common policies.
func TestSelectionWhere(t *testing.T) {
	const (
		manyIntegrations = `{"integration:a": {"credential:ext:x": true}, "integration:b": {"credential:ext:x": true},
			"integration:c": {"credential:ext:x": true}, "integration:d": {"credential:ext:x": true},
				"integration:e": {"credential:ext:y": true}}`
		noExcept = `{"credential:` + idA + `": true, "credential:ext:x": ["proxy-api"], "credential:` + idB +
			`": ["events"]}`
		yesExcept = `{"integration:*": true, "integration:slack": {"credential:` + idA +
			`": false, "credential:ext:x": []}}`
		byID = `{"credential:` + idA + `": true, "credential:` + idB + `": true}`
		all  = `{"integration:*": true}`
	)
	everywhere := permissions.User()
	denyMany := `{"integration:*": true,` + strings.ReplaceAll(manyIntegrations[1:], `": true`, `": false`)
	credentials := func(within permissions.Target) func(*permissions.Policy) permissions.Selection {
		return func(p *permissions.Policy) permissions.Selection {
			return p.SelectCredentials(permissions.ProxyAPI, within)
		}
	}
	configurations := func(within permissions.Target) func(*permissions.Policy) permissions.Selection {
		return func(p *permissions.Policy) permissions.Selection {
			return p.SelectConfigurations(permissions.Workflows, within)
		}
	}
	byForeignKey := permissions.Columns{
		CredentialID:    permissions.CheckedColumn("credential_id"),
		ConfigurationID: permissions.CheckedColumn("id"), ConfigurationExternalID: permissions.CheckedColumn("ext"),
	}
	noExternalID := checkedTexts
	noExternalID.CredentialExternalID = permissions.NoColumn()
	noExternalIDs := noExternalID
	noExternalIDs.ConfigurationExternalID = permissions.NoColumn()
	checkedByID := slack.Credential(permissions.ID(idUpper), permissions.NoExternalID())
	var b strings.Builder
	for _, c := range []struct {
		name    string
		claim   string
		ask     func(*permissions.Policy) permissions.Selection
		dialect permissions.Dialect
		columns permissions.Columns
	}{
		{"everything of one integration", all, credentials(slack), permissions.PostgreSQL, checkedCredentials},
		{"everything of all integrations", all, credentials(everywhere), permissions.PostgreSQL, checkedCredentials},
		{"nothing", `{"integration:*": true, "credential:*": false}`, credentials(slack), permissions.PostgreSQL,
			checkedCredentials},
		{"no, except some", noExcept, credentials(everywhere), permissions.PostgreSQL, checkedCredentials},
		{"yes, except some", yesExcept, credentials(slack), permissions.PostgreSQL, checkedCredentials},
		{"yes, except some, with question marks", yesExcept, credentials(slack), permissions.PostgreSQLQuestionMarks,
			checkedCredentials},
		{"checked IDs in PostgreSQL", byID, credentials(everywhere), permissions.PostgreSQL, checkedTexts},
		{"checked IDs in MariaDB", byID, credentials(everywhere), permissions.MariaDB, checkedTexts},
		{"checked IDs in SQLite", byID, credentials(everywhere), permissions.SQLite, checkedTexts},
		{"uuid in MariaDB", byID, credentials(everywhere), permissions.MariaDB, checkedCredentials},
		{"unchecked in PostgreSQL", byID, credentials(everywhere), permissions.PostgreSQL, uncheckedCredentials},
		{"unchecked in MariaDB", byID, credentials(everywhere), permissions.MariaDB, uncheckedCredentials},
		{"unchecked in SQLite", byID, credentials(everywhere), permissions.SQLite, uncheckedCredentials},
		{"few integrations", `{"integration:a": {"credential:ext:x": true},
			"integration:b": {"credential:ext:y": true}}`, credentials(everywhere), permissions.PostgreSQL,
			checkedCredentials},
		{"few integrations in MariaDB", `{"integration:a": {"credential:ext:x": true},
			"integration:b": {"credential:ext:y": true}}`, credentials(everywhere), permissions.MariaDB, checkedTexts},
		{"many integrations", manyIntegrations, credentials(everywhere), permissions.PostgreSQL, checkedCredentials},
		{"many integrations in MariaDB", manyIntegrations, credentials(everywhere), permissions.MariaDB,
			checkedCredentials},
		{"many integrations in SQLite", manyIntegrations, credentials(everywhere), permissions.SQLite, checkedTexts},
		{"many integrations that deny", denyMany, credentials(everywhere), permissions.PostgreSQL, checkedCredentials},
		{"many integrations with IDs", strings.ReplaceAll(manyIntegrations, "ext:x", idA), credentials(everywhere),
			permissions.MariaDB, checkedCredentials},
		{"configurations of a credential", `{"integration:*": true, "configuration:ext:x": false}`,
			configurations(checkedByID), permissions.SQLite, byForeignKey},
		{"configurations of a credential, with its other columns", all, configurations(checkedByID),
			permissions.PostgreSQL, checkedTexts},
		{
			"configurations of a credential by its external ID", all,
			configurations(slack.Credential(permissions.ExternalID("x"),
				permissions.NoID())), permissions.PostgreSQL, checkedTexts,
		},
		{"configurations of a credential that nobody can name", all, configurations(slack.Credential()),
			permissions.PostgreSQL, checkedTexts},
		{"exceptions of an external ID that is unknown", `{"integration:*": true, "credential:ext:x": {
			"configuration:` + idA + `": true, "configuration:ext:y": false
		}, "credential:ext:z": {"configuration:` + idB + `": true, "configuration:*": false}}`,
			configurations(slack.Credential(permissions.ID(idA))), permissions.PostgreSQL, checkedTexts},
		{"rules of one integration beside those of all", `{"credential:` + idA + `": true, "credential:ext:x": true,
			"integration:slack": {"credential:` + idA + `": false, "credential:ext:x": false,
				"credential:` + idB + `": true}}`,
			credentials(everywhere), permissions.PostgreSQL, checkedCredentials},
		{"all integrations with uuid in MariaDB", strings.NewReplacer("ext:x", idA, "ext:y",
			idA).Replace(manyIntegrations),
			credentials(everywhere), permissions.MariaDB, checkedCredentials},
		{"no external ID in any row", `{"integration:*": true, "credential:ext:x": false}`, credentials(everywhere),
			permissions.SQLite, noExternalID},
		{"no external ID in any row, and rules for IDs", noExcept, credentials(everywhere), permissions.SQLite,
			noExternalID},
		{"no external ID at all", `{"credential:ext:x": true, "configuration:ext:y": true, "configuration:` + idA +
			`": true}`, configurations(everywhere), permissions.SQLite, noExternalIDs},
		{"visible credentials", `{"credential:` + idA + `": false, "credential:ext:x": true}`,
			func(p *permissions.Policy) permissions.Selection { return p.VisibleCredentials(slack) },
			permissions.PostgreSQL, checkedCredentials},
		{"visible configurations, for any permission", `{"credential:ext:x": ["workflows"], "credential:ext:y": true,
			"configuration:ext:z": false}`,
			func(p *permissions.Policy) permissions.Selection { return p.VisibleConfigurations(everywhere) },
			permissions.PostgreSQL, checkedTexts},
	} {
		where, args, err := c.ask(permissions.MustParse(c.claim)).Where(c.dialect, c.columns, "before")
		require.NoError(t, err)
		fmt.Fprintf(&b, "== %s\n%s\n", c.name, where)
		for i, arg := range args {
			fmt.Fprintf(&b, "%d: %q\n", i+1, arg)
		}
		b.WriteByte('\n')
	}
	if os.Getenv("CONNECTPERMS_UPDATE") != "" {
		require.NoError(t, os.WriteFile(conditionsFile, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(conditionsFile)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

// TestSelectionWhereLongNames requires that a long name is not repeated for each of many rows in it.
func TestSelectionWhereLongNames(t *testing.T) {
	claim := fill(200_000, `{"integration:`+strings.Repeat("long", 20_000)+`":{`, unit(`"credential:ext:%d":true`),
		"}")
	for i := range 5 {
		claim += fmt.Sprintf(`,"integration:%d":{"credential:ext:x":true}`, i)
	}
	_, args, err := permissions.MustParse(claim+"}").SelectCredentials(permissions.ProxyAPI, permissions.User()).
		Where(permissions.PostgreSQL, checkedCredentials)
	require.NoError(t, err)
	total := 0
	for _, arg := range args {
		total += len(arg.(string))
	}
	require.Less(t, total, 300_000)
}

// TestSelectionWhereKeepsTheCallersArguments appends to a slice that has room.
func TestSelectionWhereKeepsTheCallersArguments(t *testing.T) {
	before := append(make([]any, 0, 10), "owner", 42)
	p := permissions.MustParse(`{"credential:ext:x": true}`)
	_, first, err := p.SelectCredentials(permissions.ProxyAPI, slack).Where(permissions.PostgreSQL, checkedCredentials,
		before...)
	require.NoError(t, err)
	_, second, err := p.SelectCredentials(permissions.ProxyAPI,
		permissions.Integration("jira")).Where(permissions.PostgreSQL, checkedCredentials, before...)
	require.NoError(t, err)
	require.Equal(t, []any{"owner", 42, `{"slack"}`, `{"x"}`}, first)
	require.Equal(t, []any{"owner", 42, `{"jira"}`, `{"x"}`}, second)
}

// TestSelectionWhereQuotes has texts that end an array of PostgreSQL, a JSON string or an SQL string, if
// they are not quoted. No part of them is in the condition.
func TestSelectionWhereQuotes(t *testing.T) {
	p := permissions.MustParse(`{"credential:ext:it's \"q\" \\ {$1,?}": true}`)
	for dialect, want := range map[permissions.Dialect]string{
		permissions.PostgreSQL: `{"it's \"q\" \\ {$1,?}"}`,
		permissions.MariaDB:    `it's "q" \ {$1,?}`,
		permissions.SQLite:     `it's "q" \ {$1,?}`,
	} {
		where, args, err := p.SelectCredentials(permissions.ProxyAPI, permissions.User()).Where(dialect,
			uncheckedCredentials)
		require.NoError(t, err)
		require.Equal(t, want, args[0])
		require.NotContains(t, where, "q\"")
		require.NotContains(t, where, "it's")
	}
}

// TestSelectionWhereQuotesInJSON is the same for a list that is JSON.
func TestSelectionWhereQuotesInJSON(t *testing.T) {
	claim := fill(10_000, `{"credential:ext:it's \"q\" \\ {$1,?}": true,`, unit(`"credential:ext:%d": true`), "}")
	_, args, err := permissions.MustParse(claim).SelectCredentials(permissions.ProxyAPI, permissions.User()).
		Where(permissions.SQLite, uncheckedCredentials)
	require.NoError(t, err)
	require.Len(t, args, 2)
	var list []string
	require.NoError(t, json.Unmarshal([]byte(args[0].(string)), &list))
	require.Contains(t, list, `it's "q" \ {$1,?}`)
}

// TestSelectionWhereErrors has what cannot be said in SQL, and questions that are invalid.
func TestSelectionWhereErrors(t *testing.T) {
	p := permissions.MustParse(`{"integration:*": true}`)
	all := p.SelectCredentials(permissions.ProxyAPI, permissions.User())
	configurations := func(within permissions.Target) permissions.Selection {
		return p.SelectConfigurations(permissions.Workflows, within)
	}
	with := func(change func(*permissions.Columns)) permissions.Columns {
		c := checkedTexts
		change(&c)
		return c
	}
	named := func(name string) permissions.Columns {
		return with(func(c *permissions.Columns) { c.Integration = permissions.TextColumn(name) })
	}
	none := permissions.Column{}
	for _, c := range []struct {
		name    string
		s       permissions.Selection
		dialect permissions.Dialect
		columns permissions.Columns
		is      error
		message string
	}{
		{"no dialect", all, 0, checkedTexts, permissions.ErrSQL, "Dialect(0) is not a dialect"},
		{"another dialect", all, 99, checkedTexts, permissions.ErrSQL, "Dialect(99) is not a dialect"},
		{"no integration", all, permissions.SQLite, with(func(c *permissions.Columns) { c.Integration = none }),
			permissions.ErrSQL, "the column for the integration is missing"},
		{"no ID", all, permissions.SQLite, with(func(c *permissions.Columns) { c.CredentialID = none }),
			permissions.ErrSQL, "the column for the credential ID is missing"},
		{"no external ID", all, permissions.SQLite,
			with(func(c *permissions.Columns) { c.CredentialExternalID = none }), permissions.ErrSQL,
			"credential external ID is missing"},
		{"no ID of a configuration", configurations(permissions.User()), permissions.SQLite, checkedCredentials,
			permissions.ErrSQL, "UUIDColumn, but SQLite"},
		{
			"no external ID of a configuration", configurations(slack), permissions.SQLite,
			with(func(c *permissions.Columns) { c.ConfigurationExternalID = none }), permissions.ErrSQL,
			"configuration external ID is missing",
		},
		{
			"within an integration without its column", configurations(slack), permissions.SQLite,
			with(func(c *permissions.Columns) { c.Integration = none }), permissions.ErrSQL,
			`the column for the integration is missing, and the selection is within integration "slack"`,
		},
		{
			"within a credential without the column of its ID", configurations(slack.Credential(permissions.ID(idA))),
			permissions.SQLite,
			with(func(c *permissions.Columns) { c.CredentialID = none }), permissions.ErrSQL,
			"the column for the credential ID is missing, and the selection is within",
		},
		{
			"within a credential that has an ID, where no row has one",
			configurations(slack.Credential(permissions.ID(idA))), permissions.SQLite,
			with(func(c *permissions.Columns) { c.CredentialID = permissions.NoColumn() }), permissions.ErrSQL,
			"the column for the credential ID is NoColumn, but the selection is within",
		},
		{
			"within a credential by external ID without the integration",
			configurations(slack.Credential(permissions.ExternalID("x"))), permissions.SQLite,
			with(func(c *permissions.Columns) { c.Integration = none }), permissions.ErrSQL,
			"the column for the integration is missing, and the selection is within",
		},
		{
			"within a credential by external ID without its column",
			configurations(slack.Credential(permissions.ExternalID("x"))), permissions.SQLite,
			with(func(c *permissions.Columns) { c.CredentialExternalID = none }), permissions.ErrSQL,
			"the column for the credential external ID is missing, and the selection is within",
		},
		{
			"within a credential of which nothing is known without the integration",
			configurations(slack.Credential()), permissions.SQLite,
			with(func(c *permissions.Columns) { c.Integration = none }), permissions.ErrSQL,
			"the column for the integration is missing, and the selection is within",
		},
		{
			"within a credential without an ID, without the column of the ID",
			configurations(slack.Credential(permissions.NoID(), permissions.ExternalID("x"))), permissions.SQLite,
			with(func(c *permissions.Columns) { c.CredentialID = none }), permissions.ErrSQL,
			"the column for the credential ID is missing, and the selection is within integration \"slack\", " +
				"no credential ID, credential external ID \"x\"; name the column, or give NoColumn if no row has one",
		},
		{
			"within a credential that nothing identifies, without the column of the ID",
			configurations(slack.Credential(permissions.NoID(), permissions.NoExternalID())), permissions.SQLite,
			with(func(c *permissions.Columns) { c.CredentialID = none }), permissions.ErrSQL,
			"the column for the credential ID is missing, and the selection is within",
		},
		{
			"within a credential without an external ID, without the column of that",
			configurations(slack.Credential(permissions.NoExternalID())), permissions.SQLite,
			with(func(c *permissions.Columns) { c.CredentialExternalID = none }), permissions.ErrSQL,
			"the column for the credential external ID is missing, and the selection is within",
		},
		{"NoColumn for the integration", all, permissions.SQLite,
			with(func(c *permissions.Columns) { c.Integration = permissions.NoColumn() }), permissions.ErrSQL,
			"everything is in an integration"},
		{"a uuid for a name", all, permissions.PostgreSQL,
			with(func(c *permissions.Columns) { c.Integration = permissions.UUIDColumn("i") }), permissions.ErrSQL,
			"only an ID is a UUID"},
		{"a uuid in SQLite", all, permissions.SQLite, checkedCredentials, permissions.ErrSQL,
			"SQLite has no type uuid"},
		{"no name", all, permissions.SQLite, named(""), permissions.ErrSQL, "is not the name of a column"},
		{"an expression", all, permissions.SQLite, named("lower(integration)"), permissions.ErrSQL,
			`"lower(integration)" is not the name of a column`},
		{"a statement", all, permissions.SQLite, named("a; DROP TABLE credentials"), permissions.ErrSQL,
			"is not the name of a column"},
		{"a comment", all, permissions.SQLite, named("a--"), permissions.ErrSQL, "is not the name of a column"},
		{"a digit first", all, permissions.SQLite, named("c.1a"), permissions.ErrSQL, "is not the name of a column"},
		{"0 first", all, permissions.SQLite, named("0a"), permissions.ErrSQL, "is not the name of a column"},
		{"9 first", all, permissions.SQLite, named("9a"), permissions.ErrSQL, "is not the name of a column"},
		{"a dot last", all, permissions.SQLite, named("c."), permissions.ErrSQL, "is not the name of a column"},
		{"a quote that does not end", all, permissions.SQLite, named(`c."a`), permissions.ErrSQL,
			"is not the name of a column"},
		{"nothing in quotes", all, permissions.SQLite, named(`""`), permissions.ErrSQL, "is not the name of a column"},
		{"a text after quotes", all, permissions.SQLite, named(`"a"b`), permissions.ErrSQL,
			"is not the name of a column"},
		{"a question mark in quotes", all, permissions.SQLite, named(`"a?"`), permissions.ErrSQL,
			"is not the name of a column"},
		{"one column for two identifiers", all, permissions.SQLite,
			with(func(c *permissions.Columns) {
				c.CredentialID, c.CredentialExternalID = permissions.TextColumn("ID"), permissions.TextColumn("`id`")
			}), permissions.ErrSQL,
			"the column for the credential ID is the column of another identifier too; name the right one"},
		{"NUL in quotes", all, permissions.SQLite, named("\"a\x00\""), permissions.ErrSQL, "is not the name of a column"},
		{"a quote in other quotes", all, permissions.SQLite, named("\"a`\""), permissions.ErrSQL,
			"is not the name of a column"},
		{"a quote in quotes", all, permissions.SQLite, named("`a\"`"), permissions.ErrSQL, "is not the name of a column"},
		{"a quote that is doubled", all, permissions.SQLite, named("`a``b`"), permissions.ErrSQL,
			"is not the name of a column"},
		{"a missing column, and nothing is allowed", permissions.MustParse(`{}`).SelectIntegrations(permissions.Events),
			permissions.SQLite, permissions.Columns{}, permissions.ErrSQL, "the column for the integration is missing"},
		{"a missing column, and no policy", (*permissions.Policy)(nil).VisibleIntegrations(),
			permissions.SQLite, permissions.Columns{}, permissions.ErrSQL, "the column for the integration is missing"},
		{"a missing column of the target, and no policy", (*permissions.Policy)(nil).VisibleCredentials(slack),
			permissions.SQLite, with(func(c *permissions.Columns) { c.Integration = none }), permissions.ErrSQL,
			"the column for the integration is missing, and the selection is within"},
		{"an unknown dialect, and nothing is selected", permissions.Selection{}, 0, permissions.Columns{},
			permissions.ErrSQL, "Dialect(0) is not a dialect"},
		{"an unknown action", p.SelectIntegrations("proxy_api"), permissions.SQLite, checkedTexts,
			permissions.ErrQuestion, "is not a permission"},
		{"an unknown action of no policy", (*permissions.Policy)(nil).SelectIntegrations("x"), permissions.SQLite,
			checkedTexts, permissions.ErrQuestion, "is not a permission"},
		{"an empty integration", p.VisibleCredentials(permissions.Integration("")), permissions.SQLite, checkedTexts,
			permissions.ErrQuestion, "is empty"},
		{"the zero Target", p.VisibleCredentials(permissions.Target{}), permissions.SQLite, checkedTexts,
			permissions.ErrQuestion, "is the zero Target"},
		{"credentials in a credential", p.VisibleCredentials(slack.Credential()), permissions.SQLite, checkedTexts,
			permissions.ErrQuestion, "target is a credential, and no credential is inside that; " +
				"list the credentials of the user or of an integration"},
		{
			"configurations in a configuration", p.SelectConfigurations(permissions.Workflows,
				slack.Credential().Configuration()), permissions.SQLite, checkedTexts,
			permissions.ErrQuestion, "target is a configuration, and no configuration is inside that; " +
				"list the configurations of the user, of an integration or of a credential",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			where, args, err := c.s.Where(c.dialect, c.columns, "before")
			require.ErrorIs(t, err, c.is)
			require.ErrorContains(t, err, c.message)
			require.Equal(t, "(1 = 0)", where)
			require.Equal(t, []any{"before"}, args)
		})
	}
	integrations := permissions.Unrestricted().SelectIntegrations(permissions.Events)
	// Whatever the name, and however it is quoted, the database takes it for the name of a column.
	for name, quoted := range map[string][2]string{ // in PostgreSQL, and in the others
		"a":                     {`"a"`, "`a`"},
		"A_1":                   {`"a_1"`, "`A_1`"},
		"User":                  {`"user"`, "`User`"},
		"NULL":                  {`"null"`, "`NULL`"},
		"_x":                    {`"_x"`, "`_x`"},
		"C.a":                   {`"c"."a"`, "`C`.`a`"},
		`"a b"`:                 {`"a b"`, "`a b`"},
		`c."A;b"`:               {`"c"."A;b"`, "`c`.`A;b`"},
		"`A`.`b`":               {`"A"."b"`, "`A`.`b`"},
		`schema.table."column"`: {`"schema"."table"."column"`, "`schema`.`table`.`column`"},
	} {
		t.Run("the name "+name, func(t *testing.T) {
			column := permissions.Columns{Integration: permissions.CheckedColumn(name)}
			for _, dialect := range []permissions.Dialect{
				permissions.PostgreSQL, permissions.PostgreSQLQuestionMarks, permissions.MariaDB, permissions.SQLite,
			} {
				where, _, err := integrations.Where(dialect, column)
				require.NoError(t, err)
				want := quoted[0]
				if dialect >= permissions.MariaDB {
					want = quoted[1]
				}
				require.Equal(t, "("+want+" IS NOT NULL)", where)
			}
		})
	}
}

// TestSelectionWhereNeeds has the only columns of a target that Where needs.
func TestSelectionWhereNeeds(t *testing.T) {
	const inIntegration = `("i" IS NOT NULL AND "i" = ANY($1::text[]) ` +
		`AND ("i" COLLATE "C")::text COLLATE "C" = ANY($1::text[]))`
	p := permissions.MustParse(`{"integration:*": true}`)
	for _, c := range []struct {
		name   string
		within permissions.Target
		needs  permissions.Columns
		want   string
	}{
		{"an integration", slack, permissions.Columns{
			Integration:  permissions.CheckedColumn("i"),
			CredentialID: permissions.NoColumn(), CredentialExternalID: permissions.NoColumn(),
		}, inIntegration},
		{"a credential with an ID", slack.Credential(permissions.ID(idA), permissions.ExternalID("x")),
			permissions.Columns{CredentialID: permissions.UUIDColumn("c")}, `("c" IS NOT NULL AND "c" = ANY($1::uuid[]))`},
		{"a credential with an external ID, of which the ID is unknown", slack.Credential(permissions.ExternalID("x")),
			permissions.Columns{
				Integration: permissions.CheckedColumn("i"), CredentialExternalID: permissions.CheckedColumn("e"),
			},
			"(" + inIntegration +
				` AND ("e" IS NOT NULL AND "e" = ANY($2::text[]) AND ("e" COLLATE "C")::text COLLATE "C" = ANY($2::text[])))`},
		{"a credential with an ID, of which the external ID is absent",
			slack.Credential(permissions.ID(idA), permissions.NoExternalID()),
			permissions.Columns{CredentialID: permissions.UUIDColumn("c")}, `("c" IS NOT NULL AND "c" = ANY($1::uuid[]))`},
		{"a credential without an ID", slack.Credential(permissions.NoID(), permissions.ExternalID("x")),
			permissions.Columns{
				Integration: permissions.CheckedColumn("i"), CredentialID: permissions.UUIDColumn("c"),
				CredentialExternalID: permissions.CheckedColumn("e"),
			},
			"(" + inIntegration +
				` AND ("e" IS NOT NULL AND "e" = ANY($2::text[]) AND ("e" COLLATE "C")::text COLLATE "C" = ANY($2::text[]))` +
				` AND ("c" IS NULL))`},
		{"a credential without an ID, where no row has one",
			slack.Credential(permissions.NoID(), permissions.NoExternalID()), permissions.Columns{
				Integration: permissions.CheckedColumn("i"), CredentialID: permissions.NoColumn(),
				CredentialExternalID: permissions.CheckedColumn("e"),
			}, "(" + inIntegration + ` AND ("e" IS NULL))`},
		{"a credential without an external ID, where no row has one",
			slack.Credential(permissions.ID(idA), permissions.NoExternalID()), permissions.Columns{
				CredentialID: permissions.UUIDColumn("c"), CredentialExternalID: permissions.NoColumn(),
			}, `("c" IS NOT NULL AND "c" = ANY($1::uuid[]))`},
		{"a credential of which nothing is known", slack.Credential(),
			permissions.Columns{Integration: permissions.CheckedColumn("i")}, inIntegration},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.needs.ConfigurationID = permissions.UUIDColumn("f.id")
			c.needs.ConfigurationExternalID = permissions.CheckedColumn("f.ext")
			where, _, err := p.SelectConfigurations(permissions.Workflows, c.within).
				Where(permissions.PostgreSQL, c.needs)
			require.NoError(t, err)
			require.Equal(t, c.want, where)
		})
	}
}

// TestSelectionWhereArguments requires that a condition does not take more arguments than databases do.
func TestSelectionWhereArguments(t *testing.T) {
	claim := func(n int, format string) *permissions.Policy {
		return permissions.MustParse(fill(n*(len(fmt.Sprintf(format, n, n))+1), "{",
			func(i int) string { return fmt.Sprintf(format, i, i) }, "}"))
	}
	all := permissions.User()
	t.Run("a list for MariaDB is in chunks", func(t *testing.T) {
		where, args, err := claim(2000, `"credential:ext:%07d%07d":true`).SelectCredentials(permissions.ProxyAPI,
			all).Where(permissions.MariaDB, checkedTexts)
		require.NoError(t, err)
		require.Greater(t, len(args), 3000)
		require.Equal(t, len(args), strings.Count(where, "?"))
		require.NotContains(t, where, strings.Repeat("?, ", 600))
	})
	t.Run("a long one is JSON", func(t *testing.T) {
		where, args, err := claim(9000, `"credential:ext:%07d%07d":true`).SelectCredentials(permissions.ProxyAPI,
			all).Where(permissions.MariaDB, checkedTexts)
		require.NoError(t, err)
		require.Len(t, args, 2)
		require.Contains(t, where, "JSON_TABLE")
	})
	t.Run("a long one of the type uuid is JSON", func(t *testing.T) {
		p := permissions.MustParse(fill(9000*70, "{", unit(`"credential:`+id+`":true`), "}"))
		where, args, err := p.SelectCredentials(permissions.ProxyAPI, all).Where(permissions.MariaDB,
			checkedCredentials)
		require.NoError(t, err)
		require.Len(t, args, 1)
		require.Contains(t, where, "v UUID PATH")
	})
	t.Run("many long lists are JSON", func(t *testing.T) {
		p := claim(7900, `"credential:`+id+`":true,"configuration:ext:%08x":true`)
		p2 := claim(7900, `"configuration:`+id+`":true,"credential:ext:%08x":true`)
		both, err := permissions.Intersect(p, p2)
		require.NoError(t, err)
		where, args, err := both.SelectConfigurations(permissions.Workflows, all).Where(permissions.MariaDB,
			checkedTexts)
		require.NoError(t, err)
		require.Equal(t, 8, strings.Count(where, "JSON_TABLE"))
		require.Len(t, args, 8)
	})
	t.Run("so are many short lists, but not a list of one", func(t *testing.T) {
		// Each integration has more than a hundred credentials whose names are too long to be put together.
		const integrations = 250
		var b strings.Builder
		b.WriteString(`{"integration:*":false`)
		for i := range integrations {
			b.WriteString(fill(150*35, fmt.Sprintf(`,"integration:%s%d":{`, strings.Repeat("x", 500), i),
				unit(`"credential:ext:%012d":true`), "}"))
		}
		s := permissions.MustParse(b.String()+"}").SelectCredentials(permissions.ProxyAPI, all)
		for dialect, list := range map[permissions.Dialect]string{
			permissions.MariaDB: "JSON_TABLE(?", permissions.SQLite: "json_each(?",
		} {
			where, args, err := s.Where(dialect, checkedTexts)
			require.NoError(t, err)
			require.Equal(t, 2*integrations, strings.Count(where, list))
			require.Equal(t, len(args)-2*integrations, strings.Count(where, "IN (?)"))
			require.LessOrEqual(t, len(args), 4*integrations)
		}
	})
	t.Run("those before the condition count", func(t *testing.T) {
		s := permissions.MustParse(`{"credential:ext:x": true}`).SelectCredentials(permissions.ProxyAPI, slack)
		for dialect, most := range map[permissions.Dialect]int{
			permissions.PostgreSQL: 60_000, permissions.MariaDB: 60_000, permissions.SQLite: 32_000,
		} {
			_, own, err := s.Where(dialect, checkedTexts)
			require.NoError(t, err)
			before := make([]any, most-len(own))
			_, args, err := s.Where(dialect, checkedTexts, before...)
			require.NoError(t, err)
			require.Len(t, args, most)
			_, _, err = s.Where(dialect, checkedTexts, append(before, "one more")...)
			require.ErrorIs(t, err, permissions.ErrSQL)
		}
	})
	t.Run("too many are an error", func(t *testing.T) {
		// Each credential has an exception of its own, and nobody knows which credential it is.
		p := permissions.MustParse(fill(31_000*150, `{"integration:*":true,`, func(i int) string {
			return fmt.Sprintf(`"credential:ext:%d":{"configuration:ext:%[1]d":false,"configuration:`+id+`":true}`, i,
				i)
		}, "}"))
		s := p.SelectConfigurations(permissions.Workflows, slack.Credential())
		for _, dialect := range []permissions.Dialect{permissions.PostgreSQL, permissions.MariaDB,
			permissions.SQLite} {
			where, args, err := s.Where(dialect, checkedTexts)
			require.ErrorIs(t, err, permissions.ErrSQL)
			require.ErrorContains(t, err, "ask Allowed or Visible of each row")
			require.Equal(t, "(1 = 0)", where)
			require.Empty(t, args)
		}
	})
}

// TestSelectionVisibleOfIntersection has parts that name much of what is below the rows.
func TestSelectionVisibleOfIntersection(t *testing.T) {
	names := func(n int) *permissions.Policy {
		return permissions.MustParse(fill(n*40, `{`, unit(`"configuration:ext:%08x":["events"]`), "}"))
	}
	ids := func(n int) *permissions.Policy {
		return permissions.MustParse(fill(n*70, `{`, unit(`"configuration:`+id+`":["events"]`), "}"))
	}
	// both has n names and n IDs. Two of it have (n+1)*(n+1) combinations.
	both := func(n int) *permissions.Policy {
		var b permissions.Builder
		for i := range n {
			at := b.AnyIntegration().AnyCredential()
			at.Configuration(fmt.Sprintf("00000000-0000-0000-0000-%012x", i)).Allow(permissions.Events)
			at.ExternalConfiguration(fmt.Sprint("x", i)).Allow(permissions.Events)
			at.ExternalConfiguration(fmt.Sprint("y", i)).Allow(permissions.MetadataRead) // does not count
		}
		p, err := b.Build()
		require.NoError(t, err)
		return p
	}
	for _, c := range []struct {
		name  string
		parts []*permissions.Policy
		many  bool
	}{
		{"few", []*permissions.Policy{names(20), ids(20)}, false},
		{"many", []*permissions.Policy{names(1000), ids(1000)}, true},
		{"as many as can be", []*permissions.Policy{both(63), both(63)}, false},
		{"a few too many", []*permissions.Policy{both(64), both(64)}, true},
		{"a part that names nothing below the rows does not count",
			[]*permissions.Policy{names(5000), permissions.MustParse(`{"credential:*": true}`)}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, row := mustIntersect(c.parts...), slack.Credential(permissions.NoID(), permissions.NoExternalID())
			require.True(t, p.Visible(row))
			s := p.VisibleCredentials(slack)
			where, _, err := s.Where(permissions.PostgreSQL, checkedCredentials)
			if !c.many {
				require.NoError(t, err)
				require.True(t, s.Has(row))
				return
			}
			require.ErrorIs(t, err, permissions.ErrSQL)
			require.ErrorContains(t, err, "ask Visible of each row")
			require.Equal(t, "(1 = 0)", where)
			require.False(t, s.Has(row))
		})
	}
	t.Run("identifiers that contradict each other are not combined", func(t *testing.T) {
		a := permissions.MustParse(fill(6000, "{",
			unit(`"credential:ext:a%d": {"configuration:ext:%d": ["events"]}`), "}"))
		b := permissions.MustParse(fill(3000, "{", unit(`"credential:ext:b%d": ["events"]`), "}"))
		_, _, err := mustIntersect(a, b).VisibleIntegrations().Where(permissions.PostgreSQL, checkedTexts)
		require.NoError(t, err)
	})
}
