package cli

import (
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func (a *app) logs() *cobra.Command {
	var user, task string
	var asJSON, tasks, follow bool
	cmd := &cobra.Command{
		Use:   "logs WORKSPACE",
		Short: "Show the lines of a workspace's last start or stop, or what its tasks write",
		Long: `Shows the lines of a workspace's last start or stop. With --tasks it lists the tasks and steps of the repository's own file
in a workspace that runs, and with --task it shows what one of them has written. With --follow it goes on with what its tasks do
and which ports open and close, until the workspace stops.`,
		Example: `  lanyard logs w-abcdefghij234567
  lanyard logs w-abcdefghij234567 --tasks
  lanyard logs w-abcdefghij234567 --task Build
  lanyard logs w-abcdefghij234567 --follow --json | jq -c 'select(.port.listening)'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeWorkspaces(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			switch {
			case task != "":
				to := io.Writer(a.c.Stdout)
				if terminal(a.c.Stdout) {
					to = agentapi.Shown(to) // what the repository's programs wrote is no word of Lanyard's to the terminal
				}
				return r.TaskLog(cmd.Context(), args[0], task, to)
			case follow:
				return a.followLogs(cmd.Context(), r, args[0], asJSON)
			case tasks:
				list, err := r.Tasks(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.showTasks(list, asJSON)
			}
			lines, err := r.Logs(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(api.Page[api.Progress]{Items: append([]api.Progress{}, lines...)})
			}
			for _, p := range lines {
				a.out.line("%s  %-12s  %s", p.At.Local().Format("15:04:05.000"), p.Phase, p.Text)
			}
			return nil
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's objects; with --follow one a line")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with tasks and ports, until the workspace stops or Ctrl-C")
	cmd.Flags().BoolVar(&tasks, "tasks", false, "list the tasks and steps of a workspace that runs")
	cmd.Flags().StringVar(&task, "task", "", "show what the `TASK`, by ID or name, has written")
	cmd.MarkFlagsMutuallyExclusive("task", "tasks", "follow")
	cmd.MarkFlagsMutuallyExclusive("task", "json")
	return cmd
}

// showTasks lists tasks.
func (a *app) showTasks(list []api.Task, asJSON bool) error {
	if asJSON {
		return a.out.json(api.Page[api.Task]{Items: append([]api.Task{}, list...)})
	}
	if len(list) == 0 {
		a.out.line("The repository's file names no tasks, or the workspace is still being set up.")
		return nil
	}
	rows := [][]string{}
	for _, t := range list {
		exit := ""
		if t.State == "done" || t.State == "failed" || t.State == "stopped" {
			exit = strconv.Itoa(t.Exit)
		}
		rows = append(rows, []string{t.ID, t.Name, t.State, t.Step, exit})
	}
	a.out.table([]string{"TASK", "NAME", "STATE", "STEP", "EXIT"}, rows)
	return nil
}

func (a *app) open() *cobra.Command {
	var user string
	var inBrowser, asJSON bool
	cmd := &cobra.Command{
		Use:   "open WORKSPACE",
		Short: "Print the address of a workspace's terminal, or open it in the browser",
		Long: `Prints the address of a workspace's terminal. The address is no key: the browser that opens it has to be signed in as
the workspace's owner.`,
		Example: `  lanyard open w-abcdefghij234567 --user ada
  lanyard open w-abcdefghij234567 --user ada --browser`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeWorkspaces(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.connect(cmd.Context(), user)
			if err != nil {
				return err
			}
			defer r.Close()
			address, err := terminalOf(cmd, r, args[0])
			if err != nil {
				return err
			}
			if asJSON {
				err = a.out.json(map[string]string{"id": args[0], "terminal": address})
			} else {
				a.out.line("%s", address)
			}
			if !inBrowser || err != nil {
				return err
			}
			if err := browse(cmd.Context(), address); err != nil {
				return problem.Wrap(err, problem.Internal, "The browser could not be opened: %v", err)
			}
			return nil
		},
	}
	a.signInFlag(cmd, &user)
	cmd.Flags().BoolVar(&inBrowser, "browser", false, "open it in the browser, too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the address as JSON")
	return cmd
}

func terminalOf(cmd *cobra.Command, r *remote.Remote, id string) (string, error) {
	w, err := r.Workspace(cmd.Context(), id)
	if err != nil {
		return "", err
	}
	if w.Terminal == "" {
		return "", problem.New(problem.Denied, "The terminal of %s is for its owner, %s, alone.", w.ID, w.OwnerName)
	}
	return w.Terminal, nil
}
