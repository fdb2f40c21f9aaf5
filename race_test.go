package permissions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// TestSharedByManyGoroutines has many goroutines verify, decode, decide, list and encode on
// shared values, of which each must get the answers that one alone gets. The race detector
// watches.
func TestSharedByManyGoroutines(t *testing.T) {
	const claim = `{"integration:*":["settings:write","custom"],"credential:3FA85F64-5717-4562-B3FC-2C963F66AFA6":false,
		"integration:slack":{"credential:\u0078":true,"credential:ext:acme":{"configuration:ext:Team A":["events"]}}}`
	options := []permissions.VerifierOption{permissions.WithPermissions("custom"), permissions.WithKeys(&nextKey().PublicKey)}
	v := newTestVerifier(t, options...)
	good := sign(t, nextKey(), testHeader, payloadWith(claim))
	bad := signPayload(t, payloadWith(`{"integration:*":["nope"]}`))
	forged := sign(t, strangersKey(), testHeader, payloadWith(claim))
	shared, err := v.Verify(good)
	require.NoError(t, err)
	_, refusal := v.Verify(bad)
	require.Error(t, refusal)
	signer, err := permissions.NewSigner(testProject, projectKey(), permissions.WithClock(testClock))
	require.NoError(t, err)
	bounded, err := permissions.Intersect(shared.Policy, permissions.MustParse(`{"integration:*":["events"],"integration:slack":true}`))
	require.NoError(t, err)
	var observed atomic.Int64
	policy := shared.Policy.Observe(func(permissions.Permission, permissions.Target, permissions.Decision) { observed.Add(1) })
	value := map[string]any{"integration:*": []any{"events"}, "credential:x": map[string]any{"configuration:*": true}}
	rules := ruleTexts(policy)

	// ask returns all that can be asked of the shared values, as a text.
	ask := func() string {
		var out []any
		add := func(v ...any) { out = append(out, v...) }
		claims, err := v.Verify(good)
		if err != nil {
			return err.Error()
		}
		_, err = v.Verify(bad)
		add(err.Error(), errors.Is(err, permissions.ErrPermission), refusal.Error())
		_, err = v.Verify(forged)
		add(err.Error())
		fresh := permissions.NewClaims(permissions.WithPermissions("custom"))
		add(fresh.UnmarshalJSON([]byte(payloadWith(claim))), fresh.Subject)
		decoded, err := permissions.FromValue(value)
		add(ruleTexts(decoded), err)
		token, err := signer.Sign(testSubject, shared.Policy)
		add(token, err)
		for _, p := range []*permissions.Policy{
			policy, claims.Policy, fresh.Policy, shared.Policy, bounded, decoded, nil, permissions.Unrestricted(),
		} {
			for _, target := range sharedTargets {
				for _, action := range []permissions.Permission{permissions.Events, permissions.SettingsRead, permissions.CredentialWrite, "custom", "other", ""} {
					add(p.Decide(action, target).String(), p.Allowed(action, target), fmt.Sprint(p.Check(action, target)))
					add(p.Explain(action, target).String(), p.SelectConfigurations(action, target).Allows(target))
				}
				add(p.SelectCredentials(permissions.Events, target.Integration).Allows(target))
				add(p.Permissions(target).String(), p.Visible(target), target.String(), fmt.Sprint(target.Validate()))
			}
			data, err := p.MarshalJSON()
			add(string(data), err, len(ruleTexts(p)))
		}
		data, err := json.Marshal(shared)
		add(string(data), err)
		return fmt.Sprint(out...)
	}
	want := ask()
	require.NotContains(t, want, "panic")
	each := observed.Load()
	require.Positive(t, each)

	const goroutines, rounds = 16, 2
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				if !assert.Equal(t, want, ask()) {
					return
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, each*(1+goroutines*rounds), observed.Load())
	require.Equal(t, rules, ruleTexts(policy))
}

var sharedTargets = []permissions.Target{
	{},
	{Integration: "slack"},
	{Integration: "slack", CredentialID: "3FA85F64-5717-4562-B3FC-2C963F66AFA6"},
	{Integration: "slack", CredentialID: "x", CredentialExternalID: permissions.None},
	{Integration: "slack", CredentialExternalID: "acme"},
	{Integration: "slack", CredentialExternalID: "acme", ConfigurationID: "y"},
	{Integration: "slack", CredentialExternalID: "acme", CredentialID: permissions.None, ConfigurationExternalID: "Team A", ConfigurationID: "y"},
	{CredentialID: "x"},
	{Integration: "a\n"},
}
