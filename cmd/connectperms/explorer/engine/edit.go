package engine

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// A textEdit replaces a part of a text. From and To count UTF-16 code units.
type textEdit struct {
	From   int    `json:"from"`
	To     int    `json:"to"`
	Insert string `json:"insert"`
}

// editTo returns the edit that turns the text of the claim into another one.
func (c *claim) editTo(text string) textEdit {
	from := 0
	for from < len(c.text) && from < len(text) && c.text[from] == text[from] {
		from++
	}
	for from > 0 && !atRune(c.text, text, from, from) {
		from--
	}
	to, end := len(c.text), len(text)
	for to > from && end > from && c.text[to-1] == text[end-1] {
		to, end = to-1, end-1
	}
	for to < len(c.text) && !atRune(c.text, text, to, end) {
		to, end = to+1, end+1
	}
	return textEdit{c.units(from), c.units(to), text[from:end]}
}

// atRune reports whether offset i of a and offset j of b are where a character begins, or the end.
func atRune(a, b string, i, j int) bool {
	return (i == len(a) || utf8.RuneStart(a[i])) && (j == len(b) || utf8.RuneStart(b[j]))
}

// grantMore returns the edit that adds a permission to what a rule grants, with the layout of the array. It returns
// false for a rule that grants everything.
func (c *claim) grantMore(rule int, action permissions.Permission) (textEdit, bool) {
	m := c.members[c.ruleAt[rule]]
	value, name := c.text[m.valueFrom:m.valueTo], `"`+string(action)+`"`
	if !strings.HasPrefix(value, "[") {
		return textEdit{c.units(m.valueFrom), c.units(m.valueTo), "[" + name + "]"}, value == "false"
	}
	last := strings.LastIndexByte(value, '"') + 1
	if last == 0 {
		return textEdit{c.units(m.valueFrom), c.units(m.valueTo), "[" + name + "]"}, true
	}
	first := strings.IndexByte(value, '"')
	space := value[1:first]
	if comma := strings.LastIndexByte(value[:strings.LastIndexByte(value[:last-1], '"')], ','); comma >= 0 {
		space = value[comma+1 : strings.LastIndexByte(value[:last-1], '"')]
	} else if space == "" && c.isSpaced() {
		space = " "
	}
	at := c.units(m.valueFrom + last)
	return textEdit{at, at, "," + space + name}, true
}

// addRule returns the edit that adds a rule for a path, in the maps of the scopes above it. It fails where one
// of them has a grant.
func (c *claim) addRule(path []permissions.Scope, grant []permissions.Permission) (textEdit, bool) {
	value := string(Encode(grant, nil))
	if path[0].IsWildcard() && len(path) > 1 {
		path = path[1:] // at the top
	}
	at := -1
	for i, scope := range path {
		next := childMember(c.text, c.members, at, scope)
		if next < 0 {
			for j := len(path) - 1; j > i; j-- {
				value = "{" + string(Encode(path[j].String(), nil)) + ":" + value + "}"
			}
			if c.isSpaced() {
				value = spaced([]byte(value))
			}
			from, to, insert := newMember(c.text, c.members, at, scope.String(), value)
			return textEdit{c.units(from), c.units(to), insert}, true
		}
		if !c.members[next].isMap {
			return textEdit{}, false
		}
		at = next
	}
	return textEdit{}, false
}

