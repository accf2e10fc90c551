package entra_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// watched is a tenant whose subscription requests are counted, and can be lost, shortened or refused.
type watched struct {
	*entrasim.Tenant
	mu     sync.Mutex
	counts map[string]int // by method
	ids    []string
	life   time.Duration // of subscriptions, when set
	refuse bool
	sent   []map[string]any // bodies of those that were made
}

func watch(t *testing.T) (*watched, entra.Config) {
	t.Helper()
	w := &watched{counts: map[string]int{}}
	server := httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(server.Close)
	var err error
	w.Tenant, err = entrasim.New(entrasim.Config{URL: server.URL, Organisation: entrasim.Contoso(entrasim.Sample{Secret: "sample secret"})})
	must(t, err)
	t.Cleanup(func() { w.Tenant.Close() })
	return w, entra.Config{
		Tenant: tenant, ClientID: entrasim.LanyardAppID, Secret: "sample secret", Graph: w.GraphURL(),
		TokenURL: server.URL + "/" + w.TenantID() + "/oauth2/v2.0/token", NotificationURL: "here", Sweep: 50 * time.Millisecond,
	}
}

func (s *watched) serve(w http.ResponseWriter, r *http.Request) {
	if !strings.HasPrefix(r.URL.Path, "/v1.0/subscriptions") {
		s.Tenant.ServeHTTP(w, r)
		return
	}
	s.mu.Lock()
	life, refuse := s.life, s.refuse
	s.mu.Unlock()
	if refuse {
		http.Error(w, `{"error":{"code":"ValidationError"}}`, http.StatusBadRequest)
		return
	}
	if r.Method == http.MethodPost {
		var body map[string]any
		b, _ := io.ReadAll(r.Body)
		_ = json.Unmarshal(b, &body)
		s.mu.Lock()
		s.sent = append(s.sent, body)
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(b))
	}
	if life > 0 && (r.Method == http.MethodPost || r.Method == http.MethodPatch) {
		var body map[string]any
		_ = json.NewDecoder(r.Body).Decode(&body)
		body["expirationDateTime"] = time.Now().Add(life).UTC().Format(time.RFC3339Nano)
		b, _ := json.Marshal(body)
		r.Body = io.NopCloser(bytes.NewReader(b))
		r.ContentLength = int64(len(b))
	}
	answer := httptest.NewRecorder()
	s.Tenant.ServeHTTP(answer, r)
	var made struct{ ID string }
	_ = json.Unmarshal(answer.Body.Bytes(), &made)
	s.mu.Lock()
	if answer.Code < 300 {
		s.counts[r.Method]++
		if r.Method == http.MethodPost {
			s.ids = append(s.ids, made.ID)
		}
	}
	s.mu.Unlock()
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func (s *watched) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[method]
}

// TestSubscriptionsAreTakenBack at the end.
func TestSubscriptionsAreTakenBack(t *testing.T) {
	sim, config := watch(t)
	h := open(t, newRows(), config)
	rings(t, h)
	h.stop()
	if made, ended := sim.count("POST"), sim.count("DELETE"); made != 2 || ended != 2 {
		t.Errorf("%d subscriptions made, %d taken back", made, ended)
	}
}

// TestSubscriptionsAreRenewed before they lapse.
func TestSubscriptionsAreRenewed(t *testing.T) {
	sim, config := watch(t)
	sim.life = time.Second
	h := open(t, newRows(), config)
	eventually(t, "renewals", func() bool { return sim.count("PATCH") >= 6 })
	if made := sim.count("POST"); made != 2 {
		t.Errorf("%d subscriptions made, want those two that are renewed", made)
	}
	h.stop()
}

// TestReauthorizationRequired renews at once.
func TestReauthorizationRequired(t *testing.T) {
	sim, config := watch(t)
	h := open(t, newRows(), config)
	rings(t, h)
	must(t, sim.RequireReauthorization(t.Context()))
	eventually(t, "renewals", func() bool { return sim.count("PATCH") == 2 })
}

