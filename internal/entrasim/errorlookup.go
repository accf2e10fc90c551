package entrasim

import (
	"net/http"
	"regexp"
)

// serveErrorLookup is where error_uri of a refusal leads: the number, and who explains it.
func (t *Tenant) serveErrorLookup(w http.ResponseWriter, r *http.Request) {
	code := r.FormValue("code")
	if !regexp.MustCompile(`^\d{4,8}$`).MatchString(code) {
		code = ""
	}
	t.render(w, http.StatusOK, "errorlookup.html", "form-action 'self'", map[string]any{"Code": code})
}
