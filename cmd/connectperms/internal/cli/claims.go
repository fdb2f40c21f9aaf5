package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
)

// subjects loads the files that are arguments, or if there are none what the flags name.
func (a *app) subjects(c *cobra.Command, f *inputFlags, files []string) (list []*subject, err error) {
	if len(files) == 0 {
		s, err := a.load(c, f)
		return []*subject{s}, err
	}
	if c.Flags().Changed("token") || c.Flags().Changed("claim") {
		return nil, errors.New("give either files or --token or --claim")
	}
	return a.loadAll(files, &f.claimFlags)
}

func (a *app) lint() *cobra.Command {
	var f inputFlags
	var output string
	var known, ignored []string
	c := &cobra.Command{
		Use:   "lint [FILE...]",
		Short: "Find what does nothing in a claim, or not what it reads as",
		Long: `lint looks for rules that change nothing, for maps that close less than they seem to, for names that look like
patterns or lists, and for other slips. It says how to fix each. Each finding is right by itself, so lint again
after a fix.

The exit code is 2 if something is found.`,
		Example: `  connectperms lint claim.json
  connectperms lint --known-integration slack --known-integration jira claim.json
  connectperms lint -o sarif claim.json`,
		RunE: func(c *cobra.Command, args []string) error {
			subjects, err := a.subjects(c, &f, args)
			if err != nil {
				return err
			}
			var opts []analyze.LintOption
			if c.Flags().Changed("known-integration") {
				opts = append(opts, analyze.KnownIntegrations(known...))
			}
			found := []located{}
			for _, s := range subjects {
				if s.policy.IsUnrestricted() {
					return s.source.at(s.input.Offset, "there is no permissions claim in it, so it allows everything")
				}
				a.progress.start("linting " + s.source.name)
				findings := analyze.Lint(s.policy, opts...)
				a.progress.stop()
				findings = slices.DeleteFunc(findings, func(f analyze.Finding) bool {
					return slices.Contains(ignored, string(f.Code))
				})
				found = append(found, locate(s, findings)...)
			}
			if err := a.reportFindings(output, subjects, found); err != nil {
				return err
			}
			if len(found) > 0 {
				return exitCode(codeNo)
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().StringArrayVar(&known, "known-integration", nil,
		"the `NAME` of an integration that there is; others are findings; may be repeated")
	c.Flags().StringArrayVar(&ignored, "ignore", nil,
		"leave out the findings of a `CODE`, such as redundant-rule; may be repeated")
	addOutputFlag(c, &output, "text", "json", "sarif", "github", "markdown")
	return c
}

// A located is a finding with its place.
type located struct {
	analyze.Finding
	file         string
	line, column int // 0 where the claim is inside a token
}

// locate finds the places of findings in the text of a claim.
func locate(s *subject, findings []analyze.Finding) (list []located) {
	places := map[string]int{}
	for _, f := range findings {
		places[f.Pointer()] = -1
	}
	if s.claimAt >= 0 {
		pointers(s.claim, func(pointer string, offset int) {
			if _, wanted := places[pointer]; wanted {
				places[pointer] = s.claimAt + offset
			}
		})
	}
	count := lineCounter{data: s.source.data}
	var order []int
	for i := range findings {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(i, j int) int {
		return places[findings[i].Pointer()] - places[findings[j].Pointer()]
	})
	list = make([]located, len(findings))
	for _, i := range order {
		list[i] = located{Finding: findings[i], file: s.source.name}
		if offset := places[findings[i].Pointer()]; offset >= 0 {
			list[i].line, list[i].column = count.place(offset)
		}
	}
	return list
}

// MarshalJSON returns the finding with its place.
func (l located) MarshalJSON() ([]byte, error) {
	finding, err := l.Finding.MarshalJSON()
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(struct {
		File   string `json:"file"`
		Line   int    `json:"line,omitempty"`
		Column int    `json:"column,omitempty"`
	}{l.file, l.line, l.column})
	if err != nil {
		return nil, err
	}
	return append(append(head[:len(head)-1], ','), finding[1:]...), nil
}

func (l located) place() string {
	if l.line == 0 {
		return oneLine(l.file)
	}
	return fmt.Sprintf("%s:%d:%d", oneLine(l.file), l.line, l.column)
}

func (a *app) reportFindings(output string, subjects []*subject, found []located) error {
	switch output {
	case "json":
		return a.out.json(struct {
			Findings []located `json:"findings"`
		}{found})
	case "sarif":
		return a.out.json(sarifOfFindings(found))
	case "github":
		for _, l := range found {
			message := l.Message + "\nfix: " + l.Fix().Summary
			fmt.Fprintln(a.out, githubCommand("warning", l.file, l.line, l.column, string(l.Code), message))
		}
		return nil
	case "markdown":
		fmt.Fprint(a.out, visible(markdownOfFindings(found)))
		return nil
	}
	for _, l := range found {
		a.out.say(styleWarn, l.place()+": "+l.Finding.String())
		a.out.say(stylePlain, "    fix: "+l.Fix().Summary)
	}
	if len(found) == 0 {
		a.out.sayf(styleGood, "nothing found in %s", plural(len(subjects), "claim"))
	}
	return nil
}

func (a *app) format() *cobra.Command {
	var write, check bool
	var f inputFlags
	c := &cobra.Command{
		Use:   "fmt [FILE...]",
		Short: "Write a claim in its canonical form",
		Long: `fmt prints claims in canonical form, indented: scopes from the least to the most specific and then by name,
nested only where they must be, no permission that another one in the same grant includes, and no empty maps, which
set nothing. The claim has the same rules after that.

With -w it rewrites files: it writes the new text beside the file and renames it, so that nothing is lost if that
fails. With --check it names the files that are not in this form, and the exit code is 2 if there are any.`,
		Example: `  connectperms fmt claim.json
  connectperms fmt --check claim.json
  connectperms fmt -w claim.json`,
		RunE: func(c *cobra.Command, args []string) error {
			if write && len(args) == 0 {
				return errors.New("-w rewrites files; name them")
			}
			if write && check {
				return errors.New("give either -w or --check")
			}
			subjects, err := a.subjects(c, &f, args)
			if err != nil {
				return err
			}
			return a.formatAll(subjects, write, check)
		},
	}
	f.add(c)
	c.Flags().BoolVarP(&write, "write", "w", false, "rewrite the files in place")
	c.Flags().BoolVar(&check, "check", false, "name the files that would change, and change nothing")
	return c
}

func (a *app) formatAll(subjects []*subject, write, check bool) error {
	texts := make([][]byte, len(subjects))
	for i, s := range subjects {
		if s.input.Form != recognize.Claim {
			return s.source.at(s.input.Offset, "it is "+s.input.Form.String()+" and not a claim")
		}
		for range s.policy.Ignored() {
			return s.source.at(s.input.Offset, "fmt would lose the permissions that --ignore-unknown-permissions "+
				"ignores; declare them with --extra-permission")
		}
		if strings.HasPrefix(s.claim, `"`) {
			return s.source.at(s.input.Offset, "the claim is a JSON string, and fmt writes objects")
		}
		text, err := canonical(s.policy)
		if err != nil {
			return err
		}
		texts[i] = text
	}
	changed := false
	for i, s := range subjects {
		same := bytes.Equal(s.source.data, texts[i])
		switch {
		case check && !same:
			changed = true
			fmt.Fprintln(a.out, oneLine(s.source.name))
		case check || write && same:
		case write:
			if s.source.name == standardInput {
				return errors.New("standard input cannot be rewritten")
			}
			if err := rewrite(s.source.name, texts[i]); err != nil {
				return err
			}
		default:
			if err := a.out.claim(texts[i]); err != nil {
				return err
			}
		}
	}
	if changed {
		return exitCode(codeNo)
	}
	return nil
}

// canonical returns the claim of a policy in canonical form and indented, arrays on one line.
func canonical(p *permissions.Policy) ([]byte, error) {
	claim, err := p.MarshalJSON()
	if err != nil {
		return nil, plainError(err)
	}
	return append(indent(claim), '\n'), nil
}

// indent indents the objects of a JSON text. Arrays stay on one line.
func indent(claim []byte) (b []byte) {
	depth, inString, inArray := 0, false, false
	newline := func() { b = append(append(b, '\n'), strings.Repeat("  ", depth)...) }
	for i := 0; i < len(claim); i++ {
		c := claim[i]
		if inString {
			b = append(b, c)
			if c == '\\' {
				i++
				b = append(b, claim[i])
			}
			inString = c != '"'
			continue
		}
		switch c {
		case '{':
			b = append(b, c)
			if claim[i+1] == '}' {
				i++
				b = append(b, '}')
				continue
			}
			depth++
			newline()
			continue
		case '}':
			depth--
			newline()
		case '[', ']':
			inArray = c == '['
		case '"':
			inString = true
		}
		b = append(b, c)
		switch {
		case c == ':', c == ',' && inArray:
			b = append(b, ' ')
		case c == ',':
			newline()
		}
	}
	return b
}

// rewrite replaces a file with another text. It writes a new file beside it and renames that, so the file has
// either the old text or the new one. A symbolic link stays one.
func rewrite(name string, text []byte) (err error) {
	defer func() {
		if err != nil {
			if link := new(os.LinkError); errors.As(err, &link) {
				err = link.Err
			}
			err = fmt.Errorf("%w; the file is as it was", fileError(name, err))
		}
	}()
	file, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	return replace(file, text, info.Mode().Perm())
}

func replace(file string, text []byte, mode fs.FileMode) (err error) {
	beside, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(beside.Name()) // the first error counts
		}
	}()
	_, err = beside.Write(text)
	if err == nil {
		err = beside.Chmod(mode)
	}
	if err == nil {
		err = beside.Sync()
	}
	if closed := beside.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(beside.Name(), file)
}

// loadAll loads the files that are arguments.
func (a *app) loadAll(files []string, f *claimFlags) (list []*subject, err error) {
	for _, file := range files {
		s, err := a.loadFile(file, f.options())
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

const twoFiles = "two files, each with a claim, a claims set or a token"

func (a *app) diff() *cobra.Command {
	var f claimFlags
	var output, failOn string
	c := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Show which answers change from one claim to another",
		Long: `diff compares what two claims mean, and not their text. It lists all that is allowed by one and not by the
other.

With --fail-on the exit code is 2 if the second claim allows more (wider), allows less (narrower), or either (any).`,
		Example: `  connectperms diff before.json after.json
  connectperms diff --fail-on wider before.json after.json
  connectperms diff -o markdown before.json after.json`,
		Args: arguments(2, 2, twoFiles),
		RunE: func(c *cobra.Command, args []string) error {
			if !slices.Contains([]string{"never", "wider", "narrower", "any"}, failOn) {
				return errors.New("--fail-on takes wider, narrower, any or never")
			}
			s, err := a.loadAll(args, &f)
			if err != nil {
				return err
			}
			a.progress.start("comparing the claims")
			d := analyze.Diff(s[0].policy, s[1].policy)
			a.progress.stop()
			if err := a.reportDifference(output, d, s[0], s[1]); err != nil {
				return err
			}
			wider := d.Relation == analyze.RelationWider || d.Relation == analyze.RelationBoth
			narrower := d.Relation == analyze.RelationNarrower || d.Relation == analyze.RelationBoth
			if wider && (failOn == "wider" || failOn == "any") || narrower && (failOn == "narrower" || failOn == "any") {
				return exitCode(codeNo)
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().StringVar(&failOn, "fail-on", "never", "which change is a failure: wider, narrower, any or never")
	answers := []string{"wider", "narrower", "any", "never"}
	completions := cobra.FixedCompletions(answers, cobra.ShellCompDirectiveNoFileComp)
	_ = c.RegisterFlagCompletionFunc("fail-on", completions) // the flag is there
	addOutputFlag(c, &output, "text", "json", "sarif", "github", "markdown")
	return c
}

func (a *app) reportDifference(output string, d analyze.Difference, before, after *subject) error {
	switch output {
	case "json":
		return a.out.json(d)
	case "sarif":
		return a.out.json(sarifOfChanges(changesOf(d, before, after)))
	case "github":
		for _, c := range changesOf(d, before, after) {
			fmt.Fprintln(a.out, githubCommand(c.level, c.file, c.line, c.column, c.title, c.text))
		}
		return nil
	case "markdown":
		fmt.Fprint(a.out, visible(d.Markdown()))
		return nil
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(d.String(), "\n"), "\n") {
		s := stylePlain
		switch {
		case strings.HasPrefix(line, "now allowed"):
			s = styleWarn
		case strings.HasPrefix(line, "no longer allowed"):
			s = styleBad
		}
		a.out.say(s, line)
	}
	return nil
}

func (a *app) covers() *cobra.Command {
	var f claimFlags
	var output string
	c := &cobra.Command{
		Use:   "covers OUTER INNER",
		Short: "Answer whether one claim allows all that another allows",
		Long: `covers answers whether OUTER allows all that INNER allows. If not, it names a question that INNER allows and
OUTER denies, and the exit code is 2.`,
		Example: `  connectperms covers admin.json member.json
  connectperms covers member.json admin.json
  connectperms covers admin.json member.json -o json`,
		Args: arguments(2, 2, twoFiles),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.loadAll(args, &f)
			if err != nil {
				return err
			}
			a.progress.start("comparing the claims")
			ok, question := analyze.Covers(s[0].policy, s[1].policy)
			a.progress.stop()
			outer, inner := oneLine(s[0].source.name), oneLine(s[1].source.name)
			if output == "json" {
				var example *analyze.Question
				if !ok {
					example = &question
				}
				err = a.out.json(struct {
					Covers  bool              `json:"covers"`
					Example *analyze.Question `json:"example,omitempty"`
				}{ok, example})
			} else if ok {
				a.out.sayf(styleGood, "yes: %s allows all that %s allows", outer, inner)
			} else {
				a.out.sayf(styleBad, "no: %s allows %s, and %s denies it", inner, question, outer)
				a.out.say(stylePlain, "    "+s[0].policy.Decide(question.Action, question.Target).String())
			}
			if err == nil && !ok {
				err = exitCode(codeNo)
			}
			return err
		},
	}
	f.add(c)
	addOutputFlag(c, &output, "text", "json")
	return c
}

func (a *app) narrow() *cobra.Command {
	var f claimFlags
	var output string
	c := &cobra.Command{
		Use:   "narrow A B...",
		Short: "Print the claim that allows what several claims allow together",
		Long: `narrow prints one claim that allows exactly what all the claims allow. If no claim says that, it names a
question that shows why, and the exit code is 2.`,
		Example: `  connectperms narrow admin.json member.json
  connectperms narrow admin.json member.json -o json`,
		Args: arguments(2, -1, "two or more files, each with a claim, a claims set or a token"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.loadAll(args, &f)
			if err != nil {
				return err
			}
			var policies []*permissions.Policy
			for _, s := range s {
				policies = append(policies, s.policy)
			}
			a.progress.start("narrowing the claims")
			p, err := permissions.Narrow(policies...)
			a.progress.stop()
			if narrow := new(permissions.NarrowError); errors.As(err, &narrow) {
				return a.reportNarrow(output, narrow)
			}
			if err != nil {
				return plainError(err)
			}
			claim, err := p.MarshalJSON()
			if err != nil {
				return plainError(err)
			}
			if output == "json" {
				return a.out.json(struct {
					Claim json.RawMessage `json:"claim"`
				}{claim})
			}
			return a.out.claim(append(indent(claim), '\n'))
		},
	}
	f.add(c)
	addOutputFlag(c, &output, "text", "json")
	return c
}

func (a *app) reportNarrow(output string, e *permissions.NarrowError) error {
	if output == "json" {
		var example *analyze.Question
		if e.Action != "" {
			example = &analyze.Question{Action: e.Action, Target: e.Target}
		}
		if err := a.out.json(struct {
			Problem string            `json:"problem"`
			Remedy  string            `json:"remedy,omitempty"`
			Example *analyze.Question `json:"example,omitempty"`
		}{e.Problem, e.Remedy, example}); err != nil {
			return err
		}
		return exitCode(codeNo)
	}
	a.out.say(styleBad, plainError(e).Error())
	return exitCode(codeNo)
}

func (a *app) size() *cobra.Command {
	var f inputFlags
	var output string
	var most int
	c := &cobra.Command{
		Use:   "size [FILE]",
		Short: "Say how large a token with a claim is, and what takes the space",
		Long: `size says how many bytes a claim takes in a token, which of its members take most, and whether a smaller claim
says the same. With --max the exit code is 2 if the token would be larger. Headers overflow between 4 and 16 KiB.`,
		Example: `  connectperms size claim.json
  connectperms size --max 300 claim.json
  connectperms size -o json claim.json`,
		Args: arguments(0, 1, "one file at the most"),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := a.subjects(c, &f, args)
			if err != nil {
				return err
			}
			if s[0].policy.IsUnrestricted() {
				return s[0].source.at(s[0].input.Offset, "there is no permissions claim in it")
			}
			a.progress.start("measuring the claim")
			size, err := analyze.Measure(s[0].policy)
			a.progress.stop()
			if err != nil {
				return plainError(err)
			}
			if err := a.reportSize(output, size); err != nil {
				return err
			}
			if c.Flags().Changed("max") && size.Token > most {
				return exitCode(codeNo)
			}
			return nil
		},
	}
	f.add(c)
	c.Flags().IntVar(&most, "max", 0, "the most `BYTES` that a token may have")
	addOutputFlag(c, &output, "text", "json")
	return c
}

func (a *app) reportSize(output string, size analyze.Size) error {
	if output != "json" {
		a.out.say(stylePlain, size.String())
		if size.Smaller == nil {
			return nil
		}
		claim, err := canonical(size.Smaller)
		if err == nil {
			err = a.out.claim(claim)
		}
		return err
	}
	type member struct {
		Scope string `json:"scope"`
		Rules int    `json:"rules"`
		Bytes int    `json:"bytes"`
	}
	type list struct {
		Grant permissions.PermissionSet `json:"grant"`
		Times int                       `json:"times"`
		Bytes int                       `json:"bytes"`
	}
	members, lists := []member{}, []list{}
	for _, m := range size.Members {
		members = append(members, member{m.Scope.String(), m.Rules, m.Bytes})
	}
	for _, l := range size.Lists {
		lists = append(lists, list{l.Grant, l.Times, l.Bytes})
	}
	var smaller json.RawMessage
	if size.Smaller != nil {
		claim, err := size.Smaller.MarshalJSON()
		if err != nil {
			return err
		}
		smaller = claim
	}
	return a.out.json(struct {
		Claim        int             `json:"claim"`
		Token        int             `json:"token"`
		Members      []member        `json:"members"`
		Lists        []list          `json:"lists"`
		Smaller      json.RawMessage `json:"smaller,omitempty"`
		SmallerToken int             `json:"smallerToken,omitempty"`
	}{size.Claim, size.Token, members, lists, smaller, size.SmallerToken})
}
