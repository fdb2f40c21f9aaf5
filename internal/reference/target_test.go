package reference_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/reference"
)

var (
	// badNames are texts that 2.4 forbids as names.
	badNames = []string{"", "*", "a*", "ext", "Ext", "ext:", "eXT:a", " a", "a\u2003", "a\x00b", "a\xff", "a\uFFFD"}
	// badExternalIDs are texts that 2.4 forbids as external IDs.
	badExternalIDs = []string{"", "*", " a", "a\t", "a\u0085b", "a\xff", "\uFFFD"}
	// badIDs are texts that 2.5 forbids as IDs.
	badIDs = []string{"", "*", "acme", idA + " ", idA[1:], "{" + idA + "}", "urn:uuid:" + idA, "ext:" + idA,
		strings.ReplaceAll(idA, "-", ""), "３fa85f6-5717-4562-b3fc-2c963f66afa6"}
)

// SPEC 3.4.
func TestValidTarget(t *testing.T) {
	for name, target := range map[string]reference.Target{
		"the user":                          user,
		"an integration":                    in("a:b"),
		"a credential with nothing known":   in("slack", level(unknown, unknown)),
		"a credential with nothing at all":  in("slack", level(absent, absent)),
		"a credential by its ID":            in("slack", level(known(idA), unknown)),
		"a credential by an ID in capitals": in("slack", level(known(capitalA), unknown)),
		"a credential by its external ID":   in("slack", level(unknown, known("a:b c"))),
		"a UUID as an external ID":          in("slack", level(absent, known(capitalA))),
		"a configuration":                   in("slack", level(known(idA), absent), level(absent, known("ext:*"))),
		"nothing known at two levels":       in("slack", level(unknown, unknown), level(unknown, unknown)),
		"a value that does not count":       in("slack", level(reference.Identifier{Value: "*"}, absent)),
	} {
		t.Run(name, func(t *testing.T) {
			assert.True(t, reference.ValidTarget(target))
		})
	}

	slack := "slack"
	invalid := map[string]reference.Target{
		"a credential without an integration":    {Credential: level(known(idA), absent)},
		"a configuration without a credential":   {Integration: &slack, Configuration: level(known(idA), absent)},
		"a configuration without anything above": {Configuration: level(unknown, unknown)},
		"a configuration without an integration": {
			Credential:    level(unknown, unknown),
			Configuration: level(unknown, unknown),
		},
		"a state that is not one of the three":       in("slack", level(reference.Identifier{State: 3}, absent)),
		"another state that is not one of the three": in("slack", level(absent, reference.Identifier{State: -1})),
	}
	for _, name := range badNames {
		invalid["integration "+name] = in(name)
		invalid["integration of a credential "+name] = in(name, level(known(idA), absent))
	}
	for _, id := range badIDs {
		invalid["credential ID "+id] = in("slack", level(known(id), absent))
		invalid["configuration ID "+id] = in("slack", level(known(idA), absent), level(known(id), absent))
	}
	for _, id := range badExternalIDs {
		invalid["credential external ID "+id] = in("slack", level(absent, known(id)))
		invalid["configuration external ID "+id] = in("slack", level(known(idA), absent), level(absent, known(id)))
	}
	policies := map[string]*reference.Policy{
		"a claim":      parse(t, `{"integration:*": true}`, reference.Options{}),
		"unrestricted": reference.Unrestricted(),
	}
	for name, target := range invalid {
		t.Run(name, func(t *testing.T) {
			assert.False(t, reference.ValidTarget(target))
			assert.Empty(t, reference.FormatTarget(target))
			for name, policy := range policies {
				assert.False(t, policy.ValidQuestion("events", target), name)
				assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide("events", target), name)
				assert.Empty(t, policy.Permissions(target), name)
				assert.False(t, policy.Visible(target), name)
			}
		})
	}
}

