// Command bench times decisions, parsing and whole requests of package permissions beside what else
// could be used, all in one process and in turns. It writes what it found to RESULTS.md and chart.svg.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

func main() {
	var (
		quick  = flag.Bool("quick", false, "a smoke test: few and short slices; it writes no file")
		only   = flag.String("sections", "", "what to run, by commas, of "+strings.Join(sectionNames, ", ")+"; it writes no file")
		rounds = flag.Int("rounds", 100, "slices of each contender")
		slice  = flag.Duration("slice", 2*time.Millisecond, "time of one contender at a time")
		out    = flag.String("out", ".", "folder for RESULTS.md and chart.svg")
	)
	flag.Parse()
	p := pace{*slice, *rounds}
	if *quick {
		p = pace{time.Millisecond / 2, 10}
	}
	selected := sectionNames
	if *only != "" {
		selected = strings.Split(*only, ",")
	}
	start := time.Now()
	r := measureAll(p, selected)
	progress("took %v", time.Since(start).Round(time.Second))
	section := r.section()
	fmt.Println(section)
	if *quick || *only != "" {
		return
	}
	file := filepath.Join(*out, "RESULTS.md")
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		check(err)
	}
	check(os.WriteFile(file, []byte(withSection(string(old), section)), 0o644))
	check(os.WriteFile(filepath.Join(*out, chartFile), r.chart(), 0o644))
}

var sectionNames = []string{"decisions", "growth", "unknown", "allocations", "parsing", "requests", "loading", "goroutines"}

// results has what the sections that ran have found; the others are nil.
type results struct {
	pace        pace
	cores       int
	decisions   *section
	growth      *section
	unknown     *section
	allocations []allocated
	parsing     *section
	parseAllocs map[int][]float64
	requests    *section
	loading     []load
	goroutines  []parallel
}

func measureAll(p pace, selected []string) *results {
	r := &results{pace: p, cores: runtime.GOMAXPROCS(0)}
	for _, name := range selected {
		if !slices.Contains(sectionNames, name) {
			check(fmt.Errorf("there is no section %q", name))
		}
	}
	for _, name := range sectionNames {
		if !slices.Contains(selected, name) {
			continue
		}
		switch name {
		case "decisions":
			r.decisions = decisions(p)
		case "growth":
			r.growth = growth(p)
		case "unknown":
			r.unknown = unknown(p)
		case "allocations":
			r.allocations = allocations()
		case "parsing":
			r.parsing, r.parseAllocs = parsing(p)
		case "requests":
			r.requests = requests(p)
		case "loading":
			r.loading = loading(p)
		case "goroutines":
			r.goroutines = goroutines(p)
		}
	}
	runtime.KeepAlive(&sink)
	return r
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
