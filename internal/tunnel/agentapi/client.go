package agentapi

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coder/websocket"
	"github.com/hashicorp/yamux"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// base is where requests go; the transport leads to one workspace whatever host they name.
const base = "http://workspace"

// maxFrame bounds a WebSocket frame in either direction, in bytes.
const maxFrame = 1 << 20

// Client asks one workspace's agent.
type Client struct {
	http *http.Client
}

// New returns a Client over a transport that leads to the agent (tunnel.Hub's Client).
func New(transport http.RoundTripper) Client {
	return Client{http: &http.Client{Transport: transport}}
}

// Setup prepares the workspace and returns when it is ready. It may be called again at any time. progress, which may
// be nil, is told each step. What failed inside the workspace (Git's refusal, say) is a problem.BadUpstream whose
// message a person may see.
func (c Client) Setup(ctx context.Context, s Setup, progress func(Progress)) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("workspace setup: %w", err)
	}
	resp, err := c.do(ctx, http.MethodPost, "/v1/setup", body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxFrame)
	for lines.Scan() {
		var p Progress
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return fmt.Errorf("workspace setup: %w", err)
		}
		p.Phase, p.Text, p.Error = cut(p.Phase, maxText), cut(p.Text, maxText), cut(p.Error, maxError)
		switch {
		case p.Error != "":
			return problem.New(problem.BadUpstream, "%s", p.Error)
		case p.Done:
			return nil
		case progress != nil:
			progress(p)
		}
	}
	err = lines.Err()
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return problem.Wrap(err, problem.Unavailable, "The connection to the workspace broke while it was being set up.")
}

// What a workspace says of its setup is kept, shown and recorded by the server, and any process of the workspace may have
// said it in the agent's place: no more of it is taken than this, in bytes.
const (
	maxText   = 2 << 10
	maxError  = 16 << 10
	maxStatus = 64 << 10
)

// cut shortens what is too long, at a character's boundary, and lets go of the rest.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return strings.Clone(s[:most]) + "…"
}

// Status asks the agent how it is.
func (c Client) Status(ctx context.Context) (Status, error) {
	resp, err := c.do(ctx, http.MethodGet, "/v1/status", nil)
	if err != nil {
		return Status{}, err
	}
	defer resp.Body.Close()
	var s Status
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxStatus)).Decode(&s); err != nil {
		return Status{}, fmt.Errorf("workspace status: %w", err)
	}
	return s, nil
}

// Stop ends the workspace's processes gently, then the agent. It returns when the processes have ended; the runtime
// sees that the agent has.
func (c Client) Stop(ctx context.Context) error {
	resp, err := c.do(ctx, http.MethodPost, "/v1/stop", nil)
	if ended(err) { // the agent was gone before its answer was read
		return nil
	}
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// ended reports whether a request failed because the tunnel that carried it ended meanwhile.
func ended(err error) bool {
	return errors.Is(err, yamux.ErrSessionShutdown) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

func (c Client) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("workspace: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("workspace: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, refused(resp)
	}
	return resp, nil
}

// refused is an answer that is a refusal. Whatever its status, it is the workspace's own word and says nothing of what the
// server has.
func refused(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxText)) // the status says enough if this fails
	return problem.New(problem.BadUpstream, "The workspace's agent answered %d: %s", resp.StatusCode, plain(string(bytes.TrimSpace(text))))
}

// Terminal attaches to the terminal of that name, which begins with the first to attach and outlives every
// connection. Binary frames are bytes both ways; text frames are Control. What was written before comes first. The
// caller closes the connection.
func (c Client) Terminal(ctx context.Context, name string, size Size) (*websocket.Conn, error) {
	if !ValidName(name) {
		return nil, problem.New(problem.Invalid, "%q cannot name a terminal.", name)
	}
	u := base + "/v1/terminal/" + name + "?cols=" + strconv.Itoa(int(size.Cols)) + "&rows=" + strconv.Itoa(int(size.Rows))
	return c.dial(ctx, u)
}

func (c Client) dial(ctx context.Context, u string) (*websocket.Conn, error) {
	conn, resp, err := websocket.Dial(ctx, u, &websocket.DialOptions{HTTPClient: c.http})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, problem.Wrap(err, problem.KindOfStatus(resp.StatusCode), "The workspace's agent refused the connection.")
		}
		var p *problem.Error
		if errors.As(err, &p) {
			return nil, p
		}
		return nil, problem.Wrap(err, problem.Unavailable, "The workspace did not answer.")
	}
	conn.SetReadLimit(maxFrame + 1)
	return conn, nil
}
