package lists_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/examples/lists/page"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

const documentation = "../../docs/lists.md"

var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// blocks returns the blocks of code in the documentation.
func blocks(t *testing.T, language string) (list []string) {
	text, err := os.ReadFile(documentation)
	require.NoError(t, err)
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			list = append(list, m[2])
		}
	}
	require.NotEmpty(t, list)
	return list
}

// documentedTable returns the statements that make the table of a database.
func documentedTable(t *testing.T, database string) (statements []string) {
	for _, block := range blocks(t, "sql") {
		if rest, ok := strings.CutPrefix(block, "-- "+database+"\n"); ok {
			for statement := range strings.SplitSeq(rest, ";\n") {
				if statement != "" {
					statements = append(statements, statement)
				}
			}
		}
	}
	require.Len(t, statements, 3, "the table and two indexes")
	return statements
}

// TestDocumentedFile requires that the handler of the documentation is the one that the tests run.
func TestDocumentedFile(t *testing.T) {
	file, err := os.ReadFile("page/page.go")
	require.NoError(t, err)
	require.Equal(t, string(file), blocks(t, "go")[0])
}

// TestDocumentedCode requires that each line of the other code of the documentation is in a test.
func TestDocumentedCode(t *testing.T) {
	text, err := os.ReadFile("tools_test.go")
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimSpace(line))
	}
	for _, block := range blocks(t, "go")[1:] {
		for line := range strings.Lines(block) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				require.Contains(t, lines, line)
			}
		}
	}
	for _, block := range blocks(t, "sql") {
		if strings.HasPrefix(block, "-- PostgreSQL and SQLite\n") {
			for _, db := range []*sql.DB{openPostgreSQL(t), openSQLite(t)} {
				for _, statement := range []string{"DROP TABLE IF EXISTS credentials CASCADE",
					"CREATE TABLE credentials (id TEXT)", block} {
					if _, err := db.ExecContext(t.Context(), statement); err != nil &&
						!strings.Contains(statement, "DROP") {
						require.NoError(t, err, statement)
					}
				}
			}
		}
	}
}

// newDocumentedTable makes the table of the documentation, and leaves no other.
func newDocumentedTable(t *testing.T, db *sql.DB, database string) {
	for _, table := range []string{"configurations", "credentials"} {
		_, err := db.ExecContext(t.Context(), "DROP TABLE IF EXISTS "+table)
		require.NoError(t, err)
	}
	for _, statement := range documentedTable(t, database) {
		_, err := db.ExecContext(t.Context(), statement)
		require.NoError(t, err, statement)
	}
}

// TestDocumentedChecks requires that the CHECKs allow exactly the identifiers that a target may have.
func TestDocumentedChecks(t *testing.T) {
	names := slices.Concat(namedIntegrations, namedExternalIDs, badIntegrations, badExternalIDs)
	for _, r := range []rune{0x20, 0x85, 0xa0, 0x1680, 0x2000, 0x2005, 0x200a, 0x2028, 0x2029, 0x202f, 0x205f,
		0x3000} {
		names = append(names, string(r)+"a", "a"+string(r), "a"+string(r)+"b")
	}
	for r := rune(1); r < 0xa2; r++ {
		names = append(names, "a"+string(r)+"b", string(r))
	}
	names = append(names, "EXT", "exT:", "ext a", "xext", "a*", "**", "\u200ba", "\ufeffa", "a\ufffe")
	for _, database := range []struct {
		name string
		open func(testing.TB) *sql.DB
		mark string
	}{
		{"PostgreSQL", openPostgreSQL, "$1"}, {"MariaDB", openMariaDB, "?"}, {"SQLite", openSQLite, "?"},
	} {
		t.Run(database.name, func(t *testing.T) {
			db := database.open(t)
			newDocumentedTable(t, db, database.name)
			accepts := func(column, value string) bool {
				values := map[string]string{"id": "'" + idB + "'", "integration": "'slack'", "external_id": "NULL",
					column: database.mark}
				tx, err := db.BeginTx(t.Context(), nil)
				require.NoError(t, err)
				_, err = tx.ExecContext(t.Context(), fmt.Sprintf(`INSERT INTO credentials (id, owner, integration,
					external_id, name) VALUES (%s, 'ann', %s, %s, 'x')`,
					values["id"], values["integration"], values["external_id"]), value)
				require.NoError(t, tx.Rollback())
				return err == nil
			}
			for _, name := range names {
				if database.name == "SQLite" && name == "a\ufffe" {
					require.False(t, accepts("integration", name), "SQLite reads it as U+FFFD")
					continue
				}
				require.Equal(t, permissions.Integration(name).Err() == nil, accepts("integration", name),
					"the integration %q", name)
				external := permissions.Integration("slack").Credential(permissions.ExternalID(name))
				require.Equal(t, external.Err() == nil, accepts("external_id", name), "the external ID %q", name)
			}
			for _, id := range append(slices.Clone(badIDs), namedIDs...) {
				valid := permissions.Integration("slack").Credential(permissions.ID(id)).Err() == nil
				if database.name == "SQLite" {
					valid = valid && id == strings.ToLower(id)
				} else if strings.Contains("{"+idA+"} "+strings.ReplaceAll(idA, "-", "")+idA+" ", id) {
					continue // another spelling, which the type uuid takes and stores in the usual one
				}
				require.Equal(t, valid, accepts("id", id), "the ID %q", id)
			}
		})
	}
}

