package msal

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// TestMSALAnswersChallenges: what the tenant's policies and Graph ask of a client, MSAL for Go passes on, and signs the
// person in again for it.
func TestMSALAnswersChallenges(t *testing.T) {
	w := newWorld(t)
	app, err := public.New(desktopID, public.WithAuthority(w.at(w.TenantID())), public.WithHTTPClient(w.http), public.WithInstanceDiscovery(false),
		public.WithClientCapabilities([]string{"cp1"}))
	if err != nil {
		t.Fatal(err)
	}
	interactive := func(scope, claims string) public.AuthResult {
		t.Helper()
		result, err := app.AcquireTokenInteractive(w.ctx(), []string{scope}, public.WithRedirectURI("http://localhost"), public.WithOpenURL(w.person), public.WithClaims(claims))
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	who := interactive(graphRead, "").Account
	silent := func(scope, claims string) (public.AuthResult, error) {
		return app.AcquireTokenSilent(w.ctx(), []string{scope}, public.WithSilentAccount(who), public.WithClaims(claims))
	}
	refused := func(what string, err error, number string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), number) {
			t.Errorf("%s: %v, want %s", what, err, number)
		}
	}

	t.Run("an authentication context", func(t *testing.T) {
		const wanted = `{"access_token":{"acrs":{"essential":true,"value":"c1"}}}`
		_, err := silent(apiScope, wanted)
		refused("without signing in again", err, "AADSTS50076")
		if got, _ := claims(t, interactive(apiScope, wanted).AccessToken)["acrs"].([]any); !slices.Contains(got, any("c1")) {
			t.Errorf("the token's contexts are %v", got)
		}
	})
	t.Run("a policy that blocks", func(t *testing.T) {
		p, err := w.SetPolicy(entrasim.Policy{Name: "nobody at the API", Users: []string{entrasim.All}, Apps: []string{apiID}, Controls: []string{entrasim.ControlBlock}})
		if err != nil {
			t.Fatal(err)
		}
		const fresh = `{"access_token":{"nbf":{"essential":true,"value":"1"}}}`
		_, err = silent(apiScope, fresh)
		refused("blocked", err, "AADSTS53003")
		if err := w.RemovePolicy(p.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := silent(apiScope, fresh); err != nil {
			t.Errorf("without the policy: %v", err)
		}
	})
	t.Run("a revocation", func(t *testing.T) {
		result, err := silent(graphRead, "")
		if err != nil {
			t.Fatal(err)
		}
		if time.Until(result.ExpiresOn) < 2*time.Hour {
			t.Errorf("a client with capabilities got a token until %s", result.ExpiresOn)
		}
		w.Advance(2 * time.Second)
		if err := w.RevokeSessions("ada"); err != nil {
			t.Fatal(err)
		}
		challenge := w.challenge(t, result.AccessToken)
		_, err = silent(graphRead, challenge)
		refused("the refresh token", err, "AADSTS50173")
		w.forPerson(t, interactive(graphRead, challenge).AccessToken, desktopID, entrasim.GraphAppID, "0")
	})
}

// challenge are the claims with which Graph refuses a token.
func (w *world) challenge(t *testing.T, token string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(w.ctx(), http.MethodGet, w.GraphURL()+"/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := w.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	found := regexp.MustCompile(`error="insufficient_claims", claims="([^"]+)"`).FindStringSubmatch(answer.Header.Get("WWW-Authenticate"))
	if answer.StatusCode != http.StatusUnauthorized || found == nil {
		t.Fatalf("Graph answers %s, %q", answer.Status, answer.Header.Get("WWW-Authenticate"))
	}
	decoded, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(decoded)
}
