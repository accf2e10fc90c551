package entrasim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

const directoryTools = "Directory tools"

// ask sends a plain request to Graph, and gives what came, also when the answer broke off.
func (w *world) ask(path string) (status int, body string, header http.Header, err error) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.GraphURL()+"/"+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.graphToken("Lanyard"))
	answer, err := w.http.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data), answer.Header, err
}

func TestFaultsOfEachKind(t *testing.T) {
	w := newWorld(t, contoso())
	set := func(f Fault) {
		t.Helper()
		w.must(directoryTools, "PUT", "faults", Faults{Requests: []Fault{f}})
	}
	set(Fault{Kind: FaultThrottle, RetryAfterSeconds: 7})
	if status, body, header, _ := w.ask("users"); status != http.StatusTooManyRequests || header.Get("Retry-After") != "7" || !strings.Contains(body, `"TooManyRequests"`) {
		t.Errorf("throttled: %d %s %v", status, body, header)
	}
	set(Fault{Kind: FaultThrottle})
	if status, _, header, _ := w.ask("users"); status != http.StatusTooManyRequests || header["Retry-After"] != nil {
		t.Errorf("throttled without a word: %d %v", status, header)
	}
	set(Fault{Kind: FaultThrottle, RetryAfterSeconds: 3600, RetryAfterDate: true})
	if _, _, header, _ := w.ask("users"); !strings.HasSuffix(header.Get("Retry-After"), "GMT") {
		t.Errorf("no date: %v", header)
	}
	set(Fault{Kind: FaultError, Status: 502, Path: "/v1.0/groups", Count: 1})
	if status, _, _, _ := w.ask("users"); status != http.StatusOK {
		t.Errorf("another path: %d", status)
	}
	if status, _, _, _ := w.ask("groups"); status != http.StatusBadGateway {
		t.Errorf("an error: %d", status)
	}
	if status, _, _, _ := w.ask("groups"); status != http.StatusOK {
		t.Errorf("after its count: %d", status)
	}
	set(Fault{Kind: FaultDrop})
	if status, _, _, err := w.ask("users"); err == nil {
		t.Errorf("dropped: %d", status)
	}
	set(Fault{Kind: FaultTruncate})
	if status, body, _, err := w.ask("users"); status != http.StatusOK || !errors.Is(err, io.ErrUnexpectedEOF) || body == "" {
		t.Errorf("truncated: %d %d bytes, %v", status, len(body), err)
	}
	set(Fault{Kind: FaultStall, DelaySeconds: 0.05})
	if status, body, _, err := w.ask("users"); status != http.StatusOK || err == nil || body == "" {
		t.Errorf("stalled: %d %d bytes, %v", status, len(body), err)
	}
	set(Fault{Kind: FaultSlow, DelaySeconds: 0.05})
	if status, _, _, err := w.ask("users"); status != http.StatusOK || err != nil {
		t.Errorf("slow: %d, %v", status, err)
	}
	set(Fault{Kind: FaultLose, Path: "/v1.0/users/" + AdaID})
	req, _ := http.NewRequestWithContext(t.Context(), "PATCH", w.GraphURL()+"/users/"+AdaID, strings.NewReader(`{"accountEnabled":false}`))
	req.Header.Set("Authorization", "Bearer "+w.graphToken(directoryTools))
	if answer, err := w.http.Do(req); err == nil {
		answer.Body.Close()
		t.Errorf("lost: %s", answer.Status)
	}
	if u, _ := w.User("ada"); u.AccountEnabled {
		t.Error("what was lost did not take effect")
	}
	if befell := w.must(directoryTools, "GET", "faults", nil)["befell"].(map[string]any); befell["lose"] != 1.0 {
		t.Errorf("counted %v", befell)
	}
	set(Fault{Kind: FaultDrop, Path: "/"})
	if page := w.portalAt("/faults"); !strings.Contains(page, "the connection is reset") {
		t.Error("the page that ends faults does not come")
	}
	w.SetFaults(Faults{Requests: []Fault{{Kind: FaultDrop}}})
	w.must(directoryTools, "DELETE", "faults", nil)
	if status, _, _, _ := w.ask("users"); status != http.StatusOK {
		t.Errorf("in the end: %d", status)
	}
}

func TestFaultsAreRefused(t *testing.T) {
	w := newWorld(t, contoso())
	for _, bad := range []any{
		Faults{Requests: []Fault{{Kind: "earthquake"}}}, Faults{Requests: []Fault{{Kind: FaultError, Status: 200}}},
		Faults{Requests: []Fault{{Kind: FaultError, Rate: 2}}}, Faults{Notifications: NotificationFaults{Lost: -1}}, map[string]any{"faulst": 1},
	} {
		if status, body, _ := w.call(directoryTools, "PUT", "faults", bad); status != http.StatusBadRequest {
			t.Errorf("%v: %d %v", bad, status, body)
		}
	}
	if status, _, _ := w.call("Lanyard", "PUT", "faults", Faults{}); status != http.StatusForbidden {
		t.Errorf("without the permission: %d", status)
	}
}

