package permissions_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// kindOf returns the name that SPEC 6.2 gives the kind of a mistake.
func kindOf(t *testing.T, err error) string {
	t.Helper()
	for name, kind := range map[string]error{
		"syntax": permissions.ErrSyntax, "type": permissions.ErrType, "scope": permissions.ErrScope,
		"nesting": permissions.ErrNesting, "duplicate": permissions.ErrDuplicate, "permission": permissions.ErrPermission,
	} {
		if errors.Is(err, kind) {
			return name
		}
	}
	require.FailNow(t, "an error of no kind", "%v", err)
	return ""
}

// toReference returns a target as the reference takes it.
func toReference(t permissions.Target) reference.Target {
	identifier := func(s string) reference.Identifier {
		switch s {
		case "":
			return reference.Identifier{}
		case permissions.None:
			return reference.Identifier{State: reference.None}
		}
		return reference.Identifier{State: reference.Given, Value: s}
	}
	return reference.Target{
		Integration:             t.Integration,
		CredentialID:            identifier(t.CredentialID),
		CredentialExternalID:    identifier(t.CredentialExternalID),
		ConfigurationID:         identifier(t.ConfigurationID),
		ConfigurationExternalID: identifier(t.ConfigurationExternalID),
	}
}

// scopeTexts returns the path of a rule as the reference has it; nil for the zero Rule.
func scopeTexts(r permissions.Rule) []string {
	var texts []string
	for _, s := range r.Path() {
		texts = append(texts, s.String())
	}
	return texts
}

// An optionSet is options that the library and the reference are given alike.
type optionSet struct {
	options   []permissions.Option
	reference reference.Options
}

// extraPermissions are those that a test declares beside the nine. Some are near-misses of
// those, and two are declared before.
var extraPermissions = []permissions.Permission{"custom:read", "Events", "settings:Write", "events", "custom:read", "a/b~c"}

