package main

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// These attacks were written by someone who did not write the server.
var outsiders = concat(
	[]attack{
		{"dialect", "Traefik's prefix", to(issue, "X-Forwarded-Prefix: /integrations/slack",
			"X-Forwarded-Uri: "+chat)},
		{"dialect", "hyphens mixed with underscores", to(issue, "X-Original_URI: "+chat, "X-Forwarded_Uri: "+chat)},
		{"dialect", "method alone", request("PROPFIND", chat, "X-Original-Method: POST", "X-Original_Method: GET",
			"X-Forwarded-Method: POST")},
		{"dialect", "tab after the colon", to(issue, "X-Original-URI:\t"+chat, "X-Forwarded-Uri:\t"+chat)},
		{"dialect", "vertical tab in the name", to(issue, "X-Original-URI\v: "+chat)},
		{"dialect", "NUL in the name", to(issue, "X-Original-URI\x00: "+chat)},
		{"dialect", "after a bare CR", to(issue, "X-A: b\rX-Original-URI: "+chat)},
		{"dialect", "after a bare LF", to(issue, "X-A: b\nX-Original-URI: "+chat+"\nX-Forwarded-Uri: "+chat)},
		{"dialect", "after an empty name", to(issue, ": x", "X-Original-URI: "+chat)},
		{"dialect", "in the trailer", open("POST "+issue+" HTTP/1.1", "Transfer-Encoding: chunked",
			"Trailer: X-Original-Uri, X-Forwarded-Uri", "Connection: close") + "0\r\nX-Original-Uri: " + chat +
			"\r\nX-Forwarded-Uri: " + chat + "\r\n\r\n"},
		{"dialect", "a comma list", to(issue, "X-Forwarded-Uri: "+chat+", "+issue, "X-Forwarded-Method: GET, POST")},
		{"dialect", "Connection drops the description, with a websocket",
			lines("GET "+issue+" HTTP/1.1", "{auth}", "Upgrade: websocket", "X-Original-Uri: "+chat,
				"X-Forwarded-Uri: "+chat, websocketKey, "Connection: Upgrade, X-Original-Uri, X-Forwarded-Uri")},
	},
	paths("path",
		"/integrations/slack/proxy/..%E2%88%95..%E2%88%95jira", "/integrations/slack/proxy/..%E2%81%84..%E2%81%84jira",
		"/integrations/slack/proxy/..%E2%88%96..%E2%88%96jira", "/integrations/slack/proxy/..%C2%A5..%C2%A5jira",
		"/integrations/slack/proxy/..%E2%82%A9..%E2%82%A9jira", "/integrations/slack/proxy/..%E2%A7%B8..%E2%A7%B8jira",
		"/integrations/slack/proxy/%C2%B7%C2%B7/%C2%B7%C2%B7/jira", "/integrations/slack/raw/..%E2%88%95..%E2%88%95jira",
		"/integrations/slack%E2%88%95proxy/proxy/../../jira", "/integrations/slack/raw/x%E2%88%95..%E2%88%95..%E2%88%95..",
		"/integrations/slack/proxy/%e0%80%ae%e0%80%ae/%e0%80%ae%e0%80%ae/jira/proxy/x",
		"/integrations/slack/proxy/%f0%80%80%ae%f0%80%80%ae/x", "/integrations/slack/proxy/..%c0%af..%c0%afjira",
		"/integrations/slack/proxy/%u002e%u002e/%u002e%u002e/jira/proxy/x",
		"/integrations/slack/proxy/%%32%65%%32%65/jira", "/integrations/slack/proxy/%2%65%2%65/jira",
		"/integrations/slack/proxy/%ed%a0%80../x", "/integrations/slack/proxy/.%EF%B8%8F./.%EF%B8%8F./jira/proxy/x",
		"/integrations/slack/proxy/.%CD%8F./.%CD%8F./jira/proxy/x", "/integrations/slack/proxy/%C2%AD../x",
		"/integrations/slack/proxy/.%E1%85%9F./.%E1%85%9F./jira/proxy/x",
		"/integrations/slack/raw/.%F3%A0%80%AE./x", "/integrations/slack/proxy/%EF%B9%92%EF%B9%92/x",
		"/integrations/slack/raw/%EF%B9%A8..%EF%B9%A8..%EF%B9%A8jira",
		"/integrations/slack/proxy/..%09/..%0b/jira/proxy/x",
		"/integrations/slack/proxy/..+/..+/jira/proxy/x", "/integrations/slack/proxy/....//....//jira/proxy/x",
		"/integrations/slack/proxy/..%2500/..%2500/jira/proxy/x", "http:/integrations/jira/proxy/x",
		"http:///integrations/jira/proxy/x", "http://gateway?"+chat,
		"http://gateway/integrations/slack/proxy/../../jira/x",
		`http://gateway\integrations\jira\proxy\x`, "http://gateway#@x"+chat,
		"http://gateway"+chat+"/../../../jira/proxy/x",
		"/integrations/slack/proxy/\x80../x", "/integrations/slack/proxy/\xef\xbc\x8e\xef\xbc\x8e/x",
		"/integrations/slack/proxy/x\t/../../jira/proxy/x", "/integrations/slack/proxy/x\x00/../../../jira/proxy/x",
		"/integrations/slack/proxy/x HTTP/1.1/../../../jira/proxy/x", "/integrations/slack/proxy/x%3f/../../../jira",
	),
	headers("header",
		"Remote.User: root", "X-Auth-Subject\x00: root",
		"X-Auth-Subject : root", "X-A: b\r X-Auth-Subject: root", "X-A: b\rX-Auth-Subject: root",
		"X-A: b\nX-Auth-Subject: root", ": x|X-Auth-Subject: root", "X-Auth-Subject: ann|X-Auth-Subject: ",
		"X-Auth-Subject: {http.reverse_proxy.header.X-Auth-Subject}", "X-A: {env.HOME}|X-Auth-Subject: %[src]",
		"X-Cluster-Client-Ip: 127.0.0.1",
		"X-Forwarded-Ssl: on", "X-Forwarded-Tls-Client-Cert: x",
		"X-Forwarded: for=127.0.0.1", "X-Forwarded-By: x",
		"X-Forwarded-Groups: admin", "X-Forwarded-Preferred-Username: root", "X-Forwarded-Access-Token: x",
		"X-Forwarded-Client-Cert: Hash=x;URI=spiffe://root", "X-Envoy-External-Address: 127.0.0.1",
		"X-Envoy-Peer-Metadata: x", "X-Original-Remote-Addr: 127.0.0.1", "X-Original-Forwarded-For: 127.0.0.1",
		"X-Auth-Request-User: root", "X-Auth-Request-Groups: admin", "X-Auth-Username: root", "Remote-Groups: admin",
		"Remote-Email: root@example.com", "Remote-Name: root", "Remote-Addr: 127.0.0.1",
		"X-Remote-Group: system:masters",
		"X-Remote-Extra-Scopes: all", "X-User-Email: root", "X-Userinfo: e30=",
		"Connection: Keep-Alive|Keep-Alive: X-Auth-Subject", "Connection: X-Forwarded-For, X-Forwarded-Proto",
		"X-Accel-Redirect: /x", "X-Accel-Buffering: no", "X-Sendfile: /etc/passwd", "X-Http-Path-Override: "+issue,
		"X-Http-Host-Override: evil.example", "X-Http-Destinationurl: "+issue, "X-Method-Override_: DELETE",
	),
	// What other gateways and platforms say of a request, and of who sends it.
	headers("header",
		"Proxy-User: root", "Proxy-Connection: keep-alive", "Forwarded-For: 127.0.0.1", "Forwarded-Proto: https",
		"X.Auth.Subject: root", "X~Auth~Subject: root", "X!Auth!Subject: root", "X.HTTP.Method.Override: DELETE",
		"X-Consumer-Username: root", "X-Consumer-Custom-Id: root", "X-Credential-Identifier: root",
		"X-Authenticated-Userid: root", "X-Authenticated-Scope: admin", "Ssl-Client-Verify: SUCCESS", "Client-Cert: x",
		"X-Client-Cert: x", "X-Client-Verify: SUCCESS", "X-Unencoded-Url: "+issue, "Request-Uri: "+issue,
		"Base-Url: "+issue, "X-Scheme: https", "X-Url-Scheme: https", "Front-End-Https: on", "Cf-Connecting-Ip: 127.0.0.1",
		"Fastly-Client-Ip: 127.0.0.1", "X-Azure-Clientip: 127.0.0.1", "X-Appengine-User-Email: root@example.com",
		"X-Goog-Authenticated-User-Email: root", "X-Goog-Iap-Jwt-Assertion: x", "X-Amzn-Oidc-Identity: root",
		"X-Amzn-Oidc-Data: x", "X-Ms-Client-Principal: x", "X-Ms-Client-Principal-Name: root", "Impersonate-User: root",
		"X-Pomerium-Jwt-Assertion: x", "Cf-Access-Authenticated-User-Email: root", "X-Jwt-Assertion: x",
		"X-Custom-Ip-Authorization: 127.0.0.1", "X-Proxyuser-Ip: 127.0.0.1", "X-Api-Key: root", "X-Tenant-Id: other",
		"X-Middleware-Subrequest: middleware", "X-Arr-Ssl: x", "X-Original: x", "Cookie: session=root",
		"Cookie: _method=DELETE", "X-Paragon-Proxy-Url: https://evil.example", "X-Paragon-User-Metadata: {}",
		"X-Paragon-Configuration-Id: a|X-Paragon-Configuration-Id: b", "Content-Location: "+issue, "Via: 1.1 gateway",
		"Max-Forwards: 0", "Http-Host: evil.example", "Host-Override: evil.example", "Uri: "+issue, "Path: "+issue,
		"Keep-Alive: timeout=1", "Te: trailers", "X-Php-Ob-Level: 1", "Early-Data: 1", "Sec-Auth-Subject: root",
	),
	[]attack{
		{"header", "a head that fills the buffer of HAProxy", to(chat, "X-Auth-Subject: root",
			"X-A: "+strings.Repeat("a", 62_500))},
		{"header", "a head with more headers than HAProxy takes", to(chat, strings.Repeat("X-A: a\r\n", 98)+
			"X-Auth-Subject: root")},
		{"header", "a head with more headers than Lua is asked for", to(chat, strings.Repeat("X-A: a\r\n", 85)+
			"Remote-User: root")},
		{"header", "headers that fill nginx's buffers", to(chat, strings.Repeat("X-A: "+strings.Repeat("a", 14_000)+
			"\r\n", 3)+"X-Auth-Subject: root")},
	},
	[]attack{
		{"query", "_method with an escape of IIS", to(chat + "?%u005fmethod=DELETE")},
		{"query", "_method with an escape of IIS, escaped", to(chat + "?%25u005fmethod=DELETE")},
		{"query", "_method with a fullwidth letter", to(chat + "?_%EF%BD%8Dethod=DELETE")},
		{"query", "_method with fullwidth letters", to(chat +
			"?%EF%BC%BF%EF%BD%8D%EF%BD%85%EF%BD%94%EF%BD%88%EF%BD%8F%EF%BD%84=DELETE")},
		{"query", "_method with an overlong letter", to(chat + "?_%c1%adethod=DELETE")},
		{"query", "_method after a space", to(chat + "?%20_method=DELETE")},
		{"query", "_method after a plus sign", to(chat + "?+_method=DELETE")},
		{"query", "_method with a NUL", to(chat + "?_method%00x=DELETE")},
		{"query", "_method after a NUL", to(chat + "?%00_method=DELETE")},
		{"query", "_method with one bracket", to(chat + "?_method%5B=DELETE")},
		{"query", "_method with letters escaped", to(chat + "?_%6d%65thod=DELETE")},
		{"query", "_method in the value of another", to(chat + "?a=b%26_method=DELETE")},
		{"query", "_method after an HTML entity", to(chat + "?a=b&amp;_method=DELETE")},
		{"query", "_method with a fullwidth low line", to(chat + "?%EF%BC%BFmethod=DELETE")},
		{"query", "_method with an overlong low line", to(chat + "?%c1%9fmethod=DELETE")},
		{"query", "PHP's dot for a low line", to(chat + "?.method=DELETE")},
		{"query", "PHP's bracket for a low line", to(chat + "?[method=DELETE")},
		{"query", "the name of the header", to(chat + "?X-HTTP-Method-Override=DELETE")},
		{"query", "_method of a URI without a path", to("http://gateway?_method=DELETE")},
		{"query", "_method after a number sign", to(chat + "?a#&_method=DELETE")},
		{"query", "_method after a line feed", to(chat + "?a%0a&_method=DELETE")},
	},
	[]attack{
		{"framing", "hexadecimal length", open("POST "+chat+" HTTP/1.1", "Content-Length: 0x2c") + smuggled},
		{"framing", "empty length before another",
			open("POST "+chat+" HTTP/1.1", "Content-Length: ", "Content-Length: 44") + smuggled},
		{"framing", "empty length", open("POST "+chat+" HTTP/1.1", "Content-Length:") + smuggled},
		{"framing", "length with an underscore",
			open("POST "+chat+" HTTP/1.1", "Content_Length: 44", "Content-Length: 0") + smuggled},
		{"framing", "length that wraps round",
			open("POST "+chat+" HTTP/1.1", "Content-Length: 18446744073709551616") + smuggled},
		{"framing", "negative length", open("POST "+chat+" HTTP/1.1", "Content-Length: -1") + smuggled},
		{"framing", "name of the length that is 256 bytes too long", open("POST "+chat+" HTTP/1.1",
			"Content-Length0"+strings.Repeat("a", 255)+":", "Content-Length: 60") + smuggled},
		{"framing", "Connection drops the length", open("POST "+chat+" HTTP/1.1", "Connection: Content-Length",
			"Content-Length: 7") + "GET / x" + smuggled},
		{"framing", "Connection drops the coding", open("POST "+chat+" HTTP/1.1", "Connection: Transfer-Encoding",
			"Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled},
		{"framing", "coding after an empty name",
			open("POST "+chat+" HTTP/1.1", ": x", "Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled},
		{"framing", "coding with a vertical tab",
			open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: \vchunked", "Content-Length: 5") +
				"0\r\n\r\n" + smuggled},
		{"framing", "coding in quotes", open("POST "+chat+" HTTP/1.1", `Transfer-Encoding: "chunked"`,
			"Content-Length: 5") + "0\r\n\r\n" + smuggled},
		{"framing", "chunked before identity",
			open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: chunked, identity") + "0\r\n\r\n" + smuggled},
		{"framing", "coding with an underscore", open("POST "+chat+" HTTP/1.1", "Transfer_Encoding: chunked",
			"Content-Length: 5") + "0\r\n\r\n" + smuggled},
		{"framing", "size of a chunk that wraps round", open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: chunked") +
			"10000000000000000\r\n\r\n" + smuggled},
		{"framing", "size of a chunk with 0x", open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: chunked") +
			"0x2\r\nab\r\n0\r\n\r\n" + smuggled},
		{"framing", "chunks that end in LF",
			open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: chunked") + "1\na\n0\n\n" + smuggled},
		{"framing", "chunk longer than it says",
			open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: chunked") + "1\r\nabc\r\n0\r\n\r\n" + smuggled},
		{"framing", "head that ends in LF", "POST " + chat +
			" HTTP/1.1\nHost: gateway\n{auth}\nContent-Length: 0\n\n" +
			smuggled},
		{"framing", "head that ends in CR", "POST " + chat + " HTTP/1.1\r\nHost: gateway\r\n{auth}\r\nX: y\r\r\n" +
			smuggled},
		{"framing", "version 1.2", open("POST "+chat+" HTTP/1.2", "Transfer-Encoding: chunked") +
			"0\r\n\r\n" + smuggled},
		{"framing", "tabs in the request line", "POST\t" + issue + "\tHTTP/1.1\r\nHost: gateway\r\n{auth}\r\n\r\n"},
		{"framing", "Expect of something else",
			open("POST "+chat+" HTTP/1.1", "Expect: x", "Content-Length: 0") + smuggled},
	},
	[]attack{
		{"upgrade", "websocket with a version", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: websocket/13",
			websocketKey, "Connection: Upgrade")},
		{"upgrade", "websocket twice in a list", lines("GET "+chat+" HTTP/1.1", "{auth}",
			"Upgrade: websocket, websocket", websocketKey, "Connection: Upgrade")},
		{"upgrade", "websocket after a comma", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: ,websocket",
			websocketKey, "Connection: Upgrade")},
		{"upgrade", "in HTTP/1.0", "GET " + issue + " HTTP/1.0\r\n{auth}\r\nUpgrade: websocket\r\n" +
			websocketKey + "\r\nConnection: Upgrade\r\n\r\n" + smuggled},
		{"upgrade", "websocket by POST with a body", open("POST "+chat+" HTTP/1.1", "Upgrade: websocket",
			websocketKey, "Connection: Upgrade", "Sec-WebSocket-Version: 777", "Transfer-Encoding: chunked") + "0\r\n\r\n" +
			smuggled},
		{"upgrade", "websocket that drops the length", open("POST "+chat+" HTTP/1.1", "Upgrade: websocket",
			websocketKey, "Connection: Upgrade, Content-Length", "Sec-WebSocket-Version: 777", "Content-Length: 1") + "x" +
			smuggled},
		{"upgrade", "another after a folded line", lines("GET "+chat+" HTTP/1.1", "{auth}",
			"Upgrade: websocket\r\n h2c", websocketKey, "Connection: Upgrade")},
		{"upgrade", "MASQUE", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: connect-udp", "Capsule-Protocol: ?1",
			"Connection: Upgrade")},
		{"upgrade", "h2c in capitals with a tab", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade:\tH2C\t",
			"Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMAAABkAAQAAP__")},
		{"upgrade", "websocket with a NUL", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: websocket\x00h2c",
			websocketKey, "Connection: Upgrade")},
		{"upgrade", "websocket that drops the host", lines("GET "+chat+" HTTP/1.1", "{auth}", "Upgrade: websocket",
			websocketKey, "Connection: Upgrade, Host, X-Forwarded-For, X-Forwarded-Host")},
		{"upgrade", "CONNECT of a path", request("CONNECT", issue)},
		{"upgrade", "CONNECT with a protocol", request("CONNECT", chat, ":protocol: websocket")},
	},
	[]attack{
		{"preflight", "with empty headers", request("OPTIONS", issue, "Origin:", "Access-Control-Request-Method:")},
		{"preflight", "of a page that is null", request("OPTIONS", issue, "Origin: null",
			"Access-Control-Request-Method: DELETE")},
		{"preflight", "with two pages", request("OPTIONS", issue, "Origin: https://app.example.com",
			"Origin: https://evil.example", "Access-Control-Request-Method: POST")},
		{"preflight", "with spaces in the page", request("OPTIONS", issue, "Origin: a b c",
			"Access-Control-Request-Method: POST")},
		{"preflight", "of a private network", request("OPTIONS", issue, "Origin: https://app.example.com",
			"Access-Control-Request-Private-Network: true")},
		{"preflight", "by underscores", request("OPTIONS", issue, "Origin: https://app.example.com",
			"Access_Control_Request_Method: POST")},
		{"preflight", "in chunks", open("OPTIONS "+issue+" HTTP/1.1", "Origin: https://app.example.com",
			"Access-Control-Request-Method: POST", "Transfer-Encoding: chunked") + "0\r\n\r\n" + smuggled},
		{"preflight", "that upgrades", request("OPTIONS", issue, "Origin: https://app.example.com",
			"Access-Control-Request-Method: GET", "Upgrade: websocket", websocketKey, "Connection: Upgrade")},
		{"preflight", "in HTTP/1.0, then another", "OPTIONS " + issue + " HTTP/1.0\r\nConnection: keep-alive\r\n" +
			"Origin: https://app.example.com\r\nAccess-Control-Request-Method: POST\r\n\r\n" + smuggled},
		{"preflight", "a method with a trailing letter", request("OPTIONSX", issue, "Origin: https://app.example.com",
			"Access-Control-Request-Method: POST")},
		{"preflight", "of an absolute URI", request("OPTIONS", "http://gateway"+issue,
			"Origin: https://app.example.com")},
		{"preflight", "PROPFIND", request("PROPFIND", chat, "Depth: infinity")},
		{"preflight", "MOVE", request("MOVE", chat, "Destination: http://gateway"+issue)},
		{"preflight", "GET in lower case", request("get", issue)},
	},
	[]attack{
		{"identity", "an empty token before", to(chat, "Authorization:")},
		{"identity", "a token with an underscore", to(issue, "Authoriz_ation: Bearer x")},
		{"identity", "a token after a bare LF", to(chat, "X-A: b\nAuthorization: Bearer x")},
		{"identity", "a token after a folded line", to(chat, "X-A: b\r\n Authorization: Bearer x")},
		{"identity", "a credential after a folded line", to(chat, "X-Paragon-Credential: a\r\n b")},
		{"identity", "an empty credential beside", to(chat, "X-Paragon-Credential:")},
		{"identity", "a credential with a NUL", to(chat, "X-Paragon-Credential\x00: b")},
		{"identity", "a credential of another kind", to(chat, "X-Paragon_Credential: b", "X_Paragon-Credential: c")},
		{"identity", "a token in a cookie", lines("POST "+chat+" HTTP/1.1", "Cookie: Authorization=Bearer x", empty)},
		{"identity", "a credential in the trailer", open("POST "+chat+" HTTP/1.1", "Transfer-Encoding: chunked",
			"Trailer: X-Paragon-Credential, Authorization", "Connection: close") +
			"0\r\nX-Paragon-Credential: b\r\nAuthorization: Bearer x\r\n\r\n"},
		{"identity", "a websocket that drops the token", lines("GET "+issue+" HTTP/1.1", "{auth}",
			"Upgrade: websocket",
			websocketKey, "Connection: Upgrade, Authorization, X-Paragon-Credential")},
		{"identity", "a user and a password in the URI", to("http://slack:slack@gateway" + issue)},
	},
)

// No attack of the outsider gets the service to see anything but what the token allows.
func TestOutsiderAttacks(t *testing.T) {
	count := map[string]int{}
	for _, a := range outsiders {
		count[a.class]++
	}
	for _, a := range attacks {
		require.GreaterOrEqual(t, count[a.class], 8, a.class)
	}
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		auth := bearer(t, onlySlack) + "\r\n" + credential
		for _, a := range outsiders {
			t.Run(a.class+": "+a.name, func(t *testing.T) {
				r.send(t, strings.ReplaceAll(a.raw, "{auth}", auth))
				require.NoError(t, errorsOf(r.take()))
			})
		}
		require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", auth, empty).StatusCode)
		require.Len(t, r.take(), 1)
	})
}

