package packages

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

// npmRegistry runs a real npm registry that gives nothing to strangers. It returns its address, and a file with the token of
// its only user.
func npmRegistry(t *testing.T) (address, tokenFile string) {
	t.Helper()
	harness.Need(t, "node", "npm")
	const program = "registry/node_modules/verdaccio/bin/verdaccio"
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatal("the npm registry is not installed (npm --prefix test/packages/registry ci), and LANYARD_REQUIRE=all")
		}
		t.Skip("the npm registry is not installed: npm --prefix test/packages/registry ci")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yaml"), `storage: ./storage
auth: {htpasswd: {file: ./htpasswd, max_users: 1}}
uplinks: {}
packages: {"**": {access: $authenticated, publish: $authenticated}}
log: {type: stdout, format: pretty, level: warn}
`)
	address = free(t)
	absolute, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", absolute, "--config", filepath.Join(dir, "config.yaml"), "--listen", address)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var log harness.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the npm registry's log:\n%s", log.String())
		}
	})
	user := `{"name": "ci", "password": "only-for-this-test"}`
	var answer struct{ Token string }
	for end := time.Now().Add(harness.Wait); ; time.Sleep(50 * time.Millisecond) {
		r, err := http.NewRequest(http.MethodPut, "http://"+address+"/-/user/org.couchdb.user:ci", strings.NewReader(user))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(r)
		if err == nil {
			err = json.NewDecoder(resp.Body).Decode(&answer)
			resp.Body.Close()
		}
		if err == nil && answer.Token != "" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the npm registry does not answer: %v\n%s", err, log.String())
		}
	}
	tokenFile = filepath.Join(dir, "token")
	write(t, tokenFile, answer.Token)
	return address, tokenFile
}

// goModules serves one module as a module proxy does (https://go.dev/ref/mod#goproxy-protocol).
func goModules(t *testing.T) (address string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "example.test/greeting/@v")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const mod = "module example.test/greeting\n\ngo 1.20\n"
	write(t, filepath.Join(dir, "list"), "v1.0.0\n")
	write(t, filepath.Join(dir, "v1.0.0.info"), `{"Version": "v1.0.0", "Time": "2026-01-02T03:04:05Z"}`)
	write(t, filepath.Join(dir, "v1.0.0.mod"), mod)
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{"go.mod": mod, "greeting.go": "package greeting\n\n// Hello greets.\nconst Hello = \"hello from a module\"\n"} {
		f, err := z.Create("example.test/greeting@v1.0.0/" + name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "v1.0.0.zip"), b.String())
	return files(t, filepath.Dir(filepath.Dir(filepath.Dir(dir))))
}

// debianPackages serves an apt repository with one package.
func debianPackages(t *testing.T) (address string) {
	t.Helper()
	harness.Need(t, "dpkg-deb", "dpkg-scanpackages", "apt-get")
	dir, tree := t.TempDir(), filepath.Join(t.TempDir(), "greeting")
	for _, d := range []string{"DEBIAN", "usr/share/greeting"} {
		if err := os.MkdirAll(filepath.Join(tree, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(tree, "DEBIAN/control"), "Package: greeting\nVersion: 1.0\nArchitecture: all\nMaintainer: Ada <ada@contoso.example>\nDescription: greets\n")
	write(t, filepath.Join(tree, "usr/share/greeting/hello"), "hello from a package\n")
	run(t, "", "dpkg-deb", "--root-owner-group", "--build", tree, filepath.Join(dir, "greeting_1.0_all.deb"))
	index := run(t, dir, "dpkg-scanpackages", "--multiversion", ".")
	write(t, filepath.Join(dir, "Packages"), index)
	return files(t, dir)
}

func files(t *testing.T, dir string) (address string) {
	t.Helper()
	s := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", fmt.Sprint(append([]string{name}, args...)), err, said.String())
	}
	return string(out)
}
