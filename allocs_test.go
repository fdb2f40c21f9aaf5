package permissions_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// Questions of every sort, with what is allowed and what is not.
var allocQuestions = []struct {
	name   string
	target permissions.Target
}{
	{"user", user},
	{"integration", target("salesforce")},
	{"credential", target("salesforce", uuid, none)},
	{"credential in capitals", target("salesforce", upperUUID, none)},
	{"configuration", target("salesforce", uuid, "acme", uuid, "Team A")},
	{"configuration in capitals", target("salesforce", upperUUID, "acme", upperUUID, none)},
	{"open identifiers", target("salesforce", uuid, "", uuid)},
	{"open in capitals", target("salesforce", "", "acme", upperUUID)},
	{"undetermined", target("jira", "x")},
	{"beyond ASCII", target("été", "é", "日本語", "ü", "Équipe")},
	{"long", target(strings.Repeat("x", 1000), strings.Repeat("é", 1000), none)},
	{"unheard of", target("nobody", "nothing", "never", "nowhere", "none")},
	{"invalid", target("salesforce", uuid+" ")},
	{"invalid beyond ASCII", target("salesforce\u00a0", uuid)},
	{"a level missing", target("", uuid)},
	{"a pattern", target("sales*")},
}

var allocPolicies = map[string]*permissions.Policy{
	"nil":          nil,
	"unrestricted": permissions.Unrestricted(),
	"all":          permissions.MustParse(`{"integration:*":true}`),
	"some": permissions.MustParse(`{"integration:*":["events"],"integration:salesforce":{"credential:` + uuid + `":{"configuration:` + upperUUID +
		`":true,"configuration:ext:Team A":false},"credential:*":["events"]},"credential:ext:acme":["events","proxy-api"],"integration:été":{"credential:é":true}}`),
}

// An answer allocates nothing: Allowed and Decide never, Check where it is a yes.
func TestAnswersDoNotAllocate(t *testing.T) {
	yes := 0
	for name, p := range allocPolicies {
		for _, q := range allocQuestions {
			for _, action := range []permissions.Permission{permissions.Events, permissions.CredentialWrite, permissions.ConfigWrite, "other", ""} {
				t.Run(fmt.Sprint(name, " ", q.name, " ", action), func(t *testing.T) {
					require.Zero(t, testing.AllocsPerRun(10, func() { p.Allowed(action, q.target) }), "Allowed")
					require.Zero(t, testing.AllocsPerRun(10, func() { p.Decide(action, q.target) }), "Decide")
					if p.Allowed(action, q.target) {
						yes++
						require.Zero(t, testing.AllocsPerRun(10, func() { _ = p.Check(action, q.target) }), "Check")
					}
				})
			}
		}
	}
	require.Greater(t, yes, 50)
}

// What parsing allocates does not grow with the rules, nor with how they are nested.
func TestParseAllocations(t *testing.T) {
	claim := func(rules int) []byte {
		var b strings.Builder
		b.WriteString(`{"integration:*":["events","settings:read"]`)
		for i := range rules {
			fmt.Fprintf(&b, `,"integration:i%d":{"credential:%08x-5717-4562-b3fc-2c963f66afa6":["proxy-api"],"configuration:ext:Team %d":true}`, i, i, i)
		}
		return []byte(b.String() + "}")
	}
	allocations := func(rules int) float64 {
		text := claim(rules)
		return testing.AllocsPerRun(5, func() {
			if _, err := permissions.Parse(text); err != nil {
				panic(err)
			}
		})
	}
	few := allocations(1)
	require.LessOrEqual(t, few, 8.0)
	for _, rules := range []int{10, 100, 1000, 10_000} {
		require.LessOrEqual(t, allocations(rules), few, "%d", rules)
	}
}

// No hook costs nothing.
func TestObserveNothingDoesNotAllocate(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":true}`).Observe(nil)
	require.Zero(t, testing.AllocsPerRun(10, func() { p.Allowed(permissions.Events, user) }))
}
