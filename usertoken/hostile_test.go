package usertoken_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/usertoken"
)

// A hostileShape is a way to fill a payload, so that a careless reader takes more than its share of time
// or memory.
type hostileShape struct {
	name  string
	text  func(size int) string
	error error // what it is refused with, nil if it is accepted
}

// fill repeats units between a beginning and an end up to a size, with commas between them.
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

func rule(format string) func(i int) string {
	return func(i int) string { return fmt.Sprintf(format, i) }
}

// allEscaped writes every character of an ASCII text as an escape.
func allEscaped(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return b.String()
}

var hostileShapes = []hostileShape{
	{"distinct names", func(n int) string { return fill(n, "{", rule(`"%d":0`), "}") }, nil},
	{"names as long as the claim's", func(n int) string {
		return fill(n, "{", rule(`"urn:useparagon:connect:abcdefghijk%d":0`), "}")
	}, nil},
	{"names that are nearly near misses", func(n int) string {
		return fill(n, "{", rule(`"%d:urn:useparagon:connxxx:permissions":0`), "}")
	}, nil},
	{"suspect names beside the claim", func(n int) string {
		return fill(n, `{`+claimMember+`{},`, rule(`"%d:paragonpermissions":0`), "}")
	}, nil},
	{"suspect names without the claim", func(n int) string {
		return fill(n, `{`, rule(`"%d:paragonpermissions":0`), "}")
	}, usertoken.ErrToken},
	{"objects that hold the claim", func(n int) string {
		return fill(n, `{`+claimMember+`{},`, rule(`"%d":{`+claimMember+`0}`), "}")
	}, nil},
	{"names of one length with a common beginning", func(n int) string {
		return fill(n, "{", rule(`"`+strings.Repeat("x", 4000)+`%09d":0`), "}")
	}, nil},
	{"a name repeated at the end of many", func(n int) string {
		return fill(n, `{"last":0,`, rule(`"%d":0`), `,"last":0}`)
	}, usertoken.ErrToken},
	{"all escapes in names", func(n int) string {
		return fill(n, "{", func(i int) string { return `"` + allEscaped(fmt.Sprint(i)) + `":0` }, "}")
	}, nil},
	{"one long name", func(n int) string { return repeat(n, `{"`, "x", `":0}`) }, nil},
	{"one long name without letters", func(n int) string { return repeat(n, `{"`, "1", `":0}`) }, nil},
	{"one long name of the letters of the claim's", func(n int) string {
		return repeat(n, `{"`, "urnuseparagonconnectpermission", `":0}`)
	}, usertoken.ErrToken},
	{"one long near miss", func(n int) string {
		return repeat(n, `{"`+permissions.ClaimName, "-", `":0}`)
	}, usertoken.ErrToken},
	{"one long object", func(n int) string { return fill(n, `{"x":{`, rule(`"%d":0`), "}}") }, nil},
	{"deep arrays", func(n int) string {
		return `{"x":` + strings.Repeat("[", n/2-5) + strings.Repeat("]", n/2-5) + "}"
	}, nil},
	{"deep objects", func(n int) string {
		return `{"x":` + strings.Repeat(`{"":`, n/5) + "0" + strings.Repeat("}", n/5) + "}"
	}, nil},
	{"deep arrays without an end", func(n int) string { return repeat(n, `{"x":`, "[", "") }, usertoken.ErrToken},
	{
		"deep arrays and objects in turn", func(n int) string { return repeat(n, `{"x":`, `[{"":`, "") },
		usertoken.ErrToken,
	},
	{"deep arrays as the claim", func(n int) string {
		return `{` + claimMember + strings.Repeat("[", n/2-22) + strings.Repeat("]", n/2-22) + "}"
	}, permissions.ErrType},
	{"many audiences", func(n int) string { return repeat(n, `{"aud":[`, `"a",`, `"a"]}`) }, nil},
	{"one long subject of escapes", func(n int) string { return repeat(n, `{"sub":"`, `\u0061`, `"}`) }, nil},
	{"a long exp", func(n int) string { return repeat(n, `{"exp":`, "9", "}") }, usertoken.ErrToken},
	{"a long fraction", func(n int) string { return repeat(n, `{"exp":1.`, "0", "1}") }, nil},
	{"a long exponent", func(n int) string { return repeat(n, `{"exp":1e`, "9", "}") }, usertoken.ErrToken},
	{"a long number", func(n int) string { return repeat(n, `{"x":-0.`, "9", "e-99999}") }, nil},
	{"one long string without an end", func(n int) string { return repeat(n, `{"x":"`, `\"`, "") }, usertoken.ErrToken},
	{"white space", func(n int) string { return repeat(n, `{`, " \t\r\n", `}`) }, nil},
	{"the claim", func(n int) string { return fill(n, `{`+claimMember+`{`, rule(`"integration:%d":true`), "}}") }, nil},
}

