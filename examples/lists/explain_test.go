package lists_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// explainedID returns the ID of a row: of a credential, or of the configuration in it.
func explainedID(kind, n int) string {
	return fmt.Sprintf("%08x-0000-4000-8000-00000000000%d", n, kind)
}

// fillMany makes tables of 200,000 credentials and as many configurations. There are 20 integrations. A
// quarter of the rows has no external ID, and the others have one of 50,000.
func fillMany(t *testing.T, db *sql.DB, dialect permissions.Dialect) {
	postgres, sqlite := dialect == permissions.PostgreSQL, dialect == permissions.SQLite
	id, text, numbers := "CHAR(36) CHARACTER SET ascii", "VARCHAR(100) CHARACTER SET utf8mb4",
		"SELECT seq AS n FROM seq_0_to_199999"
	hex, concat := "LPAD(LOWER(HEX(n)), 8, '0')", func(parts ...string) string {
		return "CONCAT(" +
			strings.Join(parts, ", ") + ")"
	}
	if postgres {
		id, text, numbers = "uuid", "text", "SELECT n FROM generate_series(0, 199999) AS n"
		hex, concat = "lpad(to_hex(n), 8, '0')", func(parts ...string) string {
			return "(" +
				strings.Join(parts, " || ") + ")"
		}
	}
	if sqlite {
		id, text = "TEXT", "TEXT"
		numbers = "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 199999) " +
			"SELECT n FROM numbers"
		hex, concat = "printf('%08x', n)", func(parts ...string) string {
			return "(" + strings.Join(parts, " || ") +
				")"
		}
	}
	uuidOf := func(kind string) string {
		expr := concat(hex, "'-0000-4000-8000-00000000000"+kind+"'")
		if postgres {
			expr += "::uuid"
		}
		return expr
	}
	externalID := "CASE WHEN n % 4 = 0 THEN NULL ELSE " + concat("'team '", "(n % 50000)") + " END"
	integration := concat("'integration '", "(n % 20)")
	for _, statement := range []string{
		`DROP TABLE IF EXISTS many_configurations`,
		`DROP TABLE IF EXISTS many_credentials`,
		`CREATE TABLE many_credentials (id ` + id + ` PRIMARY KEY, owner INT NOT NULL, integration ` + text +
			` NOT NULL, external_id ` + text + `)`,
		`CREATE TABLE many_configurations (id ` + id + ` PRIMARY KEY, credential_id ` + id +
			` NOT NULL, external_id ` + text + `)`,
		`INSERT INTO many_credentials SELECT ` + uuidOf("1") + `, n % 10, ` + integration + `, ` + externalID +
			` FROM (` + numbers + `) AS numbers`,
		`INSERT INTO many_configurations SELECT ` + uuidOf("2") + `, ` + uuidOf("1") + `, ` + externalID + ` FROM (` +
			numbers + `) AS numbers`,
		`CREATE INDEX many_by_external_id ON many_credentials (external_id)`,
		`CREATE INDEX many_by_integration ON many_credentials (integration)`,
		`CREATE INDEX many_configurations_by_credential ON many_configurations (credential_id)`,
		`CREATE INDEX many_configurations_by_external_id ON many_configurations (external_id)`,
		`ANALYZE TABLE many_credentials, many_configurations`,
	} {
		switch {
		case postgres:
			statement = strings.Replace(statement, "ANALYZE TABLE", "ANALYZE", 1)
		case sqlite && strings.HasPrefix(statement, "ANALYZE"):
			statement = "ANALYZE"
		}
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// A shape is a list that names what is allowed, so that a database must find it by indexes.
type shape struct {
	name      string
	claim     string
	selection func(p *permissions.Policy) permissions.Selection
	join      bool
	rows      int
}

func list(format string, kind int, numbers ...int) string {
	var b strings.Builder
	for i, n := range numbers {
		if i > 0 {
			b.WriteString(", ")
		}
		id := explainedID(kind, n)
		if strings.Contains(format, "%d") {
			fmt.Fprintf(&b, format, n)
		} else {
			fmt.Fprintf(&b, format, id)
		}
	}
	return b.String()
}

var tenNumbers = []int{1, 21, 41, 61, 81, 101, 121, 141, 161, 181} // all in integration 1

func hundred() (numbers []int) {
	for n := range 100 {
		numbers = append(numbers, 20*n+1)
	}
	return numbers
}

// eachOf nests a scope in many integrations.
func eachOf(integrations int, format string) string {
	var b strings.Builder
	for n := range integrations {
		if n > 0 {
			b.WriteString(", ")
		}
		scopes := strings.NewReplacer("%s", explainedID(1, n), "%d", strconv.Itoa(n+1)).Replace(format)
		fmt.Fprintf(&b, `"integration:integration %d": {%s}`, n, scopes)
	}
	return b.String()
}

func credentialsOf(within permissions.Target) func(*permissions.Policy) permissions.Selection {
	return func(p *permissions.Policy) permissions.Selection {
		return p.SelectCredentials(permissions.ProxyAPI, within)
	}
}

func configurationsOf(within permissions.Target) func(*permissions.Policy) permissions.Selection {
	return func(p *permissions.Policy) permissions.Selection {
		return p.SelectConfigurations(permissions.Workflows, within)
	}
}

var one = permissions.Integration("integration 1")

var shapes = []shape{
	{"IDs in one integration", `{` + list(`"credential:%s": true`, 1, tenNumbers...) + `}`, credentialsOf(one), false,
		10},
	{"a hundred IDs in one integration", `{` + list(`"credential:%s": true`, 1, hundred()...) + `}`,
		credentialsOf(one), false, 100},
	{"IDs in all integrations", `{` + list(`"credential:%s": true`, 1, tenNumbers...) + `}`,
		credentialsOf(permissions.User()), false, 10},
	{"external IDs in one integration", `{` + list(`"credential:ext:team %d": true`, 1, tenNumbers...) + `}`,
		credentialsOf(one), false, 40},
	{"external IDs in all integrations", `{` + list(`"credential:ext:team %d": true`, 1, tenNumbers...) + `}`,
		credentialsOf(permissions.User()), false, 40},
	{"IDs and external IDs in one integration", `{` + list(`"credential:%s": true`, 1, tenNumbers...) + `,` +
		list(`"credential:ext:team %d": true`, 1, 201, 221) + `}`, credentialsOf(one), false, 18},
	{"IDs and external IDs in all integrations", `{` + list(`"credential:%s": true`, 1, tenNumbers...) + `,` +
		list(`"credential:ext:team %d": true`, 1, 201, 221) + `}`, credentialsOf(permissions.User()), false, 18},
	{"IDs and external IDs, with exceptions", `{` + list(`"credential:%s": true`, 1, tenNumbers...) + `,` +
		list(`"credential:ext:team %d": true`, 1, 201, 221) + `, "credential:` + explainedID(1, 201) +
		`": false}`, credentialsOf(permissions.User()), false, 17},
	{"IDs, each in its integration", `{` + eachOf(20, `"credential:%s": true`) + `}`,
		credentialsOf(permissions.User()), false, 20},
	{"IDs and external IDs in three integrations", `{` + eachOf(3, `"credential:%s": true,
		"credential:ext:team %d": true`) + `}`, credentialsOf(permissions.User()), false, 3},
	{"visible credentials", `{` + list(`"credential:%s": {"configuration:ext:x": true}`, 1, tenNumbers...) + `}`,
		func(p *permissions.Policy) permissions.Selection { return p.VisibleCredentials(permissions.User()) }, false,
		10},
	{"configurations of one credential", `{"integration:*": true}`,
		configurationsOf(one.Credential(permissions.ID(explainedID(1, 21)))), true, 1},
	{"configurations by external ID", `{` + list(`"configuration:ext:team %d": true`, 1, tenNumbers...) + `}`,
		configurationsOf(permissions.User()), true, 40},
	{"configurations by external ID in one integration", `{` +
		list(`"configuration:ext:team %d": true`, 1, tenNumbers...) + `}`, configurationsOf(one), true, 40},
	{"configurations by ID and external ID", `{` + list(`"configuration:ext:team %d": true`, 1, 201, 221) + `, ` +
		list(`"configuration:%s": true`, 2, tenNumbers...) + `}`, configurationsOf(permissions.User()), true, 18},
	{"configurations of credentials by ID", `{` + list(`"credential:%s": true`, 1, tenNumbers...) + `}`,
		configurationsOf(permissions.User()), true, 10},
	{"configurations of credentials by ID, each its own", `{` +
		list(`"credential:%s": {"configuration:*": true}`, 1, tenNumbers...) +
		`}`, configurationsOf(permissions.User()), true, 10},
	{"a configuration in each of many credentials", `{` + eachInMany() + `}`, configurationsOf(permissions.User()),
		true, 10},
}

func eachInMany() string {
	var parts []string
	for _, n := range tenNumbers {
		parts = append(parts, fmt.Sprintf(`"credential:%s": {"configuration:ext:team %d": true}`, explainedID(1, n),
			n))
	}
	return strings.Join(parts, ", ")
}

func manyColumns(join, postgres bool) permissions.Columns {
	ids := permissions.CheckedColumn
	if postgres {
		ids = permissions.UUIDColumn
	}
	c := permissions.Columns{
		Integration: permissions.TextColumn("c.integration"), CredentialID: ids("c.id"),
		CredentialExternalID: permissions.TextColumn("c.external_id"),
	}
	if join {
		c.ConfigurationID, c.ConfigurationExternalID = ids("f.id"), permissions.TextColumn("f.external_id")
	}
	return c
}

// fullScans returns the tables that a plan reads wholly.
func fullScans(plan any) (tables []string) {
	switch v := plan.(type) {
	case map[string]any:
		if v["Node Type"] == "Seq Scan" {
			tables = append(tables, fmt.Sprint(v["Relation Name"]))
		}
		if access := v["access_type"]; access == "ALL" || access == "index" {
			tables = append(tables, fmt.Sprint(v["table_name"]))
		}
		for _, inner := range v {
			tables = append(tables, fullScans(inner)...)
		}
	case []any:
		for _, inner := range v {
			tables = append(tables, fullScans(inner)...)
		}
	}
	slices.Sort(tables)
	return tables
}

// conditions matches the conditions in a plan of MariaDB, in which it does not escape a backslash.
var conditions = regexp.MustCompile(`(?m)"[a-z_]*condition": ".*"`)

// TestPlansUseIndexes requires that no list which names what is allowed reads a table wholly.
func TestPlansUseIndexes(t *testing.T) {
	for _, database := range []struct {
		name    string
		open    func(testing.TB) *sql.DB
		dialect permissions.Dialect
	}{
		{"PostgreSQL", openPostgreSQL, permissions.PostgreSQL},
		{"MariaDB", openMariaDB, permissions.MariaDB},
		{"SQLite", openSQLite, permissions.SQLite},
	} {
		t.Run(database.name, func(t *testing.T) {
			db, postgres := database.open(t), database.dialect == permissions.PostgreSQL
			fillMany(t, db, database.dialect)
			for _, s := range shapes {
				t.Run(s.name, func(t *testing.T) {
					where, args, err := s.selection(permissions.MustParse(s.claim)).Where(database.dialect,
						manyColumns(s.join, postgres))
					require.NoError(t, err)
					query := "FROM many_credentials c"
					if s.join {
						query += " JOIN many_configurations f ON f.credential_id = c.id"
					}
					query += " WHERE " + where
					var rows int
					require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) "+query, args...).Scan(&rows))
					require.Equal(t, s.rows, rows, query)
					if database.dialect == permissions.SQLite {
						requireNoScan(t, db, query, args)
						return
					}
					explain := "EXPLAIN FORMAT=JSON SELECT c.id, c.external_id "
					if postgres {
						explain = "EXPLAIN (FORMAT JSON) SELECT c.id, c.external_id "
					}
					var text string
					require.NoError(t, db.QueryRowContext(t.Context(), explain+query, args...).Scan(&text))
					var plan any
					text = conditions.ReplaceAllString(text, `"condition": ""`)
					require.NoError(t, json.Unmarshal([]byte(text), &plan))
					require.Empty(t, fullScans(plan), "%s\n%q\n%s", query, args, text)
				})
			}
		})
	}
}

// requireNoScan reads a plan of SQLite, which has no plans in JSON.
func requireNoScan(t *testing.T, db *sql.DB, query string, args []any) {
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN SELECT c.id, c.external_id "+query, args...)
	require.NoError(t, err)
	defer rows.Close()
	var steps []string
	for rows.Next() {
		var id, parent, unused int
		var step string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	require.NoError(t, rows.Err())
	require.NotEmpty(t, steps)
	for _, step := range steps {
		require.NotRegexp(t, `^SCAN [cf]\b`, step, "%s\n%q\n%s", query, args, strings.Join(steps, "\n"))
	}
}
