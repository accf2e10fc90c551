package provisioning

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// A job that was set up and started runs; paused, it does not; and the tenant knows how it stands.
func TestJobsRunAsTheyAreSetUp(t *testing.T) {
	w := newWorld(t, Settings{}, false)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	jobs := NewJobs(JobsConfig{Source: w.Tenant, HTTP: &http.Client{Transport: transport}})
	ctx, stop := context.WithCancel(t.Context())
	over := make(chan struct{})
	go func() { defer close(over); jobs.Run(ctx) }()
	defer func() { stop(); <-over }()
	set := entrasim.Provisioning{TenantURL: w.url(), SecretToken: "secret", Running: true, ObjectID: true}
	made, err := w.Tenant.RegisterProvisioning("Lanyard provisioning", set)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Tenant.Assign(made.ClientID, "ada", ""); err != nil {
		t.Fatal(err)
	}
	there := func(id string) func() bool {
		return func() bool {
			w.endpoint.mu.Lock()
			defer w.endpoint.mu.Unlock()
			for _, u := range w.resources["Users"] {
				if u["externalId"] == id {
					return true
				}
			}
			return false
		}
	}
	until(t, "ada is provisioned", there(entrasim.AdaID))
	until(t, "the tenant knows it", func() bool { return !w.Tenant.ProvisioningRun(made.ClientID).Ended.IsZero() })
	if run := w.Tenant.ProvisioningRun(made.ClientID); run.Quarantined || run.Error != "" {
		t.Errorf("the job: %+v", run)
	}
	set.Running = false
	if err := w.Tenant.SetProvisioning(made.ClientID, set); err != nil {
		t.Fatal(err)
	}
	until(t, "the job is paused", func() bool { return len(jobs.Running()) == 0 })
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("waited in vain: %s", what)
}
