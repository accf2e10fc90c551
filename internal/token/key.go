package token

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Key is a private signing key as it is stored.
type Key struct {
	ID      string // the key's JWK thumbprint (RFC 7638); `kid` in tokens
	Kind    string
	Sealed  []byte // PKCS #8, sealed with kind and ID as associated data
	Created time.Time
	Retired time.Time // zero while it may sign; a retired key still verifies what it signed
}

// Kinds of key. Each kind of token has a key of its own, so that no token is taken for another.
const (
	Assertion  = "assertion"  // says to an internal app who is calling
	API        = "api"        // opens Lanyard's own API and gateway to a client outside a workspace
	Workload   = "workload"   // says elsewhere in whose workspace, or by which AI agent, it was asked for
	Federation = "federation" // the same to a cloud that federates: all of them take RS256, and not all take another
)

// algorithm is what keys of a kind sign with.
func algorithm(kind string) jose.SignatureAlgorithm {
	if kind == Federation {
		return jose.RS256
	}
	return jose.ES256
}

// rsaBits is the size of RSA keys: what every receiver takes, and enough for tokens that live for minutes.
const rsaBits = 2048

// Rows is how keys are kept.
type Rows interface {
	// Keys returns the keys of a kind, oldest first.
	Keys(ctx context.Context, kind string) ([]Key, error)
	// AddKey stores a new key durably.
	AddKey(ctx context.Context, k Key) error
}

// signing is an opened key, ready to sign.
type signing struct {
	id      string
	retired bool
	created time.Time
	public  jose.JSONWebKey
	private crypto.Signer // *ecdsa.PrivateKey on P-256, or *rsa.PrivateKey
}

// Associated is what a key is sealed as.
func (k Key) Associated() string { return associated(k.Kind, k.ID) }

func associated(kind, id string) string { return "key/" + kind + "/" + id }

// generate makes a key and seals it.
func generate(s *Sealer, kind string, now time.Time) (Key, signing, error) {
	private, err := fresh(kind)
	if err != nil {
		return Key{}, signing{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, signing{}, err
	}
	opened, err := ready(kind, private)
	if err != nil {
		return Key{}, signing{}, err
	}
	opened.created = now
	row := Key{ID: opened.id, Kind: kind, Sealed: s.Seal(associated(kind, opened.id), der), Created: now}
	return row, opened, nil
}

func open(s *Sealer, row Key) (signing, error) {
	der, err := s.Open(associated(row.Kind, row.ID), row.Sealed)
	if err != nil {
		return signing{}, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return signing{}, err
	}
	private, err := suits(row.Kind, parsed)
	if err != nil {
		return signing{}, err
	}
	opened, err := ready(row.Kind, private)
	if err != nil {
		return signing{}, err
	}
	if opened.id != row.ID {
		return signing{}, fmt.Errorf("its thumbprint is %s", opened.id)
	}
	opened.retired, opened.created = !row.Retired.IsZero(), row.Created
	return opened, nil
}

func fresh(kind string) (crypto.Signer, error) {
	if algorithm(kind) == jose.RS256 {
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// suits refuses a key of another sort than its kind signs with.
func suits(kind string, parsed any) (crypto.Signer, error) {
	switch private := parsed.(type) {
	case *rsa.PrivateKey:
		if algorithm(kind) == jose.RS256 && private.N.BitLen() >= rsaBits {
			return private, nil
		}
	case *ecdsa.PrivateKey:
		if algorithm(kind) == jose.ES256 && private.Curve == elliptic.P256() {
			return private, nil
		}
	}
	return nil, fmt.Errorf("it is a %T, which does not sign with %s", parsed, algorithm(kind))
}

func ready(kind string, private crypto.Signer) (signing, error) {
	public := jose.JSONWebKey{Key: private.Public(), Algorithm: string(algorithm(kind)), Use: "sig"}
	thumbprint, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return signing{}, err
	}
	public.KeyID = base64.RawURLEncoding.EncodeToString(thumbprint)
	return signing{id: public.KeyID, public: public, private: private}, nil
}
