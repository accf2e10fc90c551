package scim

import "strings"

// Types of attribute (RFC 7643 §2.3).
const (
	typeString    = "string"
	typeBoolean   = "boolean"
	typeDateTime  = "dateTime"
	typeBinary    = "binary"
	typeReference = "reference"
	typeComplex   = "complex"
)

// Who may set an attribute (RFC 7643 §7).
const (
	readWrite = "readWrite"
	readOnly  = "readOnly"
	immutable = "immutable"
)

// When an attribute is answered (RFC 7643 §7).
const (
	byDefault = "default"
	always    = "always"
)

// attribute is what a schema says of one (RFC 7643 §7). Its JSON is the wire's.
type attribute struct {
	Name          string       `json:"name"`
	Type          string       `json:"type"`
	MultiValued   bool         `json:"multiValued"`
	Description   string       `json:"description"`
	Required      bool         `json:"required"`
	Canonical     []string     `json:"canonicalValues,omitempty"`
	CaseExact     bool         `json:"caseExact"`
	Mutability    string       `json:"mutability"`
	Returned      string       `json:"returned"`
	Uniqueness    string       `json:"uniqueness"`
	References    []string     `json:"referenceTypes,omitempty"`
	SubAttributes []*attribute `json:"subAttributes,omitempty"`
}

func (a *attribute) sub(name string) *attribute {
	for _, s := range a.SubAttributes {
		if strings.EqualFold(s.Name, name) {
			return s
		}
	}
	return nil
}

// schema is a set of attributes under a URN.
type schema struct {
	ID, Name, Description string
	Attributes            []*attribute
}

func (s *schema) attribute(name string) *attribute {
	for _, a := range s.Attributes {
		if strings.EqualFold(a.Name, name) {
			return a
		}
	}
	return nil
}

// Registry knows the schemas of User, Group and the enterprise extension. It does not change.
type Registry struct {
	user, group, enterprise, common *schema
}

// NewRegistry makes one.
func NewRegistry() *Registry {
	return &Registry{
		user:       &schema{UserURN, "User", "User Account", userAttributes()},
		group:      &schema{GroupURN, "Group", "Group", groupAttributes()},
		enterprise: &schema{EnterpriseURN, "EnterpriseUser", "Enterprise User", enterpriseAttributes()},
		common:     &schema{Attributes: commonAttributes()},
	}
}

// schemas are those of a kind, the core one first.
func (r *Registry) schemas(k Kind) []*schema {
	if k == Group {
		return []*schema{r.group}
	}
	return []*schema{r.user, r.enterprise}
}

// find is the attribute of this name, and the extension it belongs to ("" for the core and what all have). An empty URN
// finds it in any schema of the kind: Entra writes "manager" and "department" without theirs.
func (r *Registry) find(k Kind, urn, name string) (a *attribute, extension string) {
	for i, s := range r.schemas(k) {
		if urn != "" && urn != s.ID {
			continue
		}
		a := s.attribute(name)
		if a == nil && i == 0 {
			a = r.common.attribute(name)
		}
		if a != nil && i > 0 {
			return a, s.ID
		}
		if a != nil {
			return a, ""
		}
	}
	return nil, ""
}

// schemaOf is the URN of a kind's schema that s spells, in whatever capitals and with or without the last colon (Entra's
// documentation has "…:2.0User"), or "".
func (r *Registry) schemaOf(k Kind, s string) string {
	for _, known := range r.schemas(k) {
		if strings.EqualFold(s, known.ID) || strings.EqualFold(s, withoutLastColon(known.ID)) {
			return known.ID
		}
	}
	return ""
}

func withoutLastColon(urn string) string {
	i := strings.LastIndexByte(urn, ':')
	return urn[:i] + urn[i+1:]
}

// cutURN splits a name into schema and attribute: "urn:…:User:department.x" into the URN and "department.x". known is false when
// it is a URN of no schema of this kind. Either part may be empty.
func (r *Registry) cutURN(k Kind, s string) (urn, rest string, known bool) {
	if len(s) < 4 || !strings.EqualFold(s[:4], "urn:") {
		return "", s, true
	}
	for _, one := range r.schemas(k) {
		for _, spelt := range []string{one.ID, withoutLastColon(one.ID)} {
			if len(s) < len(spelt) || !strings.EqualFold(s[:len(spelt)], spelt) {
				continue
			}
			if len(s) == len(spelt) {
				return one.ID, "", true
			}
			if s[len(spelt)] == ':' {
				return one.ID, s[len(spelt)+1:], true
			}
		}
	}
	return s, "", false
}
