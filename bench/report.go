package main

import (
	"bufio"
	_ "embed" // for the source of the walk and the notes
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

//go:embed walk.go
var walkSource string

// notes say what keeps a goal from being reached.
//
//go:embed notes.md
var notes string

// machineHeading begins the heading of a section with what one machine measured.
const machineHeading = "## Measured on "

// withSection returns RESULTS.md with the section of this machine in it, in place of an earlier one. The
// sections of other machines stay.
func withSection(old, section string) string {
	heading, _, _ := strings.Cut(section, "\n")
	parts := strings.Split(old, "\n"+machineHeading)
	list, found := []string{introduction()}, false
	for _, part := range parts[1:] {
		part = machineHeading + strings.TrimRight(part, "\n") + "\n"
		if h, _, _ := strings.Cut(part, "\n"); h == heading {
			part, found = section, true
		}
		list = append(list, part)
	}
	if !found {
		list = append(list, section)
	}
	return strings.Join(list, "\n")
}

// introduction returns what is the same for every machine.
func introduction() string {
	d := &document{}
	d.line("# What was measured\n")
	d.line("`make bench` writes this file, in under ten minutes. On another machine it adds a section. `cd bench && go run . -help` lists " +
		"shorter runs. The chart is that of the latest run.\n")
	d.line("![Time of a decision from strings, by rules in the claim](%s)\n", chartFile)
	d.line("## How\n")
	d.line("All contenders run in one process, in turns, each for a short slice in each round, and in a new order each round. A figure is the " +
		"least of all rounds, in ns for each operation. A *ratio* is that of two least figures of one run. The *paired* ratio is the median of " +
		"the ratios within each round. Where a machine changes its speed or has other work to do, both ratios hold, and other averages do " +
		"not. Garbage collection runs during the slice in which it happens to start. The least figure excludes most of it, which favours " +
		"contenders that allocate much.\n")
	d.line("A question is measured in two forms. *From strings* is what a handler does: it has strings from a request, builds the question of " +
		"the contender from them, and asks once. *Built before* is what a list or a worker does: the question is ready, and is asked again " +
		"and again. Both are in the same run.\n")
	d.line("%s\n", composition)
	d.line("%s\n", kinds)
	d.line("The limit is Go's map: *three look-ups* of strings of 36 bytes, in a map of as many keys as the claim has rules. A map of up to " +
		"8 keys has a way of its own, without hashing, so the limit is lower at 4 rules.\n")
	d.line("## Contenders\n")
	d.line("All give the same answers to the conformance cases that they can express, and to the questions below (`go test`). Policies are " +
		"loaded before the clock starts. A peer that caches, prepares or validates is measured with that and without.\n")
	for _, c := range append([]contender{ours}, peers...) {
		d.line("- **%s**: %s", c.name, c.model)
		if c.most > 0 {
			d.line("  Timed up to %s rules.", number(float64(c.most)))
		}
		if c.beyond != "" {
			d.line("  Beyond this library: %s", lowerFirst(c.beyond))
		}
		if c.without != "" {
			d.line("  What it leaves out: %s", lowerFirst(c.without))
		}
	}
	d.line("\n### The hand-written walk\n")
	_, source, _ := strings.Cut(walkSource, "// walk:begin\n\n")
	source, _, _ = strings.Cut(source, "\n// walk:end")
	d.line("The careless walk is `walk`, the validating one is `walkChecked`.\n")
	d.line("```go\n%s```\n", source)
	d.line("%s", notes)
	return d.String()
}

// section returns what this machine measured.
func (r *results) section() string {
	d := &document{}
	d.line("%s%s\n", machineHeading, machine())
	d.line("%s. %s. Slices of %v, %d rounds.\n", runtime.Version(), versions(), r.pace.slice, r.pace.rounds)
	if goals := r.goals(); len(goals) > 0 {
		d.line("### Goals\n")
		d.line("*Worst* is the figure furthest from its goal, of all the cases that the line names.\n")
		d.table([]string{"what", "goal", "stretch", "worst", "paired", "at", "met"}, goals)
	}
	r.writeDecisions(d)
	r.writeGrowth(d)
	r.writeUnknown(d)
	r.writeAllocations(d)
	r.writeParsing(d)
	r.writeRequests(d)
	r.writeLoading(d)
	r.writeGoroutines(d)
	return d.String()
}

func (r *results) writeDecisions(d *document) {
	if r.decisions == nil {
		return
	}
	d.line("### Decisions\n")
	d.line("In ns. *× look-ups* is the ratio to three map look-ups, and *× ours* the ratio to this library in the same form.\n")
	for _, a := range newWorkload(sizes[0]).asks {
		d.line("#### %s\n", strings.ToUpper(a.name[:1])+a.name[1:])
		var rows [][]string
		for _, n := range sizes {
			m := r.decisions.of(n, a.name)
			size := number(float64(n))
			for _, name := range []string{oneLookup, threeLookups} {
				v, _ := m.ratio(name, threeLookups)
				rows = append(rows, []string{size, name, ns(m.min(name)), ratio(v), "", "", "", ""})
			}
			for _, c := range append([]contender{ours}, peers...) {
				if !m.has(fromStrings.of(c.name)) {
					continue
				}
				row := []string{size, c.name}
				for _, f := range []form{fromStrings, builtBefore} {
					limit, _ := m.ratio(f.of(c.name), threeLookups)
					times, _ := m.ratio(f.of(c.name), f.of(ours.name))
					row = append(row, ns(m.min(f.of(c.name))), ratio(limit), ratio(times))
				}
				rows = append(rows, row)
			}
		}
		d.table([]string{"rules", "", "from strings", "× look-ups", "× ours", "built before", "× look-ups", "× ours"}, rows)
	}
}

func (r *results) writeGrowth(d *document) {
	if r.growth == nil {
		return
	}
	d.line("### Growth\n")
	d.line("Questions about all rules that name a credential or a configuration, drawn at random. Each has strings of its own, in batches of %d that "+
		"are made before the clock starts. The map has as many keys as the claim has rules, and is asked for the IDs of the same rules. *Growth* is the "+
		"ratio to the figure at 4 rules.\n", batch)
	var rows [][]string
	for _, n := range sizes {
		m := r.growth.of(n, allRules)
		for _, name := range m.names {
			limit, paired := m.ratio(name, threeLookups)
			rows = append(rows, []string{number(float64(n)), name, ns(m.min(name)), ratio(limit), ratio(paired), ratio(r.grown(name, n))})
		}
	}
	d.table([]string{"rules", "", "ns", "× look-ups", "paired", "growth"}, rows)
}

func (r *results) writeUnknown(d *document) {
	if r.unknown == nil {
		return
	}
	d.line("### Unknown identifiers\n")
	d.line("A built target with an unknown identifier (SPEC 4.7), against the same target with that identifier absent. The library looks at every rule that " +
		"denies the action by such an identifier until one could apply.\n")
	var rows [][]string
	for _, c := range r.unknown.cases {
		times, paired := c.ratio(oneUnknown, allKnown)
		rows = append(rows, []string{number(float64(c.rules)), c.what, ns(c.min(allKnown)), ns(c.min(oneUnknown)), ratio(times), ratio(paired)})
	}
	d.table([]string{"rules", "the target", "absent: ns", "unknown: ns", "ratio", "paired"}, rows)
}

func (r *results) writeAllocations(d *document) {
	if r.allocations == nil {
		return
	}
	d.line("### Allocations\n")
	d.line("At 1,000 rules. A denial that `Check` returns is an error, which it allocates.\n")
	kinds := []string{buildsAndAsks, callsAllowed, callsDecide, callsCheck}
	var rows [][]string
	for _, a := range r.allocations {
		if a.what == buildsAndAsks {
			rows = append(rows, append([]string{a.question, yesNo(a.allowed)}, make([]string, len(kinds))...))
		}
		for i, kind := range kinds {
			if a.what == kind {
				rows[len(rows)-1][2+i] = number(a.count)
			}
		}
	}
	d.table(append([]string{"question", "answer"}, kinds...), rows)
}

func (r *results) writeParsing(d *document) {
	if r.parsing == nil {
		return
	}
	d.line("### Parsing\n")
	var rows [][]string
	for _, c := range r.parsing.cases {
		for i, name := range c.names {
			valid, validPaired := c.ratio(name, jsonValid)
			times, paired := c.ratio(name, parse)
			rows = append(rows, []string{
				c.what, name, ns(c.min(name)), ratio(valid), ratio(validPaired), ratio(times), ratio(paired), number(r.parseAllocs[c.rules][i]),
			})
		}
	}
	d.table([]string{"claim", "", "ns", "× json.Valid", "paired", "× ours", "paired", "allocations"}, rows)
}

func (r *results) writeRequests(d *document) {
	if r.requests == nil {
		return
	}
	d.line("### Whole requests\n")
	d.line("A token that is signed with RS256 and a key of 2048 bits.\n")
	var rows [][]string
	for _, c := range r.requests.cases {
		for _, name := range c.names {
			times, paired := c.ratio(name, requestIgnored)
			rows = append(rows, []string{c.what, name, ns(c.min(name)), ratio(times), ratio(paired)})
		}
	}
	d.table([]string{"", "", "ns", "× claim ignored", "paired"}, rows)
}

func (r *results) writeLoading(d *document) {
	if r.loading == nil {
		return
	}
	d.line("### Loading a claim\n")
	d.line("From the JSON text of the claim to something that answers: for the walks that is a map, and for the engines their own policies and data, " +
		"translated from the claim. *Kept* is what stays on the heap of many copies after everything else is collected.\n")
	var rows [][]string
	first := map[int]float64{}
	for _, l := range r.loading {
		if l.name == ours.name {
			first[l.rules] = l.least
		}
		rows = append(rows, []string{
			number(float64(l.rules)), number(float64(l.claim)), l.name, ns(l.least), ratio(l.least / first[l.rules]), ratio(l.kept),
		})
	}
	d.table([]string{"rules", "bytes of claim", "", "ns", "× ours", "kept for each byte"}, rows)
}

func (r *results) writeGoroutines(d *document) {
	if r.goroutines == nil {
		return
	}
	d.line("### Goroutines\n")
	d.line("Decisions a second from strings, a hit at %s rules, in the best round: in one goroutine, and in one for each of %d cores, which share the policy. "+
		"Other work on the machine takes from the second figure.\n", number(parallelRules), r.cores)
	var rows [][]string
	for _, p := range r.goroutines {
		rows = append(rows, []string{p.name, number(p.one), number(p.all), ratio(p.all / p.one / float64(r.cores))})
	}
	d.table([]string{"", "one goroutine", "one for each core", "ratio for each core"}, rows)
}

// A document is Markdown in the making.
type document struct{ strings.Builder }

func (d *document) line(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *document) table(header []string, rows [][]string) {
	d.line("| %s |", strings.Join(header, " | "))
	d.line("|%s", strings.Repeat("---|", len(header)))
	for _, row := range rows {
		d.line("| %s |", strings.Join(row, " | "))
	}
	d.line("")
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func yesNo(allowed bool) string {
	if allowed {
		return "yes"
	}
	return "no"
}

func ns(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	return number(v)
}

func ratio(v float64) string {
	switch {
	case math.IsNaN(v):
		return ""
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return number(v)
}

// number writes v without decimals and with commas.
func number(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// versions lists the modules of the contenders.
func versions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "Versions unknown"
	}
	var list []string
	for _, m := range info.Deps {
		for _, name := range []string{"casbin/casbin", "cedar-policy/cedar-go", "open-policy-agent/opa", "golang-jwt/jwt"} {
			if strings.HasPrefix(m.Path, "github.com/"+name) {
				list = append(list, m.Path+" "+m.Version)
			}
		}
	}
	return strings.Join(list, ", ")
}

// machine names what the figures depend on most.
func machine() string {
	return fmt.Sprintf("%s, %d cores, %s/%s", processor(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH)
}

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "an unknown processor"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name\t: "); ok {
			return strings.TrimSpace(name)
		}
	}
	return "an unknown processor"
}
