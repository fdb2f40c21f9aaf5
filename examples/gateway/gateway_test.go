package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

const empty = "Content-Length: 0"

// The client gets the answer of the decision server, and the service only what is allowed.
func TestGateway(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		auth := bearer(t, onlySlack)
		post := "POST " + chat + " HTTP/1.1"
		for _, c := range []struct {
			name      string
			lines     []string
			status    int
			challenge string
		}{
			{"allowed", []string{post, auth, credential, empty}, 200, ""},
			{"allowed, in another case", []string{post, strings.Replace(auth, "Bearer", "bearer", 1),
				strings.ToLower(credential), empty}, 200, ""},
			{"allowed, with a query", []string{"POST " + chat + "?method=x&next=/../jira/ HTTP/1.1", auth,
				credential, empty}, 200, ""},
			{"allowed, with escapes", []string{"POST /integrations/slack/proxy/a%20b/%C3%A9 HTTP/1.1", auth,
				credential, empty}, 200, ""},
			{"allowed, with an empty tail", []string{"POST /integrations/slack/proxy/ HTTP/1.1", auth, credential,
				empty}, 200, ""},
			{"allowed, as data for another system",
				[]string{"POST /integrations/slack/raw/group%2Fproject/e%CC%81/root:/a/b.txt:/content/monday.com HTTP/1.1",
					auth, credential, empty}, 200, ""},
			{"allowed by GET", []string{"GET " + chat + " HTTP/1.1", auth, credential}, 200, ""},
			{"no credential where it does not matter", []string{post, auth, empty}, 200, ""},
			{"another integration", []string{"POST " + issue + " HTTP/1.1", auth, credential, empty}, 403, ""},
			{"another action", []string{"POST /integrations/slack/credentials HTTP/1.1", auth, empty}, 403, ""},
			{"two credentials", []string{post, auth, credential, "X-Paragon-Credential: 7", empty}, 403, ""},
			{"list of credentials", []string{post, auth, credential + ", 7", empty}, 403, ""},
			{"no route", []string{"GET /secrets HTTP/1.1", auth, credential}, 403, ""},
			{"no route, but for a slash", []string{"POST /integrations/slack/proxy HTTP/1.1", auth, credential,
				empty}, 403, ""},
			{"a slash that the route does not have", []string{"POST /events/ HTTP/1.1",
				bearer(t, permissions.Unrestricted()), empty}, 403, ""},
			{"no method", []string{"PUT /events HTTP/1.1", auth, empty}, 403, ""},
			{"root", []string{"GET / HTTP/1.1", auth}, 403, ""},
			{"no token", []string{post, credential, empty}, 401, "Bearer"},
			{"another scheme", []string{post, "Authorization: Basic YW5uOnNlY3JldA==", credential, empty}, 401,
				"Bearer"},
			{"bad token", []string{post, auth + "x", credential, empty}, 401, `Bearer error="invalid_token"`},
			{"another key", []string{post, "Authorization: Bearer " + permissionstest.New(t).Token(t, "ann",
				onlySlack), credential, empty}, 401, `Bearer error="invalid_token"`},
			{"list of tokens", []string{post, auth + ", Bearer x", credential, empty}, 401,
				`Bearer error="invalid_request"`},
		} {
			t.Run(c.name, func(t *testing.T) {
				resp := r.one(t, c.lines...)
				require.Equal(t, c.status, resp.StatusCode)
				require.Equal(t, c.challenge, resp.Header.Get("WWW-Authenticate"))
				got := r.take()
				if c.status != 200 {
					require.Empty(t, got)
					return
				}
				require.Len(t, got, 1)
				require.NoError(t, errorsOf(got))
				uri := strings.Fields(c.lines[0])[1]
				require.Equal(t, uri, got[0].RequestURI, "the service gets the path as the client sent it")
				require.Equal(t, strings.Fields(c.lines[0])[0], got[0].Method)
				require.Equal(t, []string{"HTTP/1.1", "gateway"}, []string{got[0].Proto, got[0].Host})
				require.Equal(t, []string{"127.0.0.1"}, got[0].Header["X-Forwarded-For"])
				require.Equal(t, []string{"http"}, got[0].Header["X-Forwarded-Proto"])
				require.Equal(t, []string{"gateway"}, got[0].Header["X-Forwarded-Host"])
				require.NotContains(t, strings.ToLower(got[0].Header.Get("Connection")), "upgrade")
			})
		}
		require.NotContains(t, r.log.String(), "Bearer ey")
		require.Contains(t, r.log.String(), "code=no_rule")
	})
}

