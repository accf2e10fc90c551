package scim

import (
	"errors"
	"fmt"
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

// Operations are those of one PATCH, parsed.
type Operations struct {
	registry *Registry
	kind     Kind
	list     []operation
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

// ParsePatch is the first half of Patch, which needs no resource. Errors are *Error.
func (r *Registry) ParsePatch(k Kind, body []byte) (Operations, error) {
	list, err := parseOperations(body)
	return Operations{r, k, list}, err
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

func inOperation(i, n int, err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || n == 1 {
		return err
	}
	return &Error{e.Status, e.ScimType, fmt.Sprintf("Operation %d of %d: %s", i+1, n, e.Detail)}
}

// operation is one of a PATCH.
type operation struct {
	op    string // add, remove or replace
	path  string // "" for none
	value any
	given bool // there is a value, be it null
}

func parseOperations(body []byte) ([]operation, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	if v, said := o.get("schemas"); said && !namesSchema(v, patchURN) {
		return nil, bad(InvalidSyntax, "A PATCH is of the schema %s.", patchURN)
	}
	v, _ := o.get("Operations")
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, bad(InvalidSyntax, "A PATCH has a list of Operations.")
	}
	if len(list) > maxOps {
		return nil, tooLarge("A PATCH has %d operations; at most %d are taken.", len(list), maxOps)
	}
	ops := make([]operation, len(list))
	for i, v := range list {
		if ops[i], err = parseOperation(v); err != nil {
			return nil, inOperation(i, len(list), err)
		}
	}
	return ops, nil
}

func parseOperation(v any) (operation, error) {
	o, _ := v.(object)
	name, _ := o.get("op")
	verb, _ := name.(string)
	op := operation{op: strings.ToLower(verb)}
	if op.op != "add" && op.op != "remove" && op.op != "replace" {
		return op, bad(InvalidSyntax, "The op of an operation is add, remove or replace.")
	}
	path, _ := o.get("path")
	var ok bool
	if op.path, ok = path.(string); !ok && path != nil {
		return op, bad(InvalidPath, "The path of an operation is a string.")
	}
	op.value, op.given = o.get("value")
	if op.op != "remove" && !op.given {
		return op, bad(InvalidValue, "An operation that is not remove has a value.")
	}
	return op, nil
}

func namesSchema(v any, urn string) bool {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, v := range list {
		if s, ok := v.(string); ok && strings.EqualFold(s, urn) {
			return true
		}
	}
	return false
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

// single changes an attribute that has one value, or a part of it.
func (p *patching) single(op operation, path Path) error {
	a := path.attr
	if op.op == "remove" {
		p.removed = p.removed || a.Required
		op.value = nil
	} else if op.op == "add" && op.value == nil {
		return nil
	}
	if a.Type != typeComplex {
		v, err := a.coerce(op.value)
		if err == nil {
			p.res.put(path.extension, a.Name, v)
		}
		return err
	}
	given := op.value
	if path.sub != nil {
		given = object{{path.sub.Name, op.value}}
	} else if list, ok := given.([]any); ok { // as Entra sends a manager
		if len(list) > 1 {
			return bad(InvalidValue, "%s has one value, not %d.", a.Name, len(list))
		}
		given = nil
		if len(list) == 1 {
			given = list[0]
		}
	}
	if given == nil {
		p.res.put(path.extension, a.Name, nil)
		return nil
	}
	had, _ := p.res.at(path.extension, a.Name).(map[string]any)
	merged, err := a.merge(had, given)
	if err != nil {
		return err
	}
	if merged["value"] != had["value"] && merged["$ref"] == had["$ref"] {
		delete(merged, "$ref") // it was the other's
	}
	if len(merged) == 0 || a.sub("value") != nil && isEmpty(merged["value"]) {
		p.res.put(path.extension, a.Name, nil)
		return nil
	}
	p.res.put(path.extension, a.Name, merged)
	return nil
}

// merge is a complex value with what was given of it: null takes a part away.
func (a *attribute) merge(had map[string]any, given any) (map[string]any, error) {
	next, err := a.coerceOne(given)
	if err != nil {
		return nil, err
	}
	merged := map[string]any{}
	for name, v := range had {
		merged[name] = v
	}
	if set, ok := next.(map[string]any); ok {
		for name, v := range set {
			merged[name] = v
		}
	}
	if o, ok := given.(object); ok {
		for _, f := range o {
			if sub := a.subAs(f.name); sub != nil && f.value == nil {
				delete(merged, sub.Name)
			}
		}
	}
	return merged, nil
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
