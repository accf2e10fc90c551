package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// oidcPackage is where npm's oidc-provider is, which the tests use too.
const oidcPackage = "test/oidc/provider"

// startOIDCProvider starts npm oidc-provider as its manual says, with tokens in memory.
func startOIDCProvider(ctx context.Context, folder string) (*daemon, error) {
	if err := missing("node"); err != nil {
		return nil, err
	}
	at, err := filepath.Abs(oidcPackage)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(at, "node_modules", "oidc-provider")); err != nil {
		return nil, errors.New("oidc-provider is not installed; `make needs-bench` installs it")
	}
	program, err := filepath.Abs("bench/oidcprovider.mjs")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	folder = filepath.Join(folder, "oidc-provider")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	return startDaemon(ctx, folder, "oidc-provider", address, []string{"NODE_ENV=production"}, "node", program, at, port)
}

// peerTokens are the ways of oidc-provider. It tells only of tokens that it keeps, which are no JWTs.
func peerTokens(d *daemon) []*tokenWay {
	client := func(path string) func(int) post {
		return func(int) post {
			return post{target: target{Address: d.address, Path: path}, User: frontClient, Password: frontSecret, Type: formType}
		}
	}
	kept := url.Values{"grant_type": {"client_credentials"}}.Encode()
	signed := url.Values{"grant_type": {"client_credentials"}, "resource": {frontAudience}}.Encode()
	mint := &tokenWay{figure: "token.mint.cpu", body: func(string) string { return signed }, asker: client("/token")}
	exchange := &tokenWay{figure: "token.exchange.cpu", from: mint, body: exchangeOf, asker: client("/token")}
	opaque := &tokenWay{figure: "token.mint.cpu@opaque", body: func(string) string { return kept }, asker: client("/token")}
	introspect := &tokenWay{figure: "token.introspect.cpu", from: opaque, body: aboutToken, asker: client("/token/introspection")}
	ways := []*tokenWay{mint, exchange, opaque, introspect}
	for _, w := range ways {
		w.name, w.by = "oidc-provider", d
	}
	return ways
}

// bareSignature is what signing a token with ES256 costs at least, and what verifying one does.
func bareSignature() (sign, verify func() error, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	text := []byte(strings.Repeat("a token's header and its claims; ", 24))
	digest := sha256.Sum256(text)
	signed, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		return nil, nil, err
	}
	sign = func() error {
		digest := sha256.Sum256(text)
		_, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return err
	}
	verify = func() error {
		digest := sha256.Sum256(text)
		if !ecdsa.VerifyASN1(&key.PublicKey, digest[:], signed) {
			return errors.New("a good signature is refused")
		}
		return nil
	}
	return sign, verify, nil
}
