package badinput

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

const evil = "https://evil.example.test"

// TestOtherSites does what a page on another site could make ada's browser do, with her cookies.
func TestOtherSites(t *testing.T) {
	w := harness.Start(t)
	ws := w.Workspace("ada", payments)
	w.Terminal("ada", ws).Close() // now the browser has the terminal's cookie too
	hers := w.As("ada").Browser.HTTP()
	origins := map[string]http.Header{
		"a foreign Origin": {"Origin": {evil}}, "no Origin": {}, "Origin null": {"Origin": {"null"}},
		"a workspace's Origin": {"Origin": {"http://3000-" + ws.ID[2:] + ".localhost"}},
		"two Origins":          {"Origin": {w.Info.URL, evil}},
		"the Origin with more": {"Origin": {w.Info.URL + ".evil.example.test"}},
	}
	t.Run("WebSockets", func(t *testing.T) {
		for name, header := range origins {
			for what, address := range map[string]string{
				"terminal": harness.SocketOf(ws.Terminal), "exec": "ws" + strings.TrimPrefix(w.Info.URL, "http") + "/api/v1/workspaces/" + ws.ID + "/exec",
			} {
				if what == "terminal" && name == "two Origins" {
					header = http.Header{"Origin": {strings.TrimSuffix(ws.Terminal, "/"), evil}}
				}
				ran := socket(t, w.Context(), hers, address, header)
				if ran != http.StatusForbidden {
					t.Errorf("%s with %s: %d", what, name, ran)
				}
			}
		}
		// The pages are no page of the terminal's site, nor the other way round.
		if got := socket(t, w.Context(), hers, harness.SocketOf(ws.Terminal), http.Header{"Origin": {w.Info.URL}}); got != http.StatusForbidden {
			t.Errorf("the terminal from the pages: %d", got)
		}
		if got := socket(t, w.Context(), hers, "ws"+strings.TrimPrefix(w.Info.URL, "http")+"/api/v1/workspaces/"+ws.ID+"/exec",
			http.Header{"Origin": {strings.TrimSuffix(ws.Terminal, "/")}}); got != http.StatusForbidden {
			t.Errorf("exec from the terminal's page: %d", got)
		}
	})
	t.Run("unsafe methods", func(t *testing.T) {
		for name, header := range origins {
			for _, r := range []request{
				{method: "POST", url: "/api/v1/workspaces", body: `{"context_url":"` + payments + `"}`},
				{method: "POST", url: "/api/v1/workspaces/" + ws.ID + "/stop"},
				{method: "DELETE", url: "/api/v1/workspaces/" + ws.ID},
				{method: "POST", url: "/api/v1/revoke", body: `{"kind":"user","id":"ada"}`},
				{method: "POST", url: "/logout"},
			} {
				for _, media := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded"} {
					out, err := http.NewRequest(r.method, w.Info.URL+r.url, strings.NewReader(r.body))
					if err != nil {
						t.Fatal(err)
					}
					out.Header = header.Clone()
					out.Header.Set("Content-Type", media)
					resp, err := hers.Do(out)
					if err != nil {
						t.Fatal(err)
					}
					resp.Body.Close()
					if resp.StatusCode != http.StatusForbidden {
						t.Errorf("%s %s with %s and %s: %s", r.method, r.url, name, media, resp.Status)
					}
				}
			}
		}
		// A form's types are refused from the right origin as well.
		request{method: "POST", url: w.Info.URL + "/api/v1/workspaces", body: `{"context_url":"` + payments + `"}`,
			header: map[string]string{"Origin": w.Info.URL, "Content-Type": "text/plain"}}.refused(t, hers, 400, "must be JSON")
	})
	t.Run("reading across origins", func(t *testing.T) {
		out, err := http.NewRequest("GET", w.Info.URL+"/api/v1/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		out.Header.Set("Origin", evil)
		resp, err := hers.Do(out)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		for name := range resp.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s: %s", name, resp.Header.Get(name))
			}
		}
	})
	t.Run("a browser on machine paths", func(t *testing.T) {
		for _, path := range []string{"/git/git.example.test/payments/api/info/refs?service=git-upload-pack", "/r/ledger/whoami"} {
			request{method: "GET", url: w.Info.URL + path, header: map[string]string{"Sec-Fetch-Mode": "navigate"}}.refused(t, w.Browser().HTTP(), 403, "a browser cannot open it")
			request{method: "GET", url: w.Info.URL + path}.refused(t, hers, 403, "it takes no cookies")
		}
		for _, header := range []string{"Origin: " + evil, "Sec-Fetch-Site: cross-site", "Forwarded: for=1.2.3.4", "Host: evil.example.test", "Sec-Fetch-Mode: navigate", "Cookie: a=b"} {
			if out, status := w.Exec("ada", ws, "curl -sf -H '"+header+"' http://127.0.0.1:7070/r/ledger/whoami"); status == 0 {
				t.Errorf("in the workspace with %s: %s", header, out)
			}
		}
		w.Must("ada", ws, "curl -sf -H 'Sec-Fetch-Mode: cors' http://127.0.0.1:7070/r/ledger/whoami") // as Node's fetch sends it
	})
	t.Run("other hosts", func(t *testing.T) {
		for _, host := range []string{"evil.example.test", "lanyard.localhost.evil.example.test", "t-aaaaaaaaaaaaaaaa.localhost", "lanyard.localhost:1", ""} {
			status, body := request{method: "GET", url: w.Info.URL + "/api/v1/me", header: map[string]string{"Host": host}}.send(t, hers)
			if host != "" && (status < 400 || strings.Contains(body, "Ada")) {
				t.Errorf("Host %q: %d %s", host, status, body)
			}
		}
	})
	if now, err := w.As("ada").Workspace(w.Context(), ws.ID); err != nil || now.Phase != "running" {
		t.Errorf("afterwards the workspace is %s: %v", now.Phase, err)
	}
	if list, err := w.As("ada").Workspaces(w.Context()); err != nil || len(list) != 1 {
		t.Errorf("afterwards there are %d workspaces: %v", len(list), err)
	}
}

// socket tries a WebSocket and returns the status it was refused with, or 101. What it opens runs nothing.
func socket(t *testing.T, ctx context.Context, client *http.Client, address string, header http.Header) int {
	t.Helper()
	conn, resp, err := websocket.Dial(ctx, address, &websocket.DialOptions{HTTPClient: client, HTTPHeader: header})
	if err != nil {
		if resp == nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	defer conn.CloseNow()
	first, err := json.Marshal(agentapi.ExecRequest{Argv: []string{"touch", "/workspace/owned"}})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Write(ctx, websocket.MessageText, first) // refused is what is hoped for
	return http.StatusSwitchingProtocols
}
