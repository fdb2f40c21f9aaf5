package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/connectperms/permissions"
)

// What parsing is measured against.
const (
	jsonValid     = "json.Valid"
	jsonUnmarshal = "json.Unmarshal into map[string]any"
	parse         = "Parse"
)

var claimSizes = []int{150, 1_500, 40_000, 1_000_000}

// parsing times Parse and what else could be done with the same bytes. It returns how often each
// allocates, by size.
func parsing(p pace) (s *section, allocs map[int][]float64) {
	s, allocs = &section{}, map[int][]float64{}
	for _, size := range claimSizes {
		progress("parsing: %d B", size)
		claim := claimOfSize(size)
		all := []timed{
			{jsonValid, func(n int) (valid int) {
				for range n {
					if json.Valid(claim) {
						valid++
					}
				}
				return valid
			}},
			{jsonUnmarshal, func(n int) int {
				for range n {
					var m map[string]any
					if err := json.Unmarshal(claim, &m); err != nil {
						panic(err)
					}
					sink.value = m
				}
				return n
			}},
			{parse, func(n int) int {
				for range n {
					sink.value = must(permissions.Parse(claim))
				}
				return n
			}},
		}
		for _, t := range all {
			allocs[size] = append(allocs[size], testing.AllocsPerRun(10, func() { t.run(1) }))
		}
		s.add(size, fmt.Sprintf("%s B", number(float64(len(claim)))), p.measure(all))
	}
	return s, allocs
}
