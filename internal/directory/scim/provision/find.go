package provision

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// sortAtMost bounds what is sorted for one answer.
const sortAtMost = 20_000

// columns are what the store finds rows by, and whether it keeps them folded.
var columns = map[string]struct {
	column Column
	folded bool
}{
	"id": {ByID, false}, "externalId": {ByExternal, false}, "userName": {ByName, true}, "emails.value": {ByMail, true}, "members.value": {ByMember, false}, "members": {ByMember, false},
}

// matches is what the store can look for of what a filter says. nothing says that no row can match.
func matches(kind Kind, f scim.Filter) (by []Match, nothing bool) {
	for _, e := range f.Equalities() {
		c, ok := columns[e.Attribute]
		if kind == GroupKind && e.Attribute == "displayName" {
			c.column, c.folded, ok = ByName, true, true
		}
		if !ok {
			continue
		}
		if strings.ContainsRune(e.Value, 0) { // no row holds one, and a database may not be asked for it
			return nil, true
		}
		value := e.Value
		if c.folded {
			value = scim.Fold(value)
		} else if !e.CaseExact {
			continue
		}
		by = append(by, Match{c.column, value})
	}
	return by, false
}

// find returns the rows of a page, and how many match in all.
func (s *Service) find(ctx context.Context, kind Kind, q scim.Query, offset, limit int) ([]Row, int, error) {
	limit = max(limit, 0)
	by, nothing := matches(kind, q.Filter)
	if nothing {
		return nil, 0, nil
	}
	if q.Filter.IsZero() && q.Sort.IsZero() {
		return s.c.Rows.ListSCIM(ctx, kind, nil, offset, limit)
	}
	if len(by) == 0 {
		select { // looking through everything is for few at once
		case s.scans <- struct{}{}:
			defer func() { <-s.scans }()
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	members := kind == GroupKind && slices.Contains(q.Filter.Attributes(), "members")
	var all []found
	total := 0
	err := s.c.Rows.EachSCIM(ctx, kind, by, func(row Row) error {
		doc, err := s.document(row)
		if err != nil {
			return err
		}
		if members {
			if err := s.readMembers(ctx, row, doc); err != nil {
				return err
			}
		}
		if !q.Filter.Match(doc) {
			return nil
		}
		total++
		switch {
		case !q.Sort.IsZero():
			if total > sortAtMost {
				return wrong(scim.TooMany, "More than %d match, which is too many to sort; add a filter.", sortAtMost)
			}
			delete(doc, "members")
			all = append(all, found{row, doc})
		case total > offset && len(all) < limit:
			all = append(all, found{row, nil})
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	if !q.Sort.IsZero() {
		slices.SortStableFunc(all, func(a, b found) int { return q.Sort.Compare(a.doc, b.doc) })
		all = all[min(offset, len(all)):min(offset+limit, len(all))]
	}
	rows := make([]Row, len(all))
	for i, one := range all {
		rows[i] = one.row
	}
	return rows, total, nil
}

type found struct {
	row Row
	doc scim.Resource
}

// takesBody reports whether a body of this content type is read: SCIM's and JSON's, and one that is not named.
func takesBody(contentType string) bool {
	if contentType == "" {
		return true
	}
	name, _, err := mime.ParseMediaType(contentType)
	return err == nil && (name == media || name == "application/json")
}

func bodyError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &scimError{status: http.StatusRequestEntityTooLarge, detail: "The request's body is too large; send the members in several requests."}
	}
	return wrong(scim.InvalidSyntax, "The body did not come whole.")
}
