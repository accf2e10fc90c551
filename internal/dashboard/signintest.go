package dashboard

import "net/http"

// BeginSignInTest asks a person whether they want to test signing in, and says who sees what comes of it. Its form leads to
// the tenant.
func (d *Dashboard) BeginSignInTest(w http.ResponseWriter, page any) {
	d.render(w, http.StatusOK, "signintestbegin.html", page, policy{form: d.signOut()})
}

// SignInTest shows a person what came of a test of signing in.
func (d *Dashboard) SignInTest(w http.ResponseWriter, page any) {
	d.render(w, http.StatusOK, "signintest.html", page, policy{})
}
