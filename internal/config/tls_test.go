package config

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/tlscert"
)

func TestTLS(t *testing.T) {
	text, err := os.ReadFile("testdata/least.yaml")
	if err != nil {
		t.Fatal(err)
	}
	secure := strings.Replace(string(text), "http://lanyard.localhost:8080", "https://lanyard.example.test\ndomains: {workspaces: w.contoso.example}", 1)
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for more, want := range map[string]TLS{
		"tls: {cert_file: c, key_file: k}":                             {Certificates: []tlscert.Files{{Cert: in("c"), Key: in("k")}}},
		"tls: {cert_file: c, key_file: c, plain: ':80'}":               {Certificates: []tlscert.Files{{Cert: in("c"), Key: in("c")}}, Plain: ":80"},
		"tls: {acme: {}}":                                              {ACME: &ACME{Directory: tlscert.LetsEncrypt, Hosts: []string{"lanyard.example.test"}}},
		"tls: {certificates: [{cert_file: a, key_file: b}], acme: {}}": {Certificates: []tlscert.Files{{Cert: in("a"), Key: in("b")}}, ACME: &ACME{Directory: tlscert.LetsEncrypt, Hosts: []string{"lanyard.example.test"}}},
		"tls: {acme: {directory: 'https://ca.example.test/dir', email: ops@example.test, ca_file: ca, key_id: one, mac_key_file: mac, hosts: [docs.example.test, lanyard.example.test]}}": {ACME: &ACME{
			Directory: "https://ca.example.test/dir", Hosts: []string{"lanyard.example.test", "docs.example.test"}, Email: "ops@example.test",
			CAFile: in("ca"), KeyID: "one", MACKeyFile: in("mac"),
		}},
	} {
		c, err := Parse("c.yaml", dir, secure+more+"\n")
		if err != nil {
			t.Errorf("%s: %v", more, err)
			continue
		}
		if diff := cmp.Diff(want, c.TLS); diff != "" || !c.TLS.On() {
			t.Errorf("%s: %s", more, diff)
		}
	}
}

func TestReadACME(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := write("ca", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	for _, key := range []string{"a2V5LWtleQ", "a2V5LWtleQ==\n"} { // authorities give it out with and without padding
		a, err := (&ACME{Directory: "https://ca.example.test/dir", CAFile: ca, KeyID: "one", MACKeyFile: write("mac", key)}).ReadACME()
		if err != nil || a.Roots == nil || string(a.MAC) != "key-key" {
			t.Errorf("%+v, %v", a, err)
		}
	}
	for want, a := range map[string]*ACME{
		"no certificate in PEM": {CAFile: write("empty", "")},
		"absent":                {CAFile: filepath.Join(dir, "absent")},
		"base64url":             {MACKeyFile: write("wrong", "not a key!")},
	} {
		if _, err := a.ReadACME(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "not a key") {
			t.Errorf("%s: %v", want, err)
		}
	}
}
