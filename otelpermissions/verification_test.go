package otelpermissions_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/otelpermissions"
	"github.com/connectperms/permissions/permissionstest"
	"github.com/connectperms/permissions/usertoken"
)

var key = mustKey()

func mustKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

func mustSign(t testing.TB, opts ...usertoken.SignerOption) string {
	t.Helper()
	signer, err := usertoken.NewSigner(permissionstest.ProjectID, key, opts...)
	require.NoError(t, err)
	token, err := signer.Sign("ann", permissions.MustParse(claim))
	require.NoError(t, err)
	return token
}

func verifier(t testing.TB, r rig, opts ...usertoken.VerifierOption) *usertoken.Verifier {
	t.Helper()
	opts = append(opts, usertoken.WithObserver(r.Verification))
	v, err := usertoken.NewVerifier(permissionstest.ProjectID, nil, opts...)
	require.NoError(t, err)
	return v
}

// Each token is counted once, with the outcome.
func TestVerifications(t *testing.T) {
	outcomes := map[permissionstest.Flaw]string{
		permissionstest.FlawMalformed:   "malformed",
		permissionstest.FlawSignature:   "bad_signature",
		permissionstest.FlawAlgorithm:   "unverifiable",
		permissionstest.FlawExpired:     "expired",
		permissionstest.FlawNotYetValid: "not_yet_valid",
		permissionstest.FlawAudience:    "wrong_audience",
		permissionstest.FlawSubject:     "missing_claim",
		permissionstest.FlawNearMiss:    "malformed",
		permissionstest.FlawNullClaim:   "bad_claim",
	}
	for _, flaw := range permissionstest.Flaws() {
		t.Run(string(flaw), func(t *testing.T) {
			r := newRig(t)
			kit := permissionstest.New(t, usertoken.WithObserver(r.Verification))
			_, err := kit.Verifier().Verify(kit.BadToken(t, flaw, "ann", permissions.MustParse(claim)))
			require.Error(t, err)
			require.NotEmpty(t, outcomes[flaw])
			require.Equal(t, map[string]int{"outcome=" + outcomes[flaw] + ",remembered=false": 1}, r.verifications(t))
		})
	}

	failing := func(err error) usertoken.VerifierOption {
		return usertoken.WithKeySource(func(context.Context, *jwt.Token) (any, error) { return nil, err })
	}
	public := usertoken.WithKeys(&key.PublicKey)
	ahead := usertoken.WithClock(func() time.Time { return time.Now().Add(time.Hour) })
	tests := []struct {
		name, token, outcome string
		opts                 []usertoken.VerifierOption
	}{
		{"accepted", mustSign(t), "accepted", []usertoken.VerifierOption{public}},
		{"issued in the future", mustSign(t, ahead), "issued_in_future", []usertoken.VerifierOption{public}},
		{"another issuer", mustSign(t, usertoken.WithIssuer("them")), "wrong_issuer",
			[]usertoken.VerifierOption{public, usertoken.WithIssuer("us")}},
		{"too large", mustSign(t), "malformed", []usertoken.VerifierOption{public, usertoken.WithMaxTokenSize(100)}},
		{"keys that cannot be looked up", mustSign(t), "keys_unavailable",
			[]usertoken.VerifierOption{failing(jwt.ErrTokenExpired)}},
		{"no key", mustSign(t), "unverifiable", []usertoken.VerifierOption{failing(nil)}},
		{"a key source that refuses", mustSign(t), "unverifiable", []usertoken.VerifierOption{
			failing(fmt.Errorf("%w: %w: %w", usertoken.ErrToken, permissions.ErrClaim, jwt.ErrTokenExpired)),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			_, err := verifier(t, r, tt.opts...).Verify(tt.token)
			require.Equal(t, tt.outcome == "accepted", err == nil, "%v", err)
			require.Equal(t, map[string]int{"outcome=" + tt.outcome + ",remembered=false": 1}, r.verifications(t))
		})
	}
}

