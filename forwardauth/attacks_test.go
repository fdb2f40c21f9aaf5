package forwardauth_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/forwardauth"
)

// An attack is what a client writes into a request to have the gateway pass on what its token does not
// allow, and the code of the refusal. The token allows everything at slack and nothing at jira.
type attack struct {
	name   string
	uri    string      // of the request; empty for one that is allowed
	header http.Header // of the client
	code   string
}

const (
	allowedURI = "/integrations/slack/proxy/x"
	deniedURI  = "/integrations/jira/proxy/x"
)

func one(name, value string) http.Header { return http.Header{name: {value}} }

// The client writes headers by which some gateway describes a request, and the gateway passes them on. A gateway
// replaces the headers of its own dialect, so there the client's values have no effect (see replaced).
var foreignHeaders = []attack{
	{"nginx's method", deniedURI, one("X-Original-Method", "GET"), "dialect"},
	{"nginx's URI", deniedURI, one("X-Original-Uri", allowedURI), "dialect"},
	{"Caddy's method", deniedURI, one("X-Forwarded-Method", "GET"), "dialect"},
	{"Caddy's URI", deniedURI, one("X-Forwarded-Uri", allowedURI), "dialect"},
	{"both of nginx", deniedURI, http.Header{"X-Original-Method": {"GET"}, "X-Original-Uri": {allowedURI}},
		"dialect"},
	{"both of Caddy", deniedURI, http.Header{"X-Forwarded-Method": {"GET"}, "X-Forwarded-Uri": {allowedURI}},
		"dialect"},
	{"Envoy's path", deniedURI, one("X-Envoy-Original-Path", allowedURI), "dialect"},
	{"Envoy's method", deniedURI, one("X-Envoy-Original-Method", "GET"), "dialect"},
	{"IIS's URL", deniedURI, one("X-Original-Url", allowedURI), "dialect"},
	{"IIS's rewrite", deniedURI, one("X-Rewrite-Url", allowedURI), "dialect"},
	{"Traefik's replaced path", deniedURI, one("X-Replaced-Path", allowedURI), "dialect"},
	{"an original path", deniedURI, one("X-Original-Path", allowedURI), "dialect"},
	{"a forwarded URL", deniedURI, one("X-Forwarded-Url", allowedURI), "dialect"},
	{"a forwarded path", deniedURI, one("X-Forwarded-Path", allowedURI), "dialect"},
	{"a forwarded request URI", deniedURI, one("X-Forwarded-Request-Uri", allowedURI), "dialect"},
	{"oauth2-proxy's redirect", deniedURI, one("X-Auth-Request-Redirect", allowedURI), "dialect"},
	{"underscores", deniedURI, one("X_Original_Uri", allowedURI), "dialect"},
	{"some underscores", deniedURI, one("X-Forwarded_Uri", allowedURI), "dialect"},
	{"capitals", deniedURI, one("X-FORWARDED_METHOD", "GET"), "dialect"},
	{"the same value", "", one("X-Rewrite-Url", allowedURI), "dialect"},
	{"an empty value", "", one("X-Original-Url", ""), "dialect"},
}

func TestForeignHeadersAreRefused(t *testing.T) {
	for _, a := range foreignHeaders {
		t.Run(a.name, func(t *testing.T) {
			for _, d := range dialects {
				f := newFixture(t, d)
				uri := a.uri
				if uri == "" {
					uri = allowedURI
				}
				header := with(t, onlySlack)
				for name, values := range a.header {
					header[name] = values
				}
				q := describe(d, "POST", uri, header)
				if replaced(d, a.header) {
					w := ask(f, q)
					require.Equal(t, 403, w.Code, d) // by what the gateway says
					require.Equal(t, "no_rule", f.code(t), d)
					continue
				}
				require.Equal(t, 403, ask(f, q).Code, d)
				require.Equal(t, a.code, f.code(t), d)
			}
		})
	}
}

// replaced reports whether the gateway of a dialect replaces all of these headers.
func replaced(d forwardauth.Dialect, header http.Header) bool {
	own := describe(d, "", "", nil).header
	for name := range header {
		if _, ok := own[name]; !ok {
			return false
		}
	}
	return true
}

// A gateway that describes nothing, or describes twice, is not the one that was configured.
func TestDescriptionIsThereOnce(t *testing.T) {
	for _, d := range dialects[:4] {
		names := []string{}
		for name := range describe(d, "", "", nil).header {
			names = append(names, name)
		}
		require.Len(t, names, 2, d)
		for _, name := range names {
			for what, change := range map[string]func(http.Header){
				"missing":           func(h http.Header) { delete(h, name) },
				"twice":             func(h http.Header) { h[name] = append(h[name], h[name][0]) },
				"no value":          func(h http.Header) { h[name] = nil },
				"twice by spelling": func(h http.Header) { h["X_"+name[2:]] = h[name] },
			} {
				f := newFixture(t, d)
				q := describe(d, "POST", allowedURI, with(t, onlySlack))
				require.Equal(t, 204, ask(f, q).Code)
				change(q.header)
				require.Equal(t, 403, ask(f, q).Code, "%v: %s %s", d, name, what)
				require.Equal(t, "dialect", f.code(t), "%v: %s %s", d, name, what)
			}
		}
	}
}

// What the request line says means nothing where headers describe the request, and the other way round.
func TestOnlyTheDialectDescribes(t *testing.T) {
	for _, d := range dialects[:4] {
		f := newFixture(t, d)
		q := describe(d, "POST", deniedURI, with(t, onlySlack))
		q.method, q.uri = "POST", allowedURI
		require.Equal(t, 403, ask(f, q).Code, d)
		require.Equal(t, "no_rule", f.code(t), d)
	}
	for uri, code := range map[string]string{
		"": "path", "*": "path", "http://x" + allowedURI: "path", "/prefix" + allowedURI: "no_route",
		deniedURI: "no_rule", allowedURI: "granted",
	} {
		f := newFixture(t, forwardauth.DialectEnvoy)
		ask(f, question{"POST", uri, with(t, onlySlack)})
		require.Equal(t, code, f.code(t), uri)
	}
}

// A load balancer before the gateway sets these.
func TestForwardedForIsNormal(t *testing.T) {
	for _, d := range dialects {
		f := newFixture(t, d)
		header := with(t, onlySlack, "X-Forwarded-For", "203.0.113.7", "X-Forwarded-Proto", "https",
			"X-Forwarded-Host", "example.com", "Forwarded", "for=x")
		ask(f, describe(d, "POST", allowedURI, header))
		require.Equal(t, "granted", f.code(t), d)
	}
}

func TestDialectString(t *testing.T) {
	for d, want := range map[forwardauth.Dialect]string{0: "invalid dialect", 6: "invalid dialect",
		forwardauth.DialectNginx: "nginx", forwardauth.DialectEnvoy: "Envoy"} {
		require.Equal(t, want, d.String())
	}
}
