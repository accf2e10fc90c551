package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/doctor"
)

// doctorFlags are those of `lanyard entra doctor`.
type doctorFlags struct {
	config, report, replay string
	signIn, json           bool
	wait                   time.Duration
}

func (a *app) entraDoctor() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say how Lanyard stands with the tenant, and what to mend",
		Long: `Asks the running server, and through it the tenant: whether the tenant is the one that is meant, whether each credential
of the app registration gets a token and when it expires, which permissions are granted, whether the registration knows
where sign-ins return to and sends the claims that are needed, how Lanyard's own addresses are reached by their names and
what certificate they show, how old the directory is, whether change notifications are subscribed to and arrive, how
provisioning stands, and whether the clocks agree. Each finding says what to do next.

With --config and no server on it, the configuration and the tenant alone are compared.

With --sign-in it prints a link that works once. Who opens it signs in as always, but no session begins: the page and this
command show the claims that came and the roles that follow from them.

With --report it writes what was observed into a file without names of people, hosts and organisations, to be passed on.
Read it before you do. --replay looks at such a file again, without a server.

Exit status: 0 when all is sound, 1 when there is something to mend.`,
		Example: `  lanyard entra doctor
  lanyard entra doctor --config /etc/lanyard/lanyard.yaml --sign-in
  lanyard entra doctor --report report.json && lanyard entra doctor --replay report.json
  lanyard entra doctor --json | jq -r '.findings[] | .says'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.replay != "" && (f.report != "" || f.signIn || f.config != "") {
				return usage("--replay looks at a file and at nothing else; leave --report, --sign-in and --config out")
			}
			h, err := a.examined(cmd.Context(), f)
			if err != nil {
				return err
			}
			if f.report != "" {
				if err := writeReport(f.report, a.c.Version, h); err != nil {
					return err
				}
			}
			if f.json {
				err = a.out.json(h)
			} else {
				a.showDirectoryHealth(h)
			}
			if err == nil && f.report != "" {
				a.err.line("The report is in %s. It names nobody as far as Lanyard can tell; read it before you pass it on.", f.report)
			}
			if err == nil && !h.Sound {
				err = statusError{status: exitFailed}
			}
			return err
		},
	}
	cmd.Flags().StringVar(&f.config, "config", "", "the configuration `file` of the server to ask")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the API's object")
	cmd.Flags().BoolVar(&f.signIn, "sign-in", false, "let a person sign in for a test, and show what the tenant says of them")
	cmd.Flags().DurationVar(&f.wait, "wait", 5*time.Minute, "how `long` to wait for that person")
	cmd.Flags().StringVar(&f.report, "report", "", "write what was observed into this `file`, without names")
	cmd.Flags().StringVar(&f.replay, "replay", "", "look at the `file` of a report instead of asking a server")
	_ = cmd.MarkFlagFilename("replay", "json")
	_ = cmd.MarkFlagFilename("config", "yaml", "yml")
	return cmd
}

// examined is what was observed, with findings: by the server, or by what wrote a report.
func (a *app) examined(ctx context.Context, f doctorFlags) (api.DirectoryHealth, error) {
	if f.replay != "" {
		file, err := os.Open(f.replay)
		if err != nil {
			return api.DirectoryHealth{}, err
		}
		defer file.Close()
		r, err := doctor.ReadReport(file)
		return r.Health, err
	}
	if f.config != "" && a.socket == "" {
		c, err := config.Read(f.config)
		if err != nil {
			return api.DirectoryHealth{}, err
		}
		a.socket = filepath.Join(c.Data, "lanyard.sock")
	}
	r, err := a.reach(ctx)
	if err != nil {
		return api.DirectoryHealth{}, err
	}
	defer r.Close()
	h, err := r.DirectoryHealth(ctx)
	if f.config != "" && !f.signIn && remote.Away(err) {
		return a.c.Examine(ctx, f.config)
	}
	if err != nil || !f.signIn {
		return h, err
	}
	test, err := a.testSignIn(ctx, r, f.wait)
	if err != nil {
		return h, err
	}
	h.SignIn = &test
	doctor.Diagnose(&h)
	return h, nil
}

// testSignIn prints a link and waits for whoever opens it.
func (a *app) testSignIn(ctx context.Context, r *remote.Remote, wait time.Duration) (api.SignInTest, error) {
	test, err := r.NewSignInTest(ctx)
	if err != nil {
		return test, err
	}
	a.err.line("Open this in a browser and sign in; it works once, until %s:", test.Ends.Local().Format("15:04"))
	a.err.line("  %s", test.URL)
	a.err.line("No session begins by it. Who signs in shows you what the tenant says of them.")
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		now, err := r.SignInTest(ctx, test.ID)
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return test, nil
		case err != nil:
			return test, err
		case now.State != "waiting":
			return now, nil
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return test, nil
			}
			return test, ctx.Err()
		case <-tick.C:
		}
	}
}

// writeReport writes a file that only its owner may read. One that is there is not written over.
func writeReport(path, version string, h api.DirectoryHealth) error {
	r, err := doctor.NewReport(version, h)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := errors.Join(r.Write(file), file.Close()); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}
