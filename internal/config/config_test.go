package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
)

func TestRead(t *testing.T) {
	here, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	in := func(name string) string { return filepath.Join(here, name) }
	entra := Entra{
		Tenant: "11111111-1111-1111-1111-111111111111", ClientID: "22222222-2222-2222-2222-222222222222",
		Credentials: []credential.Files{{Secret: in("secret")}}, Graph: "https://graph.microsoft.com/v1.0", Authority: "https://login.microsoftonline.com",
		Guests: Guests{Lifetime: 4 * time.Hour},
	}
	least := &Config{
		File: "testdata/least.yaml", URL: "http://lanyard.localhost:8080", Listen: "127.0.0.1:8080", Data: in("data"),
		EncryptionKeyFile: in("key"), Entra: entra,
		Sessions:  Sessions{Idle: time.Hour, Lifetime: 12 * time.Hour},
		StepUp:    15 * time.Minute,
		Directory: Directory{Sweep: time.Minute, StaleAfter: 5 * time.Minute, CloseAfter: 15 * time.Minute, Members: FromGraph, Users: FromGraph},
		Roles:     map[project.Role][]source.Located{}, Sandbox: true, Apps: "localhost", Workspaces: "localhost",
		Limits: Limits{Connections: 2000, SignIns: 300},
	}
	full := &Config{
		File: "testdata/full.yaml", URL: "https://lanyard.example.test", Listen: "127.0.0.1:9090", Data: "/var/lib/lanyard",
		Database: "postgres://lanyard@db.example.test/lanyard?sslmode=verify-full", EncryptionKeyFile: "/etc/lanyard/key",
		Entra: Entra{
			Tenant: "11111111-aaaa-1111-1111-111111111111", ClientID: "22222222-2222-2222-2222-222222222222",
			Credentials: []credential.Files{{Secret: in("entra-secret")}}, Graph: "https://graph.microsoft.us/v1.0", Authority: "https://login.microsoftonline.us",
			FormPost: true, Guests: Guests{Refused: true},
			SCIM: SCIM{Audiences: []string{"api://33333333-3333-3333-3333-333333333333"}, Subjects: []string{"44444444-4444-4444-4444-444444444444"}},
		},
		Sessions:  Sessions{Idle: 30 * time.Minute, Lifetime: 8 * time.Hour},
		StepUp:    5 * time.Minute,
		Directory: Directory{Sweep: 30 * time.Second, StaleAfter: 2 * time.Minute, CloseAfter: 10 * time.Minute, Members: FromGraph, Users: FromGraph},
		Roles: map[project.Role][]source.Located{
			project.Admin:   {{Text: "5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a11", File: "testdata/full.yaml", Line: 19, Column: 11}},
			project.Auditor: {{Text: "auditors", File: "testdata/full.yaml", Line: 20, Column: 13}},
		},
		Audit: Audit{Checkpoints: []string{"/mnt/elsewhere/checkpoints"}}, Sandbox: true, Apps: "apps.contoso.example", Workspaces: "workspaces.invalid",
		Operations: Operations{
			Listen: "10.1.2.3:9464", Hosts: []string{"metrics.example.test"}, Requests: in("requests.jsonl"),
			Traces: "https://otel.example.test:4318/v1/traces", Sample: 0.25,
		},
		Limits:   Limits{SignIns: 30},
		Projects: in("projects"), Policies: filepath.Join(filepath.Dir(here), "policies"),
	}
	for _, want := range []*Config{least, full} {
		got, err := Read(want.File)
		if err != nil {
			t.Errorf("%s: %v", want.File, err)
			continue
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{})); diff != "" {
			t.Errorf("%s: %s", want.File, diff)
		}
		if f := got.LongLived(); len(f) != 1 || f[0].Line == 0 || !strings.Contains(f[0].Message, "secret_file") {
			t.Errorf("long-lived: %v", f)
		}
	}
	if got, want := full.Entra.Issuer(), "https://login.microsoftonline.us/11111111-aaaa-1111-1111-111111111111/v2.0"; got != want {
		t.Errorf("issuer %s", got)
	}
	if full.Host() != "lanyard.example.test" || least.Host() != "lanyard.localhost" {
		t.Error("Host")
	}
}

