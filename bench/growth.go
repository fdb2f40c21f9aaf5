package main

import (
	"math/rand/v2"
	"strings"
	"time"

	"github.com/connectperms/permissions"
)

const allRules = "all rules"

// batch is how many questions are made before the clock starts. They fit into the fastest cache, as
// those of a request do.
const batch = 128

// A batched is something to do for each question of a batch. set puts a question into the batch before the clock
// starts, and run does it for all of them.
type batched struct {
	name string
	set  func(i int, q *question)
	run  func() int
}

// growth asks about rules that name a credential or a configuration, drawn at random, and looks up their keys in a
// map of as many keys as the claim has rules. Each question has strings of its own.
func growth(p pace) *section {
	s := &section{}
	for _, n := range sizes {
		progress("growth: %d rules", n)
		w := newWorkload(n)
		random := rand.New(rand.NewPCG(5, uint64(n)))
		m := make(map[string]uint16, n)
		for i := range w.named {
			m[strings.Clone(w.named[i].key())] = uint16(i)
		}
		for len(m) < n {
			m[uuid(random)] = 0
		}
		policy := must(permissions.Parse(w.claim))
		s.add(n, allRules, p.measureBatches(w.named, []batched{
			mapBatch(m), threeMapsBatch(m), stringsBatch(policy), builtBatch(policy), walkBatch(w, walkValidating), walkBatch(w, walkCareless),
		}))
	}
	return s
}

// measureBatches is as measure. In a round, each contender gets several batches of questions that are drawn
// at random.
func (p pace) measureBatches(questions []question, all []batched) (m measurement) {
	for _, b := range all {
		m.names = append(m.names, b.name)
	}
	random := rand.New(rand.NewPCG(7, 8))
	for range p.rounds {
		round := make([]float64, len(all))
		for _, at := range random.Perm(len(all)) {
			b, batches := all[at], 0
			var took time.Duration
			for took < p.slice/2 {
				for i := range batch {
					b.set(i, &questions[random.IntN(len(questions))])
				}
				start := time.Now()
				sink.count += b.run()
				took += time.Since(start)
				batches++
			}
			round[at] = float64(took.Nanoseconds()) / float64(batches*batch)
		}
		m.rounds = append(m.rounds, round)
	}
	return m
}

// key returns the ID of the credential that a rule names, or the external ID of the configuration.
func (q *question) key() string {
	if q.level == permissions.KindConfiguration {
		return q.configuration.externalID.text
	}
	return q.credential.id.text
}

func mapBatch(m map[string]uint16) batched {
	keys := new([batch]string)
	return batched{
		name: oneLookup,
		set:  func(i int, q *question) { keys[i] = strings.Clone(q.key()) },
		run: func() (sum int) {
			for _, key := range keys {
				sum += int(m[key])
			}
			return sum
		},
	}
}

func threeMapsBatch(m map[string]uint16) batched {
	keys := new([3][batch]string)
	random := rand.New(rand.NewPCG(9, 10))
	all := make([]string, 0, len(m))
	for key := range m {
		all = append(all, key)
	}
	return batched{
		name: threeLookups,
		set: func(i int, q *question) {
			keys[0][i], keys[1][i], keys[2][i] = strings.Clone(q.key()), strings.Clone(all[random.IntN(len(all))]), strings.Clone(all[random.IntN(len(all))])
		},
		run: func() (sum int) {
			for i := range batch {
				sum += int(m[keys[0][i]] + m[keys[1][i]] + m[keys[2][i]])
			}
			return sum
		},
	}
}

// stringsBatch is not inlined because the compiler does not inline what a closure calls if the function
// around it was inlined, so its calls would be measured too.
//
//go:noinline
func stringsBatch(policy *permissions.Policy) batched {
	questions := new([batch]question)
	return batched{
		name: fromStrings.of(ours.name),
		set:  func(i int, q *question) { questions[i] = q.cloned() },
		run: func() (yes int) {
			for i := range questions {
				q := &questions[i]
				t := permissions.Integration(q.integration).Credential(permissions.ID(q.credential.id.text), permissions.NoExternalID())
				if q.level == permissions.KindConfiguration {
					t = t.Configuration(permissions.NoID(), permissions.ExternalID(q.configuration.externalID.text))
				}
				if policy.Allowed(q.action, t) {
					yes++
				}
			}
			return yes
		},
	}
}

// builtBatch is not inlined for the same reason.
//
//go:noinline
func builtBatch(policy *permissions.Policy) batched {
	targets := new([batch]struct {
		action permissions.Permission
		target permissions.Target
	})
	return batched{
		name: builtBefore.of(ours.name),
		set: func(i int, q *question) {
			cloned := q.cloned()
			targets[i].action, targets[i].target = q.action, cloned.target()
		},
		run: func() (yes int) {
			for i := range targets {
				if policy.Allowed(targets[i].action, targets[i].target) {
					yes++
				}
			}
			return yes
		},
	}
}

func walkBatch(w *workload, c contender) batched {
	loaded, questions := must(c.load(w.claim)), new([batch]question)
	return batched{
		name: fromStrings.of(c.name),
		set:  func(i int, q *question) { questions[i] = q.cloned() },
		run: func() (yes int) {
			for i := range questions {
				if loaded.build(&questions[i]) {
					yes++
				}
			}
			return yes
		},
	}
}
