package provision

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
)

// stored is a resource as it is kept: without what only the server says.
func stored(r Row) (scim.Resource, error) {
	doc := scim.Resource{}
	if err := json.Unmarshal(r.Body, &doc); err != nil {
		return nil, fmt.Errorf("read the stored %s %s: %w", r.Kind, r.ID, err)
	}
	return doc, nil
}

// document is a resource as it is shown, without members.
func (s *Service) document(r Row) (scim.Resource, error) {
	doc, err := stored(r)
	if err != nil {
		return nil, err
	}
	return s.registry.Complete(r.Kind, doc, scim.Meta{ID: r.ID, Base: s.TenantURL(), Created: r.Created, Modified: r.Changed, Version: r.Version}), nil
}

func (s *Service) location(r Row) string { return s.TenantURL() + "/" + string(r.Kind) + "s/" + r.ID }

// fill makes the row's columns and body from a resource. r is the row before.
func fill(r Row, doc scim.Resource) (Row, error) {
	doc = maps.Clone(doc)
	r.External = doc.Text("externalId")
	r.Object = objectOf(r.External)
	r.Display = doc.Text("displayName")
	r.Name = r.Display
	if r.Kind == UserKind {
		r.Name = doc.Text("userName")
		r.Mail, r.Mails = mailsOf(doc)
		r.Roles = doc.AppRoles()
		r.Active = activeOf(doc, r.Active)
		doc["active"] = r.Active
	}
	if strings.TrimSpace(r.Name) == "" {
		return r, wrong("invalidValue", "%s is required and may not be empty.", nameOf(r.Kind))
	}
	for _, text := range slices.Concat([]string{r.External, r.Name, r.Display}, r.Mails, r.Roles) {
		if len(text) > maxText || strings.ContainsRune(text, 0) {
			return r, wrong("invalidValue", "A value is too long, or holds a NUL character.")
		}
	}
	r.NameKey = scim.Fold(r.Name)
	var err error
	if r.Body, err = json.Marshal(doc); err != nil {
		return r, fmt.Errorf("encode a resource: %w", err)
	}
	if len(r.Body) > maxResource {
		return r, &scimError{status: http.StatusRequestEntityTooLarge, detail: fmt.Sprintf("A resource has at most %d bytes without its members.", maxResource)}
	}
	return r, nil
}

const (
	maxText     = 1024
	maxResource = 256 << 10
)

func nameOf(k Kind) string {
	if k == UserKind {
		return "userName"
	}
	return "displayName"
}

// activeOf is whether a user is enabled. What is not said stays as it was, so that leaving it out enables nobody.
func activeOf(doc scim.Resource, was bool) bool {
	active, ok := doc["active"].(bool)
	if !ok {
		return was
	}
	return active
}

// mailsOf are a user's addresses: the one of type work, or the primary one, or the first; and all of them, folded.
func mailsOf(doc scim.Resource) (best string, all []string) {
	list, _ := doc["emails"].([]any)
	rank := 0
	for _, one := range list {
		mail, _ := one.(map[string]any)
		value, _ := mail["value"].(string)
		kind, _ := mail["type"].(string)
		primary, _ := mail["primary"].(bool)
		r := 1
		switch {
		case strings.EqualFold(kind, "work"):
			r = 3
		case primary:
			r = 2
		}
		if value == "" {
			continue
		}
		if all = append(all, scim.Fold(value)); r > rank {
			best, rank = value, r
		}
	}
	slices.Sort(all)
	return best, slices.Compact(all)
}
