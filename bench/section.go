package main

import (
	"fmt"
	"runtime"
)

var sizes = []int{4, 40, 1_000, 100_000}

// A section has the measurements under one heading, each of a case such as 40 rules.
type section struct{ cases []measured }

type measured struct {
	rules int
	what  string
	measurement
}

func (s *section) add(rules int, what string, m measurement) {
	s.cases = append(s.cases, measured{rules, what, m})
}

func (s *section) of(rules int, what string) measurement {
	for _, c := range s.cases {
		if c.rules == rules && c.what == what {
			return c.measurement
		}
	}
	panic(fmt.Sprintf("not measured: %s at %d", what, rules))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// heap returns how many bytes are in use after collecting garbage.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
