package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// TestListEqualsTheLoop compares the lists of random policies with asking about each row.
func TestListEqualsTheLoop(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			s := newStore(t, database)
			var all []credential
			for _, integration := range []string{"slack", "jira"} {
				for i, externalID := range []string{"", "A", "a", "Team A", `it's "<x>" %_`, "\u00c9", "other"} {
					c := credential{Integration: integration, Account: fmt.Sprint(i)}
					if externalID != "" {
						c.ExternalID = &externalID
					}
					c, err := s.insert(t.Context(), tenant, c)
					require.NoError(t, err)
					all = append(all, c)
				}
			}
			random := rand.New(rand.NewPCG(4, 6))
			policies := []*permissions.Policy{nil, permissions.Unrestricted(), permissions.MustParse(`{}`)}
			for len(policies) < 150 {
				if p, err := permissions.Parse(randomClaim(t, random, all)); err == nil {
					policies = append(policies, p)
				}
			}
			selected, left := 0, 0
			for _, p := range policies {
				for _, within := range []permissions.Target{permissions.User(), permissions.Integration("slack")} {
					for _, action := range []permissions.Permission{permissions.ProxyAPI, permissions.ConfigWrite,
						""} {
						selection := p.VisibleCredentials(within)
						if action != "" {
							selection = p.SelectCredentials(action, within)
						}
						page, err := s.list(t.Context(), tenant, "00000000-0000-0000-0000-000000000000", selection)
						require.NoError(t, err)
						var want []credential
						for _, c := range all {
							listed := within == permissions.User() || c.Integration == "slack"
							if action == "" {
								listed = listed && p.Visible(c.target())
							} else {
								listed = listed && p.Allowed(action, c.target())
							}
							if listed {
								want = append(want, c)
							}
						}
						require.ElementsMatch(t, want, page.Credentials, "%v %q %v", p, action, within)
						require.Equal(t, len(want), page.Total)
						selected, left = selected+len(want), left+len(all)-len(want)
					}
				}
			}
			require.Greater(t, selected, 1000, "few rows are selected, so this shows little")
			require.Greater(t, left, 1000)
		})
	}
}

// randomClaim returns a claim of a few rules about some rows.
func randomClaim(t *testing.T, random *rand.Rand, rows []credential) []byte {
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
			return "credential:ext:" + pick("A", "Team A", `it's "<x>" %_`, "\u00c9", "nobody")
		}
		return "credential:" + rows[random.IntN(len(rows))].ID
	}
	configuration := func() string {
		return pick("configuration:*", "configuration:ext:A",
			"configuration:"+rows[0].ID)
	}
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
			claim[pick("integration:slack", "integration:*")] = map[string]any{credential(): grant(),
				credential(): grant()}
		case 3:
			claim[credential()] = map[string]any{configuration(): grant()}
		}
	}
	text, err := json.Marshal(claim)
	require.NoError(t, err)
	return text
}
