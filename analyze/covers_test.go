package analyze_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

const coversFile = "testdata/covers.txt"

// TestCovers compares counterexamples with those in testdata. After a change that is meant, run
// CONNECTPERMS_UPDATE=1 go test -run TestCovers ./analyze and read the difference.
func TestCovers(t *testing.T) {
	for s := range sections(t, coversFile) {
		outerText, rest, _ := strings.Cut(s.text, "\n")
		innerText, want, _ := strings.Cut(rest, "\n")
		outer := permissions.MustParse(strings.TrimPrefix(outerText, "outer: "))
		inner := permissions.MustParse(strings.TrimPrefix(innerText, "inner: "))
		ok, q := analyze.Covers(outer, inner)
		got := "covers\n"
		if !ok {
			got = "does not cover: " + q.String() + "\n"
		}
		s.write(outerText + "\n" + innerText + "\n" + got)
		t.Run(s.name, func(t *testing.T) {
			s.require(t, want, got)
			if ok {
				require.Zero(t, q)
				return
			}
			require.NoError(t, inner.Check(q.Action, q.Target))
			require.ErrorIs(t, outer.Check(q.Action, q.Target), permissions.ErrDenied)
			ok, q = analyze.Equal(outer, inner)
			require.False(t, ok)
			require.NotEqual(t, outer.Allowed(q.Action, q.Target), inner.Allowed(q.Action, q.Target))
		})
	}
}

func TestArrayOfAllCoversTrue(t *testing.T) {
	names, err := json.Marshal(permissions.AllPermissions())
	require.NoError(t, err)
	array := permissions.MustParse(`{"integration:*":` + string(names) + `}`)
	ok, q := analyze.Covers(array, permissions.MustParse(`{"integration:*":true}`))
	require.True(t, ok, q)
}

// TestWithoutRules is about policies that have none.
func TestWithoutRules(t *testing.T) {
	zero, empty := new(permissions.Policy), permissions.MustParse(`{}`)
	all, unrestricted := permissions.MustParse(`{"integration:*":true}`), permissions.Unrestricted()
	for _, none := range []*permissions.Policy{nil, zero, empty} {
		for _, other := range []*permissions.Policy{nil, zero, empty} {
			ok, _ := analyze.Equal(none, other)
			require.True(t, ok)
			require.Equal(t, analyze.Difference{}, analyze.Diff(none, other))
		}
		for _, every := range []*permissions.Policy{all, unrestricted} {
			ok, _ := analyze.Covers(every, none)
			require.True(t, ok)
			ok, q := analyze.Covers(none, every)
			require.False(t, ok)
			require.True(t, every.Allowed(q.Action, q.Target))
			require.Len(t, analyze.Diff(none, every).Changes, 1)
		}
		require.Empty(t, analyze.Lint(none))
	}
	ok, _ := analyze.Equal(all, unrestricted)
	require.True(t, ok)
	require.Empty(t, analyze.Diff(all, unrestricted).Changes)
	require.Empty(t, analyze.Lint(unrestricted))
	ok, q := analyze.Covers(permissions.MustParse(`{"integration:*":true,"integration:slack":[]}`), unrestricted)
	require.False(t, ok)
	name, _ := q.Target.Lookup(permissions.IntegrationName)
	require.Equal(t, "slack", name)
}

// TestDeclaredPermissions is about permissions that only one policy declares: to the other one they are
// invalid questions.
func TestDeclaredPermissions(t *testing.T) {
	one := permissions.WithPermissions("one")
	all := permissions.MustParse(`{"integration:*":true}`)
	declaring := permissions.MustParse(`{"integration:*":true}`, one)
	for name, policies := range map[string][2]*permissions.Policy{
		"claims": {all, declaring}, "no claim": {permissions.Unrestricted(), permissions.Unrestricted(one)},
		"no claim with a hook": {permissions.Unrestricted(), observed(t, permissions.Unrestricted(one))},
	} {
		t.Run(name, func(t *testing.T) {
			ok, _ := analyze.Covers(policies[1], policies[0])
			require.True(t, ok)
			ok, q := analyze.Covers(policies[0], policies[1])
			require.False(t, ok)
			require.Equal(t, `"one" on the user`, q.String())
			require.ErrorIs(t, policies[0].Check(q.Action, q.Target), permissions.ErrQuestion)
			d := analyze.Diff(policies[0], policies[1])
			require.Len(t, d.Changes, 1)
			require.Equal(t, permissions.ReasonInvalidQuestion, d.Changes[0].Before.Reason)
		})
	}
	ok, _ := analyze.Equal(declaring, permissions.Unrestricted(one))
	require.True(t, ok)

	var names [2][]permissions.Permission
	for i := range 53 {
		names[0] = append(names[0], permissions.Permission("a"+strings.Repeat("x", i)))
		names[1] = append(names[1], permissions.Permission("b"+strings.Repeat("x", i)))
	}
	d := analyze.Diff(
		permissions.Unrestricted(permissions.WithPermissions(names[0]...)),
		permissions.Unrestricted(permissions.WithPermissions(names[1]...)),
	)
	require.Equal(t, analyze.RelationBoth, d.Relation)
	require.Len(t, d.Changes, 2)
	require.Equal(t, names[1], d.Changes[0].Permissions)
	require.Equal(t, names[0], d.Changes[1].Permissions)
}