// The decision server is asked in its dialect, without the body of the request, about each request anew.
func TestQuestions(t *testing.T) {
	for _, g := range gateways {
		t.Run(g.program, func(t *testing.T) {
			t.Parallel()
			questions := make(chan received, 10)
			r := start(t, g, http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
				body, _ := io.ReadAll(q.Body)
				questions <- received{q, string(body)}
				yes(w, q)
			}))
			method, uri := "X-Original-Method", "X-Original-Uri"
			if g.dialect == forwardauth.DialectCaddy {
				method, uri = "X-Forwarded-Method", "X-Forwarded-Uri"
			}
			for _, c := range []struct{ method, uri, raw string }{
				{"POST", chat + "?a=b", "POST " + chat +
					"?a=b HTTP/1.1\r\nHost: gateway\r\nX-A: 1\r\nX-A: 2\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody"},
				{"PUT", "/a%20b//c", "PUT /a%20b//c HTTP/1.1\r\nHost: gateway\r\nX-A: 1\r\nX-A: 2\r\nConnection: close\r\n" +
					"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"},
				{"GET", "/a/../b", "GET /a/../b HTTP/1.1\r\nHost: gateway\r\nX-A: 1\r\nX-A: 2\r\nConnection: Upgrade\r\n" +
					"Upgrade: h2c\r\n\r\n"},
				{"GET", "/socket", "GET /socket HTTP/1.1\r\nHost: gateway\r\nX-A: 1\r\nX-A: 2\r\nConnection: Upgrade\r\n" +
					"Upgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"},
			} {
				r.send(t, c.raw)
				require.NotEmpty(t, questions, "%q was not asked about", c.raw)
				q := <-questions
				require.Equal(t, []string{c.method}, q.Header[method])
				require.Equal(t, []string{c.uri}, q.Header[uri])
				require.Equal(t, []string{"1", "2"}, q.Header["X-A"], "the client's headers are there as they were")
				require.Equal(t, "GET", q.Method)
				require.Empty(t, q.body)
				require.Zero(t, q.ContentLength)
				require.Empty(t, q.TransferEncoding)
				for _, absent := range []string{"Upgrade", "Expect"} {
					require.NotContains(t, q.Header, absent)
				}
				require.NotEmpty(t, r.take())
			}
			require.Empty(t, questions)
		})
	}
}

// A script that fails lets nothing pass. The line that denies without a yes is what stops it.
func TestScriptFails(t *testing.T) {
	broken := edit{"haproxy.lua", "core.httpclient()", "nil_value.httpclient()"}
	deny := edit{"haproxy.cfg", "http-request deny deny_status 503 unless { var(txn.decision) -m str yes }", ""}
	request := []string{"POST " + issue + " HTTP/1.1", bearer(t, onlySlack), credential, empty}

	r := start(t, edited(t, gateways[2], []edit{broken}), yes)
	require.Equal(t, 503, r.one(t, request...).StatusCode)
	require.Empty(t, r.take())

	r = start(t, edited(t, gateways[2], []edit{broken, deny}), yes)
	require.Equal(t, 200, r.one(t, request...).StatusCode)
	require.Len(t, r.take(), 1)
}

// A client cannot ask the decision server.
func TestDecisionIsHidden(t *testing.T) {
	r := start(t, gateways[0], yes)
	for _, path := range []string{"/_decision", "/%5fdecision", "//_decision", "/x/../_decision"} {
		require.Equal(t, 404, r.one(t, "GET "+path+" HTTP/1.1", bearer(t, onlySlack)).StatusCode, path)
	}
	require.Empty(t, r.take())
}

