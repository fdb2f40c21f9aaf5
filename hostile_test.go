package permissions_test

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// A hostileShape is a way to fill a claim so that a careless reader takes more than its share of time or
// memory.
type hostileShape struct {
	name  string
	text  func(size int) string
	error error // that refuses the claim; nil if it is accepted

	options []permissions.Option

	// targets are what to ask an accepted claim. Nil asks about what hostileTargets has.
	targets func(size int) []permissions.Target
}

// fill repeats units between a beginning and an end, with commas between them, up to a size.
func fill(size int, begin string, unit func(i int) string, end string) string {
	var b strings.Builder
	b.Grow(size + 256)
	b.WriteString(begin)
	for i := 0; b.Len() < size-len(end); i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(unit(i))
	}
	b.WriteString(end)
	return b.String()
}

// repeat is fill without commas.
func repeat(size int, begin, unit, end string) string {
	return begin + strings.Repeat(unit, (size-len(begin)-len(end))/len(unit)) + end
}

// escapesOf writes every character of an ASCII text as an escape of JSON.
func escapesOf(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return b.String()
}

// uuidSpelling returns one of 2^20 spellings of one UUID.
func uuidSpelling(i int) string {
	spelling := []byte("abcdefab-cdef-abcd-efab-cdefabcdef12")
	for bit, at := 0, 0; bit < 20; at++ {
		if c := spelling[at]; c >= 'a' {
			if i>>bit&1 != 0 {
				spelling[at] = c - 'a' + 'A'
			}
			bit++
		}
	}
	return string(spelling)
}

// unit returns a function for fill that formats a number, as often as the format has %d or %x.
func unit(format string) func(i int) string {
	verbs := strings.Count(format, "%")
	return func(i int) string {
		args := make([]any, verbs)
		for j := range args {
			args[j] = i
		}
		return fmt.Sprintf(format, args...)
	}
}

// id is the format of a UUID for each number.
const id = "%08x-0000-4000-8000-000000000000"

// long returns a name of about a quarter of a size. Names of one size differ only in their ends.
func long(size int, end string) string { return strings.Repeat("long", size/16) + end }

// longTargets ask about names that are as long as those of a claim.
func longTargets(size int) []permissions.Target {
	var list []permissions.Target
	for _, name := range []string{long(size, "1"), long(size, "2"), long(size, "3"), strings.ToUpper(long(size, "1"))} {
		credential := permissions.ExternalID(name)
		list = append(list,
			permissions.Integration(name),
			permissions.Integration(name).Credential(permissions.ExternalID("7")),
			permissions.Integration(name).Credential(permissions.NoID()).Configuration(),
			slack.Credential(credential),
			slack.Credential(credential).Configuration(permissions.ExternalID("7")),
			slack.Credential(credential, permissions.ID(idA)).Configuration(permissions.ExternalID(name)))
	}
	return list
}

// hostileTargets are what is asked of most claims: what most shapes name, and what is unknown.
func hostileTargets(int) []permissions.Target {
	credential := permissions.ID("00000007-0000-4000-8000-000000000000")
	return []permissions.Target{
		permissions.User(), slack, slack.Credential(), slack.Credential().Configuration(),
		slack.Credential(credential), slack.Credential(permissions.ExternalID("7")),
		slack.Credential(permissions.NoExternalID()),
		slack.Credential(credential, permissions.NoExternalID()).Configuration(permissions.ExternalID("7")),
		slack.Credential(credential, permissions.ExternalID("7")).Configuration(permissions.NoID()),
	}
}

