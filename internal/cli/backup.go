package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/store"
)

func (a *app) backup() *cobra.Command {
	var config, to string
	cmd := &cobra.Command{
		Use:   "backup --config FILE --to FILE",
		Short: "Copy all data, while the server runs",
		Long: `Writes all that the database holds, as it is at one moment, to a new file that only its owner may read. The server and
its replicas go on meanwhile. The file does for SQLite and PostgreSQL alike, and holds nothing that opens without the
encryption key; keep that somewhere else. Workspaces' files are not in it.`,
		Example: `  lanyard backup --config /etc/lanyard/lanyard.yaml --to /backup/lanyard-$(date +%F)
  lanyard backup --config lanyard.yaml --to - | age -r … > backup.age`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config == "" || to == "" {
				return usage("name the configuration with --config, and the file to write with --to")
			}
			var sum store.Summary
			err := written(to, a.c.Stdout, func(w io.Writer) (err error) {
				sum, err = a.c.Backup(cmd.Context(), config, w)
				return err
			})
			if err != nil {
				return err
			}
			if to != "-" {
				a.out.line("%s holds %d rows of %d tables.", to, sum.Rows, sum.Tables)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the configuration `file` (lanyard.yaml)")
	cmd.Flags().StringVar(&to, "to", "", "write to this new `file`; - for standard output")
	return cmd
}

func (a *app) restore() *cobra.Command {
	var config, from string
	cmd := &cobra.Command{
		Use:   "restore --config FILE --from FILE",
		Short: "Fill an empty database from a backup",
		Long: `Fills the database that the configuration names, which must be new and empty, from a backup. The server must not run.
It may be another kind of database than the one the backup is of. Everybody has to sign in again: all sign-ins and
sessions of the backup are ended. The directory is read whole at the next start, and the audit log says that this was
done. The encryption key must be the one that the data was kept under.`,
		Example: `  lanyard restore --config /etc/lanyard/lanyard.yaml --from /backup/lanyard-2026-11-23`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config == "" || from == "" {
				return usage("name the configuration with --config, and the backup with --from")
			}
			in := a.c.Stdin
			if from != "-" {
				f, err := os.Open(from)
				if err != nil {
					return fmt.Errorf("open the backup: %w", err)
				}
				defer f.Close()
				in = f
			}
			sum, err := a.c.Restore(cmd.Context(), config, in)
			if err != nil {
				return err
			}
			a.out.line("Restored %d rows of %d tables, as of %s. Everybody has to sign in again.", sum.Rows, sum.Tables, sum.At.Local().Format("2006-01-02 15:04:05"))
			a.out.line("Copied checkpoints that are newer than the backup no longer fit the audit log, which says so: keep them as evidence,")
			a.out.line("and give audit.checkpoints a new file.")
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the configuration `file` (lanyard.yaml)")
	cmd.Flags().StringVar(&from, "from", "", "read this `file` that lanyard backup wrote; - for standard input")
	return cmd
}

// written writes a new file whole or not at all, for its owner alone.
func written(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path == "-" {
		return write(stdout)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s is there already; choose another name", path)
	}
	partial := path + ".partial"
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make the file: %w", err)
	}
	err = write(f)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(partial, path)
	}
	if err != nil {
		os.Remove(partial)
	}
	return err
}
