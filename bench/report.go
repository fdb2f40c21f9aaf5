package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// results is what the sections that ran have seen; the others are nil.
type results struct {
	pace        pace
	decisions   *section
	rotation    *section
	open        *section
	allocations []allocated
	parsing     *section
	parseAllocs map[int][]float64
	requests    *section
	memory      []keep
}

func (r *results) markdown() string {
	d := &document{}
	d.line("# What was measured\n")
	d.line("Written by `make bench`; do not edit. `cd bench && go run . -help` tells of shorter runs.\n")
	d.line("%s; %s, %s/%s, GOMAXPROCS %d. %s.\n", processor(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), versions())
	d.line("All contenders run in one process, in turns of %v, %d rounds in a new order each. Every figure is in ns per operation: "+
		"the *least* of the rounds and their median. A *ratio* is that of the least figures; the *paired* one is the median of what the rounds "+
		"saw, each within itself. Where the machine changes its speed in between, the least and the paired ones hold and the "+
		"medians do not. Garbage is collected as it falls, in whose turn it may; the least figure leaves most of that out, to the good of those that "+
		"make much.\n", r.pace.slice, r.pace.rounds)
	d.line("%s\n", composition)
	if goals := r.goals(); len(goals) > 0 {
		d.line("## Goals\n")
		d.line("*Worst* is the figure furthest from its goal, of all the cases that the line names, and *paired* the one beside it.\n")
		d.table([]string{"what", "goal", "stretch", "worst", "paired", "at", "met"}, goals)
	}
	r.writeDecisions(d)
	r.writeRotation(d)
	r.writeOpen(d)
	r.writeAllocations(d)
	r.writeParsing(d)
	r.writeRequests(d)
	r.writeMemory(d)
	d.line("## Not measured\n")
	d.line("Many goroutines at a time; the first decision after parsing; how long peers take to load a claim; the memory that " +
		"peers need; what peers do besides, such as roles, partial evaluation and policies that are code; another processor than the one above.")
	return d.String()
}

func (r *results) writeDecisions(d *document) {
	if r.decisions == nil {
		return
	}
	d.line("## Decisions\n")
	d.line("![time of a decision by rules in the claim](%s)\n", chartFile)
	d.line("%s\n", kinds)
	for _, c := range append([]contender{ours}, peers...) {
		limit := ""
		if c.most > 0 {
			limit = fmt.Sprintf(" Timed up to %s rules.", number(float64(c.most)))
		}
		d.line("- **%s**: %s%s", c.name, c.model, limit)
	}
	d.line("\nWhat the engines are asked is ready in their own form before the clock starts. All agree on the conformance decisions that " +
		"they can express (`go test`), and on every question below.\n")
	for _, a := range newWorkload(sizes[0]).asks {
		d.line("### %s\n", strings.ToUpper(a.name[:1])+a.name[1:])
		var rows [][]string
		for _, n := range sizes {
			m := r.decisions.of(n, a.name)
			for _, name := range m.names {
				limit, paired := m.ratio(name, threeLookups)
				times, timesPaired := m.ratio(name, ours.name)
				rows = append(rows, []string{
					number(float64(n)), name, ns(m.min(name)), ns(m.median(name)), ratio(limit), ratio(paired), ratio(times), ratio(timesPaired),
				})
			}
		}
		d.table([]string{"rules", "", "least", "median", "/ three look-ups", "paired", "/ ours", "paired"}, rows)
	}
}

func (r *results) writeRotation(d *document) {
	if r.rotation == nil {
		return
	}
	d.line("## Targets in rotation\n")
	d.line("%s credentials in turn, of which the claim names as many as it can; the map holds and is asked for the same IDs. "+
		"*Growth* is how many times the least figure at 4 rules it is.\n", number(rotating))
	var rows [][]string
	for _, n := range sizes {
		m := r.rotation.of(n, "rotation")
		for _, name := range m.names {
			limit, paired := m.ratio(name, threeLookups)
			rows = append(rows, []string{number(float64(n)), name, ns(m.min(name)), ns(m.median(name)), ratio(limit), ratio(paired), ratio(r.growth(name, n))})
		}
	}
	d.table([]string{"rules", "", "least", "median", "/ three look-ups", "paired", "growth"}, rows)
}

// growth is how many times its figure at the fewest rules a contender takes at n.
func (r *results) growth(name string, n int) float64 {
	return r.rotation.of(n, "rotation").min(name) / r.rotation.of(sizes[0], "rotation").min(name)
}

