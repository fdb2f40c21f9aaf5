package httpauth_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
)

var headers = httpauth.Sources{
	Integration:   httpauth.Path("integration"),
	Credential:    httpauth.Header(httpauth.CredentialHeader),
	Configuration: httpauth.Header(httpauth.ConfigurationHeader),
}

// headerRequest returns a request that names everything.
func headerRequest() *http.Request {
	r := httptest.NewRequest("POST", "/", nil)
	r.SetPathValue("integration", "slack")
	r.Header["X-Paragon-Credential"] = []string{annsID}
	r.Header["X-Paragon-Configuration-Id"] = []string{"ext:Team A"}
	return r
}

func TestSources(t *testing.T) {
	credential := httpauth.Sources{Integration: headers.Integration, Credential: headers.Credential}
	inQuery := httpauth.Sources{Integration: headers.Integration, Credential: httpauth.Query("credential")}
	set := func(ref string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(httpauth.CredentialHeader, ref) }
	}
	bareID := strings.ReplaceAll(annsID, "-", "")
	for _, c := range []struct {
		name    string
		sources httpauth.Sources
		change  func(r *http.Request)
		want    permissions.Target
	}{
		{"none", httpauth.Sources{}, nil, permissions.User()},
		{"integration", httpauth.Sources{Integration: httpauth.Literal("slack")}, nil, slack},
		{"everything", headers, nil,
			slack.Credential(permissions.ID(annsID)).Configuration(permissions.ExternalID("Team A"))},
		{"UUID in capitals", credential, set(strings.ToUpper(annsID)), slack.Credential(permissions.ID(annsID))},
		{"UUID without hyphens", credential, set(bareID), slack.Credential(permissions.ExternalID(bareID))},
		{"plain external ID", credential, set("sales"), slack.Credential(permissions.ExternalID("sales"))},
		{"external ID after ext:", credential, set("ext:sales"), slack.Credential(permissions.ExternalID("sales"))},
		{"external ID with ext: twice", credential, set("ext:ext:sales"),
			slack.Credential(permissions.ExternalID("ext:sales"))},

		{"no credential header", headers, func(r *http.Request) { r.Header.Del(httpauth.CredentialHeader) },
			slack.Credential().Configuration(permissions.ExternalID("Team A"))},
		{"no configuration header", headers, func(r *http.Request) { r.Header.Del(httpauth.ConfigurationHeader) },
			slack.Credential(permissions.ID(annsID)).Configuration()},
		{"no header", headers, func(r *http.Request) { r.Header = nil }, slack.Credential().Configuration()},
		{"no credential Source", httpauth.Sources{
			Integration: headers.Integration, Configuration: headers.Configuration,
		}, nil, slack.Credential().Configuration(permissions.ExternalID("Team A"))},
		{"no configuration Source", credential, nil, slack.Credential(permissions.ID(annsID))},
		{"no query value", inQuery, nil, slack.Credential()},
		{"query value", inQuery,
			func(r *http.Request) { r.URL.RawQuery = "other=1&other=2&credential=ext:Team%20A" },
			slack.Credential(permissions.ExternalID("Team A"))},
		{"path value", httpauth.Sources{Integration: headers.Integration, Credential: httpauth.Path("credential")},
			func(r *http.Request) { r.SetPathValue("credential", annsID) }, slack.Credential(permissions.ID(annsID))},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := headerRequest()
			if c.change != nil {
				c.change(r)
			}
			target, err := c.sources.Target(r)
			require.NoError(t, err)
			require.NoError(t, target.Err())
			require.Equal(t, c.want, target)
		})
	}
}

// What a request leaves out is unknown, and fails closed: a rule about it turns a yes into a no.
func TestHeaderLeftOutFailsClosed(t *testing.T) {
	for _, c := range []struct {
		name    string
		policy  string
		remove  string
		unknown permissions.Identifiers
	}{
		{"credential, by its ID", `{"integration:*": true, "credential:` + bensID + `": false}`,
			httpauth.CredentialHeader, permissions.CredentialID},
		{"credential, by its external ID", `{"integration:*": true, "credential:ext:b": false}`,
			httpauth.CredentialHeader, permissions.CredentialExternalID},
		{"configuration, by its ID", `{"integration:*": true, "configuration:` + configID + `": false}`,
			httpauth.ConfigurationHeader, permissions.ConfigurationID},
		{"configuration, by its external ID", `{"integration:*": true, "configuration:ext:b": false}`,
			httpauth.ConfigurationHeader, permissions.ConfigurationExternalID},
	} {
		t.Run(c.name, func(t *testing.T) {
			// Each of these acts on what it is asked of, so no level is added to the question.
			for _, action := range []permissions.Permission{permissions.Events, permissions.ActionKit} {
				r := headerRequest()
				r.Header.Del(c.remove)
				kit.Authorize(t, r, "ann", permissions.MustParse(c.policy))
				var rec recorder
				resp := serve(newAuth(rec.option()).Require(action, headers.Target)(nobody(t)), r)
				require.Equal(t, 403, resp.StatusCode)
				var denied *permissions.DeniedError
				require.ErrorAs(t, rec.errors[0], &denied)
				require.Equal(t, permissions.ReasonUndetermined, denied.Decision.Reason)
				require.Equal(t, c.unknown, denied.Decision.Unknown)
			}
		})
	}
}

