package analyze_test

import (
	"fmt"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// A service that issues tokens refuses to hand on more than its caller has.
func ExampleCovers() {
	caller := permissions.MustParse(`{
		"integration:*": ["proxy-api"], "integration:slack": {"credential:ext:ceo": false}
	}`)
	wanted := permissions.MustParse(`{"integration:slack": ["proxy-api"]}`)
	if ok, q := analyze.Covers(caller, wanted); !ok {
		fmt.Println("refused:", q.Action)
		fmt.Println("on", q.Target)
		fmt.Println("because the caller is", caller.Decide(q.Action, q.Target))
	}
	// Output:
	// refused: proxy-api
	// on integration "slack", credential ID 00000000-0000-4000-8000-000000000000, credential external ID "ceo"
	// because the caller is denied: integration:"slack"/credential:ext:"ceo" grants none
}

func ExampleDiff() {
	before := permissions.MustParse(`{"integration:*": ["proxy-api"], "integration:jira": false}`)
	after := permissions.MustParse(`{"integration:*": ["proxy-api", "events"], "integration:jira": false}`)
	fmt.Println(analyze.Diff(before, after))
	// Output:
	// Wider: The new policy allows more than the old one, and nothing less.
	//
	// now allowed: events
	//   on:        everything, the user included: integration:*
	//   unchanged: integration:"jira"
	//   example:   "events" on the user
	//   before:    denied: integration:* grants proxy-api
	//   after:     allowed: integration:* grants proxy-api, events
}

func ExampleLint() {
	claim := []byte(`{"integration:*": ["events"], "integration:slack": ["workflows"], "credential:ext:team-*": false}`)
	policy, err := permissions.Parse(claim)
	if err != nil {
		panic(err)
	}
	for _, f := range analyze.Lint(policy) {
		fixed, err := f.Fix().Apply(claim)
		fmt.Println(f.Code, "at", f.Pointer())
		fmt.Println(f.Message)
		fmt.Println(string(fixed), err)
	}
	// Output:
	// replaces-grant at /integration:slack
	// integration:"slack" replaces the grant of integration:*, and is not added to it: it drops events
	// {"integration:*":["events"],"integration:slack":["events","workflows"],"credential:ext:team-*":false} <nil>
	// pattern at /credential:ext:team-*
	// the external ID "team-*" is not a pattern: it matches only itself
	// {"integration:*":["events"],"integration:slack":["workflows"]} <nil>
}
