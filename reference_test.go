package permissions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// This file translates between the library and internal/reference, and requires that both agree.

// An optionSet is the same options for the library and for the reference.
type optionSet struct {
	options   []permissions.Option
	reference reference.Options
}

// The reference has a table of the permissions of its own. It has the same ones, in the same order.
func TestReferenceKnowsThePermissions(t *testing.T) {
	slack := "slack"
	some := reference.Target{Integration: &slack, Credential: new(reference.Level), Configuration: new(reference.Level)}
	var names []permissions.Permission
	for _, name := range reference.Unrestricted().Permissions(some) {
		names = append(names, permissions.Permission(name))
	}
	require.Equal(t, permissions.AllPermissions(), names)
}

// extraNames are the declared permissions of some option sets. Some are nearly one of the ten, and one
// is declared twice.
var extraNames = []string{"custom:read", "Events", "settings:Write", "custom:read", "a/b~c", "xA", "100%",
	"a\u2028b", "\U0001f600"}

// optionSets are all combinations of the options. The first one has no options.
var optionSets = func() (sets []optionSet) {
	for i := range 8 {
		var set optionSet
		if i&1 != 0 {
			for _, name := range extraNames {
				set.options = append(set.options, permissions.WithPermissions(permissions.Permission(name)))
			}
			set.reference.Extra = extraNames
		}
		if i&2 != 0 {
			set.options = append(set.options, permissions.IgnoreUnknownPermissions())
			set.reference.IgnoreUnknown = true
		}
		if i&4 != 0 {
			set.options = append(set.options, permissions.AcceptStringClaim())
			set.reference.AcceptString = true
		}
		sets = append(sets, set)
	}
	return sets
}()

// toLibrary makes a target of the library with the constructors for texts.
func toLibrary(t reference.Target) permissions.Target {
	target := permissions.User()
	if t.Integration != nil {
		target = permissions.Integration(*t.Integration)
	}
	if t.Credential != nil {
		target = target.Credential(toIdentifiers(*t.Credential)...)
	}
	if t.Configuration != nil {
		target = target.Configuration(toIdentifiers(*t.Configuration)...)
	}
	return target
}

func toIdentifiers(l reference.Level) (list []permissions.Identifier) {
	switch l.ID.State {
	case reference.Known:
		list = append(list, permissions.ID(l.ID.Value))
	case reference.Absent:
		list = append(list, permissions.NoID())
	}
	switch l.ExternalID.State {
	case reference.Known:
		list = append(list, permissions.ExternalID(l.ExternalID.Value))
	case reference.Absent:
		list = append(list, permissions.NoExternalID())
	}
	return list
}

// toReference makes a target of the reference of a valid target of the library.
func toReference(t permissions.Target) (target reference.Target) {
	identifier := func(which permissions.Identifiers) reference.Identifier {
		switch value, state := t.Lookup(which); state {
		case permissions.Known:
			return reference.Identifier{State: reference.Known, Value: value}
		case permissions.Absent:
			return reference.Identifier{State: reference.Absent}
		}
		return reference.Identifier{}
	}
	if t.Level() >= permissions.KindIntegration {
		name, _ := t.Lookup(permissions.IntegrationName)
		target.Integration = &name
	}
	if t.Level() >= permissions.KindCredential {
		target.Credential = &reference.Level{
			ID: identifier(permissions.CredentialID), ExternalID: identifier(permissions.CredentialExternalID),
		}
	}
	if t.Level() >= permissions.KindConfiguration {
		target.Configuration = &reference.Level{
			ID: identifier(permissions.ConfigurationID), ExternalID: identifier(permissions.ConfigurationExternalID),
		}
	}
	return target
}

// parseBoth parses a claim with the library and with the reference, and requires that they agree. It
// returns nil if they refuse the claim.
func parseBoth(t *testing.T, claim string, o *optionSet) *bothPolicies {
	t.Helper()
	got, err := permissions.Parse([]byte(claim), o.options...)
	want, mistake := reference.Parse([]byte(claim), o.reference)
	if mistake == nil {
		requireSameRules(t, claim, got, err, want)
		return &bothPolicies{claim, got, want}
	}
	parse := requireSameMistake(t, claim, got, err, mistake)
	text := claim
	if inside := ""; o.reference.AcceptString && json.NewDecoder(strings.NewReader(claim)).Decode(&inside) == nil {
		text = inside // can be longer than the claim: a byte that is not UTF-8 becomes a U+FFFD of three
	}
	require.GreaterOrEqual(t, parse.Offset, 0, "claim %q: %v", claim, err)
	require.LessOrEqual(t, parse.Offset, max(len(text), len(claim)), "claim %q: %v", claim, err)
	if mistake.Kind == "scope" || mistake.Kind == "nesting" || mistake.Kind == "duplicate" {
		require.Equal(t, byte('"'), text[parse.Offset], "claim %q: the key of %v begins at the offset", claim, err)
	}
	return nil
}

