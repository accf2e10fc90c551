package credential

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const clientID = "11111111-2222-3333-4444-555555555555"

// endpoint is a token endpoint that answers as it is told and keeps what it was sent.
type endpoint struct {
	*httptest.Server
	mu     sync.Mutex
	forms  []url.Values
	answer func(url.Values) (int, string)
}

func newEndpoint(t *testing.T, answer func(url.Values) (int, string)) *endpoint {
	t.Helper()
	e := &endpoint{answer: answer}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		e.mu.Lock()
		e.forms = append(e.forms, r.PostForm)
		e.mu.Unlock()
		status, body := e.answer(r.PostForm)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) sent() []url.Values {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.forms)
}

const granted = `{"access_token":"at","token_type":"Bearer","expires_in":3599}`

func refuse(number int, oauth string) (int, string) {
	return http.StatusUnauthorized, fmt.Sprintf(`{"error":%q,"error_description":"AADSTS%d: Something. Trace ID: x\r\nCorrelation ID: y","error_codes":[%d]}`, oauth, number, number)
}

func (e *endpoint) ask(t *testing.T, a *App) (Answer, error) {
	t.Helper()
	return a.Token(t.Context(), e.Client(), e.URL, url.Values{"grant_type": {"client_credentials"}})
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certFiles writes a new certificate and its key.
func certFiles(t *testing.T, dir string, ends time.Time) (Files, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Files{
		Certificate: write(t, filepath.Join(dir, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		Key:         write(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))),
	}, cert
}

func jwtOf(claims string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(`{"alg":"RS256"}`)) + "." + enc([]byte(claims)) + "." + enc([]byte("signature"))
}

// TestCertificateAssertion compares the assertion with the one that Microsoft documents: the same members, our values.
func TestCertificateAssertion(t *testing.T) {
	var documented struct{ Header, Payload map[string]any }
	text, err := os.ReadFile("testdata/client-assertion-certificate.decoded.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &documented); err != nil {
		t.Fatal(err)
	}
	files, cert := certFiles(t, t.TempDir(), time.Now().Add(time.Hour))
	e := newEndpoint(t, func(url.Values) (int, string) { return 200, granted })
	a := New(clientID, []Files{files})
	if answer, err := e.ask(t, a); err != nil || answer.AccessToken != "at" || answer.Life() != 3599*time.Second {
		t.Fatalf("%+v %v", answer, err)
	}
	form := e.sent()[0]
	if form.Get("client_id") != clientID || form.Get("client_assertion_type") != assertionType || form.Has("client_secret") {
		t.Errorf("sent %v", form)
	}
	parsed, err := jose.ParseSignedCompact(form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.PS256})
	if err != nil {
		t.Fatal(err)
	}
	payload, err := parsed.Verify(cert.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(strings.Split(form.Get("client_assertion"), ".")[0])
	var header map[string]any
	if err := json.Unmarshal(raw, &header); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.Raw)
	if header["x5t#S256"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
		t.Errorf("thumbprint %v", header["x5t#S256"])
	}
	for name, value := range documented.Header {
		if _, ok := header[name]; !ok || name != "x5t#S256" && header[name] != value {
			t.Errorf("header %s is %v, documented %v", name, header[name], value)
		}
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	for name := range documented.Payload {
		if _, ok := claims[name]; !ok {
			t.Errorf("claim %s is missing", name)
		}
	}
	now := float64(time.Now().Unix())
	life := claims["exp"].(float64) - claims["nbf"].(float64)
	if claims["aud"] != e.URL || claims["iss"] != clientID || claims["sub"] != clientID || life < 300 || life > 600 ||
		claims["nbf"].(float64) > now || claims["exp"].(float64) < now+300 {
		t.Errorf("claims %v", claims)
	}
	if _, err := e.ask(t, a); err != nil {
		t.Fatal(err)
	}
	if e.sent()[1].Get("client_assertion") == form.Get("client_assertion") {
		t.Error("the same assertion twice")
	}
	if state := a.States()[0]; state.Kind != Certificate || !state.Ends.Equal(cert.NotAfter) || state.Worked.IsZero() || state.Problem != "" {
		t.Errorf("state %+v", state)
	}
}

