package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

// completeWithin bounds how long a shell waits at the press of a key.
const completeWithin = time.Second

// offer asks the server what a word could be: as the person of the current context, or the operator. What cannot be asked
// in time is not offered.
func (a *app) offer(cmd *cobra.Command, list func(context.Context, *remote.Remote) ([]cobra.Completion, error)) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	r, err := a.reach(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer r.Close()
	names, err := list(ctx, r)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// described is a word with what it means, both fit for a terminal.
func described(word, says string) cobra.Completion {
	return cobra.CompletionWithDesc(clean(word), clean(says))
}

// completeUsers offers the sample users of `lanyard dev`, and elsewhere the users of the directory to who may see it.
func (a *app) completeUsers(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var remotely bool
	names, how := a.offer(cmd, func(ctx context.Context, r *remote.Remote) (names []cobra.Completion, err error) {
		if remotely = !r.Operator; remotely {
			return nil, nil
		}
		info, err := r.Dev(ctx)
		for _, u := range info.Users {
			names = append(names, clean(u.Short()))
		}
		return names, err
	})
	if remotely {
		return a.completeDirectory(cmd, nil, typed)
	}
	return names, how
}

// first offers words for the first argument alone.
func first(offer cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return offer(cmd, args, typed)
	}
}

// completeWorkspaces offers the IDs of workspaces, to the first argument or, with many, to each.
func (a *app) completeWorkspaces(many bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (ids []cobra.Completion, err error) {
			list, err := r.Workspaces(ctx)
			for _, w := range list {
				if !slices.Contains(args, w.ID) {
					ids = append(ids, described(w.ID, fmt.Sprintf("%s of %s, %s", w.Name, w.OwnerName, w.Phase)))
				}
			}
			return ids, err
		})
	}
}

// completeStarts offers what can be started: repositories, and workspaces that do not run.
func (a *app) completeStarts(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (names []cobra.Completion, err error) {
		projects, err := r.Projects(ctx)
		if err != nil {
			return nil, err
		}
		for _, p := range projects {
			for _, repo := range p.Repositories {
				names = append(names, described(repo.URL, "a new workspace, in project "+p.Name))
			}
		}
		list, err := r.Workspaces(ctx)
		for _, w := range list {
			if w.Phase != "running" {
				names = append(names, described(w.ID, w.Name+", "+w.Phase))
			}
		}
		return names, err
	})
}

// completeResources offers the resources that an action can be about.
func (a *app) completeResources(cmd *cobra.Command, action string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if strings.HasPrefix(action, "workspace:") && action != "workspace:create" {
		return a.completeWorkspaces(true)(cmd, nil, "")
	}
	return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (names []cobra.Completion, err error) {
		projects, err := r.Projects(ctx)
		for _, p := range projects {
			names = append(names, described(p.Name, "the project"))
			for _, repo := range p.Repositories {
				names = append(names, described(repo.URL, "repository of "+p.Name))
			}
			for _, app := range p.Apps {
				names = append(names, described(p.Name+"/"+app, "app of "+p.Name))
			}
		}
		return names, err
	})
}

// completeSessions offers one's own sessions and sign-ins that live.
func (a *app) completeSessions(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (ids []cobra.Completion, err error) {
		of := ""
		if r.Operator {
			of = "*"
		}
		now := a.c.Now()
		list, err := r.SignIns(ctx, of)
		for _, in := range list {
			if !in.Ended.IsZero() || !now.Before(in.Expires) || slices.Contains(args, in.ID) {
				continue
			}
			ids = append(ids, described(in.ID, fmt.Sprintf("sign-in of %s, %s", in.UserName, ago(in.At, now))))
			for _, s := range in.Sessions {
				if s.Kind != "site" && s.Ended.IsZero() && !slices.Contains(args, s.ID) {
					row := sessionRow(in, s, now)
					ids = append(ids, described(s.ID, fmt.Sprintf("%s, %s", row[2], row[3])))
				}
			}
		}
		return ids, err
	})
}

// completeLeases offers what is open.
func (a *app) completeLeases(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return first(func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (ids []cobra.Completion, err error) {
			list, err := r.Leases(ctx, "")
			for _, l := range list.Open {
				ids = append(ids, described(l.ID, who(l)+": "+l.Action+" "+l.Resource))
			}
			return ids, err
		})
	})(cmd, args, typed)
}

// completeGrants offers the grants that hold.
func (a *app) completeGrants(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return first(func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (ids []cobra.Completion, err error) {
			list, err := r.Grants(ctx, "")
			for _, g := range list {
				ids = append(ids, described(g.ID, g.UserName+": "+gives(g)))
			}
			return ids, err
		})
	})(cmd, args, typed)
}

// completeRequests offers the requests that wait.
func (a *app) completeRequests(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return first(func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		return a.offer(cmd, func(ctx context.Context, r *remote.Remote) (ids []cobra.Completion, err error) {
			list, err := r.Requests(ctx, "")
			for _, q := range list {
				if q.State == "pending" {
					ids = append(ids, described(q.ID, q.UserName+": "+q.Action+" "+q.Resource))
				}
			}
			return ids, err
		})
	})(cmd, args, typed)
}
