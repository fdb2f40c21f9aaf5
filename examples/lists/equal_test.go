package lists_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	_ "github.com/lib/pq" // the driver postgres
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A table has rows of a database, with what a Selection must know of its columns.
type table struct {
	name    string
	dialect permissions.Dialect
	open    func(testing.TB) queryFunc
	id      string // the type of IDs
	text    string // the type of names and external IDs
	columns func(name string) permissions.Column
	ids     func(name string) permissions.Column
	valid   bool              // all rows are
	lacks   func(string) bool // what the type cannot hold
}

// A queryFunc runs a query and returns the numbers in its first column.
type queryFunc func(ctx context.Context, query string, args ...any) ([]int, error)

func standard(open func(testing.TB) *sql.DB) func(testing.TB) queryFunc {
	return func(t testing.TB) queryFunc {
		db := open(t)
		return func(ctx context.Context, query string, args ...any) ([]int, error) {
			if args == nil && !strings.HasPrefix(query, "SELECT") {
				_, err := db.ExecContext(ctx, query)
				return nil, err
			}
			rows, err := db.QueryContext(ctx, query, args...)
			if err != nil {
				return nil, err
			}
			defer rows.Close()
			var list []int
			for rows.Next() {
				var n int
				if err := rows.Scan(&n); err != nil {
					return nil, err
				}
				list = append(list, n)
			}
			return list, rows.Err()
		}
	}
}

// throughPGX queries without database/sql.
func throughPGX(t testing.TB) queryFunc {
	pool, err := pgxpool.New(t.Context(), postgreSQL.Source)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return func(ctx context.Context, query string, args ...any) ([]int, error) {
		rows, err := pool.Query(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var list []int
		for rows.Next() {
			var n int
			if err := rows.Scan(&n); err != nil {
				return nil, err
			}
			list = append(list, n)
		}
		return list, rows.Err()
	}
}

func throughPQ(t testing.TB) *sql.DB { return open(t, "postgres", postgreSQL.Source) }

func nothing(string) bool { return false }

func beyondBMP(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r > 0xffff })
}

var text, uuid, checked = permissions.TextColumn, permissions.UUIDColumn, permissions.CheckedColumn

// tables has each database, each way to query it, each type of column, and each kind of collation.
var tables = []table{
	{"PostgreSQL through pgx, uuid", permissions.PostgreSQL, throughPGX, "uuid", "text", text, uuid, false, nothing},
	{"PostgreSQL through pgx, text", permissions.PostgreSQL, throughPGX, "text", "varchar(100)", text, text, false,
		nothing},
	{"PostgreSQL through pgx, checked", permissions.PostgreSQL, throughPGX, "text", "text", checked, checked, true,
		nothing},
	{"PostgreSQL, a collation that ignores case", permissions.PostgreSQL, standard(openPostgreSQL),
		`text COLLATE loose`, `text COLLATE loose`, text, text, false, nothing},
	{"PostgreSQL, checked, a collation that ignores case", permissions.PostgreSQL, standard(openPostgreSQL),
		`text COLLATE loose`, `text COLLATE loose`, checked, checked, true, nothing},
	{"PostgreSQL through lib/pq", permissions.PostgreSQL, standard(throughPQ), "uuid", `text COLLATE "C"`, text, uuid,
		false, nothing},
	{"MariaDB, uuid", permissions.MariaDB, standard(openMariaDB), "UUID", "VARCHAR(100) COLLATE utf8mb4_general_ci",
		text, uuid, false, nothing},
	{"MariaDB, text", permissions.MariaDB, standard(openMariaDB), "VARCHAR(100) COLLATE utf8mb4_unicode_520_ci",
		"VARCHAR(100) COLLATE utf8mb4_unicode_520_ci", text, text, false, nothing},
	{"MariaDB, checked", permissions.MariaDB, standard(openMariaDB), "CHAR(36) COLLATE utf8mb4_general_ci",
		"VARCHAR(100) COLLATE utf8mb4_general_nopad_ci", checked, checked, true, nothing},
	{"MariaDB, binary collation", permissions.MariaDB, standard(openMariaDB), "VARCHAR(100) COLLATE utf8mb4_bin",
		"TEXT COLLATE utf8mb4_bin", text, text, false, nothing},
	{"MariaDB, utf8mb3", permissions.MariaDB, standard(openMariaDB), "VARCHAR(100) CHARACTER SET latin1",
		"VARCHAR(100) CHARACTER SET utf8mb3", text, text, false, beyondBMP},
	{"SQLite", permissions.SQLite, standard(openSQLite), "TEXT", "TEXT", text, text, false, nothing},
	{"SQLite, NOCASE", permissions.SQLite, standard(openSQLite), "TEXT COLLATE NOCASE", "TEXT COLLATE NOCASE", text,
		text, false, nothing},
	{"SQLite, RTRIM", permissions.SQLite, standard(openSQLite), "TEXT COLLATE RTRIM", "TEXT COLLATE RTRIM", text, text,
		false, nothing},
	{"SQLite, checked", permissions.SQLite, standard(openSQLite), "TEXT COLLATE NOCASE", "TEXT COLLATE NOCASE",
		checked, checked, true, nothing},
}