// longShapes have names that take much of the claim.
var longShapes = []hostileShape{
	{name: "one long integration above many credentials that are alike", targets: longTargets, text: func(n int) string {
		return fill(n, `{"integration:`+long(n, "1")+`":{`, unit(`"credential:ext:%08d":true`), "}}")
	}},
	{name: "one long integration above many configurations", targets: longTargets, text: func(n int) string {
		return fill(n, `{"integration:*":true,"integration:`+long(n, "1")+`":{"credential:ext:7":{`,
			unit(`"configuration:ext:%d":false`), "}}}")
	}},
	{name: "one long integration in escapes above many credentials", targets: longTargets, text: func(n int) string {
		return fill(n, `{"integration:`+escapesOf(long(n/6, "1"))+`":{`, unit(`"credential:ext:%d":true`), "}}")
	}},
	{name: "two long integrations that differ at the end, above many", targets: longTargets, text: func(n int) string {
		first := fill(n/2, `{"integration:`+long(n, "1")+`":{`, unit(`"credential:ext:%d":true`), "},")
		return fill(n, first+`"integration:`+long(n, "2")+`":{`, unit(`"credential:ext:%d":false`), "}}")
	}},
	{name: "two long integrations in falling order, above many", targets: longTargets, text: func(n int) string {
		first := fill(n/2, `{"integration:`+long(n, "2")+`":{`, unit(`"credential:ext:%d":true`), "},")
		return fill(n, first+`"integration:`+long(n, "1")+`":{`, unit(`"credential:ext:%d":false`), "}}")
	}},
	{name: "a long external ID above many configurations", targets: longTargets, text: func(n int) string {
		return fill(n, `{"integration:*":true,"credential:ext:`+long(n, "1")+`":{`, unit(`"configuration:ext:%d":false`),
			"}}")
	}},
	{name: "two long external IDs above the same configurations", targets: longTargets, text: func(n int) string {
		first := fill(n/2, `{"integration:*":true,"credential:ext:`+long(n, "1")+`":{`,
			unit(`"configuration:ext:%d":false`), "},")
		return fill(n, first+`"credential:ext:`+long(n, "2")+`":{`, unit(`"configuration:ext:%d":false`), "}}")
	}},
	{name: "a long external ID in each of many integrations", targets: longTargets, text: func(n int) string {
		side := int(math.Sqrt(float64(n)))
		name := strings.Repeat("a", side)
		return fill(n, "{", func(i int) string {
			return fmt.Sprintf(`"integration:%d":{"credential:ext:%s":false}`, i,
				name)
		}, "}")
	}},
	{name: "a long external ID under an ID that is spelled in many ways", targets: longTargets, text: func(n int) string {
		return fill(n, `{"credential:ext:`+long(n, "1")+`":{"configuration:*":true},`, func(i int) string {
			return fmt.Sprintf(`"credential:%s":{"configuration:ext:%d":false}`, uuidSpelling(i), i)
		}, "}")
	}},
	{name: "many letter cases of an external ID, in a long integration", targets: func(n int) []permissions.Target {
		inLong := permissions.Integration(long(n, "2"))
		return []permissions.Target{
			inLong.Credential(permissions.ExternalID(uuidSpelling(1<<20 - 1))),
			inLong.Credential(permissions.ID(uuidSpelling(0))),
		}
	}, text: func(n int) string {
		return fill(n, `{"integration:`+long(n, "1")+`":{`, func(i int) string {
			return `"credential:ext:` +
				uuidSpelling(i) + `":true`
		}, "}}")
	}},
	{name: "one long integration above empty maps", targets: longTargets, text: func(n int) string {
		return fill(n, `{"integration:`+long(n, "1")+`":{`, unit(`"credential:ext:%d":{}`), "}}")
	}},
	{name: "one long name", targets: longTargets, text: func(n int) string {
		return `{"integration:` + strings.Repeat(long(n, "1"), 3) + `":true,"credential:ext:` + long(n, "1") + `":false}`
	}},
}