func TestSourcesRefuse(t *testing.T) {
	other := func(source httpauth.Source) httpauth.Sources {
		return httpauth.Sources{Integration: httpauth.Literal("slack"), Credential: source}
	}
	set := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
	}
	path := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.SetPathValue("integration", value) }
	}
	query := func(raw string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = raw } }
	const credential, configuration = httpauth.CredentialHeader, httpauth.ConfigurationHeader
	const (
		comma      = `has a comma in the header "X-Paragon-Credential", which makes a list of it; send one value`
		severalOf  = "is given more than once: the request has several values of the "
		twice      = severalOf + `header "X-Paragon-Credential"; send one`
		queryTwice = severalOf + `query parameter "external"; send one`
		malformed  = "is unknown: the query of the URL is malformed; escape what is in it"
		escaped    = `may be another name: there is an escape in the path value "integration"; ` +
			"send the path in its usual spelling"
		empty    = "is empty; give a name or a reference"
		missing  = "is missing in the request; send its name"
		noSource = "has no Source; give Sources an Integration"
	)
	external := other(httpauth.Query("external"))
	ignore := func(*http.Request) {}
	for _, c := range []struct {
		name    string
		sources httpauth.Sources
		change  func(r *http.Request)
		field   string
		problem string // with the remedy; empty if it is the core's
	}{
		{"header empty", headers, set(credential, ""), "credential", empty},
		{"header twice", headers, set(credential, annsID, annsID), "credential", twice},
		{"header twice, once empty", headers, set(credential, annsID, ""), "credential", twice},
		{"header as a list", headers, set(credential, "7, 8"), "credential", comma},
		{"header as a list without a space", headers, set(credential, "7,8"), "credential", comma},
		{"header as a list of UUIDs", headers, set(credential, annsID+","+bensID), "credential", comma},
		{"header with a comma first", headers, set(credential, ","+annsID), "credential", comma},
		{"header with a comma last", headers, set(credential, annsID+","), "credential", comma},
		{"header of nothing but a comma", headers, set(credential, ","), "credential", comma},
		{"header ext:", headers, set(credential, "ext:"), "credential external ID", ""},
		{"header with white space", headers, set(credential, " 7"), "credential external ID", ""},
		{"header with a NUL", headers, set(credential, "\x00"), "credential external ID", ""},
		{"header *", headers, set(credential, "*"), "credential external ID", ""},

		{"configuration header empty", headers, set(configuration, ""), "configuration", empty},
		{"configuration header twice", headers, set(configuration, configID, configID), "configuration",
			severalOf + `header "X-Paragon-Configuration-Id"; send one`},
		{"configuration header as a list", headers, set(configuration, "7,8"), "configuration",
			`has a comma in the header "X-Paragon-Configuration-Id", which makes a list of it; send one value`},
		{"configuration header with white space", headers, set(configuration, "a "), "configuration external ID", ""},

		{"no path value", headers, path(""), "integration",
			`is missing: there is no path value "integration"; the pattern of the route needs the wildcard {integration}`},
		{"path value with an escape", headers, path("%38"), "integration",
			escaped},
		{"path value with a late escape", headers, path("%%zz%4F"), "integration",
			escaped},
		{"dot segment in the path", headers, func(r *http.Request) { r.URL.Path = "/proxy/slack/../salesforce" },
			"integration", "may be another name: there is a segment . or .. in the path; send the path without it"},
		{"path value *", headers, path("*"), "integration", ""},
		{"path value ext:", headers, path("ext:slack"), "integration", ""},
		{"path value with a NUL", headers, path("\x00"), "integration", ""},
		{"no path value for a credential", other(httpauth.Path("credential")), ignore, "credential",
			`is missing: there is no path value "credential"; the pattern of the route needs the wildcard {credential}`},

		{"empty query value", external, query("external="), "credential", empty},
		{"two query values", external, query("external=A&external=B"), "credential", queryTwice},
		{"two query values, one escaped", external, query("external=A&%65xternal=B"), "credential", queryTwice},
		{"two query values, one empty", external, query("external&external=B"), "credential", queryTwice},
		{"query with a semicolon", external, query("external=A&x=1;external=B"), "credential",
			malformed},
		{"query with a bad escape", external, query("external=A&external=%zz"), "credential",
			malformed},
		{"query value NUL", external, query("external=%00"), "credential external ID", ""},

		{"literal empty", other(httpauth.Literal("")), ignore, "credential", empty},
		{"integration empty", httpauth.Sources{Integration: httpauth.Literal("")}, ignore, "integration", empty},
		{"integration missing", httpauth.Sources{Integration: httpauth.Header("X-Integration")}, ignore, "integration",
			missing},
		{"integration missing in the query", httpauth.Sources{Integration: httpauth.Query("integration")}, ignore,
			"integration", missing},
		{"no Source for the integration", httpauth.Sources{Credential: headers.Credential}, ignore,
			"integration", noSource},
		{"no Source above a configuration", httpauth.Sources{Configuration: headers.Configuration}, ignore,
			"integration", noSource},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := headerRequest()
			c.change(r)
			target, err := c.sources.Target(r)
			require.ErrorIs(t, err, permissions.ErrQuestion)
			require.ErrorIs(t, target.Err(), permissions.ErrQuestion, "nobody can go on with the target")
			var problem *permissions.QuestionError
			require.ErrorAs(t, err, &problem)
			require.Equal(t, c.field, problem.Field)
			if c.problem != "" {
				require.Equal(t, c.problem, problem.Problem+"; "+problem.Remedy)
			}

			// Whoever may do everything is refused too.
			kit.Authorize(t, r, "ann", permissions.Unrestricted())
			h := newAuth().Require(permissions.SettingsRead, c.sources.Target)(nobody(t))
			requireProblem(t, serve(h, r), 400, "")
		})
	}
}

