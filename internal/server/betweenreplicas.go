package server

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/token"
)

// betweenReplicas is TLS 1.3 in which both sides show a certificate of a key that is derived from the installation's
// encryption key. Names and dates mean nothing in it: who has the key is a replica, and nobody else is.
func betweenReplicas(s *token.Sealer) *tls.Config {
	const purpose = "tls between replicas"
	own := func() (*tls.Certificate, error) {
		key := ed25519.NewKeyFromSeed(s.Derive(purpose))
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lanyard replica"},
			NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280 section 4.1.2.5: no end
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			return nil, err
		}
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		SessionTicketsDisabled: true,
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // the chain and the name; VerifyConnection checks the key, which is all there is to it
		GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own() },
		GetClientCertificate:   func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own() },
		VerifyConnection: func(c tls.ConnectionState) error {
			if len(c.PeerCertificates) == 1 {
				if shown, ok := c.PeerCertificates[0].PublicKey.(ed25519.PublicKey); ok && slices.ContainsFunc(s.DeriveAll(purpose), func(seed []byte) bool {
					return shown.Equal(ed25519.NewKeyFromSeed(seed).Public())
				}) {
					return nil
				}
			}
			return errors.New("the other side is no replica of this installation: it does not have its encryption key")
		},
	}
}
