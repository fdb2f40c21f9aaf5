package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// An attack is bytes that a client sends to have the service do what its token does not allow, or believe
// what the gateway did not say. To add one, write it down: the test looks at whatever the service got, see
// received.problems. {auth} is the header lines with ann's token and a credential, which allow the
// Proxy API of slack alone.
type attack struct{ class, name, raw string }

// to returns a request to a path with more header lines.
func to(path string, more ...string) string { return request("POST", path, more...) }

func request(method, path string, more ...string) string {
	head := append([]string{method + " " + path + " HTTP/1.1", "{auth}"}, more...)
	if method == "POST" {
		head = append(head, "Content-Length: 0")
	}
	return lines(head...)
}

// open returns the head of a request that keeps the connection open.
func open(line string, more ...string) string {
	return strings.Join(append([]string{line, "Host: gateway", "{auth}"}, append(more, "", "")...), "\r\n")
}

// paths returns attacks with paths.
func paths(class string, list ...string) (attacks []attack) {
	for _, p := range list {
		attacks = append(attacks, attack{class, p, to(p)})
	}
	return attacks
}

// headers returns attacks with header lines in a request that is allowed.
func headers(class string, list ...string) (attacks []attack) {
	for _, line := range list {
		attacks = append(attacks, attack{class, line, to(chat, strings.Split(line, "|")...)})
	}
	return attacks
}

var smuggled = open("POST "+issue+" HTTP/1.1", "Content-Length: 0")

// Without it, HAProxy refuses what asks for a websocket.
const websocketKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

