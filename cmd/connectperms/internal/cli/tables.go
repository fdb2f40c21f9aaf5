package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
)

// A cell is a text in a table, in a style.
type cell struct {
	text  string
	style style
}

// table prints rows in columns. On a terminal the last column is broken so that it fits; where too little is
// left for it, it is printed on lines of its own.
func (p *printer) table(rows [][]cell) {
	var widths []int
	for _, row := range rows {
		for i, c := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], runewidth.StringWidth(c.text))
		}
	}
	const least = 20
	used := 0
	for _, w := range widths[:max(0, len(widths)-1)] {
		used += w + 2
	}
	for _, row := range rows {
		var b strings.Builder
		for i, c := range row[:len(row)-1] {
			b.WriteString(p.paint(c.style, c.text) + strings.Repeat(" ", widths[i]+2-runewidth.StringWidth(c.text)))
		}
		last := row[len(row)-1]
		switch {
		case p.width == 0 || used+runewidth.StringWidth(last.text) <= p.width:
			fmt.Fprintln(p, strings.TrimRight(b.String()+p.paint(last.style, last.text), " "))
		case p.width-used < least:
			fmt.Fprintln(p, strings.TrimRight(b.String(), " "))
			for _, line := range wrapAt("    "+last.text, p.width, 0) {
				fmt.Fprintln(p, p.paint(last.style, line))
			}
		default:
			for i, line := range wrapAt(last.text, p.width-used, 2) {
				if i > 0 {
					b.Reset()
					b.WriteString(strings.Repeat(" ", used))
				}
				fmt.Fprintln(p, b.String()+p.paint(last.style, line))
			}
		}
	}
}

func answerOf(d permissions.Decision) cell {
	switch {
	case d.Allowed:
		return cell{"yes", styleGood}
	case d.Reason == permissions.ReasonUndetermined:
		return cell{"?", styleWarn}
	case d.Reason == permissions.ReasonInvalidQuestion:
		return cell{"-", styleFaint}
	}
	return cell{"no", styleBad}
}

// why is the text of a decision without the answer.
func why(d permissions.Decision) string {
	if d.Reason == permissions.ReasonInvalidQuestion {
		return "cannot be asked of this target"
	}
	_, reason, _ := strings.Cut(d.String(), ": ")
	return recognize.Redact(reason)
}

func (a *app) permissions() *cobra.Command {
	var f asking
	c := &cobra.Command{
		Use:   "permissions",
		Short: "List what is allowed on a target",
		Long: `permissions answers every permission for one target, and names the rule that decides each of them.

yes: allowed. no: denied. ?: it depends on an identifier that is unknown, which counts as no. -: the permission
cannot be asked of this target.`,
		Example: `  connectperms permissions --claim claim.json
  connectperms permissions --integration slack --credential-external-id finance --claim claim.json
  connectperms permissions --integration slack --claim claim.json -o json`,
		Args: a.noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			target, err := f.target(c)
			if err != nil {
				return err
			}
			s, err := a.subject(c, &f)
			if err != nil {
				return err
			}
			if f.output == "json" {
				allowed := orEmpty(namesOf(s.policy.Permissions(target)))
				return a.out.json(struct {
					Verified  bool                     `json:"verified"`
					Target    permissions.Target       `json:"target"`
					Allowed   []permissions.Permission `json:"allowed"`
					Visible   bool                     `json:"visible"`
					Decisions []decided                `json:"decisions"`
				}{s.verified, target, allowed, s.policy.Visible(target), decideAll(s.policy, target)})
			}
			a.out.say(styleBold, target.String())
			var rows [][]cell
			for _, d := range decideAll(s.policy, target) {
				action, reason := cell{"  " + shown(string(d.Action)), stylePlain}, cell{why(d.Decision), stylePlain}
				rows = append(rows, []cell{action, answerOf(d.Decision), reason})
			}
			a.out.table(rows)
			return nil
		},
	}
	f.add(c)
	f.targetFlags.add(c)
	addOutputFlag(c, &f.output, "text", "json")
	return c
}

// A decided is an action with the decision about it.
type decided struct {
	Action   permissions.Permission `json:"action"`
	Decision permissions.Decision   `json:"decision"`
}

func decideAll(p *permissions.Policy, target permissions.Target) []decided {
	list := []decided{}
	for _, action := range p.Vocabulary() {
		list = append(list, decided{action, p.Decide(action, target)})
	}
	return list
}

func orEmpty[E any](list []E) []E {
	if list == nil {
		return []E{}
	}
	return list
}

