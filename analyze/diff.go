package analyze

import (
	"cmp"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// A Change is a place where two policies answer differently: questions that one allows and
// the other denies, all for the same reason. Its target stands for all that the same rules
// decide.
type Change struct {
	// Actions are what is asked, in the order of SPEC 1.4. One that neither policy knows,
	// such as other, stands for all of those.
	Actions []permissions.Permission
	Target  permissions.Target

	// Before and After are the answers of the first policy and of the second. One of them
	// allows.
	Before, After permissions.Decision
}

// String returns the change in one line, such as
//
//	gained: proxy-api on integration "slack"; was denied: no rule applies; is allowed: integration:slack grants proxy-api
func (c Change) String() string {
	word := "gained: "
	if c.Before.Allowed {
		word = "lost: "
	}
	var list []string
	for _, action := range c.Actions {
		list = append(list, string(action))
	}
	return word + strings.Join(list, ", ") + " on " + c.Target.String() + "; was " + c.Before.String() + "; is " + c.After.String()
}

// Diff returns all that changes from one policy to another: a [Change] for each pair of
// rules, or of a rule and none, that decide the same questions and answer them differently.
// So every question without open identifiers whose answer differs is decided, before and
// after, as the questions of one of the changes are. It is empty just when the policies are
// [Equal].
//
// The changes are in the order of their targets: the user, then integrations, credentials
// and configurations, by name.
func Diff(before, after *permissions.Policy) []Change {
	u, claims := newUniverse(before, after)
	d := differ{universe: u, before: before.Observe(nil), after: after.Observe(nil), seen: make(map[answer]bool)}
	d.claims = append(append(d.claims, claims[0]...), claims[1]...)
	d.split = len(claims[0])
	d.compare(nil, cell{})
	slices.SortStableFunc(d.changes, func(a, b Change) int {
		return cmp.Or(
			cmp.Compare(depthOf(a.Target), depthOf(b.Target)),
			cmp.Compare(a.Target.Integration, b.Target.Integration),
			cmp.Compare(a.Target.CredentialID, b.Target.CredentialID),
			cmp.Compare(a.Target.CredentialExternalID, b.Target.CredentialExternalID),
			cmp.Compare(a.Target.ConfigurationID, b.Target.ConfigurationID),
			cmp.Compare(a.Target.ConfigurationExternalID, b.Target.ConfigurationExternalID),
		)
	})
	return d.changes
}

func depthOf(t permissions.Target) permissions.Kind {
	switch {
	case t.ConfigurationID != "":
		return permissions.KindConfiguration
	case t.CredentialID != "":
		return permissions.KindCredential
	case t.Integration != "":
		return permissions.KindIntegration
	}
	return 0
}

// A differ collects changes.
type differ struct {
	*universe
	before, after *permissions.Policy
	claims        []*claim // those of before, then those of after
	split         int      // how many are of before
	changes       []Change
	seen          map[answer]bool
}

// An answer is what changes for an action.
type answer struct {
	action        permissions.Permission
	before, after permissions.Decision
}

// compare goes through all ways in which rules can decide together, given those that decide
// in the first claims.
func (d *differ) compare(rules []*rule, c cell) {
	if len(rules) < len(d.claims) {
		for r, with := range d.claims[len(rules)].deciders(c) {
			d.compare(append(rules, r), with)
		}
		return
	}
	was, is := grantOfAll(rules[:d.split]), grantOfAll(rules[d.split:])
	for _, differs := range []actions{was.without(is), is.without(was)} {
		if differs.isEmpty() {
			continue
		}
		for q, same := range d.questions(c, differs) {
			if d.decide(rules, q) {
				d.add(q.Target, d.of(same))
			}
		}
	}
}

func grantOfAll(rules []*rule) actions {
	all := actions{^uint64(0), ^uint64(0)}
	for _, r := range rules {
		all = all.and(grantOf(r))
	}
	return all
}

// decide reports whether these rules decide a question.
func (d *differ) decide(rules []*rule, q Question) bool {
	for i, r := range rules {
		var want permissions.Rule
		if r != nil {
			want = r.Rule
		}
		if d.claims[i].policy.Decide(q.Action, q.Target).Rule != want {
			return false
		}
	}
	return true
}

// add adds changes for actions on a target. There is more than one if different parts of an
// intersection deny them, and none for what other parts have shown already.
func (d *differ) add(target permissions.Target, list []permissions.Permission) {
	first := len(d.changes)
	for _, action := range list {
		c := Change{Target: target, Before: d.before.Decide(action, target), After: d.after.Decide(action, target)}
		a := answer{action, c.Before, c.After}
		if d.seen[a] {
			continue
		}
		d.seen[a] = true
		i := slices.IndexFunc(d.changes[first:], func(o Change) bool { return o.Before == c.Before && o.After == c.After })
		if i < 0 {
			i = len(d.changes) - first
			d.changes = append(d.changes, c)
		}
		d.changes[first+i].Actions = append(d.changes[first+i].Actions, action)
	}
}