// optionSets are the combinations of options, the default first.
var optionSets = func() (sets []optionSet) {
	for i := range 8 {
		var set optionSet
		if i&1 != 0 {
			set.options = append(set.options, permissions.WithPermissions(extraPermissions...))
			for _, p := range extraPermissions {
				set.reference.Extra = append(set.reference.Extra, string(p))
			}
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

// parseBoth parses a claim with the library and the reference, and requires that they
// agree. Both results are nil if they refuse it.
func parseBoth(t *testing.T, claim string) (*permissions.Policy, *reference.Policy) {
	t.Helper()
	return parseBothWith(t, claim, &optionSets[0])
}

// parseBothWith is parseBoth with options.
func parseBothWith(t *testing.T, claim string, o *optionSet) (*permissions.Policy, *reference.Policy) {
	t.Helper()
	got, err := permissions.Parse([]byte(claim), o.options...)
	want, mistake := reference.Parse([]byte(claim), o.reference)
	if !sameResult(t, claim, got, err, want, mistake) {
		return nil, nil
	}
	return got, want
}

// fromValueBoth has a claim decoded by encoding/json, and requires that FromValue takes
// the value as the reference takes its JSON text. It does nothing for what is not JSON.
func fromValueBoth(t *testing.T, claim string, useNumber bool, o *optionSet) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(claim))
	if useNumber {
		d.UseNumber()
	}
	var value any
	if d.Decode(&value) != nil {
		return
	}
	text, err := json.Marshal(value)
	require.NoError(t, err)
	got, err := permissions.FromValue(value, o.options...)
	want, mistake := reference.Parse(text, o.reference)
	if !sameResult(t, string(text), got, err, want, mistake) {
		var parse *permissions.ParseError
		require.ErrorAs(t, err, &parse)
		require.Equal(t, -1, parse.Offset, "a Go value has no offsets")
	}
}

// sameResult requires that the library and the reference have made the same of a claim,
// and reports whether they accepted it.
func sameResult(t *testing.T, claim string, got *permissions.Policy, err error, want *reference.Policy, mistake *reference.Mistake) bool {
	t.Helper()
	if mistake != nil {
		require.Error(t, err, "the reference refuses %q: %v", claim, mistake)
		require.Nil(t, got)
		var parse *permissions.ParseError
		require.ErrorAs(t, err, &parse)
		require.Equal(t, mistake.Kind, kindOf(t, err), "claim %q: %v", claim, err)
		require.Equal(t, mistake.Pointer, parse.Pointer, "claim %q: %v", claim, err)
		return false
	}
	require.NoError(t, err, "the reference accepts %q", claim)
	rules := slices.Collect(got.Rules())
	require.Len(t, rules, len(want.Rules()), "claim %q", claim)
	for i, r := range want.Rules() {
		grant := rules[i].Grant()
		require.Equal(t, r.Path, scopeTexts(rules[i]), "claim %q", claim)
		require.Equal(t, r.Pointer, rules[i].Pointer(), "claim %q", claim)
		require.Equal(t, r.All, grant.IsAll(), "claim %q", claim)
		require.Equal(t, !r.All && len(r.Names) == 0, grant.IsEmpty(), "claim %q", claim)
		for _, name := range r.Names {
			require.True(t, grant.Has(permissions.Permission(name)), "claim %q", claim)
		}
		if !r.All {
			for p := range grant.All() {
				held := slices.Contains(r.Names, string(p)) ||
					p == permissions.SettingsRead && slices.Contains(r.Names, "settings:write") ||
					p == permissions.MetadataRead && slices.Contains(r.Names, "metadata:write")
				require.True(t, held, "claim %q grants %q", claim, p)
			}
		}
	}
	return true
}

// askBoth asks both, and requires that they agree.
func askBoth(t *testing.T, claim string, got *permissions.Policy, want *reference.Policy, action permissions.Permission, target permissions.Target) permissions.Decision {
	t.Helper()
	asked := toReference(target)
	d, w := got.Decide(action, target), want.Decide(string(action), asked)
	all := got.Permissions(target)
	everything := len(claim)%4 == 0 // asking the reference about everything takes the most time
	if d.Allowed == w.Allowed && d.Reason == reasonOf(w) && (d.Rule != permissions.Rule{}) == (w.Rule != nil) &&
		(w.Rule == nil || slices.Equal(w.Rule.Path, scopeTexts(d.Rule))) && (d.Open != 0) == w.Undetermined &&
		(d.Open == 0 || deniesWhenFilled(want, action, asked, d.Open.String())) && got.Allowed(action, target) == w.Allowed &&
		(got.Check(action, target) == nil) == w.Allowed && all.Has(action) == w.Allowed &&
		(!everything || got.Visible(target) == want.Visible(asked) && sameNames(all, want.Permissions(asked))) {
		return d
	}
	require.Failf(t, "disagreement", "claim %s\naction %q target %v (%+v)\ngot  %v, open %v\nwant %+v\nallowed %v, check %v, permissions %v, visible %v\nwant permissions %v, visible %v",
		claim, action, target, target, d, d.Open, w, got.Allowed(action, target), got.Check(action, target), all, got.Visible(target),
		want.Permissions(asked), want.Visible(asked))
	return d
}

// reasonOf returns the reason that a decision of the reference stands for.
func reasonOf(w reference.Decision) permissions.Reason {
	switch {
	case w.Invalid:
		return permissions.InvalidQuestion
	case w.Undetermined:
		return permissions.Undetermined
	case w.Rule == nil:
		return permissions.NoRule
	case w.Allowed:
		return permissions.Granted
	}
	return permissions.NotGranted
}

// sameNames reports whether a set yields just these names.
func sameNames(set permissions.PermissionSet, names []string) bool {
	i := 0
	for p := range set.All() {
		if i == len(names) || names[i] != string(p) {
			return false
		}
		i++
	}
	return i == len(names)
}

// deniesWhenFilled reports whether there is a rule that denies the action once the target
// has what the rule names and the target leaves open, and whether just that is what a
// decision calls open (SPEC 4.7).
func deniesWhenFilled(p *reference.Policy, action permissions.Permission, target reference.Target, open string) bool {
	// SPEC 4.3, said in the target.
	depth := func(id, external reference.Identifier) bool {
		return id.State != reference.Open || external.State != reference.Open
	}
	credential := depth(target.CredentialID, target.CredentialExternalID)
	configuration := depth(target.ConfigurationID, target.ConfigurationExternalID)
	switch {
	case action == permissions.CredentialWrite && target.Integration != "" && !credential:
		target.CredentialID, credential = reference.Identifier{State: reference.None}, true
	case action == permissions.ConfigWrite && credential && !configuration:
		target.ConfigurationID, configuration = reference.Identifier{State: reference.None}, true
	}
	for _, rule := range p.Rules() {
		filled := target
		var names []string
		for _, scope := range rule.Path {
			kind, name, _ := strings.Cut(scope, ":")
			external, isExternal := strings.CutPrefix(name, "ext:")
			slot, called := &filled.CredentialID, "credential ID"
			switch {
			case name == "*" || kind == "integration":
				continue
			case kind == "credential" && isExternal:
				slot, called = &filled.CredentialExternalID, "credential external ID"
			case kind == "configuration" && isExternal:
				slot, called = &filled.ConfigurationExternalID, "configuration external ID"
			case kind == "configuration":
				slot, called = &filled.ConfigurationID, "configuration ID"
			}
			if isExternal {
				name = external
			}
			if slot.State == reference.Open && (kind == "credential" && credential || configuration) {
				*slot = reference.Identifier{State: reference.Given, Value: name}
				names = append(names, called)
			}
		}
		if strings.Join(names, " and ") != open {
			continue
		}
		if d := p.Decide(string(action), filled); !d.Allowed && d.Rule != nil && slices.Equal(d.Rule.Path, rule.Path) {
			return true
		}
	}
	return false
}
