// Package credential is how Lanyard's app registration proves itself at the tenant's token endpoint: by a federated
// credential, a certificate or a client secret, in this order of preference. What they are made of is in files, which
// are read at each token request, so that a credential is rotated by replacing its file.
package credential

import (
	"net/url"
	"time"
)

// Kind is a kind of credential.
type Kind string

// The kinds, the best first: what outlives nothing, what never leaves this machine, and what is sent as it is.
const (
	Federated   Kind = "federated credential"
	Certificate Kind = "certificate"
	Secret      Kind = "client secret"
)

// rank is the order of preference.
func (k Kind) rank() int {
	switch k {
	case Federated:
		return 0
	case Certificate:
		return 1
	}
	return 2
}

// Credential is one way to prove who we are. Its methods are safe for concurrent use.
type Credential interface {
	Kind() Kind
	// File is where it is read from, for people; empty for one that is in no file.
	File() string
	// Prove reads it, and makes a proof for one request to the token endpoint.
	Prove(clientID, endpoint string, now time.Time) (Proof, error)
}

// Proof is what is sent with a token request.
type Proof struct {
	Form url.Values
	Ends time.Time // of what it was made from; zero: not known
	Says string    // what a federated token says of itself, to be compared with the app registration; no secret
	From [32]byte  // a hash of what it was made from: the same as long as that was not replaced
}

// assertionType is RFC 7523's.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func asserted(assertion string) url.Values {
	return url.Values{"client_assertion_type": {assertionType}, "client_assertion": {assertion}}
}

// Files name what one credential is made of: a token file, a certificate and its key, or a secret file.
type Files struct {
	FederatedToken   string
	Certificate, Key string
	Secret           string
}

// Kind is what the files make.
func (f Files) Kind() Kind {
	switch {
	case f.FederatedToken != "":
		return Federated
	case f.Certificate != "":
		return Certificate
	}
	return Secret
}

func (f Files) credential() Credential {
	switch f.Kind() {
	case Federated:
		return federated{file: f.FederatedToken}
	case Certificate:
		return &certificate{certFile: f.Certificate, keyFile: f.Key}
	}
	return secretFile{file: f.Secret}
}
