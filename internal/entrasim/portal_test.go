package entrasim

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// portal is the page as it is now.
func (w *world) portal() string {
	w.t.Helper()
	return w.portalAt("")
}

// portalAt is a page of the portal.
func (w *world) portalAt(at string) string {
	w.t.Helper()
	answer, err := w.http.Get(w.PortalURL() + at)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %v", answer.Status, err)
	}
	return string(page)
}

// submit sends the portal's form with these attributes as a browser would, with its hidden fields.
func (w *world) submit(attributes string, fields ...string) int {
	w.t.Helper()
	return w.submitAt("", attributes, fields...)
}

func (w *world) submitAt(page, attributes string, fields ...string) int {
	w.t.Helper()
	form := regexp.MustCompile(`<form[^>]*action="([^"]*)"[^>]*` + regexp.QuoteMeta(attributes) + `[^>]*>(?s:(.*?))</form>`).FindStringSubmatch(w.portalAt(page))
	if form == nil {
		w.t.Fatalf("no form %s", attributes)
	}
	values := url.Values{}
	for _, hidden := range regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(form[2], -1) {
		values.Set(hidden[1], hidden[2])
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	answer, err := w.http.PostForm(w.url+form[1], values)
	if err != nil {
		w.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

func TestPortalForms(t *testing.T) {
	w := newWorld(t, contoso())
	member := fmt.Sprintf(`data-group="%s" data-group-name="payments-engineers"`, PaymentsEngineersID)
	for _, step := range []struct {
		form   string
		fields []string
		done   func() bool
	}{
		{`data-action="remove-member" ` + member + ` data-member="` + AdaID + `"`, nil, func() bool { return !w.in("payments-engineers", AdaID) }},
		{`data-action="remove-member" ` + member + ` data-member="` + PaymentsAPITeamID + `"`, nil, func() bool { return !w.in("payments-engineers", PaymentsAPITeamID) }},
		{`data-action="add-member" ` + member, []string{"member", AdaID}, func() bool { return w.in("payments-engineers", AdaID) }},
		{`data-action="add-member" ` + member, []string{"member", PaymentsAPITeamID}, func() bool { return w.in("payments-engineers", PaymentsAPITeamID) }},
		{`data-action="disable-user" data-user="grace"`, nil, func() bool { u, _ := w.User("grace"); return !u.AccountEnabled }},
		{`data-action="enable-user" data-user="grace"`, nil, func() bool { u, _ := w.User("grace"); return u.AccountEnabled }},
		{`data-action="revoke-sessions" data-user="grace"`, nil, func() bool { return true }},
		{`data-action="create-user"`, []string{"userName", "Nia", "displayName", "Nia <b>New</b>"}, func() bool { u, ok := w.User("nia"); return ok && u.AccountEnabled }},
		{`data-action="create-group"`, []string{"displayName", "newcomers"}, func() bool { _, ok := w.Group("newcomers"); return ok }},
		{`data-action="rename-group" data-group="` + ShopLeadsID + `"`, []string{"displayName", "shop-heads"}, func() bool { _, ok := w.Group("shop-heads"); return ok }},
		{`data-action="delete-group" data-group="` + ContractorsID + `"`, nil, func() bool { _, ok := w.Group("contractors"); return !ok }},
		{`data-action="delete-user" data-user="leo"`, nil, func() bool { _, ok := w.User("leo"); return !ok }},
	} {
		if status := w.submit(step.form, step.fields...); status != http.StatusSeeOther || !step.done() {
			t.Errorf("%s: %d, done: %v", step.form, status, step.done())
		}
	}
	page := w.portal()
	if strings.Contains(page, "<b>New</b>") || !strings.Contains(page, "&lt;b&gt;New") {
		t.Error("a name is not escaped")
	}
	if _, err := SignIn(t.Context(), w.http, w.lanyard().AuthCodeURL("s"), "nia", "lanyard-nia"); err != nil {
		t.Error(err)
	}
	if status := w.submit(`data-action="create-user"`, "userName", "ada", "displayName", "Ada Again"); status != http.StatusBadRequest {
		t.Errorf("a second ada: %d", status)
	}
	if status := w.submit(`data-action="create-group"`, "displayName", "x", "form", "wrong"); status != http.StatusForbidden {
		t.Errorf("a wrong form token: %d", status)
	}
}

func TestPortalAssignments(t *testing.T) {
	w := newWorld(t, contoso())
	app, _ := w.App("Lanyard")
	holds := func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.rolesOf(app, JoyID)) == 1
	}
	if status := w.submitAt("/assignments", `data-action="assign" data-app="`+LanyardAppID+`"`, "principal", "joy", "role", "Payments.Lead"); status != http.StatusSeeOther || !holds() {
		t.Errorf("assigned: %d", status)
	}
	if status := w.submitAt("/assignments", `data-action="assign" data-app="`+LanyardAppID+`"`, "principal", "nobody"); status/100 != 4 {
		t.Errorf("nobody: %d", status)
	}
	if status := w.submitAt("/assignments", `data-action="unassign" data-principal="`+JoyID+`" data-role="Payments.Lead"`); status != http.StatusSeeOther || holds() {
		t.Errorf("removed: %d", status)
	}
	w.DeleteUser("joy")
	if status := w.submitAt("/bin", `data-action="restore" data-object="`+JoyID+`"`); status != http.StatusSeeOther {
		t.Errorf("restored: %d", status)
	}
	if _, there := w.User("joy"); !there {
		t.Error("joy was not restored")
	}
}

func TestPortalApps(t *testing.T) {
	w := newWorld(t, contoso())
	app := func() App { a, _ := w.App("Third"); return a }
	for _, step := range []struct {
		form   string
		fields []string
		done   func() bool
	}{
		{"register-app", []string{"name", "Third", "redirects", callback}, func() bool { return app().PrincipalID != "" && app().returnsTo(callback) }},
		{"set-redirects", []string{"redirects", callback + " https://lanyard.example.test/"}, func() bool { return len(app().RedirectURIs) == 2 }},
		{"add-secret", []string{"name", "first"}, func() bool { return len(app().secrets()) == 1 }},
		{"expire-secrets", nil, func() bool { return app().checkSecret(app().secrets()[0].Value, w.now()).Code == 7000222 }},
		{"remove-secret", nil, func() bool { return len(app().secrets()) == 0 }},
		{"add-federated", []string{"name", "cluster", "issuer", "https://k8s.example.test", "subject", "system:serviceaccount:a:b"}, func() bool { return len(app().Federated) == 1 }},
		{"remove-federated", nil, func() bool { return len(app().Federated) == 0 }},
		{"toggle-required", nil, func() bool { return app().AssignmentRequired }},
		{"toggle-app", nil, func() bool { return app().usable("").Code == 7000112 }},
		{"delete-app", nil, func() bool { return app().ClientID == "" }},
	} {
		form := `data-action="` + step.form + `"`
		if app().ClientID != "" {
			form += ` data-app="` + app().ClientID + `"`
		}
		if status := w.submitAt("/apps", form, step.fields...); status != http.StatusSeeOther || !step.done() {
			t.Errorf("%s: %d, done: %v", step.form, status, step.done())
		}
	}
	lanyard, _ := w.App("Lanyard")
	before := w.rolesAt(lanyard)
	if status := w.submitAt("/apps", `data-action="withdraw" data-app="`+LanyardAppID+`" data-words="Microsoft Graph: Group.Read.All, without a person"`); status != http.StatusSeeOther || len(w.rolesAt(lanyard)) != len(before)-1 {
		t.Errorf("withdrawn: %d, %v", status, w.rolesAt(lanyard))
	}
	if status := w.submitAt("/apps", `data-action="consent" data-app="`+LanyardAppID+`"`); status != http.StatusSeeOther || len(w.rolesAt(lanyard)) != len(before) {
		t.Errorf("granted again: %d, %v", status, w.rolesAt(lanyard))
	}
}

// rolesAt are an app's permissions at Graph.
func (w *world) rolesAt(app App) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rolesOf(w.apps[GraphAppID], app.PrincipalID)
}

