package analyze_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// BenchmarkAnalyze shows how time grows with the number of rules: compare the ns/rule of one shape.
func BenchmarkAnalyze(b *testing.B) {
	for _, what := range []struct {
		name string
		run  func(p, changed *permissions.Policy)
	}{
		{"Lint", func(p, _ *permissions.Policy) { analyze.Lint(p) }},
		{"Equal", func(p, _ *permissions.Policy) { analyze.Equal(p, p) }},
		{"Covers", func(p, changed *permissions.Policy) { analyze.Covers(p, changed) }},
		{"Diff", func(p, changed *permissions.Policy) { analyze.Diff(p, changed) }},
	} {
		for _, s := range shapes {
			for _, n := range []int{1_000, 10_000, 100_000} {
				b.Run(fmt.Sprintf("%s/%s/%d", what.name, s.name, n), func(b *testing.B) {
					claim := s.claim(n)
					p, changed := policyOf(claim), policyOf(strings.Replace(claim, `"events"`, `"workflows"`, 1))
					for b.Loop() {
						what.run(p, changed)
					}
					b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/rule")
				})
			}
		}
	}
}
