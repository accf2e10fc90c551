package inside

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/coder/websocket"
	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// within are the commands that the workspace's agent answers by itself.
func (a *app) within() []*cobra.Command {
	return []*cobra.Command{a.tasks(), a.ports(), a.syncAwait(), a.syncDone(), a.top(), a.initFile(), a.validate()}
}

// near puts an error of the connection to the agent into the words of this command line.
func (a *app) near(ctx context.Context, err error) error {
	var told *problem.Error
	switch {
	case err == nil || errors.As(err, &told) && told.Kind != problem.Unavailable:
		return err
	case told != nil && told.Cause != nil:
		return a.unreachable(ctx, told.Cause)
	}
	return a.unreachable(ctx, err)
}

func (a *app) tasks() *cobra.Command {
	cmd := &cobra.Command{
		Use: "tasks", Short: "The tasks that the repository's own file begins", Args: known, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var asJSON bool
	list := &cobra.Command{
		Use: "list", Short: "List the tasks and steps of this start, and how they are", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			states, err := a.agents().Tasks(cmd.Context())
			if err != nil {
				return a.near(cmd.Context(), err)
			}
			if asJSON {
				return a.json(append([]agentapi.TaskState{}, states...))
			}
			if len(states) == 0 {
				fmt.Fprintln(a.c.Stdout, "The repository's file names no tasks, or the workspace is still being set up. `lanyard info` shows which file counts.")
				return nil
			}
			w := tabwriter.NewWriter(a.c.Stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "TASK\tNAME\tSTATE\tSTEP\tEXIT\tTERMINAL")
			for _, s := range states {
				exit := "-"
				if s.State == agentapi.TaskDone || s.State == agentapi.TaskFailed || s.State == agentapi.TaskStopped {
					exit = strconv.Itoa(s.Exit)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", oneLine(s.ID), oneLine(s.Name), oneLine(s.State), dash(s.Step), exit, dash(s.Terminal))
			}
			return w.Flush()
		},
	}
	list.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	cmd.AddCommand(list, a.attachTask(), a.stopTask(), a.taskLog())
	return cmd
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return oneLine(s)
}

// task finds a task by its ID or its name; without one, the only one that fits.
func (a *app) task(ctx context.Context, args []string, fits func(agentapi.TaskState) bool, what string) (agentapi.TaskState, error) {
	states, err := a.agents().Tasks(ctx)
	if err != nil {
		return agentapi.TaskState{}, a.near(ctx, err)
	}
	var found []agentapi.TaskState
	var ids []string
	for _, s := range states {
		if len(args) == 1 && (s.ID == args[0] || s.Name == args[0]) {
			return s, nil
		}
		if fits(s) {
			found, ids = append(found, s), append(ids, s.ID)
		}
	}
	switch {
	case len(args) == 1:
		return agentapi.TaskState{}, problem.New(problem.NotFound, "There is no task %q; `lanyard tasks list` shows those that there are.", args[0])
	case len(found) == 0:
		return agentapi.TaskState{}, problem.New(problem.NotFound, "No task %s.", what)
	case len(found) > 1:
		return agentapi.TaskState{}, usage("several tasks %s; name one of %s", what, strings.Join(ids, ", "))
	}
	return found[0], nil
}

func (a *app) completeTasks(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	states, err := a.agents().Tasks(ctx)
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	for _, s := range states {
		ids = append(ids, s.ID+"\t"+oneLine(s.Name))
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) taskLog() *cobra.Command {
	return &cobra.Command{
		Use: "log [TASK]", Short: "Show what a task or a step has written in this start", Example: a.example("tasks log", "tasks log 1"), Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeTasks,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.task(cmd.Context(), args, func(s agentapi.TaskState) bool {
				return s.State != agentapi.TaskWaiting && s.State != agentapi.TaskSkipped
			}, "has begun")
			if err != nil {
				return err
			}
			log, err := a.agents().TaskLog(cmd.Context(), s.ID)
			if err != nil {
				return a.near(cmd.Context(), err)
			}
			defer log.Close()
			return a.copyOut(log)
		},
	}
}

func (a *app) stopTask() *cobra.Command {
	var all, force bool
	cmd := &cobra.Command{
		Use: "stop [TASK]", Short: "End a task's processes and its terminal", Example: a.example("tasks stop 1", "tasks stop --all"), Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeTasks,
		RunE: func(cmd *cobra.Command, args []string) error {
			runs := func(s agentapi.TaskState) bool { return s.Terminal != "" || s.State == agentapi.TaskRunning }
			var list []agentapi.TaskState
			if all {
				if len(args) > 0 {
					return usage("--all names every task; leave out %s", args[0])
				}
				states, err := a.agents().Tasks(cmd.Context())
				if err != nil {
					return a.near(cmd.Context(), err)
				}
				for _, s := range states {
					if runs(s) {
						list = append(list, s)
					}
				}
			} else {
				s, err := a.task(cmd.Context(), args, runs, "runs")
				if err != nil {
					return err
				}
				list = append(list, s)
			}
			for _, s := range list {
				if err := a.agents().StopTask(cmd.Context(), s.ID); err != nil {
					return a.near(cmd.Context(), err)
				}
				fmt.Fprintf(a.c.Stdout, "%s is stopped.\n", oneLine(s.Name))
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&all, "all", "a", false, "all that run")
	cmd.Flags().BoolVarP(&force, "force", "f", false, "what does not end within two seconds is killed; so it is without this flag too, which Gitpod's command has")
	return cmd
}

// leaveKey is Ctrl-], as in telnet.
const leaveKey = 0x1d

func (a *app) attachTask() *cobra.Command {
	return &cobra.Command{
		Use: "attach [TASK]", Short: "Show a task's terminal here, and type there", Example: a.example("tasks attach 1"), Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeTasks,
		Long: `Shows a task's terminal here, and types there what is typed here. Ctrl-] leaves it; the task goes on.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.task(cmd.Context(), args, func(s agentapi.TaskState) bool { return s.Terminal != "" }, "has a terminal")
			if err != nil {
				return err
			}
			if s.Terminal == "" {
				return problem.New(problem.Conflict, "%s has no terminal now: it is %s. `lanyard tasks log %s` shows what it wrote.", oneLine(s.Name), s.State, s.ID)
			}
			return a.attach(cmd.Context(), s.Terminal)
		},
	}
}

// attach shows a terminal of this workspace here, until its shell ends or the person leaves.
func (a *app) attach(ctx context.Context, name string) error {
	in, ok := a.c.Stdin.(*os.File)
	if !ok || !isTerminal(in) {
		return problem.New(problem.Invalid, "Attaching needs a terminal as standard input; `lanyard tasks log` shows the same without one.")
	}
	var size agentapi.Size
	if now := sizeOf(int(in.Fd())); now != nil {
		size = *now
	}
	conn, err := a.agents().Terminal(ctx, name, size)
	if err != nil {
		return a.near(ctx, err)
	}
	defer conn.CloseNow()
	fmt.Fprintf(a.c.Stderr, "Ctrl-] leaves this terminal; the task goes on.\n")
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	screen, err := a.screen(ctx)
	if err != nil {
		return err
	}
	defer func() {
		a.reset()
		screen.restore()
	}()
	go func() {
		defer cancel()
		keys := make([]byte, 4<<10)
		for {
			n, err := in.Read(keys)
			if at := bytes.IndexByte(keys[:n], leaveKey); err != nil || at >= 0 {
				return
			}
			if conn.Write(ctx, websocket.MessageBinary, keys[:n]) != nil {
				return
			}
		}
	}()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case size := <-screen.sizes:
				text, _ := json.Marshal(agentapi.Control{Resize: &size}) // two numbers
				if conn.Write(ctx, websocket.MessageText, text) != nil {
					return
				}
			}
		}
	}()
	for {
		kind, frame, err := conn.Read(ctx)
		if err != nil {
			return nil // the person has left, or the workspace stops
		}
		if kind == websocket.MessageBinary {
			if _, err := a.c.Stdout.Write(frame); err != nil {
				return fmt.Errorf("write: %w", err)
			}
			continue
		}
		var c agentapi.Control
		if json.Unmarshal(frame, &c) == nil && c.Exit != nil {
			return nil
		}
	}
}
