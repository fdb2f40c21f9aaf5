package cli

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/connectperms/permissions/cmd/connectperms/schema"
)

func (a *app) schema() *cobra.Command {
	c := &cobra.Command{
		Use:   "schema claim|tests",
		Short: "Print a JSON Schema for editors",
		Long: `schema prints the JSON Schema of a permissions claim (claim), or of the decision tables of connectperms test
(tests).`,
		Example: `  connectperms schema tests > tests.schema.json
  connectperms schema claim > claim.schema.json`,
		Args:      arguments(1, 1, "claim or tests"),
		ValidArgs: []string{"claim", "tests"},
		RunE: func(_ *cobra.Command, args []string) error {
			text, ok := map[string][]byte{"claim": schema.Claim, "tests": schema.Tests}[args[0]]
			if !ok {
				return errors.New("there is no such schema; schema takes claim or tests")
			}
			_, err := a.out.Write(text)
			return err
		},
	}
	return c
}

func (a *app) man() *cobra.Command {
	c := &cobra.Command{
		Use:     "man DIRECTORY",
		Short:   "Write the manual pages",
		Long:    "man writes a manual page for each command into a directory, which it makes if needed.",
		Example: "  connectperms man man1",
		Args:    arguments(1, 1, "the name of a directory"),
		RunE: func(c *cobra.Command, args []string) error {
			const directoryMode = 0o755
			if err := os.MkdirAll(args[0], directoryMode); err != nil {
				return fileError(args[0], err)
			}
			date := time.Unix(0, 0).UTC() // the same pages each time
			c.Root().DisableAutoGenTag = true
			header := &doc.GenManHeader{
				Title: "CONNECTPERMS", Section: "1", Source: "connectperms", Manual: "connectperms", Date: &date,
			}
			if err := doc.GenManTree(c.Root(), header, args[0]); err != nil {
				return fileError(args[0], err)
			}
			a.out.sayf(stylePlain, "man -l %s", shellQuote(filepath.Join(args[0], "connectperms.1")))
			return nil
		},
	}
	return c
}

func (a *app) version() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  connectperms version
  connectperms version -o json`,
		Args: a.noArgs,
		RunE: func(*cobra.Command, []string) error {
			if output == "json" {
				version, revision := versionOf()
				return a.out.json(struct {
					Version  string `json:"version"`
					Revision string `json:"revision,omitempty"`
					Go       string `json:"go"`
				}{version, revision, runtime.Version()})
			}
			a.out.say(stylePlain, a.versionText())
			return nil
		},
	}
	addOutputFlag(c, &output, "text", "json")
	return c
}

func (a *app) versionText() string {
	version, revision := versionOf()
	if revision != "" {
		version += " (" + revision + ")"
	}
	return "connectperms " + version + ", " + runtime.Version()
}

// versionOf returns the version of the module that this program was built of, and the commit.
func versionOf() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown", ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return info.Main.Version, revision
}
