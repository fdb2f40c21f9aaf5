package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

// A stranger is an attack by someone who did not read the server. Nothing of it may get through, unless allowed
// or told says what may.
type stranger struct {
	class, name string
	decision    func(forwardauth.Dialect, *world) (http.Handler, error)

	before    []string // requests that must pass, before the world changes
	later     time.Duration
	meanwhile string // a request that is sent just before the attack, and waits. The attack is repeated afterwards.
	raw       []string

	allowed func([]received) error
	told    string // the subject that the service must be told of, with every request of the attack
}

// The world is what a decision server finds outside.
type world struct {
	moved atomic.Bool  // credentials have moved from team B to team A
	later atomic.Int64 // how much later it is
}

func (w *world) now() time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(w.later.Load()))
}

// team returns the external ID of a credential.
func (w *world) team() permissions.Identifier {
	if w.moved.Load() {
		return permissions.ExternalID("Team A")
	}
	return permissions.ExternalID("Team B")
}

// find is a look-up that finds what is asked for.
func (w *world) find(_ context.Context, asked permissions.Target) (permissions.Target, error) {
	return completed(asked, w.team()), nil
}

func completed(asked permissions.Target, externalID permissions.Identifier) permissions.Target {
	id, _ := asked.Lookup(permissions.CredentialID)
	name, _ := asked.Lookup(permissions.IntegrationName)
	return permissions.Integration(name).Credential(permissions.ID(id), externalID)
}

// minted returns an Authorization header whose token says sub, which is JSON.
func minted(sub, policy string) string {
	signer, err := usertoken.NewSigner(permissionstest.ProjectID, ownKey())
	if err != nil {
		panic(err)
	}
	token, err := signer.Sign("the subject", permissions.MustParse(policy))
	if err != nil {
		panic(err)
	}
	parts := strings.Split(token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		panic(err)
	}
	changed := strings.Replace(string(payload), `"the subject"`, sub, 1)
	text := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(changed))
	signature, err := jwt.SigningMethodRS256.Sign(text, ownKey())
	if err != nil {
		panic(err)
	}
	return "Authorization: Bearer " + text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// mintedWith returns a token of another algorithm.
func mintedWith(method jwt.SigningMethod, key any) string {
	token, err := jwt.NewWithClaims(method, jwt.MapClaims{
		"sub": "ann", "aud": "useparagon.com/" + permissionstest.ProjectID, "iat": time.Now().Unix(),
		"exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString(key)
	if err != nil {
		panic(err)
	}
	return "Authorization: Bearer " + token
}

// foundKey is a key source that works.
func foundKey(context.Context, *jwt.Token) (any, error) { return theKey(), nil }

// deciding returns a decision server.
func deciding(keys source, table []forwardauth.Route,
	opts ...forwardauth.Option) func(forwardauth.Dialect, *world) (http.Handler, error) {
	return func(d forwardauth.Dialect, _ *world) (http.Handler, error) {
		verifier, err := usertoken.NewVerifier(permissionstest.ProjectID, nil, usertoken.WithKeySource(keys))
		if err != nil {
			return nil, err
		}
		return forwardauth.New(d, verifier, table, opts...)
	}
}

// says returns something in place of a decision server. It writes text, and ends the connection.
func says(text string, end func(*net.TCPConn)) func(forwardauth.Dialect, *world) (http.Handler, error) {
	return func(forwardauth.Dialect, *world) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_, _ = io.WriteString(conn, text)
				end(conn.(*net.TCPConn))
			}
		}), nil
	}
}

func closes(conn *net.TCPConn) { _ = conn.Close() }

