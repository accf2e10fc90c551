package provisioning

import (
	"fmt"
	"strings"
)

const patchOp = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// operation is one of a PATCH (RFC 7644 §3.5.2).
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

func patchBody(ops []operation) map[string]any {
	return map[string]any{"schemas": []string{patchOp}, "Operations": ops}
}

// dialect is how changes are said. The modern one is asked for by [ModernFlag] and never spoken on demand.
type dialect struct {
	modern bool
	quirks Quirks
}

func (d dialect) op(verb string) string {
	if d.modern {
		return verb
	}
	return strings.ToUpper(verb[:1]) + verb[1:]
}

// boolean is a truth value in a PATCH.
func (d dialect) boolean(b bool) any {
	switch {
	case d.modern:
		return b
	case b:
		return "True"
	}
	return "False"
}

// edit is an attribute that changes from what the endpoint has.
type edit struct {
	path     string
	was, now any
}

// operations says the edits: in the default dialect one operation each; in the modern one what has a filter alone by its
// path, and the rest, when it is more than one, in an operation without path whose keys are paths.
func (d dialect) operations(edits []edit) []operation {
	var ops []operation
	together := map[string]map[string]any{"add": {}, "replace": {}}
	for _, e := range edits {
		verb := "replace"
		if e.was == nil {
			verb = "add"
		}
		is := e.now
		if b, ok := is.(bool); ok {
			is = d.boolean(b)
		}
		if d.modern && !strings.Contains(e.path, "[") {
			together[verb][e.path] = is
			continue
		}
		ops = append(ops, operation{Op: d.op(verb), Path: e.path, Value: is})
	}
	for _, verb := range []string{"add", "replace"} {
		switch values := together[verb]; len(values) {
		case 0:
		case 1:
			for path, is := range values {
				ops = append(ops, operation{Op: verb, Path: path, Value: is})
			}
		default:
			ops = append(ops, operation{Op: verb, Value: values})
		}
	}
	return ops
}

type memberValue struct {
	Ref   *string `json:"$ref"`
	Value string  `json:"value"`
}

// addMembers adds members, by their IDs at the endpoint, in one operation.
func (d dialect) addMembers(ids []string) []operation {
	list := make([]any, len(ids))
	for i, id := range ids {
		if d.modern {
			list[i] = map[string]any{"value": id}
		} else {
			list[i] = memberValue{Value: id}
		}
	}
	return []operation{{Op: d.op("add"), Path: "members", Value: list}}
}

// removeMembers removes just these: by a filter each as RFC 7644 has it, or by a value beside the path, which a strict
// reading of the RFC takes for removing everybody.
func (d dialect) removeMembers(ids []string) []operation {
	if !d.modern {
		ops := d.addMembers(ids)
		ops[0].Op = d.op("remove")
		return ops
	}
	var ops []operation
	for _, id := range ids {
		ops = append(ops, operation{Op: "remove", Path: fmt.Sprintf("members[value eq %q]", id)})
	}
	return ops
}

// manager sets the manager by ID at the endpoint.
func (d dialect) manager(base, id string) []operation {
	switch {
	case d.modern:
		return []operation{{Op: "add", Path: enterprise + ":manager", Value: id}}
	case d.quirks.PlainManager:
		return []operation{{Op: "Add", Path: "manager", Value: id}}
	}
	return []operation{{Op: "Add", Path: "manager", Value: []any{map[string]any{"$ref": base + "/Users/" + id, "value": id}}}}
}
