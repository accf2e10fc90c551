package tlscert

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// certificate is one that a test makes.
type certificate struct {
	names []string
	until time.Time // zero: in an hour
	rsa   bool
}

// issue writes a certificate into files of a folder.
func issue(t *testing.T, folder string, c certificate) Files {
	t.Helper()
	key := crypto.Signer(nil)
	var err error
	if c.rsa {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	} else {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	if c.until.IsZero() {
		c.until = time.Now().Add(time.Hour)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, DNSNames: c.names, NotBefore: c.until.Add(-90 * 24 * time.Hour), NotAfter: c.until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	f := Files{Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}
	put(t, f.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, f.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: plain}))
	return f
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// shown is the certificate that a client sees who asks for a name.
func shown(t *testing.T, s *Set, client *tls.Config) *x509.Certificate {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	client.InsecureSkipVerify = true // it is looked at below
	done := make(chan error, 1)
	go func() {
		done <- tls.Server(theirs, s.TLS()).Handshake()
		theirs.Close()
	}()
	conn := tls.Client(ours, client)
	err := conn.Handshake()
	ours.Close()
	if other := <-done; err != nil {
		t.Fatalf("%v, %v", err, other)
	}
	return conn.ConnectionState().PeerCertificates[0]
}

func of(t *testing.T, f Files) *x509.Certificate {
	t.Helper()
	c, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func TestTheNameChooses(t *testing.T) {
	dir := t.TempDir()
	in := func(name string, c certificate) Files { return issue(t, filepath.Join(dir, name), c) }
	files := map[string]Files{
		"pages":  in("pages", certificate{names: []string{"lanyard.example.test"}}),
		"ended":  in("ended", certificate{names: []string{"*.workspaces.example.net"}, until: time.Now().Add(-time.Hour)}),
		"wild":   in("wild", certificate{names: []string{"*.workspaces.example.net"}}),
		"rsa":    in("rsa", certificate{names: []string{"apps.example.org", "*.apps.example.org"}, rsa: true}),
		"modern": in("modern", certificate{names: []string{"*.apps.example.org"}}),
		"late":   in("late", certificate{names: []string{"late.example.test"}, until: time.Now().Add(-time.Hour)}),
	}
	c := Config{Log: slog.New(slog.DiscardHandler)}
	for _, name := range []string{"pages", "ended", "wild", "rsa", "modern", "late"} {
		c.Files = append(c.Files, files[name])
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	onlyECDSA := []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}
	for _, one := range []struct {
		name, want string
		suites     []uint16
	}{
		{"lanyard.example.test", "pages", nil},
		{"LANYARD.example.test", "pages", nil},
		{"t-abc.workspaces.example.net", "wild", nil},
		{"a.b.workspaces.example.net", "pages", nil}, // a wildcard is one label
		{"ledger.apps.example.org", "rsa", nil},
		{"ledger.apps.example.org", "modern", onlyECDSA},
		{"late.example.test", "late", nil},
		{"nobody.example.test", "pages", nil},
		{"", "pages", nil},
	} {
		client := &tls.Config{ServerName: one.name, CipherSuites: one.suites}
		if one.suites != nil {
			client.MaxVersion = tls.VersionTLS12
		}
		if got := shown(t, s, client); !got.Equal(of(t, files[one.want])) {
			t.Errorf("%q is shown the certificate of %v, not %s", one.name, got.DNSNames, one.want)
		}
	}
	if held := s.Held(); len(held) != 6 || held[2].Names[0] != "*.workspaces.example.net" || held[2].From != files["wild"].Cert {
		t.Errorf("held are %+v", held)
	}
}

// TestFilesThatChange: what renews certificates writes over files, moves others into their place, or turns a link.
func TestFilesThatChange(t *testing.T) {
	dir := t.TempDir()
	const name = "lanyard.example.test"
	first, second := issue(t, filepath.Join(dir, "1"), certificate{names: []string{name}}), issue(t, filepath.Join(dir, "2"), certificate{names: []string{name}})
	link := filepath.Join(dir, "live")
	turn := func(to string) {
		t.Helper()
		if err := os.Symlink(to, link+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link+".new", link); err != nil {
			t.Fatal(err)
		}
	}
	turn("1")
	// The same moment and size: a backup that was put back, a file system with coarse time.
	moment := time.Now().Add(-time.Hour)
	for _, f := range []Files{first, second} {
		for _, path := range []string{f.Cert, f.Key} {
			if err := os.Chtimes(path, moment, moment); err != nil {
				t.Fatal(err)
			}
		}
	}
	var said bytes.Buffer
	s, err := New(Config{Files: []Files{{Cert: filepath.Join(link, "cert.pem"), Key: filepath.Join(link, "key.pem")}}, Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	follow := func(want Files, when string) {
		t.Helper()
		s.files[0].follow(s.log)
		if got := shown(t, s, &tls.Config{ServerName: name}); !got.Equal(of(t, want)) {
			t.Errorf("%s another certificate is shown", when)
		}
	}
	follow(first, "at first")
	turn("2")
	follow(second, "after the link was turned")
	third := of(t, second)
	put(t, second.Key, []byte("half written"))
	for range 3 {
		s.files[0].follow(s.log)
	}
	if got := shown(t, s, &tls.Config{ServerName: name}); !got.Equal(third) {
		t.Error("half a key was taken")
	}
	if n := strings.Count(said.String(), "stays as it was"); n != 1 {
		t.Errorf("a bad file was reported %d times:\n%s", n, said.String())
	}
	issue(t, filepath.Join(dir, "2"), certificate{names: []string{name}})
	follow(second, "after both were written")
	if err := os.Remove(second.Cert); err != nil {
		t.Fatal(err)
	}
	s.files[0].follow(s.log)
	if n := strings.Count(said.String(), "was read again"); n != 2 {
		t.Errorf("it was said %d times that there is another:\n%s", n, said.String())
	}
	if _, err := New(Config{Files: []Files{second}}); err == nil {
		t.Error("a certificate that is absent was read")
	}
	if _, err := New(Config{Files: []Files{{Cert: first.Cert, Key: issue(t, filepath.Join(dir, "3"), certificate{}).Key}}}); err == nil {
		t.Error("a certificate was taken with another one's key")
	}
}

func TestEndsSoon(t *testing.T) {
	now := time.Now()
	const day = 24 * time.Hour
	for _, one := range []struct {
		life, left time.Duration
		soon       bool
	}{
		{90 * day, 30 * day, false}, {90 * day, 13 * day, true}, {6 * day, 2 * day, false}, {6 * day, day, true}, {90 * day, -day, true}, {365 * day, 15 * day, false},
	} {
		h := Held{Since: now.Add(one.left - one.life), Until: now.Add(one.left)}
		if h.EndsSoon(now) != one.soon {
			t.Errorf("of %v, %v are left: soon is %v", one.life, one.left, !one.soon)
		}
	}
	dir := t.TempDir()
	var said bytes.Buffer
	s, err := New(Config{Files: []Files{issue(t, dir, certificate{names: []string{"lanyard.example.test"}})}, Log: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.warn(now)
	s.warn(now.Add(time.Minute))
	s.warn(now.Add(25 * time.Hour))
	if n := strings.Count(said.String(), "ends soon"); n != 2 {
		t.Errorf("it was said %d times, not once a day:\n%s", n, said.String())
	}
}
