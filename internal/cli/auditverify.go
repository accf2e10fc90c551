package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store"
)

// verifyOptions are the flags of `audit verify`.
type verifyOptions struct {
	data, database, checkpoint string
	json                       bool
}

func (a *app) auditVerify() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that no entry was changed or removed",
		Long: `Checks every entry against the signed tree. Asked without flags, the running server does it. With --data or
--database the log is read from the database itself, which also works while no server runs.

Only a checkpoint that was copied to where the server cannot write shows that nothing was cut off the end: give it with
--checkpoint. Without one the answer says that completeness is unproven. The exit status is 1 when something is wrong.`,
		Example: `  lanyard audit verify
  lanyard audit verify --checkpoint /mnt/elsewhere/checkpoints
  lanyard audit verify --data /var/lib/lanyard --checkpoint checkpoints --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.data != "" && o.database != "" {
				return usage("give either --data or --database, not both")
			}
			if o.data == "" && o.database == "" && o.checkpoint == "" {
				return a.verifyByServer(cmd.Context(), o.json)
			}
			return a.verifyDatabase(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.data, "data", "", "read the database in this data `folder` (with --checkpoint alone: the default one)")
	cmd.Flags().StringVar(&o.database, "database", "", "read this PostgreSQL database, a connection `URL`")
	cmd.Flags().StringVar(&o.checkpoint, "checkpoint", "", "compare with a copied checkpoint: a `file` that the server's checkpoints were appended to")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the report as JSON")
	return cmd
}

// verifyByServer asks the running server.
func (a *app) verifyByServer(ctx context.Context, asJSON bool) error {
	r := a.operator()
	defer r.Close()
	v, err := r.VerifyAudit(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		if err := a.out.json(v); err != nil {
			return err
		}
	} else {
		a.out.line("%d entries: %s", v.Size, v.Text)
		for _, p := range v.Problems {
			a.out.line("WRONG  %s", p)
		}
	}
	return broken(v.OK)
}

// verifyDatabase reads the database, without a server.
func (a *app) verifyDatabase(ctx context.Context, o verifyOptions) error {
	var copies []string
	if o.checkpoint != "" {
		if _, err := os.Stat(o.checkpoint); err != nil {
			return fmt.Errorf("read the copied checkpoints: %w", err)
		}
		copies = append(copies, o.checkpoint)
	}
	c := store.Config{PostgreSQL: o.database, ReadOnly: true}
	if o.database == "" {
		file, err := a.databaseIn(cmp.Or(o.data, a.dataFolder()))
		if err != nil {
			return err
		}
		c.SQLite = file
	}
	rows, err := store.Open(ctx, c)
	if err != nil {
		return err
	}
	defer rows.Close()
	report, err := a.c.VerifyAudit(ctx, rows, copies)
	if err != nil {
		return err
	}
	if o.json {
		err = a.out.json(report)
	} else {
		a.out.text(report.String())
	}
	if err != nil {
		return err
	}
	return broken(report.OK())
}

// databaseIn finds the database of a data folder: of `lanyard serve`, or of `lanyard dev`, which keeps its server's
// data in a folder of their own. A missing one is a wrong path, not an empty log.
func (a *app) databaseIn(data string) (string, error) {
	for _, folder := range []string{data, filepath.Join(data, "server")} {
		if file := a.c.DatabaseFile(folder); exists(file) {
			return file, nil
		}
	}
	return "", problem.New(problem.NotFound, "There is no database in %s. Name the data folder with --data, or the database with --database.", data)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func broken(ok bool) error {
	if ok {
		return nil
	}
	return statusError{status: exitFailed}
}
