package tunnel

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Protocol is the tunnel's protocol number. A server accepts this one and the one before, because a workspace's
// agent outlives an upgrade of the server.
const Protocol = 2

// A hello is one line of JSON each way, before anything else.
const (
	helloBytes = 4 << 10
	helloTime  = 5 * time.Second
)

// Hello is what a peer says of itself, and what the server answers.
type Hello struct {
	Protocol int    `json:"protocol"`        // the peer's; in the answer the one that both will speak
	Build    string `json:"build,omitempty"` // version of the program, for the log
	Start    string `json:"start,omitempty"` // random, one per start of the peer's process: a new one means that its processes are gone
	Plain    bool   `json:"plain,omitempty"` // since protocol 2: this connection carries the peer's requests as they are
	Error    string `json:"error,omitempty"` // in the answer: why the connection is refused
}

// accepts reports whether a server that speaks current serves a peer that speaks peer.
func accepts(peer, current int) bool {
	return peer > 0 && (peer == current || peer == current-1)
}

// readHello reads a hello and not a byte more: what follows belongs to who reads next.
func readHello(c net.Conn) (Hello, error) {
	line, err := readLine(c)
	if err != nil {
		return Hello{}, fmt.Errorf("tunnel hello: %w", err)
	}
	var h Hello
	if err := json.Unmarshal(line, &h); err != nil {
		return Hello{}, fmt.Errorf("tunnel hello: %w", err)
	}
	return h, nil
}

// readLine takes a byte at a time: what the server sends after its hello may have arrived with it.
func readLine(c net.Conn) ([]byte, error) {
	line := make([]byte, 0, 256)
	for len(line) < helloBytes {
		var b [1]byte
		if _, err := io.ReadFull(c, b[:]); err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if b[0] == '\n' {
			return line, nil
		}
		line = append(line, b[0])
	}
	return nil, fmt.Errorf("longer than %d bytes", helloBytes)
}

func writeHello(c net.Conn, h Hello) error {
	line, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("tunnel hello: %w", err)
	}
	if _, err := c.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("tunnel hello: %w", err)
	}
	return nil
}

// hear is the server's side of the hello: it returns the peer's, or refuses and says why on both sides.
func hear(c net.Conn, build string, current int) (Hello, error) {
	if err := c.SetDeadline(time.Now().Add(helloTime)); err != nil {
		return Hello{}, fmt.Errorf("tunnel hello: %w", err)
	}
	h, err := readHello(c)
	if err != nil {
		return Hello{}, err
	}
	if !accepts(h.Protocol, current) {
		refusal := fmt.Sprintf("this server speaks tunnel protocol %d and the one before; the workspace agent (build %q) speaks %d: stop and start the workspace to give it the server's agent", current, h.Build, h.Protocol)
		_ = writeHello(c, Hello{Protocol: current, Build: build, Error: refusal}) // refused either way
		return Hello{}, problem.New(problem.Invalid, "%s", refusal)
	}
	return h, c.SetDeadline(time.Time{})
}

// introduce is the peer's side of the hello.
func introduce(c net.Conn, h Hello) (Hello, error) {
	if err := c.SetDeadline(time.Now().Add(helloTime)); err != nil {
		return Hello{}, fmt.Errorf("tunnel hello: %w", err)
	}
	if err := writeHello(c, h); err != nil {
		return Hello{}, err
	}
	answer, err := readHello(c)
	if err != nil {
		return Hello{}, err
	}
	if answer.Error != "" {
		return Hello{}, problem.New(problem.Invalid, "the server refused the tunnel: %s", answer.Error)
	}
	return answer, c.SetDeadline(time.Time{})
}
