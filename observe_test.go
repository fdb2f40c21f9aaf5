package permissions_test

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// Every question is observed once, with its answer, and before the answer is returned.
func TestObserve(t *testing.T) {
	policies := map[string]*permissions.Policy{
		"a claim": permissions.MustParse(`{"integration:slack":["events"],"credential:ext:acme":false}`),
		"an intersection": mustIntersect(
			permissions.MustParse(`{"integration:*":true}`), permissions.MustParse(`{"integration:slack":["events"]}`),
		),
		"no claim": permissions.Unrestricted(),
		"nil":      nil,
		"zero":     new(permissions.Policy),
	}
	questions := []struct {
		name   string
		action permissions.Permission
		target permissions.Target
	}{
		{"an action on an integration", permissions.Events, slack},
		{"an action on what is in it", permissions.ProxyAPI, slack},
		{"something unknown", permissions.Events, slack.Credential(byA)},
		{"the user", permissions.Events, permissions.User()},
		{"an empty action", "", slack},
		{"a misspelled action", "event", slack},
		{"an action that the user has not", permissions.ProxyAPI, permissions.User()},
		{"the zero Target", permissions.Events, permissions.Target{}},
		{"an invalid name", permissions.Events, permissions.Integration("*")},
	}
	for name, p := range policies {
		for _, q := range questions {
			t.Run(name+"/"+q.name, func(t *testing.T) {
				var seen []permissions.Observation
				answered := false
				observed := p.Observe(func(o permissions.Observation) {
					assert.False(t, answered, "the hook is called before the answer is returned")
					seen = append(seen, o)
				})
				want := permissions.Observation{Asked: permissions.AskedAction, Action: q.action, Target: q.target}
				want.Decision = p.Decide(q.action, q.target)
				require.Empty(t, seen, "the policy that was given is not observed")
				for how, ask := range map[string]func(){
					"Decide":  func() { require.Equal(t, want.Decision, observed.Decide(q.action, q.target)) },
					"Allowed": func() { require.Equal(t, want.Decision.Allowed, observed.Allowed(q.action, q.target)) },
					"Check":   func() { require.Equal(t, p.Check(q.action, q.target), observed.Check(q.action, q.target)) },
				} {
					seen, answered = nil, false
					ask()
					answered = true
					require.Equal(t, []permissions.Observation{want}, seen, how)
				}

				seen, answered = nil, false
				require.Equal(t, p.Permissions(q.target).String(), observed.Permissions(q.target).String())
				require.Len(t, seen, 1)
				require.Equal(t, permissions.AskedPermissions, seen[0].Asked)
				require.True(t, seen[0].Permissions.Equal(p.Permissions(q.target)))
				require.Equal(t, q.target, seen[0].Target)

				seen = nil
				require.Equal(t, p.Visible(q.target), observed.Visible(q.target))
				require.Equal(t, []permissions.Observation{
					{Asked: permissions.AskedVisible, Target: q.target, Visible: p.Visible(q.target)},
				}, seen)
			})
		}
	}
}

// Each selection is observed once. The target is what the selected things are in.
func TestObserveSelections(t *testing.T) {
	all := permissions.MustParse(`{"integration:*":true}`)
	for _, p := range []*permissions.Policy{nil, all, permissions.Unrestricted()} {
		var seen []permissions.Observation
		observed := p.Observe(func(o permissions.Observation) { seen = append(seen, o) })
		observed.SelectIntegrations(permissions.Events)
		observed.SelectCredentials(permissions.ProxyAPI, slack)
		observed.SelectConfigurations(permissions.SettingsRead, slack.Credential(byA))
		observed.SelectCredentials("nope", permissions.Integration(""))
		require.Equal(t, []permissions.Observation{
			{Asked: permissions.AskedSelection, Action: permissions.Events, Target: permissions.User()},
			{Asked: permissions.AskedSelection, Action: permissions.ProxyAPI, Target: slack},
			{Asked: permissions.AskedSelection, Action: permissions.SettingsRead, Target: slack.Credential(byA)},
			{Asked: permissions.AskedSelection, Action: "nope", Target: permissions.Integration("")},
		}, seen)
	}
}

// A log line of an observation says what was asked and the answer.
func TestObservationLogValue(t *testing.T) {
	var lines strings.Builder
	logger := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
				return slog.Attr{}
			}
			return a
		},
	}))
	p := permissions.MustParse(`{"integration:slack":["events"]}`).Observe(func(o permissions.Observation) {
		logger.Info("", "o", o)
	})
	p.Allowed(permissions.Events, slack)
	p.Permissions(slack)
	p.Visible(slack)
	p.SelectCredentials(permissions.ProxyAPI, slack)
	require.Equal(t, `o.asked=action o.action=events o.target.level=integration o.target.integration=slack `+
		`o.decision.allowed=true o.decision.reason=granted `+
		`o.decision.rule="integration:\"slack\"" o.decision.pointer=/integration:slack
o.asked=permissions o.target.level=integration o.target.integration=slack o.permissions=events
o.asked=visible o.target.level=integration o.target.integration=slack o.visible=true
o.asked=selection o.action=proxy-api o.target.level=integration o.target.integration=slack
`, lines.String())
}

