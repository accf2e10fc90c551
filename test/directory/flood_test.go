package directory

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/server"
)

// TestForgedNotificationsCostNothing: 10,000 notifications of who knows neither a subscription nor its state are answered and
// make the server ask Graph nothing; changes of the same time are told of by real ones, and none is lost.
func TestForgedNotificationsCostNothing(t *testing.T) {
	t.Parallel()
	sim := newTenant(t, entrasim.Size{Seed: 5, Users: 50, Groups: 10, Memberships: 200})
	s := newServed(t, sim, "sqlite", "4m") // the sweep finds nothing within this test
	eventually(t, "the first reading", s.differs)
	enable := func(enabled bool) {
		t.Helper()
		if err := sim.SetEnabled(entrasim.AlanID, enabled); err != nil {
			t.Fatal(err)
		}
	}
	// Subscribed is who is told of a change; then there is nothing that Graph is asked for any more.
	enable(false)
	eventually(t, "a change that only a notification tells of", s.differs)
	eventually(t, "quiet", func() string {
		before := sim.calls.Load()
		time.Sleep(6 * time.Second)
		if now := sim.calls.Load(); now != before {
			return fmt.Sprintf("%d requests of Graph", now-before)
		}
		return ""
	})
	calls := sim.calls.Load()
	began := time.Now()
	flood(t, s, 5000)
	if now := sim.calls.Load(); now != calls {
		t.Errorf("forged notifications made %d requests of Graph", now-calls)
	}
	var forging sync.WaitGroup
	forging.Go(func() { flood(t, s, 5000) })
	for i := range 20 {
		enable(i%2 == 0)
		time.Sleep(20 * time.Millisecond)
	}
	enable(true)
	forging.Wait()
	took := time.Since(began)
	eventually(t, "the changes among forged notifications", func() string {
		stored, err := s.stored()
		if err != nil {
			return err.Error()
		}
		u, known := stored.User(identity.UserID{Tenant: tenantID, Object: entrasim.AlanID})
		if !known || !u.Enabled {
			return "the last change is not there"
		}
		return s.sim.differs(stored)
	})
	t.Logf("10,000 forged notifications in %v: no request of Graph for them, no change lost; %d requests for 21 changes", took.Round(time.Millisecond), sim.calls.Load()-calls)
}

// flood sends forged notifications from a few connections.
func flood(t *testing.T, s *served, count int) {
	const senders = 4
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: server.Dial, MaxIdleConnsPerHost: senders}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var sent atomic.Int64
	var senderDone sync.WaitGroup
	for range senders {
		senderDone.Go(func() {
			for sent.Add(1) <= int64(count) {
				forged := map[string]any{"subscriptionId": entrasim.Size{Seed: rand.Uint64()}.UserID(1), "clientState": fmt.Sprint(rand.Uint64()),
					"changeType": "updated", "resource": "Users/" + entrasim.AlanID, "tenantId": entrasim.ContosoTenantID}
				body, err := json.Marshal(map[string]any{"value": []any{forged}})
				if err != nil {
					t.Error(err)
					return
				}
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, fmt.Sprintf("http://lanyard.localhost:%d%s", s.port, server.NotificationPath), bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", "application/json")
				resp, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusAccepted {
					t.Errorf("a forged notification is answered with %d", resp.StatusCode)
					return
				}
			}
		})
	}
	senderDone.Wait()
}