const rowCount = 300

func (b *table) columnsOf(prefix, configuration string) permissions.Columns {
	return permissions.Columns{
		Integration: b.columns(prefix + "integration"), CredentialID: b.ids(prefix +
			"id"), CredentialExternalID: b.columns(prefix + "external_id"),
		ConfigurationID: b.ids(configuration + "id"), ConfigurationExternalID: b.columns(configuration +
			"external_id"),
	}
}

// fill makes a table of credentials and one of configurations, one configuration for each credential.
func (b *table) fill(t *testing.T, query queryFunc, r *rand.Rand) (rows []row) {
	run := func(statement string, args ...any) {
		_, err := query(t.Context(), statement, args...)
		require.NoError(t, err, statement)
	}
	if b.dialect == permissions.PostgreSQL {
		run(`CREATE COLLATION IF NOT EXISTS loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)`)
	}
	run(`DROP TABLE IF EXISTS configurations`)
	run(`DROP TABLE IF EXISTS credentials`)
	run(`CREATE TABLE credentials (number INT PRIMARY KEY, integration ` + b.text + `, id ` + b.id + `, external_id ` +
		b.text + `)`)
	run(`CREATE TABLE configurations (number INT PRIMARY KEY, credential INT NOT NULL, id ` + b.id + `, external_id ` +
		b.text + `)`)
	run(`CREATE INDEX by_id ON credentials (id)`)
	for len(rows) < rowCount {
		w := randomRow(r, b.valid)
		if strings.EqualFold(b.id, "uuid") || b.valid {
			for _, id := range []*string{w.credentialID, w.configurationID} {
				if id != nil {
					*id = strings.ToLower(*id)
				}
			}
		}
		bad := func(id *string) bool { return id != nil && slices.Contains(badIDs, *id) }
		lacks := func(s *string) bool { return s != nil && b.lacks(*s) }
		if strings.EqualFold(b.id, "uuid") && (bad(w.credentialID) || bad(w.configurationID)) ||
			lacks(w.integration) || lacks(w.credentialExternalID) || lacks(w.configurationExternalID) {
			continue
		}
		n := strconv.Itoa(len(rows))
		mark := "?, ?, ?"
		if b.dialect == permissions.PostgreSQL {
			mark = "$1, $2, $3"
		}
		mark2 := strings.TrimSuffix(strings.TrimSuffix(mark, ", $3"), ", ?")
		if b.dialect != permissions.PostgreSQL {
			mark2 = "?, ?"
		}
		run(`INSERT INTO credentials (number, integration, id, external_id) VALUES (`+n+`, `+mark+`)`, w.integration,
			w.credentialID, w.credentialExternalID)
		run(`INSERT INTO configurations (number, credential, id, external_id) VALUES (`+n+`, `+n+`, `+mark2+`)`,
			w.configurationID, w.configurationExternalID)
		rows = append(rows, w)
	}
	return rows
}

