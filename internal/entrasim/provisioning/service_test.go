package provisioning

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const app = entrasim.LanyardAppID

type world struct {
	*entrasim.Tenant
	*endpoint
	s   *Service
	now time.Time
}

func newWorld(t *testing.T, settings Settings, modern bool) *world {
	t.Helper()
	w := &world{endpoint: newEndpoint(t, modern), now: time.Now()}
	var err error
	if w.Tenant, err = entrasim.New(entrasim.Config{URL: "http://tenant.localhost", Organisation: entrasim.Contoso(entrasim.Sample{})}); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := w.Tenant.Close(); err != nil {
			t.Error(err)
		}
	})
	w.s = New(Config{Source: w.Tenant, App: app, HTTP: &http.Client{Transport: transport}, Backoff: time.Millisecond, Clock: func() time.Time { return w.now }})
	settings.TenantURL, settings.Credential = w.url(), SecretToken("secret")
	if err := w.s.Configure(settings); err != nil {
		t.Fatal(err)
	}
	return w
}

// step runs a cycle and compares.
func (w *world) step(what string, away ...string) {
	w.t.Helper()
	w.quiet()
	if err := w.s.Cycle(w.t.Context()); err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
	for _, r := range w.s.Log() {
		if r.Outcome == Failure {
			w.t.Errorf("%s: %+v", what, r)
		}
	}
	w.equal(w.s, w.Tenant, w.s.settings.Users, w.s.settings.Groups, away...)
	if w.t.Failed() {
		w.t.Fatalf("after: %s", what)
	}
}

