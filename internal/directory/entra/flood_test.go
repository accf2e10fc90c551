package entra_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// counting counts the delta requests that go through it.
type counting struct {
	http.RoundTripper
	deltas atomic.Int64
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/delta") {
		c.deltas.Add(1)
	}
	return c.RoundTripper.RoundTrip(r)
}

func (c *counting) CloseIdleConnections() { c.RoundTripper.(*http.Transport).CloseIdleConnections() }

// flood posts bodies, 32 at a time, and returns how long the answers took.
func flood(t *testing.T, url string, n int, body func(int) string) []time.Duration {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, n)
	var next atomic.Int64
	var hands sync.WaitGroup
	for range 32 {
		hands.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				began := time.Now()
				res, err := client.Post(url, "application/json", strings.NewReader(body(i)))
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				took[i] = time.Since(began)
				if res.StatusCode != http.StatusAccepted {
					t.Errorf("answered %d", res.StatusCode)
					return
				}
			}
		})
	}
	hands.Wait()
	slices.Sort(took)
	return took
}

// TestAttack33ForgedNotifications: ten thousand notifications by who does not know the subscriptions' secrets, with IDs
// that are right and IDs that are not, cost no request to Graph, and what changes meanwhile is found as ever.
func TestAttack33ForgedNotifications(t *testing.T) {
	sim, config := watch(t)
	config.Sweep = time.Hour
	count := &counting{RoundTripper: &http.Transport{}}
	config.HTTP = &http.Client{Transport: count}
	h := open(t, newRows(), config)
	h.ready(t)
	rings(t, h)
	settle(count)
	sim.mu.Lock()
	ids := slices.Clone(sim.ids)
	sim.mu.Unlock()
	forged := func(i int) string {
		id := ids[i%len(ids)]
		if i%3 == 0 {
			id = fmt.Sprintf("00000000-0000-0000-0000-%012d", i)
		}
		return fmt.Sprintf(`{"value":[{"subscriptionId":%q,"clientState":"guess %d","changeType":"updated","resource":"Groups/x","lifecycleEvent":%q}]}`,
			id, i, []string{"", "reauthorizationRequired"}[i%2])
	}
	before, renewed := count.deltas.Load(), sim.count("PATCH")
	took := flood(t, h.hooks.URL+"/hooks/graph", 5000, forged)
	// What the new subscriptions rang for is looked at again a few times, since a delta may lag: four times two requests.
	if now := count.deltas.Load(); now > before+8 || sim.count("PATCH") != renewed {
		t.Errorf("5,000 forged notifications cost %d delta requests and %d renewals", now-before, sim.count("PATCH")-renewed)
	}
	// And again with a change in their midst.
	done := make(chan struct{})
	go func() {
		defer close(done)
		took = append(took, flood(t, h.hooks.URL+"/hooks/graph", 5000, forged)...)
	}()
	must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.AdaID))
	changed := time.Now()
	eventually(t, "the removal", func() bool { return !h.in(entrasim.AdaID, entrasim.PaymentsEngineersID) })
	t.Logf("a change under the flood had its effect after %v", time.Since(changed))
	<-done
	slices.Sort(took)
	t.Logf("10,000 forged notifications were answered within p50 %v, p99 %v, at most %v", took[len(took)/2], took[len(took)*99/100], took[len(took)-1])
	if d := h.source.Door(); d.Strange != 10_000 || d.Rang < 1 {
		t.Errorf("counted %+v", d)
	}
}

// TestAttack33ReplayedNotifications: who has seen genuine notifications and sends them again and again gets no more reads
// than the pace allows, and no more renewals.
func TestAttack33ReplayedNotifications(t *testing.T) {
	sim, config := watch(t)
	config.Sweep = time.Hour
	count := &counting{RoundTripper: &http.Transport{}}
	config.HTTP = &http.Client{Transport: count}
	config.State = func() string { return "a state that was seen" }
	h := open(t, newRows(), config)
	h.ready(t)
	rings(t, h)
	settle(count)
	sim.mu.Lock()
	ids := slices.Clone(sim.ids)
	sim.mu.Unlock()
	before, renewed, began := count.deltas.Load(), sim.count("PATCH"), time.Now()
	flood(t, h.hooks.URL+"/hooks/graph", 10_000, func(i int) string {
		return fmt.Sprintf(`{"value":[{"subscriptionId":%q,"clientState":"a state that was seen","lifecycleEvent":%q}]}`,
			ids[i%len(ids)], []string{"", "reauthorizationRequired"}[i/2%2])
	})
	must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.AdaID))
	eventually(t, "the removal", func() bool { return !h.in(entrasim.AdaID, entrasim.PaymentsEngineersID) })
	reads, renewals, allowed := count.deltas.Load()-before, int64(sim.count("PATCH")-renewed), 10+int64(time.Since(began)/(2*time.Second))+1
	t.Logf("10,000 replayed notifications cost %d delta requests and %d renewals in %v", reads, renewals, time.Since(began))
	if reads > 2*allowed || renewals > 2*allowed { // each of users and groups
		t.Errorf("%d delta requests and %d renewals, allowed are %d each", reads, renewals, 2*allowed)
	}
}

// settle waits until what the new subscriptions rang for was read.
func settle(count *counting) {
	for last := int64(-1); ; {
		time.Sleep(300 * time.Millisecond)
		now := count.deltas.Load()
		if now == last {
			return
		}
		last = now
	}
}
