package server

import (
	"crypto/sha256"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/issuer"
)

// clientsOf are the programs of others that the configuration lists. Of a secret its hash is kept.
func clientsOf(c *config.Config) ([]issuer.Client, error) {
	var all []issuer.Client
	for _, one := range c.Clients {
		client := issuer.Client{
			ID: one.ID, Name: one.Name, RedirectURIs: one.RedirectURIs, Device: one.Device,
			Audiences: one.Audiences, Exchange: one.Exchange, Requests: one.Requests,
		}
		secret, err := one.ReadSecret()
		if err != nil {
			return nil, err
		}
		if secret != "" {
			client.Secret = sha256.Sum256([]byte(secret))
		}
		all = append(all, client)
	}
	return all, nil
}