// childMember returns the member with a scope in the map of the member parent, or -1. A parent of -1 is the whole
// claim.
func childMember(text string, all []member, parent int, scope permissions.Scope) int {
	plain := `"` + scope.String() + `"`
	for i := parent + 1; i < len(all) && (parent < 0 || i < all[parent].next); i = all[i].next {
		// A key without escapes is this scope only if it equals plain, apart from the letter case of an ID.
		if key := text[all[i].from:all[i].keyTo]; !strings.EqualFold(key, plain) && !strings.Contains(key, `\`) {
			continue
		}
		if found, err := permissions.ParseScope(keyOf(text, all[i])); err == nil && found == scope {
			return i
		}
	}
	return -1
}

// isSpaced reports whether the text has space after the colon of its first member.
func (c *claim) isSpaced() bool {
	return len(c.members) > 0 && c.members[0].valueFrom > c.members[0].keyTo+1
}

// fixed returns the text with a fix applied, and keeps the layout of everything else. If it cannot, it returns the
// claim that [analyze.Fix.Apply] makes, indented.
func (c *claim) fixed(fix analyze.Fix) (string, error) {
	compact, err := fix.Apply([]byte(c.text))
	if err != nil {
		return "", err
	}
	text, ok := c.text, true
	for _, e := range fix.Edits {
		if text, ok = applyEdit(text, e); !ok {
			break
		}
	}
	if ok && sameClaim(text, compact) {
		return text, nil
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, compact, "", "  ")
	return indented.String(), err
}

// sameClaim reports whether two texts are claims with the same rules and the same number of nested maps.
func sameClaim(text string, compact []byte) bool {
	a, err := permissions.Parse([]byte(text))
	if err != nil {
		return false
	}
	b, err := permissions.Parse(compact)
	if err != nil {
		return false
	}
	one, err := a.MarshalJSON()
	if err != nil {
		return false
	}
	other, err := b.MarshalJSON()
	if err != nil || !bytes.Equal(one, other) {
		return false
	}
	return count(a) == count(b)
}

func count(p *permissions.Policy) (n int) {
	for range p.NestedMaps() {
		n++
	}
	return n
}

// applyEdit makes one edit of a JSON Patch in a text, and leaves the layout of the rest as it is. It reports
// whether the edit fits.
func applyEdit(text string, e analyze.Edit) (string, bool) {
	all := members(text)
	switch e.Op {
	case "remove":
		at := findMember(text, all, e.Path)
		return removeMember(text, all, at), at >= 0
	case "add", "replace":
		return setMember(text, all, e.Path, spaced(e.Value))
	case "move", "copy":
		at := findMember(text, all, e.From)
		if at < 0 {
			return text, false
		}
		value := text[all[at].valueFrom:all[at].valueTo]
		if e.Op == "move" {
			from, to := parentPointer(e.From), parentPointer(e.Path)
			if from == to && findMember(text, all, e.Path) < 0 { // another name in the same map
				name := pointerNames(e.Path)
				return text[:all[at].from] + string(Encode(name[len(name)-1], nil)) + text[all[at].keyTo:], true
			}
			text = removeMember(text, all, at)
			all = members(text)
		}
		return setMember(text, all, e.Path, value)
	}
	return text, false
}

// findMember returns the member at a pointer, or -1.
func findMember(text string, all []member, pointer string) int {
	parent := -1
	for _, part := range pointerNames(pointer) {
		found := -1
		for i := parent + 1; i < len(all) && (parent < 0 || i < all[parent].next); i = all[i].next {
			if keyOf(text, all[i]) == part {
				found = i
				break
			}
		}
		if found < 0 {
			return -1
		}
		parent = found
	}
	return parent
}

var unescapePointer = strings.NewReplacer("~1", "/", "~0", "~")

// parentPointer returns the pointer without its last name.
func parentPointer(pointer string) string { return pointer[:strings.LastIndexByte(pointer, '/')] }

// pointerNames returns the names in a JSON Pointer.
func pointerNames(pointer string) []string {
	names := strings.Split(pointer, "/")[1:]
	for i, name := range names {
		names[i] = unescapePointer.Replace(name)
	}
	return names
}

func keyOf(text string, m member) (key string) {
	key, _ = unquote(text[m.from:m.keyTo]) // it is well-formed
	return key
}

// removeMember returns the text without a member, and without one comma beside it.
func removeMember(text string, all []member, at int) string {
	if at < 0 {
		return text
	}
	from, to := memberSpan(text, all, at)
	return text[:from] + text[to:]
}

// memberSpan returns where a member is, with one comma beside it.
func memberSpan(text string, all []member, at int) (from, to int) {
	m := all[at]
	if m.next < len(all) && all[m.next].parent == m.parent {
		return m.before, all[m.next].before
	}
	return lastSpan(text, m.before, m.valueTo, '}')
}

// lastSpan returns the span of the last member or element: with the comma before it or, if it is the only
// one, with the space around it.
func lastSpan(text string, before, to int, closing byte) (from, end int) {
	if text[before-1] == ',' {
		return before - 1, to
	}
	return before, to + strings.IndexByte(text[to:], closing)
}

// setMember returns the text in which the member at a pointer has a value. A new member is the last in its
// map.
func setMember(text string, all []member, pointer, value string) (string, bool) {
	if at := findMember(text, all, pointer); at >= 0 {
		return text[:all[at].valueFrom] + value + text[all[at].valueTo:], true
	}
	names, parent := pointerNames(pointer), -1
	if len(names) > 1 {
		parent = findMember(text, all, parentPointer(pointer))
		if parent < 0 || !all[parent].isMap {
			return text, false
		}
	}
	from, to, insert := newMember(text, all, parent, names[len(names)-1], value)
	return text[:from] + insert + text[to:], true
}

// newMember returns the edit that adds a last member to the map of the member parent, or to the whole claim for -1.
// The new member has the layout of the one before it.
func newMember(text string, all []member, parent int, name, value string) (from, to int, insert string) {
	last := -1
	for i := parent + 1; i < len(all) && (parent < 0 || i < all[parent].next); i = all[i].next {
		last = i
	}
	key, colon := string(Encode(name, nil)), ":"
	if len(all) > 0 {
		colon = text[all[0].keyTo:all[0].valueFrom]
	}
	if last >= 0 {
		m := all[last]
		space := text[m.before:m.from]
		if space == "" && colon != ":" {
			space = " " // the only member of a map on one line
		}
		return m.valueTo, m.valueTo, "," + space + key + colon + value
	}
	open := strings.IndexByte(text, '{')
	if parent >= 0 {
		open = all[parent].valueFrom
	}
	return open + 1, open + strings.IndexByte(text[open:], '}'), key + colon + value
}
