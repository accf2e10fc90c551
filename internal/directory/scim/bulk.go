package scim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// Bulk is a bulk request (RFC 7644 §3.7).
type Bulk struct {
	FailOnErrors int // 0: go on whatever fails
	Operations   []BulkOperation
}

// BulkOperation is one request of a bulk.
type BulkOperation struct {
	Method  string // POST, PUT, PATCH or DELETE
	BulkID  string // of a POST
	Version string // an entity tag, of PUT, PATCH and DELETE; may be empty
	Path    string // such as /Users or /Users/ID
	Data    json.RawMessage
}

// bulkPrefix stands before a bulkId where an id belongs.
const bulkPrefix = "bulkId:"

// ParseBulk reads a bulk request. Operations come in an order in which each follows those whose bulkId it names; only
// those that name each other in a circle do not. Errors are *Error.
func ParseBulk(body []byte, c ProviderConfig) (Bulk, error) {
	if c.MaxBulkPayload > 0 && len(body) > c.MaxBulkPayload {
		return Bulk{}, tooLarge("The bulk request has %d bytes; at most %d are taken (maxPayloadSize).", len(body), c.MaxBulkPayload)
	}
	o, err := parseObject(body)
	if err != nil {
		return Bulk{}, err
	}
	if v, _ := o.get("schemas"); !namesSchema(v, bulkRequestURN) {
		return Bulk{}, bad(InvalidSyntax, "A bulk request is of the schema %s.", bulkRequestURN)
	}
	var b Bulk
	if v, said := o.get("failOnErrors"); said && v != nil {
		n, _ := v.(json.Number)
		if b.FailOnErrors, err = strconv.Atoi(n.String()); err != nil || b.FailOnErrors < 0 {
			return Bulk{}, bad(InvalidValue, "failOnErrors is a whole number.")
		}
	}
	v, _ := o.get("Operations")
	list, ok := v.([]any)
	if !ok {
		return Bulk{}, bad(InvalidSyntax, "A bulk request has a list of Operations.")
	}
	if len(list) > c.MaxBulkOperations {
		return Bulk{}, tooLarge("The bulk request has %d operations; at most %d are taken (maxOperations).", len(list), c.MaxBulkOperations)
	}
	known := map[string]bool{}
	for i, v := range list {
		op, err := bulkOperation(v)
		if err == nil && op.BulkID != "" && known[op.BulkID] {
			err = bad(InvalidValue, "The bulkId %q stands twice.", short(op.BulkID))
		}
		if err != nil {
			return Bulk{}, inOperation(i, len(list), err)
		}
		known[op.BulkID] = true
		b.Operations = append(b.Operations, op)
	}
	b.Operations = ordered(b.Operations)
	return b, nil
}

func bulkOperation(v any) (op BulkOperation, err error) {
	o, ok := v.(object)
	if !ok {
		return op, bad(InvalidSyntax, "It is not an object.")
	}
	for name, to := range map[string]*string{"method": &op.Method, "bulkId": &op.BulkID, "version": &op.Version, "path": &op.Path} {
		v, _ := o.get(name)
		if *to, ok = v.(string); !ok && v != nil {
			return op, bad(InvalidSyntax, "Its %s is not a string.", name)
		}
	}
	op.Method = strings.ToUpper(op.Method)
	switch op.Method {
	case http.MethodPost:
		if op.BulkID == "" {
			return op, bad(InvalidSyntax, "A POST needs a bulkId.")
		}
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return op, bad(InvalidSyntax, "Its method is POST, PUT, PATCH or DELETE.")
	}
	if !strings.HasPrefix(op.Path, "/") {
		return op, bad(InvalidPath, "Its path begins with a slash, as in /Users.")
	}
	data, there := o.get("data")
	if op.Method == http.MethodDelete {
		return op, nil
	}
	if _, ok := data.(object); !there || !ok {
		return op, bad(InvalidSyntax, "Its data is not an object.")
	}
	op.Data, err = json.Marshal(data)
	return op, err
}

