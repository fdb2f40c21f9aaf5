package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

// How many findings and changes an answer has, unless the request says otherwise, and how many changes its text has.
const (
	findingsAtOnce = 500
	changesAtOnce  = 200
	changesInText  = 20
)

// A window is a part of a list.
type window struct{ from, count int }

func (r *Request) window() window { return window{r.number("from"), r.number("count")} }

// of returns where the window begins and ends in a list. A count of 0 means atOnce.
func (w window) of(total, atOnce int) (from, to int) {
	if w.count > 0 {
		atOnce = min(w.count, maxRows)
	}
	from = min(w.from, total)
	return from, min(from+atOnce, total)
}

type lintAnswer struct {
	Total    int       `json:"total"`
	Findings []finding `json:"findings"`
}

type finding struct {
	Index   int          `json:"index"`
	Code    analyze.Code `json:"code"`
	Message string       `json:"message"`
	keyedPlace
	Fix fixSummary `json:"fix"`
}

type fixSummary struct {
	Summary        string   `json:"summary"`
	HasEdit        bool     `json:"hasEdit"`
	ChangesAnswers []string `json:"changesAnswers"`
}

func (e *Engine) lint(r *Request) (any, error) {
	handle, part := r.Text("claim"), r.window()
	if err := r.End(); err != nil {
		return nil, err
	}
	c, err := e.claim(handle)
	if err != nil {
		return nil, err
	}
	all := c.findings()
	from, to := part.of(len(all), findingsAtOnce)
	answer := lintAnswer{Total: len(all), Findings: []finding{}}
	for i := from; i < to; i++ {
		f, fix := all[i], all[i].Fix()
		summary := fixSummary{fix.Summary, len(fix.Edits) > 0, []string{}}
		for _, region := range fix.Changes {
			if len(summary.ChangesAnswers) == maxChanges {
				summary.ChangesAnswers = append(summary.ChangesAnswers, fmt.Sprintf("and %d more", len(fix.Changes)-maxChanges))
				break
			}
			summary.ChangesAnswers = append(summary.ChangesAnswers, region.String())
		}
		answer.Findings = append(answer.Findings, finding{i, f.Code, f.Message, c.pointerPlace(f.Pointer()), summary})
	}
	return answer, nil
}

type fixAnswer struct {
	Edit textEdit `json:"edit"`
}

func (e *Engine) fix(r *Request) (any, error) {
	handle, number := r.Text("claim"), r.number("finding")
	if err := r.End(); err != nil {
		return nil, err
	}
	c, err := e.claim(handle)
	if err != nil {
		return nil, err
	}
	all := c.findings()
	if number >= len(all) {
		return nil, Problem("request", fmt.Sprintf("there is no finding %d", number))
	}
	text, err := c.fixed(all[number].Fix())
	if err != nil {
		return nil, err
	}
	return fixAnswer{c.editTo(text)}, nil
}

// A difference is what changes from the first claim of a view to the second one.
type difference struct{ analyze.Difference }

func onceDifference(claims []*claim) func() *difference {
	return sync.OnceValue(func() *difference {
		return &difference{analyze.Diff(claims[0].policy, claims[len(claims)-1].policy)}
	})
}

type diffAnswer struct {
	Summary analyze.Relation `json:"summary"`
	Total   int              `json:"total"`
	Changes []diffChange     `json:"changes"`
	Text    string           `json:"text"`
}

type diffChange struct {
	Index       int                      `json:"index"`
	Change      string                   `json:"change"`
	Permissions []permissions.Permission `json:"permissions"`
	Region      string                   `json:"region"`
	Scopes      []permissions.Scope      `json:"scopes"`
	Row         int                      `json:"row"`
	Only        string                   `json:"only"`
	Unchanged   string                   `json:"unchanged"`
	Partly      string                   `json:"partly"`
	Separate    string                   `json:"separate"`
	Example     example                  `json:"example"`
	Before      decided                  `json:"before"`
	After       decided                  `json:"after"`
}

type example struct {
	Action permissions.Permission `json:"action"`
	Target permissions.Target     `json:"target"`
	Text   string                 `json:"text"`
}

