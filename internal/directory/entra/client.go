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
)

const (
	requestTimeout = 60 * time.Second // of one request, its answer included
	answerAtMost   = 64 << 20         // bytes of one answer
	refusalAtMost  = 64 << 10         // bytes of an answer that is an error
	attempts       = 4                // of one request, when Graph is busy or failing
	longestPause   = 5 * time.Second  // within one call; who asked waits for longer ones
	longestQuiet   = 2 * time.Minute  // that is believed of a Retry-After: a broken proxy may say a day
)

// client speaks to Graph as the app itself. It is safe for concurrent use.
type client struct {
	base    *url.URL // including /v1.0, without a trailing slash
	http    *http.Client
	app     appTokens
	fixed   *oauth2.Token // a person's, used instead of the app's
	figures *figures
	timeout time.Duration // of one request; 0: requestTimeout

	mu    sync.Mutex
	token *oauth2.Token
	quiet time.Time // Graph asked not to be asked before
}

// graphBase is the base address of Graph.
func graphBase(address string) (*url.URL, error) {
	base, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return nil, fmt.Errorf("the address of Graph, %q, is not a URL", address)
	}
	return base, nil
}

// withoutRedirects is web, or a client of its own, that follows no redirect: the token goes to Graph alone.
func withoutRedirects(web *http.Client) *http.Client {
	own := http.Client{}
	if web != nil {
		own = *web
	}
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

// graphError is an answer of Graph that is not a success.
type graphError struct {
	Status     int
	Code       string
	Message    string
	RetryAfter time.Duration // 0: not said
	Location   string        // where to begin again, with 410
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

// reader takes an answer in. It is called again, from the beginning, when an answer broke off.
type reader func(io.Reader) error

// into reads a JSON value; nil reads nothing.
func into(v any) reader {
	return func(r io.Reader) error {
		if v == nil {
			return nil
		}
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return json.Unmarshal(b, v)
	}
}

// get reads a JSON answer and returns when its first byte arrived.
func (c *client) get(ctx context.Context, link string, v any) (time.Time, error) {
	return c.ask(ctx, http.MethodGet, link, nil, into(v))
}

// do sends a request, again when Graph is busy, failing or out of reach for a moment.
func (c *client) do(ctx context.Context, method, link string, body, v any) (arrived time.Time, err error) {
	return c.ask(ctx, method, link, body, into(v))
}

func (c *client) ask(ctx context.Context, method, link string, body any, take reader) (arrived time.Time, err error) {
	if err := c.own(link); err != nil {
		return time.Time{}, err
	}
	renewed := false
	for attempt := 0; ; attempt++ {
		if wait := c.quietFor(); wait > longestPause {
			return arrived, &graphError{Status: http.StatusTooManyRequests, Code: "TooManyRequests", Message: "it asked to wait", RetryAfter: wait}
		} else if !sleep(ctx, wait) {
			return arrived, ctx.Err()
		}
		arrived, err = c.send(ctx, method, link, body, take)
		var failed *graphError
		refused := errors.As(err, &failed)
		if refused && failed.Status == http.StatusUnauthorized && !renewed && c.fixed == nil {
			renewed = true
			c.forget()
			continue
		}
		if err == nil || attempt == attempts-1 || ctx.Err() != nil || refused && !failed.passing() {
			return arrived, err
		}
		pause := 100 * time.Millisecond << attempt
		if refused && failed.Status == http.StatusTooManyRequests {
			pause *= 4 // it did not say how long, so it is not asked again at once
		}
		pause = pause/2 + rand.N(pause)
		if refused && failed.RetryAfter > 0 {
			pause = failed.RetryAfter + rand.N(failed.RetryAfter/8+time.Millisecond)
		}
		if pause > longestPause {
			return arrived, err // whoever asked knows better what to do meanwhile
		}
		if !sleep(ctx, pause) {
			return arrived, err
		}
	}
}

// sleep reports whether the time has passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// once sends a request a single time.
func (c *client) once(ctx context.Context, method, link string, body, v any) (time.Time, error) {
	return c.send(ctx, method, link, body, into(v))
}

func (c *client) send(ctx context.Context, method, link string, body any, take reader) (arrived time.Time, err error) {
	limit := c.timeout
	if limit <= 0 {
		limit = requestTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
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
	if method == http.MethodGet {
		req.Header.Set("Prefer", "odata.maxpagesize=999") // a wish that a service may ignore
	}
	defer func() { c.count(ctx, err) }()
	res, err := c.http.Do(req)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask Graph: %w", withoutURL(err))
	}
	defer res.Body.Close()
	arrived = time.Now()
	c.noteClock(res, arrived)
	if res.StatusCode >= 300 {
		content, _ := io.ReadAll(io.LimitReader(res.Body, refusalAtMost)) // what is there of it says enough
		refused := refusal(res, content)
		c.hush(refused)
		return arrived, refused
	}
	bounded := &io.LimitedReader{R: res.Body, N: answerAtMost + 1}
	if err = take(bounded); bounded.N == 0 {
		err = fmt.Errorf("it is larger than %d bytes", answerAtMost)
	}
	if err != nil {
		return arrived, fmt.Errorf("read Graph's answer: %w", err)
	}
	return arrived, nil
}

// count takes a request that ended into the figures.
func (c *client) count(ctx context.Context, err error) {
	c.figures.requests.Add(1)
	var refused *graphError
	switch {
	case err == nil:
	case !errors.As(err, &refused):
		c.figures.failed.Add(1)
	case refused.Status == http.StatusTooManyRequests:
		c.figures.throttled.Add(1)
	case refused.passing():
		c.figures.failed.Add(1)
	}
}

// noteClock compares Graph's clock with ours, for who looks. A Date has whole seconds.
func (c *client) noteClock(res *http.Response, arrived time.Time) {
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		c.figures.skew.Store(int64(date.Sub(arrived.Truncate(time.Second))))
	}
}

// hush keeps all requests back for as long as Graph asked.
func (c *client) hush(refused *graphError) {
	if refused.RetryAfter <= 0 || !refused.passing() {
		return
	}
	until := time.Now().Add(refused.RetryAfter)
	c.mu.Lock()
	if until.After(c.quiet) {
		c.quiet = until
	}
	c.mu.Unlock()
	c.figures.say(func(s *State) { s.Quiet = until })
}

func (c *client) quietFor() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.quiet.IsZero() {
		return 0
	}
	return time.Until(c.quiet)
}

func refusal(res *http.Response, content []byte) *graphError {
	var body errorBody
	_ = json.Unmarshal(content, &body) // a gateway's page is no JSON; the status says enough then
	return &graphError{Status: res.StatusCode, Code: body.Error.Code, Message: body.Error.Message,
		RetryAfter: retryAfter(res.Header), Location: res.Header.Get("Location")}
}

// retryAfter reads both forms of Retry-After (RFC 9110 section 10.2.3). A moment is compared with the answer's own Date:
// our clock may be another.
func retryAfter(h http.Header) time.Duration {
	after := h.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseFloat(after, 64); err == nil && seconds > 0 {
		wait = time.Duration(min(seconds, longestQuiet.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(after); err == nil {
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		wait = at.Sub(now)
	}
	return max(0, min(wait, longestQuiet))
}

// bearer is the app's token, fetched again shortly before it ends.
func (c *client) bearer(ctx context.Context) (*oauth2.Token, error) {
	if c.fixed != nil {
		return c.fixed, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.token.Valid() {
		token, err := c.app.fetch(ctx, c.http)
		if err != nil {
			return nil, fmt.Errorf("fetch the app's token: %w", err)
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
