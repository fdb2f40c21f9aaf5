package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

const chartFile = "chart.svg"

// The chart is drawn by hand, because no library draws one that follows the reader's color scheme. Sizes
// are in SVG units.
const (
	chartWidth, chartHeight     = 960, 600
	plotLeft, plotRight         = 90, 690
	plotTop, plotBottom         = 86, 530
	leastTime, mostTime         = 10.0, 10e6 // ns
	labelDistance, labelAdvance = 10, 17
)

const chartStyle = `
  svg { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 14px; }
  .paper { fill: #ffffff; }
  text { fill: #1f2328; }
  .title { font-size: 20px; font-weight: 600; }
  .minor { fill: #59636e; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .line { fill: none; stroke-width: 1.8; }
  .ours { stroke-width: 4; }
  .limit { stroke-dasharray: 5 4; }
  .label-ours { font-weight: 600; }
%s
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .minor { fill: #9198a1; }
    .grid { stroke: #3d444d; }
%s
  }
`

// A curve is a line of the chart: a contender, and its colors on white and on black.
type curve struct {
	name, label, light, dark string
}

var curves = []curve{
	{fromStrings.of(ours.name), "this library", "#0a7f5a", "#3fd6a4"},
	{threeLookups, "three map look-ups", "#57606a", "#b1bac4"},
	{fromStrings.of(walkCareless.name), "hand-written walk, careless", "#0969da", "#58a6ff"},
	{fromStrings.of(walkValidating.name), "hand-written walk, validating", "#1b3fae", "#8db4ff"},
	{fromStrings.of(casbinCached.name), "casbin, warm cache", "#bc4c00", "#f0883e"},
	{fromStrings.of(casbinPlain.name), "casbin", "#953800", "#ffa657"},
	{fromStrings.of(cedarCandidates.name), "cedar-go, candidate rules", "#8250df", "#bc8cff"},
	{fromStrings.of(cedarTags.name), "cedar-go, tags", "#6639ba", "#d2a8ff"},
	{fromStrings.of(cedarPolicies.name), "cedar-go, a policy for each rule", "#a475f9", "#e2c5ff"},
	{fromStrings.of(opaPrepared.name), "OPA, prepared query", "#bf3989", "#ff7bc5"},
}

// chart draws what a hit from strings takes, by the size of the claim.
func (r *results) chart() []byte {
	var light, dark strings.Builder
	for i, c := range curves {
		fmt.Fprintf(&light, "  .c%d { stroke: %s; } .d%[1]d { fill: %[2]s; }\n", i, c.light)
		fmt.Fprintf(&dark, "    .c%d { stroke: %s; } .d%[1]d { fill: %[2]s; }\n", i, c.dark)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-labelledby="title">`+"\n",
		chartWidth, chartHeight)
	fmt.Fprintf(&b, "<title id=\"title\">Time of one decision from strings, by rules in the claim</title>\n<style>%s</style>\n",
		fmt.Sprintf(chartStyle, strings.TrimRight(light.String(), "\n"), strings.TrimRight(dark.String(), "\n")))
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/>`+"\n", chartWidth, chartHeight)
	text := func(x, y float64, class, anchor, text string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor, text)
	}
	text(plotLeft, 34, "title", "start", "Time of one decision: build the question from strings and ask once")
	text(plotLeft, 58, "minor", "start", "A credential that a rule names. "+machine()+". Lower is better; both axes are logarithmic.")

	for t := time.Duration(leastTime); t <= time.Duration(mostTime); t *= 10 {
		y := chartY(float64(t))
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%[3]f"/>`+"\n", plotLeft, plotRight, y)
		text(plotLeft-10, y+5, "minor", "end", unit(t))
	}
	for _, n := range sizes {
		x := chartX(n)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%[1]f" y1="%d" y2="%d"/>`+"\n", x, plotTop, plotBottom)
		text(x, plotBottom+24, "minor", "middle", number(float64(n)))
	}
	text((plotLeft+plotRight)/2, plotBottom+52, "", "middle", "rules in the claim")
	fmt.Fprintf(&b, `<text transform="translate(24 %d) rotate(-90)" text-anchor="middle">time of a decision (ns, µs, ms), least of the run</text>`+"\n",
		(plotTop+plotBottom)/2)

	type label struct {
		curve int
		y     float64
	}
	var labels []label
	for i, c := range slices.Backward(curves) {
		var points []string
		x, y := 0.0, 0.0
		for _, n := range sizes {
			if m := r.decisions.of(n, askHit); m.has(c.name) {
				x, y = chartX(n), chartY(m.min(c.name))
				points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
				fmt.Fprintf(&b, `<circle class="d%d" cx="%.1f" cy="%.1f" r="3.5"/>`+"\n", i, x, y)
			}
		}
		class := fmt.Sprintf("line c%d", i)
		switch c.name {
		case fromStrings.of(ours.name):
			class += " ours"
		case threeLookups:
			class += " limit"
		}
		fmt.Fprintf(&b, `<polyline class="%s" points="%s"/>`+"\n", class, strings.Join(points, " "))
		if x < plotRight {
			text(x+labelDistance, y+5, "", "start", c.label) // it ends early
		} else {
			labels = append(labels, label{i, y})
		}
	}
	// Labels beside the ends of their lines, from the top down, moved apart where they would touch.
	slices.SortFunc(labels, func(a, b label) int { return int(math.Copysign(1, a.y-b.y)) })
	for i := range labels {
		if i > 0 {
			labels[i].y = max(labels[i].y, labels[i-1].y+labelAdvance)
		}
	}
	for i := len(labels) - 1; i >= 0; i-- { // and up again from the bottom
		limit := float64(plotBottom)
		if i+1 < len(labels) {
			limit = labels[i+1].y - labelAdvance
		}
		labels[i].y = min(labels[i].y, limit)
	}
	for _, l := range labels {
		class := ""
		if curves[l.curve].name == fromStrings.of(ours.name) {
			class = "label-ours"
		}
		fmt.Fprintf(&b, `<rect class="d%d" x="%d" y="%.1f" width="12" height="4"/>`+"\n", l.curve, plotRight+labelDistance, l.y-2)
		text(plotRight+labelDistance+18, l.y+5, class, "start", curves[l.curve].label)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func chartX(rules int) float64 {
	first, last := math.Log(float64(sizes[0])), math.Log(float64(sizes[len(sizes)-1]))
	return plotLeft + (plotRight-plotLeft)*(math.Log(float64(rules))-first)/(last-first)
}

func chartY(ns float64) float64 {
	return plotBottom - (plotBottom-plotTop)*math.Log(ns/leastTime)/math.Log(mostTime/leastTime)
}

// unit writes a time with a space before its unit.
func unit(t time.Duration) string {
	s := t.String()
	return strings.TrimRight(s, "nµms") + " " + strings.TrimLeft(s, "0123456789")
}
