package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

// Client speaks the API. Its zero value lacks only the URL. Who it speaks for, HTTP says: a client with a cookie jar
// for a person, one that dials the server's Unix socket for the operator.
type Client struct {
	// URL is the address of the pages, without a path.
	URL string
	// HTTP sends the requests; nil: http.DefaultClient.
	HTTP *http.Client
}

// Error is an answer that is an error, as its problem document says.
type Error struct {
	Status  int      `json:"status"`
	Type    string   `json:"type"`
	Title   string   `json:"title"`
	Detail  string   `json:"detail"`
	Reasons []string `json:"reasons"`
	Help    *Help    `json:"help"` // nil where no other system refused
}

// Help says who can mend what another system refused, such as the tenant, and by what it is found there.
type Help struct {
	Code        string `json:"code"`           // that system's own, such as AADSTS50105
	Who         string `json:"who_mends_it"`   // "you", or whose work it is
	Do          string `json:"what_to_do"`     // sentences
	Correlation string `json:"correlation_id"` // in that system's log
	Trace       string `json:"trace_id"`
	Time        string `json:"at"`
}

func (e *Error) Error() string {
	switch {
	case e.Detail != "":
		return e.Detail
	case e.Title != "":
		return e.Title
	default:
		return fmt.Sprintf("the server answered %d", e.Status)
	}
}

// Unreachable says that no answer came: the server is away, or the way to it. Err is why.
type Unreachable struct {
	URL string
	Err error
}

func (e *Unreachable) Error() string {
	return fmt.Sprintf("the server at %s does not answer: %v", e.URL, e.Err)
}

func (e *Unreachable) Unwrap() error { return e.Err }

// ErrClosed says that the server ended a stream because access to it was taken away.
var ErrClosed = errors.New("access to the stream was taken away")

// Do sends in as JSON, where it is not nil, and reads the answer into out, where that is not nil. path begins below
// /api/v1.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	answer, err := c.send(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if out == nil || answer.StatusCode == http.StatusNoContent {
		return nil
	}
	if err := json.NewDecoder(answer.Body).Decode(out); err != nil {
		return fmt.Errorf("read the answer of %s %s: %w", method, path, err)
	}
	return nil
}

// send returns an answer that is no error; the caller closes its body.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
		body = bytes.NewReader(b)
	}
	address := strings.TrimSuffix(c.URL, "/") + "/api/v1" + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, fmt.Errorf("make the request: %w", err)
	}
	r.Header.Set("Accept", "application/json")
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	// The pages site asks every unsafe method for its origin, from whatever client.
	r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	client := c.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(r)
	if err != nil {
		var way *url.Error
		if errors.As(err, &way) { // which names the address once more
			err = way.Err
		}
		return nil, &Unreachable{URL: c.URL, Err: err}
	}
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, errorOf(answer)
}

// maxProblem bounds what is read of an error's body, in bytes.
const maxProblem = 64 << 10

func errorOf(answer *http.Response) error {
	e := &Error{Status: answer.StatusCode}
	if media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type")); media == "application/problem+json" {
		b, _ := io.ReadAll(io.LimitReader(answer.Body, maxProblem)) // a document cut short is no document
		_ = json.Unmarshal(b, e)
	}
	e.Status = answer.StatusCode
	return e
}

// Me says who asks.
func (c *Client) Me(ctx context.Context) (me Me, err error) {
	return me, c.Do(ctx, http.MethodGet, "/me", nil, nil, &me)
}

// Projects lists the projects that who asks may see.
func (c *Client) Projects(ctx context.Context) ([]Project, error) {
	return list[Project](ctx, c, "/projects", nil)
}

// SignIns lists sign-ins and the sessions below them; user "" means one's own, "*" everybody's.
func (c *Client) SignIns(ctx context.Context, user string) ([]SignIn, error) {
	return list[SignIn](ctx, c, "/sessions", values("user", user))
}

// Why explains a decision; user "" means oneself.
func (c *Client) Why(ctx context.Context, action, resource, user string) (why Why, err error) {
	return why, c.Do(ctx, http.MethodGet, "/why", values("action", action, "resource", resource, "user", user), nil, &why)
}

// list reads all pages of a list.
func list[T any](ctx context.Context, c *Client, path string, query url.Values) ([]T, error) {
	var all []T
	for {
		var page Page[T]
		if err := c.Do(ctx, http.MethodGet, path, query, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.Next == "" {
			return all, nil
		}
		if query == nil {
			query = url.Values{}
		}
		query.Set("cursor", page.Next)
	}
}

// values makes a query of names and values, without those that are empty.
func values(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	return q
}
