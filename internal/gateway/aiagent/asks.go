package aiagent

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// States of what an AI agent asks for.
const (
	pending  = "pending"
	approved = "approved"
	refused  = "refused"
)

// maxPending is how many undecided asks one AI agent may have, and maxAsks how many altogether.
const (
	maxPending = 5
	maxAsks    = 50
)

// asks are what AI agents ask their people for beyond what they were given. They live as long as the AI agent.
type asks struct {
	mu  sync.Mutex
	all []*agentapi.Asked

	impostors impostors
}

// of lists the asks of these sessions, the oldest first.
func (s *asks) of(sessions ...string) []agentapi.Asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []agentapi.Asked{}
	for _, one := range s.all {
		if slices.Contains(sessions, one.Session) {
			list = append(list, *one)
		}
	}
	return list
}

// add notes an ask, unless its AI agent has too many.
func (s *asks) add(a agentapi.Asked) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, all := 0, 0
	for _, one := range s.all {
		if one.Session == a.Session {
			all++
			if one.State == pending {
				waiting++
			}
		}
	}
	if waiting >= maxPending || all >= maxAsks {
		return problem.New(problem.TooMany, "%d requests of this AI agent wait for its person, of %d in all; that is enough.", waiting, all)
	}
	s.all = append(s.all, &a)
	return nil
}

// decide sets the state of a pending ask.
func (s *asks) decide(id, state, words string) (agentapi.Asked, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if one.ID == id && one.State == pending {
			one.State, one.Words = state, words
			return *one, true
		}
	}
	return agentapi.Asked{}, false
}

func (s *asks) drop(sid identity.SessionID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(a *agentapi.Asked) bool { return a.Session == string(sid) })
}

// ask notes what an AI agent asks its person for. It gives nothing.
func (g *Gate) ask(w http.ResponseWriter, r *http.Request) error {
	who, ws, err := g.asker(r)
	if err != nil {
		return err
	}
	if who.Kind != identity.AIAgent {
		g.impostor(ws, who.Session, web.ClientIP(r))
		return problem.New(problem.Denied, "Only an AI agent asks here, from its own workspace. You have your rights already: `lanyard agent run` gives a part of them.")
	}
	one := g.runs.live(who.Session)
	if one == nil {
		return notRunning()
	}
	var order agentapi.AgentAsk
	if err := read(r, &order); err != nil {
		return err
	}
	why, err := grant.Reason(order.Why)
	if err != nil {
		return err
	}
	if len(order.Allow) == 0 || len(order.Allow) > maxPending {
		return problem.New(problem.Invalid, "Ask for between 1 and %d lines: --allow repo:write.", maxPending)
	}
	in, ok := g.c.Facts().Projects.Project(ws.Project)
	if !ok {
		return notRunning()
	}
	lines, err := g.canonical(in, order.Allow)
	if err != nil {
		return err
	}
	asked := agentapi.Asked{ID: "a-" + strings.ToLower(rand.Text()[:12]), Agent: who.Agent, Session: string(who.Session), Allow: lines, Why: why, At: g.c.Now(), State: pending}
	if err := g.asks.add(asked); err != nil {
		return err
	}
	e := g.event(ws, who.Session, who.Agent, "agent:ask", web.ClientIP(r))
	e.Reasons, e.Detail = []string{why}, map[string]any{"ask": asked.ID, "allow": lines, "grant": one.grant}
	g.c.Audit.Later(e)
	return answer(w, http.StatusCreated, asked)
}

// impostor notes that a process of the person's own asked as an AI agent.
func (g *Gate) impostor(ws workspace.Workspace, sid identity.SessionID, ip string) {
	e := g.event(ws, sid, "", "agent:ask", ip)
	missing, ok := g.asks.impostors.next(sid, e.Time)
	if !ok {
		return
	}
	e.Outcome, e.Reasons = audit.Denied, []string{"it came through the workspace's own socket, so it is no AI agent"}
	if missing > 0 {
		e.Detail = map[string]any{"more_not_recorded": missing}
	}
	g.c.Audit.Later(e)
}

