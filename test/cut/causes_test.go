package cut

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// cause is one way in which a fact goes.
type cause struct {
	name   string
	reason string // in every stream's reason
	stops  bool   // the workspace stops too
	next   string // in the next answer, where that is not the reason
	// play opens, causes, checks and takes back.
	play func(*place, cause)
	// do makes it happen and says from when the time counts: the tenant's answer, or a command's end.
	do func(*place, []opened) time.Time
	// ends says which streams it ends.
	ends func(o opened, all []opened) bool
	// while checks what holds in between; back takes the cause back. Both may be nil.
	while, back func(*place)
}

const (
	group  = "payments-engineers"
	nested = "payments-api-team"
)

func byRole(o opened, _ []opened) bool { return !o.signIn }
func all(opened, []opened) bool        { return true }

func causes() []cause {
	return []cause{
		{
			name: "group taken away, portal", reason: "no longer in the group " + group, play: endAll, ends: byRole,
			do: func(p *place, _ []opened) time.Time {
				return p.Portal([]string{`data-action="remove-member"`, `data-group-name="` + group + `"`, `data-member="` + p.tenant.User(who) + `"`})
			},
			while: (*place).outside,
			back: func(p *place) {
				p.Portal([]string{`data-action="add-member"`, `data-group-name="` + group + `"`}, "member", p.tenant.User(who))
			},
		},
		{
			name: "nested group out of its parent", reason: "no longer in the group " + group, play: nestedly, ends: byRole,
			do: func(p *place, _ []opened) time.Time {
				return p.tenant.Remove(p.tenant.Group(group), p.tenant.Group(nested))
			},
			back: func(p *place) {
				p.tenant.Add(p.tenant.Group(group), p.tenant.Group(nested))
			},
		},
		{
			name: "member out of the nested group", reason: "no longer in the group " + group, play: nestedly, ends: byRole,
			do: func(p *place, _ []opened) time.Time {
				return p.tenant.Remove(p.tenant.Group(nested), p.tenant.User(who))
			},
			back: func(p *place) {
				p.tenant.Add(p.tenant.Group(nested), p.tenant.User(who))
			},
		},
		{
			name: "account disabled", reason: "the account is disabled", next: "the account was disabled", stops: true, play: endAll, ends: all,
			do: func(p *place, _ []opened) time.Time {
				return p.tenant.Enable(p.tenant.User(who), false)
			},
			while: (*place).disabled,
			back: func(p *place) {
				p.tenant.Enable(p.tenant.User(who), true)
				p.signIn()
				p.start()
				if notes := p.Must(who, p.ws, "git log -1 --format=%s; git status --short"); strings.TrimSpace(notes) != "Something big" {
					p.t.Errorf("the files after the account came back:\n%s", notes)
				}
			},
		},
		{
			name: "project file changed", reason: "payments no longer gives the role developer", play: endAll, ends: byRole,
			do: func(p *place, _ []opened) time.Time { return p.project("  developer: ", "  # developer: ") },
			back: func(p *place) {
				p.project("  # developer: ", "  developer: ")
			},
		},
		{
			name: "revoke user, tenant off", reason: "the operator ended this access", play: tenantOff, ends: all,
			do:   func(p *place, _ []opened) time.Time { return p.revoke("user", who) },
			back: (*place).signIn,
		},
		{
			name: "revoke a browser session, tenant off", reason: "", play: tenantOff,
			do:   func(p *place, all []opened) time.Time { return p.revoke("session", find(all, "exec").lease.Session) },
			ends: func(o opened, all []opened) bool { return o.browser || !o.inside && o.action != "app:call" },
			back: func(p *place) { // the workspaces' sessions stay with the sign-in, which goes on: one sign-in for all again
				p.revoke("user", who)
				p.signIn()
			},
		},
		{
			name: "revoke a workspace's session, tenant off", reason: "the operator ended this access", play: tenantOff,
			do: func(p *place, all []opened) time.Time {
				return p.revoke("session", find(all, "git clone").lease.Session)
			},
			ends: func(o opened, all []opened) bool { return o.lease.Session == find(all, "git clone").lease.Session },
			back: func(p *place) {
				if _, err := p.As(who).StopWorkspace(p.Context(), p.ws.ID); err != nil {
					p.t.Fatal(err)
				}
				p.Eventually("the workspace has stopped", func() bool {
					w, err := p.As(who).Workspace(p.Context(), p.ws.ID)
					return err == nil && w.Phase == "stopped"
				})
				p.start()
			},
		},
		{
			name: "revoke a lease, tenant off", reason: "the operator ended this access", play: eachLease,
			next: "Ada Lovelace", // it may be opened anew
		},
		{
			name: "sign-out", reason: "you signed out", play: endAll, ends: all,
			do:   func(p *place, _ []opened) time.Time { return p.signOut() },
			back: (*place).signIn,
		},
	}
}

func find(all []opened, name string) opened {
	for _, o := range all {
		if o.name == name {
			return o
		}
	}
	return opened{}
}

