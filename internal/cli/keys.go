package cli

import "github.com/spf13/cobra"

func (a *app) keys() *cobra.Command {
	var config string
	rotate := &cobra.Command{
		Use:   "rotate --config FILE",
		Short: "Put new keys in the place of those in use, while the server runs",
		Long: `Makes a new encryption key, writes it into encryption_key_file beside the old one, waits until every replica has read
it, encrypts everything that is stored under it, and takes the old one out. Then it adds a new key of each kind that
signs tokens. Whatever ends it half-way, everything can still be read, and the same command goes on.

Where replicas have key files of their own, it says which one lacks the new key: copy the file there and run it again,
and copy it once more when it is done.`,
		Example: `  lanyard keys rotate --config /etc/lanyard/lanyard.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config == "" {
				return usage("which configuration? Name its file with --config")
			}
			if err := a.c.RotateKeys(cmd.Context(), config, func(text string) { a.out.line("%s", text) }); err != nil {
				return err
			}
			a.out.line("Done.")
			return nil
		},
	}
	rotate.Flags().StringVar(&config, "config", "", "the configuration `file` (lanyard.yaml)")
	return family("keys", "Rotate the keys that protect and sign", rotate)
}
