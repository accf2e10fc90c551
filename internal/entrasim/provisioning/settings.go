package provisioning

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
)

// Scope says who is provisioned.
type Scope string

// The scopes of a provisioning job.
const (
	// Assigned is the users and groups assigned to the enterprise application, and the immediate members of these
	// groups who are users.
	Assigned Scope = "assigned"
	All      Scope = "all"
)

// RoleMode is the function with which app roles are mapped to the attribute roles.
type RoleMode string

// The modes are named after Entra's mapping functions SingleAppRoleAssignment, AppRoleAssignmentsComplex and
// AssertiveAppRoleAssignmentsComplex.
const (
	NoRoles   RoleMode = ""
	Single    RoleMode = "single"
	Complex   RoleMode = "complex"
	Assertive RoleMode = "assertive"
)

// ModernFlag in the query of a tenant URL asks for requests as RFC 7644 has them.
const ModernFlag = "aadOptscim062020"

// Settings are what an administrator of the tenant enters.
type Settings struct {
	// TenantURL is the endpoint, such as https://lanyard.example.test/scim/v2, without or with "?aadOptscim062020".
	TenantURL  string
	Credential Credential
	Scope      Scope // empty: Assigned
	Roles      RoleMode
	Users      Mapping // empty: DefaultUsers
	Groups     Mapping // empty: DefaultGroups
	// MemberBatch bounds the members in one PATCH. 0: 100.
	MemberBatch int
	// Workers is how many users, and how many groups, are on their way at the same time. 0: 4.
	Workers int
	Quirks  Quirks
}

// Quirks are deviations that Microsoft's documents and test collections show and that not every request has.
type Quirks struct {
	Nulls          bool // POST names attributes without a value, as null
	MalformedURN   bool // the enterprise schema lacks its last colon in "schemas"
	StringBooleans bool // POST sends "active": "True" in the default dialect
	BareFilters    bool // filter values of one word are not quoted
	PlainManager   bool // the manager is a plain string
}

func (c Settings) complete() (Settings, error) {
	u, err := url.Parse(c.TenantURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return c, fmt.Errorf("the tenant URL %q is not an http or https URL", c.TenantURL)
	}
	if c.Credential == nil {
		return c, fmt.Errorf("a secret token, a client or a federated credential is needed")
	}
	if c.Scope == "" {
		c.Scope = Assigned
	}
	if c.Roles != NoRoles && c.Scope == All {
		return c, fmt.Errorf("app roles are provisioned of assigned users and groups only, not of all")
	}
	if len(c.Users.Attributes) == 0 {
		c.Users = DefaultUsers()
	}
	if len(c.Groups.Attributes) == 0 {
		c.Groups = DefaultGroups()
	}
	if c.MemberBatch <= 0 {
		c.MemberBatch = 100
	}
	if c.Workers <= 0 {
		c.Workers = 4
	}
	return c, nil
}

// Modern reports whether the tenant URL asks for the dialect of RFC 7644.
func (c Settings) Modern() bool {
	u, err := url.Parse(c.TenantURL)
	return err == nil && strings.Contains(strings.ToLower(u.RawQuery), strings.ToLower(ModernFlag))
}

// base is the tenant URL without its flags, and without a slash at the end.
func (c Settings) base() string {
	base, _, _ := strings.Cut(c.TenantURL, "?")
	return strings.TrimRight(base, "/")
}

func randomGUID() string {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
