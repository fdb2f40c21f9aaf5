package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// The database selects just the rows that asking about each would: for many random policies,
// on rows with every combination of identifiers that the policies name and of some that they
// do not.
func TestSelectionInSQL(t *testing.T) {
	s, err := openStore(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.close()) })
	var all []permissions.Target
	for i, externalID := range []string{permissions.None, "A", "Team A", "it's \"<x>\" %_", "É", "other"} {
		for j, id := range []string{"a", "b", "c", "3fa85f64-5717-4562-b3fc-2c963f66afa6"} {
			id := fmt.Sprintf("%s%d", id, i)
			if j == 3 {
				id = fmt.Sprintf("3fa85f64-5717-4562-b3fc-2c963f66afa%d", i)
			}
			for _, integration := range []string{"slack", "jira"} {
				target := permissions.Target{Integration: integration, CredentialID: id, CredentialExternalID: externalID}
				if integration == "jira" {
					target.CredentialID += "-j"
				}
				_, err := s.db.Exec(`INSERT INTO credentials (id, owner, integration, external_id, account) VALUES (?, ?, ?, ?, '')`,
					target.CredentialID, tenant, integration, orNull(externalID))
				require.NoError(t, err)
				all = append(all, target)
			}
		}
	}

	random := rand.New(rand.NewPCG(4, 6))
	policies := []*permissions.Policy{nil, permissions.Unrestricted(), permissions.MustParse(`{}`), permissions.MustParse(`{"integration:*": true}`)}
	for len(policies) < 400 {
		if p, err := permissions.Parse(randomClaim(t, random)); err == nil {
			policies = append(policies, p)
		}
	}
	selected, left := 0, 0
	for _, p := range policies {
		for _, action := range []permissions.Permission{permissions.ProxyAPI, permissions.SettingsRead, permissions.ConfigWrite} {
			for _, integration := range []string{"slack", "jira"} {
				selection := p.SelectCredentials(action, integration)
				rows, err := s.list(t.Context(), tenant, integration, selection)
				require.NoError(t, err)
				got := make(map[string]bool)
				for _, row := range rows {
					got[row.ID] = true
				}
				for _, target := range all {
					if target.Integration != integration {
						require.False(t, got[target.CredentialID])
						continue
					}
					allowed := p.Allowed(action, target)
					require.Equal(t, allowed, got[target.CredentialID], "%s on %v: %v", action, target, p.Explain(action, target))
					require.Equal(t, allowed, selection.Allows(target))
					if allowed {
						selected++
					} else {
						left++
					}
				}
			}
		}
	}
	// Both answers are common, or this shows little.
	require.Greater(t, selected, 10_000)
	require.Greater(t, left, 10_000)
}

// randomClaim returns a claim of a few rules.
func randomClaim(t *testing.T, random *rand.Rand) []byte {
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	grant := func() any {
		switch random.IntN(5) {
		case 0:
			return true
		case 1, 2:
			return false
		}
		return []string{pick("proxy-api", "settings:read", "settings:write", "config:write"), "events"}
	}
	credential := func() string {
		switch random.IntN(5) {
		case 0:
			return "credential:*"
		case 1, 2:
			return "credential:ext:" + pick("A", "Team A", "it's \"<x>\" %_", "É", "nobody")
		}
		return "credential:" + pick("a0", "b1", "c2", "a0-j", "3FA85F64-5717-4562-b3fc-2c963f66afa0", "3fa85f64-5717-4562-b3fc-2c963f66afa2", "nobody")
	}
	configuration := func() string { return pick("configuration:*", "configuration:ext:A", "configuration:1") }
	claim := map[string]any{}
	if random.IntN(2) == 0 {
		claim["integration:*"] = grant()
	}
	for range random.IntN(7) {
		switch random.IntN(4) {
		case 0:
			claim[pick("integration:slack", "integration:jira")] = grant()
		case 1:
			claim[credential()] = grant()
		case 2:
			claim[pick("integration:slack", "integration:*")] = map[string]any{credential(): grant(), credential(): grant()}
		case 3:
			claim[credential()] = map[string]any{configuration(): grant()}
		}
	}
	text, err := json.Marshal(claim)
	require.NoError(t, err)
	return text
}
