package scim

import "strings"

// ProviderConfig is what the service says of itself.
type ProviderConfig struct {
	Base              string // URL of the endpoint, without a trailing slash
	Documentation     string // URL, may be empty
	MaxBulkOperations int    // 0: no bulk
	MaxBulkPayload    int    // bytes
	MaxResults        int    // of one page
}

// Schemas are the documents of /Schemas (RFC 7643 §7); base is the endpoint's URL without a trailing slash.
func (r *Registry) Schemas(base string) []Resource {
	var all []Resource
	for _, s := range []*schema{r.user, r.group, r.enterprise} {
		all = append(all, Resource{
			"schemas": []any{schemaURN}, "id": s.ID, "name": s.Name, "description": s.Description, "attributes": s.Attributes,
			"meta": described("Schema", base+"/Schemas/"+s.ID),
		})
	}
	return all
}

// ResourceTypes are the documents of /ResourceTypes (RFC 7643 §6).
func (r *Registry) ResourceTypes(base string) []Resource {
	var all []Resource
	for _, k := range []Kind{User, Group} {
		schemas := r.schemas(k)
		extensions := []any{}
		for _, e := range schemas[1:] {
			extensions = append(extensions, map[string]any{"schema": e.ID, "required": false})
		}
		all = append(all, Resource{
			"schemas": []any{resourceTypeURN}, "id": string(k), "name": string(k), "endpoint": k.Endpoint(),
			"description": schemas[0].Description, "schema": schemas[0].ID, "schemaExtensions": extensions,
			"meta": described("ResourceType", base+"/ResourceTypes/"+string(k)),
		})
	}
	return all
}

// ServiceProviderConfig is the document of that name (RFC 7643 §5).
func (r *Registry) ServiceProviderConfig(c ProviderConfig) Resource {
	supported := func(yes bool) map[string]any { return map[string]any{"supported": yes} }
	res := Resource{
		"schemas":        []any{configURN},
		"patch":          supported(true),
		"bulk":           map[string]any{"supported": c.MaxBulkOperations > 0, "maxOperations": c.MaxBulkOperations, "maxPayloadSize": c.MaxBulkPayload},
		"filter":         map[string]any{"supported": true, "maxResults": c.MaxResults},
		"changePassword": supported(false),
		"sort":           supported(true),
		"etag":           supported(true),
		"authenticationSchemes": []any{
			map[string]any{
				"type": "oauthbearertoken", "name": "OAuth Bearer Token", "primary": true, "specUri": "https://www.rfc-editor.org/rfc/rfc6750",
				"description": "A secret made with `lanyard scim`, or an access token from the token endpoint.",
			},
			map[string]any{
				"type": "oauth2", "name": "OAuth 2.0 client credentials", "primary": false, "specUri": "https://www.rfc-editor.org/rfc/rfc6749",
				"description": "Client ID with a secret, or with an assertion of the tenant (RFC 7523), for an access token.",
			},
		},
		"meta": described("ServiceProviderConfig", c.Base+"/ServiceProviderConfig"),
	}
	if c.Documentation != "" {
		res["documentationUri"] = c.Documentation
	}
	return res
}

// Endpoint is where resources of the kind are, such as "/Users".
func (k Kind) Endpoint() string { return "/" + string(k) + "s" }

// KindOf is the kind at an endpoint, such as "Users", in whatever capitals.
func KindOf(endpoint string) (Kind, bool) {
	for _, k := range []Kind{User, Group} {
		if strings.EqualFold(strings.Trim(endpoint, "/"), k.Endpoint()[1:]) {
			return k, true
		}
	}
	return "", false
}

func described(kind, location string) map[string]any {
	return map[string]any{"resourceType": kind, "location": location}
}
