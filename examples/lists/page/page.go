// Package page answers with a page of credentials: those that the caller may see, in the order of their
// IDs. The database leaves out the others, through its indexes.
package page

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
)

// columns says which columns have the identifiers of a credential.
var columns = permissions.Columns{
	Integration:          permissions.CheckedColumn("integration"),
	CredentialID:         permissions.UUIDColumn("id"),
	CredentialExternalID: permissions.CheckedColumn("external_id"),
}

// A Credential is a row.
type Credential struct {
	ID          string  `json:"id"`
	Integration string  `json:"integration"`
	ExternalID  *string `json:"externalId"`
	Name        string  `json:"name"`
}

// A Page has at most 50 credentials. If there are more, the next page is after the last one.
type Page struct {
	Credentials []Credential `json:"credentials"`
	More        bool         `json:"more"`
}

// List answers GET /credentials?after=ID. An httpauth middleware has verified the token.
func List(db *pgxpool.Pool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, err := list(db, r)
		if err != nil {
			httpauth.WriteError(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(page)
	})
}

func list(db *pgxpool.Pool, r *http.Request) (page Page, err error) {
	const size = 50
	after := pgtype.UUID{Valid: true} // before all others
	if id := r.URL.Query().Get("after"); id != "" {
		if err := after.Scan(id); err != nil {
			return page, &httpauth.Error{Status: http.StatusBadRequest, Err: err}
		}
	}
	owner := httpauth.Claims(r.Context()).Subject
	where, args, err := httpauth.Policy(r.Context()).VisibleCredentials(permissions.User()).
		Where(permissions.PostgreSQL, columns, owner, after)
	if err != nil {
		return page, err
	}
	args = append(args, size+1)
	rows, err := db.Query(r.Context(), `
		SELECT id, integration, external_id, name FROM credentials
		WHERE owner = $1 AND id > $2 AND `+where+`
		ORDER BY id LIMIT $`+strconv.Itoa(len(args)), args...)
	if err != nil {
		return page, err
	}
	page.Credentials, err = pgx.CollectRows(rows, pgx.RowToStructByPos[Credential])
	if len(page.Credentials) > size {
		page.Credentials, page.More = page.Credentials[:size], true
	}
	return page, err
}
