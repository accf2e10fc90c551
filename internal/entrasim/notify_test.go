package entrasim

import (
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// receiver is a webhook that keeps what it got.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	echo   bool
	status int
	got    []map[string]any
	tries  int
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{echo: true, status: http.StatusAccepted}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if token := req.FormValue("validationToken"); token != "" {
			w.Header().Set("Content-Type", "text/plain")
			if !r.echo {
				token = "no"
			}
			io.WriteString(w, html.EscapeString(token))
			return
		}
		r.tries++
		w.WriteHeader(r.status)
		if r.status/100 != 2 {
			return
		}
		var body struct{ Value []map[string]any }
		if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		r.got = append(r.got, body.Value...)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

func (r *receiver) all() []map[string]any {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]map[string]any(nil), r.got...)
}

func (r *receiver) count() int { return len(r.all()) }

func (w *world) subscribeTo(r *receiver, resource string) map[string]any {
	w.t.Helper()
	return w.must("Lanyard", "POST", "subscriptions", map[string]any{
		"changeType": "updated,deleted", "notificationUrl": r.URL + "/hooks/graph", "lifecycleNotificationUrl": r.URL + "/hooks/graph/lifecycle",
		"resource": resource, "expirationDateTime": w.clock.Now().Add(time.Hour).Format(time.RFC3339Nano), "clientState": "sesame",
	})
}

func TestNotifications(t *testing.T) {
	w, r := newWorld(t, contoso()), newReceiver(t)
	sub := w.subscribeTo(r, "groups")
	w.subscribeTo(r, "/users")
	w.RemoveMember("payments-engineers", "ada")
	eventually(t, "the change of members", func() bool { return r.count() == 1 })
	n := r.all()[0]
	data := n["resourceData"].(map[string]any)
	if n["resource"] != "Groups/"+PaymentsEngineersID || n["changeType"] != "updated" || n["clientState"] != "sesame" || n["subscriptionId"] != sub["id"] ||
		n["tenantId"] != w.TenantID() || data["@odata.type"] != "#Microsoft.Graph.Group" || data["id"] != PaymentsEngineersID || data["sequenceNumber"] == nil {
		t.Errorf("notification %v", n)
	}
	if members := data["members@delta"].([]any); len(members) != 1 || members[0].(map[string]any)["id"] != AdaID || members[0].(map[string]any)["@removed"] != "deleted" {
		t.Errorf("members %v", members)
	}
	w.SetEnabled("grace", false)
	eventually(t, "the disabled user", func() bool { return r.count() == 2 })
	if n := r.all()[1]; n["resource"] != "Users/"+GraceID || n["resourceData"].(map[string]any)["@odata.type"] != "#Microsoft.Graph.User" {
		t.Errorf("notification %v", n)
	}
	w.DeleteUser("barbara") // leaves a group; updated and deleted
	eventually(t, "the deleted user", func() bool { return r.count() == 5 })
	if err := w.RequireReauthorization(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := r.all()[5]; n["lifecycleEvent"] != "reauthorizationRequired" || n["clientState"] != "sesame" {
		t.Errorf("lifecycle %v", n)
	}
	w.must("Lanyard", "POST", "subscriptions/"+sub["id"].(string)+"/reauthorize", nil)
	w.must("Lanyard", "DELETE", "subscriptions/"+sub["id"].(string), nil)
	before := r.count()
	w.AddMember("payments-engineers", "ada")
	w.SetEnabled("grace", true)
	eventually(t, "the user alone", func() bool { return r.count() == before+1 })
}

func TestNotificationsAreTriedAgain(t *testing.T) {
	w, r := newWorld(t, contoso()), newReceiver(t)
	w.subscribeTo(r, "groups/"+PaymentsEngineersID+"/members")
	r.answer(http.StatusServiceUnavailable)
	w.RemoveMember("payments-engineers", "ada")
	w.RenameGroup("payments-engineers", "payments-builders") // not a change of members
	w.RemoveMember("payments-leads", "grace")                // another group
	eventually(t, "two tries", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return r.tries >= 2 })
	r.answer(http.StatusAccepted)
	eventually(t, "the delivery", func() bool { return r.count() == 1 })
	w.Offline(true)
	w.AddMember("payments-builders", "ada")
	w.Offline(false)
	eventually(t, "what happened while the tenant was off", func() bool { return r.count() == 2 })
}

func TestSubscriptionRefusals(t *testing.T) {
	w, r := newWorld(t, contoso()), newReceiver(t)
	deaf := newReceiver(t)
	deaf.echo = false
	silent := newReceiver(t)
	silent.Close()
	good := func() map[string]any {
		return map[string]any{"changeType": "updated", "notificationUrl": r.URL, "resource": "users", "clientState": "s",
			"expirationDateTime": w.clock.Now().Add(time.Hour).Format(time.RFC3339)}
	}
	for what, change := range map[string]func(map[string]any){
		"no echo":                func(b map[string]any) { b["notificationUrl"] = deaf.URL },
		"nobody there":           func(b map[string]any) { b["notificationUrl"] = silent.URL },
		"no echo for lifecycle":  func(b map[string]any) { b["lifecycleNotificationUrl"] = deaf.URL },
		"too long":               func(b map[string]any) { b["expirationDateTime"] = w.clock.Now().AddDate(0, 0, 30).Format(time.RFC3339) },
		"in the past":            func(b map[string]any) { b["expirationDateTime"] = w.clock.Now().Add(-time.Minute).Format(time.RFC3339) },
		"another resource":       func(b map[string]any) { b["resource"] = "me/messages" },
		"an unknown change":      func(b map[string]any) { b["changeType"] = "touched" },
		"rich notifications":     func(b map[string]any) { b["includeResourceData"] = true },
		"an address of no web":   func(b map[string]any) { b["notificationUrl"] = "file:///etc/passwd" },
		"no expiry":              func(b map[string]any) { delete(b, "expirationDateTime") },
		"a redirecting receiver": func(b map[string]any) { b["notificationUrl"] = w.url + "/" },
	} {
		body := good()
		change(body)
		status, answer, _ := w.call("Lanyard", "POST", "subscriptions", body)
		if status != http.StatusBadRequest || answer["error"].(map[string]any)["code"] != "ValidationError" {
			t.Errorf("%s: %d %v", what, status, answer)
		}
	}
	if list := w.must("Lanyard", "GET", "subscriptions", nil); len(values(t, list)) != 0 {
		t.Errorf("there are subscriptions: %v", list)
	}
	sub := w.must("Lanyard", "POST", "subscriptions", good())
	later := w.clock.Now().Add(2 * time.Hour).UTC().Format(time.RFC3339)
	if renewed := w.must("Lanyard", "PATCH", "subscriptions/"+sub["id"].(string), map[string]any{"expirationDateTime": later}); renewed["expirationDateTime"] != later {
		t.Errorf("renewed to %v", renewed)
	}
	w.clock.Add(3 * time.Hour)
	if status, _, _ := w.call("Lanyard", "GET", "subscriptions/"+sub["id"].(string), nil); status != http.StatusNotFound {
		t.Errorf("after its end: %d", status)
	}
}
