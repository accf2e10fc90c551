package connection

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// installationKey is one repository of an app's installation; who only reads gets a token that only reads.
type installationKey struct {
	app, repository string // owner/name
	write           bool
}

type installationToken struct {
	mu    sync.Mutex
	token string
	until time.Time
}

// InstallationToken is a token of the app's installation, limited to the one repository that the URL names, for an
// hour at most ("Authenticating as a GitHub App installation").
func (s *Service) InstallationToken(ctx context.Context, name string, repository *url.URL, write bool) (string, error) {
	a, err := s.app(name, repository.Host)
	if err != nil {
		return "", err
	}
	path := strings.Split(strings.Trim(repository.Path, "/"), "/")
	if a.KeyFile == "" || len(path) != 2 {
		return "", problem.New(problem.BadUpstream, "The GitHub App %s gives no token for %s%s; an administrator has to mend the project's file.",
			a.Name, repository.Host, repository.Path)
	}
	k := installationKey{name, strings.ToLower(path[0] + "/" + path[1]), write}
	s.mu.Lock()
	t := s.installations[k]
	if t == nil {
		t = &installationToken{}
		s.installations[k] = t
	}
	s.mu.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token != "" && s.c.Now().Before(t.until.Add(-renewBefore)) {
		return t.token, nil
	}
	t.token, t.until, err = s.install(ctx, a, path[0], path[1], write)
	return t.token, err
}

// ForgetInstallation drops a token that the host took no more.
func (s *Service) ForgetInstallation(name string, repository *url.URL) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, write := range []bool{false, true} {
		delete(s.installations, installationKey{name, strings.ToLower(strings.Trim(repository.Path, "/")), write})
	}
}

func (s *Service) install(ctx context.Context, a App, owner, repo string, write bool) (string, time.Time, error) {
	proof, err := s.proof(a)
	if err != nil {
		return "", time.Time{}, err
	}
	var installation struct {
		ID json.Number `json:"id"`
	}
	where := a.API + "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(repo) + "/installation"
	status, err := s.asApp(ctx, a, proof, http.MethodGet, where, nil, &installation)
	if err != nil {
		return "", time.Time{}, err
	}
	if status == http.StatusNotFound {
		return "", time.Time{}, problem.New(problem.BadUpstream,
			"The GitHub App %s is not installed for %s/%s at %s; who administers that repository has to install it.", a.Name, owner, repo, a.host())
	}
	if status != http.StatusOK || installation.ID == "" {
		return "", time.Time{}, s.notAsApp(a, status)
	}
	limits := map[string]any{"repositories": []string{repo}}
	if !write {
		limits["permissions"] = map[string]string{"contents": "read"}
	}
	body, err := json.Marshal(limits)
	if err != nil {
		return "", time.Time{}, err
	}
	var given struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	status, err = s.asApp(ctx, a, proof, http.MethodPost, a.API+"/app/installations/"+installation.ID.String()+"/access_tokens", body, &given)
	if err != nil {
		return "", time.Time{}, err
	}
	if status != http.StatusCreated || given.Token == "" {
		return "", time.Time{}, s.notAsApp(a, status)
	}
	return given.Token, given.Expires, nil
}

func (s *Service) notAsApp(a App, status int) error {
	return problem.New(problem.BadUpstream, "%s gave no token to the GitHub App %s (status %d); an administrator has to look at its key and permissions.",
		a.host(), a.Name, status)
}

func (s *Service) asApp(ctx context.Context, a App, proof, method, where string, body []byte, v any) (int, error) {
	r, err := http.NewRequestWithContext(ctx, method, where, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", "Bearer "+proof)
	r.Header.Set("Accept", "application/vnd.github+json")
	return s.call(a, r, v)
}

// proof is the app's own word that it is the app: a JWT for at most ten minutes, dated a minute back for clocks that
// differ ("Generating a JSON Web Token (JWT) for a GitHub App").
func (s *Service) proof(a App) (string, error) {
	text, err := s.secret(a, a.KeyFile)
	if err != nil {
		return "", err
	}
	key, err := privateKey(text)
	if err != nil {
		s.c.Log.Error("the key of a GitHub App cannot be used", "app", a.Name, "file", a.KeyFile, "error", err)
		return "", problem.Wrap(err, problem.BadUpstream, "Lanyard cannot use the key of the GitHub App %s; an administrator has to look at its file.", a.Name)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("sign as the GitHub App %s: %w", a.Name, err)
	}
	now := s.c.Now()
	return jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: a.ClientID, IssuedAt: jwt.NewNumericDate(now.Add(-time.Minute)), Expiry: jwt.NewNumericDate(now.Add(9 * time.Minute)),
	}).Serialize()
}

// privateKey reads PKCS #1, as GitHub gives it, or PKCS #8.
func privateKey(text []byte) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("the file holds no PEM")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the file holds no private key")
	}
	key, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("the key is not an RSA key")
	}
	return key, nil
}
