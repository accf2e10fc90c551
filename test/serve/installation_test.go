package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/tlscert"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

// The hosts of an installation, as its people know them.
const (
	pagesHost       = "lanyard.example.test"
	workspaceDomain = "lanyard-workspaces.example.net"
	appDomain       = "lanyard-apps.example.org"
)

// installation is what an organisation has that runs `lanyard serve` on https: a tenant, a Git server, names, and
// certificates by an authority that its people's machines trust.
type installation struct {
	testing.TB
	dir       string
	authority *authority
	tenant    *entrasim.Tenant
	url       string // of the pages
	port      int    // that the url names: the server's, or a proxy's in front
	listen    int    // the server's
	git       string // host and port
	owner     int    // user that the server runs as, when this one is root; 0: this one

	cmd    *exec.Cmd
	exited chan struct{}
	log    harness.Buffer
}

// newInstallation makes all of it but the server.
func newInstallation(t testing.TB) *installation {
	t.Helper()
	harness.Need(t, "bwrap", "git", "curl")
	dir, err := os.MkdirTemp("", "li-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	i := &installation{TB: t, dir: dir, authority: newAuthority(t), listen: harness.FreePort(t)}
	i.at(i.listen)
	if err := os.Chmod(i.write("ca.pem", string(i.authority.pem)), 0o644); err != nil { // every user trusts it
		t.Fatal(err)
	}
	i.serveTenant()
	i.serveGit()
	i.write("keys/client-secret", "the-client-secret-of-a-test")
	i.write("keys/git", "lanyard:the-password-of-a-test")
	i.write("keys/encryption.key", base64.StdEncoding.EncodeToString(token.NewSealingKey())+"\n")
	i.write("projects/payments.yaml", fmt.Sprintf("project: payments\nroles:\n  developer: [payments-engineers]\nrepositories:\n  - url: https://%s/payments/api\n    credential: {basic_file: %s}\n",
		i.git, i.in("keys/git")))
	return i
}

// at says at which port people find the pages.
func (i *installation) at(port int) {
	i.port, i.url = port, fmt.Sprintf("https://%s:%d", pagesHost, port)
}

func (i *installation) in(name string) string { return filepath.Join(i.dir, name) }

func (i *installation) write(name, text string) string {
	i.Helper()
	path := i.in(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		i.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		i.Fatal(err)
	}
	return path
}

// serve answers at a free port of loopback until the test ends.
func (i *installation) serve(h http.Handler, secure *tls.Config) (port int) {
	i.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		i.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	s := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	i.Cleanup(func() {
		s.Close()
		<-done
	})
	return port
}

func (i *installation) serveTenant() {
	i.Helper()
	var tenant http.Handler // its address names its port
	port := i.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { tenant.ServeHTTP(w, r) }), nil)
	var err error
	i.tenant, err = entrasim.New(entrasim.Config{
		URL: fmt.Sprintf("http://tenant.localhost:%d", port), Dial: server.Dial,
		Organisation: entrasim.Contoso(entrasim.Sample{Secret: "the-client-secret-of-a-test"}),
	})
	if err != nil {
		i.Fatal(err)
	}
	i.Cleanup(func() {
		if err := i.tenant.Close(); err != nil {
			i.Error(err)
		}
	})
	tenant = i.tenant
}

func (i *installation) serveGit() {
	i.Helper()
	var sample []gitserver.Repository
	for _, r := range gitserver.Samples() {
		if r.Name == "payments/api" {
			sample = append(sample, r)
		}
	}
	if err := gitserver.Seed(context.Background(), i.in("git"), sample...); err != nil {
		i.Fatal(err)
	}
	git, err := gitserver.New(gitserver.Config{
		Root: i.in("git"), Hooks: i.in("hooks"), LogFile: i.in("git.log"), Log: slog.New(slog.DiscardHandler),
		Accept: gitserver.Password{User: "lanyard", Secret: "the-password-of-a-test"},
	})
	if err != nil {
		i.Fatal(err)
	}
	files := i.certificate("git", "localhost")
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		i.Fatal(err)
	}
	i.git = fmt.Sprintf("localhost:%d", i.serve(git, &tls.Config{Certificates: []tls.Certificate{pair}}))
}

