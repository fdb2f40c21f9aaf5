package forwardauth_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
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

func TestAnswers(t *testing.T) {
	credential := func(ref string) []string { return []string{httpauth.CredentialHeader, ref} }
	for _, c := range []struct {
		name        string
		policy      *permissions.Policy
		method, uri string
		more        []string
		status      int // 204 is the yes of the dialect
		code        string
	}{
		{"proxy", slackParts, "GET", "/integrations/slack/proxy/x", credential(uuidA), 204, "granted"},
		{"proxy by external ID", slackParts, "GET", "/integrations/slack/proxy/x", credential("Team B"), 403,
			"undetermined"},
		{"proxy by external ID with ext:", anything, "GET", "/integrations/slack/proxy/x", credential("ext:Team B"),
			204, "granted"},
		{"proxy by UUID in capitals", slackParts, "GET", "/integrations/slack/proxy/x",
			credential(strings.ToUpper(uuidA)), 204, "granted"},
		{"proxy with another credential", slackParts, "GET", "/integrations/slack/proxy/x", credential(uuidB), 403,
			"not_granted"},
		{"proxy of another integration", slackParts, "GET", "/integrations/jira/proxy/x", credential(uuidA), 403,
			"no_rule"},
		{"proxy without a credential", notTeamA, "GET", "/integrations/slack/proxy/x", nil, 403, "undetermined"},
		{"proxy without a credential where it does not matter", onlySlack, "GET", "/integrations/slack/proxy/x",
			nil, 204, "granted"},
		{"delete", slackParts, "DELETE", "/integrations/slack/credentials/" + uuidB, nil, 204, "granted"},
		{"delete another", slackParts, "DELETE", "/integrations/slack/credentials/" + uuidA, nil, 403, "not_granted"},
		{"delete by an external ID that is denied", notTeamA, "DELETE", "/integrations/slack/credentials/Team%20A",
			nil, 403, "not_granted"},
		{"delete by ext: that is denied", notTeamA, "DELETE", "/integrations/slack/credentials/ext:Team%20A", nil,
			403, "not_granted"},
		{"connect", onlySlack, "POST", "/integrations/slack/credentials", nil, 204, "granted"},
		{"connect elsewhere", onlySlack, "POST", "/integrations/jira/credentials", nil, 403, "no_rule"},
		{"configuration", slackParts, "PATCH", "/integrations/slack/configurations/c", credential(uuidB), 204,
			"granted"},
		{"events", anything, "POST", "/events", nil, 204, "granted"},
		{"events denied", onlySlack, "POST", "/events", nil, 403, "no_rule"},
		{"HEAD where any method matches", onlySlack, "HEAD", "/integrations/slack/proxy/x", nil, 204, "granted"},
		{"a method that no route has", anything, "PUT", "/events", nil, 403, "no_route"},
		{"a method in lower case", anything, "post", "/events", nil, 403, "no_route"},
		{"TRACE where any method matches", anything, "TRACE", "/integrations/slack/proxy/x", nil, 403, "no_route"},
		{"no route", anything, "POST", "/secrets", nil, 403, "no_route"},
		{"a route but for a slash", anything, "POST", "/integrations/slack/proxy", nil, 403, "no_route"},
		{"a route with a slash too many", anything, "POST", "/events/", nil, 403, "no_route"},
		{"an empty tail", onlySlack, "POST", "/integrations/slack/proxy/", nil, 204, "granted"},
		{"no path", anything, "POST", "*", nil, 403, "path"},
		{"a URL with a host", anything, "POST", "http://other/events", nil, 403, "path"},
		{"an empty integration", anything, "POST", "/integrations//credentials", nil, 403, "no_route"},
		{"an integration that no name can be", anything, "POST", "/integrations/ext:x/credentials", nil, 403,
			"invalid_question"},
		{"a credential twice", anything, "GET", "/integrations/slack/proxy/x",
			append(credential(uuidA), credential(uuidA)...), 403, "invalid_request"},
		{"a list of credentials", anything, "GET", "/integrations/slack/proxy/x", credential(uuidA + ", " + uuidB),
			403, "invalid_request"},
		{"an empty credential", anything, "GET", "/integrations/slack/proxy/x", credential(""), 403,
			"invalid_request"},
		{"a credential with underscores", anything, "GET", "/integrations/slack/proxy/x",
			[]string{"X_Paragon_Credential", "Team B"}, 403, "invalid_request"},
		{"a credential with one underscore", anything, "GET", "/integrations/slack/proxy/x",
			[]string{"X-Paragon_Credential", uuidA}, 403, "invalid_request"},
		{"a method override", anything, "POST", "/events?_method=DELETE", nil, 403, "method_override"},
		{"no token", nil, "POST", "/events", nil, 401, "no_token"},
		{"another scheme", nil, "POST", "/events", []string{"Authorization", "Basic YTpi"}, 401, "no_token"},
		{"two tokens", anything, "POST", "/events", []string{"Authorization", "Bearer x"}, 401, "invalid_request"},
		{"a bad token", nil, "POST", "/events", []string{"Authorization", "Bearer x"}, 401, "invalid_token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, d := range dialects {
				f := newFixture(t, d)
				w := ask(f, describe(d, c.method, c.uri, with(t, c.policy, c.more...)))
				want := c.status
				if d == forwardauth.DialectEnvoy && want == 204 {
					want = 200
				}
				require.Equal(t, want, w.Code, d)
				require.Equal(t, c.code, f.code(t), d)
				require.Empty(t, w.Body.String(), d)
				require.Equal(t, c.status == 401, w.Header().Get("WWW-Authenticate") != "", d)
				if c.status == 204 {
					require.Equal(t, []string{"ann"}, w.Header()["X-Auth-Subject"], d)
				} else {
					require.NotContains(t, w.Header(), "X-Auth-Subject", d)
				}
			}
		})
	}
}