// A question is a list, and the loop that it must be equal to.
type question struct {
	about     string
	kind      permissions.Kind
	within    permissions.Target
	selection permissions.Selection
	asks      func(permissions.Target) bool
}

func randomQuestion(r *rand.Rand) question {
	p, claim := randomPolicy(r)
	action := randomAction(r)
	q := question{kind: pick(r, permissions.KindIntegration, permissions.KindCredential,
		permissions.KindConfiguration), within: permissions.User()}
	if q.kind > permissions.KindIntegration && chance(r, 60) {
		q.within = permissions.Integration(few(r, namedIntegrations))
		if q.kind == permissions.KindConfiguration && chance(r, 60) {
			var ids []permissions.Identifier
			if chance(r, 70) {
				ids = append(ids, pick(r, permissions.ID(few(r, namedIDs)), permissions.NoID()))
			}
			if chance(r, 70) {
				ids = append(ids, pick(r, permissions.ExternalID(few(r, namedExternalIDs)),
					permissions.NoExternalID()))
			}
			q.within = q.within.Credential(ids...)
		}
	}
	visible := chance(r, 40)
	q.asks = func(t permissions.Target) bool { return p.Allowed(action, t) }
	if visible {
		q.asks = p.Visible
	}
	switch {
	case q.kind == permissions.KindIntegration && visible:
		q.selection = p.VisibleIntegrations()
	case q.kind == permissions.KindIntegration:
		q.selection = p.SelectIntegrations(action)
	case q.kind == permissions.KindCredential && visible:
		q.selection = p.VisibleCredentials(q.within)
	case q.kind == permissions.KindCredential:
		q.selection = p.SelectCredentials(action, q.within)
	case visible:
		q.selection = p.VisibleConfigurations(q.within)
	default:
		q.selection = p.SelectConfigurations(action, q.within)
	}
	q.about = fmt.Sprintf("%s\n%v, visible %t, %s, within %v", claim, q.kind, visible, action, q.within)
	return q
}

