package image

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Try asks a registry whether it takes a credential, whatever that may pull: with a token of it, or for the API's own address
// (https://distribution.github.io/distribution/spec/api/#api-version-check).
func (a *Asker) Try(ctx context.Context, host, user, password string) error {
	registry, err := name.NewRegistry(host)
	if err != nil {
		return problem.Wrap(err, problem.Invalid, "%q is no registry.", host)
	}
	status, err := a.try(ctx, registry, &authn.Basic{Username: user, Password: password})
	var answer *transport.Error
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &answer):
		status, err = answer.StatusCode, nil
	}
	var said *problem.Error
	switch {
	case errors.As(err, &said):
		return said // without the address that was asked
	case err != nil:
		return problem.New(problem.BadUpstream, "The registry %s cannot be reached: %s. Nothing is stored.", host, cause(err))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return problem.New(problem.Denied, "The registry %s does not take this user and password. Nothing is stored.", host)
	case status/100 != 2:
		return problem.New(problem.BadUpstream, "The registry %s answers %d where it should say whether it takes the credential. Nothing is stored.", host, status)
	}
	return nil
}

func (a *Asker) try(ctx context.Context, registry name.Registry, auth authn.Authenticator) (status int, err error) {
	web, err := transport.NewWithContext(ctx, registry, auth, a.store.guarded(registry.RegistryStr()), nil)
	if err != nil {
		return 0, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, registry.Scheme()+"://"+registry.RegistryStr()+"/v2/", nil)
	if err != nil {
		return 0, err
	}
	answer, err := web.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}