var attacks = concat(
	// What another gateway would say about the request.
	[]attack{
		{"dialect", "nginx's headers", request("DELETE", issue, "X-Original-Method: POST", "X-Original-URI: "+chat)},
		{"dialect", "Caddy's headers", request("DELETE", issue, "X-Forwarded-Method: POST",
			"X-Forwarded-Uri: "+chat)},
		{"dialect", "both", to(issue, "X-Original-URI: "+chat, "X-Forwarded-Uri: "+chat)},
		{"dialect", "twice", to(issue, "X-Original-URI: "+chat, "X-Original-URI: "+chat, "X-Original-Method: POST",
			"X-Original-Method: POST")},
		{"dialect", "underscores", to(issue, "X_Original_URI: "+chat, "X_Forwarded_Uri: "+chat)},
		{"dialect", "IIS's headers", to(issue, "X-Original-URL: "+chat, "X-Rewrite-URL: "+chat)},
		{"dialect", "Envoy's header", to(issue, "X-Envoy-Original-Path: "+chat)},
		{"dialect", "Traefik's header", to(issue, "X-Replaced-Path: "+chat)},
		{"dialect", "dropped by Connection", strings.Replace(to(issue, "X-Original-URI: "+chat),
			"Connection: close", "Connection: close, X-Forwarded-Uri, X-Forwarded-Method, "+
				"X-Original-Uri, X-Original-Method", 1)},
		{"dialect", "an absolute URI", to("http://gateway"+issue, "X-Original-URI: "+chat)},
		{"dialect", "a space in the name", to(issue, "X-Original-URI : "+chat)},
		{"dialect", "a folded line", to(issue, "X-A: b\r\n X-Original-URI: "+chat)},
	},
	// Paths that begin as slack's and arrive at jira, or the other way round.
	paths("path",
		"/integrations/slack/../jira/proxy/issue", "/integrations/slack/%2e%2e/jira/proxy/issue",
		"/integrations/slack/proxy/../../jira/proxy/issue",
		"/integrations/slack/proxy/..%2f..%2fjira/proxy/issue",
		"/integrations/slack/proxy/..%5c..%5cjira/proxy/issue",
		`/integrations/slack/proxy\..\..\jira/proxy/issue`,
		"/integrations/slack/proxy/%252e%252e/%252e%252e/jira/proxy/x",
		"/integrations/slack/proxy/..;/..;/jira/proxy/x", "/integrations/slack/proxy/..;a=b/..;a=b/jira/proxy/x",
		"/integrations/slack/proxy/%c0%ae%c0%ae/%c0%ae%c0%ae/jira/proxy/x",
		"/integrations/slack/proxy/%EF%BC%8E%EF%BC%8E%EF%BC%8F%EF%BC%8E%EF%BC%8E%EF%BC%8Fjira/proxy/x",
		"/integrations/slack/proxy/..%20/..%20/jira/proxy/x", "/integrations/slack/proxy/%20../%20../jira/proxy/x",
		"/integrations/slack/proxy/.%ff./.%ff./jira/proxy/x",
		"/integrations/slack/proxy/.%01.%01/.%01.%01/jira/proxy/x",
		"/integrations/slack/proxy/..%c2%85/..%c2%85/jira/proxy/x",
		"/integrations/slack/proxy/.%E2%80%8B./.%E2%80%8B./jira/proxy/x", "//integrations/jira/proxy/x",
		"/integrations/slack//../jira/proxy/x", "/./integrations/jira/proxy/x", "/integrations/slack%00/proxy/x",
		"/integrations/jira%2f..%2fslack/proxy/x",
		"/integrations/slack%2f..%2fjira/proxy/x", "/integrations/slack%3bx/proxy/x",
		"/integrations/slack;x/proxy/x", "/integrations/slack%20/proxy/x", "/integrations/slack./proxy/x",
		"/integrations/slack%0d%0aX-Auth-Subject:%20root/proxy/x", "/integrations/%73lack/proxy/x",
		"/integrations/%EF%BD%93lack/proxy/x", "/integrations/slack#/../jira/proxy/x",
		"/integrations/slack?/../jira/proxy/x", "/integrations/jira/proxy/x?/../../slack/proxy/x",
		"/integrations/slack/raw/..%2F..%2Fjira%2Fproxy", "/integrations/slack/raw/a%2F..%2F..%2F..%2Fjira",
		"/integrations/slack/raw/%c0%ae%c0%ae%2F", "/integrations/slack/raw/%E2%80%A5%2F%E2%80%A5%2Fjira",
		"/_decision", "/_decision/../integrations/jira/proxy/x", "*", "integrations/jira/proxy/x",
	),
	// What services believe of the request, beside its method and path.
	headers("header",
		"X-Auth-Subject: root", "x-auth-subject: root|X-AUTH-SUBJECT: root", "X_Auth_Subject: root",
		"X-Auth_Subject: root", "X-Auth-Subject:", "X-HTTP-Method-Override: DELETE",
		"X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "X_HTTP_Method_Override: DELETE",
		"X-Original-Host: a", "X-Forwarded-Prefix: /integrations/jira", "X-Forwarded-Server: a",
		"X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example",
		"X-Forwarded-Port: 1", "X-Forwarded-User: root", "X-Forwarded-Path: /x",
		"X-Forwarded-Email: root@example.com", "X-Forwarded-Anything: a",
		"Forwarded: for=203.0.113.7;host=evil.example", "X-Script-Name: /integrations/jira", "Remote-User: root",
		"X-Remote-User: root", "Destination: /integrations/jira/proxy/x", "X-Rewrite-URL: "+issue,
		"X-Envoy-Original-Path: "+issue, "X-Envoy-Internal: true", "X-Real-IP: 127.0.0.1",
		"X-Replaced-Path: /x", "X-Auth-User: root", "X-Auth-Request-Email: root", "X-User-Id: root",
		"X-WebAuth-User: root",
		"X-Authenticated-User: root", "X-Method: DELETE", "Method-Override: DELETE",
		"X-HTTP-Method_Override: DELETE", "X-Client-IP: 127.0.0.1", "True-Client-IP: 127.0.0.1",
		"Client-IP: 127.0.0.1", "Script-Name: /x", "X-SSL-Client-Cert: x", "X-Host: evil.example",
		"X-Forward-For: 127.0.0.1", "X-OriginalURL: "+issue, "Proxy: http://evil.example", "X-Accel-Mapping: /=/x",
		"X-Sendfile-Type: X-Accel-Redirect", "Remote_User: root", "X-Forwarded_User: root",
	),
	[]attack{
		{"header", "the subject is dropped by Connection", strings.Replace(to(chat), "Connection: close",
			"Connection: close, X-Auth-Subject", 1)},
		{"header", "the subject is dropped by Connection, with an upgrade",
			lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: websocket", websocketKey,
				"Connection: Upgrade, X-Auth-Subject")},
		{"header", "another Connection", to(chat, "Connection: X-Auth-Subject, X-Paragon-Credential")},
		{"header", "in the trailer",
			open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: chunked", "Trailer: X-Auth-Subject",
				"Connection: close") + "0\r\nX-Auth-Subject: root\r\n\r\n"},
	},
	// Queries that change the method.
	[]attack{
		{"query", "_method", to(chat + "?_method=DELETE")},
		{"query", "_method after another", to(chat + "?a=b&_method=DELETE")},
		{"query", "_method, escaped", to(chat + "?%5Fmethod=DELETE")},
		{"query", "_method, escaped twice", to(chat + "?%255Fmethod=DELETE")},
		{"query", "_method in capitals", to(chat + "?_METHOD=DELETE")},
		{"query", "_method after a semicolon", to(chat + "?a=b;_method=DELETE")},
		{"query", "_method of an array", to(chat + "?_method[]=DELETE")},
		{"query", "_method without a value", to(chat + "?_method")},
		{"query", "_method after another question mark", to(chat + "?a?_method=DELETE")},
		{"query", "_method of an absolute URI", to("http://gateway" + chat + "?_method=DELETE")},
	},
	// Requests within requests.
	[]attack{
		{"framing", "both lengths",
			open("POST "+chat+" HTTP/1.1", "Content-Length: 4", "Transfer-Encoding: chunked") + "0\r\n\r\n" +
				smuggled},
		{"framing", "length first",
			open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: chunked", "Content-Length: 6") + "0\r\n\r\n" +
				smuggled},
		{"framing", "two lengths",
			open("POST "+chat+" HTTP/1.1", "Content-Length: 0", "Content-Length: 44") + smuggled},
		{"framing", "list of lengths",
			open("POST "+chat+" HTTP/1.1", "Content-Length: 0, 44") + smuggled},
		{"framing", "signed length",
			open("POST "+chat+" HTTP/1.1", "Content-Length: +0") + smuggled},
		{"framing", "odd coding",
			open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: xchunked") + "0\r\n\r\n" + smuggled},
		{"framing", "coding with a tab",
			open("POST "+chat+" HTTP/1.1", "Transfer-Encoding:\tchunked", "Content-Length: 5") + "0\r\n\r\n" +
				smuggled},
		{"framing", "two codings",
			open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: chunked", "Transfer-Encoding: identity") +
				"0\r\n\r\n" + smuggled},
		{"framing", "chunk extension with a line feed", open("POST "+chat+" HTTP/1.1",
			"Transfer-Encoding: chunked") + "2;\nxx\r\n0\r\n\r\n" +
			smuggled},
		{"framing", "body of GET",
			open("GET "+chat+" HTTP/1.1", "Content-Length: 200") + smuggled},
		{"framing", "pipelined", open("POST "+chat+" HTTP/1.1", "Content-Length: 0") + smuggled + smuggled},
		{"framing", "pipelined after a refusal", smuggled + smuggled},
		{"framing", "chunked in HTTP/1.0",
			open("POST "+chat+" HTTP/1.0", "Connection: keep-alive", "Transfer-Encoding: chunked") + "0\r\n\r\n" +
				smuggled},
		{"framing", "Expect", open("POST "+issue+" HTTP/1.1", "Expect: 100-continue", "Content-Length: 1") + "x"},
		{"framing", "HTTP/0.9", "GET " + issue + "\r\n\r\n"},
		{"framing", "two hosts", "POST " + issue +
			" HTTP/1.1\r\nHost: gateway\r\nHost: other\r\n{auth}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
		{"framing", "a line in the method", "POST " + chat + " HTTP/1.1\nPOST " + issue +
			" HTTP/1.1\r\nHost: gateway\r\n{auth}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"},
	},
	// Connections that become something else than HTTP/1.
	[]attack{
		{"upgrade", "h2c", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: h2c",
			"HTTP2-Settings: AAMAAABkAAQAAP__", "Connection: Upgrade, HTTP2-Settings")},
		{"upgrade", "h2c beside websocket", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: h2c, websocket",
			websocketKey, "Connection: Upgrade")},
		{"upgrade", "websocket beside h2c", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: websocket, h2c",
			websocketKey, "Connection: Upgrade")},
		{"upgrade", "h2c and websocket in two headers", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: h2c",
			"Upgrade: websocket", websocketKey, "Connection: Upgrade")},
		{"upgrade", "websocket and h2c in two headers", lines("GET "+chat+" HTTP/1.1", "{auth}",
			"Upgrade: websocket", "Upgrade: h2c", websocketKey, "Connection: Upgrade")},
		{"upgrade", "TLS", lines("OPTIONS "+chat+" HTTP/1.1", "{auth}", "Upgrade: TLS/1.0", "Connection: Upgrade")},
		{"upgrade", "websocket at jira", lines("GET "+issue+" HTTP/1.1", "{auth}", "Upgrade: websocket",
			"Connection: Upgrade", "Sec-WebSocket-Version: 13", websocketKey)},
		{"upgrade", "websocket whose version is refused", open("GET "+issue+" HTTP/1.1", "Upgrade: websocket",
			websocketKey, "Connection: Upgrade", "Sec-WebSocket-Version: 777") + smuggled},
		{"upgrade", "websocket that the service refuses", open("GET "+chat+" HTTP/1.1", "Upgrade: websocket",
			websocketKey, "Connection: Upgrade", "Sec-WebSocket-Version: 777") + smuggled},
		{"upgrade", "CONNECT", "CONNECT jira:80 HTTP/1.1\r\nHost: jira:80\r\n{auth}\r\n\r\n" + smuggled},
		{"upgrade", "preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + smuggled},
		{"upgrade", "without Connection", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: h2c")},
	},
	// Requests that look like a preflight, and methods that are not for everybody.
	[]attack{
		{"preflight", "with a body",
			"OPTIONS " + issue + " HTTP/1.1\r\nHost: gateway\r\n{auth}\r\nOrigin: https://app.example.com\r\n" +
				"Access-Control-Request-Method: POST\r\nContent-Length: " +
				fmt.Sprint(len(smuggled)) + "\r\n\r\n" + smuggled},
		{"preflight", "of an allowed page", request("OPTIONS", issue, "Origin: https://app.example.com",
			"Access-Control-Request-Method: POST")},
		{"preflight", "of another page", request("OPTIONS", issue, "Origin: https://evil.example",
			"Access-Control-Request-Method: POST")},
		{"preflight", "without a page", request("OPTIONS", issue, "Access-Control-Request-Method: POST")},
		{"preflight", "without a method", request("OPTIONS", issue, "Origin: https://app.example.com")},
		{"preflight", "by POST", to(issue, "Origin: https://app.example.com", "Access-Control-Request-Method: POST")},
		{"preflight", "by an override", to(issue, "Origin: https://app.example.com",
			"Access-Control-Request-Method: POST", "X-HTTP-Method-Override: OPTIONS")},
		{"preflight", "in lower case", request("options", issue, "Origin: https://app.example.com",
			"Access-Control-Request-Method: POST")},
		{"preflight", "of the server", request("OPTIONS", "*", "Origin: https://app.example.com")},
		{"preflight", "TRACE", request("TRACE", chat)},
		{"preflight", "a method that nobody knows", request("FROBNICATE", chat)},
	},
	// Tokens and credentials that differ between who decides and who acts.
	[]attack{
		{"identity", "two tokens", to(chat, "Authorization: Bearer other")},
		{"identity", "two tokens in a list", strings.Replace(to(issue), "{auth}", "{auth}, Bearer other", 1)},
		{"identity", "another spelling of Authorization", to(issue, "AUTHORIZATION: Bearer other")},
		{"identity", "two credentials", to(chat, "X-Paragon-Credential: other")},
		{"identity", "two credentials by spelling", to(chat, "X_Paragon_Credential: other")},
		{"identity", "two credentials in another case", to(chat, "x-paragon-credential: other")},
		{"identity", "a list of credentials", to(chat, "X-Paragon-Credential: a, b")},
		{"identity", "the credential is dropped by Connection",
			strings.Replace(to(issue), "Connection: close", "Connection: close, X-Paragon-Credential", 1)},
		{"identity", "the token is dropped by Connection", strings.Replace(to(issue), "Connection: close",
			"Connection: close, Authorization", 1)},
		{"identity", "the token in the query", lines("POST "+chat+"?access_token=x HTTP/1.1", "Content-Length: 0")},
		{"identity", "another scheme", lines("POST "+chat+" HTTP/1.1", "Authorization: Basic YW5uOmE=",
			"Content-Length: 0")},
		{"identity", "Proxy-Authorization", lines("POST "+chat+" HTTP/1.1", "Proxy-Authorization: Bearer x",
			"Content-Length: 0")},
		{"identity", "a user in the URI", to("http://root@gateway" + issue)},
	},
)

