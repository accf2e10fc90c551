package entra_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// proving is a tenant that knows two certificates and a federated credential of Lanyard's app besides its secret, with
// what is needed to use them.
type proving struct {
	sim    *entrasim.Tenant
	config entra.Config
	dir    string
	keys   [2]*rsa.PrivateKey
	certs  [2][]byte
	issuer *httptest.Server // its key is keys[0]
}

const cluster = "system:serviceaccount:lanyard:lanyard"

func prove(t *testing.T) *proving {
	t.Helper()
	p := &proving{dir: t.TempDir()}
	for i := range p.keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		must(t, err)
		template := x509.Certificate{SerialNumber: big.NewInt(int64(i + 1)), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
		must(t, err)
		p.keys[i], p.certs[i] = key, der
	}
	p.issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/keys" {
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.keys[0].Public(), KeyID: "k", Algorithm: "RS256"}}})
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, p.issuer.URL, p.issuer.URL+"/keys")
	}))
	t.Cleanup(p.issuer.Close)
	org := entrasim.Contoso(entrasim.Sample{Secret: "sample secret"})
	org.Apps[0].Certificates = p.certs[:]
	org.Apps[0].Federated = []entrasim.FederatedCredential{{Issuer: p.issuer.URL, Subject: cluster, Audience: "api://AzureADTokenExchange"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.sim.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	var err error
	p.sim, err = entrasim.New(entrasim.Config{URL: server.URL, Organisation: org})
	must(t, err)
	t.Cleanup(func() { p.sim.Close() })
	p.config = entra.Config{
		Tenant: tenant, ClientID: entrasim.LanyardAppID, Graph: p.sim.GraphURL(), TokenURL: server.URL + "/" + p.sim.TenantID() + "/oauth2/v2.0/token",
		Sweep: 50 * time.Millisecond,
	}
	return p
}

func (p *proving) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(p.dir, name)
	must(t, os.WriteFile(path+".new", content, 0o600))
	must(t, os.Rename(path+".new", path))
	return path
}

func (p *proving) certificate(t *testing.T, i int) credential.Files {
	t.Helper()
	return credential.Files{
		Certificate: p.write(t, "app.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certs[i]})),
		Key:         p.write(t, "app.key", pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(p.keys[i])})),
	}
}

func (p *proving) federated(t *testing.T, subject string) credential.Files {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: p.keys[0]}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	must(t, err)
	signed, err := signer.Sign(fmt.Appendf(nil, `{"iss":%q,"sub":%q,"aud":["api://AzureADTokenExchange"],"exp":%d}`, p.issuer.URL, subject, time.Now().Add(time.Hour).Unix()))
	must(t, err)
	token, err := signed.CompactSerialize()
	must(t, err)
	return credential.Files{FederatedToken: p.write(t, "token", []byte(token))}
}

func (p *proving) secret(t *testing.T, secret string) credential.Files {
	t.Helper()
	return credential.Files{Secret: p.write(t, "secret", []byte(secret+"\n"))}
}

// TestEveryCredential reads the tenant with each kind, and says of each how it is doing.
func TestEveryCredential(t *testing.T) {
	p := prove(t)
	for _, c := range []struct {
		name  string
		files []credential.Files
		works []bool // in the order of preference
	}{
		{"secret", []credential.Files{p.secret(t, "sample secret")}, []bool{true}},
		{"certificate", []credential.Files{p.certificate(t, 0)}, []bool{true}},
		{"federated", []credential.Files{p.federated(t, cluster)}, []bool{true}},
		{"all", []credential.Files{p.secret(t, "sample secret"), p.certificate(t, 0), p.federated(t, cluster)}, []bool{true, true, true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := p.config
			config.Credential = credential.New(config.ClientID, c.files)
			h := open(t, newRows(), config)
			h.ready(t)
			e := h.source.Examine(t.Context(), true)
			if e.Token != nil || len(e.Credentials) != len(c.works) {
				t.Fatalf("%+v", e)
			}
			for i, s := range e.Credentials {
				if works := !s.Worked.IsZero() && s.Problem == ""; works != c.works[i] {
					t.Errorf("%+v", s)
				}
			}
			for _, permission := range e.Permissions {
				if !permission.Granted || permission.Problem != "" {
					t.Errorf("%+v", permission)
				}
			}
		})
	}
}

// TestCredentialRotatedWithoutRestart: what does not work is replaced in its file while the source runs, and the tenant is
// read; what works is replaced by what does not, and the next one is taken.
func TestCredentialRotatedWithoutRestart(t *testing.T) {
	p := prove(t)
	p.config.Credential = credential.New(p.config.ClientID, []credential.Files{p.secret(t, "not it")})
	h := open(t, newRows(), p.config)
	eventually(t, "the refusal", func() bool { return strings.Contains(h.log.String(), "AADSTS7000215") })
	if log := h.log.String(); strings.Contains(log, "not it") || !strings.Contains(log, "secret's value") {
		t.Errorf("it says\n%s", log)
	}
	e := h.source.Examine(t.Context(), true)
	if e.Token == nil || len(e.Permissions) != 0 || !strings.Contains(e.Credentials[0].Problem, "AADSTS7000215") {
		t.Errorf("%+v", e)
	}
	p.secret(t, "sample secret")
	h.ready(t)

	app := credential.New(p.config.ClientID, []credential.Files{p.certificate(t, 0), p.federated(t, cluster+"-2")})
	p.config.Credential = app
	again := open(t, newRows(), p.config)
	again.ready(t)
	if s := app.States(); !strings.Contains(s[0].Problem, "AADSTS700213") || !strings.Contains(s[0].Problem, cluster+"-2") || s[1].Worked.IsZero() {
		t.Errorf("%+v", s)
	}
	before := app.States()[1].Worked
	p.certificate(t, 1)
	p.federated(t, cluster)
	e = again.source.Examine(t.Context(), true)
	if e.Token != nil || e.Credentials[0].Problem != "" || e.Credentials[1].Problem != "" || !e.Credentials[1].Worked.After(before) {
		t.Errorf("after both were replaced: %+v", e)
	}
}

// TestMissingPermission is said by its name.
func TestMissingPermission(t *testing.T) {
	sim, config := watch(t)
	config.NotificationURL = ""
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1.0/groups") {
			http.Error(w, `{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges to complete the operation."}}`, http.StatusForbidden)
			return
		}
		sim.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	config.Graph = front.URL + "/v1.0"
	h := open(t, newRows(), config)
	for _, p := range h.source.Examine(t.Context(), true).Permissions {
		if missing := p.Name == "Group.Read.All"; missing == p.Granted || missing && p.Problem != "it is not granted" {
			t.Errorf("%+v", p)
		}
	}
}

// TestUsersAlone needs one permission, and one subscription.
func TestUsersAlone(t *testing.T) {
	sim, config := watch(t)
	config.UsersOnly = true
	h := open(t, newRows(), config)
	h.ready(t)
	rings(t, h)
	if e := h.source.Examine(t.Context(), true); len(e.Permissions) != 1 || !e.Permissions[0].Granted {
		t.Errorf("%+v", e.Permissions)
	}
	if e := h.source.Examine(t.Context(), false); e.Token != nil || len(e.Permissions) != 0 {
		t.Errorf("%+v", e)
	}
	if made := sim.count("POST"); made != 1 || len(h.source.Door().Subscriptions) != 1 {
		t.Errorf("%d subscriptions made: %+v", made, h.source.Door().Subscriptions)
	}
}
