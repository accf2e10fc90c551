package federation

import (
	"encoding/json"
	"strings"
	"testing"
)

// gitpod uses the names that people know from Gitpod, and finds the claims that trust policies look at.
func gitpod(t *testing.T, w *world) {
	_, said := claims(t, w.token("gp idp token --audience sts.amazonaws.com --scope read"))
	for claim, want := range map[string]any{
		"iss": w.issuer, "aud": "sts.amazonaws.com", "azp": "sts.amazonaws.com", "sub": payments, "repository": payments, "context": payments,
		"workspace_id": w.ws.ID, "email": "ada@contoso.example", "scope": "read",
	} {
		if said[claim] != want {
			t.Errorf("%s is %v, want %v", claim, said[claim], want)
		}
	}
	for _, claim := range []string{"user_id", "org_id", "name", "auth_time", "exp", "iat"} {
		if said[claim] == nil || said[claim] == "" {
			t.Errorf("there is no %s", claim)
		}
	}
	var decoded struct{ Header, Payload map[string]any }
	if err := json.Unmarshal([]byte(w.Must("ada", w.ws, "gp idp token --audience sts.amazonaws.com --decode")), &decoded); err != nil || decoded.Header["alg"] != "RS256" || decoded.Payload["sub"] != payments {
		t.Errorf("%+v %v", decoded, err)
	}
	var executable struct {
		Version int    `json:"version"`
		Success bool   `json:"success"`
		Type    string `json:"token_type"`
		Token   string `json:"id_token"`
		Expires int64  `json:"expiration_time"`
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	for _, command := range []string{"gp idp gcloud-token", "lanyard google-credential", "lanyard google-credential --audience google"} {
		out := w.Must("ada", w.ws, "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE="+googleProvider+" "+command)
		if err := json.Unmarshal([]byte(out), &executable); err != nil || executable.Version != 1 || !executable.Success || executable.Type != "urn:ietf:params:oauth:token-type:jwt" || executable.Expires == 0 {
			t.Errorf("%s: %s %v", command, out, err)
		}
		if _, said := claims(t, executable.Token); said["aud"] != googleProvider {
			t.Errorf("%s: %v", command, said)
		}
	}
	out := w.Must("ada", w.ws, "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE=//iam.googleapis.com/other gp idp gcloud-token 2>/dev/null")
	if err := json.Unmarshal([]byte(out), &executable); err != nil || executable.Success || executable.Code == "" || executable.Message == "" {
		t.Errorf("a provider that nobody declares: %s %v", out, err)
	}
	for line, want := range map[string]string{
		`KUBERNETES_EXEC_INFO='{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","spec":{"interactive":false}}' lanyard kubectl-credential --audience cluster`: `{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"expirationTimestamp":"`,
		`HOME=/tmp gp idp login aws --role-arn arn:aws:iam::123456789012:role/dev --profile work && cat /tmp/.aws/config`:                                                                 "The profile work in /tmp/.aws/config uses arn:aws:iam::123456789012:role/dev. AWS's tools ask this workspace for credentials when they need them.\n[profile work]\ncredential_process = /opt/lanyard/bin/lanyard aws-credential --gitpod --audience sts.amazonaws.com --role-arn arn:aws:iam::123456789012:role/dev --duration-seconds 3600\n",
		`gp idp login aws; echo $?`:                 "gp: say which role with --role-arn, or in IDP_AWS_ROLE_ARN\n  `gp idp login aws --help` says how it is used.\n2\n",
		`gp idp token --audience a --audience b; :`: "gp: a token is for one audience",
		`gp idp login vault --role dev; echo $?`:    "gp: say where Vault is in VAULT_ADDR",
	} {
		if out := w.Must("ada", w.ws, line); !strings.HasPrefix(out, want) {
			t.Errorf("%s\ngot  %q\nwant %q", line, out, want)
		}
	}
}
