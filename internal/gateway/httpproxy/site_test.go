package httpproxy

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/web"
)

const siteHost = "echo.apps.example.test"

// site serves the app "echo" on its own site to a person's browser.
func (s *scene) site(t testing.TB, as identity.Principal) *httptest.Server {
	t.Helper()
	site := web.Site{
		Name: "apps", Routes: s.proxy.Site(func(host string) (string, bool) { return strings.CutSuffix(host, ".apps.example.test") }, "https"),
		Guard:    func(r *http.Request) error { return GuardSite(r, "https://"+r.Host) },
		Identify: func(*http.Request) (identity.Principal, error) { return as, nil },
	}
	handler, err := site.Handler(web.Config{Access: s.Engine, Log: s.Log})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.ConnContext = web.WithConn
	server.Config.ErrorLog = slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func onSite(method, path, headers string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: " + siteHost + "\r\nConnection: close\r\n" + headers + "\r\n"
}

// TestAttack01RouteOfASite: the host alone chooses the app, and what stands in a query decides nothing.
func TestAttack01RouteOfASite(t *testing.T) {
	s := newScene(t)
	server := s.site(t, s.Browser(gatewaytest.Ada))
	plainRequest(t, server, onSite("GET", "/a?x=/r/ledger/&app=ledger&y=%2f..%2f", ""))
	if seen, uri := s.last(); seen == nil || uri != "/base/a?x=/r/ledger/&app=ledger&y=%2f..%2f" || seen.Host != "echo.example.test" {
		t.Errorf("the app was asked for %s", uri)
	}
	if resp, _ := plainRequest(t, server, strings.Replace(onSite("GET", "/echo?host="+siteHost, ""), siteHost+"\r\n", "none.apps.example.test\r\n", 1)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("another host: %s", resp.Status)
	}
}

// TestAttack02And04HeadersOfASite: an app learns from Lanyard alone who is calling and from where, and none of Lanyard's
// cookies.
func TestAttack02And04HeadersOfASite(t *testing.T) {
	s := newScene(t)
	server := s.site(t, s.Browser(gatewaytest.Ada))
	forged := ""
	for _, name := range []string{
		"Lanyard-Assertion", "lanyard_assertion", "Authorization", "X_Remote_User", "X-Auth-Request-Email", "X-HTTP-Method-Override", "X-Original-URL",
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "x_forwarded_for", "X-Forwarded-Uri", "X-Real-Ip", "Via", "Content_Length",
	} {
		forged += name + ": forged\r\n"
	}
	plainRequest(t, server, onSite("POST", "/x", forged+"Content-Length: 0\r\nOrigin: https://"+siteHost+"\r\nReferer: https://"+siteHost+"/page?x\r\n"+
		"Cookie: __Host-lanyard=secret; own=1; __host-LANYARD-handoff=secret; theme=dark\r\n"))
	seen, _ := s.last()
	if seen == nil {
		t.Fatal("the app was not asked")
	}
	for name, values := range seen.Header {
		if all := strings.Join(values, ","); strings.Contains(all, "forged") || strings.Contains(all, "secret") {
			t.Errorf("%s reached the app: %s", name, all)
		}
	}
	h := seen.Header
	for name, want := range map[string]string{
		"Cookie": "own=1; theme=dark", "X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": siteHost, "X-Forwarded-Proto": "https",
		"Origin": "https://echo.example.test", "Referer": "https://echo.example.test/base/page?x",
	} {
		if got := h.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if strings.Count(h.Get(AssertionHeader), ".") != 2 {
		t.Errorf("the assertion is %q", h.Get(AssertionHeader))
	}
}

// TestAttack13PathsOfASite: an address with two readings reaches no app; another one goes out as it came.
func TestAttack13PathsOfASite(t *testing.T) {
	s := newScene(t)
	server := s.site(t, s.Browser(gatewaytest.Ada))
	for _, path := range []string{
		"/a%2fb", "/a%5Cb", "/../x", "/..;/x", "/%2e%2e/x", "//evil.example/x", "/\\evil.example", "/a%00b", "/%252e%252e/x", "/x#y", "/%c0%ae/x", "/a//b",
	} {
		if resp, _ := plainRequest(t, server, onSite("GET", path, "")); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, resp.Status)
		}
		if seen, uri := s.last(); seen != nil {
			t.Fatalf("%s reached the app as %s", path, uri)
		}
	}
	for _, path := range []string{"/", "/a%20b", "/%C3%A9/x;y=1", "/r/ledger/whoami", "/api/v1/me", "/_lanyardx", "/%41?"} {
		plainRequest(t, server, onSite("GET", path, ""))
		if _, uri := s.last(); uri != "/base"+path {
			t.Errorf("%s was forwarded as %s", path, uri)
		}
	}
	if resp, _ := plainRequest(t, server, onSite("GET", "/_lanyard/anything", "")); resp.StatusCode != http.StatusNotFound {
		t.Errorf("Lanyard's own paths: %s", resp.Status)
	}
}

