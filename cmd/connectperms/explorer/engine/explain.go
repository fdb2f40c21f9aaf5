package engine

import (
	"slices"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/internal/proposal"
)

type explainAnswer struct {
	written
	Allowed bool                    `json:"allowed"`
	Answer  string                  `json:"answer"`
	Reason  permissions.Reason      `json:"reason"`
	Text    string                  `json:"text,omitempty"`
	Summary string                  `json:"summary"`
	Rule    *ruleRef                `json:"rule,omitempty"`
	Unknown permissions.Identifiers `json:"unknown"`
	ActsOn  string                  `json:"actsOn"`
	New     bool                    `json:"new"`
	Steps   []step                  `json:"steps"`
	Omitted int                     `json:"omitted"`
	Hint    string                  `json:"hint"`
	Changes []change                `json:"changes"`
}

type step struct {
	Rule    *ruleRef                `json:"rule"`
	Outcome permissions.Outcome     `json:"outcome"`
	Text    string                  `json:"text"`
	By      *ruleRef                `json:"by,omitempty"`
	Level   string                  `json:"level,omitempty"`
	Unknown permissions.Identifiers `json:"unknown,omitempty"`
}

// explain explains an answer. A brief explanation is for what people look at first. It leaves out the rules that do
// not apply, and the lines of text, and has a hint only if it has no change. Only that hint takes longer for a large
// claim.
func (e *Engine) explain(r *Request) (any, error) {
	brief := r.flag("brief")
	q, err := r.asked()
	if err != nil {
		return nil, err
	}
	c, v, err := e.claimOf(q)
	if err != nil {
		return nil, err
	}
	candidates := c.candidatesFor(q.target)
	if !brief {
		candidates.policy, candidates.numbers = c.policy, c.numbers
	}
	x := candidates.policy.Explain(q.action, q.target)
	answer := explainAnswer{
		Allowed: x.Decision.Allowed, Answer: answerOf(x.Decision), Reason: x.Decision.Reason,
		Summary: x.Decision.String(), Rule: c.ref(candidates.number(x.Decision.Rule), v),
		Unknown: x.Decision.Unknown, ActsOn: x.ActsOn.String(), New: x.New,
		Steps: []step{}, Omitted: x.Omitted, Hint: x.Hint, Changes: []change{},
	}
	if answer.written, err = q.written(); err != nil {
		return nil, err
	}
	for _, s := range x.Steps {
		if brief && (s.Outcome == permissions.OutcomeNoMatch || s.Outcome == permissions.OutcomeDeeper) {
			continue
		}
		answer.Steps = append(answer.Steps, step{
			Rule: c.ref(candidates.number(s.Rule), v), Outcome: s.Outcome, Text: s.String(),
			By: c.ref(candidates.number(s.By), v), Level: s.Level.String(), Unknown: s.Unknown,
		})
	}
	if !answer.Allowed {
		answer.Changes = c.changes(x, &candidates)
	}
	if !brief {
		answer.Text = x.String()
		return answer, nil
	}
	answer.Hint = ""
	if !answer.Allowed && len(answer.Changes) == 0 {
		answer.Hint = x.Hint
		if candidates.policy != c.policy {
			answer.Hint = c.policy.Explain(q.action, q.target).Hint
		}
	}
	answer.Omitted = len(c.rules) - len(answer.Steps)
	return answer, nil
}

// A change is another question, or an edit of the claim, with which the answer is yes or, in place of undetermined,
// no.
type change struct {
	Kind    string              `json:"kind"` // "question" or "claim"
	Summary string              `json:"summary"`
	Target  *permissions.Target `json:"target,omitempty"` // of a question
	Answer  string              `json:"answer,omitempty"` // of a question
	Edit    *textEdit           `json:"edit,omitempty"`   // of a claim

	path  []permissions.Scope // of the rule that an edit changes or adds, and what it grants then
	grant []permissions.Permission
}

const (
	maxChanges  = 5     // how many questions are proposed
	maxCompared = 2_000 // the rules of a claim up to which a new rule is proposed, because the whole claim is compared
)

