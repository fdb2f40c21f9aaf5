// Package analyze answers questions about whole policies. Its answers are exact: they
// follow from the rules, and nothing is tried at random.
//
//   - [Covers]: does one policy allow all that another allows? A service that issues tokens
//     asks that before it signs one, so that nobody hands on more than they have.
//   - [Equal] and [Diff]: do two policies give the same answers, and which answers differ?
//     That is what a review of a changed claim must know.
//   - [Lint]: what in a claim does nothing, or not what it reads as?
//
// Policies are what [permissions.Parse], [permissions.Builder] and [permissions.Intersect]
// return. A nil or zero policy denies everything, and an unrestricted one allows
// everything, as everywhere. Hooks of [permissions.Policy.Observe] are not called.
//
// # Which questions there are
//
// Every action can be asked of every target (SPEC 3.3), permissions that no policy knows
// among them, which only the grant true allows (SPEC 1.6). The questions that are given as
// examples leave no identifier open (SPEC 3.4): each is given, or said to be none. That is
// enough. A question with an open identifier is allowed just when it is allowed whatever
// that turns out to be (SPEC 4.7), so where the answers without open identifiers agree, so
// do those with. The same is true for the questions that SPEC 4.3 asks one level below:
// credential:write is never given on an integration, but on a credential that has no ID.
//
// Where an example is about something that the policies do not name, it has a name that
// neither of them uses, such as other.
//
// # How
//
// Take a question, and the rules that decide it in each policy. On the target that names
// only what those rules name they decide too, since whatever else applied to it would have
// applied before. So it is enough to look at the pairs of rules, one of each policy: the
// time is in proportion to the product of their numbers, and for intersections to that of
// the numbers of their parts' rules.
package analyze

import (
	"fmt"
	"iter"
	"slices"

	"github.com/connectperms/permissions"
)

// A Question is what a policy answers: an action on a target.
type Question struct {
	Action permissions.Permission
	Target permissions.Target
}

// String returns the question in one line, such as
//
//	"proxy-api" on integration "slack", credential ID "other"
func (q Question) String() string { return fmt.Sprintf("%q on %v", string(q.Action), q.Target) }

// The identifiers of a target.
const (
	integration = iota
	credentialExternalID
	credentialID
	configurationExternalID
	configurationID
	identifiers
)

// names are those that a rule, or several together, give to identifiers; "" where they give
// none.
type names [identifiers]string

// A rule is a permissions.Rule taken apart.
type rule struct {
	permissions.Rule // the zero Rule if it stands for an unrestricted policy
	kind             permissions.Kind
	names            names
	grant            actions
}

// A claim is the rules of a policy that is no intersection. An unrestricted policy has one
// that grants everything, with the path integration:*.
type claim struct {
	policy *permissions.Policy
	rules  []*rule
	in     map[string][]*rule // the rules by the integration that they name
	root   *rule              // the rule integration:*, or nil
}

// A universe is the policies that are looked at together, and what tells them apart.
type universe struct {
	actions []permissions.Permission // those that policies know, and one that none does
	fresh   names                    // that no policy uses
}

// An actions is a set of the actions of a universe. There are never more than the nine, the
// 54 that can be declared for each of two policies, and one that nobody knows.
type actions [2]uint64

func (a actions) has(i int) bool            { return a[i/64]>>(i%64)&1 != 0 }
func (a *actions) add(i int)                { a[i/64] |= 1 << (i % 64) }
func (a actions) and(b actions) actions     { return actions{a[0] & b[0], a[1] & b[1]} }
func (a actions) without(b actions) actions { return actions{a[0] &^ b[0], a[1] &^ b[1]} }
func (a actions) isEmpty() bool             { return a == actions{} }
func (a actions) areIn(b actions) bool      { return a.without(b).isEmpty() }

// of returns the actions of a set, in the order of the universe.
func (u *universe) of(set actions) []permissions.Permission {
	var list []permissions.Permission
	for i, action := range u.actions {
		if set.has(i) {
			list = append(list, action)
		}
	}
	return list
}

// the nine permissions come first in every universe.
var nine = [...]permissions.Permission{
	permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite,
	permissions.MetadataRead, permissions.MetadataWrite, permissions.ProxyAPI, permissions.Events, permissions.Workflows,
}

// newUniverse takes policies apart: for each, the claims all of which must allow.
func newUniverse(policies ...*permissions.Policy) (*universe, [][]*claim) {
	u := &universe{actions: slices.Clone(nine[:])}
	known := make(map[permissions.Permission]bool)
	for _, name := range u.actions {
		known[name] = true
	}
	used := make([]map[string]bool, identifiers)
	for i := range used {
		used[i] = make(map[string]bool)
	}
	for _, p := range policies {
		for r := range p.Rules() {
			for name := range r.Grant().All() {
				if !known[name] {
					known[name] = true
					u.actions = append(u.actions, name)
				}
			}
			for i, name := range namesOf(r.Path()) {
				used[i][name] = true
			}
		}
	}
	// A name that was declared but is in no grant is one that nobody knows: only true
	// allows it, and where there is a true, All has it.
	u.actions = append(u.actions, fresh(func(name string) bool { return known[permissions.Permission(name)] }))
	for i := range u.fresh {
		u.fresh[i] = string(fresh(func(name string) bool { return used[i][name] }))
	}
	all := make([][]*claim, len(policies))
	for i, p := range policies {
		parts := p.Parts()
		if parts == nil {
			parts = []*permissions.Policy{p}
		}
		for _, part := range parts {
			all[i] = append(all[i], u.claim(part.Observe(nil)))
		}
	}
	return u, all
}