// manyShapes have many rules that a question, a selection or a list must look at.
var manyShapes = []hostileShape{
	{name: "denials by an unknown external ID, all of them overridden", text: func(n int) string {
		return fill(n/2, `{"integration:*":true,`, unit(`"credential:ext:%d":false`), ",") +
			fill(n/2, `"integration:slack":{`, unit(`"credential:ext:%d":true`), "}}")
	}},
	{name: "denials by an unknown ID, all of them overridden", text: func(n int) string {
		return fill(n/2, `{"integration:*":true,`, unit(`"credential:`+id+`":false`), ",") +
			fill(n/2, `"integration:slack":{`, unit(`"credential:`+id+`":true`), "}}")
	}},
	{name: "one denial by an unknown external ID after many grants", text: func(n int) string {
		return fill(n, `{"integration:*":true,`, unit(`"credential:ext:%d":true`), `,"credential:ext:last":false}`)
	}},
	{name: "denials by two unknown identifiers, all of them overridden", text: func(n int) string {
		return fill(n/2, `{"integration:*":true,`, unit(`"credential:ext:%d":{"configuration:ext:%d":false}`), ",") +
			fill(n/2, `"integration:slack":{`, unit(`"credential:ext:%d":{"configuration:ext:%d":true}`), "}}")
	}},
	{name: "grants elsewhere", text: func(n int) string {
		return fill(n, `{"integration:*":false,`, unit(`"integration:%d":{"credential:ext:x":true}`), "}")
	}},
	{name: "grants below that are overridden", text: func(n int) string {
		return fill(n/2, `{`, unit(`"credential:ext:%d":{"configuration:ext:%d":true}`), ",") +
			fill(n/2, `"integration:slack":{"configuration:*":false,`,
				unit(`"credential:ext:%d":{"configuration:ext:%d":false}`), "}}")
	}},
	{name: "configurations by external ID in credentials by ID and by external ID", text: func(n int) string {
		return fill(n/2, `{"integration:*":true,`, unit(`"credential:`+id+`":{"configuration:ext:%d":false}`), ",") +
			fill(n/2, `"integration:slack":{`, unit(`"credential:ext:%d":{"configuration:ext:%d":true}`), "}}")
	}},
	{name: "many credentials of one new configuration", text: func(n int) string {
		return fill(n, `{"integration:*":true,`, unit(`"credential:ext:%d":{"configuration:ext:a":false}`), "}")
	}},
	{name: "credentials with a grant and with configurations", text: func(n int) string {
		return fill(n/2, `{`, unit(`"credential:ext:%d":true`), ",") +
			fill(n/2, `"integration:*":{`, unit(`"credential:ext:%d":{"configuration:ext:a":false}`), "}}")
	}},
	{name: "names of escapes", text: func(n int) string {
		return fill(n, `{"integration:*":true,`, func(i int) string {
			return `"credential:ext:` + escapesOf(fmt.Sprint(i)) + `":{"configuration:ext:` + escapesOf(fmt.Sprint(i)) +
				`":false}`
		}, "}")
	}},
	{name: "slashes and tildes", text: func(n int) string {
		return fill(n, `{"integration:*":true,`, unit(`"credential:ext:%d/~/~/~/~":false`), "}")
	}},
}

