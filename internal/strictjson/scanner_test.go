package strictjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/strictjson"
)

// scan returns a scanner for a text. The mark ^ is at Pos, and is not part of the text.
func scan(marked string) *strictjson.Scanner {
	before, after, _ := strings.Cut(marked, "^")
	return &strictjson.Scanner{Text: before + after, Pos: len(before)}
}

// requireAt requires that a scanner has arrived at the mark ^ of its text.
func requireAt(t *testing.T, marked string, s *strictjson.Scanner) {
	t.Helper()
	require.Equal(t, marked, s.Text[:s.Pos]+"^"+s.Text[s.Pos:])
}

// requireMistake requires a mistake at the mark ^.
func requireMistake(t *testing.T, marked, problem string, s *strictjson.Scanner) {
	t.Helper()
	requireAt(t, marked, s)
	require.Equal(t, problem, s.Problem)
}

const (
	notAValue       = "has something that is not a value"
	endsInString    = "ends in a string"
	unknownEscape   = "has an unknown escape in a string"
	controlInString = "has a control character in a string"
	noDigit         = "has a number without a digit after its point"
	noExponent      = "has a number without a digit in its exponent"
)

func TestSpace(t *testing.T) {
	for _, test := range []struct {
		from, to string
		next     byte
	}{
		{"^", "^", 0},
		{"^x", "^x", 'x'},
		{"^ \t\r\nx", " \t\r\n^x", 'x'},
		{"^  ", "  ^", 0},
		{"^\x00", "^\x00", 0},
		{"^\v", "^\v", '\v'},
		{"^\f", "^\f", '\f'},
		{"^\u00a0", "^\u00a0", 0xc2},
		{"^\ufeff", "^\ufeff", 0xef},
		{"a^ b", "a ^b", 'b'},
	} {
		t.Run(fmt.Sprintf("%q", test.from), func(t *testing.T) {
			s := scan(test.from)
			require.Equal(t, test.next, s.Space())
			requireAt(t, test.to, s)
		})
	}
}

func TestPunctuation(t *testing.T) {
	for _, test := range []struct{ from, to, problem string }{
		{"^:", ":^", ""},
		{"^ \n:x", " \n:^x", ""},
		{"^::", ":^:", ""},
		{"^", "^", "ends where ':' must be"},
		{"^  ", "  ^", "ends where ':' must be"},
		{"^ x:", " ^x:", "has something else where ':' must be"},
		{"^\x00", "^\x00", "has something else where ':' must be"},
	} {
		t.Run(fmt.Sprintf("%q", test.from), func(t *testing.T) {
			s := scan(test.from)
			require.Equal(t, test.problem == "", s.Punctuation(':'))
			requireMistake(t, test.to, test.problem, s)
		})
	}
	t.Run("NUL is not the end", func(t *testing.T) {
		s := scan("^\x00")
		require.True(t, s.Punctuation(0))
		s = scan("^")
		require.False(t, s.Punctuation(0))
	})
}

func TestUnexpected(t *testing.T) {
	s := scan("a^b")
	require.False(t, s.Unexpected("a value"))
	requireMistake(t, "a^b", "has something else where a value must be", s)
	s = scan("ab^")
	require.False(t, s.Unexpected("a value"))
	requireMistake(t, "ab^", "ends where a value must be", s)
}

