package permissionstest_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// A fakeTB is a test whose failures are looked at. Methods that it does not have panic.
type fakeTB struct {
	testing.TB
	failures []string
	cleanups []func()
}

var errFatal = errors.New("the fake test ended")

func (f *fakeTB) Helper()                {}
func (f *fakeTB) Cleanup(cleanup func()) { f.cleanups = append(f.cleanups, cleanup) }
func (f *fakeTB) Errorf(format string, args ...any) {
	f.failures = append(f.failures, fmt.Sprintf(format, args...))
}
func (f *fakeTB) Fatalf(format string, args ...any) { f.Errorf(format, args...); panic(errFatal) }

// run runs a fake test to its end.
func (f *fakeTB) run(test func()) {
	defer func() {
		if r := recover(); r != nil && r != any(errFatal) {
			panic(r)
		}
		for _, cleanup := range slices.Backward(f.cleanups) {
			cleanup()
		}
	}()
	test()
}

// A printingTB is the t of an example. It prints failures.
type printingTB struct{ testing.TB }

func (printingTB) Helper()                           {}
func (printingTB) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (printingTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
