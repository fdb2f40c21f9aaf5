// Package reference is SPEC.md written as slow, obvious Go.
//
// It is the oracle that the fast implementation is tested against. It shares no code with it, and it is
// meant to be read beside SPEC.md: every step cites the rule it follows, so "4.5" in a comment is rule 4.5 of
// SPEC.md. A policy is a slice of rules, a decision is a loop over all of them, and what SPEC.md defines with
// "whatever" or "anything" is tried out, one case after the other.
//
// The files follow SPEC.md: scope.go is section 2, target.go section 3, decide.go section 4, visible.go
// section 5, parse.go sections 1 and 6, and claims.go what section 7 says of a claims set. Keys, signatures and
// clocks are not covered.
package reference

import "slices"

// The nine permissions, in the order of the table. // 1.4
var nine = []string{
	"credential:write",
	"config:write",
	"settings:read",
	"settings:write",
	"metadata:read",
	"metadata:write",
	"proxy-api",
	"events",
	"workflows",
}

// A Policy is a claim that was found to be free of mistakes. A nil or zero Policy denies everything (7.2).
type Policy struct {
	rules []Rule   // in the order of the text
	extra []string // 1.9: Options.Extra
}

// A Rule is a path with a pattern at each level (2.7), and the grant that stands there.
type Rule struct {
	// Path is the rule's path in canonical scopes: integration first, what is skipped filled in with "*" (2.7),
	// UUIDs in lower case (2.5).
	Path []string
	// Pointer is the JSON Pointer of the rule's key in the claim, as the text spells it.
	Pointer string
	// All says that the grant is true. (1.2)
	All bool
	// Names is what the grant's array lists, in the order of the text, without the names that were
	// ignored (1.9). It is empty for true, false and [].
	Names []string

	path []scope // what Path spells
}

// Rules returns the rules in the order of the text.
func (p *Policy) Rules() []Rule {
	if p == nil { // 7.2
		return nil
	}
	return slices.Clone(p.rules)
}

// permissions returns the permissions that have a name here: the nine (1.4) and the extras (1.9), each once.
// The empty name is left out, because nobody can ask about it (3.2).
func (p *Policy) permissions() []string {
	names := slices.Clone(nine)
	if p == nil { // 7.2
		return names
	}
	for _, name := range p.extra {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
