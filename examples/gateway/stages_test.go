package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
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

// A staged attack needs a decision server of its own: one that fails, that looks objects up, or that has other
// routes.
type staged struct {
	attack
	decision func(forwardauth.Dialect) (http.Handler, error) // nil for that of the example
	before   string                                          // a request that may pass, sent before the attack

	// subject is what the service must be told, if the attack is about that. Nothing may pass of the others.
	subject string
}

// The tokens that attacks name.
func tokens(t testing.TB) *strings.Replacer {
	notTeamA := permissions.MustParse(`{"integration:*": true, "credential:ext:Team A": false}`)
	list := []string{"{auth}", bearer(t, onlySlack) + "\r\n" + credential}
	add := func(name, subject string, policy *permissions.Policy) {
		token := permissionstest.Shared().Token(t, subject, policy)
		list = append(list, "{"+name+"}", "Authorization: Bearer "+token)
	}
	add("all", "ann", permissions.Unrestricted())
	add("not team A", "ann", notTeamA)
	add("bob, not team A", "bob", notTeamA)
	signer, err := usertoken.NewSigner(permissionstest.ProjectID, ownKey())
	require.NoError(t, err)
	own, err := signer.Sign("ann", onlySlack)
	require.NoError(t, err)
	list = append(list, "{own}", "Authorization: Bearer "+own)
	for i, subject := range subjects {
		add(fmt.Sprint("subject ", i), subject, onlySlack)
	}
	return strings.NewReplacer(list...)
}

// subjects are of users who chose their name, and would like the service to take them for root.
var subjects = []string{
	strings.Repeat("a", 513), strings.Repeat("root ", 900), strings.Repeat("\u00e9", 3000),
	"a\r\nX-Auth-Subject: root", "a\nroot", "root\x00", "a,root", "a, root", " root", "root ", "root%20", "%72oot",
	"{env.HOME}{http.request.header.X-A}", "%[req.hdr(x-a)]", "$http_x_a", `root"`, "root;admin", "r\u00f6\u00f6t",
	fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(strings.Repeat("root ", 900)))), "\ufeffroot", "\uff52oot",
	strings.Repeat("%", 180) + "root", strings.Repeat("x", 9000),
}

// told is what the service must be told of a subject, written from the documentation of SubjectHeader.
func told(subject string) string {
	var b strings.Builder
	for _, c := range []byte(subject) {
		if c < 0x80 && strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~@", rune(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	if b.Len() > 512 {
		return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(subject)))
	}
	return b.String()
}

const (
	credentialA = "X-Paragon-Credential: aaaaaaaa-5717-4562-b3fc-2c963f66afa6"
	credentialB = "X-Paragon-Credential: bbbbbbbb-5717-4562-b3fc-2c963f66afa6"
)

// A source finds a key, and a lookup an object.
type (
	source = func(context.Context, *jwt.Token) (any, error)
	lookup = func(context.Context, permissions.Target) (permissions.Target, error)
)

// withSource returns a decision server whose keys come from a source.
func withSource(s source, opts ...forwardauth.Option) func(forwardauth.Dialect) (http.Handler, error) {
	return func(d forwardauth.Dialect) (http.Handler, error) {
		verifier, err := usertoken.NewVerifier(permissionstest.ProjectID, nil, usertoken.WithKeySource(s))
		if err != nil {
			return nil, err
		}
		return forwardauth.New(d, verifier, routes,
			append([]forwardauth.Option{forwardauth.WithTimeout(50 * time.Millisecond)}, opts...)...)
	}
}

// withLookup returns a decision server that looks credentials up.
func withLookup(l lookup, opts ...forwardauth.Option) func(forwardauth.Dialect) (http.Handler, error) {
	return func(d forwardauth.Dialect) (http.Handler, error) {
		return forwardauth.New(d, permissionstest.Shared().Verifier(), routes, append([]forwardauth.Option{
			forwardauth.WithTimeout(50 * time.Millisecond), forwardauth.WithLookup(l, time.Minute, 100)}, opts...)...)
	}
}

// withRoutes returns a decision server with other routes.
func withRoutes(list ...forwardauth.Route) func(forwardauth.Dialect) (http.Handler, error) {
	return func(d forwardauth.Dialect) (http.Handler, error) {
		return forwardauth.New(d, permissionstest.Shared().Verifier(), list)
	}
}

// answers returns a decision server that says something of its own.
func answers(answer http.HandlerFunc) func(forwardauth.Dialect) (http.Handler, error) {
	return func(forwardauth.Dialect) (http.Handler, error) { return answer, nil }
}