func TestChallengeSaysWhatIsWrong(t *testing.T) {
	f := newFixture(t, forwardauth.DialectNginx)
	for authorization, want := range map[string]string{
		"":             `Bearer`,
		"Bearer x":     `Bearer error="invalid_token"`,
		"Bearer x, y":  `Bearer error="invalid_request"`,
		"Basic YTpi":   `Bearer`,
		"Bearer a\tb ": `Bearer error="invalid_request"`,
	} {
		header := http.Header{"Authorization": {authorization}}
		w := ask(f, describe(forwardauth.DialectNginx, "POST", "/events", header))
		require.Equal(t, want, w.Header().Get("WWW-Authenticate"), authorization)
	}
}

// A log line has what a support person needs, on one line, and never the token or the query.
func TestLog(t *testing.T) {
	f := newFixture(t, forwardauth.DialectNginx)
	header := with(t, onlySlack)
	ask(f, describe(forwardauth.DialectNginx, "POST", "/integrations/jira/proxy/a%20b?userToken=secret", header))
	token := strings.TrimPrefix(header.Get("Authorization"), "Bearer ")
	require.NotContains(t, f.log.String(), token)
	require.NotContains(t, f.log.String(), "secret")
	line := f.lines(t)[0]
	delete(line, "time")
	require.Equal(t, map[string]any{
		"level": "WARN", "msg": "forwardauth: refused", "code": "no_rule", "status": 403.0, "method": "POST",
		"path": "/integrations/jira/proxy/a%20b", "subject": "ann",
		"route": "/integrations/{integration}/proxy/{rest...}",
		"err":   line["err"],
	}, line)
	require.Contains(t, line["err"], "proxy-api")

	silent, err := forwardauth.New(forwardauth.DialectNginx, permissionstest.Shared().Verifier(), routes,
		forwardauth.WithLogger(nil))
	require.NoError(t, err)
	require.Equal(t, 403, ask(silent, describe(forwardauth.DialectNginx, "POST", "/x", nil)).Code)
}

func TestSubject(t *testing.T) {
	digest := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	long := strings.Repeat("x", forwardauth.MaxSubject)
	for _, c := range []struct{ name, subject, want string }{
		{"plain", "ann", "ann"},
		{"mail address", "ann+1@example.com", "ann%2B1@example.com"},
		{"what a digest looks like", "sha256:00", "sha256%3A00"},
		{"line break", "a\r\nX-Admin: 1", "a%0D%0AX-Admin%3A%201"},
		{"not ASCII", "\u00e9", "%C3%A9"},
		{"longest", long, long},
		{"too long", long + "x", digest(long + "x")},
		{"too long when escaped", strings.Repeat("|", 171), digest(strings.Repeat("|", 171))},
		{"of 20 KB", strings.Repeat("ann ", 5000), digest(strings.Repeat("ann ", 5000))},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, forwardauth.DialectCaddy)
			header := http.Header{"Authorization": {"Bearer " + permissionstest.Shared().Token(t, c.subject,
				anything)}}
			w := ask(f, describe(forwardauth.DialectCaddy, "POST", "/events", header))
			require.Equal(t, 204, w.Code)
			require.Equal(t, []string{c.want}, w.Header()["X-Auth-Subject"])
			want := "granted"
			if strings.HasPrefix(c.want, "sha256:") {
				want = "long_subject"
			}
			require.Equal(t, want, f.code(t))
		})
	}
}

