package lists_test

import (
	"fmt"
	"testing"

	"github.com/Masterminds/squirrel"
	"github.com/doug-martin/goqu/v9"
	_ "github.com/doug-martin/goqu/v9/dialect/postgres"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	gormpostgres "gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/connectperms/permissions"
)

// toolColumns are those of the table that the documentation shows.
var toolColumns = permissions.Columns{
	Integration: permissions.CheckedColumn("integration"), CredentialID: permissions.UUIDColumn("id"),
	CredentialExternalID: permissions.CheckedColumn("external_id"),
}

// fillForTools makes the documented table with five rows, and returns the IDs of those that are selected.
func fillForTools(t *testing.T) (s permissions.Selection, want []string) {
	db := openPostgreSQL(t)
	newDocumentedTable(t, db, "PostgreSQL")
	for n, externalID := range []any{"it's ?", "b", nil, "c $1", `@name "d"`} {
		_, err := db.ExecContext(t.Context(), `INSERT INTO credentials (id, owner, integration, external_id,
			name) VALUES ($1, 'ann', 'slack', $2, 'x')`,
			explainedID(1, n), externalID)
		require.NoError(t, err)
	}
	p := permissions.MustParse(`{"integration:slack": {
		"credential:ext:it's ?": true, "credential:ext:c $1": true, "credential:ext:@name \"d\"": true, "credential:` +
		explainedID(1, 2) + `": true
	}}`)
	return p.SelectCredentials(permissions.ProxyAPI, permissions.User()), []string{explainedID(1, 0),
		explainedID(1, 2), explainedID(1, 3), explainedID(1, 4)}
}

func TestSquirrel(t *testing.T) {
	s, want := fillForTools(t)
	where, args, err := s.Where(permissions.PostgreSQLQuestionMarks, toolColumns)
	require.NoError(t, err)
	query := squirrel.Select("id").From("credentials").Where(squirrel.Expr(where, args...)).
		PlaceholderFormat(squirrel.Dollar)
	text, all, err := query.Where(squirrel.Eq{"owner": "ann"}).OrderBy("id").ToSql()
	require.NoError(t, err)
	require.Equal(t, want, ids(t, text, all...))
}

func TestGoqu(t *testing.T) {
	s, want := fillForTools(t)
	where, args, err := s.Where(permissions.PostgreSQLQuestionMarks, toolColumns)
	require.NoError(t, err)
	query := goqu.Dialect("postgres").From("credentials").Select("id").Where(goqu.L(where, args...)).Prepared(true)
	text, all, err := query.Where(goqu.C("owner").Eq("ann")).Order(goqu.C("id").Asc()).ToSQL()
	require.NoError(t, err)
	require.Equal(t, want, ids(t, text, all...))
}

func TestGORM(t *testing.T) {
	s, want := fillForTools(t)
	db, err := gorm.Open(gormpostgres.New(gormpostgres.Config{Conn: openPostgreSQL(t)}),
		&gorm.Config{Logger: logger.Discard})
	require.NoError(t, err)
	where, args, err := s.Where(permissions.PostgreSQLQuestionMarks, toolColumns)
	require.NoError(t, err)
	var ids []string
	db = db.Order("id").Where("owner = ?", "ann").Session(&gorm.Session{})
	err = db.Table("credentials").Where(where, args...).Pluck("id", &ids).Error
	require.NoError(t, err)
	require.Equal(t, want, ids)
	var none []string
	require.NoError(t, db.Table("credentials").Not(where, args...).Pluck("id", &none).Error)
	require.Equal(t, []string{explainedID(1, 1)}, none)
}

// listCredentials is a query as sqlc generates it.
const listCredentials = `-- name: ListCredentials :many
SELECT id FROM credentials
WHERE owner = $1`

func TestSqlc(t *testing.T) {
	s, want := fillForTools(t)
	owner := "ann"
	where, args, err := s.Where(permissions.PostgreSQL, toolColumns, owner)
	require.NoError(t, err)
	ctx := t.Context()
	db, err := pgxpool.New(ctx, postgreSQL.Source)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	rows, err := db.Query(ctx, listCredentials+" AND "+where, args...)
	require.NoError(t, err)
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.ElementsMatch(t, want, got)
}

