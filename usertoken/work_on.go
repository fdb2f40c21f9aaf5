//go:build countwork

package usertoken

import "sync/atomic"

var worked atomic.Uint64

// work counts letters of names that are read or compared.
func work(n int) { worked.Add(uint64(n)) }

// WorkDone returns what has been counted so far. It exists only with the build tag countwork.
func WorkDone() uint64 { return worked.Load() }
