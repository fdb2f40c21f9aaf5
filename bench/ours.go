package main

import "github.com/connectperms/permissions"

var ours = contender{
	name:  "permissions (this library)",
	model: "`Policy.Allowed`. A question is built by the constructors of `Target`.",
	load: func(claim []byte) (loaded, error) {
		policy, err := permissions.Parse(claim)
		if err != nil {
			return loaded{}, err
		}
		return loaded{
			build: func(q *question) bool { return policy.Allowed(q.action, q.target()) },
			prepare: func(q *question) func() bool {
				action, t := q.action, q.target()
				return func() bool { return policy.Allowed(action, t) }
			},
		}, nil
	},
}

// askBuilt asks about a target that was built before. As with the map look-ups, no function is called
// between the loop and what is timed.
func askBuilt(policy *permissions.Policy, q *question) func(n int) (yes int) {
	action, t := q.action, q.target()
	return func(n int) (yes int) {
		for range n {
			if policy.Allowed(action, t) {
				yes++
			}
		}
		return yes
	}
}

// askFromStrings builds a target from strings and asks about it, as a handler does that knows what
// it is asked for. So there is a loop for each form of question in a workload.
func askFromStrings(policy *permissions.Policy, q *question) func(n int) (yes int) {
	action, integration := q.action, q.integration
	id, externalID := q.credential.id.text, q.credential.externalID.text
	configurationID, configurationExternalID := q.configuration.id.text, q.configuration.externalID.text
	var loop func(int) int
	switch form := *q; {
	case form.level == permissions.KindIntegration:
		loop = func(n int) (yes int) {
			for range n {
				if policy.Allowed(action, permissions.Integration(integration)) {
					yes++
				}
			}
			return yes
		}
	case form.level == permissions.KindCredential && form.credential.externalID.state == permissions.Unknown:
		loop = func(n int) (yes int) {
			for range n {
				if policy.Allowed(action, permissions.Integration(integration).Credential(permissions.ID(id))) {
					yes++
				}
			}
			return yes
		}
	case form.level == permissions.KindCredential:
		loop = func(n int) (yes int) {
			for range n {
				if policy.Allowed(action, permissions.Integration(integration).
					Credential(permissions.ID(id), permissions.NoExternalID())) {
					yes++
				}
			}
			return yes
		}
	case form.credential.externalID.state == permissions.Absent:
		loop = func(n int) (yes int) {
			for range n {
				if policy.Allowed(action, permissions.Integration(integration).
					Credential(permissions.ID(id), permissions.NoExternalID()).
					Configuration(permissions.NoID(), permissions.ExternalID(configurationExternalID))) {
					yes++
				}
			}
			return yes
		}
	default:
		loop = func(n int) (yes int) {
			for range n {
				if policy.Allowed(action, permissions.Integration(integration).
					Credential(permissions.ID(id), permissions.ExternalID(externalID)).
					Configuration(permissions.ID(configurationID), permissions.ExternalID(configurationExternalID))) {
					yes++
				}
			}
			return yes
		}
	}
	return loop
}
