package issuer_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/issuer"
)

// What a client wants of the sign-in is kept (OpenID Connect Core section 3.1.2.1): nothing is shown with none, and login asks
// who signed in some time ago to do so again, once.
func TestPrompts(t *testing.T) {
	w := newWorld(t)
	_, s256 := challenge()
	ask := func(prompt string) (status int, to string) {
		resp, _ := w.browse(issuer.AuthorizePath+"?"+url.Values{"client_id": {portal}, "redirect_uri": {portalBack}, "response_type": {"code"}, "prompt": {prompt},
			"code_challenge": {s256}, "code_challenge_method": {"S256"}}.Encode(), nil)
		return resp.StatusCode, resp.Header.Get("Location")
	}
	for prompt, want := range map[string]string{"none": portalBack + "?error=consent_required", "none login": portalBack + "?error=invalid_request"} {
		if _, to := ask(prompt); !strings.HasPrefix(to, want) {
			t.Errorf("%s: %s", prompt, to)
		}
	}
	if status, to := ask("login"); status != http.StatusOK {
		t.Errorf("who has just signed in: %d %s", status, to)
	}
	w.later(10 * time.Minute)
	if _, to := ask("login"); !strings.HasPrefix(to, "/login?") || !strings.Contains(to, "prompt=login") {
		t.Errorf("who signed in before: %s", to)
	}
	if status, to := ask("consent"); status != http.StatusOK {
		t.Errorf("consent: %d %s", status, to)
	}
}
