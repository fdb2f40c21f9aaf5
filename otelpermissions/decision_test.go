package otelpermissions_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/otelpermissions"
)

const claim = `{
	"integration:slack": ["events", "proxy-api"],
	"integration:*": ["workflows"],
	"credential:ext:acme": false
}`

// Each question is counted once, with its answer and its reason.
func TestDecisions(t *testing.T) {
	own := permissions.WithPermissions("report:read")
	policies := map[string]*permissions.Policy{
		"claim":        permissions.MustParse(claim, own),
		"empty claim":  permissions.MustParse(`{}`),
		"unrestricted": permissions.Unrestricted(),
		"nil":          nil,
	}
	tests := []struct {
		name, policy string
		ask          func(*permissions.Policy)
		want         string
	}{
		{"granted", "claim", allowed(permissions.Events, slack),
			"action=events,answer=yes,asked=action,reason=granted"},
		{"not granted", "claim", allowed(permissions.Events, jira),
			"action=events,answer=no,asked=action,reason=not_granted"},
		{"no rule", "empty claim", allowed(permissions.Events, slack),
			"action=events,answer=no,asked=action,reason=no_rule"},
		{"undetermined", "claim", allowed(permissions.ProxyAPI, slack),
			"action=proxy-api,answer=no,asked=action,reason=undetermined"},
		{"no claim", "unrestricted", allowed(permissions.Events, jira),
			"action=events,answer=yes,asked=action,reason=no_claim"},
		{"no policy", "nil", allowed(permissions.Events, jira), "action=events,answer=no,asked=action,reason=no_policy"},
		{"an invalid target", "claim", allowed(permissions.Events, permissions.Target{}),
			"action=events,answer=no,asked=action,reason=invalid_question"},
		{"an unknown action", "claim", allowed("acme:secret", slack),
			"action=other,answer=no,asked=action,reason=invalid_question"},
		{"an empty action", "claim", allowed("", slack), "action=other,answer=no,asked=action,reason=invalid_question"},
		{"an action called none", "claim", allowed("none", slack),
			"action=other,answer=no,asked=action,reason=invalid_question"},
		{"an action of the claim's options", "claim", allowed("report:read", slack),
			"action=other,answer=no,asked=action,reason=not_granted"},

		{"Check", "claim", func(p *permissions.Policy) { _ = p.Check(permissions.Events, slack) },
			"action=events,answer=yes,asked=action,reason=granted"},
		{"Decide", "claim", func(p *permissions.Policy) { p.Decide(permissions.Events, slack) },
			"action=events,answer=yes,asked=action,reason=granted"},
		{"some permissions", "claim", func(p *permissions.Policy) { p.Permissions(slack) },
			"action=none,answer=yes,asked=permissions,reason=none"},
		{"no permissions", "empty claim", func(p *permissions.Policy) { p.Permissions(slack) },
			"action=none,answer=no,asked=permissions,reason=none"},
		{"visible", "claim", func(p *permissions.Policy) { p.Visible(slack) },
			"action=none,answer=yes,asked=visible,reason=none"},
		{"not visible", "empty claim", func(p *permissions.Policy) { p.Visible(slack) },
			"action=none,answer=no,asked=visible,reason=none"},
		{"a selection", "claim", func(p *permissions.Policy) { p.SelectIntegrations(permissions.Events) },
			"action=events,answer=some,asked=selection,reason=none"},
		{"a selection for an unknown action", "claim", func(p *permissions.Policy) { p.SelectIntegrations("acme:secret") },
			"action=other,answer=some,asked=selection,reason=none"},
		{"a selection of what is visible", "claim", func(p *permissions.Policy) { p.VisibleIntegrations() },
			"action=none,answer=some,asked=selection,reason=none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			tt.ask(r.on(context.Background(), policies[tt.policy]))
			require.Equal(t, map[string]int{tt.want: 1}, r.decisions(t))
			tt.ask(r.on(context.Background(), policies[tt.policy]))
			require.Equal(t, map[string]int{tt.want: 2}, r.decisions(t))
		})
	}
}

func allowed(action permissions.Permission, target permissions.Target) func(*permissions.Policy) {
	return func(p *permissions.Policy) { p.Allowed(action, target) }
}

// Every permission and every reason is reported as itself.
func TestEveryActionAndReason(t *testing.T) {
	r := newRig(t)
	want := make(map[string]int)
	reasons := 0
	for reason := permissions.Reason(0); !strings.HasPrefix(reason.String(), "Reason("); reason++ {
		reasons++
		for _, action := range permissions.AllPermissions() {
			for allowed, answer := range map[bool]string{true: "yes", false: "no"} {
				r.Decision(context.Background(), permissions.Observation{
					Asked: permissions.AskedAction, Action: action,
					Decision: permissions.Decision{Allowed: allowed, Reason: reason},
				})
				want[fmt.Sprintf("action=%s,answer=%s,asked=action,reason=%s", action, answer, reason)] = 1
			}
		}
	}
	require.Equal(t, 7, reasons)
	require.Len(t, permissions.AllPermissions(), 10)
	require.Equal(t, want, r.decisions(t))
}

