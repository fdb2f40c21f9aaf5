package reference_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/reference"
)

// On random claims and questions, 4.7 is what trying all combinations gives, 5.1 is what trying all
// targets gives, and what SPEC.md says about both together holds.
func TestConsequences(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 7))
	const claims, questions = 4_000, 8
	counts := map[string]int{}
	for range claims {
		policy, mistake := reference.Parse([]byte(randomClaim(random)), reference.Options{Extra: []string{"reports"}})
		if mistake != nil {
			require.Equal(t, "duplicate", mistake.Kind)
			continue
		}
		for range questions {
			action, target := pick(random, actions...), randomTarget(random)
			about := fmt.Sprintf("%v\n%s of %s", policy.Rules(), action, reference.FormatTarget(target))
			require.True(t, reference.ValidTarget(target), about)

			decision := policy.Decide(action, target)
			switch full, valid := withMissingLevels(action, target); {
			case !valid:
				counts["invalid"]++
				require.Equal(t, reference.Decision{Invalid: true}, decision, about)
			default:
				counts[checkDecision(t, policy, action, full, decision, about)]++
				want := denyingUnknowns(policy, action, full)
				require.ElementsMatch(t, want, unique(policy.DenyingUnknowns(action, target)), about)
			}
			require.Equal(t, decision.Allowed, slices.Contains(policy.Permissions(target), action), about)

			visible := policy.Visible(target)
			require.Equal(t, visibleByTrying(policy, target), visible, about)
			if decision.Allowed { // what is allowed is visible
				require.True(t, visible, about)
			}
			if visible { // what a visible target is in is visible, if nothing is unknown there
				counts["visible"]++
				require.True(t, policy.Visible(above(withAbsent(target))), about)
			} else {
				counts["hidden"]++
			}
			require.True(t, reference.Unrestricted().Visible(target), about)
		}
	}
	t.Log(counts)
	for _, what := range []string{"invalid", "allowed", "denied", "undetermined", "visible", "hidden"} {
		assert.Greater(t, counts[what], 300, what)
	}
}

// checkDecision compares a decision with what all combinations of identifiers give (SPEC 4.7). The target
// has the levels that 4.3 adds.
func checkDecision(
	t *testing.T, p *reference.Policy, action string, target reference.Target, got reference.Decision, about string,
) string {
	t.Helper()
	// Unknown identifiers match nothing, as absent ones do (SPEC 4.1). So this is the answer by 4.6.
	first := p.Decide(action, withAbsent(target))
	require.False(t, first.Invalid || first.Undetermined, about)
	alwaysAllowed := true
	for _, filled := range combinations(p, target) {
		decision := p.Decide(action, filled)
		require.False(t, decision.Invalid || decision.Undetermined, about)
		alwaysAllowed = alwaysAllowed && decision.Allowed
	}
	switch {
	case !first.Allowed:
		require.Equal(t, reference.Decision{Rule: first.Rule}, got, about)
		return "denied"
	case alwaysAllowed:
		require.Equal(t, reference.Decision{Allowed: true, Rule: first.Rule}, got, about)
		return "allowed"
	default:
		require.Equal(t, reference.Decision{Undetermined: true, Unknown: got.Unknown}, got, about)
		require.Contains(t, p.DenyingUnknowns(action, target), got.Unknown, about)
		return "undetermined"
	}
}

// denyingUnknowns tries all combinations, and returns what the rules that deny depend on, if the question
// is undetermined. The target has the levels that 4.3 adds.
func denyingUnknowns(p *reference.Policy, action string, target reference.Target) [][]string {
	if !p.Decide(action, withAbsent(target)).Allowed {
		return nil
	}
	var lists [][]string
	for _, filled := range combinations(p, target) {
		decision := p.Decide(action, filled)
		if decision.Allowed {
			continue
		}
		var list []string
		for _, slot := range slots(&target) {
			named := slices.ContainsFunc(decision.Rule.Path, func(scope string) bool { return slot.isNamedBy(scope) })
			if named && slot.State == reference.Unknown {
				list = append(list, slot.name)
			}
		}
		lists = append(lists, list)
	}
	return unique(lists)
}

func unique(lists [][]string) [][]string {
	var kept [][]string
	for _, list := range lists {
		if !slices.ContainsFunc(kept, func(other []string) bool { return slices.Equal(other, list) }) {
			kept = append(kept, list)
		}
	}
	return kept
}

// A slot is one of the identifiers of a target.
type slot struct {
	*reference.Identifier
	name   string
	prefix string // of the scopes that name it
}

func (s slot) isNamedBy(scope string) bool {
	rest, found := strings.CutPrefix(scope, s.prefix)
	return found && rest != "*" && (strings.HasSuffix(s.prefix, ":ext:") || !strings.HasPrefix(rest, "ext:"))
}

// slots returns the identifiers of the levels that are there.
func slots(t *reference.Target) []slot {
	var list []slot
	if t.Credential != nil {
		list = append(list, slot{&t.Credential.ID, "credential ID", "credential:"},
			slot{&t.Credential.ExternalID, "credential external ID", "credential:ext:"})
	}
	if t.Configuration != nil {
		list = append(list, slot{&t.Configuration.ID, "configuration ID", "configuration:"},
			slot{&t.Configuration.ExternalID, "configuration external ID", "configuration:ext:"})
	}
	return list
}