// sourceVerifier returns a verifier that looks its key up.
func sourceVerifier(t testing.TB, source func(context.Context, *jwt.Token) (any, error)) *usertoken.Verifier {
	v, err := usertoken.NewVerifier(permissionstest.ProjectID, nil, usertoken.WithKeySource(source))
	require.NoError(t, err)
	return v
}

// Whatever fails, the answer is no, and 5xx so that nobody blames the token.
func TestFailures(t *testing.T) {
	question := describe(forwardauth.DialectNginx, "POST", "/events", with(t, anything))
	for _, c := range []struct {
		name   string
		source func(context.Context, *jwt.Token) (any, error)
		opts   []forwardauth.Option
		status int
		code   string
	}{
		{"key source down", func(context.Context, *jwt.Token) (any, error) { return nil, errors.New("down") }, nil,
			503, "keys_unavailable"},
		{"key source panics", func(context.Context, *jwt.Token) (any,
			error) {
			panic(question.header.Get("Authorization"))
		}, nil, 500, "panic"},
		{"key source panics with nil", func(context.Context, *jwt.Token) (any, error) { panic(nil) }, nil, 500,
			"panic"},
		{"key source waits", func(ctx context.Context, _ *jwt.Token) (any, error) {
			<-ctx.Done()
			return nil,
				ctx.Err()
		},
			[]forwardauth.Option{forwardauth.WithTimeout(5 * time.Millisecond)}, 503, "keys_unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var log strings.Builder
			h, err := forwardauth.New(forwardauth.DialectNginx, sourceVerifier(t, c.source), routes,
				append(c.opts, logTo(&log))...)
			require.NoError(t, err)
			w := ask(h, question)
			require.Equal(t, c.status, w.Code)
			require.NotContains(t, w.Header(), "X-Auth-Subject")
			require.NotContains(t, w.Header(), "Www-Authenticate")
			require.Equal(t, c.status == 503, w.Header().Get("Retry-After") != "")
			require.Contains(t, log.String(), `"code":"`+c.code+`"`)
			require.Contains(t, log.String(), `"level":"ERROR"`)
			require.NotContains(t, log.String(), "Bearer ey")
		})
	}
}

// A yes that comes after the gateway has stopped waiting is a no.
func TestLateYesIsNo(t *testing.T) {
	var log strings.Builder
	slow := forwardauth.WithObserver(func(ctx context.Context, _ permissions.Observation) { <-ctx.Done() })
	h, err := forwardauth.New(forwardauth.DialectNginx, permissionstest.Shared().Verifier(), routes,
		forwardauth.WithTimeout(5*time.Millisecond), slow, logTo(&log))
	require.NoError(t, err)
	w := ask(h, describe(forwardauth.DialectNginx, "POST", "/events", with(t, anything)))
	require.Equal(t, 503, w.Code)
	require.Contains(t, log.String(), `"code":"late"`)

	// A yes for a gateway that has closed its request is a no.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f := newFixture(t, forwardauth.DialectNginx)
	q := describe(forwardauth.DialectNginx, "POST", "/events", with(t, anything))
	r := httptest.NewRequestWithContext(ctx, "GET", "/", nil)
	r.Header = q.header
	w = httptest.NewRecorder()
	f.ServeHTTP(w, r)
	require.Equal(t, 503, w.Code)
	require.Equal(t, "late", f.code(t))

	// A deadline that has passed counts although the context is not done yet.
	r = httptest.NewRequestWithContext(overdue{t.Context()}, "GET", "/", nil)
	r.Header = q.header
	w = httptest.NewRecorder()
	f.ServeHTTP(w, r)
	require.Equal(t, 503, w.Code)
	require.Equal(t, "late", f.code(t))
}

// overdue is a context whose deadline has passed and which is not done.
type overdue struct{ context.Context }

