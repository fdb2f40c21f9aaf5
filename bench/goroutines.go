package main

import (
	"runtime"
	"sync"
	"time"

	"github.com/connectperms/permissions"
)

// A parallel is how many decisions a second a contender makes on one core and on all.
type parallel struct {
	name     string
	one, all float64 // in the best round
}

const parallelRules = 1_000

// goroutines asks every contender the same question from strings, in one goroutine and in as many as
// there are cores. They share the policy.
func goroutines(p pace) (found []parallel) {
	w := newWorkload(parallelRules)
	a := w.ask(askHit)
	cores := runtime.GOMAXPROCS(0)
	for _, c := range append([]contender{ours}, peers...) {
		if c.most != 0 && parallelRules > c.most {
			continue
		}
		progress("goroutines: %s", c.name)
		loaded := must(c.load(w.claim))
		run := make([]func(int) int, cores) // one for each, with strings of its own
		for i := range run {
			q := a.cloned()
			run[i] = repeat(func() bool { return loaded.build(&q) })
		}
		if c.name == ours.name {
			policy := must(permissions.Parse(w.claim))
			for i := range run {
				q := a.cloned()
				run[i] = askFromStrings(policy, &q)
			}
		}
		// The slices are short and many, so that some are seen when nothing else runs on the machine.
		slice := pace{slice: p.slice / 2}
		loops := slice.calibrate(timed{c.name, run[0]})
		result := parallel{name: c.name}
		for range 4 * p.rounds {
			result.one = max(result.one, perSecond(run[:1], loops))
			result.all = max(result.all, perSecond(run, loops))
		}
		found = append(found, result)
	}
	return found
}

// perSecond runs each function loops times, all at once, and returns how many of these runs there were in a second.
func perSecond(run []func(int) int, loops int) float64 {
	var done sync.WaitGroup
	start := time.Now()
	for _, f := range run {
		done.Go(func() { runtime.KeepAlive(f(loops)) })
	}
	done.Wait()
	return float64(loops*len(run)) / time.Since(start).Seconds()
}
