package entrasim

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The kinds of [Fault].
const (
	FaultThrottle = "throttle" // 429; with RetryAfterSeconds above 0 it says when to come again
	FaultError    = "error"    // Status, 503 when it is 0
	FaultDrop     = "drop"     // the connection is reset before the request is looked at
	FaultLose     = "lose"     // the request takes effect, and the connection is reset instead of an answer
	FaultTruncate = "truncate" // half of the answer, then the connection ends
	FaultSlow     = "slow"     // the answer comes DelaySeconds late
	FaultStall    = "stall"    // half of the answer, then nothing for DelaySeconds (an hour when 0), then the connection ends
	FaultRefuse   = "refuse"   // the token service refuses with the AADSTS number Code, at sign-in on a page
	FaultExpire   = "expire"   // a delta token is not known any more: 410 with Location, or Status without one
)

// Fault is one thing that goes wrong with some requests.
type Fault struct {
	Kind string `json:"kind"`
	// Path begins the paths that it befalls; empty: all of Graph, /v1.0/. For FaultRefuse it ends them; empty: sign-in and
	// the token endpoint.
	Path string `json:"path,omitempty"`
	Code int    `json:"code,omitempty"` // of FaultRefuse
	// Rate is the share of requests that it befalls, 0 to 1; 0 stands for 1.
	Rate float64 `json:"rate,omitempty"`
	// Count ends it after so many requests; 0: it goes on.
	Count             int     `json:"count,omitempty"`
	Status            int     `json:"status,omitempty"`
	RetryAfterSeconds int     `json:"retryAfterSeconds,omitempty"`
	RetryAfterDate    bool    `json:"retryAfterDate,omitempty"` // Retry-After as a date (RFC 9110 section 10.2.3)
	DelaySeconds      float64 `json:"delaySeconds,omitempty"`
}

// NotificationFaults is what goes wrong with change notifications. Shares are between 0 and 1.
type NotificationFaults struct {
	Lost         float64 `json:"lost,omitempty"`
	Doubled      float64 `json:"doubled,omitempty"`
	Late         float64 `json:"late,omitempty"`         // so late that others overtake them
	DelaySeconds float64 `json:"delaySeconds,omitempty"` // how late every one is; late ones up to twice that and a second
}

// Faults are what a tenant does wrong on purpose. The zero value is a tenant without faults. The same Seed and the same
// order of requests give the same faults.
type Faults struct {
	Seed          uint64             `json:"seed,omitempty"`
	Requests      []Fault            `json:"requests,omitempty"` // the first that befalls a request is the only one
	Notifications NotificationFaults `json:"notifications,omitzero"`
	// Replays is the share of a delta page's objects that stand on it twice; then their order is any.
	Replays float64 `json:"replays,omitempty"`
	// DeltaLagSeconds is how long a delta says nothing of a change that was notified already: replicas lag behind.
	DeltaLagSeconds float64 `json:"deltaLagSeconds,omitempty"`
	// ReplicationLagSeconds is how long an application, service principal or federated credential that was just made is
	// unknown to all other requests.
	ReplicationLagSeconds float64 `json:"replicationLagSeconds,omitempty"`
	// SignInLogLagSeconds is how late a sign-in stands in the log.
	SignInLogLagSeconds float64 `json:"signInLogLagSeconds,omitempty"`
	// SilentRevocations leaves it to be asked for that someone's sessions were revoked: no delta and no notification tells.
	SilentRevocations bool `json:"silentRevocations,omitempty"`
	// ClockOffsetSeconds is how far the Date of answers is ahead.
	ClockOffsetSeconds float64 `json:"clockOffsetSeconds,omitempty"`
	// Limits bounds what each app may ask of Graph; nil: [Config.Limits].
	Limits *Limits `json:"limits,omitempty"`
}

// FaultCounts says how often what happened since the faults were set, by kind; notifications by "lost", "doubled",
// "late".
type FaultCounts map[string]int

// faults are the tenant's faults now.
type faults struct {
	active atomic.Bool // anything at all is set, so that nothing is asked of the lock otherwise

	mu       sync.Mutex
	set      Faults
	requests *rand.Rand
	letters  *rand.Rand
	befell   []int // by index in set.Requests
	counts   FaultCounts
}

// SetFaults replaces what goes wrong; counts begin anew.
func (t *Tenant) SetFaults(f Faults) error {
	if err := f.check(); err != nil {
		return err
	}
	f.Requests = slices.Clone(f.Requests)
	at := &t.faults
	at.mu.Lock()
	defer at.mu.Unlock()
	at.set, at.befell, at.counts = f, make([]int, len(f.Requests)), FaultCounts{}
	at.requests, at.letters = rand.New(rand.NewPCG(f.Seed, 3)), rand.New(rand.NewPCG(f.Seed, 4))
	at.active.Store(f.any())
	t.mu.Lock()
	t.silent = f.SilentRevocations
	if t.dir != nil {
		t.dir.silent = t.silent
	}
	t.mu.Unlock()
	t.throttle.set(f.Limits, t.limits)
	return nil
}

