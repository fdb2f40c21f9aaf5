package main

import (
	"fmt"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/connectperms/permissions"
)

var cedarPolicies = contender{
	name: "cedar-go, a policy per rule",
	model: "Each rule that grants something is a `permit` of its actions `when` the identifiers match `unless` those of a " +
		"more specific rule do, since Cedar knows no order among policies. Its time grows with the rules.",
	most: 1_000,
	load: func(claim []byte) (prepared, error) {
		rules, err := rulesOf(claim)
		if err != nil {
			return nil, err
		}
		var text strings.Builder
		for i, r := range rules {
			if len(r.grant) == 0 {
				continue
			}
			actions := "action"
			if r.grant[0] != wildcard {
				actions = "action in [" + cedarActions(r.grant) + "]"
			}
			fmt.Fprintf(&text, "permit (principal, %s, resource) when { %s }", actions, cedarMatch(r, rule{}))
			var unless []string
			for _, other := range rules[:i] {
				if overlap(r, other) {
					unless = append(unless, cedarMatch(other, r))
				}
			}
			if len(unless) > 0 {
				fmt.Fprintf(&text, " unless { %s }", strings.Join(unless, " || "))
			}
			text.WriteString(";\n")
		}
		policies, err := cedar.NewPolicySetFromBytes("claim.cedar", []byte(text.String()))
		if err != nil {
			return nil, err
		}
		return cedarPrepared(policies, types.EntityMap{}), nil
	},
}

// cedarMatch is the condition that rule r applies, where it is known that rule
// outer does.
func cedarMatch(r, outer rule) string {
	var all []string
	level := func(pattern, known, field string) {
		switch {
		case pattern == noLevel, pattern == known, pattern == wildcard && known != noLevel:
		case pattern == wildcard:
			all = append(all, fmt.Sprintf("context.%s != %q", field, noLevel))
		case strings.HasPrefix(pattern, "ext:"):
			all = append(all, fmt.Sprintf("context.%sExt == %s", field, cedarString(pattern)))
		default:
			all = append(all, fmt.Sprintf("context.%s == %s", field, cedarString(pattern)))
		}
	}
	level(r.configuration, outer.configuration, "configuration")
	level(r.credential, outer.credential, "credential")
	if r.integration != wildcard {
		level(r.integration, outer.integration, "integration")
	}
	if len(all) == 0 {
		return "true"
	}
	return "(" + strings.Join(all, " && ") + ")"
}

// overlap reports whether one target can be matched by both rules.
func overlap(a, b rule) bool {
	level := func(a, b string) bool {
		return a == b || a == noLevel || b == noLevel || a == wildcard || b == wildcard ||
			strings.HasPrefix(a, "ext:") != strings.HasPrefix(b, "ext:")
	}
	return level(a.integration, b.integration) && level(a.credential, b.credential) && level(a.configuration, b.configuration)
}

var cedarTags = contender{
	name: "cedar-go, one policy over tags",
	model: "The rules are data, a tree of entity tags from configuration to credential to integration, and a fixed " +
		"policy tries the paths that can apply, the most specific first. Less usual Cedar than the other, but its cost " +
		"does not grow with the rules.",
	load: func(claim []byte) (prepared, error) {
		rules, err := rulesOf(claim)
		if err != nil {
			return nil, err
		}
		policies, err := cedar.NewPolicySetFromBytes("tags.cedar", []byte(cedarTagPolicies()))
		if err != nil {
			return nil, err
		}
		return cedarPrepared(policies, cedarTree(rules)), nil
	},
}

func cedarTagPolicies() string {
	none := []string{`""`}
	anyOf := func(field string) []string {
		if field == "integration" {
			return []string{"context.integration", `"*"`}
		}
		return []string{"context." + field, "context." + field + "Ext", `"*"`}
	}
	var b strings.Builder
	policy := func(resource string, levels ...[3][]string) {
		fmt.Fprintf(&b, "permit (principal, action, resource is %s) when {\n", resource)
		for _, l := range levels {
			for _, configuration := range l[0] {
				for _, credential := range l[1] {
					for _, integration := range l[2] {
						outer := fmt.Sprintf("principal.getTag(%s)", configuration)
						inner := fmt.Sprintf("%s.getTag(%s)", outer, credential)
						fmt.Fprintf(&b, "  if principal.hasTag(%s) && %s.hasTag(%s) && %s.hasTag(%s) then %s.getTag(%s).containsAny(context.actions) else\n",
							configuration, outer, credential, inner, integration, inner, integration)
					}
				}
			}
		}
		b.WriteString("  false\n};\n")
	}
	root := [3][]string{none, none, {`"*"`}}
	integration := [3][]string{none, none, anyOf("integration")}
	credential := [3][]string{none, anyOf("credential"), anyOf("integration")}
	configuration := [3][]string{anyOf("configuration"), anyOf("credential"), anyOf("integration")}
	policy("User", root)
	policy("Integration", integration)
	policy("Credential", credential, integration)
	policy("Configuration", configuration, credential, integration)
	return b.String()
}

// cedarTree holds the grant at tag integration of tag credential of tag
// configuration of the principal.
func cedarTree(rules []rule) types.EntityMap {
	tags := map[types.EntityUID]types.RecordMap{}
	down := func(from types.EntityUID, tag string) types.EntityUID {
		to := types.NewEntityUID("Scope", from.ID+"\n"+types.String(tag))
		if tags[from] == nil {
			tags[from] = types.RecordMap{}
		}
		tags[from][types.String(tag)] = to
		return to
	}
	for _, r := range rules {
		at := down(down(cedarPrincipal, r.configuration), r.credential)
		var grant []types.Value
		for _, action := range r.grant {
			grant = append(grant, cedarAction(action))
		}
		if tags[at] == nil {
			tags[at] = types.RecordMap{}
		}
		tags[at][types.String(r.integration)] = types.NewSet(grant...)
	}
	entities := types.EntityMap{}
	for uid, t := range tags {
		entities[uid] = types.Entity{UID: uid, Tags: types.NewRecord(t)}
	}
	return entities
}

var cedarPrincipal = types.NewEntityUID("Claim", "")

func cedarAction(name string) types.EntityUID {
	return types.NewEntityUID("Action", types.String(name))
}

func cedarString(s string) string { return string(types.String(s).MarshalCedar()) }

func cedarActions(names []string) string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = "Action::" + cedarString(name)
	}
	return strings.Join(list, ", ")
}

func cedarPrepared(policies *cedar.PolicySet, entities types.EntityMap) prepared {
	return func(action permissions.Permission, t permissions.Target) func() bool {
		q := questionOf(action, t)
		resource := "User"
		switch {
		case q.configuration != noLevel:
			resource = "Configuration"
		case q.credential != noLevel:
			resource = "Credential"
		case q.integration != noLevel:
			resource = "Integration"
		}
		request := cedar.Request{
			Principal: cedarPrincipal,
			Action:    cedarAction(q.action),
			Resource:  types.NewEntityUID(types.EntityType(resource), ""),
			Context: types.NewRecord(types.RecordMap{
				"actions":          types.NewSet(cedarAction(q.action), cedarAction(wildcard)),
				"integration":      types.String(q.integration),
				"credential":       types.String(q.credential),
				"credentialExt":    types.String(q.credentialExt),
				"configuration":    types.String(q.configuration),
				"configurationExt": types.String(q.configurationExt),
			}),
		}
		return func() bool {
			decision, diagnostic := cedar.Authorize(policies, entities, request)
			if len(diagnostic.Errors) > 0 {
				panic(diagnostic.Errors[0])
			}
			return decision == cedar.Allow
		}
	}
}
