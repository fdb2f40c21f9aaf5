// Package reference is SPEC.md written as slow, obvious Go.
//
// It is the oracle that the fast implementation is tested against. The two share no code. Read this
// package beside SPEC.md: every step cites the rule that it follows, so "SPEC 4.5" is rule 4.5. A
// policy is a slice of rules, and a decision is a loop over all of them. What could be below a target (SPEC 5.1) is
// tried one case after the other. For the unknown identifiers of SPEC 4.7 it tries one rule after the other, which
// 4.7 says is enough. The tests try all combinations.
//
// The files follow SPEC.md:
//
//   - reference.go has the permissions of section 1, and what a policy is;
//   - parse.go reads a claim (sections 1 and 6), and json.go reads JSON for it;
//   - scope.go is section 2;
//   - target.go is section 3, without the JSON of targets (3.6), which is targetjson.go;
//   - decide.go is section 4, and visible.go is section 5;
//   - claims.go is what section 7 says of a claims set.
//
// Keys, signatures, headers and clocks are not covered.
package reference

import (
	"slices"
	"strings"
	"unicode"
)

// ten are the ten permissions, in the order of the table (SPEC 1.4). They are not modified.
var ten = []string{
	"credential:write",
	"config:write",
	"settings:read",
	"settings:write",
	"metadata:read",
	"metadata:write",
	"proxy-api",
	"events",
	"workflows",
	"actionkit",
}

// ValidExtra reports whether a name can be declared as an extra permission: it is not empty, is not one
// of the ten, and holds no control character, quotation mark or backslash (SPEC 1.9).
func ValidExtra(name string) bool {
	return name != "" && !slices.Contains(ten, name) && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.Is(unicode.Cc, r) || r == '"' || r == '\\'
	})
}

// declared returns the valid ones of the extras, each once (SPEC 1.9).
func declared(extras []string) []string {
	var names []string
	for _, name := range extras {
		if ValidExtra(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// A Policy is what a claim without mistakes means. A nil or zero Policy denies everything (SPEC 7.2).
type Policy struct {
	rules        []Rule   // in the order of the text
	extra        []string // the declared extra permissions (SPEC 1.9)
	unrestricted bool     // the token has no claim (SPEC 1.7)
}

// Unrestricted returns the policy of a token without the claim: every valid question is allowed, and
// every valid target is visible (SPEC 1.7). It has no rules. A question about an extra permission is
// valid only if the extra is declared, so extras are declared here as in [Options].
func Unrestricted(extra ...string) *Policy {
	return &Policy{extra: declared(extra), unrestricted: true}
}

// IsUnrestricted reports whether the policy is that of a token without the claim (SPEC 1.7). A policy
// that grants everything is not unrestricted.
func (p *Policy) IsUnrestricted() bool {
	return p != nil && p.unrestricted
}

// A Rule is a path with a pattern at each level, and a grant (SPEC 2.7).
type Rule struct {
	// Path has one scope for each level, from the integration down to the rule's own level. A level
	// that the claim skips is "*" (SPEC 2.7). IDs are in lower case (SPEC 2.5).
	Path []string
	// Pointer is the JSON Pointer to the rule's key in the claim, decoded (SPEC 6.2). An ID has the
	// letter case of the text here.
	Pointer string
	// All says that the grant is true (SPEC 1.2).
	All bool
	// Names is what the grant's array lists, in the order of the text, without the names that were
	// ignored (SPEC 1.9). It is empty for true, false and [].
	Names []string

	path []scope // Path, parsed
}

// Rules returns the rules in the order of the text. The slice is a copy.
func (p *Policy) Rules() []Rule {
	if p == nil { // no policy (SPEC 7.2)
		return nil
	}
	return slices.Clone(p.rules)
}

// permissions returns the permissions that can be asked about: the ten (SPEC 1.4), then the declared
// extras (SPEC 1.9).
func (p *Policy) permissions() []string {
	if p == nil { // no policy (SPEC 7.2)
		return ten
	}
	return slices.Concat(ten, p.extra)
}
