// Command bench times decisions, parsing and whole requests of package permissions
// beside what else could be used, all in one process and in turns, and writes what it
// saw to RESULTS.md and chart.svg.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

func main() {
	var (
		quick    = flag.Bool("quick", false, "a smoke test: few and short slices")
		only     = flag.String("sections", strings.Join(sectionNames, ","), "what to run, by commas")
		rounds   = flag.Int("rounds", 300, "slices of each contender")
		slice    = flag.Duration("slice", 2*time.Millisecond, "time of one contender at a time")
		out      = flag.String("out", ".", "folder for RESULTS.md and chart.svg; empty for none")
		selected = map[string]bool{}
	)
	flag.Parse()
	p := pace{*slice, *rounds}
	if *quick {
		p = pace{time.Millisecond, 30}
	}
	for name := range strings.SplitSeq(*only, ",") {
		selected[name] = true
	}

	r := &results{pace: p}
	for _, name := range sectionNames {
		if !selected[name] {
			continue
		}
		switch name {
		case "decisions":
			r.decisions = decisions(p)
		case "rotation":
			r.rotation = rotation(p)
		case "open":
			r.open = open(p)
		case "allocations":
			r.allocations = allocations()
		case "parsing":
			r.parsing, r.parseAllocs = parsing(p)
		case "requests":
			r.requests = requests(p)
		case "memory":
			r.memory = memory()
		}
	}
	runtime.KeepAlive(&sink)

	text := r.markdown()
	fmt.Print(text)
	if *out == "" {
		return
	}
	check(os.WriteFile(filepath.Join(*out, "RESULTS.md"), []byte(text), 0o644))
	if r.decisions != nil {
		check(r.chart(filepath.Join(*out, chartFile)))
	}
}

var sectionNames = []string{"decisions", "rotation", "open", "allocations", "parsing", "requests", "memory"}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
