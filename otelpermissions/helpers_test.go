package otelpermissions_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/otelpermissions"
)

const scope = "github.com/connectperms/permissions/otelpermissions"

// A rig is an observer and what it has reported.
type rig struct {
	*otelpermissions.Observer
	reader *metric.ManualReader
}

func newRig(t testing.TB, opts ...otelpermissions.Option) rig {
	t.Helper()
	reader := metric.NewManualReader()
	observer, err := otelpermissions.New(metric.NewMeterProvider(metric.WithReader(reader)), opts...)
	require.NoError(t, err)
	return rig{observer, reader}
}

// on returns a policy that the rig observes.
func (r rig) on(ctx context.Context, policy *permissions.Policy) *permissions.Policy {
	return policy.Observe(func(o permissions.Observation) { r.Decision(ctx, o) })
}

// metrics returns what was reported so far, by the name of the metric.
func (r rig) metrics(t testing.TB) map[string]metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, r.reader.Collect(context.Background(), &all))
	byName := make(map[string]metricdata.Metrics)
	for _, s := range all.ScopeMetrics {
		require.Equal(t, scope, s.Scope.Name)
		for _, m := range s.Metrics {
			byName[m.Name] = m
		}
	}
	return byName
}

// decisions returns the counter, by its attributes.
func (r rig) decisions(t testing.TB) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	if m, ok := r.metrics(t)["connectperms.decisions"]; ok {
		sum := m.Data.(metricdata.Sum[int64])
		require.True(t, sum.IsMonotonic)
		for _, point := range sum.DataPoints {
			counts[printed(point.Attributes)] += int(point.Value)
		}
	}
	return counts
}

// verifications returns the counts of the histogram, by its attributes.
func (r rig) verifications(t testing.TB) map[string]int {
	t.Helper()
	counts := make(map[string]int)
	if m, ok := r.metrics(t)["connectperms.verification.duration"]; ok {
		for _, point := range m.Data.(metricdata.Histogram[float64]).DataPoints {
			counts[printed(point.Attributes)] += int(point.Count)
		}
	}
	return counts
}

// printed returns attributes as text, in the order of their keys.
func printed(set attribute.Set) string { return set.Encoded(attribute.DefaultEncoder()) }

var (
	slack = permissions.Integration("slack")
	jira  = permissions.Integration("jira")
)
