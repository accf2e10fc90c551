package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Remote is an address that every newest signed checkpoint is PUT to: where those who can write the database cannot.
// When this process begins to lead, it is asked by GET what it holds; an address that answers no GET is written only.
type Remote struct {
	URL    string
	Bearer func() (string, error) // read again for each request; nil: none
	Client *http.Client
}

const (
	remoteEvery   = time.Second
	remoteTimeout = 10 * time.Second
	maxRemote     = 1 << 20 // bytes that are read of what an address holds
)

// remote is one address and what it is known to hold. The fields are held by the copies' mu.
type remote struct {
	Remote
	written  int64
	compared bool
	failing  string
}

// sendAll brings the addresses up to date, while this process leads.
func (c *copies) sendAll(ctx context.Context) {
	for _, r := range c.remotes {
		c.mu.Lock()
		last, compared, written := c.last, r.compared, r.written
		c.mu.Unlock()
		if !compared {
			held, err := r.do(ctx, http.MethodGet, nil)
			c.mu.Lock()
			if err == nil && len(held) > 0 {
				c.compare(ctx, r.URL, held, c.rows)
			}
			r.compared = true
			c.mu.Unlock()
		}
		if last.Size == 0 || written == last.Size {
			continue
		}
		_, err := r.do(ctx, http.MethodPut, last.Note)
		c.mu.Lock()
		if err == nil {
			r.written = last.Size
		}
		c.said(&r.failing, err)
		c.mu.Unlock()
	}
}

func (r *remote) do(ctx context.Context, method string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, method, r.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if r.Bearer != nil {
		secret, err := r.Bearer()
		if err != nil {
			return nil, err
		}
		q.Header.Set("Authorization", "Bearer "+secret)
	}
	if body != nil {
		q.Header.Set("Content-Type", "text/plain; charset=utf-8")
	}
	answer, err := r.Client.Do(q)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	held, err := io.ReadAll(io.LimitReader(answer.Body, maxRemote))
	if answer.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s answered %s", method, r.URL, answer.Status)
	}
	return held, err
}
