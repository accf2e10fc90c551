package entrasim

import (
	"strings"
	"time"
)

// GraphAppID is the client ID of Microsoft Graph in every tenant.
const GraphAppID = "00000003-0000-0000-c000-000000000000"

// DefaultAccess is the app role of an assignment that names no role.
const DefaultAccess = "00000000-0000-0000-0000-000000000000"

// Organisation is what a tenant starts with. With [Config.State] the people and groups of an
// earlier start are kept and these are used only at the first; Apps are taken anew at each start.
type Organisation struct {
	TenantID string // GUID
	Name     string // for people, such as "Contoso"
	Domain   string // verified domain, the right side of user principal names
	Users    []User
	Groups   []Group
	Apps     []App
	// PasswordHint is shown on the sign-in page.
	PasswordHint string
	// RecycleGroups puts a group that is deleted through Graph into the recycle bin; otherwise it is gone at once, as
	// security groups were for long.
	RecycleGroups bool
	// StepUp names the authentication contexts (c1 to c99) that ask for the password once more.
	// A context that is not named here is issued to whoever requests it, as Entra does when no
	// policy is attached to it.
	StepUp []string
	// Policies are the Conditional Access policies at the first start.
	Policies []Policy
}

// User is a person. ID is the object ID (`oid`).
type User struct {
	ID                string    `json:"id"`
	UserPrincipalName string    `json:"userPrincipalName"`
	DisplayName       string    `json:"displayName"`
	GivenName         string    `json:"givenName,omitempty"`
	Surname           string    `json:"surname,omitempty"`
	Mail              string    `json:"mail,omitempty"`
	JobTitle          string    `json:"jobTitle,omitempty"`
	Department        string    `json:"department,omitempty"`
	AccountEnabled    bool      `json:"accountEnabled"`
	Password          string    `json:"password,omitempty"`
	CreatedDateTime   time.Time `json:"createdDateTime"`
	// Manager is the object ID of a user.
	Manager string `json:"manager,omitempty"`
	// Home is the ID of the tenant that the account is of, where that is another one: the user is a guest here.
	Home string `json:"home,omitempty"`
	// Roles are directory roles such as [GlobalAdministrator]: what the user may administer.
	Roles []string `json:"directoryRoles,omitempty"`
	// More are properties that only provisioning reads, by their name in an attribute mapping, such as employeeId,
	// mobile and city.
	More map[string]string `json:"more,omitempty"`
}

// UserName is the short name: the user principal name without its domain.
func (u User) UserName() string {
	name, _, _ := strings.Cut(u.UserPrincipalName, "@")
	return name
}

// Group is a security group. Members are object IDs of users and of other groups.
type Group struct {
	ID              string    `json:"id"`
	DisplayName     string    `json:"displayName"`
	Description     string    `json:"description,omitempty"`
	Unified         bool      `json:"unified,omitempty"` // a Microsoft 365 group, which is a security group too
	CreatedDateTime time.Time `json:"createdDateTime"`
	Members         []string  `json:"members,omitempty"`
}

// App is an app registration and its enterprise application (service principal) in one.
type App struct {
	ClientID    string // application ID; the audience of v2.0 tokens for it
	PrincipalID string // object ID of the service principal; empty: the app has none yet, and nobody signs in to it
	Name        string
	// ObjectID is the object ID of the application object. Empty: it is made of the client ID.
	ObjectID string
	// Foreign is registered in another organisation: there is a service principal here and no application object.
	Foreign bool
	// Secret is the client secret. When it is empty and the app is not Public, one is made when
	// the tenant first starts.
	Secret string
	// Secrets count besides Secret, each in its time.
	Secrets []Secret
	Public  bool
	// MultiTenant lets people and the app itself use the authorities common and organizations.
	MultiTenant bool
	// Certificates are DER certificates whose keys may sign a client assertion (private_key_jwt).
	Certificates [][]byte
	// Federated are whose tokens stand for the app besides.
	Federated []FederatedCredential
	// RedirectURIs are compared exactly; a post_logout_redirect_uri must be one of them too.
	RedirectURIs []string
	// NativeURIs are redirect URIs of a program on somebody's machine.
	NativeURIs []string
	// LogoutURL is called in a frame, with iss and sid, when a session that used the app ends.
	LogoutURL string
	// IdentifierURIs are names of the app as a resource, besides its client ID and api://{client ID}.
	IdentifierURIs []string
	Scopes         []string // delegated permissions that the app exposes
	// ScopeIDs are the IDs of the Scopes, by value. One that is not there has an ID made of the app's.
	ScopeIDs    map[string]string
	AppRoles    []AppRole
	Assignments []Assignment
	// AssignmentRequired refuses sign-in to people without an assignment (AADSTS50105).
	AssignmentRequired bool
	// GroupMembershipClaims is None (or empty), SecurityGroup, All or ApplicationGroup.
	GroupMembershipClaims string
	// ImplicitTokens makes its tokens as short as those that are handed over in a URL: with more than five groups they say
	// hasgroups and nothing more.
	ImplicitTokens bool
	// OptionalClaims are among sid, auth_time, email, login_hint, acct, given_name, family_name, upn, acrs, xms_cc.
	OptionalClaims []string
	// AccessClaims are those of access tokens for the app; nil: OptionalClaims.
	AccessClaims []string
	// Consented are the client IDs of the resources for which an administrator has consented: to all their delegated
	// permissions, and at Microsoft Graph to sign-in and User.Read.
	Consented []string
	// GraphScopes are further delegated permissions at Microsoft Graph with an administrator's consent.
	GraphScopes []string
	// GraphRoles are the application permissions at Microsoft Graph, such as User.Read.All.
	// [DirectoryWrite] is what an app needs to change the directory.
	GraphRoles []string
	// Disabled lets nobody sign in, and refuses the app itself.
	Disabled bool

	registered registration
}

// Secret is a client secret (a password credential).
type Secret struct {
	KeyID, Name, Value string
	Start, End         time.Time
}

// DirectoryWrite is the application permission with which an app may change people and groups.
const DirectoryWrite = "Directory.ReadWrite.All"

// AppRole is a role that an app declares; Value is what appears in a token's roles.
type AppRole struct {
	ID          string
	Value       string
	DisplayName string
	Description string
	MemberTypes []string // User, Application; empty: User
	Disabled    bool     // nobody has it, though it may be assigned
}

// Assignment gives a user or group an app role, or [DefaultAccess].
type Assignment struct {
	ID          string    `json:"id"`
	PrincipalID string    `json:"principalId"`
	AppRoleID   string    `json:"appRoleId"`
	Created     time.Time `json:"createdDateTime"`
}

// is reports whether name is one of the names under which the app is asked for as a resource.
func (a App) is(name string) bool {
	if strings.EqualFold(name, a.ClientID) || strings.EqualFold(name, "api://"+a.ClientID) {
		return true
	}
	for _, uri := range a.IdentifierURIs {
		if strings.EqualFold(strings.TrimSuffix(name, "/"), strings.TrimSuffix(uri, "/")) {
			return true
		}
	}
	return false
}
