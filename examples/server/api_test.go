package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

// databases are what every test of a handler runs with.
var databases = []string{"SQLite", "PostgreSQL"}

// newStore returns an empty store.
func newStore(t *testing.T, database string) *store {
	url := ""
	if database == "PostgreSQL" {
		url = postgreSQL
	}
	s, err := openStore(t.Context(), url, true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.close()) })
	return s
}

// A fixture is a server with the rows of seed.
type fixture struct {
	kit   *permissionstest.Kit
	url   string
	store *store
	ids   map[string]string
}

func newFixture(t *testing.T, kit *permissionstest.Kit, database string) *fixture {
	s := newStore(t, database)
	ids, err := seed(t.Context(), s)
	require.NoError(t, err)
	server := httptest.NewServer(newAPI(kit.Verifier(), s, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	return &fixture{kit, server.URL, s, ids}
}

// do sends a request, with changes, as somebody with a policy. It returns status and body.
func (f *fixture) do(t *testing.T, policy *permissions.Policy, method, path, body string,
	changes ...func(*http.Request)) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, f.url+path, strings.NewReader(body))
	require.NoError(t, err)
	if policy != nil {
		f.kit.Authorize(t, r, tenant, policy)
	}
	for _, change := range changes {
		change(r)
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode, string(text)
}

// rows returns all that is in the table, to see that nothing has changed.
func (f *fixture) rows(t *testing.T) []string {
	rows, err := f.store.db.Query(`SELECT owner || '/' || account || '/' || CAST(id AS TEXT) || '/' ||
		coalesce(external_id, '-') FROM credentials ORDER BY id`)
	require.NoError(t, err)
	defer rows.Close()
	var list []string
	for rows.Next() {
		var row string
		require.NoError(t, rows.Scan(&row))
		list = append(list, row)
	}
	require.NoError(t, rows.Err())
	return list
}

func using(credential string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Add("X-Paragon-Credential", credential) }
}

const missing = "00000000-0000-4000-8000-000000000000"

