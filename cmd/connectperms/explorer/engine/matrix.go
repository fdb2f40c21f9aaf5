package engine

import (
	"encoding/json"
	"fmt"

	"github.com/connectperms/permissions"
)

// cells are the answers of a claim about a target. For each permission, in the order of vocabulary, Cells has the
// first letter of answerOf, and Rules the number of the rule that decides, or -1.
type cells struct {
	Cells string `json:"cells"`
	Rules []int  `json:"rules"`
}

func (c *claim) cells(target permissions.Target) cells {
	var out cells
	text := make([]byte, 0, len(vocabulary))
	for _, p := range vocabulary {
		d := c.policy.Decide(p.name, target)
		text = append(text, answerOf(d)[0])
		out.Rules = append(out.Rules, c.number(d.Rule))
	}
	out.Cells = string(text)
	return out
}

// answerOf returns a decision in a word: "yes", "no" or "undetermined", and "-" for a question that is invalid.
func answerOf(d permissions.Decision) string {
	switch {
	case d.Allowed:
		return "yes"
	case d.Reason == permissions.ReasonUndetermined:
		return "undetermined"
	case d.Reason == permissions.ReasonInvalidQuestion:
		return "-"
	}
	return "no"
}

type matrixAnswer struct {
	Rows []matrixRow `json:"rows"`
}

type matrixRow struct {
	Row    int             `json:"row"`
	Target json.RawMessage `json:"target"`
	Title  string          `json:"title"`
	Error  string          `json:"error,omitempty"`
	Claims []cells         `json:"claims"`
}

func (e *Engine) matrix(r *Request) (any, error) {
	claims, rows, targets := r.texts("claims"), r.numbers("rows"), r.targets("targets")
	if err := r.End(); err != nil {
		return nil, err
	}
	v, err := e.view(claims)
	if err != nil {
		return nil, err
	}
	if err := v.check(rows); err != nil {
		return nil, err
	}
	if len(targets) > maxRows {
		return nil, Problem("request", fmt.Sprintf("ask for at most %d targets", maxRows))
	}
	answer := matrixAnswer{Rows: []matrixRow{}}
	for _, at := range rows {
		out, err := v.matrixRow(v.target(v.path(at)))
		if err != nil {
			return nil, err
		}
		out.Row, out.Title = at, v.title(at)
		answer.Rows = append(answer.Rows, out)
	}
	for _, t := range targets {
		out := matrixRow{Row: -1, Target: json.RawMessage(t.text), Title: "an invalid target", Claims: []cells{}}
		if t.err != nil {
			out.Error = t.err.Error()
		} else if out, err = v.matrixRow(t.Target); err != nil {
			return nil, err
		}
		answer.Rows = append(answer.Rows, out)
	}
	return answer, nil
}

// matrixRow returns the row of a valid target.
func (v *view) matrixRow(target permissions.Target) (matrixRow, error) {
	text, err := target.MarshalJSON()
	out := matrixRow{Row: -1, Target: text, Title: target.String(), Claims: []cells{}}
	for _, c := range v.claims {
		out.Claims = append(out.Claims, c.cells(target))
	}
	return out, err
}
