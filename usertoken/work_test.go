//go:build countwork

package usertoken_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions/usertoken"
)

// However hostile a payload is, the work that its names cause is in proportion to its length: at most so
// many letters are read or compared for each byte.
func TestWorkOfHostilePayloads(t *testing.T) {
	const most = 40
	for _, shape := range hostileShapes {
		t.Run(shape.name, func(t *testing.T) {
			var perByte [2]float64
			for i, size := range []int{128 << 10, 1 << 20} {
				text := shape.text(size)
				before := usertoken.WorkDone()
				shape.requireResult(t, readPayload(text))
				perByte[i] = float64(usertoken.WorkDone()-before) / float64(len(text))
			}
			require.Less(t, perByte[1], float64(most))
			require.LessOrEqual(t, perByte[1], perByte[0]*1.1+0.1, "for each byte of text: %.2f", perByte)
		})
	}
}