// parseShapes are about reading a claim only.
var parseShapes = []hostileShape{
	{name: "distinct credentials", text: func(n int) string {
		return fill(n, "{", unit(`"credential:ext:%d":true`),
			"}")
	}},
	{name: "distinct IDs", text: func(n int) string { return fill(n, "{", unit(`"credential:`+id+`":true`), "}") }},
	{name: "distinct integrations", text: func(n int) string { return fill(n, "{", unit(`"integration:%d":[]`), "}") }},
	{name: "distinct nested paths", text: func(n int) string {
		return fill(n, "{", unit(`"integration:%d":{"credential:ext:x":{"configuration:ext:y":false}}`), "}")
	}},
	{name: "one credential's configurations", text: func(n int) string {
		return fill(n, `{"integration:*":{"credential:ext:x":{`, unit(`"configuration:ext:%d":true`), "}}}")
	}},
	{name: "names with a long common beginning", text: func(n int) string {
		return fill(n, "{", unit(`"credential:ext:`+strings.Repeat("a", 200)+`%d":true`), "}")
	}},
	{name: "names alike but for a few bytes inside", text: func(n int) string {
		return fill(n, "{", unit(`"credential:ext:`+strings.Repeat("a", 12)+`%08d`+strings.Repeat("a", 60)+`":true`), "}")
	}},
	{name: "names alike but for letter case", text: func(n int) string {
		return fill(n, "{", func(i int) string { return `"credential:ext:` + uuidSpelling(i) + `":true` }, "}")
	}},
	{name: "names alike below names that differ", text: func(n int) string {
		return fill(n, "{", unit(`"integration:a%08da":{"credential:ext:x":{"configuration:ext:y":true}}`), "}")
	}},
	{name: "names with a long common end", text: func(n int) string {
		return fill(n, "{", unit(`"credential:ext:%d`+strings.Repeat("a", 200)+`":true`), "}")
	}},
	{name: "empty maps", text: func(n int) string { return fill(n, "{", unit(`"integration:%d":{}`), "}") }},
	{name: "one UUID in many spellings, with empty maps", text: func(n int) string {
		return fill(n, "{", func(i int) string { return `"credential:` + uuidSpelling(i) + `":{}` }, "}")
	}},
	{name: "one UUID in many spellings, with rules", text: func(n int) string {
		return fill(n, "{", func(i int) string {
			return fmt.Sprintf(`"credential:%s":{"configuration:ext:%d":true}`, uuidSpelling(i), i)
		}, "}")
	}},
	{name: "one path in many spellings", error: permissions.ErrDuplicate, text: func(n int) string {
		return fill(n, "{", func(i int) string {
			return fmt.Sprintf(`"credential:%s":{"configuration:ext:x":true}`, uuidSpelling(i/2*2+1-i%2))
		}, "}")
	}},
	{name: "a name repeated at the end", error: permissions.ErrDuplicate, text: func(n int) string {
		return fill(n, `{"credential:ext:last":true,`, unit(`"credential:ext:%d":true`), `,"credential:ext:last":true}`)
	}},
	{name: "a name repeated at the end, in escapes", error: permissions.ErrDuplicate, text: func(n int) string {
		return fill(n, `{"credential:ext:last":true,`, unit(`"credential:ext:%d":true`),
			`,"`+escapesOf("credential:ext:last")+`":true}`)
	}},
	{name: "a map repeated at the end", error: permissions.ErrDuplicate, text: func(n int) string {
		return fill(n, `{"integration:last":{},`, unit(`"integration:%d":{}`), `,"integration:last":{}}`)
	}},
	{name: "all escapes", text: func(n int) string {
		return fill(n, "{", func(i int) string { return `"` + escapesOf(fmt.Sprintf("credential:ext:%d", i)) + `":true` },
			"}")
	}},
	{name: "all surrogate pairs", text: func(n int) string {
		return fill(n, "{", unit(`"credential:ext:\ud83d\ude00\ud83d\ude00%d":true`), "}")
	}},
	{name: "one long name of escapes", text: func(n int) string {
		return repeat(n, `{"credential:ext:`, `\u0061`,
			`":true}`)
	}},
	{name: "one long name of lone surrogates", error: permissions.ErrScope, text: func(n int) string {
		return repeat(n, `{"credential:ext:`, `\ud800`, `":true}`)
	}},
	{name: "one long name of bad bytes", error: permissions.ErrScope, text: func(n int) string {
		return repeat(n, `{"credential:ext:`, "\xff", `":true}`)
	}},
	{name: "one long kind", error: permissions.ErrScope, text: func(n int) string {
		return repeat(n, `{"`,
			"credential", `:x":true}`)
	}},
	{name: "one long ID", error: permissions.ErrScope, text: func(n int) string {
		return repeat(n, `{"credential:`,
			"ab-", `":true}`)
	}},
	{name: "one long permission", error: permissions.ErrUnknownPermission, text: func(n int) string {
		return repeat(n, `{"credential:*":["`, "events", `"]}`)
	}},
	{name: "one long array", text: func(n int) string {
		return repeat(n, `{"credential:*":[`, `"events",`,
			`"events"]}`)
	}},
	{name: "one long array of escapes", text: func(n int) string {
		return repeat(n, `{"credential:*":[`, `"`+escapesOf("events")+`",`, `"events"]}`)
	}},
	{name: "one long array of ignored names", options: []permissions.Option{permissions.IgnoreUnknownPermissions()},
		text: func(n int) string {
			return repeat(n, `{"credential:*":[`, `"",`, `""]}`)
		}},
	{name: "a string that holds the claim", options: []permissions.Option{permissions.AcceptStringClaim()},
		text: func(n int) string {
			return fill(n, `"{`, unit(`\"credential:ext:%d\":true`), `}"`)
		}},
	{name: "a string of escapes that holds the claim", options: []permissions.Option{permissions.AcceptStringClaim()},
		text: func(n int) string {
			return fill(n, `"{`, func(i int) string { return escapesOf(fmt.Sprintf(`"credential:ext:%d":true`, i)) }, `}"`)
		}},
	{name: "white space", text: func(n int) string { return repeat(n, `{`, " \t\r\n", `}`) }},
	{name: "white space before every colon", text: func(n int) string {
		return fill(n, "{",
			unit(`"credential:ext:%d" :true`), "}")
	}},
	{name: "quotation marks and colons in one name", text: func(n int) string {
		return repeat(n, `{"credential:ext:`,
			`\":`, `":true}`)
	}},
	{name: "quotation marks in a string without an end", error: permissions.ErrSyntax, text: func(n int) string {
		return repeat(n, `{"credential:ext:`, `\"`, ``)
	}},
	{name: "strings without a colon", error: permissions.ErrSyntax, text: func(n int) string {
		return repeat(n, `{"credential:*"`, ` "credential:*"`, ``)
	}},
	{name: "a long number", error: permissions.ErrType, text: func(n int) string {
		return repeat(n, `{"credential:*":`,
			`9`, `}`)
	}},
	{name: "deep arrays", error: permissions.ErrType, text: func(n int) string {
		return repeat(n, `{"credential:*":`,
			`[`, ``)
	}},
	{name: "deep maps", error: permissions.ErrNesting, text: func(n int) string {
		return repeat(n, ``,
			`{"credential:*":`, ``)
	}},
	{name: "deep maps of configurations", error: permissions.ErrNesting, text: func(n int) string {
		return repeat(n, ``, `{"configuration:*":`, ``)
	}},
	{name: "opening brackets", error: permissions.ErrSyntax, text: func(n int) string { return repeat(n, ``, `{`, ``) }},
	{name: "backslashes", text: func(n int) string { return repeat(n, `{"credential:ext:`, `\\`, `":true}`) }},
	{name: "slashes and tildes in a repeated name", error: permissions.ErrDuplicate, text: func(n int) string {
		key := `"credential:ext:` + strings.Repeat("~/", n/4) + `":true`
		return "{" + key + "," + key + "}"
	}},
}

