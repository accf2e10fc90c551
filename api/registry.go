package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// RegistryLogin is a person's own credential for a registry of images; its password is never shown.
type RegistryLogin struct {
	Host    string     `json:"host" doc:"The registry, as images name it, with its port if it says one"`
	User    string     `json:"user"`
	Changed time.Time  `json:"changed" doc:"When it was stored"`
	Used    *time.Time `json:"used,omitempty" doc:"When it last opened an image; absent: never"`
}

// StoreRegistryLogin stores one, in the place of the one that the person had for that registry.
type StoreRegistryLogin struct {
	Host     string `json:"host"`
	User     string `json:"user"`
	Password string `json:"password" doc:"A password or token that may pull; encrypted at rest, and used for what the person starts alone"`
}

// RegistryLogins lists one's own.
func (c *Client) RegistryLogins(ctx context.Context) ([]RegistryLogin, error) {
	return list[RegistryLogin](ctx, c, "/registries", nil)
}

// StoreRegistryLogin stores one, once the registry has taken it.
func (c *Client) StoreRegistryLogin(ctx context.Context, l StoreRegistryLogin) (out RegistryLogin, err error) {
	return out, c.Do(ctx, http.MethodPost, "/registries", nil, l, &out)
}

// DropRegistryLogin removes one.
func (c *Client) DropRegistryLogin(ctx context.Context, host string) error {
	return c.Do(ctx, http.MethodDelete, "/registries", url.Values{"host": {host}}, nil, nil)
}