// What answers no question is not observed.
func TestObserveWhatIsNotAQuestion(t *testing.T) {
	p := permissions.MustParse(`{"integration:slack":{"credential:*":["nope"]}}`, permissions.IgnoreUnknownPermissions()).
		Observe(func(permissions.Observation) { require.Fail(t, "the hook was called") })
	p.Explain(permissions.Events, slack)
	require.Len(t, grantsOf(p), 1)
	for range p.NestedMaps() {
	}
	for range p.Ignored() {
	}
	require.False(t, p.IsUnrestricted())
	require.NotEmpty(t, p.String())
	require.NotEmpty(t, jsonOf(p))
}

// A hook is added to those that are there. A nil hook adds nothing.
func TestObserveAgain(t *testing.T) {
	var calls []string
	hook := func(name string) func(permissions.Observation) {
		return func(permissions.Observation) { calls = append(calls, name) }
	}
	p := permissions.MustParse(`{"integration:*":true}`)
	one := p.Observe(hook("one"))
	two := one.Observe(nil).Observe(hook("two"))
	three := one.Observe(hook("three"))
	for _, test := range []struct {
		name   string
		policy *permissions.Policy
		want   []string
	}{
		{"without a hook", p, nil},
		{"with one", one, []string{"one"}},
		{"with two, in their order", two, []string{"one", "two"}},
		{"with another second one", three, []string{"one", "three"}},
		{"with a nil one", one.Observe(nil), []string{"one"}},
		{"nil with one", (*permissions.Policy)(nil).Observe(hook("nil")), []string{"nil"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			calls = nil
			test.policy.Allowed(permissions.Events, slack)
			require.Equal(t, test.want, calls)
		})
	}
	t.Run("no policy still denies", func(t *testing.T) {
		for _, p := range []*permissions.Policy{nil, {}} {
			require.Equal(t, permissions.ReasonNoPolicy, p.Observe(nil).Decide(permissions.Events, slack).Reason)
			require.False(t, p.Observe(hook("x")).Allowed(permissions.Events, slack))
		}
	})
}

// Policies that are made from one observed policy do not write to its list of hooks.
func TestObserveSharesNoList(t *testing.T) {
	var calls atomic.Int64
	count := func(permissions.Observation) { calls.Add(1) }
	p := permissions.MustParse(`{"integration:*":true}`)
	for range 5 {
		p = p.Observe(count) // the list has room now
	}
	first := p.Observe(func(permissions.Observation) { calls.Add(100) })
	p.Observe(func(permissions.Observation) { calls.Add(10_000) })
	first.Allowed(permissions.Events, slack)
	require.EqualValues(t, 105, calls.Load())
}

// An observed policy is otherwise the policy that it was made from.
func TestObservedPolicy(t *testing.T) {
	hook := func(permissions.Observation) {}
	p := permissions.MustParse(`{"integration:slack":["events"],"credential:*":false}`)
	observed := p.Observe(hook)
	require.Equal(t, grantsOf(p), grantsOf(observed))
	require.True(t, p.Decide(permissions.Events, slack).Rule == observed.Decide(permissions.Events, slack).Rule)
	require.True(t, permissions.Unrestricted().Observe(hook).IsUnrestricted())
	require.False(t, observed.IsUnrestricted())
	require.Len(t, mustIntersect(p, permissions.MustParse(`{}`)).Observe(hook).Parts(), 2)
	require.Equal(t, jsonOf(p), jsonOf(observed))
}

func TestObserveConcurrently(t *testing.T) {
	var calls atomic.Int64
	p := permissions.MustParse(`{"integration:*":true}`).Observe(func(permissions.Observation) { calls.Add(1) })
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 1000 {
				p.Allowed(permissions.Events, slack)
			}
		})
	}
	wait.Wait()
	require.EqualValues(t, 8000, calls.Load())
}

func TestAskedString(t *testing.T) {
	for asked, text := range map[permissions.Asked]string{
		permissions.AskedAction: "action", permissions.AskedPermissions: "permissions", permissions.AskedVisible: "visible",
		permissions.AskedSelection: "selection", 0: "Asked(0)", 99: "Asked(99)",
	} {
		require.Equal(t, text, asked.String())
	}
}
