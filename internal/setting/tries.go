package setting

import (
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// How often a person has the server ask registries whether they take a credential: it is no place to guess passwords from, nor to
// look for hosts.
const (
	triesSpan     = 10 * time.Minute
	triesOfHost   = 5
	triesOfPerson = 20
)

// tries counts how often people have lately had registries asked.
type tries struct {
	mu sync.Mutex
	of map[identity.UserID]*triesOf
}

type triesOf struct {
	began time.Time
	all   int
	host  map[string]int
}

// take counts one; what is too many is a problem.TooMany.
func (t *tries) take(u identity.UserID, l RegistryLogin, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for who, o := range t.of {
		if now.Sub(o.began) >= triesSpan {
			delete(t.of, who)
		}
	}
	o := t.of[u]
	if o == nil {
		o = &triesOf{began: now, host: map[string]int{}}
		t.of[u] = o
	}
	if o.all >= triesOfPerson || o.host[l.Host] >= triesOfHost {
		return problem.New(problem.TooMany, "The registry %s, or registries in all, were asked too often for you. Try again in %s; nothing is stored.", l.Named(), o.began.Add(triesSpan).Sub(now).Round(time.Second))
	}
	o.all++
	o.host[l.Host]++
	return nil
}
