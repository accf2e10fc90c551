package entrasim

import (
	"net/http"
	"strings"
)

// graphOwners answers /applications/{id}/owners: whoever made it, and who was added.
func (t *Tenant) graphOwners(r graphRequest, app App, rest []string) (graphAnswer, error) {
	switch {
	case len(rest) == 0 && r.Method == http.MethodGet:
		var value []entity
		if owner := app.registered.Owner; owner != "" {
			value = append(value, entity{"id": owner})
		}
		return t.collection(t.context("directoryObjects", nil), value, ""), nil
	case len(rest) == 1 && rest[0] == "$ref" && r.Method == http.MethodPost:
		var body struct {
			ID string `json:"@odata.id"`
		}
		if err := r.body(&body); err != nil {
			return graphAnswer{}, err
		}
		owner := strings.ToLower(body.ID[strings.LastIndexByte(body.ID, '/')+1:])
		return graphAnswer{}, t.editApp(app.ClientID, func(a *App) error {
			if a.registered.Owner == owner {
				return badRequest("One or more added object references already exist for the following modified properties: 'owners'.")
			}
			a.registered.Owner = owner
			return nil
		})
	}
	return graphAnswer{}, notAllowed(r.Method)
}
