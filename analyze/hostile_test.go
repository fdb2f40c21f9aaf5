package analyze_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// TestHostileClaims analyzes claims that are made to take long, of up to some MB. Where time grew with the
// square of the number of rules, or with its product with the length of a name, this took minutes.
func TestHostileClaims(t *testing.T) {
	for _, s := range shapes {
		t.Run(s.name, func(t *testing.T) {
			claim := s.claim(20_000)
			p := policyOf(claim)
			changed := policyOf(strings.Replace(claim, `"events"`, `"workflows"`, 1))
			start := time.Now()

			findings := analyze.Lint(p)
			for _, f := range findings {
				require.Less(t, len(f.Message), 2000)
			}
			ok, _ := analyze.Equal(p, p)
			require.True(t, ok)
			ok, _ = analyze.Equal(p, changed)
			require.False(t, ok)
			d := analyze.Diff(p, changed)
			require.NotEmpty(t, d.Changes)
			require.Less(t, len(d.String()), 2000*len(d.Changes))

			require.Less(t, time.Since(start), 20*time.Second)
		})
	}
}

// TestManyRedundantRules counts what is found in many rules.
func TestManyRedundantRules(t *testing.T) {
	const n = 20_000
	for name, want := range map[string]int{
		"redundant credentials": n, "redundant IDs and external IDs": n, "different credentials": 0, "integrations": n / 2,
		"IDs that differ from external IDs": 0, "external IDs that an integration overrides": n / 3,
	} {
		found := 0
		for _, s := range shapes {
			if s.name == name {
				for _, f := range analyze.Lint(policyOf(s.claim(n))) {
					if f.Code == analyze.CodeRedundantRule {
						found++
					}
				}
			}
		}
		require.InDelta(t, want, found, 2, name)
	}
}

// TestOverridingCrosswise has rules that override each other. Most of them never decide.
func TestOverridingCrosswise(t *testing.T) {
	const n = 60_000
	p := policyOf(crosswise(n))
	start := time.Now()
	redundant := 0
	for _, f := range analyze.Lint(p) {
		if f.Code == analyze.CodeRedundantRule {
			redundant++
		}
	}
	require.Greater(t, redundant, n/4)
	require.Less(t, time.Since(start), 20*time.Second)
}

// crosswise returns a claim with n rules of four kinds that override each other.
func crosswise(n int) string {
	return objectOf(`{"integration:*":["events"],"integration:y":{"configuration:ext:other":["events"]}}`,
		object(n/3, byExternalID("configuration", `["events"]`)),
		object(n/3, func(i int) string {
			return fmt.Sprintf(`"integration:i%d":{"credential:%s":{"configuration:*":false}}`, i, idX)
		}),
		in("credential:"+idX, object(n/3, byExternalID("configuration", `["events"]`))))
}

// TestIntersectionsOfManyRules is about a token and a ceiling.
func TestIntersectionsOfManyRules(t *testing.T) {
	ids := object(2000, byID("credential", `["events","workflows"]`))
	externalIDs := object(50, byExternalID("credential", `["workflows"]`))
	token := policyOf(objectOf(`{"integration:*":["events"]}`, ids))
	ceiling := policyOf(objectOf(`{"integration:*":["events","workflows"]}`, externalIDs))
	both, err := permissions.Intersect(token, ceiling)
	require.NoError(t, err)
	reversed, err := permissions.Intersect(ceiling, token)
	require.NoError(t, err)
	ok, q := analyze.Equal(both, reversed)
	require.True(t, ok, "%v", q)
	for _, p := range []*permissions.Policy{token, ceiling} {
		ok, _ = analyze.Covers(p, both)
		require.True(t, ok)
		ok, _ = analyze.Covers(both, p)
		require.False(t, ok)
		require.Equal(t, analyze.RelationNarrower, analyze.Diff(p, both).Relation)
	}
}
