package cli

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store"
)

// verifyOptions are the flags of `audit verify`.
type verifyOptions struct {
	data, database, checkpoint, key, export string
	json                                    bool
}

func (a *app) auditVerify() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check that no entry was changed or removed",
		Long: `Checks every entry against the signed tree. Asked without flags, the running server does it. With --data or
--database the log is read from the database itself, which also works while no server runs.

Only a checkpoint that was copied to where the server cannot write shows that nothing was cut off the end: give it with
--checkpoint. Without one the answer says that completeness is unproven. The exit status is 1 when something is wrong.

With --export an export is checked instead, without a server or a database: it needs the checkpoints, and the public key
that "lanyard audit key" prints. Elsewhere the key is taken from the database itself unless it is given, and the answer
says so: who can write the database can put another key there.`,
		Example: `  lanyard audit verify
  lanyard audit verify --export audit.jsonl --checkpoint checkpoints --key lanyard.example.com/audit+d5a1…
  lanyard audit verify --checkpoint /mnt/elsewhere/checkpoints
  lanyard audit verify --data /var/lib/lanyard --checkpoint checkpoints --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.data != "" && o.database != "" {
				return usage("give either --data or --database, not both")
			}
			if o.export != "" {
				if o.data != "" || o.database != "" {
					return usage("--export is checked without a database")
				}
				return a.verifyExport(o)
			}
			if o.data == "" && o.database == "" && o.checkpoint == "" && o.key == "" {
				return a.verifyByServer(cmd.Context(), o.json)
			}
			return a.verifyDatabase(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.data, "data", "", "read the database in this data `folder` (with --checkpoint alone: the default one)")
	cmd.Flags().StringVar(&o.database, "database", "", "read this PostgreSQL database, a connection `URL`")
	cmd.Flags().StringVar(&o.checkpoint, "checkpoint", "", "compare with a copied checkpoint: a `file` that the server's checkpoints were appended to")
	cmd.Flags().StringVar(&o.key, "key", "", "check signatures with this public `key`, or the one in a file of this name")
	cmd.Flags().StringVar(&o.export, "export", "", "check this `file` that `lanyard audit export` wrote; - for standard input")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the report as JSON")
	return cmd
}

// verifyByServer asks the running server.
func (a *app) verifyByServer(ctx context.Context, asJSON bool) error {
	r, err := a.reach(ctx)
	if err != nil {
		return err
	}
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
		if v.Pruned > 0 {
			a.out.line("The first %d were removed because of their age; their hashes fit.", v.Pruned)
		}
		if v.Erased > 0 {
			a.out.line("%d have lost personal values, as the log records.", v.Erased)
		}
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
	key := ""
	if o.key != "" {
		if key, err = readKey(o.key); err != nil {
			return err
		}
	}
	report, err := a.c.VerifyAudit(ctx, rows, copies, key)
	if err != nil {
		return err
	}
	return a.showReport(report, o.json)
}

func (a *app) showReport(report audit.Report, asJSON bool) error {
	if asJSON {
		if err := a.out.json(report); err != nil {
			return err
		}
	} else {
		a.out.text(report.String())
	}
	return broken(report.OK())
}

// verifyExport needs neither server nor database.
func (a *app) verifyExport(o verifyOptions) error {
	if o.checkpoint == "" || o.key == "" {
		return usage("an export is checked against copied checkpoints and their public key: give --checkpoint and --key (`lanyard audit key` prints it)")
	}
	text, err := readKey(o.key)
	if err != nil {
		return err
	}
	key, err := note.NewVerifier(text)
	if err != nil {
		return problem.Wrap(err, problem.Invalid, "The key is not a public key of checkpoints, as `lanyard audit key` prints it.")
	}
	copied, err := os.ReadFile(o.checkpoint)
	if err != nil {
		return fmt.Errorf("read the copied checkpoints: %w", err)
	}
	in := a.c.Stdin
	if o.export != "-" {
		f, err := os.Open(o.export)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	report, err := audit.VerifyExport(in, key, copied)
	if err != nil {
		return err
	}
	return a.showReport(report, o.json)
}

// readKey reads a public key, or the file that it is in.
func readKey(key string) (string, error) {
	if !exists(key) {
		return strings.TrimSpace(key), nil
	}
	text, err := os.ReadFile(key)
	if err != nil {
		return "", fmt.Errorf("read the public key: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
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
