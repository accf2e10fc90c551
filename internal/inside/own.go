package inside

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// own are the commands about this workspace that the server answers.
func (a *app) own() []*cobra.Command {
	return []*cobra.Command{a.info(), a.url(), a.env(), a.timeout(), a.snapshot(), a.stop(), a.userInfo(), a.open(), a.preview()}
}

func (a *app) info() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "info",
		Short: "Show what this workspace is: class and limits, image, the file that describes it, when it stops",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var x agentapi.OwnInfo
			if err := a.do(cmd.Context(), http.MethodGet, agentapi.OwnPrefix, nil, &x); err != nil {
				return err
			}
			if asJSON {
				return a.json(x)
			}
			a.showInfo(x)
			return nil
		},
	}
	cmd.Flags().BoolVarP(&asJSON, "json", "j", false, "as JSON")
	return cmd
}

func (a *app) showInfo(x agentapi.OwnInfo) {
	at := x.Repository
	if x.Ref != "" {
		at += " " + x.Ref
	}
	image := cmp.Or(x.Image, "none: the server's own files")
	plan := cmp.Or(x.Plan, "none in the repository")
	for _, line := range [][2]string{
		{"workspace", x.ID}, {"owner", x.Owner}, {"project", x.Project}, {"repository", at}, {"context", x.Context},
		{"class", strings.TrimSpace(x.Class + "  " + limits(x.Limits))}, {"disk", diskWords(x)}, {"image", image}, {"file", plan},
		{"snapshot", x.Snapshot}, {"prebuild", x.Prebuild}, {"pool", poolWords(x)}, {"timeout", timeoutWords(x.Timeout, a.c.Now())}, {"address", x.URL}, {"server", x.Server},
	} {
		if line[1] != "" {
			fmt.Fprintf(a.c.Stdout, "%-10s  %s\n", line[0], clean(line[1]))
		}
	}
}

// poolWords say whether a workspace was made ahead.
func poolWords(x agentapi.OwnInfo) string {
	switch {
	case x.Warm:
		return "made ahead"
	case x.Cold != "":
		return "not from the pool: " + x.Cold
	}
	return ""
}

