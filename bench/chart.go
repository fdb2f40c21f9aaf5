package main

import (
	"bytes"
	"image/color"
	"os"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const chartFile = "chart.svg"

// chart draws what a hit costs by the size of the claim.
func (r *results) chart(file string) error {
	plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"}
	p := plot.New()
	p.Title.Text = "One decision, a credential that a rule names"
	p.X.Label.Text = "rules in the claim"
	p.Y.Label.Text = "time of a decision, least of the run"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	var rules plot.ConstantTicks
	for _, n := range sizes {
		rules = append(rules, plot.Tick{Value: float64(n), Label: number(float64(n))})
	}
	p.X.Tick.Marker = rules
	var times plot.ConstantTicks
	for ns := 10 * time.Nanosecond; ns <= 100*time.Millisecond; ns *= 10 {
		times = append(times, plot.Tick{Value: float64(ns), Label: ns.String()})
	}
	p.Y.Tick.Marker = times
	p.BackgroundColor = color.White
	p.Title.Padding = vg.Points(8)
	p.Add(plotter.NewGrid())

	names := []string{casbinPlain.name, cedarPolicies.name, opa.name, cedarTags.name, casbinCached.name, handWritten.name, ours.name, threeLookups}
	colors := []color.RGBA{
		{0xe6, 0x83, 0x10, 0xff}, {0x80, 0x80, 0x20, 0xff}, {0x7f, 0x3c, 0x8d, 0xff}, {0x39, 0x69, 0xac, 0xff},
		{0xc0, 0x60, 0x60, 0xff}, {0x80, 0x80, 0x80, 0xff}, {0x11, 0xa5, 0x79, 0xff}, {0, 0, 0, 0xff},
	}
	for i, name := range names {
		var points plotter.XYs
		for _, n := range sizes {
			if m := r.decisions.of(n, askHit); m.has(name) {
				points = append(points, plotter.XY{X: float64(n), Y: m.min(name)})
			}
		}
		line, marks, err := plotter.NewLinePoints(points)
		if err != nil {
			return err
		}
		line.Color, marks.Color, marks.Shape = colors[i], colors[i], draw.CircleGlyph{}
		line.Width = vg.Points(1.2)
		switch name {
		case ours.name:
			line.Width = vg.Points(3)
		case threeLookups:
			line.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
		}
		p.Add(line, marks)
		p.Legend.Add(name, line, marks)
	}
	p.X.Max *= 1.2
	p.Y.Min, p.Y.Max = 5, 20e6 // with room for the legend
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(2)
	canvas, err := p.WriterTo(22*vg.Centimeter, 15*vg.Centimeter, "svg")
	if err != nil {
		return err
	}
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	text := strings.ReplaceAll(svg.String(), "font-family:Liberation Sans;", "font-family:Liberation Sans,Arial,sans-serif;")
	return os.WriteFile(file, []byte(text), 0o644)
}