// The headers of the list arrive as the client sent them, and no others do.
func TestClientHeadersArrive(t *testing.T) {
	special := map[string]string{
		"Origin": "https://app.example.com", "Range": "bytes=0-1", "Content-Encoding": "identity",
		"If-Modified-Since": "Sat, 29 Oct 1994 19:43:31 GMT", "Sec-Websocket-Version": "13",
		"X-Paragon-Credential": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
	}
	require.Greater(t, len(clientHeaders), 30)
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		want := http.Header{}
		list := []string{"POST " + chat + " HTTP/1.1", empty, "Cookie: a=b", "X-Other: c", "X_Request_Id: d", "Via: e"}
		for name := range clientHeaders {
			value := cmp.Or(special[name], "a value of "+name+` with {} % $x "quotes"`)
			if name == "Authorization" {
				_, value, _ = strings.Cut(bearer(t, onlySlack), ": ")
			}
			want.Set(name, value)
			list = append(list, name+": "+value)
		}
		require.Equal(t, 200, r.one(t, list...).StatusCode)
		got := r.take()
		require.Len(t, got, 1)
		require.NoError(t, errorsOf(got))
		for name, values := range want {
			require.Equal(t, values, got[0].Header[name])
		}

		// What is not there is not added.
		require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), empty).StatusCode)
		got = r.take()
		require.Len(t, got, 1)
		for name := range clientHeaders {
			// net/http asks for gzip, and Caddy uses it.
			if name != "Authorization" && (name != "Accept-Encoding" || r.gateway.program != "caddy") {
				require.NotContains(t, got[0].Header, name)
			}
		}
	})
}

// Each gateway has the same list.
func TestListsOfHeadersAreTheSame(t *testing.T) {
	want := []string{}
	for name := range clientHeaders {
		want = append(want, strings.ToLower(name))
	}
	for file, line := range map[string]string{
		"nginx.conf":  `proxy_set_header (\S+) \$http_\w+;`,
		"haproxy.lua": `(?m)^\t\["([a-z-]+)"\] = true,$`,
	} {
		text, err := files.ReadFile(file)
		require.NoError(t, err)
		var got []string
		for _, match := range regexp.MustCompile(line).FindAllSubmatch(text, -1) {
			got = append(got, strings.ToLower(string(match[1])))
		}
		require.ElementsMatch(t, want, got, file)
	}
}

// A header that a client sends twice is one for the service.
func TestRepeatedHeaders(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), credential, empty,
			"X-Paragon-Configuration-Id: a", "X-Paragon-Configuration-Id: b", "Accept: text/html",
			"Accept: text/plain").StatusCode)
		got := r.take()
		require.Len(t, got, 1)
		require.NoError(t, errorsOf(got))
	})
}

// nginx and Caddy drop what a client writes into trailers. HAProxy 2.6 cannot, and haproxy.cfg says so.
func TestTrailers(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		for _, line := range []string{"Trailer: X-Auth-Subject", "X-A: b"} {
			r.send(t, "POST "+chat+" HTTP/1.1\r\nHost: gateway\r\n"+bearer(t, onlySlack)+"\r\nConnection: close\r\n"+line+
				"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Auth-Subject: root\r\n\r\n")
			got := r.take()
			require.Len(t, got, 1)
			require.NoError(t, errorsOf(got))
			passed := got[0].Trailer.Get("X-Auth-Subject") == "root"
			require.Equal(t, r.gateway.program == "haproxy", passed)
		}
	})
}

