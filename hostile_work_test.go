//go:build countwork

package permissions_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/connectperms/permissions"
)

// These tests count work: nodes that are visited, and bytes of names that are hashed, compared or copied.
// A count is the same on every machine, which time is not. They need the build tag countwork, because
// counting takes time, and they do not run beside others, because there is one counter:
//
//	go test -tags countwork -run Work .

// worked returns the work of a function.
func worked(f func()) float64 {
	before := permissions.WorkDone()
	f()
	return float64(permissions.WorkDone() - before)
}

// The lines that no shape may exceed.
const (
	mostReading = 16.0 // work for each byte of a claim, to read it
	mostAsking  = 20.0 // work for each byte of a claim and each question, and for each list or text
	mostGrowth  = 6.0  // work for a claim four times as long: 4 is in proportion, 16 is with the square
)

// requireLinear requires that work grows in proportion to the claim. Its arguments are the work for a claim
// of a size and for one four times as long.
func requireLinear(t *testing.T, size int, small, large, most float64) {
	t.Helper()
	perByte := large / float64(4*size)
	require.Less(t, perByte, most, "work for each byte of the claim; it was %.1f for a quarter", small/float64(size))
	if small > float64(size)/100 {
		require.Less(t, large/small, mostGrowth, "growth of the work for four times the claim; %.1f for each byte", perByte)
	} else {
		require.Less(t, perByte, 0.1, "work for each byte of the claim; there was nearly none for a quarter")
	}
}

// TestWorkOfReading counts the work of reading a claim.
func TestWorkOfReading(t *testing.T) {
	const size = 64 << 10
	for shape := range hostileClaims {
		t.Run(shape.name, func(t *testing.T) {
			small, large := shape.text(size), shape.text(4*size)
			requireLinear(t, size, worked(func() { shape.requireResult(t, shape.read(small)) }),
				worked(func() { shape.requireResult(t, shape.read(large)) }), mostReading)
		})
	}
}

// TestWork counts the work of what is done with a policy.
func TestWork(t *testing.T) {
	const size = 64 << 10
	for shape, use := range uses() {
		t.Run(use.name+", "+shape.name, func(t *testing.T) {
			var work [2]float64
			for i, size := range []int{size, 4 * size} {
				p, targets, times := permissions.MustParse(shape.text(size)), shape.targets(size), 0
				work[i] = worked(func() { times = use.do(p, targets) }) / float64(times)
			}
			requireLinear(t, size, work[0], work[1], mostAsking)
		})
	}
}

// TestWorkOfMakingTargets counts the work of targets with long names.
func TestWorkOfMakingTargets(t *testing.T) {
	const size = 64 << 10
	work := func(size int) float64 { return worked(func() { hostileSink = longTargets(size) }) }
	requireLinear(t, size, work(size), work(4*size), mostAsking)
}

// TestWorkOfVisibleIntersection pins what the documentation of Intersect says: the work can grow
// with the product of the numbers of rules of the parts, and not faster.
func TestWorkOfVisibleIntersection(t *testing.T) {
	const few = 64
	claim := func(rules int, begin, rule string) *permissions.Policy {
		text := begin
		for i := range rules {
			text += "," + unit(rule)(i)
		}
		return permissions.MustParse(text + "}")
	}
	// The first part grants only on a configuration with the external ID a, which the second part denies.
	// But that takes trying each rule of the first part with each of the second.
	visible := func(first, second int) float64 {
		p, err := permissions.Intersect(
			claim(first, `{"integration:none":false`, `"credential:ext:%d":{"configuration:ext:a":["events"]}`),
			claim(second, `{"configuration:ext:a":false`, `"credential:`+id+`":{"configuration:*":["events"]}`))
		require.NoError(t, err)
		return worked(func() { require.False(t, p.Visible(permissions.User())) })
	}
	base := visible(few, few)
	require.Less(t, visible(4*few, few)/base, mostGrowth)
	require.Less(t, visible(few, 4*few)/base, mostGrowth)
	both := visible(4*few, 4*few) / base
	require.Less(t, both, 4*mostGrowth)
	require.Greater(t, both, 8.0, "the shape is not the one that takes long")

	t.Run("long names do not count for each rule", func(t *testing.T) {
		for _, shape := range longShapes {
			t.Run(shape.name, func(t *testing.T) {
				const size = 64 << 10
				var work [2]float64
				for i, size := range []int{size, 4 * size} {
					p, err := permissions.Intersect(permissions.MustParse(shape.text(size)),
						permissions.MustParse(`{"integration:*":["events"]}`))
					require.NoError(t, err)
					work[i] = worked(func() {
						for _, target := range append(shape.targets(size), permissions.User()) {
							hostileSink = p.Visible(target)
						}
					})
				}
				requireLinear(t, size, work[0], work[1], 25*mostAsking)
			})
		}
	})
}
