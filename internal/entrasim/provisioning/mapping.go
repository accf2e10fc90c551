package provisioning

import (
	"strings"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

const (
	enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	coreUser   = "urn:ietf:params:scim:schemas:core:2.0:User"
	coreGroup  = "urn:ietf:params:scim:schemas:core:2.0:Group"
	adGroup    = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"
)

// Attribute maps a property of the tenant to an attribute of the endpoint.
type Attribute struct {
	// From is a property (userPrincipalName, objectId, …) or one of the expressions "formattedName" and "active".
	From string
	// To is a SCIM path: name.givenName, emails[type eq "work"].value, URN:department.
	To string
}

// Mapping is the attribute mapping of users or groups.
type Mapping struct {
	Attributes []Attribute
	Match      string // the attribute, a To of Attributes, by which objects that are there already are found
	Manager    bool   // users: the manager is mapped
}

// DefaultUsers is Entra's mapping for a custom application.
func DefaultUsers() Mapping {
	return Mapping{Match: "userName", Manager: true, Attributes: []Attribute{
		{"userPrincipalName", "userName"},
		{"active", "active"},
		{"displayName", "displayName"},
		{"jobTitle", "title"},
		{"mail", `emails[type eq "work"].value`},
		{"preferredLanguage", "preferredLanguage"},
		{"givenName", "name.givenName"},
		{"surname", "name.familyName"},
		{"formattedName", "name.formatted"},
		{"physicalDeliveryOfficeName", `addresses[type eq "work"].formatted`},
		{"streetAddress", `addresses[type eq "work"].streetAddress`},
		{"city", `addresses[type eq "work"].locality`},
		{"state", `addresses[type eq "work"].region`},
		{"postalCode", `addresses[type eq "work"].postalCode`},
		{"country", `addresses[type eq "work"].country`},
		{"telephoneNumber", `phoneNumbers[type eq "work"].value`},
		{"mobile", `phoneNumbers[type eq "mobile"].value`},
		{"facsimileTelephoneNumber", `phoneNumbers[type eq "fax"].value`},
		{"mailNickname", "externalId"},
		{"employeeId", enterprise + ":employeeNumber"},
		{"department", enterprise + ":department"},
	}}
}

// ObjectIDUsers is DefaultUsers with objectId for externalId, so that a provisioned user is the one who signs in.
func ObjectIDUsers() Mapping {
	m := DefaultUsers()
	for i := range m.Attributes {
		if m.Attributes[i].To == "externalId" {
			m.Attributes[i].From = "objectId"
		}
	}
	return m
}

// DefaultGroups is Entra's mapping of groups; members are always mapped.
func DefaultGroups() Mapping {
	return Mapping{Match: "displayName", Attributes: []Attribute{{"displayName", "displayName"}, {"objectId", "externalId"}}}
}

// value is an attribute's path with what the tenant says. nil: it says nothing.
type value struct {
	path string
	is   any
}

// ofUser maps a user; active is what the scope and accountEnabled make of it.
func (m Mapping) ofUser(u entrasim.ExtractedUser, active bool) []value {
	var out []value
	for _, a := range m.Attributes {
		v := value{path: a.To}
		switch a.From {
		case "active":
			v.is = active
		case "formattedName":
			if name := strings.TrimSpace(u.GivenName + " " + u.Surname); name != "" {
				v.is = name
			}
		default:
			if text := property(u.User, a.From); text != "" {
				v.is = text
			}
		}
		out = append(out, v)
	}
	return out
}

func (m Mapping) ofGroup(g entrasim.Group) []value {
	var out []value
	for _, a := range m.Attributes {
		v := value{path: a.To}
		switch a.From {
		case "displayName":
			v.is = g.DisplayName
		case "objectId":
			v.is = g.ID
		case "description":
			if g.Description != "" {
				v.is = g.Description
			}
		}
		out = append(out, v)
	}
	return out
}

// property is a user's property by the name it has in a mapping.
func property(u entrasim.User, name string) string {
	switch name {
	case "objectId":
		return u.ID
	case "userPrincipalName":
		return u.UserPrincipalName
	case "mailNickname":
		if given := u.More[name]; given != "" {
			return given
		}
		return u.UserName()
	case "displayName":
		return u.DisplayName
	case "givenName":
		return u.GivenName
	case "surname":
		return u.Surname
	case "mail":
		return u.Mail
	case "jobTitle":
		return u.JobTitle
	case "department":
		return u.Department
	}
	return u.More[name]
}

// matching is the value of the attribute by which an object is looked for.
func (m Mapping) matching(values []value) string {
	for _, v := range values {
		if v.path == m.Match {
			text, _ := v.is.(string)
			return text
		}
	}
	return ""
}