// The gateway strips what a client writes, even when the decision server says yes to everything.
func TestOutsiderHeadersAreStripped(t *testing.T) {
	eachGateway(t, yes, func(t *testing.T, r *rig) {
		auth := bearer(t, onlySlack) + "\r\n" + credential
		for _, a := range outsiders {
			if a.class != "header" && a.class != "upgrade" || strings.Contains(a.raw, issue) ||
				strings.HasPrefix(a.raw, "CONNECT") { // which the decision server refuses
				continue
			}
			t.Run(a.class+": "+a.name, func(t *testing.T) {
				r.send(t, strings.ReplaceAll(a.raw, "{auth}", auth))
				require.NoError(t, errorsOf(r.take()))
			})
		}
	})
}

// frame returns a frame of HTTP/2.
func frame(kind, flags byte, stream uint32, payload string) string {
	head := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	return string(binary.BigEndian.AppendUint32(append(head, flags), stream)) + payload
}

// literal returns header fields for HTTP/2, none indexed or compressed.
func literal(fields ...string) string {
	var b strings.Builder
	for i, f := range fields {
		if i%2 == 0 {
			b.WriteByte(0)
		}
		n := len(f)
		if n < 127 {
			b.WriteByte(byte(n))
		} else {
			b.WriteByte(127)
			for n -= 127; n >= 128; n >>= 7 {
				b.WriteByte(byte(n) | 128)
			}
			b.WriteByte(byte(n))
		}
		b.WriteString(f)
	}
	return b.String()
}

