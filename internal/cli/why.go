package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
)

func (a *app) why() *cobra.Command {
	var user string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "why ACTION RESOURCE",
		Short: "Explain a decision: the facts and the policies behind it",
		Long: `Says whether an action is allowed, and through which group, role, grant and policy, or what is missing: a role, a
fresher sign-in, a person's approval. All policies that permit or forbid it are shown with their place. Nothing is opened.
RESOURCE is a repository's URL, PROJECT/NAME, or a workspace's ID; ACTION is kind:verb, such as repo:write.
Asking about others takes the role auditor; the operator may. The exit status is 0 when the question was answered,
whatever the answer; an action that does not exist is wrong usage (2).`,
		Example: `  lanyard why repo:write https://git.example.test/payments/api --user linus
  lanyard why workspace:open w-abcdefghij234567 --user ada
  lanyard why app:call payments/ledger --user ada --json`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return []cobra.Completion{"repo:read", "repo:write", "repo:tag", "repo:force", "repo:delete", "repo:maintain", "app:call", "registry:read", "registry:publish", "egress:connect", "token:mint", "env:list", "env:set", "env:secret", "agent:run", "agent:share",
					"project:view", "workspace:create", "workspace:open", "workspace:start", "workspace:stop", "workspace:delete", "audit:read", "directory:read", "directory:provision",
					"lease:list", "lease:revoke"}, cobra.ShellCompDirectiveNoFileComp
			case 1:
				return a.completeResources(cmd, args[0])
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := a.reach(cmd.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			w, err := r.Why(cmd.Context(), args[0], args[1], user)
			if err != nil {
				return err
			}
			if asJSON {
				return a.out.json(w)
			}
			a.showWhy(w)
			return nil
		},
	}
	a.aboutFlag(cmd, &user, "explain it for this `user`: a user name or u-…")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the API's object")
	return cmd
}

// aboutFlag adds --user to a command that the operator asks about a user.
func (a *app) aboutFlag(cmd *cobra.Command, user *string, says string) {
	cmd.Flags().StringVar(user, "user", "", says)
	_ = cmd.RegisterFlagCompletionFunc("user", a.completeUsers) // fails for an unknown flag only
}

func (a *app) showWhy(w api.Why) {
	who := "operator"
	if w.User != "" {
		who = w.UserName + " (" + w.User + ")"
	}
	fmt.Fprint(a.out, a.out.paint(bold, clean(w.Decision)))
	a.out.line("  %s on %s for %s", w.Action, w.Resource, who)
	field := func(name, value string) {
		if value != "" {
			a.out.line("  %-8s  %s", name, value)
		}
	}
	field("project", w.Project)
	field("role", w.Role)
	field("through", through(w.Via, w.Path))
	field("policy", strings.Join(w.Policies, ", "))
	for i, reason := range w.Reasons {
		if i == 0 {
			field("because", reason)
			continue
		}
		a.out.line("  %-8s  %s", "", reason)
	}
	name := "facts"
	for _, fact := range w.Facts {
		if !slices.Contains(w.Reasons, fact) {
			a.out.line("  %-8s  %s", name, fact)
			name = ""
		}
	}
	list := func(name string, lines []string) {
		for _, line := range lines {
			a.out.line("  %-8s  %s", name, line)
			name = ""
		}
	}
	list("needs", w.Needs)
	var known []string
	for _, name := range slices.Sorted(maps.Keys(w.Circumstances)) {
		known = append(known, fmt.Sprintf("%s %v", strings.ReplaceAll(name, "_", " "), w.Circumstances[name]))
	}
	field("known", strings.Join(known, ", "))
	if !w.Until.IsZero() {
		field("until", w.Until.Local().Format(time.DateTime))
	}
	for _, r := range w.Rules {
		a.out.line("")
		a.out.line("  %s by %s (%s:%d)", r.Effect, r.ID, r.File, r.Line)
		for line := range strings.Lines(r.Text) {
			a.out.line("    %s", strings.TrimRight(line, "\r\n"))
		}
	}
}
