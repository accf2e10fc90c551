package scim

import (
	"errors"
	"reflect"
	"strings"
)

// maxWork bounds the values that one PATCH looks at.
const maxWork = 500_000

// Patched is what a PATCH makes.
type Patched struct {
	Resource Resource       // the one given is not altered
	Changed  bool           // Resource differs from what it was
	Members  []MemberChange // of a group, in the order they are to be made, each member once between RemoveMatching
	Piled    bool           // roles were added to others, which stayed
}

// Patch applies the operations of a body (RFC 7644 §3.5.2), all or none. For a group res is without members.
//
// Both of Entra's dialects are taken: operations in any capitals, booleans as strings, paths and names of path-less
// values with dots, filters and URNs. Where the RFC and Entra differ, it is as Entra means it: what a filter in a path does
// not find is made, with what the filter says; `remove` with a value removes that value only; what no schema has is
// passed over. Errors are *Error.
func (r *Registry) Patch(k Kind, res Resource, body []byte) (Patched, error) {
	ops, err := r.ParsePatch(k, body)
	if err != nil {
		return Patched{}, err
	}
	return ops.Apply(res)
}

// Apply is the second half of Patch. It may be called again, with another resource. Errors are *Error.
func (ops Operations) Apply(res Resource) (Patched, error) {
	copied, _ := copyOf(map[string]any(res)).(map[string]any)
	if copied == nil {
		copied = map[string]any{}
	}
	p := &patching{registry: ops.registry, kind: ops.kind, res: copied}
	for i, op := range ops.list {
		if err := p.operate(op); err != nil {
			return Patched{}, inOperation(i, len(ops.list), err)
		}
	}
	if err := p.registry.complete(p.kind, p.res); err != nil {
		if e, ok := errors.AsType[*Error](err); ok && p.removed {
			e.ScimType = Mutability
		}
		return Patched{}, err
	}
	return Patched{p.res, !reflect.DeepEqual(map[string]any(res), map[string]any(p.res)), settled(p.changes), p.piled}, nil
}

// patching is a resource while operations change it.
type patching struct {
	registry *Registry
	kind     Kind
	res      Resource // ours to change
	changes  []MemberChange
	piled    bool
	removed  bool // a required attribute was, and may have been set again
	work     int

	memberTerms int
}

func (p *patching) operate(op operation) error {
	if strings.Trim(op.path, blanks) != "" {
		path, err := p.registry.ParsePath(p.kind, op.path)
		if err != nil {
			return err
		}
		return p.apply(op, path, true)
	}
	if op.op == "remove" {
		return bad(NoTarget, "A remove needs a path.")
	}
	o, ok := op.value.(object)
	if !ok {
		return bad(InvalidValue, "The value of an operation without a path is an object of attributes.")
	}
	return p.fields(op.op, "", o)
}

// fields applies an operation to each attribute of an object, under a schema's URN or none.
func (p *patching) fields(op, urn string, o object) error {
	for _, f := range o {
		name := f.name
		if urn != "" {
			name = urn + ":" + name
		}
		path, err := p.registry.ParsePath(p.kind, name)
		if err != nil {
			return err
		}
		if err := p.apply(operation{op: op, value: f.value, given: true}, path, false); err != nil {
			return err
		}
	}
	return nil
}

// apply does an operation at a path. What only the server says is refused where it is named by a path, and passed over
// where it stands among other attributes, since clients send back whole resources.
func (p *patching) apply(op operation, path Path, named bool) error {
	switch {
	case path.schema != "":
		return p.whole(op, path.schema)
	case path.attr == nil || path.attr.Name == "schemas":
		return nil
	case path.attr.isMembers() && p.kind == Group:
		return p.members(op, path)
	case path.attr.Mutability == readOnly || path.sub != nil && path.sub.Mutability == readOnly:
		if !named {
			return nil
		}
		return bad(Mutability, "%s cannot be changed.", path)
	case path.attr.MultiValued:
		return p.many(op, path)
	case path.of != nil:
		return bad(InvalidPath, "%s has one value, and nothing to pick from.", path.attr.Name)
	}
	return p.single(op, path)
}

// whole is an operation on all attributes of a schema.
func (p *patching) whole(op operation, urn string) error {
	switch o, ok := op.value.(object); {
	case op.op == "remove" && urn == EnterpriseURN, op.op == "replace" && urn == EnterpriseURN && op.value == nil:
		delete(p.res, urn)
		return nil
	case op.op == "remove":
		return bad(Mutability, "A %s without all of %s is none.", p.kind, urn)
	case ok:
		return p.fields(op.op, urn, o)
	case op.value == nil:
		return nil
	}
	return bad(InvalidValue, "The value of %s is an object of attributes.", urn)
}

// copyOf is a copy that shares nothing that could change.
func copyOf(v any) any {
	switch v := v.(type) {
	case map[string]any:
		if v == nil {
			return nil
		}
		c := make(map[string]any, len(v))
		for name, inner := range v {
			c[name] = copyOf(inner)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, inner := range v {
			c[i] = copyOf(inner)
		}
		return c
	}
	return v
}
