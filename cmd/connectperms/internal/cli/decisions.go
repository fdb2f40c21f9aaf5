package cli

import (
	"encoding/xml"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
)

// A result is an answer of a decision table that was tried.
type result struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Case   string `json:"case"`
	Name   string `json:"name"`
	OK     bool   `json:"ok"`

	// The rest is there if the answer is wrong.
	Expected    string `json:"expected,omitempty"`
	Got         string `json:"got,omitempty"`
	Explanation string `json:"explanation,omitempty"`
}

func (r *result) place() string { return fmt.Sprintf("%s:%d:%d", oneLine(r.File), r.Line, r.Column) }

// A testCase is a case of a decision table.
type testCase struct {
	node         *node
	name         string
	claim, file  *node
	unrestricted bool
	extra        []permissions.Option
	err, pointer *node
	queries      []*node
	visible      []*node
}

func (a *app) test() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "test FILE...",
		Short: "Try decision tables: claims with questions and expected answers",
		Long: `test reads claims with questions and expected answers from files in YAML or JSON, and says which answers are
wrong, with what was expected, what came, and why. The exit code is 2 if any is.

connectperms schema tests prints the schema of the files, for editors.`,
		Example: `  connectperms test tests.yaml
  connectperms test -o junit tests.yaml > report.xml`,
		Args: arguments(1, -1, "files with decision tables"),
		RunE: func(c *cobra.Command, args []string) error {
			var results []result
			for _, name := range args {
				list, err := a.tryFile(name)
				if err != nil {
					return err
				}
				results = append(results, list...)
			}
			if err := a.reportResults(output, args, results); err != nil {
				return err
			}
			if slices.ContainsFunc(results, func(r result) bool { return !r.OK }) {
				return exitCode(codeNo)
			}
			return nil
		},
	}
	addOutputFlag(c, &output, "text", "json", "tap", "junit")
	return c
}

// tryFile tries all that a file has.
func (a *app) tryFile(name string) (results []result, err error) {
	t, err := a.read(name)
	if err != nil {
		return nil, err
	}
	a.progress.start("trying " + t.name)
	defer a.progress.stop()
	root, err := document(t)
	if err != nil {
		return nil, err
	}
	if root.kind != isArray {
		return nil, root.err("a decision table is a list of cases, and this is " + string(root.kind))
	}
	if len(root.list) == 0 {
		return nil, root.err("there are no cases in it")
	}
	for i, item := range root.list {
		c, err := readCase(item, i)
		if err != nil {
			return nil, err
		}
		list, err := a.tryCase(c)
		if err != nil {
			return nil, err
		}
		results = append(results, list...)
	}
	return results, nil
}

// fields reads the members of an object, which must be among those that are known.
func (n *node) fields(what string, known ...string) (map[string]*node, error) {
	if n.kind != isObject {
		return nil, n.err(what + " is an object, and this is " + string(n.kind))
	}
	fields := map[string]*node{}
	for _, m := range n.members {
		switch {
		case !slices.Contains(known, m.key.text):
			return nil, m.key.err(fmt.Sprintf("%s has no member %s; it has %s",
				what, quote(m.key.text), strings.Join(known, ", ")))
		case fields[m.key.text] != nil:
			return nil, m.key.err("the member " + quote(m.key.text) + " is there twice")
		}
		fields[m.key.text] = m.value
	}
	return fields, nil
}

// mustBe returns an error if a node is not of a kind. It returns nil for a nil node.
func (n *node) mustBe(want kind, what string) error {
	if n == nil || n.kind == want {
		return nil
	}
	return n.err(what + " is " + string(want) + ", and this is " + string(n.kind))
}