// breaksOff writes the beginning of an answer and closes the connection.
func breaksOff(text string) func(forwardauth.Dialect) (http.Handler, error) {
	return answers(func(w http.ResponseWriter, _ *http.Request) {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	})
}

// ownKey is the key that the token {own} is signed with.
var ownKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// theKey returns what a key source that works would find.
func theKey() any { return &ownKey().PublicKey }

// team returns a look-up that finds the credential A of team A, and every other one of team B.
func team(_ context.Context, asked permissions.Target) (permissions.Target, error) {
	id, _ := asked.Lookup(permissions.CredentialID)
	name, _ := asked.Lookup(permissions.IntegrationName)
	externalID := "Team B"
	if strings.HasPrefix(id, "aaaaaaaa") {
		externalID = "Team A"
	}
	return permissions.Integration(name).Credential(permissions.ID(id), permissions.ExternalID(externalID)), nil
}

// by returns a request with a token and a credential.
func by(token, credential string) string {
	return lines("POST "+chat+" HTTP/1.1", "{"+token+"}", credential, empty)
}

// stages are attacks on what a decision server does besides reading the request. They were written from the
// documentation of the package.
var stages = func() (list []staged) {
	failure := func(name string, decision func(forwardauth.Dialect) (http.Handler, error)) {
		list = append(list, staged{attack: attack{"failure", name, by("own", credential)}, decision: decision})
	}
	failure("key source down", withSource(func(context.Context, *jwt.Token) (any, error) {
		return nil, errors.New("connection refused")
	}))
	failure("key source down, and a key beside the error", withSource(func(context.Context, *jwt.Token) (any, error) {
		return theKey(), errors.New("stale")
	}))
	failure("key source has no key", withSource(func(context.Context, *jwt.Token) (any, error) { return nil, nil }))
	failure("key source has text for a key", withSource(func(context.Context, *jwt.Token) (any, error) {
		return "key", nil
	}))
	failure("key source panics", withSource(func(context.Context, *jwt.Token) (any, error) { panic("a bug") }))
	failure("key source aborts the handler", withSource(func(context.Context, *jwt.Token) (any, error) {
		panic(http.ErrAbortHandler)
	}))
	failure("key source waits for ever", withSource(func(ctx context.Context, _ *jwt.Token) (any, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}))
	failure("key source is late, and does not look at the context",
		withSource(func(context.Context, *jwt.Token) (any, error) {
			time.Sleep(80 * time.Millisecond)
			return theKey(), nil
		}))
	failure("observer panics", withSource(func(context.Context, *jwt.Token) (any, error) { return theKey(), nil },
		forwardauth.WithObserver(func(context.Context, permissions.Observation) { panic("full") })))
	failure("observer is slow", withSource(func(context.Context, *jwt.Token) (any, error) { return theKey(), nil },
		forwardauth.WithObserver(func(ctx context.Context, _ permissions.Observation) { <-ctx.Done() })))
	failure("server answers nothing", breaksOff(""))
	failure("server breaks off in the status", breaksOff("HTTP/1.1 20"))
	failure("server breaks off in the headers", breaksOff("HTTP/1.1 204 No Content\r\nX-Auth-Subject: ann"))
	failure("server speaks something else", breaksOff("204 X-Auth-Subject: ann\r\n\r\n"))
	failure("server sends a binary answer", breaksOff("\x00\x00\x12\x04\x00\x00\x00\x00\x00"))
	failure("server redirects", answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/")
		w.WriteHeader(http.StatusFound)
	}))
	failure("server does not know the path", answers(http.NotFound))
	failure("server wants a header that is shorter", answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
	}))
	failure("server is busy", answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	failure("handler is zero", func(forwardauth.Dialect) (http.Handler, error) { return new(forwardauth.Handler), nil })

	lookups := func(name string, l lookup, before, raw string, opts ...forwardauth.Option) {
		list = append(list, staged{attack: attack{"look-up", name, raw}, decision: withLookup(l, opts...), before: before})
	}
	slack := permissions.Integration("slack")
	a := by("not team A", credentialA)
	answersWith := func(found permissions.Target, err error) lookup {
		return func(context.Context, permissions.Target) (permissions.Target, error) { return found, err }
	}
	idA, idB := permissions.ID(credentialA[22:]), permissions.ID(credentialB[22:])
	lookups("down", answersWith(permissions.Target{}, errors.New("connection refused")), "", a)
	lookups("down, and an answer beside the error", answersWith(slack.Credential(idA, permissions.ExternalID("Team B")),
		errors.New("stale")), "", a)
	lookups("not found", answersWith(permissions.Target{}, forwardauth.ErrNotFound), "", a)
	lookups("panics", func(context.Context, permissions.Target) (permissions.Target, error) { panic("a bug") }, "", a)
	lookups("waits for ever", func(ctx context.Context, _ permissions.Target) (permissions.Target, error) {
		<-ctx.Done()
		return permissions.Target{}, ctx.Err()
	}, "", a)
	late := func(context.Context, permissions.Target) (permissions.Target, error) {
		time.Sleep(80 * time.Millisecond)
		return slack.Credential(idA, permissions.ExternalID("Team B")), nil
	}
	lookups("late, and does not look at the context", late, "", a, forwardauth.WithLookup(late, 0, 100))
	lookups("right answer", team, "", a)
	lookups("finds another credential", answersWith(slack.Credential(idB, permissions.ExternalID("Team B")), nil), "", a)
	lookups("finds one of another integration", answersWith(
		permissions.Integration("jira").Credential(idA, permissions.ExternalID("Team B")), nil), "", a)
	lookups("finds an integration", answersWith(slack, nil), "", a)
	lookups("finds a user", answersWith(permissions.User(), nil), "", a)
	lookups("finds a configuration", answersWith(slack.Credential(idA, permissions.ExternalID("Team B")).Configuration(
		permissions.ExternalID("c")), nil), "", a)
	lookups("finds nothing more", answersWith(slack.Credential(idA), nil), "", a)
	lookups("finds the zero Target", answersWith(permissions.Target{}, nil), "", a)
	lookups("answer for another credential is remembered", team, by("not team A", credentialB), a)
	lookups("answer for another user is remembered",
		func(ctx context.Context, asked permissions.Target) (permissions.Target, error) {
			return ofUser(ctx, asked, "bob")
		}, by("bob, not team A", credentialA), a)
	lookups("answer for another integration is remembered",
		func(_ context.Context, asked permissions.Target) (permissions.Target, error) {
			name, _ := asked.Lookup(permissions.IntegrationName)
			externalID := "Team B"
			if name == "slack" {
				externalID = "Team A"
			}
			return permissions.Integration(name).Credential(idA, permissions.ExternalID(externalID)), nil
		}, strings.Replace(a, "slack", "jira", 1), a)
	lookups("credential in capitals", team, by("not team A", credentialB),
		by("not team A", strings.Replace(credentialA, "aaaaaaaa", "AAAAAAAA", 1)))
	lookups("credential as an external ID of another spelling", team, "",
		by("not team A", "X-Paragon-Credential: ext:Team A"))
	lookups("no credential", team, by("not team A", credentialB), by("not team A", "X-A: b"))
	lookups("two credentials, the second is of the team", team, by("not team A", credentialB),
		by("not team A", credentialB+"\r\n"+credentialA))

	for i, subject := range subjects {
		list = append(list, staged{
			attack: attack{"subject", fmt.Sprintf("%d, of %d bytes", i, len(subject)),
				by(fmt.Sprint("subject ", i), "X-A: root")},
			subject: told(subject),
		})
	}

	route := func(name, raw string, table ...forwardauth.Route) {
		s := staged{attack: attack{"route", name, raw}}
		if len(table) > 0 {
			s.decision = withRoutes(table...)
		}
		list = append(list, s)
	}
	proxy := func(pattern string, tail forwardauth.Tail) forwardauth.Route {
		return forwardauth.Route{Pattern: pattern, Permission: permissions.ProxyAPI,
			Integration: forwardauth.Path("integration"), Tail: tail}
	}
	literal := func(pattern, name string) forwardauth.Route {
		return forwardauth.Route{Pattern: pattern, Permission: permissions.ProxyAPI,
			Integration: forwardauth.Literal(name)}
	}
	everything := func(method, path string) string { return lines(method+" "+path+" HTTP/1.1", "{all}", empty) }
	for _, method := range []string{"post", "Post", "PUT", "HEAD", "OPTIONS", "TRACE", "PATCH", "POSTX", "PROPFIND",
		"CONNECT", "GET"} {
		route(method+" where only POST has a route", everything(method, "/events"))
	}
	for _, path := range []string{"/", "/secrets", "/events/", "/Events", "/EVENTS", "/events/x", "//events", "/events//",
		"/./events", "/events/.", "/events.", "/events.json", "/events;x", "/events%2f", "/events%20", "/event",
		"/%65vents", "/events%00", "/integrations/slack/credentials/", "/integrations//credentials",
		"/integrations/slack/proxy", "/integrations/proxy/x", "/integrations/slack/x/proxy/y"} {
		route("POST "+path, everything("POST", path))
	}
	route("POST of a credential by the path of another method", everything("POST", "/integrations/slack/credentials/x"))
	route("any method does not mean those of WebDAV", everything("MOVE", chat))
	route("any method does not mean TRACE", everything("TRACE", chat))
	route("a literal is more specific than a variable", request("POST", "/x/jira/y"),
		proxy("/x/{integration}/{rest...}", 0), literal("/x/jira/{rest...}", "jira"))
	route("the order of the table does not count", request("POST", "/x/jira/y"), literal("/x/jira/{rest...}", "jira"),
		proxy("/x/{integration}/{rest...}", 0))
	route("a slash at the end leads to another route", request("POST", "/x/y/"), literal("/x/{rest...}", "slack"),
		literal("/x/y", "jira"))
	route("an opaque tail that another route could be read into", request("POST", "/x//admin"),
		literal("/x/{rest...}", "slack"), literal("/x/admin", "jira"))
	route("an opaque tail in front of a more specific route", request("PATCH", "/p/slack/admin;x"),
		proxy("/p/{integration}/{rest...}", forwardauth.TailOpaque), literal("PATCH /p/slack/admin", "jira"))
	route("HEAD is not GET where HEAD has a route", request("HEAD", "/x"), literal("GET /x", "slack"),
		literal("HEAD /x", "jira"))
	route("an integration from a header that is there twice", to("/x", "X-Name: slack", "X-Name: jira"),
		forwardauth.Route{Pattern: "/x", Permission: permissions.ProxyAPI, Integration: forwardauth.Header("X-Name")})
	return list
}()