// A row is a target of a matrix.
type row struct {
	label  string
	target permissions.Target
}

func (a *app) matrix() *cobra.Command {
	var f asking
	var targets string
	c := &cobra.Command{
		Use:   "matrix",
		Short: "Show a table of targets by permissions",
		Long: `matrix answers every permission for many targets, and numbers the rules that decide.

The targets are those of a file with --targets, a list in JSON or YAML. Otherwise they are what the claim names:
for each scope in it something that the scope covers, with names that the claim does not have where the scope is
a wildcard. Where a scope names an ID, the external ID is unknown, and the reverse, as in a request that gives only
one of them. Name both with --targets.`,
		Example: `  connectperms matrix --claim claim.json
  connectperms matrix --targets targets.yaml --claim claim.json -o json`,
		Args: a.noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var rows []row
			if targets != "" {
				var err error
				if rows, err = a.readTargets(targets); err != nil {
					return err
				}
			}
			s, err := a.subject(c, &f)
			if err != nil {
				return err
			}
			if targets == "" {
				rows = rowsOf(s.policy)
			}
			if f.output == "json" {
				return a.matrixJSON(s, rows)
			}
			a.sayMatrix(s.policy, rows)
			return nil
		},
	}
	f.add(c)
	c.Flags().StringVar(&targets, "targets", "", "read the targets from a `FILE`, or from standard input with -")
	addOutputFlag(c, &f.output, "text", "json")
	return c
}

// readTargets reads a list of targets.
func (a *app) readTargets(name string) (rows []row, err error) {
	t, err := a.read(name)
	if err != nil {
		return nil, err
	}
	list, err := document(t)
	if err != nil {
		return nil, err
	}
	if list.kind != isArray {
		return nil, t.at(0, "it is not a list of targets")
	}
	for _, item := range list.list {
		var target permissions.Target
		if err := target.UnmarshalJSON(item.json()); err != nil {
			return nil, item.err(questionError(err).Error())
		}
		rows = append(rows, row{recognize.Redact(target.String()), target})
	}
	return rows, nil
}

func (a *app) matrixJSON(s *subject, rows []row) error {
	type jsonRow struct {
		Label     string             `json:"label"`
		Target    permissions.Target `json:"target"`
		Decisions []decided          `json:"decisions"`
	}
	list := []jsonRow{}
	for _, r := range rows {
		list = append(list, jsonRow{r.label, r.target, decideAll(s.policy, r.target)})
	}
	return a.out.json(struct {
		Verified bool      `json:"verified"`
		Targets  []jsonRow `json:"targets"`
	}{s.verified, list})
}

// rowsOf returns a row for each path in a claim, for what is above them, and for the user.
func rowsOf(p *permissions.Policy) []row {
	used := map[string]bool{}
	paths := [][]permissions.Scope{{permissions.MustParseScope("integration:*")}}
	for r := range p.Rules() {
		path := r.Path()
		for i := range path {
			paths = append(paths, path[:i+1])
			used[path[i].Name()] = true
		}
	}
	slices.SortStableFunc(paths, func(a, b []permissions.Scope) int {
		return slices.CompareFunc(a, b, permissions.Scope.Compare)
	})
	paths = slices.CompactFunc(paths, slices.Equal[[]permissions.Scope])
	fresh := func(format string) string {
		for i := 1; ; i++ {
			if name := fmt.Sprintf(format, i); !used[name] {
				return name
			}
		}
	}
	other, unnamed := fresh("other-%d"), fresh("00000000-0000-4000-8000-%012d")
	rows := []row{{"the user", permissions.User()}}
	for _, path := range paths {
		target := permissions.Integration(nameOr(path[0], other))
		if len(path) > 1 {
			target = target.Credential(identified(path[1], unnamed)...)
		}
		if len(path) > 2 {
			target = target.Configuration(identified(path[2], unnamed)...)
		}
		var label []string
		for _, s := range path {
			label = append(label, scopeText(s))
		}
		rows = append(rows, row{recognize.Redact(strings.Join(label, "/")), target})
	}
	return rows
}

func nameOr(s permissions.Scope, other string) string {
	if s.IsWildcard() {
		return other
	}
	return s.Name()
}

// identified returns the identifier that a scope names, so that the other one is unknown. For a wildcard it returns
// those of something that no scope names. The explorer's page has the same rows.
func identified(s permissions.Scope, unnamed string) []permissions.Identifier {
	switch {
	case s.IsWildcard():
		return []permissions.Identifier{permissions.ID(unnamed), permissions.NoExternalID()}
	case s.IsExternal():
		return []permissions.Identifier{permissions.ExternalID(s.Name())}
	}
	return []permissions.Identifier{permissions.ID(s.Name())}
}

