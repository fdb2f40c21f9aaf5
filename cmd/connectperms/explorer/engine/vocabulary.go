package engine

import "github.com/connectperms/permissions"

// A permission is one of the ten, what it is for, and what it acts on (SPEC 1.4, 1.5, 3.3).
type permission struct {
	name        permissions.Permission
	constant    string
	description string
	includes    []permissions.Permission
	actsOn      actsOn
}

// actsOn says what a permission acts on, for each level of the target.
type actsOn struct {
	User          string `json:"user"`
	Integration   string `json:"integration"`
	Credential    string `json:"credential"`
	Configuration string `json:"configuration"`
}

const (
	theUser, theIntegration, theCredential, itself = "the user", "the integration", "the credential", "itself"
	aCredential, aConfiguration                    = "a credential", "a configuration"
	newCredential, newConfiguration                = "a new credential", "a new configuration"
	invalid                                        = "invalid"
)

var vocabulary = []permission{
	{
		permissions.CredentialWrite, "CredentialWrite",
		"connect a new credential, reconnect or disconnect an existing one", nil,
		actsOn{invalid, newCredential, theCredential, itself},
	},
	{
		permissions.ConfigWrite, "ConfigWrite", "create, modify or destroy a configuration", nil,
		actsOn{invalid, newConfiguration, newConfiguration, itself},
	},
	{
		permissions.SettingsRead, "SettingsRead", "read User Settings and Workflow enablement", nil,
		actsOn{invalid, aConfiguration, aConfiguration, itself},
	},
	{
		permissions.SettingsWrite, "SettingsWrite", "write and read User Settings and Workflow enablement",
		[]permissions.Permission{permissions.SettingsRead},
		actsOn{invalid, aConfiguration, aConfiguration, itself},
	},
	{
		permissions.MetadataRead, "MetadataRead", "read User Metadata", nil,
		actsOn{theUser, theIntegration, theCredential, itself},
	},
	{
		permissions.MetadataWrite, "MetadataWrite", "write and read User Metadata",
		[]permissions.Permission{permissions.MetadataRead},
		actsOn{theUser, theIntegration, theCredential, itself},
	},
	{
		permissions.ProxyAPI, "ProxyAPI", "send requests to the Proxy API", nil,
		actsOn{invalid, aCredential, theCredential, itself},
	},
	{
		permissions.Events, "Events", "send App Events", nil,
		actsOn{theUser, theIntegration, theCredential, itself},
	},
	{
		permissions.Workflows, "Workflows", "send Workflow Request triggers", nil,
		actsOn{invalid, aConfiguration, aConfiguration, itself},
	},
	{
		permissions.ActionKit, "ActionKit", "make ActionKit API requests", nil,
		actsOn{theUser, aCredential, theCredential, itself},
	},
}

// constants has the name in Go of each permission.
var constants = func() map[permissions.Permission]string {
	names := make(map[permissions.Permission]string)
	for _, p := range vocabulary {
		names[p.name] = p.constant
	}
	return names
}()

type vocabularyAnswer struct {
	Permissions []vocabularyItem `json:"permissions"`
}

type vocabularyItem struct {
	Name        permissions.Permission   `json:"name"`
	Description string                   `json:"description"`
	Includes    []permissions.Permission `json:"includes"`
	ActsOn      actsOn                   `json:"actsOn"`
}

func (e *Engine) vocabulary(r *Request) (any, error) {
	if err := r.End(); err != nil {
		return nil, err
	}
	var answer vocabularyAnswer
	for _, p := range vocabulary {
		includes := append([]permissions.Permission{}, p.includes...)
		answer.Permissions = append(answer.Permissions, vocabularyItem{p.name, p.description, includes, p.actsOn})
	}
	return answer, nil
}
