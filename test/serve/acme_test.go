package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/tlscert"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
)

// wildFor is the configuration of TLS with an authority for the pages, and files for all other hosts.
const wildFor = `tls:
  acme: {directory: "%s", ca_file: %s, email: ops@example.test%s}
  certificates: [{cert_file: %s, key_file: %s}]
%s`

func (i *installation) acme(p *pebble, account, more string) string {
	i.Helper()
	wild := i.certificate("wild", "*."+workspaceDomain, "*."+appDomain)
	return i.configure(fmt.Sprintf(wildFor, p.directory, i.in("ca.pem"), account, wild.Cert, wild.Key, more))
}

// both trusts an authority beside i.authority.
func (i *installation) both(p *pebble) *x509.CertPool {
	pool := p.pool(i)
	pool.AddCert(i.authority.cert)
	return pool
}

// unobtained is what is logged when the authority gave none. It is asked again minutes later, or after a start.
const unobtained = "no certificate was obtained"

// obtained waits for the certificate of the pages; the server is started again once if it got none, as when the authority
// was in a hurry and this machine was not.
func (i *installation) obtained(file string) (leaf *x509.Certificate) {
	i.Helper()
	shown := func() bool {
		leaf = i.leaf(pagesHost)
		return leaf != nil && leaf.VerifyHostname(pagesHost) == nil
	}
	i.eventually("a certificate was obtained, or not", func() bool { return shown() || i.says(unobtained) })
	if leaf == nil {
		i.stop()
		i.start(file)
		i.eventually("a certificate was obtained after another start", shown)
	}
	return leaf
}

// visitor is a person who trusts both authorities, and who does not mind a certificate that ended while it was renewed: it
// lives for less than a slow machine may need for that.
func (i *installation) visitor(p *pebble) *browser.Browser {
	i.Helper()
	b, roots := i.person(nil, "127.0.0.1"), i.both(p)
	b.HTTP().Transport.(*http.Transport).TLSClientConfig = &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(c tls.ConnectionState) error {
		leaf, between := c.PeerCertificates[0], x509.NewCertPool()
		for _, other := range c.PeerCertificates[1:] {
			between.AddCert(other)
		}
		at := time.Now()
		if at.After(leaf.NotAfter) {
			at = leaf.NotAfter
		}
		_, err := leaf.Verify(x509.VerifyOptions{DNSName: c.ServerName, Roots: roots, Intermediates: between, CurrentTime: at})
		return err
	}}
	return b
}

// TestACME: the certificate of the pages is obtained from an authority that looks at the TLS port, and renewed while a
// terminal is open.
func TestACME(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	p := i.startPebble(pebbleConfig{http: harness.FreePort(t), tls: i.listen, life: 45})
	file := i.acme(p, "", "")
	i.start(file)
	first := i.obtained(file)
	person := i.visitor(p)
	terminal := i.terminal(person, i.workspace(i.ada(person)))
	i.eventually("it was renewed", func() bool {
		now := i.leaf(pagesHost)
		return now != nil && !now.Equal(first) && now.VerifyHostname(pagesHost) == nil
	})
	i.works(terminal, "after the renewal")
	person.HTTP().CloseIdleConnections()
	i.ada(i.visitor(p))
	if leaf := i.leaf("t-abc." + workspaceDomain); leaf == nil || leaf.CheckSignatureFrom(i.authority.cert) != nil {
		t.Error("another certificate than that of the files is shown for terminals")
	}
	if leaf := i.leaf("elsewhere.example.com"); leaf == nil || leaf.VerifyHostname("elsewhere.example.com") == nil {
		t.Error("a name of nobody's got a certificate")
	}
	if strings.Contains(i.log.String(), "elsewhere.example.com") {
		t.Error("a stranger's name reached the authority or the log")
	}
}

// TestACMEOverPlainHTTP: an authority that wants accounts of its own looks at port 80; the certificate is still there after
// a restart.
func TestACMEOverPlainHTTP(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	const key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	plain := harness.FreePort(t)
	p := i.startPebble(pebbleConfig{http: plain, tls: harness.FreePort(t), life: 90 * 24 * 3600, accounts: map[string]string{"account-1": key}})
	account := ", key_id: account-1, mac_key_file: " + i.write("keys/mac", key+"\n")
	file := i.acme(p, account, fmt.Sprintf("  plain: 127.0.0.1:%d\n", plain))
	i.start(file)
	first := i.obtained(file)
	i.ada(i.person(i.both(p), "127.0.0.1"))
	i.checkPlain(plain)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/.well-known/acme-challenge/nothing", plain))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 4 {
		t.Errorf("a challenge that nobody asked for: %s", resp.Status)
	}
	i.end(syscall.SIGKILL)
	i.start(file)
	i.eventually("it is still there", func() bool {
		again := i.leaf(pagesHost)
		return again != nil && again.Equal(first)
	})
	if kept := i.files("data", "PRIVATE KEY"); len(kept) > 0 {
		t.Errorf("a private key stands unsealed in %s", kept)
	}
}

// files are those below a folder that hold a text.
func (i *installation) files(folder, text string) (list []string) {
	i.Helper()
	if err := filepath.WalkDir(i.in(folder), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		body, err := os.ReadFile(path)
		if strings.Contains(string(body), text) {
			list = append(list, path)
		}
		return err
	}); err != nil {
		i.Fatal(err)
	}
	return list
}

// TestACMEIsShared: of two replicas one asks for a certificate, the other is the one that the authority comes to, and shows
// the same certificate without asking for one.
func TestACMEIsShared(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	p := i.startPebble(pebbleConfig{http: harness.FreePort(t), tls: i.listen, life: 90 * 24 * 3600})
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := store.Open(t.Context(), store.Config{SQLite: i.in("shared.db"), Origin: "a", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rows.Close(); err != nil {
			t.Error(err)
		}
	})
	replica := func(log *harness.Buffer) *tlscert.Set {
		set, err := tlscert.New(tlscert.Config{
			ACME: &tlscert.ACME{Directory: p.directory, Hosts: []string{pagesHost}, Roots: i.authority.pool()}, Rows: rows, Sealer: sealer,
			Log: slog.New(slog.NewTextHandler(log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	run := func(set *tlscert.Set) {
		ctx, end := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { set.Run(ctx) })
		t.Cleanup(func() {
			end()
			running.Wait()
		})
	}
	var first, second harness.Buffer
	a, b := replica(&first), replica(&second)
	l, err := tls.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", i.listen), b.TLS())
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
	var serving sync.WaitGroup
	serving.Go(func() { _ = s.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
	})
	run(a)
	i.eventually("the one has a certificate, or got none", func() bool { return len(a.Held()) == 1 || strings.Contains(first.String(), unobtained) })
	if len(a.Held()) == 0 { // a new one asks at once, as after a start
		t.Log(first.String())
		a = replica(&first)
		run(a)
		i.eventually("the one has a certificate", func() bool { return len(a.Held()) == 1 })
	}
	if len(b.Held()) != 0 || i.leaf(pagesHost) != nil {
		t.Error("the other shows one before it has looked")
	}
	run(b)
	i.eventually("the other shows it", func() bool { return i.leaf(pagesHost) != nil })
	if a.Held()[0].Until != b.Held()[0].Until || a.Held()[0].Since != b.Held()[0].Since {
		t.Errorf("each has its own:\n%s\n%s", first.String(), second.String())
	}
}
