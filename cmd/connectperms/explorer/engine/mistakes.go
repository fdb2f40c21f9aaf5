package engine

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/connectperms/permissions"
)

// kinds has the code of each kind of mistake in a claim.
var kinds = []struct {
	kind error
	code string
}{
	{permissions.ErrSyntax, "syntax"},
	{permissions.ErrType, "type"},
	{permissions.ErrScope, "scope"},
	{permissions.ErrNesting, "nesting"},
	{permissions.ErrDuplicate, "duplicate"},
	{permissions.ErrUnknownPermission, "permission"},
}

// A mistakeFix is an edit that makes a mistake go away.
type mistakeFix struct {
	Summary string   `json:"summary"`
	Edit    textEdit `json:"edit"`
}

// How many mistakes are looked for after the first one. Each takes as long as reading the claim again.
const (
	maxFurther      = 20
	maxFurtherBytes = 4 << 20
)

// claimFailure returns the failure for a claim that was refused: the first mistake, and further ones. To find these,
// it blanks out each mistake and parses the text again.
func claimFailure(text string, err error) *Failure {
	var mistake *permissions.ParseError
	if !errors.As(err, &mistake) || mistake.Offset < 0 || mistake.Offset > len(text) {
		failure := Problem("input", err.Error())
		failure.looksLike = looksLike(text)
		return failure
	}
	m := mistakeFinder{source: newSource(text), rest: text}
	if mistake.Kind != permissions.ErrSyntax && json.Valid([]byte(text)) {
		m.members = members(text)
	}
	first := m.next(&mistake)
	first.looksLike = looksLike(text)
	for range min(maxFurther, maxFurtherBytes/(len(text)+1)) {
		if mistake == nil || first.looksLike != "" {
			break
		}
		first.further = append(first.further, m.next(&mistake))
	}
	return first
}

// mistakeFinder finds the mistakes in a claim one after the other.
type mistakeFinder struct {
	*source
	members []member
	rest    string // the text, with spaces for everything that had a mistake
}

// next returns the failure for *mistake, and sets *mistake to the mistake after it, or to nil if there is none.
func (m *mistakeFinder) next(mistake **permissions.ParseError) *Failure {
	found := *mistake
	*mistake = nil
	f := m.failure(found)
	from, to, ok := m.span(found.Offset)
	if !ok {
		return f
	}
	f.Fix = m.replacement(found)
	m.blank(from, to)
	_, err := permissions.Parse([]byte(m.rest))
	if errors.Is(err, permissions.ErrSyntax) {
		return f
	}
	if f.Fix == nil {
		f.Fix = &mistakeFix{"remove it", textEdit{m.units(from), m.units(to), ""}}
	}
	errors.As(err, mistake)
	return f
}

func (m *mistakeFinder) failure(mistake *permissions.ParseError) *Failure {
	f := Problem("input", mistake.Error())
	for _, k := range kinds {
		if mistake.Kind == k.kind {
			f.Code = k.code
		}
	}
	f.Found, f.Problem, f.Remedy = mistake.Found, mistake.Problem, mistake.Remedy
	place := m.place(mistake.Pointer, mistake.Offset, tokenEnd(m.text, mistake.Offset))
	f.Place = &place
	return f
}

// span returns where the member at an offset is or, if the offset is inside an array, where the element is. The span
// has one comma beside it.
func (m *mistakeFinder) span(offset int) (from, to int, ok bool) {
	at := -1
	for i, member := range m.members {
		if member.from > offset {
			break
		}
		if offset < member.valueTo {
			at = i
		}
	}
	if at < 0 {
		return 0, 0, false
	}
	found := m.members[at]
	if found.valueFrom >= offset || m.text[found.valueFrom] != '[' {
		from, to = memberSpan(m.text, m.members, at)
		return from, to, true
	}
	all := elements(m.text, found.valueFrom)
	for i, e := range all {
		if offset >= e.to {
			continue
		}
		if i < len(all)-1 {
			return e.before, all[i+1].before, true
		}
		from, to = lastSpan(m.text, e.before, e.to, ']')
		return from, to, true
	}
	return 0, 0, false
}

// blank overwrites a part of m.rest with spaces, so that offsets stay the same. If the next character after the part
// is a closing bracket, it overwrites the comma before the part too.
func (m *mistakeFinder) blank(from, to int) {
	rest := []byte(m.rest)
	for i := from; i < to; i++ {
		rest[i] = ' '
	}
	after := strings.TrimLeft(string(rest[to:]), " \t\r\n")
	if strings.HasPrefix(after, "]") || strings.HasPrefix(after, "}") {
		before := strings.TrimRight(string(rest[:from]), " \t\r\n")
		if last := len(before) - 1; last >= 0 && before[last] == ',' {
			rest[last] = ' '
		}
	}
	m.rest = string(rest)
}

// replacement returns the fix that writes what was probably meant, or nil. The fix has been tried: the next mistake,
// if there is one, comes after it.
func (m *mistakeFinder) replacement(mistake *permissions.ParseError) *mistakeFix {
	meant, summary := meant(mistake)
	if meant == "" {
		return nil
	}
	from, to := mistake.Offset, tokenEnd(m.text, mistake.Offset)
	if mistake.Kind == permissions.ErrUnknownPermission && meant == "true" { // the whole array
		from, to = m.valueAround(from)
	}
	_, err := permissions.Parse([]byte(m.rest[:from] + meant + m.rest[to:]))
	if next := (*permissions.ParseError)(nil); errors.As(err, &next) &&
		(next.Kind == permissions.ErrSyntax || next.Offset < from+len(meant)) {
		return nil
	}
	return &mistakeFix{summary, textEdit{m.units(from), m.units(to), meant}}
}

// valueAround returns where the value of the member at an offset is.
func (m *mistakeFinder) valueAround(offset int) (from, to int) {
	for _, member := range m.members {
		if member.valueFrom <= offset && offset < member.valueTo {
			from, to = member.valueFrom, member.valueTo // the last one is the deepest
		}
	}
	return from, to
}

// meant returns the JSON text that was probably meant, as the remedy says it, and the remedy in a few words.
func meant(mistake *permissions.ParseError) (text, what string) {
	_, rest, ok := strings.Cut(mistake.Remedy, "did you mean ")
	switch {
	case mistake.Found == `"*"` && mistake.Kind == permissions.ErrUnknownPermission:
		return "true", "grant everything: true"
	case !ok:
		return "", ""
	case mistake.Kind == permissions.ErrType: // true, false, or an array with a name
		text, _, _ = strings.Cut(rest, ",")
		return text, "replace it with " + text
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil {
		return "", ""
	}
	name, err := strconv.Unquote(quoted)
	if err != nil {
		return "", ""
	}
	return string(Encode(name, nil)), "replace it with " + quoted
}
