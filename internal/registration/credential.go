package registration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // names certificates at the tenant, proves nothing
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Credential is one way in which Lanyard will prove itself: a certificate, whose files are made when they are not there,
// or a federated token. Owner, if set, makes a file that was made, and is open, that of whoever runs Lanyard.
type Credential struct {
	credential.Files
	Owner func(*os.File) error
}

const (
	keyBits         = 3072
	certificateLife = 365 * 24 * time.Hour
	endsSoon        = 30 * 24 * time.Hour
	// exchangeAudience is the one audience that Entra takes federated tokens for.
	exchangeAudience = "api://AzureADTokenExchange"
	federatedAtMost  = 20 // federated credentials of an application
)

// credentials registers what proves Lanyard.
func (b *builder) credentials() error {
	for i, c := range b.setup.wanted.Credentials {
		var err error
		switch c.Kind() {
		case credential.Certificate:
			err = b.certificate("certificate"+strconv.Itoa(i+1), c)
		case credential.Federated:
			err = b.federated(c.FederatedToken)
		case credential.Secret:
			b.note("The configuration has a client secret (%s), which is made and renewed in the portal or with `az ad app credential reset`; nothing is done about it here.", c.Secret)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// certificate registers a certificate, after making it where there is none.
func (b *builder) certificate(name string, c Credential) error {
	now := b.setup.now()
	der, ends, err := readCertificate(c.Certificate, c.Key, now)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		b.add(Step{What: "certificate", Says: "make a key and a certificate for a year in " + c.Certificate,
			local: func(context.Context) error { return b.setup.makeCertificate(name, c) }, shell: opensslFor(name, c)})
	case err != nil:
		return problem.Wrap(err, problem.Invalid, "The certificate that is to prove Lanyard is of no use: %v.", err)
	default:
		b.setup.values[name] = base64.StdEncoding.EncodeToString(der)
		if ends.Sub(now) < endsSoon {
			b.note("The certificate in %s ends on %s. Put another pair of files beside it in the configuration, or move these away, and run this again.", c.Certificate, ends.UTC().Format(time.DateOnly))
		}
	}
	var keep []any
	if b.state.app != nil {
		for _, raw := range b.state.app.KeyCredentials {
			var have keyCredential
			if json.Unmarshal(raw, &have) == nil && have.is(der) {
				return nil
			}
			if have.Ends.IsZero() || have.Ends.After(now) {
				keep = append(keep, theirsRaw(raw))
			}
		}
		if gone := len(b.state.app.KeyCredentials) - len(keep); gone > 0 {
			b.note("%d certificates that have ended are removed from the app registration.", gone)
		}
	}
	added := map[string]any{"type": "AsymmetricX509Cert", "usage": "Verify", "key": "{{" + name + "}}", "displayName": "Lanyard " + now.UTC().Format(time.DateOnly)}
	b.add(Step{What: "certificate", Says: "let the certificate in " + c.Certificate + " prove Lanyard", request: &request{
		method: http.MethodPatch, path: "/applications/{{app}}", body: map[string]any{"keyCredentials": append(keep, added)},
	}})
	return nil
}

// is reports whether the tenant's entry is this certificate: by its content where that is shown, else by its thumbprint,
// which is written in base64 of the bytes or of their hexadecimal form, and is a SHA-1 as a rule.
func (k keyCredential) is(der []byte) bool {
	if len(der) == 0 {
		return false
	}
	if len(k.Key) > 0 {
		return bytes.Equal(k.Key, der)
	}
	one, two := sha1.Sum(der), sha256.Sum256(der)
	for _, sum := range [][]byte{one[:], two[:]} {
		short := strings.ToUpper(hex.EncodeToString(sum))
		for _, form := range []string{short, base64.StdEncoding.EncodeToString(sum), base64.StdEncoding.EncodeToString([]byte(short))} {
			if strings.EqualFold(k.Identifier, form) {
				return true
			}
		}
	}
	return false
}

// readCertificate reads the pair, and returns the certificate.
func readCertificate(certFile, keyFile string, now time.Time) (der []byte, ends time.Time, err error) {
	text, err := os.ReadFile(certFile)
	if err != nil {
		return nil, time.Time{}, err
	}
	if ends, err = credential.ReadCertificate(certFile, keyFile, now); err != nil {
		return nil, ends, err
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil, ends, fmt.Errorf("%s holds no certificate", certFile)
		}
		if block.Type == "CERTIFICATE" {
			return block.Bytes, ends, nil
		}
	}
}

// makeCertificate makes a key and a certificate signed with it. The file of the key is there, and closed to others,
// before anything is in it; the certificate comes last, so that a pair that was not finished is none.
func (s *Setup) makeCertificate(name string, c Credential) error {
	failed := func(err error) error { return fmt.Errorf("make a certificate: %w", err) }
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return failed(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return failed(err)
	}
	now := s.now()
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: s.wanted.Name}, NotBefore: now.Add(-5 * time.Minute), NotAfter: now.Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return failed(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return failed(err)
	}
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if c.Key == c.Certificate {
		err = writeNew(c.Certificate, append(keyText, certText...), 0o600, c.Owner)
	} else if err = writeNew(c.Key, keyText, 0o600, c.Owner); err == nil {
		err = writeNew(c.Certificate, certText, 0o644, c.Owner)
	}
	if err != nil {
		return failed(err)
	}
	s.values[name] = base64.StdEncoding.EncodeToString(der)
	return nil
}

