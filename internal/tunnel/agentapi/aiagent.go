package agentapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// What the processes of a workspace ask the server about AI agents, through the workspace's own socket:
//
//	GET    /agents            []Running: those of the workspace; of an AI agent, itself
//	GET    /agents/run        WebSocket: AgentOrder in the first frame, then the frames of Exec and, as text, AgentEvent
//	GET    /agents/{id}       Running
//	DELETE /agents/{id}       ends it, or hands back what is kept of it; ?discard=true throws away what is kept
//	POST   /agents/asks       AgentAsk, by an AI agent: for more than it was given
//	GET    /agents/asks       []Asked
//	GET    /agents/asks/{id}  Asked
//	POST   /agents/asks/{id}  AskAnswer, by the person

// AgentOrder starts an AI agent beside the workspace.
type AgentOrder struct {
	Name string `json:"name"`
	// Allow are lines such as "repo:read" (every repository of the project) or "app:call ledger"; empty: what the
	// project's file declares for an AI agent of that name.
	Allow    []string    `json:"allow,omitempty"`
	For      string      `json:"for,omitempty"`      // 30m
	Checkout string      `json:"checkout,omitempty"` // Copy or Shared; empty: as declared, or Copy
	Why      string      `json:"why,omitempty"`
	Exec     ExecRequest `json:"exec"`
}

// Checkouts that an AI agent may work on.
const (
	CheckoutCopy   = "copy"
	CheckoutShared = "shared"
)

// AgentEvent is a text frame from the server: one field is set.
type AgentEvent struct {
	Step    string   `json:"step,omitempty"`    // something that takes time has begun
	Warning string   `json:"warning,omitempty"` // for the person
	Started *Running `json:"started,omitempty"` // the command begins
	Ended   *Running `json:"ended,omitempty"`   // the last one before the exit frame
}

// Running is an AI agent that runs beside a workspace, or did lately.
type Running struct {
	ID        string    `json:"id"` // of its session
	Name      string    `json:"name"`
	Workspace string    `json:"workspace"`
	Grant     string    `json:"grant"`           // its delegation
	Lease     string    `json:"lease,omitempty"` // that it runs on
	Allowed   []string  `json:"allowed"`
	Checkout  string    `json:"checkout"`
	Command   []string  `json:"command,omitempty"`
	Started   time.Time `json:"started"`
	Until     time.Time `json:"until"` // at the latest
	State     string    `json:"state"` // starting, running, ending, ended
	Ended     time.Time `json:"ended,omitzero"`
	Why       string    `json:"why,omitempty"`    // why it was ended, where it did not end by itself
	Code      int       `json:"code"`             // exit status, once ended
	Branch    string    `json:"branch,omitempty"` // with what it changed; empty where it changed nothing
	Stat      string    `json:"stat,omitempty"`   // of that branch against where it began
	Diff      string    `json:"diff,omitempty"`   // the same as a patch, of at most MaxDiff bytes; of one alone
	DiffCut   bool      `json:"diff_cut,omitempty"`
	Left      string    `json:"left,omitempty"` // why nothing could be handed back, and where it is
}

// AgentAsk asks the person for more than an AI agent was given.
type AgentAsk struct {
	Allow []string `json:"allow"`
	Why   string   `json:"why"`
}

// AgentExit is the exit frame of /agents/run. Problem says why there is no exit status.
type AgentExit struct {
	Code    int               `json:"code"`
	Problem *problem.Document `json:"problem,omitempty"`
}

// AskAnswer decides an AgentAsk.
type AskAnswer struct {
	Approve bool   `json:"approve"`
	Why     string `json:"why,omitempty"`
}

// Asked is an AgentAsk and what became of it.
type Asked struct {
	ID      string    `json:"id"`
	Agent   string    `json:"agent"`
	Session string    `json:"session"`
	Allow   []string  `json:"allow"`
	Why     string    `json:"why"`
	At      time.Time `json:"at"`
	State   string    `json:"state"` // pending, approved, refused, over
	Words   string    `json:"words,omitempty"`
}

// RunAgent runs an AI agent to its end and returns its command's exit status. said is told what the server says of it
// meanwhile. A refusal, and an end before the command's own, is a problem.Error.
func (c Client) RunAgent(ctx context.Context, o AgentOrder, s Streams, said func(AgentEvent)) (int, error) {
	o.Exec.Stdin = s.Stdin != nil
	first, err := json.Marshal(o)
	if err != nil {
		return 0, fmt.Errorf("run an AI agent: %w", err)
	}
	conn, err := c.dial(ctx, base+"/agents/run")
	if err != nil {
		return 0, err
	}
	return stream(ctx, conn, first, s, func(text []byte) {
		var e AgentEvent
		if json.Unmarshal(text, &e) == nil {
			said(e)
		}
	}, agentExit)
}

func agentExit(frame []byte) (int, error) {
	var e AgentExit
	if err := json.Unmarshal(frame, &e); err != nil {
		return 0, fmt.Errorf("run an AI agent: %w", err)
	}
	if e.Problem != nil {
		return 0, e.Problem.Err()
	}
	return e.Code, nil
}

// ask sends a request to the server and reads its answer; a refusal is a problem.Error in the server's own words.
func (c Client) ask(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "Lanyard does not answer in this workspace. Try again in a moment.")
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The connection to Lanyard broke in the middle of its answer. Try again in a moment.")
	}
	if resp.StatusCode/100 != 2 {
		d := problem.Document{Status: resp.StatusCode, Detail: string(bytes.TrimSpace(answer))}
		if resp.Header.Get("Content-Type") == "application/problem+json" {
			d.Detail = ""
			_ = json.Unmarshal(answer, &d) // the status says enough if this fails
		}
		return d.Err()
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// maxAnswer bounds an answer of the server's, in bytes.
const maxAnswer = 1 << 20

// Agents lists the AI agents of the workspace.
func (c Client) Agents(ctx context.Context) (list []Running, err error) {
	return list, c.ask(ctx, http.MethodGet, "/agents", nil, &list)
}

// Agent shows one.
func (c Client) Agent(ctx context.Context, id string) (one Running, err error) {
	return one, c.ask(ctx, http.MethodGet, "/agents/"+url.PathEscape(id), nil, &one)
}

// StopAgent ends one, and returns when what it did was handed back.
func (c Client) StopAgent(ctx context.Context, id string) (one Running, err error) {
	return one, c.ask(ctx, http.MethodDelete, "/agents/"+url.PathEscape(id), nil, &one)
}

// DiscardAgent throws away what is kept of the work of one that has ended.
func (c Client) DiscardAgent(ctx context.Context, id string) (one Running, err error) {
	return one, c.ask(ctx, http.MethodDelete, "/agents/"+url.PathEscape(id)+"?discard=true", nil, &one)
}

// AskMore asks the person for more than the AI agent that asks was given.
func (c Client) AskMore(ctx context.Context, a AgentAsk) (asked Asked, err error) {
	return asked, c.ask(ctx, http.MethodPost, "/agents/asks", a, &asked)
}

// Asks lists what AI agents of the workspace asked for.
func (c Client) Asks(ctx context.Context) (list []Asked, err error) {
	return list, c.ask(ctx, http.MethodGet, "/agents/asks", nil, &list)
}

// AnswerAsk decides what an AI agent asked for.
func (c Client) AnswerAsk(ctx context.Context, id string, a AskAnswer) (asked Asked, err error) {
	return asked, c.ask(ctx, http.MethodPost, "/agents/asks/"+url.PathEscape(id), a, &asked)
}
