package dashboard

import "net/http"

// SignInTest shows a person what came of a test of signing in.
func (d *Dashboard) SignInTest(w http.ResponseWriter, page any) {
	d.render(w, http.StatusOK, "signintest.html", page, policy{})
}