func TestJoin(t *testing.T) {
	_, _ = fillForTools(t)
	db := openPostgreSQL(t)
	_, err := db.ExecContext(t.Context(), `CREATE TABLE configurations (id uuid PRIMARY KEY,
		credential_id uuid NOT NULL, external_id text)`)
	require.NoError(t, err)
	for n := range 4 {
		_, err := db.ExecContext(t.Context(), `INSERT INTO configurations VALUES ($1, $2, $3)`, explainedID(2, n),
			explainedID(1, n), fmt.Sprint(n))
		require.NoError(t, err)
	}
	policy := permissions.MustParse(`{"credential:ext:b": true, "configuration:ext:3": true}`)
	columns := permissions.Columns{
		Integration:             permissions.CheckedColumn("c.integration"),
		CredentialID:            permissions.UUIDColumn("c.id"),
		CredentialExternalID:    permissions.CheckedColumn("c.external_id"),
		ConfigurationID:         permissions.UUIDColumn("f.id"),
		ConfigurationExternalID: permissions.CheckedColumn("f.external_id"),
	}
	where, args, err := policy.SelectConfigurations(permissions.Workflows, permissions.User()).
		Where(permissions.PostgreSQL, columns)
	query := `SELECT f.id FROM configurations f JOIN credentials c ON c.id = f.credential_id WHERE ` + where
	require.NoError(t, err)
	require.Equal(t, []string{explainedID(2, 1), explainedID(2, 3)}, ids(t, query+" ORDER BY f.id", args...))
}

// TestQuestionMarks has arguments before the condition and after it.
func TestQuestionMarks(t *testing.T) {
	ctx, db := t.Context(), openSQLite(t)
	newDocumentedTable(t, db, "SQLite")
	const owner, after, size = "ann", "00000000-0000-4000-8000-000000000001", 50
	for n, row := range []struct{ owner, externalID string }{
		{"ann", "a"}, {"ann", "b"}, {"ann", "c"}, {"ann", "51"}, {"ben", "d"},
	} {
		_, err := db.ExecContext(ctx, `INSERT INTO credentials VALUES (?, ?, 'slack', ?, '')`,
			fmt.Sprintf("00000000-0000-4000-8000-%012d", n), row.owner, row.externalID)
		require.NoError(t, err)
	}
	policy := permissions.MustParse(`{"integration:*": true, "credential:ext:c": false}`)
	columns := permissions.Columns{
		Integration:          permissions.CheckedColumn("integration"),
		CredentialID:         permissions.CheckedColumn("id"),
		CredentialExternalID: permissions.CheckedColumn("external_id"),
	}
	where, args, err := policy.VisibleCredentials(permissions.User()).
		Where(permissions.SQLite, columns, owner, after)
	require.NoError(t, err)
	rows, err := db.QueryContext(ctx, `SELECT id, integration, external_id, name FROM credentials
	WHERE owner = ? AND id > ? AND `+where+` ORDER BY id LIMIT ?`, append(args, size+1)...)
	require.NoError(t, err)
	defer rows.Close()
	var found []string
	for rows.Next() {
		var id, integration, externalID, name string
		require.NoError(t, rows.Scan(&id, &integration, &externalID, &name))
		found = append(found, externalID)
	}
	require.NoError(t, rows.Err())
	require.Equal(t, []string{"51"}, found)
}

// ids runs a query for PostgreSQL and returns the IDs.
func ids(t *testing.T, query string, args ...any) (list []string) {
	rows, err := openPostgreSQL(t).QueryContext(t.Context(), query, args...)
	require.NoError(t, err, query)
	defer rows.Close()
	for rows.Next() {
		var id string
		require.NoError(t, rows.Scan(&id))
		list = append(list, id)
	}
	require.NoError(t, rows.Err())
	return list
}
