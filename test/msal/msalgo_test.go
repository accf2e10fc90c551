package msal

import (
	"context"
	"crypto"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// TestMSALForGo signs a person in as a desktop app does, and apps as services do.
func TestMSALForGo(t *testing.T) {
	w := newWorld(t)
	t.Run("interactive", func(t *testing.T) { w.goInteractive(t, w.TenantID()) })
	t.Run("interactive by the domain's name", func(t *testing.T) { w.goInteractive(t, "contoso.example") })
	t.Run("interactive at common", func(t *testing.T) { w.goInteractive(t, "common") })
	t.Run("device code", w.goDeviceCode)
	t.Run("service", w.goService)
	t.Run("on behalf of", w.goOnBehalf)
	t.Run("code", w.goCode)
	t.Run("refused", w.goRefused)
}

func (w *world) goPublic(t *testing.T, tenant string) public.Client {
	t.Helper()
	app, err := public.New(desktopID, public.WithAuthority(w.at(tenant)), public.WithHTTPClient(w.http), public.WithInstanceDiscovery(false))
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// goInteractive listens on a port of loopback that the library chooses. The token is renewed by its refresh token.
func (w *world) goInteractive(t *testing.T, tenant string) {
	app := w.goPublic(t, tenant)
	result, err := app.AcquireTokenInteractive(w.ctx(), []string{graphRead}, public.WithRedirectURI("http://localhost"), public.WithOpenURL(w.person))
	if err != nil {
		t.Fatal(err)
	}
	w.forPerson(t, result.AccessToken, desktopID, entrasim.GraphAppID, "0")
	if result.Account.PreferredUsername != "ada@contoso.example" || result.Account.HomeAccountID != entrasim.AdaID+"."+w.TenantID() {
		t.Errorf("the account is %+v", result.Account)
	}
	if result.IDToken.Oid != entrasim.AdaID || result.IDToken.Issuer != w.Issuer() {
		t.Errorf("the ID token says %+v", result.IDToken)
	}
	again, err := app.AcquireTokenSilent(w.ctx(), []string{graphRead}, public.WithSilentAccount(result.Account))
	if err != nil || again.AccessToken != result.AccessToken {
		t.Errorf("from its cache: %v", err)
	}
	// Claims make it leave its cache aside and redeem the refresh token; another resource is another token.
	fresh, err := app.AcquireTokenSilent(w.ctx(), []string{graphRead}, public.WithSilentAccount(result.Account), public.WithClaims(`{"access_token":{"nbf":{"essential":true,"value":"1"}}}`))
	if err != nil || fresh.AccessToken == result.AccessToken {
		t.Fatalf("with claims: %v", err)
	}
	w.forPerson(t, fresh.AccessToken, desktopID, entrasim.GraphAppID, "0")
	api, err := app.AcquireTokenSilent(w.ctx(), []string{apiScope}, public.WithSilentAccount(result.Account))
	if err != nil {
		t.Fatal(err)
	}
	w.forPerson(t, api.AccessToken, desktopID, apiID, "0")
}

func (w *world) goDeviceCode(t *testing.T) {
	t.Parallel()
	code, err := w.goPublic(t, w.TenantID()).AcquireTokenByDeviceCode(w.ctx(), []string{graphRead})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(code.Result.Message, code.Result.UserCode) {
		t.Errorf("the message is %q", code.Result.Message)
	}
	if err := w.device(code.Result.VerificationURL, code.Result.UserCode); err != nil {
		t.Fatal(err)
	}
	result, err := code.AuthenticationResult(w.ctx())
	if err != nil {
		t.Fatal(err)
	}
	w.forPerson(t, result.AccessToken, desktopID, entrasim.GraphAppID, "0")
}

func (w *world) goConfidential(t *testing.T, id string, cred confidential.Credential, options ...confidential.Option) confidential.Client {
	t.Helper()
	app, err := confidential.New(w.at(w.TenantID()), id, cred, append(options, confidential.WithHTTPClient(w.http), confidential.WithInstanceDiscovery(false))...)
	if err != nil {
		t.Fatal(err)
	}
	return app
}

func goSecret(t *testing.T) confidential.Credential {
	t.Helper()
	cred, err := confidential.NewCredFromSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

func (w *world) goService(t *testing.T) {
	certificate, err := confidential.NewCredFromCert([]*x509.Certificate{w.app.cert}, crypto.PrivateKey(w.app.key))
	if err != nil {
		t.Fatal(err)
	}
	federated := confidential.NewCredFromAssertionCallback(func(context.Context, confidential.AssertionRequestOptions) (string, error) {
		return w.issuer.token(), nil
	})
	for name, c := range map[string]struct {
		cred    confidential.Credential
		azpacr  string
		options []confidential.Option
	}{
		"secret":                     {goSecret(t), "1", nil},
		"secret, with capabilities":  {goSecret(t), "1", []confidential.Option{confidential.WithClientCapabilities([]string{"cp1"})}},
		"certificate":                {certificate, "2", nil},
		"certificate with its chain": {certificate, "2", []confidential.Option{confidential.WithX5C()}},
		"federated":                  {federated, "2", nil},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := w.goConfidential(t, batchID, c.cred, c.options...).AcquireTokenByCredential(w.ctx(), []string{graphDefault})
			if err != nil {
				t.Fatal(err)
			}
			w.forApp(t, result.AccessToken, c.azpacr)
		})
	}
	result, err := w.goConfidential(t, batchID, goSecret(t)).AcquireTokenByCredential(w.ctx(), []string{"api://payments/.default"})
	if err != nil {
		t.Fatal(err)
	}
	if got := roles(t, result.AccessToken); len(got) != 1 || got[0] != "Payments.Post" {
		t.Errorf("its roles are %v", got)
	}
}

// goOnBehalf is an API that calls Graph as who called it.
func (w *world) goOnBehalf(t *testing.T) {
	caller, err := w.goPublic(t, w.TenantID()).AcquireTokenInteractive(w.ctx(), []string{apiScope}, public.WithRedirectURI("http://localhost"), public.WithOpenURL(w.person))
	if err != nil {
		t.Fatal(err)
	}
	result, err := w.goConfidential(t, apiID, goSecret(t)).AcquireTokenOnBehalfOf(w.ctx(), caller.AccessToken, []string{"https://graph.microsoft.com/User.Read"})
	if err != nil {
		t.Fatal(err)
	}
	w.forPerson(t, result.AccessToken, apiID, entrasim.GraphAppID, "1")
	if _, err := w.goConfidential(t, webID, goSecret(t)).AcquireTokenOnBehalfOf(w.ctx(), caller.AccessToken, []string{graphRead}); err == nil || !strings.Contains(err.Error(), "AADSTS500131") {
		t.Errorf("another app with a token for the API: %v", err)
	}
}

// goCode is a web application that is called back.
func (w *world) goCode(t *testing.T) {
	app := w.goConfidential(t, webID, goSecret(t))
	const back = "https://payments.example.test/signed-in"
	link, err := app.AuthCodeURL(w.ctx(), webID, back, []string{graphRead})
	if err != nil {
		t.Fatal(err)
	}
	at, err := entrasim.SignIn(w.ctx(), w.http, link, "ada", "lanyard-ada")
	if err != nil {
		t.Fatal(err)
	}
	result, err := app.AcquireTokenByAuthCode(w.ctx(), at.Query().Get("code"), back, []string{graphRead})
	if err != nil {
		t.Fatal(err)
	}
	w.forPerson(t, result.AccessToken, webID, entrasim.GraphAppID, "1")
	if result.IDToken.Oid != entrasim.AdaID || result.Account.HomeAccountID != entrasim.AdaID+"."+w.TenantID() {
		t.Errorf("the ID token says %+v of %+v", result.IDToken, result.Account)
	}
	if _, err := app.AcquireTokenByAuthCode(w.ctx(), at.Query().Get("code"), back, []string{graphRead}); err == nil || !strings.Contains(err.Error(), "AADSTS54005") {
		t.Errorf("a code taken twice: %v", err)
	}
}

// goRefused: what the tenant refuses arrives as the library's error, with number and correlation ID.
func (w *world) goRefused(t *testing.T) {
	cred, err := confidential.NewCredFromSecret("another secret")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.goConfidential(t, batchID, cred).AcquireTokenByCredential(w.ctx(), []string{graphDefault})
	if err == nil || !strings.Contains(err.Error(), "AADSTS7000215") || strings.Contains(err.Error(), "another secret") {
		t.Errorf("another secret: %v", err)
	}
	single, err := confidential.New(w.at("common"), batchID, goSecret(t), confidential.WithHTTPClient(w.http), confidential.WithInstanceDiscovery(false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err = single.AcquireTokenByCredential(w.ctx(), []string{graphDefault}); err == nil || !strings.Contains(err.Error(), "AADSTS50194") {
		t.Errorf("an app of one organisation at common: %v", err)
	}
}