func (overdue) Deadline() (time.Time, bool) { return time.Now(), true }

func TestObserver(t *testing.T) {
	var seen []permissions.Observation
	f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithObserver(func(ctx context.Context,
		o permissions.Observation) {
		claims, ok := httpauth.FromContext(ctx)
		require.True(t, ok)
		require.Equal(t, "ann", claims.Subject)
		seen = append(seen, o)
	}))
	ask(f, describe(forwardauth.DialectNginx, "POST", "/events", with(t, anything)))
	ask(f, describe(forwardauth.DialectNginx, "POST", "/events", with(t, onlySlack)))
	require.Len(t, seen, 2)
	require.True(t, seen[0].Decision.Allowed)
	require.False(t, seen[1].Decision.Allowed)
}

func TestNilAndZeroHandlerDeny(t *testing.T) {
	for name, h := range map[string]*forwardauth.Handler{"nil": nil, "zero": new(forwardauth.Handler)} {
		w := ask(h, describe(forwardauth.DialectNginx, "POST", "/events", with(t, anything)))
		require.Equal(t, 500, w.Code, name)
		require.NotContains(t, w.Header(), "X-Auth-Subject", name)
	}
}

func TestNewRefuses(t *testing.T) {
	verifier := permissionstest.Shared().Verifier()
	lookup := func(_ context.Context, t permissions.Target) (permissions.Target, error) { return t, nil }
	for _, c := range []struct {
		name     string
		dialect  forwardauth.Dialect
		verifier *usertoken.Verifier
		opts     []forwardauth.Option
		problem  string
	}{
		{"no dialect", 0, verifier, nil,
			"forwardauth: there is no dialect with the number 0; use DialectNginx or another constant"},
		{"unknown dialect", 6, verifier, nil, "no dialect with the number 6"},
		{"no verifier", forwardauth.DialectNginx, nil, nil,
			"forwardauth: there is no verifier; usertoken.NewVerifier makes one"},
		{"timeout of 0", forwardauth.DialectNginx, verifier, []forwardauth.Option{forwardauth.WithTimeout(0)},
			"forwardauth: WithTimeout: the timeout is not above 0"},
		{"nil clock", forwardauth.DialectNginx, verifier, []forwardauth.Option{forwardauth.WithClock(nil)},
			"forwardauth: WithClock: the function is nil; give one, or leave the option out"},
		{"nil look-up", forwardauth.DialectNginx, verifier, []forwardauth.Option{forwardauth.WithLookup(nil, 0, 2)},
			"WithLookup"},
		{"negative time", forwardauth.DialectNginx, verifier,
			[]forwardauth.Option{forwardauth.WithLookup(lookup, -1, 2)}, "WithLookup"},
		{"long time", forwardauth.DialectNginx, verifier, []forwardauth.Option{forwardauth.WithLookup(lookup,
			time.Minute+1, 2)}, "WithLookup"},
		{"no bound", forwardauth.DialectNginx, verifier, []forwardauth.Option{forwardauth.WithLookup(lookup, 1, 1)},
			"forwardauth: WithLookup: it needs a function, a time from 0 to a minute, and 2 or more entries"},
		{"bad extra permission", forwardauth.DialectNginx, verifier,
			[]forwardauth.Option{forwardauth.WithPermissions("")}, "permission"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := forwardauth.New(c.dialect, c.verifier, routes, c.opts...)
			require.ErrorContains(t, err, c.problem)
			require.Nil(t, h)
		})
	}
	h, err := forwardauth.New(forwardauth.DialectNginx, verifier, routes, nil,
		forwardauth.WithLookup(lookup, time.Minute, 2), forwardauth.WithObserver(nil))
	require.NoError(t, err)
	require.Equal(t, 204, ask(h, describe(forwardauth.DialectNginx, "POST", "/events", with(t, anything))).Code)
}

