package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutput(t *testing.T) {
	want, err := os.ReadFile("output.txt")
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, string(want), out.String())
}
