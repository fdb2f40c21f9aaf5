package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// A run on another machine adds a section, and a run on the same machine replaces its own.
func TestWithSection(t *testing.T) {
	const (
		first   = machineHeading + "one\n\n### Goals\n\nfirst figures\n"
		again   = machineHeading + "one\n\n### Goals\n\nnew figures\n"
		another = machineHeading + "two\n\n### Goals\n\nother figures\n"
	)
	for _, test := range []struct {
		name           string
		runs           []string
		wanted, banned []string
	}{
		{"first run", []string{first}, []string{first}, nil},
		{"another machine", []string{first, another}, []string{first, another}, nil},
		{"the same machine again", []string{first, another, again}, []string{again, another}, []string{"first figures"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := "# An older file\n"
			for _, section := range test.runs {
				text = withSection(text, section)
			}
			if !strings.HasPrefix(text, introduction()) {
				t.Error("the introduction is not at the beginning")
			}
			for _, want := range test.wanted {
				if strings.Count(text, want) != 1 {
					t.Errorf("the section is there %d times: %s", strings.Count(text, want), want)
				}
			}
			for _, banned := range append(test.banned, "An older file") {
				if strings.Contains(text, banned) {
					t.Errorf("%q is still there", banned)
				}
			}
		})
	}
}

// The report has the source of the walks, and no more of the file.
func TestIntroductionHasTheWalks(t *testing.T) {
	text := introduction()
	for _, want := range []string{"func walk(", "func walkChecked(", "func walkGoodName(", "func walkLowerUUID("} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, banned := range []string{"walk:begin", "walk:end", "walkCareless = "} {
		if strings.Contains(text, banned) {
			t.Errorf("%s is there", banned)
		}
	}
}

// The chart is well-formed, has a title, axes with units, a style for dark mode, and every contender that
// was measured.
func TestChart(t *testing.T) {
	r := &results{decisions: &section{}}
	for _, n := range sizes {
		m := measurement{rounds: [][]float64{nil}}
		for i, c := range curves {
			m.names = append(m.names, c.name)
			m.rounds[0] = append(m.rounds[0], float64(20*(i+1)))
		}
		r.decisions.add(n, askHit, m)
	}
	chart := string(r.chart())
	d := xml.NewDecoder(strings.NewReader(chart))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		"<title", "rules in the claim", "time of a decision (ns, µs, ms)", "10 ns", "1 µs", "10 ms",
		"100,000", "prefers-color-scheme: dark",
	} {
		if !strings.Contains(chart, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, c := range curves {
		if strings.Count(chart, ">"+c.label+"<") != 1 {
			t.Errorf("the label %q is there %d times", c.label, strings.Count(chart, ">"+c.label+"<"))
		}
	}
}

func TestUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{10: "10 ns", 1_000: "1 µs", 100_000: "100 µs", 10_000_000: "10 ms"} {
		if got := unit(d); got != want {
			t.Errorf("unit(%d) is %q, want %q", d, got, want)
		}
	}
}

// A goal keeps the worst of its cases, and says whether that reaches it.
func TestGoalRow(t *testing.T) {
	atMost := goal{what: "a", goal: 1, stretch: 0.5}
	atMost.see("x", 0.4, 0.4)
	atMost.see("y", 0.8, 0.9)
	atMost.see("z", 0.7, 0.7)
	atLeast := goal{what: "b", atLeast: true, goal: 3, stretch: 6}
	atLeast.see("x", 7, 7)
	atLeast.see("y", 2, 2)
	stretched := goal{what: "c", goal: 1, stretch: 0.5}
	stretched.see("x", 0.5, 0.5)
	for _, test := range []struct {
		of   goal
		want string
	}{
		{atMost, "a|≤ 1.00|≤ 0.50|0.80|0.90|y|yes"},
		{atLeast, "b|≥ 3.00|≥ 6.00|2.00|2.00|y|no"},
		{stretched, "c|≤ 1.00|≤ 0.50|0.50|0.50|x|stretch"},
	} {
		if got := strings.Join(test.of.row(), "|"); got != test.want {
			t.Errorf("the row is %s, want %s", got, test.want)
		}
	}
}
