package lists_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver sqlite

	"github.com/connectperms/permissions/examples/lists/databases"
)

// The servers of all tests. A test that needs one fails if it does not start.
var postgreSQL, mariaDB *databases.Server

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) (code int) {
	var err error
	defer func() {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}()
	ctx := context.Background()
	if postgreSQL, err = databases.StartPostgreSQL(ctx); err != nil {
		return 1
	}
	defer func() { err = errors.Join(err, postgreSQL.Stop()) }()
	if mariaDB, err = databases.StartMariaDB(ctx); err != nil {
		return 1
	}
	defer func() { err = errors.Join(err, mariaDB.Stop()) }()
	return m.Run()
}

func openPostgreSQL(t testing.TB) *sql.DB { return open(t, "pgx", postgreSQL.Source) }
func openMariaDB(t testing.TB) *sql.DB    { return open(t, "mysql", mariaDB.Source) }

// openSQLite opens a database in memory.
func openSQLite(t testing.TB) *sql.DB {
	db := open(t, "sqlite", ":memory:")
	db.SetMaxOpenConns(1) // each connection would be a database of its own
	return db
}

func open(t testing.TB, driver, source string) *sql.DB {
	db, err := sql.Open(driver, source)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
