package entrasim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	filterTerms   = 15 // values of an "in", or terms joined with "or", in one $filter
	trackedAtMost = 50 // objects that a delta query may be narrowed to
)

// unquoted takes the quotes of a literal off.
func unquoted(s string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "'"), "'"), "''", "'")
}

// idsIn are the object IDs that a filter of the form id in ('…','…') or id eq '…' or id eq '…' names; ok says that it has
// such a form.
func idsIn(param string) (ids []string, ok bool) {
	if list, in := strings.CutPrefix(strings.TrimSpace(param), "id in"); in {
		list = strings.TrimSpace(list)
		if !strings.HasPrefix(list, "(") || !strings.HasSuffix(list, ")") {
			return nil, false
		}
		for id := range strings.SplitSeq(list[1:len(list)-1], ",") {
			ids = append(ids, strings.ToLower(unquoted(id)))
		}
		return ids, true
	}
	for term := range strings.SplitSeq(param, " or ") {
		id, of := strings.CutPrefix(strings.TrimSpace(term), "id eq ")
		if !of {
			return nil, false
		}
		ids = append(ids, strings.ToLower(unquoted(id)))
	}
	return ids, len(ids) > 0
}

// filterBy makes a test of $filter: property eq value, property ge or le a time, property in (values), startswith(property,'value'), and several of
// them joined with "and" or with "or". It is nil when there is no filter.
func filterBy(param string) (func(entity) bool, error) {
	if param == "" {
		return nil, nil
	}
	joint := " and "
	if strings.Contains(param, " or ") {
		joint = " or "
	}
	var terms []func(entity) bool
	for term := range strings.SplitSeq(param, joint) {
		test, err := filterTerm(strings.TrimSpace(term))
		if err != nil {
			return nil, err
		}
		terms = append(terms, test)
	}
	if joint == " or " && len(terms) > filterTerms {
		return nil, tooManyTerms(len(terms))
	}
	return func(e entity) bool {
		for _, test := range terms {
			if test(e) == (joint == " or ") {
				return joint == " or "
			}
		}
		return joint != " or "
	}, nil
}

func tooManyTerms(n int) error {
	return &graphError{Status: http.StatusBadRequest, Code: "Request_UnsupportedQuery",
		Message: fmt.Sprintf("Too many child clauses specified in search filter expression containing 'OR' operators: %d. Max allowed: %d.", n, filterTerms)}
}

func filterTerm(term string) (func(entity) bool, error) {
	if list, condition, ok := strings.Cut(term, "/any("); ok { // tags/any(t:t eq 'value')
		if _, value, ok := strings.Cut(strings.TrimSuffix(condition, ")"), " eq "); ok {
			want := unquoted(value)
			return func(e entity) bool { return contains(e[list], want) }, nil
		}
	}
	if name, value, ok := strings.Cut(term, " eq "); ok {
		name, want := strings.TrimSpace(name), unquoted(value)
		return func(e entity) bool { return is(e[name], want) }, nil
	}
	for _, later := range []bool{true, false} {
		operator := map[bool]string{true: " ge ", false: " le "}[later]
		if name, value, ok := strings.Cut(term, operator); ok {
			if moment, err := time.Parse(time.RFC3339, strings.TrimSpace(value)); err == nil {
				name = strings.TrimSpace(name)
				return func(e entity) bool { return since(e[name], moment, later) }, nil
			}
		}
	}
	if name, list, ok := strings.Cut(term, " in "); ok && strings.HasPrefix(strings.TrimSpace(list), "(") && strings.HasSuffix(list, ")") {
		list = strings.TrimSpace(list)
		var wanted []string
		for value := range strings.SplitSeq(list[1:len(list)-1], ",") {
			wanted = append(wanted, unquoted(value))
		}
		if len(wanted) > filterTerms {
			return nil, tooManyTerms(len(wanted))
		}
		name = strings.TrimSpace(name)
		return func(e entity) bool {
			return slices.ContainsFunc(wanted, func(want string) bool { return is(e[name], want) })
		}, nil
	}
	if arguments, ok := strings.CutPrefix(strings.ToLower(term), "startswith("); ok {
		if name, value, ok := strings.Cut(strings.TrimSuffix(term[len(term)-len(arguments):], ")"), ","); ok {
			name, want := strings.TrimSpace(name), strings.ToLower(unquoted(value))
			return func(e entity) bool {
				have, _ := e[name].(string)
				return strings.HasPrefix(strings.ToLower(have), want)
			}, nil
		}
	}
	return nil, &graphError{Status: http.StatusBadRequest, Code: "Request_UnsupportedQuery", Message: "Unsupported Query."}
}

// since reports whether a property is a time that is not before a moment, or not after it.
func since(have any, moment time.Time, later bool) bool {
	text, _ := have.(string)
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && (at.Equal(moment) || at.After(moment) == later)
}

// contains reports whether a list of strings, as it was made or as it was decoded, has this one.
func contains(list any, want string) bool {
	switch list := list.(type) {
	case []string:
		return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, want) })
	case []any:
		return slices.ContainsFunc(list, func(s any) bool { return is(s, want) })
	}
	return false
}

func is(have any, want string) bool {
	switch have := have.(type) {
	case string:
		return strings.EqualFold(have, want)
	case bool:
		return strconv.FormatBool(have) == want
	case nil:
		return want == "null"
	}
	return false
}

// searchBy makes a test of $search="displayName:words", which is answered from an index of its own: whoever asks has to
// say so with ConsistencyLevel: eventual. It is nil when there is no search.
func searchBy(r graphRequest) (func(entity) bool, error) {
	query := r.URL.Query()
	param := strings.Trim(query.Get("$search"), `"`)
	if query.Get("$count") != "true" && param == "" {
		return nil, nil
	}
	if r.Header.Get("ConsistencyLevel") != "eventual" {
		return nil, &graphError{Status: http.StatusBadRequest, Code: "Request_UnsupportedQuery",
			Message: "Request with $search or $count query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'"}
	}
	name, words, ok := strings.Cut(param, ":")
	switch {
	case param == "":
		return nil, nil
	case !ok:
		return nil, badRequest("Syntax error: character ':' is expected in the $search query.")
	}
	words = strings.ToLower(words)
	return func(e entity) bool {
		have, _ := e[name].(string)
		return strings.Contains(strings.ToLower(have), words)
	}, nil
}

// tracked are the objects that a delta query is narrowed to by $filter=id eq '…' or …; nil: all.
func tracked(query url.Values) ([]string, error) {
	if !query.Has("$filter") {
		return nil, nil
	}
	ids, ok := idsIn(query.Get("$filter"))
	if !ok || len(ids) > trackedAtMost {
		return nil, badRequest("The change tracking of this resource can be filtered by at most 50 objects, by their id.")
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}
