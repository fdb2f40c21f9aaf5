package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// The policy engines share two forms: a claim as a list of rules, and a question with two texts at
// each level.

// A rule is one rule of a claim, with a pattern at each level: an ID or a name, an external ID after
// "ext:", "*", or "" below the level of the rule.
type rule struct {
	integration, credential, configuration string
	grant                                  []string // with what each includes; everything is "*"
}

const (
	wildcard = "*"
	noLevel  = ""
	noText   = "ext:" // an identifier that is not known; no rule can spell it
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

// within returns the rule of a scope that is inside the scope of r.
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

// canonical returns the pattern of a credential or a configuration with an ID in lower case.
func canonical(pattern string) string {
	if strings.HasPrefix(pattern, "ext:") {
		return pattern
	}
	return strings.ToLower(pattern)
}

// moreSpecific orders by depth, and then from the deepest level up.
func moreSpecific(a, b rule) int {
	specificity := func(pattern string) int {
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
		if d := specificity(level[0]) - specificity(level[1]); d != 0 {
			return d
		}
	}
	return strings.Compare(a.configuration+"\n"+a.credential+"\n"+a.integration, b.configuration+"\n"+b.credential+"\n"+b.integration)
}

// An engineQuestion is a question about what the action acts on (SPEC 3.3, 4.3). A level that the
// question is about has two texts, noText for what is not known. Other levels have noLevel.
type engineQuestion struct {
	action                          string
	integration                     string
	credential, credentialExt       string
	configuration, configurationExt string
}

func (q *question) forEngines() engineQuestion {
	e := engineQuestion{action: string(q.action), integration: q.integration}
	level := q.actsOn()
	if level >= permissions.KindCredential {
		e.credential, e.credentialExt = q.credential.forEngines()
	}
	if level >= permissions.KindConfiguration {
		e.configuration, e.configurationExt = q.configuration.forEngines()
	}
	return e
}

func (o *object) forEngines() (id, externalID string) {
	id, externalID = noText, noText
	if o.id.state == permissions.Known {
		id = strings.ToLower(o.id.text)
	}
	if o.externalID.state == permissions.Known {
		externalID = "ext:" + o.externalID.text
	}
	return id, externalID
}

// actsOn returns the level of what the action acts on.
func (q *question) actsOn() permissions.Kind {
	if q.level == permissions.KindUser {
		return q.level
	}
	switch q.action {
	case permissions.ProxyAPI, permissions.ActionKit, permissions.CredentialWrite:
		return max(q.level, permissions.KindCredential)
	case permissions.SettingsRead, permissions.SettingsWrite, permissions.Workflows, permissions.ConfigWrite:
		return max(q.level, permissions.KindConfiguration)
	}
	return q.level
}
