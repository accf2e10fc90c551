package aiagent

import (
	"net/http"
	"strconv"

	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// list lists the AI agents of the workspace; an AI agent sees itself.
func (g *Gate) list(w http.ResponseWriter, r *http.Request) error {
	mine, done, err := g.visible(r)
	if err != nil {
		return err
	}
	defer done()
	list := []agentapi.Running{}
	for _, one := range mine {
		v := one.show()
		v.Diff = "" // of one alone
		list = append(list, v)
	}
	return answer(w, http.StatusOK, list)
}

func (g *Gate) show(w http.ResponseWriter, r *http.Request) error {
	mine, done, err := g.visible(r)
	if err != nil {
		return err
	}
	defer done()
	one, err := find(mine, r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, one.show())
}

// visible are the runs that who asks may see; done ends the access.
func (g *Gate) visible(r *http.Request) (mine []*run, done func(), err error) {
	who, ws, err := g.asker(r)
	if err != nil {
		return nil, nil, err
	}
	if who.Kind == identity.AIAgent {
		one := g.runs.live(who.Session)
		if one == nil {
			return nil, nil, notRunning()
		}
		return []*run{one}, func() {}, nil
	}
	lease, err := g.open(r, who, identity.WorkspaceList, ws, nil)
	if err != nil {
		return nil, nil, err
	}
	mine = g.runs.of(ws.ID)
	return append(mine, g.kept(ws.ID, mine)...), lease.End, nil
}

// find finds a run by its ID, or by the name of the only one that has not ended.
func find(list []*run, id string) (*run, error) {
	var named []*run
	for _, one := range list {
		v := one.show()
		if v.ID == id {
			return one, nil
		}
		if v.Name == id && v.State != ended {
			named = append(named, one)
		}
	}
	switch len(named) {
	case 0:
		return nil, problem.New(problem.NotFound, "There is no AI agent %s beside this workspace. `lanyard agent list` lists them.", strconv.QuoteToASCII(id))
	case 1:
		return named[0], nil
	}
	return nil, problem.New(problem.Conflict, "%d AI agents of the name %s run; name one by its ID, as `lanyard agent list` shows it.", len(named), id)
}

// stop ends an AI agent, and answers when its work is back.
func (g *Gate) stop(w http.ResponseWriter, r *http.Request) error {
	who, ws, err := g.asker(r)
	if err != nil {
		return err
	}
	discard := r.URL.Query().Get("discard") == "true"
	detail := map[string]any{"stop": shown([]string{r.PathValue("id")})[0]}
	if discard {
		detail["discard"] = true
	}
	lease, err := g.open(r, who, identity.AgentRun, ws, detail)
	if err != nil {
		return err
	}
	defer lease.End()
	if discard {
		v, err := g.discard(r.Context(), ws.ID, r.PathValue("id"))
		if err != nil {
			return err
		}
		return answer(w, http.StatusOK, v)
	}
	if v, ok := g.again(r.Context(), ws.ID, r.PathValue("id")); ok {
		return answer(w, http.StatusOK, v)
	}
	one, err := find(g.runs.of(ws.ID), r.PathValue("id"))
	if err != nil {
		return err
	}
	one.mu.Lock()
	halt := one.halt
	one.mu.Unlock()
	if halt == nil {
		return problem.New(problem.Conflict, "The AI agent is just being started; try again in a moment.")
	}
	halt(errStopped)
	select {
	case <-one.over:
	case <-r.Context().Done():
		return nil // nobody waits any more; it ends all the same
	}
	return answer(w, http.StatusOK, one.show())
}

func notRunning() error {
	return problem.New(problem.Denied, "The AI agent has ended.")
}

func answer(w http.ResponseWriter, status int, v any) error {
	b, err := problem.JSON(v)
	if err != nil {
		return err
	}
	gateway.WriteWhole(w, status, "application/json", append(b, '\n'))
	return nil
}
