package account

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// early is how long before its end an access token is replaced.
const early = 30 * time.Second

// Transport sends requests to the server of a context as the person who signed in, each with a proof of the key.
type Transport struct {
	store *Store
	c     Context
	base  http.RoundTripper
	// upgrades sends what becomes another protocol, such as a WebSocket, which HTTP/2 does not take (RFC 9113 section 8.6).
	upgrades http.RoundTripper

	mu      sync.Mutex
	v       *secret
	nonceAt time.Time // when the nonce in v came
}

// Transport returns the way to the server of a context.
func (s *Store) Transport(c Context) *Transport {
	base := s.HTTP.Transport
	if base == nil {
		base = http.DefaultTransport
	}
	t := &Transport{store: s, c: c, base: base, upgrades: base}
	if general, ok := base.(*http.Transport); ok {
		t.upgrades = withoutHTTP2(general)
	}
	return t
}

// RoundTrip implements http.RoundTripper. A request whose body can be read once only is not repeated.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.EqualFold(r.URL.Scheme+"://"+r.URL.Host, t.c.URL) {
		return nil, problem.New(problem.Denied, "A request to %s was held back: your tokens are for %s.", r.URL.Host, t.c.URL)
	}
	access, err := t.access(r.Context())
	if err != nil {
		return nil, err
	}
	if once(r) {
		if err := t.ready(r.Context(), access); err != nil {
			return nil, err
		}
	}
	for attempt := 0; ; attempt++ {
		again := r.Clone(r.Context())
		if attempt > 0 && r.GetBody != nil {
			if again.Body, err = r.GetBody(); err != nil {
				return nil, err
			}
		}
		proof, err := t.proof(r, access)
		if err != nil {
			return nil, err
		}
		again.Header.Set("Authorization", "DPoP "+access)
		again.Header.Set("DPoP", proof)
		way := t.base
		if r.Header.Get("Upgrade") != "" {
			way = t.upgrades
		}
		resp, err := way.RoundTrip(again)
		if err != nil {
			return nil, t.unreachable(err)
		}
		if !problem.WantsSignIn(resp) {
			return resp, nil
		}
		nonce := resp.Header.Get("DPoP-Nonce")
		if nonce == "" || attempt > 0 || once(r) {
			return resp, nil
		}
		resp.Body.Close()
		t.learn(nonce)
	}
}

func (t *Transport) unreachable(err error) error {
	return problem.Wrap(err, problem.Unavailable, "%s cannot be reached (%v).", t.c.URL, reason(err))
}

func (t *Transport) proof(r *http.Request, access string) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.v.proof(r.Method, r.URL, access, t.store.now())
}

// CloseIdleConnections implements what http.Client asks for.
func (t *Transport) CloseIdleConnections() {
	for _, way := range []http.RoundTripper{t.base, t.upgrades} {
		if c, ok := way.(interface{ CloseIdleConnections() }); ok {
			c.CloseIdleConnections()
		}
	}
}

// access is an access token that is good for a while yet. Of several processes one refreshes.
func (t *Transport) access(ctx context.Context) (string, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	good := func() bool { return t.v != nil && t.store.now().Add(early).Before(t.v.Ends) }
	if good() {
		return t.v.Access, nil
	}
	if err := t.load(); err != nil {
		return "", err
	}
	if good() {
		return t.v.Access, nil
	}
	unlock, err := t.store.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := t.load(); err != nil { // another process may have been first
		return "", err
	}
	if good() {
		return t.v.Access, nil
	}
	if err := t.store.refresh(ctx, t.c, t.v); err != nil {
		return "", err
	}
	return t.v.Access, nil
}

// load reads the secret, from where the list of servers says it is now; t.mu is held.
func (t *Transport) load() error {
	b, err := t.store.read()
	if err != nil {
		return err
	}
	if i := b.index(t.c.URL); i >= 0 {
		t.c.Kept = b.Contexts[i].Kept
	}
	v, err := t.store.load(t.c)
	if err != nil {
		return err
	}
	t.v, t.nonceAt = v, time.Time{}
	return nil
}

// refresh replaces the tokens of a context; the lock is held.
func (s *Store) refresh(ctx context.Context, c Context, v *secret) error {
	found, err := s.discover(ctx, c.URL)
	if err != nil {
		return err
	}
	var got tokens
	if err := s.post(ctx, v, found.Token, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v.Refresh}}, &got); err != nil {
		if codeOf(err) == "invalid_grant" {
			return problem.Wrap(err, problem.SignInNeeded, "Your session at %s has ended. Sign in again: lanyard login %s", c.URL, c.URL)
		}
		return explained(err)
	}
	if err := v.take(got, s.now()); err != nil {
		return err
	}
	return s.saveAgain(c, v)
}

// Logout ends the session at the server and forgets it here. When the server cannot be told it is forgotten all the same,
// and the error says so.
func (s *Store) Logout(ctx context.Context, c Context) error {
	told := func() error {
		unlock, err := s.lock(ctx)
		if err != nil {
			return err
		}
		defer unlock()
		v, err := s.load(c)
		if err != nil {
			return err
		}
		found, err := s.discover(ctx, c.URL)
		if err != nil {
			return err
		}
		return s.post(ctx, v, found.Revocation, url.Values{"token": {v.Refresh}}, nil)
	}()
	if err := s.drop(ctx, c); err != nil {
		return err
	}
	if told != nil {
		return problem.Wrap(told, problem.Unavailable, "The tokens are removed here, but %s could not be told (%s). End the session there when you can.", c.URL, problem.Message(told))
	}
	return nil
}
