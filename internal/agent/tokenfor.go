package agent

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// entry is what stands in the folder and in the environment for one audience, beside the file with its token.
type entry struct {
	file, text string // a file that says how to ask; empty for none
	env        map[string]string
}

// addTo adds the variables; paths of several cluster configurations stand side by side.
func (e entry) addTo(env map[string]string) {
	if path, more := e.env["KUBECONFIG"]; more && env["KUBECONFIG"] != "" {
		e.env["KUBECONFIG"] = env["KUBECONFIG"] + ":" + path
	}
	maps.Copy(env, e.env)
}

// lanyard is the command in the workspace that programs are told to run.
var lanyard = agentapi.CommandFolder + "/lanyard"

// entryFor is what each program looks for:
//
//	AWS         https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html
//	Azure       https://learn.microsoft.com/azure/aks/workload-identity-overview
//	Google      https://google.aip.dev/auth/4117
//	Kubernetes  https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
func entryFor(dir string, a api.TokenAudience) entry {
	e := entry{env: map[string]string{}}
	path := filepath.Join(dir, a.Name)
	if a.File.Holds {
		e.env["LANYARD_TOKEN_FILE_"+strings.ToUpper(strings.ReplaceAll(a.Name, "-", "_"))] = path
	}
	switch a.File.For {
	case "aws":
		e.env["AWS_WEB_IDENTITY_TOKEN_FILE"], e.env["AWS_ROLE_ARN"] = path, a.File.Role
		if a.File.Region != "" {
			e.env["AWS_REGION"] = a.File.Region
		}
	case "azure":
		e.env["AZURE_FEDERATED_TOKEN_FILE"], e.env["AZURE_CLIENT_ID"], e.env["AZURE_TENANT_ID"] = path, a.File.Client, a.File.Tenant
	case "google":
		e.file, e.text = a.Name+".json", googleConfig(a)
		e.env["GOOGLE_APPLICATION_CREDENTIALS"] = filepath.Join(dir, e.file)
		e.env["GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"] = "1"
	case "kubernetes":
		e.file, e.text = a.Name+".kubeconfig", clusterConfig(a)
		e.env["KUBECONFIG"] = filepath.Join(dir, e.file)
	}
	return e
}

// googleConfig is an external account whose tokens come from a program.
func googleConfig(a api.TokenAudience) string {
	config := map[string]any{
		"type": "external_account", "audience": strings.TrimPrefix(a.Value, "https:"),
		"subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": "https://sts.googleapis.com/v1/token",
		"credential_source": map[string]any{"executable": map[string]any{
			"command": lanyard + " google-credential --audience " + a.Name, "timeout_millis": 30_000,
		}},
	}
	if a.File.ServiceAccount != "" {
		config["service_account_impersonation_url"] = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" + a.File.ServiceAccount + ":generateAccessToken"
	}
	return asText(config)
}

// clusterConfig is a kubeconfig (JSON is YAML) whose tokens come from a program.
func clusterConfig(a api.TokenAudience) string {
	cluster := map[string]any{"server": a.File.Server}
	if a.File.Authority != "" {
		cluster["certificate-authority-data"] = []byte(a.File.Authority) // base64 in JSON
	}
	return asText(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": a.Name,
		"clusters": []any{map[string]any{"name": a.Name, "cluster": cluster}},
		"contexts": []any{map[string]any{"name": a.Name, "context": map[string]any{"cluster": a.Name, "user": a.Name}}},
		"users": []any{map[string]any{"name": a.Name, "user": map[string]any{"exec": map[string]any{
			"apiVersion": "client.authentication.k8s.io/v1", "command": lanyard, "args": []string{"kubectl-credential", "--audience", a.Name},
			"interactiveMode": "Never", "installHint": "The command lanyard is in every Lanyard workspace.",
		}}}},
	})
}

func asText(v any) string {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return "" // maps of texts and numbers
	}
	return string(b) + "\n"
}