func TestBeginAndMore(t *testing.T) {
	for _, test := range []struct {
		from    string
		closing byte
		more    bool
		to      string
	}{
		{"^[]", ']', false, "[]^"},
		{"^[ \n]x", ']', false, "[ \n]^x"},
		{"^{ }", '}', false, "{ }^"},
		{"^[1]", ']', true, "[^1]"},
		{"^[ 1]", ']', true, "[ ^1]"},
		{"^[", ']', true, "[^"},
		{"^[}", ']', true, "[^}"},
		{"^[,", ']', true, "[^,"},
	} {
		t.Run("Begin "+test.from, func(t *testing.T) {
			s := scan(test.from)
			require.Equal(t, test.more, s.Begin(test.closing))
			requireAt(t, test.to, s)
		})
	}
	for _, test := range []struct {
		from     string
		closing  byte
		more, ok bool
		to       string
		problem  string
	}{
		{"^,1", ']', true, true, ",^1", ""},
		{"^ ,1", ']', true, true, " ,^1", ""},
		{"^,]", ']', true, true, ",^]", ""},
		{"^]", ']', false, true, "]^", ""},
		{"^ \n}x", '}', false, true, " \n}^x", ""},
		{"^", ']', false, false, "^", "ends where a comma or ']' must be"},
		{"^ ", '}', false, false, " ^", "ends where a comma or '}' must be"},
		{"^}", ']', false, false, "^}", "has something else where a comma or ']' must be"},
		{"^]", '}', false, false, "^]", "has something else where a comma or '}' must be"},
		{"^1", ']', false, false, "^1", "has something else where a comma or ']' must be"},
		{"^\x00", ']', false, false, "^\x00", "has something else where a comma or ']' must be"},
	} {
		t.Run("More "+test.from+" "+string(rune(test.closing)), func(t *testing.T) {
			s := scan(test.from)
			more, ok := s.More(test.closing)
			require.Equal(t, test.more, more)
			require.Equal(t, test.ok, ok)
			requireMistake(t, test.to, test.problem, s)
		})
	}
}

func TestEnd(t *testing.T) {
	for _, test := range []struct {
		from, to string
		ok       bool
	}{
		{"{}^", "{}^", true},
		{"{}^ \t\r\n", "{} \t\r\n^", true},
		{"{}^ x", "{} ^x", false},
		{"{}^\x00", "{}^\x00", false},
		{"{}^\u00a0", "{}^\u00a0", false},
	} {
		t.Run(fmt.Sprintf("%q", test.from), func(t *testing.T) {
			s := scan(test.from)
			require.Equal(t, test.ok, s.End())
			problem := ""
			if !test.ok {
				problem = "has more after its end"
			}
			requireMistake(t, test.to, problem, s)
		})
	}
}

