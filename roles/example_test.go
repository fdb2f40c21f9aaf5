package roles_test

import (
	"errors"
	"fmt"

	"github.com/connectperms/permissions/roles"
)

func ExampleCompose() {
	reader := roles.MustNew("read-only", `{"integration:*": ["settings:read"]}`)
	member := roles.MustNew("member", `{
	  "integration:${integrations}": {"configuration:ext:${team}": ["settings:write", "workflows"]}
	}`)
	policy, err := roles.Compose(
		reader.With(nil),
		member.With(roles.Args{"integrations": {"slack"}, "team": {"Team A"}}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for rule := range policy.Rules() {
		fmt.Println(rule, "grants", rule.Grant())
	}
	// Output:
	// integration:* grants settings:read
	// integration:"slack"/credential:*/configuration:ext:"Team A" grants settings:read, settings:write, workflows
}

func ExampleConflictError() {
	everyone := roles.MustNew("everyone", `{"integration:*": ["events"]}`)
	guest := roles.MustNew("guest", `{"integration:slack": false}`)
	_, err := roles.Compose(everyone.With(nil), guest.With(nil))
	var conflict *roles.ConflictError
	if errors.As(err, &conflict) {
		fmt.Println(conflict.Action, "on", conflict.Target)
		fmt.Println(conflict.Grants, "grants it at", conflict.GrantsAt)
		fmt.Println(conflict.Withholds, "withholds it at", conflict.WithholdsAt)
	}
	// Output:
	// events on integration "slack"
	// everyone grants it at [integration:*]
	// guest withholds it at [integration:slack]
}
