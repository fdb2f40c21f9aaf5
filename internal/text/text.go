// Package text prints names that come from tokens and requests, so that a name cannot forge or hide a part of
// a log line. Everything in this module that repeats such a name for people prints it with [Quote] or [Plain].
package text

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxQuoted is the length in bytes up to which [Quote] repeats a text whole.
const MaxQuoted = 100

// Quote returns s in quotation marks, on one line. It escapes quotation marks, backslashes, and every
// character that is invisible, changes the direction of the text, or ends a line. So two different
// texts never look the same, except for characters that look alike.
//
// A text of more than [MaxQuoted] bytes is shortened. Its length and 64 bits of its SHA-256 digest
// follow. They distinguish it from other texts with the same beginning.
func Quote(s string) string {
	if len(s) <= MaxQuoted {
		return quote(s)
	}
	cut := MaxQuoted * 2 / 5
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%s...(%d bytes, sha256 %x)", quote(s[:cut]), len(s), sum[:8])
}

// Plain returns s unchanged if Quote(s) is s between quotation marks, and Quote(s) otherwise. It is
// for places that already say where a text begins and ends, such as a value in a structured log.
func Plain(s string) string {
	if len(s) > MaxQuoted || len(quote(s)) != len(s)+2 { // an escape is longer than what it replaces
		return Quote(s)
	}
	return s
}

func quote(s string) string {
	if !strings.ContainsFunc(s, isHidden) {
		return strconv.Quote(s)
	}
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case isHidden(r) && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case isHidden(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			quoted := strconv.Quote(string(r))
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	b.WriteByte('"')
	return b.String()
}

// isHidden reports whether a character may be invisible although strconv.Quote does not escape it.
// strconv.Quote escapes what is not printable, which includes white space other than the ASCII space,
// line separators, and all format characters, those that change the direction among them.
func isHidden(r rune) bool {
	const brailleBlank = '\u2800'
	return r == brailleBlank || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// EscapeJSON replaces each invisible character of a JSON text, which must be valid UTF-8, with its
// escape. The text means the same.
func EscapeJSON(json []byte) []byte {
	if !bytes.ContainsFunc(json, escapesInJSON) {
		return json
	}
	var b []byte
	for _, r := range string(json) {
		switch {
		case !escapesInJSON(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}

func escapesInJSON(r rune) bool {
	return r > '~' && (isHidden(r) || !strconv.IsPrint(r))
}
