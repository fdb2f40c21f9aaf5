package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
)

// A credential is a row. Its owner is the Connected User, whom a token names as its subject.
type credential struct {
	ID          string  `json:"id"`
	ExternalID  *string `json:"external_id"` // null if it has none
	Integration string  `json:"integration"`
	Account     string  `json:"account"`
}

// target returns the credential with both of its identifiers. NULL is an identifier that is absent.
func (c *credential) target() permissions.Target {
	return permissions.Integration(c.Integration).Credential(permissions.ID(c.ID),
		permissions.ExternalIDPtr(c.ExternalID))
}

// A store is the table of credentials. It knows owners. Of permissions it knows which rows to list.
type store struct {
	db      *sql.DB
	dialect permissions.Dialect
	columns permissions.Columns
}

// The CHECKs allow exactly the names and IDs that a target can have (SPEC 2.4, 2.5), so the columns are
// CheckedColumns. The file docs/lists.md explains them.
const (
	schemaSQLite = `
CREATE TABLE credentials (
	id          TEXT PRIMARY KEY NOT NULL CHECK (
		typeof(id) = 'text' AND length(CAST(id AS BLOB)) = 36 AND id NOT GLOB '*[^0-9a-f-]*' AND
		length(replace(id, '-', '')) = 32 AND id GLOB '????????-????-????-????-????????????'),
	owner       TEXT NOT NULL,
	integration TEXT NOT NULL CHECK (
		typeof(integration) = 'text' AND length(integration) > 0 AND instr(integration, char(0)) = 0 AND
		integration NOT GLOB '*[' || char(1, 45, 31, 127, 45, 159, 65533) || '*]*' AND
		integration NOT GLOB '[' || char(32, 160, 5760, 8192, 45, 8202, 8232, 8233, 8239, 8287, 12288) || ']*' AND
		integration NOT GLOB '*[' || char(32, 160, 5760, 8192, 45, 8202, 8232, 8233, 8239, 8287, 12288) || ']' AND
		lower(integration) <> 'ext' AND lower(substr(integration, 1, 4)) <> 'ext:'),
	external_id TEXT CHECK (
		typeof(external_id) IN ('text', 'null') AND length(external_id) > 0 AND instr(external_id, char(0)) = 0 AND
		external_id NOT GLOB '*[' || char(1, 45, 31, 127, 45, 159, 65533) || ']*' AND
		external_id NOT GLOB '[' || char(32, 160, 5760, 8192, 45, 8202, 8232, 8233, 8239, 8287, 12288) || ']*' AND
		external_id NOT GLOB '*[' || char(32, 160, 5760, 8192, 45, 8202, 8232, 8233, 8239, 8287, 12288) || ']' AND
		external_id <> '*'),
	account     TEXT NOT NULL,
	UNIQUE (owner, integration, external_id)
);
CREATE INDEX credentials_page ON credentials (owner, id);
CREATE INDEX credentials_by_external_id ON credentials (external_id);`

	schemaPostgreSQL = `
CREATE TABLE IF NOT EXISTS credentials (
	id          uuid PRIMARY KEY,
	owner       text NOT NULL,
	integration text NOT NULL CHECK (
		integration !~ '^$|^[ \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|[ \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$|[\u0001-\u001f\u007f-\u009f\ufffd*]|^[eE][xX][tT](:|$)'),
	external_id text CHECK (
		external_id !~ '^$|^[ \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]|[ \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]$|[\u0001-\u001f\u007f-\u009f\ufffd]|^\*$'),
	account     text NOT NULL,
	UNIQUE (owner, integration, external_id)
);
CREATE INDEX IF NOT EXISTS credentials_page ON credentials (owner, id);
CREATE INDEX IF NOT EXISTS credentials_by_external_id ON credentials (external_id);`
)