func resets(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// staysOpen leaves the connection to the next request for a while.
func staysOpen(conn *net.TCPConn) { time.AfterFunc(500*time.Millisecond, func() { _ = conn.Close() }) }

// A panicking log is one that is full.
type panickingLog struct{ slog.Handler }

func (panickingLog) Enabled(context.Context, slog.Level) bool  { return true }
func (panickingLog) Handle(context.Context, slog.Record) error { panic("no space left on device") }

const (
	onlySlackJSON = `{"integration:slack": ["proxy-api"]}`
	notTeamAJSON  = `{"integration:*": true, "credential:ext:Team A": false}`
)

func strangersWithFailures() (list []stranger) {
	ann := minted(`"ann"`, onlySlackJSON)
	post := lines("POST "+chat+" HTTP/1.1", ann, credential, empty)
	open := "POST " + chat + " HTTP/1.1\r\nHost: gateway\r\n" + ann + "\r\n" + empty + "\r\n\r\n"
	add := func(name string, decision func(forwardauth.Dialect, *world) (http.Handler, error), raw ...string) {
		if len(raw) == 0 {
			raw = []string{post}
		}
		list = append(list, stranger{class: "failure", name: name, decision: decision, raw: raw})
	}
	keys := func(name string, s source, raw ...string) {
		add(name, deciding(s, routes, forwardauth.WithTimeout(50*time.Millisecond)), raw...)
	}
	finds := func(key any, err error) source {
		return func(context.Context, *jwt.Token) (any, error) { return key, err }
	}

	add("connection reset before an answer", says("", resets))
	add("connection reset after the status", says("HTTP/1.1 204 No Content\r\n", resets))
	add("closed before the empty line", says("HTTP/1.1 204 No Content\r\nX-Auth-Subject: ann\r\n", closes))
	add("closed in the middle of a line end", says("HTTP/1.1 204 No Content\r\nX-Auth-Subject: ann\r\n\r", closes))
	add("closed after 100 Continue", says("HTTP/1.1 100 Continue\r\nX-Auth-Subject: ann\r\n\r\n", closes))
	add("closed after Early Hints", says("HTTP/1.1 103 Early Hints\r\nX-Auth-Subject: ann\r\n\r\n", closes))
	add("Early Hints before a no", says("HTTP/1.1 103 Early Hints\r\nX-Auth-Subject: ann\r\n\r\n"+
		"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", closes))
	add("100 Continue for ever", says(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 500), closes))
	add("switches protocols", says("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"X-Auth-Subject: ann\r\n\r\n", closes))
	add("says not modified", says("HTTP/1.1 304 Not Modified\r\nX-Auth-Subject: ann\r\n\r\n", closes))
	add("a no with a yes behind it, for the next request", says("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"+
		"HTTP/1.1 204 No Content\r\nX-Auth-Subject: ann\r\n\r\n", staysOpen), open+open+post, post)
	add("a no with a yes for its body", says("HTTP/1.1 403 Forbidden\r\n\r\n"+
		"HTTP/1.1 204 No Content\r\nX-Auth-Subject: ann\r\n\r\n", closes), open+open, post)
	add("speaks TLS", says("\x15\x03\x01\x00\x02\x02\x46", closes))
	add("speaks SSH", says("SSH-2.0-OpenSSH_9.2\r\n", closes))
	add("a status of letters", says("HTTP/1.1 2OO OK\r\nX-Auth-Subject: ann\r\n\r\n", closes))
	add("a status with a minus sign", says("HTTP/1.1 -204 No\r\nX-Auth-Subject: ann\r\n\r\n", closes))
	add("a status of four digits", says("HTTP/1.1 2040 No\r\nX-Auth-Subject: ann\r\n\r\n", closes))
	add("only line ends", says(strings.Repeat("\r\n", 300), closes))
	add("one endless header", says("HTTP/1.1 204 No Content\r\nX-A: "+strings.Repeat("a", 300_000), closes))
	add("a yes drop by drop, broken off", func(forwardauth.Dialect, *world) (http.Handler, error) {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			for _, c := range "HTTP/1.1 204 No Content\r\nX-Auth-Subject: ann\r\nX-A: b" {
				_, _ = io.WriteString(conn, string(c))
				time.Sleep(5 * time.Millisecond)
			}
		}), nil
	})

	keys("key source ends the goroutine", func(context.Context, *jwt.Token) (any, error) {
		runtime.Goexit()
		return theKey(), nil
	})
	keys("key source panics with nil", func(context.Context, *jwt.Token) (any, error) { panic(error(nil)) })
	keys("key source says that the time is over, and a key", finds(theKey(), context.DeadlineExceeded))
	keys("key source has a key and a bad token", finds(theKey(), fmt.Errorf("stale: %w", usertoken.ErrToken)))
	keys("key source has an empty set", finds(jwt.VerificationKeySet{}, nil))
	keys("key source has a set of nil", finds(jwt.VerificationKeySet{Keys: []jwt.VerificationKey{nil, nil}}, nil))
	keys("key source works, 30 ms after the time is over", func(ctx context.Context, _ *jwt.Token) (any, error) {
		<-ctx.Done()
		time.Sleep(30 * time.Millisecond)
		return theKey(), nil
	})
	secret := []byte("a secret of thirty-two letters..")
	keys("key source has the secret of another algorithm", finds(secret, nil),
		lines("POST "+chat+" HTTP/1.1", mintedWith(jwt.SigningMethodHS256, secret), empty))
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	keys("key source has an elliptic curve", finds(&curve.PublicKey, nil),
		lines("POST "+chat+" HTTP/1.1", mintedWith(jwt.SigningMethodES256, curve), empty))
	keys("key source wants no signature", finds(jwt.UnsafeAllowNoneSignatureType, nil), lines("POST "+chat+" HTTP/1.1",
		mintedWith(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), empty))
	add("observer ends the goroutine", deciding(foundKey, routes,
		forwardauth.WithObserver(func(context.Context, permissions.Observation) { runtime.Goexit() })))
	add("observer takes longer than there is, whatever the context says", deciding(foundKey, routes,
		forwardauth.WithTimeout(50*time.Millisecond), forwardauth.WithObserver(
			func(context.Context, permissions.Observation) { time.Sleep(80 * time.Millisecond) })))
	add("log panics at a denial", deciding(foundKey, routes, forwardauth.WithLogger(slog.New(panickingLog{}))),
		lines("POST "+issue+" HTTP/1.1", ann, credential, empty))

	// The key source goes down after a request that passed.
	list = append(list, stranger{class: "failure", name: "key source goes down, and the token was good a moment ago",
		before: []string{post}, raw: []string{post},
		decision: func(d forwardauth.Dialect, w *world) (http.Handler, error) {
			return deciding(func(context.Context, *jwt.Token) (any, error) {
				if w.moved.Load() {
					return nil, errors.New("connection refused")
				}
				return theKey(), nil
			}, routes)(d, w)
		}})
	return list
}