const served = `url: %s
listen: 127.0.0.1:%d
data: %[3]s/data
encryption_key_file: %[3]s/keys/encryption.key
entra:
  tenant: %[4]s
  client_id: %[5]s
  credential: {secret_file: %[3]s/keys/client-secret}
  authority: %[6]s
  graph: %[7]s
  notifications: none
domains: {workspaces: ` + workspaceDomain + `, apps: ` + appDomain + `}
roles: {admin: [lanyard-admins], auditor: [lanyard-auditors]}
runtimes: {sandbox: {trusted_users_only: true}}
projects: %[3]s/projects
directory: {sweep: 2s}
%[8]s
`

// configure writes the configuration.
func (i *installation) configure(more string) (file string) {
	i.Helper()
	if err := i.tenant.SetRedirects(entrasim.LanyardAppID, []string{i.url + "/login/callback/entra", i.url + "/logout/done"}, ""); err != nil {
		i.Fatal(err)
	}
	authority, _, _ := strings.Cut(i.tenant.Issuer(), "/"+i.tenant.TenantID())
	return i.write("lanyard.yaml", fmt.Sprintf(served, i.url, i.listen, i.dir, i.tenant.TenantID(), entrasim.LanyardAppID, authority, i.tenant.GraphURL(), more))
}

// start starts the server with a configuration, and waits until it serves and knows who there is. around is a program with its arguments that
// starts it; none: it is started as it is.
func (i *installation) start(file string, around ...string) {
	i.Helper()
	i.begin(file, around...)
	i.eventually("serve is ready", func() bool { return i.says("Lanyard serves") })
	i.knows()
}

// knows waits until the server has read the directory: it serves before, and then nobody has a role.
func (i *installation) knows() {
	i.Helper()
	operator := remote.Socket(i.in("data/lanyard.sock"))
	defer operator.Close()
	i.eventually("the directory was read", func() bool {
		d, err := operator.Directory(i.within())
		return err == nil && d.State == "fresh"
	})
}

// says reports whether the log of the server has a text.
func (i *installation) says(text string) bool {
	i.Helper()
	select {
	case <-i.exited:
		i.Fatalf("the server ended:\n%s", i.log.String())
	default:
	}
	return strings.Contains(i.log.String(), text)
}

func (i *installation) begin(file string, around ...string) {
	i.Helper()
	bin, err := harness.Programs()
	if err != nil {
		i.Fatal(err)
	}
	i.own()
	args := append(around, filepath.Join(bin, "lanyard"), "serve", "--config", file)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+i.in("ca.pem"))
	cmd.Stderr = &i.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if i.owner != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(i.owner), Gid: uint32(i.owner)}
	}
	exited, started := make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig goes by the thread
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
		close(exited)
	}()
	if err := <-started; err != nil {
		i.Fatal(err)
	}
	i.cmd, i.exited = cmd, exited
	i.Cleanup(func() {
		i.stop()
		if i.Failed() {
			i.Logf("the server's log:\n%s", i.log.String())
		}
	})
}

// own gives the server's files to its user.
func (i *installation) own() {
	i.Helper()
	if i.owner == 0 {
		return
	}
	if err := os.MkdirAll(i.in("data"), 0o700); err != nil {
		i.Fatal(err)
	}
	if out, err := exec.Command("chown", "-R", fmt.Sprintf("%d:%[1]d", i.owner), i.in("data"), i.in("keys"), i.in("tls"), i.in("projects"), i.in("lanyard.yaml")).CombinedOutput(); err != nil {
		i.Fatalf("%v: %s", err, out)
	}
}

// stop ends the workspaces, which would outlive the server, and then the server.
func (i *installation) stop() {
	if i.cmd == nil {
		return
	}
	operator := remote.Socket(i.in("data/lanyard.sock"))
	defer operator.Close()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Wait)
	defer cancel()
	for {
		list, err := operator.Workspaces(ctx)
		if err != nil || len(list) == 0 {
			break
		}
		for _, ws := range list {
			_ = operator.ForceDeleteWorkspace(ctx, ws.ID) // it is asked again
		}
		time.Sleep(50 * time.Millisecond)
	}
	i.end(syscall.SIGTERM)
}