func concat(lists ...[]attack) (all []attack) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// No attack gets the service to see anything but what the token allows.
func TestAttacks(t *testing.T) {
	count := map[string]int{}
	for _, a := range attacks {
		count[a.class]++
	}
	for class, n := range count {
		require.GreaterOrEqual(t, n, 8, class)
	}
	eachGateway(t, nil, func(t *testing.T, r *rig) { r.attack(t, func(attack) bool { return true }) })
}

// What a client writes into headers is stripped by the gateway itself, whatever the decision is.
func TestHeadersAreStrippedByTheGateway(t *testing.T) {
	eachGateway(t, yes, func(t *testing.T, r *rig) {
		r.attack(t, func(a attack) bool {
			return a.class == "header" || a.class == "upgrade" && !strings.Contains(a.raw, issue)
		})
	})
}

// attack sends attacks, and between them a request that must pass.
func (r *rig) attack(t *testing.T, which func(attack) bool) {
	auth := bearer(t, onlySlack) + "\r\n" + credential
	for _, a := range attacks {
		if !which(a) {
			continue
		}
		t.Run(a.class+": "+a.name, func(t *testing.T) {
			r.send(t, strings.ReplaceAll(a.raw, "{auth}", auth))
			require.NoError(t, errorsOf(r.take()))
		})
	}
	require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", auth, "Content-Length: 0").StatusCode)
	got := r.take()
	require.Len(t, got, 1)
	require.NoError(t, errorsOf(got))
}

