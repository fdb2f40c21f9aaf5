package forwardauth_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
	"github.com/connectperms/permissions/httpauth"
)

// A route that cannot be meant is refused when the table is made.
func TestRoutesAreChecked(t *testing.T) {
	const tail = forwardauth.TailOpaque
	none := forwardauth.Source{}
	integration, credential := forwardauth.Path("integration"), forwardauth.Path("credential")
	events := func(pattern string) forwardauth.Route {
		return forwardauth.Route{Pattern: pattern, Permission: permissions.Events}
	}
	proxy := func(pattern string, tail forwardauth.Tail, sources ...forwardauth.Source) forwardauth.Route {
		r := forwardauth.Route{Pattern: pattern, Permission: permissions.ProxyAPI, Tail: tail}
		for i, s := range sources {
			*[]*forwardauth.Source{&r.Integration, &r.Credential, &r.Configuration}[i] = s
		}
		return r
	}
	for _, c := range []struct {
		name    string
		routes  []forwardauth.Route
		problem string // empty for a good table
	}{
		{"none", nil, "there are no routes, and nothing would pass; add a Route"},
		{"one", []forwardauth.Route{events("POST /events")}, ""},
		{"root", []forwardauth.Route{events("POST /")}, ""},
		{"every path", []forwardauth.Route{events("/{rest...}")}, ""},
		{"escaped literal", []forwardauth.Route{events("POST /a%20b")}, ""},
		{"method of WebDAV", []forwardauth.Route{events("PROPFIND /x")}, ""},
		{"ignored segments", []forwardauth.Route{events("POST /{_}/{_}/events")}, ""},

		{"reads, with a method", []forwardauth.Route{
			{Pattern: "GET /me", Permission: permissions.MetadataRead},
			{Pattern: "POST /query", Permission: permissions.MetadataRead},
		}, ""},
		{"reads, with every method", []forwardauth.Route{{Pattern: "/me", Permission: permissions.MetadataRead}},
			"is for every method, and metadata:read only reads; write a method before the path, such as GET"},
		{"reads settings, with every method", []forwardauth.Route{{
			Pattern: "/{integration}", Permission: permissions.SettingsRead, Integration: integration,
		}}, "is for every method, and settings:read only reads"},

		{"no slash", []forwardauth.Route{events("POST events")},
			"does not begin with a slash; write it as in POST /events"},
		{"empty", []forwardauth.Route{events("")}, "does not begin with a slash"},
		{"method in lower case", []forwardauth.Route{events("post /events")}, "has a method that no request has"},
		{"empty method", []forwardauth.Route{events(" /events")}, "has a method that no request has"},
		{"two spaces", []forwardauth.Route{events("POST  /events")}, "does not begin with a slash"},
		{"host", []forwardauth.Route{events("POST example.com/events")}, "does not begin with a slash"},

		{"dot segment", []forwardauth.Route{events("POST /a/../b")}, `is unreachable: a path with the segment ` +
			`".." is always refused, because the segment has nothing but dots and white space`},
		{"empty segment", []forwardauth.Route{events("POST /a//b")}, `is unreachable: a path with the segment ` +
			`"" is always refused, because the segment is empty`},
		{"escaped slash", []forwardauth.Route{events("POST /a%2Fb")}, "is unreachable"},
		{"escaped letter", []forwardauth.Route{events("POST /%61")}, "is unreachable"},
		{"trailing dot", []forwardauth.Route{events("POST /a.")}, "is unreachable"},
		{"not escaped", []forwardauth.Route{events("POST /a b")}, "is unreachable"},
		{"repeated", []forwardauth.Route{events("POST /a"), events("POST /a")},
			"is unreachable: it matches the same requests"},
		{"repeated in another spelling", []forwardauth.Route{events("POST /a%3Ab"), events("POST /a:b")},
			"is unreachable: it matches the same"},
		{"repeated with another variable", []forwardauth.Route{
			proxy("POST /{integration}", 0, integration), proxy("POST /{credential}", 0, credential),
		}, "is unreachable: it matches the same requests"},

		{"overlapping segments", []forwardauth.Route{
			proxy("POST /x/{integration}", 0, integration), proxy("POST /{integration}/y", 0, integration),
		}, "overlaps"},
		{"overlapping method and segment", []forwardauth.Route{events("POST /{_}"), events("/a")}, "overlaps"},
		{"overlapping GET and HEAD", []forwardauth.Route{events("HEAD /{_}"), events("GET /a")}, "overlaps"},
		{"overlapping tail", []forwardauth.Route{events("/{_}/a"), events("/b/{rest...}")}, "overlaps"},
		{"overlapping tail that comes first", []forwardauth.Route{events("/b/{rest...}"), events("/{_}/a")},
			"overlaps"},
		{"more specific segment", []forwardauth.Route{events("POST /a"), events("POST /{_}")}, ""},
		{"more specific method", []forwardauth.Route{events("POST /a"), events("/a")}, ""},
		{"more specific than a tail", []forwardauth.Route{events("POST /a/b"), events("POST /a/{rest...}")}, ""},
		{"HEAD beside GET", []forwardauth.Route{events("HEAD /a"), events("GET /a")}, ""},
		{"a variable beside an empty segment", []forwardauth.Route{events("POST /a/{_}"), events("POST /a/")}, ""},
		{"a variable and an empty segment, each beside the other", []forwardauth.Route{events("POST /a/{_}"),
			events("POST /{_}/")}, ""},
		{"the same routes in the other order", []forwardauth.Route{events("POST /{_}/"), events("POST /a/{_}")}, ""},
		{"a tail and what is above it", []forwardauth.Route{events("POST /a"), events("POST /a/{rest...}")}, ""},
		{"a tail and a variable above it", []forwardauth.Route{events("POST /{_}"), events("POST /a/{rest...}")}, ""},
		{"a tail before a variable above it", []forwardauth.Route{events("POST /a/{rest...}"), events("POST /{_}")},
			""},
		{"another method of all", []forwardauth.Route{events("PROPFIND /a"), events("/a")}, ""},

		{"slash at the end", []forwardauth.Route{events("POST /a"), proxy("POST /a/", 0, forwardauth.Literal("x"))},
			"differs in nothing but a slash"},
		{"slash at the end of the first", []forwardauth.Route{proxy("POST /a/", 0, forwardauth.Literal("x")),
			events("POST /a")}, "differs in nothing but a slash"},
		{"slash at the end after a variable", []forwardauth.Route{proxy("POST /{integration}/", 0, integration),
			events("POST /a")}, "differs in nothing but a slash"},
		{"slash at the end of another question about a variable with the same name", []forwardauth.Route{
			proxy("POST /x/{integration}/{_}", 0, integration), proxy("POST /x/{_}/{integration}/", 0, integration),
		}, "differs in nothing but a slash"},
		{"slash at the end of the same question about a variable", []forwardauth.Route{
			proxy("POST /{integration}", 0, integration), proxy("POST /{integration}/", 0, integration),
		}, ""},
		{"slash at the end of the same question about a variable with another name", []forwardauth.Route{
			proxy("POST /{integration}", 0, integration), proxy("POST /{name}/", 0, forwardauth.Path("name")),
		}, ""},
		{"slash at the end beside a tail", []forwardauth.Route{proxy("POST /a/", 0, forwardauth.Literal("x")),
			events("POST /a/{rest...}")}, ""},
		{"slash at the end with the same question", []forwardauth.Route{events("POST /a"), events("POST /a/")}, ""},
		{"slash at the end with another method", []forwardauth.Route{events("POST /a"),
			proxy("GET /a/", 0, forwardauth.Literal("x"))}, ""},

		{"opaque tail", []forwardauth.Route{proxy("/{integration}/{rest...}", tail, integration)}, ""},
		{"opaque tail beside a tail that matches more", []forwardauth.Route{
			proxy("/x/{rest...}", tail, forwardauth.Literal("x")), events("/{_}/{rest...}"),
		}, ""},
		{"opaque tail that hides another route", []forwardauth.Route{
			proxy("/x/{integration}/{rest...}", tail, integration), events("POST /x/slack/events"),
		}, ""},
		{"opaque tail that is always read as another route", []forwardauth.Route{
			proxy("POST /x/{rest...}", tail, forwardauth.Literal("x")), events("POST /x/{_}"),
		}, "leave Tail zero"},
		{"the same in the other order", []forwardauth.Route{
			events("POST /x/{_}"), proxy("POST /x/{rest...}", tail, forwardauth.Literal("x")),
		}, "leave Tail zero"},
		{"opaque tail beside the route without it", []forwardauth.Route{
			proxy("/x/{integration}", 0, integration), proxy("/x/{integration}/{rest...}", tail, integration),
		}, ""},
		{"opaque tail beside the route without it, whose variable has another name", []forwardauth.Route{
			proxy("/x/{name}", 0, forwardauth.Path("name")), proxy("/x/{integration}/{rest...}", tail, integration),
		}, ""},
		{"opaque tail beside a route without it that asks another question", []forwardauth.Route{
			events("/x/{_}"), proxy("/x/{integration}/{rest...}", tail, integration),
		}, "leave Tail zero"},

		{"bad variable", []forwardauth.Route{events("POST /a{b}")}, "is unreachable"},
		{"variable with more", []forwardauth.Route{events("POST /{b}c")}, "has a bad variable"},
		{"variable without a name", []forwardauth.Route{events("POST /{}")}, "has a bad variable"},
		{"variable of ServeMux's end", []forwardauth.Route{events("POST /a/{$}")}, "nothing uses"},
		{"variable twice", []forwardauth.Route{proxy("/{integration}/{integration}", 0, integration)},
			`has the variable "integration" twice; rename one of them`},
		{"variable that nothing uses", []forwardauth.Route{proxy("/{integration}/{credential}", 0, integration)},
			`the variable "credential" that nothing uses`},
		{"variable used twice", []forwardauth.Route{proxy("/{integration}", 0, integration, integration)},
			`uses the variable "integration" twice; use it for one of the sources`},
		{"tail in the middle", []forwardauth.Route{events("/{rest...}/x")},
			"has a tail before its end; move the tail to the end"},
		{"source without a variable", []forwardauth.Route{proxy("/x", 0, integration)},
			`has no variable "integration" for Integration`},
		{"source without a name", []forwardauth.Route{proxy("/x", 0, forwardauth.Path(""))}, `has no variable ""`},
		{"source of an ignored segment", []forwardauth.Route{proxy("/{_}", 0, forwardauth.Path("_"))},
			`has no variable "_"`},
		{"source from a tail", []forwardauth.Route{proxy("/{rest...}", 0, forwardauth.Path("rest"))},
			`has no variable "rest"`},
		{"bad header", []forwardauth.Route{proxy("/x", 0, forwardauth.Header("a b"))}, "bad name"},
		{"empty header", []forwardauth.Route{proxy("/x", 0, forwardauth.Header(""))}, "bad name"},
		{"header with an underscore", []forwardauth.Route{proxy("/x", 0, forwardauth.Header("X_A"))}, "bad name"},
		{"the token", []forwardauth.Route{proxy("/x", 0, forwardauth.Header("authorization"))},
			`means something else: "authorization"; use another header`},
		{"a header of a dialect", []forwardauth.Route{proxy("/x", 0, forwardauth.Header("X-Original-URI"))},
			"means something else"},
		{"credential without an integration", []forwardauth.Route{proxy("/{credential}", 0, none, credential)},
			"has no Integration for its Credential or Configuration; give it an Integration"},
		{"configuration without an integration", []forwardauth.Route{proxy("/{credential}", 0, none, none,
			credential)}, "has no Integration"},
		{"configuration without a credential", []forwardauth.Route{proxy("/{integration}/{c}", 0, integration, none,
			forwardauth.Path("c"))}, ""},
		{"Tail without a tail", []forwardauth.Route{proxy("/{integration}", tail, integration)}, "has no tail"},
		{"Tail with a bit too many", []forwardauth.Route{proxy("/{integration}/{rest...}", 128, integration)},
			"has a Tail with unknown bits; use the constants of the type Tail"},

		{"unknown permission", []forwardauth.Route{{Pattern: "/x", Permission: "event"}}, `action "event"`},
		{"no permission", []forwardauth.Route{{Pattern: "/x"}}, "action"},
		{"permission that the user cannot have", []forwardauth.Route{proxy("/x", 0)},
			"asks what no policy allows: target is the user, and proxy-api cannot be asked of the user; "},
		{"literal that no integration is called", []forwardauth.Route{proxy("/x", 0, forwardauth.Literal("ext:x"))},
			`asks what no policy allows: integration "ext:x" `},
		{"empty literal", []forwardauth.Route{proxy("/x", 0, forwardauth.Literal(""))},
			"asks what no policy allows: integration is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), c.routes)
			if c.problem == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, forwardauth.ErrRoute)
			require.ErrorContains(t, err, c.problem)
			require.Nil(t, h)
			if c.routes != nil {
				var e *forwardauth.RouteError
				require.ErrorAs(t, err, &e)
				require.Contains(t, []string{c.routes[0].Pattern, c.routes[len(c.routes)-1].Pattern}, e.Pattern)
			}
		})
	}

	// Every bad route is reported, not only the first.
	_, err := forwardauth.New(forwardauth.DialectNginx, verifier(),
		[]forwardauth.Route{events("post /a"), events("POST /b."), events("/c")})
	require.ErrorContains(t, err, "post /a")
	require.ErrorContains(t, err, "/b.")
	require.NotContains(t, err.Error(), "/c")
}

