package forwardauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/forwardauth"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/permissionstest"
)

// A store is a database of one credential.
type store struct {
	calls      int
	externalID string
	err        error
	answer     func(permissions.Target) permissions.Target // nil for the complete target
}

func (s *store) lookup(_ context.Context, t permissions.Target) (permissions.Target, error) {
	s.calls++
	if s.err != nil {
		return permissions.Target{}, s.err
	}
	if s.answer != nil {
		return s.answer(t), nil
	}
	name, _ := t.Lookup(permissions.IntegrationName)
	return permissions.Integration(name).Credential(permissions.ID(uuidA), permissions.ExternalID(s.externalID)), nil
}

func proxyQuestion(t testing.TB, policy *permissions.Policy, ref string) question {
	return describe(forwardauth.DialectNginx, "POST", "/integrations/slack/proxy/x",
		with(t, policy, httpauth.CredentialHeader, ref))
}

// A lookup is made only if the answer is undetermined. Then the policy is asked about the target that was found.
func TestLookup(t *testing.T) {
	for _, c := range []struct {
		name       string
		policy     *permissions.Policy
		ref        string
		externalID string
		status     int
		code       string
		calls      int
	}{
		{"allowed by what was found", notTeamA, uuidA, "Team B", 204, "granted", 1},
		{"denied by what was found", notTeamA, uuidA, "Team A", 403, "not_granted", 1},
		{"nothing unknown", notTeamA, "ext:Team A", "Team A", 403, "not_granted", 0},
		{"allowed without", onlySlack, uuidA, "Team A", 204, "granted", 0},
		{"denied without", permissions.MustParse(`{}`), uuidA, "Team A", 403, "no_rule", 0},
		{"nothing to look for", notTeamA, "", "Team B", 403, "undetermined", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &store{externalID: c.externalID}
			f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(s.lookup, time.Second, 10))
			q := proxyQuestion(t, c.policy, c.ref)
			if c.ref == "" {
				q.header.Del(httpauth.CredentialHeader)
			}
			require.Equal(t, c.status, ask(f, q).Code)
			require.Equal(t, c.code, f.code(t))
			require.Equal(t, c.calls, s.calls)
		})
	}
}

// A question about an integration names no object to look up.
func TestNoLookupOfIntegration(t *testing.T) {
	s := &store{externalID: "Team B"}
	f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(s.lookup, time.Second, 10))
	ask(f, describe(forwardauth.DialectNginx, "POST", "/integrations/slack/credentials", with(t, notTeamA)))
	require.Equal(t, "undetermined", f.code(t))
	require.Zero(t, s.calls)
}

// A configuration is looked up by what is known of it or of its credential.
func TestLookupOfConfiguration(t *testing.T) {
	notTeamA := permissions.MustParse(`{"integration:*": true, "configuration:ext:Team A": false}`)
	calls := 0
	f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(func(ctx context.Context,
		target permissions.Target) (permissions.Target, error) {
		claims, ok := httpauth.FromContext(ctx)
		require.True(t, ok)
		require.Equal(t, "ann", claims.Subject)
		_, deadline := ctx.Deadline()
		require.True(t, deadline)
		calls++
		return permissions.Integration("slack").Credential(permissions.ID(uuidA), permissions.NoExternalID()).
			Configuration(permissions.ID(uuidB), permissions.NoExternalID()), nil
	}, time.Second, 10))
	q := describe(forwardauth.DialectNginx, "PATCH", "/integrations/slack/configurations/"+uuidB, with(t, notTeamA))
	require.Equal(t, 204, ask(f, q).Code)
	require.Equal(t, 1, calls)
}

