package provision

import (
	"bytes"
	"context"
	"net/http"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// create answers POST.
func (s *Service) create(kind Kind) handler {
	return func(who caller, w http.ResponseWriter, r *http.Request) error {
		p, err := s.projection(kind, r)
		if err != nil {
			return err
		}
		body, err := readBody(r)
		if err != nil {
			return err
		}
		row, err := s.createOne(r.Context(), who, kind, body)
		if err != nil {
			return err
		}
		w.Header().Set("Location", s.location(row))
		return s.answerRow(w, r, http.StatusCreated, row, p)
	}
}

func (s *Service) answerRow(w http.ResponseWriter, r *http.Request, status int, row Row, p scim.Projection) error {
	doc, err := s.projected(r.Context(), row, p)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", scim.ETag(row.Version))
	return answer(w, status, doc)
}

func (s *Service) createOne(ctx context.Context, who caller, kind Kind, body []byte) (Row, error) {
	doc, members, err := s.registry.Decode(kind, body)
	if err != nil {
		return Row{}, err
	}
	now := s.c.Now()
	row, err := fill(Row{Kind: kind, ID: newID(now), Active: true, Version: 1, Created: now, Changed: now}, doc)
	if err != nil {
		return Row{}, err
	}
	err = s.write(ctx, func(ctx context.Context, tx Tx) (w Written, err error) {
		if err := unique(ctx, tx, row); err != nil {
			return w, err
		}
		if err := tx.Put(ctx, row); err != nil {
			return w, err
		}
		w.Keys = s.keysOf(Row{}, row)
		detail := map[string]any{}
		if err := s.members(ctx, tx, row, setMembers(members), &w, detail); err != nil {
			return w, err
		}
		if kind == UserKind && !row.Active {
			detail["active"] = false
		}
		w.Events = append(w.Events, s.event(who, "created", row, detail))
		return w, nil
	})
	return row, err
}

// members changes a group's members and notes whom that touches.
func (s *Service) members(ctx context.Context, tx Tx, row Row, changes []scim.MemberChange, w *Written, detail map[string]any) error {
	if row.Kind != GroupKind {
		return nil
	}
	added, removed, err := changeMembers(ctx, tx, row.ID, changes)
	if err != nil {
		return err
	}
	for name, ids := range map[string][]string{"added": added, "removed": removed} {
		keys, names, err := touchedMembers(ctx, tx, ids)
		if err != nil {
			return err
		}
		if s.c.Members && row.Object != "" {
			w.Keys = append(w.Keys, keys...)
		}
		listed(detail, name, names)
	}
	return nil
}

// replace answers PUT.
func (s *Service) replace(kind Kind) handler {
	return s.changed(kind, false, func(r *http.Request, who caller, id string, body []byte) (Row, error) {
		return s.replaceOne(r.Context(), conditionOf(r), who, kind, id, body)
	})
}

// patch answers PATCH: for a user with what became of it; for a group, which may be large, with nothing unless it is
// asked for attributes.
func (s *Service) patch(kind Kind) handler {
	return s.changed(kind, kind == GroupKind, func(r *http.Request, who caller, id string, body []byte) (Row, error) {
		return s.patchOne(r.Context(), conditionOf(r), who, kind, id, body)
	})
}

func (s *Service) changed(kind Kind, silent bool, change func(*http.Request, caller, string, []byte) (Row, error)) handler {
	return func(who caller, w http.ResponseWriter, r *http.Request) error {
		p, err := s.projection(kind, r)
		if err != nil {
			return err
		}
		id, err := pathID(kind, r)
		if err != nil {
			return err
		}
		body, err := readBody(r)
		if err != nil {
			return err
		}
		row, err := change(r, who, id, body)
		if err != nil {
			return err
		}
		if silent && r.URL.Query().Get("attributes") == "" {
			w.Header().Set("ETag", scim.ETag(row.Version))
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return s.answerRow(w, r, http.StatusOK, row, p)
	}
}

func (s *Service) replaceOne(ctx context.Context, when condition, who caller, kind Kind, id string, body []byte) (Row, error) {
	next, members, err := s.registry.Decode(kind, body)
	if err != nil {
		return Row{}, err
	}
	var changes []scim.MemberChange
	if members != nil { // otherwise the body says nothing of them, and they stay
		changes = setMembers(members)
	}
	return s.change(ctx, when, who, kind, id, func(old scim.Resource) (scim.Resource, []scim.MemberChange, error) {
		next, _ := s.registry.Replace(kind, old, next)
		return next, changes, nil
	})
}

func (s *Service) patchOne(ctx context.Context, when condition, who caller, kind Kind, id string, body []byte) (Row, error) {
	ops, err := s.registry.ParsePatch(kind, body)
	if err != nil {
		return Row{}, err
	}
	piled := false
	row, err := s.change(ctx, when, who, kind, id, func(old scim.Resource) (scim.Resource, []scim.MemberChange, error) {
		p, err := ops.Apply(old)
		piled = p.Piled
		return p.Resource, p.Members, err
	})
	if err == nil && piled {
		s.piled.Store(true)
	}
	return row, err
}

// change makes a new version of a resource in one transaction, so that of two changes at once none is lost. One that makes
// no difference makes no version.
func (s *Service) change(ctx context.Context, when condition, who caller, kind Kind, id string,
	next func(scim.Resource) (scim.Resource, []scim.MemberChange, error)) (Row, error) {
	var row Row
	err := s.write(ctx, func(ctx context.Context, tx Tx) (w Written, err error) {
		old, found, err := tx.Resource(ctx, kind, id)
		if err != nil {
			return w, err
		}
		if !found {
			return w, notFound(kind, id)
		}
		if err := when.check(old); err != nil {
			return w, err
		}
		before, err := stored(old)
		if err != nil {
			return w, err
		}
		doc, members, err := next(before)
		if err != nil {
			return w, err
		}
		if row, err = fill(old, doc); err != nil {
			return w, err
		}
		if err := unique(ctx, tx, row); err != nil {
			return w, err
		}
		detail := map[string]any{}
		if err := s.members(ctx, tx, row, members, &w, detail); err != nil {
			return w, err
		}
		if len(detail) == 0 && bytes.Equal(old.Body, row.Body) {
			row = old
			return Written{}, nil
		}
		row.Version, row.Changed = old.Version+1, s.c.Now()
		if err := tx.Put(ctx, row); err != nil {
			return w, err
		}
		w.Keys = append(w.Keys, s.keysOf(old, row)...)
		w.Events = append(w.Events, s.event(who, changeOfRow(old, row), row, detail))
		return w, nil
	})
	return row, err
}

// remove answers DELETE.
func (s *Service) remove(kind Kind) handler {
	return func(who caller, w http.ResponseWriter, r *http.Request) error {
		id, err := pathID(kind, r)
		if err != nil {
			return err
		}
		if err := s.removeOne(r.Context(), conditionOf(r), who, kind, id); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
}

func (s *Service) removeOne(ctx context.Context, when condition, who caller, kind Kind, id string) error {
	return s.write(ctx, func(ctx context.Context, tx Tx) (w Written, err error) {
		row, found, err := tx.Resource(ctx, kind, id)
		if err != nil {
			return w, err
		}
		if !found {
			return w, notFound(kind, id)
		}
		if err := when.check(row); err != nil {
			return w, err
		}
		w.Keys = s.keysOf(row, Row{})
		w.Events = []audit.Event{s.event(who, "deleted", row, nil)}
		return w, tx.Delete(ctx, row)
	})
}