func strangersWithRoutes() (list []stranger) {
	slack, all := minted(`"ann"`, onlySlackJSON), minted(`"ann"`, `{"integration:*": true}`)
	add := func(name string, table []forwardauth.Route, auth, line string, more ...string) {
		list = append(list, stranger{class: "route", name: name, decision: deciding(foundKey, table),
			raw: []string{lines(append([]string{line + " HTTP/1.1", auth, empty}, more...)...)}})
	}
	for _, method := range []string{"pOST", "POSt", "QUERY", "LINK", "SEARCH", "PURGE", "DEBUG", "BREW", "M-SEARCH",
		"POST,GET", `"POST"`, "POSTPOST", "DELETE", "PRI", "POS", "_POST", "HTTP"} {
		add(fmt.Sprintf("%q where only POST has a route", method), routes, all, method+" /events")
	}
	for _, method := range []string{"get", "options", "Head", "TRACK", "UNLOCK", "REPORT", "QUERY", "MKCOL", "ACL"} {
		add("any method does not mean "+method, routes, all, method+" "+chat)
	}
	add("OPTIONS of everything", routes, all, "OPTIONS *")
	add("HEAD of everything", routes, all, "HEAD *")
	add("CONNECT to a host", routes, all, "CONNECT gateway:80")
	add("CONNECT to a path of a host", routes, all, "CONNECT http://gateway"+chat)
	add("OPTIONS that is almost a preflight", routes, all, "OPTIONS /events", "Origin: https://app.example.com")
	for _, path := range []string{"/events,", "/events:80", "/events!", "/events+", "/events%2B",
		`/events\`, "/events/%2e",
		"/events%0d%0a", "/events=", "/events&x=y", "/event%C5%BF", "/%EF%BD%85vents", "/events~", "/events'", "/events/?x",
		"/events%3Fx", "/events%23", "/events%09", "/events*", "/events$", "/events@gateway", "/x/../events", "/events/..",
		"/events%E2%80%8B", "/.events", "/eventss", "/v1/events", "events", "http://gateway/events/x",
		"http://gateway/", "http://gateway", "http://gateway//events", "/integrations/slack/proxyx/y", "/integrations",
		"/integrations/slack", "/integrations/slack/Proxy/x", "/Integrations/slack/proxy/x", "/integration/slack/proxy/x",
		"/integrations/slack/pr%6fxy/x", "/integrations/slack/proxy%20/x", "/integrations/slack//proxy/x"} {
		add("POST "+path, routes, all, "POST "+path)
	}

	variable := []forwardauth.Route{{Pattern: "/x/{integration}/y", Permission: permissions.ProxyAPI,
		Integration: forwardauth.Path("integration")}}
	for _, path := range []string{"/x//y", "/x/y", "/x/%20/y", "/x/%00/y", "/x/sl%61ck/y", "/x/%73lack/y", "/x/SLACK/y",
		"/x/slac%E2%84%AA/y", "/x/slack%00/y", "/x/slack%20/y", "/x/%20slack/y", "/x/slack%E2%80%8B/y",
		"/x/%EF%BD%93lack/y", "/x/slack%2Fy/y", "/x/jira%2F..%2Fslack/y", "/x/slack;jira/y", "/x/slack,jira/y",
		"/x/slack./y", "/x/*/y", "/x/{integration}/y", "/x/%7Bintegration%7D/y", "/x/jira/y?integration=slack",
		"/x/jira/y?/x/slack/y", "/x/jira/y?integration=jira&integration=slack", "/x//y?integration=slack",
		"/x/integration:slack/y", "/x/slack/y/", "/x/slack/y/y", "/x/slack/z/../y", "/x/sl%C3%A4ck/y", "/x/sla%63k/y",
		"/x/slack%252f/y", "/x/%2573lack/y", "/x/%22slack%22/y"} {
		add("one variable: "+path, variable, slack, "POST "+path)
	}
	fromHeader := []forwardauth.Route{{Pattern: "/x", Permission: permissions.ProxyAPI,
		Integration: forwardauth.Header("X-Name")}}
	for _, header := range []string{"X-Name: slack,", "X-Name: ,slack", "X-Name: ", "X-Name: SLACK", "X-Name: slack;q=1",
		`X-Name: "slack"`, "X.Name: slack", "X-Nam: slack", "X-Name: slack slack", "X-Name: slack\x00", "X-Name:: slack",
		"X-Name : slack", "X-Name: sl%61ck", "X-Name: jira\r\n slack", "X-A: b\r\n X-Name: slack", "X-Name: *",
		"X-Name: =?utf-8?q?slack?=", "X-Name: slack\r\nx_name: jira\r\nx-name: ", "X-Name: slack\r\nx-NAME: slack"} {
		add(fmt.Sprintf("a header: %q", header), fromHeader, slack, "POST /x", header)
	}
	add("a header that is in the query", fromHeader, slack, "POST /x?X-Name=slack")
	list = append(list, stranger{class: "route", name: "a header that is in the trailer", decision: deciding(foundKey,
		fromHeader), raw: []string{lines("POST /x HTTP/1.1", slack, "Transfer-Encoding: chunked", "Trailer: X-Name") +
		"0\r\nX-Name: slack\r\n\r\n"}})
	write := []forwardauth.Route{
		{Pattern: "POST /x", Permission: permissions.CredentialWrite, Integration: forwardauth.Literal("slack")},
		{Pattern: "GET /x", Permission: permissions.ProxyAPI, Integration: forwardauth.Literal("slack")},
		{Pattern: "/d/", Permission: permissions.ProxyAPI, Integration: forwardauth.Literal("slack")},
		{Pattern: "/u/{_}/z", Permission: permissions.ProxyAPI, Integration: forwardauth.Literal("slack")},
		{Pattern: "/c/{credential}", Permission: permissions.ProxyAPI, Integration: forwardauth.Literal("slack"),
			Credential: forwardauth.Path("credential")},
	}
	add("another permission of the integration", write, slack, "POST /x")
	add("another permission, and the method of a header", write, slack, "POST /x", "X-Http-Method-Override: GET")
	add("another permission, and the method of the query", write, slack, "POST /x?method=GET&_Method=GET")
	add("a method without a route, in the table for two others", write, slack, "OPTIONS /x")
	for _, path := range []string{"/d", "/d/x", "/d//", "/d/x/..", "/u//z", "/u/a/b/z", "/u/z", "/u/./z",
		"/u/%2e%2e/z"} {
		add("a pattern that ends or skips: "+path, write, slack, "POST "+path)
	}
	for _, reference := range []string{"ext:Team%20A", "Team%20A", "ext%3ATeam%20A", "ext:Team%C2%A0A",
		"ext:Team%E3%80%80A", "ext:Team%A0A", "", "ext:", "%65xt:Team%20A", "ext:Team%20A/", "ext:Team%09A",
		"ext:Team%20A%20", "ext:Team%20%EF%BC%A1", "ext:ext:Team%20A/..", credentialA[22:]} {
		add("a credential in the path: "+reference, write, minted(`"ann"`, notTeamAJSON), "GET /c/"+reference)
	}
	return list
}

func strangersWithLookups() (list []stranger) {
	token, other := minted(`"ann"`, notTeamAJSON), minted(`"bob"`, notTeamAJSON)
	second := minted(`"ann"`, `{"integration:*": true, "credential:ext:Team A": false,
		"credential:ext:Team C": false}`)
	ask := func(token, integration, credential string, more ...string) string {
		return lines(append([]string{"POST /integrations/" + integration + "/proxy/x HTTP/1.1", token, credential, empty},
			more...)...)
	}
	uuid := func(c string) string {
		return "X-Paragon-Credential: " + strings.Repeat(c, 8) + "-5717-4562-b3fc-2c963f66afa6"
	}
	a := ask(token, "slack", uuid("a"))
	idA, idB := permissions.ID(uuid("a")[22:]), permissions.ID(uuid("b")[22:])
	teamB, here := permissions.ExternalID("Team B"), permissions.Integration("slack")
	finding := func(l func(*world) lookup, keep time.Duration, most int, opts ...forwardauth.Option,
	) func(forwardauth.Dialect, *world) (http.Handler, error) {
		return func(d forwardauth.Dialect, w *world) (http.Handler, error) {
			return deciding(foundKey, routes, append([]forwardauth.Option{forwardauth.WithClock(w.now),
				forwardauth.WithLookup(l(w), keep, most)}, opts...)...)(d, w)
		}
	}
	moving := func(w *world) lookup { return w.find }
	wrong := func(name string, l lookup, raw ...string) {
		if len(raw) == 0 {
			raw = []string{a}
		}
		list = append(list, stranger{class: "look-up", name: name, raw: raw,
			decision: finding(func(*world) lookup { return l }, time.Minute, 100)})
	}
	finds := func(found permissions.Target, err error) lookup {
		return func(context.Context, permissions.Target) (permissions.Target, error) { return found, err }
	}
	remembered := func(name string, keep time.Duration, most int, later time.Duration, before []string, raw ...string) {
		list = append(list, stranger{class: "look-up", name: name, before: before, later: later, raw: raw,
			decision: finding(moving, keep, most)})
	}

	wrong("not found, and an answer beside the error", finds(here.Credential(idA, teamB), forwardauth.ErrNotFound))
	wrong("not found, in words of its own", finds(here.Credential(idA, teamB),
		fmt.Errorf("a database: %w", forwardauth.ErrNotFound)))
	wrong("time over, and an answer", finds(here.Credential(idA, teamB), context.DeadlineExceeded))
	wrong("a bad token, and an answer", finds(here.Credential(idA, teamB), usertoken.ErrToken))
	wrong("has no ID", finds(here.Credential(permissions.NoID(), teamB), nil))
	wrong("does not know the ID", finds(here.Credential(teamB), nil))
	wrong("knows nothing at all", finds(here.Credential(), nil))
	wrong("an external ID that is empty", finds(here.Credential(idA, permissions.ExternalID("")), nil))
	wrong("an ID that is none", finds(here.Credential(permissions.ID("a"), teamB), nil))
	wrong("two IDs", finds(here.Credential(idA, idB, teamB), nil))
	wrong("two external IDs", finds(here.Credential(idA, teamB, permissions.ExternalID("Team A")), nil))
	wrong("the integration in capitals", finds(permissions.Integration("SLACK").Credential(idA, teamB), nil))
	wrong("an integration without a name", finds(permissions.Integration("").Credential(idA, teamB), nil))
	wrong("a new credential", finds(here.Credential(permissions.NoID(), permissions.NoExternalID()), nil))
	wrong("a configuration of nothing", finds(here.Credential(idA, teamB).Configuration(permissions.NoID(),
		permissions.NoExternalID()), nil))
	wrong("ends the goroutine", func(context.Context, permissions.Target) (permissions.Target, error) {
		runtime.Goexit()
		return permissions.Target{}, nil
	})
	wrong("aborts the handler", func(context.Context, permissions.Target) (permissions.Target, error) {
		panic(http.ErrAbortHandler)
	})
	wrong("is right about the one that the client did not name", finds(here.Credential(idB, teamB), nil),
		a, ask(token, "slack", uuid("c")), ask(token, "jira", uuid("b")))

	sleep := func(d time.Duration) { time.Sleep(d) }
	list = append(list, stranger{class: "look-up", name: "keys and the object in time, and both together late",
		raw: []string{a}, decision: func(d forwardauth.Dialect, w *world) (http.Handler, error) {
			return deciding(func(context.Context, *jwt.Token) (any, error) {
				sleep(60 * time.Millisecond)
				return theKey(), nil
			}, routes, forwardauth.WithTimeout(100*time.Millisecond), forwardauth.WithLookup(
				func(ctx context.Context, asked permissions.Target) (permissions.Target, error) {
					sleep(60 * time.Millisecond)
					return completed(asked, teamB), nil
				}, time.Minute, 100))(d, w)
		}})
	list = append(list, stranger{class: "look-up", name: "late the first time, and then down, and nothing is kept",
		raw: []string{a, a, a}, decision: finding(func(*world) lookup {
			var calls atomic.Int32
			return func(_ context.Context, asked permissions.Target) (permissions.Target, error) {
				if calls.Add(1) > 1 {
					return permissions.Target{}, errors.New("connection refused")
				}
				sleep(80 * time.Millisecond)
				return completed(asked, teamB), nil
			}
		}, 0, 100, forwardauth.WithTimeout(50*time.Millisecond))})
	list = append(list, stranger{class: "look-up", name: "an error with an answer, and the answer is remembered",
		raw: []string{a, a}, decision: finding(func(w *world) lookup {
			return func(_ context.Context, asked permissions.Target) (permissions.Target, error) {
				return completed(asked, teamB), errors.New("stale")
			}
		}, time.Minute, 100)})
	list = append(list, stranger{class: "look-up", name: "two users ask for the same at the same time",
		meanwhile: ask(other, "slack", uuid("a")), raw: []string{a},
		decision: finding(func(*world) lookup {
			return func(ctx context.Context, asked permissions.Target) (permissions.Target, error) {
				if claims, ok := httpauth.FromContext(ctx); !ok || claims.Subject != "bob" {
					return completed(asked, permissions.ExternalID("Team A")), nil
				}
				sleep(100 * time.Millisecond)
				return completed(asked, teamB), nil
			}
		}, time.Minute, 100),
		allowed: func(got []received) error {
			for _, g := range got {
				if g.Header.Get("X-Auth-Subject") != "bob" {
					return errors.New("the other one got through")
				}
			}
			return nil
		}})

	remembered("a minute and a moment later", time.Minute, 100, time.Minute+1, []string{a}, a)
	remembered("a second later, where a second is kept", time.Second, 100, time.Second+1, []string{a}, a)
	remembered("a year later", time.Minute, 100, 365*24*time.Hour, []string{a}, a)
	remembered("nothing is kept", 0, 100, 0, []string{a}, a)
	remembered("used often, and still too old", time.Minute, 100, time.Minute+1, []string{a, a, a, a}, a)
	remembered("another token of the same user", time.Minute, 100, 0, []string{a}, ask(second, "slack", uuid("a")))
	remembered("names that run together", time.Minute, 100, 0, []string{ask(token, "slack", uuid("a")),
		ask(token, "slac", uuid("a"))}, ask(token, "sla", uuid("a")), ask(token, "slacka", uuid("a")))
	remembered("the remembered ID, with something behind it", time.Minute, 100, 0, []string{a},
		ask(token, "slack", uuid("a")+"\x00"), ask(token, "slack", uuid("a")+","))
	remembered("an external ID of the team beside the remembered ID", time.Minute, 100, 0, []string{a},
		ask(token, "slack", "X-Paragon-Credential: ext:Team A", uuid("a")),
		ask(token, "slack", uuid("a")+", ext:Team A"), ask(token, "slack", "X-Paragon-Credential: ,"+uuid("a")[22:]))
	many := []string{a, ask(token, "slack", uuid("b")), ask(token, "slack", uuid("c")), ask(token, "slack", uuid("d")),
		ask(token, "slack", uuid("e"))}
	for _, most := range []int{2, 3, 4} {
		remembered(fmt.Sprintf("cache holds no more than %d", most), time.Minute, most, 0, many, many...)
		list[len(list)-1].allowed = func(got []received) error {
			if len(got) > most {
				return fmt.Errorf("%d answers were remembered", len(got))
			}
			return nil
		}
	}
	remembered("cache is full of what is too old", time.Second, 2, time.Second+1, many, many...)
	return list
}

func strangersWithSubjects() (list []stranger) {
	add := func(name, sub, want string, more ...string) {
		list = append(list, stranger{class: "subject", name: name, decision: deciding(foundKey, routes),
			raw: []string{lines(append([]string{"POST " + chat + " HTTP/1.1", minted(sub, onlySlackJSON), credential,
				empty}, more...)...)}, told: want})
	}
	for i, subject := range []string{
		strings.Repeat("r", 512), strings.Repeat("\u00e9", 85) + "ab", strings.Repeat("\u00e9", 85) + "abc",
		strings.Repeat("\U0001f600", 43), strings.Repeat("\n", 3000), strings.Repeat(",", 171), strings.Repeat("@", 513),
		"SHA256:" + strings.Repeat("0", 64), "sha256%3A" + strings.Repeat("0", 64), "sha256:",
		"ann\r\n\r\nGET " + issue + " HTTP/1.1\r\nX-Auth-Subject: root", "ann\r\nTransfer-Encoding: chunked",
		"ann\u2028root",
		"ann\x1b[2Jroot", "ann\x7f\x7f\x7froot", "ann\u0085root", "\troot", "root\t", "\v\f", " ", "\u00a0root", "ann;root",
		"user=root", "Basic cm9vdDo=", "Bearer x", `"root\"`, "'root'", "X-Auth-Subject", "X-Auth-Subject: root",
		"x-forwarded-user:root", "ann\r\n X-Remote-User: root", "Set-Cookie: user=root", "root\u200d", "\u202etoor",
		"../../root", "/root", "?root", "#root", "<root>", "(root)", "${env:HOME}", "{{root}}", "{http.vars.value-Host}",
		"%{REMOTE_USER}e", "%s%n%x", `\r\nroot`, "%0d%0aroot", "%25root", "~root", "@root", "-", ".", "..", "null",
		"undefined", "0", "true", "*", "\U0001f600", "e\u0301", "\u00e9", "ROOT", "ann@example.com,root@example.com",
		"ann@example.com\x00@root", "ann, X-Auth-Subject: root", "ann\nX-Auth-Subject: root\n", "root\r", "\rroot",
		"$auth_subject", "%[var(txn.subject)]", "$remote_addr", "r\u043eot", "=?utf-8?q?root?=", "root\u0000\u0000",
		"ann|root",
	} {
		sub, err := json.Marshal(subject)
		if err != nil {
			panic(err)
		}
		// The client says something else, so that a subject which needs no escape is in danger too.
		add(fmt.Sprintf("%d, %.30q", i, subject), string(sub), told(subject), "X-Auth-Subject: root")
	}
	// What a client says beside the token does not count.
	for _, header := range []string{"X-Auth-Subject: root", "x-auth-subject: root\r\nX-AUTH-SUBJECT: bob",
		"X-Auth-Subject: \r\nX-Auth-Subject:", "X-Auth-Subject: a%2Croot"} {
		add(fmt.Sprintf("a comma, and the client says %q", header), `"a,root"`, "a%2Croot", header)
	}
	for _, sub := range []string{`""`, `null`, `0`, `true`, `["ann"]`, `["ann","root"]`, `{"ann":"root"}`, `["root"]`,
		`"ann","sub":"root"`, `"ann","s\u0075b":"root"`, `null,"Sub":"root"`, "\"ro\not\"",
		`"root`, `"ann" "root"`, `"ro\xot"`, `"\ufffd"`} {
		add(fmt.Sprintf("claims that say %q", sub), sub, "")
	}
	add("the name of the claim in capitals is another claim", `"ann","SUB":"root","Sub":"root"`, "ann")
	add("a claim with a blank in its name is another claim", `"ann","sub ":"root"," sub":"root"`, "ann")
	return list
}

