package main

import (
	"bytes"
	"runtime"
	"time"
)

// A load is what it takes to load a claim, and what stays in memory of it.
type load struct {
	rules, claim int
	name         string
	least        float64 // ns
	kept         float64 // bytes for each byte of the claim
}

// loading loads claims with every contender. It keeps as many copies as it takes to see their size.
func loading(p pace) (all []load) {
	for _, n := range sizes {
		claim := newWorkload(n).claim
		for _, c := range append([]contender{ours}, peers...) {
			if c.most != 0 && n > c.most {
				continue
			}
			progress("loading: %d rules, %s", n, c.name)
			l := load{rules: n, claim: len(claim), name: c.name, least: leastLoad(c, claim, p)}
			const enough = 4 << 20
			copies := 4
			if len(claim) > enough {
				copies = 1
			}
			for ; ; copies *= 4 {
				held := make([]loaded, copies)
				before := heap()
				for i := range held {
					held[i] = must(c.load(bytes.Clone(claim)))
				}
				grown := heap() - before
				runtime.KeepAlive(held)
				l.kept = float64(grown) / float64(copies*len(claim))
				if grown > enough || len(claim) > enough {
					break
				}
			}
			all = append(all, l)
		}
	}
	return all
}

// leastLoad returns the least time, in ns, that loading a claim takes. It loads for a while, and at least three times
// unless that takes more than two seconds.
func leastLoad(c contender, claim []byte, p pace) float64 {
	least := time.Duration(1<<63 - 1)
	begin := time.Now()
	for i := 0; i == 0 || i < 3 && time.Since(begin) < 2*time.Second || i < 1_000 && time.Since(begin) < 20*p.slice; i++ {
		start := time.Now()
		sink.value = must(c.load(claim))
		least = min(least, time.Since(start))
	}
	return float64(least.Nanoseconds())
}
