package analyze

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// A Code says what a [Finding] is about. Codes do not change, so a program may ignore the findings of one.
type Code string

// The codes. Each finding is there exactly when its code says so.
const (
	// CodeEmptyMap: a nested map is empty. It reads as a denial and says nothing: less specific rules
	// answer (SPEC 1.3). The fix removes it.
	CodeEmptyMap Code = "empty-map"

	// CodeInheritedAnswer: integration:* grants something that acts on an integration itself, such as events, and the
	// nested map of an integration withholds it at credential:*. That reads as if the integration withheld it. But
	// integration:* decides about the integration itself and allows it (SPEC 1.3).
	//
	// Where possible, the fix gives the integration the grant of its credential:* in place of the map, and moves its
	// other credentials to the top level. That is possible if all of this is true: the map has only credential:* and
	// credentials by ID; the top level names none of these credentials; credential:* of all integrations has no rule;
	// and the map's credential:* grants nothing that acts on the integration itself and that integration:* does not
	// grant. Otherwise the fix takes what is withheld out of integration:*. Then it is denied wherever integration:*
	// decides.
	CodeInheritedAnswer Code = "inherited-answer"

	// CodeOthersAllowed: the nested map of an integration names a credential, by its ID or external ID, and grants it
	// a part of what integration:* grants, and nothing else. integration:* decides about every other credential of the
	// integration. So the map restricts that credential, and the others keep everything (SPEC 1.3). If a rule for
	// configuration:* decides about configurations there, what acts on them is not compared. The fix denies the others.
	CodeOthersAllowed Code = "others-allowed"

	// CodeOverriddenDenial: a rule denies everything in an integration, and credential:* or configuration:* of
	// all integrations grants something there, because it is more specific (SPEC 4.5). The rule reads as if the
	// integration were closed. The fix writes the denial as a map of wildcards, which closes everything in the
	// integration that the claim does not name. That is not possible where integration:* would then allow
	// something for the integration itself. There the fix takes what is allowed out of the wildcard. Then it is
	// denied wherever the wildcard decides.
	CodeOverriddenDenial Code = "overridden-denial"

	// CodeRedundantRule: the rule grants something, and removing this one rule changes no answer. The fix removes it.
	// Two rules can each be redundant because of the other one. So remove one, and use Lint again.
	CodeRedundantRule Code = "redundant-rule"

	// CodeDeniesNothing: the rule grants nothing, and removing this one rule changes no answer. The fix removes it.
	// Two rules can each deny nothing because of the other one. Rules with CodeOverriddenDenial are left out.
	CodeDeniesNothing Code = "denies-nothing"

	// CodeNeverDecides: an array, other than of all permissions, has permissions about which the rule decides no
	// question, because more specific rules decide all of those questions. An integration's array can have proxy-api
	// beside a credential:*, for example (SPEC 3.3). The fix removes the permissions. Redundant rules are left out.
	CodeNeverDecides Code = "never-decides"

	// CodeReplacesGrant: an array reads as if it added to the grant of the next rule, but it replaces that grant
	// (SPEC 4.4). The next rule is the one that would decide in place of the array's rule on the target that has only
	// the names of the array's rule. Of the permissions about which the array's rule decides, each of the two grants
	// some that the other does not. The fix adds what is missing. Redundant rules are left out.
	CodeReplacesGrant Code = "replaces-grant"

	// CodeProxyOrActionKit: an array has one of proxy-api and actionkit, and the next rule, as in CodeReplacesGrant,
	// grants both. Both reach the integration's API with the same credential. So taking one of them away does not
	// close that API. The fix takes the other one away too. Redundant rules are left out, and rules that do not
	// decide about both.
	CodeProxyOrActionKit Code = "proxy-or-actionkit"

	// CodePattern: an external ID has a * in it. There are no patterns (SPEC 2.3), so it matches only
	// itself. The fix removes it.
	CodePattern Code = "pattern"

	// CodeList: an external ID or the name of an integration has commas or semicolons in it, no white
	// space, and something before and after each of them. There are no lists, so it matches only itself.
	// The fix gives each element what the list has, except an element that has a rule already. It removes a
	// list of more than 100 elements.
	CodeList Code = "list"

	// CodeUUID: an external ID is a UUID: 32 hexadecimal digits, wherever there are hyphens, in braces or not, and
	// perhaps after urn:uuid:. It was probably meant for an ID, which
	// is written without ext: (SPEC 2.1). The fix writes it so, or removes it if that ID has a rule
	// already.
	CodeUUID Code = "uuid"

	// CodeDoubleExt: an external ID begins with ext:, in lower case, after the ext: that marks it (SPEC 2.1). The fix
	// leaves one ext:. It removes the scope if the rest is not an external ID, or has a rule already.
	CodeDoubleExt Code = "double-ext"

	// CodeCaseVariant: another integration in the claim has a name that differs only in letter case. Names
	// compare by bytes (SPEC 2.5), so at most one of them is right. Each of them has the finding, except
	// those that [KnownIntegrations] has. The fix removes the integration at hand: fix the wrong one.
	CodeCaseVariant Code = "case-variant"

	// CodeUnknownIntegration: a list was given with [KnownIntegrations], and the name of an integration
	// is not in it. The fix replaces it with a known name that differs only in letter case and punctuation, in
	// one letter, or in two letters that are swapped, unless that has a rule already. Otherwise, and for a name
	// of more than 64 bytes, the fix removes it.
	CodeUnknownIntegration Code = "unknown-integration"
)