// New reports all mistakes at once. Without the declared permissions it cannot judge a route.
func TestNewReportsEverything(t *testing.T) {
	problems := func(err error) string {
		var parts []string
		for line := range strings.Lines(err.Error()) {
			for _, part := range []string{
				"no dialect", "no verifier", "WithTimeout", `"events" is one of the ten`, `"no slash"`, `"/unknown"`,
			} {
				if strings.Contains(line, part) {
					parts = append(parts, part)
				}
			}
		}
		return strings.Join(parts, ", ")
	}
	bad := []forwardauth.Route{
		{Pattern: "no slash", Permission: permissions.Events}, {Pattern: "/unknown", Permission: "unknown"},
		{Pattern: "/reports", Permission: "reports"},
	}
	_, err := forwardauth.New(0, nil, bad, forwardauth.WithTimeout(-1), forwardauth.WithPermissions("reports"))
	require.ErrorIs(t, err, forwardauth.ErrRoute)
	require.Equal(t, `WithTimeout, no dialect, no verifier, "no slash", "/unknown"`, problems(err))
	_, err = forwardauth.New(0, nil, bad, forwardauth.WithTimeout(-1), forwardauth.WithPermissions("events"))
	require.NotErrorIs(t, err, forwardauth.ErrRoute)
	require.Equal(t, `WithTimeout, no dialect, no verifier, "events" is one of the ten`, problems(err))
}

// The errors of this package can be nil, such as when a function returns one by mistake.
func TestNilErrors(t *testing.T) {
	require.EqualError(t, (*forwardauth.RouteError)(nil), "forwardauth: a nil *RouteError")
	require.ErrorIs(t, (*forwardauth.RouteError)(nil), forwardauth.ErrRoute)
	require.EqualError(t, (*forwardauth.PathError)(nil), "forwardauth: a nil *PathError")
	require.ErrorIs(t, (*forwardauth.PathError)(nil), forwardauth.ErrPath)
}

func TestExtraPermission(t *testing.T) {
	extra := []forwardauth.Route{{Pattern: "POST /reports", Permission: "reports"}}
	_, err := forwardauth.New(forwardauth.DialectNginx, permissionstest.Shared().Verifier(), extra)
	require.ErrorIs(t, err, forwardauth.ErrRoute)
	kit := permissionstest.New(t, usertoken.WithClaimOptions(permissions.WithPermissions("reports")))
	h, err := forwardauth.New(forwardauth.DialectNginx, kit.Verifier(), extra, forwardauth.WithPermissions("reports"))
	require.NoError(t, err)
	policy := permissions.MustParse(`{"integration:*": ["reports"]}`, permissions.WithPermissions("reports"))
	header := http.Header{"Authorization": {"Bearer " + kit.Token(t, "ann", policy)}}
	require.Equal(t, 204, ask(h, describe(forwardauth.DialectNginx, "POST", "/reports", header)).Code)

	// The permissions of several options add up.
	h, err = forwardauth.New(forwardauth.DialectNginx, kit.Verifier(), extra, forwardauth.WithPermissions("reports"),
		forwardauth.WithPermissions("exports"))
	require.NoError(t, err)
	require.Equal(t, 204, ask(h, describe(forwardauth.DialectNginx, "POST", "/reports", header)).Code)
}

// Of two options that set the same thing, the later one overrides.
func TestLaterOptionOverrides(t *testing.T) {
	var asked []string
	observer := func(name string) forwardauth.Option {
		return forwardauth.WithObserver(func(context.Context, permissions.Observation) { asked = append(asked, name) })
	}
	f := newFixture(t, forwardauth.DialectNginx, observer("first"), observer("second"))
	require.Equal(t, 204, ask(f, describe(forwardauth.DialectNginx, "POST", "/events", with(t, anything))).Code)
	require.Equal(t, []string{"second"}, asked)

	h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), routes, forwardauth.WithTimeout(0),
		forwardauth.WithTimeout(time.Second))
	require.EqualError(t, err, "forwardauth: WithTimeout: the timeout is not above 0", "an invalid option is an error")
	require.Nil(t, h)
}

