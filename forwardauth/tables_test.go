package forwardauth_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
)

// New refuses tables that somebody could write by mistake, or be talked into. Their author knew only the
// documentation of Route.
func TestBadTables(t *testing.T) {
	events := func(patterns ...string) (list []forwardauth.Route) {
		for _, p := range patterns {
			list = append(list, forwardauth.Route{Pattern: p, Permission: permissions.Events})
		}
		return list
	}
	slack := func(pattern string) forwardauth.Route {
		return forwardauth.Route{Pattern: pattern, Permission: permissions.ProxyAPI,
			Integration: forwardauth.Literal("slack")}
	}
	from := func(pattern string, integration, credential forwardauth.Source) []forwardauth.Route {
		return []forwardauth.Route{{Pattern: pattern, Permission: permissions.ProxyAPI, Integration: integration,
			Credential: credential}}
	}
	path := forwardauth.Path
	for name, table := range map[string][]forwardauth.Route{
		"methods in a list":                       events("GET,POST /a"),
		"any method by a star":                    events("* /a"),
		"method with a Cyrillic letter":           events("G\u0415T /a"),
		"method with small letters":               events("Get /a"),
		"method after a tab":                      events("GET\t/a"),
		"line feed in the method":                 events("GET\nPOST /a"),
		"path with a query":                       events("POST /a?b=c"),
		"path with a fragment":                    events("POST /a#b"),
		"path with a parameter":                   events("POST /a;b"),
		"escaped dots":                            events("POST /%2e%2e/a"),
		"dots with a space":                       events("POST /..%20/a"),
		"fullwidth dots":                          events("POST /%EF%BC%8E%EF%BC%8E/a"),
		"overlong dots":                           events("POST /%c0%ae/a"),
		"division slash":                          events("POST /a%E2%88%95b"),
		"letter that is not escaped":              events("POST /\u00e9"),
		"NUL":                                     events("POST /a%00"),
		"line feed":                               events("POST /a\n"),
		"absolute URL":                            events("POST http://x/a"),
		"two slashes at the start":                events("POST //a"),
		"two slashes at the end":                  events("POST /a//"),
		"percent sign":                            events("POST /100%25"),
		"brace that opens nothing":                events("POST /a}"),
		"brace that nothing closes":               events("POST /{a"),
		"braces in braces":                        events("POST /{{a}}"),
		"variable of a regular expression":        events("POST /{a:[0-9]+}"),
		"variable beside text":                    events("POST /x{a}"),
		"two variables in a segment":              events("POST /{a}{b}"),
		"tail beside text":                        events("POST /x{rest...}"),
		"tail, then a slash":                      events("POST /{rest...}/"),
		"two tails":                               events("POST /{a...}/{b...}"),
		"the same in another spelling":            events("POST /a%21", "POST /a!"),
		"the same with another name":              events("POST /{_}/a", "POST /{_}/a"),
		"GET twice":                               events("GET /a", "GET /{_}", "GET /a"),
		"two variables that cross":                events("POST /{_}/a", "POST /a/{_}"),
		"method and path that cross":              events("GET /{_}", "/a"),
		"three that cross by two":                 events("/a/{_}/c", "/{_}/b/c", "/a/b/{_}"),
		"slash at the end":                        {slack("/a"), events("/a/")[0]},
		"slash at the end, with a variable":       {slack("/{_}"), events("/a/")[0]},
		"variable that no pattern has":            from("/a", path("integration"), forwardauth.Source{}),
		"variable in another case":                from("/{integration}", path("Integration"), forwardauth.Source{}),
		"variable for two":                        from("/{a}", path("a"), path("a")),
		"credential without an integration":       from("/{a}", forwardauth.Source{}, path("a")),
		"tail for a credential":                   from("/{a}/{b...}", path("a"), path("b")),
		"variable that is ignored":                from("/{_}", path("_"), forwardauth.Source{}),
		"header with a space":                     from("/a", forwardauth.Header("X-Name "), forwardauth.Source{}),
		"header with a line feed":                 from("/a", forwardauth.Header("X-Name\nX-B"), forwardauth.Source{}),
		"header of another gateway":               from("/a", forwardauth.Header("x-rewrite-url"), forwardauth.Source{}),
		"header with the token":                   from("/a", forwardauth.Header("AUTHORIZATION"), forwardauth.Source{}),
		"literal that is no name":                 from("/a", forwardauth.Literal("a\x00"), forwardauth.Source{}),
		"literal that is a wildcard":              from("/a", forwardauth.Literal("ext:*"), forwardauth.Source{}),
		"permission with a space":                 {{Pattern: "/a", Permission: "events "}},
		"permission in capitals":                  {{Pattern: "/a", Permission: "EVENTS"}},
		"permission that is a wildcard":           {{Pattern: "/a", Permission: "*"}},
		"opaque tail over everything":             {withTail(slack("/{rest...}")), events("/admin")[0], events("/{_}")[0]},
		"opaque tail that another one continues":  {withTail(slack("/a/{rest...}")), events("/a/{_}/{rest...}")[0]},
		"Tail for a pattern without one":          {withTail(slack("/a/"))},
		"nothing":                                 {},
		"a table of which one route is bad":       append(events("/a"), slack("/b/../c")),
		"a pattern that is longer than any other": events("POST /" + strings.Repeat("a/", 1000) + "/"),
	} {
		t.Run(name, func(t *testing.T) {
			h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), table)
			require.ErrorIs(t, err, forwardauth.ErrRoute)
			require.Nil(t, h)
			require.NotContains(t, err.Error(), "\x00")
			require.NotContains(t, strings.ReplaceAll(err.Error(), "\nforwardauth: ", ""), "\n")
		})
	}
}

func withTail(r forwardauth.Route) forwardauth.Route {
	r.Tail = forwardauth.TailOpaque
	return r
}