type decided struct {
	Answer  string   `json:"answer"`
	Summary string   `json:"summary"`
	Rule    *ruleRef `json:"rule,omitempty"`
}

func (e *Engine) diff(r *Request) (any, error) {
	before, after, part := r.Text("before"), r.Text("after"), r.window()
	if err := r.End(); err != nil {
		return nil, err
	}
	v, err := e.view([]string{before, after})
	if err != nil {
		return nil, err
	}
	d := v.difference()
	from, to := part.of(len(d.Changes), changesAtOnce)
	answer := diffAnswer{Summary: d.Relation, Total: len(d.Changes), Changes: []diffChange{}}
	for i, c := range d.Changes[from:to] {
		answer.Changes = append(answer.Changes, v.diffChange(from+i, c))
	}
	short := d.Difference
	if left := len(short.Changes) - changesInText; left > 0 {
		short.Changes = short.Changes[:changesInText]
		answer.Text = fmt.Sprintf("\n\nand %d more changes", left)
	}
	answer.Text = strings.TrimSuffix(short.String(), "\n") + answer.Text
	return answer, nil
}

func (v *view) diffChange(index int, c analyze.Change) diffChange {
	scopes := c.Region.Scopes()
	out := diffChange{
		Index: index, Change: "lost", Permissions: c.Permissions,
		Region: c.Region.String(), Scopes: scopes, Row: v.rowOf(scopes),
		Only: c.Only.String(), Unchanged: c.Unchanged.String(), Partly: c.Partly.String(), Separate: c.Separate.String(),
		Example: example{c.Example.Action, c.Example.Target, c.Example.String()},
		Before:  v.decided(0, c.Before), After: v.decided(len(v.claims)-1, c.After),
	}
	if c.After.Allowed {
		out.Change = "gained"
	}
	return out
}

func (v *view) decided(claim int, d permissions.Decision) decided {
	c := v.claims[claim]
	return decided{answerOf(d), d.String(), c.ref(c.number(d.Rule), v)}
}

func (e *Engine) narrow(r *Request) (any, error) {
	handles := r.texts("claims")
	if err := r.End(); err != nil {
		return nil, err
	}
	if len(handles) == 0 {
		return nil, Problem("request", "give the claims to narrow")
	}
	var policies []*permissions.Policy
	for _, handle := range handles {
		c, err := e.claim(handle)
		if err != nil {
			return nil, err
		}
		policies = append(policies, c.policy)
	}
	policy, err := permissions.Narrow(policies...)
	if err != nil {
		return nil, err
	}
	text, err := policy.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return textAnswer{string(text)}, nil
}

func (e *Engine) format(r *Request) (any, error) {
	text := r.Text("text")
	if err := r.End(); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "", "  "); err != nil {
		failure := Problem("syntax", err.Error())
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			at := min(max(int(syntax.Offset)-1, 0), len(text))
			place := newSource(text).place("", at, tokenEnd(text, at))
			failure.Place = &place
		}
		return nil, failure
	}
	return textAnswer{strings.TrimSpace(joinArrays(b.String()))}, nil
}

// maxArrayLine is how long an array is that stays on one line, in bytes.
const maxArrayLine = 100

// joinArrays puts every array that holds no map and no array on one line, if it fits.
func joinArrays(text string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			i = stringEnd(text, i) - 1
		case '[':
			if line, end, ok := oneLine(text, i); ok {
				b.WriteString(text[done:i])
				b.WriteString(line)
				done, i = end, end-1
			}
		}
	}
	b.WriteString(text[done:])
	return b.String()
}

// oneLine returns an array on one line, and where it ends.
func oneLine(text string, from int) (line string, end int, ok bool) {
	var items []string
	for i := from + 1; i < len(text); i++ {
		switch c := text[i]; c {
		case ']':
			line = "[" + strings.Join(items, ", ") + "]"
			return line, i + 1, len(line) <= maxArrayLine
		case '{', '[':
			return "", 0, false
		case ' ', '\n', ',':
		default:
			end := tokenEnd(text, i)
			items = append(items, text[i:end])
			i = end - 1
		}
	}
	return "", 0, false
}