func TestStr(t *testing.T) {
	for _, test := range []struct{ name, from, to, value string }{
		{"empty", `^""`, `""^`, ""},
		{"a word", `^"slack",`, `"slack"^,`, "slack"},
		{"a quotation mark after it", `^"a"b"`, `"a"^b"`, "a"},
		{"a space and a tilde", `^" ~"`, `" ~"^`, " ~"},
		{"DEL", "^\"a\x7fb\"", "\"a\x7fb\"^", "a\x7fb"},
		{"beyond ASCII", `^"été"`, `"été"^`, "été"},
		{"the line separator", "^\"a\u2028b\"", "\"a\u2028b\"^", "a\u2028b"},
		{"a quotation mark", `^"a\"b"`, `"a\"b"^`, `a"b`},
		{"a backslash", `^"a\\"`, `"a\\"^`, `a\`},
		{"a backslash and a quotation mark", `^"a\\\""`, `"a\\\""^`, `a\"`},
		{"a solidus", `^"a\/b"`, `"a\/b"^`, "a/b"},
		{"the short escapes", `^"\b\f\n\r\t"`, `"\b\f\n\r\t"^`, "\b\f\n\r\t"},
		{"NUL", `^"a\u0000b"`, `"a\u0000b"^`, "a\x00b"},
		{"a letter", `^"x\u0041"`, `"x\u0041"^`, "xA"},
		{"digits after an escape", `^"\u00410041"`, `"\u00410041"^`, "A0041"},
		{"digits in either case", `^"\u00E9\u00e9"`, `"\u00E9\u00e9"^`, "éé"},
		{"the last of the plane", `^"\uffff"`, `"\uffff"^`, "\uffff"},
		{"a pair of surrogates", `^"\ud83d\ude00"`, `"\ud83d\ude00"^`, "\U0001f600"},
		{"the first pair", `^"\ud800\udc00"`, `"\ud800\udc00"^`, "\U00010000"},
		{"the last pair", `^"\udbff\udfff"`, `"\udbff\udfff"^`, "\U0010ffff"},
		{"a lone high surrogate", `^"\ud83d"`, `"\ud83d"^`, "\ufffd"},
		{"a lone low surrogate", `^"\ude00"`, `"\ude00"^`, "\ufffd"},
		{"a pair that is turned around", `^"\ude00\ud83d"`, `"\ude00\ud83d"^`, "\ufffd\ufffd"},
		{"a high surrogate before a letter", `^"\ud83dx"`, `"\ud83dx"^`, "\ufffdx"},
		{"a high surrogate before another escape", `^"\ud83d\n"`, `"\ud83d\n"^`, "\ufffd\n"},
		{"a high surrogate before an escape of a letter", `^"\ud83d\u0041"`, `"\ud83d\u0041"^`, "\ufffdA"},
		{"two high surrogates and a low one", `^"\ud83d\ud83d\ude00"`, `"\ud83d\ud83d\ude00"^`, "\ufffd\U0001f600"},
		{"text that looks like an escape", `^"\\u0041"`, `"\\u0041"^`, `\u0041`},
		{"a bad byte", "^\"a\xffb\"", "\"a\xffb\"^", "a\ufffdb"},
		{"two bad bytes", "^\"\xff\xfe\"", "\"\xff\xfe\"^", "\ufffd\ufffd"},
		{"a character that is cut", "^\"\xc3\"", "\"\xc3\"^", "\ufffd"},
		{"a surrogate in UTF-8", "^\"\xed\xa0\x80\"", "\"\xed\xa0\x80\"^", "\ufffd\ufffd\ufffd"},
		{"an overlong slash", "^\"\xc0\xaf\"", "\"\xc0\xaf\"^", "\ufffd\ufffd"},
		{"a bad byte and an escape", "^\"\xff\\n\"", "\"\xff\\n\"^", "\ufffd\n"},
		{"in the middle of a text", `x^"a"y`, `x"a"^y`, "a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := scan(test.from)
			value, ok := s.Str()
			require.True(t, ok)
			require.Equal(t, test.value, value)
			requireMistake(t, test.to, "", s)

			// encoding/json reads the same.
			var want string
			text := test.to[strings.IndexByte(test.to, '"'):strings.IndexByte(test.to, '^')]
			require.NoError(t, json.Unmarshal([]byte(text), &want))
			require.Equal(t, want, value)
		})
	}
}

func TestStrRefuses(t *testing.T) {
	for _, test := range []struct{ name, from, at, problem string }{
		{"nothing", `^"`, `"^`, endsInString},
		{"no end", `^"abc`, `"abc^`, endsInString},
		{"no end after an escape", `^"a\n`, `"a\n^`, endsInString},
		{"an escaped end", `^"a\"`, `"a\"^`, endsInString},
		{"no end after a bad byte", "^\"a\xff", "\"a\xff^", endsInString},
		{"a line break", "^\"a\nb\"", "\"a^\nb\"", controlInString},
		{"a tab", "^\"\t\"", "\"^\t\"", controlInString},
		{"NUL", "^\"a\x00\"", "\"a^\x00\"", controlInString},
		{"the last control character", "^\"a\x1f\"", "\"a^\x1f\"", controlInString},
		{"a control character after an escape", "^\"\\n\n\"", "\"\\n^\n\"", controlInString},
		{"an unknown escape", `^"a\x41"`, `"a^\x41"`, unknownEscape},
		{"an escape in capitals", `^"\N"`, `"^\N"`, unknownEscape},
		{"a digit", `^"\0"`, `"^\0"`, unknownEscape},
		{"a single quotation mark", `^"\'"`, `"^\'"`, unknownEscape},
		{"an escape that is not hexadecimal", `^"\u00g0"`, `"^\u00g0"`, unknownEscape},
		{"a sign in an escape", `^"\u+041"`, `"^\u+041"`, unknownEscape},
		{"u in capitals", `^"\U0041"`, `"^\U0041"`, unknownEscape},
		{"an escape that is cut by the end", `^"\u004`, `"^\u004`, unknownEscape},
		{"an escape that is cut by the quotation mark", `^"\u004"`, `"^\u004"`, unknownEscape},
		{"a backslash last", `^"a\`, `"a^\`, unknownEscape},
		{"the second escape", `^"\n\q"`, `"\n^\q"`, unknownEscape},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := scan(test.from)
			value, ok := s.Str()
			require.False(t, ok)
			require.Empty(t, value)
			requireMistake(t, test.at, test.problem, s)
		})
	}
}

