package scim

// Kind is a type of resource (RFC 7643 §6).
type Kind string

// The kinds there are; their values are the names of the resource types.
const (
	User  Kind = "User"
	Group Kind = "Group"
)

// URNs of schemas and messages (RFC 7643 §8.7, RFC 7644 §8.2).
const (
	UserURN       = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURN      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

	schemaURN       = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	resourceTypeURN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	configURN       = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"

	listURN         = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	searchURN       = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	patchURN        = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	bulkRequestURN  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	bulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	errorURN        = "urn:ietf:params:scim:api:messages:2.0:Error"
)

// Resource is a user or a group as JSON holds it: attribute names as the schema spells them; values are string, bool,
// map[string]any (complex) and []any (multi-valued, without null). The attributes of an extension stand in an object
// under its URN. What encoding/json makes of a stored Resource is one again.
//
// A decoded or patched Resource carries neither id, meta, schemas nor anything else that only the server says;
// [Registry.Complete] adds these.
type Resource map[string]any

// Text is the string at a path of names, or "" where there is none.
func (r Resource) Text(path ...string) string {
	var at any = map[string]any(r)
	for _, name := range path {
		o, _ := at.(map[string]any)
		at = o[name]
	}
	s, _ := at.(string)
	return s
}

// AppRoles are the values of the user's roles.
func (r Resource) AppRoles() []string {
	list, _ := r["roles"].([]any)
	var values []string
	for _, e := range list {
		if o, ok := e.(map[string]any); ok {
			if v, ok := o["value"].(string); ok && v != "" {
				values = append(values, v)
			}
		}
	}
	return values
}