// TestRoles has what each role may do, through every handler.
func TestRoles(t *testing.T) {
	kit := permissionstest.New(t)
	at := func(f *fixture, account string) string {
		integration, _, _ := strings.Cut(account, "/")
		return "/integrations/" + integration + "/credentials/" + f.ids[account]
	}
	type expected map[string]int // a status by role
	for _, c := range []struct {
		name string
		do   func(f *fixture, policy *permissions.Policy) (int, string)
		want expected
	}{
		{"get", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", at(f, "slack/everyone"), "")
		}, expected{"admin": 200, "member": 200, "reader": 200, "": 401}},
		{"get hidden", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", at(f, "slack/finance"), "")
		}, expected{"admin": 200, "member": 404, "reader": 200, "": 401}},
		{"get of another integration", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", at(f, "jira/tracker"), "")
		}, expected{"admin": 200, "member": 404, "reader": 200, "": 401}},
		{"get under the wrong integration", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/jira/credentials/"+f.ids["slack/everyone"], "")
		}, expected{"admin": 404, "member": 404, "reader": 404, "": 401}},
		{"get of another owner", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", at(f, "slack/globex"), "")
		}, expected{"admin": 404, "member": 404, "reader": 404, "": 401}},
		{"get nothing", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials/"+missing, "")
		}, expected{"admin": 404, "member": 404, "reader": 404, "": 401}},
		{"get in upper case", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials/"+strings.ToUpper(f.ids["slack/finance"]), "")
		}, expected{"admin": 200, "member": 404, "reader": 200, "": 401}},
		{"get NUL", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials/%00", "")
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"get by external ID", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials/sales", "")
		}, expected{"admin": 200, "member": 200, "reader": 200, "": 401}},
		{"get hidden by external ID", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials/finance", "")
		}, expected{"admin": 200, "member": 404, "reader": 200, "": 401}},
		{"get by another spelling of the ID", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials/"+strings.ReplaceAll(f.ids["slack/everyone"],
				"-", ""), "")
		}, expected{"admin": 404, "member": 404, "reader": 404, "": 401}},

		{"disconnect", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "DELETE", at(f, "slack/everyone"), "")
		}, expected{"admin": 204, "member": 204, "reader": 403, "": 401}},
		{"disconnect hidden", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "DELETE", at(f, "slack/finance"), "")
		}, expected{"admin": 204, "member": 404, "reader": 403, "": 401}},
		{"disconnect of another owner", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "DELETE", at(f, "slack/globex"), "")
		}, expected{"admin": 404, "member": 404, "reader": 404, "": 401}},

		{"connect", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{"account": "new"}`)
		}, expected{"admin": 201, "member": 201, "reader": 403, "": 401}},
		{"connect as sales", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{"external_id": "sales", "account": "new"}`)
		}, expected{"admin": 409, "member": 409, "reader": 403, "": 401}},
		{"connect as finance", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials",
				`{"external_id": "finance", "account": "new"}`)
		}, expected{"admin": 409, "member": 403, "reader": 403, "": 401}},
		{"connect with an ID as the external ID", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials",
				`{"external_id": "`+missing+`", "account": "new"}`)
		}, expected{"admin": 201, "member": 201, "reader": 403, "": 401}},
		{"connect another integration", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/jira/credentials", `{"account": "new"}`)
		}, expected{"admin": 201, "member": 403, "reader": 403, "": 401}},
		{"connect with NUL", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{"external_id": "\u0000", "account": "new"}`)
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"connect with nothing", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{"external_id": "", "account": "new"}`)
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"connect with a bad name", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials",
				`{"external_id": " finance", "account": "new"}`)
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"connect with no account", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{}`)
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"connect with too much", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials",
				`{"account": "`+strings.Repeat("x", 5000)+`"}`)
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},

		{"proxy", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/proxy/chat", "", using(f.ids["slack/sales"]))
		}, expected{"admin": 200, "member": 200, "reader": 403, "": 401}},
		{"proxy hidden", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/proxy/chat", "", using(f.ids["slack/finance"]))
		}, expected{"admin": 200, "member": 404, "reader": 403, "": 401}},
		{"proxy with two credentials", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/proxy/chat", "", using(f.ids["slack/sales"]),
				using(f.ids["slack/finance"]))
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"proxy with none", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/proxy/chat", "")
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},

		{"list of a bad name", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/sl*ck/credentials", "")
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"list of two actions", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials?can=events&can=proxy-api", "")
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"list of an unknown action", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials?can=proxy", "")
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"list after what is not an ID", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/credentials?after=sales", "")
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"list of no action", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials?can=", "")
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
	} {
		for _, database := range databases {
			t.Run(c.name+", "+database, func(t *testing.T) {
				for role, want := range c.want {
					f := newFixture(t, kit, database)
					before := f.rows(t)
					status, body := c.do(f, roles[role])
					require.Equal(t, want, status, "%q: %s", role, body)
					if status >= 400 {
						require.Equal(t, before, f.rows(t))
						for account := range f.ids {
							require.NotContains(t, body, account)
						}
					}
				}
			})
		}
	}
}

// TestEveryHandlerAsksAboutWhatItDoes has policies that deny just one identifier of what a handler uses, or the
// action, and one that denies what a handler leaves unknown.
func TestEveryHandlerAsksAboutWhatItDoes(t *testing.T) {
	kit := permissionstest.Shared()
	var (
		connects = []permissions.Permission{permissions.CredentialWrite}
		sends    = []permissions.Permission{permissions.ProxyAPI}
	)
	finance := func(f *fixture) permissions.Target {
		return permissions.Integration("slack").
			Credential(permissions.ID(f.ids["slack/finance"]), permissions.ExternalID("finance"))
	}
	for _, c := range []struct {
		name    string
		uses    func(f *fixture) permissions.Target
		actions []permissions.Permission // none for a handler that only shows
		do      func(f *fixture, policy *permissions.Policy) (int, string)
		want    int
	}{
		{"get", finance, nil, func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials/"+f.ids["slack/finance"], "")
		}, 200},
		{"get by external ID", finance, nil, func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials/finance", "")
		}, 200},
		{"disconnect", finance, connects, func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "DELETE", "/integrations/slack/credentials/"+f.ids["slack/finance"], "")
		}, 204},
		{"proxy", finance, sends, func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/proxy/chat", "", using(f.ids["slack/finance"]))
		}, 200},
		{"proxy by external ID", finance, sends, func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/proxy/chat", "", using("finance"))
		}, 200},
		{"connect", func(f *fixture) permissions.Target {
			return permissions.Integration("slack").Credential(permissions.NoID(), permissions.ExternalID("new"))
		}, connects, func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{"external_id": "new", "account": "new"}`)
		}, 201},
	} {
		for _, database := range databases {
			t.Run(c.name+", "+database, func(t *testing.T) {
				f := newFixture(t, kit, database)
				before := f.rows(t)
				for denied, policy := range permissionstest.Denials(t, c.uses(f), c.actions...) {
					status, body := c.do(f, policy)
					require.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, status, "%s: %s", denied, body)
					require.Equal(t, before, f.rows(t))
				}
				status, body := c.do(f, permissionstest.Probe())
				require.Equal(t, c.want, status, body)
			})
		}
	}
}

