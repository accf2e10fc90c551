package apps

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/test/harness"
)

// say sends a request as it stands to the server and returns the answer.
func say(t *testing.T, w *harness.World, text string) (*http.Response, string) {
	t.Helper()
	u, err := url.Parse(w.Info.URL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+u.Port())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(harness.Wait))
	if _, err := io.WriteString(conn, strings.ReplaceAll(text, "\n", "\r\n")+"\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

// handOff leads a browser through the hand-off of a site and returns what each step answered.
func handOff(t *testing.T, who *remote.Remote, site string) (steps []*http.Response) {
	t.Helper()
	client := *who.Browser.HTTP()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for address := site; ; {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		steps = append(steps, resp)
		next, err := resp.Location()
		if err != nil {
			return steps
		}
		address = next.String()
		if len(steps) > 10 {
			t.Fatal("the hand-off goes in a circle")
		}
	}
}

// TestAttack06SitesOfApps tries the attacks on the whole program's sites of apps, each named after its row.
func TestAttack06SitesOfApps(t *testing.T) {
	w := harness.Start(t)
	ada := w.As("ada")
	projects, err := ada.Projects(w.Context())
	if err != nil {
		t.Fatal(err)
	}
	site := projects[0].AppSites[0].URL
	u, err := url.Parse(site)
	if err != nil {
		t.Fatal(err)
	}
	cookie := func(name string) (value string) {
		for _, c := range ada.Browser.HTTP().Jar.Cookies(u) {
			if c.Name == name {
				value = c.Value
			}
		}
		return value
	}
	const session = "__Host-lanyard"

	t.Run("Attack06SessionsAreNotFixed", func(t *testing.T) {
		// What somebody else has put into the browser before is not what is signed in afterwards.
		ada.Browser.HTTP().Jar.SetCookies(u, []*http.Cookie{{Name: session, Value: "known-to-somebody-else"}})
		steps := handOff(t, ada, site+"entries")
		if last := steps[len(steps)-1]; last.StatusCode != http.StatusOK || cookie(session) == "known-to-somebody-else" || cookie(session) == "" {
			t.Errorf("%s with the cookie %q", last.Status, cookie(session))
		}
		if resp, _ := say(t, w, "GET /entries HTTP/1.1\nHost: "+u.Host+"\nConnection: close\nCookie: "+session+"=known-to-somebody-else\n"); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("the cookie that was known before: %s", resp.Status)
		}
		// The cookie of one site opens no other.
		for _, host := range []string{strings.TrimPrefix(w.Info.URL, "http://"), strings.Replace(u.Host, "ledger", "other", 1)} {
			if resp, body := say(t, w, "GET /api/v1/me HTTP/1.1\nHost: "+host+"\nConnection: close\nCookie: "+session+"="+cookie(session)+"\n"); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %s %s", host, resp.Status, body)
			}
		}
	})
	t.Run("Attack11NothingSecretInAddresses", func(t *testing.T) {
		ada.Browser.HTTP().Jar.SetCookies(u, []*http.Cookie{{Name: session, MaxAge: -1}})
		steps := handOff(t, ada, site+"entries?of=may")
		used := ""
		for _, step := range steps {
			where := step.Request.URL
			if code := where.Query().Get("code"); code != "" {
				used = where.String()
				if step.Header.Get("Referrer-Policy") != "no-referrer" {
					t.Errorf("%s says to others where it came from", where.Path)
				}
			}
			if value := cookie(session); value != "" && strings.Contains(where.String(), value) {
				t.Errorf("%s holds the cookie", where)
			}
		}
		if last := steps[len(steps)-1]; used == "" || last.StatusCode != http.StatusOK || last.Request.URL.RequestURI() != "/entries?of=may" {
			t.Fatalf("%s at %s", last.Status, last.Request.URL)
		}
		if resp, _ := ask(t, ada, http.MethodGet, used, ""); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("a code that was used: %s", resp.Status)
		}
		for _, path := range []string{"debug/pprof/", "metrics", "_lanyard/debug"} {
			if resp, body := ask(t, ada, http.MethodGet, site+path, ""); resp.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s %s", path, resp.Status, body)
			}
		}
	})
	t.Run("Attack07NoWayToAnotherSite", func(t *testing.T) {
		for _, path := range []string{"//evil.example/", "/\\evil.example/", "/%5cevil.example", "/\t/evil.example"} {
			resp, _ := say(t, w, "GET "+path+" HTTP/1.1\nHost: "+u.Host+"\nAccept: text/html\nConnection: close\n")
			if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Location") != "" {
				t.Errorf("%q: %s to %s", path, resp.Status, resp.Header.Get("Location"))
			}
		}
		for _, to := range []string{"evil.example", "app-ledger.localhost.evil.example", "app-ledger.localhost:1", u.Host + "@evil.example", u.Host + "/x"} {
			resp, body := ask(t, ada, http.MethodGet, w.Info.URL+"/open?"+url.Values{"to": {to}, "bind": {strings.Repeat("a", 43)}}.Encode(), "")
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %s %s", to, resp.Status, body)
			}
		}
	})
	t.Run("Attack15TwoCookiesOfOneName", func(t *testing.T) {
		for _, cookies := range []string{"%[1]s=%[2]s; %[1]s=x", "%[1]s=x; %[1]s=%[2]s", "%[1]s=%[2]s; %[1]s=%[2]s"} {
			resp, body := say(t, w, "GET /entries HTTP/1.1\nHost: "+u.Host+"\nConnection: close\nCookie: "+fmt.Sprintf(cookies, session, cookie(session))+"\n")
			if resp.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: %s %s", cookies, resp.Status, body)
			}
		}
	})
	t.Run("Attack22OtherNamesOfThisAddress", func(t *testing.T) {
		for _, host := range []string{"app-ledger.localhost.evil.example:" + u.Port(), "evil.example", "app-ledger.localhost", "a.app-ledger.localhost:" + u.Port(), "ledger.localhost:" + u.Port()} {
			resp, body := say(t, w, "GET /entries HTTP/1.1\nHost: "+host+"\nConnection: close\nCookie: "+session+"="+cookie(session)+"\n")
			if resp.StatusCode != http.StatusMisdirectedRequest {
				t.Errorf("%s: %s %s", host, resp.Status, body)
			}
		}
	})
	t.Run("Attack26NothingWithoutASession", func(t *testing.T) {
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			if resp, body := say(t, w, method+" /entries HTTP/1.1\nHost: "+u.Host+"\nConnection: close\n"); resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s: %s %s", method, resp.Status, body)
			}
		}
	})
}

// inAWorkspace: a program names an app by a path or by a host, with HTTP/1.1 or HTTP/2.
func inAWorkspace(t *testing.T, w *harness.World) {
	ws := w.Workspace("ada", "https://git.example.test/payments/api")
	out := w.Must("ada", ws, `set -e
curl -sSf http://127.0.0.1:7070/r/ledger/whoami
curl -sSf http://ledger.localhost:7070/whoami
curl -sSf --http2-prior-knowledge http://ledger.localhost:7070/whoami
curl -sSf --http2-prior-knowledge -d '{"text": "over HTTP/2", "amount_minor": 1}' http://ledger.localhost:7070/entries
curl -sS -o /dev/null -w '%{http_code}\n' http://nothing.localhost:7070/whoami`)
	if strings.Count(out, "Ada Lovelace") != 4 || !strings.HasSuffix(strings.TrimSpace(out), "404") {
		t.Errorf("%s", out)
	}
}
