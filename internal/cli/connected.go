package cli

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/cli/laptop"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// askAgain is how often `lanyard connect` looks which repositories there are, and whether the session lives.
const askAgain = 30 * time.Second

func (a *app) connected() *cobra.Command {
	return &cobra.Command{
		Use:   "connect [-- COMMAND ARGUMENT…]",
		Short: "Lead Git and other programs on this machine through the server, for as long as it runs",
		Long: `Listens on this machine's loopback, and passes requests for Git repositories (/git/) and internal apps (/r/) on to the server
you are signed in to, as you. It answers only programs that know its key, which is made anew each time.

With a command it runs that, with an environment by which Git goes this way to the repositories of your projects, and other
programs may: LANYARD_URL is where, and LANYARD_HEADER the header to send. It ends with the command's exit status.

Without one it runs until Ctrl-C, and all your Git goes to the server meanwhile, by the helper that "lanyard git setup" uses: your own
configuration of Git includes a file, which only you may read, until then. For a single clone, "lanyard git setup" needs nothing running.`,
		Example: `  lanyard connect -- git clone https://git.example.com/payments/api
  lanyard connect &
  lanyard connect -- sh -c 'curl -H "$LANYARD_HEADER" $LANYARD_URL/r/ledger/'`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return usage("`lanyard connect -- COMMAND`: the command follows --")
			}
			return a.runConnected(cmd.Context(), args)
		},
	}
}

func (a *app) runConnected(ctx context.Context, argv []string) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	c, t, err := a.signedIn("")
	if err != nil {
		return err
	}
	r := remote.Over(t, c.URL)
	defer r.Close()
	mine, err := repositories(ctx, r)
	if err != nil {
		return err
	}
	by := laptop.Config{URL: c.URL, Server: t}
	if len(argv) == 0 { // a command is told itself, and goes on
		by.Lost = func(err error) { end(err) }
	}
	door, err := laptop.Open(ctx, by)
	if err != nil {
		return err
	}
	defer door.Close()
	if len(argv) > 0 {
		settings, err := door.Settings(slices.Sorted(maps.Values(mine)))
		if err != nil {
			return err
		}
		command := exec.CommandContext(ctx, argv[0], argv[1:]...)
		command.Cancel = func() error { return laptop.Interrupt(command.Process) }
		command.Env = door.Environment(os.Environ(), settings)
		command.Stdin, command.Stdout, command.Stderr = a.c.Stdin, a.c.Stdout, a.c.Stderr
		return ended(command.Run())
	}
	if err := a.installHelper(); err != nil {
		return err
	}
	connected, err := laptop.Connect(a.accounts().Dir, os.Environ())
	if err != nil {
		return err
	}
	defer func() {
		if err := connected.Forget(context.WithoutCancel(ctx)); err != nil {
			a.report(err)
		}
	}()
	if err := connected.Tell(ctx, door, slices.Sorted(maps.Values(mine))); err != nil {
		return err
	}
	a.out.line("Git reaches %d repositories through %s, as you, until Ctrl-C.", len(mine), c.URL)
	a.out.line("Other programs: curl -H @%s %s/r/APP/", connected.HeaderFile(), door.URL)
	for {
		select {
		case <-ctx.Done():
			if cause := context.Cause(ctx); problem.KindOf(cause) == problem.SignInNeeded {
				return cause
			}
			return nil
		case <-time.After(askAgain):
		}
		now, err := repositories(ctx, r)
		if kind := remote.KindOf(err); err != nil && (kind == problem.SignInNeeded || kind == problem.Denied) {
			return err
		}
		if err != nil || maps.Equal(now, mine) { // the server may be back soon
			continue
		}
		mine = now
		if err := connected.Tell(ctx, door, slices.Sorted(maps.Values(mine))); err != nil {
			return err
		}
	}
}
