package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/tlscert"
	"github.com/lanyardhq/lanyard/internal/web"
)

// issue writes a certificate for a host, and returns who trusts it.
func issue(t *testing.T, certFile, keyFile, host string, at time.Time) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(at.UnixNano()), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: plain}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(cert)
	return pool
}

// TestTLS: browsers agree on HTTP/2, and a cut closes the connection under TLS.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	const host = "lanyard.example.test"
	roots := issue(t, certFile, keyFile, host, time.Unix(1_000_000, 0))
	log := slog.New(slog.DiscardHandler)
	c, err := tlscert.New(tlscert.Config{Files: []tlscert.Files{{Cert: certFile, Key: keyFile}}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 16)
	s := newHTTPServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { conns <- web.ConnFrom(r.Context()) }), slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- s.Serve(tls.NewListener(l, c.TLS())) }()
	defer func() {
		s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	get := func(roots *x509.CertPool, http2 bool) (*http.Response, error) {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, Protocols: new(http.Protocols),
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, l.Addr().String())
			}}
		defer transport.CloseIdleConnections()
		transport.Protocols.SetHTTP1(true)
		transport.Protocols.SetHTTP2(http2)
		resp, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Get("https://" + host + "/")
		if err == nil {
			resp.Body.Close()
		}
		return resp, err
	}
	for http2, want := range map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"} {
		resp, err := get(roots, http2)
		if err != nil || resp.Proto != want {
			t.Fatalf("%v %v", resp, err)
		}
		if _, wrapped := (<-conns).(*tls.Conn); wrapped { // closing that waits for the peer to take an alert
			t.Error("a cut would close the connection by TLS's own goodbye")
		}
	}
}

// TestAttack33UnfinishedHandshakes: who begins to speak TLS, or does not even begin, holds no connection.
func TestAttack33UnfinishedHandshakes(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	issue(t, certFile, keyFile, "lanyard.example.test", time.Unix(1_000_000, 0))
	log := slog.New(slog.DiscardHandler)
	c, err := tlscert.New(tlscert.Config{Files: []tlscert.Files{{Cert: certFile, Key: keyFile}}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newHTTPServer(http.NotFoundHandler(), log)
	if s.ReadHeaderTimeout <= 0 {
		t.Error("a handshake has no end")
	}
	s.ReadHeaderTimeout = 100 * time.Millisecond // it bounds handshakes too
	done := make(chan error, 1)
	go func() { done <- s.Serve(tls.NewListener(l, c.TLS())) }()
	defer func() {
		s.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	for _, sent := range []string{"", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"} { // the beginning of a ClientHello
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, sent); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %q the connection is held", sent)
		}
		conn.Close()
	}
}