// deniedNames are paths with the name of jira in many spellings.
func deniedNames() (list []string) {
	for _, name := range []string{
		"jira", "%6aira", "%256aira", "jira;x", "jira%3bx", "jira%5cx", `jira\x`, "jira%2fx", "jira%00x",
		"jira%23x", "jira%3fx", "jira%20",
		"%20jira", "jira.", "jira..", "jira%20.", "jira%c2%85", "jira%0a", "jira%7f", "j%ffira", "jira%E2%80%8B",
		"jira%EF%BB%BF", "%EF%BD%8Aira",
		"jira%2500", "jira/.", "./jira", "/jira", "x/../jira", "%2e/jira", "%c1%aaira", "jira%E3%80%80", "jira%C2%A0",
		"jira%E1%9A%80",
	} {
		list = append(list, "/integrations/"+name+"/proxy/x", "/integrations/"+name+"/raw/x")
	}
	return list
}

// notJira allows everything but jira.
var notJira = permissions.MustParse(`{"integration:*": true, "integration:jira": false}`)

// readAsJira returns an error if the service got a path that some reader takes for one of jira.
func readAsJira(list []received) error {
	for _, got := range list {
		for reader, read := range readers {
			if segments := strings.Split(read(got.RequestURI), "/"); len(segments) > 2 && segments[2] == "jira" {
				return fmt.Errorf("%s is read %s", got.RequestURI, reader)
			}
		}
	}
	return nil
}

