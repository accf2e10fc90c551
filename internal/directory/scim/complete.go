package scim

import (
	"maps"
	"time"
)

// Meta is what only the server says of a resource.
type Meta struct {
	ID                string
	Base              string // URL of the endpoint, without a trailing slash
	Created, Modified time.Time
	Version           int64
}

// Location is where the resource is.
func (m Meta) Location(k Kind) string { return m.Base + k.Endpoint() + "/" + m.ID }

// Complete is the resource as it is answered: with id, meta and schemas. res is not altered.
func (r *Registry) Complete(k Kind, res Resource, m Meta) Resource {
	full := maps.Clone(res)
	if full == nil {
		full = Resource{}
	}
	schemas := []any{}
	for i, s := range r.schemas(k) {
		if _, used := res[s.ID]; used || i == 0 {
			schemas = append(schemas, s.ID)
		}
	}
	full["schemas"], full["id"] = schemas, m.ID
	full["meta"] = map[string]any{
		"resourceType": string(k), "location": m.Location(k), "version": ETag(m.Version),
		"created": m.Created.UTC().Format(timeForm), "lastModified": m.Modified.UTC().Format(timeForm),
	}
	return full
}

// timeForm writes a time so that its order is that of its text.
const timeForm = "2006-01-02T15:04:05.000Z"