// A string of one byte, and one of an escape with one letter, is read as encoding/json reads it.
func TestStrAtEveryByte(t *testing.T) {
	for b := range 256 {
		for _, format := range []string{`"%s"`, `"a%sb"`, `"\%s"`, `"\%s0041"`, `"\n%s"`, `"\u%s041"`, `"\u004%s"`} {
			requireAsEncodingJSON(t, fmt.Sprintf(format, string([]byte{byte(b)})))
		}
	}
}

// Str looks at eight bytes at once. Every byte at every place among them, beside bytes that are nearly special,
// is read as encoding/json reads it.
func TestStrAtEveryPlace(t *testing.T) {
	for _, beside := range []string{"a", " ", "!", "#", "[", "]", "\x7f"} {
		t.Run(beside, func(t *testing.T) {
			for _, length := range []int{1, 7, 8, 9, 15, 16, 17} {
				for place := range length {
					for b := range 256 {
						value := strings.Repeat(beside, place) + string([]byte{byte(b)}) + strings.Repeat(beside, length-place-1)
						requireAsEncodingJSON(t, `"`+value+`"`)
					}
				}
			}
		})
	}
}

func requireAsEncodingJSON(t *testing.T, text string) {
	t.Helper()
	var want string
	err := json.Unmarshal([]byte(text), &want)
	s := &strictjson.Scanner{Text: text}
	got, ok := s.Str()
	ok = ok && s.End()
	require.Equal(t, err == nil, ok, "%q", text)
	if ok {
		require.Equal(t, want, got, "%q", text)
	}
}

// A string without escapes is a part of the text, so reading it allocates nothing.
func TestStrAllocations(t *testing.T) {
	for name, text := range map[string]string{"ASCII": `"salesforce"`, "beyond ASCII": `"été"`} {
		t.Run(name, func(t *testing.T) {
			require.Zero(t, testing.AllocsPerRun(10, func() {
				s := strictjson.Scanner{Text: text}
				if _, ok := s.Str(); !ok {
					t.Error(s.Problem)
				}
			}))
		})
	}
}

func TestLiteral(t *testing.T) {
	for _, test := range []struct {
		from, word, to string
		ok             bool
	}{
		{"^true", "true", "true^", true},
		{"^null,", "null", "null^,", true},
		{"^trueish", "true", "true^ish", true},
		{"^tru", "true", "^tru", false},
		{"^True", "true", "^True", false},
		{"^", "null", "^", false},
		{"^ null", "null", "^ null", false},
	} {
		t.Run(test.from, func(t *testing.T) {
			s := scan(test.from)
			require.Equal(t, test.ok, s.Literal(test.word))
			problem := ""
			if !test.ok {
				problem = notAValue
			}
			requireMistake(t, test.to, problem, s)
		})
	}
}

