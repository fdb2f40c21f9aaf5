// Package proposal judges rules that the command and the explorer's page propose after a denial.
package proposal

import (
	"slices"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// AddsOnly reports whether after allows all that before allows, and besides nothing but an action and what that
// includes. A new rule can override others, and then take away or open something else.
func AddsOnly(before, after *permissions.Policy, action permissions.Permission) bool {
	added := permissions.NewPermissionSet(action)
	isOther := func(p permissions.Permission) bool { return !added.Has(p) }
	return !slices.ContainsFunc(analyze.Diff(before, after).Changes, func(c analyze.Change) bool {
		return !c.After.Allowed || slices.ContainsFunc(c.Permissions, isOther)
	})
}

// Grant returns what a new rule for a target must grant so that it takes nothing away: what a policy allows on the
// target at the level on which an action acts, and the action. Identifiers of a level that the target lacks are
// unknown.
func Grant(
	p *permissions.Policy, t permissions.Target, actsOn permissions.Kind, action permissions.Permission,
) permissions.PermissionSet {
	for permissions.KindUser < t.Level() && t.Level() < actsOn {
		if t.Level() == permissions.KindIntegration {
			t = t.Credential()
		} else {
			t = t.Configuration()
		}
	}
	return permissions.NewPermissionSet(append(slices.Collect(p.Permissions(t).All()), action)...)
}
