package permissions_test

import (
	"errors"
	"slices"
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

// parseBoth parses a claim with the library and the reference, and requires that they
// agree. Both results are nil if they refuse it.
func parseBoth(t *testing.T, claim string) (*permissions.Policy, *reference.Policy) {
	t.Helper()
	got, err := permissions.Parse([]byte(claim))
	want, mistake := reference.Parse([]byte(claim), reference.Options{})
	if mistake != nil {
		require.Error(t, err, "the reference refuses %q: %v", claim, mistake)
		require.Nil(t, got)
		var parse *permissions.ParseError
		require.ErrorAs(t, err, &parse)
		require.Equal(t, mistake.Kind, kindOf(t, err), "claim %q: %v", claim, err)
		require.Equal(t, mistake.Pointer, parse.Pointer, "claim %q: %v", claim, err)
		return nil, nil
	}
	require.NoError(t, err, "the reference accepts %q", claim)
	rules := slices.Collect(got.Rules())
	require.Len(t, rules, len(want.Rules()), "claim %q", claim)
	for i, r := range want.Rules() {
		require.Equal(t, r.Path, scopeTexts(rules[i]), "claim %q", claim)
		require.Equal(t, r.Pointer, rules[i].Pointer(), "claim %q", claim)
		require.Equal(t, r.All, rules[i].Grant().IsAll(), "claim %q", claim)
	}
	return got, want
}

// askBoth asks both, and requires that they agree.
func askBoth(t *testing.T, claim string, got *permissions.Policy, want *reference.Policy, action permissions.Permission, target permissions.Target) {
	t.Helper()
	d, w := got.Decide(action, target), want.Decide(string(action), toReference(target))
	if d.Allowed == w.Allowed && (d.Reason == permissions.InvalidQuestion) == w.Invalid &&
		(d.Reason == permissions.Undetermined) == w.Undetermined && (d.Rule != permissions.Rule{}) == (w.Rule != nil) &&
		(w.Rule == nil || slices.Equal(w.Rule.Path, scopeTexts(d.Rule))) && got.Allowed(action, target) == w.Allowed &&
		(got.Check(action, target) == nil) == w.Allowed && got.Permissions(target).Has(action) == w.Allowed {
		return
	}
	require.Failf(t, "disagreement", "claim %s\naction %q target %v (%+v)\ngot  %v\nwant %+v\nallowed %v, check %v, permissions %v",
		claim, action, target, target, d, w, got.Allowed(action, target), got.Check(action, target), got.Permissions(target))
}