// SPEC 3.3: the column of the user has invalid questions, and the other columns have none.
func TestValidQuestion(t *testing.T) {
	policy := parse(t, `{"integration:*": true}`, reference.Options{Extra: []string{"reports"}})
	targets := map[string]reference.Target{
		"an integration":  in("slack"),
		"a credential":    in("slack", level(unknown, unknown)),
		"a configuration": in("slack", level(unknown, unknown), level(unknown, unknown)),
	}
	for action, ofUser := range map[string]bool{
		"events": true, "metadata:read": true, "metadata:write": true, "actionkit": true, "reports": true,
		"proxy-api": false, "credential:write": false, "settings:read": false, "settings:write": false, "workflows": false,
		"config:write": false,
	} {
		t.Run(action, func(t *testing.T) {
			assert.Equal(t, ofUser, policy.ValidQuestion(action, user))
			assert.Equal(t, !ofUser, policy.Decide(action, user).Invalid)
			assert.Equal(t, ofUser, policy.Decide(action, user).Allowed)
			for name, target := range targets {
				assert.True(t, policy.ValidQuestion(action, target), name)
				assert.True(t, policy.Decide(action, target).Allowed, name)
			}
		})
	}
	for _, action := range []string{
		"", "Events", "events ", "event", "proxy_api", "other", "*", "true", "integration:*",
	} {
		t.Run("unknown action "+action, func(t *testing.T) {
			for name, target := range targets {
				assert.False(t, policy.ValidQuestion(action, target), name)
				assert.Equal(t, reference.Decision{Invalid: true}, policy.Decide(action, target), name)
			}
			assert.False(t, policy.ValidQuestion(action, user))
		})
	}
	t.Run("an extra that another policy declared", func(t *testing.T) {
		assert.False(t, parse(t, `{}`, reference.Options{}).ValidQuestion("reports", user))
	})
}

// SPEC 3.5.
func TestReference(t *testing.T) {
	for _, c := range []struct {
		name, ref string
		want      *reference.Level
	}{
		{"a UUID", idA, level(known(idA), unknown)},
		{"a UUID in capitals", capitalA, level(known(idA), unknown)},
		{"an external ID", "acme", level(unknown, known("acme"))},
		{"an external ID in capitals", "ACME", level(unknown, known("ACME"))},
		{"ext: and an external ID", "ext:acme", level(unknown, known("acme"))},
		{"ext: and a UUID", "ext:" + capitalA, level(unknown, known(capitalA))},
		{"ext: twice", "ext:ext:acme", level(unknown, known("ext:acme"))},
		{"ext: in capitals", "EXT:acme", level(unknown, known("EXT:acme"))},
		{"ext without a colon", "ext", level(unknown, known("ext"))},
		{"a UUID without hyphens", "3fa85f6457174562b3fc2c963f66afa6",
			level(unknown, known("3fa85f6457174562b3fc2c963f66afa6"))},
		{"a UUID in braces", "{" + idA + "}", level(unknown, known("{"+idA+"}"))},
		{"a UUID as a URN", "urn:uuid:" + idA, level(unknown, known("urn:uuid:"+idA))},
		{"a star and more", "a*", level(unknown, known("a*"))},
		{"nothing", "", nil},
		{"only ext:", "ext:", nil},
		{"a star", "*", nil},
		{"ext: and a star", "ext:*", nil},
		{"a space at the end", "acme ", nil},
		{"a space after ext:", "ext: acme", nil},
		{"a UUID and a space", idA + " ", nil},
		{"a control character", "a\nb", nil},
		{"invalid UTF-8", "a\xff", nil},
		{"U+FFFD", "a\uFFFD", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := reference.Reference(c.ref)
			assert.Equal(t, c.want != nil, ok)
			if c.want == nil {
				assert.Equal(t, reference.Level{}, got)
				return
			}
			assert.Equal(t, *c.want, got)
			assert.True(t, reference.ValidTarget(in("slack", &got)))
		})
	}
}

