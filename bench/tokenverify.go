package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/token"
)

const (
	verifyTimes  = 2000
	verifyRounds = 5
)

// benchVerify measures the CPU time that identifying a request takes which shows an access token and proves its key, as each
// request of the command line does: with a token that was seen before, beside one that was not. The proof is new each time.
func benchVerify(ctx context.Context, _ *bench) (err error) {
	folder, err := os.MkdirTemp("", "lyb-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	rows, err := store.Open(ctx, store.Config{SQLite: filepath.Join(folder, "lanyard.db"), Origin: "bench", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer rows.Close()
	s, err := newShower(ctx, rows)
	if err != nil {
		return err
	}
	_, verify, err := bareSignature()
	if err != nil {
		return err
	}
	var cached, uncached, bare []float64
	for round := range verifyRounds + 1 {
		one, err := s.requests(1)
		if err != nil {
			return err
		}
		each, err := s.requests(verifyTimes)
		if err != nil {
			return err
		}
		with, err := s.identify(one)
		if err != nil {
			return err
		}
		without, err := s.identify(each)
		if err != nil {
			return err
		}
		alone, err := cpuOf(verifyTimes, verify)
		if err != nil {
			return err
		}
		if round > 0 {
			cached, uncached, bare = append(cached, with), append(uncached, without), append(bare, alone)
		}
	}
	compare("token.verify.cpu", median(cached), "us", "uncached", median(uncached))
	compare("token.verify.cpu", median(cached), "us", "verification", median(bare))
	return nil
}

// shower is a program that is signed in, and the issuer that it shows its tokens to.
type shower struct {
	issuer *issuer.Issuer
	keys   *token.Keys
	nonces token.Nonces
	key    *ecdsa.PrivateKey
	proofs jose.Signer
	claims map[string]any // of its access tokens
}

const shownAt = "https://lanyard.example.test"

func newShower(ctx context.Context, rows *store.Store) (*shower, error) {
	log := slog.New(slog.DiscardHandler)
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		return nil, err
	}
	s := &shower{nonces: token.Nonces{Sealer: sealer}}
	if s.keys, err = token.Open(ctx, token.Config{Rows: rows, Sealer: sealer, Kinds: []string{token.API}}); err != nil {
		return nil, err
	}
	if s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	print, err := (&jose.JSONWebKey{Key: &s.key.PublicKey}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	thumbprint := base64.RawURLEncoding.EncodeToString(print)
	if s.proofs, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key},
		&jose.SignerOptions{EmbedJWK: true, ExtraHeaders: map[jose.HeaderKey]any{jose.HeaderType: "dpop+jwt"}}); err != nil {
		return nil, err
	}
	sessions := session.NewManager(session.Config{
		Rows: rows, Idle: time.Hour, Lifetime: 12 * time.Hour, Log: log, Publish: func(*session.Set, []identity.UserID, feed.Seq) {},
	})
	s.issuer = issuer.New(issuer.Config{URL: shownAt, Keys: s.keys, Nonces: s.nonces, Rows: rows, Sessions: sessions, Log: log})
	user, now := identity.UserID{Tenant: "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01", Object: "67224801-dc28-4774-a21b-13838a428c41"}, time.Now()
	browser, _, err := sessions.Begin(ctx, session.SignIn{User: user, Name: "Ada Lovelace", At: now}, shownAt, audit.Event{Action: "signin"})
	if err != nil {
		return nil, err
	}
	row, err := sessions.ForClient(ctx, browser.ID, session.Device{Client: session.CLI, Key: thumbprint}, audit.Event{Action: "oauth:token"})
	s.claims = map[string]any{
		"iss": shownAt, "sub": issuer.Subject(user), "aud": shownAt, "exp": now.Add(10 * time.Minute).Unix(), "iat": now.Unix(), "client_id": session.CLI,
		"sid": row.ID, "scope": "openid profile offline_access", "auth_time": now.Unix(), "cnf": map[string]any{"jkt": thumbprint},
	}
	return s, err
}

// requests makes what is identified: with so many tokens, and a proof each.
func (s *shower) requests(tokens int) (all []*http.Request, err error) {
	var access string
	nonce := s.nonces.New(time.Now())
	for n := range verifyTimes {
		if n < tokens {
			s.claims["jti"] = rand.Text()
			if access, err = s.keys.Sign(token.API, "at+jwt", s.claims); err != nil {
				return nil, err
			}
		}
		hash := sha256.Sum256([]byte(access))
		text, err := json.Marshal(map[string]any{
			"jti": rand.Text(), "htm": http.MethodGet, "htu": shownAt + "/api/v1/me", "iat": time.Now().Unix(), "nonce": nonce,
			"ath": base64.RawURLEncoding.EncodeToString(hash[:]),
		})
		if err != nil {
			return nil, err
		}
		signed, err := s.proofs.Sign(text)
		if err != nil {
			return nil, err
		}
		proof, err := signed.CompactSerialize()
		if err != nil {
			return nil, err
		}
		r := httptest.NewRequest(http.MethodGet, shownAt+"/api/v1/me", nil)
		r.Header.Set("Authorization", "DPoP "+access)
		r.Header.Set("DPoP", proof)
		all = append(all, r)
	}
	return all, nil
}

// identify is the CPU time in microseconds that each of some requests takes.
func (s *shower) identify(requests []*http.Request) (float64, error) {
	next := 0
	return cpuOf(len(requests), func() error {
		_, err := s.issuer.Identify(requests[next])
		next++
		return err
	})
}
