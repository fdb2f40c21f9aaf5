// Review tells what a change of a claim does: which answers change, whether the new claim
// allows more or less, and what in it does nothing, or not what it reads as. What neither
// claim names is called other.
//
//	go run ./examples/review
//	go run ./examples/review before.json after.json
package main

import (
	_ "embed"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/connectperms/permissions"
	"github.com/connectperms/permissions/analyze"
)

var (
	//go:embed before.json
	exampleBefore []byte
	//go:embed after.json
	exampleAfter []byte
)

func main() {
	log.SetFlags(0)
	if err := run(os.Stdout, os.Args[1:]...); err != nil {
		log.Fatal(err)
	}
}

// run reviews the claims in two files, or those of the example.
func run(out io.Writer, files ...string) error {
	texts := [][]byte{exampleBefore, exampleAfter}
	if len(files) != 0 && len(files) != len(texts) {
		return fmt.Errorf("give two files, the claim before and after, or none for the example")
	}
	var policies [2]*permissions.Policy
	for i := range texts {
		if len(files) > 0 {
			text, err := os.ReadFile(files[i])
			if err != nil {
				return err
			}
			texts[i] = text
		}
		policy, err := permissions.Parse(texts[i])
		if err != nil {
			return err
		}
		policies[i] = policy
	}
	review(out, policies[0], policies[1])
	return nil
}

func review(out io.Writer, before, after *permissions.Policy) {
	less, _ := analyze.Covers(before, after)
	more, _ := analyze.Covers(after, before)
	switch {
	case less && more:
		fmt.Fprintln(out, "The claims allow the same.")
	case less:
		fmt.Fprintln(out, "The new claim allows less.")
	case more:
		fmt.Fprintln(out, "The new claim allows more.")
	default:
		fmt.Fprintln(out, "The new claim allows some things more, and some no longer.")
	}

	for _, c := range analyze.Diff(before, after) {
		word := "gained"
		if c.Before.Allowed {
			word = "lost"
		}
		fmt.Fprintf(out, "\n%s %v on %v\n", word, c.Actions, c.Target)
		fmt.Fprintf(out, "  before: %v\n", c.Before)
		fmt.Fprintf(out, "  after:  %v\n", c.After)
	}

	findings := analyze.Lint(after)
	if len(findings) > 0 {
		fmt.Fprintln(out, "\nIn the new claim:")
	}
	for _, f := range findings {
		fmt.Fprintf(out, "\n%s at %s\n  %s\n", f.Code, f.Pointer, f.Message)
	}
}
