package permissions

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The roots of the error tree. Every error of this package matches one of them
// with [errors.Is], except those that report an option or a key which no
// program should have passed.
var (
	// ErrClaim is matched by every refusal of a permissions claim. Such an
	// error is, or wraps, a [*ParseError].
	ErrClaim = errors.New("permissions claim refused")

	// ErrToken is matched by every refusal of a token, and by every refusal of a
	// [Signer] to make one. What a [Verifier] refuses also matches the error of
	// golang-jwt that says why, such as [jwt.ErrTokenExpired], and ErrClaim when
	// it is refused for its permissions claim.
	ErrToken = errors.New("token refused")

	// ErrTarget is matched by every answer to an invalid question: a target that
	// SPEC 3.2 calls invalid, or an empty action. It is a [*TargetError].
	ErrTarget = errors.New("invalid question")

	// ErrDenied is matched by every denial. It is a [*DeniedError].
	ErrDenied = errors.New("denied")
)

// The kinds of mistake in a claim (SPEC 6.2). Each matches [ErrClaim] too.
var (
	ErrSyntax     error = &claimError{"syntax"}     // not well-formed JSON, or data after it
	ErrType       error = &claimError{"type"}       // a JSON value of the wrong type for its place
	ErrScope      error = &claimError{"scope"}      // a key that is no scope
	ErrNesting    error = &claimError{"nesting"}    // a scope where it may not stand
	ErrDuplicate  error = &claimError{"duplicate"}  // a key or a path for the second time
	ErrPermission error = &claimError{"permission"} // a name that is no permission
)

type claimError struct{ kind string }

func (e *claimError) Error() string { return ErrClaim.Error() + ": " + e.kind }
func (e *claimError) Unwrap() error { return ErrClaim }

// A ParseError says what is wrong with a claim, where, and what was probably
// meant. It is returned for a claim, and for a text that should be a [Scope].
// A claim has the first of its mistakes reported, in the order of SPEC 6.2.
type ParseError struct {
	// Kind is ErrSyntax, ErrType, ErrScope, ErrNesting, ErrDuplicate or
	// ErrPermission.
	Kind error

	// Pointer is the place in the claim as a JSON Pointer (RFC 6901). It is
	// empty for the claim itself, which is where every syntax mistake is.
	Pointer string

	// Offset is the place in the claim's text, in bytes from its first byte; -1
	// where there is no such text: the claim came as a Go value or inside a JSON
	// string.
	Offset int

	// Found is what stands there, shortened if it is long: a name in quotes, or
	// a description such as "a number". It may be empty.
	Found string

	// Problem is what is wrong with it, and Remedy what was probably meant or
	// what to do instead. Remedy may be empty.
	Problem, Remedy string
}

// Error returns all of e in one line.
func (e *ParseError) Error() string {
	var b strings.Builder
	b.WriteString("permissions: ")
	switch e.Kind {
	case ErrScope:
		b.WriteString("scope")
	default:
		b.WriteString("claim")
	}
	if e.Pointer != "" {
		b.WriteString(" at ")
		b.WriteString(quote(e.Pointer))
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " (byte %d)", e.Offset)
	}
	b.WriteString(": ")
	if e.Found != "" {
		b.WriteString(e.Found)
		b.WriteString(" ")
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString("; ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// Unwrap returns e.Kind.
func (e *ParseError) Unwrap() error { return e.Kind }

// A TargetError says why a question is invalid (SPEC 3.2). It matches
// [ErrTarget].
type TargetError struct {
	// Field is the field of [Target] that is wrong, or "action".
	Field string

	// Value is what the field holds.
	Value string

	// Problem is what is wrong with it.
	Problem string
}

// Error returns all of e in one line.
func (e *TargetError) Error() string {
	if e.Value == "" {
		return "permissions: invalid question: " + e.Field + " " + e.Problem
	}
	return "permissions: invalid question: " + e.Field + " " + quote(e.Value) + " " + e.Problem
}

// Unwrap returns ErrTarget.
func (e *TargetError) Unwrap() error { return ErrTarget }

// A DeniedError is a denial with its reason. It matches [ErrDenied]. Its message
// names the rule that denied: log it, and tell the caller only that access was
// denied.
type DeniedError struct {
	Action   Permission
	Target   Target
	Decision Decision
}

// Error returns all of e in one line.
func (e *DeniedError) Error() string {
	return "permissions: " + quote(string(e.Action)) + " on " + e.Target.String() + " denied: " + e.Decision.explain()
}

// Unwrap returns ErrDenied.
func (e *DeniedError) Unwrap() error { return ErrDenied }

// maxQuoted is how many bytes of somebody's text a message repeats.
const maxQuoted = 100

// quote quotes s, shortened if it is long, so that nothing in it can pass for
// the rest of a message.
func quote(s string) string {
	if len(s) <= maxQuoted {
		return fmt.Sprintf("%q", s)
	}
	cut := maxQuoted
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%q...", s[:cut])
}

// nearest returns the candidate that word was probably meant to be, or "".
func nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	plain := func(s string) string {
		return strings.NewReplacer("_", "", "-", "", ".", "", ":", "", " ", "").Replace(strings.ToLower(s))
	}
	best, least := "", 3
	for _, c := range candidates {
		d := distance(plain(word), plain(c), least)
		if d < least && 2*d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// distance returns how many characters must be added, removed or replaced to
// make b of a, or limit if there are as many or more. It takes time in
// proportion to the length of a times limit.
func distance(a, b string, limit int) int {
	s, t := []rune(a), []rune(b)
	if len(s)-len(t) >= limit || len(t)-len(s) >= limit {
		return limit
	}
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := range s {
		// Cells further than limit from the diagonal cannot matter.
		lo, hi := max(0, i-limit), min(len(t), i+limit+1)
		diagonal := row[lo]
		row[lo]++
		if lo > 0 {
			row[lo] = limit
		}
		least := row[lo]
		for j := lo; j < hi; j++ {
			substitute := diagonal
			if s[i] != t[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least >= limit {
			return limit
		}
	}
	return min(row[len(t)], limit)
}
