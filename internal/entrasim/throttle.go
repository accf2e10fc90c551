package entrasim

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Limits are what one app may ask of a tenant's directory: resource units in ten seconds, and writes in two and a half
// minutes. 0: no limit.
type Limits struct {
	Units  int `json:"units,omitempty"`
	Writes int `json:"writes,omitempty"`
	// Silent leaves Retry-After out of the refusal.
	Silent bool `json:"silent,omitempty"`
}

const (
	unitsPeriod  = 10 * time.Second
	writesPeriod = 150 * time.Second
)

// GraphLimits are those of Microsoft Graph for a tenant with so many users ("Identity and access service limits" of its
// throttling page).
func GraphLimits(users int) Limits {
	switch {
	case users < 50:
		return Limits{Units: 3500, Writes: 3000}
	case users <= 500:
		return Limits{Units: 5000, Writes: 3000}
	}
	return Limits{Units: 8000, Writes: 3000}
}

// throttle keeps what each app asked.
type throttle struct {
	mu     sync.Mutex
	limits Limits
	apps   map[string]*spending
}

// spending are an app's two buckets: what is left in them at a time.
type spending struct {
	units, writes float64
	at            time.Time
}

func (th *throttle) set(now *Limits, otherwise Limits) {
	th.mu.Lock()
	defer th.mu.Unlock()
	if th.limits = otherwise; now != nil {
		th.limits = *now
	}
	th.apps = map[string]*spending{}
}

// spend takes a request's cost from the app's buckets. When they are too empty it takes nothing and gives the refusal.
// used is the share of the units that is gone.
func (th *throttle) spend(app string, now time.Time, units int, write bool) (used float64, refused *throttled) {
	th.mu.Lock()
	defer th.mu.Unlock()
	l := th.limits
	if l.Units == 0 && l.Writes == 0 {
		return 0, nil
	}
	s := th.apps[app]
	if s == nil {
		s = &spending{units: float64(l.Units), writes: float64(l.Writes), at: now}
		th.apps[app] = s
	}
	passed := max(0, now.Sub(s.at))
	s.at = now
	s.units = min(float64(l.Units), s.units+passed.Seconds()*float64(l.Units)/unitsPeriod.Seconds())
	s.writes = min(float64(l.Writes), s.writes+passed.Seconds()*float64(l.Writes)/writesPeriod.Seconds())
	short := func(lacks, perPeriod float64, period time.Duration, what string) *throttled {
		return &throttled{After: max(1, int(math.Ceil(lacks*period.Seconds()/perPeriod))), Information: what, Silent: l.Silent}
	}
	switch {
	case l.Units > 0 && s.units < float64(units):
		return 1, short(float64(units)-s.units, float64(l.Units), unitsPeriod, "ResourceUnitLimitExceeded")
	case write && l.Writes > 0 && s.writes < 1:
		return 1, short(1-s.writes, float64(l.Writes), writesPeriod, "WriteLimitExceeded")
	}
	if l.Units > 0 {
		s.units -= float64(units)
		used = 1 - s.units/float64(l.Units)
	}
	if write && l.Writes > 0 {
		s.writes--
	}
	return used, nil
}

// throttled is a refusal for too many requests.
type throttled struct {
	After       int // seconds
	Information string
	Silent      bool
}

// cost is what a request takes of the resource units.
func cost(r *http.Request) int {
	path := strings.Split(strings.TrimPrefix(r.URL.Path, graphPrefix), "/")
	last := strings.TrimPrefix(path[len(path)-1], "microsoft.graph.")
	units := 1
	switch {
	case last == "transitiveMembers":
		units = 5
	case path[0] == "groups" && last == "members":
		units = 3
	case last == "getMemberObjects", last == "getMemberGroups", last == "checkMemberGroups", last == "transitiveMemberOf",
		strings.HasPrefix(last, "appRoleAssign"), path[0] == "users", path[0] == "groups" && len(path) == 1:
		units = 2
	}
	query := r.URL.Query()
	if query.Has("$select") {
		units--
	}
	if query.Has("$expand") {
		units++
	}
	if top, err := strconv.Atoi(query.Get("$top")); err == nil && top < 20 {
		units--
	}
	return max(1, units)
}

// afford charges a Graph request to its app and tells it so; what it cannot afford is refused.
func (t *Tenant) afford(w http.ResponseWriter, r *http.Request, app string) error {
	units, write := cost(r), r.Method != http.MethodGet && !strings.Contains(r.URL.Path, "getMember") && !strings.HasSuffix(r.URL.Path, "getByIds")
	used, refused := t.throttle.spend(app, t.now(), units, write)
	w.Header().Set("X-Ms-Resource-Unit", strconv.Itoa(units))
	if used >= 0.8 {
		w.Header().Set("X-Ms-Throttle-Limit-Percentage", fmt.Sprintf("%.1f", used))
	}
	if refused == nil {
		return nil
	}
	kind := "Read"
	if refused.Information == "WriteLimitExceeded" {
		kind = "Write"
	}
	w.Header().Set("X-Ms-Throttle-Scope", "Tenant_Application/"+kind+"/"+app+"/"+t.org.TenantID)
	w.Header().Set("X-Ms-Throttle-Information", refused.Information)
	if !refused.Silent {
		w.Header().Set("Retry-After", strconv.Itoa(refused.After))
	}
	return errorOf(http.StatusTooManyRequests)
}
