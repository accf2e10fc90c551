package people

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestViewer(t *testing.T) {
	w := harness.Start(t)
	ws := w.Workspace("linus", payments)
	w.Must("linus", ws, "git log --oneline -1 && echo note >> README.md && git commit -qam Note")
	out, status := w.Exec("linus", ws, "git push origin HEAD:refs/heads/note")
	if status == 0 {
		t.Error("a viewer's push went through")
	}
	t.Logf("git push of a viewer:\n%s", out)
	says(t, "git push", out, "repo:write needs the role developer in project payments", "viewer through payments-viewers")
	if refs := w.Must("linus", ws, "git ls-remote origin refs/heads/note"); refs != "" {
		t.Errorf("the viewer's push is at the upstream: %s", refs)
	}
	out, _ = w.Exec("linus", ws, "curl -sS http://127.0.0.1:7070/r/ledger/whoami")
	says(t, "the ledger to a viewer", out, "app:call needs the role developer")
	w.Eventually("the viewer's push is in the log", func() bool {
		page, err := w.Operator.Audit(w.Context(), api.AuditQuery{Limit: 1, User: "linus", Action: "repo:write"})
		return err == nil && len(page.Items) == 1 && page.Items[0].Outcome == "denied"
	})
}

func TestWhy(t *testing.T) {
	w := harness.Start(t)
	for _, c := range []struct {
		user, decision, role, via, policy string
		path                              []string
		says                              []string
	}{
		{user: "ada", decision: "allow", role: "developer", via: "payments-engineers", policy: "developers-write", path: []string{"payments-engineers"}},
		{user: "barbara", decision: "allow", role: "developer", via: "payments-engineers", policy: "developers-write", path: []string{"payments-engineers", "payments-api-team"}},
		{user: "grace", decision: "allow", role: "maintainer", via: "payments-leads", policy: "developers-write", path: []string{"payments-leads"}},
		{user: "linus", decision: "deny", role: "viewer", via: "payments-viewers", path: []string{"payments-viewers"}, says: []string{"needs the role developer in project payments"}},
		{user: "mallory", decision: "deny", says: []string{"Mallory Stone has no role in project payments"}},
		{user: "leo", decision: "deny", says: []string{"the account is disabled"}},
	} {
		t.Run(c.user, func(t *testing.T) {
			text := w.Lanyard("why", "repo:write", payments, "--user", c.user)
			if text.Status != 0 {
				t.Fatalf("%d %s", text.Status, text.Err)
			}
			says(t, "why", text.Out, append([]string{c.decision + "  repo:write", c.role, c.via, c.policy}, c.says...)...)
			said := w.Lanyard("why", "repo:write", payments, "--user", c.user, "--json")
			var why api.Why
			if err := json.Unmarshal([]byte(said.Out), &why); err != nil {
				t.Fatalf("%v: %s", err, said.Out)
			}
			if why.Decision != c.decision || why.Role != c.role || why.Via != c.via || strings.Join(why.Path, " ") != strings.Join(c.path, " ") ||
				(c.policy != "" && (len(why.Policies) != 1 || why.Policies[0] != c.policy)) || why.Project != "payments" && c.role != "" {
				t.Errorf("%+v", why)
			}
			if len(why.Facts) == 0 && c.decision == "allow" {
				t.Error("no facts")
			}
		})
	}
	t.Run("about others by a person", func(t *testing.T) {
		if _, err := w.As("ken").Why(w.Context(), "repo:write", payments, "linus"); err != nil {
			t.Errorf("an auditor: %v", err)
		}
		for _, who := range []string{"ada", "grace", "margaret"} {
			refused(t, who, second(w.As(who).Why(w.Context(), "repo:write", payments, "linus")))
		}
		why, err := w.As("linus").Why(w.Context(), "repo:write", payments, "")
		if err != nil || why.Decision != "deny" || why.Role != "viewer" {
			t.Errorf("about oneself: %+v %v", why, err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestPowers tries what each role may do to somebody else's workspace.
func TestPowers(t *testing.T) {
	w := harness.Start(t)
	ws := w.Workspace("ada", payments)
	opens := func(t *testing.T, who string) {
		t.Helper()
		if out, _, err := w.TryExec(w.Context(), who, ws, "id"); err == nil {
			t.Errorf("%s ran a command in ada's workspace: %s", who, out)
		}
		if _, err := w.TryTerminal(who, ws.Terminal); err == nil {
			t.Errorf("%s opened ada's terminal", who)
		}
		refused(t, who+" starts it", second(w.As(who).StartWorkspace(w.Context(), ws.ID)))
	}
	t.Run("the operator", func(t *testing.T) {
		said := w.Lanyard("exec", ws.ID, "--", "id")
		if said.Status != 126 || strings.Contains(said.Out, "uid=") {
			t.Errorf("exec as operator: %+v", said)
		}
		says(t, "exec as operator", said.Err, "Not allowed")
		allowed(t, "list", second(w.Operator.Workspace(w.Context(), ws.ID)))
	})
	t.Run("another developer of the project", func(t *testing.T) {
		opens(t, "barbara")
		refused(t, "sees it", second(w.As("barbara").Workspace(w.Context(), ws.ID)))
		refused(t, "stops it", second(w.As("barbara").StopWorkspace(w.Context(), ws.ID)))
		refused(t, "deletes it", w.As("barbara").DeleteWorkspace(w.Context(), ws.ID))
		if list, err := w.As("barbara").Workspaces(w.Context()); err != nil || len(list) != 0 {
			t.Errorf("lists %v %v", list, err)
		}
	})
	t.Run("an auditor", func(t *testing.T) {
		opens(t, "ken")
		refused(t, "stops it", second(w.As("ken").StopWorkspace(w.Context(), ws.ID)))
		refused(t, "revokes", second(w.As("ken").Revoke(w.Context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"})))
		refused(t, "makes a workspace", second(w.As("ken").CreateWorkspace(w.Context(), api.Order{ContextURL: payments})))
		allowed(t, "reads everybody's leases", second(w.As("ken").Leases(w.Context(), "*")))
		w.Eventually("he reads the log, whose index follows it", func() bool {
			page, err := w.As("ken").Audit(w.Context(), api.AuditQuery{User: "ada", Action: "workspace:create"})
			return err == nil && len(page.Items) > 0
		})
		v, err := w.As("ken").VerifyAudit(w.Context())
		if err != nil || !v.OK {
			t.Errorf("verifies the log: %+v %v", v, err)
		}
	})
	t.Run("a maintainer of another project", func(t *testing.T) {
		signIn(w, "radia", "lanyard-radia")
		opens(t, "radia")
		refused(t, "sees it", second(w.As("radia").Workspace(w.Context(), ws.ID)))
		refused(t, "stops it", second(w.As("radia").StopWorkspace(w.Context(), ws.ID)))
	})
	t.Run("an admin", func(t *testing.T) {
		opens(t, "margaret")
		allowed(t, "sees it", second(w.As("margaret").Workspace(w.Context(), ws.ID)))
		allowed(t, "reads everybody's leases", second(w.As("margaret").Leases(w.Context(), "*")))
		refused(t, "reads the log", second(w.As("margaret").Audit(w.Context(), api.AuditQuery{User: "ada"})))
		term := w.Terminal("ada", ws)
		allowed(t, "stops it", second(w.As("margaret").StopWorkspace(w.Context(), ws.ID)))
		<-term.Ended()
		stopped(w, ws)
		_, err := w.As("ada").StartWorkspace(w.Context(), ws.ID)
		allowed(t, "its owner starts it again", err)
		if again, err := w.As("ada").Follow(w.Context(), ws.ID, func(api.Progress) {}); err != nil || again.Phase != "running" {
			t.Errorf("it is %s: %v", again.Phase, err)
		}
		done, err := w.As("margaret").Revoke(w.Context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"})
		if err != nil || done.Sessions == 0 {
			t.Errorf("revokes ada's sign-ins: %+v %v", done, err)
		}
		refused(t, "ada", second(w.As("ada").Me(w.Context())))
		w.SignIn("ada")
	})
	t.Run("a maintainer of the project", func(t *testing.T) {
		opens(t, "grace")
		list, err := w.As("grace").Workspaces(w.Context())
		if err != nil || len(list) != 1 || list[0].Own || list[0].Terminal != "" {
			t.Errorf("lists %+v %v", list, err)
		}
		refused(t, "revokes", second(w.As("grace").Revoke(w.Context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"})))
		allowed(t, "deletes it", w.As("grace").DeleteWorkspace(w.Context(), ws.ID))
		w.Eventually("it is deleted", func() bool {
			_, err := w.Operator.Workspace(w.Context(), ws.ID)
			return err != nil
		})
	})
}

func stopped(w *harness.World, ws api.Workspace) {
	w.T.Helper()
	w.Eventually(ws.ID+" has stopped", func() bool {
		now, err := w.Operator.Workspace(w.Context(), ws.ID)
		return err == nil && now.Phase == "stopped"
	})
}

func TestTwoAtOnce(t *testing.T) {
	w := harness.Start(t)
	adas, barbaras := w.Workspace("ada", payments), w.Workspace("barbara", payments)
	w.Must("ada", adas, "echo ada > /workspace/whose; echo ada > ~/whose; echo ada > /tmp/whose")
	w.Must("barbara", barbaras, "echo barbara > /workspace/whose; echo barbara > ~/whose; echo barbara > /tmp/whose")
	for who, ws := range map[string]api.Workspace{"ada": adas, "barbara": barbaras} {
		if out := w.Must(who, ws, "cat /workspace/whose ~/whose /tmp/whose"); out != strings.Repeat(who+"\n", 3) {
			t.Errorf("in the workspace of %s: %s", who, out)
		}
	}
	says(t, "the ledger to ada", w.Must("ada", adas, "curl -sf http://127.0.0.1:7070/r/ledger/whoami"), "Ada Lovelace")
	says(t, "the ledger to barbara", w.Must("barbara", barbaras, "curl -sf http://127.0.0.1:7070/r/ledger/whoami"), "Barbara Liskov")
	w.Must("ada", adas, "git switch -qc adas && git commit -q --allow-empty -m A && git push -q origin adas 2>&1")
	says(t, "barbara's fetch", w.Must("barbara", barbaras, "git fetch -q && git log -1 --format='%an' origin/adas"), "Ada Lovelace")
	tenant := w.Tenant()
	ours := w.Terminal("barbara", barbaras)
	theirs := w.Terminal("ada", adas)
	tenant.Remove(tenant.Group("payments-engineers"), tenant.User("ada"))
	<-theirs.Ended()
	if err := ours.Type("echo still $((40+2))\n"); err != nil {
		t.Errorf("barbara's terminal after ada's end: %v", err)
	}
	w.Eventually("barbara's terminal goes on", func() bool { return strings.Contains(ours.Output(), "still 42") })
}