// An escape is a percent sign and two hexadecimal digits.
func TestPathRefusesEscapes(t *testing.T) {
	for c := range 256 {
		isHex := strings.IndexByte("0123456789abcdefABCDEF", byte(c)) >= 0
		digit := string([]byte{byte(c)})
		for _, value := range []string{"x%" + digit + "0", "x%0" + digit, "%zz%1%" + digit + "a"} {
			r := headerRequest()
			r.SetPathValue("integration", value)
			got, ok, err := httpauth.Path("integration")(r)
			if isHex {
				require.ErrorIs(t, err, permissions.ErrQuestion, "%q", value)
				require.False(t, ok)
				continue
			}
			require.NoError(t, err, "%q", value)
			require.True(t, ok)
			require.Equal(t, value, got)
		}
	}
}

// Only a comma makes a list.
func TestHeaderValueWithOtherSeparators(t *testing.T) {
	r := headerRequest()
	r.Header.Set(httpauth.CredentialHeader, "a;b c")
	value, ok, err := httpauth.Header("x-paragon-credential")(r)
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "a;b c", value)
}

// The error of a Source of one's own is kept, and with it the answer.
func TestSourceOfOnesOwn(t *testing.T) {
	failing := func(err error) httpauth.Sources {
		return httpauth.Sources{Integration: func(*http.Request) (string, bool, error) { return "slack", true, err }}
	}
	r := headerRequest()
	target, err := failing(errDatabase).Target(r)
	require.Equal(t, errDatabase, err)
	require.Equal(t, permissions.Target{}, target)

	shared := &permissions.QuestionError{Problem: "is odd"}
	_, err = failing(shared).Target(r)
	require.EqualError(t, err, "permissions: invalid question: integration is odd")
	require.Empty(t, shared.Field, "a Source can return the same error for many requests")

	_, err = failing(&permissions.QuestionError{Field: "tenant", Problem: "is odd"}).Target(r)
	require.EqualError(t, err, "permissions: invalid question: tenant is odd")

	_, err = failing((*permissions.QuestionError)(nil)).Target(r)
	require.ErrorIs(t, err, permissions.ErrQuestion)

	host := httpauth.Sources{
		Integration: httpauth.Literal("slack"),
		Credential:  func(r *http.Request) (string, bool, error) { return r.Host, r.Host != "", nil },
	}
	r.Host = "Team:C"
	target, err = host.Target(r)
	require.NoError(t, err)
	require.Equal(t, slack.Credential(permissions.ExternalID("Team:C")), target)
}

