package entra

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/credential"
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

// TestValidationHandshake echoes the documented token, decoded, while a subscription is being made.
func TestValidationHandshake(t *testing.T) {
	s := quiet(t)
	address, end := s.subscriptions.ticketed()
	at, err := url.Parse(address)
	if err != nil || !s.subscriptions.ours(address) || s.subscriptions.ours("https://lanyard.example.test/hooks/graphs") {
		t.Fatalf("%s is not ours: %v", address, err)
	}
	target := at.RequestURI() + "&validationToken="
	token := `Validation: Testing client application reachability & "more" +%20`
	w := post(s, target+url.QueryEscape(token), "")
	if w.Code != 200 || w.Body.String() != token || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
		t.Errorf("answered %d %q %v", w.Code, w.Body, w.Header())
	}
	if w := post(s, target+strings.Repeat("x", tokenAtMost+1), ""); w.Code != 403 {
		t.Errorf("an endless token is answered %d", w.Code)
	}
	end()
	if w := post(s, target+"x", ""); w.Code != 403 {
		t.Errorf("answered %d when the subscription was made", w.Code)
	}
	if d := s.Door(); d.Echoed != 1 || d.Unasked != 2 {
		t.Errorf("counted %+v", d)
	}
	get := httptest.NewRecorder()
	s.Notifications().ServeHTTP(get, httptest.NewRequest(http.MethodGet, target+"x", nil))
	if get.Code != 405 {
		t.Errorf("GET is answered %d", get.Code)
	}
}

// TestAttack21ValidationIsNoReflector: nobody makes the server say what they want, neither as a page in its origin nor at
// all, unless it has just asked Graph for it; a ticket cannot be guessed, and another's is of no use.
func TestAttack21ValidationIsNoReflector(t *testing.T) {
	s := quiet(t)
	const page = "<script>alert(1)</script>"
	_, end := s.subscriptions.ticketed()
	defer end()
	for _, query := range []string{"", "&ticket=", "&ticket=x", "&ticket=x&ticket=y"} {
		w := post(s, "/hooks/graph?validationToken="+url.QueryEscape(page)+query, "")
		if w.Code != 403 || strings.Contains(w.Body.String(), "script") {
			t.Errorf("%q is answered %d %q", query, w.Code, w.Body)
		}
	}
	if w := post(s, "/hooks/graph?validationToken=", ""); w.Code != 403 {
		t.Errorf("an empty token is answered %d", w.Code)
	}
	address, end := s.subscriptions.ticketed()
	defer end()
	w := post(s, strings.TrimPrefix(address, "https://lanyard.example.test")+"&validationToken="+url.QueryEscape(page), "")
	if h := w.Header(); w.Code != 200 || h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "sandbox") ||
		!strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		t.Errorf("answered %d %v: what a browser takes for a page", w.Code, h)
	}
}

// TestTicketOfAnotherReplica is asked for where it was not made here.
func TestTicketOfAnotherReplica(t *testing.T) {
	s, err := New(Config{Graph: "https://graph.example.test/v1.0", Ticketed: func(ticket string) bool { return ticket == "theirs" }})
	if err != nil {
		t.Fatal(err)
	}
	if w := post(s, "/hooks/graph?ticket=theirs&validationToken=x", ""); w.Code != 200 || w.Body.String() != "x" {
		t.Errorf("answered %d %q", w.Code, w.Body)
	}
	if w := post(s, "/hooks/graph?ticket=ours&validationToken=x", ""); w.Code != 403 {
		t.Errorf("answered %d", w.Code)
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
	rich, err := os.ReadFile("testdata/notification-rich-encrypted.doc.json")
	if err != nil {
		t.Fatal(err)
	}
	ours := strings.NewReplacer("{subscription_guid}", "sub-1", "<subscription_guid>", "sub-1", "secretClientValue", "the random state", "<secretClientState>", "the random state")
	for name, c := range map[string]struct {
		body  string
		rings bool
	}{
		"documented, ours":               {ours.Replace(string(documented)), true},
		"documented, another's":          {string(documented), false},
		"lifecycle, ours":                {ours.Replace(string(lifecycle)), true},
		"with encrypted data, another's": {string(rich), false},
		"with encrypted data, ours":      {richAs(t, rich, "sub-1", "the random state"), true},
		"a value after it":               {`{"value":[{"subscriptionId":"sub-1","clientState":"the random state"}],"validationTokens":["x"],"more":{"a":[1]}}`, true},
		"cut off after ours":             {`{"value":[{"subscriptionId":"sub-1","clientState":"the random state"},{"subscr`, true},
		"wrong state":                    {`{"value":[{"subscriptionId":"sub-1","clientState":"the random stat"}]}`, false},
		"no state":                       {`{"value":[{"subscriptionId":"sub-1"}]}`, false},
		"unknown subscription":           {`{"value":[{"subscriptionId":"sub-2","clientState":"the random state"}]}`, false},
		"one of several":                 {`{"value":[{"subscriptionId":"x"},{"subscriptionId":"sub-1","clientState":"the random state"}]}`, true},
		"no JSON":                        {`<xml/>`, false},
		"empty":                          {``, false},
		"larger than a notification":     {`{"value":[{"subscriptionId":"sub-1","clientState":"the random state","x":"` + strings.Repeat("x", notificationAtMost) + `"}]}`, false},
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

// richAs is a documented body as if it came for a subscription.
func richAs(t *testing.T, documented []byte, id, state string) string {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(documented, &body); err != nil {
		t.Fatal(err)
	}
	for _, n := range body["value"].([]any) {
		n.(map[string]any)["subscriptionId"], n.(map[string]any)["clientState"] = id, state
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
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

// TestPace: ten at once, then one every two seconds, and all of it again after a rest.
func TestPace(t *testing.T) {
	b := bucket{pace: defaultPace()}
	now := time.Unix(1_000_000, 0)
	burst := func() {
		for i := range 10 {
			if wait := b.take(now); wait != 0 {
				t.Fatalf("the %d. waits %v", i+1, wait)
			}
		}
	}
	burst()
	for i := range 5 {
		if wait, want := b.take(now), time.Duration(i+1)*2*time.Second; wait != want {
			t.Errorf("after the burst one waits %v, want %v", wait, want)
		}
	}
	now = now.Add(time.Hour)
	burst()
	if b.take(now) == 0 {
		t.Error("an hour's rest allows more than a burst")
	}
}

// TestRungWhileWaiting: what rings while a read is held back is read by it.
func TestRungWhileWaiting(t *testing.T) {
	s := quiet(t)
	s.bucket = &bucket{pace: Pace{Burst: 1, Every: 20 * time.Millisecond}}
	s.bucket.take(time.Now())
	first := time.Unix(5, 0)
	s.bell.ring(users.only(), first)
	if e := s.admit(t.Context(), errand{what: groups.only()}); e.what != all || !e.rung.Equal(first) || s.Door().Held != 1 {
		t.Errorf("%+v, %+v", e, s.Door())
	}
	if len(s.bell.rung) != 0 {
		t.Error("it rings on")
	}
	if e := s.admit(t.Context(), sweeping()); !e.sweep || s.Door().Held != 1 {
		t.Error("a sweep waits")
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
	if wait := b.after(fmt.Errorf("fetch: %w", &credential.Refused{Status: 429, After: time.Minute}), 0); wait < time.Minute {
		t.Errorf("waits %v although the token endpoint asked for a minute", wait)
	}
	if wait := b.after(nil, time.Hour); wait != time.Hour {
		t.Errorf("waits %v after a success", wait)
	}
}