// TestDocumentedCheckOfIDs tests the CHECK for an ID in a text column of MariaDB.
func TestDocumentedCheckOfIDs(t *testing.T) {
	text, err := os.ReadFile(documentation)
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "the CHECK is `id ")
	require.True(t, ok)
	check, _, ok := strings.Cut(rest, "`")
	require.True(t, ok)
	db := openMariaDB(t)
	for _, id := range append(slices.Clone(badIDs), idA, idB, strings.ToUpper(idA), idA+"\n") {
		var ok bool
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT ? "+check, id).Scan(&ok))
		require.Equal(t, id == idA || id == idB, ok, "%q", id)
	}
}

// TestDocumentedPage walks through the pages of the handler, with 200,000 rows. No request reads the table
// wholly.
func TestDocumentedPage(t *testing.T) {
	ctx := t.Context()
	newDocumentedTable(t, openPostgreSQL(t), "PostgreSQL")
	config, err := pgxpool.ParseConfig(postgreSQL.Source)
	require.NoError(t, err)
	config.MaxConns = 1 // so that the statistics that are flushed are those of the handler
	pool, err := pgxpool.NewWithConfig(ctx, config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(ctx, `INSERT INTO credentials SELECT
		(lpad(to_hex(n), 8, '0') || '-0000-4000-8000-000000000001')::uuid, 'owner ' || n % 100,
			'integration ' || n % 20,
		CASE WHEN n % 4 = 0 THEN NULL ELSE 'team ' || n % 50000 END, 'name ' || n FROM generate_series(0,
			199999) AS n`)
	require.NoError(t, err)
	_, err = pool.Exec(ctx, `ANALYZE credentials`)
	require.NoError(t, err)

	kit := permissionstest.Shared()
	handler := httpauth.New(kit.Verifier()).Wrap(page.List(pool))
	get := func(p *permissions.Policy, query string) (int, page.Page) {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, kit.Authorize(t, httptest.NewRequest("GET", "/credentials"+query, nil), "owner 7", p))
		var answer page.Page
		if w.Code == http.StatusOK {
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
		}
		return w.Code, answer
	}
	sequentialScans := func() (n int) {
		_, err := pool.Exec(ctx, `SELECT pg_stat_force_next_flush()`)
		require.NoError(t, err)
		const count = `SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'credentials'`
		require.NoError(t, pool.QueryRow(ctx, count).Scan(&n))
		return n
	}
	for _, claim := range []string{
		`{"integration:*": true}`,
		`{"integration:*": true, "integration:integration 7": {"credential:ext:team 107": false}, "credential:` +
			explainedID(1, 207) + `": false}`,
		`{` + list(`"credential:%s": true`, 1, 7, 107, 207, 307, 8, 9) + `}`,
		`{"credential:ext:team 7": ["events"], "credential:` + explainedID(1, 107) +
			`": true, "integration:integration 7": {"credential:ext:team 107": true}}`,
		`{"integration:integration 3": true}`,
		`{}`,
	} {
		t.Run(claim, func(t *testing.T) {
			p := permissions.MustParse(claim)
			var want []string
			for n := 7; n < 200_000; n += 100 {
				target := permissions.Integration(fmt.Sprintf("integration %d", n%20)).
					Credential(permissions.ID(explainedID(1, n)),
						permissions.ExternalIDOrNone(fmt.Sprintf("team %d", n%50000), n%4 != 0))
				if p.Visible(target) {
					want = append(want, explainedID(1, n))
				}
			}
			before := sequentialScans()
			var got []string
			for query := ""; ; query = "?after=" + got[len(got)-1] {
				status, answer := get(p, query)
				require.Equal(t, http.StatusOK, status)
				require.LessOrEqual(t, len(answer.Credentials), 50)
				for _, c := range answer.Credentials {
					got = append(got, c.ID)
				}
				if !answer.More {
					break
				}
				require.Len(t, answer.Credentials, 50)
			}
			require.Equal(t, want, got)
			require.Equal(t, before, sequentialScans(), "the whole table was read")
		})
	}
	status, _ := get(permissions.Unrestricted(), "?after=x")
	require.Equal(t, http.StatusBadRequest, status)
	before := sequentialScans()
	_, err = pool.Exec(ctx, `SELECT count(name) FROM credentials`)
	require.NoError(t, err)
	require.Greater(t, sequentialScans(), before, "nothing is counted")
}
