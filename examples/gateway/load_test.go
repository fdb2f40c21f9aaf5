package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary is a replica when it is started as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-replica" {
		if err := serveReplica(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A few requests go through each replica, the report has a row for each, and the killed replica lets
// nothing pass.
func TestMeasure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "LOAD.md")
	few := bounds{requests: 200, limit: 20 * time.Second, connections: []int{1, 4}, replicas: []int{1, 3}}
	require.NoError(t, measureInto(file, few))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 8, strings.Count(string(text), " µs |"))
	require.NotContains(t, string(text), "NaN")
	require.Regexp(t, `\n\| \d+ \| \d+ \| 0 \| 0 \| \d+ \|\n`, string(text))

	few.limit = 0
	require.ErrorContains(t, measureInto(file, few), "0 passed")
}

func TestReplicaFails(t *testing.T) {
	require.Error(t, serveReplica(checkAll, strings.NewReader(""), new(bytes.Buffer)))
	require.Error(t, serveReplica(checkAll, strings.NewReader("no key\n\n"), new(bytes.Buffer)))
}
