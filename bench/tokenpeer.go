package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
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
func peerTokens(ctx context.Context, p *place, d *daemon) ([]*tokenWay, error) {
	own := url.Values{"grant_type": {"client_credentials"}}
	asker := post{target: target{Address: d.address, Path: "/token"}, User: frontClient, Password: frontSecret, Type: formType, Times: 1}
	asker.Body = own.Encode()
	kept := asker
	own.Set("resource", frontAudience)
	asker.Body = own.Encode()
	said, err := ask[[]string](ctx, p.load, "posts", []post{asker, kept})
	if err != nil {
		return nil, err
	}
	var tokens []string
	for _, text := range said {
		var t struct {
			Access string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(text), &t); err != nil {
			return nil, err
		}
		tokens = append(tokens, t.Access)
	}
	exchange, introspect := asker, asker
	exchange.Body = exchangeOf(tokens[0])
	introspect.Path, introspect.Body = "/token/introspection", url.Values{"token": {tokens[1]}}.Encode()
	var ways []*tokenWay
	for figure, one := range map[string]post{"token.mint.cpu": asker, "token.exchange.cpu": exchange, "token.introspect.cpu": introspect} {
		w := &tokenWay{figure: figure, name: "oidc-provider", by: d}
		one.Times = tokenTimes
		for range tokenPeople {
			w.askers = append(w.askers, one)
		}
		ways = append(ways, w)
	}
	return ways, nil
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
