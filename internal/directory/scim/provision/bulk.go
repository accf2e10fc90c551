package provision

import (
	"context"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// bulk answers many requests in one; each is a transaction of its own.
func (s *Service) bulk(who caller, w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	asked, err := scim.ParseBulk(body, s.provider())
	if err != nil {
		return err
	}
	made, failures := map[string]string{}, 0
	answers := make(scim.BulkAnswer, 0, len(asked.Operations))
	for _, op := range asked.Operations {
		if asked.FailOnErrors > 0 && failures >= asked.FailOnErrors || r.Context().Err() != nil {
			break
		}
		result := scim.BulkResult{Method: op.Method, BulkID: op.BulkID}
		row, status, err := s.operate(r.Context(), who, op, made)
		if err != nil {
			failures++
			e := s.told(r, err)
			result.Status, result.Response = e.status, &scim.Error{Status: e.status, ScimType: e.kind, Detail: e.detail}
			answers = append(answers, result)
			continue
		}
		if result.Status = status; row.ID != "" {
			result.Location, result.Version = s.location(row), scim.ETag(row.Version)
			if op.BulkID != "" {
				made[op.BulkID] = row.ID
			}
		}
		answers = append(answers, result)
	}
	return answer(w, http.StatusOK, answers)
}

// operate carries one operation out.
func (s *Service) operate(ctx context.Context, who caller, op scim.BulkOperation, made map[string]string) (row Row, status int, err error) {
	if op, err = op.Resolve(made); err != nil {
		return row, 0, err
	}
	endpoint, id, _ := strings.Cut(strings.TrimPrefix(op.Path, "/"), "/")
	kind, ok := map[string]Kind{"users": UserKind, "groups": GroupKind}[strings.ToLower(endpoint)]
	if !ok || len(id) > 64 || strings.ContainsAny(id, "/\x00") {
		return row, 0, &scimError{status: http.StatusNotFound, detail: "There is nothing at this path."}
	}
	if (op.Method == http.MethodPost) != (id == "") {
		return row, 0, wrong(scim.InvalidValue, "%s does not fit the path %s.", op.Method, shown(op.Path))
	}
	var when condition
	if op.Version != "" {
		when.match = []string{op.Version}
	}
	switch op.Method {
	case http.MethodPost:
		row, err = s.createOne(ctx, who, kind, op.Data)
		return row, http.StatusCreated, err
	case http.MethodPut:
		row, err = s.replaceOne(ctx, when, who, kind, id, op.Data)
		return row, http.StatusOK, err
	case http.MethodPatch:
		row, err = s.patchOne(ctx, when, who, kind, id, op.Data)
		return row, http.StatusOK, err
	default:
		return row, http.StatusNoContent, s.removeOne(ctx, when, who, kind, id)
	}
}
