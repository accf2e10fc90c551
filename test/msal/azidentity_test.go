package msal

import (
	"context"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestAzidentity gets tokens with the Azure SDK for Go's credentials.
func TestAzidentity(t *testing.T) {
	w := newWorld(t)
	options := azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: w.url + "/"}, Transport: w.http}
	tenant := w.TenantID()
	must := func(c azcore.TokenCredential, err error) azcore.TokenCredential {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	token := func(t *testing.T, c azcore.TokenCredential, scope string, cae bool) string {
		t.Helper()
		got, err := c.GetToken(w.ctx(), policy.TokenRequestOptions{Scopes: []string{scope}, EnableCAE: cae})
		if err != nil {
			t.Fatal(err)
		}
		return got.Token
	}
	file := temporary(t, "token")
	if err := os.WriteFile(file, []byte(w.issuer.token()), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cred   func() (azcore.TokenCredential, error)
		azpacr string
	}{
		"secret": {func() (azcore.TokenCredential, error) {
			return azidentity.NewClientSecretCredential(tenant, batchID, secret, &azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
		}, "1"},
		"certificate": {func() (azcore.TokenCredential, error) {
			return azidentity.NewClientCertificateCredential(tenant, batchID, []*x509.Certificate{w.app.cert}, w.app.key,
				&azidentity.ClientCertificateCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true, SendCertificateChain: true})
		}, "2"},
		"assertion": {func() (azcore.TokenCredential, error) {
			return azidentity.NewClientAssertionCredential(tenant, batchID, func(context.Context) (string, error) { return w.issuer.token(), nil },
				&azidentity.ClientAssertionCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
		}, "2"},
		"workload identity": {func() (azcore.TokenCredential, error) {
			return azidentity.NewWorkloadIdentityCredential(&azidentity.WorkloadIdentityCredentialOptions{
				ClientOptions: options, DisableInstanceDiscovery: true, ClientID: batchID, TenantID: tenant, TokenFilePath: file})
		}, "2"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, cae := range []bool{false, true} {
				w.forApp(t, token(t, must(c.cred()), graphDefault, cae), c.azpacr)
			}
		})
	}
	t.Run("interactive", func(t *testing.T) {
		harness.Need(t, "curl")
		opener(t, w.ca.file)
		c := must(azidentity.NewInteractiveBrowserCredential(&azidentity.InteractiveBrowserCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: true, ClientID: desktopID, TenantID: tenant, RedirectURL: "http://localhost"}))
		w.forPerson(t, token(t, c, graphDefault, false), desktopID, entrasim.GraphAppID, "0")
	})
	t.Run("device code, and on behalf of", func(t *testing.T) {
		t.Parallel()
		device := must(azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions: options, DisableInstanceDiscovery: true, ClientID: desktopID, TenantID: tenant,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				return w.device(m.VerificationURL, m.UserCode)
			},
		}))
		called := token(t, device, apiScope, false)
		w.forPerson(t, called, desktopID, apiID, "0")
		behalf := must(azidentity.NewOnBehalfOfCredentialWithSecret(tenant, apiID, called, secret,
			&azidentity.OnBehalfOfCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true}))
		w.forPerson(t, token(t, behalf, "https://graph.microsoft.com/User.Read", false), apiID, entrasim.GraphAppID, "1")
		w.forPerson(t, token(t, device, graphDefault, true), desktopID, entrasim.GraphAppID, "0")
	})
}

// opener is what the desktop opens links with while the test runs: a browser in which ada signs in.
func opener(t *testing.T, ca string) {
	t.Helper()
	dir := t.TempDir()
	script := `#!/bin/sh
page=$(curl --silent --show-error --fail --cacert "$LANYARD_TEST_CA" --data action=signin --data username=ada --data password=lanyard-ada "$1") || exit 1
field() { printf '%s' "$page" | sed -n 's/.*name="'"$1"'" value="\([^"]*\)".*/\1/p'; }
to=$(printf '%s' "$page" | sed -n 's/.*name="hiddenform" action="\([^"]*\)".*/\1/p')
exec curl --silent --output /dev/null --data-urlencode "code=$(field code)" --data-urlencode "state=$(field state)" "$to"
`
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("LANYARD_TEST_CA", ca)
}