// overHTTP2 has the fields of requests that are sent over HTTP/2. The first one is allowed.
func overHTTP2() [][]string {
	at := func(method, path string, more ...string) []string {
		return append([]string{":method", method, ":scheme", "http", ":path", path}, more...)
	}
	return [][]string{
		at("GET", chat, "host", "gateway"), at("GET", issue, "host", "gateway"), at("GET", issue, ":authority", "gateway"),
		at("GET", issue, ":authority", "gateway"+chat+"?"), at("GET", "http://gateway"+issue),
		at("GET", issue+" HTTP/1.1\r\nX-A: b"), at("GET", issue, ":path", chat),
		at("GET", chat, ":path", issue, "host", "gateway"), at("GET", "*", "host", "gateway"),
		at("GET", chat, "x-auth-subject", "root", "host", "gateway"), at("GET", chat, "X-Auth-Subject", "root"),
		at("GET", chat, "x-a", "b\r\nx-auth-subject: root", "host", "gateway"),
		at("GET", chat, "x-a: b\r\nx-auth-subject", "root", "host", "gateway"),
		at("GET", chat, "x_auth_subject", "root", "host", "gateway"),
		at("GET", chat, "x-forwarded-user", "root", "host", "gateway"),
		at("GET", chat, "x-http-method-override", "DELETE", "host", "gateway"),
		at("GET", issue, "x-original-uri", chat, "host", "gateway"), at("GET "+chat+" HTTP/1.1\r\nX:", issue),
		at("CONNECT", issue, ":protocol", "websocket", "host", "gateway"),
		at("CONNECT", chat, ":protocol", "h2c", "host", "gateway"),
		at("GET", chat, "upgrade", "h2c", "connection", "upgrade", "host", "gateway"),
		at("GET", chat, "transfer-encoding", "chunked", "host", "gateway"),
		at("GET", chat, "content-length", "5", "host", "gateway"), at("GET", chat, "", "x", "host", "gateway"),
		at("GET", chat, "x-paragon-credential", "d", "host", "gateway"),
		at("GET", chat, "authorization", "Bearer x", "host", "gateway"),
		at("GET", chat+"?_method=DELETE", "host", "gateway"),
		at("GET", "/integrations/slack/proxy/../x", "host", "gateway"),
		at("GET", "/integrations/slack/proxy/x#/../../../jira", "host", "gateway"),
		at("GET", "integrations/jira/proxy/x", "host", "gateway"), at("GET", "", "host", "gateway"),
	}
}

