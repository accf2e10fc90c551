package aiagent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// kept are the AI agents beside a workspace whose work could not be handed back yet, but those that are among known: most
// of them ran when the server was started again.
func (g *Gate) kept(of identity.WorkspaceID, known []*run) (list []*run) {
	for _, s := range g.c.Siblings.Siblings(of) {
		if s.Kept == "" || slices.ContainsFunc(known, func(r *run) bool { return r.session == s.Session }) {
			continue
		}
		list = append(list, &run{of: of, sibling: s.ID, grant: s.Grant, session: s.Session, view: keptView(s)})
	}
	return list
}

func keptView(s workspace.Sibling) agentapi.Running {
	return agentapi.Running{
		ID: string(s.Session), Name: s.Agent, Workspace: string(s.Of), Grant: string(s.Grant), Checkout: agentapi.CheckoutCopy,
		Started: s.Created, Until: s.Created, State: ended, Why: "its work is kept", Left: keptWords(s),
	}
}

func keptWords(s workspace.Sibling) string {
	return fmt.Sprintf("What %s did could not be handed back: %s. It is kept, and tried again when the workspace starts, or now by `lanyard agent stop %s`; --discard with that throws it away.",
		s.Agent, strings.TrimRight(s.Kept, ". "), s.Session)
}

// keptOf finds what is kept of an AI agent, named by its ID.
func (g *Gate) keptOf(of identity.WorkspaceID, id string) (workspace.Sibling, bool) {
	all := g.c.Siblings.Siblings(of)
	i := slices.IndexFunc(all, func(s workspace.Sibling) bool { return s.Kept != "" && string(s.Session) == id })
	if i < 0 {
		return workspace.Sibling{}, false
	}
	return all[i], true
}

// discard throws away what is kept of an AI agent, named by its ID.
func (g *Gate) discard(ctx context.Context, of identity.WorkspaceID, id string) (agentapi.Running, error) {
	s, ok := g.keptOf(of, id)
	if !ok {
		return agentapi.Running{}, problem.New(problem.NotFound, "No work of an AI agent %s is kept. `lanyard agent list` shows what is; one that still runs is stopped without --discard first.", strconv.QuoteToASCII(id))
	}
	if err := g.c.Siblings.DiscardSibling(ctx, s.ID, "its person threw its work away"); err != nil && !errors.Is(err, workspace.ErrGone) {
		return agentapi.Running{}, err
	}
	v := keptView(s)
	v.Why, v.Left = "its work was thrown away", ""
	for _, one := range g.runs.of(of) {
		if one.session == s.Session {
			one.change(func(shown *agentapi.Running) { shown.Left = "" })
		}
	}
	return v, nil
}

// again tries once more to hand back what is kept of an AI agent, named by its ID; false where nothing is.
func (g *Gate) again(ctx context.Context, of identity.WorkspaceID, id string) (agentapi.Running, bool) {
	s, ok := g.keptOf(of, id)
	if !ok {
		return agentapi.Running{}, false
	}
	v := keptView(s)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	handed, err := g.c.Siblings.HandBack(ctx, s.ID)
	if err == nil {
		err = g.c.Siblings.EndSibling(ctx, s.ID, "its person asked for its work")
	}
	if errors.Is(err, workspace.ErrGone) { // it was handed back by itself meanwhile
		err = nil
	}
	if err != nil {
		v.Left = problem.Message(err)
		return v, true
	}
	v.Why, v.Left = "its work was kept", ""
	v.Branch, v.Stat, v.Diff, v.DiffCut = handed.Branch, handed.Stat, handed.Diff, handed.Cut
	return v, true
}