func TestNumber(t *testing.T) {
	for _, test := range []struct{ from, to, problem string }{
		{"^0", "0^", ""},
		{"^-0", "-0^", ""},
		{"^7,", "7^,", ""},
		{"^1234567890]", "1234567890^]", ""},
		{"^-1.5", "-1.5^", ""},
		{"^0.0", "0.0^", ""},
		{"^1e5", "1e5^", ""},
		{"^1E+05", "1E+05^", ""},
		{"^1.25e-300}", "1.25e-300^}", ""},
		{"^0e0", "0e0^", ""},
		{"^01", "0^1", ""},
		{"^-01", "-0^1", ""},
		{"^1x", "1^x", ""},
		{"^1.5.5", "1.5^.5", ""},
		{"^1e5e5", "1e5^e5", ""},
		{"^1+1", "1^+1", ""},
		{"^0x1", "0^x1", ""},
		{"^", "^", notAValue},
		{"^-", "-^", notAValue},
		{"^--1", "-^-1", notAValue},
		{"^+1", "^+1", notAValue},
		{"^.5", "^.5", notAValue},
		{"^-.5", "-^.5", notAValue},
		{"^x", "^x", notAValue},
		{"^-x", "-^x", notAValue},
		{"^NaN", "^NaN", notAValue},
		{"^Infinity", "^Infinity", notAValue},
		{"^1.", "1.^", noDigit},
		{"^1.e5", "1.^e5", noDigit},
		{"^1.x", "1.^x", noDigit},
		{"^1e", "1e^", noExponent},
		{"^1e+", "1e+^", noExponent},
		{"^1ex", "1e^x", noExponent},
		{"^1e-x", "1e-^x", noExponent},
		{"^1e.5", "1e^.5", noExponent},
	} {
		t.Run(test.from, func(t *testing.T) {
			s := scan(test.from)
			number, ok := s.Number()
			require.Equal(t, test.problem == "", ok)
			requireMistake(t, test.to, test.problem, s)
			if ok {
				require.Equal(t, test.to[:strings.IndexByte(test.to, '^')], number)
				require.True(t, json.Valid([]byte(number)))
			} else {
				require.Empty(t, number)
			}
		})
	}
}

func TestScalar(t *testing.T) {
	for _, test := range []struct {
		from  string
		kind  strictjson.Type
		value string
		to    string
	}{
		{`^"a\n"`, strictjson.String, "a\n", `"a\n"^`},
		{`^ ""`, strictjson.String, "", ` ""^`},
		{"^ -1.5e3,", strictjson.Number, "", " -1.5e3^,"},
		{"^true", strictjson.True, "", "true^"},
		{"^\nfalse", strictjson.False, "", "\nfalse^"},
		{"^null", strictjson.Null, "", "null^"},
	} {
		t.Run(test.from, func(t *testing.T) {
			s := scan(test.from)
			kind, value, ok := s.Scalar()
			require.True(t, ok)
			require.Equal(t, test.kind, kind)
			require.Equal(t, test.value, value)
			requireAt(t, test.to, s)
		})
	}
	for _, test := range []struct{ from, at, problem string }{
		{"^", "^", "ends where a value must be"},
		{"^ ", " ^", "ends where a value must be"},
		{"^{}", "^{}", notAValue},
		{"^ []", " ^[]", notAValue},
		{"^]", "^]", notAValue},
		{"^,", "^,", notAValue},
		{"^\x00", "^\x00", notAValue},
		{"^nul", "^nul", notAValue},
		{"^Null", "^Null", notAValue},
		{"^fals", "^fals", notAValue},
		{"^tru", "^tru", notAValue},
		{`^"a`, `"a^`, endsInString},
		{"^1.", "1.^", noDigit},
	} {
		t.Run(fmt.Sprintf("%q", test.from), func(t *testing.T) {
			s := scan(test.from)
			_, value, ok := s.Scalar()
			require.False(t, ok)
			require.Empty(t, value)
			requireMistake(t, test.at, test.problem, s)
		})
	}
}

func TestType(t *testing.T) {
	for kind, text := range map[strictjson.Type]string{
		0: "", strictjson.Object: "an object", strictjson.Array: "an array", strictjson.String: "a string",
		strictjson.Number: "a number", strictjson.True: "true", strictjson.False: "false", strictjson.Null: "null",
	} {
		require.Equal(t, text, kind.String())
	}
}