func (w *world) must(errs ...error) {
	w.t.Helper()
	for _, err := range errs {
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func TestEveryChangeArrives(t *testing.T) {
	for _, modern := range []bool{false, true} {
		t.Run(fmt.Sprintf("modern %v", modern), func(t *testing.T) {
			w := newWorld(t, Settings{Scope: All, Users: ObjectIDUsers(), MemberBatch: 2}, modern)
			w.step("the initial cycle")
			if n := w.asked("POST Users"); n != 12 { // leo is disabled
				t.Errorf("%d users were created", n)
			}
			w.step("a cycle in which nothing changed")
			if n := w.asked(""); n != 0 {
				t.Errorf("it sent %d requests: %v", n, w.requests)
			}
			w.must(w.ChangeUser("ada", func(u *entrasim.User) {
				u.JobTitle, u.GivenName, u.Department, u.Mail = "Countess", "Augusta Ada", "Engines", "countess@contoso.example"
				u.Manager, u.More = entrasim.GraceID, map[string]string{"employeeId": "E-1", "city": "London", "mobile": "+44 1"}
			}), w.RenameGroup("shop-leads", "shop-heads"))
			w.step("changes")
			if n := w.asked("PATCH Users/"); n != 2 {
				t.Errorf("%d PATCHes for one changed user with a new manager: %v", n, w.requests)
			}
			if n := w.asked(`GET Users id eq `); n != 1 {
				t.Error("the endpoint is not asked for the manager first")
			}
			w.must(w.SetEnabled("alan", false), w.RemoveMember("platform-engineers", "edsger"), w.AddMember("payments-viewers", "joy"),
				w.AddMember("payments-viewers", "radia"), w.AddMember("payments-viewers", "ken"))
			w.step("a user is disabled, members come and leave")
			w.must(w.SetEnabled("alan", true), w.DeleteUser("ada"))
			w.step("a user is enabled, one deleted", entrasim.AdaID)
			if n := w.asked("PATCH Groups/"); n != 0 {
				t.Errorf("the memberships of a deleted user who can be restored are taken away: %v", w.requests)
			}
			w.must(w.RestoreUser(entrasim.AdaID))
			w.step("restored")
			if n := w.asked("PATCH Groups/"); n != 0 {
				t.Errorf("memberships are sent again after a restore: %v", w.requests)
			}
			w.must(w.DeleteUser("grace"), w.PurgeUser(entrasim.GraceID), w.DeleteGroup("contractors"))
			w.step("deleted for good")
			if w.asked("DELETE Users/") != 1 || w.asked("DELETE Groups/") != 1 {
				t.Errorf("what was deleted: %v", w.requests)
			}
		})
	}
}

func TestOnlyWhoIsAssigned(t *testing.T) {
	w := newWorld(t, Settings{Users: ObjectIDUsers(), Roles: Assertive}, false)
	w.step("the initial cycle")
	all := w.s.Targets()
	for id, in := range map[string]bool{
		entrasim.AdaID: true, entrasim.BarbaraID: true, entrasim.DonaldID: true, entrasim.JoyID: false, entrasim.MalloryID: false,
		entrasim.PaymentsEngineersID: true, entrasim.AllEmployeesID: false, entrasim.LeoID: false,
	} {
		if (all[id] != "") != in {
			t.Errorf("%s is in the scope: %v", id, !in)
		}
	}
	grace := func() map[string]any { return w.all("Users")[all[entrasim.GraceID]] }
	if roles := grace()["roles"].([]any); len(roles) != 1 || roles[0].(map[string]any)["value"] != "Payments.Lead" {
		t.Errorf("grace leads payments: %v", roles)
	}
	w.must(w.Assign(app, "joy", ""), w.RemoveMember("shop-engineers", "alan"), w.Unassign(app, "payments-leads", "Payments.Lead"))
	w.step("one comes, one leaves", entrasim.AlanID)
	if roles := grace()["roles"].([]any); len(roles) != 0 {
		t.Errorf("grace leads payments no more: %v", roles)
	}
	w.must(w.DeleteUser("alan"), w.PurgeUser(entrasim.AlanID))
	w.quiet()
	w.must(w.s.Cycle(t.Context()))
	if n := w.asked("DELETE"); n != 0 {
		t.Error("who left the scope is followed still")
	}
	w.must(w.Unassign(app, "platform-engineers", ""))
	w.step("a group is no more assigned", entrasim.AlanID, entrasim.EdsgerID)
	if n := w.asked("DELETE Groups/"); n != 1 {
		t.Errorf("an unassigned group is deleted %d times", n)
	}
}

func TestWhatIsThereAlreadyIsFound(t *testing.T) {
	w := newWorld(t, Settings{Scope: All}, true)
	w.step("the initial cycle")
	w.s.Restart()
	w.step("from the beginning")
	if w.asked("POST") != 0 || w.asked("PATCH Users/") != 0 {
		t.Errorf("what is there is made again: %v", w.requests)
	}
	w.endpoint.mu.Lock()
	w.vanish("Users", w.s.users[entrasim.AdaID].target) // by somebody else
	w.endpoint.mu.Unlock()
	w.must(w.ChangeUser("ada", func(u *entrasim.User) { u.JobTitle = "Countess" }))
	w.step("a user who vanished at the endpoint")
	if w.asked("POST Users") != 1 {
		t.Error("a user who vanished is not made again")
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t, Settings{Scope: All}, false)
	var n atomic.Int64
	w.fail(func(*http.Request) int {
		switch k := n.Add(1); {
		case k%7 == 0:
			return http.StatusTooManyRequests
		case k%11 == 0:
			return http.StatusServiceUnavailable
		}
		return 0
	})
	w.step("with answers that ask to wait")
	w.fail(func(r *http.Request) int {
		if r.Method == http.MethodPatch {
			return http.StatusInternalServerError
		}
		return 0
	})
	w.must(w.ChangeUser("ada", func(u *entrasim.User) { u.JobTitle = "Countess" }), w.s.Cycle(t.Context()))
	if log := w.s.Log(); log[len(log)-1].Outcome != Failure || w.s.Status().Failures != 1 || w.s.Status().State != Idle {
		t.Errorf("%+v %+v", log[len(log)-1], w.s.Status())
	}
	w.fail(nil)
	w.must(w.s.Cycle(t.Context()))
	w.equal(w.s, w.Tenant, w.s.settings.Users, w.s.settings.Groups)

	w.fail(func(*http.Request) int { return http.StatusUnauthorized })
	w.must(w.ChangeUser("ada", func(u *entrasim.User) { u.JobTitle = "Baroness" }))
	if err := w.s.Cycle(t.Context()); err == nil || w.s.Status().State != Quarantined {
		t.Errorf("a refused secret: %v, %+v", err, w.s.Status())
	}
	if in, ever := w.s.Due(); !ever || in != 24*time.Hour {
		t.Errorf("in quarantine the next cycle is in %v", in)
	}
	w.now = w.now.Add(29 * 24 * time.Hour)
	if err := w.s.Cycle(t.Context()); err == nil || w.s.Status().State != Disabled {
		t.Errorf("after four weeks: %v, %+v", err, w.s.Status())
	}
	w.fail(nil)
	if err := w.s.Cycle(t.Context()); err == nil {
		t.Error("a disabled job runs")
	}
	w.s.Restart()
	w.must(w.s.Cycle(t.Context()))
	w.equal(w.s, w.Tenant, w.s.settings.Users, w.s.settings.Groups)
	if w.s.Status().State != Idle {
		t.Errorf("%+v", w.s.Status())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.s.Cycle(ctx); err == nil {
		t.Error("a cycle without time")
	}
}

func TestOnDemand(t *testing.T) {
	w := newWorld(t, Settings{Users: ObjectIDUsers()}, false)
	w.settingsModern(t)
	w.must(w.s.User(t.Context(), "ada@contoso.example"), w.s.Group(t.Context(), "payments-engineers", entrasim.AdaID))
	group := w.all("Groups")[w.s.Targets()[entrasim.PaymentsEngineersID]]
	if members, _ := group["members"].([]any); len(w.all("Users")) != 1 || len(members) != 1 {
		t.Errorf("%v", w.all("Users"))
	}
	if err := w.s.User(t.Context(), "mallory@contoso.example"); err == nil {
		t.Error("who is not assigned is provisioned on demand")
	}
	if err := w.s.Group(t.Context(), "payments-engineers", slices.Repeat([]string{"x"}, 6)...); err == nil {
		t.Error("six members on demand")
	}
	w.must(w.s.TestConnection(t.Context()))
}

// settingsModern asks for the modern dialect of an endpoint that objects to it.
func (w *world) settingsModern(t *testing.T) {
	t.Helper()
	settings := w.s.settings
	settings.TenantURL += "?" + ModernFlag
	w.must(w.s.Configure(settings))
}
