package entra

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	subscriptionLife = 24 * time.Hour // Graph allows less than 29 days for users and groups
	farewell         = 2 * time.Second
)

// subscriptions keeps one subscription on users and one on groups alive: created with the handshake, renewed at half
// of its life, created again when it is lost.
type subscriptions struct {
	graph *client
	url   string // where Graph posts to
	kinds kinds  // what is subscribed to
	check time.Duration
	bell  *bell
	log   *slog.Logger
	wake  chan struct{}
	// bucket bounds how often somebody's word makes us look at once: who repeats it costs the tenant nothing.
	bucket *bucket
	door   *door
	state  func() string // makes a subscription's secret
	// ticket makes what the address holds while a subscription is being made.
	ticket func() string

	mu      sync.Mutex
	live    map[kind]*liveSubscription
	tickets map[string]bool // of the subscriptions that are being made
}

type liveSubscription struct {
	id, state     string
	renewAt, ends time.Time
}

func newSubscriptions(graph *client, url string, check time.Duration, b *bell, d *door, log *slog.Logger) *subscriptions {
	return &subscriptions{graph: graph, url: url, kinds: all, check: check, bell: b, door: d, log: log,
		state: func() string { return rand.Text() + rand.Text() }, ticket: rand.Text, wake: make(chan struct{}, 1), bucket: &bucket{pace: defaultPace()},
		live: map[kind]*liveSubscription{}, tickets: map[string]bool{}}
}

// making says whether a subscription is being made whose address holds the ticket.
func (s *subscriptions) making(ticket string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := false
	for t := range s.tickets {
		found = sameState(t, ticket) || found
	}
	return found
}

// ticketed is the address for one subscription; with it Graph proves that it was asked by us. close ends that.
func (s *subscriptions) ticketed() (address string, end func()) {
	ticket := s.ticket()
	s.mu.Lock()
	s.tickets[ticket] = true
	s.mu.Unlock()
	query := "?"
	if strings.Contains(s.url, "?") {
		query = "&"
	}
	return s.url + query + ticketName + "=" + url.QueryEscape(ticket), func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.tickets, ticket)
	}
}

// ours says whether a subscription leads to our address, whatever ticket it was made with.
func (s *subscriptions) ours(address string) bool {
	rest, found := strings.CutPrefix(address, s.url)
	return found && (rest == "" || strings.HasPrefix(rest[1:], ticketName+"="))
}

// known finds whose notification it is; it takes the subscription's random state to be ours.
func (s *subscriptions) known(id, state string) (kinds, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, live := range s.live {
		if live.id == id {
			return k.only(), sameState(live.state, state)
		}
	}
	return 0, false
}

// doubt makes a subscription be renewed now; all of them where id is empty.
func (s *subscriptions) doubt(id string) {
	s.mu.Lock()
	for _, live := range s.live {
		if id == "" || live.id == id {
			live.renewAt = time.Time{}
		}
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// keep runs until ctx ends and then takes the subscriptions back.
func (s *subscriptions) keep(ctx context.Context) {
	defer s.takeBack(ctx)
	state := health{log: s.log, down: "change notifications cannot be subscribed to; changes are found by the sweep", up: "change notifications are subscribed to"}
	var retry backoff
	for ctx.Err() == nil {
		err := s.tend(ctx)
		state.note(ctx, err)
		wait := retry.after(err, s.check)
		select {
		case <-ctx.Done():
		case <-s.wake:
			pause(ctx, s.bucket.take(time.Now()))
		case <-time.After(wait):
		}
	}
}

// tend does what is due for both subscriptions.
func (s *subscriptions) tend(ctx context.Context) error {
	var failed error
	for _, k := range everyKind {
		if !s.kinds.has(k) {
			continue
		}
		s.mu.Lock()
		live := s.live[k]
		due := live != nil && !time.Now().Before(live.renewAt)
		s.mu.Unlock()
		var err error
		switch {
		case live == nil:
			err = s.create(ctx, k)
		case due:
			err = s.touch(ctx, k, live, http.MethodPatch, subscription{ExpirationDateTime: expiry()})
		default:
			err = s.touch(ctx, k, live, http.MethodGet, nil)
		}
		s.mu.Lock()
		ends := time.Time{}
		if live := s.live[k]; live != nil {
			ends = live.ends
		}
		s.mu.Unlock()
		if ctx.Err() == nil {
			s.door.subscribed(k, ends, err)
		}
		if err != nil {
			failed = err
		}
	}
	return failed
}

func expiry() time.Time { return time.Now().Add(subscriptionLife).UTC().Truncate(time.Second) }

// create subscribes. Whatever changed before it was in force is read then, because nobody rang for it.
func (s *subscriptions) create(ctx context.Context, k kind) error {
	state := s.state()
	address, end := s.ticketed()
	defer end()
	var made subscription
	_, err := s.graph.do(ctx, http.MethodPost, s.graph.url("/subscriptions"), subscription{
		ChangeType: "updated,deleted", NotificationURL: address, LifecycleURL: address, Resource: "/" + k.String(),
		ExpirationDateTime: expiry(), ClientState: state,
	}, &made)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.live[k] = &liveSubscription{id: made.ID, state: state, renewAt: half(made.ExpirationDateTime), ends: made.ExpirationDateTime}
	s.mu.Unlock()
	s.bell.ring(k.only(), time.Now())
	s.dropOthers(ctx, k, made.ID)
	return nil
}

// half is the middle between now and the end.
func half(end time.Time) time.Time { return time.Now().Add(time.Until(end) / 2) }

// touch renews a subscription or looks whether it is still there; one that is lost is created again.
func (s *subscriptions) touch(ctx context.Context, k kind, live *liveSubscription, method string, body any) error {
	var now subscription
	_, err := s.graph.do(ctx, method, s.graph.url("/subscriptions/"+live.id), body, &now)
	switch statusOf(err) {
	case http.StatusNotFound, http.StatusGone:
		s.mu.Lock()
		delete(s.live, k)
		s.mu.Unlock()
		return s.create(ctx, k)
	}
	if err == nil && method == http.MethodPatch {
		s.mu.Lock()
		live.renewAt, live.ends = half(now.ExpirationDateTime), now.ExpirationDateTime
		s.mu.Unlock()
	}
	return err
}

// dropOthers takes back what an earlier process subscribed to for the same address and did not take back: a tenant
// allows an app only a hundred. It is housekeeping; when it fails they lapse by themselves.
func (s *subscriptions) dropOthers(ctx context.Context, k kind, keep string) {
	var all struct {
		Value []subscription `json:"value"`
	}
	if _, err := s.graph.get(ctx, s.graph.url("/subscriptions"), &all); err != nil {
		return
	}
	for _, old := range all.Value {
		if old.ID != keep && s.ours(old.NotificationURL) && kindOf(old.Resource) == k {
			_, _ = s.graph.do(ctx, http.MethodDelete, s.graph.url("/subscriptions/"+old.ID), nil, nil)
		}
	}
}

func (s *subscriptions) takeBack(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	s.mu.Lock()
	live := s.live
	s.live = map[kind]*liveSubscription{}
	s.mu.Unlock()
	for _, l := range live {
		_, _ = s.graph.once(ctx, http.MethodDelete, s.graph.url("/subscriptions/"+l.id), nil, nil) // otherwise it lapses
	}
}