// TestAttack14PagesOfOtherSites: no other page's request changes anything or opens a WebSocket, with or without an Origin.
func TestAttack14PagesOfOtherSites(t *testing.T) {
	s := newScene(t)
	server := s.site(t, s.Browser(gatewaytest.Ada))
	for _, origin := range []string{"", "Origin: https://evil.example\r\n", "Origin: null\r\n", "Origin: https://other.apps.example.test\r\n", "Origin: https://" + siteHost + ".evil.example\r\n",
		"Origin: http://" + siteHost + "\r\n", "Origin: https://" + siteHost + "\r\nOrigin: https://evil.example\r\n"} {
		for _, text := range []string{
			onSite("POST", "/x", origin+"Content-Length: 0\r\n"), onSite("DELETE", "/x", origin),
			onSite("GET", "/websocket", origin+"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
		} {
			if resp, _ := plainRequest(t, server, text); resp.StatusCode != http.StatusForbidden {
				t.Errorf("%q: %s", text, resp.Status)
			}
		}
	}
	if seen, uri := s.last(); seen != nil {
		t.Errorf("the app was asked for %s", uri)
	}
	conn, _, err := websocket.Dial(t.Context(), server.URL+"/websocket", &websocket.DialOptions{Host: siteHost, HTTPHeader: http.Header{"Origin": {"https://" + siteHost}}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if _, message, err := conn.Read(t.Context()); err != nil || string(message) != "hello" {
		t.Fatalf("%q %v", message, err)
	}
	s.Leave()
	if _, _, err := conn.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation || !strings.Contains(err.Error(), "no longer in the group payments-engineers") {
		t.Errorf("the WebSocket ended with %v", err)
	}
}

// TestAttack15CookiesOfAnApp: an app sets cookies for its own host alone, and none of Lanyard's.
func TestAttack15CookiesOfAnApp(t *testing.T) {
	x := &exchange{door: door{origin: "https://" + siteHost}}
	x.app.URL = parse(t, "http://echo.example.test/base")
	h := http.Header{}
	x.answerHeaders(h, http.Header{
		"Set-Cookie": {"a=b; Domain=apps.example.test; Path=/base/x; Secure", "__Host-lanyard=forged; Path=/", "__HOST-Lanyard-handoff=forged", "c=d;domain = .example.test;path=/base;HttpOnly", " __Host-lanyard =x"},
		"Alt-Svc":    {"h3=\":443\""}, "Strict-Transport-Security": {"max-age=1; includeSubDomains"}, "Access-Control-Allow-Origin": {"*"},
		"Content-Security-Policy": {"default-src 'self'"}, "Connection": {"X-Hop"}, "X-Hop": {"1"}, "Location": {"http://echo.example.test/base/login?x=1"},
	})
	if got, want := h["Set-Cookie"], []string{"a=b; Path=/x; Secure", "c=d; Path=/; HttpOnly"}; !slices.Equal(got, want) {
		t.Errorf("cookies %q", got)
	}
	if h.Get("Alt-Svc")+h.Get("Strict-Transport-Security")+h.Get("Access-Control-Allow-Origin")+h.Get("X-Hop") != "" || h.Get("Content-Security-Policy") == "" || h.Get("Location") != "/login?x=1" {
		t.Errorf("%v", h)
	}
}

// TestAttack26NobodyOnASite: who has no session is answered alike for every app.
func TestAttack26NobodyOnASite(t *testing.T) {
	s := newScene(t)
	server := s.site(t, identity.Principal{})
	_, there := plainRequest(t, server, onSite("GET", "/x", ""))
	resp, absent := plainRequest(t, server, strings.Replace(onSite("GET", "/x", ""), siteHost, "none.apps.example.test", 1))
	if resp.StatusCode != http.StatusUnauthorized || there != absent {
		t.Errorf("%s %q %q", resp.Status, there, absent)
	}
	if seen, _ := s.last(); seen != nil {
		t.Error("the app was asked")
	}
}

// TestAttack21AppsThatAreNotDialled: no project file leads to a cloud's own services, whatever a name resolves to.
func TestAttack21AppsThatAreNotDialled(t *testing.T) {
	for _, url := range []string{"http://169.254.169.254", "http://168.63.129.16", "http://[fd00:ec2::254]", "http://0.0.0.0:80", "http://[::ffff:169.254.169.254]"} {
		s := behind(t, &httptest.Server{URL: url}, "")
		resp, body := get(t, s.serve(t, gatewaytest.Ada).URL+"/r/app/latest/meta-data")
		if resp.StatusCode != http.StatusBadGateway {
			t.Errorf("%s: %s %s", url, resp.Status, body)
		}
	}
}

func parse(t *testing.T, address string) *url.URL {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