// canonical spells lines as a person who decides and the log read them, whatever they were written like: the action, and
// the resource by its own name. It refuses those that nobody could give, in words that say nothing of what the person may do.
func (g *Gate) canonical(in project.Project, lines []string) (all []string, err error) {
	for _, line := range lines {
		action, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		allowed, _, err := g.line(in, identity.Action(action), strings.TrimSpace(name))
		if err != nil {
			return nil, err
		}
		line = strings.TrimSpace(string(allowed.Action) + " " + allowed.Name)
		if !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	return all, nil
}

// listAsks lists what the AI agents beside the workspace asked for; an AI agent sees its own.
func (g *Gate) listAsks(w http.ResponseWriter, r *http.Request) error {
	mine, done, err := g.visible(r)
	if err != nil {
		return err
	}
	defer done()
	var sessions []string
	for _, one := range mine {
		sessions = append(sessions, string(one.session))
	}
	return answer(w, http.StatusOK, g.asks.of(sessions...))
}

// answerAsk decides an ask. What is given the person has now, and the delegation keeps its time.
func (g *Gate) answerAsk(w http.ResponseWriter, r *http.Request) error {
	who, ws, err := g.asker(r)
	if err != nil {
		return err
	}
	var said agentapi.AskAnswer
	if err := read(r, &said); err != nil {
		return err
	}
	id := r.PathValue("id")
	lease, err := g.open(r, who, identity.AgentRun, ws, map[string]any{"ask": shown([]string{id})[0], "approve": said.Approve})
	if err != nil {
		return err
	}
	defer lease.End()
	asked, one, err := g.pendingAsk(ws.ID, id)
	if err != nil {
		return err
	}
	if !said.Approve {
		return g.decided(w, asked, refused, said.Why)
	}
	in, ok := g.c.Facts().Projects.Project(ws.Project)
	if !ok {
		return notRunning()
	}
	more, _, err := g.given(r.Context(), who, in, asked.Allow)
	if err != nil {
		return err
	}
	e := g.event(ws, who.Session, "", string(identity.GrantDelegate), web.ClientIP(r))
	e.Detail = map[string]any{"ask": asked.ID}
	d, err := g.c.Grants.Widen(r.Context(), one.grant, more, e)
	if err != nil {
		return err
	}
	one.change(func(v *agentapi.Running) { v.Allowed = d.Lines() })
	return g.decided(w, asked, approved, said.Why)
}

func (g *Gate) decided(w http.ResponseWriter, asked agentapi.Asked, state, words string) error {
	asked, ok := g.asks.decide(asked.ID, state, shown([]string{words})[0])
	if !ok {
		return problem.New(problem.Conflict, "Somebody has decided it just now.")
	}
	return answer(w, http.StatusOK, asked)
}

// pendingAsk finds an undecided ask of an AI agent that runs beside a workspace.
func (g *Gate) pendingAsk(ws identity.WorkspaceID, id string) (agentapi.Asked, *run, error) {
	for _, one := range g.runs.of(ws) {
		if g.runs.live(one.session) == nil {
			continue
		}
		for _, a := range g.asks.of(string(one.session)) {
			if a.ID != id && (a.Agent != id || a.State != pending) {
				continue
			}
			if a.State != pending {
				return a, nil, problem.New(problem.Conflict, "%s was %s already.", a.ID, a.State)
			}
			return a, one, nil
		}
	}
	return agentapi.Asked{}, nil, problem.New(problem.NotFound, "No AI agent beside this workspace asks for %s. `lanyard agent list` shows what they ask for.", strconv.QuoteToASCII(id))
}

// maxBody bounds what is read of a request, in bytes.
const maxBody = 64 << 10

func read(r *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return problem.New(problem.TooLarge, "The request is longer than %d bytes, or broke off.", maxBody)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return problem.Wrap(err, problem.Invalid, "The request is not the JSON that is expected here.")
	}
	return nil
}