// Observations that no policy makes have bounded labels too.
func TestObservationsOfNobody(t *testing.T) {
	for name, o := range map[string]permissions.Observation{
		"zero":   {},
		"asked":  {Asked: 200, Action: permissions.Events},
		"reason": {Asked: permissions.AskedAction, Action: permissions.Events, Decision: permissions.Decision{Reason: 200}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Decision(context.Background(), o)
			require.Equal(t, map[string]int{"action=other,answer=other,asked=other,reason=other": 1}, r.decisions(t))
		})
	}
}

// Permissions of one's own are reported as themselves, once they are named.
func TestWithActions(t *testing.T) {
	r := newRig(t, otelpermissions.WithActions("report:read"), nil, otelpermissions.WithActions("report:write"))
	own := permissions.WithPermissions("report:read", "report:write", "report:delete")
	policy := r.on(context.Background(), permissions.MustParse(`{"integration:*":true}`, own))
	for _, action := range []permissions.Permission{"report:read", "report:write", "report:delete", permissions.Events} {
		policy.Allowed(action, slack)
	}
	require.Equal(t, map[string]int{
		"action=report:read,answer=yes,asked=action,reason=granted":  1,
		"action=report:write,answer=yes,asked=action,reason=granted": 1,
		"action=other,answer=yes,asked=action,reason=granted":        1,
		"action=events,answer=yes,asked=action,reason=granted":       1,
	}, r.decisions(t))
}

func TestWithActionsKeepsACopy(t *testing.T) {
	actions := []permissions.Permission{"report:read"}
	option := otelpermissions.WithActions(actions...)
	actions[0] = "report:write"
	r := newRig(t, option)
	policy := permissions.Unrestricted(permissions.WithPermissions("report:read"))
	r.on(context.Background(), policy).Allowed("report:read", slack)
	require.Equal(t, map[string]int{"action=report:read,answer=yes,asked=action,reason=no_claim": 1}, r.decisions(t))
}

func TestNewRefuses(t *testing.T) {
	for name, actions := range map[string][]permissions.Permission{
		"an empty action":          {""},
		"one of the ten":           {permissions.Events},
		"what is not UTF-8":        {"\xff"},
		"a control character":      {"a\nb"},
		"an attribute's own value": {"none"},
		"another one":              {"report:read", "other"},
	} {
		t.Run(name, func(t *testing.T) {
			observer, err := otelpermissions.New(noop.NewMeterProvider(), otelpermissions.WithActions(actions...))
			require.ErrorContains(t, err, "otelpermissions: WithActions: ")
			require.Nil(t, observer)
		})
	}
	t.Run("instruments that cannot be made", func(t *testing.T) {
		observer, err := otelpermissions.New(failing{})
		require.ErrorIs(t, err, errCounter)
		require.ErrorIs(t, err, errHistogram)
		require.ErrorContains(t, err, "otelpermissions: ")
		require.Nil(t, observer)
	})
}

var (
	errCounter   = errors.New("no counter")
	errHistogram = errors.New("no histogram")
)

// failing is a meter provider that makes no instruments.
type failing struct{ noop.MeterProvider }

func (failing) Meter(string, ...metric.MeterOption) metric.Meter { return failingMeter{} }

type failingMeter struct{ noop.Meter }

func (failingMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return nil, errCounter
}

func (failingMeter) Float64Histogram(string, ...metric.Float64HistogramOption) (metric.Float64Histogram, error) {
	return nil, errHistogram
}

// A nil meter provider is the one of the program, also if that is set later.
func TestNilMeterProvider(t *testing.T) {
	observer, err := otelpermissions.New(nil)
	require.NoError(t, err)
	reader := sdk.NewManualReader()
	otel.SetMeterProvider(sdk.NewMeterProvider(sdk.WithReader(reader)))
	t.Cleanup(func() { otel.SetMeterProvider(noop.NewMeterProvider()) })
	r := rig{observer, reader}
	r.on(context.Background(), permissions.MustParse(claim)).Allowed(permissions.Events, slack)
	require.Equal(t, map[string]int{"action=events,answer=yes,asked=action,reason=granted": 1}, r.decisions(t))
}

// What is shared does not change.
func TestConcurrentDecisions(t *testing.T) {
	r := newRig(t)
	spans := tracetest.NewSpanRecorder()
	tracer := trace.NewTracerProvider(trace.WithSpanProcessor(spans)).Tracer("test")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			ctx, span := tracer.Start(context.Background(), "request")
			defer span.End()
			policy := r.on(ctx, permissions.MustParse(claim))
			for range 100 {
				policy.Allowed(permissions.Events, slack)
				policy.Allowed(permissions.Events, jira)
			}
		})
	}
	wg.Wait()
	require.Equal(t, map[string]int{
		"action=events,answer=yes,asked=action,reason=granted":    800,
		"action=events,answer=no,asked=action,reason=not_granted": 800,
	}, r.decisions(t))
	require.Len(t, spans.Ended(), 8)
	for _, span := range spans.Ended() {
		for i, event := range span.Events() {
			pointer := []string{"/integration:slack", "/integration:*"}[i%2]
			assert.Contains(t, textOf(event), "pointer="+pointer)
		}
	}
}
