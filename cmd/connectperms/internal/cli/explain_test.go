package cli_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// An explanation is what explain prints as JSON.
type explanation struct {
	Explanation struct {
		Decision struct {
			Allowed bool
			Reason  string
		}
	}
	Remedies []struct {
		Change, Text, Pointer string
		Target                *permissions.Target
		Claim                 json.RawMessage
	}
}

// TestRemediesAllow explains what the vectors deny, and makes each change that explain proposes. With it the
// answer must be yes.
func TestRemediesAllow(t *testing.T) {
	data, err := os.ReadFile(root + "testdata/conformance/random.json")
	require.NoError(t, err)
	var cases []struct {
		Claim   string
		Queries []struct {
			Action           permissions.Permission
			Target           json.RawMessage
			Allowed, Invalid bool
		}
	}
	require.NoError(t, json.Unmarshal(data, &cases))
	made := map[string]int{}
	denied := 0
	for _, c := range cases {
		policy, err := permissions.Parse([]byte(c.Claim))
		if err != nil {
			continue
		}
		for _, q := range c.Queries {
			if q.Allowed || q.Invalid {
				continue
			}
			denied++
			var target permissions.Target
			require.NoError(t, target.UnmarshalJSON(q.Target))
			args := []string{"explain", string(q.Action), "--target", string(q.Target), "-o", "json"}
			r := (&run{args: args, stdin: strings.NewReader(c.Claim)}).do()
			require.Contains(t, []int{2, 3}, r.code, r.all())
			var e explanation
			require.NoError(t, json.Unmarshal(r.out.Bytes(), &e))
			for _, remedy := range e.Remedies {
				made[remedy.Change]++
				if remedy.Change == "question" {
					require.True(t, policy.Allowed(q.Action, *remedy.Target), "%s: %s", c.Claim, remedy.Text)
					continue
				}
				changed := withRule(t, policy, remedy.Claim)
				if strings.Contains(remedy.Text, "; and if it has no ") {
					made["also"]++
					require.Equal(t, permissions.ReasonUndetermined, changed.Decide(q.Action, target).Reason)
					continue
				}
				require.True(t, changed.Allowed(q.Action, target), "%s: %s", c.Claim, remedy.Text)
			}
		}
	}
	require.Greater(t, denied, 500)
	for _, change := range []string{"question", "grant", "rule", "also"} {
		require.Greater(t, made[change], 20, change)
	}
}

// withRule returns a policy with the one rule of a claim in place of its own rule there.
func withRule(t *testing.T, p *permissions.Policy, claim []byte) *permissions.Policy {
	t.Helper()
	one, err := permissions.Parse(claim)
	require.NoError(t, err)
	rules := slices.Collect(one.Rules())
	require.Len(t, rules, 1)
	var b permissions.Builder
	for r := range p.Rules() {
		if !slices.Equal(r.Path(), rules[0].Path()) {
			b.At(r.Path()...).Grant(r.Grant())
		}
	}
	b.At(rules[0].Path()...).Grant(rules[0].Grant())
	changed, err := b.Build()
	require.NoError(t, err)
	return changed
}
