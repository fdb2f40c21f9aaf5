package permissions_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// A generator makes claims and questions that collide often: there are few names, some
// of which differ only in case or look like what they are not.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 1))} }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

// name picks a name of a list, and often one of the first two.
func (g generator) name(list []string) string {
	if g.chance(60) {
		list = list[:2]
	}
	return pick(g, list...)
}

var (
	integrationNames = []string{"slack", "Slack", "x:y", "été"}
	objectIDs        = []string{
		"3fa85f64-5717-4562-b3fc-2c963f66afa6", "3FA85F64-5717-4562-B3FC-2C963F66AFA6", "0b1c2d3e-0000-4000-8000-00000000000a", "acme", "Acme",
	}
	externalIDs = []string{"acme", "Acme", "3fa85f64-5717-4562-b3fc-2c963f66afa6", "a*", "ext:acme", "Team A"}
	actions     = []permissions.Permission{
		permissions.CredentialWrite, permissions.ConfigWrite, permissions.SettingsRead, permissions.SettingsWrite,
		permissions.MetadataRead, permissions.MetadataWrite, permissions.ProxyAPI, permissions.Events, permissions.Workflows, "other",
		"custom:read", "Events", "settings:Write", "a/b~c",
	}
	nearPermissions = []string{
		"setting:read", "Events", "credential:writ", "config:write ", "*", "", "events\u0000", "workflow", "proxy_api", "settings:Write",
		"custom:read", "a/b~c", "configuration:write", "event\u017f",
	}
)

// scope returns the text of a scope of a kind, which is wrong once in a while.
func (g generator) scope(kind string) string {
	if g.chance(2) {
		return pick(g, "integration:ext:x", "credential: x", "configuration:ext:", "config:*", "credential:a*", "credential:EXT:x",
			"integration:a\ufffd", "credential:ext:*", "configuration:a\x00", "integration:\u00a0", "", "*", "credential", "integration:ext",
			"credentials:x", "Credential:x", "credentia1:x", "integrations:*", "configuration :x", " credential:x", "configurations:ext:x",
			"credential:Ext", "configuration:ext:a\u2003", "integration:*a", "credential:**", "configuration:ext: *", "credential:x\u0085")
	}
	if kind == "integration" {
		return "integration:" + pick(g, "*", g.name(integrationNames))
	}
	return g.pattern(kind)
}

// pattern returns the text of a scope of a kind that is not integration.
func (g generator) pattern(kind string) string {
	switch g.IntN(3) {
	case 0:
		return kind + ":*"
	case 1:
		return kind + ":" + g.name(objectIDs)
	default:
		return kind + ":ext:" + g.name(externalIDs)
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
		return pick(g, "null", "1", `"true"`, "{}", "[1]", "[[]]", "[{}]", `["nope"]`, `["events",null]`, "tru", "[", `["events"`, "01", "-", `"\x"`,
			"-0", "1e309", "0.5e-7", "1.", ".5", "+1", "1e", "123456789012345678901234567890", "nul", "True", "NaN", `'a'`, "[,]", `["events",]`,
			`["events"]]`, "[]]", `""`, "[false]", `[""]`)
	}
	var list []string
	for range g.IntN(4) {
		list = append(list, g.spell(string(actions[g.IntN(9)])))
	}
	if g.chance(2) {
		list = append(list, g.spell(pick(g, nearPermissions...)))
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
			return g.name(names)
		}
	}
	ids, externals := append(slices.Clone(objectIDs), "other"), append(slices.Clone(externalIDs), "other")
	var t permissions.Target
	depth := pick(g, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3)
	if depth > 0 || g.chance(1) {
		t.Integration = g.name(append(slices.Clone(integrationNames), "jira"))
	}
	if depth > 1 {
		t.CredentialID, t.CredentialExternalID = identifier(ids), identifier(externals)
	}
	if depth > 2 {
		t.ConfigurationID, t.ConfigurationExternalID = identifier(ids), identifier(externals)
	}
	if g.chance(1) {
		t.Integration = pick(g, "", "*", permissions.None, "ext:x", " ")
	}
	return t
}

