package engine

import (
	"github.com/connectperms/permissions"
)

// maxEffects is how many rows of the matrix are named whose answers a change of the claim changes.
const maxEffects = 5

type effectsAnswer struct {
	Answers int      `json:"answers"` // how many answers of the matrix change, besides the one that was asked
	Rows    int      `json:"rows"`    // in how many rows
	First   []effect `json:"first"`
}

// An effect is a row of the matrix and the permissions whose answers change.
type effect struct {
	Scope       string                   `json:"scope"` // "" for the user
	Title       string                   `json:"title"`
	Target      permissions.Target       `json:"target"`
	Permissions []permissions.Permission `json:"permissions"`
}

// effects says which other answers of the matrix a change of the claim changes. The change is one of those that a
// brief explanation proposes.
func (e *Engine) effects(r *Request) (any, error) {
	number := r.number("change")
	q, err := r.asked()
	if err != nil {
		return nil, err
	}
	c, _, err := e.claimOf(q)
	if err != nil {
		return nil, err
	}
	candidates := c.candidatesFor(q.target)
	var changed change
	if changes := c.changes(candidates.policy.Explain(q.action, q.target), &candidates); number < len(changes) {
		changed = changes[number]
	}
	if changed.Edit == nil {
		return nil, Problem("request", "there is no such change of the claim")
	}
	var rules []int // without those that only apply in other integrations than the changed rule
	for rule, path := range c.paths {
		if overlap(path[:1], changed.path[:1]) {
			rules = append(rules, rule)
		}
	}
	before := c.candidatesOf(rules).policy
	after, err := c.policyOf(rules, changed.path, changed.grant)
	if err != nil {
		return nil, err
	}
	answer, v := effectsAnswer{First: []effect{}}, c.rows()
	for at := range v.rows {
		path := v.path(at)
		if !overlap(path, changed.path) {
			continue
		}
		row := effect{Scope: pathText(path), Title: v.title(at), Target: v.target(path)}
		for _, p := range vocabulary {
			if (p.name != q.action || row.Target != q.target) &&
				answerOf(before.Decide(p.name, row.Target)) != answerOf(after.Decide(p.name, row.Target)) {
				row.Permissions = append(row.Permissions, p.name)
			}
		}
		if len(row.Permissions) == 0 {
			continue
		}
		answer.Rows++
		answer.Answers += len(row.Permissions)
		if len(answer.First) < maxEffects {
			answer.First = append(answer.First, row)
		}
	}
	return answer, nil
}

// overlap reports whether a target can match both paths, as far as both go. An ID and an external ID overlap,
// because one object can have both.
func overlap(a, b []permissions.Scope) bool {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] && !a[i].IsWildcard() && !b[i].IsWildcard() && a[i].IsExternal() == b[i].IsExternal() {
			return false
		}
	}
	return true
}