func TestPortalPoliciesAndSignIns(t *testing.T) {
	w := newWorld(t, contoso())
	if status := w.submitAt("/policies", `data-action="add-policy"`, "name", "no ada", "who", AdaID, "control", ControlBlock, "state", PolicyEnabled); status != http.StatusSeeOther {
		t.Fatalf("added: %d", status)
	}
	if _, err := w.arrive(Person{User: "ada"}); err == nil || !strings.Contains(err.Error(), "AADSTS53003") {
		t.Errorf("blocked: %v", err)
	}
	if page := w.portalAt("/signins"); !strings.Contains(page, "AADSTS53003") || !strings.Contains(page, "failure: no ada") {
		t.Error("the log does not show it")
	}
	if status := w.submitAt("/policies", `data-action="set-state" data-policy-name="no ada"`, "state", PolicyReportOnly); status != http.StatusSeeOther {
		t.Errorf("reported only: %d", status)
	}
	if _, err := w.arrive(Person{User: "ada"}); err != nil {
		t.Error(err)
	}
	if status := w.submitAt("/policies", `data-action="add-policy"`, "name", "nothing", "state", PolicyEnabled); status/100 != 4 {
		t.Errorf("a policy that wants nothing: %d", status)
	}
	if status := w.submitAt("/policies", `data-action="remove-policy" data-policy-name="no ada"`); status != http.StatusSeeOther || len(w.Policies()) != 0 {
		t.Errorf("removed: %d", status)
	}
}

