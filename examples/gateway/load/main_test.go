//go:build unix

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The test binary is the server, when it is started so.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "-serve" {
		if err := serve(os.Args[2], os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// A few requests go through each server, and the table has a row for each.
func TestMeasure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "LOAD.md")
	require.NoError(t, measure(40, 4, time.Minute, file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 5, strings.Count(string(text), " B | "))
	require.NotContains(t, string(text), "NaN")
	require.Error(t, measure(40, 4, 0, file))
}

func TestServeFails(t *testing.T) {
	require.Error(t, serve(checkAll, strings.NewReader(""), new(bytes.Buffer)))
	require.Error(t, serve(checkAll, strings.NewReader("no key\n\n"), new(bytes.Buffer)))
}
