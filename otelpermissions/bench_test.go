package otelpermissions_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

// BenchmarkOverhead measures a request: the verification of a token and one decision. It reports the median time with
// telemetry, divided by the median time without telemetry: once without a recorded span, and once with one.
func BenchmarkOverhead(b *testing.B) {
	r := newRig(b)
	token := mustSign(b)
	plain, err := usertoken.NewVerifier(permissionstest.ProjectID, &key.PublicKey)
	require.NoError(b, err)
	observed := verifier(b, r, usertoken.WithKeys(&key.PublicKey))
	tracer := trace.NewTracerProvider().Tracer("test")

	request := func(verifier *usertoken.Verifier, observe func(*permissions.Policy) *permissions.Policy) time.Duration {
		start := time.Now()
		claims, err := verifier.Verify(token)
		if err != nil || !observe(claims.Policy).Allowed(permissions.Events, slack) {
			b.Fatal("not allowed", err)
		}
		return time.Since(start)
	}
	var without, with, withSpan []time.Duration
	for b.Loop() {
		without = append(without, request(plain, func(policy *permissions.Policy) *permissions.Policy { return policy }))
		with = append(with, request(observed, func(policy *permissions.Policy) *permissions.Policy {
			return r.on(context.Background(), policy)
		}))
		ctx, span := tracer.Start(context.Background(), "request")
		withSpan = append(withSpan, request(observed, func(policy *permissions.Policy) *permissions.Policy {
			return r.on(ctx, policy)
		}))
		span.End()
	}
	median := func(durations []time.Duration) float64 {
		slices.Sort(durations)
		return float64(durations[len(durations)/2])
	}
	b.ReportMetric(median(with)/median(without), "x-without-span")
	b.ReportMetric(median(withSpan)/median(without), "x-with-span")
}

// BenchmarkDecision measures one observed decision.
func BenchmarkDecision(b *testing.B) {
	r := newRig(b)
	policy := r.on(context.Background(), permissions.MustParse(claim))
	b.ReportAllocs()
	for b.Loop() {
		policy.Allowed(permissions.Events, slack)
	}
}

// BenchmarkVerification measures the report of one verification.
func BenchmarkVerification(b *testing.B) {
	r := newRig(b)
	b.ReportAllocs()
	for b.Loop() {
		r.Verification(context.Background(), usertoken.Verification{Duration: time.Microsecond})
	}
}
