package analyze

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/internal/text"
)

// title and explanation are the two parts of the summary for people.
func (r Relation) title() string {
	return [...]string{"Equal", "Wider", "Narrower", "Wider and narrower"}[r%4]
}

func (r Relation) explanation() string {
	return [...]string{
		"Both policies give the same answer to every question.",
		"The new policy allows more than the old one, and nothing less.",
		"The new policy allows less than the old one, and nothing more.",
		"The new policy allows some things that the old one denies, and denies some things that the old one allows.",
	}[r%4]
}

// String returns the summary, and then each change in a few lines.
func (d Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", d.Relation.title(), d.Relation.explanation())
	for _, c := range d.Changes {
		b.WriteString("\n" + c.String() + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// verb says whether the permissions are gained or lost.
func (c *Change) verb() string {
	if c.After.Allowed {
		return "now allowed"
	}
	return "no longer allowed"
}

// code is verb for programs.
func (c *Change) code() string {
	if c.After.Allowed {
		return "gained"
	}
	return "lost"
}

// names returns the permissions, separated by commas.
func (c *Change) names(print func(string) string) string {
	var list []string
	for _, name := range c.Permissions {
		list = append(list, print(string(name)))
	}
	return strings.Join(list, ", ")
}

// isRoot reports whether the region is everything.
func (r Region) isRoot() bool {
	return len(r.scopes) == 1 && r.scopes[0].Kind() == permissions.KindIntegration && r.scopes[0].IsWildcard()
}

// on says where the change holds.
func (c *Change) on(region func(Region) string) string {
	switch {
	case c.Region.isRoot():
		return "everything, the user included: " + region(c.Region)
	case c.Only.IsZero():
		return "everything under " + region(c.Region)
	}
	return "only " + c.Only.join(region) + ", as a part of " + region(c.Region)
}

// unchanged returns Unchanged in one line.
func (c *Change) unchanged(region func(Region) string) string {
	list := c.Unchanged.join(region)
	if c.Unchanged.IsMore {
		list += ", some of them perhaps in part"
	}
	return list
}

// String returns the change in a few lines, such as
//
//	now allowed: events, workflows
//	  on:        everything, the user included: integration:*
//	  unchanged: integration:"jira"
//	  example:   "events" on the user
//	  before:    denied: integration:* grants proxy-api
//	  after:     allowed: integration:* grants all
func (c Change) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", c.verb(), c.names(text.Plain))
	fmt.Fprintf(&b, "  on:        %s\n", c.on(Region.String))
	if !c.Unchanged.IsZero() {
		fmt.Fprintf(&b, "  unchanged: %s\n", c.unchanged(Region.String))
	}
	if !c.Partly.IsZero() {
		fmt.Fprintf(&b, "  partly in: %s\n", c.Partly)
	}
	if !c.Separate.IsZero() {
		fmt.Fprintf(&b, "  separate:  %s, listed with changes of their own\n", c.Separate)
	}
	fmt.Fprintf(&b, "  example:   %s\n", c.example)
	fmt.Fprintf(&b, "  before:    %s\n", c.before)
	fmt.Fprintf(&b, "  after:     %s", c.after)
	return b.String()
}

// Markdown returns what String does for a page that shows Markdown, such as a pull request. All names are in
// code spans, so that nothing in them is taken for Markdown or HTML. It ends with a line break.
func (d Difference) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s.** %s\n", d.Relation.title(), d.Relation.explanation())
	if len(d.Changes) > 0 {
		b.WriteByte('\n')
	}
	for _, c := range d.Changes {
		fmt.Fprintf(&b, "- **%s:** %s\n", strings.ToUpper(c.verb()[:1])+c.verb()[1:], c.names(permissionSpan))
		fmt.Fprintf(&b, "  - on %s\n", c.on(Region.markdown))
		if !c.Unchanged.IsZero() {
			fmt.Fprintf(&b, "  - unchanged: %s\n", c.unchanged(Region.markdown))
		}
		if !c.Partly.IsZero() {
			fmt.Fprintf(&b, "  - partly in: %s\n", c.Partly.join(Region.markdown))
		}
		if !c.Separate.IsZero() {
			fmt.Fprintf(&b, "  - separate: %s, listed with changes of their own\n", c.Separate.join(Region.markdown))
		}
		fmt.Fprintf(&b, "  - example: %s\n", codeSpan(c.example))
		fmt.Fprintf(&b, "  - before: %s\n", codeSpan(c.before))
		fmt.Fprintf(&b, "  - after: %s\n", codeSpan(c.after))
	}
	return b.String()
}

func (r Region) markdown() string { return codeSpan(r.text) }

// permissionSpan returns the name of a permission as a code span. A declared one can have any characters.
func permissionSpan(name string) string { return codeSpan(text.Plain(name)) }

// codeSpan returns a text of one line as a code span of Markdown: between more backticks than there are in
// a row in the text.
func codeSpan(s string) string {
	longest, run := 0, 0
	for _, c := range s {
		run++
		if c != '`' {
			run = 0
		}
		longest = max(longest, run)
	}
	fence := strings.Repeat("`", longest+1)
	if longest > 0 {
		s = " " + s + " " // a renderer removes one space at each end
	}
	return fence + s + fence
}

// MarshalJSON returns an object with the members summary (the code of the relation) and changes, which is [] for equal
// policies. A change is an object with the members change (the code gained or lost), region, permissions, example,
// before and after, and, where they are not empty, only, unchanged, partly and separate. See [Change].
func (d Difference) MarshalJSON() ([]byte, error) {
	changes := d.Changes
	if changes == nil {
		changes = []Change{}
	}
	return json.Marshal(struct {
		Summary Relation `json:"summary"`
		Changes []Change `json:"changes"`
	}{d.Relation, changes})
}

// MarshalJSON returns the object that [Difference.MarshalJSON] has for a change.
func (c Change) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Change      string                   `json:"change"`
		Region      Region                   `json:"region"`
		Only        Regions                  `json:"only,omitzero"`
		Unchanged   Regions                  `json:"unchanged,omitzero"`
		Partly      Regions                  `json:"partly,omitzero"`
		Separate    Regions                  `json:"separate,omitzero"`
		Permissions []permissions.Permission `json:"permissions"`
		Example     Question                 `json:"example"`
		Before      permissions.Decision     `json:"before"`
		After       permissions.Decision     `json:"after"`
	}{c.code(), c.Region, c.Only, c.Unchanged, c.Partly, c.Separate, c.Permissions, c.Example, c.Before, c.After})
}

// questionText returns a question about the target of a place, as [Question.String] does, without
// quoting a long name again.
func (s *space) questionText(action permissions.Permission, p place) string {
	return text.Quote(string(action)) + " on " + s.targetText(p)
}

func (s *space) targetText(p place) string {
	if p.level() == permissions.KindUser {
		return "the user"
	}
	var list []string
	for _, which := range [...]identifiers{
		integrationName, credentialID, credentialExternalID, configurationID, configurationExternalID,
	} {
		what := identifierTexts[which.index()].people
		switch n := p.names[which.index()]; {
		case which&identifiersTo(p.level()) == 0:
		case n != 0:
			list = append(list, what+" "+s.names[which.index()].quote(n))
		case which&(credentialExternalID|configurationExternalID) != 0:
			list = append(list, "no "+what)
		case which == integrationName:
			list = append(list, what+" "+text.Quote(s.freshName(which)))
		default:
			list = append(list, what+" "+s.freshName(which))
		}
	}
	return strings.Join(list, ", ")
}
