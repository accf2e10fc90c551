package doctor

import (
	"time"

	"github.com/lanyardhq/lanyard/api"
)

const asCredential = "credential"

func (e examiner) credentials() {
	h := e.health
	working := false
	for _, c := range h.Credentials {
		working = working || c.Works
		name := c.Kind
		if c.File != "" {
			name += " " + c.File
		}
		ends := e.ends(c)
		switch {
		case c.Problem != "":
			e.mend("credential-refused", asCredential, e.where("Mend it, or remove it from entra.credential.", "Mend it, or remove it from oidc.credential.")+" Files are read again at each token request; nothing has to be restarted.",
				"The %s does not work: %s.", name, c.Problem)
		case c.Kind == "federated credential" || ends.IsZero(): // who renews its file does so all the time
		case !ends.After(e.now):
			e.mend("credential-ended", asCredential, replaceIt(c.Kind), "The %s expired at %s.", name, moment(ends))
		case ends.Sub(e.now) < endsSoon:
			e.mend("credential-ends", asCredential, replaceIt(c.Kind), "The %s expires at %s.", name, moment(ends))
		}
	}
	switch {
	case h.Token == "":
	case len(h.Credentials) == 1 && h.Credentials[0].Problem != "": // it was said
	default:
		e.mend("credential-none", asCredential, "Until this is mended nobody new can sign in, and the directory grows old.", "No token can be had from the tenant: %s.", h.Token)
	}
	if working && len(h.Credentials) == 1 && h.Credentials[0].Kind == "client secret" && h.Credentials[0].File != "" {
		e.note("credential-secret", asCredential, "A federated credential, or a certificate, can be put beside it and is then preferred.",
			"A client secret is all that proves Lanyard's app: it expires, and whoever reads it is Lanyard.")
	}
}

func replaceIt(kind string) string {
	if kind == "certificate" {
		return "Make a new certificate, add it to the app registration, and replace both files."
	}
	return "Make a new client secret at the app registration under Certificates & secrets, and replace the file."
}

// ends is when a credential ends: by its file, or by what the app registration says of it; the earlier. Where several that
// are registered may be the one, it is the last of them to end: nothing is said that may be wrong.
func (e examiner) ends(c api.CredentialHealth) time.Time {
	there := RegisteredEnd(e.health.Registration, c.Kind)
	if c.Ends.IsZero() || !there.IsZero() && there.Before(c.Ends) {
		return there
	}
	return c.Ends
}

// RegisteredEnd is when the app registration says that a kind of credential which is in use ends; zero: it does not say.
func RegisteredEnd(r api.RegistrationHealth, kind string) (ends time.Time) {
	for _, list := range [][]api.RegisteredSecret{r.Secrets, r.Certificates} {
		for _, x := range list {
			if x.Used == kind && x.Ends.After(ends) {
				ends = x.Ends
			}
		}
	}
	return ends
}
