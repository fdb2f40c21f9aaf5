// Package schema tests schema.json, the JSON Schema of the claim, with a validator written in Go.
// conformance/run.sh does the same with one written in JavaScript.
package schema_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const id = "3fa85f64-5717-4562-b3fc-2c963f66afa6"

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	file, err := os.Open("../../schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	document, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	address, ok := document.(map[string]any)["$id"].(string)
	if !ok || !strings.HasPrefix(address, "https://") {
		t.Fatalf("the schema has no $id: %v", address)
	}
	if err := c.AddResource(address, document); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(address)
	if err != nil {
		t.Fatal(err)
	}
	if draft := document.(map[string]any)["$schema"]; draft != "https://json-schema.org/draft/2020-12/schema" {
		t.Fatalf("the schema is of another draft: %v", draft)
	}
	return s
}

// accepts reports whether the schema accepts a claim. It requires that the claim is JSON.
func accepts(t *testing.T, s *jsonschema.Schema, claim string) bool {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(claim))
	if err != nil {
		t.Fatalf("%s: %v", claim, err)
	}
	return s.Validate(value) == nil
}

func TestConformance(t *testing.T) {
	s := compile(t)
	accepted, refused := 0, 0
	for _, name := range []string{"decisions", "errors", "random"} {
		data, err := os.ReadFile("../../testdata/conformance/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var cases []struct{ Name, Claim, Error string }
		if err := json.Unmarshal(data, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				switch c.Error {
				case "syntax", "duplicate": // which no schema can see
				case "":
					accepted++
					if !accepts(t, s, c.Claim) {
						t.Errorf("the schema refuses %s", c.Claim)
					}
				default:
					refused++
					if accepts(t, s, c.Claim) {
						t.Errorf("the schema accepts %s, which is a mistake of kind %s", c.Claim, c.Error)
					}
				}
			})
		}
	}
	if accepted < 100 || refused < 20 {
		t.Errorf("there are too few cases: %d and %d", accepted, refused)
	}
}

// TestEveryCharacter tries every character at the beginning, in the middle and at the end of names and
// external IDs.
func TestEveryCharacter(t *testing.T) {
	s := compile(t)
	try := func(scope string, want bool) {
		if got := s.Validate(map[string]any{scope: true}) == nil; got != want {
			t.Fatalf("%q: the schema accepts it: %v", scope, got)
		}
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		near := r <= 0x3100 || r >= 0xd700 && r <= 0xe010 || r >= 0xfff0 && r <= 0x10010 || r >= unicode.MaxRune-1
		if !utf8.ValidRune(r) || !near && r%97 != 0 {
			continue // between the characters of which rules speak, one in a hundred is enough
		}
		c := string(r)
		inside := !unicode.IsControl(r) && r != utf8.RuneError
		atEnd := inside && !unicode.Is(unicode.White_Space, r)
		try("integration:a"+c+"b", inside && r != '*')
		try("integration:"+c+"a", atEnd && r != '*')
		try("integration:a"+c, atEnd && r != '*')
		try("credential:ext:a"+c+"b", inside)
		try("configuration:ext:"+c+"a", atEnd)
		try("configuration:ext:a"+c, atEnd)
		try("credential:"+c, r == '*')
		try("integration"+c+"slack", r == ':')
		try("credential:"+c+id[1:], unicode.Is(unicode.ASCII_Hex_Digit, r))
	}
}

func TestClaims(t *testing.T) {
	s := compile(t)
	for _, c := range []struct {
		claim string
		want  bool
	}{
		{`{}`, true},
		{`null`, false},
		{`"{}"`, false},
		{`[]`, false},
		{`{"integration:extra":true}`, true},
		{`{"integration:ext":true}`, false},
		{`{"integration:Ext:a":true}`, false},
		{`{"integration:EXT":true}`, false},
		{`{"integration:next:a":true}`, true},
		{`{"credential:ext:ext:a":true}`, true},
		{`{"credential:Ext:a":true}`, false},
		{`{"credential:ext:*":true}`, false},
		{`{"credential:ext:**":true}`, true},
		{`{"credential:` + strings.ToUpper(id) + `":true}`, true},
		{`{"credential:` + strings.ReplaceAll(id, "-", "") + `":true}`, false},
		{`{"credential:{` + id + `}":true}`, false},
		{`{"integration:a\nb":true}`, false},
		{`{"integration:a\n":true}`, false},
		{`{"integration:\ud83d\ude00":true}`, true},
		{`{"integration:\ud83d":true}`, false},
		{`{"integration:a":{}}`, true},
		{`{"integration:a":{"integration:b":true}}`, false},
		{`{"integration:a":{"credential:*":{"configuration:*":{}}}}`, false},
		{`{"integration:a":{"configuration:*":{"credential:*":true}}}`, false},
		{`{"credential:*":{"credential:*":true}}`, false},
		{`{"credential:*":{"configuration:ext:a":["events","events"]}}`, true},
		{`{"configuration:*":{}}`, false},
		{`{"integration:a":["event"]}`, false},
		{`{"integration:a":[true]}`, false},
		{`{"integration:a":"events"}`, false},
		{`{"integration:a":null}`, false},
		{`{"integration:a":1}`, false},
		{`{"$schema":"x"}`, false},
		{`{"credential:*":["events"]}`, true},
		{`{"credential:*":["event"]}`, false},
		{`{"credential:*":1}`, false},
		{`{"configuration:*":["event"]}`, false},
		{`{"credential:*":{"configuration:a":true}}`, false},
		{`{"credential:*":{"credential:ext:configuration:a":true}}`, false},
		{`{"integration:a":{"integration:credential:b":true}}`, false},
		{`{"an integration:a":true}`, false},
		{`{"a credential:*":true}`, false},
		{`{"credential:ext:integration:ext":true}`, true},
		{`{"credential:ext:integration: a":true}`, true},
		{`{"credential:ext:configuration:ext:*":true}`, true},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if got := accepts(t, s, c.claim); got != c.want {
				t.Errorf("the schema accepts it: %v", got)
			}
		})
	}
}
