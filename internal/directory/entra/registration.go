package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Registration is Lanyard's app registration and enterprise application, as the tenant has them.
//
// https://learn.microsoft.com/graph/api/resources/application and /serviceprincipal
type Registration struct {
	Name           string   `json:"displayName"`
	SignInAudience string   `json:"signInAudience"`
	GroupClaims    string   `json:"groupMembershipClaims"`
	API            struct { // null in a registration that never had one
		Version int `json:"requestedAccessTokenVersion"`
	} `json:"api"`
	Web struct {
		RedirectURIs []string `json:"redirectUris"`
		LogoutURL    string   `json:"logoutUrl"`
	} `json:"web"`
	Optional struct {
		IDToken []struct {
			Name string `json:"name"`
		} `json:"idToken"`
	} `json:"optionalClaims"`
	AppRoles []struct {
		Value   string `json:"value"`
		Enabled bool   `json:"isEnabled"`
	} `json:"appRoles"`
	Secrets      []RegisteredKey       `json:"passwordCredentials"`
	Certificates []RegisteredKey       `json:"keyCredentials"`
	Federated    []RegisteredFederated `json:"-"`
	Enterprise   *Enterprise           `json:"-"` // nil: there is none
	ID           string                `json:"id"`
}

// RegisteredKey is a client secret or a certificate.
type RegisteredKey struct {
	Name       string    `json:"displayName"`
	Ends       time.Time `json:"endDateTime"`
	Hint       string    `json:"hint"`                // of a secret: its first three characters
	Thumbprint string    `json:"customKeyIdentifier"` // of a certificate
}

// RegisteredFederated is whose tokens stand for the app besides.
type RegisteredFederated struct {
	Name      string   `json:"name"`
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Audiences []string `json:"audiences"`
}

// Enterprise is the enterprise application (service principal).
type Enterprise struct {
	ID                 string   `json:"id"`
	Enabled            bool     `json:"accountEnabled"`
	AssignmentRequired bool     `json:"appRoleAssignmentRequired"`
	Assigned           int      `json:"-"` // assignments on the first page
	Permissions        []string `json:"-"` // application permissions at Microsoft Graph, by value
}

// graphAppID is the client ID of Microsoft Graph in every tenant.
const graphAppID = "00000003-0000-0000-c000-000000000000"

const registrationFields = "id,displayName,signInAudience,groupMembershipClaims,api,web,optionalClaims,appRoles,passwordCredentials,keyCredentials"

// Registration reads what the tenant has of the app. It takes Application.Read.All.
func (s *Source) Registration(ctx context.Context) (Registration, error) {
	var r Registration
	of := "(appId='" + url.PathEscape(s.clientID) + "')"
	if _, err := s.graph.get(ctx, s.graph.url("/applications"+of+"?$select="+registrationFields), &r); err != nil {
		return r, fmt.Errorf("read the app registration: %w", err)
	}
	var federated struct {
		Value []RegisteredFederated `json:"value"`
	}
	if _, err := s.graph.get(ctx, s.graph.url("/applications/"+url.PathEscape(r.ID)+"/federatedIdentityCredentials"), &federated); err != nil {
		return r, fmt.Errorf("read the federated credentials of the app registration: %w", err)
	}
	r.Federated = federated.Value
	var e Enterprise
	switch _, err := s.graph.get(ctx, s.graph.url("/servicePrincipals"+of+"?$select=id,accountEnabled,appRoleAssignmentRequired"), &e); {
	case statusOf(err) == http.StatusNotFound:
		return r, nil
	case err != nil:
		return r, fmt.Errorf("read the enterprise application: %w", err)
	}
	if err := s.readEnterprise(ctx, &e); err != nil {
		return r, err
	}
	r.Enterprise = &e
	return r, nil
}

// assignment is an app role of a resource that a principal holds.
type heldRole struct {
	RoleID     string `json:"appRoleId"`
	ResourceID string `json:"resourceId"`
}

func (s *Source) readEnterprise(ctx context.Context, e *Enterprise) error {
	base := "/servicePrincipals/" + url.PathEscape(e.ID)
	var assigned, held struct {
		Value []heldRole `json:"value"`
	}
	if _, err := s.graph.get(ctx, s.graph.url(base+"/appRoleAssignedTo?$top=999"), &assigned); err != nil {
		return fmt.Errorf("read who is assigned to the enterprise application: %w", err)
	}
	e.Assigned = len(assigned.Value)
	if _, err := s.graph.get(ctx, s.graph.url(base+"/appRoleAssignments?$top=999"), &held); err != nil {
		return fmt.Errorf("read the permissions of the enterprise application: %w", err)
	}
	var graph struct {
		ID    string `json:"id"`
		Roles []struct {
			ID    string `json:"id"`
			Value string `json:"value"`
		} `json:"appRoles"`
	}
	if _, err := s.graph.get(ctx, s.graph.url("/servicePrincipals(appId='"+graphAppID+"')?$select=id,appRoles"), &graph); err != nil {
		return fmt.Errorf("read which permissions Microsoft Graph has: %w", err)
	}
	if graph.ID == "" {
		return errors.New("there is no enterprise application of Microsoft Graph in the tenant")
	}
	for _, h := range held.Value {
		for _, role := range graph.Roles {
			if h.ResourceID == graph.ID && h.RoleID == role.ID {
				e.Permissions = append(e.Permissions, role.Value)
			}
		}
	}
	return nil
}
