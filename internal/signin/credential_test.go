package signin_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// TestSignInByCertificate completes sign-ins and renews people's tokens with a certificate. When the tenant does not take
// it any more, nobody's sign-in ends by that, and it is replaced without a restart.
func TestSignInByCertificate(t *testing.T) {
	dir := t.TempDir()
	files := credential.Files{Certificate: filepath.Join(dir, "app.pem"), Key: filepath.Join(dir, "app.key")}
	write := func(known bool, app *entrasim.App) {
		t.Helper()
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		template := x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
		der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		for path, block := range map[string]*pem.Block{
			files.Certificate: {Type: "CERTIFICATE", Bytes: der},
			files.Key:         {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
		} {
			if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if known {
			app.Certificates = append(app.Certificates, der)
		}
	}
	w := newWorld(t, func(app *entrasim.App) *credential.App {
		write(true, app)
		return credential.New(app.ClientID, []credential.Files{files})
	})
	b := newBrowser(t)
	b.enter(w, "ada")
	who := w.principal(entrasim.AdaID)
	if _, err := w.signin.AccessToken(t.Context(), who, entrasim.ContosoGitAppID+"/.default"); err != nil {
		t.Fatal(err)
	}
	good := map[string][]byte{}
	for _, path := range []string{files.Certificate, files.Key} {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		good[path] = content
	}
	const graph = "https://graph.microsoft.com/.default"
	write(false, nil)
	_, err := w.signin.AccessToken(t.Context(), who, graph)
	if err == nil || !strings.Contains(err.Error(), "Lanyard's own credential") {
		t.Errorf("with a certificate that the tenant does not know: %v", err)
	}
	if b.whoami(w) != entrasim.AdaID {
		t.Fatal("a sign-in ended because the tenant does not take Lanyard's credential")
	}
	for path, content := range good {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.signin.AccessToken(t.Context(), who, graph); err != nil {
		t.Errorf("with its own again: %v", err)
	}
}