// hostileClaims yields all shapes.
func hostileClaims(yield func(hostileShape) bool) {
	for _, shapes := range [][]hostileShape{parseShapes, manyShapes, longShapes} {
		for _, shape := range shapes {
			if !yield(shape) {
				return
			}
		}
	}
}

// A hostileUse is something that a program does with a policy.
type hostileUse struct {
	name string
	do   func(p *permissions.Policy, targets []permissions.Target) (times int)
}

// hostileUses are all that the documentation says is in proportion to the claim.
var hostileUses = []hostileUse{
	{"Decide", func(p *permissions.Policy, targets []permissions.Target) int {
		for _, target := range targets {
			for _, action := range permissions.AllPermissions() {
				hostileSink = p.Decide(action, target)
			}
		}
		return 10 * len(targets)
	}},
	{"Check", func(p *permissions.Policy, targets []permissions.Target) int {
		for _, target := range targets {
			if err := p.Check(permissions.Workflows, target); err != nil {
				hostileSink = err.Error()
			}
		}
		return len(targets)
	}},
	{"Permissions", func(p *permissions.Policy, targets []permissions.Target) int {
		for _, target := range targets {
			hostileSink = p.Permissions(target)
		}
		return 10 * len(targets)
	}},
	{"Visible", func(p *permissions.Policy, targets []permissions.Target) int {
		targets = append(targets, permissions.User())
		for _, target := range targets {
			hostileSink = p.Visible(target)
		}
		return len(targets)
	}},
	{"Explain", func(p *permissions.Policy, targets []permissions.Target) int {
		times := 0
		for i, target := range targets {
			if i%3 == 0 {
				e := p.Explain([]permissions.Permission{permissions.Events, permissions.ConfigWrite}[times%2], target)
				hostileSink = e.String()
				hostileSink, _ = e.MarshalJSON()
				hostileSink = e.LogValue()
				times++
			}
		}
		return times
	}},
	{"SelectIntegrations", func(p *permissions.Policy, _ []permissions.Target) int {
		for _, action := range permissions.AllPermissions() {
			hostileSink = p.SelectIntegrations(action)
		}
		return 10
	}},
	{"SelectCredentials", func(p *permissions.Policy, targets []permissions.Target) int {
		for _, target := range targets[:2] {
			name, _ := target.Lookup(permissions.IntegrationName)
			for _, action := range permissions.AllPermissions() {
				hostileSink = p.SelectCredentials(action, permissions.Integration(name))
			}
		}
		return 20
	}},
	{"SelectConfigurations of a known credential", func(p *permissions.Policy, targets []permissions.Target) int {
		for _, target := range targets {
			if target.Level() == permissions.KindCredential && target.Unknown() == 0 {
				hostileSink = p.SelectConfigurations(permissions.Workflows, target)
			}
		}
		return len(targets)
	}},
	{"MarshalJSON", func(p *permissions.Policy, _ []permissions.Target) int {
		hostileSink, _ = p.MarshalJSON()
		return 1
	}},
	{"String", func(p *permissions.Policy, _ []permissions.Target) int {
		hostileSink = p.String()
		return 1
	}},
	{"Rules", func(p *permissions.Policy, _ []permissions.Target) int {
		for r := range p.Rules() {
			hostileSink = r.Grant()
			hostileSink = r.Path()
			hostileSink = r.Scope()
		}
		return 1
	}},
	{"Build", func(p *permissions.Policy, _ []permissions.Target) int {
		var b permissions.Builder
		for r := range p.Rules() {
			b.At(r.Path()...).Grant(r.Grant())
		}
		hostileSink, _ = b.Build()
		return 1
	}},
}

