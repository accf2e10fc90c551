package httpproxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// TestAttack01QueryIsNoPartOfTheRoute: what stands in a query chooses neither the app nor its path.
func TestAttack01QueryIsNoPartOfTheRoute(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	for _, address := range []string{
		"/r/none/x?/r/echo/x", "/r/none/?app=echo", "/x?/r/echo/", "/r/none?x=/../echo/", "/oauth/jwks2?/r/echo/public",
	} {
		resp, _ := plainRequest(t, server, "GET "+address+" HTTP/1.1\r\nHost: lanyard.example.test\r\nConnection: close\r\n\r\n")
		if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusMovedPermanently {
			t.Errorf("%s: %s", address, resp.Status)
		}
		if seen, _ := s.last(); seen != nil {
			t.Fatalf("%s reached the app", address)
		}
	}
	plainRequest(t, server, "GET /r/echo/a?x=/r/ledger/&y=%2f..%2f;z HTTP/1.1\r\nHost: lanyard.example.test\r\nConnection: close\r\n\r\n")
	if _, uri := s.last(); uri != "/base/a?x=/r/ledger/&y=%2f..%2f;z" {
		t.Errorf("the app was asked for %s", uri)
	}
}

// TestAttack02HeadersThatFoldToIdentity: no spelling of a header makes an app believe the caller instead of Lanyard.
func TestAttack02HeadersThatFoldToIdentity(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	forged := []string{
		"Lanyard-Assertion", "lanyard_assertion", "Lanyard_Assertion", "LANYARD-assertion", "Lanyard.Assertion", "lanyard~assertion",
		"Lanyard-Other", "X-Lanyard-User", "x_lanyard_user", "Authorization", "Proxy-Authorization", "proxy_authorization",
		"Remote-User", "remote_user", "X_Remote_User", "X-Auth-Request-Email", "x_auth_request_user", "X-HTTP-Method-Override",
		"X-Original-URL", "X-Rewrite-URL", "X-Ms-Client-Principal-Id", "X-Goog-Iap-Jwt-Assertion",
	}
	text := "GET /r/echo/x HTTP/1.1\r\nHost: lanyard.example.test\r\nConnection: close, Lanyard-Assertion\r\nX-Mine: kept\r\n"
	for _, name := range forged {
		text += name + ": forged\r\n"
	}
	plainRequest(t, server, text+"\r\n")
	seen, _ := s.last()
	if seen == nil {
		t.Fatal("the app was not asked")
	}
	for name, values := range seen.Header {
		if strings.Contains(strings.Join(values, ","), "forged") {
			t.Errorf("%s reached the app", name)
		}
	}
	if seen.Header.Get("X-Mine") != "kept" {
		t.Error("an ordinary header was dropped")
	}
	if values := seen.Header.Values(AssertionHeader); len(values) != 1 || strings.Count(values[0], ".") != 2 {
		t.Errorf("the assertion is %q", values)
	}
}

// TestAttack04ForwardedHeaders: nobody's word about where a request came from, or for what, is passed on.
func TestAttack04ForwardedHeaders(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	plainRequest(t, server, "GET /r/echo/x HTTP/1.1\r\nHost: lanyard.example.test\r\nConnection: close\r\n"+
		"Forwarded: for=forged\r\nX-Forwarded-For: forged\r\nX-Forwarded-Uri: /forged\r\nX-Forwarded-Host: forged\r\nx_forwarded_proto: forged\r\n"+
		"X-Forwarded-User: forged\r\nX-Forwarded-Anything: forged\r\nX-Real-Ip: forged\r\nVia: 1.1 forged\r\nTrue-Client-IP: forged\r\n\r\n")
	seen, uri := s.last()
	if seen == nil || uri != "/base/x" || seen.Host != "echo.example.test" {
		t.Fatalf("the app was asked for %q", uri)
	}
	for name, values := range seen.Header {
		if strings.Contains(strings.Join(values, ","), "forged") {
			t.Errorf("%s reached the app", name)
		}
	}
	for _, event := range s.Audit.Find("app:call", "opened") {
		if event.IP != "127.0.0.1" {
			t.Errorf("the audit log has the address %q", event.IP)
		}
	}
}

