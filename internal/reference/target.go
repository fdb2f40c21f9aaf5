package reference

import (
	"slices"
	"strings"
)

// A State says what a caller knows of an identifier (SPEC 3.2). The zero State is Unknown.
type State int

const (
	Unknown State = iota // nobody has looked
	Absent               // it was looked up, and does not exist
	Known                // it is Identifier.Value
)

// An Identifier is the ID or the external ID of a credential or a configuration. The zero Identifier is
// unknown (SPEC 3.2).
type Identifier struct {
	State State
	Value string // counts only if State is Known
}

// A Level is what is known of a credential or a configuration. In the zero Level both identifiers are
// unknown: some credential, and nobody can say which (SPEC 3.2).
type Level struct {
	ID, ExternalID Identifier
}

// A Target is what an action is asked of (SPEC 3.1). A level that is nil is not there. The zero Target is
// the user.
type Target struct {
	Integration   *string
	Credential    *Level
	Configuration *Level
}

// ValidTarget reports whether a target is valid by itself, whatever the action (SPEC 3.4).
func ValidTarget(t Target) bool {
	// The target has a level but not every level above it (SPEC 3.4).
	if t.Configuration != nil && t.Credential == nil {
		return false
	}
	if t.Credential != nil && t.Integration == nil {
		return false
	}
	// A name, ID or external ID is one that 2.4 or 2.5 forbids (SPEC 3.4).
	if t.Integration != nil && !validName(*t.Integration) {
		return false
	}
	return validLevel(t.Credential) && validLevel(t.Configuration)
}

// validLevel reports whether the identifiers of a level are valid. A level that is not there is valid.
func validLevel(l *Level) bool {
	return l == nil || validIdentifier(l.ID, validID) && validIdentifier(l.ExternalID, validExternalID)
}

func validIdentifier(i Identifier, isValid func(string) bool) bool {
	switch i.State { // one of three (SPEC 3.2)
	case Unknown, Absent:
		return true
	case Known:
		return isValid(i.Value) // 2.4 or 2.5 does not forbid it (SPEC 3.4)
	default:
		return false
	}
}

// ValidQuestion reports whether a question is valid (SPEC 3.4).
func (p *Policy) ValidQuestion(action string, t Target) bool {
	if !slices.Contains(p.permissions(), action) { // the action is neither one of the ten nor declared
		return false
	}
	return ValidTarget(t) && cell(action, newObject(t).depth) != invalid // the table has the question (SPEC 3.3)
}

// Reference reads a reference: how the platform's SDK and its request headers name a credential or a
// configuration in one string (SPEC 3.5). In the level that it returns, one identifier is known and the
// other unknown. An ID is in lower case. Reference returns false for a string that cannot be a reference.
func Reference(ref string) (Level, bool) {
	if validID(ref) { // a UUID as 2.5 spells it is the ID
		return Level{ID: Identifier{Known, canonicalID(ref)}}, true
	}
	external := strings.TrimPrefix(ref, "ext:") // one ext: in lower case is removed
	if !validExternalID(external) {             // 2.4 holds for what is left
		return Level{}, false
	}
	return Level{ExternalID: Identifier{Known, external}}, true
}

// An object is something that a rule can apply to: the user, or an integration, credential or
// configuration with everything above it. Unlike a Target it is a plain value, and its IDs are in lower
// case.
type object struct {
	depth         kind
	integration   string
	credential    Level
	configuration Level
}

// newObject returns the object that a valid target names.
func newObject(t Target) object {
	var o object
	if t.Integration != nil {
		o.depth, o.integration = integration, *t.Integration
	}
	if t.Credential != nil {
		o.depth, o.credential = credential, canonicalLevel(*t.Credential)
	}
	if t.Configuration != nil {
		o.depth, o.configuration = configuration, canonicalLevel(*t.Configuration)
	}
	return o
}

// canonicalLevel returns a level with its ID in lower case (SPEC 2.5).
func canonicalLevel(l Level) Level {
	l.ID.Value = canonicalID(l.ID.Value)
	return l
}

// level returns the object's credential or configuration, to read or to change.
func (o *object) level(k kind) *Level {
	if k == credential {
		return &o.credential
	}
	return &o.configuration
}

// A thing is a cell of the table of 3.3: what an action acts on.
type thing int

const (
	invalid thing = iota
	itself        // what the target names
	aCredential
	newCredential
	aConfiguration
	newConfiguration
)

// actsOn is the table of 3.3. Its columns are the user, an integration, a credential and a configuration.
// It is not modified.
var actsOn = map[string][4]thing{
	"events":           {itself, itself, itself, itself},
	"metadata:read":    {itself, itself, itself, itself},
	"metadata:write":   {itself, itself, itself, itself},
	"actionkit":        {itself, aCredential, itself, itself},
	"proxy-api":        {invalid, aCredential, itself, itself},
	"credential:write": {invalid, newCredential, itself, itself},
	"settings:read":    {invalid, aConfiguration, aConfiguration, itself},
	"settings:write":   {invalid, aConfiguration, aConfiguration, itself},
	"workflows":        {invalid, aConfiguration, aConfiguration, itself},
	"config:write":     {invalid, newConfiguration, newConfiguration, itself},
}

// cell returns what an action acts on that is asked of a target with the given depth (SPEC 3.3). The
// action is one of the ten or declared.
func cell(action string, depth kind) thing {
	row, isOneOfTen := actsOn[action]
	if !isOneOfTen {
		return itself // a declared extra permission acts on what it is asked of (SPEC 3.3)
	}
	return row[depth]
}

// actedOn returns what a valid question is about: the object that the target names, with the levels that
// it lacks (SPEC 4.3).
func actedOn(action string, o object) object {
	switch cell(action, o.depth) {
	case aCredential:
		return o.downTo(credential)
	case newCredential:
		return o.downTo(credential).asNew()
	case aConfiguration:
		return o.downTo(configuration)
	case newConfiguration:
		return o.downTo(configuration).asNew()
	default:
		return o
	}
}

// downTo returns the object with the missing levels. Both identifiers of such a level are unknown
// (SPEC 4.3).
func (o object) downTo(depth kind) object {
	for o.depth < depth {
		o.depth++
		*o.level(o.depth) = Level{}
	}
	return o
}

// asNew returns the object as one that is yet to be created: the ID of its deepest level is absent
// (SPEC 4.3).
func (o object) asNew() object {
	o.level(o.depth).ID = Identifier{State: Absent}
	return o
}
