// Package inside is the command line in a workspace: lanyard, and gp, which is the same program under Gitpod's names. It
// speaks to the server through the workspace's own socket (agentapi.SocketEnv): who asks is the workspace, or the AI agent
// beside it, and nobody has to sign in.
package inside

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/cmdline"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Config is what the command line needs of its process.
type Config struct {
	Program        string // as it was called: lanyard, or gp
	Version        string
	Env            func(string) string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Now            func() time.Time // nil: time.Now
}

// Program reports whether a process that was started under this name is one of the commands.
func Program(name string) bool {
	switch filepath.Base(name) {
	case "lanyard", "gp":
		return true
	}
	return false
}

// app is one run of the command line.
type app struct {
	c       Config
	http    *http.Client // to the workspace's socket
	started bool         // the command line was understood
}

// Run runs the command line and returns the exit status.
func Run(ctx context.Context, c Config, args []string) int {
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &app{c: c}
	a.http = socketClient(a.socket())
	defer a.http.CloseIdleConnections()
	root := a.root()
	cmdline.Explain(root)
	root.SetArgs(args)
	root.SetIn(c.Stdin)
	root.SetOut(c.Stdout)
	root.SetErr(c.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	if !a.started { // nothing has run yet, so what is wrong is the command line
		err = usageError{err}
	}
	a.report(err)
	status := statusOf(err)
	if status == exitUsage {
		fmt.Fprintf(c.Stderr, "  `%s --help` says how it is used.\n", cmd.CommandPath())
	}
	return status
}

// example is a help's examples, under the name that the program was called by.
func (a *app) example(lines ...string) string {
	name := filepath.Base(a.c.Program)
	if name != "gp" {
		name = "lanyard"
	}
	return "  " + name + " " + strings.Join(lines, "\n  "+name+" ")
}

// socket is the path of the workspace's socket.
func (a *app) socket() string {
	if s := a.c.Env(agentapi.SocketEnv); s != "" {
		return s
	}
	return filepath.Join(agentapi.PrivateFolder, agentapi.PrivateSocket)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		SilenceErrors: true, SilenceUsage: true,
		Args: known,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(*cobra.Command, []string) {
			a.started = true
		},
		Version:                    a.c.Version,
		SuggestionsMinimumDistance: 2,
	}
	if filepath.Base(a.c.Program) == "gp" {
		root.Use, root.Short = "gp", "Lanyard's commands in a workspace, under Gitpod's names"
		root.Long = root.Short + ".\n\nExit status: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 sign-in needed."
		root.AddCommand(a.idp())
		root.AddCommand(a.own()...)
		root.AddCommand(a.within()...)
		return root
	}
	root.Use, root.Short = "lanyard", "What a workspace can ask of Lanyard"
	root.Long = root.Short + `: what it is and when it stops, its tasks and ports, variables, snapshots, tokens that say who is calling,
for clouds, clusters and services that take them, and AI agents with a name of their own and a part of your rights.

Exit status: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 sign-in needed.`
	root.AddCommand(a.token(), a.agent(), a.kubectlCredential(), a.googleCredential(), a.awsCredential())
	root.AddCommand(a.own()...)
	root.AddCommand(a.within()...)
	return root
}

// known refuses what is no command of cmd's, and says what may have been meant.
func known(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if other := instead(cmd.CommandPath(), args[0]); other != "" {
		return fmt.Errorf("there is no command %q: %s", args[0], other)
	}
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		return fmt.Errorf("there is no command %q; did you mean %s?", args[0], strings.Join(like, " or "))
	}
	return fmt.Errorf("there is no command %q", args[0])
}
