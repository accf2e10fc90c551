package scim

// This file is split into its subjects: schema, decode, filter, path, patch, query, bulk.

import (
	"encoding/json"
	"net/url"
)

// Query is what a GET of many, or a POST to .search, asks for (RFC 7644 §3.4.2 and §3.4.3).
type Query struct {
	Filter     Filter
	Projection Projection
	Sort       Sort
	Start      int // 1-based
	Count      int // 0: only the total is asked for; never more than the maximum
}

// ParseQuery reads the parameters of a GET. most is the largest Count, and the one when none is said. Errors are *Error.
func (r *Registry) ParseQuery(k Kind, v url.Values, most int) (Query, error) { return Query{}, nil }

// ParseSearch reads the body of a POST to .search.
func (r *Registry) ParseSearch(k Kind, body []byte, most int) (Query, error) { return Query{}, nil }

// Page is the part of all that the query asks for.
func (q Query) Page(all []Resource) []Resource { return nil }

// Projection says which attributes are answered. The zero one answers all that are returned by default.
type Projection struct{}

// ParseProjection reads `attributes` and `excludedAttributes`, each a comma-separated list or "".
func (r *Registry) ParseProjection(k Kind, attributes, excluded string) (Projection, error) {
	return Projection{}, nil
}

// Wants says whether a top attribute (such as "members") is answered, so that it need not be read when not.
func (p Projection) Wants(attribute string) bool { return false }

// Apply is what is answered of a completed resource; it is not altered.
func (p Projection) Apply(res Resource) Resource { return nil }

// Sort is an order of resources. The zero one leaves them as they are.
type Sort struct{}

// IsZero reports that no order was asked for.
func (s Sort) IsZero() bool { return true }

// Compare orders two completed resources, as slices.SortStableFunc wants it.
func (s Sort) Compare(a, b Resource) int { return 0 }

// Bulk is a bulk request (RFC 7644 §3.7).
type Bulk struct {
	FailOnErrors int // 0: go on whatever fails
	Operations   []BulkOperation
}

// BulkOperation is one request of a bulk.
type BulkOperation struct {
	Method  string // POST, PUT, PATCH or DELETE
	BulkID  string // of a POST
	Version string // an entity tag, of PUT, PATCH and DELETE
	Path    string // such as /Users or /Users/ID
	Data    json.RawMessage
}

// ParseBulk reads a bulk request. Operations come in an order in which each follows those whose bulkId it names.
func ParseBulk(body []byte, c ProviderConfig) (Bulk, error) { return Bulk{}, nil }

// Resolve replaces `bulkId:X` in path and data by the id of what the POST with bulkId X made.
func (o BulkOperation) Resolve(ids map[string]string) (BulkOperation, error) { return o, nil }

// BulkAnswer is the answer to a bulk request.
type BulkAnswer []BulkResult

// MarshalJSON adds the schema.
func (a BulkAnswer) MarshalJSON() ([]byte, error) { return nil, nil }

// BulkResult is what became of one operation.
type BulkResult struct {
	Method   string
	BulkID   string
	Version  string // entity tag after it
	Location string
	Status   int
	Response *Error // of one that failed
}