// ordered puts operations behind those that they refer to, and otherwise leaves them as they are.
func ordered(ops []BulkOperation) []BulkOperation {
	makes := map[string]int{}
	for i, op := range ops {
		if op.BulkID != "" {
			makes[op.BulkID] = i
		}
	}
	next := make([]BulkOperation, 0, len(ops))
	visited := make([]bool, len(ops))
	var visit func(i int)
	visit = func(i int) {
		if visited[i] {
			return
		}
		visited[i] = true
		for _, id := range ops[i].references() {
			if j, there := makes[id]; there {
				visit(j)
			}
		}
		next = append(next, ops[i])
	}
	for i := range ops {
		visit(i)
	}
	return next
}

// references are the bulkIds that the operation names.
func (o BulkOperation) references() []string {
	var ids []string
	_, _ = o.replaced(func(id string) (string, error) {
		ids = append(ids, id)
		return id, nil
	})
	return ids
}

// Resolve replaces `bulkId:X` in path and data by the id of what the POST with bulkId X made. One that made nothing is a
// conflict. Errors are *Error.
func (o BulkOperation) Resolve(ids map[string]string) (BulkOperation, error) {
	return o.replaced(func(bulkID string) (string, error) {
		id, ok := ids[bulkID]
		if !ok {
			return "", &Error{http.StatusConflict, InvalidValue, "No operation before this one made bulkId:" + short(bulkID) + "."}
		}
		return id, nil
	})
}

func (o BulkOperation) replaced(with func(bulkID string) (string, error)) (BulkOperation, error) {
	parts := strings.Split(o.Path, "/")
	for i, s := range parts {
		id, ok := strings.CutPrefix(s, bulkPrefix)
		if !ok {
			continue
		}
		var err error
		if parts[i], err = with(id); err != nil {
			return o, err
		}
	}
	o.Path = strings.Join(parts, "/")
	if !bytes.Contains(o.Data, []byte(bulkPrefix)) {
		return o, nil
	}
	data, err := parseObject(o.Data)
	if err != nil {
		return o, err
	}
	v, err := replaceStrings(data, with)
	if err != nil {
		return o, err
	}
	o.Data, err = json.Marshal(v)
	return o, err
}

func replaceStrings(v any, with func(string) (string, error)) (_ any, err error) {
	switch v := v.(type) {
	case string:
		if id, ok := strings.CutPrefix(v, bulkPrefix); ok {
			return with(id)
		}
	case []any:
		for i := range v {
			if v[i], err = replaceStrings(v[i], with); err != nil {
				return nil, err
			}
		}
	case object:
		for i := range v {
			if v[i].value, err = replaceStrings(v[i].value, with); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// MarshalJSON keeps the order of the names.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range o {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(f.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, name...), ':'), value...)
	}
	return append(b, '}'), nil
}

// BulkAnswer is the answer to a bulk request.
type BulkAnswer []BulkResult

// BulkResult is what became of one operation.
type BulkResult struct {
	Method   string
	BulkID   string
	Version  string // entity tag after it
	Location string
	Status   int
	Response *Error // of one that failed
}

// MarshalJSON adds the schema, and writes each status as a string.
func (a BulkAnswer) MarshalJSON() ([]byte, error) {
	type result struct {
		Location string `json:"location,omitempty"`
		Method   string `json:"method"`
		BulkID   string `json:"bulkId,omitempty"`
		Version  string `json:"version,omitempty"`
		Status   string `json:"status"`
		Response *Error `json:"response,omitempty"`
	}
	results := make([]result, len(a))
	for i, r := range a {
		results[i] = result{r.Location, r.Method, r.BulkID, r.Version, strconv.Itoa(r.Status), r.Response}
	}
	return json.Marshal(struct {
		Schemas    []string `json:"schemas"`
		Operations []result `json:"Operations"`
	}{[]string{bulkResponseURN}, results})
}