func (r *results) writeOpen(d *document) {
	if r.open == nil {
		return
	}
	d.line("## Open identifiers\n")
	d.line("A question with an identifier left open (SPEC 4.7), against the same where that is said to be none. *Here* is the " +
		"target's own integration.\n")
	var rows [][]string
	for _, c := range r.open.cases {
		times, paired := c.ratio(leftOpen, closed)
		rows = append(rows, []string{number(float64(c.rules)), c.what, ns(c.min(closed)), ns(c.min(leftOpen)), ns(c.median(leftOpen)), ratio(times), ratio(paired)})
	}
	d.table([]string{"rules", "a credential", "none: least", "open: least", "median", "/ none", "paired"}, rows)
}

func (r *results) writeAllocations(d *document) {
	if r.allocations == nil {
		return
	}
	d.line("## Allocations\n")
	d.line("At 1,000 rules.\n")
	var rows [][]string
	for _, a := range r.allocations {
		rows = append(rows, []string{a.name, answer(a.allowed), number(a.allow), number(a.check), number(a.decide)})
	}
	d.table([]string{"", "answer", "`Allowed`", "`Check`", "`Decide`"}, rows)
}

func (r *results) writeParsing(d *document) {
	if r.parsing == nil {
		return
	}
	d.line("## Parsing\n")
	var rows [][]string
	for _, c := range r.parsing.cases {
		for i, name := range c.names {
			valid, validPaired := c.ratio(name, jsonValid)
			times, paired := c.ratio(name, parse)
			rows = append(rows, []string{
				c.what, name, ns(c.min(name)), ns(c.median(name)), ratio(valid), ratio(validPaired), ratio(times), ratio(paired), number(r.parseAllocs[c.rules][i]),
			})
		}
	}
	d.table([]string{"claim", "", "least", "median", "/ json.Valid", "paired", "/ ours", "paired", "allocations"}, rows)
}

func (r *results) writeRequests(d *document) {
	if r.requests == nil {
		return
	}
	d.line("## Whole requests\n")
	d.line("An RS256 token with a key of 2048 bits. Differences under 5 %% cannot be told here.\n")
	var rows [][]string
	for _, c := range r.requests.cases {
		for _, name := range c.names {
			times, paired := c.ratio(name, requestPlain)
			rows = append(rows, []string{c.what, name, ns(c.min(name)), ns(c.median(name)), ratio(times), ratio(paired)})
		}
	}
	d.table([]string{"", "", "least", "median", "/ claim ignored", "paired"}, rows)
}

func (r *results) writeMemory(d *document) {
	if r.memory == nil {
		return
	}
	d.line("## Memory\n")
	d.line("What stays on the heap of many parsed copies of a claim when all else is collected, in bytes per byte of claim.\n")
	var rows [][]string
	for _, k := range r.memory {
		rows = append(rows, []string{number(float64(k.rules)), number(float64(k.claim)), ratio(k.policy), ratio(k.tree)})
	}
	d.table([]string{"rules", "bytes of claim", "`Policy`", "`map[string]any`"}, rows)
}

// A goal is a ratio to reach, of which the cases are collected.
type goal struct {
	what          string
	atLeast       bool // otherwise at most
	goal, stretch float64
	worst, paired float64
	at            string
}

func (g *goal) see(at string, value, paired float64) {
	if g.at == "" || (value < g.worst) == g.atLeast {
		g.worst, g.paired, g.at = value, paired, at
	}
}

func (g *goal) row() []string {
	sign := "<="
	reached := func(limit float64) bool { return g.worst <= limit }
	if g.atLeast {
		sign = ">="
		reached = func(limit float64) bool { return g.worst >= limit }
	}
	stretch, met := "", "no"
	if reached(g.goal) {
		met = "yes"
	}
	if g.stretch > 0 {
		stretch = sign + " " + ratio(g.stretch)
		if reached(g.stretch) {
			met = "stretch"
		}
	}
	return []string{g.what, sign + " " + ratio(g.goal), stretch, ratio(g.worst), ratio(g.paired), g.at, met}
}