// Bodies arrive whole, however they are sent, and only with a request that is allowed.
func TestBodies(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		auth := bearer(t, onlySlack) + "\r\n" + credential + "\r\nHost: gateway\r\n"
		post := "POST " + chat + " HTTP/1.1\r\n" + auth
		deny := "POST " + issue + " HTTP/1.1\r\n" + auth
		big := strings.Repeat("0123456789abcdef", 40_000) // less than the megabyte that nginx takes
		for _, c := range []struct {
			name, raw string
			statuses  []int
			bodies    []string // that the service got
		}{
			{"a body", post + "Connection: close\r\nContent-Length: 4\r\n\r\nbody", []int{200}, []string{"body"}},
			{"a big body", post + "Connection: close\r\nContent-Length: " + fmt.Sprint(len(big)) + "\r\n\r\n" + big,
				[]int{200}, []string{big}},
			{"chunks", post + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
				[]int{200}, []string{"body"}},
			{"a body of GET", "GET " + chat + " HTTP/1.1\r\n" + auth +
				"Connection: close\r\nContent-Length: 4\r\n\r\nbody", []int{200}, []string{"body"}},
			{"a body that is denied", deny + "Connection: close\r\nContent-Length: 4\r\n\r\nbody", []int{403}, nil},
			{"chunks that are denied",
				deny + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", []int{403},
				nil},
			{"Expect", post + "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody",
				[]int{200}, []string{"body"}},
			{"Expect that is denied",
				deny + "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody", []int{403}, nil},
			{"HTTP/1.0", "POST " + chat + " HTTP/1.0\r\n" + auth + "Content-Length: 4\r\n\r\nbody", []int{200},
				[]string{"body"}},
			{"HTTP/1.0 that is denied", "POST " + issue + " HTTP/1.0\r\n" + auth + "Content-Length: 4\r\n\r\nbody",
				[]int{403}, nil},
			{"HEAD", "HEAD " + chat + " HTTP/1.1\r\n" + auth + "Connection: close\r\n\r\n", []int{200}, []string{""}},
			{"kept alive", post + "Content-Length: 1\r\n\r\na" + post + "Content-Length: 1\r\n\r\nb",
				[]int{200, 200}, []string{"a", "b"}},
			{"kept alive, then denied", post + "Content-Length: 1\r\n\r\na" + deny + "Content-Length: 1\r\n\r\nb",
				[]int{200, 403}, []string{"a"}},
			{"denied, then kept alive", deny + "Content-Length: 0\r\n\r\n" + post + "Content-Length: 1\r\n\r\nb",
				[]int{403, 200}, []string{"b"}},
			{"pipelined by turns", post + "Content-Length: 1\r\n\r\na" + deny + "Content-Length: 1\r\n\r\nb" +
				post + "Content-Length: 1\r\n\r\nc" + deny + "Content-Length: 0\r\n\r\n",
				[]int{200, 403, 200, 403}, []string{"a", "c"}},
			{"a token for the first only", post + "Content-Length: 1\r\n\r\naPOST " + chat +
				" HTTP/1.1\r\nHost: gateway\r\nContent-Length: 0\r\n\r\n", []int{200, 401}, []string{"a"}},
		} {
			t.Run(c.name, func(t *testing.T) {
				var statuses []int
				for _, resp := range r.send(t, c.raw) {
					if resp.StatusCode != http.StatusContinue {
						statuses = append(statuses, resp.StatusCode)
					}
				}
				// A gateway may close the connection after a refusal.
				require.NotEmpty(t, statuses)
				got := r.take()
				require.NoError(t, errorsOf(got))
				if len(statuses) < len(c.statuses) {
					require.GreaterOrEqual(t, statuses[len(statuses)-1], 400, "%v", statuses)
				}
				require.Equal(t, c.statuses[:len(statuses)], statuses)
				var bodies []string
				for _, g := range got {
					bodies = append(bodies, g.body)
				}
				served := 0
				for _, status := range statuses {
					if status == 200 {
						served++
					}
				}
				require.Len(t, bodies, served)
				require.Equal(t, c.bodies[:served:served], append([]string(nil), bodies...))
			})
		}
	})
}

