package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/identity"
)

const aroundOIDC = `url: https://lanyard.example.test
data: /data
encryption_key_file: /key
runtimes: {sandbox: {trusted_users_only: true}}
domains: {workspaces: w.contoso.example}
oidc:
`

func TestOIDC(t *testing.T) {
	c, err := Parse("lanyard.yaml", "/etc/lanyard", aroundOIDC+`  issuer: https://idp.example.test/realms/contoso/
  client_id: lanyard
  credential: {secret_file: secret}
  token_endpoint_auth_method: client_secret_post
  groups_claim: [realm_access, roles]
  prompt: consent
`)
	if err != nil {
		t.Fatal(err)
	}
	want := &OIDC{
		Issuer: "https://idp.example.test/realms/contoso/", Name: "idp.example.test", ClientID: "lanyard", TokenAuth: "client_secret_post",
		Credentials: []credential.Files{{Secret: "/etc/lanyard/secret"}}, Scopes: []string{"openid", "profile", "email", "offline_access"},
		GroupsClaim: []string{"realm_access", "roles"}, Prompt: "consent",
	}
	if diff := cmp.Diff(want, c.OIDC); diff != "" {
		t.Error(diff)
	}
	if c.Tenant() != identity.TenantID(want.Issuer) || c.Directory.Members != FromSignIn || len(c.Credentials()) != 1 || len(c.Entra.Credentials) != 0 {
		t.Errorf("tenant %s, members %s", c.Tenant(), c.Directory.Members)
	}
	if found := c.LongLived(); len(found) != 1 || !strings.Contains(found[0].Message, "client secret") {
		t.Errorf("long-lived: %v", found)
	}
}

// What would sign nobody in, or the wrong people, is found before it does.
func TestOIDCRefused(t *testing.T) {
	for issuer, why := range map[string]string{
		"http://idp.example.test":                                                         "over https://",
		"https://idp.example.test/?tenant=1":                                              "neither query",
		"https://idp.example.test/.well-known/openid-configuration":                       "the issuer alone",
		"https://ada:hunter2@idp.example.test":                                            "user name and password",
		"https://login.microsoftonline.com/11111111-1111-1111-1111-111111111111/v2.0":     "by `entra`",
		"https://sts.windows.net/11111111-1111-1111-1111-111111111111/":                   "by `entra`",
		"https://LOGIN.microsoftonline.com:443/11111111-1111-1111-1111-111111111111/v2.0": "by `entra`",
	} {
		_, err := Parse("lanyard.yaml", "/", aroundOIDC+"  issuer: "+issuer+"\n  client_id: lanyard\n  credential: {secret_file: /s}\n  groups_claim: groups\n")
		if err == nil || !strings.Contains(err.Error(), why) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}
