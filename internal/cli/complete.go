package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// completeWithin bounds how long a shell waits at the press of a key.
const completeWithin = time.Second

// completeUsers offers the sample users of `lanyard dev`.
func (a *app) completeUsers(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	operator := a.operator()
	defer operator.Close()
	info, err := operator.Dev(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, u := range info.Users {
		names = append(names, clean(u.Short()))
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeWorkspaces offers the IDs of workspaces, to the first argument or, with many, to each.
func (a *app) completeWorkspaces(many bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveDefault
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		operator := a.operator()
		defer operator.Close()
		list, err := operator.Workspaces(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var ids []cobra.Completion
		for _, w := range list {
			ids = append(ids, cobra.CompletionWithDesc(clean(w.ID), clean(fmt.Sprintf("%s of %s, %s", w.Name, w.OwnerName, w.Phase))))
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}