// TestRowsEqualTheLoop compares what databases return with asking about each row, for random policies.
func TestRowsEqualTheLoop(t *testing.T) {
	seed, questions := uint64(rand.Uint32()), 400
	if s := os.Getenv("CONNECTPERMS_SEED"); s != "" {
		var err error
		seed, err = strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
	}
	if s := os.Getenv("CONNECTPERMS_QUESTIONS"); s != "" {
		var err error
		questions, err = strconv.Atoi(s)
		require.NoError(t, err)
	}
	for _, b := range tables {
		t.Run(b.name, func(t *testing.T) {
			t.Logf("CONNECTPERMS_SEED=%d", seed)
			r := rand.New(rand.NewPCG(seed, 1))
			query := b.open(t)
			rows := b.fill(t, query, r)
			selected, left, leftOut := 0, 0, 0
			for range questions {
				q := randomQuestion(r)
				from, columns := `FROM credentials c`, b.columnsOf("c.", "f.")
				if q.kind == permissions.KindConfiguration {
					from += ` JOIN configurations f ON f.credential = c.number`
				} else {
					columns.ConfigurationID, columns.ConfigurationExternalID = permissions.Column{},
						permissions.Column{}
				}
				mark := "?"
				if b.dialect == permissions.PostgreSQL {
					mark = "$1"
				}
				where, args, err := q.selection.Where(b.dialect, columns, -1)
				require.NoError(t, err, q.about)
				// A column may only be left out where the condition is right without it. These tables have several
				// credentials with one ID, so it is not right within a credential whose ID is known.
				if _, state := q.within.Lookup(permissions.CredentialID); state != permissions.Known {
					*pick(r, &columns.Integration, &columns.CredentialID, &columns.CredentialExternalID) = permissions.Column{}
					if w, a, err := q.selection.Where(b.dialect, columns, -1); err == nil {
						where, args = w, a
						leftOut++
					} else {
						require.ErrorIs(t, err, permissions.ErrSQL)
					}
				}
				if b.lacks("\U0001f600") && strings.Contains(fmt.Sprint(args), "\U0001f600") {
					// MariaDB refuses to compare a column with what its character set lacks.
					_, err := query(t.Context(), `SELECT c.number `+from+` WHERE c.number <> `+mark+` AND `+where,
						args...)
					if err != nil {
						require.ErrorContains(t, err, "Illegal mix of collations")
						continue
					}
				}
				query := func(condition string) []int {
					numbers, err := query(t.Context(),
						`SELECT c.number `+from+` WHERE c.number <> `+mark+` AND `+condition+` ORDER BY c.number`,
						args...)
					require.NoError(t, err, "%s\n%s\n%q", q.about, condition, args)
					return numbers
				}
				var want, others []int
				for n, w := range rows {
					if of, ok := w.in(q.kind, q.within); ok && q.asks(of) {
						want = append(want, n)
					} else {
						others = append(others, n)
					}
				}
				require.Equal(t, want, query(where), "%s\n%s\n%q", q.about, where, args)
				require.Equal(t, others, query("NOT "+where), "%s\nNOT %s\n%q", q.about, where, args)
				selected, left = selected+len(want), left+len(others)
			}
			require.Greater(t, selected, questions*rowCount/20, "few rows are selected, so this shows little")
			require.Greater(t, left, questions*rowCount/20)
			require.Greater(t, leftOut, questions/20, "few conditions do without a column")
		})
	}
}

// TestTextsThatJoinAlike has pairs of an integration and an external ID that look the same one after the
// other. The policy names more integrations than get a condition of their own.
func TestTextsThatJoinAlike(t *testing.T) {
	p := permissions.MustParse(`{
		"integration:ab": {"credential:ext:c": true}, "integration:1": {"credential:ext:c": true},
			"integration:2": {"credential:ext:c": true},
		"integration:3": {"credential:ext:bc": true}, "integration:4": {"credential:ext:c": true}
	}`)
	for _, b := range []*table{&tables[0], &tables[6], &tables[11]} {
		t.Run(b.name, func(t *testing.T) {
			query := b.open(t)
			for _, statement := range []string{
				`DROP TABLE IF EXISTS alike`,
				`CREATE TABLE alike (number INT PRIMARY KEY, integration ` + b.text + `, id ` + b.id +
					`, external_id ` + b.text + `)`,
				`INSERT INTO alike VALUES (0, 'ab', NULL, 'c'), (1, 'a', NULL, 'bc'), (2, '3', NULL, 'bc'), (3, '3b',
					NULL, 'c'), (4, '4', NULL, 'bc')`,
			} {
				_, err := query(t.Context(), statement)
				require.NoError(t, err)
			}
			where, args, err := p.SelectCredentials(permissions.ProxyAPI, permissions.User()).Where(b.dialect,
				permissions.Columns{
					Integration: b.columns("integration"), CredentialID: b.ids("id"),
					CredentialExternalID: b.columns("external_id"),
				})
			require.NoError(t, err)
			numbers, err := query(t.Context(), `SELECT number FROM alike WHERE `+where+` ORDER BY number`, args...)
			require.NoError(t, err)
			require.Equal(t, []int{0, 2}, numbers)
		})
	}
}

