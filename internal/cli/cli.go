// Package cli is Lanyard's command line. It speaks to a server through the HTTP API: as the operator over the
// server's Unix socket, as a person who signed in from this machine (account), or under `lanyard dev` as a sample user who
// signs in as in a browser.
package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/cmdline"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/store"
)

// DevOptions are the flags of `lanyard dev`.
type DevOptions struct {
	Data    string // folder
	Listen  string // address; port 0 picks free ones
	Runtime string // docker or sandbox; empty: chosen
	// DockerHost is the engine's address as DOCKER_HOST has it; Image is for workspaces that name none.
	DockerHost, Image string
	Metrics           string // address of the operations listener; empty: none
	JSON              bool   // say what is ready as one line of JSON
	// DatabaseFile names a file with the URL of a PostgreSQL database; empty: SQLite in the data folder.
	DatabaseFile string
	Members      string        // who says who is in which group: graph, scim or sign-in
	Keep         time.Duration // the workspaces of a closed project that is made of groups
	// Hosts leads hosts' names, with or without a port, to loopback addresses instead of asking the DNS.
	Hosts map[string]string
	// Running is how many workspaces run at a time; 0: as many as are wanted.
	Running int
}

// Config is what the command line needs of the rest of Lanyard.
type Config struct {
	// Dev runs the sample world until ctx ends; Serve the server of a configuration file.
	Dev   func(context.Context, DevOptions) error
	Serve func(ctx context.Context, config string) error
	// Examine says how a configuration stands with its tenant while no server runs on it.
	Examine func(ctx context.Context, config string) (api.DirectoryHealth, error)
	// DatabaseFile is the SQLite database in a data folder. VerifyAudit checks the audit log of a database with a
	// public key, its own where that is empty, and compares it with files of copied checkpoints.
	DatabaseFile func(data string) string
	VerifyAudit  func(ctx context.Context, rows *store.Store, copies []string, key string) (audit.Report, error)

	// Backup writes all data of a configuration; Restore fills an empty database from it. RotateKeys puts a new encryption
	// key and new signing keys in the place of those in use, and says what it does; Revision is the stored revision of
	// projects and policies, 0 when there is none.
	Backup     func(ctx context.Context, config string, to io.Writer) (store.Summary, error)
	Restore    func(ctx context.Context, config string, from io.Reader) (store.Summary, error)
	RotateKeys func(ctx context.Context, config string, say func(string)) error
	Revision   func(ctx context.Context, config string) (project.Revision, error)

	Version        string
	Program        string // how it was called: Git calls it by another name
	Env            func(string) string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Now            func() time.Time // nil: time.Now
}

// Run runs the command line and returns the exit status.
func Run(ctx context.Context, c Config, args []string) int {
	if c.Now == nil {
		c.Now = time.Now
	}
	a := &app{c: c, out: newOutput(c.Stdout, c.Env), err: newOutput(c.Stderr, c.Env)}
	root := a.root()
	cmdline.Explain(root)
	args = helperOf(c.Program, args)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if !a.started { // nothing has run yet, so what is wrong is the command line
		err = usageError{err}
	}
	a.report(err)
	status := statusOf(err)
	if status == exitUsage && !a.started {
		a.err.line("  `%s --help` says how it is used.", a.named(root, args))
	}
	return status
}

// app is one run of the command line.
type app struct {
	c        Config
	out, err output
	socket   string // --socket
	context  string // --context
	started  bool   // the command line was understood
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "lanyard",
		Short: "Container workspaces whose access follows Microsoft Entra ID, now",
		Long: `Lanyard gives developers container workspaces that open with one click, and lets who they are, as the tenant
says it now, decide everything those workspaces can reach. No secret is copied into a workspace, and when a role
changes, what was open because of that role closes.

Try it on this machine:  lanyard dev, and in another terminal:  lanyard tour

Exit status: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 sign-in needed. "exec" has its command's own, 125 when
Lanyard failed and 126 when it was refused.`,
		SilenceErrors: true, SilenceUsage: true,
		Args:              noSuchCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun:  func(*cobra.Command, []string) { a.started = true },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetIn(a.c.Stdin)
	root.SetOut(a.c.Stdout)
	root.SetErr(a.c.Stderr)
	root.SetFlagErrorFunc(noSuchFlag)
	root.PersistentFlags().StringVar(&a.socket, "socket", "", "speak as the server's operator, through its `socket` (default $LANYARD_SOCKET, else lanyard.sock in the data folder)")
	root.PersistentFlags().StringVar(&a.context, "context", a.c.Env("LANYARD_CONTEXT"), "the `name` or address of a server you are signed in to (default: the one chosen last)")
	_ = root.RegisterFlagCompletionFunc("context", a.completeContexts) // fails for an unknown flag only
	root.AddGroup(
		&cobra.Group{ID: groupWorkspaces, Title: "Workspaces:"},
		&cobra.Group{ID: groupAccess, Title: "Access:"},
		&cobra.Group{ID: groupServer, Title: "Server:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupServer, a.scim())
	add(groupServer, a.dev(), a.serve(), a.check(), a.policy(), a.entra(), a.backup(), a.restore(), a.keys(), a.version())
	add(groupAccess, a.login(), a.logout(), a.contexts(), a.whoami(), a.sessions(), a.access(), a.why(), a.whatIf(), a.projects(), a.leases(), a.revoke(), a.audit(), a.directory())
	add(groupAccess, a.request(), a.requests(), a.approve(), a.refuse(), a.withdraw(), a.grants(), a.breakGlass())
	add(groupWorkspaces, a.start(), a.list(), a.open(), a.exec(), a.logs(), a.stop(), a.delete(), a.timeout(), a.pin(), a.export())
	add(groupWorkspaces, a.snapshot(), a.prebuilds(), a.env(), a.dotfiles(), a.registry())
	add(groupWorkspaces, a.ssh(), a.portForward(), a.git(), a.connected())
	add(groupServer, a.tour())
	return root
}

const (
	groupWorkspaces = "workspaces"
	groupAccess     = "access"
	groupServer     = "server"
)

// named is the command that args lead to, as it is typed.
func (a *app) named(root *cobra.Command, args []string) string {
	if found, _, err := root.Find(args); err == nil {
		return found.CommandPath()
	}
	return root.Name()
}

// family is a command that only holds others.
func family(use, short string, commands ...*cobra.Command) *cobra.Command {
	parent := &cobra.Command{
		Use: use, Short: short, Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("`%s` needs to be told what to do: `%s --help` lists it", cmd.CommandPath(), cmd.CommandPath())
			}
			near := didYouMean(args[0], namesBelow(cmd))
			if near == "" {
				near = fmt.Sprintf(": `%s --help` lists what it knows", cmd.CommandPath())
			}
			return usage("`%s` knows no %q%s", cmd.CommandPath(), args[0], near)
		},
	}
	parent.AddCommand(commands...)
	return parent
}
