package reference

// A State says what a caller knows of an identifier. // 3.4
type State int

const (
	Open  State = iota // nobody has looked
	None               // there is none
	Given              // it is Identifier.Value
)

// An Identifier is an ID or an external ID in a target. The zero value is open. // 3.4
type Identifier struct {
	State State
	Value string // counts only when State is Given
}

// A Target says what an action touches. The zero value is the user. // 3.1
type Target struct {
	Integration             string // "" when no integration is named
	CredentialID            Identifier
	CredentialExternalID    Identifier
	ConfigurationID         Identifier
	ConfigurationExternalID Identifier
}

// ValidTarget reports whether t is valid by 3.2.
func ValidTarget(t Target) bool {
	// 3.2: a level is named, but not every level above it
	if t.names(configuration) && !t.names(credential) {
		return false
	}
	if t.names(credential) && !t.names(integration) {
		return false
	}
	// 3.2: a name that 2.4 forbids
	if t.names(integration) && !validID(t.Integration) {
		return false
	}
	return validIdentifier(t.CredentialID, validID) &&
		validIdentifier(t.CredentialExternalID, validExternalID) &&
		validIdentifier(t.ConfigurationID, validID) &&
		validIdentifier(t.ConfigurationExternalID, validExternalID)
}

func validIdentifier(i Identifier, validName func(string) bool) bool {
	switch i.State { // 3.4
	case Open, None:
		return true
	case Given:
		return validName(i.Value) // 3.2, 2.4
	default:
		return false
	}
}

// names reports whether the target names the level. // 3.4
func (t Target) names(k kind) bool {
	if k == integration {
		return t.Integration != ""
	}
	identifierID, external := t.level(k)
	return identifierID.State != Open || external.State != Open // 3.4: given or said to be none
}

// depth is the deepest level that a valid target names: 0 for the user. // 3.1
func (t Target) depth() int {
	switch {
	case t.names(configuration):
		return 3
	case t.names(credential):
		return 2
	case t.names(integration):
		return 1
	default:
		return 0
	}
}

// level returns the ID and the external ID of the target's credential or configuration, to read or to set.
func (t *Target) level(k kind) (identifierID, external *Identifier) {
	if k == credential {
		return &t.CredentialID, &t.CredentialExternalID
	}
	return &t.ConfigurationID, &t.ConfigurationExternalID
}

// canonical returns the target with its IDs as they are compared. // 2.5
func (t Target) canonical() Target {
	t.CredentialID.Value = canonicalID(credential, t.CredentialID.Value)
	t.ConfigurationID.Value = canonicalID(configuration, t.ConfigurationID.Value)
	return t
}

// unnamed returns the target that the question is about: where the action creates something that has no name
// yet, that is an unnamed thing one level down. // 4.3
func (t Target) unnamed(action string) Target {
	// 4.3: credential:write asked of an integration is about an unnamed credential in it
	if action == "credential:write" && t.depth() == int(integration) {
		t.CredentialID = Identifier{State: None}
		t.CredentialExternalID = Identifier{State: Open}
	}
	// 4.3: config:write asked of a credential is about an unnamed configuration of it
	if action == "config:write" && t.depth() == int(credential) {
		t.ConfigurationID = Identifier{State: None}
		t.ConfigurationExternalID = Identifier{State: Open}
	}
	return t
}
