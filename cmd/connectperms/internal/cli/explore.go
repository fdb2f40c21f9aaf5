package cli

import (
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/connectperms/permissions/cmd/connectperms/explorer"
)

func (a *app) explore() *cobra.Command {
	var f inputFlags
	var addr string
	var open bool
	c := &cobra.Command{
		Use:   "explore [FILE [FILE]]",
		Short: "Open a page that shows what a claim allows",
		Long: `explore serves a page on this machine until it is interrupted. The page shows a claim as a tree, a table of
targets by permissions, and why each answer is what it is. With two files it compares them. Nothing leaves this
machine.

It prints the address of the page, which is random in part, so that nobody else can open it. With --open it
opens the page in the browser.`,
		Example: `  connectperms explore claim.json
  connectperms explore --open before.json after.json`,
		Args: arguments(0, 2, "two files at the most, each with a claim, a claims set or a token"),
		RunE: func(c *cobra.Command, args []string) error {
			inputs, err := a.exploreInputs(c, &f, args)
			if err != nil {
				return err
			}
			version, _ := versionOf()
			options := explorer.Options{Addr: addr, Inputs: inputs, Version: version}
			if open {
				options.Ready = a.openBrowser
			}
			ctx, stop := signal.NotifyContext(a.ctx, os.Interrupt, syscall.SIGTERM)
			defer stop()
			if err := explorer.Serve(ctx, flushed{a.out}, options); err != nil {
				if a.out.err != nil {
					return a.out.err
				}
				return errors.New(strings.TrimPrefix(err.Error(), "explorer: "))
			}
			return nil
		},
	}
	c.Flags().StringVar(&f.token, "token", "", "read the token from a `FILE`, or from standard input with -")
	c.Flags().StringVar(&f.claim, "claim", "", "read the claim from a `FILE`, or from standard input with -")
	c.Flags().StringVar(&addr, "addr", "127.0.0.1:0",
		"where to listen: an `ADDRESS` of this machine's loopback interface and a port")
	c.Flags().BoolVar(&open, "open", false, "open the page in the browser")
	return c
}

// openBrowser opens the page. If it cannot, the person can.
func (a *app) openBrowser(url string) {
	if err := a.env.Browser(url); err != nil {
		a.err.say(styleWarn, "no browser could be opened ("+err.Error()+"); open the address yourself")
		_ = a.err.flush() // the page is there all the same
	}
}

// exploreInputs reads what the page starts with. The page says what is wrong in it. Without files and flags
// the page starts empty.
func (a *app) exploreInputs(c *cobra.Command, f *inputFlags, files []string) (list []explorer.Input, err error) {
	if c.Flags().Changed("token") || c.Flags().Changed("claim") {
		if len(files) > 0 {
			return nil, errors.New("give either files or --token or --claim")
		}
		t, err := a.open(c, f)
		if err != nil {
			return nil, err
		}
		in, err := a.recognize(c, t)
		if err != nil {
			return nil, err
		}
		return []explorer.Input{{Name: t.name, Text: in.Text}}, nil
	}
	for _, file := range files {
		t, err := a.read(file)
		if err != nil {
			return nil, err
		}
		list = append(list, explorer.Input{Name: t.name, Text: string(t.data)})
	}
	return list, nil
}

// A flushed prints at once.
type flushed struct{ p *printer }

func (f flushed) Write(b []byte) (int, error) {
	n, err := f.p.Write(b)
	if err == nil {
		err = f.p.flush()
	}
	return n, err
}
