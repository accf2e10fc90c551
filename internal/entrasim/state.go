package entrasim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// stateFolder reads and writes the tenant's files; without a path it keeps nothing.
type stateFolder struct{ path string }

// read decodes the file name into v and reports whether it was there.
func (s *stateFolder) read(name string, v any) (bool, error) {
	if s.path == "" {
		return false, nil
	}
	data, err := os.ReadFile(filepath.Join(s.path, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fmt.Errorf("read %s: %w", filepath.Join(s.path, name), err)
	}
	return true, nil
}

// write replaces the file whole, so that a crash leaves the former one.
func (s *stateFolder) write(name string, v any) error {
	if s.path == "" {
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	path := filepath.Join(s.path, name)
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// load fills the tenant from the folder, and from Config.Organisation what is not there.
func (t *Tenant) load() error {
	if t.store.path != "" {
		if err := os.MkdirAll(t.store.path, 0o700); err != nil {
			return err
		}
	}
	t.dir = &directory{}
	found, err := t.store.read("directory.json", t.dir)
	if err != nil {
		return err
	}
	if found {
		t.dir.index()
	} else if t.dir, err = newDirectory(t.org); err != nil {
		return err
	}
	t.dir.silent = t.silent
	if err := t.loadKeys(); err != nil {
		return err
	}
	if err := t.loadApps(); err != nil {
		return err
	}
	t.grants = newGrants()
	if _, err := t.store.read("grants.json", t.grants); err != nil {
		return err
	}
	if err := t.loadSubscriptions(); err != nil {
		return err
	}
	return t.writeDirectory()
}

// loadApps registers the organisation's apps, those of Microsoft that every tenant has, and those that were registered
// at an earlier start. A secret that was made at an earlier start stays the same.
func (t *Tenant) loadApps() error {
	secrets := map[string]string{}
	if _, err := t.store.read("secrets.json", &secrets); err != nil {
		return err
	}
	for _, a := range t.microsoftApps() {
		t.apps[a.ClientID] = a
	}
	var stored []storedApp
	if _, err := t.store.read("apps.json", &stored); err != nil {
		return err
	}
	for _, s := range stored {
		s.App.registered = s.Registration
		t.apps[s.ClientID] = s.App
	}
	for _, a := range t.org.Apps {
		a.ClientID = strings.ToLower(a.ClientID)
		if a.Secret == "" && !a.Public {
			if secrets[a.ClientID] == "" {
				secrets[a.ClientID] = randomID(30)
			}
			a.Secret = secrets[a.ClientID]
		}
		t.apps[a.ClientID] = a
		if _, known := t.dir.Assigned[a.PrincipalID]; !known {
			t.dir.Assigned[a.PrincipalID] = a.Assignments
		}
	}
	for _, a := range t.apps {
		t.seed(a)
	}
	for _, u := range t.org.Users {
		if row := t.dir.user(u.ID); row != nil && len(u.Roles) > 0 {
			row.Roles = u.Roles
		}
	}
	return t.store.write("secrets.json", secrets)
}

// storedApp is an app that was registered through Graph or the portal.
type storedApp struct {
	App
	Registration registration
}

// saveApps writes the apps that were registered; t.mu is held.
func (t *Tenant) saveApps() {
	list := []storedApp{}
	for _, a := range t.apps {
		if a.registered.Own {
			list = append(list, storedApp{a, a.registered})
		}
	}
	slices.SortFunc(list, func(a, b storedApp) int { return strings.Compare(a.ClientID, b.ClientID) })
	if err := t.store.write("apps.json", list); err != nil {
		t.log.Error("the tenant's app registrations were not saved", "error", err)
	}
}

func (t *Tenant) writeDirectory() error { return t.store.write("directory.json", t.dir) }

func (t *Tenant) writeGrants() error {
	t.grants.prune(t.now())
	return t.store.write("grants.json", t.grants)
}
