package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func (a *app) registry() *cobra.Command {
	cmd := family("registry", "List, store and remove your own credentials for registries of images", a.registryList(), a.registryLogin(), a.registryLogout())
	cmd.Long = `Your own credentials for registries of container images. The server pulls with one when you start a workspace whose image, or
whose Dockerfile's images, lie on that registry: for you, and for nobody else's workspaces, no prebuilds. It never reaches a workspace.
Where your own is refused, the server's for that registry is tried, if an administrator has configured one for the project.

It is used in all your projects, also where it is a repository that names the image, whose files that repository's code can then read.

A credential is encrypted at rest and never shown again. Give it the right to pull alone, and only what those projects may see.`
	return cmd
}

func (a *app) registryList() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the registries that you have stored a credential for", Example: "  lanyard registry list", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.as(cmd, user, func(r *remote.Remote) error {
				all, err := r.RegistryLogins(cmd.Context())
				switch {
				case err != nil:
					return err
				case asJSON:
					return a.out.json(api.Page[api.RegistryLogin]{Items: append([]api.RegistryLogin{}, all...)})
				case len(all) == 0:
					a.out.line("No credentials for registries. `lanyard registry login HOST` stores one.")
					return nil
				}
				var rows [][]string
				for _, l := range all {
					used := "never"
					if l.Used != nil {
						used = age(*l.Used, a.c.Now()) + " ago"
					}
					rows = append(rows, []string{l.Host, l.User, age(l.Changed, a.c.Now()), used})
				}
				a.out.table([]string{"REGISTRY", "USER", "AGE", "LAST USED"}, rows)
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects")
	return cmd
}

func (a *app) registryLogin() *cobra.Command {
	var user string
	var o api.StoreRegistryLogin
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "login HOST",
		Short: "Store your credential for a registry, in the place of the one that you had",
		Long: `Stores your user name and password, or token, for a registry of images, once the registry has taken it. What is not given is asked
for; the password is read from the terminal without being shown, or else from standard input, without the newline at its end. It
never stands in the command line.`,
		Example: `  lanyard registry login ghcr.io
  lanyard registry login registry.example.com --username ada < token.txt`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: first(a.completeRegistries),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.Host = args[0]; strings.Contains(o.Host, "@") {
				return usage("%q has a user in it: write the registry's host alone, and give the user with --username", "…@"+o.Host[strings.LastIndex(o.Host, "@")+1:])
			}
			if err := a.askRegistry(&o); err != nil {
				return err
			}
			return a.as(cmd, user, func(r *remote.Remote) error {
				l, err := r.StoreRegistryLogin(cmd.Context(), o)
				switch {
				case err != nil:
					return err
				case asJSON:
					return a.out.json(l)
				}
				a.out.line("Your credential for %s, as %s, is stored. Every workspace that you start is opened with it where an image of that registry is named, in all your projects.", l.Host, l.User)
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().StringVarP(&o.User, "username", "u", "", "your `name` at the registry")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what is stored")
	return cmd
}

// askRegistry asks for what of a credential was not given.
func (a *app) askRegistry(o *api.StoreRegistryLogin) error {
	if in, ok := a.c.Stdin.(*os.File); ok && terminal(in) {
		if o.User == "" {
			fmt.Fprintf(a.err, "User at %s: ", clean(o.Host))
			line, err := readLine(in)
			if err != nil {
				return problem.Wrap(err, problem.Invalid, "The user's name could not be read.")
			}
			o.User = strings.TrimSpace(line)
		}
		fmt.Fprintf(a.err, "Password or token of %s: ", clean(o.User))
		secret, err := term.ReadPassword(int(in.Fd()))
		fmt.Fprintln(a.err)
		if err != nil {
			return problem.Wrap(err, problem.Invalid, "The password could not be read.")
		}
		o.Password = string(secret)
		return nil
	}
	if o.User == "" {
		return usage("say who you are at %s with --username NAME; the password is read from standard input", o.Host)
	}
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(a.c.Stdin), maxInput))
	if err != nil {
		return problem.Wrap(err, problem.Invalid, "The password could not be read from standard input.")
	}
	if o.Password = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"); o.Password == "" {
		return usage("there is no password on standard input")
	}
	return nil
}

// readLine reads a line, and nothing of what follows it.
func readLine(from io.Reader) (string, error) {
	var line strings.Builder
	for b := make([]byte, 1); line.Len() < maxInput; {
		if n, err := from.Read(b); n == 0 {
			return line.String(), err
		}
		if b[0] == '\n' {
			break
		}
		line.WriteByte(b[0])
	}
	return line.String(), nil
}

func (a *app) registryLogout() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use: "logout HOST", Short: "Remove your credential for a registry; workspaces that run go on",
		Example: "  lanyard registry logout ghcr.io",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: first(a.completeRegistries),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.as(cmd, user, func(r *remote.Remote) error {
				if err := r.DropRegistryLogin(cmd.Context(), args[0]); err != nil {
					return err
				}
				if asJSON {
					return a.out.json(map[string]any{"host": args[0], "removed": true})
				}
				a.out.line("Your credential for %s is removed.", args[0])
				return nil
			})
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print what was removed")
	return cmd
}

// completeRegistries offers those that the person has a credential for.
func (a *app) completeRegistries(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (hosts []cobra.Completion, err error) {
		all, err := r.RegistryLogins(ctx)
		for _, l := range all {
			hosts = append(hosts, described(l.Host, "as "+l.User+", stored "+l.Changed.Format(time.DateOnly)))
		}
		return hosts, err
	})
}
