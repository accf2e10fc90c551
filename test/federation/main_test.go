// Package federation tests with the whole program that others take a workspace's tokens: the sample tenant as a federated
// identity credential, and programs of clouds and clusters by the files that the workspace keeps for them.
package federation

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

const googleProvider = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/developers/providers/lanyard"

// audiences is what the project declares beside what the sample world has.
const audiences = `resources:
  - audience: azure
    aud: api://AzureADTokenExchange
    kind: federation
    file: {for: azure, client_id: CLIENT, tenant_id: TENANT}
  - audience: aws
    aud: sts.amazonaws.com
    kind: federation
    file: {for: aws, role: "arn:aws:iam::123456789012:role/developers", region: eu-central-1}
  - audience: google
    aud: ` + googleProvider + `
    kind: federation
    file: {for: google, service_account: dev@payments.iam.gserviceaccount.com}
  - audience: vault
    aud: vault.hashicorp.com
    kind: federation
  - audience: cluster
    aud: https://cluster.example.test
    file: {for: kubernetes, server: "https://cluster.example.test:6443"}
`

// world is a sample world whose payments project declares the audiences, and a workspace of ada's in it.
type world struct {
	*harness.World
	ws     api.Workspace
	issuer string
	http   *http.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	h := harness.Start(t)
	tenant := strings.Split(strings.TrimSuffix(h.Info.Tenant.Issuer, "/v2.0"), "/")
	path := filepath.Join(h.Data, "projects", "payments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	declared := strings.NewReplacer("CLIENT", h.Info.Tenant.ClientID, "TENANT", tenant[len(tenant)-1]).Replace(audiences)
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "resources:\n", declared, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	b := browser.New() // finds the names below localhost
	t.Cleanup(b.Close)
	w := &world{World: h, issuer: h.Info.URL, http: b.HTTP()}
	w.Eventually("the file is in force", func() bool {
		said := h.Lanyard("why", "token:mint", "payments/azure", "--user", "ada", "--json")
		return said.Status == 0 && strings.Contains(said.Out, `"allow"`)
	})
	w.ws = h.Workspace("ada", payments)
	return w
}

// token asks for one inside the workspace.
func (w *world) token(command string) string {
	w.T.Helper()
	return strings.TrimSpace(w.Must("ada", w.ws, command))
}

// claims reads a token without believing it.
func claims(t testing.TB, token string) (header, payload map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %s", token)
	}
	for i, into := range []*map[string]any{&header, &payload} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil || json.Unmarshal(text, into) != nil {
			t.Fatalf("no JWT: %s, %v", token, err)
		}
	}
	return header, payload
}