// paths writes a claim of random paths, each flat or nested: a level that is * may be left
// out (SPEC 2.7). So one path is at times written twice, in two forms.
func (g generator) paths() string {
	top := make(claimTree)
	for range 1 + g.IntN(8) {
		var path []string
		integration := "integration:" + pick(g, "*", g.name(integrationNames))
		credential, configuration := g.pattern("credential"), g.pattern("configuration")
		depth := 1 + g.IntN(3)
		leave := func(scope string) bool { return strings.HasSuffix(scope, ":*") && g.chance(60) }
		if depth == 1 || !leave(integration) {
			path = append(path, integration)
		}
		if depth == 2 || depth == 3 && !leave(credential) {
			path = append(path, credential)
		}
		if depth == 3 {
			path = append(path, configuration)
		}
		top.put(path, g.grant())
	}
	return top.write(g)
}

// A claimTree is the maps of a claim: a scope holds a string, which is the text of its
// grant, or another claimTree.
type claimTree map[string]any

// put puts a grant at a path, unless something is in its way.
func (m claimTree) put(path []string, grant string) {
	for _, scope := range path[:len(path)-1] {
		if _, ok := m[scope]; !ok {
			m[scope] = make(claimTree)
		}
		below, ok := m[scope].(claimTree)
		if !ok {
			return
		}
		m = below
	}
	if last := path[len(path)-1]; m[last] == nil {
		m[last] = grant
	}
}

