package provision

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const media = "application/scim+json"

// scimError is an answer as RFC 7644 §3.12 has it.
type scimError struct {
	status       int
	kind         string // scimType, of 400 and 409
	detail       string
	authenticate string // error code of WWW-Authenticate (RFC 6750 §3.1)
	retryAfter   int    // seconds; 0: not said
}

func (e *scimError) Error() string { return e.detail }

func wrong(kind, format string, args ...any) error {
	return &scimError{status: http.StatusBadRequest, kind: kind, detail: fmt.Sprintf(format, args...)}
}

func notFound(kind Kind, id string) error {
	return &scimError{status: http.StatusNotFound, detail: fmt.Sprintf("There is no %s with the id %q.", kind, shown(id))}
}

// told is what the client is told of an error; what nobody classified goes to the log.
func (s *Service) told(r *http.Request, err error) *scimError {
	if e, ok := errors.AsType[*scimError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*scim.Error](err); ok {
		return &scimError{status: e.Status, kind: e.ScimType, detail: e.Detail}
	}
	e := &scimError{status: problem.KindOf(err).Status(), detail: "Something failed inside Lanyard; its log says what."}
	if p, ok := errors.AsType[*problem.Error](err); ok {
		e.detail = p.Message
	}
	if e.status == http.StatusServiceUnavailable {
		e.retryAfter = 5
	}
	if e.status >= 500 && r.Context().Err() == nil {
		s.log.Error("a provisioning request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	return e
}

// fail answers with an error.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	e := s.told(r, err)
	if e.authenticate != "" {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="Lanyard provisioning", error=%q`, e.authenticate))
	}
	if e.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
	if err := answer(w, e.status, &scim.Error{Status: e.status, ScimType: e.kind, Detail: e.detail}); err != nil && r.Context().Err() == nil {
		s.log.Debug("an error could not be told to the provisioning service", "error", err)
	}
}

// answer writes JSON.
func answer(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err = w.Write(append(b, '\n'))
	return err
}
