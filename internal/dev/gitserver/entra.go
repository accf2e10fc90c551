package gitserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Entra accepts v2.0 access tokens that a tenant issued to people for this server's own app.
type Entra struct {
	Issuer   string // https://login.microsoftonline.com/{tenant}/v2.0, or that of an embedded tenant
	Tenant   string // `tid`
	Audience string // the client ID of the server's app registration
	Client   *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier // made at the first request: the tenant may start later than this server
}

// Challenge implements Authenticator.
func (e *Entra) Challenge() string { return `Bearer realm="git"` }

// Caller implements Authenticator.
func (e *Entra) Caller(r *http.Request) (Caller, error) {
	raw, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return Caller{}, errors.New("there is no bearer token")
	}
	verifier, err := e.ready(r.Context())
	if err != nil {
		return Caller{}, fmt.Errorf("ask the tenant for its keys: %w", err)
	}
	verified, err := verifier.Verify(r.Context(), raw)
	if err != nil {
		return Caller{}, err
	}
	var claims struct {
		Tenant  string `json:"tid"`
		Object  string `json:"oid"`
		Name    string `json:"name"`
		Version string `json:"ver"`
		Scopes  string `json:"scp"`
	}
	if err := verified.Claims(&claims); err != nil {
		return Caller{}, err
	}
	switch {
	case claims.Version != "2.0":
		return Caller{}, fmt.Errorf("the token is of version %q", claims.Version)
	case claims.Tenant != e.Tenant:
		return Caller{}, fmt.Errorf("the token is of the tenant %q", claims.Tenant)
	case claims.Object == "" || claims.Scopes == "":
		return Caller{}, errors.New("the token is not a person's")
	}
	return Caller{ID: claims.Object, Name: claims.Name}, nil
}

func (e *Entra) ready(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.verifier != nil {
		return e.verifier, nil
	}
	ctx = context.WithoutCancel(ctx) // the provider goes on fetching keys with it
	if e.Client != nil {
		ctx = oidc.ClientContext(ctx, e.Client)
	}
	provider, err := oidc.NewProvider(ctx, e.Issuer)
	if err != nil {
		return nil, err
	}
	e.verifier = provider.VerifierContext(ctx, &oidc.Config{ClientID: e.Audience})
	return e.verifier, nil
}