func readCase(n *node, i int) (*testCase, error) {
	f, err := n.fields("a case", "name", "spec", "claim", "file", "unrestricted", "extraPermissions",
		"queries", "visible", "error", "pointer")
	if err != nil {
		return nil, err
	}
	c := &testCase{
		node: n, name: fmt.Sprintf("case %d", i+1),
		claim: f["claim"], file: f["file"], err: f["error"], pointer: f["pointer"],
	}
	err = errors.Join(f["name"].mustBe(isString, "the name"), f["spec"].mustBe(isString, "spec"),
		f["file"].mustBe(isString, "file"), f["unrestricted"].mustBe(isBool, "unrestricted"),
		f["extraPermissions"].mustBe(isArray, "extraPermissions"), f["queries"].mustBe(isArray, "queries"),
		f["visible"].mustBe(isArray, "visible"), f["error"].mustBe(isString, "error"),
		f["pointer"].mustBe(isString, "pointer"))
	if err != nil {
		return nil, firstOf(err)
	}
	if f["name"] != nil && f["name"].text != "" {
		c.name = f["name"].text
	}
	sources := 0
	for _, name := range []string{"claim", "file", "unrestricted"} {
		if f[name] != nil {
			sources++
		}
	}
	if u := f["unrestricted"]; u != nil {
		if c.unrestricted = u.text == "true"; !c.unrestricted {
			return nil, u.err("unrestricted is true or left out")
		}
	}
	if sources != 1 {
		return nil, n.err("a case has one of claim, file and unrestricted")
	}
	if c.claim != nil && c.claim.kind != isString && c.claim.kind != isObject {
		return nil, c.claim.err("a claim is an object or its text, and this is " + string(c.claim.kind))
	}
	if e := f["extraPermissions"]; e != nil {
		for _, item := range e.list {
			if err := item.mustBe(isString, "the name of a permission"); err != nil {
				return nil, err
			}
			c.extra = append(c.extra, permissions.WithPermissions(permissions.Permission(item.text)))
		}
	}
	return c, c.readQuestions(f)
}

func (c *testCase) readQuestions(f map[string]*node) error {
	if c.err != nil {
		switch {
		case f["queries"] != nil || f["visible"] != nil:
			return c.err.err("a claim that is refused answers no questions; leave queries and visible out")
		case c.unrestricted:
			return c.err.err("there is no claim that could be refused")
		case !slices.Contains(kindNames[:], c.err.text):
			return c.err.err("there is no such kind of mistake; the kinds are " + strings.Join(kindNames[:], ", "))
		}
		return nil
	}
	if c.pointer != nil {
		return c.pointer.err("pointer is the place of an error; say its kind with error")
	}
	if f["queries"] != nil {
		c.queries = f["queries"].list
	}
	if f["visible"] != nil {
		c.visible = f["visible"].list
	}
	if len(c.queries)+len(c.visible) == 0 {
		return c.node.err("a case has queries, visible or error; this one tries nothing")
	}
	return nil
}

// firstOf returns the first of joined errors.
func firstOf(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()[0]
	}
	return err
}

// kindNames has the kinds of mistake in a claim (SPEC 6.2), in the order of the errors in kindOf.
var kindNames = [...]string{"syntax", "type", "scope", "nesting", "duplicate", "permission"}

func kindOf(err *permissions.ParseError) string {
	kinds := [...]error{permissions.ErrSyntax, permissions.ErrType, permissions.ErrScope,
		permissions.ErrNesting, permissions.ErrDuplicate, permissions.ErrUnknownPermission}
	return kindNames[slices.Index(kinds[:], err.Kind)]
}

func (c *testCase) result(n *node, name string) result {
	return result{File: n.source.name, Line: n.line, Column: n.column, Case: c.name, Name: name}
}

