package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Provisioning is how the tenant's provisioning service (SCIM) stands with this server.
type Provisioning struct {
	TenantURL     string                `json:"tenant_url"`     // to be entered in Entra
	TokenEndpoint string                `json:"token_endpoint"` // for OAuth client credentials and federation
	Members       bool                  `json:"members"`        // it is the one source of groups and memberships; otherwise it only disables people
	Users         bool                  `json:"users"`          // of users, too
	Federated     bool                  `json:"federated"`      // assertions of the tenant's are taken
	LastUse       *time.Time            `json:"last_use,omitempty"`
	UserCount     int64                 `json:"user_count"`
	Inactive      int64                 `json:"inactive"`
	GroupCount    int64                 `json:"group_count"`
	Memberships   int64                 `json:"memberships"`
	StrayUsers    int64                 `json:"stray_users"`  // whose externalId is no object ID: they have no rights
	StrayGroups   int64                 `json:"stray_groups"` // likewise: they give none
	Deleted       int64                 `json:"deleted"`      // and still in the directory, where they stay disabled
	Secrets       []ProvisioningSecret  `json:"secrets"`
	Findings      []ProvisioningFinding `json:"findings"`
}

// ProvisioningSecret is a credential of a provisioning service, without the secret.
type ProvisioningSecret struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Kind    string     `json:"kind"`  // bearer or client
	State   string     `json:"state"` // active, expired or revoked
	Made    time.Time  `json:"made"`
	Expires *time.Time `json:"expires,omitempty"`
	Revoked *time.Time `json:"revoked,omitempty"`
	Used    *time.Time `json:"used,omitempty"` // to the minute
	From    string     `json:"from,omitempty"` // address
}

// ProvisioningFinding is what somebody should know, or mend.
type ProvisioningFinding struct {
	Problem bool   `json:"problem"`
	Text    string `json:"text"`
}

// NewProvisioningSecret is a secret to be made.
type NewProvisioningSecret struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // bearer or client
	// Days is how long it may be used; 0 is for ever.
	Days int `json:"days"`
}

// MadeProvisioningSecret is a new secret. It is shown this once.
type MadeProvisioningSecret struct {
	ProvisioningSecret
	Secret        string `json:"secret"`
	TenantURL     string `json:"tenant_url"`
	TokenEndpoint string `json:"token_endpoint"`
}

// Provisioning says how provisioning stands.
func (c *Client) Provisioning(ctx context.Context) (p Provisioning, err error) {
	err = c.Do(ctx, http.MethodGet, "/provisioning", nil, nil, &p)
	return p, err
}

// NewProvisioningSecret makes a secret for a provisioning service.
func (c *Client) NewProvisioningSecret(ctx context.Context, n NewProvisioningSecret) (m MadeProvisioningSecret, err error) {
	err = c.Do(ctx, http.MethodPost, "/provisioning/secrets", nil, n, &m)
	return m, err
}

// RevokeProvisioningSecret ends a secret, by its ID or its name.
func (c *Client) RevokeProvisioningSecret(ctx context.Context, which string) (s ProvisioningSecret, err error) {
	err = c.Do(ctx, http.MethodDelete, "/provisioning/secrets/"+url.PathEscape(which), nil, nil, &s)
	return s, err
}

// ForgetProvisioned ends what is known of a user that the provisioning service deleted.
func (c *Client) ForgetProvisioned(ctx context.Context, user string) error {
	return c.Do(ctx, http.MethodDelete, "/provisioning/deleted/"+url.PathEscape(user), nil, nil, nil)
}