// fromValueBoth decodes a claim with encoding/json, and requires that FromValue takes the value as the
// reference takes its JSON text. It does nothing for a claim that is not JSON.
func fromValueBoth(t *testing.T, g *generator, claim string, o *optionSet) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(claim))
	if g.chance(50) {
		d.UseNumber()
	}
	var value any
	if d.Decode(&value) != nil {
		return
	}
	text, err := json.Marshal(value)
	require.NoError(t, err)
	if g.chance(50) {
		value = withStringSlices(value)
	}
	got, err := permissions.FromValue(value, o.options...)
	want, mistake := reference.Parse(text, o.reference)
	if mistake == nil {
		requireSameRules(t, string(text), got, err, want)
		return
	}
	parse := requireSameMistake(t, string(text), got, err, mistake)
	require.Equal(t, -1, parse.Offset, "a Go value has no offsets")
}

// withStringSlices returns a decoded value with a []string for each []any that holds only strings.
func withStringSlices(value any) any {
	switch v := value.(type) {
	case map[string]any:
		changed := make(map[string]any)
		for key, member := range v {
			changed[key] = withStringSlices(member)
		}
		return changed
	case []any:
		list := []string{}
		for _, element := range v {
			s, ok := element.(string)
			if !ok {
				return value
			}
			list = append(list, s)
		}
		return list
	}
	return value
}

// requireSameMistake requires that the library refuses a claim as the reference does.
func requireSameMistake(
	t *testing.T, claim string, got *permissions.Policy, err error, mistake *reference.Mistake,
) *permissions.ParseError {
	t.Helper()
	require.Error(t, err, "the reference refuses %q: %v", claim, mistake)
	require.Nil(t, got)
	require.ErrorIs(t, err, permissions.ErrClaim)
	var parse *permissions.ParseError
	require.ErrorAs(t, err, &parse)
	require.Equal(t, mistake.Kind, kindName(err), "claim %q: %v", claim, err)
	require.Equal(t, mistake.Pointer, parse.Pointer, "claim %q: %v", claim, err)
	require.NotContains(t, err.Error(), "\n", "the error is one line")
	return parse
}

// requireSameRules requires that the library accepts a claim, with the rules of the reference.
func requireSameRules(t *testing.T, claim string, got *permissions.Policy, err error, want *reference.Policy) {
	t.Helper()
	require.NoError(t, err, "the reference accepts %q", claim)
	rules := slices.Collect(got.Rules())
	require.Len(t, rules, len(want.Rules()), "claim %q", claim)
	for i, r := range want.Rules() {
		grant := rules[i].Grant()
		agree := slices.Equal(r.Path, pathOf(rules[i])) && r.Pointer == rules[i].Pointer() && (!r.All || grant.IsAll()) &&
			(r.All || len(r.Names) > 0) != grant.IsEmpty()
		for _, name := range r.Names {
			agree = agree && grant.Has(permissions.Permission(name))
		}
		for p := range grant.All() {
			agree = agree && (r.All || slices.Contains(r.Names, string(p)) ||
				p == permissions.SettingsRead && slices.Contains(r.Names, "settings:write") ||
				p == permissions.MetadataRead && slices.Contains(r.Names, "metadata:write"))
		}
		if !agree {
			require.Failf(t, "rules differ", "claim %q\ngot  %v at %q grants %v\nwant %+v", claim, rules[i],
				rules[i].Pointer(), grant, r)
		}
	}
}

// A bothPolicies is the same claim, read by the library and by the reference.
type bothPolicies struct {
	claim string
	got   *permissions.Policy
	want  *reference.Policy
}

// ask asks both, and requires that they agree on the decision. With everything it also compares what
// takes the reference long. It returns the decision.
func (b *bothPolicies) ask(
	t *testing.T, action string, asked reference.Target, target permissions.Target, everything bool,
) permissions.Decision {
	t.Helper()
	p := permissions.Permission(action)
	d, want := b.got.Decide(p, target), b.want.Decide(action, asked)
	err := b.got.Check(p, target)
	problem := b.differs(action, asked, d, want)
	switch {
	case problem != "":
	case b.got.Allowed(p, target) != want.Allowed:
		problem = "Allowed"
	case (err == nil) != want.Allowed:
		problem = "Check"
	case want.Invalid != errors.Is(err, permissions.ErrQuestion):
		problem = "Check: ErrQuestion"
	case !want.Allowed != errors.Is(err, permissions.ErrDenied):
		problem = "Check: ErrDenied"
	case !everything:
	case b.got.Explain(p, target).Decision != d:
		problem = "Explain"
	case b.got.Visible(target) != b.want.Visible(asked):
		problem = "Visible"
	case !slices.Equal(permissionNames(b.got.Permissions(target)), b.want.Permissions(asked)):
		problem = "Permissions"
	}
	if problem != "" {
		require.Failf(t, "disagreement: "+problem, "claim %s\naction %q on %v\ngot  %v, check %v\nwant %+v, one of %v",
			b.claim, action, target, d, err, want, b.want.DenyingUnknowns(action, asked))
	}
	return d
}

