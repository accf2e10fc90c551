package tunnel

import (
	"bufio"
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
const Protocol = 1

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
	Error    string `json:"error,omitempty"` // in the answer: why the connection is refused
}

// accepts reports whether a server that speaks current serves a peer that speaks peer.
func accepts(peer, current int) bool {
	return peer > 0 && (peer == current || peer == current-1)
}

// helloConn is a connection whose first bytes may already have been read together with the hello.
type helloConn struct {
	net.Conn
	buffered *bufio.Reader
}

func (c *helloConn) Read(p []byte) (int, error) { return c.buffered.Read(p) }

func newHelloConn(c net.Conn) *helloConn {
	return &helloConn{Conn: c, buffered: bufio.NewReaderSize(c, 32<<10)}
}

func (c *helloConn) readHello() (Hello, error) {
	line, err := c.readLine()
	if err != nil {
		return Hello{}, err
	}
	var h Hello
	if err := json.Unmarshal(line, &h); err != nil {
		return Hello{}, fmt.Errorf("tunnel hello: %w", err)
	}
	return h, nil
}

func (c *helloConn) readLine() ([]byte, error) {
	var line []byte
	for len(line) < helloBytes {
		b, err := c.buffered.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("tunnel hello: %w", err)
		}
		if b == '\n' {
			return line, nil
		}
		line = append(line, b)
	}
	return nil, fmt.Errorf("tunnel hello: longer than %d bytes", helloBytes)
}

func (c *helloConn) writeHello(h Hello) error {
	line, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("tunnel hello: %w", err)
	}
	if _, err := c.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("tunnel hello: %w", err)
	}
	return nil
}

// greet is the server's side of the hello: it returns the peer's, or refuses and says why on both sides.
func (c *helloConn) greet(build string, current int) (Hello, error) {
	if err := c.SetDeadline(time.Now().Add(helloTime)); err != nil {
		return Hello{}, fmt.Errorf("tunnel hello: %w", err)
	}
	h, err := c.readHello()
	if err != nil {
		return Hello{}, err
	}
	if !accepts(h.Protocol, current) {
		refusal := fmt.Sprintf("this server speaks tunnel protocol %d and the one before; the workspace agent (build %q) speaks %d: stop and start the workspace to give it the server's agent", current, h.Build, h.Protocol)
		_ = c.writeHello(Hello{Protocol: current, Build: build, Error: refusal}) // refused either way
		return Hello{}, problem.New(problem.Invalid, "%s", refusal)
	}
	if err := c.writeHello(Hello{Protocol: min(h.Protocol, current), Build: build}); err != nil {
		return Hello{}, err
	}
	return h, c.SetDeadline(time.Time{})
}

// introduce is the peer's side of the hello.
func (c *helloConn) introduce(h Hello) (Hello, error) {
	if err := c.SetDeadline(time.Now().Add(helloTime)); err != nil {
		return Hello{}, fmt.Errorf("tunnel hello: %w", err)
	}
	if err := c.writeHello(h); err != nil {
		return Hello{}, err
	}
	answer, err := c.readHello()
	if err != nil {
		return Hello{}, err
	}
	if answer.Error != "" {
		return Hello{}, problem.New(problem.Invalid, "the server refused the tunnel: %s", answer.Error)
	}
	return answer, c.SetDeadline(time.Time{})
}
