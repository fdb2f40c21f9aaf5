package main

import "github.com/connectperms/permissions"

// A contender answers questions about a claim.
type contender struct {
	name  string
	model string                               // how it does, for RESULTS.md
	most  int                                  // the largest claim, in rules, that its decisions are timed on; 0 for any
	load  func(claim []byte) (prepared, error) // untimed, of a valid claim
}

// prepared makes ready a question about a claim. That is not timed; calling what it
// returns is, and gives the answer each time. The target is valid.
type prepared func(permissions.Permission, permissions.Target) (answer func() bool)

var ours = contender{
	name:  "permissions (this library)",
	model: "`Policy.Allowed` on the caller's `Target`.",
	load: func(claim []byte) (prepared, error) {
		policy, err := permissions.Parse(claim)
		if err != nil {
			return nil, err
		}
		return func(action permissions.Permission, t permissions.Target) func() bool {
			return func() bool { return policy.Allowed(action, t) }
		}, nil
	},
}

var peers = []contender{handWritten, casbinPlain, casbinCached, cedarPolicies, cedarTags, opa}