// differs says in what a decision differs from that of the reference, and returns "" if in nothing.
func (b *bothPolicies) differs(
	action string, asked reference.Target, d permissions.Decision, want reference.Decision,
) string {
	switch {
	case d.Allowed != want.Allowed:
		return "Decide: Allowed"
	case d.Reason != b.reason(want):
		return "Decide: Reason"
	case d.Part != 0:
		return "Decide: Part"
	case (d.Rule != permissions.Rule{}) != (want.Rule != nil):
		return "Decide: Rule"
	case want.Rule != nil && (!slices.Equal(want.Rule.Path, pathOf(d.Rule)) || want.Rule.Pointer != d.Rule.Pointer()):
		return "Decide: Rule"
	case (d.Unknown != 0) != want.Undetermined:
		return "Decide: Unknown"
	case want.Undetermined && !slices.ContainsFunc(b.want.DenyingUnknowns(action, asked), func(names []string) bool {
		return strings.Join(names, " and ") == d.Unknown.String()
	}):
		return "Decide: Unknown is that of no denying rule"
	}
	return ""
}

// reason returns the reason of a decision of the reference.
func (b *bothPolicies) reason(d reference.Decision) permissions.Reason {
	switch {
	case d.Invalid:
		return permissions.ReasonInvalidQuestion
	case b.want.IsUnrestricted():
		return permissions.ReasonNoClaim
	case d.Undetermined:
		return permissions.ReasonUndetermined
	case d.Rule == nil:
		return permissions.ReasonNoRule
	case d.Allowed:
		return permissions.ReasonGranted
	}
	return permissions.ReasonNotGranted
}

// permissionNames returns the names of the permissions in a set. It is nil for an empty one.
func permissionNames(set permissions.PermissionSet) (names []string) {
	for p := range set.All() {
		names = append(names, string(p))
	}
	return names
}

// requireTarget requires that the library knows of a target what the reference does.
func requireTarget(t *testing.T, target permissions.Target, want reference.Target) {
	t.Helper()
	err := target.Err()
	text, jsonErr := target.MarshalJSON()
	if !reference.ValidTarget(want) {
		require.ErrorIs(t, err, permissions.ErrQuestion, "%+v", want)
		require.ErrorIs(t, jsonErr, permissions.ErrQuestion, "%+v", want)
		var question *permissions.QuestionError
		require.ErrorAs(t, err, &question)
		require.NotEmpty(t, question.Field)
		require.NotEmpty(t, question.Problem)
		return
	}
	require.NoError(t, err, "%+v", want)
	require.NoError(t, jsonErr, "%+v", want)
	require.Equal(t, reference.FormatTarget(want), string(text))
	require.Equal(t, reference.FormatTarget(want), reference.FormatTarget(toReference(target)))

	var again permissions.Target
	require.NoError(t, again.UnmarshalJSON(text), "%s", text)
	require.True(t, target == again, "%s", text)

	unknown := permissions.Identifiers(0)
	for which, level := range map[permissions.Identifiers]permissions.Kind{
		permissions.CredentialID: permissions.KindCredential, permissions.CredentialExternalID: permissions.KindCredential,
		permissions.ConfigurationID:         permissions.KindConfiguration,
		permissions.ConfigurationExternalID: permissions.KindConfiguration,
	} {
		if _, state := target.Lookup(which); state == permissions.Unknown && level <= target.Level() {
			unknown |= which
		}
	}
	require.Equal(t, unknown, target.Unknown(), "%s", text)
}

// unmarshalTargetBoth reads the JSON of a target with the library and with the reference, and requires
// that they agree. It reports whether they accept it.
func unmarshalTargetBoth(t *testing.T, text string) bool {
	t.Helper()
	before := permissions.Integration("before")
	got := before
	err := got.UnmarshalJSON([]byte(text))
	want, ok := reference.ParseTarget([]byte(text))
	if !ok {
		require.ErrorIs(t, err, permissions.ErrQuestion, "the reference refuses %q", text)
		require.NotContains(t, err.Error(), "\n", "the error is one line")
		require.True(t, got == before, "an error changes nothing: %q", text)
		return false
	}
	require.NoError(t, err, "the reference accepts %q", text)
	requireTarget(t, got, want)
	return true
}

// grants returns what the rules grant, by their paths. It tells true from an array of all permissions.
func (b *bothPolicies) grants() map[string]string {
	grants, i := make(map[string]string), 0
	for r := range b.got.Rules() {
		grants[fmt.Sprintf("%q", pathOf(r))] = fmt.Sprint(r.Grant(), b.want.Rules()[i].All)
		i++
	}
	return grants
}

// requireRoundTrip requires that the claim which MarshalJSON writes has the same rules, for the library
// and for the reference, and that writing it again gives the same text.
func (b *bothPolicies) requireRoundTrip(t *testing.T, o *optionSet) {
	t.Helper()
	data, err := b.got.MarshalJSON()
	require.NoError(t, err)
	again := parseBoth(t, string(data), o)
	require.NotNil(t, again, "claim %s\nencoded %s", b.claim, data)
	require.Equal(t, b.grants(), again.grants(), "claim %s\nencoded %s", b.claim, data)
	twice, err := again.got.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, string(data), string(twice))
}
