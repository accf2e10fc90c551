package credential

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	// assertionLife is how long an assertion is valid; it begins a little before now, for clocks that differ.
	assertionLife = 10 * time.Minute
	assertionSlip = time.Minute
	leastRSA      = 2048 // bits
)

// certificate signs an assertion with the key of a certificate that the app registration knows (private_key_jwt).
//
// https://learn.microsoft.com/entra/identity-platform/certificate-credentials
type certificate struct {
	certFile, keyFile string

	mu   sync.Mutex
	pair *pair // what the files held when they were last in order
}

// pair is a certificate with its key.
type pair struct {
	from [32]byte // the hash of both files
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

func (c *certificate) Kind() Kind   { return Certificate }
func (c *certificate) File() string { return c.certFile }

func (c *certificate) Prove(clientID, endpoint string, now time.Time) (Proof, error) {
	p, err := c.read()
	if err != nil {
		return Proof{}, err
	}
	proof := Proof{From: p.from, Ends: p.cert.NotAfter}
	if err := validAt(p.cert, c.certFile, now); err != nil {
		return proof, err
	}
	assertion, err := p.sign(clientID, endpoint, now)
	if err != nil {
		return proof, err
	}
	proof.Form = asserted(assertion)
	return proof, nil
}

// read reads the files. While one of them is replaced and the other is not yet, the two that were before go on.
func (c *certificate) read() (*pair, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	cert, err := readFile(c.certFile)
	if err != nil {
		return nil, err
	}
	key, err := readFile(c.keyFile)
	if err != nil {
		return nil, err
	}
	from := sha256.New()
	fmt.Fprintf(from, "%d ", len(cert))
	from.Write(cert)
	from.Write(key)
	sum := [32]byte(from.Sum(nil))
	if c.pair != nil && c.pair.from == sum {
		return c.pair, nil
	}
	fresh, err := parse(cert, key, c.certFile, c.keyFile)
	switch {
	case err != nil && c.pair != nil:
		return c.pair, nil
	case err != nil:
		return nil, err
	}
	fresh.from, c.pair = sum, fresh
	return fresh, nil
}

// ReadCertificate reads a certificate and its key, and returns until when it holds. It is an error when it does not
// hold now. No error holds what the files hold.
func ReadCertificate(certFile, keyFile string, now time.Time) (ends time.Time, err error) {
	c := certificate{certFile: certFile, keyFile: keyFile}
	p, err := c.read()
	if err != nil {
		return time.Time{}, err
	}
	return p.cert.NotAfter, validAt(p.cert, certFile, now)
}

func validAt(cert *x509.Certificate, file string, now time.Time) error {
	switch {
	case now.After(cert.NotAfter):
		return fmt.Errorf("the certificate in %s expired at %s: make a new one, add it to the app registration, and replace the file",
			file, cert.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(cert.NotBefore):
		return fmt.Errorf("the certificate in %s is not valid before %s", file, cert.NotBefore.UTC().Format(time.RFC3339))
	}
	return nil
}

func parse(certPEM, keyPEM []byte, certFile, keyFile string) (*pair, error) {
	block := find(certPEM, "CERTIFICATE")
	if block == nil {
		return nil, fmt.Errorf("%s holds no certificate in PEM", certFile)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read the certificate in %s: %w", certFile, err)
	}
	key, err := parseKey(keyPEM)
	if err != nil {
		return nil, fmt.Errorf("read the key in %s: %w", keyFile, err)
	}
	if !key.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("the key in %s is not that of the certificate in %s", keyFile, certFile)
	}
	return &pair{cert: cert, key: key}, nil
}

// parseKey reads an RSA key in PKCS #8 or PKCS #1. Entra takes no other kind.
func parseKey(text []byte) (*rsa.PrivateKey, error) {
	var found any
	if block := find(text, "PRIVATE KEY"); block != nil {
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("it is no key in PKCS #8")
		}
		found = key
	} else if block := find(text, "RSA PRIVATE KEY"); block != nil {
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("it is no key in PKCS #1; one with a passphrase is not taken")
		}
		found = key
	} else {
		return nil, errors.New("there is no private key in PEM; one with a passphrase is not taken")
	}
	key, ok := found.(*rsa.PrivateKey)
	if !ok || key.N.BitLen() < leastRSA {
		return nil, fmt.Errorf("only RSA keys of at least %d bits are taken by Entra", leastRSA)
	}
	return key, nil
}

// find is the first block of a type.
func find(text []byte, kind string) *pem.Block {
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil || block.Type == kind {
			return block
		}
	}
}

// sign makes an assertion for the token endpoint, signed with PS256.
func (p *pair) sign(clientID, endpoint string, now time.Time) (string, error) {
	sum := sha256.Sum256(p.cert.Raw)
	options := (&jose.SignerOptions{}).WithType("JWT").WithHeader("x5t#S256", base64.RawURLEncoding.EncodeToString(sum[:]))
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.PS256, Key: p.key}, options)
	if err != nil {
		return "", fmt.Errorf("sign the client assertion: %w", err)
	}
	begins := now.Add(-assertionSlip)
	assertion, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: clientID, Subject: clientID, Audience: jwt.Audience{endpoint}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(begins), NotBefore: jwt.NewNumericDate(begins), Expiry: jwt.NewNumericDate(begins.Add(assertionLife)),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("sign the client assertion: %w", err)
	}
	return assertion, nil
}