// The error of a refusal is for the log. It says what the operator can change.
func TestErrorsHaveRemedies(t *testing.T) {
	nginx := func(method, uri string, pairs ...string) question {
		return describe(forwardauth.DialectNginx, method, uri, with(t, anything, pairs...))
	}
	twice := nginx("POST", "/events")
	twice.header["X-Original-Uri"] = []string{"/events", "/events"}
	for name, c := range map[string]struct {
		question question
		want     string
	}{
		"no route": {nginx("PUT", "/events"), `forwardauth: no route for "PUT" "/events"; add a Route`},
		"a long path": {nginx("PUT", "/"+strings.Repeat("x", 200)+"?userToken=secret"),
			`forwardauth: no route for "PUT" "/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"...(201 bytes, sha256 `},
		"a header of another gateway": {nginx("POST", "/events", "X-Forwarded-Uri", "/"),
			`there is a header "X-Forwarded-Uri"; the gateway must remove it`},
		"the URI twice": {twice,
			"X-Original-Method is there 1 times and X-Original-Uri 2 times; configure nginx to set each once"},
		"a method override": {nginx("POST", "/events?_method=DELETE"),
			`forwardauth: the query overrides the method with "_method"; send the method itself`},
		"no Authorization header": {describe(forwardauth.DialectNginx, "POST", "/events", nil), "no bearer token"},
		"a malformed Authorization header": {
			describe(forwardauth.DialectNginx, "POST", "/events", http.Header{"Authorization": {"Bearer a b"}}),
			"malformed Authorization header: there must be one, with exactly one token after Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, forwardauth.DialectNginx)
			w := ask(f, c.question)
			require.Contains(t, []int{401, 403}, w.Code)
			require.Empty(t, w.Body.String())
			require.NotContains(t, f.log.String(), "secret")
			lines := f.lines(t)
			require.Len(t, lines, 1)
			require.Contains(t, lines[0]["err"], c.want)
		})
	}
}

// The handler answers in the same way over a connection, whatever the gateway sends beside the headers.
func TestOverConnection(t *testing.T) {
	f := newFixture(t, forwardauth.DialectNginx)
	server := httptest.NewServer(f)
	defer server.Close()
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE"} {
		r, err := http.NewRequest(method, server.URL+"/any/path?x", strings.NewReader("body"))
		require.NoError(t, err)
		r.Header = describe(forwardauth.DialectNginx, "POST", "/events", with(t, anything)).header
		resp, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, errors.Join(err, resp.Body.Close()))
		require.Equal(t, 204, resp.StatusCode, method)
		require.Empty(t, body)
		require.Equal(t, "no-store", resp.Header.Get("Cache-Control"))
	}
}

func TestDefaultTimeout(t *testing.T) {
	var left time.Duration
	f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithObserver(
		func(ctx context.Context, _ permissions.Observation) {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
		}))
	ask(f, describe(forwardauth.DialectNginx, "POST", "/events", with(t, anything)))
	require.InDelta(t, 2, left.Seconds(), 1)
}

func TestLogOfADigest(t *testing.T) {
	f := newFixture(t, forwardauth.DialectCaddy)
	subject := strings.Repeat("ann ", 5000)
	header := http.Header{"Authorization": {"Bearer " + permissionstest.Shared().Token(t, subject, anything)}}
	w := ask(f, describe(forwardauth.DialectCaddy, "POST", "/events", header))
	line := f.lines(t)[0]
	require.Equal(t, "WARN", line["level"])
	require.Equal(t, w.Header().Get("X-Auth-Subject"), line["value"])
	require.Contains(t, line["subject"], "ann ann")
	require.Less(t, len(line["subject"].(string)), 200)
}

func TestLogOfHostileNames(t *testing.T) {
	const hidden = "\u202e"
	f := newFixture(t, forwardauth.DialectNginx)
	long := strings.Repeat("x", 10_000)
	for _, name := range []string{hidden, long} {
		header := http.Header{"Authorization": {"Bearer " + permissionstest.Shared().Token(t, name, onlySlack)}}
		ask(f, describe(forwardauth.DialectNginx, "POST", "/events", header))
		ask(f, describe(forwardauth.DialectNginx, "POST"+name, "/"+name, header))
	}
	require.NotContains(t, f.log.String(), hidden)
	require.Less(t, f.log.Len(), 4000)
	require.Len(t, f.lines(t), 4)
}

func TestLaterLoggerAndLookupOverride(t *testing.T) {
	var first, second strings.Builder
	lookup := func(id string) forwardauth.Option {
		s := &store{externalID: id}
		return forwardauth.WithLookup(s.lookup, 0, 2)
	}
	h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), routes, logTo(&first), logTo(&second),
		lookup("Team A"), lookup("Team B"))
	require.NoError(t, err)
	require.Equal(t, 204, ask(h, proxyQuestion(t, notTeamA, uuidA)).Code)
	require.Equal(t, 403, ask(h, describe(forwardauth.DialectNginx, "POST", "/x", nil)).Code)
	require.Empty(t, first.String())
	require.NotEmpty(t, second.String())
}
