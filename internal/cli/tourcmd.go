package cli

import (
	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/cli/tour"
)

func (a *app) tour() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tour",
		Short: "Play the story of the README against a running `lanyard dev`, with measured milliseconds",
		Long: `Signs in as several sample users, opens workspaces, works in them, and takes access away in the tenant, telling what
happens and how long it took. It changes groups of the sample tenant and puts them back, and deletes its workspaces,
also on Ctrl-C. The exit status is 1 when anything did not happen as told.`,
		Example: `  lanyard dev          # in one terminal
  lanyard tour         # in another`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			operator := a.operator()
			defer operator.Close()
			return tour.Run(cmd.Context(), tour.Config{Operator: operator, Out: a.out, Clean: clean})
		},
	}
	return cmd
}
