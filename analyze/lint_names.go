package analyze

import (
	"slices"
	"strings"
	"unicode"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// scope looks at the name in the last scope of the path of a rule or a nested map.
func (l *linter) scope(at spotted, p place) {
	own := p.named() & identifiersTo(p.level()) &^ identifiersTo(p.level()-1)
	if own == 0 {
		return
	}
	s := l.names[own.index()].scopes[p.names[own.index()]]
	quoted := l.names[own.index()].quote(p.names[own.index()])
	switch {
	case own == integrationName:
		l.caseVariant(at, p, s.Name(), quoted)
		l.unknownIntegration(at, p, s.Name(), quoted)
	case !s.IsExternal():
		return
	default:
		if strings.Contains(s.Name(), "*") {
			l.report(CodePattern, at, l.remove(at, p), "the external ID %s is not a pattern: it matches only itself", quoted)
		}
		if id := usualUUID(s.Name()); id != "" {
			l.report(CodeUUID, at, l.rename(at, p, idPrefix(s)+id),
				"the external ID %s is a UUID, and an ID is written without ext:", quoted)
		}
		if rest := s.Name(); strings.HasPrefix(rest, extPrefix) {
			for strings.HasPrefix(rest, extPrefix) {
				rest = rest[len(extPrefix):]
			}
			l.report(CodeDoubleExt, at, l.rename(at, p, idPrefix(s)+extPrefix+rest),
				"the external ID %s begins with ext: itself", quoted)
		}
	}
	if elements := elementsOf(s.Name()); elements != nil {
		l.report(CodeList, at, l.split(at, p, s, elements),
			"%s %s is not a list: it matches only itself", identifierTexts[own.index()].people, quoted)
	}
}

const extPrefix = "ext:"

// idPrefix returns how a scope begins that names a thing of the same kind by its ID.
func idPrefix(s permissions.Scope) string { return s.Kind().String() + ":" }

// caseVariants returns, for each name of an integration that has one, another that differs only in letter
// case.
func (l *linter) caseVariants() map[uint32]uint32 {
	variants := make(map[uint32]uint32)
	first := make(map[string]uint32)
	for n, s := range l.names[integrationName.index()].scopes[1:] {
		n, folded := uint32(n+1), foldCase(s.Name())
		switch other, ok := first[folded]; {
		case !ok:
			first[folded] = n
		default:
			variants[n] = other
			if _, ok := variants[other]; !ok {
				variants[other] = n
			}
		}
	}
	return variants
}

// foldCase returns a text that is the same for texts that differ only in letter case.
func foldCase(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, s)
}

func (l *linter) caseVariant(at spotted, p place, name, quoted string) {
	other, ok := l.variants[p.names[integrationName.index()]]
	if !ok || l.known != nil && l.known.names[name] {
		return
	}
	l.report(CodeCaseVariant, at, l.remove(at, p),
		"the integration %s differs only in letter case from %s, and letter case counts",
		quoted, l.names[integrationName.index()].quote(other))
}

func (l *linter) unknownIntegration(at spotted, p place, name, quoted string) {
	switch {
	case l.known == nil || l.known.names[name]:
		return
	case l.known.nearest(name) == "":
		l.report(CodeUnknownIntegration, at, l.remove(at, p), "there is no integration %s", quoted)
	default:
		meant, _ := permissions.ParseScope("integration:" + l.known.nearest(name))
		l.report(CodeUnknownIntegration, at, l.rename(at, p, meant.String()),
			"there is no integration %s; did you mean %s?", quoted, text.Quote(meant.Name()))
	}
}

// remove returns the fix that removes a scope.
func (l *linter) remove(at spotted, p place) draft {
	return draft{
		summary: "Remove " + l.text(p) + ".",
		edits:   []draftEdit{{op: "remove", to: spot{of: at}}},
		changes: []Region{l.region(p)},
	}
}

// rename returns the fix that replaces a scope with another one of its kind, or removes it if the other one is
// not a scope or has a rule already.
func (l *linter) rename(at spotted, p place, to string) draft {
	s, err := permissions.ParseScope(to)
	if err != nil || !l.isFree(p, s) {
		return l.remove(at, p)
	}
	return draft{
		summary: "Replace the scope with " + quoteScope(s) + ".",
		edits:   []draftEdit{{op: "move", from: spot{of: at}, to: spot{of: at, way: beside, scope: s.String()}}},
		changes: []Region{l.region(p), l.renamed(p, s)},
	}
}

// maxElements is the length of the longest list that the fix splits into scopes.
const maxElements = 100

