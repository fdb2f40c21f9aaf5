package otelpermissions_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/httpauth"
	"github.com/connectperms/permissions/otelpermissions"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

// A service is a server with this telemetry, and with /metrics for Prometheus.
type service struct {
	*httptest.Server
	spans *tracetest.SpanRecorder
}

// newService starts a service. A request to /ask/ACTION/INTEGRATION/EXTERNAL-ID asks for an action on a credential,
// and for all else that a policy can be asked. In one to /broken/ the keys cannot be looked up.
func newService(t testing.TB) *service {
	t.Helper()
	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry))
	require.NoError(t, err)
	observer, err := otelpermissions.New(metric.NewMeterProvider(metric.WithReader(reader)))
	require.NoError(t, err)
	verifier, err := usertoken.NewVerifier(permissionstest.ProjectID, &key.PublicKey,
		usertoken.WithObserver(observer.Verification), usertoken.WithSignatureCache(16))
	require.NoError(t, err)
	auth := httpauth.New(verifier, httpauth.WithObserver(observer.Decision))
	noKeys := func(context.Context, *jwt.Token) (any, error) { return nil, errors.New("no route to host") }
	broken, err := usertoken.NewVerifier(permissionstest.ProjectID, nil,
		usertoken.WithObserver(observer.Verification), usertoken.WithKeySource(noKeys))
	require.NoError(t, err)

	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.PanicOnError}))
	mux.Handle("/broken/", httpauth.New(broken).Wrap(http.NotFoundHandler()))
	mux.Handle("/ask/{action}/{integration}/{external}", auth.Wrap(http.HandlerFunc(ask)))
	spans := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(r.Context(), "request")
		defer span.End()
		mux.ServeHTTP(w, r.WithContext(ctx))
	}))
	t.Cleanup(server.Close)
	return &service{server, spans}
}

func ask(w http.ResponseWriter, r *http.Request) {
	policy := httpauth.Policy(r.Context())
	within := permissions.Integration(r.PathValue("integration"))
	target := within.Credential(permissions.NoID(), permissions.ExternalID(r.PathValue("external")))
	action := permissions.Permission(r.PathValue("action"))
	policy.Visible(target)
	policy.Permissions(target)
	policy.SelectCredentials(action, within)
	policy.VisibleIntegrations()
	policy.Allowed(action, within)
	if err := policy.Check(action, target); err != nil {
		httpauth.WriteError(w, r, err)
	}
}

