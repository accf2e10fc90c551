package entra

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	requestTimeout = 60 * time.Second
	answerAtMost   = 64 << 20 // bytes of one page
	attempts       = 4        // of one request, when Graph is busy or failing
	longestPause   = 5 * time.Second
)

// client speaks to Graph as the app itself. It is safe for concurrent use.
type client struct {
	base *url.URL // including /v1.0, without a trailing slash
	http *http.Client
	app  clientcredentials.Config

	mu    sync.Mutex
	token *oauth2.Token
}

// graphError is an answer of Graph that is not a success.
type graphError struct {
	Status     int
	Code       string
	Message    string
	RetryAfter time.Duration // 0: not said
}

func (e *graphError) Error() string {
	return fmt.Sprintf("Graph answered %d %s: %s", e.Status, e.Code, e.Message)
}

// lostState reports that a delta link is of no use any more: everything must be read again.
func (e *graphError) lostState() bool {
	for _, code := range []string{"syncStateNotFound", "syncStateInvalid", "resyncRequired"} {
		if strings.EqualFold(e.Code, code) {
			return true
		}
	}
	return e.Status == http.StatusGone
}

// passing reports that the same request may succeed later.
func (e *graphError) passing() bool {
	return e.Status == http.StatusTooManyRequests || e.Status >= 500 && e.Status != http.StatusNotImplemented
}

func statusOf(err error) int {
	var failed *graphError
	if errors.As(err, &failed) {
		return failed.Status
	}
	return 0
}

var errForeignLink = errors.New("a link leads away from Graph")

// own checks that a link that Graph gave, perhaps before a restart with another configuration, leads to Graph: the
// token goes nowhere else.
func (c *client) own(link string) error {
	u, err := url.Parse(link)
	if err != nil || u.Scheme != c.base.Scheme || u.Host != c.base.Host || u.User != nil || !strings.HasPrefix(u.Path, c.base.Path+"/") {
		return errForeignLink
	}
	return nil
}

func (c *client) url(path string) string { return c.base.String() + path }

// get reads a JSON answer and returns when its first byte arrived.
func (c *client) get(ctx context.Context, link string, into any) (time.Time, error) {
	return c.do(ctx, http.MethodGet, link, nil, into)
}

// do sends a request, again when Graph is busy, failing or out of reach for a moment.
func (c *client) do(ctx context.Context, method, link string, body, into any) (arrived time.Time, err error) {
	if err := c.own(link); err != nil {
		return time.Time{}, err
	}
	renewed := false
	for attempt := 0; ; attempt++ {
		arrived, err = c.once(ctx, method, link, body, into)
		var failed *graphError
		refused := errors.As(err, &failed)
		if refused && failed.Status == http.StatusUnauthorized && !renewed {
			renewed = true
			c.forget()
			continue
		}
		if err == nil || attempt == attempts-1 || ctx.Err() != nil || refused && !failed.passing() {
			return arrived, err
		}
		pause := 100 * time.Millisecond << attempt
		pause = pause/2 + rand.N(pause)
		if refused && failed.RetryAfter > 0 {
			pause = failed.RetryAfter
		}
		if pause > longestPause {
			return arrived, err // whoever asked knows better what to do meanwhile
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return arrived, err
		}
	}
}

func (c *client) once(ctx context.Context, method, link string, body, into any) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	token, err := c.bearer(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return time.Time{}, fmt.Errorf("encode a request to Graph: %w", err)
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, link, payload)
	if err != nil {
		return time.Time{}, errForeignLink
	}
	token.SetAuthHeader(req)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask Graph: %w", withoutURL(err))
	}
	defer res.Body.Close()
	arrived := time.Now()
	content, err := io.ReadAll(io.LimitReader(res.Body, answerAtMost+1))
	switch {
	case err != nil:
		return arrived, fmt.Errorf("read Graph's answer: %w", err)
	case len(content) > answerAtMost:
		return arrived, fmt.Errorf("read Graph's answer: it is larger than %d bytes", answerAtMost)
	case res.StatusCode >= 300:
		return arrived, refusal(res, content)
	case into == nil:
		return arrived, nil
	}
	if err := json.Unmarshal(content, into); err != nil {
		return arrived, fmt.Errorf("read Graph's answer: %w", err)
	}
	return arrived, nil
}

func refusal(res *http.Response, content []byte) error {
	var body errorBody
	_ = json.Unmarshal(content, &body) // a gateway's page is no JSON; the status says enough then
	e := &graphError{Status: res.StatusCode, Code: body.Error.Code, Message: body.Error.Message}
	if after := res.Header.Get("Retry-After"); after != "" {
		if seconds, err := strconv.Atoi(after); err == nil {
			e.RetryAfter = time.Duration(seconds) * time.Second
		} else if at, err := http.ParseTime(after); err == nil {
			e.RetryAfter = time.Until(at)
		}
	}
	return e
}

// bearer is the app's token, fetched again shortly before it ends.
func (c *client) bearer(ctx context.Context) (*oauth2.Token, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.token.Valid() {
		token, err := c.app.Token(context.WithValue(ctx, oauth2.HTTPClient, c.http))
		if err != nil {
			return nil, fmt.Errorf("fetch the app's token: %w", withoutURL(err))
		}
		c.token = token
	}
	return c.token, nil
}

func (c *client) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = nil
}

// withoutURL drops the address from a transport's error: delta links are long and belong in no log.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
