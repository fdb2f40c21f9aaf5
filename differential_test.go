package permissions_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// A generator makes random claims and questions. There are few names, so that rules and questions meet
// often.
type generator struct {
	*rand.Rand
	words *wordlist
}

// A wordlist has the names that a generator uses. The first two of a list are used most.
type wordlist struct {
	integrations, ids, externalIDs []string
}

// alikeWords differ in letter case only, or look like something else.
var alikeWords = &wordlist{
	integrations: []string{"slack", "Slack", "x:y", "été", idA},
	ids:          []string{idA, idUpper, idB, "3fa85f64-5717-4562-b3fc-2c963F66AFA6", strings.ToUpper(idB)},
	externalIDs:  []string{"acme", "Acme", idA, idUpper, "a*", "ext:acme", "Team A", "*a"},
}

// strangeWords have characters that JSON, JSON Pointers, Go formats, URLs and terminals treat in a
// special way.
var strangeWords = &wordlist{
	integrations: []string{`a"b`, `a\b`, "a/b", "a~b", "a~1b", "100%d", "a\u2028b", "\U0001f600", "e\u0301", "\u00e9",
		"a\u202eb", "\u200ba", "{}"},
	ids: []string{idA, idUpper, idB},
	externalIDs: []string{
		`"`, `\`, "/", "~", "~0", "%", "a\u2029b", "\U0001f600\u200d\U0001f680", "\ufeffx", "a/b/*", "configuration:*",
		`\u0041`, "A", "%00", "null",
	},
}

// Texts that are wrong, most of them nearly right.
var (
	wrongScopes = []string{
		"integration:ext:x", "credential: x", "configuration:ext:", "config:*", "credential:a*", "credential:EXT:x",
		"integration:a\ufffd",
		"credential:ext:*", "configuration:a\x00", "integration:\u00a0", "", "*", "credential", "integration:ext",
		"credentials:x",
		"Credential:x", "credentia1:x", "integrations:*", "configuration :x", " credential:x", "configurations:ext:x",
		"credential:Ext",
		"configuration:ext:a\u2003", "integration:*a", "credential:**", "configuration:ext: *", "credential:x\u0085",
		"credential:acme",
		"integration:", "integration:a\x7f", "configuration:ext:\u0085a",
		"credential:3fa85f6457174562b3fc2c963f66afa6", "credential:{" + idA + "}", "configuration:urn:uuid:" + idA,
		"credential:" + idA + " ", "credential:Ext:" + idA, "configuration:3fa85f64-5717-4562-b3fc-2c963f66afag",
		"credential:3fa85f64-5717-4562-b3fc2-c963f66afa6", "user:*", "credential:ext:\u2028",
	}
	wrongPermissions = []string{
		"setting:read", "Events", "credential:writ", "config:write ", "*", "", "events\u0000", "workflow", "proxy_api",
		"settings:Write",
		"custom:read", "a/b~c", "configuration:write", "event\u017f", "action-kit", "ActionKit", "all", "xA", "100%",
		"a\u2028b", "\U0001f600", `x\u0041`,
	}
	wrongGrants = []string{
		"null", "1", `"true"`, "{}", "[1]", "[[]]", "[{}]", `["nope"]`, `["events",null]`, "tru", "[", `["events"`, "01",
		"-", `"\x"`, "-0",
		"1e309", "0.5e-7", "1.", ".5", "+1", "1e", "123456789012345678901234567890", "nul", "True", "NaN", `'a'`, "[,]",
		`["events",]`,
		`["events"]]`, "[]]", `""`, "[false]", `[""]`,
	}
	wrongIDs = []string{"acme", "", "3fa85f6457174562b3fc2c963f66afa6", idA + "0", "{" + idA + "}", "\xff",
		"urn:uuid:" + idA}
	wrongNames = []string{"", "*", " x", "x\n", "ext", "EXT:y", "a*", "\xff", "x\ufffd", "\u0085", "a\x00b",
		"ext:", "\u2003a"}
	wrongExternalIDs = []string{"", "*", " x", "x\n", "\xff", "x\ufffd", "\u0085", "a\x00b", "a\u2003", "x\x7f"}
	wrongActions     = []string{"other", "", "event", "Events", "settings:Write", "custom:read", "a/b~c",
		"integration:*", "true", "events "}
)

// actionNames are what is asked, the ten first.
var actionNames = func() (names []string) {
	for _, p := range permissions.AllPermissions() {
		names = append(names, string(p))
	}
	return names
}()

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	g.words = alikeWords
	if g.chance(25) {
		g.words = strangeWords
	}
	return g
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// name picks a name of a list, and often one of the first two.
func (g *generator) name(list []string) string {
	if g.chance(60) {
		list = list[:2]
	}
	return pick(g, list...)
}

// action picks an action. It is not one of the ten once in a while.
func (g *generator) action() string {
	switch {
	case g.chance(4):
		return pick(g, wrongActions...)
	case g.chance(6):
		return pick(g, extraNames...)
	}
	return pick(g, actionNames...)
}

// scope returns the text of a scope of a kind. It is wrong once in a while.
func (g *generator) scope(kind string) string {
	if g.chance(2) {
		return pick(g, wrongScopes...)
	}
	return g.pattern(kind)
}

// pattern returns the text of a scope of a kind.
func (g *generator) pattern(kind string) string {
	if kind == "integration" {
		return "integration:" + pick(g, "*", g.name(g.words.integrations))
	}
	switch g.IntN(3) {
	case 0:
		return kind + ":*"
	case 1:
		return kind + ":" + g.name(g.words.ids)
	default:
		return kind + ":ext:" + g.name(g.words.externalIDs)
	}
}

// spell writes a JSON string, at times with escapes where none is needed.
func (g *generator) spell(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	escapes := g.chance(10)
	for _, r := range s {
		switch {
		case escapes && g.chance(30) && r < 0x10000:
			fmt.Fprintf(&b, pick(g, `\u%04x`, `\u%04X`), r)
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

// grant writes the value of a rule.
func (g *generator) grant() string {
	switch n := g.IntN(100); {
	case n < 34:
		return "true"
	case n < 56:
		return "false"
	case n < 58:
		return pick(g, wrongGrants...)
	}
	var list []string
	for range g.IntN(5) {
		list = append(list, g.spell(pick(g, actionNames...)))
	}
	if g.chance(2) {
		list = append(list, g.spell(pick(g, wrongPermissions...)))
	}
	return "[" + strings.Join(list, g.space()+",") + "]"
}

func (g *generator) space() string {
	if g.chance(95) {
		return ""
	}
	return pick(g, " ", "\n", "\t \r")
}

// claim writes a claim.
func (g *generator) claim() string {
	text := g.scopes([]string{"integration", "credential", "configuration"}, 1+g.IntN(6))
	if g.chance(4) {
		at := g.IntN(len(text))
		inserted := pick(g, "\"", "{", "}", ",", ":", "\x00", "\xff", "]", "\\", "\ufeff")
		text = pick(g, text[:at], text[:at]+text[at+1:], text[:at]+inserted+text[at:], text+pick(g, "x", "{}", ",", "\x00"))
	}
	return text
}

// scopes writes a map of n scopes of some of the kinds.
func (g *generator) scopes(kinds []string, n int) string {
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

// paths writes a claim of random paths, each of them flat or nested: a level that is * may be left out
// (SPEC 2.7). So one path is at times in the claim twice, in two forms.
func (g *generator) paths() string {
	top := make(claimTree)
	for range 1 + g.IntN(8) {
		path := []string{g.pattern("integration"), g.pattern("credential"), g.pattern("configuration")}
		depth := 1 + g.IntN(3)
		var written []string
		for i, scope := range path[:depth] {
			if last := i == depth-1; last || !strings.HasSuffix(scope, ":*") || g.chance(40) {
				written = append(written, scope)
			}
		}
		top.put(written, g.grant())
	}
	return top.write(g)
}

// A claimTree is a map of a claim while it is made. A value is a string, which is the text of a grant,
// or another claimTree.
type claimTree map[string]any

// put puts a grant at a path, unless there is something else.
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

func (m claimTree) write(g *generator) string {
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

// hostileClaim writes a claim as an attacker might, but no issuer would.
func (g *generator) hostileClaim() string {
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
	kind := pick(g, "integration", "credential", "configuration")
	many := func(unit, end string) string { return strings.Repeat(unit, 1+g.IntN(300)) + end }
	switch g.IntN(16) {
	case 0: // truncated
		return text[:at]
	case 1: // a byte is another
		b := []byte(text + " ")
		b[g.IntN(len(b))] = byte(g.IntN(256))
		return string(b)
	case 2: // one key in two spellings
		key := g.scope(kind)
		return "{" + g.escaped(key) + ":" + pick(g, "true", "[]", "{}") + "," + g.escaped(key) + ":" + pick(g, "false",
			"[]", "{}") + "}"
	case 3: // the same, further apart
		key := g.scope(kind)
		return strings.TrimSuffix(inside(g.escaped(key), g.grant()), "}") + "," + g.escaped(key) + ":" + g.grant() + "}"
	case 4: // surrogates
		return inside(`"`+pick(g, "credential:ext:", "integration:", "configuration:ext:", "")+pick(g, `\ud800`, `\udc00`,
			`\udc00\ud800`,
			`\ud83d\ude00`, `\ud800\u0041`, `\ud800x`, `\ud800\ud800\udc00`, `\ufffd`, `\uD83D\uDE0`, `\ud83d\`, `\ufeffx`,
			`x\u0000`)+`"`, g.grant())
	case 5: // numbers
		return inside(`"credential:*"`, pick(g, "", "[")+pick(g, "-", "")+pick(g, "0", "00", "9", many("9", ""), "1.5",
			"1.", "1.e1", many("0", "")+".5")+
			pick(g, "", "e5", "E+5", "e-", "e999999", "x")+pick(g, "", "]"))
	case 6: // deep
		return inside(`"`+pick(g, "integration:*", "credential:*", "configuration:*")+`"`, many(pick(g, "[", `{"a":`,
			`{"credential:*":`, `[{"a":[`), "1"))
	case 7: // deep, and closed
		n := 1 + g.IntN(300)
		return inside(`"integration:deep"`, strings.Repeat("[", n)+strings.Repeat("]", n))
	case 8: // deep in scopes that might be
		return inside(`"integration:deep"`, `{"credential:*":{"configuration:*":`+pick(g, "{}", "{", "[]", "[[",
			`{"configuration:*":true}`)+"}}")
	case 9: // long
		return inside(`"credential:ext:long"`, "["+many(`"events",`, pick(g, `"events"]`, "]", `1]`, `"nope"]`)))
	case 10: // many names
		var b strings.Builder
		for i := range g.IntN(300) {
			fmt.Fprintf(&b, `"credential:ext:c%d":%s,`, i%pick(g, 1000, 250), pick(g, "true", "[]", "{}"))
		}
		return strings.TrimSuffix(inside(`"integration:many"`, "{"+strings.TrimSuffix(b.String(), ",")+"}"), pick(g, "",
			"}"))
	case 11: // bytes that are not JSON
		inserted := pick(g, "\x00", "\ufeff", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\x7f", "\u2028", "\x1f", "\v", "/**/",
			"\\")
		return text[:at] + inserted + text[at:]
	case 12: // around it
		return pick(g, "\ufeff", " \n\t\r", "\x00", "\v", "//\n", "[", "") + text + pick(g, "\x00", " ", "\n", "}", "]",
			text, ",", "\ufeff", "#")
	case 13: // something else
		return pick(g, "", " ", "null", "true", "[]", "0", `"x"`, `""`, "{}", `{"":true}`, "{,}", `{"a"}`, "{1:true}",
			"{null:1}", `"`,
			`{"integration:*":true,}`)
	case 14: // a string that holds it
		quoted, err := json.Marshal(text)
		if err != nil {
			panic(err)
		}
		whole := string(quoted)
		return pick(g, whole, g.escaped(text), " "+whole+pick(g, " ", "x", "{}"), whole[:g.IntN(len(whole)+1)], `"\"{}\""`)
	default: // a string in a string, and escapes of every sort
		return pick(g, g.escaped(g.escaped("{}")), inside(`"credential:ext:\/\b\f\n\r\t\"\\x"`, "true"),
			inside(g.escaped("credential:ext:"+text), "true"),
			inside(`"credential:ext:\u00e9\u0301"`, g.grant()), inside(`"integration:\x"`, "true"),
			inside(`"credential:ext:a\/b~c\u002f"`, "nope"),
			inside(`"credential:ext:\"\\\\x"`, `["x\u0041", "\u0065vents"]`), inside(`"integration:*"`, `["events\"]`))
	}
}