// combinations returns the target with every combination of identifiers for the unknown ones: absent, or
// one that the rules name.
func combinations(p *reference.Policy, target reference.Target) []reference.Target {
	for i, s := range slots(&target) {
		if s.State != reference.Unknown {
			continue
		}
		values := []reference.Identifier{absent}
		for _, rule := range p.Rules() {
			for _, scope := range rule.Path {
				if s.isNamedBy(scope) {
					values = append(values, known(strings.TrimPrefix(scope, s.prefix)))
				}
			}
		}
		var all []reference.Target
		for _, value := range values {
			filled := clone(target)
			*slots(&filled)[i].Identifier = value
			all = append(all, combinations(p, filled)...)
		}
		return all
	}
	return []reference.Target{target}
}

// visibleByTrying asks about everything that could be below the target (SPEC 5.1).
func visibleByTrying(p *reference.Policy, target reference.Target) bool {
	target = withAbsent(target)
	for _, action := range actions {
		if full, valid := withMissingLevels(action, target); valid && p.Decide(action, withAbsent(full)).Allowed {
			return true
		}
	}
	if target.Configuration != nil {
		return false
	}
	if target.Integration == nil {
		return slices.ContainsFunc([]string{"a", "b", "c"}, func(name string) bool { return visibleByTrying(p, in(name)) })
	}
	below := clone(target)
	if below.Credential == nil {
		below.Credential = level(unknown, unknown)
	} else {
		below.Configuration = level(unknown, unknown)
	}
	return slices.ContainsFunc(combinations(p, below), func(t reference.Target) bool { return visibleByTrying(p, t) })
}

// actions are the ten permissions, and an extra.
var actions = []string{
	"credential:write", "config:write", "settings:read", "settings:write", "metadata:read", "metadata:write",
	"proxy-api", "events", "workflows", "actionkit", "reports",
}

// withMissingLevels is 4.3, said of the target. It returns false if 3.3 has no such question.
func withMissingLevels(action string, target reference.Target) (reference.Target, bool) {
	target = clone(target)
	needsCredential, needsConfiguration, userMayAsk := false, false, false
	switch action {
	case "events", "metadata:read", "metadata:write", "reports":
		userMayAsk = true
	case "actionkit":
		userMayAsk, needsCredential = true, true
	case "proxy-api", "credential:write":
		needsCredential = true
	default:
		needsCredential, needsConfiguration = true, true
	}
	if target.Integration == nil {
		return target, userMayAsk
	}
	if needsCredential && target.Credential == nil {
		target.Credential = level(unknown, unknown)
		if action == "credential:write" {
			target.Credential.ID = absent
		}
	}
	if needsConfiguration && target.Configuration == nil {
		target.Configuration = level(unknown, unknown)
		if action == "config:write" {
			target.Configuration.ID = absent
		}
	}
	return target, true
}

// withAbsent returns the target with absent identifiers for the unknown ones.
func withAbsent(target reference.Target) reference.Target {
	target = clone(target)
	for _, s := range slots(&target) {
		if s.State == reference.Unknown {
			*s.Identifier = absent
		}
	}
	return target
}

// above returns what the target is in.
func above(target reference.Target) reference.Target {
	switch {
	case target.Configuration != nil:
		target.Configuration = nil
	case target.Credential != nil:
		target.Credential = nil
	default:
		target.Integration = nil
	}
	return target
}

// clone returns a target with levels of its own.
func clone(target reference.Target) reference.Target {
	for _, level := range []**reference.Level{&target.Credential, &target.Configuration} {
		if *level != nil {
			copied := **level
			*level = &copied
		}
	}
	return target
}

func pick[T any](random *rand.Rand, from ...T) T {
	return from[random.IntN(len(from))]
}

// quote returns a JSON string.
func quote(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func randomClaim(random *rand.Rand) string {
	grant := func() string {
		return pick(random, `true`, `true`, `false`, `["credential:write","config:write"]`, `["events","settings:write"]`,
			`["proxy-api","actionkit","workflows","metadata:read"]`, `["reports","settings:read","metadata:write"]`)
	}
	var members []string
	if random.IntN(2) == 0 {
		members = append(members, `"integration:*": true`)
	}
	for range random.IntN(6) {
		integration := pick(random, "a", "b")
		credential := pick(random, "*", idA, idB, "ext:a", "ext:b")
		configuration := pick(random, "*", idA, idB, "ext:a", "ext:b")
		members = append(members, pick(random,
			fmt.Sprintf(`"integration:%s": %s`, integration, grant()),
			fmt.Sprintf(`"credential:%s": %s`, credential, grant()),
			fmt.Sprintf(`"configuration:%s": %s`, configuration, grant()),
			fmt.Sprintf(`"integration:%s": {"credential:%s": %s}`, integration, credential, grant()),
			fmt.Sprintf(`"credential:%s": {"configuration:%s": %s}`, credential, configuration, grant()),
			fmt.Sprintf(`"integration:%s": {"credential:%s": {"configuration:%s": %s}}`,
				integration, credential, configuration, grant()),
		))
	}
	return "{" + strings.Join(members, ",") + "}"
}

func randomTarget(random *rand.Rand) reference.Target {
	randomLevel := func() *reference.Level {
		return level(pick(random, absent, known(idA), known(capitalA), known(idB), known(idC), unknown, unknown),
			pick(random, absent, known("a"), known("b"), known("c"), unknown, unknown))
	}
	var levels []*reference.Level
	for range random.IntN(4) {
		levels = append(levels, randomLevel())
	}
	if len(levels) == 3 {
		return user
	}
	return in(pick(random, "a", "b", "c"), levels...)
}