// ofUser finds a credential of team B for one user, and of team A for every other.
func ofUser(ctx context.Context, asked permissions.Target, user string) (permissions.Target, error) {
	claims, ok := httpauth.FromContext(ctx)
	if !ok {
		return permissions.Target{}, errors.New("no claims")
	}
	externalID := "Team A"
	if claims.Subject == user {
		externalID = "Team B"
	}
	id, _ := asked.Lookup(permissions.CredentialID)
	return permissions.Integration("slack").Credential(permissions.ID(id), permissions.ExternalID(externalID)), nil
}

// breaches says what is wrong with what the service got of an attack.
func (s staged) breaches(got []received) error {
	var errs []error
	for _, g := range got {
		switch {
		case s.class == "subject":
			if values := g.Header["X-Auth-Subject"]; len(values) != 1 || values[0] != s.subject {
				errs = append(errs, fmt.Errorf("the service was told of %.100q instead of %.100q", values, s.subject))
			}
		case s.decision != nil, s.class == "route":
			errs = append(errs, errors.New("the service got "+g.Method+" "+g.RequestURI))
		}
	}
	if s.class != "subject" && s.class != "route" && s.decision == nil {
		errs = append(errs, errorsOf(got))
	}
	return errors.Join(errs...)
}

// stage sends an attack to a gateway whose decision server can be changed, and returns what the service got.
func (r *rig) stage(t testing.TB, s staged, replace *strings.Replacer) []received {
	t.Helper()
	decision := r.usual
	if s.decision != nil {
		var err error
		decision, err = s.decision(r.gateway.dialect)
		require.NoError(t, err)
	}
	r.current.Store(&decision)
	defer r.current.Store(&r.usual)
	if s.before != "" {
		r.send(t, replace.Replace(s.before))
		r.take()
	}
	r.send(t, replace.Replace(s.raw))
	return r.take()
}

// No staged attack gets through, and those about subjects do not hide who it is.
func TestStagedAttacks(t *testing.T) {
	count := map[string]int{}
	for _, s := range stages {
		count[s.class]++
	}
	require.Len(t, count, 4)
	for class, n := range count {
		require.GreaterOrEqual(t, n, 8, class)
	}
	replace := tokens(t)
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		for _, s := range stages {
			t.Run(s.class+": "+s.name, func(t *testing.T) {
				got := r.stage(t, s, replace)
				require.NoError(t, s.breaches(got))
				if s.class == "subject" {
					require.Len(t, got, 1)
				}
			})
		}
		require.Equal(t, 200, r.one(t, "POST "+chat+" HTTP/1.1", bearer(t, onlySlack), empty).StatusCode)
		require.Len(t, r.take(), 1)
	})
}

// The requests before an attack pass, and so do those whose look-up finds another team: the stages work.
func TestStagesWork(t *testing.T) {
	replace := tokens(t)
	eachGateway(t, nil, func(t *testing.T, r *rig) {
		for _, s := range stages {
			if s.before != "" {
				s.raw, s.before = s.before, ""
				require.Len(t, r.stage(t, s, replace), 1, s.name)
			}
		}
	})
}