// TestHiddenIsMissing requires one answer for a row that is hidden and for one that does not exist.
func TestHiddenIsMissing(t *testing.T) {
	for _, database := range databases {
		f := newFixture(t, permissionstest.Shared(), database)
		for _, method := range []string{"GET", "DELETE"} {
			hidden, text := f.do(t, roles["member"], method, "/integrations/slack/credentials/"+f.ids["slack/finance"],
				"")
			none, same := f.do(t, roles["member"], method, "/integrations/slack/credentials/"+missing, "")
			require.Equal(t, http.StatusNotFound, hidden)
			require.Equal(t, none, hidden)
			require.Equal(t, same, text)
		}
	}
}

// accounts asks for all pages of a list. It returns the accounts, and what the first page says is the
// total.
func (f *fixture) accounts(t *testing.T, policy *permissions.Policy, path string) (accounts []string, total int) {
	for after, pages := "", 0; ; pages++ {
		query := path
		if after != "" {
			query += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "after=" +
				strings.ToUpper(after)
		}
		status, body := f.do(t, policy, "GET", query, "")
		require.Equal(t, 200, status, query)
		var p page
		require.NoError(t, json.Unmarshal([]byte(body), &p))
		for _, c := range p.Credentials {
			accounts = append(accounts, c.Account)
		}
		total = p.Total
		if after = p.Next; after == "" {
			return accounts, total
		}
		require.Len(t, p.Credentials, pageSize)
	}
}

// TestList has what each role gets listed.
func TestList(t *testing.T) {
	for _, database := range databases {
		f := newFixture(t, permissionstest.Shared(), database)
		for _, c := range []struct {
			role, path string
			want       []string
		}{
			{"admin", "/credentials", []string{"slack/everyone", "slack/finance", "slack/sales", "jira/tracker"}},
			{"admin", "/integrations/slack/credentials", []string{"slack/everyone", "slack/finance", "slack/sales"}},
			{"admin", "/integrations/jira/credentials?can=events", []string{"jira/tracker"}},
			{"admin", "/integrations/github/credentials", nil},
			{"member", "/credentials", []string{"slack/everyone", "slack/sales"}},
			{"member", "/integrations/slack/credentials", []string{"slack/everyone", "slack/sales"}},
			{"member", "/integrations/slack/credentials?can=credential:write",
				[]string{"slack/everyone", "slack/sales"}},
			{"member", "/integrations/slack/credentials?can=events", nil},
			{"member", "/integrations/jira/credentials", nil},
			{"reader", "/credentials", []string{"slack/everyone", "slack/finance", "slack/sales", "jira/tracker"}},
			{"reader", "/integrations/slack/credentials?can=proxy-api", nil},
			{"reader", "/integrations/slack/credentials?can=settings:read",
				[]string{"slack/everyone", "slack/finance", "slack/sales"}},
		} {
			accounts, total := f.accounts(t, roles[c.role], c.path)
			require.ElementsMatch(t, c.want, accounts, "%s %s, %s", c.role, c.path, database)
			require.Equal(t, len(c.want), total)
		}
	}
}

// TestPages requires that the pages of a long list have each row once, in order.
func TestPages(t *testing.T) {
	for _, database := range databases {
		f := newFixture(t, permissionstest.Shared(), database)
		for i := range 2 * pageSize {
			external := fmt.Sprint(i)
			_, err := f.store.insert(t.Context(), tenant,
				credential{Integration: "slack", ExternalID: &external, Account: "slack/" + external})
			require.NoError(t, err)
		}
		accounts, total := f.accounts(t, roles["member"], "/integrations/slack/credentials?can=proxy-api")
		require.Equal(t, 2*pageSize+2, total)
		require.Len(t, accounts, total)
		slices.Sort(accounts)
		require.Len(t, slices.Compact(accounts), total)
		require.NotContains(t, accounts, "slack/finance")
	}
}

