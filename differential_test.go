package permissions_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A generator makes claims and questions that collide often: there are few names, some
// of which differ only in case or look like what they are not.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

var (
	integrationNames = []string{"slack", "Slack", "x:y", "été"}
	objectIDs        = []string{
		"3fa85f64-5717-4562-b3fc-2c963f66afa6", "3FA85F64-5717-4562-B3FC-2C963F66AFA6", "0b1c2d3e-0000-4000-8000-00000000000a", "acme", "Acme",
	}
	externalIDs = []string{"acme", "Acme", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "a*", "ext:acme", "Team A"}
	actions     = []permissions.Permission{
		permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite,
		permissions.MetadataRead, permissions.MetadataWrite, permissions.ProxyAPI, permissions.Events, permissions.Workflows, "other",
	}
)

// scope returns the text of a scope of a kind, which is wrong once in a while.
func (g generator) scope(kind string) string {
	if g.chance(2) {
		return pick(g, "integration:ext:x", "credential: x", "configuration:ext:", "config:*", "credential:a*", "credential:EXT:x",
			"integration:a\ufffd", "credential:ext:*", "configuration:a\x00", "integration:\u00a0", "", "*", "credential", "integration:ext")
	}
	if kind == "integration" {
		return "integration:" + pick(g, append([]string{"*"}, integrationNames...)...)
	}
	switch g.IntN(3) {
	case 0:
		return kind + ":*"
	case 1:
		return kind + ":" + pick(g, objectIDs...)
	default:
		return kind + ":ext:" + pick(g, externalIDs...)
	}
}

// spell writes a JSON string, at times with escapes that need not be.
func (g generator) spell(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	odd := g.chance(10)
	for _, r := range s {
		switch {
		case odd && g.chance(30) && r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r == '"', r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ':
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (g generator) grant() string {
	switch n := g.IntN(100); {
	case n < 30:
		return "true"
	case n < 55:
		return "false"
	case n < 57:
		return pick(g, "null", "1", `"true"`, "{}", "[1]", "[[]]", "[{}]", `["nope"]`, `["events",null]`, "tru", "[", `["events"`, "01", "-", `"\x"`)
	}
	var list []string
	for range g.IntN(4) {
		list = append(list, g.spell(string(actions[g.IntN(9)])))
	}
	return "[" + strings.Join(list, g.space()+",") + "]"
}

func (g generator) space() string {
	if g.chance(95) {
		return ""
	}
	return pick(g, " ", "\n", "\t \r")
}

// claim writes a claim.
func (g generator) claim() string {
	text := g.scopes([]string{"integration", "credential", "configuration"}, 1+g.IntN(6))
	if g.chance(4) && len(text) > 0 {
		// Break it somewhere.
		i := g.IntN(len(text))
		text = pick(g, text[:i], text[:i]+text[i+1:], text[:i]+pick(g, "\"", "{", "}", ",", ":", "\x00", "\xff", "]", "\\", "\ufeff")+text[i:], text+pick(g, "x", "{}", ",", "\x00"))
	}
	return text
}

func (g generator) scopes(kinds []string, n int) string {
	var b strings.Builder
	b.WriteString("{" + g.space())
	for i := range n {
		if i > 0 {
			b.WriteString(g.space() + "," + g.space())
		}
		kind := g.IntN(len(kinds))
		b.WriteString(g.spell(g.scope(kinds[kind])) + g.space() + ":" + g.space())
		below := kinds[kind+1:]
		if g.chance(1) {
			below = kinds
		}
		if len(below) > 0 && g.chance(40) {
			b.WriteString(g.scopes(below, g.IntN(4)))
		} else {
			b.WriteString(g.grant())
		}
	}
	b.WriteString(g.space() + "}")
	return b.String()
}

// target returns a target, which is invalid once in a while.
func (g generator) target() permissions.Target {
	identifier := func(names []string) string {
		switch n := g.IntN(100); {
		case n < 30:
			return ""
		case n < 45:
			return permissions.None
		case n < 47:
			return pick(g, "*", " x", "x\n", "ext", "EXT:y", "a*", "\xff", "x\ufffd", "\u0085", "unheard of")
		default:
			return pick(g, names...)
		}
	}
	var t permissions.Target
	depth := g.IntN(4)
	if depth > 0 || g.chance(1) {
		t.Integration = pick(g, append(integrationNames, "jira")...)
	}
	if depth > 1 {
		t.CredentialID, t.CredentialExternalID = identifier(append(objectIDs, "other")), identifier(append(externalIDs, "other"))
	}
	if depth > 2 {
		t.ConfigurationID, t.ConfigurationExternalID = identifier(append(objectIDs, "other")), identifier(append(externalIDs, "other"))
	}
	if g.chance(1) {
		t.Integration = pick(g, "", "*", permissions.None, "ext:x", " ")
	}
	return t
}

// TestDifferential holds the library against the reference on random claims and
// questions. How many, CONNECTPERMS_PAIRS says.
func TestDifferential(t *testing.T) {
	t.Parallel()
	pairs := 50_000
	if s := os.Getenv("CONNECTPERMS_PAIRS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		pairs = n
	}
	const questions = 12
	accepted, refused := 0, 0
	for seed := uint64(0); accepted*questions < pairs; seed++ {
		g := newGenerator(seed)
		claim := g.claim()
		got, want := parseBoth(t, claim)
		if got == nil {
			refused++
			continue
		}
		accepted++
		for range questions {
			askBoth(t, claim, got, want, pick(g, actions...), g.target())
		}
		target := g.target()
		require.Equal(t, want.Visible(toReference(target)), got.Visible(target), "claim %s\ntarget %+v", claim, target)

		data, err := json.Marshal(got)
		require.NoError(t, err)
		again, err := permissions.Parse(data)
		require.NoError(t, err, "claim %s\nencoded %s", claim, data)
		require.Equal(t, ruleTexts(got), ruleTexts(again), "claim %s\nencoded %s", claim, data)
		twice, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(data), string(twice))
	}
	require.Greater(t, refused, accepted/20, "the generator makes too few mistakes")
	t.Logf("%d claims accepted, %d refused, %d questions", accepted, refused, accepted*questions)
}

// ruleTexts returns the rules of a policy as texts, by path.
func ruleTexts(p *permissions.Policy) map[string]string {
	m := make(map[string]string)
	for r := range p.Rules() {
		m[r.String()] = r.Grant().String()
	}
	return m
}
