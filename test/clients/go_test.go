package clients

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/client/rs"
	"github.com/zitadel/oidc/v3/pkg/client/tokenexchange"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/test/harness"
)

// client is an HTTP client of somebody's program, which finds hosts below localhost on this machine.
func client(t *testing.T) *http.Client {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DialContext: server.Dial}, Timeout: harness.Wait}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// sentBack has Ada say yes to what a client asks, and checks what she is sent back with.
func (w *world) sentBack(ctx context.Context, t *testing.T, page, state string) (code string) {
	t.Helper()
	to, err := w.visit(ctx, page)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil || u.Query().Get("state") != state || u.Query().Get("iss") != w.url || u.Query().Get("code") == "" {
		t.Fatalf("sent back to %s: %v", to, err)
	}
	return u.Query().Get("code")
}

// x/oauth2 gets the tokens, go-oidc reads the documents and verifies.
func (w *world) goOIDC(t *testing.T) {
	ctx := gooidc.ClientContext(within(t), client(t))
	provider, err := gooidc.NewProvider(ctx, w.url)
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID: "portal", ClientSecret: portalSecret, RedirectURL: back, Endpoint: provider.Endpoint(),
		Scopes: []string{gooidc.ScopeOpenID, "profile", gooidc.ScopeOfflineAccess},
	}
	verifier := oauth2.GenerateVerifier()
	code := w.sentBack(ctx, t, config.AuthCodeURL("a state", gooidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier)), "a state")
	if _, err := config.Exchange(ctx, code, oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("with another verifier: %v", err)
	}
	code = w.sentBack(ctx, t, config.AuthCodeURL("a state", gooidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier)), "a state")
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	id, err := provider.Verifier(&gooidc.Config{ClientID: "portal"}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	var who struct {
		Object string `json:"oid"`
	}
	if err := id.Claims(&who); err != nil || who.Object != entrasim.AdaID || id.Nonce != "a nonce" {
		t.Errorf("%+v %v", id, err)
	}
	if err := id.VerifyAccessToken(tokens.AccessToken); err != nil {
		t.Error(err)
	}
	old := *tokens
	old.Expiry = old.Expiry.Add(-harness.Wait * 100) // the source refreshes what has ended
	source := config.TokenSource(ctx, &old)
	next, err := source.Token()
	if err != nil || next.RefreshToken == tokens.RefreshToken || next.AccessToken == tokens.AccessToken {
		t.Fatalf("refreshed: %v", err)
	}
	info, err := provider.UserInfo(ctx, source)
	if err != nil || info.Subject != id.Subject {
		t.Errorf("UserInfo: %+v %v", info, err)
	}
	if _, err := config.TokenSource(ctx, &old).Token(); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("a refresh token a second time: %v", err)
	}
	if _, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(next)); err == nil {
		t.Error("after that, the family lives on")
	}

	config.ClientID, config.ClientSecret = "native", "" // DeviceAuth shows no secret
	waiting, err := config.DeviceAuth(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.types(ctx, waiting.UserCode); err != nil {
		t.Fatal(err)
	}
	device, err := config.DeviceAccessToken(ctx, waiting)
	if err != nil || device.AccessToken == "" {
		t.Errorf("by a device's code: %v", err)
	}
}

// zitadel's relying party, its token exchange, and its resource server.
func (w *world) zitadel(t *testing.T) {
	ctx, plain := within(t), client(t)
	party, err := rp.NewRelyingPartyOIDC(ctx, w.url, "portal", portalSecret, back, []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeOfflineAccess},
		rp.WithHTTPClient(plain), rp.WithSigningAlgsFromDiscovery())
	if err != nil {
		t.Fatal(err)
	}
	verifier := oauth2.GenerateVerifier()
	code := w.sentBack(ctx, t, rp.AuthURL("a state", party, rp.WithCodeChallenge(oauth2.S256ChallengeFromVerifier(verifier))), "a state")
	tokens, err := rp.CodeExchange[*oidc.IDTokenClaims](ctx, code, party, rp.WithCodeVerifier(verifier))
	if err != nil {
		t.Fatal(err)
	}
	info, err := rp.Userinfo[*oidc.UserInfo](ctx, tokens.AccessToken, tokens.TokenType, tokens.IDTokenClaims.Subject, party)
	if err != nil || info.Name != "Ada Lovelace" {
		t.Errorf("UserInfo: %+v %v", info, err)
	}
	next, err := rp.RefreshTokens[*oidc.IDTokenClaims](ctx, party, tokens.RefreshToken, "", "")
	if err != nil {
		t.Fatal(err)
	}
	exchanger, err := tokenexchange.NewTokenExchangerClientCredentials(ctx, w.url, "portal", portalSecret, tokenexchange.WithHTTPClient(plain))
	if err != nil {
		t.Fatal(err)
	}
	got, err := tokenexchange.ExchangeToken(ctx, exchanger, next.AccessToken, oidc.AccessTokenType, "", "", nil, []string{"planner"}, nil, oidc.AccessTokenType)
	if err != nil {
		t.Fatal(err)
	}
	if got.IssuedTokenType != oidc.AccessTokenType || got.TokenType != "Bearer" {
		t.Errorf("%+v", got)
	}
	if _, err := tokenexchange.ExchangeToken(ctx, exchanger, next.AccessToken, oidc.AccessTokenType, "", "", nil, []string{"storage"}, nil, oidc.AccessTokenType); err == nil ||
		!strings.Contains(err.Error(), "invalid_target") {
		t.Errorf("for what the client may not: %v", err)
	}
	planner, err := rs.NewResourceServerClientCredentials(ctx, w.url, "planner", plannerSecret, rs.WithClient(plain))
	if err != nil {
		t.Fatal(err)
	}
	seen := func() bool {
		told, err := rs.Introspect[*oidc.IntrospectionResponse](ctx, planner, got.AccessToken)
		if err != nil {
			t.Fatal(err)
		}
		return told.Active
	}
	if !seen() {
		t.Error("the planner does not believe what it got")
	}
	if err := rp.RevokeToken(ctx, party, next.RefreshToken, "refresh_token"); err != nil {
		t.Error(err)
	}
	if seen() {
		t.Error("after the session's end its token is believed")
	}
}

// asked is the page on which a person allows a client: it says what that may do then.
func (w *world) asked(t *testing.T) {
	ctx := within(t)
	for client, c := range map[string]struct{ redirect, says, hides string }{
		"portal": {back, "planner (https://planner.example.test)", "can do nothing as you"},
		"native": {onLoopback, "can do nothing as you", "planner"},
	} {
		body, _, err := w.open(ctx, http.MethodGet, w.url+"/oauth/authorize?"+url.Values{"client_id": {client}, "redirect_uri": {c.redirect}, "response_type": {"code"},
			"code_challenge": {oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier())}, "code_challenge_method": {"S256"}}.Encode(), nil)
		if err != nil || !strings.Contains(body, c.says) || strings.Contains(body, c.hides) {
			t.Errorf("%s: %v\n%s", client, err, body)
		}
	}
}
