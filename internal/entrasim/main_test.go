package entrasim

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"go.uber.org/goleak"
	"golang.org/x/oauth2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const callback = "http://lanyard.localhost/login/callback"

// testClock is a clock that a test moves.
type testClock struct {
	mu sync.Mutex
	at time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *testClock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// world is a tenant on a real listener, with the helpers that tests share.
type world struct {
	*Tenant
	t      *testing.T
	clock  *testClock
	server *httptest.Server
	http   *http.Client // follows no redirect, keeps cookies
}

func contoso() Organisation {
	return Contoso(Sample{RedirectURIs: []string{callback, "http://lanyard.localhost/"}, LogoutURL: "http://lanyard.localhost/logout/front"})
}

func newWorld(t *testing.T, org Organisation) *world {
	t.Helper()
	return startWorld(t, org, "", "")
}

// startWorld listens at addr (empty: anywhere on loopback) and keeps state in folder.
func startWorld(t *testing.T, org Organisation, folder, addr string) *world {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	if addr != "" {
		server.Listener.Close()
		server.Listener = listenAt(t, addr)
	}
	clock := &testClock{at: time.Now()}
	tenant, err := New(Config{URL: "http://" + server.Listener.Addr().String(), Organisation: org, Clock: clock.Now, State: folder})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = tenant
	server.Start()
	w := &world{Tenant: tenant, t: t, clock: clock, server: server, http: newBrowser()}
	t.Cleanup(w.shut)
	return w
}

// shut stops the world; a second call does nothing.
func (w *world) shut() {
	if w.server == nil {
		return
	}
	w.http.CloseIdleConnections()
	w.server.Close()
	w.server = nil
	if err := w.Close(); err != nil {
		w.t.Error(err)
	}
}

func newBrowser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: jar, Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func (w *world) ctx() context.Context { return oidc.ClientContext(w.t.Context(), w.http) }

// lanyard is the independent OAuth client for the app "Lanyard".
func (w *world) lanyard() *oauth2.Config {
	app, _ := w.App("Lanyard")
	return &oauth2.Config{
		ClientID: app.ClientID, ClientSecret: app.Secret, RedirectURL: callback,
		Endpoint: oauth2.Endpoint{AuthURL: w.url + "/" + w.TenantID() + "/oauth2/v2.0/authorize", TokenURL: w.tokenEndpoint()},
		Scopes:   []string{"openid", "profile", "email", "offline_access"},
	}
}

func password(user string) string { return "lanyard-" + user }

// signIn goes through the code flow and returns the tokens.
func (w *world) signIn(user string) *oauth2.Token {
	w.t.Helper()
	config, verifier := w.lanyard(), oauth2.GenerateVerifier()
	back, err := SignIn(w.t.Context(), w.http, config.AuthCodeURL("st", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("nonce", "n-1")), user, password(user))
	if err != nil {
		w.t.Fatal(err)
	}
	token, err := config.Exchange(w.ctx(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		w.t.Fatal(err)
	}
	return token
}

// post sends a form to the token endpoint with Lanyard's secret, unless the form has its own client.
func (w *world) post(form url.Values) (int, map[string]any) {
	w.t.Helper()
	if form.Get("client_id") == "" {
		app, _ := w.App("Lanyard")
		form.Set("client_id", app.ClientID)
		form.Set("client_secret", app.Secret)
	}
	answer, err := w.http.PostForm(w.tokenEndpoint(), form)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, decodeBody(w.t, answer)
}

func decodeBody(t *testing.T, answer *http.Response) map[string]any {
	t.Helper()
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	body := map[string]any{}
	if len(bytes.TrimSpace(data)) > 0 {
		if err := json.Unmarshal(data, &body); err != nil {
			t.Fatalf("not JSON: %v: %s", err, data)
		}
	}
	return body
}

// claims decodes a token's payload; tests that care about the signature verify it elsewhere.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", token)
	}
	out := map[string]any{}
	if err := json.Unmarshal(unbase64(t, parts[1]), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// appToken is a token of an app for Graph, by client credentials.
func (w *world) graphToken(app string) string {
	w.t.Helper()
	a, ok := w.App(app)
	if !ok {
		w.t.Fatalf("no app %s", app)
	}
	status, body := w.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {a.ClientID}, "client_secret": {a.Secret},
		"scope": {"https://graph.microsoft.com/.default"}})
	if status != http.StatusOK {
		w.t.Fatalf("client credentials: %d %v", status, body)
	}
	return body["access_token"].(string)
}

// call sends a request to Graph as an app: path is below /v1.0/, or a whole link.
func (w *world) call(app, method, path string, body any, headers ...string) (int, map[string]any, http.Header) {
	w.t.Helper()
	var payload io.Reader
	if body != nil {
		data, _ := json.Marshal(body)
		payload = bytes.NewReader(data)
	}
	if !strings.HasPrefix(path, "http") {
		path = w.GraphURL() + "/" + path
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, path, payload)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.graphToken(app))
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	answer, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, decodeBody(w.t, answer), answer.Header
}

// must is call for a request that has to succeed.
func (w *world) must(app, method, path string, body any, headers ...string) map[string]any {
	w.t.Helper()
	status, answer, _ := w.call(app, method, path, body, headers...)
	if status/100 != 2 {
		w.t.Fatalf("%s %s: %d %v", method, path, status, answer)
	}
	return answer
}

// values are the objects of a collection.
func values(t *testing.T, body map[string]any) []map[string]any {
	t.Helper()
	var out []map[string]any
	for _, v := range body["value"].([]any) {
		out = append(out, v.(map[string]any))
	}
	return out
}