// A websocket passes, both ways, and lives on.
func TestWebsocket(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		handshake := func(path string, more ...string) string {
			return strings.Join(append(append([]string{"GET " + path + " HTTP/1.1"}, more...), "Host: gateway",
				"Upgrade: WebSocket", "Connection: keep-alive, Upgrade",
				"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
				"Sec-WebSocket-Protocol: chat",
				"Sec-WebSocket-Extensions: permessage-deflate", "", ""), "\r\n")
		}
		conn, err := net.Dial("tcp", r.addr)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, err = io.WriteString(conn, handshake("/integrations/slack/proxy/socket", bearer(t, onlySlack), credential))
		require.NoError(t, err)
		reader := bufio.NewReader(conn)
		resp, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		require.Equal(t, 101, resp.StatusCode)
		_, err = io.WriteString(conn, "hello\n")
		require.NoError(t, err)
		line, err := reader.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "echo hello\n", line)
		got := r.take()
		require.Len(t, got, 1)
		require.NoError(t, errorsOf(got))
		require.Equal(t, "13", got[0].Header.Get("Sec-Websocket-Version"))
		require.Equal(t, "chat", got[0].Header.Get("Sec-Websocket-Protocol"))
		require.Equal(t, "permessage-deflate", got[0].Header.Get("Sec-Websocket-Extensions"))
		require.Equal(t, "dGhlIHNhbXBsZSBub25jZQ==", got[0].Header.Get("Sec-Websocket-Key"))

		for path, status := range map[string]int{issue: 403, "/secrets": 403} {
			resps := r.send(t, handshake(path, bearer(t, onlySlack), credential))
			require.Equal(t, status, resps[0].StatusCode, path)
		}
		require.Equal(t, 401, r.send(t, handshake(chat))[0].StatusCode)
		require.Empty(t, r.take())
	})
}

// Another protocol than websocket is not passed on: the request is served, or refused, in HTTP/1.1.
func TestNothingElseUpgrades(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		for _, protocol := range []string{"h2c", "TLS/1.0", "websocket2", "x-websocket", "websocket, h2c"} {
			resp := r.one(t, "GET "+chat+" HTTP/1.1", bearer(t, onlySlack), credential, "Upgrade: "+protocol)
			require.Equal(t, 200, resp.StatusCode, protocol)
			got := r.take()
			require.Len(t, got, 1, protocol)
			require.NotContains(t, got[0].Header, "Upgrade", protocol)
		}
	})
}

// The gateway answers a preflight, and says which page may read an answer. The service has no say in it.
func TestCORS(t *testing.T) {
	const page = "https://app.example.com"
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		preflight := func(origin string) response {
			return r.one(t, "OPTIONS "+issue+" HTTP/1.1", "Origin: "+origin, "Access-Control-Request-Method: POST",
				"Access-Control-Request-Headers: authorization")
		}
		resp := preflight(page)
		require.Equal(t, 204, resp.StatusCode)
		require.Equal(t, []string{page}, resp.Header.Values("Access-Control-Allow-Origin"))
		require.Contains(t, resp.Header.Get("Access-Control-Allow-Methods"), "DELETE")
		require.Contains(t, resp.Header.Get("Access-Control-Allow-Headers"), "X-Paragon-Credential")
		require.Equal(t, "600", resp.Header.Get("Access-Control-Max-Age"))
		require.Equal(t, "Origin", resp.Header.Get("Vary"))

		for _, origin := range []string{"https://evil.example", "null", "https://app.example.com.evil.example",
			"http://app.example.com", "https://APP.example.com"} {
			resp := preflight(origin)
			require.Equal(t, 204, resp.StatusCode, origin)
			require.NotContains(t, resp.Header.Values("Access-Control-Allow-Origin"), origin)
		}
		require.Empty(t, r.take())

		// A page may read an answer and a refusal, and another page neither.
		for origin, allowed := range map[string][]string{page: {page}, "https://evil.example": nil} {
			resp := r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), credential, "Origin: "+origin, empty)
			require.Equal(t, 200, resp.StatusCode)
			require.Equal(t, allowed, resp.Header.Values("Access-Control-Allow-Origin"))
			require.Contains(t, strings.Join(resp.Header.Values("Vary"), ","), "Origin")
			resp = r.one(t, "POST "+issue+" HTTP/1.1", bearer(t, onlySlack), credential, "Origin: "+origin, empty)
			require.Equal(t, 403, resp.StatusCode)
			require.Equal(t, allowed, resp.Header.Values("Access-Control-Allow-Origin"))
		}
		r.take()

		// What lacks something of a preflight is a request like any other.
		require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), "Origin: "+page,
			"Access-Control-Request-Method: POST", empty).StatusCode)
		require.Len(t, r.take(), 1)
		require.Equal(t, 401, r.one(t, "OPTIONS "+chat+" HTTP/1.1", "Access-Control-Request-Method: POST").StatusCode)
		require.Equal(t, 401, r.one(t, "OPTIONS "+chat+" HTTP/1.1", "Origin: "+page).StatusCode)
		require.Empty(t, r.take())
		require.Equal(t, 200, r.one(t, "OPTIONS "+chat+" HTTP/1.1", bearer(t, onlySlack)).StatusCode)
		require.Len(t, r.take(), 1)
	})
}

