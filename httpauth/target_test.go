package httpauth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

var everySource = httpauth.Sources{
	Integration:             httpauth.Literal("slack"),
	CredentialID:            httpauth.Header(httpauth.CredentialHeader),
	CredentialExternalID:    httpauth.Query("external"),
	ConfigurationID:         httpauth.Path("configuration"),
	ConfigurationExternalID: func(r *http.Request) (string, error) { return r.Host, nil },
}

func TestSources(t *testing.T) {
	good := func() *http.Request {
		r := httptest.NewRequest("POST", "/?external=Team%20A&other=1&other=2", strings.NewReader("external=Team+B"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header["X-Paragon-Credential"] = []string{"7"}
		r.SetPathValue("configuration", "8")
		r.Host = "Team:C"
		return r
	}
	want := permissions.Target{
		Integration: "slack", CredentialID: "7", CredentialExternalID: "Team A",
		ConfigurationID: "8", ConfigurationExternalID: "Team:C",
	}
	target, err := everySource.Target(good())
	require.NoError(t, err)
	require.Equal(t, want, target)

	for _, c := range []struct {
		name    string
		change  func(r *http.Request)
		field   string
		problem string
	}{
		{"no header", func(r *http.Request) { r.Header.Del("X-Paragon-Credential") }, "CredentialID", `is empty: there is no header "X-Paragon-Credential"`},
		{"empty header", func(r *http.Request) { r.Header.Set("X-Paragon-Credential", "") }, "CredentialID", `is empty: there is no header "X-Paragon-Credential"`},
		{"two headers", func(r *http.Request) { r.Header.Add("X-Paragon-Credential", "7") }, "CredentialID", `is many: there is more than one header "X-Paragon-Credential"`},
		{"two headers, one empty", func(r *http.Request) { r.Header.Add("X-Paragon-Credential", "") }, "CredentialID", `is many: there is more than one header "X-Paragon-Credential"`},
		{"joined headers", func(r *http.Request) { r.Header.Set("X-Paragon-Credential", "7, 8") }, "CredentialID", `may be many: there is a comma in header "X-Paragon-Credential"`},
		{"header none", func(r *http.Request) { r.Header.Set("X-Paragon-Credential", permissions.None) }, "CredentialID", "is the value that stands for none"},
		{"no query", func(r *http.Request) { r.URL.RawQuery = "" }, "CredentialExternalID", `is empty: there is no query value "external"`},
		{"query in another case", func(r *http.Request) { r.URL.RawQuery = "External=A" }, "CredentialExternalID", `is empty: there is no query value "external"`},
		{"empty query", func(r *http.Request) { r.URL.RawQuery = "external=" }, "CredentialExternalID", `is empty: there is no query value "external"`},
		{"two queries", func(r *http.Request) { r.URL.RawQuery = "external=A&external=B" }, "CredentialExternalID", `is many: there is more than one query value "external"`},
		{"two queries, escaped", func(r *http.Request) { r.URL.RawQuery = "external=A&%65xternal=B" }, "CredentialExternalID", `is many: there is more than one query value "external"`},
		{"two queries, one empty", func(r *http.Request) { r.URL.RawQuery = "external&external=B" }, "CredentialExternalID", `is many: there is more than one query value "external"`},
		{"query with a semicolon", func(r *http.Request) { r.URL.RawQuery = "external=A&x=1;external=B" }, "CredentialExternalID", "is unknown: the query is malformed"},
		{"query with a bad escape", func(r *http.Request) { r.URL.RawQuery = "external=A&external=%zz" }, "CredentialExternalID", "is unknown: the query is malformed"},
		{"query none", func(r *http.Request) { r.URL.RawQuery = "external=%00" }, "CredentialExternalID", "is the value that stands for none"},
		{"no path value", func(r *http.Request) { r.SetPathValue("configuration", "") }, "ConfigurationID", `is empty: there is no path value "configuration"`},
		{"path with an escape", func(r *http.Request) { r.SetPathValue("configuration", "%38") }, "ConfigurationID", `may be another name: there is an escape in path value "configuration"`},
		{"path none", func(r *http.Request) { r.SetPathValue("configuration", permissions.None) }, "ConfigurationID", "is the value that stands for none"},
		{"own source, empty", func(r *http.Request) { r.Host = "" }, "ConfigurationExternalID", "is empty"},
		{"own source, none", func(r *http.Request) { r.Host = permissions.None }, "ConfigurationExternalID", "is the value that stands for none"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := good()
			c.change(r)
			target, err := everySource.Target(r)
			require.Equal(t, permissions.Target{}, target)
			require.ErrorIs(t, err, permissions.ErrTarget)
			var problem *permissions.TargetError
			require.ErrorAs(t, err, &problem)
			require.Equal(t, c.field, problem.Field)
			require.Equal(t, c.problem, problem.Problem)

			kit := permissionstest.New(t)
			r = kit.Authorize(t, r, "ann", permissions.Unrestricted())
			requireProblem(t, serve(httpauth.New(kit.Verifier()).Require(permissions.SettingsRead, everySource.Target)(nobody(t)), r), 400, "")
		})
	}
}

// Each identifier is guarded, whichever it is.
func TestSourcesGuardEachField(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	for _, bad := range []string{"", permissions.None} {
		source := httpauth.Literal(bad)
		for field, s := range map[string]httpauth.Sources{
			"Integration":             {Integration: source},
			"CredentialID":            {CredentialID: source},
			"CredentialExternalID":    {CredentialExternalID: source},
			"ConfigurationID":         {ConfigurationID: source},
			"ConfigurationExternalID": {ConfigurationExternalID: source},
		} {
			_, err := s.Target(r)
			var problem *permissions.TargetError
			require.ErrorAs(t, err, &problem)
			require.Equal(t, field, problem.Field)
		}
	}
}

func TestSourcesOfNothing(t *testing.T) {
	target, err := httpauth.Sources{}.Target(httptest.NewRequest("GET", "/", nil))
	require.NoError(t, err)
	require.Equal(t, permissions.Target{}, target)
}

// The error of a Source of one's own is kept, and with it the answer.
func TestSourceError(t *testing.T) {
	boom := errors.New("the database is away")
	failing := func(err error) httpauth.Sources {
		return httpauth.Sources{Integration: func(*http.Request) (string, error) { return "slack", err }}
	}
	r := httptest.NewRequest("GET", "/", nil)
	_, err := failing(boom).Target(r)
	require.Equal(t, boom, err)

	shared := &permissions.TargetError{Problem: "is odd"}
	_, err = failing(shared).Target(r)
	require.EqualError(t, err, "permissions: invalid question: Integration is odd")
	require.Empty(t, shared.Field)
}

// What a pattern of ServeMux takes from a path is what is asked about, escapes and all.
func TestServeMux(t *testing.T) {
	kit := permissionstest.New(t)
	auth := httpauth.New(kit.Verifier())
	policy := permissions.MustParse(`{"integration:slack": {"credential:*": ["credential:write"], "credential:a/b": false, "credential:3fa85f64-5717-4562-b3fc-2c963f66afa6": false}}`)
	mux := http.NewServeMux()
	mux.Handle("DELETE /integrations/{integration}/credentials/{credential}", auth.Require(permissions.CredentialWrite, httpauth.Sources{
		Integration:  httpauth.Path("integration"),
		CredentialID: httpauth.Path("credential"),
	}.Target)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Credential", r.PathValue("credential"))
	})))
	for path, want := range map[string]struct {
		status int
		id     string
	}{
		"/integrations/slack/credentials/7":                                    {200, "7"},
		"/integrations/slack/credentials/a%20b":                                {200, "a b"},
		"/integrations/slack/credentials/%61%2Fb":                              {403, ""},
		"/integrations/slack/credentials/3FA85F64-5717-4562-b3fc-2c963f66afa6": {403, ""},
		"/integrations/jira/credentials/7":                                     {403, ""},
		"/integrations/slack/credentials/100%25":                               {200, "100%"},
		"/integrations/slack/credentials/%25zz%25a":                            {200, "%zz%a"},
		"/integrations/slack/credentials/%2537":                                {400, ""},
		"/integrations/slack/credentials/a%252Fb":                              {400, ""},
		"/integrations/slack/credentials/%25%25aF":                             {400, ""},
		"/integrations/slack/credentials/%00":                                  {400, ""},
		"/integrations/slack/credentials/%FF":                                  {400, ""},
		"/integrations/slack/credentials/%20":                                  {400, ""},
		"/integrations/slack/credentials/ext:7":                                {400, ""},
		"/integrations/slack/credentials/*":                                    {400, ""},
		"/integrations/%00/credentials/7":                                      {400, ""},
		"/integrations/slack/credentials/":                                     {404, ""},
	} {
		for name, h := range map[string]http.Handler{"alone": mux, "wrapped": auth.Wrap(mux)} {
			resp := serve(h, kit.Authorize(t, httptest.NewRequest("DELETE", path, nil), "ann", policy))
			require.Equal(t, want.status, resp.StatusCode, "%s %s", name, path)
			require.Equal(t, want.id, resp.Header.Get("Credential"), "%s %s", name, path)
		}
	}
}
