// Package setup tests the way from an empty tenant to the first sign-in: `lanyard entra setup` against an embedded
// tenant in which nobody has registered anything, and the server of the configuration that it wrote.
package setup

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) {
	if os.Getenv(azToken) != "" && filepath.Base(os.Args[0]) == "az" {
		if err := az(os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	harness.Main(m)
}

const tenantID = "0f3a1c52-7d0e-4b1a-9c53-2f1f6a4f9e10"

// world is a tenant, and a machine on which Lanyard is to run.
type world struct {
	*entrasim.Tenant
	t    *testing.T
	bin  string
	url  string // the tenant's
	dir  string // instead of /etc/lanyard and /var/lib/lanyard
	path string // of programs
	port int    // Lanyard's
}

func newWorld(t *testing.T) *world {
	t.Helper()
	bin, err := harness.Programs()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "ly-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{
		t: t, bin: bin, dir: dir, path: os.Getenv("PATH"), port: harness.FreePort(t),
		url: fmt.Sprintf("http://tenant.localhost:%d", l.Addr().(*net.TCPAddr).Port),
	}
	if w.Tenant, err = entrasim.New(entrasim.Config{URL: w.url, Dial: server.Dial, Organisation: organisation()}); err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: w.Tenant, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l) // ends with Close
	}()
	t.Cleanup(func() {
		s.Close()
		<-served
		if err := w.Tenant.Close(); err != nil {
			t.Error(err)
		}
	})
	w.write("encryption.key", base64.StdEncoding.EncodeToString(token.NewSealingKey()), 0o600)
	return w
}

// organisation is a tenant with an administrator, an engineer, a stranger and a group.
func organisation() entrasim.Organisation {
	person := func(id, name string, roles ...string) entrasim.User {
		return entrasim.User{
			ID: id, UserPrincipalName: name + "@contoso.example", DisplayName: name, AccountEnabled: true, Password: "lanyard-" + name, Roles: roles,
		}
	}
	return entrasim.Organisation{
		TenantID: tenantID, Name: "Contoso", Domain: "contoso.example",
		Users: []entrasim.User{
			person(entrasim.MargaretID, "margaret", entrasim.GlobalAdministrator), person(entrasim.AdaID, "ada"), person(entrasim.MalloryID, "mallory"),
			person(entrasim.KenID, "ken", entrasim.CloudAppAdministrator),
		},
		Groups: []entrasim.Group{{ID: entrasim.PaymentsEngineersID, DisplayName: "payments-engineers", Members: []string{entrasim.AdaID}}},
	}
}

func (w *world) write(name, text string, mode os.FileMode) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// here puts this machine's addresses and folders in the place of those in the documentation.
func (w *world) here(text string) string {
	return strings.NewReplacer(
		"https://lanyard.contoso.example", fmt.Sprintf("http://lanyard.localhost:%d", w.port), "workspaces.contoso-apps.example", "localhost",
		"/etc/lanyard", w.dir, "/var/lib/lanyard", w.dir+"/data",
	).Replace(text)
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(w.t.Context(), harness.Wait)
	w.t.Cleanup(cancel)
	return ctx
}

// command is a command of this machine's.
func (w *world) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "PATH="+w.bin+":"+w.path)
	return cmd
}

// said is what a command printed, and how it ended.
type said struct {
	out, err string
	status   int
}

// lanyard runs the program to its end. Codes that it asks to be entered in a browser are entered by margaret.
func (w *world) lanyard(args ...string) said {
	w.t.Helper()
	return w.lanyardAs("margaret", args...)
}

var asksFor = regexp.MustCompile(`Open (\S+) in a browser and enter the code (\S+)\.`)

func (w *world) lanyardAs(user string, args ...string) said {
	w.t.Helper()
	ctx := w.context()
	cmd := w.command(ctx, filepath.Join(w.bin, "lanyard"), args...)
	var out bytes.Buffer
	var errs harness.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var entered bool
	for {
		select {
		case err := <-ended:
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				w.t.Fatalf("lanyard %s: %v", strings.Join(args, " "), err)
			}
			return said{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
		case <-time.After(20 * time.Millisecond):
		}
		if m := asksFor.FindStringSubmatch(errs.String()); m != nil && !entered {
			entered = true
			if err := entrasim.SignInDevice(ctx, w.client(), m[1], m[2], user, "lanyard-"+user); err != nil {
				w.t.Errorf("%s enters the code: %v", user, err)
			}
		}
	}
}

// client reaches the tenant by its name.
func (w *world) client() *http.Client {
	transport := &http.Transport{DialContext: server.Dial}
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func newGet(ctx context.Context, address, token string) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err == nil {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, err
}
