package token

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Remote finds keys in a key set published over HTTP. It keeps the set and fetches it again when a token names a
// key that is not in it, at most once per second: keys rotate at any time, and anybody can name a key.
type Remote struct {
	URL    string
	Client *http.Client // nil: http.DefaultClient

	mu      sync.Mutex
	set     jose.JSONWebKeySet
	fetched time.Time
}

const (
	refetchAfter = time.Second
	maxKeySet    = 1 << 20
)

// Find implements Finder.
func (r *Remote) Find(ctx context.Context, id string) (jose.JSONWebKey, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if key, ok := r.known(id); ok {
		return key, nil
	}
	if !r.fetched.IsZero() && time.Since(r.fetched) < refetchAfter {
		return jose.JSONWebKey{}, fmt.Errorf("no key %q is known", id)
	}
	if err := r.fetch(ctx); err != nil {
		return jose.JSONWebKey{}, fmt.Errorf("fetch the key set %s: %w", r.URL, err)
	}
	if key, ok := r.known(id); ok {
		return key, nil
	}
	return jose.JSONWebKey{}, fmt.Errorf("the key set %s has no key %q", r.URL, id)
}

func (r *Remote) known(id string) (jose.JSONWebKey, bool) {
	for _, key := range r.set.Keys {
		if key.KeyID == id && key.IsPublic() && key.Valid() {
			return key, true
		}
	}
	return jose.JSONWebKey{}, false
}

func (r *Remote) fetch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.URL, nil)
	if err != nil {
		return err
	}
	client := r.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s", resp.Status)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxKeySet))
	if err != nil {
		return err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(body, &set); err != nil {
		return err
	}
	r.set, r.fetched = set, time.Now()
	return nil
}
