package cli

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) dev() *cobra.Command {
	var o DevOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run everything on this machine, with a sample tenant, projects and repositories",
		Long: `Runs Lanyard with nothing to configure: an embedded Entra-compatible tenant, SQLite, sample projects with real Git
repositories and an internal API. It works without a network. When it is ready it prints the address and the sample
users. Ctrl-C stops the workspaces and keeps their files; the same data folder goes on from there.`,
		Example: `  lanyard dev
  lanyard dev --data /tmp/try --listen 127.0.0.1:0
  lanyard dev --json | jq -r .url`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch o.Runtime {
			case "", "docker", "sandbox":
			default:
				return usage("there is no runtime %q; there are docker and sandbox", o.Runtime)
			}
			o.DockerHost = a.c.Env("DOCKER_HOST")
			if !slices.Contains([]string{"graph", "scim", "sign-in"}, o.Members) {
				return usage("memberships come from graph, scim or sign-in, not from %q", o.Members)
			}
			if o.Data == "" {
				o.Data = a.dataFolder()
			}
			data, err := filepath.Abs(o.Data)
			if err != nil {
				return err
			}
			o.Data = data
			return a.c.Dev(cmd.Context(), o)
		},
	}
	cmd.Flags().StringVar(&o.Data, "data", "", "keep the data in this `folder` (default /var/lib/lanyard as root, else ~/.local/share/lanyard)")
	cmd.Flags().StringVar(&o.Listen, "listen", "127.0.0.1:8080", "listen on this `address`; port 0 picks a free one")
	cmd.Flags().StringVar(&o.Runtime, "runtime", "", "run workspaces by this `runtime`: docker or sandbox (default what the data folder began with, else docker where an engine answers)")
	cmd.Flags().StringVar(&o.Image, "image", "", "the `image` of workspaces that name none, for docker")
	cmd.Flags().StringVar(&o.Metrics, "metrics", "", "serve health, metrics and profiles on this loopback `address`, such as 127.0.0.1:9090")
	cmd.Flags().BoolVar(&o.JSON, "json", false, "when ready, print one line of JSON instead of text")
	cmd.Flags().StringVar(&o.DatabaseFile, "database-file", "", "keep the rows in PostgreSQL, whose URL is in this `file` (default SQLite in the data folder)")
	cmd.Flags().StringVar(&o.Members, "members", "graph", "let this `source` say who is in which group: graph, scim or sign-in")
	cmd.Flags().StringToStringVar(&o.Hosts, "host", nil, "let a host's `name=address` be found at this loopback address, as a project's upstream or beyond; may be repeated")
	cmd.Flags().IntVar(&o.Running, "running", 0, "let at most this `many` workspaces run at a time; more wait their turn (default no bound)")
	cmd.Flags().DurationVar(&o.Keep, "keep", 30*24*time.Hour, "keep the workspaces of a closed project that is made of groups this `long`")
	_ = cmd.RegisterFlagCompletionFunc("members", cobra.FixedCompletions([]cobra.Completion{"graph", "scim", "sign-in"}, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("runtime", cobra.FixedCompletions([]cobra.Completion{"docker", "sandbox"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) serve() *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the server of a configuration file",
		Long: `Runs the server. Project and policy files are read again when they change; a bad one changes nothing and is
reported. When it is stopped, workspaces go on and are found again.`,
		Example: `  lanyard check --config /etc/lanyard/lanyard.yaml && lanyard serve --config /etc/lanyard/lanyard.yaml`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if config == "" {
				return usage("which configuration? Name its file with --config")
			}
			return a.c.Serve(cmd.Context(), config)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the configuration `file` (lanyard.yaml)")
	return cmd
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Example: "  lanyard version", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { a.out.line("lanyard %s", a.c.Version) },
	}
}
