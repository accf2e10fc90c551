package clients

import (
	"slices"
	"testing"
)

// Every client made by others goes its whole way at one server.
func TestClientsMadeByOthers(t *testing.T) {
	w := start(t)
	t.Run("what people are asked", w.asked)
	t.Run("openid-client", func(t *testing.T) {
		t.Parallel() // most of it is waiting for the next time that a device may ask
		want := []string{"code with PKCE, ID token, UserInfo", "refresh and introspection", "token exchange", "revocation", "resource indicator", "DPoP", "device"}
		if steps := w.npm(t, "openid-client.mjs"); !slices.Equal(steps, want) {
			t.Errorf("passed: %q", steps)
		}
	})
	t.Run("oauth4webapi and jose", func(t *testing.T) {
		t.Parallel()
		want := []string{"code with PKCE, DPoP with nonces, refresh", "device", "token exchange and introspection", "jose verifies", "revocation"}
		if steps := w.npm(t, "oauth4webapi.mjs"); !slices.Equal(steps, want) {
			t.Errorf("passed: %q", steps)
		}
	})
	t.Run("x/oauth2 and go-oidc", func(t *testing.T) {
		t.Parallel()
		w.goOIDC(t)
	})
	t.Run("zitadel", func(t *testing.T) {
		t.Parallel()
		w.zitadel(t)
	})
}
