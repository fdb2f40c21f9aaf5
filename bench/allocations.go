package main

import (
	"testing"

	"github.com/connectperms/permissions"
)

// An allocated says how many allocations a call makes that asks a question.
type allocated struct {
	question string
	what     string
	allowed  bool // the answer
	count    float64
}

// What is counted.
const (
	buildsAndAsks = "build and `Allowed`"
	callsAllowed  = "`Allowed`"
	callsDecide   = "`Decide`"
	callsCheck    = "`Check`"
)

// allocations counts the allocations for each question about the claim of 1,000 rules.
func allocations() (all []allocated) {
	w := newWorkload(1_000)
	policy := must(permissions.Parse(w.claim))
	for _, a := range w.asks {
		add := func(what string, f func()) {
			all = append(all, allocated{a.name, what, a.allowed, testing.AllocsPerRun(100, f)})
		}
		action, t, run := a.action, a.target(), askFromStrings(policy, &a.question)
		add(buildsAndAsks, func() { sink.count += run(1) })
		add(callsAllowed, func() { policy.Allowed(action, t) })
		add(callsDecide, func() { policy.Decide(action, t) })
		add(callsCheck, func() { sink.value = policy.Check(action, t) })
	}
	id := [16]byte{1}
	all = append(all, allocated{askInside + ", ID as 16 bytes", buildsAndAsks, false, testing.AllocsPerRun(100, func() {
		policy.Allowed(permissions.ProxyAPI, permissions.Integration("slack").Credential(permissions.UUID(id), permissions.NoExternalID()))
	})})
	return all
}
