package permissionstest

import (
	"fmt"
	"testing"

	"github.com/connectperms/permissions"
)

// AssertAllowed reports whether a policy allows an action on a target. If it does not, the test fails
// with the explanation, and goes on. An invalid question fails, whatever the policy is.
func AssertAllowed(
	t testing.TB, policy *permissions.Policy, action permissions.Permission, target permissions.Target,
) bool {
	t.Helper()
	return assert(t, "", policy, action, target, true)
}

// AssertDenied reports whether a policy denies an action on a target. If it does not, the test fails
// with the explanation, and goes on. An invalid question fails too: it is denied whatever the policy
// says, so a test that asks it tests nothing.
func AssertDenied(
	t testing.TB, policy *permissions.Policy, action permissions.Permission, target permissions.Target,
) bool {
	t.Helper()
	return assert(t, "", policy, action, target, false)
}

// A Case is a question, and the answer that a policy must give. See [AssertCases].
type Case struct {
	Name    string // for the failure; may be empty
	Action  permissions.Permission
	Target  permissions.Target
	Allowed bool
}

// AssertCases asks a policy every question, as [AssertAllowed] and [AssertDenied] do, and reports
// whether all answers are right. If there are no cases at all, the test fails.
func AssertCases(t testing.TB, policy *permissions.Policy, cases []Case) bool {
	t.Helper()
	if len(cases) == 0 {
		t.Errorf("permissionstest: there are no cases")
		return false
	}
	ok := true
	for i, c := range cases {
		name := fmt.Sprintf("case %d: ", i)
		if c.Name != "" {
			name = fmt.Sprintf("case %d, %s: ", i, c.Name)
		}
		ok = assert(t, name, policy, c.Action, c.Target, c.Allowed) && ok
	}
	return ok
}

func assert(
	t testing.TB, name string,
	policy *permissions.Policy, action permissions.Permission, target permissions.Target, want bool,
) bool {
	t.Helper()
	d := policy.Decide(action, target)
	switch {
	case d.Reason == permissions.ReasonInvalidQuestion:
		t.Errorf("%s%q on %v: the question is invalid, whatever the policy is: %v",
			name, action, target, policy.Check(action, target))
	case d.Allowed && !want:
		t.Errorf("%s%q on %v should be denied\n%v", name, action, target, policy.Explain(action, target))
	case !d.Allowed && want:
		t.Errorf("%s%q on %v should be allowed\n%v", name, action, target, policy.Explain(action, target))
	default:
		return true
	}
	return false
}
