package issuer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/token"
)

// receiver keeps the published keys for a minute, and asks for them no sooner: not even for a key that it does not know.
type receiver struct {
	w       *world
	client  *http.Client
	set     jose.JSONWebKeySet
	fetched time.Time
}

func (r *receiver) verify(raw string, alg jose.SignatureAlgorithm) (kid string, err error) {
	if now := r.w.clock(); now.Sub(r.fetched) >= time.Minute {
		resp, err := r.client.Get(r.w.url + issuer.JWKSPath)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			return "", err
		}
		r.set = jose.JSONWebKeySet{}
		if err := json.Unmarshal(text, &r.set); err != nil {
			return "", err
		}
		r.fetched = now
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return "", err
	}
	kid = parsed.Headers[0].KeyID
	known := r.set.Key(kid)
	if len(known) != 1 {
		return kid, fmt.Errorf("%d keys are called %s", len(known), kid)
	}
	var claims map[string]any
	return kid, parsed.Claims(known[0].Key, &claims)
}

// Keys are rotated while tokens are minted and verified, by receivers that keep the key set for a minute: all of them verify,
// those of before the rotation too, and the issuer itself knows them.
func TestRotationUnderLoad(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	w.member(true)
	type kind struct {
		name, audience string
		alg            jose.SignatureAlgorithm
		rotations      int
	}
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer all.Wait()
	defer stop()
	var kept sync.Map // a token of each key
	var verified atomic.Int64
	kinds := []kind{{token.Workload, "reports", jose.ES256, 4}, {token.Federation, "aws", jose.RS256, 1}}
	turns := make([]atomic.Int64, 2*len(kinds))
	for i := range turns {
		k, turn, who := kinds[i/2], &turns[i], w.inWorkspace()
		all.Go(func() {
			at := &receiver{w: w, client: w.client}
			for ctx.Err() == nil {
				got, err := w.issuer.Mint(t.Context(), issuer.MintRequest{Principal: who, Audience: k.audience})
				if problem.KindOf(err) == problem.TooMany { // ahead of the others, and of the clock
					turn.Add(1)
					time.Sleep(5 * time.Millisecond)
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", k.audience, err)
					turn.Store(1 << 40)
					return
				}
				kid, err := at.verify(got.Token, k.alg)
				if err != nil {
					t.Errorf("a token for %s is refused: %v", k.audience, err)
				}
				if _, err := w.issuer.Minted(t.Context(), got.Token); err != nil {
					t.Errorf("the issuer does not know its token for %s: %v", k.audience, err)
				}
				kept.LoadOrStore(kid, got.Token)
				verified.Add(1)
				turn.Add(1)
			}
		})
	}
	// Each asker gets a turn between two steps of the clock.
	step := func(by time.Duration) {
		for i := range turns {
			before := turns[i].Load()
			if !eventually(func() bool { return turns[i].Load() > before }) {
				t.Fatal("an asker stands still")
			}
		}
		w.later(by)
	}
	for n := range 4 {
		for _, k := range kinds {
			if n >= k.rotations {
				continue
			}
			if err := w.keys.Rotate(t.Context(), k.name); err != nil {
				t.Fatal(err)
			}
		}
		for range 6 {
			step(25 * time.Second)
		}
	}
	step(0)
	stop()
	all.Wait()
	keys, last := 0, &receiver{w: w, client: w.client}
	kept.Range(func(kid, raw any) bool {
		keys++
		alg := jose.ES256
		if _, err := last.verify(raw.(string), alg); err != nil {
			alg = jose.RS256
			if _, err := last.verify(raw.(string), alg); err != nil {
				t.Errorf("a token of the key %s is refused after the rotations: %v", kid, err)
			}
		}
		return true
	})
	if want := 2 + 4 + 1; keys != want {
		t.Errorf("%d keys have signed, of %d", keys, want)
	}
	t.Logf("%d tokens verified, with %d keys", verified.Load(), keys)
}
