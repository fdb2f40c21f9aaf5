package permissions_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// maxFuzzed is how long a text may be for the reference, whose time grows with the square of the length.
// It also keeps a text within the 10,000 levels that encoding/json reads.
const maxFuzzed = 9_999

// seedCases reads the conformance cases that fuzz targets begin with.
func seedCases(f *testing.F) (cases []conformanceCase) {
	f.Helper()
	for _, name := range []string{"decisions.json", "errors.json", "random.json"} {
		data, err := os.ReadFile(filepath.Join("testdata", "conformance", name))
		require.NoError(f, err)
		var list []conformanceCase
		require.NoError(f, json.Unmarshal(data, &list))
		require.NotEmpty(f, list)
		cases = append(cases, list...)
	}
	return cases
}

// FuzzScope compares ParseScope with the reference, and a Scope with its own text.
func FuzzScope(f *testing.F) {
	for _, c := range seedCases(f) {
		p, err := permissions.Parse([]byte(c.Claim))
		if err != nil {
			continue
		}
		last := ""
		for r := range p.Rules() {
			f.Add(r.Scope().String(), last)
			last = r.Scope().String()
		}
	}
	f.Add("credential:"+idUpper, "credential:"+idA)
	f.Fuzz(func(t *testing.T, a, b string) {
		first, ok := parseScopeBoth(t, a)
		second, alsoOK := parseScopeBoth(t, b)
		if !ok || !alsoOK {
			return
		}
		require.Equal(t, first.Compare(second), -second.Compare(first))
		require.Equal(t, first == second, first.Compare(second) == 0)
		require.Equal(t, first == second, first.String() == second.String())
	})
}

// parseScopeBoth parses the text of a scope with the library, and with the reference as the only key of a
// claim.
func parseScopeBoth(t *testing.T, text string) (permissions.Scope, bool) {
	t.Helper()
	s, err := permissions.ParseScope(text)
	claim, jsonErr := json.Marshal(map[string]bool{text: true})
	require.NoError(t, jsonErr)
	want, mistake := reference.Parse(claim, reference.Options{})
	if mistake != nil {
		require.ErrorIs(t, err, permissions.ErrScope, "%q", text)
		require.Zero(t, s)
		return s, false
	}
	require.NoError(t, err, "%q", text)
	path := want.Rules()[0].Path
	require.Equal(t, path[len(path)-1], s.String())
	require.Len(t, path, int(s.Kind()-permissions.KindUser))
	require.Equal(t, s.IsWildcard(), s.Name() == "")
	again, err := permissions.ParseScope(s.String())
	require.NoError(t, err)
	require.Equal(t, s, again)
	data, err := s.MarshalText()
	require.NoError(t, err)
	var unmarshaled permissions.Scope
	require.NoError(t, unmarshaled.UnmarshalText(data))
	require.Equal(t, s, unmarshaled)
	return s, true
}

// FuzzClaim compares Parse and FromValue with the reference.
func FuzzClaim(f *testing.F) {
	for i, c := range seedCases(f) {
		f.Add([]byte(c.Claim), uint8(i))
	}
	f.Fuzz(func(t *testing.T, claim []byte, options uint8) {
		if len(claim) > maxFuzzed {
			return
		}
		o := &optionSets[int(options)%len(optionSets)]
		before := slices.Clone(claim)
		parseBoth(t, string(claim), o)
		require.Equal(t, before, claim, "Parse does not change the claim")
		fromValueBoth(t, newGenerator(uint64(options)), string(claim), o)
	})
}

// FuzzRoundTrip requires that the claim which MarshalJSON writes has the same rules.
func FuzzRoundTrip(f *testing.F) {
	for i, c := range seedCases(f) {
		f.Add([]byte(c.Claim), uint8(i))
	}
	f.Fuzz(func(t *testing.T, claim []byte, options uint8) {
		if len(claim) > maxFuzzed {
			return
		}
		o := &optionSets[int(options)%len(optionSets)]
		b := parseBoth(t, string(claim), o)
		if b == nil {
			return
		}
		b.requireRoundTrip(t, o)
		var build permissions.Builder
		for r := range b.got.Rules() {
			build.At(r.Path()...).Grant(r.Grant())
		}
		built, err := build.Build(o.options...)
		require.NoError(t, err)
		data, err := b.got.MarshalJSON()
		require.NoError(t, err)
		same, err := built.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(data), string(same), "the Builder builds the same policy")
	})
}

// FuzzTarget compares every answer about a target with the reference. The target is JSON (SPEC 3.6).
func FuzzTarget(f *testing.F) {
	for i, c := range seedCases(f) {
		if len(c.Queries) > 0 {
			q := c.Queries[i%len(c.Queries)]
			f.Add(c.Claim, string(q.Action), string(q.Target))
		}
	}
	f.Fuzz(func(t *testing.T, claim, action, text string) {
		if len(claim)+len(text) > 1000 { // the reference tries out every pair of names
			return
		}
		if !unmarshalTargetBoth(t, text) {
			return
		}
		asked, ok := reference.ParseTarget([]byte(text))
		require.True(t, ok)
		target := toLibrary(asked)
		requireOneLine(t, target.String())
		requireOneLine(t, target.LogValue().String())

		b := parseBoth(t, claim, &optionSets[0])
		if b == nil {
			return
		}
		d := b.ask(t, action, asked, target, true)
		requireOneLine(t, d.String())
		requireOneLine(t, d.LogValue().String())
		requireExplanation(t, b.got, permissions.Permission(action), target)
		isValid := b.want.ValidQuestion(action, asked)
		require.Equal(t, !isValid, d.Reason == permissions.ReasonInvalidQuestion)
		require.Equal(t, isValid, permissions.Unrestricted().Allowed(permissions.Permission(action), target))
		require.False(t, new(permissions.Policy).Allowed(permissions.Permission(action), target))
	})
}

// requireOneLine requires that a text for people is not empty and not several lines.
func requireOneLine(t *testing.T, text string) {
	t.Helper()
	require.NotEmpty(t, text)
	require.False(t, strings.ContainsAny(text, "\n\r\u0085\u2028\u2029"), "%q", text)
}
