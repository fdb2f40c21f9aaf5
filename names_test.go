package permissions_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// targetsOf returns targets that have a name as integration, external ID and ID.
func targetsOf(name string) []reference.Target {
	slack := "slack"
	known := reference.Identifier{State: reference.Known, Value: name}
	return []reference.Target{
		{Integration: &name},
		{Integration: &slack, Credential: &reference.Level{ExternalID: known}},
		{Integration: &slack, Credential: &reference.Level{ID: known}},
		{Integration: &slack, Credential: &reference.Level{}, Configuration: &reference.Level{ExternalID: known}},
	}
}

// requireJudged requires that a name is valid in a target exactly if the reference says so.
func requireJudged(t *testing.T, name string) {
	t.Helper()
	for _, asked := range targetsOf(name) {
		target, want := toLibrary(asked), reference.ValidTarget(asked)
		if got := target.Err() == nil; got != want || permissions.Unrestricted().Allowed(permissions.Events,
			target) != want {
			require.Failf(t, "judged wrongly", "%q in %v: valid is %v", name, target, got)
		}
	}
}

// TestNamesWithAnyByteAnywhere has every byte at every position of a name.
func TestNamesWithAnyByteAnywhere(t *testing.T) {
	t.Parallel()
	for length := 1; length <= 20; length++ {
		for position := range length {
			for b := range 256 {
				requireJudged(t, strings.Repeat("a", position)+string([]byte{byte(b)})+strings.Repeat("a", length-position-1))
			}
		}
	}
}

// TestNamesOfOneByte has names that are one byte again and again.
func TestNamesOfOneByte(t *testing.T) {
	t.Parallel()
	for b := range 256 {
		for length := 1; length <= 41; length++ {
			requireJudged(t, strings.Repeat(string([]byte{byte(b)}), length))
		}
	}
}

// TestNamesOfSpecialCharacters has the characters that SPEC 2.4 is about, and some that look like them.
func TestNamesOfSpecialCharacters(t *testing.T) {
	t.Parallel()
	special := []string{
		"\u0000", "\u001f", "\u007f", "\u0080", "\u0085", "\u009f", "\u00a0", "\u00ad", "\u1680", "\u180e", "\u2000",
		"\u200b", "\u200e", "\u2028",
		"\u2029", "\u202e", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff", "\ufffd", "\U0001f600", "\U000e0001",
		"\xed\xa0\x80", "\xc0\xaf", "\xff",
		"*", "ext", "ext:", "EXT:", "Ext", "e\u212at", "\u0065\u0301xt:", "\\", `"`, "/", "~", "%", "",
	}
	for _, a := range special {
		for _, b := range special {
			for _, name := range []string{a + b, a + "x" + b, "x" + a + b + "x", a + b + "x"} {
				requireJudged(t, name)
			}
		}
	}
}

// TestNamesAreComparedWhole asks for many names that a claim does not have. A hash says only where to
// look. With one rule it is often the same place, so a name that was compared in part would be taken for
// another one.
func TestNamesAreComparedWhole(t *testing.T) {
	t.Parallel()
	longName := strings.Repeat("abcdefghi ", 4_000) + "x"
	absent := permissions.NoID()
	for _, c := range []struct {
		name, claim string
		target      func(name string) permissions.Target
	}{
		{"integration", `{"integration:NAME":true}`, permissions.Integration},
		{"credential", `{"credential:ext:NAME":true}`, func(name string) permissions.Target {
			return slack.Credential(absent, permissions.ExternalID(name))
		}},
		{"configuration", `{"configuration:ext:NAME":true}`, func(name string) permissions.Target {
			return slack.Credential().Configuration(absent, permissions.ExternalID(name))
		}},
		{"integration above", `{"integration:NAME":{"credential:ext:x":{"configuration:ext:y":true}}}`,
			func(name string) permissions.Target {
				return permissions.Integration(name).Credential(absent, permissions.ExternalID("x")).Configuration(absent,
					permissions.ExternalID("y"))
			}},
		{"credential above", `{"integration:slack":{"credential:ext:NAME":{"configuration:ext:y":true}}}`,
			func(name string) permissions.Target {
				return slack.Credential(absent, permissions.ExternalID(name)).Configuration(absent, permissions.ExternalID("y"))
			}},
		{"in escapes", `{"credential:ext:\u0061NAME":true}`, func(name string) permissions.Target {
			return slack.Credential(absent, permissions.ExternalID("a"+name))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range []string{idA, "customer", longName} {
				p := permissions.MustParse(strings.Replace(c.claim, "NAME", name, 1))
				require.True(t, p.Allowed(permissions.Events, c.target(name)))
				for i := 1; i < 20_000; i++ {
					other := longName[:i]
					if name != longName {
						other = fmt.Sprintf("%0*d", len(name), i)
					}
					if p.Allowed(permissions.Events, c.target(other)) {
						require.Failf(t, "taken for another name", "%.50q for %.50q, %d bytes", other, name, len(other))
					}
				}
			}
		})
	}
}