// A line `#! 3:14 message` in a file says what must be found, in order.
func TestBrokenFiles(t *testing.T) {
	entries, err := os.ReadDir("testdata/broken")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			name := filepath.Join("testdata/broken", e.Name())
			_, err := Read(name)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("a secret is in the message")
			}
			text, readErr := os.ReadFile(name)
			if readErr != nil {
				t.Fatal(readErr)
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				if w, ok := strings.CutPrefix(line, "#! "); ok {
					place, message, _ := strings.Cut(strings.TrimSpace(w), " ")
					want = append(want, name+":"+place+": "+message)
				}
			}
			if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadMissing(t *testing.T) {
	if _, err := Read(filepath.Join(t.TempDir(), "lanyard.yaml")); err == nil {
		t.Error("a missing file was read")
	}
}

func TestSites(t *testing.T) {
	for _, c := range []struct {
		url, domain string
		ok          bool
	}{
		{"https://lanyard.example.test", "example.test", false},
		{"https://lanyard.example.test", "ws.lanyard.example.test", false},
		{"https://lanyard.example.test", "lanyard.example.test", false},
		{"https://lanyard.example.test", "lanyard-ws.test", true},
		{"https://example.co.uk", "other.co.uk", true},
		{"https://example.co.uk", "co.uk", false},
		{"https://example.co.uk", "com", false},
		{"https://contoso.github.io", "fabrikam.github.io", true},
		{"https://contoso.github.io", "github.io", true}, // its owner had it put on the list
		{"http://lanyard.localhost", "localhost", true},
		{"http://localhost:8080", "w.localhost", true},
		{"https://192.0.2.1", "contoso.example", true},
		{"https://lanyard.example.test", "192.0.2.1", false},
		{"https://lanyard.example.test", "Contoso.example", false},
		{"https://lanyard.example.test", "contoso.example.", false},
		{"https://lanyard.example.test", "-x.example", false},
	} {
		text, err := os.ReadFile("testdata/least.yaml")
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(text), "\n")
		_, err = Parse("c.yaml", "/", "url: "+c.url+"\n"+rest+"domains: {workspaces: \""+c.domain+"\"}\n")
		if (err == nil) != c.ok {
			t.Errorf("%s and %s: %v", c.url, c.domain, err)
		}
	}
}

// The key must not lie with the data, whichever way the path goes there.
func TestKeyBehindALink(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("data", filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/least.yaml")
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "encryption_key_file: key", "encryption_key_file: keys/key", 1)
	if _, err := Parse("c.yaml", dir, changed); err == nil || !strings.Contains(err.Error(), "c.yaml:3:22: the key lies in the data folder") {
		t.Errorf("got %v", err)
	}
	if _, err := Parse("c.yaml", dir, string(text)); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestSecrets(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good", "hunter2\r\n", 0o600)
	if s, err := ReadSecret(good); err != nil || s != "hunter2" {
		t.Errorf("got %q, %v", s, err)
	}
	for _, text := range []string{"", "\n", "hunter2\nhunter3", strings.Repeat("x", maxSecret+1)} {
		if _, err := ReadSecret(write("bad", text, 0o600)); err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	for text, ok := range map[string]bool{
		strings.Repeat("00", 32) + "\n":                true,
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=": true,
		strings.Repeat("00", 31):                       false,
		"hunter2":                                      false,
	} {
		key, err := ReadEncryptionKeys(write("key", text, 0o600))
		if (err == nil) != ok || ok && (len(key.Keys) != 1 || len(key.Keys[0]) != keySize) || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := ReadEncryptionKeys(filepath.Join(dir, "absent")); err == nil || !strings.Contains(err.Error(), "openssl rand") {
		t.Errorf("got %v", err)
	}

	open := write("open", "hunter2", 0o644)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	c := &Config{File: "c.yaml", EncryptionKeyFile: filepath.Join(dir, "absent"), Entra: Entra{Credentials: []credential.Files{{Secret: open}}}, Projects: good}
	found := c.CheckFiles().Error()
	for _, want := range []string{"absent", "can be read by everybody", "good is not a folder"} {
		if !strings.Contains(found, want) {
			t.Errorf("no %q in\n%s", want, found)
		}
	}
}
