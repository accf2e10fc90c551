package signin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/signin"
)

// refusal is the problem document of an answer.
func refusal(t *testing.T, body string) problem.Document {
	t.Helper()
	var d problem.Document
	if err := json.Unmarshal([]byte(body), &d); err != nil || d.Help == nil {
		t.Fatalf("%v: %s", err, body)
	}
	return d
}

// What the tenant refuses is told in plain words, with who can mend it and the IDs by which it is found; of what came with
// it nothing is shown that is not of its shape.
func TestRefusalsAreExplained(t *testing.T) {
	const correlation, trace = "a3c1e7a0-31e5-4f1f-9c1a-4b5f4f6b7c8d", "0f0e0d0c-31e5-4f1f-9c1a-4b5f4f6b7c8d"
	w := newWorld(t)
	for _, c := range []struct {
		oauth, description string
		status             int
		says, who          string
	}{
		{"access_denied", "AADSTS50105: Your administrator has configured the application to block users.", 403, "your account is not assigned to Lanyard", "Application Administrator"},
		{"access_denied", "AADSTS53003: Access has been blocked by Conditional Access policies.", 403, "Conditional Access", "Conditional Access Administrator"},
		{"consent_required", "AADSTS65001: The user or administrator has not consented.", 403, "nobody has consented", "Application Administrator"},
		{"interaction_required", "AADSTS53000: Device is not in required device state: compliant.", 403, "a device that the organisation manages", "devices"},
		{"invalid_client", "AADSTS7000222: The provided client secret keys are expired.", 403, "client secret has expired", "whoever runs Lanyard"},
		{"server_error", "AADSTS90033: A transient error has occurred.", 503, "passing fault", "you"},
		{"access_denied", "AADSTS999999999: <script>alert(1)</script>", 403, "(access_denied)", ""},
		{"<script>", "\x1b[31m", 403, "(script)", ""},
	} {
		b := newBrowser(t)
		_, _, begun := b.send(http.MethodGet, w.url+"/login?return=/somewhere", nil)
		back := url.Values{"state": begun.Query()["state"], "error": {c.oauth},
			"error_description": {c.description + "\r\nTrace ID: " + trace + "\r\nCorrelation ID: " + correlation + "\r\nTimestamp: 2026-11-23 14:00:00Z"}}
		status, body, _ := b.send(http.MethodGet, w.url+signin.RedirectPath+"?"+back.Encode(), nil)
		d := refusal(t, body)
		if status != c.status || !strings.Contains(d.Detail, c.says) || !strings.Contains(d.Help.Who, c.who) || d.Help.Correlation != correlation || d.Help.Trace != trace {
			t.Errorf("%s: %d %s %+v", c.description, status, d.Detail, d.Help)
		}
		if strings.Contains(body, "alert(1)") || strings.Contains(body, "u001b") {
			t.Errorf("what came with it is shown: %s", body)
		}
	}
	found := false
	w.audit.mu.Lock()
	defer w.audit.mu.Unlock()
	for _, e := range w.audit.list {
		found = found || e.Detail["error_code"] == "AADSTS50105" && e.Detail["correlation"] == correlation
	}
	if !found {
		t.Error("the audit log does not know them")
	}
}

// Where the tenant says nothing by which it is found, the ID that Lanyard gave the attempt is told.
func TestRefusalHasTheAttemptsID(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	_, _, begun := b.send(http.MethodGet, w.url+"/login", nil)
	attempt := begun.Query().Get("client-request-id")
	_, body, _ := b.send(http.MethodGet, w.url+signin.RedirectPath+"?error=access_denied&state="+begun.Query().Get("state"), nil)
	if d := refusal(t, body); attempt == "" || d.Help.Correlation != attempt {
		t.Errorf("%q: %s", attempt, body)
	}
}

