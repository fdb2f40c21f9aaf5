package engine_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/cmd/connectperms/explorer/engine"
)

// What is inserted into claims.
var pieces = []string{
	"{", "}", "[", "]", ",", ":", `"`, `\`, `\u0000`, `\ud800`, "é", "😀", "\xff", " ", "\r\n",
	"true", "false", "null", "1e9", `"events"`, `"fly"`, `"*"`, `"credential:*"`, `"integration:*":`,
	`"configuration:ext:a":`, `{"configuration:*": [true, {"a": []}]},`,
}

// change returns the text with a few random changes. Half of the time it changes only white space and names.
func change(r *rand.Rand, text string) string {
	if r.IntN(2) == 0 {
		for range 3 {
			after, inserts := "ion:", []string{"é", "😀", "a"} // in a name
			if r.IntN(3) > 0 {
				after, inserts = []string{"{", "[", ","}[r.IntN(3)], []string{" ", "\r\n", "\t \n"}
			}
			from := r.IntN(len(text) + 1)
			if _, rest, ok := strings.Cut(text[from:], after); ok {
				at := len(text) - len(rest)
				text = text[:at] + inserts[r.IntN(3)] + text[at:]
			}
		}
		return text
	}
	for range 1 + r.IntN(3) {
		from := r.IntN(len(text) + 1)
		to := min(len(text), from+r.IntN(4)*r.IntN(12))
		text = text[:from] + pieces[r.IntN(len(pieces))] + text[to:]
	}
	return text
}

// For any text, every call has an answer that is JSON. Mistakes have places in the text, and each fix
// makes its mistake go away.
func TestRandomTexts(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 7)) // always the same texts
	claims, mistakes, fixes := 0, 0, 0
	cases := slices.Concat(conformance(t, "decisions.json"), conformance(t, "errors.json"))
	for _, c := range append(cases, conformance(t, "random.json")...) {
		for range 20 {
			text := asJSON(t, change(r, c.Claim))
			var e engine.Engine
			var got struct {
				failure
				Handle string
			}
			require.NoError(t, json.Unmarshal(e.Call("parse", requestOf(t, object{"text": text})), &got), "%q", text)
			format := e.Call("format", requestOf(t, object{"text": text}))
			require.True(t, json.Valid(format), "%q", text)
			if got.Handle != "" {
				claims++
				review(t, &e, got.Handle, text)
				continue
			}
			require.NotEmpty(t, got.Error.Message)
			for i, m := range append([]mistake{got.Error}, got.Further...) {
				mistakes++
				require.LessOrEqual(t, 0, m.From)
				require.LessOrEqual(t, m.From, m.To)
				require.LessOrEqual(t, m.To, len(utf16.Encode([]rune(text))))
				if i > 0 {
					require.Greater(t, m.From, got.Error.From, "%q", text)
				}
				if m.Fix == nil || i > 0 {
					continue
				}
				fixes++
				fixed := m.Fix.Edit.apply(text)
				var next failure
				require.NoError(t, json.Unmarshal(e.Call("parse", requestOf(t, object{"text": fixed})), &next))
				require.True(t, next.Error.Code == "" || next.Error.Code != "syntax" && next.Error.From >= m.Fix.Edit.From,
					"%q fixed to %q: %s", text, fixed, next.Error.Message)
			}
		}
	}
	require.Greater(t, claims, 300)
	require.Greater(t, mistakes, 1000)
	require.Greater(t, fixes, 300)
}

func requestOf(t *testing.T, members object) string {
	t.Helper()
	text, err := json.Marshal(members)
	require.NoError(t, err)
	return string(text)
}

// review makes the other calls about a claim.
func review(t *testing.T, e *engine.Engine, handle, text string) {
	t.Helper()
	rows := allRows(t, e, handle)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		for _, c := range row.Claims {
			if c.Own != nil {
				require.Equal(t, text[c.Own.Place.Offset], byte('"'))
				require.True(t, row.Row == 0 || c.Own.Row == row.Row)
			}
		}
		for _, action := range []string{"events", "config:write"} {
			request := object{"claim": handle, "action": action, "target": row.Target}
			if answer := e.Call("explain", requestOf(t, request)); !strings.HasPrefix(string(answer), `{"error":`) {
				requireBriefly(t, e, request, call[explanation](t, e, "explain", request))
			} else {
				require.True(t, json.Valid(answer))
			}
		}
	}
	all := call[findings](t, e, "lint", object{"claim": handle})
	for _, f := range all.Findings {
		if f.Fix.HasEdit {
			fix := call[struct{ Edit edit }](t, e, "fix", object{"claim": handle, "finding": f.Index})
			parse(t, e, fix.Edit.apply(text))
		}
	}
	canonical := call[struct{ Text string }](t, e, "canonical", object{"claim": handle}).Text
	same := call[difference](t, e, "diff", object{"before": handle, "after": parse(t, e, canonical)})
	require.Equal(t, "equal", same.Summary, fmt.Sprint(text))
}