// get sends a request, with a token unless it is empty, and returns the answer.
func (s *service) get(t testing.TB, path, token string) (int, string) {
	t.Helper()
	request, err := http.NewRequest("GET", s.URL+path, nil)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := s.Client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// use sends requests of every kind.
func (s *service) use(t testing.TB) {
	t.Helper()
	sign := func(claim string, opts ...usertoken.SignerOption) string {
		signer, err := usertoken.NewSigner(permissionstest.ProjectID, key, opts...)
		require.NoError(t, err)
		token, err := signer.Sign("ann", permissions.MustParse(claim))
		require.NoError(t, err)
		return token
	}
	good := sign(claim)
	signer, err := usertoken.NewSigner(permissionstest.ProjectID, key)
	require.NoError(t, err)
	withoutClaim, err := signer.SignUnrestricted("ann")
	require.NoError(t, err)
	for _, request := range []struct {
		path, token string
		status      int
	}{
		{"/ask/proxy-api/slack/other", good, http.StatusOK},
		{"/ask/proxy-api/slack/acme", good, http.StatusForbidden},
		{"/ask/events/jira/other", good, http.StatusForbidden},
		{"/ask/nonsense/slack/other", good, http.StatusForbidden},
		{"/ask/events/slack/other", sign("{}"), http.StatusForbidden},
		{"/ask/events/slack/other", good[:len(good)-8], http.StatusUnauthorized},
		{"/ask/events/slack/other", sign(claim, usertoken.WithAudience("another")), http.StatusUnauthorized},
		{"/ask/events/slack/other", withoutClaim, http.StatusOK},
		{"/broken/", good, http.StatusServiceUnavailable},
	} {
		status, body := s.get(t, request.path, request.token)
		require.Equal(t, request.status, status, "%s: %s", request.path, body)
	}
}

// The line of the middleware and that of the verifier are enough: the events are on the spans of the requests.
func TestService(t *testing.T) {
	s := newService(t)
	s.use(t)
	events := make(map[string]int)
	for _, span := range s.spans.Ended() {
		for _, event := range span.Events() {
			events[textOf(event)]++
		}
	}
	for _, want := range []string{
		"action=proxy-api,answer=yes,asked=action,pointer=/integration:slack,reason=granted",
		"action=proxy-api,answer=no,asked=action,pointer=/credential:ext:acme,reason=not_granted",
		"action=other,answer=no,asked=action,reason=invalid_question",
		"action=none,answer=some,asked=selection,reason=none",
	} {
		require.NotZero(t, events["connectperms.decision "+want], "%s in %v", want, events)
	}
}

// labelValues has the labels of the metrics that Prometheus sees, and all values that each of them can have.
func labelValues() map[string][]string {
	values := map[string]string{
		"asked":  "action permissions visible selection",
		"action": "other none",
		"answer": "yes no some",
		"reason": "granted not_granted no_rule undetermined no_claim no_policy invalid_question none",
		"outcome": "accepted keys_unavailable malformed bad_claim unverifiable bad_signature expired not_yet_valid " +
			"issued_in_future wrong_audience wrong_issuer missing_claim refused",
		"remembered":      "true false",
		"le":              "1e-05 2e-05 5e-05 0.0001 0.0002 0.0005 0.001 0.002 0.005 0.01 0.1 1 1.0 +Inf",
		"otel_scope_name": scope,
	}
	split := map[string][]string{"otel_scope_version": {""}, "otel_scope_schema_url": {""}}
	for label, text := range values {
		split[label] = strings.Fields(text)
	}
	for _, action := range permissions.AllPermissions() {
		split["action"] = append(split["action"], string(action))
	}
	return split
}

// Whatever is in tokens and requests, no label has it, and there are no more series than labels allow.
func TestHostileNamesInLabels(t *testing.T) {
	const mark = "zq9mark"
	names := []string{
		mark, mark + `"} 1`, mark + "\nconnectperms_decisions_total 9", `\` + mark, mark + "\x00", mark + "\u202e",
		"*" + mark, "ext:" + mark, mark + "\xff", strings.Repeat(mark, 500), "events " + mark, "none", "other", "Events",
	}
	for i := range 200 {
		names = append(names, mark+strconv.Itoa(i))
	}
	s := newService(t)
	signer, err := usertoken.NewSigner(permissionstest.ProjectID, key)
	require.NoError(t, err)
	token, err := signer.Sign(mark, permissions.MustParse(strings.ReplaceAll(
		`{"integration:NAME":{"credential:ext:NAME":["events"],"credential:*":["events"]},"integration:*":["proxy-api"]}`,
		"NAME", mark,
	)), usertoken.WithTokenID(mark), usertoken.WithClaims(map[string]string{mark: mark}))
	require.NoError(t, err)
	bad, err := usertoken.NewSigner(permissionstest.ProjectID, key,
		usertoken.WithAudience(mark), usertoken.WithKeyID(mark))
	require.NoError(t, err)
	refused, err := bad.Sign(mark, permissions.MustParse(`{}`))
	require.NoError(t, err)
	for _, name := range names {
		escaped := url.PathEscape(name)
		for _, action := range []string{"events", escaped} {
			s.get(t, "/ask/"+action+"/"+escaped+"/"+escaped, token)
		}
	}
	s.get(t, "/ask/events/slack/x", refused)
	s.get(t, "/ask/events/slack/x", "a."+mark+".b")

	_, text := s.get(t, "/metrics", "")
	require.NotContains(t, text, mark)
	values := labelValues()
	series := make(map[string]int)
	label := regexp.MustCompile(`([a-z_]+)="((?:[^"\\]|\\.)*)"`)
	for line := range strings.Lines(text) {
		metric, rest, _ := strings.Cut(line, "{")
		if !strings.HasPrefix(metric, "connectperms_") {
			continue
		}
		series[metric]++
		labels := label.FindAllStringSubmatch(rest, -1)
		require.NotEmpty(t, labels, line)
		for _, l := range labels {
			require.Contains(t, values[l[1]], l[2], line)
		}
	}
	require.NotZero(t, series["connectperms_decisions_total"])
	require.Less(t, series["connectperms_decisions_total"], 40)
	require.NotZero(t, series["connectperms_verification_duration_seconds_count"])
	require.Less(t, series["connectperms_verification_duration_seconds_count"], 6)

	found := false
	for _, span := range s.spans.Ended() {
		for _, event := range span.Events() {
			found = found || strings.Contains(textOf(event), mark)
		}
	}
	require.True(t, found, "the pointers of the events have the names, so the requests had them")
}
