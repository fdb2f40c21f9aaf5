// Package otelpermissions reports decisions and verifications to OpenTelemetry.
//
//	observer, err := otelpermissions.New(nil) // the meter provider of the program
//	...
//	verifier, err := usertoken.NewVerifier(projectID, key,
//		usertoken.RequireClaim(), usertoken.WithObserver(observer.Verification))
//	...
//	auth := httpauth.New(verifier, httpauth.WithObserver(observer.Decision))
//
// For gRPC the option is grpcauth.WithObserver(observer.Decision). For a policy that is asked without either package:
//
//	policy = policy.Observe(func(o permissions.Observation) { observer.Decision(ctx, o) })
//
// # What is reported
//
// A counter, connectperms.decisions, counts the questions that policies were asked. Its attributes are
//
//	asked    what the policy was asked (permissions.Asked): action, permissions, visible or selection
//	action   one of the ten permissions or of WithActions, other, or none where the question has no action
//	answer   yes, no, or some for a selection, which is answered with a condition. For the question which
//	         permissions there are, it is yes if there is one
//	reason   the code of permissions.Reason, or none where asked is not action
//
// A histogram, connectperms.verification.duration, has the seconds that it took to verify a token, with the
// look-up of the key. Its attributes are
//
//	outcome     accepted, keys_unavailable, malformed, bad_claim, unverifiable, bad_signature, expired, not_yet_valid,
//	            issued_in_future, wrong_audience, wrong_issuer, missing_claim or refused: see Observer.Verification
//	remembered  true if the signature was not verified again (usertoken.WithSignatureCache)
//
// No attribute of a metric has a text from a token or a request. So their values are bounded, and a metric
// never has a subject or an identifier.
//
// Each question is also an event, connectperms.decision, on the span of the context, if there is one that is
// recorded. Its attributes are those of the counter, and
//
//	pointer  where the rule that decided is in the claim (permissions.Rule.Pointer), if there is one
//	part     the part of an intersection that decided, if the policy is one (permissions.Decision)
//
// A pointer consists of the names that the claim has, the IDs and external IDs of credentials and configurations
// among them. [WithoutPointers] leaves it out.
//
// dashboard.json, beside this package, is a dashboard for Grafana that shows the metrics from Prometheus.
package otelpermissions

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
	"github.com/connectperms/permissions/usertoken"
)

const scope = "github.com/connectperms/permissions/otelpermissions"

// The upper bounds of the histogram's buckets, in seconds. A verification takes from ten microseconds, with a
// signature that is remembered, to some milliseconds, with a large claim. The last ones are for keys that come over a
// network.
var bounds = []float64{
	10e-6, 20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 100e-3, 1,
}

// An Observer reports decisions and verifications. It does not change, so any number of goroutines can share
// one. A nil Observer and the zero Observer report nothing.
type Observer struct {
	decisions   metric.Int64Counter
	durations   metric.Float64Histogram
	questions   map[question]questionLabels
	outcomes    map[outcome][]metric.RecordOption
	hasPointers bool
}

// An Option changes what an [Observer] reports. A nil option changes nothing.
type Option interface{ apply(*options) }

type option func(*options)

func (o option) apply(to *options) { o(to) }

type options struct {
	actions         []permissions.Permission
	withoutPointers bool
}

// WithActions names permissions of your own that policies may be asked for, as [permissions.WithPermissions] does.
// The others are reported as the action other. The actions of several WithActions add up. [New] returns an error for
// a name that [permissions.WithPermissions] refuses, and for none and other.
func WithActions(actions ...permissions.Permission) Option {
	actions = slices.Clone(actions)
	return option(func(o *options) { o.actions = append(o.actions, actions...) })
}

// WithoutPointers leaves the pointer out of events, because it can hold IDs and external IDs: see the package
// documentation. Use it where those must not be in traces.
func WithoutPointers() Option {
	return option(func(o *options) { o.withoutPointers = true })
}

// New returns an observer whose metrics go to a meter provider. Nil is the provider of the program
// ([otel.GetMeterProvider]), also if that is set later.
//
// The error says which option is wrong, or what the provider returned for an instrument.
func New(meters metric.MeterProvider, opts ...Option) (*Observer, error) {
	var chosen options
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&chosen)
		}
	}
	if _, err := permissions.Parse([]byte("{}"), permissions.WithPermissions(chosen.actions...)); err != nil {
		return nil, fmt.Errorf("otelpermissions: WithActions: %w", err)
	}
	for _, action := range chosen.actions {
		if action == none || action == other {
			return nil, fmt.Errorf("otelpermissions: WithActions: %q means something else in this attribute", action)
		}
	}
	if meters == nil {
		meters = otel.GetMeterProvider()
	}
	meter := meters.Meter(scope)
	decisions, errDecisions := meter.Int64Counter("connectperms.decisions",
		metric.WithUnit("{decision}"), metric.WithDescription("Questions that policies were asked, and their answers."))
	durations, errDurations := meter.Float64Histogram("connectperms.verification.duration",
		metric.WithUnit("s"), metric.WithDescription("Time to verify a token, with the look-up of the key."),
		metric.WithExplicitBucketBoundaries(bounds...))
	if err := errors.Join(errDecisions, errDurations); err != nil {
		return nil, fmt.Errorf("otelpermissions: %w", err)
	}
	return &Observer{
		decisions:   decisions,
		durations:   durations,
		questions:   allQuestions(append(permissions.AllPermissions(), chosen.actions...)),
		outcomes:    allOutcomes(),
		hasPointers: !chosen.withoutPointers,
	}, nil
}

// Decision reports a question and its answer. It is for httpauth.WithObserver, grpcauth.WithObserver and
// [permissions.Policy.Observe]. The context is that of the request, with the span.
func (o *Observer) Decision(ctx context.Context, observation permissions.Observation) {
	if o == nil || o.decisions == nil {
		return
	}
	labels := o.labelsOf(observation)
	o.decisions.Add(ctx, 1, labels.options...)
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	attributes := labels.attributes
	if rule := observation.Decision.Rule; o.hasPointers && rule != (permissions.Rule{}) {
		attributes = append(attributes, attribute.String("pointer", text.Plain(rule.Pointer())))
	}
	if part := observation.Decision.Part; part != 0 {
		attributes = append(attributes, attribute.Int("part", part))
	}
	span.AddEvent("connectperms.decision", trace.WithAttributes(attributes...))
}

// Verification reports that a token was verified or refused. It is for [usertoken.WithObserver]. The outcome is
//
//	accepted
//	keys_unavailable   the keys could not be looked up (usertoken.ErrKeys)
//	malformed          the token is not well-formed or too large
//	bad_claim          the permissions claim is refused (permissions.ErrClaim)
//	unverifiable       another algorithm or type, a critical extension, or no key for the token
//	bad_signature
//	expired
//	not_yet_valid      nbf is in the future
//	issued_in_future   iat is in the future
//	wrong_audience
//	wrong_issuer
//	missing_claim      exp, aud, sub, iss or the permissions claim is required and missing
//	refused            any other error
//
// The duration is by the clock of the verifier. A clock that does not move makes it 0.
func (o *Observer) Verification(ctx context.Context, verification usertoken.Verification) {
	if o == nil || o.durations == nil {
		return
	}
	labels := o.outcomes[outcome{codeOf(verification.Err), verification.Remembered}]
	o.durations.Record(ctx, verification.Duration.Seconds(), labels...)
}
