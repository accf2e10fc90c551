package terminal

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

const (
	// maxFrame bounds a frame from either side, in bytes; a paste is cut into several by the page.
	maxFrame = 1 << 20
	// patience is how long a peer may take to read a frame or to answer a ping, before it is taken for gone.
	patience = 30 * time.Second
	// pingEvery finds out that a browser is gone, and keeps what stands between from forgetting the connection.
	pingEvery = 20 * time.Second
)

// Close codes that the page knows.
const (
	closedByLanyard websocket.StatusCode = 4403 // access has ended: do not come back by yourself
	agentLost       websocket.StatusCode = 1012 // the workspace is not reached now: come back
)

// relay carries frames between a person's connection and the agent's until one of them ends or ctx does. check looks
// at each frame that goes to the agent, and says what to send instead, if anything; count is told the bytes.
//
// The person's connection is never used with ctx: this WebSocket library closes a connection whose context ends, and
// after a cut something is still to be said on it.
type relay struct {
	person, agent *websocket.Conn
	check         func(websocket.MessageType, []byte) ([]byte, bool)
	count         func(int64)
	patient       bool // the person may stop reading
}

// run returns when the relay is over. fromAgent is how the agent's side ended, and nil when the person's did.
func (r relay) run(ctx context.Context) (fromAgent error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	up := make(chan struct{})
	go func() {
		defer close(up)
		defer cancel()
		r.up(ctx)
	}()
	if !r.patient {
		go r.ping(ctx)
	}
	err := r.down(ctx)
	cancel()
	select {
	case <-up:
		return nil
	default:
		return err
	}
}

// up carries what the person sends.
func (r relay) up(ctx context.Context) {
	for {
		kind, frame, err := r.person.Read(context.WithoutCancel(ctx))
		if err != nil || ctx.Err() != nil {
			return
		}
		r.count(int64(len(frame)))
		frame, ok := r.check(kind, frame)
		if !ok {
			continue
		}
		if r.agent.Write(ctx, kind, frame) != nil {
			return
		}
	}
}

// down carries what the agent sends.
func (r relay) down(ctx context.Context) error {
	for {
		kind, frame, err := r.agent.Read(ctx)
		if err != nil {
			return err
		}
		r.count(int64(len(frame)))
		slow, cancel := r.within(ctx)
		err = r.person.Write(slow, kind, frame)
		cancel()
		if err != nil {
			return nil
		}
	}
}

func (r relay) ping(ctx context.Context) {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
			err := r.person.Ping(wait)
			cancel()
			if err != nil {
				r.person.CloseNow()
				return
			}
		}
	}
}

// finish closes the person's connection as the agent's ended.
func (r relay) finish(fromAgent error) {
	var ended websocket.CloseError
	switch {
	case fromAgent == nil:
		r.person.CloseNow()
	case errors.As(fromAgent, &ended) && ended.Code == websocket.StatusNormalClosure:
		_ = r.person.Close(websocket.StatusNormalClosure, "") // the person may be gone
	default:
		_ = r.person.Close(agentLost, "the workspace is not reached now")
	}
}

// brief cuts a reason to what a close frame holds (RFC 6455 section 5.5: 125 bytes with the code).
func brief(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	cut := most - len("…")
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

type closer func() error

func (c closer) Close() error { return c() }
