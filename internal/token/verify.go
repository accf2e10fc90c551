package token

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Finder finds the public key that a token names.
type Finder interface {
	// Find returns the key with an ID, or an error when there is none.
	Find(ctx context.Context, id string) (jose.JSONWebKey, error)
}

// Expect is what a token must say to be believed. Every field but the last three is required: an empty one refuses all.
type Expect struct {
	Type      string // the header's `typ`
	Issuer    string
	Audience  string
	Keys      Finder
	Algorithm jose.SignatureAlgorithm // empty: ES256
	Leeway    time.Duration           // how far the clocks may be apart
	Now       func() time.Time        // nil: time.Now
}

// maxTokenSize bounds what is parsed before anything is known of a token.
const maxTokenSize = 16 << 10

// Verify checks a token and decodes its claims into claims. One algorithm is taken: it is ours to choose, never the
// token's.
func (e Expect) Verify(ctx context.Context, raw string, claims any) error {
	if e.Type == "" || e.Issuer == "" || e.Audience == "" || e.Keys == nil {
		return errors.New("the verifier does not say what it expects")
	}
	if len(raw) > maxTokenSize {
		return errors.New("the token is too large")
	}
	alg := e.Algorithm
	if alg == "" {
		alg = jose.ES256
	}
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{alg})
	if err != nil {
		return fmt.Errorf("parse the token: %w", err)
	}
	header := signed.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != e.Type {
		return fmt.Errorf("the token's typ is %q, not %q", typ, e.Type)
	}
	if header.KeyID == "" {
		return errors.New("the token names no key")
	}
	key, err := e.Keys.Find(ctx, header.KeyID)
	if err != nil {
		return err
	}
	if key.Algorithm != string(alg) || (key.Use != "" && key.Use != "sig") {
		return fmt.Errorf("the key %s is not for %s signatures", header.KeyID, alg)
	}
	payload, err := signed.Verify(key.Key)
	if err != nil {
		return fmt.Errorf("check the token's signature: %w", err)
	}
	if err := e.registered(payload); err != nil {
		return err
	}
	if err := json.Unmarshal(payload, claims); err != nil {
		return fmt.Errorf("decode the token's claims: %w", err)
	}
	return nil
}

func (e Expect) registered(payload []byte) error {
	now := time.Now
	if e.Now != nil {
		now = e.Now
	}
	var c jwt.Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return fmt.Errorf("decode the token's claims: %w", err)
	}
	if c.Expiry == nil {
		return errors.New("the token never expires")
	}
	if len(c.Audience) != 1 { // one token, one audience
		return fmt.Errorf("the token has %d audiences, not one", len(c.Audience))
	}
	expected := jwt.Expected{Issuer: e.Issuer, AnyAudience: jwt.Audience{e.Audience}, Time: now()}
	if err := c.ValidateWithLeeway(expected, e.Leeway); err != nil {
		return fmt.Errorf("the token is not for here and now: %w", err)
	}
	return nil
}

// Find makes Keys a Finder of its own public keys, of whatever kind.
func (k *Keys) Find(_ context.Context, id string) (jose.JSONWebKey, error) {
	return find(k.JWKS().Keys, id)
}

// Of finds the keys of one kind only: what another kind of key signed is not taken for its tokens.
func (k *Keys) Of(kind string) Finder { return ofKind{k, kind} }

type ofKind struct {
	keys *Keys
	kind string
}

func (o ofKind) Find(_ context.Context, id string) (jose.JSONWebKey, error) {
	return find(o.keys.set.Load().publicOf(o.kind, o.keys.now()), id)
}

func find(keys []jose.JSONWebKey, id string) (jose.JSONWebKey, error) {
	for _, key := range keys {
		if key.KeyID == id {
			return key, nil
		}
	}
	return jose.JSONWebKey{}, fmt.Errorf("no key %q is known", id)
}