// fresh returns a name that is not used.
func fresh(isUsed func(string) bool) permissions.Permission {
	name := "other"
	for i := 2; isUsed(name); i++ {
		name = fmt.Sprintf("other-%d", i)
	}
	return permissions.Permission(name)
}

// claim takes a policy apart that is no intersection.
func (u *universe) claim(p *permissions.Policy) *claim {
	c := &claim{policy: p, in: make(map[string][]*rule)}
	if p.IsUnrestricted() {
		c.add(&rule{kind: permissions.KindIntegration, grant: u.grant(p.Permissions(permissions.Target{}))})
	}
	for r := range p.Rules() {
		path := r.Path()
		c.add(&rule{Rule: r, kind: path[len(path)-1].Kind(), names: namesOf(path), grant: u.grant(r.Grant())})
	}
	return c
}

func (u *universe) grant(set permissions.PermissionSet) (a actions) {
	for i, action := range u.actions {
		if set.Has(action) {
			a.add(i)
		}
	}
	return a
}

func (c *claim) add(r *rule) {
	c.rules = append(c.rules, r)
	c.in[r.names[integration]] = append(c.in[r.names[integration]], r)
	if r.kind == permissions.KindIntegration && r.names == (names{}) {
		c.root = r
	}
}

func namesOf(path []permissions.Scope) (n names) {
	for _, s := range path {
		switch {
		case s.IsWildcard():
		case s.Kind() == permissions.KindIntegration:
			n[integration] = s.Name()
		default:
			i := credentialID
			if s.Kind() == permissions.KindConfiguration {
				i = configurationID
			}
			if s.IsExternal() {
				i--
			}
			n[i] = s.Name()
		}
	}
	return n
}

// A cell is what several rules name together, as deep as the deepest of them. The zero cell
// is that of no rules.
type cell struct {
	kind  permissions.Kind
	names names
}

// with returns the cell of one rule more. It is not ok if no target has both.
func (c cell) with(r *rule) (cell, bool) {
	for i, name := range r.names {
		switch c.names[i] {
		case name:
		case "":
			c.names[i] = name
		default:
			if name != "" {
				return c, false
			}
		}
	}
	c.kind = max(c.kind, r.kind)
	return c, true
}

// deciders yields the rules of a claim that might decide together with those of a cell, and
// the cell with them. It yields nil for no rule, if that can be.
func (c *claim) deciders(of cell) iter.Seq2[*rule, cell] {
	return func(yield func(*rule, cell) bool) {
		lists := [][]*rule{c.rules}
		if name := of.names[integration]; name != "" {
			lists = [][]*rule{c.in[""], c.in[name]}
		}
		for _, list := range lists {
			for _, r := range list {
				if with, ok := of.with(r); ok && !yield(r, with) {
					return
				}
			}
		}
		if c.root == nil {
			yield(nil, of)
		}
	}
}

// grantOf returns what a rule grants, or no rule.
func grantOf(r *rule) actions {
	if r == nil {
		return actions{}
	}
	return r.grant
}

// depth is how deep the targets of a cell are at the least; 0 for the user.
func (c cell) depth() permissions.Kind {
	if c.kind == permissions.KindIntegration && c.names == (names{}) {
		return 0 // only integration:* applies to the user, and to everything (SPEC 4.2)
	}
	return c.kind
}

// isCreation reports whether SPEC 4.3 asks an action of a target of a depth one level below.
func isCreation(action permissions.Permission, depth permissions.Kind) bool {
	return action == permissions.CredentialWrite && depth == permissions.KindIntegration ||
		action == permissions.ConfigWrite && depth == permissions.KindCredential
}

// questions yields, for a set of actions, the questions on the targets of the cell that name
// as little as can be: one for the actions that can be asked at the cell's own depth, and
// one for each that must be asked below. With each come the actions that it is good for.
func (u *universe) questions(c cell, set actions) iter.Seq2[Question, actions] {
	return func(yield func(Question, actions) bool) {
		depth := c.depth()
		here, first := set, -1
		for i, action := range u.actions {
			switch {
			case !set.has(i):
			case isCreation(action, depth):
				var one actions
				one.add(i)
				here = here.without(one)
			case first < 0:
				first = i
			}
		}
		if first >= 0 && !yield(Question{u.actions[first], u.target(c, depth, false)}, here) {
			return
		}
		for i, action := range u.actions {
			if set.has(i) && !here.has(i) {
				var one actions
				one.add(i)
				if !yield(Question{action, u.target(c, depth+1, true)}, one) {
					return
				}
			}
		}
	}
}

// target returns the target of a depth that names what the cell names, and where that
// names nothing something else: what has no name yet if it is to be created, and what has a
// fresh name otherwise.
func (u *universe) target(c cell, depth permissions.Kind, created bool) (t permissions.Target) {
	level := func(kind permissions.Kind, id, externalID int) (string, string) {
		a, b := c.names[id], c.names[externalID]
		if a == "" {
			a = u.fresh[id]
			if created && depth == kind {
				a = permissions.None
			}
		}
		if b == "" {
			b = permissions.None
		}
		return a, b
	}
	if depth >= permissions.KindIntegration {
		t.Integration = c.names[integration]
		if t.Integration == "" {
			t.Integration = u.fresh[integration]
		}
	}
	if depth >= permissions.KindCredential {
		t.CredentialID, t.CredentialExternalID = level(permissions.KindCredential, credentialID, credentialExternalID)
	}
	if depth >= permissions.KindConfiguration {
		t.ConfigurationID, t.ConfigurationExternalID = level(permissions.KindConfiguration, configurationID, configurationExternalID)
	}
	return t
}