// tryCase tries one case.
func (a *app) tryCase(c *testCase) ([]result, error) {
	policy, mistake, err := a.policyOf(c)
	if err != nil {
		return nil, err
	}
	if c.err != nil {
		return []result{c.tryError(mistake)}, nil
	}
	if mistake != nil {
		r := c.result(c.node, "the claim")
		r.Expected, r.Got = "a claim without mistakes", mistake.text
		r.Line, r.Column = mistake.line, mistake.column
		if mistake.file != "" {
			r.File = mistake.file
		}
		return []result{r}, nil
	}
	var results []result
	for _, q := range c.queries {
		r, err := c.tryQuery(policy, q)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	for _, v := range c.visible {
		r, err := c.tryVisible(policy, v)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// A mistake is a mistake in the claim of a case.
type mistake struct {
	parse        *permissions.ParseError
	text, file   string
	line, column int
}

// policyOf returns the policy of a case, or the mistake in its claim. The error is for what cannot be tried.
func (a *app) policyOf(c *testCase) (*permissions.Policy, *mistake, error) {
	switch {
	case c.unrestricted:
		return permissions.Unrestricted(c.extra...), nil, nil
	case c.file != nil:
		return a.policyOfFile(c)
	}
	text, spans := []byte(c.claim.text), []span{{0, c.claim}}
	if c.claim.kind == isObject {
		text, spans = c.claim.jsonWithPlaces()
	}
	p, err := permissions.Parse(text, c.extra...)
	if err == nil {
		return p, nil, nil
	}
	parse := new(permissions.ParseError)
	if !errors.As(err, &parse) {
		return nil, nil, c.node.err(plainError(err).Error())
	}
	at := c.claim
	for _, s := range spans {
		if s.offset <= parse.Offset {
			at = s.node
		}
	}
	problem := parseProblem(parse)
	if c.claim.kind == isString {
		problem = fmt.Sprintf("byte %d of the text: %s", parse.Offset, problem)
	}
	return nil, &mistake{parse, problem, "", at.line, at.column}, nil
}

func (a *app) policyOfFile(c *testCase) (*permissions.Policy, *mistake, error) {
	name := c.file.text
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(c.node.source.name), name)
	}
	data, err := readFile(name)
	if err != nil {
		return nil, nil, c.file.err(fileError(quote(name), err).Error())
	}
	t := source{name, recognize.Decode(data)}
	in, err := a.recognize(nil, t)
	if err != nil {
		return nil, nil, err
	}
	s, err := parse(t, in, c.extra)
	placed, inClaim := new(placedError), new(permissions.ParseError)
	if errors.As(err, &placed) && errors.As(err, &inClaim) {
		return nil, &mistake{inClaim, parseProblem(inClaim), name, placed.line, placed.column}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	return s.policy, nil, nil
}

func (c *testCase) tryError(m *mistake) result {
	r := c.result(c.err, "the claim is refused")
	r.Expected = "a mistake of the kind " + c.err.text
	if c.pointer != nil {
		r.Expected += " at " + quote(c.pointer.text)
	}
	if m == nil {
		r.Got = "a claim without mistakes"
		return r
	}
	r.Got = "a mistake of the kind " + kindOf(m.parse)
	r.OK = kindOf(m.parse) == c.err.text
	if c.pointer != nil {
		r.Got += " at " + quote(m.parse.Pointer)
		r.OK = r.OK && m.parse.Pointer == c.pointer.text
	}
	r.Explanation = m.text
	return r.done()
}

// done leaves out what only a wrong answer has.
func (r result) done() result {
	if r.OK {
		r.Expected, r.Got, r.Explanation = "", "", ""
	}
	return r
}

func (c *testCase) tryQuery(p *permissions.Policy, n *node) (result, error) {
	f, err := n.fields("a query", "name", "action", "target", "allowed", "rule", "invalid", "undetermined")
	if err != nil {
		return result{}, err
	}
	err = errors.Join(f["name"].mustBe(isString, "the name"), f["action"].mustBe(isString, "the action"),
		f["allowed"].mustBe(isBool, "allowed"), f["invalid"].mustBe(isBool, "invalid"),
		f["undetermined"].mustBe(isBool, "undetermined"))
	if err != nil {
		return result{}, firstOf(err)
	}
	for _, name := range []string{"action", "target", "allowed"} {
		if f[name] == nil {
			return result{}, n.err("a query has an action, a target and allowed; there is no " + name)
		}
	}
	isTrue := func(name string) bool { return f[name] != nil && f[name].text == "true" }
	want := expectation{allowed: isTrue("allowed"), invalid: isTrue("invalid"), undetermined: isTrue("undetermined")}
	if want.allowed && (want.invalid || want.undetermined) || want.invalid && want.undetermined {
		return result{}, f["allowed"].err("allowed, invalid and undetermined exclude each other")
	}
	if f["rule"] != nil {
		want.hasRule = true
		if f["rule"].kind != isArray && f["rule"].kind != isNull {
			return result{}, f["rule"].err("rule is a list, or null for no rule, and this is " + string(f["rule"].kind))
		}
		for _, item := range f["rule"].list {
			if err := item.mustBe(isString, "a scope of a rule"); err != nil {
				return result{}, err
			}
			want.rule = append(want.rule, item.text)
		}
	}
	action := permissions.Permission(f["action"].text)
	var target permissions.Target
	problem := target.UnmarshalJSON(f["target"].json())
	name := quote(string(action)) + " on " + target.String()
	if problem != nil {
		name = quote(string(action)) + " on an invalid target"
	} else {
		problem = p.Check(action, target)
	}
	if f["name"] != nil && f["name"].text != "" {
		name = f["name"].text
	}
	d := p.Decide(action, target)
	r := c.result(n, name)
	r.OK = want.matches(d)
	r.Expected, r.Got = want.String(), got(d, want.hasRule)
	if r.OK {
		return r.done(), nil
	}
	if question := new(permissions.QuestionError); errors.As(problem, &question) {
		r.Explanation = questionError(question).Error()
	} else {
		r.Explanation = strings.TrimSuffix(p.Explain(action, target).String(), "\n")
	}
	return r, nil
}

// An expectation is the answer that a decision table has.
type expectation struct {
	allowed, invalid, undetermined bool
	hasRule                        bool
	rule                           []string
}

func (e expectation) matches(d permissions.Decision) bool {
	return e.allowed == d.Allowed &&
		e.invalid == (d.Reason == permissions.ReasonInvalidQuestion) &&
		e.undetermined == (d.Reason == permissions.ReasonUndetermined) &&
		(!e.hasRule || slices.Equal(e.rule, pathOf(d.Rule)))
}

// String returns the expectation in the words of got.
func (e expectation) String() string {
	s := "denied"
	switch {
	case e.allowed:
		s = "allowed"
	case e.invalid:
		s = "invalid question"
	case e.undetermined:
		s = "undetermined"
	}
	if e.hasRule {
		s += ruleText(e.rule)
	}
	return s
}

func got(d permissions.Decision, withRule bool) string {
	s := "denied"
	switch {
	case d.Allowed:
		s = "allowed"
	case d.Reason == permissions.ReasonInvalidQuestion:
		s = "invalid question"
	case d.Reason == permissions.ReasonUndetermined:
		s = "undetermined"
	}
	if withRule {
		s += ruleText(pathOf(d.Rule))
	}
	return s
}

func ruleText(path []string) string {
	if len(path) == 0 {
		return ", by no rule"
	}
	var scopes []string
	for _, s := range path {
		scopes = append(scopes, quote(s))
	}
	return ", by the rule " + strings.Join(scopes, " / ")
}

func pathOf(r permissions.Rule) (path []string) {
	for _, s := range r.Path() {
		path = append(path, s.String())
	}
	return path
}

func (c *testCase) tryVisible(p *permissions.Policy, n *node) (result, error) {
	f, err := n.fields("an entry of visible", "name", "target", "visible")
	if err != nil {
		return result{}, err
	}
	if err := errors.Join(f["name"].mustBe(isString, "the name"), f["visible"].mustBe(isBool, "visible")); err != nil {
		return result{}, firstOf(err)
	}
	if f["target"] == nil || f["visible"] == nil {
		return result{}, n.err("an entry of visible has a target and visible")
	}
	var target permissions.Target
	problem := target.UnmarshalJSON(f["target"].json())
	name := "an invalid target is visible"
	if problem == nil {
		name = target.String() + " is visible"
	}
	if f["name"] != nil && f["name"].text != "" {
		name = f["name"].text
	}
	words := map[bool]string{true: "visible", false: "not visible"}
	want, visible := f["visible"].text == "true", p.Visible(target)
	r := c.result(n, name)
	r.OK, r.Expected, r.Got = want == visible, words[want], words[visible]
	if problem != nil {
		r.Explanation = questionError(problem).Error()
	}
	return r.done(), nil
}

// caseName returns a name from a decision table as one line for people.
func caseName(s string) string { return oneLine(strings.Join(strings.Fields(s), " ")) }

func (a *app) reportResults(output string, files []string, results []result) error {
	wrong := 0
	for _, r := range results {
		if !r.OK {
			wrong++
		}
	}
	switch output {
	case "json":
		return a.out.json(struct {
			Total   int      `json:"total"`
			Wrong   int      `json:"wrong"`
			Results []result `json:"results"`
		}{len(results), wrong, orEmpty(results)})
	case "tap":
		a.sayTAP(results)
		return nil
	case "junit":
		return a.sayJUnit(results)
	}
	for _, r := range results {
		if r.OK {
			continue
		}
		a.out.say(styleBad, fmt.Sprintf("WRONG %s: %s: %s", r.place(), caseName(r.Case), caseName(r.Name)))
		a.out.say(styleGood, "  - expected: "+r.Expected)
		a.out.say(styleBad, "  + got:      "+r.Got)
		for line := range strings.SplitSeq(r.Explanation, "\n") {
			if line != "" {
				a.out.say(stylePlain, "    "+line)
			}
		}
		fmt.Fprintln(a.out)
	}
	if wrong > 0 {
		a.out.sayf(styleBad, "%d of %s wrong in %s", wrong, plural(len(results), "answer"), plural(len(files), "file"))
	} else {
		a.out.sayf(styleGood, "%s right in %s", plural(len(results), "answer"), plural(len(files), "file"))
	}
	return nil
}

// sayTAP prints results in the Test Anything Protocol, version 13.
func (a *app) sayTAP(results []result) {
	escape := strings.NewReplacer(`\`, `\\`, "#", `\#`)
	fmt.Fprintf(a.out, "TAP version 13\n1..%d\n", len(results))
	for i, r := range results {
		ok := "ok"
		if !r.OK {
			ok = "not ok"
		}
		fmt.Fprintf(a.out, "%s %d - %s\n", ok, i+1, escape.Replace(caseName(r.Case)+": "+caseName(r.Name)))
		if r.OK {
			continue
		}
		fmt.Fprintf(a.out, "  ---\n  at: %s\n  expected: %s\n  got: %s\n",
			yamlText(r.place()), yamlText(r.Expected), yamlText(r.Got))
		if r.Explanation != "" {
			explanation := strings.ReplaceAll(visible(r.Explanation), "\n", "\n    ")
			fmt.Fprintf(a.out, "  explanation: |\n    %s\n", explanation)
		}
		fmt.Fprintln(a.out, "  ...")
	}
}

// yamlText is a text as a YAML scalar in single quotation marks. It has no line breaks.
func yamlText(s string) string { return "'" + strings.ReplaceAll(visible(s), "'", "''") + "'" }

type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr"`
		Failure *junitFailure `xml:"failure,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func (a *app) sayJUnit(results []result) error {
	report := junitSuites{Tests: len(results)}
	for _, r := range results {
		if n := len(report.Suites); n == 0 || report.Suites[n-1].Name != r.File {
			report.Suites = append(report.Suites, junitSuite{Name: r.File})
		}
		suite := &report.Suites[len(report.Suites)-1]
		one := junitCase{Class: r.Case, Name: r.Name, File: r.File, Line: r.Line}
		suite.Tests++
		if !r.OK {
			suite.Failures++
			report.Failures++
			one.Failure = &junitFailure{
				Message: "expected: " + r.Expected + "; got: " + r.Got,
				Text:    r.place() + "\n- expected: " + r.Expected + "\n+ got:      " + r.Got + "\n" + r.Explanation,
			}
		}
		suite.Cases = append(suite.Cases, one)
	}
	text, err := xml.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.out, "%s%s\n", xml.Header, visibleXML(text))
	return err
}

// visibleXML returns an XML text with a reference in place of each invisible character. The text means the same.
func visibleXML(text []byte) string {
	var b strings.Builder
	for _, r := range string(text) {
		if s := string(r); visible(s) == s {
			b.WriteString(s)
		} else {
			fmt.Fprintf(&b, "&#x%X;", r)
		}
	}
	return b.String()
}
