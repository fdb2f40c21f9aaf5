//go:build countwork

package permissions_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// TestWorkOfSelections requires that the work for a selection and the size of its condition grow in
// proportion to the claim: for credentials in which something is created, for the configurations of a
// credential that nobody can name, and for what is visible.
func TestWorkOfSelections(t *testing.T) {
	selections := []struct {
		name string
		of   func(p *permissions.Policy) permissions.Selection
	}{
		{"ConfigWrite on credentials", func(p *permissions.Policy) permissions.Selection {
			return p.SelectCredentials(permissions.ConfigWrite, permissions.User())
		}},
		{"ConfigWrite on credentials of an integration", func(p *permissions.Policy) permissions.Selection {
			return p.SelectCredentials(permissions.ConfigWrite, slack)
		}},
		{"configurations of an unknown credential", func(p *permissions.Policy) permissions.Selection {
			return p.SelectConfigurations(permissions.Workflows, slack.Credential())
		}},
		{"configurations of a credential without its external ID", func(p *permissions.Policy) permissions.Selection {
			return p.SelectConfigurations(permissions.Workflows, slack.Credential(permissions.ID(idA)))
		}},
		{"all configurations", func(p *permissions.Policy) permissions.Selection {
			return p.SelectConfigurations(permissions.Workflows, permissions.User())
		}},
		{"visible integrations", func(p *permissions.Policy) permissions.Selection { return p.VisibleIntegrations() }},
		{"visible credentials", func(p *permissions.Policy) permissions.Selection {
			return p.VisibleCredentials(permissions.User())
		}},
		{"visible configurations", func(p *permissions.Policy) permissions.Selection {
			return p.VisibleConfigurations(permissions.User())
		}},
	}
	// Each name depends on another identifier that may be unknown.
	crossed := hostileShape{name: "each rule with an exception of its own", text: func(size int) string {
		return fill(size, `{"integration:*":true`+",",
			unit(`"credential:ext:%d":{"configuration:ext:%d":false,"configuration:`+id+`":true}`), "}")
	}}
	perIntegration := hostileShape{name: "each rule in an integration of its own", text: func(size int) string {
		const each = `"integration:%d":{"credential:ext:%d":{"configuration:*":["workflows"]},` +
			`"configuration:` + id + `":true}`
		return fill(size, "{", unit(each), "}")
	}}
	shapes := append(append([]hostileShape{crossed, perIntegration}, manyShapes...), longShapes...)
	for _, s := range selections {
		for _, shape := range shapes {
			t.Run(s.name+", "+shape.name, func(t *testing.T) {
				const size = 64 << 10
				var work, length [2]float64
				for i, size := range []int{size, 4 * size} {
					p := permissions.MustParse(shape.text(size))
					work[i] = worked(func() {
						where, args, err := s.of(p).Where(permissions.PostgreSQL, allColumns)
						require.NoError(t, err)
						length[i] = float64(len(where))
						for _, arg := range args {
							length[i] += float64(len(arg.(string)))
						}
					})
				}
				requireLinear(t, size, work[0], work[1], mostAsking)
				require.Less(t, length[1]/float64(4*size), 12.0,
					"bytes of the condition and its arguments for each byte of the claim")
			})
		}
	}
}

var allColumns = permissions.Columns{
	Integration:  permissions.CheckedColumn("integration"),
	CredentialID: permissions.UUIDColumn("id"), CredentialExternalID: permissions.CheckedColumn("ext"),
	ConfigurationID: permissions.UUIDColumn("f.id"), ConfigurationExternalID: permissions.CheckedColumn("f.ext"),
}
