package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/cli/account"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// accounts is what this machine keeps of servers that its user signed in to. Without a home folder it keeps nothing.
func (a *app) accounts() *account.Store {
	dir := a.c.Env("LANYARD_CONFIG_DIR")
	if dir == "" {
		if base := a.c.Env("XDG_CONFIG_HOME"); filepath.IsAbs(base) {
			dir = filepath.Join(base, "lanyard")
		} else if base, err := os.UserConfigDir(); err == nil {
			dir = filepath.Join(base, "lanyard")
		}
	}
	return &account.Store{Dir: dir, Keychain: a.c.Env("LANYARD_KEYCHAIN") != "off", HTTP: account.HTTP(), Now: a.c.Now}
}

func (a *app) login() *cobra.Command {
	var device, quiet, fresh bool
	cmd := &cobra.Command{
		Use:   "login [URL]",
		Short: "Sign in to a server from this machine",
		Long: `Signs you in at the server's own sign-in, in your browser, or with --device in a browser on any device, by a code. From
then on commands go to that server as you. The tokens are bound to a key that is made now; both are kept in the operating
system's keychain or, where there is none, in a file that only you may read. They end with your sign-in at the server, or
by ` + "`lanyard logout`" + `.

Without URL it signs in again at the current server.`,
		Example: `  lanyard login https://lanyard.example.com
  lanyard login --device lanyard.example.com`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s := a.accounts()
			address := ""
			if len(args) == 1 {
				var err error
				if address, err = account.Address(args[0]); err != nil {
					return err
				}
			} else {
				c, err := s.Find(a.context)
				if err != nil {
					return err
				}
				if c == nil {
					return usage("name the server: lanyard login https://HOST")
				}
				address = c.URL
			}
			if fresh && device {
				return usage("with --device the browser that you type the code in has to be signed in afresh: open %s/login?prompt=login there first, and leave --fresh out", address)
			}
			l := account.Login{URL: address, Device: device, Fresh: fresh, Name: machineName(), Say: a.sayLines}
			if !quiet {
				l.Browse = func(to string) error { return browse(cmd.Context(), to) }
			}
			c, err := s.Login(cmd.Context(), l)
			if err != nil {
				return err
			}
			a.out.line("You are signed in at %s.", c.URL)
			if c.Kept == account.KeptInFile {
				a.err.line("There is no keychain here, so the tokens are in a file that only you may read, below %s.", s.Dir)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&device, "device", false, "by a code that you type into a browser on any device")
	cmd.Flags().BoolVar(&fresh, "fresh", false, "prove to the tenant anew who you are, though you are signed in: for a project that wants a recent sign-in")
	cmd.Flags().BoolVar(&quiet, "no-browser", false, "only print the address, and open no browser")
	return cmd
}

// sayLines says several lines beside the output.
func (a *app) sayLines(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		a.err.line("%s", line)
	}
}

func (a *app) logout() *cobra.Command {
	cmd := &cobra.Command{
		Use:               "logout [CONTEXT]",
		Short:             "End your session at a server, and forget its tokens here",
		Long:              `Ends the session of this machine at the server, with all that is open by it, and removes its tokens from here.`,
		Example:           `  lanyard logout`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeContexts,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, name := a.accounts(), a.context
			if len(args) == 1 {
				name = args[0]
			}
			c, err := s.Find(name)
			if err != nil {
				return err
			}
			if c == nil {
				return problem.New(problem.SignInNeeded, "You are signed in nowhere.")
			}
			if err := s.Logout(cmd.Context(), *c); err != nil {
				return err
			}
			a.out.line("You are signed out at %s.", c.URL)
			return nil
		},
	}
	return cmd
}

func (a *app) contexts() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "contexts",
		Short: "List the servers you are signed in to, or choose one",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list, current, err := a.accounts().Contexts()
			if err != nil {
				return err
			}
			if asJSON {
				if list == nil {
					list = []account.Context{}
				}
				return a.out.json(struct {
					Current string            `json:"current"`
					Items   []account.Context `json:"items"`
				}{current, list})
			}
			if len(list) == 0 {
				a.out.line("You are signed in nowhere. Sign in: lanyard login https://HOST")
				return nil
			}
			rows := [][]string{}
			for _, c := range list {
				mark := ""
				if c.Name == current {
					mark = "*"
				}
				rows = append(rows, []string{mark, c.Name, c.URL, c.Kept, age(c.At, a.c.Now())})
			}
			a.out.table([]string{"", "NAME", "SERVER", "KEPT IN", "SIGNED IN"}, rows)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	use := &cobra.Command{
		Use: "use CONTEXT", Short: "Send commands to this server from now on", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeContexts,
		Example: `  lanyard contexts use lanyard.example.com`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s := a.accounts()
			if err := s.Use(cmd.Context(), args[0]); err != nil {
				return err
			}
			c, err := s.Find("")
			if err != nil || c == nil {
				return err
			}
			a.out.line("Commands go to %s now.", c.URL)
			return nil
		},
	}
	cmd.AddCommand(use)
	return cmd
}

func (a *app) completeContexts(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	list, _, err := a.accounts().Contexts()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	names := []string{}
	for _, c := range list {
		names = append(names, c.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// machineName is what the page and the list of sessions call this machine.
func machineName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "a machine"
	}
	return fmt.Sprintf("%s (%s)", host, runtime.GOOS)
}

// browse opens the person's browser and does not wait for it.
func browse(ctx context.Context, address string) error {
	opener := []string{"xdg-open", address}
	switch runtime.GOOS {
	case "darwin":
		opener = []string{"open", address}
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler", address}
	}
	cmd := exec.CommandContext(ctx, opener[0], opener[1:]...)
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }() // so that it is no zombie; how it ends is the browser's affair
	return nil
}
