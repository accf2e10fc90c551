package oidc

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/test/harness"
)

const (
	client       = "lanyard"
	clientSecret = "a secret/with+signs that an encoder has to know" // client_secret_basic encodes it (RFC 6749, section 2.3.1)
)

// person is somebody at a provider.
type person struct {
	Username string   `json:"username"`
	Password string   `json:"password"`
	Name     string   `json:"name"`
	Email    string   `json:"email"`
	Groups   []string `json:"groups"`
	Disabled bool     `json:"disabled"`
}

// people are those of a provider, by subject.
type people map[string]person

func somePeople() people {
	return people{
		"0b1e-ada|1": {Username: "ada", Password: "pw-ada", Name: "Ada Lovelace", Email: "ada@contoso.example", Groups: []string{"/contoso/engineers", "everybody"}},
		"0b1e-bob|2": {Username: "bob", Password: "pw-bob", Name: "Bob Martin", Email: "bob@contoso.example", Groups: []string{"everybody"}},
		"0b1e-ops|3": {Username: "ops", Password: "pw-ops", Name: "Olga Ops", Email: "ops@contoso.example", Groups: []string{"ops", "app-role:Payments.Lead"}},
	}
}

// provider is an OpenID provider that people sign in at.
type provider struct {
	issuer string
	tell   func(t *testing.T, now people) // who there is from now on
}

// certified runs oidc-provider for a Lanyard. settings are those of provider.mjs.
func certified(t *testing.T, l *lanyard, settings map[string]any) provider {
	t.Helper()
	harness.Need(t, "node")
	if _, err := os.Stat("provider/node_modules/oidc-provider"); err != nil {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatal("oidc-provider is not installed (npm --prefix test/oidc/provider ci), and LANYARD_REQUIRE=all")
		}
		t.Skip("oidc-provider is not installed: npm --prefix test/oidc/provider ci")
	}
	p := provider{issuer: fmt.Sprintf("http://idp.localhost:%d", harness.FreePort(t))}
	all := map[string]any{
		"issuer": p.issuer, "people": somePeople(),
		"client": map[string]any{
			"client_id": client, "client_secret": clientSecret,
			"redirect_uris": []string{l.redirect(p.issuer)}, "post_logout_redirect_uris": []string{l.url + signin.LogoutPath},
		},
	}
	for name, value := range settings {
		if more, ok := value.(map[string]any); ok && name == "client" {
			for key, value := range more {
				if all["client"].(map[string]any)[key] = value; value == nil {
					delete(all["client"].(map[string]any), key)
				}
			}
			continue
		}
		all[name] = value
	}
	cmd := exec.Command("node", filepath.Join("provider", "provider.mjs"))
	var log harness.Buffer
	cmd.Stderr = &log
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("oidc-provider ended: %v\n%s", err, log.String())
		}
	})
	say := func(t *testing.T, what any, answer string) {
		t.Helper()
		line, err := json.Marshal(what)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(append(line, '\n')); err != nil || !lines.Scan() || lines.Text() != answer {
			t.Fatalf("oidc-provider does not take it: %v %q\n%s", err, lines.Text(), log.String())
		}
	}
	say(t, all, "ready")
	var one sync.Mutex
	p.tell = func(t *testing.T, now people) {
		one.Lock()
		defer one.Unlock()
		say(t, now, "ok")
	}
	return p
}