// TestAttack13BytesJudgedAreBytesForwarded: an ambiguous path reaches no app, and another one goes out as it came.
func TestAttack13BytesJudgedAreBytesForwarded(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	send := func(path string) *http.Response {
		resp, _ := plainRequest(t, server, "GET "+path+" HTTP/1.1\r\nHost: lanyard.example.test\r\nConnection: close\r\n\r\n")
		return resp
	}
	for _, path := range []string{
		"/r/echo/a%2fb", "/r/echo/a%5Cb", "/r/echo/../x", "/r/echo/..;/x", "/r/echo/%2e%2e/x", "/r/echo//x", "/r/echo/a%00b", "/r/echo/a%0d%0ab",
		"/r/echo/%252e%252e/x", "/r/echo/a\\b", "/r/echo/%c0%ae/x",
	} {
		if resp := send(path); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", path, resp.Status)
		}
		if seen, uri := s.last(); seen != nil {
			t.Fatalf("%s reached the app as %s", path, uri)
		}
	}
	for _, path := range []string{"/", "/a%20b", "/%C3%A9/x;y=1", "/a+b/@c:d,e", "/x/", "/100%25", "/%41"} {
		send("/r/echo" + path)
		if _, uri := s.last(); uri != "/base"+path {
			t.Errorf("%s was forwarded as %s", path, uri)
		}
	}
}

// TestAttack26StrangersLearnNothing: who came through no tunnel is answered alike for every name.
func TestAttack26StrangersLearnNothing(t *testing.T) {
	s := newScene(t)
	server := s.Serve(t, identity.Principal{}, s.routes()...)
	_, there := get(t, server.URL+"/r/echo/x")
	resp, absent := get(t, server.URL+"/r/none/x")
	if resp.StatusCode != http.StatusUnauthorized || there != absent {
		t.Errorf("an app that is there: %q; one that is not: %s %q", there, resp.Status, absent)
	}
	if seen, _ := s.last(); seen != nil {
		t.Error("the app was asked")
	}
}

// TestInterimAnswersTakeNothingAway: what an app says before its answer (1xx) reaches nobody, and the answer has
// Lanyard's own headers all the same.
func TestInterimAnswersTakeNothingAway(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	resp, body := plainRequest(t, server, "GET /r/echo/hints HTTP/1.1\r\nHost: lanyard.example.test\r\nConnection: close\r\n\r\n")
	h := resp.Header
	if resp.StatusCode != http.StatusOK || body != "ok" || h.Get("Set-Cookie") != "" {
		t.Errorf("%s %q with %v", resp.Status, body, h)
	}
	if strings.Join(h.Values("Content-Security-Policy"), ",") != "sandbox" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("an answer after an interim one has the headers %v", h)
	}
}

// TestAttack17AnAppDoesNotSpeakAsLanyard: who speaks to Lanyard by a token tells its refusals, and its nonces, from an app's.
func TestAttack17AnAppDoesNotSpeakAsLanyard(t *testing.T) {
	s := newScene(t)
	site, machine := s.site(t, s.Browser(gatewaytest.Ada)), s.serve(t, gatewaytest.Ada)
	refused, body := get(t, machine.URL+"/r/echo/refuses")
	onOwn, _ := plainRequest(t, site, onSite("GET", "/refuses", ""))
	for name, resp := range map[string]*http.Response{"machine site": refused, "own site": onOwn} {
		if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("WWW-Authenticate") != "Basic" || problem.WantsSignIn(resp) {
			t.Errorf("%s: %s %v", name, resp.Status, resp.Header)
		}
		for _, h := range []http.Header{resp.Header, resp.Trailer} {
			for header := range h {
				if ours(header) {
					t.Errorf("%s: %s came through in %v", name, header, h)
				}
			}
		}
	}
	if body != "Who are you?" {
		t.Errorf("the app says %q", body)
	}
	nobody := s.Serve(t, identity.Principal{}, s.routes()...)
	if resp, body := get(t, nobody.URL+"/r/echo/refuses"); !problem.WantsSignIn(resp) {
		t.Errorf("Lanyard's own refusal: %s %v %s", resp.Status, resp.Header, body)
	}
}
