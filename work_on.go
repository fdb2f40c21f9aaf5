//go:build countwork

package permissions

import (
	"sync/atomic"
	"unsafe"
)

var worked atomic.Uint64

// work counts nodes that are visited, and bytes of names that are hashed, compared or copied.
func work(n int) { worked.Add(uint64(n)) }

// workToCompare counts the work of comparing two names of the same length: none if they share
// memory, which is what the comparison looks at first.
func workToCompare(a, b string) {
	if unsafe.StringData(a) != unsafe.StringData(b) {
		work(len(a))
	}
}

// WorkDone returns what has been counted so far. It exists only with the build tag countwork.
func WorkDone() uint64 { return worked.Load() }
