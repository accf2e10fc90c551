package scim

import (
	"cmp"
	"strings"
)

// Sort is an order of resources (RFC 7644 §3.4.2.3). The zero one leaves them as they are.
type Sort struct {
	by         ref
	descending bool
}

// IsZero reports that no order was asked for.
func (s Sort) IsZero() bool { return s.by.attr == nil }

func (r *Registry) parseSort(k Kind, by, order string) (Sort, error) {
	var s Sort
	switch {
	case strings.EqualFold(order, "descending"):
		s.descending = true
	case order != "" && !strings.EqualFold(order, "ascending"):
		return s, bad(InvalidValue, "sortOrder is ascending or descending.")
	}
	if by == "" {
		return s, nil
	}
	p := &parser{lexer: &lexer{wrong: wrong{InvalidPath}}, registry: r, kind: k}
	f, err := p.ref(by)
	if err != nil {
		return s, err
	}
	if s.by = f.compared(); s.by.attr != nil && s.by.last().Type == typeComplex {
		return Sort{}, bad(InvalidPath, "%s has parts. Sort by one of them, such as %s.%s.", f.text, f.text, f.attr.SubAttributes[0].Name)
	}
	return s, nil
}

// Compare orders two completed resources, as slices.SortStableFunc wants it. Of several values the primary one counts, or else
// the first. Who has none comes last, in a descending order first.
func (s Sort) Compare(a, b Resource) int {
	if s.IsZero() {
		return 0
	}
	x, inA := s.key(a)
	y, inB := s.key(b)
	c := cmp.Compare(x, y)
	if inA != inB {
		c = 1
		if inA {
			c = -1
		}
	}
	if s.descending {
		return -c
	}
	return c
}

func (s Sort) key(res Resource) (key string, there bool) {
	v := res.at(s.by.extension, s.by.attr.Name)
	if list, ok := v.([]any); ok {
		v = nil
		for i, one := range list {
			if o, _ := one.(map[string]any); i == 0 || o["primary"] == true {
				v = one
			}
		}
	}
	if s.by.sub != nil {
		o, _ := v.(map[string]any)
		v = o[s.by.sub.Name]
	}
	switch v := v.(type) {
	case string:
		if !s.by.last().CaseExact {
			v = Fold(v)
		}
		return v, true
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	}
	return "", false
}
