package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

func TestOutput(t *testing.T) {
	want, err := os.ReadFile("output.txt")
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, run(&out))
	require.Equal(t, string(want), out.String())
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, claim string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(claim), 0o600))
		return path
	}
	more, less := write("more.json", `{"integration:*":["events"]}`), write("less.json", `{}`)
	for _, test := range []struct{ before, after, want string }{
		{more, less, "The new claim allows less.\n\nlost [events] on the user\n  before: allowed: integration:* grants events\n  after:  denied: no rule applies\n"},
		{less, more, "The new claim allows more.\n\ngained [events] on the user\n  before: denied: no rule applies\n  after:  allowed: integration:* grants events\n"},
		{more, more, "The claims allow the same.\n"},
	} {
		var out strings.Builder
		require.NoError(t, run(&out, test.before, test.after))
		require.Equal(t, test.want, out.String())
	}

	var out strings.Builder
	require.EqualError(t, run(&out, more), "give two files, the claim before and after, or none for the example")
	require.ErrorIs(t, run(&out, more, filepath.Join(dir, "none")), os.ErrNotExist)
	require.ErrorIs(t, run(&out, write("bad.json", `{"integration:*":null}`), more), permissions.ErrType)
	require.Empty(t, out.String())
}