// The token endpoint's refusals are explained too, whether it is the person or Lanyard itself that is refused.
func TestRefusedCredentialIsExplained(t *testing.T) {
	r := newRogue(t)
	for _, c := range []struct {
		answer    map[string]any
		status    int
		says, who string
	}{
		{map[string]any{"error": "invalid_client", "error_description": "AADSTS7000222: The provided client secret keys for app are expired.", "error_codes": []int{7000222}, "correlation_id": entrasim.AdaID},
			503, "Lanyard's client secret has expired", "whoever runs Lanyard"},
		{map[string]any{"error": "invalid_grant", "error_description": "AADSTS50105: not assigned", "error_codes": []int{50105}, "correlation_id": entrasim.AdaID},
			403, "not assigned to Lanyard", "Application Administrator"},
	} {
		b := newBrowser(t)
		r.refuseCode = c.answer
		status, body, _ := r.enter(t, b, r.claims(""))
		d := refusal(t, body)
		if status != c.status || !strings.Contains(d.Detail, c.says) || !strings.Contains(d.Help.Who, c.who) || d.Help.Correlation != entrasim.AdaID {
			t.Errorf("%v: %d %s", c.answer, status, body)
		}
	}
}

// The clocks of Lanyard and the tenant may differ by much: then a sign-in is refused with that as its reason, once.
func TestClocksThatDiffer(t *testing.T) {
	now := time.Now()
	for name, at := range map[string]time.Time{"ahead": now.Add(2 * time.Hour), "behind": now.Add(-2 * time.Hour)} {
		r := newRogue(t, func(c *signin.Config) { c.Now = func() time.Time { return at } })
		status, body, next := r.enter(t, newBrowser(t), r.claims(""))
		if d := refusal(t, body); status != http.StatusForbidden || next != nil || !strings.Contains(d.Help.Do, "clock") || !strings.Contains(d.Detail, "here it is") {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for _, differ := range []time.Duration{-4 * time.Minute, 4 * time.Minute} {
		r := newRogue(t, func(c *signin.Config) { c.Now = func() time.Time { return time.Now().Add(differ) } })
		if status, body, _ := r.enter(t, newBrowser(t), r.claims("")); status != http.StatusSeeOther {
			t.Errorf("%s apart: %d %s", differ, status, body)
		}
	}
}

// Whom the tenant knows from long ago is asked for the password, once, and not refused for ever.
func TestOldSignInIsMadeAnew(t *testing.T) {
	r := newRogue(t)
	b := newBrowser(t)
	old := r.claims("")
	old["auth_time"] = time.Now().Add(-13 * time.Hour).Unix()
	status, body, next := r.enterAt(t, b, r.url+"/login?return=/somewhere", old)
	if status != http.StatusSeeOther || next.Query().Get("prompt") != "login" {
		t.Fatalf("%d %v %s", status, next, body)
	}
	if status, body, next := r.answer(t, b, next, old); status != http.StatusForbidden || next != nil || !strings.Contains(body, "older than 12h") {
		t.Fatalf("a tenant that does not ask leads into a circle: %d %v %s", status, next, body)
	}
	_, _, next = r.enterAt(t, b, r.url+"/login?return=/somewhere", old)
	if status, body, next := r.answer(t, b, next, r.claims("")); status != http.StatusSeeOther || next.Path != "/somewhere" {
		t.Errorf("%d %v %s", status, next, body)
	}
}

// A guest's sign-in ends sooner, and where there are to be none, they are told.
func TestGuests(t *testing.T) {
	for name, claim := range map[string]map[string]any{"acct": {"acct": 1}, "idp": {"idp": "https://sts.windows.net/11111111-2222-4333-8444-555555555555/"}} {
		guest := func(r *rogue) map[string]any {
			claims := r.claims("")
			for k, v := range claim {
				claims[k] = v
			}
			return claims
		}
		r := newRogue(t)
		if status, body, _ := r.enter(t, newBrowser(t), guest(r)); status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		for row := range r.sessions.Set().All {
			if got := row.Expires.Sub(row.At); !row.Guest || got != 2*time.Hour {
				t.Errorf("%s: a guest (%t) for %s", name, row.Guest, got)
			}
		}
		strict := newRogue(t, func(c *signin.Config) { c.NoGuests = true })
		b := newBrowser(t)
		status, body, _ := strict.enter(t, b, guest(strict))
		if d := refusal(t, body); status != http.StatusForbidden || !strings.Contains(d.Detail, "guest") || !strings.Contains(d.Help.Do, "entra.guests") {
			t.Errorf("%s: %d %s", name, status, body)
		}
		for row := range strict.sessions.Set().All {
			t.Errorf("%s: %+v", name, row)
		}
		member := strict.claims("")
		member["acct"] = 0
		if status, body, _ := strict.enter(t, b, member); status != http.StatusSeeOther {
			t.Errorf("a member: %d %s", status, body)
		}
	}
}

// What the tenant wants a new sign-in to show reaches it (a claims challenge), for the one person, and what that person has
// open in workspaces hangs below the new sign-in then.
func TestChallenge(t *testing.T) {
	const wanted = `{"access_token":{"acrs":{"essential":true,"value":"c7"}}}`
	r := newRogue(t)
	b := newBrowser(t)
	claims := r.claims("")
	claims["login_hint"] = "O.CiQ-opaque"
	r.enter(t, b, claims)
	first := r.only(t)
	session := r.sessions.Set().Below(first)[0]
	ws, err := r.sessions.ForWorkspace(t.Context(), session.ID, "w-aaaaaaaaaaaaaaaa", "p-aaaaaaaaaaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	r.refuse = map[string]any{"error": "interaction_required", "suberror": "basic_action", "error_description": "AADSTS50076: Due to a configuration change…",
		"error_codes": []int{50076}, "claims": wanted}
	_, err = r.signin.AccessToken(t.Context(), identity.Principal{Kind: identity.Person, User: user(entrasim.AdaID), Session: ws}, "git/.default")
	d := problem.DocumentOf(err)
	if problem.KindOf(err) != problem.SignInNeeded || d.Next == nil || !strings.Contains(d.Detail, d.Next.SignIn) || !strings.Contains(d.Detail, "second factor") {
		t.Fatalf("%v", err)
	}
	if strings.Contains(d.Next.SignIn, "essential") { // "c7" may well stand in what is sealed
		t.Error("the challenge stands in the link for anybody to change")
	}
	link := d.Next.SignIn
	_, _, begun := b.send(http.MethodGet, link, nil)
	if q := begun.Query(); q.Get("claims") != wanted || q.Get("login_hint") != "O.CiQ-opaque" {
		t.Fatalf("the tenant is asked for %v", q)
	}
	other := r.claims("")
	other["oid"] = entrasim.LinusID
	if status, body, _ := r.answer(t, newBrowserLike(b), begun, other); status != http.StatusForbidden || !strings.Contains(body, "somebody else") {
		t.Errorf("as somebody else: %d %s", status, body)
	}
	if status, body, _ := r.enterAt(t, b, link, r.claims("")); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, body)
	}
	_, above, _ := r.sessions.Set().Session(ws)
	if above.ID == first {
		t.Error("the workspace is left below the sign-in that did not do")
	}
	for _, changed := range []string{link[:len(link)-2] + "AA", strings.Replace(link, "challenge=", "challenge=A", 1)} {
		if status, _, next := b.send(http.MethodGet, changed, nil); status != http.StatusBadRequest || next != nil {
			t.Errorf("a changed link: %d %v", status, next)
		}
	}
}

// only is the one sign-in that there is.
func (r *rogue) only(t *testing.T) identity.SignInID {
	t.Helper()
	var ids []identity.SignInID
	for row := range r.sessions.Set().All {
		ids = append(ids, row.ID)
	}
	if len(ids) != 1 {
		t.Fatalf("%d sign-ins", len(ids))
	}
	return ids[0]
}

// newBrowserLike is a browser with the same cookies.
func newBrowserLike(b *browser) *browser {
	other := newBrowser(b.t)
	for host, jar := range b.cookies {
		other.cookies[host] = map[string]string{}
		for name, value := range jar {
			other.cookies[host][name] = value
		}
	}
	return other
}