// TestColumnNames has names that a database could take for a value or a text, if they were not quoted. Then a rule
// that denies a row by such a column would have no effect.
func TestColumnNames(t *testing.T) {
	p := permissions.MustParse(`{"integration:*": true, "credential:ext:c": false}`)
	for _, b := range []*table{&tables[0], &tables[6], &tables[11]} {
		t.Run(b.name, func(t *testing.T) {
			query := b.open(t)
			mark := `"`
			if b.dialect == permissions.MariaDB {
				mark = "`"
			}
			for _, statement := range []string{
				`DROP TABLE IF EXISTS named`,
				strings.ReplaceAll(`CREATE TABLE named (number INT PRIMARY KEY, "user" `+b.text+`, "null" `+b.id+
					`, "External ID" `+b.text+`)`, `"`, mark),
				`INSERT INTO named VALUES (0, 'a', NULL, 'b'), (1, 'a', NULL, 'c')`,
			} {
				_, err := query(t.Context(), statement)
				require.NoError(t, err)
			}
			numbers := func(externalID string) ([]int, error) {
				where, args, err := p.SelectCredentials(permissions.ProxyAPI, permissions.User()).Where(b.dialect,
					permissions.Columns{
						Integration: b.columns("user"), CredentialID: b.ids("null"), CredentialExternalID: b.columns(externalID),
					})
				require.NoError(t, err)
				return query(t.Context(), `SELECT number FROM named WHERE `+where+` ORDER BY number`, args...)
			}
			for _, name := range []string{`"External ID"`, "`External ID`", `named."External ID"`} {
				got, err := numbers(name)
				require.NoError(t, err)
				require.Equal(t, []int{0}, got, name)
			}
			for _, name := range []string{`"External"`, "external_id", "current_user"} {
				_, err := numbers(name)
				require.Error(t, err, name)
			}
		})
	}
}

// TestColumnsOfOtherTypes has columns whose values no identifier equals. A rule that denies must not lose its effect:
// the database refuses the query, or finds the value all the same.
func TestColumnsOfOtherTypes(t *testing.T) {
	const bytesOfA = "X'3fa85f6457174562b3fc2c963f66afa6'"
	p := permissions.MustParse(`{"integration:*": true, "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": false,
		"credential:ext:c": false}`)
	for _, c := range []struct {
		name, create, insert string
		table                *table
		id, externalID       permissions.Column
		refused              bool
	}{
		{"MariaDB, binary", "id BINARY(16), external_id VARCHAR(9)", bytesOfA + ", NULL", &tables[6],
			permissions.UUIDColumn("id"), permissions.TextColumn("external_id"), false},
		{"PostgreSQL, bytea", "id UUID, external_id BYTEA", "NULL, 'c'", &tables[0],
			permissions.UUIDColumn("id"), permissions.TextColumn("external_id"), true},
		{"PostgreSQL, a document", "id UUID, external_id JSONB", `NULL, '"c"'`, &tables[0],
			permissions.UUIDColumn("id"), permissions.CheckedColumn("external_id"), true},
		{"PostgreSQL, the whole row", "id UUID, external_id TEXT", "NULL, 'c'", &tables[0],
			permissions.UUIDColumn("id"), permissions.CheckedColumn("typed"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			query := c.table.open(t)
			for _, statement := range []string{
				`DROP TABLE IF EXISTS typed`,
				`CREATE TABLE typed (number INT PRIMARY KEY, integration ` + c.table.text + `, ` + c.create + `)`,
				`INSERT INTO typed VALUES (0, 'a', ` + c.insert + `)`,
			} {
				_, err := query(t.Context(), statement)
				require.NoError(t, err)
			}
			where, args, err := p.SelectCredentials(permissions.ProxyAPI, permissions.User()).Where(c.table.dialect,
				permissions.Columns{
					Integration: c.table.columns("integration"), CredentialID: c.id, CredentialExternalID: c.externalID,
				})
			require.NoError(t, err)
			numbers, err := query(t.Context(), `SELECT number FROM typed WHERE `+where, args...)
			if c.refused {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Empty(t, numbers)
		})
	}
}