// SPEC 3.6, beyond the conformance cases.
func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       reference.Target
	}{
		{"white space", " \t\r\n{ } \n", user},
		{"members in another order",
			`{"configuration":{"externalId":"c"},"credential":{"externalId":null,"id":"<A>"},"integration":"a"}`,
			in("a", level(known(idA), absent), level(unknown, known("c")))},
		{"an ID in capitals", `{"integration":"a","credential":{"id":"<CAPITAL A>"}}`, in("a", level(known(idA), unknown))},
		{"escapes", `{"integr\u0061tion":"\ud83d\ude00","credential":{"external\u0049d":"\"\\\/"}}`,
			in("😀", level(unknown, known(`"\/`)))},
		{"null twice", `{"integration":"a","credential":{"id":null,"externalId":null}}`, in("a", level(absent, absent))},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := reference.ParseTarget([]byte(ids(c.text)))
			require.True(t, ok)
			assert.Equal(t, c.want, got)
		})
	}

	for name, text := range map[string]string{
		"a repeated member of two types":       `{"integration":"a","integration":null}`,
		"a repeated absent identifier":         `{"integration":"a","credential":{"id":null,"id":null}}`,
		"a repeated identifier after null":     `{"integration":"a","credential":{"id":null,"id":"<A>"}}`,
		"a repeated configuration":             `{"integration":"a","credential":{},"configuration":{},"configuration":{}}`,
		"a repeated name in escapes":           `{"integration":"a","credential":{"id":null,"\u0069d":null}}`,
		"an empty member name":                 `{"":1}`,
		"a member beside the identifiers":      `{"integration":"a","credential":{"id":null,"name":"x"}}`,
		"a member beside the levels":           `{"integration":"a","user":"x"}`,
		"an identifier beside the levels":      `{"integration":"a","id":null}`,
		"true for a level":                     `{"integration":"a","credential":true}`,
		"true for an identifier":               `{"integration":"a","credential":{"id":true}}`,
		"an object for an identifier":          `{"integration":"a","credential":{"id":{}}}`,
		"an array for an identifier":           `{"integration":"a","credential":{"externalId":["x"]}}`,
		"an object for the integration":        `{"integration":{}}`,
		"null for the integration, and levels": `{"integration":null,"credential":{}}`,
		"a number":                             `7`,
		"true":                                 `true`,
		"a byte order mark":                    "\uFEFF{}",
		"a bracket after the target":           `{}}`,
		"a comma after the target":             `{},`,
		"a word after the target":              `{} x`,
		"a comma at the end":                   `{"integration":"a",}`,
		"no closing bracket in a level":        `{"integration":"a","credential":{`,
		"a target that ends after a name":      `{"integration"`,
		"a target that ends after a colon":     `{"integration":`,
		"a level that ends after a colon":      `{"integration":"a","credential":{"id":`,
		"single quotes":                        `{'integration':'a'}`,
		"a lone surrogate":                     `{"integration":"a\ud800"}`,
		"invalid UTF-8":                        "{\"integration\":\"a\xff\"}",
		"the name ext":                         `{"integration":"ext"}`,
		"a space at the end of a name":         `{"integration":"a "}`,
		"a star for an external ID":            `{"integration":"a","credential":{"externalId":"*"}}`,
		"a star for an ID":                     `{"integration":"a","credential":{"id":"*"}}`,
		"deep objects":                         strings.Repeat(`{"credential":`, 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := reference.ParseTarget([]byte(ids(text)))
			assert.False(t, ok)
			assert.Equal(t, reference.Target{}, got)
		})
	}
}

// SPEC 3.6: what is written out.
func TestFormatTarget(t *testing.T) {
	for _, c := range []struct {
		name   string
		target reference.Target
		want   string
	}{
		{"the user", user, `{}`},
		{"an integration", in("slack"), `{"integration":"slack"}`},
		{"all members", in("a", level(known(capitalA), known("x")), level(absent, absent)),
			`{"integration":"a","credential":{"id":"` + idA + `","externalId":"x"},` +
				`"configuration":{"id":null,"externalId":null}}`},
		{"levels with nothing known", in("a", level(unknown, unknown), level(unknown, unknown)),
			`{"integration":"a","credential":{},"configuration":{}}`},
		{"an external ID that is a UUID in capitals", in("a", level(unknown, known(capitalA))),
			`{"integration":"a","credential":{"externalId":"` + capitalA + `"}}`},
		{"characters that need an escape", in(`"\`), `{"integration":"\"\\"}`},
		{"characters that need none", in("<&>/é😀\u2028\u200b"), "{\"integration\":\"<&>/é😀\u2028\u200b\"}"},
		{"values that do not count",
			in("a", level(reference.Identifier{Value: "x"}, reference.Identifier{State: reference.Absent, Value: "x"})),
			`{"integration":"a","credential":{"externalId":null}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := reference.FormatTarget(c.target)
			assert.Equal(t, c.want, text)
			again, ok := reference.ParseTarget([]byte(text))
			require.True(t, ok)
			assert.Equal(t, text, reference.FormatTarget(again))
		})
	}
}

// Functions that make an ID lower case work on copies.
func TestTargetsAreNotChanged(t *testing.T) {
	target := in("slack", level(known(capitalA), unknown), level(known(capitalA), unknown))
	policy := parse(t, `{"credential:<A>": {"configuration:<A>": true}}`, reference.Options{})
	assert.True(t, policy.Decide("events", target).Allowed)
	assert.True(t, policy.Visible(target))
	assert.Contains(t, reference.FormatTarget(target), idA)
	assert.Equal(t, in("slack", level(known(capitalA), unknown), level(known(capitalA), unknown)), target)
}
