package provisioning

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
	"time"
)

const (
	mediaType = "application/scim+json"
	maxAnswer = 16 << 20
	attempts  = 5
	longPause = 30 * time.Second // what a Retry-After may ask for at most
)

// answerError is an answer other than the one that was hoped for.
type answerError struct {
	Status     int
	Detail     string
	retryAfter time.Duration
}

func (e *answerError) Error() string {
	return fmt.Sprintf("the endpoint answered %d: %s", e.Status, e.Detail)
}

func answered(err error, status int) bool {
	var e *answerError
	return errors.As(err, &e) && e.Status == status
}

// refusedAltogether are errors that concern every object.
func refusedAltogether(err error) bool {
	return answered(err, http.StatusUnauthorized) || answered(err, http.StatusForbidden)
}

// client sends the requests of one cycle.
type client struct {
	s        *Service
	settings Settings
	base     string
	dialect  dialect
}

func newClient(s *Service, settings Settings) *client {
	return &client{s: s, settings: settings, base: settings.base(), dialect: dialect{modern: settings.Modern(), quirks: settings.Quirks}}
}

// do sends a request, again when it may succeed later: after 429, 5xx and broken connections. out may be nil.
func (c *client) do(ctx context.Context, method, target string, in any, out *map[string]any) error {
	pause, again := c.s.backoff, false
	for attempt := 1; ; attempt++ {
		err := c.once(ctx, method, target, in, out, again)
		var answer *answerError
		switch isAnswer := errors.As(err, &answer); {
		case err == nil || ctx.Err() != nil || attempt == attempts:
			return err
		case isAnswer && answer.Status == http.StatusUnauthorized && !again:
			again = true // once with a new token
			continue
		case isAnswer && answer.Status != http.StatusTooManyRequests && answer.Status < 500:
			return err
		case isAnswer && answer.retryAfter > 0:
			pause = min(answer.retryAfter, longPause)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause *= 2
	}
}

func (c *client) once(ctx context.Context, method, target string, in any, out *map[string]any, again bool) error {
	token, err := c.settings.Credential.bearer(ctx, c.s, again)
	if err != nil {
		return err
	}
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode a request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+target, body)
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Accept", mediaType)
	if in != nil {
		r.Header.Set("Content-Type", mediaType+"; charset=utf-8")
	}
	resp, err := c.s.http.Do(r)
	if err != nil {
		return fmt.Errorf("send %s %s: %w", method, target, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, target, err)
	}
	if resp.StatusCode/100 != 2 {
		return refusal(resp, text)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return nil
	}
	if kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";"); kind != mediaType {
		return &answerError{Status: resp.StatusCode, Detail: fmt.Sprintf("its content type is %q, not %s", kind, mediaType)}
	}
	answer := map[string]any{}
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("read the answer to %s %s: %w", method, target, err)
	}
	*out = answer
	return nil
}

// refusal reads an error (RFC 7644 §3.12).
func refusal(resp *http.Response, text []byte) error {
	var said struct{ Detail, ScimType string }
	e := &answerError{Status: resp.StatusCode}
	if err := json.Unmarshal(text, &said); err == nil {
		e.Detail = strings.TrimSpace(said.ScimType + " " + said.Detail)
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		e.retryAfter = time.Duration(seconds) * time.Second
	}
	return e
}

// find asks which resource has this value of an attribute; nil: none. More than one is an error: the service then does
// not know which one to change.
func (c *client) find(ctx context.Context, kind, attribute, is, excluded string) (map[string]any, error) {
	return c.query(ctx, kind, attribute+" eq "+c.literal(is), "excludedAttributes", excluded)
}

func (c *client) query(ctx context.Context, kind, filter, option, names string) (map[string]any, error) {
	q := url.Values{"filter": {filter}}
	if names != "" {
		q.Set(option, names)
	}
	var list map[string]any
	if err := c.do(ctx, http.MethodGet, "/"+kind+"?"+q.Encode(), nil, &list); err != nil {
		return nil, err
	}
	resources, _ := field(list, "Resources").([]any)
	total, _ := field(list, "totalResults").(float64)
	switch {
	case total == 0 && len(resources) == 0:
		return nil, nil
	case total > 1 || len(resources) > 1:
		return nil, &answerError{Status: http.StatusOK, Detail: fmt.Sprintf("%.0f resources fit the filter %s", total, filter)}
	case len(resources) == 0:
		return nil, &answerError{Status: http.StatusOK, Detail: "the list has a total and no resource"}
	}
	found, _ := resources[0].(map[string]any)
	if id(found) == "" {
		return nil, &answerError{Status: http.StatusOK, Detail: "the resource has no id"}
	}
	return found, nil
}

// literal is a value in a filter.
func (c *client) literal(s string) string {
	if c.settings.Quirks.BareFilters && !strings.ContainsAny(s, ` "()[]`) {
		return s
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always encodes
	}
	return string(quoted)
}

func id(resource map[string]any) string {
	s, _ := field(resource, "id").(string)
	return s
}

func (c *client) get(ctx context.Context, kind, id, excluded string) (map[string]any, error) {
	target := "/" + kind + "/" + url.PathEscape(id)
	if excluded != "" {
		target += "?excludedAttributes=" + excluded
	}
	var out map[string]any
	err := c.do(ctx, http.MethodGet, target, nil, &out)
	return out, err
}

func (c *client) create(ctx context.Context, kind string, resource map[string]any) (map[string]any, error) {
	var out map[string]any
	if err := c.do(ctx, http.MethodPost, "/"+kind, resource, &out); err != nil {
		return nil, err
	}
	if id(out) == "" {
		return nil, &answerError{Status: http.StatusCreated, Detail: "the resource that was made has no id"}
	}
	return out, nil
}

func (c *client) patch(ctx context.Context, kind, id string, ops []operation) error {
	return c.do(ctx, http.MethodPatch, "/"+kind+"/"+url.PathEscape(id), patchBody(ops), nil)
}

// remove deletes; what is gone already is as good.
func (c *client) remove(ctx context.Context, kind, id string) error {
	err := c.do(ctx, http.MethodDelete, "/"+kind+"/"+url.PathEscape(id), nil, nil)
	if answered(err, http.StatusNotFound) {
		return nil
	}
	return err
}
