package provisioning

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// jobsLook is how often it is looked which jobs there are.
const jobsLook = time.Second

// JobSource is a tenant whose provisioning jobs are set up through Graph.
type JobSource interface {
	Source
	// Provisionings are the jobs that there are, by client ID.
	Provisionings() map[string]entrasim.Provisioning
	// NoteProvisioning takes over how a job stands, to be read at Graph.
	NoteProvisioning(clientID string, run entrasim.ProvisioningRun)
}

// JobsConfig is what Jobs are made of.
type JobsConfig struct {
	Source JobSource
	HTTP   *http.Client // nil: http.DefaultClient
	Log    *slog.Logger // nil: nothing is logged
}

// Jobs runs each provisioning job that an administrator has set up and started: a [Service] of its own for each.
type Jobs struct {
	source JobSource
	http   *http.Client
	log    *slog.Logger
	jobs   map[string]*job // by client ID; Run's own

	mu      sync.Mutex
	running []string
}

type job struct {
	service *Service
	set     entrasim.Provisioning
	cancel  context.CancelFunc // nil: it is paused
	noted   Status
	over    sync.WaitGroup
}

// NewJobs makes them; Run runs them.
func NewJobs(c JobsConfig) *Jobs {
	j := &Jobs{source: c.Source, http: c.HTTP, log: c.Log, jobs: map[string]*job{}}
	if j.log == nil {
		j.log = slog.New(slog.DiscardHandler)
	}
	return j
}

// Run starts and pauses jobs as they are set up, until ctx ends.
func (j *Jobs) Run(ctx context.Context) {
	for {
		j.look(ctx)
		select {
		case <-time.After(jobsLook):
		case <-ctx.Done():
			for _, one := range j.jobs {
				one.pause()
			}
			return
		}
	}
}

func (j *Jobs) look(ctx context.Context) {
	set := j.source.Provisionings()
	for app, p := range set {
		one := j.jobs[app]
		if one == nil {
			one = &job{service: New(Config{Source: j.source, App: app, HTTP: j.http, Log: j.log})}
			j.jobs[app] = one
		}
		j.follow(ctx, one, app, p)
		if now := one.service.Status(); now != one.noted {
			one.noted = now
			j.source.NoteProvisioning(app, entrasim.ProvisioningRun{Quarantined: now.State != Idle, Ended: now.LastCycle, Error: now.LastError, Changes: now.Changes, Failures: now.Failures})
		}
	}
	var running []string
	for app, one := range j.jobs {
		if _, there := set[app]; !there {
			one.pause()
			delete(j.jobs, app)
		}
		if one.cancel != nil {
			running = append(running, app)
		}
	}
	j.mu.Lock()
	j.running = running
	j.mu.Unlock()
}

// Running are the client IDs of the apps whose jobs run, in no order.
func (j *Jobs) Running() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.running
}

// follow makes a job what was set up.
func (j *Jobs) follow(ctx context.Context, one *job, app string, p entrasim.Provisioning) {
	if !p.Running {
		one.pause()
		return
	}
	if one.set != p {
		one.pause()
		users := DefaultUsers()
		if p.ObjectID {
			users = ObjectIDUsers()
		}
		if err := one.service.Configure(Settings{TenantURL: p.TenantURL, Credential: SecretToken(p.SecretToken), Users: users}); err != nil {
			j.log.Warn("a provisioning job cannot be run", "app", app, "error", err)
			return
		}
		one.set = p
	}
	if one.cancel != nil {
		return
	}
	var running context.Context
	running, one.cancel = context.WithCancel(ctx)
	one.over.Go(func() { one.service.Run(running) })
}

// pause ends what runs, and waits for it.
func (o *job) pause() {
	if o.cancel == nil {
		return
	}
	o.cancel()
	o.over.Wait()
	o.cancel = nil
}
