package cli_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// waitUntilRaw waits until the program in a terminal has made it raw.
func waitUntilRaw(t *testing.T, screen *os.File) {
	t.Helper()
	require.Eventually(t, func() bool { return isRaw(t, screen) }, 20*time.Second, time.Millisecond)
}

// isRaw reports whether a terminal does not show what is typed.
func isRaw(t *testing.T, screen *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return state.Lflag&unix.ECHO == 0
}