// TestRotation replaces each kind's files between two requests.
func TestRotation(t *testing.T) {
	t.Run("secret", func(t *testing.T) {
		file := write(t, filepath.Join(t.TempDir(), "secret"), "one\n")
		e := newEndpoint(t, func(url.Values) (int, string) { return 200, granted })
		a := New(clientID, []Files{{Secret: file}})
		for _, secret := range []string{"one", "two"} {
			write(t, file, secret+"\n")
			if _, err := e.ask(t, a); err != nil {
				t.Fatal(err)
			}
			if sent := e.sent(); sent[len(sent)-1].Get("client_secret") != secret {
				t.Errorf("sent another than %s", secret)
			}
		}
	})
	t.Run("federated", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "token")
		e := newEndpoint(t, func(url.Values) (int, string) { return 200, granted })
		a := New(clientID, []Files{{FederatedToken: file}})
		for _, sub := range []string{"one", "two"} {
			token := jwtOf(fmt.Sprintf(`{"iss":"https://kube.example.test","sub":%q,"aud":["api://AzureADTokenExchange"],"exp":%d}`, sub, time.Now().Add(time.Hour).Unix()))
			write(t, file, token)
			if _, err := e.ask(t, a); err != nil {
				t.Fatal(err)
			}
			if sent := e.sent(); sent[len(sent)-1].Get("client_assertion") != token {
				t.Errorf("sent another than that of %s", sub)
			}
		}
	})
	t.Run("certificate", func(t *testing.T) {
		dir := t.TempDir()
		files, _ := certFiles(t, dir, time.Now().Add(time.Hour))
		e := newEndpoint(t, func(url.Values) (int, string) { return 200, granted })
		a := New(clientID, []Files{files})
		if _, err := e.ask(t, a); err != nil {
			t.Fatal(err)
		}
		old, err := os.ReadFile(files.Key)
		if err != nil {
			t.Fatal(err)
		}
		_, cert := certFiles(t, dir, time.Now().Add(2*time.Hour))
		fresh, err := os.ReadFile(files.Key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, files.Key, string(old)) // the certificate was replaced, the key not yet
		if _, err := e.ask(t, a); err != nil {
			t.Fatalf("between the two files: %v", err)
		}
		write(t, files.Key, string(fresh))
		if _, err := e.ask(t, a); err != nil {
			t.Fatal(err)
		}
		sent := e.sent()
		parsed, err := jose.ParseSignedCompact(sent[len(sent)-1].Get("client_assertion"), []jose.SignatureAlgorithm{jose.PS256})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Verify(cert.PublicKey); err != nil {
			t.Errorf("the new certificate is not used: %v", err)
		}
	})
}

// TestReplacedWhileRefused: a secret that the tenant no longer takes is read again and tried once more; the same one is
// not sent twice.
func TestReplacedWhileRefused(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "secret"), "old")
	e := newEndpoint(t, nil)
	e.answer = func(form url.Values) (int, string) {
		if form.Get("client_secret") == "new" {
			return 200, granted
		}
		write(t, file, "new")
		return refuse(7000222, "invalid_client")
	}
	a := New(clientID, []Files{{Secret: file}})
	if _, err := e.ask(t, a); err != nil || len(e.sent()) != 2 {
		t.Fatalf("%v after %d requests", err, len(e.sent()))
	}
	e.answer = func(url.Values) (int, string) { return refuse(7000222, "invalid_client") }
	_, err := e.ask(t, a)
	var refused *Refused
	if !errors.As(err, &refused) || refused.Number != 7000222 || len(e.sent()) != 3 {
		t.Errorf("%v after %d requests", err, len(e.sent()))
	}
}

