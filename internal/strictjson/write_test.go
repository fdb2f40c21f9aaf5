package strictjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/strictjson"
)

func TestAppendString(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", `""`},
		{"slack", `"slack"`},
		{"Team A", `"Team A"`},
		{`a"b`, `"a\"b"`},
		{`a\b`, `"a\\b"`},
		{"a/b<&>", `"a/b<&>"`},
		{"a\nb\tc", `"a\u000ab\u0009c"`},
		{"\x00\x1f", `"\u0000\u001f"`},
		{"\x7f", "\"\x7f\""},
		{"été\u2028", "\"été\u2028\""},
	} {
		t.Run(fmt.Sprintf("%q", test.text), func(t *testing.T) {
			require.Equal(t, "x"+test.want, string(strictjson.AppendString([]byte("x"), test.text)))
		})
	}
	t.Run("a bad byte is copied", func(t *testing.T) {
		require.Equal(t, "\"a\xff\"", string(strictjson.AppendString(nil, "a\xff")))
	})
}

// What is written is read back, by the scanner and by encoding/json.
func TestAppendStringRoundTrip(t *testing.T) {
	for r := range rune(0x3000) {
		text := "a" + string(r) + `"\`
		written := strictjson.AppendString(nil, text)
		var decoded string
		require.NoError(t, json.Unmarshal(written, &decoded))
		require.Equal(t, text, decoded)
		s := &strictjson.Scanner{Text: string(written)}
		read, ok := s.Str()
		require.True(t, ok)
		require.Equal(t, text, read)
		require.True(t, s.End())
	}
}

func TestAppendList(t *testing.T) {
	for _, test := range []struct {
		opening byte
		list    []string
		want    string
	}{
		{'[', nil, "x[]"},
		{'{', nil, "x{}"},
		{'[', []string{"a"}, `x["a"]`},
		{'[', []string{"a", "b", ""}, `x["a","b",""]`},
		{'{', []string{"a", "b"}, `x{"a","b"}`},
	} {
		t.Run(test.want, func(t *testing.T) {
			b := strictjson.AppendList([]byte("x"), test.opening, test.list, strictjson.AppendString)
			require.Equal(t, test.want, string(b))
		})
	}
}

func TestEscapePointer(t *testing.T) {
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for _, test := range []struct{ name, want string }{
		{"", ""},
		{"slack", "slack"},
		{"a/b", "a~1b"},
		{"a~b", "a~0b"},
		{"~/~", "~0~1~0"},
		{"~1", "~01"},
		{"/", "~1"},
		{"é\n", "é\n"},
	} {
		t.Run(fmt.Sprintf("%q", test.name), func(t *testing.T) {
			require.Equal(t, test.want, strictjson.EscapePointer(test.name))
			require.Equal(t, test.name, unescape.Replace(test.want), "the reader of a pointer gets the name back")
		})
	}
}
