package provision

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// projected is a resource as it is answered.
func (s *Service) projected(ctx context.Context, row Row, p scim.Projection) (scim.Resource, error) {
	doc, err := s.document(row)
	if err != nil {
		return nil, err
	}
	if row.Kind == GroupKind && p.Wants("members") {
		if err := s.readMembers(ctx, row, doc); err != nil {
			return nil, err
		}
	}
	return p.Apply(doc), nil
}

func (s *Service) readMembers(ctx context.Context, row Row, doc scim.Resource) error {
	members, err := s.c.Rows.SCIMMembers(ctx, []string{row.ID})
	if err != nil {
		return err
	}
	s.withMembers(doc, members)
	return nil
}

func (s *Service) projection(kind Kind, r *http.Request) (scim.Projection, error) {
	values := r.URL.Query()
	return s.registry.ParseProjection(kind, values.Get("attributes"), values.Get("excludedAttributes"))
}

func (s *Service) get(kind Kind) handler {
	return func(_ caller, w http.ResponseWriter, r *http.Request) error {
		p, err := s.projection(kind, r)
		if err != nil {
			return err
		}
		id, err := pathID(kind, r)
		if err != nil {
			return err
		}
		row, found, err := s.c.Rows.SCIMResource(r.Context(), kind, id)
		if err != nil {
			return err
		}
		if !found {
			return notFound(kind, id)
		}
		w.Header().Set("ETag", scim.ETag(row.Version))
		if tags := r.Header.Values("If-None-Match"); len(tags) > 0 && tagged(tags, row) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
		doc, err := s.projected(r.Context(), row, p)
		if err != nil {
			return err
		}
		return answer(w, http.StatusOK, doc)
	}
}

// pathID is the ID in the path; one that no resource can have is not found.
func pathID(kind Kind, r *http.Request) (string, error) {
	id := r.PathValue("id")
	if len(id) > 64 || strings.ContainsFunc(id, func(c rune) bool { return c < 0x21 || c > 0x7e }) {
		return "", notFound(kind, id)
	}
	return id, nil
}

// tagged reports whether a condition names the version of a row.
func tagged(values []string, row Row) bool {
	return scim.MatchesETag(strings.Join(values, ", "), row.Version)
}

// condition is which version of a resource a change is meant for.
type condition struct{ match, none []string }

func conditionOf(r *http.Request) condition {
	return condition{r.Header.Values("If-Match"), r.Header.Values("If-None-Match")}
}

// check refuses a change of another version than the one that the client has seen.
func (c condition) check(row Row) error {
	if len(c.match) > 0 && !tagged(c.match, row) {
		return &scimError{status: http.StatusPreconditionFailed, detail: "The resource was changed meanwhile: its version is " + scim.ETag(row.Version) + "."}
	}
	if len(c.none) > 0 && tagged(c.none, row) {
		return &scimError{status: http.StatusPreconditionFailed, detail: "The resource has this version already."}
	}
	return nil
}

// maxPage is the most that one page holds, and what it holds when nothing is said.
const maxPage = 200

func (s *Service) list(kinds ...Kind) handler {
	return s.several(kinds, func(kind Kind, r *http.Request, _ []byte) (scim.Query, error) {
		return s.registry.ParseQuery(kind, r.URL.Query(), maxPage)
	})
}

// search is a list whose question stands in the body (RFC 7644 §3.4.3).
func (s *Service) search(kinds ...Kind) handler {
	return s.several(kinds, func(kind Kind, _ *http.Request, body []byte) (scim.Query, error) {
		return s.registry.ParseSearch(kind, body, maxPage)
	})
}

// several answers with a page of one kind of resource, or of several, one after the other.
func (s *Service) several(kinds []Kind, parse func(Kind, *http.Request, []byte) (scim.Query, error)) handler {
	return func(_ caller, w http.ResponseWriter, r *http.Request) (err error) {
		var body []byte
		if r.Method == http.MethodPost {
			if body, err = readBody(r); err != nil {
				return err
			}
		}
		out := scim.List{}
		members := 0
		for _, kind := range kinds {
			q, err := parse(kind, r, body)
			if err != nil {
				return err
			}
			if out.Start = q.Start; len(kinds) > 1 && !q.Sort.IsZero() {
				return wrong(scim.InvalidValue, "Sort users and groups each by itself.")
			}
			rows, total, err := s.find(r.Context(), kind, q, max(0, q.Start-1-out.Total), q.Count-len(out.Resources))
			if err != nil {
				return err
			}
			out.Total += total
			for _, row := range rows {
				if members > shownAtOnce { // the client asks for the rest
					break
				}
				doc, err := s.projected(r.Context(), row, q.Projection)
				if err != nil {
					return err
				}
				shown, _ := doc["members"].([]any)
				members += len(shown)
				out.Resources = append(out.Resources, doc)
			}
		}
		return answer(w, http.StatusOK, out)
	}
}

// maxBody bounds what a request may carry, in bytes: a group with 60,000 members or so.
const maxBody = 8 << 20

func readBody(r *http.Request) ([]byte, error) {
	if !takesBody(r.Header.Get("Content-Type")) {
		return nil, &scimError{status: http.StatusUnsupportedMediaType, detail: "Send the body as " + media + "."}
	}
	b, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	return b, bodyError(err)
}
