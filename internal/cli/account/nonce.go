package account

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// nonceGood is for how long a nonce is taken to be good; servers take one for a minute.
const nonceGood = 20 * time.Second

// learn keeps a nonce that the server gave.
func (t *Transport) learn(nonce string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.v.Nonce, t.nonceAt = nonce, t.store.now()
}

// ready sees to it that a request whose body can be read once only is not refused for its nonce: where that may be too old, the
// server is asked for one first, by a request that shows none.
func (t *Transport) ready(ctx context.Context, access string) error {
	t.mu.Lock()
	fresh := t.store.now().Sub(t.nonceAt) < nonceGood
	t.mu.Unlock()
	if fresh {
		return nil
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, t.c.URL+"/api/v1/me", nil)
	if err != nil {
		return err
	}
	t.mu.Lock()
	without := *t.v
	t.mu.Unlock()
	without.Nonce = ""
	proof, err := without.proof(r.Method, r.URL, access, t.store.now())
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "DPoP "+access)
	r.Header.Set("DPoP", proof)
	resp, err := t.base.RoundTrip(r)
	if err != nil {
		return t.unreachable(err)
	}
	resp.Body.Close()
	if nonce := resp.Header.Get("DPoP-Nonce"); nonce != "" && problem.WantsSignIn(resp) {
		t.learn(nonce)
	}
	return nil
}

// once reports whether the body of a request can be read once only.
func once(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody && r.GetBody == nil }