// TestDocumentedFaults takes the example of docs/directory.md.
func TestDocumentedFaults(t *testing.T) {
	w := newWorld(t, contoso())
	doc, err := os.ReadFile("../../docs/directory.md")
	if err != nil {
		t.Fatal(err)
	}
	_, example, _ := strings.Cut(string(doc), "```json\n{\"seed\"")
	example, _, found := strings.Cut(`{"seed"`+example, "```")
	if status, body, _ := w.call(directoryTools, "PUT", "faults", json.RawMessage(example)); !found || status != http.StatusOK {
		t.Errorf("%d %v", status, body)
	}
}

func TestExpiredDeltaTokensOnDemand(t *testing.T) {
	w := newWorld(t, contoso())
	_, link := w.round("groups/delta?$select=displayName,members")
	if err := w.SetFaults(Faults{Requests: []Fault{{Kind: FaultExpire, Path: "/v1.0/groups/delta", Count: 1}}}); err != nil {
		t.Fatal(err)
	}
	status, _, header := w.call("Lanyard", "GET", link, nil)
	if status != http.StatusGone || header.Get("Location") != w.GraphURL()+"/groups/delta?$deltatoken=" {
		t.Errorf("with a way out: %d %v", status, header)
	}
	if all, _ := w.round(header.Get("Location")); len(all) != len(w.Groups()) {
		t.Errorf("the way out gave %d", len(all))
	}
	w.SetFaults(Faults{Requests: []Fault{{Kind: FaultExpire, Status: 400, Count: 1}}})
	status, body, header := w.call("Lanyard", "GET", link, nil)
	if status != http.StatusBadRequest || header.Get("Location") != "" || body["error"].(map[string]any)["code"] != "syncStateNotFound" {
		t.Errorf("without: %d %v", status, body)
	}
	w.round(link)
	w.Advance(8 * 24 * time.Hour)
	if status, _, _ := w.call("Lanyard", "GET", link, nil); status != http.StatusGone {
		t.Errorf("after eight days: %d", status)
	}
}

// TestFaultsComeAgainFromTheirSeed: the same seed and the same requests give the same faults.
func TestFaultsComeAgainFromTheirSeed(t *testing.T) {
	w := newWorld(t, contoso())
	run := func(seed uint64) (outcome string) {
		w.SetFaults(Faults{Seed: seed, Requests: []Fault{{Kind: FaultError, Rate: 0.3}, {Kind: FaultThrottle, Rate: 0.3}}})
		defer w.SetFaults(Faults{})
		token := w.graphToken("Lanyard")
		for range 40 {
			req, _ := http.NewRequestWithContext(t.Context(), "GET", w.GraphURL()+"/groups", nil)
			req.Header.Set("Authorization", "Bearer "+token)
			answer, err := w.http.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			outcome += answer.Status[:1] + answer.Status[2:3]
		}
		return outcome
	}
	if first, second := run(1), run(1); first != second || !strings.Contains(first, "53") || !strings.Contains(first, "49") || !strings.Contains(first, "20") {
		t.Errorf("%s\n%s", first, second)
	}
	if run(1) == run(2) {
		t.Error("another seed gave the same")
	}
}

func TestWrongClock(t *testing.T) {
	w := newWorld(t, contoso())
	w.SetFaults(Faults{ClockOffsetSeconds: 3600})
	_, _, header, _ := w.ask("users")
	date, err := http.ParseTime(header.Get("Date"))
	if ahead := date.Sub(w.clock.Now()); err != nil || ahead < 59*time.Minute || ahead > 61*time.Minute {
		t.Errorf("the Date is %v ahead, %v", ahead, err)
	}
}

