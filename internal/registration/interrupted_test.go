package registration_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/registration"
)

// cut befalls the change with a number: it does not arrive, its answer is lost, or the service fails after it was made.
type cut struct {
	at   int
	how  string
	ends context.CancelFunc // of whoever carries it out; nil: it goes on
	seen []string           // changes so far
	next http.RoundTripper
}

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return c.next.RoundTrip(r)
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	change := r.Method + " " + r.URL.Path + " " + string(text)
	if slices.Contains(c.seen, change) { // tried again
		return c.next.RoundTrip(r)
	}
	if c.seen = append(c.seen, change); len(c.seen)-1 != c.at {
		return c.next.RoundTrip(r)
	}
	if c.ends != nil {
		defer c.ends()
	}
	if c.how != "before" {
		answer, err := c.next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		answer.Body.Close()
	}
	if c.how == "fails" {
		return &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}
	return nil, io.ErrUnexpectedEOF
}

// Interrupted at each step and run again, it completes, and nothing is there twice. Nor is it when an answer is lost and
// the same run goes on. All the while the tenant is slow to know what was made.
func TestInterruptedAtEachStep(t *testing.T) {
	w := newWorld(t)
	if err := w.SetFaults(entrasim.Faults{ReplicationLagSeconds: 0.1}); err != nil {
		t.Fatal(err)
	}
	n := 0
	wanted := func() registration.Wanted {
		n++
		wanted := w.wanted()
		wanted.Name, wanted.URL = fmt.Sprintf("Lanyard %d", n), fmt.Sprintf("https://lanyard%d.contoso.example", n)
		wanted.Provisioning = &registration.Provisioning{
			Name: wanted.Name + " provisioning", TenantURL: wanted.URL + "/scim/v2", Secret: func(context.Context) (string, error) { return "a-secret", nil },
		}
		return wanted
	}
	if _, err := w.apply(wanted()); err != nil { // makes the certificate that all share
		t.Fatal(err)
	}
	count := &cut{at: -1}
	if _, err := w.setupBy(wanted(), count).Apply(t.Context(), func(registration.Step) {}); err != nil {
		t.Fatal(err)
	}
	steps := len(count.seen)
	if steps < 10 {
		t.Fatalf("all is done in %d requests", steps)
	}
	few := make(chan struct{}, 8) // most of the time is waiting
	var all sync.WaitGroup
	defer all.Wait()
	for at := range steps {
		for _, how := range []string{"before", "after", "fails"} {
			if how == "fails" && at%4 != 0 { // it is much like an answer that is lost
				continue
			}
			wanted := wanted()
			few <- struct{}{}
			all.Go(func() {
				defer func() { <-few }()
				t.Run(fmt.Sprintf("%d %s", at, how), func(t *testing.T) {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					c := &cut{at: at, how: how}
					if how != "fails" {
						c.ends = cancel
					}
					_, err := w.setupBy(wanted, c).Apply(ctx, func(registration.Step) {})
					if (err != nil) != (c.ends != nil) {
						t.Fatalf("cut: %v", err)
					}
					if err != nil {
						if _, err := w.apply(wanted); err != nil {
							t.Fatalf("after that: %v", err)
						}
					}
					w.complete(t, wanted)
				})
			})
		}
	}
}

// complete checks that all is there, and nothing twice.
func (w *world) complete(t *testing.T, wanted registration.Wanted) {
	t.Helper()
	if left := w.plan(wanted); len(left.Steps) != 0 {
		t.Errorf("there is left:\n%s", says(left))
	}
	var apps struct {
		Value []struct {
			AppID string `json:"appId"`
			Keys  []any  `json:"keyCredentials"`
		}
	}
	w.get("/applications?$filter="+url.QueryEscape("displayName eq '"+wanted.Name+"'"), &apps)
	if len(apps.Value) != 1 || len(apps.Value[0].Keys) != 1 {
		t.Fatalf("there are %+v", apps.Value)
	}
	if got := w.Assignments(apps.Value[0].AppID); len(got) != 2 {
		t.Errorf("assigned are %+v", got)
	}
	apps.Value = nil
	w.get("/servicePrincipals?$filter="+url.QueryEscape("displayName eq '"+wanted.Provisioning.Name+"'"), &apps)
	if len(apps.Value) != 1 {
		t.Errorf("there are %d enterprise applications for provisioning", len(apps.Value))
	}
	var jobs struct {
		Value []struct{ Schedule struct{ State string } }
	}
	if len(apps.Value) == 1 {
		w.get("/servicePrincipals(appId='"+apps.Value[0].AppID+"')/synchronization/jobs", &jobs)
		if len(jobs.Value) != 1 || jobs.Value[0].Schedule.State != "Active" {
			t.Errorf("the jobs are %+v", jobs.Value)
		}
	}
}
