package permissions

import (
	"iter"
	"strings"
)

// A Policy is what a claim allows: its rules, and the answers that follow from
// them; or what several policies allow together, see [Intersect]. It does not change, so any number of goroutines can share one; only
// [Policy.UnmarshalJSON] writes to a Policy.
//
// A nil Policy and the zero Policy are no policy: they deny everything (SPEC 7.2).
type Policy struct {
	rules *ruleset // nil for no policy, and for an intersection
	parts *parts   // of an intersection
	hook  func(Permission, Target, Decision)
}

// Unrestricted returns the policy of a token without the claim: it allows everything
// (SPEC 1.7). It has no rules.
func Unrestricted() *Policy { return &Policy{rules: &unrestricted} }

// IsUnrestricted reports whether p stands for the absence of a claim, as
// [Unrestricted] does. A claim that grants everything is not the same.
func (p *Policy) IsUnrestricted() bool { return p.ruleset() == &unrestricted }

var unrestricted ruleset // never written

// ruleset returns what p consists of, nil for no policy.
func (p *Policy) ruleset() *ruleset {
	if p == nil {
		return nil
	}
	return p.rules
}

// Observe returns a policy that answers as p does, and calls a hook with every question
// that [Policy.Allowed], [Policy.Check] or [Policy.Decide] answers, invalid ones too, and
// its decision, before the answer is returned. It is for those who must record decisions:
// whatever belongs into the record beside them, such as the subject or a request's context,
// the hook captures. Observing anew replaces the hook; a nil hook is none, and costs
// nothing. A hook must be safe for use by as many goroutines as the policy is.
func (p *Policy) Observe(hook func(Permission, Target, Decision)) *Policy {
	if p == nil {
		p = new(Policy)
	}
	observed := *p
	observed.hook = hook
	return &observed
}

// Rules yields the rules of the claim, in the order of its text. A policy that is
// nil, zero or unrestricted has none. An intersection has those of its parts, one part
// after the other.
func (p *Policy) Rules() iter.Seq[Rule] {
	return func(yield func(Rule) bool) {
		for _, s := range p.rulesets() {
			if s == nil {
				continue
			}
			for i := range s.nodes {
				if s.nodes[i].rank != holderRank && !yield(Rule{s, uint32(i)}) {
					return
				}
			}
		}
	}
}

// NestedMaps yields the place of every nested map (SPEC 1.3) in the claim, as a JSON
// Pointer to the scope that holds it, in the order of the text. An empty one holds no
// rule and so says nothing, which is easily taken for a denial. An intersection has
// those of its parts, one part after the other.
func (p *Policy) NestedMaps() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, s := range p.rulesets() {
			if s == nil {
				continue
			}
			for i := range s.nodes {
				if s.nodes[i].rank == holderRank && !yield(s.pointer(uint32(i))) {
					return
				}
			}
		}
	}
}

// A Rule is what a claim says of one path of scopes (SPEC 2.7). It is a value, and
// comparable. The zero Rule is none: it has no path and grants nothing.
type Rule struct {
	rules  *ruleset
	number uint32
}

// Path returns the scopes that lead to what the rule covers: the integration's, then
// the credential's and the configuration's as far as the rule goes. A level that the
// claim skips is a wildcard. It is nil for the zero Rule.
func (r Rule) Path() []Scope {
	if r.rules == nil {
		return nil
	}
	n := &r.rules.nodes[r.number]
	path := []Scope{
		{kind: KindIntegration, form: formAny},
		{kind: KindCredential, form: formAny},
		{kind: KindConfiguration, form: formAny},
	}[:n.rank.kind()]
	for {
		path[n.id.kind()-1] = Scope{kind: n.id.kind(), form: n.id.form(), name: n.name}
		if n.parent == noNode {
			return path
		}
		n = &r.rules.nodes[n.parent]
	}
}

// Scope returns the last scope of the path: what the rule covers.
func (r Rule) Scope() Scope {
	path := r.Path()
	if path == nil {
		return Scope{}
	}
	return path[len(path)-1]
}

// Grant returns what the rule grants, in place of what any less specific one does.
func (r Rule) Grant() PermissionSet {
	if r.rules == nil {
		return PermissionSet{}
	}
	return PermissionSet{r.rules.nodes[r.number].grant, r.rules.declared}
}

// Pointer returns the place of the rule in the claim, as a JSON Pointer (RFC 6901).
func (r Rule) Pointer() string {
	if r.rules == nil {
		return ""
	}
	return r.rules.pointer(r.number)
}

// String returns the path, separated by slashes, such as
// integration:slack/credential:*. It is empty for the zero Rule.
func (r Rule) String() string {
	var b strings.Builder
	for i, s := range r.Path() {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(s.String())
	}
	return b.String()
}
