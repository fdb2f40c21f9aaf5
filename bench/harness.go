package main

import (
	"math/rand/v2"
	"slices"
	"time"
)

// A timed is one line of a table: something to do n times. run returns a number, such as how
// often the answer was yes, so that the compiler cannot leave out what is timed.
type timed struct {
	name string
	run  func(n int) int
}

// sink has the results of what is timed.
var sink struct {
	count int
	value any
}

func repeat(answer func() bool) func(int) int {
	return func(n int) (yes int) {
		for range n {
			if answer() {
				yes++
			}
		}
		return yes
	}
}

// A pace says how long and how often to measure.
type pace struct {
	slice  time.Duration // of one contender at a time
	rounds int           // each has a slice of every contender
}

// A measurement is what one or more things cost, in ns per operation. It has a column for each of
// them and a row for each round.
type measurement struct {
	names  []string
	rounds [][]float64
}

// measure runs slices of all in turn, in a new order each round. The machine's speed may change,
// but seldom within a round, and the least of many rounds is from when the machine was fastest.
func (p pace) measure(all []timed) measurement {
	m := measurement{}
	loops := make([]int, len(all))
	for i, t := range all {
		m.names = append(m.names, t.name)
		loops[i] = p.calibrate(t)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range p.rounds {
		round := make([]float64, len(all))
		for _, i := range random.Perm(len(all)) {
			start := time.Now()
			sink.count += all[i].run(loops[i])
			round[i] = float64(time.Since(start).Nanoseconds()) / float64(loops[i])
		}
		m.rounds = append(m.rounds, round)
	}
	return m
}

// calibrate finds how often t runs in a slice, and warms its caches.
func (p pace) calibrate(t timed) int {
	for n := 1; ; n *= 2 {
		start := time.Now()
		sink.count += t.run(n)
		if took := time.Since(start); took > p.slice/4 {
			return max(1, int(float64(n)*float64(p.slice)/float64(took)))
		}
	}
}

func (m measurement) has(name string) bool { return slices.Contains(m.names, name) }

func (m measurement) column(name string) []float64 {
	i := slices.Index(m.names, name)
	if i < 0 {
		panic("not measured: " + name)
	}
	column := make([]float64, len(m.rounds))
	for r, round := range m.rounds {
		column[r] = round[i]
	}
	return column
}

func (m measurement) min(name string) float64 { return slices.Min(m.column(name)) }

// ratio returns the ratio of the minima of a and b, and the median of their ratios within each round.
func (m measurement) ratio(a, b string) (minima, paired float64) {
	over, under := m.column(a), m.column(b)
	ratios := make([]float64, len(over))
	for i := range ratios {
		ratios[i] = over[i] / under[i]
	}
	return slices.Min(over) / slices.Min(under), median(ratios)
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