// escaped writes a JSON string with most of its characters as escapes.
func (g *generator) escaped(s string) string {
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

// target returns a target. It is invalid once in a while.
func (g *generator) target() reference.Target {
	var t reference.Target
	depth := pick(g, 0, 1, 1, 2, 2, 2, 3, 3, 3, 3)
	if depth > 0 {
		name := g.name(append(slices.Clone(g.words.integrations), "jira"))
		if g.chance(1) {
			name = pick(g, wrongNames...)
		}
		t.Integration = &name
	}
	if depth > 1 {
		t.Credential = g.level()
	}
	if depth > 2 {
		t.Configuration = g.level()
	}
	if g.chance(2) { // a level that is not in the level above
		switch g.IntN(3) {
		case 0:
			t.Integration = nil
		case 1:
			t.Credential = nil
		default:
			t.Integration, t.Credential, t.Configuration = nil, nil, g.level()
		}
	}
	return t
}

// level returns what is known of a credential or a configuration.
func (g *generator) level() *reference.Level {
	identifier := func(names []string, unnamed string, wrong []string) reference.Identifier {
		switch n := g.IntN(100); {
		case n < 30:
			return reference.Identifier{}
		case n < 50:
			return reference.Identifier{State: reference.Absent}
		case n < 51:
			return reference.Identifier{State: reference.Known, Value: pick(g, wrong...)}
		case n < 60:
			return reference.Identifier{State: reference.Known, Value: unnamed}
		}
		return reference.Identifier{State: reference.Known, Value: g.name(names)}
	}
	return &reference.Level{
		ID:         identifier(g.words.ids, "ffffffff-ffff-ffff-ffff-ffffffffffff", wrongIDs),
		ExternalID: identifier(g.words.externalIDs, "unnamed", wrongExternalIDs),
	}
}

// construct makes a target of the library with constructors that it picks at random.
func (g *generator) construct(t reference.Target) permissions.Target {
	target := permissions.User()
	if t.Integration != nil {
		target = permissions.Integration(*t.Integration)
	}
	if t.Credential != nil {
		target = target.Credential(g.identifiers(*t.Credential)...)
	}
	if t.Configuration != nil {
		target = target.Configuration(g.identifiers(*t.Configuration)...)
	}
	return target
}

func (g *generator) identifiers(l reference.Level) (list []permissions.Identifier) {
	id, externalID := l.ID.Value, l.ExternalID.Value
	bytes, isUUID := uuidBytes(id)
	switch {
	case l.ID.State == reference.Absent:
		list = append(list, permissions.NoID())
	case l.ID.State == reference.Known && isUUID:
		list = append(list, pick(g, permissions.ID(id), permissions.Reference(id), permissions.UUID(bytes)))
	case l.ID.State == reference.Known:
		list = append(list, permissions.ID(id))
	}
	switch l.ExternalID.State {
	case reference.Absent:
		list = append(list, pick(g, permissions.NoExternalID(), permissions.ExternalIDPtr(nil),
			permissions.ExternalIDOrNone("x", false)))
	case reference.Known:
		list = append(list, pick(g, permissions.ExternalID(externalID), permissions.ExternalIDPtr(&externalID),
			permissions.ExternalIDOrNone(externalID, true), permissions.Reference("ext:"+externalID)))
	}
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// uuidBytes returns the bytes of a UUID in its usual spelling.
func uuidBytes(s string) (bytes [16]byte, ok bool) {
	if len(s) != 36 {
		return bytes, false
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	for i := range bytes {
		b, err := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		if err != nil {
			return bytes, false
		}
		bytes[i] = byte(b)
	}
	return bytes, true
}

// differentialRange returns how many questions to ask, and the seed to begin with: those of
// CONNECTPERMS_PAIRS and CONNECTPERMS_SEED in the environment.
func differentialRange(t *testing.T) (pairs int, seed uint64) {
	t.Helper()
	pairs = 30_000
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

// nameSeed logs the seed with which a test failed.
func nameSeed(t *testing.T, seed *uint64) {
	t.Helper()
	if t.Failed() {
		t.Logf("CONNECTPERMS_SEED=%d", *seed)
	}
}

// A tally counts what a generator has made, by its sort.
type tally map[string]int

// requireEach requires that the generator made at least a number of each sort. A test that makes none of
// a sort says nothing about it. It requires nothing if the number is below five, because chance can miss
// that. The number is so small only if CONNECTPERMS_PAIRS is.
func (c tally) requireEach(t *testing.T, least int, sorts ...string) {
	t.Helper()
	if least < 5 {
		return
	}
	for _, sort := range sorts {
		require.GreaterOrEqual(t, c[sort], least, "the generator makes too few of %s: %v", sort, c)
	}
}

var (
	rulingReasons = []string{"granted", "not_granted", "no_rule", "undetermined"}
	allMistakes   = []string{"syntax", "type", "scope", "nesting", "duplicate", "permission"}
)

// TestDifferential asks the library and the reference random questions about random claims, with every
// combination of options.
func TestDifferential(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	const questions = 12
	claims, reasons := make(tally), make(tally)
	defer nameSeed(t, &seed)
	for ; claims["accepted"]*questions < pairs; seed++ {
		g := newGenerator(seed)
		claim := pick(g, g.claim, g.paths)()
		o := &optionSets[0]
		if g.chance(30) {
			o = &optionSets[g.IntN(len(optionSets))]
		}
		if g.chance(20) {
			fromValueBoth(t, g, claim, o)
		}
		b := parseBoth(t, claim, o)
		if b == nil {
			_, mistake := reference.Parse([]byte(claim), o.reference)
			claims[mistake.Kind]++
			continue
		}
		claims["accepted"]++
		for i := range questions {
			asked := g.target()
			target := g.construct(asked)
			requireTarget(t, target, asked)
			reasons[b.ask(t, g.action(), asked, target, i%4 == 0).Reason.String()]++
		}
		b.requireRoundTrip(t, o)
	}
	claims.requireEach(t, pairs/questions/200, allMistakes...)
	reasons.requireEach(t, pairs/100, append(rulingReasons, "invalid_question")...)
	t.Logf("claims %v, answers %v; next seed %d", claims, reasons, seed)
}

// TestDifferentialUnrestricted asks the library and the reference about a token without the claim.
func TestDifferentialUnrestricted(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	reasons := make(tally)
	defer nameSeed(t, &seed)
	for range pairs / 20 {
		g := newGenerator(seed)
		o := pick(g, optionSets...)
		b := &bothPolicies{"(none)", permissions.Unrestricted(o.options...), reference.Unrestricted(o.reference.Extra...)}
		asked := g.target()
		reasons[b.ask(t, g.action(), asked, g.construct(asked), true).Reason.String()]++
		seed++
	}
	reasons.requireEach(t, pairs/20/20, "no_claim", "invalid_question")
}

// alike returns names of one length that differ in letter case and in a few bytes.
func (g *generator) alike() []string {
	name := []byte(pick(g, "x", "abc", "customer", "Customer-4711", "dfa85f64-5717-4562-b3fc-2c963f66afad",
		strings.Repeat("customer ", 8)+"4711"))
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

// alikeIDs returns UUIDs that differ in letter case and in a few digits.
func (g *generator) alikeIDs() []string {
	ids := []string{idA}
	for range pick(g, 0, 1, 5, 15) {
		other := []byte(pick(g, idA, idUpper))
		if g.chance(80) {
			other[pick(g, 0, 7, 12, 20, 35)] = "0123456789abcdefABCDEF"[g.IntN(22)]
		}
		ids = append(ids, string(other))
	}
	return ids
}

// TestDifferentialAlike asks the library and the reference about claims of many rules whose names are alike.
func TestDifferentialAlike(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	const questions = 20
	accepted, reasons := 0, make(tally)
	defer nameSeed(t, &seed)
	for ; accepted*questions < pairs/4; seed++ {
		g := newGenerator(seed)
		integrations := g.alike()
		credentials, configurations := &wordlist{ids: g.alikeIDs(), externalIDs: g.alike()}, &wordlist{ids: g.alikeIDs(),
			externalIDs: g.alike()}
		scope := func(kind string, words *wordlist) string {
			return kind + ":" + pick(g, pick(g, words.ids...), "ext:"+pick(g, words.externalIDs...))
		}
		top := make(claimTree)
		shallow, deep := pick(g, 0, 0, 40), pick(g, 0, 40)
		for range 1 + g.IntN(40) {
			path := []string{
				"integration:" + pick(g, integrations...), scope("credential", credentials), scope("configuration",
					configurations),
			}
			if !g.chance(deep) {
				path = path[:2]
			}
			if g.chance(shallow) {
				path = path[1:]
			}
			top.put(path, g.grant())
		}
		b := parseBoth(t, top.write(g), &optionSets[0])
		if b == nil {
			continue
		}
		accepted++
		level := func(words *wordlist) *reference.Level {
			identifier := func(names []string) reference.Identifier {
				value := pick(g, names[0], pick(g, names...))
				return pick(g, reference.Identifier{}, reference.Identifier{State: reference.Absent},
					reference.Identifier{State: reference.Known, Value: value}, reference.Identifier{State: reference.Known,
						Value: value})
			}
			return &reference.Level{ID: identifier(words.ids), ExternalID: identifier(words.externalIDs)}
		}
		for range questions {
			integration := pick(g, integrations...)
			asked := reference.Target{Integration: &integration}
			if g.chance(90) {
				asked.Credential = level(credentials)
				if g.chance(60) {
					asked.Configuration = level(configurations)
				}
			}
			reasons[b.ask(t, g.action(), asked, g.construct(asked), false).Reason.String()]++
		}
		b.requireRoundTrip(t, &optionSets[0])
	}
	reasons.requireEach(t, pairs/4/1000, rulingReasons...)
	t.Logf("%d claims, answers %v; next seed %d", accepted, reasons, seed)
}

// TestDifferentialHostile asks the library and the reference about hostile JSON, with every combination of options.
func TestDifferentialHostile(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	claims := make(tally)
	defer nameSeed(t, &seed)
	for range pairs / 4 {
		g := newGenerator(seed)
		claim := g.hostileClaim()
		o := &optionSets[g.IntN(len(optionSets))]
		fromValueBoth(t, g, claim, o)
		if b := parseBoth(t, claim, o); b != nil {
			claims["accepted"]++
			asked := g.target()
			b.ask(t, g.action(), asked, g.construct(asked), true)
			b.requireRoundTrip(t, o)
		} else {
			_, mistake := reference.Parse([]byte(claim), o.reference)
			claims[mistake.Kind]++
		}
		seed++
	}
	claims.requireEach(t, pairs/4/500, append(allMistakes, "accepted")...)
	t.Logf("hostile claims: %v; next seed %d", claims, seed)
}

// targetJSON writes the JSON of a target, which is wrong once in a while.
func (g *generator) targetJSON() string {
	value := func(s string) string {
		if g.chance(2) {
			return pick(g, "null", "true", "0", "{}", "[]", `"`, `"\ud800"`, "[null]", `""`)
		}
		return g.spell(s)
	}
	object := func(members []string) string {
		if g.chance(2) {
			members = append(members, pick(g, `"id":null`, `"externalId":null`, `"integration":"slack"`, `"credential":{}`,
				`"extra":1`, `"ID":null`,
				`"externalID":null`, `"Integration":"slack"`, `"":""`))
		}
		g.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		return "{" + g.space() + strings.Join(members, g.space()+","+g.space()) + g.space() + "}"
	}
	member := func(name, value string) string {
		if g.chance(1) {
			name = pick(g, strings.ToUpper(name), name+" ", strings.ToUpper(name[:1])+name[1:])
		}
		return g.spell(name) + g.space() + ":" + g.space() + value
	}
	level := func(l *reference.Level) string {
		var members []string
		for name, identifier := range map[string]reference.Identifier{"id": l.ID, "externalId": l.ExternalID} {
			switch identifier.State {
			case reference.Known:
				members = append(members, member(name, value(identifier.Value)))
			case reference.Absent:
				members = append(members, member(name, "null"))
			}
		}
		slices.Sort(members)
		return object(members)
	}
	target, members := g.target(), []string(nil)
	if target.Integration != nil {
		members = append(members, member("integration", value(*target.Integration)))
	}
	if target.Credential != nil {
		members = append(members, member("credential", level(target.Credential)))
	}
	if target.Configuration != nil {
		members = append(members, member("configuration", level(target.Configuration)))
	}
	text := object(members)
	if g.chance(5) {
		at := g.IntN(len(text))
		inserted := pick(g, "\"", "{", "}", ",", ":", "\x00", "\xff", "]", "\\", "\ufeff", "1")
		text = pick(g, text[:at], text[:at]+text[at+1:], text[:at]+inserted+text[at:], text+pick(g, "x", "{}", ",",
			"\x00", " "), " "+text)
	}
	return text
}

// TestDifferentialTargetJSON has both read and write targets in JSON (SPEC 3.6).
func TestDifferentialTargetJSON(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	texts := make(tally)
	defer nameSeed(t, &seed)
	for range pairs / 4 {
		g := newGenerator(seed)
		if unmarshalTargetBoth(t, g.targetJSON()) {
			texts["accepted"]++
		} else {
			texts["refused"]++
		}
		seed++
	}
	texts.requireEach(t, pairs/4/10, "accepted", "refused")
	t.Logf("targets in JSON: %v; next seed %d", texts, seed)
}

// TestDifferentialReference has both read references (SPEC 3.5).
func TestDifferentialReference(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	kinds := make(tally)
	defer nameSeed(t, &seed)
	for range pairs / 10 {
		g := newGenerator(seed)
		ref := pick(g, g.name(g.words.ids), g.name(g.words.externalIDs), pick(g, wrongIDs...), pick(g, wrongExternalIDs...))
		ref = pick(g, "", "", "ext:", "ext:ext:", "Ext:", "EXT:", " ") + ref
		if g.chance(10) {
			ref = strings.ReplaceAll(ref, "-", "")
		}
		want, ok := reference.Reference(ref)
		switch {
		case !ok:
			kinds["invalid"]++
			want.ID = reference.Identifier{State: reference.Known, Value: "invalid"}
		case want.ID.State == reference.Known:
			kinds["id"]++
		default:
			kinds["external id"]++
		}
		slack := "slack"
		requireTarget(t, permissions.Integration(slack).Credential(permissions.Reference(ref)),
			reference.Target{Integration: &slack, Credential: &want})
		requireTarget(t, permissions.Integration(slack).Credential().Configuration(permissions.Reference(ref)),
			reference.Target{Integration: &slack, Credential: &reference.Level{}, Configuration: &want})
		seed++
	}
	kinds.requireEach(t, pairs/10/40, "id", "external id", "invalid")
}

// fewWords are so few that a test can try everything that they name.
var fewWords = &wordlist{
	integrations: []string{"slack", "jira"},
	ids:          []string{idA, idB},
	externalIDs:  []string{"a", "b"},
}

// part returns a policy to intersect. A nil policy is nil for both.
func (g *generator) part(t *testing.T) *bothPolicies {
	o := &optionSets[0]
	if g.chance(30) {
		some := pick(g, "custom:read", "xA")
		o = &optionSet{[]permissions.Option{permissions.WithPermissions(permissions.Permission(some))},
			reference.Options{Extra: []string{some}}}
	}
	switch {
	case g.chance(2):
		return &bothPolicies{claim: "(nil)"}
	case g.chance(6):
		return &bothPolicies{"(none)", permissions.Unrestricted(o.options...), reference.Unrestricted(o.reference.Extra...)}
	}
	for {
		if b := parseBoth(t, pick(g, g.denseClaim, g.denseClaim, g.deepClaim, g.paths)(), o); b != nil {
			return b
		}
	}
}

// denseClaim writes a claim of many rules about few names, so that rules meet at both identifiers of a
// level and at two levels.
func (g *generator) denseClaim() string {
	top := make(claimTree)
	for range 1 + g.IntN(16) {
		path := []string{g.pattern("integration"), g.pattern("credential"), g.pattern("configuration")}
		grant := pick(g, "true", "false", `["config:write","credential:write"]`, `["proxy-api"]`, `["settings:write"]`)
		top.put(path[:1+g.IntN(3)], grant)
	}
	return top.write(g)
}

// deepClaim writes a claim that allows all, with exceptions for configurations of credentials.
func (g *generator) deepClaim() string {
	top := make(claimTree)
	top.put([]string{"integration:*"}, "true")
	for range 2 + g.IntN(24) {
		credential := pick(g, "credential:", "credential:ext:")
		configuration := pick(g, "configuration:", "configuration:ext:", "configuration:ext:")
		top.put([]string{
			pick(g, "integration:*", "integration:slack", "integration:slack"),
			credential + g.nameFor(credential), configuration + g.nameFor(configuration),
		}, pick(g, "true", "false"))
	}
	return top.write(g)
}

// nameFor picks a name that can follow the beginning of a scope.
func (g *generator) nameFor(prefix string) string {
	if strings.HasSuffix(prefix, ":ext:") {
		return pick(g, g.words.externalIDs...)
	}
	return pick(g, g.words.ids...)
}

// An intersection is several policies and what they allow together.
type intersection struct {
	all    permissions.Policy
	parts  []*bothPolicies // in the order of Policy.Parts; one alone if all is not an intersection
	extras []string        // those of every policy, in the order in which they are declared
}

// intersect intersects policies. By the documentation an unrestricted policy takes nothing away. It
// counts as a part only if it knows a permission that no restricting policy knows, or if it does not know
// one that another policy declares.
func intersect(t *testing.T, policies []*bothPolicies) *intersection {
	t.Helper()
	var list []*permissions.Policy
	for _, b := range policies {
		list = append(list, b.got)
	}
	all, err := permissions.Intersect(list...)
	require.NoError(t, err)
	i := &intersection{all: *all, extras: extrasOf(policies)}
	for _, b := range policies {
		if !b.want.IsUnrestricted() || len(b.extras()) < len(i.extras) {
			i.parts = append(i.parts, b)
		}
	}
	if len(i.parts) == 0 {
		i.parts = policies[:1]
	}
	if len(extrasOf(i.parts)) < len(i.extras) {
		i.parts = policies
	}
	if len(i.parts) > 1 {
		require.Len(t, all.Parts(), len(i.parts))
	} else {
		require.Nil(t, all.Parts())
	}
	return i
}

// extrasOf returns the permissions that some of the policies declare.
func extrasOf(policies []*bothPolicies) (extras []string) {
	for _, b := range policies {
		for _, extra := range b.extras() {
			if !slices.Contains(extras, extra) {
				extras = append(extras, extra)
			}
		}
	}
	return extras
}

// extras returns the permissions that a policy declares, of those that part declares.
func (b *bothPolicies) extras() (extras []string) {
	for _, name := range []string{"custom:read", "xA"} {
		if b.want != nil && b.want.ValidQuestion(name, reference.Target{}) {
			extras = append(extras, name)
		}
	}
	return extras
}

// requireDecision requires that the intersection answers as its first part that denies, or as its first
// part if all allow. It returns the decision.
func (i *intersection) requireDecision(
	t *testing.T, action string, asked reference.Target, target permissions.Target,
) permissions.Decision {
	t.Helper()
	d := i.all.Decide(permissions.Permission(action), target)
	require.Equal(t, d.Allowed, i.all.Allowed(permissions.Permission(action), target))
	require.Equal(t, d, i.all.Explain(permissions.Permission(action), target).Decision)
	about := fmt.Sprintf("%s on %v\n%v", action, target, i.claims())
	want := permissions.Decision{Reason: permissions.ReasonInvalidQuestion}
	if reference.Unrestricted(i.extras...).ValidQuestion(action, asked) {
		want = i.decide(t, action, asked, d, about)
	}
	require.Equal(t, want.Reason, d.Reason, about)
	require.Equal(t, want.Allowed, d.Allowed, about)
	require.Equal(t, want.Part, d.Part, about)
	return d
}

// decide returns what the answer to a valid question is, without its rule. Where it is the answer of a
// part, decide requires that d has the rule and the unknown identifiers of that part.
func (i *intersection) decide(
	t *testing.T, action string, asked reference.Target, d permissions.Decision, about string,
) (first permissions.Decision) {
	t.Helper()
	for n, b := range i.parts {
		var answer permissions.Decision
		switch {
		case b.want == nil:
			answer.Reason = permissions.ReasonNoPolicy
		case !b.want.ValidQuestion(action, asked):
			answer.Reason = permissions.ReasonNoRule // the part does not know the permission
		default:
			want := b.want.Decide(action, asked)
			answer.Reason, answer.Allowed = b.reason(want), want.Allowed
			if n+1 == max(1, d.Part) {
				part := d
				part.Part = 0
				require.Empty(t, b.differs(action, asked, part, want), about)
			}
		}
		if len(i.parts) > 1 {
			answer.Part = n + 1
		}
		if !answer.Allowed {
			return answer
		}
		if n == 0 {
			first = answer
		}
	}
	return first
}

func (i *intersection) claims() (claims []string) {
	for _, b := range i.parts {
		claims = append(claims, b.claim)
	}
	return claims
}

// allows reports whether all parts allow an action.
func (i *intersection) allows(action string, asked reference.Target) bool {
	return !slices.ContainsFunc(i.parts, func(b *bothPolicies) bool {
		return b.want == nil || !b.want.Decide(action,
			asked).Allowed
	})
}

// visible is SPEC 5.1 by brute force: it asks for every permission on the target and on everything below
// it that fewWords name. What is unknown counts as absent.
func (i *intersection) visible(t reference.Target) bool {
	for _, level := range []**reference.Level{&t.Credential, &t.Configuration} {
		if *level == nil {
			continue
		}
		closed := **level
		for _, identifier := range []*reference.Identifier{&closed.ID, &closed.ExternalID} {
			if identifier.State == reference.Unknown {
				identifier.State = reference.Absent
			}
		}
		*level = &closed
	}
	for _, action := range append(slices.Clone(actionNames), i.extras...) {
		if i.allows(action, t) {
			return true
		}
	}
	switch {
	case t.Integration == nil:
		for _, name := range append(slices.Clone(fewWords.integrations), "unnamed") {
			if i.visible(reference.Target{Integration: &name}) {
				return true
			}
		}
	case t.Configuration == nil:
		for _, id := range append(slices.Clone(fewWords.ids), "") {
			for _, externalID := range append(slices.Clone(fewWords.externalIDs), "") {
				below, level := t, &reference.Level{ID: absentOr(id), ExternalID: absentOr(externalID)}
				if t.Credential == nil {
					below.Credential = level
				} else {
					below.Configuration = level
				}
				if i.visible(below) {
					return true
				}
			}
		}
	}
	return false
}

// absentOr returns a known identifier, or the absent one for "".
func absentOr(value string) reference.Identifier {
	if value == "" {
		return reference.Identifier{State: reference.Absent}
	}
	return reference.Identifier{State: reference.Known, Value: value}
}

// TestDifferentialIntersection compares intersections with what all parts allow, and their Visible
// against brute force.
func TestDifferentialIntersection(t *testing.T) {
	t.Parallel()
	pairs, seed := differentialRange(t)
	reasons, visible := make(tally), make(tally)
	defer nameSeed(t, &seed)
	for range pairs / 60 {
		g := newGenerator(seed)
		g.words = fewWords
		var policies []*bothPolicies
		for range pick(g, 1, 2, 2, 2, 3) {
			policies = append(policies, g.part(t))
		}
		i := intersect(t, policies)
		for n := range 12 {
			asked := g.target()
			target := g.construct(asked)
			action := pick(g, g.action(), "custom:read", "config:write", "proxy-api")
			reasons[i.requireDecision(t, action, asked, target).Reason.String()]++
			if n > 1 {
				continue
			}
			var names []string
			for _, name := range append(slices.Clone(actionNames), i.extras...) {
				if i.allows(name, asked) {
					names = append(names, name)
				}
			}
			require.Equal(t, names, permissionNames(i.all.Permissions(target)), "%v\n%v", target, i.claims())
			want := reference.ValidTarget(asked) && i.visible(asked)
			require.Equal(t, want, i.all.Visible(target), "%v\n%v", target, i.claims())
			visible[fmt.Sprint(want, " of ", len(i.parts))]++
		}
		seed++
	}
	reasons.requireEach(t, pairs/60/10, append(rulingReasons, "invalid_question")...)
	reasons.requireEach(t, pairs/60/50, "no_policy", "no_claim")
	visible.requireEach(t, pairs/60/40, "true of 2", "false of 2", "true of 3", "false of 3")
	t.Logf("answers %v, visible %v; next seed %d", reasons, visible, seed)
}
