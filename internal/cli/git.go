package cli

import (
	"context"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/cli/account"
	"github.com/lanyardhq/lanyard/internal/cli/laptop"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func (a *app) git() *cobra.Command {
	cmd := family("git", "Use Git on this machine with repositories behind a server, without a password",
		a.gitSetup(), a.gitClone(), a.gitUndo(), a.gitRemote())
	cmd.Long = `Lets Git on this machine fetch from and push to the repositories of your projects through the server you are signed in to,
as you: Git runs lanyard for them, which sends each request with your tokens and a proof of their key. Git keeps no password,
and what you may do is decided at each request, as in a workspace.`
	return cmd
}

// signedIn is the context that a command of this machine's goes by, and the way to its server.
func (a *app) signedIn(name string) (account.Context, *account.Transport, error) {
	s := a.accounts()
	if name == "" {
		name = a.context
	}
	c, err := s.Find(name)
	switch {
	case err != nil && name != "":
		return account.Context{}, nil, problem.Wrap(err, problem.SignInNeeded, "You are not signed in at %s. Sign in first: lanyard login %s", name, name)
	case err != nil:
		return account.Context{}, nil, err
	case c == nil:
		return account.Context{}, nil, problem.New(problem.SignInNeeded, "You are signed in nowhere. Sign in first: lanyard login https://HOST")
	}
	return *c, s.Transport(*c), nil
}

// repositories are those of the person's projects, by their canonical addresses.
func repositories(ctx context.Context, r *remote.Remote) (map[string]string, error) {
	projects, err := r.Projects(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, p := range projects {
		for _, repository := range p.Repositories {
			all[laptop.Canonical(repository.URL)] = repository.URL
		}
	}
	return all, nil
}

// installHelper lets Git find its helper.
func (a *app) installHelper() error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	made, err := laptop.Install(program, a.c.Env("HOME"))
	if made != "" {
		a.err.line("Made the link %s, by which Git finds lanyard.", made)
	}
	return err
}

func (a *app) gitSetup() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "setup [FOLDER]",
		Short: "Lead the remotes of a clone through the server",
		Long: `Changes the configuration of a clone, and of no other, so that its remotes which are repositories of your projects are reached
through the server. The URLs of the remotes stay as they are. "lanyard git undo" takes it back.`,
		Example: `  cd api && lanyard git setup`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clone := laptop.Clone{Environ: os.Environ()}
			if len(args) == 1 {
				clone.Dir = args[0]
			}
			remotes, err := clone.Remotes(cmd.Context())
			if err != nil {
				return err
			}
			c, t, err := a.signedIn("")
			if err != nil {
				return err
			}
			r := remote.Over(t, c.URL)
			defer r.Close()
			mine, err := repositories(cmd.Context(), r)
			if err != nil {
				return err
			}
			if err := a.installHelper(); err != nil {
				return err
			}
			led := 0
			for _, found := range remotes {
				repository, ok := mine[laptop.Canonical(found.URL)]
				if !ok {
					continue
				}
				address, err := laptop.Address(c.URL, repository)
				if err != nil {
					return err
				}
				if err := clone.Lead(cmd.Context(), found.URL, address); err != nil {
					return err
				}
				led++
				if asJSON {
					if err := a.out.json(ledRemote{found.Name, found.URL, c.URL}); err != nil {
						return err
					}
					continue
				}
				a.out.line("%s (%s) goes through %s, as you.", found.Name, found.URL, c.URL)
			}
			if led == 0 {
				return problem.New(problem.NotFound, "No remote of this clone is a repository that you may use at %s. `lanyard projects` lists your projects.", c.URL)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print each remote that is led through the server, a line each")
	return cmd
}

// ledRemote is what `git setup --json` prints of a remote.
type ledRemote struct {
	Remote string `json:"remote"`
	URL    string `json:"url"`
	Server string `json:"server"`
}

func (a *app) gitClone() *cobra.Command {
	return &cobra.Command{
		Use:   "clone REPOSITORY-URL [FOLDER] [-- FLAG-OF-GIT-CLONE…]",
		Short: "Clone a repository through the server",
		Long:  `Clones a repository of one of your projects, and leaves the clone set up as "lanyard git setup" does.`,
		Example: `  lanyard git clone https://git.example.com/payments/api
  lanyard git clone https://git.example.com/payments/api -- --depth 1`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeRepositories,
		RunE: func(cmd *cobra.Command, args []string) error {
			named, flags := args, []string{}
			if at := cmd.ArgsLenAtDash(); at >= 0 {
				named, flags = args[:at], args[at:]
			}
			if len(named) == 0 || len(named) > 2 {
				return usage("`lanyard git clone REPOSITORY-URL [FOLDER]`; flags of Git's own follow --")
			}
			c, _, err := a.signedIn("")
			if err != nil {
				return err
			}
			canonical := laptop.Canonical(named[0])
			if canonical == "" {
				return usage("%q is not the address of a repository: https://HOST/PATH", named[0])
			}
			address, err := laptop.Address(c.URL, canonical)
			if err != nil {
				return err
			}
			if err := a.installHelper(); err != nil {
				return err
			}
			argv := []string{"clone"}
			for _, s := range laptop.Leading(named[0], address) {
				argv = append(argv, "-c", s.Key+"="+s.Value)
			}
			argv = append(append(append(argv, flags...), "--"), named...)
			git := exec.CommandContext(cmd.Context(), "git", argv...)
			git.Cancel = func() error { return laptop.Interrupt(git.Process) }
			git.Stdin, git.Stdout, git.Stderr = a.c.Stdin, a.c.Stdout, a.c.Stderr
			return ended(git.Run())
		},
	}
}

// completeRepositories offers the repositories of the person's projects to the first argument.
func (a *app) completeRepositories(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault // a folder
	}
	return a.offer(cmd, func(ctx context.Context, r *remote.Remote) ([]cobra.Completion, error) {
		mine, err := repositories(ctx, r)
		var names []cobra.Completion
		for _, url := range slices.Sorted(maps.Values(mine)) {
			names = append(names, clean(url))
		}
		return names, err
	})
}

