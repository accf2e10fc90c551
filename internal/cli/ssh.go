package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) ssh() *cobra.Command {
	var user string
	var tty bool
	cmd := &cobra.Command{
		Use:   "ssh WORKSPACE [--] [COMMAND ARGUMENT…]",
		Short: "Open a shell in a workspace, in this terminal",
		Long: `Opens a login shell in a workspace's checkout, or runs a command there, through the server: no port is opened and no key is
made, and what keys such as Ctrl-C mean is the shell's to say. The shell ends with the connection. Without a terminal as standard
input the shell reads commands from it. It ends with the shell's or command's own exit status: 125 means that Lanyard failed, 126
that it was refused or that access ended meanwhile.`,
		Example: `  lanyard ssh w-abcdefghij234567
  lanyard ssh w-abcdefghij234567 -- make test
  lanyard ssh --tty w-abcdefghij234567 -- top`,
		Args: cobra.MinimumNArgs(1), ValidArgsFunction: a.completeWorkspaces(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			argv := args[1:]
			if len(argv) > 0 && argv[0] == "--" {
				argv = argv[1:]
			}
			if len(argv) == 0 {
				argv = []string{"bash", "-l"}
				tty = tty || terminal(a.c.Stdin)
			}
			return execStatus(a.run(cmd.Context(), user, args[0], argv, tty, false))
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows the workspace is the command's
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVarP(&tty, "tty", "t", false, "give the command a terminal of its own; a shell has one")
	return cmd
}
