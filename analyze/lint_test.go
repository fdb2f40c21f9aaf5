package analyze_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

const findingsFile = "testdata/findings.txt"

// TestLintText compares texts and fixes with those in testdata. After a change that is meant, run
// CONNECTPERMS_UPDATE=1 go test -run TestLintText ./analyze and read the difference.
func TestLintText(t *testing.T) {
	for s := range sections(t, findingsFile) {
		claim, want, _ := strings.Cut(s.text, "\n")
		var opts []analyze.LintOption
		if s.name == "names of integrations" {
			opts = append(opts, analyze.KnownIntegrations("slack", "jira", "hubspot", "salesforce"), nil)
		}
		var got strings.Builder
		for _, f := range analyze.Lint(permissions.MustParse(claim), opts...) {
			fix := f.Fix()
			fixed, err := fix.Apply([]byte(claim))
			require.NoError(t, err)
			fmt.Fprintf(&got, "- %v\n  fix: %s\n", f, fix.Summary)
			for _, r := range fix.Changes {
				fmt.Fprintf(&got, "  changes: %v\n", r)
			}
			fmt.Fprintf(&got, "  claim: %s\n", fixed)
		}
		s.write(claim + "\n" + got.String())
		t.Run(s.name, func(t *testing.T) { s.require(t, want, got.String()) })
	}
}

// The rules of a claim need not begin with integration:*.
func TestFindingsAreInTheOrderOfTheText(t *testing.T) {
	for _, claim := range []string{
		`{"integration:slack":[],"integration:jira":[],"integration:*":[]}`,
		`{"integration:*":[],"integration:slack":[],"integration:jira":[]}`,
		`{"integration:slack":{"credential:*":[]},"integration:*":[],"credential:ext:x":{"configuration:*":[]}}`,
	} {
		t.Run(claim, func(t *testing.T) {
			p := permissions.MustParse(claim)
			var want, got []string
			for r := range p.Rules() {
				want = append(want, r.Pointer())
			}
			for _, f := range analyze.Lint(p) {
				require.Equal(t, analyze.CodeDeniesNothing, f.Code)
				got = append(got, f.Pointer())
			}
			require.Equal(t, want, got)
		})
	}
}

func TestFindingJSON(t *testing.T) {
	findings := analyze.Lint(permissions.MustParse(`{
		"integration:a/b":["events"],"credential:ext:acme":["events"],"credential:ext:x;y":{"configuration:*":["workflows"]}
	}`))
	got, err := json.Marshal(findings)
	require.NoError(t, err)
	require.JSONEq(t, `[{
		"code": "list",
		"pointer": "/credential:ext:x;y",
		"message": "credential external ID \"x;y\" is not a list: it matches only itself",
		"fix": {
			"summary": "Write a scope for each of them.",
			"patch": [
				{"op": "copy", "from": "/credential:ext:x;y", "path": "/credential:ext:x"},
				{"op": "copy", "from": "/credential:ext:x;y", "path": "/credential:ext:y"},
				{"op": "remove", "path": "/credential:ext:x;y"}
			],
			"changes": [
				{"text": "integration:*/credential:ext:\"x;y\"", "scopes": ["integration:*", "credential:ext:x;y"]},
				{"text": "integration:*/credential:ext:\"x\"", "scopes": ["integration:*", "credential:ext:x"]},
				{"text": "integration:*/credential:ext:\"y\"", "scopes": ["integration:*", "credential:ext:y"]}
			]
		}
	}]`, string(got))

	got, err = json.Marshal(analyze.Finding{})
	require.NoError(t, err)
	want := `{"code": "", "pointer": "", "message": "", "fix": {"summary": "", "patch": [], "changes": []}}`
	require.JSONEq(t, want, string(got))
}

func TestLintIntersection(t *testing.T) {
	claims := []string{`{"integration:*":true}`, `{"integration:slack":{}}`}
	p, err := permissions.Intersect(permissions.MustParse(claims[0]), permissions.MustParse(claims[1]), nil)
	require.NoError(t, err)
	findings := analyze.Lint(observed(t, p))
	require.Len(t, findings, 1)
	require.Equal(t, 2, findings[0].Part)
	require.Equal(t, analyze.CodeEmptyMap, findings[0].Code)
	require.Equal(t, `part 2, "/integration:slack": the map of integration:"slack" is empty, which says nothing: `+
		`less specific rules answer; to deny everything there, write false (empty-map)`, findings[0].String())
	got, err := json.Marshal(findings[0])
	require.NoError(t, err)
	require.Contains(t, string(got), `"part":2`)
	fixed, err := findings[0].Fix().Apply([]byte(claims[1]))
	require.NoError(t, err)
	require.Equal(t, `{}`, string(fixed))
}