// The most specific route decides, whatever the order of the table.
func TestMostSpecificRouteDecides(t *testing.T) {
	literal := func(pattern, name string) forwardauth.Route {
		return forwardauth.Route{Pattern: pattern, Permission: permissions.ProxyAPI,
			Integration: forwardauth.Literal(name)}
	}
	table := []forwardauth.Route{
		literal("/{rest...}", "all"), literal("/a/{rest...}", "below a"), literal("/a/{_}", "a variable"),
		literal("/a/b", "a b"),
		literal("GET /a/b", "get"), literal("HEAD /a/b", "head"), literal("/a/{_}/{rest...}", "below a variable"),
		literal("/a/{_}/c", "c"), literal("PURGE /a/b", "purge"),
	}
	backwards := make([]forwardauth.Route, len(table))
	for i, r := range table {
		backwards[len(table)-1-i] = r
	}
	for _, list := range [][]forwardauth.Route{table, backwards} {
		var asked string
		h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), list, forwardauth.WithObserver(
			func(_ context.Context, o permissions.Observation) {
				asked, _ = o.Target.Lookup(permissions.IntegrationName)
			}))
		require.NoError(t, err)
		for request, want := range map[string]string{
			"POST /a/b": "a b", "GET /a/b": "get", "HEAD /a/b": "head", "PURGE /a/b": "purge",
			"POST /a/x": "a variable", "HEAD /a/x": "a variable",
			"POST /a/x/c": "c", "POST /a/x/d": "below a variable", "POST /a/x/c/d": "below a variable",
			"POST /x": "all", "POST /": "all",
			"POST /a": "all", "PURGE /a/x": "", "POST /a/": "",
			"POST /a/b/": "", // without the slash it is another route
		} {
			asked = ""
			method, uri, _ := strings.Cut(request, " ")
			ask(h, describe(forwardauth.DialectNginx, method, uri, with(t, anything)))
			require.Equal(t, want, asked, request)
		}
	}
}