func (a *app) gitUndo() *cobra.Command {
	return &cobra.Command{
		Use:   "undo [FOLDER]",
		Short: "Take back what setup changed in a clone",
		Example: `  lanyard git undo
  lanyard git undo ~/src/api`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			clone := laptop.Clone{Environ: os.Environ()}
			if len(args) == 1 {
				clone.Dir = args[0]
			}
			gone, err := clone.Unlead(cmd.Context())
			for _, u := range gone {
				a.out.line("%s is reached without Lanyard again.", u)
			}
			if err == nil && len(gone) == 0 {
				a.out.line("Nothing in this clone leads through a server.")
			}
			return err
		},
	}
}

// gitRemote is what Git runs, under the name of laptop.HelperName.
func (a *app) gitRemote() *cobra.Command {
	return &cobra.Command{
		Use: "remote NAME ADDRESS", Short: "What Git runs (gitremote-helpers)", Hidden: true, Args: cobra.ExactArgs(2),
		Example: "  lanyard git remote origin lanyard::https://lanyard.example.com/git/git.example.com/payments/api",
		RunE: func(cmd *cobra.Command, args []string) error {
			server, path, err := laptop.Split(args[1])
			if err != nil {
				return err
			}
			_, t, err := a.signedIn(server)
			if err != nil {
				return err
			}
			defer t.CloseIdleConnections()
			err = laptop.Helper{
				Remote: args[0], Path: path, URL: server, Server: t, Environ: os.Environ(),
				Stdin: a.c.Stdin, Stdout: a.c.Stdout, Stderr: a.c.Stderr,
			}.Run(cmd.Context())
			if status := laptop.Ended(0); errors.As(err, &status) {
				return statusError{status: int(status)}
			}
			return err
		},
	}
}

// ended is how a program that speaks for itself ended.
func ended(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return statusError{status: max(exit.ExitCode(), exitFailed)}
	}
	return err
}

// helperOf turns the arguments of Git's helper into those of the command that it is.
func helperOf(program string, args []string) []string {
	if strings.TrimSuffix(filepath.Base(program), ".exe") != laptop.HelperName {
		return args
	}
	return append([]string{"git", "remote"}, args...)
}
