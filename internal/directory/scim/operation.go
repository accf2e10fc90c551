package scim

import (
	"errors"
	"fmt"
	"strings"
)

// Operations are those of one PATCH, parsed.
type Operations struct {
	registry *Registry
	kind     Kind
	list     []operation
}

// ParsePatch is the first half of Patch, which needs no resource. Errors are *Error.
func (r *Registry) ParsePatch(k Kind, body []byte) (Operations, error) {
	list, err := parseOperations(body)
	return Operations{r, k, list}, err
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
