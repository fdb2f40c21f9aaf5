package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/internal/proposal"
	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
	"github.com/connectperms/permissions/internal/text"
	"github.com/connectperms/permissions/usertoken"
)

const notVerified = "NOT VERIFIED: no key was given, so anybody may have written this token."

// An asking has the flags of a command that asks a token or a claim about a target.
type asking struct {
	inputFlags
	keyFlags
	targetFlags
	output string
}

func (f *asking) add(c *cobra.Command) {
	f.inputFlags.add(c)
	f.keyFlags.add(c)
}

// A refused is the JSON of a token that is refused.
type refused struct {
	Field   string `json:"field"`
	Found   string `json:"found,omitempty"`
	Problem string `json:"problem"`
	Remedy  string `json:"remedy,omitempty"`
}

func refusedJSON(e *usertoken.TokenError) *refused {
	if e == nil {
		return nil
	}
	problem := e.Problem
	if at := new(permissions.ParseError); errors.As(e.Err, &at) {
		problem += ": " + parseProblem(at)
	}
	return &refused{e.Field, recognize.Redact(e.Found), inFlags(problem), inFlags(e.Remedy)}
}

// subject loads what a question is asked of. If the token is refused, it prints that and returns codeNo as the error.
// If a token was not verified, it warns.
func (a *app) subject(c *cobra.Command, f *asking) (*subject, error) {
	s, refusal, err := a.loadVerified(c, &f.inputFlags, &f.keyFlags)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		if f.output == "json" {
			if err := a.out.json(struct {
				Verified bool     `json:"verified"`
				Refused  *refused `json:"refused"`
			}{false, refusedJSON(refusal)}); err != nil {
				return nil, err
			}
			return nil, exitCode(codeNo)
		}
		a.out.say(styleBad, "denied: the token is refused: "+tokenProblem(refusal))
		return nil, exitCode(codeNo)
	}
	if s.claims != nil && !s.verified {
		a.err.say(styleWarn, notVerified)
		if err := a.err.flush(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// question loads the subject and reads the question.
func (a *app) question(c *cobra.Command, f *asking, args []string) (
	*subject, permissions.Permission, permissions.Target, error,
) {
	target, err := f.target(c)
	if err != nil {
		return nil, "", target, err
	}
	if len(f.extra) == 0 {
		if _, err := action(nil, args[0]); err != nil { // before anything is read
			return nil, "", target, err
		}
	}
	s, err := a.subject(c, f)
	if err != nil {
		return nil, "", target, err
	}
	asked, err := action(s.policy, args[0])
	if err != nil {
		return nil, "", target, err
	}
	if d := s.policy.Decide(asked, target); d.Reason == permissions.ReasonInvalidQuestion {
		return nil, "", target, questionError(s.policy.Check(asked, target))
	}
	return s, asked, target, nil
}

func codeOf(d permissions.Decision) error {
	switch {
	case d.Allowed:
		return nil
	case d.Reason == permissions.ReasonUndetermined:
		return exitCode(codeUndetermined)
	}
	return exitCode(codeNo)
}

func styleOf(d permissions.Decision) style {
	switch {
	case d.Allowed:
		return styleGood
	case d.Reason == permissions.ReasonUndetermined:
		return styleWarn
	}
	return styleBad
}

// completeAction completes the names of the permissions.
func completeAction(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range permissions.AllPermissions() {
		names = append(names, string(p))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) check() *cobra.Command {
	var f asking
	c := &cobra.Command{
		Use:   "check ACTION",
		Short: "Answer whether an action is allowed on a target",
		Long: `check answers whether a token or a claim allows an action on a target, in one line.

The exit code is 0 for yes, 2 for no, and 3 if it depends on an identifier that is unknown, which counts as no.`,
		Example: `  connectperms check events --claim claim.json
  connectperms check proxy-api --integration slack --credential-external-id finance --claim claim.json
  connectperms check proxy-api --integration slack --claim claim.json -o json`,
		Args:              arguments(1, 1, "one ACTION, such as proxy-api"),
		ValidArgsFunction: completeAction,
		RunE: func(c *cobra.Command, args []string) error {
			s, action, target, err := a.question(c, &f, args)
			if err != nil {
				return err
			}
			d := s.policy.Decide(action, target)
			if f.output == "json" {
				err = a.out.json(struct {
					Verified bool                   `json:"verified"`
					Action   permissions.Permission `json:"action"`
					Target   permissions.Target     `json:"target"`
					Decision permissions.Decision   `json:"decision"`
				}{s.verified, action, target, d})
				if err != nil {
					return err
				}
				return codeOf(d)
			}
			a.out.say(styleOf(d), d.String())
			return codeOf(d)
		},
	}
	f.add(c)
	f.targetFlags.add(c)
	addOutputFlag(c, &f.output, "text", "json")
	return c
}

func (a *app) explain() *cobra.Command {
	var f asking
	c := &cobra.Command{
		Use:   "explain ACTION",
		Short: "Say why an action is allowed or denied, and what would allow it",
		Long: `explain answers as check does, and shows what became of each rule of the claim.

After a denial it says what would have allowed the request: another question, or a change of the claim. Each
change of the claim was tried: with it the answer is yes. Show the output to people who may see the claim.`,
		Example: `  connectperms explain proxy-api --integration slack --credential-external-id finance --claim claim.json
  connectperms explain proxy-api --target '{"integration":"slack","credential":{}}' --claim claim.json
  connectperms explain events --claim claim.json -o json`,
		Args:              arguments(1, 1, "one ACTION, such as proxy-api"),
		ValidArgsFunction: completeAction,
		RunE: func(c *cobra.Command, args []string) error {
			s, action, target, err := a.question(c, &f, args)
			if err != nil {
				return err
			}
			e := s.policy.Explain(action, target)
			e.Hint = inFlags(e.Hint)
			a.progress.start("looking for what would allow it")
			remedies := remediesFor(s.policy, e, f.options())
			a.progress.stop()
			if f.output == "json" {
				if err := a.out.json(struct {
					Verified    bool                    `json:"verified"`
					Explanation permissions.Explanation `json:"explanation"`
					Remedies    []remedy                `json:"remedies"`
				}{s.verified, e, remedies}); err != nil {
					return err
				}
				return codeOf(e.Decision)
			}
			a.sayExplanation(e)
			a.sayRemedies(remedies)
			return codeOf(e.Decision)
		},
	}
	f.add(c)
	f.targetFlags.add(c)
	addOutputFlag(c, &f.output, "text", "json")
	return c
}

// sayExplanation prints an explanation. Where its columns do not fit the terminal, a step is one text.
func (a *app) sayExplanation(e permissions.Explanation) {
	lines := strings.Split(e.String(), "\n")
	wide := a.out.isTerminal() && slices.ContainsFunc(lines, func(line string) bool {
		return strings.HasPrefix(line, "  ") && runewidth.StringWidth(line) > a.out.width
	})
	step := 0
	for i, line := range lines {
		switch {
		case i == 0:
			a.out.say(styleOf(e.Decision), line)
		case strings.HasPrefix(line, "hint: "):
			a.out.say(styleBold, line)
		case wide && strings.HasPrefix(line, "  ") && step < len(e.Steps):
			a.out.say(stylePlain, "  "+e.Steps[step].String())
			step++
		default:
			a.out.say(stylePlain, line)
		}
	}
}

func (a *app) sayRemedies(remedies []remedy) {
	if len(remedies) == 0 {
		return
	}
	a.out.say(styleBold, "what would allow it:")
	for _, r := range remedies {
		a.out.item("  - ", r.Text)
	}
}

// A remedy is a change that was tried, and with which the answer is yes.
type remedy struct {
	// Change is "question" if something else is asked, "grant" if the grant of a rule changes, and "rule" if
	// the claim gets a rule.
	Change string              `json:"change"`
	Text   string              `json:"text"`
	Target *permissions.Target `json:"target,omitempty"`  // of a question
	At     string              `json:"pointer,omitempty"` // of a grant that changes
	Claim  json.RawMessage     `json:"claim,omitempty"`   // the changed or added rule alone, as a claim
}

// maxRules is the number of rules of a claim up to which changes of it are tried.
const maxRules = 20_000

// remediesFor returns what would allow what is denied. Each of them was tried.
func remediesFor(p *permissions.Policy, e permissions.Explanation, opts []permissions.Option) []remedy {
	list := []remedy{}
	if e.Decision.Allowed || len(e.Parts) > 0 {
		return list
	}
	if t, ok := absent(e.Target, e.Decision.Unknown); ok && p.Allowed(e.Action, t) {
		list = append(list, remedy{Change: "question", Target: &t, Text: fmt.Sprintf(
			"if it has no %s, ask with %s", e.Decision.Unknown, strings.Join(newFlags(e.Target, t), " "))})
	}
	count := 0
	for range p.Rules() {
		if count++; count > maxRules {
			return list
		}
	}
	if e.Decision.Reason == permissions.ReasonNotGranted {
		r := e.Decision.Rule
		grant := permissions.NewPermissionSet(append(namesOf(r.Grant()), e.Action)...)
		if also, ok := allows(changedClaim(p, r.Path(), grant, opts), e); ok {
			list = append(list, remedy{
				Change: "grant", At: r.Pointer(), Claim: snippet(r.Path(), grant, opts),
				Text: fmt.Sprintf("change the grant at %s from %s to %s, which changes all that this rule decides%s",
					text.Plain(r.Pointer()), grantJSON(r.Grant()), grantJSON(grant), also),
			})
		}
	}
	if e.Decision.Reason == permissions.ReasonUndetermined {
		return list // a rule would override the one that may deny
	}
	for _, path := range pathsFor(e) {
		grant := proposal.Grant(p, e.Target, e.ActsOn, e.Action)
		changed := changedClaim(p, path, grant, opts)
		also, ok := allows(changed, e)
		if !ok || slices.Equal(path, e.Decision.Rule.Path()) || !proposal.AddsOnly(p, changed, e.Action) {
			continue
		}
		claim := snippet(path, grant, opts)
		list = append(list, remedy{
			Change: "rule", Claim: claim, Text: "add a rule to the claim: " + string(text.EscapeJSON(claim)) + also,
		})
		break
	}
	return list
}

// allows reports whether a changed claim answers a question with yes. If it does so once an external ID that
// is unknown is known to be absent, then also says so.
func allows(p *permissions.Policy, e permissions.Explanation) (also string, ok bool) {
	d := p.Decide(e.Action, e.Target)
	if d.Allowed {
		return "", true
	}
	t, ok := absent(e.Target, d.Unknown)
	if !ok || !p.Allowed(e.Action, t) {
		return "", false
	}
	return fmt.Sprintf("; and if it has no %s, ask with %s", d.Unknown, strings.Join(newFlags(e.Target, t), " ")), true
}

// namesOf returns the permissions in a set.
func namesOf(set permissions.PermissionSet) (list []permissions.Permission) {
	for p := range set.All() {
		list = append(list, p)
	}
	return list
}

// changedClaim returns the policy of a claim in which the rule of a path has another grant, or which has one
// more rule. It is nil, which denies everything, if no claim says so.
func changedClaim(
	p *permissions.Policy, path []permissions.Scope, grant permissions.PermissionSet, opts []permissions.Option,
) *permissions.Policy {
	var b permissions.Builder
	for r := range p.Rules() {
		if !slices.Equal(r.Path(), path) {
			b.At(r.Path()...).Grant(r.Grant())
		}
	}
	b.At(path...).Grant(grant)
	changed, err := b.Build(opts...)
	if err != nil {
		return nil
	}
	return changed
}

// snippet returns the claim that has only one rule.
func snippet(path []permissions.Scope, grant permissions.PermissionSet, opts []permissions.Option) json.RawMessage {
	var b permissions.Builder
	b.At(path...).Grant(grant)
	p, err := b.Build(opts...)
	if err != nil {
		return nil
	}
	claim, err := p.MarshalJSON()
	if err != nil {
		return nil
	}
	return claim
}

func grantJSON(set permissions.PermissionSet) string {
	data, err := set.MarshalJSON()
	if err != nil {
		return set.String()
	}
	return string(data)
}

// pathsFor returns the paths of rules that would be about what an action acts on, the best one first. There is one
// for each choice of the ID or the external ID at each level, with a wildcard where neither is known. After these
// come the paths that name a credential by its ID, once more without the integration. For the user there is only the
// path of integration:*.
func pathsFor(e permissions.Explanation) (paths [][]permissions.Scope) {
	name, state := e.Target.Lookup(permissions.IntegrationName)
	if state != permissions.Known {
		return [][]permissions.Scope{{permissions.MustParseScope("integration:*")}}
	}
	integration, err := permissions.ParseScope("integration:" + name)
	if err != nil {
		return nil
	}
	paths = [][]permissions.Scope{{integration}}
	if e.ActsOn >= permissions.KindCredential {
		id, externalID := permissions.CredentialID, permissions.CredentialExternalID
		paths = deeper(paths, scopesFor(e.Target, "credential", id, externalID))
	}
	if e.ActsOn >= permissions.KindConfiguration {
		id, externalID := permissions.ConfigurationID, permissions.ConfigurationExternalID
		paths = deeper(paths, scopesFor(e.Target, "configuration", id, externalID))
	}
	anywhere := permissions.MustParseScope("integration:*")
	for _, path := range paths {
		if len(path) > 1 && !path[1].IsWildcard() && !path[1].IsExternal() { // an ID names one credential only
			paths = append(paths, append([]permissions.Scope{anywhere}, path[1:]...))
		}
	}
	return paths
}

func deeper(paths [][]permissions.Scope, scopes []permissions.Scope) (longer [][]permissions.Scope) {
	for _, path := range paths {
		for _, s := range scopes {
			longer = append(longer, append(path[:len(path):len(path)], s))
		}
	}
	return longer
}

// scopesFor returns the scopes of one level of a target: its ID, its external ID, or if none is known *.
func scopesFor(t permissions.Target, kind string, id, externalID permissions.Identifiers) (scopes []permissions.Scope) {
	add := func(s string) {
		if scope, err := permissions.ParseScope(kind + ":" + s); err == nil {
			scopes = append(scopes, scope)
		}
	}
	if value, state := t.Lookup(id); state == permissions.Known {
		add(value)
	}
	if value, state := t.Lookup(externalID); state == permissions.Known {
		add("ext:" + value)
	}
	if len(scopes) == 0 {
		add("*")
	}
	return scopes
}

// absent returns t with the external IDs in unknown absent. ok is false if unknown is empty or has anything else: an
// ID is absent only in what does not exist yet, so nobody is told to call it absent.
func absent(t permissions.Target, unknown permissions.Identifiers) (permissions.Target, bool) {
	name, state := t.Lookup(permissions.IntegrationName)
	if state != permissions.Known || unknown == 0 ||
		unknown&^(permissions.CredentialExternalID|permissions.ConfigurationExternalID) != 0 {
		return t, false
	}
	changed := permissions.Integration(name)
	credential := withAbsent(t, unknown, permissions.CredentialID, permissions.CredentialExternalID)
	configuration := withAbsent(t, unknown, permissions.ConfigurationID, permissions.ConfigurationExternalID)
	if t.Level() >= permissions.KindCredential || len(credential)+len(configuration) > 0 {
		changed = changed.Credential(credential...)
	}
	if t.Level() >= permissions.KindConfiguration || len(configuration) > 0 {
		changed = changed.Configuration(configuration...)
	}
	return changed, changed.Err() == nil
}

// withAbsent returns what t has of two identifiers, with the external ID absent if it is in unknown.
func withAbsent(
	t permissions.Target, unknown, id, externalID permissions.Identifiers,
) (list []permissions.Identifier) {
	switch value, state := t.Lookup(id); state {
	case permissions.Known:
		list = append(list, permissions.ID(value))
	case permissions.Absent:
		list = append(list, permissions.NoID())
	}
	switch value, state := t.Lookup(externalID); {
	case state == permissions.Known:
		list = append(list, permissions.ExternalID(value))
	case state == permissions.Absent || unknown.Has(externalID):
		list = append(list, permissions.NoExternalID())
	}
	return list
}

// newFlags returns the flags that describe a target and not the other one.
func newFlags(old, new permissions.Target) []string {
	had := flags(old)
	return slices.DeleteFunc(flags(new), func(flag string) bool { return slices.Contains(had, flag) })
}
