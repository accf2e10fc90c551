package federation

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

func TestFederation(t *testing.T) {
	w := newWorld(t)
	for _, part := range []struct {
		name string
		play func(*testing.T, *world)
	}{
		{"files of programs", files},
		{"MSAL", msal},
		{"documented checks", documented},
		{"the names that Gitpod's had", gitpod},
		{"a right that goes", gone},
	} {
		t.Run(part.name, func(t *testing.T) {
			w.T = t
			part.play(t, w)
		})
	}
	w.T = t
}

// files looks at what programs find in a new terminal.
func files(t *testing.T, w *world) {
	for line, want := range map[string]string{
		`stat -c '%a %U' $AZURE_FEDERATED_TOKEN_FILE $AWS_WEB_IDENTITY_TOKEN_FILE`:   "600 lanyard\n600 lanyard\n",
		`stat -f -c %T $AZURE_FEDERATED_TOKEN_FILE $AWS_WEB_IDENTITY_TOKEN_FILE`:     "tmpfs\ntmpfs\n",
		`echo $AZURE_CLIENT_ID $AWS_ROLE_ARN $AWS_REGION`:                            w.Info.Tenant.ClientID + " arn:aws:iam::123456789012:role/developers eu-central-1\n",
		`echo $GOOGLE_APPLICATION_CREDENTIALS $KUBECONFIG; ls /run/workspace/tokens`: "/run/workspace/tokens/google.json /run/workspace/tokens/cluster.kubeconfig\naws\nazure\ncluster.kubeconfig\ngoogle.json\n",
		`command -v lanyard gp`:               "/opt/lanyard/bin/lanyard\n/opt/lanyard/bin/gp\n",
		`env | cut -d= -f2- | grep -c '^eyJ'`: "0\n",
		`curl -s -o /dev/null -w '%{http_code}' -X POST http://127.0.0.1:7070/token`: "404",
		`lanyard token 2>&1; echo $?`: "lanyard: say who will take the token: --audience NAME, one of azure, aws, google, vault, cluster, reports, cloud\n  `lanyard token --help` says how it is used.\n2\n",
		`lanyard __complete token --audience '' 2>/dev/null | grep -c -e azure -e reports`:     "2\n",
		`lanyard token --list --json | grep -o '"audience":"azure"[^{]*"file":{"for":"azure"'`: `"audience":"azure","aud":"api://AzureADTokenExchange","kind":"federation","lifetime":600,"subject":"user","decision":"allow","file":{"for":"azure"` + "\n",
	} {
		if out, _ := w.Exec("ada", w.ws, line); out != want {
			t.Errorf("%s\ngot  %q\nwant %q", line, out, want)
		}
	}
	for _, path := range []string{"/git/../token", "/r/ledger/../../token", "/r/..%2ftoken", "/git/..;/token", "//token"} {
		out, _ := w.Exec("ada", w.ws, `curl -s --path-as-is -H 'Content-Type: application/json' -d '{"audience":"azure"}' 'http://127.0.0.1:7070`+path+`'`)
		if strings.Contains(out, "eyJ") || out == "" {
			t.Errorf("at the loopback address %s answers %q", path, out)
		}
	}
	if out, status := w.Exec("ada", w.ws, "lanyard token --audience elsewhere"); status != 3 || !strings.Contains(out, "elsewhere") {
		t.Errorf("an audience that nobody declares: %d %s", status, out)
	}
	header, payload := claims(t, w.token("cat $AZURE_FEDERATED_TOKEN_FILE"))
	if header["alg"] != "RS256" || payload["aud"] != "api://AzureADTokenExchange" || payload["workspace"] != w.ws.ID {
		t.Errorf("%v %v", header, payload)
	}
}

