package main

import (
	"encoding/json"

	"github.com/connectperms/permissions"
)

var handWritten = contender{
	name: "hand-written walk",
	model: "What a careful service developer writes over the `map[string]any` of golang-jwt's `MapClaims`: most specific " +
		"scope first, nested and skipped levels, creating asks `*`, write includes read. It validates neither claim nor " +
		"target, compares UUIDs by bytes, and lets an open identifier match nothing instead of leaving the question " +
		"undetermined.",
	load: func(claim []byte) (prepared, error) {
		var tree map[string]any
		if err := json.Unmarshal(claim, &tree); err != nil {
			return nil, err
		}
		return func(action permissions.Permission, t permissions.Target) func() bool {
			name := string(action)
			return func() bool { return walkAllowed(tree, name, &t) }
		}, nil
	},
}

// walkAllowed looks for the most specific grant: configurations before credentials
// before integrations, and at each level the ID, the external ID, and then any.
func walkAllowed(claim map[string]any, action string, t *permissions.Target) bool {
	// What may hold deeper scopes: the integration, any integration, the claim itself.
	holders := make([]map[string]any, 0, 3)
	if t.Integration != "" {
		if m, ok := claim["integration:"+t.Integration].(map[string]any); ok {
			holders = append(holders, m)
		}
		if m, ok := claim["integration:*"].(map[string]any); ok {
			holders = append(holders, m)
		}
		holders = append(holders, claim)
	}

	credentials := walkKeys("credential:", t.CredentialID, t.CredentialExternalID)
	if action == "credential:write" && t.Integration != "" && len(credentials) == 0 {
		credentials = []string{"credential:*"}
	}
	configurations := walkKeys("configuration:", t.ConfigurationID, t.ConfigurationExternalID)
	if action == "config:write" && t.CredentialID+t.CredentialExternalID != "" && len(configurations) == 0 {
		configurations = []string{"configuration:*"}
	}

	if len(configurations) > 0 {
		inner := make([]map[string]any, 0, 12)
		for _, key := range credentials {
			for _, m := range holders {
				if in, ok := m[key].(map[string]any); ok {
					inner = append(inner, in)
				}
				if key == "credential:*" { // as good as no credential named
					inner = append(inner, m)
				}
			}
		}
		if grant := walkFind(inner, configurations); grant != nil {
			return walkGrants(grant, action)
		}
	}
	if grant := walkFind(holders, credentials); grant != nil {
		return walkGrants(grant, action)
	}
	if t.Integration != "" {
		if grant := claim["integration:"+t.Integration]; isGrant(grant) {
			return walkGrants(grant, action)
		}
	}
	return walkGrants(claim["integration:*"], action)
}

func walkKeys(kind, id, externalID string) []string {
	if id == "" && externalID == "" {
		return nil
	}
	keys := make([]string, 0, 3)
	if id != "" && id != permissions.None {
		keys = append(keys, kind+id)
	}
	if externalID != "" && externalID != permissions.None {
		keys = append(keys, kind+"ext:"+externalID)
	}
	return append(keys, kind+"*")
}

func walkFind(holders []map[string]any, keys []string) any {
	for _, key := range keys {
		for _, m := range holders {
			if grant := m[key]; isGrant(grant) {
				return grant
			}
		}
	}
	return nil
}

func isGrant(v any) bool {
	_, nested := v.(map[string]any)
	return v != nil && !nested
}

func walkGrants(grant any, action string) bool {
	switch grant := grant.(type) {
	case bool:
		return grant
	case []any:
		for _, name := range grant {
			if name == action || action == "settings:read" && name == "settings:write" || action == "metadata:read" && name == "metadata:write" {
				return true
			}
		}
	}
	return false
}
