package doctor

// What a redirect is for.
const (
	ForSignIn       = "sign-in"
	ForSignOut      = "sign-out"
	ForFrontChannel = "front-channel sign-out"
)

func (e examiner) redirects() {
	const about = "redirect"
	for _, r := range e.health.Redirects {
		if !r.Refused {
			continue
		}
		switch r.For {
		case ForSignIn:
			if e.health.Provider != "" {
				e.mend("redirect-sign-in", about, "At the provider, add the redirect URI "+r.URL+" to Lanyard's client. It is compared letter by letter.",
					"%s does not know where sign-ins return to, %s, so nobody can sign in.", e.health.Provider, r.URL)
				continue
			}
			e.mend("redirect-sign-in", about, "In Entra, at the app registration under Authentication, add the web redirect URI "+r.URL+". It is compared letter by letter. `lanyard entra setup` does so.",
				"The app registration does not know where sign-ins return to, %s: the tenant shows AADSTS50011, and nobody can sign in.", r.URL)
		case ForSignOut:
			e.mend("redirect-sign-out", about, "In Entra, at the app registration under Authentication, add the web redirect URI "+r.URL+".",
				"The app registration does not know %s, so who signs out is left on the tenant's page.", r.URL)
		case ForFrontChannel:
			e.mend("redirect-front-channel", about, "In Entra, at the app registration under Authentication, write "+r.URL+" under Front-channel logout URL.",
				"The app registration does not name %s as its logout URL: who signs out at the tenant stays signed in here.", r.URL)
		}
	}
}
