package entrasim

import (
	"strings"
	"time"
)

// Provisioning is what an administrator set up for an enterprise application, for whoever runs its job.
type Provisioning struct {
	TenantURL, SecretToken string
	Running                bool
	ObjectID               bool // externalId is mapped from objectId, and not from mailNickname, as it is by default
}

// ProvisioningRun is how a job stands after a cycle.
type ProvisioningRun struct {
	Quarantined       bool
	Ended             time.Time // of the last cycle; zero: there was none
	Error             string    // of the last cycle as a whole
	Changes, Failures int
}

// Provisioning says how the provisioning of an app is set up; ok is false when there is no job.
func (t *Tenant) Provisioning(clientID string) (p Provisioning, ok bool) {
	p, ok = t.Provisionings()[strings.ToLower(clientID)]
	return p, ok
}

// Provisionings are all jobs, by client ID.
func (t *Tenant) Provisionings() map[string]Provisioning {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[string]Provisioning{}
	for id, a := range t.apps {
		if s := a.registered.Sync; s.JobID != "" {
			all[id] = Provisioning{TenantURL: s.Address, SecretToken: s.Secret, Running: s.Running, ObjectID: s.ObjectID}
		}
	}
	return all
}

// RegisterProvisioning makes an enterprise application with a provisioning job.
func (t *Tenant) RegisterProvisioning(name string, p Provisioning) (App, error) {
	t.mu.Lock()
	app, err := t.instantiate(name, "")
	t.mu.Unlock()
	if err != nil {
		return App{}, err
	}
	return app, t.SetProvisioning(app.ClientID, p)
}

// SetProvisioning changes how an app is provisioned, and makes its job when there is none.
func (t *Tenant) SetProvisioning(clientID string, p Provisioning) error {
	return t.editApp(clientID, func(a *App) error {
		s := &a.registered.Sync
		s.Address, s.Secret, s.Running, s.ObjectID, s.Since = p.TenantURL, p.SecretToken, p.Running, p.ObjectID, t.now()
		s.JobID = or(s.JobID, t.newJobID())
		return nil
	})
}

func (t *Tenant) newJobID() string {
	return "scim." + strings.ReplaceAll(t.org.TenantID, "-", "") + "." + newGUID()
}

// NoteProvisioning takes over how an app's job stands.
func (t *Tenant) NoteProvisioning(clientID string, run ProvisioningRun) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a, known := t.apps[strings.ToLower(clientID)]; known {
		a.registered.Sync.Run = run
		t.apps[a.ClientID] = a
		t.saveApps()
	}
}

// ProvisioningRun says how an app's job stands.
func (t *Tenant) ProvisioningRun(clientID string) ProvisioningRun {
	app, _ := t.App(clientID)
	return app.registered.Sync.Run
}