// TestLostSubscription is made again.
func TestLostSubscription(t *testing.T) {
	sim, config := watch(t)
	h := open(t, newRows(), config)
	rings(t, h)
	// Somebody else's hand, with the app's own right to it.
	token := appToken(t, config)
	sim.mu.Lock()
	ids := sim.ids
	sim.mu.Unlock()
	for _, id := range ids {
		req, err := http.NewRequest(http.MethodDelete, config.Graph+"/subscriptions/"+id, nil)
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		res.Body.Close()
	}
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "new subscriptions", func() bool { return sim.count("POST") == 4 })
	must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.AdaID))
	eventually(t, "the removal", func() bool { return !h.in(entrasim.AdaID, entrasim.PaymentsEngineersID) })
}

// TestSubscriptionAsDocumented sends what Microsoft documents, and says afterwards until when it holds.
func TestSubscriptionAsDocumented(t *testing.T) {
	var cases []struct {
		Case    string
		Request struct{ Body map[string]any }
	}
	text, err := os.ReadFile("testdata/subscription-create.json")
	must(t, err)
	must(t, json.Unmarshal(text, &cases))
	known := map[string]bool{}
	for _, c := range cases {
		for name := range c.Request.Body {
			known[name] = true
		}
	}
	sim, config := watch(t)
	h := open(t, newRows(), config)
	rings(t, h)
	sim.mu.Lock()
	sent := sim.sent
	sim.mu.Unlock()
	if len(sent) != 2 {
		t.Fatalf("sent %v", sent)
	}
	for _, body := range sent {
		for name := range body {
			if !known[name] {
				t.Errorf("%s is in no documented request", name)
			}
		}
		for _, name := range []string{"changeType", "notificationUrl", "lifecycleNotificationUrl", "resource", "expirationDateTime", "clientState"} {
			if said, _ := body[name].(string); said == "" {
				t.Errorf("%s is missing in %v", name, body)
			}
		}
		if state := body["clientState"].(string); len(state) < 32 || len(state) > 128 {
			t.Errorf("the state has %d characters", len(state))
		}
	}
	eventually(t, "what is known of them", func() bool { return len(h.source.Door().Subscriptions) == 2 })
	for _, s := range h.source.Door().Subscriptions {
		if s.Problem != "" || time.Until(s.Ends) < time.Hour {
			t.Errorf("%+v", s)
		}
	}
}

// TestRefusedSubscription leaves the sweep, says so once, and is tried until it works.
func TestRefusedSubscription(t *testing.T) {
	sim, config := watch(t)
	sim.refuse = true
	h := open(t, newRows(), config)
	h.ready(t)
	must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.AdaID))
	eventually(t, "the removal, by the sweep", func() bool { return !h.in(entrasim.AdaID, entrasim.PaymentsEngineersID) })
	eventually(t, "the word", func() bool { return strings.Contains(h.log.String(), "cannot be subscribed to") })
	for _, s := range h.source.Door().Subscriptions {
		if !s.Ends.IsZero() || !strings.Contains(s.Problem, "ValidationError") {
			t.Errorf("known of it: %+v", s)
		}
	}
	sim.mu.Lock()
	sim.refuse = false
	sim.mu.Unlock()
	rings(t, h)
	if n := strings.Count(h.log.String(), "cannot be subscribed to"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// TestLeftoverSubscriptions of a process that was killed are taken back.
func TestLeftoverSubscriptions(t *testing.T) {
	sim, config := watch(t)
	config.Ticket = func() string { return "one that both know" }
	config.Ticketed = func(ticket string) bool { return ticket == config.Ticket() }
	h := open(t, newRows(), config)
	rings(t, h)
	var again *house
	config.NotificationURL = h.hooks.URL + "/hooks/graph"
	again = open(t, newRows(), config)
	rings(t, again)
	eventually(t, "the first process's subscriptions to go", func() bool { return sim.count("DELETE") >= 2 })
}

func appToken(t *testing.T, c entra.Config) string {
	t.Helper()
	res, err := http.Post(c.TokenURL, "application/x-www-form-urlencoded", strings.NewReader(
		"grant_type=client_credentials&client_id="+c.ClientID+"&client_secret="+strings.ReplaceAll(c.Secret, " ", "+")+"&scope=https://graph.microsoft.com/.default"))
	must(t, err)
	defer res.Body.Close()
	var body struct {
		Token string `json:"access_token"`
	}
	must(t, json.NewDecoder(res.Body).Decode(&body))
	return body.Token
}
