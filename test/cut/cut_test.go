// Package cut tests Lanyard's main promise: what is open because of a fact ends when the fact does, with the reason in
// words, and everything works again when the fact is back. The kinds of stream are one table (streams_test.go), the
// causes another (causes_test.go); every cause is tried on every stream.
package cut

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const who = "ada"

// rate is so many bytes a second that a clone and a push of the sample's large repository take minutes.
const rate = 200_000

// place is where the streams are opened.
type place struct {
	*harness.World
	t      *testing.T
	tenant *harness.Tenant
	ws     api.Workspace // that people and programs are in
	own    api.Workspace // whose tunnel is the test's own
	tunnel *peer
	rounds int // so that names differ
	left   []opened

	told, untold map[string]int // ends by kind of stream, and those of which the client was not told why
}

func newPlace(t *testing.T) *place {
	w := harness.Start(t)
	p := &place{World: w, t: t, tenant: w.Tenant(), told: map[string]int{}, untold: map[string]int{}}
	p.ws = w.Workspace(who, "https://git.example.test/payments/api")
	p.own = w.Workspace(who, "https://git.example.test/payments/api")
	w.Must(who, p.ws, `set -e; git switch -qc cut; head -c 20000000 /dev/urandom > big.bin; git add big.bin; git commit -qm "Something big"`)
	return p
}

// opened is a stream of the table that is open now.
type opened struct {
	kind
	stream
	lease api.Lease
}

// openAll opens one stream of each kind and finds the lease of each.
func (p *place) openAll() []opened {
	p.t.Helper()
	p.rounds++
	if err := p.Operator.Throttle(p.Context(), rate); err != nil {
		p.t.Fatal(err)
	}
	var all []opened
	known := map[string]bool{}
	for _, k := range kinds() {
		for _, l := range p.leases().Open {
			known[l.ID] = true
		}
		o := opened{kind: k, stream: k.open(p)}
		// Git asks several times, each with a lease of its own; the one that stays is that of the pack.
		p.Eventually(k.name+" is in the list of what is open", func() bool {
			before := o.lease.ID
			o.lease = api.Lease{}
			for _, l := range p.leases().Open {
				if !known[l.ID] && l.Action == k.action && strings.Contains(l.Resource, k.resource) {
					o.lease = l
				}
			}
			time.Sleep(50 * time.Millisecond)
			return o.lease.ID != "" && o.lease.ID == before
		})
		all = append(all, o)
	}
	return all
}

func (p *place) leases() api.Leases {
	p.t.Helper()
	l, err := p.Operator.Leases(p.Context(), who)
	if err != nil {
		p.t.Fatal(err)
	}
	return l
}

// closed waits until a lease is among those that ended, and returns it as it stands there.
func (p *place) closed(o opened) (ended api.Lease) {
	p.t.Helper()
	p.Eventually(o.name+" is in the list of what has ended", func() bool {
		for _, l := range p.leases().Ended {
			if l.ID == o.lease.ID {
				ended = l
				return true
			}
		}
		return false
	})
	return ended
}

// ended checks that a stream has ended because of a cause that counts from a moment.
func (p *place) ended(o opened, c cause, from time.Time) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Wait)
	defer cancel()
	e, err := o.Ended(ctx, p)
	lease := p.closed(o)
	if !strings.Contains(lease.Reason, c.reason) {
		p.t.Errorf("%s: the reason under ended is %q, not %q", o.name, lease.Reason, c.reason)
	}
	switch {
	case err != nil && c.stops && o.inside: // the workspace stopped, and its programs with it, perhaps before they could say so
		p.t.Logf("MEASURED %-28s %-44s %8.1f ms (its lease; %v)", c.name, o.name, ms(lease.Ended.Sub(from)), err)
		return
	case err != nil:
		p.t.Errorf("%s: %v", o.name, err)
		return
	}
	p.t.Logf("MEASURED %-28s %-44s %8.1f ms", c.name, o.name, ms(e.at.Sub(from)))
	p.told[o.name]++
	var quiet silent
	switch err := o.says(e, lease.Reason, cmp.Or(c.next, lease.Reason)); {
	case errors.As(err, &quiet):
		p.untold[o.name]++
		p.t.Logf("%s: %v\n%s", o.name, err, tail(e.said))
	case err != nil:
		p.t.Errorf("%s: %v\n%s", o.name, err, tail(e.said))
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func tail(s string) string { return s[max(0, len(s)-1500):] }

func TestCut(t *testing.T) {
	p := newPlace(t)
	for _, c := range causes() {
		ok := t.Run(c.name, func(t *testing.T) {
			p.t, p.T = t, t
			c.play(p, c)
			p.works()
		})
		p.t, p.T = t, t
		if !ok {
			break // what follows would only tell of this
		}
	}
	for name, n := range p.untold {
		if n*3 > p.told[name] {
			t.Errorf("%s: the client was not told why in %d of %d ends", name, n, p.told[name])
		}
	}
	if n := strings.Count(p.Log(), "outlived a fact"); n > 0 {
		t.Errorf("%d leases outlived a fact they needed", n)
	}
}

// endAll is the plain way of a cause: everything is open, the cause comes, everything it ends has ended, what it does
// not end goes on, and then it is taken back.
func endAll(p *place, c cause) {
	p.t.Helper()
	all := p.openAll()
	from := c.do(p, all)
	for _, o := range all {
		if c.ends(o, all) {
			p.ended(o, c, from)
			continue
		}
		p.left = append(p.left, o)
		if !o.Goes(p) || !slices.ContainsFunc(p.leases().Open, func(l api.Lease) bool { return l.ID == o.lease.ID }) {
			p.t.Errorf("%s has ended, which %s should not have ended", o.name, c.name)
		}
	}
	if c.while != nil {
		c.while(p)
	}
	if c.back != nil {
		c.back(p)
	}
}

// works checks that everything can be had again, with nothing restarted.
func (p *place) works() {
	p.t.Helper()
	p.Eventually("ada is in payments again", func() bool {
		projects, err := p.As(who).Projects(p.Context())
		return err == nil && len(projects) == 1
	})
	for _, o := range p.left { // what went on
		o.Leave(p)
	}
	p.left = nil
	if err := p.Operator.Throttle(p.Context(), 0); err != nil {
		p.t.Fatal(err)
	}
	out := p.Must(who, p.ws, "set -e; curl -sSf http://127.0.0.1:7070/r/ledger/whoami; git fetch -q; git ls-remote -q https://git.example.test/payments/assets")
	if !strings.Contains(out, "Ada Lovelace") || !strings.Contains(out, "refs/heads/main") {
		p.t.Errorf("afterwards: %s", out)
	}
	if refs := p.Must(who, p.ws, "git ls-remote origin 'refs/heads/cut-*'"); strings.TrimSpace(refs) != "" {
		p.t.Errorf("a push that was cut has been taken:\n%s", refs)
	}
}