// Where a reader of an opaque tail could arrive at another route, the request is refused.
func TestTailCannotReachAnotherRoute(t *testing.T) {
	h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), []forwardauth.Route{
		{Pattern: "/proxy/{integration}/{rest...}", Permission: permissions.ProxyAPI,
			Integration: forwardauth.Path("integration"), Tail: forwardauth.TailOpaque},
		{Pattern: "/proxy/custom/{integration}/{rest...}", Permission: permissions.ProxyAPI,
			Integration: forwardauth.Path("integration"), Tail: forwardauth.TailOpaque},
		{Pattern: "PATCH /proxy/slack/admin", Permission: permissions.ConfigWrite,
			Integration: forwardauth.Literal("slack")},
	})
	require.NoError(t, err)
	for request, want := range map[string]int{
		"POST /proxy/slack/a%2Fb":         204,
		"POST /proxy/slack/admin":         204, // another method than that of the route for it
		"POST /proxy/custom/jira/x":       403, // not the integration of the token
		"POST /proxy/custom/slack/x":      204,
		"POST /proxy/custom//slack/x":     403,
		"POST /proxy/custom/":             403,
		"POST /proxy/custom/%2Fslack/x":   403,
		"POST /proxy/slack/custom%2Fjira": 204,
		"PATCH /proxy/slack/admin;x":      403,
		"PATCH /proxy/slack//admin":       403,
		"PATCH /proxy/slack/x":            403,
		"PATCH /proxy/slack/admin":        204,
	} {
		method, uri, _ := strings.Cut(request, " ")
		w := ask(h, describe(forwardauth.DialectNginx, method, uri, with(t, onlySlack)))
		require.Equal(t, want, w.Code, request)
	}
}