func TestThrottling(t *testing.T) {
	w := newWorld(t, contoso())
	w.SetFaults(Faults{Limits: &Limits{Units: 10, Writes: 2}})
	warned := false
	for range 5 {
		status, _, header, _ := w.ask("users")
		if status != http.StatusOK || header.Get("X-Ms-Resource-Unit") != "2" {
			t.Fatalf("%d %v", status, header)
		}
		warned = warned || header.Get("X-Ms-Throttle-Limit-Percentage") == "0.8"
	}
	status, _, header, _ := w.ask("users?$select=id")
	app, _ := w.App("Lanyard")
	if !warned || status != http.StatusTooManyRequests || header.Get("Retry-After") != "1" || header.Get("X-Ms-Throttle-Information") != "ResourceUnitLimitExceeded" ||
		header.Get("X-Ms-Throttle-Scope") != "Tenant_Application/Read/"+app.ClientID+"/"+w.TenantID() {
		t.Errorf("warned %v; %d %v", warned, status, header)
	}
	if status, _, _ := w.call(directoryTools, "GET", "users", nil); status != http.StatusOK {
		t.Errorf("another app: %d", status)
	}
	w.clock.Add(time.Second)
	if status, _, _, _ := w.ask("users?$select=id"); status != http.StatusOK {
		t.Errorf("after Retry-After: %d", status)
	}
	for want := range 2 {
		if status, body, _ := w.call(directoryTools, "PATCH", "users/"+AdaID, map[string]any{"jobTitle": "Countess"}); status != http.StatusNoContent {
			t.Errorf("write %d: %d %v", want, status, body)
		}
	}
	if status, _, header := w.call(directoryTools, "PATCH", "users/"+AdaID, map[string]any{"jobTitle": "Countess"}); status != http.StatusTooManyRequests ||
		header.Get("X-Ms-Throttle-Information") != "WriteLimitExceeded" {
		t.Errorf("one write more: %d %v", status, header)
	}
	w.SetFaults(Faults{Limits: &Limits{Units: 1, Silent: true}})
	w.ask("users?$select=id")
	if status, _, header, _ := w.ask("users?$select=id"); status != http.StatusTooManyRequests || header["Retry-After"] != nil {
		t.Errorf("silent: %d %v", status, header)
	}
	for path, want := range map[string]int{"users/x/getMemberObjects": 2, "groups/x/members?$select=id": 2, "groups/x/transitiveMembers": 5, "users?$expand=manager": 3,
		"users?$top=5&$select=id": 1, "groups/x": 1, "servicePrincipals/x/appRoleAssignedTo": 2} {
		u, _ := url.Parse("http://tenant.example.test/v1.0/" + path)
		if got := cost(&http.Request{Method: "GET", URL: u}); got != want {
			t.Errorf("%s costs %d, not %d", path, got, want)
		}
	}
}

func TestNotificationsLostDoubledLate(t *testing.T) {
	w, r := newWorld(t, contoso()), newReceiver(t)
	w.subscribeTo(r, "users")
	rename := func(n int) {
		for range n {
			if err := w.ChangeUser("ada", func(u *User) { u.JobTitle += "!" }); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.SetFaults(Faults{Notifications: NotificationFaults{Lost: 1}})
	rename(5)
	w.SetFaults(Faults{Notifications: NotificationFaults{Doubled: 1, Late: 0.5}, Seed: 3})
	rename(20)
	eventually(t, "each twice", func() bool { return r.count() == 40 })
	ordered, seen, last := true, map[string]int{}, 0.0
	for _, n := range r.all() {
		seen[n["id"].(string)]++
		seq := n["resourceData"].(map[string]any)["sequenceNumber"].(float64)
		ordered, last = ordered && seq >= last, seq
	}
	if ordered || len(seen) != 20 {
		t.Errorf("in order: %v; %d notifications", ordered, len(seen))
	}
	w.SetFaults(Faults{Notifications: NotificationFaults{DelaySeconds: 0.2}})
	began := time.Now()
	rename(1)
	eventually(t, "the delayed one", func() bool { return r.count() == 41 })
	if took := time.Since(began); took < 200*time.Millisecond {
		t.Errorf("it came after %v", took)
	}
	w.DropSubscriptions()
	if list := w.must("Lanyard", "GET", "subscriptions", nil); len(values(t, list)) != 0 {
		t.Errorf("subscriptions: %v", list)
	}
}

// TestDeltaLagsBehind: a change is notified at once and told by the delta later, and nothing is lost on the way.
func TestDeltaLagsBehind(t *testing.T) {
	w := newWorld(t, contoso())
	known := replica{}
	objects, next := w.round("groups/delta?$select=displayName,members")
	known.apply(objects)
	w.SetFaults(Faults{DeltaLagSeconds: 30})
	churn := w.Churn(11)
	told := 0
	for i := range 60 {
		for range 5 {
			if what, err := churn.Change(); err != nil {
				t.Fatal(what, err)
			}
		}
		w.clock.Add(7 * time.Second)
		objects, next = w.round(next, "Prefer", "odata.maxpagesize=4")
		known.apply(objects)
		if told += len(objects); i == 3 && told > 0 {
			t.Errorf("after 28 s it tells of %d objects", told)
		}
	}
	if known.differs(w) == "" {
		t.Error("nothing lags behind")
	}
	w.clock.Add(time.Minute)
	objects, next = w.round(next)
	known.apply(objects)
	if d := known.differs(w); d != "" {
		t.Error(d)
	}
	w.SetFaults(Faults{})
	if objects, _ = w.round(next); len(objects) != 0 {
		t.Errorf("told once more: %v", objects)
	}
	all := replica{}
	w.SetFaults(Faults{DeltaLagSeconds: 30})
	w.RemoveMember("payments-engineers", "ada")
	objects, next = w.round("groups/delta?$select=displayName,members")
	all.apply(objects)
	w.clock.Add(time.Minute)
	objects, _ = w.round(next)
	all.apply(objects)
	if d := all.differs(w); d != "" {
		t.Error(d)
	}
}