// TestEffects requires that the handlers do what they say, if the policy allows it.
func TestEffects(t *testing.T) {
	for _, database := range databases {
		f := newFixture(t, permissionstest.Shared(), database)
		status, body := f.do(t, roles["member"], "POST", "/integrations/slack/credentials",
			`{"external_id": "support", "account": "new"}`)
		require.Equal(t, 201, status)
		var c credential
		require.NoError(t, json.Unmarshal([]byte(body), &c))
		require.Equal(t, "support", *c.ExternalID)
		require.Len(t, f.rows(t), len(f.ids)+1)

		status, body = f.do(t, roles["member"], "POST", "/integrations/slack/proxy/chat.postMessage", "",
			using("ext:support"))
		require.Equal(t, 200, status)
		require.JSONEq(t, `{"sent": "/chat.postMessage", "as": "new"}`, body)

		status, _ = f.do(t, roles["member"], "DELETE", "/integrations/slack/credentials/"+c.ID, "")
		require.Equal(t, 204, status)
		require.Len(t, f.rows(t), len(f.ids))
	}
}

// TestRowChangesAfterTheQuestion gives a row another external ID after the policy was asked. The row is not
// deleted.
func TestRowChangesAfterTheQuestion(t *testing.T) {
	for _, database := range databases {
		f := newFixture(t, permissionstest.Shared(), database)
		ctx := t.Context()
		everyone := permissions.Integration("slack").Credential(permissions.ID(f.ids["slack/everyone"]))
		c, err := f.store.find(ctx, tenant, everyone)
		require.NoError(t, err)
		require.Nil(t, c.ExternalID)
		_, err = f.store.db.Exec(f.store.bind(`UPDATE credentials SET external_id = 'other' WHERE id = ?`), c.ID)
		require.NoError(t, err)
		require.ErrorIs(t, f.store.remove(ctx, tenant, c), httpauth.ErrNotFound)
		require.Len(t, f.rows(t), len(f.ids))
		_, err = f.store.find(ctx, tenant, permissions.Integration("slack").Credential())
		require.ErrorIs(t, err, httpauth.ErrNotFound, "a target that names nothing")
	}
}

// TestBrokenStore requires that a broken database is answered with 500, whatever was asked.
func TestBrokenStore(t *testing.T) {
	for _, database := range databases {
		f := newFixture(t, permissionstest.Shared(), database)
		_, err := f.store.db.Exec(`DROP TABLE credentials`)
		require.NoError(t, err)
		for _, r := range []struct{ method, path, body string }{
			{"GET", "/credentials", ""},
			{"GET", "/integrations/slack/credentials", ""},
			{"GET", "/integrations/slack/credentials/" + missing, ""},
			{"DELETE", "/integrations/slack/credentials/" + missing, ""},
			{"POST", "/integrations/slack/credentials", `{"account": "new"}`},
			{"POST", "/integrations/slack/proxy/chat", ""},
		} {
			status, body := f.do(t, roles["admin"], r.method, r.path, r.body, using(missing))
			require.Equal(t, 500, status, "%s %s", r.method, r.path)
			require.JSONEq(t, `{"type": "about:blank", "title": "Internal Server Error", "status": 500}`, body)
		}
	}
}

// TestOpenStore has databases that are not there.
func TestOpenStore(t *testing.T) {
	_, err := openStore(t.Context(), "mysql://x", false)
	require.ErrorContains(t, err, "use postgres://")
	_, err = openStore(t.Context(), "postgres://server:wrong@"+strings.SplitN(postgreSQL, "@", 2)[1], false)
	require.ErrorContains(t, err, "password authentication failed")
}

// TestPersistentStore opens a table that is there.
func TestPersistentStore(t *testing.T) {
	var ids [2]map[string]string
	for i := range ids {
		s, err := openStore(t.Context(), postgreSQL, false)
		require.NoError(t, err)
		ids[i], err = seed(t.Context(), s)
		require.NoError(t, err)
		require.NoError(t, s.close())
	}
	require.Equal(t, ids[0]["slack/sales"], ids[1]["slack/sales"])
	require.NotEmpty(t, ids[1]["slack/sales"])
}
