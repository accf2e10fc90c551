package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

// mint is a server that gives tokens, as far as an agent sees it.
type mint struct {
	audiences []api.TokenAudience
	life      time.Duration
	status    int // of each answer; 0: as it should be
	minted    []string
}

func (m *mint) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.status < 0 {
		return nil, errNoServer
	}
	w := httptest.NewRecorder()
	switch {
	case m.status > 0:
		w.WriteHeader(m.status)
	case r.URL.Path == "/token/audiences":
		_ = json.NewEncoder(w).Encode(api.Page[api.TokenAudience]{Items: m.audiences})
	case r.URL.Path == "/token":
		var o api.TokenOrder
		_ = json.NewDecoder(r.Body).Decode(&o)
		m.minted = append(m.minted, o.Audience)
		_ = json.NewEncoder(w).Encode(api.Token{Token: fmt.Sprintf("token-%d-for-%s", len(m.minted), o.Audience), Expires: time.Now().Add(m.life)})
	}
	return w.Result(), nil
}

func startFiles(t *testing.T, m *mint) *tokenFiles {
	t.Helper()
	if err := inMemory("/dev/shm"); err != nil {
		t.Skipf("this machine has no folder in memory: %v", err)
	}
	dir, err := os.MkdirTemp("/dev/shm", "agt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f, err := newTokenFiles(filepath.Join(dir, "tokens"), m, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *tokenFiles) names(t *testing.T) string {
	t.Helper()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", e.Name(), info.Mode(), err)
		}
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func audienceOf(name, kind string, holds bool) api.TokenAudience {
	return api.TokenAudience{Name: name, Value: "//aud/" + name, Seconds: 600, File: &api.TokenFile{
		For: kind, Holds: holds, Role: "arn:aws:iam::123456789012:role/dev", Client: "app", Tenant: "tenant", Server: "https://k8s.example.test",
	}}
}

func TestTokenFilesForEachProgram(t *testing.T) {
	m := &mint{life: 10 * time.Minute, audiences: []api.TokenAudience{
		audienceOf("aws", "aws", true), audienceOf("az-ure", "azure", true), audienceOf("gcp", "google", false), audienceOf("one", "kubernetes", false), audienceOf("two", "kubernetes", false),
		audienceOf("plain", "programs", true), {Name: "none", Seconds: 600},
	}}
	f := startFiles(t, m)
	f.look(context.Background())
	if got := f.names(t); got != "aws az-ure gcp.json one.kubeconfig plain two.kubeconfig" {
		t.Error(got)
	}
	env := f.variables()
	for name, want := range map[string]string{
		"AWS_WEB_IDENTITY_TOKEN_FILE": f.dir + "/aws", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/dev", "LANYARD_TOKEN_FILE_AWS": f.dir + "/aws",
		"AZURE_FEDERATED_TOKEN_FILE": f.dir + "/az-ure", "AZURE_CLIENT_ID": "app", "AZURE_TENANT_ID": "tenant", "LANYARD_TOKEN_FILE_AZ_URE": f.dir + "/az-ure",
		"GOOGLE_APPLICATION_CREDENTIALS": f.dir + "/gcp.json", "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1",
		"KUBECONFIG": f.dir + "/one.kubeconfig:" + f.dir + "/two.kubeconfig", "LANYARD_TOKEN_FILE_PLAIN": f.dir + "/plain", "LANYARD_TOKEN_FILE_GCP": "",
	} {
		if env[name] != want {
			t.Errorf("%s=%q", name, env[name])
		}
	}
	if text, _ := os.ReadFile(env["AWS_WEB_IDENTITY_TOKEN_FILE"]); string(text) != "token-1-for-aws" {
		t.Errorf("%q", text)
	}
}

// A file is renewed when a quarter of its token's time is over, and goes when it may not be had any more.
func TestTokenFilesAreFreshOrGone(t *testing.T) {
	m := &mint{life: 10 * time.Minute, audiences: []api.TokenAudience{audienceOf("aws", "aws", true), audienceOf("gcp", "google", false)}}
	f := startFiles(t, m)
	f.look(context.Background())
	f.look(context.Background())
	if len(m.minted) != 1 {
		t.Errorf("a fresh token was replaced: %v", m.minted)
	}
	f.tokens["aws"] = time.Now().Add(7 * time.Minute)
	f.look(context.Background())
	if text, _ := os.ReadFile(filepath.Join(f.dir, "aws")); string(text) != "token-2-for-aws" {
		t.Errorf("after a quarter of its time: %q", text)
	}
	m.status = -1 // the server is away: what is good stays
	f.tokens["aws"] = time.Now().Add(time.Minute)
	f.look(context.Background())
	if got := f.names(t); got != "aws gcp.json" {
		t.Errorf("without a server: %s", got)
	}
	f.tokens["aws"] = time.Now().Add(-time.Second) // and no longer
	f.look(context.Background())
	if got := f.names(t); got != "gcp.json" {
		t.Errorf("after its time: %s", got)
	}
	m.status = 0
	f.look(context.Background())
	m.status = http.StatusUnauthorized // the sign-in has ended
	f.look(context.Background())
	if got := f.names(t); got != "" || len(f.variables()) != 0 {
		t.Errorf("after the sign-in: %s, %v", got, f.variables())
	}
}

func TestTokenFilesAreInMemoryOnly(t *testing.T) {
	dir := t.TempDir()
	if inMemory(dir) == nil {
		t.Skip("the folder for temporary files is in memory on this machine")
	}
	if f, err := newTokenFiles(filepath.Join(dir, "tokens"), &mint{}, slog.New(slog.DiscardHandler)); err == nil {
		t.Errorf("%+v", f)
	}
	var none *tokenFiles // what an agent has then
	none.look(context.Background())
	if none.variables() != nil {
		t.Error("variables without files")
	}
}
