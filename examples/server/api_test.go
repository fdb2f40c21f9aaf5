package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/permissionstest"
)

// A fixture is a server with the rows of seed.
type fixture struct {
	kit   *permissionstest.Kit
	url   string
	store *store
	ids   map[string]string
}

func newFixture(t *testing.T, kit *permissionstest.Kit) *fixture {
	s, err := openStore(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.close()) })
	ids, err := seed(t.Context(), s)
	require.NoError(t, err)
	server := httptest.NewServer(newAPI(kit.Verifier(), s, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	return &fixture{kit, server.URL, s, ids}
}

// do sends a request, with changes, as somebody with a policy. It returns status and body.
func (f *fixture) do(t *testing.T, policy *permissions.Policy, method, path, body string, changes ...func(*http.Request)) (int, string) {
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
	rows, err := f.store.db.Query(`SELECT owner || '/' || account || '/' || id || '/' || coalesce(external_id, '-') FROM credentials ORDER BY id`)
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

// What each role may do, through every handler.
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
		}, expected{"admin": 201, "member": 201, "reader": 403, "": 401}},
		{"connect as finance", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{"external_id": "finance", "account": "new"}`)
		}, expected{"admin": 201, "member": 403, "reader": 403, "": 401}},
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
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{"external_id": " finance", "account": "new"}`)
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"connect with no account", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{}`)
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
		{"connect with too much", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/credentials", `{"account": "`+strings.Repeat("x", 5000)+`"}`)
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},

		{"proxy", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/proxy/chat", "", using(f.ids["slack/sales"]))
		}, expected{"admin": 200, "member": 200, "reader": 403, "": 401}},
		{"proxy hidden", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/proxy/chat", "", using(f.ids["slack/finance"]))
		}, expected{"admin": 200, "member": 404, "reader": 403, "": 401}},
		{"proxy with two credentials", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "POST", "/integrations/slack/proxy/chat", "", using(f.ids["slack/sales"]), using(f.ids["slack/finance"]))
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
		{"list of no action", func(f *fixture, p *permissions.Policy) (int, string) {
			return f.do(t, p, "GET", "/integrations/slack/credentials?can=", "")
		}, expected{"admin": 400, "member": 400, "reader": 400, "": 401}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for role, want := range c.want {
				f := newFixture(t, kit)
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

// A row that is hidden and one that does not exist get one answer.
func TestHiddenIsMissing(t *testing.T) {
	f := newFixture(t, permissionstest.New(t))
	for _, method := range []string{"GET", "DELETE"} {
		hidden, text := f.do(t, roles["member"], method, "/integrations/slack/credentials/"+f.ids["slack/finance"], "")
		none, same := f.do(t, roles["member"], method, "/integrations/slack/credentials/"+missing, "")
		require.Equal(t, http.StatusNotFound, hidden)
		require.Equal(t, none, hidden)
		require.Equal(t, same, text)
	}
}

func TestList(t *testing.T) {
	f := newFixture(t, permissionstest.New(t))
	for _, c := range []struct {
		role, path string
		want       []string
	}{
		{"admin", "/integrations/slack/credentials", []string{"slack/everyone", "slack/finance", "slack/sales"}},
		{"admin", "/integrations/jira/credentials?can=events", []string{"jira/tracker"}},
		{"admin", "/integrations/github/credentials", []string{}},
		{"member", "/integrations/slack/credentials", []string{"slack/everyone", "slack/sales"}},
		{"member", "/integrations/slack/credentials?can=credential:write", []string{"slack/everyone", "slack/sales"}},
		{"member", "/integrations/slack/credentials?can=events", []string{}},
		{"member", "/integrations/jira/credentials", []string{}},
		{"reader", "/integrations/slack/credentials", []string{}},
		{"reader", "/integrations/slack/credentials?can=settings:read", []string{"slack/everyone", "slack/finance", "slack/sales"}},
	} {
		status, body := f.do(t, roles[c.role], "GET", c.path, "")
		require.Equal(t, 200, status, "%s %s", c.role, c.path)
		var list []credential
		require.NoError(t, json.Unmarshal([]byte(body), &list))
		accounts := []string{}
		for _, row := range list {
			accounts = append(accounts, row.Account)
		}
		require.Equal(t, c.want, accounts, "%s %s", c.role, c.path)
	}
}

// The handlers do what they say when they are let.
func TestEffects(t *testing.T) {
	f := newFixture(t, permissionstest.New(t))
	status, body := f.do(t, roles["member"], "POST", "/integrations/slack/credentials", `{"external_id": "support", "account": "new"}`)
	require.Equal(t, 201, status)
	var c credential
	require.NoError(t, json.Unmarshal([]byte(body), &c))
	require.Equal(t, "support", *c.ExternalID)
	require.Len(t, f.rows(t), len(f.ids)+1)

	status, body = f.do(t, roles["member"], "POST", "/integrations/slack/proxy/chat.postMessage", "", using(c.ID))
	require.Equal(t, 200, status)
	require.JSONEq(t, `{"sent": "/chat.postMessage", "as": "new"}`, body)

	status, _ = f.do(t, roles["member"], "DELETE", "/integrations/slack/credentials/"+c.ID, "")
	require.Equal(t, 204, status)
	require.Len(t, f.rows(t), len(f.ids))
}

// A row that was given another external ID after the policy was asked is not touched.
func TestRowChangesAfterTheQuestion(t *testing.T) {
	f := newFixture(t, permissionstest.New(t))
	ctx := context.Background()
	target, err := f.store.identify(ctx, tenant, "slack", f.ids["slack/everyone"])
	require.NoError(t, err)
	require.Equal(t, permissions.None, target.CredentialExternalID)
	_, err = f.store.db.Exec(`UPDATE credentials SET external_id = 'finance' WHERE id = ?`, target.CredentialID)
	require.NoError(t, err)
	require.ErrorIs(t, f.store.remove(ctx, tenant, target), errNotFound)
	_, err = f.store.read(ctx, tenant, target)
	require.ErrorIs(t, err, errNotFound)
	require.Len(t, f.rows(t), len(f.ids))
}

// A broken database is no reason to say more, or to say yes.
func TestBrokenStore(t *testing.T) {
	f := newFixture(t, permissionstest.New(t))
	_, err := f.store.db.Exec(`DROP TABLE credentials`)
	require.NoError(t, err)
	for _, r := range []struct{ method, path, body string }{
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