// changes returns the changes that lead to another answer. Each has been tried.
func (c *claim) changes(x permissions.Explanation, candidates *candidates) []change {
	changes := []change{}
	isUseful := map[permissions.Target]bool{x.Target: false} // for the targets that were tried
	ask := func(t permissions.Target) bool {
		useful, tried := isUseful[t]
		if tried || len(changes) == maxChanges || t.Err() != nil {
			return useful
		}
		d := c.policy.Decide(x.Action, t)
		useful = d.Allowed || x.Decision.Reason == permissions.ReasonUndetermined && answerOf(d) == "no"
		if isUseful[t] = useful; useful {
			summary := "ask about " + t.String()
			changes = append(changes, change{Kind: "question", Summary: summary, Target: &t, Answer: answerOf(d)})
		}
		return useful
	}
	if x.Decision.Reason == permissions.ReasonUndetermined && !ask(absent(x.Target, permissions.KindUser)) {
		ask(absent(x.Target, x.ActsOn))
	}
	for _, s := range x.Steps {
		rule := s.Rule
		switch s.Outcome {
		case permissions.OutcomeUndetermined:
			rule = s.By
		case permissions.OutcomeDeeper:
			if x.Action == permissions.CredentialWrite {
				continue // to connect a credential is not asked of a configuration
			}
		case permissions.OutcomeConditional:
		default:
			continue
		}
		if t := named(x.Target, rule); !ask(t) {
			ask(absent(t, x.ActsOn))
		}
	}
	return append(changes, c.edits(x, candidates)...)
}

// absent returns t with every unknown identifier absent. It adds the levels down to the given one that t lacks, with
// both identifiers absent.
func absent(t permissions.Target, to permissions.Kind) permissions.Target {
	return rebuild(t, max(t.Level(), to), func(which permissions.Identifiers) permissions.Identifier {
		if which == permissions.CredentialID || which == permissions.ConfigurationID {
			return permissions.NoID()
		}
		return permissions.NoExternalID()
	})
}

// named returns t with its unknown identifiers as a rule names them, and with the levels of the rule that t lacks.
// In place of the user it is about the rule's integration, unless that is a wildcard.
func named(t permissions.Target, rule permissions.Rule) permissions.Target {
	path := rule.Path()
	if len(path) == 0 {
		return t
	}
	if t.Level() == permissions.KindUser && !path[0].IsWildcard() {
		t = permissions.Integration(path[0].Name())
	}
	to := max(t.Level(), path[len(path)-1].Kind())
	return rebuild(t, to, func(which permissions.Identifiers) permissions.Identifier {
		for _, scope := range path {
			switch {
			case scope.IsWildcard() || identifier(scope) != which:
			case scope.IsExternal():
				return permissions.ExternalID(scope.Name())
			default:
				return permissions.ID(scope.Name())
			}
		}
		return permissions.Identifier{}
	})
}

// identifier returns which identifier a scope names.
func identifier(s permissions.Scope) permissions.Identifiers {
	for _, l := range levels {
		if s.Kind() == l.kind && s.IsExternal() {
			return l.externalID
		}
		if s.Kind() == l.kind {
			return l.id
		}
	}
	return permissions.IntegrationName
}

// rebuild returns t down to the level to, with each unknown identifier replaced by what fill returns, where the zero
// Identifier leaves it unknown. The user stays the user.
func rebuild(
	t permissions.Target, to permissions.Kind, fill func(permissions.Identifiers) permissions.Identifier,
) permissions.Target {
	name, state := t.Lookup(permissions.IntegrationName)
	if state != permissions.Known {
		return t
	}
	out := permissions.Integration(name)
	for _, l := range levels {
		if to < l.kind {
			break
		}
		var ids []permissions.Identifier
		for _, which := range []permissions.Identifiers{l.id, l.externalID} {
			id := identifierOf(t, which)
			if id == (permissions.Identifier{}) {
				id = fill(which)
			}
			if id != (permissions.Identifier{}) {
				ids = append(ids, id)
			}
		}
		if l.kind == permissions.KindCredential {
			out = out.Credential(ids...)
		} else {
			out = out.Configuration(ids...)
		}
	}
	return out
}

// identifierOf returns what is known of an identifier, and the zero Identifier for what is unknown.
func identifierOf(t permissions.Target, which permissions.Identifiers) permissions.Identifier {
	isID := which == permissions.CredentialID || which == permissions.ConfigurationID
	switch text, state := t.Lookup(which); {
	case state == permissions.Known && isID:
		return permissions.ID(text)
	case state == permissions.Known:
		return permissions.ExternalID(text)
	case state == permissions.Absent && isID:
		return permissions.NoID()
	case state == permissions.Absent:
		return permissions.NoExternalID()
	}
	return permissions.Identifier{}
}

