package cli

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func (a *app) auditProve() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "prove SEQ",
		Short: "Prove that an entry is in the log, by a signed checkpoint",
		Long: `Prints the entry, its hash, the path from it to the root of the tree (RFC 6962), and the signed checkpoint of that
root, as JSON, and checks them. Whoever has the public key can check them again without this server.`,
		Example: `  lanyard audit prove 4711
  lanyard audit prove 4711 --key audit.key > proof.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := position(args[0], 0)
			if err != nil {
				return err
			}
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			raw, err := r.ProveAudit(cmd.Context(), seq)
			if err != nil {
				return err
			}
			var proof audit.Inclusion
			return a.proven(cmd, r, raw, &proof, key, func(v note.Verifier) error { return proof.Check(v) })
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "check with this public `key`, or the one in a file of this name; absent, the server's word is taken")
	return cmd
}

func (a *app) auditConsistency() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "consistency OLD [NEW]",
		Short: "Prove that the log begins with all that it once had",
		Long: `OLD and NEW are numbers of entries, such as the sizes in two checkpoints; NEW is all that are signed when absent.
Prints the proof (RFC 6962), the roots and their checkpoints as JSON, and checks them.`,
		Example: `  lanyard audit consistency 4000 4711`,
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			old, err := position(args[0], 1)
			if err != nil {
				return err
			}
			new := int64(0)
			if len(args) == 2 {
				if new, err = position(args[1], 1); err != nil {
					return err
				}
			}
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			raw, err := r.ProveAuditConsistency(cmd.Context(), old, new)
			if err != nil {
				return err
			}
			var proof audit.Consistency
			return a.proven(cmd, r, raw, &proof, key, func(v note.Verifier) error { return proof.Check(v) })
		},
	}
	cmd.Flags().StringVar(&key, "key", "", "check with this public `key`, or the one in a file of this name; absent, the server's word is taken")
	return cmd
}

// proven prints a proof as it came and checks it.
func (a *app) proven(cmd *cobra.Command, r *remote.Remote, raw json.RawMessage, proof any, key string, check func(note.Verifier) error) error {
	if err := json.Unmarshal(raw, proof); err != nil {
		return fmt.Errorf("read the proof: %w", err)
	}
	from := "the server's own key"
	if key == "" {
		k, err := r.AuditPublicKey(cmd.Context())
		if err != nil {
			return err
		}
		key = k.Key
	} else {
		var err error
		if key, err = readKey(key); err != nil {
			return err
		}
		from = "the key that was given"
	}
	verifier, err := note.NewVerifier(key)
	if err != nil {
		return problem.Wrap(err, problem.Invalid, "The key is not a public key of checkpoints, as `lanyard audit key` prints it.")
	}
	if err := a.out.json(raw); err != nil {
		return err
	}
	if err := check(verifier); err != nil {
		return problem.Wrap(err, problem.Conflict, "The proof does not hold: %s.", err)
	}
	a.err.line("The proof holds, with %s.", from)
	return nil
}

func (a *app) auditKey() *cobra.Command {
	return &cobra.Command{
		Use:     "key",
		Short:   "Print the public key of the log's checkpoints, to be kept elsewhere",
		Example: `  lanyard audit key >lanyard-audit.pub`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			k, err := r.AuditPublicKey(cmd.Context())
			if err != nil {
				return err
			}
			a.out.line("%s", k.Key)
			return nil
		},
	}
}

func (a *app) auditForget() *cobra.Command {
	return &cobra.Command{
		Use:   "forget USER",
		Short: "Erase a person's ID, name and addresses from all entries, which stay provable",
		Long: `Erases what entries say of a person: object ID, name, network addresses. The entries and their place in the tree
stay, with commitments that say nothing without the erased salts. That it was done is itself an entry. What was exported
before is not reached. Only the operator may do this, and it cannot be undone.`,
		Example: `  lanyard audit forget ada
  lanyard audit forget 67224801-dc28-4774-a21b-13838a428c41`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			done, err := r.ForgetInAudit(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			a.out.line("Entries that lost that person's data: %d.", done.Events)
			return nil
		},
	}
}

// position reads the number of an entry, or of entries.
func position(text string, least int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least {
		return 0, usage("%q is not a number from %d on", text, least)
	}
	return n, nil
}