func TestKnownIntegrations(t *testing.T) {
	p := permissions.MustParse(`{"integration:slack":["events"]}`)
	require.Empty(t, analyze.Lint(p, analyze.KnownIntegrations("jira", "slack")))
	findings := analyze.Lint(p, analyze.KnownIntegrations())
	require.NotEmpty(t, findings)
	require.Equal(t, analyze.CodeUnknownIntegration, findings[len(findings)-1].Code)

	for name, meant := range map[string]string{
		"Slack": "slack", "slakc": "slack", "slac": "slack", "sslack": "slack", "s.l-a_c k": "slack", "ſlack": "slack",
		"google drive": "google_drive", "sl": "", "---": "", strings.Repeat("x", 65): "",
	} {
		p := permissions.MustParse(`{"integration:` + name + `":["events"]}`)
		findings := analyze.Lint(p, analyze.KnownIntegrations("slack", "google_drive", strings.Repeat("x", 66), "+"))
		require.Len(t, findings, 1, name)
		if meant == "" {
			require.NotContains(t, findings[0].Message, "did you mean", name)
			require.Equal(t, "remove", findings[0].Fix().Edits[0].Op)
		} else {
			require.Contains(t, findings[0].Message, "did you mean "+fmt.Sprintf("%q", meant), name)
			require.Equal(t, "/integration:"+meant, findings[0].Fix().Edits[0].Path)
		}
	}
}

func TestApply(t *testing.T) {
	claim := "{ \"integration:a/b\" : {\"credential:\\u0065xt:x\": [ \"events\" ], \"credential:*\":{}} ,\n" +
		"\"integration:*\":true}"
	p := permissions.MustParse(claim)
	findings := analyze.Lint(p)
	require.NotEmpty(t, findings)
	fix := findings[0].Fix()
	fixed, err := fix.Apply([]byte(claim))
	require.NoError(t, err)
	want := `{"integration:a/b":{"credential:ext:x":["events"],"credential:*":false},"integration:*":true}`
	require.Equal(t, want, string(fixed))

	_, err = fix.Apply([]byte(`{"integration:*":null}`))
	require.ErrorIs(t, err, permissions.ErrType)
	_, err = fix.Apply([]byte(`{`))
	require.ErrorIs(t, err, permissions.ErrSyntax)
	for name, other := range map[string]string{"nothing there": `{}`, "no map there": `{"integration:a/b":true}`} {
		t.Run(name, func(t *testing.T) {
			_, err = fix.Apply([]byte(other))
			require.ErrorIs(t, err, analyze.ErrOtherClaim)
			require.EqualError(t, err, `analyze: the fix is for another claim: it does not fit at `+
				`"/integration:a~1b/credential:*"; use Lint to get the fixes of this claim`)
		})
	}
	unchanged, err := analyze.Fix{}.Apply([]byte(claim))
	require.NoError(t, err)
	require.JSONEq(t, claim, string(unchanged))
	require.Empty(t, analyze.Finding{}.Fix().Edits)

	for _, edit := range []analyze.Edit{
		{Op: "remove", Path: "/integration:x"},
		{Op: "move", From: "/integration:x", Path: "/integration:y"},
		{Op: "copy", From: "/integration:*", Path: "/integration:x/credential:*"},
		{Op: "replace", Path: ""},
		{Op: "test", Path: "/integration:*"},
		{Op: "remove", Path: "integration:*"},
	} {
		_, err := analyze.Fix{Edits: []analyze.Edit{edit}}.Apply([]byte(claim))
		require.ErrorIs(t, err, analyze.ErrOtherClaim, "%v", edit)
	}
}

// TestLintIsSafeForGoroutines gets all that is computed late from several goroutines. It is for the race
// detector.
func TestLintIsSafeForGoroutines(t *testing.T) {
	p := permissions.MustParse(`{
		"integration:*":true,"integration:a,b":{"credential:ext:x*":["events"]},"integration:A,b":["proxy-api"]
	}`)
	findings := analyze.Lint(p)
	require.Greater(t, len(findings), 4)
	d := analyze.Diff(nil, p)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, f := range findings {
				_, err := json.Marshal(f)
				require.NoError(t, err)
			}
			_, err := json.Marshal(d)
			require.NoError(t, err)
			_ = d.Markdown()
			analyze.Lint(p)
		})
	}
	wg.Wait()
}

// TestManyOverriddenParts is about a rule that differs from one of many rules that could decide in its place:
// from the last one, which is the only one that nothing overrides.
func TestManyOverriddenParts(t *testing.T) {
	claim := func(last string) string {
		return objectOf(rootEvents, in("credential:"+idX, `["events"]`),
			object(20, func(i int) string {
				return fmt.Sprintf(`"integration:i%d":{"credential:%s":["events"],"credential:ext:e":false}`, i, idX)
			}), in("integration:last", in("credential:ext:e", last)))
	}
	for last, isRedundant := range map[string]bool{`["events"]`: true, `false`: false} {
		findings := analyze.Lint(permissions.MustParse(claim(last)))
		found := slices.ContainsFunc(findings, func(f analyze.Finding) bool {
			return f.Code == analyze.CodeRedundantRule && f.Pointer() == "/credential:"+idX
		})
		require.Equal(t, isRedundant, found, last)
	}
}