// strangersThatGotThrough are attacks that once got through some gateway.
func strangersThatGotThrough() (list []stranger) {
	add := func(class, name string, decision func(forwardauth.Dialect, *world) (http.Handler, error), raw string) {
		list = append(list, stranger{class: class, name: name, decision: decision, raw: []string{raw}})
	}
	example := deciding(foundKey, routes)
	notTeamA := minted(`"ann"`, notTeamAJSON)

	// The decision would be about the credential of this header, which the service does not get.
	for _, header := range []string{"X_Paragon_Credential", "X-Paragon_Credential", "x_paragon-credential"} {
		add("look-up", "a credential for the decision alone: "+header, example,
			lines("POST "+chat+" HTTP/1.1", notTeamA, header+": ext:Team B", empty))
	}
	add("route", "an integration for the decision alone", deciding(foundKey, []forwardauth.Route{{Pattern: "/x",
		Permission: permissions.ProxyAPI, Integration: forwardauth.Header("X-Name")}}),
		lines("POST /x HTTP/1.1", minted(`"ann"`, onlySlackJSON), "X_Name: slack", empty))

	// The service would be told of the user ro\ufffdot.
	for _, sub := range []string{"\"ro\xffot\"", `"ro\ud800ot"`, `"ro\udc00ot"`} {
		add("subject", fmt.Sprintf("claims that say %q", sub), example,
			lines("POST "+chat+" HTTP/1.1", minted(sub, onlySlackJSON), credential, empty))
	}
	return list
}

