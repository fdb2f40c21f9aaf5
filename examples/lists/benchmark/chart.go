package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The chart is drawn by hand, because no library draws one that follows the reader's color scheme. Sizes
// are in SVG units.
const (
	chartWidth, chartHeight = 960, 560
	plotLeft, plotRight     = 90, 690
	plotTop, plotBottom     = 86, 490
	leastTime, mostTime     = 100 * time.Microsecond, 10 * time.Second
)

const chartStyle = `
  svg { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 14px; }
  .paper { fill: #ffffff; }
  text { fill: #1f2328; }
  .title { font-size: 20px; font-weight: 600; }
  .minor { fill: #59636e; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .line { fill: none; stroke-width: 2; }
  .condition { stroke-width: 4; }
  .c0 { stroke: #0a7f5a; } .d0 { fill: #0a7f5a; }
  .c1 { stroke: #0969da; } .d1 { fill: #0969da; }
  .c2 { stroke: #bc4c00; } .d2 { fill: #bc4c00; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .minor { fill: #9198a1; }
    .grid { stroke: #3d444d; }
    .c0 { stroke: #3fd6a4; } .d0 { fill: #3fd6a4; }
    .c1 { stroke: #58a6ff; } .d1 { fill: #58a6ff; }
    .c2 { stroke: #f0883e; } .d2 { fill: #f0883e; }
  }
`

// chart draws the time of a page of the few rows that the first policy allows.
func (r *results) chart() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d" role="img" aria-labelledby="title">`+"\n",
		chartWidth, chartHeight)
	fmt.Fprintf(&b, "<title id=\"title\">Time of a page, by the number of rows</title>\n<style>%s</style>\n",
		chartStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/>`+"\n", chartWidth, chartHeight)
	text := func(x, y float64, class, anchor, text string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" class="%s" text-anchor="%s">%s</text>`+"\n", x, y, class, anchor,
			text)
	}
	text(plotLeft, 34, "title", "start", "Time of a page: with the condition, and with a loop over all rows")
	text(plotLeft, 58, "minor", "start", "The policy allows ten IDs and two external IDs. Lower is better; both axes are logarithmic.")
	for t := leastTime; t <= mostTime; t *= 10 {
		y := chartY(t)
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%[3]f"/>`+"\n", plotLeft, plotRight, y)
		text(plotLeft-10, y+5, "minor", "end", t.String())
	}
	for _, n := range r.sizes {
		x := r.chartX(n)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" x2="%[1]f" y1="%d" y2="%d"/>`+"\n", x, plotTop, plotBottom)
		text(x, plotBottom+24, "minor", "middle", thousands(n))
	}
	text((plotLeft+plotRight)/2, plotBottom+50, "", "middle", "rows of the owner")

	type label struct {
		y     float64
		color int
		text  string
	}
	var labels []label
	few := policies()[0].name
	for color, version := range r.versions {
		name, _, _ := strings.Cut(version, " ")
		for way, about := range map[int]string{loopAll: "loop", condition: "condition"} {
			var points []string
			y := 0.0
			for _, n := range r.sizes {
				x := r.chartX(n)
				y = chartY(r.of(name, few, ways[way].name, n))
				points = append(points, fmt.Sprintf("%.1f,%.1f", x, y))
				fmt.Fprintf(&b, `<circle class="d%d" cx="%.1f" cy="%.1f" r="3.5"/>`+"\n", color, x, y)
			}
			class := fmt.Sprintf("line c%d", color)
			if way == condition {
				class += " condition"
			}
			fmt.Fprintf(&b, `<polyline class="%s" points="%s"/>`+"\n", class, strings.Join(points, " "))
			labels = append(labels, label{y: y, color: color, text: name + ", " + about})
		}
	}
	// Labels beside the ends of their lines, moved down where they would touch.
	slices.SortFunc(labels, func(a, b label) int { return cmp.Compare(a.y, b.y) })
	for i := range labels {
		if i > 0 {
			labels[i].y = max(labels[i].y, labels[i-1].y+18)
		}
		fmt.Fprintf(&b, `<rect class="d%d" x="%d" y="%.1f" width="12" height="4"/>`+"\n", labels[i].color,
			plotRight+10, labels[i].y-2)
		text(plotRight+28, labels[i].y+5, "", "start", labels[i].text)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func (r *results) chartX(rows int) float64 {
	first, last := math.Log(float64(r.sizes[0])), math.Log(float64(r.sizes[len(r.sizes)-1]))
	if first == last {
		return plotLeft
	}
	return plotLeft + (plotRight-plotLeft)*(math.Log(float64(rows))-first)/(last-first)
}

func chartY(t time.Duration) float64 {
	return plotBottom - (plotBottom-plotTop)*math.Log(float64(t)/float64(leastTime))/math.Log(float64(mostTime)/float64(leastTime))
}
