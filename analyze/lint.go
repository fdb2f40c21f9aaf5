package analyze

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/connectperms/permissions"
)

// A Code says what a [Finding] is about. Codes are stable: a program may ignore the findings
// of one.
type Code string

const (
	// EmptyMap: a nested map without a scope in it. It reads as a denial and says nothing:
	// what is asked is answered by less specific rules (SPEC 1.3).
	EmptyMap Code = "empty-map"

	// InheritedAnswer: an integration holds a nested map, and so has no grant of its own.
	// What is asked of the integration itself is answered by integration:*, which grants
	// something (SPEC 1.3).
	InheritedAnswer Code = "inherited-answer"

	// RedundantRule: removing the rule changes no answer. All rules with this code, or with
	// RedundantCredential, can be removed together.
	RedundantRule Code = "redundant-rule"

	// RedundantCredential: a RedundantRule that names a credential and says what the
	// credential:* above it says.
	RedundantCredential Code = "redundant-credential"

	// NeverDecides: a permission in a grant that no question is decided by. Every rule
	// decides something, but credential:write is never asked of an integration, nor
	// config:write of a credential, without being about something in it (SPEC 4.3).
	NeverDecides Code = "never-decides"

	// CredentialID: a credential is named by an ID that is no UUID, as those of Paragon
	// are. It was probably meant for an external ID.
	CredentialID Code = "credential-id"

	// OthersAllowed: a rule allows a named credential something, and all that, and more, is
	// allowed on every other credential there, by a rule for the integration. So it takes
	// away from one and leaves the others wide (SPEC 1.3).
	OthersAllowed Code = "others-allowed"

	// ReplacesGrant: an array that reads as if it added to a wider one. It replaces that
	// (SPEC 4.4), and drops some of what that grants.
	ReplacesGrant Code = "replaces-grant"
)

// A Finding is something in a claim that does nothing, or not what it reads as.
type Finding struct {
	Code Code

	// Pointer is the place in the claim, as a JSON Pointer (RFC 6901).
	Pointer string

	// Message says what is there, and what to write instead.
	Message string

	// Part is which part of an intersection the claim is, as in
	// [permissions.Decision.Part]. It is 0 if the policy is no intersection.
	Part int
}

// String returns all of the finding in one line.
func (f Finding) String() string {
	text := fmt.Sprintf("%q: %s (%s)", f.Pointer, f.Message, f.Code)
	if f.Part != 0 {
		return fmt.Sprintf("part %d, %s", f.Part, text)
	}
	return text
}

// Lint returns what it finds in a policy's claim: first what is about nested maps, then what
// is about rules, each in the order of the text. Each code says exactly when it is found. A
// finding need not be a mistake, but whoever means it so can say it more clearly.
//
// A nil, zero or unrestricted policy has no claim, so nothing is found. An intersection has
// its parts looked at one after the other, each by itself.
//
// Its time grows with the square of the number of rules, and with its cube if nearly all
// are redundant.
func Lint(p *permissions.Policy) []Finding {
	u, claims := newUniverse(p)
	var all []Finding
	for i, c := range claims[0] {
		l := linter{universe: u, claim: c}
		if len(claims[0]) > 1 {
			l.part = i + 1
		}
		l.maps()
		l.findRedundant()
		for _, r := range c.rules {
			if !p.IsUnrestricted() {
				l.rule(r)
			}
		}
		all = append(all, l.findings...)
	}
	return all
}

// A linter collects what is found in one claim.
type linter struct {
	*universe
	*claim
	part      int
	redundant map[*rule]bool
	findings  []Finding
}

func (l *linter) find(code Code, pointer, format string, args ...any) {
	l.findings = append(l.findings, Finding{code, pointer, fmt.Sprintf(format, args...), l.part})
}