// scopeText is a scope for people, as [permissions.Rule.String] has it.
func scopeText(s permissions.Scope) string { return s.LogValue().String() }

// maxRows is how many targets a matrix shows in a terminal.
const maxRows = 200

func (a *app) sayMatrix(p *permissions.Policy, rows []row) {
	left := 0
	if len(rows) > maxRows {
		rows, left = rows[:maxRows], len(rows)-maxRows
	}
	var actions []string
	for _, action := range p.Vocabulary() {
		actions = append(actions, shown(string(action)))
	}
	legend := map[string]int{}
	var reasons []string
	cells := make([][]cell, len(rows))
	for i, r := range rows {
		for _, d := range decideAll(p, r.target) {
			c := answerOf(d.Decision)
			if reason := why(d.Decision); d.Decision.Reason != permissions.ReasonInvalidQuestion && reason != "" {
				if legend[reason] == 0 {
					reasons = append(reasons, reason)
					legend[reason] = len(reasons)
				}
				c.text += fmt.Sprintf(" %d", legend[reason])
			}
			cells[i] = append(cells[i], c)
		}
	}
	labelWidth := 0
	for _, r := range rows {
		labelWidth = max(labelWidth, runewidth.StringWidth(r.label))
	}
	const narrow = 60
	switch width := a.out.width; {
	case width > 0 && width < narrow:
		labelWidth = a.letterRows(rows)
	case width > 0:
		labelWidth = min(labelWidth, width*2/5)
	}
	for first := 0; first < len(actions); {
		last, used := first, labelWidth
		var widths []int
		for last < len(actions) {
			width := len(actions[last])
			for i := range rows {
				width = max(width, len(cells[i][last].text))
			}
			if last > first && a.out.width > 0 && used+2+width > a.out.width {
				break
			}
			used += 2 + width
			widths = append(widths, width)
			last++
		}
		if first > 0 {
			fmt.Fprintln(a.out)
		}
		a.sayRows(actions[first:last], rows, cells, first, labelWidth, widths)
		first = last
	}
	if left > 0 {
		a.out.sayf(styleWarn, "and %s more; -o json has all of them", plural(left, "target"))
	}
	if len(reasons) > 0 {
		fmt.Fprintln(a.out)
	}
	for i, reason := range reasons {
		a.out.item(fmt.Sprintf("%3d  ", i+1), reason)
	}
}

// letterRows prints the labels of rows and gives the rows letters in place of them, where a terminal is narrow.
func (a *app) letterRows(rows []row) (width int) {
	for i := range rows {
		letter := ""
		for n := i + 1; n > 0; n = (n - 1) / 26 {
			letter = string(rune('a'+(n-1)%26)) + letter
		}
		a.out.item(fmt.Sprintf("%3s  ", letter), rows[i].label)
		rows[i].label = letter
		width = max(width, len(letter))
	}
	fmt.Fprintln(a.out)
	return width
}

// sayRows prints the columns of some actions.
func (a *app) sayRows(
	actions []string, rows []row, cells [][]cell, first, labelWidth int, widths []int,
) {
	head := strings.Repeat(" ", labelWidth)
	for i, action := range actions {
		head += "  " + fmt.Sprintf("%-*s", widths[i], action)
	}
	fmt.Fprintln(a.out, a.out.paint(styleBold, strings.TrimRight(head, " ")))
	for i, r := range rows {
		label := wrapAt(r.label, labelWidth, 2)
		if a.out.width == 0 {
			label = []string{r.label}
		}
		var b strings.Builder
		for j := range actions {
			c := cells[i][first+j]
			b.WriteString("  " + a.out.paint(c.style, c.text))
			if j+1 < len(actions) {
				b.WriteString(strings.Repeat(" ", widths[j]-len(c.text)))
			}
		}
		if runewidth.StringWidth(slices.MaxFunc(label, byWidth)) > labelWidth {
			fmt.Fprintln(a.out, strings.Join(label, "\n")) // it is wider than its column
			label = []string{""}
		}
		fmt.Fprintln(a.out, label[0]+strings.Repeat(" ", labelWidth-runewidth.StringWidth(label[0]))+b.String())
		for _, line := range label[1:] {
			fmt.Fprintln(a.out, line)
		}
	}
}

func byWidth(a, b string) int { return runewidth.StringWidth(a) - runewidth.StringWidth(b) }
