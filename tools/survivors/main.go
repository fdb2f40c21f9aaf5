// Command survivors reads the report of a mutation run by gremlins, and compares the mutants that were not killed
// with a list of those that may survive, each with the reason.
//
//	survivors [-within DURATION] LIST REPORT
//
// It runs in the directory of the mutated module. Gremlins leaves out what the coverage of Go
// does not count, such as constants and the expressions of a case, and its run leaves some tests
// out. So what is not killed and not listed is tried again, with all tests of its package. A mutant with which
// the tests time out counts as killed.
//
// With -within it begins no new try after that time, and says how many mutants it has left out. The report can
// be that of a dry run: then it tries all mutants itself.
//
// A line of the list is a file, the mutator's name, the text of the mutated line, the column
// within that text counted from 1, and the reason, separated by tabs. Line numbers are left
// out, so that the list outlives edits elsewhere. The command prints what survived and is not
// listed, and what is listed and did not survive, and fails if there is any of the first.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"
)

type report struct {
	Files []struct {
		Name      string `json:"file_name"`
		Mutations []struct {
			Type   string `json:"type"`
			Status string `json:"status"`
			Line   int    `json:"line"`
			Column int    `json:"column"`
		} `json:"mutations"`
	} `json:"files"`
}

// A mutant is one place and what was done to it.
type mutant struct {
	file, mutator, text string
	column              int
}

func (m mutant) String() string {
	return fmt.Sprintf("%s\t%s\t%s\t%d", m.file, m.mutator, m.text, m.column)
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("survivors: ")
	within := flag.Duration("within", 24*time.Hour, "time after which no try begins")
	flag.Parse()
	if flag.NArg() != 2 {
		log.Fatal("usage: survivors [-within DURATION] LIST REPORT")
	}
	unexpected, err := compare(flag.Arg(0), flag.Arg(1), time.Now().Add(*within))
	if err != nil {
		log.Fatal(err)
	}
	if unexpected > 0 {
		os.Exit(1)
	}
}

// compare returns how many mutants survived and are not listed. It begins no try after the deadline.
func compare(listName, reportName string, deadline time.Time) (unexpected int, err error) {
	known, err := readList(listName)
	if err != nil {
		return 0, err
	}
	data, err := os.ReadFile(reportName)
	if err != nil {
		return 0, err
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return 0, err
	}
	total, killed, listed, untried, unchanged := 0, 0, 0, 0, 0
	tested := make(map[string]bool)
	survived := make(map[mutant]bool)
	for _, f := range r.Files {
		source, err := os.ReadFile(f.Name)
		if err != nil {
			return 0, err
		}
		lines := strings.SplitAfter(string(source), "\n")
		tested[f.Name] = true
		for _, m := range f.Mutations {
			if m.Status == "SKIPPED" { // the line is not one of those that differ from a revision
				unchanged++
				continue
			}
			total++
			switch m.Status {
			case "KILLED", "TIMED OUT", "NOT VIABLE":
				killed++
				continue
			}
			line := lines[m.Line-1]
			text := strings.TrimSpace(line)
			found := mutant{f.Name, m.Type, text, m.Column - strings.Index(line, text)}
			if _, ok := known[found]; ok {
				survived[found] = true
				listed++
				continue
			}
			if time.Now().After(deadline) {
				untried++
				continue
			}
			mutated, err := mutate(line, m.Type, m.Column)
			if err != nil {
				return 0, fmt.Errorf("%s:%d: %w", f.Name, m.Line, err)
			}
			before, after := strings.Join(lines[:m.Line-1], ""), strings.Join(lines[m.Line:], "")
			noticed, err := isNoticed(f.Name, before+mutated+after)
			if err != nil {
				return 0, err
			}
			if noticed {
				killed++
				continue
			}
			unexpected++
			fmt.Printf("%s:%d:%d survived:\n%v\t\n", f.Name, m.Line, m.Column, found)
		}
	}
	var gone []string
	for m := range known {
		if tested[m.file] && unchanged == 0 && !survived[m] {
			gone = append(gone, m.String())
		}
	}
	sort.Strings(gone)
	for _, m := range gone {
		fmt.Printf("listed, but not among the survivors: %s\n", m)
	}
	fmt.Printf("%d mutants, %d killed, %d listed, %d not tried, %d survived\n", total, killed, listed, untried, unexpected)
	if total == 0 && unchanged == 0 {
		return 0, errors.New("there were no mutants")
	}
	return unexpected, nil
}

// operators says what each mutator makes of an operator.
var operators = map[string]map[string]string{
	"ARITHMETIC_BASE":         {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*"},
	"CONDITIONALS_BOUNDARY":   {"<": "<=", "<=": "<", ">": ">=", ">=": ">"},
	"CONDITIONALS_NEGATION":   {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"},
	"INCREMENT_DECREMENT":     {"++": "--", "--": "++"},
	"INVERT_ASSIGNMENTS":      {"+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "%=": "*="},
	"INVERT_BITWISE":          {"&": "|", "|": "&", "^": "&", "&^": "&", "<<": ">>", ">>": "<<"},
	"INVERT_BWASSIGN":         {"&=": "|=", "|=": "&=", "^=": "&=", "&^=": "&=", "<<=": ">>=", ">>=": "<<="},
	"INVERT_LOGICAL":          {"&&": "||", "||": "&&"},
	"INVERT_LOOPCTRL":         {"break": "continue", "continue": "break"},
	"INVERT_NEGATIVES":        {"-": "+"},
	"REMOVE_SELF_ASSIGNMENTS": {"+=": "=", "-=": "=", "*=": "=", "/=": "=", "%=": "=", "&=": "=", "|=": "=", "^=": "=", "&^=": "=", "<<=": "=", ">>=": "="},
}

// mutate returns the line with another operator at a column.
func mutate(line, mutator string, column int) (string, error) {
	before, rest := line[:column-1], line[column-1:]
	longest := ""
	for operator := range operators[mutator] {
		if strings.HasPrefix(rest, operator) && len(operator) > len(longest) {
			longest = operator
		}
	}
	if longest == "" {
		return "", fmt.Errorf("%s knows nothing at column %d", mutator, column)
	}
	return before + operators[mutator][longest] + rest[len(longest):], nil
}

// isNoticed reports whether a test fails, or nothing compiles, with another text of a file.
func isNoticed(file, source string) (bool, error) {
	directory, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(directory)
	path, err := filepath.Abs(file)
	if err != nil {
		return false, err
	}
	changed, overlay := filepath.Join(directory, "mutant.go"), filepath.Join(directory, "overlay.json")
	if err := os.WriteFile(changed, []byte(source), 0o600); err != nil {
		return false, err
	}
	data, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return false, err
	}
	if err := os.WriteFile(overlay, data, 0o600); err != nil {
		return false, err
	}
	tested := "./" + filepath.ToSlash(filepath.Dir(file)) // the package of the file
	err = exec.Command("go", "test", "-overlay", overlay, "-count=1", "-failfast", "-timeout=5m", tested).Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		return false, err
	}
	return failed != nil, nil
}

// readList reads the list, and refuses a line without a reason.
func readList(name string) (map[mutant]string, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	known := make(map[mutant]string)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Split(line, "\t")
		if len(fields) != 5 || fields[4] == "" {
			return nil, fmt.Errorf("%s: not five fields with a reason: %s", name, line)
		}
		column, err := strconv.Atoi(fields[3])
		if err != nil {
			return nil, fmt.Errorf("%s: no column: %s", name, line)
		}
		known[mutant{fields[0], fields[1], fields[2], column}] = fields[4]
	}
	return known, nil
}
