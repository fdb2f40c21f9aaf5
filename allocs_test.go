package permissions_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// sink keeps the compiler from leaving out what a test measures.
var sink struct {
	target   permissions.Target
	decision permissions.Decision
	allowed  bool
}

// Building a target allocates nothing, if the identifiers are given one by one.
func TestTargetAllocations(t *testing.T) {
	long := strings.Repeat("é", 1000)
	for name, build := range map[string]func(){
		"the user":       func() { sink.target = permissions.User() },
		"an integration": func() { sink.target = permissions.Integration("salesforce") },
		"a long name":    func() { sink.target = permissions.Integration(long) },
		"some credential": func() {
			sink.target = permissions.Integration("salesforce").Credential()
		},
		"a credential": func() {
			sink.target = permissions.Integration("salesforce").Credential(permissions.ID(idA), permissions.NoExternalID())
		},
		"a credential in capitals": func() {
			sink.target = permissions.Integration("salesforce").Credential(permissions.ID(idUpper))
		},
		"a credential by bytes": func() {
			sink.target = permissions.Integration("salesforce").Credential(permissions.UUID(bytesOfA))
		},
		"a credential by a reference": func() {
			sink.target = permissions.Integration("salesforce").Credential(permissions.Reference("ext:acme"))
		},
		"nullable columns": func() {
			sink.target = permissions.Integration("salesforce").
				Credential(permissions.ExternalIDOrNone("acme", true), permissions.NoID()).
				Configuration(permissions.ExternalIDPtr(nil))
		},
		"a configuration": func() {
			sink.target = permissions.Integration("salesforce").
				Credential(permissions.ID(idA), permissions.ExternalID("acme")).
				Configuration(permissions.ID(idUpper), permissions.ExternalID("Team A"))
		},
		"an invalid target": func() {
			sink.target = permissions.Integration("").Credential(permissions.ID("acme"), permissions.Identifier{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Zero(t, testing.AllocsPerRun(100, build))
		})
	}
}

// Asking a question in one expression, with the target in it, allocates nothing either.
func TestQuestionAllocations(t *testing.T) {
	p := allocPolicies["some rules"]
	require.Zero(t, testing.AllocsPerRun(100, func() {
		sink.allowed = p.Allowed(permissions.ProxyAPI, permissions.Integration("salesforce").
			Credential(permissions.ID(idA), permissions.ExternalID("acme")))
	}))
	require.True(t, sink.allowed)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		sink.decision = p.Decide(permissions.Events, permissions.Integration("salesforce").
			Credential(permissions.UUID(bytesOfA)).Configuration(permissions.Reference("Team A"), permissions.NoID()))
	}))
	require.Equal(t, permissions.ReasonNotGranted, sink.decision.Reason)
}

// Questions of every kind, valid and invalid.
var allocTargets = map[string]permissions.Target{
	"user":        permissions.User(),
	"integration": permissions.Integration("salesforce"),
	"credential":  permissions.Integration("salesforce").Credential(byA, noExternal),
	"configuration": permissions.Integration("salesforce").Credential(byA, acme).
		Configuration(permissions.ID(idUpper), teamA),
	"partly unknown": permissions.Integration("salesforce").Credential(byA).Configuration(byA),
	"all unknown":    permissions.Integration("salesforce").Credential().Configuration(),
	"undetermined":   permissions.Integration("jira").Credential(byB),
	"beyond ASCII": permissions.Integration("été").Credential(newID, permissions.ExternalID("日本語")).
		Configuration(byB, permissions.ExternalID("Équipe")),
	"long": permissions.Integration(strings.Repeat("x", 1000)).
		Credential(permissions.ExternalID(strings.Repeat("é", 1000))),
	"without any rule":  permissions.Integration("nobody").Credential(byB, permissions.ExternalID("nothing")),
	"zero":              {},
	"an empty name":     permissions.Integration(""),
	"a bad name":        permissions.Integration("salesforce\u00a0").Credential(byA),
	"a bad ID":          permissions.Integration("salesforce").Credential(permissions.ID("acme")),
	"a bad external ID": permissions.Integration("salesforce").Credential(byA, permissions.ExternalID("é ")),
	"a missing level":   permissions.Integration("salesforce").Configuration(byA),
}