// strangersInPlaceOfTheServer are attacks where another program answers at the address of the decision server. Only
// HAProxy takes its pages for a no. nginx and Caddy take every 2xx for a yes: see docs/gateway.md.
func strangersInPlaceOfTheServer() (list []stranger) {
	for _, a := range [][2]string{
		{"a page", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
		{"half a page", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello"},
		{"accepted", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"},
	} {
		list = append(list, stranger{class: "failure", name: "another server answers: " + a[0],
			decision: says(a[1], closes), raw: []string{lines("POST "+chat+" HTTP/1.1", empty)}})
	}
	return list
}

func TestAnotherServerAnswers(t *testing.T) {
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		if r.gateway.dialect != forwardauth.DialectHAProxy {
			return
		}
		for _, s := range strangersInPlaceOfTheServer() {
			t.Run(s.name, func(t *testing.T) { require.NoError(t, s.problem(r.meets(t, s))) })
		}
	})
}

// problem says what got through.
func (s stranger) problem(got []received) error {
	var errs []error
	switch {
	case s.allowed != nil:
		return s.allowed(got)
	case s.told != "" && len(got) != len(s.raw):
		return fmt.Errorf("the service got %d requests", len(got))
	case s.told != "":
		for _, g := range got {
			if values := g.Header["X-Auth-Subject"]; len(values) != 1 || values[0] != s.told {
				errs = append(errs, fmt.Errorf("the service was told of %.200q instead of %.200q", values, s.told))
			}
		}
		return errors.Join(errs...)
	}
	for _, g := range got {
		errs = append(errs, errors.New("the service got "+g.Method+" "+g.RequestURI))
	}
	return errors.Join(errs...)
}

// meets sends what a stranger sends, and returns what the service got of it.
func (r *rig) meets(t *testing.T, s stranger) []received {
	t.Helper()
	got, ok := r.tries(t, s)
	require.True(t, ok, "the attack needs what is before it")
	return got
}

// tries is meets. It reports whether the requests before the attack passed.
func (r *rig) tries(t *testing.T, s stranger) ([]received, bool) {
	t.Helper()
	w := new(world)
	decision, err := s.decision(r.gateway.dialect, w)
	require.NoError(t, err)
	r.current.Store(&decision)
	defer r.current.Store(&r.usual)
	for _, raw := range s.before {
		r.send(t, raw)
	}
	if len(r.take()) != len(s.before) {
		return nil, false
	}
	w.moved.Store(true)
	w.later.Store(int64(s.later))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.meanwhile != "" {
			if conn, err := net.Dial("tcp", r.addr); err == nil {
				_, _ = io.WriteString(conn, s.meanwhile)
				_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			}
		}
	}()
	if s.meanwhile != "" {
		time.Sleep(30 * time.Millisecond)
	}
	for _, raw := range s.raw {
		r.send(t, raw)
	}
	if <-done; s.meanwhile != "" {
		for _, raw := range s.raw {
			r.send(t, raw)
		}
	}
	return r.take(), true
}