// A look-up that fails, or that answers something else, lets nothing pass.
func TestLookupFails(t *testing.T) {
	slack := permissions.Integration("slack")
	for _, c := range []struct {
		name   string
		err    error
		answer func(permissions.Target) permissions.Target
		status int
		code   string
	}{
		{"down", errors.New("connection refused"), nil, 503, "lookup_failed"},
		{"not found", fmt.Errorf("no row: %w", forwardauth.ErrNotFound), nil, 403, "not_found"},
		{"not found, and something else", fmt.Errorf("%w: %w: %w", forwardauth.ErrNotFound, httpauth.ErrNoToken,
			context.DeadlineExceeded), nil, 403, "not_found"},
		{"denied by the database", fmt.Errorf("%w", permissions.ErrDenied), nil, 503, "lookup_failed"},
		{"denied by another policy", new(permissions.Policy).Check(permissions.Events, slack), nil, 503, "lookup_failed"},
		{"a nil denial", (*permissions.DeniedError)(nil), nil, 503, "lookup_failed"},
		{"not found and down", fmt.Errorf("%w: %w", forwardauth.ErrLookup, context.DeadlineExceeded), nil, 503,
			"lookup_failed"},
		{"nothing more", nil, func(t permissions.Target) permissions.Target { return t }, 403, "undetermined"},
		{"the zero Target", nil, func(permissions.Target) permissions.Target { return permissions.Target{} }, 503,
			"lookup_failed"},
		{"the user", nil, func(permissions.Target) permissions.Target { return permissions.User() }, 503,
			"lookup_failed"},
		{"the integration", nil, func(permissions.Target) permissions.Target { return slack }, 503, "lookup_failed"},
		{"another credential", nil, func(permissions.Target) permissions.Target {
			return slack.Credential(permissions.ID(uuidB), permissions.NoExternalID())
		}, 503, "lookup_failed"},
		{"no longer its ID", nil,
			func(permissions.Target) permissions.Target { return slack.Credential(permissions.NoExternalID()) },
			503, "lookup_failed"},
		{"another integration", nil, func(permissions.Target) permissions.Target {
			return permissions.Integration("jira").Credential(permissions.ID(uuidA), permissions.NoExternalID())
		}, 503, "lookup_failed"},
		{"something below", nil, func(permissions.Target) permissions.Target {
			return slack.Credential(permissions.ID(uuidA),
				permissions.NoExternalID()).Configuration(permissions.NoExternalID())
		}, 503, "lookup_failed"},
		{"a panic", nil, func(permissions.Target) permissions.Target { panic("no") }, 500, "panic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &store{err: c.err, answer: c.answer}
			f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(s.lookup, time.Minute, 10))
			for i := range 2 {
				w := ask(f, proxyQuestion(t, notTeamA, uuidA))
				require.Equal(t, c.status, w.Code)
				require.Equal(t, c.code, f.code(t))
				if c.status != 403 || c.err != nil {
					require.Equal(t, i+1, s.calls, "an error must not be remembered")
				}
			}
		})
	}
}

// What was found is remembered for as long as was said, for the same token and target.
func TestLookupIsRemembered(t *testing.T) {
	now := time.Unix(1_760_000_000, 0)
	s := &store{externalID: "Team B"}
	f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(s.lookup, 5*time.Second, 10),
		forwardauth.WithClock(func() time.Time { return now }))
	q := proxyQuestion(t, notTeamA, uuidA)
	asks := func(q question, status, calls int) {
		t.Helper()
		require.Equal(t, status, ask(f, q).Code)
		require.Equal(t, calls, s.calls)
	}
	asks(q, 204, 1)
	now = now.Add(5*time.Second - 1)
	s.externalID, s.err = "Team A", errors.New("down")
	asks(q, 204, 1)
	now = now.Add(1)
	asks(q, 503, 2)
	s.err = nil
	asks(q, 403, 3)
	asks(q, 403, 3)
	now = now.Add(-time.Second) // a clock that is set back makes nothing last longer
	asks(q, 403, 4)

	// Another token may have another claim that the look-up depends on.
	other := permissionstest.Shared().Token(t, "bob", notTeamA)
	q.header = q.header.Clone()
	q.header.Set("Authorization", "Bearer "+other)
	asks(q, 403, 5)

	// So may another target.
	q.uri, q.header = "/", q.header.Clone()
	q.header.Set("X-Original-Uri", "/integrations/jira/proxy/x")
	asks(q, 403, 6)
}