// TestIDsDifferInOneDigit asks for IDs that differ in one digit from the one of the claim.
func TestIDsDifferInOneDigit(t *testing.T) {
	t.Parallel()
	for range 200 { // hashes tell most of them apart
		random := rand.Uint64()
		known := fmt.Sprintf("%08x-5717-4562-b3fc-%012x", uint32(random), random>>16)
		above := permissions.MustParse(`{"integration:slack":{"credential:` + known + `":{"configuration:` + idB +
			`":true}}}`)
		last := permissions.MustParse(`{"credential:` + known + `":true}`)
		allowed := func(id string) [2]bool {
			credential := slack.Credential(permissions.ID(id))
			return [2]bool{above.Allowed(permissions.Events, credential.Configuration(permissions.ID(idB))),
				last.Allowed(permissions.Events, credential)}
		}
		require.Equal(t, [2]bool{true, true}, allowed(known))
		require.Equal(t, [2]bool{true, true}, allowed(strings.ToUpper(known)))
		for i := range known {
			for _, digit := range "0123456789abcdef" {
				other := known[:i] + string(digit) + known[i+1:]
				if other != known && allowed(other) != [2]bool{} {
					require.Failf(t, "taken for another ID", "%q for %q", other, known)
				}
			}
		}
	}
}

// TestIDsWithAnyByteAnywhere replaces each byte of a UUID with every byte, in a claim and in a target. The
// same digits in either letter case are the same ID, and everything else is not an ID (SPEC 2.5).
func TestIDsWithAnyByteAnywhere(t *testing.T) {
	t.Parallel()
	p := permissions.MustParse(`{"credential:` + idA + `":true}`)
	for _, id := range []string{idA, idUpper} {
		for position := range id {
			for b := range 256 {
				text := id[:position] + string([]byte{byte(b)}) + id[position+1:]
				same := strings.EqualFold(text, idA)
				requireJudged(t, text)
				target := slack.Credential(permissions.ID(text), permissions.NoExternalID())
				require.Equal(t, same, p.Allowed(permissions.Events, target), "%q", text)

				b := parseBoth(t, string(jsonOf(map[string]bool{"credential:" + text: true})), &optionSets[0])
				if b == nil {
					continue
				}
				for _, asked := range []string{idA, idUpper} {
					target := slack.Credential(permissions.ID(asked), permissions.NoExternalID())
					require.Equal(t, same, b.got.Allowed(permissions.Events, target), "%q", text)
				}
			}
		}
	}
}

// TestNamesInClaims has names with special bytes at every position in a claim. Each is found under exactly
// that name.
func TestNamesInClaims(t *testing.T) {
	t.Parallel()
	slack := "slack"
	for length := 1; length <= 24; length++ {
		for position := range length {
			for _, b := range []byte{0, 0x1f, ' ', '*', '+', '\\', '"', 'A', '_', '~', 0x7f, 0x80, 0xff} {
				name := strings.Repeat("a", position) + string([]byte{b}) + strings.Repeat("a", length-position-1)
				for _, scope := range []string{"integration:" + name, "credential:ext:" + name, "configuration:ext:" + name} {
					claim := `{"` + scope + `":true}`
					both := parseBoth(t, claim, &optionSets[0])
					if both == nil {
						continue
					}
					name := both.want.Rules()[0].Path[len(both.want.Rules()[0].Path)-1]
					name = strings.TrimPrefix(name[strings.Index(name, ":")+1:], "ext:")
					for _, other := range []string{name, "b" + name[1:], name[:len(name)-1] + "b"} {
						known := reference.Identifier{State: reference.Known, Value: other}
						absent := reference.Identifier{State: reference.Absent}
						for _, asked := range []reference.Target{
							{Integration: &other},
							{Integration: &slack, Credential: &reference.Level{ID: absent, ExternalID: known}},
							{Integration: &slack, Credential: &reference.Level{}, Configuration: &reference.Level{ID: absent,
								ExternalID: known}},
						} {
							both.ask(t, "events", asked, toLibrary(asked), false)
						}
					}
				}
			}
		}
	}
}