// hostileSink keeps the compiler from leaving out what nobody uses.
var hostileSink any

// uses yields the accepted shapes that have many rules or long names, with all that can be done with them.
func uses() iter.Seq2[hostileShape, hostileUse] {
	return func(yield func(hostileShape, hostileUse) bool) {
		for _, shapes := range [][]hostileShape{manyShapes, longShapes} {
			for _, shape := range shapes {
				if shape.targets == nil {
					shape.targets = hostileTargets
				}
				for _, use := range hostileUses {
					if !yield(shape, use) {
						return
					}
				}
			}
		}
	}
}

// requireResult requires that a shape is accepted or refused as it should be.
func (s hostileShape) requireResult(t testing.TB, err error) {
	t.Helper()
	if s.error == nil {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, s.error)
	var parse *permissions.ParseError
	require.ErrorAs(t, err, &parse)
	require.Less(t, len(parse.Found)+len(parse.Problem)+len(parse.Remedy), 1000, "what it quotes is short")
	require.Less(t, len(err.Error()), 2000, "what it quotes is short")
}

// read reads a claim.
func (s hostileShape) read(text string) error {
	_, err := permissions.Parse([]byte(text), s.options...)
	return err
}

// allocated returns how many bytes a function allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// TestHostileMemory requires that memory grows in proportion to the claim: what is allocated for each byte
// is below a line, and no more for a claim four times as long.
func TestHostileMemory(t *testing.T) {
	for shape := range hostileClaims {
		t.Run(shape.name, func(t *testing.T) {
			var perByte [2]float64
			for i, size := range []int{256 << 10, 1 << 20} {
				text := shape.text(size)
				require.InEpsilon(t, size, len(text), 0.01)
				perByte[i] = float64(allocated(func() { shape.requireResult(t, shape.read(text)) })) / float64(len(text))
			}
			most := 12.0
			switch shape.name {
			case "one long name of bad bytes": // each byte becomes three
				most = 40
			case "one long array of ignored names": // each name takes three bytes, and its place is kept
				most = 80
			}
			require.Less(t, perByte[1], most, "bytes allocated for each byte of the claim")
			require.LessOrEqual(t, perByte[1], perByte[0]*1.5+0.5, "bytes allocated for each byte of the claim: %.2f", perByte)
		})
	}
}

// TestHostileUseMemory requires the same of what is done with a policy.
func TestHostileUseMemory(t *testing.T) {
	for shape, use := range uses() {
		t.Run(use.name+", "+shape.name, func(t *testing.T) {
			var perByte [2]float64
			for i, size := range []int{32 << 10, 128 << 10} {
				p, targets := permissions.MustParse(shape.text(size)), shape.targets(size)
				perByte[i] = float64(allocated(func() { use.do(p, targets) })) / float64(size)
			}
			require.LessOrEqual(t, perByte[1], perByte[0]*1.5+2, "bytes allocated for each byte of the claim: %.2f", perByte)
		})
	}
}

// TestHostileNames reads names that are repeated after a million others, and names that are hard to tell
// apart. Work that grew with the square of their number would not come to an end.
func TestHostileNames(t *testing.T) {
	for shape := range hostileClaims {
		if strings.Contains(shape.name, "repeated") || strings.Contains(shape.name, "alike") {
			t.Run(shape.name, func(t *testing.T) {
				shape.requireResult(t, shape.read(shape.text(16<<20)))
			})
		}
	}
}

