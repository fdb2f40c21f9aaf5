package otelpermissions_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/otelpermissions"
)

// eventsOf returns the events of a span in which a policy is asked.
func eventsOf(t *testing.T, r rig, policy *permissions.Policy, ask func(*permissions.Policy)) []string {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
	ctx, span := tracer.Start(context.Background(), "request")
	ask(r.on(ctx, policy))
	span.End()
	require.Len(t, spans.Ended(), 1)
	var events []string
	for _, event := range spans.Ended()[0].Events() {
		events = append(events, textOf(event))
	}
	return events
}

func textOf(event trace.Event) string {
	return event.Name + " " + printed(attribute.NewSet(event.Attributes...))
}

func mustIntersect(t *testing.T, policies ...*permissions.Policy) *permissions.Policy {
	t.Helper()
	policy, err := permissions.Intersect(policies...)
	require.NoError(t, err)
	return policy
}

// Each question is an event on the span of the context. The rule that decided is named, if there is one.
func TestEvents(t *testing.T) {
	all := permissions.MustParse(`{"integration:*":true}`)
	parsed := permissions.MustParse(claim)
	acme := slack.Credential(permissions.NoID(), permissions.ExternalID("acme"))
	tests := []struct {
		name   string
		policy *permissions.Policy
		ask    func(*permissions.Policy)
		want   string
	}{
		{"granted", parsed, allowed(permissions.Events, slack),
			"action=events,answer=yes,asked=action,pointer=/integration:slack,reason=granted"},
		{"not granted", parsed, allowed(permissions.Events, jira),
			"action=events,answer=no,asked=action,pointer=/integration:*,reason=not_granted"},
		{"undetermined", parsed, allowed(permissions.ProxyAPI, slack),
			"action=proxy-api,answer=no,asked=action,reason=undetermined"},
		{"nil", nil, allowed(permissions.Events, slack), "action=events,answer=no,asked=action,reason=no_policy"},
		{"visible", parsed, func(p *permissions.Policy) { p.Visible(slack) },
			"action=none,answer=yes,asked=visible,reason=none"},
		{"an intersection", mustIntersect(t, all, parsed), allowed(permissions.Events, jira),
			"action=events,answer=no,asked=action,part=2,pointer=/integration:*,reason=not_granted"},
		{"no rule in an intersection", mustIntersect(t, all, permissions.MustParse(`{}`)), allowed(permissions.Events, jira),
			"action=events,answer=no,asked=action,part=2,reason=no_rule"},
		{"an external ID", parsed, allowed(permissions.ProxyAPI, acme),
			"action=proxy-api,answer=no,asked=action,pointer=/credential:ext:acme,reason=not_granted"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, []string{"connectperms.decision " + tt.want}, eventsOf(t, newRig(t), tt.policy, tt.ask))
		})
	}
}

// Without pointers nothing of the claim is in an event.
func TestWithoutPointers(t *testing.T) {
	policy := mustIntersect(t, permissions.MustParse(`{"integration:*":true}`), permissions.MustParse(claim))
	r := newRig(t, otelpermissions.WithoutPointers())
	require.Equal(t, []string{"connectperms.decision action=events,answer=no,asked=action,part=2,reason=not_granted"},
		eventsOf(t, r, policy, allowed(permissions.Events, jira)))
}

// A pointer with hidden characters or of great length is printed on one line, and shortened.
func TestHostilePointers(t *testing.T) {
	for name, external := range map[string]string{
		"direction": "a\u202eb", "long": strings.Repeat("x", 10_000), "invisible": "a\u200bb",
	} {
		t.Run(name, func(t *testing.T) {
			built := permissions.MustParse(`{"integration:slack":{"credential:ext:` + external + `":["proxy-api"]}}`)
			target := slack.Credential(permissions.NoID(), permissions.ExternalID(external))
			events := eventsOf(t, newRig(t), built, allowed(permissions.ProxyAPI, target))
			require.Len(t, events, 1)
			require.Contains(t, events[0], "reason=granted")
			require.NotContains(t, events[0], external)
			require.Contains(t, events[0], `pointer=`)
			require.Less(t, len(events[0]), 1000)
		})
	}
}

// A span that is not recorded gets no event, and neither does one that has ended. The counter counts all the same.
func TestNoSpan(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	start := func(sampler trace.Sampler) (context.Context, api.Span) {
		provider := trace.NewTracerProvider(trace.WithSpanProcessor(spans), trace.WithSampler(sampler))
		return provider.Tracer("test").Start(context.Background(), "request")
	}
	unsampled, _ := start(trace.NeverSample())
	ended, span := start(trace.AlwaysSample())
	span.End()
	for name, ctx := range map[string]context.Context{
		"no span": context.Background(), "not sampled": unsampled, "ended": ended,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.on(ctx, permissions.MustParse(claim)).Allowed(permissions.Events, slack)
			require.Equal(t, map[string]int{"action=events,answer=yes,asked=action,reason=granted": 1}, r.decisions(t))
		})
	}
	require.Len(t, spans.Ended(), 1)
	require.Empty(t, spans.Ended()[0].Events())
}