// A Finding is something in a claim that does nothing, or not what it reads as.
type Finding struct {
	Code Code

	// Message says what is there, for people, in a sentence.
	Message string

	// Part is the part of an intersection that the claim is, as in [permissions.Decision]. It is 0 if the
	// policy is not an intersection.
	Part int

	place spotted
	draft draft
}

// Pointer returns the place in the claim, as a JSON Pointer (RFC 6901).
func (f Finding) Pointer() string {
	if f.place == nil {
		return ""
	}
	return f.place.Pointer()
}

// Fix returns how to make the finding go away.
func (f Finding) Fix() Fix { return f.draft.fix() }

// String returns the place, the message and the code in one line.
func (f Finding) String() string {
	s := text.Quote(f.Pointer()) + ": " + f.Message + " (" + string(f.Code) + ")"
	if f.Part != 0 {
		return fmt.Sprintf("part %d, %s", f.Part, s)
	}
	return s
}

// MarshalJSON returns an object with the members code, pointer, message, part if it is not 0, and fix.
func (f Finding) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Code    Code   `json:"code"`
		Pointer string `json:"pointer"`
		Message string `json:"message"`
		Part    int    `json:"part,omitempty"`
		Fix     Fix    `json:"fix"`
	}{f.Code, f.Pointer(), f.Message, f.Part, f.Fix()})
}

// A LintOption changes what [Lint] looks for. A nil LintOption changes nothing.
type LintOption interface{ apply(*lintOptions) }

type lintOptions struct{ known *knownNames }

type lintOption func(*lintOptions)

func (o lintOption) apply(to *lintOptions) { o(to) }

// KnownIntegrations gives Lint the names of all integrations that there are. It then finds those that are
// not among them ([CodeUnknownIntegration]). Without names, every name is unknown.
func KnownIntegrations(names ...string) LintOption {
	known := newKnownNames(names)
	return lintOption(func(o *lintOptions) { o.known = known })
}

// Lint returns what it finds in the claim of a policy: first what is about nested maps, and then what is
// about rules, each in the order of the text. A finding need not be a mistake, but whoever means it so can
// say it more clearly.
//
// Each finding is right by itself. A fix can make other findings, so use Lint again after a fix.
//
// A nil, zero or unrestricted policy has no claim, so nothing is found. The parts of an intersection are
// looked at one after the other, each by itself.
func Lint(p *permissions.Policy, opts ...LintOption) []Finding {
	var o lintOptions
	for _, opt := range opts {
		if opt != nil {
			opt.apply(&o)
		}
	}
	parts := p.Parts()
	if parts == nil {
		return lint(p, &o)
	}
	var all []Finding
	for i, part := range parts {
		for _, f := range lint(part, &o) {
			f.Part = i + 1
			all = append(all, f)
		}
	}
	return all
}

func lint(p *permissions.Policy, o *lintOptions) []Finding {
	if p.IsUnrestricted() {
		return nil
	}
	s, lists := newSpace(p)
	l := linter{
		space:   s,
		list:    lists[0][0],
		known:   o.known,
		maps:    make(map[place][]permissions.NestedMap),
		mapsIn:  make(map[place][]permissions.NestedMap),
		rulesIn: make(map[place][]int32),
	}
	for m := range p.NestedMaps() {
		at := s.placeOf(m.Path())
		l.maps[at] = append(l.maps[at], m)
		if at.level() == permissions.KindCredential {
			in := at.only(integrationName).at(permissions.KindIntegration)
			l.mapsIn[in] = append(l.mapsIn[in], m)
		}
	}
	var rules []int32 // in the order of the text
	for r := range p.Rules() {
		rules = append(rules, s.place(s.placeOf(r.Path())))
	}
	for _, i := range rules {
		for level := permissions.KindIntegration; level < s.places[i].level(); level++ {
			in := s.places[i].only(identifiersTo(level)).at(level)
			l.rulesIn[in] = append(l.rulesIn[in], i)
		}
	}
	l.variants = l.caseVariants()
	for m := range p.NestedMaps() {
		l.nestedMap(m)
	}
	for _, i := range rules {
		l.rule(i)
	}
	return l.findings
}

// A linter collects what is found in one claim.
type linter struct {
	*space
	list     *ruleList
	known    *knownNames
	maps     map[place][]permissions.NestedMap // the nested maps at a place: IDs have several spellings
	mapsIn   map[place][]permissions.NestedMap // the maps of credentials in an integration
	rulesIn  map[place][]int32                 // the rules in an integration or a credential
	variants map[uint32]uint32                 // for the name of an integration, one that differs only in letter case
	findings []Finding
}

// A spotted is a rule or a nested map of a claim.
type spotted interface{ Pointer() string }

// report adds a finding.
func (l *linter) report(code Code, at spotted, fix draft, format string, args ...any) {
	l.findings = append(l.findings, Finding{Code: code, Message: fmt.Sprintf(format, args...), place: at, draft: fix})
}

// namesOf returns the names of actions for people.
func (l *linter) namesOf(a actions) string {
	var list []string
	for _, name := range l.permissions(a) {
		list = append(list, text.Plain(string(name)))
	}
	return strings.Join(list, ", ")
}
