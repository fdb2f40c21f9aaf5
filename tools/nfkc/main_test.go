package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const tableFile = "../../forwardauth/nfkc_table.go"

// The file in package forwardauth is what the command prints.
func TestTableIsGenerated(t *testing.T) {
	want, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatal("the table is another: run go -C tools run ./nfkc and replace it")
	}
}

// ranges returns the numbers of each range of a table in the file.
func ranges(t *testing.T, table string) (list [][]rune) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), tableFile, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok {
			return spec.Names[0].Name == table
		}
		c, ok := n.(*ast.CompositeLit)
		if !ok {
			return true
		}
		var numbers []rune
		for _, element := range c.Elts {
			if number, ok := element.(*ast.BasicLit); ok {
				n, err := strconv.ParseInt(number.Value, 0, 32)
				if err != nil {
					t.Fatal(err)
				}
				numbers = append(numbers, rune(n))
			}
		}
		if len(numbers) == 3 {
			list = append(list, numbers)
		}
		return true
	})
	if len(list) < 10 {
		t.Fatalf("%s has %d ranges", table, len(list))
	}
	return list
}

// lookup returns the third number of the range that has each code point.
func lookup(t *testing.T, table string) map[rune]rune {
	t.Helper()
	found, last := map[rune]rune{}, rune(-1)
	for _, r := range ranges(t, table) {
		if r[0] <= last || r[1] < r[0] {
			t.Fatalf("%s: the range %x is out of order", table, r)
		}
		last = r[1]
		for c := r[0]; c <= r[1]; c++ {
			found[c] = r[2]
		}
	}
	return found
}

// A code point that is not in the table stays as it is in NFKC, alone and after every starter that
// anything composes with.
func TestChangesHoldsAgainstText(t *testing.T) {
	changes := lookup(t, "nfkcChanges")
	var starters []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if parts := []rune(norm.NFD.String(string(r))); utf8.ValidRune(r) && len(parts) > 1 &&
			norm.NFC.String(string(r)) == string(r) {
			starters = append(starters, []rune(norm.NFC.String(string(parts[:len(parts)-1])))...)
		}
	}
	seen := map[rune]bool{}
	var distinct []rune
	for _, s := range starters {
		if !seen[s] {
			seen[s] = true
			distinct = append(distinct, s)
		}
	}
	combines := 0
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		s, listed := string(r), changes[r] != 0
		stays := norm.NFKC.String(s) == s
		if !stays && !listed {
			t.Fatalf("%U changes and is not in the table", r)
		}
		// norm's own flag, which is exact for a code point of class 0.
		properties := norm.NFKC.PropertiesString(s)
		if properties.CCC() == 0 && stays && properties.BoundaryBefore() == listed {
			t.Fatalf("%U: x/text says that it begins a segment: %v, the table has it: %v", r,
				properties.BoundaryBefore(), listed)
		}
		if !listed {
			if properties.CCC() == 0 {
				continue
			}
			for _, starter := range distinct {
				if pair := string(starter) + s; norm.NFKC.String(pair) != pair &&
					norm.NFKC.String(string(starter)) == string(starter) {
					t.Fatalf("%U composes with %U and is not in the table", r, starter)
				}
			}
		} else if stays {
			combines++
		}
	}
	if combines < 100 {
		t.Fatalf("only %d code points of the table combine with what is before them", combines)
	}
}

func TestDelimitersHoldAgainstText(t *testing.T) {
	delimiters := lookup(t, "nfkcDelimiter")
	for r := rune(0); r <= unicode.MaxRune; r++ {
		want := false
		if utf8.ValidRune(r) && r >= utf8.RuneSelf {
			for _, a := range norm.NFKC.String(string(r)) {
				want = want || a < utf8.RuneSelf && !('a' <= a && a <= 'z' || 'A' <= a && a <= 'Z' || '0' <= a &&
					a <= '9')
			}
		}
		if got := delimiters[r] != 0; got != want {
			t.Fatalf("%U: got %v, want %v", r, got, want)
		}
	}
	for _, r := range "\u2024\u2026\ufe52\uff0e\uff0f\uff3c\uff1b\uff05\u3000\u00a0" {
		if delimiters[r] == 0 {
			t.Errorf("%U is not in the table", r)
		}
	}
}

func TestClassesHoldAgainstText(t *testing.T) {
	classes := lookup(t, "combiningClasses")
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if got, want := classes[r], rune(combiningClass(r)); got != want {
			t.Fatalf("%U: got class %d, want %d", r, got, want)
		}
	}
}

func TestUnassignedHoldsAgainstUnicode(t *testing.T) {
	unassigned := lookup(t, "unassigned")
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if got, want := unassigned[r] != 0, unicode.Is(unicode.Cn, r); got != want {
			t.Fatalf("%U: got %v, want %v", r, got, want)
		}
	}
}