// openStore opens the store in a database: "" is SQLite in memory, and postgres://... is PostgreSQL, where
// it makes the table unless it is there. If temporary is true, the table lasts as long as the connection.
func openStore(ctx context.Context, database string, temporary bool) (*store, error) {
	s := &store{columns: permissions.Columns{
		Integration:          permissions.CheckedColumn("integration"),
		CredentialExternalID: permissions.CheckedColumn("external_id"),
	}}
	driver, schema, connections := "sqlite", schemaSQLite, 1 // each connection to :memory: is a database of its own
	switch {
	case database == "":
		database, s.dialect, s.columns.CredentialID = ":memory:", permissions.SQLite, permissions.CheckedColumn("id")
	case strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://"):
		driver, schema, connections = "pgx", schemaPostgreSQL, 10
		s.dialect, s.columns.CredentialID = permissions.PostgreSQL, permissions.UUIDColumn("id")
	default:
		return nil, errors.New("-database: use postgres://..., or nothing for SQLite in memory")
	}
	var err error
	if s.db, err = sql.Open(driver, database); err != nil {
		return nil, err
	}
	if temporary && driver == "pgx" {
		schema, connections = "SET search_path = pg_temp;"+schema, 1
	}
	s.db.SetMaxOpenConns(connections)
	if _, err := s.db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func (s *store) close() error { return s.db.Close() }

// bind returns a query with the placeholders of the database. Queries here are written for SQLite: ?.
func (s *store) bind(query string) string {
	if s.dialect != permissions.PostgreSQL {
		return query
	}
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, more := strings.Cut(query, "?")
		b.WriteString(before)
		if !more {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}

// find returns the row that a target names, by its ID or its external ID. It returns
// [httpauth.ErrNotFound] if the owner has no such row.
func (s *store) find(ctx context.Context, owner string, t permissions.Target) (c credential, err error) {
	integration, _ := t.Lookup(permissions.IntegrationName)
	column := "id"
	name, state := t.Lookup(permissions.CredentialID)
	if state != permissions.Known {
		column = "external_id"
		if name, state = t.Lookup(permissions.CredentialExternalID); state != permissions.Known {
			return c, httpauth.ErrNotFound
		}
	}
	err = s.db.QueryRowContext(ctx, s.bind(`SELECT id, external_id, integration, account FROM credentials
		WHERE owner = ? AND integration = ? AND `+column+` = ?`), owner, integration, name).
		Scan(&c.ID, &c.ExternalID, &c.Integration, &c.Account)
	if errors.Is(err, sql.ErrNoRows) {
		err = httpauth.ErrNotFound
	}
	return c, err
}

// remove deletes a row, unless one of its identifiers has changed since the policy was asked about it.
func (s *store) remove(ctx context.Context, owner string, c credential) error {
	result, err := s.db.ExecContext(ctx, s.bind(`DELETE FROM credentials
		WHERE owner = ? AND integration = ? AND id = ? AND external_id IS NOT DISTINCT FROM ?`),
		owner, c.Integration, c.ID, c.ExternalID)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(httpauth.ErrNotFound, err)
	}
	return nil
}

// errTaken says that the owner has a credential of the integration with the same external ID.
var errTaken = errors.New("the external ID is taken")

// insert creates a row. Its ID is made here.
func (s *store) insert(ctx context.Context, owner string, c credential) (credential, error) {
	c.ID = newID()
	result, err := s.db.ExecContext(ctx, s.bind(`INSERT INTO credentials (id, owner, integration, external_id, account)
		VALUES (?, ?, ?, ?, ?) ON CONFLICT (owner, integration, external_id) DO NOTHING`),
		c.ID, owner, c.Integration, c.ExternalID, c.Account)
	if err != nil {
		return c, err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return c, errors.Join(errTaken, err)
	}
	return c, nil
}

// A page is a part of a list.
type page struct {
	Credentials []credential `json:"credentials"`
	Total       int          `json:"total"`
	Next        string       `json:"next,omitempty"` // the ID after which the next page begins
}

const pageSize = 50

// list returns a page of the selected rows, those after an ID. The database leaves out the others.
func (s *store) list(ctx context.Context, owner, after string, selection permissions.Selection) (p page, err error) {
	where, args, err := selection.Where(s.dialect, s.columns, owner)
	if err != nil {
		return p, err
	}
	from := ` FROM credentials WHERE owner = ` + s.argument(1) + ` AND ` + where
	if err := s.db.QueryRowContext(ctx, `SELECT count(*)`+from, args...).Scan(&p.Total); err != nil {
		return p, err
	}
	args = append(args, after, pageSize+1)
	rows, err := s.db.QueryContext(ctx, `SELECT id, external_id, integration, account`+from+
		` AND id > `+s.argument(len(args)-1)+` ORDER BY id LIMIT `+s.argument(len(args)), args...)
	if err != nil {
		return p, err
	}
	defer rows.Close()
	p.Credentials = []credential{}
	for rows.Next() {
		var c credential
		if err := rows.Scan(&c.ID, &c.ExternalID, &c.Integration, &c.Account); err != nil {
			return p, err
		}
		p.Credentials = append(p.Credentials, c)
	}
	if len(p.Credentials) > pageSize {
		p.Credentials = p.Credentials[:pageSize]
		p.Next = p.Credentials[pageSize-1].ID
	}
	return p, rows.Err()
}

// argument returns the placeholder of an argument, counted from 1.
func (s *store) argument(n int) string {
	if s.dialect == permissions.PostgreSQL {
		return "$" + strconv.Itoa(n)
	}
	return "?"
}

// newID returns a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // which never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
