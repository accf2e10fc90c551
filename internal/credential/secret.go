package credential

import (
	"crypto/sha256"
	"net/url"
	"time"
)

// secretFile is a client secret.
type secretFile struct{ file string }

func (s secretFile) Kind() Kind   { return Secret }
func (s secretFile) File() string { return s.file }

func (s secretFile) Prove(_, _ string, _ time.Time) (Proof, error) {
	secret, err := readLine(s.file)
	if err != nil {
		return Proof{}, err
	}
	return known(secret).proof(), nil
}

// known is a client secret that is in no file: the sample world's.
type known string

func (k known) Kind() Kind   { return Secret }
func (k known) File() string { return "" }

func (k known) Prove(_, _ string, _ time.Time) (Proof, error) { return k.proof(), nil }

func (k known) proof() Proof {
	return Proof{Form: url.Values{"client_secret": {string(k)}}, From: sha256.Sum256([]byte(k))}
}