// Two routes that ask the same question may be taken for each other.
func TestTailBesideARouteWithoutIt(t *testing.T) {
	proxy := forwardauth.Route{Permission: permissions.ProxyAPI, Integration: forwardauth.Path("integration")}
	without, tail := proxy, proxy
	without.Pattern = "/x/{integration}"
	tail.Pattern, tail.Tail = "/x/{integration}/{rest...}", forwardauth.TailOpaque
	h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), []forwardauth.Route{without, tail})
	require.NoError(t, err)
	for uri, want := range map[string]int{"/x/slack": 204, "/x/slack/": 204, "/x/slack/a%2Fb": 204, "/x/jira": 403,
		"/x/jira/": 403, "/x/jira/a%2Fb": 403} {
		require.Equal(t, want, ask(h, describe(forwardauth.DialectNginx, "POST", uri, with(t, onlySlack))).Code, uri)
	}
}

// What a route takes as its target, from each kind of source.
func TestTargets(t *testing.T) {
	integration, credential := permissions.Integration("slack"), permissions.Integration("slack").Credential
	for _, c := range []struct {
		name   string
		route  forwardauth.Route
		uri    string
		header []string
		want   permissions.Target // the zero Target: nothing is asked
	}{
		{"user", forwardauth.Route{Pattern: "/x", Permission: permissions.Events}, "/x", nil, permissions.User()},
		{"literal", forwardauth.Route{Pattern: "/x", Integration: forwardauth.Literal("slack")}, "/x", nil,
			integration},
		{"header", forwardauth.Route{Pattern: "/x", Integration: forwardauth.Header("X-Name")}, "/x",
			[]string{"X-Name", "slack"}, integration},
		{"header missing", forwardauth.Route{Pattern: "/x", Integration: forwardauth.Header("X-Name")}, "/x", nil,
			permissions.Target{}},
		{"header in another spelling", forwardauth.Route{Pattern: "/x", Integration: forwardauth.Header("X-Name")},
			"/x",
			[]string{"X-Name", "slack", "X_Name", "jira"}, permissions.Target{}},
		{"path, escaped", forwardauth.Route{Pattern: "/{i}", Integration: forwardauth.Path("i")}, "/Team%20A", nil,
			permissions.Integration("Team A")},
		{"credential by UUID", forwardauth.Route{Pattern: "/{c}", Integration: forwardauth.Literal("slack"),
			Credential: forwardauth.Path("c")},
			"/" + uuidA, nil, credential(permissions.ID(uuidA))},
		{"credential by external ID", forwardauth.Route{Pattern: "/{c}", Integration: forwardauth.Literal("slack"),
			Credential: forwardauth.Path("c")},
			"/ext:a:b", nil, credential(permissions.ExternalID("a:b"))},
		{"credential by a UUID without hyphens", forwardauth.Route{Pattern: "/{c}",
			Integration: forwardauth.Literal("slack"), Credential: forwardauth.Path("c")},
			"/" + strings.ReplaceAll(uuidA, "-", ""), nil,
			credential(permissions.ExternalID(strings.ReplaceAll(uuidA, "-", "")))},
		{"credential missing", forwardauth.Route{Pattern: "/x", Integration: forwardauth.Literal("slack"),
			Credential: forwardauth.Header("X-C")},
			"/x", nil, credential()},
		{"configuration", forwardauth.Route{Pattern: "/x", Integration: forwardauth.Literal("slack"),
			Credential:    forwardauth.Literal(uuidA),
			Configuration: forwardauth.Header(httpauth.ConfigurationHeader)},
			"/x", []string{httpauth.ConfigurationHeader, "c"},
			credential(permissions.ID(uuidA)).Configuration(permissions.ExternalID("c"))},
		{"configuration of any credential", forwardauth.Route{Pattern: "/{c}",
			Integration: forwardauth.Literal("slack"), Configuration: forwardauth.Path("c")},
			"/c", nil, credential().Configuration(permissions.ExternalID("c"))},
		{"configuration twice", forwardauth.Route{Pattern: "/x", Integration: forwardauth.Literal("slack"),
			Configuration: forwardauth.Header("X-C")},
			"/x", []string{"X-C", "c", "X-C", "c"}, permissions.Target{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked permissions.Target
			if c.route.Permission == "" {
				c.route.Permission = permissions.SettingsWrite
			}
			h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), []forwardauth.Route{c.route},
				forwardauth.WithObserver(
					func(_ context.Context, o permissions.Observation) { asked = o.Target }))
			require.NoError(t, err)
			header := http.Header{"Authorization": with(t, anything)["Authorization"]}
			for i := 0; i < len(c.header); i += 2 {
				header[c.header[i]] = append(header[c.header[i]], c.header[i+1])
			}
			w := ask(h, describe(forwardauth.DialectNginx, "POST", c.uri, header))
			require.Equal(t, c.want, asked)
			require.Equal(t, c.want == permissions.Target{}, w.Code == 403)
		})
	}
}

func TestMethodsOfAPatternWithoutOne(t *testing.T) {
	f := newFixture(t, forwardauth.DialectNginx)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		ask(f, describe(forwardauth.DialectNginx, method, allowedURI, with(t, onlySlack)))
		require.Equal(t, "granted", f.code(t), method)
	}
	// A CORS preflight
	require.Equal(t, 401, ask(f, describe(forwardauth.DialectNginx, "OPTIONS", allowedURI, nil)).Code)
	require.Equal(t, 403, ask(f, describe(forwardauth.DialectNginx, "OPTIONS", "/events", nil)).Code)
}
