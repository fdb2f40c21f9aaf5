package permissions_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// Many goroutines parse, decide, explain, select, list and encode on shared values. Each must get the answers
// that one goroutine alone gets. With -race, the race detector watches.
func TestSharedByManyGoroutines(t *testing.T) {
	claim := []byte(`{
		"integration:*": ["settings:write", "custom", "nope"],
		"credential:` + idUpper + `": false,
		"integration:slack": {"credential:\u0065xt:x": true, "credential:ext:acme": {"configuration:ext:Team A": ["events"]}}
	}`)
	options := []permissions.Option{permissions.WithPermissions("custom"), permissions.IgnoreUnknownPermissions()}
	shared, err := permissions.Parse(claim, options...)
	require.NoError(t, err)
	var observed atomic.Int64
	observedPolicy := shared.Observe(func(permissions.Observation) { observed.Add(1) })
	value := map[string]any{"integration:*": []any{"events"}, "credential:*": map[string]any{"configuration:*": true}}
	var builder permissions.Builder
	builder.Integration("slack").Allow(permissions.Events)
	built, err := builder.Build()
	require.NoError(t, err)
	selection := shared.SelectCredentials(permissions.Events, slack)

	ceiling := permissions.MustParse(`{"integration:*":["events"],"integration:slack":true}`)
	policies := []*permissions.Policy{
		shared, observedPolicy, mustIntersect(shared, ceiling), built,
		permissions.Unrestricted(), new(permissions.Policy), nil,
	}
	// ask returns all that can be asked of the shared values, as one text.
	ask := func() string {
		var out []any
		add := func(v ...any) { out = append(out, v...) }
		fresh, err := permissions.Parse(claim, options...)
		add(grantsOf(fresh), err)
		_, err = permissions.Parse(claim)
		add(err)
		decoded, err := permissions.FromValue(value)
		add(grantsOf(decoded), err)
		for _, p := range append(policies, fresh, decoded) {
			for _, target := range sharedTargets {
				for _, action := range []permissions.Permission{
					permissions.Events, permissions.SettingsRead, permissions.CredentialWrite, "custom", "other", "",
				} {
					add(p.Decide(action, target), p.Allowed(action, target), p.Check(action, target))
					add(p.Explain(action, target), p.SelectConfigurations(action, target).Has(target))
				}
				add(p.Permissions(target), p.Visible(target), target, target.Err(), selection.Has(target))
				text, err := json.Marshal(target)
				add(string(text), err)
			}
			data, err := p.MarshalJSON()
			add(string(data), err, grantsOf(p), p.String())
			for i := range p.Ignored() {
				add(i.String(), i.Pointer())
			}
		}
		return fmt.Sprint(out...)
	}
	want := ask()
	each := observed.Load()
	require.Positive(t, each)

	const goroutines, rounds = 16, 2
	var wait sync.WaitGroup
	for range goroutines {
		wait.Go(func() {
			for range rounds {
				if !assert.Equal(t, want, ask()) {
					return
				}
			}
		})
	}
	wait.Wait()
	require.Equal(t, each*(1+goroutines*rounds), observed.Load())
}

var sharedTargets = []permissions.Target{
	{},
	permissions.User(),
	slack,
	slack.Credential(permissions.ID(idUpper)),
	slack.Credential(byB, noExternal),
	slack.Credential(acme),
	slack.Credential(acme).Configuration(byB),
	slack.Credential(acme, newID).Configuration(teamA, byB),
	slack.Credential(permissions.ExternalID("x"), byB),
	permissions.Integration("a\n"),
}