// The cache has no more entries than the bound says, and with a time of 0 none.
func TestLookupCacheIsBounded(t *testing.T) {
	calls := map[string]int{}
	lookup := func(_ context.Context, target permissions.Target) (permissions.Target, error) {
		id, _ := target.Lookup(permissions.CredentialID)
		calls[id]++
		return permissions.Integration("slack").Credential(permissions.ID(id), permissions.NoExternalID()), nil
	}
	const most = 10
	id := func(i int) string { return fmt.Sprintf("%08d-2222-3333-4444-555555555555", i) }
	header := with(t, notTeamA)
	asks := func(f http.Handler, i int) {
		header.Set(httpauth.CredentialHeader, id(i))
		require.Equal(t, 204, ask(f, describe(forwardauth.DialectNginx, "POST", "/integrations/slack/proxy/x",
			header)).Code)
	}
	for asked := range 3*most + 1 {
		clear(calls)
		f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(lookup, time.Minute, most))
		for i := range asked {
			asks(f, i)
		}
		remembered := 0
		for i := asked - 1; i >= 0; i-- { // the newest first, until one is not remembered
			asks(f, i)
			if calls[id(i)] > 1 {
				break
			}
			remembered++
		}
		require.LessOrEqual(t, remembered, most)
		require.GreaterOrEqual(t, remembered, min(asked, most/2), "the newest half is always remembered")
	}

	none := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(lookup, 0, most))
	before := calls[id(0)]
	asks(none, 0)
	asks(none, 0)
	require.Equal(t, before+2, calls[id(0)])
}

// A cached target keeps nothing else of its request, which can be much longer.
func TestLookupCacheKeepsNoRequest(t *testing.T) {
	const size, asked = 64 << 10, 64
	filler := strings.Repeat("x", size)
	byID := permissions.MustParse(`{"integration:*": true, "credential:` + uuidA + `": false}`)
	// A gateway's client sends an external ID, and the look-up finds the ID.
	lookup := func(_ context.Context, target permissions.Target) (permissions.Target, error) {
		name, _ := target.Lookup(permissions.CredentialExternalID)
		return permissions.Integration("slack").Credential(permissions.ID(uuidB), permissions.ExternalID(name)), nil
	}
	for name, q := range map[string]func(i int) question{
		"the path": func(i int) question {
			return describe(forwardauth.DialectNginx, "DELETE",
				fmt.Sprintf("/integrations/slack/credentials/c%d?x=%s", i, filler), with(t, byID))
		},
		"a header": func(i int) question {
			all := fmt.Sprintf("c%d%s", i, filler) // as if a server had read all headers into one text
			header := with(t, byID)
			header[http.CanonicalHeaderKey(httpauth.CredentialHeader)] = []string{all[:len(all)-size]}
			return describe(forwardauth.DialectNginx, "POST", "/integrations/slack/proxy/x", header)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(lookup, time.Minute, 4*asked))
			require.Equal(t, 204, ask(f, q(0)).Code)
			before := heapInUse()
			for i := range asked {
				require.Equal(t, 204, ask(f, q(i+1)).Code)
			}
			require.Less(t, heapInUse()-before, asked*size/4)
			runtime.KeepAlive(f)
		})
	}
}

// heapInUse returns how many bytes of the heap are in use.
func heapInUse() int {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int(stats.HeapAlloc)
}

// Any number of goroutines can share a Handler and its cache.
func TestConcurrentQuestions(t *testing.T) {
	lookup := func(_ context.Context, target permissions.Target) (permissions.Target, error) {
		id, _ := target.Lookup(permissions.CredentialID)
		return permissions.Integration("slack").Credential(permissions.ID(id), permissions.NoExternalID()), nil
	}
	h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), routes,
		forwardauth.WithLookup(lookup, time.Minute, 4))
	require.NoError(t, err)
	header := with(t, notTeamA)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 20 {
				mine := header.Clone()
				mine.Set(httpauth.CredentialHeader, fmt.Sprintf("%08d-2222-3333-4444-555555555555", (i+j)%10))
				w := ask(h, describe(forwardauth.DialectNginx, "POST", "/integrations/slack/proxy/x", mine))
				assert.Equal(t, 204, w.Code)
			}
		})
	}
	wg.Wait()
}

