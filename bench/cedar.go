package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/connectperms/permissions"
)

const cedarBeyond = "Policies in a language that can be analyzed, entity hierarchies, schemas, partial evaluation, which policies decided."

var cedarPolicies = contender{
	name: "cedar-go, a policy for each rule",
	model: "Each rule that grants something is a `permit` of its actions `when` the identifiers match `unless` those of a " +
		"more specific rule do, because Cedar knows no order among policies. Its time grows with the rules.",
	beyond:  cedarBeyond,
	without: engineWithout,
	most:    1_000,
	load: func(claim []byte) (loaded, error) {
		rules, err := rulesOf(claim)
		if err != nil {
			return loaded{}, err
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
			return loaded{}, err
		}
		return cedarLoaded(types.EntityMap{}, cedarContext, func(permissions.Kind) *cedar.PolicySet { return policies }), nil
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
	name: "cedar-go, a policy over tags",
	model: "The rules are data: a tree of entity tags from configuration to credential to integration. A fixed policy for each level of " +
		"target tries the paths that can apply, the most specific first. Less usual Cedar than a policy for each rule, but its cost " +
		"does not grow with the rules.",
	beyond:  cedarBeyond,
	without: engineWithout,
	load: func(claim []byte) (loaded, error) {
		rules, err := rulesOf(claim)
		if err != nil {
			return loaded{}, err
		}
		tags := func(level permissions.Kind) *cedar.PolicySet { return cedarTagPolicies[level] }
		return cedarLoaded(cedarTree(rules), cedarContext, tags), nil
	},
}

// cedarTagPolicies has a policy for each level of target.
var cedarTagPolicies = func() (sets [permissions.KindConfiguration + 1]*cedar.PolicySet) {
	none := []string{`""`}
	anyOf := func(field string) []string { return []string{"context." + field, "context." + field + "Ext", `"*"`} }
	integrations := []string{"context.integration", `"*"`}
	root := [3][]string{none, none, {`"*"`}}
	integration := [3][]string{none, none, integrations}
	credential := [3][]string{none, anyOf("credential"), integrations}
	configuration := [3][]string{anyOf("configuration"), anyOf("credential"), integrations}
	for level, paths := range map[permissions.Kind][][3][]string{
		permissions.KindUser:          {root},
		permissions.KindIntegration:   {integration},
		permissions.KindCredential:    {credential, integration},
		permissions.KindConfiguration: {configuration, credential, integration},
	} {
		var b strings.Builder
		b.WriteString("permit (principal, action, resource) when {\n")
		for _, p := range paths {
			for _, configuration := range p[0] {
				for _, credential := range p[1] {
					for _, integration := range p[2] {
						outer := fmt.Sprintf("principal.getTag(%s)", configuration)
						inner := fmt.Sprintf("%s.getTag(%s)", outer, credential)
						fmt.Fprintf(&b, "  if principal.hasTag(%s) && %s.hasTag(%s) && %s.hasTag(%s) then %s.getTag(%s).contains(action) else\n",
							configuration, outer, credential, inner, integration, inner, integration)
					}
				}
			}
		}
		b.WriteString("  false\n};\n")
		policies, err := cedar.NewPolicySetFromBytes("tags.cedar", []byte(b.String()))
		if err != nil {
			panic(err)
		}
		sets[level] = policies
	}
	return sets
}()

// cedarTree returns entities with the rules as tags. From the principal, the tag of the configuration leads to an
// entity, from there the tag of the credential to another, and its tag of the integration is the grant.
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
		if tags[at] == nil {
			tags[at] = types.RecordMap{}
		}
		tags[at][types.String(r.integration)] = cedarGrant(r)
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

// cedarGrant returns the set of the actions that a rule grants.
func cedarGrant(r rule) types.Set {
	var grant []types.Value
	if slices.Equal(r.grant, []string{wildcard}) {
		for _, action := range permissions.AllPermissions() {
			grant = append(grant, cedarAction(string(action)))
		}
		return types.NewSet(grant...)
	}
	for _, action := range r.grant {
		grant = append(grant, cedarAction(action))
	}
	return types.NewSet(grant...)
}

var cedarCandidates = contender{
	name: "cedar-go, candidate rules",
	model: "The rules are entities, named for their paths. The question has the names of the rules that could apply, the most specific " +
		"first, and a fixed policy takes the first that exists. So much of the work is done before Cedar is asked: this is the fastest " +
		"model for a question that is ready, and tags are where many rules could apply and the question is not.",
	beyond:  cedarBeyond,
	without: engineWithout,
	load: func(claim []byte) (loaded, error) {
		rules, err := rulesOf(claim)
		if err != nil {
			return loaded{}, err
		}
		entities := types.EntityMap{}
		for _, r := range rules {
			uid := cedarRule(r.configuration, r.credential, r.integration)
			entities[uid] = types.Entity{UID: uid, Attributes: types.NewRecord(types.RecordMap{"grant": cedarGrant(r)})}
		}
		candidates := func(permissions.Kind) *cedar.PolicySet { return cedarCandidatePolicies }
		return cedarLoaded(entities, cedarCandidateContext, candidates), nil
	},
}

func cedarRule(configuration, credential, integration string) types.EntityUID {
	return types.NewEntityUID("Rule", types.String(configuration+"\n"+credential+"\n"+integration))
}

// cedarCandidateNames are the members of a context that has candidate rules: 3 by 3 by 2 for a
// configuration, 3 by 2 for a credential, and 2 for an integration.
var cedarCandidateNames = func() (names [3*3*2 + 3*2 + 2]types.String) {
	for i := range names {
		names[i] = types.String(fmt.Sprintf("rule%d", i))
	}
	return names
}()

var cedarCandidatePolicies = func() *cedar.PolicySet {
	var b strings.Builder
	b.WriteString("permit (principal, action, resource) when {\n")
	for _, name := range cedarCandidateNames {
		fmt.Fprintf(&b, "  if !(context has %[1]s) then false else if context.%[1]s has grant then context.%[1]s.grant.contains(action) else\n", name)
	}
	b.WriteString("  false\n};\n")
	policies, err := cedar.NewPolicySetFromBytes("candidates.cedar", []byte(b.String()))
	if err != nil {
		panic(err)
	}
	return policies
}()

func cedarCandidateContext(e engineQuestion) types.RecordMap {
	context := types.RecordMap{}
	add := func(configuration, credential, integration string) {
		context[cedarCandidateNames[len(context)]] = cedarRule(configuration, credential, integration)
	}
	patterns := func(id, externalID string) []string {
		switch {
		case id == noLevel:
			return nil
		case id == noText && externalID == noText:
			return []string{wildcard}
		case id == noText:
			return []string{externalID, wildcard}
		case externalID == noText:
			return []string{id, wildcard}
		}
		return []string{id, externalID, wildcard}
	}
	credentials := patterns(e.credential, e.credentialExt)
	for _, configuration := range append(patterns(e.configuration, e.configurationExt), noLevel) {
		for _, credential := range credentials {
			add(configuration, credential, e.integration)
			add(configuration, credential, wildcard)
		}
	}
	if e.integration != "" {
		add(noLevel, noLevel, e.integration)
	}
	add(noLevel, noLevel, wildcard)
	return context
}

// cedarLoaded asks the policies for the level of a target about entities.
func cedarLoaded(
	entities types.EntityMap, context func(engineQuestion) types.RecordMap, policies func(level permissions.Kind) *cedar.PolicySet,
) loaded {
	request := func(q *question) cedar.Request {
		e := q.forEngines()
		return cedar.Request{
			Principal: cedarPrincipal, Action: cedarAction(e.action), Resource: cedarResource, Context: types.NewRecord(context(e)),
		}
	}
	authorize := func(level permissions.Kind, request cedar.Request) bool {
		decision, diagnostic := cedar.Authorize(policies(level), entities, request)
		if len(diagnostic.Errors) > 0 {
			panic(diagnostic.Errors[0])
		}
		return decision == cedar.Allow
	}
	return loaded{
		build: func(q *question) bool { return authorize(q.actsOn(), request(q)) },
		prepare: func(q *question) func() bool {
			level, request := q.actsOn(), request(q)
			return func() bool { return authorize(level, request) }
		},
	}
}

// cedarContext has the identifiers of a question.
func cedarContext(e engineQuestion) types.RecordMap {
	return types.RecordMap{
		"integration":      types.String(e.integration),
		"credential":       types.String(e.credential),
		"credentialExt":    types.String(e.credentialExt),
		"configuration":    types.String(e.configuration),
		"configurationExt": types.String(e.configurationExt),
	}
}

var cedarResource = types.NewEntityUID("Target", "")
