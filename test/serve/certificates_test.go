package serve

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestCertificates: the server speaks TLS with a certificate for its pages and one for all hosts of terminals and apps, and
// both are renewed by another authority while a terminal is open.
func TestCertificates(t *testing.T) {
	t.Parallel()
	i := newInstallation(t)
	plain, operations := harness.FreePort(t), harness.FreePort(t)
	pages, wild := i.certificate("pages", pagesHost), i.certificate("wild", "*."+workspaceDomain, "*."+appDomain)
	file := i.configure(fmt.Sprintf("tls:\n  certificates:\n    - {cert_file: %s, key_file: %s}\n    - {cert_file: %s, key_file: %s}\n  plain: 127.0.0.1:%d\nlisten_metrics: 127.0.0.1:%d\n",
		pages.Cert, pages.Key, wild.Cert, wild.Key, plain, operations))
	i.start(file)
	person := i.person(i.authority.pool(), "127.0.0.1")
	ada := i.ada(person)
	ws := i.workspace(ada)
	terminal := i.terminal(person, ws)

	next := newAuthority(t)
	next.write(pages, time.Hour, pagesHost)
	next.write(wild, time.Hour, "*."+workspaceDomain, "*."+appDomain)
	for _, host := range []string{pagesHost, "t-abc." + workspaceDomain, "ledger." + appDomain} {
		var leaf *x509.Certificate
		i.eventually(host+" shows the new certificate", func() bool {
			leaf = i.leaf(host)
			return leaf != nil && leaf.CheckSignatureFrom(next.cert) == nil
		})
		if err := leaf.VerifyHostname(host); err != nil {
			t.Error(err)
		}
	}
	i.works(terminal, "after the renewal")
	other := i.person(next.pool(), "127.0.0.1")
	again := i.ada(other)
	i.works(i.terminal(other, ws), "in another browser after the renewal")
	if err := again.DeleteWorkspace(i.within(), ws.ID); err != nil {
		t.Error(err)
	}

	i.checkPlain(plain)
	i.checkCheck(file, wild.Cert)
	i.checkSaid(other, operations)
}

// checkSaid: browsers are told to come by https, and operators when certificates end.
func (i *installation) checkSaid(b *browser.Browser, operations int) {
	i.Helper()
	for address, want := range map[string]string{i.url + "/": "max-age=31536000", fmt.Sprintf("https://ledger.%s:%d/", appDomain, i.port): "max-age=31536000"} {
		resp, err := b.Visit(i.within(), address)
		if err != nil {
			i.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Strict-Transport-Security"); got != want {
			i.Errorf("%s says Strict-Transport-Security: %q", address, got)
		}
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", operations))
	if err != nil {
		i.Fatal(err)
	}
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	if err != nil {
		i.Fatal(err)
	}
	for _, name := range []string{pagesHost, "*." + workspaceDomain} {
		if !strings.Contains(string(metrics), fmt.Sprintf("lanyard_certificate_expires_timestamp_seconds{name=%q} 1", name)) {
			i.Errorf("no end of the certificate of %s in the metrics", name)
		}
	}
}

// checkPlain asks without TLS.
func (i *installation) checkPlain(port int) {
	i.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	for host, want := range map[string]string{
		pagesHost:                        i.url + "/connections?x=1",
		"ledger." + appDomain:            fmt.Sprintf("https://ledger.%s:%d/connections?x=1", appDomain, i.port),
		"elsewhere.example.com":          i.url + "/",
		pagesHost + ".elsewhere.example": i.url + "/",
	} {
		r, err := http.NewRequestWithContext(i.within(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/connections?x=1", port), nil)
		if err != nil {
			i.Fatal(err)
		}
		r.Host = host
		resp, err := client.Do(r)
		if err != nil {
			i.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusTemporaryRedirect || got != want {
			i.Errorf("%s without TLS: %s to %q, not %q", host, resp.Status, got, want)
		}
	}
	resp, err := client.Post(fmt.Sprintf("http://127.0.0.1:%d/login", port), "text/plain", strings.NewReader("x"))
	if err != nil {
		i.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		i.Errorf("a form that was sent without TLS: %s", resp.Status)
	}
}

// checkCheck: `lanyard check` has something to say of certificates.
func (i *installation) checkCheck(file, wild string) {
	i.Helper()
	bin, err := harness.Programs()
	if err != nil {
		i.Fatal(err)
	}
	check := func() string {
		out, _ := exec.Command(bin+"/lanyard", "check", "--config", file).CombinedOutput() // its status says what its text does
		return string(out)
	}
	if said := check(); !strings.Contains(said, "ends at") { // an hour is left of both
		i.Errorf("check says %s", said)
	}
	i.certificate("pages", pagesHost)
	i.certificate("wild", "*."+workspaceDomain, "*."+appDomain)
	if said := check(); !strings.Contains(said, "is in order") {
		i.Errorf("check says %s", said)
	}
	i.certificate("wild", "*."+workspaceDomain)
	if said := check(); !strings.Contains(said, "no certificate under `tls` is for *."+appDomain) {
		i.Errorf("check says %s", said)
	}
	if err := os.Remove(wild); err != nil {
		i.Fatal(err)
	}
	if said := check(); !strings.Contains(said, wild) {
		i.Errorf("check says %s", said)
	}
}
