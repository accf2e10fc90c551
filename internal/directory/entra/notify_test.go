package entra

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// quiet is a source that nobody runs, with one live subscription on groups.
func quiet(t *testing.T) *Source {
	t.Helper()
	s, err := New(Config{Graph: "https://graph.example.test/v1.0", NotificationURL: "https://lanyard.example.test/hooks/graph"})
	if err != nil {
		t.Fatal(err)
	}
	s.subscriptions.live[groups] = &liveSubscription{id: "sub-1", state: "the random state", renewAt: time.Now().Add(time.Hour)}
	return s
}

func post(s *Source, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.Notifications().ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
	return w
}

func TestValidationHandshake(t *testing.T) {
	s := quiet(t)
	token := `Validation: <script>alert(1)</script> & "more" +%20`
	w := post(s, "/hooks/graph?validationToken="+url.QueryEscape(token), "")
	if w.Code != 200 || w.Body.String() != token || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("answered %d %q %v", w.Code, w.Body, w.Header())
	}
	if w := post(s, "/hooks/graph?validationToken="+strings.Repeat("x", tokenAtMost+1), ""); w.Code != 400 {
		t.Errorf("an endless token is answered %d", w.Code)
	}
	get := httptest.NewRecorder()
	s.Notifications().ServeHTTP(get, httptest.NewRequest(http.MethodGet, "/hooks/graph?validationToken=x", nil))
	if get.Code != 405 || strings.Contains(get.Body.String(), "x\n") && get.Body.String() == "x" {
		t.Errorf("GET is answered %d", get.Code)
	}
}

// TestOnlyOwnNotificationsRing: whoever does not know subscription and state makes us do nothing, and learns nothing.
func TestOnlyOwnNotificationsRing(t *testing.T) {
	documented, err := os.ReadFile("testdata/notification-basic.doc.json")
	if err != nil {
		t.Fatal(err)
	}
	lifecycle, err := os.ReadFile("testdata/notification-lifecycle.doc.json")
	if err != nil {
		t.Fatal(err)
	}
	ours := strings.NewReplacer("{subscription_guid}", "sub-1", "<subscription_guid>", "sub-1", "secretClientValue", "the random state", "<secretClientState>", "the random state")
	for name, c := range map[string]struct {
		body  string
		rings bool
	}{
		"documented, ours":           {ours.Replace(string(documented)), true},
		"documented, another's":      {string(documented), false},
		"lifecycle, ours":            {ours.Replace(string(lifecycle)), true},
		"wrong state":                {`{"value":[{"subscriptionId":"sub-1","clientState":"the random stat"}]}`, false},
		"no state":                   {`{"value":[{"subscriptionId":"sub-1"}]}`, false},
		"unknown subscription":       {`{"value":[{"subscriptionId":"sub-2","clientState":"the random state"}]}`, false},
		"one of several":             {`{"value":[{"subscriptionId":"x"},{"subscriptionId":"sub-1","clientState":"the random state"}]}`, true},
		"no JSON":                    {`<xml/>`, false},
		"empty":                      {``, false},
		"larger than a notification": {`{"value":[{"subscriptionId":"sub-1","clientState":"the random state","x":"` + strings.Repeat("x", notificationAtMost) + `"}]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := quiet(t)
			w := post(s, "/hooks/graph", c.body)
			if w.Code != http.StatusAccepted || w.Body.Len() != 0 {
				t.Errorf("answered %d %q, want 202 and nothing", w.Code, w.Body)
			}
			rang := false
			select {
			case <-s.bell.rung:
				rang = true
			default:
			}
			k, since := s.bell.answer()
			if rang != c.rings || rang && (k != groups.only() || time.Since(since) > time.Minute) {
				t.Errorf("rang %v for %b since %v, want %v for groups", rang, k, since, c.rings)
			}
		})
	}
}

// TestLifecycleRenews: a subscription in doubt is due at once.
func TestLifecycleRenews(t *testing.T) {
	s := quiet(t)
	body, err := json.Marshal(map[string]any{"value": []any{map[string]string{
		"subscriptionId": "sub-1", "clientState": "the random state", "lifecycleEvent": "reauthorizationRequired"}}})
	if err != nil {
		t.Fatal(err)
	}
	post(s, "/hooks/graph/lifecycle", string(body))
	if !s.subscriptions.live[groups].renewAt.IsZero() || len(s.subscriptions.wake) != 1 {
		t.Error("the subscription is not due")
	}
}

func TestBellKeepsTheFirstArrival(t *testing.T) {
	b := newBell()
	first := time.Unix(1, 0)
	b.ring(groups.only(), first)
	b.ring(users.only(), time.Unix(2, 0))
	if k, since := b.answer(); k != all || !since.Equal(first) {
		t.Errorf("answered %b since %v", k, since)
	}
	if k, since := b.answer(); k != 0 || !since.IsZero() {
		t.Errorf("answered again: %b since %v", k, since)
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	last := time.Duration(0)
	for range 20 {
		last = b.after(errForeignLink, time.Hour)
		if last <= 0 || last > 2*lastPause {
			t.Fatalf("waits %v", last)
		}
	}
	if last < lastPause/2 {
		t.Errorf("waits only %v after 20 failures", last)
	}
	if wait := b.after(&graphError{Status: 429, RetryAfter: 5 * time.Minute}, 0); wait < 5*time.Minute {
		t.Errorf("waits %v although Graph asked for 5 minutes", wait)
	}
	if wait := b.after(nil, time.Hour); wait != time.Hour {
		t.Errorf("waits %v after a success", wait)
	}
}