// maps looks at the nested maps.
func (l *linter) maps() {
	holds := make(map[string]bool) // the places that hold a rule or a map
	hold := func(pointer string) { holds[pointer[:strings.LastIndexByte(pointer, '/')]] = true }
	for _, r := range l.rules {
		if r.Rule != (permissions.Rule{}) {
			hold(r.Pointer())
		}
	}
	for pointer := range l.policy.NestedMaps() {
		hold(pointer)
	}
	for pointer := range l.policy.NestedMaps() {
		if !holds[pointer] {
			l.find(EmptyMap, pointer, "the map is empty, which says nothing: less specific rules answer; "+
				"to deny everything here, write false, and otherwise remove it")
			continue
		}
		l.inherits(pointer)
	}
}

// inherits looks at a map of an integration that stands at the top.
func (l *linter) inherits(pointer string) {
	key := strings.NewReplacer("~1", "/", "~0", "~").Replace(pointer[1:])
	scope, err := permissions.ParseScope(key)
	if err != nil || strings.Contains(pointer[1:], "/") || scope.Kind() != permissions.KindIntegration || scope.IsWildcard() {
		return
	}
	if l.root == nil || l.root.grant.isEmpty() {
		return
	}
	l.find(InheritedAnswer, pointer, "what is asked of %s itself is answered by integration:*, which grants %v; "+
		"if that is not meant, give %[1]q false and the scopes in it to integration:*, which is for all integrations", scope, l.root.Grant())
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// rule looks at a rule.
func (l *linter) rule(r *rule) {
	if id := r.names[credentialID]; r.kind == permissions.KindCredential && id != "" && !uuid.MatchString(id) {
		l.find(CredentialID, r.Pointer(), "%q is no UUID, as credentials have for an ID; if it is an external ID, write %q",
			id, "credential:ext:"+id)
	}
	next := l.next(r)
	if l.redundant[r] {
		switch {
		case next == nil:
			l.find(RedundantRule, r.Pointer(), "removing the rule changes no answer: nothing else applies here, and what no rule allows is denied")
		case r.kind == permissions.KindCredential && next.kind == r.kind && next.names[credentialID]+next.names[credentialExternalID] == "":
			l.find(RedundantCredential, r.Pointer(), "the credential adds nothing to %v, which grants the same; remove it, or grant what it shall have beside", next)
		default:
			l.find(RedundantRule, r.Pointer(), "removing the rule changes no answer: %v grants the same; remove it, or grant what shall be different here", next)
		}
		return
	}
	l.neverDecides(r)
	l.othersAllowed(r)
	if next != nil && !r.grant.isEmpty() && !r.Grant().IsAll() && !next.Grant().IsAll() && !r.grant.areIn(next.grant) && !next.grant.areIn(r.grant) {
		l.find(ReplacesGrant, r.Pointer(), "the grant replaces that of %v, and adds nothing to it: what it drops is %v; list that here too, if it shall be allowed",
			next, l.list(next.grant.without(r.grant)))
	}
}

// list returns actions as a text.
func (l *linter) list(set actions) string {
	var list []string
	for _, action := range l.of(set) {
		list = append(list, string(action))
	}
	return strings.Join(list, ", ")
}

// neverDecides looks for permissions in an array that no question is decided by.
func (l *linter) neverDecides(r *rule) {
	if r.Grant().IsAll() {
		return
	}
	c := cell{r.kind, r.names}
	for i, action := range l.actions {
		if !r.grant.has(i) || !isCreation(action, c.depth()) {
			continue
		}
		d := l.policy.Decide(action, l.target(c, r.kind+1, true))
		if d.Rule != r.Rule {
			l.find(NeverDecides, r.Pointer(), "%s never decides here: asked of the %v, it is about a %v in it that has no name yet, and %v decides that; grant it there",
				action, r.kind, r.kind+1, d.Rule)
		}
	}
}

// othersAllowed looks at a rule for a credential that restricts no other.
func (l *linter) othersAllowed(r *rule) {
	if r.kind != permissions.KindCredential || r.names[credentialID]+r.names[credentialExternalID] == "" || r.grant.isEmpty() {
		return
	}
	others := cell{kind: permissions.KindCredential}
	others.names[integration] = r.names[integration]
	d := l.policy.Decide(permissions.Events, l.target(others, permissions.KindCredential, false))
	for _, wide := range l.rules {
		if wide.Rule == d.Rule && wide.kind == permissions.KindIntegration && r.grant.areIn(wide.grant) && r.grant != wide.grant {
			l.find(OthersAllowed, r.Pointer(), "the rule restricts this credential and no other: %v grants %v on every other credential; "+
				"to close those, put %q: false beside it", wide, wide.Grant(), "credential:*")
		}
	}
}

// next returns the rule that would decide in place of r on the target that names what r
// names, or nil.
func (l *linter) next(r *rule) (next *rule) {
	for _, other := range l.rules {
		if other != r && other.applies(r) && (next == nil || other.specificity() > next.specificity()) {
			next = other
		}
	}
	return next
}

// applies reports whether r applies to the target that names what of names.
func (r *rule) applies(of *rule) bool {
	for i, name := range r.names {
		if name != "" && name != of.names[i] {
			return false
		}
	}
	return r.kind <= of.kind
}

// specificity returns a number that is greater for a rule that is more specific (SPEC 4.5).
func (r *rule) specificity() int {
	n := 0
	for i, id := range []int{configurationExternalID, credentialExternalID, integration} {
		n *= 4
		switch {
		case r.kind < permissions.KindConfiguration-permissions.Kind(i):
		case id != integration && r.names[id+1] != "": // the ID
			n += 3
		case r.names[id] != "":
			n += 2
		default:
			n++
		}
	}
	return n
}

// findRedundant finds rules whose removal changes no answer, also if all are removed. It
// begins with the most specific: whether those can go does not depend on what goes after.
func (l *linter) findRedundant() {
	l.redundant = make(map[*rule]bool)
	if l.policy.IsUnrestricted() {
		return
	}
	order := slices.Clone(l.rules)
	slices.SortStableFunc(order, func(a, b *rule) int { return b.specificity() - a.specificity() })
	for _, r := range order {
		// Most rules answer otherwise where they name most, which is soon seen. What has
		// been removed is no less specific than r, and so not next.
		here := l.questionsOn(cell{r.kind, r.names}, r.grant, grantOf(l.next(r)))
		if slices.ContainsFunc(here, func(q Question) bool { return l.policy.Decide(q.Action, q.Target).Rule == r.Rule }) {
			continue
		}
		l.redundant[r] = true
		without, err := l.rest()
		if err != nil || !l.same(without, r) {
			delete(l.redundant, r)
		}
	}
}

// questionsOn returns questions on a cell for what one grant allows and the other does not.
func (l *linter) questionsOn(c cell, a, b actions) (list []Question) {
	for q := range l.questions(c, actions{a[0] ^ b[0], a[1] ^ b[1]}) {
		list = append(list, q)
	}
	return list
}

// rest returns the policy without the redundant rules.
func (l *linter) rest() (*permissions.Policy, error) {
	var b permissions.Builder
	for _, r := range l.rules {
		if !l.redundant[r] {
			b.At(r.Path()...).Grant(r.Grant())
		}
	}
	return b.Policy(permissions.WithPermissions(l.actions[len(nine) : len(l.actions)-1]...))
}

// same reports whether the policy gives the same answers without rule r, and without the
// redundant rules that do not matter.
func (l *linter) same(without *permissions.Policy, r *rule) bool {
	for other, c := range l.deciders(cell{r.kind, r.names}) {
		if other == r {
			continue
		}
		for _, q := range l.questionsOn(c, r.grant, grantOf(other)) {
			if l.policy.Allowed(q.Action, q.Target) != without.Allowed(q.Action, q.Target) {
				return false
			}
		}
	}
	return true
}
