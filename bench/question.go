package main

import (
	"slices"

	"github.com/connectperms/permissions"
)

// A question is what a handler has in hand: strings that came with a request, and what it knows
// of each identifier. Every contender makes a question of its own from that.
type question struct {
	action                    permissions.Permission
	level                     permissions.Kind // how deep the target is
	integration               string
	credential, configuration object
}

// An object is a credential or a configuration.
type object struct{ id, externalID identifier }

// An identifier is the text of an ID or an external ID, if it is known.
type identifier struct {
	state permissions.State
	text  string
}

func known(text string) identifier { return identifier{permissions.Known, text} }

var absent = identifier{state: permissions.Absent}

// byID is an object that has an ID and no external ID.
func byID(id string) object { return object{known(id), absent} }

// byExternalID is an object that has an external ID and no ID.
func byExternalID(id string) object { return object{absent, known(id)} }

// target returns the target of q for this library.
func (q *question) target() permissions.Target {
	if q.level == permissions.KindUser {
		return permissions.User()
	}
	t := permissions.Integration(q.integration)
	if q.level >= permissions.KindCredential {
		t = t.Credential(q.credential.identifiers()...)
	}
	if q.level >= permissions.KindConfiguration {
		t = t.Configuration(q.configuration.identifiers()...)
	}
	return t
}

func (o object) identifiers() (list []permissions.Identifier) {
	switch o.id.state {
	case permissions.Known:
		list = append(list, permissions.ID(o.id.text))
	case permissions.Absent:
		list = append(list, permissions.NoID())
	}
	switch o.externalID.state {
	case permissions.Known:
		list = append(list, permissions.ExternalID(o.externalID.text))
	case permissions.Absent:
		list = append(list, permissions.NoExternalID())
	}
	return list
}

// cloned returns q with strings of its own, as those of a request are. To compare them with the
// strings of a policy takes looking at their bytes.
func (q question) cloned() question {
	for _, s := range q.texts() {
		*s = string(slices.Clone([]byte(*s)))
	}
	return q
}

func (q *question) texts() []*string {
	return []*string{&q.integration, &q.credential.id.text, &q.credential.externalID.text, &q.configuration.id.text, &q.configuration.externalID.text}
}
