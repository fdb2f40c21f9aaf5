package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// TestScripts runs the sessions in testdata/scripts and compares what they print.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/scripts",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			fixtures(t, env.WorkDir)
			env.Setenv("NO_COLOR", "")
			return nil
		},
	})
}

// TestMessagesNameFlags finds messages that tell to call a function of the library. The tool has flags.
func TestMessagesNameFlags(t *testing.T) {
	const functions = `\b(With[A-Z]\w+|AllowMissing|RequireClaim|No(External)?ID\b|Parse\w*Key|User\(\)|a Reference)`
	for _, pattern := range []string{"testdata/scripts/*.txtar", "testdata/terminal/*.txt", docs} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, files)
		for _, file := range files {
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NotRegexp(t, functions, string(data), file)
		}
	}
}
