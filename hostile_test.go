package permissions_test

import (
	"errors"
	"fmt"
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

// A hostileShape is a way to fill a claim, or the payload of a token, so that a careless
// reader takes more than its share of time or memory.
type hostileShape struct {
	name  string
	text  func(size int) string
	error error // that it is refused with, nil if it is accepted
}

// fill repeats units between a beginning and an end up to a size, with commas in between.
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

// allEscaped writes every character of an ASCII text as an escape.
func allEscaped(s string) string {
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

func rule(format string) func(i int) string {
	return func(i int) string { return fmt.Sprintf(format, i) }
}

var hostileClaims = []hostileShape{
	{"distinct credentials", func(n int) string { return fill(n, "{", rule(`"credential:%d":true`), "}") }, nil},
	{"distinct integrations", func(n int) string { return fill(n, "{", rule(`"integration:%d":[]`), "}") }, nil},
	{"distinct nested paths", func(n int) string {
		return fill(n, "{", rule(`"integration:%d":{"credential:x":{"configuration:ext:y":false}}`), "}")
	}, nil},
	{"one credential's configurations", func(n int) string {
		return fill(n, `{"integration:*":{"credential:x":{`, rule(`"configuration:%d":true`), "}}}")
	}, nil},
	{"long common prefix", func(n int) string {
		return fill(n, "{", rule(`"credential:`+strings.Repeat("a", 200)+`%d":true`), "}")
	}, nil},
	{"names alike but for a few bytes inside", func(n int) string {
		return fill(n, "{", rule(`"credential:`+strings.Repeat("a", 12)+`%08d`+strings.Repeat("a", 60)+`":true`), "}")
	}, nil},
	{"names alike in groups of four", func(n int) string {
		return fill(n, "{", func(i int) string {
			return fmt.Sprintf(`"credential:%08d%08d%s":true`, i/4, i%4, strings.Repeat("a", 48))
		}, "}")
	}, nil},
	{"names alike but for letter case", func(n int) string {
		return fill(n, "{", func(i int) string { return `"credential:ext:` + uuidSpelling(i) + `":true` }, "}")
	}, nil},
	{"names alike but for what is above", func(n int) string {
		return fill(n, "{", rule(`"integration:a%08da":{"credential:x":{"configuration:y":true}}`), "}")
	}, nil},
	{"long common suffix", func(n int) string {
		return fill(n, "{", rule(`"credential:%d`+strings.Repeat("a", 200)+`":true`), "}")
	}, nil},
	{"empty holders", func(n int) string { return fill(n, "{", rule(`"integration:%d":{}`), "}") }, nil},
	{"one UUID in many spellings, empty holders", func(n int) string {
		return fill(n, "{", func(i int) string { return `"credential:` + uuidSpelling(i) + `":{}` }, "}")
	}, nil},
	{"one UUID in many spellings, with rules", func(n int) string {
		return fill(n, "{", func(i int) string {
			return fmt.Sprintf(`"credential:%s":{"configuration:%d":true}`, uuidSpelling(i), i)
		}, "}")
	}, nil},
	{"one path in many spellings", func(n int) string {
		return fill(n, "{", func(i int) string {
			return fmt.Sprintf(`"credential:%s":{"configuration:x":true}`, uuidSpelling(i/2*2+1-i%2))
		}, "}")
	}, permissions.ErrDuplicate},
	{"a name repeated at the end", func(n int) string {
		return fill(n, `{"credential:last":true,`, rule(`"credential:%d":true`), `,"credential:last":true}`)
	}, permissions.ErrDuplicate},
	{"a name repeated at the end, escaped", func(n int) string {
		return fill(n, `{"credential:last":true,`, rule(`"credential:%d":true`), `,"`+allEscaped("credential:last")+`":true}`)
	}, permissions.ErrDuplicate},
	{"a holder repeated at the end", func(n int) string {
		return fill(n, `{"integration:last":{},`, rule(`"integration:%d":{}`), `,"integration:last":{}}`)
	}, permissions.ErrDuplicate},
	{"all escapes", func(n int) string {
		return fill(n, "{", func(i int) string { return `"` + allEscaped(fmt.Sprintf("credential:%d", i)) + `":true` }, "}")
	}, nil},
	{"all surrogate pairs", func(n int) string {
		return fill(n, "{", rule(`"credential:\ud83d\ude00\ud83d\ude00%d":true`), "}")
	}, nil},
	{"one long name", func(n int) string { return repeat(n, `{"credential:`, "a", `":true}`) }, nil},
	{"one long name of escapes", func(n int) string { return repeat(n, `{"credential:`, `\u0061`, `":true}`) }, nil},
	{"one long name of lone surrogates", func(n int) string { return repeat(n, `{"credential:`, `\ud800`, `":true}`) }, permissions.ErrScope},
	{"one long name of bad bytes", func(n int) string { return repeat(n, `{"credential:`, "\xff", `":true}`) }, permissions.ErrScope},
	{"one long kind", func(n int) string { return repeat(n, `{"`, "credential", `:x":true}`) }, permissions.ErrScope},
	{"one long permission", func(n int) string { return repeat(n, `{"credential:x":["`, "events", `"]}`) }, permissions.ErrPermission},
	{"one long array", func(n int) string { return repeat(n, `{"credential:x":[`, `"events",`, `"events"]}`) }, nil},
	{"one long array of escapes", func(n int) string {
		return repeat(n, `{"credential:x":[`, `"`+allEscaped("events")+`",`, `"events"]}`)
	}, nil},
	{"white space", func(n int) string { return repeat(n, `{`, " \t\r\n", `}`) }, nil},
	{"white space before every colon", func(n int) string { return fill(n, "{", rule(`"credential:%d" :true`), "}") }, nil},
	{"quotes and colons in one name", func(n int) string { return repeat(n, `{"credential:`, `\":`, `":true}`) }, nil},
	{"quotes in a string without an end", func(n int) string { return repeat(n, `{"credential:`, `\"`, ``) }, permissions.ErrSyntax},
	{"strings without a colon", func(n int) string { return repeat(n, `{"credential:x"`, ` "credential:x"`, ``) }, permissions.ErrSyntax},
	{"a long number", func(n int) string { return repeat(n, `{"credential:x":`, `9`, `}`) }, permissions.ErrType},
	{"deep arrays", func(n int) string { return repeat(n, `{"credential:x":`, `[`, ``) }, permissions.ErrType},
	{"deep maps", func(n int) string { return repeat(n, ``, `{"credential:x":`, ``) }, permissions.ErrNesting},
	{"deep maps of configurations", func(n int) string { return repeat(n, ``, `{"configuration:x":`, ``) }, permissions.ErrNesting},
	{"opening brackets", func(n int) string { return repeat(n, ``, `{`, ``) }, permissions.ErrSyntax},
	{"backslashes", func(n int) string { return repeat(n, `{"credential:`, `\\`, `":true}`) }, nil},
	{"slashes and tildes in a repeated name", func(n int) string {
		key := `"credential:` + strings.Repeat("~/", n/4) + `":true`
		return "{" + key + "," + key + "}"
	}, permissions.ErrDuplicate},
}

var hostilePayloads = []hostileShape{
	{"distinct names", func(n int) string { return fill(n, "{", rule(`"%d":0`), "}") }, nil},
	{"names nearly as long as the claim's", func(n int) string { return fill(n, "{", rule(`"urn:useparagon:connect:p%010d":0`), "}") }, nil},
	{"a name repeated at the end of many", func(n int) string { return fill(n, `{"last":0,`, rule(`"%d":0`), `,"last":0}`) }, permissions.ErrToken},
	{"all escapes in names", func(n int) string {
		return fill(n, "{", func(i int) string { return `"` + allEscaped(fmt.Sprint(i)) + `":0` }, "}")
	}, nil},
	{"one long name in the payload", func(n int) string { return repeat(n, `{"`, "x", `":0}`) }, nil},
	{"deep arrays in the payload", func(n int) string {
		return `{"x":` + strings.Repeat("[", n/2-5) + strings.Repeat("]", n/2-5) + "}"
	}, nil},
	{"deep objects in the payload", func(n int) string {
		return `{"x":` + strings.Repeat(`{"":`, n/5) + "0" + strings.Repeat("}", n/5) + "}"
	}, nil},
	{"deep arrays without an end", func(n int) string { return repeat(n, `{"x":`, "[", "") }, permissions.ErrToken},
	{"deep arrays and objects in turn", func(n int) string { return repeat(n, `{"x":`, `[{"":`, "") }, permissions.ErrToken},
	{"deep arrays as the claim", func(n int) string {
		return `{"` + permissions.ClaimName + `":` + strings.Repeat("[", n/2-22) + strings.Repeat("]", n/2-22) + "}"
	}, permissions.ErrType},
	{"many audiences", func(n int) string { return repeat(n, `{"aud":[`, `"a",`, `"a"]}`) }, nil},
	{"one long subject of escapes", func(n int) string { return repeat(n, `{"sub":"`, `\u0061`, `"}`) }, nil},
	{"a long number as exp", func(n int) string { return repeat(n, `{"exp":`, "9", "}") }, permissions.ErrToken},
	{"a long number", func(n int) string { return repeat(n, `{"x":-0.`, "9", "e-99999}") }, nil},
	{"one long string without an end", func(n int) string { return repeat(n, `{"x":"`, `\"`, "") }, permissions.ErrToken},
	{"the claim", func(n int) string {
		return fill(n, `{"`+permissions.ClaimName+`":{`, rule(`"credential:%d":true`), "}}")
	}, nil},
}

// eachHostile calls f for every shape with what reads it.
func eachHostile(f func(shape hostileShape, read func(text string) error)) {
	for _, shape := range hostileClaims {
		f(shape, func(text string) error {
			_, err := permissions.Parse([]byte(text))
			return err
		})
	}
	for _, shape := range hostilePayloads {
		shape.name = "payload: " + shape.name
		f(shape, func(text string) error { return new(permissions.Claims).UnmarshalJSON([]byte(text)) })
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
	if errors.As(err, &parse) {
		require.Less(t, len(parse.Found)+len(parse.Problem)+len(parse.Remedy), 1000, "what it quotes is short")
	} else {
		require.Less(t, len(err.Error()), 1000, "what it quotes is short")
	}
}

// allocated returns what a function allocates.
func allocated(f func()) (bytes, objects uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, after.Mallocs - before.Mallocs
}

// TestHostileMemory pins that memory grows in proportion to the text, for each shape: what
// is allocated per byte of text is bounded, and no more for a text four times as long.
func TestHostileMemory(t *testing.T) {
	eachHostile(func(shape hostileShape, read func(string) error) {
		t.Run(shape.name, func(t *testing.T) {
			var perByte [2]float64
			for i, size := range []int{256 << 10, 1 << 20} {
				text := shape.text(size)
				require.InEpsilon(t, size, len(text), 0.01)
				bytes, _ := allocated(func() { shape.requireResult(t, read(text)) })
				perByte[i] = float64(bytes) / float64(len(text))
			}
			most := 12.0
			switch shape.name {
			case "one long name of bad bytes": // each of which becomes three
				most = 80
			case "payload: many audiences": // each of which takes four bytes of text and sixteen of memory
				most = 30
			case "payload: names nearly as long as the claim's": // which are compared with it
				most = 30
			}
			require.Less(t, perByte[1], most, "bytes allocated for each byte of text")
			require.LessOrEqual(t, perByte[1], perByte[0]*1.5+0.5, "bytes allocated for each byte of text: %.2f", perByte)
		})
	})
}

// TestHostileNames refuses a name that is repeated behind a million others, and accepts
// names that are hard to tell apart. Work that grew with the square of their number would
// not come to an end.
func TestHostileNames(t *testing.T) {
	eachHostile(func(shape hostileShape, read func(string) error) {
		if strings.Contains(shape.name, "repeated") || strings.Contains(shape.name, "alike") {
			t.Run(shape.name, func(t *testing.T) {
				shape.requireResult(t, read(shape.text(16<<20)))
			})
		}
	})
}

// TestHostileStack reads every shape on a small stack, in a process of its own, because
// outgrowing it ends the process.
func TestHostileStack(t *testing.T) {
	const variable, stack = "CONNECTPERMS_SMALL_STACK", 64 << 10
	if os.Getenv(variable) != "" {
		debug.SetMaxStack(stack)
		eachHostile(func(shape hostileShape, read func(string) error) {
			text := shape.text(1 << 20)
			done := make(chan error)
			go func() { done <- read(text) }()
			if err := <-done; (err == nil) != (shape.error == nil) {
				panic(fmt.Sprintf("%s: %v", shape.name, err))
			}
			fmt.Println("read", shape.name)
		})
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
	require.Equal(t, len(hostileClaims)+len(hostilePayloads), strings.Count(out, "read "), out)

	out, err = run("grow")
	require.Error(t, err, "the limit is none")
	require.Contains(t, out, "stack exceeds")
}

// grow uses a stack in proportion to n.
func grow(n int) int {
	if n == 0 {
		return 0
	}
	return grow(n-1) + 1
}

// TestHostileQuestions asks the questions that take the longest of a policy with 200,000
// rules, all of which might turn a yes into a no. Work that grew with the square of their
// number would not come to an end.
func TestHostileQuestions(t *testing.T) {
	const size = 4 << 20
	all := permissions.MustParse(fill(size, `{"integration:*":true,`, rule(`"credential:%d":true`), "}"))
	target := permissions.Target{Integration: "slack", CredentialExternalID: "x"}
	require.True(t, all.Allowed(permissions.Events, target))

	// Every rule but the last grants; or each denies, but another overrides it.
	last := permissions.MustParse(fill(size, `{"integration:*":true,`, rule(`"credential:%d":true`), `,"credential:last":false}`))
	require.Equal(t, permissions.Undetermined, last.Decide(permissions.Events, target).Reason)
	overridden := permissions.MustParse(fill(size, `{"integration:*":true,`, rule(`"credential:%d":false`), ",") +
		fill(size+size/3, `"integration:slack":{`, rule(`"credential:%d":true`), "}}"))
	require.True(t, overridden.Allowed(permissions.Events, target))

	// Nothing is visible below, though every rule but one grants something elsewhere.
	elsewhere := permissions.MustParse(fill(size, `{"integration:*":false,`, rule(`"integration:%d":{"credential:x":true}`), "}"))
	require.False(t, elsewhere.Visible(permissions.Target{Integration: "slack"}))
	require.True(t, elsewhere.Visible(permissions.Target{}))
}

// BenchmarkHostile shows how processor time and memory grow from 1 to 16 MiB of each shape:
// slope is the exponent by which time grows with length, fitted to the best time of each
// size, and memslope that of memory. 1 is in proportion, 2 with the square.
func BenchmarkHostile(b *testing.B) {
	eachHostile(func(shape hostileShape, read func(string) error) {
		b.Run(shape.name, func(b *testing.B) { benchmarkGrowth(b, shape, read) })
	})
	// What outgrows the processor's caches takes longer for each byte, in a Go map too.
	b.Run("for comparison, a Go map of distinct credentials", func(b *testing.B) {
		benchmarkGrowth(b, hostileClaims[0], func(text string) error {
			m := make(map[string]bool)
			for key := range strings.SplitSeq(text, ",") {
				m[key] = true
			}
			return nil
		})
	})
}

func benchmarkGrowth(b *testing.B, shape hostileShape, read func(string) error) {
	sizes := []int{1 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20}
	texts := make([]string, len(sizes))
	best := make([]float64, len(sizes))
	memory := make([]float64, len(sizes))
	for i, size := range sizes {
		texts[i] = shape.text(size)
		best[i] = math.Inf(1)
		bytes, _ := allocated(func() { shape.requireResult(b, read(texts[i])) })
		memory[i] = float64(bytes)
	}
	for b.Loop() {
		for i, text := range texts {
			runtime.GC()
			begin := processorTime()
			err := read(text)
			best[i] = min(best[i], float64(processorTime()-begin))
			runtime.KeepAlive(err)
		}
	}
	last := len(sizes) - 1
	b.ReportMetric(slope(sizes, best), "slope")
	b.ReportMetric(slope(sizes, memory), "memslope")
	b.ReportMetric(best[last]/float64(len(texts[last])), "ns/byte")
	b.ReportMetric(memory[last]/float64(len(texts[last])), "B/byte")
	b.ReportMetric(0, "ns/op") // which is that of all sizes together
}

// slope returns the slope of the line that fits the logarithms best.
func slope(sizes []int, values []float64) float64 {
	var n, sx, sy, sxx, sxy float64
	for i := range sizes {
		x, y := math.Log(float64(sizes[i])), math.Log(values[i])
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	return (n*sxy - sx*sy) / (n*sxx - sx*sx)
}