// An error that no Verifier returns is refused, whatever it matches.
func TestOtherErrors(t *testing.T) {
	for name, err := range map[string]error{
		"another error":                  errors.New("token of ann"),
		"a kind":                         jwt.ErrTokenExpired,
		"another kind":                   &usertoken.TokenError{Kind: jwt.ErrTokenInvalidClaims, Err: permissions.ErrClaim},
		"no kind":                        &usertoken.TokenError{},
		"a kind of ours":                 &usertoken.TokenError{Kind: errors.New("ann")},
		"a kind that cannot be compared": &usertoken.TokenError{Kind: list{"ann"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.Verification(context.Background(), usertoken.Verification{Err: err})
			require.Equal(t, map[string]int{"outcome=refused,remembered=false": 1}, r.verifications(t))
		})
	}
}

type list []string

func (l list) Error() string { return "refused" }

// A token whose signature was remembered is told apart.
func TestRemembered(t *testing.T) {
	r := newRig(t)
	v := verifier(t, r, usertoken.WithKeys(&key.PublicKey), usertoken.WithSignatureCache(8))
	token := mustSign(t)
	for range 3 {
		_, err := v.Verify(token)
		require.NoError(t, err)
	}
	require.Equal(t, map[string]int{
		"outcome=accepted,remembered=false": 1,
		"outcome=accepted,remembered=true":  2,
	}, r.verifications(t))
}

// Durations are in seconds. The buckets tell apart what a verification takes.
func TestDurations(t *testing.T) {
	r := newRig(t)
	durations := []time.Duration{
		5 * time.Microsecond, 10 * time.Microsecond, 11 * time.Microsecond, 35 * time.Microsecond,
		75 * time.Microsecond, 150 * time.Microsecond, 300 * time.Microsecond, 700 * time.Microsecond,
		1500 * time.Microsecond, 3 * time.Millisecond, 7 * time.Millisecond, 50 * time.Millisecond, time.Second, time.Minute,
	}
	var total time.Duration
	for _, d := range durations {
		r.Verification(context.Background(), usertoken.Verification{Duration: d})
		total += d
	}
	m := r.metrics(t)["connectperms.verification.duration"]
	require.Equal(t, "s", m.Unit)
	require.NotEmpty(t, m.Description)
	points := m.Data.(metricdata.Histogram[float64]).DataPoints
	require.Len(t, points, 1)
	require.Equal(t, []float64{
		0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.1, 1,
	}, points[0].Bounds)
	require.Equal(t, []uint64{2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, points[0].BucketCounts)
	require.InDelta(t, total.Seconds(), points[0].Sum, 1e-9)
}

// The duration that is reported is that of the verifier's clock.
func TestDurationOfAVerifier(t *testing.T) {
	r := newRig(t)
	now := time.Now()
	clock := usertoken.WithClock(func() time.Time {
		now = now.Add(time.Millisecond)
		return now
	})
	token := mustSign(t)
	_, err := verifier(t, r, usertoken.WithKeys(&key.PublicKey), clock).Verify(token)
	require.NoError(t, err)
	points := r.metrics(t)["connectperms.verification.duration"].Data.(metricdata.Histogram[float64]).DataPoints
	require.Len(t, points, 1)
	require.InDelta(t, 0.002, points[0].Sum, 0.0011, "the clock was read two or three times")
}

// A nil Observer and the zero Observer report nothing.
func TestNilObserver(t *testing.T) {
	for name, observer := range map[string]*otelpermissions.Observer{"nil": nil, "zero": {}} {
		t.Run(name, func(t *testing.T) {
			events := eventsOf(t, rig{Observer: observer}, permissions.MustParse(claim), allowed(permissions.Events, slack))
			require.Empty(t, events)
			require.NotPanics(t, func() { observer.Verification(context.Background(), usertoken.Verification{}) })
		})
	}
}
