package serve

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
)

// noting notes what Lanyard's pages are asked for.
type noting struct {
	http.RoundTripper
	mu    sync.Mutex
	asked []string
}

func (n *noting) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Host, pagesHost) {
		n.mu.Lock()
		n.asked = append(n.asked, r.Method+" "+r.URL.RequestURI())
		n.mu.Unlock()
	}
	return n.RoundTripper.RoundTrip(r)
}

// CloseIdleConnections is what http.Client asks of its transport.
func (n *noting) CloseIdleConnections() { n.RoundTripper.(*http.Transport).CloseIdleConnections() }

// TestAttack14FormPost signs in where the tenant's page posts its answer: no URL that Lanyard is asked for holds the code, and no
// other address takes what another site posts.
func TestAttack14FormPost(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	pages := i.certificate("pages", pagesHost)
	file := i.configure("tls: {cert_file: " + pages.Cert + ", key_file: " + pages.Key + "}\n")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const before = "  notifications: none\n"
	if changed := strings.Replace(string(text), before, before+"  response_mode: form_post\n  guests: none\n", 1); changed != string(text) {
		i.write("lanyard.yaml", changed)
	} else {
		t.Fatal("the configuration is another")
	}
	i.start(file)
	person := i.person(i.authority.pool(), "127.0.0.1")
	notes := &noting{RoundTripper: person.HTTP().Transport}
	person.HTTP().Transport = notes
	ada := i.ada(person)
	if me, err := ada.Me(i.within()); err != nil || me.Name != "Ada Lovelace" {
		t.Fatalf("%+v %v", me, err)
	}
	posted := 0
	for _, asked := range notes.asked {
		if strings.HasPrefix(asked, "POST /login/callback/entra") {
			posted++
		}
		if strings.Contains(asked, "code=") {
			t.Errorf("the code is in %s", asked)
		}
	}
	if posted != 1 {
		t.Errorf("what was asked: %v", notes.asked)
	}
	foreign := func(path string) int {
		r, err := http.NewRequestWithContext(i.within(), http.MethodPost, i.url+path, strings.NewReader(url.Values{"state": {"x"}, "code": {"y"}}.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://evil.example.test")
		resp, err := person.HTTP().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for path, want := range map[string]int{"/logout": 403, "/step-up": 403, "/api/v1/workspaces": 403, "/login": 403, "/login/callback/entra": 400} {
		if got := foreign(path); got != want {
			t.Errorf("what another site posts to %s is answered with %d, not %d", path, got, want)
		}
	}
	if _, err := ada.Me(i.within()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
