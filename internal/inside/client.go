package inside

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// answerWithin bounds how long a command waits for the server.
const answerWithin = 30 * time.Second

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 1 << 20

// socketClient reaches the server through the workspace's socket.
func socketClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		DisableCompression: true,
	}}
}

// do sends in as JSON, where it is not nil, and reads the answer into out. A refusal is a *refused.
func (a *app) do(ctx context.Context, method, path string, in, out any) error {
	return a.doFor(ctx, answerWithin, method, path, in, out)
}

// doFor is do for what may take longer.
func (a *app) doFor(ctx context.Context, most time.Duration, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeoutCause(ctx, most, problem.New(problem.Unavailable, "Lanyard's server did not answer in time. Try again in a moment."))
	defer cancel()
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://lanyard"+path, body)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := a.http.Do(r)
	if err != nil {
		return a.unreachable(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		return refusal(answer)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return nil
}

func (a *app) unreachable(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return problem.Wrap(err, problem.Unavailable, "There is no socket at %s: this command works in a Lanyard workspace only, and in one that was started after Lanyard knew it. Stop and start the workspace, if this is one.", a.socket())
	case errors.Is(err, fs.ErrPermission):
		return problem.Wrap(err, problem.Denied, "The socket %s belongs to the workspace's user; this process runs as another one.", a.socket())
	case errors.Is(err, syscall.ECONNREFUSED):
		return problem.Wrap(err, problem.Unavailable, "Nobody listens at %s. Stop and start the workspace.", a.socket())
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return problem.Wrap(err, problem.Unavailable, "The connection to Lanyard's server broke before it answered. Try again in a moment.")
}

// refused is an answer that is an error.
type refused struct{ problem.Document }

func (e *refused) Error() string {
	switch {
	case e.Detail != "":
		return e.Detail
	case e.Title != "":
		return e.Title
	}
	return fmt.Sprintf("the server answered %d", e.Status)
}

// refusal reads an answer that is an error: a problem document (RFC 9457), or the agent's own sentence.
func refusal(answer *http.Response) error {
	e := new(refused)
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read a refusal: %w", err)
	}
	if media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); media != "application/problem+json" || json.Unmarshal(text, &e.Document) != nil {
		e.Document = problem.Document{Detail: strings.TrimSpace(string(text))}
	}
	e.Status = answer.StatusCode
	return e
}