func (r *results) goals() [][]string {
	var rows [][]string
	add := func(g goal, see func(*goal)) {
		see(&g)
		rows = append(rows, g.row())
	}
	overSizes := func(asks []string, over, under string) func(*goal) {
		return func(g *goal) {
			for _, n := range sizes {
				for _, a := range asks {
					if m := r.decisions.of(n, a); m.has(over) && m.has(under) {
						v, p := m.ratio(over, under)
						g.see(number(float64(n))+" rules, "+a, v, p)
					}
				}
			}
		}
	}
	atFour := func(name string) func(*goal) {
		return func(g *goal) {
			m := r.decisions.of(4, askHit)
			v, p := m.ratio(name, ours.name)
			g.see("4 rules, "+askHit, v, p)
		}
	}
	if r.decisions != nil {
		add(goal{what: "`Allowed`, hit or deepest, against three map look-ups", goal: 1, stretch: 0.75}, overSizes([]string{askHit, askDeepest}, ours.name, threeLookups))
		add(goal{what: "`Allowed`, a miss, against one map look-up", goal: 1.5}, overSizes([]string{askMiss}, ours.name, oneLookup))
		add(goal{what: "the same, against one of an absent key", goal: 1.5}, overSizes([]string{askMiss}, ours.name, absentLookup))
		add(goal{what: "hit: times as fast as the hand-written walk", atLeast: true, goal: 4, stretch: 6}, overSizes([]string{askHit}, handWritten.name, ours.name))
		add(goal{what: "deepest: times as fast as the hand-written walk", atLeast: true, goal: 10, stretch: 15}, overSizes([]string{askDeepest}, handWritten.name, ours.name))
		for _, peer := range []struct {
			name string
			goal float64
		}{{casbinCached.name, 6}, {cedarPolicies.name, 80}, {cedarTags.name, 80}, {casbinPlain.name, 300}, {opa.name, 800}} {
			add(goal{what: "times as fast as " + peer.name, atLeast: true, goal: peer.goal}, atFour(peer.name))
		}
	}
	if r.rotation != nil {
		add(goal{what: "growth in rotation from 4 to 100,000 rules, against that of one look-up", goal: 1}, r.seeGrowth(oneLookup))
		add(goal{what: "the same, against that of three look-ups", goal: 1}, r.seeGrowth(threeLookups))
	}
	if r.open != nil {
		add(goal{what: "an identifier left open that no rule is about, against one said to be none", goal: 1.05}, func(g *goal) {
			for _, c := range r.open.cases {
				if c.what == openPlain {
					v, p := c.ratio(leftOpen, closed)
					g.see(number(float64(c.rules))+" rules", v, p)
				}
			}
		})
	}
	if r.allocations != nil {
		add(goal{what: "allocations of `Allowed`, and of `Check` and `Decide` when allowed"}, func(g *goal) {
			for _, a := range r.allocations {
				g.see(a.name, a.allow, math.NaN())
				if a.allowed {
					g.see(a.name, max(a.check, a.decide), math.NaN())
				}
			}
		})
		add(goal{what: "the same of `Decide` always (a stretch)"}, func(g *goal) {
			for _, a := range r.allocations {
				g.see(a.name, a.decide, math.NaN())
			}
		})
	}
	if r.parsing != nil {
		add(goal{what: "`Parse` against `json.Valid`, 1.5 KB and 40 KB", goal: 0.7, stretch: 0.5}, func(g *goal) {
			for _, c := range r.parsing.cases[1:] {
				v, p := c.ratio(parse, jsonValid)
				g.see(c.what, v, p)
			}
		})
		add(goal{what: "`Parse`: times as fast as `json.Unmarshal` into `map[string]any`", atLeast: true, goal: 5, stretch: 8}, func(g *goal) {
			for _, c := range r.parsing.cases {
				v, p := c.ratio(jsonUnmarshal, parse)
				g.see(c.what, v, p)
			}
		})
	}
	if r.parsing != nil {
		few, many := r.parsing.cases[0], r.parsing.cases[len(r.parsing.cases)-1]
		of := func(c measured) float64 { return r.parseAllocs[c.rules][c.index(parse)] }
		add(goal{what: "allocations of `Parse`, the longest claim against the shortest", goal: 1}, func(g *goal) {
			g.see(many.what, of(many)/of(few), math.NaN())
		})
		add(goal{what: "allocations of `Parse` (a stretch)", goal: 3}, func(g *goal) { g.see(many.what, of(many), math.NaN()) })
	}
	if r.requests != nil {
		add(goal{what: "a whole request against golang-jwt that ignores the claim", goal: 1}, func(g *goal) {
			for _, c := range r.requests.cases {
				v, p := c.ratio(requestOurs, requestPlain)
				g.see(c.what, v, p)
			}
		})
	}
	if r.memory != nil {
		add(goal{what: "bytes kept by a `Policy` per byte of claim, 1,000 rules and more", goal: 2, stretch: 1.3}, func(g *goal) {
			for _, k := range r.memory {
				if k.rules >= 1_000 {
					g.see(number(float64(k.rules))+" rules", k.policy, math.NaN())
				}
			}
		})
	}
	return rows
}

func (r *results) seeGrowth(lookup string) func(*goal) {
	return func(g *goal) {
		most := sizes[len(sizes)-1]
		g.see(number(float64(most))+" rules", r.growth(ours.name, most)/r.growth(lookup, most), math.NaN())
	}
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

func answer(allowed bool) string {
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

// versions lists the contenders' modules.
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

func processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "Processor unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "model name\t: "); ok {
			return name
		}
	}
	return "Processor unknown"
}
