package registration

import (
	"encoding/json"
	"time"
)

// The resources of Microsoft Graph, as far as they are looked at. Lists in which others may have put something are kept
// as they came (json.RawMessage), so that writing them back loses nothing.

// application is an app registration.
//
// https://learn.microsoft.com/graph/api/resources/application
type application struct {
	ID                     string            `json:"id"`
	AppID                  string            `json:"appId"`
	DisplayName            string            `json:"displayName"`
	SignInAudience         string            `json:"signInAudience"`
	Tags                   []string          `json:"tags"`
	Web                    web               `json:"web"`
	API                    api               `json:"api"`
	AppRoles               []json.RawMessage `json:"appRoles"`
	GroupMembershipClaims  string            `json:"groupMembershipClaims"`
	OptionalClaims         optionalClaims    `json:"optionalClaims"`
	RequiredResourceAccess []resourceAccess  `json:"requiredResourceAccess"`
	KeyCredentials         []json.RawMessage `json:"keyCredentials"`
	Passwords              []password        `json:"passwordCredentials"`
}

// password is a client secret, which is shown once only; Hint is how it begins.
type password struct {
	KeyID string    `json:"keyId"`
	Name  string    `json:"displayName"`
	Hint  string    `json:"hint"`
	Ends  time.Time `json:"endDateTime"`
}

type web struct {
	HomePageURL  string   `json:"homePageUrl"`
	LogoutURL    string   `json:"logoutUrl"`
	RedirectURIs []string `json:"redirectUris"`
	Implicit     struct {
		Access bool `json:"enableAccessTokenIssuance"`
		ID     bool `json:"enableIdTokenIssuance"`
	} `json:"implicitGrantSettings"`
}

type api struct {
	TokenVersion int `json:"requestedAccessTokenVersion"`
}

type optionalClaims struct {
	IDToken     []json.RawMessage `json:"idToken"`
	AccessToken []json.RawMessage `json:"accessToken"`
	SAML        []json.RawMessage `json:"saml2Token"`
}

type resourceAccess struct {
	App    string   `json:"resourceAppId"`
	Access []access `json:"resourceAccess"`
}

type access struct {
	ID   string `json:"id"`
	Type string `json:"type"` // Scope or Role
}

// appRole is a role of an application; Value is what tokens say.
type appRole struct {
	ID          string   `json:"id"`
	Value       string   `json:"value"`
	DisplayName string   `json:"displayName"`
	Description string   `json:"description"`
	IsEnabled   bool     `json:"isEnabled"`
	MemberTypes []string `json:"allowedMemberTypes"`
}

// keyCredential is a certificate. Key is shown only where keyCredentials are selected.
type keyCredential struct {
	KeyID      string    `json:"keyId,omitempty"`
	Type       string    `json:"type"`
	Usage      string    `json:"usage"`
	Key        []byte    `json:"key,omitempty"`
	Identifier string    `json:"customKeyIdentifier,omitempty"` // base64 of the certificate's SHA-1, as a rule
	Name       string    `json:"displayName,omitempty"`
	Starts     time.Time `json:"startDateTime,omitzero"`
	Ends       time.Time `json:"endDateTime,omitzero"`
}

type federatedCredential struct {
	ID          string   `json:"id,omitempty"`
	Name        string   `json:"name"`
	Issuer      string   `json:"issuer"`
	Subject     string   `json:"subject"`
	Audiences   []string `json:"audiences"`
	Description string   `json:"description,omitempty"`
}

// servicePrincipal is an enterprise application.
type servicePrincipal struct {
	ID                 string    `json:"id"`
	AppID              string    `json:"appId"`
	DisplayName        string    `json:"displayName"`
	AccountEnabled     *bool     `json:"accountEnabled"`
	AssignmentRequired bool      `json:"appRoleAssignmentRequired"`
	Tags               []string  `json:"tags"`
	AppRoles           []appRole `json:"appRoles"`
	Scopes             []scope   `json:"oauth2PermissionScopes"`
	// What signs in as it is the application's as a rule; it can have its own too.
	KeyCredentials []json.RawMessage `json:"keyCredentials"`
	Passwords      []password        `json:"passwordCredentials"`
}

// scope is a delegated permission.
type scope struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

type assignment struct {
	ID        string `json:"id,omitempty"`
	Principal string `json:"principalId"`
	Resource  string `json:"resourceId"`
	Role      string `json:"appRoleId"`
}

type permissionGrant struct {
	ID       string `json:"id,omitempty"`
	Client   string `json:"clientId"`
	Consent  string `json:"consentType"`
	Resource string `json:"resourceId"`
	Scope    string `json:"scope"`
}

// person is a user or a group.
type person struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	UserName    string `json:"userPrincipalName"`
}

func (p person) String() string {
	if p.UserName != "" {
		return p.UserName
	}
	if p.DisplayName != "" {
		return p.DisplayName
	}
	return p.ID
}

type organization struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Domains     []struct {
		Name      string `json:"name"`
		IsDefault bool   `json:"isDefault"`
	} `json:"verifiedDomains"`
}

// Tenant is where the plan is carried out.
type Tenant struct {
	ID, Name, Domain string
}

func (o organization) tenant() Tenant {
	t := Tenant{ID: o.ID, Name: o.DisplayName}
	for _, d := range o.Domains {
		if d.IsDefault || t.Domain == "" {
			t.Domain = d.Name
		}
	}
	return t
}

// valuesOf are the values of one field in a list of objects.
func valuesOf(list []json.RawMessage, field string) []string {
	var values []string
	for _, raw := range list {
		var o map[string]any
		if json.Unmarshal(raw, &o) == nil {
			if s, ok := o[field].(string); ok {
				values = append(values, s)
			}
		}
	}
	return values
}
