package signin_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// TestAppsOwnToken: the tenant gives the registration itself a token, in which there is no person.
func TestAppsOwnToken(t *testing.T) {
	w := newWorld(t)
	scope := entrasim.ContosoGitAppID + "/.default"
	first, err := w.signin.AppToken(t.Context(), scope)
	if err != nil {
		t.Fatal(err)
	}
	w.tenant.Offline(true)
	w.signin.Forget()
	if again, err := w.signin.AppToken(t.Context(), scope); err != nil || again != first {
		t.Errorf("not cached: %v", err)
	}
	w.tenant.Offline(false)
	if _, err := w.signin.AppToken(t.Context(), "nothing-of-the-tenant/.default"); err == nil {
		t.Error("a token for what the tenant does not know")
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(first, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	if claims["aud"] != entrasim.ContosoGitAppID || claims["scp"] != nil || claims["oid"] == entrasim.AdaID {
		t.Errorf("the claims are %v", claims)
	}
}