// What a pattern of ServeMux takes from a path is what is asked about.
func TestServeMux(t *testing.T) {
	auth := newAuth()
	policy := permissions.MustParse(`{"integration:slack": {
		"credential:*": ["credential:write"], "credential:ext:a/b": false, "credential:` + annsID + `": false
	}}`)
	mux := http.NewServeMux()
	mux.Handle("DELETE /integrations/{integration}/credentials/{credential}", auth.Require(permissions.CredentialWrite,
		func(r *http.Request) (permissions.Target, error) {
			name, _, err := httpauth.Path("integration")(r)
			if err != nil {
				return permissions.Target{}, err
			}
			ref, _, err := httpauth.Path("credential")(r)
			if err != nil {
				return permissions.Target{}, err
			}
			reference := permissions.Reference(ref)
			other := permissions.NoExternalID()
			_, state := slack.Credential(reference).Lookup(permissions.CredentialExternalID)
			if state == permissions.Known {
				other = permissions.NoID()
			}
			return permissions.Integration(name).Credential(reference, other), nil
		})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Credential", r.PathValue("credential"))
	})))
	for _, c := range []struct {
		path   string
		status int
		value  string
	}{
		{"/integrations/slack/credentials/7", 200, "7"},
		{"/integrations/slack/credentials/ext:7", 200, "ext:7"},
		{"/integrations/slack/credentials/a%20b", 200, "a b"},
		{"/integrations/slack/credentials/" + bensID, 200, bensID},
		{"/integrations/slack/credentials/100%25", 200, "100%"},
		{"/integrations/slack/credentials/%25zz%25a", 200, "%zz%a"},
		{"/integrations/slack/credentials/%61%2Fb", 403, ""},
		{"/integrations/slack/credentials/ext:a%2Fb", 403, ""},
		{"/integrations/slack/credentials/" + strings.ToUpper(annsID), 403, ""},
		{"/integrations/jira/credentials/7", 403, ""},
		{"/integrations/slack/credentials/%2537", 400, ""},
		{"/integrations/slack/credentials/a%252Fb", 400, ""},
		{"/integrations/slack/credentials/%25%25aF", 400, ""},
		{"/integrations/slack/credentials/%00", 400, ""},
		{"/integrations/slack/credentials/%FF", 400, ""},
		{"/integrations/slack/credentials/%20", 400, ""},
		{"/integrations/slack/credentials/*", 400, ""},
		{"/integrations/%00/credentials/7", 400, ""},
		{"/integrations/slack/credentials/", 404, ""},
	} {
		for name, h := range map[string]http.Handler{"alone": mux, "wrapped": auth.Wrap(mux)} {
			t.Run(name+c.path, func(t *testing.T) {
				resp := serve(h, kit.Authorize(t, httptest.NewRequest("DELETE", c.path, nil), "ann", policy))
				require.Equal(t, c.status, resp.StatusCode)
				require.Equal(t, c.value, resp.Header.Get("Credential"))
			})
		}
	}
}

// Query does not read the body, where a form could name something else.
func TestQueryIsNotAForm(t *testing.T) {
	r := httptest.NewRequest("POST", "/", strings.NewReader("credential=sales"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, ok, err := httpauth.Query("credential")(r)
	require.NoError(t, err)
	require.False(t, ok)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.Equal(t, "credential=sales", string(body))
}

// A mux lets dot segments pass if they are escaped. A server behind a proxy may resolve them.
func TestPathRefusesDotSegments(t *testing.T) {
	auth := newAuth()
	mux := http.NewServeMux()
	sources := httpauth.Sources{Integration: httpauth.Path("integration")}
	mux.Handle("/proxy/{integration}/{rest...}", auth.Require(permissions.Events, sources.Target)(&somebody{}))
	for path, status := range map[string]int{
		"/proxy/slack/x": 204, "/proxy/slack/..x/.y": 204, "/proxy/slack/%2e%2e/salesforce/x": 400,
		"/proxy/slack/..%2fsalesforce/x": 400, "/proxy/slack/a/%2e": 400,
	} {
		r := kit.Authorize(t, httptest.NewRequest("GET", path, nil), "ann", everything)
		require.Equal(t, status, serve(mux, r).StatusCode, path)
	}
}
