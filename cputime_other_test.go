//go:build !unix

package permissions_test

import "time"

var started = time.Now()

// processorTime returns the time since the process started, where its processor time is not to be had.
func processorTime() time.Duration { return time.Since(started) }
