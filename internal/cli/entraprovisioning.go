package cli

import (
	"context"
	"os"
	"path/filepath"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/config"
)

// provisioningSecret makes a secret for the tenant's provisioning service at the server that runs here; nil where none does.
func (a *app) provisioningSecret(c *config.Config) func(context.Context) (string, error) {
	socket := a.socket
	if socket == "" {
		socket = filepath.Join(c.Data, "lanyard.sock")
	}
	if _, err := os.Stat(socket); err != nil {
		return nil
	}
	return func(ctx context.Context) (string, error) {
		r := remote.Socket(socket)
		defer r.Close()
		made, err := r.NewProvisioningSecret(ctx, api.NewProvisioningSecret{Name: "entra", Kind: "bearer", Days: 365})
		return made.Secret, err
	}
}
