package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// DiscoveryHealth is what the tenant's discovery document says (OpenID Connect Discovery 1.0, section 4).
type DiscoveryHealth struct {
	URL         string  `json:"url"`
	Wanted      string  `json:"wanted" doc:"The issuer that tokens have to name"`
	WantedToken string  `json:"wanted_token" doc:"The token endpoint that Lanyard speaks to"`
	Issuer      string  `json:"issuer,omitempty"`
	Authorize   string  `json:"authorization_endpoint,omitempty"`
	Token       string  `json:"token_endpoint,omitempty"`
	EndSession  string  `json:"end_session_endpoint,omitempty"`
	Keys        int     `json:"keys" doc:"How many keys tokens may be signed with"`
	SkewSeconds float64 `json:"skew_seconds" doc:"How far the tenant's clock is ahead of this machine's"`
	Status      int     `json:"status,omitempty" doc:"Of the answer; absent when there was none"`
	Problem     string  `json:"problem,omitempty" doc:"Why it could not be read"`
}

// RegistrationHealth is Lanyard's app registration and enterprise application as the tenant has them.
type RegistrationHealth struct {
	ClientID string `json:"client_id"`
	Readable bool   `json:"readable"`
	Problem  string `json:"problem,omitempty" doc:"Why it cannot be read"`
	Name     string `json:"name,omitempty"`
	Audience string `json:"sign_in_audience,omitempty" doc:"AzureADMyOrg: this tenant's accounts only"`
	// TokenVersion is of access tokens for Lanyard; 0 and 1 are tokens of the former endpoint.
	TokenVersion  int                   `json:"access_token_version"`
	RedirectURIs  []string              `json:"redirect_uris"`
	LogoutURL     string                `json:"logout_url,omitempty"`
	GroupClaims   string                `json:"group_membership_claims,omitempty"`
	IDTokenClaims []string              `json:"id_token_claims" doc:"Optional claims of ID tokens"`
	Secrets       []RegisteredSecret    `json:"secrets"`
	Certificates  []RegisteredSecret    `json:"certificates"`
	Federated     []RegisteredFederated `json:"federated"`
	AppRoles      []string              `json:"app_roles"`
	// What follows is of the enterprise application.
	Enterprise         bool     `json:"enterprise" doc:"There is one"`
	Enabled            bool     `json:"enabled" doc:"People may sign in"`
	AssignmentRequired bool     `json:"assignment_required"`
	Assigned           int      `json:"assigned" doc:"Users and groups that are assigned to it"`
	Permissions        []string `json:"permissions" doc:"Application permissions at Microsoft Graph that were consented to"`
}

// RegisteredSecret is a client secret or a certificate of the app registration.
type RegisteredSecret struct {
	Name string    `json:"name"`
	Ends time.Time `json:"ends,omitzero"`
	Used string    `json:"used,omitempty" doc:"The kind of Lanyard's credential that it is, by its first characters or its thumbprint; absent when it is none"`
}

// RegisteredFederated is a federated credential of the app registration.
type RegisteredFederated struct {
	Name      string   `json:"name"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Audiences []string `json:"audiences"`
}

// RedirectHealth is an address of Lanyard's that the app registration has to know.
type RedirectHealth struct {
	URL string `json:"url"`
	For string `json:"for" doc:"sign-in, sign-out or front-channel sign-out"`
	// Known says that the registration has it, or that the tenant took it when asked; Refused that it has it not.
	Known   bool   `json:"known"`
	Refused bool   `json:"refused"`
	Says    string `json:"says,omitempty" doc:"The tenant's words"`
}

// OutsideHealth is an address of Lanyard's as it is reached through its name.
type OutsideHealth struct {
	For      string    `json:"for" doc:"pages, workspaces, apps, notifications or provisioning"`
	Address  string    `json:"address"`
	Names    []string  `json:"names" doc:"That the certificate is for"`
	Issuer   string    `json:"issuer,omitempty" doc:"Of the certificate"`
	Ends     time.Time `json:"ends,omitzero" doc:"The certificate, or the first of its chain to end"`
	Version  string    `json:"tls,omitempty"`
	Status   int       `json:"status,omitempty" doc:"Of the answer"`
	Stranger bool      `json:"stranger" doc:"Something that is not this Lanyard answered"`
	// Trouble is dns, connect, tls-trust, tls-name, tls-time, tls or http; absent when it is reached.
	Trouble string `json:"trouble,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// ProvisioningHealth is how the tenant's provisioning service stands.
type ProvisioningHealth struct {
	Used        bool                  `json:"used" doc:"There is a credential for it, or something came from it"`
	LastUse     time.Time             `json:"last_use,omitzero"`
	Users       int64                 `json:"users"`
	Groups      int64                 `json:"groups"`
	StrayUsers  int64                 `json:"stray_users" doc:"Whose externalId is no object ID"`
	StrayGroups int64                 `json:"stray_groups"`
	Problem     string                `json:"problem,omitempty" doc:"Why it is not known"`
	Findings    []ProvisioningFinding `json:"findings"`
}

// SignInTest is a sign-in that begins no session: it shows what the tenant says of a person, and what roles follow.
type SignInTest struct {
	ID      string    `json:"id"`
	URL     string    `json:"url,omitempty" doc:"To be opened in a browser, once"`
	Ends    time.Time `json:"ends,omitzero" doc:"Until when it may be opened"`
	State   string    `json:"state" doc:"waiting, done or refused"`
	At      time.Time `json:"at,omitzero"`
	Problem string    `json:"problem,omitempty" doc:"Why it was refused"`
	User    string    `json:"user,omitempty" doc:"u-…"`
	Name    string    `json:"name,omitempty"`
	Known   bool      `json:"known" doc:"The directory has the person"`
	Active  bool      `json:"active" doc:"Enabled everywhere"`
	Renewed bool      `json:"renewable" doc:"A refresh token came with it"`
	Claims  []Claim   `json:"claims" doc:"Of the ID token, by name"`
	// What follows from them is Lanyard's.
	Groups   []Group   `json:"groups"`
	AppRoles []Group   `json:"app_roles"`
	Projects []Holding `json:"projects"`
	Roles    []string  `json:"roles" doc:"Of the whole installation"`
}

// Claim is a claim with its value as JSON.
type Claim struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// NewSignInTest makes a link with which one person tests their sign-in.
func (c *Client) NewSignInTest(ctx context.Context) (t SignInTest, err error) {
	return t, c.Do(ctx, http.MethodPost, "/directory/sign-in-tests", nil, struct{}{}, &t)
}

// SignInTest asks how a test stands.
func (c *Client) SignInTest(ctx context.Context, id string) (t SignInTest, err error) {
	return t, c.Do(ctx, http.MethodGet, "/directory/sign-in-tests/"+url.PathEscape(id), nil, nil, &t)
}
