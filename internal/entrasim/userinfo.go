package entrasim

import (
	"net/http"
	"strings"
)

func joined(words []string) string { return strings.Join(words, " ") }

// serveUserinfo answers the OpenID userinfo endpoint, which at Entra belongs to Microsoft Graph.
func (t *Tenant) serveUserinfo(w http.ResponseWriter, r *http.Request) {
	caller, refused := t.caller(r)
	if refused != nil {
		t.writeGraphError(w, r, refused)
		return
	}
	t.mu.Lock()
	user := t.dir.user(caller.UserID)
	var answer entity
	if user != nil {
		answer = entity{
			"sub": t.pairwise(caller.ClientID, user.ID), "name": user.DisplayName, "given_name": user.GivenName,
			"family_name": user.Surname, "email": user.Mail, "picture": t.url + graphPrefix + "me/photo/$value",
		}
	}
	t.mu.Unlock()
	if answer == nil {
		t.writeGraphError(w, r, notFound(caller.UserID))
		return
	}
	writeJSON(w, http.StatusOK, answer)
}
