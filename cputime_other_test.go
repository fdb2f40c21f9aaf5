//go:build !unix

package permissions_test

import "time"

var started = time.Now()

// processorTime returns the time since the process started, for want of a better one.
func processorTime() time.Duration { return time.Since(started) }