// TestPreference tries the best kind first, goes on to the next when the tenant does not take one, and asks with what
// works until a minute has gone.
func TestPreference(t *testing.T) {
	dir := t.TempDir()
	token := jwtOf(fmt.Sprintf(`{"iss":"https://kube.example.test","sub":"system:serviceaccount:lanyard:lanyard","aud":"wrong","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	files, _ := certFiles(t, dir, time.Now().Add(-time.Minute))
	secret := Files{Secret: write(t, filepath.Join(dir, "secret"), "the secret")}
	a := New(clientID, []Files{secret, files, {FederatedToken: write(t, filepath.Join(dir, "token"), token)}})
	now := time.Now()
	a.now = func() time.Time { return now }
	e := newEndpoint(t, func(form url.Values) (int, string) {
		if form.Get("client_secret") == "the secret" {
			return 200, granted
		}
		return refuse(700212, "invalid_request")
	})
	if _, err := e.ask(t, a); err != nil {
		t.Fatal(err)
	}
	states := a.States()
	if states[0].Kind != Federated || states[1].Kind != Certificate || states[2].Kind != Secret {
		t.Fatalf("%+v", states)
	}
	if !strings.Contains(states[0].Problem, "api://AzureADTokenExchange") || !strings.Contains(states[0].Problem, `audience "wrong"`) ||
		!strings.Contains(states[1].Problem, "expired") || states[2].Problem != "" || states[2].Worked.IsZero() {
		t.Errorf("%+v", states)
	}
	if n := len(e.sent()); n != 2 { // the expired certificate is not sent
		t.Errorf("%d requests", n)
	}
	if _, err := e.ask(t, a); err != nil || len(e.sent()) != 3 {
		t.Errorf("%v: %d requests, want that the one that works is asked with", err, len(e.sent()))
	}
	now = now.Add(2 * pause)
	if _, err := e.ask(t, a); err != nil || len(e.sent()) != 5 {
		t.Errorf("%v: %d requests, want that the best is tried again", err, len(e.sent()))
	}
}

// TestOtherRefusals are not the credential's fault: no other is tried.
func TestOtherRefusals(t *testing.T) {
	dir := t.TempDir()
	a := New(clientID, []Files{{Secret: write(t, filepath.Join(dir, "a"), "one")}, {Secret: write(t, filepath.Join(dir, "b"), "two")}})
	e := newEndpoint(t, func(url.Values) (int, string) { return refuse(50173, "invalid_grant") })
	_, err := e.ask(t, a)
	var refused *Refused
	if !errors.As(err, &refused) || refused.OAuth != "invalid_grant" || refused.Number != 50173 || len(e.sent()) != 1 {
		t.Errorf("%v after %d requests", err, len(e.sent()))
	}
	e.answer = func(url.Values) (int, string) { return 503, "<html>" }
	if _, err := e.ask(t, a); !errors.As(err, &refused) || refused.OAuth != "" || refused.Status != 503 {
		t.Errorf("%v", err)
	}
	e.answer = func(url.Values) (int, string) { return 200, "<html>" }
	if _, err := e.ask(t, a); err == nil {
		t.Error("a page is taken for a token")
	}
	e.Close()
	if _, err := e.ask(t, a); err == nil || strings.Contains(err.Error(), e.URL) {
		t.Errorf("%v", err)
	}
}

// TestAttack11NoSecretInErrors: neither what is in the files nor a description that quotes it is ever in an error or a state.
func TestAttack11NoSecretInErrors(t *testing.T) {
	dir := t.TempDir()
	const secret = "s3cr3t-value-of-the-app"
	token := jwtOf(`{"iss":"https://kube.example.test","sub":"x","aud":"y","jti":"` + secret + `","exp":1}`)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(ec)
	if err != nil {
		t.Fatal(err)
	}
	cert, _ := certFiles(t, dir, time.Now().Add(time.Hour))
	e := newEndpoint(t, func(form url.Values) (int, string) {
		return 401, fmt.Sprintf(`{"error":"invalid_client","error_description":"AADSTS7000299: no: %s %s"}`, form.Get("client_secret"), form.Get("client_assertion"))
	})
	for name, files := range map[string]Files{
		"wrong secret":  {Secret: write(t, filepath.Join(dir, "secret"), secret)},
		"two lines":     {Secret: write(t, filepath.Join(dir, "two"), secret+"\n"+secret)},
		"too long":      {Secret: write(t, filepath.Join(dir, "long"), strings.Repeat(secret, atMost))},
		"expired token": {FederatedToken: write(t, filepath.Join(dir, "token"), token)},
		"no token":      {FederatedToken: write(t, filepath.Join(dir, "none"), secret)},
		"no key":        {Certificate: cert.Certificate, Key: write(t, filepath.Join(dir, "nokey"), secret)},
		"broken key": {Certificate: cert.Certificate, Key: write(t, filepath.Join(dir, "broken"),
			"-----BEGIN PRIVATE KEY-----\n"+base64.StdEncoding.EncodeToString([]byte(secret))+"\n-----END PRIVATE KEY-----\n")},
		"other key": {Certificate: cert.Certificate, Key: write(t, filepath.Join(dir, "ec"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))},
		"no files":  {Certificate: filepath.Join(dir, "absent"), Key: filepath.Join(dir, "absent")},
		"assertion": cert,
	} {
		t.Run(name, func(t *testing.T) {
			a := New(clientID, []Files{files})
			_, err := e.ask(t, a)
			if err == nil {
				t.Fatal("no error")
			}
			said := fmt.Sprintf("%v %+v", err, a.States())
			for _, f := range e.sent() {
				if assertion := f.Get("client_assertion"); assertion != "" && strings.Contains(said, assertion) {
					t.Error("the assertion is shown")
				}
			}
			if strings.Contains(said, secret) || strings.Contains(said, token) {
				t.Errorf("the secret is shown: %s", said)
			}
		})
	}
}

// TestNoRedirect: a redirect would carry the form, with what proves who we are, elsewhere.
func TestNoRedirect(t *testing.T) {
	elsewhere := newEndpoint(t, func(url.Values) (int, string) { return 200, granted })
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(server.Close)
	_, err := Known(clientID, "secret").Token(context.Background(), server.Client(), server.URL, url.Values{})
	if err == nil || len(elsewhere.sent()) != 0 {
		t.Errorf("%v, %d requests elsewhere", err, len(elsewhere.sent()))
	}
}
