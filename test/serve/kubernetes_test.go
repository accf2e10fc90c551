package serve

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

const clusterAudience = "https://cluster.example.test"

// authentication is what a cluster's administrator gives the API server (--authentication-config):
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#using-authentication-configuration
const authentication = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
  - issuer:
      url: %s
      certificateAuthority: |
        %s
      audiences: [` + clusterAudience + `]
    claimValidationRules:
      - expression: claims.project == "payments"
        message: this cluster is for payments
    claimMappings:
      username:
        expression: '"lanyard:" + claims.sub'
      uid:
        claim: oid
      groups:
        claim: roles
        prefix: "payments:"
      extra:
        - key: lanyard.example.test/workspace
          valueExpression: claims.workspace
        - key: lanyard.example.test/agent
          valueExpression: 'has(claims.act) ? claims.act.sub : ""'
    userValidationRules:
      - expression: "!user.username.startsWith('system:')"
        message: a name of the system's
`

// TestKubernetesTakesTokens shows a workspace's tokens to the API server's own authenticator, under a structured
// authentication configuration.
func TestKubernetesTakesTokens(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("slow: builds the Kubernetes API server's authenticator, a minute of CPU (LANYARD_SLOW=1)")
	}
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(bin, "kubernetes-authenticator")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir, build.Env = filepath.Join("..", "kubernetes"), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the authenticator: %v\n%s", err, out)
	}
	i := newInstallation(t)
	file := i.in("projects/payments.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	i.write("projects/payments.yaml", string(text)+`resources:
  - audience: cluster
    aud: `+clusterAudience+`
    file: {for: kubernetes, server: "`+clusterAudience+`:6443"}
  - {audience: reports, aud: "https://reports.example.test"}
  - {audience: federated, aud: "`+clusterAudience+`/federated", kind: federation}
`)
	own := i.certificate("lanyard", pagesHost, "*."+workspaceDomain, "*."+appDomain)
	i.start(i.configure(fmt.Sprintf("tls: {cert_file: %s, key_file: %s}", own.Cert, own.Key)))
	ada := i.ada(i.person(i.authority.pool(), "127.0.0.1"))
	ws := i.workspace(ada)
	run := func(line string) string {
		t.Helper()
		var out harness.Buffer
		code, err := ada.Exec(i.within(), ws.ID, agentapi.ExecRequest{Argv: []string{"bash", "-c", line}}, agentapi.Streams{Stdout: &out, Stderr: &out})
		if err != nil || code != 0 {
			t.Fatalf("%s: %d %v\n%s", line, code, err, out.String())
		}
		return strings.TrimSpace(out.String())
	}
	var credential struct {
		Status struct{ Token string }
	}
	// What kubectl runs, as its configuration in the workspace says.
	plugin := `config=$(tr -d ' \n' < "$KUBECONFIG"); [[ $config == *'"args":["kubectl-credential","--audience","cluster"],"command":"/opt/lanyard/bin/lanyard"'* ]] && lanyard kubectl-credential --audience cluster`
	if err := json.Unmarshal([]byte(run(plugin)), &credential); err != nil {
		t.Fatal(err)
	}
	good := credential.Status.Token
	config := i.write("authentication.yaml", fmt.Sprintf(authentication, i.url, strings.ReplaceAll(strings.TrimSpace(string(i.authority.pem)), "\n", "\n        ")))
	authenticator := exec.Command(program, "-config", config, "-to", fmt.Sprintf("127.0.0.1:%d", i.port))
	tokens := []string{good, run("lanyard token --audience reports"), run("lanyard token --audience federated"), good[:len(good)-4] + "AAAA"}
	authenticator.Stdin = strings.NewReader(strings.Join(tokens, "\n") + "\n")
	var errs harness.Buffer
	authenticator.Stderr = &errs
	out, err := authenticator.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	lines := json.NewDecoder(strings.NewReader(string(out)))
	for n := range tokens {
		var said struct {
			Accepted  bool
			Name, UID string
			Groups    []string
			Extra     map[string][]string
			Error     string
		}
		if err := lines.Decode(&said); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%+v", said)
		if said.Accepted != (n == 0) {
			t.Errorf("token %d: %+v", n, said)
		}
		if n > 0 {
			continue
		}
		me, err := ada.Me(i.within())
		if err != nil {
			t.Fatal(err)
		}
		if said.Name != "lanyard:"+me.User || "u-"+said.UID != me.User || strings.Join(said.Groups, " ") != "payments:developer" ||
			strings.Join(said.Extra["lanyard.example.test/workspace"], " ") != ws.ID {
			t.Errorf("taken for %+v", said)
		}
	}
}
