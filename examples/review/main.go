// Review says what a change of a claim does: first whether the new claim is wider or narrower than the old
// one, then every answer that changes, and last what in the new claim does nothing or not what it reads as. It
// is for a pull request that changes a claim.
//
//	go run ./examples/review
//	go run ./examples/review -format markdown before.json after.json
package main

import (
	_ "embed"
	"encoding/json"
	"flag"
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
	format := flag.String("format", "text", "text, markdown or json")
	flag.Parse()
	if err := run(os.Stdout, *format, flag.Args()...); err != nil {
		log.Fatal(err)
	}
}

// run reviews the claims in two files, or those of the example.
func run(out io.Writer, format string, files ...string) error {
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
	difference := analyze.Diff(policies[0], policies[1])
	findings := append([]analyze.Finding{}, analyze.Lint(policies[1])...)
	switch format {
	case "text":
		writeText(out, difference, findings)
	case "markdown":
		writeMarkdown(out, difference, findings)
	case "json":
		return json.NewEncoder(out).Encode(map[string]any{"difference": difference, "findings": findings})
	default:
		return fmt.Errorf("unknown format %q: give text, markdown or json", format)
	}
	return nil
}

func writeText(out io.Writer, difference analyze.Difference, findings []analyze.Finding) {
	fmt.Fprintln(out, difference)
	if len(findings) > 0 {
		fmt.Fprintln(out, "\nIn the new claim:")
	}
	for _, f := range findings {
		fmt.Fprintf(out, "\n%v\n  fix: %s\n", f, f.Fix().Summary)
	}
}

// writeMarkdown puts findings into code blocks, so that nothing in a name is taken for Markdown: a finding is
// one line, and no line of it begins with a fence.
func writeMarkdown(out io.Writer, difference analyze.Difference, findings []analyze.Finding) {
	fmt.Fprint(out, difference.Markdown())
	if len(findings) > 0 {
		fmt.Fprintln(out, "\n**In the new claim:**")
	}
	for _, f := range findings {
		fmt.Fprintf(out, "\n```text\n%v\n  fix: %s\n```\n", f, f.Fix().Summary)
	}
}
