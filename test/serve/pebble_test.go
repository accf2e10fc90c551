package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

// pebbleNames are the programs of an ACME authority that is made for tests by the makers of Let's Encrypt, and of a name
// server beside it that says of each name that it is here.
var pebbleNames = []string{"pebble", "pebble-challtestsrv"}

// pebbles builds them, once.
var pebbles = sync.OnceValues(func() (string, error) {
	dir, err := harness.Programs() // removed at the end
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", dir+"/")
	for _, name := range pebbleNames {
		build.Args = append(build.Args, "github.com/letsencrypt/pebble/v2/cmd/"+name)
	}
	build.Dir = filepath.Join("..", "pebble")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the ACME authority: %w\n%s", err, out)
	}
	return dir, nil
})

// pebble is an ACME authority that runs.
type pebble struct {
	directory string // URL
	roots     string // URL
	client    *http.Client
}

// pebbleConfig is how one is started.
type pebbleConfig struct {
	http, tls int               // ports at which it looks for answers to its challenges
	life      int               // of certificates, in seconds
	accounts  map[string]string // that accounts must be bound to, with their keys; empty: none
}

// startPebble starts one whose own address i.authority vouches for.
func (i *installation) startPebble(c pebbleConfig) *pebble {
	i.Helper()
	bin, err := pebbles()
	if err != nil {
		i.Fatal(err)
	}
	names, acme, management := harness.FreePort(i), harness.FreePort(i), harness.FreePort(i)
	own := i.certificate("pebble", "acme.example.test", "localhost")
	text, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%d", acme), "managementListenAddress": fmt.Sprintf("127.0.0.1:%d", management),
		"certificate": own.Cert, "privateKey": own.Key, "httpPort": c.http, "tlsPort": c.tls,
		"externalAccountBindingRequired": len(c.accounts) > 0, "externalAccountMACKeys": c.accounts,
		"retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "the only one", "validityPeriod": c.life}},
	}})
	if err != nil {
		i.Fatal(err)
	}
	i.run(filepath.Join(bin, "pebble-challtestsrv"), "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-defaultIPv6", "",
		"-dnsserver", fmt.Sprintf("127.0.0.1:%d", names), "-management", fmt.Sprintf("127.0.0.1:%d", harness.FreePort(i)))
	i.run(filepath.Join(bin, "pebble"), "-config", i.write("pebble.json", string(text)), "-dnsserver", fmt.Sprintf("127.0.0.1:%d", names))
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", fmt.Sprintf("127.0.0.1:%d", names))
	}}
	i.eventually("the name server answers", func() bool {
		_, err := resolver.LookupNetIP(i.within(), "ip4", pagesHost)
		return err == nil
	})
	p := &pebble{
		directory: fmt.Sprintf("https://localhost:%d/dir", acme), roots: fmt.Sprintf("https://localhost:%d/roots/0", management),
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: i.authority.pool()}}},
	}
	i.eventually("the authority answers", func() bool {
		resp, err := p.client.Get(p.directory)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	return p
}

// pool trusts the certificates that it gives out.
func (p *pebble) pool(t testing.TB) *x509.CertPool {
	t.Helper()
	resp, err := p.client.Get(p.roots)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatalf("the authority's root is %s", text)
	}
	return pool
}

// run runs a program until the test ends.
func (i *installation) run(program string, args ...string) {
	i.Helper()
	var log harness.Buffer
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
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
	i.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // gone already is as good
		<-exited
		if i.Failed() {
			i.Logf("%s said:\n%s", filepath.Base(program), log.String())
		}
	})
}
