package entrasim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"testing"
	"time"
)

func TestOrganisationFromASeed(t *testing.T) {
	size := Size{Seed: 7, Users: 300, Groups: 60, Memberships: 2_000, Depth: 5, Assigned: 10}
	org := contoso().Grown(size)
	again := contoso().Grown(size)
	members, ids := 0, map[string]bool{}
	for i, g := range org.Groups {
		ids[g.ID] = true
		if i < len(contoso().Groups) {
			continue
		}
		seen := map[string]bool{}
		for j, m := range g.Members {
			if seen[m] || m == g.ID || again.Groups[i].Members[j] != m {
				t.Fatalf("%s: member %d twice, itself or another the second time", g.DisplayName, j)
			}
			seen[m] = true
		}
		members += len(g.Members)
	}
	for _, u := range org.Users {
		ids[u.ID] = true
	}
	if members != size.Memberships || len(ids) != len(org.Users)+len(org.Groups) {
		t.Fatalf("%d memberships, %d IDs", members, len(ids))
	}
	w := newWorld(t, org)
	w.mu.Lock()
	deepest := len(w.dir.groupsOf(size.GroupID(size.Depth-1), true))
	w.mu.Unlock()
	if deepest != size.Depth-1 { // those above it; it is in a circle with them
		t.Errorf("a chain of %d", deepest)
	}
	users, _ := w.round("users/delta?$select=displayName", "Prefer", "odata.maxpagesize=999")
	if len(users) != len(org.Users) {
		t.Errorf("%d users", len(users))
	}
	known := replica{}
	groups, next := w.round("groups/delta?$select=displayName,members", "Prefer", "odata.maxpagesize=999")
	known.apply(groups)
	if d := known.differs(w); d != "" {
		t.Fatal(d)
	}
	churn := w.Churn(1)
	churn.App = LanyardAppID
	for range 2_000 {
		if what, err := churn.Change(); err != nil {
			t.Fatal(what, err)
		}
	}
	groups, _ = w.round(next)
	known.apply(groups)
	if d := known.differs(w); d != "" {
		t.Fatal(d)
	}
}

// BenchmarkLargeOrganisation makes a tenant of 100,000 users, 10,000 groups and a million memberships.
func BenchmarkLargeOrganisation(b *testing.B) {
	for b.Loop() {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		began := time.Now()
		org := contoso().Grown(Size{Seed: 1, Users: 100_000, Groups: 10_000, Memberships: 1_000_000, Depth: 5})
		grown := time.Since(began)
		tenant, err := New(Config{URL: "http://tenant.example.test", Organisation: org})
		if err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		churn := tenant.Churn(1)
		for range 10_000 {
			if what, err := churn.Change(); err != nil {
				b.Fatal(what, err)
			}
		}
		b.ReportMetric(time.Since(began).Seconds()*100, "µs/change")
		b.ReportMetric(grown.Seconds(), "s-grown")
		org = Organisation{}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "MB")
		tenant.Close()
	}
}

// BenchmarkDownload reads all delta pages of that organisation through a socket and looks at nothing but the links.
func BenchmarkDownload(b *testing.B) {
	server := httptest.NewUnstartedServer(nil)
	tenant, err := New(Config{URL: "http://" + server.Listener.Addr().String(),
		Organisation: contoso().Grown(Size{Seed: 1, Users: 100_000, Groups: 10_000, Memberships: 1_000_000, Depth: 5})})
	if err != nil {
		b.Fatal(err)
	}
	server.Config.Handler = tenant
	server.Start()
	defer server.Close()
	defer tenant.Close()
	app, _ := tenant.App("Lanyard")
	answer, err := http.PostForm(tenant.tokenEndpoint(), url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID},
		"client_secret": {app.Secret}, "scope": {tenant.GraphScope()}})
	if err != nil {
		b.Fatal(err)
	}
	var token tokenResponse
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil {
		b.Fatal(err)
	}
	answer.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	for b.Loop() {
		pages, size := 0, 0
		for _, link := range []string{"/users/delta?$select=id,displayName,userPrincipalName,mail,accountEnabled", "/groups/delta?$select=id,displayName,securityEnabled,members"} {
			for link = tenant.GraphURL() + link; ; pages++ {
				req, _ := http.NewRequest(http.MethodGet, link, nil)
				req.Header.Set("Authorization", "Bearer "+token.AccessToken)
				req.Header.Set("Prefer", "odata.maxpagesize=999")
				answer, err := http.DefaultClient.Do(req)
				if err != nil {
					b.Fatal(err)
				}
				data, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if err != nil || answer.StatusCode != http.StatusOK {
					b.Fatal(answer.Status, err)
				}
				size += len(data)
				at := bytes.Index(data, []byte(`"@odata.nextLink":"`))
				if at < 0 {
					break
				}
				link = string(data[at+19 : at+19+bytes.IndexByte(data[at+19:], '"')])
			}
		}
		b.ReportMetric(float64(pages), "pages")
		b.ReportMetric(float64(size)/(1<<20), "MB")
	}
}
