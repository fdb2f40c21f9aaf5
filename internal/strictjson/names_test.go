package strictjson_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/internal/strictjson"
)

// A repeated name is noticed, whether it is among the first 16 or not.
func TestNames(t *testing.T) {
	for _, n := range []int{0, 1, 2, 15, 16, 17, 18, 100, 10_000} {
		t.Run(fmt.Sprintf("%d names", n), func(t *testing.T) {
			var names strictjson.Names
			for i := range n {
				require.True(t, names.Add(fmt.Sprint("name", i)))
			}
			for _, i := range []int{0, 1, 14, 15, 16, 17, n - 1} {
				if i >= 0 && i < n {
					require.False(t, names.Add(fmt.Sprint("name", i)), i)
				}
			}
			require.True(t, names.Add("another"))
			require.False(t, names.Add("another"))
		})
	}
}

func TestNamesCompareExactly(t *testing.T) {
	var names strictjson.Names
	for _, name := range []string{"", "a", "A", "a ", "a\x00", "é", "e\u0301"} {
		require.True(t, names.Add(name), "%q", name)
	}
	require.False(t, names.Add(""), "the empty name is a name too")
}

func TestNamesAllocations(t *testing.T) {
	list := make([]string, 16)
	for i := range list {
		list[i] = fmt.Sprint("name", i)
	}
	require.Zero(t, testing.AllocsPerRun(10, func() {
		var names strictjson.Names
		for _, name := range list {
			if !names.Add(name) {
				t.Error(name)
			}
		}
	}))
}