var allocPolicies = map[string]*permissions.Policy{
	"nil":          nil,
	"unrestricted": permissions.Unrestricted(),
	"all granted":  permissions.MustParse(`{"integration:*":true}`),
	"some rules": permissions.MustParse(`{
		"integration:*": ["events"],
		"integration:salesforce": {
			"credential:` + idA + `": {"configuration:` + idUpper + `": true, "configuration:ext:Team A": false},
			"credential:*": ["events"]
		},
		"credential:ext:acme": ["events", "proxy-api"],
		"integration:été": {"credential:ext:é": true}
	}`),
	"extras": permissions.MustParse(`{"integration:*":["other"]}`, permissions.WithPermissions("another", "other")),
	"an intersection": mustIntersect(
		permissions.MustParse(`{"integration:*":true}`), permissions.MustParse(`{"credential:*":["events"]}`),
	),
	"a nil hook": permissions.MustParse(`{"integration:*":true}`).Observe(nil),
}

// Allowed and Decide allocate nothing, and Check allocates nothing when it allows.
func TestAnswerAllocations(t *testing.T) {
	allowed := 0
	for policyName, p := range allocPolicies {
		for targetName, target := range allocTargets {
			for _, action := range []permissions.Permission{
				permissions.Events, permissions.CredentialWrite, permissions.ConfigWrite, permissions.ProxyAPI, "other", "",
			} {
				t.Run(fmt.Sprintf("%s/%s/%s", policyName, targetName, action), func(t *testing.T) {
					require.Zero(t, testing.AllocsPerRun(5, func() { sink.allowed = p.Allowed(action, target) }), "Allowed")
					require.Zero(t, testing.AllocsPerRun(5, func() { sink.decision = p.Decide(action, target) }), "Decide")
					if p.Allowed(action, target) {
						allowed++
						require.Zero(t, testing.AllocsPerRun(5, func() { _ = p.Check(action, target) }), "Check")
					}
				})
			}
		}
	}
	require.Greater(t, allowed, 100)
}

// The allocations of Parse do not grow with the rules, nor with how they are nested. The names of a claim
// share allocations of 256 bytes, so that a name which somebody keeps does not keep much else alive.
func TestParseAllocations(t *testing.T) {
	const oneRule = `,"integration:i%[1]d":{"credential:%08[1]x-5717-4562-b3fc-2c963f66afa6":["proxy-api"],` +
		`"configuration:ext:Team %[1]d":true}`
	claim := func(rules int) []byte {
		var b strings.Builder
		b.WriteString(`{"integration:*":["events","settings:read"]`)
		for i := range rules {
			fmt.Fprintf(&b, oneRule, i)
		}
		return []byte(b.String() + "}")
	}
	allocations := func(t *testing.T, text []byte) float64 {
		return testing.AllocsPerRun(5, func() {
			if _, err := permissions.Parse(text); err != nil {
				t.Error(err)
			}
		})
	}
	few := allocations(t, claim(1))
	require.LessOrEqual(t, few, 12.0)
	for _, rules := range []int{10, 100, 1000, 10_000} {
		t.Run(fmt.Sprintf("%d names", rules), func(t *testing.T) {
			names := 2 * rules * len("Team 10000")
			require.LessOrEqual(t, allocations(t, claim(rules)), few+float64(names)/128+20)
		})
	}
	t.Run("IDs need no allocation", func(t *testing.T) {
		ids := func(n int) []byte {
			var b strings.Builder
			for i := range n {
				fmt.Fprintf(&b, `,"credential:%08x-5717-4562-b3fc-2c963f66afa6":["proxy-api"]`, i)
			}
			return []byte("{" + b.String()[1:] + "}")
		}
		few := allocations(t, ids(1))
		require.LessOrEqual(t, allocations(t, ids(10)), few)
		require.LessOrEqual(t, allocations(t, ids(10_000)), few)
	})
}