// split returns the fix that gives each element of a list what the list has. A very long list it removes.
func (l *linter) split(at spotted, p place, list permissions.Scope, elements []string) draft {
	if len(elements) > maxElements {
		return l.remove(at, p)
	}
	fix := draft{summary: "Write a scope for each of them.", changes: []Region{l.region(p)}}
	done := make(map[permissions.Scope]bool)
	for _, element := range elements {
		s, err := permissions.ParseScope(strings.TrimSuffix(list.String(), list.Name()) + element)
		if err != nil || done[s] || !l.isFree(p, s) {
			continue
		}
		done[s] = true
		to := spot{of: at, way: beside, scope: s.String()}
		fix.edits = append(fix.edits, draftEdit{op: "copy", from: spot{of: at}, to: to})
		fix.changes = append(fix.changes, l.renamed(p, s))
	}
	fix.edits = append(fix.edits, draftEdit{op: "remove", to: spot{of: at}})
	return fix
}

// isFree reports whether the claim has no rule and no nested map at the path of p with s as its last scope. That path
// can be in another map (SPEC 2.7).
func (l *linter) isFree(p place, s permissions.Scope) bool {
	which := identifierOf(s)
	n := l.names[which.index()].find(s.Name())
	renamed := p.only(identifiersTo(p.level() - 1))
	renamed.names[which.index()] = n
	return n == 0 || !l.isTaken(renamed) // 0: nothing in the claim has the name
}

// renamed returns the region of a place if its last scope were another one.
func (l *linter) renamed(p place, s permissions.Scope) Region {
	r := Region{scopes: []permissions.Scope{s}, text: quoteScope(s)}
	if p.level() > permissions.KindIntegration {
		above := l.region(p.only(identifiersTo(p.level() - 1)).at(p.level() - 1))
		r.scopes, r.text = append(above.scopes, s), above.text+"/"+r.text
	}
	return r
}

// elementsOf returns the elements of a name that looks like a list, or nil.
func elementsOf(name string) []string {
	elements := strings.FieldsFunc(name, func(r rune) bool { return r == ',' || r == ';' })
	separators := strings.Count(name, ",") + strings.Count(name, ";")
	if separators == 0 || len(elements) != separators+1 || strings.ContainsFunc(name, unicode.IsSpace) {
		return nil
	}
	return elements
}

// usualUUID returns the usual spelling of a UUID in any spelling (SPEC 2.5), or "".
func usualUUID(s string) string {
	const longest = len("urn:uuid:{00000000-0000-4000-8000-000000000000}")
	if len(s) > longest {
		return ""
	}
	s = strings.TrimPrefix(strings.ToLower(s), "urn:uuid:")
	s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	digits := strings.ReplaceAll(s, "-", "")
	if len(digits) != 32 {
		return ""
	}
	usual := strings.Join([]string{digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]}, "-")
	if _, err := permissions.ParseScope("credential:" + usual); err != nil {
		return ""
	}
	return usual
}

// A knownNames is the names of all integrations that there are.
type knownNames struct {
	names map[string]bool
	near  map[string]string // the names, by their keys
}

// How the keys in knownNames.near begin. The letters of a name follow, without letter case and punctuation.
const (
	allLetters      = "="
	oneLetterLess   = "-"
	oneLetterHidden = "?" // the letter is a space
)

func newKnownNames(names []string) *knownNames {
	k := &knownNames{names: make(map[string]bool), near: make(map[string]string)}
	for _, name := range names {
		k.names[name] = true
		add := func(key string) {
			if _, ok := k.near[key]; !ok {
				k.near[key] = name
			}
		}
		letters := lettersOf(name)
		if _, err := permissions.ParseScope("integration:" + name); err != nil || len(letters) == 0 {
			continue // nobody can have meant it
		}
		add(allLetters + string(letters))
		for i := range letters {
			add(oneLetterLess + string(slices.Delete(slices.Clone(letters), i, i+1)))
			add(oneLetterHidden + hidden(letters, i))
		}
	}
	return k
}

// nearest returns the known name that a name was probably meant to be, or "": one that differs in letter case
// and punctuation only, and otherwise one with a letter more, less or changed, or with two letters swapped.
func (k *knownNames) nearest(name string) string {
	letters := lettersOf(name)
	if len(letters) == 0 {
		return ""
	}
	keys := []string{allLetters + string(letters), oneLetterLess + string(letters)}
	for i := range letters {
		keys = append(keys, allLetters+string(slices.Delete(slices.Clone(letters), i, i+1)), oneLetterHidden+hidden(letters, i))
		if i > 0 {
			swapped := slices.Clone(letters)
			swapped[i-1], swapped[i] = swapped[i], swapped[i-1]
			keys = append(keys, allLetters+string(swapped))
		}
	}
	for _, key := range keys {
		if known, ok := k.near[key]; ok {
			return known
		}
	}
	return ""
}

// lettersOf returns the letters and digits of a name, without regard to letter case. It returns none for a
// name that is too long to be compared.
func lettersOf(name string) []rune {
	const longest = 64
	if len(name) > longest {
		return nil
	}
	return []rune(strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return -1
		}
		return r
	}, foldCase(name)))
}

func hidden(letters []rune, i int) string {
	letters = slices.Clone(letters)
	letters[i] = ' '
	return string(letters)
}
