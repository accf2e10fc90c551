package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// serveTerminal attaches one connection to a terminal (agentapi.Client.Terminal says what the frames are).
func (a *Agent) serveTerminal(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if !agentapi.ValidName(name) {
		http.Error(w, "not a terminal's name", http.StatusBadRequest)
		return
	}
	size := agentapi.Size{Cols: dimension(r, "cols"), Rows: dimension(r, "rows")}
	t, err := a.attach(name, size)
	if err != nil {
		a.log.Warn("terminal", "err", err)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	c.SetReadLimit(maxInput)
	if size.Cols != 0 {
		resize(t.master, size)
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	v, history := t.view()
	stop := context.AfterFunc(ctx, func() { t.leave(v) })
	defer stop()
	defer t.leave(v)
	go func() {
		defer cancel()
		receiveInput(ctx, c, t)
	}()
	if len(history) > 0 {
		if c.Write(ctx, websocket.MessageBinary, history) != nil {
			return
		}
	}
	buffer := make([]byte, 32<<10)
	for {
		n := t.next(v, buffer)
		if n == 0 {
			break
		}
		if c.Write(ctx, websocket.MessageBinary, buffer[:n]) != nil {
			return
		}
	}
	t.mu.Lock()
	ended := t.ended
	t.mu.Unlock()
	if !ended {
		_ = c.Close(websocket.StatusPolicyViolation, "too slow") // it may attach again
		return
	}
	code := t.child.code()
	text, _ := json.Marshal(agentapi.Control{Exit: &code}) // one number
	if c.Write(ctx, websocket.MessageText, text) == nil {
		_ = c.Close(websocket.StatusNormalClosure, "the shell ended")
	}
}

// maxInput bounds a frame to the agent, in bytes: the largest paste.
const maxInput = 1<<20 + 1

// receiveInput types what comes until the connection ends.
func receiveInput(ctx context.Context, c *websocket.Conn, t *terminal) {
	for {
		kind, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		if kind == websocket.MessageBinary {
			if _, err := t.master.Write(p); err != nil {
				return
			}
			continue
		}
		var control agentapi.Control
		if json.Unmarshal(p, &control) == nil && control.Resize != nil {
			resize(t.master, *control.Resize)
		}
	}
}

func dimension(r *http.Request, name string) uint16 {
	n, err := strconv.ParseUint(r.URL.Query().Get(name), 10, 16)
	if err != nil {
		return 0 // the default size
	}
	return uint16(n)
}