func TestValue(t *testing.T) {
	for _, test := range []struct{ from, value, to string }{
		{"^1", "1", "1^"},
		{"^ null ", "null", " null^ "},
		{`^"a]",`, `"a]"`, `"a]"^,`},
		{"^[]x", "[]", "[]^x"},
		{"^{}", "{}", "{}^"},
		{"^[ ]", "[ ]", "[ ]^"},
		{"^[[],{}]", "[[],{}]", "[[],{}]^"},
		{`^{"a":{"b":[1,{"c":[]}]},"d":true}]`, `{"a":{"b":[1,{"c":[]}]},"d":true}`, `{"a":{"b":[1,{"c":[]}]},"d":true}^]`},
		{`^ { "a" : [ 1 , 2 ] } `, `{ "a" : [ 1 , 2 ] }`, ` { "a" : [ 1 , 2 ] }^ `},
		{`^{"a":1,"a":2}`, `{"a":1,"a":2}`, `{"a":1,"a":2}^`},
		{"^[1]]", "[1]", "[1]^]"},
	} {
		t.Run(test.from, func(t *testing.T) {
			s := scan(test.from)
			value, ok := s.Value()
			require.True(t, ok, s.Problem)
			require.Equal(t, test.value, value)
			requireAt(t, test.to, s)
			require.True(t, json.Valid([]byte(value)))
		})
	}
	for _, test := range []struct{ from, at, problem string }{
		{"^", "^", "ends where a value must be"},
		{"^[", "[^", "ends where a value must be"},
		{"^[1", "[1^", "ends where a comma or ']' must be"},
		{"^[1,", "[1,^", "ends where a value must be"},
		{"^[1,]", "[1,^]", notAValue},
		{"^[,1]", "[^,1]", notAValue},
		{"^[1}", "[1^}", "has something else where a comma or ']' must be"},
		{"^{", "{^", "ends where a name must be"},
		{"^{1", "{^1", "has something else where a name must be"},
		{`^{"a`, `{"a^`, endsInString},
		{`^{"a"`, `{"a"^`, "ends where ':' must be"},
		{`^{"a" 1`, `{"a" ^1`, "has something else where ':' must be"},
		{`^{"a":`, `{"a":^`, "ends where a value must be"},
		{`^{"a":1`, `{"a":1^`, "ends where a comma or '}' must be"},
		{`^{"a":1]`, `{"a":1^]`, "has something else where a comma or '}' must be"},
		{`^{"a":1,`, `{"a":1,^`, "ends where a name must be"},
		{`^{"a":1,}`, `{"a":1,^}`, "has something else where a name must be"},
		{`^{"a":1,2}`, `{"a":1,^2}`, "has something else where a name must be"},
		{`^{"a":[1,{"b":01}]}`, `{"a":[1,{"b":0^1}]}`, "has something else where a comma or '}' must be"},
		{"^[[[1}]]", "[[[1^}]]", "has something else where a comma or ']' must be"},
		{`^[{"a":1]]`, `[{"a":1^]]`, "has something else where a comma or '}' must be"},
	} {
		t.Run(test.from, func(t *testing.T) {
			s := scan(test.from)
			value, ok := s.Value()
			require.False(t, ok)
			require.Empty(t, value)
			requireMistake(t, test.at, test.problem, s)
		})
	}
}