// TestHostileStack reads every shape on a small stack. It does so in a process of its own, because a stack
// that is too small ends the process.
func TestHostileStack(t *testing.T) {
	const variable, stack = "CONNECTPERMS_SMALL_STACK", 64 << 10
	count := 0
	for range hostileClaims {
		count++
	}
	if os.Getenv(variable) != "" {
		debug.SetMaxStack(stack)
		for shape := range hostileClaims {
			text := shape.text(1 << 20)
			done := make(chan error)
			go func() { done <- shape.read(text) }()
			if err := <-done; !errors.Is(err, shape.error) {
				panic(fmt.Sprintf("%s: %v", shape.name, err))
			}
			fmt.Println("read", shape.name)
		}
		if os.Getenv(variable) == "grow" {
			fmt.Println(grow(1 << 20))
		}
		return
	}
	run := func(value string) (string, error) {
		cmd := exec.Command(os.Args[0], "-test.run=^TestHostileStack$", "-test.count=1")
		cmd.Env = append(os.Environ(), variable+"="+value, "GOCOVERDIR="+t.TempDir())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := run("read")
	require.NoError(t, err, out)
	require.Equal(t, count, strings.Count(out, "read "), out)

	out, err = run("grow")
	require.Error(t, err, "the limit has no effect")
	require.Contains(t, out, "stack exceeds")
}

// grow uses a stack in proportion to n.
func grow(n int) int {
	if n == 0 {
		return 0
	}
	return grow(n-1) + 1
}

// BenchmarkHostile shows how processor time and memory grow from 1 to 16 MiB of each shape. The metric
// slope is the exponent by which time grows with the length, fitted to the best time of each size, and
// memslope is that of memory. 1 is in proportion, 2 is with the square.
func BenchmarkHostile(b *testing.B) {
	sizes := []int{1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20}
	for shape := range hostileClaims {
		b.Run(shape.name, func(b *testing.B) {
			benchmarkGrowth(b, sizes, shape, func(text string) func() {
				return func() { shape.requireResult(b, shape.read(text)) }
			})
		})
	}
	// What outgrows the processor's caches takes longer for each byte, in a Go map too.
	b.Run("for comparison, a Go map of distinct credentials", func(b *testing.B) {
		benchmarkGrowth(b, sizes, parseShapes[0], func(text string) func() {
			return func() {
				m := make(map[string]bool)
				for key := range strings.SplitSeq(text, ",") {
					m[key] = true
				}
			}
		})
	})
}

// BenchmarkHostileUse shows the same of what is done with a policy of 128 KiB to 2 MiB.
func BenchmarkHostileUse(b *testing.B) {
	sizes := []int{128 << 10, 256 << 10, 512 << 10, 1 << 20, 2 << 20}
	for shape, use := range uses() {
		b.Run(use.name+", "+shape.name, func(b *testing.B) {
			benchmarkGrowth(b, sizes, shape, func(text string) func() {
				p, targets := permissions.MustParse(text), shape.targets(len(text))
				return func() { use.do(p, targets) }
			})
		})
	}
}

// benchmarkGrowth measures what prepare returns, for texts of a shape.
func benchmarkGrowth(b *testing.B, sizes []int, shape hostileShape, prepare func(text string) func()) {
	b.Helper()
	work := make([]func(), len(sizes))
	best := make([]float64, len(sizes))
	memory := make([]float64, len(sizes))
	for i, size := range sizes {
		work[i] = prepare(shape.text(size))
		best[i] = math.Inf(1)
		memory[i] = float64(allocated(work[i]))
	}
	for b.Loop() {
		for i := range sizes {
			runtime.GC()
			begin := processorTime()
			work[i]()
			best[i] = min(best[i], float64(processorTime()-begin))
		}
	}
	last := len(sizes) - 1
	b.ReportMetric(slope(sizes, best), "slope")
	b.ReportMetric(slope(sizes, memory), "memslope")
	b.ReportMetric(best[last]/float64(sizes[last]), "ns/byte")
	b.ReportMetric(memory[last]/float64(sizes[last]), "B/byte")
	b.ReportMetric(0, "ns/op") // it is that of all sizes together
}

// slope returns the slope of the line that fits the logarithms best. What is less than a microsecond or
// a byte counts as one.
func slope(sizes []int, values []float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for i := range sizes {
		x, y := math.Log(float64(sizes[i])), math.Log(max(1, values[i]))
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
