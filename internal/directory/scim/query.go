package scim

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
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
func (r *Registry) ParseQuery(k Kind, v url.Values, most int) (Query, error) {
	return r.query(k, most, v.Get)
}

// ParseSearch reads the body of a POST to .search, with most as in ParseQuery. Errors are *Error.
func (r *Registry) ParseSearch(k Kind, body []byte, most int) (Query, error) {
	o, err := parseObject(body)
	if err != nil {
		return Query{}, err
	}
	if v, said := o.get("schemas"); said && !namesSchema(v, searchURN) {
		return Query{}, bad(InvalidSyntax, "A search is of the schema %s.", searchURN)
	}
	asked := map[string]string{}
	for _, name := range []string{"attributes", "excludedAttributes", "filter", "sortBy", "sortOrder", "startIndex", "count"} {
		v, _ := o.get(name)
		if asked[name], err = searched(name, v); err != nil {
			return Query{}, err
		}
	}
	return r.query(k, most, func(name string) string { return asked[name] })
}

// searched is a member of a search as a parameter of a GET would have it.
func searched(name string, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		if name == "startIndex" || name == "count" {
			return v.String(), nil
		}
	case []any:
		if name != "attributes" && name != "excludedAttributes" {
			break
		}
		names := make([]string, len(v))
		for i, one := range v {
			s, ok := one.(string)
			if !ok {
				return "", bad(InvalidValue, "%s is a list of names.", name)
			}
			names[i] = s
		}
		return strings.Join(names, ","), nil
	}
	return "", bad(InvalidValue, "%s has a value of the wrong type.", name)
}

func (r *Registry) query(k Kind, most int, get func(string) string) (q Query, err error) {
	if q.Filter, err = r.ParseFilter(k, get("filter")); err != nil {
		return Query{}, err
	}
	if q.Projection, err = r.ParseProjection(k, get("attributes"), get("excludedAttributes")); err != nil {
		return Query{}, err
	}
	if q.Sort, err = r.parseSort(k, get("sortBy"), get("sortOrder")); err != nil {
		return Query{}, err
	}
	if q.Start, err = number("startIndex", get("startIndex"), 1); err != nil {
		return Query{}, err
	}
	if q.Count, err = number("count", get("count"), most); err != nil {
		return Query{}, err
	}
	q.Start = max(q.Start, 1) // less is read as 1, and a negative count as 0 (RFC 7644 §3.4.2.4)
	q.Count = min(max(q.Count, 0), most)
	return q, nil
}

func number(name, s string, otherwise int) (int, error) {
	if s == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, bad(InvalidValue, "%s is a whole number.", name)
	}
	return n, nil
}
