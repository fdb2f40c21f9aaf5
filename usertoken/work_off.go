//go:build !countwork

package usertoken

// work counts letters of names that are read or compared. It does so only with the build tag countwork.
// Tests use it to check that the work for a claims set is proportional to its length.
func work(int) {}