// A subject of any length fits, and one that does not fit into a header is a digest.
func TestSubjects(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		for _, c := range []struct{ subject, want string }{
			{"ann", "ann"},
			{"a b/\u00e9\r\nX: y", "a%20b%2F%C3%A9%0D%0AX%3A%20y"},
			{strings.Repeat("x", forwardauth.MaxSubject), strings.Repeat("x", forwardauth.MaxSubject)},
			{strings.Repeat("x", 7000), fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(strings.Repeat("x", 7000))))},
		} {
			auth := "Authorization: Bearer " + permissionstest.Shared().Token(t, c.subject, onlySlack)
			require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", auth, credential, empty).StatusCode,
				len(c.subject))
			got := r.take()
			require.Len(t, got, 1)
			require.Equal(t, []string{c.want}, got[0].Header["X-Auth-Subject"])
		}
		require.Contains(t, r.log.String(), "code=long_subject")
	})
}

// A token that is larger than the gateway takes is refused there, and one that it takes is read whole.
func TestLargeToken(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		token := func(n int) string {
			var b strings.Builder
			b.WriteString(`{"integration:slack": {"credential:*": ["proxy-api"]`)
			for i := range n {
				fmt.Fprintf(&b, `, "credential:%08d-5717-4562-b3fc-2c963f66afa6": false`, i)
			}
			return bearer(t, permissions.MustParse(b.String()+"}}"))
		}
		require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", token(150), credential, empty).StatusCode)
		require.Len(t, r.take(), 1)
		for _, resp := range r.send(t, lines("POST "+chat+" HTTP/1.1",
			"Authorization: Bearer "+strings.Repeat("x", 200_000), credential, empty)) {
			require.GreaterOrEqual(t, resp.StatusCode, 400)
		}
		require.Empty(t, r.take())
	})
}