func TestPortalFaults(t *testing.T) {
	w := newWorld(t, contoso())
	if page := w.portalAt("/faults"); !strings.Contains(page, "Nothing is simulated now") {
		t.Error("something is simulated")
	}
	if status := w.submitAt("/faults", `data-action="add-fault"`, "kind", "throttle", "path", "/v1.0/users", "percent", "25", "after", "3"); status != http.StatusSeeOther {
		t.Errorf("begun: %d", status)
	}
	w.submitAt("/faults", `data-action="set-notifications"`, "lost", "10")
	now, _ := w.Faults()
	if len(now.Requests) != 1 || now.Requests[0].Rate != 0.25 || now.Requests[0].RetryAfterSeconds != 3 || now.Notifications.Lost != 0.1 {
		t.Errorf("now: %+v", now)
	}
	if page := w.portalAt("/faults"); !strings.Contains(page, "too many requests (429) for 25 % of the requests under /v1.0/users") || !strings.Contains(page, "10 % lost") {
		t.Error("the page does not say so")
	}
	if page := w.portal(); !strings.Contains(page, `id="faulty"`) {
		t.Error("the portal does not say so")
	}
	if status := w.submitAt("/faults", `data-action="add-fault"`, "kind", "earthquake"); status != http.StatusUnprocessableEntity {
		t.Errorf("an unknown fault: %d", status)
	}
	w.submitAt("/faults", `data-action="end-fault" data-fault="0"`)
	if now, _ := w.Faults(); len(now.Requests) != 0 || now.Notifications.Lost != 0.1 {
		t.Errorf("one ended: %+v", now)
	}
	if status := w.submitAt("/faults", `data-action="end-faults"`); status != http.StatusSeeOther {
		t.Errorf("all ended: %d", status)
	}
	if now, _ := w.Faults(); now.any() {
		t.Errorf("left: %+v", now)
	}
	answer, err := w.http.PostForm(w.PortalURL()+"/faults/request", url.Values{"kind": {"drop"}})
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Errorf("without the form's token: %s", answer.Status)
	}
}

func TestPortalOfALargeOrganisation(t *testing.T) {
	w := newWorld(t, contoso().Grown(Size{Seed: 1, Users: 500, Groups: 200, Memberships: 1000}))
	if page := w.portal(); !strings.Contains(page, "more people") || strings.Count(page, "<tr ") > portalRows {
		t.Error("too much is shown, or nothing says that there is more")
	}
	if status := w.submit(`data-action="add-member" data-group="`+PaymentsLeadsID+`"`, "member", "joy"); status != http.StatusSeeOther || !w.in("payments-leads", JoyID) {
		t.Errorf("added by name: %d", status)
	}
	if page := w.portalAt("?q=lovelace"); !strings.Contains(page, AdaID) {
		t.Error("the search does not find ada")
	}
}

// in reports whether a group has this direct member.
func (w *world) in(group, member string) bool {
	g, _ := w.Group(group)
	for _, m := range g.Members {
		if m == member {
			return true
		}
	}
	return false
}
