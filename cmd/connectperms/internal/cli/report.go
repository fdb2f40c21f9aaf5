package cli

import (
	"bytes"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
	"github.com/connectperms/permissions/internal/strictjson"
)

// pointers calls visit with the JSON Pointer of each scope of a claim and the offset of its key.
func pointers(claim string, visit func(pointer string, offset int)) {
	s := strictjson.Scanner{Text: claim}
	var object func(above string) bool
	object = func(above string) bool {
		if s.Space() != '{' {
			_, ok := s.Value()
			return ok
		}
		for more := s.Begin('}'); more; {
			s.Space()
			at := s.Pos
			name, ok := s.Name()
			if !ok || !s.Punctuation(':') {
				return false
			}
			pointer := above + "/" + strictjson.EscapePointer(name)
			visit(pointer, at)
			if !object(pointer) {
				return false
			}
			if more, ok = s.More('}'); !ok {
				return false
			}
		}
		return true
	}
	object("")
}

// A lineCounter finds the places of offsets that ascend.
type lineCounter struct {
	data                 []byte
	offset, lines, start int // start is where the line begins
}

func (l *lineCounter) place(offset int) (line, column int) {
	next := l.data[l.offset:offset]
	if n := bytes.Count(next, []byte("\n")); n > 0 {
		l.lines += n
		l.start = l.offset + bytes.LastIndexByte(next, '\n') + 1
	}
	l.offset = offset
	return l.lines + 1, utf8.RuneCount(l.data[l.start:offset]) + 1
}

// A change is a change between two claims, with its place in the second one.
type change struct {
	level, title, text string
	code               string // gained or lost
	file               string
	line, column       int
}

func changesOf(d analyze.Difference, before, after *subject) (list []change) {
	at := map[string]int{}
	if after.claimAt >= 0 {
		pointers(after.claim, func(pointer string, offset int) { at[pointer] = after.claimAt + offset })
	}
	for _, c := range d.Changes {
		one := change{file: after.source.name, text: c.String(), code: "lost", level: "notice", title: "no longer allowed: "}
		if c.After.Allowed {
			one.code, one.level, one.title = "gained", "warning", "now allowed: "
		}
		one.title += joinNames(c.Permissions)
		if offset, ok := at[c.After.Rule.Pointer()]; ok {
			one.line, one.column = place(after.source.data, offset)
		} else if after.claimAt >= 0 {
			one.line, one.column = place(after.source.data, after.claimAt)
		}
		list = append(list, one)
	}
	return list
}

func joinNames(list []permissions.Permission) string {
	var names []string
	for _, p := range list {
		names = append(names, string(p))
	}
	return strings.Join(names, ", ")
}

// githubCommand is a workflow command of GitHub Actions, which annotates a line.
func githubCommand(level, file string, line, column int, title, message string) string {
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	where := "file=" + property.Replace(filepath.ToSlash(file))
	if line > 0 {
		where += fmt.Sprintf(",line=%d,col=%d", line, column)
	}
	return visible("::" + level + " " + where + ",title=" + property.Replace(title) + "::" + data.Replace(message))
}

// code is a text as a code span of Markdown.
func code(text string) string {
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		return fence + " " + text + " " + fence
	}
	return fence + text + fence
}

func markdownOfFindings(found []located) string {
	if len(found) == 0 {
		return "Nothing found.\n"
	}
	var b strings.Builder
	for _, l := range found {
		fmt.Fprintf(&b, "- %s %s: %s  \n  fix: %s\n",
			code(l.place()), code(string(l.Code)), code(l.Message), code(l.Fix().Summary))
	}
	return b.String()
}

// The parts of SARIF 2.1.0 that are written here.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

func sarif(results []sarifResult) sarifLog {
	const home = "https://github.com/connectperms/permissions"
	driver := sarifDriver{Name: "connectperms", InformationURI: home, Rules: []sarifRule{}}
	for _, r := range results {
		if !slices.Contains(driver.Rules, sarifRule{r.RuleID}) {
			driver.Rules = append(driver.Rules, sarifRule{r.RuleID})
		}
	}
	return sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{{
		Tool: sarifTool{driver}, ColumnKind: "unicodeCodePoints", Results: orEmpty(results),
	}}}
}

func sarifAt(file string, line, column int) []sarifLocation {
	uri := (&url.URL{Path: filepath.ToSlash(file)}).String()
	if filepath.IsAbs(file) {
		uri = (&url.URL{Scheme: "file", Path: filepath.ToSlash(file)}).String()
	}
	location := sarifLocation{sarifPhysical{Artifact: sarifArtifact{uri}}}
	if line > 0 {
		location.Physical.Region = &sarifRegion{line, column}
	}
	return []sarifLocation{location}
}

func sarifOfFindings(found []located) sarifLog {
	var results []sarifResult
	for _, l := range found {
		results = append(results, sarifResult{
			string(l.Code), "warning", sarifMessage{l.Message + "\nfix: " + l.Fix().Summary}, sarifAt(l.file, l.line, l.column),
		})
	}
	return sarif(results)
}

func sarifOfChanges(changes []change) sarifLog {
	levels := map[string]string{"gained": "warning", "lost": "note"}
	var results []sarifResult
	for _, c := range changes {
		at := sarifAt(c.file, c.line, c.column)
		results = append(results, sarifResult{c.code, levels[c.code], sarifMessage{c.text}, at})
	}
	return sarif(results)
}