// gone takes the right to one audience away: its file goes, and the others stay.
func gone(t *testing.T, w *world) {
	policy := filepath.Join(w.Data, "policies", "no-azure.cedar")
	if err := os.WriteFile(policy, []byte("@id(\"no-azure\")\nforbid (principal, action == Action::\"token:mint\", resource == Audience::\"azure\");\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the file is gone", func() bool {
		out, status := w.Exec("ada", w.ws, "ls /run/workspace/tokens")
		return status == 0 && !strings.Contains(out, "azure") && strings.Contains(out, "aws")
	})
	out, status := w.Exec("ada", w.ws, "lanyard token --audience azure 2>&1")
	if status != 3 || strings.Contains(out, "eyJ") {
		t.Errorf("%d %s", status, out)
	}
	if out := w.Must("ada", w.ws, "env"); strings.Contains(out, "AZURE_") || !strings.Contains(out, "AWS_ROLE_ARN") {
		t.Errorf("the environment of new processes: %s", out)
	}
}

// msal gets a token for an app with a workspace's token in the place of a secret, as Microsoft's own library does.
func msal(t *testing.T, w *world) {
	_, payload := claims(t, w.token("lanyard token --audience azure"))
	subject, _ := payload["sub"].(string)
	tenant := w.Tenant()
	var apps struct {
		Value []struct {
			ID string `json:"id"`
		} `json:"value"`
	}
	tenant.Do(http.MethodGet, "/applications?$filter=appId%20eq%20'"+w.Info.Tenant.ClientID+"'", nil, &apps)
	if len(apps.Value) != 1 {
		t.Fatalf("the app is there %d times", len(apps.Value))
	}
	tenant.Do(http.MethodPost, "/applications/"+apps.Value[0].ID+"/federatedIdentityCredentials", map[string]any{
		"name": "ada-in-payments", "issuer": w.issuer, "subject": subject, "audiences": []string{"api://AzureADTokenExchange"},
	}, nil)
	get := func(command string) error {
		credential := confidential.NewCredFromAssertionCallback(func(context.Context, confidential.AssertionRequestOptions) (string, error) {
			return w.token(command), nil
		})
		authority := strings.Replace(strings.TrimSuffix(w.Info.Tenant.Issuer, "/v2.0"), "http:", "https:", 1)
		client, err := confidential.New(authority, w.Info.Tenant.ClientID, credential, confidential.WithHTTPClient(plain{w.http}), confidential.WithInstanceDiscovery(false))
		if err != nil {
			t.Fatal(err)
		}
		result, err := client.AcquireTokenByCredential(w.Context(), []string{"https://graph.microsoft.com/.default"})
		if err != nil {
			return err
		}
		if _, payload := claims(t, result.AccessToken); payload["azp"] != w.Info.Tenant.ClientID || payload["azpacr"] != "2" || payload["sub"] != payload["oid"] {
			t.Errorf("not the app's token: %v", payload)
		}
		return nil
	}
	var err error
	defer func() {
		if t.Failed() {
			t.Log(err)
		}
	}()
	w.Eventually("the tenant knows the credential", func() bool {
		err = get("cat $AZURE_FEDERATED_TOKEN_FILE")
		return err == nil
	})
	for command, code := range map[string]string{
		"lanyard token --audience aws":                          "AADSTS700212", // what is for another
		"gp idp token --audience api://AzureADTokenExchange":    "AADSTS700213", // whose subject is another
		"lanyard token --audience cluster":                      "AADSTS",       // ES256
		"lanyard token --audience azure | rev | cut -c2- | rev": "AADSTS",       // with a signature cut short
	} {
		if err := get(command); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v, want %s", command, err, code)
		}
	}
}

// plain is Microsoft's library's way to the sample tenant, which speaks http on loopback, while the library insists on https
// everywhere.
type plain struct{ c *http.Client }

func (p plain) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	answer, err := p.c.Do(r)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	answer.Body = io.NopCloser(strings.NewReader(strings.ReplaceAll(string(text), `"http://`, `"https://`)))
	return answer, err
}

func (p plain) CloseIdleConnections() { p.c.CloseIdleConnections() }
