package permissions

import (
	"log/slog"
	"strings"
)

// None says, as an identifier of a [Target], that there is none: it was looked up
// and is not there (SPEC 3.4). Say it only then. It is a value that can be no ID.
//
// An identifier that comes from outside, in a request's path say, must not be
// taken for None: refuse it if it is equal. A database refuses it too, where text
// holds no NUL.
const None = "\x00"

// A Target is what an action touches (SPEC 3.1): the user, an integration, a
// credential or a configuration. To name one, name every level above it: the
// credential of an integration takes Integration and one or both of the
// credential's identifiers.
//
// Give every identifier that is known. An empty one is open: nobody has looked. A
// policy never says yes when what is open might make it a no (SPEC 4.7). [None]
// says that there is none. A level is named by one of its identifiers, be it None.
//
// The zero Target is the user, to whom App Events and User Metadata belong.
type Target struct {
	Integration             string // name, such as salesforce
	CredentialID            string // with Integration
	CredentialExternalID    string
	ConfigurationID         string // with Integration and a credential
	ConfigurationExternalID string
}

// Validate returns nil if t is a target, and otherwise a [*TargetError] that says
// what SPEC 3.2 finds wrong with it: a level without every level above it, or a
// name that is none.
func (t Target) Validate() error {
	credential := t.CredentialID != "" || t.CredentialExternalID != ""
	configuration := t.ConfigurationID != "" || t.ConfigurationExternalID != ""
	for _, f := range t.fields() {
		if f.value == "" || f.value == None && f.id != integrationName {
			continue
		}
		if problem := f.id.check(f.value); problem != "" {
			return &TargetError{Field: f.name, Value: f.value, Problem: problem}
		}
	}
	if t.Integration == "" && (credential || configuration) {
		return &TargetError{Field: "Integration", Problem: "is empty, and must be named with what it holds"}
	}
	if configuration && !credential {
		return &TargetError{Field: "CredentialID", Problem: "is empty, and must be named with its configuration, by this or by CredentialExternalID"}
	}
	return nil
}

// field returns the field of an identifier.
func (t *Target) field(id identifier) *string {
	switch id {
	case integrationName:
		return &t.Integration
	case credentialExternalID:
		return &t.CredentialExternalID
	case credentialID:
		return &t.CredentialID
	case configurationExternalID:
		return &t.ConfigurationExternalID
	}
	return &t.ConfigurationID
}

// name returns an identifier.
func (t *Target) name(id identifier) string { return *t.field(id) }

type targetField struct {
	id          identifier
	name, value string
}

func (t *Target) fields() [identifiers]targetField {
	return [...]targetField{
		{integrationName, "Integration", t.Integration},
		{credentialExternalID, "CredentialExternalID", t.CredentialExternalID},
		{credentialID, "CredentialID", t.CredentialID},
		{configurationExternalID, "ConfigurationExternalID", t.ConfigurationExternalID},
		{configurationID, "ConfigurationID", t.ConfigurationID},
	}
}

// String returns a text for people: "the user", or what is named, such as
// integration "slack", credential "3fa85f64-5717-4562-b3fc-2c963f66afa6". It
// shortens what is long, and leaves out what is open.
func (t Target) String() string {
	if t == (Target{}) {
		return "the user"
	}
	var b strings.Builder
	for _, f := range t.fields() {
		if f.value == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(f.id.String())
		if f.value == None {
			b.WriteString(" none")
		} else {
			b.WriteString(" " + quote(f.value))
		}
	}
	return b.String()
}

// LogValue returns the identifiers that are not open as a group.
func (t Target) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, f := range t.fields() {
		switch f.value {
		case "":
		case None:
			attrs = append(attrs, slog.Any(f.id.String(), nil))
		default:
			attrs = append(attrs, slog.String(f.id.String(), f.value))
		}
	}
	return slog.GroupValue(attrs...)
}

// Identifiers is a set of the identifiers of a [Target]. The zero Identifiers is
// empty.
type Identifiers uint8

func (s Identifiers) has(id identifier) bool { return s&(1<<id) != 0 }

// Names of the identifiers, for people.
func (id identifier) String() string {
	return [...]string{
		"integration", "credential external ID", "credential ID", "configuration external ID", "configuration ID",
	}[id]
}

// String returns the names of the identifiers, such as "credential external ID",
// separated by "and".
func (s Identifiers) String() string {
	var list []string
	for id := range identifiers {
		if s.has(id) {
			list = append(list, id.String())
		}
	}
	return strings.Join(list, " and ")
}