// edits returns edits of the claim with which the question is allowed. One lets the rule that denies, or may deny,
// grant the action too. The other one is a new rule for what the question is about. It grants the action and what is
// allowed there already. Each edit has been tried on the rules that can have a say in the answer.
//
// A new rule is left out if the question is about the user, if the path has a rule, or if a scope above it has a
// grant, because a claim cannot give that scope a map too. It is also left out if it would take something away, if it
// would allow anything but the action and what that includes, if the answer is undetermined, or if the claim has more
// than maxCompared rules.
func (c *claim) edits(x permissions.Explanation, candidates *candidates) []change {
	var changes []change
	add := func(what string, path []permissions.Scope, grant []permissions.Permission, edit textEdit) {
		if c.allowedWith(x, candidates, path, grant) {
			changes = append(changes, change{
				Kind: "claim", Summary: "add " + what, Edit: &edit, path: path, grant: grant,
			})
		}
	}
	if rule := candidates.denial(x); rule >= 0 {
		if edit, ok := c.grantMore(rule, x.Action); ok {
			add(string(x.Action)+" to "+c.rules[rule].String(), c.paths[rule], with(c.rules[rule].Grant(), x.Action), edit)
		}
	}
	path := c.pathOf(x.Target, x.ActsOn)
	if row := c.rows().rowOf(path); len(path) == 0 || row >= 0 && c.rows().rows[row].own[0] >= 0 {
		return changes
	}
	if x.Decision.Reason == permissions.ReasonUndetermined || len(c.rules) > maxCompared {
		return changes // where the answer is undetermined, a rule would override the one that may deny
	}
	grant := slices.Collect(proposal.Grant(c.policy, x.Target, x.ActsOn, x.Action).All())
	all := make([]int, len(c.rules))
	for i := range all {
		all[i] = i
	}
	after, err := c.policyOf(all, path, grant)
	if err != nil || !proposal.AddsOnly(c.policy, after, x.Action) {
		return changes
	}
	if edit, ok := c.addRule(path, grant); ok {
		add("a rule for "+pathText(path), path, grant, edit)
	}
	return changes
}

// with returns the permissions of a grant and one more.
func with(grant permissions.PermissionSet, action permissions.Permission) []permissions.Permission {
	var names []permissions.Permission
	for p := range grant.All() {
		names = append(names, p)
	}
	return append(names, action)
}

// pathOf returns the path of a rule for what an action on a target is about: as deep as what the action acts
// on, with the names that are known. It is empty for the user. A scope for which isAnyOther holds becomes a
// wildcard.
func (c *claim) pathOf(t permissions.Target, actsOn permissions.Kind) []permissions.Scope {
	name, state := t.Lookup(permissions.IntegrationName)
	if state != permissions.Known {
		return nil
	}
	texts := []string{"integration:" + name}
	for _, l := range levels {
		if max(t.Level(), actsOn) < l.kind {
			break
		}
		text := l.kind.String() + ":*"
		if id, state := t.Lookup(l.id); state == permissions.Known {
			text = l.kind.String() + ":" + id
		} else if id, state := t.Lookup(l.externalID); state == permissions.Known {
			text = l.kind.String() + ":ext:" + id
		}
		texts = append(texts, text)
	}
	var path []permissions.Scope
	for _, text := range texts {
		scope, err := permissions.ParseScope(text)
		if err != nil {
			return nil
		}
		if c.isAnyOther(scope) {
			scope = anyOf[scope.Kind()]
		}
		path = append(path, scope)
	}
	return path
}

// isAnyOther reports whether a scope has a name such as newUnused makes, and no rule names that scope.
func (c *claim) isAnyOther(s permissions.Scope) bool {
	rest, ok := strings.CutPrefix(s.Name(), unusedID)
	if s.Kind() == permissions.KindIntegration {
		rest, ok = strings.CutPrefix(s.Name(), unusedIntegration)
		ok = ok && (rest == "" || rest[0] == '-')
	}
	if !ok || s.IsExternal() || strings.Trim(rest, "-0123456789") != "" {
		return false
	}
	for _, path := range c.paths {
		if slices.Contains(path, s) {
			return false
		}
	}
	return true
}

// pathText returns a path for people, as Rule.String does.
func pathText(path []permissions.Scope) string {
	var labels []string
	for _, scope := range path {
		labels = append(labels, label(scope))
	}
	return strings.Join(labels, "/")
}

// denial returns the number of the rule that denies, or that may deny, or -1 if there is none.
func (cs *candidates) denial(x permissions.Explanation) int {
	if x.Decision.Rule != (permissions.Rule{}) {
		return cs.number(x.Decision.Rule)
	}
	for _, s := range x.Steps {
		if s.Outcome == permissions.OutcomeUndetermined {
			return cs.number(s.By)
		}
	}
	return -1
}
