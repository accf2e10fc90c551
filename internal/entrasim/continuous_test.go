package entrasim

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

const capable = `{"access_token":{"xms_cc":{"values":["cp1"]}}}`

// TestContinuousEvaluation: a client that understands claims challenges gets a token for a day, which Graph refuses from the
// moment on that the person's sign-ins are revoked; the refresh token is over too.
func TestContinuousEvaluation(t *testing.T) {
	w := newWorld(t, contoso())
	token := w.signIn("ada")
	short := w.graphFor(token.RefreshToken, "")
	long := w.graphFor(token.RefreshToken, capable)
	c := claims(t, long)
	if life := c["exp"].(float64) - c["iat"].(float64); life != (backDated + longLife).Seconds() {
		t.Errorf("it lives for %v s", life)
	}
	if status, challenge := w.me(long); status != http.StatusOK {
		t.Errorf("before: %d %s", status, challenge)
	}
	w.clock.Add(2 * time.Second)
	w.RevokeSessions("ada")
	if status, _ := w.me(short); status != http.StatusOK {
		t.Errorf("a short-lived token is good until its end: %d", status)
	}
	status, challenge := w.me(long)
	if status != http.StatusUnauthorized {
		t.Fatalf("after: %d", status)
	}
	recorded := fixture[[]struct {
		Case            string
		WWWAuthenticate string `json:"www_authenticate"`
	}](t, "claims-challenges.json")
	names := func(header string) (list []string) {
		for part := range strings.SplitSeq(strings.TrimPrefix(header, "Bearer "), ", ") {
			name, _, _ := strings.Cut(part, "=")
			list = append(list, name)
		}
		return list
	}
	for _, r := range recorded {
		if strings.HasPrefix(r.Case, "Graph") && strings.Join(names(r.WWWAuthenticate), " ") != strings.Join(names(challenge), " ") {
			t.Errorf("the challenge is %s\nrecorded %s", challenge, r.WWWAuthenticate)
		}
	}
	_, encoded, _ := strings.Cut(challenge, `claims="`)
	text, err := base64.StdEncoding.DecodeString(strings.TrimSuffix(encoded, `"`))
	var asked struct {
		AccessToken struct {
			NBF struct {
				Essential bool   `json:"essential"`
				Value     string `json:"value"`
			} `json:"nbf"`
		} `json:"access_token"`
	}
	if err != nil || json.Unmarshal(text, &asked) != nil || !asked.AccessToken.NBF.Essential || asked.AccessToken.NBF.Value == "" {
		t.Errorf("the claims are %q %v", text, err)
	}
	if status, body := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}, "claims": {string(text)}}); status != http.StatusBadRequest || number(body) != 50173 {
		t.Errorf("the refresh token: %d %v", status, body)
	}
	again := w.graphFor(w.signIn("ada").RefreshToken, capable)
	if status, _ := w.me(again); status != http.StatusOK {
		t.Errorf("signed in anew: %d", status)
	}
	w.SetEnabled("ada", false)
	if status, challenge := w.me(again); status != http.StatusUnauthorized || !strings.Contains(challenge, "insufficient_claims") {
		t.Errorf("disabled: %d %s", status, challenge)
	}
}

func (w *world) graphFor(refresh, asked string) string {
	w.t.Helper()
	status, body := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "scope": {"User.Read"}, "claims": {asked}})
	if status != http.StatusOK {
		w.t.Fatalf("%d %v", status, body)
	}
	return body["access_token"].(string)
}

// me asks Graph who one is, and returns its status and challenge.
func (w *world) me(token string) (int, string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.GraphURL()+"/me", nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	answer, err := w.http.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	decodeBody(w.t, answer)
	return answer.StatusCode, answer.Header.Get("WWW-Authenticate")
}

// TestCapabilitiesReachAnAPI: an API whose manifest lists xms_cc learns that the client takes claims challenges; it may tell
// it so, and the token lives as long as any.
func TestCapabilitiesReachAnAPI(t *testing.T) {
	org := contoso()
	org.Apps[1].OptionalClaims = append(org.Apps[1].OptionalClaims, "xms_cc")
	w := newWorld(t, org)
	token := w.signIn("ada")
	for asked, want := range map[string]int{"": 0, capable: 1, `{"access_token":{"xms_cc":{"values":["CP1"]}}}`: 1, `{"access_token":{"xms_cc":{"values":["cp2"]}}}`: 0} {
		status, body := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}, "scope": {ContosoGitAppID + "/user_impersonation"}, "claims": {asked}})
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, body)
		}
		c := claims(t, body["access_token"].(string))
		if got, _ := c["xms_cc"].([]any); len(got) != want || body["expires_in"] != float64(3599) {
			t.Errorf("asked with %s: xms_cc %v, expires_in %v", asked, c["xms_cc"], body["expires_in"])
		}
	}
}
