package text_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/text"
)

func TestQuote(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", `""`},
		{"a word", "slack", `"slack"`},
		{"a space", "Team A", `"Team A"`},
		{"beyond ASCII", "été 日本語 😀", `"été 日本語 😀"`},
		{"a quotation mark", `a"b`, `"a\"b"`},
		{"a backslash", `a\b`, `"a\\b"`},
		{"a single quotation mark", `a'b`, `"a'b"`},
		{"a line break", "a\nb", `"a\nb"`},
		{"NUL", "a\x00b", `"a\x00b"`},
		{"ESC", "\x1b[31m", `"\x1b[31m"`},
		{"DEL", "\x7f", `"\x7f"`},
		{"a C1 control character", "\u009b", `"\u009b"`},
		{"not UTF-8", "a\xffb", `"a\xffb"`},
		{"a surrogate in UTF-8", "\xed\xa0\x80", `"\xed\xa0\x80"`},
		{"a character that is cut", "é"[:1], `"\xc3"`},
		{"U+FFFD", "\ufffd", "\"\ufffd\""},
		{"not UTF-8 beside a hidden character", "\xff\u034f\xc3", `"\xff\u034f\xc3"`},
		{"U+FFFD beside a hidden character", "\ufffd\u034f", "\"\ufffd\\u034f\""},
		{"a quotation mark beside a hidden character", "\"\\\u034f", `"\"\\\u034f"`},
		{"a line break beside a hidden character", "\n\u034f\x00", `"\n\u034f\x00"`},
		{"a hidden character above U+FFFF", "a\U000e0100b", `"a\U000e0100b"`},
		{"100 bytes", strings.Repeat("x", 100), `"` + strings.Repeat("x", 100) + `"`},
		{"101 bytes", strings.Repeat("x", 101), shortened(strings.Repeat("x", 101), 40)},
		{
			"101 bytes and a cut inside a character", "a" + strings.Repeat("é", 50),
			shortened("a"+strings.Repeat("é", 50), 39),
		},
		{
			"102 bytes and a cut inside a long character", "ab" + strings.Repeat("😀", 25),
			shortened("ab"+strings.Repeat("😀", 25), 38),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, text.Quote(test.text))
		})
	}
}

// shortened returns the form of a text that is cut after some bytes.
func shortened(s string, cut int) string {
	sum := sha256.Sum256([]byte(s))
	return fmt.Sprintf("%s...(%d bytes, sha256 %x)", strconv.Quote(s[:cut]), len(s), sum[:8])
}

// What is not UTF-8 has no character to cut at. It is shortened all the same.
func TestQuoteShortensWhatIsNotUTF8(t *testing.T) {
	for name, s := range map[string]string{
		"continuation bytes": strings.Repeat("\x80", 40_000),
		"bad bytes":          strings.Repeat("\xff", 40_000),
	} {
		t.Run(name, func(t *testing.T) {
			quoted := text.Quote(s)
			require.Less(t, len(quoted), 300)
			require.Contains(t, quoted, "(40000 bytes, sha256 ")
		})
	}
}

// hidden are characters that a reader does not see, or that change what the reader sees around them.
var hidden = map[string]rune{
	"line separator":               '\u2028',
	"paragraph separator":          '\u2029',
	"next line":                    '\u0085',
	"vertical tab":                 '\v',
	"left-to-right mark":           '\u200e',
	"right-to-left mark":           '\u200f',
	"Arabic letter mark":           '\u061c',
	"left-to-right embedding":      '\u202a',
	"right-to-left embedding":      '\u202b',
	"pop":                          '\u202c',
	"left-to-right override":       '\u202d',
	"right-to-left override":       '\u202e',
	"left-to-right isolate":        '\u2066',
	"right-to-left isolate":        '\u2067',
	"first strong isolate":         '\u2068',
	"pop isolate":                  '\u2069',
	"zero-width space":             '\u200b',
	"zero-width non-joiner":        '\u200c',
	"zero-width joiner":            '\u200d',
	"word joiner":                  '\u2060',
	"byte order mark":              '\ufeff',
	"soft hyphen":                  '\u00ad',
	"combining grapheme joiner":    '\u034f',
	"Mongolian vowel separator":    '\u180e',
	"Hangul filler":                '\u3164',
	"Hangul choseong filler":       '\u115f',
	"Hangul jungseong filler":      '\u1160',
	"halfwidth filler":             '\uffa0',
	"Khmer vowel":                  '\u17b4',
	"braille blank":                '\u2800',
	"variation selector":           '\ufe0f',
	"variation selector 17":        '\U000e0100',
	"Mongolian variation selector": '\u180b',
	"tag":                          '\U000e0041',
	"language tag":                 '\U000e0001',
	"invisible times":              '\u2062',
	"no-break space":               '\u00a0',
	"en quad":                      '\u2000',
	"em space":                     '\u2003',
	"ideographic space":            '\u3000',
	"Ogham space":                  '\u1680',
	"narrow no-break space":        '\u202f',
	"interlinear annotation":       '\ufff9',
	"private use":                  '\ue000',
	"private plane":                '\U000f0000',
	"noncharacter":                 '\uffff',
	"unassigned":                   '\u0378',
	"shorthand":                    '\U0001bca0',
	"musical":                      '\U0001d173',
}

