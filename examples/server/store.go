package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	_ "modernc.org/sqlite"

	"github.com/connectperms/permissions"
)

// A credential is a row. Its owner is the Connected User, whom a token names as its subject.
type credential struct {
	ID          string  `json:"id"`
	ExternalID  *string `json:"external_id"` // null if it has none
	Integration string  `json:"integration"`
	Account     string  `json:"account"`
}

// A store is the table of credentials. It knows owners, and nothing of permissions.
type store struct{ db *sql.DB }

// The IDs are UUIDs in lower case, as SPEC 2.5 compares them. An identifier that is not there
// is NULL.
const schema = `
CREATE TABLE credentials (
	id          TEXT PRIMARY KEY CHECK (id = lower(id)),
	owner       TEXT NOT NULL,
	integration TEXT NOT NULL,
	external_id TEXT CHECK (external_id <> ''),
	account     TEXT NOT NULL
);
CREATE INDEX credentials_owner ON credentials (owner, integration);`

// errNotFound says that there is no such row.
var errNotFound = errors.New("no such credential")

// openStore returns an empty store in memory.
func openStore(ctx context.Context) (*store, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // each connection to :memory: is a database of its own
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &store{db}, nil
}

func (s *store) close() error { return s.db.Close() }

// identify looks up how a credential is called, and nothing else: what a policy must be asked
// about before the row is touched. It gives every identifier, or says that there is none.
func (s *store) identify(ctx context.Context, owner, integration, id string) (permissions.Target, error) {
	var externalID sql.NullString
	id = strings.ToLower(id)
	err := s.db.QueryRowContext(ctx,
		`SELECT external_id FROM credentials WHERE owner = ? AND integration = ? AND id = ?`,
		owner, integration, id).Scan(&externalID)
	if errors.Is(err, sql.ErrNoRows) {
		return permissions.Target{}, errNotFound
	}
	target := permissions.Target{Integration: integration, CredentialID: id, CredentialExternalID: permissions.None}
	if externalID.Valid {
		target.CredentialExternalID = externalID.String
	}
	return target, err
}

// same is the row that a target is about. Both identifiers must still be what they were when
// the policy was asked.
const same = `owner = ? AND integration = ? AND id = ? AND external_id IS ?`

func sameArgs(owner string, t permissions.Target) []any {
	return []any{owner, t.Integration, t.CredentialID, orNull(t.CredentialExternalID)}
}

// orNull returns an identifier as a column holds it.
func orNull(id string) sql.NullString {
	return sql.NullString{String: id, Valid: id != permissions.None}
}

// read returns the row that a target is about.
func (s *store) read(ctx context.Context, owner string, t permissions.Target) (credential, error) {
	c := credential{ID: t.CredentialID, Integration: t.Integration}
	err := s.db.QueryRowContext(ctx, `SELECT external_id, account FROM credentials WHERE `+same, sameArgs(owner, t)...).
		Scan(&c.ExternalID, &c.Account)
	if errors.Is(err, sql.ErrNoRows) {
		err = errNotFound
	}
	return c, err
}

// remove deletes the row that a target is about.
func (s *store) remove(ctx context.Context, owner string, t permissions.Target) error {
	result, err := s.db.ExecContext(ctx, `DELETE FROM credentials WHERE `+same, sameArgs(owner, t)...)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(errNotFound, err)
	}
	return nil
}

// insert creates a row. The target says its integration and external ID; the ID is made here.
func (s *store) insert(ctx context.Context, owner string, t permissions.Target, account string) (credential, error) {
	t.CredentialID = newID()
	_, err := s.db.ExecContext(ctx,
		`INSERT INTO credentials (id, owner, integration, external_id, account) VALUES (?, ?, ?, ?, ?)`,
		t.CredentialID, owner, t.Integration, orNull(t.CredentialExternalID), account)
	if err != nil {
		return credential{}, err
	}
	return s.read(ctx, owner, t)
}

// list returns the rows of an integration that are selected. The database leaves out the
// rest: no row is read for nothing, and LIMIT and ORDER BY could be added.
func (s *store) list(ctx context.Context, owner, integration string, selection permissions.Selection) ([]credential, error) {
	query := `SELECT id, external_id, integration, account FROM credentials WHERE owner = ? AND integration = ? AND `
	args := []any{owner, integration}
	query += selection.SQL("id", "external_id", func(expr string, list []string) string {
		// SQLite takes a list as one JSON array. PostgreSQL takes it as it is: expr = ANY($n).
		array, _ := json.Marshal(list) // of strings: it cannot fail
		args = append(args, string(array))
		return expr + ` IN (SELECT value FROM json_each(?))`
	})
	rows, err := s.db.QueryContext(ctx, query+` ORDER BY account, id`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	list := []credential{}
	for rows.Next() {
		var c credential
		if err := rows.Scan(&c.ID, &c.ExternalID, &c.Integration, &c.Account); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, rows.Err()
}

// newID returns a random UUID (RFC 9562, version 4).
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // which never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