// end ends the server with a signal.
func (i *installation) end(sig syscall.Signal) {
	_ = i.cmd.Process.Signal(sig) // gone already is as good
	select {
	case <-i.exited:
	case <-time.After(harness.Wait):
		_ = i.cmd.Process.Kill()
		<-i.exited
		i.Error("the server did not end when it was asked to")
	}
	i.cmd = nil
}

// person is a browser in which nobody is signed in, on a machine that finds all hosts here and trusts these authorities.
// from is the machine's address.
func (i *installation) person(trusts *x509.CertPool, from string) *browser.Browser {
	b := browser.New()
	i.Cleanup(b.Close)
	transport := b.HTTP().Transport.(*http.Transport)
	transport.TLSClientConfig = &tls.Config{RootCAs: trusts}
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return dialer.DialContext(ctx, network, "127.0.0.1:"+port)
	}
	return b
}

// ada signs ada in.
func (i *installation) ada(b *browser.Browser) *remote.Remote {
	i.Helper()
	if err := b.SignIn(i.within(), i.url, "ada@contoso.example", "lanyard-ada"); err != nil {
		i.Fatalf("sign ada in: %v", err)
	}
	return remote.As(b, i.url)
}

// workspace makes one of ada's.
func (i *installation) workspace(ada *remote.Remote) api.Workspace {
	i.Helper()
	ws, err := ada.CreateWorkspace(i.within(), api.Order{ContextURL: "https://" + i.git + "/payments/api"})
	if err != nil {
		i.Fatalf("make a workspace: %v", err)
	}
	var said []string
	ws, err = ada.Follow(i.within(), ws.ID, func(p api.Progress) { said = append(said, p.Text) })
	if err != nil || ws.Phase != "running" {
		i.Fatalf("the workspace is %s (%s): %v\n%s", ws.Phase, ws.Message, err, strings.Join(said, "\n"))
	}
	return ws
}

// terminal opens a workspace's terminal.
func (i *installation) terminal(b *browser.Browser, ws api.Workspace) *harness.Terminal {
	i.Helper()
	terminal, err := harness.TerminalOf(i, b, ws.Terminal)
	if err != nil {
		i.Fatalf("open the terminal: %v", err)
	}
	i.works(terminal, "at first")
	return terminal
}

// works types into a terminal and waits for what comes of it.
func (i *installation) works(terminal *harness.Terminal, when string) {
	i.Helper()
	before := strings.Count(terminal.Output(), "seen:42:here")
	if err := terminal.Type("echo seen:$((6*7)):here\r"); err != nil {
		i.Fatalf("%s nothing can be typed: %v", when, err)
	}
	i.eventually(when+" the terminal answers", func() bool {
		select {
		case <-terminal.Ended():
			_, reason, _ := terminal.End()
			i.Fatalf("%s the terminal has ended: %s", when, reason)
		default:
		}
		return strings.Count(terminal.Output(), "seen:42:here") > before
	})
}

// leaf is the certificate that a host shows.
func (i *installation) leaf(host string) *x509.Certificate {
	i.Helper()
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: harness.Wait}, "tcp", fmt.Sprintf("127.0.0.1:%d", i.port), &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

func (i *installation) within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Wait)
	i.Cleanup(cancel)
	return ctx
}

func (i *installation) eventually(what string, holds func() bool) {
	i.Helper()
	for end := time.Now().Add(harness.Wait); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			i.Fatalf("never: %s", what)
		}
	}
}

// certificate writes files of a name for hosts.
func (i *installation) certificate(name string, hosts ...string) tlscert.Files {
	i.Helper()
	f := tlscert.Files{Cert: i.in("tls/" + name + ".pem"), Key: i.in("tls/" + name + ".key")}
	i.authority.write(f, 60*24*time.Hour, hosts...)
	return f
}