// Value does not recurse, and remembers which brackets are open, however deep they are.
func TestValueNestsDeep(t *testing.T) {
	for _, depth := range []int{1, 63, 64, 65, 127, 128, 129, 1000, 1_000_000} {
		t.Run(fmt.Sprint(depth), func(t *testing.T) {
			var open, closing strings.Builder
			var brackets []byte
			for i := range depth {
				if i%3 == 0 {
					open.WriteString(`{"a":`)
					brackets = append(brackets, '}')
				} else {
					open.WriteByte('[')
					brackets = append(brackets, ']')
				}
			}
			for i := range brackets {
				closing.WriteByte(brackets[len(brackets)-1-i])
			}
			text := open.String() + "1" + closing.String()
			s := &strictjson.Scanner{Text: text}
			value, ok := s.Value()
			require.True(t, ok, s.Problem)
			require.Len(t, value, len(text))

			// One wrong bracket is found where it is.
			wrong := len(text) - depth/2 - 1
			bad := []byte(text)
			bad[wrong] ^= ']' ^ '}'
			s = &strictjson.Scanner{Text: string(bad)}
			_, ok = s.Value()
			require.False(t, ok)
			require.Equal(t, wrong, s.Pos)
		})
	}
}

// A level that is closed leaves nothing for the next one that is as deep.
func TestValueReusesLevels(t *testing.T) {
	for _, text := range []string{`[[1],{"a":1},[2]]`, `{"a":[1],"b":{"c":1},"d":[[]]}`} {
		s := &strictjson.Scanner{Text: text}
		value, ok := s.Value()
		require.True(t, ok, s.Problem)
		require.Equal(t, text, value)
	}
}

// Every text of up to six characters of JSON's structure is taken or refused as encoding/json does it.
func TestValueOfShortTexts(t *testing.T) {
	texts := []string{""}
	for begin := 0; len(texts[begin]) < 6; begin++ {
		for _, c := range `{}[]",:1 ` {
			texts = append(texts, texts[begin]+string(c))
		}
	}
	valid := 0
	for _, text := range texts {
		s := &strictjson.Scanner{Text: text}
		_, ok := s.Value()
		ok = ok && s.End()
		if ok != json.Valid([]byte(text)) {
			require.Failf(t, "disagreement", "%q: %v, %s", text, ok, s.Problem)
		}
		if ok {
			valid++
			continue
		}
		if s.Problem == "" || s.Pos > len(text) {
			require.Failf(t, "no problem", "%q at %d", text, s.Pos)
		}
	}
	require.Greater(t, valid, 500)
}

func TestNameAndMember(t *testing.T) {
	s := scan(`{^ "a\u0062" : [1, 2] , "c":3}`)
	name, value, ok := s.Member()
	require.True(t, ok)
	require.Equal(t, "ab", name)
	require.Equal(t, "[1, 2]", value)
	requireAt(t, `{ "a\u0062" : [1, 2]^ , "c":3}`, s)

	s = scan(`{^ "a" : 1}`)
	name, ok = s.Name()
	require.True(t, ok)
	require.Equal(t, "a", name)
	requireAt(t, `{ "a"^ : 1}`, s)

	for _, test := range []struct{ from, at, problem string }{
		{`{^`, `{^`, "ends where a name must be"},
		{`{^ a`, `{ ^a`, "has something else where a name must be"},
		{`{^"a`, `{"a^`, endsInString},
		{`{^"a"`, `{"a"^`, "ends where ':' must be"},
		{`{^"a",`, `{"a"^,`, "has something else where ':' must be"},
		{`{^"a":}`, `{"a":^}`, notAValue},
	} {
		t.Run(test.from, func(t *testing.T) {
			s := scan(test.from)
			_, _, ok := s.Member()
			require.False(t, ok)
			requireMistake(t, test.at, test.problem, s)
		})
	}
}

// What the scanner reads as a string is valid UTF-8, whatever the text is.
func TestStrIsUTF8(t *testing.T) {
	for a := range 256 {
		for _, b := range []byte{0, 'a', 0x7f, 0x80, 0xa0, 0xbf, 0xc0, 0xed, 0xf0, 0xff} {
			s := &strictjson.Scanner{Text: "\"" + string([]byte{byte(a), b}) + "\\n\""}
			if value, ok := s.Str(); ok {
				require.True(t, utf8.ValidString(value), "%q", s.Text)
			}
		}
	}
}