// writeNew puts a whole file in its place. A key without a certificate, from a run that was interrupted, is replaced.
func writeNew(path string, text []byte, mode os.FileMode, owner func(*os.File) error) error {
	return replaceFile(path, ".new-", text, mode, owner)
}

// replaceFile puts a whole file in the place of another, by way of a new one beside it. Its name is never followed:
// others may write in the folder, and have put a link there.
func replaceFile(path, beside string, text []byte, mode os.FileMode, owner func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), beside)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone when it was renamed
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(mode))
	if owner != nil {
		err = errors.Join(err, owner(f))
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// federated lets tokens like the one in a file stand for Lanyard. What the token says decides: issuer and subject are
// compared to the letter by the tenant.
func (b *builder) federated(file string) error {
	claims, err := readFederated(file)
	if err != nil {
		return err
	}
	if !slices.Equal(claims.audiences(), []string{exchangeAudience}) {
		return problem.New(problem.Invalid, "The token in %s is for %s; the tenant takes tokens that are for %s and nothing else. Ask its issuer for one with that audience.",
			file, strings.Join(claims.audiences(), ", "), exchangeAudience)
	}
	for _, have := range b.state.federated {
		if have.Issuer == claims.Issuer && have.Subject == claims.Subject {
			return nil
		}
	}
	if len(b.state.federated) >= federatedAtMost {
		return problem.New(problem.Conflict, "The app registration has %d federated credentials, and takes no more; remove one that is not in use.", federatedAtMost)
	}
	sum := sha256.Sum256([]byte(claims.Issuer + "\n" + claims.Subject))
	b.add(Step{What: "federated credential", Says: "let tokens of " + claims.Issuer + " stand for Lanyard", Details: []string{"subject " + claims.Subject}, request: &request{
		method: http.MethodPost, path: "/applications/{{app}}/federatedIdentityCredentials",
		body: federatedCredential{
			Name: "lanyard-" + hex.EncodeToString(sum[:4]), Issuer: theirs(claims.Issuer), Subject: theirs(claims.Subject), Audiences: []string{exchangeAudience},
			Description: theirs("Lanyard at " + b.setup.wanted.URL),
		},
	}})
	return nil
}

type federatedClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience any    `json:"aud"`
}

func (c federatedClaims) audiences() (list []string) {
	switch aud := c.Audience.(type) {
	case string:
		return []string{aud}
	case []any:
		for _, one := range aud {
			if s, ok := one.(string); ok {
				list = append(list, s)
			}
		}
	}
	return list
}

// readFederated reads what a token says of itself. Nothing is verified: the tenant does that.
func readFederated(file string) (c federatedClaims, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return c, problem.Wrap(err, problem.Invalid, "The federated token cannot be read: %v. Run this where Lanyard will run, so that its issuer and subject are known.", err)
	}
	parts := strings.Split(strings.TrimSpace(string(text)), ".")
	if len(parts) == 3 {
		var payload []byte
		if payload, err = base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			err = json.Unmarshal(payload, &c)
		}
	}
	if err != nil || len(parts) != 3 || c.Issuer == "" || c.Subject == "" {
		return c, problem.New(problem.Invalid, "%s holds no token with an issuer and a subject.", file)
	}
	return c, nil
}
