// Package cli is the command line tool connectperms. The page docs/cli.md describes it for its users.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/connectperms/permissions/cmd/connectperms/internal/recognize"
)

// The exit codes.
const (
	codeYes          = 0 // yes, clean, done
	codeError        = 1 // there is no answer: the input or the command is wrong
	codeNo           = 2 // denied, refused, failed, found
	codeUndetermined = 3 // it depends on an identifier that is unknown
)

// An exitCode is the exit code of a command that has printed its answer, other than 0. As an error it ends the run
// without a message.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// An Env is what the tool gets from its surroundings.
type Env struct {
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Now    func() time.Time

	// Terminal returns the width of the terminal that a stream is. ok is false if the stream is not a terminal.
	Terminal func(stream any) (width int, ok bool)

	// Secret reads from the terminal what is pasted there, without showing it.
	Secret func() ([]byte, error)

	// ProgressAfter is how long something takes before the tool says what it is doing.
	ProgressAfter time.Duration

	// Browser opens a page.
	Browser func(url string) error
}

// Main runs the tool with the arguments and the surroundings of the process, and returns its exit code.
func Main() int { return MainAt(time.Now) }

// MainAt is Main with another clock.
func MainAt(now func() time.Time) int {
	return Run(context.Background(), os.Args[1:], system(now))
}

// An app is one run of the tool.
type app struct {
	ctx          context.Context
	env          Env
	out, err     *printer
	progress     *progress
	hasReadStdin bool
}

// Run runs the tool and returns its exit code.
func Run(ctx context.Context, args []string, env Env) int {
	a := &app{ctx: ctx, env: env, out: newPrinter(env, env.Stdout), err: newPrinter(env, env.Stderr)}
	a.progress = newProgress(a.err, env.ProgressAfter)
	err := refuseSecrets(args)
	if err == nil {
		root := a.root()
		root.SetArgs(args)
		err = root.ExecuteContext(ctx)
	}
	a.progress.stop()
	if flushed := a.out.flush(); err == nil || errors.As(err, new(exitCode)) {
		if flushed != nil {
			err = flushed
		}
	}
	var code exitCode
	switch {
	case err == nil:
		return codeYes
	case errors.As(err, &code):
		return int(code)
	case isClosedPipe(err):
		return codeError // whoever reads has seen enough
	}
	a.err.say(styleBad, "connectperms: "+err.Error())
	_ = a.err.flush() // nobody is left to tell
	return codeError
}

func isClosedPipe(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// refuseSecrets refuses arguments that have a token or a key in them. Other users of the machine see the
// arguments of every process, and shells keep them in a file. The error holds nothing of them.
func refuseSecrets(args []string) error {
	for i, arg := range args {
		if recognize.IsSecret(arg) {
			return fmt.Errorf("argument %d has a token or a key in it, which other users of this machine could see; "+
				"give it on standard input, in a file (--token FILE), or in the environment variable %s, and take it for leaked",
				i+1, tokenVariable)
		}
	}
	return nil
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "connectperms",
		Short: "Answers questions about Paragon User Tokens",
		Long: `connectperms says what a Paragon User Token says, what it allows, and why a request was denied.

A token or a claim comes from a file (--token, --claim), from the environment variable ` + tokenVariable + `,
or from standard input. It is never an argument.

Exit codes:
  0  yes, clean, done
  1  there is no answer: the input or the command is wrong
  2  denied, refused, failed, found
  3  undetermined: the answer depends on an identifier that is unknown`,
		Example: `  connectperms inspect --token token.txt
  connectperms explain proxy-api --integration slack --token token.txt`,
		Args:          a.noArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SuggestionsMinimumDistance = 2
	root.Version = a.versionText()
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetIn(a.env.Stdin)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%s; see %s --help", oneLine(err.Error()), c.CommandPath())
	})
	wrapped := fmt.Sprintf("Flags.FlagUsagesWrapped %d ", a.out.width)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "Flags.FlagUsages ", wrapped))
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		about := c.Long
		if about == "" {
			about = c.Short
		}
		a.out.prose(about)
		a.out.say(stylePlain, "\n"+c.UsageString())
	})
	root.AddGroup(
		&cobra.Group{ID: "token", Title: "A token or a claim:"},
		&cobra.Group{ID: "claim", Title: "Claims as files:"},
		&cobra.Group{ID: "make", Title: "Tokens and keys for trying things:"},
		&cobra.Group{ID: "tool", Title: "The tool itself:"},
	)
	for group, commands := range map[string][]*cobra.Command{
		"token": {a.inspect(), a.verify(), a.check(), a.explain(), a.permissions(), a.matrix(), a.explore()},
		"claim": {a.lint(), a.format(), a.diff(), a.covers(), a.narrow(), a.size(), a.test()},
		"make":  {a.sign(), a.keygen()},
		"tool":  {a.schema(), a.man(), a.version()},
	} {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	root.SetCompletionCommandGroupID("tool")
	root.SetHelpCommandGroupID("tool")
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Example = "  connectperms help explain"
		case "completion":
			c.Example = "  connectperms completion bash > /etc/bash_completion.d/connectperms"
			for _, shell := range c.Commands() {
				shell.Example = "  connectperms completion " + shell.Name()
			}
		}
	}
	return root
}

// noArgs refuses arguments. The error does not repeat them, because they may be names from a claim.
func (a *app) noArgs(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if c.HasParent() {
		return fmt.Errorf("%s takes no arguments; see %s --help", c.CommandPath(), c.CommandPath())
	}
	message := "there is no such command"
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		message += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return errors.New(message + "; see connectperms --help")
}

// arguments requires at least least and at most most arguments. A most of -1 sets no limit.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && (len(args) <= most || most < 0) {
			return nil
		}
		remedy := ""
		if most >= 0 && len(args) > most {
			remedy = "; a value with a space needs quotation marks"
		}
		return fmt.Errorf("%s takes %s%s; see %s --help", c.CommandPath(), what, remedy, c.CommandPath())
	}
}

// addOutputFlag adds the flag -o with the formats that a command has. The first one is the default.
func addOutputFlag(c *cobra.Command, format *string, formats ...string) {
	c.Flags().StringVarP(format, "output", "o", formats[0], "the `FORMAT` of the output: "+strings.Join(formats, ", "))
	completions := cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp)
	_ = c.RegisterFlagCompletionFunc("output", completions) // the flag is there
	before := c.PreRunE
	c.PreRunE = func(c *cobra.Command, args []string) error {
		for _, f := range formats {
			if *format == f {
				if before != nil {
					return before(c, args)
				}
				return nil
			}
		}
		return fmt.Errorf("there is no such format of the output; -o takes %s", strings.Join(formats, ", "))
	}
}