// nestedly lets ada's access come through the group in the group.
func nestedly(p *place, c cause) {
	p.t.Helper()
	p.tenant.Add(p.tenant.Group(nested), p.tenant.User(who))
	p.tenant.Remove(p.tenant.Group(group), p.tenant.User(who))
	p.Eventually("ada's role comes through the group in the group", func() bool {
		me, err := p.As(who).Me(p.Context())
		return err == nil && len(me.Projects) == 1 && len(me.Projects[0].Path) == 2
	})
	endAll(p, c)
	p.tenant.Add(p.tenant.Group(group), p.tenant.User(who))
	p.tenant.Remove(p.tenant.Group(nested), p.tenant.User(who))
	p.Eventually("ada is in the group herself again", func() bool {
		me, err := p.As(who).Me(p.Context())
		return err == nil && len(me.Projects) == 1 && len(me.Projects[0].Path) == 1
	})
}

// tenantOff plays a cause while the tenant cannot be reached.
func tenantOff(p *place, c cause) {
	p.t.Helper()
	do := c.do
	c.do = func(p *place, all []opened) time.Time {
		if err := p.Operator.TenantOffline(p.Context(), true); err != nil {
			p.t.Fatal(err)
		}
		return do(p, all)
	}
	while := c.while
	c.while = func(p *place) {
		if while != nil {
			while(p)
		}
		if err := p.Operator.TenantOffline(p.Context(), false); err != nil {
			p.t.Fatal(err)
		}
	}
	endAll(p, c)
}

// eachLease revokes the lease of each stream in turn; the others go on.
func eachLease(p *place, c cause) {
	p.t.Helper()
	all := p.openAll()
	if err := p.Operator.TenantOffline(p.Context(), true); err != nil {
		p.t.Fatal(err)
	}
	for i, o := range all {
		p.ended(o, c, p.revoke("lease", o.lease.ID))
		for _, other := range all[i+1:] {
			if !other.Goes(p) {
				p.t.Errorf("%s has ended with the lease of %s", other.name, o.name)
			}
		}
	}
	if err := p.Operator.TenantOffline(p.Context(), false); err != nil {
		p.t.Fatal(err)
	}
}

// revoke is `lanyard revoke`, by the program.
func (p *place) revoke(what, id string) time.Time {
	p.t.Helper()
	said := p.Lanyard("revoke", what, id)
	at := time.Now()
	if said.Status != 0 {
		p.t.Fatalf("lanyard revoke %s %s: %d %s%s", what, id, said.Status, said.Out, said.Err)
	}
	p.t.Logf("lanyard revoke %s: %s", what, strings.TrimSpace(said.Out))
	return at
}

// project changes the project's file, and says when it was written.
func (p *place) project(old, new string) time.Time {
	p.t.Helper()
	path := filepath.Join(p.Data, "projects", "payments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	changed := strings.Replace(string(text), old, new, 1)
	if changed == string(text) {
		p.t.Fatalf("%s has no %q", path, old)
	}
	if err := os.WriteFile(path, []byte(changed), 0o644); err != nil {
		p.t.Fatal(err)
	}
	return time.Now()
}

// signOut is the button of the dashboard.
func (p *place) signOut() time.Time {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.Context(), http.MethodPost, p.Info.URL+"/logout", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Origin", p.Info.URL)
	client := *p.As(who).Browser.HTTP()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	at := time.Now()
	resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		p.t.Fatalf("sign-out answered %s", resp.Status)
	}
	return at
}

// outside checks what remains to somebody without a role: the sign-in, and nothing of the project.
func (p *place) outside() {
	p.t.Helper()
	me, err := p.As(who).Me(p.Context())
	if err != nil || len(me.Projects) != 0 {
		p.t.Errorf("without the group: %+v %v", me.Projects, err)
	}
	if out, _, err := p.TryExec(p.Context(), who, p.ws, "true"); err == nil {
		p.t.Errorf("without the group a command ran: %s", out)
	}
	if _, err := p.TryTerminal(who, p.ws.Terminal); err == nil {
		p.t.Error("without the group the terminal opens")
	}
}

// disabled checks what holds while the account is disabled.
func (p *place) disabled() {
	p.t.Helper()
	p.Eventually("both workspaces have stopped", func() bool {
		for _, id := range []string{p.ws.ID, p.own.ID} {
			if w, err := p.Operator.Workspace(p.Context(), id); err != nil || w.Phase != "stopped" {
				return false
			}
		}
		return true
	})
	if _, err := os.Stat(filepath.Join(p.Files(p.ws), "api", "big.bin")); err != nil {
		p.t.Errorf("the files of a disabled account: %v", err)
	}
	if _, err := p.As(who).Me(p.Context()); err == nil {
		p.t.Error("the session of a disabled account still works")
	}
	u, err := p.Info.User(who)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.Info.SignIn(p.Context(), u); err == nil {
		p.t.Error("a disabled account can sign in")
	}
}
