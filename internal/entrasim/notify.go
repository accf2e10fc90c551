package entrasim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	validationTime = 10 * time.Second // in which a receiver has to echo the validation token
	deliveryTime   = 3 * time.Second  // in which a receiver has to answer a notification
	firstRetry     = 50 * time.Millisecond
	slowestRetry   = 10 * time.Second
	deliveryEnd    = 4 * time.Hour // after which an undelivered notification is dropped
	batchSize      = 100
)

// notification is one entry of the value[] that a receiver gets.
type notification struct {
	ID             string        `json:"id,omitempty"`
	ChangeType     string        `json:"changeType,omitempty"`
	ClientState    string        `json:"clientState,omitempty"`
	Resource       string        `json:"resource,omitempty"`
	ResourceData   *resourceData `json:"resourceData,omitempty"`
	LifecycleEvent string        `json:"lifecycleEvent,omitempty"`
	Expires        string        `json:"subscriptionExpirationDateTime"`
	SubscriptionID string        `json:"subscriptionId"`
	TenantID       string        `json:"tenantId"`

	queued time.Time
	due    time.Time // when it is delivered, at the earliest
}

type resourceData struct {
	Type           string         `json:"@odata.type"`
	ODataID        string         `json:"@odata.id"`
	ID             string         `json:"id"`
	OrganizationID string         `json:"organizationId"`
	EventTime      string         `json:"eventTime"`
	SequenceNumber int64          `json:"sequenceNumber"`
	Members        []memberChange `json:"members@delta,omitempty"`
}

// deliveryClient posts to receivers: no proxy, no redirects.
func deliveryClient(dial func(ctx context.Context, network, addr string) (net.Conn, error)) *http.Client {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// validateReceiver proves that whoever listens at the URL wants notifications: it has to echo a token.
func (t *Tenant) validateReceiver(ctx context.Context, to string) error {
	ctx, cancel := context.WithTimeout(ctx, validationTime)
	defer cancel()
	token := "Validation: Testing client application reachability for subscription Request-Id: " + newGUID()
	u, err := url.Parse(to)
	if err != nil {
		return invalidSubscription("The notification URL '%s' is not valid.", to)
	}
	query := u.Query()
	query.Set("validationToken", token)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), nil)
	if err != nil {
		return invalidSubscription("The notification URL '%s' is not valid.", to)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	answer, err := t.deliver.Do(req)
	if err != nil {
		return invalidSubscription("Subscription validation request failed. The notification endpoint did not respond: %s.", reason(err))
	}
	defer answer.Body.Close()
	echo, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	if err != nil || answer.StatusCode != http.StatusOK || media != "text/plain" || string(echo) != token {
		return invalidSubscription("Subscription validation request failed. Notification endpoint must respond with 200 OK to validation request.")
	}
	return nil
}

// reason is the cause of a failed request without its URL, which holds the validation token.
func reason(err error) string {
	if u, ok := err.(*url.Error); ok {
		return u.Err.Error()
	}
	return err.Error()
}

// enqueue hands events to the subscriptions that want them. t.mu is held.
func (t *Tenant) enqueue(events []event) {
	if len(events) == 0 {
		return
	}
	t.expireSubscriptions()
	now := t.now().UTC()
	for _, s := range t.subs {
		for _, e := range events {
			if !s.wants(e) || !s.AuthorizedTo.IsZero() && now.After(s.AuthorizedTo) {
				continue
			}
			kind := strings.TrimSuffix(e.Collection, "s")
			n := notification{
				ID: newGUID(), ChangeType: e.ChangeType, ClientState: s.ClientState, Resource: e.Collection + "/" + e.ID,
				ResourceData: &resourceData{
					Type: "#Microsoft.Graph." + kind, ODataID: e.Collection + "/" + e.ID, ID: e.ID, OrganizationID: t.org.TenantID,
					EventTime: now.Format("2006-01-02T15:04:05.9999999Z"), SequenceNumber: e.Seq, Members: e.Members,
				},
				Expires: s.Expires.UTC().Format(time.RFC3339Nano), SubscriptionID: s.ID, TenantID: t.org.TenantID, queued: time.Now(),
			}
			for _, n.due = range t.faults.copies(n.queued) {
				s.push(n)
			}
		}
	}
}

// push queues a notification by when it is due and wakes the goroutine. t.mu is held.
func (s *subscription) push(n notification) {
	at := len(s.queue)
	for at > 0 && s.queue[at-1].due.After(n.due) {
		at--
	}
	s.queue = slices.Insert(s.queue, at, n)
	select {
	case s.wake <- struct{}{}:
	default: // it is awake already
	}
}

// take takes what is due off the queue, at most a batch; then says how long until the next is due.
func (s *subscription) take(now time.Time) (batch []notification, then time.Duration) {
	n := 0
	for n < min(len(s.queue), batchSize) && !s.queue[n].due.After(now) {
		n++
	}
	batch, s.queue = slices.Clone(s.queue[:n]), s.queue[n:]
	if len(s.queue) == 0 {
		s.queue = nil
		return batch, 0
	}
	return batch, s.queue[0].due.Sub(now)
}

// start runs the delivery goroutine of a subscription. t.mu is held, or the tenant is being made.
func (t *Tenant) start(s *subscription) {
	s.wake, s.closed = make(chan struct{}, 1), make(chan struct{})
	t.workers.Go(func() {
		ctx, cancel := context.WithCancel(t.running)
		defer cancel()
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.closed:
				return
			case <-s.wake:
				t.drain(ctx, s)
			}
		}
	})
}

// drain delivers what is queued, in order of what is due, until there is nothing.
func (t *Tenant) drain(ctx context.Context, s *subscription) {
	for {
		t.mu.Lock()
		batch, then := s.take(time.Now())
		to := s.URL
		t.mu.Unlock()
		switch {
		case len(batch) > 0:
			if !t.deliverBatch(ctx, s, to, batch) {
				return
			}
		case then <= 0:
			return
		default:
			select {
			case <-ctx.Done():
				return
			case <-s.closed:
				return
			case <-s.wake: // perhaps something is due earlier
			case <-time.After(then):
			}
		}
	}
}

// deliverBatch tries again what failed until it is too old. It reports whether the subscription goes on.
func (t *Tenant) deliverBatch(ctx context.Context, s *subscription, to string, batch []notification) bool {
	for wait := firstRetry; ; wait = min(2*wait, slowestRetry) {
		err := errors.New("the tenant is switched off")
		if t.offline.Load() {
			wait = firstRetry
		} else {
			err = t.post(ctx, to, batch)
		}
		switch {
		case err == nil:
			return true
		case time.Since(batch[0].queued) > deliveryEnd:
			t.log.Warn("notifications were dropped", "subscription", s.ID, "count", len(batch), "error", err)
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-s.closed:
			return false
		case <-time.After(wait):
		}
	}
}

// post sends one batch; any answer but a success is an error.
func (t *Tenant) post(ctx context.Context, to string, batch []notification) error {
	ctx, cancel := context.WithTimeout(ctx, deliveryTime)
	defer cancel()
	data, err := json.Marshal(map[string]any{"value": batch})
	if err != nil {
		return fmt.Errorf("encode notifications: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("make a notification: %w", err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	answer, err := t.deliver.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection is used again
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered %s", answer.Status)
	}
	return nil
}