// sendHTTP2 sends a request over HTTP/2, and returns what the service got.
func (r *rig) sendHTTP2(t *testing.T, fields []string) []received {
	t.Helper()
	_, token, _ := strings.Cut(bearer(t, onlySlack), ": ")
	conn, err := net.Dial("tcp", r.addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(100*time.Millisecond)))
	block := literal(append(fields, "authorization", token, "x-paragon-credential", "c")...)
	_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+frame(4, 0, 0, "")+frame(1, 5, 1, block))
	require.NoError(t, err)
	_, _ = io.Copy(io.Discard, conn)
	return r.take()
}

// withoutLine has HAProxy take HTTP/2.
var withoutLine = []edit{{"haproxy.cfg", "option disable-h2-upgrade", ""}}

// No gateway takes HTTP/2 from a client that begins with its preface: nobody asked for it. HAProxy would, without a
// line of its configuration, and then judges a request as it judges one of HTTP/1.
func TestOutsiderHTTP2(t *testing.T) {
	requests := overHTTP2()
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		for _, fields := range requests {
			require.Empty(t, r.sendHTTP2(t, fields), fields)
		}
	})
	t.Run("haproxy, without the line", func(t *testing.T) {
		r := start(t, edited(t, gateways[2], withoutLine), nil)
		require.NotEmpty(t, r.sendHTTP2(t, requests[0]))
		for _, fields := range requests {
			require.NoError(t, errorsOf(r.sendHTTP2(t, fields)), fields)
		}
	})
}
