package cut

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

// TestManyLeasesWithinASecond holds the one bound in time that is promised (docs/design.md, invariants): a change
// reaches what is open within a second of Lanyard learning of it, here at 1,000 open leases. It counts from the tenant's
// answer, which is later than what is promised by no more than the notification's way.
func TestManyLeasesWithinASecond(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("slow: only with LANYARD_SLOW=1 (make test-all)")
	}
	w := harness.Start(t)
	p := &place{World: w, t: t, tenant: w.Tenant()}
	p.own = w.Workspace(who, "https://git.example.test/payments/api")
	tunnel := p.ownTunnel()
	const many = 1000
	host := strings.TrimPrefix(p.Info.URL, "http://")
	ends := make(chan time.Time, many)
	var streams sync.WaitGroup
	defer streams.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	words := make(chan bool, many)
	for range many {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/r/ledger/watch", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tunnel.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusOK {
			t.Fatal(resp.Status)
		}
		streams.Go(func() {
			defer resp.Body.Close()
			last := lastPart{}
			_, _ = io.Copy(&last, resp.Body) // it ends with an error, or with the test
			ends <- time.Now()
			words <- strings.Contains(string(last), "event: lanyard-closed")
		})
	}
	if n := len(p.leases().Open) + p.leases().More; n < many {
		t.Fatalf("%d leases are open", n)
	}
	from := p.tenant.Remove(p.tenant.Group(group), p.tenant.User(who))
	var last time.Time
	told := 0
	for range many {
		select {
		case at := <-ends:
			last = at
		case <-time.After(harness.Wait):
			t.Fatal("not all have ended")
		}
		if <-words {
			told++
		}
	}
	t.Logf("MEASURED %d leases: the last ended %.1f ms after the tenant's answer; %d were told why", many, ms(last.Sub(from)), told)
	if took := last.Sub(from); took > time.Second {
		t.Errorf("the last of %d leases ended %v after the tenant's answer", many, took)
	}
	if told < many {
		t.Errorf("%d of %d were not told why", many-told, many)
	}
}

// lastPart keeps the last bytes that were written.
type lastPart []byte

func (l *lastPart) Write(p []byte) (int, error) {
	*l = append(*l, p...)
	if len(*l) > 4096 {
		*l = append((*l)[:0], (*l)[len(*l)-2048:]...)
	}
	return len(p), nil
}
