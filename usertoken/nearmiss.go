package usertoken

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/connectperms/permissions"
)

// What makes a name a near miss of the claim's name, by its letters (SPEC 7.4).
const (
	maxEdits = 2

	// In a claims set without the claim, a name with one of these suffixes or this prefix is a near
	// miss too.
	longSuffix  = "paragonconnectpermissions"
	shortSuffix = "paragonpermissions"
	prefix      = "urnuseparagonconnectperm"

	// maxLetters is the capacity of the buffers. The most that they hold is maxEdits+1 letters more than the claim's
	// name has.
	maxLetters = 40
)

// The letters to compare with. They are not modified.
var (
	claimLetters       = firstLetters(nil, permissions.ClaimName, maxLetters)
	longSuffixLetters  = []rune(longSuffix)
	shortSuffixLetters = []rune(shortSuffix)
	prefixLetters      = []rune(prefix)
)

// isNearMiss reports whether a name other than the claim's is a near miss in any claims set.
func isNearMiss(name string) bool {
	var buffer [maxLetters]rune
	letters := firstLetters(buffer[:0], name, len(claimLetters)+maxEdits+1)
	return withinEdits(letters, claimLetters, maxEdits)
}

// isSuspect reports whether a name is a near miss in a claims set without the claim.
func isSuspect(name string) bool {
	var buffer [maxLetters]rune
	if slices.Equal(firstLetters(buffer[:0], name, len(prefixLetters)), prefixLetters) {
		return true
	}
	last := lastLetters(buffer[:0], name, len(longSuffixLetters))
	for _, suffix := range [...][]rune{longSuffixLetters, shortSuffixLetters} {
		if len(last) >= len(suffix) && slices.Equal(last[len(last)-len(suffix):], suffix) {
			return true
		}
	}
	return false
}

// firstLetters appends the first letters of a name, folded, up to a number of them.
func firstLetters(to []rune, name string, most int) []rune {
	for _, r := range name {
		if len(to) == most {
			break
		}
		work(1)
		if unicode.IsLetter(r) {
			to = append(to, fold(r))
		}
	}
	return to
}

// lastLetters returns up to most of the last letters of a name, folded and in their order. to must be empty.
func lastLetters(to []rune, name string, most int) []rune {
	for len(name) > 0 && len(to) < most {
		r, width := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-width]
		work(1)
		if unicode.IsLetter(r) {
			to = append(to, fold(r))
		}
	}
	slices.Reverse(to)
	return to
}

// fold returns the same character for all that differ in nothing but letter case (Unicode simple
// case folding, as in [strings.EqualFold]). It is a small letter in ASCII. So the long s, U+017F,
// becomes s, and the Kelvin sign, U+212A, becomes k.
func fold(r rune) rune {
	least := r
	if r >= utf8.RuneSelf {
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
	}
	if 'A' <= least && least <= 'Z' {
		least += 'a' - 'A'
	}
	return least
}

// withinEdits reports whether the Levenshtein distance of a and b does not exceed most. Both have at most
// maxLetters letters.
func withinEdits(a, b []rune, most int) bool {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return false
	}
	var row [maxLetters + 1]int // the distances of a[:i] from every b[:j]
	for j := range row {
		row[j] = j
	}
	for i, r := range a {
		work(len(b))
		diagonal, least := row[0], i+1
		row[0] = i + 1
		for j, s := range b {
			replaced := diagonal
			if r != s {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
			least = min(least, row[j+1])
		}
		if least > most {
			return false
		}
	}
	return row[len(b)] <= most
}
