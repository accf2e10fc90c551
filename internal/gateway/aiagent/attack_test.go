package aiagent_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/aiagent"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

const resources = `repositories:
  - url: https://git.example.test/payments/api
resources:
  - app: ledger
    url: http://ledger.internal:8080
`

// beside knows Ada's workspace, and starts nothing.
type beside struct {
	starter
	ws workspace.Workspace
}

func (b beside) Get(id identity.WorkspaceID) (workspace.Workspace, bool) { return b.ws, id == b.ws.ID }

// starter is what fails a test by being used.
type starter = aiagent.Siblings

// TestAttack09WhoAsksIsWhoseSocketItIs: an AI agent that claims to be its person, a process of the person's that claims to
// be an AI agent, somebody else's workspace, and nobody: each is refused, and what a person could be blamed for is in the log.
func TestAttack09WhoAsksIsWhoseSocketItIs(t *testing.T) {
	w := gatewaytest.New(t, resources)
	ada := w.Workspace(gatewaytest.Ada)
	delegation := grant.Grant{
		ID: identity.NewGrantID(), Kind: grant.Delegation, User: ada.User, Agent: "liar", Session: ada.Session,
		From: time.Now().Add(-time.Minute), Until: time.Now().Add(time.Hour),
		Allowed: []grant.Allowed{{Action: identity.RepoRead, Kind: identity.KindRepo, Project: ada.Project}},
	}
	w.Engine.Publish(func(f access.Facts) access.Facts {
		f.Grants = grant.NewSet([]grant.Grant{delegation})
		return f
	}, access.Touched{All: true})
	agent := ada
	agent.Kind, agent.Agent, agent.Delegation = identity.AIAgent, "liar", delegation.ID
	other := w.Workspace(gatewaytest.Grace)
	other.Workspace = ada.Workspace // as if her session were of Ada's workspace

	gate := aiagent.New(aiagent.Config{
		Access: w.Engine, Facts: w.Engine.Facts, Audit: w.Audit, Log: w.Log,
		Siblings: beside{ws: workspace.Workspace{ID: ada.Workspace, Owner: ada.User, Project: ada.Project}},
	})
	ask := `{"allow":["repo:write"],"why":"please"}`
	for _, c := range []struct {
		name, method, path, body string
		as                       identity.Principal
		status                   int
		words                    string
	}{
		{"nobody lists", http.MethodGet, "/agents", "", identity.Principal{}, 401, "Sign in first"},
		{"nobody runs", http.MethodGet, "/agents/run", "", identity.Principal{}, 401, "Sign in first"},
		{"a browser's session lists", http.MethodGet, "/agents", "", w.Browser(gatewaytest.Ada), 403, "inside of a workspace"},
		{"another's session lists", http.MethodGet, "/agents", "", other, 403, "inside of a workspace"},
		{"the person's process asks as an AI agent", http.MethodPost, "/agents/asks", ask, ada, 403, "Only an AI agent asks here"},
		{"the AI agent stops what is its person's", http.MethodDelete, "/agents/liar", "", agent, 403, "Not allowed"},
		{"the AI agent approves", http.MethodPost, "/agents/asks/a-1", `{"approve":true}`, agent, 403, "Not allowed"},
		{"an AI agent that does not run lists", http.MethodGet, "/agents", "", agent, 403, "has ended"},
		{"an AI agent that does not run asks", http.MethodPost, "/agents/asks", ask, agent, 403, "has ended"},
	} {
		server := w.Serve(t, c.as, gate.Routes()...)
		r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		for _, claim := range []string{"Lanyard-Agent", "X-Forwarded-User", "Authorization"} {
			r.Header.Set(claim, "Bearer liar")
		}
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(resp.Body) // a part fails below
		resp.Body.Close()
		if resp.StatusCode != c.status || !strings.Contains(string(text), c.words) {
			t.Errorf("%s: %d %s", c.name, resp.StatusCode, text)
		}
	}
	if said := order(t, w.Serve(t, agent, gate.Routes()...).URL, `{"name":"more","allow":["repo:write"],"exec":{"argv":["true"]}}`); !strings.Contains(said, "Not allowed") {
		t.Errorf("an AI agent runs another: %s", said)
	}
	gatewaytest.Eventually(t, "what the AI agent tried is in the log as denied", func() bool {
		for _, e := range w.Audit.Find(identity.AgentRun, audit.Denied) {
			if e.Actor == "agent:liar" && e.User != nil {
				return true
			}
		}
		return false
	})
	if len(w.Audit.Find("agent:ask", audit.Denied)) == 0 {
		t.Error("the process that claimed to be an AI agent is not in the log")
	}
}

// TestOrdersThatGiveNothing: what is wrong with an order is said before anything is given or started.
func TestOrdersThatGiveNothing(t *testing.T) {
	w := gatewaytest.New(t, resources)
	linus := w.Workspace(gatewaytest.Linus) // a viewer
	gate := aiagent.New(aiagent.Config{
		Access: w.Engine, Facts: w.Engine.Facts, Audit: w.Audit, Log: w.Log,
		Siblings: beside{ws: workspace.Workspace{ID: linus.Workspace, Owner: linus.User, Project: linus.Project}},
	})
	url := w.Serve(t, linus, gate.Routes()...).URL
	for said, words := range map[string]string{
		`nonsense`:                           "first frame",
		`{"name":"x","allow":["repo:read"]}`: "Say which command",
		`{"name":"-x","allow":["repo:read"],"exec":{"argv":["true"]}}`:                          "name is made of",
		`{"name":"x","exec":{"argv":["true"]}}`:                                                 "Say what the AI agent may do",
		`{"name":"x","allow":["grant:approve"],"exec":{"argv":["true"]}}`:                       "cannot be given to an AI agent",
		`{"name":"x","allow":["repo:write"],"exec":{"argv":["true"]}}`:                          "You cannot give repo:write",
		`{"name":"x","allow":["app:call vault"],"exec":{"argv":["true"]}}`:                      "There is no app",
		`{"name":"x","allow":["token:mint"],"exec":{"argv":["true"]}}`:                          "has no audience",
		`{"name":"x","allow":["repo:read"],"for":"soon","exec":{"argv":["true"]}}`:              "no length of time",
		`{"name":"x","allow":["repo:read"],"checkout":"shared","exec":{"argv":["true"]}}`:       "agent:share",
		`{"name":"x","allow":["repo:read https://other.example.test/x"],"exec":{"argv":["t"]}}`: "There is no repository",
	} {
		if got := order(t, url, said); !strings.Contains(got, words) {
			t.Errorf("%s: %s, wanted %q", said, got, words)
		}
	}
}

// order sends the first frame of /agents/run and returns the last one.
func order(t *testing.T, url, first string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, url+"/agents/run", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(ctx, websocket.MessageText, []byte(first)); err != nil {
		t.Fatal(err)
	}
	last := ""
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return last
		}
		last = string(frame)
	}
}