// A name that is denied does not pass in another spelling, where the token allows every other name.
func TestDeniedNames(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		auth := bearer(t, notJira)
		for _, path := range deniedNames() {
			r.send(t, lines("POST "+path+" HTTP/1.1", auth, empty))
			require.NoError(t, readAsJira(r.take()), path)
		}
		require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", auth, empty).StatusCode)
	})
}

// However a path is put together, the service gets it only if every reader reads the same integration.
func TestRandomPaths(t *testing.T) {
	pieces := []string{
		"/", "/", "/", "slack", "jira", "proxy", "raw", "integrations", "..", "/../", "%2e%2e", "%2f", "%5c", `\`,
		";", "%3b", "%25", "%252e",
		"%00", "%23", "%3f", "?", "#", "%20", "+", "%C3%A9", ":", "@", "a", "%61", "%c0%ae", "%EF%BC%8E",
		"%EF%BC%8F", "%E2%80%A5", "%ff",
		"%c2%85", "%E2%80%8B", "..%20/", "..;/", "/integrations/jira/proxy/", "/integrations/slack/raw/",
	}
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		auth := bearer(t, onlySlack)
		random := rand.New(rand.NewPCG(20, 20))
		passed := 0
		for range 300 {
			path := "/integrations/slack/" + []string{"proxy/", "raw/", ""}[random.IntN(3)]
			for range 1 + random.IntN(4) {
				path += pieces[random.IntN(len(pieces))]
			}
			r.send(t, lines("POST "+path+" HTTP/1.1", auth, empty))
			got := r.take()
			require.NoError(t, errorsOf(got), path)
			passed += len(got)
		}
		require.Greater(t, passed, 20)
		require.Less(t, passed, 250)
	})
}