// A decision server that says what it should not, or nothing, lets nothing pass.
func TestNoDecision(t *testing.T) {
	for _, status := range []int{302, 400, 404, 500, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			says := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "http://127.0.0.1/")
				w.Header().Set(forwardauth.SubjectHeader, "ann")
				w.WriteHeader(status)
			})
			eachGateway(t, says, func(t *testing.T, r *rig) {
				resp := r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), credential, empty)
				require.GreaterOrEqual(t, resp.StatusCode, 300)
				if status >= 500 {
					require.GreaterOrEqual(t, resp.StatusCode, 500)
				}
				require.Empty(t, r.take())
			})
		})
	}
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		eachGateway(t, nil, func(t *testing.T, r *rig) {
			request := []string{"POST " + chat + " HTTP/1.1", bearer(t, onlySlack), credential, empty}
			require.Equal(t, 200, r.one(t, request...).StatusCode)
			require.Len(t, r.take(), 1)
			require.NoError(t, r.servers[0].Close())
			for range 3 {
				require.GreaterOrEqual(t, r.one(t, request...).StatusCode, 500)
			}
			require.Empty(t, r.take())
		})
	})
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		done := make(chan struct{})
		t.Cleanup(func() { close(done) })
		eachGateway(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }),
			func(t *testing.T, r *rig) {
				resp := r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), credential, empty)
				require.GreaterOrEqual(t, resp.StatusCode, 500)
				require.Empty(t, r.take())
			})
	})
	t.Run("breaks off", func(t *testing.T) {
		t.Parallel()
		eachGateway(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
			func(t *testing.T, r *rig) {
				resp := r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), credential, empty)
				require.GreaterOrEqual(t, resp.StatusCode, 500)
				require.Empty(t, r.take())
			})
	})
	// A yes that lacks the subject must not let the client say who it is.
	t.Run("yes without a subject", func(t *testing.T) {
		t.Parallel()
		silent := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(forwardauth.SubjectHeader, "")
			w.WriteHeader(http.StatusNoContent)
		})
		eachGateway(t, silent, func(t *testing.T, r *rig) {
			require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", "X-Auth-Subject: root", empty).StatusCode)
			got := r.take()
			require.Len(t, got, 1)
			require.Empty(t, strings.Join(got[0].Header["X-Auth-Subject"], ""))
		})
	})
}

// A decision server whose keys cannot be looked up, or whose key source fails, answers 5xx, and the client gets
// one.
func TestKeysFail(t *testing.T) {
	for name, source := range map[string]func(context.Context, *jwt.Token) (any, error){
		"down":   func(context.Context, *jwt.Token) (any, error) { return nil, errors.New("connection refused") },
		"panics": func(context.Context, *jwt.Token) (any, error) { panic("a bug") },
		"slow":   func(ctx context.Context, _ *jwt.Token) (any, error) { <-ctx.Done(); return nil, ctx.Err() },
	} {
		for _, g := range gateways {
			t.Run(name+"/"+g.program, func(t *testing.T) {
				t.Parallel()
				verifier, err := usertoken.NewVerifier(permissionstest.ProjectID, nil,
					usertoken.WithKeySource(source))
				require.NoError(t, err)
				decision, err := forwardauth.New(g.dialect, verifier, routes,
					forwardauth.WithTimeout(100*time.Millisecond))
				require.NoError(t, err)
				r := start(t, g, decision)
				resp := r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), credential, empty)
				require.GreaterOrEqual(t, resp.StatusCode, 500)
				require.Empty(t, r.take())
			})
		}
	}
}

func TestDemo(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, show(t.Context(), &out), "%s", out.String())
	for _, want := range []string{"\nnginx:\n", "\nCaddy:\n", "200 OK: the service did POST", "401 Unauthorized",
		"403 Forbidden", "500 Internal Server Error", "502 Bad Gateway"} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "not installed")

	t.Setenv("PATH", t.TempDir())
	require.ErrorContains(t, show(t.Context(), &out), "neither nginx nor caddy is installed")
}

// A missing program is a failure that says what to install.
func TestProgramIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for _, g := range gateways {
		_, err := startStack(t.TempDir(), g, yes, yes)
		require.ErrorContains(t, err, "apt-get install "+g.program)
	}
}

func TestRun(t *testing.T) {
	none := func(string) string { return "" }
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", "nginx", none), "PARAGON_PUBLIC_KEY")

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	require.NoError(t, err)
	env := map[string]string{"PARAGON_PUBLIC_KEY": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY",
		Bytes: der}))}
	get := func(name string) string { return env[name] }
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", "nginx", get), "the project ID is empty")
	env["PARAGON_PROJECT_ID"] = "p"
	require.ErrorContains(t, run(t.Context(), "127.0.0.1:0", "apache", get), "-gateway apache")
	require.Error(t, run(t.Context(), "nowhere", "nginx", get))
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for _, g := range gateways {
		require.NoError(t, run(ctx, "127.0.0.1:0", g.program, get))
	}
}
