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

// Names are read eight bytes at a time, so each byte value must be judged alike wherever in a
// name of whatever length it stands. The oracle is the reference, which goes by runes.
func TestNamesAtEveryPosition(t *testing.T) {
	t.Parallel()
	for length := 1; length <= 41; length++ {
		for position := range length {
			for b := range 256 {
				if length > 18 && b > ' ' && b < '~' && b != '*' && b != '\\' && b != '"' && b%8 != 0 {
					continue // the longer ones only with what is special, and some
				}
				name := strings.Repeat("a", position) + string([]byte{byte(b)}) + strings.Repeat("a", length-position-1)
				for _, target := range []permissions.Target{
					{Integration: name},
					{Integration: "x", CredentialID: name},
					{Integration: "x", CredentialExternalID: name},
				} {
					if name == permissions.None && target.Integration == "x" {
						continue
					}
					want := reference.ValidTarget(toReference(target))
					if permissions.Unrestricted().Allowed(permissions.Events, target) != want || (target.Validate() == nil) != want {
						require.Failf(t, "judged wrongly", "byte %#x at %d of %d in %+v: valid is %v", b, position, length, target, want)
					}
				}
			}
		}
	}
}

// A hash only says where to look. With one rule in the claim it says the wrong thing often
// enough that a name which is compared in part, or not at all, will be taken for another.
func TestNamesAreComparedWhole(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("abcdefghi ", 4_000) + "x"
	claims := []struct {
		name, claim string
		target      func(name string) permissions.Target
	}{
		{"integration", `{"integration:NAME":true}`, func(name string) permissions.Target { return target(name) }},
		{"credential", `{"credential:NAME":true}`, func(name string) permissions.Target { return target("x", name) }},
		{"external ID", `{"configuration:ext:NAME":true}`, func(name string) permissions.Target { return target("x", "y", "", "", name) }},
		{"above", `{"integration:NAME":{"credential:x":{"configuration:y":true}}}`, func(name string) permissions.Target { return target(name, "x", "", "y") }},
		{"in the middle", `{"integration:x":{"credential:NAME":{"configuration:y":true}}}`, func(name string) permissions.Target { return target("x", name, "", "y") }},
		{"in escapes", `{"credential:\u0061NAME":true}`, func(name string) permissions.Target { return target("x", "a"+name) }},
	}
	for _, c := range claims {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range []string{uuid, "customer", long} {
				p := permissions.MustParse(strings.Replace(c.claim, "NAME", name, 1))
				require.True(t, p.Allowed(permissions.Events, c.target(name)))
				for i := 1; i < len(long); i++ {
					other := long[:i]
					if name != long {
						other = fmt.Sprintf("%0*d", len(name), i)
					}
					if p.Allowed(permissions.Events, c.target(other)) {
						require.Failf(t, "taken for another", "%.50q for %.50q, %d bytes", other, name, len(other))
					}
				}
			}
		})
	}
}

// What has the length of a UUID is compared a word at a time: every byte of it counts.
func TestNamesDifferInOneByte(t *testing.T) {
	t.Parallel()
	for range 200 { // since hashes tell most of them apart
		random := rand.Uint64()
		name := fmt.Sprintf("%08x-5717-4562-b3fc-%012x", uint32(random), random>>16)
		above := permissions.MustParse(`{"integration:x":{"credential:` + name + `":{"configuration:y":true}}}`)
		last := permissions.MustParse(`{"credential:` + name + `":true}`)
		require.True(t, above.Allowed(permissions.Events, target("x", name, "", "y")))
		require.True(t, last.Allowed(permissions.Events, target("x", name)))
		differs := func(other string) {
			if above.Allowed(permissions.Events, target("x", other, "", "y")) || last.Allowed(permissions.Events, target("x", other)) {
				require.Failf(t, "taken for another", "%q for %q", other, name)
			}
		}
		for i := range len(name) {
			for b := byte('!'); b <= '~'; b++ {
				if other := name[:i] + string(b) + name[i+1:]; b != '*' && !strings.EqualFold(other, name) {
					differs(other)
				}
			}
			differs(name[:i+1][:max(1, i)])
			differs(name + strings.Repeat("x", i+1))
		}
	}
}

// Names in a claim are judged so too, and each is found under just that name.
func TestNamesInClaimsAtEveryPosition(t *testing.T) {
	t.Parallel()
	for length := 1; length <= 41; length++ {
		for position := range length {
			for _, b := range []byte{0, 0x1f, ' ', '*', '+', '\\', 'A', '_', '~', 0x7f, 0x80, 0xff} {
				name := strings.Repeat("a", position) + string([]byte{b}) + strings.Repeat("a", length-position-1)
				for _, scope := range []string{"integration:" + name, "credential:" + name, "credential:ext:" + name} {
					claim := `{"` + scope + `":true}`
					got, want := parseBoth(t, claim)
					if got == nil {
						continue
					}
					target := permissions.Target{Integration: name}
					if kind, _, _ := strings.Cut(scope, ":"); kind == "credential" {
						target = permissions.Target{Integration: "x", CredentialID: name, CredentialExternalID: name}
					}
					askBoth(t, claim, got, want, permissions.Events, target)

					other := "b" + name[1:]
					target.Integration = strings.Replace(target.Integration, name, other, 1)
					target.CredentialID = strings.Replace(target.CredentialID, name, other, 1)
					target.CredentialExternalID = strings.Replace(target.CredentialExternalID, name, other, 1)
					askBoth(t, claim, got, want, permissions.Events, target)
				}
			}
		}
	}
}
