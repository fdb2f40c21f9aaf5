package permissions

import (
	"errors"
	"fmt"
	"strings"

	"github.com/connectperms/permissions/internal/text"
)

// The roots of the error tree. [ErrNarrow] and [ErrSQL] are roots too. An error that matches none of them with
// [errors.Is] reports a misuse in code: a wrong option, [Intersect] or [Narrow] without policies, too many declared
// permissions, a nil Builder, [Policy.MarshalJSON] of an intersection, or [Policy.UnmarshalJSON] into a Policy that is
// not zero.
var (
	// ErrClaim matches every refusal of a permissions claim. Such an error is, or wraps, a
	// [*ParseError].
	ErrClaim = errors.New("permissions claim refused")

	// ErrQuestion matches every error about a question that SPEC 3.4 calls invalid: its action,
	// its target, or both together. Such an error is a [*QuestionError]. An invalid question is denied,
	// so the error matches ErrDenied too: to tell the two apart, look for ErrQuestion first.
	ErrQuestion = errors.New("invalid question")

	// ErrDenied matches every error with which a question is denied: a [*DeniedError], or a
	// [*QuestionError].
	ErrDenied = errors.New("denied")
)

// The kinds of mistake in a claim (SPEC 6.2). Each matches [ErrClaim] too.
var (
	ErrSyntax            = fmt.Errorf("%w: syntax", ErrClaim)     // not well-formed JSON, or data after it
	ErrType              = fmt.Errorf("%w: type", ErrClaim)       // a JSON value of the wrong type for its place
	ErrScope             = fmt.Errorf("%w: scope", ErrClaim)      // a key that is not a scope
	ErrNesting           = fmt.Errorf("%w: nesting", ErrClaim)    // a scope inside one that cannot hold it
	ErrDuplicate         = fmt.Errorf("%w: duplicate", ErrClaim)  // a repeated key or path
	ErrUnknownPermission = fmt.Errorf("%w: permission", ErrClaim) // a name that is not a permission
)

// A ParseError says what is wrong with a claim, where, and what was probably meant. It also
// reports a text that should be a [Scope]. Of a claim it reports the first mistake, in the order
// of SPEC 6.2.
type ParseError struct {
	// Kind is ErrSyntax, ErrType, ErrScope, ErrNesting, ErrDuplicate or
	// ErrUnknownPermission.
	Kind error

	// Pointer is the place in the claim as a JSON Pointer (RFC 6901). For a Builder it is the path. It is
	// empty for a mistake of the claim as a whole, for every syntax mistake, and for a Scope.
	Pointer string

	// Offset is the place in the claim's text, in bytes from its first byte. It is -1 where
	// the claim has no text: for a claim that was a Go value, for a Builder, and for a Scope. Of a
	// claim that is a JSON string it is the place in the text inside (SPEC 6.3), unless the mistake is
	// in what surrounds that text.
	Offset int

	// Found is what was found there, shortened if it is long: a name in quotation marks, or a
	// description such as "a number". It may be empty.
	Found string

	// Problem is what is wrong with it. Remedy is what was probably meant or what to do
	// instead. Remedy may be empty.
	Problem, Remedy string
}

// Error returns all of e in one line. A nil ParseError has a text too.
func (e *ParseError) Error() string {
	if e == nil {
		return "permissions: a nil *ParseError"
	}
	var b strings.Builder
	b.WriteString("permissions: ")
	if e.Kind == ErrScope {
		b.WriteString("scope")
	} else {
		b.WriteString("claim")
	}
	if e.Pointer != "" {
		b.WriteString(" at " + text.Quote(e.Pointer))
	}
	if e.Offset >= 0 {
		fmt.Fprintf(&b, " (byte %d)", e.Offset)
	}
	b.WriteString(": ")
	if e.Found != "" {
		b.WriteString(e.Found + " ")
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// Unwrap returns e.Kind, and ErrClaim for a nil ParseError.
func (e *ParseError) Unwrap() error {
	if e == nil {
		return ErrClaim
	}
	return e.Kind
}

// A QuestionError says why a question is invalid (SPEC 3.4). It matches [ErrQuestion] and [ErrDenied].
type QuestionError struct {
	// Field is what is wrong: "action", "target", or an identifier as [Identifiers.String] names
	// it, such as "credential external ID". It can also be a level, such as "credential". For a
	// target in JSON it can be the path of a member, such as "credential.id".
	Field string

	// Value is the text of the field, or empty if it has none.
	Value string

	// Problem is what is wrong with it, and Remedy what to do instead.
	Problem, Remedy string
}

// Error returns all of e in one line. A nil QuestionError has a text too.
func (e *QuestionError) Error() string {
	if e == nil {
		return "permissions: a nil *QuestionError"
	}
	return "permissions: invalid question: " + e.explain()
}

func (e *QuestionError) explain() string {
	s := e.Field
	if e.Value != "" {
		s += " " + text.Quote(e.Value)
	}
	s += " " + e.Problem
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unwrap returns ErrQuestion.
func (e *QuestionError) Unwrap() error { return ErrQuestion }

// Is reports whether target is [ErrDenied], because an invalid question is denied (SPEC 3.4).
func (e *QuestionError) Is(target error) bool { return target == ErrDenied }

// A DeniedError is a denial with its reason. It matches [ErrDenied]. Its message names the rule that denied, if
// a rule did. Log it, and tell the caller only that access was denied.
type DeniedError struct {
	Action   Permission
	Target   Target
	Decision Decision
}

// Error returns all of e in one line. A nil DeniedError has a text too.
func (e *DeniedError) Error() string {
	if e == nil {
		return "permissions: a nil *DeniedError"
	}
	return "permissions: " + text.Quote(string(e.Action)) + " on " + e.Target.String() + " denied: " + e.Decision.explain()
}

// Unwrap returns ErrDenied.
func (e *DeniedError) Unwrap() error { return ErrDenied }

// nearest returns the candidate that a word was probably meant to be, or "".
func nearest(word string, candidates []string) string {
	if len(word) > 64 {
		return ""
	}
	bare := func(s string) string {
		return strings.NewReplacer("_", "", "-", "", ".", "", ":", "", " ", "").Replace(strings.ToLower(s))
	}
	best, least := "", 3
	for _, c := range candidates {
		d := distance([]rune(bare(word)), []rune(bare(c)), least)
		if d < least && 2*d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// distance returns how many characters must be inserted, deleted or replaced to make b of a, or
// limit if there are as many or more. It takes time in proportion to the length of a times limit.
func distance(a, b []rune, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		// A cell further than limit from the diagonal is at least limit.
		lo, hi := max(0, i-limit), min(len(b), i+limit+1)
		diagonal := row[lo]
		row[lo]++
		if lo > 0 {
			row[lo] = limit
		}
		least := row[lo]
		for j := lo; j < hi; j++ {
			substitute := diagonal
			if a[i] != b[j] {
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
	return min(row[len(b)], limit)
}
