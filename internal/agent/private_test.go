package agent

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// The paths that make tokens are at the private socket and nowhere else, and nothing else is there.
func TestPrivateSocketServesTokensAndNothingElse(t *testing.T) {
	reached := make(chan string, 1)
	w := newWorld(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- r.Method + " " + r.RequestURI
		w.WriteHeader(http.StatusTeapot)
	}))
	folder := filepath.Join(w.root, "private")
	path := filepath.Join(folder, agentapi.PrivateSocket)
	for at, mode := range map[string]os.FileMode{folder: 0o700, path: 0o600} {
		if info, err := os.Stat(at); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", at, info, err)
		}
	}
	if _, out := w.exec("echo $" + agentapi.SocketEnv); strings.TrimSpace(out) != path {
		t.Errorf("children are told %q", out)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	for target, want := range map[string]string{
		"/token": "POST /token", "/token/audiences?x=1": "POST /token/audiences?x=1", "/agents/run": "POST /agents/run",
		"/git/git.example.test/a": "", "/r/ledger/": "", "/tokens": "", "/": "", "/oauth/token": "",
		"/token/../git/x": "", "/token/%2e%2e/r/ledger": "", "/agents/..;/r": "",
	} {
		r, err := http.NewRequestWithContext(testContext(t), http.MethodPost, "http://lanyard/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque, r.URL.RawQuery, _ = strings.Cut(target, "?")
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		got := ""
		select {
		case got = <-reached:
		default:
		}
		if got != want || (want == "") != (answer.StatusCode == http.StatusNotFound) {
			t.Errorf("%s: %q reached the server, answer %d", target, got, answer.StatusCode)
		}
	}
}

// A token is out of reach at the loopback address, where a web page in a browser of the workspace could ask.
func TestAttack22LoopbackMakesNoTokens(t *testing.T) {
	address := startProxy(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s reached the server", r.RequestURI)
	}))
	for _, path := range []string{"/token", "/token/audiences", "/agents", "/agents/run"} {
		r, err := http.NewRequestWithContext(testContext(t), http.MethodPost, "http://"+address+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Opaque = path
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode < 400 {
			t.Errorf("%s: %d", path, answer.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
