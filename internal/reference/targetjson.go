package reference

import (
	"encoding/json"
	"strings"
)

// ParseTarget reads a target from JSON (SPEC 3.6). IDs in the target are in lower case. It returns false
// for anything that is not a valid target.
func ParseTarget(text []byte) (Target, bool) {
	r := newReader(text)
	t, ok := readTarget(r)
	if !ok || !r.atEnd() || !ValidTarget(t) { // trailing data, or a target that 3.4 calls invalid
		return Target{}, false
	}
	for _, level := range []*Level{t.Credential, t.Configuration} {
		if level != nil {
			*level = canonicalLevel(*level)
		}
	}
	return t, true
}

// readTarget reads the object of a target.
func readTarget(r *reader) (Target, bool) {
	var t Target
	if token, ok := r.next(); !ok || token != json.Delim('{') { // a target is an object
		return t, false
	}
	for {
		token, ok := r.next()
		if !ok {
			return t, false
		}
		switch token { // names compare exactly
		case json.Delim('}'):
			return t, true
		case "integration":
			if t.Integration != nil { // a repeated member
				return t, false
			}
			value, _ := r.next()
			name, isString := value.(string) // null is an error here
			if !isString {
				return t, false
			}
			t.Integration = &name
		case "credential":
			if t.Credential != nil { // a repeated member
				return t, false
			}
			if t.Credential, ok = readLevel(r); !ok {
				return t, false
			}
		case "configuration":
			if t.Configuration != nil { // a repeated member
				return t, false
			}
			if t.Configuration, ok = readLevel(r); !ok {
				return t, false
			}
		default: // any other member
			return t, false
		}
	}
}

// readLevel reads the object of a credential or a configuration.
func readLevel(r *reader) (*Level, bool) {
	if token, ok := r.next(); !ok || token != json.Delim('{') { // a level is an object, and not null
		return nil, false
	}
	var l Level // an identifier that is missing is unknown
	for {
		token, ok := r.next()
		if !ok {
			return nil, false
		}
		switch token { // names compare exactly
		case json.Delim('}'):
			return &l, true
		case "id":
			if l.ID.State != Unknown { // a repeated member
				return nil, false
			}
			if l.ID, ok = readIdentifier(r); !ok {
				return nil, false
			}
		case "externalId":
			if l.ExternalID.State != Unknown { // a repeated member
				return nil, false
			}
			if l.ExternalID, ok = readIdentifier(r); !ok {
				return nil, false
			}
		default: // any other member
			return nil, false
		}
	}
}

// readIdentifier reads the value of an identifier: a string, or null for absent. It never returns an
// unknown identifier.
func readIdentifier(r *reader) (Identifier, bool) {
	token, ok := r.next()
	if !ok {
		return Identifier{}, false
	}
	switch value := token.(type) {
	case nil:
		return Identifier{State: Absent}, true
	case string:
		return Identifier{Known, value}, true
	default: // a value of another type
		return Identifier{}, false
	}
}

// FormatTarget writes a valid target as JSON: IDs in lower case, members in the order integration,
// credential, configuration, id, externalId, no white space, and no escapes but those that JSON requires
// (SPEC 3.6). It returns "" for a target that is not valid.
func FormatTarget(t Target) string {
	if !ValidTarget(t) {
		return ""
	}
	var members []string
	if t.Integration != nil {
		members = append(members, `"integration":`+quote(*t.Integration))
	}
	if t.Credential != nil {
		members = append(members, `"credential":`+formatLevel(*t.Credential))
	}
	if t.Configuration != nil {
		members = append(members, `"configuration":`+formatLevel(*t.Configuration))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func formatLevel(l Level) string {
	l = canonicalLevel(l)
	var members []string
	for _, member := range []struct {
		name       string
		identifier Identifier
	}{{"id", l.ID}, {"externalId", l.ExternalID}} {
		switch member.identifier.State {
		case Absent:
			members = append(members, quote(member.name)+":null")
		case Known:
			members = append(members, quote(member.name)+":"+quote(member.identifier.Value))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// quote returns a JSON string. A text that 2.4 allows has no control character, so only quotation marks
// and backslashes need an escape.
func quote(text string) string {
	text = strings.ReplaceAll(text, `\`, `\\`) // first, because the next line adds backslashes
	return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"`
}
