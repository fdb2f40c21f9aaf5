package proposal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/internal/proposal"
)

const id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

func TestAddsOnly(t *testing.T) {
	for _, c := range []struct {
		name, before, after string
		action              permissions.Permission
		want                bool
	}{
		{"nothing", `{"integration:*":["events"]}`, `{"integration:*":["events"]}`, permissions.ProxyAPI, true},
		{"the action", `{"integration:*":["events"]}`,
			`{"integration:*":["events"],"integration:slack":["events","proxy-api"]}`, permissions.ProxyAPI, true},
		{"the action, and what it includes", `{}`, `{"integration:slack":["settings:write"]}`,
			permissions.SettingsWrite, true},
		{"what includes the action", `{}`, `{"integration:slack":["settings:write"]}`, permissions.SettingsRead, false},
		{"another one too", `{}`, `{"integration:slack":["events","proxy-api"]}`, permissions.ProxyAPI, false},
		{"it takes something away", `{"integration:*":["events"]}`,
			`{"integration:*":["events"],"integration:slack":["proxy-api"]}`, permissions.ProxyAPI, false},
		{"it overrides a rule by external ID",
			`{"integration:*":["events"],"credential:ext:Team A":["events","workflows"]}`,
			`{"integration:*":["events"],"credential:ext:Team A":["events","workflows"],"credential:` + id +
				`":["events","proxy-api"]}`, permissions.ProxyAPI, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, after := permissions.MustParse(c.before), permissions.MustParse(c.after)
			require.Equal(t, c.want, proposal.AddsOnly(before, after, c.action))
		})
	}
}

func TestGrant(t *testing.T) {
	p := permissions.MustParse(`{"integration:*":["events"],"integration:slack":
		{"configuration:ext:T":["settings:read","workflows"],"credential:*":["proxy-api"]}}`)
	slack := permissions.Integration("slack")
	noID, noExternalID := permissions.NoID(), permissions.NoExternalID()
	for _, c := range []struct {
		name   string
		target permissions.Target
		actsOn permissions.Kind
		want   []permissions.Permission
	}{
		{"the target itself", slack, permissions.KindIntegration,
			[]permissions.Permission{"events", "proxy-api", "actionkit"}},
		{"a credential in it", slack, permissions.KindCredential, []permissions.Permission{"proxy-api", "actionkit"}},
		{"a configuration in it, which may have another rule", slack, permissions.KindConfiguration,
			[]permissions.Permission{"actionkit"}},
		{"a configuration without that rule", slack.Credential().Configuration(noID, noExternalID),
			permissions.KindConfiguration, []permissions.Permission{"proxy-api", "actionkit"}},
		{"the user", permissions.User(), permissions.KindUser, []permissions.Permission{"events", "actionkit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := permissions.NewPermissionSet(c.want...)
			require.True(t, want.Equal(proposal.Grant(p, c.target, c.actsOn, permissions.ActionKit)),
				proposal.Grant(p, c.target, c.actsOn, permissions.ActionKit))
		})
	}
}
