package registration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Token answers with an access token for Microsoft Graph. renew says that the former one is not taken any more.
type Token func(ctx context.Context, renew bool) (string, error)

const (
	answerAtMost = 8 << 20 // bytes
	tries        = 5       // of a request that Graph throttles, or of a read that failed
	longestPause = 30 * time.Second
)

// graph speaks to Microsoft Graph as whoever carries the plan out.
type graph struct {
	base  string
	token Token
	http  *http.Client
	pause time.Duration // the first one
}

// Refused is Graph's refusal.
type Refused struct {
	Status        int
	Code, Message string
	RequestID     string
}

func (r *Refused) Error() string {
	text := fmt.Sprintf("Microsoft Graph answered %d", r.Status)
	if r.Code != "" {
		text += " " + r.Code
	}
	if r.Message != "" {
		text += ": " + strings.TrimSuffix(strings.TrimSpace(r.Message), ".")
	}
	if r.RequestID != "" {
		text += " (request " + r.RequestID + ")"
	}
	return text
}

// unknown says that it is not known whether a change was made: its answer was lost, or the service failed over it.
type unknown struct{ error }

func (u *unknown) Unwrap() error { return u.error }

// do sends a request to a path below Graph's base, and decodes the answer into out, which may be nil. What it reads is
// tried again when it fails; of a change that failed in that way an *unknown is returned.
func (g *graph) do(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("write the request %s %s: %w", method, path, err)
		}
	}
	address := path
	if !strings.HasPrefix(path, "https://") && !strings.HasPrefix(path, "http://") {
		address = g.base + path
	}
	renewed := false
	for attempt := 1; ; attempt++ {
		wait, err := g.once(ctx, method, address, body, out, renewed)
		var refused *Refused
		isRefused := errors.As(err, &refused)
		switch {
		case err == nil:
			return nil
		case isRefused && refused.Status == http.StatusUnauthorized && !renewed:
			renewed = true
			continue
		case isRefused && refused.Status == http.StatusTooManyRequests && attempt < tries:
		case isRefused && refused.Status < 500 || ctx.Err() != nil:
			return err
		case method != http.MethodGet:
			return &unknown{err}
		case attempt == tries:
			return err
		}
		if err := pause(ctx, max(wait, g.backoff(attempt))); err != nil {
			return err
		}
	}
}

// backoff is how long to wait before the attempt after this one.
func (g *graph) backoff(attempt int) time.Duration {
	return min(g.pause<<min(attempt-1, 10), 5*time.Second)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(min(d, longestPause)):
		return nil
	}
}

// once sends the request once. wait is what Graph asks to wait.
func (g *graph) once(ctx context.Context, method, address string, body []byte, out any, renew bool) (wait time.Duration, err error) {
	token, err := g.token(ctx, renew)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the address of Microsoft Graph is no URL")
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", "application/json")
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := g.http.Do(r)
	if err != nil {
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err
		}
		return 0, fmt.Errorf("ask Microsoft Graph: %w", err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, answerAtMost))
	if err != nil {
		return 0, fmt.Errorf("read Microsoft Graph's answer: %w", err)
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		wait = time.Duration(seconds) * time.Second
	}
	if answer.StatusCode/100 != 2 {
		return wait, refusal(answer, content)
	}
	if out == nil || len(content) == 0 {
		return 0, nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return 0, fmt.Errorf("read Microsoft Graph's answer: %w", err)
	}
	return 0, nil
}

func refusal(answer *http.Response, content []byte) *Refused {
	var body struct {
		Error struct {
			Code, Message string
			InnerError    struct {
				RequestID string `json:"request-id"`
			}
		}
	}
	_ = json.Unmarshal(content, &body) // a gateway's page says nothing
	r := &Refused{Status: answer.StatusCode, Code: body.Error.Code, Message: body.Error.Message, RequestID: body.Error.InnerError.RequestID}
	if r.RequestID == "" {
		r.RequestID = answer.Header.Get("Request-Id")
	}
	return r
}

// all reads a collection with all its pages.
func all[T any](ctx context.Context, g *graph, path string) ([]T, error) {
	var list []T
	for path != "" {
		var page struct {
			Value []T    `json:"value"`
			Next  string `json:"@odata.nextLink"`
		}
		if err := g.do(ctx, http.MethodGet, path, nil, &page); err != nil {
			return nil, err
		}
		list = append(list, page.Value...)
		if page.Next != "" && !strings.HasPrefix(page.Next, g.base+"/") {
			return nil, errors.New("the next page of Microsoft Graph is not at Microsoft Graph")
		}
		path = page.Next
	}
	return list, nil
}

// statusOf is the HTTP status of a refusal, and 0 for any other error.
func statusOf(err error) int {
	var r *Refused
	if errors.As(err, &r) {
		return r.Status
	}
	return 0
}

// literal is a text in a filter (OData 4.01, section 5.1.1.6.1), ready for a URL.
func literal(s string) string {
	return url.QueryEscape("'" + strings.ReplaceAll(s, "'", "''") + "'")
}
