package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificate is for a host, signed by itself, and who trusts it.
func certificate(t *testing.T, host string, ends time.Time) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: ends.Add(-1000 * time.Hour), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// site serves https with a certificate, and returns how it is dialled, whatever its name.
func site(t *testing.T, cert tls.Certificate, h http.Handler) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, s.Listener.Addr().String())
	}
}

// TestOutside: each trouble with an address is told from the others, and what is shown is told also where it is not trusted.
func TestOutside(t *testing.T) {
	const host = "lanyard.example.test"
	good, trusted := certificate(t, host, time.Now().Add(100*time.Hour))
	other, otherTrusted := certificate(t, "other.example.test", time.Now().Add(100*time.Hour))
	old, oldTrusted := certificate(t, host, time.Now().Add(-time.Hour))
	keys := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"keys":[{"kid":"ours"}]}`) })
	nobody := func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	closed := func(context.Context, string, string) (net.Conn, error) { return nil, fmt.Errorf("connection refused") }
	plain := httptest.NewServer(keys)
	defer plain.Close()
	for name, c := range map[string]struct {
		p        Prober
		kid      string
		trouble  string
		stranger bool
	}{
		"reached":     {p: Prober{Dial: site(t, good, keys), TLS: &tls.Config{RootCAs: trusted}}, kid: "ours"},
		"a stranger":  {p: Prober{Dial: site(t, good, keys), TLS: &tls.Config{RootCAs: trusted}}, kid: "another's", stranger: true},
		"other names": {p: Prober{Dial: site(t, other, keys), TLS: &tls.Config{RootCAs: otherTrusted}}, trouble: "tls-name"},
		"expired":     {p: Prober{Dial: site(t, old, keys), TLS: &tls.Config{RootCAs: oldTrusted}}, trouble: "tls-time"},
		"not trusted": {p: Prober{Dial: site(t, good, keys), TLS: &tls.Config{RootCAs: x509.NewCertPool()}}, trouble: "tls-trust"},
		"no name":     {p: Prober{Dial: nobody}, trouble: "dns"},
		"closed":      {p: Prober{Dial: closed}, trouble: "connect"},
		"no TLS": {p: Prober{Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, plain.Listener.Addr().String())
		}}, trouble: "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.p.Outside(t.Context(), Question{For: "pages", Address: "https://" + host + "/oauth/jwks", Method: http.MethodGet, Ours: SameKeys([]string{c.kid})})
			if o.Trouble != c.trouble || o.Stranger != c.stranger || (o.Trouble != "") != (o.Problem != "") {
				t.Errorf("%+v", o)
			}
			if strings.HasPrefix(c.trouble, "tls-") && (o.Ends.IsZero() || len(o.Names) != 1) {
				t.Errorf("it does not say what is shown: %+v", o)
			}
		})
	}
}

// TestRedirect: what the tenant makes of a redirect address is told by where it leads, and by its page.
func TestRedirect(t *testing.T) {
	const redirect = "https://lanyard.example.test/login/callback/entra"
	tenant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("prompt") != "none" || q.Get("client_secret") != "" || q.Get("response_type") != "code" {
			t.Errorf("it asks %s", r.URL)
		}
		switch r.URL.Path {
		case "/known":
			http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"error": {"login_required"}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
		case "/unknown":
			fmt.Fprint(w, "<html>Sorry, but we’re having trouble signing you in. AADSTS50011: The redirect URI …</html>")
		case "/away":
			http.Redirect(w, r, "https://elsewhere.example.test/", http.StatusFound)
		default:
			http.Error(w, "no", http.StatusBadGateway)
		}
	}))
	defer tenant.Close()
	p := Prober{HTTP: tenant.Client()}
	for path, want := range map[string][2]bool{"/known": {true, false}, "/unknown": {false, true}, "/away": {}, "/broken": {}} {
		known, refused, _ := p.Redirect(t.Context(), tenant.URL, tenant.URL+path, "client", redirect)
		if known != want[0] || refused != want[1] {
			t.Errorf("%s: %v %v", path, known, refused)
		}
	}
}

// TestDiscovery: what the document says, and why it cannot be read.
func TestDiscovery(t *testing.T) {
	var at string
	tenant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/good/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": at + "/good", "token_endpoint": at + "/token", "jwks_uri": at + "/keys"})
		case "/keys":
			fmt.Fprint(w, `{"keys":[{},{}]}`)
		case "/unknown/.well-known/openid-configuration":
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant 'x' not found.\r\nTrace ID: 1"}`)
		default:
			fmt.Fprint(w, "<html>")
		}
	}))
	defer tenant.Close()
	at = tenant.URL
	p := Prober{HTTP: tenant.Client()}
	if d := p.Discovery(t.Context(), at+"/good", at+"/token"); d.Problem != "" || d.Issuer != at+"/good" || d.Keys != 2 || d.Status != http.StatusOK {
		t.Errorf("%+v", d)
	}
	if d := p.Discovery(t.Context(), at+"/unknown", ""); d.Status != http.StatusBadRequest || d.Problem != "AADSTS90002: Tenant 'x' not found." {
		t.Errorf("%+v", d)
	}
	if d := p.Discovery(t.Context(), at+"/page", ""); d.Problem != "it is no JSON document" {
		t.Errorf("%+v", d)
	}
	tenant.Close()
	if d := p.Discovery(t.Context(), at+"/good", ""); d.Status != 0 || d.Problem == "" || strings.Contains(d.Problem, "/good") {
		t.Errorf("%+v", d)
	}
}

// TestAttack25TheDoctorAsksWebAddressesOnly: what a discovery document names is asked only where it is a web address that
// is no weaker than the issuer's, and no redirect is followed.
func TestAttack25TheDoctorAsksWebAddressesOnly(t *testing.T) {
	const issuer = "https://login.example.test/t/v2.0"
	for address, want := range map[string]bool{
		"https://login.example.test/keys": true, "https://keys.example.test": true, "http://login.example.test/keys": false, "file:///etc/passwd": false,
		"https://u:p@login.example.test/keys": false, "//login.example.test/keys": false, "keys": false, "": false, "gopher://x": false,
	} {
		if asked(issuer, address) != want {
			t.Errorf("%q is asked: %v", address, !want)
		}
	}
	inside := 0
	secret := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside++ }))
	defer secret.Close()
	tenant := httptest.NewServer(http.RedirectHandler(secret.URL, http.StatusFound))
	defer tenant.Close()
	p := Prober{HTTP: tenant.Client()}
	if d := p.Discovery(t.Context(), tenant.URL, ""); d.Problem == "" {
		t.Errorf("%+v", d)
	}
	if known, _, _ := p.Redirect(t.Context(), tenant.URL, tenant.URL, "client", "https://lanyard.example.test/cb"); known || inside != 0 {
		t.Errorf("a redirect was followed %d times", inside)
	}
}
