package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// What the policy engines need said in common: a claim as a list of rules, and a
// question with an identifier at each level. Making either is never timed, as a
// service would load its policies ahead; for the question that is a present to
// the engines, which the hand-written walk and our library do not get.

// A rule is one rule of a claim, with a pattern at each level: an ID or name, an
// external ID behind "ext:", "*", or "" below the level that the rule is about.
type rule struct {
	integration, credential, configuration string
	grant                                  []string // with what each includes; everything is "*"
}

const (
	wildcard = "*"
	noLevel  = ""
	absent   = "ext:" // an identifier that the object has not; no rule can spell it
)

// rulesOf lists the rules of a valid claim, the most specific first.
func rulesOf(claim []byte) ([]rule, error) {
	var tree map[string]any
	if err := json.Unmarshal(claim, &tree); err != nil {
		return nil, err
	}
	var rules []rule
	var walk func(tree map[string]any, outer rule) error
	walk = func(tree map[string]any, outer rule) error {
		for scope, value := range tree {
			r, err := outer.within(scope)
			if err != nil {
				return err
			}
			switch value := value.(type) {
			case map[string]any:
				if err := walk(value, r); err != nil {
					return err
				}
				continue
			case bool:
				if value {
					r.grant = []string{wildcard}
				}
			case []any:
				for _, name := range value {
					r.grant = append(r.grant, name.(string))
					if object, ok := strings.CutSuffix(name.(string), ":write"); ok && (object == "settings" || object == "metadata") {
						r.grant = append(r.grant, object+":read")
					}
				}
				slices.Sort(r.grant)
				r.grant = slices.Compact(r.grant)
			}
			rules = append(rules, r)
		}
		return nil
	}
	if err := walk(tree, rule{}); err != nil {
		return nil, err
	}
	slices.SortFunc(rules, moreSpecific)
	return rules, nil
}

// within is the rule of a scope that stands inside r's.
func (r rule) within(scope string) (rule, error) {
	kind, pattern, _ := strings.Cut(scope, ":")
	switch kind {
	case "integration":
		r.integration = pattern
		return r, nil
	case "credential":
		r.credential = canonical(pattern)
	case "configuration":
		r.configuration = canonical(pattern)
		if r.credential == noLevel {
			r.credential = wildcard
		}
	default:
		return r, fmt.Errorf("unknown scope %q", scope)
	}
	if r.integration == noLevel {
		r.integration = wildcard
	}
	return r, nil
}

// moreSpecific orders by depth, which noLevel's rank stands for, and then from the
// deepest level up.
func moreSpecific(a, b rule) int {
	rank := func(pattern string) int {
		switch {
		case pattern == noLevel:
			return 3
		case pattern == wildcard:
			return 2
		case strings.HasPrefix(pattern, "ext:"):
			return 1
		}
		return 0
	}
	for _, level := range [][2]string{
		{a.configuration, b.configuration}, {a.credential, b.credential}, {a.integration, b.integration},
	} {
		if d := rank(level[0]) - rank(level[1]); d != 0 {
			return d
		}
	}
	return strings.Compare(a.configuration+"\n"+a.credential+"\n"+a.integration, b.configuration+"\n"+b.credential+"\n"+b.integration)
}

// canonical is an identifier in lower case if it is a UUID.
func canonical(id string) string {
	if len(id) != 36 {
		return id
	}
	for i, c := range []byte(id) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
		if dash && c != '-' || !dash && !hex {
			return id
		}
	}
	return strings.ToLower(id)
}

// A question names a level by both of its fields, one of which may be absent, or
// leaves both empty.
type question struct {
	action                          string
	integration                     string
	credential, credentialExt       string
	configuration, configurationExt string
}

// questionOf is the question about a valid target. Whoever creates something asks about
// one without a name; an identifier that is open counts as absent.
func questionOf(action permissions.Permission, t permissions.Target) question {
	q := question{action: string(action), integration: t.Integration}
	q.credential, q.credentialExt = level(t.CredentialID, t.CredentialExternalID)
	q.configuration, q.configurationExt = level(t.ConfigurationID, t.ConfigurationExternalID)
	switch {
	case action == permissions.CredentialWrite && q.integration != "" && q.credential == noLevel:
		q.credential, q.credentialExt = absent, absent
	case action == permissions.ConfigWrite && q.credential != noLevel && q.configuration == noLevel:
		q.configuration, q.configurationExt = absent, absent
	}
	return q
}

func level(id, externalID string) (string, string) {
	if id == "" && externalID == "" {
		return noLevel, noLevel
	}
	return identifier("", canonical(id)), identifier("ext:", externalID)
}

func identifier(prefix, id string) string {
	if id == "" || id == permissions.None {
		return absent
	}
	return prefix + id
}
