package main

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/connectperms/permissions"
)

// The limits: what decisions are compared with.
const (
	oneLookup    = "one map look-up"
	threeLookups = "three map look-ups"
)

// A form is how much of a question is ready when the clock starts.
type form string

const (
	fromStrings form = "from strings" // the contender's own question is built, and asked once
	builtBefore form = "built before" // it is asked again and again
)

func (f form) of(name string) string { return name + ", " + string(f) }

// decisions times every contender on every question, in both forms, at every size that it can take.
func decisions(p pace) *section {
	s := &section{}
	for _, n := range sizes {
		w := newWorkload(n)
		policy := must(permissions.Parse(w.claim))
		contenders := map[string]loaded{}
		for _, c := range peers {
			if c.most == 0 || n <= c.most {
				contenders[c.name] = must(c.load(w.claim))
			}
		}
		for _, a := range w.asks {
			progress("decisions: %d rules, %s", n, a.name)
			if policy.Allowed(a.action, a.target()) != a.allowed {
				panic("wrong answer to " + a.name)
			}
			all := append(lookups(n),
				timed{fromStrings.of(ours.name), askFromStrings(policy, &a.question)},
				timed{builtBefore.of(ours.name), askBuilt(policy, &a.question)})
			for _, c := range peers {
				loaded, ok := contenders[c.name]
				if !ok {
					continue
				}
				if loaded.build(&a.question) != a.allowed {
					panic(fmt.Sprintf("%s: wrong answer to %s", c.name, a.name))
				}
				all = append(all,
					timed{fromStrings.of(c.name), repeat(func() bool { return loaded.build(&a.question) })},
					timed{builtBefore.of(c.name), repeat(loaded.prepare(&a.question))})
			}
			s.add(n, a.name, p.measure(all))
		}
	}
	return s
}

// lookups are the limits, in a map of n keys of 36 bytes. The strings that are looked up are not those
// of the map.
func lookups(n int) []timed {
	random := rand.New(rand.NewPCG(3, 4))
	m := make(map[string]uint16, n)
	var keys []string
	for i := range n {
		key := uuid(random)
		m[key] = uint16(i)
		keys = append(keys, strings.Clone(key))
	}
	a, b, c := keys[0], keys[n/2], keys[n-1]
	return []timed{
		{oneLookup, func(n int) (sum int) {
			for range n {
				sum += int(m[a])
			}
			return sum
		}},
		{threeLookups, func(n int) (sum int) {
			for range n {
				sum += int(m[a] + m[b] + m[c])
			}
			return sum
		}},
	}
}