// Every hidden character is escaped, alone and beside others.
func TestQuoteEscapesHiddenCharacters(t *testing.T) {
	for name, r := range hidden {
		t.Run(name, func(t *testing.T) {
			for _, around := range []string{"%c", "a%cb", "%c\"", "\u200b%c", "%c\u034f", "été%c\n"} {
				s := fmt.Sprintf(around, r)
				quoted := text.Quote(s)
				require.NotContains(t, quoted, string(r))
				require.True(t, strings.HasPrefix(quoted, `"`) && strings.HasSuffix(quoted, `"`), quoted)
				back, err := strconv.Unquote(quoted)
				require.NoError(t, err)
				require.Equal(t, s, back, "the quoted text says exactly what the text is")
			}
		})
	}
}

// Every text of up to a hundred bytes can be read back, and so no two of them look the same.
func TestQuoteLosesNothing(t *testing.T) {
	for r := range rune(0x30000) {
		for _, s := range []string{string(r), "\u034f" + string(r)} {
			quoted := text.Quote(s)
			back, err := strconv.Unquote(quoted)
			if err != nil || back != s && utf8.ValidRune(r) {
				require.Failf(t, "lost", "%U: %s", r, quoted)
			}
		}
	}
	for b := range 256 {
		s := "\u034f" + string([]byte{byte(b)})
		back, err := strconv.Unquote(text.Quote(s))
		require.NoError(t, err)
		require.Equal(t, s, back)
	}
}

// Two long texts with the same beginning, or of the same length, do not look the same.
func TestQuoteTellsLongTextsApart(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	seen := make(map[string]bool)
	for _, s := range []string{long, long + "x", long + "a", long + "b", "a" + long, long[:5000] + "y" + long[5001:]} {
		quoted := text.Quote(s)
		require.False(t, seen[quoted])
		require.Less(t, len(quoted), 100)
		seen[quoted] = true
	}
}

// A text that looks like a shortened one does not look like it when it is quoted.
func TestQuoteOfWhatLooksShortened(t *testing.T) {
	shortened := text.Quote(strings.Repeat("x", 101))
	for _, s := range []string{shortened, strings.Trim(shortened, `"`), strings.Repeat("x", 40)} {
		require.NotEqual(t, shortened, text.Quote(s))
	}
}

func TestPlain(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"a word", "slack", "slack"},
		{"a space", "Team A", "Team A"},
		{"beyond ASCII", "été", "été"},
		{"100 bytes", strings.Repeat("x", 100), strings.Repeat("x", 100)},
		{"101 bytes", strings.Repeat("x", 101), shortened(strings.Repeat("x", 101), 40)},
		{"a quotation mark", `a"b`, `"a\"b"`},
		{"quotation marks around it", `"slack"`, `"\"slack\""`},
		{"a backslash", `a\b`, `"a\\b"`},
		{"a line break", "a\nb", `"a\nb"`},
		{"a hidden character", "a\u200bb", `"a\u200bb"`},
		{"not UTF-8", "a\xffb", `"a\xffb"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.want, text.Plain(test.text))
		})
	}
}

// No two texts look the same with Plain either.
func TestPlainTellsTextsApart(t *testing.T) {
	seen := make(map[string]string)
	for _, s := range []string{
		"a", `"a"`, `"\"a\""`, "a\u200b", `a\u200b`, `"a\u200b"`, "a\n", `a\n`, `"a\n"`, strings.Repeat("x", 101),
		shortened(strings.Repeat("x", 101), 40),
	} {
		plain := text.Plain(s)
		require.NotContains(t, seen, plain, "%q and %q", s, seen[plain])
		seen[plain] = s
	}
}

// A text is shortened however long its escapes are, so that what is cut off cannot make up for them.
func TestPlainShortensEveryLongText(t *testing.T) {
	for breaks := range 101 {
		t.Run(fmt.Sprint(breaks, " line breaks"), func(t *testing.T) {
			long := strings.Repeat("\n", breaks) + strings.Repeat("a", 101-breaks)
			require.NotContains(t, text.Plain(long), "\n")
			require.NotEqual(t, long, text.Plain(long))
		})
	}
}

func TestEscapeJSON(t *testing.T) {
	for _, test := range []struct{ name, json, want string }{
		{"nothing hidden", `{"a":"été 😀 \"x\" \\ ~"}`, `{"a":"été 😀 \"x\" \\ ~"}`},
		{"a line separator", "{\"a\":\"x\u2028y\"}", `{"a":"x\u2028y"}`},
		{"right to left", "[\"\u202e\"]", `["\u202e"]`},
		{"DEL", "[\"\x7f\"]", `["\u007f"]`},
		{"beyond the BMP", "[\"a\U000e0001b\"]", `["a\udb40\udc01b"]`},
		{"the last of the BMP", "[\"\uffff\"]", `["\uffff"]`},
		{"a private character", "[\"\ue000\"]", `["\ue000"]`},
		{"a Hangul filler", "[\"\u3164\"]", `["\u3164"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := text.EscapeJSON([]byte(test.json))
			require.Equal(t, test.want, string(got))
			var before, after any
			require.NoError(t, json.Unmarshal([]byte(test.json), &before))
			require.NoError(t, json.Unmarshal(got, &after))
			require.Equal(t, before, after)
		})
	}
}