// limits are a class's bounds in words.
func limits(l agentapi.OwnLimits) string {
	var parts []string
	if l.CPUs > 0 {
		parts = append(parts, strconv.FormatFloat(l.CPUs, 'g', 3, 64)+" CPUs")
	}
	if l.Memory > 0 {
		parts = append(parts, gibibytes(l.Memory)+" memory")
	}
	if l.Disk > 0 {
		parts = append(parts, gibibytes(l.Disk)+" disk")
	}
	if l.Processes > 0 {
		parts = append(parts, fmt.Sprintf("%d processes", l.Processes))
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// diskWords say what a workspace has on disk, and may have.
func diskWords(x agentapi.OwnInfo) string {
	switch {
	case x.Disk == 0: // not measured yet
		return ""
	case x.Limits.Disk == 0:
		return bytesIn(x.Disk)
	}
	return bytesIn(x.Disk) + " of " + bytesIn(x.Limits.Disk)
}

func gibibytes(n int64) string {
	if n < 1<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return strconv.FormatFloat(float64(n)/(1<<30), 'g', 3, 64) + " GiB"
}

func (a *app) url() *cobra.Command {
	return &cobra.Command{
		Use:   "url [PORT]",
		Short: "Print the address of this workspace, or of one of its ports",
		Long: `Prints the address of this workspace's terminal or, with a port, the address that the port has. Browsers do not reach ports
by it yet: on your own machine, "lanyard port-forward WORKSPACE PORT" brings one there.`,
		Example: a.example("url", "url 3000"),
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			port := uint64(0)
			if len(args) == 1 {
				var err error
				if port, err = strconv.ParseUint(args[0], 10, 16); err != nil || port == 0 {
					return usage("%q is not a port; they go from 1 to 65535", args[0])
				}
			}
			var x agentapi.OwnInfo
			if err := a.do(cmd.Context(), http.MethodGet, agentapi.OwnPrefix, nil, &x); err != nil {
				return err
			}
			if port == 0 {
				fmt.Fprintln(a.c.Stdout, clean(x.URL))
				return nil
			}
			fmt.Fprintln(a.c.Stdout, clean(strings.ReplaceAll(x.PortURL, "{port}", strconv.FormatUint(port, 10))))
			fmt.Fprintf(a.c.Stderr, "Browsers do not reach ports by this address yet. On your own machine: lanyard port-forward %s %d\n", clean(x.ID), port)
			return nil
		},
	}
}

func (a *app) stop() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop this workspace; its files are kept",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var x agentapi.OwnInfo
			if err := a.do(cmd.Context(), http.MethodPost, agentapi.OwnPrefix+"/stop", nil, &x); err != nil {
				return err
			}
			if asJSON {
				return a.json(x)
			}
			fmt.Fprintf(a.c.Stdout, "%s is being stopped; its files are kept.\n", clean(x.ID))
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func (a *app) snapshot() *cobra.Command {
	var asJSON bool
	var note string
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Keep a copy of the checkout as it is, committed or not",
		Long: `Keeps a copy of the checkout, with what is not committed and without what Git ignores, and prints the address that opens a
workspace from it. The home folder is not part of it. Who opens it needs to be allowed to read the repository that day.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var x agentapi.OwnSnapshot
			if err := a.doFor(cmd.Context(), snapshotWithin, http.MethodPost, agentapi.OwnPrefix+"/snapshot", agentapi.TakeSnapshot{Note: note}, &x); err != nil {
				return err
			}
			if asJSON {
				return a.json(x)
			}
			fmt.Fprintln(a.c.Stdout, clean(x.URL))
			what := "what is committed"
			if x.Dirty {
				what = "what is not committed, too"
			}
			fmt.Fprintf(a.c.Stderr, "%s holds %s; it is kept until %s.\n", clean(x.ID), what, x.Expires.Local().Format(time.DateTime))
			return nil
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "what it is `for`, to be read in lists")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

// snapshotWithin bounds how long a snapshot may take.
const snapshotWithin = 15 * time.Minute

func (a *app) userInfo() *cobra.Command {
	var asJSON, mail bool
	cmd := &cobra.Command{
		Use:   "user-info",
		Short: "Show whose workspace this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var x agentapi.OwnUser
			if err := a.do(cmd.Context(), http.MethodGet, agentapi.OwnPrefix+"/user", nil, &x); err != nil {
				return err
			}
			switch {
			case asJSON:
				return a.json(x)
			case mail:
				fmt.Fprintln(a.c.Stdout, clean(x.Mail))
				return nil
			}
			for _, line := range [][2]string{{"id", x.ID}, {"name", x.Name}, {"user name", x.UserName}, {"e-mail", x.Mail}, {"role", x.Role}} {
				if line[1] != "" {
					fmt.Fprintf(a.c.Stdout, "%-10s  %s\n", line[0], clean(line[1]))
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVarP(&asJSON, "json", "j", false, "as JSON")
	cmd.Flags().BoolVar(&mail, "email", false, "the e-mail address alone")
	return cmd
}

// open and preview exist so that tasks written for Gitpod go on: there is no editor in the browser to open things in.
func (a *app) open() *cobra.Command {
	return &cobra.Command{
		Use:   "open FILE…",
		Short: "Say where a file is: there is no editor in the browser that could open it",
		Args:  cobra.MinimumNArgs(1), Example: a.example("open README.md"),
		RunE: func(_ *cobra.Command, args []string) error {
			fmt.Fprintf(a.c.Stderr, "There is no editor in the browser that could open %s. In a terminal: ${EDITOR:-vi} %s\n", oneLine(strings.Join(args, " ")), oneLine(strings.Join(args, " ")))
			return nil
		},
	}
}

func (a *app) preview() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "preview URL",
		Short: "Say an address: there is no editor in the browser that could show it",
		Args:  cobra.ExactArgs(1), Example: a.example("preview http://localhost:3000"),
		RunE: func(_ *cobra.Command, args []string) error {
			fmt.Fprintf(a.c.Stderr, "There is no editor in the browser that could show %s; open it yourself.\n", oneLine(args[0]))
			return nil
		},
	}
	cmd.Flags().Bool("external", false, "of no effect here")
	return cmd
}