// strangers returns the attacks of strangers that every gateway stops.
func strangers() (list []stranger) {
	for _, some := range [][]stranger{strangersWithFailures(), strangersWithRoutes(), strangersWithLookups(),
		strangersWithSubjects(), strangersThatGotThrough()} {
		list = append(list, some...)
	}
	return list
}

// No attack of a stranger gets through any gateway, and no user is taken for another one.
func TestStrangers(t *testing.T) {
	list := strangers()
	count := map[string]int{}
	for _, s := range list {
		count[s.class]++
	}
	require.Len(t, count, 4)
	for class, n := range count {
		require.GreaterOrEqual(t, n, 8, class)
	}
	control := stranger{decision: deciding(foundKey, routes),
		raw: []string{lines("POST "+chat+" HTTP/1.1", minted(`"ann"`, onlySlackJSON), credential, empty)}}
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		r.patience = 100 * time.Millisecond
		require.Len(t, r.meets(t, control), 1)
		for _, s := range list {
			t.Run(s.class+": "+s.name, func(t *testing.T) {
				require.NoError(t, s.problem(r.meets(t, s)), "%.2000q", s.raw)
			})
		}
		require.Len(t, r.meets(t, control), 1)
	})
}

// asks has the line of each gateway with the address of the decision server, and what it becomes.
var asks = map[string]struct{ file, text, instead string }{
	"nginx":   {"nginx.conf", "proxy_pass http://decision/;", "proxy_pass http://%s/;"},
	"caddy":   {"Caddyfile", "forward_auth 127.0.0.1:9001 {", "forward_auth %s {"},
	"haproxy": {"haproxy.cfg", "lua.decide http://127.0.0.1:9001/", "lua.decide http://%s/"},
}

// asking returns a gateway that asks at another address.
func asking(t *testing.T, g gateway, address string) gateway {
	a := asks[g.program]
	return edited(t, g, []edit{{a.file, a.text, fmt.Sprintf(a.instead, address)}})
}

// nobody returns addresses where nobody answers: one where nobody is, and one where nobody accepts.
func nobody(t *testing.T) map[string]string {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	return map[string]string{"gone": "127.0.0.1:1", "silent": silent.Addr().String()}
}

// Nothing gets through while nobody is where the decision server should be, or somebody who says nothing.
func TestStrangersWhereTheServerIsGone(t *testing.T) {
	for name, address := range nobody(t) {
		for _, g := range gateways {
			t.Run(name+": "+g.program, func(t *testing.T) {
				t.Parallel()
				r := start(t, asking(t, g, address), yes)
				got := r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), credential, empty)
				require.GreaterOrEqual(t, got.StatusCode, 500)
				require.Empty(t, r.take())
			})
		}
	}
}