func readPayload(text string) error { return new(usertoken.Claims).UnmarshalJSON([]byte(text)) }

// requireResult requires that a shape is accepted or refused as it should be.
func (s hostileShape) requireResult(t testing.TB, err error) {
	t.Helper()
	if s.error == nil {
		require.NoError(t, err)
		return
	}
	require.ErrorIs(t, err, s.error)
	require.Less(t, len(err.Error()), 1000, "what it quotes is short")
}

// Memory grows in proportion to the text. What is allocated for each byte of text is bounded, and not more
// for a text four times as long.
func TestHostileMemory(t *testing.T) {
	for _, shape := range hostileShapes {
		t.Run(shape.name, func(t *testing.T) {
			var perByte [2]float64
			for i, size := range []int{256 << 10, 1 << 20} {
				text := shape.text(size)
				require.InEpsilon(t, size, len(text), 0.02)
				bytes := allocated(func() { shape.requireResult(t, readPayload(text)) })
				perByte[i] = float64(bytes) / float64(len(text))
			}
			most := 12.0
			if shape.name == "many audiences" { // each takes four bytes of text, and twenty of memory
				most = 36
			}
			require.Less(t, perByte[1], most, "bytes allocated for each byte of text")
			require.LessOrEqual(t, perByte[1], perByte[0]*1.5+0.5, "bytes allocated for each byte of text: %.2f", perByte)
		})
	}
}

// Work that grew with the square of the number of names would not come to an end.
func TestHostileNames(t *testing.T) {
	for _, shape := range hostileShapes {
		if strings.Contains(shape.name, "names") || strings.Contains(shape.name, "repeated") {
			t.Run(shape.name, func(t *testing.T) { shape.requireResult(t, readPayload(shape.text(4<<20))) })
		}
	}
}

// Decode is bounded too.
func TestHostileDecode(t *testing.T) {
	for _, shape := range hostileShapes {
		if shape.error != nil {
			continue
		}
		t.Run(shape.name, func(t *testing.T) {
			text := shape.text(256 << 10)
			claims := new(usertoken.Claims)
			require.NoError(t, claims.UnmarshalJSON([]byte(text)))
			bytes := allocated(func() {
				var own struct{ Tenant string }
				if err := claims.Decode(&own); err != nil {
					require.ErrorIs(t, err, usertoken.ErrToken)
				}
			})
			require.Less(t, bytes, uint64(40*len(text)))
		})
	}
}

// Every shape is read on a small stack. That takes a process of its own, because outgrowing the stack ends
// the process.
func TestHostileStack(t *testing.T) {
	const variable, stack = "CONNECTPERMS_SMALL_STACK", 64 << 10
	if os.Getenv(variable) != "" {
		debug.SetMaxStack(stack)
		for _, shape := range hostileShapes {
			text := shape.text(1 << 20)
			done := make(chan error)
			go func() { done <- readPayload(text) }()
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
	require.Equal(t, len(hostileShapes), strings.Count(out, "read "), out)

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

// BenchmarkHostile shows the time for each byte of each shape.
func BenchmarkHostile(b *testing.B) {
	for _, shape := range hostileShapes {
		for _, size := range []int{64 << 10, 4 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", shape.name, size>>10), func(b *testing.B) {
				text := shape.text(size)
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					_ = readPayload(text)
				}
			})
		}
	}
}
