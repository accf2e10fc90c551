package entrasim

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const toolID = "9a0b1c2d-3e4f-4a5b-8c6d-7e8f9a0b1c2d"

// withTool is the sample organisation with an app that has no browser.
func withTool() Organisation {
	org := contoso()
	org.Apps = append(org.Apps, App{ClientID: toolID, PrincipalID: "0a1b2c3d-4e5f-4a6b-9c7d-8e9fa0b1c2d3", Name: "Tool", Public: true, MultiTenant: true,
		RedirectURIs: []string{"http://localhost"}, Consented: []string{GraphAppID}})
	return org
}

// form sends a form to a path of the tenant and returns status and body.
func (w *world) form(path string, form url.Values, headers ...string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	answer, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// begin asks for a device code.
func (w *world) begin(scope string) (code, userCode string, answer map[string]any) {
	w.t.Helper()
	resp, err := w.http.PostForm(w.url+"/common/oauth2/v2.0/devicecode", url.Values{"client_id": {toolID}, "scope": {scope}})
	if err != nil {
		w.t.Fatal(err)
	}
	answer = decodeBody(w.t, resp)
	code, _ = answer["device_code"].(string)
	userCode, _ = answer["user_code"].(string)
	if resp.StatusCode != http.StatusOK || code == "" || userCode == "" {
		w.t.Fatalf("device code: %d %v", resp.StatusCode, answer)
	}
	return code, userCode, answer
}

func (w *world) poll(client, grant, code string) (int, map[string]any) {
	w.t.Helper()
	return w.post(url.Values{"client_id": {client}, "grant_type": {grant}, "device_code": {code}})
}

func TestDeviceCode(t *testing.T) {
	w := newWorld(t, withTool())
	code, userCode, answer := w.begin("User.Read openid profile offline_access")
	samples := fixture[[]struct {
		Status int
		Body   map[string]any
	}](t, "device-code.json")
	same(t, "the response", samples[0].Body, answer, nil)
	same(t, "the sample", answer, samples[0].Body, nil) // and nothing more
	if answer["expires_in"] != samples[0].Body["expires_in"] || answer["interval"] != samples[0].Body["interval"] || len(userCode) != len("FRWQDE7YL") {
		t.Errorf("the response is %v", answer)
	}
	status, pending := w.poll(toolID, deviceGrantType, code)
	same(t, "pending", samples[1].Body, pending, nil)
	if status != samples[1].Status || pending["error"] != samples[1].Body["error"] || number(pending) != 70016 {
		t.Errorf("before anybody answered: %d %v", status, pending)
	}
	if err := SignInDevice(t.Context(), w.http, answer["verification_uri"].(string), strings.ToLower(userCode), "ada", "lanyard-ada"); err != nil {
		t.Fatal(err)
	}
	status, tokens := w.poll(toolID, deviceGrantTypeOld, code)
	if status != http.StatusOK || tokens["refresh_token"] == nil {
		t.Fatalf("after the answer: %d %v", status, tokens)
	}
	if c := claims(t, tokens["id_token"].(string)); c["oid"] != AdaID || c["aud"] != toolID {
		t.Errorf("the ID token says %v", c)
	}
	if status, again := w.poll(toolID, deviceGrantType, code); status != http.StatusBadRequest || again["error"] != "bad_verification_code" {
		t.Errorf("a second time: %d %v", status, again)
	}
	if err := SignInDevice(t.Context(), w.http, w.url+devicePath, userCode, "ada", "lanyard-ada"); err == nil || !strings.Contains(err.Error(), "code didn't work") {
		t.Errorf("the user code a second time: %v", err)
	}
}

func number(body map[string]any) float64 {
	codes, _ := body["error_codes"].([]any)
	if len(codes) != 1 {
		return 0
	}
	n, _ := codes[0].(float64)
	return n
}

func TestDeviceCodeRefusals(t *testing.T) {
	org := withTool()
	org.Apps[len(org.Apps)-1].AssignmentRequired = true
	org.Apps[len(org.Apps)-1].Assignments = []Assignment{{ID: "a", PrincipalID: PaymentsEngineersID, AppRoleID: DefaultAccess}}
	w := newWorld(t, org)
	code, userCode, _ := w.begin("User.Read")
	for user, want := range map[string]string{"nobody": "AADSTS50034", "leo": "AADSTS50057", "mallory": "AADSTS50105"} {
		if err := SignInDevice(t.Context(), w.http, w.url+devicePath, userCode, user, password(user)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", user, err, want)
		}
	}
	if _, body := w.poll(toolID, deviceGrantType, code); number(body) != 70016 {
		t.Errorf("after refusals: %v", body)
	}
	if status, page := w.form(devicePath, url.Values{"code": {userCode}, "action": {"decline"}}); status != http.StatusOK || !strings.Contains(page, `id="done"`) {
		t.Errorf("declined: %d", status)
	}
	if _, body := w.poll(toolID, deviceGrantType, code); body["error"] != "authorization_declined" {
		t.Errorf("declined: %v", body)
	}
	late, _, _ := w.begin("User.Read")
	w.clock.Add(deviceLife)
	if _, body := w.poll(toolID, deviceGrantType, late); body["error"] != "expired_token" || number(body) != 70020 {
		t.Errorf("after a quarter of an hour: %v", body)
	}
	ended, userCode, _ := w.begin("User.Read")
	if err := SignInDevice(t.Context(), w.http, w.url+devicePath, userCode, "ada", "lanyard-ada"); err != nil {
		t.Fatal(err)
	}
	w.SetEnabled("ada", false)
	if _, body := w.poll(toolID, deviceGrantType, ended); number(body) != 50057 {
		t.Errorf("disabled after signing in: %v", body)
	}
	resp, err := w.http.PostForm(w.url+"/"+w.TenantID()+"/oauth2/v2.0/devicecode", url.Values{"client_id": {LanyardAppID}, "scope": {"User.Read"}})
	if err != nil {
		t.Fatal(err)
	}
	if body := decodeBody(t, resp); resp.StatusCode != http.StatusUnauthorized || number(body) != 70002 {
		t.Errorf("a web app: %d %v", resp.StatusCode, body)
	}
}

// TestDeviceCodeWithTheBrowsersSession: who is signed in goes on by a click, after reading which app it is.
func TestDeviceCodeWithTheBrowsersSession(t *testing.T) {
	w := newWorld(t, withTool())
	w.signIn("ada")
	code, userCode, _ := w.begin("User.Read")
	if status, page := w.form(devicePath, url.Values{"code": {userCode}}); status != http.StatusOK || !strings.Contains(page, `<strong id="app">Tool</strong>`) || !strings.Contains(page, "Go on as ada@contoso.example") {
		t.Errorf("the page: %d %s", status, page)
	}
	if _, body := w.poll(toolID, deviceGrantType, code); number(body) != 70016 {
		t.Errorf("before the click: %v", body)
	}
	w.form(devicePath, url.Values{"code": {userCode}, "action": {"continue"}})
	if status, body := w.poll(toolID, deviceGrantType, code); status != http.StatusOK {
		t.Errorf("after the click: %d %v", status, body)
	}
}

// TestAttack14DeviceForms: a page elsewhere cannot answer for the person whose browser shows it.
func TestAttack14DeviceForms(t *testing.T) {
	w := newWorld(t, withTool())
	w.signIn("ada")
	code, userCode, _ := w.begin("User.Read")
	status, _ := w.form(devicePath, url.Values{"code": {userCode}, "action": {"continue"}}, "Origin", "https://evil.example.test", "Sec-Fetch-Site", "cross-site")
	if status != http.StatusForbidden {
		t.Errorf("the form of another site: %d", status)
	}
	if _, body := w.poll(toolID, deviceGrantType, code); number(body) != 70016 {
		t.Errorf("afterwards: %v", body)
	}
}

// TestAttack17DeviceCodeOfAnotherClient: a device code works for the client that asked for it.
func TestAttack17DeviceCodeOfAnotherClient(t *testing.T) {
	w := newWorld(t, withTool())
	code, userCode, _ := w.begin("User.Read")
	if err := SignInDevice(t.Context(), w.http, w.url+devicePath, userCode, "ada", "lanyard-ada"); err != nil {
		t.Fatal(err)
	}
	if status, body := w.poll("", deviceGrantType, code); status != http.StatusBadRequest || body["error"] != "bad_verification_code" {
		t.Errorf("another client: %d %v", status, body)
	}
	if status, _ := w.poll(toolID, deviceGrantType, code); status != http.StatusOK {
		t.Errorf("its own client: %d", status)
	}
}

func TestDeviceCodeOutlivesARestart(t *testing.T) {
	folder := t.TempDir()
	w := startWorld(t, withTool(), folder, "")
	code, userCode, _ := w.begin("User.Read")
	if err := SignInDevice(t.Context(), w.http, w.url+devicePath, userCode, "ada", "lanyard-ada"); err != nil {
		t.Fatal(err)
	}
	addr := w.server.Listener.Addr().String()
	w.shut()
	w = startWorld(t, withTool(), folder, addr)
	w.clock.Add(time.Minute)
	if status, body := w.poll(toolID, deviceGrantType, code); status != http.StatusOK {
		t.Errorf("after a restart: %d %v", status, body)
	}
}

// TestDeviceCodeUnderPolicies: what policies want of a person they want on the page for codes too.
func TestDeviceCodeUnderPolicies(t *testing.T) {
	w := newWorld(t, withTool())
	if _, err := w.SetPolicy(Policy{Name: "second factor", Users: []string{All}, Apps: []string{GraphAppID}, Controls: []string{ControlMFA}}); err != nil {
		t.Fatal(err)
	}
	sign := func(p Person) (string, error) {
		code, userCode, _ := w.begin("User.Read")
		return code, SignInDeviceAs(t.Context(), &http.Client{Transport: w.http.Transport}, w.url+devicePath, userCode, p)
	}
	ada := Person{User: "ada", Password: password("ada")}
	code, err := sign(ada)
	if err != nil {
		t.Fatal(err)
	}
	if status, body := w.poll(toolID, deviceGrantType, code); status != http.StatusOK {
		t.Errorf("with a second factor: %d %v", status, body)
	}
	if code, err = sign(Person{User: "ada", Password: password("ada"), Denies: true}); err == nil || !strings.Contains(err.Error(), "AADSTS50074") {
		t.Errorf("without: %v", err)
	}
	if _, body := w.poll(toolID, deviceGrantType, code); number(body) != 70016 {
		t.Errorf("without: %v", body)
	}
	if _, err := w.SetPolicy(Policy{Name: "managed machines", Users: []string{All}, Apps: []string{All}, Controls: []string{ControlDevice}}); err != nil {
		t.Fatal(err)
	}
	if _, err = sign(ada); err == nil || !strings.Contains(err.Error(), "AADSTS53000") {
		t.Errorf("from a machine that nobody knows: %v", err)
	}
	ada.Device = DeviceCompliant
	if code, err = sign(ada); err != nil {
		t.Fatal(err)
	}
	if status, body := w.poll(toolID, deviceGrantType, code); status != http.StatusOK {
		t.Errorf("from a managed machine: %d %v", status, body)
	}
}
