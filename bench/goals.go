package main

import "math"

// A goal is a ratio to reach. It has the worst of its cases.
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
	sign := "≤"
	reached := func(limit float64) bool { return g.worst <= limit }
	if g.atLeast {
		sign = "≥"
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

// goals returns a row for each goal whose section ran.
func (r *results) goals() (rows [][]string) {
	add := func(g goal, see func(*goal)) {
		see(&g)
		rows = append(rows, g.row())
	}
	over := func(asks []string, above, below string) func(*goal) {
		return func(g *goal) {
			for _, n := range sizes {
				for _, a := range asks {
					m := r.decisions.of(n, a)
					v, p := m.ratio(above, below)
					g.see(number(float64(n))+" rules, "+a, v, p)
				}
			}
		}
	}
	if r.decisions != nil {
		built, strings := builtBefore.of(ours.name), fromStrings.of(ours.name)
		misses := []string{askMiss, askInside}
		add(goal{what: "ask a built target, hit, against three map look-ups", goal: 0.5, stretch: 0.35}, over([]string{askHit}, built, threeLookups))
		add(goal{what: "the same, deepest", goal: 0.6, stretch: 0.35}, over([]string{askDeepest}, built, threeLookups))
		add(goal{what: "the same, a miss", goal: 0.6, stretch: 0.35}, over(misses, built, threeLookups))
		add(goal{what: "**build a target from strings and ask once**, hit, against the same", goal: 1.2, stretch: 1}, over([]string{askHit}, strings, threeLookups))
		add(goal{what: "the same, deepest", goal: 2, stretch: 1.6}, over([]string{askDeepest}, strings, threeLookups))
		found := []string{askHit, askDeepest}
		add(goal{what: "from strings: times as fast as the hand-written walk that validates its question", atLeast: true, goal: 3, stretch: 6},
			over(found, fromStrings.of(walkValidating.name), strings))
		add(goal{what: "the same, the careless walk", atLeast: true, goal: 1.5, stretch: 3}, over(found, fromStrings.of(walkCareless.name), strings))
		for _, peer := range []struct {
			what  string
			names []string
		}{
			{"casbin with a warm cache", []string{casbinCached.name}},
			{"cedar-go, its best model", []string{cedarCandidates.name, cedarTags.name, cedarPolicies.name}},
			{"casbin", []string{casbinPlain.name}},
			{"OPA", []string{opaPrepared.name}},
		} {
			add(goal{what: "from strings, 4 rules: times as fast as " + peer.what, atLeast: true, goal: 1}, func(g *goal) {
				for _, a := range found {
					for _, name := range peer.names {
						m := r.decisions.of(4, a)
						v, p := m.ratio(fromStrings.of(name), strings)
						g.see(a+", "+name, v, p)
					}
				}
			})
		}
	}
	if r.growth != nil {
		for _, f := range []form{fromStrings, builtBefore} {
			add(goal{what: "growth from 4 to 100,000 rules, " + string(f) + ", against that of a map look-up", goal: 1}, func(g *goal) {
				most := sizes[len(sizes)-1]
				g.see("", r.grown(f.of(ours.name), most)/r.grown(oneLookup, most), math.NaN())
			})
		}
	}
	if r.parsing != nil {
		add(goal{what: "`Parse` against `json.Valid`, 1.5 KB and 40 KB", goal: 0.7, stretch: 0.5}, func(g *goal) {
			for _, c := range r.parsing.cases[1:3] {
				v, p := c.ratio(parse, jsonValid)
				g.see(c.what, v, p)
			}
		})
		add(goal{what: "`Parse`: times as fast as `json.Unmarshal` into a map", atLeast: true, goal: 4, stretch: 6}, func(g *goal) {
			for _, c := range r.parsing.cases {
				v, p := c.ratio(jsonUnmarshal, parse)
				g.see(c.what, v, p)
			}
		})
	}
	if r.requests != nil {
		add(goal{what: "a whole request against golang-jwt that ignores the claim", goal: 0.9, stretch: 0.85}, func(g *goal) {
			for _, c := range r.requests.cases {
				v, p := c.ratio(requestOurs, requestIgnored)
				g.see(c.what, v, p)
			}
		})
		again := func(cases []measured) func(*goal) {
			return func(g *goal) {
				for _, c := range cases {
					v, p := c.ratio(requestAgain, requestIgnored)
					g.see(c.what, v, p)
				}
			}
		}
		add(goal{what: "**a repeated token**, its signature remembered, against the same, claims up to 1.5 KB", goal: 0.25, stretch: 0.15},
			again(r.requests.cases[:2]))
		add(goal{what: "the same, 40 KB", goal: 0.5, stretch: 0.4}, again(r.requests.cases[2:]))
	}
	if r.unknown != nil {
		for _, of := range []struct {
			what  string
			cases []string
			goal  float64
		}{
			{"something unknown that no rule denies by, against all known", []string{noRuleDenies}, 1.1},
			{"something unknown that 100 rules deny by, against all known", []string{hundredRules, hundredOutside}, 20},
		} {
			add(goal{what: of.what, goal: of.goal}, func(g *goal) {
				for _, n := range sizes[1:] {
					for _, what := range of.cases {
						m := r.unknown.of(n, what)
						v, p := m.ratio(oneUnknown, allKnown)
						g.see(number(float64(n))+" rules, "+what, v, p)
					}
				}
			})
		}
	}
	if r.allocations != nil {
		add(goal{what: "allocations of building a target, `Allowed`, `Decide`, and `Check` when it allows"}, func(g *goal) {
			for _, a := range r.allocations {
				if a.what != callsCheck || a.allowed {
					g.see(a.what+", "+a.question, a.count, math.NaN())
				}
			}
		})
	}
	if r.loading != nil {
		add(goal{what: "bytes kept by a `Policy` for each byte of claim, 1,000 rules and more", goal: 1.5, stretch: 1}, func(g *goal) {
			for _, l := range r.loading {
				if l.name == ours.name && l.rules >= 1_000 {
					g.see(number(float64(l.rules))+" rules", l.kept, math.NaN())
				}
			}
		})
	}
	if r.goroutines != nil {
		add(goal{what: "goroutines: decisions a second on all cores, against one core, for each core", atLeast: true, goal: 0.9}, func(g *goal) {
			for _, p := range r.goroutines {
				if p.name == ours.name {
					g.see("", p.all/p.one/float64(r.cores), math.NaN())
				}
			}
		})
	}
	return rows
}

// grown returns the time of something at n rules, divided by its time at the fewest rules.
func (r *results) grown(name string, n int) float64 {
	return r.growth.of(n, allRules).min(name) / r.growth.of(sizes[0], allRules).min(name)
}
