package entrasim

import (
	"crypto/sha256"
	"fmt"
	"slices"
)

// permission is one of Microsoft Graph's: an app role for apps by themselves, a scope for apps with a user, or both.
//
// https://learn.microsoft.com/graph/permissions-reference
type permission struct {
	Value string
	Role  string // ID of the app role; empty: there is none
	Scope string // ID of the scope; empty: there is none
	Plain bool   // a user may consent to the scope
}

// graphPermissions are those that this tenant knows; their IDs are Microsoft's. Who registers an app looks them up all
// the same, in the service principal of Graph.
func graphPermissions() []permission {
	return []permission{
		{"User.Read", "", "e1fe6dd8-ba31-4d61-89e7-88639da4683d", true},
		{"openid", "", "37f7f235-527c-4136-accd-4a02d197296e", true},
		{"profile", "", "14dad69e-099b-42c9-810b-d002981feec1", true},
		{"email", "", "64a6cdd6-aab1-4aaf-94b8-3cc8405e90d0", true},
		{"offline_access", "", "7427e0e9-2fba-42fe-b0c0-848c9e6a8182", true},
		{"User.Read.All", "df021288-bdef-4463-88db-98f22de89214", "a154be20-db9c-4678-8ab7-66f6cc099a59", false},
		{"User.ReadWrite.All", "741f803b-c850-494e-b5df-cde7c675a1ca", "204e0828-b5ca-4ad8-b9f3-f32a958e7cc4", false},
		{"Group.Read.All", "5b567255-7703-4780-807c-7be8301ae99b", "5f8c59db-677d-491f-a6b8-5f174b11ec1d", false},
		{"GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6", "bc024368-1153-4739-b217-4326f2e966d0", false},
		{"Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61", "06da0dbc-49e2-44d2-8312-53f166ab848a", false},
		{DirectoryWrite, "19dbc75e-c2e2-444c-a770-ec69d8559fc7", "c5366453-9fb0-48a5-a156-24f0c49a4b84", false},
		{"Directory.AccessAsUser.All", "", "0e263e50-5827-48a4-b97c-d940288653c7", false},
		{"AuditLog.Read.All", "b0afded3-3588-46d8-8b3d-9842eff778da", "e4c9e354-4dc5-45b8-9e7c-e1393b0b1a20", false},
		{"Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "c79f8feb-a9db-4090-85f9-90d820caa0eb", false},
		{appWrite, "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9", "bdfbf15f-ee85-4955-8675-146e8e5296b5", false},
		{appWriteOwned, "18a4783c-866b-4cc7-a460-3d5e5662c884", "", false},
		{assignWrite, "06b708a9-e830-4db3-a914-8e69da51d44f", "84bccea3-f856-4a8a-967b-dbe0a3d53a64", false},
		{consentWrite, "8e8e4742-1d95-4f68-9d56-6ee75648c72a", "41ce6ca6-6826-4807-84f1-1c82854f7ee5", false},
		{syncWrite, "9b50c33d-700f-43b1-b2eb-87e89b703581", "7bb27fa3-ea8f-4d67-a916-87715b6188bd", false},
		{"Organization.Read.All", "498476ce-e0fe-48b0-b801-37ba7e2685c6", "4908d5b9-3fb2-4b1e-9336-1888b7937185", false},
		{policyRead, "246dd0d5-5bd0-4def-940b-0421030a5b68", "572fea84-0151-49b2-9301-11cb16974376", false},
		{policyWrite, "01c0a623-fc9b-48e9-b794-0756f8e8f067", "ad902697-1014-4ef5-81ef-2b4301988e8c", false},
	}
}

const (
	appWrite      = "Application.ReadWrite.All"
	appWriteOwned = "Application.ReadWrite.OwnedBy"
	assignWrite   = "AppRoleAssignment.ReadWrite.All"
	consentWrite  = "DelegatedPermissionGrant.ReadWrite.All"
	syncWrite     = "Synchronization.ReadWrite.All"
	policyRead    = "Policy.Read.All"
	policyWrite   = "Policy.ReadWrite.ConditionalAccess"
)

// The directory roles of people that count here, by their display names.
const (
	GlobalAdministrator       = "Global Administrator"
	PrivilegedRoles           = "Privileged Role Administrator"
	ApplicationAdministrator  = "Application Administrator"
	CloudAppAdministrator     = "Cloud Application Administrator"
	ConditionalAccessOperator = "Conditional Access Administrator"
	SecurityReader            = "Security Reader"
)

// Client IDs of Microsoft's own public clients; every tenant has them.
const (
	AzureCLIAppID       = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	GraphToolsAppID     = "14d82eec-204b-4c2f-b7e8-296a70dab67e"
	microsoftTenantID   = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
	nativeClientAddress = "https://login.microsoftonline.com/common/oauth2/nativeclient"
)

// microsoftApps are the service principals that a tenant has before anybody registers anything.
func (t *Tenant) microsoftApps() []App {
	graph := App{
		ClientID: GraphAppID, PrincipalID: graphPrincipalID, Name: "Microsoft Graph", Public: true, Foreign: true,
		IdentifierURIs: []string{"https://graph.microsoft.com", t.url}, ScopeIDs: map[string]string{},
	}
	var admin []string
	for _, p := range graphPermissions() {
		if p.Role != "" {
			graph.AppRoles = append(graph.AppRoles, AppRole{ID: p.Role, Value: p.Value, DisplayName: p.Value, MemberTypes: []string{"Application"}})
		}
		if p.Scope != "" {
			graph.Scopes, graph.ScopeIDs[p.Value] = append(graph.Scopes, p.Value), p.Scope
			admin = append(admin, p.Value)
		}
	}
	loopback := []string{"http://localhost", nativeClientAddress}
	return []App{graph, {
		ClientID: AzureCLIAppID, PrincipalID: "3a4c6f0a-6a5c-4f0b-8d44-0a3f3a4d1f02", Name: "Microsoft Azure CLI", Public: true, Foreign: true,
		RedirectURIs: loopback, GraphScopes: admin, Consented: []string{GraphAppID},
	}, {
		ClientID: GraphToolsAppID, PrincipalID: "8a1f5d2e-51d9-4a57-9a5c-2a8f0c6b7e03", Name: "Microsoft Graph Command Line Tools", Public: true, Foreign: true,
		RedirectURIs: loopback, GraphScopes: admin, Consented: []string{GraphAppID},
	}}
}

const graphPrincipalID = "8b8f6e42-2a0d-4f52-9f0e-6a3f51f0c6d7"

// delegated are the permissions that an app has for a user: those of its scopes that the user's directory roles cover.
func delegated(scopes, roles []string) []string {
	has := func(any ...string) bool {
		return slices.Contains(roles, GlobalAdministrator) || slices.ContainsFunc(any, func(r string) bool { return slices.Contains(roles, r) })
	}
	var may []string
	for _, s := range scopes {
		covered := false
		switch s {
		case "User.Read.All", "Group.Read.All", "GroupMember.Read.All", "Directory.Read.All", "Application.Read.All", "Organization.Read.All":
			covered = true // members may read the directory
		case "Directory.AccessAsUser.All":
			if has(ApplicationAdministrator, CloudAppAdministrator) {
				may = append(may, appWrite, assignWrite, consentWrite)
			}
			if has() {
				may = append(may, DirectoryWrite)
			}
		case appWrite, syncWrite:
			covered = has(ApplicationAdministrator, CloudAppAdministrator)
		case assignWrite, consentWrite:
			covered = has(ApplicationAdministrator, CloudAppAdministrator, PrivilegedRoles)
		case "AuditLog.Read.All":
			covered = has(SecurityReader)
		case policyRead:
			covered = has(SecurityReader, ConditionalAccessOperator)
		case policyWrite:
			covered = has(ConditionalAccessOperator)
		default:
			covered = has()
		}
		if covered {
			may = append(may, s)
		}
	}
	return may
}

// guidOf makes a GUID of a name that stays the same (RFC 9562, version 8).
func guidOf(parts ...string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", parts))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