func (m claimTree) write(g generator) string {
	keys := slices.Sorted(maps.Keys(m))
	g.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	var members []string
	for _, key := range keys {
		value, ok := m[key].(string)
		if !ok {
			value = m[key].(claimTree).write(g)
		}
		members = append(members, g.spell(key)+g.space()+":"+g.space()+value)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// hostile writes a claim as no issuer would, but an attacker might.
func (g generator) hostile() string {
	text := pick(g, g.claim, g.paths)()
	at := g.IntN(len(text) + 1)
	inside := func(key, value string) string {
		if !strings.HasPrefix(text, "{") {
			return text
		}
		if strings.TrimSpace(text[1:]) == "}" {
			return "{" + key + ":" + value + "}"
		}
		return "{" + key + ":" + value + "," + text[1:]
	}
	many := func(unit string, end string) string { return strings.Repeat(unit, 1+g.IntN(300)) + end }
	switch g.IntN(16) {
	case 0: // truncated
		return text[:at]
	case 1: // a byte is another
		if len(text) == 0 {
			return text
		}
		b := []byte(text)
		b[g.IntN(len(b))] = byte(g.IntN(256))
		return string(b)
	case 2: // one key in two spellings
		key := g.scope(pick(g, "integration", "credential", "configuration"))
		return "{" + g.escaped(key) + ":" + pick(g, "true", "[]", "{}") + "," + g.escaped(key) + ":" + pick(g, "false", "[]", "{}") + "}"
	case 3: // the same, further apart
		key := g.scope(pick(g, "integration", "credential", "configuration"))
		return strings.TrimSuffix(inside(g.escaped(key), g.grant()), "}") + "," + g.escaped(key) + ":" + g.grant() + "}"
	case 4: // surrogates
		return inside(`"`+pick(g, "credential:", "integration:", "configuration:ext:", "")+pick(g, `\ud800`, `\udc00`, `\udc00\ud800`, `\ud83d\ude00`,
			`\ud800\u0041`, `\ud800x`, `\ud800\ud800\udc00`, `\ufffd`, `\uD83D\uDE0`, `\ud83d\`, `\ufeffx`, `x\u0000`)+`"`, g.grant())
	case 5: // numbers
		return inside(`"credential:x"`, pick(g, "", "[")+pick(g, "-", "")+pick(g, "0", "00", "9", many("9", ""), "1.5", "1.", "1.e1", many("0", "")+".5")+
			pick(g, "", "e5", "E+5", "e-", "e999999", "x")+pick(g, "", "]"))
	case 6: // deep
		return inside(`"`+pick(g, "integration:*", "credential:x", "configuration:x")+`"`, many(pick(g, "[", `{"a":`, `{"credential:*":`, `[{"a":[`), "1"))
	case 7: // deep, and closed
		n := 1 + g.IntN(300)
		return inside(`"integration:deep"`, strings.Repeat("[", n)+strings.Repeat("]", n))
	case 8: // deep in scopes that might be
		return inside(`"integration:deep"`, `{"credential:*":{"configuration:*":`+pick(g, "{}", "{", "[]", "[[", "{\"configuration:x\":true}")+"}}")
	case 9: // long
		return inside(`"credential:long"`, "["+many(`"events",`, pick(g, `"events"]`, "]", `1]`, `"nope"]`)))
	case 10: // many names
		var b strings.Builder
		for i := range g.IntN(300) {
			fmt.Fprintf(&b, `"credential:c%d":%s,`, i%pick(g, 1000, 250), pick(g, "true", "[]", "{}"))
		}
		return strings.TrimSuffix(inside(`"integration:many"`, "{"+strings.TrimSuffix(b.String(), ",")+"}"), pick(g, "", "}"))
	case 11: // bytes that are no JSON
		return text[:at] + pick(g, "\x00", "\ufeff", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\x7f", "\u2028", "\x1f", "\v", "/**/", "\\") + text[at:]
	case 12: // around it
		return pick(g, "\ufeff", " \n\t\r", "\x00", "\v", "//\n", "[", "") + text + pick(g, "\x00", " ", "\n", "}", "]", text, ",", "\ufeff", "#")
	case 13: // something else
		return pick(g, "", " ", "null", "true", "[]", "0", `"x"`, `""`, "{}", `{"":true}`, "{,}", `{"a"}`, "{1:true}", "{null:1}", `"`, `{"integration:*":true,}`)
	case 14: // a string that holds it
		quoted, err := json.Marshal(text)
		if err != nil {
			panic(err)
		}
		return pick(g, string(quoted), g.escaped(text), " "+string(quoted)+pick(g, " ", "x", "{}"), string(quoted)[:g.IntN(len(quoted)+1)])
	default: // a string in a string, and escapes of every sort
		return pick(g, g.escaped(g.escaped("{}")), inside(`"credential:\/\b\f\n\r\t\"\\x"`, "true"), inside(g.escaped("credential:"+text), "true"),
			inside(`"credential:\u00e9\u0301"`, g.grant()), inside(`"integration:\x"`, "true"), inside(`"credential:a\/b~c\u002f"`, "nope"))
	}
}

// escaped writes a JSON string with most of its characters as escapes.
func (g generator) escaped(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r >= 0x10000:
			b.WriteRune(r)
		case g.chance(70), r < ' ', r == '"', r == '\\':
			fmt.Fprintf(&b, pick(g, `\u%04x`, `\u%04X`), r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String() + `"`
}

// payload writes the claims set of a token, which is wrong once in a while.
func (g generator) payload() string {
	var members []string
	add := func(name, value string) {
		members = append(members, g.spell(name)+g.space()+":"+g.space()+value)
	}
	value := func() string {
		return pick(g, "1700000000", `"x"`, "0", "-0", "-1", "1.5", "1e9", "1700000000.0", "253402300799", "253402300800", "9223372036854775808",
			"99999999999999999999", "null", "true", "[]", "{}", `["a","b"]`, `["a",1]`, `"\ud800"`, `[[1],{"a":"b"}]`, "01", "", `"`, "[1", `"1700000000"`)
	}
	good := map[string][]string{
		"sub": {`"user"`, `""`}, "iss": {`"i"`}, "jti": {`"\u006a"`}, "aud": {`"a"`, `["a","b"]`, "[]", `["a"]`},
		"exp": {"1700000000", "0"}, "nbf": {"1"}, "iat": {"253402300799"},
	}
	for _, name := range slices.Sorted(maps.Keys(good)) {
		if g.chance(50) {
			add(name, pick(g, good[name]...))
		}
		if g.chance(3) {
			add(pick(g, name, strings.ToUpper(name), name+" ", name), value())
		}
	}
	if g.chance(60) {
		claim := pick(g, g.claim, g.paths)()
		if g.chance(15) {
			claim = g.hostile()
		}
		add(permissions.ClaimName, claim)
	}
	if g.chance(20) {
		add(g.nearName(), pick(g, value(), "{}", "true"))
	}
	for range g.IntN(3) {
		add(pick(g, "", "x", "name", "permissions", "crit", "\x00", "a\ufffd"), pick(g, value(), "{}", `{"sub":1,"sub":2}`))
	}
	if g.chance(2) {
		for i := range g.IntN(60) {
			add(fmt.Sprintf("n%d", i%pick(g, 59, 61)), value())
		}
	}
	g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	text := "{" + strings.Join(members, ",") + "}"
	switch at := g.IntN(len(text) + 1); g.IntN(40) {
	case 0:
		return text[:at]
	case 1:
		return text[:at] + pick(g, "\x00", "\xff", "{", "}", "]", ",", `"`, "\\", ":", "\ufeff", " ") + text[at:]
	case 2:
		return pick(g, "\ufeff", "[", " ", "") + text + pick(g, "x", "}", " ", text, "]")
	}
	return text
}

// nearName writes a name that is about as far from the claim's as SPEC 7.4 looks.
func (g generator) nearName() string {
	name := []rune(permissions.ClaimName)
	for range g.IntN(5) {
		i := g.IntN(len(name))
		switch g.IntN(5) {
		case 0:
			name = slices.Delete(name, i, i+1)
		case 1:
			name = slices.Insert(name, i, pick(g, 'x', 's', ':', 'é', '\u0130'))
		case 2:
			name[i] = pick(g, 'x', '.', '\u017f', 'S', '\u212a')
		case 3:
			name[i] = []rune(strings.ToUpper(string(name[i])))[0]
		case 4: // two change places
			if i > 0 {
				name[i], name[i-1] = name[i-1], name[i]
			}
		}
	}
	return string(name)
}

// differentialRange returns how many pairs of a claim and a question to test, and with
// which seed to begin: CONNECTPERMS_PAIRS and CONNECTPERMS_SEED.
func differentialRange(t *testing.T) (pairs int, seed uint64) {
	pairs = 50_000
	if s := os.Getenv("CONNECTPERMS_PAIRS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		require.Positive(t, n)
		pairs = n
	}
	if s := os.Getenv("CONNECTPERMS_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		seed = n
	}
	return pairs, seed
}

// nameSeed names the seed with which a test failed.
func nameSeed(t *testing.T, seed *uint64) {
	if t.Failed() {
		t.Logf("CONNECTPERMS_SEED=%d", *seed)
	}
}

// TestDifferential holds the library against the reference on random claims and
// questions, with every combination of options.
func TestDifferential(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	const questions = 12
	accepted, refused := 0, 0
	reasons := make(map[permissions.Reason]int)
	defer nameSeed(t, &seed)
	for ; accepted*questions < pairs; seed++ {
		g := newGenerator(seed)
		claim := pick(g, g.claim, g.paths)()
		o := &optionSets[0]
		if g.chance(25) {
			o = &optionSets[g.IntN(len(optionSets))]
		}
		got, want := parseBothWith(t, claim, o)
		if seed%4 == 0 {
			fromValueBoth(t, claim, g.chance(50), o)
		}
		if got == nil {
			refused++
			continue
		}
		accepted++
		for range questions {
			d := askBoth(t, claim, got, want, pick(g, actions...), g.target())
			reasons[d.Reason]++
		}
		roundTrip(t, claim, got, o)
	}
	require.Greater(t, refused, accepted/20, "the generator makes too few mistakes")
	for _, reason := range []permissions.Reason{
		permissions.Granted, permissions.NotGranted, permissions.NoRule, permissions.Undetermined, permissions.InvalidQuestion,
	} {
		require.Greater(t, reasons[reason], pairs/200, "the generator asks too few questions with the answer %v", reason)
	}
	t.Logf("%d claims accepted, %d refused, %d questions: %v; next seed %d", accepted, refused, accepted*questions, reasons, seed)
}

// roundTrip requires that the encoded policy is one with the same rules, for the library
// and the reference alike, and that encoding is canonical.
func roundTrip(t *testing.T, claim string, p *permissions.Policy, o *optionSet) {
	t.Helper()
	data, err := json.Marshal(p)
	require.NoError(t, err)
	again, _ := parseBothWith(t, string(data), o)
	require.NotNil(t, again, "claim %s\nencoded %s", claim, data)
	require.Equal(t, ruleTexts(p), ruleTexts(again), "claim %s\nencoded %s", claim, data)
	twice, err := json.Marshal(again)
	require.NoError(t, err)
	require.Equal(t, string(data), string(twice))
}

// alike returns names that are hard to tell apart: of one length, and the same but for letter
// case and a few bytes inside.
func (g generator) alike() []string {
	name := []byte(pick(g, "x", "abc", "customer", "Customer-4711", "dfa85f64-5717-4562-b3fc-2c963f66afad", strings.Repeat("customer ", 8)+"4711"))
	names := []string{string(name)}
	for range pick(g, 0, 1, 5, 15) {
		other := slices.Clone(name)
		if g.chance(80) {
			other[len(other)/3] = "0123456789abcdefABCDEF"[g.IntN(22)]
		}
		for range g.IntN(3) {
			if i := pick(g, 0, len(other)-1, g.IntN(len(other))); other[i] >= '@' {
				other[i] ^= 0x20
			}
		}
		names = append(names, string(other))
	}
	return names
}

// TestDifferentialAlike holds them against each other on claims with many rules whose names
// are alike, and on questions about such names.
func TestDifferentialAlike(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	const questions = 20
	accepted := 0
	reasons := make(map[permissions.Reason]int)
	defer nameSeed(t, &seed)
	for ; accepted*questions < pairs/4; seed++ {
		g := newGenerator(seed)
		integrations, credentials, configurations := g.alike(), g.alike(), g.alike()
		top := make(claimTree)
		form := []string{"", "ext:"}[:1+g.IntN(2)]
		shallow, deep := pick(g, 0, 0, 40), pick(g, 0, 40)
		for range 1 + g.IntN(40) {
			path := []string{
				"integration:" + pick(g, integrations...),
				"credential:" + pick(g, form...) + pick(g, credentials...),
				"configuration:" + pick(g, form...) + pick(g, configurations...),
			}
			if !g.chance(deep) {
				path = path[:2]
			}
			if g.chance(shallow) {
				path = path[1:]
			}
			top.put(path, g.grant())
		}
		claim := top.write(g)
		got, want := parseBoth(t, claim)
		if got == nil {
			continue
		}
		accepted++
		identifier := func(names []string) string {
			return pick(g, permissions.None, "", names[0], pick(g, names...), pick(g, names...))
		}
		for range questions {
			target := permissions.Target{Integration: pick(g, integrations...)}
			if g.chance(90) {
				target.CredentialID, target.CredentialExternalID = identifier(credentials), identifier(credentials)
				if g.chance(60) {
					target.ConfigurationID, target.ConfigurationExternalID = identifier(configurations), identifier(configurations)
				}
			}
			d := askBoth(t, claim, got, want, pick(g, actions...), target)
			reasons[d.Reason]++
		}
	}
	for _, reason := range []permissions.Reason{permissions.Granted, permissions.NotGranted, permissions.NoRule, permissions.Undetermined} {
		require.Greater(t, reasons[reason], pairs/4/1000, "the generator asks too few questions with the answer %v", reason)
	}
	t.Logf("%d claims, %d questions: %v; next seed %d", accepted, accepted*questions, reasons, seed)
}

// TestDifferentialHostile holds them against each other on JSON that is hostile.
func TestDifferentialHostile(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	kinds := make(map[string]int)
	defer nameSeed(t, &seed)
	for range pairs / 4 {
		g := newGenerator(seed)
		claim := g.hostile()
		o := &optionSets[g.IntN(len(optionSets))]
		got, want := parseBothWith(t, claim, o)
		fromValueBoth(t, claim, g.chance(50), o)
		if got == nil {
			_, mistake := reference.Parse([]byte(claim), o.reference)
			kinds[mistake.Kind]++
		} else {
			kinds["accepted"]++
			askBoth(t, claim, got, want, pick(g, actions...), g.target())
			roundTrip(t, claim, got, o)
		}
		seed++
	}
	for _, kind := range []string{"accepted", "syntax", "type", "scope", "nesting", "duplicate", "permission"} {
		require.Greater(t, kinds[kind], pairs/4/500, "the generator makes too few of %s", kind)
	}
	t.Logf("%d hostile claims: %v; next seed %d", pairs/4, kinds, seed)
}

// TestDifferentialPayload holds Claims against the reference on the payloads of tokens.
func TestDifferentialPayload(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	kinds := make(map[string]int)
	defer nameSeed(t, &seed)
	for range pairs / 4 {
		g := newGenerator(seed)
		payload := g.payload()
		o := &optionSets[g.IntN(len(optionSets))]
		kinds[decodeBoth(t, payload, o)]++
		seed++
	}
	for _, kind := range []string{"accepted", "syntax", "type", "repeated", "near", "claim"} {
		require.Greater(t, kinds[kind], pairs/4/200, "the generator makes too few of %s", kind)
	}
	t.Logf("%d payloads: %v; next seed %d", pairs/4, kinds, seed)
}

// decodeBoth decodes the payload of a token with the library and the reference, requires
// that they agree, and returns what the reference found wrong with it, or "accepted".
func decodeBoth(t *testing.T, payload string, o *optionSet) string {
	t.Helper()
	got := permissions.NewClaims(o.options...)
	got.Subject = "what was there before"
	err := got.UnmarshalJSON([]byte(payload))
	want, mistake := reference.ParseClaims([]byte(payload), o.reference)
	if mistake != nil {
		require.ErrorIs(t, err, permissions.ErrToken, "the reference refuses %q: %v", payload, mistake)
		require.ErrorIs(t, err, jwt.ErrTokenMalformed)
		require.Zero(t, got.RegisteredClaims, "an error leaves nothing behind")
		require.Nil(t, got.Policy, "an error leaves nothing behind")
		require.Equal(t, mistake.Claim != nil, errors.Is(err, permissions.ErrClaim), "payload %q: %v", payload, err)
		switch mistake.Kind {
		case "claim":
			var parse *permissions.ParseError
			require.ErrorAs(t, err, &parse)
			require.Equal(t, mistake.Claim.Kind, kindOf(t, err), "payload %q: %v", payload, err)
			require.Equal(t, mistake.Claim.Pointer, parse.Pointer, "payload %q: %v", payload, err)
		case "repeated":
			require.ErrorContains(t, err, "stands twice", "payload %q", payload)
		case "near":
			require.ErrorContains(t, err, "is nearly", "payload %q", payload)
		case "type":
			require.Regexp(t, "is (not|no) ", err.Error(), "payload %q", payload)
		}
		return mistake.Kind
	}
	require.NoError(t, err, "the reference accepts %q", payload)
	require.Equal(t, want.Issuer, got.Issuer)
	require.Equal(t, want.Subject, got.Subject)
	require.Equal(t, want.ID, got.ID)
	require.Equal(t, want.Audience, []string(got.Audience))
	for what, got := range map[string]*jwt.NumericDate{"exp": got.ExpiresAt, "nbf": got.NotBefore, "iat": got.IssuedAt} {
		want := map[string]string{"exp": want.ExpiresAt.String(), "nbf": want.NotBefore.String(), "iat": want.IssuedAt.String()}[what]
		if got == nil {
			require.Equal(t, "<nil>", want, "payload %q", payload)
		} else {
			require.Equal(t, want, strconv.FormatInt(got.Unix(), 10), "payload %q", payload)
		}
	}
	require.NotNil(t, got.Policy)
	require.Equal(t, !want.HasPolicy, got.Policy.IsUnrestricted(), "payload %q", payload)
	if want.HasPolicy {
		for i, r := range want.Policy.Rules() {
			require.Equal(t, r.Pointer, slices.Collect(got.Policy.Rules())[i].Pointer())
		}
	}

	// What is encoded says the same.
	data, err := json.Marshal(got)
	require.NoError(t, err)
	again := permissions.NewClaims(o.options...)
	require.NoError(t, json.Unmarshal(data, again), "payload %q encoded %s", payload, data)
	require.Equal(t, got.Policy.IsUnrestricted(), again.Policy.IsUnrestricted())
	require.Equal(t, ruleTexts(got.Policy), ruleTexts(again.Policy))
	require.Equal(t, got.Subject, again.Subject)
	return "accepted"
}

// ruleTexts returns the rules of a policy as texts, by path.
func ruleTexts(p *permissions.Policy) map[string]string {
	m := make(map[string]string)
	for r := range p.Rules() {
		m[r.String()] = r.Grant().String()
	}
	return m
}
