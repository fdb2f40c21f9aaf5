package permissions_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/reference"
)

// TestFirstMistakeCounts is about the conformance kit's own cases: claims with two mistakes, and claims cut short
// after one or within one (SPEC 6.2).
func TestFirstMistakeCounts(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("conformance", "order.json"))
	require.NoError(t, err)
	var cases []conformanceCase
	require.NoError(t, json.Unmarshal(data, &cases))
	count := make(tally)
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			p, err := permissions.Parse([]byte(c.Claim))
			require.Nil(t, p)
			c.requireRefusal(t, "Parse", err)
			_, mistake := reference.Parse([]byte(c.Claim), reference.Options{})
			require.Equal(t, &reference.Mistake{Kind: c.Error, Pointer: c.Pointer}, mistake)
			count[c.Error]++
		})
	}
	count.requireEach(t, 1, "syntax", "type", "scope", "nesting", "duplicate", "permission")
}
