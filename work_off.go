//go:build !countwork

package permissions

// work counts nodes that are visited, and bytes of names that are hashed, compared or copied. It
// does so only with the build tag countwork. Tests use it to check that the work for a claim is
// proportional to its length.
func work(int) {}

// workToCompare counts the work of comparing two names of the same length.
func workToCompare(_, _ string) {}
