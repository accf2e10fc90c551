package msal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/test/harness"
)

// clientFolder installs Microsoft's clients for Node and returns where they are.
func clientFolder(t *testing.T) string {
	t.Helper()
	harness.Need(t, "node", "npm")
	if _, err := os.Stat("testdata/client/node_modules/.package-lock.json"); err == nil { // `make test` has installed them
		return "testdata/client"
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/client")); err != nil {
		t.Fatal(err)
	}
	install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatalf("npm ci: %v\n%s", err, out)
		}
		t.Skipf("SKIP the clients from npm: npm ci: %v\n%s", err, out)
	}
	return dir
}

type nodeStep struct {
	Step, Token, Error, ID, Name string
	Names                        []string
}

// play runs a script of the folder with what it is told, and returns its steps in order.
func (w *world) play(dir, script string, told map[string]any) []nodeStep {
	w.t.Helper()
	text, err := json.Marshal(told)
	if err != nil {
		w.t.Fatal(err)
	}
	var out, log bytes.Buffer
	ctx, cancel := context.WithTimeout(w.t.Context(), 3*harness.Wait) // of many steps
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &log
	cmd.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+w.ca.file, "CLIENT="+string(text))
	if err := cmd.Run(); err != nil {
		w.t.Fatalf("node %s: %v\n%s\n%s", script, err, regexp.MustCompile(`"token":"[^"]*"`).ReplaceAllString(out.String(), `"token":…`), log.String())
	}
	var steps []nodeStep
	lines := bufio.NewScanner(&out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var s nodeStep
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			w.t.Fatalf("%q: %v", lines.Text(), err)
		}
		steps = append(steps, s)
	}
	return steps
}

// TestNode runs MSAL Node, @azure/identity and the Graph client in all their flows.
func TestNode(t *testing.T) {
	dir := clientFolder(t)
	w := newWorld(t)
	one, two := sha1.Sum(w.app.cert.Raw), sha256.Sum256(w.app.cert.Raw)
	tokenFile := temporary(t, "token")
	if err := os.WriteFile(tokenFile, []byte(w.issuer.token()), 0o600); err != nil {
		t.Fatal(err)
	}
	// Graph tells its client to come again later, which it does by itself.
	if err := w.SetFaults(entrasim.Faults{Requests: []entrasim.Fault{{Kind: entrasim.FaultThrottle, Path: "/v1.0/groups", Count: 1, RetryAfterSeconds: 1}}}); err != nil {
		t.Fatal(err)
	}
	steps := w.play(dir, "client.mjs", map[string]any{
		"url": w.url, "tenant": w.TenantID(), "desktop": desktopID, "batch": batchID, "web": webID, "api": apiID, "scope": apiScope, "ada": entrasim.AdaID,
		"secret": secret, "pem": w.app.file, "sha1": hex.EncodeToString(one[:]), "sha256": hex.EncodeToString(two[:]),
		"federated": w.issuer.token(), "tokenFile": tokenFile,
	})
	person := func(client, aud, azpacr string) func(*testing.T, nodeStep) {
		return func(t *testing.T, s nodeStep) { w.forPerson(t, s.Token, client, aud, azpacr) }
	}
	app := func(azpacr string) func(*testing.T, nodeStep) {
		return func(t *testing.T, s nodeStep) { w.forApp(t, s.Token, azpacr) }
	}
	graph := entrasim.GraphAppID
	checks := map[string]func(*testing.T, nodeStep){
		"msal interactive at the tenant": person(desktopID, graph, "0"), "msal interactive at common": person(desktopID, graph, "0"),
		"account": func(t *testing.T, s nodeStep) {
			if s.ID != entrasim.AdaID+"."+w.TenantID() || s.Name != "ada@contoso.example" {
				t.Errorf("the account is %+v", s)
			}
		},
		"msal refresh": person(desktopID, graph, "0"), "msal another resource": person(desktopID, apiID, "0"), "msal device code": person(desktopID, graph, "0"),
		"msal challenge": func(t *testing.T, s nodeStep) {
			w.forPerson(t, s.Token, desktopID, apiID, "0")
			if got, _ := claims(t, s.Token)["acrs"].([]any); len(got) != 1 || got[0] != "c1" {
				t.Errorf("the token's contexts are %v", got)
			}
		},
		"msal secret": app("1"), "msal secret, with capabilities": app("1"), "msal certificate": app("2"), "msal certificate, SHA-1": app("2"), "msal federated": app("2"),
		"msal form_post": person(webID, graph, "1"), "msal call": person(desktopID, apiID, "0"), "msal on behalf of": person(apiID, graph, "1"),
		"identity secret": app("1"), "identity secret, continuous": app("1"), "identity certificate": app("2"), "identity assertion": app("2"), "identity workload": app("2"),
		"identity on behalf of": person(apiID, graph, "1"), "identity device code": person(desktopID, graph, "0"),
		"graph users": func(t *testing.T, s nodeStep) {
			if len(s.Names) != len(w.Users()) {
				t.Errorf("the client was given %d of %d people: %v", len(s.Names), len(w.Users()), s.Names)
			}
		},
		"graph made": func(t *testing.T, s nodeStep) {
			if c := claims(t, s.Token); c["roles"] != nil || c["azp"] == batchID || c["aud"] != entrasim.GraphAppID {
				t.Errorf("the token says %v", c)
			}
		},
		"graph unmade": fails("AADSTS700016"),
		"graph batch":  names("Ada Lovelace", "200"),
		"graph groups": names("payments-engineers"), "graph me": names("Ada Lovelace"),
		"msal wrong secret": fails("AADSTS7000215"), "graph nobody": fails("404 Request_ResourceNotFound"), "end": func(*testing.T, nodeStep) {},
	}
	seen := map[string]bool{}
	for _, s := range steps {
		t.Run(s.Step, func(t *testing.T) {
			check := checks[s.Step]
			if check == nil {
				t.Fatalf("an unknown step: %+v", s)
			}
			seen[s.Step] = true
			if s.Error != "" && !slices.Contains([]string{"msal wrong secret", "graph nobody", "graph unmade"}, s.Step) {
				t.Fatal(s.Error)
			}
			check(t, s)
		})
	}
	if _, counts := w.Faults(); counts[entrasim.FaultThrottle] != 1 {
		t.Errorf("faults were %v", counts)
	}
	for name := range checks {
		if !seen[name] {
			t.Errorf("there was no step %q", name)
		}
	}
}

func names(want ...string) func(*testing.T, nodeStep) {
	return func(t *testing.T, s nodeStep) {
		if strings.Join(s.Names, ", ") != strings.Join(want, ", ") {
			t.Errorf("%s: %v", s.Step, s.Names)
		}
	}
}

func fails(with string) func(*testing.T, nodeStep) {
	return func(t *testing.T, s nodeStep) {
		if !strings.Contains(s.Error, with) {
			t.Errorf("%s: %q, want %s", s.Step, s.Error, with)
		}
	}
}