// Faults says what goes wrong now, and how often it did.
func (t *Tenant) Faults() (Faults, FaultCounts) {
	at := &t.faults
	at.mu.Lock()
	defer at.mu.Unlock()
	f, counts := at.set, FaultCounts{}
	f.Requests = slices.Clone(f.Requests)
	for kind, n := range at.counts {
		counts[kind] = n
	}
	return f, counts
}

func (f Faults) any() bool {
	return len(f.Requests) > 0 || f.Notifications != (NotificationFaults{}) || f.ClockOffsetSeconds != 0 || f.Replays != 0 || f.DeltaLagSeconds != 0 ||
		f.ReplicationLagSeconds != 0 || f.SignInLogLagSeconds != 0
}

func (f Faults) check() error {
	kinds := []string{FaultThrottle, FaultError, FaultDrop, FaultLose, FaultTruncate, FaultSlow, FaultStall, FaultExpire, FaultRefuse}
	for _, one := range f.Requests {
		switch {
		case !slices.Contains(kinds, one.Kind):
			return badRequest(fmt.Sprintf("A fault of the kind '%s' is not known; there are %s.", one.Kind, strings.Join(kinds, ", ")))
		case one.Kind == FaultRefuse && plantable(one.Code) == nil:
			return badRequest(fmt.Sprintf("The number %d is none of the refusals that this tenant can be told to give.", one.Code))
		case one.Status != 0 && (one.Status < 400 || one.Status > 599):
			return badRequest(fmt.Sprintf("The status %d is none of an error.", one.Status))
		case one.Count < 0 || one.RetryAfterSeconds < 0 || one.DelaySeconds < 0 || one.DelaySeconds > 3600:
			return badRequest("Counts and times of a fault are not negative, and a delay is at most an hour.")
		case !share(one.Rate):
			return badRequest("The rate of a fault is between 0 and 1.")
		}
	}
	if f.ReplicationLagSeconds < 0 || f.SignInLogLagSeconds < 0 || f.ReplicationLagSeconds > 3600 || f.SignInLogLagSeconds > 3600 {
		return badRequest("What lags behind does so by at most an hour.")
	}
	n := f.Notifications
	if !share(f.Replays) || !share(n.Lost) || !share(n.Doubled) || !share(n.Late) || n.DelaySeconds < 0 || n.DelaySeconds > 3600 || f.DeltaLagSeconds < 0 || f.DeltaLagSeconds > 3600 {
		return badRequest("The shares of notifications and replays are between 0 and 1, and their delay and that of deltas is at most an hour.")
	}
	return nil
}

func share(f float64) bool { return f >= 0 && f <= 1 }

// befalls picks the fault of a request, if any.
func (at *faults) befalls(r *http.Request) (Fault, bool) {
	at.mu.Lock()
	defer at.mu.Unlock()
	for i, f := range at.set.Requests {
		path := f.Path
		if path == "" {
			path = graphPrefix
		}
		switch query := r.URL.Query(); {
		case f.Kind == FaultRefuse && !f.refusable(r.URL.Path), f.Kind != FaultRefuse && !strings.HasPrefix(r.URL.Path, path), f.Count > 0 && at.befell[i] >= f.Count:
			continue
		case f.Kind == FaultExpire && query.Get("$deltatoken") == "" && query.Get("$skiptoken") == "":
			continue
		case f.Rate > 0 && at.requests.Float64() >= f.Rate:
			continue
		}
		at.befell[i]++
		at.counts[f.Kind]++
		return f, true
	}
	return Fault{}, false
}

func (at *faults) clockOffset() time.Duration {
	at.mu.Lock()
	defer at.mu.Unlock()
	return time.Duration(at.set.ClockOffsetSeconds * float64(time.Second))
}

// copies says when a notification is delivered, once for each time that it is; none: it is lost.
func (at *faults) copies(now time.Time) []time.Time {
	if !at.active.Load() {
		return []time.Time{now}
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	n := at.set.Notifications
	happens := func(share float64, what string) bool {
		if share == 0 || at.letters.Float64() >= share {
			return false
		}
		at.counts[what]++
		return true
	}
	if happens(n.Lost, "lost") {
		return nil
	}
	delay := time.Duration(n.DelaySeconds * float64(time.Second))
	late := func() time.Duration { return time.Duration(at.letters.Int64N(int64(delay + time.Second))) }
	due := now.Add(delay)
	if happens(n.Late, "late") {
		due = due.Add(late())
	}
	all := []time.Time{due}
	if happens(n.Doubled, "doubled") {
		all = append(all, due.Add(late()))
	}
	return all
}

// replayed repeats some objects of a delta page, and shuffles it then.
func (at *faults) replayed(page []entity) []entity {
	if !at.active.Load() || len(page) == 0 {
		return page
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	if at.set.Replays == 0 {
		return page
	}
	for _, e := range page {
		if at.requests.Float64() < at.set.Replays {
			at.counts["replayed"]++
			page = append(page, e)
		}
	}
	at.requests.Shuffle(len(page), func(i, j int) { page[i], page[j] = page[j], page[i] })
	return page
}
