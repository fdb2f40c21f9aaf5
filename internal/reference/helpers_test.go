package reference_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/reference"
)

// The IDs of the tests. In a claim, ids puts them in place of the marks.
const (
	idA = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
	idB = "de06dea8-8680-483c-95ea-cfcf66582c96"
	idC = "0b1c2d3e-0000-4000-8000-00000000000a"
)

var capitalA = strings.ToUpper(idA)

// ids replaces <A>, <B> and <C> with IDs, and <CAPITAL A> with the first in capitals.
func ids(text string) string {
	return strings.NewReplacer("<A>", idA, "<B>", idB, "<C>", idC, "<CAPITAL A>", capitalA).Replace(text)
}

var (
	unknown = reference.Identifier{}
	absent  = reference.Identifier{State: reference.Absent}
	user    = reference.Target{}
)

func known(value string) reference.Identifier {
	return reference.Identifier{State: reference.Known, Value: value}
}

func level(id, externalID reference.Identifier) *reference.Level {
	return &reference.Level{ID: id, ExternalID: externalID}
}

// in returns an integration, a credential or a configuration.
func in(integration string, levels ...*reference.Level) reference.Target {
	t := reference.Target{Integration: &integration}
	if len(levels) > 0 {
		t.Credential = levels[0]
	}
	if len(levels) > 1 {
		t.Configuration = levels[1]
	}
	return t
}

// target reads a target, with the marks of ids.
func target(t *testing.T, text string) reference.Target {
	t.Helper()
	read, ok := reference.ParseTarget([]byte(ids(text)))
	require.True(t, ok, text)
	return read
}

// parse reads a claim, with the marks of ids.
func parse(t *testing.T, claim string, o reference.Options) *reference.Policy {
	t.Helper()
	policy, mistake := reference.Parse([]byte(ids(claim)), o)
	require.Nil(t, mistake, claim)
	require.NotNil(t, policy, claim)
	return policy
}

// readCases reads a file of conformance cases. A file without cases is a failure.
func readCases[Case any](t *testing.T, file string) []Case {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "conformance", file))
	require.NoError(t, err)
	var cases []Case
	require.NoError(t, json.Unmarshal(text, &cases))
	require.NotEmpty(t, cases)
	return cases
}
