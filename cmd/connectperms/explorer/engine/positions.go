package engine

import (
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/connectperms/permissions/internal/strictjson"
)

// A Place is a part of a claim's text. From and To count UTF-16 code units, as a browser does. Offset
// counts bytes. Line and Column count from 1, and a column is a UTF-16 code unit.
type Place struct {
	Pointer string `json:"pointer"`
	From    int    `json:"from"`
	To      int    `json:"to"`
	Offset  int    `json:"offset"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

// A source is a text whose bytes can be counted as UTF-16 code units.
type source struct {
	text  string
	marks []int // code units before every markEvery-th byte; nil if each byte is one
	lines []int // where lines begin, in bytes
}

const markEvery = 64

func newSource(text string) *source {
	s := &source{text: text, lines: []int{0}}
	ascii := true
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\n', c == '\r' && !strings.HasPrefix(text[i+1:], "\n"):
			s.lines = append(s.lines, i+1)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii {
		n := 0
		for i := range len(text) {
			if i%markEvery == 0 {
				s.marks = append(s.marks, n)
			}
			n += unitsOf(text[i])
		}
		s.marks = append(s.marks, n)
	}
	return s
}

// unitsOf returns how many UTF-16 code units the character that begins with a byte has, and 0 for a continuation
// byte.
func unitsOf(b byte) int {
	switch {
	case b >= 0xf0:
		return 2
	case b&0xc0 == 0x80:
		return 0
	}
	return 1
}

// units returns how many code units are before a byte.
func (s *source) units(offset int) int {
	if s.marks == nil {
		return offset
	}
	mark := offset / markEvery
	n := s.marks[mark]
	for i := mark * markEvery; i < offset; i++ {
		n += unitsOf(s.text[i])
	}
	return n
}

// place returns the place from a byte to another.
func (s *source) place(pointer string, from, to int) Place {
	line := sort.SearchInts(s.lines, from+1)
	unit := s.units(from)
	return Place{pointer, unit, s.units(to), from, line, unit - s.units(s.lines[line-1]) + 1}
}

// A member is a member of a map in the text of a claim: where its key and its value are, in bytes.
type member struct {
	before             int // the offset after the bracket or comma before it
	from, keyTo        int
	valueFrom, valueTo int
	isMap              bool
	parent             int // the member whose value is the map that this one is in, or -1
	next               int // the index after this member and all that are in it
}

// maxMaps is how deep the maps of a claim nest (SPEC 2.6). What is deeper is a mistake, and counts as a value.
const maxMaps = 3

// members returns the members of all maps in the text of a claim, in the order of their keys. The text is
// well-formed JSON. There are none if it is not an object.
func members(text string) []member {
	s := memberScanner{Scanner: strictjson.Scanner{Text: text}}
	if s.Space() == '{' {
		s.object(-1, 1)
	}
	return s.all
}

type memberScanner struct {
	strictjson.Scanner
	all []member
}

// object reads the map that begins here.
func (s *memberScanner) object(parent, depth int) {
	before := s.Pos + 1
	for more := s.Begin('}'); more; more, _ = s.More('}') { // it is well-formed, and so nothing fails
		m := member{before: before, parent: parent}
		s.Space()
		m.from = s.Pos
		s.Str()
		m.keyTo = s.Pos
		s.Punctuation(':')
		m.isMap = s.Space() == '{'
		m.valueFrom = s.Pos
		number := len(s.all)
		s.all = append(s.all, m)
		if m.isMap && depth < maxMaps {
			s.object(number, depth+1)
		} else {
			s.Value()
		}
		s.all[number].valueTo, s.all[number].next = s.Pos, len(s.all)
		s.Space()
		before = s.Pos + 1
	}
}

// An element is an element of an array: where it is in the text, in bytes.
type element struct{ before, from, to int }

// elements returns the elements of the array that begins at a byte of well-formed JSON.
func elements(text string, from int) []element {
	var all []element
	s := strictjson.Scanner{Text: text, Pos: from}
	before := from + 1
	for more := s.Begin(']'); more; more, _ = s.More(']') {
		s.Space()
		e := element{before: before, from: s.Pos}
		s.Value()
		e.to = s.Pos
		all = append(all, e)
		s.Space()
		before = s.Pos + 1
	}
	return all
}

// stringEnd returns the end of the JSON string that begins at from, or of the text.
func stringEnd(text string, from int) int {
	for i := from + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(text)
}

// tokenEnd returns the end of what is wrong at a byte, for a mark in an editor: a string, a word, or a
// character.
func tokenEnd(text string, from int) int {
	if from >= len(text) {
		return len(text)
	}
	if text[from] == '"' {
		return stringEnd(text, from)
	}
	end := from
	for end < len(text) && strings.IndexByte(" \t\r\n,:[]{}\"", text[end]) < 0 {
		end++
	}
	if end == from {
		_, size := utf8.DecodeRuneInString(text[from:])
		end += size
	}
	return end
}