// What a look-up returns must have each identifier that the request has.
func TestLookupReturnsAnotherObject(t *testing.T) {
	for _, header := range []http.Header{
		{httpauth.CredentialHeader: {"Team C"}, httpauth.ConfigurationHeader: {"c"}},
		{httpauth.CredentialHeader: {"Team B"}, httpauth.ConfigurationHeader: {"d"}},
		{httpauth.CredentialHeader: {"Team B"}, httpauth.ConfigurationHeader: {uuidA}},
	} {
		lookup := func(context.Context, permissions.Target) (permissions.Target, error) {
			return permissions.Integration("slack").Credential(permissions.ID(uuidA), permissions.ExternalID("Team B")).
				Configuration(permissions.ID(uuidB), permissions.ExternalID("c")), nil
		}
		var log strings.Builder
		h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), []forwardauth.Route{{
			Pattern: "/x", Permission: permissions.ConfigWrite, Integration: forwardauth.Literal("slack"),
			Credential:    forwardauth.Header(httpauth.CredentialHeader),
			Configuration: forwardauth.Header(httpauth.ConfigurationHeader),
		}}, forwardauth.WithLookup(lookup, 0, 2), logTo(&log))
		require.NoError(t, err)
		more := with(t, permissions.MustParse(`{"integration:*": true, "credential:`+uuidB+`": false,
			"configuration:`+uuidC+`": false, "configuration:ext:z": false}`))
		for name, values := range header {
			more[name] = values
		}
		require.Equal(t, 503, ask(h, describe(forwardauth.DialectNginx, "POST", "/x", more)).Code, fmt.Sprint(header))
		require.Contains(t, log.String(), "lookup_failed")
	}
}

// Only an object that the request names can be looked up.
func TestWhatIsLookedUp(t *testing.T) {
	calls := 0
	lookup := func(_ context.Context, t permissions.Target) (permissions.Target, error) { calls++; return t, nil }
	h, err := forwardauth.New(forwardauth.DialectNginx, verifier(), []forwardauth.Route{{
		Pattern: "/x", Permission: permissions.ConfigWrite, Integration: forwardauth.Literal("slack"),
		Credential:    forwardauth.Header(httpauth.CredentialHeader),
		Configuration: forwardauth.Header(httpauth.ConfigurationHeader),
	}}, forwardauth.WithLookup(lookup, 0, 2))
	require.NoError(t, err)
	policy := permissions.MustParse(`{"integration:*": true, "configuration:ext:a": false}`)
	for header, want := range map[string]int{"": 0, httpauth.CredentialHeader: 1, httpauth.ConfigurationHeader: 1} {
		calls = 0
		more := with(t, policy)
		if header != "" {
			more.Set(header, uuidA)
		}
		require.Equal(t, 403, ask(h, describe(forwardauth.DialectNginx, "POST", "/x", more)).Code)
		require.Equal(t, want, calls, header)
	}
}

// The time to keep begins before the look-up, however long that takes.
func TestFoundIsKeptFromBeforeTheLookUp(t *testing.T) {
	now := time.Unix(1_760_000_000, 0)
	s := &store{externalID: "Team B"}
	s.answer = func(t permissions.Target) permissions.Target {
		now = now.Add(3 * time.Second)
		return permissions.Integration("slack").Credential(permissions.ID(uuidA), permissions.ExternalID("Team B"))
	}
	f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(s.lookup, 5*time.Second, 10),
		forwardauth.WithClock(func() time.Time { return now }))
	require.Equal(t, 204, ask(f, proxyQuestion(t, notTeamA, uuidA)).Code)
	now = now.Add(2 * time.Second)
	q := proxyQuestion(t, notTeamA, uuidA)
	require.Equal(t, 204, ask(f, q).Code)
	require.Equal(t, 2, s.calls)
}

func TestObserverSeesTheQuestionsBeforeAndAfterTheLookUp(t *testing.T) {
	var seen []permissions.Reason
	s := &store{externalID: "Team B"}
	f := newFixture(t, forwardauth.DialectNginx, forwardauth.WithLookup(s.lookup, 0, 2), forwardauth.WithObserver(
		func(_ context.Context, o permissions.Observation) { seen = append(seen, o.Decision.Reason) }))
	require.Equal(t, 204, ask(f, proxyQuestion(t, notTeamA, uuidA)).Code)
	require.Equal(t, []permissions.Reason{permissions.ReasonUndetermined, permissions.ReasonGranted}, seen)
}