func TestNearestKnownIntegration(t *testing.T) {
	for _, c := range []struct {
		name  string
		known []string
		want  string // "" if none is near
	}{
		{"slack", []string{"slacks", "Slack"}, "Slack"},
		{"google-drive", []string{"googledrives", "google_drive"}, "google_drive"},
		{"slacks", []string{"slack"}, "slack"},
		{"slac", []string{"slack"}, "slack"},
		{"slick", []string{"slack"}, "slack"},
		{"salck", []string{"slack"}, "slack"},
		{"slkca", []string{"slack"}, ""},
		{"ab", []string{"ca"}, ""},
		{"jira", []string{"irab"}, ""},
		{"box", []string{"oxy"}, ""},
		{strings.Repeat("x", 65), []string{strings.Repeat("x", 64)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := permissions.MustParse(`{"integration:` + c.name + `": true}`)
			findings := analyze.Lint(p, analyze.KnownIntegrations(c.known...))
			require.Len(t, findings, 1)
			if c.want == "" {
				require.NotContains(t, findings[0].Message, "did you mean")
			} else {
				require.Contains(t, findings[0].Message, `did you mean "`+c.want+`"?`)
			}
		})
	}
}

// The fix of a list spells the place of the list out for each element.
func TestFixOfAVeryLongListRemovesIt(t *testing.T) {
	for elements, want := range map[int]int{100: 100, 101: 0} {
		list := strings.Repeat("a1,", elements-1) + "a1"
		for i := range elements {
			list = strings.Replace(list, "a1", "b"+strconv.Itoa(i), 1)
		}
		claim := `{"credential:ext:` + list + `":true}`
		findings := analyze.Lint(permissions.MustParse(claim))
		require.Len(t, findings, 1)
		require.Equal(t, analyze.CodeList, findings[0].Code)
		fixed, err := findings[0].Fix().Apply([]byte(claim))
		require.NoError(t, err)
		rules := 0
		for range permissions.MustParse(string(fixed)).Rules() {
			rules++
		}
		require.Equal(t, want, rules)
	}
}

func TestSpellingsOfAUUID(t *testing.T) {
	for spelling, isUUID := range map[string]bool{
		idX: true, strings.ToUpper(idX): true, withoutHyphens(idX): true, "{" + idX + "}": true, "urn:uuid:" + idX: true,
		"URN:UUID:{" + withoutHyphens(idX) + "}": true,
		"uuid:" + idX:                            false, withoutHyphens(idX)[1:]: false,
	} {
		claim := `{"credential:ext:` + spelling + `":true}`
		findings := analyze.Lint(permissions.MustParse(claim))
		require.Equal(t, isUUID, len(findings) == 1, spelling)
		if isUUID {
			fixed, err := findings[0].Fix().Apply([]byte(claim))
			require.NoError(t, err)
			require.Equal(t, `{"credential:`+idX+`":true}`, string(fixed))
		}
	}
}

// What is not the name of an integration is not what was meant.
func TestKnownIntegrationThatIsNoName(t *testing.T) {
	known := analyze.KnownIntegrations("Slack*", "slack ")
	findings := analyze.Lint(permissions.MustParse(`{"integration:slack":true}`), known)
	require.Len(t, findings, 1)
	require.NotContains(t, findings[0].Message, "did you mean")
}

// Two findings of one claim can each have a fix that changes no answer, and both fixes together change one.
func TestFixDoesNotFitAfterAnotherFix(t *testing.T) {
	claim := []byte(`{"integration:*":["workflows"],"integration:slack":{"credential:*":false,"configuration:*":false}}`)
	findings := analyze.Lint(permissions.MustParse(string(claim)))
	require.Len(t, findings, 2)
	for _, f := range findings {
		require.Empty(t, f.Fix().Changes)
		_, err := f.Fix().Apply(claim)
		require.NoError(t, err)
	}
	once, err := findings[0].Fix().Apply(claim)
	require.NoError(t, err)
	twice, err := findings[1].Fix().Apply(once)
	require.ErrorIs(t, err, analyze.ErrOtherClaim)
	require.Nil(t, twice)

	null := analyze.Edit{Op: "replace", Path: "/integration:*", Value: json.RawMessage("null")}
	_, err = analyze.Fix{Edits: []analyze.Edit{null}}.Apply(claim)
	require.ErrorIs(t, err, analyze.ErrOtherClaim)
}
